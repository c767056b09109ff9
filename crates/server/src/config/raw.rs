//! The file's shape, key for key, before it is checked. Every table refuses keys it does not know.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::duration::Length;
use super::size::Size;

mod classes;
mod values;

pub(super) use classes::{RawPermission, RawPermissions, RawScheme, RawThrottle, RawValidator};
pub(super) use values::{Nullable, NullableCount, NullableLength, OneOrMany, SecretText};

#[derive(Default, Deserialize)] // no Debug: secrets inside
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    pub secret_key: Option<SecretText>,
    pub secret_key_file: Option<PathBuf>,
    pub secret_key_fallbacks: Vec<SecretText>,
    pub allowed_hosts: Option<Vec<String>>,
    pub session_engine: Option<String>,
    pub session_serializer: Option<String>,
    pub session_cookie_name: Option<String>,
    pub session_cookie_domain: Option<String>,
    /// Ours: whose sessions count, where other backends than those that log in here have made them.
    pub session_backends: Option<Vec<String>>,
    pub csrf_cookie_name: Option<String>,
    pub csrf_cookie_domain: Option<String>,
    pub csrf_header_name: Option<String>,
    pub csrf_trusted_origins: Option<Vec<String>>,
    pub csrf_use_sessions: Option<bool>,
    pub secure_proxy_ssl_header: Option<Vec<String>>,
    pub use_x_forwarded_host: Option<bool>,
    pub database_url: Option<SecretText>,
    pub database_url_file: Option<PathBuf>,
    pub users: Option<RawUsers>,
    pub postgresql: RawPostgres,
    pub bind: Option<String>,
    /// Ours: whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    pub installed_apps: Option<Vec<String>>,
    pub append_slash: Option<bool>,
    pub data_upload_max_memory_size: Option<u64>,
    pub data_upload_max_number_fields: Option<u64>,
    pub data_upload_max_number_files: Option<u64>,
    pub simple_jwt: RawSimpleJwt,
    pub rest_framework: RawRestFramework,
    pub auth: RawAuth,
    pub knox: RawKnox,
    pub time_zone: Option<String>,
    pub sessions: RawSessions,
    pub audit: RawAudit,
    pub pruning: RawPruning,
    pub keys: RawKeys,
    pub throttling: RawThrottling,
    pub native_tokens: RawNativeTokens,
    pub claims: BTreeMap<String, RawClaim>,
    pub clients: Vec<RawClient>,
    pub paths: BTreeMap<PathName, String>,
    pub protected: Vec<RawProtected>,
    pub limits: RawLimits,
}

#[derive(Default, Deserialize)] // no Debug: secrets inside
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSimpleJwt {
    pub access_token_lifetime: Option<Length>,
    pub refresh_token_lifetime: Option<Length>,
    pub rotate_refresh_tokens: Option<bool>,
    pub blacklist_after_rotation: Option<bool>,
    pub update_last_login: Option<bool>,
    pub algorithm: Option<String>,
    pub signing_key: Option<SecretText>,
    /// Ours: `SIGNING_KEY` in a file.
    pub signing_key_file: Option<PathBuf>,
    pub verifying_key: Option<SecretText>,
    /// Ours: `VERIFYING_KEY` in a file.
    pub verifying_key_file: Option<PathBuf>,
    /// Ours: the `kid` of tokens, and the key's name in the published set.
    pub key_id: Option<String>,
    /// Ours: keys under which tokens are accepted beside `verifying_key`.
    pub accepted_keys: Vec<RawAcceptedKey>,
    pub audience: Option<OneOrMany>,
    pub issuer: Option<OneOrMany>,
    pub json_encoder: Option<String>,
    pub jwk_url: Option<String>,
    pub leeway: Option<Length>,
    pub auth_header_types: Option<OneOrMany>,
    pub auth_header_name: Option<String>,
    pub user_id_field: Option<String>,
    pub user_id_claim: Option<String>,
    pub user_authentication_rule: Option<String>,
    pub auth_token_classes: Option<OneOrMany>,
    pub token_type_claim: Option<Nullable>,
    pub jti_claim: Option<Nullable>,
    pub token_user_class: Option<String>,
    pub sliding_token_refresh_exp_claim: Option<String>,
    pub sliding_token_lifetime: Option<Length>,
    pub sliding_token_refresh_lifetime: Option<Length>,
    pub token_obtain_serializer: Option<String>,
    pub token_refresh_serializer: Option<String>,
    pub token_verify_serializer: Option<String>,
    pub token_blacklist_serializer: Option<String>,
    pub sliding_token_obtain_serializer: Option<String>,
    pub sliding_token_refresh_serializer: Option<String>,
    pub check_revoke_token: Option<bool>,
    pub revoke_token_claim: Option<String>,
    pub check_user_is_active: Option<bool>,
    /// Ours: refuse what RFC 7515 and RFC 7519 refuse though PyJWT accepts it.
    pub strict: Option<bool>,
}

