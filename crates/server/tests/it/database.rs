//! A database of one test, of either kind, and what another program sees in it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use countersign_formats::django_time;
use countersign_store::{DatabaseUrl, InstalledApps, Store, StoreOptions};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::instant;

/// The stores that everything runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// Whether tests can run on this store here; PostgreSQL needs a server (`scripts/with-postgres` starts one).
    pub(crate) fn is_there(self) -> bool {
        let is_there = self == Self::Sqlite || server().is_some();
        if !is_there {
            eprintln!("not run on PostgreSQL: COUNTERSIGN_TEST_POSTGRES names no server");
        }
        is_there
    }
}

/// Runs each of these tests on SQLite and on PostgreSQL.
macro_rules! on_every_backend {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[test] fn $test() { super::$test(crate::database::Kind::Sqlite); })*
        }
        mod on_postgres {
            $(
                #[test]
                fn $test() {
                    if crate::database::Kind::Postgres.is_there() {
                        super::$test(crate::database::Kind::Postgres);
                    }
                }
            )*
        }
    };
}
pub(crate) use on_every_backend;

/// A database with all of Django's tables.
pub(crate) struct Database {
    place: Place,
}

enum Place {
    Sqlite { _folder: TempDir, file: PathBuf },
    Postgres { url: String },
}

/// One value of a row, the same for both stores.
#[derive(Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Bool(bool),
    Integer(i64),
    Text(String),
    Instant(Timestamp),
}

impl Database {
    /// A fresh database with `rows` by table; columns that a row leaves out take the model's default.
    pub(crate) fn with(kind: Kind, rows: &Value) -> Self {
        let database = match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().expect("a folder");
                let file = folder.path().join("db.sqlite3");
                std::fs::copy(template(), &file).expect("copied");
                Self { place: Place::Sqlite { _folder: folder, file } }
            }
            Kind::Postgres => Self { place: Place::Postgres { url: postgres_schema() } },
        };
        database.insert(rows);
        database
    }

    pub(crate) fn url(&self) -> String {
        match &self.place {
            Place::Sqlite { file, .. } => format!("sqlite:///{}", file.display()),
            Place::Postgres { url } => url.clone(),
        }
    }

    /// The values of a query's first column.
    pub(crate) fn column(&self, query: &str) -> Vec<Cell> {
        match &self.place {
            Place::Sqlite { file, .. } => {
                let connection = rusqlite::Connection::open(file).expect("opened");
                let mut statement = connection.prepare(query).expect(query);
                let cells = statement.query_map([], |row| row.get(0).map(of_sqlite)).expect(query);
                cells.collect::<Result<_, _>>().expect(query)
            }
            Place::Postgres { url } => connect(url).query(query, &[]).expect(query).iter().map(of_postgres).collect(),
        }
    }

    /// Runs a statement as another program would.
    pub(crate) fn execute(&self, statement: &str) {
        match &self.place {
            Place::Sqlite { file, .. } => {
                rusqlite::Connection::open(file).expect("opened").execute_batch(statement).expect(statement);
            }
            Place::Postgres { url } => connect(url).batch_execute(statement).expect(statement),
        }
    }

    fn insert(&self, rows: &Value) {
        let rows = rows.as_object().expect("tables").iter().flat_map(|(table, rows)| {
            rows.as_array().expect("rows").iter().map(move |row| (table.as_str(), with_defaults(table, row)))
        });
        match &self.place {
            Place::Sqlite { file, .. } => {
                let connection = rusqlite::Connection::open(file).expect("opened");
                connection.execute_batch("PRAGMA foreign_keys = OFF").expect("set");
                for (table, row) in rows {
                    insert_into_sqlite(&connection, table, row);
                }
            }
            Place::Postgres { url } => {
                let mut client = connect(url);
                client.batch_execute("SET session_replication_role = replica").expect("no foreign keys");
                for (table, row) in rows {
                    insert_into_postgres(&mut client, table, row);
                }
            }
        }
    }
}

fn server() -> Option<String> {
    std::env::var("COUNTERSIGN_TEST_POSTGRES").ok()
}

fn connect(url: &str) -> postgres::Client {
    postgres::Client::connect(url, postgres::NoTls).expect("connected")
}

/// A SQLite file with all of Django's tables and no rows, made once and copied.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, file) = TEMPLATE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("template.sqlite3");
        migrate(&DatabaseUrl::sqlite_file(&file));
        (folder, file)
    });
    file
}

/// A schema with all of Django's tables and no rows. One a process: the next test that asks finds it emptied.
fn postgres_schema() -> String {
    static MADE: OnceLock<String> = OnceLock::new();
    static USERS: AtomicUsize = AtomicUsize::new(0);

    let make = || {
        let server = server().expect("a server");
        let schema = format!("server_{}_{}", std::process::id(), USERS.fetch_add(1, Ordering::Relaxed));
        connect(&server).batch_execute(&format!("CREATE SCHEMA {schema}")).expect("created");
        let url = format!("{server}?options=-csearch_path%3D{schema}");
        migrate(&url.parse().expect("an address"));
        url
    };
    // With one thread a test, as under nextest, a process runs one test; else each gets a schema of its own.
    if std::env::var_os("NEXTEST").is_none() {
        return make();
    }
    let Some(url) = MADE.get() else { return MADE.get_or_init(make).clone() };
    // Without triggers: emptying the users would leave a mark.
    connect(url)
        .batch_execute(
            "SET session_replication_role = replica;
             TRUNCATE auth_user, auth_group, authtoken_token, token_blacklist_outstandingtoken, knox_authtoken,
                 django_session, countersign_session, countersign_rotation, countersign_event, countersign_token,
                 countersign_device, countersign_key, countersign_key_use, countersign_revocation
                 RESTART IDENTITY CASCADE",
        )
        .expect("emptied");
    url.clone()
}

