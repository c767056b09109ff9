//! The text of `auth_user.password`, read and written.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{NO_PAD, STANDARD};

use super::Algorithm;
use super::argon2;
use super::salt::SALT_CHARACTERS;
use super::work::{OutOfBounds, Work};

/// The longest text that is read, in bytes. Django's column holds 128 characters; `SQLite` does not enforce that.
const MAX_ENCODED_BYTES: usize = 1024;

/// Length of bcrypt's text after the cost: 22 characters of salt, 31 of digest.
const BCRYPT_SALT_CHARACTERS: usize = 22;

/// bcrypt's own base64: another alphabet, no padding.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);

/// Why a stored text can match no password, though it is not one of Django's unusable ones. Worth an error event: login
/// fails for its owner until the text is replaced (SECURITY W1, W2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The algorithm word is not one of the configured hashers.
    #[error("the stored password has an unknown algorithm, or one missing from password_hashers")]
    UnknownAlgorithm,
    /// The fields do not make sense for this algorithm, or are not spelt as Django spells them.
    #[error("the stored password is malformed for {0}")]
    Malformed(Algorithm),
    /// A parameter asks for more work or memory than is given.
    #[error("the stored password asks for work that is not done: {0}")]
    OutOfBounds(#[from] OutOfBounds),
    /// The text is far longer than Django's column.
    #[error("the stored password is longer than {MAX_ENCODED_BYTES} bytes")]
    TooLong,
    /// The memory for the computation could not be had; the password was not checked.
    #[error("not enough memory to check the password")]
    OutOfMemory,
}

/// Why a text cannot be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It begins with `!`: Django's own way of saying that no password matches.
    Unusable,
    /// It should not be there.
    Refused(Refusal),
}

/// A stored password that can be verified: its digest is the whole secret of it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) work: Work,
    /// The salt's text in UTF-8; 16 raw bytes for bcrypt; any bytes for argon2.
    pub(super) salt: Vec<u8>,
    pub(super) digest: Vec<u8>,
    /// `2b` of `$2b$12$…`; empty for other algorithms.
    pub(super) bcrypt_prefix: &'static str,
}

impl Stored {
    /// Reads an encoded text whose algorithm is one of `enabled`.
    ///
    /// Django re-encodes the password with the stored parameters and compares whole texts, so a text that writing back
    /// would change (`+10` iterations, missing padding, a closing newline) can never match; it counts as malformed here.
    pub(super) fn parse(encoded: &str, enabled: &[Algorithm]) -> Result<Self, Unreadable> {
        if encoded.starts_with('!') {
            return Err(Unreadable::Unusable);
        }
        if encoded.len() > MAX_ENCODED_BYTES {
            return Err(Unreadable::Refused(Refusal::TooLong));
        }
        let algorithm = identify(encoded)
            .filter(|algorithm| enabled.contains(algorithm))
            .ok_or(Unreadable::Refused(Refusal::UnknownAlgorithm))?;
        let malformed = Unreadable::Refused(Refusal::Malformed(algorithm));
        let fields = encoded.split_once('$').ok_or(malformed)?.1;
        let stored = match algorithm {
            Algorithm::Pbkdf2Sha256 => Self::parse_pbkdf2(fields, |rounds| Work::Pbkdf2Sha256 { rounds }),
            Algorithm::Pbkdf2Sha1 => Self::parse_pbkdf2(fields, |rounds| Work::Pbkdf2Sha1 { rounds }),
            Algorithm::Argon2 => argon2::parse(fields).map(|hash| Self {
                work: Work::Argon2(hash.params),
                salt: hash.salt,
                digest: hash.digest,
                bcrypt_prefix: "",
            }),
            Algorithm::BcryptSha256 => Self::parse_bcrypt(fields, |cost| Work::BcryptSha256 { cost }),
            Algorithm::Bcrypt => Self::parse_bcrypt(fields, |cost| Work::Bcrypt { cost }),
            Algorithm::Scrypt => Self::parse_scrypt(fields),
            Algorithm::Md5 => Self::parse_md5(fields),
        }
        .ok_or(malformed)?;
        // First what can never match, then what costs too much: an argon2 hash of 1 KiB is malformed, not dear.
        if !stored.is_canonical(encoded) {
            return Err(malformed);
        }
        match stored.work.check() {
            Ok(()) => Ok(stored),
            Err(bounds) if bounds.value < bounds.minimum => Err(malformed),
            Err(bounds) => Err(Unreadable::Refused(bounds.into())),
        }
    }

