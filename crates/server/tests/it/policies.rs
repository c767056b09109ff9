//! What a resource's declaration promises, where no exchange was recorded.

use std::io::{Read as _, Write as _};

use countersign_server::Config;
use serde_json::json;

use crate::database::{Database, Kind, on_every_backend};
use crate::harness::{SECRET_KEY, Server, instant};

on_every_backend![
    whoami_names_the_user_and_the_scheme,
    head_has_the_status_and_headers_of_get_and_no_body,
    a_declared_resource_has_its_own_policy_and_answer,
    a_fixed_answer_goes_out_as_declared,
    g1_repeated_authorization_headers_let_nobody_in,
    g1_a_repeated_basic_header_lets_nobody_in,
    o3_a_key_in_another_case_is_another_key,
    o4_odd_headers_are_refused_and_never_break_the_server,
    an_answer_does_not_wait_for_what_follows_the_request,
    s4_heads_that_cannot_be_read_are_answered,
    a_client_that_says_nothing_is_let_go,
    j13_an_id_that_the_blacklist_cannot_hold_is_refused,
    b3_token_answers_are_not_cached,
    a_path_can_be_moved_and_switched_off,
    a_body_over_the_limit_is_djangos_page,
    probes_tell_whether_the_server_lives_and_can_serve,
    the_login_field_is_called_what_the_user_model_calls_it,
];

const KEY: &str = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b";

fn server(store: Kind, extra: &str) -> (Database, Server) {
    let database = Database::with(
        store,
        &json!({
            "auth_user": [{"id": 1, "username": "alice", "password": "!", "email": "alice@example.com"}],
            "authtoken_token": [{"key": KEY, "user_id": 1, "created": "2025-02-03T04:05:06Z"}],
        }),
    );
    let text = format!(
        "secret_key = \"{SECRET_KEY}\"\ndatabase_url = \"{}\"\nbind = \"127.0.0.1:0\"\n{extra}",
        database.url()
    );
    let config = Config::from_text(&text).expect("a configuration");
    let server = Server::start(config, instant(1_750_000_000.0));
    (database, server)
}

fn whoami_names_the_user_and_the_scheme(store: Kind) {
    let (_database, server) = server(store, "");
    let answer = server.send("GET", "/api/whoami/", &[("authorization", &format!("Token {KEY}"))], None);
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"user_id":1,"username":"alice","auth":"token"}"#));
    assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    let answer = server.send("GET", "/api/whoami/", &[], None);
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Token")));
}

fn head_has_the_status_and_headers_of_get_and_no_body(store: Kind) {
    let (_database, server) = server(store, "");
    let answer = server.send("HEAD", "/api/whoami/", &[("authorization", &format!("Token {KEY}"))], None);
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(answer.header("content-length"), Some("47"));
}

fn a_declared_resource_has_its_own_policy_and_answer(store: Kind) {
    let (_database, server) = server(
        store,
        r#"
        [[protected]]
        path = "/reports/"
        authentication = ["jwt", { kind = "token", keyword = "Bearer", table = "authtoken_token" }]
        permission = "is_authenticated"
        methods = ["GET", "POST"]
        response = { content_type = "application/json", body = '{"ok":true}' }
        [[protected]]
        path = "/keys/"
        authentication = [{ kind = "token", keyword = "Key" }]
        "#,
    );
    let answer = server.send("GET", "/keys/", &[("authorization", &format!("key {KEY}"))], None);
    assert_eq!((answer.status, answer.json()["auth"].as_str()), (200, Some("token")));
    let answer = server.send("GET", "/keys/", &[("authorization", &format!("Token {KEY}"))], None);
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Key")));
    // Two schemes with one keyword: the JWT scheme refuses what is no JWT and the chain ends, as in DRF.
    let answer = server.send("GET", "/reports/", &[("authorization", &format!("Bearer {KEY}"))], None);
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer realm=\"api\"")));
    let answer = server.send("POST", "/reports/", &[], None);
    assert_eq!((answer.status, answer.header("allow")), (401, Some("GET, POST, HEAD, OPTIONS")));
}

fn a_fixed_answer_goes_out_as_declared(store: Kind) {
    let (_database, server) = server(
        store,
        "[[protected]]\npath = \"/hello/\"\npermission = \"allow_any\"\nresponse = { content_type = \"text/plain\", body = \"hi\" }\n",
    );
    let answer = server.send("GET", "/hello/", &[], None);
    assert_eq!((answer.status, answer.body.as_str(), answer.header("content-type")), (200, "hi", Some("text/plain")));
}

