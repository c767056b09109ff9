//! The waist: `query_opt`, `query` and `transaction` over one statement text. All that a table module sees of a database.
//!
//! A statement is one text for every database: parameters `$1`, `$2`, … in the order of their first use, columns always
//! named, `ON CONFLICT` and `RETURNING` where needed. [`Value`] and [`Row`] carry what differs.
//!
//! A write is a *unit*: a function from an open [`Transaction`] to a future. Units are written once, with `.await`. SQLite runs
//! them on its writer thread, where every await is ready at once; a networked database awaits for real.

use std::pin::Pin;

use crate::StoreError;
use crate::url::{DatabaseUrl, Location};
use crate::value::{Row, Value};

pub(crate) mod sqlite;

/// What a unit gives back: `Ok` asks for the commit, `Err` rolls this unit back.
pub(crate) type UnitFuture<'t, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 't>>;

/// Whether a unit may share its commit with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// The usual case: the unit can fail only in its own statements.
    Grouped,
    /// The unit may fail at the commit (it deletes rows that a table unknown to us may refer to), or is long.
    Alone,
}

/// A database, by kind.
#[derive(Debug)]
pub(crate) enum Driver {
    Sqlite(sqlite::Sqlite),
}

/// An open transaction, handed to a unit.
pub(crate) enum Transaction<'t> {
    Sqlite(&'t mut rusqlite::Connection),
}

/// One column as the catalogue describes it.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The declared type, in lower case: `integer`, `varchar(150)`, `bool`, `datetime`.
    pub(crate) declared: String,
}

#[expect(
    clippy::unused_async,
    reason = "reads of SQLite are answered inline; those of a networked database will await"
)]
impl Driver {
    pub(crate) async fn open(url: &DatabaseUrl, options: &crate::StoreOptions) -> Result<Self, StoreError> {
        match url.location() {
            Location::SqliteFile(path) => sqlite::Sqlite::open_file(path, options).map(Self::Sqlite),
            Location::SqliteMemory => sqlite::Sqlite::open_memory(options).map(Self::Sqlite),
        }
    }

    /// The first row of the answer, if there is one.
    pub(crate) async fn query_opt<T>(
        &self,
        statement: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(|connection| sqlite::query_opt(connection, statement, values, read)),
        }
    }

    /// All rows of the answer.
    pub(crate) async fn query<T>(
        &self,
        statement: &str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(|connection| sqlite::query(connection, statement, values, read)),
        }
    }

    /// Runs one unit and commits it. When this returns `Ok`, the unit's rows are on disk.
    pub(crate) async fn transaction<T, U>(&self, sharing: Sharing, unit: U) -> Result<T, StoreError>
    where
        T: Send + 'static,
        U: for<'t> FnOnce(Transaction<'t>) -> UnitFuture<'t, T> + Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(sharing, unit).await,
        }
    }

    /// Reads something from the database's file or server, past any cache of ours.
    pub(crate) async fn health(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.health(),
        }
    }

    /// Finishes the writes already handed in and refuses later ones.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.close().await,
        }
    }

    /// Names of all tables.
    pub(crate) async fn tables(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(_) => self.query(sqlite::TABLES, &[], |row| row.text(0)).await,
        }
    }

    /// The columns of a table in their order; none when there is no such table.
    pub(crate) async fn columns(&self, table: &str) -> Result<Vec<Column>, StoreError> {
        let read = |row: &Row<'_>| {
            Ok(Column { name: row.text(0)?, declared: row.text_opt(1)?.unwrap_or_default().to_ascii_lowercase() })
        };
        match self {
            Self::Sqlite(_) => self.query(sqlite::COLUMNS, &[table.into()], read).await,
        }
    }

    /// Whether the values of one column are unique by an index or as the primary key.
    pub(crate) async fn is_unique(&self, table: &str, column: &str) -> Result<bool, StoreError> {
        let values = [Value::from(table), Value::from(column)];
        match self {
            Self::Sqlite(_) => Ok(self.query_opt(sqlite::UNIQUE_COLUMN, &values, |_| Ok(())).await?.is_some()),
        }
    }

    /// Checks that the database understands a statement: every table and column in it exists.
    pub(crate) async fn prepare(&self, statement: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(|connection| sqlite::prepare(connection, statement)),
        }
    }
}

#[expect(
    clippy::unused_async,
    reason = "statements of SQLite are answered inline; those of a networked database will await"
)]
impl Transaction<'_> {
    /// The first row of the answer, if there is one.
    pub(crate) async fn query_opt<T>(
        &mut self,
        statement: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::query_opt(connection, statement, values, read),
        }
    }

    /// All rows of the answer.
    pub(crate) async fn query<T>(
        &mut self,
        statement: &str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::query(connection, statement, values, read),
        }
    }

    /// Runs a statement without an answer; gives the number of rows it changed.
    pub(crate) async fn execute(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::execute(connection, statement, values),
        }
    }

    /// Runs a script of schema statements.
    pub(crate) async fn script(&mut self, script: Script) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(script.sqlite).map_err(sqlite::error),
        }
    }

    /// Names of all tables.
    pub(crate) async fn tables(&mut self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(_) => self.query(sqlite::TABLES, &[], |row| row.text(0)).await,
        }
    }
}

/// Schema statements, which are the one thing each database needs in words of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    pub(crate) sqlite: &'static str,
}

/// A name as an SQL identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
