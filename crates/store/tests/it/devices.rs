//! Tokens of our own kind, where sessions are used, and their end.

use countersign_formats::token_key::TokenKey;
use countersign_store::{
    Device, Ending, EventRow, NewKnoxToken, NewNativeToken, Place, Seen, SessionFate, StoreError, TokenTable, UserId,
};
use zeroize::Zeroizing;

use crate::families::session;
use crate::{Fixture, at, on_every_backend, token};

on_every_backend![
    o2_a_token_is_found_by_its_digest_alone,
    o5_the_limit_counts_live_tokens,
    o5_parallel_logins_do_not_pass_the_limit,
    no_token_for_nobody,
    what_was_seen_later_stays,
    what_was_seen_of_sessions_that_are_gone_is_passed_over,
    one_session_ends_and_no_other,
    all_sessions_of_a_user_end,
    all_sessions_end_but_one,
    flushing_takes_dead_tokens,
];

pub(crate) fn native_token(digest: &str, user: &UserId) -> NewNativeToken {
    NewNativeToken {
        digest: digest.to_owned(),
        user: user.clone(),
        place: Place { name: Some("telephone".to_owned()), ..Place::default() },
        created: at(0),
        expires: Some(at(600)),
    }
}

async fn o2_a_token_is_found_by_its_digest_alone(fixture: Fixture) {
    let (ann, store) = (fixture.user("ann").await, &fixture.store);
    assert!(store.native_login(native_token("abcd", &ann), None, None).await.expect("writes"));
    let owner = store.native_owner("abcd").await.expect("reads").expect("there");
    assert_eq!(
        (owner.user.id, owner.created, owner.expires, owner.last_seen),
        (ann.clone(), at(0), Some(at(600)), None)
    );
    for other in ["ABCD", "abc", "", "%"] {
        assert!(store.native_owner(other).await.expect("reads").is_none(), "O3: {other:?}");
    }
    assert_eq!(fixture.seen("SELECT last_login FROM auth_user").await, "2025-06-15 15:06:40");
    let [row] = &store.native_tokens_of(&ann, 9).await.expect("reads")[..] else { panic!("one") };
    assert_eq!((row.digest.as_str(), row.place.name.as_deref()), ("abcd", Some("telephone")));
    assert!(store.native_delete("abcd").await.expect("writes"));
    assert!(!store.native_delete("abcd").await.expect("writes"));
    assert!(store.native_owner("abcd").await.expect("reads").is_none());
}

async fn o5_the_limit_counts_live_tokens(fixture: Fixture) {
    let (ann, bob, store) = (fixture.user("ann").await, fixture.user("bob").await, &fixture.store);
    let login = async |digest: &str, user: &UserId, now: i64, idle_since: Option<i64>| {
        let token = NewNativeToken { created: at(now), expires: Some(at(now + 600)), ..native_token(digest, user) };
        store.native_login(token, Some(2), idle_since.map(at)).await.expect("writes")
    };
    assert!(login("a", &ann, 0, None).await);
    assert!(login("b", &ann, 10, None).await);
    assert!(!login("c", &ann, 20, None).await);
    assert!(login("d", &bob, 20, None).await, "another's do not count");
    assert!(!login("c", &ann, 600, None).await, "good until its last instant");
    assert!(login("c", &ann, 601, None).await, "an expired one makes place");
    store.note_seen(vec![(Seen::Token("b".to_owned()), at(602))]).await.expect("writes");
    assert!(!login("e", &ann, 603, Some(601)).await, "used since");
    assert!(login("e", &ann, 604, Some(602)).await, "c was made before that instant and not used since");
    assert_eq!(fixture.seen("SELECT count(*) FROM countersign_token WHERE digest = 'c'").await, "0");
}

async fn o5_parallel_logins_do_not_pass_the_limit(fixture: Fixture) {
    let ann = fixture.user("ann").await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..24 {
        let (store, token) = (fixture.store.clone(), native_token(&format!("t{number}"), &ann));
        tasks.spawn(async move { store.native_login(token, Some(5), None).await.expect("writes") });
    }
    let given = tasks.join_all().await.into_iter().filter(|given| *given).count();
    assert_eq!((given, fixture.seen("SELECT count(*) FROM countersign_token").await), (5, "5".to_owned()));
}

