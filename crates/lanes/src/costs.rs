//! What a round costs on each path: measured once, or given.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::backend::{Backend, Backends};
use crate::job::Job;
use crate::kernels::{Kernel, Kind};

/// How long one round takes each loop of each back end, in picoseconds. A loop takes the same time whether or not all its
/// lanes hold jobs, so one figure for each of its widths is the whole model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs([u64; Kind::ALL.len()]);

impl Costs {
    /// Figures of one core of a Xeon of 2023 at 3.0 GHz, which has all back ends. With these, choices do
    /// not depend on the machine and its load: for tests, and where measuring is not wanted.
    #[must_use]
    pub const fn typical() -> Self {
        Self([111_000, 95_000, 136_000, 198_000, 768_000, 391_000, 535_000])
    }

    /// Measures the loops of `backends` on this machine now, which takes some 3 ms; others stay [typical](Self::typical).
    ///
    /// Of several short runs the quickest counts, and the loops take turns, so that a neighbour's burst does not decide.
    #[must_use]
    pub fn measure(backends: Backends) -> Self {
        const PASSES: usize = 8;
        /// Long enough for the clock's grain, short enough to fit between two interruptions.
        const SAMPLE_PICOS: u64 = 50_000_000;
        let mut jobs: [Job; crate::MAX_WIDTH] = std::array::from_fn(|_| Job::new(b"", b"", NonZeroU32::MAX));
        let mut costs = Self::typical();
        let mut quickest = [u64::MAX; Kind::ALL.len()];
        for _ in 0..PASSES {
            for kernel in Kernel::all(backends) {
                let kind = kernel.kind();
                let rounds = u32::try_from(SAMPLE_PICOS / Self::typical().of(kind)).unwrap_or(1);
                let start = Instant::now();
                kernel.advance(&mut jobs[..kind.width()], rounds);
                let picos = picos(start.elapsed()) / u64::from(rounds);
                quickest[kind as usize] = quickest[kind as usize].min(picos.max(1));
                costs.0[kind as usize] = quickest[kind as usize];
            }
        }
        costs
    }

    /// The same with one figure replaced: `backend` takes `picos` picoseconds for a round of `jobs` jobs, and as long for
    /// fewer jobs that need the same loop.
    #[must_use]
    pub fn with(mut self, backend: Backend, jobs: usize, picos: u64) -> Self {
        if let Some(kind) = loop_for(backend, jobs) {
            self.0[kind as usize] = picos;
        }
        self
    }

    /// Picoseconds in which `backend` does one round of `jobs` jobs in one call; `None` where it cannot take that many.
    pub fn round_picos(&self, backend: Backend, jobs: usize) -> Option<u64> {
        loop_for(backend, jobs).map(|kind| self.of(kind))
    }

    /// Picoseconds in which a loop does one round.
    pub(crate) const fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }
}

/// The narrowest loop of `backend` that takes `jobs` jobs.
fn loop_for(backend: Backend, jobs: usize) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.backend() == backend && kind.width() >= jobs)
}

fn picos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_width_of_a_back_end_has_its_figure() {
        let costs = Costs::typical().with(Backend::ShaNi, 2, 7);
        assert_eq!(costs.round_picos(Backend::ShaNi, 2), Some(7));
        assert_eq!(costs.round_picos(Backend::ShaNi, 3), Costs::typical().round_picos(Backend::ShaNi, 3));
        assert_eq!(costs.round_picos(Backend::ShaNi, 4), None);
        assert_eq!(costs.round_picos(Backend::Avx512, 3), costs.round_picos(Backend::Avx512, 8));
        assert_ne!(costs.round_picos(Backend::Avx512, 9), costs.round_picos(Backend::Avx512, 8));
    }

    #[test]
    fn measuring_leaves_alone_what_it_may_not_run() {
        let portable = Backends::only(Backend::Portable).expect("runs anywhere");
        let costs = Costs::measure(portable);
        assert_eq!(costs.round_picos(Backend::Avx512, 16), Costs::typical().round_picos(Backend::Avx512, 16));
        assert!(costs.round_picos(Backend::Portable, 1).is_some_and(|picos| picos > 0));
    }
}
