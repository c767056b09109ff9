//! JSON web keys and key sets (RFC 7517; RFC 7518 §6, RFC 8037 §2, RFC 8812 §3 for their members).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::der;
use super::material::{Curve, Material, PrivateMaterial, PublicMaterial};
use super::{Algorithm, HmacAlgorithm, HmacSecret, KeyError, VerifyingKey};
use crate::json::{self, NonFinite, Object, Value};

/// Keys that a set may have.
const MAX_KEYS: usize = 64;
/// Bytes of a `kid`.
const MAX_KID: usize = 256;

/// A JSON web key as read.
pub(super) struct Jwk {
    pub(super) material: Material,
    pub(super) kid: Option<String>,
    /// What `alg` says.
    algorithm: Option<String>,
}

/// The keys of a set that check tokens.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// Those that can be used.
    pub keys: Vec<VerifyingKey>,
    /// Why others cannot, each under its `kid` if it has one.
    pub skipped: Vec<(Option<String>, KeyError)>,
}

impl KeySet {
    /// Reads a key set (RFC 7517 §5). A key's algorithm is what its `alg` says, else `default`, else the only one of its kind
    /// (an EC curve, Ed25519). Keys that cannot be used are skipped, as RFC 7517 §5 and `PyJWT` 2.15 `PyJWKSet` have it. A
    /// key with a `kid` is used for the tokens that name it.
    ///
    /// # Errors
    /// [`KeyError::NotASet`], [`KeyError::RepeatedKid`] or [`KeyError::MixedSet`]: whose key would be meant is not sure then.
    pub fn read(text: &str, default: Option<Algorithm>) -> Result<Self, KeyError> {
        let Ok(Value::Object(set)) = json::parse(text, NonFinite::Refuse) else {
            return Err(KeyError::NotASet(MAX_KEYS));
        };
        let Some(Value::Array(members)) = set.get("keys").filter(|_| !set.had_duplicates()) else {
            return Err(KeyError::NotASet(MAX_KEYS));
        };
        if members.len() > MAX_KEYS {
            return Err(KeyError::NotASet(MAX_KEYS));
        }
        let (mut keys, mut skipped): (Vec<VerifyingKey>, _) = (Vec::new(), Vec::new());
        for member in members {
            match verifying(member, default) {
                Ok(key) => keys.push(key),
                Err(error) => skipped.push((kid_of(member), error)),
            }
        }
        let names: Vec<_> = members.iter().filter_map(named).collect();
        if names.iter().enumerate().any(|(place, name)| names[..place].contains(name)) {
            return Err(KeyError::RepeatedKid);
        }
        let secrets = keys.iter().filter(|key| key.algorithm().is_hmac()).count();
        if secrets != 0 && secrets != keys.len() {
            return Err(KeyError::MixedSet);
        }
        Ok(Self { keys, skipped })
    }
}

/// The `kid` of a member and the `alg` it is for: of two that share them nobody could say which is meant, whether both can be
/// used or not.
fn named(member: &Value) -> Option<(String, Option<&str>)> {
    let algorithm = member.as_object()?.get("alg").and_then(Value::as_str);
    kid_of(member).map(|kid| (kid, algorithm))
}

fn kid_of(member: &Value) -> Option<String> {
    member.as_object()?.get("kid")?.as_str().map(ToOwned::to_owned)
}

fn verifying(member: &Value, default: Option<Algorithm>) -> Result<VerifyingKey, KeyError> {
    let jwk = of_value(member)?;
    let algorithm = jwk.algorithm(default)?;
    let key = match (&jwk.material, algorithm) {
        (Material::Secret(bytes), Algorithm::Hmac(hmac)) => secret(bytes, hmac)?,
        _ => VerifyingKey::of_material(algorithm, jwk.material)?,
    };
    Ok(match jwk.kid {
        Some(kid) => key.named(kid),
        None => key,
    })
}

