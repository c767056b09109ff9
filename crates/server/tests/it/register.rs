//! Known attacks on servers like this one, each under the number of its advisory (`docs/security.md`), and promises about data that
//! need the whole program.

use countersign_server::Config;
use serde_json::{Value, json};

use crate::database::{Cell, Database, Kind, on_every_backend};
use crate::harness::{Answer, SECRET_KEY, Server, instant};
use crate::sessions::{NOW, SECRET, log_in, post, start, text, with_ann};

on_every_backend![
    register_cve_2024_22513_a_disabled_user_is_out_everywhere,
    register_simplejwt_985_a_logout_without_its_app_is_no_silent_success,
    register_cve_2024_21543_a_refusal_of_the_backend_stays_one,
    register_cve_2013_1443_a_long_password_costs_nothing_more,
    register_cve_2014_0474_a_number_is_not_a_key,
    register_cve_2015_0219_a_header_with_underscores_is_another_header,
    register_cve_2026_3902_a_header_with_underscores_is_another_header,
    register_cve_2015_5143_strangers_fill_no_table,
    register_cve_2018_16984_no_answer_shows_a_hash,
    register_cve_2023_46695_a_long_name_costs_nothing_more,
    register_cve_2025_14550_joined_headers_let_nobody_in,
    register_cve_2025_48432_a_path_writes_no_line_into_the_log,
    register_ghsa_xmf8_cvqr_rfgj_a_bad_authorization_header_is_a_401,
    register_keycloak_46054_a_refresh_token_is_used_once,
    register_ghsa_392p_2q2v_4372_parallel_refreshes_leave_one_line,
    o2_a_dump_of_the_database_lets_nobody_in_by_knox,
    s6_a_fresh_database_has_no_account,
    s9_a_store_that_fails_lets_nobody_in,
];

const WRONG: &str = r#"{"detail":"No active account found with the given credentials"}"#;

fn bearer(server: &Server, path: &str, token: &str) -> Answer {
    server.send("GET", path, &[("authorization", &format!("Bearer {token}"))], None)
}

fn text_of<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens[name].as_str().expect("a token")
}

/// A user who is switched off kept their tokens.
fn register_cve_2024_22513_a_disabled_user_is_out_everywhere(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let tokens = log_in(&server);
    assert_eq!(bearer(&server, "/api/whoami/", text_of(&tokens, "access")).status, 200);
    database.execute("UPDATE auth_user SET is_active = false");
    assert_eq!(bearer(&server, "/api/whoami/", text_of(&tokens, "access")).status, 401);
    assert_eq!(post(&server, "/api/token/refresh/", &json!({"refresh": tokens["refresh"]})).status, 401);
    let again = post(&server, "/api/token/", &json!({"username": "ann", "password": SECRET}));
    assert_eq!((again.status, again.body.as_str()), (401, WRONG));
}

/// Without the blacklist app its view said 200 and did nothing.
fn register_simplejwt_985_a_logout_without_its_app_is_no_silent_success(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let tokens = log_in(&server);
    let out = post(&server, "/api/token/blacklist/", &json!({"refresh": tokens["refresh"]}));
    assert_eq!(out.status, 200);
    assert_eq!(post(&server, "/api/token/refresh/", &json!({"refresh": tokens["refresh"]})).status, 401);
    drop(server);
    let without = text(&database, "").replace("[auth.", "installed_apps = [\"rest_framework.authtoken\"]\n[auth.");
    let server = Server::start(Config::from_text(&without).expect("holds together"), instant(NOW));
    assert_eq!(post(&server, "/api/token/blacklist/", &json!({"refresh": "x"})).status, 404, "not there at all");
}

/// A login view looked the user up itself once the backends had refused.
fn register_cve_2024_21543_a_refusal_of_the_backend_stays_one(kind: Kind) {
    let database = with_ann(kind);
    database.execute("UPDATE auth_user SET is_active = false");
    let server = start(&database, "");
    for path in ["/api/token/", "/api/token/sliding/", "/api-token-auth/"] {
        let answer = post(&server, path, &json!({"username": "ann", "password": SECRET}));
        assert!(matches!(answer.status, 400 | 401), "{path}: {}", answer.body);
    }
}

/// Hashing took as long as the password.
fn register_cve_2013_1443_a_long_password_costs_nothing_more(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    for length in [4_097, 100_000, 2_000_000] {
        let password = "x".repeat(length);
        let answer = post(&server, "/api/token/", &json!({"username": "ann", "password": password}));
        assert_eq!((answer.status, answer.body.as_str()), (401, WRONG), "{length}");
    }
}

