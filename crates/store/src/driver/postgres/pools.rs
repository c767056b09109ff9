//! Who gets which connection: shared ones for reads, kept alive; borrowed ones for transactions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use super::connection::{Carrier, Connection, Connector};
use super::refuse_nul;
use crate::StoreError;
use crate::driver::Sharing;
use crate::value::Value;

/// The first wait before a lost connection is made again; each failure doubles it up to the longest.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The level that `ON CONFLICT` decides under, whatever the database's default is.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Connections that all reads share. Each has a task that carries its bytes and makes it again when it is lost.
#[derive(Debug)]
pub(super) struct Readers {
    slots: Box<[Arc<Slot>]>,
    next: AtomicUsize,
    keepers: Vec<AbortHandle>,
}

#[derive(Debug, Default)]
struct Slot {
    connection: RwLock<Option<Arc<Connection>>>,
    /// Why there is none.
    trouble: Mutex<Option<StoreError>>,
}

impl Readers {
    /// Makes `count` connections; the first failure is the answer.
    pub(super) async fn open(connector: &Arc<Connector>, count: usize) -> Result<Self, StoreError> {
        let mut readers = Self { slots: Box::default(), next: AtomicUsize::new(0), keepers: Vec::new() };
        let mut slots = Vec::new();
        for _ in 0..count {
            let (connection, carrier) = connector.connect().await?;
            let slot = Arc::new(Slot::default());
            slot.put(connection);
            let keeper = tokio::spawn(keep(Arc::clone(&slot), Arc::clone(connector), carrier));
            readers.keepers.push(keeper.abort_handle());
            slots.push(slot);
        }
        readers.slots = slots.into_boxed_slice();
        Ok(readers)
    }

