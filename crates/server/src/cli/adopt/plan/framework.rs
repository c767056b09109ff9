//! `[rest_framework]`: the defaults of views.

use toml::Value;

use super::super::document::array;
use super::super::found::{Class, Found, RestFramework};
use super::{Draft, Finding, View, knox, sessions};

/// Stock renderers and parsers by their name here.
const RENDERERS: &[(&str, &str)] = &[
    ("rest_framework.renderers.JSONRenderer", "json"),
    ("rest_framework.renderers.BrowsableAPIRenderer", "browsable_api"),
];
const PARSERS: &[(&str, &str)] = &[
    ("rest_framework.parsers.JSONParser", "json"),
    ("rest_framework.parsers.FormParser", "form"),
    ("rest_framework.parsers.MultiPartParser", "multipart"),
];

/// The name of a stock class, or of one that is as good as it.
fn name_in(known: &'static [(&str, &str)], class: &Class) -> Option<&'static str> {
    let stock = class.stock()?;
    known.iter().find(|(path, _)| *path == stock).map(|(_, name)| *name)
}

/// The renderers of a list that Countersign has, by name.
pub(super) fn renderers(classes: &[Class]) -> Vec<&'static str> {
    classes.iter().filter_map(|class| name_in(RENDERERS, class)).collect()
}

/// The parsers of a list that Countersign has, by name.
pub(super) fn parsers(classes: &[Class]) -> Vec<&'static str> {
    classes.iter().filter_map(|class| name_in(PARSERS, class)).collect()
}

/// Renderers whose absence changes answers that clients get without asking: the first decides for `*/*`, and any may stand
/// in for JSON.
pub(super) fn missed_renderers(classes: &[Class]) -> Vec<&str> {
    let is_missed = |(index, class): &(usize, &Class)| {
        name_in(RENDERERS, class).is_none() && (*index == 0 || class.media_type.as_deref() == Some("application/json"))
    };
    classes.iter().enumerate().filter(is_missed).map(|(_, class)| class.class.as_str()).collect()
}

/// Parsers of the project for the types that logins are sent in.
pub(super) fn missed_parsers(classes: &[Class]) -> Vec<&str> {
    const USUAL: &[&str] = &["application/json", "application/x-www-form-urlencoded", "multipart/form-data"];
    let is_missed = |class: &&Class| {
        name_in(PARSERS, class).is_none() && class.media_type.as_deref().is_some_and(|kind| USUAL.contains(&kind))
    };
    classes.iter().filter(is_missed).map(|class| class.class.as_str()).collect()
}

pub(super) fn rest_framework(draft: &mut Draft<'_>, found: &Found) {
    let Some(framework) = &found.rest_framework else { return };
    authentication(draft, framework, found);
    permissions(draft, framework);
    handlers(draft, framework);
    for (key, setting, value, default) in [
        ("unicode_json", "UNICODE_JSON", framework.unicode_json, true),
        ("compact_json", "COMPACT_JSON", framework.compact_json, true),
    ] {
        if value != default {
            draft.document.set("rest_framework", key, value, setting);
        }
    }
    if let Some(key) = framework.non_field_errors_key.as_deref().filter(|key| *key != "non_field_errors") {
        draft.document.set("rest_framework", "non_field_errors_key", key, "NON_FIELD_ERRORS_KEY");
    }
    match framework.url_format_override.as_deref() {
        Some("format") => {}
        Some(name) => draft.document.set("rest_framework", "url_format_override", name, "URL_FORMAT_OVERRIDE"),
        None => draft.document.set("rest_framework", "url_format_override", false, "URL_FORMAT_OVERRIDE"),
    }
    hooks(draft, framework);
}

fn authentication(draft: &mut Draft<'_>, framework: &RestFramework, found: &Found) {
    let has_authtoken = found.django.installed_apps.iter().any(|app| app == "rest_framework.authtoken");
    let jwt_is_usable = draft.kept_by(View::TokenVerify).iter().all(|id| !matches!(*id, "jwt-algorithm" | "jwt-key"));
    let logs_in = draft.kept_by(View::ObtainAuthToken).is_empty();
    let mut schemes: Vec<Value> = Vec::new();
    let mut missed = Vec::new();
    for class in &framework.defaults.authentication {
        match scheme(class) {
            // Basic looks users up and checks passwords as a login does.
            Some(Value::String(name)) if name == "basic" && !logs_in => missed.push(class.class.as_str()),
            Some(Value::String(name)) if name == "session" && !sessions::are_readable(found) => {
                missed.push(class.class.as_str());
            }
            Some(Value::String(name)) if name == "knox" && !knox::is_served(draft, found) => {
                missed.push(class.class.as_str());
            }
            Some(Value::String(name)) if name.starts_with("jwt") && !jwt_is_usable => missed.push(class.class.as_str()),
            Some(scheme) if has_authtoken || !is_authtoken(&scheme, class) => schemes.push(scheme),
            _ => missed.push(class.class.as_str()),
        }
    }
    draft.document.set(
        "rest_framework",
        "default_authentication_classes",
        array(schemes),
        "DEFAULT_AUTHENTICATION_CLASSES",
    );
    if !missed.is_empty() && found.views.iter().any(|view| view.kind == View::KnoxLogin.key()) {
        draft.add(Finding::stays(
            "knox-login-classes",
            &[View::KnoxLogin],
            format!("Knox's login lets in whom DEFAULT_AUTHENTICATION_CLASSES does, among them {}", missed.join(", ")),
            "Clients that log in by one of these would be refused. Knox's login stays with Django; the tokens it gives out work here.",
        ));
    }
    if !missed.is_empty() {
        draft.add(Finding::differs(
            "authentication-classes",
            format!("DEFAULT_AUTHENTICATION_CLASSES has what Countersign does not: {}", missed.join(", ")),
            "Left out. Django's own views go on using them; here they concern [[protected]] paths, and at obtain_auth_token the check of an Authorization header sent along.",
        ));
    }
}

