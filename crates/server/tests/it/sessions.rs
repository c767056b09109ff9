//! Sessions: when there are any, and what they change.

use countersign_formats::password::{Algorithm, Hashers, Password, SaltEntropy, WorkFactors};
use countersign_server::{App, Config};
use serde_json::{Value, json};

use crate::database::{Cell, Database, Kind, on_every_backend};
use crate::harness::{Answer, SECRET_KEY, Server, instant};

const NOW: f64 = 1_750_000_000.25;
/// Ann's password.
const SECRET: &str = "secret";

on_every_backend![
    sessions_are_on_where_the_tables_are,
    sessions_that_are_demanded_need_their_tables,
    without_tables_sessions_are_off,
    sessions_that_are_off_leave_no_trace,
];

/// A database with a user `ann` (key 1), whose password is `secret`.
fn with_ann(kind: Kind) -> Database {
    let mut work = WorkFactors::default();
    work.pbkdf2_sha256_iterations = 1;
    let hashers = Hashers::new(vec![Algorithm::Pbkdf2Sha256], work).expect("hashers");
    let encoded = hashers.encode(&Password::new(SECRET), SaltEntropy::new([7; 32])).expect("a hash");
    Database::with(kind, &json!({ "auth_user": [{ "id": 1, "username": "ann", "password": encoded }] }))
}

fn text(database: &Database, more: &str) -> String {
    format!(
        "secret_key = \"{SECRET_KEY}\"\ndatabase_url = \"{}\"\nbind = \"127.0.0.1:0\"\n[auth.pbkdf2_sha256]\niterations = 1\n{more}",
        database.url()
    )
}

fn start(database: &Database, more: &str) -> Server {
    Server::start(Config::from_text(&text(database, more)).expect("holds together"), instant(NOW))
}

fn post(server: &Server, path: &str, body: &Value) -> Answer {
    server.send("POST", path, &[("Content-Type", "application/json")], Some(body.to_string().as_bytes()))
}

fn log_in(server: &Server) -> Value {
    let answer = post(server, "/api/token/", &json!({ "username": "ann", "password": SECRET }));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// The claims of a token.
fn claims(token: &Value) -> Value {
    use base64::Engine as _;

    let payload = token.as_str().expect("a token").split('.').nth(1).expect("three parts");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    serde_json::from_slice(&bytes).expect("claims")
}

fn sessions_are_on_where_the_tables_are(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let (one, two) = (log_in(&server), log_in(&server));
    let sid = claims(&one["refresh"])["sid"].as_str().expect("a session").to_owned();
    assert_eq!(sid.len(), 32, "128 bits");
    assert_eq!(claims(&one["access"])["sid"], sid.as_str());
    assert_ne!(claims(&two["refresh"])["sid"], sid.as_str(), "R8: a new session at each login");
    let row = |column: &str| database.column(&format!("SELECT {column} FROM countersign_session WHERE sid = '{sid}'"));
    assert_eq!(row("user_id"), [Cell::Text("1".to_owned())]);
    assert_eq!(row("kind"), [Cell::Text("jwt".to_owned())]);
    assert_eq!(row("created_at"), [Cell::Instant(instant(NOW))]);
    assert_eq!(row("ended_at"), [Cell::Null]);
    assert_eq!(row("expires_at"), [Cell::Null]);
}

fn sessions_that_are_demanded_need_their_tables(kind: Kind) {
    let database = with_ann(kind);
    drop_own_tables(&database);
    let config = Config::from_text(&text(&database, "[sessions]\nenabled = true\n")).expect("holds together");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let refusal = runtime.block_on(async { App::build(config).await.err() }).expect("refused");
    assert_eq!(
        format!("{refusal:#}"),
        "countersign.toml:7: sessions.enabled: the database has no tables for sessions, or not all of them; run \
         `countersign migrate`, or set it to false"
    );
}

fn without_tables_sessions_are_off(kind: Kind) {
    let database = with_ann(kind);
    drop_own_tables(&database);
    let server = start(&database, "[simple_jwt]\nrotate_refresh_tokens = true\n");
    assert_eq!(plain_claims(&server), ["exp", "iat", "jti", "token_type", "user_id"]);
}

fn sessions_that_are_off_leave_no_trace(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "[simple_jwt]\nrotate_refresh_tokens = true\n[sessions]\nenabled = false\n");
    assert_eq!(plain_claims(&server), ["exp", "iat", "jti", "token_type", "user_id"]);
    for table in ["countersign_session", "countersign_rotation"] {
        assert_eq!(database.column(&format!("SELECT count(*) FROM {table}")), [Cell::Integer(0)], "{table}");
    }
}

/// The claims' names of a token that was rotated.
fn plain_claims(server: &Server) -> Vec<String> {
    let pair = log_in(server);
    let rotated = post(server, "/api/token/refresh/", &json!({ "refresh": pair["refresh"] }));
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    let mut names: Vec<String> =
        claims(&rotated.json()["refresh"]).as_object().expect("claims").keys().cloned().collect();
    names.sort();
    names
}

fn drop_own_tables(database: &Database) {
    for table in ["countersign_session", "countersign_rotation"] {
        database.execute(&format!("DROP TABLE {table}"));
    }
    database.execute("DELETE FROM django_migrations WHERE app = 'countersign'");
}
