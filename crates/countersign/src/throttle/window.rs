//! The arithmetic of DRF's throttles: a list of instants, the newest first. DRF 3.18 `SimpleRateThrottle`.

use std::collections::VecDeque;

use super::SECOND;
use super::rate::Rate;

/// When a client was let through, the newest first. Microseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<i64>);

/// A request is one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Refusal {
    /// Microseconds until a place is free; `None` where there never is one.
    pub wait: Option<i64>,
    /// Whether it may be let through as soon as it is known what becomes of requests that are under way.
    pub is_pending: bool,
}

impl Refusal {
    /// For so many microseconds.
    pub(super) fn until(wait: Option<i64>) -> Self {
        Self { wait, is_pending: false }
    }

    /// Until others are done, which is soon.
    pub(super) fn pending() -> Self {
        Self { wait: Some(SECOND), is_pending: true }
    }

    /// Of a window that holds `count` instants. DRF divides what is left of the oldest one's period by the places that come free,
    /// which is one, or none where the rate is below zero or has fallen.
    pub(super) fn of(rate: Rate, now: i64, count: usize, oldest: Option<i64>) -> Self {
        let left = rate.period - oldest.map_or(0, |oldest| now - oldest);
        let places = rate.requests.saturating_sub(i64::try_from(count).unwrap_or(i64::MAX)).saturating_add(1);
        Self::until((places > 0).then(|| left / places))
    }
}

impl History {
    /// How many instants count at `now`, and the oldest of them. One that is a period old does not count, nor does what is
    /// behind it.
    pub(super) fn counted(&self, period: i64, now: i64) -> (usize, Option<i64>) {
        let passed = self.0.iter().rev().take_while(|instant| **instant <= now - period).count();
        let count = self.0.len() - passed;
        (count, count.checked_sub(1).map(|last| self.0[last]))
    }

    /// Whether nothing counts any more, nor will.
    pub(super) fn has_passed(&self, period: i64, now: i64) -> bool {
        self.0.iter().all(|instant| *instant <= now - period)
    }

    /// Writes a request down and forgets what no longer counts.
    pub(super) fn push(&mut self, period: i64, now: i64) {
        let (count, _) = self.counted(period, now);
        self.0.truncate(count);
        self.0.push_front(now);
    }

    /// Takes one request of that instant out.
    pub(super) fn remove(&mut self, instant: i64) {
        if let Some(place) = self.0.iter().position(|one| *one == instant) {
            self.0.remove(place);
        }
    }

    /// Bytes on the heap now, and after another request of `now`.
    pub(super) fn bytes(&self, period: i64, now: i64) -> (usize, usize) {
        let capacity = self.0.capacity();
        let grown = if self.counted(period, now).0 < capacity { capacity } else { (capacity * 2).max(4) };
        (heap(capacity), heap(grown))
    }
}

/// An allocation of so many instants, its administration included.
fn heap(capacity: usize) -> usize {
    if capacity == 0 { 0 } else { capacity * size_of::<i64>() + 16 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// DRF's code over a plain list, in seconds as floating point numbers.
    struct Model {
        history: Vec<f64>,
        requests: i64,
        duration: f64,
    }

    impl Model {
        /// `allow_request` and, where that says no, `Throttled.wait`.
        fn ask(&mut self, now: f64) -> Result<(), Option<f64>> {
            let mut history = self.history.clone();
            while history.last().is_some_and(|last| *last <= now - self.duration) {
                history.pop();
            }
            if i64::try_from(history.len()).expect("short") >= self.requests {
                let left = history.last().map_or(self.duration, |last| self.duration - (now - last));
                let places = self.requests - i64::try_from(history.len()).expect("short") + 1;
                #[expect(clippy::cast_precision_loss, reason = "small")]
                return Err((places > 0).then(|| (left / places as f64).ceil()));
            }
            history.insert(0, now);
            self.history = history;
            Ok(())
        }
    }

    fn ask(history: &mut History, rate: Rate, now: i64) -> Result<(), Refusal> {
        let (count, oldest) = history.counted(rate.period, now);
        if i64::try_from(count).expect("short") >= rate.requests {
            return Err(Refusal::of(rate, now, count, oldest));
        }
        history.push(rate.period, now);
        Ok(())
    }

    proptest! {
        /// Steps of quarters of a second, so that floating point is exact; clocks may be set back.
        #[test]
        fn a_window_is_drfs_list(
            requests in -1_i64..6,
            seconds in prop::sample::select(vec![1_i64, 60]),
            steps in prop::collection::vec(-8_i32..120, 1..200),
        ) {
            let rate = Rate { requests, period: seconds * 1_000_000 };
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let mut model = Model { history: Vec::new(), requests, duration: seconds as f64 };
            let mut history = History::default();
            let mut quarters = 7_000_000_000_i64;
            for step in steps {
                quarters += i64::from(step);
                #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
                let expected = model.ask(quarters as f64 / 4.0);
                let found = ask(&mut history, rate, quarters * 250_000);
                #[expect(clippy::cast_precision_loss, reason = "small")]
                let found = found.map_err(|refusal| refusal.wait.map(|wait| (wait as f64 / 1e6).ceil()));
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn an_instant_is_taken_out_once() {
        let mut history = History::default();
        for now in [10, 10, 20] {
            history.push(1_000, now);
        }
        history.remove(10);
        history.remove(15);
        assert_eq!(history.counted(1_000, 20), (2, Some(10)));
        assert!(!history.has_passed(1_000, 1_019) && history.has_passed(1_000, 1_020));
    }
}
