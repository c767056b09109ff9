//! `[claims]`: what tokens say of a user beyond SimpleJWT's claims.

use countersign::Settings;
use countersign::settings::{CLIENT_CLAIM, ClaimSource, DeclaredClaim};
use countersign_formats::json::{NonFinite, Object, Value, parse};

use super::ConfigError;
use super::source::Source;

/// Puts the declared claims in their place, by name.
pub(super) fn claims(source: &Source, settings: &mut Settings) -> Result<(), ConfigError> {
    for (name, raw) in &source.raw.claims {
        let key = format!("claims.{name}");
        if name.is_empty() || is_taken(settings, name) {
            return Err(source.error(&key, format!("\"{name}\" is taken; use a claim that no token has")));
        }
        let source_of = match (&raw.column, raw.from.as_deref(), &raw.value) {
            (Some(column), None, None) => ClaimSource::Column(column.clone()),
            (None, Some("groups"), None) => ClaimSource::Groups,
            (None, Some("permissions"), None) => ClaimSource::Permissions,
            (None, None, Some(value)) => ClaimSource::Fixed(
                json(value)
                    .ok_or_else(|| source.error(&key, "has a date or a number that JSON has not; write a text"))?,
            ),
            _ => {
                return Err(source.error(
                    &key,
                    "must be one of { column = \"a column of the user table\" }, { from = \"groups\" }, { from = \"permissions\" } \
                     and { value = … }",
                ));
            }
        };
        settings.claims.push(DeclaredClaim { name: name.clone(), source: source_of });
    }
    Ok(())
}

/// Whether tokens have a claim of this name already.
pub(super) fn is_taken(settings: &Settings, claim: &str) -> bool {
    let jwt = &settings.simple_jwt;
    let configured = [
        jwt.rules.jti_claim.as_deref(),
        jwt.rules.token_type_claim.as_deref(),
        Some(&*jwt.user_id_claim),
        Some(&*jwt.revoke_token_claim),
        Some(&*jwt.sliding_token_refresh_exp_claim),
    ];
    ["exp", "iat", "nbf", "iss", "aud", "sub", "jti"].contains(&claim)
        || configured.contains(&Some(claim))
        || (!settings.clients.is_empty() && claim == CLIENT_CLAIM)
        || settings.claims.iter().any(|declared| declared.name == claim)
}

fn json(value: &toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Boolean(value) => Value::from(*value),
        toml::Value::Float(number) if number.is_finite() => parse(&format!("{number:?}"), NonFinite::Refuse).ok()?,
        toml::Value::Float(_) | toml::Value::Datetime(_) => return None,
        toml::Value::Array(items) => Value::Array(items.iter().map(json).collect::<Option<_>>()?),
        toml::Value::Table(members) => {
            let mut object = Object::new();
            for (name, member) in members {
                object.set(name, json(member)?);
            }
            Value::Object(object)
        }
    })
}

#[cfg(test)]
mod tests {
    use countersign_formats::json::to_compact_ascii;

    use super::*;
    use crate::config::tests::read;

    #[test]
    fn every_source_has_its_form() {
        let config = read(
            "[claims]\nmail = { column = \"email\" }\ngroups = { from = \"groups\" }\nperms = { from = \"permissions\" }\n\
             tenant = { value = { name = \"acme\", tiers = [1, 2.5, true] } }\n",
        )
        .expect("accepted");
        let found: Vec<String> = config
            .settings
            .claims
            .iter()
            .map(|claim| match &claim.source {
                ClaimSource::Fixed(value) => format!("{} {}", claim.name, to_compact_ascii(value)),
                source => format!("{} {source:?}", claim.name),
            })
            .collect();
        assert_eq!(
            found,
            [
                "groups Groups",
                "mail Column(\"email\")",
                "perms Permissions",
                "tenant {\"name\":\"acme\",\"tiers\":[1,2.5,true]}"
            ]
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, expected) in [
            ("[claims]\nexp = { value = 1 }", "countersign.toml:4: claims.exp: \"exp\" is taken"),
            ("[claims]\nuser_id = { column = \"id\" }", "countersign.toml:4: claims.user_id: \"user_id\" is taken"),
            ("[claims]\na = { from = \"friends\" }", "countersign.toml:4: claims.a: must be one of"),
            ("[claims]\na = { column = \"b\", value = 1 }", "countersign.toml:4: claims.a: must be one of"),
            ("[claims]\na = {}", "countersign.toml:4: claims.a: must be one of"),
            ("[claims]\na = { value = 2026-01-01 }", "countersign.toml:4: claims.a: has a date"),
            ("[claims]\na = { colunm = \"b\" }", "countersign.toml:4: claims.a: unknown key \"colunm\"; did you mean"),
            (
                "[sessions]\nclaim = \"a\"\n[claims]\na = { value = 1 }",
                "countersign.toml:4: sessions.claim: \"a\" is taken",
            ),
        ] {
            let refusal = read(text).expect_err(text);
            assert!(refusal.starts_with(expected), "{refusal}");
        }
    }
}
