//! Does the time of a refused login tell who exists (SECURITY A1)? Measures refused logins of five kinds of users, interleaved,
//! alone and beside other logins, and prints Welch's t for each pair: beyond about 4.5 either way, times differ.
//!
//! ```text
//! cargo run --release -p countersign --example timing -- [rounds] [samples of each kind] [other logins at once]
//! ```
//!
//! Each pair is compared twice: over all samples, and over those below the common ninetieth percentile, which drops most of what
//! the machine's other work added.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use countersign::{Authority, Credentials, Settings};
use countersign_formats::jwt::{HmacAlgorithm, HmacSecret, SigningKey};
use countersign_formats::password::{Algorithm, Hashers, Password, SaltEntropy, WorkFactors};
use countersign_store::{DatabaseUrl, InstalledApps, NewUser, Store, StoreOptions};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Username and the password that is tried. All are refused.
const KINDS: [(&str, &str); 6] = [
    ("unknown", "sesame"),
    ("wrong", "not sesame"),
    ("inactive", "sesame"),
    ("unusable", "sesame"),
    ("half-rounds", "not sesame"),
    ("malformed", "sesame"),
];

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u32>());
    let mut number = |default| numbers.next().unwrap_or(Ok(default));
    let (rounds, samples, load) = (number(20_000)?, number(2_000)?, number(24)?);
    let authority = authority(rounds).await?;
    println!("{rounds} rounds, {samples} samples of each kind");
    report("alone", &measure(&authority, samples).await?);

    let is_done = Arc::new(AtomicBool::new(false));
    let others: Vec<_> = (0..load)
        .map(|_| {
            let (authority, is_done) = (authority.clone(), Arc::clone(&is_done));
            tokio::spawn(async move {
                while !is_done.load(Ordering::Relaxed) {
                    let _refused = authority.login(Credentials::new("wrong", Password::new("load"))).await;
                }
            })
        })
        .collect();
    report(&format!("beside {load} others"), &measure(&authority, samples).await?);
    is_done.store(true, Ordering::Relaxed);
    for other in others {
        other.await?;
    }
    println!("{:?}", authority.hashing_stats());
    Ok(())
}

/// An authority over a database in memory with a user of each kind.
async fn authority(rounds: u32) -> Outcome<Authority> {
    let store = Store::open(&"sqlite::memory:".parse::<DatabaseUrl>()?, StoreOptions::default()).await?;
    let now = "2026-01-01T00:00:00Z".parse()?;
    store.migrate(&InstalledApps::default(), now).await?;
    let hashers = |rounds| {
        let mut factors = WorkFactors::default();
        factors.pbkdf2_sha256_iterations = rounds;
        Hashers::new(vec![Algorithm::Pbkdf2Sha256], factors)
    };
    let encode = |rounds| -> Outcome<String> {
        Ok(hashers(rounds)?.encode(&Password::new("sesame"), SaltEntropy::new([7; 32]))?)
    };
    let (full, half) = (encode(rounds)?, encode(rounds / 2)?);
    for (username, password) in [
        ("wrong", full.as_str()),
        ("inactive", full.as_str()),
        ("unusable", "!no password at all"),
        ("half-rounds", half.as_str()),
        ("malformed", "pbkdf2_sha256$rounds$salt$digest"),
    ] {
        let user = NewUser {
            username: username.to_owned(),
            encoded_password: password.to_owned(),
            is_active: username != "inactive",
            date_joined: now,
            ..NewUser::default()
        };
        store.create_user(user).await?;
    }
    let secret = HmacSecret::new("a secret that is long enough for this example")?;
    let mut settings = Settings::new(SigningKey::hmac(HmacAlgorithm::Hs256, &secret));
    settings.hashers = hashers(rounds)?;
    settings.throttling.logins = None;
    Ok(Authority::builder(store, settings).build().await?)
}

/// Microseconds of each kind's logins. In each pass the kinds come in another order.
async fn measure(authority: &Authority, samples: u32) -> Outcome<Vec<Vec<f64>>> {
    let mut times = vec![Vec::new(); KINDS.len()];
    let mut order: Vec<usize> = (0..KINDS.len()).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..samples {
        for last in (1..order.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            order.swap(last, usize::try_from(state >> 33)? % (last + 1));
        }
        for &kind in &order {
            let (username, password) = KINDS[kind];
            let start = Instant::now();
            let user = authority.login(Credentials::new(username, Password::new(password))).await?;
            times[kind].push(start.elapsed().as_secs_f64() * 1e6);
            assert!(user.is_none(), "{username} is refused");
        }
    }
    Ok(times)
}

/// The times and t of each pair, the greater t of a kind with the unknown user first.
fn report(what: &str, times: &[Vec<f64>]) {
    let mut all: Vec<f64> = times.iter().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    let bound = all[all.len() * 9 / 10];
    let cropped: Vec<Vec<f64>> =
        times.iter().map(|times| times.iter().copied().filter(|time| *time <= bound).collect()).collect();
    println!("\n{what}: median and mean in µs");
    for ((name, _), times) in KINDS.iter().zip(times) {
        let mut sorted = times.clone();
        sorted.sort_by(f64::total_cmp);
        println!("  {name:<12} {:>10.1} {:>10.1}", sorted[sorted.len() / 2], mean(times));
    }
    println!("{:<28} {:>8} {:>8}", "Welch's t", "all", "cropped");
    for first in 0..KINDS.len() {
        for second in first + 1..KINDS.len() {
            let pair = format!("{} / {}", KINDS[first].0, KINDS[second].0);
            let (raw, below) = (welch(&times[first], &times[second]), welch(&cropped[first], &cropped[second]));
            println!("  {pair:<26} {raw:>8.2} {below:>8.2}");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "samples are few")]
fn mean(times: &[f64]) -> f64 {
    times.iter().sum::<f64>() / times.len() as f64
}

/// B. L. Welch 1947: the difference of means over its standard error.
#[expect(clippy::cast_precision_loss, reason = "samples are few")]
fn welch(first: &[f64], second: &[f64]) -> f64 {
    let error = |times: &[f64]| {
        let mean = mean(times);
        let squares: f64 = times.iter().map(|time| (time - mean).powi(2)).sum();
        squares / (times.len() as f64 - 1.0) / times.len() as f64
    };
    (mean(first) - mean(second)) / (error(first) + error(second)).sqrt()
}
