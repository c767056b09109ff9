//! How soon a logout is known to three nodes, and what knowing costs a check: `scripts/revocation`.
//!
//! ```text
//! revocation propagation URL ROUNDS [TOML]   three nodes on a database, with more lines of configuration
//! revocation checks MARKS                    checks in a second with that many marks, against none kept at all
//! ```

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use countersign::clock::{Clock as _, SystemClock};
use countersign::{Authority, Client, ClientAddress, Credentials, Scheme};
use countersign_formats::password::{Algorithm, Hashers, Password, SaltEntropy, WorkFactors};
use countersign_server::{App, Config};
use countersign_store::{DatabaseUrl, InstalledApps, NewUser, Store, StoreOptions};
use http::HeaderMap;
use http::header::AUTHORIZATION;

const SECRET: &str = "secret";
/// Of each kind of check, so many turns of that long, one after the other, so that a slow moment slows all kinds.
const TURNS: usize = 40;
const TURN: Duration = Duration::from_millis(100);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["propagation", url, rounds] => propagation(url, rounds.parse()?, ""),
        ["propagation", url, rounds, more] => propagation(url, rounds.parse()?, more),
        ["checks", marks] => checks(marks.parse()?),
        _ => bail!("revocation propagation URL ROUNDS [TOML] | revocation checks MARKS"),
    }
}

fn configuration(url: &str, more: &str) -> anyhow::Result<Config> {
    Ok(Config::from_text(&format!(
        "secret_key = \"only-for-this-measurement-0123456789-0123456789\"\ndatabase_url = \"{url}\"\nbind = \"127.0.0.1:0\"\n\
         [auth]\nhashing_threads = 1\n[auth.pbkdf2_sha256]\niterations = 1\n\
         [[protected]]\npath = \"/stateless/\"\nauthentication = [\"jwt_stateless\"]\n{more}"
    ))?)
}

/// A migrated database with a user `ann`.
async fn prepared(url: &str) -> anyhow::Result<()> {
    let url: DatabaseUrl = url.parse()?;
    let store = Store::open(&url, StoreOptions { create: true, ..StoreOptions::default() }).await?;
    let now = SystemClock.now();
    store.migrate(&InstalledApps::default(), now).await?;
    store.install_triggers(&store.user_field("id").await?).await?;
    let mut work = WorkFactors::default();
    work.pbkdf2_sha256_iterations = 1;
    let hashers = Hashers::new(vec![Algorithm::Pbkdf2Sha256], work)?;
    let encoded_password = hashers.encode(&Password::new(SECRET), SaltEntropy::new([7; 32]))?;
    store
        .create_user(NewUser { username: "ann".into(), encoded_password, date_joined: now, ..NewUser::default() })
        .await?;
    store.close().await;
    Ok(())
}

fn propagation(url: &str, rounds: usize, more: &str) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(prepared(url))?;
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let app = runtime.block_on(App::build(configuration(url, more)?))?;
        let listener = runtime.block_on(app.bind())?;
        nodes.push((listener.local_addr()?, app.authority().clone()));
        runtime.spawn(app.serve(listener, std::future::pending()));
    }
    let mut delays = Vec::new();
    for round in 0..rounds {
        let (_, authority) = &nodes[round % 3];
        let credentials = Credentials::new("ann", Password::new(SECRET));
        let pair = runtime.block_on(authority.obtain_pair(credentials)).map_err(anyhow::Error::new)?;
        let ready = Barrier::new(nodes.len() + 1);
        let delay = std::thread::scope(|scope| -> anyhow::Result<Duration> {
            let (pair, ready) = (&pair, &ready);
            let askers: Vec<_> = nodes
                .iter()
                .map(|(address, _)| scope.spawn(move || last_acceptance(*address, &pair.access, ready)))
                .collect();
            // The askers run; the logout happens at one of the nodes.
            ready.wait();
            let begun = Instant::now();
            runtime
                .block_on(nodes[(round + 1) % 3].1.blacklist(&pair.refresh, Client::default()))
                .map_err(anyhow::Error::new)?;
            let mut last = Duration::ZERO;
            for asker in askers {
                let accepted = asker.join().map_err(|_| anyhow::anyhow!("an asker panicked"))??;
                last = last.max(accepted.saturating_duration_since(begun));
            }
            Ok(last)
        })?;
        delays.push(delay);
    }
    delays.sort();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a list"
        )]
        let place = ((delays.len() - 1) as f64 * share).round() as usize;
        delays[place].as_secs_f64() * 1e3
    };
    println!(
        "from the request to log out to the last acceptance at any of three nodes, {rounds} rounds, ms: p50 {:.1}, p99 {:.1}, most {:.1}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}

/// Asks one node over and over until it refuses; gives when its last acceptance arrived.
fn last_acceptance(address: SocketAddr, token: &str, ready: &Barrier) -> anyhow::Result<Instant> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let request = format!("GET /stateless/ HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer {token}\r\n\r\n");
    let mut ask = || -> anyhow::Result<bool> {
        stream.write_all(request.as_bytes())?;
        let mut answer = [0; 4096];
        let count = stream.read(&mut answer)?;
        let head = std::str::from_utf8(&answer[..count])?;
        match head.get(9..12).context("an answer")? {
            "200" => Ok(true),
            "401" => Ok(false),
            other => bail!("status {other}"),
        }
    };
    let is_good = ask();
    ready.wait();
    if !is_good? {
        bail!("a good token was refused");
    }
    let begun = Instant::now();
    let mut last = begun;
    while ask()? {
        last = Instant::now();
        if last - begun > Duration::from_mins(1) {
            bail!("accepted a minute after the logout");
        }
    }
    Ok(last)
}

