//! DRF's rates and the limits of logins, over real sockets; nodes that count together, and what they do when they cannot.

use std::collections::BTreeMap;
use std::sync::Barrier;

use countersign_server::Config;
use serde_json::{Value, json};

use crate::database::{Database, Kind, on_every_backend};
use crate::harness::{Answer, SECRET_KEY, Server, instant};
use crate::redis::Redis;

on_every_backend![
    requests_are_counted_as_drf_counts_them,
    a2_parallel_requests_are_counted_exactly,
    a_scope_counts_all_its_views_and_users_apart_from_addresses,
    a2_logins_are_limited_by_account_and_address_on_every_path,
    a2_parallel_guesses_are_counted_exactly,
    a2_a_good_login_clears_what_failed_before,
    a2_strangers_cannot_lock_an_account,
    a5_one_address_cannot_try_many_accounts,
    a1_a_throttled_login_tells_nothing_of_the_account,
    a3_a_login_that_could_not_be_hashed_does_not_count,
    logins_can_be_without_limit,
    nodes_count_together,
    nodes_count_logins_together,
    a4_without_their_server_nodes_count_alone_and_more_strictly,
];

const NOW: f64 = 1_750_000_000.0;
const PROXY: &str = "trusted_proxies = [\"127.0.0.1\"]\n";

/// Alice's password is `sesame`.
fn database(store: Kind) -> Database {
    let hash = "pbkdf2_sha256$1000$seasalt12345seasalt12345$1kPLiFjNGj0r0padz1/yi98NsPiFsOewo0ItlZs3s0g=";
    Database::with(
        store,
        &json!({
            "auth_user": [{"id": 1, "username": "alice", "password": hash, "email": "alice@example.com"}],
            "authtoken_token": [{"key": "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b", "user_id": 1, "created": "2025-01-01T00:00:00Z"}],
        }),
    )
}

fn server(database: &Database, top: &str, tables: &str) -> Server {
    let text = format!(
        "secret_key = \"{SECRET_KEY}\"\ndatabase_url = \"{}\"\nbind = \"127.0.0.1:0\"\n{top}\n[auth]\n\
         pbkdf2_sha256 = {{ iterations = 1000 }}\nhashing_queue = 4000\nhashing_deadline = \"1h\"\n{tables}",
        database.url()
    );
    Server::start(Config::from_text(&text).expect("a configuration"), instant(NOW))
}

/// A login that came from this address by a declared proxy.
fn login(server: &Server, path: &str, from: &str, username: &str, password: &str) -> Answer {
    let body = json!({"username": username, "password": password}).to_string();
    let headers = [("content-type", "application/json"), ("x-forwarded-for", from)];
    server.send("POST", path, &headers, Some(body.as_bytes()))
}

fn pair(server: &Server, from: &str, username: &str, password: &str) -> u16 {
    login(server, "/api/token/", from, username, password).status
}

