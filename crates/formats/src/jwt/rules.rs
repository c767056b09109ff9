//! The settings that reading a token depends on.

use jiff::SignedDuration;

/// What to demand of a token. Defaults are those of `SimpleJWT` 5.5.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `AUDIENCE`: what `aud` has to share a member with; written into new tokens.
    pub audience: Expected,
    /// `ISSUER`: what `iss` has to be; written into new tokens.
    pub issuer: Expected,
    /// `LEEWAY`: how far clocks may differ, for `exp`, `nbf` and `iat` alike.
    pub leeway: SignedDuration,
    /// `TOKEN_TYPE_CLAIM`; `None` does without the check.
    pub token_type_claim: Option<String>,
    /// `JTI_CLAIM`; `None` does without the check.
    pub jti_claim: Option<String>,
    /// Refuse what RFC 7515, RFC 7519 and RFC 8725 forbid and the original lets pass: `=` padding, repeated names, other
    /// encodings than plain UTF-8, `NaN` and infinities, `zip`, times that are not numbers.
    pub strict: bool,
    /// The longest token looked at, in bytes. **Differs:** the original has no limit.
    pub max_len: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            audience: Expected::Anything,
            issuer: Expected::Anything,
            leeway: SignedDuration::ZERO,
            token_type_claim: Some("token_type".to_owned()),
            jti_claim: Some("jti".to_owned()),
            strict: false,
            max_len: 8192,
        }
    }
}

/// The setting for a claim that names someone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Not set: the claim is not looked at and not written.
    #[default]
    Anything,
    /// Exactly this.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}

impl Expected {
    /// Whether `name` is, whole, one of those expected.
    pub(super) fn allows(&self, name: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::One(expected) => expected == name,
            Self::Many(expected) => expected.iter().any(|one| one == name),
        }
    }
}

/// `SimpleJWT`'s token classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// Lets requests in.
    Access,
    /// Buys access tokens.
    Refresh,
    /// Lets requests in and buys its own successor.
    Sliding,
    /// Any of the above; for checking only.
    Untyped,
}

impl TokenType {
    /// The value of the type claim: `access`, `refresh`, `sliding`, `untyped`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Sliding => "sliding",
            Self::Untyped => "untyped",
        }
    }

    /// The class, as error bodies name it: `AccessToken` and so on.
    pub fn class_name(self) -> &'static str {
        match self {
            Self::Access => "AccessToken",
            Self::Refresh => "RefreshToken",
            Self::Sliding => "SlidingToken",
            Self::Untyped => "UntypedToken",
        }
    }

    /// Whether the blacklist is consulted for this class (`SimpleJWT` 5.5 `BlacklistMixin`).
    pub fn can_be_blacklisted(self) -> bool {
        matches!(self, Self::Refresh | Self::Sliding)
    }
}
