//! Keys as text: PEM (RFC 7468) with SPKI, PKCS#8, PKCS#1 or SEC1 inside, and OpenSSH public key lines (RFC 4253 §6.6,
//! RFC 5656 §3.1, RFC 8709 §4). What `PyJWT` 2.15 `prepare_key` takes, less encrypted keys and OpenSSH's private format.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::der::{self, Reader};
use super::material::{Curve, Material, PrivateMaterial, PublicMaterial};
use super::{Algorithm, KeyError, jwk};

/// Reads a key in any of its text forms; a JSON web key must not say that it is for another algorithm.
pub(super) fn read(text: &str, algorithm: Algorithm) -> Result<Material, KeyError> {
    let text = text.trim_ascii();
    if text.starts_with('{') {
        let jwk = jwk::read(text)?;
        jwk.check_algorithm(algorithm)?;
        return Ok(jwk.material);
    }
    if ["ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-"].iter().any(|start| text.starts_with(start)) {
        return open_ssh(text).map(Material::Public);
    }
    pem(text)
}

/// The first block that is a key. `openssl ecparam` writes the curve in a block before it.
fn pem(text: &str) -> Result<Material, KeyError> {
    let mut rest = text;
    while let Some(begin) = rest.find("-----BEGIN ") {
        let block = &rest[begin + 11..];
        let (label, body) = block.split_once("-----").ok_or(KeyError::NotAKey)?;
        let end = format!("-----END {label}-----");
        let (body, after) = body.split_once(&end).ok_or(KeyError::Malformed("its PEM block has no end"))?;
        rest = after;
        let der = || {
            if body.contains("Proc-Type:") {
                return Err(KeyError::Encrypted);
            }
            let bare = Zeroizing::new(body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<u8>>());
            STANDARD.decode(&*bare).map(Zeroizing::new).map_err(|_| KeyError::Malformed("its PEM block is not base64"))
        };
        return match label {
            "PUBLIC KEY" => subject_public_key_info(&der()?).map(Material::Public),
            "RSA PUBLIC KEY" => rsa_public(&der()?).map(Material::Public),
            "PRIVATE KEY" => pkcs8(&der()?).map(Material::Private),
            "RSA PRIVATE KEY" => Ok(Material::Private(PrivateMaterial::Rsa(der()?))),
            "EC PRIVATE KEY" => ec_private(&der()?, None).map(Material::Private),
            "EC PARAMETERS" => continue,
            "ENCRYPTED PRIVATE KEY" => Err(KeyError::Encrypted),
            "OPENSSH PRIVATE KEY" => Err(KeyError::OpenSshPrivate),
            "CERTIFICATE" | "TRUSTED CERTIFICATE" => Err(KeyError::Certificate),
            _ => Err(KeyError::NotAKey),
        };
    }
    Err(KeyError::NotAKey)
}

const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
const RSA_PSS: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A];
const EC: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
const ED25519: &[u8] = &[0x2B, 0x65, 0x70];
const ED448: &[u8] = &[0x2B, 0x65, 0x71];

/// `SubjectPublicKeyInfo` (RFC 5280 §4.1, RFC 5480, RFC 8410).
fn subject_public_key_info(der: &[u8]) -> Result<PublicMaterial, KeyError> {
    let mut info = Reader::sequence(der)?;
    let mut algorithm = Reader::over(info.take(der::SEQUENCE)?);
    let key = info.bits()?;
    info.end()?;
    match algorithm.take(der::OBJECT_IDENTIFIER)? {
        RSA => rsa_public(key),
        EC => PublicMaterial::ec(named_curve(algorithm.take(der::OBJECT_IDENTIFIER)?)?, key),
        ED25519 => PublicMaterial::ed25519(key),
        other => Err(unsupported(other)),
    }
}

/// `RSAPublicKey` (RFC 8017 §A.1.1).
fn rsa_public(der: &[u8]) -> Result<PublicMaterial, KeyError> {
    let mut key = Reader::sequence(der)?;
    let (n, e) = (key.positive()?, key.positive()?);
    key.end()?;
    Ok(PublicMaterial::rsa(n, e))
}

/// `OneAsymmetricKey` (RFC 5958 §2), which has `PrivateKeyInfo` (RFC 5208) inside it.
fn pkcs8(der: &[u8]) -> Result<PrivateMaterial, KeyError> {
    let mut info = Reader::sequence(der)?;
    info.version()?;
    let mut algorithm = Reader::over(info.take(der::SEQUENCE)?);
    let key = info.take(der::OCTET_STRING)?;
    match algorithm.take(der::OBJECT_IDENTIFIER)? {
        RSA => Ok(PrivateMaterial::Rsa(Zeroizing::new(key.to_vec()))),
        EC => ec_private(key, Some(named_curve(algorithm.take(der::OBJECT_IDENTIFIER)?)?)),
        ED25519 => {
            let mut key = Reader::over(key);
            let seed = key.take(der::OCTET_STRING)?;
            key.end()?;
            PrivateMaterial::ed25519(seed, None)
        }
        other => Err(unsupported(other)),
    }
}