/// Ours: the key ladder.
#[derive(Default, Deserialize)] // no Debug: secrets inside
#[serde(deny_unknown_fields, default)]
pub(super) struct RawKeys {
    pub encryption_key: Option<SecretText>,
    pub encryption_key_file: Option<PathBuf>,
    pub reload_interval: Option<Length>,
}

#[derive(Default, Deserialize)] // no Debug: secrets inside
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAcceptedKey {
    pub algorithm: Option<String>,
    pub key: Option<SecretText>,
    pub key_file: Option<PathBuf>,
    pub key_id: Option<String>,
    pub key_set_file: Option<PathBuf>,
}

/// Keys of `SIMPLE_JWT`, which SimpleJWT looks up in `REST_FRAMEWORK` when there is no `SIMPLE_JWT` setting at all.
pub(super) const SIMPLE_JWT_KEYS: &[&str] = &[
    "access_token_lifetime",
    "refresh_token_lifetime",
    "rotate_refresh_tokens",
    "blacklist_after_rotation",
    "update_last_login",
    "algorithm",
    "signing_key",
    "signing_key_file",
    "verifying_key",
    "verifying_key_file",
    "key_id",
    "accepted_keys",
    "audience",
    "issuer",
    "json_encoder",
    "jwk_url",
    "leeway",
    "auth_header_types",
    "auth_header_name",
    "user_id_field",
    "user_id_claim",
    "user_authentication_rule",
    "auth_token_classes",
    "token_type_claim",
    "jti_claim",
    "token_user_class",
    "sliding_token_refresh_exp_claim",
    "sliding_token_lifetime",
    "sliding_token_refresh_lifetime",
    "token_obtain_serializer",
    "token_refresh_serializer",
    "token_verify_serializer",
    "token_blacklist_serializer",
    "sliding_token_obtain_serializer",
    "sliding_token_refresh_serializer",
    "check_revoke_token",
    "revoke_token_claim",
    "check_user_is_active",
];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawUsers {
    pub schema: Option<String>,
    pub table: Option<String>,
    pub id: Option<String>,
    pub id_type: Option<String>,
    pub username: Option<String>,
    pub username_field: Option<String>,
    pub username_lookup: Option<String>,
    pub password: Option<String>,
    pub is_active: Option<Nullable>,
    pub is_staff: Option<Nullable>,
    pub is_superuser: Option<Nullable>,
    pub last_login: Option<Nullable>,
    pub date_joined: Option<Nullable>,
    pub email: Option<Nullable>,
    pub first_name: Option<Nullable>,
    pub last_name: Option<Nullable>,
    pub groups: Option<Nullable>,
    pub user_permissions: Option<Nullable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPostgres {
    pub connect_timeout: Option<Length>,
    pub statement_timeout: Option<Length>,
    pub read_connections: Option<usize>,
    pub write_connections: Option<usize>,
    pub pgbouncer: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRestFramework {
    pub default_authentication_classes: Option<Vec<RawScheme>>,
    pub default_permission_classes: Option<Vec<RawPermission>>,
    pub default_renderer_classes: Option<Vec<String>>,
    pub default_parser_classes: Option<Vec<String>>,
    pub default_throttle_classes: Option<Vec<RawThrottle>>,
    pub default_throttle_rates: Option<BTreeMap<String, Nullable>>,
    pub num_proxies: Option<NullableCount>,
    pub non_field_errors_key: Option<String>,
    pub unicode_json: Option<bool>,
    pub compact_json: Option<bool>,
    pub strict_json: Option<bool>,
    pub url_format_override: Option<Nullable>,
}

/// Ours: how requests are counted.
#[derive(Default, Deserialize)] // no Debug: a secret inside
#[serde(deny_unknown_fields, default)]
pub(super) struct RawThrottling {
    pub memory: Option<Size>,
    pub nodes: Option<u32>,
    pub redis: Option<SecretText>,
    pub redis_file: Option<PathBuf>,
    pub redis_timeout: Option<Length>,
    pub logins: RawLogins,
    pub paths: BTreeMap<PathName, Vec<RawThrottle>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLogins {
    pub enabled: Option<bool>,
    pub account_and_address: Option<String>,
    pub account: Option<String>,
    pub address: Option<String>,
}

/// `REST_KNOX`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawKnox {
    pub secure_hash_algorithm: Option<String>,
    pub auth_token_character_length: Option<usize>,
    pub token_ttl: Option<NullableLength>,
    pub user_serializer: Option<Nullable>,
    pub token_limit_per_user: Option<NullableCount>,
    pub auto_refresh: Option<bool>,
    pub auto_refresh_max_ttl: Option<NullableLength>,
    pub min_refresh_interval: Option<Length>,
    pub auth_header_prefix: Option<String>,
    pub expiry_datetime_format: Option<Nullable>,
    pub token_model: Option<String>,
    pub token_prefix: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAuth {
    pub password_hashers: Option<Vec<String>>,
    pub password_validators: Option<Vec<RawValidator>>,
    pub authentication_backends: Option<Vec<String>>,
    pub pbkdf2_sha256: RawPbkdf2,
    pub pbkdf2_sha1: RawPbkdf2,
    pub argon2: RawArgon2,
    pub bcrypt_sha256: RawBcrypt,
    pub bcrypt: RawBcrypt,
    pub scrypt: RawScrypt,
    pub hashing_threads: Option<usize>,
    pub hashing_queue: Option<usize>,
    pub hashing_deadline: Option<Length>,
    pub hashing_memory: Option<Size>,
    pub hashing_nice: Option<i64>,
    pub hashing_backends: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPbkdf2 {
    pub iterations: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawArgon2 {
    pub time_cost: Option<u32>,
    pub memory_cost: Option<u32>,
    pub parallelism: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawBcrypt {
    pub rounds: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawScrypt {
    pub work_factor: Option<u32>,
    pub block_size: Option<u32>,
    pub parallelism: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PathName {
    ObtainAuthToken,
    TokenObtainPair,
    TokenRefresh,
    TokenVerify,
    TokenBlacklist,
    TokenObtainSliding,
    TokenRefreshSliding,
    KnoxLogin,
    KnoxLogout,
    KnoxLogoutall,
    NativeLogin,
    NativeLogout,
    Sessions,
    SessionsLogoutAll,
    SessionsLogoutOthers,
    Introspect,
    Revoke,
    Whoami,
    Healthz,
    Readyz,
    Jwks,
    OauthAuthorizationServer,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProtected {
    pub path: String,
    pub authentication: Option<Vec<RawScheme>>,
    pub permission: Option<RawPermissions>,
    pub throttles: Option<Vec<RawThrottle>>,
    pub throttle_scope: Option<String>,
    pub methods: Option<Vec<String>>,
    pub response: Option<RawResponse>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawResponse {
    pub content_type: String,
    pub body: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSessions {
    pub enabled: Option<bool>,
    pub refresh_window: Option<Length>,
    pub idle_lifetime: Option<Length>,
    pub absolute_lifetime: Option<Length>,
    pub claim: Option<String>,
    pub last_seen: Option<NullableLength>,
    pub django_logout_after: Option<NullableLength>,
    pub max_staleness: Option<Length>,
    pub when_feed_lost: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawNativeTokens {
    pub enabled: Option<bool>,
    pub prefix: Option<String>,
    pub keyword: Option<String>,
    pub lifetime: Option<NullableLength>,
    pub idle_lifetime: Option<Length>,
    pub limit_per_user: Option<NullableCount>,
}

/// Ours: where the value of a claim comes from; one of the three.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawClaim {
    pub column: Option<String>,
    pub from: Option<String>,
    pub value: Option<toml::Value>,
}

/// Ours: a registered client.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawClient {
    pub id: Option<String>,
    pub secret_sha256: Option<OneOrMany>,
    pub may: Option<Vec<String>>,
    pub access_lifetime: Option<Length>,
    pub refresh_lifetime: Option<Length>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAudit {
    pub log: Option<bool>,
    pub table: Option<bool>,
    pub skip: Option<Vec<String>>,
    pub queue: Option<usize>,
    pub keep: Option<NullableLength>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPruning {
    pub enabled: Option<bool>,
    pub interval: Option<Length>,
    pub batch: Option<u32>,
    pub django_tables: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    pub header_timeout: Option<Length>,
    pub body_timeout: Option<Length>,
    pub shutdown_timeout: Option<Length>,
    pub max_connections: Option<usize>,
}
