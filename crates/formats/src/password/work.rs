//! What a hasher has to compute: its parameters, their bounds, and the computation itself.

use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::argon2::Argon2Params;
use super::{Algorithm, Password};

/// The most PBKDF2 iterations that are computed (SECURITY W2): twenty times Django 5.2's default.
pub const MAX_PBKDF2_ROUNDS: u32 = 20_000_000;

/// The most memory of an argon2 hash, in KiB (SECURITY W2): 1 GiB.
pub const MAX_ARGON2_MEMORY_KIB: u32 = 1_048_576;

/// The most passes of an argon2 hash over its memory (SECURITY W2).
pub const MAX_ARGON2_PASSES: u32 = 64;

/// The most lanes of an argon2 hash (SECURITY W2).
pub const MAX_ARGON2_LANES: u32 = 64;

/// The most memory times passes of an argon2 hash, in KiB (SECURITY W2): 4 GiB, so that the limits above do not add up.
pub const MAX_ARGON2_KIB_PASSES: u64 = 4_194_304;

/// The highest bcrypt cost that is computed, a power of two (SECURITY W2): 64 times Django's default of 12.
pub const MAX_BCRYPT_COST: u32 = 18;

/// The most memory of a scrypt hash, in bytes, counted as OpenSSL does: `128·r·(N + 2 + p)`. Django computes scrypt with
/// OpenSSL's default limit, 32 MiB.
pub const MAX_SCRYPT_MEMORY: u64 = 32 * 1024 * 1024;

/// The most `N·r·p` of a scrypt hash (SECURITY W2): 25 times Django's default. OpenSSL bounds memory only.
pub const MAX_SCRYPT_BLOCKS: u64 = 1 << 24;

/// The longest input of bcrypt, in bytes. Source: bcrypt 5.0 `hashpw` refuses more; older releases cut.
pub(super) const MAX_BCRYPT_PASSWORD: usize = 72;

/// One password derivation: the algorithm and its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Work {
    /// PBKDF2-HMAC-SHA256 to 32 bytes (RFC 8018 §5.2).
    Pbkdf2Sha256 {
        /// Iterations.
        rounds: u32,
    },
    /// PBKDF2-HMAC-SHA1 to 20 bytes (RFC 8018 §5.2).
    Pbkdf2Sha1 {
        /// Iterations.
        rounds: u32,
    },
    /// Argon2 (RFC 9106).
    Argon2(Argon2Params),
    /// bcrypt over the hexadecimal SHA-256 of the password.
    BcryptSha256 {
        /// Binary logarithm of the rounds.
        cost: u32,
    },
    /// bcrypt over the password.
    Bcrypt {
        /// Binary logarithm of the rounds.
        cost: u32,
    },
    /// scrypt to 64 bytes (RFC 7914).
    Scrypt {
        /// Binary logarithm of `N`, the work factor.
        log_n: u8,
        /// Block size.
        r: u32,
        /// Parallelism.
        p: u32,
    },
    /// MD5 of salt and password.
    Md5,
}

/// A parameter outside what is computed (SECURITY W2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{algorithm}: {parameter} is {value}, outside {minimum} to {maximum}")]
pub struct OutOfBounds {
    /// The hasher the parameter belongs to.
    pub algorithm: Algorithm,
    /// The name of the parameter, as Django's hasher class calls it where it has one.
    pub parameter: &'static str,
    /// The value found.
    pub value: u64,
    /// The least value that is computed.
    pub minimum: u64,
    /// The greatest value that is computed.
    pub maximum: u64,
}

/// The memory for a derivation could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfMemory;

