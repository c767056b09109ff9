//! `[simple_jwt]`: SimpleJWT's settings as they take effect.

use countersign_formats::jwt::{Algorithm, SigningKey, VerifyingKey};
use serde_json::Value;

use super::super::document::{array, length};
use super::super::found::{Found, SimpleJwt};
use super::{Draft, Finding, SecretItem, View};

/// How a key is written.
#[derive(Clone, Copy)]
enum Kind {
    /// Seconds, beside the default.
    Length(u32),
    Flag(bool),
    Text(&'static str),
    /// A text or a list; absent by default.
    Names,
    /// A claim's name, `false` for `None`.
    Claim(&'static str),
}

/// Keys that are carried over as they are, with SimpleJWT's defaults.
const KEYS: &[(&str, &str, Kind)] = &[
    ("access_token_lifetime", "ACCESS_TOKEN_LIFETIME", Kind::Length(300)),
    ("refresh_token_lifetime", "REFRESH_TOKEN_LIFETIME", Kind::Length(86_400)),
    ("sliding_token_lifetime", "SLIDING_TOKEN_LIFETIME", Kind::Length(300)),
    ("sliding_token_refresh_lifetime", "SLIDING_TOKEN_REFRESH_LIFETIME", Kind::Length(86_400)),
    ("sliding_token_refresh_exp_claim", "SLIDING_TOKEN_REFRESH_EXP_CLAIM", Kind::Text("refresh_exp")),
    ("rotate_refresh_tokens", "ROTATE_REFRESH_TOKENS", Kind::Flag(false)),
    ("update_last_login", "UPDATE_LAST_LOGIN", Kind::Flag(false)),
    ("audience", "AUDIENCE", Kind::Names),
    ("issuer", "ISSUER", Kind::Names),
    ("auth_header_name", "AUTH_HEADER_NAME", Kind::Text("HTTP_AUTHORIZATION")),
    ("user_id_field", "USER_ID_FIELD", Kind::Text("id")),
    ("user_id_claim", "USER_ID_CLAIM", Kind::Text("user_id")),
    ("token_type_claim", "TOKEN_TYPE_CLAIM", Kind::Claim("token_type")),
    ("check_revoke_token", "CHECK_REVOKE_TOKEN", Kind::Flag(false)),
    ("revoke_token_claim", "REVOKE_TOKEN_CLAIM", Kind::Text("hash_password")),
    ("check_user_is_active", "CHECK_USER_IS_ACTIVE", Kind::Flag(true)),
];

/// A thousand years, the longest that Countersign takes.
const LONGEST: f64 = 1000.0 * 365.0 * 86_400.0;

pub(super) fn simple_jwt(draft: &mut Draft<'_>, found: &Found) {
    let Some(jwt) = &found.simple_jwt else { return };
    let blacklist = found.django.installed_apps.iter().any(|app| app == "rest_framework_simplejwt.token_blacklist");
    algorithm(draft, jwt);
    for (key, setting, kind) in KEYS {
        if let Some(value) = jwt.values.get(*setting) {
            carry(draft, key, setting, *kind, value);
        }
    }
    header_types(draft, jwt);
    leeway(draft, jwt);
    rotation(draft, jwt, blacklist);
    jti(draft, jwt, blacklist);
    token_classes(draft, jwt);
    hooks(draft, jwt);
}

fn origin(setting: &str) -> String {
    format!("SIMPLE_JWT[\"{setting}\"]")
}

fn carry(draft: &mut Draft<'_>, key: &'static str, setting: &str, kind: Kind, value: &Value) {
    let mut set = |value: toml::Value| draft.document.set("simple_jwt", key, value, origin(setting));
    match (kind, value) {
        (Kind::Length(default), value) => match value.as_f64() {
            Some(seconds) if (seconds - f64::from(default)).abs() < 1e-9 => {}
            Some(seconds) if seconds > 0.0 && seconds <= LONGEST => set(length(seconds)),
            _ => draft.add(Finding::stays(
                "token-lifetime",
                View::SIMPLE_JWT,
                format!("{setting} is {value}"),
                "Countersign takes lifetimes above nothing and up to 1000 years.",
            )),
        },
        (Kind::Flag(default), Value::Bool(flag)) if *flag != default => set((*flag).into()),
        (Kind::Text(default) | Kind::Claim(default), Value::String(text)) if text != default => {
            set(text.as_str().into());
        }
        (Kind::Claim(_), Value::Null) => set(false.into()),
        (Kind::Names, Value::String(text)) => set(text.as_str().into()),
        (Kind::Names, Value::Array(names)) => set(array(names.iter().filter_map(Value::as_str))),
        _ => {}
    }
}

fn algorithm(draft: &mut Draft<'_>, jwt: &SimpleJwt) {
    let name = jwt.values.get("ALGORITHM").and_then(Value::as_str).unwrap_or("HS256");
    let Ok(algorithm) = name.parse::<Algorithm>() else {
        draft.add(Finding::stays(
            "jwt-algorithm",
            View::SIMPLE_JWT,
            format!("ALGORITHM is {name}"),
            "Countersign has no such algorithm. The JWT paths stay with Django.",
        ));
        // What SIGNING_KEY holds then is nothing Countersign could use.
        return;
    };
    // With shared secrets SimpleJWT looks at no address.
    if let Some(url) = jwt.hooks.get("JWK_URL").cloned().flatten().filter(|_| !algorithm.is_hmac()) {
        draft.document.set("simple_jwt", "algorithm", name, origin("ALGORITHM"));
        draft.document.set("simple_jwt", "jwk_url", url.as_str(), origin("JWK_URL"));
        draft.add(Finding::stays(
            "jwt-signing-key",
            View::SIGNING,
            "JWK_URL is set: this project verifies tokens that another makes",
            "Countersign verifies them too, and gives out none.",
        ));
        return;
    }
    let mut keys = vec![("signing_key", "COUNTERSIGN_SIMPLE_JWT__SIGNING_KEY", "SIGNING_KEY", &jwt.signing_key)];
    if !algorithm.is_hmac() {
        keys.push(("verifying_key", "COUNTERSIGN_SIMPLE_JWT__VERIFYING_KEY", "VERIFYING_KEY", &jwt.verifying_key));
        let signing = jwt.signing_key.as_ref().map(|key| SigningKey::read(algorithm, key.expose()).map(|_| ()));
        let verifying = jwt.verifying_key.as_ref().map(|key| VerifyingKey::read(algorithm, key.expose()).map(|_| ()));
        for (setting, read) in [("SIGNING_KEY", signing), ("VERIFYING_KEY", verifying)] {
            if let Some(Err(error)) = read {
                draft.add(Finding::stays(
                    "jwt-key",
                    View::SIMPLE_JWT,
                    format!("{setting} {error}"),
                    "The JWT paths stay with Django until it has a key that Countersign takes.",
                ));
                return;
            }
        }
    }
    if !algorithm.is_hmac() && jwt.verifying_key.is_none() && jwt.signing_key.is_none() {
        draft.add(Finding::stays(
            "jwt-key",
            View::SIMPLE_JWT,
            format!("ALGORITHM is {name}, without SIGNING_KEY and VERIFYING_KEY"),
            "No token can be valid, in Django as well.",
        ));
        return;
    }
    if !algorithm.is_hmac() && jwt.signing_key.is_none() {
        draft.add(Finding::stays(
            "jwt-signing-key",
            View::SIGNING,
            format!("ALGORITHM is {name}, without SIGNING_KEY: this project verifies tokens that another makes"),
            "Countersign verifies them too, and gives out none.",
        ));
    }
    if name != "HS256" {
        draft.document.set("simple_jwt", "algorithm", name, origin("ALGORITHM"));
    }
    for (file, variable, setting, key) in keys {
        let Some(key) = key else { continue };
        // The line end after a PEM block means nothing; that of a shared secret is part of it.
        let value = if algorithm.is_hmac() { key.clone() } else { key.trimmed() };
        let item = SecretItem { file, variable, value, meaning: format!("SIMPLE_JWT[\"{setting}\"]") };
        let key = if file == "signing_key" { "signing_key_file" } else { "verifying_key_file" };
        draft.secret("simple_jwt", key, item, &origin(setting));
    }
}

fn header_types(draft: &mut Draft<'_>, jwt: &SimpleJwt) {
    let types: Vec<&str> = match jwt.values.get("AUTH_HEADER_TYPES") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    if types != ["Bearer"] {
        draft.document.set("simple_jwt", "auth_header_types", array(types), origin("AUTH_HEADER_TYPES"));
    }
}

fn leeway(draft: &mut Draft<'_>, jwt: &SimpleJwt) {
    let Some(value) = jwt.values.get("LEEWAY") else { return };
    match value.as_f64() {
        Some(0.0) => {}
        Some(seconds) if (0.0..=120.0).contains(&seconds) => {
            draft.document.set("simple_jwt", "leeway", length(seconds), origin("LEEWAY"));
        }
        _ => draft.add(Finding::stays(
            "leeway",
            View::SIMPLE_JWT,
            format!("LEEWAY is {value}"),
            "Countersign takes 0 to 120 seconds. Lower it in Django first; the clocks of one site differ by less.",
        )),
    }
}

fn rotation(draft: &mut Draft<'_>, jwt: &SimpleJwt, blacklist: bool) {
    let flag = |name: &str| jwt.values.get(name).and_then(Value::as_bool).unwrap_or(false);
    let (rotate, void) = (flag("ROTATE_REFRESH_TOKENS"), flag("BLACKLIST_AFTER_ROTATION"));
    if rotate && void && !blacklist {
        draft.add(Finding::note(
            "rotation-without-blacklist",
            "BLACKLIST_AFTER_ROTATION is set, but rest_framework_simplejwt.token_blacklist is not in INSTALLED_APPS: rotated tokens stay valid",
            "blacklist_after_rotation is left out, which is what SimpleJWT does in fact. Install the app and migrate to void rotated tokens.",
        ));
    } else if void {
        draft.document.set("simple_jwt", "blacklist_after_rotation", true, origin("BLACKLIST_AFTER_ROTATION"));
    }
}

fn jti(draft: &mut Draft<'_>, jwt: &SimpleJwt, blacklist: bool) {
    match jwt.values.get("JTI_CLAIM") {
        Some(Value::String(name)) if name != "jti" => {
            draft.document.set("simple_jwt", "jti_claim", name.as_str(), origin("JTI_CLAIM"));
        }
        Some(Value::Null) if blacklist => draft.add(Finding::stays(
            "jti-claim",
            View::SIMPLE_JWT,
            "JTI_CLAIM is None, though the blacklist app tells tokens apart by it",
            "Give the claim a name in Django.",
        )),
        Some(Value::Null) => draft.document.set("simple_jwt", "jti_claim", false, origin("JTI_CLAIM")),
        _ => {}
    }
}

fn token_classes(draft: &mut Draft<'_>, jwt: &SimpleJwt) {
    let stock: Vec<&str> = jwt.auth_token_classes.iter().filter_map(|class| class.stock.as_deref()).collect();
    let own: Vec<&str> =
        jwt.auth_token_classes.iter().filter(|class| class.stock.is_none()).map(|class| class.class.as_str()).collect();
    if !own.is_empty() {
        draft.add(Finding::differs(
            "token-classes",
            format!("AUTH_TOKEN_CLASSES has classes of the project: {}", own.join(", ")),
            "Such tokens are not accepted at [[protected]] paths. Django's own views go on accepting them.",
        ));
    }
    if !stock.is_empty() && stock != ["AccessToken"] {
        draft.document.set("simple_jwt", "auth_token_classes", array(stock), origin("AUTH_TOKEN_CLASSES"));
    }
}

fn hooks(draft: &mut Draft<'_>, jwt: &SimpleJwt) {
    let hook = |name: &str| jwt.hooks.get(name).cloned().flatten();
    if let Some(rule) = hook("USER_AUTHENTICATION_RULE") {
        draft.add(Finding::stays(
            "user-authentication-rule",
            View::ISSUING,
            format!("USER_AUTHENTICATION_RULE is {rule}"),
            "Countersign asks is_active alone. The paths that give out tokens stay with Django; verify and blacklist do not need it.",
        ));
    }
    if let Some(encoder) = hook("JSON_ENCODER") {
        draft.add(Finding::stays(
            "json-encoder",
            View::ISSUING,
            format!("JSON_ENCODER is {encoder}"),
            "If it matters only for custom claims, --accept json-encoder: Countersign writes the standard claims as SimpleJWT does.",
        ));
    }
    if let Some(class) = hook("TOKEN_USER_CLASS") {
        draft.add(Finding::note(
            "token-user-class",
            format!("TOKEN_USER_CLASS is {class}"),
            "Nothing: it concerns Django's own views, which go on using it.",
        ));
    }
}
