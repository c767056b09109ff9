//! Rows that have expired, deleted a small batch at a time, each in a short transaction of its own.
//!
//! Our own tables have an index on when a row ends. Django's tables of tokens have none, and are walked along their primary keys.

use jiff::Timestamp;

use crate::driver::{Driver, Sharing, Transaction};
use crate::outstanding::{FLUSH_BLACKLISTED, FLUSH_OUTSTANDING};
use crate::value::{Row, Value};
use crate::{Store, StoreError};

/// The next rows along the primary key of `outstandingtoken`, and the first of their ends.
pub(crate) const PRUNE_OUTSTANDING_LOOK: &str = "
    SELECT max(s.id), min(s.expires_at) FROM (
        SELECT o.id, o.expires_at FROM token_blacklist_outstandingtoken o
        WHERE o.id > CAST($1 AS bigint) ORDER BY o.id LIMIT $2
    ) s";

/// The first end in a stretch: primary key of `outstandingtoken`.
pub(crate) const PRUNE_OUTSTANDING_LEFT: &str = "
    SELECT min(o.expires_at) FROM token_blacklist_outstandingtoken o WHERE o.id > CAST($1 AS bigint) AND o.id <= $2";

/// The next rows along the primary key of `knox_authtoken`, and the first of their ends.
pub(crate) const PRUNE_KNOX_LOOK: &str = "
    SELECT max(s.digest), min(s.expiry) FROM (
        SELECT k.digest, k.expiry FROM knox_authtoken k WHERE k.digest > $1 ORDER BY k.digest LIMIT $2
    ) s";

/// Expired tokens in a stretch: primary key of `knox_authtoken`.
pub(crate) const PRUNE_KNOX: &str = "
    DELETE FROM knox_authtoken WHERE digest > $1 AND digest <= $2 AND expiry <= $3";

/// Some of a table's rows that ended within a time, the oldest first, by the index of when they end and the primary key.
macro_rules! prune {
    ($table:literal, $key:literal, $end:literal $until:literal) => {
        concat!(
            "\n    DELETE FROM ",
            $table,
            " WHERE ",
            $key,
            " IN (\n        SELECT s.",
            $key,
            " FROM ",
            $table,
            " s",
            "\n        WHERE s.",
            $end,
            " >= $1 AND s.",
            $end,
            " ",
            $until,
            " $2 ORDER BY s.",
            $end,
            " LIMIT $3",
            "\n    ) RETURNING ",
            $end
        )
    };
}

/// Sessions of Django's that have expired.
pub(crate) const PRUNE_DJANGO_SESSIONS: &str = prune!("django_session", "session_key", "expire_date" "<=");
/// Rotations whose tokens have expired.
pub(crate) const PRUNE_ROTATIONS: &str = prune!("countersign_rotation", "parent_jti", "expires_at" "<=");
/// Sessions of which no token lives.
pub(crate) const PRUNE_SESSIONS: &str = prune!("countersign_session", "sid", "keep_until" "<=");
/// Old events.
pub(crate) const PRUNE_EVENTS: &str = prune!("countersign_event", "id", "at" "<=");
/// Tokens of our own kind that have ended; each is good until its last instant.
pub(crate) const PRUNE_NATIVE_TOKENS: &str = prune!("countersign_token", "digest", "expires_at" "<");
/// What was known of tokens that nobody has used for long.
pub(crate) const PRUNE_DEVICES: &str = prune!("countersign_device", "id", "keep_until" "<=");

/// Rows deleted in one transaction by who waits for the end.
pub(crate) const BATCH: u32 = 1000;

/// A table with an index on when its rows end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexedTable {
    /// `django_session`, by `expire_date`.
    DjangoSessions,
    /// `countersign_rotation`, by `expires_at`.
    Rotations,
    /// `countersign_session`, by `keep_until`.
    Sessions,
    /// `countersign_event`, by `at`.
    Events,
    /// `countersign_token`, by `expires_at`.
    NativeTokens,
    /// `countersign_device`, by `keep_until`.
    Devices,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruned<T> {
    /// It was done.
    Done(T),
    /// Another process deletes at this moment (PostgreSQL), and nothing was done.
    Taken,
}

