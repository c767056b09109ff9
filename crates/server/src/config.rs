//! `countersign.toml`, `COUNTERSIGN_…` variables and flags to typed settings. Names are Django's in lower case. Unknown keys,
//! wrong types and impossible combinations are refused with key, line and fix.

mod duration;
mod raw;
mod resolve;
mod resources;
mod source;
mod validators;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use countersign::Permission;
use countersign::settings::Settings;
use countersign_formats::negotiation::Renderer;
use countersign_formats::password_validation::Validators;
use countersign_formats::request_body::Parser;
use countersign_store::DatabaseUrl;
use http::Method;

use crate::endpoints::Endpoint;
use crate::view::ViewSettings;

pub(crate) use source::Overrides;

/// A configuration that holds together.
#[derive(Debug)]
pub struct Config {
    pub(crate) bind: SocketAddr,
    pub(crate) database_url: DatabaseUrl,
    pub(crate) settings: Settings,
    pub(crate) views: ViewSettings,
    pub(crate) append_slash: bool,
    pub(crate) resources: Vec<Resource>,
    pub(crate) password_validators: Validators,
    pub(crate) header_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
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
    pub renderers: Vec<Renderer>,
    pub parsers: Vec<Parser>,
    /// SimpleJWT's views have no authentication, yet challenge with its word.
    pub challenges_as_jwt: bool,
}

/// An authentication class as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SchemeChoice {
    Token { keyword: String, table: String },
    Jwt,
    JwtStateless,
    Basic,
    Session,
}

/// Why a configuration is refused: one line that names the place, the key and the fix.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
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