fn secret(bytes: &[u8], algorithm: HmacAlgorithm) -> Result<VerifyingKey, KeyError> {
    let secret = HmacSecret::new(bytes)?;
    if secret.is_short_for(algorithm) {
        let (wanted, found) = (algorithm.hash_len(), secret.len());
        return Err(KeyError::ShortSecret { algorithm: algorithm.into(), wanted, found });
    }
    Ok(VerifyingKey::hmac(algorithm, &secret))
}

/// Reads the text of one key.
pub(super) fn read(text: &str) -> Result<Jwk, KeyError> {
    let value = json::parse(text, NonFinite::Refuse).map_err(|_| KeyError::Malformed("it is not JSON"))?;
    if value.as_object().is_some_and(|object| object.contains("keys")) {
        return Err(KeyError::Set);
    }
    of_value(&value)
}

impl Jwk {
    /// The algorithm that is bound to the key.
    fn algorithm(&self, default: Option<Algorithm>) -> Result<Algorithm, KeyError> {
        if let Some(name) = &self.algorithm {
            return name.parse().map_err(|_| KeyError::OtherAlgorithm(name.clone()));
        }
        match (default, &self.material) {
            (Some(algorithm), _) => Ok(algorithm),
            (None, Material::Public(PublicMaterial::Ec { curve, .. })) => Ok(of_curve(*curve)),
            (None, Material::Public(PublicMaterial::Ed25519(_))) => Ok(Algorithm::EdDsa),
            (None, _) => Err(KeyError::Member("alg")),
        }
    }

    /// Refuses a key that says it is for another algorithm.
    pub(super) fn check_algorithm(&self, algorithm: Algorithm) -> Result<(), KeyError> {
        match &self.algorithm {
            Some(name) if name != algorithm.name() => Err(KeyError::OtherAlgorithm(name.clone())),
            _ => Ok(()),
        }
    }
}

fn of_curve(curve: Curve) -> Algorithm {
    match curve {
        Curve::P256 => Algorithm::Es256,
        Curve::P384 => Algorithm::Es384,
        Curve::P521 => Algorithm::Es512,
        Curve::Secp256k1 => Algorithm::Es256K,
    }
}

fn of_value(value: &Value) -> Result<Jwk, KeyError> {
    let object = match value {
        Value::Object(object) if !object.had_duplicates() => object,
        _ => return Err(KeyError::Malformed("it is not a JSON object of distinct names")),
    };
    if !is_for_signatures(object)? {
        return Err(KeyError::Use);
    }
    let kid = match object.get("kid") {
        None => None,
        Some(kid) => match kid.as_str() {
            Some(kid) if !kid.is_empty() && kid.len() <= MAX_KID => Some(kid.to_owned()),
            _ => return Err(KeyError::Member("kid")),
        },
    };
    let algorithm = match object.get("alg") {
        None => None,
        Some(name) => Some(name.as_str().ok_or(KeyError::Member("alg"))?.to_owned()),
    };
    Ok(Jwk { material: material(object)?, kid, algorithm })
}

/// RFC 7517 §4.2, §4.3.
fn is_for_signatures(object: &Object) -> Result<bool, KeyError> {
    if let Some(purpose) = object.get("use")
        && purpose.as_str() != Some("sig")
    {
        return Ok(false);
    }
    match object.get("key_ops") {
        None => Ok(true),
        Some(Value::Array(operations)) => {
            Ok(operations.iter().any(|operation| matches!(operation.as_str(), Some("verify" | "sign"))))
        }
        Some(_) => Err(KeyError::Member("key_ops")),
    }
}

