//! Sessions that end: their access tokens are refused by every node, at protected paths that ask no database too.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use countersign_server::Config;
use serde_json::{Value, json};

use crate::database::{Cell, Database, Kind, on_every_backend};
use crate::harness::{Answer, Server, instant};
use crate::program::run;
use crate::sessions::{SECRET, claims, text, with_ann};

const NOW: f64 = 1_750_000_000.25;
/// Asked until a node knows, which takes it a second at most.
const TRIES: usize = 100_000;

const PATHS: &str = "[simple_jwt]\nrotate_refresh_tokens = true\nblacklist_after_rotation = true\n\
    [[protected]]\npath = \"/stateless/\"\nauthentication = [\"jwt_stateless\"]\n\
    [[protected]]\npath = \"/jwt/\"\nauthentication = [\"jwt\"]\n";

on_every_backend![
    r5_a_logout_is_refused_on_every_node,
    r5_what_django_does_to_a_user_ends_tokens,
    r5_a_new_password_ends_tokens,
    r5_a_rehash_at_login_ends_nothing,
    r5_a_login_after_a_mark_is_good,
    r5_all_sessions_and_all_but_this,
    r5_logging_out_everywhere_is_a_view_like_others,
    r5_a_token_that_names_no_session_ends_with_its_user,
    r5_a_node_that_starts_later_knows,
    r5_a_clock_that_is_set_revives_nothing,
    r5_an_operator_ends_sessions,
    r5_without_sessions_tokens_are_simple_jwts,
    r5_a_logout_at_django_ends_access_tokens,
    r5_a_rotation_at_django_ends_nothing,
    r5_a_logout_at_django_may_be_left_to_it,
    r5_what_we_void_is_not_taken_for_djangos,
];

fn start_with(database: &Database, more: &str) -> Server {
    Server::start(Config::from_text(&text(database, more)).expect("holds together"), instant(NOW))
}

fn start(database: &Database) -> Server {
    start_with(database, PATHS)
}

fn three(database: &Database) -> [Server; 3] {
    [start(database), start(database), start(database)]
}

fn post(server: &Server, path: &str, token: Option<&Value>, body: &Value) -> Answer {
    let bearer = token.map(|token| format!("Bearer {}", token.as_str().expect("a token")));
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
    server.send("POST", path, &headers, Some(body.to_string().as_bytes()))
}

fn log_in_as(server: &Server, name: &str) -> Value {
    let answer = post(server, "/api/token/", None, &json!({ "username": name, "password": SECRET }));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn log_in(server: &Server) -> Value {
    log_in_as(server, "ann")
}

fn get(server: &Server, path: &str, pair: &Value) -> Answer {
    let bearer = format!("Bearer {}", pair["access"].as_str().expect("a token"));
    server.send("GET", path, &[("Authorization", &bearer)], None)
}

fn assert_good(nodes: &[Server], pair: &Value) {
    for node in nodes {
        for path in ["/stateless/", "/jwt/"] {
            assert_eq!(get(node, path, pair).status, 200, "{path}");
        }
    }
}

/// What SimpleJWT answers where a class has its blacklist.
const VOID: &str = r#"{"detail":"Given token not valid for any token type","code":"token_not_valid","messages":[{"token_class":"AccessToken","token_type":"access","message":"Token is blacklisted"}]}"#;

/// Asks each node until it refuses; from then on it always does.
fn assert_ends(nodes: &[Server], pair: &Value) {
    for node in nodes {
        let refused = (0..TRIES).map(|_| get(node, "/stateless/", pair)).find(|answer| answer.status != 200);
        let refused = refused.expect("refused");
        assert_eq!((refused.status, &*refused.body), (401, VOID));
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"api\""));
        assert_ne!(get(node, "/jwt/", pair).status, 200);
        assert_ne!(post(node, "/api/token/verify/", None, &json!({ "token": pair["access"] })).status, 200);
        assert_eq!(post(node, "/api/token/refresh/", None, &json!({ "refresh": pair["refresh"] })).status, 401);
    }
}

