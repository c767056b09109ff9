//! What tokens are worth, for registered clients over HTTP (RFC 7662).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_server::Config;
use serde_json::{Value, json};

use crate::database::{Cell, Database, Kind, on_every_backend};
use crate::harness::{Answer, Server, instant};
use crate::sessions::{SECRET, claims, post, text, with_ann};

on_every_backend![
    every_kind_of_token_is_told,
    o1_what_would_be_refused_is_not_active,
    introspection_is_no_use_of_a_token,
    introspection_agrees_with_the_check_of_requests,
    j7_tokens_for_others_are_not_active,
    clients_prove_who_they_are,
    odd_requests_are_refused_and_never_a_fault,
    without_clients_there_is_nothing,
    the_metadata_name_the_endpoints,
    native_paths_say_what_was_wrong,
];

pub(crate) const NOW: f64 = 1_750_000_000.0;
const APPS: &str =
    "installed_apps = [\"knox\", \"rest_framework.authtoken\", \"rest_framework_simplejwt.token_blacklist\"]\n";
const CLASSES: &str = "[rest_framework]\ndefault_authentication_classes = [\"native\", { kind = \"token\", keyword = \"Key\" }, \
     \"jwt\", \"knox\", \"basic\"]\n[native_tokens]\nenabled = true\n";
/// `api` may both, `look` may introspect; their secrets are "secret".
pub(crate) const CLIENTS: &str = "[[clients]]\nid = \"api\"\nmay = [\"introspect\", \"revoke\"]\n\
     secret_sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n\
     [[clients]]\nid = \"look\"\nmay = [\"introspect\"]\n\
     secret_sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n";
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const INACTIVE: &str = r#"{"active":false}"#;

pub(crate) fn start_with(database: &Database, more: &str) -> Server {
    let text = format!("{APPS}{}", text(database, more));
    Server::start(Config::from_text(&text).expect("holds together"), instant(NOW))
}

pub(crate) fn start(database: &Database, more: &str) -> Server {
    start_with(database, &format!("{CLASSES}{CLIENTS}{more}"))
}

pub(crate) fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

pub(crate) fn ask(server: &Server, path: &str, token: &str, more: &str) -> Answer {
    let encoded = token.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02X}"));
    let headers = [FORM, ("Authorization", &basic("api:secret"))];
    server.send("POST", path, &headers, Some(format!("token={encoded}{more}").as_bytes()))
}

pub(crate) fn introspect(server: &Server, token: &str) -> Value {
    let answer = ask(server, "/api/introspect/", token, "");
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{}", answer.body);
    if answer.body != INACTIVE {
        assert_eq!(answer.json()["active"], true, "{}", answer.body);
    }
    answer.json()
}

pub(crate) fn is_active(server: &Server, token: &str) -> bool {
    introspect(server, token)["active"] == true
}

pub(crate) fn revoke(server: &Server, token: &str) {
    let answer = ask(server, "/api/revoke/", token, "");
    assert_eq!((answer.status, &*answer.body, answer.header("cache-control")), (200, "", Some("no-store")));
}

/// Tokens of each kind: the words they stand after in a header, and themselves.
pub(crate) fn log_in(server: &Server) -> Vec<(&'static str, String)> {
    let login = json!({ "username": "ann", "password": SECRET });
    let get = |path: &str, name: &str| {
        let answer = post(server, path, &login);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()[name].as_str().expect("a token").to_owned()
    };
    let knox = server.send("POST", "/knox/login/", &[("Authorization", &basic("ann:secret"))], Some(b""));
    vec![
        ("Bearer", get("/api/token/", "access")),
        ("Key", get("/api-token-auth/", "token")),
        ("Token", knox.json()["token"].as_str().expect("a token").to_owned()),
        ("Bearer", get("/api/native/login/", "token")),
    ]
}

pub(crate) fn pair(server: &Server) -> (String, String) {
    let pair = post(server, "/api/token/", &json!({ "username": "ann", "password": SECRET })).json();
    let text = |name: &str| pair[name].as_str().expect("a token").to_owned();
    (text("access"), text("refresh"))
}

pub(crate) fn whoami(server: &Server, word: &str, token: &str) -> u16 {
    server.send("GET", "/api/whoami/", &[("Authorization", &format!("{word} {token}"))], None).status
}

