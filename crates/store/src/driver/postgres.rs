//! PostgreSQL: reads over a few shared, pipelined connections, transactions over a small pool, all of them reconnecting.
//!
//! A read is one round trip: its statement stays prepared on the connection, and many callers' statements travel together.
//! A unit of one statement is one round trip as well; a longer one sends `BEGIN` along with its first statement. Behind PgBouncer
//! in transaction mode nothing stays prepared, and still each statement is one round trip.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::driver::{Sharing, Transaction, UnitFuture};
use crate::url::PostgresUrl;
use crate::value::{Row, Value};
use crate::{PostgresOptions, StoreError};

mod codec;
mod connection;
mod listener;
mod pools;
mod tls;

pub(crate) use codec::{Anything, Instant, UuidBits};
use connection::Connector;
pub(crate) use listener::Listener;
pub(crate) use pools::Session;
use pools::{Readers, Writers};

/// Tables, partitioned or foreign ones and views, wherever the search path finds them.
pub(crate) const TABLES: &str = "
    SELECT CAST(c.relname AS text)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND pg_catalog.pg_table_is_visible(c.oid)
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1";

/// Columns of the table that a quoted name leads to.
pub(crate) const COLUMNS: &str = "
    SELECT CAST(a.attname AS text), pg_catalog.format_type(a.atttypid, a.atttypmod)
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = pg_catalog.to_regclass(CAST($1 AS text)) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum";

/// A whole unique index over one column alone.
pub(crate) const UNIQUE_COLUMN: &str = "
    SELECT 1
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = pg_catalog.to_regclass(CAST($1 AS text)) AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
      AND i.indpred IS NULL AND a.attname = CAST($2 AS text)
    LIMIT 1";

/// A standby does not, nor does a server whose disk is nearly full at some providers.
const TAKES_WRITES: &str = "
    SELECT NOT pg_catalog.pg_is_in_recovery() AND pg_catalog.current_setting('transaction_read_only') = 'off'";

/// Held by whoever changes the schema; the number is ours by accident of its digits.
const SCHEMA_LOCK: &str = "SELECT pg_catalog.pg_advisory_xact_lock(7305809842)";

/// Held for a batch by whoever deletes expired rows; the next number.
const PRUNING_LOCK: &str = "
    SELECT pg_catalog.pg_try_advisory_xact_lock(730580984, pg_catalog.hashtext(CAST(pg_catalog.current_schema() AS text)))";

/// The same, waited for.
const PRUNING_TURN: &str = "
    SELECT pg_catalog.pg_advisory_xact_lock(730580984, pg_catalog.hashtext(CAST(pg_catalog.current_schema() AS text)))";

/// A PostgreSQL database.
#[derive(Debug)]
pub(crate) struct Postgres {
    connector: Arc<Connector>,
    readers: Readers,
    writers: Writers,
    sets_level: bool,
}

impl Postgres {
    /// Connects, so that a wrong address, name or password is an error at once.
    pub(crate) async fn open(url: &PostgresUrl, options: &PostgresOptions) -> Result<Self, StoreError> {
        let connector = Arc::new(Connector::new(url, options)?);
        let readers = Readers::open(&connector, options.read_connections.max(1)).await?;
        let writers = Writers::new(Arc::clone(&connector), options.write_connections.max(1));
        Ok(Self { connector, readers, writers, sets_level: !options.pgbouncer })
    }

    /// Whether a statement without a transaction around it has the level that transactions here ask for: behind PgBouncer it has
    /// the database's own.
    pub(crate) const fn sets_level(&self) -> bool {
        self.sets_level
    }

    /// A connection of its own, made when it is first used.
    pub(crate) fn listener(&self, channel: &'static str) -> Listener {
        Listener::new(Arc::clone(&self.connector), channel)
    }

    /// The rows of a reading statement. A connection that breaks under it is replaced by another once: nothing was written.
    pub(crate) async fn read(
        &self,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        refuse_nul(values)?;
        let connection = self.readers.pick()?;
        match connection.rows(statement, values).await {
            Err(broken) if connection.is_closed() => match self.readers.pick() {
                Ok(another) => another.rows(statement, values).await,
                Err(_) => Err(broken),
            },
            answer => answer,
        }
    }

    /// Runs one unit and commits it. A caller that stops waiting does not stop it.
    pub(crate) async fn write<T, U>(&self, sharing: Sharing, unit: U) -> Result<T, StoreError>
    where
        T: Send + 'static,
        U: for<'t> FnOnce(Transaction<'t>) -> UnitFuture<'t, T> + Send + 'static,
    {
        if !self.readers.any() {
            return Err(self.readers.unavailable());
        }
        let writers = self.writers.clone();
        let task = tokio::spawn(async move {
            let mut session = writers.session(sharing).await?;
            let outcome = unit(Transaction::Postgres(&mut session)).await;
            session.finish(outcome).await
        });
        task.await.map_err(|stopped| StoreError::Database { cause: Arc::new(stopped) })?
    }

    pub(crate) async fn health(&self) -> Result<(), StoreError> {
        if self.writers.is_closed() {
            return Err(StoreError::Closed);
        }
        self.read("SELECT 1", &[]).await?;
        // Over a connection for writes, of which there may be none to be had while reads go on.
        let mut session = self.writers.clone().session(Sharing::OneStatement).await?;
        let rows = session.rows(TAKES_WRITES, &[]).await;
        match first(&session.finish(rows).await?, |row| row.boolean(0))? {
            Some(true) => Ok(()),
            _ => Err(StoreError::Unavailable { cause: Arc::new(ReadOnly) }),
        }
    }

    pub(crate) async fn close(&self) {
        self.writers.close().await;
    }

    pub(crate) async fn prepare(&self, statement: &str) -> Result<(), StoreError> {
        self.readers.pick()?.check(statement).await
    }
}