/// `ECPrivateKey` (RFC 5915 §3); in PKCS#8 the curve stands outside.
fn ec_private(der: &[u8], curve: Option<Curve>) -> Result<PrivateMaterial, KeyError> {
    let mut key = Reader::sequence(der)?;
    key.version()?;
    let scalar = key.take(der::OCTET_STRING)?;
    let inside = match key.take_optional(der::CONTEXT_0)? {
        Some(parameters) => Some(named_curve(Reader::over(parameters).take(der::OBJECT_IDENTIFIER)?)?),
        None => None,
    };
    let point = match key.take_optional(der::CONTEXT_1)? {
        Some(point) => Some(Reader::over(point).bits()?),
        None => None,
    };
    key.end()?;
    match (curve, inside) {
        (Some(outside), Some(inside)) if outside != inside => Err(KeyError::Invalid("EC")),
        (Some(curve), _) | (None, Some(curve)) => PrivateMaterial::ec(curve, scalar, point),
        (None, None) => Err(KeyError::Malformed("it does not name its curve")),
    }
}

fn named_curve(identifier: &[u8]) -> Result<Curve, KeyError> {
    Curve::ALL
        .into_iter()
        .find(|curve| curve.identifier() == identifier)
        .ok_or(KeyError::UnsupportedKind("a key on a curve that no algorithm has"))
}

fn unsupported(identifier: &[u8]) -> KeyError {
    KeyError::UnsupportedKind(match identifier {
        RSA_PSS => "an RSA key bound to PSS",
        ED448 => "an Ed448 key",
        _ => "a key of a kind that signs no tokens",
    })
}

/// A line as in `authorized_keys`: kind, base64 and a comment.
fn open_ssh(line: &str) -> Result<PublicMaterial, KeyError> {
    const DAMAGED: KeyError = KeyError::Malformed("its OpenSSH line is damaged");
    let mut words = line.split_ascii_whitespace();
    let (kind, body) = (words.next().unwrap_or_default(), words.next().ok_or(DAMAGED)?);
    let body = STANDARD.decode(body).map_err(|_| DAMAGED)?;
    let mut fields = Vec::new();
    let mut rest = body.as_slice();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or(DAMAGED)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| DAMAGED)?;
        let (field, after) = after.split_at_checked(length).ok_or(DAMAGED)?;
        fields.push(field);
        rest = after;
    }
    let curve = Curve::ALL.into_iter().find(|curve| kind == format!("ecdsa-sha2-{}", curve.open_ssh_name()));
    match (fields.as_slice(), curve) {
        ([inside, ..], _) if *inside != kind.as_bytes() => Err(DAMAGED),
        ([_, e, n], None) if kind == "ssh-rsa" => Ok(PublicMaterial::rsa(n, e)),
        ([_, key], None) if kind == "ssh-ed25519" => PublicMaterial::ed25519(key),
        ([_, name, point], Some(curve)) if *name == curve.open_ssh_name().as_bytes() => {
            PublicMaterial::ec(curve, point)
        }
        _ => Err(DAMAGED),
    }
}

/// `SubjectPublicKeyInfo` in PEM.
pub(super) fn to_pem(material: &PublicMaterial) -> String {
    let (mut algorithm, mut key) = (Zeroizing::new(Vec::new()), Zeroizing::new(vec![0]));
    match material {
        PublicMaterial::Rsa { n, e } => {
            der::put(&mut algorithm, der::OBJECT_IDENTIFIER, RSA);
            der::put(&mut algorithm, der::NULL, &[]);
            let mut numbers = Zeroizing::new(Vec::new());
            der::put_positive(&mut numbers, n);
            der::put_positive(&mut numbers, e);
            der::put(&mut key, der::SEQUENCE, &numbers);
        }
        PublicMaterial::Ec { curve, point } => {
            der::put(&mut algorithm, der::OBJECT_IDENTIFIER, EC);
            der::put(&mut algorithm, der::OBJECT_IDENTIFIER, curve.identifier());
            key.extend_from_slice(point);
        }
        PublicMaterial::Ed25519(bytes) => {
            der::put(&mut algorithm, der::OBJECT_IDENTIFIER, ED25519);
            key.extend_from_slice(bytes);
        }
    }
    let (mut members, mut info) = (Zeroizing::new(Vec::new()), Zeroizing::new(Vec::new()));
    der::put(&mut members, der::SEQUENCE, &algorithm);
    der::put(&mut members, der::BIT_STRING, &key);
    der::put(&mut info, der::SEQUENCE, &members);
    let base64 = STANDARD.encode(&*info);
    let lines = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default());
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.collect::<Vec<_>>().join("\n"))
}
