//! Keys that know their algorithm.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::{Algorithm, HmacAlgorithm, HmacSecret};

/// A key that signs. It owns its algorithm: nothing a token says can change it (RFC 8725 §3.1).
#[derive(Clone)]
pub struct SigningKey(Kind);

/// A key that checks signatures, under its own algorithm only.
#[derive(Clone)]
pub struct VerifyingKey(Kind);

/// A key that makes ids out of ids: HMAC-SHA256 under a key of its own ([`SigningKey::derived`]).
#[derive(Clone)]
pub struct DerivedKey(Hmac<Sha256>);

impl DerivedKey {
    /// The first 128 bits of the tag.
    #[must_use]
    pub fn id(&self, message: &[u8]) -> [u8; 16] {
        let tag = self.0.clone().chain_update(message).finalize().into_bytes();
        let mut id = [0; 16];
        id.copy_from_slice(&tag[..16]);
        id
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey(..)")
    }
}

/// One variant per family of keys; the asymmetric ones will differ between signing and checking.
#[derive(Clone)]
enum Kind {
    Hmac(HmacKey),
}

impl SigningKey {
    /// A key for HS256, HS384 or HS512.
    #[must_use]
    pub fn hmac(algorithm: HmacAlgorithm, secret: &HmacSecret) -> Self {
        Self(Kind::Hmac(HmacKey::new(algorithm, secret)))
    }

    /// The algorithm this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.clone())
    }

    /// A key for another purpose, which tells nothing of this one (NIST SP 800-108 in its simplest form: the tag of a label). No
    /// label is the input of a signature: those are base64url with a full stop.
    #[must_use]
    pub fn derived(&self, purpose: &str) -> DerivedKey {
        let mut label = b"countersign\0".to_vec();
        label.extend_from_slice(purpose.as_bytes());
        let key = Zeroizing::new(self.signature(&label));
        DerivedKey(Hmac::new_from_slice(&key).expect("HMAC takes keys of any length"))
    }

    /// `{"alg":"…","typ":"JWT"}` in base64url.
    pub(super) fn header(&self) -> &str {
        self.0.header()
    }

    pub(super) fn signature(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Kind::Hmac(key) => key.tag(message),
        }
    }
}

impl VerifyingKey {
    /// A key for HS256, HS384 or HS512.
    #[must_use]
    pub fn hmac(algorithm: HmacAlgorithm, secret: &HmacSecret) -> Self {
        Self(Kind::Hmac(HmacKey::new(algorithm, secret)))
    }

    /// The only algorithm this key checks.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    /// The header most tokens for this key have: `{"alg":"…","typ":"JWT"}` in base64url.
    pub(super) fn usual_header(&self) -> &str {
        self.0.header()
    }

    /// Whether `signature` is that of `message`. Secrets and tags are compared in constant time.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Kind::Hmac(key) => key.verifies(message, signature),
        }
    }
}

/// One key where several are allowed.
impl AsRef<[VerifyingKey]> for VerifyingKey {
    fn as_ref(&self) -> &[VerifyingKey] {
        std::slice::from_ref(self)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, ..)", self.algorithm())
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, ..)", self.algorithm())
    }
}

impl Kind {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hmac(key) => key.algorithm().into(),
        }
    }

    fn header(&self) -> &str {
        match self {
            Self::Hmac(key) => &key.header,
        }
    }
}

/// The state of HMAC after its key block, inner and outer, so that a signature costs two compressions less.
#[derive(Clone)]
struct HmacKey {
    state: State,
    header: String,
}

#[derive(Clone)]
enum State {
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl HmacKey {
    fn new(algorithm: HmacAlgorithm, secret: &HmacSecret) -> Self {
        let bytes = secret.expose();
        let refused = "HMAC takes keys of any length";
        let state = match algorithm {
            HmacAlgorithm::Hs256 => State::Sha256(Hmac::new_from_slice(bytes).expect(refused)),
            HmacAlgorithm::Hs384 => State::Sha384(Hmac::new_from_slice(bytes).expect(refused)),
            HmacAlgorithm::Hs512 => State::Sha512(Hmac::new_from_slice(bytes).expect(refused)),
        };
        let header = format!(r#"{{"alg":"{}","typ":"JWT"}}"#, algorithm.name());
        Self { state, header: URL_SAFE_NO_PAD.encode(header) }
    }

    fn algorithm(&self) -> HmacAlgorithm {
        match self.state {
            State::Sha256(_) => HmacAlgorithm::Hs256,
            State::Sha384(_) => HmacAlgorithm::Hs384,
            State::Sha512(_) => HmacAlgorithm::Hs512,
        }
    }

    fn tag(&self, message: &[u8]) -> Vec<u8> {
        match &self.state {
            State::Sha256(state) => state.clone().chain_update(message).finalize().into_bytes().to_vec(),
            State::Sha384(state) => state.clone().chain_update(message).finalize().into_bytes().to_vec(),
            State::Sha512(state) => state.clone().chain_update(message).finalize().into_bytes().to_vec(),
        }
    }

    /// Whole tags only; the comparison is `subtle`'s.
    fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        match &self.state {
            State::Sha256(state) => state.clone().chain_update(message).verify_slice(tag).is_ok(),
            State::Sha384(state) => state.clone().chain_update(message).verify_slice(tag).is_ok(),
            State::Sha512(state) => state.clone().chain_update(message).verify_slice(tag).is_ok(),
        }
    }
}
