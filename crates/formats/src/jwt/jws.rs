//! The envelope: compact JWS (RFC 7515 §7.1) as `PyJWT` 2.15 `PyJWS` reads and writes it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Cause, Rules, SigningKey, VerifyingKey};
use crate::json::{self, LoadError, NonFinite, Object, Value};
use crate::scan;

const HEADER: &str = "header";
const PAYLOAD: &str = "payload";
const SIGNATURE: &str = "signature";

/// Bytes of the longest signature that is not RSA's, ES512's: those are decoded without an allocation.
const LONGEST_SIGNATURE: usize = 132;

/// Signs claims as they stand. The header is exactly `{"alg":"…","typ":"JWT"}`; the payload compact ASCII JSON.
#[must_use]
pub fn sign(claims: &Object, key: &SigningKey) -> String {
    let payload = json::object_to_compact_ascii(claims);
    let mut token = String::with_capacity(key.header().len() + payload.len() * 4 / 3 + 96);
    token.push_str(key.header());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key.signature(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

/// What the signature covers: the text before the last dot. Caches key on this (or its digest) and never on the whole
/// token, whose signature can be written with and without padding.
pub fn signed_part(token: &[u8]) -> Option<&[u8]> {
    let dot = token.iter().rposition(|&byte| byte == b'.')?;
    Some(&token[..dot])
}

/// Steps 1 to 3: takes the envelope apart, checks header and signature, and returns the payload's bytes and the key's place.
pub(super) fn open(token: &[u8], keys: &[VerifyingKey], rules: &Rules) -> Result<(Vec<u8>, usize), Cause> {
    if token.len() > rules.max_len {
        return Err(Cause::TooLong(rules.max_len));
    }
    let (header, rest) = at_dot(token).ok_or(Cause::Parts)?;
    let (payload, signature) = at_dot(rest).ok_or(Cause::Parts)?;
    if at_dot(signature).is_some() {
        return Err(Cause::Parts);
    }
    let signed = &token[..header.len() + 1 + payload.len()];
    let bare = bare_part(signature, SIGNATURE, rules)?;
    let mut longest = [0; LONGEST_SIGNATURE];
    let longer;
    let signature = if base64::decoded_len_estimate(bare.len()) <= longest.len() {
        let length = URL_SAFE_NO_PAD.decode_slice(bare, &mut longest).map_err(|_| Cause::Base64(SIGNATURE))?;
        &longest[..length]
    } else {
        longer = decoded(bare, SIGNATURE)?;
        &longer
    };
    // Nearly always the header is one that some key's tokens have: nothing in it needs reading then.
    let key = if let Some(usual) = keys.iter().find(|key| key.usual_header().as_bytes() == header) {
        verify(signed, signature, keys, usual.algorithm().name(), usual.kid())?
    } else {
        let header = check_header(&unwrap_part(header, HEADER, rules)?, rules)?;
        let name = |member| header.get(member).and_then(Value::as_str);
        verify(signed, signature, keys, name("alg").ok_or(Cause::Algorithm)?, name("kid"))?
    };
    Ok((unwrap_part(payload, PAYLOAD, rules)?, key))
}

/// What stands before and after the first full stop.
fn at_dot(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = scan::position(text, |byte| byte == b'.')?;
    Some((&text[..dot], &text[dot + 1..]))
}

/// Step 4: the payload's members.
pub(super) fn payload_object(payload: &[u8], rules: &Rules) -> Result<Object, Cause> {
    json_object(payload, PAYLOAD, rules)
}

/// Tries the keys whose algorithm is `algorithm` and whose name is not another than `kid`; the place of the one that fits.
fn verify(
    signed: &[u8],
    signature: &[u8],
    keys: &[VerifyingKey],
    algorithm: &str,
    kid: Option<&str>,
) -> Result<usize, Cause> {
    let mut refusal = Cause::Algorithm;
    for (place, key) in keys.iter().enumerate().filter(|(_, key)| key.fits(algorithm, kid)) {
        if key.verifies(signed, signature) {
            return Ok(place);
        }
        refusal = Cause::Signature(key.algorithm());
    }
    Err(refusal)
}

/// Decodes base64url: alphabet, length and stray bits are strict; padding as [`bare_part`] has it.
fn unwrap_part(part: &[u8], name: &'static str, rules: &Rules) -> Result<Vec<u8>, Cause> {
    decoded(bare_part(part, name, rules)?, name)
}

fn decoded(bare: &[u8], name: &'static str) -> Result<Vec<u8>, Cause> {
    URL_SAFE_NO_PAD.decode(bare).map_err(|_| Cause::Base64(name))
}

/// A part without its `=` padding, which passes when it is exact, unless the rules are strict (RFC 7515 §2 has none).
fn bare_part<'t>(part: &'t [u8], name: &'static str, rules: &Rules) -> Result<&'t [u8], Cause> {
    let mut bare = part;
    while let [rest @ .., b'='] = bare {
        bare = rest;
    }
    match part.len() - bare.len() {
        0 => {}
        1 | 2 if rules.strict => return Err(Cause::Padded(name)),
        1 | 2 if part.len().is_multiple_of(4) => {}
        _ => return Err(Cause::Base64(name)),
    }
    Ok(bare)
}

/// Checks a header and returns its members. Those that carry keys or say where to fetch them (`jwk`, `jku`, `x5u`, `x5c`) are not
/// looked at.
fn check_header(header: &[u8], rules: &Rules) -> Result<Object, Cause> {
    let header = json_object(header, HEADER, rules)?;
    if matches!(header.get("kid"), Some(kid) if !matches!(kid, Value::String(_))) {
        return Err(Cause::KeyId);
    }
    if header.get("b64") == Some(&Value::Bool(false)) {
        return Err(Cause::Unencoded);
    }
    if let Some(critical) = header.get("crit") {
        check_critical(critical, &header)?;
    }
    if rules.strict && header.contains("zip") {
        return Err(Cause::Compressed);
    }
    Ok(header)
}

/// `crit` is a list, not empty, of extensions that are known and present; the only one known is `b64`.
fn check_critical(critical: &Value, header: &Object) -> Result<(), Cause> {
    match critical {
        Value::Array(names)
            if !names.is_empty() && names.iter().all(|name| name.as_str() == Some("b64")) && header.contains("b64") =>
        {
            Ok(())
        }
        _ => Err(Cause::Critical),
    }
}

fn json_object(bytes: &[u8], name: &'static str, rules: &Rules) -> Result<Object, Cause> {
    let value = if rules.strict {
        let text = std::str::from_utf8(bytes).map_err(|_| Cause::NotUtf8(name))?;
        json::parse(text, NonFinite::Refuse).map_err(LoadError::from)
    } else {
        json::parse_bytes(bytes, NonFinite::Accept)
    };
    let value = value.map_err(|error| Cause::Json(name, error))?;
    if rules.strict && repeats_a_name(&value) {
        return Err(Cause::RepeatedName(name));
    }
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(Cause::NotObject(name)),
    }
}

fn repeats_a_name(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.had_duplicates() || members.iter().any(|(_, member)| repeats_a_name(member)),
        Value::Array(items) => items.iter().any(repeats_a_name),
        _ => false,
    }
}
