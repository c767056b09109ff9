//! `SIMPLE_JWT`, the relevant part of `REST_FRAMEWORK` and Django's authentication settings, as typed values with their defaults.
//! Names are Django's and SimpleJWT's in lower case.

use std::time::Duration;

use countersign_formats::django_signing::SecretKeys;
use countersign_formats::drf_datetime::DateTimeFormat;
use countersign_formats::jwt::{Rules, SigningKey, TokenType, VerifyingKey};
use countersign_formats::knox_token::KnoxHash;
use countersign_formats::native_token::NativePrefix;
use countersign_formats::password::Hashers;
use countersign_store::InstalledApps;
use http::HeaderName;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

pub use crate::clients::{CLIENT_CLAIM, MOST_SECRETS, RegisteredClient};
pub use crate::declared_claims::{ClaimSource, DeclaredClaim};
pub use crate::throttle::{LoginLimits, ThrottlingSettings};
pub use countersign_lanes::{Backend, Backends};

use crate::audit::EventKind;

/// Everything an [`Authority`](crate::Authority) decides by.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// `SIMPLE_JWT`.
    pub simple_jwt: SimpleJwt,
    /// `PASSWORD_HASHERS`; the first is preferred.
    pub hashers: Hashers,
    /// `AUTHENTICATION_BACKENDS`.
    pub backend: AuthenticationBackend,
    /// `USERNAME_FIELD` of the user model: what SimpleJWT's login views call the name.
    pub username_field: String,
    /// Which of the optional Django apps the database has.
    pub apps: InstalledApps,
    /// How passwords are hashed.
    pub hashing: HashingSettings,
    /// Django's sessions; without them `SessionAuthentication` lets nobody in, as in Django without its session middleware.
    pub django_sessions: Option<DjangoSessions>,
    /// `REST_KNOX`, where the app is installed.
    pub knox: KnoxSettings,
    /// Sessions; `None` leaves every token and answer as SimpleJWT's. They need the tables of
    /// [`InstalledApps::countersign`].
    pub sessions: Option<SessionSettings>,
    /// How requests are counted.
    pub throttling: ThrottlingSettings,
    /// Tokens of our own kind; `None` gives out and accepts none. They need sessions.
    pub native_tokens: Option<NativeTokenSettings>,
    /// What tokens say of a user beyond SimpleJWT's claims, in this order.
    pub claims: Vec<DeclaredClaim>,
    /// The registered clients.
    pub clients: Vec<RegisteredClient>,
    /// Who is told what happened.
    pub audit: AuditSettings,
}

/// Where events go; see [`audit`](crate::audit).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AuditSettings {
    /// Into the log, through `tracing`.
    pub log: bool,
    /// Into the table `countersign_event`, which must be there.
    pub table: bool,
    /// Kinds that are not told at all.
    pub skip: Vec<EventKind>,
    /// Events that may wait to be written; more are lost, and counted.
    pub queue: usize,
}

impl Default for AuditSettings {
    /// The log alone, all kinds but each refresh, 4096 events.
    fn default() -> Self {
        Self { log: true, table: false, skip: vec![EventKind::Refresh], queue: 4096 }
    }
}

/// Django's `SESSION_…`, `CSRF_…` and host settings, as far as `SessionAuthentication` looks at them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DjangoSessions {
    /// `SECRET_KEY`, `SECRET_KEY_FALLBACKS`.
    pub secret_keys: SecretKeys,
    /// `SESSION_COOKIE_NAME`.
    pub cookie_name: String,
    /// `AUTHENTICATION_BACKENDS`, as dotted paths: a session of another backend is nobody's.
    pub backends: Vec<String>,
    /// `CSRF_COOKIE_NAME`.
    pub csrf_cookie_name: String,
    /// `CSRF_HEADER_NAME`, as the HTTP field name (`HTTP_X_CSRFTOKEN` is `x-csrftoken`).
    pub csrf_header_name: HeaderName,
    /// `CSRF_USE_SESSIONS`: the secret is in the session instead of a cookie.
    pub csrf_use_sessions: bool,
    /// `CSRF_TRUSTED_ORIGINS`: `https://example.com`, `https://*.example.com`.
    pub csrf_trusted_origins: Vec<String>,
    /// `CSRF_COOKIE_DOMAIN`, or with `csrf_use_sessions` `SESSION_COOKIE_DOMAIN`: whose pages a `Referer` may name.
    pub referer_domain: Option<String>,
    /// `ALLOWED_HOSTS`: which `Host` counts as this site where origins are compared.
    pub allowed_hosts: Vec<String>,
}

