//! The names of Django's hashers.

use std::fmt;

/// A password hasher of Django 5.2, by the algorithm word that opens its encoded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// `pbkdf2_sha256`, Django's default. Source: Django 5.2 `PBKDF2PasswordHasher`.
    Pbkdf2Sha256,
    /// `pbkdf2_sha1`. Source: Django 5.2 `PBKDF2SHA1PasswordHasher`.
    Pbkdf2Sha1,
    /// `argon2`, making argon2id and verifying all three variants. Source: Django 5.2 `Argon2PasswordHasher`.
    Argon2,
    /// `bcrypt_sha256`: bcrypt over the hexadecimal SHA-256. Source: Django 5.2 `BCryptSHA256PasswordHasher`.
    BcryptSha256,
    /// `bcrypt` over the password itself, 72 bytes at most. Source: Django 5.2 `BCryptPasswordHasher`.
    Bcrypt,
    /// `scrypt`. Source: Django 5.2 `ScryptPasswordHasher`.
    Scrypt,
    /// `md5`, verified but never made. Source: Django 5.2 `MD5PasswordHasher`.
    Md5,
}

/// A name that [`Algorithm::from_setting`] does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown password hasher {0:?}: use one of pbkdf2_sha256, pbkdf2_sha1, argon2, bcrypt_sha256, bcrypt, scrypt, md5, or \
     its class path under django.contrib.auth.hashers"
)]
pub struct UnknownHasher(String);

impl Algorithm {
    /// Every hasher, in the order of Django's documentation.
    pub const ALL: [Self; 7] =
        [Self::Pbkdf2Sha256, Self::Pbkdf2Sha1, Self::Argon2, Self::BcryptSha256, Self::Bcrypt, Self::Scrypt, Self::Md5];

    /// The word that opens an encoded text: `pbkdf2_sha256` and so on.
    #[must_use]
    pub const fn django_name(self) -> &'static str {
        match self {
            Self::Pbkdf2Sha256 => "pbkdf2_sha256",
            Self::Pbkdf2Sha1 => "pbkdf2_sha1",
            Self::Argon2 => "argon2",
            Self::BcryptSha256 => "bcrypt_sha256",
            Self::Bcrypt => "bcrypt",
            Self::Scrypt => "scrypt",
            Self::Md5 => "md5",
        }
    }

    /// Reads an entry of `PASSWORD_HASHERS`: Django's class path (`django.contrib.auth.hashers.PBKDF2PasswordHasher`) or
    /// the algorithm word (`pbkdf2_sha256`). Case counts in both.
    ///
    /// # Errors
    /// [`UnknownHasher`] for any other name, classes of a project's own included.
    pub fn from_setting(name: &str) -> Result<Self, UnknownHasher> {
        let class = name.strip_prefix("django.contrib.auth.hashers.");
        Self::ALL
            .into_iter()
            .find(|algorithm| class.map_or(name == algorithm.django_name(), |class| class == algorithm.class_name()))
            .ok_or_else(|| UnknownHasher(name.to_owned()))
    }

    /// Finds the hasher of an algorithm word.
    pub(super) fn from_django_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.django_name() == word)
    }

    const fn class_name(self) -> &'static str {
        match self {
            Self::Pbkdf2Sha256 => "PBKDF2PasswordHasher",
            Self::Pbkdf2Sha1 => "PBKDF2SHA1PasswordHasher",
            Self::Argon2 => "Argon2PasswordHasher",
            Self::BcryptSha256 => "BCryptSHA256PasswordHasher",
            Self::Bcrypt => "BCryptPasswordHasher",
            Self::Scrypt => "ScryptPasswordHasher",
            Self::Md5 => "MD5PasswordHasher",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.django_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_each_name_are_read() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_setting(algorithm.django_name()), Ok(algorithm));
            let path = format!("django.contrib.auth.hashers.{}", algorithm.class_name());
            assert_eq!(Algorithm::from_setting(&path), Ok(algorithm));
        }
    }

    #[test]
    fn other_names_are_refused_by_name() {
        for name in ["", "PBKDF2_SHA256", "sha1", "PBKDF2PasswordHasher", "django.contrib.auth.hashers.md5", "argon2 "]
        {
            assert_eq!(Algorithm::from_setting(name), Err(UnknownHasher(name.to_owned())));
        }
    }
}
