//! Tokens of our own kind over HTTP, with the clock in the test's hand.

use countersign_server::{App, Config};
use serde_json::json;

use crate::database::{Cell, Database, Kind, on_every_backend};
use crate::harness::{Answer, Server, instant};
use crate::sessions::{SECRET, drop_own_tables, text, with_ann};

on_every_backend![
    o1_a_login_gives_a_token_of_its_own,
    o2_the_database_holds_no_usable_secret,
    o3_another_case_is_another_token,
    o4_odd_headers_are_refused_and_never_a_fault,
    o5_tokens_end,
    o5_a_token_that_is_not_used_ends,
    o5_a_user_has_at_most_so_many_tokens,
    o6_refused_logins_read_alike,
    r6_an_inactive_user_is_refused,
    r5_what_is_done_to_a_user_ends_tokens,
    r5_a_rehash_ends_no_token,
    jwt_and_native_tokens_share_a_keyword,
    native_tokens_need_their_tables,
    without_native_tokens_nothing_is_theirs,
];

const NOW: f64 = 1_750_000_000.0;

fn start(database: &Database, more: &str) -> Server {
    let text = text(database, &format!("[native_tokens]\nenabled = true\n{more}"));
    Server::start(Config::from_text(&text).expect("holds together"), instant(NOW))
}

fn log_in(server: &Server, password: &str) -> Answer {
    let body = json!({ "username": "ann", "password": password, "device_name": "Ann's laptop" }).to_string();
    server.send("POST", "/api/native/login/", &[("Content-Type", "application/json")], Some(body.as_bytes()))
}

fn token(server: &Server) -> String {
    let answer = log_in(server, SECRET);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["token"].as_str().expect("a token").to_owned()
}

fn whoami(server: &Server, authorization: &str) -> Answer {
    server.send("GET", "/api/whoami/", &[("Authorization", authorization)], None)
}

fn status(server: &Server, token: &str) -> u16 {
    whoami(server, &format!("Bearer {token}")).status
}

fn o1_a_login_gives_a_token_of_its_own(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let answer = log_in(&server, SECRET);
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let (one, two) = (answer.json(), token(&server));
    assert_eq!(one["expires"], "2025-09-13T15:06:40Z");
    assert_ne!(one["token"], two.as_str(), "R8: a new session at each login");
    assert!(two.starts_with("cs_") && two.len() == 39, "{two}");
    let answer = whoami(&server, &format!("Bearer {two}"));
    assert_eq!(answer.body, r#"{"user_id":1,"username":"ann","auth":"native"}"#);
    assert_eq!(whoami(&server, &format!("bearer  {two} ")).status, 200, "RFC 9110 §11.1: without case");
    let bearer = format!("Bearer {two}");
    let answer = server.send("POST", "/api/native/logout/", &[("Authorization", &bearer)], Some(b""));
    assert_eq!((answer.status, &*answer.body), (204, ""));
    let answer = whoami(&server, &bearer);
    assert_eq!((answer.status, &*answer.body), (401, r#"{"detail":"Invalid token."}"#));
    assert_eq!(status(&server, one["token"].as_str().expect("a token")), 200);
    let answer = server.send("POST", "/api/native/logout/", &[], Some(b""));
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer realm=\"api\"")));
}

fn o2_the_database_holds_no_usable_secret(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let token = token(&server);
    for column in ["digest", "user_id", "name", "user_agent", "address"] {
        let cells = database.column(&format!("SELECT coalesce({column}, '') FROM countersign_token"));
        for cell in &cells {
            let Cell::Text(text) = cell else { panic!("{cell:?}") };
            assert!(!text.contains(&token[3..20]), "{column}");
            assert_eq!(status(&server, text), 401, "{column} lets nobody in");
            assert_eq!(status(&server, &format!("cs_{text}")), 401);
        }
        assert_eq!(cells.len(), 1);
    }
    let [Cell::Text(digest)] = &database.column("SELECT digest FROM countersign_token")[..] else { panic!("one") };
    assert_eq!(digest.len(), 64);
}

fn o3_another_case_is_another_token(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let token = token(&server);
    for (place, letter) in token.char_indices().filter(|(_, letter)| letter.is_ascii_alphabetic()) {
        let mut other = token.clone();
        let flipped =
            if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() };
        other.replace_range(place..=place, &flipped.to_string());
        assert_eq!(status(&server, &other), 401, "{place}");
    }
    database.execute("UPDATE countersign_token SET digest = upper(digest)");
    assert_eq!(status(&server, &token), 401, "digests are compared byte by byte");
}

