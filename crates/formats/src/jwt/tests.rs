//! Verdicts of the original, Wycheproof, keys, and the requirements J1 to J13.

mod keys;
mod made;
mod recorded;
mod register;
mod requirements;
mod wycheproof;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Line;

use super::*;
use crate::json::{Object, Value};

/// One moment for tests that do not care which: 2025-06-15T15:06:40Z.
fn now() -> Timestamp {
    Timestamp::from_second(1_750_000_000).unwrap()
}

fn moment(seconds: f64) -> Timestamp {
    Timestamp::UNIX_EPOCH + duration(seconds)
}

/// Python's clock has microseconds.
fn duration(seconds: f64) -> SignedDuration {
    #[expect(clippy::cast_possible_truncation, reason = "times of tests fit")]
    SignedDuration::from_micros((seconds * 1e6).round() as i64)
}

/// A recorded setting that is a duration: `{"seconds": n}` or a number.
fn duration_setting(value: &Line) -> SignedDuration {
    duration(value.as_f64().or_else(|| value["seconds"].as_f64()).unwrap())
}

fn secret(text: &str) -> HmacSecret {
    HmacSecret::new(text).unwrap()
}

fn key() -> SigningKey {
    SigningKey::hmac(HmacAlgorithm::Hs256, &secret("test-secret-of-more-than-32-bytes-0123456789"))
}

fn strict() -> Rules {
    Rules { strict: true, ..Rules::default() }
}

/// Claims that every rule accepts.
fn good_claims() -> Object {
    let second = now().as_second();
    [
        ("token_type", Value::from("access")),
        ("exp", Value::from(second + 300)),
        ("iat", Value::from(second)),
        ("jti", Value::from("0f1e2d3c4b5a69788796a5b4c3d2e1f0")),
        ("user_id", Value::from("1")),
    ]
    .into_iter()
    .collect()
}

fn with(name: &str, value: impl Into<Value>) -> Object {
    let mut claims = good_claims();
    claims.set(name, value);
    claims
}

/// Signs raw text, whatever it is, with [`key`].
fn seal(header: &str, payload: &[u8]) -> String {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    seal_parts(&base64.encode(header), &base64.encode(payload))
}

fn seal_parts(header: &str, payload: &str) -> String {
    use base64::Engine as _;
    let signed = format!("{header}.{payload}");
    let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key().signature(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn read(token: &str, rules: &Rules) -> Result<Claims, Refusal> {
    let claims = decode(token.as_bytes(), &key().verifying_key(), rules, now())?;
    check_token(&claims, TokenType::Access, rules, now())?;
    Ok(claims)
}

/// The rules that recorded settings, under `SimpleJWT`'s names, amount to.
fn rules_of(settings: &Line) -> Rules {
    let expected = |name: &str| match &settings[name] {
        Line::Null => Expected::Anything,
        Line::String(one) => Expected::One(one.clone()),
        many => Expected::Many(serde_json::from_value(many.clone()).unwrap()),
    };
    let claim = |name: &str, default: &str| match settings.get(name) {
        None => Some(default.to_owned()),
        Some(name) => name.as_str().map(ToOwned::to_owned),
    };
    Rules {
        audience: expected("AUDIENCE"),
        issuer: expected("ISSUER"),
        leeway: settings.get("LEEWAY").map_or(SignedDuration::ZERO, duration_setting),
        token_type_claim: claim("TOKEN_TYPE_CLAIM", "token_type"),
        jti_claim: claim("JTI_CLAIM", "jti"),
        ..Rules::default()
    }
}

fn algorithm_of(settings: &Line) -> Algorithm {
    settings.get("ALGORITHM").map_or("HS256", |name| name.as_str().unwrap()).parse().unwrap()
}
