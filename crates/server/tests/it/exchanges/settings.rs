//! From a recorded exchange's Django settings to our configuration, and from our rows back to its columns.

use countersign_formats::jwt::{Algorithm, HmacSecret, SigningKey};
use serde_json::Value;
use toml::Table;

use super::template::Captures;
use crate::database::{Cell, Database};

/// The configuration that says what the recorded settings say.
pub(crate) fn to_toml(given: &Value, database_url: &str) -> String {
    let mut config = Table::new();
    let mut set = |key: &str, value: toml::Value| drop(config.insert(key.to_owned(), value));
    set("secret_key", given["secret_key"].as_str().expect("a secret").into());
    set("database_url", database_url.into());
    set("bind", "127.0.0.1:0".into());
    set("sessions", Table::from_iter([("enabled".to_owned(), toml::Value::from(false))]).into());
    let mut apps = vec!["rest_framework.authtoken".to_owned(), "django.contrib.sessions".to_owned()];
    let mut framework = Table::new();
    // A project without REST_FRAMEWORK has Session and Basic, and lets everyone in.
    framework.insert("default_authentication_classes".to_owned(), vec!["session", "basic"].into());
    framework.insert("default_permission_classes".to_owned(), vec!["allow_any"].into());
    let mut auth = Table::new();
    for (name, value) in given["settings"].as_object().expect("settings") {
        match name.as_str() {
            "INSTALLED_APPS_EXTRA" => {
                apps.extend(value.as_array().expect("apps").iter().map(|app| app.as_str().expect("a name").to_owned()));
            }
            "SIMPLE_JWT" => set("simple_jwt", lower(value).into()),
            "REST_FRAMEWORK" => {
                framework.extend(lower(value));
                if let Some(rates) = value["DEFAULT_THROTTLE_RATES"].as_object() {
                    framework.insert("default_throttle_rates".to_owned(), throttle_rates(rates).into());
                }
            }
            "PASSWORD_HASHERS" | "AUTHENTICATION_BACKENDS" => {
                drop(auth.insert(name.to_lowercase(), to_toml_value(value)));
            }
            _ => set(&name.to_lowercase(), to_toml_value(value)),
        }
    }
    // Without NUM_PROXIES the whole of X-Forwarded-For tells clients apart; here, where a declared proxy sends it.
    framework.entry("num_proxies".to_owned()).or_insert(false.into());
    set("trusted_proxies", vec!["127.0.0.1"].into());
    set("installed_apps", apps.into());
    set("rest_framework", framework.into());
    set("auth", auth.into());
    let view = &given["view"];
    let mut protected = Table::new();
    protected.insert("path".to_owned(), "/protected/".into());
    protected.insert("methods".to_owned(), vec!["GET", "POST", "PUT", "PATCH", "DELETE"].into());
    if view["authentication_classes"].is_array() {
        protected.insert("authentication".to_owned(), to_toml_value(&view["authentication_classes"]));
    }
    if let Some(classes) = view["permission_classes"].as_array() {
        let permissions: Vec<toml::Value> = classes.iter().map(|class| permission(class, view)).collect();
        protected.insert("permission".to_owned(), permissions.into());
    }
    if view["throttle_classes"].is_array() {
        protected.insert("throttles".to_owned(), to_toml_value(&view["throttle_classes"]));
    }
    if let Some(scope) = view["throttle_scope"].as_str() {
        protected.insert("throttle_scope".to_owned(), scope.into());
    }
    set("protected", toml::Value::Array(vec![protected.into()]));
    toml::to_string(&config).expect("TOML")
}

/// Rates by scope; `None` is `false`.
fn throttle_rates(rates: &serde_json::Map<String, Value>) -> Table {
    let rates = rates
        .iter()
        .map(|(scope, rate)| (scope.clone(), rate.as_str().map_or(toml::Value::from(false), toml::Value::from)));
    rates.collect()
}

fn permission(class: &Value, view: &Value) -> toml::Value {
    let name = class.as_str().expect("a class");
    if !name.contains("DjangoModelPermissions") {
        return name.into();
    }
    let mut table = Table::new();
    table.insert("kind".to_owned(), name.into());
    table.insert("model".to_owned(), view["queryset_model"].as_str().expect("a model").into());
    table.into()
}

/// Names in lower case; `None` is left out, or `false` for the claims that can be switched off.
fn lower(settings: &Value) -> Table {
    let entries =
        settings.as_object().expect("settings").iter().filter_map(|(name, value)| match (name.as_str(), value) {
            ("JTI_CLAIM" | "TOKEN_TYPE_CLAIM", Value::Null) => Some((name.to_lowercase(), false.into())),
            ("DEFAULT_THROTTLE_RATES", _) | (_, Value::Null) => None,
            _ => Some((name.to_lowercase(), to_toml_value(value))),
        });
    entries.collect()
}

fn to_toml_value(value: &Value) -> toml::Value {
    if let Some(seconds) = value["seconds"].as_f64() {
        return seconds.into();
    }
    toml::Value::try_from(value).expect("TOML")
}

/// The key that signs under the recorded settings.
pub(crate) fn signing_key(given: &Value) -> SigningKey {
    let jwt = &given["settings"]["SIMPLE_JWT"];
    let algorithm: Algorithm = jwt["ALGORITHM"].as_str().unwrap_or("HS256").parse().expect("an algorithm");
    let secret = jwt["SIGNING_KEY"].as_str().or(given["secret_key"].as_str()).expect("a secret");
    SigningKey::hmac(algorithm.hmac().expect("HMAC"), &HmacSecret::new(secret).expect("a secret"))
}

/// Compares tables with the recorded rows: as many, in order of their first column, each recorded column equal.
pub(crate) fn compare_rows(after: &Value, database: &Database, captures: &mut Captures) -> Result<(), String> {
    for (table, rows) in after.as_object().into_iter().flatten() {
        let rows = rows.as_array().expect("rows");
        let count = database.column(&format!("SELECT count(*) FROM \"{table}\""));
        if count != [Cell::Integer(i64::try_from(rows.len()).expect("few rows"))] {
            return Err(format!("{table}: {count:?} rows instead of {}", rows.len()));
        }
        for (index, row) in rows.iter().enumerate() {
            for (column, expected) in row.as_object().expect("a row") {
                let order = if rows.len() > 1 { "ORDER BY id" } else { "" };
                let found = database.column(&format!("SELECT \"{column}\" FROM \"{table}\" {order}"));
                compare_value(expected, &found[index], captures)
                    .map_err(|problem| format!("{table}.{column}: {problem}"))?;
            }
        }
    }
    Ok(())
}

fn compare_value(expected: &Value, found: &Cell, captures: &mut Captures) -> Result<(), String> {
    let same = match (expected, found) {
        (Value::Null, Cell::Null) => true,
        (Value::Bool(expected), Cell::Bool(found)) => expected == found,
        (Value::Bool(expected), Cell::Integer(found)) => i64::from(*expected) == *found,
        (Value::Number(expected), Cell::Integer(found)) => expected.as_i64() == Some(*found),
        (Value::String(expected), Cell::Text(found)) => return captures.compare(expected, found, None),
        (Value::String(expected), Cell::Instant(found)) => {
            let found = countersign_formats::django_time::to_drf_text(*found);
            return captures.compare(expected, &found, None);
        }
        _ => false,
    };
    if same { Ok(()) } else { Err(format!("{found:?} instead of {expected}")) }
}
