//! Replay of the exchanges recorded from real Django, DRF and SimpleJWT: every line is sent as recorded and the answer, its
//! headers, its tokens and the rows left behind are compared. Where a line carries advice, the advice is what counts.

mod settings;
mod template;

use std::collections::BTreeMap;

use countersign_server::Config;
use serde_json::Value;

use crate::database::{Database, Kind, on_every_backend};
use crate::harness::{Answer, Server, instant};
use template::Captures;

const COMPARED_HEADERS: [&str; 6] = ["content-type", "www-authenticate", "allow", "vary", "retry-after", "location"];

/// Why a recorded line is not replayed, or `None`.
fn waits_for(name: &str, line: &Value) -> Option<&'static str> {
    let algorithm = line["given"]["settings"]["SIMPLE_JWT"]["ALGORITHM"].as_str().unwrap_or("HS256");
    if !algorithm.starts_with("HS") {
        Some("asymmetric keys")
    } else if name == "jwt-refresh/rotate-and-blacklist-app-missing" {
        Some("refused at start: blacklisting without its tables")
    } else {
        None
    }
}

on_every_backend![recorded_exchanges_are_answered_alike];

fn recorded_exchanges_are_answered_alike(store: Kind) {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/compat/exchanges.jsonl"))
        .expect("the recorded exchanges");
    let only = std::env::var("ONLY_EXCHANGE").ok();
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut replayed = 0;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("a recorded exchange");
        let name = line["name"].as_str().expect("a name");
        if only.as_deref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        if let Some(reason) = waits_for(name, &line) {
            *waiting.entry(reason).or_default() += 1;
            continue;
        }
        replayed += 1;
        if let Err(problem) = replay(store, &line) {
            problems.push(format!("{name}: {problem}"));
        }
    }
    assert!(problems.is_empty(), "{} of {replayed} differ:\n{}", problems.len(), problems.join("\n"));
    if only.is_none() {
        let expected = [("asymmetric keys", 7), ("refused at start: blacklisting without its tables", 1)];
        assert_eq!(waiting.into_iter().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn blacklisting_without_its_tables_is_refused_at_start() {
    let text = "secret_key = 's'\ndatabase_url = 'sqlite:x'\ninstalled_apps = ['rest_framework.authtoken']\n[simple_jwt]\n\
                rotate_refresh_tokens = true\nblacklist_after_rotation = true\n";
    let refusal = Config::from_text(text).expect_err("refused").to_string();
    assert!(
        refusal.starts_with("countersign.toml:6: simple_jwt.blacklist_after_rotation: does nothing without"),
        "{refusal}"
    );
}

fn replay(store: Kind, line: &Value) -> Result<(), String> {
    let given = &line["given"];
    let database = Database::with(store, &given["db"]);
    let config = Config::from_text(&settings::to_toml(given, &database.url())).map_err(|error| error.to_string())?;
    let now = instant(given["now"].as_f64().expect("now"));
    let server = Server::start(config, now);
    for earlier in given["before"].as_array().into_iter().flatten() {
        let at = earlier["now"].as_f64().map_or(now, instant);
        server.set_clock(at);
        let request = if earlier["request"].is_object() { &earlier["request"] } else { earlier };
        let answer = send(&server, request);
        if earlier["status"].as_u64().is_some_and(|status| status != u64::from(answer.status)) {
            return Err(format!(
                "earlier request: {} instead of {}: {}",
                answer.status, earlier["status"], answer.body
            ));
        }
    }
    server.set_clock(now);
    let answer = send(&server, &line["request"]);
    drop(server);
    let mut captures = Captures::default();
    if line["advice"].is_object() {
        return compare_with_advice(&line["advice"], &answer);
    }
    compare(line, &answer, &mut captures)?;
    settings::compare_rows(&line["after"], &database, &mut captures)
}

fn send(server: &Server, request: &Value) -> Answer {
    let headers: Vec<(&str, &str)> = request["headers"]
        .as_object()
        .map(|headers| headers.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("text"))).collect())
        .unwrap_or_default();
    let body = match (request["body"].as_str(), request["body_b64"].as_str()) {
        (Some(text), _) => Some(text.as_bytes().to_vec()),
        (None, Some(encoded)) => {
            use base64::Engine as _;
            Some(base64::engine::general_purpose::STANDARD.decode(encoded).expect("base64"))
        }
        (None, None) => None,
    };
    let method = request["method"].as_str().expect("a method");
    server.send(method, request["path"].as_str().expect("a path"), &headers, body.as_deref())
}

fn compare_with_advice(advice: &Value, answer: &Answer) -> Result<(), String> {
    if advice["status"].as_u64() != Some(u64::from(answer.status)) {
        return Err(format!("{} instead of the advised {}: {}", answer.status, advice["status"], answer.body));
    }
    match advice["body"].as_str() {
        Some(body) if body != answer.body => Err(format!("{} instead of the advised {body}", answer.body)),
        _ => Ok(()),
    }
}

fn compare(line: &Value, answer: &Answer, captures: &mut Captures) -> Result<(), String> {
    let expected = &line["response"];
    if expected["status"].as_u64() != Some(u64::from(answer.status)) {
        return Err(format!("{} instead of {}: {}", answer.status, expected["status"], answer.body));
    }
    for header in COMPARED_HEADERS {
        if expected["headers"][header].as_str() != answer.header(header) {
            return Err(format!("{header}: {:?} instead of {}", answer.header(header), expected["headers"][header]));
        }
    }
    let body = expected["body"].as_str().expect("a body");
    let is_probe =
        line["request"]["path"].as_str().is_some_and(|path| path.starts_with("/protected/")) && answer.status == 200;
    if line["request"]["method"] == "OPTIONS" && answer.status == 200 {
        return same_but_description(body, answer);
    }
    if is_probe {
        return Ok(()); // the probe's own answer; only its status and headers say something
    }
    let key = settings::signing_key(&line["given"]);
    captures.compare(body, &answer.body, Some((&expected["jwts"], &key)))
}

/// OPTIONS: all members but the description, which is ours to word, in the same order.
fn same_but_description(expected: &str, answer: &Answer) -> Result<(), String> {
    let without = |text: &str| {
        let start = text.find("\"description\":").expect("a description");
        let end = start + text[start..].find(",\"renders\"").expect("renders follows");
        format!("{}{}", &text[..start], &text[end..])
    };
    // The probe view is a form without fields there; ours is named after its path.
    if without(expected) == without(&answer.body) {
        Ok(())
    } else {
        Err(format!("{} instead of {expected}", answer.body))
    }
}