fn o4_odd_headers_are_refused_and_never_a_fault(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "[rest_framework]\ndefault_authentication_classes = [\"native\"]\n");
    let token = token(&server);
    let none = "Invalid token header. No credentials provided.";
    let many = "Invalid token header. Token string should not contain spaces.";
    let long = format!("Bearer cs_{}", "a".repeat(60_000));
    for (header, detail) in [
        ("Bearer", none),
        ("Bearer \t ", none),
        ("Bearer a b", many),
        ("Bearer cs_ b", many),
        (&format!("Bearer {token} {token}"), many),
        (&format!("Bearer {token}\u{a0}"), "Invalid token."),
        (&format!("Bearer {token}x"), "Invalid token."),
        (&format!("Bearer {}", &token[..38]), "Invalid token."),
        (&format!("Bearer {}", &token[3..]), "Invalid token."),
        ("Bearer cs_\u{ff}\u{fe}", "Invalid token."),
        ("Bearer \u{e9}", "Invalid token."),
        (&long, "Invalid token."),
        (&format!("Token {token}"), "Authentication credentials were not provided."),
        (&token, "Authentication credentials were not provided."),
    ] {
        let answer = whoami(&server, header);
        let shown: String = header.chars().take(60).collect();
        assert_eq!((answer.status, answer.json()["detail"].as_str()), (401, Some(detail)), "{shown:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"api\""));
    }
    let bearer = format!("Bearer {token}");
    let twice = [("Authorization", &*bearer), ("Authorization", &*bearer)];
    assert_eq!(server.send("GET", "/api/whoami/", &twice, None).status, 401);
}

fn o5_tokens_end(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "lifetime = 60\n");
    let token = token(&server);
    server.set_clock(instant(NOW + 60.0));
    assert_eq!(status(&server, &token), 200, "good in its last instant");
    server.set_clock(instant(NOW + 60.000_001));
    assert_eq!(status(&server, &token), 401);
    let for_ever = start(&database, "lifetime = false\n");
    assert_eq!(log_in(&for_ever, SECRET).json()["expires"], json!(null));
}

fn o5_a_token_that_is_not_used_ends(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "idle_lifetime = \"10m\"\n");
    let (used, unused) = (token(&server), token(&server));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for minute in 1..4 {
        server.set_clock(instant(NOW + f64::from(minute) * 300.0));
        assert_eq!(status(&server, &used), 200, "minute {}", minute * 5);
        runtime.block_on(server.authority.flush_last_seen()).expect("written");
    }
    assert_eq!(status(&server, &unused), 401);
    server.set_clock(instant(NOW + 1500.0));
    assert_eq!(status(&server, &used), 200);
    server.set_clock(instant(NOW + 1500.1));
    assert_eq!(status(&server, &used), 401, "what was not written down yet does not count");
}

fn o5_a_user_has_at_most_so_many_tokens(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "limit_per_user = 2\nlifetime = 60\n");
    token(&server);
    token(&server);
    let answer = log_in(&server, SECRET);
    assert_eq!(answer.status, 403);
    assert_eq!(answer.body, r#"{"error":"Maximum amount of tokens allowed per user exceeded."}"#);
    server.set_clock(instant(NOW + 61.0));
    token(&server);
    assert_eq!(database.column("SELECT count(*) FROM countersign_token"), [Cell::Integer(1)], "the dead are gone");
}

