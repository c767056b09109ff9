//! Keys in all their forms, and what binds them to an algorithm.

use base64::Engine as _;

use super::*;

macro_rules! key_file {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/keys/", $name))
    };
}

/// One private key of each kind, in its text forms, then its public ones; and the algorithms that take it.
fn kinds() -> [(Vec<&'static str>, Vec<&'static str>, Vec<Algorithm>); 6] {
    use Algorithm::{EdDsa, Es256, Es256K, Es384, Es512, Es521, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    [
        (
            vec![key_file!("rsa.pkcs8.pem"), key_file!("rsa.pkcs1.pem"), key_file!("rsa.private.jwk.json")],
            vec![
                key_file!("rsa.spki.pem"),
                key_file!("rsa.public-pkcs1.pem"),
                key_file!("rsa.ssh.pub"),
                key_file!("rsa.public.jwk.json"),
            ],
            vec![Rs256, Rs384, Rs512, Ps256, Ps384, Ps512],
        ),
        (
            vec![key_file!("p256.pkcs8.pem"), key_file!("p256.sec1.pem"), key_file!("p256.private.jwk.json")],
            vec![key_file!("p256.spki.pem"), key_file!("p256.ssh.pub"), key_file!("p256.public.jwk.json")],
            vec![Es256],
        ),
        (
            vec![key_file!("p384.pkcs8.pem"), key_file!("p384.sec1.pem"), key_file!("p384.private.jwk.json")],
            vec![key_file!("p384.spki.pem"), key_file!("p384.ssh.pub"), key_file!("p384.public.jwk.json")],
            vec![Es384],
        ),
        (
            vec![key_file!("p521.pkcs8.pem"), key_file!("p521.sec1.pem"), key_file!("p521.private.jwk.json")],
            vec![key_file!("p521.spki.pem"), key_file!("p521.ssh.pub"), key_file!("p521.public.jwk.json")],
            vec![Es512, Es521],
        ),
        (
            vec![
                key_file!("secp256k1.pkcs8.pem"),
                key_file!("secp256k1.sec1.pem"),
                key_file!("secp256k1.private.jwk.json"),
            ],
            vec![key_file!("secp256k1.spki.pem"), key_file!("secp256k1.public.jwk.json")],
            vec![Es256K],
        ),
        (
            vec![key_file!("ed25519.pkcs8.pem"), key_file!("ed25519.private.jwk.json")],
            vec![key_file!("ed25519.spki.pem"), key_file!("ed25519.ssh.pub"), key_file!("ed25519.public.jwk.json")],
            vec![EdDsa],
        ),
    ]
}

/// A signing key of every algorithm.
pub(super) fn one_of_each() -> Vec<SigningKey> {
    let secret = secret("a secret long enough for each of the three HMAC algorithms, and a bit");
    let hmac = [HmacAlgorithm::Hs256, HmacAlgorithm::Hs384, HmacAlgorithm::Hs512];
    let shared = hmac.map(|algorithm| SigningKey::hmac(algorithm, &secret)).into_iter();
    let pairs = kinds().into_iter().flat_map(|(private, _, algorithms)| {
        algorithms.into_iter().map(move |algorithm| SigningKey::read(algorithm, private[0]).unwrap())
    });
    shared.chain(pairs).collect()
}

#[test]
fn every_form_of_a_key_is_the_same_key() {
    for (private, public, algorithms) in kinds() {
        let algorithm = algorithms[0];
        let token = sign(&good_claims(), &SigningKey::read(algorithm, private[0]).unwrap());
        let thumbprint = VerifyingKey::read(algorithm, public[0]).unwrap().thumbprint();
        let ids: Vec<_> = private
            .iter()
            .map(|text| {
                let key = SigningKey::read(algorithm, text).unwrap();
                assert_eq!(key.verifying_key().thumbprint(), thumbprint);
                decode(token.as_bytes(), &key.verifying_key(), &Rules::default(), now()).unwrap();
                key.derived("a purpose").id(b"of one key")
            })
            .collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{algorithm}");
        assert_eq!(VerifyingKey::read(algorithm, public[0]).unwrap().to_pem().as_deref(), Some(public[0]));
        for text in public {
            let key = VerifyingKey::read(algorithm, text).unwrap();
            assert_eq!(key.thumbprint(), thumbprint);
            decode(token.as_bytes(), &key, &Rules::default(), now()).unwrap();
            assert_eq!(SigningKey::read(algorithm, text).unwrap_err(), KeyError::Public);
        }
    }
}

/// J1: of the keys of all fifteen algorithms, each accepts its own tokens alone.
#[test]
fn j1_no_token_verifies_under_two_algorithms() {
    let keys = one_of_each();
    assert_eq!(keys.len(), 15);
    for (signer, key) in keys.iter().enumerate() {
        let token = sign(&good_claims(), key);
        assert!(token.starts_with(&sign(&Object::new(), key).split('.').next().unwrap().to_owned()));
        for (checker, other) in keys.iter().enumerate() {
            let accepted = decode(token.as_bytes(), &other.verifying_key(), &Rules::default(), now()).is_ok();
            assert_eq!(accepted, signer == checker, "{} under {}", key.algorithm(), other.algorithm());
            // Nor when the header is forged to name the checker's algorithm.
            let (_, rest) = token.split_once('.').unwrap();
            let forged = format!("{}.{rest}", other.header());
            let accepted = decode(forged.as_bytes(), &other.verifying_key(), &Rules::default(), now()).is_ok();
            assert_eq!(accepted, signer == checker, "{} as {}", key.algorithm(), other.algorithm());
        }
    }
}

/// J2: no public key, in any form, becomes a shared secret.
#[test]
fn j2_no_form_of_a_key_is_a_secret() {
    for (private, public, _) in kinds() {
        for text in private.iter().chain(&public) {
            for (before, after) in [("", ""), ("", "\u{c}"), (" \r\n\t", "\n\u{c}")] {
                assert!(HmacSecret::new(format!("{before}{text}{after}")).is_err(), "{before:?} {text} {after:?}");
            }
        }
    }
}

/// J2: a shared secret is never a key of a pair, nor the reverse.
#[test]
fn j2_secrets_and_pairs_are_kept_apart() {
    let jwk = r#"{"kty":"oct","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#;
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa] {
        assert_eq!(SigningKey::read(algorithm, jwk).unwrap_err(), KeyError::UnsupportedKind("a shared secret"));
        assert_eq!(VerifyingKey::read(algorithm, jwk).unwrap_err(), KeyError::UnsupportedKind("a shared secret"));
    }
    let error = VerifyingKey::read(HmacAlgorithm::Hs256.into(), key_file!("p256.spki.pem")).unwrap_err();
    assert_eq!(error.to_string(), "is an EC key on P-256, and HS256 takes a shared secret");
}

