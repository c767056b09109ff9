//! Wycheproof: HMAC as such, and JWS with HMAC keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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

/// Groups with whole tags agree. Truncated tags are never signatures, also those that are right as far as they go.
fn check_hmac(algorithm: HmacAlgorithm, vectors: &Line) -> (usize, usize) {
    let bytes = |test: &Line, name: &str| hex::decode(test[name].as_str().unwrap()).unwrap();
    let (mut whole, mut truncated) = (0, 0);
    for group in vectors["testGroups"].as_array().unwrap() {
        let is_whole = group["tagSize"] == algorithm.hash_len() * 8;
        for test in group["tests"].as_array().unwrap() {
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

/// A JWS may be text or, in JSON serialisation, an object.
fn text_of(jws: &Line) -> String {
    jws.as_str().map_or_else(|| jws.to_string(), ToOwned::to_owned)
}

fn jwk_key(jwk: &Line) -> Option<VerifyingKey> {
    let algorithm: Algorithm = jwk["alg"].as_str()?.parse().ok()?;
    let bytes = URL_SAFE_NO_PAD.decode(jwk["k"].as_str()?).unwrap();
    Some(VerifyingKey::hmac(algorithm.hmac().ok()?, &HmacSecret::new(bytes).unwrap()))
}

/// Returns how many were compared. `pinned`: labels that contradict RFC 7515, with our verdict.
fn check_jws(vectors: &Line, pinned: &[(u64, bool)]) -> usize {
    let mut compared = 0;
    for group in vectors["testGroups"].as_array().unwrap() {
        let private = &group["private"];
        let jwks = private["keys"].as_array().cloned().unwrap_or_else(|| vec![private.clone()]);
        let keys: Vec<_> = jwks.iter().filter_map(jwk_key).collect();
        if keys.is_empty() || keys.len() < jwks.len() || group["tests"][0].get("jws").is_none() {
            continue;
        }
        for test in group["tests"].as_array().unwrap() {
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

/// 367 and 370 are the bytes of the valid 357, labelled invalid; 372 and 373 have `?` in base64url, labelled valid.
#[test]
fn json_web_signature_vectors_agree() {
    let pinned = [(367, true), (370, true), (372, false), (373, false)];
    assert_eq!(check_jws(&vectors!("json_web_signature"), &pinned), 40);
}

/// The key set with an EC key in it waits for the asymmetric algorithms.
#[test]
fn json_web_crypto_vectors_agree() {
    assert_eq!(check_jws(&vectors!("json_web_crypto"), &[]), 19);
}