/// Asks until an access token is refused, which a mark that was made elsewhere takes a moment for.
pub(crate) fn ends(server: &Server, access: &str) -> bool {
    (0..100_000).any(|_| whoami(server, "Bearer", access) == 401)
}

fn every_kind_of_token_is_told(kind: Kind) {
    let database = with_ann(kind);
    let server = start(
        &database,
        "[simple_jwt]\nissuer = \"https://id.example.org\"\naudience = [\"a\", \"b\"]\n[claims]\nscope = { value = \"read write\" }\n",
    );
    let tokens = log_in(&server);
    let told: Vec<Value> = tokens.iter().map(|(_, token)| introspect(&server, token)).collect();
    let jti = claims(&json!(tokens[0].1))["jti"].clone();
    assert_eq!(
        told[0],
        json!({
            "active": true, "token_type": "Bearer", "token_use": "access", "kind": "jwt", "sub": "1", "username": "ann",
            "jti": jti, "iss": "https://id.example.org", "aud": ["a", "b"], "scope": "read write", "iat": 1_750_000_000,
            "exp": 1_750_000_300,
        })
    );
    let row = |word: &str, kind: &str| {
        json!({
            "active": true, "token_type": word, "token_use": "access", "kind": kind, "sub": "1", "username": "ann",
            "iat": 1_750_000_000,
        })
    };
    assert_eq!(told[1], row("Key", "token"));
    let mut knox = row("Token", "knox");
    knox["exp"] = json!(1_750_036_000);
    assert_eq!(told[2], knox);
    let mut native = row("Bearer", "native");
    native["exp"] = json!(1_757_776_000);
    assert_eq!(told[3], native);
    let (_, refresh) = pair(&server);
    let told = introspect(&server, &refresh);
    assert_eq!(
        (&told["token_use"], &told["exp"], &told["sub"]),
        (&json!("refresh"), &json!(1_750_086_400), &json!("1"))
    );
    for (word, token) in tokens.iter().chain([&("Bearer", refresh)]) {
        for hint in ["access_token", "refresh_token", "pat", "%00", ""] {
            let answer = ask(&server, "/api/introspect/", token, &format!("&token_type_hint={hint}"));
            assert_eq!(answer.json()["active"], true, "{word} as {hint}");
        }
    }
}

fn o1_what_would_be_refused_is_not_active(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "[simple_jwt]\nrotate_refresh_tokens = true\nblacklist_after_rotation = true\n");
    let tokens = log_in(&server);
    let (access, refresh) = pair(&server);
    let long = "a".repeat(20_000);
    let flipped = format!("{}x", &access[..access.len() - 1]);
    for token in [
        "x",
        "a.b.c",
        "cs_",
        " ",
        "\u{0}",
        "\u{fffd}",
        &long,
        &flipped,
        &format!("{access} "),
        &format!(" {access}"),
        &access[1..],
    ] {
        assert!(!is_active(&server, token), "{}", &token[..token.len().min(20)]);
    }
    // A refresh token that was exchanged, and one of a session that ended.
    let next = post(&server, "/api/token/refresh/", &json!({ "refresh": refresh })).json();
    let next = next["refresh"].as_str().expect("a token").to_owned();
    assert!(!is_active(&server, &refresh) && is_active(&server, &next));
    assert_eq!(post(&server, "/api/token/blacklist/", &json!({ "refresh": next })).status, 200);
    assert!(!is_active(&server, &next) && !is_active(&server, &access));
    // Owners who may not come in.
    let (_, refresh) = pair(&server);
    database.execute("UPDATE auth_user SET is_active = FALSE");
    for (_, token) in tokens.iter().chain([&("", refresh.clone())]) {
        assert!(!is_active(&server, token), "{token}");
    }
    database.execute("UPDATE auth_user SET is_active = TRUE");
    assert!(ends(&server, &tokens[0].1) && !is_active(&server, &tokens[0].1), "by the trigger's mark");
    assert!(!is_active(&server, &tokens[3].1), "as it has tokens of our own");
    assert!(tokens[1..3].iter().all(|(_, token)| is_active(&server, token)), "whose rules are Django's");
    // The end of time.
    let database = with_ann(kind);
    let server = start(&database, "");
    let tokens = log_in(&server);
    let (access, refresh) = pair(&server);
    for (token, life) in [(&access, 300.0), (&refresh, 86_400.0)] {
        server.set_clock(instant(NOW + life - 1.0));
        assert!(is_active(&server, token));
        server.set_clock(instant(NOW + life));
        assert!(!is_active(&server, token));
    }
    server.set_clock(instant(NOW + 36_000.0));
    assert!(is_active(&server, &tokens[2].1), "Knox's are good in their last instant");
    server.set_clock(instant(NOW + 36_000.1));
    assert!(!is_active(&server, &tokens[2].1));
    server.set_clock(instant(NOW + 7_776_000.1));
    assert!(!is_active(&server, &tokens[3].1) && is_active(&server, &tokens[1].1));
    database.execute("DELETE FROM authtoken_token");
    assert!(!is_active(&server, &tokens[1].1));
}

