//! The requirements on tokens, J1 to J13, by name.

use proptest::prelude::*;

use super::*;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn payload_of(claims: &Object) -> String {
    crate::json::object_to_compact_ascii(claims)
}

#[test]
fn the_header_text_is_exact() {
    let token = sign(&good_claims(), &key());
    assert!(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."));
    assert_eq!(token, seal(HEADER, payload_of(&good_claims()).as_bytes()));
    assert!(read(&token, &strict()).is_ok());
}

/// J1: the algorithm is the key's; one key, one algorithm; `none` in no spelling.
#[test]
fn j1_algorithm_comes_from_the_key() {
    let algorithms = [HmacAlgorithm::Hs256, HmacAlgorithm::Hs384, HmacAlgorithm::Hs512];
    let secret = secret("one secret for three algorithms, which share nothing but its bytes");
    for signer in algorithms {
        let token = sign(&good_claims(), &SigningKey::hmac(signer, &secret));
        for checker in algorithms {
            let key = VerifyingKey::hmac(checker, &secret);
            let accepted = decode(token.as_bytes(), &key, &Rules::default(), now()).is_ok();
            assert_eq!(accepted, signer == checker, "{} under {}", signer.name(), checker.name());
        }
    }
    for alg in ["none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "HS384", "RS256", "ES256"] {
        let token = seal(&format!(r#"{{"alg":"{alg}"}}"#), payload_of(&good_claims()).as_bytes());
        let unsigned = &token[..=token.rfind('.').unwrap()];
        for token in [token.as_str(), unsigned] {
            assert_eq!(read(token, &Rules::default()).unwrap_err(), Refusal::Invalid(Cause::Algorithm), "{alg}");
        }
    }
}

/// J1: with several keys, each checks tokens of its own algorithm only.
#[test]
fn j1_several_keys_keep_their_algorithms() {
    let (old, new) = (secret("the secret of last year ........."), secret("the secret of this year ........."));
    let keys = [VerifyingKey::hmac(HmacAlgorithm::Hs256, &new), VerifyingKey::hmac(HmacAlgorithm::Hs512, &old)];
    let accepted = |algorithm, secret: &HmacSecret| {
        let token = sign(&good_claims(), &SigningKey::hmac(algorithm, secret));
        decode(token.as_bytes(), &keys, &Rules::default(), now()).is_ok()
    };
    assert!(accepted(HmacAlgorithm::Hs256, &new) && accepted(HmacAlgorithm::Hs512, &old));
    assert!(!accepted(HmacAlgorithm::Hs256, &old) && !accepted(HmacAlgorithm::Hs512, &new));
    let none: &[VerifyingKey] = &[];
    assert!(decode(sign(&good_claims(), &key()).as_bytes(), none, &Rules::default(), now()).is_err());
}

/// J2: nothing that is public becomes a secret (CVE-2022-29217, CVE-2026-48526).
#[test]
fn j2_public_keys_are_no_secrets() {
    let refused = |bytes: &[u8]| HmacSecret::new(bytes).err();
    assert_eq!(refused(b""), Some(SecretError::Empty));
    for label in ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "X509 CRL"] {
        let pem = format!("\n text before -----BEGIN {label}-----\nMFkw\n-----END {label}-----");
        assert_eq!(refused(pem.as_bytes()), Some(SecretError::Pem), "{label}");
    }
    assert_eq!(
        refused(b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----"),
        Some(SecretError::Pem)
    );
    for line in ["ssh-ed25519 AAAA", "ssh-rsa AAAA me@host", "ecdsa-sha2-nistp256 AAAA"] {
        assert_eq!(refused(line.as_bytes()), Some(SecretError::OpenSsh));
    }
    // Ed25519 SubjectPublicKeyInfo (RFC 8410 §10.1), a PKCS#1 shape, a certificate shape.
    let ed25519 = "302a300506032b657003210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
    for der in [ed25519, "3006020105020103", "300a3000300030000302000000"] {
        let mut der = hex::decode(der).unwrap();
        let length = der.len() - 2;
        der[1] = u8::try_from(length).unwrap();
        let expected = if der[2..4] == [0x30, 0] { None } else { Some(SecretError::Der) };
        assert_eq!(refused(&der), expected, "{der:02x?}");
    }
    assert_eq!(refused(&[0x30, 0x08, 0x30, 0, 0x30, 0, 0x03, 0x02, 0, 0]), Some(SecretError::Der));
    for jwk in [
        r#"{"kty":"oct","k":"AAAA"}"#,
        r#" {"keys":[{"kty":"RSA"}]} "#,
        r#"[[{"a":{"\u006bty":1}}]]"#,
        "\u{feff}{\"kty\":\"EC\"}",
    ] {
        assert_eq!(refused(jwk.as_bytes()), Some(SecretError::Jwk), "{jwk}");
    }
    let utf16: Vec<u8> = r#"{"kty":"EC"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(refused(&utf16), Some(SecretError::Jwk));
    assert_eq!(refused("{".repeat(9000).as_bytes()), None, "not JSON at all");
    assert_eq!(refused(r#"{"a":"#.repeat(9000).as_bytes()), Some(SecretError::Jwk));
    for fine in
        ["x", "12345678901234567890", "{}", "[]", "django-insecure-#@!{kty}", "-----BEGIN PUBLIC KEY-----", "null"]
    {
        assert_eq!(refused(fine.as_bytes()), None, "{fine}");
    }
}

/// J2: short secrets are taken, and told apart, so that the caller can warn (RFC 7518 §3.2).
#[test]
fn j2_short_secrets_are_noticed() {
    let secret = secret(&"s".repeat(32));
    assert!(!secret.is_short_for(HmacAlgorithm::Hs256));
    assert!(secret.is_short_for(HmacAlgorithm::Hs384) && secret.is_short_for(HmacAlgorithm::Hs512));
    assert_eq!(format!("{secret:?} {:?}", key()), "HmacSecret(..) SigningKey(HS256, ..)");
}

/// J3: `kid` is text or the token is refused; what it says changes nothing.
#[test]
fn j3_kid_is_never_followed() {
    for (kid, accepted) in [
        (r#""a""#, true),
        (r#""../../../etc/passwd""#, true),
        (r#""' OR 1=1 --""#, true),
        ("1", false),
        ("null", false),
        (r#"["a"]"#, false),
    ] {
        let token = seal(&format!(r#"{{"alg":"HS256","kid":{kid}}}"#), payload_of(&good_claims()).as_bytes());
        assert_eq!(read(&token, &strict()).is_ok(), accepted, "{kid}");
    }
}

/// J4: keys inside or named by the header are ignored; `crit` and `b64` are honoured; no JSON serialisation.
#[test]
fn j4_header_keys_are_ignored_and_extensions_refused() {
    let with_header = |members: &str| {
        read(&seal(&format!(r#"{{"alg":"HS256"{members}}}"#), payload_of(&good_claims()).as_bytes()), &strict())
    };
    assert!(with_header(r#","jwk":{"kty":"oct","k":"AAAA"},"jku":"https://x.example/","x5u":"x","x5c":["A"]"#).is_ok());
    assert!(with_header(r#","crit":["b64"],"b64":true"#).is_ok());
    for members in [r#","crit":["exp"],"exp":1"#, r#","crit":[]"#, r#","crit":null"#, r#","crit":["b64"]"#] {
        assert_eq!(with_header(members).unwrap_err(), Refusal::Invalid(Cause::Critical), "{members}");
    }
    for members in [r#","b64":false"#, r#","crit":["b64"],"b64":false"#] {
        assert_eq!(with_header(members).unwrap_err(), Refusal::Invalid(Cause::Unencoded), "{members}");
    }
    let attacker = SigningKey::hmac(HmacAlgorithm::Hs256, &secret("AAAA"));
    let forged = sign(&good_claims(), &attacker);
    assert_eq!(
        read(&forged, &Rules::default()).unwrap_err(),
        Refusal::Invalid(Cause::Signature(HmacAlgorithm::Hs256.into()))
    );
    let token = sign(&good_claims(), &key());
    let parts: Vec<_> = token.split('.').collect();
    let json = format!(r#"{{"protected":"{}","payload":"{}","signature":"{}"}}"#, parts[0], parts[1], parts[2]);
    assert!(read(&json, &Rules::default()).is_err());
}

/// A signature may have any length; only the right one is the right one.
#[test]
fn signatures_of_other_lengths_are_refused() {
    let token = sign(&good_claims(), &key());
    let (signed, _) = token.rsplit_once('.').expect("three parts");
    let wrong = Refusal::Invalid(Cause::Signature(HmacAlgorithm::Hs256.into()));
    for length in (0..300).filter(|length| length % 4 != 1) {
        let other = format!("{signed}.{}", "A".repeat(length));
        assert_eq!(read(&other, &Rules::default()).unwrap_err(), wrong, "{length}");
    }
    for length in [1, 45, 85, 89, 301] {
        let other = format!("{signed}.{}", "A".repeat(length));
        assert_eq!(
            read(&other, &Rules::default()).unwrap_err(),
            Refusal::Invalid(Cause::Base64("signature")),
            "{length}"
        );
    }
}

/// J5: what strict rules refuse and the original lets pass.
#[test]
fn j5_strict_rules_are_strict() {
    let payload = payload_of(&good_claims());
    let extended = |member: &str| format!("{},{member}}}", &payload[..payload.len() - 1]);
    let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
    let padded = sign(&good_claims(), &key()) + "=";
    let utf16: Vec<u8> = payload.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases = [
        ("signature padding", padded, Cause::Padded("signature")),
        ("payload padding", seal_parts(header, &padded_to_four(&extended(r#""x":1"#))), Cause::Padded("payload")),
        ("repeated name", seal(HEADER, extended(r#""jti":"x""#).as_bytes()), Cause::RepeatedName("payload")),
        (
            "deep repeated name",
            seal(HEADER, extended(r#""x":[{"a":1,"a":2}]"#).as_bytes()),
            Cause::RepeatedName("payload"),
        ),
        ("repeated alg", seal(r#"{"alg":"none","alg":"HS256"}"#, payload.as_bytes()), Cause::RepeatedName("header")),
        ("zip", seal(r#"{"alg":"HS256","zip":"DEF"}"#, payload.as_bytes()), Cause::Compressed),
    ];
    for (name, token, cause) in cases {
        assert!(read(&token, &Rules::default()).is_ok(), "{name}");
        assert_eq!(read(&token, &strict()).unwrap_err(), Refusal::Invalid(cause), "{name}");
    }
    for bytes in [utf16, format!("\u{feff}{payload}").into_bytes(), extended(r#""x":NaN"#).into_bytes()] {
        let token = seal(HEADER, &bytes);
        assert!(read(&token, &Rules::default()).is_ok());
        assert!(matches!(read(&token, &strict()).unwrap_err(), Refusal::Invalid(Cause::Json("payload", _))));
    }
    let mut surrogate = extended(r#""x":"abc""#).into_bytes();
    let place = surrogate.windows(3).position(|three| three == b"abc").unwrap();
    surrogate[place..place + 3].copy_from_slice(&[0xED, 0xA0, 0x80]);
    let token = seal(HEADER, &surrogate);
    assert_eq!(read(&token, &strict()).unwrap_err(), Refusal::Invalid(Cause::NotUtf8("payload")));
}

fn padded_to_four(payload: &str) -> String {
    use base64::Engine as _;
    let mut payload = payload.to_owned();
    while payload.len() % 3 != 1 {
        payload.push(' ');
    }
    base64::engine::general_purpose::URL_SAFE.encode(payload)
}

/// J5: alphabet, length and last bits are strict in both modes, and size and depth are bounded.
#[test]
fn j5_base64url_size_and_depth_are_bounded() {
    let token = sign(&good_claims(), &key());
    let last = token.len() - 1;
    for wrong in ["+", "/", " ", "\n", "%", "é", "A\0"] {
        assert!(read(&format!("{}{wrong}", &token[..last]), &Rules::default()).is_err());
    }
    // 32 bytes leave two unused bits in the last of 43 characters: only one of four spellings is canonical.
    let accepted = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars();
    let accepted: Vec<_> =
        accepted.filter(|end| read(&format!("{}{end}", &token[..last]), &Rules::default()).is_ok()).collect();
    assert_eq!(accepted, [token.chars().last().unwrap()]);

    let long = sign(&with("x", "y".repeat(8192)), &key());
    assert_eq!(read(&long, &Rules::default()).unwrap_err(), Refusal::Invalid(Cause::TooLong(8192)));
    let generous = Rules { max_len: 20_000, ..Rules::default() };
    assert!(read(&long, &generous).is_ok());
    let bomb = seal(HEADER, "[".repeat(6000).as_bytes());
    assert_eq!(
        read(&bomb, &Rules::default()).unwrap_err().cause(),
        "the payload is not JSON: maximum recursion depth exceeded"
    );
}

/// J6: `exp` is required, and a wrong type is a refusal, never absence.
#[test]
fn j6_times_have_to_be_numbers() {
    let mut endless = good_claims();
    endless.remove("exp");
    let token = sign(&endless, &key());
    assert!(decode(token.as_bytes(), &key().verifying_key(), &Rules::default(), now()).is_ok());
    assert_eq!(read(&token, &Rules::default()).unwrap_err().message(), "Token has no 'exp' claim");

    let future = (now().as_second() + 300).to_string();
    for name in ["exp", "nbf", "iat"] {
        for value in [Value::Null, vec![].into(), Object::new().into(), "soon".into(), Value::Float(f64::INFINITY)] {
            for rules in [Rules::default(), strict()] {
                let refusal = read(&sign(&with(name, value.clone()), &key()), &rules).unwrap_err();
                assert_eq!(refusal.message(), "Token is invalid", "{name} {value:?}");
            }
        }
        for value in [Value::from("1"), Value::Bool(true), Value::from(future.as_str())] {
            let refusal = read(&sign(&with(name, value.clone()), &key()), &strict()).unwrap_err();
            assert_eq!(refusal, Refusal::Invalid(Cause::NotANumber(name)), "{value:?}");
        }
    }
    for exp in [Value::from(future.as_str()), Value::from(253_402_300_800), Value::Float(1e300)] {
        assert_eq!(
            read(&sign(&with("exp", exp), &key()), &Rules::default()).unwrap_err().message(),
            "Token is invalid"
        );
    }
}

/// J7: a configured audience or issuer is required and compared whole.
#[test]
fn j7_audience_and_issuer_are_compared_whole() {
    let one = |name: &str| Expected::One(name.to_owned());
    let rules = Rules { audience: one("api.example"), issuer: one("https://me.example"), ..Rules::default() };
    let accepted = |aud: Value, iss: Value| {
        let mut claims = with("aud", aud);
        claims.set("iss", iss);
        read(&sign(&claims, &key()), &rules).is_ok()
    };
    let (aud, iss) = (|| Value::from("api.example"), || Value::from("https://me.example"));
    assert!(accepted(aud(), iss()));
    assert!(accepted(vec!["other".into(), aud()].into(), iss()));
    for near in ["api.exampl", "api.example.", "pi.example", "API.EXAMPLE", "api.example,x", ""] {
        assert!(!accepted(near.into(), iss()) && !accepted(vec![near.into()].into(), iss()));
    }
    for near in ["https://me.exampl", "https://me.example/", "https://me.example.org", "ttps://me.example", ""] {
        assert!(!accepted(aud(), near.into()));
    }
    assert!(!accepted(aud(), vec![iss()].into()));
    assert!(!accepted(vec![aud(), 1.into()].into(), iss()));
    assert!(read(&sign(&good_claims(), &key()), &rules).is_err());
}

/// J8: each class takes its own type only; the untyped one takes all.
#[test]
fn j8_types_are_kept_apart() {
    let kinds = [TokenType::Access, TokenType::Refresh, TokenType::Sliding, TokenType::Untyped];
    for made in ["access", "refresh", "sliding", "untyped", "reset", ""] {
        let token = sign(&with("token_type", made), &key());
        let claims = decode(token.as_bytes(), &key().verifying_key(), &Rules::default(), now()).unwrap();
        for wanted in kinds {
            let accepted = check_token(&claims, wanted, &Rules::default(), now()).is_ok();
            assert_eq!(accepted, wanted == TokenType::Untyped || wanted.name() == made, "{made} as {wanted:?}");
        }
    }
}

/// J10: whatever is wrong before the claims, clients read the same words.
#[test]
fn j10_failures_look_alike() {
    let token = sign(&good_claims(), &key());
    let flipped = token.replace(".e", ".f");
    let other = sign(&good_claims(), &SigningKey::hmac(HmacAlgorithm::Hs256, &secret("other")));
    for wrong in ["", "a.b.c", "..", &token[1..], &token[..token.len() - 2], &flipped, &other] {
        let refusal = read(wrong, &Rules::default()).unwrap_err();
        assert_eq!(refusal.message(), "Token is invalid");
        assert_ne!(refusal.cause(), refusal.message());
    }
}

/// J11: five parts are refused at the first look.
#[test]
fn j11_encrypted_tokens_are_refused() {
    let jwe = "eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJwMmMiOjIwMDAwMDAwMDB9.AA.AA.AA.AA";
    assert_eq!(read(jwe, &Rules::default()).unwrap_err(), Refusal::Invalid(Cause::Parts));
}

/// J12: one leeway for all three times, exact to the nanosecond; negative ones tighten.
#[test]
fn j12_leeway_is_the_same_for_all_times() {
    let second = now().as_second();
    for leeway in [0, 1, 30, 120, -10] {
        let rules = Rules { leeway: SignedDuration::from_secs(leeway), ..Rules::default() };
        let exp_ok = |exp: i64| {
            let mut claims = with("exp", exp);
            claims.set("iat", second - 1000);
            read(&sign(&claims, &key()), &rules).is_ok()
        };
        assert!(!exp_ok(second - leeway) && exp_ok(second - leeway + 1));
        let iat_ok = |value| {
            let mut claims = with("exp", second + 1000);
            claims.set("iat", value);
            read(&sign(&claims, &key()), &rules).is_ok()
        };
        assert!(iat_ok(second + leeway) && !iat_ok(second + leeway + 1));
        let mut claims = with("exp", second + 1000);
        claims.set("iat", second - 1000);
        for (nbf, expected) in [(second + leeway, true), (second + leeway + 1, false)] {
            claims.set("nbf", nbf);
            assert_eq!(read(&sign(&claims, &key()), &rules).is_ok(), expected);
        }
    }
    let token = sign(&with("exp", second + 1), &key());
    let at = |nanos| {
        decode(token.as_bytes(), &key().verifying_key(), &Rules::default(), now() + SignedDuration::from_nanos(nanos))
    };
    assert!(at(999_999_999).is_ok());
    assert_eq!(at(1_000_000_000).unwrap_err(), Refusal::Expired);
}

/// J13: the spellings of one token that verify have one signed part.
#[test]
fn j13_spellings_share_their_signed_part() {
    let token = sign(&good_claims(), &key());
    let padded = token.clone() + "=";
    assert!(read(&token, &Rules::default()).unwrap() == read(&padded, &Rules::default()).unwrap());
    assert_eq!(signed_part(token.as_bytes()), signed_part(padded.as_bytes()));
    assert_eq!(signed_part(b"no dot"), None);
}

#[test]
fn debug_output_names_claims_only() {
    let claims = Claims::from(with("email", "ada@example.org"));
    assert_eq!(format!("{claims:?}"), r#"Claims{"token_type", "exp", "iat", "jti", "user_id", "email"}"#);
}

proptest! {
    #[test]
    fn claims_survive_the_round_trip(name in "\\PC{1,12}", text in "\\PC{0,40}", number in any::<i64>()) {
        prop_assume!(!["exp", "iat", "nbf", "sub", "jti", "aud", "iss", "token_type"].contains(&name.as_str()));
        let mut claims = with(&name, text);
        claims.set("n", number);
        let token = sign(&claims, &key());
        prop_assert_eq!(read(&token, &strict()).unwrap().into_object(), claims);
    }

    /// J13: changing one byte makes another token, which is refused, or leaves the signed bytes alone.
    #[test]
    fn j13_single_byte_changes_are_refused(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let token = sign(&good_claims(), &key()).into_bytes();
        let mut changed = token.clone();
        changed[place.index(token.len())] = byte;
        let outcome = decode(&changed, &key().verifying_key(), &Rules::default(), now());
        if outcome.is_ok() {
            prop_assert_eq!(signed_part(&changed), signed_part(&token));
            prop_assert_eq!(changed, token);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&bytes, &key().verifying_key(), &Rules::default(), now()).is_err());
        let _ = HmacSecret::new(bytes);
    }

    /// Signed rubbish does not panic either, and strict rules accept no more than the usual ones.
    #[test]
    fn signed_rubbish_never_panics(header in "\\PC{0,40}", payload in prop::collection::vec(any::<u8>(), 0..80)) {
        for token in [seal(HEADER, &payload), seal(&header, &payload)] {
            let usual = read(&token, &Rules::default());
            prop_assert!(usual.is_ok() || read(&token, &strict()).is_err());
        }
    }
}
