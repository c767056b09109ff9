//! Marks: written with what ends a session, and read once by everybody who follows them.

use countersign_store::{Against, Ending, Mark, MarkKind, Place, RevocationFeed, SessionFate};
use jiff::Timestamp;
use tokio_postgres::NoTls;

use crate::devices::native_token;
use crate::families::session;
use crate::{Fixture, Kind, at, on_every_backend, token};

on_every_backend![
    r5_every_follower_reads_every_mark_once,
    r5_a_mark_that_commits_late_is_not_missed,
    r5_after_a_lost_connection_all_is_read_anew,
    r5_more_marks_than_are_read_at_once,
    r5_the_end_of_a_users_sessions_is_one_step,
    r5_marks_that_nobody_needs_are_deleted,
    r5_what_a_change_of_a_user_ended_is_written_down,
    r5_triggers_mark_what_ends_a_users_tokens,
    r5_nothing_that_django_does_fails_on_the_triggers,
];

fn mark(kind: MarkKind, subject: &str, not_before: i64) -> Mark {
    Mark { kind, subject: subject.to_owned(), not_before }
}

async fn news(feed: &mut RevocationFeed, since: i64) -> Vec<Mark> {
    let mut marks = Vec::new();
    feed.read(since, |some| marks.extend(some)).await.expect("reads");
    marks
}

async fn r5_every_follower_reads_every_mark_once(fixture: Fixture) {
    let mut feeds = [fixture.store.revocation_feed(), fixture.another_store().await.revocation_feed()];
    fixture.store.mark(mark(MarkKind::Token, "a", 5)).await.expect("writes");
    fixture.store.mark(mark(MarkKind::Token, "old", 1)).await.expect("writes");
    for feed in &mut feeds {
        assert_eq!(news(feed, 1).await, [mark(MarkKind::Token, "a", 5)], "what is of use");
        assert_eq!(news(feed, 1).await, []);
    }
    fixture.store.mark(mark(MarkKind::All, "", 6)).await.expect("writes");
    fixture.execute("INSERT INTO countersign_revocation (kind, subject, not_before) VALUES ('of later', 'b', 7)").await;
    fixture.store.mark(mark(MarkKind::User, "c", 8)).await.expect("writes");
    for feed in &mut feeds {
        assert_eq!(news(feed, 1).await, [mark(MarkKind::All, "", 6), mark(MarkKind::User, "c", 8)]);
        assert_eq!(news(feed, 1).await, []);
    }
}

/// Rows become visible in another order than that of their ids.
async fn r5_a_mark_that_commits_late_is_not_missed(fixture: Fixture) {
    if fixture.kind() == Kind::Sqlite {
        return; // one writer at a time
    }
    let (mut late, connection) = tokio_postgres::connect(&fixture.url_text().await, NoTls).await.expect("connects");
    tokio::spawn(connection);
    let mut feed = fixture.store.revocation_feed();
    assert_eq!(news(&mut feed, 0).await, []);
    let transaction = late.transaction().await.expect("begins");
    transaction
        .batch_execute("INSERT INTO countersign_revocation (kind, subject, not_before) VALUES ('token', 'late', 1)")
        .await
        .expect("writes");
    for round in 2..5 {
        fixture.store.mark(mark(MarkKind::Token, "soon", round)).await.expect("writes");
        assert_eq!(news(&mut feed, 0).await, [mark(MarkKind::Token, "soon", round)]);
    }
    transaction.commit().await.expect("commits");
    assert_eq!(news(&mut feed, 0).await, [mark(MarkKind::Token, "late", 1)]);
    assert_eq!(news(&mut feed, 0).await, []);
}

async fn r5_after_a_lost_connection_all_is_read_anew(fixture: Fixture) {
    let mut feed = fixture.store.revocation_feed();
    fixture.store.mark(mark(MarkKind::Token, "a", 1)).await.expect("writes");
    assert_eq!(news(&mut feed, 0).await.len(), 1);
    if fixture.kind() == Kind::Postgres {
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE query LIKE '%countersign_revocation r%' AND application_name = current_schema() AND pid <> pg_backend_pid()";
        assert_eq!(fixture.seen(end).await, "1");
        // The wait ends with the connection.
        feed.wait(std::time::Duration::from_mins(1)).await;
    } else {
        feed.start_over();
    }
    fixture.store.mark(mark(MarkKind::Token, "b", 2)).await.expect("writes");
    assert_eq!(news(&mut feed, 0).await.len(), 2);
    assert_eq!(news(&mut feed, 0).await, []);
}

