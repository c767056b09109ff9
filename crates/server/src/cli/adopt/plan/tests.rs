//! Plans made from the probe's document of a stock project, with changes.

use std::path::Path;

use serde_json::{Value, json};

use super::*;

/// What the probe prints for a project of Django 5.2 with DRF's and SimpleJWT's views and no settings of its own.
pub(in super::super) fn stock() -> Value {
    serde_json::from_str(include_str!("stock.json")).expect("the probe's document")
}

pub(in super::super) fn plan(found: &Value) -> Plan {
    plan_with(found, SecretsIn::File, &[])
}

pub(in super::super) fn plan_accepting(found: &Value, accept: &[&str]) -> Plan {
    plan_with(found, SecretsIn::File, accept)
}

fn plan_with(found: &Value, secrets: SecretsIn, accept: &[&str]) -> Plan {
    let found: Found = serde_json::from_value(found.clone()).expect("understood");
    let accept: Vec<String> = accept.iter().map(|id| (*id).to_owned()).collect();
    let folder = Path::new("/etc/site");
    Plan::make(&found, &Choices { bind: "127.0.0.1:8001", secrets, accept: &accept, folder })
}

pub(super) fn ids(plan: &Plan, effect: Effect) -> Vec<&'static str> {
    plan.findings.iter().filter(|finding| finding.effect == effect).map(|finding| finding.id).collect()
}

pub(super) fn carried(plan: &Plan) -> Vec<&'static str> {
    plan.carried().map(|(view, _, _)| view.key()).collect()
}

