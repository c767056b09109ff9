//! What `SimpleJWT` said about each token of two recordings.

use super::*;
use crate::json::object_to_compact_ascii;

const TOKENS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/compat/tokens.jsonl"));
const MORE_TOKENS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/compat/more_tokens.jsonl"));

fn lines(text: &str) -> Vec<Line> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn token_class(line: &Line) -> TokenType {
    let all = [TokenType::Access, TokenType::Refresh, TokenType::Sliding, TokenType::Untyped];
    all.into_iter().find(|kind| kind.class_name() == line["token_class"].as_str().unwrap()).unwrap()
}

/// What the line's token is checked with.
fn key_of(line: &Line) -> Result<VerifyingKey, KeyError> {
    let (algorithm, key) = (algorithm_of(&line["settings"]), &line["key"]);
    match algorithm.hmac() {
        Some(algorithm) => Ok(VerifyingKey::hmac(algorithm, &HmacSecret::new(key["signing"].as_str().unwrap())?)),
        None => VerifyingKey::read(algorithm, key["verifying"].as_str().unwrap()),
    }
}

/// `None` where the key is refused.
fn replay(line: &Line, strict: bool) -> Option<Result<Claims, Refusal>> {
    let key = key_of(line).ok()?;
    let rules = Rules { strict, ..rules_of(&line["settings"]) };
    let now = moment(line["now"].as_f64().unwrap());
    // Bytes above U+007F are written as Latin-1 in one file and as text in the other: neither is base64url.
    let token = line["token"].as_str().unwrap();
    let read = decode(token.as_bytes(), &key, &rules, now);
    Some(read.and_then(|claims| check_token(&claims, token_class(line), &rules, now).map(|()| claims)))
}

fn assert_same(line: &Line, outcome: &Result<Claims, Refusal>) {
    let name = &line["name"];
    match (line["verdict"].as_str().unwrap(), outcome) {
        ("accept", Ok(claims)) => {
            assert_eq!(line["claims"].as_str(), Some(object_to_compact_ascii(claims.as_object()).as_str()), "{name}");
        }
        ("reject", Err(refusal)) => {
            assert_eq!(line["error"].as_str(), Some(&*refusal.message()), "{name}: {}", refusal.cause());
            assert_eq!(refusal.to_string(), refusal.message());
        }
        ("crash", Err(refusal)) => {
            assert_eq!(refusal.message(), "Token is invalid", "{name}");
            assert_eq!(line["advice"], r#"reject, answering "Token is invalid""#, "{name}");
        }
        (verdict, outcome) => panic!("{name}: {verdict} there, {outcome:?} here"),
    }
}

/// All 200 but one, whose key is too short.
#[test]
fn every_token_of_the_reference_is_judged_alike() {
    let mut judged = 0;
    for line in lines(TOKENS) {
        if let Some(outcome) = replay(&line, false) {
            assert_same(&line, &outcome);
            judged += 1;
        } else {
            assert_eq!(line["name"], "rsa-1024-bit-key");
            assert_eq!(key_of(&line).unwrap_err(), KeyError::RsaSize(1024));
        }
    }
    assert_eq!(judged, 199);
}

/// What the original signed without chance is signed here to the same bytes; what it signed with chance is checked.
#[test]
fn signatures_of_the_reference_are_made_alike() {
    let (mut same, mut checked) = (0, 0);
    for line in lines(TOKENS) {
        let (Some(name), Some(key)) = (line["name"].as_str(), line["key"]["signing"].as_str()) else { continue };
        let algorithm = algorithm_of(&line["settings"]);
        if !name.starts_with("valid/") || algorithm.is_hmac() {
            continue;
        }
        let key = SigningKey::read(algorithm, key).unwrap();
        assert!(key_of(&line).unwrap().belongs_to(&key));
        let recorded = line["token"].as_str().unwrap();
        let claims = decode(recorded.as_bytes(), &key.verifying_key(), &Rules::default(), now()).unwrap();
        let ours = sign(claims.as_object(), &key);
        if matches!(algorithm, Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 | Algorithm::EdDsa) {
            assert_eq!(ours, recorded);
            same += 1;
        } else {
            assert_eq!(signed_part(ours.as_bytes()), signed_part(recorded.as_bytes()));
            decode(ours.as_bytes(), &key_of(&line).unwrap(), &Rules::default(), now()).unwrap();
            checked += 1;
        }
    }
    assert_eq!((same, checked), (4, 5));
}

/// All but two are judged alike, and those two are refused: the accepted set lies inside the original's.
#[test]
fn every_further_token_is_judged_alike() {
    let mut judged = 0;
    for line in lines(MORE_TOKENS) {
        let outcome = replay(&line, false).unwrap();
        if line["name"].as_str().unwrap().starts_with("differs/") {
            assert_eq!((line["verdict"].as_str(), outcome.is_err()), (Some("accept"), true));
        } else {
            assert_same(&line, &outcome);
        }
        judged += 1;
    }
    assert_eq!(judged, 784);
}

/// Strict rules refuse more, never less, and in the same words or as invalid.
#[test]
fn strict_rules_only_refuse_more() {
    let mut refused_more = Vec::new();
    for line in lines(TOKENS).iter().chain(&lines(MORE_TOKENS)) {
        let (Some(usual), Some(strict)) = (replay(line, false), replay(line, true)) else {
            continue;
        };
        match (usual, strict) {
            (Ok(usual), Ok(strict)) => assert!(usual == strict),
            (Ok(_), Err(refusal)) => {
                assert_eq!(refusal.message(), "Token is invalid");
                refused_more.push(line["name"].as_str().unwrap().to_owned());
            }
            (Err(usual), Err(strict)) => {
                assert!(strict.message() == usual.message() || strict.message() == "Token is invalid");
            }
            (Err(_), Ok(_)) => panic!("{}: accepted under strict rules only", line["name"]),
        }
    }
    for name in ["payload/utf16", "payload/utf8-bom", "iat/string-integer", "nbf/string-integer", "iat/true"] {
        assert!(refused_more.iter().any(|refused| refused == name), "{name}");
    }
}
