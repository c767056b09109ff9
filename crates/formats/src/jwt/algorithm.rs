//! The signature algorithms `SimpleJWT` can be set to.

use std::fmt;
use std::str::FromStr;

/// A name `SimpleJWT` 5.5 accepts in `ALGORITHM`. Sources: RFC 7518 §3.1, RFC 8037, RFC 8812; `ES521` is `PyJWT`'s alias of
/// `ES512`, and the header then says `ES521`. `none` is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-2.
    Hmac(HmacAlgorithm),
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    Rs512,
    /// RSA PSS with SHA-256.
    Ps256,
    /// RSA PSS with SHA-384.
    Ps384,
    /// RSA PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on secp256k1 with SHA-256.
    Es256K,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// `ES512` under `PyJWT`'s older name.
    Es521,
    /// Ed25519. **Differs:** the original takes Ed448 as well.
    EdDsa,
}

/// The algorithms whose key is a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HmacAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

/// A name that is no algorithm (`SimpleJWT` 5.5 `TokenBackend._validate_algorithm`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unrecognized algorithm type {0:?}")]
pub struct AlgorithmError(String);

const NAMES: [(Algorithm, &str); 15] = [
    (Algorithm::Hmac(HmacAlgorithm::Hs256), "HS256"),
    (Algorithm::Hmac(HmacAlgorithm::Hs384), "HS384"),
    (Algorithm::Hmac(HmacAlgorithm::Hs512), "HS512"),
    (Algorithm::Rs256, "RS256"),
    (Algorithm::Rs384, "RS384"),
    (Algorithm::Rs512, "RS512"),
    (Algorithm::Ps256, "PS256"),
    (Algorithm::Ps384, "PS384"),
    (Algorithm::Ps512, "PS512"),
    (Algorithm::Es256, "ES256"),
    (Algorithm::Es256K, "ES256K"),
    (Algorithm::Es384, "ES384"),
    (Algorithm::Es512, "ES512"),
    (Algorithm::Es521, "ES521"),
    (Algorithm::EdDsa, "EdDSA"),
];

impl Algorithm {
    /// The name, as in a token's `alg`.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(algorithm, _)| *algorithm == self).map_or("", |(_, name)| name)
    }

    /// The name that RFC 7518 gives it: `ES512` for `PyJWT`'s alias `ES521`.
    pub fn registered_name(self) -> &'static str {
        if self == Self::Es521 { Self::Es512.name() } else { self.name() }
    }

    /// The algorithm as one with a shared secret.
    pub fn hmac(self) -> Option<HmacAlgorithm> {
        match self {
            Self::Hmac(algorithm) => Some(algorithm),
            _ => None,
        }
    }

    /// Whether the key is a shared secret, not a pair.
    pub fn is_hmac(self) -> bool {
        self.hmac().is_some()
    }
}

impl FromStr for Algorithm {
    type Err = AlgorithmError;

    /// Names are compared exactly, case included.
    fn from_str(name: &str) -> Result<Self, AlgorithmError> {
        let known = NAMES.iter().find(|(_, known)| *known == name);
        known.map(|(algorithm, _)| *algorithm).ok_or_else(|| AlgorithmError(name.to_owned()))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl HmacAlgorithm {
    /// The name, as in a token's `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// Bytes of the hash: a secret should have at least as many (RFC 7518 §3.2).
    pub fn hash_len(self) -> usize {
        match self {
            Self::Hs256 => 32,
            Self::Hs384 => 48,
            Self::Hs512 => 64,
        }
    }
}

impl From<HmacAlgorithm> for Algorithm {
    fn from(algorithm: HmacAlgorithm) -> Self {
        Self::Hmac(algorithm)
    }
}
