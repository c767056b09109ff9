//! Logins that wait: over real sockets, the server's own counters telling when to go on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use countersign::HashingStats;
use countersign_server::Config;
use serde_json::json;

use crate::database::{Database, Kind, on_every_backend};
use crate::harness::{Answer, SECRET_KEY, Server, instant};

on_every_backend![
    a3_a_login_beyond_the_queue_gets_503_and_retry_after,
    a3_a_client_that_goes_away_frees_its_place,
    a2_clients_behind_a_declared_proxy_are_told_apart,
    a2_clients_behind_an_undeclared_proxy_are_one,
];

/// One thread; an unknown user takes no time, and a wrong password of alice's more than any test.
fn server(store: Kind, extra: &str) -> (Database, Server) {
    let slow = "pbkdf2_sha256$20000000$seasalt12345seasalt12345$qra6nvIUobw34kPpDa1zIqN6KA7BIvIt5Q9ZQbd8lts=";
    let database = Database::with(
        store,
        &json!({ "auth_user": [{"id": 1, "username": "alice", "password": slow, "email": "alice@example.com"}] }),
    );
    let text = format!(
        "secret_key = \"{SECRET_KEY}\"\ndatabase_url = \"{}\"\nbind = \"127.0.0.1:0\"\n{extra}\n\
         pbkdf2_sha256 = {{ iterations = 1000 }}\nhashing_threads = 1\nhashing_deadline = \"1h\"\n\
         hashing_backends = [\"portable\"]\n",
        database.url()
    );
    let config = Config::from_text(&text).expect("a configuration");
    (database, Server::start(config, instant(1_750_000_000.0)))
}

/// Sends a login that came over these hops, and does not wait.
fn begin(server: &Server, username: &str, forwarded: &str) -> TcpStream {
    let body = format!("{{\"username\":\"{username}\",\"password\":\"wrong\"}}");
    let mut stream = server.connect();
    let request = format!(
        "POST /api/token/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: {forwarded}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    stream
}

fn end(mut stream: TcpStream) -> Answer {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("read");
    Answer::parse(&answer)
}

/// Waits until the server's counters are as they are to be.
fn until(server: &Server, is_so: impl Fn(HashingStats) -> bool) {
    while !is_so(server.authority.hashing_stats()) {
        std::thread::yield_now();
    }
}

fn a3_a_login_beyond_the_queue_gets_503_and_retry_after(store: Kind) {
    let (_database, server) = server(store, "[auth]\nhashing_queue = 0");
    let busy = begin(&server, "alice", "");
    until(&server, |stats| stats.running == 1);
    let refused = end(begin(&server, "nobody", ""));
    assert_eq!(refused.status, 503);
    assert_eq!(refused.body, r#"{"detail":"Service temporarily unavailable, try again later."}"#);
    let seconds: u64 = refused.header("retry-after").expect("a header").parse().expect("seconds");
    assert!(seconds >= 1, "what is ahead takes longer than a second: {seconds}");
    let basic = [("authorization", "Basic bm9ib2R5Ondyb25n")];
    assert_eq!(server.send("GET", "/api/whoami/", &basic, None).status, 503, "Basic credentials are a login too");
    assert_eq!(server.send("GET", "/api/whoami/", &[], None).status, 401, "checks go on");
    drop(busy);
}

fn a3_a_client_that_goes_away_frees_its_place(store: Kind) {
    let (_database, server) = server(store, "[auth]\nhashing_queue = 4");
    let running = begin(&server, "alice", "");
    until(&server, |stats| stats.running == 1);
    let waiting = begin(&server, "alice", "");
    until(&server, |stats| stats.waiting == 1);
    drop(waiting);
    until(&server, |stats| stats.waiting == 0 && stats.abandoned == 1);
    drop(running);
    until(&server, |stats| stats.running == 0 && stats.abandoned == 2);
    assert_eq!(end(begin(&server, "nobody", "")).status, 401);
    assert_eq!(server.authority.hashing_stats().served, 1);
}

fn a2_clients_behind_a_declared_proxy_are_told_apart(store: Kind) {
    let (_database, server) = server(store, "trusted_proxies = [\"127.0.0.1\"]\n[auth]\nhashing_queue = 4");
    let running = begin(&server, "alice", "192.0.2.1");
    until(&server, |stats| stats.running == 1);
    let waiting = begin(&server, "alice", "192.0.2.1");
    until(&server, |stats| stats.waiting == 1);
    assert_eq!(end(begin(&server, "nobody", "203.0.113.9, 192.0.2.1")).status, 503, "a quarter of the queue");
    let other = begin(&server, "nobody", "192.0.2.2");
    until(&server, |stats| stats.waiting == 2);
    drop((running, waiting));
    assert_eq!(end(other).status, 401);
}

fn a2_clients_behind_an_undeclared_proxy_are_one(store: Kind) {
    let (_database, server) = server(store, "[auth]\nhashing_queue = 4");
    let running = begin(&server, "alice", "192.0.2.1");
    until(&server, |stats| stats.running == 1);
    let waiting = begin(&server, "alice", "192.0.2.2");
    until(&server, |stats| stats.waiting == 1);
    assert_eq!(end(begin(&server, "nobody", "192.0.2.3")).status, 503);
    drop((running, waiting));
}
