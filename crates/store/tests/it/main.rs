//! The store's behaviour from outside, on a database of each kind it supports.

mod concurrency;
mod devices;
mod families;
mod migrate;
mod opening;
mod outstanding;
mod postgres;
mod pruning;
mod remembered;
mod revocations;
mod survey;
mod tokens;
mod user_models;
mod users;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_formats::django_time;
use countersign_store::{DatabaseUrl, InstalledApps, NewUser, OutstandingToken, Store, StoreOptions, UserId};
use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

/// Every optional application.
const ALL: InstalledApps =
    InstalledApps { authtoken: true, token_blacklist: true, sessions: true, knox: true, countersign: true };

/// Runs each of these tests on SQLite and on PostgreSQL.
macro_rules! on_every_backend {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $test() {
                    super::$test(crate::Fixture::sqlite().await).await;
                }
            )*
        }
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $test() {
                    if let Some(fixture) = crate::Fixture::postgres().await {
                        super::$test(fixture).await;
                    }
                }
            )*
        }
    };
}
use on_every_backend;

/// A migrated database of one test, and a second connection that knows nothing of the store.
struct Fixture {
    store: Store,
    other: Other,
}

enum Other {
    Sqlite { connection: Mutex<Connection>, directory: TempDir },
    Postgres(tokio_postgres::Client),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Fixture {
    async fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("db.sqlite3");
        let store = open(&path).await;
        store.migrate(&ALL, at(0)).await.expect("migrates");
        let connection = Mutex::new(Connection::open(&path).expect("opens"));
        Self { store, other: Other::Sqlite { connection, directory } }
    }

    /// A schema of its own, with Django's tables in it; `None`, said in one line, where no server is there for the tests.
    async fn postgres() -> Option<Self> {
        let fixture = Self::empty_postgres().await?;
        fixture.store.migrate(&ALL, at(0)).await.expect("migrates");
        Some(fixture)
    }

    /// As [`postgres`](Self::postgres), without tables.
    async fn empty_postgres() -> Option<Self> {
        let url = postgres_schema().await?;
        let store = Store::open(&url.parse().expect("an address"), StoreOptions::default()).await.expect("opens");
        Some(Self { store, other: Other::Postgres(connect(&url).await) })
    }

    fn kind(&self) -> Kind {
        match self.other {
            Other::Sqlite { .. } => Kind::Sqlite,
            Other::Postgres(_) => Kind::Postgres,
        }
    }

    fn url(&self) -> DatabaseUrl {
        self.store.url().clone()
    }

    /// The address with its parameters, for a store that is to have others.
    async fn url_text(&self) -> String {
        let schema = self.seen("SELECT current_schema()").await;
        let server = std::env::var("COUNTERSIGN_TEST_POSTGRES").expect("a server");
        format!("{server}?options=-csearch_path%3D{schema}")
    }

    /// A second store on the same database: it stands for a second process.
    async fn another_store(&self) -> Store {
        Store::open(&self.url(), StoreOptions::default()).await.expect("opens")
    }

    async fn user(&self, name: &str) -> UserId {
        let user = NewUser {
            username: name.to_owned(),
            encoded_password: format!("md5$salt${name}"),
            date_joined: at(0),
            ..NewUser::default()
        };
        self.store.create_user(user).await.expect("creates")
    }

    /// Runs statements as another program would.
    async fn execute(&self, statements: &str) {
        match &self.other {
            Other::Sqlite { connection, .. } => {
                connection.lock().expect("no panic").execute_batch(statements).expect(statements);
            }
            Other::Postgres(client) => client.batch_execute(statements).await.expect(statements),
        }
    }

    /// One value as another program sees it, as text; instants in SQLite's form.
    async fn seen(&self, query: &str) -> String {
        let query = format!("SELECT CAST(seen.value AS text) FROM (SELECT ({query}) AS value) seen");
        let text: Option<String> = match &self.other {
            Other::Sqlite { connection, .. } => {
                let connection = connection.lock().expect("no panic");
                connection.query_row(&query, [], |row| row.get(0)).expect(&query)
            }
            Other::Postgres(client) => client.query_one(&query, &[]).await.expect(&query).get(0),
        };
        let Some(text) = text else { return "NULL".to_owned() };
        match django_time::from_sqlite_text(text.trim_end_matches("+00")) {
            Ok(instant) => django_time::to_sqlite_text(instant),
            Err(_) => text,
        }
    }
}

/// The address of a new schema on the server that the tests were given.
async fn postgres_schema() -> Option<String> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);

    let Ok(server) = std::env::var("COUNTERSIGN_TEST_POSTGRES") else {
        eprintln!(
            "not run on PostgreSQL: COUNTERSIGN_TEST_POSTGRES names no server (scripts/with-postgres starts one)"
        );
        return None;
    };
    let schema = format!("store_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    connect(&server).await.batch_execute(&format!("CREATE SCHEMA {schema}")).await.expect("creates");
    Some(format!("{server}?options=-csearch_path%3D{schema}%20-ctimezone%3DUTC&application_name={schema}"))
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("connects");
    tokio::spawn(connection);
    client
}

async fn open(path: &std::path::Path) -> Store {
    let options = StoreOptions { create: true, ..StoreOptions::default() };
    Store::open(&DatabaseUrl::sqlite_file(path), options).await.expect("opens")
}

/// 2025-06-15 15:06:40 UTC and some seconds.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + seconds).expect("in range")
}

fn token(jti: &str, user: Option<&UserId>) -> OutstandingToken {
    OutstandingToken {
        jti: jti.to_owned(),
        token: format!("header.{jti}.signature"),
        created_at: Some("2025-06-15T15:06:40.5Z".parse().expect("a time")),
        expires_at: at(86_400),
        user: user.cloned(),
    }
}
