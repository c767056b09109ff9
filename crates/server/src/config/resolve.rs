//! From the file's keys to typed settings: every value is checked here, once, at start.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::time::Duration;

use countersign::settings::{AuthenticationBackend, Settings};
use countersign_formats::json::Style;
use countersign_formats::jwt::{Expected, TokenType};
use countersign_formats::password::{self, Hashers, HashersError};
use countersign_formats::request_body::Limits;
use countersign_store::InstalledApps;
use http::HeaderName;
use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::raw::{Nullable, OneOrMany, RawSimpleJwt, SecretText};
use super::source::Source;
use super::{
    Config, ConfigError, SchemeChoice, audit, claims, clients, database, django_sessions, hashing, keys, knox,
    native_tokens, pruning, resources, sessions, throttling, validators,
};
use crate::client::TrustedProxies;
use crate::view::ViewSettings;

/// Later than this `exp` would leave the calendar (year 9999).
pub(super) const LONGEST_LIFETIME: SignedDuration = SignedDuration::from_hours(1000 * 365 * 24);

pub(super) fn resolve(source: &Source) -> Result<Config, ConfigError> {
    let raw = &source.raw;
    let mut warnings = source.warnings.clone();
    let apps = installed_apps(source)?;
    let secret_key = secret_key(source)?;
    let keys = keys::keys(source, &secret_key, &mut warnings)?;
    let mut settings = Settings::new(keys.signing);
    settings.simple_jwt.issues = keys.issues;
    settings.simple_jwt.verifying_keys = keys.verifying;
    settings.simple_jwt.fetches_keys = keys.jwk_url.is_some();
    settings.apps = apps;
    settings.username_field = database::username_field(source)?;
    simple_jwt(source, &mut settings)?;
    settings.hashers = hashers(source)?;
    settings.backend = backend(source)?;
    settings.django_sessions = Some(django_sessions::django_sessions(source, &secret_key)?);
    settings.knox = knox::knox(source)?;
    settings.hashing = hashing::hashing(source)?;
    settings.throttling = throttling::throttling(source)?;
    settings.clients = clients::clients(source)?;
    claims::claims(source, &mut settings)?;
    let sessions = sessions::sessions(source, &mut settings)?;
    let audit = audit::audit(source, &mut settings)?;
    settings.native_tokens = native_tokens::native_tokens(source, &settings)?;
    let resources = resources::resources(source, &settings)?;
    if !settings.apps.sessions
        && resources.iter().any(|resource| resource.authentication.contains(&SchemeChoice::Session))
    {
        warnings.push(
            "session authentication lets nobody in: \"django.contrib.sessions\" is not in installed_apps".to_owned(),
        );
    }
    let probes = resources::probes(source, &resources)?;
    Ok(Config {
        published: resources::published(source, &settings, &resources, &probes)?,
        jwk_url: keys.jwk_url,
        ladder: keys::ladder(source)?,
        bind: bind(source)?,
        database: database::database(source)?,
        append_slash: raw.append_slash.unwrap_or(true),
        probes,
        resources,
        password_validators: validators::validators(source)?,
        views: view_settings(source)?,
        header_timeout: timeout(source, "limits.header_timeout", raw.limits.header_timeout, 10)?,
        shutdown_timeout: timeout(source, "limits.shutdown_timeout", raw.limits.shutdown_timeout, 10)?,
        max_connections: match raw.limits.max_connections {
            Some(0) => return Err(source.error("limits.max_connections", "must be at least 1")),
            given => given.unwrap_or(10_000),
        },
        settings,
        sessions,
        audit,
        pruning: pruning::pruning(source)?,
        warnings,
    })
}

fn bind(source: &Source) -> Result<SocketAddr, ConfigError> {
    let text = source.raw.bind.as_deref().unwrap_or("127.0.0.1:8000");
    text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next()).ok_or_else(|| {
        source.error("bind", format!("\"{text}\" is no address; write host:port, as in \"127.0.0.1:8000\""))
    })
}

