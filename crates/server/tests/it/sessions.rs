//! Sessions: when there are any, and what they change.

use countersign_formats::password::{Algorithm, Hashers, Password, SaltEntropy, WorkFactors};
use countersign_server::{App, Config};
use countersign_store::{Store, StoreOptions};
use serde_json::{Value, json};

use crate::database::{Cell, Database, Kind, on_every_backend};
use crate::harness::{Answer, SECRET_KEY, Server, instant};

pub(crate) const NOW: f64 = 1_750_000_000.25;
/// Ann's password.
pub(crate) const SECRET: &str = "secret";

on_every_backend![
    sessions_are_on_where_the_tables_are,
    sessions_that_are_demanded_need_their_tables,
    without_tables_sessions_are_off,
    sessions_that_are_off_leave_no_trace,
    r1_a_repeated_refresh_gets_the_same_tokens,
    r1_one_token_has_one_successor_on_every_node,
    r2_a_used_token_ends_the_family,
    r2_a_token_after_the_window_ends_the_family,
    r3_without_a_window_every_second_use_is_theft,
    r4_rotation_extends_no_session,
    r4_an_idle_session_ends,
    r5_a_logout_ends_the_session,
    r6_the_user_is_looked_at_again,
    r7_a_restored_backup_revives_nothing_silently,
    r8_each_login_is_a_session_of_its_own,
    a_token_of_djangos_begins_a_family,
    rotation_without_blacklisting_has_one_successor_too,
    without_rotation_a_refresh_is_noted,
    a_deleted_user_leaves_no_obstacle,
];

/// A database with a user `ann` (key 1), whose password is `secret`.
pub(crate) fn with_ann(kind: Kind) -> Database {
    let mut work = WorkFactors::default();
    work.pbkdf2_sha256_iterations = 1;
    let hashers = Hashers::new(vec![Algorithm::Pbkdf2Sha256], work).expect("hashers");
    let encoded = hashers.encode(&Password::new(SECRET), SaltEntropy::new([7; 32])).expect("a hash");
    Database::with(kind, &json!({ "auth_user": [{ "id": 1, "username": "ann", "password": encoded }] }))
}

pub(crate) fn text(database: &Database, more: &str) -> String {
    format!(
        "secret_key = \"{SECRET_KEY}\"\ndatabase_url = \"{}\"\nbind = \"127.0.0.1:0\"\n[auth.pbkdf2_sha256]\niterations = 1\n{more}",
        database.url()
    )
}

pub(crate) fn start(database: &Database, more: &str) -> Server {
    Server::start(Config::from_text(&text(database, more)).expect("holds together"), instant(NOW))
}

pub(crate) fn post(server: &Server, path: &str, body: &Value) -> Answer {
    server.send("POST", path, &[("Content-Type", "application/json")], Some(body.to_string().as_bytes()))
}

pub(crate) fn log_in(server: &Server) -> Value {
    let answer = post(server, "/api/token/", &json!({ "username": "ann", "password": SECRET }));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// The claims of a token.
pub(crate) fn claims(token: &Value) -> Value {
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
    assert_eq!(sid.len(), 40, "128 bits and a seal");
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
    for table in ["countersign_session", "countersign_rotation", "countersign_revocation"] {
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

pub(crate) fn drop_own_tables(database: &Database) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let url = database.url().parse().expect("an address");
        let store = Store::open(&url, StoreOptions::default()).await.expect("opens");
        store.remove_triggers(&store.user_field("id").await.expect("the key")).await.expect("removed");
    });
    for table in [
        "countersign_session",
        "countersign_rotation",
        "countersign_revocation",
        "countersign_token",
        "countersign_device",
        "countersign_key",
        "countersign_key_use",
    ] {
        database.execute(&format!("DROP TABLE {table}"));
    }
    database.execute("DELETE FROM django_migrations WHERE app = 'countersign'");
}

pub(crate) const ROTATING: &str = "[simple_jwt]\nrotate_refresh_tokens = true\nblacklist_after_rotation = true\n";
/// What a void token gets from SimpleJWT.
const VOID: &str = r#"{"detail":"Token is blacklisted","code":"token_not_valid"}"#;