/// J3: a name only chooses among keys.
#[test]
fn j3_kid_chooses_among_keys() {
    let seed = |byte| SigningKey::from_seed(Algorithm::EdDsa, &[byte; 32]).unwrap();
    let (old, new) = (seed(1).named("old"), seed(2).named("new"));
    let keys = [old.verifying_key(), new.verifying_key()];
    let accepted =
        |token: &str, keys: &[VerifyingKey]| decode(token.as_bytes(), keys, &Rules::default(), now()).is_ok();
    for key in [&old, &new] {
        let token = sign(&good_claims(), key);
        let header = format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"JWT"}}"#, key.kid().unwrap());
        assert_eq!(
            crate::python_base64::decode(token.split('.').next().unwrap().as_bytes()).unwrap(),
            header.as_bytes()
        );
        assert!(accepted(&token, &keys));
        assert!(accepted(&token, &[key.verifying_key().unnamed()]), "a key without a name takes any kid");
        assert!(!accepted(&token, &[key.verifying_key().named("another")]));
    }
    assert!(accepted(&sign(&good_claims(), &seed(2)), &keys), "a token without a kid is tried");
    let demanding = keys.clone().map(VerifyingKey::demanding_kid);
    assert!(accepted(&sign(&good_claims(), &new), &demanding));
    assert!(!accepted(&sign(&good_claims(), &seed(2)), &demanding), "unless the key demands one");
    let forged = sign(&good_claims(), &seed(1).named("new"));
    assert!(!accepted(&forged, &keys), "the name of one, the signature of the other");
}

