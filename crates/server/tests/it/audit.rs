//! Events: each kind with what belongs to it, and nothing that steers who reads them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use countersign_server::Config;
use serde_json::{Value, json};

use crate::database::{Cell, Database, Kind, on_every_backend};
use crate::harness::{Answer, Server, instant};
use crate::program::run;
use crate::sessions::{SECRET, text, with_ann};

on_every_backend![
    each_event_stands_once_with_its_fields,
    a_refused_login_has_its_reason_in_the_table_alone,
    a_refused_token_has_its_reason,
    s2_what_a_client_wrote_cannot_steer,
    a_flood_is_counted_and_does_not_fill_the_disk,
    knox_tokens_leave_events,
    without_sessions_a_logout_is_an_event,
    kinds_can_be_left_out,
    an_end_of_a_session_outlives_a_kill,
    a_server_prunes_itself,
];

const NOW: f64 = 1_750_000_000.25;
const AGENT: &str = "Firefox/1";
const ROTATING: &str = "[simple_jwt]\nrotate_refresh_tokens = true\nblacklist_after_rotation = true\n";

fn start(database: &Database, more: &str) -> Server {
    Server::start(Config::from_text(&text(database, more)).expect("holds together"), instant(NOW))
}

fn post(server: &Server, path: &str, body: &Value) -> Answer {
    let headers = [("Content-Type", "application/json"), ("User-Agent", AGENT)];
    server.send("POST", path, &headers, Some(body.to_string().as_bytes()))
}

fn log_in(server: &Server, name: &str, password: &str) -> Answer {
    post(server, "/api/token/", &json!({ "username": name, "password": password }))
}

/// All events, one text each; a server that has stopped has written them all.
fn events(database: &Database) -> Vec<String> {
    let fields = ["user_id", "account", "address", "agent", "detail"]
        .map(|field| format!("COALESCE({field}, '-')"))
        .join(" || ' ' || ");
    let query = format!("SELECT kind || ' ' || {fields} FROM countersign_event ORDER BY at, id");
    database.column(&query).into_iter().map(told).collect()
}

fn told(cell: Cell) -> String {
    match cell {
        Cell::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

fn each_event_stands_once_with_its_fields(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, &format!("{ROTATING}[audit]\nskip = []\n"));
    let first = log_in(&server, "ann", SECRET).json();
    server.set_clock(instant(NOW + 1.0));
    let refresh = |token: &Value| post(&server, "/api/token/refresh/", &json!({ "refresh": token }));
    let second = refresh(&first["refresh"]).json();
    server.set_clock(instant(NOW + 2.5));
    assert_eq!(refresh(&first["refresh"]).status, 200);
    server.set_clock(instant(NOW + 3.0));
    assert_eq!(refresh(&second["refresh"]).status, 200);
    server.set_clock(instant(NOW + 4.0));
    assert_eq!(refresh(&first["refresh"]).status, 401);
    server.set_clock(instant(NOW + 5.0));
    assert_eq!(refresh(&first["refresh"]).status, 401, "it has ended");
    server.set_clock(instant(NOW + 6.0));
    let token = post(&server, "/api-token-auth/", &json!({ "username": "ann", "password": SECRET }));
    assert_eq!(token.status, 200, "{}", token.body);
    server.set_clock(instant(NOW + 7.0));
    let other = log_in(&server, "ann", SECRET).json();
    server.set_clock(instant(NOW + 8.0));
    assert_eq!(post(&server, "/api/token/blacklist/", &json!({ "refresh": other["refresh"] })).status, 200);
    drop(server);
    let jti = |token: &Value| claim(token, "jti");
    let client = format!("127.0.0.1 {AGENT}");
    assert_eq!(
        events(&database),
        [
            format!("login 1 ann {client} {{\"for\":\"pair\"}}"),
            format!("refresh 1 - {client} {{\"jti\":\"{}\"}}", jti(&first["refresh"])),
            format!("refresh_converged 1 - {client} {{\"after_ms\":1500}}"),
            format!("refresh 1 - {client} {{\"jti\":\"{}\"}}", jti(&second["refresh"])),
            format!("refresh_reuse 1 - {client} {{\"jti\":\"{}\",\"session_ended\":true}}", jti(&first["refresh"])),
            format!("session_ended 1 - {client} {{\"reason\":\"reuse\"}}"),
            format!("credentials_refused 1 - {client} {{\"at\":\"refresh\",\"reason\":\"ended\"}}"),
            format!("token_issued 1 ann {client} {{\"by\":\"login\"}}"),
            format!("login 1 ann {client} {{\"for\":\"token\"}}"),
            format!("login 1 ann {client} {{\"for\":\"pair\"}}"),
            format!("session_ended 1 - {client} {{\"reason\":\"logout\"}}"),
        ]
    );
    let sessions =
        database.column("SELECT DISTINCT session FROM countersign_event WHERE session IS NOT NULL ORDER BY 1");
    let mut expected = [&first, &other].map(|pair| claim(&pair["refresh"], "sid"));
    expected.sort();
    assert_eq!(sessions, expected.map(Cell::Text));
}

/// A claim of a token, as text.
fn claim(token: &Value, name: &str) -> String {
    use base64::Engine as _;

    let payload = token.as_str().and_then(|token| token.split('.').nth(1)).expect("three parts");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    let claims: Value = serde_json::from_slice(&bytes).expect("claims");
    claims[name].as_str().expect(name).to_owned()
}

fn a_refused_login_has_its_reason_in_the_table_alone(kind: Kind) {
    let database = with_ann(kind);
    database.execute(
        "INSERT INTO auth_user (id, username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
         SELECT 2, 'bob', password, is_superuser, '', '', '', is_staff, FALSE, date_joined FROM auth_user WHERE id = 1
         UNION ALL
         SELECT 3, 'eve', '!unusable', is_superuser, '', '', '', is_staff, TRUE, date_joined FROM auth_user WHERE id = 1",
    );
    let server = start(&database, "");
    let refusals: Vec<String> = [("zed", SECRET), ("ann", "wrong"), ("bob", SECRET), ("eve", SECRET)]
        .map(|(name, password)| log_in(&server, name, password).body)
        .into();
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "SECURITY A1: {refusals:?}");
    drop(server);
    let client = format!("127.0.0.1 {AGENT}");
    assert_eq!(
        events(&database),
        [
            format!("login_failed - zed {client} {{\"reason\":\"unknown_user\"}}"),
            format!("login_failed 1 ann {client} {{\"reason\":\"wrong_password\"}}"),
            format!("login_failed 2 bob {client} {{\"reason\":\"inactive\"}}"),
            format!("login_failed 3 eve {client} {{\"reason\":\"unusable_password\"}}"),
        ]
    );
}

