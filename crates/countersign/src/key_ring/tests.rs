use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign_formats::jwt::{Algorithm, HmacAlgorithm, HmacSecret, sign};

use super::*;

fn now() -> Timestamp {
    Timestamp::from_second(1_750_000_000).expect("a moment")
}

fn settings() -> SimpleJwt {
    let secret = HmacSecret::new("a secret of thirty-two bytes....").expect("a secret");
    SimpleJwt::new(SigningKey::hmac(HmacAlgorithm::Hs256, &secret))
}

fn ladder_key(seed: u8, state: KeyState, share: u32) -> LadderKey {
    let key = SigningKey::from_seed(Algorithm::EdDsa, &[seed; 32]).expect("a key").named(format!("k{seed}"));
    LadderKey { key, state, share }
}

fn token(key: &SigningKey) -> String {
    let claims: Object =
        [("token_type", "access".into()), ("exp", 1_750_000_300.into()), ("jti", "a".into()), ("user_id", "17".into())]
            .into_iter()
            .collect();
    sign(&claims, key)
}

fn accepts(ring: &KeyRing, settings: &SimpleJwt, key: &SigningKey) -> bool {
    ring.current().decode(token(key).as_bytes(), settings, now()).is_ok()
}

#[test]
fn the_ladder_says_who_signs_and_what_is_accepted() {
    let settings = settings();
    let ring = KeyRing::new(&settings);
    assert!(accepts(&ring, &settings, &settings.signing_key));
    let [published, retired] = [ladder_key(1, KeyState::Published, 0), ladder_key(2, KeyState::Retired, 0)];
    ring.put_ladder(LadderKeys {
        configured: (KeyState::Signing, 100),
        others: vec![published.clone(), retired.clone()],
    });
    assert!(accepts(&ring, &settings, &settings.signing_key) && accepts(&ring, &settings, &published.key));
    assert!(!accepts(&ring, &settings, &retired.key));
    assert_eq!(ring.current().signing_for("00").and_then(SigningKey::kid), None);
    assert!(ring.current().key_set().contains(r#""kid":"k1""#) && !ring.current().key_set().contains("k2"));

    let promoted = ladder_key(1, KeyState::Signing, 100);
    ring.put_ladder(LadderKeys { configured: (KeyState::Accepted, 0), others: vec![promoted.clone()] });
    assert_eq!(ring.current().signing_for("00").and_then(SigningKey::kid), Some("k1"));
    assert_eq!(ring.take_seen().len(), 1, "the published key, whose token was seen above");
    for _ in 0..3 {
        assert!(accepts(&ring, &settings, &settings.signing_key) && accepts(&ring, &settings, &promoted.key));
    }
    let seen = ring.take_seen();
    let [SeenKey { kid, uses }] = &seen[..] else { panic!("{seen:?}") };
    assert!(kid.starts_with("settings-"), "{kid}");
    assert_eq!((uses[0].client.as_str(), uses[0].tokens, uses[0].seen_at), ("user 17 (access)", 3, now()));
    assert!(ring.take_seen().is_empty());
    ring.put_back_seen(seen[0].clone());
    assert_eq!(ring.take_seen()[0].uses, seen[0].uses, "what could not be written is not lost");

    ring.put_ladder(LadderKeys { configured: (KeyState::Retired, 0), others: vec![promoted.clone()] });
    assert!(!accepts(&ring, &settings, &settings.signing_key) && accepts(&ring, &settings, &promoted.key));
}

#[test]
fn shares_are_kept() {
    let settings = settings();
    let ring = KeyRing::new(&settings);
    ring.put_ladder(LadderKeys {
        configured: (KeyState::Signing, 90),
        others: vec![ladder_key(1, KeyState::Signing, 10)],
    });
    let keys = ring.current();
    let risen = (0..10_000_u32).filter(|number| {
        let jti = format!("{:032x}", u128::from(number.wrapping_mul(0x9E37_79B9)));
        let key = keys.signing_for(&jti).and_then(SigningKey::kid);
        assert_eq!(key, keys.signing_for(&jti).and_then(SigningKey::kid), "every time the same");
        key == Some("k1")
    });
    let risen = risen.count();
    assert!((900..1100).contains(&risen), "{risen} of 10,000");
    assert!(keys.signing_for("no digits").is_some());
}

/// J3: a flood of tokens with kids that nobody knows: ten a second for ten minutes.
#[tokio::test(start_paused = true)]
async fn j3_unknown_kids_have_keys_fetched_every_thirty_seconds_at_most() {
    let mut settings = settings();
    settings.fetches_keys = true;
    settings.verifying_keys.clear();
    let ring = Arc::new(KeyRing::new(&settings));
    ring.fetch_begins();
    let fetches = Arc::new(AtomicUsize::new(0));
    let fetcher = tokio::spawn({
        let (ring, fetches) = (Arc::clone(&ring), Arc::clone(&fetches));
        async move {
            loop {
                ring.fetch_wanted(Duration::from_hours(24)).await;
                fetches.fetch_add(1, Ordering::Relaxed);
                ring.fetch_ended();
            }
        }
    });
    let mut waited = 0;
    for _ in 0..6000 {
        let fetching = ring.fetching.as_ref().expect("keys are fetched");
        waited += usize::from(fetching.fetched_anew().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    fetcher.abort();
    let fetches = fetches.load(Ordering::Relaxed);
    assert!((15..=20).contains(&fetches), "{fetches} in 600 seconds");
    assert_eq!(waited, fetches, "whoever asked was served by what was fetched");
}

/// Keys that were fetched stand in the place of those fetched before, beside the configuration's.
#[test]
fn fetched_keys_take_the_place_of_older_ones() {
    let mut settings = settings();
    settings.fetches_keys = true;
    let ring = KeyRing::new(&settings);
    let [old, new] = [1, 2].map(|seed| ladder_key(seed, KeyState::Published, 0).key);
    ring.put_fetched(vec![old.verifying_key().demanding_kid()]);
    assert!(accepts(&ring, &settings, &old) && accepts(&ring, &settings, &settings.signing_key));
    ring.put_fetched(vec![new.verifying_key().demanding_kid()]);
    assert!(!accepts(&ring, &settings, &old) && accepts(&ring, &settings, &new));
    ring.put_fetched(Vec::new());
    assert!(!accepts(&ring, &settings, &new));
}
