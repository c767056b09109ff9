use countersign_store::{Blacklisting, Rotation, UserId};

use crate::{Fixture, Kind, at, on_every_backend, token};

const COUNTS: &str = "
    SELECT (SELECT count(*) FROM token_blacklist_outstandingtoken) || '/' ||
           (SELECT count(*) FROM token_blacklist_blacklistedtoken)";

on_every_backend![
    a_login_writes_what_simplejwt_would,
    a_login_is_one_transaction,
    blacklisting_records_an_unknown_token_first,
    an_id_is_any_text_and_compared_exactly,
    rotation_voids_the_presented_token_and_records_its_successor,
    a_recorded_token_is_rotated_once,
    a_rotation_that_fails_leaves_the_presented_token_valid,
    flushing_takes_the_expired_with_their_blacklist_rows,
    flushing_goes_through_a_long_table,
    a_sliding_refresh_moves_the_recorded_expiry_later_only,
];

async fn a_login_writes_what_simplejwt_would(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let refresh = token("aa", Some(&ann));
    fixture.store.login_pair(&ann, Some(at(5)), Some(&refresh), None).await.expect("writes");
    for (column, value) in [
        ("jti", "aa"),
        ("token", "header.aa.signature"),
        ("created_at", "2025-06-15 15:06:40.500000"),
        ("expires_at", "2025-06-16 15:06:40"),
        ("user_id", "1"),
    ] {
        let statement = format!("SELECT {column} FROM token_blacklist_outstandingtoken");
        assert_eq!(fixture.seen(&statement).await, value, "{column}");
    }
    assert_eq!(fixture.seen("SELECT last_login FROM auth_user").await, "2025-06-15 15:06:45");
    assert!(!fixture.store.is_blacklisted("aa").await.expect("reads"));
    fixture.store.login_pair(&ann, None, None, None).await.expect("nothing to do");
}

async fn a_login_is_one_transaction(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let refresh = token("aa", Some(&ann));
    fixture.store.record_outstanding(&refresh).await.expect("writes");
    let refusal = fixture.store.login_pair(&ann, Some(at(5)), Some(&refresh), None).await.expect_err("the id is known");
    assert!(refusal.is_unique_violation());
    assert_eq!(fixture.seen("SELECT last_login FROM auth_user").await, "NULL");
}

async fn blacklisting_records_an_unknown_token_first(fixture: Fixture) {
    let store = &fixture.store;
    let gone = UserId::Integer(99);
    let stray = token("bb", Some(&gone));
    assert_eq!(store.blacklist(&stray, at(1)).await.expect("writes"), Blacklisting::Done);
    assert_eq!(store.blacklist(&stray, at(2)).await.expect("writes"), Blacklisting::Already);
    assert!(store.is_blacklisted("bb").await.expect("reads"));
    assert_eq!(fixture.seen("SELECT user_id FROM token_blacklist_outstandingtoken").await, "NULL");
    assert_eq!(
        fixture.seen("SELECT blacklisted_at FROM token_blacklist_blacklistedtoken").await,
        "2025-06-15 15:06:41"
    );
    assert_eq!(fixture.seen(COUNTS).await, "1/1");
}

async fn an_id_is_any_text_and_compared_exactly(fixture: Fixture) {
    let store = &fixture.store;
    for jti in ["", "123", "ID'\"; --", "ünï"] {
        assert!(!store.is_blacklisted(jti).await.expect("reads"), "{jti:?}");
        store.blacklist(&token(jti, None), at(0)).await.expect("writes");
        assert!(store.is_blacklisted(jti).await.expect("reads"), "{jti:?}");
    }
    for jti in ["id'\"; --", "0123", "123\0", "\0"] {
        assert!(!store.is_blacklisted(jti).await.expect("reads"), "{jti:?}");
    }
}

async fn rotation_voids_the_presented_token_and_records_its_successor(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let store = &fixture.store;
    let (one, two, three) = (token("1", Some(&ann)), token("2", Some(&ann)), token("3", Some(&ann)));
    assert_eq!(store.rotate(&one, true, &two, at(0)).await.expect("writes"), Rotation::Done);
    assert!(store.is_blacklisted("1").await.expect("reads") && !store.is_blacklisted("2").await.expect("reads"));
    assert_eq!(store.rotate(&one, true, &three, at(0)).await.expect("writes"), Rotation::AlreadyBlacklisted);
    assert_eq!(store.rotate(&one, false, &three, at(0)).await.expect("writes"), Rotation::AlreadyBlacklisted);
    assert_eq!(fixture.seen(COUNTS).await, "2/1");
    assert_eq!(store.rotate(&two, false, &three, at(0)).await.expect("writes"), Rotation::Done);
    assert!(!store.is_blacklisted("2").await.expect("reads"));
    assert_eq!(fixture.seen(COUNTS).await, "3/1");
}

