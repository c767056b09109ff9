//! How many tokens a second one core verifies, under each algorithm, here and with the `jsonwebtoken` crate: signature, header and
//! claims, of the same token in the same run, the two taking turns.
//!
//! `cargo run --release -p countersign-formats --example verification`

use std::hint::black_box;
use std::time::{Duration, Instant};

use countersign_formats::jwt::{
    Algorithm, Claims, HmacAlgorithm, HmacSecret, Lifetime, Rules, SigningKey, TokenType, check_token, decode,
};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::Value;

macro_rules! key_file {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/keys/", $name))
    };
}

const SECRET: &str = "a secret of thirty-two bytes....";
const TURNS: usize = 9;
const TURN: Duration = Duration::from_millis(150);

fn main() {
    let secret = HmacSecret::new(SECRET).expect("a secret");
    let pair = |algorithm, pem| SigningKey::read(algorithm, pem).expect("a key");
    let cases = [
        (
            SigningKey::hmac(HmacAlgorithm::Hs256, &secret),
            jsonwebtoken::Algorithm::HS256,
            DecodingKey::from_secret(SECRET.as_bytes()),
        ),
        (
            pair(Algorithm::EdDsa, key_file!("ed25519.pkcs8.pem")),
            jsonwebtoken::Algorithm::EdDSA,
            DecodingKey::from_ed_pem(key_file!("ed25519.spki.pem").as_bytes()).expect("a key"),
        ),
        (
            pair(Algorithm::Es256, key_file!("p256.pkcs8.pem")),
            jsonwebtoken::Algorithm::ES256,
            DecodingKey::from_ec_pem(key_file!("p256.spki.pem").as_bytes()).expect("a key"),
        ),
        (
            pair(Algorithm::Rs256, key_file!("rsa.pkcs8.pem")),
            jsonwebtoken::Algorithm::RS256,
            DecodingKey::from_rsa_pem(key_file!("rsa.spki.pem").as_bytes()).expect("a key"),
        ),
    ];
    println!("{:<10}{:>18}{:>18}{:>14}", "", "countersign /s", "jsonwebtoken /s", "signing /s");
    for (key, theirs, their_key) in cases {
        let rules = Rules { strict: true, ..Rules::default() };
        let now = Timestamp::from_second(1_790_000_000).expect("a moment");
        let lifetime = Lifetime::of(SignedDuration::from_hours(24 * 365 * 50));
        let mut claims =
            Claims::for_type(TokenType::Access, &rules, now, &lifetime, "0f1e2d3c4b5a69788796a5b4c3d2e1f0");
        claims.set("user_id", "1");
        let token = claims.sign_with(&key, &rules);
        let verifying = key.verifying_key();
        let validation = Validation::new(theirs);
        let mut rates = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            rates[0].push(rate(|| {
                let claims = decode(black_box(token.as_bytes()), &verifying, &rules, now).expect("valid");
                check_token(&claims, TokenType::Access, &rules, now).expect("valid");
            }));
            rates[1].push(rate(|| {
                let token = black_box(token.as_str());
                black_box(jsonwebtoken::decode::<Value>(token, &their_key, &validation).expect("valid"));
            }));
            rates[2].push(rate(|| {
                black_box(claims.sign_with(&key, &rules));
            }));
        }
        let [ours, theirs, signing] = rates.map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[TURNS / 2]
        });
        println!("{:<10}{ours:>18.0}{theirs:>18.0}{signing:>14.0}", key.algorithm().name());
    }
}

/// Times a second that it can be done, in one turn.
fn rate(mut work: impl FnMut()) -> f64 {
    let begun = Instant::now();
    let mut runs = 0_u32;
    while begun.elapsed() < TURN {
        for _ in 0..16 {
            work();
        }
        runs += 16;
    }
    f64::from(runs) / begun.elapsed().as_secs_f64()
}
