use countersign_store::{
    Exchange, FamilyFacts, FamilyOutcome, FamilyStep, InstalledApps, NewSession, Place, Presented, Refreshing,
    Successor, UserId,
};

use crate::{Fixture, Kind, at, on_every_backend, token};

on_every_backend![
    an_exchange_is_whole_or_not_at_all,
    an_exchange_at_once_is_whole_or_not_at_all,
    an_exchange_at_once_that_fails_leaves_nothing,
    an_end_reaches_every_token_that_lives,
    what_was_written_is_read_to_the_microsecond,
    flushing_takes_what_no_token_needs,
];

pub(crate) fn session(sid: &str, user: &UserId, keep_until: i64) -> NewSession {
    NewSession {
        sid: sid.to_owned(),
        user: Some(user.clone()),
        root_jti: format!("{sid}-root"),
        created_at: at(0),
        refreshed_at: at(0),
        expires_at: Some(at(5000)),
        idle_expires_at: None,
        place: Place { user_agent: Some("a browser".to_owned()), ..Place::default() },
        keep_until: at(keep_until),
    }
}

fn presented(sid: &str, jti: &str) -> Presented {
    Presented { jti: jti.to_owned(), sid: sid.to_owned(), subject: None, begins: None, has_blacklist: true }
}

fn exchange(parent: &str, child: &str, keep_until: i64) -> FamilyStep {
    let rotated_at = "2025-06-15T15:06:41.123456Z".parse().expect("a time");
    FamilyStep::Exchange(Box::new(Exchange {
        successor: Successor { jti: child.to_owned(), rotated_at, iat: 1, exp: 2, access_exp: 3 },
        presented: token(parent, None),
        blacklists: true,
        recorded: token(child, None),
        refreshing: Refreshing { at: at(1), idle_expires_at: Some(at(9)), keep_until: at(keep_until) },
        keep_until: at(keep_until),
    }))
}

async fn with_session(fixture: &Fixture, sid: &str, keep_until: i64) {
    let user = fixture.user(sid).await;
    let root = token(&format!("{sid}-root"), Some(&user));
    let session = session(sid, &user, keep_until);
    fixture.store.login_pair(&user, None, Some(&root), Some(&session)).await.expect("writes");
}

async fn step(fixture: &Fixture, presented: &Presented, step: FamilyStep) -> (FamilyFacts, FamilyOutcome) {
    let taken = fixture.store.in_family(presented.clone(), move |facts| (step, facts.clone())).await;
    taken.expect("writes")
}

async fn an_exchange_is_whole_or_not_at_all(fixture: Fixture) {
    with_session(&fixture, "s", 900).await;
    let root = presented("s", "s-root");
    // Django voids the token in between: nothing of ours is left.
    fixture.store.blacklist(&token("s-root", None), at(1)).await.expect("writes");
    let (facts, outcome) = step(&fixture, &root, exchange("s-root", "child", 900)).await;
    assert!(facts.blacklisted_at.is_some() && facts.is_recorded && facts.is_outstanding);
    assert_eq!(outcome, FamilyOutcome::Forestalled);
    assert_eq!(fixture.seen("SELECT count(*) FROM countersign_rotation").await, "0");
    assert_eq!(fixture.seen("SELECT count(*) FROM token_blacklist_outstandingtoken").await, "1");
    assert_eq!(fixture.seen("SELECT refreshed_at FROM countersign_session").await, "2025-06-15 15:06:40");

    // A child that is known already: all of it is undone.
    fixture.execute("DELETE FROM token_blacklist_blacklistedtoken").await;
    fixture.store.record_outstanding(&token("child", None)).await.expect("writes");
    let failed = fixture.store.in_family(root.clone(), |_| (exchange("s-root", "child", 900), ())).await;
    assert!(failed.expect_err("the id is known").is_unique_violation());
    assert_eq!(fixture.seen("SELECT count(*) FROM token_blacklist_blacklistedtoken").await, "0");
    assert_eq!(fixture.seen("SELECT count(*) FROM countersign_rotation").await, "0");

    let (_, outcome) = step(&fixture, &root, exchange("s-root", "other", 1200)).await;
    assert_eq!(outcome, FamilyOutcome::Done);
    let (_, outcome) = step(&fixture, &root, exchange("s-root", "third", 1200)).await;
    assert_eq!(outcome, FamilyOutcome::Forestalled, "one successor");
}

