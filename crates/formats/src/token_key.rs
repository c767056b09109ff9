//! The key of DRF's token authentication, a secret that does not print.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The secret half of `Authorization: Token <key>`: 40 lower-case hex digits when made here or by DRF, any text when a
/// client presents it. `Debug` prints `TokenKey(..)`; only [`expose`](Self::expose) reveals the text; equality takes the
/// same time wherever two keys differ; the memory is wiped on drop.
/// Source: DRF 3.18 `authtoken.models.Token.generate_key`.
#[derive(Clone)]
pub struct TokenKey(Zeroizing<String>);

impl TokenKey {
    /// Makes a key from 20 random bytes (160 bits, the entropy DRF uses).
    #[must_use]
    pub fn from_entropy(bytes: [u8; 20]) -> Self {
        Self(Zeroizing::new(hex::encode(Zeroizing::new(bytes))))
    }

    /// Takes a text as a key, unchecked: what a client presented or a row holds. DRF compares the whole text with the
    /// column, so a text of another shape is simply a key nobody has.
    #[must_use]
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Whether the key has the shape DRF makes: 40 lower-case hex digits. A project's own key generator may differ.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        self.0.len() == 40 && self.0.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// The secret text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for TokenKey {
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for TokenKey {}

impl fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_bytes_become_forty_lower_case_hex_digits() {
        let key = TokenKey::from_entropy([
            0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa0, 0xb1, 0xc2, 0xd3, 0xe4, 0xf5, 0xff, 0x10, 0x20, 0x30,
        ]);
        assert_eq!(key.expose(), "00010203040506070809a0b1c2d3e4f5ff102030");
        assert!(key.is_well_formed());
    }

    #[test]
    fn only_the_whole_text_is_equal() {
        let key = TokenKey::from_entropy([7; 20]);
        assert_eq!(key, TokenKey::from_text(key.expose()));
        assert_ne!(key, TokenKey::from_text(&key.expose()[..39]));
        assert_ne!(key, TokenKey::from_text(format!("{}0", key.expose())));
        assert_ne!(TokenKey::from_text("AB"), TokenKey::from_text("ab"));
        assert!(!TokenKey::from_text("07".repeat(20).to_uppercase() + "A").is_well_formed());
        assert!(!TokenKey::from_text("0A".repeat(20)).is_well_formed());
        assert!(!TokenKey::from_text("").is_well_formed());
    }

    #[test]
    fn debug_discloses_nothing() {
        assert_eq!(format!("{:?}", TokenKey::from_text("sesame")), "TokenKey(..)");
    }
}