impl Session {
    pub(crate) async fn lock_schema(&mut self) -> Result<(), StoreError> {
        self.script("SET LOCAL statement_timeout = 0").await?;
        self.rows(SCHEMA_LOCK, &[]).await.map(|_| ())
    }

    pub(crate) async fn may_prune(&mut self) -> Result<bool, StoreError> {
        Ok(first(&self.rows(PRUNING_LOCK, &[]).await?, |row| row.boolean(0))? == Some(true))
    }

    pub(crate) async fn await_pruning(&mut self) -> Result<(), StoreError> {
        self.rows(PRUNING_TURN, &[]).await.map(|_| ())
    }
}

/// The first of `rows`, read by `read`.
pub(crate) fn first<T>(
    rows: &[tokio_postgres::Row],
    read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    rows.first().map(|row| read(&Row::Postgres(row))).transpose()
}

/// Each of `rows`, read by `read`.
pub(crate) fn all<T>(
    rows: &[tokio_postgres::Row],
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    rows.iter().map(|row| read(&Row::Postgres(row))).collect()
}

/// What the server or the driver said, in the store's words. Details are left out: they repeat values of rows.
pub(crate) fn error(refusal: tokio_postgres::Error) -> StoreError {
    let Some(database) = refusal.as_db_error() else {
        let is_broken =
            refusal.is_closed() || refusal.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
        let cause = Arc::new(refusal);
        return if is_broken { StoreError::Unavailable { cause } } else { StoreError::Database { cause } };
    };
    let code = database.code();
    let column = database.column().unwrap_or("?").to_owned();
    match *code {
        SqlState::UNIQUE_VIOLATION => {
            // `Key (username)=(ann) already exists.`, of which only the first part is ours to repeat.
            let columns = database.detail().and_then(|detail| {
                let (columns, _) = detail.strip_prefix("Key (")?.split_once(")=(")?;
                Some(columns.to_owned())
            });
            let columns = columns.or_else(|| database.constraint().map(str::to_owned)).unwrap_or_default();
            let table = database.table().unwrap_or_default();
            StoreError::UniqueViolation { columns: format!("{table}.{columns}") }
        }
        SqlState::FOREIGN_KEY_VIOLATION => StoreError::ForeignKeyViolation,
        SqlState::NOT_NULL_VIOLATION => StoreError::MissingValue { column },
        SqlState::QUERY_CANCELED
        | SqlState::LOCK_NOT_AVAILABLE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::T_R_SERIALIZATION_FAILURE => StoreError::Busy,
        SqlState::UNDEFINED_TABLE
        | SqlState::UNDEFINED_COLUMN
        | SqlState::UNDEFINED_FUNCTION
        | SqlState::DATATYPE_MISMATCH
        | SqlState::INSUFFICIENT_PRIVILEGE => StoreError::Schema { problem: database.message().to_owned() },
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::TOO_MANY_CONNECTIONS
        | SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::Unavailable { cause: Arc::new(without_detail(&refusal)) },
        SqlState::INVALID_SQL_STATEMENT_NAME | SqlState::DUPLICATE_PSTATEMENT => {
            StoreError::Database { cause: Arc::new(PooledWithoutSwitch) }
        }
        // What PgBouncer says of a start-up parameter that only the server itself would know.
        SqlState::PROTOCOL_VIOLATION if database.message().starts_with("unsupported startup parameter") => {
            StoreError::Io { cause: Arc::new(PooledWithoutSwitch) }
        }
        _ if code.code().starts_with("08") => StoreError::Unavailable { cause: Arc::new(without_detail(&refusal)) },
        _ => StoreError::Database { cause: Arc::new(without_detail(&refusal)) },
    }
}

/// The server's sentence alone.
#[derive(Debug, thiserror::Error)]
#[error("{message} (SQLSTATE {code})")]
struct ServerSaid {
    message: String,
    code: String,
}

fn without_detail(refusal: &tokio_postgres::Error) -> ServerSaid {
    let database = refusal.as_db_error();
    ServerSaid {
        message: database.map_or_else(String::new, |error| error.message().to_owned()),
        code: database.map_or_else(String::new, |error| error.code().code().to_owned()),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("this is a PgBouncer in transaction mode, behind which postgresql.pgbouncer = true must be set")]
struct PooledWithoutSwitch;

#[derive(Debug, thiserror::Error)]
#[error("the server takes no writes for now")]
struct ReadOnly;

/// The wait for an answer ended.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer within {} s", .0.as_secs_f32())]
struct TooSlow(Duration);

fn refuse_nul(values: &[Value<'_>]) -> Result<(), StoreError> {
    if values.iter().any(Value::has_nul) { Err(StoreError::NulInText) } else { Ok(()) }
}
