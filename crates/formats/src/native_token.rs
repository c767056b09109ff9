//! Tokens of our own: a prefix that tells a secret scanner whose they are, 176 random bits, and a checksum that tells a typing error
//! from a token nobody has, without asking a database.
//!
//! `cs_` + 30 digits of base 62 + 6 digits of base 62: the CRC-32 (IEEE 802.3) of all that stands before it. Every change of one
//! character, and every two neighbours that change places, give another checksum, since a CRC-32 finds each error within 32 bits.

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Random bytes of a token.
pub const ENTROPY: usize = 22;

/// Digits that hold them: the least with 62^n ≥ 256^22.
const BODY: usize = 30;
/// Digits that hold a checksum: the least with 62^n ≥ 2^32.
const CHECKSUM: usize = 6;

/// The digits, in the order of their values.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A token as its client shows it. `Debug` does not show it; wiped on drop.
#[derive(Clone)]
pub struct NativeToken(Zeroizing<String>);

/// What tokens of one deployment begin with: small letters and digits, the first a letter, and an underscore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativePrefix(String);

/// A text that is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 2 to 10 small letters and digits, the first a letter")]
pub struct BadPrefix;

/// A text that has the prefix and is no token: cut off, mistyped, or made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token's length, characters or checksum are wrong")]
pub struct Mistyped;

impl NativePrefix {
    /// The prefix of this word, which the underscore follows: `cs` begins `cs_…`.
    ///
    /// # Errors
    /// [`BadPrefix`].
    pub fn new(word: &str) -> Result<Self, BadPrefix> {
        let begins_well = word.starts_with(|first: char| first.is_ascii_lowercase());
        let fits = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if (2..=10).contains(&word.len()) && begins_well && fits {
            Ok(Self(format!("{word}_")))
        } else {
            Err(BadPrefix)
        }
    }

    /// The prefix with its underscore.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text means to be a token of ours.
    #[must_use]
    pub fn begins(&self, text: &[u8]) -> bool {
        text.starts_with(self.0.as_bytes())
    }
}

impl Default for NativePrefix {
    /// `cs_`.
    fn default() -> Self {
        Self("cs_".to_owned())
    }
}

impl NativeToken {
    /// A new token of random bytes.
    #[must_use]
    pub fn from_entropy(prefix: &NativePrefix, bytes: &[u8; ENTROPY]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(prefix.0.len() + BODY + CHECKSUM));
        text.push_str(&prefix.0);
        let mut number = Zeroizing::new(*bytes);
        let mut digits = Zeroizing::new([0; BODY]);
        for digit in digits.iter_mut().rev() {
            *digit = divided(&mut number);
        }
        push_digits(&mut text, &*digits);
        let checksum = checksum(text.as_bytes());
        push_digits(&mut text, &checksum);
        Self(text)
    }

    /// What a client shows, if length, characters and checksum are right; that somebody has it is for a database to say.
    ///
    /// # Errors
    /// [`Mistyped`].
    pub fn parse(prefix: &NativePrefix, shown: &[u8]) -> Result<Self, Mistyped> {
        let digits = shown.strip_prefix(prefix.0.as_bytes()).ok_or(Mistyped)?;
        if digits.len() != BODY + CHECKSUM || !digits.iter().all(u8::is_ascii_alphanumeric) {
            return Err(Mistyped);
        }
        let (before, given) = shown.split_at(shown.len() - CHECKSUM);
        if given.iter().ne(checksum(before).iter().map(|digit| &DIGITS[usize::from(*digit)])) {
            return Err(Mistyped);
        }
        let text = std::str::from_utf8(shown).map_err(|_| Mistyped)?;
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The secret text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What a database keeps of it: the SHA-256 of the whole text, as 64 hex digits. No password hash is needed, since nobody can
    /// try out 2^176 tokens (SECURITY O2).
    #[must_use]
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }
}

impl fmt::Debug for NativeToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NativeToken(..)")
    }
}

/// Divides a number, the most significant byte first, by 62; gives the remainder.
fn divided(number: &mut [u8; ENTROPY]) -> u8 {
    let mut remainder = 0u16;
    for byte in number {
        let value = remainder << 8 | u16::from(*byte);
        // Both fit: the remainder before was below 62, hence the quotient is below 256.
        *byte = (value / 62).to_be_bytes()[1];
        remainder = value % 62;
    }
    remainder.to_be_bytes()[1]
}

fn push_digits(text: &mut String, digits: &[u8]) {
    text.extend(digits.iter().map(|digit| char::from(DIGITS[usize::from(*digit)])));
}

/// The CRC-32 of a text as digits' values.
fn checksum(text: &[u8]) -> [u8; CHECKSUM] {
    let mut number = crc32(text);
    let mut digits = [0; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = (number % 62).to_be_bytes()[3];
        number /= 62;
    }
    digits
}