/// A number was compared with a text column, and `0` matched every text.
fn register_cve_2014_0474_a_number_is_not_a_key(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    post(&server, "/api-token-auth/", &json!({"username": "ann", "password": SECRET}));
    for key in ["0", "1", "true", "00", "9944"] {
        let header = format!("Token {key}");
        assert_eq!(server.send("GET", "/api/whoami/", &[("authorization", &header)], None).status, 401);
    }
    for username in [json!(0), json!(true), json!(["ann"]), json!({"ann": 1}), json!(null)] {
        let answer = post(&server, "/api/token/", &json!({"username": username, "password": SECRET}));
        assert!(matches!(answer.status, 400 | 401), "{username}: {}", answer.body);
    }
}

/// `X_Forwarded_For` was `X-Forwarded-For` to the application and not to the proxy that cleans it.
fn underscores(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let tokens = log_in(&server);
    let value = format!("Bearer {}", text_of(&tokens, "access"));
    for name in ["authorization_", "http_authorization", "AUTHORIZATION_", "x_authorization"] {
        assert_eq!(server.send("GET", "/api/whoami/", &[(name, &value)], None).status, 401, "{name}");
    }
    let both = [("authorization", value.as_str()), ("authorization_", "Bearer x")];
    assert_eq!(server.send("GET", "/api/whoami/", &both, None).status, 200);
}

fn register_cve_2015_0219_a_header_with_underscores_is_another_header(kind: Kind) {
    underscores(kind);
}

/// As above, in the development server and ASGI.
fn register_cve_2026_3902_a_header_with_underscores_is_another_header(kind: Kind) {
    underscores(kind);
}

/// Each request without a session made one.
fn register_cve_2015_5143_strangers_fill_no_table(kind: Kind) {
    let database = with_ann(kind);
    let server =
        start(&database, "[rest_framework]\ndefault_authentication_classes = [\"session\", \"jwt\", \"token\"]\n");
    let tables = ["django_session", "token_blacklist_outstandingtoken", "authtoken_token", "countersign_session"];
    let rows = || tables.map(|table| database.column(&format!("SELECT count(*) FROM {table}")));
    let before = rows();
    for _ in 0..5 {
        server.send("GET", "/api/whoami/", &[("cookie", "sessionid=0123456789abcdef0123456789abcdef")], None);
        post(&server, "/api/token/", &json!({"username": "nobody", "password": "x"}));
        post(&server, "/api/token/refresh/", &json!({"refresh": "a.b.c"}));
        post(&server, "/api-token-auth/", &json!({"username": "ann", "password": "wrong"}));
    }
    assert_eq!(rows(), before);
}

/// A page showed the hash of a password.
fn register_cve_2018_16984_no_answer_shows_a_hash(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let [Cell::Text(hash)] = &database.column("SELECT password FROM auth_user")[..] else { panic!("one user") };
    let tokens = log_in(&server);
    let digest = hash.rsplit('$').next().expect("a digest");
    for path in ["/api/whoami/", "/api/token/", "/api/token/verify/", "/healthz", "/readyz", "/nowhere/"] {
        for method in ["GET", "POST", "OPTIONS"] {
            let answer = server.send(
                method,
                path,
                &[("authorization", &format!("Bearer {}", text_of(&tokens, "access")))],
                None,
            );
            assert!(
                !answer.body.contains(digest) && !answer.body.contains("pbkdf2"),
                "{method} {path}: {}",
                answer.body
            );
        }
    }
}

/// Normalising took as long as the name squared.
fn register_cve_2023_46695_a_long_name_costs_nothing_more(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    for name in ["\u{fdfa}".repeat(500_000), "a\u{301}".repeat(400_000), "x".repeat(2_000_000)] {
        let answer = post(&server, "/api/token/", &json!({"username": name, "password": "x"}));
        assert_eq!((answer.status, answer.body.as_str()), (401, WRONG));
    }
}

/// Thousands of fields of one name were joined in quadratic time.
fn register_cve_2025_14550_joined_headers_let_nobody_in(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let tokens = log_in(&server);
    let value = format!("Bearer {}", text_of(&tokens, "access"));
    let mut headers = vec![("authorization", value.as_str())];
    headers.extend([("authorization", "x"); 90]);
    assert_eq!(server.send("GET", "/api/whoami/", &headers, None).status, 401);
    headers.extend([("authorization", "x"); 100]);
    assert_eq!(server.send("GET", "/api/whoami/", &headers, None).status, 431, "more fields than are read");
}

/// A request's path went into the log as it was, line ends and all. Here no path is logged, and none is shown.
fn register_cve_2025_48432_a_path_writes_no_line_into_the_log(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    for path in ["/a%0d%0aforged/", "/a%1b%5b31m/", "/a%e2%80%aeb/"] {
        let answer = server.send("GET", path, &[], None);
        assert_eq!(answer.status, 404);
        assert!(!answer.body.contains("forged") && !answer.body.contains('\u{1b}'), "{}", answer.body);
    }
    let moved = server.send("GET", "/api/whoami%0d%0aSet-Cookie:%20x", &[], None);
    assert!(moved.header("set-cookie").is_none());
}

