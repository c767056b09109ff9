//! S2: marked secrets through every route, refusal and crash, with everything logged that can be: no mark comes out but where a token
//! is given out.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::clock::{Clock, SystemClock, SystemEntropy};
use countersign_formats::client_secret::SecretDigest;
use countersign_formats::password::{Algorithm, Hashers, Password, SaltEntropy, WorkFactors};
use countersign_server::{App, Config};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::database::{Database, Kind, on_every_backend};
use crate::harness::{Answer, exchange};

on_every_backend![s2_no_secret_comes_out_of_any_route, s2_a_crash_shows_no_secret];

const SECRET_KEY: &str = "canary-key-0123456789-0123456789-0123456789";
const PASSWORD: &str = "canary-password";
const WRONG_PASSWORD: &str = "canary-wrong-password";
const COOKIE: &str = "canarycookie0123456789abcdefghij";
const DATABASE_PASSWORD: &str = "canary-database";
const CLIENT_SECRET: &str = "canary-client-secret";
const WRONG_CLIENT_SECRET: &str = "canary-wrong-client-secret";
/// Given to [`fragile`] when it is started anew.
const CONFIG: &str = "COUNTERSIGN_CANARY_CONFIG";

/// A server in a process of its own, whose every word is kept.
struct Process {
    child: Child,
    address: SocketAddr,
    log: std::thread::JoinHandle<String>,
}

impl Process {
    /// Starts it and waits for the line that names its address.
    fn start(mut command: Command) -> Self {
        command.env("RUST_BACKTRACE", "1").stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
        let mut child = command.spawn().expect("started");
        let mut errors = child.stderr.take().expect("piped");
        let log = std::thread::spawn(move || {
            let mut log = Vec::new();
            errors.read_to_end(&mut log).expect("read");
            String::from_utf8_lossy(&log).into_owned()
        });
        let mut words = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = words.find_map(|line| line.expect("a line").split_once("http://").map(|(_, rest)| rest.to_owned()));
        let Some(line) = line else { panic!("not started: {}", log.join().expect("a log")) };
        let address = line.trim().parse().expect("an address");
        Self { child, address, log }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: testserver\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.extend([*name, ": ", *value, "\r\n"]);
        }
        let length = body.len().to_string();
        request.extend(["Content-Length: ", length.as_str(), "\r\n\r\n", body]);
        exchange(self.address, request.as_bytes())
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("Content-Type", "application/json")], &body.to_string()).expect("an answer")
    }

    /// Ends it and says what it said.
    fn end(mut self) -> String {
        self.child.kill().expect("ended");
        self.child.wait().expect("ended");
        self.log.join().expect("a log")
    }
}

fn with_alice(kind: Kind) -> (Database, String) {
    let mut work = WorkFactors::default();
    work.pbkdf2_sha256_iterations = 1;
    let hashers = Hashers::new(vec![Algorithm::Pbkdf2Sha256], work).expect("hashers");
    let encoded = hashers.encode(&Password::new(PASSWORD), SaltEntropy::new([7; 32])).expect("a hash");
    let digest = encoded.rsplit('$').next().expect("a digest").to_owned();
    let user = |id: i32, name: &str, active: bool| json!({ "id": id, "username": name, "password": encoded, "is_active": active });
    let database = Database::with(kind, &json!({ "auth_user": [user(1, "alice", true), user(2, "bob", false)] }));
    (database, digest)
}

/// The configuration of all routes. A trusting server takes any password, so that one can stand in the address.
fn configuration(database: &Database) -> String {
    let url = database.url().replace("://postgres@", &format!("://postgres:{DATABASE_PASSWORD}@"));
    format!(
        "secret_key = \"{SECRET_KEY}\"\ndatabase_url = \"{url}\"\nbind = \"127.0.0.1:0\"\n\
         installed_apps = [\"rest_framework.authtoken\", \"rest_framework_simplejwt.token_blacklist\", \"knox\", \
         \"django.contrib.sessions\"]\n[auth.pbkdf2_sha256]\niterations = 2\n[rest_framework]\n\
         default_authentication_classes = [\"basic\", \"token\", \"jwt\", \"knox\", \"session\"]\n[simple_jwt]\n\
         rotate_refresh_tokens = true\nblacklist_after_rotation = true\n[[clients]]\nid = \"api\"\n\
         may = [\"introspect\", \"revoke\"]\nsecret_sha256 = \"{}\"\n",
        SecretDigest::of(CLIENT_SECRET)
    )
}

/// Asserts that a text holds none of the marks.
fn assert_clean(marks: &[String], what: &str, text: &str) {
    for mark in marks {
        assert!(!text.contains(mark.as_str()), "{what} shows {mark:?}: {}", around(text, mark));
    }
}

fn around<'t>(text: &'t str, mark: &str) -> &'t str {
    let at = text.find(mark).unwrap_or(0);
    let start = text[..at].rfind('\n').map_or(0, |line| line + 1);
    let end = text[at..].find('\n').map_or(text.len(), |line| at + line);
    &text[start..end]
}

