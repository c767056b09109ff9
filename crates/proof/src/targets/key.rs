//! Keys out of PEM, OpenSSH lines, JSON web keys and key sets: what is read is one key in every form it is written in, shows no
//! private part, opens what it signs, and is never taken for a shared secret.

use countersign_formats::json::{Object, object_to_compact_ascii};
use countersign_formats::jwt::{Algorithm, HmacSecret, KeySet, Rules, SigningKey, VerifyingKey, decode, sign};
use jiff::Timestamp;

use super::Target;

pub(super) const TARGET: Target = Target {
    name: "key",
    check,
    words: &[
        "-----BEGIN PUBLIC KEY-----\n",
        "-----END PUBLIC KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n",
        "-----END PRIVATE KEY-----\n",
        "-----BEGIN RSA PUBLIC KEY-----\n",
        "-----BEGIN EC PRIVATE KEY-----\n",
        "ssh-rsa ",
        "ssh-ed25519 ",
        "ecdsa-sha2-nistp256 ",
        "{\"keys\":[",
        "]}",
        "\"kty\":\"OKP\",",
        "\"kty\":\"EC\",",
        "\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\",",
        "\"crv\":\"Ed25519\",",
        "\"crv\":\"P-256\",",
        "\"alg\":\"HS256\",",
        "\"alg\":\"ES256\",",
        "\"use\":\"enc\",",
        "\"key_ops\":[\"verify\"],",
        "\"kid\":\"a\",",
        "\"x\":\"",
        "\"d\":\"",
        "AAAA",
        "MII",
        "=",
        "\r\n",
        ",",
    ],
};

/// One for each kind of key, and of those of RSA one for each padding.
const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::Rs256,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Es256K,
    Algorithm::EdDsa,
    Algorithm::Hmac(countersign_formats::jwt::HmacAlgorithm::Hs256),
];

fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let is_no_secret = || assert!(HmacSecret::new(text).is_err(), "a key is taken for a secret");
    for algorithm in ALGORITHMS {
        match VerifyingKey::read(algorithm, text) {
            Ok(key) => {
                assert!(!algorithm.is_hmac(), "a secret was read as a public key");
                is_no_secret();
                check_public(&key, algorithm);
            }
            Err(error) => assert!(error.to_string().len() <= 200 + text.len()),
        }
        if let Ok(key) = SigningKey::read(algorithm, text) {
            is_no_secret();
            assert!(format!("{key:?}").len() < 200, "more than its algorithm is shown");
            check_public(&key.verifying_key(), algorithm);
            opens_what_it_signs(&key);
        }
    }
    for default in [None, Some(Algorithm::Rs256), ALGORITHMS.last().copied()] {
        let Ok(set) = KeySet::read(text, default) else { continue };
        assert!(set.keys.len() + set.skipped.len() <= 64);
        let secrets = set.keys.iter().filter(|key| key.algorithm().is_hmac()).count();
        assert!(secrets == 0 || secrets == set.keys.len(), "secrets beside public keys");
        for (place, key) in set.keys.iter().enumerate() {
            check_public(key, key.algorithm());
            let twin = |other: &VerifyingKey| {
                key.kid().is_some() && other.kid() == key.kid() && other.algorithm() == key.algorithm()
            };
            assert!(!set.keys[..place].iter().any(twin), "two keys of one name");
        }
    }
}

/// A public key is the same in every form, and none of them has a private part; a shared secret has no public form.
fn check_public(key: &VerifyingKey, algorithm: Algorithm) {
    assert_eq!(key.algorithm(), algorithm);
    let (Some(jwk), Some(pem), Some(thumbprint)) = (key.to_public_jwk(), key.to_pem(), key.thumbprint()) else {
        assert!(algorithm.is_hmac() && key.to_public_jwk().is_none() && key.to_pem().is_none());
        return;
    };
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert!(!jwk.contains(name), "{name} is published");
    }
    for text in [object_to_compact_ascii(&jwk), pem] {
        let again = VerifyingKey::read(algorithm, &text).unwrap_or_else(|error| panic!("{text} {error}"));
        assert_eq!(again.thumbprint().as_deref(), Some(thumbprint.as_str()));
        assert!(SigningKey::read(algorithm, &text).is_err(), "a public key signs");
    }
}

fn opens_what_it_signs(key: &SigningKey) {
    let claims: Object = [("token_type", "access".into()), ("exp", 1_750_000_300.into())].into_iter().collect();
    let token = sign(&claims, key);
    let now = Timestamp::from_second(1_750_000_000).expect("a moment");
    let rules = Rules { jti_claim: None, ..Rules::default() };
    assert!(decode(token.as_bytes(), &key.verifying_key(), &rules, now).is_ok(), "{}", key.algorithm());
}
