//! `session_data` of Django: as it comes, and any bytes under a right signature.
//!
//! First byte of the input: `s`, the rest is a stored session; `z`, it is compressed, signed and read; anything else, it is signed
//! and read. `{SESSION}` stands for a session of Django's making.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_formats::django_session::{MAX_SESSION_BYTES, SessionLogin};
use countersign_formats::django_signing::{SecretKeys, salted_hmac};

use super::{Target, fill_in};

pub(super) const TARGET: Target = Target {
    name: "session",
    check,
    words: &[
        "{SESSION}",
        ":",
        "::",
        ".",
        "=",
        "\"_auth_user_id\":\"1\"",
        "\"_auth_user_backend\":\"b\"",
        "\"_auth_user_hash\":\"h\"",
        "\"_csrftoken\":",
        "null",
        "{",
        "}",
        "gASV",
        "1uQowS",
        "é",
    ],
};

const SECRET: &str = "compat-reference-secret-key-0123456789-abcdefghijklmnopqrstuv";
const SALT: &str = "django.contrib.sessions.SessionStoresigner";
const DATA: &[u8] = br#"{"_auth_user_id":"1","_auth_user_backend":"b","_auth_user_hash":"h"}"#;

fn check(data: &[u8]) {
    let data = fill_in(data, &[("{SESSION}", &sign(&URL_SAFE_NO_PAD.encode(DATA)))]);
    let Some((kind, rest)) = data.split_first() else { return };
    let stored = match kind {
        b's' => String::from_utf8_lossy(rest).into_owned(),
        b'z' => {
            let compressed = miniz_oxide::deflate::compress_to_vec_zlib(rest, 6);
            sign(&format!(".{}", URL_SAFE_NO_PAD.encode(compressed)))
        }
        _ => sign(&URL_SAFE_NO_PAD.encode(rest)),
    };
    let keys = SecretKeys::new(SECRET, &[]);
    let login = SessionLogin::read(&keys, &stored);
    let foreign = SecretKeys::new("another", &["and another"]);
    assert!(SessionLogin::read(&foreign, &stored).is_none(), "a foreign signature is accepted");
    let Some(login) = login else { return };
    assert!(stored.len() <= MAX_SESSION_BYTES);
    let (value, signature) = stored.rsplit_once(':').expect("a signature");
    assert_eq!(signature, tag(value), "a wrong signature is accepted");
    let again = SessionLogin::read(&SecretKeys::new("newer", &[SECRET]), &stored).expect("read by a fallback");
    assert_eq!((&again.user_id, &again.backend), (&login.user_id, &login.backend));
    assert!(!login.is_of_password(&keys, "no password"), "a hash of nobody's");
    let says_hash = |text: &dyn std::fmt::Debug| format!("{text:?}").contains("_auth_user_hash");
    assert!(!says_hash(&login) || says_hash(&(&login.user_id, &login.backend)), "more than who it is");
}

fn sign(encoded: &str) -> String {
    let value = format!("{encoded}:1uQowS");
    let tag = tag(&value);
    format!("{value}:{tag}")
}

fn tag(value: &str) -> String {
    URL_SAFE_NO_PAD.encode(salted_hmac(SALT, value.as_bytes(), SECRET.as_bytes()))
}
