//! Why a token is refused: in `SimpleJWT`'s words for clients, in precise ones for logs.

use std::borrow::Cow;

use super::Algorithm;
use crate::json::LoadError;

/// A token that is refused. Displays as the text clients see (`SimpleJWT` 5.5 `TokenError`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Not a token, not ours, not yet valid, or not for us. Clients are never told which.
    #[error("Token is invalid")]
    Invalid(Cause),
    /// `exp` has passed.
    #[error("Token is expired")]
    Expired,
    /// The blacklist has the token's id. Found by the caller, between [`decode`](super::decode) and
    /// [`check_token`](super::check_token).
    #[error("Token is blacklisted")]
    Blacklisted,
    /// The claim named is absent: `exp`, or that of `SLIDING_TOKEN_REFRESH_EXP_CLAIM`.
    #[error("Token has no '{0}' claim")]
    NoClaim(String),
    /// The time in the claim named has passed.
    #[error("Token '{0}' claim has expired")]
    ClaimExpired(String),
    /// The claim of `JTI_CLAIM` is absent.
    #[error("Token has no id")]
    NoId,
    /// The claim of `TOKEN_TYPE_CLAIM` is absent.
    #[error("Token has no type")]
    NoType,
    /// A token of another type.
    #[error("Token has wrong type")]
    WrongType,
}

impl Refusal {
    /// The text clients see.
    pub fn message(&self) -> Cow<'static, str> {
        match self {
            Self::Invalid(_) => "Token is invalid".into(),
            Self::Expired => "Token is expired".into(),
            Self::Blacklisted => "Token is blacklisted".into(),
            Self::NoId => "Token has no id".into(),
            Self::NoType => "Token has no type".into(),
            Self::WrongType => "Token has wrong type".into(),
            Self::NoClaim(_) | Self::ClaimExpired(_) => self.to_string().into(),
        }
    }

    /// The inner reason, for logs. Never for clients.
    pub fn cause(&self) -> String {
        match self {
            Self::Invalid(cause) => cause.to_string(),
            _ => self.message().into_owned(),
        }
    }
}

/// The inner reason of [`Refusal::Invalid`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// Longer than [`Rules::max_len`](super::Rules::max_len).
    #[error("longer than {0} bytes")]
    TooLong(usize),
    /// Not three parts between two dots; an encrypted token has five.
    #[error("not three parts between two dots")]
    Parts,
    /// A part is not base64url, or has stray bits at its end.
    #[error("the {0} is not base64url")]
    Base64(&'static str),
    /// A part has `=` padding, and the rules are strict.
    #[error("the {0} is padded")]
    Padded(&'static str),
    /// A part is not UTF-8, and the rules are strict.
    #[error("the {0} is not UTF-8")]
    NotUtf8(&'static str),
    /// A part is not JSON.
    #[error("the {0} is not JSON: {1}")]
    Json(&'static str, LoadError),
    /// A part is not a JSON object.
    #[error("the {0} is not a JSON object")]
    NotObject(&'static str),
    /// A part repeats a name, and the rules are strict.
    #[error("the {0} repeats a name")]
    RepeatedName(&'static str),
    /// `kid` is not a string.
    #[error("the header's kid is not a string")]
    KeyId,
    /// `crit` is not a list of known extensions that are present (RFC 7515 §4.1.11).
    #[error("the header's crit is malformed or names an unknown extension")]
    Critical,
    /// `b64` is false (RFC 7797).
    #[error("the payload is declared unencoded")]
    Unencoded,
    /// `zip` is present, and the rules are strict.
    #[error("the payload is declared compressed")]
    Compressed,
    /// No key has this `alg` and this `kid`.
    #[error("the header's alg and kid are those of no key")]
    Algorithm,
    /// The signature is not one of the key.
    #[error("the {0} signature does not match")]
    Signature(Algorithm),
    /// A time is not a number.
    #[error("{0} is not a number")]
    NotANumber(&'static str),
    /// A time lies beyond year 9999.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// `iat` or `nbf` lies in the future.
    #[error("not yet valid: {0} lies ahead")]
    Immature(&'static str),
    /// `iss` is not the one expected.
    #[error("iss is missing or not the one expected")]
    Issuer,
    /// `aud` shares nothing with what is expected.
    #[error("aud is missing or not the one expected")]
    Audience,
    /// `sub` or `jti` is not a string.
    #[error("{0} is not a string")]
    NotAString(&'static str),
}

impl From<Cause> for Refusal {
    fn from(cause: Cause) -> Self {
        Self::Invalid(cause)
    }
}
