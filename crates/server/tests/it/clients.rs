//! Logins for registered clients: whose tokens live for as long as the client's may, and say whose they are.

use countersign_server::Config;
use serde_json::{Value, json};

use crate::database::{Database, Kind, on_every_backend};
use crate::harness::{Answer, Server, instant};
use crate::sessions::{SECRET, claims, drop_own_tables, post, text, with_ann};

on_every_backend![
    a_login_for_a_client_gets_its_lifetimes,
    r4_rotation_keeps_the_client_and_no_session_is_prolonged,
    a_client_that_is_not_known_gets_nothing,
    a_client_with_a_secret_shows_it_at_each_refresh,
    without_clients_the_fields_are_not_looked_at,
    sliding_tokens_are_for_clients_too,
];

const NOW: f64 = 1_750_000_000.0;
const APP: &str = "[[clients]]\nid = \"app\"\naccess_lifetime = \"1h\"\nrefresh_lifetime = \"90d\"\n";
/// Its secret is "secret".
const SERVICE: &str = "[[clients]]\nid = \"service\"\naccess_lifetime = 60\n\
     secret_sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n";

fn start(database: &Database, more: &str) -> Server {
    let text = text(database, &format!("{APP}{SERVICE}{more}"));
    Server::start(Config::from_text(&text).expect("holds together"), instant(NOW))
}

fn log_in(server: &Server, more: &Value) -> Answer {
    let mut login = json!({ "username": "ann", "password": SECRET });
    let members = more.as_object().expect("members").clone();
    login.as_object_mut().expect("an object").extend(members);
    post(server, "/api/token/", &login)
}

/// For how long a token lives, in seconds, and for which client.
fn life(token: &Value) -> (i64, Value) {
    let claims = claims(token);
    let seconds = |name: &str| claims[name].as_i64().expect("seconds");
    (seconds("exp") - seconds("iat"), claims["client_id"].clone())
}

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

fn a_login_for_a_client_gets_its_lifetimes(kind: Kind) {
    for has_sessions in [true, false] {
        let database = with_ann(kind);
        if !has_sessions {
            drop_own_tables(&database);
        }
        let server = start(&database, "");
        let lives = |more: Value| {
            let answer = log_in(&server, &more);
            assert_eq!(answer.status, 200, "{more}: {}", answer.body);
            let mut body = more.clone();
            body["refresh"] = answer.json()["refresh"].clone();
            let refreshed = post(&server, "/api/token/refresh/", &body);
            assert_eq!(refreshed.status, 200, "{more}: {}", refreshed.body);
            [&answer.json()["access"], &answer.json()["refresh"], &refreshed.json()["access"]].map(life)
        };
        let app = json!("app");
        assert_eq!(lives(json!({ "client_id": "app" })), [(HOUR, app.clone()), (90 * DAY, app.clone()), (HOUR, app)]);
        let service = json!("service");
        let with_secret = json!({ "client_id": "service", "client_secret": "secret" });
        assert_eq!(lives(with_secret), [(60, service.clone()), (DAY, service.clone()), (60, service)]);
        let nobody = log_in(&server, &json!({})).json();
        assert_eq!((life(&nobody["access"]), life(&nobody["refresh"])), ((300, Value::Null), (DAY, Value::Null)));
        assert!(!claims(&nobody["refresh"]).as_object().expect("claims").contains_key("client_id"));
        // As a form, as from any page.
        let form = format!("username=ann&password={SECRET}&client_id=app");
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let answer = server.send("POST", "/api/token/", &headers, Some(form.as_bytes()));
        assert_eq!(life(&answer.json()["access"]), (HOUR, json!("app")));
    }
}

fn r4_rotation_keeps_the_client_and_no_session_is_prolonged(kind: Kind) {
    let database = with_ann(kind);
    let server = start(
        &database,
        "[sessions]\nabsolute_lifetime = \"30m\"\nidle_lifetime = \"10m\"\n[simple_jwt]\nrotate_refresh_tokens = true\n",
    );
    let first = log_in(&server, &json!({ "client_id": "app" })).json();
    assert_eq!((life(&first["access"]).0, life(&first["refresh"]).0), (1800, 1800));
    server.set_clock(instant(NOW + 300.0));
    let next = post(&server, "/api/token/refresh/", &json!({ "refresh": first["refresh"] })).json();
    assert_eq!((life(&next["access"]).0, life(&next["refresh"]).0), (1500, 1500));
    server.set_clock(instant(NOW + 1000.0));
    let idle = post(&server, "/api/token/refresh/", &json!({ "refresh": next["refresh"] }));
    assert_eq!(idle.status, 401, "it was idle for too long, whatever the client's tokens may");
    for has_sessions in [true, false] {
        let database = with_ann(kind);
        if !has_sessions {
            drop_own_tables(&database);
        }
        let rotating = "[simple_jwt]\nrotate_refresh_tokens = true\nblacklist_after_rotation = true\n";
        let server = start(&database, rotating);
        let first = log_in(&server, &json!({ "client_id": "app" })).json();
        server.set_clock(instant(NOW + 100.0));
        let next = post(&server, "/api/token/refresh/", &json!({ "refresh": first["refresh"] })).json();
        assert_eq!((life(&next["access"]), life(&next["refresh"])), ((HOUR, json!("app")), (90 * DAY, json!("app"))));
        if has_sessions {
            let again = post(&server, "/api/token/refresh/", &json!({ "refresh": first["refresh"] })).json();
            assert_eq!(again, next, "the same to the byte");
        }
    }
}