fn marks_of(token: &str) -> Vec<String> {
    // Of a JWT the signature alone is secret enough to look for; the rest can be made by anybody.
    vec![token.rsplit('.').next().unwrap_or(token).to_owned()]
}

/// What a registered client asks of each token, in every way; no secret comes out, and no token that was shown.
fn ask_as_client(server: &Process, tokens: &[String], marks: &mut Vec<String>) {
    for path in ["/api/introspect/", "/api/revoke/"] {
        for token in tokens.iter().map(String::as_str).chain([PASSWORD, CLIENT_SECRET]) {
            for secret in [CLIENT_SECRET, WRONG_CLIENT_SECRET] {
                let header = format!("Basic {}", STANDARD.encode(format!("api:{secret}")));
                let form = ("Content-Type", "application/x-www-form-urlencoded");
                let in_body = format!("token={token}&client_id=api&client_secret={secret}");
                marks.push(header[6..].to_owned());
                for (headers, body) in [
                    (vec![form, ("Authorization", header.as_str())], format!("token={token}")),
                    (vec![form, ("Authorization", header.as_str())], in_body.clone()),
                    (vec![form], format!("{in_body}&{in_body}")),
                    (vec![form], in_body),
                ] {
                    // Ended is nothing before all was asked.
                    if path == "/api/introspect/" || secret == WRONG_CLIENT_SECRET {
                        let answer = server.send("POST", path, &headers, &body).expect("an answer");
                        assert_clean(marks, path, &answer.text());
                    }
                }
            }
        }
    }
}

const ROUTES: [&str; 16] = [
    "/api-token-auth/",
    "/api/token/",
    "/api/token/refresh/",
    "/api/token/verify/",
    "/api/token/blacklist/",
    "/api/token/sliding/",
    "/api/token/sliding/refresh/",
    "/api/whoami/",
    "/knox/login/",
    "/knox/logout/",
    "/knox/logoutall/",
    "/api/introspect/",
    "/api/revoke/",
    "/healthz",
    "/readyz",
    "/nowhere/",
];

fn s2_no_secret_comes_out_of_any_route(kind: Kind) {
    let (database, digest) = with_alice(kind);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("countersign.toml");
    std::fs::write(&file, configuration(&database)).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.arg("serve").arg("--config").arg(&file).env("COUNTERSIGN_LOG", "trace").env_remove("RUST_LOG");
    let server = Process::start(command);
    let basic = STANDARD.encode(format!("alice:{PASSWORD}"));
    let mut marks: Vec<String> =
        [SECRET_KEY, PASSWORD, WRONG_PASSWORD, COOKIE, DATABASE_PASSWORD, CLIENT_SECRET, WRONG_CLIENT_SECRET]
            .map(str::to_owned)
            .to_vec();
    marks.extend([digest, basic.clone(), SecretDigest::of(CLIENT_SECRET).to_string()]);

    // Tokens of every kind, each given out once.
    let login = json!({ "username": "alice", "password": PASSWORD });
    let pair = server.post("/api/token/", &login).json();
    let sliding = server.post("/api/token/sliding/", &login).json();
    let key = server.post("/api-token-auth/", &login).json();
    let basic = format!("Basic {basic}");
    let knox = server.send("POST", "/knox/login/", &[("Authorization", &basic)], "").expect("an answer").json();
    let rotated = server.post("/api/token/refresh/", &json!({ "refresh": pair["refresh"] })).json();
    let mut tokens: Vec<String> = Vec::new();
    for answer in [&pair, &sliding, &key, &knox, &rotated] {
        let members = answer.as_object().expect("an object").iter();
        tokens.extend(
            members.filter(|(name, _)| *name != "expiry").filter_map(|(_, value)| value.as_str()).map(str::to_owned),
        );
    }
    assert_eq!(tokens.len(), 7, "{tokens:?}");
    marks.extend(tokens.iter().flat_map(|token| marks_of(token)));

    ask_as_client(&server, &tokens, &mut marks);
    let text = |value: &Value| value.as_str().expect("a token").to_owned();
    let schemes = [
        basic.clone(),
        format!("Bearer {}", text(&pair["access"])),
        format!("Token {}", text(&key["token"])),
        format!("Token {}", text(&knox["token"])),
        format!("Bearer {}x", text(&pair["access"])),
        format!("Basic {}", STANDARD.encode(format!("bob:{PASSWORD}"))),
        format!("Basic {}", STANDARD.encode(format!("nobody:{WRONG_PASSWORD}"))),
        format!("Bearer {PASSWORD} {PASSWORD}"),
    ];
    let cookie = format!("sessionid={COOKIE}; csrftoken={COOKIE}");
    let forms = [
        ("application/json", json!({ "username": "alice", "password": WRONG_PASSWORD, "refresh": text(&pair["refresh"]), "token": text(&rotated["access"]) }).to_string()),
        ("application/json", format!("{{\"password\": \"{WRONG_PASSWORD}\",")),
        ("application/json", json!([PASSWORD]).to_string()),
        ("application/json", json!({ "username": [PASSWORD], "password": { "a": PASSWORD }, "refresh": PASSWORD, "token": PASSWORD }).to_string()),
        ("application/x-www-form-urlencoded", format!("username=alice&password={WRONG_PASSWORD}&token={PASSWORD}&refresh={PASSWORD}")),
        ("application/x-www-form-urlencoded", format!("token={PASSWORD}&client_id=api&client_secret={CLIENT_SECRET}")),
        ("application/json", json!({ "username": "alice", "password": PASSWORD, "client_id": CLIENT_SECRET, "client_secret": CLIENT_SECRET }).to_string()),
        ("multipart/form-data; boundary=B", format!("--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{PASSWORD}\r\n--B--\r\n")),
        ("text/plain", PASSWORD.to_owned()),
    ];
    let mut requests = 0;
    for path in ROUTES {
        for method in ["GET", "POST", "OPTIONS", "DELETE", "HEAD"] {
            for scheme in &schemes {
                let headers = [
                    ("Authorization", scheme.as_str()),
                    ("Cookie", &cookie),
                    ("X-CSRFToken", COOKIE),
                    ("Content-Type", "application/json"),
                ];
                let is_login = path == "/knox/login/" && method == "POST";
                let body = if path.starts_with("/api") { forms[0].1.as_str() } else { "" };
                let answer = server.send(method, path, &headers, body).expect("an answer");
                requests += 1;
                if !is_login && answer.status != 200 || method != "POST" {
                    assert_clean(&marks, &format!("{method} {path}"), &answer.text());
                }
            }
        }
        for (content_type, body) in &forms {
            let answer = server
                .send("POST", path, &[("Content-Type", content_type), ("Cookie", &cookie)], body)
                .expect("an answer");
            requests += 1;
            if answer.status != 200 {
                assert_clean(&marks, &format!("POST {path}"), &answer.text());
            }
        }
    }
    // Half of the table vanishes: the errors of the database are logged.
    database.execute("ALTER TABLE auth_user RENAME COLUMN is_active TO gone");
    for path in ROUTES {
        for scheme in &schemes {
            let headers =
                [("Authorization", scheme.as_str()), ("Cookie", &cookie), ("Content-Type", "application/json")];
            let answer = server.send("POST", path, &headers, &login.to_string()).expect("an answer");
            requests += 1;
            assert_clean(&marks, path, &answer.text());
        }
    }
    let log = server.end();
    assert!(!log.is_empty() && requests > 600, "{requests} requests");
    assert_clean(&marks, "the log", &log);
}

