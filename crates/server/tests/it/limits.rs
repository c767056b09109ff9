//! No way round a limit: not by another path, not by another spelling of one, not by another method.

use countersign_server::Config;
use serde_json::json;

use crate::database::{Database, Kind, on_every_backend};
use crate::harness::{Server, instant};
use crate::sessions::{NOW, SECRET, text, with_ann};

on_every_backend![a6_guesses_count_together_on_every_path, a6_no_spelling_of_a_path_goes_round_its_throttles];

const APPS: &str =
    "installed_apps = [\"rest_framework.authtoken\", \"rest_framework_simplejwt.token_blacklist\", \"knox\"]\n";
const ALL: &str = "[native_tokens]\nenabled = true\n[sessions]\nenabled = true\n\
                   [simple_jwt]\nrotate_refresh_tokens = true\nblacklist_after_rotation = true\n";

fn start(database: &Database, more: &str) -> Server {
    let text = text(database, &format!("{ALL}{more}")).replace("[auth.", &format!("{APPS}[auth."));
    Server::start(Config::from_text(&text).expect("holds together"), instant(NOW))
}

/// Every door at which a password is tried: a path with fields for it, or Basic where that is a scheme.
const DOORS: [(&str, &str); 8] = [
    ("POST", "/api-token-auth/"),
    ("POST", "/api/token/"),
    ("POST", "/api/%74oken/sliding/"),
    ("POST", "/api/native/login/"),
    ("Basic POST", "/knox/login/"),
    ("Basic GET", "/api/whoami/"),
    ("Basic DELETE", "/api/sessions/"),
    ("Basic POST", "/api/sessions/logout-all/"),
];

fn guess(server: &Server, (how, path): (&str, &str), username: &str, password: &str) -> u16 {
    if let Some(method) = how.strip_prefix("Basic ") {
        let header = format!("Basic {}", base64(&format!("{username}:{password}")));
        return server.send(method, path, &[("Authorization", &header)], None).status;
    }
    let body = json!({ "username": username, "password": password }).to_string();
    server.send(how, path, &[("Content-Type", "application/json")], Some(body.as_bytes())).status
}

/// RFC 4648 §4.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let quantum = |bytes: &[u8]| {
        let bits = bytes.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - bytes.len()));
        (0..4)
            .map(move |at| if at > bytes.len() { '=' } else { char::from(DIGITS[bits >> (18 - 6 * at) & 63]) })
            .collect::<String>()
    };
    text.as_bytes().chunks(3).map(quantum).collect()
}

/// Guesses at one account through one door close all of them, and all doors together give no more guesses than one.
fn a6_guesses_count_together_on_every_path(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "[throttling.logins]\naccount_and_address = \"3/hour\"\naddress = \"10000/hour\"\n");
    for (number, door) in DOORS.into_iter().enumerate() {
        let username = format!("nobody{number}");
        for _ in 0..3 {
            assert_ne!(guess(&server, door, &username, "wrong"), 429, "{door:?}");
        }
        for other in DOORS {
            assert_eq!(guess(&server, other, &username, "wrong"), 429, "{other:?} after {door:?}");
        }
    }
    let guesses: Vec<u16> = DOORS.into_iter().map(|door| guess(&server, door, "ann", "wrong")).collect();
    assert!(
        guesses[..3].iter().all(|status| *status != 429) && guesses[3..].iter().all(|status| *status == 429),
        "{guesses:?}"
    );
    for door in DOORS {
        assert_eq!(guess(&server, door, "ann", SECRET), 429, "the right password comes too late: {door:?}");
    }
}

/// Once the limit is reached nothing is done under any spelling of any path: it is refused, unknown, or sent to the path's one
/// spelling. DRF's own `ObtainAuthToken` has no throttles.
fn a6_no_spelling_of_a_path_goes_round_its_throttles(kind: Kind) {
    let database = with_ann(kind);
    let tables = "[rest_framework]\ndefault_throttle_classes = [\"anon\"]\ndefault_throttle_rates = { anon = \"3/day\" }\n\
                  [[protected]]\npath = \"/open/\"\npermission = \"allow_any\"\nmethods = [\"GET\", \"POST\", \"PUT\", \"PATCH\", \"DELETE\"]\n";
    let server = start(&database, tables);
    let login = json!({ "username": "ann", "password": SECRET }).to_string();
    let json = [("Content-Type", "application/json")];
    let pair = server.send("POST", "/api/token/", &json, Some(login.as_bytes())).json();
    let body = json!({ "username": "ann", "password": SECRET, "refresh": pair["refresh"], "token": pair["access"] })
        .to_string();
    for path in ["/api/token/verify/", "/api/token/refresh/"] {
        assert_eq!(server.send("POST", path, &json, Some(body.as_bytes())).status, 200);
    }
    let paths = [
        "/api/token/",
        "/api/token/refresh/",
        "/api/token/verify/",
        "/api/token/blacklist/",
        "/api/token/sliding/",
        "/api/token/sliding/refresh/",
        "/knox/login/",
        "/knox/logout/",
        "/knox/logoutall/",
        "/api/native/login/",
        "/api/native/logout/",
        "/api/sessions/",
        "/api/sessions/x/",
        "/api/sessions/logout-all/",
        "/api/sessions/logout-others/",
        "/api/whoami/",
        "/open/",
    ];
    let mut refused = 0;
    for path in paths {
        let spellings = [
            path.to_owned(),
            format!("{path}?format=json"),
            path.replacen("/a", "/%61", 1).replacen("/o", "/%6F", 1).replacen("/k", "/%6b", 1),
            path.replace('/', "%2F").replacen("%2F", "/", 1),
            format!("http://testserver{path}"),
            format!("/{path}"),
            format!("/.{path}"),
            format!("{path};x"),
            path.to_uppercase(),
            path.trim_end_matches('/').to_owned(),
            format!("{path}%00"),
        ];
        for spelling in spellings {
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let answer = server.send(method, &spelling, &json, Some(body.as_bytes()));
                assert!(matches!(answer.status, 301 | 400 | 401 | 404 | 429), "{method} {spelling}: {}", answer.status);
                refused += usize::from(answer.status == 429);
            }
        }
    }
    assert!(refused > 200, "{refused} refusals");
}