/// Whether a scheme looks keys up in DRF's own table.
fn is_authtoken(scheme: &Value, class: &Class) -> bool {
    let is_token = scheme.as_str() == Some("token") || scheme.is_table();
    is_token && class.table.as_ref().is_none_or(|table| table.table == "authtoken_token")
}

/// An entry of `default_authentication_classes`.
fn scheme(class: &Class) -> Option<Value> {
    let name = match class.stock()? {
        "rest_framework_simplejwt.authentication.JWTAuthentication" => "jwt",
        "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"
        | "rest_framework_simplejwt.authentication.JWTTokenUserAuthentication" => "jwt_stateless",
        "rest_framework.authentication.BasicAuthentication" => "basic",
        "rest_framework.authentication.SessionAuthentication" => "session",
        "knox.auth.TokenAuthentication" => "knox",
        "rest_framework.authentication.TokenAuthentication" => {
            let keyword = class.keyword.as_deref().unwrap_or("Token");
            let table = class.table.as_ref().map_or("authtoken_token", |table| table.table.as_str());
            if class.table.as_ref().is_some_and(|table| table.schema.is_some()) {
                return None;
            }
            if (keyword, table) == ("Token", "authtoken_token") {
                "token"
            } else {
                let mut entry = toml::Table::new();
                entry.insert("kind".to_owned(), "token".into());
                entry.insert("keyword".to_owned(), keyword.into());
                entry.insert("table".to_owned(), table.into());
                return Some(Value::Table(entry));
            }
        }
        _ => return None,
    };
    Some(name.into())
}

/// Django's default lets everybody in; ours, for `[[protected]]` paths, does not. It is loosened by hand only.
fn permissions(draft: &mut Draft<'_>, framework: &RestFramework) {
    let name = |class: &Class| match class.stock()? {
        "rest_framework.permissions.IsAuthenticated" => Some("is_authenticated"),
        "rest_framework.permissions.IsAdminUser" => Some("is_admin"),
        "rest_framework.permissions.IsAuthenticatedOrReadOnly" => Some("is_authenticated_or_read_only"),
        _ => None,
    };
    let names: Option<Vec<&str>> = framework.defaults.permissions.iter().map(name).collect();
    if let Some(names) = names.filter(|names| !names.is_empty() && names != &["is_authenticated"]) {
        draft.document.set("rest_framework", "default_permission_classes", array(names), "DEFAULT_PERMISSION_CLASSES");
    }
}

fn handlers(draft: &mut Draft<'_>, framework: &RestFramework) {
    let (renderers, parsers) = (renderers(&framework.defaults.renderers), parsers(&framework.defaults.parsers));
    if !renderers.is_empty() && renderers != ["json", "browsable_api"] {
        draft.document.set("rest_framework", "default_renderer_classes", array(renderers), "DEFAULT_RENDERER_CLASSES");
    }
    if !parsers.is_empty() && parsers != ["json", "form", "multipart"] {
        draft.document.set("rest_framework", "default_parser_classes", array(parsers), "DEFAULT_PARSER_CLASSES");
    }
    let defaults = &framework.defaults;
    for (setting, known, classes, missed) in [
        ("DEFAULT_RENDERER_CLASSES", RENDERERS, &defaults.renderers, missed_renderers(&defaults.renderers)),
        ("DEFAULT_PARSER_CLASSES", PARSERS, &defaults.parsers, missed_parsers(&defaults.parsers)),
    ] {
        let others: Vec<&str> = classes
            .iter()
            .filter(|class| name_in(known, class).is_none() && !missed.contains(&class.class.as_str()))
            .map(|class| class.class.as_str())
            .collect();
        if !others.is_empty() {
            draft.add(Finding::differs(
                "media-types",
                format!("{setting} has {}", others.join(", ")),
                "Left out: on the carried-over paths these media types are answered 406 or 415.",
            ));
        }
    }
}

fn hooks(draft: &mut Draft<'_>, framework: &RestFramework) {
    if let Some(handler) = &framework.exception_handler {
        draft.add(Finding::stays(
            "exception-handler",
            View::ALL,
            format!("EXCEPTION_HANDLER is {handler}: it can reshape every error"),
            "If clients do not read the bodies of errors, --accept exception-handler: errors are then DRF's own.",
        ));
    }
    if let Some(class) = &framework.content_negotiation {
        draft.add(Finding::stays(
            "content-negotiation",
            View::ALL,
            format!("DEFAULT_CONTENT_NEGOTIATION_CLASS is {class}"),
            "If clients send and accept JSON, --accept content-negotiation.",
        ));
    }
    if let Some(class) = &framework.versioning {
        draft.add(Finding::differs(
            "versioning",
            format!("DEFAULT_VERSIONING_CLASS is {class}"),
            "Countersign does not look at versions: a version that Django would refuse is served.",
        ));
    }
    if let Some(class) = &framework.metadata {
        draft.add(Finding::note(
            "metadata",
            format!("DEFAULT_METADATA_CLASS is {class}"),
            "OPTIONS answers are DRF's usual ones.",
        ));
    }
    if !framework.strict_json {
        draft.add(Finding::differs(
            "strict-json",
            "STRICT_JSON is off",
            "NaN and Infinity in bodies are refused here; no login has them.",
        ));
    }
}
