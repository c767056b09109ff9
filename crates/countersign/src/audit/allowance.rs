//! How many events of a kind are told: a burst, then so many a second. The rest is counted.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;

/// What is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    /// At once, after a quiet time.
    pub(super) burst: i64,
    /// Microseconds from one to the next, in the long run.
    pub(super) every: i64,
}

impl Allowance {
    /// So many at once, and so many a second in the long run.
    pub(super) const fn of(burst: i64, per_second: i64) -> Self {
        Self { burst, every: 1_000_000 / per_second }
    }

    /// One a minute.
    pub(super) const SELDOM: Self = Self { burst: 1, every: 60_000_000 };
}

/// Counts the events of one kind. The rate is kept as one instant, the one at which the burst would be whole again (the generic
/// cell rate algorithm, ITU-T I.371), so that no lock is needed.
#[derive(Debug)]
pub(super) struct Meter {
    /// Microseconds since the epoch.
    whole_at: AtomicI64,
    withheld: AtomicU64,
    /// How many of those withheld have been said.
    said: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        Self { whole_at: AtomicI64::new(i64::MIN), withheld: AtomicU64::new(0), said: AtomicU64::new(0) }
    }
}

impl Meter {
    /// Whether one more is told; `None` allows any number.
    pub(super) fn admits(&self, allowance: Option<Allowance>, now: Timestamp) -> bool {
        let Some(Allowance { burst, every }) = allowance else { return true };
        let now = now.as_microsecond();
        let advanced = self.whole_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |whole_at| {
            let from = whole_at.max(now);
            (from - now <= every * (burst - 1)).then_some(from + every)
        });
        if advanced.is_err() {
            self.withheld.fetch_add(1, Ordering::Relaxed);
        }
        advanced.is_ok()
    }

    /// How many were not told.
    pub(super) fn withheld(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }

    /// How many were not told since this was last asked.
    pub(super) fn unsaid(&self) -> u64 {
        let withheld = self.withheld();
        withheld.saturating_sub(self.said.swap(withheld, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_750_000_000_000 + millis).expect("in range")
    }

    #[test]
    fn a_burst_then_a_rate_and_the_rest_is_counted() {
        let (meter, allowance) = (Meter::default(), Some(Allowance::of(3, 2)));
        let admitted = |millis| (0..10).filter(|_| meter.admits(allowance, at(millis))).count();
        assert_eq!(admitted(0), 3);
        assert_eq!(admitted(499), 0);
        assert_eq!(admitted(500), 1);
        assert_eq!(admitted(60_000), 3, "whole again, and no more than whole");
        assert_eq!(meter.withheld(), 40 - 7);
        assert_eq!((meter.unsaid(), meter.unsaid()), (33, 0));
    }

    #[test]
    fn a_clock_that_goes_back_lets_nothing_more_through() {
        let (meter, allowance) = (Meter::default(), Some(Allowance::of(2, 1)));
        assert_eq!((0..5).filter(|_| meter.admits(allowance, at(0))).count(), 2);
        assert!(!meter.admits(allowance, at(-3_600_000)));
        assert!(meter.admits(None, at(0)));
    }
}
