//! How long work takes, roughly, in one unit: the iteration of PBKDF2-HMAC-SHA256.

use super::Work;

/// An iteration of PBKDF2-HMAC-SHA1, in hundredths of an iteration with SHA-256.
const SHA1_ROUND_PERCENT: u64 = 85;

/// One KiB of argon2 memory filled once, in hundredths.
const ARGON2_KIB_PERCENT: u64 = 450;

/// One of bcrypt's `2^cost` rounds, in hundredths.
const BCRYPT_ROUND_PERCENT: u64 = 30_000;

/// One block of 128 bytes of scrypt written and read (`N·r·p` of them), in hundredths.
const SCRYPT_BLOCK_PERCENT: u64 = 135;

/// The time `work` takes, in iterations of PBKDF2-HMAC-SHA256.
///
/// Exact for that algorithm and an **estimate** for the others: the constants were measured once, on an x86-64 core with
/// SHA extensions and AVX2, and another machine will differ by tens of percent. It serves to even out the time of failed
/// logins (SECURITY A1) and to plan work, never to decide a result.
#[must_use]
pub fn estimated_cost(work: &Work) -> u64 {
    match *work {
        Work::Pbkdf2Sha256 { rounds } => rounds.into(),
        Work::Pbkdf2Sha1 { rounds } => u64::from(rounds) * SHA1_ROUND_PERCENT / 100,
        Work::Argon2(params) => u64::from(params.memory_kib) * u64::from(params.passes) * ARGON2_KIB_PERCENT / 100,
        Work::BcryptSha256 { cost } | Work::Bcrypt { cost } => (1_u64 << cost.min(31)) * BCRYPT_ROUND_PERCENT / 100,
        Work::Scrypt { log_n, r, p } => {
            (1_u64 << log_n.min(31)).saturating_mul(u64::from(r) * u64::from(p)).saturating_mul(SCRYPT_BLOCK_PERCENT)
                / 100
        }
        Work::Md5 => 1,
    }
}
