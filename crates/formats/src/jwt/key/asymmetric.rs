//! Key pairs bound to an algorithm: RSA, ECDSA and Ed25519 of AWS-LC, which are constant in time. What signatures need of
//! randomness (PSS salts, ECDSA nonces) AWS-LC draws itself.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, Ed25519KeyPair, KeyPair as _,
    ParsedPublicKey, RsaEncoding, RsaKeyPair, RsaParameters, RsaPublicKeyComponents,
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::der::{self, Reader};
use super::material::{Curve, PrivateMaterial, PublicMaterial};
use super::roca;
use super::{Algorithm, KeyError};

/// A public key that checks signatures of one algorithm.
#[derive(Clone)]
pub(super) struct PublicKey {
    parsed: Arc<ParsedPublicKey>,
    pub(super) material: Arc<PublicMaterial>,
}

/// A private key that makes signatures of one algorithm.
#[derive(Clone)]
pub(super) struct PrivateKey {
    signer: Signer,
    pub(super) public: PublicKey,
    /// A digest of the private part: what other keys are derived from.
    pub(super) root: Arc<Zeroizing<[u8; 32]>>,
}

#[derive(Clone)]
enum Signer {
    Rsa(Arc<RsaKeyPair>, &'static dyn RsaEncoding),
    Ecdsa(Arc<EcdsaKeyPair>),
    Ed25519(Arc<Ed25519KeyPair>),
}

/// What an algorithm is made of in AWS-LC. The salt of PSS is as long as the digest, in signing and checking.
enum Suite {
    Rsa(&'static RsaParameters, &'static dyn RsaEncoding),
    Ecdsa(Curve, &'static EcdsaVerificationAlgorithm, &'static EcdsaSigningAlgorithm),
    Ed25519,
}

impl Suite {
    /// `None` for shared secrets.
    fn of(algorithm: Algorithm) -> Option<Self> {
        use signature as s;
        Some(match algorithm {
            Algorithm::Hmac(_) => return None,
            Algorithm::Rs256 => Self::Rsa(&s::RSA_PKCS1_2048_8192_SHA256, &s::RSA_PKCS1_SHA256),
            Algorithm::Rs384 => Self::Rsa(&s::RSA_PKCS1_2048_8192_SHA384, &s::RSA_PKCS1_SHA384),
            Algorithm::Rs512 => Self::Rsa(&s::RSA_PKCS1_2048_8192_SHA512, &s::RSA_PKCS1_SHA512),
            Algorithm::Ps256 => Self::Rsa(&s::RSA_PSS_2048_8192_SHA256, &s::RSA_PSS_SHA256),
            Algorithm::Ps384 => Self::Rsa(&s::RSA_PSS_2048_8192_SHA384, &s::RSA_PSS_SHA384),
            Algorithm::Ps512 => Self::Rsa(&s::RSA_PSS_2048_8192_SHA512, &s::RSA_PSS_SHA512),
            Algorithm::Es256 => {
                Self::Ecdsa(Curve::P256, &s::ECDSA_P256_SHA256_FIXED, &s::ECDSA_P256_SHA256_FIXED_SIGNING)
            }
            Algorithm::Es384 => {
                Self::Ecdsa(Curve::P384, &s::ECDSA_P384_SHA384_FIXED, &s::ECDSA_P384_SHA384_FIXED_SIGNING)
            }
            Algorithm::Es512 | Algorithm::Es521 => {
                Self::Ecdsa(Curve::P521, &s::ECDSA_P521_SHA512_FIXED, &s::ECDSA_P521_SHA512_FIXED_SIGNING)
            }
            Algorithm::Es256K => {
                Self::Ecdsa(Curve::Secp256k1, &s::ECDSA_P256K1_SHA256_FIXED, &s::ECDSA_P256K1_SHA256_FIXED_SIGNING)
            }
            Algorithm::EdDsa => Self::Ed25519,
        })
    }

    fn wanted(&self) -> &'static str {
        match self {
            Self::Rsa(..) => "an RSA key",
            Self::Ecdsa(curve, ..) => curve.kind(),
            Self::Ed25519 => "an Ed25519 key",
        }
    }
}

fn wrong_kind(algorithm: Algorithm, found: &'static str) -> KeyError {
    let wanted = Suite::of(algorithm).map_or("a shared secret", |suite| suite.wanted());
    KeyError::WrongKind { algorithm, wanted, found }
}

