//! Secrets at rest: sealed under a key-encryption key with AES-256-GCM (NIST SP 800-38D).
//!
//! ```
//! use countersign_formats::key_encryption::KeyEncryptionKey;
//!
//! let key = KeyEncryptionKey::parse(&"00".repeat(32)).unwrap();
//! let sealed = key.seal([7; 12], b"what it is for", b"a secret");
//! assert_eq!(**key.open(&sealed, b"what it is for").unwrap(), *b"a secret");
//! assert!(key.open(&sealed, b"something else").is_none());
//! ```

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// In front of what this version seals.
const VERSION: &str = "v1.";

/// A key that seals other secrets; 32 bytes.
pub struct KeyEncryptionKey(LessSafeKey);

/// A text that is no key-encryption key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 32 random bytes in hex (64 digits) or base64; `openssl rand -hex 32` makes them")]
pub struct NotAKey;

impl KeyEncryptionKey {
    /// Reads 32 bytes in hex, base64 or base64url.
    ///
    /// # Errors
    /// [`NotAKey`].
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let bare = text.trim().trim_end_matches('=');
        let bytes = match bare.len() {
            64 => hex::decode(bare).ok(),
            _ => STANDARD_NO_PAD.decode(bare).or_else(|_| URL_SAFE_NO_PAD.decode(bare)).ok(),
        };
        let bytes = Zeroizing::new(bytes.ok_or(NotAKey)?);
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| NotAKey)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals a secret for a purpose, under a nonce that is random and used once.
    #[must_use]
    pub fn seal(&self, nonce: [u8; NONCE_LEN], purpose: &[u8], secret: &[u8]) -> String {
        let mut sealed = Zeroizing::new(secret.to_vec());
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose), &mut *sealed)
            .expect("AES-GCM seals what is short");
        format!("{VERSION}{}", URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// What was sealed under this key for this purpose; `None` for anything else.
    pub fn open(&self, sealed: &str, purpose: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed.strip_prefix(VERSION)?).ok()?);
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let secret = self.0.open_in_place(nonce, Aad::from(purpose), sealed).ok()?;
        Some(Zeroizing::new(secret.to_vec()))
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification of GCM, test case 14: zero key, zero nonce, one zero block.
    #[test]
    fn s5_sealing_is_aes_256_gcm() {
        let key = KeyEncryptionKey::parse(&"00".repeat(32)).unwrap();
        let sealed = key.seal([0; 12], b"", &[0; 16]);
        let bytes = URL_SAFE_NO_PAD.decode(sealed.strip_prefix("v1.").unwrap()).unwrap();
        assert_eq!(hex::encode(&bytes[12..]), "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    }

    #[test]
    fn s5_what_was_touched_does_not_open() {
        let key = KeyEncryptionKey::parse(&"ab".repeat(32)).unwrap();
        let sealed = key.seal([1; 12], b"kid", b"the seed of a key");
        assert_eq!(**key.open(&sealed, b"kid").unwrap(), *b"the seed of a key");
        assert!(key.open(&sealed, b"other kid").is_none());
        assert!(KeyEncryptionKey::parse(&"ac".repeat(32)).unwrap().open(&sealed, b"kid").is_none());
        for place in 0..sealed.len() {
            let mut touched = sealed.clone().into_bytes();
            touched[place] = if touched[place] == b'A' { b'B' } else { b'A' };
            let touched = String::from_utf8(touched).unwrap();
            assert!(touched == sealed || key.open(&touched, b"kid").is_none(), "{place}");
        }
        for text in ["", "v1.", "v1.AAAA", "v2.AAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(key.open(text, b"kid").is_none());
        }
        assert_eq!(format!("{key:?}"), "KeyEncryptionKey(..)");
    }

    #[test]
    fn keys_are_read_in_hex_and_base64() {
        let bytes: Vec<u8> = (0..32).collect();
        let sealed = KeyEncryptionKey::parse(&hex::encode(&bytes)).unwrap().seal([1; 12], b"", b"x");
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes) + "=\n"] {
            assert!(KeyEncryptionKey::parse(&text).unwrap().open(&sealed, b"").is_some());
        }
        for text in ["", "swordfish", &"0".repeat(63), &hex::encode([1; 33])] {
            assert_eq!(KeyEncryptionKey::parse(text).unwrap_err(), NotAKey);
        }
    }
}