fn refresh(server: &Server, token: &Value) -> Answer {
    post(server, "/api/token/refresh/", &json!({ "refresh": token }))
}

pub(crate) fn refreshed(server: &Server, token: &Value) -> Value {
    let answer = refresh(server, token);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn assert_void(answer: &Answer) {
    assert_eq!((answer.status, &*answer.body), (401, VOID));
}

fn verify(server: &Server, token: &Value) -> u16 {
    post(server, "/api/token/verify/", &json!({ "token": token })).status
}

fn reasons(database: &Database) -> Vec<Cell> {
    database.column("SELECT end_reason FROM countersign_session ORDER BY created_at")
}

fn r1_a_repeated_refresh_gets_the_same_tokens(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, ROTATING);
    let first = log_in(&server)["refresh"].clone();
    let once = refresh(&server, &first);
    server.set_clock(instant(NOW + 9.5));
    let again = refresh(&server, &first);
    assert_eq!((once.status, again.status), (200, 200));
    assert_eq!(once.body, again.body, "to the byte");
    let (old, new) = (claims(&first), claims(&once.json()["refresh"]));
    assert_eq!(old["sid"], new["sid"]);
    assert_ne!(old["jti"], new["jti"]);
    let names = |claims: &Value| claims.as_object().expect("claims").keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&old), names(&new));
    assert_eq!(database.column("SELECT count(*) FROM token_blacklist_outstandingtoken"), [Cell::Integer(2)]);
    assert_eq!(database.column("SELECT count(*) FROM token_blacklist_blacklistedtoken"), [Cell::Integer(1)]);
    assert_eq!(server.authority.session_stats().converged, 1, "R3: counted");
}

fn r1_one_token_has_one_successor_on_every_node(kind: Kind) {
    let database = with_ann(kind);
    let nodes = [start(&database, ROTATING), start(&database, ROTATING), start(&database, ROTATING)];
    for _ in 0..10 {
        let token = log_in(&nodes[0])["refresh"].clone();
        let answers: Vec<String> = std::thread::scope(|scope| {
            let (nodes, token) = (&nodes, &token);
            let rivals: Vec<_> =
                (0..12).map(|rival| scope.spawn(move || refresh(&nodes[rival % 3], token).body)).collect();
            rivals.into_iter().map(|rival| rival.join().expect("answered")).collect()
        });
        assert!(answers.iter().all(|answer| *answer == answers[0] && answer.contains("refresh")), "{answers:#?}");
    }
    assert_eq!(database.column("SELECT count(*) FROM countersign_rotation"), [Cell::Integer(10)]);
    assert!(reasons(&database).iter().all(|reason| *reason == Cell::Null));
}

fn r2_a_used_token_ends_the_family(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, ROTATING);
    let first = log_in(&server);
    let second = refreshed(&server, &first["refresh"]);
    let third = refreshed(&server, &second["refresh"]);
    assert_eq!(verify(&server, &third["access"]), 200);
    assert_eq!(verify(&server, &second["refresh"]), 400, "exchanged");
    assert_void(&refresh(&server, &first["refresh"]));
    assert_eq!(reasons(&database), [Cell::Text("reuse".to_owned())]);
    assert_void(&refresh(&server, &third["refresh"]));
    for token in [&third["refresh"], &third["access"], &first["access"]] {
        assert_eq!(verify(&server, token), 400, "it would not be accepted now");
    }
    // In SimpleJWT's table as well, for a Django beside us.
    assert_eq!(database.column("SELECT count(*) FROM token_blacklist_blacklistedtoken"), [Cell::Integer(3)]);
    assert_eq!(server.authority.session_stats().reused, 1);
    assert_eq!(verify(&server, &log_in(&server)["access"]), 200, "other sessions live on");
}

fn r2_a_token_after_the_window_ends_the_family(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, ROTATING);
    let first = log_in(&server);
    let second = refreshed(&server, &first["refresh"]);
    server.set_clock(instant(NOW + 10.001));
    assert_void(&refresh(&server, &first["refresh"]));
    assert_void(&refresh(&server, &second["refresh"]));
    assert_eq!(reasons(&database), [Cell::Text("reuse".to_owned())]);
}

