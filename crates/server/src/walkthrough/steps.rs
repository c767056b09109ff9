//! The ten steps. Each does its requests, checks what came back and describes it.

use std::time::Instant;

use serde::Serialize;
use serde_json::{Value, json};

use super::Paths;
use super::client::{Answer, Client};
use super::findings::{Findings, Step};
use super::jwt::{self, Jwt};
use super::text::{foreign, shorten};

mod login;
mod request;

/// How many steps there are.
pub(super) const COUNT: usize = 10;

const ACTIONS: [&str; COUNT] = [
    "Client sends login",
    "Server verifies credentials",
    "DRF token made",
    "JWT pair made",
    "Sent to client",
    "Client stores",
    "Client sends request with it",
    "Server checks validity",
    "Valid → protected data",
    "Invalid → 401",
];

const NO_LOGIN: &str = "needs the answers to the logins of step 1";
const NO_CREDENTIAL: &str = "needs a token of step 3 or 4";

/// What the client knows after a step, fit to show.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Variables {
    /// Who logs in.
    pub(super) user: Option<String>,
    /// The DRF token.
    pub(super) token: Option<String>,
    /// The access token.
    pub(super) jwt_access: Option<String>,
    /// The refresh token.
    pub(super) jwt_refresh: Option<String>,
    /// What the last requests carried in their `Authorization` header.
    pub(super) request_token: Option<String>,
}

/// The walk so far.
pub(super) struct Walk<'a> {
    client: Client,
    paths: &'a Paths,
    username: &'a str,
    password: &'a str,
    now: f64,
    token_login: Option<Answer>,
    pair_login: Option<Answer>,
    token: Option<String>,
    access: Option<String>,
    refresh: Option<String>,
    user_id: Option<String>,
    token_answer: Option<Answer>,
    access_answer: Option<Answer>,
    request_token: Option<String>,
}

impl<'a> Walk<'a> {
    /// A walk before its first step; `now` is in seconds since 1970, UTC.
    pub(super) fn new(client: Client, paths: &'a Paths, username: &'a str, password: &'a str, now: f64) -> Self {
        let (token_login, pair_login, token_answer, access_answer) = (None, None, None, None);
        let (token, access, refresh, user_id, request_token) = (None, None, None, None, None);
        Self {
            client,
            paths,
            username,
            password,
            now,
            token_login,
            pair_login,
            token,
            access,
            refresh,
            user_id,
            token_answer,
            access_answer,
            request_token,
        }
    }

    /// Does the step with this number, 1 to [`COUNT`]. Steps build on the ones before them.
    pub(super) fn step(&mut self, number: usize) -> Step {
        let started = Instant::now();
        let mut found = Findings::default();
        match number {
            1 => self.send_login(&mut found),
            2 => self.verify_credentials(&mut found),
            3 => self.token_made(&mut found),
            4 => self.pair_made(&mut found),
            5 => self.sent_to_client(&mut found),
            6 => self.store(&mut found),
            7 => self.send_request(&mut found),
            8 => self.check_validity(&mut found),
            9 => self.protected_data(&mut found),
            _ => self.refusals(&mut found),
        }
        found.into_step(number, ACTIONS[number - 1], started.elapsed())
    }

    /// What the client knows now.
    pub(super) fn variables(&self) -> Variables {
        let short = |secret: &Option<String>| secret.as_deref().map(shorten);
        Variables {
            user: Some(self.username.to_owned()),
            token: short(&self.token),
            jwt_access: short(&self.access),
            jwt_refresh: short(&self.refresh),
            request_token: self.request_token.clone(),
        }
    }

    fn login_body(&self, password: &str) -> Value {
        json!({ "username": self.username, "password": password })
    }

    /// Reads a JWT and checks its type and expiry.
    fn read_jwt(&self, kind: &str, token: &str, found: &mut Findings) -> Option<Jwt> {
        match jwt::read(token) {
            Err(why) => {
                found.problem(format!("the {kind} token {why}"));
                None
            }
            Ok(jwt) => {
                found.check(jwt.token_type == kind, || format!("the {kind} token has another token_type"));
                found.check(jwt.expires > self.now, || {
                    format!("the {kind} token has expired by the clock of this machine")
                });
                Some(jwt)
            }
        }
    }
}

/// A text member of an accepted (200) answer, if it is there and not empty.
fn made(answer: Option<&Answer>, member: &str) -> Option<String> {
    answer.filter(|answer| answer.status == 200)?.text(member).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The names in a JSON object, without their values: `{token}`.
fn members(answer: &Answer) -> String {
    match &answer.json {
        Some(Value::Object(map)) => {
            let names: Vec<&str> = map.keys().map(String::as_str).collect();
            foreign(&format!("{{{}}}", names.join(", ")), 60)
        }
        _ => "no JSON object".to_owned(),
    }
}
