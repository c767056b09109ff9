//! What is deleted, against a model that looks at every row.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_formats::jwt::{HmacAlgorithm, HmacSecret, SigningKey};
use countersign_store::{
    DatabaseUrl, EventFilter, EventRow, InstalledApps, OutstandingToken, Presented, Store, StoreOptions,
};
use proptest::prelude::*;

use super::*;
use crate::settings::Settings;
use crate::testing::FixedClock;

const START: i64 = 1_750_000_000;

/// What happens between two rounds.
#[derive(Debug, Clone)]
struct Step {
    /// Seconds that pass.
    wait: i64,
    /// Tokens that are given out, by how long they live and whether they are blacklisted.
    tokens: Vec<(i64, bool)>,
    /// Which token's end is moved, and by how much.
    moved: Option<(usize, i64)>,
    events: usize,
    batch: u32,
}

fn step() -> impl Strategy<Value = Step> {
    let token = (prop_oneof![0..400_i64, 0..100_000_i64], any::<bool>());
    let (wait, moved) = (prop_oneof![0..600_i64, 0..50_000_i64], proptest::option::of((any::<usize>(), 0..5000_i64)));
    (wait, proptest::collection::vec(token, 0..60), moved, 0..5_usize, 1..60_u32)
        .prop_map(|(wait, tokens, moved, events, batch)| Step { wait, tokens, moved, events, batch })
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).expect("in range")
}

async fn authority(clock: &Arc<FixedClock>) -> Authority {
    let url: DatabaseUrl = "sqlite::memory:".parse().expect("an address");
    let store = Store::open(&url, StoreOptions::default()).await.expect("opened");
    store.migrate(&InstalledApps::default(), at(0)).await.expect("migrated");
    let secret = HmacSecret::new("0123456789012345678901234567890123456789").expect("a secret");
    let mut settings = Settings::new(SigningKey::hmac(HmacAlgorithm::Hs256, &secret));
    settings.simple_jwt.rules.leeway = SignedDuration::from_secs(30);
    settings.hashing.threads = 1;
    settings.audit.log = false;
    Authority::builder(store, settings).clock(Arc::<FixedClock>::clone(clock)).build().await.expect("built")
}

async fn is_there(store: &Store, jti: &str) -> bool {
    let presented =
        Presented { jti: jti.to_owned(), sid: String::new(), subject: None, begins: None, has_blacklist: true };
    store.family_facts(&presented).await.expect("read").is_outstanding
}

async fn run(steps: Vec<Step>) {
    let clock = Arc::new(FixedClock::new(at(0)));
    let authority = authority(&clock).await;
    let store = authority.store().clone();
    let settings = PruningSettings {
        django_tables: true,
        keep_events: Some(SignedDuration::from_secs(1000)),
        ..PruningSettings::default()
    };
    let mut pruner = Pruner::new(authority, settings);
    // Tokens by id: when each ends, and whether it is void.
    let mut tokens: HashMap<String, (i64, bool)> = HashMap::new();
    let (mut events, mut now, mut given): (Vec<i64>, i64, usize) = (Vec::new(), 0, 0);
    for step in steps {
        now += step.wait;
        clock.set(at(now));
        for (lives, is_void) in step.tokens {
            let (jti, exp) = (format!("t{given}"), now + lives);
            given += 1;
            let token = OutstandingToken {
                jti: jti.clone(),
                token: String::new(),
                created_at: None,
                expires_at: at(exp),
                user: None,
            };
            if is_void {
                store.blacklist(&token, at(now)).await.expect("written");
            } else {
                store.record_outstanding(&token).await.expect("written");
            }
            tokens.insert(jti, (exp, is_void));
        }
        if let Some((pick, by)) = step.moved {
            let jti = format!("t{}", pick % given.max(1));
            if let Some((exp, _)) = tokens.get_mut(&jti) {
                store.move_expiry(&jti, at(*exp + by)).await.expect("written");
                *exp += by;
            }
        }
        for _ in 0..step.events {
            let row = EventRow {
                at: at(now),
                kind: "login".into(),
                user: None,
                account: None,
                address: None,
                agent: None,
                session: None,
                detail: None,
            };
            store.record_events(Arc::new([row])).await.expect("written");
            events.push(now);
        }
        pruner.settings.batch = step.batch;
        pruner.batch = step.batch;
        let counts = pruner.round().await.expect("pruned");
        let before = tokens.len();
        // Five minutes and the leeway.
        let gone: Vec<String> =
            tokens.iter().filter(|(_, (exp, _))| exp + 330 <= now).map(|(jti, _)| jti.clone()).collect();
        for jti in &gone {
            assert!(!is_there(&store, jti).await, "{jti} is deleted");
            assert!(!store.is_blacklisted(jti).await.expect("read"));
            tokens.remove(jti);
        }
        assert_eq!(counts.outstanding, (before - tokens.len()) as u64);
        for (jti, (_, is_void)) in &tokens {
            assert!(is_there(&store, jti).await, "{jti} lives");
            assert_eq!(store.is_blacklisted(jti).await.expect("read"), *is_void);
        }
        let kept = events.len();
        events.retain(|at| at + 1000 > now);
        assert_eq!(counts.own, (kept - events.len()) as u64);
        let filter = EventFilter { since: Timestamp::UNIX_EPOCH, kind: None, of: None, limit: 10_000 };
        assert_eq!(store.events(&filter).await.expect("read").len(), events.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn exactly_what_has_ended_is_deleted(steps in proptest::collection::vec(step(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(run(steps));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_known_spares_the_next_walk() {
    let clock = Arc::new(FixedClock::new(at(0)));
    let authority = authority(&clock).await;
    let store = authority.store().clone();
    for id in 0..500 {
        let lives = if id < 250 { 100_000 } else { 200_000 };
        let token = OutstandingToken {
            jti: id.to_string(),
            token: String::new(),
            created_at: None,
            expires_at: at(lives),
            user: None,
        };
        store.record_outstanding(&token).await.expect("written");
    }
    let settings = PruningSettings { django_tables: true, batch: 50, ..PruningSettings::default() };
    let mut pruner = Pruner::new(authority, settings);
    assert_eq!(pruner.round().await.expect("pruned").outstanding, 0);
    assert_eq!(pruner.known.len(), 10);
    assert_eq!(pruner.past_known(i64::MIN, at(1000)), 500, "nothing to look at but what is new");
    clock.set(at(150_000));
    assert_eq!(pruner.round().await.expect("pruned").outstanding, 250);
    assert_eq!(pruner.past_known(i64::MIN, at(150_000)), 500);
    clock.set(at(300_000));
    assert_eq!(pruner.round().await.expect("pruned").outstanding, 250);
    assert!(pruner.known.len() <= 2, "empty stretches are one: {:?}", pruner.known);
}