fn r3_without_a_window_every_second_use_is_theft(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, &format!("{ROTATING}[sessions]\nrefresh_window = \"0s\"\n"));
    let first = log_in(&server);
    let second = refreshed(&server, &first["refresh"]);
    assert_void(&refresh(&server, &first["refresh"]));
    assert_void(&refresh(&server, &second["refresh"]));
}

fn r4_rotation_extends_no_session(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, &format!("{ROTATING}[sessions]\nabsolute_lifetime = \"1h\"\n"));
    let mut token = log_in(&server)["refresh"].clone();
    let end = 1_750_000_000 + 3600;
    assert_eq!(claims(&token)["exp"], end);
    for minutes in [20.0, 40.0, 59.0] {
        server.set_clock(instant(NOW + 60.0 * minutes));
        let pair = refreshed(&server, &token);
        assert_eq!(claims(&pair["refresh"])["exp"], end);
        assert!(claims(&pair["access"])["exp"].as_i64().expect("a time") <= end);
        token = pair["refresh"].clone();
    }
    server.set_clock(instant(NOW + 3600.0));
    assert_eq!(refresh(&server, &token).status, 401);
}

fn r4_an_idle_session_ends(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, &format!("{ROTATING}[sessions]\nidle_lifetime = \"30m\"\n"));
    let token = log_in(&server)["refresh"].clone();
    server.set_clock(instant(NOW + 1799.0));
    let token = refreshed(&server, &token)["refresh"].clone();
    server.set_clock(instant(NOW + 1799.0 + 1799.0));
    let token = refreshed(&server, &token)["refresh"].clone();
    server.set_clock(instant(NOW + 1799.0 + 1799.0 + 1800.0));
    assert_void(&refresh(&server, &token));
}

fn r5_a_logout_ends_the_session(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, ROTATING);
    let first = log_in(&server);
    let second = refreshed(&server, &first["refresh"]);
    // The answer was lost; who holds the token that was just exchanged may log out with it.
    let out = post(&server, "/api/token/blacklist/", &json!({ "refresh": first["refresh"] }));
    assert_eq!((out.status, &*out.body), (200, "{}"));
    assert_void(&refresh(&server, &second["refresh"]));
    assert_eq!(verify(&server, &second["access"]), 400);
    assert_void(&post(&server, "/api/token/blacklist/", &json!({ "refresh": second["refresh"] })));
    assert_eq!(reasons(&database), [Cell::Text("logout".to_owned())]);
    assert_eq!(database.column("SELECT count(*) FROM token_blacklist_blacklistedtoken"), [Cell::Integer(2)]);
}

fn r6_the_user_is_looked_at_again(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, ROTATING);
    let first = log_in(&server);
    let second = refreshed(&server, &first["refresh"]);
    database.execute("UPDATE auth_user SET is_active = FALSE");
    for token in [&first["refresh"], &second["refresh"]] {
        let answer = refresh(&server, token);
        assert_eq!(
            (answer.status, &*answer.body),
            (401, r#"{"detail":"No active account found for the given token."}"#),
            "repeated or not"
        );
        assert_eq!(verify(&server, &second["access"]), 401);
    }
}

fn r7_a_restored_backup_revives_nothing_silently(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, ROTATING);
    let kept = log_in(&server);
    // What a backup would bring back: all that was written since is gone.
    let after = log_in(&server);
    let kept_since = refreshed(&server, &kept["refresh"]);
    for statement in [
        "DELETE FROM token_blacklist_blacklistedtoken",
        "DELETE FROM countersign_rotation",
        "DELETE FROM token_blacklist_outstandingtoken WHERE id > 1",
    ] {
        database.execute(statement);
    }
    let sid = claims(&after["refresh"])["sid"].as_str().expect("a session").to_owned();
    database.execute(&format!("DELETE FROM countersign_session WHERE sid = '{sid}'"));

    assert_void(&refresh(&server, &after["refresh"]));
    assert_eq!(verify(&server, &after["access"]), 400);
    assert_void(&refresh(&server, &kept_since["refresh"]));
    assert_eq!(reasons(&database), [Cell::Text("unrecorded".to_owned())]);
    assert_void(&refresh(&server, &kept["refresh"]));
    assert_eq!(server.authority.session_stats().unrecorded, 2, "each alarms");
}

