//! Keys over HTTP: what is published, what is fetched from elsewhere, and the ladder while a server runs.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_formats::jwt::{Algorithm, SigningKey, sign};
use countersign_server::Config;
use serde_json::{Value, json};

use crate::database::{Database, Kind, on_every_backend};
use crate::harness::{Answer, Server, instant};
use crate::sessions::{SECRET, text, with_ann};

on_every_backend![
    s5_the_key_set_has_public_parts_alone,
    metadata_name_the_key_set,
    j3_unknown_kids_fetch_nothing,
    tokens_of_several_keys_are_accepted,
    a_server_without_a_private_key_gives_out_no_tokens,
];

const NOW: f64 = 1_750_000_000.0;
const OFF: &str = "[sessions]\nenabled = false\n";

fn start(kind: Kind, more: &str) -> (Database, Server) {
    let database = with_ann(kind);
    let config = Config::from_text(&text(&database, &format!("{OFF}{more}"))).expect("holds together");
    (database, Server::start(config, instant(NOW)))
}

fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    server.send("GET", path, headers, None)
}

fn log_in(server: &Server) -> Answer {
    let body = json!({ "username": "ann", "password": SECRET }).to_string();
    server.send("POST", "/api/token/", &[("Content-Type", "application/json")], Some(body.as_bytes()))
}

fn whoami(server: &Server, token: &str) -> u16 {
    get(server, "/api/whoami/", &[("Authorization", &format!("Bearer {token}"))]).status
}

/// An access token of user 1.
fn token(key: &SigningKey) -> String {
    let claims = [
        ("token_type", "access".into()),
        ("exp", 1_750_000_300.into()),
        ("iat", 1_750_000_000.into()),
        ("jti", "0f1e2d3c4b5a69788796a5b4c3d2e1f0".into()),
        ("user_id", "1".into()),
    ];
    sign(&claims.into_iter().collect(), key)
}

fn key(seed: u8, kid: &str) -> SigningKey {
    SigningKey::from_seed(Algorithm::EdDsa, &[seed; 32]).expect("a key").named(kid)
}

fn key_set(keys: &[&SigningKey]) -> String {
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| {
            let jwk = key.verifying_key().to_public_jwk().expect("a pair");
            serde_json::from_str(&countersign_formats::json::object_to_compact_ascii(&jwk)).expect("JSON")
        })
        .collect();
    json!({ "keys": keys }).to_string()
}

fn s5_the_key_set_has_public_parts_alone(kind: Kind) {
    let (_database, server) = start(kind, "");
    let answer = get(&server, "/.well-known/jwks.json", &[]);
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"keys":[]}"#), "a shared secret is not published");

    let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/keys/rsa.pkcs8.pem");
    let keys = format!("[simple_jwt]\nalgorithm = \"RS256\"\nsigning_key_file = \"{pem}\"\nkey_id = \"2026\"\n");
    let (_database, server) = start(kind, &keys);
    let answer = get(&server, "/.well-known/jwks.json", &[]);
    assert_eq!(answer.header("content-type"), Some("application/jwk-set+json"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let set = answer.json();
    let names: Vec<_> = set["keys"][0].as_object().expect("a key").keys().map(String::as_str).collect();
    assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!((set["keys"][0]["kid"].as_str(), set["keys"].as_array().map(Vec::len)), (Some("2026"), Some(1)));
    let tag = answer.header("etag").expect("a tag").to_owned();
    for known in [tag.as_str(), &format!("\"x\", W/{tag}"), "*"] {
        let again = get(&server, "/.well-known/jwks.json", &[("If-None-Match", known)]);
        assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(tag.as_str())));
    }
    assert_eq!(get(&server, "/.well-known/jwks.json", &[("If-None-Match", "\"x\"")]).status, 200);
    let posted = server.send("POST", "/.well-known/jwks.json", &[], Some(b""));
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
    // What is published checks what is given out.
    let access = log_in(&server).json()["access"].as_str().expect("a token").to_owned();
    let set = countersign_formats::jwt::KeySet::read(&answer.body, None).expect("a set");
    let moment = instant(NOW);
    countersign_formats::jwt::decode(access.as_bytes(), &set.keys, &countersign_formats::jwt::Rules::default(), moment)
        .expect("valid");
    assert_eq!(whoami(&server, &access), 200);
}

