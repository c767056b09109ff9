//! Keys that know their algorithm.

mod asymmetric;
mod der;
mod error;
mod hmac;
mod jwk;
mod material;
mod roca;
mod text;

use std::fmt;

use ::hmac::{Hmac, KeyInit as _, Mac as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::Sha256;
use zeroize::Zeroizing;

use self::asymmetric::{PrivateKey, PublicKey};
use self::hmac::HmacKey;
use self::material::{Curve, Material, PrivateMaterial};
use super::{Algorithm, HmacAlgorithm, HmacSecret, SecretError};
use crate::json::Object;

pub use self::error::KeyError;
pub use self::jwk::KeySet;

/// A key that signs. It owns its algorithm: nothing a token says can change it (RFC 8725 §3.1).
#[derive(Clone)]
pub struct SigningKey {
    algorithm: Algorithm,
    kid: Option<String>,
    header: String,
    kind: Signing,
}

/// A key that checks signatures, under its own algorithm only.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: Option<String>,
    demands_kid: bool,
    header: String,
    kind: Verifying,
}

#[derive(Clone)]
enum Signing {
    Hmac(Box<HmacKey>),
    Pair(PrivateKey),
}

#[derive(Clone)]
enum Verifying {
    Hmac(Box<HmacKey>),
    Public(PublicKey),
}

impl SigningKey {
    /// A key for HS256, HS384 or HS512.
    #[must_use]
    pub fn hmac(algorithm: HmacAlgorithm, secret: &HmacSecret) -> Self {
        Self::new(algorithm.into(), Signing::Hmac(HmacKey::new(algorithm, secret).into()))
    }

    /// Reads a private key for `algorithm`: PEM with PKCS#8, PKCS#1 or SEC1 inside, or a JSON web key. The key's kind, curve and
    /// size must be the algorithm's, and its parts must fit together.
    ///
    /// # Errors
    /// [`KeyError`]; for an HMAC algorithm too, whose secrets [`HmacSecret::new`] takes.
    pub fn read(algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        match text::read(text, algorithm)? {
            Material::Private(material) => {
                Ok(Self::new(algorithm, Signing::Pair(PrivateKey::new(algorithm, material)?)))
            }
            Material::Public(_) => Err(KeyError::Public),
            Material::Secret(_) => Err(KeyError::UnsupportedKind("a shared secret")),
        }
    }

    /// Makes a key for `EdDSA` or `ES256` of 32 random bytes, its seed: one seed, one key. `None` for other algorithms, and for one
    /// seed in 2^32 under `ES256`, which are no scalar of its curve.
    #[must_use]
    pub fn from_seed(algorithm: Algorithm, seed: &[u8; 32]) -> Option<Self> {
        let material = match algorithm {
            Algorithm::EdDsa => PrivateMaterial::ed25519(seed, None),
            Algorithm::Es256 => PrivateMaterial::ec(Curve::P256, seed, None),
            _ => return None,
        };
        let key = PrivateKey::new(algorithm, material.ok()?).ok()?;
        Some(Self::new(algorithm, Signing::Pair(key)))
    }

    /// The same key under a name, which its tokens carry as `kid` (RFC 7515 §4.1.4).
    #[must_use]
    pub fn named(self, kid: impl Into<String>) -> Self {
        let kid = kid.into();
        Self { header: header(self.algorithm, Some(&kid)), kid: Some(kid), ..self }
    }

    /// The algorithm this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What its tokens carry as `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The key that checks what this one signs, of the same name.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        let kind = match &self.kind {
            Signing::Hmac(key) => Verifying::Hmac(key.clone()),
            Signing::Pair(key) => Verifying::Public(key.public.clone()),
        };
        VerifyingKey {
            algorithm: self.algorithm,
            kid: self.kid.clone(),
            demands_kid: false,
            header: self.header.clone(),
            kind,
        }
    }

    /// A key for another purpose, which tells nothing of this one (NIST SP 800-108 in its simplest form: the tag of a label). No
    /// label is the input of a signature: those are base64url with a full stop.
    #[must_use]
    pub fn derived(&self, purpose: &str) -> DerivedKey {
        const TAKES: &str = "HMAC takes keys of any length";
        let mut label = b"countersign\0".to_vec();
        label.extend_from_slice(purpose.as_bytes());
        let key = Zeroizing::new(match &self.kind {
            Signing::Hmac(key) => key.tag(&label),
            Signing::Pair(key) => {
                let root: Hmac<Sha256> = Hmac::new_from_slice(&**key.root).expect(TAKES);
                root.chain_update(&label).finalize().into_bytes().to_vec()
            }
        });
        DerivedKey(Hmac::new_from_slice(&key).expect(TAKES))
    }

    fn new(algorithm: Algorithm, kind: Signing) -> Self {
        Self { algorithm, kid: None, header: header(algorithm, None), kind }
    }

    /// `{"alg":"…","typ":"JWT"}` in base64url, with the `kid` between the two.
    pub(super) fn header(&self) -> &str {
        &self.header
    }

    pub(super) fn signature(&self, message: &[u8]) -> Vec<u8> {
        match &self.kind {
            Signing::Hmac(key) => key.tag(message),
            Signing::Pair(key) => key.signature(message),
        }
    }
}

