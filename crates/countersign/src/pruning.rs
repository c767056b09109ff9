//! Expired rows deleted by the server itself: small batches with pauses between, for tables of any length.
//!
//! A row goes only when no node could still ask for it: some time after its end, since a token is accepted within the leeway, and
//! nodes' clocks differ. The tables of tokens have no index on when a row ends; they are walked along their primary keys, and what is
//! known of a stretch (no row of it ends before …) spares the next walk.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_formats::jwt::TokenType;
use countersign_store::{IndexedTable, Pruned, StoreError};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::Authority;

/// For how long after its end a row is kept: another node's clock may be behind.
const GRACE: SignedDuration = SignedDuration::from_mins(5);
/// For how long a session is kept of which no token of ours lives: a Django beside us may have given out later ones.
pub const SESSION_GRACE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// After each batch this many times its length is left to others.
const REST: u32 = 4;
/// And this at least.
const SHORTEST_REST: Duration = Duration::from_millis(5);
/// A batch that takes longer is followed by a smaller one.
const LONG_BATCH: Duration = Duration::from_millis(50);
/// A batch is never smaller.
const SMALLEST_BATCH: u32 = 20;

/// What is deleted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PruningSettings {
    /// Rows looked at, or deleted, in one transaction; fewer where the database is slow.
    pub batch: u32,
    /// Whether the tables of Django's apps are pruned too: refresh tokens, Knox's tokens, sessions.
    pub django_tables: bool,
    /// For how long events are kept; `None` is for ever.
    pub keep_events: Option<SignedDuration>,
}

impl Default for PruningSettings {
    /// A thousand rows, our own tables alone, events of 90 days.
    fn default() -> Self {
        Self { batch: 1000, django_tables: false, keep_events: Some(SignedDuration::from_hours(90 * 24)) }
    }
}

/// What a round deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PruneCounts {
    /// Refresh and sliding tokens, with their blacklist rows.
    pub outstanding: u64,
    /// Knox's tokens.
    pub knox: u64,
    /// Django's sessions.
    pub django_sessions: u64,
    /// Our own rows: rotations, sessions, events.
    pub own: u64,
    /// Whether another process was found at it, which was left to go on alone.
    pub gave_way: bool,
    /// How long the longest batch took.
    pub longest: Duration,
}

/// Deletes expired rows, round by round.
#[derive(Debug)]
pub struct Pruner {
    authority: Authority,
    settings: PruningSettings,
    /// Rows in the next batch.
    batch: u32,
    /// The longest batch of this round.
    longest: Duration,
    /// Stretches of the outstanding table by their last id, and when the first of their rows ends. Ids grow and ends only move to
    /// later, so that this stays true; a row that was committed late is found when its stretch is due.
    known: BTreeMap<i64, Timestamp>,
}

impl Pruner {
    /// A pruner that knows nothing yet.
    #[must_use]
    pub fn new(authority: Authority, settings: PruningSettings) -> Self {
        let batch = settings.batch.max(SMALLEST_BATCH);
        Self { authority, settings, batch, longest: Duration::ZERO, known: BTreeMap::new() }
    }

    /// Goes through all tables once.
    ///
    /// # Errors
    /// If the database cannot be written; what was deleted before stays deleted.
    pub async fn round(&mut self) -> Result<PruneCounts, StoreError> {
        let mut counts = PruneCounts::default();
        self.longest = Duration::ZERO;
        let finished = self.tables(&mut counts).await?;
        counts.gave_way = finished.is_none();
        counts.longest = self.longest;
        Ok(counts)
    }

    /// `None` once another process is found at it.
    async fn tables(&mut self, counts: &mut PruneCounts) -> Result<Option<()>, StoreError> {
        let (now, apps) = (self.authority.now(), self.authority.settings().apps);
        let before = |length: SignedDuration| now.checked_sub(length).unwrap_or(Timestamp::UNIX_EPOCH);
        let ended = before(GRACE);
        if apps.countersign {
            let events = self.settings.keep_events.map(before);
            for (table, until) in [
                (IndexedTable::Rotations, Some(ended)),
                (IndexedTable::Sessions, Some(before(SESSION_GRACE))),
                (IndexedTable::Events, events),
                (IndexedTable::NativeTokens, Some(ended)),
                (IndexedTable::Devices, Some(ended)),
            ] {
                let Some(until) = until else { continue };
                let Some(deleted) = self.indexed(table, until).await? else { return Ok(None) };
                counts.own += deleted;
            }
            self.owners().await?;
            let (short, long) = self.authority.settings().marks_until(now);
            counts.own += self.authority.store().flush_revocations(short, long).await?;
        }
        if self.settings.django_tables && apps.sessions {
            let Some(deleted) = self.indexed(IndexedTable::DjangoSessions, ended).await? else { return Ok(None) };
            counts.django_sessions = deleted;
        }
        if self.settings.django_tables && apps.knox {
            let Some(deleted) = self.knox(ended).await? else { return Ok(None) };
            counts.knox = deleted;
        }
        if self.settings.django_tables && apps.token_blacklist {
            let Some(deleted) = self.outstanding(before(self.token_grace())).await? else { return Ok(None) };
            counts.outstanding = deleted;
        }
        Ok(Some(()))
    }

