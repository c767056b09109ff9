//! SQLite: WAL, readers answered inline on the calling thread, one writer thread with group commit.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params_from_iter};
use tempfile::TempDir;

use crate::driver::{Sharing, Transaction, UnitFuture};
use crate::value::{Row, Value};
use crate::{StoreError, StoreOptions};

mod commits;
mod readers;
mod writer;

pub(crate) use commits::Commits;
use commits::WalIndex;
use readers::Readers;
use writer::Writer;

/// All tables; SQLite's own begin with `sqlite_`.
pub(crate) const TABLES: &str = "
    SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

/// Columns of one table or view, whose name is compared exactly, where SQLite itself ignores case.
pub(crate) const COLUMNS: &str = "
    SELECT t.name, t.type
    FROM sqlite_master m JOIN pragma_table_info(m.name) t
    WHERE m.type IN ('table', 'view') AND m.name = $1
    ORDER BY t.cid";

/// A whole unique index over one column alone, or that column as the primary key.
pub(crate) const UNIQUE_COLUMN: &str = "
    SELECT 1 FROM pragma_index_list($1) AS i
    WHERE i.\"unique\" AND NOT i.partial AND (SELECT count(*) FROM pragma_index_info(i.name)) = 1
      AND (SELECT name FROM pragma_index_info(i.name)) = $2
    UNION ALL
    SELECT 1 FROM pragma_table_info($1) AS c
    WHERE c.pk = 1 AND c.name = $2 AND NOT EXISTS (SELECT 1 FROM pragma_table_info($1) AS d WHERE d.pk > 1)";

/// Something that is always there to be read.
const SCHEMA_SIZE: &str = "SELECT count(*) FROM sqlite_master";

/// Statements kept prepared per connection; the store has fewer.
const STATEMENT_CACHE: usize = 128;

/// A SQLite database: its readers and its writer.
#[derive(Debug)]
pub(crate) struct Sqlite {
    // Dropped in this order: pending writes are committed first, then the readers close the file; then the index
    // can see whether anybody else has it.
    writer: Writer,
    readers: Readers,
    index: WalIndex,
    _directory: Option<TempDir>,
}

impl Sqlite {
    pub(crate) fn open_file(path: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        if !path.exists() {
            if !options.create {
                return Err(StoreError::NoDatabase { path: path.to_owned() });
            }
            create_private(path)?;
        }
        Self::open(path, options, "FULL", None)
    }

    /// A database of its own in a directory that is removed with it. A real file, so that it behaves as one.
    pub(crate) fn open_memory(options: &StoreOptions) -> Result<Self, StoreError> {
        let directory = tempfile::Builder::new().prefix("countersign-").tempdir().map_err(io)?;
        let path: PathBuf = directory.path().join("memory.sqlite3");
        Self::open(&path, options, "OFF", Some(directory))
    }

    fn open(
        path: &Path,
        options: &StoreOptions,
        synchronous: &str,
        directory: Option<TempDir>,
    ) -> Result<Self, StoreError> {
        let connection = connect(path, options.busy_timeout)?;
        // Persistent in the file; Django works with it. Refused while another process uses the file: then the store works in
        // the mode it found, only slower, and the next start tries again.
        let mode: String =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).or_else(|refusal| {
                match error(refusal) {
                    StoreError::Busy => Ok("busy".to_owned()),
                    other => Err(other),
                }
            })?;
        if !mode.eq_ignore_ascii_case("wal") {
            tracing::warn!(database.file = %path.display(), "the database is in use and could not be switched to WAL");
        }
        connection
            .execute_batch(&format!(
                "PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864;
                 PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;"
            ))
            .map_err(error)?;
        let readers = Readers::open(options.readers.max(1), || {
            let connection = connect(path, options.busy_timeout)?;
            connection
                .execute_batch(
                    "PRAGMA query_only = ON; PRAGMA mmap_size = 1099511627776; PRAGMA cache_size = -8192;
                     PRAGMA temp_store = MEMORY;",
                )
                .map_err(error)?;
            Ok(connection)
        })?;
        let writer = Writer::start(connection)?;
        Ok(Self { writer, readers, index: WalIndex::open(path), _directory: directory })
    }

    /// Runs a read on the calling thread.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.readers.with(read)
    }

    /// Hands a unit to the writer thread and waits until it is committed.
    pub(crate) async fn write<T, U>(&self, sharing: Sharing, unit: U) -> Result<T, StoreError>
    where
        T: Send + 'static,
        U: for<'t> FnOnce(Transaction<'t>) -> UnitFuture<'t, T> + Send + 'static,
    {
        self.writer.submit(sharing, unit).await
    }

    /// The state of the database; see [`Commits`].
    pub(crate) fn commits(&self) -> Option<Commits> {
        self.index.commits()
    }

    pub(crate) fn health(&self) -> Result<(), StoreError> {
        if !self.writer.is_running() {
            return Err(StoreError::Closed);
        }
        // Reads the header of the file, where a plain `SELECT 1` would not.
        self.read(|connection| query_opt(connection, SCHEMA_SIZE, &[], |_| Ok(()))).map(|_| ())
    }

    pub(crate) async fn close(&self) {
        self.writer.stop().await;
    }
}

