//! Signatures that Django derives from `SECRET_KEY`: `salted_hmac` and `signing.loads`. Django 5.2 `django.core.signing`,
//! `django.utils.crypto`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::json::{self, NonFinite, Value};

/// `SECRET_KEY`, which signs, and `SECRET_KEY_FALLBACKS`, which are accepted. Wiped on drop; `Debug` shows how many there are.
#[derive(Clone)]
pub struct SecretKeys(Vec<Zeroizing<String>>);

/// Bounds on a signed text: what is larger is refused unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedLimits {
    /// Bytes of the text.
    pub text: usize,
    /// Bytes of the JSON inside, decompressed.
    pub json: usize,
}

impl SecretKeys {
    /// The key and those before it.
    #[must_use]
    pub fn new(secret_key: &str, fallbacks: &[&str]) -> Self {
        let keys = std::iter::once(secret_key).chain(fallbacks.iter().copied());
        Self(keys.map(|key| Zeroizing::new(key.to_owned())).collect())
    }

    /// Whether `mac` is the lower-case hex of `salted_hmac(key_salt, value)` with SHA-256 under any of the keys.
    #[must_use]
    pub fn made_hex(&self, mac: &str, key_salt: &str, value: &[u8]) -> bool {
        let matches = |key: &Zeroizing<String>| {
            let expected = Zeroizing::new(hex::encode(salted_hmac(key_salt, value, key.as_bytes())));
            bool::from(expected.as_bytes().ct_eq(mac.as_bytes()))
        };
        self.0.iter().any(matches)
    }

    /// The object in a text that `TimestampSigner.sign_object` made with this salt under any of the keys, whatever its age.
    /// `None` for everything else. Django 5.2 `signing.loads` with `JSONSerializer`; nothing is ever unpickled.
    #[must_use]
    pub fn loads(&self, salt: &str, text: &str, limits: SignedLimits) -> Option<Value> {
        if text.len() > limits.text {
            return None;
        }
        let (value, signature) = text.rsplit_once(':')?;
        if !self.signed(salt, value, signature) {
            return None;
        }
        let (encoded, _timestamp) = value.rsplit_once(':')?;
        let bytes = match encoded.strip_prefix('.') {
            Some(compressed) => {
                let compressed = URL_SAFE_NO_PAD.decode(compressed).ok()?;
                miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&compressed, limits.json).ok()?
            }
            None => URL_SAFE_NO_PAD.decode(encoded).ok().filter(|bytes| bytes.len() <= limits.json)?,
        };
        // JSONSerializer reads Latin-1.
        let text: String = bytes.into_iter().map(char::from).collect();
        json::parse(&text, NonFinite::Accept).ok()
    }

    fn signed(&self, salt: &str, value: &str, signature: &str) -> bool {
        let key_salt = format!("{salt}signer");
        let matches = |key: &Zeroizing<String>| {
            let expected = URL_SAFE_NO_PAD.encode(salted_hmac(&key_salt, value.as_bytes(), key.as_bytes()));
            bool::from(expected.as_bytes().ct_eq(signature.as_bytes()))
        };
        self.0.iter().any(matches)
    }
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretKeys({}, ..)", self.0.len())
    }
}

/// HMAC-SHA-256 of `value` under the SHA-256 of salt and secret. Django 5.2 `salted_hmac(…, algorithm="sha256")`.
#[must_use]
pub fn salted_hmac(key_salt: &str, value: &[u8], secret: &[u8]) -> [u8; 32] {
    let key = Zeroizing::new(<[u8; 32]>::from(Sha256::new().chain_update(key_salt).chain_update(secret).finalize()));
    let mac = Hmac::<Sha256>::new_from_slice(&*key).expect("HMAC takes keys of any length");
    mac.chain_update(value).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SECRET_KEY` of the recorded exchanges (SPEC §14).
    const SECRET: &str = "compat-reference-secret-key-0123456789-abcdefghijklmnopqrstuv";
    const LIMITS: SignedLimits = SignedLimits { text: 4096, json: 4096 };
    const HELLO: &str = "ImhlbGxvIg:1uQowS:TS0UxCvHzvzMflnOvWICF5sEiYFMW7rEKsbQO35CwkI";

    fn keys() -> SecretKeys {
        SecretKeys::new(SECRET, &[])
    }

    fn sign(salt: &str, value: &str) -> String {
        let mac = salted_hmac(&format!("{salt}signer"), value.as_bytes(), SECRET.as_bytes());
        format!("{value}:{}", URL_SAFE_NO_PAD.encode(mac))
    }

    #[test]
    fn is_djangos_salted_hmac() {
        assert_eq!(
            hex::encode(salted_hmac("salt", b"value", SECRET.as_bytes())),
            "f62f137c40d30bfa6b52ac1d4308c2e43c9394295d140a3af055316bc87e8787"
        );
        assert!(keys().made_hex("f62f137c40d30bfa6b52ac1d4308c2e43c9394295d140a3af055316bc87e8787", "salt", b"value"));
    }

    #[test]
    fn reads_what_django_dumped() {
        assert_eq!(keys().loads("django.core.signing", HELLO, LIMITS), Some(Value::from("hello")));
        assert_eq!(
            SecretKeys::new("new", &["older", SECRET]).loads("django.core.signing", HELLO, LIMITS),
            Some(Value::from("hello"))
        );
    }

    #[test]
    fn another_salt_key_or_byte_is_refused() {
        assert_eq!(keys().loads("django.core.signin", HELLO, LIMITS), None);
        assert_eq!(SecretKeys::new("other", &[]).loads("django.core.signing", HELLO, LIMITS), None);
        for index in 0..HELLO.len() {
            let mut bytes = HELLO.as_bytes().to_vec();
            bytes[index] ^= 1;
            let text = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(keys().loads("django.core.signing", &text, LIMITS), None, "{text}");
        }
        for text in ["", ":", "::", "ImhlbGxvIg", "ImhlbGxvIg:1uQowS"] {
            assert_eq!(keys().loads("django.core.signing", text, LIMITS), None, "{text:?}");
        }
    }

    #[test]
    fn s4_a_bomb_stops_at_the_limit() {
        let zeros = miniz_oxide::deflate::compress_to_vec_zlib(&vec![b'0'; 1 << 24], 9);
        let bomb = sign("s", &format!(".{}:1uQowS", URL_SAFE_NO_PAD.encode(zeros)));
        assert_eq!(keys().loads("s", &bomb, SignedLimits { text: 1 << 20, json: 1 << 16 }), None);
        let long = sign("s", &format!("{}:1uQowS", URL_SAFE_NO_PAD.encode("1".repeat(100))));
        assert_eq!(keys().loads("s", &long, SignedLimits { text: 4096, json: 99 }), None);
        assert_eq!(keys().loads("s", &long, SignedLimits { text: 100, json: 4096 }), None);
        assert!(keys().loads("s", &long, LIMITS).is_some());
    }

    #[test]
    fn what_is_signed_but_no_json_is_nothing() {
        for value in ["gASV:1uQowS", ".gASV:1uQowS", "&&&:1uQowS", "no-timestamp"] {
            assert_eq!(keys().loads("s", &sign("s", value), LIMITS), None, "{value}");
        }
    }

    #[test]
    fn s3_debug_shows_no_key() {
        assert_eq!(format!("{:?}", SecretKeys::new("sesame", &["older"])), "SecretKeys(2, ..)");
    }
}