fn r8_each_login_is_a_session_of_its_own(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, ROTATING);
    let (one, two) = (log_in(&server), log_in(&server));
    assert_ne!(claims(&one["refresh"])["sid"], claims(&two["refresh"])["sid"]);
    let out = post(&server, "/api/token/blacklist/", &json!({ "refresh": one["refresh"] }));
    assert_eq!(out.status, 200);
    refreshed(&server, &two["refresh"]);
}

fn a_token_of_djangos_begins_a_family(kind: Kind) {
    let database = with_ann(kind);
    let plain = start(&database, &format!("{ROTATING}[sessions]\nenabled = false\n"));
    let token = log_in(&plain)["refresh"].clone();
    assert!(claims(&token)["sid"].is_null());
    let nodes = [start(&database, ROTATING), start(&database, ROTATING)];
    let answers = nodes.each_ref().map(|node| refresh(node, &token).body);
    assert_eq!(answers[0], answers[1]);
    let pair: Value = serde_json::from_str(&answers[0]).expect("JSON");
    assert_eq!(claims(&pair["refresh"])["sid"], claims(&pair["access"])["sid"]);
    refreshed(&nodes[0], &pair["refresh"]);
    assert_void(&refresh(&nodes[1], &token));
    assert_eq!(reasons(&database), [Cell::Text("reuse".to_owned())]);
}

fn rotation_without_blacklisting_has_one_successor_too(kind: Kind) {
    let database = with_ann(kind);
    for more in ["", "installed_apps = []\n"] {
        let text = "[simple_jwt]\nrotate_refresh_tokens = true\n";
        let config = format!("{more}{}", self::text(&database, text));
        let config = config.replace(
            "[auth.pbkdf2_sha256]",
            "[rest_framework]\ndefault_authentication_classes = [\"jwt\"]\n[auth.pbkdf2_sha256]",
        );
        let server = Server::start(Config::from_text(&config).expect("holds together"), instant(NOW));
        let first = log_in(&server);
        let second = refreshed(&server, &first["refresh"]);
        assert_eq!(refreshed(&server, &first["refresh"]), second);
        refreshed(&server, &second["refresh"]);
        assert_void(&refresh(&server, &first["refresh"]));
        assert_void(&refresh(&server, &second["refresh"]));
    }
    assert_eq!(
        database.column("SELECT count(*) FROM countersign_session WHERE end_reason = 'reuse'"),
        [Cell::Integer(2)]
    );
}

fn without_rotation_a_refresh_is_noted(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "[sessions]\nidle_lifetime = \"30m\"\n");
    let token = log_in(&server)["refresh"].clone();
    let noted = || database.column("SELECT refreshed_at FROM countersign_session");
    server.set_clock(instant(NOW + 59.0));
    let access = refreshed(&server, &token)["access"].clone();
    assert_eq!(claims(&access)["sid"], claims(&token)["sid"]);
    assert_eq!(noted(), [Cell::Instant(instant(NOW))], "no write so soon after the last");
    server.set_clock(instant(NOW + 61.0));
    assert_ne!(refreshed(&server, &token)["access"], access);
    assert_eq!(noted(), [Cell::Instant(instant(NOW + 61.0))]);
    server.set_clock(instant(NOW + 61.0 + 1800.0));
    assert_void(&refresh(&server, &token));
}

fn a_deleted_user_leaves_no_obstacle(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, ROTATING);
    let pair = refreshed(&server, &log_in(&server)["refresh"]);
    database.execute("UPDATE token_blacklist_outstandingtoken SET user_id = NULL");
    database.execute("DELETE FROM auth_user");
    let answer = refresh(&server, &pair["refresh"]);
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("No active account found"), "{}", answer.body);
}
