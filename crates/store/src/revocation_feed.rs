//! What is new in `countersign_revocation`: every mark once, in the order of commits, and none missed, however long the transaction
//! took that wrote it.
//!
//! On SQLite ids are given in the order of commits, and the WAL index tells whether there is anything to be read. On PostgreSQL a row
//! may become visible after one with a higher id: rows are told apart by the transaction that wrote them, and by whether the
//! last snapshot saw it (PostgreSQL 15 documentation, §9.27.10, `txid_snapshot`).

use std::fmt;
use std::time::Duration;

use crate::driver::postgres::{self, Listener};
use crate::driver::{Commits, Driver};
use crate::value::{Row, Value};
use crate::{Mark, Store, StoreError};

/// The next marks in the order of their instants: the index of (`not_before`, `id`).
pub(crate) const PAGE: &str = "
    SELECT r.kind, r.subject, r.not_before, r.id FROM countersign_revocation r
    WHERE (r.not_before, r.id) > (CAST($1 AS bigint), CAST($2 AS bigint))
    ORDER BY r.not_before, r.id LIMIT $3";

/// The last id: primary key.
pub(crate) const LAST: &str = "SELECT max(r.id) FROM countersign_revocation r";

/// On SQLite, marks after an id: primary key.
pub(crate) const AFTER: &str = "
    SELECT r.kind, r.subject, r.not_before, r.id FROM countersign_revocation r
    WHERE r.id > CAST($1 AS bigint) ORDER BY r.id LIMIT $2";

/// On PostgreSQL, what is visible now.
const SNAPSHOT: &str = "SELECT CAST(txid_current_snapshot() AS text)";

/// On PostgreSQL, marks that were not visible in a snapshot: the index of `txid`. Together with the snapshot in which they are. A
/// transaction of the future is one of another server, of which this is a restored dump.
const SINCE: &str = "
    WITH now AS (SELECT CAST(txid_current_snapshot() AS text) AS snapshot)
    SELECT r.kind, r.subject, r.not_before, now.snapshot
    FROM now LEFT JOIN countersign_revocation r
        ON r.txid >= txid_snapshot_xmin(CAST(CAST($1 AS text) AS txid_snapshot))
        AND r.txid < txid_snapshot_xmax(txid_current_snapshot())
        AND NOT txid_visible_in_snapshot(r.txid, CAST(CAST($1 AS text) AS txid_snapshot))
    LIMIT $2";

/// Rows read at once.
const ROWS: i64 = 10_000;

/// What PostgreSQL notifies when a mark is written.
const CHANNEL: &str = "countersign_revocation";

/// A reader of marks, which knows what it has read.
#[derive(Debug)]
pub struct RevocationFeed {
    store: Store,
    place: Place,
}

/// Up to where was read; `None` where all is to be read anew.
enum Place {
    Sqlite { read: Option<ReadTo> },
    Postgres { listener: Box<Listener>, snapshot: Option<String> },
}

#[derive(Clone, Copy)]
struct ReadTo {
    id: i64,
    commits: Option<Commits>,
}

impl Store {
    /// Begins to follow the marks. Nothing is read yet.
    pub fn revocation_feed(&self) -> RevocationFeed {
        let place = match self.driver() {
            Driver::Sqlite(_) => Place::Sqlite { read: None },
            Driver::Postgres(postgres) => {
                Place::Postgres { listener: Box::new(postgres.listener(CHANNEL)), snapshot: None }
            }
        };
        RevocationFeed { store: self.clone(), place }
    }
}

