//! What a client can read of a JWT without the key: header and payload, RFC 7519 §3. The signature is the server's to check.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// A JWT as a client sees it. Holds no signature, so it is no credential.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Jwt {
    /// Header `alg`.
    pub(super) algorithm: String,
    /// `SimpleJWT` 5.5 `TOKEN_TYPE_CLAIM`: `access` or `refresh`.
    pub(super) token_type: String,
    /// Claim `exp`, seconds since 1970, UTC.
    pub(super) expires: f64,
    /// Claim `iat`, seconds since 1970, UTC.
    pub(super) issued: Option<f64>,
    /// `SimpleJWT` 5.5 `USER_ID_CLAIM` (`user_id`), or `sub` when there is none, as text.
    pub(super) user: String,
}

/// Reads a JWT.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with the token's name. Never contains the token.
pub(super) fn read(token: &str) -> Result<Jwt, String> {
    let parts: Vec<&str> = token.split('.').collect();
    let &[header, payload, signature] = parts.as_slice() else {
        return Err(format!("is not a JWT: {} part(s) between dots instead of 3", parts.len()));
    };
    let header = object(header).ok_or("is not a JWT: its header is not JSON")?;
    let payload = object(payload).ok_or("is not a JWT: its payload is not JSON")?;
    let text = |map: &Map<String, Value>, name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
    let algorithm = text(&header, "alg").ok_or("names no algorithm")?;
    if algorithm.eq_ignore_ascii_case("none") || signature.is_empty() {
        return Err("is not signed".to_owned());
    }
    Ok(Jwt {
        algorithm,
        token_type: text(&payload, "token_type").ok_or("has no token_type")?,
        expires: payload.get("exp").and_then(Value::as_f64).ok_or("has no exp")?,
        issued: payload.get("iat").and_then(Value::as_f64),
        user: ["user_id", "sub"].iter().find_map(|name| payload.get(*name)).and_then(id_text).ok_or("names no user")?,
    })
}

/// The same JWT with another signature: the first character of it, since the last may carry only padding bits.
pub(super) fn tampered(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or(("", token));
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{other}{}", signature.chars().skip(1).collect::<String>())
}

/// A user id as text, whether the server writes numbers or strings (`SimpleJWT` 5.5 writes strings).
pub(super) fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, payload: &str, signature: &str) -> String {
        format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn an_access_token_of_simplejwt_is_read() {
        let payload = r#"{"token_type":"access","exp":1793525000,"iat":1793524700,"jti":"ab","user_id":"1"}"#;
        let jwt = read(&token(r#"{"alg":"HS256","typ":"JWT"}"#, payload, "c2ln")).unwrap();
        let expected = Jwt {
            algorithm: "HS256".into(),
            token_type: "access".into(),
            expires: 1_793_525_000.0,
            issued: Some(1_793_524_700.0),
            user: "1".into(),
        };
        assert_eq!(jwt, expected);
    }

    #[test]
    fn what_is_missing_is_named() {
        let header = r#"{"alg":"HS256"}"#;
        let cases = [
            ("a.b".to_owned(), "is not a JWT: 2 part(s) between dots instead of 3"),
            ("!.e30.c2ln".to_owned(), "is not a JWT: its header is not JSON"),
            (token(header, "[]", "c2ln"), "is not a JWT: its payload is not JSON"),
            (token("{}", "{}", "c2ln"), "names no algorithm"),
            (token(r#"{"alg":"None"}"#, "{}", "c2ln"), "is not signed"),
            (token(header, "{}", ""), "is not signed"),
            (token(header, "{}", "c2ln"), "has no token_type"),
            (token(header, r#"{"token_type":"access"}"#, "c2ln"), "has no exp"),
            (token(header, r#"{"token_type":"access","exp":1}"#, "c2ln"), "names no user"),
        ];
        for (token, error) in cases {
            assert_eq!(read(&token), Err(error.to_owned()));
        }
    }

    #[test]
    fn tampering_changes_the_signature_only() {
        assert_eq!(tampered("h.p.xyz"), "h.p.Ayz");
        assert_eq!(tampered("h.p.Ayz"), "h.p.Byz");
    }
}