impl Work {
    /// The hasher that does this work.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Pbkdf2Sha256 { .. } => Algorithm::Pbkdf2Sha256,
            Self::Pbkdf2Sha1 { .. } => Algorithm::Pbkdf2Sha1,
            Self::Argon2(_) => Algorithm::Argon2,
            Self::BcryptSha256 { .. } => Algorithm::BcryptSha256,
            Self::Bcrypt { .. } => Algorithm::Bcrypt,
            Self::Scrypt { .. } => Algorithm::Scrypt,
            Self::Md5 => Algorithm::Md5,
        }
    }

    /// The memory that the computation fills, in bytes; none for what is not memory-hard.
    #[must_use]
    pub fn memory(&self) -> u64 {
        match *self {
            Self::Argon2(params) => u64::from(params.memory_kib) * 1024,
            Self::Scrypt { log_n, r, p } => {
                let (n, r, p) = (1_u64 << log_n.min(31), u64::from(r), u64::from(p));
                (128 * r).saturating_mul(n + 2 + p)
            }
            _ => 0,
        }
    }

    /// Says whether every parameter is within what is computed.
    pub(super) fn check(&self) -> Result<(), OutOfBounds> {
        let algorithm = self.algorithm();
        let within = |parameter, value: u64, minimum: u64, maximum: u64| {
            if (minimum..=maximum).contains(&value) {
                Ok(())
            } else {
                Err(OutOfBounds { algorithm, parameter, value, minimum, maximum })
            }
        };
        match *self {
            Self::Pbkdf2Sha256 { rounds } | Self::Pbkdf2Sha1 { rounds } => {
                within("iterations", rounds.into(), 1, MAX_PBKDF2_ROUNDS.into())
            }
            Self::Argon2(params) => {
                let Argon2Params { memory_kib, passes, lanes, .. } = params;
                within("parallelism", lanes.into(), 1, MAX_ARGON2_LANES.into())?;
                within("time_cost", passes.into(), 1, MAX_ARGON2_PASSES.into())?;
                within("memory_cost", memory_kib.into(), 8 * u64::from(lanes), MAX_ARGON2_MEMORY_KIB.into())?;
                within("memory_cost * time_cost", u64::from(memory_kib) * u64::from(passes), 1, MAX_ARGON2_KIB_PASSES)
            }
            Self::BcryptSha256 { cost } | Self::Bcrypt { cost } => {
                within("rounds", cost.into(), 4, MAX_BCRYPT_COST.into())
            }
            Self::Scrypt { log_n, r, p } => {
                // The shifts and products below fit because each factor was bounded first. RFC 7914 §2: N < 2^(128·r/8).
                within("block_size", r.into(), 1, 1 << 17)?;
                within("parallelism", p.into(), 1, 1 << 17)?;
                within("log2 work_factor", log_n.into(), 1, (16 * u64::from(r) - 1).min(24))?;
                let (n, r, p) = (1_u64 << log_n, u64::from(r), u64::from(p));
                within("memory", 128 * r * (n + 2 + p), 1, MAX_SCRYPT_MEMORY)?;
                within("work_factor * block_size * parallelism", n * r * p, 1, MAX_SCRYPT_BLOCKS)
            }
            Self::Md5 => Ok(()),
        }
    }

    /// Whether the algorithm can take this password at all: plain bcrypt takes 72 bytes.
    pub(super) fn accepts(&self, password: &Password) -> bool {
        !password.is_too_long()
            && (self.algorithm() != Algorithm::Bcrypt || password.as_bytes().len() <= MAX_BCRYPT_PASSWORD)
    }

    /// Computes the digest. `salt` is the salt's text, or for bcrypt its 16 bytes. The parameters must have passed
    /// [`check`](Self::check).
    pub(super) fn derive(&self, password: &Password, salt: &[u8]) -> Result<Zeroizing<Vec<u8>>, OutOfMemory> {
        let password = password.as_bytes();
        let mut digest = Zeroizing::new(vec![0; self.digest_length()]);
        match *self {
            Self::Pbkdf2Sha256 { rounds } => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut digest),
            Self::Pbkdf2Sha1 { rounds } => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, rounds, &mut digest),
            Self::Argon2(params) => params.derive(password, salt, &mut digest)?,
            Self::BcryptSha256 { cost } => {
                let hexadecimal =
                    Zeroizing::new(hex::encode(Zeroizing::new(<[u8; 32]>::from(Sha256::digest(password)))));
                derive_bcrypt(cost, salt, hexadecimal.as_bytes(), &mut digest);
            }
            Self::Bcrypt { cost } => derive_bcrypt(cost, salt, password, &mut digest),
            Self::Scrypt { log_n, r, p } => {
                let params = scrypt::Params::new(log_n, r, p).map_err(|_| OutOfMemory)?;
                scrypt::scrypt(password, salt, &params, &mut digest).map_err(|_| OutOfMemory)?;
            }
            Self::Md5 => digest.copy_from_slice(&Md5::new().chain_update(salt).chain_update(password).finalize()),
        }
        Ok(digest)
    }

    /// Length of the digest in bytes.
    pub(super) const fn digest_length(&self) -> usize {
        match self {
            Self::Pbkdf2Sha256 { .. } => 32,
            Self::Pbkdf2Sha1 { .. } => 20,
            Self::Argon2(params) => params.output_length,
            Self::BcryptSha256 { .. } | Self::Bcrypt { .. } => 23,
            Self::Scrypt { .. } => 64,
            Self::Md5 => 16,
        }
    }
}

