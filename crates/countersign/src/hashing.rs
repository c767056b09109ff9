//! The bounded door to password hashing: a set number of hashes at once, a set number waiting, and a refusal beyond that,
//! before a thread is taken (SECURITY A3). No database connection is held while a job runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use crate::failure::Failure;

/// Runs hashing work on threads of its own.
#[derive(Debug)]
pub(crate) struct HashingPool {
    threads: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
}

impl HashingPool {
    /// A pool of `threads` hashes at once and at most `queue` waiting.
    pub(crate) fn new(threads: usize, queue: usize) -> Self {
        Self { threads: Arc::new(Semaphore::new(threads.max(1))), waiting: AtomicUsize::new(0), queue }
    }

    /// Runs `work` when a thread is free.
    ///
    /// # Errors
    /// [`Failure::Overloaded`] when the queue is full, [`Failure::Hashing`] when the work panicked.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let permit = if let Ok(permit) = Arc::clone(&self.threads).try_acquire_owned() {
            permit
        } else {
            let place = Place::take(&self.waiting, self.queue).ok_or(Failure::Overloaded)?;
            let permit = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| Failure::Hashing)?;
            drop(place);
            permit
        };
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit; // given back when the work is done, also when the client has gone away
            work()
        });
        task.await.map_err(|_| Failure::Hashing)
    }
}

/// A place in the queue, given back on drop, so that a client that goes away leaves it.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, limit: usize) -> Option<Self> {
        waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| (count < limit).then_some(count + 1))
            .ok()
            .map(|_| Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a3_a_full_queue_refuses_at_once() {
        let pool = Arc::new(HashingPool::new(1, 0));
        let (started, has_started) = tokio::sync::oneshot::channel();
        let (release, released) = mpsc::channel::<()>();
        let busy = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                pool.run(move || {
                    let _ = started.send(());
                    let _ = released.recv();
                })
                .await
            }
        });
        has_started.await.expect("the first job runs");
        assert!(matches!(pool.run(|| ()).await, Err(Failure::Overloaded)));
        release.send(()).expect("the first job waits for this");
        busy.await.expect("joined").expect("hashed");
        pool.run(|| ()).await.expect("free again");
    }
}