/// J9: a key of the wrong kind, curve, size or exponent is refused when it is read, and the refusal says what would do.
#[test]
fn j9_unfit_keys_are_refused() {
    let refused = |algorithm: Algorithm, text| VerifyingKey::read(algorithm, text).unwrap_err().to_string();
    for (_, public, own) in kinds() {
        for key in one_of_each() {
            assert_eq!(VerifyingKey::read(key.algorithm(), public[0]).is_ok(), own.contains(&key.algorithm()));
        }
    }
    assert_eq!(
        refused(Algorithm::Es256, key_file!("p384.spki.pem")),
        "is an EC key on P-384, and ES256 takes an EC key on P-256"
    );
    assert_eq!(refused(Algorithm::EdDsa, key_file!("rsa.ssh.pub")), "is an RSA key, and EdDSA takes an Ed25519 key");
    assert_eq!(refused(Algorithm::EdDsa, key_file!("ed448.pkcs8.pem")), "is an Ed448 key, which is not supported");
    assert!(refused(Algorithm::Rs256, key_file!("rsa.certificate.pem")).starts_with("is a certificate; take the key"));
    assert!(refused(Algorithm::Rs256, key_file!("rsa.pkcs8.pem")).starts_with("is a private key, and verifying"));
    assert!(refused(Algorithm::EdDsa, key_file!("ed25519.openssh.pem")).contains("ssh-keygen -p -m PKCS8"));
    assert!(refused(Algorithm::Rs256, "-----BEGIN PUBLIC KEY-----\nMIIB").contains("no end"));
    assert!(refused(Algorithm::Rs256, "swordfish").starts_with("is neither a PEM block"));
    let signing = |algorithm, text| SigningKey::read(algorithm, text).unwrap_err();
    assert_eq!(signing(Algorithm::Rs256, key_file!("rsa1024.pkcs8.pem")), KeyError::RsaSize(1024));
    assert_eq!(signing(Algorithm::Rs256, key_file!("rsa.encrypted.pem")), KeyError::Encrypted);
    assert!(SigningKey::read(Algorithm::Rs256, key_file!("rsa_e3.pkcs8.pem")).is_ok(), "3 is the least exponent");
    for text in [key_file!("p256.pkcs8.pem"), key_file!("ed25519.pkcs8.pem")] {
        let algorithm = if text == key_file!("p256.pkcs8.pem") { Algorithm::Es256 } else { Algorithm::EdDsa };
        let private = SigningKey::read(algorithm, text).unwrap();
        assert!(VerifyingKey::read(algorithm, text).unwrap().belongs_to(&private), "as PyJWT has it");
    }
}

/// J9: parts that do not fit together, or are cut, or followed by something.
#[test]
fn j9_damaged_keys_are_refused() {
    let public = key_file!("p256.public.jwk.json");
    let x: Line = serde_json::from_str(public).unwrap();
    let off_curve = public.replace(x["y"].as_str().unwrap(), x["x"].as_str().unwrap());
    assert_eq!(VerifyingKey::read(Algorithm::Es256, &off_curve).unwrap_err(), KeyError::Invalid("EC"));
    for (private, other) in [
        (key_file!("p256.private.jwk.json"), Algorithm::Es256),
        (key_file!("ed25519.private.jwk.json"), Algorithm::EdDsa),
        (key_file!("rsa.private.jwk.json"), Algorithm::Rs256),
    ] {
        let mut jwk: Line = serde_json::from_str(private).unwrap();
        let d = jwk["d"].as_str().unwrap().to_owned();
        jwk["d"] = (if d.starts_with('A') { "B" } else { "A" }.to_owned() + &d[1..]).into();
        assert!(matches!(SigningKey::read(other, &jwk.to_string()).unwrap_err(), KeyError::Invalid(_)), "{other}");
    }
    let engine = base64::engine::general_purpose::STANDARD;
    let pem = key_file!("ed25519.spki.pem");
    let der = engine.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
    let wrap = |der: &[u8]| format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", engine.encode(der));
    assert!(VerifyingKey::read(Algorithm::EdDsa, &wrap(&der)).is_ok());
    assert!(VerifyingKey::read(Algorithm::EdDsa, &wrap(&[&der[..], &[0]].concat())).is_err());
    for length in 0..der.len() {
        assert!(VerifyingKey::read(Algorithm::EdDsa, &wrap(&der[..length])).is_err());
    }
}