/// bcrypt of `input` as every prefix (2a, 2b, 2x, 2y) computes it in bcrypt 5.0: the bytes and a closing NUL, 72 at most;
/// a NUL inside counts like any byte. The last byte of the 24 is not kept.
fn derive_bcrypt(cost: u32, salt: &[u8], input: &[u8], digest: &mut [u8]) {
    let mut key = Zeroizing::new([0; MAX_BCRYPT_PASSWORD]);
    let taken = input.len().min(MAX_BCRYPT_PASSWORD);
    key[..taken].copy_from_slice(&input[..taken]);
    let key = &key[..(taken + 1).min(MAX_BCRYPT_PASSWORD)];
    let salt = std::array::from_fn(|index| salt.get(index).copied().unwrap_or(0));
    let output = Zeroizing::new(bcrypt::bcrypt(cost, salt, key));
    digest.copy_from_slice(&output[..23]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w2_djangos_defaults_are_within_bounds() {
        for work in [
            Work::Pbkdf2Sha256 { rounds: 1_000_000 },
            Work::Argon2(Argon2Params::django(2, 102_400, 8)),
            Work::Bcrypt { cost: 12 },
            Work::Scrypt { log_n: 14, r: 8, p: 5 },
            Work::Md5,
        ] {
            assert_eq!(work.check(), Ok(()), "{work:?}");
        }
    }

    #[test]
    fn memory_is_that_of_the_memory_hard() {
        assert_eq!(Work::Argon2(Argon2Params::django(2, 102_400, 8)).memory(), 100 * 1024 * 1024);
        assert_eq!(Work::Scrypt { log_n: 14, r: 8, p: 5 }.memory(), 1024 * (16_384 + 7));
        assert_eq!(Work::Pbkdf2Sha256 { rounds: 1_000_000 }.memory() + Work::Bcrypt { cost: 12 }.memory(), 0);
    }

    #[test]
    fn w2_scrypt_memory_is_counted_as_openssl_does() {
        let check = |log_n, r, p| Work::Scrypt { log_n, r, p }.check().is_ok();
        assert!(check(14, 8, 1) && check(14, 15, 1));
        assert!(!check(15, 8, 1) && !check(14, 16, 1), "Django: memory limit exceeded");
        assert!(check(15, 1, 1) && !check(16, 1, 1), "RFC 7914: N < 2^16 when r = 1");
        assert!(!check(0, 8, 1) && !check(63, 8, 1) && !check(14, 0, 1) && !check(14, 8, 0));
        assert!(!check(14, u32::MAX, 1) && !check(14, 8, u32::MAX) && !check(255, u32::MAX, u32::MAX));
        assert!(!check(13, 1, 200_000) && !check(13, 1, 100_000), "little memory, but work without end");
    }

    #[test]
    fn w2_argon2_limits_do_not_multiply() {
        let check =
            |passes, memory_kib, lanes| Work::Argon2(Argon2Params::django(passes, memory_kib, lanes)).check().is_ok();
        assert!(check(4, MAX_ARGON2_MEMORY_KIB, 64) && check(64, 65_536, 1) && check(1, 8, 1));
        assert!(!check(5, MAX_ARGON2_MEMORY_KIB, 64) && !check(1, MAX_ARGON2_MEMORY_KIB + 1, 1));
        assert!(!check(65, 8, 1) && !check(0, 8, 1) && !check(1, 8, 0) && !check(1, 15, 2) && !check(1, 100_000, 65));
        assert!(!check(u32::MAX, u32::MAX, u32::MAX));
    }
}
