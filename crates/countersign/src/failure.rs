//! Every refusal a client can read: one variant a sentence, with its status and body. Causes are logged where the response is
//! made; the client sees the wire text only.

use std::time::Duration;

use countersign_formats::json::{Object, Value};
use countersign_formats::jwt::{Refusal, TokenType};
use countersign_formats::request_body::FieldErrors;
use countersign_store::StoreError;

use crate::clock::EntropyFailed;

/// Why a request was refused. [`Display`](std::fmt::Display) is the sentence the client reads.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Nobody logged in where somebody is asked for. DRF 3.18 `NotAuthenticated`.
    #[error("Authentication credentials were not provided.")]
    NotAuthenticated,
    /// Logged in, but not allowed. DRF 3.18 `PermissionDenied`.
    #[error("You do not have permission to perform this action.")]
    PermissionDenied,
    /// A `Token` or `Basic` header that cannot be read. DRF 3.18 `authentication.py`.
    #[error("{0}")]
    BadHeader(&'static str),
    /// No such DRF token. DRF 3.18 `TokenAuthentication.authenticate_credentials`.
    #[error("Invalid token.")]
    UnknownToken,
    /// A Knox token that has expired: the same sentence. django-rest-knox 5.1 `TokenAuthentication`.
    #[error("Invalid token.")]
    ExpiredToken,
    /// The owner of the credentials is not active. DRF 3.18.
    #[error("User inactive or deleted.")]
    InactiveUser,
    /// Basic credentials that do not match. DRF 3.18 `BasicAuthentication`.
    #[error("Invalid username/password.")]
    InvalidBasicCredentials,
    /// The JWT header has not two words. SimpleJWT 5.5 `get_raw_token`.
    #[error("Authorization header must contain two space-delimited values")]
    BadJwtHeader,
    /// No class of `AUTH_TOKEN_CLASSES` accepts the token. SimpleJWT 5.5 `get_validated_token`.
    #[error("Given token not valid for any token type")]
    NoTokenClass(Vec<(TokenType, Refusal)>),
    /// The token names no user. SimpleJWT 5.5 `get_user`.
    #[error("Token contained no recognizable user identification")]
    NoUserClaim,
    /// The token's user does not exist. SimpleJWT 5.5 `get_user`.
    #[error("User not found")]
    UserNotFound,
    /// The token's user is not active. SimpleJWT 5.5 `get_user`.
    #[error("User is inactive")]
    JwtUserInactive,
    /// `CHECK_REVOKE_TOKEN`: the password is not the one the token was made under. SimpleJWT 5.5 `get_user`.
    #[error("The user's password has been changed.")]
    PasswordChanged,
    /// The session's CSRF check failed. DRF 3.18 `SessionAuthentication.enforce_csrf`.
    #[error("CSRF Failed: {0}")]
    Csrf(String),
    /// The user has as many tokens as allowed. django-rest-knox 5.1 `LoginView.post`.
    #[error("Maximum amount of tokens allowed per user exceeded.")]
    TooManyTokens,
    /// DRF's login was refused; the same for unknown, inactive and wrong (SECURITY A1). DRF 3.18 `AuthTokenSerializer`.
    #[error("Unable to log in with provided credentials.")]
    UnableToLogIn,
    /// SimpleJWT's login was refused; the same for unknown, inactive and wrong. SimpleJWT 5.5 `TokenObtainSerializer`.
    #[error("No active account found with the given credentials")]
    NoActiveAccount,
    /// The refresh token's user may not log in. SimpleJWT 5.5 `TokenRefreshSerializer`.
    #[error("No active account found for the given token.")]
    NoActiveAccountForToken,
    /// The refresh token's user does not exist. SimpleJWT 5.5 crashes here; this is what its next release answers.
    #[error("No active account found for the given token.")]
    NoUserForToken,
    /// A token in a body was refused. SimpleJWT 5.5 `InvalidToken`.
    #[error("{}", .0.message())]
    Token(Refusal),
    /// Verify was given a blacklisted token. SimpleJWT 5.5 `TokenVerifySerializer` answers 400 here.
    #[error("Token is blacklisted")]
    VerifiedBlacklisted,
    /// Fields missing or of a wrong kind. DRF 3.18 `ValidationError`.
    #[error("Invalid input.")]
    Fields(FieldErrors),
    /// The body is no dictionary. DRF 3.18 `Serializer.to_internal_value`.
    #[error("{0}")]
    NonField(String),
    /// The body cannot be parsed. DRF 3.18 `ParseError`.
    #[error("{0}")]
    Parse(String),
    /// No parser for the body's type. DRF 3.18 `UnsupportedMediaType`.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// The method is not implemented. DRF 3.18 `MethodNotAllowed`.
    #[error("Method \"{0}\" not allowed.")]
    MethodNotAllowed(String),
    /// No renderer for what the client accepts. DRF 3.18 `NotAcceptable`.
    #[error("Could not satisfy the request Accept header.")]
    NotAcceptable,
    /// An unknown `?format=`. DRF 3.18 `DefaultContentNegotiation.filter_renderers`.
    #[error("Not found.")]
    NotFound,
    /// Django itself refuses the request (over its size and field limits): its HTML page.
    #[error("Bad Request")]
    BadRequestPage,
    /// A client asks too often (SECURITY A2). DRF 3.18 `Throttled`.
    #[error("{}", throttled(*.wait))]
    Throttled {
        /// Seconds until it may ask again, where that is known.
        wait: Option<u64>,
    },
    /// More logins wait than can be served in time (SECURITY A3).
    #[error("Service temporarily unavailable, try again later.")]
    Overloaded {
        /// When a login that comes again may be served, by what waits now.
        retry_after: Duration,
    },
    /// A request of a client that cannot be read. RFC 6749 §5.2 `invalid_request`.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// A client that has not proven who it is; the same for unknown and wrong. RFC 6749 §5.2 `invalid_client`, with a challenge.
    #[error("Client authentication failed.")]
    InvalidClient,
    /// A login or a refresh for a client that is not registered or has not shown its secret. RFC 6749 §5.2 `invalid_client`.
    #[error("Client authentication failed.")]
    UnknownClient,
    /// A client that may not do this. RFC 6749 §5.2 `unauthorized_client`.
    #[error("The client may not do this.")]
    UnauthorizedClient,
    /// A token that was issued to another client (RFC 7009 §2.1). RFC 6749 §5.2 `invalid_grant`.
    #[error("The token was issued to another client.")]
    AnotherClientsToken,
    /// A token of a kind that cannot be ended here. RFC 7009 §2.2.1.
    #[error("Tokens of this kind cannot be revoked here.")]
    UnsupportedTokenType,
    /// The database did not answer; the client learns nothing more.
    #[error("A server error occurred.")]
    Store(#[from] StoreError),
    /// No random bytes, hence no token (SECURITY O1).
    #[error("A server error occurred.")]
    Entropy(#[from] EntropyFailed),
    /// The declared claims of a user, this one with those before it, would make a token too long to be sent.
    #[error("A server error occurred.")]
    ClaimsTooLong {
        /// The claim's name.
        claim: String,
    },
    /// A hashing thread died.
    #[error("A server error occurred.")]
    Hashing,
}

impl Failure {
    /// The HTTP status; 401 stands for "401 or 403", which the first authentication class of the view decides
    /// (see [`is_authentication`](Self::is_authentication)).
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            _ if self.is_authentication() => 401,
            Self::InvalidClient => 401,
            Self::PermissionDenied | Self::Csrf(_) | Self::TooManyTokens => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::NotAcceptable => 406,
            Self::UnsupportedMediaType(_) => 415,
            Self::Throttled { .. } => 429,
            _ if self.retry_after().is_some() => 503,
            Self::Store(_) | Self::Entropy(_) | Self::ClaimsTooLong { .. } | Self::Hashing => 500,
            _ => 400,
        }
    }

    /// Whether this is one of DRF's `AuthenticationFailed` and `NotAuthenticated`, whose status is 401 with a challenge or,
    /// where the first authentication class has none, 403. DRF 3.18 `APIView.handle_exception`.
    #[must_use]
    pub fn is_authentication(&self) -> bool {
        matches!(
            self,
            Self::NotAuthenticated
                | Self::BadHeader(_)
                | Self::UnknownToken
                | Self::ExpiredToken
                | Self::InactiveUser
                | Self::InvalidBasicCredentials
                | Self::BadJwtHeader
                | Self::NoTokenClass(_)
                | Self::NoUserClaim
                | Self::UserNotFound
                | Self::JwtUserInactive
                | Self::PasswordChanged
                | Self::NoActiveAccount
                | Self::NoActiveAccountForToken
                | Self::NoUserForToken
                | Self::Token(_)
        )
    }

    /// The seconds after which a client may try again, at least one: `Retry-After` of a 429 or 503 (RFC 9110 §10.2.3).
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Overloaded { retry_after } => {
                Some(retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0)).map(|seconds| seconds.max(1))
            }
            Self::Store(StoreError::Unavailable { .. } | StoreError::Busy | StoreError::Closed) => Some(1),
            Self::Throttled { wait } => wait.filter(|seconds| *seconds > 0),
            _ => None,
        }
    }

    /// The machine-readable `code` member, where the reference sends one.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::BadJwtHeader => "bad_authorization_header",
            Self::NoTokenClass(_) | Self::NoUserClaim | Self::Token(_) => "token_not_valid",
            Self::UserNotFound => "user_not_found",
            Self::JwtUserInactive => "user_inactive",
            Self::PasswordChanged => "password_changed",
            Self::NoUserForToken => "no_active_account",
            _ => return None,
        })
    }

    /// The `error` member of an OAuth answer. RFC 6749 §5.2, RFC 7009 §2.2.1.
    #[must_use]
    pub fn oauth_error(&self) -> Option<&'static str> {
        Some(match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient | Self::UnknownClient => "invalid_client",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::AnotherClientsToken => "invalid_grant",
            Self::UnsupportedTokenType => "unsupported_token_type",
            _ => return None,
        })
    }

    /// The JSON body. `non_field_errors_key` is DRF's `NON_FIELD_ERRORS_KEY`.
    #[must_use]
    pub fn body(&self, non_field_errors_key: &str) -> Value {
        let mut body = Object::new();
        match self {
            Self::Fields(errors) => return errors.to_value(),
            Self::UnableToLogIn | Self::VerifiedBlacklisted | Self::NonField(_) => {
                body.set(non_field_errors_key, Value::Array(vec![Value::from(self.to_string())]));
            }
            Self::TooManyTokens => body.set("error", Value::from(self.to_string())),
            _ if let Some(error) = self.oauth_error() => {
                body.set("error", error);
                body.set("error_description", Value::from(self.to_string()));
            }
            _ => {
                body.set("detail", Value::from(self.to_string()));
                if let Some(code) = self.code() {
                    body.set("code", Value::from(code));
                }
                if let Self::NoTokenClass(refusals) = self {
                    let messages = refusals.iter().map(|(class, refusal)| class_message(*class, refusal)).collect();
                    body.set("messages", Value::Array(messages));
                }
            }
        }
        Value::Object(body)
    }
}

/// DRF 3.18 `Throttled.__init__`.
fn throttled(wait: Option<u64>) -> String {
    match wait {
        None => "Request was throttled.".to_owned(),
        Some(1) => "Request was throttled. Expected available in 1 second.".to_owned(),
        Some(seconds) => format!("Request was throttled. Expected available in {seconds} seconds."),
    }
}

/// One entry of `messages`: which class refused the token, and why.
fn class_message(class: TokenType, refusal: &Refusal) -> Value {
    let mut entry = Object::new();
    entry.set("token_class", Value::from(class.class_name()));
    entry.set("token_type", Value::from(class.name()));
    entry.set("message", Value::from(refusal.message().to_string()));
    Value::Object(entry)
}
