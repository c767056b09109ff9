//! Throws random mutations of the seeds at each target for some seconds, on a stable compiler.
//!
//! ```text
//! fuzz SEEDS-FOLDER SECONDS [TARGET…]
//! ```
//!
//! Prints how many inputs each target took. Stops at the first finding, whose input it writes to `fuzz/artifacts/TARGET/`.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use countersign_proof::{Budget, TARGETS, fuzz, seeds};

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("name the folder of the seeds")?;
    let seconds: f64 = arguments.next().context("say how many seconds")?.parse()?;
    let names: Vec<String> = arguments.collect();
    if let Some(name) = names.iter().find(|name| TARGETS.iter().all(|target| target.name != **name)) {
        bail!("there is no target {name}");
    }
    let number = std::env::var("COUNTERSIGN_FUZZ_SEED").ok().map_or(Ok(1), |text| text.parse())?;
    let mut total = 0;
    for target in TARGETS.iter().filter(|target| names.is_empty() || names.iter().any(|name| name == target.name)) {
        let seeds = seeds(&Path::new(&folder).join(target.name)).with_context(|| target.name)?;
        let start = Instant::now();
        match fuzz(target, &seeds, Budget::Time(Duration::from_secs_f64(seconds)), number) {
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
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    println!("{:16} {total:>12} inputs", "total");
    Ok(ExitCode::SUCCESS)
}
