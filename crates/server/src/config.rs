//! `countersign.toml`, `COUNTERSIGN_…` variables and flags to typed settings. Names are Django's in lower case. Unknown keys,
//! wrong types and impossible combinations are refused with key, line and fix.

mod audit;
mod claims;
mod clients;
mod database;
mod django_sessions;
mod duration;
mod hashing;
mod keys;
mod knox;
mod native_tokens;
mod pruning;
mod raw;
mod resolve;
mod resources;
mod sessions;
mod size;
mod source;
mod throttling;
mod validators;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use countersign::settings::Settings;
use countersign::{Permission, Throttle};
use countersign_formats::negotiation::Renderer;
use countersign_formats::password_validation::Validators;
use countersign_formats::request_body::Parser;
use http::Method;

use crate::database::Database;
use crate::endpoints::Endpoint;
use crate::jwk_url::JwkUrl;
use crate::ladder::LadderSettings;
use crate::probes::Probe;
use crate::published::Published;
use crate::view::ViewSettings;

pub(crate) use duration::Length;
pub(crate) use pruning::Pruning;
pub(crate) use source::Overrides;

/// A length of time as the file's are written.
pub(crate) fn length_of(text: &str) -> Option<jiff::SignedDuration> {
    duration::Length::parse(text).map(|length| length.0)
}

/// A configuration that holds together.
#[derive(Debug)]
pub struct Config {
    pub(crate) bind: SocketAddr,
    pub(crate) database: Database,
    pub(crate) settings: Settings,
    /// How sure the file is that there are sessions.
    pub(crate) sessions: OwnTables,
    /// How sure the file is that there is a table of events.
    pub(crate) audit: OwnTables,
    /// Which expired rows the server deletes; `None` is none.
    pub(crate) pruning: Option<Pruning>,
    pub(crate) views: ViewSettings,
    pub(crate) append_slash: bool,
    pub(crate) resources: Vec<Resource>,
    pub(crate) probes: Vec<(String, Probe)>,
    pub(crate) published: Vec<(String, Published)>,
    pub(crate) jwk_url: Option<JwkUrl>,
    pub(crate) ladder: LadderSettings,
    pub(crate) password_validators: Validators,
    pub(crate) header_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) max_connections: usize,
    pub(crate) warnings: Vec<String>,
}

/// One path and its policy, before the database is open.
#[derive(Debug)]
pub(crate) struct Resource {
    pub path: String,
    pub name: String,
    pub endpoint: Endpoint,
    pub methods: Vec<Method>,
    pub authentication: Vec<SchemeChoice>,
    pub permissions: Vec<Permission>,
    pub throttles: Vec<Throttle>,
    pub renderers: Vec<Renderer>,
    pub parsers: Vec<Parser>,
    /// What a 401 names.
    pub challenge: Challenge,
    /// Whether it stands at every path of one more segment, which names what it is about.
    pub names_one: bool,
}

/// What the `WWW-Authenticate` of a 401 names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// The first scheme, as in DRF.
    FirstScheme,
    /// SimpleJWT's word: its views have no authentication, yet challenge.
    SimpleJwt,
    /// The first scheme that takes bearer tokens, and what was wrong (RFC 6750 §3): paths that Django does not have.
    Bearer,
    /// How clients prove who they are (RFC 6749 §5.2).
    Clients,
}

/// `sessions.enabled` and `audit.table`: whether what needs our own tables is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OwnTables {
    /// Off, as the file says, or as tokens without an id leave no other way.
    Off,
    /// On where the database has our tables.
    IfThere,
    /// On; what to say where the tables are missing.
    Demanded {
        /// Place, key, problem and fix.
        refusal: String,
    },
}

/// An authentication class as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SchemeChoice {
    Token { keyword: String, table: String },
    Jwt,
    JwtStateless,
    Basic,
    Session,
    Knox,
    Native,
}

/// Why a configuration is refused: one line that names the place, the key and the fix.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    /// An error of this text, on one line whatever the configuration holds: what steers a terminal or turns the direction of
    /// writing is escaped.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text: String = text.into();
        let is_plain = |letter: char| {
            !letter.is_control()
                && !matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if text.chars().all(is_plain) {
            return Self(text);
        }
        let mut plain = String::with_capacity(text.len() + 16);
        for letter in text.chars() {
            if is_plain(letter) { plain.push(letter) } else { plain.extend(letter.escape_default()) }
        }
        Self(plain)
    }
}

