//! The store's behaviour from outside, on a database of each kind it supports.

mod concurrency;
mod migrate;
mod opening;
mod outstanding;
mod tokens;
mod users;

use countersign_store::{DatabaseUrl, InstalledApps, NewUser, OutstandingToken, Store, StoreOptions, UserId};
use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

/// Every optional application.
const ALL: InstalledApps = InstalledApps { authtoken: true, token_blacklist: true, sessions: true, knox: true };

/// A migrated database in a directory of its own, and a second connection that knows nothing of the store.
struct Fixture {
    store: Store,
    other: Connection,
    directory: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("db.sqlite3");
        let store = open(&path).await;
        store.migrate(&ALL, at(0)).await.expect("migrates");
        let other = Connection::open(&path).expect("opens");
        Self { store, other, directory }
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

    /// One value as another program sees it.
    fn seen<T: rusqlite::types::FromSql>(&self, query: &str) -> T {
        self.other.query_row(query, [], |row| row.get(0)).expect(query)
    }
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