/// A clock that breaks when a file is there.
struct FragileClock(PathBuf);

impl Clock for FragileClock {
    fn now(&self) -> Timestamp {
        assert!(!self.0.exists(), "the clock broke");
        SystemClock.now()
    }
}

/// The server with such a clock: not a test of its own, but what [`s2_a_crash_shows_no_secret`] starts this program again for.
#[test]
fn fragile() {
    let Ok(file) = std::env::var(CONFIG) else { return };
    let text = std::fs::read_to_string(&file).expect("read");
    let _ = tracing_subscriber::fmt().with_env_filter("trace").with_writer(std::io::stderr).try_init();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let clock = Arc::new(FragileClock(PathBuf::from(format!("{file}.broken"))));
        let config = Config::from_text(&text).expect("holds together");
        let app = App::build_with(config, clock, Arc::new(SystemEntropy)).await.expect("built");
        let listener = app.bind().await.expect("bound");
        println!("\nhttp://{}", listener.local_addr().expect("an address"));
        app.serve(listener, std::future::pending()).await;
    });
}

fn s2_a_crash_shows_no_secret(kind: Kind) {
    // The driver of PostgreSQL logs what it sends; the program never lets it, which the other test shows.
    if kind == Kind::Postgres {
        return;
    }
    let (database, digest) = with_alice(kind);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("countersign.toml");
    std::fs::write(&file, configuration(&database)).expect("written");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "canary::fragile", "--nocapture"]).env(CONFIG, &file);
    let server = Process::start(command);
    let login = json!({ "username": "alice", "password": PASSWORD });
    let pair = server.post("/api/token/", &login).json();
    let mut marks: Vec<String> = [SECRET_KEY, PASSWORD, COOKIE].map(str::to_owned).to_vec();
    marks.push(digest);
    for name in ["access", "refresh"] {
        marks.extend(marks_of(pair[name].as_str().expect("a token")));
    }
    std::fs::write(format!("{}.broken", file.display()), "").expect("written");
    let access = format!("Bearer {}", pair["access"].as_str().expect("a token"));
    let headers = [("Authorization", access.as_str()), ("Cookie", COOKIE), ("Content-Type", "application/json")];
    let body =
        json!({ "username": "alice", "password": PASSWORD, "refresh": pair["refresh"], "token": pair["refresh"] });
    for path in ROUTES {
        for method in ["GET", "POST"] {
            if let Some(answer) = server.send(method, path, &headers, &body.to_string()) {
                assert!(answer.status >= 400 || path.ends_with('z'), "{method} {path}: {}", answer.status);
                assert_clean(&marks, path, &answer.text());
            }
        }
    }
    let log = server.end();
    assert!(log.contains("the clock broke"), "nothing crashed: {log}");
    assert_clean(&marks, "the log of a crash", &log);
}