impl DjangoSessions {
    /// Django 5.2's defaults around its secret keys. Every host counts as this site.
    #[must_use]
    pub fn new(secret_keys: SecretKeys) -> Self {
        Self {
            secret_keys,
            cookie_name: "sessionid".to_owned(),
            backends: vec!["django.contrib.auth.backends.ModelBackend".to_owned()],
            csrf_cookie_name: "csrftoken".to_owned(),
            csrf_header_name: HeaderName::from_static("x-csrftoken"),
            csrf_use_sessions: false,
            csrf_trusted_origins: Vec::new(),
            referer_domain: None,
            allowed_hosts: vec!["*".to_owned()],
        }
    }
}

/// `REST_KNOX`: django-rest-knox 5.1 `settings.py`, one field a key.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KnoxSettings {
    /// `SECURE_HASH_ALGORITHM`.
    pub hash: KnoxHash,
    /// `AUTH_TOKEN_CHARACTER_LENGTH`, at most 256: hex digits of a token after its prefix.
    pub token_length: usize,
    /// `TOKEN_TTL`; `None` is for ever.
    pub token_ttl: Option<SignedDuration>,
    /// `TOKEN_LIMIT_PER_USER`.
    pub token_limit_per_user: Option<u32>,
    /// `AUTO_REFRESH`: use moves a token's end.
    pub auto_refresh: bool,
    /// `AUTO_REFRESH_MAX_TTL`: not beyond this long after it was made.
    pub auto_refresh_max_ttl: Option<SignedDuration>,
    /// `MIN_REFRESH_INTERVAL`: a token's end is not moved by less.
    pub min_refresh_interval: SignedDuration,
    /// `AUTH_HEADER_PREFIX`: first word of the header, compared without case.
    pub auth_header_prefix: String,
    /// `EXPIRY_DATETIME_FORMAT`.
    pub expiry_format: DateTimeFormat,
    /// Django's `TIME_ZONE`, in which the expiry is shown.
    pub time_zone: TimeZone,
    /// `USER_SERIALIZER`: whether the answer to a login has `user`, as Knox's own `UserSerializer` makes it.
    pub shows_user: bool,
    /// `TOKEN_PREFIX`, at most 10 characters.
    pub token_prefix: String,
}

impl Default for KnoxSettings {
    fn default() -> Self {
        Self {
            hash: KnoxHash::Sha512,
            token_length: 64,
            token_ttl: Some(SignedDuration::from_hours(10)),
            token_limit_per_user: None,
            auto_refresh: false,
            auto_refresh_max_ttl: None,
            min_refresh_interval: SignedDuration::from_secs(60),
            auth_header_prefix: "Token".to_owned(),
            expiry_format: DateTimeFormat::Iso8601,
            time_zone: TimeZone::UTC,
            shows_user: false,
            token_prefix: String::new(),
        }
    }
}

impl Settings {
    /// The defaults of Django 5.2, DRF 3.18 and SimpleJWT 5.5 around one signing key.
    #[must_use]
    pub fn new(signing_key: SigningKey) -> Self {
        Self {
            simple_jwt: SimpleJwt::new(signing_key),
            hashers: Hashers::default(),
            backend: AuthenticationBackend::Model,
            username_field: "username".to_owned(),
            apps: InstalledApps::default(),
            hashing: HashingSettings::default(),
            django_sessions: None,
            knox: KnoxSettings::default(),
            sessions: None,
            audit: AuditSettings::default(),
            throttling: ThrottlingSettings::default(),
            native_tokens: None,
            claims: Vec::new(),
            clients: Vec::new(),
        }
    }
}

