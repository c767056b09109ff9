//! The configured hashers: `PASSWORD_HASHERS` and the work each does.

use super::argon2::Argon2Params;
use super::stored::{Stored, identify};
use super::work::{MAX_BCRYPT_PASSWORD, OutOfBounds, Work};
use super::{Algorithm, Job, MAX_PASSWORD_BYTES, NewHash, Password, SaltEntropy, UnusableEntropy};

/// How much work the hashers do for a new password. Source of the defaults: the class attributes of Django 5.2's hashers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkFactors {
    /// Iterations of `pbkdf2_sha256`: 1 000 000.
    pub pbkdf2_sha256_iterations: u32,
    /// Iterations of `pbkdf2_sha1`: 1 000 000.
    pub pbkdf2_sha1_iterations: u32,
    /// Passes of argon2 over its memory: 2.
    pub argon2_time_cost: u32,
    /// Memory of argon2 in KiB: 102 400.
    pub argon2_memory_cost: u32,
    /// Lanes of argon2: 8.
    pub argon2_parallelism: u32,
    /// Cost of `bcrypt_sha256`, a power of two: 12.
    pub bcrypt_sha256_rounds: u32,
    /// Cost of `bcrypt`, a power of two: 12.
    pub bcrypt_rounds: u32,
    /// `N` of scrypt, itself a power of two: 16 384.
    pub scrypt_work_factor: u32,
    /// `r` of scrypt: 8.
    pub scrypt_block_size: u32,
    /// `p` of scrypt: 5.
    pub scrypt_parallelism: u32,
}

impl Default for WorkFactors {
    fn default() -> Self {
        Self {
            pbkdf2_sha256_iterations: 1_000_000,
            pbkdf2_sha1_iterations: 1_000_000,
            argon2_time_cost: 2,
            argon2_memory_cost: 102_400,
            argon2_parallelism: 8,
            bcrypt_sha256_rounds: 12,
            bcrypt_rounds: 12,
            scrypt_work_factor: 16_384,
            scrypt_block_size: 8,
            scrypt_parallelism: 5,
        }
    }
}

/// A configuration of hashers that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashersError {
    /// No hasher is listed.
    #[error("password_hashers is empty: list at least one hasher")]
    Empty,
    /// MD5 would be used for new passwords.
    #[error("md5 cannot be the preferred hasher: list it after another, it only verifies old passwords")]
    Md5Preferred,
    /// A hasher is listed twice.
    #[error("password_hashers lists {0} twice")]
    Duplicate(Algorithm),
    /// scrypt's `N` must be a power of two.
    #[error("scrypt: work_factor is {0}, not a power of two")]
    NotAPowerOfTwo(u32),
    /// A parameter is too small to compute, or larger than what is verified.
    #[error(transparent)]
    OutOfBounds(#[from] OutOfBounds),
}

/// A password that cannot be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The password is longer than the hasher takes: 72 bytes for plain bcrypt, [`MAX_PASSWORD_BYTES`] for the others.
    #[error("the password is longer than {0} bytes")]
    PasswordTooLong(usize),
    /// MD5 is only verified.
    #[error("md5 is not made any more, only verified")]
    VerifyOnly,
    /// The memory for the computation could not be had.
    #[error("not enough memory to hash the password")]
    OutOfMemory,
}

/// The hashers of a project in order: all verify, the first one makes new passwords. `Default` is Django 5.2's list of
/// five with its work factors. Source: Django 5.2 `PASSWORD_HASHERS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashers {
    order: Vec<Algorithm>,
    factors: WorkFactors,
    preferred: Work,
}

impl Default for Hashers {
    fn default() -> Self {
        let order = vec![
            Algorithm::Pbkdf2Sha256,
            Algorithm::Pbkdf2Sha1,
            Algorithm::Argon2,
            Algorithm::BcryptSha256,
            Algorithm::Scrypt,
        ];
        let factors = WorkFactors::default();
        Self { order, preferred: Work::Pbkdf2Sha256 { rounds: factors.pbkdf2_sha256_iterations }, factors }
    }
}