fn g1_repeated_authorization_headers_let_nobody_in(store: Kind) {
    let (_database, server) = server(store, "");
    let token = format!("Token {KEY}");
    let answer = server.send("GET", "/api/whoami/", &[("authorization", &token), ("authorization", &token)], None);
    assert_eq!(answer.status, 401);
}

/// Found by fuzzing: Python's base64 skips the comma between two fields, and the rest after the padding.
fn g1_a_repeated_basic_header_lets_nobody_in(store: Kind) {
    let (database, server) = server(store, "");
    database.execute("UPDATE auth_user SET password = 'pbkdf2_sha256$2$abcdefghijklmnopqrstuv$pjiTBvbVh4pIMoYChNcyRvKO8UR+SdBV6B1U6r4K5mw='");
    let basic = "Basic YWxpY2U6c2VzYW1lIQ==";
    let once = server.send("GET", "/api/whoami/", &[("authorization", basic)], None);
    assert_eq!((once.status, once.json()["auth"].as_str()), (200, Some("basic")));
    for more in ["", "x", "=", "YWxpY2U6eA=="] {
        let answer = server.send("GET", "/api/whoami/", &[("authorization", basic), ("authorization", more)], None);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (401, r#"{"detail":"Invalid basic header. Credentials not correctly base64 encoded."}"#),
            "{more:?}"
        );
    }
}

