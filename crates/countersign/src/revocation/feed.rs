//! Marks from the database to memory: read at start, then whenever there is a sign of news and at least four times within the time for
//! which a read vouches.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use countersign_store::{IdType, RevocationFeed, Store, StoreError};
use jiff::SignedDuration;

use super::{Batch, Revocations, oldest_of_use};
use crate::clock::Clock;
use crate::settings::SessionSettings;

/// A wall clock that moved this much against the stopwatch was set.
const STEP: SignedDuration = SignedDuration::from_secs(10);
/// The longest wait before a read that failed is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// The least time between two clearings of what is of no use any more.
const CLEARING: Duration = Duration::from_mins(1);

/// What reads the marks.
struct Reader {
    feed: RevocationFeed,
    clock: Arc<dyn Clock>,
    /// The wall clock less the stopwatch, when last looked at.
    offset: Option<SignedDuration>,
    cleared: Duration,
    has_failed: bool,
}

impl Revocations {
    /// Reads all marks of use, and goes on reading until the last handle is dropped. `lifetime`: the longest life of an access
    /// token, leeway included.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub(crate) async fn start(
        store: &Store,
        settings: &SessionSettings,
        id_type: IdType,
        lifetime: SignedDuration,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, StoreError> {
        let revocations = Arc::new(Self::new(settings, id_type, lifetime));
        let feed = store.revocation_feed();
        let mut reader = Reader { feed, clock, offset: None, cleared: Duration::ZERO, has_failed: false };
        reader.read(&revocations).await?;
        let feeding = tokio::spawn(reader.follow(Arc::downgrade(&revocations)));
        *revocations.feeding.lock().unwrap_or_else(PoisonError::into_inner) = Some(feeding.abort_handle());
        Ok(revocations)
    }

    /// Puts all marks in one table again, off the threads that answer.
    async fn settle(&self, since: i64) {
        let marks = self.marks.load_full();
        let Ok(settled) = tokio::task::spawn_blocking(move || marks.settled(since)).await else { return };
        let _alone = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        self.marks.store(Arc::new(self.marks.load().onto(&settled, since)));
    }
}

impl Reader {
    async fn follow(mut self, revocations: Weak<Revocations>) {
        loop {
            let Some(known) = revocations.upgrade() else { return };
            let (wanted, staleness) = (Arc::clone(&known.wanted), known.max_staleness);
            drop(known);
            let interval = self.feed.interval(staleness);
            let interval = if self.has_failed { interval.min(LONGEST_WAIT) } else { interval };
            tokio::select! {
                () = self.feed.wait(interval) => {}
                () = wanted.notified() => {}
            }
            let Some(known) = revocations.upgrade() else { return };
            let outcome = self.read(&known).await;
            self.tell(&known, outcome);
        }
    }

    /// Reads what is new.
    async fn read(&mut self, revocations: &Revocations) -> Result<(), StoreError> {
        let elapsed = revocations.stopwatch.elapsed();
        let now = self.clock.now();
        let offset = now
            .duration_since(jiff::Timestamp::UNIX_EPOCH)
            .saturating_sub(SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX));
        if self.offset.is_some_and(|before| offset.saturating_sub(before).abs() > STEP) {
            // By the old clock, marks may have been taken for too old that are not.
            self.feed.start_over();
        }
        self.offset = Some(offset);
        let since = oldest_of_use(now, revocations.horizon);
        let mut batch = Batch::default();
        let outcome = self.feed.read(since, |marks| revocations.collect(&marks, &mut batch)).await;
        revocations.put(&batch);
        drop(batch);
        outcome?;
        revocations.vouch(elapsed);
        let marks = revocations.marks.load_full();
        let is_due = !marks.is_empty() && elapsed.saturating_sub(self.cleared) > CLEARING;
        if marks.is_unsettled() || is_due {
            drop(marks);
            self.cleared = elapsed;
            revocations.settle(since).await;
        }
        Ok(())
    }

    fn tell(&mut self, revocations: &Revocations, outcome: Result<(), StoreError>) {
        match outcome {
            Ok(()) if self.has_failed => {
                self.has_failed = false;
                tracing::info!(event = "revocations_found", "which sessions end is known again");
            }
            Ok(()) => {}
            Err(error) => {
                if !self.has_failed {
                    tracing::error!(
                        event = "revocations_lost",
                        %error,
                        "which sessions end cannot be read; tokens are answered by sessions.when_feed_lost until it can be"
                    );
                }
                self.has_failed = true;
                revocations.reads.send_modify(|reads| reads.failed = true);
            }
        }
    }
}
