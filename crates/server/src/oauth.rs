//! What registered clients ask of tokens: what one is worth (RFC 7662), and its end (RFC 7009). Parameters in, an answer out; how a
//! request is read and an answer rendered is the view's.

use countersign::settings::CLIENT_CLAIM;
use countersign::{Accepted, Authority, Client, ClientRight, Failure, LiveToken};
use countersign_formats::json::{Object, Value};
use countersign_formats::jwt::Claims;
use countersign_formats::request_body::{Limits, Parameters};
use http::HeaderMap;
use jiff::Timestamp;

use crate::endpoints::Answer;

/// A token has 8 KiB at most, and three times that as percent-encoded bytes.
pub(crate) const LIMITS: Limits = Limits { memory: 64 * 1024, fields: 32, files: 0 };

/// Says what a token is worth, or ends it, for the client that the request proves to be from.
///
/// # Errors
/// Those of [`Authority::authenticate_client`], [`Authority::introspect`] and [`Authority::revoke`]; [`Failure::InvalidRequest`] without
/// a token.
pub(crate) async fn answer(
    authority: &Authority,
    right: ClientRight,
    headers: &HeaderMap,
    parameters: &Parameters,
    accepted: &Accepted,
    client: Client<'_>,
) -> Result<Answer, Failure> {
    let registered = authority.authenticate_client(headers, parameters, right, client)?;
    let token = parameters.get("token").ok_or(Failure::InvalidRequest("The parameter token is missing."))?;
    let hint = parameters.get("token_type_hint");
    match right {
        ClientRight::Introspect => {
            let live = authority.introspect(token, hint, accepted).await?;
            Ok(Answer::Json(Value::Object(introspection(authority, live.as_ref()))))
        }
        ClientRight::Revoke => {
            authority.revoke(token, hint, registered, client).await?;
            Ok(Answer::Done)
        }
    }
}

/// RFC 7662 §2.2. Of a token that is not active, nothing else is told.
fn introspection(authority: &Authority, live: Option<&LiveToken>) -> Object {
    let mut body = Object::new();
    body.set("active", live.is_some());
    let Some(live) = live else { return body };
    body.set("token_type", live.token_type.as_str());
    body.set("token_use", live.token_use.as_str());
    body.set("kind", live.kind);
    for (name, text) in [("sub", &live.subject), ("username", &live.username)] {
        if let Some(text) = text {
            body.set(name, text.as_str());
        }
    }
    if let Some(claims) = &live.claims {
        let id = authority.settings().simple_jwt.rules.jti_claim.as_deref().unwrap_or("jti");
        for (name, claim) in
            [("client_id", CLIENT_CLAIM), ("jti", id), ("iss", "iss"), ("aud", "aud"), ("scope", "scope")]
        {
            if let Some(value) = claims.get(claim) {
                body.set(name, value.clone());
            }
        }
    }
    let made = live.claims.as_ref().and_then(issued_at).or_else(|| live.issued.map(Timestamp::as_second));
    let ends = live.claims.as_ref().and_then(Claims::exp).or_else(|| live.ends.map(Timestamp::as_second));
    for (name, seconds) in [("iat", made), ("exp", ends)] {
        if let Some(seconds) = seconds {
            body.set(name, seconds);
        }
    }
    body
}

/// `iat` in whole seconds.
fn issued_at(claims: &Claims) -> Option<i64> {
    match claims.get("iat")? {
        Value::Integer(number) => number.to_string().parse().ok(),
        #[expect(clippy::cast_possible_truncation, reason = "a time that was accepted is within the calendar")]
        Value::Float(number) => Some(number.floor() as i64),
        _ => None,
    }
}
