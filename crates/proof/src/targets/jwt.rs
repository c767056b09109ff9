//! Tokens: as they come, and with header and payload of any bytes under a right signature.
//!
//! First byte of the input: `t`, the rest is a token; anything else, the rest is a header, a line end and a payload to be signed.
//! `{JWT}` stands for a valid token, `{NOW}` for the present second.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_formats::json::{self, NonFinite, Value};
use countersign_formats::jwt::{
    Claims, Expected, HmacAlgorithm, HmacSecret, Rules, SigningKey, TokenType, check_token, decode, sign, signed_part,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use super::{Target, fill_in, split_line};

pub(super) const TARGET: Target = Target {
    name: "jwt",
    check,
    words: &[
        "{JWT}",
        "{NOW}",
        ".",
        "..",
        "=",
        "\"alg\":\"HS256\"",
        "\"alg\":\"none\"",
        "\"crit\":[\"exp\"]",
        "\"b64\":false",
        "\"zip\":\"DEF\"",
        "\"exp\":",
        "\"nbf\":",
        "\"iat\":",
        "\"aud\":",
        "\"iss\":",
        "\"sub\":",
        "\"jti\":",
        "\"token_type\":",
        "\"access\"",
        "\"refresh\"",
        "null",
        "true",
        "[]",
        "{}",
        "\"1_0\"",
        "1e400",
        "NaN",
        "\\ud800",
        "\\u0000",
        "\u{feff}",
        "٣",
    ],
};

const SECRET: &str = "a secret of thirty-two bytes and more";
const NOW: i64 = 1_750_000_000;

fn check(data: &[u8]) {
    let now = Timestamp::from_second(NOW).expect("an instant");
    let key = key(SECRET, HmacAlgorithm::Hs256);
    let claims = format!(r#"{{"token_type":"access","exp":{},"iat":{NOW},"jti":"0f1e","user_id":"1"}}"#, NOW + 300);
    let valid = seal(br#"{"alg":"HS256","typ":"JWT"}"#, claims.as_bytes());
    let now_text = NOW.to_string();
    let data = fill_in(data, &[("{JWT}", &valid), ("{NOW}", &now_text)]);
    let Some((kind, rest)) = data.split_first() else { return };
    let token = if *kind == b't' {
        rest.to_vec()
    } else {
        let (header, payload) = split_line(rest);
        seal(header, payload).into_bytes()
    };

    let rules = Rules::default();
    let strict = Rules { strict: true, ..Rules::default() };
    let named = Rules {
        audience: Expected::Many(vec!["a".to_owned(), "b".to_owned()]),
        issuer: Expected::One("me".to_owned()),
        leeway: SignedDuration::from_secs(10),
        ..Rules::default()
    };
    let loose = decode(&token, &key.verifying_key(), &rules, now);
    let strictly = decode(&token, &key.verifying_key(), &strict, now);
    if let Ok(claims) = &strictly {
        assert!(loose.as_ref() == Ok(claims), "strict rules accept or read what loose ones do not");
    }
    for (secret, algorithm) in [
        ("another secret of thirty-two bytes", HmacAlgorithm::Hs256),
        (SECRET, HmacAlgorithm::Hs384),
        (SECRET, HmacAlgorithm::Hs512),
    ] {
        let other = self::key(secret, algorithm).verifying_key();
        assert!(decode(&token, &other, &rules, now).is_err(), "accepted under another key");
    }
    let Ok(claims) = loose else { return };
    assert!(token.len() <= rules.max_len, "an overlong token is accepted");
    assert_eq!(token.split(|&byte| byte == b'.').count(), 3, "not three parts");
    check_times(&claims, &token, &key, now);
    check_types(&claims, &rules, now);
    check_names(&claims, decode(&token, &key.verifying_key(), &named, now).is_ok());
    check_round_trip(&claims, &key, now);
    let signed = signed_part(&token).expect("two dots");
    assert!(token.starts_with(signed) && !signed.is_empty());
    for at in [0, signed.len() / 2, signed.len() - 1] {
        let mut changed = token.clone();
        changed[at] ^= 1;
        assert!(decode(&changed, &key.verifying_key(), &rules, now).is_err(), "a changed byte is accepted");
    }
}

/// What is accepted now is refused once its `exp` has come, and refused before its `nbf` and `iat`.
fn check_times(claims: &Claims, token: &[u8], key: &SigningKey, now: Timestamp) {
    let rules = Rules::default();
    let at = |second: i64| Timestamp::from_second(second).ok();
    let refused = |moment: Timestamp| decode(token, &key.verifying_key(), &rules, moment).is_err();
    if let Some(exp) = claims.get("exp").and_then(Value::as_i64) {
        assert!(exp > now.as_second(), "an expired token is accepted");
        assert!(at(exp).is_none_or(refused), "accepted at its end");
    }
    for name in ["nbf", "iat"] {
        if let Some(begin) = claims.get(name).and_then(Value::as_i64) {
            assert!(begin <= now.as_second(), "accepted before its {name}");
            assert!(begin.checked_sub(1).and_then(at).is_none_or(refused), "accepted before its {name}");
        }
        let odd = |value: &Value| matches!(value, Value::Null | Value::Array(_) | Value::Object(_));
        assert!(!claims.get(name).is_some_and(odd), "{name} is no time and counts for none");
    }
    for name in ["sub", "jti"] {
        assert!(claims.get(name).is_none_or(|value| matches!(value, Value::String(_))), "{name} is no text");
    }
}

/// A token is of one type (J8).
fn check_types(claims: &Claims, rules: &Rules, now: Timestamp) {
    let types = [TokenType::Access, TokenType::Refresh, TokenType::Sliding];
    let accepted: Vec<_> = types.into_iter().filter(|kind| check_token(claims, *kind, rules, now).is_ok()).collect();
    assert!(accepted.len() <= 1, "{accepted:?}");
    for kind in accepted {
        assert_eq!(claims.get("token_type").and_then(Value::as_str), Some(kind.name()));
        assert!(claims.get("exp").is_some() && claims.get("jti").is_some());
        assert_eq!(check_token(claims, TokenType::Untyped, rules, now), Ok(()));
    }
}

/// Names are compared whole (J7).
fn check_names(claims: &Claims, accepted: bool) {
    if accepted {
        assert_eq!(claims.get("iss").and_then(Value::as_str), Some("me"));
        let expected = |value: &Value| matches!(value.as_str(), Some("a" | "b"));
        let fits = match claims.get("aud") {
            Some(Value::Array(names)) => names.iter().any(expected),
            Some(name) => expected(name),
            None => false,
        };
        assert!(fits, "accepted for another audience");
    }
}

/// Claims that are read, signed again and read again are the same, unless they hold what only `NaN` can: another than itself.
fn check_round_trip(claims: &Claims, key: &SigningKey, now: Timestamp) {
    let text = json::object_to_compact_ascii(claims.as_object());
    let Ok(Value::Object(object)) = json::parse(&text, NonFinite::Accept) else {
        panic!("written claims are no object")
    };
    let again = sign(&object, key);
    if again.len() > Rules::default().max_len || text.contains("NaN") {
        return;
    }
    let read = decode(again.as_bytes(), &key.verifying_key(), &Rules::default(), now);
    assert!(read.as_ref() == Ok(claims), "{read:?}");
}

fn key(secret: &str, algorithm: HmacAlgorithm) -> SigningKey {
    SigningKey::hmac(algorithm, &HmacSecret::new(secret).expect("a secret"))
}

/// Signs any bytes, with another implementation's words around the same HMAC.
fn seal(header: &[u8], payload: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    let tag = mac.chain_update(signed.as_bytes()).finalize().into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}
