//! Random text from random bytes, as Django's `get_random_string` makes it.

use std::fmt;

use zeroize::Zeroizing;

/// Characters of a salt: enough of this alphabet for 128 bits. Source: Django 5.2 `BasePasswordHasher.salt`.
pub(super) const SALT_CHARACTERS: usize = 22;

/// Random characters after the `!` of an unusable password. Source: Django 5.2 `UNUSABLE_PASSWORD_SUFFIX_LENGTH`.
const UNUSABLE_CHARACTERS: usize = 40;

/// Source: Django 5.2 `RANDOM_STRING_CHARS`.
const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// 32 random bytes from which one salt is made. To be used once.
///
/// A salt of 22 characters is the number modulo 62²² (131 bits), so no salt is likelier than another by more than one
/// part in 2¹²⁵.
pub struct SaltEntropy(Zeroizing<[u8; 32]>);

/// 48 random bytes from which the text of one unusable password is made. To be used once.
pub struct UnusableEntropy(Zeroizing<[u8; 48]>);

impl SaltEntropy {
    /// Takes 32 bytes of a cryptographically secure source.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The salt of every hasher but bcrypt: 22 characters of `a-zA-Z0-9`.
    pub(super) fn text(&self) -> String {
        random_text(self.0.as_slice(), SALT_CHARACTERS)
    }

    /// The salt of bcrypt: 16 bytes.
    pub(super) fn bytes(&self) -> [u8; 16] {
        std::array::from_fn(|index| self.0[index])
    }
}

impl UnusableEntropy {
    /// Takes 48 bytes of a cryptographically secure source.
    #[must_use]
    pub fn new(bytes: [u8; 48]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// 40 characters of `a-zA-Z0-9`.
    pub(super) fn text(&self) -> String {
        random_text(self.0.as_slice(), UNUSABLE_CHARACTERS)
    }
}

impl fmt::Debug for SaltEntropy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SaltEntropy(..)")
    }
}

impl fmt::Debug for UnusableEntropy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UnusableEntropy(..)")
    }
}

/// The lowest `length` digits, to base 62, of the number that `bytes` spell.
fn random_text(bytes: &[u8], length: usize) -> String {
    let mut number = Zeroizing::new(bytes.to_vec());
    (0..length)
        .map(|_| {
            let mut remainder = 0;
            for byte in number.iter_mut() {
                let dividend = remainder * 256 + u32::from(*byte);
                *byte = u8::try_from(dividend / 62).unwrap_or(u8::MAX);
                remainder = dividend % 62;
            }
            char::from(ALPHABET[remainder as usize])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_to_base_62_lowest_first() {
        let number = 61_u64 + 62 * (26 + 62);
        assert_eq!(random_text(&number.to_be_bytes(), 4), "9Aba");
        assert_eq!(random_text(&[0; 32], 22), "a".repeat(22));
    }

    #[test]
    fn lengths_and_alphabet_are_djangos() {
        let salt = SaltEntropy::new([0xff; 32]).text();
        assert_eq!(salt.len(), 22);
        let unusable = UnusableEntropy::new([0xa5; 48]).text();
        assert_eq!(unusable.len(), 40);
        assert!(salt.bytes().chain(unusable.bytes()).all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn every_character_is_as_likely() {
        let mut counts = [0_u32; 62];
        for seed in 0..5_000_u32 {
            let mut bytes = [0; 32];
            for (index, byte) in bytes.iter_mut().enumerate() {
                let mixed = (seed + 1).wrapping_mul(2_654_435_761).rotate_left(u32::try_from(index).unwrap_or(0));
                *byte = (mixed.wrapping_mul(2_246_822_519) >> 24) as u8;
            }
            for byte in SaltEntropy::new(bytes).text().bytes() {
                counts[ALPHABET.iter().position(|&letter| letter == byte).expect("in the alphabet")] += 1;
            }
        }
        let expected = 5_000 * 22 / 62;
        assert!(counts.iter().all(|&count| count.abs_diff(expected) < expected / 5), "{counts:?}");
    }

    #[test]
    fn debug_discloses_nothing() {
        assert_eq!(format!("{:?}", SaltEntropy::new([1; 32])), "SaltEntropy(..)");
        assert_eq!(format!("{:?}", UnusableEntropy::new([1; 48])), "UnusableEntropy(..)");
    }
}
