//! Classes of DRF and Django: by name, or as a table with what they are made with.

use serde::Deserialize;

use super::values::Nullable;

#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "the name of an authentication class, or a table such as { kind = \"token\", keyword = \"Bearer\" }"
)]
pub(in crate::config) enum RawScheme {
    Name(String),
    Table(RawSchemeTable),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawSchemeTable {
    pub kind: String,
    pub keyword: Option<String>,
    pub table: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "the name of a permission class, or a table such as { kind = \"django_model_permissions\", model = \"auth.group\" }"
)]
pub(in crate::config) enum RawPermission {
    Name(String),
    Table(RawPermissionTable),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawPermissionTable {
    pub kind: String,
    pub model: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "the name of a throttle class, or a table such as { kind = \"scoped\", scope = \"login\", rate = \"3/min\" }"
)]
pub(in crate::config) enum RawThrottle {
    Name(String),
    Table(RawThrottleTable),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawThrottleTable {
    pub kind: String,
    pub scope: Option<String>,
    pub rate: Option<Nullable>,
}

/// One permission or a list of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a permission class or a list of them")]
pub(in crate::config) enum RawPermissions {
    Many(Vec<RawPermission>),
    One(RawPermission),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "the name of a password validator, or a table such as { name = \"minimum_length\", min_length = 12 }"
)]
pub(in crate::config) enum RawValidator {
    Name(String),
    Table(RawValidatorTable),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawValidatorTable {
    pub name: String,
    pub min_length: Option<usize>,
    pub max_similarity: Option<f64>,
    pub user_attributes: Option<Vec<String>>,
}