fn with_ann_and_bob(kind: Kind) -> Database {
    let database = with_ann(kind);
    database.execute(
        "INSERT INTO auth_user (id, username, password, is_active, is_staff, is_superuser, first_name, last_name, email, date_joined)
         SELECT 2, 'bob', password, is_active, is_staff, is_superuser, '', '', '', date_joined FROM auth_user",
    );
    database
}

fn r5_a_logout_is_refused_on_every_node(kind: Kind) {
    let database = with_ann(kind);
    let nodes = three(&database);
    let (pair, other) = (log_in(&nodes[0]), log_in(&nodes[1]));
    let refreshed = post(&nodes[2], "/api/token/refresh/", None, &json!({ "refresh": pair["refresh"] })).json();
    for pair in [&pair, &other, &refreshed] {
        assert_good(&nodes, pair);
    }
    let out = post(&nodes[1], "/api/token/blacklist/", None, &json!({ "refresh": refreshed["refresh"] }));
    assert_eq!(out.status, 200, "{}", out.body);
    let here = get(&nodes[1], "/stateless/", &pair);
    assert_eq!((here.status, &*here.body), (401, VOID), "here at once");
    for pair in [&pair, &refreshed] {
        assert_ends(&nodes, pair);
    }
    assert_good(&nodes, &other);
}

fn r5_what_django_does_to_a_user_ends_tokens(kind: Kind) {
    let deeds = [
        "UPDATE auth_user SET is_active = FALSE WHERE id = 1",
        "UPDATE auth_user SET password = 'md5$salt$new' WHERE id = 1",
        "UPDATE auth_user SET id = 7 WHERE id = 1",
        "DELETE FROM auth_user WHERE id = 1",
    ];
    for deed in deeds {
        let database = with_ann_and_bob(kind);
        let nodes = three(&database);
        let (ann, bob) = (log_in(&nodes[0]), log_in_as(&nodes[1], "bob"));
        // What concerns nobody's login.
        database.execute(
            "UPDATE auth_user SET email = 'a@b.example', is_staff = TRUE, is_active = is_active, password = password",
        );
        assert_good(&nodes, &ann);
        if deed.starts_with("DELETE") || deed.contains("id = 7") {
            database.execute("UPDATE token_blacklist_outstandingtoken SET user_id = NULL WHERE user_id = 1");
        }
        database.execute(deed);
        assert_ends(&nodes, &ann);
        assert_good(&nodes, &bob);
        assert_eq!(
            database.column("SELECT DISTINCT subject FROM countersign_revocation"),
            [Cell::Text("1".to_owned())],
            "{deed}"
        );
    }
}

