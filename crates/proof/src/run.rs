//! Running a target over its seeds and over mutations of them, without libFuzzer.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::mutate::Mutator;
use crate::targets::Target;

/// How long to go on after the seeds.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    /// So many mutations.
    Runs(u64),
    /// As many as fit.
    Time(Duration),
}

/// An input for which an invariant does not hold.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The input.
    pub input: Vec<u8>,
    /// What the target panicked with.
    pub message: String,
}

/// The seeds of a target: every file of `folder`, in the order of their names.
///
/// # Errors
/// The folder or a file cannot be read.
pub fn seeds(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    files.iter().map(std::fs::read).collect()
}

/// Runs the seeds, then mutations of them; says how many inputs that were. The same `number` makes the same mutations.
///
/// # Errors
/// The first [`Finding`].
pub fn fuzz(target: &Target, seeds: &[Vec<u8>], budget: Budget, number: u64) -> Result<u64, Finding> {
    let mut runs = 0;
    for seed in seeds {
        run(target, seed)?;
        runs += 1;
    }
    let mut mutator = Mutator::new(number);
    let start = Instant::now();
    let mut mutations = 0;
    while match budget {
        Budget::Runs(most) => mutations < most,
        Budget::Time(most) => start.elapsed() < most,
    } {
        run(target, &mutator.mutate(seeds, target.words))?;
        mutations += 1;
    }
    Ok(runs + mutations)
}

fn run(target: &Target, input: &[u8]) -> Result<(), Finding> {
    catch_unwind(AssertUnwindSafe(|| (target.check)(input))).map_err(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        Finding { input: input.to_vec(), message }
    })
}
