//! Knox's tokens over HTTP, with the clock in the test's hand.

use countersign_server::Config;
use serde_json::{Value, json};

use crate::database::{Cell, Database, Kind, on_every_backend};
use crate::harness::{Answer, SECRET_KEY, Server, instant};

on_every_backend![
    o5_tokens_are_kept_as_digests_several_for_each_user,
    o5_use_moves_the_end_up_to_the_cap,
    o5_a_user_has_at_most_so_many_live_tokens,
    o5_parallel_logins_do_not_pass_the_limit,
    o5_a_token_is_good_until_its_last_instant_and_not_after,
    o5_odd_tokens_are_invalid,
    the_answer_is_as_the_settings_want_it,
];

const NOW: f64 = 1_750_000_000.0;
/// "correct horse" under two rounds.
const PASSWORD: &str = "pbkdf2_sha256$2$salt$9tMVO9pJAx4DknQJ9Qbpg3Znl/BBGQrcf7+mL3E9ltc=";
const BASIC: (&str, &str) = ("Authorization", "Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==");

fn server(store: Kind, knox: &str) -> (Database, Server) {
    let database = Database::with(
        store,
        &json!({ "auth_user": [
            {"id": 1, "username": "alice", "password": PASSWORD, "email": ""},
            {"id": 2, "username": "bob", "password": PASSWORD, "email": ""},
        ] }),
    );
    let text = format!(
        "secret_key = \"{SECRET_KEY}\"\ndatabase_url = \"{}\"\nbind = \"127.0.0.1:0\"\n\
         installed_apps = [\"knox\", \"rest_framework.authtoken\"]\n[auth.pbkdf2_sha256]\niterations = 2\n\
         [rest_framework]\ndefault_authentication_classes = [\"basic\", \"knox\"]\n[knox]\n{knox}\n",
        database.url()
    );
    let config = Config::from_text(&text).expect("a configuration");
    (database, Server::start(config, instant(NOW)))
}

fn login(server: &Server) -> Answer {
    server.send("POST", "/knox/login/", &[BASIC], Some(b""))
}

fn token(server: &Server) -> String {
    let answer = login(server);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["token"].as_str().expect("a token").to_owned()
}

fn whoami(server: &Server, token: &str) -> u16 {
    server.send("GET", "/api/whoami/", &[("Authorization", &format!("Token {token}"))], None).status
}

fn post(server: &Server, path: &str, token: &str) -> Answer {
    server.send("POST", path, &[("Authorization", &format!("token {token}"))], Some(b""))
}

fn count(database: &Database) -> Vec<Cell> {
    database.column("SELECT count(*) FROM knox_authtoken")
}

fn o5_tokens_are_kept_as_digests_several_for_each_user(store: Kind) {
    let (database, server) = server(store, "");
    let (one, two, three) = (token(&server), token(&server), token(&server));
    for column in ["digest", "token_key"] {
        for cell in database.column(&format!("SELECT {column} FROM knox_authtoken")) {
            let Cell::Text(text) = cell else { panic!("{cell:?}") };
            assert!([&one, &two, &three].iter().all(|token| !text.contains(token.as_str())));
        }
    }
    assert_eq!(post(&server, "/knox/logout/", &one).status, 204);
    assert_eq!([whoami(&server, &one), whoami(&server, &two), whoami(&server, &three)], [401, 200, 200]);
    let answer = post(&server, "/knox/logoutall/", &two);
    assert_eq!((answer.status, answer.body.as_str(), answer.header("content-type")), (204, "", None));
    assert_eq!([whoami(&server, &two), whoami(&server, &three)], [401, 401]);
    assert_eq!(count(&database), [Cell::Integer(0)]);
    // Basic credentials end no token.
    assert_eq!(server.send("POST", "/knox/logout/", &[BASIC], Some(b"")).status, 401);
}

fn o5_use_moves_the_end_up_to_the_cap(store: Kind) {
    let (database, server) = server(
        store,
        "token_ttl = \"10m\"\nauto_refresh = true\nauto_refresh_max_ttl = \"25m\"\nmin_refresh_interval = 60",
    );
    let token = token(&server);
    let expiry = || database.column("SELECT expiry FROM knox_authtoken");
    let at = |minutes: f64| [Cell::Instant(instant(NOW + minutes * 60.0))];
    assert_eq!(expiry(), at(10.0));
    for (minute, end) in [(0.5, 10.0), (1.0, 10.0), (1.5, 11.5), (11.0, 21.0), (20.0, 25.0), (24.5, 25.0)] {
        server.set_clock(instant(NOW + minute * 60.0));
        assert_eq!(whoami(&server, &token), 200, "minute {minute}");
        assert_eq!(expiry(), at(end), "minute {minute}");
    }
    server.set_clock(instant(NOW + 25.1 * 60.0));
    assert_eq!(whoami(&server, &token), 401);
    assert_eq!(count(&database), [Cell::Integer(0)]);
}

