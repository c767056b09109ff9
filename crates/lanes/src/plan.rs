//! Which loop takes how many jobs: the choice, made once from what the CPU has and what each loop costs.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::MAX_WIDTH;
use crate::backend::Backends;
use crate::batch::Batch;
use crate::costs::Costs;
use crate::job::Job;
use crate::kernels::Kernel;

/// The quickest way to advance any number of jobs by a round, and what it costs. A small value to copy about.
#[derive(Clone, Copy, Debug)]
pub struct Lanes {
    /// For each number of jobs: the loop that takes the first of them. The rest go by their own number.
    first: [Kernel; MAX_WIDTH + 1],
    /// For each number of jobs: picoseconds of one round of all.
    picos: [u64; MAX_WIDTH + 1],
}

impl Lanes {
    /// Uses all that this CPU has, measured now (some 3 ms).
    #[must_use]
    pub fn detect() -> Self {
        let backends = Backends::detect();
        Self::new(backends, &Costs::measure(backends))
    }

    /// Uses `backends` where `costs` say that they are quickest.
    #[must_use]
    pub fn new(backends: Backends, costs: &Costs) -> Self {
        let any = Kernel::all(backends).next().expect("a set of back ends is never empty");
        let mut lanes = Self { first: [any; MAX_WIDTH + 1], picos: [0; MAX_WIDTH + 1] };
        for jobs in 1..=MAX_WIDTH {
            let total = |kernel: &Kernel| {
                let rest = jobs - kernel.kind().width().min(jobs);
                costs.of(kernel.kind()).saturating_add(lanes.picos[rest])
            };
            let first = Kernel::all(backends).min_by_key(total).unwrap_or(any);
            lanes.picos[jobs] = total(&first);
            lanes.first[jobs] = first;
        }
        lanes
    }

    /// Picoseconds of one round of `jobs` jobs side by side. More than [`MAX_WIDTH`] are taken in turns.
    pub fn round_picos(&self, jobs: usize) -> u64 {
        let full = (jobs / MAX_WIDTH) as u64;
        full.saturating_mul(self.picos[MAX_WIDTH]).saturating_add(self.picos[jobs % MAX_WIDTH])
    }

    /// How long `jobs` jobs take side by side for `rounds` rounds each.
    pub fn time(&self, jobs: usize, rounds: u32) -> Duration {
        Duration::from_nanos(self.round_picos(jobs).saturating_mul(u64::from(rounds)) / 1_000)
    }

    /// How many of `pending` jobs to run at once: the fewest with which the time for each hash is within 3 % of the least
    /// that can be had. Beyond that number, more lanes make every job wait and none come out sooner.
    pub fn best_width(&self, pending: usize) -> usize {
        let most = pending.clamp(1, MAX_WIDTH);
        // A width is better when its picoseconds for each job are fewer: a / m < b / n, without dividing.
        let by_rate = |&m: &usize, &n: &usize| (self.picos[m] * n as u64).cmp(&(self.picos[n] * m as u64));
        let best = (1..=most).min_by(by_rate).unwrap_or(1);
        let is_close = |&n: &usize| self.picos[n] * best as u64 * 97 <= self.picos[best] * n as u64 * 100;
        (1..=best).find(is_close).unwrap_or(best)
    }

    /// Fills `output` with the derived key of RFC 8018 §5.2, its blocks side by side, and returns when it is there. For one
    /// key at a time; a [`Batch`] takes many that come and go.
    ///
    /// # Panics
    /// When `output` is longer than the 2³² − 1 blocks that PBKDF2 can make.
    pub fn derive(&self, password: &[u8], salt: &[u8], rounds: NonZeroU32, output: &mut [u8]) {
        let count = output.len().div_ceil(32);
        assert!(u32::try_from(count).is_ok(), "derived key too long");
        let mut blocks = (1..=u32::MAX).filter_map(NonZeroU32::new).zip(output.chunks_mut(32));
        let mut batch = Batch::new(*self, self.best_width(count));
        loop {
            let wanted = batch.room();
            for (index, place) in blocks.by_ref().take(wanted) {
                let job = Job::for_block(password, salt, rounds, index);
                batch.insert(job, place).expect("no more than there is room for");
            }
            if batch.is_empty() {
                return;
            }
            batch.advance(u32::MAX);
            for (place, block) in batch.take_finished() {
                place.copy_from_slice(&block.expose()[..place.len()]);
            }
        }
    }

    /// Advances each of `jobs` by `rounds`, at most what the least of them has to go.
    pub(crate) fn advance(&self, mut jobs: &mut [Job], rounds: u32) {
        while !jobs.is_empty() {
            let kernel = self.first[jobs.len().min(MAX_WIDTH)];
            let (group, rest) = jobs.split_at_mut(kernel.kind().width().min(jobs.len()));
            kernel.advance(group, rounds);
            jobs = rest;
        }
    }
}