async fn no_token_for_nobody(fixture: Fixture) {
    for limit in [None, Some(3)] {
        let made = fixture.store.native_login(native_token("a", &UserId::Integer(99)), limit, None).await;
        assert!(matches!(made, Err(StoreError::NoSuchUser)), "{made:?}");
    }
}

fn device(id: &str, user: &UserId, seen: Option<i64>) -> Device {
    Device {
        id: id.to_owned(),
        user: user.clone(),
        kind: "knox",
        place: Place { address: Some("192.0.2.1".to_owned()), ..Place::default() },
        last_seen: seen.map(at),
        keep_until: at(seen.unwrap_or(0) + 100),
    }
}

async fn what_was_seen_later_stays(fixture: Fixture) {
    let (ann, store) = (fixture.user("ann").await, &fixture.store);
    store.native_login(native_token("t", &ann), None, None).await.expect("writes");
    store.login_pair(&ann, None, None, Some(&session("s", &ann, 900))).await.expect("writes");
    for seen in [5, 3] {
        let all = vec![
            (Seen::Token("t".to_owned()), at(seen)),
            (Seen::Family("s".to_owned()), at(seen)),
            (Seen::Device(device("d", &ann, Some(seen))), at(seen)),
        ];
        store.note_seen(all).await.expect("writes");
    }
    assert_eq!(store.native_tokens_of(&ann, 9).await.expect("reads")[0].last_seen, Some(at(5)));
    assert_eq!(store.families_of(&ann, at(0), 9).await.expect("reads")[0].last_seen, Some(at(5)));
    let devices = store.devices_of(&ann).await.expect("reads");
    assert_eq!((devices["d"].1, devices["d"].0.address.as_deref()), (Some(at(5)), Some("192.0.2.1")));
}

async fn what_was_seen_of_sessions_that_are_gone_is_passed_over(fixture: Fixture) {
    let many: Vec<_> = (0..1200).map(|number| (Seen::Token(format!("t{number}")), at(1))).collect();
    fixture.store.note_seen(many).await.expect("writes");
    fixture.store.note_seen(Vec::new()).await.expect("writes nothing");
}

/// One session of each kind.
async fn one_of_each(fixture: &Fixture, name: &str) -> (UserId, TokenTable) {
    let (user, store) = (fixture.user(name).await, &fixture.store);
    let table = store.token_table("authtoken_token").await.expect("the table");
    let key = TokenKey::from_text(format!("key of {name}"));
    let id = |kind: &str| format!("{kind} of {name}");
    store
        .token_get_or_create(&table, &user, &key, at(0), Some(device(&id("token"), &user, None)))
        .await
        .expect("writes");
    let knox = NewKnoxToken {
        digest: id("digest"),
        token_key: "key".to_owned(),
        user: user.clone(),
        created: at(0),
        expiry: None,
        device: Some(device(&id("knox"), &user, None)),
    };
    store.knox_login(knox, None, at(0)).await.expect("writes");
    store.native_login(native_token(&id("native"), &user), None, None).await.expect("writes");
    let sid = id("family");
    let root = token(&format!("{sid}-root"), Some(&user));
    store.login_pair(&user, None, Some(&root), Some(&session(&sid, &user, 900))).await.expect("writes");
    (user, table)
}

/// The sessions of a user that live: family, DRF token, Knox token, native token, and rows of devices.
async fn live(fixture: &Fixture, user: &UserId, table: &TokenTable) -> [usize; 5] {
    let store = &fixture.store;
    [
        store.families_of(user, at(1), 9).await.expect("reads").len(),
        usize::from(store.token_of(table, user).await.expect("reads").is_some()),
        store.knox_tokens_of(user, 9).await.expect("reads").len(),
        store.native_tokens_of(user, 9).await.expect("reads").len(),
        store.devices_of(user).await.expect("reads").len(),
    ]
}

fn fates(table: &TokenTable, user: &UserId) -> [SessionFate; 4] {
    [
        SessionFate::Family("family of ann".to_owned()),
        SessionFate::Token { table: table.clone(), user: user.clone(), id: "token of ann".to_owned() },
        SessionFate::Knox { digest: Zeroizing::new("digest of ann".to_owned()), id: "knox of ann".to_owned() },
        SessionFate::Native(Zeroizing::new("native of ann".to_owned())),
    ]
}

