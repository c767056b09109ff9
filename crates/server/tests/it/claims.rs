//! Claims of one's own: read at the login, and again at each refresh.

use countersign_server::{App, Config};
use serde_json::{Value, json};

use crate::database::{Database, Kind, on_every_backend};
use crate::sessions::{ROTATING, SECRET, claims, log_in, post, refreshed, start, text, with_ann};

on_every_backend![
    declared_claims_stand_in_every_token,
    r6_claims_are_recomputed_at_a_refresh,
    r6_sliding_tokens_renew_their_claims,
    a_user_of_too_many_groups_gets_no_token,
    a_column_that_cannot_be_told_stops_the_start,
];

const CLAIMS: &str = "[claims]\nmail = { column = \"email\" }\nis_staff = { column = \"is_staff\" }\nnumber = { column = \"id\" }\n\
     groups = { from = \"groups\" }\npermissions = { from = \"permissions\" }\ntenant = { value = [\"acme\", 7] }\n";

fn with_a_group(kind: Kind) -> Database {
    let database = with_ann(kind);
    for statement in [
        "UPDATE auth_user SET email = 'ann@example.com'",
        "INSERT INTO auth_group (id, name) VALUES (1, 'writers'), (2, 'editors')",
        "INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1), (1, 2)",
        "INSERT INTO auth_group_permissions (group_id, permission_id)
           SELECT 1, id FROM auth_permission WHERE codename IN ('view_user', 'add_user')",
        "INSERT INTO auth_user_user_permissions (user_id, permission_id)
           SELECT 1, id FROM auth_permission WHERE codename = 'add_user'",
    ] {
        database.execute(statement);
    }
    database
}

/// The declared claims of a token.
fn declared(token: &Value) -> Value {
    let all = claims(token);
    let names = ["mail", "is_staff", "number", "groups", "permissions", "tenant"];
    names.iter().map(|name| ((*name).to_owned(), all[*name].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn declared_claims_stand_in_every_token(kind: Kind) {
    let database = with_a_group(kind);
    let expected = json!({
        "mail": "ann@example.com", "is_staff": false, "number": 1, "groups": ["editors", "writers"],
        "permissions": ["auth.add_user", "auth.view_user"], "tenant": ["acme", 7],
    });
    let server = start(&database, CLAIMS);
    let pair = log_in(&server);
    assert_eq!(declared(&pair["refresh"]), expected);
    assert_eq!(declared(&pair["access"]), expected);
    let answer = post(&server, "/api/token/sliding/", &json!({ "username": "ann", "password": SECRET }));
    assert_eq!(declared(&answer.json()["token"]), expected);
}

fn r6_claims_are_recomputed_at_a_refresh(kind: Kind) {
    for more in ["[sessions]\nenabled = false\n", "", "[sessions]\nrefresh_window = \"0s\"\n"] {
        let database = with_a_group(kind);
        let server = start(&database, &format!("{ROTATING}{CLAIMS}{more}"));
        let first = log_in(&server);
        database.execute("UPDATE auth_user SET email = 'new@example.com', is_staff = TRUE");
        database.execute("DELETE FROM auth_user_groups WHERE group_id = 2");
        let second = refreshed(&server, &first["refresh"]);
        for kind in ["access", "refresh"] {
            let now = declared(&second[kind]);
            assert_eq!(now["mail"], "new@example.com", "{more}{kind}");
            assert_eq!(now["is_staff"], true);
            assert_eq!(now["groups"], json!(["writers"]));
        }
        database.execute("DELETE FROM auth_user_groups");
        let third = refreshed(&server, &second["refresh"]);
        assert_eq!(declared(&third["access"])["groups"], json!([]), "{more}");
        assert_eq!(declared(&third["access"])["permissions"], json!(["auth.add_user"]), "her own alone");
    }
    let database = with_a_group(kind);
    let server = start(&database, CLAIMS);
    let pair = log_in(&server);
    database.execute("UPDATE auth_user SET email = ''");
    assert_eq!(declared(&refreshed(&server, &pair["refresh"])["access"])["mail"], "", "without rotation");
}

fn r6_sliding_tokens_renew_their_claims(kind: Kind) {
    let database = with_a_group(kind);
    let server = start(&database, CLAIMS);
    let answer = post(&server, "/api/token/sliding/", &json!({ "username": "ann", "password": SECRET }));
    let token = answer.json()["token"].clone();
    database.execute("UPDATE auth_user SET is_staff = TRUE");
    let renewed = post(&server, "/api/token/sliding/refresh/", &json!({ "token": token }));
    assert_eq!(declared(&renewed.json()["token"])["is_staff"], true);
    database.execute("UPDATE auth_user SET is_active = FALSE");
    let refused = post(&server, "/api/token/sliding/refresh/", &json!({ "token": token }));
    assert_eq!(refused.status, 401, "{}", refused.body);
}

fn a_user_of_too_many_groups_gets_no_token(kind: Kind) {
    let database = with_ann(kind);
    for id in 1..=60 {
        let name = format!("{id:0>80}");
        database.execute(&format!("INSERT INTO auth_group (id, name) VALUES ({id}, '{name}')"));
        database.execute(&format!("INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, {id})"));
    }
    let server = start(&database, CLAIMS);
    let answer = post(&server, "/api/token/", &json!({ "username": "ann", "password": SECRET }));
    assert_eq!(answer.status, 500, "a token that no header can carry is of no use, and one without the claim a lie");
}

fn a_column_that_cannot_be_told_stops_the_start(kind: Kind) {
    let database = with_ann(kind);
    for (column, expected) in [
        ("emial", "has no column `emial`"),
        ("password", "holds the password"),
        ("last_login", "text, integers, booleans and UUIDs can be told"),
    ] {
        let text = text(&database, &format!("[claims]\na = {{ column = \"{column}\" }}\n"));
        let config = Config::from_text(&text).expect("holds together");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let refusal = runtime.block_on(App::build(config)).map(|_| ()).expect_err(column);
        assert!(format!("{refusal:#}").contains(expected), "{refusal:#}");
    }
}