fn introspection_is_no_use_of_a_token(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "[knox]\nauto_refresh = true\n");
    let tokens = log_in(&server);
    let (_, refresh) = pair(&server);
    let state = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(server.authority.flush_last_seen()).expect("written");
        [
            "SELECT expiry FROM knox_authtoken",
            "SELECT count(*) FROM countersign_device WHERE last_seen_at IS NOT NULL",
            "SELECT last_seen_at FROM countersign_token",
            "SELECT count(*) FROM countersign_session WHERE last_seen_at IS NOT NULL",
            "SELECT max(refreshed_at) FROM countersign_session",
            "SELECT count(*) FROM countersign_rotation",
        ]
        .map(|statement| database.column(statement))
    };
    let before = state();
    server.set_clock(instant(NOW + 200.0));
    for (_, token) in tokens.iter().chain([&("", refresh)]) {
        assert!(is_active(&server, token));
    }
    assert_eq!(state(), before);
    // One that has expired is not cleared away either.
    server.set_clock(instant(NOW + 40_000.0));
    assert!(!is_active(&server, &tokens[2].1));
    assert_eq!(state(), before);
    for (word, token) in &tokens[1..] {
        whoami(&server, word, token);
    }
    assert_ne!(state(), before);
}

/// Whatever is done to tokens and their user, both say the same.
fn introspection_agrees_with_the_check_of_requests(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let tokens = log_in(&server);
    let agree = |what: &str| {
        for (word, token) in &tokens {
            assert_eq!(is_active(&server, token), whoami(&server, word, token) == 200, "{what}: {word}");
        }
    };
    agree("at first");
    let uppercase: Vec<String> = tokens.iter().map(|(_, token)| token.to_uppercase()).collect();
    for ((word, _), token) in tokens.iter().zip(&uppercase) {
        assert_eq!(is_active(&server, token), whoami(&server, word, token) == 200, "{word}");
    }
    for statement in [
        "UPDATE auth_user SET is_active = FALSE",
        "UPDATE auth_user SET is_active = TRUE",
        "UPDATE knox_authtoken SET token_key = 'another'",
        "UPDATE countersign_token SET digest = upper(digest)",
        "UPDATE authtoken_token SET key = upper(key)",
        "UPDATE auth_user SET password = 'x'",
    ] {
        database.execute(statement);
        // From then on, for good: what else changes is read with each check.
        assert!(ends(&server, &tokens[0].1));
        agree(statement);
    }
    // Where no view takes a kind, it is worth nothing.
    let database = with_ann(kind);
    let few = start_with(
        &database,
        &format!(
            "[rest_framework]\ndefault_authentication_classes = [\"jwt_stateless\"]\n[paths]\ntoken_refresh = \"\"\n{CLIENTS}"
        ),
    );
    let (access, refresh) = pair(&few);
    assert!(is_active(&few, &access) && !is_active(&few, &refresh));
    let key = post(&few, "/api-token-auth/", &json!({ "username": "ann", "password": SECRET }));
    assert_eq!(key.status, 200, "{}", key.body);
    assert!(!is_active(&few, key.json()["token"].as_str().expect("a token")));
}

fn j7_tokens_for_others_are_not_active(kind: Kind) {
    let database = with_ann(kind);
    let jwt = |who: &str| format!("[simple_jwt]\nissuer = \"https://{who}.example\"\naudience = \"{who}\"\n");
    let (one, two) = (start(&database, &jwt("one")), start(&database, &jwt("two")));
    let (access, refresh) = pair(&one);
    for token in [&access, &refresh] {
        assert!(is_active(&one, token) && !is_active(&two, token));
    }
    revoke(&two, &refresh);
    assert!(is_active(&one, &refresh), "what is not ours is not ended");
}