impl Hashers {
    /// Checks and keeps a list of hashers and their work factors. `md5` may be listed, but not first.
    ///
    /// # Errors
    /// [`HashersError`] for an empty list, MD5 in front, a repeated hasher, and for work factors of a listed hasher that
    /// are out of the bounds within which stored passwords are verified.
    pub fn new(order: Vec<Algorithm>, factors: WorkFactors) -> Result<Self, HashersError> {
        let first = *order.first().ok_or(HashersError::Empty)?;
        if first == Algorithm::Md5 {
            return Err(HashersError::Md5Preferred);
        }
        for (index, algorithm) in order.iter().enumerate() {
            if order[..index].contains(algorithm) {
                return Err(HashersError::Duplicate(*algorithm));
            }
            factors.checked_work(*algorithm)?;
        }
        let preferred = factors.work(first);
        Ok(Self { order, factors, preferred })
    }

    /// The hashers, preferred first.
    #[must_use]
    pub fn order(&self) -> &[Algorithm] {
        &self.order
    }

    /// The hasher that makes new passwords.
    #[must_use]
    pub fn preferred(&self) -> Algorithm {
        self.preferred.algorithm()
    }

    /// The work of one new password.
    #[must_use]
    pub fn preferred_work(&self) -> Work {
        self.preferred
    }

    /// Prepares the judgement of a password against a stored text, `None` when there is no such user. Cheap: no hashing
    /// happens before [`Job::run`]. Any stored text is taken; none makes it fail. Source: Django 5.2 `verify_password`.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "entropy is used once")]
    pub fn job(&self, password: Password, stored: Option<&str>, entropy: SaltEntropy) -> Job {
        Job::plan(self, password, stored, &entropy)
    }

    /// Hashes a password with the preferred hasher: the text for `auth_user.password`, at most 128 characters. Takes as
    /// long as a login. Source: Django 5.2 `make_password`.
    ///
    /// # Errors
    /// [`EncodeError`] for a password that could not be verified afterwards, or when memory is short.
    pub fn encode(&self, password: &Password, entropy: SaltEntropy) -> Result<String, EncodeError> {
        self.encode_with(self.preferred(), password, entropy)
    }

    /// Hashes a password with a given hasher, listed or not. Source: Django 5.2 `make_password(hasher=…)`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode); also for MD5.
    pub fn encode_with(
        &self,
        algorithm: Algorithm,
        password: &Password,
        entropy: SaltEntropy,
    ) -> Result<String, EncodeError> {
        self.new_hash_with(algorithm, password, entropy)?.run()
    }

    /// Prepares a hash with the preferred hasher, to be computed on any thread. Cheap. Source: Django 5.2 `make_password`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), but for want of memory.
    pub fn new_hash(&self, password: &Password, entropy: SaltEntropy) -> Result<NewHash, EncodeError> {
        self.new_hash_with(self.preferred(), password, entropy)
    }

    #[expect(clippy::needless_pass_by_value, reason = "entropy is used once")]
    fn new_hash_with(
        &self,
        algorithm: Algorithm,
        password: &Password,
        entropy: SaltEntropy,
    ) -> Result<NewHash, EncodeError> {
        let work = self.factors.work(algorithm);
        if algorithm == Algorithm::Md5 {
            return Err(EncodeError::VerifyOnly);
        }
        if !work.accepts(password) {
            let limit = if password.is_too_long() { MAX_PASSWORD_BYTES } else { MAX_BCRYPT_PASSWORD };
            return Err(EncodeError::PasswordTooLong(limit));
        }
        work.check().map_err(|_| EncodeError::OutOfMemory)?;
        Ok(match algorithm {
            Algorithm::Bcrypt | Algorithm::BcryptSha256 => {
                NewHash::new(work, password.clone(), entropy.bytes().to_vec(), "2b")
            }
            _ => NewHash::new(work, password.clone(), entropy.text().into_bytes(), ""),
        })
    }

