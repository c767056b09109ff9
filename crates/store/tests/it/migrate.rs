use countersign_store::{AppState, DatabaseUrl, InstalledApps, Store, StoreError, StoreOptions};
use rusqlite::Connection;

use crate::{ALL, at};

const RECORDED: &str = include_str!("../../../../testdata/compat/schema.sqlite.sql");
const DEFAULT_APPS: [&str; 6] = ["contenttypes", "auth", "admin", "sessions", "authtoken", "token_blacklist"];

/// Schema texts as SQLite keeps them, in the order of creation.
fn schema(connection: &Connection) -> Vec<String> {
    column(
        connection,
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'sqlite_sequence' ORDER BY rowid",
    )
}

fn column(connection: &Connection, query: &str) -> Vec<String> {
    let mut statement = connection.prepare(query).expect(query);
    statement.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect(query)
}

struct Scratch {
    connection: Connection,
    store: Store,
    _directory: tempfile::TempDir,
}

/// A file that `script` was run on before the store saw it.
async fn scratch(script: &str) -> Scratch {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("db.sqlite3");
    let connection = Connection::open(&path).expect("opens");
    connection.execute_batch(script).expect("runs");
    let options = StoreOptions { create: true, ..StoreOptions::default() };
    let store = Store::open(&DatabaseUrl::sqlite_file(&path), options).await.expect("opens");
    Scratch { connection, store, _directory: directory }
}

/// The part of a Django database that these tables and applications make up.
fn django(tables: &[&str], apps: &[(&str, &[&str])]) -> String {
    let about = |line: &&str| {
        line.starts_with("CREATE")
            && tables
                .iter()
                .any(|table| line.contains(&format!("TABLE \"{table}\"")) || line.contains(&format!("ON \"{table}\"")))
    };
    let mut script: Vec<String> = RECORDED.lines().filter(about).map(str::to_owned).collect();
    for (app, names) in apps {
        for name in *names {
            script.push(format!(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('{app}', '{name}', '2020-01-01 00:00:00');"
            ));
        }
    }
    script.join("\n")
}

const CONTENTTYPES: (&str, &[&str]) = ("contenttypes", &["0001_initial", "0002_remove_content_type_name"]);
const AUTH: (&str, &[&str]) = (
    "auth",
    &[
        "0001_initial",
        "0002_alter_permission_name_max_length",
        "0003_alter_user_email_max_length",
        "0004_alter_user_username_opts",
        "0005_alter_user_last_login_null",
        "0006_require_contenttypes_0002",
        "0007_alter_validators_add_error_messages",
        "0008_alter_user_username_max_length",
        "0009_alter_user_last_name_max_length",
        "0010_alter_group_name_max_length",
        "0011_update_proxy_permissions",
    ],
);
const AUTH_TABLES: [&str; 8] = [
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
    "auth_user",
    "auth_user_groups",
    "auth_user_user_permissions",
];

#[tokio::test]
async fn an_empty_file_gets_the_schema_django_leaves() {
    let scratch = scratch("").await;
    let report = scratch.store.migrate(&ALL, at(0)).await.expect("migrates");
    assert_eq!(report.created, [&DEFAULT_APPS[..], &["knox", "countersign"]].concat());
    assert!(report.adopted.is_empty());
    let by_django = Connection::open_in_memory().expect("opens");
    by_django.execute_batch(RECORDED).expect("the recorded schema");
    let made = schema(&scratch.connection);
    let (ours, djangos): (Vec<_>, Vec<_>) = made.into_iter().partition(|text| text.contains(" \"countersign_"));
    assert_eq!(djangos, schema(&by_django));
    assert!(!ours.iter().any(|text| text.contains("REFERENCES")), "nothing of Django's may depend on our rows");
}

#[tokio::test]
async fn what_django_records_is_recorded() {
    let scratch = scratch("").await;
    scratch.store.migrate(&ALL, at(0)).await.expect("migrates");
    let counts = "SELECT app || ' ' || count(*) FROM django_migrations GROUP BY app ORDER BY min(id)";
    let expected =
        ["contenttypes 2", "auth 12", "admin 3", "sessions 1", "authtoken 4", "token_blacklist 12", "knox 9"];
    let counted = column(&scratch.connection, counts);
    assert_eq!(counted[..7], expected);
    assert!(counted[7].starts_with("countersign "), "after all of Django's");
    assert_eq!(column(&scratch.connection, "SELECT DISTINCT applied FROM django_migrations"), ["2025-06-15 15:06:40"]);
    assert_eq!(column(&scratch.connection, "SELECT count(*) || '' FROM django_content_type"), ["11"]);
    assert_eq!(column(&scratch.connection, "SELECT count(*) || '' FROM auth_permission"), ["44"]);
    let names = "SELECT p.codename || ': ' || p.name FROM auth_permission p
                 JOIN django_content_type c ON c.id = p.content_type_id
                 WHERE c.model IN ('logentry', 'tokenproxy') AND p.codename LIKE 'add%' ORDER BY 1";
    assert_eq!(
        column(&scratch.connection, names),
        ["add_logentry: Can add log entry", "add_tokenproxy: Can add Token"]
    );
}

