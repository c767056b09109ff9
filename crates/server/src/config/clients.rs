//! `[[clients]]`: the registered clients.

use std::collections::HashSet;

use countersign::RegisteredClient;
use countersign::settings::MOST_SECRETS;
use countersign_formats::client_secret::SecretDigest;
use jiff::SignedDuration;

use super::ConfigError;
use super::duration::Length;
use super::raw::OneOrMany;
use super::resolve::LONGEST_LIFETIME;
use super::source::Source;

/// Characters of an id.
const LONGEST_ID: usize = 100;

/// Checks the tables.
pub(super) fn clients(source: &Source) -> Result<Vec<RegisteredClient>, ConfigError> {
    let mut ids = HashSet::new();
    let mut clients = Vec::new();
    for (index, raw) in source.raw.clients.iter().enumerate() {
        let key = |name: &str| format!("clients.{index}.{name}");
        let id = raw.id.as_deref().unwrap_or_default();
        if !is_id(id) {
            let problem = "must be 1 to 100 letters, digits and -._~, which need no escape in any form";
            return Err(source.error(&key("id"), problem));
        }
        if !ids.insert(id) {
            return Err(source.error(&key("id"), format!("\"{id}\" is registered twice")));
        }
        let mut client = RegisteredClient::new(id);
        for text in raw.secret_sha256.clone().map(OneOrMany::into_vec).unwrap_or_default() {
            let digest = SecretDigest::parse(&text).map_err(|error| {
                let fix = format!("{error}; make one with `countersign clients secret {id}`");
                source.error(&key("secret_sha256"), fix)
            })?;
            client.secrets.push(digest);
        }
        if client.secrets.len() > MOST_SECRETS {
            return Err(source.error(&key("secret_sha256"), "must be at most two: the old one and the new one"));
        }
        for right in raw.may.iter().flatten() {
            match right.as_str() {
                "introspect" => client.may_introspect = true,
                "revoke" => client.may_revoke = true,
                other => {
                    let problem = format!("\"{other}\" is neither \"introspect\" nor \"revoke\"");
                    return Err(source.error(&key("may"), problem));
                }
            }
        }
        if client.secrets.is_empty() && (client.may_introspect || client.may_revoke) {
            let problem = format!(
                "needs a secret to prove it by; make one with `countersign clients secret {id}`, or leave it out"
            );
            return Err(source.error(&key("may"), problem));
        }
        client.access_lifetime = lifetime(source, &key("access_lifetime"), raw.access_lifetime)?;
        client.refresh_lifetime = lifetime(source, &key("refresh_lifetime"), raw.refresh_lifetime)?;
        clients.push(client);
    }
    Ok(clients)
}

/// The unreserved characters of RFC 3986: clients differ in what they escape of the others (RFC 6749 §2.3.1).
fn is_id(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(is_plain)
}

fn lifetime(source: &Source, key: &str, given: Option<Length>) -> Result<Option<SignedDuration>, ConfigError> {
    match given {
        None => Ok(None),
        Some(length) if length.0 <= SignedDuration::ZERO => Err(source.error(key, "must be longer than nothing")),
        Some(length) if length.0 > LONGEST_LIFETIME => Err(source.error(key, "must be at most 1000 years")),
        Some(length) => Ok(Some(length.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::read;

    /// The SHA-256 of "secret".
    const DIGEST: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    #[test]
    fn every_key_has_its_place() {
        let text = format!(
            "[[clients]]\nid = \"orders.api\"\nsecret_sha256 = \"{DIGEST}\"\nmay = [\"introspect\", \"revoke\"]\n\
             [[clients]]\nid = \"app\"\naccess_lifetime = \"1h\"\nrefresh_lifetime = \"90d\"\n\
             [[clients]]\nid = \"billing\"\nsecret_sha256 = [\"{DIGEST}\", \"{}\"]\nmay = []\n",
            DIGEST.replace('2', "3")
        );
        let clients = read(&text).expect("accepted").settings.clients;
        let [api, app, billing] = &clients[..] else { panic!("three") };
        assert_eq!((&*api.id, api.secrets.len(), api.may_introspect, api.may_revoke), ("orders.api", 1, true, true));
        assert_eq!(api.secrets, [SecretDigest::of("secret")]);
        assert_eq!((api.access_lifetime, app.secrets.len()), (None, 0));
        assert_eq!(app.access_lifetime, Some(SignedDuration::from_hours(1)));
        assert_eq!(app.refresh_lifetime, Some(SignedDuration::from_hours(2160)));
        assert_eq!((billing.secrets.len(), billing.may_introspect, billing.may_revoke), (2, false, false));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let with = |more: &str| format!("[[clients]]\nid = \"a\"\n{more}");
        let of_three = format!("secret_sha256 = [\"{DIGEST}\", \"{DIGEST}\", \"{DIGEST}\"]");
        for (text, expected) in [
            ("[[clients]]\nmay = []".to_owned(), "countersign.toml:3: clients.0.id: must be 1 to 100 letters"),
            ("[[clients]]\nid = \"a b\"".to_owned(), "countersign.toml:4: clients.0.id: must be 1 to 100 letters"),
            ("[[clients]]\nid = \"a:b\"".to_owned(), "countersign.toml:4: clients.0.id: must be 1 to 100 letters"),
            (with("[[clients]]\nid = \"a\""), "countersign.toml:6: clients.1.id: \"a\" is registered twice"),
            (
                with("secret_sha256 = \"secret\""),
                "countersign.toml:5: clients.0.secret_sha256: must be the SHA-256 of a secret as 64 hex digits; make one with \
                 `countersign clients secret a`",
            ),
            (with(&of_three), "countersign.toml:5: clients.0.secret_sha256: must be at most two"),
            (with("may = [\"read\"]"), "countersign.toml:5: clients.0.may: \"read\" is neither"),
            (with("may = [\"revoke\"]"), "countersign.toml:5: clients.0.may: needs a secret to prove it by"),
            (with("access_lifetime = 0"), "countersign.toml:5: clients.0.access_lifetime: must be longer than nothing"),
            (with("refresh_lifetime = \"400000d\""), "countersign.toml:5: clients.0.refresh_lifetime: must be at most"),
            (with("secret = \"x\""), "countersign.toml:5: clients.secret: unknown key \"secret\""),
            (
                with("[claims]\nclient_id = { value = 1 }"),
                "countersign.toml:6: claims.client_id: \"client_id\" is taken",
            ),
            (with("[sessions]\nclaim = \"client_id\""), "countersign.toml:6: sessions.claim: \"client_id\" is taken"),
            (with("[paths]\nintrospect = \"/i/\""), "countersign.toml:6: paths.introspect: no client may introspect"),
            (with("[paths]\nrevoke = \"/r/\""), "countersign.toml:6: paths.revoke: no client may revoke"),
        ] {
            let refusal = read(&text).expect_err(&text);
            assert!(refusal.starts_with(expected), "{refusal}");
        }
    }
}