fn a_refused_token_has_its_reason(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let pair = log_in(&server, "ann", SECRET).json();
    let (access, refresh) = (pair["access"].as_str().expect("a token"), pair["refresh"].as_str().expect("a token"));
    let whoami = |header: &str| server.send("GET", "/api/whoami/", &[("Authorization", header)], None).status;
    assert_eq!(whoami(&format!("Token {}", "0".repeat(40))), 401);
    assert_eq!(whoami("Bearer"), 401);
    assert_eq!(whoami(&format!("Bearer {refresh}")), 401);
    let (signed, other) = (access.rsplit_once('.').expect("signed").0, refresh.rsplit_once('.').expect("signed").1);
    assert_eq!(whoami(&format!("Bearer {signed}.{other}")), 401);
    server.set_clock(instant(NOW + 301.0));
    assert_eq!(whoami(&format!("Bearer {access}")), 401);
    assert_eq!(post(&server, "/api/token/verify/", &json!({ "token": access })).status, 401);
    assert_eq!(post(&server, "/api/token/refresh/", &json!({ "refresh": access })).status, 401);
    drop(server);
    let refused: Vec<String> = events(&database)
        .iter()
        .filter_map(|event| Some(event.strip_prefix("credentials_refused ")?.to_owned()))
        .collect();
    let of = |at: &str, reason: &str| {
        let agent = if at.starts_with(['t', 'j']) { "-" } else { AGENT };
        format!("- - 127.0.0.1 {agent} {{\"at\":\"{at}\",\"reason\":\"{reason}\"}}")
    };
    assert_eq!(
        refused,
        [
            of("token", "unknown_token"),
            of("jwt", "bad_header"),
            of("jwt", "wrong_type"),
            of("jwt", "bad_signature"),
            of("jwt", "expired"),
            of("verify", "expired"),
            of("refresh", "expired"),
        ]
    );
}

fn s2_what_a_client_wrote_cannot_steer(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let long = "x".repeat(200);
    for name in ["a\r\nforged login", "\u{1b}[2Jgone", "nna\u{202e}", "del\u{7f}", &long] {
        assert_eq!(log_in(&server, name, "wrong").status, 401);
    }
    let headers = [("Content-Type", "application/json"), ("User-Agent", "\u{9b}31m \u{e2}\u{80}\u{ae} \"quoted\"\t")];
    let body = json!({ "username": "agent", "password": "wrong" }).to_string();
    assert_eq!(server.send("POST", "/api/token/", &headers, Some(body.as_bytes())).status, 401);
    drop(server);
    let column = |name: &str| -> Vec<String> {
        let query = format!("SELECT {name} FROM countersign_event ORDER BY id");
        database.column(&query).into_iter().map(told).collect()
    };
    assert_eq!(
        column("account"),
        [
            "a\\r\\nforged login",
            "\\u{1b}[2Jgone",
            "nna\\u{202e}",
            "del\\u{7f}",
            &format!("{}…", "x".repeat(150)),
            "agent"
        ]
    );
    let agents = column("agent");
    assert_eq!(agents.last().map(String::as_str), Some("\u{fffd}31m \\u{202e} \"quoted\""));
    let query = "SELECT kind || account || agent || detail FROM countersign_event";
    for row in database.column(query).into_iter().map(told) {
        assert!(row.chars().all(|shown| !shown.is_control() && shown != '\u{202e}'), "{row:?}");
    }
}