fn r5_a_new_password_ends_tokens(kind: Kind) {
    let database = with_ann(kind);
    let nodes = three(&database);
    let pair = log_in(&nodes[0]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // What `changepassword` does.
    let store = nodes[0].authority.store().clone();
    runtime.block_on(store.set_password(&1.into(), "md5$salt$new")).expect("written");
    assert_ends(&nodes, &pair);
}

fn r5_a_rehash_at_login_ends_nothing(kind: Kind) {
    let database = with_ann(kind);
    let hash = || database.column("SELECT password FROM auth_user");
    let nodes = [start(&database)];
    let (before, pair) = (hash(), log_in(&nodes[0]));
    let costlier = text(&database, PATHS).replace("iterations = 1", "iterations = 2");
    let costlier = [Server::start(Config::from_text(&costlier).expect("holds together"), instant(NOW))];
    let later = log_in(&costlier[0]);
    assert_ne!(hash(), before, "re-hashed");
    assert_eq!(database.column("SELECT count(*) FROM countersign_revocation"), [Cell::Integer(0)]);
    for pair in [&pair, &later] {
        assert_good(&nodes, pair);
        assert_good(&costlier, pair);
    }
}

fn r5_a_login_after_a_mark_is_good(kind: Kind) {
    let database = with_ann(kind);
    let nodes = three(&database);
    let before = log_in(&nodes[0]);
    // By the database's clock, which is far ahead of this one.
    database.execute("UPDATE auth_user SET is_active = FALSE");
    assert_ends(&nodes, &before);
    database.execute("UPDATE auth_user SET is_active = TRUE");
    let after = log_in(&nodes[2]);
    assert_good(&nodes, &after);
    let refreshed = post(&nodes[1], "/api/token/refresh/", None, &json!({ "refresh": after["refresh"] }));
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    assert_good(&nodes, &refreshed.json());
    assert_eq!(get(&nodes[0], "/stateless/", &before).status, 401, "still");
}

fn r5_all_sessions_and_all_but_this(kind: Kind) {
    let database = with_ann_and_bob(kind);
    let nodes = three(&database);
    let [one, two, three] = [&nodes[0], &nodes[1], &nodes[2]].map(log_in);
    let bob = log_in_as(&nodes[0], "bob");
    let others = post(&nodes[0], "/api/sessions/logout-others/", Some(&one["access"]), &json!({}));
    assert_eq!((others.status, &*others.body), (204, ""));
    for ended in [&two, &three] {
        assert_ends(&nodes, ended);
    }
    assert_good(&nodes, &one);
    let refreshed = post(&nodes[1], "/api/token/refresh/", None, &json!({ "refresh": one["refresh"] })).json();
    assert_good(&nodes, &refreshed);

    let all = post(&nodes[1], "/api/sessions/logout-all/", Some(&refreshed["access"]), &json!({}));
    assert_eq!((all.status, &*all.body), (204, ""));
    assert_ends(&nodes, &refreshed);
    assert_good(&nodes, &bob);
    let reasons = database.column("SELECT DISTINCT end_reason FROM countersign_session WHERE user_id = '1'");
    assert_eq!(reasons, [Cell::Text("logout_all".to_owned())]);
    let live = "SELECT count(*) FROM token_blacklist_outstandingtoken o WHERE o.user_id = 1
                AND NOT EXISTS (SELECT 1 FROM token_blacklist_blacklistedtoken b WHERE b.token_id = o.id)";
    assert_eq!(database.column(live), [Cell::Integer(0)], "Django refuses them too");
}

fn r5_logging_out_everywhere_is_a_view_like_others(kind: Kind) {
    let database = with_ann(kind);
    let nodes = [start(&database)];
    let pair = log_in(&nodes[0]);
    for path in ["/api/sessions/logout-all/", "/api/sessions/logout-others/"] {
        let nobody = nodes[0].send("POST", path, &[], None);
        assert_eq!(nobody.status, 401);
        assert_eq!(nobody.body, r#"{"detail":"Authentication credentials were not provided."}"#);
        assert_eq!(get(&nodes[0], path, &pair).status, 405);
        assert_eq!(nodes[0].send("GET", path, &[], None).status, 401);
    }
    // Whoever can log in can log out, by whatever scheme; a session that was not shown is none to keep.
    let basic = format!("Basic {}", {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("ann:{SECRET}"))
    });
    let out = nodes[0].send("POST", "/api/sessions/logout-others/", &[("Authorization", &basic)], None);
    assert_eq!(out.status, 204, "{}", out.body);
    assert_ends(&nodes, &pair);
}

fn r5_a_token_that_names_no_session_ends_with_its_user(kind: Kind) {
    let database = with_ann(kind);
    let django = start_with(&database, &format!("{PATHS}[sessions]\nenabled = false\n"));
    let nodes = three(&database);
    let [kept, bare] = [log_in(&nodes[0]), log_in(&django)];
    assert_good(&nodes, &bare);
    let others = post(&nodes[0], "/api/sessions/logout-others/", Some(&kept["access"]), &json!({}));
    assert_eq!(others.status, 204);
    assert_ends(&nodes, &bare);
    assert_good(&nodes, &kept);
    // In the second of the mark, which nothing tells apart, and after.
    assert_eq!(get(&nodes[0], "/stateless/", &log_in(&django)).status, 401);
    django.set_clock(instant(NOW + 1.0));
    let later = log_in(&django);
    for node in &nodes {
        node.set_clock(instant(NOW + 1.0));
    }
    assert_good(&nodes, &later);
    let refreshed = post(&nodes[1], "/api/token/refresh/", None, &json!({ "refresh": later["refresh"] }));
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
}

fn r5_a_node_that_starts_later_knows(kind: Kind) {
    let database = with_ann(kind);
    let pair = {
        let node = start(&database);
        let pair = log_in(&node);
        assert_eq!(post(&node, "/api/token/blacklist/", None, &json!({ "refresh": pair["refresh"] })).status, 200);
        pair
    };
    let node = start(&database);
    assert_eq!(get(&node, "/stateless/", &pair).status, 401, "from the first request on");
}

fn r5_a_clock_that_is_set_revives_nothing(kind: Kind) {
    let database = with_ann(kind);
    let nodes = [start(&database), start(&database)];
    let (ended, lives) = (log_in(&nodes[0]), log_in(&nodes[0]));
    assert_eq!(post(&nodes[0], "/api/token/blacklist/", None, &json!({ "refresh": ended["refresh"] })).status, 200);
    assert_ends(&nodes, &ended);
    for hours in [48.0, -48.0] {
        for node in &nodes {
            node.set_clock(instant(NOW + hours * 3600.0));
        }
        // Long enough for both to read, and to clear what is of no use by such a clock.
        for _ in 0..500 {
            assert_eq!(get(&nodes[0], "/stateless/", &ended).status, 401);
            assert_eq!(get(&nodes[1], "/stateless/", &ended).status, 401);
        }
        for node in &nodes {
            node.set_clock(instant(NOW));
            assert_eq!(get(node, "/stateless/", &ended).status, 401, "{hours}");
        }
        assert_good(&nodes, &lives);
    }
}

fn r5_an_operator_ends_sessions(kind: Kind) {
    let database = with_ann_and_bob(kind);
    let nodes = three(&database);
    let end = |what: &[&str]| {
        let run = run(&text(&database, PATHS), &[&["sessions", "end"], what].concat());
        // Done, it says so; the event is a line of the log.
        let said = if run.status.success() { run.stdout } else { run.stderr };
        (run.status.code(), String::from_utf8(said).expect("UTF-8"))
    };
    // The command's clock is the real one.
    let [one, two, three] = [&nodes[0], &nodes[1], &nodes[2]].map(log_in);
    let bob = log_in_as(&nodes[0], "bob");
    let id = |token: &Value, claim: &str| claims(token)[claim].as_str().expect("an id").to_owned();

    assert_eq!(
        end(&["--token", &id(&one["access"], "jti")]),
        (Some(0), "The token is refused from now on\n".to_owned())
    );
    for node in &nodes {
        assert!((0..TRIES).any(|_| get(node, "/stateless/", &one).status == 401));
    }
    let refreshed = post(&nodes[1], "/api/token/refresh/", None, &json!({ "refresh": one["refresh"] }));
    assert_eq!(refreshed.status, 200, "its session goes on: {}", refreshed.body);
    assert_good(&nodes, &refreshed.json());

    let sid = id(&two["access"], "sid");
    assert_eq!(end(&["--session", &sid]), (Some(0), "Ended the session\n".to_owned()));
    assert_ends(&nodes, &two);
    let again = end(&["--session", &sid]);
    assert_eq!(again, (Some(1), "CommandError: there is no such session, or it has ended\n".to_owned()));

    assert_good(&nodes, &three);
    assert_eq!(end(&["--user", "ann"]), (Some(0), "Ended 2 sessions of user 'ann'\n".to_owned()));
    assert_ends(&nodes, &three);
    assert_eq!(end(&["--user", "eve"]), (Some(1), "CommandError: user 'eve' does not exist\n".to_owned()));

    assert_good(&nodes, &bob);
    assert_eq!(end(&["--all"]).0, Some(0));
    assert_ends(&nodes, &bob);
    assert_eq!(end(&[]).0, Some(2), "what, must be said");
}

fn r5_without_sessions_tokens_are_simple_jwts(kind: Kind) {
    let database = with_ann(kind);
    let server = start_with(&database, &format!("{PATHS}[sessions]\nenabled = false\n"));
    let pair = log_in(&server);
    assert_eq!(post(&server, "/api/token/blacklist/", None, &json!({ "refresh": pair["refresh"] })).status, 200);
    assert_eq!(get(&server, "/stateless/", &pair).status, 200);
    assert_eq!(post(&server, "/api/sessions/logout-all/", Some(&pair["access"]), &json!({})).status, 404);
    let marks = "SELECT count(*) FROM countersign_revocation WHERE kind <> 'void'";
    assert_eq!(database.column(marks), [Cell::Integer(0)]);
}

const STATELESS: &str = "[[protected]]\npath = \"/stateless/\"\nauthentication = [\"jwt_stateless\"]\n";
const QUICK: &str = "[sessions]\ndjango_logout_after = \"100ms\"\n";

/// What SimpleJWT's `RefreshToken.blacklist` writes, a moment after the clocks here.
fn void_at_django(database: &Database, refresh: &Value) {
    let jti = claims(refresh)["jti"].as_str().expect("an id").to_owned();
    let zone = if database.url().starts_with("sqlite") { "" } else { "+00" };
    database.execute(&format!(
        "INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
         SELECT '2025-06-15 15:06:41.500000{zone}', o.id FROM token_blacklist_outstandingtoken o WHERE o.jti = '{jti}'"
    ));
}

const UNSETTLED: &str = "SELECT count(*) FROM countersign_revocation WHERE kind = 'void'";

fn until_settled(database: &Database) {
    while database.column(UNSETTLED) != [Cell::Integer(0)] {
        std::thread::yield_now();
    }
}

fn r5_a_logout_at_django_ends_access_tokens(kind: Kind) {
    let database = with_ann(kind);
    let node = || start_with(&database, &format!("{PATHS}{QUICK}"));
    let nodes = [node(), node(), node()];
    let (first, other) = (log_in(&nodes[0]), log_in(&nodes[1]));
    let second = post(&nodes[2], "/api/token/refresh/", None, &json!({ "refresh": first["refresh"] })).json();
    assert_good(&nodes, &first);
    void_at_django(&database, &second["refresh"]);
    for pair in [&first, &second] {
        assert_ends(&nodes, pair);
    }
    until_settled(&database);
    assert_good(&nodes, &other);
    let ended = "SELECT end_reason FROM countersign_session WHERE ended_at IS NOT NULL";
    assert_eq!(database.column(ended), [Cell::Text("django_logout".to_owned())], "once");
    let told = "SELECT user_id || detail FROM countersign_event WHERE kind = 'session_ended'";
    assert_eq!(database.column(told), [Cell::Text("1{\"reason\":\"django_logout\"}".to_owned())], "once");
    // A token of Django's that was used here, and names no session itself.
    let django = start_with(&database, &format!("{PATHS}[sessions]\nenabled = false\n"));
    let bare = log_in(&django);
    let plain = start_with(&database, &format!("{STATELESS}{QUICK}"));
    let named = post(&plain, "/api/token/refresh/", None, &json!({ "refresh": bare["refresh"] })).json();
    assert_eq!(get(&plain, "/stateless/", &named).status, 200);
    void_at_django(&database, &bare["refresh"]);
    assert!((0..TRIES).any(|_| get(&plain, "/stateless/", &named).status == 401));
}

/// SimpleJWT voids the old token and records the new one; in which order is for the differential suite.
fn r5_a_rotation_at_django_ends_nothing(kind: Kind) {
    let database = with_ann(kind);
    let nodes = [start_with(&database, &format!("{PATHS}{QUICK}")), start_with(&database, &format!("{PATHS}{QUICK}"))];
    // Without sessions, and without voiding, this is what SimpleJWT's rotation records.
    let django = start_with(
        &database,
        "[simple_jwt]\nrotate_refresh_tokens = true\nblacklist_after_rotation = false\n[sessions]\nenabled = false\n",
    );
    let rotate =
        |pair: &Value| post(&django, "/api/token/refresh/", None, &json!({ "refresh": pair["refresh"] })).json();
    let named = log_in(&nodes[0]);
    let mut chain = vec![named.clone()];
    for _ in 0..3 {
        let last = chain.last().expect("one").clone();
        chain.push(rotate(&last));
        void_at_django(&database, &last["refresh"]);
        until_settled(&database);
        assert_good(&nodes, &last);
    }
    let last = chain.last().expect("one");
    assert_eq!(claims(&last["refresh"])["sid"], claims(&named["refresh"])["sid"]);
    assert_good(&nodes, &named);
    assert_good(&nodes, last);
    let refreshed = post(&nodes[1], "/api/token/refresh/", None, &json!({ "refresh": last["refresh"] }));
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    // What Django's own tokens are succeeded by names no session: any may be it.
    let bare = log_in(&django);
    let plain = start_with(&database, &format!("{STATELESS}{QUICK}"));
    let used = post(&plain, "/api/token/refresh/", None, &json!({ "refresh": bare["refresh"] })).json();
    rotate(&bare);
    void_at_django(&database, &bare["refresh"]);
    until_settled(&database);
    assert_eq!(get(&plain, "/stateless/", &used).status, 200);
}

fn r5_a_logout_at_django_may_be_left_to_it(kind: Kind) {
    let database = with_ann(kind);
    let node = start_with(&database, &format!("{PATHS}[sessions]\ndjango_logout_after = false\n"));
    let (kept, other) = (log_in(&node), log_in(&node));
    void_at_django(&database, &kept["refresh"]);
    assert_eq!(post(&node, "/api/token/refresh/", None, &json!({ "refresh": kept["refresh"] })).status, 401);
    assert_good(std::slice::from_ref(&node), &kept);
    assert_good(std::slice::from_ref(&node), &other);
    assert_eq!(database.column(UNSETTLED), [Cell::Integer(1)], "it is flushed in time");
}

fn r5_what_we_void_is_not_taken_for_djangos(kind: Kind) {
    let database = with_ann(kind);
    // Behind PgBouncer the server does not know our connections; what we exchange tells.
    let pgbouncer = if kind == Kind::Postgres { &["", "[postgresql]\npgbouncer = true\n"][..] } else { &[""] };
    for more in pgbouncer {
        let node = start_with(&database, &format!("{PATHS}{more}"));
        let mut pair = log_in(&node);
        for _ in 0..3 {
            let next = post(&node, "/api/token/refresh/", None, &json!({ "refresh": pair["refresh"] }));
            assert_eq!(next.status, 200, "{}", next.body);
            pair = next.json();
        }
        assert_eq!(database.column("SELECT count(*) FROM countersign_revocation"), [Cell::Integer(0)], "{more}");
    }
}

/// A server's port that can be cut off, as a network or a server can.
struct Cable {
    address: SocketAddr,
    state: Arc<Mutex<CableState>>,
}

#[derive(Default)]
struct CableState {
    is_cut: bool,
    ends: Vec<TcpStream>,
}

impl Cable {
    fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(CableState::default()));
        std::thread::spawn({
            let state = Arc::clone(&state);
            move || {
                for near in listener.incoming() {
                    let Ok(near) = near else { return };
                    let mut state = state.lock().expect("no panic");
                    if state.is_cut {
                        continue; // and closed
                    }
                    let far = TcpStream::connect(target).expect("connected");
                    let ends = [&near, &far].map(|end| end.try_clone().expect("a second handle"));
                    state.ends.extend(ends);
                    drop(state);
                    let (near_too, far_too) = (near.try_clone().expect("cloned"), far.try_clone().expect("cloned"));
                    std::thread::spawn(move || carry(near, far));
                    std::thread::spawn(move || carry(far_too, near_too));
                }
            }
        });
        Self { address, state }
    }

    fn cut(&self) {
        let mut state = self.state.lock().expect("no panic");
        state.is_cut = true;
        for end in state.ends.drain(..) {
            // It may have ended by itself.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.state.lock().expect("no panic").is_cut = false;
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes)
        && to.write_all(&bytes[..count]).is_ok()
    {}
    let _ = to.shutdown(Shutdown::Both);
}

