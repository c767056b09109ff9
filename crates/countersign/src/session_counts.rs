//! What became of refresh tokens (SECURITY R3).

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the authority was made. Relaxed: each is right by itself.
#[derive(Debug, Default)]
pub(crate) struct SessionCounters {
    rotated: AtomicU64,
    converged: AtomicU64,
    reused: AtomicU64,
    unrecorded: AtomicU64,
}

/// What became of refresh tokens here so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionCounts {
    /// Exchanged for a successor.
    pub rotated: u64,
    /// Presented again within the window, and given the same successor.
    pub converged: u64,
    /// Presented when they should not be: theft, or a client that keeps old tokens.
    pub reused: u64,
    /// Unknown to a database that ought to know them: it is older than they are.
    pub unrecorded: u64,
}

impl SessionCounters {
    pub(crate) fn rotated(&self) {
        self.rotated.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn converged(&self) {
        self.converged.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reused(&self) {
        self.reused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unrecorded(&self) {
        self.unrecorded.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> SessionCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SessionCounts {
            rotated: read(&self.rotated),
            converged: read(&self.converged),
            reused: read(&self.reused),
            unrecorded: read(&self.unrecorded),
        }
    }
}
