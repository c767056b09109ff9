//! Django's `SESSION_…`, `CSRF_…` and host settings: what `SessionAuthentication` goes by.

use serde_json::{Value, json};

use super::super::document::array;
use super::super::found::Found;
use super::{Draft, Finding};

/// Engines that keep sessions in the table, and the serializers that write JSON.
const ENGINES: &[&str] = &["django.contrib.sessions.backends.db", "django.contrib.sessions.backends.cached_db"];
const SERIALIZERS: &[&str] =
    &["django.contrib.sessions.serializers.JSONSerializer", "django.core.signing.JSONSerializer"];

/// Whether Countersign can read the project's sessions.
pub(super) fn are_readable(found: &Found) -> bool {
    let is_one_of = |setting: &str, known: &[&str]| match found.django.sessions.get(setting).and_then(Value::as_str) {
        Some(name) => known.contains(&name),
        None => true,
    };
    is_one_of("SESSION_ENGINE", ENGINES) && is_one_of("SESSION_SERIALIZER", SERIALIZERS)
}

/// The keys that are not as Django has them by default.
pub(super) fn sessions(draft: &mut Draft<'_>, found: &Found) {
    let uses_sessions = found.rest_framework.as_ref().is_some_and(|framework| {
        let classes = &framework.defaults.authentication;
        classes.iter().any(|class| class.stock() == Some("rest_framework.authentication.SessionAuthentication"))
    });
    if !uses_sessions || !are_readable(found) {
        return;
    }
    for (key, setting, default) in [
        ("session_cookie_name", "SESSION_COOKIE_NAME", json!("sessionid")),
        ("session_cookie_domain", "SESSION_COOKIE_DOMAIN", Value::Null),
        ("csrf_cookie_name", "CSRF_COOKIE_NAME", json!("csrftoken")),
        ("csrf_cookie_domain", "CSRF_COOKIE_DOMAIN", Value::Null),
        ("csrf_header_name", "CSRF_HEADER_NAME", json!("HTTP_X_CSRFTOKEN")),
        ("csrf_use_sessions", "CSRF_USE_SESSIONS", json!(false)),
        ("csrf_trusted_origins", "CSRF_TRUSTED_ORIGINS", json!([])),
        ("allowed_hosts", "ALLOWED_HOSTS", json!(["*"])),
    ] {
        match found.django.sessions.get(setting) {
            Some(value) if *value == default => {}
            Some(Value::String(text)) => draft.document.set("", key, text.as_str(), setting),
            Some(Value::Bool(flag)) => draft.document.set("", key, *flag, setting),
            Some(Value::Array(texts)) => {
                draft.document.set("", key, array(texts.iter().filter_map(Value::as_str)), setting);
            }
            _ => {}
        }
    }
    let says = |setting: &str| {
        found.django.sessions.get(setting).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)))
    };
    if says("SECURE_PROXY_SSL_HEADER") || says("USE_X_FORWARDED_HOST") {
        draft.add(Finding::note(
            "proxy-headers",
            "SECURE_PROXY_SSL_HEADER or USE_X_FORWARDED_HOST is set: a proxy says by what scheme and host clients come",
            "Set secure_proxy_ssl_header and use_x_forwarded_host as in Django, with the proxy in trusted_proxies. Until then browsers with a session are refused what changes things over HTTPS.",
        ));
    }
}
