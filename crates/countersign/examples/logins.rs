//! Logins a second through the scheduler, in this process and without HTTP, for several numbers of clients at once and several
//! sets of back ends in turn.
//!
//! ```text
//! cargo run --release -p countersign --example logins -- [rounds] [seconds for each figure]
//! ```

use std::time::{Duration, Instant};

use countersign::settings::{Backend, Backends};
use countersign::{Authority, Credentials, Settings};
use countersign_formats::jwt::{HmacAlgorithm, HmacSecret, SigningKey};
use countersign_formats::password::{Algorithm, Hashers, Password, WorkFactors};
use countersign_store::{DatabaseUrl, InstalledApps, Store, StoreOptions};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u32>());
    let rounds = numbers.next().unwrap_or(Ok(1_000_000))?;
    let seconds = Duration::from_secs(numbers.next().unwrap_or(Ok(4))?.into());
    let all = Backends::detect();
    let narrower = [Backend::Avx512, Backend::Avx2, Backend::ShaNi].into_iter().scan(all, |set, backend| {
        *set = set.without(backend);
        Some(*set)
    });
    let mut sets = vec![all];
    for set in narrower {
        if sets.last() != Some(&set) {
            sets.push(set);
        }
    }
    println!("{rounds} rounds; logins a second, and milliseconds of one login (median)");
    let names: Vec<String> = sets.iter().map(|set| format!("{:>28}", format!("{set:?}"))).collect();
    println!("{:>8}  {}", "clients", names.concat());
    for clients in [1, 2, 8, 32, 128] {
        print!("{clients:>8}  ");
        for set in &sets {
            let (rate, median) = measure(rounds, *set, clients, seconds).await?;
            print!("{:>28}", format!("{rate:.1} ({median:.0} ms)"));
        }
        println!();
    }
    Ok(())
}

/// Logins a second of `clients` who each log in again and again, and the median of their times in milliseconds.
async fn measure(rounds: u32, backends: Backends, clients: u32, length: Duration) -> Outcome<(f64, f64)> {
    let authority = authority(rounds, backends).await?;
    let start = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let authority = authority.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                while start.elapsed() < length {
                    let begun = Instant::now();
                    // An unknown user costs what any other does.
                    if authority.login(Credentials::new("nobody", Password::new("sesame"))).await.is_ok() {
                        times.push(begun.elapsed().as_secs_f64() * 1e3);
                    }
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await?);
    }
    let taken = start.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let served = u32::try_from(times.len())?;
    Ok((f64::from(served) / taken, times[times.len() / 2]))
}

async fn authority(rounds: u32, backends: Backends) -> Outcome<Authority> {
    let store = Store::open(&"sqlite::memory:".parse::<DatabaseUrl>()?, StoreOptions::default()).await?;
    store.migrate(&InstalledApps::default(), "2026-01-01T00:00:00Z".parse()?).await?;
    let secret = HmacSecret::new("a secret that is long enough for this example")?;
    let mut settings = Settings::new(SigningKey::hmac(HmacAlgorithm::Hs256, &secret));
    let mut factors = WorkFactors::default();
    factors.pbkdf2_sha256_iterations = rounds;
    settings.hashers = Hashers::new(vec![Algorithm::Pbkdf2Sha256], factors)?;
    settings.hashing.backends = backends;
    settings.hashing.deadline = Duration::from_mins(10);
    settings.throttling.logins = None;
    Ok(Authority::builder(store, settings).build().await?)
}