/// A header without a second word threw, and the request was not refused.
fn register_ghsa_xmf8_cvqr_rfgj_a_bad_authorization_header_is_a_401(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    for value in [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Basic",
        "Basic %%%",
        "Token",
        "\u{ff}",
        "Bearer \u{ff}",
        "undefined",
        "Bearer undefined",
    ] {
        let answer = server.send("GET", "/api/whoami/", &[("authorization", value)], None);
        assert_eq!(answer.status, 401, "{value:?}: {}", answer.body);
    }
}

const ROTATION: &str = "[simple_jwt]\nrotate_refresh_tokens = true\nblacklist_after_rotation = true\n[sessions]\nrefresh_window = \"0s\"\n";

/// The check of the last use and the note of it were two steps.
fn register_keycloak_46054_a_refresh_token_is_used_once(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, ROTATION);
    let tokens = log_in(&server);
    let refresh = json!({"refresh": tokens["refresh"]});
    assert_eq!(post(&server, "/api/token/refresh/", &refresh).status, 200);
    assert_eq!(post(&server, "/api/token/refresh/", &refresh).status, 401);
}

/// Parallel refreshes each got a successor.
fn register_ghsa_392p_2q2v_4372_parallel_refreshes_leave_one_line(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, ROTATION);
    let tokens = log_in(&server);
    let refresh = json!({"refresh": tokens["refresh"]});
    let served = std::thread::scope(|scope| {
        let tries: Vec<_> =
            (0..8).map(|_| scope.spawn(|| post(&server, "/api/token/refresh/", &refresh).status)).collect();
        tries.into_iter().map(|one| one.join().expect("an answer")).filter(|status| *status == 200).count()
    });
    assert_eq!(served, 1);
}

/// Knox's tokens and our own tables hold digests and ids only.
fn o2_a_dump_of_the_database_lets_nobody_in_by_knox(kind: Kind) {
    let database = with_ann(kind);
    let more = "[rest_framework]\ndefault_authentication_classes = [\"basic\", \"knox\", \"jwt\"]\n";
    let text = text(&database, more).replace("[auth.", "installed_apps = [\"rest_framework.authtoken\", \"rest_framework_simplejwt.token_blacklist\", \"knox\"]\n[auth.");
    let server = Server::start(Config::from_text(&text).expect("holds together"), instant(NOW));
    let answer = server.send("POST", "/knox/login/", &[("authorization", "Basic YW5uOnNlY3JldA==")], Some(b""));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    let token = text_of(&answer, "token");
    let [Cell::Text(row)] =
        &database.column("SELECT digest || ' ' || token_key || ' ' || user_id FROM knox_authtoken")[..]
    else {
        panic!("one token")
    };
    assert!(!row.contains(token));
    for stolen in row.split(' ') {
        let header = format!("Token {stolen}");
        assert_eq!(server.send("GET", "/api/whoami/", &[("authorization", &header)], None).status, 401);
    }
}

fn s6_a_fresh_database_has_no_account(kind: Kind) {
    let database = Database::with(kind, &json!({}));
    assert_eq!(database.column("SELECT count(*) FROM auth_user"), [Cell::Integer(0)]);
    let server = start(&database, "");
    for (name, password) in [("admin", "admin"), ("admin", "password"), ("root", "root"), ("admin", "")] {
        let answer = post(&server, "/api/token/", &json!({"username": name, "password": password}));
        assert!(matches!(answer.status, 400 | 401), "{name}");
    }
    drop(server);
    // And no key: without one there is no server.
    let keyless = text(&database, "").replace(SECRET_KEY, "");
    assert!(Config::from_text(&keyless).is_err());
}

/// The user table breaks while requests come: nobody is let in, by whatever they show.
fn s9_a_store_that_fails_lets_nobody_in(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let tokens = log_in(&server);
    let key = post(&server, "/api-token-auth/", &json!({"username": "ann", "password": SECRET})).json();
    let key = format!("Token {}", text_of(&key, "token"));
    database.execute("ALTER TABLE auth_user RENAME COLUMN is_active TO gone");
    for value in [format!("Bearer {}", text_of(&tokens, "access")), key, "Basic YW5uOnNlY3JldA==".to_owned()] {
        let answer = server.send("GET", "/api/whoami/", &[("authorization", &value)], None);
        assert!(matches!(answer.status, 500 | 503), "{}: {}", answer.status, answer.body);
        assert!(!answer.body.contains("auth_user"), "{}", answer.body);
    }
    let login = post(&server, "/api/token/", &json!({"username": "ann", "password": SECRET}));
    assert!(matches!(login.status, 500 | 503), "{}", login.body);
}
