//! Expired rows, batch by batch.

use std::time::Duration;

use countersign_store::{IndexedTable, PostgresOptions, Pruned, Store, StoreError, StoreOptions};
use jiff::Timestamp;

use crate::{Fixture, Kind, at, on_every_backend};

on_every_backend![
    each_table_loses_exactly_what_has_ended,
    two_processes_do_not_fight,
    while_another_process_prunes_nothing_is_done,
    who_flushes_waits_for_its_turn,
    a_row_that_something_refers_to_stays,
];

/// Rows of each table, which end one second after the other from `at(0)` on; each third is void, and some of Knox's never end.
const ROWS: i64 = 300;

async fn fill(fixture: &Fixture) {
    let (instant, never) = match fixture.kind() {
        Kind::Sqlite => ("datetime(1750000000 + i, 'unixepoch')", "NULL"),
        Kind::Postgres => ("to_timestamp(1750000000 + i)", "CAST(NULL AS timestamptz)"),
    };
    let user = fixture.user("ann").await;
    for rows in [
        format!("token_blacklist_outstandingtoken (token, expires_at, jti) SELECT '', {instant}, 'j' || i FROM n"),
        "token_blacklist_blacklistedtoken (blacklisted_at, token_id)
         SELECT expires_at, id FROM token_blacklist_outstandingtoken WHERE id % 3 = 0".to_owned(),
        format!(
            "knox_authtoken (digest, token_key, created, expiry, user_id)
             SELECT 'd' || (i * 7919 % 1000), '', {instant}, CASE i % 5 WHEN 0 THEN {never} ELSE {instant} END, {user} FROM n"
        ),
        format!("django_session (session_key, session_data, expire_date) SELECT 's' || i, '', {instant} FROM n"),
        format!(
            "countersign_session (sid, kind, created_at, refreshed_at, keep_until)
             SELECT 's' || i, 'jwt', {instant}, {instant}, {instant} FROM n"
        ),
        format!(
            "countersign_rotation (parent_jti, sid, child_jti, rotated_at, child_iat, child_exp, access_exp, expires_at)
             SELECT 'p' || i, 's', 'c' || i, {instant}, 0, 0, 0, {instant} FROM n"
        ),
        format!("countersign_event (at, kind) SELECT {instant}, 'login' FROM n"),
    ] {
        let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {})", ROWS - 1);
        fixture.execute(&format!("{numbers} INSERT INTO {rows}")).await;
    }
}

/// Goes through all tables; the numbers of rows deleted, in the order of [`left`].
async fn prune(store: &Store, until: Timestamp, rows: u32) -> [u64; 6] {
    let mut deleted = [0; 6];
    let mut after = i64::MIN;
    while let Some(pruned) = store.prune_outstanding(after, until, rows).await.expect("pruned") {
        let Pruned::Done(stretch) = pruned else { continue };
        (after, deleted[0]) = (stretch.last, deleted[0] + stretch.deleted);
        assert!(stretch.earliest.is_none_or(|earliest| earliest > until));
    }
    let mut after = String::new();
    while let Some(pruned) = store.prune_knox(&after, until, rows).await.expect("pruned") {
        let Pruned::Done(stretch) = pruned else { continue };
        (after, deleted[1]) = (stretch.last, deleted[1] + stretch.deleted);
    }
    for (place, table) in
        [IndexedTable::DjangoSessions, IndexedTable::Sessions, IndexedTable::Rotations, IndexedTable::Events]
            .into_iter()
            .enumerate()
    {
        let mut from = Timestamp::UNIX_EPOCH;
        loop {
            match store.prune_indexed(table, from, until, rows).await.expect("pruned") {
                Pruned::Taken => {}
                Pruned::Done(None) => break,
                Pruned::Done(Some(slice)) => {
                    assert!(slice.deleted <= u64::from(rows) && slice.last <= until);
                    (from, deleted[2 + place]) = (slice.last, deleted[2 + place] + slice.deleted);
                }
            }
        }
    }
    deleted
}

/// Rows that are left in each table, and the first of their ends.
async fn left(fixture: &Fixture) -> Vec<String> {
    let mut left = Vec::new();
    for (table, end) in [
        ("token_blacklist_outstandingtoken", "expires_at"),
        ("knox_authtoken", "expiry"),
        ("django_session", "expire_date"),
        ("countersign_session", "keep_until"),
        ("countersign_rotation", "expires_at"),
        ("countersign_event", "at"),
    ] {
        let count = fixture.seen(&format!("SELECT count(*) FROM {table}")).await;
        let first = fixture.seen(&format!("SELECT min({end}) FROM {table}")).await;
        left.push(format!("{count} {first}"));
    }
    left.push(fixture.seen("SELECT count(*) FROM token_blacklist_blacklistedtoken").await);
    left
}

