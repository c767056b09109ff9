//! Django's password validators: which passwords may be set, with Django's own messages.
//!
//! ```
//! use countersign_formats::password::Password;
//! use countersign_formats::password_validation::{UserAttributes, Validators};
//!
//! let alice = UserAttributes { username: "alice", ..UserAttributes::default() };
//! let errors = Validators::default().validate(&Password::new("12345"), &alice);
//! let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
//! assert_eq!(messages, [
//!     "This password is too short. It must contain at least 8 characters.",
//!     "This password is too common.",
//!     "This password is entirely numeric.",
//! ]);
//! ```

mod common;
mod similarity;

use crate::password::Password;
use crate::user_fields::characters::is_digit;

/// How alike a password and an attribute may be. Source: Django 5.2 `UserAttributeSimilarityValidator`.
const DEFAULT_MAX_SIMILARITY: f64 = 0.7;

/// The least similarity that can be asked for. Source: Django 5.2 `UserAttributeSimilarityValidator.__init__`.
const LEAST_MAX_SIMILARITY: f64 = 0.1;

/// Characters a password must have. Source: Django 5.2 `MinimumLengthValidator`.
const DEFAULT_MIN_LENGTH: usize = 8;

/// What is wrong with a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationError {
    /// Django's code for the error: `password_too_short` and so on.
    pub code: &'static str,
    /// Django's English sentence.
    pub message: String,
}

/// A column of `auth_user` that a password is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserAttribute {
    /// `username`.
    Username,
    /// `first_name`.
    FirstName,
    /// `last_name`.
    LastName,
    /// `email`.
    Email,
}

/// The owner of a password, as far as the password may not resemble it. An empty text is not compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserAttributes<'a> {
    /// `auth_user.username`.
    pub username: &'a str,
    /// `auth_user.first_name`.
    pub first_name: &'a str,
    /// `auth_user.last_name`.
    pub last_name: &'a str,
    /// `auth_user.email`.
    pub email: &'a str,
}

/// One rule for new passwords, with its options.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Validator {
    /// Not too like the user's own data. Source: Django 5.2 `UserAttributeSimilarityValidator`.
    UserAttributeSimilarity {
        /// The ratio, 0.1 and up, at which a password is refused; 0.7 by default, above 1 nothing is.
        max_similarity: f64,
        /// What to compare with, in order; the first hit is reported.
        user_attributes: Vec<UserAttribute>,
    },
    /// Long enough. Source: Django 5.2 `MinimumLengthValidator`.
    MinimumLength {
        /// Unicode code points, 8 by default.
        min_length: usize,
    },
    /// Not in Django's list of 19 640 common passwords. Source: Django 5.2 `CommonPasswordValidator`.
    CommonPassword,
    /// Not all digits. Source: Django 5.2 `NumericPasswordValidator`.
    NumericPassword,
}

/// Options of one entry of `AUTH_PASSWORD_VALIDATORS`; what is absent has Django's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValidatorOptions {
    /// Of `MinimumLengthValidator`.
    pub min_length: Option<usize>,
    /// Of `UserAttributeSimilarityValidator`.
    pub max_similarity: Option<f64>,
    /// Of `UserAttributeSimilarityValidator`: names of columns.
    pub user_attributes: Option<Vec<String>>,
}

/// An entry of the validators' configuration that cannot work.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValidatorError {
    /// No such validator.
    #[error(
        "unknown password validator {0:?}: use one of user_attribute_similarity, minimum_length, common_password, \
         numeric_password, or its class path under django.contrib.auth.password_validation"
    )]
    UnknownName(String),
    /// The validator does not take this option.
    #[error("the password validator {validator} has no option {option}")]
    UnknownOption {
        /// The validator's name in snake case.
        validator: &'static str,
        /// The option's name.
        option: &'static str,
    },
    /// Source: Django 5.2 raises `max_similarity must be at least 0.1`.
    #[error("max_similarity must be at least 0.1")]
    MaxSimilarityTooSmall,
    /// **Differs:** Django ignores attributes that do not exist.
    #[error("unknown user attribute {0:?}: use username, first_name, last_name, email")]
    UnknownAttribute(String),
}

/// The rules for new passwords, in order. `Default` is the four that `startproject` configures.
#[derive(Clone, Debug, PartialEq)]
pub struct Validators(Vec<Validator>);

impl Default for Validators {
    fn default() -> Self {
        Self(vec![
            Validator::UserAttributeSimilarity {
                max_similarity: DEFAULT_MAX_SIMILARITY,
                user_attributes: UserAttribute::ALL.to_vec(),
            },
            Validator::MinimumLength { min_length: DEFAULT_MIN_LENGTH },
            Validator::CommonPassword,
            Validator::NumericPassword,
        ])
    }
}