impl VerifyingKey {
    /// A key for HS256, HS384 or HS512.
    #[must_use]
    pub fn hmac(algorithm: HmacAlgorithm, secret: &HmacSecret) -> Self {
        Self::new(algorithm.into(), Verifying::Hmac(HmacKey::new(algorithm, secret).into()))
    }

    /// Reads a public key for `algorithm`: PEM with SPKI or PKCS#1 inside, an OpenSSH line, or a JSON web key. As in `PyJWT`, a
    /// private EC or Ed25519 key does for its public one, and certificates do not.
    ///
    /// # Errors
    /// [`KeyError`]; for an HMAC algorithm too, whose secrets [`HmacSecret::new`] takes.
    pub fn read(algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        Self::of_material(algorithm, text::read(text, algorithm)?)
    }

    fn of_material(algorithm: Algorithm, material: Material) -> Result<Self, KeyError> {
        let key = match material {
            Material::Public(material) => PublicKey::new(algorithm, material)?,
            Material::Private(PrivateMaterial::Rsa(_)) => return Err(KeyError::Private),
            Material::Private(material) => PrivateKey::new(algorithm, material)?.public,
            Material::Secret(_) => return Err(KeyError::UnsupportedKind("a shared secret")),
        };
        Ok(Self::new(algorithm, Verifying::Public(key)))
    }

    /// The same key under a name: tokens whose `kid` names another are not checked with it.
    #[must_use]
    pub fn named(self, kid: impl Into<String>) -> Self {
        let kid = kid.into();
        Self { header: header(self.algorithm, Some(&kid)), kid: Some(kid), ..self }
    }

    /// The same key for tokens that name it alone; those without a `kid` are not checked with it either.
    #[must_use]
    pub fn demanding_kid(self) -> Self {
        Self { demands_kid: true, ..self }
    }

    /// The same key without a name: it checks whatever `kid` a token carries.
    #[must_use]
    pub fn unnamed(self) -> Self {
        Self { header: header(self.algorithm, None), kid: None, ..self }
    }

    /// The only algorithm this key checks.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its name.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether this is the public half of `other`, under one algorithm.
    pub fn belongs_to(&self, other: &SigningKey) -> bool {
        match (&self.kind, &other.kind) {
            (Verifying::Public(key), Signing::Pair(pair)) => {
                self.algorithm == other.algorithm && key.material == pair.public.material
            }
            _ => false,
        }
    }

    /// The public part as a JSON web key, under its name or else its thumbprint; `None` of a shared secret, which is never
    /// published.
    pub fn to_public_jwk(&self) -> Option<Object> {
        match &self.kind {
            Verifying::Hmac(_) => None,
            Verifying::Public(key) => {
                let kid = self.kid.clone().unwrap_or_else(|| key.material.thumbprint());
                Some(key.material.to_jwk(self.algorithm, &kid))
            }
        }
    }

    /// The public part as PEM with SPKI inside (RFC 7468 §13), which every library reads; `None` of a shared secret.
    pub fn to_pem(&self) -> Option<String> {
        match &self.kind {
            Verifying::Hmac(_) => None,
            Verifying::Public(key) => Some(text::to_pem(&key.material)),
        }
    }

    /// RFC 7638 under SHA-256, in base64url; `None` of a shared secret.
    pub fn thumbprint(&self) -> Option<String> {
        match &self.kind {
            Verifying::Hmac(_) => None,
            Verifying::Public(key) => Some(key.material.thumbprint()),
        }
    }

    fn new(algorithm: Algorithm, kind: Verifying) -> Self {
        Self { algorithm, kid: None, demands_kid: false, header: header(algorithm, None), kind }
    }

    /// The header most tokens for this key have, in base64url: as [`SigningKey::header`].
    pub(super) fn usual_header(&self) -> &str {
        &self.header
    }

    /// Whether a token of this `alg` and `kid` can be one of this key's.
    pub(super) fn fits(&self, algorithm: &str, kid: Option<&str>) -> bool {
        self.algorithm.name() == algorithm
            && match (&self.kid, kid) {
                (Some(name), Some(kid)) => name == kid,
                _ => !self.demands_kid,
            }
    }

    /// Whether `signature` is that of `message`. Secrets and tags are compared in constant time.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.kind {
            Verifying::Hmac(key) => key.verifies(message, signature),
            Verifying::Public(key) => key.verifies(message, signature),
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
        write!(f, "SigningKey({}, ..)", self.algorithm)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, ..)", self.algorithm)
    }
}

/// The members in the order of their names, compact, as `PyJWT` writes them; in base64url.
fn header(algorithm: Algorithm, kid: Option<&str>) -> String {
    let mut header = Object::new();
    header.set("alg", algorithm.name());
    if let Some(kid) = kid {
        header.set("kid", kid);
    }
    header.set("typ", "JWT");
    URL_SAFE_NO_PAD.encode(crate::json::object_to_compact_ascii(&header))
}

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
