//! ALGORITHM, `SIGNING_KEY`, `VERIFYING_KEY`, and the keys that are accepted beside them.

use std::path::Path;

use countersign_formats::jwt::{Algorithm, HmacAlgorithm, HmacSecret, KeySet, SigningKey, VerifyingKey};
use countersign_formats::key_encryption::KeyEncryptionKey;
use zeroize::Zeroizing;

use super::ConfigError;
use super::raw::RawAcceptedKey;
use super::resolve::one_of;
use super::resolve::timeout;
use super::source::Source;
use crate::jwk_url::JwkUrl;
use crate::ladder::LadderSettings;

/// What tokens are signed and checked with.
pub(super) struct Keys {
    pub signing: SigningKey,
    /// Whether `signing` is among those that are checked with. Where it is not, no tokens are given out.
    pub issues: bool,
    pub verifying: Vec<VerifyingKey>,
    /// Where further keys are fetched.
    pub jwk_url: Option<JwkUrl>,
}

pub(super) fn keys(source: &Source, secret_key: &str, warnings: &mut Vec<String>) -> Result<Keys, ConfigError> {
    let raw = &source.raw.simple_jwt;
    let algorithm = match raw.algorithm.as_deref() {
        None => HmacAlgorithm::Hs256.into(),
        Some(name) => algorithm(source, "simple_jwt.algorithm", name)?,
    };
    let jwk_url = jwk_url(source, algorithm, warnings)?;
    let mut keys = match algorithm.hmac() {
        Some(hmac) => shared_secret(source, hmac, secret_key, warnings)?,
        None => pair(source, algorithm, secret_key)?,
    };
    if jwk_url.is_some() {
        if keys.issues && keys.signing.kid().is_none() {
            return Err(source.error(
                "simple_jwt.key_id",
                "is missing: with jwk_url only tokens with a kid are accepted. Give the kid that signing_key has in the set, or remove \
                 signing_key to verify only",
            ));
        }
        // As in SimpleJWT, the fetched set stands in the place of VERIFYING_KEY.
        keys.verifying.clear();
    }
    for (index, raw) in raw.accepted_keys.iter().enumerate() {
        keys.verifying.extend(accepted(source, index, raw, warnings)?);
    }
    keys.jwk_url = jwk_url;
    if keys.verifying.is_empty() && keys.jwk_url.is_none() {
        return Err(source.error(
            "simple_jwt.signing_key",
            format!("is missing, and so is verifying_key; {algorithm} signs with a private key and verifies with its public one"),
        ));
    }
    Ok(keys)
}

/// `JWK_URL`: http or https, and not with HS…, whose secrets nobody publishes.
fn jwk_url(source: &Source, algorithm: Algorithm, warnings: &mut Vec<String>) -> Result<Option<JwkUrl>, ConfigError> {
    const KEY: &str = "simple_jwt.jwk_url";
    let Some(url) = source.raw.simple_jwt.jwk_url.as_deref().filter(|url| !url.is_empty()) else { return Ok(None) };
    if algorithm.is_hmac() {
        let problem = format!("belongs to algorithms with key pairs, and algorithm is {algorithm}; remove it");
        return Err(source.error(KEY, problem));
    }
    let uri: http::Uri = url.parse().map_err(|_| source.error(KEY, "is no address"))?;
    let is_local = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") => {
            if !is_local {
                warnings.push(format!("{KEY} is plain http: whoever can change what comes over it can forge tokens"));
            }
        }
        _ => return Err(source.error(KEY, "must begin with https:// (or http://)")),
    }
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(source.error(KEY, "must name a host, without user name or password"));
    }
    Ok(Some(JwkUrl { url: url.to_owned(), algorithm }))
}

/// `[keys]`.
pub(super) fn ladder(source: &Source) -> Result<LadderSettings, ConfigError> {
    let raw = &source.raw.keys;
    let given = one_of(source, "keys.encryption_key", raw.encryption_key.as_ref(), raw.encryption_key_file.as_deref())?;
    let encryption_key = match given {
        None => None,
        Some((name, text)) => Some(KeyEncryptionKey::parse(&text).map_err(|error| source.error(&name, error))?),
    };
    let reload = timeout(source, "keys.reload_interval", raw.reload_interval, 2)?;
    if reload > std::time::Duration::from_mins(1) {
        return Err(
            source.error("keys.reload_interval", "must be at most a minute, so that every node knows a key in time")
        );
    }
    Ok(LadderSettings { encryption_key: encryption_key.map(std::sync::Arc::new), reload })
}

