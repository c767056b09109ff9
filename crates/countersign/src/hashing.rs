//! The bounded door to password hashing, and the threads behind it (SECURITY A3).
//!
//! Jobs wait in a queue that is bounded, in which clients take turns, and which refuses at once what it could not serve in
//! time. Workers take them: PBKDF2-HMAC-SHA256 into lanes that run side by side and are refilled as soon as a job is done,
//! anything else as a whole, within a memory budget. No database connection is held while a job runs.
//!
//! [`scheduler`] decides, [`worker`] works; this file joins them to threads and to futures.

mod crowd;
mod demand;
mod forecast;
mod line;
mod plan;
mod scheduler;
mod shift;
mod task;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use countersign_formats::password::{EncodeError, Hashers, Job, NewHash, Verdict};
use countersign_lanes::{Costs, Lanes};
use tokio::sync::oneshot;

use crate::client::ClientAddress;
use crate::failure::Failure;
use crate::settings::HashingSettings;
use demand::{Demand, Limits};
use scheduler::{JobId, Refused, Scheduler};
use task::{Died, Task};
use worker::Worker;

pub use scheduler::HashingStats;

/// The door. When it is dropped, its threads end and those who still wait are answered as if too many did.
#[derive(Debug)]
pub(crate) struct Hashing {
    shared: Arc<Shared>,
}

/// What futures and workers share.
struct Shared {
    scheduler: Mutex<Scheduler<Task>>,
    work: Condvar,
    /// Workers that wait for `work`; changed under the lock alone, so that whoever held it later knows.
    asleep: AtomicUsize,
    /// Counts what happened that a worker in the middle of its work should look at.
    news: AtomicU64,
    stopwatch: Box<dyn Stopwatch>,
}

/// Time since a start, which never goes back.
trait Stopwatch: Send + Sync {
    fn elapsed(&self) -> Duration;
}

impl Stopwatch for Instant {
    fn elapsed(&self) -> Duration {
        self.elapsed()
    }
}

impl Hashing {
    /// Measures what hashing costs on this machine, which takes some 3 ms, and starts the threads.
    ///
    /// # Panics
    /// When the operating system gives no thread, as [`std::thread::spawn`].
    pub(crate) fn start(settings: &HashingSettings, hashers: &Hashers) -> Self {
        let lanes = Lanes::new(settings.backends, &Costs::measure(settings.backends));
        let (door, workers) = Self::stopped(settings, hashers, lanes, Box::new(Instant::now()));
        for (number, worker) in workers.into_iter().enumerate() {
            shift::start(number, worker, settings.nice);
        }
        door
    }

    /// The door without its threads: the workers wait to be run.
    fn stopped(
        settings: &HashingSettings,
        hashers: &Hashers,
        lanes: Lanes,
        stopwatch: Box<dyn Stopwatch>,
    ) -> (Self, Vec<Worker>) {
        let limits = Limits { queue: settings.queue, memory: settings.memory, deadline: settings.deadline };
        let workers = settings.threads.max(1);
        let typical = Demand::of(&hashers.preferred_work());
        let scheduler = Mutex::new(Scheduler::new(limits, lanes, workers, typical));
        let shared = Arc::new(Shared {
            scheduler,
            work: Condvar::new(),
            asleep: AtomicUsize::new(0),
            news: AtomicU64::new(0),
            stopwatch,
        });
        let workers = (0..workers).map(|index| Worker::new(Arc::clone(&shared), index, lanes)).collect();
        (Self { shared }, workers)
    }

    /// A place for one job of `client`.
    ///
    /// # Errors
    /// [`Failure::Overloaded`], at once, when there is none or it would come too late.
    pub(crate) fn admit(&self, client: ClientAddress) -> Result<Place, Failure> {
        let now = self.shared.elapsed();
        match self.shared.scheduler().admit(client, now) {
            Ok(id) => Ok(Place { shared: Arc::clone(&self.shared), id }),
            Err(Refused { retry_after }) => Err(Failure::Overloaded { retry_after }),
        }
    }

