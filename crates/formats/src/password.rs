//! Stored passwords: every hasher of Django 5.2, read, verified, made and upgraded.
//!
//! The work is cut in three so that it can run anywhere: [`Hashers::job`] reads the stored text and decides what is to be
//! computed, [`Job::run`] computes (or [`Job::advance`], one derivation at a time), and the [`Verdict`] says whether the
//! password matches and whether a fresh hash should replace the stored one; [`Hashers::new_hash`] prepares that one. Whoever
//! can compute PBKDF2-HMAC-SHA256 for several at once takes the derivation out ([`Job::pbkdf2`], [`NewHash::pbkdf2`]) and
//! brings the digest back ([`Job::judge`], [`NewHash::finish`]).
//!
//! ```
//! use countersign_formats::password::{Algorithm, Hashers, Password, SaltEntropy, WorkFactors};
//!
//! let mut factors = WorkFactors::default();
//! factors.pbkdf2_sha256_iterations = 1_200;
//! let hashers = Hashers::new(vec![Algorithm::Pbkdf2Sha256], factors)?;
//! let stored = hashers.encode(&Password::new("sesame"), SaltEntropy::new([7; 32]))?;
//! assert!(stored.starts_with("pbkdf2_sha256$1200$"));
//!
//! let verdict = hashers.job(Password::new("sesame"), Some(&stored), SaltEntropy::new([8; 32])).run();
//! assert!(verdict.matches && !verdict.must_update);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod argon2;
mod cost;
mod hashers;
mod job;
mod new_hash;
mod salt;
mod step;
mod stored;
mod work;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod replay_tests;
#[cfg(test)]
mod vector_tests;

use std::fmt;

use zeroize::Zeroizing;

pub use algorithm::{Algorithm, UnknownHasher};
pub use argon2::{Argon2Params, Argon2Variant, Argon2Version};
pub use cost::estimated_cost;
pub use hashers::{EncodeError, Hashers, HashersError, WorkFactors, is_usable, unusable};
pub use job::{Job, Progress, Verdict};
pub use new_hash::NewHash;
pub use salt::{SaltEntropy, UnusableEntropy};
pub use step::Pbkdf2Job;
pub use stored::Refusal;
pub use work::{
    MAX_ARGON2_KIB_PASSES, MAX_ARGON2_LANES, MAX_ARGON2_MEMORY_KIB, MAX_ARGON2_PASSES, MAX_BCRYPT_COST,
    MAX_PBKDF2_ROUNDS, MAX_SCRYPT_BLOCKS, MAX_SCRYPT_MEMORY, OutOfBounds, Work,
};

/// The longest password that is hashed, in bytes of UTF-8 (SECURITY W3). A longer one never matches and cannot be set.
///
/// **Differs:** Django 5.2 has no limit.
pub const MAX_PASSWORD_BYTES: usize = 4096;

/// A password as a person typed it: not trimmed, not normalised, wiped from memory on drop, absent from `Debug`.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes the text as the password, whatever it holds.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the password is longer than [`MAX_PASSWORD_BYTES`].
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.0.len() > MAX_PASSWORD_BYTES
    }

    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_discloses_nothing() {
        assert_eq!(format!("{:?}", Password::new("sesame")), "Password(..)");
    }
}
