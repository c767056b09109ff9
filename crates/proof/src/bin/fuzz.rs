//! Throws random mutations of the seeds at each target, on a stable compiler: the same ones each time for the same number.
//!
//! ```text
//! fuzz SEEDS-FOLDER MUTATIONS [TARGET…]
//! ```
//!
//! `COUNTERSIGN_FUZZ_SEED` makes others. Prints how many inputs each target took. Each finding's input is written to
//! `fuzz/artifacts/TARGET/`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context as _, bail};
use countersign_proof::{TARGETS, Target, fuzz, seeds};

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("name the folder of the seeds")?;
    let mutations: u64 = arguments.next().context("say how many mutations")?.parse()?;
    let names: Vec<String> = arguments.collect();
    if let Some(name) = names.iter().find(|name| TARGETS.iter().all(|target| target.name != **name)) {
        bail!("there is no target {name}");
    }
    let number = std::env::var("COUNTERSIGN_FUZZ_SEED").ok().map_or(Ok(1), |text| text.parse())?;
    let is_wanted = |target: &&Target| names.is_empty() || names.iter().any(|name| name == target.name);
    let queue = Mutex::new(TARGETS.iter().filter(is_wanted));
    let next = || queue.lock().expect("no panic while it is held").next();
    let work = || -> anyhow::Result<(u64, u64)> {
        let (mut total, mut findings) = (0, 0);
        while let Some(target) = next() {
            let start = Instant::now();
            let seeds = seeds(&Path::new(&folder).join(target.name)).with_context(|| target.name)?;
            match fuzz(target, &seeds, mutations, number) {
                Ok(runs) => {
                    println!("{:16} {runs:>12} inputs in {:.1} s", target.name, start.elapsed().as_secs_f64());
                    total += runs;
                }
                Err(finding) => {
                    let artifacts = Path::new("fuzz/artifacts").join(target.name);
                    std::fs::create_dir_all(&artifacts)?;
                    let file = artifacts.join("finding");
                    std::fs::write(&file, &finding.input)?;
                    println!("{}: {}\ninput: {}", target.name, finding.message, file.display());
                    findings += 1;
                }
            }
        }
        Ok((total, findings))
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut total, mut findings) = (0, 0);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let counts = worker.join().map_err(|_| anyhow::anyhow!("a thread crashed"))??;
            total += counts.0;
            findings += counts.1;
        }
        anyhow::Ok(())
    })?;
    println!("{:16} {total:>12} inputs, {findings} findings", "total");
    Ok(if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