fn o5_a_user_has_at_most_so_many_live_tokens(store: Kind) {
    let (database, server) = server(store, "token_ttl = \"10m\"\ntoken_limit_per_user = 2");
    let first = token(&server);
    token(&server);
    let answer = login(&server);
    assert_eq!(answer.status, 403);
    assert_eq!(answer.body, r#"{"error":"Maximum amount of tokens allowed per user exceeded."}"#);
    let as_bob = ("Authorization", "Basic Ym9iOmNvcnJlY3QgaG9yc2U=");
    assert_eq!(server.send("POST", "/knox/login/", &[as_bob], Some(b"")).status, 200);
    assert_eq!(post(&server, "/knox/logout/", &first).status, 204);
    token(&server);
    assert_eq!(login(&server).status, 403);
    server.set_clock(instant(NOW + 601.0));
    token(&server);
    let alices = database.column("SELECT count(*) FROM knox_authtoken WHERE user_id = 1");
    assert_eq!(alices, [Cell::Integer(1)], "expired ones are gone");
}

fn o5_parallel_logins_do_not_pass_the_limit(store: Kind) {
    let (database, server) = server(store, "token_limit_per_user = 5");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let logins: Vec<_> = (0..24).map(|_| scope.spawn(|| login(&server).status)).collect();
        logins.into_iter().map(|login| login.join().expect("answered")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 19, "{statuses:?}");
    assert_eq!(count(&database), [Cell::Integer(5)]);
}

fn o5_a_token_is_good_until_its_last_instant_and_not_after(store: Kind) {
    let (_database, server) = server(store, "token_ttl = 60");
    let token = token(&server);
    server.set_clock(instant(NOW + 60.0));
    assert_eq!(whoami(&server, &token), 200);
    server.set_clock(instant(NOW + 60.000_001));
    assert_eq!(whoami(&server, &token), 401);
}

fn o5_odd_tokens_are_invalid(store: Kind) {
    let (_database, server) = server(store, "token_prefix = \"kx_\"");
    let token = token(&server);
    assert!(token.starts_with("kx_") && token.len() == 67, "{token}");
    assert_eq!(whoami(&server, &token), 200);
    let invalid =
        [token[3..].to_owned(), token[..66].to_owned(), token.to_uppercase(), format!("{token}0"), "x".to_owned()];
    for odd in invalid {
        let answer = server.send("GET", "/api/whoami/", &[("Authorization", &format!("Token {odd}"))], None);
        assert_eq!((answer.status, answer.json()["detail"].as_str()), (401, Some("Invalid token.")), "{odd}");
    }
    let latin = server.send("GET", "/api/whoami/", &[("Authorization", "Token \u{e9}")], None);
    assert_eq!(latin.status, 401);
    assert!(latin.body.contains("invalid characters"), "{}", latin.body);
}

fn the_answer_is_as_the_settings_want_it(store: Kind) {
    let (_database, server) = server(
        store,
        "token_ttl = false\nuser_serializer = \"knox.serializers.UserSerializer\"\nauth_token_character_length = 32",
    );
    let body = login(&server).json();
    assert_eq!(body["expiry"], Value::Null);
    assert_eq!(body["user"], json!({"username": "alice"}));
    let token = body["token"].as_str().expect("a token");
    assert_eq!(token.len(), 32);
    server.set_clock(instant(NOW + 1e9));
    assert_eq!(whoami(&server, token), 200, "it never ends");
}

#[test]
fn a_configuration_that_cannot_be_is_refused() {
    for (text, expected) in [
        ("[knox]\ntoken_prefix = \"12345678901\"", "knox.token_prefix: must be at most 10"),
        (
            "[knox]\nsecure_hash_algorithm = \"hashlib.md5\"",
            "knox.secure_hash_algorithm: \"hashlib.md5\" is not computed",
        ),
        ("[knox]\nauth_token_character_length = 8", "knox.auth_token_character_length: must lie"),
        ("[knox]\nuser_serializer = \"x.Y\"", "knox.user_serializer: is Python code"),
        ("[knox]\nexpiry_datetime_format = \"%c\"", "knox.expiry_datetime_format: the directive %c is unknown"),
        ("[knox]\nauto_refresh_max_ttl = \"1h\"", "knox.auto_refresh_max_ttl: is shorter than token_ttl"),
        ("[paths]\nknox_login = \"/login/\"", "paths.knox_login: its app is not in installed_apps"),
        ("[rest_framework]\ndefault_authentication_classes = [\"knox\"]", "knox needs its table; add \"knox\""),
    ] {
        let text = format!("secret_key = \"{SECRET_KEY}\"\ndatabase_url = \"sqlite:x\"\n{text}\n");
        let refusal = Config::from_text(&text).expect_err(&text).to_string();
        assert!(refusal.contains(expected), "{refusal}");
    }
}
