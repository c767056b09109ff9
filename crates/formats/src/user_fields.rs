//! The fields of a new user: what a username and an email address may be, and how they are normalised before storing.
//!
//! ```
//! use countersign_formats::user_fields::{normalize_email, normalize_username, validate_username};
//!
//! assert!(validate_username("alice+test@example").is_empty());
//! assert_eq!(validate_username("al ice")[0].code, "invalid");
//! assert_eq!(normalize_username("ﬀ"), "ff");
//! assert_eq!(normalize_email("Alice@Example.ORG"), "Alice@example.org");
//! ```

pub(crate) mod characters;
mod email;

use unicode_normalization::UnicodeNormalization as _;

use characters::{is_word, strip};

/// The longest username, in code points. Source: Django 5.2 `AbstractUser.username`.
pub const MAX_USERNAME_CHARACTERS: usize = 150;

/// The longest email address that is stored, in code points. Source: Django 5.2 `EmailField`.
pub const MAX_EMAIL_CHARACTERS: usize = 254;

const INVALID_USERNAME: &str =
    "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.";

const INVALID_EMAIL: &str = "Enter a valid email address.";

const BLANK: &str = "This field cannot be blank.";

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Django's code for the error: `invalid`, `max_length` or `blank`.
    pub code: &'static str,
    /// Django's English sentence.
    pub message: String,
}

/// Everything that is wrong with a username; empty when nothing is. It must have one to 150 characters, each a letter or
/// number of any script or one of `@ . + - _`. Whether it is taken is for the database to say.
/// Source: Django 5.2 `AbstractUser.username`, `UnicodeUsernameValidator`.
#[must_use]
pub fn validate_username(username: &str) -> Vec<FieldError> {
    if username.is_empty() {
        return vec![FieldError::new("blank", BLANK)];
    }
    let is_allowed = |character| is_word(character) || matches!(character, '@' | '.' | '+' | '-');
    let invalid = !username.chars().all(is_allowed);
    let errors = invalid.then(|| FieldError::new("invalid", INVALID_USERNAME));
    errors.into_iter().chain(too_long(username, MAX_USERNAME_CHARACTERS)).collect()
}

/// The username as it is stored: in normal form NFKC. One of more than 150 characters comes back as it is: it cannot be
/// stored, and normalising could cost much (SECURITY W3, CVE-2023-46695).
///
/// Only new accounts are normalised; a login looks for the name as typed. Source: Django 5.2
/// `AbstractBaseUser.normalize_username`, `UsernameField.to_python`.
#[must_use]
pub fn normalize_username(username: &str) -> String {
    if username.chars().nth(MAX_USERNAME_CHARACTERS).is_some() {
        return username.to_owned();
    }
    username.nfkc().collect()
}

/// Everything that is wrong with an email address; empty when nothing is. An empty address is reported as blank; where a
/// user needs none, do not ask. Source: Django 5.2 `EmailValidator`, `EmailField`.
#[must_use]
pub fn validate_email(email: &str) -> Vec<FieldError> {
    if email.is_empty() {
        return vec![FieldError::new("blank", BLANK)];
    }
    let errors = (!email::is_valid(email)).then(|| FieldError::new("invalid", INVALID_EMAIL));
    errors.into_iter().chain(too_long(email, MAX_EMAIL_CHARACTERS)).collect()
}

/// The email address as it is stored: white space around it removed and the domain in lower case. A text without `@` comes
/// back as it is. Source: Django 5.2 `BaseUserManager.normalize_email`.
#[must_use]
pub fn normalize_email(email: &str) -> String {
    match strip(email).rsplit_once('@') {
        Some((name, domain)) => format!("{name}@{}", domain.to_lowercase()),
        None => email.to_owned(),
    }
}

/// Source: Django 5.2 `MaxLengthValidator`.
fn too_long(text: &str, limit: usize) -> Option<FieldError> {
    let length = text.chars().count();
    (length > limit).then(|| {
        FieldError::new("max_length", format!("Ensure this value has at most {limit} characters (it has {length})."))
    })
}

impl FieldError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(errors: &[FieldError]) -> Vec<&'static str> {
        errors.iter().map(|error| error.code).collect()
    }

    #[test]
    fn usernames_hold_letters_of_every_script() {
        for name in ["a", "Ünïcøde", "имя", "名前", "١٢٣", "ﬀ", "x²", "a.b+c-d@e_f", &"x".repeat(150)] {
            assert_eq!(validate_username(name), [], "{name}");
        }
        for name in ["a b", "a\n", " a", "a/b", "a!", "e\u{301}", "🔑", "a\0", "a\u{200d}"] {
            assert_eq!(codes(&validate_username(name)), ["invalid"], "{name:?}");
        }
    }

    #[test]
    fn username_messages_are_djangos() {
        let errors = validate_username(&"!".repeat(151));
        let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
                "Ensure this value has at most 150 characters (it has 151).",
            ]
        );
        assert_eq!(validate_username("")[0].message, "This field cannot be blank.");
    }

    #[test]
    fn w3_only_short_usernames_are_normalised() {
        assert_eq!(normalize_username("ﬀ①Ａ e\u{301}"), "ff1A \u{e9}");
        let long = "ﬀ".repeat(151);
        assert_eq!(normalize_username(&long), long);
        assert_eq!(normalize_username(&"ﬀ".repeat(150)), "f".repeat(300));
    }

    #[test]
    fn email_domains_become_lower_case() {
        for (email, expected) in [
            ("Alice@EXAMPLE.Org", "Alice@example.org"),
            ("  Al@B@EX.ORG\n", "Al@B@ex.org"),
            (" no at sign ", " no at sign "),
            ("", ""),
            ("a@ΣΑΣ.gr", "a@σασ.gr"),
        ] {
            assert_eq!(normalize_email(email), expected);
        }
    }

    #[test]
    fn email_messages_are_djangos() {
        assert_eq!(validate_email("alice")[0].message, "Enter a valid email address.");
        let long = format!("a@{}.org", vec!["b".repeat(60); 5].join("."));
        assert_eq!(codes(&validate_email(&long)), ["max_length"]);
        assert_eq!(codes(&validate_email(&"a".repeat(321))), ["invalid", "max_length"]);
        assert_eq!(codes(&validate_email("")), ["blank"]);
    }
}
