//! When sessions were last seen: noted in memory and written in batches, each session at most once a period.
//!
//! A request costs one hash and one load. A table of slots remembers which sessions were noted since the last flush; two that share a
//! slot displace each other there, and are then looked for among what is to be written. Memory is bounded: half a megabyte of slots, and
//! [`MOST`] notes.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use countersign_store::Seen;
use foldhash::quality::RandomState;
use jiff::Timestamp;
use tokio::sync::Notify;

/// One for each value of a hash's lower 16 bits.
const SLOTS: usize = 1 << 16;
const LOWER: u64 = SLOTS as u64 - 1;

/// Notes that wait at most; then a flush is due at once, and until it comes further sessions are not noted.
pub(crate) const MOST: usize = 100_000;

/// What is to be written, and what need not be noted again before it is.
pub(crate) struct LastSeen {
    hasher: RandomState,
    /// The upper 48 bits of a session's hash, and the lower 16 of the count of flushes at which it was noted.
    slots: Box<[AtomicU64]>,
    flushes: AtomicU64,
    waiting: Mutex<HashMap<u64, (Seen, Timestamp)>>,
    is_full: Notify,
}

impl Default for LastSeen {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            slots: std::iter::repeat_with(AtomicU64::default).take(SLOTS).collect(),
            // No slot is empty in this period: zeros stand for none.
            flushes: AtomicU64::new(1),
            waiting: Mutex::default(),
            is_full: Notify::new(),
        }
    }
}

impl LastSeen {
    /// A session was seen. What is to be noted is asked for only if it was not since the last flush; `None` notes nothing until the
    /// next.
    pub(crate) fn note(&self, session: impl Hash, note: impl FnOnce() -> Option<(Seen, Timestamp)>) {
        let hash = self.hasher.hash_one(session);
        let mark = |flushes: u64| hash & !LOWER | flushes & LOWER;
        let slot = usize::try_from(hash & LOWER).ok().and_then(|place| self.slots.get(place));
        let Some(slot) = slot else { return };
        if slot.load(Ordering::Relaxed) == mark(self.flushes.load(Ordering::Relaxed)) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.contains_key(&hash) {
            if waiting.len() >= MOST {
                self.is_full.notify_one();
                return;
            }
            if let Some(note) = note() {
                waiting.insert(hash, note);
            }
        }
        // Under the lock, so that it is this period's.
        slot.store(mark(self.flushes.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    /// What was noted since the last time; a new period begins.
    pub(crate) fn take(&self) -> Vec<(Seen, Timestamp)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.flushes.fetch_add(1, Ordering::Relaxed);
        std::mem::take(&mut *waiting).into_values().collect()
    }

    /// Until there is no place for further notes.
    pub(crate) async fn full(&self) {
        self.is_full.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(digest: u64) -> (Seen, Timestamp) {
        (Seen::Token(digest.to_string()), Timestamp::UNIX_EPOCH)
    }

    fn digests(notes: Vec<(Seen, Timestamp)>) -> Vec<String> {
        let digest = |(seen, _)| match seen {
            Seen::Token(digest) => digest,
            other => panic!("{other:?}"),
        };
        let mut digests: Vec<String> = notes.into_iter().map(digest).collect();
        digests.sort_unstable();
        digests
    }

    #[test]
    fn a_session_is_noted_once_a_period() {
        let last_seen = LastSeen::default();
        for _ in 0..3 {
            last_seen.note("a", || Some(token(1)));
            last_seen.note("b", || Some(token(2)));
        }
        assert_eq!(digests(last_seen.take()), ["1", "2"]);
        last_seen.note("a", || Some(token(1)));
        last_seen.note("a", || panic!("it was just noted"));
        assert_eq!(digests(last_seen.take()), ["1"]);
        assert_eq!(last_seen.take().len(), 0);
    }

    #[test]
    fn what_is_not_worth_a_note_is_not_asked_for_again() {
        let last_seen = LastSeen::default();
        last_seen.note("a", || None);
        last_seen.note("a", || panic!("asked before"));
        assert_eq!(last_seen.take().len(), 0);
    }

    #[test]
    fn sessions_that_share_a_slot_are_both_noted_and_once() {
        let last_seen = LastSeen::default();
        for _ in 0..2 {
            for session in 0..(2 * SLOTS as u64).min(MOST as u64) {
                last_seen.note(session, || Some(token(session)));
            }
        }
        assert_eq!(last_seen.take().len(), MOST);
    }

    #[test]
    fn g4_memory_is_bounded() {
        let last_seen = LastSeen::default();
        for session in 0..3 * MOST as u64 {
            last_seen.note(session, || Some(token(session)));
        }
        assert_eq!(last_seen.waiting.lock().expect("no panic").len(), MOST);
        last_seen.take();
        last_seen.note(3 * MOST as u64 - 1, || Some(token(7)));
        assert_eq!(digests(last_seen.take()), ["7"], "one that found no place is noted at its next use");
    }
}