fn o6_refused_logins_read_alike(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let refused = |password: &str| {
        let answer = log_in(&server, password);
        (answer.status, answer.header("www-authenticate").map(str::to_owned), answer.body)
    };
    let wrong = refused("wrong");
    let challenge = Some("Bearer realm=\"api\"".to_owned());
    let body = r#"{"detail":"No active account found with the given credentials"}"#.to_owned();
    assert_eq!(wrong, (401, challenge, body));
    database.execute("UPDATE auth_user SET is_active = FALSE");
    assert_eq!(refused(SECRET), wrong, "inactive");
    database.execute("DELETE FROM auth_user");
    assert_eq!(refused(SECRET), wrong, "unknown");
    assert_eq!(database.column("SELECT count(*) FROM countersign_token"), [Cell::Integer(0)]);
    let answer = server.send("POST", "/api/native/login/", &[("Content-Type", "application/json")], Some(b"{}"));
    assert_eq!(answer.body, r#"{"username":["This field is required."],"password":["This field is required."]}"#);
}

fn r6_an_inactive_user_is_refused(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let bearer = format!("Bearer {}", token(&server));
    database.execute("UPDATE auth_user SET is_active = FALSE");
    let answer = whoami(&server, &bearer);
    assert_eq!((answer.status, &*answer.body), (401, r#"{"detail":"User inactive or deleted."}"#));
    database.execute("DELETE FROM auth_user");
    let answer = whoami(&server, &bearer);
    assert_eq!((answer.status, &*answer.body), (401, r#"{"detail":"Invalid token."}"#));
}

/// Disabled and enabled again, or with another password: what was given out before stays void, is not listed, and goes in time.
fn r5_what_is_done_to_a_user_ends_tokens(kind: Kind) {
    for deed in [
        "UPDATE auth_user SET is_active = FALSE; UPDATE auth_user SET is_active = TRUE",
        "UPDATE auth_user SET password = 'x' || password; UPDATE auth_user SET password = substr(password, 2)",
        "UPDATE auth_user SET id = 2; UPDATE auth_user SET id = 1",
    ] {
        let database = with_ann(kind);
        let (server, another) = (start(&database, "limit_per_user = 2\n"), start(&database, ""));
        let before = [token(&server), token(&server)];
        assert_eq!(log_in(&server, SECRET).status, 403);
        database.execute(deed);
        let refusal = r#"{"detail":"Invalid token."}"#;
        for (node, token) in [(&server, &before[0]), (&another, &before[1])] {
            let answer = whoami(node, &format!("Bearer {token}"));
            assert_eq!((answer.status, &*answer.body), (401, refusal), "{deed}: at once, and on every node");
        }
        // The database's clock is far ahead of this one, as that of a node may be.
        let after = token(&server);
        assert_eq!(status(&another, &after), 200, "{deed}");
        let listed = server.send("GET", "/api/sessions/", &[("Authorization", &format!("Bearer {after}"))], None);
        assert_eq!(listed.json().as_array().map(Vec::len), Some(1), "{}", listed.body);
        assert_eq!(database.column("SELECT count(*) FROM countersign_token"), [Cell::Integer(1)], "a login clears");
        // What is not cleared by a login is by the server, and stays void when the mark is gone.
        database.execute(deed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        assert!(runtime.block_on(server.authority.store().settle_owners(10)).expect("settled") > 0);
        assert_eq!(database.column("SELECT count(*) FROM countersign_token"), [Cell::Integer(0)]);
        let owners = "SELECT count(*) FROM countersign_revocation WHERE kind = 'owner'";
        assert_eq!(database.column(owners), [Cell::Integer(0)]);
        assert_eq!(status(&server, &after), 401);
        assert_eq!(status(&server, &token(&server)), 200);
    }
}

fn r5_a_rehash_ends_no_token(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let before = token(&server);
    let hash = || database.column("SELECT password FROM auth_user");
    let old = hash();
    let costlier = text(&database, "[native_tokens]\nenabled = true\n").replace("iterations = 1", "iterations = 2");
    let costlier = Server::start(Config::from_text(&costlier).expect("holds together"), instant(NOW));
    let during = token(&costlier);
    assert_ne!(hash(), old, "re-hashed");
    assert_eq!([status(&server, &before), status(&server, &during)], [200, 200]);
}

fn jwt_and_native_tokens_share_a_keyword(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let body = json!({ "username": "ann", "password": SECRET }).to_string();
    let answer =
        server.send("POST", "/api/token/", &[("Content-Type", "application/json")], Some(body.as_bytes())).json();
    let jwt = format!("Bearer {}", answer["access"].as_str().expect("a token"));
    assert_eq!(whoami(&server, &jwt).json()["auth"], "jwt");
    assert_eq!(whoami(&server, &format!("Bearer {}", token(&server))).json()["auth"], "native");
    assert_eq!(whoami(&server, "Bearer nonsense").json()["code"], "token_not_valid");
    assert_eq!(whoami(&server, "Bearer a b").json()["code"], "bad_authorization_header");
    assert_eq!(whoami(&server, "bearer nonsense").json()["detail"], "Invalid token.", "SimpleJWT's words have a case");
    assert_eq!(whoami(&server, "Bearer").json()["code"], "bad_authorization_header");
    let own = start(&database, "keyword = \"Key\"\nprefix = \"acme\"\n");
    let token = token(&own);
    assert!(token.starts_with("acme_"), "{token}");
    assert_eq!(whoami(&own, &format!("Key {token}")).json()["auth"], "native");
    assert_eq!(whoami(&own, &format!("Bearer {token}")).status, 401);
}

fn native_tokens_need_their_tables(kind: Kind) {
    let database = with_ann(kind);
    drop_own_tables(&database);
    let text = text(&database, "[native_tokens]\nenabled = true\n");
    let config = Config::from_text(&text).expect("holds together");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let refusal = runtime.block_on(async { App::build(config).await.err() }).expect("refused");
    assert_eq!(
        format!("{refusal:#}"),
        "native_tokens.enabled: the database has no tables for such tokens, or not all of ours; run `countersign migrate`"
    );
}

fn without_native_tokens_nothing_is_theirs(kind: Kind) {
    let database = with_ann(kind);
    let token = token(&start(&database, ""));
    let server = Server::start(Config::from_text(&text(&database, "")).expect("holds together"), instant(NOW));
    assert_eq!(log_in(&server, SECRET).status, 404);
    assert_eq!(whoami(&server, &format!("Bearer {token}")).json()["code"], "token_not_valid");
}
