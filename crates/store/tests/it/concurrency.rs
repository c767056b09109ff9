use std::sync::Arc;
use std::time::Duration;

use countersign_formats::token_key::TokenKey;
use countersign_store::{Rotation, Store, StoreError, StoreOptions, UserId};
use tokio::task::JoinSet;

use crate::{Fixture, at, on_every_backend, token};

const TASKS: u8 = 32;

on_every_backend![
    first_logins_at_once_get_one_key,
    one_refresh_token_has_one_successor,
    an_answered_write_is_committed,
    a_failing_write_does_not_hurt_its_neighbours,
];

async fn first_logins_at_once_get_one_key(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let table = fixture.store.token_table("authtoken_token").await.expect("the table");
    // A second store stands for a second process on the same file.
    let second = fixture.another_store().await;
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let store = if number % 2 == 0 { fixture.store.clone() } else { second.clone() };
        let (table, ann) = (table.clone(), ann.clone());
        let fresh = TokenKey::from_entropy([number; 20]);
        tasks.spawn(async move { store.token_get_or_create(&table, &ann, &fresh, at(0), None).await.expect("a key") });
    }
    let keys = tasks.join_all().await;
    assert!(keys.iter().all(|key| *key == keys[0]));
    assert_eq!(fixture.seen("SELECT key FROM authtoken_token").await, keys[0].expose());
}

async fn one_refresh_token_has_one_successor(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let second = fixture.another_store().await;
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let store = if number % 2 == 0 { fixture.store.clone() } else { second.clone() };
        let (presented, successor) = (token("presented", Some(&ann)), token(&format!("s{number}"), Some(&ann)));
        tasks.spawn(async move { store.rotate(&presented, true, &successor, at(0)).await.expect("an answer") });
    }
    let rotations = tasks.join_all().await;
    assert_eq!(rotations.iter().filter(|rotation| **rotation == Rotation::Done).count(), 1);
    assert_eq!(fixture.seen("SELECT count(*) FROM token_blacklist_outstandingtoken").await, "2");
}

/// What the caller was told is in the file: another connection sees it at once.
async fn an_answered_write_is_committed(fixture: Fixture) {
    let fixture = Arc::new(fixture);
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let fixture = Arc::clone(&fixture);
        tasks.spawn(async move {
            let jti = format!("t{number}");
            fixture.store.record_outstanding(&token(&jti, None)).await.expect("writes");
            let query = format!("SELECT count(*) FROM token_blacklist_outstandingtoken WHERE jti = '{jti}'");
            assert_eq!(fixture.seen(&query).await, "1");
        });
    }
    tasks.join_all().await;
}

async fn a_failing_write_does_not_hurt_its_neighbours(fixture: Fixture) {
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
    let count = fixture.seen("SELECT count(*) FROM token_blacklist_outstandingtoken").await;
    assert_eq!(count, (1 + TASKS * 3 / 4).to_string());
}

#[tokio::test]
async fn a_write_waits_for_another_process_and_then_succeeds() {
    let fixture = Fixture::sqlite().await;
    let ann = fixture.user("ann").await;
    fixture.execute("BEGIN IMMEDIATE; UPDATE auth_user SET password = 'by django'").await;
    let writing = tokio::spawn({
        let (store, ann) = (fixture.store.clone(), ann.clone());
        async move { store.replace_password(&ann, "by django", "rehashed", true).await }
    });
    // The task has handed its write in; reads go on meanwhile, on what was committed before.
    tokio::task::yield_now().await;
    let seen = fixture.store.user_by_id(&ann).await.expect("reads").expect("there");
    assert_eq!(seen.password.expose(), "md5$salt$ann");
    assert!(!writing.is_finished());
    fixture.execute("COMMIT").await;
    assert!(writing.await.expect("no panic").expect("waited"), "it saw what the other process committed");
    assert_eq!(fixture.seen("SELECT password FROM auth_user").await, "rehashed");
}

#[tokio::test]
async fn a_lock_held_too_long_is_busy_and_leaves_the_store_usable() {
    let fixture = Fixture::sqlite().await;
    let ann = fixture.user("ann").await;
    let options = StoreOptions { busy_timeout: Duration::from_millis(2), ..StoreOptions::default() };
    let url = fixture.url();
    let hasty = Store::open(&url, options).await.expect("opens");
    fixture.execute("BEGIN IMMEDIATE").await;
    assert!(matches!(hasty.set_password(&ann, "x").await, Err(StoreError::Busy)));
    fixture.execute("ROLLBACK").await;
    hasty.set_password(&ann, "y").await.expect("writes again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn reads_from_many_threads_share_few_connections() {
    let fixture = Fixture::sqlite().await;
    fixture.user("ann").await;
    let url = fixture.url();
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