/// On SQLite the steps do what one statement does on PostgreSQL: there it is never tried.
async fn an_exchange_at_once_is_whole_or_not_at_all(fixture: Fixture) {
    with_session(&fixture, "s", 900).await;
    let store = &fixture.store;
    let offered = presented("s", "s-root");
    let FamilyStep::Exchange(first) = exchange("s-root", "child", 900) else { panic!("an exchange") };
    let facts = store.family_facts(&offered).await.expect("reads");
    assert_eq!(store.may_exchange_at_once(&offered, &facts), fixture.kind() == Kind::Postgres);
    if fixture.kind() == Kind::Sqlite {
        assert!(!store.exchange_at_once(&offered, &facts, &first).await.expect("not tried"));
        assert_eq!(store.family_facts(&offered).await.expect("reads"), facts);
        return;
    }
    assert!(store.exchange_at_once(&offered, &facts, &first).await.expect("writes"));
    let after = store.family_facts(&offered).await.expect("reads");
    assert_eq!(after.exchanged.as_ref().map(|exchanged| &exchanged.successor), Some(&first.successor));
    assert!(after.blacklisted_at.is_some());
    assert_eq!(after.session.map(|session| session.refreshed_at), Some(first.refreshing.at));
    let child = store.family_facts(&presented("s", "child")).await.expect("reads");
    assert!(child.is_outstanding && child.exchanged.is_none() && child.blacklisted_at.is_none());

    // What was read is no longer so: nothing happens.
    let FamilyStep::Exchange(second) = exchange("s-root", "other", 1900) else { panic!("an exchange") };
    assert!(!store.exchange_at_once(&offered, &facts, &second).await.expect("answers"));
    assert_eq!(store.family_facts(&offered).await.expect("reads"), after);
    let FamilyStep::Exchange(third) = exchange("child", "grandchild", 1900) else { panic!("an exchange") };
    let next = presented("s", "child");
    step(&fixture, &next, FamilyStep::End { reason: "logout", at: at(2), token: None, events: Vec::new() }).await;
    assert!(!store.exchange_at_once(&next, &child, &third).await.expect("answers"));
    let grandchild = store.family_facts(&presented("s", "grandchild")).await.expect("reads");
    assert!(!grandchild.is_recorded);
}

/// A statement that cannot do all of it does none: the successor's id is taken.
async fn an_exchange_at_once_that_fails_leaves_nothing(fixture: Fixture) {
    with_session(&fixture, "s", 900).await;
    let store = &fixture.store;
    let offered = presented("s", "s-root");
    store.record_outstanding(&token("child", None)).await.expect("writes");
    let FamilyStep::Exchange(first) = exchange("s-root", "child", 900) else { panic!("an exchange") };
    let facts = store.family_facts(&offered).await.expect("reads");
    assert!(!store.exchange_at_once(&offered, &facts, &first).await.expect("answers"));
    assert_eq!(store.family_facts(&offered).await.expect("reads"), facts);
}

async fn an_end_reaches_every_token_that_lives(fixture: Fixture) {
    with_session(&fixture, "s", 900).await;
    with_session(&fixture, "t", 900).await;
    step(&fixture, &presented("s", "s-root"), exchange("s-root", "child", 900)).await;
    let end = || FamilyStep::End { reason: "logout", at: at(7), token: None, events: Vec::new() };
    let (_, outcome) = step(&fixture, &presented("s", "child"), end()).await;
    assert_eq!(outcome, FamilyOutcome::Done);
    assert_eq!(fixture.seen("SELECT end_reason FROM countersign_session WHERE sid = 's'").await, "logout");
    assert_eq!(fixture.seen("SELECT ended_at FROM countersign_session WHERE sid = 's'").await, "2025-06-15 15:06:47");
    for (jti, is_void) in [("s-root", true), ("child", true), ("t-root", false)] {
        assert_eq!(fixture.store.is_blacklisted(jti).await.expect("reads"), is_void, "{jti}");
    }
    let (facts, outcome) = step(&fixture, &presented("s", "child"), end()).await;
    assert_eq!(
        (facts.session.and_then(|session| session.ended_at), outcome),
        (Some(at(7)), FamilyOutcome::Forestalled)
    );
}

async fn what_was_written_is_read_to_the_microsecond(fixture: Fixture) {
    with_session(&fixture, "s", 900).await;
    let root = presented("s", "s-root");
    step(&fixture, &root, exchange("s-root", "child", 1200)).await;
    for has_blacklist in [true, false] {
        let facts = fixture.store.family_facts(&Presented { has_blacklist, ..root.clone() }).await.expect("reads");
        let exchanged = facts.exchanged.expect("exchanged");
        let FamilyStep::Exchange(written) = exchange("s-root", "child", 1200) else { unreachable!() };
        assert_eq!((exchanged.successor, exchanged.is_used), (written.successor, false));
        assert_eq!((facts.is_recorded, facts.is_outstanding), (true, has_blacklist));
        assert_eq!(facts.blacklisted_at.is_some(), has_blacklist);
        let session = facts.session.expect("a session");
        assert_eq!((session.refreshed_at, session.idle_expires_at), (at(1), Some(at(9))));
    }
    assert_eq!(fixture.seen("SELECT keep_until FROM countersign_session").await, "2025-06-15 15:26:40");
    assert_eq!(fixture.seen("SELECT user_id FROM countersign_session").await, "1");
    let nobody = fixture.store.family_facts(&presented("nothing", "unknown")).await.expect("reads");
    assert!(nobody.session.is_none() && nobody.exchanged.is_none() && !nobody.is_recorded);
}

async fn flushing_takes_what_no_token_needs(fixture: Fixture) {
    with_session(&fixture, "old", 100).await;
    with_session(&fixture, "new", 200).await;
    step(&fixture, &presented("old", "old-root"), exchange("old-root", "old-child", 100)).await;
    step(&fixture, &presented("new", "new-root"), exchange("new-root", "new-child", 200)).await;
    assert_eq!(fixture.store.flush_own(at(99), at(99)).await.expect("writes"), 0);
    assert_eq!(fixture.store.flush_own(at(100), at(50)).await.expect("writes"), 1, "sessions stay for longer");
    assert_eq!(fixture.store.flush_own(at(100), at(100)).await.expect("writes"), 1);
    assert_eq!(fixture.seen("SELECT sid FROM countersign_session").await, "new");
    assert_eq!(fixture.seen("SELECT child_jti FROM countersign_rotation").await, "new-child");
    fixture.store.check_statements(&InstalledApps::default()).await.expect("understood");
}