async fn r5_more_marks_than_are_read_at_once(fixture: Fixture) {
    let numbers = match fixture.kind() {
        Kind::Sqlite => "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 25000)",
        Kind::Postgres => "WITH n AS (SELECT n FROM generate_series(1, 25000) n)",
    };
    let insert = format!(
        "INSERT INTO countersign_revocation (kind, subject, not_before) {numbers} SELECT 'token', CAST(n AS text), n / 3 FROM n"
    );
    let mut before = fixture.store.revocation_feed();
    assert_eq!(news(&mut before, -1).await, []);
    fixture.execute(&insert).await;
    let mut after = fixture.store.revocation_feed();
    for feed in [&mut before, &mut after] {
        let mut marks: Vec<i64> =
            news(feed, -1).await.iter().map(|mark| mark.subject.parse().expect("a number")).collect();
        marks.sort_unstable();
        marks.dedup();
        assert_eq!(marks.len(), 25_000);
        assert_eq!(news(feed, -1).await, []);
    }
}

async fn r5_the_end_of_a_users_sessions_is_one_step(fixture: Fixture) {
    use countersign_store::NewSession;

    let (store, ann, bob) = (&fixture.store, fixture.user("ann").await, fixture.user("bob").await);
    for (user, sid, began) in [(&ann, "one", 10), (&ann, "two", 20), (&bob, "three", 30)] {
        let session = NewSession {
            sid: sid.to_owned(),
            user: Some(user.clone()),
            root_jti: format!("{sid}-root"),
            created_at: at(began),
            refreshed_at: at(began),
            expires_at: None,
            idle_expires_at: None,
            place: Place::default(),
            keep_until: at(1000),
        };
        let root = token(&format!("{sid}-root"), Some(user));
        store.login_pair(user, None, Some(&root), Some(&session)).await.expect("writes");
    }
    store.record_outstanding(&token("of-django", Some(&ann))).await.expect("writes");
    let ending = |except: Option<&str>, at| Ending {
        user: ann.clone(),
        subject: "7".to_owned(),
        except: except.map(|sid| SessionFate::Family(sid.to_owned())),
        token_tables: Vec::new(),
        has_knox: false,
        has_blacklist: true,
        at,
        reason: "why",
        told: None,
    };

    let milliseconds = |instant: Timestamp| instant.as_millisecond();
    // By a clock that is behind: nothing that has begun may outlive it.
    let others = store.end_sessions_of(ending(Some("one"), at(5))).await.expect("writes");
    assert_eq!(others.sessions, ["two"]);
    let expected =
        [mark(MarkKind::Session, "two", milliseconds(at(20))), mark(MarkKind::Bare, "7", milliseconds(at(20)))];
    assert_eq!(others.marks, expected);
    for (jti, is_void) in [("one-root", false), ("two-root", true), ("of-django", true), ("three-root", false)] {
        assert_eq!(store.is_blacklisted(jti).await.expect("reads"), is_void, "{jti}");
    }
    let against = store.against(Some("7"), Some("x"), Some("two")).await.expect("reads");
    assert_eq!(against, Against { bare: Some(milliseconds(at(20))), session: true, ..Against::default() });

    let all = store.end_sessions_of(ending(None, at(40))).await.expect("writes");
    assert_eq!(
        (all.sessions, all.marks.as_slice()),
        (vec!["one".to_owned()], &[mark(MarkKind::User, "7", milliseconds(at(40)))][..])
    );
    assert!(store.is_blacklisted("one-root").await.expect("reads"));
    assert_eq!(news(&mut store.revocation_feed(), 0).await.len(), 3, "what was told is what was written");
    let end = || store.end_session(SessionFate::Family("three".to_owned()), true, "why", at(50), Vec::new());
    assert!(end().await.expect("writes"));
    assert!(!end().await.expect("writes"), "once");
    let [.., last] = &news(&mut store.revocation_feed(), 0).await[..] else { panic!("marks") };
    assert_eq!(*last, Mark::of_session("three", at(50)));
    assert_eq!(fixture.seen("SELECT count(*) FROM countersign_session WHERE ended_at IS NULL").await, "0");

    store.record_outstanding(&token("later", Some(&bob))).await.expect("writes");
    assert_eq!(store.blacklist_all(at(60)).await.expect("writes"), 1);
}

