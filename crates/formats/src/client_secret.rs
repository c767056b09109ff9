//! Secrets of OAuth clients (RFC 6749 §2.3.1): 256 random bits, of which a configuration keeps the SHA-256. No password hash is needed,
//! since nobody can guess one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

/// Random bytes of a secret.
pub const ENTROPY: usize = 32;

/// A secret as its client keeps it: 43 digits of base64url, which need no escape in forms and headers. `Debug` does not show it;
/// wiped on drop.
pub struct ClientSecret(Zeroizing<String>);

/// The SHA-256 of a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretDigest([u8; 32]);

/// A text that is no digest of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the SHA-256 of a secret as 64 hex digits")]
pub struct BadDigest;

impl ClientSecret {
    /// A new secret of random bytes.
    #[must_use]
    pub fn from_entropy(bytes: &[u8; ENTROPY]) -> Self {
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The secret text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> SecretDigest {
        SecretDigest::of(&self.0)
    }
}

impl SecretDigest {
    /// The digest of what a client shows.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// A digest as a configuration has it.
    ///
    /// # Errors
    /// [`BadDigest`] for another length or other characters, and for the digest of nothing.
    pub fn parse(text: &str) -> Result<Self, BadDigest> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(|_| BadDigest)?;
        let digest = Self(digest);
        if digest == Self::of("") { Err(BadDigest) } else { Ok(digest) }
    }

    /// Whether this digest is one of those, in the same time whatever the answer and however many there are, up to `most`.
    #[must_use]
    pub fn is_among(&self, known: &[Self], most: usize) -> bool {
        let mut found = Choice::from(0);
        for place in 0..most {
            let (other, is_there) = known.get(place).map_or(([0; 32], 0), |other| (other.0, 1));
            found |= self.0.ct_eq(&other) & Choice::from(is_there);
        }
        found.into()
    }
}

/// 64 hex digits.
impl fmt::Display for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_needs_no_escape_and_is_never_shown() {
        let secret = ClientSecret::from_entropy(&[0xfb; ENTROPY]);
        assert_eq!(secret.expose().len(), 43);
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        assert!(secret.expose().chars().all(is_plain), "{}", secret.expose());
        assert_eq!(format!("{secret:?} {:?}", secret.digest()), "ClientSecret(..) SecretDigest(..)");
        // echo -n secret | sha256sum
        let known = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert_eq!(SecretDigest::of("secret").to_string(), known);
        assert_eq!(SecretDigest::parse(known), Ok(SecretDigest::of("secret")));
        assert_eq!(SecretDigest::parse(&known.to_uppercase()), Ok(SecretDigest::of("secret")));
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        let of_nothing = SecretDigest::of("").to_string();
        for text in ["", "secret", &"0".repeat(63), &"0".repeat(66), &"g".repeat(64), &of_nothing] {
            assert_eq!(SecretDigest::parse(text), Err(BadDigest), "{text}");
        }
    }

    #[test]
    fn one_of_the_known_digests_is_found_and_no_other() {
        let [one, two, three] = ["one", "two", "three"].map(SecretDigest::of);
        assert!(one.is_among(&[one, two], 2) && two.is_among(&[one, two], 2) && one.is_among(&[one], 2));
        assert!(!three.is_among(&[one, two], 2) && !three.is_among(&[], 2));
        assert!(!SecretDigest([0; 32]).is_among(&[one], 2), "an empty place is nobody's");
    }
}
