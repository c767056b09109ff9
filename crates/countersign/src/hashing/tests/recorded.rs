//! Passwords recorded from Django, judged by the scheduler's threads side by side, against one by one.

use countersign_formats::password::{Algorithm, Hashers, Password, SaltEntropy, Verdict, WorkFactors};

use super::super::Hashing;
use super::*;
use crate::settings::HashingSettings;

/// Password and stored text.
fn lines() -> Vec<(String, String)> {
    let lines: Vec<_> = include_str!("../../../../../testdata/compat/passwords.jsonl")
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let text = |name: &str| line[name].as_str().expect("text").to_owned();
            (text("password"), text("encoded"))
        })
        .collect();
    assert_eq!(lines.len(), 132);
    lines
}

fn entropy() -> SaltEntropy {
    SaltEntropy::new([42; 32])
}

#[tokio::test]
async fn w1_every_recorded_password_is_judged_as_without_a_scheduler() {
    let mut factors = WorkFactors::default();
    factors.pbkdf2_sha256_iterations = 1_000;
    let hashers = Hashers::new(Algorithm::ALL.to_vec(), factors).expect("valid");
    let settings = HashingSettings { queue: 1_000, deadline: Duration::from_hours(1), ..HashingSettings::default() };
    let door = Hashing::start(&settings, &hashers);

    let checks: Vec<_> = lines()
        .into_iter()
        .map(|(password, encoded)| {
            let place = door.admit(ClientAddress::UNKNOWN).expect("room for all");
            let job = hashers.job(Password::new(password.as_str()), Some(&encoded), entropy());
            (password, encoded, tokio::spawn(place.check(job)))
        })
        .collect();
    let mut fresh = Vec::new();
    for (password, encoded, check) in checks {
        let alone = hashers.job(Password::new(password.as_str()), Some(&encoded), entropy()).run();
        let verdict: Verdict = check.await.expect("joined").expect("hashed");
        assert_eq!(verdict, alone, "{encoded}");
        if verdict.must_update {
            let hash = hashers.new_hash(&Password::new(password.as_str()), entropy()).expect("short enough");
            fresh.push((password, door.admit(ClientAddress::UNKNOWN).expect("room").make(hash)));
        }
    }
    assert!(fresh.len() > 50, "{}", fresh.len());
    for (password, made) in fresh {
        let made = made.await.expect("hashed").expect("hashed");
        assert_eq!(made, hashers.encode(&Password::new(password), entropy()).expect("hashed"));
    }
    let stats = door.stats();
    assert!(stats.served > 132 && stats.shed + stats.expired + stats.abandoned == 0, "{stats:?}");
}