fn a_flood_is_counted_and_does_not_fill_the_disk(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    for _ in 0..250 {
        assert_eq!(server.send("GET", "/api/whoami/", &[("Authorization", "Bearer x")], None).status, 401);
    }
    assert_eq!(server.authority.event_stats().withheld, 150);
    drop(server);
    let events = events(&database);
    assert_eq!(events.len(), 101);
    assert_eq!(events[100], "events_withheld - - - - {\"kind\":\"credentials_refused\",\"count\":150}");
}

fn knox_tokens_leave_events(kind: Kind) {
    let database = with_ann(kind);
    let more = "[rest_framework]\ndefault_authentication_classes = [\"knox\", \"basic\"]\n";
    let config = format!("installed_apps = [\"knox\"]\n{}", text(&database, more));
    let server = Server::start(Config::from_text(&config).expect("holds together"), instant(NOW));
    let basic = ("Authorization", "Basic YW5uOnNlY3JldA==");
    let log_in = || server.send("POST", "/knox/login/", &[basic, ("User-Agent", AGENT)], Some(b""));
    let tokens = [log_in(), log_in()].map(|answer| answer.json()["token"].as_str().expect("a token").to_owned());
    let send = |path: &str, token: &str| {
        server
            .send("POST", path, &[("Authorization", &format!("Token {token}")), ("User-Agent", AGENT)], Some(b""))
            .status
    };
    assert_eq!(send("/knox/logout/", &tokens[0]), 204);
    assert_eq!(send("/knox/logout/", &tokens[0]), 401);
    server.set_clock(instant(NOW + 1.0));
    assert_eq!(send("/knox/logoutall/", &tokens[1]), 204);
    let last = log_in().json()["token"].as_str().expect("a token").to_owned();
    server.set_clock(instant(NOW + 36_002.0));
    assert_eq!(send("/knox/logout/", &last), 401);
    drop(server);
    let client = format!("127.0.0.1 {AGENT}");
    let events: Vec<String> = events(&database)
        .into_iter()
        .map(|event| match event.split_once("{\"digest\":\"") {
            Some((before, digest)) if digest.len() == 18 => format!("{before}{{…}}"),
            _ => event,
        })
        .collect();
    assert_eq!(
        events,
        [
            format!("knox_login 1 ann {client} {{…}}"),
            format!("knox_login 1 ann {client} {{…}}"),
            format!("knox_logout 1 ann {client} {{…}}"),
            format!("credentials_refused - - {client} {{\"at\":\"knox\",\"reason\":\"unknown_token\"}}"),
            format!("knox_logout_all 1 ann {client} -"),
            format!("knox_login 1 ann {client} {{…}}"),
            format!("credentials_refused - - {client} {{\"at\":\"knox\",\"reason\":\"expired\"}}"),
        ]
    );
}

fn without_sessions_a_logout_is_an_event(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "[sessions]\nenabled = false\n[audit]\ntable = true\n");
    let pair = log_in(&server, "ann", SECRET).json();
    server.set_clock(instant(NOW + 1.0));
    for expected in [200, 401] {
        assert_eq!(post(&server, "/api/token/blacklist/", &json!({ "refresh": pair["refresh"] })).status, expected);
    }
    drop(server);
    let (client, jti) = (format!("127.0.0.1 {AGENT}"), claim(&pair["refresh"], "jti"));
    assert_eq!(
        events(&database),
        [
            format!("login 1 ann {client} {{\"for\":\"pair\"}}"),
            format!("token_blacklisted 1 - {client} {{\"jti\":\"{jti}\"}}"),
            format!("credentials_refused - - {client} {{\"at\":\"blacklist\",\"reason\":\"blacklisted\"}}"),
        ]
    );
}

fn kinds_can_be_left_out(kind: Kind) {
    let database = with_ann(kind);
    for (audit, expected) in [("skip = [\"login\"]", 1), ("table = false", 0)] {
        database.execute("DELETE FROM countersign_event");
        let server = start(&database, &format!("[audit]\n{audit}\n"));
        assert_eq!(log_in(&server, "ann", SECRET).status, 200);
        assert_eq!(log_in(&server, "ann", "wrong").status, 401);
        drop(server);
        assert_eq!(events(&database).len(), expected, "{audit}");
    }
}

