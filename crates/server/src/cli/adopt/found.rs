//! What the probe found in the project: its document, key for key. No `Debug` where secrets are.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A text that must not be shown; erased from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(Zeroizing<String>);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// Without white space around.
    pub(super) fn trimmed(&self) -> Self {
        Self::new(self.0.trim().to_owned())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The document of `probe/main.py`.
#[derive(Deserialize)]
pub(super) struct Found {
    pub versions: Versions,
    pub django: Django,
    pub users: Users,
    pub database: Database,
    pub hashers: Vec<Hasher>,
    pub backends: Vec<Backend>,
    pub validators: Vec<Validator>,
    pub rest_framework: Option<RestFramework>,
    pub simple_jwt: Option<SimpleJwt>,
    /// Where Knox is installed.
    #[serde(default)]
    pub knox: Option<Knox>,
    pub views: Vec<View>,
}

/// `REST_KNOX`.
#[derive(Debug, Deserialize)]
pub(super) struct Knox {
    pub values: BTreeMap<String, serde_json::Value>,
    /// hashlib's name of `SECURE_HASH_ALGORITHM`.
    pub algorithm: Option<String>,
    pub user_serializer: Option<String>,
    pub expiry_format: Option<String>,
    /// Whether tokens are Knox's own `AuthToken`.
    pub stock_model: bool,
}

/// Why the probe could not look.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub error: RefusalText,
    pub module: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RefusalText {
    pub kind: String,
    pub message: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Versions {
    pub python: String,
    pub django: Option<String>,
    pub rest_framework: Option<String>,
    pub simplejwt: Option<String>,
    pub knox: Option<String>,
}

#[derive(Deserialize)] // no Debug: a secret inside
pub(super) struct Django {
    pub module: Option<String>,
    pub secret_key: Secret,
    pub secret_key_fallbacks: usize,
    pub debug: bool,
    pub installed_apps: Vec<String>,
    pub append_slash: bool,
    /// `None` is without bound.
    pub data_upload_max_memory_size: Option<u64>,
    pub data_upload_max_number_fields: Option<u64>,
    pub data_upload_max_number_files: Option<u64>,
    /// `SESSION_…`, `CSRF_…` and what hosts and proxies say.
    #[serde(default)]
    pub sessions: BTreeMap<String, serde_json::Value>,
    pub use_tz: bool,
    pub time_zone: Option<String>,
    pub language_code: String,
    pub use_i18n: bool,
    pub locale_middleware: bool,
    pub force_script_name: Option<String>,
    /// Middleware that is not Django's own.
    pub middleware: Vec<String>,
    pub cors: Option<Cors>,
    pub login_failed_receivers: Vec<String>,
}

/// django-cors-headers.
#[derive(Debug, Deserialize)]
pub(super) struct Cors {
    pub all_origins: bool,
    pub origins: Vec<String>,
    pub patterns: Vec<String>,
    pub credentials: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Table {
    pub schema: Option<String>,
    pub table: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Users {
    pub model: String,
    pub schema: Option<String>,
    pub table: String,
    pub id: Attribute,
    pub username: Attribute,
    pub username_field: String,
    pub columns: BTreeMap<String, Attribute>,
    pub groups: Option<Through>,
    pub user_permissions: Option<Through>,
    pub lookup: Lookup,
    /// The manager that tokens are looked up with hides some users.
    pub objects_filtered: bool,
    /// `check_password` is the project's own.
    pub own_password_check: bool,
}

/// What stands for an attribute of the user model.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Attribute {
    Column(Column),
    /// A plain `True` or `False` of the class.
    Constant {
        value: bool,
    },
    /// A property or method: code of the project.
    Code,
    None,
}

#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the document")]
pub(super) struct Column {
    pub name: String,
    pub column: String,
    /// Django's `get_internal_type()`.
    #[serde(rename = "type")]
    pub internal_type: String,
    pub db_type: Option<String>,
    /// Whether the field's class is one of Django's.
    pub stock_class: bool,
    pub class: String,
    pub unique: bool,
    /// In the table of a parent model.
    pub elsewhere: bool,
}

/// A many-to-many table of `PermissionsMixin`.
#[derive(Debug, Deserialize)]
pub(super) struct Through {
    pub schema: Option<String>,
    pub table: String,
    pub user_column: Option<String>,
}

/// How the manager finds a user by name.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the document")]
pub(super) struct Lookup {
    /// `exact`, `iexact`, `lowered`, or `None` for anything else.
    pub lookup: Option<String>,
    pub column: Option<String>,
    /// The manager hides some users.
    pub filters: bool,
    pub manager: String,
}

#[derive(Deserialize)] // no Debug: a secret inside
pub(super) struct Database {
    pub alias: String,
    pub vendor: String,
    pub engine: String,
    pub name: Option<String>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub host: Option<String>,
    pub port: Option<String>,
    pub options: BTreeMap<String, String>,
    pub disable_server_side_cursors: bool,
    pub time_zone: Option<String>,
    pub sslmode_environment: Option<String>,
    pub tables: BTreeMap<String, Aliases>,
    pub connection_receivers: Vec<String>,
    pub reachable: bool,
    pub problem: Option<String>,
    pub search_path: Option<String>,
    pub search_path_source: Option<String>,
    pub server_version: Option<String>,
    pub effective: Option<Effective>,
    #[serde(default)]
    pub pending_migrations: Vec<String>,
}

impl Database {
    /// Whether its catalogue can be held against the configuration now: it is reached, and as the models have it. A SQLite file
    /// is left alone, as opening it here changes how it is written.
    pub(super) fn can_be_compared(&self) -> bool {
        self.vendor == "postgresql" && self.reachable && self.pending_migrations.is_empty()
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Aliases {
    pub read: Option<String>,
    pub write: Option<String>,
}

/// What libpq connected with, services and passfiles resolved.
#[derive(Deserialize)] // no Debug: a secret inside
pub(super) struct Effective {
    pub host: Option<String>,
    pub port: Option<String>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub dbname: Option<String>,
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Hasher {
    pub class: String,
    pub algorithm: Option<String>,
    /// The algorithm of the stock hasher it derives from.
    pub base: Option<String>,
    pub overrides: Vec<String>,
    pub work: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Backend {
    pub class: String,
    pub base: Option<String>,
    pub overrides: Vec<String>,
    /// Whether `authenticate` is called for a username and password.
    pub takes_password: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Validator {
    pub name: String,
    pub options: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RestFramework {
    pub defaults: Policies,
    pub throttle_rates: BTreeMap<String, Option<String>>,
    /// Proxies whose entries in `X-Forwarded-For` are believed; `None` believes the whole header.
    #[serde(default)]
    pub num_proxies: Option<serde_json::Value>,
    pub exception_handler: Option<String>,
    pub content_negotiation: Option<String>,
    pub versioning: Option<String>,
    pub metadata: Option<String>,
    pub non_field_errors_key: Option<String>,
    pub unicode_json: bool,
    pub compact_json: bool,
    pub strict_json: bool,
    pub url_format_override: Option<String>,
}

/// The class lists of views that set none.
#[derive(Debug, Deserialize)]
pub(super) struct Policies {
    pub authentication: Vec<Class>,
    pub permissions: Vec<Class>,
    #[serde(default)]
    pub throttles: Vec<String>,
    pub renderers: Vec<Class>,
    pub parsers: Vec<Class>,
}

/// A class beside the stock class it derives from.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the document")]
pub(super) struct Class {
    pub class: String,
    pub base: Option<String>,
    pub overrides: Vec<String>,
    /// Of parsers and renderers.
    pub media_type: Option<String>,
    /// Of `TokenAuthentication`.
    pub keyword: Option<String>,
    pub table: Option<Table>,
}

impl Class {
    /// The stock class it is as good as: what it overrides only describes.
    pub(super) fn stock(&self) -> Option<&str> {
        self.base.as_deref().filter(|_| self.overrides.is_empty())
    }
}

#[derive(Deserialize)] // no Debug: a secret inside
pub(super) struct SimpleJwt {
    pub values: BTreeMap<String, serde_json::Value>,
    /// Where it is not `SECRET_KEY`.
    pub signing_key: Option<Secret>,
    /// May be a private key, as PyJWT takes one for its public half.
    pub verifying_key: Option<Secret>,
    pub auth_token_classes: Vec<TokenClass>,
    /// Code and addresses that are not SimpleJWT's own.
    pub hooks: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TokenClass {
    pub class: String,
    pub stock: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct View {
    pub kind: String,
    /// As the project writes it, with parameters.
    pub pattern: String,
    /// The one path it stands at, with the script name.
    pub path: Option<String>,
    pub class: String,
    /// An earlier pattern takes its path.
    #[serde(default)]
    pub shadowed: bool,
    /// Under `i18n_patterns`.
    #[serde(default)]
    pub localized: bool,
    #[serde(default)]
    pub overrides: Vec<String>,
    #[serde(default)]
    pub decorators: Vec<String>,
    pub serializer: Option<Class>,
    #[serde(flatten)]
    pub policies: ViewPolicies,
}

/// A view's class lists as they take effect; absent for views of other packages.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ViewPolicies {
    pub authentication: Vec<Class>,
    pub permissions: Vec<Class>,
    pub throttles: Vec<String>,
    pub throttle_scope: Option<String>,
    pub renderers: Vec<Class>,
    pub parsers: Vec<Class>,
}
