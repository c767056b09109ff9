//! What keys are made of, before an algorithm is bound to them.

use zeroize::Zeroizing;

use super::KeyError;

/// A curve of ECDSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
}

impl Curve {
    pub(super) const ALL: [Self; 4] = [Self::P256, Self::P384, Self::P521, Self::Secp256k1];

    /// Its name in a JSON web key (RFC 7518 §6.2.1.1, RFC 8812 §3.1).
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Secp256k1 => "secp256k1",
        }
    }

    /// Bytes of a coordinate and of a private key.
    pub(super) fn field_len(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::P256 => "an EC key on P-256",
            Self::P384 => "an EC key on P-384",
            Self::P521 => "an EC key on P-521",
            Self::Secp256k1 => "an EC key on secp256k1",
        }
    }

    /// Its object identifier (RFC 5480 §2.1.1.1), as DER content.
    pub(super) fn identifier(self) -> &'static [u8] {
        match self {
            Self::P256 => &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07],
            Self::P384 => &[0x2B, 0x81, 0x04, 0x00, 0x22],
            Self::P521 => &[0x2B, 0x81, 0x04, 0x00, 0x23],
            Self::Secp256k1 => &[0x2B, 0x81, 0x04, 0x00, 0x0A],
        }
    }

    /// Its name in OpenSSH (RFC 5656 §6.1), which has no secp256k1.
    pub(super) fn open_ssh_name(self) -> &'static str {
        match self {
            Self::P256 => "nistp256",
            Self::P384 => "nistp384",
            Self::P521 => "nistp521",
            Self::Secp256k1 => "",
        }
    }
}

/// A key as read.
pub(super) enum Material {
    Public(PublicMaterial),
    Private(PrivateMaterial),
    /// Of an `oct` JSON web key.
    Secret(Zeroizing<Vec<u8>>),
}

/// The parts of a public key.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum PublicMaterial {
    /// Big-endian digits without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// The uncompressed point (SEC 1 §2.3.3), not yet known to lie on the curve.
    Ec { curve: Curve, point: Vec<u8> },
    /// RFC 8032 §5.1.5.
    Ed25519([u8; 32]),
}

impl PublicMaterial {
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Self {
        Self::Rsa { n: significant(n).to_vec(), e: significant(e).to_vec() }
    }

    pub(super) fn ec(curve: Curve, point: &[u8]) -> Result<Self, KeyError> {
        if point.first() != Some(&4) || point.len() != 1 + 2 * curve.field_len() {
            return Err(KeyError::Malformed("its point is not an uncompressed one of its curve"));
        }
        Ok(Self::Ec { curve, point: point.to_vec() })
    }

    pub(super) fn ed25519(key: &[u8]) -> Result<Self, KeyError> {
        key.try_into().map(Self::Ed25519).map_err(|_| KeyError::Malformed("an Ed25519 key has 32 bytes"))
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "an RSA key",
            Self::Ec { curve, .. } => curve.kind(),
            Self::Ed25519(_) => "an Ed25519 key",
        }
    }
}

/// The parts of a private key.
pub(super) enum PrivateMaterial {
    /// `RSAPrivateKey` (RFC 8017 §A.1.2) in DER.
    Rsa(Zeroizing<Vec<u8>>),
    /// The scalar in the length of the field, and the point where it was given.
    Ec { curve: Curve, scalar: Zeroizing<Vec<u8>>, point: Option<Vec<u8>> },
    /// RFC 8032 §5.1.5, and the public key where it was given.
    Ed25519 { seed: Zeroizing<[u8; 32]>, public: Option<[u8; 32]> },
}

impl PrivateMaterial {
    pub(super) fn ec(curve: Curve, scalar: &[u8], point: Option<&[u8]>) -> Result<Self, KeyError> {
        let digits = significant(scalar);
        let Some(zeros) = curve.field_len().checked_sub(digits.len()) else {
            return Err(KeyError::Invalid("EC"));
        };
        let mut padded = Zeroizing::new(vec![0; zeros]);
        padded.extend_from_slice(digits);
        Ok(Self::Ec { curve, scalar: padded, point: point.map(<[u8]>::to_vec) })
    }

    pub(super) fn ed25519(seed: &[u8], public: Option<&[u8]>) -> Result<Self, KeyError> {
        const LENGTH: KeyError = KeyError::Malformed("an Ed25519 key has 32 bytes");
        let public = public.map(TryInto::try_into).transpose().map_err(|_| LENGTH)?;
        Ok(Self::Ed25519 { seed: Zeroizing::new(seed.try_into().map_err(|_| LENGTH)?), public })
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "an RSA key",
            Self::Ec { curve, .. } => curve.kind(),
            Self::Ed25519 { .. } => "an Ed25519 key",
        }
    }
}

/// Without leading zeros.
fn significant(digits: &[u8]) -> &[u8] {
    digits.iter().position(|&digit| digit != 0).map_or(&[], |first| &digits[first..])
}
