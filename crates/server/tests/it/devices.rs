//! All sessions of a user in one view, whatever kind, and their end.

use countersign_server::Config;
use serde_json::{Value, json};

use crate::database::{Cell, Database, Kind, on_every_backend};
use crate::harness::{Answer, Server, instant};
use crate::program::run;
use crate::sessions::{SECRET, drop_own_tables, text, with_ann};

on_every_backend![
    every_kind_is_listed_and_the_current_one_marked,
    a_place_is_what_the_client_says_and_where_it_is,
    a_proxy_is_believed_if_it_is_declared,
    each_session_is_ended_by_its_id,
    the_current_session_ends_by_that_name,
    all_sessions_end,
    all_other_sessions_end,
    logging_out_everywhere_ends_every_kind,
    keys_of_a_projects_own_are_no_sessions,
    an_operator_ends_every_kind,
    what_ended_with_a_change_of_its_user_is_not_listed,
    the_end_of_a_session_is_written_with_its_event,
    r8_nobody_sees_or_ends_anothers_sessions,
    an_id_is_no_secret_and_no_credential,
    dead_sessions_are_not_shown,
    when_sessions_were_seen_is_written_once_a_period,
    what_was_noted_is_written_at_the_end,
    nothing_is_noted_where_it_is_off,
    tokens_of_djangos_have_a_place_once_they_are_seen,
    the_paths_are_djangos_paths,
    without_sessions_there_is_no_view,
];

const NOW: f64 = 1_750_000_000.0;
const APPS: &str =
    "installed_apps = [\"knox\", \"rest_framework.authtoken\", \"rest_framework_simplejwt.token_blacklist\"]\n";
const CLASSES: &str = "[rest_framework]\ndefault_authentication_classes = [{ kind = \"token\", keyword = \"Key\" }, \"native\", \"jwt\", \"jwt_stateless\", \"knox\", \"basic\"]\n[native_tokens]\nenabled = true\n";
/// ann:secret.
const BASIC: (&str, &str) = ("Authorization", "Basic YW5uOnNlY3JldA==");
/// bob:secret.
const BASIC_BOB: (&str, &str) = ("Authorization", "Basic Ym9iOnNlY3JldA==");

fn start(database: &Database, more: &str) -> Server {
    let text = format!("{APPS}{}", text(database, &format!("{CLASSES}{more}")));
    Server::start(Config::from_text(&text).expect("holds together"), instant(NOW))
}

/// ann and bob, with the same password.
fn ann_and_bob(kind: Kind) -> Database {
    let database = with_ann(kind);
    database.execute(
        "INSERT INTO auth_user (id, username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
         SELECT 2, 'bob', password, is_superuser, '', '', '', is_staff, is_active, date_joined FROM auth_user",
    );
    database
}

fn log_in_with(server: &Server, path: &str, more: &[(&str, &str)], body: &Value) -> Value {
    let headers = [&[("Content-Type", "application/json"), ("User-Agent", "test/1")], more].concat();
    let answer = server.send("POST", path, &headers, Some(body.to_string().as_bytes()));
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

/// A login of each kind; the headers to come back with, and the kinds' names.
fn log_in(server: &Server, user: &str) -> Vec<(&'static str, String)> {
    let body = |name: &str| json!({ "username": user, "password": SECRET, "device_name": name });
    let basic = if user == "ann" { BASIC } else { BASIC_BOB };
    let text = |value: &Value| value.as_str().expect("a token").to_owned();
    let token = log_in_with(server, "/api-token-auth/", &[], &body("desk"));
    let native = log_in_with(server, "/api/native/login/", &[], &body("laptop"));
    let jwt = log_in_with(server, "/api/token/", &[], &body("phone"));
    let knox = log_in_with(server, "/knox/login/", &[basic], &body("tablet"));
    vec![
        ("token", format!("Key {}", text(&token["token"]))),
        ("native", format!("Bearer {}", text(&native["token"]))),
        ("jwt", format!("Bearer {}", text(&jwt["access"]))),
        ("knox", format!("Token {}", text(&knox["token"]))),
    ]
}

fn send(server: &Server, method: &str, path: &str, authorization: &str) -> Answer {
    server.send(method, path, &[("Authorization", authorization)], None)
}

fn list(server: &Server, authorization: &str) -> Vec<Value> {
    let answer = send(server, "GET", "/api/sessions/", authorization);
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{}", answer.body);
    answer.json().as_array().expect("a list").clone()
}

fn kinds(sessions: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = sessions.iter().map(|session| session["kind"].as_str().expect("a kind")).collect();
    kinds.sort_unstable();
    kinds
}

fn statuses(server: &Server, logins: &[(&str, String)]) -> Vec<u16> {
    logins.iter().map(|(_, authorization)| send(server, "GET", "/api/whoami/", authorization).status).collect()
}

fn flush(server: &Server) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(server.authority.flush_last_seen()).expect("written");
}