impl Validators {
    /// Rules in this order; an empty list lets every password pass, as Django does without the setting.
    #[must_use]
    pub fn new(validators: Vec<Validator>) -> Self {
        Self(validators)
    }

    /// The rules, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Validator] {
        &self.0
    }

    /// Everything that is wrong with a password for its owner, in the order of the rules; empty when nothing is.
    /// Source: Django 5.2 `validate_password`.
    #[must_use]
    pub fn validate(&self, password: &Password, owner: &UserAttributes<'_>) -> Vec<ValidationError> {
        self.0.iter().filter_map(|validator| validator.validate(password.expose(), owner)).collect()
    }
}

impl Validator {
    /// Reads an entry of `AUTH_PASSWORD_VALIDATORS`. The name may be Django's class path
    /// (`django.contrib.auth.password_validation.MinimumLengthValidator`), the class alone, or the class in snake case
    /// without its last word (`minimum_length`).
    ///
    /// # Errors
    /// [`ValidatorError`] for a name, option or attribute that does not exist, and for a similarity under 0.1.
    pub fn from_setting(name: &str, options: ValidatorOptions) -> Result<Self, ValidatorError> {
        let class = name.strip_prefix("django.contrib.auth.password_validation.").unwrap_or(name);
        let ValidatorOptions { min_length, max_similarity, user_attributes } = options;
        let similarity_option =
            max_similarity.map(|_| "max_similarity").or(user_attributes.as_ref().map(|_| "user_attributes"));
        let length_option = min_length.map(|_| "min_length");
        let refuse = |validator, option: Option<&'static str>| match option {
            Some(option) => Err(ValidatorError::UnknownOption { validator, option }),
            None => Ok(()),
        };
        match class {
            "UserAttributeSimilarityValidator" | "user_attribute_similarity" => {
                refuse("user_attribute_similarity", length_option)?;
                similarity(max_similarity, user_attributes)
            }
            "MinimumLengthValidator" | "minimum_length" => {
                refuse("minimum_length", similarity_option)?;
                Ok(Self::MinimumLength { min_length: min_length.unwrap_or(DEFAULT_MIN_LENGTH) })
            }
            "CommonPasswordValidator" | "common_password" => {
                refuse("common_password", length_option.or(similarity_option))?;
                Ok(Self::CommonPassword)
            }
            "NumericPasswordValidator" | "numeric_password" => {
                refuse("numeric_password", length_option.or(similarity_option))?;
                Ok(Self::NumericPassword)
            }
            _ => Err(ValidatorError::UnknownName(name.to_owned())),
        }
    }

    fn validate(&self, password: &str, owner: &UserAttributes<'_>) -> Option<ValidationError> {
        match self {
            Self::UserAttributeSimilarity { max_similarity, user_attributes } => {
                let lower = zeroize::Zeroizing::new(password.to_lowercase());
                user_attributes
                    .iter()
                    .find(|attribute| similarity::resembles(&lower, attribute.of(owner), *max_similarity))
                    .map(|attribute| ValidationError {
                        code: "password_too_similar",
                        message: format!("The password is too similar to the {}.", attribute.verbose_name()),
                    })
            }
            Self::MinimumLength { min_length } => {
                let plural = if *min_length == 1 { "" } else { "s" };
                (password.chars().count() < *min_length).then(|| ValidationError {
                    code: "password_too_short",
                    message: format!(
                        "This password is too short. It must contain at least {min_length} character{plural}."
                    ),
                })
            }
            Self::CommonPassword => common::is_common(password).then(|| ValidationError {
                code: "password_too_common",
                message: "This password is too common.".to_owned(),
            }),
            Self::NumericPassword => {
                (!password.is_empty() && password.chars().all(is_digit)).then(|| ValidationError {
                    code: "password_entirely_numeric",
                    message: "This password is entirely numeric.".to_owned(),
                })
            }
        }
    }
}

impl UserAttribute {
    /// Every attribute, in Django's order. Source: Django 5.2 `DEFAULT_USER_ATTRIBUTES`.
    pub const ALL: [Self; 4] = [Self::Username, Self::FirstName, Self::LastName, Self::Email];

    /// The column's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Email => "email",
        }
    }

    /// The name in messages. Source: Django 5.2 `AbstractUser`.
    const fn verbose_name(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::FirstName => "first name",
            Self::LastName => "last name",
            Self::Email => "email address",
        }
    }

    const fn of<'a>(self, owner: &UserAttributes<'a>) -> &'a str {
        match self {
            Self::Username => owner.username,
            Self::FirstName => owner.first_name,
            Self::LastName => owner.last_name,
            Self::Email => owner.email,
        }
    }
}