/// What is told of an end.
fn told() -> EventRow {
    EventRow {
        at: at(1),
        kind: "session_ended".into(),
        user: None,
        account: None,
        address: None,
        agent: None,
        session: None,
        detail: None,
    }
}

const EVENTS: &str = "SELECT count(*) FROM countersign_event";

async fn one_session_ends_and_no_other(fixture: Fixture) {
    let (ann, table) = one_of_each(&fixture, "ann").await;
    let (bob, _) = one_of_each(&fixture, "bob").await;
    let after = [[0, 1, 1, 1, 2], [0, 0, 1, 1, 1], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]];
    for (number, (fate, after)) in (1..).zip(fates(&table, &ann).into_iter().zip(after)) {
        let end = || fixture.store.end_session(fate.clone(), true, "ended", at(1), vec![told()]);
        assert!(end().await.expect("writes"), "{fate:?}");
        assert!(!end().await.expect("writes"), "{fate:?}: once");
        assert_eq!(live(&fixture, &ann, &table).await, after, "{fate:?}");
        assert_eq!(fixture.seen(EVENTS).await, number.to_string(), "told once");
    }
    assert_eq!(live(&fixture, &bob, &table).await, [1, 1, 1, 1, 2]);
    let blacklisted = "SELECT count(*) FROM token_blacklist_blacklistedtoken";
    assert_eq!(fixture.seen(blacklisted).await, "1", "Django refuses the family's token too");
    assert_eq!(fixture.seen("SELECT end_reason FROM countersign_session WHERE sid = 'family of ann'").await, "ended");
}

fn all_of(user: &UserId, table: &TokenTable, except: Option<SessionFate>) -> Ending {
    Ending {
        user: user.clone(),
        subject: user.to_string(),
        except,
        token_tables: vec![table.clone()],
        has_knox: true,
        has_blacklist: true,
        at: at(1),
        reason: "ended",
        told: Some(told()),
    }
}

async fn all_sessions_of_a_user_end(fixture: Fixture) {
    let (ann, table) = one_of_each(&fixture, "ann").await;
    let (bob, _) = one_of_each(&fixture, "bob").await;
    let ended = fixture.store.end_sessions_of(all_of(&ann, &table, None)).await.expect("writes");
    assert_eq!((ended.sessions.len(), ended.sessions[0].as_str()), (4, "family of ann"));
    assert_eq!(fixture.seen("SELECT count(DISTINCT session) FROM countersign_event").await, "4");
    assert_eq!(live(&fixture, &ann, &table).await, [0; 5]);
    assert_eq!(live(&fixture, &bob, &table).await, [1, 1, 1, 1, 2]);
    assert_eq!(fixture.seen("SELECT count(*) FROM token_blacklist_blacklistedtoken").await, "1");
    let again = fixture.store.end_sessions_of(all_of(&ann, &table, None)).await.expect("writes");
    assert!(again.sessions.is_empty());
}

async fn all_sessions_end_but_one(fixture: Fixture) {
    for (index, kept) in [[1, 0, 0, 0, 0], [0, 1, 0, 0, 1], [0, 0, 1, 0, 1], [0, 0, 0, 1, 0]].into_iter().enumerate() {
        fixture.execute("DELETE FROM authtoken_token; DELETE FROM knox_authtoken; DELETE FROM token_blacklist_blacklistedtoken; DELETE FROM token_blacklist_outstandingtoken; DELETE FROM auth_user; DELETE FROM countersign_session; DELETE FROM countersign_token; DELETE FROM countersign_device").await;
        let (ann, table) = one_of_each(&fixture, "ann").await;
        let fate = fates(&table, &ann)[index].clone();
        let ended = fixture.store.end_sessions_of(all_of(&ann, &table, Some(fate))).await.expect("writes");
        assert_eq!(ended.sessions.len(), 3);
        assert_eq!(live(&fixture, &ann, &table).await, kept);
    }
}

async fn flushing_takes_dead_tokens(fixture: Fixture) {
    let (ann, table) = one_of_each(&fixture, "ann").await;
    fixture.store.flush_own(at(600), at(0)).await.expect("writes");
    assert_eq!(live(&fixture, &ann, &table).await, [1, 1, 1, 1, 0], "good until the last instant");
    fixture.store.flush_own(at(601), at(0)).await.expect("writes");
    assert_eq!(live(&fixture, &ann, &table).await, [1, 1, 1, 0, 0]);
}
