//! The end of tokens that registered clients ask for, over HTTP (RFC 7009).

use countersign_server::Config;
use serde_json::{Value, json};

use crate::database::{Cell, Kind, on_every_backend};
use crate::harness::{Server, instant};
use crate::introspection::{
    CLIENTS, NOW, ask, basic, ends, events, introspect, is_active, log_in, pair, revoke, start, start_with, whoami,
};
use crate::sessions::{SECRET, claims, drop_own_tables, post, text, with_ann};

on_every_backend![
    r5_a_refresh_token_that_is_revoked_ends_its_session_everywhere,
    r5_an_access_token_that_is_revoked_ends_alone,
    r5_tokens_that_are_rows_are_deleted,
    a_client_ends_no_token_of_another,
    what_cannot_be_ended_is_said_so,
    sliding_tokens_are_told_and_ended,
];

fn r5_a_refresh_token_that_is_revoked_ends_its_session_everywhere(kind: Kind) {
    let database = with_ann(kind);
    let rotating = "[simple_jwt]\nrotate_refresh_tokens = true\nblacklist_after_rotation = true\n";
    let (one, two) = (start(&database, rotating), start(&database, rotating));
    let ((access, refresh), (other, _)) = (pair(&one), pair(&one));
    let next = post(&one, "/api/token/refresh/", &json!({ "refresh": refresh })).json();
    let next = |name: &str| next[name].as_str().expect("a token").to_owned();
    assert_eq!(whoami(&two, "Bearer", &access), 200);
    revoke(&one, &next("refresh"));
    for server in [&one, &two] {
        assert!(ends(server, &access));
        assert_eq!(whoami(server, "Bearer", &next("access")), 401);
        assert_eq!(whoami(server, "Bearer", &other), 200, "another session goes on");
        assert_eq!(post(server, "/api/token/refresh/", &json!({ "refresh": next("refresh") })).status, 401);
    }
    let reasons = database.column("SELECT end_reason FROM countersign_session WHERE ended_at IS NOT NULL");
    assert_eq!(reasons, [Cell::Text("revoked".to_owned())]);
    assert_eq!(
        database.column("SELECT count(*) FROM token_blacklist_blacklistedtoken"),
        [Cell::Integer(2)],
        "Django sees it"
    );
    revoke(&one, &next("refresh"));
    revoke(&one, "nothing");
    let told = events(&one, &database, "revoked_by_client");
    let jti = claims(&json!(next("refresh")))["jti"].as_str().expect("an id").to_owned();
    assert_eq!(told, [format!(r#"{{"client":"api","kind":"jwt","jti":"{jti}"}}"#)]);
    assert_eq!(events(&one, &database, "session_ended"), [r#"{"reason":"revoked"}"#]);
}

fn r5_an_access_token_that_is_revoked_ends_alone(kind: Kind) {
    let database = with_ann(kind);
    let (one, two) = (start(&database, ""), start(&database, ""));
    let (access, refresh) = pair(&one);
    let second = post(&one, "/api/token/refresh/", &json!({ "refresh": refresh })).json();
    let second = second["access"].as_str().expect("a token").to_owned();
    let answer = ask(&one, "/api/revoke/", &access, "&token_type_hint=refresh_token");
    assert_eq!(answer.status, 200, "a hint is a hint");
    for server in [&one, &two] {
        assert!(ends(server, &access));
        assert!(!is_active(server, &access));
        assert_eq!(whoami(server, "Bearer", &second), 200);
        assert!(is_active(server, &refresh));
    }
}

fn r5_tokens_that_are_rows_are_deleted(kind: Kind) {
    let database = with_ann(kind);
    for without_sessions in [false, true] {
        let server = if without_sessions {
            drop_own_tables(&database);
            let classes = "[rest_framework]\ndefault_authentication_classes = [{ kind = \"token\", keyword = \"Key\" }, \"knox\", \"basic\"]\n";
            start_with(&database, &format!("{classes}{CLIENTS}"))
        } else {
            start(&database, "")
        };
        let mut tokens = if without_sessions {
            let key = post(&server, "/api-token-auth/", &json!({ "username": "ann", "password": SECRET })).json();
            let knox = server.send("POST", "/knox/login/", &[("Authorization", &basic("ann:secret"))], Some(b""));
            let text = |value: &Value| value["token"].as_str().expect("a token").to_owned();
            vec![("Key", text(&key)), ("Token", text(&knox.json()))]
        } else {
            log_in(&server).split_off(1)
        };
        while let Some((word, token)) = tokens.pop() {
            assert_eq!(whoami(&server, word, &token), 200);
            revoke(&server, &token);
            assert_eq!(whoami(&server, word, &token), 401, "{word}");
            assert!(!is_active(&server, &token));
            assert!(tokens.iter().all(|(word, token)| whoami(&server, word, token) == 200), "the others go on");
            revoke(&server, &token);
        }
        for table in ["authtoken_token", "knox_authtoken"] {
            assert_eq!(database.column(&format!("SELECT count(*) FROM {table}")), [Cell::Integer(0)], "{table}");
        }
        if !without_sessions {
            assert_eq!(database.column("SELECT count(*) FROM countersign_token"), [Cell::Integer(0)]);
            assert_eq!(database.column("SELECT count(*) FROM countersign_device"), [Cell::Integer(0)]);
            let told = events(&server, &database, "revoked_by_client");
            let expected = ["native", "knox", "token"].map(|kind| format!(r#"{{"client":"api","kind":"{kind}"}}"#));
            assert_eq!(told, expected);
        }
    }
}

fn a_client_ends_no_token_of_another(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "[[clients]]\nid = \"app\"\n");
    let login = json!({ "username": "ann", "password": SECRET, "client_id": "app" });
    let pair = post(&server, "/api/token/", &login).json();
    for name in ["access", "refresh"] {
        let token = pair[name].as_str().expect("a token");
        let told = introspect(&server, token);
        assert_eq!(told["client_id"], "app");
        let answer = ask(&server, "/api/revoke/", token, "");
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_grant")), "{}", answer.body);
        assert!(is_active(&server, token));
    }
    let login = json!({ "username": "ann", "password": SECRET, "client_id": "api", "client_secret": "secret" });
    let own = post(&server, "/api/token/", &login).json();
    let own = own["refresh"].as_str().expect("a token");
    revoke(&server, own);
    assert!(!is_active(&server, own));
}

fn what_cannot_be_ended_is_said_so(kind: Kind) {
    let database = with_ann(kind);
    drop_own_tables(&database);
    let server = start_with(&database, CLIENTS);
    let (access, refresh) = pair(&server);
    let unsupported = (400, Some("unsupported_token_type".to_owned()));
    let answer = |server: &Server, token: &str| {
        let answer = ask(server, "/api/revoke/", token, "");
        (
            answer.status,
            serde_json::from_str::<Value>(&answer.body).ok().and_then(|body| Some(body["error"].as_str()?.to_owned())),
        )
    };
    assert_eq!(answer(&server, &access), unsupported, "there is no list of access tokens without sessions");
    assert_eq!(answer(&server, &refresh), (200, None));
    assert!(!is_active(&server, &refresh), "but a blacklist");
    let text = format!("installed_apps = []\n{}", text(&database, CLIENTS));
    let server = Server::start(Config::from_text(&text).expect("holds together"), instant(NOW));
    let (access, refresh) = pair(&server);
    assert!(is_active(&server, &access) && is_active(&server, &refresh));
    assert_eq!(answer(&server, &access), unsupported);
    assert_eq!(answer(&server, &refresh), unsupported);
    assert_eq!(answer(&server, "nothing"), (200, None));
}

fn sliding_tokens_are_told_and_ended(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "[simple_jwt]\nauth_token_classes = [\"SlidingToken\"]\n");
    let login = json!({ "username": "ann", "password": SECRET });
    let token = post(&server, "/api/token/sliding/", &login).json()["token"].as_str().expect("a token").to_owned();
    let told = introspect(&server, &token);
    assert_eq!((&told["token_use"], &told["exp"]), (&json!("sliding"), &json!(1_750_000_300)));
    revoke(&server, &token);
    assert!(!is_active(&server, &token));
    assert_eq!(whoami(&server, "Bearer", &token), 401);
    assert_eq!(post(&server, "/api/token/sliding/refresh/", &json!({ "token": token })).status, 401);
    assert_eq!(
        database.column("SELECT expires_at FROM token_blacklist_outstandingtoken"),
        [Cell::Instant(instant(NOW + 300.0))]
    );
}
