//! Wycheproof: the primitives that JWS algorithms are, whole tokens, keys and key sets.

use super::*;

macro_rules! vectors {
    ($name:literal) => {
        serde_json::from_str::<Line>(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../testdata/wycheproof/",
            $name,
            "_test.json"
        )))
        .unwrap()
    };
}

fn groups(vectors: &Line) -> &[Line] {
    vectors["testGroups"].as_array().unwrap()
}

fn tests(group: &Line) -> &[Line] {
    group["tests"].as_array().unwrap()
}

fn bytes(test: &Line, name: &str) -> Vec<u8> {
    hex::decode(test[name].as_str().unwrap()).unwrap()
}

/// Groups with whole tags agree. Truncated tags are never signatures, also those that are right as far as they go.
fn check_hmac(algorithm: HmacAlgorithm, vectors: &Line) -> (usize, usize) {
    let (mut whole, mut truncated) = (0, 0);
    for group in groups(vectors) {
        let is_whole = group["tagSize"] == algorithm.hash_len() * 8;
        for test in tests(group) {
            let key = VerifyingKey::hmac(algorithm, &HmacSecret::new(bytes(test, "key")).unwrap());
            let verifies = key.verifies(&bytes(test, "msg"), &bytes(test, "tag"));
            assert_eq!(verifies, is_whole && test["result"] == "valid", "{} {}", algorithm.name(), test["tcId"]);
            if is_whole { whole += 1 } else { truncated += 1 }
        }
    }
    (whole, truncated)
}

#[test]
fn hmac_vectors_agree() {
    assert_eq!(check_hmac(HmacAlgorithm::Hs256, &vectors!("hmac_sha256")), (87, 87));
    assert_eq!(check_hmac(HmacAlgorithm::Hs384, &vectors!("hmac_sha384")), (87, 87));
    assert_eq!(check_hmac(HmacAlgorithm::Hs512, &vectors!("hmac_sha512")), (87, 87));
}

/// Every signature is judged as labelled; `acceptable` (a missing NULL) is refused. Returns how many are valid and how many not.
fn check_pair(algorithm: &str, vectors: &Line) -> (usize, usize) {
    let (mut valid, mut invalid) = (0, 0);
    for group in groups(vectors) {
        let algorithm: Algorithm = algorithm.parse().unwrap();
        let key = VerifyingKey::read(algorithm, group["publicKeyPem"].as_str().unwrap()).unwrap();
        for test in tests(group) {
            let is_valid = test["result"] == "valid";
            let verifies = key.verifies(&bytes(test, "msg"), &bytes(test, "sig"));
            assert_eq!(verifies, is_valid, "{algorithm} {} {}", test["tcId"], test["comment"]);
            if is_valid { valid += 1 } else { invalid += 1 }
        }
    }
    (valid, invalid)
}

/// J9: r and s in range and of exact length, points on the curve.
#[test]
fn j9_ecdsa_vectors_agree() {
    assert_eq!(check_pair("ES256", &vectors!("ecdsa_secp256r1_sha256_p1363")), (173, 89));
    assert_eq!(check_pair("ES384", &vectors!("ecdsa_secp384r1_sha384_p1363")), (193, 87));
    assert_eq!(check_pair("ES512", &vectors!("ecdsa_secp521r1_sha512_p1363")), (231, 87));
    assert_eq!(check_pair("ES256K", &vectors!("ecdsa_secp256k1_sha256_p1363")), (167, 85));
}

#[test]
fn j9_rsa_vectors_agree() {
    assert_eq!(check_pair("RS256", &vectors!("rsa_signature_2048_sha256")), (9, 250));
    assert_eq!(check_pair("RS384", &vectors!("rsa_signature_2048_sha384")), (7, 251));
    assert_eq!(check_pair("RS512", &vectors!("rsa_signature_2048_sha512")), (8, 251));
    assert_eq!(check_pair("RS256", &vectors!("rsa_signature_3072_sha256")), (8, 251));
    assert_eq!(check_pair("RS512", &vectors!("rsa_signature_4096_sha512")), (7, 252));
}