fn metadata_name_the_key_set(kind: Kind) {
    let (_database, server) = start(kind, "[simple_jwt]\nissuer = \"https://id.example/\"\n");
    let answer = get(&server, "/.well-known/oauth-authorization-server", &[]);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let metadata = answer.json();
    assert_eq!(metadata["issuer"], "https://id.example/");
    assert_eq!(metadata["jwks_uri"], "https://id.example/.well-known/jwks.json");
    assert_eq!(metadata["response_types_supported"], json!([]));
    // A name that is no address makes no metadata.
    let (_database, server) = start(kind, "[simple_jwt]\nissuer = \"me\"\n");
    assert_eq!(get(&server, "/.well-known/oauth-authorization-server", &[]).status, 404);
}

/// A server that answers every request with a body, and counts them.
struct Elsewhere {
    address: SocketAddr,
    hits: Arc<AtomicUsize>,
}

impl Elsewhere {
    fn start(body: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("an address");
        let hits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&hits);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                counted.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(body.as_bytes());
            }
        });
        Self { address, hits }
    }
}

/// J3: keys are fetched at start, and a flood of tokens with random kids fetches none. What it costs over time is counted in
/// `countersign`, where time is the test's.
fn j3_unknown_kids_fetch_nothing(kind: Kind) {
    let known = key(1, "known");
    let elsewhere = Elsewhere::start(key_set(&[&known]));
    let url = format!("[simple_jwt]\nalgorithm = \"EdDSA\"\njwk_url = \"http://{}/jwks\"\n", elsewhere.address);
    let (_database, server) = start(kind, &url);
    assert_eq!(elsewhere.hits.load(Ordering::SeqCst), 1);
    assert_eq!(whoami(&server, &token(&known)), 200);
    for number in 0..200 {
        assert_eq!(whoami(&server, &token(&key(2, &format!("random-{number}")))), 401);
    }
    let nameless = SigningKey::from_seed(Algorithm::EdDsa, &[1; 32]).expect("a key");
    assert_eq!(whoami(&server, &token(&nameless)), 401, "as in SimpleJWT, a token must name its key");
    assert_eq!(elsewhere.hits.load(Ordering::SeqCst), 1);
    assert_eq!(get(&server, "/api/token/", &[]).status, 404, "no key to sign with");
}

fn tokens_of_several_keys_are_accepted(kind: Kind) {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two, other) = (key(1, "one"), key(2, "two"), key(3, "one"));
    let file = folder.path().join("set.json");
    std::fs::write(&file, key_set(&[&one, &two])).expect("written");
    let keys = format!("[simple_jwt]\naccepted_keys = [{{ key_set_file = \"{}\" }}]\n", file.display());
    let (_database, server) = start(kind, &keys);
    assert_eq!([&one, &two, &other].map(|key| whoami(&server, &token(key))), [200, 200, 401]);
    let access = log_in(&server).json()["access"].as_str().expect("a token").to_owned();
    assert_eq!(whoami(&server, &access), 200);
}

fn a_server_without_a_private_key_gives_out_no_tokens(kind: Kind) {
    let pem = key(1, "one").verifying_key().to_pem().expect("a pair");
    let keys = format!("[simple_jwt]\nalgorithm = \"EdDSA\"\nverifying_key = \"\"\"\n{pem}\"\"\"\n");
    let (_database, server) = start(kind, &keys);
    assert_eq!(log_in(&server).status, 404);
    assert_eq!(whoami(&server, &token(&key(1, "any"))), 200);
    assert_eq!(whoami(&server, &token(&key(2, "any"))), 401);
}
