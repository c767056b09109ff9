//! How many lanes each worker runs, so that the most hashes come out in a second.

use std::collections::BTreeSet;

use countersign_lanes::{Lanes, MAX_WIDTH};

/// The best split of any number of jobs among any number of workers, worked out once from what a round costs at each width.
///
/// Widths that are not worth their time ([`Lanes::best_width`]) are not used; jobs beyond what the split takes wait.
#[derive(Debug)]
pub(super) struct Plan {
    /// For one worker and more, for each number of jobs: the lanes of the one that has the most.
    widest: Vec<Vec<u8>>,
}

impl Plan {
    /// Plans for up to `workers` workers.
    pub(super) fn new(lanes: &Lanes, workers: usize) -> Self {
        /// So that hashes a picosecond are whole numbers.
        const SCALE: u64 = 1 << 50;
        let widths: BTreeSet<usize> = (1..=MAX_WIDTH).map(|jobs| lanes.best_width(jobs)).collect();
        let rate = |width: usize| width as u64 * (SCALE / lanes.round_picos(width).max(1));
        let most = workers * MAX_WIDTH;
        let mut rates = vec![0_u64; most + 1];
        let mut widest = Vec::with_capacity(workers);
        for _ in 0..workers {
            let split = |jobs: usize| {
                let splits = widths.iter().take_while(|&&width| width <= jobs);
                splits.map(|&width| (rate(width).saturating_add(rates[jobs - width]), width)).max().unwrap_or_default()
            };
            let best: Vec<(u64, usize)> = (0..=most).map(split).collect();
            widest.push(best.iter().map(|&(_, width)| u8::try_from(width).unwrap_or(u8::MAX)).collect());
            rates = best.into_iter().map(|(rate, _)| rate).collect();
        }
        Self { widest }
    }

    /// The lanes of the worker that comes in place `rank` by their number, zero having the most, when `workers` share `jobs`.
    pub(super) fn width(&self, workers: usize, jobs: usize, rank: usize) -> usize {
        let mut jobs = jobs.min(workers * MAX_WIDTH);
        let mut width = 0;
        for widest in self.widest[..workers].iter().rev().take(rank + 1) {
            width = usize::from(widest[jobs]);
            jobs -= width;
        }
        width
    }
}

#[cfg(test)]
mod tests {
    use countersign_lanes::{Backend, Backends, Costs};

    use super::*;

    fn split(lanes: &Lanes, workers: usize, jobs: usize) -> Vec<usize> {
        let plan = Plan::new(lanes, 4);
        (0..workers).map(|rank| plan.width(workers, jobs, rank)).collect()
    }

    #[test]
    fn jobs_are_spread_where_there_are_no_lanes() {
        let lanes = Lanes::new(Backends::only(Backend::Portable).expect("runs anywhere"), &Costs::typical());
        assert_eq!(split(&lanes, 2, 0), [0, 0]);
        assert_eq!(split(&lanes, 2, 1), [1, 0]);
        assert_eq!(split(&lanes, 2, 2), [1, 1]);
        assert_eq!(split(&lanes, 2, 40), [1, 1]);
        assert_eq!(split(&lanes, 4, 3), [1, 1, 1, 0]);
    }

    /// What the figures of a CPU with everything lead to: both cores before lanes, full batches before halves.
    #[test]
    fn typical_costs_fill_cores_then_lanes() {
        let all = Backends::detect();
        if !Backend::ALL.into_iter().all(|backend| all.contains(backend)) {
            eprintln!("not tested: this CPU lacks a back end, it has {all:?}");
            return;
        }
        let lanes = Lanes::new(all, &Costs::typical());
        for (jobs, expected) in [
            (1, [1, 0]),
            (2, [1, 1]),
            (3, [2, 1]),
            (4, [2, 2]),
            (10, [8, 2]),
            (16, [8, 8]),
            (18, [16, 2]),
            (32, [16, 16]),
            (500, [16, 16]),
        ] {
            assert_eq!(split(&lanes, 2, jobs), expected, "{jobs} jobs");
        }
        assert_eq!(split(&lanes, 1, 7), [lanes.best_width(7)]);
        assert_eq!(split(&lanes, 4, 4), [1; 4]);
    }

    /// No other split into the same widths gives more hashes a second.
    #[test]
    fn no_split_is_better_than_the_planned_one() {
        let lanes = Lanes::new(Backends::detect(), &Costs::typical());
        let rate = |width: usize| if width == 0 { 0 } else { width as u64 * (1 << 50) / lanes.round_picos(width) };
        for jobs in 0..=32 {
            let planned: u64 = split(&lanes, 2, jobs).into_iter().map(rate).sum();
            for first in 0..=jobs.min(MAX_WIDTH) {
                let second = (jobs - first).min(MAX_WIDTH);
                let other: u64 = [first, second].into_iter().map(|most| rate(lanes.best_width(most).min(most))).sum();
                assert!(other / 1_000 <= planned / 999, "{jobs} jobs: {first} and {second}");
            }
        }
    }
}