impl RevocationFeed {
    /// Marks written since the last call. At first, and after an error: all whose instant is after `since` (milliseconds since
    /// 1970). `take` gets them a part at a time, some perhaps more than once.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn read(&mut self, since: i64, mut take: impl FnMut(Vec<Mark>) + Send) -> Result<(), StoreError> {
        let outcome =
            if self.is_behind() { self.all(since, &mut take).await } else { self.news(since, &mut take).await };
        if outcome.is_err() {
            self.start_over();
        }
        outcome
    }

    /// Has the next [`read`](Self::read) read all marks, as the first did.
    pub fn start_over(&mut self) {
        match &mut self.place {
            Place::Sqlite { read } => *read = None,
            Place::Postgres { listener, snapshot } => {
                listener.disconnect();
                *snapshot = None;
            }
        }
    }

    /// Waits for a sign that there is something to be read, or for `longest`.
    pub async fn wait(&self, longest: Duration) {
        match &self.place {
            Place::Sqlite { .. } => tokio::time::sleep(longest).await,
            Place::Postgres { listener, .. } => listener.heard(longest).await,
        }
    }

    /// How often it is worth looking within `staleness`: where a look is a system call, and nobody calls, often.
    pub fn interval(&self, staleness: Duration) -> Duration {
        match &self.place {
            Place::Sqlite { .. } => staleness / 10,
            Place::Postgres { .. } => staleness / 4,
        }
    }

    fn is_behind(&self) -> bool {
        match &self.place {
            Place::Sqlite { read } => read.is_none(),
            // Behind a connection that was lost may be another server, with less or other rows.
            Place::Postgres { listener, snapshot } => snapshot.is_none() || !listener.is_connected(),
        }
    }

    async fn all(&mut self, since: i64, take: &mut (impl FnMut(Vec<Mark>) + Send)) -> Result<(), StoreError> {
        // What is committed after this moment is read by the next call, and perhaps by this one.
        match &mut self.place {
            Place::Sqlite { read } => {
                let commits = self.store.driver().commits();
                let id = self.store.driver().query_opt(LAST, &[], |row| row.integer_opt(0)).await?.flatten();
                *read = Some(ReadTo { id: id.unwrap_or(0), commits });
            }
            Place::Postgres { listener, snapshot } => {
                listener.connect().await?;
                let rows = listener.rows(SNAPSHOT, &[]).await?;
                *snapshot = postgres::first(&rows, |row| row.text(0))?;
            }
        }
        let mut last = (since, i64::MAX);
        loop {
            let (marks, next) = page(self.query(PAGE, &[last.0.into(), last.1.into(), ROWS.into()], numbered).await?);
            take(marks);
            match next {
                Some(next) => last = next,
                None => return Ok(()),
            }
        }
    }

    async fn news(&mut self, since: i64, take: &mut (impl FnMut(Vec<Mark>) + Send)) -> Result<(), StoreError> {
        match &mut self.place {
            Place::Sqlite { read: None } => Ok(()),
            Place::Sqlite { read: Some(read) } => {
                let commits = self.store.driver().commits();
                if commits.is_some() && commits == read.commits {
                    return Ok(());
                }
                loop {
                    let values = [read.id.into(), ROWS.into()];
                    let (marks, next) = page(self.store.driver().query(AFTER, &values, numbered).await?);
                    let Some((_, id)) = next else { break };
                    take(marks);
                    read.id = id;
                }
                read.commits = commits;
                Ok(())
            }
            Place::Postgres { listener, snapshot } => {
                let before = snapshot.take().unwrap_or_default();
                let rows = listener.rows(SINCE, &[before.as_str().into(), ROWS.into()]).await?;
                let is_all = i64::try_from(rows.len()).unwrap_or(i64::MAX) < ROWS;
                let read = postgres::all(&rows, |row| {
                    Ok((if row.is_null(0)? { None } else { Mark::read(row, 0)? }, row.text(3)?))
                })?;
                let now = read.first().map(|(_, now)| now.clone());
                take(read.into_iter().filter_map(|(mark, _)| mark).collect());
                if !is_all || now.as_deref().and_then(highest) < highest(&before) {
                    // More than is read at once; or a server that is behind the one that was read before.
                    *snapshot = None;
                    return Box::pin(self.all(since, take)).await;
                }
                *snapshot = now;
                Ok(())
            }
        }
    }

    /// Rows from wherever this feed reads.
    async fn query<T: Send>(
        &mut self,
        statement: &str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Vec<T>, StoreError> {
        match &mut self.place {
            Place::Sqlite { .. } => self.store.driver().query(statement, values, read).await,
            Place::Postgres { listener, .. } => postgres::all(&listener.rows(statement, values).await?, read),
        }
    }
}

/// A row of a page: the mark, unless it is of a kind unknown here, and its place.
type Numbered = (Option<Mark>, (i64, i64));

fn numbered(row: &Row<'_>) -> Result<Numbered, StoreError> {
    let number = |column| row.integer_opt(column).map(Option::unwrap_or_default);
    Ok((Mark::read(row, 0)?, (number(2)?, number(3)?)))
}

/// The marks of a page, and the place of its last row.
fn page(rows: Vec<Numbered>) -> (Vec<Mark>, Option<(i64, i64)>) {
    let last = rows.last().map(|(_, place)| *place);
    (rows.into_iter().filter_map(|(mark, _)| mark).collect(), last)
}

/// The first transaction id that a snapshot (`xmin:xmax:…`) knows nothing of.
fn highest(snapshot: &str) -> Option<i64> {
    snapshot.split(':').nth(1)?.parse().ok()
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite { .. } => "Sqlite",
            Self::Postgres { .. } => "Postgres",
        })
    }
}
