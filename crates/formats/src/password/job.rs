//! The computation that decides one login, and what it found.

use subtle::ConstantTimeEq as _;

use super::step::{DECOY_PASSWORD, Pbkdf2Job, Step};
use super::stored::{Refusal, Stored, Unreadable};
use super::work::{MAX_PBKDF2_ROUNDS, OutOfMemory};
use super::{Hashers, Password, SaltEntropy, Work, estimated_cost};

/// Whether a password matches, and what to do about the stored text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The password is the one whose hash is stored.
    pub matches: bool,
    /// The stored text should be replaced by [`Hashers::encode`] of the same password. Only ever set when it
    /// [`matches`](Self::matches). Source: Django 5.2 `verify_password`.
    pub must_update: bool,
    /// Set when the stored text can match no password though it should: an error event for the log (SECURITY W1, W2).
    pub refused: Option<Refusal>,
}

/// Everything needed to judge one password, detached from configuration and database, to be run on any thread.
///
/// Whatever the reason for failure, about the same work is done (SECURITY A1): one hash as the preferred hasher makes it. A stored
/// hash that costs more than that takes its own, longer time.
///
/// * Unknown user, unusable text, unknown algorithm, malformed text, parameters out of bounds, password too long: one
///   hash of the preferred hasher.
/// * Wrong password under the preferred hasher with less work: the missing PBKDF2 iterations, or `2^difference - 1` more
///   bcrypt hashes; nothing for argon2 and scrypt. Source: Django 5.2 `harden_runtime`.
/// * Wrong password under another hasher: the missing work by [`estimated_cost`], as PBKDF2 iterations; or, where the
///   stored hash is negligible beside a preferred one that is not PBKDF2, one whole preferred hash. **Differs:** Django
///   does nothing here, and the time shows which accounts have old hashes.
pub struct Job {
    step: Step,
    /// What to do when the digest is not the expected one.
    remaining: Remaining,
    must_update: bool,
    refused: Option<Refusal>,
}

/// What a [`Job`] comes to after one derivation.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress {
    /// The password is judged.
    Done(Verdict),
    /// More is to be computed, to even out the time.
    More(Job),
}

/// The derivations to do if this one does not match.
#[derive(Clone, Copy)]
enum Remaining {
    Nothing,
    /// PBKDF2-HMAC-SHA256.
    Rounds(u32),
    /// The same derivation again, so many times.
    Repeat(u32),
    Whole(Work),
}

impl Job {
    /// Plans the judgement of `password` against `encoded`, `None` when there is no such user.
    pub(super) fn plan(hashers: &Hashers, password: Password, encoded: Option<&str>, entropy: &SaltEntropy) -> Self {
        let stored = encoded.map(|encoded| Stored::parse(encoded, hashers.order()));
        let preferred = hashers.preferred_work();
        let refused = match stored {
            Some(Err(Unreadable::Refused(refusal))) => Some(refusal),
            _ => None,
        };
        match stored {
            Some(Ok(stored)) if stored.work.accepts(&password) => Self {
                remaining: Remaining::after(&stored.work, &preferred),
                must_update: stored.work.algorithm() != preferred.algorithm() || stored.is_outdated(&preferred),
                step: Step::new(stored.work, password, stored.salt, Some(stored.digest)),
                refused,
            },
            _ => Self::decoy(preferred, password, entropy.text().into_bytes(), refused),
        }
    }

    /// Does all the work.
    #[must_use]
    pub fn run(self) -> Verdict {
        let mut job = self;
        loop {
            match job.advance() {
                Progress::Done(verdict) => return verdict,
                Progress::More(rest) => job = rest,
            }
        }
    }

    /// Does one derivation.
    #[must_use]
    pub fn advance(self) -> Progress {
        match self.step.derive() {
            Ok(digest) => self.judge(&digest),
            Err(OutOfMemory) => {
                Progress::Done(Verdict { matches: false, must_update: false, refused: Some(Refusal::OutOfMemory) })
            }
        }
    }

    /// The derivation to do now, if it is PBKDF2-HMAC-SHA256; its digest then goes to [`judge`](Self::judge).
    #[must_use]
    pub fn pbkdf2(&self) -> Option<&Pbkdf2Job> {
        self.step.pbkdf2()
    }

    /// Goes on from the digest of the present derivation, computed elsewhere. Compares in constant time.
    #[must_use]
    pub fn judge(self, digest: &[u8]) -> Progress {
        let Self { step, remaining, must_update, refused } = self;
        let matches = step.expected().is_some_and(|expected| expected.ct_eq(digest).into());
        let failed = Verdict { matches: false, must_update: false, refused };
        if matches {
            return Progress::Done(Verdict { matches, must_update, refused });
        }
        let (step, remaining) = match remaining {
            Remaining::Nothing | Remaining::Repeat(0) | Remaining::Rounds(0) => return Progress::Done(failed),
            Remaining::Rounds(rounds) => (step.with(Work::Pbkdf2Sha256 { rounds }), Remaining::Nothing),
            Remaining::Repeat(times) => (step.again(), Remaining::Repeat(times - 1)),
            Remaining::Whole(work) => (step.with(work), Remaining::Nothing),
        };
        Progress::More(Self { step, remaining, must_update: false, refused })
    }

    /// The derivation to do now.
    #[must_use]
    pub fn work(&self) -> Work {
        self.step.work()
    }