    /// Writes the encoded text, as Django's hashers do.
    pub(super) fn encode(&self) -> String {
        let name = self.work.algorithm().django_name();
        let salt = String::from_utf8_lossy(&self.salt);
        let digest = &self.digest;
        match self.work {
            Work::Pbkdf2Sha256 { rounds } | Work::Pbkdf2Sha1 { rounds } => {
                format!("{name}${rounds}${salt}${}", STANDARD.encode(digest))
            }
            Work::Argon2(params) => format!("{name}${}", argon2::render(&params, &self.salt, digest)),
            Work::BcryptSha256 { cost } | Work::Bcrypt { cost } => {
                let (salt, digest) = (BCRYPT_BASE64.encode(&self.salt), BCRYPT_BASE64.encode(digest));
                format!("{name}$${}${cost:02}${salt}{digest}", self.bcrypt_prefix)
            }
            Work::Scrypt { log_n, r, p } => {
                format!("{name}${}${salt}${r}${p}${}", 1_u64 << log_n.min(63), STANDARD.encode(digest))
            }
            Work::Md5 => format!("{name}${salt}${}", hex::encode(digest)),
        }
    }

    /// Whether a hasher that would do `preferred` work wants to replace this hash of its own algorithm.
    /// Source: Django 5.2 `must_update` of each hasher.
    pub(super) fn is_outdated(&self, preferred: &Work) -> bool {
        match self.work {
            Work::Pbkdf2Sha256 { .. } | Work::Pbkdf2Sha1 { .. } => self.work != *preferred || self.has_short_salt(),
            Work::Argon2(_) => self.work != *preferred || self.salt.len() < SALT_CHARACTERS,
            Work::BcryptSha256 { .. } | Work::Bcrypt { .. } | Work::Scrypt { .. } => self.work != *preferred,
            Work::Md5 => self.has_short_salt(),
        }
    }

    /// Fewer than 22 characters make less than 128 bits. Source: Django 5.2 `must_update_salt`.
    fn has_short_salt(&self) -> bool {
        String::from_utf8_lossy(&self.salt).chars().count() < SALT_CHARACTERS
    }

    /// Whether Django, re-encoding, would write `encoded`. Argon2 is not re-encoded but parsed strictly.
    fn is_canonical(&self, encoded: &str) -> bool {
        matches!(self.work, Work::Argon2(_))
            || (self.digest.len() == self.work.digest_length() && self.encode() == encoded)
    }

    /// `<iterations>$<salt>$<base64>`.
    fn parse_pbkdf2(fields: &str, work: impl Fn(u32) -> Work) -> Option<Self> {
        let mut fields = fields.splitn(3, '$');
        let rounds = saturating_decimal(fields.next()?)?;
        Self::salted(work(rounds), fields.next()?, STANDARD.decode(fields.next()?).ok()?)
    }

    /// `<N>$<salt>$<r>$<p>$<base64>`.
    fn parse_scrypt(fields: &str) -> Option<Self> {
        let mut fields = fields.split('$');
        let n = saturating_decimal(fields.next()?)?;
        let salt = fields.next()?;
        let (r, p) = (saturating_decimal(fields.next()?)?, saturating_decimal(fields.next()?)?);
        let digest = STANDARD.decode(fields.next()?).ok()?;
        let log_n = u8::try_from(n.checked_ilog2()?).ok()?;
        if fields.next().is_some() || !n.is_power_of_two() {
            return None;
        }
        Self::salted(Work::Scrypt { log_n, r, p }, salt, digest)
    }

    /// `$2b$12$<22 characters of salt><31 of digest>`.
    fn parse_bcrypt(fields: &str, work: impl Fn(u32) -> Work) -> Option<Self> {
        let (prefix, rest) = fields.strip_prefix('$')?.split_once('$')?;
        let bcrypt_prefix = ["2a", "2b", "2x", "2y"].into_iter().find(|known| *known == prefix)?;
        let (cost, text) = rest.split_once('$')?;
        let cost = cost.strip_prefix('0').map_or_else(|| saturating_decimal(cost), saturating_decimal)?;
        let (salt, digest) = text.split_at_checked(BCRYPT_SALT_CHARACTERS)?;
        let salt = BCRYPT_BASE64.decode(salt).ok()?;
        let digest = BCRYPT_BASE64.decode(digest).ok()?;
        // The original calls a cost beyond 31 an invalid salt.
        (cost < 32).then_some(Self { work: work(cost), salt, digest, bcrypt_prefix })
    }

    /// `<salt>$<hex>`.
    fn parse_md5(fields: &str) -> Option<Self> {
        let (salt, digest) = fields.split_once('$')?;
        Self::salted(Work::Md5, salt, hex::decode(digest).ok()?)
    }

    /// A hash whose salt is text, which may not be empty. Source: Django 5.2 `BasePasswordHasher._check_encode_args`.
    fn salted(work: Work, salt: &str, digest: Vec<u8>) -> Option<Self> {
        (!salt.is_empty()).then(|| Self { work, salt: salt.as_bytes().to_vec(), digest, bcrypt_prefix: "" })
    }
}

/// The hasher an encoded text names, if Django has it. Source: Django 5.2 `identify_hasher`, whose unsalted MD5 and SHA-1
/// no longer exist.
pub(super) fn identify(encoded: &str) -> Option<Algorithm> {
    if encoded.starts_with("md5$$") && encoded.chars().count() == 37 {
        return None;
    }
    Algorithm::from_django_name(encoded.split('$').next().unwrap_or(encoded))
}

