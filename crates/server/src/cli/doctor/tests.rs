//! Doctor on databases in files.

use countersign::testing::FixedClock;
use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

const NOW: &str = "2025-06-15T15:06:40Z";

/// A migrated database and its configuration, with lines of the caller's in both.
async fn deployment(settings: &str, rows: &str) -> (TempDir, Result<Config, ConfigError>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db.sqlite3");
    let base = format!(
        "secret_key = \"0123456789012345678901234567890123456789\"\ndatabase_url = \"sqlite://{}\"\n\
         trusted_proxies = [\"127.0.0.1\"]\n",
        path.display()
    );
    let config = Config::from_text(&base).expect("holds together");
    let store = config.database.create().await.expect("a database");
    store.migrate(&config.settings.apps, NOW.parse().expect("a time")).await.expect("migrates");
    let field = store.user_field("id").await.expect("the key");
    store.install_triggers(&field).await.expect("installs");
    store.close().await;
    Connection::open(&path).expect("opens").execute_batch(rows).expect("rows");
    (folder, Config::from_text(&format!("{base}{settings}")))
}

async fn examined(settings: &str, rows: &str) -> Examined {
    let (_folder, config) = deployment(settings, rows).await;
    let now: Timestamp = NOW.parse().expect("a time");
    examine(None, config, &FixedClock::new(now)).await
}

fn ids(examined: &Examined) -> Vec<&'static str> {
    examined.findings.iter().map(|finding| finding.id).collect()
}

#[tokio::test]
async fn a_sound_deployment_has_no_findings() {
    let examined = examined("", "").await;
    assert_eq!(ids(&examined), Vec::<&str>::new());
    assert!(examined.text().ends_with("\n0 errors, 0 warnings, 0 notes.\n"), "{}", examined.text());
    assert_eq!(examined.exit_code(), ExitCode::SUCCESS);
}

#[tokio::test]
async fn r5_triggers_that_are_gone_are_told() {
    let rebuilt = examined("", "DROP TRIGGER countersign_user_deleted").await;
    assert_eq!(ids(&rebuilt), ["sessions-triggers"]);
    assert_eq!(rebuilt.exit_code(), ExitCode::from(1));
    let off = examined("[sessions]\nenabled = false\n", "DROP TRIGGER countersign_user_deleted").await;
    assert_eq!(ids(&off), Vec::<&str>::new());
}

#[tokio::test]
async fn sessions_without_their_tables_are_told() {
    let drop = "DROP TRIGGER countersign_user_changed; DROP TRIGGER countersign_user_deleted; DROP TRIGGER countersign_token_voided;
                DROP TABLE countersign_session; DROP TABLE countersign_rotation; DROP TABLE countersign_revocation;
                DROP TABLE countersign_token; DROP TABLE countersign_device;
                DELETE FROM django_migrations WHERE app = 'countersign';";
    let off = examined("", drop).await;
    assert_eq!(ids(&off), ["sessions-off"]);
    assert_eq!(off.exit_code(), ExitCode::from(1));
    let missing = examined("[sessions]\nenabled = true\n", drop).await;
    assert_eq!(ids(&missing), ["sessions-missing"]);
    assert!(missing.findings[0].found.contains(":5: sessions.enabled: "), "{:?}", missing.findings);
    assert_eq!(ids(&examined("[sessions]\nenabled = false\n", drop).await), Vec::<&str>::new());
}

#[tokio::test]
async fn silent_faults_are_told_gravest_first() {
    let examined = examined(
        "[simple_jwt]\nrotate_refresh_tokens = true\n[auth.pbkdf2_sha256]\niterations = 260000\n",
        "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
             VALUES ('pbkdf2_sha256$260000$s$h', 0, 'ann', '', '', '', 0, 1, '2025-01-01 00:00:00'),
                    ('site_own$s$h', 0, 'Ann', '', '', '', 0, 1, '2025-01-01 00:00:00');
         INSERT INTO authtoken_token (key, created, user_id) VALUES ('k', '2025-01-01 00:00:00', 1);
         INSERT INTO token_blacklist_outstandingtoken (token, expires_at, jti) VALUES ('t', '2025-01-01 00:00:00', 'j');
         CREATE TABLE copy AS SELECT * FROM token_blacklist_blacklistedtoken;
         DROP TABLE token_blacklist_blacklistedtoken;
         ALTER TABLE copy RENAME TO token_blacklist_blacklistedtoken;",
    )
    .await;
    assert_eq!(
        ids(&examined),
        [
            "index-missing",
            "rotation-without-blacklisting",
            "hasher-work-low",
            "usernames-differ-by-case",
            "hashes-not-configured",
            "sessions-triggers", // gone with the table that was rebuilt
            "outstanding-never-pruned",
            "hashes-outdated",
            "drf-keys-in-clear",
        ]
    );
    assert_eq!((examined.errors, examined.warnings, examined.notes), (1, 6, 2));
    assert_eq!(examined.exit_code(), ExitCode::from(2));
    let json = serde_json::to_value(&examined).expect("serialises");
    assert_eq!(json["findings"][0]["id"], "index-missing");
    assert_eq!(json["findings"][8]["count"], 1);
    assert_eq!(json["findings"][8]["severity"], "note");
}