fn algorithm(source: &Source, key: &str, name: &str) -> Result<Algorithm, ConfigError> {
    name.parse().map_err(|error| {
        source.error(
            key,
            format!("{error}; use HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, ES256K or EdDSA"),
        )
    })
}

fn shared_secret(
    source: &Source,
    algorithm: HmacAlgorithm,
    secret_key: &str,
    warnings: &mut Vec<String>,
) -> Result<Keys, ConfigError> {
    let raw = &source.raw.simple_jwt;
    for (key, is_given) in [
        ("simple_jwt.verifying_key", raw.verifying_key.as_ref().is_some_and(|key| !key.0.is_empty())),
        ("simple_jwt.verifying_key_file", raw.verifying_key_file.is_some()),
    ] {
        if is_given {
            let name = algorithm.name();
            return Err(source.error(
                key,
                format!("belongs to algorithms with key pairs, and algorithm is {name}, which verifies with signing_key; remove it"),
            ));
        }
    }
    let given = one_of(source, "simple_jwt.signing_key", raw.signing_key.as_ref(), raw.signing_key_file.as_deref())?;
    let (name, text) = given.unwrap_or_else(|| ("secret_key".to_owned(), Zeroizing::new(secret_key.to_owned())));
    let secret = secret(source, &name, algorithm, &text, warnings)?;
    let mut signing = SigningKey::hmac(algorithm, &secret);
    if let Some(kid) = key_id(source, "simple_jwt.key_id", raw.key_id.as_deref())? {
        signing = signing.named(kid);
    }
    Ok(Keys { verifying: vec![signing.verifying_key()], signing, issues: true, jwk_url: None })
}

/// RFC 7518 §3.2 wants as many bytes as the hash has. A deployment that is taken over may have fewer; a strict one may not.
fn secret(
    source: &Source,
    name: &str,
    algorithm: HmacAlgorithm,
    text: &str,
    warnings: &mut Vec<String>,
) -> Result<HmacSecret, ConfigError> {
    let secret = HmacSecret::new(text.as_bytes()).map_err(|error| source.error(name, error))?;
    if secret.is_short_for(algorithm) {
        let problem = format!(
            "is shorter than the {} bytes that {} asks for (RFC 7518 §3.2); whoever guesses it can forge tokens",
            algorithm.hash_len(),
            algorithm.name()
        );
        if source.raw.simple_jwt.strict == Some(true) {
            return Err(source.error(name, format!("{problem}; make a longer one, or take simple_jwt.strict out")));
        }
        warnings.push(format!("{name} {problem}"));
    }
    Ok(secret)
}

/// The private key, the public one, or both. A private key brings its public half along.
fn pair(source: &Source, algorithm: Algorithm, secret_key: &str) -> Result<Keys, ConfigError> {
    let raw = &source.raw.simple_jwt;
    let not_empty = |given: Option<(String, Zeroizing<String>)>| given.filter(|(_, text)| !text.trim().is_empty());
    let kid = key_id(source, "simple_jwt.key_id", raw.key_id.as_deref())?;
    let given = one_of(source, "simple_jwt.signing_key", raw.signing_key.as_ref(), raw.signing_key_file.as_deref())?;
    let signing = match not_empty(given) {
        None => None,
        Some((name, text)) => {
            let key = SigningKey::read(algorithm, &text).map_err(|error| source.error(&name, error))?;
            Some(match kid {
                Some(kid) => key.named(kid),
                None => key,
            })
        }
    };
    let given =
        one_of(source, "simple_jwt.verifying_key", raw.verifying_key.as_ref(), raw.verifying_key_file.as_deref())?;
    let verifying = match not_empty(given) {
        None => None,
        Some((name, text)) => {
            let key = VerifyingKey::read(algorithm, &text).map_err(|error| source.error(&name, error))?;
            if signing.as_ref().is_some_and(|signing| !key.belongs_to(signing)) {
                return Err(source.error(
                    &name,
                    "is not the public half of signing_key: tokens given out would be refused. Give its public half, or remove this key",
                ));
            }
            Some(match kid {
                Some(kid) => key.named(kid),
                None => key,
            })
        }
    };
    let issues = signing.is_some();
    let verifying = verifying.or_else(|| signing.as_ref().map(SigningKey::verifying_key)).into_iter().collect();
    // As in SimpleJWT, SIGNING_KEY is SECRET_KEY unless it is given. What it signed nobody would accept.
    let signing = if let Some(signing) = signing {
        signing
    } else {
        let secret = HmacSecret::new(secret_key.as_bytes()).map_err(|error| source.error("secret_key", error))?;
        SigningKey::hmac(HmacAlgorithm::Hs256, &secret)
    };
    Ok(Keys { signing, issues, verifying, jwk_url: None })
}

