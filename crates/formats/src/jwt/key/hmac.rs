//! HMAC with SHA-2 (RFC 7518 §3.2).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Sha256, Sha384, Sha512};

use super::{HmacAlgorithm, HmacSecret};

/// The state of HMAC after its key block, inner and outer, so that a signature costs two compressions less.
#[derive(Clone)]
pub(super) enum HmacKey {
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl HmacKey {
    pub(super) fn new(algorithm: HmacAlgorithm, secret: &HmacSecret) -> Self {
        let bytes = secret.expose();
        let refused = "HMAC takes keys of any length";
        match algorithm {
            HmacAlgorithm::Hs256 => Self::Sha256(Hmac::new_from_slice(bytes).expect(refused)),
            HmacAlgorithm::Hs384 => Self::Sha384(Hmac::new_from_slice(bytes).expect(refused)),
            HmacAlgorithm::Hs512 => Self::Sha512(Hmac::new_from_slice(bytes).expect(refused)),
        }
    }

    pub(super) fn tag(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256(state) => state.clone().chain_update(message).finalize().into_bytes().to_vec(),
            Self::Sha384(state) => state.clone().chain_update(message).finalize().into_bytes().to_vec(),
            Self::Sha512(state) => state.clone().chain_update(message).finalize().into_bytes().to_vec(),
        }
    }

    /// Whole tags only; the comparison is `subtle`'s.
    pub(super) fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        match self {
            Self::Sha256(state) => state.clone().chain_update(message).verify_slice(tag).is_ok(),
            Self::Sha384(state) => state.clone().chain_update(message).verify_slice(tag).is_ok(),
            Self::Sha512(state) => state.clone().chain_update(message).verify_slice(tag).is_ok(),
        }
    }
}