/// J9: PSS with the digest's own mask and salt length, exactly.
#[test]
fn j9_pss_vectors_agree() {
    assert_eq!(check_pair("PS256", &vectors!("rsa_pss_2048_sha256_mgf1_32")), (63, 45));
    assert_eq!(check_pair("PS384", &vectors!("rsa_pss_2048_sha384_mgf1_48")), (95, 46));
    assert_eq!(check_pair("PS512", &vectors!("rsa_pss_4096_sha512_mgf1_64")), (132, 47));
}

#[test]
fn ed25519_vectors_agree() {
    assert_eq!(check_pair("EdDSA", &vectors!("ed25519")), (88, 63));
}

/// **Differs:** Ed448 is not supported, so that none of its 87 signatures can be accepted.
#[test]
fn ed448_keys_are_refused() {
    let vectors = vectors!("ed448");
    let (mut signatures, unsupported) = (0, KeyError::UnsupportedKind("an Ed448 key"));
    for group in groups(&vectors) {
        let jwk = group["publicKeyJwk"].to_string();
        for text in [group["publicKeyPem"].as_str().unwrap(), &jwk] {
            assert_eq!(VerifyingKey::read(Algorithm::EdDsa, text).unwrap_err(), unsupported);
        }
        signatures += tests(group).len();
    }
    assert_eq!(signatures, 87);
}

/// A JWS may be text or, in JSON serialisation, an object.
fn text_of(jws: &Line) -> String {
    jws.as_str().map_or_else(|| jws.to_string(), ToOwned::to_owned)
}

/// What a group's tokens are checked with: its key set, or its key as a set of one. None, if the set is refused.
fn keys_of(group: &Line) -> Vec<VerifyingKey> {
    let key = if group["public"].is_null() { &group["private"] } else { &group["public"] };
    let set = if key["keys"].is_array() { key.clone() } else { serde_json::json!({ "keys": [key] }) };
    KeySet::read(&set.to_string(), None).map_or_else(|_| Vec::new(), |set| set.keys)
}

/// Returns how many were compared. `pinned`: labels that contradict RFC 7515, with our verdict.
fn check_jws(vectors: &Line, pinned: &[(u64, bool)]) -> usize {
    let mut compared = 0;
    for group in groups(vectors) {
        let keys = keys_of(group);
        for test in tests(group).iter().filter(|test| test.get("jws").is_some()) {
            let id = test["tcId"].as_u64().unwrap();
            let label = test["result"] == "valid";
            let expected = pinned.iter().find(|(pinned, _)| *pinned == id).map_or(label, |(_, ours)| *ours);
            let token = text_of(&test["jws"]);
            let opened = jws::open(token.as_bytes(), &keys, &strict());
            assert_eq!(opened.is_ok(), expected, "{id} {}: {opened:?}", test["comment"]);
            assert_eq!(jws::open(token.as_bytes(), &keys, &Rules::default()).is_ok(), expected, "{id}, not strict");
            compared += 1;
        }
    }
    compared
}

/// All 401, with eight labels pinned: 367 and 370 are the bytes of the valid 357, labelled invalid; 372 and 373 have `?` in
/// base64url, labelled valid; 346 and 350 are PS384 under a key for PS256, 347 and 351 ES512 under a key for "ES521".
#[test]
fn json_web_signature_vectors_agree() {
    let accepted = [367, 370].map(|id| (id, true));
    let refused = [372, 373, 346, 350, 347, 351].map(|id| (id, false));
    assert_eq!(check_jws(&vectors!("json_web_signature"), &[&accepted[..], &refused].concat()), 401);
}

/// All tokens that are signed; the others are encrypted, and have no key here.
#[test]
fn json_web_crypto_vectors_agree() {
    assert_eq!(check_jws(&vectors!("json_web_crypto"), &[]), 49);
}

/// All 26, the ROCA key (7) among them: mixed and repeated keys, short secrets, small moduli and exponents, wrong uses, curves and
/// points.
#[test]
fn json_web_key_vectors_agree() {
    assert_eq!(check_jws(&vectors!("json_web_key"), &[]), 26);
}