/// A stretch of rows along a primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch<K> {
    /// The last key in it.
    pub last: K,
    /// When the first of the rows that are left ends.
    pub earliest: Option<Timestamp>,
    /// Rows deleted, those that hang on them not counted.
    pub deleted: u64,
}

/// Rows deleted by an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// How many.
    pub deleted: u64,
    /// When the last of them ended: where the next batch begins.
    pub last: Timestamp,
}

impl Store {
    /// Deletes refresh and sliding tokens that ended at or before `until`, with their blacklist rows, among the next `rows` after
    /// an id; `None` at the end of the table.
    ///
    /// # Errors
    /// [`StoreError::ForeignKeyViolation`] where a table unknown to us refers to one of them; then nothing was deleted. If the
    /// database cannot be written.
    pub async fn prune_outstanding(
        &self,
        after: i64,
        until: Timestamp,
        rows: u32,
    ) -> Result<Option<Pruned<Stretch<i64>>>, StoreError> {
        let look = self.look(PRUNE_OUTSTANDING_LOOK, Key::Id(after), rows, |row| row.integer_opt(0)).await?;
        let Some((last, earliest)) = look else { return Ok(None) };
        if earliest.is_none_or(|earliest| earliest > until) {
            return Ok(Some(Pruned::Done(Stretch { last, earliest, deleted: 0 })));
        }
        let pruned = self
            .driver()
            .transaction(Sharing::Alone, move |mut transaction| {
                Box::pin(async move {
                    if !transaction.may_prune().await? {
                        return Ok(Pruned::Taken);
                    }
                    let values = [after.into(), last.into(), until.into()];
                    transaction.execute(FLUSH_BLACKLISTED, &values).await?;
                    let deleted = transaction.execute(FLUSH_OUTSTANDING, &values).await?;
                    let left = [after.into(), last.into()];
                    let earliest =
                        transaction.query_opt(PRUNE_OUTSTANDING_LEFT, &left, |row| row.instant_opt(0)).await?;
                    Ok(Pruned::Done(Stretch { last, earliest: earliest.flatten(), deleted }))
                })
            })
            .await?;
        Ok(Some(pruned))
    }

    /// Deletes Knox's tokens that ended at or before `until` among the next `rows` after a digest; `None` at the end of the table.
    ///
    /// # Errors
    /// As [`prune_outstanding`](Self::prune_outstanding).
    pub async fn prune_knox(
        &self,
        after: &str,
        until: Timestamp,
        rows: u32,
    ) -> Result<Option<Pruned<Stretch<String>>>, StoreError> {
        let look = self.look(PRUNE_KNOX_LOOK, Key::Text(after.to_owned()), rows, |row| row.text_opt(0)).await?;
        let Some((last, earliest)) = look else { return Ok(None) };
        if earliest.is_none_or(|earliest| earliest > until) {
            return Ok(Some(Pruned::Done(Stretch { last, earliest, deleted: 0 })));
        }
        let after = after.to_owned();
        let pruned = self
            .driver()
            .transaction(Sharing::Alone, move |mut transaction| {
                Box::pin(async move {
                    if !transaction.may_prune().await? {
                        return Ok(Pruned::Taken);
                    }
                    let values = [after.as_str().into(), last.as_str().into(), until.into()];
                    let deleted = transaction.execute(PRUNE_KNOX, &values).await?;
                    Ok(Pruned::Done(Stretch { last, earliest: None, deleted }))
                })
            })
            .await?;
        Ok(Some(pruned))
    }