fn migrate(url: &DatabaseUrl) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = StoreOptions { create: true, ..StoreOptions::default() };
        let store = Store::open(url, options).await.expect("opened");
        let apps =
            InstalledApps { authtoken: true, token_blacklist: true, sessions: true, knox: true, countersign: true };
        store.migrate(&apps, instant(1_700_000_000.0)).await.expect("migrated");
        let field = store.user_field("id").await.expect("the key");
        store.install_triggers(&field).await.expect("installed");
        store.close().await;
    });
}

fn with_defaults(table: &str, row: &Value) -> serde_json::Map<String, Value> {
    let mut row = row.as_object().expect("a row").clone();
    let defaults: &[(&str, Value)] = match table {
        "auth_user" => &[
            ("last_login", Value::Null),
            ("is_superuser", Value::Bool(false)),
            ("is_staff", Value::Bool(false)),
            ("is_active", Value::Bool(true)),
            ("first_name", Value::String(String::new())),
            ("last_name", Value::String(String::new())),
            ("email", Value::String(String::new())),
            ("date_joined", Value::String("2025-01-01T00:00:00Z".to_owned())),
        ],
        _ => &[],
    };
    for (column, value) in defaults {
        row.entry(*column).or_insert_with(|| value.clone());
    }
    row
}

/// `app.codename` to the key that this database gave the permission.
const PERMISSION: &str = "SELECT p.id FROM auth_permission p JOIN django_content_type c ON c.id = p.content_type_id
     WHERE c.app_label = $1 AND p.codename = $2";

fn insert_into_sqlite(connection: &rusqlite::Connection, table: &str, mut row: serde_json::Map<String, Value>) {
    if let Some(permission) = row.remove("permission") {
        let (app, codename) = permission.as_str().and_then(|text| text.split_once('.')).expect("app.codename");
        let id: i64 = connection.query_row(PERMISSION, [app, codename], |row| row.get(0)).expect("a permission");
        row.insert("permission_id".to_owned(), id.into());
    }
    let columns: Vec<String> = row.keys().map(|column| format!("\"{column}\"")).collect();
    let marks: Vec<String> = (1..=row.len()).map(|index| format!("?{index}")).collect();
    let statement = format!("INSERT INTO \"{table}\" ({}) VALUES ({})", columns.join(", "), marks.join(", "));
    let values: Vec<rusqlite::types::Value> = row.values().map(to_sqlite).collect();
    connection.execute(&statement, rusqlite::params_from_iter(values)).expect("inserted");
}

fn to_sqlite(value: &Value) -> rusqlite::types::Value {
    match value {
        Value::Null => rusqlite::types::Value::Null,
        Value::Bool(value) => i64::from(*value).into(),
        Value::Number(number) => number.as_i64().expect("an integer").into(),
        Value::String(text) => match django_time::from_sqlite_text(text) {
            Ok(instant) if text.contains('T') && text.ends_with('Z') => django_time::to_sqlite_text(instant).into(),
            _ => text.clone().into(),
        },
        other => panic!("no column value: {other}"),
    }
}

fn insert_into_postgres(client: &mut postgres::Client, table: &str, mut row: serde_json::Map<String, Value>) {
    if let Some(permission) = row.remove("permission") {
        let (app, codename) = permission.as_str().and_then(|text| text.split_once('.')).expect("app.codename");
        let id: i32 = client.query_one(PERMISSION, &[&app, &codename]).expect("a permission").get(0);
        row.insert("permission_id".to_owned(), id.into());
    }
    let columns = row.keys().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
    let json = Value::Object(row.clone()).to_string();
    let statement = format!(
        "INSERT INTO \"{table}\" ({columns})
         SELECT {columns} FROM json_populate_record(NULL::\"{table}\", CAST(CAST($1 AS text) AS json))"
    );
    client.execute(&statement, &[&json]).expect("inserted");
    if row.contains_key("id") {
        // A key that was given is one that the sequence must not give again.
        let statement = format!("SELECT setval(pg_get_serial_sequence('\"{table}\"', 'id'), max(id)) FROM \"{table}\"");
        client.execute(&statement, &[]).expect("moved on");
    }
}

fn of_sqlite(value: rusqlite::types::Value) -> Cell {
    use rusqlite::types::Value as Sql;
    match value {
        Sql::Null => Cell::Null,
        Sql::Integer(value) => Cell::Integer(value),
        Sql::Text(text) => match django_time::from_sqlite_text(&text) {
            Ok(instant) => Cell::Instant(instant),
            Err(_) => Cell::Text(text),
        },
        other => panic!("no column value: {other:?}"),
    }
}

fn of_postgres(row: &postgres::Row) -> Cell {
    use postgres::types::Type;
    let cell = match *row.columns()[0].type_() {
        Type::BOOL => row.get::<_, Option<bool>>(0).map(Cell::Bool),
        Type::INT4 => row.get::<_, Option<i32>>(0).map(|value| Cell::Integer(value.into())),
        Type::INT8 => row.get::<_, Option<i64>>(0).map(Cell::Integer),
        Type::TIMESTAMPTZ => row
            .get::<_, Option<SystemTime>>(0)
            .map(|instant| Cell::Instant(Timestamp::try_from(instant).expect("in range"))),
        _ => row.get::<_, Option<String>>(0).map(Cell::Text),
    };
    cell.unwrap_or(Cell::Null)
}