fn a_client_that_is_not_known_gets_nothing(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let refused = r#"{"error":"invalid_client","error_description":"Client authentication failed."}"#;
    for more in [
        json!({ "client_id": "nobody" }),
        json!({ "client_id": "App" }),
        json!({ "client_id": "" }),
        json!({ "client_id": null }),
        json!({ "client_id": ["app"] }),
        json!({ "client_id": "app", "client_secret": "secret" }),
        json!({ "client_id": "service" }),
        json!({ "client_id": "service", "client_secret": "wrong" }),
        json!({ "client_id": "service", "client_secret": null }),
        json!({ "client_secret": "secret" }),
    ] {
        let answer = log_in(&server, &more);
        assert_eq!((answer.status, &*answer.body), (400, refused), "{more}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let wrong = log_in(&server, &json!({ "client_id": "nobody", "password": "wrong" }));
    assert_eq!(wrong.body, refused, "the password is not looked at");
    let wrong = log_in(&server, &json!({ "client_id": "app", "password": "wrong" }));
    assert_eq!((wrong.status, wrong.header("www-authenticate")), (401, Some("Bearer realm=\"api\"")));
    let missing = post(&server, "/api/token/", &json!({ "client_id": "nobody" }));
    assert_eq!(missing.json()["username"][0], "This field is required.");
}

fn a_client_with_a_secret_shows_it_at_each_refresh(kind: Kind) {
    for has_sessions in [true, false] {
        let database = with_ann(kind);
        if !has_sessions {
            drop_own_tables(&database);
        }
        let server = start(&database, "");
        let refresh = |server: &Server, token: &Value, more: Value| {
            let mut body = json!({ "refresh": token });
            body.as_object_mut().expect("an object").extend(more.as_object().expect("members").clone());
            let answer = post(server, "/api/token/refresh/", &body);
            (answer.status, answer.json()["error"].as_str().map(str::to_owned))
        };
        let error = |name: &str| (400, Some(name.to_owned()));
        let proof = json!({ "client_id": "service", "client_secret": "secret" });
        let of_service = log_in(&server, &proof).json()["refresh"].clone();
        let of_app = log_in(&server, &json!({ "client_id": "app" })).json()["refresh"].clone();
        let of_none = log_in(&server, &json!({})).json()["refresh"].clone();
        assert_eq!(refresh(&server, &of_service, json!({})), error("invalid_client"));
        assert_eq!(refresh(&server, &of_service, json!({ "client_id": "service" })), error("invalid_client"));
        assert_eq!(refresh(&server, &of_service, json!({ "client_id": "app" })), error("invalid_grant"));
        assert_eq!(refresh(&server, &of_app, proof.clone()), error("invalid_grant"));
        for (token, more) in [
            (&of_service, proof),
            (&of_app, json!({})),
            (&of_app, json!({ "client_id": "app" })),
            (&of_none, json!({})),
            (&of_none, json!({ "client_id": "app" })),
        ] {
            assert_eq!(refresh(&server, token, more.clone()), (200, None), "{more}");
        }
        // A client that is taken off the list gets no further tokens; where there is no list, the claim is nothing.
        let text = text(&database, SERVICE);
        let without = Server::start(Config::from_text(&text).expect("holds together"), instant(NOW));
        assert_eq!(refresh(&without, &of_app, json!({})), error("invalid_client"));
        assert_eq!(refresh(&without, &of_none, json!({})), (200, None));
        let plain = crate::sessions::start(&database, "");
        assert_eq!(refresh(&plain, &of_app, json!({})), (200, None));
    }
}

fn without_clients_the_fields_are_not_looked_at(kind: Kind) {
    let database = with_ann(kind);
    let server = crate::sessions::start(&database, "");
    let answer = log_in(&server, &json!({ "client_id": ["x"], "client_secret": 7 }));
    assert_eq!((answer.status, life(&answer.json()["access"])), (200, (300, Value::Null)));
}

fn sliding_tokens_are_for_clients_too(kind: Kind) {
    let database = with_ann(kind);
    let server = start(&database, "");
    let login = json!({ "username": "ann", "password": SECRET, "client_id": "app" });
    let token = post(&server, "/api/token/sliding/", &login).json()["token"].clone();
    assert_eq!(life(&token), (HOUR, json!("app")));
    assert_eq!(claims(&token)["refresh_exp"].as_i64(), Some(1_750_000_000 + 90 * DAY));
    server.set_clock(instant(NOW + 600.0));
    let renewed = post(&server, "/api/token/sliding/refresh/", &json!({ "token": token })).json()["token"].clone();
    assert_eq!(life(&renewed), (HOUR, json!("app")));
    assert_eq!(claims(&renewed)["refresh_exp"], claims(&token)["refresh_exp"], "never extended");
}
