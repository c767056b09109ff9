use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + seconds).expect("a moment")
}

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Nodes note within six seconds; tokens live for a day.
fn disuse() -> Disuse {
    Disuse { unused_for: DAY, noted_within: SignedDuration::from_secs(6), longest_life: DAY }
}

/// The database's rows under a sequence of steps.
struct Rows(Vec<KeyRow>);

impl Rows {
    fn ladder(&self, now: Timestamp) -> Ladder {
        Ladder::new(self.0.clone(), "settings", Algorithm::Es256, now)
    }

    fn make(&mut self, step: KeyStep) {
        for (read, row) in step {
            if let Some(known) = self.0.iter_mut().find(|known| known.kid == row.kid) {
                assert_eq!(read.as_ref(), Some(&*known), "a step stands on what was read");
                *known = row;
            } else {
                assert_eq!(read, None, "{row:?}");
                self.0.push(row);
            }
        }
    }

    fn state(&self, kid: &str, now: Timestamp) -> (KeyState, i64) {
        let ladder = self.ladder(now);
        let row = ladder.find(kid).expect("a key");
        (state(row), row.share)
    }
}

/// From the configuration's key to another, rung by rung.
#[test]
fn a_key_climbs_the_ladder() {
    let mut rows = Rows(Vec::new());
    rows.make(rows.ladder(at(0)).generate("new".into(), Algorithm::EdDsa, "sealed".into(), at(0)));
    assert_eq!(rows.state("new", at(0)), (KeyState::Generated, 0));
    let refused = rows.ladder(at(1)).sign_with("new", 10, false, at(1)).unwrap_err();
    assert_eq!(refused.to_string(), "key new is generated; publish it first");
    rows.make(rows.ladder(at(1)).publish("new", at(1)).unwrap());
    let refused = rows.ladder(at(300)).sign_with("new", 10, false, at(300)).unwrap_err();
    assert!(matches!(refused, LadderError::TooSoon { from, .. } if from == at(301)), "{refused}");
    rows.make(rows.ladder(at(301)).sign_with("new", 10, false, at(301)).unwrap());
    assert_eq!(rows.state("settings", at(302)), (KeyState::Signing, 90));
    rows.make(rows.ladder(at(302)).promote("new", false, at(302)).unwrap());
    assert_eq!(rows.state("new", at(303)), (KeyState::Signing, 100));
    assert_eq!(rows.state("settings", at(303)), (KeyState::Accepted, 0));

    let seen = |client: &str, seconds| KeyUse { client: client.into(), tokens: 2, seen_at: at(seconds) };
    let uses = [seen("user 1 (access)", 310), seen("user 2 (refresh)", 320), seen("user 3 (access)", 100)];
    let retire = |rows: &Rows, uses: &[KeyUse], unused_for, now| {
        rows.ladder(now).retire("settings", uses, Disuse { unused_for, ..disuse() }, now)
    };
    let refused = retire(&rows, &uses, SignedDuration::from_secs(90), at(400)).unwrap_err().to_string();
    let (first, second) =
        (refused.find("user 2 (refresh) (2 tokens").unwrap(), refused.find("user 1 (access)").unwrap());
    assert!(first < second && !refused.contains("user 3"), "{refused}");
    assert!(retire(&rows, &uses, SignedDuration::from_secs(73), at(400)).is_ok(), "nobody since 321");
    rows.make(retire(&rows, &uses, DAY * 2, at(302 + 86_400 + 6)).unwrap());
    assert_eq!(rows.state("settings", at(100_000)), (KeyState::Retired, 0));
    let refused = rows.ladder(at(100_000)).promote("settings", true, at(100_000)).unwrap_err();
    assert_eq!(refused.to_string(), "key settings is retired; generate another");
}

/// That nobody was seen tells nothing before every node has looked for so long, and has noted whom it saw.
#[test]
fn s5_no_key_is_retired_before_its_use_can_have_been_seen() {
    let mut rows = Rows(Vec::new());
    rows.make(rows.ladder(at(0)).generate("new".into(), Algorithm::EdDsa, "sealed".into(), at(0)));
    rows.make(rows.ladder(at(0)).publish("new", at(0)).unwrap());
    rows.make(rows.ladder(at(1)).promote("new", true, at(1)).unwrap());
    let retire = |rows: &Rows, kid: &str, unused_for, now| {
        rows.ladder(now).retire(kid, &[], Disuse { unused_for, ..disuse() }, now)
    };
    for (unused_for, from) in [(DAY / 2, at(1 + 43_200 + 6)), (SignedDuration::ZERO, at(7))] {
        let just_before = from.checked_sub(SignedDuration::from_nanos(1)).expect("a moment");
        let refused = retire(&rows, "settings", unused_for, just_before).unwrap_err();
        assert_eq!(refused, LadderError::TooFewSeen { kid: "settings".into(), signed_until: at(1), from });
        assert!(retire(&rows, "settings", unused_for, from).is_ok());
    }
    // Whoever is seen while nodes may still be noting it counts, however short the time that is asked for.
    let uses = [KeyUse { client: "user 1".into(), tokens: 1, seen_at: at(5) }];
    let short = Disuse { unused_for: SignedDuration::ZERO, ..disuse() };
    assert!(matches!(rows.ladder(at(11)).retire("settings", &uses, short, at(11)), Err(LadderError::InUse { .. })));
    assert!(rows.ladder(at(12)).retire("settings", &uses, short, at(12)).is_ok());

    // A share that is taken back has signed; a key that was only published has not.
    rows.make(rows.ladder(at(20)).generate("other".into(), Algorithm::EdDsa, "sealed".into(), at(20)));
    rows.make(rows.ladder(at(20)).publish("other", at(20)).unwrap());
    assert!(retire(&rows, "other", DAY, at(20)).is_ok());
    rows.make(rows.ladder(at(21)).sign_with("other", 10, true, at(21)).unwrap());
    rows.make(rows.ladder(at(22)).sign_with("other", 0, true, at(22)).unwrap());
    assert_eq!(rows.state("other", at(22)), (KeyState::Accepted, 0));
    assert!(matches!(retire(&rows, "other", DAY / 2, at(23)), Err(LadderError::TooFewSeen { .. })));
}

