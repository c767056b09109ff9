//! The kinds of events: a name, how grave it is, how many are told, and a sentence for who reads the log.

use countersign_store::EventRow;

use super::allowance::Allowance;

/// What everything that is logged here is logged under.
const TARGET: &str = "countersign::audit";

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $level:ident, $allowance:expr, $sentence:literal;)+) => {
        /// What an event is of. The name of each is stable; `docs/audit.md` lists them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventKind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl EventKind {
            /// All of them.
            pub const ALL: [Self; [$(Self::$variant),+].len()] = [$(Self::$variant),+];

            /// The name in the log and in the table.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// How many are told; `None` is any number, where each costs its author more than the event costs us.
            pub(super) const fn allowance(self) -> Option<Allowance> {
                match self { $(Self::$variant => $allowance),+ }
            }

            /// Writes the line of an event.
            pub(super) fn log(self, row: &EventRow) {
                match self {
                    $(Self::$variant => line!($level, row, $sentence)),+
                }
            }
        }
    };
}

/// One line. Values stand in quotes, whatever is in them: they cannot end one and begin another field.
macro_rules! line {
    ($level:ident, $row:ident, $sentence:literal) => {
        tracing::event!(
            target: TARGET,
            tracing::Level::$level,
            event = &*$row.kind,
            user.id = $row.user.as_deref().map(quoted),
            account = $row.account.as_deref().map(quoted),
            address = $row.address.as_deref().map(tracing::field::display),
            agent = $row.agent.as_deref().map(quoted),
            sid = $row.session.as_deref().map(quoted),
            detail = $row.detail.as_deref().map(tracing::field::display),
            $sentence
        )
    };
}

kinds! {
    /// Somebody logged in.
    Login = "login", INFO, None, "somebody logged in";
    /// A login was refused.
    LoginFailed = "login_failed", INFO, Some(Allowance::of(1000, 20)), "a login was refused";
    /// A login was refused by a throttle, before anything was looked at.
    LoginThrottled = "login_throttled", INFO, Some(Allowance::of(100, 2)), "a login came too soon after others";
    /// A login was refused because too many waited to be hashed.
    LoginShed = "login_shed", INFO, Some(Allowance::of(100, 2)), "a login was refused for want of time";
    /// A password was hashed anew, as the settings have it now.
    PasswordUpgraded = "password_upgraded", INFO, None, "a password was hashed anew";
    /// A password was changed.
    PasswordChanged = "password_changed", INFO, None, "a password was changed";
    /// A user was made.
    UserCreated = "user_created", INFO, None, "a user was made";
    /// A DRF token was made.
    TokenIssued = "token_issued", INFO, None, "a token was made";
    /// A refresh token was exchanged, or gave an access token.
    Refresh = "refresh", INFO, Some(Allowance::of(2000, 200)), "a token was refreshed";
    /// A refresh was repeated, and got the same tokens.
    RefreshConverged = "refresh_converged", INFO, Some(Allowance::of(1000, 20)), "a refresh was repeated and got the same tokens";
    /// A refresh token came back after its time: it has two holders.
    RefreshReuse = "refresh_reuse", WARN, None, "a refresh token was used that had been exchanged: it has two holders";
    /// A refresh token of ours is not in the database.
    RefreshUnrecorded = "refresh_unrecorded", ERROR, Some(Allowance::of(100, 1)),
        "a refresh token of ours is not in the database: if a backup was restored, sessions that had ended since may live again; end them all";
    /// The same, and it was accepted.
    RefreshUnrecordedAccepted = "refresh_unrecorded_accepted", WARN, Some(Allowance::of(100, 1)),
        "a refresh token that nobody recorded was accepted: Django rotates without the blacklist app, or the database is an old one";
    /// A refresh token was blacklisted, where there are no sessions.
    TokenBlacklisted = "token_blacklisted", INFO, None, "a refresh token was blacklisted";
    /// A session ended before its time.
    SessionEnded = "session_ended", INFO, None, "a session ended";
    /// All sessions of everybody ended.
    AllSessionsEnded = "all_sessions_ended", WARN, None, "all sessions ended";
    /// One token was refused from then on by an operator.
    TokenRevoked = "token_revoked", INFO, None, "a token was revoked";
    /// A registered client ended a token.
    RevokedByClient = "revoked_by_client", INFO, None, "a client revoked a token";
    /// A registered client was refused, or who said to be one.
    ClientRefused = "client_refused", WARN, Some(Allowance::of(100, 1)), "a client was refused";
    /// A token has a claim that ours would take the place of.
    SessionClaimTaken = "session_claim_taken", WARN, Some(Allowance::SELDOM),
        "a token has a claim of that name which is no session of ours and is replaced; set sessions.claim to another";
    /// A Knox token was made.
    KnoxLogin = "knox_login", INFO, None, "a Knox token was made";
    /// A Knox token was ended by its holder.
    KnoxLogout = "knox_logout", INFO, None, "a Knox token was ended";
    /// All Knox tokens of a user were ended by one of their holders.
    KnoxLogoutAll = "knox_logout_all", INFO, None, "all Knox tokens of a user were ended";
    /// The session of a browser that Django logged in was refused.
    DjangoSessionRefused = "django_session_refused", INFO, Some(Allowance::of(100, 1)), "a session of Django's was refused";
    /// A token or header was refused.
    CredentialsRefused = "credentials_refused", INFO, Some(Allowance::of(100, 1)), "credentials were refused";
    /// More events of a kind than are told.
    EventsWithheld = "events_withheld", WARN, None, "there were more events of a kind than are told";
    /// Events were lost on their way to the table.
    EventsLost = "events_lost", ERROR, None, "events were lost on their way to the table";
}

impl EventKind {
    /// The kind of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A text that is escaped already, in quotes of its own.
fn quoted(text: &str) -> tracing::field::DebugValue<Quoted<'_>> {
    tracing::field::debug(Quoted(text))
}

struct Quoted<'t>(&'t str);

impl std::fmt::Debug for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = self.0.split('"');
        write!(f, "\"{}", parts.next().unwrap_or_default())?;
        for part in parts {
            write!(f, "\\\"{part}")?;
        }
        f.write_str("\"")
    }
}