/// Django refuses to start on an empty `SECRET_KEY`; so do we.
fn secret_key(source: &Source) -> Result<Zeroizing<String>, ConfigError> {
    let raw = &source.raw;
    let given = one_of(source, "secret_key", raw.secret_key.as_ref(), raw.secret_key_file.as_deref())?;
    let (name, key) = given.ok_or_else(|| {
        source.error("secret_key", "is missing; give Django's SECRET_KEY as secret_key or secret_key_file")
    })?;
    if key.is_empty() {
        return Err(source.error(&name, "must not be empty; give Django's SECRET_KEY"));
    }
    Ok(key)
}

/// A secret that stands in the file itself or in one of its own, with the key that brought it; a newline at the end of the file is
/// cut off.
pub(super) fn one_of(
    source: &Source,
    key: &str,
    text: Option<&SecretText>,
    file: Option<&Path>,
) -> Result<Option<(String, Zeroizing<String>)>, ConfigError> {
    let file_key = format!("{key}_file");
    match (text, file) {
        (Some(_), Some(_)) => Err(source.error(&file_key, format!("{key} is set as well; keep one of the two"))),
        (Some(text), None) => Ok(Some((key.to_owned(), text.0.clone()))),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| source.error(&file_key, format!("{} cannot be read: {error}", path.display())))?;
            let text = Zeroizing::new(text);
            Ok(Some((file_key, Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))))
        }
        (None, None) => Ok(None),
    }
}

#[expect(clippy::too_many_lines, reason = "one line a key, in the order of SimpleJWT's documentation")]
fn simple_jwt(source: &Source, settings: &mut Settings) -> Result<(), ConfigError> {
    let raw = &source.raw.simple_jwt;
    python_hooks(source, raw)?;
    let jwt = &mut settings.simple_jwt;
    for (name, given, field) in [
        ("access_token_lifetime", raw.access_token_lifetime, &mut jwt.access_token_lifetime),
        ("refresh_token_lifetime", raw.refresh_token_lifetime, &mut jwt.refresh_token_lifetime),
        ("sliding_token_lifetime", raw.sliding_token_lifetime, &mut jwt.sliding_token_lifetime),
        ("sliding_token_refresh_lifetime", raw.sliding_token_refresh_lifetime, &mut jwt.sliding_token_refresh_lifetime),
    ] {
        if let Some(length) = given {
            if length.0 <= SignedDuration::ZERO {
                return Err(source.error(&format!("simple_jwt.{name}"), "must be longer than nothing"));
            }
            if length.0 > LONGEST_LIFETIME {
                return Err(source.error(&format!("simple_jwt.{name}"), "must be at most 1000 years"));
            }
            *field = length.0;
        }
    }
    for (given, field) in [
        (raw.rotate_refresh_tokens, &mut jwt.rotate_refresh_tokens),
        (raw.blacklist_after_rotation, &mut jwt.blacklist_after_rotation),
        (raw.update_last_login, &mut jwt.update_last_login),
        (raw.check_revoke_token, &mut jwt.check_revoke_token),
        (raw.check_user_is_active, &mut jwt.check_user_is_active),
        (raw.strict, &mut jwt.rules.strict),
    ] {
        if let Some(value) = given {
            *field = value;
        }
    }
    if jwt.rotate_refresh_tokens && jwt.blacklist_after_rotation && !settings.apps.token_blacklist {
        return Err(source.error(
            "simple_jwt.blacklist_after_rotation",
            "does nothing without the blacklist tables; add \"rest_framework_simplejwt.token_blacklist\" to installed_apps (and run \
             `countersign migrate`), or set it to false",
        ));
    }
    for (name, given, field) in [
        ("user_id_field", &raw.user_id_field, &mut jwt.user_id_field),
        ("user_id_claim", &raw.user_id_claim, &mut jwt.user_id_claim),
        ("revoke_token_claim", &raw.revoke_token_claim, &mut jwt.revoke_token_claim),
        (
            "sliding_token_refresh_exp_claim",
            &raw.sliding_token_refresh_exp_claim,
            &mut jwt.sliding_token_refresh_exp_claim,
        ),
    ] {
        if let Some(value) = given {
            if value.is_empty() {
                return Err(source.error(&format!("simple_jwt.{name}"), "must not be empty"));
            }
            value.clone_into(field);
        }
    }
    if let Some(audience) = &raw.audience {
        jwt.rules.audience = names(audience);
    }
    if let Some(issuer) = &raw.issuer {
        jwt.rules.issuer = names(issuer);
    }
    if let Some(leeway) = raw.leeway {
        if leeway.0 < SignedDuration::ZERO || leeway.0 > SignedDuration::from_secs(120) {
            return Err(source.error("simple_jwt.leeway", "must lie between 0 and 120 seconds"));
        }
        jwt.rules.leeway = leeway.0;
    }
    if let Some(claim) = &raw.token_type_claim {
        jwt.rules.token_type_claim = nullable(source, "simple_jwt.token_type_claim", claim)?;
    }
    if let Some(claim) = &raw.jti_claim {
        jwt.rules.jti_claim = nullable(source, "simple_jwt.jti_claim", claim)?;
        if jwt.rules.jti_claim.is_none() && settings.apps.token_blacklist {
            return Err(source.error(
                "simple_jwt.jti_claim",
                "cannot be off with the blacklist app, which tells tokens apart by it",
            ));
        }
    }
    if let Some(types) = raw.auth_header_types.clone().map(OneOrMany::into_vec) {
        let fits = |word: &String| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
        if types.is_empty() || !types.iter().all(fits) {
            return Err(source.error("simple_jwt.auth_header_types", "must be words without spaces, at least one"));
        }
        jwt.auth_header_types = types;
    }
    if let Some(name) = &raw.auth_header_name {
        jwt.auth_header_name = header_name(name).ok_or_else(|| {
            source.error(
                "simple_jwt.auth_header_name",
                format!("\"{name}\" is no WSGI name; write for example \"HTTP_X_ACCESS_TOKEN\""),
            )
        })?;
    }
    if let Some(classes) = raw.auth_token_classes.clone().map(OneOrMany::into_vec) {
        if classes.is_empty() {
            return Err(source.error("simple_jwt.auth_token_classes", "must name at least one class"));
        }
        jwt.auth_token_classes = classes
            .iter()
            .map(|name| {
                token_class(name).ok_or_else(|| {
                    source.error(
                        "simple_jwt.auth_token_classes",
                        format!("\"{name}\" is unknown; use AccessToken, RefreshToken, SlidingToken or UntypedToken"),
                    )
                })
            })
            .collect::<Result<_, _>>()?;
    }
    Ok(())
}