fn every_kind_is_listed_and_the_current_one_marked(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    let logins = log_in(&server, "ann");
    log_in(&server, "bob");
    for (kind, authorization) in &logins {
        let sessions = list(&server, authorization);
        assert_eq!(kinds(&sessions), ["jwt", "knox", "native", "token"], "{kind}");
        for session in &sessions {
            assert_eq!(session["current"], session["kind"] == *kind, "{session}");
        }
    }
    let sessions = list(&server, BASIC.1);
    assert!(sessions.iter().all(|session| session["current"] == false), "a password is no session");
    let expires = |kind: &str| {
        let session = sessions.iter().find(|session| session["kind"] == kind).expect("there");
        session["expires"].as_str().map(str::to_owned)
    };
    assert_eq!(expires("token"), None);
    assert_eq!(expires("knox").as_deref(), Some("2025-06-16T01:06:40Z"));
    assert_eq!(expires("native").as_deref(), Some("2025-09-13T15:06:40Z"));
    assert_eq!(expires("jwt").as_deref(), Some("2025-06-16T15:11:40Z"), "as long as what it may still buy");
}

fn a_place_is_what_the_client_says_and_where_it_is(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    let logins = log_in(&server, "ann");
    let mut names = Vec::new();
    for session in list(&server, &logins[0].1) {
        assert_eq!((&session["user_agent"], &session["address"]), (&json!("test/1"), &json!("127.0.0.1")), "{session}");
        assert_eq!(session["created"], "2025-06-15T15:06:40Z");
        names.push(format!(
            "{}: {}",
            session["kind"].as_str().unwrap_or("?"),
            session["device_name"].as_str().unwrap_or("?")
        ));
    }
    names.sort_unstable();
    assert_eq!(names, ["jwt: phone", "knox: tablet", "native: laptop", "token: desk"]);
    // Names that are none make no login fail that SimpleJWT lets in.
    for odd in [json!(null), json!(["x"]), json!(""), json!({ "a": 1 }), json!("\u{0}"), json!("x".repeat(10_000))] {
        log_in_with(&server, "/api/token/", &[], &json!({ "username": "bob", "password": SECRET, "device_name": odd }));
    }
    for body in [&b"{"[..], b"[1]", b"\xff", b""] {
        let headers = [BASIC_BOB, ("Content-Type", "application/json")];
        assert_eq!(server.send("POST", "/knox/login/", &headers, Some(body)).status, 200, "Knox reads no body");
    }
    let longest =
        list(&server, BASIC_BOB.1).iter().filter_map(|session| session["device_name"].as_str().map(str::len)).max();
    assert_eq!(longest, Some(100));
}