/// The lines of the configuration under a table, comments cut off.
pub(super) fn table(plan: &Plan, name: &str) -> Vec<String> {
    let text = plan.document.text();
    let lines = text.lines().skip_while(|line| *line != format!("[{name}]")).skip(1);
    lines
        .take_while(|line| !line.is_empty())
        .map(|line| line.split("  #").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_stock_project_is_carried_over_whole() {
    let plan = plan(&stock());
    assert_eq!(
        plan.document.text(),
        r#"# Made by `countersign adopt` from site.settings. Check it with: countersign check --config <this file>
# Comments name the setting that a value comes from. When that changes, change it here, or adopt again with --force.

secret_key_file = "/etc/site/secret_key"  # SECRET_KEY
database_url = "sqlite:////srv/site/db.sqlite3"  # DATABASES["default"]
bind = "127.0.0.1:8001"  # where nginx finds Countersign; --bind
trusted_proxies = ["127.0.0.1/32", "::1/128"]  # nginx; add those in front of it
installed_apps = ["rest_framework.authtoken", "rest_framework_simplejwt.token_blacklist", "django.contrib.sessions"]  # INSTALLED_APPS, as far as it matters here

[rest_framework]
default_authentication_classes = ["token", "jwt"]  # DEFAULT_AUTHENTICATION_CLASSES

[paths]
obtain_auth_token = "/api-token-auth/"  # rest_framework.authtoken.views.ObtainAuthToken
token_obtain_pair = "/api/token/"  # rest_framework_simplejwt.views.TokenObtainPairView
token_refresh = "/api/token/refresh/"  # rest_framework_simplejwt.views.TokenRefreshView
token_verify = ""  # the project does not have it
token_blacklist = ""  # the project does not have it
token_obtain_sliding = ""  # the project does not have it
token_refresh_sliding = ""  # the project does not have it
"#
    );
    assert!(plan.findings.is_empty(), "{:?}", plan.findings);
    let secrets: Vec<_> = plan.secrets.iter().map(|item| (item.file, item.value.expose())).collect();
    assert_eq!(secrets, [("secret_key", "the-secret-key-of-a-site-0123456789-0123456789")]);
}

#[test]
fn secrets_in_the_environment_leave_no_key() {
    let mut found = stock();
    found["database"] = json!({"alias": "default", "vendor": "postgresql", "engine": "django.db.backends.postgresql", "name": "site",
        "user": "ann", "password": "hunter2", "host": "db", "options": {}, "disable_server_side_cursors": false, "tables": {},
        "connection_receivers": [], "reachable": true});
    found["simple_jwt"]["signing_key"] = json!("another-key");
    let plan = plan_with(&found, SecretsIn::Env, &[]);
    let text = plan.document.text();
    assert!(!["_file", "hunter2", "another-key"].iter().any(|part| text.contains(part)), "{text}");
    let variables: Vec<_> =
        plan.secrets.iter().map(|item| (item.variable, item.value.expose(), item.meaning.as_str())).collect();
    assert_eq!(
        variables[1..],
        [
            ("COUNTERSIGN_DATABASE_URL", "postgresql://ann:hunter2@db/site", "postgresql://ann:PASSWORD@db/site"),
            ("COUNTERSIGN_SIMPLE_JWT__SIGNING_KEY", "another-key", "SIMPLE_JWT[\"SIGNING_KEY\"]"),
        ]
    );
    let plan = plan_with(&found, SecretsIn::File, &[]);
    let text = plan.document.text();
    assert!(text.contains("database_url_file = \"/etc/site/database_url\"") && !text.contains("hunter2"), "{text}");
    assert_eq!(table(&plan, "simple_jwt"), ["signing_key_file = \"/etc/site/signing_key\""]);
}

/// Keys of a pair are read first, and go where secrets go.
#[test]
fn key_pairs_are_carried_over() {
    macro_rules! key_file {
        ($name:literal) => {
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/keys/", $name))
        };
    }
    let mut found = stock();
    found["simple_jwt"]["values"]["ALGORITHM"] = json!("ES256");
    found["simple_jwt"]["signing_key"] = json!(key_file!("p256.sec1.pem"));
    found["simple_jwt"]["verifying_key"] = json!(key_file!("p256.spki.pem"));
    let complete = plan_with(&found, SecretsIn::File, &[]);
    assert!(complete.findings.is_empty(), "{:?}", complete.findings);
    assert_eq!(
        table(&complete, "simple_jwt"),
        [
            "algorithm = \"ES256\"",
            "signing_key_file = \"/etc/site/signing_key\"",
            "verifying_key_file = \"/etc/site/verifying_key\"",
        ]
    );
    found["simple_jwt"]["signing_key"] = Value::Null;
    let public = plan_with(&found, SecretsIn::File, &[]);
    let ids: Vec<_> = public.findings.iter().map(|finding| finding.id).collect();
    assert_eq!(ids, ["jwt-signing-key"]);
    found["simple_jwt"]["verifying_key"] = json!(key_file!("p384.spki.pem"));
    let unfit = plan_with(&found, SecretsIn::File, &[]);
    let ids: Vec<_> = unfit.findings.iter().map(|finding| finding.id).collect();
    assert_eq!(ids, ["jwt-key", "authentication-classes"]);
    found["simple_jwt"]["hooks"]["JWK_URL"] = json!("https://keys.example/jwks");
    let fetching = plan_with(&found, SecretsIn::File, &[]);
    assert_eq!(table(&fetching, "simple_jwt"), ["algorithm = \"ES256\"", "jwk_url = \"https://keys.example/jwks\""]);
    let ids: Vec<_> = fetching.findings.iter().map(|finding| finding.id).collect();
    assert_eq!(ids, ["jwt-signing-key"]);
}

#[test]
fn settings_are_written_where_they_are_not_the_default() {
    let mut found = stock();
    found["django"]["append_slash"] = json!(false);
    let values = found["simple_jwt"]["values"].as_object_mut().expect("values");
    values.extend([
        ("ACCESS_TOKEN_LIFETIME".to_owned(), json!(5400.0)),
        ("ALGORITHM".to_owned(), json!("HS512")),
        ("ROTATE_REFRESH_TOKENS".to_owned(), json!(true)),
        ("BLACKLIST_AFTER_ROTATION".to_owned(), json!(true)),
        ("ISSUER".to_owned(), json!("https://site.example")),
        ("AUDIENCE".to_owned(), json!(["a", "b"])),
        ("LEEWAY".to_owned(), json!(5)),
        ("AUTH_HEADER_TYPES".to_owned(), json!("JWT")),
        ("TOKEN_TYPE_CLAIM".to_owned(), Value::Null),
        ("USER_ID_CLAIM".to_owned(), json!("sub")),
    ]);
    found["rest_framework"]["compact_json"] = json!(false);
    found["hashers"][0]["work"]["iterations"] = json!(600_000);
    found["validators"][1]["options"] = json!({"min_length": 12});
    let plan = plan(&found);
    assert_eq!(
        table(&plan, "simple_jwt"),
        [
            r#"algorithm = "HS512""#,
            r#"access_token_lifetime = "1h 30m""#,
            "rotate_refresh_tokens = true",
            r#"audience = ["a", "b"]"#,
            r#"issuer = "https://site.example""#,
            r#"user_id_claim = "sub""#,
            "token_type_claim = false",
            r#"auth_header_types = ["JWT"]"#,
            r#"leeway = "5s""#,
            "blacklist_after_rotation = true",
        ]
    );
    assert_eq!(
        table(&plan, "rest_framework"),
        [r#"default_authentication_classes = ["token", "jwt"]"#, "compact_json = false"]
    );
    assert_eq!(table(&plan, "auth.pbkdf2_sha256"), ["iterations = 600000"]);
    assert_eq!(
        table(&plan, "auth"),
        [
            r#"password_validators = ["user_attribute_similarity", { min_length = 12, name = "minimum_length" }, "common_password", "numeric_password"]"#
        ]
    );
    assert!(plan.document.text().contains("append_slash = false"));
    assert!(plan.findings.is_empty(), "{:?}", plan.findings);
}

#[test]
fn a_custom_user_model_is_mapped_column_by_column() {
    let mut found = stock();
    let column = |name: &str, column: &str, kind: &str| json!({"kind": "column", "name": name, "column": column, "type": kind, "db_type": "x", "stock_class": true, "class": "C", "unique": true, "elsewhere": false});
    let users = &mut found["users"];
    users["model"] = json!("accounts.Member");
    users["schema"] = json!("accounts");
    users["table"] = json!("Member");
    users["id"] = column("uid", "uid", "UUIDField");
    users["username"] = column("email", "EMail", "CharField");
    users["username_field"] = json!("email");
    users["lookup"] = json!({"lookup": "iexact", "column": "EMail", "filters": false, "manager": "accounts.Manager"});
    users["columns"]["email"] = column("email", "EMail", "CharField");
    users["columns"]["first_name"] = json!({"kind": "none"});
    users["columns"]["is_staff"] = json!({"kind": "code"});
    users["columns"]["is_active"] = json!({"kind": "constant", "value": true});
    users["groups"] = json!({"schema": "accounts", "table": "Member_groups", "user_column": "member_id"});
    users["user_permissions"] = Value::Null;
    let plan = plan(&found);
    assert_eq!(
        table(&plan, "users").join("\n"),
        r#"schema = "accounts"
table = "Member"
id = "uid"
id_type = "uuid"
username = "EMail"
username_field = "email"
username_lookup = "iexact"
password = "password"
is_active = false
is_staff = false
is_superuser = "is_superuser"
last_login = "last_login"
date_joined = "date_joined"
email = "EMail"
first_name = false
last_name = "last_name"
groups = "Member_groups"
user_permissions = false"#
    );
    assert_eq!(ids(&plan, Effect::Note), ["rank-computed", "username-lookup-iexact"]);
    assert_eq!(carried(&plan).len(), 3);
}

/// Each change to the stock project, the finding it makes, and what is still carried over.
#[test]
fn code_of_the_project_stays_with_django() {
    const ALL: &[&str] = &["obtain_auth_token", "token_obtain_pair", "token_refresh"];
    const REFRESH: &[&str] = &["token_refresh"];
    const DRF: &[&str] = &["obtain_auth_token"];
    for (place, value, id, rest) in [
        ("/users/columns/is_active", json!({"kind": "code"}), "is-active-computed", &[][..]),
        ("/users/id/elsewhere", json!(true), "user-table-split", &[]),
        ("/users/id/stock_class", json!(false), "user-id-field", &[]),
        ("/users/lookup/lookup", Value::Null, "username-lookup", REFRESH),
        ("/users/lookup/filters", json!(true), "user-filter", &[]),
        ("/users/own_password_check", json!(true), "password-check", REFRESH),
        ("/hashers/2/overrides", json!(["encode"]), "password-hasher", REFRESH),
        ("/backends/0/overrides", json!(["authenticate"]), "authentication-backend", REFRESH),
        ("/rest_framework/exception_handler", json!("site.handler"), "exception-handler", &[]),
        ("/simple_jwt/values/ALGORITHM", json!("RS257"), "jwt-algorithm", DRF),
        ("/simple_jwt/values/ALGORITHM", json!("RS256"), "jwt-key", DRF),
        ("/simple_jwt/values/LEEWAY", json!(500), "leeway", DRF),
        ("/simple_jwt/values/ACCESS_TOKEN_LIFETIME", json!(0.0), "token-lifetime", DRF),
        ("/simple_jwt/values/JTI_CLAIM", Value::Null, "jti-claim", DRF),
        ("/simple_jwt/hooks/USER_AUTHENTICATION_RULE", json!("site.rule"), "user-authentication-rule", DRF),
        ("/views/1/overrides", json!(["post"]), "view-override", &["obtain_auth_token", "token_refresh"]),
        ("/views/1/decorators", json!(["site/limits.py"]), "view-decorator", &["obtain_auth_token", "token_refresh"]),
        (
            "/views/1/serializer/overrides",
            json!(["get_token"]),
            "custom-serializer",
            &["obtain_auth_token", "token_refresh"],
        ),
        ("/views/1/parsers/0/base", Value::Null, "parsers", &["obtain_auth_token", "token_refresh"]),
        ("/views/1/renderers/0/overrides", json!(["render"]), "renderers", &["obtain_auth_token", "token_refresh"]),
        ("/views/1/path", Value::Null, "view-path", &["obtain_auth_token", "token_refresh"]),
        (
            "/views/1/permissions",
            json!([{"class": "site.Office", "base": null, "overrides": []}]),
            "view-policy",
            &["obtain_auth_token", "token_refresh"],
        ),
        ("/database/vendor", json!("mysql"), "database-engine", &[]),
    ] {
        let mut found = stock();
        *found.pointer_mut(place).expect(place) = value;
        let plan = plan(&found);
        assert_eq!(ids(&plan, Effect::Stays), [id], "{place}");
        assert_eq!(carried(&plan), rest, "{place}");
        if ACCEPTABLE.contains(&id) {
            let plan = plan_with(&found, SecretsIn::File, &[id]);
            assert_eq!(
                (carried(&plan).as_slice(), ids(&plan, Effect::Differs).as_slice()),
                (ALL, &[id][..]),
                "{place}"
            );
        }
        assert_eq!(plan.usable, !["database-engine", "is-active-computed"].contains(&id), "{place}");
    }
}

#[test]
fn settings_of_sessions_are_carried_over_where_they_can_be_read() {
    let session = json!([{"class": "rest_framework.authentication.SessionAuthentication",
        "base": "rest_framework.authentication.SessionAuthentication", "overrides": []}]);
    let mut found = stock();
    found["rest_framework"]["defaults"]["authentication"] = session;
    found["django"]["sessions"] = json!({
        "SESSION_ENGINE": "django.contrib.sessions.backends.cached_db", "SESSION_COOKIE_NAME": "sid",
        "SESSION_COOKIE_DOMAIN": null, "CSRF_COOKIE_NAME": "csrftoken", "CSRF_USE_SESSIONS": true,
        "CSRF_TRUSTED_ORIGINS": ["https://app.example"], "ALLOWED_HOSTS": ["*"],
        "SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "https"],
    });
    let made = plan(&found);
    let text = made.document.text();
    for line in [
        "session_cookie_name = \"sid\"",
        "csrf_use_sessions = true",
        "csrf_trusted_origins = [\"https://app.example\"]",
    ] {
        assert!(text.contains(line), "{line}:\n{text}");
    }
    assert!(!text.contains("csrf_cookie_name") && !text.contains("allowed_hosts"), "{text}");
    assert!(text.contains("default_authentication_classes = [\"session\"]"), "{text}");
    assert!(ids(&made, Effect::Note).contains(&"proxy-headers"));
    found["django"]["sessions"]["SESSION_ENGINE"] = json!("django.contrib.sessions.backends.cache");
    let made = plan(&found);
    assert!(!made.document.text().contains("session_cookie_name"));
    assert!(ids(&made, Effect::Differs).contains(&"authentication-classes"));
}

/// What is not told by a column must not be read as "everybody is active".
#[test]
fn who_is_active_is_never_guessed() {
    let column = stock()["users"]["columns"]["is_active"].clone();
    let mut parents = column.clone();
    parents["elsewhere"] = json!(true);
    for (is_active, written, usable) in [
        (column, Some("is_active = \"is_active\""), true),
        (json!({"kind": "constant", "value": true}), Some("is_active = false"), true),
        (json!({"kind": "none"}), Some("is_active = false"), true),
        (json!({"kind": "constant", "value": false}), None, false),
        (json!({"kind": "code"}), None, false),
        (parents, None, false),
    ] {
        let mut found = stock();
        found["users"]["table"] = json!("members");
        found["users"]["columns"]["is_active"] = is_active.clone();
        let plan = plan(&found);
        let lines = table(&plan, "users");
        let line = lines.iter().find(|line| line.starts_with("is_active")).map(String::as_str);
        assert_eq!((line, plan.usable), (written, usable), "{is_active}");
    }
}

#[test]
fn users_that_django_hides_are_not_shown_by_whoami() {
    for place in ["/users/lookup/filters", "/users/objects_filtered"] {
        let mut found = stock();
        *found.pointer_mut(place).expect(place) = json!(true);
        assert!(table(&plan(&found), "paths").contains(&r#"whoami = """#.to_owned()), "{place}");
    }
    assert!(!table(&plan(&stock()), "paths").iter().any(|line| line.starts_with("whoami")));
}

#[test]
fn basic_is_left_out_where_logins_stay_with_django() {
    let mut found = stock();
    found["rest_framework"]["defaults"]["authentication"] = json!([{"class": "rest_framework.authentication.BasicAuthentication",
        "base": "rest_framework.authentication.BasicAuthentication", "overrides": []}]);
    found["views"].as_array_mut().expect("views").remove(0);
    let schemes = |found: &Value| table(&plan(found), "rest_framework");
    assert_eq!(schemes(&found), [r#"default_authentication_classes = ["basic"]"#]);
    for (place, value) in [
        ("/users/lookup/lookup", Value::Null),
        ("/users/own_password_check", json!(true)),
        ("/backends/0/overrides", json!(["authenticate"])),
    ] {
        let mut found = found.clone();
        *found.pointer_mut(place).expect(place) = value;
        assert_eq!(schemes(&found), ["default_authentication_classes = []"], "{place}");
    }
}

#[test]
fn tables_of_permissions_are_looked_for_beside_the_users_only() {
    for (users, through, written, differs) in [
        (json!("accounts"), json!("accounts"), r#"groups = "auth_user_groups""#, &[][..]),
        (json!("accounts"), Value::Null, "groups = false", &["permissions-elsewhere"]),
        (Value::Null, json!("accounts"), "groups = false", &["permissions-elsewhere"]),
    ] {
        let mut found = stock();
        found["users"]["schema"] = users.clone();
        found["users"]["user_permissions"]["schema"] = users;
        found["users"]["groups"]["schema"] = through;
        let plan = plan(&found);
        assert!(table(&plan, "users").contains(&written.to_owned()), "{}", plan.document.text());
        assert_eq!(ids(&plan, Effect::Differs), differs);
    }
}

/// DRF's own throttles are carried over, whatever their rate; one that is the project's code keeps the path with Django.
#[test]
fn throttles_are_carried_over() {
    const ANON: &str = "rest_framework.throttling.AnonRateThrottle";
    for (rate, class, stays) in [
        ("30/min", ANON, false),
        ("3/day", ANON, false),
        ("0/min", ANON, false),
        ("30/min", "site.Burst", true),
        ("x", ANON, true),
    ] {
        let mut found = stock();
        found["rest_framework"]["throttle_rates"]["anon"] = json!(rate);
        found["rest_framework"]["num_proxies"] = json!(1);
        found["views"][1]["throttles"] = json!([class, "rest_framework.throttling.ScopedRateThrottle"]);
        let plan = plan(&found);
        let expected = if stays { vec!["throttle-class"] } else { vec![] };
        assert_eq!(
            (ids(&plan, Effect::Stays), carried(&plan).len()),
            (expected, if stays { 2 } else { 3 }),
            "{rate} {class}"
        );
        assert_eq!(ids(&plan, Effect::Differs), if stays { vec![] } else { vec!["throttles"] });
        if !stays {
            let line = format!("token_obtain_pair = [{{ kind = \"anon\", rate = \"{rate}\", scope = \"anon\" }}]");
            assert_eq!(table(&plan, "throttling.paths"), [line]);
        }
        assert!(table(&plan, "rest_framework").iter().any(|line| line == "num_proxies = 1"));
        assert_eq!(carried(&plan_accepting(&found, &["throttle-class"])).len(), 3);
    }
}

#[test]
fn clients_that_name_themselves_are_told() {
    for (throttles, proxies, notes) in [
        (json!([]), Value::Null, &[][..]),
        (json!(["rest_framework.throttling.AnonRateThrottle"]), Value::Null, &["throttle-by-header"]),
        (json!(["rest_framework.throttling.AnonRateThrottle"]), json!(1), &[]),
    ] {
        let mut found = stock();
        found["rest_framework"]["defaults"]["throttles"] = throttles;
        found["rest_framework"]["num_proxies"] = proxies;
        assert_eq!(ids(&plan(&found), Effect::Note), notes);
    }
}

#[test]
fn options_do_not_go_through_pgbouncer() {
    let mut found = stock();
    found["database"] = json!({"alias": "default", "vendor": "postgresql", "engine": "django.db.backends.postgresql", "name": "site",
        "user": "ann", "host": "db", "port": "6432", "options": {"options": "-c search_path=accounts"},
        "disable_server_side_cursors": false, "tables": {}, "connection_receivers": [], "reachable": true});
    let plan = plan(&found);
    assert!(
        plan.document.text().contains("database_url = \"postgresql://ann@db:6432/site\""),
        "{}",
        plan.document.text()
    );
    let finding = plan.findings.iter().find(|finding| finding.id == "pgbouncer-options").expect("a finding");
    assert!(finding.remedy.contains("ALTER ROLE … SET search_path") && finding.found.contains("search_path=accounts"));
}

#[test]
fn the_second_path_of_a_view_stays() {
    let mut found = stock();
    let mut second = found["views"][1].clone();
    second["path"] = json!("/v1/token/");
    second["pattern"] = json!("/v1/token/");
    found["views"].as_array_mut().expect("views").push(second);
    let plan = plan(&found);
    assert_eq!(ids(&plan, Effect::Stays), ["view-second-path"]);
    assert_eq!(plan.routes[3].to, Destination::Django);
    assert_eq!(plan.routes[1].to, Destination::Countersign);
}

#[test]
fn a_slash_that_may_be_missing_is_told() {
    let mut found = stock();
    found["views"][2]["pattern"] = json!("/api/token/refresh/?$");
    let plan = plan(&found);
    assert_eq!((ids(&plan, Effect::Differs), carried(&plan).len()), (vec!["slash-optional"], 3));
}

#[test]
fn what_would_be_refused_is_not_written() {
    let mut found = stock();
    found["django"]["installed_apps"] = json!(["django.contrib.auth"]);
    found["simple_jwt"]["values"]["ROTATE_REFRESH_TOKENS"] = json!(true);
    found["simple_jwt"]["values"]["BLACKLIST_AFTER_ROTATION"] = json!(true);
    found["hashers"] = json!([{"class": "django.contrib.auth.hashers.MD5PasswordHasher", "algorithm": "md5", "base": "md5", "overrides": [], "work": {}}]);
    found["views"].as_array_mut().expect("views").remove(0);
    let plan = plan(&found);
    assert_eq!(table(&plan, "simple_jwt"), ["rotate_refresh_tokens = true"]);
    assert_eq!(table(&plan, "rest_framework"), [r#"default_authentication_classes = ["jwt"]"#]);
    assert_eq!(table(&plan, "auth"), Vec::<String>::new());
    assert_eq!(ids(&plan, Effect::Note), ["rotation-without-blacklist"]);
    assert_eq!(ids(&plan, Effect::Stays), ["password-hasher"]);
    let text = plan.document.text().replace(
        "secret_key_file = \"/etc/site/secret_key\"",
        "secret_key = \"0123456789012345678901234567890123456789\"",
    );
    crate::config::Config::from_text(&text).expect("holds together");
}

#[test]
fn text_of_the_project_cannot_break_out_of_its_line() {
    let mut found = stock();
    found["views"][1]["class"] = json!("site.views.A\nB\u{1b}[31m");
    let plan = plan(&found);
    assert!(plan.document.text().contains("# site.views.A?B?[31m\n"), "{}", plan.document.text());
}