/// SimpleJWT's Python hooks: the stock ones are built in, others cannot run here.
fn python_hooks(source: &Source, raw: &RawSimpleJwt) -> Result<(), ConfigError> {
    for (name, given, stock) in [
        ("json_encoder", &raw.json_encoder, ""),
        ("user_authentication_rule", &raw.user_authentication_rule, "authentication.default_user_authentication_rule"),
        ("token_user_class", &raw.token_user_class, "models.TokenUser"),
        ("token_obtain_serializer", &raw.token_obtain_serializer, "serializers.TokenObtainPairSerializer"),
        ("token_refresh_serializer", &raw.token_refresh_serializer, "serializers.TokenRefreshSerializer"),
        ("token_verify_serializer", &raw.token_verify_serializer, "serializers.TokenVerifySerializer"),
        ("token_blacklist_serializer", &raw.token_blacklist_serializer, "serializers.TokenBlacklistSerializer"),
        (
            "sliding_token_obtain_serializer",
            &raw.sliding_token_obtain_serializer,
            "serializers.TokenObtainSlidingSerializer",
        ),
        (
            "sliding_token_refresh_serializer",
            &raw.sliding_token_refresh_serializer,
            "serializers.TokenRefreshSlidingSerializer",
        ),
    ] {
        if let Some(given) = given
            && *given != format!("rest_framework_simplejwt.{stock}")
            && !(given.is_empty() && stock.is_empty())
        {
            return Err(source.error(
                &format!("simple_jwt.{name}"),
                format!("\"{given}\" is Python code and cannot run here; remove the key"),
            ));
        }
    }
    Ok(())
}