    /// Deletes at most `rows` of those that ended from `from` to `until`, the oldest first; `None` where there are none.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn prune_indexed(
        &self,
        table: IndexedTable,
        from: Timestamp,
        until: Timestamp,
        rows: u32,
    ) -> Result<Pruned<Option<Slice>>, StoreError> {
        self.driver()
            .transaction(Sharing::Alone, move |mut transaction| {
                Box::pin(async move {
                    if !transaction.may_prune().await? {
                        return Ok(Pruned::Taken);
                    }
                    Ok(Pruned::Done(table.prune(&mut transaction, from, until, rows).await?))
                })
            })
            .await
    }

    /// Deletes all rows of our own tables that ended by `now`; sessions, which are kept for a while, by `sessions_until`. Gives their number.
    /// Takes turns with other processes that delete expired rows.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if its turn does not come. If the database cannot be written; the batches before that stay deleted.
    pub async fn flush_own(&self, now: Timestamp, sessions_until: Timestamp) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for (table, until) in [
            (IndexedTable::Rotations, now),
            (IndexedTable::Sessions, sessions_until),
            (IndexedTable::NativeTokens, now),
            (IndexedTable::Devices, now),
        ] {
            let mut from = Timestamp::UNIX_EPOCH;
            loop {
                let slice = self
                    .driver()
                    .transaction(Sharing::Alone, move |mut transaction| {
                        Box::pin(async move {
                            transaction.await_pruning().await?;
                            table.prune(&mut transaction, from, until, BATCH).await
                        })
                    })
                    .await?;
                let Some(slice) = slice else { break };
                deleted += slice.deleted;
                from = slice.last;
            }
        }
        Ok(deleted)
    }

    /// The last key of the next stretch and the first end in it, read where no other read waits behind.
    async fn look<K: Send + 'static>(
        &self,
        statement: &'static str,
        after: Key,
        rows: u32,
        key: impl FnOnce(&Row<'_>) -> Result<Option<K>, StoreError> + Send + 'static,
    ) -> Result<Option<(K, Option<Timestamp>)>, StoreError> {
        let read = move |row: &Row<'_>| -> Result<Option<(K, Option<Timestamp>)>, StoreError> {
            let Some(last) = key(row)? else { return Ok(None) };
            Ok(Some((last, row.instant_opt(1)?)))
        };
        let found = match self.driver() {
            Driver::Sqlite(_) => {
                self.driver().query_opt(statement, &[after.value(), i64::from(rows).into()], read).await?
            }
            Driver::Postgres(_) => {
                self.driver()
                    .transaction(Sharing::OneStatement, move |mut transaction| {
                        Box::pin(async move {
                            transaction.query_opt(statement, &[after.value(), i64::from(rows).into()], read).await
                        })
                    })
                    .await?
            }
        };
        Ok(found.flatten())
    }
}

impl IndexedTable {
    const fn statement(self) -> &'static str {
        match self {
            Self::DjangoSessions => PRUNE_DJANGO_SESSIONS,
            Self::Rotations => PRUNE_ROTATIONS,
            Self::Sessions => PRUNE_SESSIONS,
            Self::Events => PRUNE_EVENTS,
            Self::NativeTokens => PRUNE_NATIVE_TOKENS,
            Self::Devices => PRUNE_DEVICES,
        }
    }

    async fn prune(
        self,
        transaction: &mut Transaction<'_>,
        from: Timestamp,
        until: Timestamp,
        rows: u32,
    ) -> Result<Option<Slice>, StoreError> {
        let values = [from.into(), until.into(), i64::from(rows).into()];
        let ends = transaction.query(self.statement(), &values, |row| row.instant(0)).await?;
        let last = ends.iter().max().copied();
        Ok(last.map(|last| Slice { deleted: ends.len() as u64, last }))
    }
}

/// Where a stretch begins.
enum Key {
    Id(i64),
    Text(String),
}

impl Key {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Id(id) => (*id).into(),
            Self::Text(text) => text.as_str().into(),
        }
    }
}

impl Transaction<'_> {
    /// Whether nobody else deletes expired rows until this transaction ends; a unit on SQLite is alone anyway.
    async fn may_prune(&mut self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(true),
            Self::Postgres(session) => session.may_prune().await,
        }
    }

    /// Waits until nobody else deletes expired rows.
    pub(crate) async fn await_pruning(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(session) => session.await_pruning().await,
        }
    }
}
