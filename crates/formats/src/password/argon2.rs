//! Argon2 in the PHC string format, as argon2-cffi and the reference C code read it.

use argon2::{Algorithm as Variant, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroize as _;

use super::work::OutOfMemory;

/// The shortest salt, in bytes. Source: `ARGON2_MIN_SALT_LENGTH` of the reference code.
const MIN_SALT: usize = 8;

/// The shortest digest, in bytes. Source: `ARGON2_MIN_OUTLEN` of the reference code.
const MIN_OUTPUT: usize = 4;

/// How Argon2 addresses its memory (RFC 9106 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Argon2Variant {
    /// Data-dependent.
    D,
    /// Data-independent.
    I,
    /// Both in turn; what Django makes.
    Id,
}

/// The version of Argon2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Argon2Version {
    /// 16, also meant by a text without a version.
    V10,
    /// 19 (RFC 9106).
    V13,
}

/// The parameters of an Argon2 hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Params {
    /// How memory is addressed.
    pub variant: Argon2Variant,
    /// The version computed.
    pub version: Argon2Version,
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes; they take part in the result but are computed one after the other here.
    pub lanes: u32,
    /// Length of the digest in bytes.
    pub output_length: usize,
}

/// An Argon2 hash read from its text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Argon2Hash {
    pub(super) params: Argon2Params,
    pub(super) salt: Vec<u8>,
    pub(super) digest: Vec<u8>,
}

impl Argon2Params {
    /// What Django makes: argon2id, version 19, a digest of 32 bytes. Source: Django 5.2 `Argon2PasswordHasher.params`.
    #[must_use]
    pub const fn django(passes: u32, memory_kib: u32, lanes: u32) -> Self {
        Self { variant: Argon2Variant::Id, version: Argon2Version::V13, memory_kib, passes, lanes, output_length: 32 }
    }

    /// Fills `digest`; its length takes part in the result.
    pub(super) fn derive(&self, password: &[u8], salt: &[u8], digest: &mut [u8]) -> Result<(), OutOfMemory> {
        let variant = match self.variant {
            Argon2Variant::D => Variant::Argon2d,
            Argon2Variant::I => Variant::Argon2i,
            Argon2Variant::Id => Variant::Argon2id,
        };
        let version = match self.version {
            Argon2Version::V10 => Version::V0x10,
            Argon2Version::V13 => Version::V0x13,
        };
        let params =
            Params::new(self.memory_kib, self.passes, self.lanes, Some(digest.len())).map_err(|_| OutOfMemory)?;
        let mut memory: Vec<Block> = Vec::new();
        memory.try_reserve_exact(params.block_count()).map_err(|_| OutOfMemory)?;
        memory.resize(params.block_count(), Block::default());
        let context = Argon2::new(variant, version, params);
        let outcome = context.hash_password_into_with_memory(password, salt, digest, &mut memory);
        for block in &mut memory {
            block.as_mut().zeroize();
        }
        outcome.map_err(|_| OutOfMemory)
    }
}

/// Reads what follows `argon2$`: `argon2id$v=19$m=102400,t=2,p=8$<salt>$<digest>`.
///
/// As the reference code: the parameters in this order and no others, numbers without leading zeros or signs, base64
/// without padding and without stray bits, at least 8 bytes of salt and 4 of digest; `v=` may be missing and then means
/// 16. Memory, passes and lanes below what Argon2 can compute are left to the caller.
///
/// **Differs:** the C code stops reading at a NUL, and computes versions that never existed (`v=18`); both are refused.
pub(super) fn parse(text: &str) -> Option<Argon2Hash> {
    let mut parts = text.split('$');
    let variant = match parts.next()? {
        "argon2d" => Argon2Variant::D,
        "argon2i" => Argon2Variant::I,
        "argon2id" => Argon2Variant::Id,
        _ => return None,
    };
    let mut parameters = parts.next()?;
    let version = match parameters.strip_prefix("v=") {
        None | Some("16") => Argon2Version::V10,
        Some("19") => Argon2Version::V13,
        Some(_) => return None,
    };
    if parameters.starts_with("v=") {
        parameters = parts.next()?;
    }
    let mut named = parameters.split(',');
    let mut number = |prefix: &str| decimal(named.next()?.strip_prefix(prefix)?);
    let (memory_kib, passes, lanes) = (number("m=")?, number("t=")?, number("p=")?);
    if named.next().is_some() {
        return None;
    }
    let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
    let digest = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
    if parts.next().is_some() || salt.len() < MIN_SALT || digest.len() < MIN_OUTPUT {
        return None;
    }
    let params = Argon2Params { variant, version, memory_kib, passes, lanes, output_length: digest.len() };
    Some(Argon2Hash { params, salt, digest })
}

/// Writes what follows `argon2$`.
pub(super) fn render(params: &Argon2Params, salt: &[u8], digest: &[u8]) -> String {
    let variant = match params.variant {
        Argon2Variant::D => "argon2d",
        Argon2Variant::I => "argon2i",
        Argon2Variant::Id => "argon2id",
    };
    let version = match params.version {
        Argon2Version::V10 => 16,
        Argon2Version::V13 => 19,
    };
    format!(
        "{variant}$v={version}$m={},t={},p={}${}${}",
        params.memory_kib,
        params.passes,
        params.lanes,
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(digest),
    )
}

/// A decimal of 32 bits, written in the one shortest way.
fn decimal(text: &str) -> Option<u32> {
    let shortest = text == "0" || !text.starts_with('0');
    if shortest && text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$/pcGVt0d5EVdZZXVLXuAaw";

    #[test]
    fn a_text_is_read_and_written_back() {
        let hash = parse(GOOD).expect("well-formed");
        assert_eq!(hash.salt, b"saltsalt");
        assert_eq!(hash.params.output_length, 16);
        assert_eq!(render(&hash.params, &hash.salt, &hash.digest), GOOD);
        assert_eq!(parse(&GOOD.replace("$v=19", "")).expect("version 16").params.version, Argon2Version::V10);
    }

    /// Each of these was put to argon2-cffi 25.1, which refused it, but for the NUL and `v=18`.
    #[test]
    fn other_spellings_are_refused() {
        for text in [
            format!("{GOOD}="),
            format!("{GOOD} "),
            format!("{GOOD}$"),
            format!("{GOOD}\0x"),
            GOOD.replace("m=8", "m=08"),
            GOOD.replace("m=8", "m=+8"),
            GOOD.replace("m=8", "m="),
            GOOD.replace("m=8,t=1", "t=1,m=8"),
            GOOD.replace("p=1", "p=1,p=1"),
            GOOD.replace("p=1", "p=1,keyid=aa"),
            GOOD.replace("p=1", "p=4294967297"),
            GOOD.replace("v=19", "v=18"),
            GOOD.replace("v=19", "v=019"),
            GOOD.replace("argon2id", "argon2ID"),
            GOOD.replace("c2FsdHNhbHQ", "c2FsdHNhbHR"),
            GOOD.replace("Aaw", "Aax"),
            GOOD.replace("c2FsdHNhbHQ", "c2FsdHNhbA"),
            GOOD.replace("/pcGVt0d5EVdZZXVLXuAaw", "/pcG"),
            GOOD.replace("/pcGVt0d5EVdZZXVLXuAaw", ""),
            String::new(),
        ] {
            assert_ne!(text, GOOD);
            assert_eq!(parse(&text), None, "{text}");
        }
    }
}