    /// What became of jobs so far, and what they are doing.
    pub(crate) fn stats(&self) -> HashingStats {
        self.shared.scheduler().stats()
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        let waiting = self.shared.scheduler().close();
        self.shared.wake_all();
        drop(waiting);
    }
}

/// A job's place, from its admission to its answer. Dropped with the future of a client that goes away, it leaves the queue or
/// its lane.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    id: JobId,
}

impl Place {
    /// Judges a password.
    ///
    /// # Errors
    /// [`Failure::Overloaded`] when the deadline passed first, [`Failure::Hashing`] when the hashing code panicked.
    pub(crate) async fn check(self, job: Job) -> Result<Verdict, Failure> {
        let (answer, answered) = oneshot::channel();
        self.submit(Task::Check(job, answer), answered).await
    }

    /// Makes a hash.
    ///
    /// # Errors
    /// As [`check`](Self::check); and, within, those of the hash.
    pub(crate) async fn make(self, hash: NewHash) -> Result<Result<String, EncodeError>, Failure> {
        let (answer, answered) = oneshot::channel();
        self.submit(Task::Make(hash, answer), answered).await
    }

    async fn submit<A>(self, task: Task, mut answered: oneshot::Receiver<Result<A, Died>>) -> Result<A, Failure> {
        let submitted = self.shared.scheduler().submit(self.id, task.demand(), task);
        self.shared.wake_one();
        let left = submitted.as_ref().map_or(Duration::ZERO, |deadline| deadline.saturating_sub(self.shared.elapsed()));
        let answer = if let Ok(answer) = tokio::time::timeout(left, &mut answered).await {
            answer
        } else {
            // The workers look at the clock as well, but not while they do whole jobs. What runs as a whole goes on.
            self.shared.expire();
            answered.await
        };
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Died)) => Err(Failure::Hashing),
            Err(_) => Err(self.given_up(submitted.ok())),
        }
    }

    /// Why there was no answer: the deadline passed, the door was closed, or the job was lost with a worker that panicked.
    fn given_up(&self, deadline: Option<Duration>) -> Failure {
        let scheduler = self.shared.scheduler();
        if !scheduler.is_closed() && deadline.is_some_and(|deadline| self.shared.elapsed() < deadline) {
            return Failure::Hashing;
        }
        Failure::Overloaded { retry_after: scheduler.predict() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Nothing is left of it once it is answered or expired.
        let waiting = self.shared.scheduler().abandon(self.id);
        self.shared.news.fetch_add(1, Ordering::Relaxed);
        self.shared.give_up(waiting);
    }
}

impl Shared {
    fn scheduler(&self) -> MutexGuard<'_, Scheduler<Task>> {
        self.scheduler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed(&self) -> Duration {
        self.stopwatch.elapsed()
    }

    fn wait_for_work(&self, worker: usize) {
        let mut scheduler = self.scheduler();
        self.asleep.fetch_add(1, Ordering::Relaxed);
        while !scheduler.is_closed() && !scheduler.has_work_for(worker) {
            scheduler = self.work.wait(scheduler).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, Ordering::Relaxed);
    }

    /// Gives up the jobs whose time is over.
    fn expire(&self) {
        let late = self.scheduler().expire(self.elapsed());
        self.give_up(late);
    }

    /// Drops jobs that waited, which tells those who wait for them, so not under the lock. What stood behind may fit now.
    fn give_up(&self, jobs: impl IntoIterator<Item = Task>) {
        if jobs.into_iter().count() > 0 {
            self.wake_all();
        }
    }

    /// Lets workers look at what was changed under the lock, those that sleep as well.
    fn wake_all(&self) {
        self.news.fetch_add(1, Ordering::Relaxed);
        if self.asleep.load(Ordering::Relaxed) > 0 {
            self.work.notify_all();
        }
    }

    /// The same, for what one worker can take.
    fn wake_one(&self) {
        self.news.fetch_add(1, Ordering::Relaxed);
        if self.asleep.load(Ordering::Relaxed) > 0 {
            self.work.notify_one();
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}