    /// Whether a stored text should be replaced once its password is known: it was made by another hasher than the
    /// preferred one, or by that one with other parameters or a short salt. Higher work than configured counts too.
    /// `false` for what never matches because it is unusable or unknown. Source: Django 5.2 `must_update` of each hasher.
    ///
    /// **Differs:** where the original raises on a malformed text of the preferred hasher, this says `true`; such a text
    /// matches no password, so nothing comes of it.
    #[must_use]
    pub fn must_update(&self, encoded: &str) -> bool {
        let algorithm = identify(encoded).filter(|algorithm| is_usable(encoded) && self.order.contains(algorithm));
        match algorithm {
            None => false,
            Some(algorithm) if algorithm != self.preferred() => true,
            Some(_) => Stored::parse(encoded, &self.order).map_or(true, |stored| stored.is_outdated(&self.preferred)),
        }
    }
}

impl WorkFactors {
    /// The work of one hash, unchecked.
    fn work(&self, algorithm: Algorithm) -> Work {
        match algorithm {
            Algorithm::Pbkdf2Sha256 => Work::Pbkdf2Sha256 { rounds: self.pbkdf2_sha256_iterations },
            Algorithm::Pbkdf2Sha1 => Work::Pbkdf2Sha1 { rounds: self.pbkdf2_sha1_iterations },
            Algorithm::Argon2 => Work::Argon2(Argon2Params::django(
                self.argon2_time_cost,
                self.argon2_memory_cost,
                self.argon2_parallelism,
            )),
            Algorithm::BcryptSha256 => Work::BcryptSha256 { cost: self.bcrypt_sha256_rounds },
            Algorithm::Bcrypt => Work::Bcrypt { cost: self.bcrypt_rounds },
            Algorithm::Scrypt => Work::Scrypt {
                log_n: self.scrypt_work_factor.checked_ilog2().and_then(|log| u8::try_from(log).ok()).unwrap_or(0),
                r: self.scrypt_block_size,
                p: self.scrypt_parallelism,
            },
            Algorithm::Md5 => Work::Md5,
        }
    }

    fn checked_work(&self, algorithm: Algorithm) -> Result<Work, HashersError> {
        if algorithm == Algorithm::Scrypt && !self.scrypt_work_factor.is_power_of_two() {
            return Err(HashersError::NotAPowerOfTwo(self.scrypt_work_factor));
        }
        let work = self.work(algorithm);
        work.check()?;
        Ok(work)
    }
}

/// Whether a stored text may match a password at all: it does not begin with `!`. Source: Django 5.2
/// `is_password_usable`.
#[must_use]
pub fn is_usable(encoded: &str) -> bool {
    !encoded.starts_with('!')
}

