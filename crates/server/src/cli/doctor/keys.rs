//! `SECRET_KEY` and the HMAC key: how strong they look, and whether they are one.

use std::collections::HashSet;
use std::path::Path;

use countersign_formats::jwt::HmacAlgorithm;
use toml::{Table, Value};
use zeroize::Zeroizing;

use super::Finding;
use crate::config::Config;

/// What `startproject` puts in front. Django 5.2 `SECRET_KEY_INSECURE_PREFIX`.
const INSECURE_PREFIX: &str = "django-insecure-";
/// Django 5.2 `SECRET_KEY_MIN_UNIQUE_CHARACTERS`.
const MIN_UNIQUE_CHARACTERS: usize = 5;

/// The keys as given. They are read again, since a [`Config`] does not keep their text.
struct Keys {
    secret_key: Option<Zeroizing<String>>,
    /// Absent where it is `SECRET_KEY`.
    signing_key: Option<Zeroizing<String>>,
}

pub(super) fn examine(file: Option<&Path>, config: &Config, findings: &mut Vec<Finding>) {
    let text = file.and_then(|file| std::fs::read_to_string(file).ok()).map(Zeroizing::new);
    let table: Table = text.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default();
    let keys = Keys {
        secret_key: given(&table, &["secret_key"]),
        signing_key: given(&table, &["simple_jwt", "signing_key"])
            .or_else(|| given(&table, &["rest_framework", "signing_key"])),
    };
    let jwt = &config.settings.simple_jwt;
    let hash_len = jwt.signing_key.algorithm().hmac().filter(|_| jwt.issues).map(HmacAlgorithm::hash_len);
    judge(&keys, hash_len, findings);
    readable_by_others(&table, findings);
}

/// Key files that other accounts of this machine can read.
#[cfg(unix)]
fn readable_by_others(table: &Table, findings: &mut Vec<Finding>) {
    use std::os::unix::fs::PermissionsExt as _;

    for path in [&["secret_key_file"][..], &["simple_jwt", "signing_key_file"]] {
        let Some(file) = setting(table, path) else { continue };
        let Ok(metadata) = std::fs::metadata(&file) else { continue };
        if metadata.permissions().mode() & 0o004 != 0 {
            findings.push(Finding::warning(
                "key-file-readable",
                format!("{file} can be read by every account of this machine"),
                format!("chmod o-rwx {file}"),
            ));
        }
    }
}

#[cfg(not(unix))]
fn readable_by_others(_: &Table, _: &mut Vec<Finding>) {}

/// A text setting by its dotted key; the environment stands over the configuration.
fn setting(table: &Table, path: &[&str]) -> Option<String> {
    let (last, parents) = path.split_last()?;
    let variable = format!("COUNTERSIGN_{}", path.join("__").to_uppercase());
    std::env::var(&variable).ok().or_else(|| {
        let table = parents.iter().try_fold(table, |table, name| table.get(*name)?.as_table())?;
        table.get(*last).and_then(Value::as_str).map(str::to_owned)
    })
}

/// A secret by its dotted key, or out of the file that `…_file` names; the environment stands over the configuration.
fn given(table: &Table, path: &[&str]) -> Option<Zeroizing<String>> {
    let (last, parents) = path.split_last()?;
    let file_key = format!("{last}_file");
    for name in [*last, file_key.as_str()] {
        match setting(table, &[parents, &[name]].concat()) {
            Some(text) if name == *last => return Some(Zeroizing::new(text)),
            Some(file) => {
                let text = Zeroizing::new(std::fs::read_to_string(file).ok()?);
                return Some(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()));
            }
            None => {}
        }
    }
    None
}