fn o3_a_key_in_another_case_is_another_key(store: Kind) {
    let (_database, server) = server(store, "");
    let answer =
        server.send("GET", "/api/whoami/", &[("authorization", &format!("Token {}", KEY.to_uppercase()))], None);
    assert_eq!((answer.status, answer.body.as_str()), (401, r#"{"detail":"Invalid token."}"#));
}

fn o4_odd_headers_are_refused_and_never_break_the_server(store: Kind) {
    let (_database, server) = server(store, "");
    for value in [
        "Token \u{ff}\u{fe}",
        "Token",
        "Token  ",
        "Basic \u{80}",
        "Bearer a b",
        "Bearer ...",
        "\u{a0}Token x",
        "Basic ====",
    ] {
        let answer = server.send("GET", "/api/whoami/", &[("authorization", value)], None);
        assert_eq!(answer.status, 401, "{value:?}: {}", answer.body);
    }
    // A megabyte: refused before it has all come, so that the answer may be lost with the connection.
    let long =
        format!("GET /api/whoami/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token {}\r\n\r\n", "a".repeat(1_000_000));
    if let Some(answer) = server.try_send_raw(long.as_bytes()) {
        assert_eq!(answer.status, 431);
    }
    let spaces = format!("Token {}x", " ".repeat(30_000));
    assert_eq!(server.send("GET", "/api/whoami/", &[("authorization", &spaces)], None).status, 401);
}

fn an_answer_does_not_wait_for_what_follows_the_request(store: Kind) {
    let (_database, server) = server(store, "");
    let request = b"GET /api/whoami/ HTTP/1.1\r\nHost: x\r\n\r\n";
    for trailing in [&b"\r\n"[..], b"G", b"GET /api/"] {
        let mut connection = server.connect();
        connection.write_all(&[request, trailing].concat()).expect("sent");
        let mut start = [0; 12];
        connection.read_exact(&mut start).expect("an answer while the connection stays open");
        assert_eq!(&start, b"HTTP/1.1 401");
    }
}

fn s4_heads_that_cannot_be_read_are_answered(store: Kind) {
    let (_database, server) = server(store, "");
    let many = "X: y\r\n".repeat(101);
    assert_eq!(server.send_raw(format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes()).status, 431);
    assert_eq!(server.send_raw(b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x01b\r\n\r\n").status, 400);
}

fn a_client_that_says_nothing_is_let_go(store: Kind) {
    let (_database, server) = server(store, "[limits]\nheader_timeout = \"200ms\"\n");
    for said in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", b"GET / HT"] {
        let mut connection = server.connect();
        connection.write_all(said).expect("sent");
        let mut rest = Vec::new();
        connection.read_to_end(&mut rest).expect("closed by the server");
    }
}

fn j13_an_id_that_the_blacklist_cannot_hold_is_refused(store: Kind) {
    use countersign_formats::json::{NonFinite, Value, parse};
    use countersign_formats::jwt::{HmacAlgorithm, HmacSecret, SigningKey, sign};

    let (_database, server) =
        server(store, "[simple_jwt]\nblacklist_after_rotation = true\nrotate_refresh_tokens = true\n");
    let key = SigningKey::hmac(HmacAlgorithm::Hs256, &HmacSecret::new(SECRET_KEY).expect("a secret"));
    let token = |claims: &str| {
        let claims = format!(r#"{{"token_type":"refresh","exp":1750086400,"user_id":"1",{claims}}}"#);
        let Ok(Value::Object(claims)) = parse(&claims, NonFinite::Refuse) else { panic!("no object: {claims}") };
        sign(&claims, &key)
    };
    for claims in [r#""jti":"a\u0000b""#, r#""jti":"\ud800""#, r#""jti":"x","iss":5"#] {
        for (path, field) in [("refresh", "refresh"), ("verify", "token"), ("blacklist", "refresh")] {
            let body = format!(r#"{{"{field}":"{}"}}"#, token(claims));
            let json = [("content-type", "application/json")];
            let answer = server.send("POST", &format!("/api/token/{path}/"), &json, Some(body.as_bytes()));
            let is_iss = claims.contains("iss");
            if is_iss && path != "refresh" {
                assert_eq!(answer.status, 200, "{claims} {path}: nothing is signed again");
            } else {
                assert_eq!((answer.status, answer.body.as_str()), (401, INVALID), "{claims} {path}");
            }
        }
    }
}

const INVALID: &str = r#"{"detail":"Token is invalid","code":"token_not_valid"}"#;

fn b3_token_answers_are_not_cached(store: Kind) {
    let (_database, server) = server(store, "");
    let body = br#"{"username":"nobody","password":"x"}"#;
    for path in ["/api-token-auth/", "/api/token/", "/api/token/sliding/"] {
        let answer = server.send("POST", path, &[("content-type", "application/json")], Some(body));
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
}

fn a_path_can_be_moved_and_switched_off(store: Kind) {
    let (_database, server) = server(store, "[paths]\nwhoami = \"/me\"\ntoken_verify = \"\"\n");
    assert_eq!(server.send("GET", "/me", &[], None).status, 401);
    assert_eq!(server.send("GET", "/api/whoami/", &[], None).status, 404);
    assert_eq!(server.send("POST", "/api/token/verify/", &[], None).status, 404);
    assert_eq!(server.send("GET", "/%6De", &[], None).status, 401, "paths are matched decoded");
}

fn a_body_over_the_limit_is_djangos_page(store: Kind) {
    let (_database, server) = server(store, "data_upload_max_memory_size = 1000\n");
    let body = vec![b' '; 1001];
    let answer = server.send("POST", "/api/token/", &[("content-type", "application/json")], Some(&body));
    assert_eq!((answer.status, answer.header("content-type")), (400, Some("text/html; charset=utf-8")));
    let answer = server.send("POST", "/api/token/", &[("content-type", "application/json")], Some(&body[..1000]));
    assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")));
}

fn probes_tell_whether_the_server_lives_and_can_serve(store: Kind) {
    let (_database, server) = server(store, "[paths]\nreadyz = \"/up\"\n");
    for path in ["/healthz", "/up"] {
        let answer = server.send("GET", path, &[("accept", "image/png")], None);
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(server.send("HEAD", path, &[], None).status, 200);
        assert_eq!(server.send("POST", path, &[], None).status, 405);
    }
    assert_eq!(server.send("GET", "/readyz", &[], None).status, 404);
}

fn the_login_field_is_called_what_the_user_model_calls_it(store: Kind) {
    let (_database, server) = server(store, "[users]\nusername = \"email\"\nusername_field = \"mail_address\"\n");
    let answer = server.send("POST", "/api/token/", &[("content-type", "application/json")], Some(b"{}"));
    let expected = r#"{"mail_address":["This field is required."],"password":["This field is required."]}"#;
    assert_eq!((answer.status, answer.body.as_str()), (400, expected));
    let form = server.send("OPTIONS", "/api/token/", &[], None).json();
    assert_eq!(form["actions"]["POST"]["mail_address"]["label"], "Mail address");
    // DRF's own view has a field of that name whatever the model.
    let answer = server.send("POST", "/api-token-auth/", &[("content-type", "application/json")], Some(b"{}"));
    assert!(answer.body.starts_with(r#"{"username":["#), "{}", answer.body);
    // The user is told by the mapped column.
    let answer = server.send("GET", "/api/whoami/", &[("authorization", &format!("Token {KEY}"))], None);
    assert_eq!(answer.json()["username"], "alice@example.com");
}
