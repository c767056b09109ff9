//! Running a target over its seeds and over mutations of them, without libFuzzer.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::mutate::Mutator;
use crate::targets::Target;

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

/// Runs the seeds, then so many mutations of them; says how many inputs that were. The same `number` makes the same mutations.
///
/// # Errors
/// The first [`Finding`].
pub fn fuzz(target: &Target, seeds: &[Vec<u8>], mutations: u64, number: u64) -> Result<u64, Finding> {
    let mut runs = 0;
    for seed in seeds {
        run(target, seed)?;
        runs += 1;
    }
    let mut mutator = Mutator::new(number);
    for _ in 0..mutations {
        run(target, &mutator.mutate(seeds, target.words))?;
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
