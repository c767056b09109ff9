//! A small server that imitates DRF with `SimpleJWT`, rightly or with one fault, for the tests of the walk.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(super) const PASSWORD: &str = "correct horse \"battery\" staple";
pub(super) const NOW: f64 = 1_793_524_700.0;
const TOKEN: &str = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b";

/// One thing done wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    AnyPassword,
    NewTokenEachLogin,
    ExpiredAccess,
    SwappedTypes,
    TextLogin,
    VerifyTakesAnything,
    AnotherUser,
    Forbidden,
    Open,
    NoChallenge,
    Redirect,
    EchoesSecrets,
}

/// The running server; stops when dropped.
pub(super) struct Fake {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    thread: Option<thread::JoinHandle<()>>,
}

struct State {
    fault: Option<Fault>,
    token: String,
    access: HashSet<String>,
    refresh: HashSet<String>,
    made: u32,
    stopped: bool,
}

struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Fake {
    pub(super) fn start(fault: Option<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            fault,
            token: TOKEN.to_owned(),
            access: HashSet::new(),
            refresh: HashSet::new(),
            made: 0,
            stopped: false,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut state = shared.lock().unwrap();
                if state.stopped {
                    break;
                }
                state.serve(&stream);
            }
        });
        Self { address, state, thread: Some(thread) }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Everything given out that must not be shown whole.
    pub(super) fn secrets(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.access.iter().chain(&state.refresh).chain([&state.token]).cloned().collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.state.lock().unwrap().stopped = true;
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl State {
    fn serve(&mut self, mut stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut length, mut authorization) = (0, String::new());
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "authorization" => value.trim().clone_into(&mut authorization),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let Reply { status, headers, body } = self.reply(&path, &body, &authorization);
        let mut text = format!("HTTP/1.1 {status} Words\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            text.extend([name, ": ", &value, "\r\n"]);
        }
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn reply(&mut self, path: &str, body: &Value, authorization: &str) -> Reply {
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let invalid = json!({ "detail": "Token is invalid", "code": "token_not_valid" });
        match path {
            "/api-token-auth/" if self.has(Fault::Redirect) => {
                let mut reply = json_reply(301, &json!({}));
                reply.headers.push(("Location", "https://elsewhere.example/".to_owned()));
                reply
            }
            "/api-token-auth/" if self.login(body) => {
                if self.has(Fault::NewTokenEachLogin) {
                    self.made += 1;
                    self.token = format!("{:040x}", self.made);
                }
                let mut reply = json_reply(200, &json!({ "token": self.token }));
                if self.has(Fault::TextLogin) {
                    reply.headers[0].1 = "text/plain".to_owned();
                }
                reply
            }
            "/api-token-auth/" if self.has(Fault::EchoesSecrets) => {
                let token = &self.token;
                json_reply(
                    400,
                    &json!({ "you sent": body, "hoped for": format!("{token} {PASSWORD}"), PASSWORD: PASSWORD }),
                )
            }
            "/api-token-auth/" => {
                json_reply(400, &json!({ "non_field_errors": ["Unable to log in with provided credentials."] }))
            }
            "/api/token/" if self.login(body) => {
                let (access, refresh) =
                    if self.has(Fault::SwappedTypes) { ("refresh", "access") } else { ("access", "refresh") };
                json_reply(200, &json!({ "refresh": self.jwt(refresh), "access": self.jwt(access) }))
            }
            "/api/token/" => {
                json_reply(401, &json!({ "detail": "No active account found with the given credentials" }))
            }
            "/api/token/verify/" if self.access.contains(text("token")) || self.has(Fault::VerifyTakesAnything) => {
                json_reply(200, &json!({}))
            }
            "/api/token/refresh/" if self.refresh.contains(text("refresh")) => {
                json_reply(200, &json!({ "access": self.jwt("access") }))
            }
            "/api/token/verify/" | "/api/token/refresh/" => json_reply(401, &invalid),
            "/api/whoami/" => self.whoami(authorization),
            _ => json_reply(404, &json!({ "detail": "Not found." })),
        }
    }

    fn login(&self, body: &Value) -> bool {
        body["username"] == "alice" && (body["password"] == PASSWORD || self.has(Fault::AnyPassword))
    }

    fn whoami(&self, authorization: &str) -> Reply {
        let auth = match authorization.split_once(' ') {
            Some(("Token", token)) if token == self.token => "token",
            Some(("Bearer", access)) if self.access.contains(access) => "jwt",
            _ if self.has(Fault::Open) => "none",
            _ => {
                let detail = json!({ "detail": "Authentication credentials were not provided." });
                let mut reply = json_reply(if self.has(Fault::Forbidden) { 403 } else { 401 }, &detail);
                if !self.has(Fault::NoChallenge) && !self.has(Fault::Forbidden) {
                    reply.headers.push(("WWW-Authenticate", "Token".to_owned()));
                }
                return reply;
            }
        };
        let username = if self.has(Fault::AnotherUser) { "bob" } else { "alice" };
        json_reply(200, &json!({ "user_id": 1, "username": username, "auth": auth }))
    }

    fn jwt(&mut self, token_type: &str) -> String {
        self.made += 1;
        let life = if self.has(Fault::ExpiredAccess) && token_type == "access" { -1.0 } else { 300.0 };
        let payload = json!({ "token_type": token_type, "exp": NOW + life, "iat": NOW, "jti": self.made.to_string(), "user_id": "1" });
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
        let token = format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(format!("signature number {}", self.made)));
        if token_type == "access" {
            self.access.insert(token.clone())
        } else {
            self.refresh.insert(token.clone())
        };
        token
    }
}

fn json_reply(status: u16, body: &Value) -> Reply {
    Reply { status, headers: vec![("Content-Type", "application/json".to_owned())], body: body.to_string() }
}