fn names(given: &OneOrMany) -> Expected {
    match given {
        OneOrMany::One(name) => Expected::One(name.clone()),
        OneOrMany::Many(names) => Expected::Many(names.clone()),
    }
}

/// A claim's name, or off: `false` or `""` where Django says `None`.
fn nullable(source: &Source, key: &str, given: &Nullable) -> Result<Option<String>, ConfigError> {
    match given {
        Nullable::Off(false) => Ok(None),
        Nullable::Off(true) => Err(source.error(key, "must be a claim's name, or false to switch the check off")),
        Nullable::Name(name) => Ok((!name.is_empty()).then(|| name.clone())),
    }
}

/// `HTTP_X_ACCESS_TOKEN` (WSGI) or `X-Access-Token` to the field's name.
pub(super) fn header_name(name: &str) -> Option<HeaderName> {
    let field = name.strip_prefix("HTTP_").unwrap_or(name).replace('_', "-");
    HeaderName::from_bytes(field.to_ascii_lowercase().as_bytes()).ok()
}

fn token_class(name: &str) -> Option<TokenType> {
    Some(match name.strip_prefix("rest_framework_simplejwt.tokens.").unwrap_or(name) {
        "AccessToken" | "access" => TokenType::Access,
        "RefreshToken" | "refresh" => TokenType::Refresh,
        "SlidingToken" | "sliding" => TokenType::Sliding,
        "UntypedToken" | "untyped" => TokenType::Untyped,
        _ => return None,
    })
}

/// Which optional apps the database has. Django's own apps and those without tables may be listed too.
fn installed_apps(source: &Source) -> Result<InstalledApps, ConfigError> {
    let Some(names) = &source.raw.installed_apps else { return Ok(InstalledApps::default()) };
    let mut apps =
        InstalledApps { authtoken: false, token_blacklist: false, sessions: false, knox: false, countersign: true };
    for name in names {
        match name.as_str() {
            "rest_framework.authtoken" => apps.authtoken = true,
            "rest_framework_simplejwt.token_blacklist" => apps.token_blacklist = true,
            "django.contrib.sessions" => apps.sessions = true,
            "knox" => apps.knox = true,
            "rest_framework" | "rest_framework_simplejwt" => {}
            django if django.starts_with("django.contrib.") => {}
            other => {
                return Err(source.error(
                    "installed_apps",
                    format!(
                        "\"{other}\" has no part in authentication here; remove it (known: rest_framework.authtoken, \
                         rest_framework_simplejwt.token_blacklist, django.contrib.sessions, knox)"
                    ),
                ));
            }
        }
    }
    Ok(apps)
}

fn backend(source: &Source) -> Result<AuthenticationBackend, ConfigError> {
    let Some(names) = &source.raw.auth.authentication_backends else { return Ok(AuthenticationBackend::Model) };
    let mut backend = AuthenticationBackend::Model;
    if names.is_empty() {
        return Err(source.error("auth.authentication_backends", "must name at least one backend"));
    }
    for name in names {
        match name.strip_prefix("django.contrib.auth.backends.").unwrap_or(name) {
            "ModelBackend" | "model" => {}
            // Tried in order, first success wins: whoever ModelBackend refuses as inactive, this one lets in.
            "AllowAllUsersModelBackend" | "allow_all_users" => backend = AuthenticationBackend::AllowAllUsers,
            other => {
                return Err(source.error(
                    "auth.authentication_backends",
                    format!("\"{other}\" cannot run here; use ModelBackend or AllowAllUsersModelBackend"),
                ));
            }
        }
    }
    Ok(backend)
}