/// A node that reaches its PostgreSQL server over a cable.
fn behind_cable(database: &Database, more: &str) -> (Cable, Server) {
    let url = database.url();
    let place = url.split('@').next_back().and_then(|rest| rest.split('/').next()).expect("a host and a port");
    let cable = Cable::to(place.parse().expect("an address"));
    let config = text(database, &format!("{PATHS}[sessions]\n{more}")).replace(place, &cable.address.to_string());
    let server = Server::start(Config::from_text(&config).expect("holds together"), instant(NOW));
    (cable, server)
}

#[test]
fn r5_a_node_that_is_cut_off_refuses_until_it_knows_again() {
    if !Kind::Postgres.is_there() {
        return;
    }
    let database = with_ann(Kind::Postgres);
    let whole = start(&database);
    let (cable, node) = behind_cable(&database, "");
    let (ended, lives) = (log_in(&whole), log_in(&whole));
    assert_good(std::slice::from_ref(&node), &ended);
    cable.cut();
    assert_eq!(post(&whole, "/api/token/blacklist/", None, &json!({ "refresh": ended["refresh"] })).status, 200);
    let statuses: Vec<u16> = (0..TRIES)
        .map(|_| get(&node, "/stateless/", &lives))
        .scan(false, |is_over, answer| {
            let goes_on = !*is_over;
            *is_over = answer.status != 200;
            goes_on.then(|| {
                if *is_over {
                    assert_eq!(answer.header("retry-after"), Some("1"));
                    assert_eq!(answer.body, r#"{"detail":"Service temporarily unavailable, try again later."}"#);
                }
                answer.status
            })
        })
        .collect();
    assert_eq!(statuses.last(), Some(&503), "what is not known is not let in");
    assert_eq!(get(&node, "/stateless/", &ended).status, 503);
    cable.mend();
    assert_eq!((0..TRIES).map(|_| get(&node, "/stateless/", &lives).status).find(|status| *status != 503), Some(200));
    assert_eq!(get(&node, "/stateless/", &ended).status, 401, "the first answer after that knows what was missed");
}

#[test]
fn r5_a_node_that_is_told_to_accepts_by_what_it_last_knew() {
    if !Kind::Postgres.is_there() {
        return;
    }
    let database = with_ann(Kind::Postgres);
    let whole = start(&database);
    let (cable, node) = behind_cable(&database, "when_feed_lost = \"accept\"\nmax_staleness = \"100ms\"\n");
    let (known, ended, lives) = (log_in(&whole), log_in(&whole), log_in(&whole));
    assert_eq!(post(&whole, "/api/token/blacklist/", None, &json!({ "refresh": known["refresh"] })).status, 200);
    assert_ends(std::slice::from_ref(&node), &known);
    cable.cut();
    assert_eq!(post(&whole, "/api/token/blacklist/", None, &json!({ "refresh": ended["refresh"] })).status, 200);
    for _ in 0..500 {
        assert_eq!(get(&node, "/stateless/", &lives).status, 200);
        assert_eq!(get(&node, "/stateless/", &known).status, 401);
    }
    cable.mend();
    assert!((0..TRIES).any(|_| get(&node, "/stateless/", &ended).status == 401));
    assert_eq!(get(&node, "/stateless/", &lives).status, 200);
}

#[test]
fn r5_the_listener_is_ended_by_the_server() {
    if !Kind::Postgres.is_there() {
        return;
    }
    let database = with_ann(Kind::Postgres);
    let url = database.url();
    let schema = url.split("search_path%3D").nth(1).expect("a schema");
    let config = text(&database, PATHS).replace(&url, &format!("{url}&application_name={schema}"));
    let node = || Server::start(Config::from_text(&config).expect("holds together"), instant(NOW));
    let nodes = [node(), node(), node()];
    let end = format!(
        "SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a
         WHERE a.application_name = '{schema}' AND a.query LIKE '%countersign_revocation r%'"
    );
    for _ in 0..5 {
        let pair = log_in(&nodes[0]);
        let listeners = database.column(&end);
        assert!(matches!(listeners[..], [Cell::Integer(1..)]), "{listeners:?}");
        assert_eq!(post(&nodes[1], "/api/token/blacklist/", None, &json!({ "refresh": pair["refresh"] })).status, 200);
        assert_ends(&nodes, &pair);
    }
}