fn material(object: &Object) -> Result<Material, KeyError> {
    let is_private = object.contains("d");
    match text(object, "kty")? {
        "oct" => Ok(Material::Secret(bytes(object, "k")?)),
        "RSA" if is_private => rsa_private(object).map(Material::Private),
        "RSA" => Ok(Material::Public(PublicMaterial::rsa(&bytes(object, "n")?, &bytes(object, "e")?))),
        "EC" => {
            let curve = text(object, "crv")?;
            let curve = Curve::ALL.into_iter().find(|known| known.name() == curve);
            let curve = curve.ok_or(KeyError::UnsupportedKind("a key on a curve that no algorithm has"))?;
            let point = point(object, curve)?;
            if is_private {
                let scalar = bytes(object, "d")?;
                if scalar.len() != curve.field_len() {
                    return Err(KeyError::Member("d"));
                }
                return PrivateMaterial::ec(curve, &scalar, Some(&point)).map(Material::Private);
            }
            PublicMaterial::ec(curve, &point).map(Material::Public)
        }
        "OKP" => match text(object, "crv")? {
            "Ed25519" if is_private => {
                PrivateMaterial::ed25519(&bytes(object, "d")?, Some(&bytes(object, "x")?)).map(Material::Private)
            }
            "Ed25519" => PublicMaterial::ed25519(&bytes(object, "x")?).map(Material::Public),
            "Ed448" => Err(KeyError::UnsupportedKind("an Ed448 key")),
            _ => Err(KeyError::UnsupportedKind("a key of a kind that signs no tokens")),
        },
        _ => Err(KeyError::UnsupportedKind("a key of a kind that signs no tokens")),
    }
}

/// RFC 7518 §6.2.1.2: both coordinates in the full length of the field.
fn point(object: &Object, curve: Curve) -> Result<Vec<u8>, KeyError> {
    let mut point = vec![4];
    for name in ["x", "y"] {
        let coordinate = bytes(object, name)?;
        if coordinate.len() != curve.field_len() {
            return Err(KeyError::Member(name));
        }
        point.extend_from_slice(&coordinate);
    }
    Ok(point)
}

/// RFC 7518 §6.3.2, all parts of a key of two primes, as `RSAPrivateKey` (RFC 8017 §A.1.2).
fn rsa_private(object: &Object) -> Result<PrivateMaterial, KeyError> {
    let mut numbers = Zeroizing::new(Vec::with_capacity(2048));
    der::put_positive(&mut numbers, &[0]);
    for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        der::put_positive(&mut numbers, &bytes(object, name)?);
    }
    let mut key = Zeroizing::new(Vec::with_capacity(numbers.len() + 4));
    der::put(&mut key, der::SEQUENCE, &numbers);
    Ok(PrivateMaterial::Rsa(key))
}

fn text<'o>(object: &'o Object, name: &'static str) -> Result<&'o str, KeyError> {
    object.get(name).and_then(Value::as_str).ok_or(KeyError::Member(name))
}

/// At most 2048 bytes in base64url.
fn bytes(object: &Object, name: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = text(object, name)?;
    let bytes = if text.len() <= 2732 { URL_SAFE_NO_PAD.decode(text).ok() } else { None };
    bytes.map(Zeroizing::new).ok_or(KeyError::Member(name))
}

impl PublicMaterial {
    /// The members of the key, in the order of their names: those that RFC 7638 §3.2 digests.
    fn members(&self) -> Vec<(&'static str, String)> {
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa { n, e } => vec![("e", base64(e)), ("kty", "RSA".to_owned()), ("n", base64(n))],
            Self::Ec { curve, point } => {
                let (x, y) = point[1..].split_at(curve.field_len());
                let (crv, kty) = (curve.name().to_owned(), "EC".to_owned());
                vec![("crv", crv), ("kty", kty), ("x", base64(x)), ("y", base64(y))]
            }
            Self::Ed25519(key) => {
                vec![("crv", "Ed25519".to_owned()), ("kty", "OKP".to_owned()), ("x", base64(key))]
            }
        }
    }

    /// The JSON web key (RFC 7517 §4), for tokens of `algorithm` that name it `kid`.
    pub(super) fn to_jwk(&self, algorithm: Algorithm, kid: &str) -> Object {
        let mut jwk = Object::new();
        for (name, value) in self.members() {
            jwk.set(name, value);
        }
        jwk.set("alg", algorithm.registered_name());
        jwk.set("kid", kid);
        jwk.set("use", "sig");
        jwk
    }

    /// The thumbprint (RFC 7638) under SHA-256, in base64url.
    pub(super) fn thumbprint(&self) -> String {
        let members: Object = self.members().into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        URL_SAFE_NO_PAD.encode(Sha256::digest(json::object_to_compact_ascii(&members)))
    }
}
