//! The two threads of a worker, and the operating system's priority of each: below the threads that check tokens, so that checks
//! come first on every core.
//!
//! One works only while nothing else wants its core, and gives way the moment something does. Where something always does, it
//! would never be done: then the other takes over for a while, which is merely nicer than others and so has a small share for
//! certain. A thread cannot leave the idle class without privileges (sched(7)), hence two.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::worker::Worker;

/// When a thread lets the other take over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shift {
    /// After so much time at work,
    length: Duration,
    /// if less than this part of it was the processor's: one over so many.
    slowness: u32,
    planned: Duration,
    taken: Duration,
}

impl Shift {
    /// Until the thread has had less than an eighth of its core for a quarter of a second.
    const IDLE: Self = Self::new(Duration::from_millis(250), 8);
    /// A second, whatever it had.
    const NICE: Self = Self::new(Duration::from_secs(1), 0);
    /// For ever.
    pub(super) const ENDLESS: Self = Self::new(Duration::MAX, 0);

    const fn new(length: Duration, slowness: u32) -> Self {
        Self { length, slowness, planned: Duration::ZERO, taken: Duration::ZERO }
    }

    /// Notes work that should have taken `planned`.
    pub(super) fn note(&mut self, planned: Duration, taken: Duration) {
        if self.has_length() {
            (self.planned, self.taken) = (Duration::ZERO, Duration::ZERO);
        }
        self.planned = self.planned.saturating_add(planned);
        self.taken = self.taken.saturating_add(taken);
    }

    /// Whether the other should take over.
    pub(super) fn is_over(&self) -> bool {
        self.has_length() && self.planned.saturating_mul(self.slowness) <= self.taken
    }

    fn has_length(&self) -> bool {
        self.taken >= self.length
    }
}

/// Starts the threads of a worker. Without niceness it is one, like all others.
///
/// # Panics
/// When the operating system gives no thread, as [`std::thread::spawn`].
pub(super) fn start(number: usize, worker: Worker, nice: u8) {
    if nice == 0 {
        let mut worker = worker;
        return spawn(format!("hashing-{number}"), move || {
            worker.run(Shift::ENDLESS);
        });
    }
    let (to_idle, idle) = sync_channel(1);
    let (to_nice, nicer) = sync_channel(1);
    // The channel has room for it.
    let _ = to_idle.send(worker);
    spawn(format!("hashing-{number}"), move || {
        // For where the class is refused; within it, niceness is nothing.
        lower(nice);
        idle_class();
        take_turns(&idle, &to_nice, Shift::IDLE);
    });
    spawn(format!("hashing-{number}n"), move || {
        lower(nice);
        take_turns(&nicer, &to_idle, Shift::NICE);
    });
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().name(name).spawn(work).expect("a thread for password hashing");
}

/// Works whenever the worker comes here, until it ends, here or there.
fn take_turns(here: &Receiver<Worker>, there: &SyncSender<Worker>, shift: Shift) {
    while let Ok(mut worker) = here.recv() {
        if !worker.run(shift) || there.send(worker).is_err() {
            return;
        }
    }
}

/// Lets the calling thread run only while nothing else wants its core (`SCHED_IDLE`). A no-op where there is no such thing.
#[cfg(target_os = "linux")]
fn idle_class() {
    use preempt_rt::sched::{Pid, Scheduler, SchedulerParams, set_scheduler};

    if let Err(error) = set_scheduler(Pid::current_thread(), Scheduler::SCHED_IDLE, SchedulerParams { priority: 0 }) {
        tracing::warn!(%error, "hashing threads are merely nicer than others");
    }
}

/// Lowers the priority of the calling thread by `steps` of niceness. A no-op where threads have no priority of their own.
#[cfg(target_os = "linux")]
fn lower(steps: u8) {
    use rustix::process::{getpriority_process, setpriority_process};

    // On Linux a thread's id means the thread alone: setpriority(2), "C library/kernel differences".
    let thread = Some(rustix::thread::gettid());
    let lowered =
        getpriority_process(thread).and_then(|now| setpriority_process(thread, (now + i32::from(steps)).min(19)));
    if let Err(error) = lowered {
        tracing::warn!(%error, "hashing threads keep the priority of all others");
    }
}

/// There is no such class here.
#[cfg(not(target_os = "linux"))]
fn idle_class() {}

/// Threads have no priority of their own here.
#[cfg(not(target_os = "linux"))]
fn lower(_steps: u8) {}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: Duration = Duration::from_millis(1);

    #[test]
    fn a_thread_that_gets_its_core_works_on() {
        let mut shift = Shift::IDLE;
        for _ in 0..10_000 {
            shift.note(CHUNK, CHUNK * 7);
            assert!(!shift.is_over());
        }
    }

    #[test]
    fn a_thread_that_gets_next_to_nothing_is_relieved() {
        let mut shift = Shift::IDLE;
        shift.note(CHUNK, Duration::from_millis(200));
        assert!(!shift.is_over(), "it may be this once");
        shift.note(CHUNK, Duration::from_millis(200));
        assert!(shift.is_over());
    }

    #[test]
    fn what_was_long_ago_does_not_count() {
        let mut shift = Shift::IDLE;
        for _ in 0..1_000 {
            shift.note(CHUNK, CHUNK);
        }
        let mut is_over = || {
            shift.note(CHUNK, CHUNK * 40);
            shift.is_over()
        };
        assert!((0..7).any(|_| is_over()), "a quarter of a second later");
    }

    #[test]
    fn a_relief_lasts_a_second() {
        let mut shift = Shift::NICE;
        shift.note(Duration::ZERO, Duration::from_millis(999));
        assert!(!shift.is_over());
        shift.note(CHUNK, CHUNK);
        assert!(shift.is_over());
        let mut shift = Shift::ENDLESS;
        shift.note(Duration::ZERO, Duration::from_hours(1));
        assert!(!shift.is_over());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_the_calling_thread_is_lowered() {
        use preempt_rt::sched::{Pid, Scheduler, get_scheduler};
        use rustix::process::getpriority_process;

        let before = getpriority_process(None).expect("a priority");
        let inside = std::thread::spawn(|| {
            lower(3);
            idle_class();
            let class = get_scheduler(Pid::current_thread()).expect("a class");
            (getpriority_process(Some(rustix::thread::gettid())).expect("a priority"), class)
        });
        assert_eq!(inside.join().expect("joined"), ((before + 3).min(19), Scheduler::SCHED_IDLE));
        assert_eq!(getpriority_process(None).expect("a priority"), before);
        assert_ne!(get_scheduler(Pid::current_thread()).expect("a class"), Scheduler::SCHED_IDLE);
    }
}
