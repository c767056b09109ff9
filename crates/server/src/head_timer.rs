//! hyper's deadline for the head of a request, with one timer of the runtime a connection. hyper sets a deadline each time it begins
//! to wait for a head; the runtime would take every one into its wheel and out again, which costs more than finding the user does.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The deadlines of one connection.
pub(crate) struct HeadTimer(Arc<Alarm>);

/// Set to the deadline that was looked at when it rang last, or to an earlier one; what rings too early is set anew.
struct Alarm(Mutex<Pin<Box<tokio::time::Sleep>>>);

/// Waits for one deadline.
struct Deadline {
    at: Instant,
    alarm: Arc<Alarm>,
}

impl HeadTimer {
    /// A timer that takes its first deadline when that is waited for.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Alarm(Mutex::new(Box::pin(tokio::time::sleep(Duration::ZERO))))))
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Deadline { at: deadline, alarm: Arc::clone(&self.0) })
    }

    /// The runtime's time, which tests can stop.
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

impl Alarm {
    /// Whether the deadline has come; if not, the task will be woken when it has, or before.
    fn poll(&self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = tokio::time::Instant::from(deadline);
        if alarm.deadline() > deadline {
            alarm.as_mut().reset(deadline);
        }
        while alarm.as_mut().poll(context).is_ready() {
            if alarm.deadline() == deadline {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.alarm.poll(self.at, context)
    }
}

impl Sleep for Deadline {}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Whether a deadline that is looked at now has come.
    async fn has_come(deadline: &mut Pin<Box<dyn Sleep>>) -> bool {
        std::future::poll_fn(|context| Poll::Ready(deadline.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_neither_early_nor_late() {
        let timer = HeadTimer::new();
        let begun = tokio::time::Instant::now();
        for seconds in 1..5 {
            timer.sleep(SECOND * 3).await;
            assert_eq!(begun.elapsed(), SECOND * 3 * seconds);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_deadlines_alarm_does_not_end_a_later_one() {
        let timer = HeadTimer::new();
        let begun = tokio::time::Instant::now();
        for _ in 0..7 {
            let mut answered = timer.sleep(SECOND * 3);
            assert!(!has_come(&mut answered).await);
            tokio::time::advance(SECOND).await;
            drop(answered);
        }
        timer.sleep(SECOND * 3).await;
        assert_eq!(begun.elapsed(), SECOND * 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_before_the_alarm_is_kept() {
        let timer = HeadTimer::new();
        let mut far = timer.sleep(SECOND * 60);
        assert!(!has_come(&mut far).await);
        timer.sleep(SECOND).await;
        assert!(!has_come(&mut far).await);
        let begun = tokio::time::Instant::now();
        far.await;
        assert_eq!(begun.elapsed(), SECOND * 59);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_has_passed_has_come() {
        let timer = HeadTimer::new();
        let mut deadline = timer.sleep(SECOND);
        tokio::time::advance(SECOND * 2).await;
        assert!(has_come(&mut deadline).await);
    }
}