impl PublicKey {
    pub(super) fn new(algorithm: Algorithm, material: PublicMaterial) -> Result<Self, KeyError> {
        let parsed = match (Suite::of(algorithm), &material) {
            (Some(Suite::Rsa(parameters, _)), PublicMaterial::Rsa { n, e }) => {
                check_rsa(n, e)?;
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).map_err(|_| KeyError::Invalid("RSA"))
            }
            (Some(Suite::Ecdsa(wanted, parameters, _)), PublicMaterial::Ec { curve, point }) if *curve == wanted => {
                ParsedPublicKey::new(parameters, point).map_err(|_| KeyError::Invalid("EC"))
            }
            (Some(Suite::Ed25519), PublicMaterial::Ed25519(key)) => {
                ParsedPublicKey::new(&signature::ED25519, key).map_err(|_| KeyError::Invalid("Ed25519"))
            }
            _ => return Err(wrong_kind(algorithm, material.kind())),
        };
        Ok(Self { parsed: Arc::new(parsed?), material: Arc::new(material) })
    }

    /// Exact lengths: an ECDSA signature is r‖s (RFC 7518 §3.4), never DER.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

impl PrivateKey {
    pub(super) fn new(algorithm: Algorithm, material: PrivateMaterial) -> Result<Self, KeyError> {
        let kind = material.kind();
        let (signer, public, root) = match (Suite::of(algorithm), material) {
            (Some(Suite::Rsa(_, encoding)), PrivateMaterial::Rsa(der)) => {
                let public = rsa_public(&der)?;
                if let PublicMaterial::Rsa { n, e } = &public {
                    check_rsa(n, e)?;
                }
                let key = RsaKeyPair::from_der(&der).map_err(|_| KeyError::Invalid("RSA"))?;
                (Signer::Rsa(Arc::new(key), encoding), public, digest(&der))
            }
            (Some(Suite::Ecdsa(wanted, _, parameters)), PrivateMaterial::Ec { curve, scalar, point })
                if curve == wanted =>
            {
                let key = ecdsa(parameters, &scalar)?;
                let found = key.public_key().as_ref().to_vec();
                if point.is_some_and(|given| given != found) {
                    return Err(KeyError::Invalid("EC"));
                }
                (Signer::Ecdsa(Arc::new(key)), PublicMaterial::ec(curve, &found)?, digest(&scalar))
            }
            (Some(Suite::Ed25519), PrivateMaterial::Ed25519 { seed, public }) => {
                let key = match public {
                    Some(public) => Ed25519KeyPair::from_seed_and_public_key(&*seed, &public),
                    None => Ed25519KeyPair::from_seed_unchecked(&*seed),
                };
                let key = key.map_err(|_| KeyError::Invalid("Ed25519"))?;
                let public = PublicMaterial::ed25519(key.public_key().as_ref())?;
                (Signer::Ed25519(Arc::new(key)), public, digest(&*seed))
            }
            _ => return Err(wrong_kind(algorithm, kind)),
        };
        Ok(Self { signer, public: PublicKey::new(algorithm, public)?, root: Arc::new(root) })
    }

    pub(super) fn signature(&self, message: &[u8]) -> Vec<u8> {
        const SIGNS: &str = "AWS-LC signs with a key that it has checked";
        match &self.signer {
            Signer::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &SystemRandom::new(), message, &mut signature).expect(SIGNS);
                signature
            }
            Signer::Ecdsa(key) => key.sign(&SystemRandom::new(), message).expect(SIGNS).as_ref().to_vec(),
            Signer::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }
}

fn digest(private: &[u8]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::digest(private).into())
}

/// RFC 7518 §3.3 and RFC 8017 §3.1; `n` and `e` without leading zeros.
fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), KeyError> {
    let bits = |number: &[u8]| number.first().map_or(0, |&first| number.len() * 8 - first.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits(n)) {
        return Err(KeyError::RsaSize(bits(n)));
    }
    let is_odd = e.last().is_some_and(|last| last % 2 == 1);
    if !is_odd || e == [1] || bits(e) > 33 {
        return Err(KeyError::RsaExponent);
    }
    if roca::is_vulnerable(n) {
        return Err(KeyError::Roca);
    }
    Ok(())
}

/// The public part of `RSAPrivateKey` (RFC 8017 §A.1.2); two primes.
fn rsa_public(der: &[u8]) -> Result<PublicMaterial, KeyError> {
    let mut key = Reader::sequence(der)?;
    if key.version()? != 0 {
        return Err(KeyError::Malformed("it is an RSA key of more than two primes"));
    }
    Ok(PublicMaterial::rsa(key.positive()?, key.positive()?))
}

/// AWS-LC computes the point of an `ECPrivateKey` (RFC 5915 §3) that has none.
fn ecdsa(parameters: &'static EcdsaSigningAlgorithm, scalar: &[u8]) -> Result<EcdsaKeyPair, KeyError> {
    let mut members = Zeroizing::new(Vec::with_capacity(scalar.len() + 8));
    der::put(&mut members, der::INTEGER, &[1]);
    der::put(&mut members, der::OCTET_STRING, scalar);
    let mut key = Zeroizing::new(Vec::with_capacity(members.len() + 4));
    der::put(&mut key, der::SEQUENCE, &members);
    EcdsaKeyPair::from_private_key_der(parameters, &key).map_err(|_| KeyError::Invalid("EC"))
}
