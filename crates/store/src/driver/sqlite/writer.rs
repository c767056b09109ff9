//! The writer: one thread, one connection, group commit.
//!
//! The thread takes what has queued up, runs each unit inside a savepoint of one `BEGIN IMMEDIATE … COMMIT`, and answers
//! every waiter only after the commit, which is one disk flush for all of them. A unit that fails is rolled back to its
//! savepoint and does not touch the others. Waiting for another process (a Django on the same file) is SQLite's busy handler,
//! at the `BEGIN` and, outside WAL, at the `COMMIT`; no unit ever runs twice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{error, execute};
use crate::StoreError;
use crate::driver::{Sharing, Transaction, UnitFuture};

/// Writes that may wait; a caller beyond that waits for room before its write is queued.
const QUEUE: usize = 1024;
/// Units in one commit at most, so that the first in line is not held up by a long tail.
const GROUP: usize = 256;

/// The handle of the writer thread. Dropping it commits what is queued and ends the thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Order>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    running: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (queue, orders) = mpsc::channel(QUEUE);
        let running = Arc::new(AtomicBool::new(true));
        let mark = RunningMark(Arc::clone(&running));
        let thread = std::thread::Builder::new()
            .name("countersign-writer".to_owned())
            .spawn(move || {
                let stopped = work(connection, orders);
                drop(mark);
                if let Some(done) = stopped {
                    let _ = done.send(());
                }
            })
            .map_err(super::io)?;
        Ok(Self { queue: Some(queue), thread: Mutex::new(Some(thread)), running })
    }

    /// Queues a unit and waits for its commit. If the caller stops waiting, the unit is committed all the same.
    pub(super) async fn submit<T, U>(&self, sharing: Sharing, unit: U) -> Result<T, StoreError>
    where
        T: Send + 'static,
        U: for<'t> FnOnce(Transaction<'t>) -> UnitFuture<'t, T> + Send + 'static,
    {
        let (answer, waiter) = oneshot::channel();
        let job = Box::new(Unit { sharing, work: Some(unit), outcome: None, answer });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(Order::Write(job)).await.map_err(|_| StoreError::Closed)?;
        waiter.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Commits what is queued, then ends the thread; later units are refused with [`StoreError::Closed`].
    pub(super) async fn stop(&self) {
        let (done, waiter) = oneshot::channel();
        if let Some(queue) = &self.queue
            && queue.send(Order::Stop(done)).await.is_ok()
        {
            // An error means the thread is gone already, which is what is wanted.
            let _ = waiter.await;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the database writer ended in a panic");
        }
    }
}

enum Order {
    Write(Box<dyn Job>),
    Stop(oneshot::Sender<()>),
}

/// A unit without its types.
trait Job: Send {
    fn sharing(&self) -> Sharing;
    /// Runs the unit and keeps its outcome; `Err` means that it has to be rolled back.
    fn run(&mut self, connection: &mut Connection) -> Result<(), ()>;
    /// Answers the waiter. A unit that failed by itself answers its own error, whatever became of the commit.
    fn finish(self: Box<Self>, commit: Result<(), StoreError>);
}

