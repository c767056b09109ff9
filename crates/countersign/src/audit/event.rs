//! What happened, with what belongs to each kind.

use countersign_formats::json::{Object, Style, Value, render};
use jiff::SignedDuration;

use super::EventKind;
use super::shown::shown;

/// Characters that are kept of a text in an event's details.
const TEXT_LENGTH: usize = 150;

/// What happened. The kinds are fixed, and so are the details of each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Somebody logged in.
    Login {
        /// What for.
        way: LoginWay,
    },
    /// A login was refused; the answer tells nobody why.
    LoginFailed {
        /// Why.
        reason: LoginRefusal,
    },
    /// A login was refused by a throttle.
    LoginThrottled {
        /// Which one.
        scope: String,
    },
    /// Too many logins waited.
    LoginShed,
    /// A password was hashed anew at its login.
    PasswordUpgraded,
    /// A password was changed.
    PasswordChanged {
        /// By what: `command`.
        by: &'static str,
    },
    /// A user was made.
    UserCreated {
        /// Whether it may do anything.
        is_superuser: bool,
    },
    /// A DRF token was made.
    TokenIssued {
        /// By what: `login`, `command`.
        by: &'static str,
    },
    /// A token was refreshed.
    Refresh {
        /// The id of the token presented.
        jti: Option<String>,
    },
    /// A refresh was repeated.
    RefreshConverged {
        /// How long after the first.
        after: SignedDuration,
    },
    /// An exchanged refresh token was used.
    RefreshReuse {
        /// Its id.
        jti: String,
        /// Whether that ended its session; else it had ended.
        session_ended: bool,
    },
    /// A refresh token of ours is not in the database.
    RefreshUnrecorded {
        /// Its id.
        jti: String,
        /// Whether that ended its session.
        session_ended: bool,
    },
    /// A refresh token that nobody recorded was accepted.
    RefreshUnrecordedAccepted {
        /// Its id.
        jti: String,
    },
    /// A refresh token was blacklisted.
    TokenBlacklisted {
        /// Its id.
        jti: Option<String>,
    },
    /// A session ended.
    SessionEnded {
        /// `end_reason` of the session.
        reason: &'static str,
    },
    /// All sessions of everybody ended.
    AllSessionsEnded,
    /// A token is refused from now on.
    TokenRevoked {
        /// Its id.
        jti: String,
    },
    /// A registered client ended a token.
    RevokedByClient {
        /// Its id.
        client: String,
        /// The token's kind: `jwt`, `token`, `knox`, `native`.
        kind: &'static str,
        /// The token's id, where it has one.
        jti: Option<String>,
    },
    /// A registered client was refused.
    ClientRefused {
        /// Its id, if it is registered.
        client: Option<String>,
        /// Why.
        reason: &'static str,
    },
    /// A claim is taken.
    SessionClaimTaken {
        /// Its name.
        claim: String,
    },
    /// A Knox token was made.
    KnoxLogin {
        /// The first 16 digits of the token's digest.
        digest: String,
    },
    /// A Knox token was ended.
    KnoxLogout {
        /// The first 16 digits of the token's digest.
        digest: String,
    },
    /// All Knox tokens of a user were ended.
    KnoxLogoutAll,
    /// A session of Django's was refused.
    DjangoSessionRefused {
        /// Why.
        reason: &'static str,
    },
    /// Credentials were refused.
    CredentialsRefused {
        /// Where they were shown: an authentication class, or the view whose body had the token.
        at: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// Events that were not told.
    EventsWithheld {
        /// Of this kind.
        kind: EventKind,
        /// So many since this was last said.
        count: u64,
    },
    /// Events that did not reach the table.
    EventsLost {
        /// So many since this was last said.
        count: u64,
    },
}

/// What a login was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginWay {
    /// DRF's token.
    Token,
    /// SimpleJWT's pair.
    Pair,
    /// SimpleJWT's sliding token.
    Sliding,
}

/// Why a login was refused. For the log and the table alone (SECURITY A1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginRefusal {
    /// There is no such user.
    UnknownUser,
    /// The password is not this user's.
    WrongPassword,
    /// The user has no password that could be right.
    UnusablePassword,
    /// The stored hash is none that is accepted: of a hasher that is not listed, or beyond all bounds.
    UnusableHash,
    /// The password is right, and the user is not active.
    Inactive,
}

