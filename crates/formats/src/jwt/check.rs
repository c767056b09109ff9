//! The claims: the checks of `PyJWT` 2.15 `PyJWT._validate_claims`, then those of `SimpleJWT` 5.5 `Token.verify`.

use jiff::Timestamp;

use super::jws;
use super::time::{self, NANOS, python_int};
use super::{Cause, Claims, Expected, Refusal, Rules, TokenType, VerifyingKey};
use crate::json::{Object, Value};

/// Takes a token apart and checks header, signature and claims, in the order of `SimpleJWT` 5.5 `TokenBackend.decode`:
/// envelope, algorithm, signature, payload, `iat`, `nbf`, `exp`, `iss`, `aud`, `sub`, `jti`. The algorithm is the key's; of
/// several keys, those whose algorithm the header names are tried. A token without `exp` passes here: [`check_token`]
/// refuses it.
///
/// **Differs:** tokens over [`Rules::max_len`] are refused, and an `exp` that makes the original crash (text, or beyond year
/// 9999) is invalid.
///
/// # Errors
/// [`Refusal::Invalid`] or [`Refusal::Expired`].
pub fn decode<K>(token: &[u8], keys: &K, rules: &Rules, now: Timestamp) -> Result<Claims, Refusal>
where
    K: AsRef<[VerifyingKey]> + ?Sized,
{
    decode_with(token, keys, rules, now).map(|(claims, _)| claims)
}

/// As [`decode`], and tells which of the keys the signature is of, by its place.
///
/// # Errors
/// As [`decode`].
pub fn decode_with<K>(token: &[u8], keys: &K, rules: &Rules, now: Timestamp) -> Result<(Claims, usize), Refusal>
where
    K: AsRef<[VerifyingKey]> + ?Sized,
{
    let (payload, key) = jws::open(token, keys.as_ref(), rules)?;
    let claims = jws::payload_object(&payload, rules)?;
    check_times(&claims, rules, now)?;
    check_issuer(&claims, rules)?;
    check_audience(&claims, rules)?;
    for name in ["sub", "jti"] {
        if matches!(claims.get(name), Some(value) if !matches!(value, Value::String(_))) {
            return Err(Cause::NotAString(name).into());
        }
    }
    Ok((Claims::from(claims), key))
}

/// What `SimpleJWT` 5.5 `Token.verify` demands of claims that [`decode`] returned: `exp`, an id, and the right type.
///
/// # Errors
/// [`Refusal::NoClaim`], [`Refusal::ClaimExpired`], [`Refusal::NoId`], [`Refusal::NoType`] or [`Refusal::WrongType`].
pub fn check_token(claims: &Claims, expected: TokenType, rules: &Rules, now: Timestamp) -> Result<(), Refusal> {
    check_claim_not_expired(claims, "exp", rules, now)?;
    if let Some(name) = &rules.jti_claim
        && !claims.contains(name)
    {
        return Err(Refusal::NoId);
    }
    match &rules.token_type_claim {
        Some(name) if expected != TokenType::Untyped => match claims.get(name) {
            None => Err(Refusal::NoType),
            Some(value) if value.as_str() == Some(expected.name()) => Ok(()),
            Some(_) => Err(Refusal::WrongType),
        },
        _ => Ok(()),
    }
}

/// Refuses claims whose time `name` is absent or has come: `SimpleJWT` 5.5 `Token.check_exp`, which sliding tokens also pass
/// with the claim of `SLIDING_TOKEN_REFRESH_EXP_CLAIM`. The moment itself is too late (RFC 7519 §4.1.4).
///
/// # Errors
/// [`Refusal::NoClaim`], [`Refusal::ClaimExpired`]; [`Refusal::Invalid`] for what is not a time (the original crashes).
pub fn check_claim_not_expired(claims: &Claims, name: &str, rules: &Rules, now: Timestamp) -> Result<(), Refusal> {
    let value = claims.get(name).ok_or_else(|| Refusal::NoClaim(name.to_owned()))?;
    let moment = time::instant_nanos(value).ok_or(Cause::OutOfRange("a time"))?;
    if moment <= time::nanos(now).saturating_sub(rules.leeway.as_nanos()) {
        return Err(Refusal::ClaimExpired(name.to_owned()));
    }
    Ok(())
}

fn check_times(claims: &Object, rules: &Rules, now: Timestamp) -> Result<(), Refusal> {
    let latest = time::nanos(now).saturating_add(rules.leeway.as_nanos());
    let earliest = time::nanos(now).saturating_sub(rules.leeway.as_nanos());
    for name in ["iat", "nbf"] {
        if let Some(value) = claims.get(name)
            && seconds(value, name, rules)?.saturating_mul(NANOS) > latest
        {
            return Err(Cause::Immature(name).into());
        }
    }
    let Some(value) = claims.get("exp") else {
        return Ok(());
    };
    if seconds(value, "exp", rules)?.saturating_mul(NANOS) <= earliest {
        return Err(Refusal::Expired);
    }
    match value {
        Value::String(_) => Err(Cause::NotANumber("exp").into()),
        _ if time::instant_nanos(value).is_none() => Err(Cause::OutOfRange("exp").into()),
        _ => Ok(()),
    }
}

/// A time in whole seconds, fractions cut off.
fn seconds(value: &Value, name: &'static str, rules: &Rules) -> Result<i128, Cause> {
    if rules.strict && !matches!(value, Value::Integer(_) | Value::Float(_)) {
        return Err(Cause::NotANumber(name));
    }
    python_int(value).ok_or(Cause::NotANumber(name))
}

fn check_issuer(claims: &Object, rules: &Rules) -> Result<(), Cause> {
    if rules.issuer == Expected::Anything {
        return Ok(());
    }
    match claims.get("iss").and_then(Value::as_str) {
        Some(issuer) if rules.issuer.allows(issuer) => Ok(()),
        _ => Err(Cause::Issuer),
    }
}

/// `aud` is a string, or a list of nothing but strings; one of them has to be expected, whole.
fn check_audience(claims: &Object, rules: &Rules) -> Result<(), Cause> {
    if rules.audience == Expected::Anything {
        return Ok(());
    }
    let allows = |audience: &Value| audience.as_str().is_some_and(|name| rules.audience.allows(name));
    let allowed = match claims.get("aud") {
        Some(Value::Array(audiences)) => {
            audiences.iter().all(|one| matches!(one, Value::String(_))) && audiences.iter().any(allows)
        }
        Some(audience @ Value::String(text)) => !text.is_empty() && allows(audience),
        _ => false,
    };
    if allowed { Ok(()) } else { Err(Cause::Audience) }
}