    /// The time the whole job takes if the password is wrong, in iterations of PBKDF2-HMAC-SHA256; see
    /// [`estimated_cost`].
    #[must_use]
    pub fn cost(&self) -> u64 {
        let step = estimated_cost(&self.step.work());
        step + match self.remaining {
            Remaining::Nothing => 0,
            Remaining::Rounds(rounds) => rounds.into(),
            Remaining::Repeat(times) => step * u64::from(times),
            Remaining::Whole(work) => estimated_cost(&work),
        }
    }

    /// One hash of the preferred hasher, for the time it takes, which is a little longer for a long password.
    fn decoy(preferred: Work, password: Password, salt: Vec<u8>, refused: Option<Refusal>) -> Self {
        let password = if preferred.accepts(&password) { password } else { Password::new(DECOY_PASSWORD) };
        let step = Step::new(preferred, password, salt, None);
        Self { step, remaining: Remaining::Nothing, must_update: false, refused }
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Job")
            .field("kind", &self.work().algorithm())
            .field("cost", &self.cost())
            .finish_non_exhaustive()
    }
}

impl Remaining {
    /// What a wrong password against `stored` still owes the time of a `preferred` hash.
    fn after(stored: &Work, preferred: &Work) -> Self {
        let rounds = |missing: u64| Self::Rounds(u32::try_from(missing).unwrap_or(u32::MAX).min(MAX_PBKDF2_ROUNDS));
        match (*stored, *preferred) {
            (Work::Pbkdf2Sha256 { rounds: done }, Work::Pbkdf2Sha256 { rounds: wanted }) => {
                Self::Rounds(wanted.saturating_sub(done))
            }
            (Work::Pbkdf2Sha1 { rounds: done }, Work::Pbkdf2Sha1 { rounds: wanted }) => {
                match wanted.saturating_sub(done) {
                    0 => Self::Nothing,
                    missing => Self::Whole(Work::Pbkdf2Sha1 { rounds: missing }),
                }
            }
            (Work::Bcrypt { cost: done }, Work::Bcrypt { cost: wanted })
            | (Work::BcryptSha256 { cost: done }, Work::BcryptSha256 { cost: wanted }) => {
                Self::Repeat((1 << wanted.saturating_sub(done)) - 1)
            }
            (Work::Argon2(_), Work::Argon2(_)) | (Work::Scrypt { .. }, Work::Scrypt { .. }) => Self::Nothing,
            (stored, preferred) => {
                let (done, wanted) = (estimated_cost(&stored), estimated_cost(&preferred));
                let is_pbkdf2 = matches!(preferred, Work::Pbkdf2Sha256 { .. } | Work::Pbkdf2Sha1 { .. });
                if !is_pbkdf2 && done <= wanted / 8 {
                    Self::Whole(preferred)
                } else {
                    rounds(wanted.saturating_sub(done))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Algorithm;
    use super::*;

    /// What each kind of failure costs, under PBKDF2 with 1000 iterations.
    fn cost(stored: Option<&str>) -> u64 {
        let factors = super::super::WorkFactors { pbkdf2_sha256_iterations: 1_000, ..Default::default() };
        let hashers = Hashers::new(vec![Algorithm::Pbkdf2Sha256, Algorithm::Pbkdf2Sha1, Algorithm::Md5], factors);
        hashers.expect("valid").job(Password::new("wrong"), stored, SaltEntropy::new([7; 32])).cost()
    }

    /// A hash of fewer iterations took less time, so that the time told which accounts had not logged in for long.
    #[test]
    fn register_cve_2016_2513_fewer_iterations_take_no_less_time() {
        for rounds in [1, 10, 999, 1_000] {
            let stored = format!("pbkdf2_sha256${rounds}$salt${}=", "A".repeat(43));
            assert_eq!(cost(Some(&stored)), 1_000, "{stored}");
        }
        assert_eq!(cost(Some("md5$salt$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")), 1_000);
    }

    /// An account without a usable password was refused at once.
    #[test]
    fn register_cve_2024_39329_an_unusable_password_takes_no_less_time() {
        for stored in ["!", "!0123456789012345678901234567890123456789", "", "plain", "unknown$x$y"] {
            assert_eq!(cost(Some(stored)), cost(None), "{stored}");
        }
    }

    /// An unknown name was refused at once, in the one of two ways in that had been forgotten: here there is one.
    #[test]
    fn register_cve_2025_13473_an_unknown_user_takes_no_less_time() {
        assert_eq!(cost(None), 1_000);
    }

    /// Hashing a long password takes longer, whoever it is tried on. Django 5.2 `ModelBackend.authenticate` hashes it as well.
    #[test]
    fn a1_an_unknown_user_costs_the_hash_of_the_password_that_was_given() {
        let hashers =
            Hashers::new(vec![Algorithm::Pbkdf2Sha256, Algorithm::Bcrypt], super::super::WorkFactors::default());
        let hashers = hashers.expect("valid");
        let hashed = |password: &str, stored: Option<&str>| {
            let job = hashers.job(Password::new(password), stored, SaltEntropy::new([7; 32]));
            job.pbkdf2().expect("the preferred hasher").password.expose().to_owned()
        };
        let long = "p".repeat(4_096);
        assert_eq!(hashed(&long, None), long);
        assert_eq!(hashed(&long, Some("!unusable")), long);
        assert_eq!(hashed(&"p".repeat(4_097), None), DECOY_PASSWORD, "it is hashed nowhere (SECURITY W3)");
        let bcrypt = "bcrypt$$2b$04$......................0xpCWb5V3fFYSEOKnHlA6S1MVkDbT8u";
        assert_eq!(hashed(&long, Some(bcrypt)), long, "which bcrypt does not take");
    }
}
