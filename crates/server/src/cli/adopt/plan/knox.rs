//! `[knox]`: `REST_KNOX` as it takes effect.

use countersign_formats::drf_datetime::Strftime;
use serde_json::Value;

use super::super::document::length;
use super::super::found::{Found, Knox};
use super::{Draft, Finding, View};

/// Lengths of time: key, setting, seconds by default, and whether `None` means none.
const LENGTHS: &[(&str, &str, Option<f64>, bool)] = &[
    ("token_ttl", "TOKEN_TTL", Some(36_000.0), true),
    ("auto_refresh_max_ttl", "AUTO_REFRESH_MAX_TTL", None, true),
    ("min_refresh_interval", "MIN_REFRESH_INTERVAL", Some(60.0), false),
];

/// Whether Countersign serves the project's Knox tokens.
pub(super) fn is_served(draft: &Draft<'_>, found: &Found) -> bool {
    found.knox.is_some() && draft.kept_by(View::KnoxLogout).is_empty()
}

pub(super) fn knox(draft: &mut Draft<'_>, found: &Found) {
    let Some(knox) = &found.knox else { return };
    if !knox.stock_model {
        refuse(draft, View::KNOX, "TOKEN_MODEL is a model of the project");
    }
    algorithm(draft, knox);
    let value = |setting: &str| knox.values.get(setting).unwrap_or(&Value::Null);
    for &(key, setting, default, may_be_none) in LENGTHS {
        match (value(setting).as_f64(), value(setting)) {
            (given, _) if given == default => {}
            (None, Value::Null) if may_be_none => draft.document.set("knox", key, false, origin(setting)),
            (Some(seconds), _) if seconds > 0.0 => draft.document.set("knox", key, length(seconds), origin(setting)),
            (_, other) => refuse(draft, View::KNOX, &format!("{setting} is {other}")),
        }
    }
    match value("AUTH_TOKEN_CHARACTER_LENGTH").as_i64() {
        Some(64) => {}
        Some(characters @ 32..=256) => {
            let setting = "AUTH_TOKEN_CHARACTER_LENGTH";
            draft.document.set("knox", "auth_token_character_length", characters, origin(setting));
        }
        _ => refuse(draft, &[View::KnoxLogin], "AUTH_TOKEN_CHARACTER_LENGTH is not between 32 and 256"),
    }
    match value("TOKEN_LIMIT_PER_USER") {
        Value::Null => {}
        limit => match limit.as_i64().filter(|limit| (0..=i64::from(u32::MAX)).contains(limit)) {
            Some(limit) => {
                draft.document.set("knox", "token_limit_per_user", limit, origin("TOKEN_LIMIT_PER_USER"));
            }
            None => refuse(draft, &[View::KnoxLogin], &format!("TOKEN_LIMIT_PER_USER is {limit}")),
        },
    }
    if value("AUTO_REFRESH").as_bool() == Some(true) {
        draft.document.set("knox", "auto_refresh", true, origin("AUTO_REFRESH"));
    }
    words(draft, knox);
    answers(draft, found, knox);
}

fn origin(setting: &str) -> String {
    format!("REST_KNOX[\"{setting}\"]")
}

fn refuse(draft: &mut Draft<'_>, views: &[View], what: &str) {
    draft.add(Finding::stays(
        "knox-settings",
        views,
        format!("Knox: {what}"),
        "Countersign cannot do the same. The views concerned stay with Django.",
    ));
}

fn algorithm(draft: &mut Draft<'_>, knox: &Knox) {
    match knox.algorithm.as_deref() {
        Some("sha512") => {}
        Some(name @ ("sha384" | "sha256")) => {
            let name = format!("hashlib.{name}");
            draft.document.set("knox", "secure_hash_algorithm", name, origin("SECURE_HASH_ALGORITHM"));
        }
        other => {
            let what = format!("SECURE_HASH_ALGORITHM is {}", other.unwrap_or("not to be told"));
            refuse(draft, View::KNOX, &what);
        }
    }
}

/// The header's first word, and what tokens begin with.
fn words(draft: &mut Draft<'_>, knox: &Knox) {
    for (key, setting, default, longest) in
        [("auth_header_prefix", "AUTH_HEADER_PREFIX", "Token", usize::MAX), ("token_prefix", "TOKEN_PREFIX", "", 10)]
    {
        let given = knox.values.get(setting).and_then(Value::as_str).unwrap_or_default();
        if given == default {
            continue;
        }
        if !given.is_empty() && given.len() <= longest && given.bytes().all(|byte| byte.is_ascii_graphic()) {
            draft.document.set("knox", key, given, origin(setting));
        } else {
            refuse(draft, View::KNOX, &format!("{setting} is {given:?}"));
        }
    }
}