    /// A connection to read over: each in turn, those that are down passed over.
    pub(super) fn pick(&self) -> Result<Arc<Connection>, StoreError> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.slots.len();
        (0..count)
            .find_map(|step| self.slots[start.wrapping_add(step) % count].live())
            .ok_or_else(|| self.unavailable())
    }

    /// Whether the database can be reached at all, as far as is known.
    pub(super) fn any(&self) -> bool {
        self.slots.iter().any(|slot| slot.live().is_some())
    }

    /// Why it cannot.
    pub(super) fn unavailable(&self) -> StoreError {
        let known = self.slots.iter().find_map(|slot| {
            let trouble = slot.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            trouble.clone()
        });
        match known {
            Some(unavailable @ StoreError::Unavailable { .. }) => unavailable,
            Some(other) => StoreError::Unavailable { cause: Arc::new(other) },
            None => StoreError::Unavailable { cause: Arc::new(Lost) },
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        for keeper in &self.keepers {
            keeper.abort();
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the connection to the database was lost and is being made again")]
struct Lost;

impl Slot {
    fn put(&self, connection: Connection) {
        *self.connection.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(connection));
    }

    fn clear(&self, trouble: Option<StoreError>) {
        *self.connection.write().unwrap_or_else(PoisonError::into_inner) = None;
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn live(&self) -> Option<Arc<Connection>> {
        let connection = self.connection.read().unwrap_or_else(PoisonError::into_inner);
        connection.as_ref().filter(|connection| !connection.is_closed()).map(Arc::clone)
    }
}

/// Carries a connection's bytes until it ends, then makes a new one, for ever.
async fn keep(slot: Arc<Slot>, connector: Arc<Connector>, mut carrier: Carrier) {
    loop {
        let trouble = carrier.await.err().map(super::error);
        tracing::warn!(cause = trouble.as_ref().map(tracing::field::display), "a database connection was lost");
        slot.clear(trouble);
        let mut wait = SHORTEST_WAIT;
        carrier = loop {
            match connector.connect().await {
                Ok((connection, carrier)) => {
                    slot.put(connection);
                    tracing::info!("a database connection was made again");
                    break carrier;
                }
                Err(refusal) => {
                    tracing::warn!(error = %refusal, "the database cannot be reached; trying again");
                    slot.clear(Some(refusal));
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        };
    }
}

/// Connections for transactions: made when needed, kept for the next, at most a set number at once.
#[derive(Clone, Debug)]
pub(super) struct Writers {
    connector: Arc<Connector>,
    places: Arc<Semaphore>,
    count: u32,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Writers {
    pub(super) fn new(connector: Arc<Connector>, count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Self { connector, places: Arc::new(Semaphore::new(count as usize)), count, idle: Arc::default() }
    }

    /// A connection of one's own, once there is a place for it.
    pub(super) async fn session(self, sharing: Sharing) -> Result<Session, StoreError> {
        let place = tokio::time::timeout(self.connector.answer_timeout(), Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| StoreError::Busy)?
            .map_err(|_| StoreError::Closed)?;
        let found = loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(connection) if connection.is_closed() => {}
                other => break other,
            }
        };
        let connection = if let Some(connection) = found {
            connection
        } else {
            let (connection, carrier) = self.connector.connect().await?;
            tokio::spawn(carrier);
            connection
        };
        let stage = if sharing == Sharing::OneStatement { Stage::Single } else { Stage::NotBegun };
        Ok(Session { connection, stage, idle: self.idle, _place: place })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.places.is_closed()
    }

    /// Waits for what is under way and refuses what comes later.
    pub(super) async fn close(&self) {
        drop(self.places.acquire_many(self.count).await);
        self.places.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A transaction over a borrowed connection. Dropped unfinished, the connection goes too, and with it what was not committed.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    stage: Stage,
    idle: Arc<Mutex<Vec<Connection>>>,
    _place: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// `BEGIN` goes out with the first statement.
    NotBegun,
    Begun,
    /// One statement that is its own transaction, not yet run.
    Single,
    /// That statement ran.
    SingleDone,
}

impl Session {
    pub(crate) async fn rows(
        &mut self,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        refuse_nul(values)?;
        if self.begins(statement).await? {
            let (begun, rows) = tokio::join!(self.connection.command(BEGIN), self.connection.rows(statement, values));
            return begun.and(rows);
        }
        self.connection.rows(statement, values).await
    }

    pub(crate) async fn execute(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        refuse_nul(values)?;
        if self.begins(statement).await? {
            let (begun, changed) =
                tokio::join!(self.connection.command(BEGIN), self.connection.execute(statement, values));
            return begun.and(changed);
        }
        self.connection.execute(statement, values).await
    }

    pub(crate) async fn script(&mut self, script: &str) -> Result<(), StoreError> {
        if self.stage == Stage::NotBegun {
            self.stage = Stage::Begun;
            self.connection.command(BEGIN).await?;
        }
        self.connection.script(script).await
    }

    /// Whether `BEGIN` has to go out before this statement.
    async fn begins(&mut self, statement: &str) -> Result<bool, StoreError> {
        debug_assert_ne!(self.stage, Stage::SingleDone, "a second statement in a unit of one");
        let begins = self.stage == Stage::NotBegun;
        if begins {
            self.connection.warm(statement).await?;
        }
        self.stage = if self.stage == Stage::Single { Stage::SingleDone } else { Stage::Begun };
        Ok(begins)
    }

    /// Commits what went well, rolls back what did not, and gives the connection back.
    pub(super) async fn finish<T>(self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        let outcome = match (outcome, self.stage) {
            (Ok(value), Stage::Begun) => self.connection.command("COMMIT").await.map(|()| value),
            (Err(refusal), Stage::Begun) => {
                // A connection on which this fails is closed, or closed by the server before long.
                if self.connection.command("ROLLBACK").await.is_err() {
                    return Err(refusal);
                }
                Err(refusal)
            }
            (outcome, _) => outcome,
        };
        // After an answer that never came, the connection is in the middle of something.
        if !self.connection.is_closed() && !matches!(outcome, Err(StoreError::Unavailable { .. })) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection);
        }
        outcome
    }
}
