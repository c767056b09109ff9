//! When a job that comes now would be done: what is ahead of it, at what a round costs and at how fast rounds went lately.

use std::time::Duration;

use countersign_lanes::{Lanes, MAX_WIDTH};

/// Picoseconds of one iteration's worth of work that is no PBKDF2-HMAC-SHA256, on the machine on which
/// [`estimated_cost`](countersign_formats::password::estimated_cost) was measured. The pace makes up for other machines.
pub(super) const WHOLE_ROUND_PICOS: u64 = 95_000;

/// Work in iterations of PBKDF2-HMAC-SHA256, parted by how it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Jobs in lanes.
    pub(super) lane_jobs: usize,
    /// Their iterations.
    pub(super) lane_rounds: u64,
    /// Iterations' worth of jobs that take a thread whole.
    pub(super) whole_rounds: u64,
}

impl Load {
    /// Whether it is nothing.
    pub(super) fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

impl std::ops::AddAssign for Load {
    fn add_assign(&mut self, other: Self) {
        self.lane_jobs += other.lane_jobs;
        self.lane_rounds = self.lane_rounds.saturating_add(other.lane_rounds);
        self.whole_rounds = self.whole_rounds.saturating_add(other.whole_rounds);
    }
}

impl std::ops::SubAssign for Load {
    fn sub_assign(&mut self, other: Self) {
        self.lane_jobs -= other.lane_jobs;
        self.lane_rounds -= other.lane_rounds;
        self.whole_rounds -= other.whole_rounds;
    }
}

/// Costs and pace.
#[derive(Debug)]
pub(super) struct Forecast {
    lanes: Lanes,
    workers: usize,
    /// What recent work should have taken and what it took, in nanoseconds: slower than planned when checks come first.
    planned: u64,
    taken: u64,
}

impl Forecast {
    /// The pace forgets half of what it knows after so many nanoseconds.
    const MEMORY: u64 = 500_000_000;

    /// The greatest slowness that is believed: beyond that, something stood still once.
    const SLOWEST: u64 = 16;

    pub(super) fn new(lanes: Lanes, workers: usize) -> Self {
        Self { lanes, workers, planned: 0, taken: 0 }
    }

    /// Learns how long work took that should have taken `planned`.
    pub(super) fn learn(&mut self, planned: Duration, taken: Duration) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let planned = nanos(planned);
        self.planned = self.planned.saturating_add(planned);
        self.taken = self.taken.saturating_add(nanos(taken).min(planned.saturating_mul(Self::SLOWEST)));
        while self.planned > Self::MEMORY {
            self.planned /= 2;
            self.taken /= 2;
        }
    }

    /// How long a job takes until it is done, behind `ahead` and with `own` iterations, in lanes or taking a thread whole.
    pub(super) fn time(&self, ahead: Load, own: Load) -> Duration {
        let jobs = (ahead.lane_jobs + own.lane_jobs).max(1);
        let width = self.lanes.best_width(jobs.div_ceil(self.workers).min(MAX_WIDTH));
        let served = u128::from(own.lane_rounds) * u128::from(self.lanes.round_picos(width))
            + u128::from(own.whole_rounds) * u128::from(WHOLE_ROUND_PICOS);
        self.at_pace(self.shared(ahead, width) + served)
    }

    /// How much later others are done for a job that is ahead of them, where many are.
    pub(super) fn delay(&self, job: Load) -> Duration {
        self.at_pace(self.shared(job, self.lanes.best_width(MAX_WIDTH)))
    }

    /// Picoseconds in which all workers together, with lanes of this width, do so much.
    fn shared(&self, load: Load, width: usize) -> u128 {
        let lanes = u128::from(load.lane_rounds) * u128::from(self.lanes.round_picos(width)) / width as u128;
        (lanes + u128::from(load.whole_rounds) * u128::from(WHOLE_ROUND_PICOS)) / self.workers as u128
    }

    /// The time that so many picoseconds of the plan take at the present pace.
    fn at_pace(&self, picos: u128) -> Duration {
        let nanos = picos / 1_000;
        let nanos = if self.planned == 0 {
            nanos
        } else {
            // Never quicker than planned: a pace is learnt from little.
            nanos * u128::from(self.taken.max(self.planned)) / u128::from(self.planned)
        };
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use countersign_lanes::{Backend, Backends, Costs};

    use super::*;

    /// A round takes 100 ns, one job at a time, on two workers.
    fn forecast() -> Forecast {
        let portable = Backends::only(Backend::Portable).expect("runs anywhere");
        Forecast::new(Lanes::new(portable, &Costs::typical().with(Backend::Portable, 1, 100_000)), 2)
    }

    fn jobs(count: usize) -> Load {
        Load { lane_jobs: count, lane_rounds: 1_000_000 * count as u64, whole_rounds: 0 }
    }

    #[test]
    fn a_job_waits_for_what_is_ahead_shared_by_the_workers() {
        let forecast = forecast();
        assert_eq!(forecast.time(Load::default(), jobs(1)), Duration::from_millis(100));
        assert_eq!(forecast.time(jobs(10), jobs(1)), Duration::from_millis(600));
        let whole = Load { whole_rounds: 4_000_000, ..Load::default() };
        assert_eq!(forecast.time(whole, jobs(1)), Duration::from_millis(290));
        assert_eq!(forecast.delay(jobs(1)), Duration::from_millis(50));
    }

    #[test]
    fn a_pace_below_the_plan_is_counted_with_and_forgotten() {
        let mut forecast = forecast();
        let millis = Duration::from_millis;
        forecast.learn(millis(100), millis(300));
        assert_eq!(forecast.time(Load::default(), jobs(1)), millis(300));
        for _ in 0..100 {
            forecast.learn(millis(100), millis(100));
        }
        assert!(forecast.time(Load::default(), jobs(1)) < millis(102));
        for _ in 0..100 {
            forecast.learn(millis(100), millis(50));
        }
        assert_eq!(forecast.time(Load::default(), jobs(1)), millis(100), "never quicker than planned");
        forecast.learn(millis(1), Duration::from_hours(1));
        assert!(forecast.time(Load::default(), jobs(1)) < millis(110), "one long stop is not a pace");
    }
}
