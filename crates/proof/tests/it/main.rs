//! Every target over its seeds and a fixed number of mutations of them.

mod promises;
mod secrets;

use std::path::{Path, PathBuf};

use countersign_proof::{TARGETS, fuzz, seeds};

/// Mutations of each target; `scripts/fuzz` makes more.
const RUNS: u64 = 10_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn check(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let seeds = seeds(&root().join("fuzz/seeds").join(name)).expect("seeds");
    assert!(!seeds.is_empty(), "{name} has no seeds");
    if let Err(finding) = fuzz(target, &seeds, RUNS, 1) {
        panic!("{}\ninput: {:?}", finding.message, String::from_utf8_lossy(&finding.input));
    }
}

macro_rules! targets {
    ($($test:ident: $name:literal),* $(,)?) => {
        const TESTED: &[&str] = &[$($name),*];
        $(#[test] fn $test() { check($name); })*
    };
}

targets! {
    o4_authorization_headers: "authorization",
    j5_tokens: "jwt",
    j2_keys: "key",
    w2_stored_passwords: "password",
    s4_json: "json",
    s4_bodies: "body",
    s4_negotiation: "negotiation",
    s4_configuration: "config",
    s4_cookies: "cookie",
    g1_forwarded_headers: "forwarded",
    s4_sessions_of_django: "session",
    b2_csrf_tokens: "csrf",
    s4_knox_tokens: "knox",
    s2_database_addresses: "database_url",
}

#[test]
fn every_target_has_a_test_and_a_libfuzzer_target() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, TESTED);
    for name in names {
        let file = root().join(format!("fuzz/fuzz_targets/{name}.rs"));
        assert!(file.is_file(), "{}", file.display());
    }
}
