//! Django's `SESSION_…`, `CSRF_…` and host settings: what `SessionAuthentication` looks at.

use countersign::settings::DjangoSessions;
use countersign_formats::django_signing::SecretKeys;
use http::HeaderName;

use super::ConfigError;
use super::resolve::header_name;
use super::source::Source;
use crate::site::Site;

/// What sessions are read by.
pub(super) fn django_sessions(source: &Source, secret_key: &str) -> Result<DjangoSessions, ConfigError> {
    let raw = &source.raw;
    let fallbacks: Vec<&str> = raw.secret_key_fallbacks.iter().map(|key| key.0.as_str()).collect();
    if fallbacks.iter().any(|key| key.is_empty()) {
        return Err(source.error("secret_key_fallbacks", "must not hold an empty key"));
    }
    only(
        source,
        "session_engine",
        raw.session_engine.as_deref(),
        "django.contrib.sessions.backends.",
        &["db", "cached_db"],
    )?;
    let json = &["django.contrib.sessions.serializers.JSONSerializer", "django.core.signing.JSONSerializer"];
    only(source, "session_serializer", raw.session_serializer.as_deref(), "", json)?;
    let mut sessions = DjangoSessions::new(SecretKeys::new(secret_key, &fallbacks));
    for (key, given, field) in [
        ("session_cookie_name", &raw.session_cookie_name, &mut sessions.cookie_name),
        ("csrf_cookie_name", &raw.csrf_cookie_name, &mut sessions.csrf_cookie_name),
    ] {
        if let Some(name) = given {
            // RFC 6265 §4.1.1: a token.
            if name.is_empty() || HeaderName::from_bytes(name.as_bytes()).is_err() {
                return Err(source.error(key, format!("\"{name}\" is no cookie's name")));
            }
            name.clone_into(field);
        }
    }
    if let Some(name) = &raw.csrf_header_name {
        sessions.csrf_header_name = header(source, "csrf_header_name", name)?;
    }
    sessions.csrf_use_sessions = raw.csrf_use_sessions.unwrap_or(false);
    let whose = if sessions.csrf_use_sessions { &raw.session_cookie_domain } else { &raw.csrf_cookie_domain };
    sessions.referer_domain.clone_from(whose);
    if let Some(origins) = &raw.csrf_trusted_origins {
        // Django's check `4_0.E001`.
        if let Some(odd) = origins.iter().find(|origin| !origin.contains("://")) {
            let problem = format!("\"{odd}\" has no scheme; write for example \"https://{odd}\"");
            return Err(source.error("csrf_trusted_origins", problem));
        }
        sessions.csrf_trusted_origins.clone_from(origins);
    }
    if let Some(hosts) = &raw.allowed_hosts {
        sessions.allowed_hosts.clone_from(hosts);
    }
    sessions.backends = match (&raw.session_backends, &raw.auth.authentication_backends) {
        (Some(paths), _) => paths.clone(),
        (None, Some(names)) => names.iter().map(|name| backend_path(name)).collect(),
        (None, None) => sessions.backends,
    };
    Ok(sessions)
}

/// How requests came: what declared proxies say about it.
pub(super) fn site(source: &Source) -> Result<Site, ConfigError> {
    let raw = &source.raw;
    let undeclared = |key: &str| {
        let problem = "is what a proxy says; name the proxy in trusted_proxies, or remove this";
        if raw.trusted_proxies.is_empty() { Err(source.error(key, problem)) } else { Ok(()) }
    };
    let secure_header = match raw.secure_proxy_ssl_header.as_deref() {
        None => None,
        Some([name, value]) => {
            undeclared("secure_proxy_ssl_header")?;
            Some((header(source, "secure_proxy_ssl_header", name)?, value.clone()))
        }
        Some(_) => {
            let problem = "must be a header and its value, as in [\"HTTP_X_FORWARDED_PROTO\", \"https\"]";
            return Err(source.error("secure_proxy_ssl_header", problem));
        }
    };
    let use_forwarded_host = raw.use_x_forwarded_host.unwrap_or(false);
    if use_forwarded_host {
        undeclared("use_x_forwarded_host")?;
    }
    Ok(Site { secure_header, use_forwarded_host })
}

/// Refuses what cannot be read here.
fn only(source: &Source, key: &str, given: Option<&str>, prefix: &str, known: &[&str]) -> Result<(), ConfigError> {
    match given {
        Some(given) if !known.contains(&given.strip_prefix(prefix).unwrap_or(given)) => {
            let known: Vec<String> = known.iter().map(|name| format!("\"{prefix}{name}\"")).collect();
            let problem = format!("\"{given}\" cannot be read here; only {} can", known.join(" and "));
            Err(source.error(key, format!("{problem}. Remove it, and session from the authentication classes")))
        }
        _ => Ok(()),
    }
}

fn header(source: &Source, key: &str, name: &str) -> Result<HeaderName, ConfigError> {
    header_name(name)
        .ok_or_else(|| source.error(key, format!("\"{name}\" is no WSGI name; write for example \"HTTP_X_CSRFTOKEN\"")))
}

/// The dotted path that Django writes into sessions.
fn backend_path(name: &str) -> String {
    let class = match name {
        "model" => "ModelBackend",
        "allow_all_users" => "AllowAllUsersModelBackend",
        class => class,
    };
    if class.contains('.') { class.to_owned() } else { format!("django.contrib.auth.backends.{class}") }
}