async fn r5_marks_that_nobody_needs_are_deleted(fixture: Fixture) {
    let store = &fixture.store;
    for (kind, seconds) in [(MarkKind::Session, 10), (MarkKind::User, 10), (MarkKind::User, 3), (MarkKind::Token, 30)] {
        store.mark(mark(kind, "x", at(seconds).as_millisecond())).await.expect("writes");
    }
    assert_eq!(store.flush_revocations(at(20), at(5)).await.expect("writes"), 2);
    let left = "SELECT min(kind) || max(kind) || count(*) FROM countersign_revocation";
    assert_eq!(fixture.seen(left).await, "tokenuser2");
}

async fn r5_what_a_change_of_a_user_ended_is_written_down(fixture: Fixture) {
    let (store, ann, bob) = (&fixture.store, fixture.user("ann").await, fixture.user("bob").await);
    store.install_triggers(&store.user_field("username").await.expect("a field")).await.expect("installs");
    for user in [&ann, &bob] {
        store.native_login(native_token(&format!("t{user}"), user), None, None).await.expect("writes");
        store.login_pair(user, None, None, Some(&session(&format!("s{user}"), user, 900))).await.expect("writes");
    }
    assert_eq!(store.owner_mark(&ann).await.expect("reads"), None);
    fixture.execute(&format!("UPDATE auth_user SET password = 'x' WHERE id = {ann}")).await;
    let mark = store.owner_mark(&ann).await.expect("reads").expect("marked, whatever tokens call the user");
    assert_eq!(store.native_owner(&format!("t{ann}")).await.expect("reads").expect("there").not_before, Some(mark));
    assert_eq!(store.owner_mark(&bob).await.expect("reads"), None);
    // What begins afterwards is younger, by whatever clock, and stays.
    store.native_login(native_token("later", &ann), None, None).await.expect("writes");
    let later = store.native_owner("later").await.expect("reads").expect("there");
    assert!(later.created.as_millisecond() > mark, "by the database's clock, which is ahead");
    assert!(store.native_owner(&format!("t{ann}")).await.expect("reads").is_none(), "a login clears");
    // No flush forgets a mark before it is written down.
    store.flush_revocations(at(9_000_000_000), at(9_000_000_000)).await.expect("writes");
    assert_eq!(store.owner_mark(&ann).await.expect("reads"), Some(mark));
    assert_eq!(store.settle_owners(9).await.expect("writes"), 1);
    assert_eq!(store.settle_owners(9).await.expect("writes"), 0);
    assert_eq!(store.owner_mark(&ann).await.expect("reads"), None);
    assert!(store.native_owner("later").await.expect("reads").is_some());
    assert!(store.native_owner(&format!("t{bob}")).await.expect("reads").is_some());
    let ended = "SELECT min(user_id || end_reason) || count(*) FROM countersign_session WHERE ended_at IS NOT NULL";
    assert_eq!(fixture.seen(ended).await, format!("{ann}user_changed1"));
}

async fn r5_triggers_mark_what_ends_a_users_tokens(fixture: Fixture) {
    let store = &fixture.store;
    let (field, names) =
        (store.user_field("id").await.expect("a field"), store.user_field("username").await.expect("a field"));
    assert!(!store.has_triggers(&field).await.expect("reads"));
    assert!(store.install_triggers(&field).await.expect("installs"));
    assert!(!store.install_triggers(&field).await.expect("reads"), "nothing to do the second time");
    let (ann, bob) = (fixture.user("ann").await, fixture.user("bob").await);
    let mut feed = store.revocation_feed();
    let mut marked =
        async || -> Vec<String> { news(&mut feed, 0).await.into_iter().map(|mark| mark.subject).collect() };
    assert_eq!(marked().await, Vec::<String>::new());

    let by_ann = format!("WHERE id = {ann}");
    for (deed, is_marked) in [
        ("UPDATE auth_user SET email = 'x', last_login = date_joined", false),
        ("UPDATE auth_user SET is_active = is_active, password = password", false),
        ("UPDATE auth_user SET is_active = FALSE", true),
        ("UPDATE auth_user SET is_active = FALSE", false),
        ("UPDATE auth_user SET is_active = TRUE", false),
        ("UPDATE auth_user SET password = 'md5$s$new'", true),
    ] {
        fixture.execute(&format!("{deed} {by_ann}")).await;
        let expected = if is_marked { vec![ann.to_string()] } else { Vec::new() };
        assert_eq!(marked().await, expected, "{deed}");
    }
    assert!(store.replace_password(&ann, "md5$s$new", "md5$s$costlier", true).await.expect("writes"));
    assert_eq!(marked().await, Vec::<String>::new(), "the same password, hashed again");
    store.set_password(&ann, "md5$s$other").await.expect("writes");
    assert_eq!(marked().await, [ann.to_string()]);

    // As large as the newest session, whatever the clocks.
    let session = countersign_store::NewSession {
        sid: "s".to_owned(),
        user: Some(bob.clone()),
        root_jti: "r".to_owned(),
        created_at: at(9_000_000_000),
        refreshed_at: at(0),
        expires_at: None,
        idle_expires_at: None,
        place: Place::default(),
        keep_until: at(0),
    };
    store.login_pair(&bob, None, None, Some(&session)).await.expect("writes");
    fixture.execute(&format!("DELETE FROM auth_user WHERE id = {bob}")).await;
    let marks = news(&mut store.revocation_feed(), at(8_000_000_000).as_millisecond()).await;
    assert_eq!(marks.len(), 1);
    assert!(marks[0].not_before >= at(9_000_000_000).as_millisecond());

    // Of another field, and back.
    assert!(!store.has_triggers(&names).await.expect("reads"));
    assert!(store.install_triggers(&names).await.expect("installs"));
    marked().await;
    fixture.execute(&format!("UPDATE auth_user SET username = 'anna' {by_ann}")).await;
    assert_eq!(marked().await, ["ann"]);
    assert!(store.remove_triggers(&names).await.expect("removes"));
    assert!(!store.remove_triggers(&names).await.expect("reads"));
    fixture.execute(&format!("DELETE FROM auth_user {by_ann}")).await;
    assert_eq!(marked().await, Vec::<String>::new());
}

