//! What the counters of throttles and logins take of memory and time when every request comes from somewhere else (SECURITY A4).
//!
//! ```text
//! cargo run --release -p countersign --example throttle_memory -- [millions of names]
//! ```

use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use countersign::{Authority, ClientAddress, Counted, Ident, Scheme, Settings, Throttle};
use countersign_formats::jwt::{HmacAlgorithm, HmacSecret, SigningKey};
use countersign_store::{DatabaseUrl, InstalledApps, Store, StoreOptions};
use http::HeaderMap;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let millions: u128 = std::env::args().nth(1).map_or(Ok(10), |text| text.parse())?;
    let authority = authority().await?;
    let memory = authority.settings().throttling.memory;
    let rate = "5/day".parse()?;
    let policy =
        authority.throttle_policy(&[Throttle { scope: "anon".to_owned(), rate, counts: Counted::Anonymous }])?;
    let nobody = authority.authenticate(&[Scheme::Jwt], &HeaderMap::new(), ClientAddress::UNKNOWN).await.result?;
    println!("one scope of {rate} in {} MiB; every request from another /64", memory >> 20);
    println!("{:>12} {:>12} {:>14} {:>16}", "requests", "let through", "resident, MiB", "ns a request");
    let (mut admitted, mut asked) = (0_u64, 0_u128);
    let before = resident()?;
    for step in 0..10 {
        let begun = Instant::now();
        for number in step * millions * 100_000..(step + 1) * millions * 100_000 {
            let address = Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) + (number << 64));
            let ident = Ident::Address(ClientAddress::new(IpAddr::V6(address)));
            admitted += u64::from(authority.throttle(&policy, &nobody, &ident).await.is_ok());
            asked += 1;
        }
        let each = begun.elapsed().as_nanos() / (millions * 100_000);
        println!("{asked:>12} {admitted:>12} {:>14.1} {each:>16}", resident()? - before);
    }
    Ok(())
}

async fn authority() -> Outcome<Authority> {
    let store = Store::open(&"sqlite::memory:".parse::<DatabaseUrl>()?, StoreOptions::default()).await?;
    store.migrate(&InstalledApps::default(), "2025-06-15T15:06:40Z".parse()?).await?;
    let secret = HmacSecret::new("django-insecure-but-long-enough-for-an-example")?;
    let settings = Settings::new(SigningKey::hmac(HmacAlgorithm::Hs256, &secret));
    Ok(Authority::builder(store, settings).build().await?)
}

/// Mebibytes of this process in memory.
fn resident() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kibibytes: u32 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(f64::from(kibibytes) / 1024.0)
}