#[tokio::test]
async fn the_second_time_nothing_happens() {
    let scratch = scratch("").await;
    let apps = InstalledApps::default();
    let report = scratch.store.migrate(&apps, at(0)).await.expect("migrates");
    assert_eq!(report.created, [&DEFAULT_APPS[..], &["countersign"]].concat());
    let (before, rows) =
        (schema(&scratch.connection), column(&scratch.connection, "SELECT id || name FROM django_migrations"));
    let report = scratch.store.migrate(&apps, at(9)).await.expect("migrates");
    assert!(report.created.is_empty());
    assert_eq!(report.adopted, ["contenttypes", "auth", "authtoken", "token_blacklist", "countersign"]);
    assert_eq!(schema(&scratch.connection), before);
    assert_eq!(column(&scratch.connection, "SELECT id || name FROM django_migrations"), rows);
    assert!(scratch.store.migration_state().await.expect("reads").missing(&apps).is_empty());
}

#[tokio::test]
async fn a_database_of_djangos_is_adopted_and_completed() {
    let scratch = scratch(&django(&AUTH_TABLES, &[CONTENTTYPES, AUTH])).await;
    let apps = InstalledApps { token_blacklist: false, countersign: false, ..InstalledApps::default() };
    let before = schema(&scratch.connection);
    let state = scratch.store.migration_state().await.expect("reads");
    assert_eq!(state.missing(&apps), ["authtoken"]);
    let pending = vec!["0012_alter_user_first_name_max_length"];
    assert_eq!(state.of("auth"), Some(&AppState::Applied { pending }), "Django 3.0 stopped there");

    let report = scratch.store.migrate(&apps, at(0)).await.expect("migrates");
    assert_eq!(report.created, ["authtoken"]);
    assert_eq!(report.adopted, ["contenttypes", "auth"]);
    let after = schema(&scratch.connection);
    assert_eq!(after[..before.len()], before);
    assert_eq!(after.len(), before.len() + 1);
    let models = column(&scratch.connection, "SELECT app_label || '.' || model FROM django_content_type ORDER BY id");
    assert_eq!(models, ["authtoken.token", "authtoken.tokenproxy"]);
}

#[tokio::test]
async fn our_tables_are_made_beside_djangos() {
    let scratch = scratch(&django(&AUTH_TABLES, &[CONTENTTYPES, AUTH])).await;
    let apps = InstalledApps { token_blacklist: false, authtoken: false, ..InstalledApps::default() };
    assert!(!scratch.store.migration_state().await.expect("reads").has_own_tables());
    let report = scratch.store.migrate(&apps, at(0)).await.expect("migrates");
    assert_eq!((report.created, report.adopted), (vec!["countersign"], vec!["contenttypes", "auth"]));
    assert!(scratch.store.migration_state().await.expect("reads").has_own_tables());
    scratch.connection.execute_batch("DROP TABLE countersign_rotation").expect("drops");
    let state = scratch.store.migration_state().await.expect("reads");
    assert!(matches!(state.of("countersign"), Some(AppState::Conflict(_))), "{state:?}");
    assert!(!state.has_own_tables());
}

#[tokio::test]
async fn a_refusal_changes_nothing() {
    let script = django(&[&AUTH_TABLES[..], &["token_blacklist_outstandingtoken"]].concat(), &[CONTENTTYPES, AUTH]);
    let scratch = scratch(&script).await;
    let before = schema(&scratch.connection);
    let refusal = scratch.store.migrate(&InstalledApps::default(), at(0)).await.expect_err("a table without rows");
    assert!(matches!(&refusal, StoreError::MigrationConflict { app: "token_blacklist", .. }), "{refusal}");
    assert_eq!(schema(&scratch.connection), before, "not even authtoken, which was absent");
}

#[tokio::test]
async fn tables_of_other_programs_do_not_matter() {
    let scratch = scratch("CREATE TABLE shop_order (id integer PRIMARY KEY); INSERT INTO shop_order VALUES (1)").await;
    assert!(scratch.store.migration_state().await.expect("reads").is_empty());
    scratch.store.migrate(&InstalledApps::default(), at(0)).await.expect("migrates");
    assert_eq!(column(&scratch.connection, "SELECT count(*) || '' FROM shop_order"), ["1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_at_once_migrate_once() {
    let scratch = scratch("").await;
    let path = scratch.store.url().file().expect("a file").to_owned();
    let second = crate::open(&path).await;
    let apps = InstalledApps::default();
    let (one, two) = tokio::join!(scratch.store.migrate(&apps, at(0)), second.migrate(&apps, at(0)));
    let created = one.expect("migrates").created.len() + two.expect("migrates").created.len();
    assert_eq!(created, DEFAULT_APPS.len() + 1);
}