impl Config {
    /// Reads the file (if any), then the environment, then the flags, and checks the whole.
    ///
    /// # Errors
    /// [`ConfigError`] for whatever does not hold together.
    pub(crate) fn load(file: Option<PathBuf>, overrides: &Overrides) -> Result<Self, ConfigError> {
        let source = source::Source::read(file, overrides)?;
        resolve::resolve(&source)
    }

    /// Reads a configuration from text alone, without file or environment.
    ///
    /// # Errors
    /// [`ConfigError`] for whatever does not hold together.
    pub fn from_text(text: &str) -> Result<Self, ConfigError> {
        let source = source::Source::from_text("countersign.toml", text)?;
        resolve::resolve(&source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "secret_key = \"0123456789012345678901234567890123456789\"\ndatabase_url = \"sqlite:x.db\"\n";

    /// The configuration that begins with what each needs, or the words it is refused with.
    pub(super) fn read(rest: &str) -> Result<Config, String> {
        Config::from_text(&format!("{BASE}{rest}")).map_err(|error| error.to_string())
    }

    fn refusal(rest: &str) -> String {
        Config::from_text(&format!("{BASE}{rest}")).expect_err(rest).to_string()
    }

    #[test]
    fn errors_name_line_key_and_fix() {
        for (text, expected) in [
            (
                "[simple_jwt]\nacess_token_lifetime = 5",
                "countersign.toml:4: simple_jwt.acess_token_lifetime: unknown key \"acess_token_lifetime\"; did you mean \"access_token_lifetime\"?",
            ),
            (
                "[simple_jwt]\nauth_header_type = \"JWT\"",
                "countersign.toml:4: simple_jwt.auth_header_type: the 'AUTH_HEADER_TYPE' setting has been removed from SimpleJWT; use auth_header_types",
            ),
            ("[simple_jwt]\nleeway = 121", "countersign.toml:4: simple_jwt.leeway: must lie between 0 and 120 seconds"),
            ("[simple_jwt]\nsigning_key = \"\"", "countersign.toml:4: simple_jwt.signing_key: the HMAC key is empty"),
            (
                "[paths]\nwhoami = \"me/\"",
                "countersign.toml:4: paths.whoami: \"me/\" must begin with a slash and have no query",
            ),
            (
                "[[protected]]\npath = \"/a/\"\n[[protected]]\npath = \"/b/\"\npermission = \"nobody\"",
                "countersign.toml:7: protected.1.permission: \"nobody\" is no permission class; use allow_any, is_authenticated, is_admin, is_authenticated_or_read_only or { kind = \"django_model_permissions\", model = \"auth.group\" }",
            ),
            ("[auth]\npassword_hashers = [\"md5\"]", "countersign.toml:4: auth.password_hashers: "),
            (
                "trusted_proxies = [\"nginx\"]",
                "countersign.toml:3: trusted_proxies: \"nginx\" is no network; write for example \"127.0.0.1/32\"",
            ),
            ("bind = \"nowhere\"", "countersign.toml:3: bind: \"nowhere\" is no address; write host:port"),
            ("secret_key_file = \"f\"", "countersign.toml:3: secret_key_file: secret_key is set as well"),
        ] {
            let refusal = refusal(text);
            assert!(refusal.starts_with(expected), "{refusal}");
            assert!(!refusal.contains('\n'), "{refusal}");
        }
    }

    /// Found by fuzzing: a key with an escape sequence went to the terminal as it was.
    #[test]
    fn s2_an_error_never_steers_the_terminal() {
        let refusal = refusal("[users]\n\u{1b}sername = 1");
        assert!(refusal.starts_with("countersign.toml:4: users.\\u{1b}sername: invalid unquoted key"), "{refusal}");
        assert!(!self::refusal("\"a\u{202e}b\" = 1").contains('\u{202e}'));
    }

    #[test]
    fn wrong_types_name_line_and_key() {
        let refusal = refusal("[simple_jwt]\nrotate_refresh_tokens = \"yes\"");
        assert!(refusal.starts_with("countersign.toml:4: simple_jwt.rotate_refresh_tokens: "), "{refusal}");
        assert!(refusal.contains("expected a boolean"), "{refusal}");
    }

    #[test]
    fn s2_a_refused_secret_is_not_shown() {
        let refusal = refusal("[simple_jwt]\nsigning_key = 12345678");
        assert_eq!(refusal, "countersign.toml:4: simple_jwt.signing_key: must be a text in quotes");
    }

    #[test]
    fn a_higher_layer_takes_the_place_of_a_file_of_a_lower_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("c.toml");
        let text = "secret_key_file = \"/nowhere/key\"\ndatabase_url_file = \"/nowhere/url\"\n";
        std::fs::write(&file, text).expect("written");
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut overrides = Overrides::default();
        overrides.environment.push(variable("COUNTERSIGN_SECRET_KEY", &"k".repeat(40)));
        overrides.environment.push(variable("COUNTERSIGN_DATABASE_URL", "sqlite:a.db"));
        overrides.environment.push(variable("COUNTERSIGN_TRUSTED_PROXIES", "[\"127.0.0.1/32\"]"));
        overrides.flags.push(("--database-url", "database_url", "sqlite:b.db".to_owned()));
        let config = Config::load(Some(file.clone()), &overrides).expect("accepted");
        assert_eq!(config.database.url.to_string(), "sqlite:b.db");
        assert_eq!(config.warnings, [""; 0]);
        overrides.environment.push(variable("COUNTERSIGN_CLIENTS", "[{ id = \"app\" }]"));
        overrides.environment.push(variable("COUNTERSIGN_AUDIT__LOG", "false"));
        let config = Config::load(Some(file.clone()), &overrides).expect("accepted");
        assert_eq!((config.warnings.len(), config.settings.clients.len(), config.settings.audit.log), (0, 1, false));
        overrides.environment.push(variable("COUNTERSIGN_SECRET_KEY_FILE", "/nowhere/key"));
        let refusal = Config::load(Some(file), &overrides).expect_err("two of one layer").to_string();
        assert!(refusal.contains("keep one of the two"), "{refusal}");
    }

    #[test]
    fn an_override_that_is_refused_is_named() {
        let mut overrides = Overrides::default();
        overrides.environment.push(("COUNTERSIGN_SECRET_KEY".to_owned(), "k".repeat(40)));
        overrides.environment.push(("COUNTERSIGN_DATABASE_URL".to_owned(), "mysql://x".to_owned()));
        let refusal = Config::load(None, &overrides).expect_err("refused").to_string();
        assert!(refusal.starts_with("COUNTERSIGN_DATABASE_URL: "), "{refusal}");
    }

    #[test]
    fn an_empty_secret_key_is_refused_and_a_short_one_warned_about() {
        let refusal = Config::from_text("secret_key = \"\"\ndatabase_url = \"x\"").expect_err("refused").to_string();
        assert!(refusal.starts_with("countersign.toml:1: secret_key: must not be empty"), "{refusal}");
        let config = Config::from_text("secret_key = \"short\"\ndatabase_url = \"sqlite:x\"").expect("accepted");
        assert!(config.warnings[0].starts_with("secret_key is shorter than the 32 bytes"), "{:?}", config.warnings);
    }

    #[test]
    fn j2_a_public_key_is_never_an_hmac_secret() {
        let refusal =
            refusal("[simple_jwt]\nsigning_key = \"-----BEGIN PUBLIC KEY-----\\nMIIB\\n-----END PUBLIC KEY-----\"");
        assert!(refusal.contains("PEM"), "{refusal}");
    }

    #[test]
    fn the_environment_stands_over_the_file_and_flags_over_both() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("c.toml");
        std::fs::write(&file, format!("{BASE}bind = \"127.0.0.1:1\"\n")).expect("written");
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut overrides = Overrides {
            environment: vec![
                variable("COUNTERSIGN_SIMPLE_JWT__ACCESS_TOKEN_LIFETIME", "90s"),
                variable("COUNTERSIGN_SIMPLE_JWT__AUTH_HEADER_TYPES", "[\"JWT\", \"Bearer\"]"),
                variable("COUNTERSIGN_SECRET_KEY", "12345678901234567890123456789012"),
                variable("COUNTERSIGN_BIND", "127.0.0.1:2"),
                variable("COUNTERSIGN_NONSENSE", "1"),
            ],
            flags: vec![("--bind", "bind", "127.0.0.1:3".to_owned())],
        };
        let config = Config::load(Some(file.clone()), &overrides).expect("accepted");
        assert_eq!(config.bind.port(), 3);
        assert_eq!(config.settings.simple_jwt.access_token_lifetime.as_secs(), 90);
        assert_eq!(config.settings.simple_jwt.challenge(), "JWT realm=\"api\"");
        assert_eq!(config.warnings, ["COUNTERSIGN_NONSENSE is set, but there is no setting \"nonsense\""]);
        overrides.environment.push(variable("COUNTERSIGN_SIMPLE_JWT__LEWAY", "1"));
        let refusal = Config::load(Some(file), &overrides).expect_err("refused").to_string();
        assert_eq!(refusal, "COUNTERSIGN_SIMPLE_JWT__LEWAY: unknown key \"leway\"; did you mean \"leeway\"?");
    }
}
