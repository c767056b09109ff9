use std::time::Duration;

use countersign_formats::token_key::TokenKey;
use countersign_store::{DatabaseUrl, Rotation, Store, StoreError, StoreOptions, UserId};
use tokio::task::JoinSet;

use crate::{Fixture, at, open, token};

const TASKS: u8 = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn first_logins_at_once_get_one_key() {
    let fixture = Fixture::new().await;
    let ann = fixture.user("ann").await;
    let table = fixture.store.token_table("authtoken_token").await.expect("the table");
    // A second store stands for a second process on the same file.
    let second = open(&fixture.directory.path().join("db.sqlite3")).await;
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let store = if number % 2 == 0 { fixture.store.clone() } else { second.clone() };
        let (table, ann) = (table.clone(), ann.clone());
        let fresh = TokenKey::from_entropy([number; 20]);
        tasks.spawn(async move { store.token_get_or_create(&table, &ann, &fresh, at(0)).await.expect("a key") });
    }
    let keys = tasks.join_all().await;
    assert!(keys.iter().all(|key| *key == keys[0]));
    assert_eq!(fixture.seen::<String>("SELECT key FROM authtoken_token"), keys[0].expose());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn one_refresh_token_has_one_successor() {
    let fixture = Fixture::new().await;
    let ann = fixture.user("ann").await;
    let second = open(&fixture.directory.path().join("db.sqlite3")).await;
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let store = if number % 2 == 0 { fixture.store.clone() } else { second.clone() };
        let (presented, successor) = (token("presented", Some(&ann)), token(&format!("s{number}"), Some(&ann)));
        tasks.spawn(async move { store.rotate(&presented, true, &successor, at(0)).await.expect("an answer") });
    }
    let rotations = tasks.join_all().await;
    assert_eq!(rotations.iter().filter(|rotation| **rotation == Rotation::Done).count(), 1);
    assert_eq!(fixture.seen::<i64>("SELECT count(*) FROM token_blacklist_outstandingtoken"), 2);
}

/// What the caller was told is in the file: another connection sees it at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answered_write_is_committed() {
    let fixture = Fixture::new().await;
    let path = fixture.directory.path().join("db.sqlite3");
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let (store, path) = (fixture.store.clone(), path.clone());
        tasks.spawn(async move {
            let jti = format!("t{number}");
            store.record_outstanding(&token(&jti, None)).await.expect("writes");
            let other = rusqlite::Connection::open(path).expect("opens");
            let query = "SELECT count(*) FROM token_blacklist_outstandingtoken WHERE jti = ?1";
            let count: i64 = other.query_row(query, [jti], |row| row.get(0)).expect("reads");
            assert_eq!(count, 1);
        });
    }
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failing_write_does_not_hurt_its_neighbours() {
    let fixture = Fixture::new().await;
    fixture.store.record_outstanding(&token("taken", None)).await.expect("writes");
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let store = fixture.store.clone();
        let jti = if number % 4 == 0 { "taken".to_owned() } else { format!("t{number}") };
        tasks.spawn(async move { (jti == "taken", store.record_outstanding(&token(&jti, None)).await) });
    }
    for (fails, outcome) in tasks.join_all().await {
        assert_eq!(fails, outcome.is_err_and(|refusal| refusal.is_unique_violation()));
    }
    let count: i64 = fixture.seen("SELECT count(*) FROM token_blacklist_outstandingtoken");
    assert_eq!(count, 1 + i64::from(TASKS) * 3 / 4);
}

#[tokio::test]
async fn a_write_waits_for_another_process_and_then_succeeds() {
    let fixture = Fixture::new().await;
    let ann = fixture.user("ann").await;
    fixture.other.execute_batch("BEGIN IMMEDIATE; UPDATE auth_user SET password = 'by django'").expect("locks");
    let writing = tokio::spawn({
        let (store, ann) = (fixture.store.clone(), ann.clone());
        async move { store.replace_password(&ann, "by django", "rehashed").await }
    });
    // The task has handed its write in; reads go on meanwhile, on what was committed before.
    tokio::task::yield_now().await;
    let seen = fixture.store.user_by_id(&ann).await.expect("reads").expect("there");
    assert_eq!(seen.password.expose(), "md5$salt$ann");
    assert!(!writing.is_finished());
    fixture.other.execute_batch("COMMIT").expect("unlocks");
    assert!(writing.await.expect("no panic").expect("waited"), "it saw what the other process committed");
    assert_eq!(fixture.seen::<String>("SELECT password FROM auth_user"), "rehashed");
}

#[tokio::test]
async fn a_lock_held_too_long_is_busy_and_leaves_the_store_usable() {
    let fixture = Fixture::new().await;
    let ann = fixture.user("ann").await;
    let options = StoreOptions { busy_timeout: Duration::from_millis(2), ..StoreOptions::default() };
    let url = DatabaseUrl::sqlite_file(fixture.directory.path().join("db.sqlite3"));
    let hasty = Store::open(&url, options).await.expect("opens");
    fixture.other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    assert!(matches!(hasty.set_password(&ann, "x").await, Err(StoreError::Busy)));
    fixture.other.execute_batch("ROLLBACK").expect("unlocks");
    hasty.set_password(&ann, "y").await.expect("writes again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn reads_from_many_threads_share_few_connections() {
    let fixture = Fixture::new().await;
    fixture.user("ann").await;
    let url = DatabaseUrl::sqlite_file(fixture.directory.path().join("db.sqlite3"));
    let store = Store::open(&url, StoreOptions { readers: 2, ..StoreOptions::default() }).await.expect("opens");
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            for _ in 0..50 {
                let user = store.user_by_username("ann").await.expect("reads").expect("there");
                assert_eq!(user.id, UserId::Integer(1));
            }
        });
    }
    tasks.join_all().await;
}