/// A server as a process of its own.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(config: &std::path::Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["serve", "--bind", "127.0.0.1:0", "--config"])
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let address = line.trim().rsplit('/').next().expect("an address").to_owned();
        Self { child, address }
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        use std::io::{Read as _, Write as _};

        let body = body.to_string();
        let mut stream = std::net::TcpStream::connect(&self.address).expect("connected");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("read");
        Answer::parse(&answer)
    }
}

/// What is promised: the end of a session is on disk with its event before the answer is sent, and what was written stays.
fn an_end_of_a_session_outlives_a_kill(kind: Kind) {
    let database = with_ann(kind);
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("countersign.toml");
    std::fs::write(&config, text(&database, ROTATING)).expect("written");
    let mut server = Process::start(&config);
    let first = server.post("/api/token/", &json!({ "username": "ann", "password": SECRET })).json();
    let refresh = |token: &Value| server.post("/api/token/refresh/", &json!({ "refresh": token }));
    let second = refresh(&first["refresh"]).json();
    assert_eq!(refresh(&second["refresh"]).status, 200);
    while events(&database).is_empty() {
        std::thread::yield_now(); // the login is written soon
    }
    assert_eq!(refresh(&first["refresh"]).status, 401);
    server.child.kill().expect("killed");
    server.child.wait().expect("gone");
    let kinds: Vec<String> =
        events(&database).iter().map(|event| event.split(' ').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(kinds, ["login", "refresh_reuse", "session_ended"]);
}

/// Waits until a query counts nothing.
fn until_none(database: &Database, query: &str) {
    while database.column(query) != [Cell::Integer(0)] {
        std::thread::yield_now();
    }
}

fn a_server_prunes_itself(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "[pruning]\nenabled = false\n");
    for _ in 0..3 {
        assert_eq!(log_in(&server, "ann", SECRET).status, 200);
    }
    drop(server);
    let later = |more: &str| {
        let config = Config::from_text(&text(&database, more)).expect("holds together");
        Server::start(config, instant(NOW + 100.0 * 86_400.0))
    };
    let own = later("[pruning]\ninterval = \"1ms\"\n");
    until_none(
        &database,
        "SELECT (SELECT count(*) FROM countersign_session) + (SELECT count(*) FROM countersign_event)",
    );
    drop(own);
    let outstanding = "SELECT count(*) FROM token_blacklist_outstandingtoken";
    assert_eq!(database.column(outstanding), [Cell::Integer(3)], "Django's are not touched unasked");
    // Two nodes at once.
    let pruning = "[pruning]\ninterval = \"1ms\"\ndjango_tables = true\n";
    let nodes = [later(pruning), later(pruning)];
    until_none(&database, outstanding);
    let fresh = log_in(&nodes[0], "ann", SECRET).json();
    assert_eq!(
        post(&nodes[1], "/api/token/refresh/", &json!({ "refresh": fresh["refresh"] })).status,
        200,
        "what lives stays"
    );
}

/// The command takes turns with a server that prunes; when its turn does not come, it says so.
#[test]
fn flushing_does_not_stop_in_silence() {
    if !Kind::Postgres.is_there() {
        return;
    }
    let database = with_ann(Kind::Postgres);
    let server = start(&database, "");
    assert_eq!(log_in(&server, "ann", SECRET).status, 200);
    drop(server);
    let configuration = text(&database, "[postgresql]\nstatement_timeout = \"100ms\"\n");
    let flush = || {
        let run = run(&configuration, &["flushexpiredtokens"]);
        (run.status.code(), String::from_utf8(run.stderr).expect("UTF-8"))
    };
    let left = || database.column("SELECT count(*) FROM countersign_device");
    database.execute(
        "INSERT INTO countersign_device (id, user_id, kind, keep_until) VALUES ('d', '1', 'knox', now() - interval '1 day')",
    );
    let mut other = postgres::Client::connect(&database.url(), postgres::NoTls).expect("connected");
    other
        .batch_execute("BEGIN; SELECT pg_advisory_xact_lock(730580984, hashtext(CAST(current_schema() AS text)))")
        .expect("locked");
    let refusal = "countersign: not all expired rows were deleted; another process may hold them: run this again: \
                   the database was busy for longer than its timeout\n";
    assert_eq!(flush(), (Some(1), refusal.to_owned()));
    assert_eq!(left(), [Cell::Integer(1)]);
    other.batch_execute("COMMIT").expect("given back");
    assert_eq!(flush(), (Some(0), String::new()));
    assert_eq!(left(), [Cell::Integer(0)]);
}