/// S5: in an emergency the other key signs at once, and the private part is erased.
#[test]
fn s5_a_revoked_key_is_gone_at_once() {
    let mut rows = Rows(Vec::new());
    assert_eq!(
        rows.ladder(at(0)).revoke("settings", at(0)).unwrap_err(),
        LadderError::NoOther("settings".into()),
        "somebody must sign"
    );
    rows.make(rows.ladder(at(0)).generate("new".into(), Algorithm::EdDsa, "sealed".into(), at(0)));
    assert!(rows.ladder(at(0)).revoke("settings", at(0)).is_err(), "not a key that nobody knows");
    rows.make(rows.ladder(at(0)).publish("new", at(0)).unwrap());
    rows.make(rows.ladder(at(1)).revoke("settings", at(1)).unwrap());
    assert_eq!(rows.state("new", at(1)), (KeyState::Signing, 100));
    assert_eq!(rows.state("settings", at(1)), (KeyState::Revoked, 0));
    rows.make(rows.ladder(at(2)).generate("newer".into(), Algorithm::EdDsa, "sealed too".into(), at(2)));
    rows.make(rows.ladder(at(2)).publish("newer", at(2)).unwrap());
    rows.make(rows.ladder(at(3)).revoke("new", at(3)).unwrap());
    assert!(rows.0.iter().all(|row| row.sealed.is_empty() || row.kid == "newer"));
}

#[derive(Clone, Debug)]
enum Command {
    Generate,
    Publish(usize),
    SignWith(usize, i64),
    Promote(usize),
    Retire(usize),
    Revoke(usize),
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let command = prop_oneof![
        Just(Command::Generate),
        (0..5_usize).prop_map(Command::Publish),
        (0..5_usize, -1..101_i64).prop_map(|(key, share)| Command::SignWith(key, share)),
        (0..5_usize).prop_map(Command::Promote),
        (0..5_usize).prop_map(Command::Retire),
        (0..5_usize).prop_map(Command::Revoke),
    ];
    prop::collection::vec(command, 0..40)
}

proptest! {
    /// Whatever the commands: all new tokens are signed, by keys that are accepted; a key that signed stays accepted until it is
    /// retired or revoked; what is gone stays gone, without its private part.
    #[test]
    fn no_step_leaves_tokens_unsigned_or_signed_ones_refused(commands in commands()) {
        let mut rows = Rows(Vec::new());
        for (number, command) in commands.into_iter().enumerate() {
            let now = at(i64::try_from(number).expect("small"));
            let ladder = rows.ladder(now);
            let kid = |key: usize| ladder.rows().get(key).map_or("none", |row| row.kid.as_str()).to_owned();
            let (step, ended) = match command {
                Command::Generate => (Ok(ladder.generate(format!("k{number}"), Algorithm::EdDsa, "s".into(), now)), None),
                Command::Publish(key) => (ladder.publish(&kid(key), now), None),
                Command::SignWith(key, share) => (ladder.sign_with(&kid(key), share, true, now), None),
                Command::Promote(key) => (ladder.promote(&kid(key), true, now), None),
                Command::Retire(key) => (ladder.retire(&kid(key), &[], Disuse { unused_for: SignedDuration::from_secs(1), noted_within: SignedDuration::ZERO, ..disuse() }, now), Some(kid(key))),
                Command::Revoke(key) => (ladder.revoke(&kid(key), now), Some(kid(key))),
            };
            let before = ladder.rows().to_vec();
            if let Ok(step) = step {
                rows.make(step);
            }
            let after = rows.ladder(now);
            prop_assert_eq!(after.rows().iter().map(|row| row.share).sum::<i64>(), 100);
            for row in after.rows() {
                prop_assert_eq!(row.share > 0, state(row) == KeyState::Signing);
                let was = before.iter().find(|before| before.kid == row.kid);
                let was_accepted = was.is_some_and(|was| state(was).is_accepted());
                prop_assert!(!was_accepted || state(row).is_accepted() || ended.as_ref() == Some(&row.kid));
                let was_gone = was.is_some_and(|was| matches!(state(was), KeyState::Retired | KeyState::Revoked));
                prop_assert!(!was_gone || was == Some(row));
                prop_assert!(row.sealed.is_empty() || !matches!(state(row), KeyState::Retired | KeyState::Revoked));
            }
        }
    }
}