async fn a_recorded_token_is_rotated_once(fixture: Fixture) {
    let (ann, gone) = (fixture.user("ann").await, fixture.user("gone").await);
    let store = &fixture.store;
    let (one, two, three) = (token("1", Some(&ann)), token("2", Some(&gone)), token("3", Some(&ann)));
    store.record_outstanding(&one).await.expect("writes");
    fixture.execute("DELETE FROM auth_user WHERE username = 'gone'").await;
    assert_eq!(store.rotate(&one, true, &two, at(3)).await.expect("writes"), Rotation::Done);
    assert_eq!(fixture.seen("SELECT user_id FROM token_blacklist_outstandingtoken WHERE jti = '2'").await, "NULL");
    assert_eq!(store.rotate(&one, true, &three, at(4)).await.expect("writes"), Rotation::AlreadyBlacklisted);
    assert_eq!(fixture.seen(COUNTS).await, "2/1");
    let seen = "SELECT b.blacklisted_at FROM token_blacklist_blacklistedtoken b
                JOIN token_blacklist_outstandingtoken o ON o.id = b.token_id WHERE o.jti = '1'";
    assert_eq!(fixture.seen(seen).await, "2025-06-15 15:06:43");
    store.rotate(&two, true, &one, at(5)).await.expect_err("the successor's id is known");
    assert!(!store.is_blacklisted("2").await.expect("reads"));
    assert_eq!(fixture.seen(COUNTS).await, "2/1");
}

async fn a_rotation_that_fails_leaves_the_presented_token_valid(fixture: Fixture) {
    let store = &fixture.store;
    let (one, two) = (token("1", None), token("2", None));
    store.record_outstanding(&two).await.expect("writes");
    store.rotate(&one, true, &two, at(0)).await.expect_err("the successor's id is known");
    assert!(!store.is_blacklisted("1").await.expect("reads"));
    assert_eq!(fixture.seen(COUNTS).await, "1/0");
}

async fn flushing_takes_the_expired_with_their_blacklist_rows(fixture: Fixture) {
    let store = &fixture.store;
    let half = "2025-06-15T15:06:40.5Z".parse().expect("a time");
    for (jti, expires_at) in [("past", at(-1)), ("now", at(0)), ("soon", half), ("later", at(1))] {
        let mut token = token(jti, None);
        token.expires_at = expires_at;
        store.blacklist(&token, at(-5)).await.expect("writes");
    }
    assert_eq!(store.flush_expired(at(0)).await.expect("writes"), 2);
    assert_eq!(store.flush_expired(at(0)).await.expect("writes"), 0);
    assert_eq!(fixture.seen(COUNTS).await, "2/2");
    assert!(store.is_blacklisted("soon").await.expect("reads") && !store.is_blacklisted("now").await.expect("reads"));
}

async fn flushing_goes_through_a_long_table(fixture: Fixture) {
    let (late, early) = match fixture.kind() {
        Kind::Sqlite => ("'2030-01-01 00:00:00'", "'2020-01-01 00:00:00'"),
        Kind::Postgres => ("timestamptz '2030-01-01 00:00:00Z'", "timestamptz '2020-01-01 00:00:00Z'"),
    };
    fixture
        .execute(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3500)
             INSERT INTO token_blacklist_outstandingtoken (token, expires_at, jti)
             SELECT '', CASE i % 7 WHEN 0 THEN {late} ELSE {early} END, CAST(i AS text) FROM n"
        ))
        .await;
    assert_eq!(fixture.store.flush_expired(at(0)).await.expect("writes"), 3000);
    assert_eq!(fixture.seen(COUNTS).await, "500/0");
}

async fn a_sliding_refresh_moves_the_recorded_expiry_later_only(fixture: Fixture) {
    let store = &fixture.store;
    store.blacklist(&token("s", None), at(0)).await.expect("writes");
    assert!(store.move_expiry("s", at(90_000)).await.expect("writes"));
    assert!(!store.move_expiry("s", at(90_000)).await.expect("reads"));
    assert!(!store.move_expiry("s", at(10)).await.expect("reads"));
    assert!(!store.move_expiry("unknown", at(10)).await.expect("reads"));
    assert_eq!(store.flush_expired(at(86_400)).await.expect("writes"), 0);
    assert!(store.is_blacklisted("s").await.expect("reads"));
}

#[test]
fn tokens_do_not_print() {
    let shown = format!("{:?}", token("secret-id", None));
    assert!(!shown.contains("signature") && !shown.contains("secret-id"), "{shown}");
}