async fn r5_nothing_that_django_does_fails_on_the_triggers(fixture: Fixture) {
    let store = &fixture.store;
    let field = store.user_field("id").await.expect("a field");
    store.install_triggers(&field).await.expect("installs");
    let ann = fixture.user("ann").await;
    let mut feed = store.revocation_feed();
    if fixture.kind() == Kind::Sqlite {
        // What Django's schema editor does to alter a column.
        fixture
            .execute(
                "PRAGMA foreign_keys = OFF; BEGIN;
                 CREATE TABLE new__auth_user AS SELECT * FROM auth_user;
                 DROP TABLE auth_user; ALTER TABLE new__auth_user RENAME TO auth_user; COMMIT;
                 UPDATE auth_user SET is_active = FALSE",
            )
            .await;
        assert!(!store.has_triggers(&field).await.expect("reads"), "a rebuilt table has none");
        assert!(store.install_triggers(&field).await.expect("installs"));
        fixture.execute("DELETE FROM auth_user").await;
        assert_eq!(news(&mut feed, 0).await.len(), 1);
        return;
    }
    for deed in [
        "ALTER TABLE auth_user ALTER COLUMN password TYPE varchar(256), ALTER COLUMN is_active TYPE boolean USING is_active",
        "BEGIN; UPDATE auth_user SET is_active = FALSE; ALTER TABLE auth_user ADD COLUMN more text; COMMIT",
        "ALTER TABLE auth_user RENAME COLUMN is_active TO may_log_in",
        "UPDATE auth_user SET may_log_in = TRUE",
        "ALTER TABLE auth_user DROP COLUMN may_log_in",
        "UPDATE auth_user SET password = 'another'",
        "ALTER TABLE auth_user ALTER COLUMN id TYPE bigint",
    ] {
        fixture.execute(deed).await;
    }
    assert!(news(&mut feed, 0).await.iter().all(|mark| mark.subject == ann.to_string()));
    fixture.execute("TRUNCATE auth_user CASCADE").await;
    assert_eq!(news(&mut feed, 0).await.pop().map(|mark| mark.kind), Some(MarkKind::All));
    // By a role that may write users and knows nothing of our tables.
    let schema = fixture.seen("SELECT current_schema()").await;
    let role = format!("{schema}_django");
    fixture
        .execute(&format!(
            "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT ALL ON auth_user TO {role};
             GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {role}; REVOKE ALL ON countersign_revocation_id_seq FROM {role};
             INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, date_joined)
             VALUES ('x', FALSE, 'cid', '', '', '', FALSE, now());
             SET ROLE {role}; DELETE FROM auth_user; RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}"
        ))
        .await;
    assert_eq!(news(&mut feed, 0).await.len(), 1);
    fixture.execute("DROP TABLE countersign_revocation").await;
    let insert =
        "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, date_joined)
                  VALUES ('x', FALSE, 'dan', '', '', '', FALSE, now()); DELETE FROM auth_user";
    fixture.execute(insert).await;
}