async fn each_table_loses_exactly_what_has_ended(fixture: Fixture) {
    fill(&fixture).await;
    assert_eq!(prune(&fixture.store, at(-1), 7).await, [0; 6]);
    assert_eq!(prune(&fixture.store, at(99), 7).await, [100, 80, 100, 100, 100, 100]);
    let first = "2025-06-15 15:08:20"; // at(100)
    let after = "2025-06-15 15:08:21"; // at(101): Knox's fifth never ends
    let (rest, knox) = (format!("200 {first}"), format!("220 {after}"));
    assert_eq!(left(&fixture).await, [&*rest, &*knox, &*rest, &*rest, &*rest, &*rest, "67"]);
    assert_eq!(prune(&fixture.store, at(99), 1000).await, [0; 6]);
    assert_eq!(prune(&fixture.store, at(1000), 1000).await, [200, 160, 200, 200, 200, 200]);
    assert_eq!(left(&fixture).await, ["0 NULL", "60 NULL", "0 NULL", "0 NULL", "0 NULL", "0 NULL", "0"]);
}

async fn two_processes_do_not_fight(fixture: Fixture) {
    fill(&fixture).await;
    let other = fixture.another_store().await;
    let (one, two) = tokio::join!(prune(&fixture.store, at(199), 10), prune(&other, at(199), 10));
    let both: Vec<u64> = one.iter().zip(two).map(|(one, two)| one + two).collect();
    assert_eq!(both, [200, 160, 200, 200, 200, 200]);
}

async fn while_another_process_prunes_nothing_is_done(fixture: Fixture) {
    if fixture.kind() == Kind::Sqlite {
        return; // one process writes at a time anyway
    }
    fill(&fixture).await;
    fixture.execute("BEGIN; SELECT pg_advisory_xact_lock(730580984, hashtext(CAST(current_schema() AS text)))").await;
    let before = left(&fixture).await;
    let store = &fixture.store;
    assert_eq!(store.prune_outstanding(0, at(99), 50).await.expect("looked"), Some(Pruned::Taken));
    assert_eq!(store.prune_knox("", at(99), 50).await.expect("looked"), Some(Pruned::Taken));
    let events = store.prune_indexed(IndexedTable::Events, Timestamp::UNIX_EPOCH, at(99), 50);
    assert_eq!(events.await.expect("looked"), Pruned::Taken);
    assert_eq!(left(&fixture).await, before);
    fixture.execute("COMMIT").await;
    assert!(matches!(store.prune_outstanding(0, at(99), 50).await, Ok(Some(Pruned::Done(_)))));
}

async fn who_flushes_waits_for_its_turn(fixture: Fixture) {
    if fixture.kind() == Kind::Sqlite {
        return; // one process writes at a time anyway
    }
    fill(&fixture).await;
    let turn = "BEGIN; SELECT pg_advisory_xact_lock(730580984, hashtext(CAST(current_schema() AS text)))";
    fixture.execute(turn).await;
    let store = fixture.store.clone();
    let flushing = tokio::spawn(async move {
        let deleted = store.flush_expired(at(99)).await?;
        Ok::<_, StoreError>((deleted, store.flush_own(at(99), at(49)).await?))
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 730580984 AND NOT granted
                 AND objid = CAST(CAST(hashtext(CAST(current_schema() AS text)) AS bigint) & 4294967295 AS oid)";
    while fixture.seen(waits).await == "0" {}
    fixture.execute("COMMIT").await;
    assert_eq!(flushing.await.expect("ran").expect("deleted"), (100, 150));

    // Not for ever, and not in silence.
    fixture.execute(turn).await;
    let options = StoreOptions {
        postgres: PostgresOptions { statement_timeout: Duration::from_millis(50), ..PostgresOptions::default() },
        ..StoreOptions::default()
    };
    let hasty = Store::open(&fixture.url(), options).await.expect("opens");
    let refused = hasty.flush_expired(at(199)).await;
    assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
    let refused = hasty.flush_own(at(199), at(199)).await;
    assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
    fixture.execute("COMMIT").await;
}

async fn a_row_that_something_refers_to_stays(fixture: Fixture) {
    fill(&fixture).await;
    fixture
        .execute(
            "CREATE TABLE notes (token_id bigint REFERENCES token_blacklist_outstandingtoken (id));
             INSERT INTO notes SELECT min(id) FROM token_blacklist_outstandingtoken",
        )
        .await;
    let refused = fixture.store.prune_outstanding(0, at(99), 50).await;
    assert!(matches!(refused, Err(StoreError::ForeignKeyViolation)), "{refused:?}");
    assert_eq!(fixture.seen("SELECT count(*) FROM token_blacklist_outstandingtoken").await, "300");
    fixture.execute("DROP TABLE notes").await;
}