#[tokio::test]
async fn a_configuration_that_is_refused_is_the_finding() {
    let examined = examined("[simple_jwt]\nleewy = 3\n", "").await;
    assert_eq!(ids(&examined), ["configuration"]);
    assert!(examined.findings[0].found.contains("did you mean \"leeway\"?"), "{:?}", examined.findings);
    assert_eq!(examined.exit_code(), ExitCode::from(2));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_the_finding() {
    let (folder, config) = deployment("", "").await;
    drop(folder);
    let now: Timestamp = NOW.parse().expect("a time");
    let examined = examine(None, config, &FixedClock::new(now)).await;
    assert_eq!(ids(&examined), ["database-unreachable"]);
}

#[tokio::test]
async fn users_that_do_not_fit_are_named() {
    let examined = examined("[users]\ntable = \"auth_user\"\nusername = \"login\"\n", "").await;
    assert_eq!(ids(&examined), ["users-table"]);
    assert!(examined.findings[0].found.contains("login"), "{:?}", examined.findings);
}

#[tokio::test]
async fn a_database_without_djangos_tables_says_which_are_missing() {
    let (_folder, config) = deployment("", "DROP TABLE authtoken_token; DROP TABLE auth_user;").await;
    let now: Timestamp = NOW.parse().expect("a time");
    let examined = examine(None, config, &FixedClock::new(now)).await;
    let missing = examined.findings.iter().filter(|finding| finding.id == "migrations-missing").count();
    assert_eq!((missing, examined.errors), (2, 2), "{:#?}", examined.findings);
}

/// What a start refuses is an error here: a column of Django's own table, one of a table behind a statement, a table of keys.
#[tokio::test]
async fn what_a_start_refuses_is_told() {
    for (rows, id, part) in [
        ("ALTER TABLE auth_user DROP COLUMN first_name;", "users-table", "first_name"),
        ("ALTER TABLE token_blacklist_outstandingtoken DROP COLUMN created_at;", "tables-misfit", "created_at"),
        ("DROP TABLE auth_group_permissions;", "migrations-missing", "auth"),
    ] {
        let examined = examined("", rows).await;
        assert_eq!(ids(&examined).first(), Some(&id), "{rows} {:#?}", examined.findings);
        assert!(examined.findings[0].found.contains(part), "{:#?}", examined.findings);
        assert_eq!(examined.exit_code(), ExitCode::from(2));
    }
    let examined = examined("[simple_jwt]\nuser_id_field = \"nick\"\n", "").await;
    assert_eq!(ids(&examined), ["tables-misfit"]);
    assert!(examined.findings[0].found.contains("simple_jwt.user_id_field"), "{:?}", examined.findings);
}

/// With an index that its lookup uses, SQLite has nothing to warn of.
#[tokio::test]
async fn lookups_without_case_are_judged_by_their_plan() {
    const USERS: &str = "[users]\ntable = \"auth_user\"\nusername_lookup = \"iexact\"\n";
    assert_eq!(ids(&examined(USERS, "").await), ["index-without-case-missing"]);
    let index = "CREATE INDEX without_case ON auth_user (upper(CAST(username AS text)));";
    assert_eq!(ids(&examined(USERS, index).await), Vec::<&str>::new());
}

#[tokio::test]
async fn throttles_that_do_less_than_it_seems_are_told() {
    let apart =
        "[rest_framework]\ndefault_throttle_classes = [\"anon\"]\ndefault_throttle_rates = { anon = \"5/min\" }\n";
    assert_eq!(ids(&examined(apart, "").await), ["throttles-counted-apart"]);
    let by_header = format!("{apart}num_proxies = false\n[throttling.logins]\nenabled = false\n");
    assert_eq!(
        ids(&examined(&by_header, "").await),
        ["throttle-by-header", "logins-not-limited", "throttles-counted-apart"]
    );
    let (folder, _) = deployment("", "").await;
    let text = format!(
        "secret_key = \"0123456789012345678901234567890123456789\"\ndatabase_url = \"sqlite://{}/db.sqlite3\"\n",
        folder.path().display()
    );
    let now: Timestamp = NOW.parse().expect("a time");
    let examined = examine(None, Config::from_text(&text), &FixedClock::new(now)).await;
    assert_eq!(ids(&examined), ["clients-are-one"]);
}
