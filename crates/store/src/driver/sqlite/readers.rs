//! A few read connections, used inline: one cached lookup is cheaper than any hand-off to another thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::Connection;

use crate::StoreError;

/// The read connections. A thread comes back to the connection it used before, so that in a quiet server no two threads
/// share one and its page cache stays on one core.
#[derive(Debug)]
pub(super) struct Readers(Box<[Mutex<Connection>]>);

impl Readers {
    pub(super) fn open(
        count: usize,
        mut connect: impl FnMut() -> Result<Connection, StoreError>,
    ) -> Result<Self, StoreError> {
        (0..count).map(|_| connect().map(Mutex::new)).collect::<Result<_, _>>().map(Self)
    }

    /// Runs `read` with a connection that nobody else uses meanwhile; waits only when all are in use.
    pub(super) fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        read(&self.acquire())
    }

    fn acquire(&self) -> MutexGuard<'_, Connection> {
        let own = thread_number() % self.0.len();
        let (before, from_own) = self.0.split_at(own);
        for slot in from_own.iter().chain(before) {
            match slot.try_lock() {
                Ok(connection) => return connection,
                // A panic while reading leaves nothing half done: statements are reset when they are dropped.
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.0[own].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A small number for the current thread. Only a hint of where to look first; nothing depends on it.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) });
    NUMBER.with(|number| {
        if number.get() == usize::MAX {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_connection_is_passed_over() {
        let readers = Readers::open(2, || Connection::open_in_memory().map_err(super::super::error)).expect("opens");
        let outer = readers.acquire();
        let inner = readers.acquire();
        assert!(!std::ptr::eq(&raw const *outer, &raw const *inner));
        drop(outer);
        drop(inner);
        let count =
            readers.with(|connection| super::super::query_opt(connection, "SELECT 3", &[], |row| row.integer_opt(0)));
        assert_eq!(count.expect("reads"), Some(Some(3)));
    }
}
