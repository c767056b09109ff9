//! Knox's tokens: a secret that the client keeps, and the digest of it that the database keeps. django-rest-knox 5.1
//! `knox.crypto`, `knox.models`.

use std::fmt;

use sha2::{Digest as _, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

/// Characters of a token that `knox_authtoken.token_key` repeats.
const KEY_CHARACTERS: usize = 15;

/// A token as the client shows it. `Debug` does not show it; wiped on drop.
#[derive(Clone)]
pub struct KnoxToken(Zeroizing<String>);

/// `SECURE_HASH_ALGORITHM`, as far as its digests fit the column (128 hex digits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KnoxHash {
    /// `hashlib.sha256`.
    Sha256,
    /// `hashlib.sha384`.
    Sha384,
    /// `hashlib.sha512`, Knox's own choice.
    #[default]
    Sha512,
}

impl KnoxToken {
    /// A new token: the prefix, and random bytes as hex digits.
    #[must_use]
    pub fn from_entropy(prefix: &str, bytes: &[u8]) -> Self {
        let digits = Zeroizing::new(hex::encode(bytes));
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + digits.len()));
        text.push_str(prefix);
        text.push_str(&digits);
        Self(text)
    }

    /// What a client shows, unchecked.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The secret text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `token_key`: the token's beginning, by which Knox finds its row.
    #[must_use]
    pub fn key(&self) -> &str {
        let end = self.0.char_indices().nth(KEY_CHARACTERS).map_or(self.0.len(), |(index, _)| index);
        &self.0[..end]
    }

    /// `digest`: lower-case hex of the token's hash, the primary key of its row.
    #[must_use]
    pub fn digest(&self, hash: KnoxHash) -> String {
        let bytes = self.0.as_bytes();
        match hash {
            KnoxHash::Sha256 => hex::encode(Sha256::digest(bytes)),
            KnoxHash::Sha384 => hex::encode(Sha384::digest(bytes)),
            KnoxHash::Sha512 => hex::encode(Sha512::digest(bytes)),
        }
    }
}

impl fmt::Debug for KnoxToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KnoxToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The token and the row of the recorded exchanges.
    const TOKEN: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    const DIGEST: &str = "14c997e0785c632f0ac7031c0460e0bc1b264758235d398f9b877db0b5c37ceee6da005d4736179361d9278cd74d9b3bf195aca3a85af24ab011b4479571b75f";

    #[test]
    fn is_found_and_recognised_as_knox_stores_it() {
        let bytes: Vec<u8> = (0..32).map(|index: u8| (index % 16) * 0x11).collect();
        let token = KnoxToken::from_entropy("", &bytes);
        assert_eq!(
            (token.expose(), token.key(), token.digest(KnoxHash::Sha512).as_str()),
            (TOKEN, "001122334455667", DIGEST)
        );
        assert_eq!(token.digest(KnoxHash::Sha256).len(), 64);
        assert_eq!(token.digest(KnoxHash::Sha384).len(), 96);
    }

    #[test]
    fn a_prefix_is_part_of_token_key_and_digest() {
        let token = KnoxToken::from_entropy("knox_", &[0xab; 32]);
        assert_eq!(token.key(), "knox_ababababab");
        assert_ne!(token.digest(KnoxHash::Sha512), KnoxToken::from_entropy("", &[0xab; 32]).digest(KnoxHash::Sha512));
        assert_eq!(KnoxToken::from_text("äöü").key(), "äöü");
        assert_eq!(KnoxToken::from_text(&"ä".repeat(20)).key(), "ä".repeat(15));
    }

    #[test]
    fn s3_debug_shows_no_token() {
        assert_eq!(format!("{:?}", KnoxToken::from_text(TOKEN)), "KnoxToken(..)");
    }
}