struct Unit<U, T> {
    sharing: Sharing,
    work: Option<U>,
    outcome: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<U, T> Job for Unit<U, T>
where
    T: Send + 'static,
    U: for<'t> FnOnce(Transaction<'t>) -> UnitFuture<'t, T> + Send + 'static,
{
    fn sharing(&self) -> Sharing {
        self.sharing
    }

    fn run(&mut self, connection: &mut Connection) -> Result<(), ()> {
        let Some(unit) = self.work.take() else { return Err(()) };
        let outcome = catch_unwind(AssertUnwindSafe(|| complete(unit(Transaction::Sqlite(connection)))))
            .unwrap_or_else(|_| Err(StoreError::Database { cause: Arc::new(UnitPanicked) }));
        let verdict = outcome.as_ref().map(|_| ()).map_err(|_| ());
        self.outcome = Some(outcome);
        verdict
    }

    fn finish(self: Box<Self>, commit: Result<(), StoreError>) {
        let answer = match (self.outcome, commit) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(failed)) => Err(failed),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // Nobody may be waiting any more.
        let _ = self.answer.send(answer);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a write panicked and was rolled back")]
struct UnitPanicked;

/// Clears the flag when the thread ends, in whichever way.
struct RunningMark(Arc<AtomicBool>);

impl Drop for RunningMark {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Works until all handles are gone, or until it is told to stop and has done what was queued; then whoever told it waits.
fn work(mut connection: Connection, mut orders: mpsc::Receiver<Order>) -> Option<oneshot::Sender<()>> {
    let mut stopped = None;
    let mut next = None;
    loop {
        let Some(order) = next.take().or_else(|| orders.blocking_recv()) else { break };
        let mut group: Vec<Box<dyn Job>> = Vec::new();
        let mut order = Some(order);
        while let Some(current) = order.take() {
            match current {
                Order::Stop(done) => {
                    orders.close();
                    stopped = Some(done);
                }
                Order::Write(job) if job.sharing() == Sharing::Alone => {
                    if group.is_empty() {
                        group.push(job);
                    } else {
                        next = Some(Order::Write(job));
                    }
                    break;
                }
                Order::Write(job) => group.push(job),
            }
            if group.len() < GROUP {
                order = orders.try_recv().ok();
            }
        }
        if !group.is_empty() {
            commit_group(&mut connection, group);
        }
    }
    stopped
}

fn commit_group(connection: &mut Connection, mut group: Vec<Box<dyn Job>>) {
    let outcome = run_group(connection, &mut group);
    if outcome.is_err() && !connection.is_autocommit() {
        // What failed is already being reported; a rollback that fails leaves a connection whose next BEGIN says so.
        let _ = execute(connection, "ROLLBACK", &[]);
    }
    for job in group {
        job.finish(outcome.clone());
    }
}

fn run_group(connection: &mut Connection, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    execute(connection, "BEGIN IMMEDIATE", &[])?;
    for job in group {
        execute(connection, "SAVEPOINT unit", &[])?;
        let failed = job.run(connection).is_err();
        if connection.is_autocommit() {
            // A full disk and the like make SQLite roll back everything, the units before this one included.
            return Err(StoreError::Database { cause: Arc::new(GroupLost) });
        }
        if failed {
            execute(connection, "ROLLBACK TO unit", &[])?;
        }
        execute(connection, "RELEASE unit", &[])?;
    }
    let mut commit = connection.prepare_cached("COMMIT").map_err(error)?;
    commit.execute([]).map(|_| ()).map_err(error)
}

#[derive(Debug, thiserror::Error)]
#[error("the transaction was rolled back by the database")]
struct GroupLost;

/// Drives a unit on this thread. With a SQLite transaction every await inside it is ready at once.
fn complete<T>(mut future: UnitFuture<'_, T>) -> Result<T, StoreError> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("a unit awaited something other than its transaction"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(path: &std::path::Path) -> Writer {
        let connection = super::super::connect(path, std::time::Duration::from_secs(5)).expect("connects");
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n integer NOT NULL UNIQUE)")
            .expect("creates");
        Writer::start(connection).expect("starts")
    }

    fn insert(number: i64) -> impl for<'t> FnOnce(Transaction<'t>) -> UnitFuture<'t, ()> + Send + 'static {
        move |mut transaction| {
            Box::pin(
                async move { transaction.execute("INSERT INTO t (n) VALUES ($1)", &[number.into()]).await.map(|_| ()) },
            )
        }
    }

    fn job(number: i64) -> (Box<dyn Job>, oneshot::Receiver<Result<(), StoreError>>) {
        let (answer, waiter) = oneshot::channel();
        (Box::new(Unit { sharing: Sharing::Grouped, work: Some(insert(number)), outcome: None, answer }), waiter)
    }

    fn numbers(connection: &Connection) -> Vec<i64> {
        let read = |row: &crate::value::Row<'_>| Ok(row.integer_opt(0)?.expect("not null"));
        super::super::query(connection, "SELECT n FROM t ORDER BY n", &[], read).expect("reads")
    }

    #[test]
    fn a_failing_unit_leaves_the_rest_of_its_group_alone() {
        let mut connection = Connection::open_in_memory().expect("opens");
        connection.execute_batch("CREATE TABLE t (n integer NOT NULL UNIQUE)").expect("creates");
        let (jobs, waiters): (Vec<_>, Vec<_>) = [1, 2, 1, 3].map(job).into_iter().unzip();
        commit_group(&mut connection, jobs);
        let answers: Vec<_> = waiters.into_iter().map(|waiter| waiter.blocking_recv().expect("answered")).collect();
        assert!(answers[0].is_ok() && answers[1].is_ok() && answers[3].is_ok());
        assert!(answers[2].as_ref().is_err_and(StoreError::is_unique_violation));
        assert_eq!(numbers(&connection), [1, 2, 3]);
    }

    #[test]
    fn a_commit_that_fails_fails_everyone_in_it() {
        let mut connection = Connection::open_in_memory().expect("opens");
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON; CREATE TABLE p (n integer PRIMARY KEY);
                 CREATE TABLE t (n integer NOT NULL UNIQUE REFERENCES p (n) DEFERRABLE INITIALLY DEFERRED);
                 INSERT INTO p (n) VALUES (1)",
            )
            .expect("creates");
        let (jobs, waiters): (Vec<_>, Vec<_>) = [1, 9].map(job).into_iter().unzip();
        commit_group(&mut connection, jobs);
        for waiter in waiters {
            assert!(matches!(waiter.blocking_recv().expect("answered"), Err(StoreError::ForeignKeyViolation)));
        }
        assert!(connection.is_autocommit());
        assert_eq!(numbers(&connection), [0_i64; 0]);
    }

    #[tokio::test]
    async fn a_panicking_unit_is_rolled_back_and_the_writer_goes_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let writer = writer(&directory.path().join("db"));
        let answer: Result<(), _> = writer
            .submit(Sharing::Grouped, |mut transaction| {
                Box::pin(async move {
                    transaction.execute("INSERT INTO t (n) VALUES (7)", &[]).await?;
                    panic!("on purpose")
                })
            })
            .await;
        assert!(answer.is_err());
        writer.submit(Sharing::Grouped, insert(8)).await.expect("still running");
        let other = Connection::open(directory.path().join("db")).expect("opens");
        assert_eq!(numbers(&other), [8]);
    }

    #[tokio::test]
    async fn stopping_commits_what_is_queued_and_refuses_the_rest() {
        let directory = tempfile::tempdir().expect("a directory");
        let writer = writer(&directory.path().join("db"));
        let (first, second, ()) = tokio::join!(
            writer.submit(Sharing::Grouped, insert(1)),
            writer.submit(Sharing::Alone, insert(2)),
            writer.stop()
        );
        first.expect("was queued before");
        second.expect("was queued before");
        assert!(matches!(writer.submit(Sharing::Grouped, insert(3)).await, Err(StoreError::Closed)));
        assert!(!writer.is_running());
    }
}