/// RFC 7638 §3.1 and RFC 8037 §A.3.
#[test]
fn thumbprints_are_those_of_the_standards() {
    let rsa = concat!(
        r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJE"#,
        "CPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs",
        "8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw",
        r#"0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
    );
    let thumbprint = |algorithm, text| VerifyingKey::read(algorithm, text).unwrap().thumbprint().unwrap();
    assert_eq!(thumbprint(Algorithm::Rs256, rsa), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    let ed25519 = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert_eq!(thumbprint(Algorithm::EdDsa, ed25519), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/// S5: what is published has the public parts alone, and can be read back; a shared secret is never published.
#[test]
fn s5_published_keys_have_no_private_parts() {
    for key in one_of_each() {
        let Some(jwk) = key.verifying_key().to_public_jwk() else {
            assert!(key.algorithm().is_hmac());
            continue;
        };
        let allowed = ["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"];
        assert!(jwk.iter().all(|(name, _)| allowed.iter().any(|allowed| *name == *allowed)), "{jwk:?}");
        let text = format!(r#"{{"keys":[{}]}}"#, crate::json::object_to_compact_ascii(&jwk));
        let read = KeySet::read(&text, None).unwrap();
        assert_eq!(read.skipped, []);
        assert_eq!(read.keys[0].thumbprint(), key.verifying_key().thumbprint());
        assert_eq!(read.keys[0].kid(), key.verifying_key().thumbprint().as_deref());
        assert_eq!(read.keys[0].algorithm().name(), key.algorithm().registered_name());
    }
}

/// S3: no key shows more than its algorithm.
#[test]
fn s3_keys_do_not_print() {
    for key in one_of_each() {
        let name = key.algorithm().name();
        assert_eq!(
            format!("{key:?} {:?}", key.verifying_key()),
            format!("SigningKey({name}, ..) VerifyingKey({name}, ..)")
        );
    }
}

#[test]
fn a_seed_makes_one_key() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let key = |byte| SigningKey::from_seed(algorithm, &[byte; 32]).unwrap().verifying_key().thumbprint();
        assert_eq!(key(7), key(7));
        assert_ne!(key(7), key(8));
        assert!(algorithm == Algorithm::EdDsa || SigningKey::from_seed(algorithm, &[0xFF; 32]).is_none());
        assert!(algorithm == Algorithm::EdDsa || SigningKey::from_seed(algorithm, &[0; 32]).is_none());
    }
    assert!(SigningKey::from_seed(Algorithm::Rs256, &[7; 32]).is_none());
}

#[test]
fn key_sets_say_what_they_skip() {
    let ed25519 = key_file!("ed25519.public.jwk.json").trim();
    let named = |kid: &str| ed25519.replacen('{', &format!(r#"{{"kid":"{kid}","#), 1);
    let rsa = key_file!("rsa.public.jwk.json").trim();
    let text = format!(r#"{{"keys":[{},{rsa},{{"kty":"EC","crv":"P-256","kid":"b","use":"enc"}},1]}}"#, named("a"));
    let set = KeySet::read(&text, None).unwrap();
    assert_eq!((set.keys.len(), set.keys[0].kid()), (1, Some("a")));
    assert_eq!(
        set.skipped,
        [
            (None, KeyError::Member("alg")),
            (Some("b".to_owned()), KeyError::Use),
            (None, KeyError::Malformed("it is not a JSON object of distinct names")),
        ]
    );
    assert_eq!(KeySet::read(&text, Some(Algorithm::Ps384)).unwrap().keys[0].algorithm(), Algorithm::Ps384);
    let twice = format!(r#"{{"keys":[{},{}]}}"#, named("a"), named("a"));
    assert_eq!(KeySet::read(&twice, None).unwrap_err(), KeyError::RepeatedKid);
    let many = format!(r#"{{"keys":[{}]}}"#, vec![rsa; 65].join(","));
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, &many] {
        assert_eq!(KeySet::read(text, None).unwrap_err(), KeyError::NotASet(64), "{text:.40}");
    }
}

/// What is accepted here under strict rules is accepted by a second implementation, whatever was changed in the token.
fn second_opinion(algorithm: Algorithm) -> (SigningKey, jsonwebtoken::Algorithm, jsonwebtoken::DecodingKey) {
    use jsonwebtoken::{Algorithm as Theirs, DecodingKey};
    let pair = |pem| SigningKey::read(algorithm, pem).unwrap();
    match algorithm {
        Algorithm::Rs256 => {
            let theirs = DecodingKey::from_rsa_pem(key_file!("rsa.spki.pem").as_bytes()).unwrap();
            (pair(key_file!("rsa.pkcs8.pem")), Theirs::RS256, theirs)
        }
        Algorithm::Es256 => {
            let theirs = DecodingKey::from_ec_pem(key_file!("p256.spki.pem").as_bytes()).unwrap();
            (pair(key_file!("p256.pkcs8.pem")), Theirs::ES256, theirs)
        }
        Algorithm::EdDsa => {
            let theirs = DecodingKey::from_ed_pem(key_file!("ed25519.spki.pem").as_bytes()).unwrap();
            (pair(key_file!("ed25519.pkcs8.pem")), Theirs::EdDSA, theirs)
        }
        _ => (key(), Theirs::HS256, DecodingKey::from_secret(b"test-secret-of-more-than-32-bytes-0123456789")),
    }
}

proptest::proptest! {
    /// J1, J9: changed tokens, and those of another algorithm, beside `jsonwebtoken`.
    #[test]
    fn j1_a_second_implementation_accepts_what_is_accepted(
        signer in 0..4_usize,
        checker in 0..4_usize,
        changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::num::u8::ANY), 0..3),
    ) {
        let algorithms = [HmacAlgorithm::Hs256.into(), Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
        let (ours, ..) = second_opinion(algorithms[signer]);
        let (key, algorithm, theirs) = second_opinion(algorithms[checker]);
        let mut token = sign(&good_claims(), &ours).into_bytes();
        for (place, byte) in changes {
            let place = place.index(token.len());
            token[place] = byte;
        }
        let accepted = decode(&token, &key.verifying_key(), &strict(), now()).is_ok();
        let mut validation = jsonwebtoken::Validation::new(algorithm);
        validation.validate_exp = false;
        let second = jsonwebtoken::decode::<Line>(&token, &theirs, &validation).is_ok();
        proptest::prop_assert!(!accepted || second);
        proptest::prop_assert!(!accepted || signer == checker);
    }
}

proptest::proptest! {
    /// S4: no text makes reading panic.
    #[test]
    fn s4_no_text_panics(text in "\\PC{0,200}", place in 0_usize..1000, byte in proptest::num::u8::ANY) {
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            let _ = VerifyingKey::read(algorithm, &text);
            let _ = KeySet::read(&text, Some(algorithm));
        }
        let mut pem = key_file!("rsa.pkcs1.pem").as_bytes().to_vec();
        let place = place % pem.len();
        pem[place] = byte;
        if let Ok(text) = std::str::from_utf8(&pem) {
            let _ = SigningKey::read(Algorithm::Rs256, text);
        }
    }
}