impl Event {
    /// Of which kind it is.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Login { .. } => EventKind::Login,
            Self::LoginFailed { .. } => EventKind::LoginFailed,
            Self::LoginThrottled { .. } => EventKind::LoginThrottled,
            Self::LoginShed => EventKind::LoginShed,
            Self::PasswordUpgraded => EventKind::PasswordUpgraded,
            Self::PasswordChanged { .. } => EventKind::PasswordChanged,
            Self::UserCreated { .. } => EventKind::UserCreated,
            Self::TokenIssued { .. } => EventKind::TokenIssued,
            Self::Refresh { .. } => EventKind::Refresh,
            Self::RefreshConverged { .. } => EventKind::RefreshConverged,
            Self::RefreshReuse { .. } => EventKind::RefreshReuse,
            Self::RefreshUnrecorded { .. } => EventKind::RefreshUnrecorded,
            Self::RefreshUnrecordedAccepted { .. } => EventKind::RefreshUnrecordedAccepted,
            Self::TokenBlacklisted { .. } => EventKind::TokenBlacklisted,
            Self::SessionEnded { .. } => EventKind::SessionEnded,
            Self::AllSessionsEnded => EventKind::AllSessionsEnded,
            Self::TokenRevoked { .. } => EventKind::TokenRevoked,
            Self::RevokedByClient { .. } => EventKind::RevokedByClient,
            Self::ClientRefused { .. } => EventKind::ClientRefused,
            Self::SessionClaimTaken { .. } => EventKind::SessionClaimTaken,
            Self::KnoxLogin { .. } => EventKind::KnoxLogin,
            Self::KnoxLogout { .. } => EventKind::KnoxLogout,
            Self::KnoxLogoutAll => EventKind::KnoxLogoutAll,
            Self::DjangoSessionRefused { .. } => EventKind::DjangoSessionRefused,
            Self::CredentialsRefused { .. } => EventKind::CredentialsRefused,
            Self::EventsWithheld { .. } => EventKind::EventsWithheld,
            Self::EventsLost { .. } => EventKind::EventsLost,
        }
    }

    /// What belongs to it alone, as a JSON object; `None` where nothing does.
    pub(super) fn detail(&self) -> Option<String> {
        let mut detail = Object::new();
        match self {
            Self::LoginShed | Self::PasswordUpgraded | Self::KnoxLogoutAll | Self::AllSessionsEnded => {}
            Self::Login { way } => detail.set("for", way.name()),
            Self::LoginFailed { reason } => detail.set("reason", reason.name()),
            Self::LoginThrottled { scope } => detail.set("scope", text(scope)),
            Self::PasswordChanged { by } | Self::TokenIssued { by } => detail.set("by", *by),
            Self::UserCreated { is_superuser } => detail.set("superuser", *is_superuser),
            Self::Refresh { jti } | Self::TokenBlacklisted { jti } => {
                if let Some(jti) = jti {
                    detail.set("jti", text(jti));
                }
            }
            Self::RefreshConverged { after } => {
                detail.set("after_ms", i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
            }
            Self::RefreshReuse { jti, session_ended } | Self::RefreshUnrecorded { jti, session_ended } => {
                detail.set("jti", text(jti));
                detail.set("session_ended", *session_ended);
            }
            Self::RefreshUnrecordedAccepted { jti } | Self::TokenRevoked { jti } => detail.set("jti", text(jti)),
            Self::SessionEnded { reason } | Self::DjangoSessionRefused { reason } => detail.set("reason", *reason),
            Self::RevokedByClient { client, kind, jti } => {
                detail.set("client", text(client));
                detail.set("kind", *kind);
                if let Some(jti) = jti {
                    detail.set("jti", text(jti));
                }
            }
            Self::ClientRefused { client, reason } => {
                if let Some(client) = client {
                    detail.set("client", text(client));
                }
                detail.set("reason", *reason);
            }
            Self::SessionClaimTaken { claim } => detail.set("claim", text(claim)),
            Self::KnoxLogin { digest } | Self::KnoxLogout { digest } => detail.set("digest", text(digest)),
            Self::CredentialsRefused { at, reason } => {
                detail.set("at", *at);
                detail.set("reason", *reason);
            }
            Self::EventsWithheld { kind, count } => {
                detail.set("kind", kind.name());
                detail.set("count", number(*count));
            }
            Self::EventsLost { count } => detail.set("count", number(*count)),
        }
        (!detail.is_empty()).then(|| render(&Value::Object(detail), Style::default()))
    }
}

impl LoginWay {
    const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Pair => "pair",
            Self::Sliding => "sliding",
        }
    }
}

impl LoginRefusal {
    const fn name(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown_user",
            Self::WrongPassword => "wrong_password",
            Self::UnusablePassword => "unusable_password",
            Self::UnusableHash => "unusable_hash",
            Self::Inactive => "inactive",
        }
    }
}

fn text(text: &str) -> Value {
    Value::from(&*shown(text, TEXT_LENGTH))
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