/// One of `accepted_keys`: a key, or a file with a key set.
fn accepted(
    source: &Source,
    index: usize,
    raw: &RawAcceptedKey,
    warnings: &mut Vec<String>,
) -> Result<Vec<VerifyingKey>, ConfigError> {
    let key = |name: &str| format!("simple_jwt.accepted_keys.{index}.{name}");
    let chosen = match raw.algorithm.as_deref() {
        None => None,
        Some(name) => Some(algorithm(source, &key("algorithm"), name)?),
    };
    let given = one_of(source, &key("key"), raw.key.as_ref(), raw.key_file.as_deref())?;
    match (given, raw.key_set_file.as_deref()) {
        (None, Some(file)) => key_set(source, &key("key_set_file"), file, chosen, warnings),
        (Some((name, text)), None) => {
            let Some(chosen) = chosen else {
                return Err(source.error(&key("algorithm"), "is missing; name the algorithm that the key is for"));
            };
            let accepted = match chosen.hmac() {
                Some(hmac) => VerifyingKey::hmac(hmac, &secret(source, &name, hmac, &text, warnings)?),
                None => VerifyingKey::read(chosen, &text).map_err(|error| source.error(&name, error))?,
            };
            Ok(vec![match key_id(source, &key("key_id"), raw.key_id.as_deref())? {
                Some(kid) => accepted.named(kid),
                None => accepted,
            }])
        }
        _ => Err(source.error(&key("key"), "one of key, key_file and key_set_file must be given")),
    }
}

fn key_set(
    source: &Source,
    name: &str,
    file: &Path,
    algorithm: Option<Algorithm>,
    warnings: &mut Vec<String>,
) -> Result<Vec<VerifyingKey>, ConfigError> {
    let text = std::fs::read_to_string(file)
        .map(Zeroizing::new)
        .map_err(|error| source.error(name, format!("{} cannot be read: {error}", file.display())))?;
    let set = KeySet::read(&text, algorithm).map_err(|error| source.error(name, error))?;
    for (kid, error) in set.skipped {
        let kid = kid.map_or_else(|| "a key without a kid".to_owned(), |kid| format!("the key {kid:?}"));
        warnings.push(format!("{name}: {kid} is left out: it {error}"));
    }
    if set.keys.is_empty() {
        return Err(source.error(name, "has no key that tokens can be verified with"));
    }
    Ok(set.keys)
}