fn similarity(max_similarity: Option<f64>, names: Option<Vec<String>>) -> Result<Validator, ValidatorError> {
    let max_similarity = max_similarity.unwrap_or(DEFAULT_MAX_SIMILARITY);
    if max_similarity.is_nan() || max_similarity < LEAST_MAX_SIMILARITY {
        return Err(ValidatorError::MaxSimilarityTooSmall);
    }
    let user_attributes = match names {
        None => UserAttribute::ALL.to_vec(),
        Some(names) => names
            .into_iter()
            .map(|name| {
                let known = UserAttribute::ALL.into_iter().find(|attribute| attribute.name() == name);
                known.ok_or(ValidatorError::UnknownAttribute(name))
            })
            .collect::<Result<_, _>>()?,
    };
    Ok(Validator::UserAttributeSimilarity { max_similarity, user_attributes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(password: &str, owner: &UserAttributes<'_>) -> Vec<&'static str> {
        let errors = Validators::default().validate(&Password::new(password), owner);
        errors.into_iter().map(|error| error.code).collect()
    }

    #[test]
    fn w4_every_rule_reports_in_order() {
        let owner = UserAttributes { username: "123456", ..UserAttributes::default() };
        let all = ["password_too_similar", "password_too_short", "password_too_common", "password_entirely_numeric"];
        assert_eq!(codes("123456", &owner), all);
        assert!(codes("correct horse battery staple", &owner).is_empty());
    }

    #[test]
    fn w4_messages_name_the_attribute_and_the_length() {
        let owner = UserAttributes { email: "margaret@example.org", ..UserAttributes::default() };
        let errors = Validators::default().validate(&Password::new("Margaret1"), &owner);
        assert_eq!(errors[0].message, "The password is too similar to the email address.");
        let one = Validators::new(vec![Validator::MinimumLength { min_length: 1 }]);
        let errors = one.validate(&Password::new(""), &owner);
        assert_eq!(errors[0].message, "This password is too short. It must contain at least 1 character.");
    }

    #[test]
    fn w4_length_counts_code_points() {
        let owner = UserAttributes::default();
        assert_eq!(codes("é🔑é🔑é🔑é", &owner), ["password_too_short"]);
        assert!(codes("é🔑é🔑é🔑é🔑", &owner).is_empty());
    }

    #[test]
    fn w4_digits_of_every_script_are_numeric() {
        let owner = UserAttributes::default();
        for password in ["٠١٢٣٤٥٦٧٨٩", "²³¹⁰⁴⁵⁶⁷⁸", "①②③④⑤⑥⑦⑧⑨", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕", "९९९९९९९९९"]
        {
            assert_eq!(codes(password, &owner), ["password_entirely_numeric"], "{password}");
        }
        for password in ["½½½½½½½½½", "ⅧⅧⅧⅧⅧⅧⅧⅧⅧ", "一二三四五六七八九", "-918273645"]
        {
            assert!(codes(password, &owner).is_empty(), "{password}");
        }
    }

    #[test]
    fn names_are_read_in_three_spellings() {
        let options = ValidatorOptions::default;
        for name in [
            "minimum_length",
            "MinimumLengthValidator",
            "django.contrib.auth.password_validation.MinimumLengthValidator",
        ] {
            let expected = Ok(Validator::MinimumLength { min_length: 8 });
            assert_eq!(Validator::from_setting(name, options()), expected);
        }
        let names = ["user_attribute_similarity", "minimum_length", "common_password", "numeric_password"];
        let read: Result<Vec<_>, _> = names.iter().map(|name| Validator::from_setting(name, options())).collect();
        assert_eq!(read.map(Validators::new), Ok(Validators::default()));
    }

    #[test]
    fn options_are_checked() {
        let read = Validator::from_setting;
        assert_eq!(read("length", ValidatorOptions::default()), Err(ValidatorError::UnknownName("length".to_owned())));
        let length = ValidatorOptions { min_length: Some(15), ..ValidatorOptions::default() };
        assert_eq!(read("minimum_length", length.clone()), Ok(Validator::MinimumLength { min_length: 15 }));
        let wrong = ValidatorError::UnknownOption { validator: "common_password", option: "min_length" };
        assert_eq!(read("common_password", length), Err(wrong));
        let names = vec!["email".to_owned(), "nickname".to_owned()];
        let attributes = ValidatorOptions { user_attributes: Some(names), ..ValidatorOptions::default() };
        let unknown = ValidatorError::UnknownAttribute("nickname".to_owned());
        assert_eq!(read("user_attribute_similarity", attributes), Err(unknown));
        for ratio in [0.09, f64::NAN, -1.0] {
            let options = ValidatorOptions { max_similarity: Some(ratio), ..ValidatorOptions::default() };
            assert_eq!(read("user_attribute_similarity", options), Err(ValidatorError::MaxSimilarityTooSmall));
        }
    }
}