fn hashers(source: &Source) -> Result<Hashers, ConfigError> {
    let raw = &source.raw.auth;
    let key = "auth.password_hashers";
    let mut work = password::WorkFactors::default();
    for (given, field) in [
        (raw.pbkdf2_sha256.iterations, &mut work.pbkdf2_sha256_iterations),
        (raw.pbkdf2_sha1.iterations, &mut work.pbkdf2_sha1_iterations),
        (raw.argon2.time_cost, &mut work.argon2_time_cost),
        (raw.argon2.memory_cost, &mut work.argon2_memory_cost),
        (raw.argon2.parallelism, &mut work.argon2_parallelism),
        (raw.bcrypt_sha256.rounds, &mut work.bcrypt_sha256_rounds),
        (raw.bcrypt.rounds, &mut work.bcrypt_rounds),
        (raw.scrypt.work_factor, &mut work.scrypt_work_factor),
        (raw.scrypt.block_size, &mut work.scrypt_block_size),
        (raw.scrypt.parallelism, &mut work.scrypt_parallelism),
    ] {
        if let Some(value) = given {
            *field = value;
        }
    }
    let algorithms = match &raw.password_hashers {
        None => Hashers::default().order().to_vec(),
        Some(names) => names
            .iter()
            .map(|name| password::Algorithm::from_setting(name).map_err(|error| source.error(key, error)))
            .collect::<Result<_, _>>()?,
    };
    // Work factors of hashers that are not listed must make sense too: the list may change under them.
    for algorithm in password::Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != password::Algorithm::Md5) {
        Hashers::new(vec![algorithm], work.clone())
            .map_err(|error| source.error(&work_factor_key(algorithm, &error), error))?;
    }
    Hashers::new(algorithms, work).map_err(|error| source.error(key, error))
}

/// The key of a work factor that is refused.
fn work_factor_key(algorithm: password::Algorithm, error: &HashersError) -> String {
    let parameter = match error {
        HashersError::OutOfBounds(found) => found.parameter.split(' ').next().unwrap_or_default(),
        _ => "work_factor",
    };
    let parameter = if parameter == "cost" { "rounds" } else { parameter };
    format!("auth.{algorithm}.{parameter}")
}

fn view_settings(source: &Source) -> Result<ViewSettings, ConfigError> {
    let raw = &source.raw;
    let framework = &raw.rest_framework;
    let mut limits = Limits::default();
    for (name, given, field) in [
        ("data_upload_max_memory_size", raw.data_upload_max_memory_size, &mut limits.memory),
        ("data_upload_max_number_fields", raw.data_upload_max_number_fields, &mut limits.fields),
        ("data_upload_max_number_files", raw.data_upload_max_number_files, &mut limits.files),
    ] {
        if let Some(value) = given {
            *field = usize::try_from(value).map_err(|_| source.error(name, "is too large"))?;
        }
    }
    if framework.strict_json == Some(false) {
        return Err(
            source.error("rest_framework.strict_json", "cannot be off: NaN and Infinity are no JSON; remove the key")
        );
    }
    Ok(ViewSettings {
        non_field_errors_key: framework.non_field_errors_key.clone().unwrap_or_else(|| "non_field_errors".to_owned()),
        style: Style {
            unicode: framework.unicode_json.unwrap_or(true),
            compact: framework.compact_json.unwrap_or(true),
            indent: None,
        },
        format_override: match &framework.url_format_override {
            None => Some("format".to_owned()),
            Some(given) => nullable(source, "rest_framework.url_format_override", given)?,
        },
        limits,
        body_timeout: timeout(source, "limits.body_timeout", raw.limits.body_timeout, 30)?,
        trusted_proxies: TrustedProxies::parse(&raw.trusted_proxies).map_err(|text| {
            source.error("trusted_proxies", format!("\"{text}\" is no network; write for example \"127.0.0.1/32\""))
        })?,
        num_proxies: throttling::num_proxies(source)?,
        site: django_sessions::site(source)?,
    })
}

pub(super) fn timeout(
    source: &Source,
    key: &str,
    given: Option<super::duration::Length>,
    seconds: u64,
) -> Result<Duration, ConfigError> {
    match given {
        None => Ok(Duration::from_secs(seconds)),
        Some(length) => Duration::try_from(length.0)
            .ok()
            .filter(|length| !length.is_zero())
            .ok_or_else(|| source.error(key, "must be longer than nothing")),
    }
}
