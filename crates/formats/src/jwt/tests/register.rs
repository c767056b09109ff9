//! Known attacks on tokens, each under the number of its advisory (`docs/security.md`). A fix elsewhere was a hole somewhere: these
//! say that it is none here.

use super::*;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn payload() -> String {
    crate::json::object_to_compact_ascii(&good_claims())
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn refused(token: &str) -> Refusal {
    for rules in [Rules::default(), strict()] {
        assert!(read(token, &rules).is_err(), "{token}");
    }
    read(token, &Rules::default()).unwrap_err()
}

/// A token that says it needs no signature.
fn unsigned(alg: &str, signature: &str) -> String {
    format!("{}.{}.{signature}", base64(format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#)), base64(payload()))
}

#[test]
fn register_ghsa_9gxv_x7rp_r2hc_none_is_refused() {
    assert_eq!(refused(&unsigned("none", "")), Refusal::Invalid(Cause::Algorithm));
}

/// The check was on the exact word.
#[test]
fn register_ghsa_h533_5v22_8vcp_none_in_any_case_is_refused() {
    for alg in ["None", "NONE", "nOnE", "none ", "n\\u006fne", ""] {
        for signature in ["", "AA", &base64([0; 32])] {
            refused(&unsigned(alg, signature));
        }
    }
}

/// A token signed by HMAC with the text of a public key, for a verifier that takes the algorithm from the token.
#[test]
fn register_cve_2015_9235_the_token_does_not_choose_the_algorithm() {
    for (header, key) in [("HS256", "HS384"), ("HS384", "HS256"), ("HS512", "HS256")] {
        let token = seal(&format!(r#"{{"alg":"{header}"}}"#), payload().as_bytes());
        let algorithm: Algorithm = key.parse().unwrap();
        let secret = secret("test-secret-of-more-than-32-bytes-0123456789");
        let key = VerifyingKey::hmac(algorithm.hmac().unwrap(), &secret);
        assert!(decode(token.as_bytes(), &key, &Rules::default(), now()).is_err());
    }
    for header in ["RS256", "ES256", "PS256", "EdDSA"] {
        assert_eq!(
            refused(&seal(&format!(r#"{{"alg":"{header}"}}"#), payload().as_bytes())),
            Refusal::Invalid(Cause::Algorithm)
        );
    }
}

const SPKI: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n";

/// PEM in its first releases.
#[test]
fn register_ghsa_r9jw_mwhq_wp62_a_pem_block_is_no_secret() {
    for text in
        [SPKI.to_owned(), SPKI.replace("PUBLIC KEY", "RSA PUBLIC KEY"), SPKI.replace("PUBLIC KEY", "CERTIFICATE")]
    {
        for text in [text.clone(), format!("\n {text}"), text.replace('\n', "\r\n"), format!("Bag Attributes\n{text}")]
        {
            assert_eq!(HmacSecret::new(text.as_str()).unwrap_err(), SecretError::Pem, "{text}");
        }
    }
}

/// OpenSSH lines went past the list of PEM headers.
#[test]
fn register_cve_2022_29217_an_openssh_key_is_no_secret() {
    for kind in
        ["ssh-rsa", "ssh-ed25519", "ssh-dss", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"]
    {
        let line = format!("{kind} AAAAC3NzaC1lZDI1NTE5AAAAIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII comment");
        assert!(HmacSecret::new(line.as_str()).is_err(), "{line}");
    }
}

/// The same through a library whose list lacked ECDSA.
#[test]
fn register_cve_2024_33663_an_openssh_ecdsa_key_is_no_secret() {
    assert_eq!(
        HmacSecret::new("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAI").unwrap_err(),
        SecretError::OpenSsh
    );
}

/// A JSON web key went past a list of text headers.
#[test]
fn register_cve_2026_48526_a_json_web_key_is_no_secret() {
    for text in [
        r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
        r#" {"keys":[{"kty":"RSA","n":"AA","e":"AQAB"}]}"#,
        r#"{"e":"AQAB","n":"AA","kty":"RSA"}"#,
    ] {
        assert_eq!(HmacSecret::new(text).unwrap_err(), SecretError::Jwk, "{text}");
    }
}

/// The algorithm of the JSON serialisation's unprotected header was believed.
#[test]
fn register_ghsa_jc38_x7x8_2xc8_there_is_no_json_serialisation() {
    let token = seal(HEADER, payload().as_bytes());
    let parts: Vec<&str> = token.split('.').collect();
    for text in [
        format!(
            r#"{{"payload":"{}","protected":"{}","header":{{"alg":"none"}},"signature":"{}"}}"#,
            parts[1], parts[0], parts[2]
        ),
        format!(
            r#"{{"payload":"{}","signatures":[{{"header":{{"alg":"HS256"}},"signature":"{}"}}]}}"#,
            parts[1], parts[2]
        ),
        // A full stop twice inside makes three parts of it.
        format!(r#"{{"a":"{}.{}.{}"}}"#, parts[0], parts[1], parts[2]),
    ] {
        refused(&text);
    }
}

const JWE_HEADERS: [&str; 5] = [
    r#"{"alg":"RSA-OAEP","enc":"A128GCM","cty":"JWT"}"#,
    r#"{"alg":"dir","enc":"A256GCM"}"#,
    r#"{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AA"}"#,
    r#"{"alg":"PBES2-HS512+A256KW","enc":"A128GCM","p2c":1e15,"p2s":"AA"}"#,
    r#"{"alg":"dir","enc":"A128GCM","zip":"DEF"}"#,
];

fn encrypted(header: &str) -> String {
    format!("{}.AA.{}.{}.AA", base64(header), base64([0; 12]), base64(unsigned("none", "")))
}

/// An encrypted token with an unsigned one inside.
#[test]
fn register_cve_2026_29000_nothing_inside_an_encrypted_token_counts() {
    assert_eq!(refused(&encrypted(JWE_HEADERS[0])), Refusal::Invalid(Cause::Parts));
}

/// A token encrypted with a public key was taken for one signed with the private one.
#[test]
fn register_ghsa_c8v6_786g_vjx6_encryption_is_no_signature() {
    assert_eq!(refused(&encrypted(JWE_HEADERS[1])), Refusal::Invalid(Cause::Parts));
    let signed = seal(r#"{"alg":"HS256","enc":"A128GCM"}"#, b"not claims but what was encrypted");
    refused(&signed);
}

macro_rules! nothing_is_derived {
    ($($name:ident),*) => {
        $(
            /// An iteration count in the header made the server work: there is no count that is looked at, before the signature is right
            /// or after.
            #[test]
            fn $name() {
                for header in [JWE_HEADERS[2], JWE_HEADERS[3]] {
                    assert_eq!(refused(&encrypted(header)), Refusal::Invalid(Cause::Parts));
                    assert_eq!(refused(&format!("{}.AA.AA", base64(header))), Refusal::Invalid(Cause::Algorithm));
                }
            }
        )*
    };
}
nothing_is_derived!(
    register_ghsa_2c7c_3mj9_8fqh_p2c_is_not_obeyed,
    register_ghsa_6qvw_249j_h44c_p2c_is_not_obeyed,
    register_ghsa_jv3g_j58f_9mq9_p2c_is_not_obeyed
);

/// A small compressed token that becomes a large one.
#[test]
fn register_cve_2024_33664_a_token_is_not_decompressed() {
    assert_eq!(refused(&encrypted(JWE_HEADERS[4])), Refusal::Invalid(Cause::Parts));
    let bomb = miniz_oxide::deflate::compress_to_vec(&vec![b' '; 1 << 20], 9);
    let token = seal(r#"{"alg":"HS256","zip":"DEF"}"#, &bomb);
    assert!(matches!(refused(&token), Refusal::Invalid(Cause::Json(..))), "read as it is, and it is no JSON");
}

/// As above, in another library.
#[test]
fn register_cve_2024_28180_a_token_is_bounded_before_it_is_looked_at() {
    let long = format!("{}.{}.AA", base64(HEADER), "A".repeat(1 << 20));
    assert_eq!(refused(&long), Refusal::Invalid(Cause::TooLong(8192)));
}

#[test]
fn register_cve_2026_32597_crit_is_not_ignored() {
    for header in [
        r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"HS256","crit":["x-custom"],"x-custom":true}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","crit":["b64"]}"#,
    ] {
        assert_eq!(refused(&seal(header, payload().as_bytes())), Refusal::Invalid(Cause::Critical), "{header}");
    }
}

/// `iss` was looked for inside the expected text.
#[test]
fn register_cve_2024_53861_a_part_of_the_issuer_is_not_the_issuer() {
    for expected in
        [Expected::One("https://issuer.example".to_owned()), Expected::Many(vec!["https://issuer.example".to_owned()])]
    {
        let rules = Rules { issuer: expected, ..Rules::default() };
        for issuer in ["", "i", "issuer", "https://issuer.exampl", "https://issuer.example/", "HTTPS://issuer.example"]
        {
            let token = sign(&with("iss", issuer), &key());
            assert_eq!(read(&token, &rules).unwrap_err(), Refusal::Invalid(Cause::Issuer), "{issuer:?}");
        }
        assert!(read(&sign(&with("iss", "https://issuer.example"), &key()), &rules).is_ok());
    }
}

/// A claim of the wrong type counted as absent, so that its check did not run.
#[test]
fn register_cve_2026_25537_a_claim_of_the_wrong_type_is_not_absent() {
    let odd =
        || [Value::Null, Value::from(Vec::new()), Value::from(Object::new()), Value::from("soon"), Value::from("")];
    for claim in ["exp", "nbf", "iat"] {
        for value in odd() {
            let token = sign(&with(claim, value.clone()), &key());
            assert!(matches!(refused(&token), Refusal::Invalid(_)), "{claim} {value:?}");
        }
    }
    let rules =
        Rules { audience: Expected::One("a".to_owned()), issuer: Expected::One("me".to_owned()), ..Rules::default() };
    for claim in ["aud", "iss"] {
        for value in odd().into_iter().chain([Value::from(1), Value::from(true)]) {
            assert!(read(&sign(&with(claim, value), &key()), &rules).is_err());
        }
    }
}

/// Signatures of zeros, which a verifier that forgets the range of r and s takes for good under any key.
#[test]
fn register_cve_2022_21449_a_signature_of_zeros_is_none() {
    for key in keys::one_of_each() {
        let algorithm = key.algorithm();
        let Some(width) = (match algorithm {
            Algorithm::Es256 | Algorithm::Es256K => Some(32),
            Algorithm::Es384 => Some(48),
            Algorithm::Es512 => Some(66),
            _ => None,
        }) else {
            continue;
        };
        let (zero, mut one) = (vec![0; width], vec![0; width]);
        one[width - 1] = 1;
        for (r, s) in [(&zero, &zero), (&zero, &one), (&one, &zero), (&vec![0xff; width], &vec![0xff; width])] {
            let token = unsigned(algorithm.name(), &base64([r.as_slice(), s.as_slice()].concat()));
            let decoded = decode(token.as_bytes(), &key.verifying_key(), &Rules::default(), now());
            assert!(decoded.is_err(), "{algorithm} {token}");
        }
    }
}