/// What a login's answer has besides the token.
fn answers(draft: &mut Draft<'_>, found: &Found, knox: &Knox) {
    match knox.user_serializer.as_deref() {
        None => {}
        Some(stock @ "knox.serializers.UserSerializer") => {
            draft.document.set("knox", "user_serializer", stock, origin("USER_SERIALIZER"));
        }
        Some(other) => refuse(draft, &[View::KnoxLogin], &format!("USER_SERIALIZER is {other}")),
    }
    match knox.expiry_format.as_deref() {
        None => {}
        Some(iso) if iso.eq_ignore_ascii_case("iso-8601") => {}
        Some(format) if Strftime::new(format).is_ok() => {
            draft.document.set("knox", "expiry_datetime_format", format, origin("EXPIRY_DATETIME_FORMAT"));
        }
        Some(format) => refuse(draft, &[View::KnoxLogin], &format!("EXPIRY_DATETIME_FORMAT is {format}")),
    }
    if !found.django.use_tz {
        refuse(draft, &[View::KnoxLogin], "USE_TZ is off: the end of tokens is kept and shown in local time");
    } else if found.django.time_zone.as_deref().is_some_and(|zone| zone != "UTC") {
        draft.document.set("", "time_zone", found.django.time_zone.as_deref().unwrap_or_default(), "TIME_ZONE");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Effect;
    use super::super::tests::{carried, ids, plan, stock, table};
    use super::*;

    /// The stock project with Knox at its side.
    fn with_knox() -> Value {
        let mut found = stock();
        let knox = "knox.auth.TokenAuthentication";
        let class = |path: &str| json!([{ "class": path, "base": path, "overrides": [] }]);
        found["django"]["installed_apps"].as_array_mut().expect("apps").push(json!("knox"));
        found["knox"] = json!({
            "values": {
                "AUTH_TOKEN_CHARACTER_LENGTH": 64, "TOKEN_TTL": 36000.0, "TOKEN_LIMIT_PER_USER": null, "AUTO_REFRESH": false,
                "AUTO_REFRESH_MAX_TTL": null, "MIN_REFRESH_INTERVAL": 60, "AUTH_HEADER_PREFIX": "Token", "TOKEN_PREFIX": "",
            },
            "algorithm": "sha512", "user_serializer": null, "expiry_format": "iso-8601", "stock_model": true,
        });
        let pair = found["views"][1].clone();
        let defaults = found["rest_framework"]["defaults"]["authentication"].clone();
        for (kind, class_name, authentication) in [
            ("knox_login", "knox.views.LoginView", defaults),
            ("knox_logout", "knox.views.LogoutView", class(knox)),
            ("knox_logoutall", "knox.views.LogoutAllView", class(knox)),
        ] {
            let mut view = pair.clone();
            view["kind"] = json!(kind);
            view["class"] = json!(class_name);
            view["path"] = json!(format!("/auth/{kind}/"));
            view["pattern"] = json!(format!("/auth/{kind}/"));
            view["serializer"] = Value::Null;
            view["authentication"] = authentication;
            view["permissions"] = class("rest_framework.permissions.IsAuthenticated");
            found["views"].as_array_mut().expect("views").push(view);
        }
        found
    }

    #[test]
    fn stock_knox_is_carried_over_whole() {
        let mut found = with_knox();
        found["rest_framework"]["defaults"]["authentication"]
            .as_array_mut()
            .expect("classes")
            .push(json!({ "class": "knox.auth.TokenAuthentication", "base": "knox.auth.TokenAuthentication", "overrides": [] }));
        let authentication = found["rest_framework"]["defaults"]["authentication"].clone();
        for view in found["views"].as_array_mut().expect("views") {
            if view["kind"] == "knox_login" || view["kind"] == "obtain_auth_token" {
                view["authentication"] = authentication.clone();
            }
        }
        let plan = plan(&found);
        assert!(plan.findings.is_empty(), "{:?}", plan.findings);
        let paths = table(&plan, "paths");
        for kind in ["knox_login", "knox_logout", "knox_logoutall"] {
            assert!(paths.contains(&format!("{kind} = \"/auth/{kind}/\"")), "{paths:?}");
        }
        assert_eq!(table(&plan, "rest_framework"), ["default_authentication_classes = [\"token\", \"jwt\", \"knox\"]"]);
        assert_eq!(table(&plan, "knox"), [""; 0]);
    }

    #[test]
    fn settings_are_carried_over() {
        let mut found = with_knox();
        found["django"]["time_zone"] = json!("Europe/Berlin");
        let knox = &mut found["knox"];
        knox["algorithm"] = json!("sha256");
        knox["user_serializer"] = json!("knox.serializers.UserSerializer");
        knox["expiry_format"] = json!("%d/%m/%Y");
        for (setting, value) in [
            ("AUTH_TOKEN_CHARACTER_LENGTH", json!(128)),
            ("TOKEN_TTL", Value::Null),
            ("TOKEN_LIMIT_PER_USER", json!(3)),
            ("AUTO_REFRESH", json!(true)),
            ("AUTO_REFRESH_MAX_TTL", json!(86400.0)),
            ("MIN_REFRESH_INTERVAL", json!(90)),
            ("AUTH_HEADER_PREFIX", json!("Knox")),
            ("TOKEN_PREFIX", json!("kx_")),
        ] {
            knox["values"][setting] = value;
        }
        let plan = plan(&found);
        assert_eq!(
            table(&plan, "knox"),
            [
                "secure_hash_algorithm = \"hashlib.sha256\"",
                "token_ttl = false",
                "auto_refresh_max_ttl = \"1d\"",
                "min_refresh_interval = \"1m 30s\"",
                "auth_token_character_length = 128",
                "token_limit_per_user = 3",
                "auto_refresh = true",
                "auth_header_prefix = \"Knox\"",
                "token_prefix = \"kx_\"",
                "user_serializer = \"knox.serializers.UserSerializer\"",
                "expiry_datetime_format = \"%d/%m/%Y\"",
            ]
        );
        assert!(plan.document.text().contains("time_zone = \"Europe/Berlin\""));
        assert!(plan.findings.is_empty(), "{:?}", plan.findings);
    }

    #[test]
    fn what_cannot_be_done_stays() {
        const ALL: &[&str] = &["knox_login", "knox_logout", "knox_logoutall"];
        for (place, value, kept) in [
            ("/knox/algorithm", json!("md5"), ALL),
            ("/knox/stock_model", json!(false), ALL),
            ("/knox/values/TOKEN_TTL", json!(-1.0), ALL),
            ("/knox/values/TOKEN_PREFIX", json!("ä"), ALL),
            ("/knox/values/AUTH_TOKEN_CHARACTER_LENGTH", json!(300), &["knox_login"]),
            ("/knox/values/TOKEN_LIMIT_PER_USER", json!(-1), &["knox_login"]),
            ("/knox/user_serializer", json!("site.Serializer"), &["knox_login"]),
            ("/knox/expiry_format", json!("%c"), &["knox_login"]),
            ("/django/use_tz", json!(false), &["knox_login"]),
        ] {
            let mut found = with_knox();
            *found.pointer_mut(place).expect(place) = value;
            let plan = plan(&found);
            assert!(ids(&plan, Effect::Stays).contains(&"knox-settings"), "{place}");
            let carried = carried(&plan);
            for view in ALL {
                assert_eq!(!carried.contains(view), kept.contains(view), "{place}: {view}");
            }
        }
    }

    #[test]
    fn views_with_a_policy_of_their_own_stay() {
        for (index, place) in [(0, "authentication"), (0, "permissions"), (1, "authentication"), (2, "permissions")] {
            let mut found = with_knox();
            let first = found["views"].as_array().expect("views").len() - 3;
            found["views"][first + index][place] = json!([]);
            let plan = plan(&found);
            assert_eq!(ids(&plan, Effect::Stays), ["view-policy"], "{index} {place}");
        }
    }

    #[test]
    fn a_login_stays_whose_classes_are_not_all_here() {
        let mut found = with_knox();
        let own = json!({ "class": "site.Auth", "base": null, "overrides": [] });
        found["rest_framework"]["defaults"]["authentication"].as_array_mut().expect("classes").push(own);
        let authentication = found["rest_framework"]["defaults"]["authentication"].clone();
        for view in found["views"].as_array_mut().expect("views") {
            if view["kind"] == "knox_login" || view["kind"] == "obtain_auth_token" {
                view["authentication"] = authentication.clone();
            }
        }
        let plan = plan(&found);
        let carried = carried(&plan);
        assert!(!carried.contains(&"knox_login") && carried.contains(&"knox_logout"), "{carried:?}");
        assert_eq!(ids(&plan, Effect::Stays), ["knox-login-classes"]);
    }
}