    /// Writes down what ended with a change of its user.
    async fn owners(&mut self) -> Result<(), StoreError> {
        loop {
            let began = Instant::now();
            if self.authority.store().settle_owners(SMALLEST_BATCH).await? < SMALLEST_BATCH as usize {
                return Ok(());
            }
            self.rest(began.elapsed()).await;
        }
    }

    /// How long after its recorded end a token may still be accepted, if it is not blacklisted. Django records a sliding token with its
    /// first end, and refreshes it for longer.
    fn token_grace(&self) -> SignedDuration {
        let jwt = &self.authority.settings().simple_jwt;
        let slides = jwt.auth_token_classes.contains(&TokenType::Sliding);
        let sliding = if slides { jwt.sliding_token_refresh_lifetime } else { SignedDuration::ZERO };
        GRACE.saturating_add(jwt.rules.leeway).saturating_add(sliding)
    }

    async fn indexed(&mut self, table: IndexedTable, until: Timestamp) -> Result<Option<u64>, StoreError> {
        let (mut deleted, mut from) = (0, Timestamp::UNIX_EPOCH);
        loop {
            let began = Instant::now();
            match self.authority.store().prune_indexed(table, from, until, self.batch).await? {
                Pruned::Taken => return Ok(None),
                Pruned::Done(None) => return Ok(Some(deleted)),
                Pruned::Done(Some(slice)) => {
                    deleted += slice.deleted;
                    from = slice.last;
                    self.rest(began.elapsed()).await;
                }
            }
        }
    }

    async fn knox(&mut self, until: Timestamp) -> Result<Option<u64>, StoreError> {
        let (mut deleted, mut after) = (0, String::new());
        loop {
            let began = Instant::now();
            match self.authority.store().prune_knox(&after, until, self.batch).await? {
                None => return Ok(Some(deleted)),
                Some(Pruned::Taken) => return Ok(None),
                Some(Pruned::Done(stretch)) => {
                    deleted += stretch.deleted;
                    after = stretch.last;
                    self.rest(began.elapsed()).await;
                }
            }
        }
    }

    async fn outstanding(&mut self, until: Timestamp) -> Result<Option<u64>, StoreError> {
        let (mut deleted, mut after) = (0, i64::MIN);
        loop {
            after = self.past_known(after, until);
            let began = Instant::now();
            let pruned = match self.authority.store().prune_outstanding(after, until, self.batch).await {
                Err(StoreError::ForeignKeyViolation) => {
                    tracing::warn!(
                        after,
                        "expired refresh tokens cannot be deleted: a table of the project's refers to them"
                    );
                    return Ok(Some(deleted));
                }
                pruned => pruned?,
            };
            match pruned {
                None => return Ok(Some(deleted)),
                Some(Pruned::Taken) => return Ok(None),
                Some(Pruned::Done(stretch)) => {
                    deleted += stretch.deleted;
                    self.remember(after, stretch.last, stretch.earliest);
                    after = stretch.last;
                    self.rest(began.elapsed()).await;
                }
            }
        }
    }

    /// Where the first row may be that has ended, after this one.
    fn past_known(&self, after: i64, until: Timestamp) -> i64 {
        let mut past = after;
        for (last, earliest) in self.known.range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded)) {
            if *earliest <= until {
                break;
            }
            past = *last;
        }
        past
    }

    /// A stretch is known anew; one without rows that end is as good as no stretch.
    fn remember(&mut self, after: i64, last: i64, earliest: Option<Timestamp>) {
        let within: Vec<i64> = self
            .known
            .range((std::ops::Bound::Excluded(after), std::ops::Bound::Included(last)))
            .map(|(last, _)| *last)
            .collect();
        for old in within {
            self.known.remove(&old);
        }
        let earliest = earliest.unwrap_or(Timestamp::MAX);
        if earliest == Timestamp::MAX && self.known.get(&after) == Some(&Timestamp::MAX) {
            self.known.remove(&after); // nothing there, nothing here: one stretch
        }
        self.known.insert(last, earliest);
    }

    /// Leaves the database to others, and finds out how much it takes at once.
    async fn rest(&mut self, took: Duration) {
        self.longest = self.longest.max(took);
        if took > LONG_BATCH {
            self.batch = (self.batch / 2).max(SMALLEST_BATCH);
        } else if took < LONG_BATCH / 4 {
            self.batch = (self.batch * 2).min(self.settings.batch.max(SMALLEST_BATCH));
        }
        tokio::time::sleep((took * REST).max(SHORTEST_REST)).await;
    }
}

#[cfg(test)]
mod tests;