/// How many answers of each status `each` gets, asked `times` times by each of fifty clients at once.
fn at_once(times: usize, each: impl Fn() -> u16 + Sync) -> BTreeMap<u16, usize> {
    let barrier = Barrier::new(50);
    let mut counts = BTreeMap::new();
    std::thread::scope(|scope| {
        let asked = || {
            barrier.wait();
            (0..times).map(|_| each()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(asked)).collect();
        for status in threads.into_iter().flat_map(|thread| thread.join().expect("ends")) {
            *counts.entry(status).or_default() += 1;
        }
    });
    counts
}

/// What DRF answered to random requests; see the file's maker.
fn requests_are_counted_as_drf_counts_them(store: Kind) {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/compat/throttles.json"))
        .expect("the recorded cases");
    let recorded: Value = serde_json::from_str(&text).expect("JSON");
    let users = [1, 2].map(|id| json!({"id": id, "username": format!("user{id}"), "password": "!", "email": ""}));
    let tokens = [1, 2].map(|id| json!({"key": format!("{id:040}"), "user_id": id, "created": "2025-01-01T00:00:00Z"}));
    let database = Database::with(store, &json!({"auth_user": users, "authtoken_token": tokens}));
    let mut compared = 0;
    for (number, case) in recorded["cases"].as_array().expect("cases").iter().enumerate() {
        let rates = case["rates"].as_object().expect("rates").iter();
        let rates: Vec<_> = rates.map(|(scope, rate)| format!("{scope} = {}", or_false(rate))).collect();
        let scoped = case["throttles"].as_array().expect("classes").iter().any(|class| class == "ScopedRateThrottle");
        let scope = if scoped && case["scope"].is_string() {
            format!("throttle_scope = {}\n", case["scope"])
        } else {
            String::new()
        };
        let top = format!(
            "{PROXY}[rest_framework]\ndefault_throttle_rates = {{ {} }}\nnum_proxies = {}",
            rates.join(", "),
            or_false(&case["num_proxies"])
        );
        let server = server(&database, &top, &format!("{ANYBODY}throttles = {}\n{scope}", case["throttles"]));
        for request in case["requests"].as_array().expect("requests") {
            server.set_clock(instant(request[0].as_f64().expect("seconds")));
            let token = request[1].as_u64().map(|user| format!("Token {user:040}"));
            let mut headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
            headers.extend(request[2].as_str().map(|forwarded| ("x-forwarded-for", forwarded)));
            let answer = server.send("GET", "/a/", &headers, None);
            let expected = (request[3].as_u64(), request[4].as_str());
            assert_eq!(
                (Some(u64::from(answer.status)), answer.header("retry-after")),
                expected,
                "case {number}: {request}"
            );
            if answer.status != 200 {
                assert_eq!(Some(&*answer.body), request[5].as_str(), "case {number}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 1_975);
}

/// A value of TOML; `None` is `false`.
fn or_false(value: &Value) -> String {
    if value.is_null() { "false".to_owned() } else { value.to_string() }
}

const ANYBODY: &str = "[[protected]]\npath = \"/a/\"\npermission = \"allow_any\"\n";

fn a2_parallel_requests_are_counted_exactly(store: Kind) {
    let database = database(store);
    let server = server(&database, "", &format!("{ANYBODY}throttles = [{{ kind = \"anon\", rate = \"100/day\" }}]"));
    let counts = at_once(20, || server.send("GET", "/a/", &[], None).status);
    assert_eq!(counts, BTreeMap::from([(200, 100), (429, 900)]));
}

fn a_scope_counts_all_its_views_and_users_apart_from_addresses(store: Kind) {
    let database = database(store);
    let scoped = "throttles = [{ kind = \"scoped\", scope = \"x\", rate = \"2/min\" }]\n";
    let b = ANYBODY.replace("/a/", "/b/");
    let top = format!("{PROXY}[rest_framework]\nnum_proxies = 1");
    let server = server(&database, &top, &format!("{ANYBODY}{scoped}{b}{scoped}"));
    let by_user = [("authorization", "Token 9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b")];
    // A client that calls itself by the user's number.
    let by_name = [("x-forwarded-for", "1")];
    assert_eq!(server.send("GET", "/a/", &by_name, None).status, 200);
    assert_eq!(server.send("GET", "/b/", &by_name, None).status, 200);
    let refused = server.send("GET", "/a/", &by_name, None);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")));
    assert_eq!(server.send("OPTIONS", "/b/", &by_name, None).status, 429, "OPTIONS counts as well");
    assert_eq!(server.send("GET", "/a/", &by_user, None).status, 200);
    assert_eq!(server.send("GET", "/b/", &by_user, None).status, 200);
    assert_eq!(server.send("GET", "/b/", &by_user, None).status, 429);
    assert_eq!(server.send("GET", "/b/", &[("x-forwarded-for", "9, 2")], None).status, 200);
    assert_eq!(server.send("GET", "/api/whoami/", &by_user, None).status, 200, "another view");
    server.set_clock(instant(NOW + 60.0));
    assert_eq!(server.send("GET", "/b/", &by_name, None).status, 200);
}

fn a2_logins_are_limited_by_account_and_address_on_every_path(store: Kind) {
    let database = database(store);
    let server = server(&database, PROXY, "[throttling.logins]\naccount_and_address = \"4/hour\"");
    assert_eq!(login(&server, "/api-token-auth/", "192.0.2.1", "alice", "wrong").status, 400);
    assert_eq!(login(&server, "/api/token/", "192.0.2.1", " ALICE ", "wrong").status, 401);
    assert_eq!(login(&server, "/api/token/sliding/", "192.0.2.1", "alice", "wrong").status, 401);
    let basic = [("authorization", "Basic YWxpY2U6d3Jvbmc="), ("x-forwarded-for", "192.0.2.1")];
    assert_eq!(server.send("GET", "/api/whoami/", &basic, None).status, 401);
    server.set_clock(instant(NOW + 600.5));
    for path in ["/api-token-auth/", "/api/token/", "/api/token/sliding/"] {
        let refused = login(&server, path, "192.0.2.1", "alice", "sesame");
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("3000")), "{path}");
        assert_eq!(refused.body, r#"{"detail":"Request was throttled. Expected available in 3000 seconds."}"#);
    }
    let refused = server.send("GET", "/api/whoami/", &basic, None);
    assert_eq!((refused.status, refused.header("www-authenticate")), (429, None));
    assert_eq!(pair(&server, "192.0.2.2", "alice", "sesame"), 200, "from elsewhere");
    assert_eq!(pair(&server, "192.0.2.1", "bob", "wrong"), 401, "another account");
    server.set_clock(instant(NOW + 3600.0));
    assert_eq!(pair(&server, "192.0.2.1", "alice", "sesame"), 200);
}

fn a2_parallel_guesses_are_counted_exactly(store: Kind) {
    let database = database(store);
    let server = server(&database, "", "");
    let counts = at_once(20, || pair(&server, "", "alice", "wrong"));
    assert_eq!(counts, BTreeMap::from([(401, 20), (429, 980)]));
    assert_eq!(server.authority.hashing_stats().served, 20, "no password was hashed beyond the limit");
}

fn a2_a_good_login_clears_what_failed_before(store: Kind) {
    let database = database(store);
    let server = server(&database, "", "[throttling.logins]\naccount_and_address = \"3/hour\"");
    for _ in 0..5 {
        assert_eq!([pair(&server, "", "alice", "a"), pair(&server, "", "alice", "b")], [401, 401]);
        assert_eq!(pair(&server, "", "alice", "sesame"), 200);
    }
    let good = at_once(2, || pair(&server, "", "alice", "sesame"));
    assert_eq!(good, BTreeMap::from([(200, 100)]), "more at once than may fail wait for each other");
}

fn a2_strangers_cannot_lock_an_account(store: Kind) {
    let database = database(store);
    let server =
        server(&database, PROXY, "[throttling.logins]\naccount = \"10/day\"\naccount_and_address = \"4/hour\"");
    assert_eq!(pair(&server, "192.0.2.1", "alice", "sesame"), 200);
    for stranger in 0..10 {
        assert_eq!(pair(&server, &format!("203.0.113.{stranger}"), "alice", "wrong"), 401);
    }
    let refused = login(&server, "/api/token/", "203.0.113.99", "alice", "wrong");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("86400")));
    for _ in 0..4 {
        assert_eq!(pair(&server, "192.0.2.1", "alice", "mistyped"), 401);
        assert_eq!(pair(&server, "192.0.2.1", "alice", "sesame"), 200, "who has been here before");
    }
    assert_eq!(pair(&server, "192.0.2.7", "alice", "sesame"), 429, "nobody knows who this is");
    for _ in 0..4 {
        assert_eq!(pair(&server, "192.0.2.1", "alice", "wrong"), 401);
    }
    assert_eq!(pair(&server, "192.0.2.1", "alice", "sesame"), 429);
    server.set_clock(instant(NOW + 3600.0));
    assert_eq!(pair(&server, "192.0.2.1", "alice", "sesame"), 429, "known no more, after so many failures");
    server.set_clock(instant(NOW + 86_400.0));
    assert_eq!(pair(&server, "192.0.2.7", "alice", "sesame"), 200, "never for ever");
}

fn a5_one_address_cannot_try_many_accounts(store: Kind) {
    let database = database(store);
    let server = server(&database, PROXY, "[throttling.logins]\naddress = \"5/hour\"");
    assert_eq!(pair(&server, "2001:db8::1", "alice", "sesame"), 200);
    for account in 0..5 {
        let from = format!("2001:db8::{}:1", account + 1);
        assert_eq!(pair(&server, &from, &format!("user{account}"), "wrong"), 401);
    }
    assert_eq!(pair(&server, "2001:db8:0:0:ffff::1", "user9", "wrong"), 429, "a /64 is one client");
    assert_eq!(pair(&server, "2001:db8:0:1::1", "user9", "wrong"), 401);
    assert_eq!(pair(&server, "2001:db8::2", "alice", "sesame"), 200, "who has been here before");
}

fn a1_a_throttled_login_tells_nothing_of_the_account(store: Kind) {
    let database = database(store);
    let server = server(&database, "", "");
    let answers = ["alice", "nobody"].map(|name| {
        let answers: Vec<_> = (0..22).map(|_| login(&server, "/api/token/", "", name, "wrong")).collect();
        answers.into_iter().map(|answer| (answer.status, answer.body)).collect::<Vec<_>>()
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].iter().filter(|(status, _)| *status == 429).count(), 2);
}

fn a3_a_login_that_could_not_be_hashed_does_not_count(store: Kind) {
    let database = database(store);
    let text = "[throttling.logins]\naccount_and_address = \"1/hour\"";
    let server = server(&database, "", text);
    database.execute("ALTER TABLE auth_user RENAME TO away");
    assert_ne!(pair(&server, "", "alice", "sesame"), 401);
    database.execute("ALTER TABLE away RENAME TO auth_user");
    assert_eq!(pair(&server, "", "alice", "wrong"), 401);
    assert_eq!(pair(&server, "", "alice", "sesame"), 429);
}

fn logins_can_be_without_limit(store: Kind) {
    let database = database(store);
    let server = server(&database, "", "[throttling.logins]\nenabled = false");
    assert!((0..120).all(|_| pair(&server, "", "alice", "wrong") == 401));
}

fn shared(redis: &Redis, nodes: u32) -> String {
    format!("[throttling]\nredis = \"{}\"\nredis_timeout = \"10s\"\nnodes = {nodes}\n", redis.url())
}

fn nodes_count_together(store: Kind) {
    let redis = Redis::start();
    let database = database(store);
    let tables = format!("{}{ANYBODY}throttles = [{{ kind = \"anon\", rate = \"100/day\" }}]", shared(&redis, 1));
    let nodes = [server(&database, "", &tables), server(&database, "", &tables)];
    let ask = |node: &Server| node.send("GET", "/a/", &[], None).status;
    let counts = std::thread::scope(|scope| {
        let counts = nodes.each_ref().map(|node| scope.spawn(move || at_once(5, move || ask(node))));
        counts.map(|counts| counts.join().expect("ends").remove(&200).unwrap_or_default())
    });
    assert_eq!(counts.iter().sum::<usize>(), 100, "{counts:?}");
    nodes[0].set_clock(instant(NOW + 10.25));
    let refused = nodes[0].send("GET", "/a/", &[], None);
    assert_eq!(refused.header("retry-after"), Some("86390"), "the wait is DRF's");
    for node in &nodes {
        node.set_clock(instant(NOW + 86_400.0));
        assert_eq!(ask(node), 200);
    }
    assert_eq!(nodes[0].authority.counts_are_shared(), Some(true));
}

fn nodes_count_logins_together(store: Kind) {
    let redis = Redis::start();
    let database = database(store);
    let tables =
        format!("{}[throttling.logins]\naccount_and_address = \"4/hour\"\naccount = \"6/day\"", shared(&redis, 1));
    let nodes = [server(&database, PROXY, &tables), server(&database, PROXY, &tables)];
    assert_eq!(pair(&nodes[0], "192.0.2.1", "alice", "sesame"), 200);
    for node in nodes.iter().cycle().take(4) {
        assert_eq!(pair(node, "203.0.113.1", "alice", "wrong"), 401);
    }
    assert_eq!(pair(&nodes[1], "203.0.113.1", "alice", "sesame"), 429);
    for node in &nodes {
        assert_eq!(pair(node, "203.0.113.2", "alice", "wrong"), 401);
    }
    for node in &nodes {
        assert_eq!(pair(node, "203.0.113.3", "alice", "wrong"), 429, "six from strangers");
        assert_eq!(pair(node, "192.0.2.1", "alice", "sesame"), 200, "known at every node");
    }
    for node in nodes.iter().cycle().take(3) {
        assert_eq!(pair(node, "192.0.2.1", "alice", "wrong"), 401);
    }
    assert_eq!(pair(&nodes[1], "192.0.2.1", "alice", "sesame"), 200);
    for node in nodes.iter().cycle().take(4) {
        assert_eq!(pair(node, "192.0.2.1", "alice", "wrong"), 401, "cleared at every node");
    }
    assert_eq!(pair(&nodes[0], "192.0.2.1", "alice", "sesame"), 429);
}

fn a4_without_their_server_nodes_count_alone_and_more_strictly(store: Kind) {
    let mut redis = Redis::start();
    let database = database(store);
    let tables = format!(
        "{}[throttling.logins]\naccount_and_address = \"4/hour\"\n{ANYBODY}throttles = [{{ kind = \"anon\", rate = \"10/day\" }}]",
        shared(&redis, 2)
    );
    let nodes = [server(&database, PROXY, &tables), server(&database, PROXY, &tables)];
    let ask = |node: &Server, from: &str| node.send("GET", "/a/", &[("x-forwarded-for", from)], None).status;
    let admitted = |node: &Server, from: &str| (0..20).filter(|_| ask(node, from) == 200).count();
    assert_eq!((0..3).filter(|_| ask(&nodes[0], "192.0.2.1") == 200).count(), 3);
    redis.kill();
    assert_eq!(admitted(&nodes[0], "192.0.2.1"), 2, "half of ten, and three were here already");
    assert_eq!(admitted(&nodes[1], "192.0.2.1"), 5);
    let guesses = (0..20).filter(|_| pair(&nodes[1], "192.0.2.9", "alice", "wrong") == 401).count();
    assert_eq!(guesses, 2);
    assert_eq!(nodes.each_ref().map(|node| node.authority.counts_are_shared()), [Some(false); 2]);
    redis.start_again();
    for node in &nodes {
        while node.authority.counts_are_shared() != Some(true) {
            ask(node, "198.51.100.1");
        }
    }
    assert_eq!(admitted(&nodes[0], "192.0.2.2") + admitted(&nodes[1], "192.0.2.2"), 10, "together again");
}
