//! Milliseconds for a hash of 1,000,000 rounds: each back end at each number of jobs, beside RustCrypto's `pbkdf2`.
//!
//!     cargo bench -p countersign-lanes
//!
//! All take turns in short runs, and of each the quickest counts, so that the ratios hold on a machine with other work.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Instant;

use countersign_lanes::{Backend, Backends, Batch, Costs, Job, Lanes, MAX_WIDTH};

const ROUNDS: u32 = 1_000_000;
/// Rounds of one run, some 1 to 20 ms.
const SAMPLE: u32 = 20_000;
const PASSES: usize = 15;

fn main() {
    let rustcrypto = ("RustCrypto".to_owned(), None);
    let forced = Backends::detect().iter().filter_map(|backend| Some((backend.to_string(), Backends::only(backend)?)));
    let all = [
        ("without avx512".to_owned(), Backends::detect().without(Backend::Avx512)),
        ("all".to_owned(), Backends::detect()),
    ];
    let lanes = forced.chain(all).map(|(name, set)| (name, Some(Lanes::new(set, &Costs::measure(set)))));
    let paths: Vec<_> = std::iter::once(rustcrypto).chain(lanes).collect();

    let mut quickest = vec![[f64::INFINITY; MAX_WIDTH]; paths.len()];
    for _ in 0..PASSES {
        for (column, (_, lanes)) in quickest.iter_mut().zip(&paths) {
            let widest = lanes.map_or(1, |_| MAX_WIDTH);
            for (quickest, jobs) in column.iter_mut().zip(1..=widest) {
                *quickest = quickest.min(sample(*lanes, jobs));
            }
        }
    }

    println!("ms for {ROUNDS} rounds of all jobs / for each job");
    print!("jobs");
    for (name, _) in &paths {
        print!("{name:>16}");
    }
    println!();
    for (jobs, row) in (1_u32..).zip(0..MAX_WIDTH) {
        print!("{jobs:>4}");
        for all in quickest.iter().map(|column| column[row]) {
            let cell =
                if all.is_finite() { format!("{all:.0} / {:.1}", all / f64::from(jobs)) } else { "-".to_owned() };
            print!("{cell:>16}");
        }
        println!();
    }
    println!("picoseconds of a round, calibrated: {:?}", Costs::measure(Backends::detect()));
}

/// Milliseconds that `jobs` jobs of [`ROUNDS`] rounds would take, from one run of fewer.
fn sample(lanes: Option<Lanes>, jobs: usize) -> f64 {
    let rounds = NonZeroU32::new(SAMPLE).expect("not zero");
    let start = Instant::now();
    if let Some(lanes) = lanes {
        let mut batch = Batch::new(lanes, jobs);
        for job in 0..jobs {
            batch.insert(Job::new(b"correct horse", b"battery staple", rounds), job).expect("there is room");
        }
        batch.advance(SAMPLE);
        black_box(batch.take_finished().count());
    } else {
        let mut digest = [0; 32];
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(b"correct horse", b"battery staple", SAMPLE, &mut digest);
        black_box(digest);
    }
    start.elapsed().as_secs_f64() * 1e3 * f64::from(ROUNDS) / f64::from(SAMPLE)
}