fn a_proxy_is_believed_if_it_is_declared(kind: Kind) {
    let database = ann_and_bob(kind);
    let body = json!({ "username": "ann", "password": SECRET });
    let forwarded = [("X-Forwarded-For", "203.0.113.9, 2001:db8::7")];
    log_in_with(&start(&database, ""), "/api/token/", &forwarded, &body);
    let text = format!("trusted_proxies = [\"127.0.0.1/32\"]\n{APPS}{}", text(&database, CLASSES));
    let server = Server::start(Config::from_text(&text).expect("holds together"), instant(NOW + 1.0));
    log_in_with(&server, "/api/token/", &forwarded, &body);
    let sessions = list(&server, BASIC.1);
    let addresses: Vec<&str> = sessions.iter().map(|session| session["address"].as_str().expect("one")).collect();
    assert_eq!(addresses, ["2001:db8::7", "127.0.0.1"], "the newest first");
}

fn each_session_is_ended_by_its_id(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    let logins = log_in(&server, "ann");
    let bobs = log_in(&server, "bob");
    server.set_clock(instant(NOW + 1.0));
    let refresh = log_in_with(&server, "/api/token/", &[], &json!({ "username": "bob", "password": SECRET }));
    for session in list(&server, BASIC.1) {
        let path = format!("/api/sessions/{}/", session["id"].as_str().expect("an id"));
        let answer = send(&server, "DELETE", &path, BASIC.1);
        assert_eq!((answer.status, &*answer.body), (204, ""), "{session}");
        let answer = send(&server, "DELETE", &path, BASIC.1);
        assert_eq!((answer.status, &*answer.body), (404, r#"{"detail":"Not found."}"#), "once: {session}");
        let left = list(&server, BASIC.1);
        assert!(left.iter().all(|other| other["id"] != session["id"]));
    }
    assert_eq!(list(&server, BASIC.1).len(), 0);
    assert_eq!(statuses(&server, &logins), [401; 4], "access tokens too");
    assert_eq!(statuses(&server, &bobs), [200; 4]);
    assert_eq!(database.column("SELECT count(*) FROM countersign_device WHERE user_id = '1'"), [Cell::Integer(0)]);
    // A family's refresh tokens are refused here and at a Django beside us, which goes by its table.
    assert_eq!(database.column("SELECT count(*) FROM token_blacklist_blacklistedtoken"), [Cell::Integer(1)]);
    let sid = list(&server, BASIC_BOB.1).iter().find(|session| session["kind"] == "jwt").expect("there")["id"].clone();
    let path = format!("/api/sessions/{}/", sid.as_str().expect("an id"));
    assert_eq!(send(&server, "DELETE", &path, BASIC_BOB.1).status, 204);
    let body = json!({ "refresh": refresh["refresh"] }).to_string();
    let headers = [("Content-Type", "application/json")];
    let status = server.send("POST", "/api/token/refresh/", &headers, Some(body.as_bytes())).status;
    assert_eq!(status, 401);
}

fn the_current_session_ends_by_that_name(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    for (kind, authorization) in &log_in(&server, "ann") {
        let before = list(&server, BASIC.1).len();
        assert_eq!(send(&server, "DELETE", "/api/sessions/current/", authorization).status, 204, "{kind}");
        let left = list(&server, BASIC.1);
        assert_eq!(left.len(), before - 1);
        assert!(left.iter().all(|session| session["kind"] != *kind));
    }
    assert_eq!(send(&server, "DELETE", "/api/sessions/current/", BASIC.1).status, 404, "a password is no session");
}

fn all_sessions_end(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    let logins = log_in(&server, "ann");
    let bobs = log_in(&server, "bob");
    assert_eq!(send(&server, "DELETE", "/api/sessions/", &logins[1].1).status, 204);
    assert_eq!(statuses(&server, &logins), [401; 4]);
    assert_eq!(list(&server, BASIC.1).len(), 0);
    assert_eq!(statuses(&server, &bobs), [200; 4]);
    assert_eq!(list(&server, BASIC_BOB.1).len(), 4);
}

fn all_other_sessions_end(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    for (index, kind) in ["token", "native", "jwt", "knox"].into_iter().enumerate() {
        let logins = log_in(&server, "ann");
        assert_eq!(send(&server, "DELETE", "/api/sessions/others/", &logins[index].1).status, 204, "{kind}");
        let left = list(&server, &logins[index].1);
        assert_eq!((kinds(&left), &left[0]["current"]), (vec![kind], &json!(true)));
        assert_eq!(left[0]["address"], "127.0.0.1", "what is known of it stays");
    }
    assert_eq!(send(&server, "DELETE", "/api/sessions/others/", BASIC.1).status, 204);
    assert_eq!(list(&server, BASIC.1).len(), 0, "all are others to a password");
}

fn logging_out_everywhere_ends_every_kind(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    let bobs = log_in(&server, "bob");
    for (index, kind) in ["token", "native", "jwt", "knox"].into_iter().enumerate() {
        let logins = log_in(&server, "ann");
        let answer = send(&server, "POST", "/api/sessions/logout-others/", &logins[index].1);
        assert_eq!((answer.status, &*answer.body), (204, ""), "{kind}");
        let others: Vec<u16> = (0..4).map(|other| if other == index { 200 } else { 401 }).collect();
        assert_eq!(statuses(&server, &logins), others, "{kind}");
        assert_eq!(send(&server, "POST", "/api/sessions/logout-all/", &logins[index].1).status, 204, "{kind}");
        assert_eq!(statuses(&server, &logins), [401; 4], "{kind}");
        assert_eq!(list(&server, BASIC.1).len(), 0);
    }
    assert_eq!(statuses(&server, &bobs), [200; 4]);
    for path in ["/api/sessions/logout-all/", "/api/sessions/logout-others/"] {
        let nobody = server.send("POST", path, &[], None);
        let refusal = r#"{"detail":"Authentication credentials were not provided."}"#;
        assert_eq!((nobody.status, &*nobody.body), (401, refusal), "{path}");
    }
}

/// A table with several keys for a user: they let in, and are neither shown nor ended.
fn keys_of_a_projects_own_are_no_sessions(kind: Kind) {
    let database = ann_and_bob(kind);
    database.execute(
        "CREATE TABLE IF NOT EXISTS api_key (key varchar(40) NOT NULL PRIMARY KEY, user_id integer NOT NULL);
         DELETE FROM api_key; INSERT INTO api_key (key, user_id) VALUES ('one', 1), ('two', 1)",
    );
    let classes = "[{ kind = \"token\", keyword = \"Api\", table = \"api_key\" }, \"jwt\", \"basic\"]";
    let text = text(&database, &format!("[rest_framework]\ndefault_authentication_classes = {classes}\n"));
    let server = Server::start(Config::from_text(&text).expect("holds together"), instant(NOW));
    log_in_with(&server, "/api/token/", &[], &json!({ "username": "ann", "password": SECRET }));
    let sessions = list(&server, "Api one");
    assert_eq!((kinds(&sessions), &sessions[0]["current"]), (vec!["jwt"], &json!(false)));
    assert_eq!(send(&server, "DELETE", "/api/sessions/current/", "Api one").status, 404);
    for path in ["/api/sessions/logout-others/", "/api/sessions/logout-all/"] {
        assert_eq!(send(&server, "POST", path, "Api one").status, 204);
        assert_eq!(list(&server, "Api two").len(), 0, "{path}");
    }
}

fn an_operator_ends_every_kind(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    let (anns, bobs) = (log_in(&server, "ann"), log_in(&server, "bob"));
    let configuration = format!("{APPS}{}", text(&database, CLASSES));
    let end = |what: &[&str]| {
        let run = run(&configuration, &[&["sessions", "end"], what].concat());
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).expect("UTF-8")
    };
    assert_eq!(end(&["--user", "ann"]), "Ended 4 sessions of user 'ann'\n");
    while statuses(&server, &anns) != [401; 4] {} // the node knows within a second
    assert_eq!(list(&server, BASIC.1).len(), 0);
    assert_eq!(statuses(&server, &bobs), [200; 4]);
    log_in(&server, "ann");
    assert!(end(&["--all"]).starts_with("Ended all sessions; "));
    while statuses(&server, &bobs) != [401; 4] {}
    assert_eq!((list(&server, BASIC.1).len(), list(&server, BASIC_BOB.1).len()), (0, 0));
    for table in ["countersign_token", "countersign_device", "authtoken_token", "knox_authtoken"] {
        assert_eq!(database.column(&format!("SELECT count(*) FROM {table}")), [Cell::Integer(0)], "{table}");
    }
}

/// By the view and by the command; Django's own tokens live on, as they do there.
fn what_ended_with_a_change_of_its_user_is_not_listed(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    let (anns, bobs) = (log_in(&server, "ann"), log_in(&server, "bob"));
    database.execute("UPDATE auth_user SET password = 'x' || password WHERE id = 1");
    // The command's clock is the real one, by which only DRF's token has no end.
    let listed = || {
        let configuration = format!("{APPS}{}", text(&database, CLASSES));
        let run = run(&configuration, &["sessions", "list", "--json", "--user", "ann"]);
        kinds(&serde_json::from_slice::<Vec<Value>>(&run.stdout).expect("JSON")).join(" ")
    };
    for _ in 0..2 {
        assert_eq!(kinds(&list(&server, &anns[0].1)), ["knox", "token"]);
        assert_eq!(kinds(&list(&server, &bobs[0].1)), ["jwt", "knox", "native", "token"]);
        assert_eq!(listed(), "token");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(server.authority.store().settle_owners(10)).expect("settled");
    }
    assert_eq!(
        database.column("SELECT end_reason FROM countersign_session WHERE user_id = '1'"),
        [Cell::Text("user_changed".to_owned())]
    );
}

fn the_end_of_a_session_is_written_with_its_event(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    let logins = log_in(&server, "ann");
    // Read before the recorder, which gathers for a while, has written anything.
    let told = || database.column("SELECT session FROM countersign_event WHERE kind = 'session_ended' ORDER BY id");
    let mut ended = Vec::new();
    for session in list(&server, BASIC.1) {
        let id = session["id"].as_str().expect("an id").to_owned();
        assert_eq!(send(&server, "DELETE", &format!("/api/sessions/{id}/"), BASIC.1).status, 204);
        ended.push(Cell::Text(id));
        assert_eq!(told(), ended);
    }
    assert_eq!(statuses(&server, &logins), [401; 4]);
    log_in(&server, "ann");
    let mut all: Vec<String> =
        list(&server, BASIC.1).iter().map(|session| session["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(send(&server, "DELETE", "/api/sessions/", BASIC.1).status, 204);
    let mut shown: Vec<String> = told()
        .into_iter()
        .skip(4)
        .map(|cell| match cell {
            Cell::Text(id) => id,
            other => panic!("{other:?}"),
        })
        .collect();
    all.sort_unstable();
    shown.sort_unstable();
    assert_eq!(shown, all);
    let details = database.column(
        "SELECT DISTINCT user_id || ' ' || address || ' ' || detail FROM countersign_event WHERE kind = 'session_ended' ORDER BY 1",
    );
    assert_eq!(
        details,
        [
            Cell::Text("1 127.0.0.1 {\"reason\":\"ended_by_user\"}".to_owned()),
            Cell::Text("1 127.0.0.1 {\"reason\":\"logout_all\"}".to_owned()),
        ]
    );
}

fn r8_nobody_sees_or_ends_anothers_sessions(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    let (anns, bobs) = (log_in(&server, "ann"), log_in(&server, "bob"));
    let ids = |authorization: &str| -> Vec<String> {
        let id = |session: &Value| session["id"].as_str().expect("an id").to_owned();
        list(&server, authorization).iter().map(id).collect()
    };
    let (of_ann, of_bob) = (ids(&anns[0].1), ids(&bobs[0].1));
    assert!(of_ann.iter().all(|id| !of_bob.contains(id)));
    for id in of_bob.iter().map(String::as_str).chain(["x", "0", "CURRENT", "%2e%2e", "..", "a'--"]) {
        let answer = send(&server, "DELETE", &format!("/api/sessions/{id}/"), &anns[2].1);
        assert_eq!((answer.status, &*answer.body), (404, r#"{"detail":"Not found."}"#), "{id}");
    }
    assert_eq!(statuses(&server, &bobs), [200; 4]);
    assert_eq!(ids(&bobs[0].1), of_bob);
    for (method, path) in [("GET", "/api/sessions/"), ("DELETE", "/api/sessions/"), ("DELETE", "/api/sessions/others/")]
    {
        assert_eq!(server.send(method, path, &[], None).status, 401, "{method} {path}");
    }
}

fn an_id_is_no_secret_and_no_credential(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    let logins = log_in(&server, "ann");
    for session in list(&server, BASIC.1) {
        let id = session["id"].as_str().expect("an id");
        assert!(matches!(id.len(), 32 | 40) && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        for (_, authorization) in &logins {
            assert!(!authorization.contains(id) && !id.contains(&authorization[7..22]));
        }
        for keyword in ["Key", "Bearer", "Token", "Bearer cs_"] {
            let space = if keyword.ends_with('_') { "" } else { " " };
            let shown = format!("{keyword}{space}{id}");
            assert_eq!(send(&server, "GET", "/api/whoami/", &shown).status, 401, "{shown}");
        }
    }
}

fn dead_sessions_are_not_shown(kind: Kind) {
    let database = ann_and_bob(kind);
    let server =
        start(&database, "lifetime = \"2h\"\n[sessions]\nidle_lifetime = \"1h\"\n[knox]\ntoken_ttl = \"3h\"\n");
    log_in(&server, "ann");
    for (hours, shown) in [
        (0.9, &["jwt", "knox", "native", "token"][..]),
        (1.1, &["knox", "native", "token"]),
        (2.1, &["knox", "token"]),
        (3.1, &["token"]),
    ] {
        server.set_clock(instant(NOW + hours * 3600.0));
        assert_eq!(kinds(&list(&server, BASIC.1)), shown, "{hours} h");
    }
}

fn when_sessions_were_seen_is_written_once_a_period(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    let logins = log_in(&server, "ann");
    let seen = |database: &Database| -> Vec<Cell> {
        ["countersign_session", "countersign_token", "countersign_device"]
            .iter()
            .flat_map(|table| database.column(&format!("SELECT last_seen_at FROM {table}")))
            .collect()
    };
    assert_eq!(seen(&database), [Cell::Null, Cell::Null, Cell::Null, Cell::Null]);
    for seconds in [1.0, 2.0, 3.0] {
        server.set_clock(instant(NOW + seconds));
        assert_eq!(statuses(&server, &logins), [200; 4]);
    }
    assert_eq!(seen(&database), [Cell::Null, Cell::Null, Cell::Null, Cell::Null], "no request waits for a write");
    flush(&server);
    let first = || Cell::Instant(instant(NOW + 1.0));
    assert_eq!(seen(&database), [first(), first(), first(), first()]);
    for session in list(&server, BASIC.1) {
        assert_eq!(session["last_seen"], "2025-06-15T15:06:41Z", "{session}");
        assert_eq!((&session["address"], &session["user_agent"]), (&json!("127.0.0.1"), &json!("test/1")));
    }
    server.set_clock(instant(NOW + 70.0));
    assert_eq!(statuses(&server, &logins), [200; 4]);
    flush(&server);
    let second = || Cell::Instant(instant(NOW + 70.0));
    assert_eq!(seen(&database), [second(), second(), second(), second()]);
    // Refused requests are nobody's.
    database.execute("UPDATE auth_user SET is_active = FALSE");
    server.set_clock(instant(NOW + 140.0));
    assert_eq!(statuses(&server, &logins), [401, 401, 401, 401]);
    flush(&server);
    assert_eq!(seen(&database), [second(), second(), second(), second()]);
}

fn what_was_noted_is_written_at_the_end(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    let logins = log_in(&server, "ann");
    server.set_clock(instant(NOW + 5.0));
    assert_eq!(statuses(&server, &logins), [200; 4]);
    drop(server);
    for table in ["countersign_session", "countersign_token", "countersign_device"] {
        let seen = database.column(&format!("SELECT DISTINCT last_seen_at FROM {table}"));
        assert_eq!(seen, [Cell::Instant(instant(NOW + 5.0))], "{table}");
    }
}

fn nothing_is_noted_where_it_is_off(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "[sessions]\nlast_seen = false\n");
    let logins = log_in(&server, "ann");
    assert_eq!(statuses(&server, &logins), [200; 4]);
    flush(&server);
    drop(server);
    for table in ["countersign_session", "countersign_token", "countersign_device"] {
        assert_eq!(database.column(&format!("SELECT DISTINCT last_seen_at FROM {table}")), [Cell::Null], "{table}");
    }
}

fn tokens_of_djangos_have_a_place_once_they_are_seen(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    let logins = log_in(&server, "ann");
    // As if Django had given them out.
    database.execute("DELETE FROM countersign_device");
    server.set_clock(instant(NOW + 5.0));
    let entries = || -> Vec<(Value, Value)> {
        let sessions = list(&server, BASIC.1);
        let djangos = sessions.iter().filter(|session| session["kind"] == "token" || session["kind"] == "knox");
        djangos.map(|session| (session["address"].clone(), session["last_seen"].clone())).collect()
    };
    assert_eq!(entries(), vec![(json!(null), json!(null)); 2]);
    assert_eq!(statuses(&server, &logins), [200; 4]);
    flush(&server);
    assert_eq!(entries(), vec![(json!(null), json!("2025-06-15T15:06:45Z")); 2]);
}

fn the_paths_are_djangos_paths(kind: Kind) {
    let database = ann_and_bob(kind);
    let server = start(&database, "");
    for (method, path, status, header) in [
        ("DELETE", "/api/sessions/x", 301, ("location", "/api/sessions/x/")),
        ("GET", "/api/sessions", 301, ("location", "/api/sessions/")),
        ("GET", "/api/sessions/x/", 405, ("allow", "DELETE, OPTIONS")),
        ("POST", "/api/sessions/", 405, ("allow", "GET, DELETE, HEAD, OPTIONS")),
        ("OPTIONS", "/api/sessions/x/", 200, ("allow", "DELETE, OPTIONS")),
        ("HEAD", "/api/sessions/", 200, ("allow", "GET, DELETE, HEAD, OPTIONS")),
        ("DELETE", "/api/sessions/x/y/", 404, ("content-type", "text/html; charset=utf-8")),
        ("DELETE", "/api/sessions//", 404, ("content-type", "text/html; charset=utf-8")),
        ("DELETE", "/api/sessions/a%2Fb/", 404, ("content-type", "text/html; charset=utf-8")),
    ] {
        let answer = send(&server, method, path, BASIC.1);
        assert_eq!((answer.status, answer.header(header.0)), (status, Some(header.1)), "{method} {path}");
    }
    let own = start(&database, "[paths]\nsessions = \"/me/devices/\"\n");
    assert_eq!(send(&own, "GET", "/me/devices/", BASIC.1).status, 200);
    assert_eq!(send(&own, "DELETE", "/me/devices/others/", BASIC.1).status, 204);
    assert_eq!(send(&own, "GET", "/api/sessions/", BASIC.1).status, 404);
    let none = start(&database, "[paths]\nsessions = \"\"\n");
    assert_eq!(send(&none, "DELETE", "/api/sessions/x/", BASIC.1).status, 404);
}

fn without_sessions_there_is_no_view(kind: Kind) {
    let database = ann_and_bob(kind);
    let config = |more: &str| Config::from_text(&text(&database, more)).expect("holds together");
    let off = Server::start(config("[sessions]\nenabled = false\n"), instant(NOW));
    assert_eq!(send(&off, "GET", "/api/sessions/", BASIC.1).status, 404);
    drop_own_tables(&database);
    let without_tables = Server::start(config(""), instant(NOW));
    for method in ["GET", "DELETE"] {
        assert_eq!(send(&without_tables, method, "/api/sessions/", BASIC.1).status, 404);
    }
}