/// Families of refresh tokens: how long they live, and how long a refresh may be repeated.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionSettings {
    /// For how long after a rotation the exchanged token gets the same successor again. Nothing makes every second use theft.
    pub refresh_window: SignedDuration,
    /// A session that is not refreshed for this long has ended.
    pub idle_lifetime: Option<SignedDuration>,
    /// A session that began this long ago has ended, however often it was refreshed.
    pub absolute_lifetime: Option<SignedDuration>,
    /// The claim that names the session.
    pub claim: String,
    /// How often it is written down that a session was seen, at most; `None` is never.
    pub last_seen: Option<Duration>,
    /// How old what is known of ended sessions may be when a token is let in.
    pub max_staleness: Duration,
    /// What becomes of tokens when it is older.
    pub when_feed_lost: WhenFeedLost,
    /// How long after a Django beside us voided a refresh token its session ends here too, unless a successor was recorded by then; `None`
    /// is never.
    pub django_logout_after: Option<Duration>,
}

/// What becomes of valid tokens while nothing can be learnt of the sessions that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFeedLost {
    /// They are refused, with a 503.
    #[default]
    Refuse,
    /// They are accepted by what was last known.
    Accept,
}

impl Default for SessionSettings {
    /// 10 s, no limits but those of the tokens, `sid`, once a minute; 1 s, and refuse; 10 s.
    fn default() -> Self {
        Self {
            refresh_window: SignedDuration::from_secs(10),
            idle_lifetime: None,
            absolute_lifetime: None,
            claim: "sid".to_owned(),
            last_seen: Some(Duration::from_mins(1)),
            max_staleness: Duration::from_secs(1),
            when_feed_lost: WhenFeedLost::Refuse,
            django_logout_after: Some(Duration::from_secs(10)),
        }
    }
}

/// Tokens of our own kind: `formats::native_token`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NativeTokenSettings {
    /// What they begin with.
    pub prefix: NativePrefix,
    /// First word of the header, compared without case.
    pub keyword: String,
    /// A token that was made this long ago has ended; `None` is never.
    pub lifetime: Option<SignedDuration>,
    /// A token that was not used for this long has ended.
    pub idle_lifetime: Option<SignedDuration>,
    /// Live tokens that a user may have.
    pub limit_per_user: Option<u32>,
}

impl Default for NativeTokenSettings {
    /// `Authorization: Bearer cs_…`, for 90 days.
    fn default() -> Self {
        Self {
            prefix: NativePrefix::default(),
            keyword: "Bearer".to_owned(),
            lifetime: Some(SignedDuration::from_hours(90 * 24)),
            idle_lifetime: None,
            limit_per_user: None,
        }
    }
}

/// How much of the machine password hashing gets, and how long a login may wait for it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HashingSettings {
    /// Threads that hash, at least one; one a core.
    pub threads: usize,
    /// How many logins may wait before the next is refused with 503; those of one client address may take a
    /// quarter of it, those of one IPv4 /24 or IPv6 /48 half, and less the fuller it is.
    pub queue: usize,
    /// How long a login's hash may take, waiting included. One that cannot be expected to need three quarters of it at most
    /// is refused at once.
    pub deadline: Duration,
    /// Bytes that memory-hard hashes (argon2, scrypt) may fill at once. One that needs more runs when no other does.
    pub memory: u64,
    /// Hashing threads run while nothing else wants a core; where that leaves them next to nothing, their niceness is by so much
    /// above that of the others, at most 19. With 0 they are like all others. Linux; elsewhere they always are.
    pub nice: u8,
    /// What PBKDF2-HMAC-SHA256 may be computed with.
    pub backends: Backends,
}

impl Default for HashingSettings {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            queue: 256,
            deadline: Duration::from_secs(10),
            memory: 256 * 1024 * 1024,
            nice: 10,
            backends: Backends::detect(),
        }
    }
}

/// `AUTHENTICATION_BACKENDS`: which users a correct password lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthenticationBackend {
    /// `ModelBackend`: active users only.
    #[default]
    Model,
    /// `AllowAllUsersModelBackend`: inactive users as well.
    AllowAllUsers,
}