fn checks(marks: i64) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:///{}", folder.path().join("db.sqlite3").display());
    runtime.block_on(prepared(&url))?;
    rusqlite::Connection::open(folder.path().join("db.sqlite3"))?.execute(
        "WITH RECURSIVE n (n) AS (SELECT 0 WHERE $1 > 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < $1)
         INSERT INTO countersign_revocation (kind, subject, not_before)
         SELECT CASE n % 3 WHEN 0 THEN 'user' WHEN 1 THEN 'session' ELSE 'token' END,
                CASE n % 3 WHEN 0 THEN CAST(n + 1000000 AS text) ELSE printf('%040x', n) END, $2
         FROM n",
        [marks, SystemClock.now().as_millisecond()],
    )?;
    let kept = runtime.block_on(App::build(configuration(&url, "")?))?;
    let plain = runtime.block_on(App::build(configuration(&url, "[sessions]\nenabled = false\n")?))?;
    let token = |app: &App| -> anyhow::Result<HeaderMap> {
        let credentials = Credentials::new("ann", Password::new(SECRET));
        let pair = runtime.block_on(app.authority().obtain_pair(credentials)).map_err(anyhow::Error::new)?;
        Ok(HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {}", pair.access).parse()?)]))
    };
    let (with_session, without) = (token(&kept)?, token(&plain)?);
    let kinds = [
        ("sessions on, a token of theirs", kept.authority(), &with_session),
        ("sessions off, the same token", plain.authority(), &with_session),
        ("sessions off, a token of SimpleJWT's", plain.authority(), &without),
    ];
    let mut rates = [const { Vec::new() }; 3];
    for _ in 0..TURNS {
        for ((_, authority, headers), rates) in kinds.iter().zip(&mut rates) {
            rates.push(runtime.block_on(turn(authority, headers)));
        }
    }
    let stats = kept.authority().revocation_stats().context("sessions are on")?;
    #[expect(clippy::cast_precision_loss, reason = "for show")]
    let bytes = if stats.marks == 0 { 0.0 } else { stats.bytes as f64 / stats.marks as f64 };
    println!("{} marks, {bytes:.1} bytes a mark", stats.marks);
    let medians = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    for ((name, ..), median) in kinds.iter().zip(medians) {
        println!("{name}: {median:.0} checks/s, ratio of the first to it {:.3}", medians[0] / median);
    }
    Ok(())
}

/// Checks in a second, on one thread.
async fn turn(authority: &Authority, headers: &HeaderMap) -> f64 {
    let (begun, mut count) = (Instant::now(), 0_u32);
    while begun.elapsed() < TURN {
        for _ in 0..256 {
            let checked = authority.authenticate(&[Scheme::JwtStateless], headers, ClientAddress::UNKNOWN).await;
            assert!(checked.result.is_ok_and(|identity| identity.is_authenticated()), "let in");
        }
        count += 256;
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}