/// The text of an account without a password: `!` and 40 random characters. Source: Django 5.2 `make_password(None)`.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "entropy is used once")]
pub fn unusable(entropy: UnusableEntropy) -> String {
    format!("!{}", entropy.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(order: &[Algorithm], change: impl Fn(&mut WorkFactors)) -> Result<Hashers, HashersError> {
        let mut factors = WorkFactors::default();
        change(&mut factors);
        Hashers::new(order.to_vec(), factors)
    }

    #[test]
    fn the_default_is_djangos() {
        let names: Vec<_> = Hashers::default().order().iter().map(|algorithm| algorithm.django_name()).collect();
        assert_eq!(names, ["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "scrypt"]);
        assert_eq!(Hashers::new(Hashers::default().order().to_vec(), WorkFactors::default()), Ok(Hashers::default()));
    }

    /// OWASP's password storage cheat sheet asks for 600 000 iterations, and 19 MiB and two passes of argon2.
    #[test]
    fn w6_the_defaults_are_strong_enough() {
        assert!(matches!(Hashers::default().preferred_work(), Work::Pbkdf2Sha256 { rounds } if rounds >= 600_000));
        let factors = WorkFactors::default();
        assert!(factors.argon2_memory_cost >= 19 * 1024 && factors.argon2_time_cost >= 2);
    }

    #[test]
    fn lists_that_cannot_work_are_refused() {
        use Algorithm::{Argon2, Md5, Scrypt};
        assert_eq!(configured(&[], |_| ()), Err(HashersError::Empty));
        assert_eq!(configured(&[Md5, Argon2], |_| ()), Err(HashersError::Md5Preferred));
        assert_eq!(configured(&[Argon2, Md5, Argon2], |_| ()), Err(HashersError::Duplicate(Argon2)));
        let odd = configured(&[Scrypt], |factors| factors.scrypt_work_factor = 10_000);
        assert_eq!(odd, Err(HashersError::NotAPowerOfTwo(10_000)));
        assert!(configured(&[Argon2, Md5], |_| ()).is_ok());
    }

    #[test]
    fn w2_work_factors_out_of_bounds_are_named() {
        type Change = fn(&mut WorkFactors);
        let cases: [(Algorithm, Change, &str); 9] = [
            (Algorithm::Pbkdf2Sha256, |f| f.pbkdf2_sha256_iterations = 0, "iterations"),
            (Algorithm::Pbkdf2Sha1, |f| f.pbkdf2_sha1_iterations = 20_000_001, "iterations"),
            (Algorithm::Argon2, |f| f.argon2_memory_cost = 63, "memory_cost"),
            (Algorithm::Argon2, |f| f.argon2_time_cost = 0, "time_cost"),
            (Algorithm::Argon2, |f| f.argon2_parallelism = 65, "parallelism"),
            (Algorithm::Bcrypt, |f| f.bcrypt_rounds = 3, "rounds"),
            (Algorithm::BcryptSha256, |f| f.bcrypt_sha256_rounds = 19, "rounds"),
            (Algorithm::Scrypt, |f| f.scrypt_work_factor = 32_768, "memory"),
            (Algorithm::Scrypt, |f| f.scrypt_block_size = 0, "block_size"),
        ];
        for (algorithm, change, parameter) in cases {
            match configured(&[algorithm], change) {
                Err(HashersError::OutOfBounds(bounds)) => assert_eq!(bounds.parameter, parameter),
                other => panic!("{algorithm}: {other:?}"),
            }
            let elsewhere = if algorithm == Algorithm::Argon2 { Algorithm::Scrypt } else { Algorithm::Argon2 };
            assert!(configured(&[elsewhere], change).is_ok(), "a hasher that is not listed is not checked");
        }
    }

    #[test]
    fn unusable_passwords_are_bang_and_forty_characters() {
        let text = unusable(UnusableEntropy::new([0x5a; 48]));
        assert_eq!(text.len(), 41);
        assert!(!is_usable(&text) && is_usable("") && is_usable("md5$a$b"));
    }

    #[test]
    fn w3_passwords_beyond_the_limit_cannot_be_set() {
        let hashers = Hashers::default();
        let long = Password::new("x".repeat(MAX_PASSWORD_BYTES + 1));
        let encode =
            |algorithm, password: &Password| hashers.encode_with(algorithm, password, SaltEntropy::new([1; 32]));
        assert_eq!(encode(Algorithm::Pbkdf2Sha256, &long), Err(EncodeError::PasswordTooLong(4096)));
        let seventy_three = Password::new("é".repeat(36) + "x");
        assert_eq!(encode(Algorithm::Bcrypt, &seventy_three), Err(EncodeError::PasswordTooLong(72)));
        assert_eq!(encode(Algorithm::Md5, &Password::new("pw")), Err(EncodeError::VerifyOnly));
    }
}