/// `SIMPLE_JWT`: SimpleJWT 5.5 `settings.py`, one field a key.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SimpleJwt {
    /// `ACCESS_TOKEN_LIFETIME`.
    pub access_token_lifetime: SignedDuration,
    /// `REFRESH_TOKEN_LIFETIME`.
    pub refresh_token_lifetime: SignedDuration,
    /// `SLIDING_TOKEN_LIFETIME`.
    pub sliding_token_lifetime: SignedDuration,
    /// `SLIDING_TOKEN_REFRESH_LIFETIME`.
    pub sliding_token_refresh_lifetime: SignedDuration,
    /// `SLIDING_TOKEN_REFRESH_EXP_CLAIM`.
    pub sliding_token_refresh_exp_claim: String,
    /// `ROTATE_REFRESH_TOKENS`.
    pub rotate_refresh_tokens: bool,
    /// `BLACKLIST_AFTER_ROTATION`; also switches the blacklist check in verify.
    pub blacklist_after_rotation: bool,
    /// `UPDATE_LAST_LOGIN`, at obtain only.
    pub update_last_login: bool,
    /// ALGORITHM and `SIGNING_KEY`: the key owns its algorithm.
    pub signing_key: SigningKey,
    /// Whether tokens are given out. Where only public keys are known they are not, and `signing_key` makes none.
    pub issues: bool,
    /// Whether further keys are fetched (`JWK_URL`): only they and `verifying_keys` are verified with then.
    pub fetches_keys: bool,
    /// What tokens are verified with.
    pub verifying_keys: Vec<VerifyingKey>,
    /// AUDIENCE, ISSUER, LEEWAY, `TOKEN_TYPE_CLAIM`, `JTI_CLAIM`.
    pub rules: Rules,
    /// `AUTH_HEADER_TYPES`; the first is the challenge word.
    pub auth_header_types: Vec<String>,
    /// `AUTH_HEADER_NAME`, as the HTTP field name (`HTTP_X_ACCESS_TOKEN` is `x-access-token`).
    pub auth_header_name: HeaderName,
    /// `USER_ID_FIELD`.
    pub user_id_field: String,
    /// `USER_ID_CLAIM`.
    pub user_id_claim: String,
    /// `AUTH_TOKEN_CLASSES`.
    pub auth_token_classes: Vec<TokenType>,
    /// `CHECK_REVOKE_TOKEN`.
    pub check_revoke_token: bool,
    /// `REVOKE_TOKEN_CLAIM`.
    pub revoke_token_claim: String,
    /// `CHECK_USER_IS_ACTIVE`.
    pub check_user_is_active: bool,
}

impl SimpleJwt {
    /// SimpleJWT 5.5's defaults around one signing key.
    #[must_use]
    pub fn new(signing_key: SigningKey) -> Self {
        Self {
            access_token_lifetime: SignedDuration::from_mins(5),
            refresh_token_lifetime: SignedDuration::from_hours(24),
            sliding_token_lifetime: SignedDuration::from_mins(5),
            sliding_token_refresh_lifetime: SignedDuration::from_hours(24),
            sliding_token_refresh_exp_claim: "refresh_exp".to_owned(),
            rotate_refresh_tokens: false,
            blacklist_after_rotation: false,
            update_last_login: false,
            issues: true,
            fetches_keys: false,
            verifying_keys: vec![signing_key.verifying_key()],
            signing_key,
            rules: Rules::default(),
            auth_header_types: vec!["Bearer".to_owned()],
            auth_header_name: http::header::AUTHORIZATION,
            user_id_field: "id".to_owned(),
            user_id_claim: "user_id".to_owned(),
            auth_token_classes: vec![TokenType::Access],
            check_revoke_token: false,
            revoke_token_claim: "hash_password".to_owned(),
            check_user_is_active: true,
        }
    }

    /// The challenge of SimpleJWT's views and of `JWTAuthentication`: `Bearer realm="api"`.
    #[must_use]
    pub fn challenge(&self) -> String {
        let word = self.auth_header_types.first().map_or("Bearer", String::as_str);
        format!("{word} realm=\"api\"")
    }
}
