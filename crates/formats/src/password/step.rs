//! One derivation: the password and salt that a [`Job`](super::Job) or a [`NewHash`](super::NewHash) hashes next.

use zeroize::Zeroizing;

use super::work::OutOfMemory;
use super::{Password, Work};

/// Hashed where there is nothing to compare with; its content is of no account.
pub(super) const DECOY_PASSWORD: &str = "a password that nobody has";

/// One derivation of PBKDF2-HMAC-SHA256 (RFC 8018 §5.2) and what it is compared with, open to whoever can compute several
/// together.
#[derive(Clone)]
pub struct Pbkdf2Job {
    /// The password; its bytes are the key of the HMAC.
    pub password: Password,
    /// The salt's bytes.
    pub salt: Vec<u8>,
    /// Iterations, at least 1.
    pub rounds: u32,
    /// The stored digest; `None` when the time is all that counts.
    pub expected: Option<[u8; 32]>,
}

impl Pbkdf2Job {
    /// Computes the digest.
    #[must_use]
    pub fn derive(&self) -> Zeroizing<[u8; 32]> {
        let mut digest = Zeroizing::new([0; 32]);
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(self.password.as_bytes(), &self.salt, self.rounds, digest.as_mut_slice());
        digest
    }
}

/// A derivation and what its digest is compared with.
pub(super) enum Step {
    Pbkdf2(Pbkdf2Job),
    Other { work: Work, password: Password, salt: Vec<u8>, expected: Option<Vec<u8>> },
}

impl std::fmt::Debug for Pbkdf2Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pbkdf2Job").field("rounds", &self.rounds).finish_non_exhaustive()
    }
}

impl Step {
    pub(super) fn new(work: Work, password: Password, salt: Vec<u8>, expected: Option<Vec<u8>>) -> Self {
        match work {
            Work::Pbkdf2Sha256 { rounds } => {
                let expected = expected.and_then(|digest| digest.try_into().ok());
                Self::Pbkdf2(Pbkdf2Job { password, salt, rounds, expected })
            }
            work => Self::Other { work, password, salt, expected },
        }
    }

    /// The derivation, if it is PBKDF2-HMAC-SHA256.
    pub(super) fn pbkdf2(&self) -> Option<&Pbkdf2Job> {
        match self {
            Self::Pbkdf2(job) => Some(job),
            Self::Other { .. } => None,
        }
    }

    /// Computes the digest.
    pub(super) fn derive(&self) -> Result<Zeroizing<Vec<u8>>, OutOfMemory> {
        match self {
            Self::Pbkdf2(job) => Ok(Zeroizing::new(job.derive().to_vec())),
            Self::Other { work, password, salt, .. } => work.derive(password, salt),
        }
    }

    /// What is computed.
    pub(super) fn work(&self) -> Work {
        match self {
            Self::Pbkdf2(job) => Work::Pbkdf2Sha256 { rounds: job.rounds },
            Self::Other { work, .. } => *work,
        }
    }

    /// What the digest is compared with.
    pub(super) fn expected(&self) -> Option<&[u8]> {
        match self {
            Self::Pbkdf2(job) => job.expected.as_ref().map(<[u8; 32]>::as_slice),
            Self::Other { expected, .. } => expected.as_deref(),
        }
    }

    /// The same derivation, compared with nothing.
    pub(super) fn again(self) -> Self {
        let work = self.work();
        self.with(work)
    }

    /// Other work with the same salt, compared with nothing. The password is not needed for that, and a bcrypt hasher
    /// might not take it.
    pub(super) fn with(self, work: Work) -> Self {
        Self::new(work, Password::new(DECOY_PASSWORD), self.into_salt(), None)
    }

    /// The salt, as [`Work::derive`] takes it.
    pub(super) fn into_salt(self) -> Vec<u8> {
        match self {
            Self::Pbkdf2(job) => job.salt,
            Self::Other { salt, .. } => salt,
        }
    }
}
