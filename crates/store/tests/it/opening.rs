use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use countersign_store::{DatabaseUrl, InstalledApps, NewUser, Store, StoreError, StoreOptions, UserId};
use rusqlite::Connection;

use crate::{Fixture, Other, at, open};

#[tokio::test]
async fn a_mistyped_path_is_an_error_and_makes_no_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("typo.sqlite3");
    let refusal = Store::open(&DatabaseUrl::sqlite_file(&path), StoreOptions::default()).await.expect_err("no file");
    assert!(matches!(refusal, StoreError::NoDatabase { .. }));
    assert!(!path.exists());
}

#[tokio::test]
async fn a_missing_directory_or_a_file_of_another_kind_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = StoreOptions { create: true, ..StoreOptions::default() };
    let nowhere = DatabaseUrl::sqlite_file(directory.path().join("no/such/db"));
    assert!(matches!(Store::open(&nowhere, options.clone()).await, Err(StoreError::Io { .. })));

    let text = directory.path().join("notes.txt");
    std::fs::write(&text, "certainly no database, but long enough to look like one".repeat(40)).expect("writes");
    assert!(matches!(Store::open(&DatabaseUrl::sqlite_file(&text), options).await, Err(StoreError::Io { .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("db.sqlite3");
    let _store = open(&path).await;
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_path_may_hold_any_characters() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a?mode=memory#%41 ü.db");
    let store = open(&path).await;
    store.migrate(&InstalledApps::default(), at(0)).await.expect("migrates");
    assert!(path.exists());
}

fn journal_mode(fixture: &Fixture) -> String {
    let Other::Sqlite { connection, .. } = &fixture.other else { panic!("a SQLite fixture") };
    let connection = connection.lock().expect("no panic");
    connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("reads")
}

#[tokio::test]
async fn the_file_is_left_in_wal_mode_and_durable() {
    let fixture = Fixture::sqlite().await;
    assert_eq!(journal_mode(&fixture), "wal");
    fixture.store.health().await.expect("healthy");
}

#[tokio::test]
async fn stores_in_memory_are_apart_and_leave_nothing() {
    let options = || StoreOptions { readers: 2, ..StoreOptions::default() };
    let one = Store::open(&DatabaseUrl::sqlite_memory(), options()).await.expect("opens");
    let two = Store::open(&DatabaseUrl::sqlite_memory(), options()).await.expect("opens");
    one.migrate(&InstalledApps::default(), at(0)).await.expect("migrates");
    assert!(one.has_table("auth_user").await.expect("reads"));
    assert!(!two.has_table("auth_user").await.expect("reads"));
    assert!(one.has_column("auth_user", "last_login").await.expect("reads"));
    assert!(!one.has_column("auth_user", "phone").await.expect("reads"));
    assert!(!one.has_column("no_table", "id").await.expect("reads"));
}

#[tokio::test]
async fn closing_ends_writes_and_leaves_reads() {
    let fixture = Fixture::sqlite().await;
    let ann = fixture.user("ann").await;
    let clone = fixture.store.clone();
    fixture.store.close().await;
    assert!(matches!(clone.set_password(&ann, "x").await, Err(StoreError::Closed)));
    assert!(matches!(clone.health().await, Err(StoreError::Closed)));
    assert!(clone.user_by_id(&ann).await.expect("reads").is_some());
    clone.close().await;
}

/// A client that hangs up cannot leave half a login behind: what was queued is committed, at the latest by the drop.
#[tokio::test]
async fn dropping_the_store_commits_what_is_queued() {
    let fixture = Fixture::sqlite().await;
    let store = fixture.store.clone();
    {
        let user = NewUser { username: "ann".to_owned(), ..NewUser::default() };
        let mut creating = pin!(store.create_user(user));
        let _ = creating.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    drop(store);
    let Fixture { store, other } = fixture;
    drop(store);
    let Other::Sqlite { connection, directory } = other else { panic!("a SQLite fixture") };
    let connection = connection.into_inner().expect("no panic");
    let count: i64 = connection.query_row("SELECT count(*) FROM auth_user", [], |row| row.get(0)).expect("reads");
    assert_eq!(count, 1);
    drop(directory);
}

/// A Django that reads in the old journal mode at the moment of our start keeps the file in it; we work all the same.
#[tokio::test]
async fn a_file_in_use_is_opened_in_the_mode_it_has() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("db.sqlite3");
    let django = Connection::open(&path).expect("opens");
    django.execute_batch(include_str!("../../../../testdata/compat/schema.sqlite.sql")).expect("creates");
    django.execute_batch("BEGIN; SELECT count(*) FROM auth_user;").expect("reads");

    let options = StoreOptions { busy_timeout: Duration::from_millis(1), ..StoreOptions::default() };
    let store = Store::open(&DatabaseUrl::sqlite_file(&path), options).await.expect("opens");
    let ann = || NewUser { username: "ann".to_owned(), ..NewUser::default() };
    assert!(matches!(store.create_user(ann()).await, Err(StoreError::Busy)), "its reader holds up the commit");
    django.execute_batch("COMMIT").expect("ends");
    assert_eq!(store.create_user(ann()).await.expect("nothing of the first try is left"), UserId::Integer(1));
    let mode: String = django.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("reads");
    assert_eq!(mode, "delete");
}

#[tokio::test]
async fn a_table_without_a_needed_column_is_named_at_start() {
    let fixture = Fixture::sqlite().await;
    let apps = InstalledApps::default();
    fixture.store.check_statements(&apps).await.expect("Django's schema fits");
    fixture.execute("ALTER TABLE auth_user RENAME COLUMN is_staff TO staff").await;
    let refusal = fixture.store.check_statements(&apps).await.expect_err("a column is gone").to_string();
    assert!(refusal.contains("is_staff"), "{refusal}");
}
