use countersign_formats::jwt::{HmacAlgorithm, HmacSecret};
use countersign_store::{Against, ExchangedFacts};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + seconds).expect("in range")
}

fn keys(secret: &str) -> FamilyKeys {
    FamilyKeys::of(&SigningKey::hmac(HmacAlgorithm::Hs256, &HmacSecret::new(secret).expect("a secret")))
}

fn rule() -> Rule {
    Rule { window: SignedDuration::from_secs(10), idle: None, absolute: None, has_blacklist: true }
}

/// A recorded token of a live family that began at 0.
fn facts() -> FamilyFacts {
    FamilyFacts {
        session: Some(SessionFacts {
            created_at: at(0),
            refreshed_at: at(0),
            expires_at: None,
            idle_expires_at: None,
            ended_at: None,
        }),
        exchanged: None,
        is_recorded: true,
        is_outstanding: true,
        blacklisted_at: None,
        against: Against::default(),
    }
}

fn exchanged(seconds: i64, is_used: bool) -> FamilyFacts {
    let successor = Successor { jti: "child".to_owned(), rotated_at: at(seconds), iat: 1, exp: 2, access_exp: 3 };
    FamilyFacts { exchanged: Some(ExchangedFacts { successor, is_used }), blacklisted_at: Some(at(seconds)), ..facts() }
}

fn with_session(change: impl FnOnce(&mut SessionFacts)) -> FamilyFacts {
    let mut facts = facts();
    change(facts.session.as_mut().expect("a session"));
    facts
}

#[test]
fn ids_follow_from_the_key_and_from_each_other() {
    let (one, other) = (keys("a secret of thirty-two bytes...."), keys("another of thirty-two bytes....."));
    let sid = one.session_of("root", at(0));
    assert_eq!(sid, one.session_of("root", at(0)));
    assert_eq!(FamilyKeys::start_of(&sid), Some(at(0)));
    assert!(one.is_session(&sid) && !other.is_session(&sid));
    let mut changed = sid.clone();
    changed.replace_range(0..1, if sid.starts_with('0') { "1" } else { "0" });
    for claim in ["", "abc", &sid[1..], &changed, &"é".repeat(20), &"0".repeat(40)] {
        assert!(!one.is_session(claim), "{claim}");
    }
    let ids = [one.successor_of("a"), one.access_of("a"), one.successor_of("b"), other.successor_of("a")];
    for (index, id) in ids.iter().enumerate() {
        assert_eq!((id.len(), &id[12..13]), (32, "4"), "as uuid4().hex");
        assert!(!ids[..index].contains(id));
    }
}

#[test]
fn r2_reuse_ends_the_family() {
    let rule = rule();
    let judged = |facts: &FamilyFacts, now| rule.judge(facts, true, at(now));
    assert!(matches!(judged(&exchanged(100, false), 110), Verdict::Again(successor) if successor.jti == "child"));
    assert_eq!(judged(&exchanged(100, false), 111), Verdict::End(Why::Reused), "after the window");
    assert_eq!(judged(&exchanged(100, true), 101), Verdict::End(Why::Reused), "after the child was used");
    let by_django = FamilyFacts { blacklisted_at: Some(at(100)), ..facts() };
    assert_eq!(judged(&by_django, 110), Verdict::Refuse(Why::Blacklisted), "a lost answer of Django's");
    assert_eq!(judged(&by_django, 111), Verdict::End(Why::Reused));
    let ended =
        FamilyFacts { session: with_session(|session| session.ended_at = Some(at(1))).session, ..exchanged(100, true) };
    assert_eq!(judged(&ended, 101), Verdict::Refuse(Why::Ended));
}

#[test]
fn r3_the_window_is_short_and_nothing_is_strict() {
    let strict = Rule { window: SignedDuration::ZERO, ..rule() };
    assert_eq!(strict.judge(&exchanged(100, false), true, at(100)), Verdict::End(Why::Reused));
    // Another node's clock is ahead.
    assert!(matches!(rule().judge(&exchanged(103, false), true, at(100)), Verdict::Again(_)));
}

#[test]
fn r4_limits_are_those_begun_with_and_those_set_now() {
    let good = |facts: &FamilyFacts, rule: &Rule, now| rule.judge(facts, true, at(now));
    let begun = with_session(|session| session.expires_at = Some(at(50)));
    assert_eq!(good(&begun, &rule(), 49), Verdict::Good);
    assert_eq!(good(&begun, &rule(), 50), Verdict::Refuse(Why::Expired));
    let sooner = Rule { absolute: Some(SignedDuration::from_secs(20)), ..rule() };
    assert_eq!(good(&begun, &sooner, 20), Verdict::Refuse(Why::Expired));
    let later = Rule { absolute: Some(SignedDuration::from_secs(80)), ..rule() };
    assert_eq!(good(&begun, &later, 50), Verdict::Refuse(Why::Expired), "a longer setting revives nothing");
    let idle = Rule { idle: Some(SignedDuration::from_secs(30)), ..rule() };
    assert_eq!(good(&facts(), &idle, 29), Verdict::Good);
    assert_eq!(good(&facts(), &idle, 30), Verdict::Refuse(Why::Idle));
    let idle_begun = with_session(|session| session.idle_expires_at = Some(at(5)));
    assert_eq!(good(&idle_begun, &rule(), 5), Verdict::Refuse(Why::Idle));
}

#[test]
fn r7_a_token_that_the_database_should_know_is_refused() {
    let without_session = FamilyFacts { session: None, is_recorded: false, is_outstanding: false, ..facts() };
    assert_eq!(rule().judge(&without_session, true, at(1)), Verdict::Refuse(Why::Unrecorded));
    assert_eq!(rule().judge(&without_session, false, at(1)), Verdict::Good, "Django's, seen for the first time");
    let voided = FamilyFacts { blacklisted_at: Some(at(0)), ..without_session };
    assert_eq!(rule().judge(&voided, false, at(1)), Verdict::Refuse(Why::Blacklisted));
    let later_than_the_backup = FamilyFacts { is_recorded: false, is_outstanding: false, ..facts() };
    assert_eq!(rule().judge(&later_than_the_backup, true, at(1)), Verdict::End(Why::Unrecorded));
    // Without the blacklist app Django records nothing of what it rotates.
    let alone = Rule { has_blacklist: false, ..rule() };
    assert_eq!(alone.judge(&later_than_the_backup, true, at(1)), Verdict::Good);
}