/// A decimal without sign; beyond 32 bits the greatest number, which every bound refuses.
fn saturating_decimal(digits: &str) -> Option<u32> {
    let is_decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal.then(|| digits.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::work::MAX_PBKDF2_ROUNDS;
    use super::*;

    fn refusal(encoded: &str) -> Option<Refusal> {
        match Stored::parse(encoded, &Algorithm::ALL) {
            Err(Unreadable::Refused(refusal)) => Some(refusal),
            Err(Unreadable::Unusable) | Ok(_) => None,
        }
    }

    #[test]
    fn w2_parameters_beyond_reason_are_named() {
        let digest = STANDARD.encode([0; 32]);
        let wide = STANDARD.encode([0; 64]);
        let (salt, long) = ("abcdefghijklmnopqrstuu", ".".repeat(31));
        for (encoded, parameter) in [
            (format!("pbkdf2_sha256${}$salt${digest}", MAX_PBKDF2_ROUNDS + 1), "iterations"),
            (format!("pbkdf2_sha256$2147483648$salt${digest}"), "iterations"),
            (format!("argon2$argon2id$v=19$m=67108864,t=1,p=1$c2FsdHNhbHQ${}", "A".repeat(43)), "memory_cost"),
            (format!("argon2$argon2id$v=19$m=8,t=4294967295,p=1$c2FsdHNhbHQ${}", "A".repeat(43)), "time_cost"),
            (format!("argon2$argon2id$v=19$m=4096,t=1,p=65$c2FsdHNhbHQ${}", "A".repeat(43)), "parallelism"),
            (
                format!("argon2$argon2id$v=19$m=1048576,t=64,p=1$c2FsdHNhbHQ${}", "A".repeat(43)),
                "memory_cost * time_cost",
            ),
            (format!("bcrypt$$2b$31${salt}{long}"), "rounds"),
            (format!("bcrypt_sha256$$2b$19${salt}{long}"), "rounds"),
            (format!("scrypt$32768$salt$8$1${wide}"), "memory"),
            (format!("scrypt$1073741824$salt$8$1${wide}"), "log2 work_factor"),
            (format!("scrypt$16384$salt$8$4294967295${wide}"), "parallelism"),
            (format!("scrypt$8192$salt$1$100000${wide}"), "work_factor * block_size * parallelism"),
        ] {
            match refusal(&encoded) {
                Some(Refusal::OutOfBounds(bounds)) => assert_eq!(bounds.parameter, parameter, "{encoded}"),
                other => panic!("{encoded}: {other:?}"),
            }
        }
    }

    #[test]
    fn w2_numbers_beyond_32_bits_are_refused() {
        let text = format!("pbkdf2_sha1$99999999999999999999999$salt${}", STANDARD.encode([0; 20]));
        assert!(refusal(&text).is_some());
        assert_eq!(refusal(&format!("md5${}$", "s".repeat(1100))), Some(Refusal::TooLong));
    }

    #[test]
    fn other_spellings_are_malformed() {
        let good = "bcrypt$$2b$04$abcdefghijklmnopqrstuuyvPXIbu7xe6/CED2DzX8z6Si09MlzlW";
        assert!(Stored::parse(good, &Algorithm::ALL).is_ok());
        for text in [
            good.replace("$04$", "$4$"),
            good.replace("$04$", "$+4$"),
            good.replace("$04$", "$004$"),
            good.replace("$04$", "$03$"),
            good.replace("$04$", "$00$"),
            good.replace("$04$", "$32$"),
            good.replace("$04$", "$99$"),
            good.replace("2b", "2z"),
            good.replace("2b", "2"),
            good.replace("$$2b", "$2b"),
            good.replace("$2b$", "$2b$$"),
            good.replace("rstuuy", "rstuvy"),
            format!("{good}a"),
            format!("{good}\n"),
            good[..good.len() - 1].to_owned(),
        ] {
            assert_eq!(refusal(&text), Some(Refusal::Malformed(Algorithm::Bcrypt)), "{text}");
        }
        let good = "md5$salt$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        assert!(Stored::parse(good, &Algorithm::ALL).is_ok());
        for text in
            [good.to_uppercase().replace("MD5", "md5"), format!("{good}00"), format!("{good}$"), "md5$".to_owned()]
        {
            assert_eq!(refusal(&text), Some(Refusal::Malformed(Algorithm::Md5)), "{text}");
        }
    }

    #[test]
    fn hashers_that_are_not_configured_are_unknown() {
        let md5 = "md5$salt$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        let unknown = Err(Unreadable::Refused(Refusal::UnknownAlgorithm));
        assert!(Stored::parse(md5, &[Algorithm::Pbkdf2Sha256]) == unknown);
        assert!(Stored::parse("", &Algorithm::ALL) == unknown);
        assert!(Stored::parse("md5$$8fe4c11451281c094a6578e6ddbf5eed", &Algorithm::ALL) == unknown);
    }
}
