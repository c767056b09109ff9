//! A hash to be made for a new password, or for a known one whose stored hash is out of date.

use std::fmt;

use super::step::{Pbkdf2Job, Step};
use super::stored::Stored;
use super::{EncodeError, Password, Work};

/// Everything needed to hash one password, detached from configuration, to be run on any thread.
/// [`Hashers::new_hash`](super::Hashers::new_hash) makes it.
///
/// Source: Django 5.2 `make_password`.
pub struct NewHash {
    step: Step,
    /// `2b` of `$2b$12$…`; empty for other algorithms.
    bcrypt_prefix: &'static str,
}

impl NewHash {
    pub(super) fn new(work: Work, password: Password, salt: Vec<u8>, bcrypt_prefix: &'static str) -> Self {
        Self { step: Step::new(work, password, salt, None), bcrypt_prefix }
    }

    /// Hashes.
    ///
    /// # Errors
    /// [`EncodeError::OutOfMemory`].
    pub fn run(self) -> Result<String, EncodeError> {
        let digest = self.step.derive().map_err(|_| EncodeError::OutOfMemory)?;
        Ok(self.finish(&digest))
    }

    /// The derivation, if it is PBKDF2-HMAC-SHA256; its digest then goes to [`finish`](Self::finish).
    #[must_use]
    pub fn pbkdf2(&self) -> Option<&Pbkdf2Job> {
        self.step.pbkdf2()
    }

    /// The text for `auth_user.password`, from the digest of the derivation, computed elsewhere.
    #[must_use]
    pub fn finish(self, digest: &[u8]) -> String {
        let work = self.step.work();
        let salt = self.step.into_salt();
        Stored { work, salt, digest: digest.to_vec(), bcrypt_prefix: self.bcrypt_prefix }.encode()
    }

    /// The derivation.
    #[must_use]
    pub fn work(&self) -> Work {
        self.step.work()
    }
}

impl fmt::Debug for NewHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NewHash").field("work", &self.work()).finish_non_exhaustive()
    }
}