fn clients_prove_who_they_are(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let (access, _) = pair(&server);
    let send = |path: &str, authorization: Option<&str>, more: &str| {
        let body = format!("token={access}{more}");
        let mut headers = vec![FORM];
        headers.extend(authorization.map(|value| ("Authorization", value)));
        server.send("POST", path, &headers, Some(body.as_bytes()))
    };
    let in_body = "&client_id=api&client_secret=secret";
    for (authorization, more) in
        [(Some(&*basic("api:secret")), ""), (None, in_body), (Some(&basic("%61pi:secret")), "&client_id=api")]
    {
        assert_eq!(send("/api/introspect/", authorization, more).json()["active"], true, "{authorization:?} {more}");
    }
    let bearer = format!("Bearer {access}");
    let refused = r#"{"error":"invalid_client","error_description":"Client authentication failed."}"#;
    for path in ["/api/introspect/", "/api/revoke/"] {
        for (authorization, more) in [
            (None, ""),
            (None, "&client_id=api"),
            (None, "&client_id=api&client_secret=Secret"),
            (None, "&client_id=nobody&client_secret=secret"),
            (Some(&*basic("api:wrong")), ""),
            (Some(&*basic("nobody:secret")), ""),
            (Some(&*basic("ann:secret")), ""),
            (Some("Basic"), ""),
            (Some("Basic \u{e9}"), ""),
            (Some(&*bearer), ""),
        ] {
            let answer = send(path, authorization, more);
            assert_eq!((answer.status, &*answer.body), (401, refused), "{authorization:?} {more}");
            assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"api\""));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
        for (authorization, more) in [
            (Some(&*basic("api:secret")), in_body),
            (Some(&*basic("api:secret")), "&client_id=look"),
            (Some(&*bearer), in_body),
        ] {
            let answer = send(path, authorization, more);
            assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_request")), "{more}");
        }
    }
    let answer = send("/api/revoke/", Some(&basic("look:secret")), "");
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("unauthorized_client")));
    assert!(is_active(&server, &access));
    let mut reasons: Vec<String> = events(&server, &database, "client_refused");
    reasons.dedup();
    assert_eq!(reasons.last().map(String::as_str), Some(r#"{"client":"look","reason":"no_right"}"#));
    assert!(reasons.contains(&r#"{"reason":"unknown_client"}"#.to_owned()), "{reasons:?}");
    assert!(reasons.contains(&r#"{"client":"api","reason":"wrong_secret"}"#.to_owned()));
}

/// What is told of a kind, in order.
pub(crate) fn events(server: &Server, database: &Database, kind: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(server.authority.flush_events());
    let cells = database
        .column(&format!("SELECT coalesce(detail, '') FROM countersign_event WHERE kind = '{kind}' ORDER BY id"));
    cells
        .into_iter()
        .map(|cell| match cell {
            Cell::Text(text) => text,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn odd_requests_are_refused_and_never_a_fault(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let authorization = basic("api:secret");
    let send = |content_type: &str, body: &[u8]| {
        let headers = [("Content-Type", content_type), ("Authorization", &*authorization)];
        let answer = server.send("POST", "/api/introspect/", &headers, Some(body));
        (answer.status, answer.json()["error"].as_str().map(str::to_owned))
    };
    let large = [b"token=".as_slice(), &b"a".repeat(70_000)].concat();
    let many = "a&".repeat(40);
    let malformed = (400, Some("invalid_request".to_owned()));
    for (content_type, body) in [
        (FORM.1, b"".as_slice()),
        (FORM.1, b"token="),
        (FORM.1, b"Token=x"),
        (FORM.1, b"token=x&token=x"),
        (FORM.1, b"token=x&a=1&a=2"),
        (FORM.1, b"token=x&token_type_hint=a&token_type_hint=b"),
        (FORM.1, b"token=\xff"),
        (FORM.1, &large),
        (FORM.1, many.as_bytes()),
        ("application/json", br#"{"token":"x"}"#),
        (
            "multipart/form-data; boundary=B",
            b"--B\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nx\r\n--B--\r\n",
        ),
        ("text/plain", b"token=x"),
        ("*/*", b"token=x"),
        ("", b"token=x"),
    ] {
        assert_eq!(
            send(content_type, body),
            malformed,
            "{content_type} {}",
            String::from_utf8_lossy(&body[..body.len().min(30)])
        );
    }
    assert_eq!(send("application/x-www-form-urlencoded; charset=UTF-8", b"token=%zz&x").0, 200);
    let answer = server.send("POST", "/api/introspect/?token=x", &[FORM, ("Authorization", &authorization)], Some(b""));
    assert_eq!(answer.status, 400, "a token belongs in no address");
    let answer = server.send("GET", "/api/introspect/", &[("Authorization", &authorization)], None);
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST, OPTIONS")));
}

fn without_clients_there_is_nothing(kind: Kind) {
    let database = with_ann(kind);
    let server = start_with(&database, "[[clients]]\nid = \"app\"\n");
    for path in ["/api/introspect/", "/api/revoke/", "/api/introspect"] {
        assert_eq!(ask(&server, path, "x", "").status, 404, "{path}");
    }
    let looking = start_with(&database, &CLIENTS.replace(", \"revoke\"", ""));
    assert_eq!(ask(&looking, "/api/introspect/", "x", "").status, 200);
    assert_eq!(ask(&looking, "/api/revoke/", "x", "").status, 404);
}

fn the_metadata_name_the_endpoints(kind: Kind) {
    let database = with_ann(kind);
    let issuer = "[simple_jwt]\nissuer = \"https://id.example.org/\"\n";
    let metadata = |clients: &str| {
        let server = start_with(&database, &format!("{issuer}[paths]\nrevoke = \"\"\n{clients}"));
        server.send("GET", "/.well-known/oauth-authorization-server", &[], None).json()
    };
    let told = metadata(CLIENTS);
    assert_eq!(told["introspection_endpoint"], "https://id.example.org/api/introspect/");
    let methods = json!(["client_secret_basic", "client_secret_post"]);
    assert_eq!(told["introspection_endpoint_auth_methods_supported"], methods);
    assert_eq!(
        (&told["revocation_endpoint"], &told["revocation_endpoint_auth_methods_supported"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(metadata("")["introspection_endpoint"], Value::Null);
    let both = start_with(&database, &format!("{issuer}{CLIENTS}"));
    let told = both.send("GET", "/.well-known/oauth-authorization-server", &[], None).json();
    assert_eq!(told["revocation_endpoint"], "https://id.example.org/api/revoke/");
    assert_eq!(told["revocation_endpoint_auth_methods_supported"], methods);
}

fn native_paths_say_what_was_wrong(kind: Kind) {
    let database = with_ann(kind);
    let server = start_with(&database, "");
    let challenge = |path: &str, method: &str, authorization: Option<&str>| {
        let headers: Vec<(&str, &str)> = authorization.map(|value| ("Authorization", value)).into_iter().collect();
        let answer = server.send(method, path, &headers, Some(b""));
        (answer.status, answer.header("www-authenticate").map(str::to_owned))
    };
    let said = |text: &str| (401, Some(text.to_owned()));
    for (path, method) in [
        ("/api/sessions/", "GET"),
        ("/api/sessions/current/", "DELETE"),
        ("/api/sessions/logout-all/", "POST"),
        ("/api/sessions/logout-others/", "POST"),
    ] {
        assert_eq!(challenge(path, method, None), said("Bearer realm=\"api\""), "{path}");
        for refused in ["Bearer x", "Token x", "Bearer", "Basic x"] {
            let expected = said("Bearer realm=\"api\", error=\"invalid_token\"");
            assert_eq!(challenge(path, method, Some(refused)), expected, "{path} {refused}");
        }
    }
    // What Django has says what DRF says.
    assert_eq!(challenge("/api/whoami/", "GET", Some("Bearer x")), said("Token"));
    assert_eq!(challenge("/api/token/", "POST", Some("Bearer x")).0, 400);
    let keys = start_with(&database, "[rest_framework]\ndefault_authentication_classes = [\"token\"]\n");
    assert_eq!(keys.send("GET", "/api/sessions/", &[], None).header("www-authenticate"), Some("Token"));
}