/// CRC-32 as in IEEE 802.3 (and zlib, PNG): reflected polynomial 0xEDB88320.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut value = byte;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0xEDB8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[byte as usize] = value;
            byte += 1;
        }
        table
    };
    !bytes.iter().fold(u32::MAX, |crc, byte| TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ crc >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOWN: &[(&str, &str, &str)] = &[
        (
            "00000000000000000000000000000000000000000000",
            "cs_0000000000000000000000000000003iKOA1",
            "50f2fa3d398f6d2b0d9ebbe7b20383a082578c0f650130db6a52190672ee42fd",
        ),
        (
            "ffffffffffffffffffffffffffffffffffffffffffff",
            "cs_A2kL32r9ku6HrcANr3ayRQDYSUT3Z11K73zI",
            "c619aafe70746c27bc56de4ac82d0b273f8be99ede9f7823d4a0de8f858b0c0f",
        ),
        (
            "000102030405060708090a0b0c0d0e0f101112131415",
            "cs_000aoTeCmZZmK3mmfHwCoSC16fIvB71LoVtw",
            "4dd7aa694c40cb594795e98e2f38d3200229fb9334c782f16ecca5285881dde3",
        ),
        (
            "eedfd749e2646de3fb66b471ce392177a35f36295d66",
            "cs_9N5QMea7wxDvSrQogQIXPfqlQ7BrSo1M0oqw",
            "ef88154aeb77a62cd0276048657f558c54654f59d5352cd234b757f64b694a1c",
        ),
    ];

    fn token(bytes: [u8; ENTROPY]) -> NativeToken {
        NativeToken::from_entropy(&NativePrefix::default(), &bytes)
    }

    fn is_token(text: &[u8]) -> bool {
        NativeToken::parse(&NativePrefix::default(), text).is_ok()
    }

    /// Made with Python: `int.from_bytes`, `divmod` by 62, `zlib.crc32`, `hashlib.sha256`.
    #[test]
    fn o1_known_answers() {
        for (bytes, text, digest) in KNOWN {
            let bytes: [u8; ENTROPY] = hex::decode(bytes).expect("hex").try_into().expect("22 bytes");
            let token = token(bytes);
            assert_eq!((token.expose(), &*token.digest()), (*text, *digest));
            assert!(is_token(text.as_bytes()));
        }
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926, "the check value of CRC-32");
    }

    #[test]
    fn o1_tokens_hold_160_bits_and_more() {
        let (bits, digits) = (ENTROPY * 8, 62f64.log2());
        assert!(bits >= 160);
        assert!(digits * 30.0 >= 176.0 && digits * 29.0 < 176.0, "no bit is lost and no digit is idle");
        assert!(digits * 6.0 >= 32.0 && digits * 5.0 < 32.0);
    }

    #[test]
    fn a_prefix_is_a_small_word() {
        for word in ["cs", "acme", "a1", "abcdefghij"] {
            let prefix = NativePrefix::new(word).expect(word);
            let token = NativeToken::from_entropy(&prefix, &[7; ENTROPY]);
            assert!(token.expose().starts_with(&format!("{word}_")));
            assert!(NativeToken::parse(&prefix, token.expose().as_bytes()).is_ok());
            let other = NativePrefix::new("other").expect("a prefix");
            assert_eq!(NativeToken::parse(&other, token.expose().as_bytes()).err(), Some(Mistyped));
        }
        for word in ["", "c", "abcdefghijk", "Cs", "c_", "1a", "c-s", "cß", "eyJ"] {
            assert_eq!(NativePrefix::new(word), Err(BadPrefix), "{word}");
        }
        assert!(!NativePrefix::default().begins(b"eyJhbGciOiJIUzI1NiJ9"), "a JWT never looks like a token of ours");
    }

    #[test]
    fn s3_debug_shows_no_token() {
        assert_eq!(format!("{:?}", token([7; ENTROPY])), "NativeToken(..)");
    }

    proptest! {
        #[test]
        fn o1_every_token_is_read_as_it_was_made(bytes: [u8; ENTROPY]) {
            let token = token(bytes);
            prop_assert_eq!(token.expose().len(), 39);
            let again = NativeToken::parse(&NativePrefix::default(), token.expose().as_bytes());
            prop_assert_eq!(again.expect("a token").digest(), token.digest());
        }

        #[test]
        fn o1_different_bytes_are_different_tokens(one: [u8; ENTROPY], other: [u8; ENTROPY]) {
            prop_assert_eq!(one == other, token(one).expose() == token(other).expose());
        }

        #[test]
        fn o4_a_character_mistyped_is_seen(bytes: [u8; ENTROPY], place in 3..39usize, byte: u8) {
            let mut text = token(bytes).expose().as_bytes().to_vec();
            prop_assume!(text[place] != byte);
            text[place] = byte;
            prop_assert!(!is_token(&text));
        }

        #[test]
        fn o3_another_case_is_another_token(bytes: [u8; ENTROPY], place in 3..39usize) {
            let mut text = token(bytes).expose().as_bytes().to_vec();
            prop_assume!(text[place].is_ascii_alphabetic());
            text[place] ^= 0x20;
            prop_assert!(!is_token(&text));
        }

        #[test]
        fn o4_neighbours_in_each_others_place_are_seen(bytes: [u8; ENTROPY], place in 3..38usize) {
            let mut text = token(bytes).expose().as_bytes().to_vec();
            prop_assume!(text[place] != text[place + 1]);
            text.swap(place, place + 1);
            prop_assert!(!is_token(&text));
        }

        #[test]
        fn o4_what_is_cut_off_or_goes_on_is_seen(bytes: [u8; ENTROPY], kept in 0..39usize, more: Vec<u8>) {
            let token = token(bytes);
            let text = token.expose().as_bytes();
            prop_assert!(!is_token(&text[..kept]));
            prop_assert!(more.is_empty() || !is_token(&[text, &more].concat()));
        }

        #[test]
        fn o4_no_text_is_too_odd(text: Vec<u8>) {
            prop_assert!(!is_token(&text));
            prop_assert!(!is_token(&[b"cs_", &*text].concat()));
        }
    }
}