pub(crate) fn query_opt<T>(
    connection: &Connection,
    statement: &str,
    values: &[Value<'_>],
    read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    refuse_nul(values)?;
    let mut prepared = connection.prepare_cached(statement).map_err(error)?;
    let mut rows = prepared.query(params_from_iter(values)).map_err(error)?;
    match rows.next().map_err(error)? {
        Some(row) => read(&Row::Sqlite(row)).map(Some),
        None => Ok(None),
    }
}

pub(crate) fn query<T>(
    connection: &Connection,
    statement: &str,
    values: &[Value<'_>],
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    refuse_nul(values)?;
    let mut prepared = connection.prepare_cached(statement).map_err(error)?;
    let mut rows = prepared.query(params_from_iter(values)).map_err(error)?;
    let mut answer = Vec::new();
    while let Some(row) = rows.next().map_err(error)? {
        answer.push(read(&Row::Sqlite(row))?);
    }
    Ok(answer)
}

pub(crate) fn execute(connection: &Connection, statement: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
    refuse_nul(values)?;
    let mut prepared = connection.prepare_cached(statement).map_err(error)?;
    let changed = prepared.execute(params_from_iter(values)).map_err(error)?;
    Ok(u64::try_from(changed).unwrap_or(u64::MAX))
}

pub(crate) fn prepare(connection: &Connection, statement: &str) -> Result<(), StoreError> {
    // A read brings this connection's picture of the schema up to date; preparing alone would trust an old one, as would
    // a statement from the cache.
    query_opt(connection, SCHEMA_SIZE, &[], |_| Ok(()))?;
    connection.prepare(statement).map(|_| ()).map_err(error)
}

/// What SQLite said, in the store's words.
pub(crate) fn error(refusal: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    use rusqlite::ffi;
    let (code, message) = match &refusal {
        rusqlite::Error::SqliteFailure(code, message) => (*code, message.as_deref().unwrap_or_default()),
        rusqlite::Error::SqlInputError { error, msg, .. } => (*error, msg.as_str()),
        _ => return StoreError::Database { cause: Arc::new(refusal) },
    };
    match code.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
        ErrorCode::ConstraintViolation => match code.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
                let columns = message.rsplit_once(": ").map_or(message, |(_, columns)| columns);
                StoreError::UniqueViolation { columns: columns.to_owned() }
            }
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => StoreError::ForeignKeyViolation,
            ffi::SQLITE_CONSTRAINT_NOTNULL => {
                let column = message.rsplit_once('.').map_or(message, |(_, column)| column);
                StoreError::MissingValue { column: column.to_owned() }
            }
            _ => StoreError::Database { cause: Arc::new(refusal) },
        },
        ErrorCode::CannotOpen
        | ErrorCode::NotADatabase
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::DiskFull
        | ErrorCode::PermissionDenied
        | ErrorCode::ReadOnly
        | ErrorCode::SystemIoFailure => StoreError::Io { cause: Arc::new(refusal) },
        _ if message.starts_with("no such ") => StoreError::Schema { problem: message.to_owned() },
        _ => StoreError::Database { cause: Arc::new(refusal) },
    }
}

fn connect(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    // Without SQLITE_OPEN_URI: a path is a path, whatever characters are in it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(error)?;
    connection.busy_timeout(busy_timeout).map_err(error)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    Ok(connection)
}

/// An empty file is an empty database. It will hold live tokens, so nobody else may read it.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path).map(|_| ()).map_err(io)
}

fn io(refusal: std::io::Error) -> StoreError {
    StoreError::Io { cause: Arc::new(refusal) }
}

fn refuse_nul(values: &[Value<'_>]) -> Result<(), StoreError> {
    if values.iter().any(Value::has_nul) { Err(StoreError::NulInText) } else { Ok(()) }
}