/// Letters, digits and what base64url and host names have: a `kid` is only ever compared.
fn key_id<'s>(source: &Source, name: &str, given: Option<&'s str>) -> Result<Option<&'s str>, ConfigError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    match given {
        Some(kid) if kid.is_empty() || kid.len() > 128 || !kid.bytes().all(fits) => {
            Err(source.error(name, "must be 1 to 128 letters, digits, '-', '_', '.' or ':'"))
        }
        given => Ok(given),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const BASE: &str = "secret_key = \"0123456789012345678901234567890123456789\"\ndatabase_url = \"sqlite:x.db\"\n";

    macro_rules! key_file {
        ($name:literal) => {
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/keys/", $name)
        };
    }

    fn read(rest: &str) -> Result<Config, String> {
        Config::from_text(&format!("{BASE}[simple_jwt]\n{rest}")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_private_key_brings_its_public_half() {
        let private = concat!("algorithm = \"ES256\"\nsigning_key_file = \"", key_file!("p256.sec1.pem"), "\"\n");
        for rest in ["", concat!("verifying_key_file = \"", key_file!("p256.spki.pem"), "\"\n")] {
            let jwt = read(&format!("{private}{rest}")).expect("accepted").settings.simple_jwt;
            assert!(jwt.issues && jwt.verifying_keys.len() == 1);
            assert!(jwt.verifying_keys[0].belongs_to(&jwt.signing_key));
        }
        let jwt = read(&format!("{private}key_id = \"2026-11\"\n")).expect("accepted").settings.simple_jwt;
        assert_eq!((jwt.signing_key.kid(), jwt.verifying_keys[0].kid()), (Some("2026-11"), Some("2026-11")));
    }

    #[test]
    fn a_public_key_alone_only_verifies() {
        let config =
            read(concat!("algorithm = \"EdDSA\"\nverifying_key_file = \"", key_file!("ed25519.ssh.pub"), "\"\n"));
        let config = config.expect("accepted");
        assert!(!config.settings.simple_jwt.issues);
        assert!(config.resources.iter().all(|resource| !resource.path.starts_with("/api/token/r")), "no refresh");
        let refusal = read(concat!(
            "algorithm = \"EdDSA\"\nverifying_key_file = \"",
            key_file!("ed25519.ssh.pub"),
            "\"\n[paths]\ntoken_obtain_pair = \"/login/\"\n"
        ));
        let refusal = refusal.expect_err("cannot give out tokens");
        assert!(refusal.contains("countersign.toml:7: paths.token_obtain_pair: gives out tokens"), "{refusal}");
    }

    #[test]
    fn further_keys_are_accepted() {
        let keys = concat!(
            "accepted_keys = [\n  { algorithm = \"RS256\", key_file = \"",
            key_file!("rsa.spki.pem"),
            "\" },\n  { algorithm = \"HS512\", key = \"0123456789012345678901234567890123456789012345678901234567890123\", key_id = \"old\" },\n]\n"
        );
        let jwt = read(keys).expect("accepted").settings.simple_jwt;
        let names: Vec<_> = jwt.verifying_keys.iter().map(|key| (key.algorithm().name(), key.kid())).collect();
        assert_eq!(names, [("HS256", None), ("RS256", None), ("HS512", Some("old"))]);
    }

    #[test]
    fn j9_unfit_keys_are_refused_with_line_and_fix() {
        for (text, expected) in [
            (
                concat!("algorithm = \"ES256\"\nsigning_key_file = \"", key_file!("p384.sec1.pem"), "\"").to_owned(),
                "countersign.toml:5: simple_jwt.signing_key_file: is an EC key on P-384, and ES256 takes an EC key on P-256",
            ),
            (
                concat!("algorithm = \"RS256\"\nsigning_key_file = \"", key_file!("rsa1024.pkcs8.pem"), "\"").to_owned(),
                "countersign.toml:5: simple_jwt.signing_key_file: is an RSA key of 1024 bits; 2048 to 8192 are taken",
            ),
            (
                concat!("algorithm = \"RS256\"\nverifying_key_file = \"", key_file!("rsa.certificate.pem"), "\"").to_owned(),
                "countersign.toml:5: simple_jwt.verifying_key_file: is a certificate; take the key out of it",
            ),
            (
                concat!(
                    "algorithm = \"ES256\"\nsigning_key_file = \"",
                    key_file!("p256.sec1.pem"),
                    "\"\nverifying_key = '{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY\",",
                    "\"y\":\"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw\"}'"
                )
                .to_owned(),
                "countersign.toml:6: simple_jwt.verifying_key: is not the public half of signing_key",
            ),
            (
                "algorithm = \"EdDSA\"".to_owned(),
                "countersign.toml:3: simple_jwt.signing_key: is missing, and so is verifying_key; EdDSA signs",
            ),
            (
                "algorithm = \"none\"".to_owned(),
                "countersign.toml:4: simple_jwt.algorithm: unrecognized algorithm type \"none\"; use HS256,",
            ),
            (
                "verifying_key = \"x\"".to_owned(),
                "countersign.toml:4: simple_jwt.verifying_key: belongs to algorithms with key pairs, and algorithm is HS256",
            ),
            (
                "signing_key = \"short\"\nstrict = true".to_owned(),
                "countersign.toml:4: simple_jwt.signing_key: is shorter than the 32 bytes",
            ),
            (
                "accepted_keys = [{ key = \"x\" }]".to_owned(),
                "countersign.toml:4: simple_jwt.accepted_keys.0.algorithm: is missing",
            ),
            (
                "key_id = \"a b\"".to_owned(),
                "countersign.toml:4: simple_jwt.key_id: must be 1 to 128 letters",
            ),
        ] {
            let refusal = read(&text).expect_err(&text);
            assert!(refusal.starts_with(expected), "{refusal}");
        }
    }
}
