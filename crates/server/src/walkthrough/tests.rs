//! The whole walk against a server that does right, or one thing wrong.

use clap::Parser;
use serde_json::Value;

use super::fake::{Fake, Fault, NOW, PASSWORD};
use super::*;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    args: WalkthroughArgs,
}

fn args(url: &str, more: &[&str]) -> WalkthroughArgs {
    let given = ["countersign", "--url", url, "--username", "alice", "--password", PASSWORD];
    Program::try_parse_from(given.iter().chain(more)).map_err(|error| error.to_string()).unwrap().args
}

fn output(url: &str, password: &str, more: &[&str]) -> (bool, String) {
    let args = args(url, more);
    let mut out = Vec::new();
    let client = Client::new(&args.url, Duration::from_secs(5)).unwrap();
    let ok = walk(&args, client, password, NOW, false, &mut out).unwrap();
    (ok, String::from_utf8(out).unwrap())
}

/// Whether each step held, and the whole object.
fn data(fault: Option<Fault>, password: &str) -> (Vec<bool>, Value) {
    let fake = Fake::start(fault);
    let (ok, text) = output(&fake.url(), password, &["--json"]);
    let data: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(data["ok"], ok);
    assert_eq!(data["variables"].as_array().unwrap().len(), 10);
    assert!(!text.contains(password), "the password is shown: {text}");
    for secret in fake.secrets() {
        assert!(!text.contains(&secret), "a secret is shown whole: {text}");
    }
    let held: Vec<bool> = data["steps"].as_array().unwrap().iter().map(|step| step["ok"].as_bool().unwrap()).collect();
    assert_eq!(held.len(), 10);
    assert_eq!(ok, held.iter().all(|held| *held));
    (held, data)
}

/// The numbers of the steps that did not hold, and the notes of the first of them.
fn failed(fault: Fault) -> (Vec<usize>, String) {
    let (held, data) = data(Some(fault), PASSWORD);
    let failed: Vec<usize> = (1..).zip(&held).filter(|(_, held)| !**held).map(|(number, _)| number).collect();
    let note = data["steps"][failed[0] - 1]["note"].as_str().unwrap().to_owned();
    (failed, note)
}

#[test]
fn a_right_server_holds_every_step() {
    let (held, data) = data(None, PASSWORD);
    assert_eq!(held, [true; 10], "{data:#}");
    let last = &data["variables"][9];
    assert_eq!(last["user"], "alice");
    assert_eq!(last["token"], "9944b0…ee4b");
    assert_eq!(data["variables"][1]["token"], Value::Null);
    assert_eq!(data["variables"][2]["token"], "9944b0…ee4b");
    assert_eq!(
        data["variables"][6]["request_token"],
        format!("Token 9944b0…ee4b\nBearer {}", data["variables"][6]["jwt_access"].as_str().unwrap())
    );
    assert_ne!(data["variables"][6]["jwt_access"], data["variables"][7]["jwt_access"], "refreshed at step 8");
}

#[test]
fn the_table_fits_120_columns_and_shows_no_secret() {
    let fake = Fake::start(None);
    let (ok, text) = output(&fake.url(), PASSWORD, &[]);
    assert!(ok, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    assert!(!text.contains(PASSWORD));
    assert!(text.ends_with("Every step held.\n"));
    assert_eq!(text.matches("│ ok ").count(), 10, "{text}");
}

#[test]
fn a_wrong_password_leaves_the_later_steps_unreached() {
    let (held, data) = data(None, "not the password");
    assert_eq!(held, [true, false, false, false, false, false, false, false, false, false]);
    assert!(data["steps"][1]["note"].as_str().unwrap().contains("refused these credentials"), "{data:#}");
    assert_eq!(data["steps"][5]["output"], "not reached");
}

#[test]
fn a_server_that_takes_any_password_fails_at_2() {
    let (failed, note) = failed(Fault::AnyPassword);
    assert_eq!(failed, [2]);
    assert!(note.contains("wrong password"), "{note}");
}

#[test]
fn a_token_made_anew_at_each_login_fails_at_3() {
    // The first token is dead by then, as with a server that replaces it.
    let (failed, note) = failed(Fault::NewTokenEachLogin);
    assert_eq!(failed[0], 3);
    assert!(note.contains("another token"), "{note}");
}

#[test]
fn an_expired_access_token_fails_at_4() {
    assert_eq!(failed(Fault::ExpiredAccess).0[0], 4);
}

#[test]
fn swapped_token_types_fail_at_4() {
    let (failed, note) = failed(Fault::SwappedTypes);
    assert_eq!(failed[0], 4);
    assert!(note.contains("token_type"), "{note}");
}

#[test]
fn another_content_type_fails_at_5() {
    assert_eq!(failed(Fault::TextLogin).0, [5]);
}

#[test]
fn a_verify_view_that_takes_anything_fails_at_8() {
    let (failed, note) = failed(Fault::VerifyTakesAnything);
    assert_eq!(failed, [8]);
    assert!(note.contains("tampered"), "{note}");
}

#[test]
fn another_users_data_fails_at_9() {
    assert_eq!(failed(Fault::AnotherUser).0, [9]);
}

#[test]
fn session_first_answers_403_and_fails_at_10() {
    let (failed, note) = failed(Fault::Forbidden);
    assert_eq!(failed, [10]);
    assert!(note.contains("SessionAuthentication"), "{note}");
}

#[test]
fn an_open_view_fails_at_10() {
    let (failed, note) = failed(Fault::Open);
    assert_eq!(failed, [10]);
    assert!(note.contains("not protected"), "{note}");
}

#[test]
fn a_missing_challenge_fails_at_10() {
    let (failed, note) = failed(Fault::NoChallenge);
    assert_eq!(failed, [10]);
    assert!(note.contains("WWW-Authenticate"), "{note}");
}

#[test]
fn a_redirect_is_not_followed_and_is_named() {
    let (failed, note) = failed(Fault::Redirect);
    assert_eq!(failed[0], 2);
    assert!(note.contains("redirects to https://elsewhere.example/"), "{note}");
}

#[test]
fn an_echoed_secret_is_veiled() {
    // `data` looks for the secrets in everything printed.
    assert_eq!(failed(Fault::EchoesSecrets).0[0], 2);
}

#[test]
fn an_unreachable_server_still_gives_ten_rows() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (ok, text) = output(&url, PASSWORD, &[]);
    assert!(!ok);
    assert_eq!(text.matches("not reached").count(), 9, "{text}");
    assert!(text.ends_with("0 of 10 steps held.\n"));
}

#[test]
fn arguments_do_not_print_the_password() {
    let args = args("http://127.0.0.1:8000", &[]);
    assert!(!format!("{args:?}").contains(PASSWORD));
    assert_eq!(args.timeout, 10);
    assert_eq!(args.paths.protected_path, "/api/whoami/");
}