/// `hash_len` is that of the HMAC algorithm; `None` where tokens are signed with a private key.
fn judge(keys: &Keys, hash_len: Option<usize>, findings: &mut Vec<Finding>) {
    let Some(secret_key) = &keys.secret_key else { return };
    let signs = hash_len.is_some() && keys.signing_key.as_ref().is_none_or(|key| key == secret_key);
    let signing_key = keys.signing_key.as_ref().filter(|_| hash_len.is_some() && !signs);
    if signs {
        findings.push(Finding::note(
            "secret-key-signs-tokens",
            "SECRET_KEY is the HMAC key of the tokens as well: whoever learns it can make a token for any user",
            "Give SIMPLE_JWT a SIGNING_KEY of its own, here and in Django at once. Tokens given out before are void then.",
        ));
    }
    for (name, key, is_used) in [("SECRET_KEY", Some(secret_key), signs), ("the signing key", signing_key, true)] {
        let Some(key) = key else { continue };
        if let Some(wanted_bytes) = hash_len
            && is_used
            && key.len() < wanted_bytes
        {
            findings.push(Finding::warning(
                "signing-key-short",
                format!("{name} has {} bytes; HMAC wants {wanted_bytes} (RFC 7518 §3.2): a shorter one can be guessed from a token", key.len()),
                "Make a longer one, here and in Django at once. Tokens given out before are void then.",
            ));
        }
        if key.starts_with(INSECURE_PREFIX) {
            findings.push(Finding::warning(
                "secret-key-insecure",
                format!("{name} begins with \"{INSECURE_PREFIX}\": it was made by startproject and is likely in a repository"),
                "Make a new one, here and in Django at once. Tokens given out before are void then.",
            ));
        }
        let distinct = key.chars().collect::<HashSet<_>>().len();
        if distinct < MIN_UNIQUE_CHARACTERS {
            findings.push(Finding::warning(
                "secret-key-uniform",
                format!("{name} has {distinct} different characters; Django wants {MIN_UNIQUE_CHARACTERS}"),
                "Make a random one, here and in Django at once. Tokens given out before are void then.",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(secret_key: &str, signing_key: Option<&str>) -> Vec<&'static str> {
        let key = |text: &str| Zeroizing::new(text.to_owned());
        let keys = Keys { secret_key: Some(key(secret_key)), signing_key: signing_key.map(key) };
        let mut findings = Vec::new();
        judge(&keys, Some(32), &mut findings);
        assert!(findings.iter().all(|finding| !finding.found.contains(secret_key)), "{findings:?}");
        findings.iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn weak_keys_are_told_without_being_shown() {
        const GOOD: &str = "0123456789abcdefghijklmnopqrstuvwxyz0123456789";
        assert_eq!(ids(GOOD, Some("another-0123456789abcdefghijklmnopqrstuvwxyz")), Vec::<&str>::new());
        assert_eq!(ids(GOOD, None), ["secret-key-signs-tokens"]);
        assert_eq!(ids(GOOD, Some(GOOD)), ["secret-key-signs-tokens"]);
        assert_eq!(ids("xyzzyxyz", Some("another-0123456789abcdefghijklmnopqrstuvwxyz")), ["secret-key-uniform"]);
        assert_eq!(ids(GOOD, Some("abcdefgh")), ["signing-key-short"]);
        assert_eq!(ids(&"ab".repeat(30), None), ["secret-key-signs-tokens", "secret-key-uniform"]);
        assert_eq!(
            ids("django-insecure-0123456789abcdefghijklmnopq", None),
            ["secret-key-signs-tokens", "secret-key-insecure"]
        );
    }

    #[test]
    fn keys_are_found_in_tables_and_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        std::fs::write(&file, "from a file\r\n").expect("written");
        let text = format!("secret_key_file = {file:?}\n[simple_jwt]\nsigning_key = \"from the table\"\n");
        let table: Table = toml::from_str(&text).expect("a table");
        assert_eq!(given(&table, &["secret_key"]).as_deref().map(String::as_str), Some("from a file"));
        assert_eq!(
            given(&table, &["simple_jwt", "signing_key"]).as_deref().map(String::as_str),
            Some("from the table")
        );
        assert!(given(&table, &["rest_framework", "signing_key"]).is_none());
    }
}
