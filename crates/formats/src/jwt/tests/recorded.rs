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

/// `None` for the algorithms with key pairs.
fn replay(line: &Line, strict: bool) -> Option<Result<Claims, Refusal>> {
    let settings = &line["settings"];
    let algorithm = algorithm_of(settings).hmac().ok()?;
    let secret = HmacSecret::new(line["key"]["signing"].as_str().unwrap()).unwrap();
    let key = VerifyingKey::hmac(algorithm, &secret);
    let rules = Rules { strict, ..rules_of(settings) };
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

#[test]
fn every_hmac_token_of_the_reference_is_judged_alike() {
    let (mut judged, mut waiting) = (0, 0);
    for line in lines(TOKENS) {
        match replay(&line, false) {
            Some(outcome) => {
                assert_same(&line, &outcome);
                judged += 1;
            }
            None => waiting += 1,
        }
    }
    // The 44 with key pairs wait for the asymmetric algorithms.
    assert_eq!((judged, waiting), (156, 44));
}

/// All but three are judged alike, and those three are refused: the accepted set lies inside the original's.
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
