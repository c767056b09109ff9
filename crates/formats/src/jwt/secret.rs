//! Shared secrets, and what must never become one.

use std::fmt;

use zeroize::Zeroizing;

use super::HmacAlgorithm;
use crate::json::{self, LoadError, NonFinite, SyntaxErrorKind, Value};

/// The bytes of an HMAC key. A public key is known to the attacker, so nothing that looks like one becomes a secret
/// (CVE-2022-29217). The list is that of `PyJWT` 2.15 `HMACAlgorithm.prepare_key`.
///
/// A key object is not a secret either:
/// ```compile_fail
/// use countersign_formats::jwt::{HmacSecret, VerifyingKey};
/// fn confused(key: VerifyingKey) -> HmacSecret { HmacSecret::new(key).unwrap() }
/// ```
#[derive(Clone)]
pub struct HmacSecret(Zeroizing<Vec<u8>>);

/// Why bytes are refused as an HMAC secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// There are no bytes.
    #[error("the HMAC key is empty")]
    Empty,
    /// A PEM block: a key, a certificate or parameters.
    #[error("the HMAC key is a PEM block: a key pair or certificate is no shared secret")]
    Pem,
    /// An OpenSSH public key line.
    #[error("the HMAC key is an OpenSSH public key, which is no shared secret")]
    OpenSsh,
    /// A DER public key or certificate.
    #[error("the HMAC key is a DER public key or certificate, which is no shared secret")]
    Der,
    /// A JSON web key or key set; the secret is inside it.
    #[error("the HMAC key is a JSON web key: give the secret it contains, not its JSON text")]
    Jwk,
}

impl HmacSecret {
    /// Takes the secret's bytes: of a text, its UTF-8.
    ///
    /// # Errors
    /// [`SecretError`] says what the bytes look like.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, SecretError> {
        let bytes = Zeroizing::new(bytes.into());
        // Whoever reads a key from a text does not mind space round it. In UTF-16 it is no space to take off.
        let trimmed = bytes.trim_ascii();
        let refused = [
            (bytes.is_empty(), SecretError::Empty),
            (holds_pem_block(&bytes), SecretError::Pem),
            (SSH_PREFIXES.iter().any(|prefix| trimmed.starts_with(prefix.as_bytes())), SecretError::OpenSsh),
            (is_der_public(&bytes), SecretError::Der),
            (looks_like_jwk(&bytes) || looks_like_jwk(trimmed), SecretError::Jwk),
        ];
        match refused.into_iter().find(|(found, _)| *found) {
            Some((_, error)) => Err(error),
            None => Ok(Self(bytes)),
        }
    }

    /// Whether the secret is shorter than the hash (RFC 7518 §3.2). `PyJWT` warns; so should the caller.
    pub fn is_short_for(&self, algorithm: HmacAlgorithm) -> bool {
        self.0.len() < algorithm.hash_len()
    }

    /// How many bytes the secret has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: an empty secret cannot be made.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for HmacSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacSecret(..)")
    }
}

const PEM_LABELS: [&str; 16] = [
    "CERTIFICATE",
    "TRUSTED CERTIFICATE",
    "PRIVATE KEY",
    "PUBLIC KEY",
    "ENCRYPTED PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "DSA PRIVATE KEY",
    "RSA PRIVATE KEY",
    "RSA PUBLIC KEY",
    "EC PRIVATE KEY",
    "DH PARAMETERS",
    "NEW CERTIFICATE REQUEST",
    "CERTIFICATE REQUEST",
    "SSH2 PUBLIC KEY",
    "SSH2 ENCRYPTED PRIVATE KEY",
    "X509 CRL",
];

const SSH_PREFIXES: [&str; 6] =
    ["ssh-ed25519", "ssh-rsa", "ssh-dss", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"];

/// Whether a BEGIN line is followed, anywhere, by an END line with the same label. Dashes may be those of PEM or of SSH2.
fn holds_pem_block(bytes: &[u8]) -> bool {
    PEM_LABELS.iter().any(|label| {
        let begin = pem_marker(bytes, "BEGIN", label);
        begin.is_some_and(|end_of_begin| pem_marker(&bytes[end_of_begin..], "END", label).is_some())
    })
}

/// The offset after the first `----- WORD LABEL -----`; the dash beside the words may be a blank.
fn pem_marker(bytes: &[u8], word: &str, label: &str) -> Option<usize> {
    let text = format!("{word} {label}");
    let text = text.as_bytes();
    let blank = |byte: Option<&u8>| matches!(byte, Some(b'-' | b' '));
    (5..bytes.len()).find_map(|at| {
        let end = at + text.len();
        let found = bytes[at..].starts_with(text)
            && blank(bytes.get(at - 1))
            && bytes[..at - 1].ends_with(b"----")
            && blank(bytes.get(end))
            && bytes.get(end + 1..).is_some_and(|rest| rest.starts_with(b"----"));
        found.then_some(end + 5)
    })
}

/// Whether the bytes have the shape of a `SubjectPublicKeyInfo`, a PKCS#1 `RSAPublicKey` or a certificate.
fn is_der_public(bytes: &[u8]) -> bool {
    const INTEGER: u8 = 0x02;
    const BIT_STRING: u8 = 0x03;
    const OBJECT_IDENTIFIER: u8 = 0x06;
    const SEQUENCE: u8 = 0x30;
    let Some((SEQUENCE, body, [])) = der_element(bytes) else {
        return false;
    };
    let mut tags = Vec::new();
    let mut first = None;
    let mut rest = body;
    while !rest.is_empty() && tags.len() < 4 {
        let Some((tag, content, after)) = der_element(rest) else {
            return false;
        };
        first = first.or(Some(content));
        tags.push(tag);
        rest = after;
    }
    match tags[..] {
        [SEQUENCE, BIT_STRING] => first.is_some_and(|algorithm| algorithm.first() == Some(&OBJECT_IDENTIFIER)),
        [INTEGER, INTEGER] | [SEQUENCE, SEQUENCE, BIT_STRING] => true,
        _ => false,
    }
}

/// Tag, content and what follows the first DER element.
fn der_element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Whether the bytes are JSON with a `kty` member at any depth, or JSON too deep or large to tell.
fn looks_like_jwk(bytes: &[u8]) -> bool {
    match json::parse_bytes(bytes, NonFinite::Accept) {
        Ok(value) => has_kty(&value),
        Err(LoadError::Syntax(error)) => match error.kind() {
            SyntaxErrorKind::TooDeep => true,
            SyntaxErrorKind::IntegerTooLong(_) => {
                let start = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != 0);
                start.is_some_and(|byte| !byte.is_ascii_digit() && *byte != b'-')
            }
            _ => false,
        },
        Err(LoadError::Decode(_)) => false,
    }
}

fn has_kty(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.contains("kty") || members.iter().any(|(_, member)| has_kty(member)),
        Value::Array(items) => items.iter().any(has_kty),
        _ => false,
    }
}
