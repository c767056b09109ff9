//! `countersign_event`: what happened to logins, tokens and sessions. Which texts it may hold is for the caller to see to.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::driver::{Sharing, Transaction};
use crate::value::{Row, Value};
use crate::{Store, StoreError};

/// A row: primary key.
pub(crate) const RECORD_EVENT: &str = "
    INSERT INTO countersign_event (at, kind, user_id, account, address, agent, session, detail)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// Eight rows in one go: primary key.
pub(crate) const RECORD_EVENTS: &str = "
    INSERT INTO countersign_event (at, kind, user_id, account, address, agent, session, detail)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8),
           ($9, $10, $11, $12, $13, $14, $15, $16),
           ($17, $18, $19, $20, $21, $22, $23, $24),
           ($25, $26, $27, $28, $29, $30, $31, $32),
           ($33, $34, $35, $36, $37, $38, $39, $40),
           ($41, $42, $43, $44, $45, $46, $47, $48),
           ($49, $50, $51, $52, $53, $54, $55, $56),
           ($57, $58, $59, $60, $61, $62, $63, $64)";

/// Rows of [`RECORD_EVENTS`].
const TOGETHER: usize = 8;

/// The latest events: index of `at`.
pub(crate) const EVENTS: &str = "
    SELECT e.id, e.at, e.kind, e.user_id, e.account, e.address, e.agent, e.session, e.detail
    FROM countersign_event e
    WHERE e.at >= $1 AND (CAST($2 AS text) IS NULL OR e.kind = $2)
    ORDER BY e.at DESC, e.id DESC LIMIT $3";

/// The latest events about a user or about logins by a name: indexes of `user_id` and `account`, primary key.
pub(crate) const EVENTS_OF: &str = "
    SELECT e.id, e.at, e.kind, e.user_id, e.account, e.address, e.agent, e.session, e.detail
    FROM countersign_event e
    WHERE e.id IN (
        SELECT u.id FROM countersign_event u WHERE u.user_id = $1
        UNION SELECT a.id FROM countersign_event a WHERE a.account = $2
    ) AND e.at >= $3 AND (CAST($4 AS text) IS NULL OR e.kind = $4)
    ORDER BY e.at DESC, e.id DESC LIMIT $5";

/// A row to be. `Debug` shows the kind alone.
#[derive(Clone, PartialEq, Eq)]
pub struct EventRow {
    /// When it happened.
    pub at: Timestamp,
    /// The name of its kind.
    pub kind: Cow<'static, str>,
    /// The user's key.
    pub user: Option<String>,
    /// The name that a client gave.
    pub account: Option<String>,
    /// Where the client is.
    pub address: Option<String>,
    /// `User-Agent` of the client.
    pub agent: Option<String>,
    /// The session's id.
    pub session: Option<String>,
    /// What else belongs to it: a JSON object.
    pub detail: Option<String>,
}

/// Which events are wanted.
#[derive(Clone, Debug)]
pub struct EventFilter {
    /// Not before this.
    pub since: Timestamp,
    /// Of this kind alone.
    pub kind: Option<String>,
    /// About this user alone, by key or by name.
    pub of: Option<EventsOf>,
    /// So many of the latest.
    pub limit: u32,
}

/// Whom events are about.
#[derive(Clone, Debug)]
pub struct EventsOf {
    /// The user's key, if there is one.
    pub user: Option<String>,
    /// The name as the table has it.
    pub account: String,
}

impl Store {
    /// Writes rows, all or none.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn record_events(&self, rows: Arc<[EventRow]>) -> Result<(), StoreError> {
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move { record(&mut transaction, &rows).await })
            })
            .await
    }

    /// The latest events of some kind, oldest first, each with its number.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn events(&self, filter: &EventFilter) -> Result<Vec<(i64, EventRow)>, StoreError> {
        let (since, kind) = (Value::from(filter.since), Value::from(filter.kind.as_deref()));
        let limit = Value::from(i64::from(filter.limit));
        let mut events = match &filter.of {
            None => self.driver().query(EVENTS, &[since, kind, limit], event).await?,
            Some(of) => {
                let values = [of.user.as_deref().into(), of.account.as_str().into(), since, kind, limit];
                self.driver().query(EVENTS_OF, &values, event).await?
            }
        };
        events.reverse();
        Ok(events)
    }
}

/// Writes rows within a transaction.
pub(crate) async fn record(transaction: &mut Transaction<'_>, rows: &[EventRow]) -> Result<(), StoreError> {
    let (together, rest) = rows.as_chunks::<TOGETHER>();
    for rows in together {
        let values: Vec<Value<'_>> = rows.iter().flat_map(EventRow::values).collect();
        transaction.execute(RECORD_EVENTS, &values).await?;
    }
    for row in rest {
        transaction.execute(RECORD_EVENT, &row.values()).await?;
    }
    Ok(())
}

impl EventRow {
    fn values(&self) -> [Value<'_>; 8] {
        [
            self.at.into(),
            Value::from(&*self.kind),
            self.user.as_deref().into(),
            self.account.as_deref().into(),
            self.address.as_deref().into(),
            self.agent.as_deref().into(),
            self.session.as_deref().into(),
            self.detail.as_deref().into(),
        ]
    }
}

fn event(row: &Row<'_>) -> Result<(i64, EventRow), StoreError> {
    let id = row.integer_opt(0)?.unwrap_or_default();
    let event = EventRow {
        at: row.instant(1)?,
        kind: row.text(2)?.into(),
        user: row.text_opt(3)?,
        account: row.text_opt(4)?,
        address: row.text_opt(5)?,
        agent: row.text_opt(6)?,
        session: row.text_opt(7)?,
        detail: row.text_opt(8)?,
    };
    Ok((id, event))
}

impl fmt::Debug for EventRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventRow").field("at", &self.at).field("kind", &self.kind).finish_non_exhaustive()
    }
}
