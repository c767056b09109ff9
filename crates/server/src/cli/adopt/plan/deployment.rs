//! The top level of the configuration, and what surrounds the views in Django and has no counterpart here.

use super::super::document::array;
use super::super::found::Found;
use super::{Draft, Finding, SecretItem};

/// Apps with tables that matter here.
const APPS: &[&str] =
    &["rest_framework.authtoken", "rest_framework_simplejwt.token_blacklist", "django.contrib.sessions", "knox"];

/// What the file is.
pub(super) fn preamble(draft: &mut Draft<'_>, found: &Found) {
    let module = found.django.module.as_deref().unwrap_or("the settings");
    draft.document.say(&format!(
        "Made by `countersign adopt` from {module}. Check it with: countersign check --config <this file>"
    ));
    draft.document.say("Comments name the setting that a value comes from. When that changes, change it here, or adopt again with --force.");
}

pub(super) fn secret_key(draft: &mut Draft<'_>, found: &Found) {
    let item = SecretItem {
        file: "secret_key",
        variable: "COUNTERSIGN_SECRET_KEY",
        value: found.django.secret_key.clone(),
        meaning: "Django's SECRET_KEY".to_owned(),
    };
    draft.secret("", "secret_key_file", item, "SECRET_KEY");
    if found.django.secret_key_fallbacks > 0 {
        draft.add(Finding::note(
            "secret-key-fallbacks",
            format!("SECRET_KEY_FALLBACKS is set (keys: {})", found.django.secret_key_fallbacks),
            "Nothing for JWTs: SimpleJWT does not use them either. They are left out; set secret_key_fallbacks if sessions made under them are to count.",
        ));
    }
}

pub(super) fn top_level(draft: &mut Draft<'_>, found: &Found) {
    let django = &found.django;
    draft.document.set("", "bind", draft.choices.bind, "where nginx finds Countersign; --bind");
    if draft.is_behind_a_local_proxy() {
        let proxies = array(["127.0.0.1/32", "::1/128"]);
        draft.document.set("", "trusted_proxies", proxies, "nginx; add those in front of it");
    } else {
        draft.add(Finding::note(
            "proxies-unknown",
            format!("Countersign will listen at {}, and nothing says which proxies call it", draft.choices.bind),
            "Set trusted_proxies to their addresses: without, all clients behind one are taken for one client, and share its limits.",
        ));
    }
    let apps: Vec<&str> =
        APPS.iter().copied().filter(|app| django.installed_apps.iter().any(|installed| installed == app)).collect();
    draft.document.set("", "installed_apps", array(apps), "INSTALLED_APPS, as far as it matters here");
    if !django.append_slash {
        draft.document.set("", "append_slash", false, "APPEND_SLASH");
    }
    for (key, name, value, default) in [
        ("data_upload_max_memory_size", "DATA_UPLOAD_MAX_MEMORY_SIZE", django.data_upload_max_memory_size, 2_621_440),
        ("data_upload_max_number_fields", "DATA_UPLOAD_MAX_NUMBER_FIELDS", django.data_upload_max_number_fields, 1000),
        ("data_upload_max_number_files", "DATA_UPLOAD_MAX_NUMBER_FILES", django.data_upload_max_number_files, 100),
    ] {
        match value.map(i64::try_from) {
            Some(Ok(value)) if value != default => draft.document.set("", key, value, name),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => draft.add(Finding::differs(
                "upload-bounds",
                format!("{name} is without bound"),
                format!("Nothing, unless logins are larger than Django's default of {default}: then set {key}."),
            )),
        }
    }
}

/// Middleware, languages, signals and the like: they do not run for the paths that are carried over.
pub(super) fn surroundings(draft: &mut Draft<'_>, found: &Found) {
    let django = &found.django;
    if django.debug {
        draft.add(Finding::note(
            "debug-settings",
            format!(
                "DEBUG is on in {}: these may not be the settings of the deployment",
                django.module.as_deref().unwrap_or("the settings")
            ),
            "Run adopt where the site runs, with its environment (DJANGO_SETTINGS_MODULE and the rest).",
        ));
    }
    if let Some(prefix) = django.force_script_name.as_deref().filter(|prefix| !prefix.is_empty()) {
        draft.add(Finding::note(
            "script-name",
            format!("FORCE_SCRIPT_NAME is {prefix}"),
            "The paths here begin with it, as clients see them. Nginx must hand them on unchanged.",
        ));
    }
    let english = django.language_code.to_ascii_lowercase().starts_with("en");
    if django.use_i18n && (!english || django.locale_middleware) {
        let found = if django.locale_middleware {
            format!("LocaleMiddleware translates answers; LANGUAGE_CODE is {}", django.language_code)
        } else {
            format!("LANGUAGE_CODE is {}", django.language_code)
        };
        draft.add(Finding::differs(
            "language",
            found,
            "Error texts on the carried-over paths are English; codes and statuses are the same. If clients show the texts, keep those paths with Django.",
        ));
    }
    let others: Vec<&str> =
        django.middleware.iter().map(String::as_str).filter(|name| !name.starts_with("corsheaders.")).collect();
    if !others.is_empty() {
        draft.add(Finding::differs(
            "middleware",
            format!("middleware of the project or of packages: {}", others.join(", ")),
            "It does not run for the carried-over paths. If logins need it, keep them with Django.",
        ));
    }
    cors(draft, found);
    if !django.login_failed_receivers.is_empty() {
        draft.add(Finding::differs(
            "login-signals",
            format!("user_login_failed is received by {}", django.login_failed_receivers.join(", ")),
            "It is not sent for logins here. If it locks accounts or writes an audit log, keep logins with Django.",
        ));
    }
    let simplejwt = found.versions.simplejwt.as_deref().and_then(major_minor);
    if simplejwt.is_some_and(|(major, _)| major < 5) {
        draft.add(Finding::differs(
            "simplejwt-version",
            format!("SimpleJWT is {}", found.versions.simplejwt.as_deref().unwrap_or_default()),
            "Countersign answers as 5.5 does. Tokens work in both directions; wordings differ.",
        ));
    }
    if simplejwt.is_some_and(|version| version < (5, 5)) {
        // Its rotations record no successor, and would look like logouts.
        let why = "SimpleJWT before 5.5 records no rotated tokens";
        draft.document.set("sessions", "django_logout_after", false, why);
    }
}

fn cors(draft: &mut Draft<'_>, found: &Found) {
    let Some(cors) = &found.django.cors else { return };
    let mut origins: Vec<String> = cors.origins.clone();
    origins.extend(cors.patterns.iter().map(|pattern| format!("/{pattern}/")));
    let who = match (cors.all_origins, origins.is_empty()) {
        (true, _) => "all origins".to_owned(),
        (false, true) => return,
        (false, false) => origins.join(", "),
    };
    let credentials = if cors.credentials { ", with credentials" } else { "" };
    draft.add(Finding::differs(
        "cors",
        format!("django-cors-headers admits {who}{credentials}"),
        "Countersign sends no CORS headers: browsers on other origins are refused until nginx adds them to the carried-over paths and answers their OPTIONS requests.",
    ));
}

fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}
