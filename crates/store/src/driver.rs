//! The waist: `query_opt`, `query` and `transaction` over one statement text. All that a table module sees of a database.
//!
//! A statement is one text for every database: parameters `$1`, `$2`, … in the order of their first use, columns always
//! named, `ON CONFLICT` and `RETURNING` where needed. [`Value`] and [`Row`] carry what differs.
//!
//! A write is a *unit*: a function from an open [`Transaction`] to a future. Units are written once, with `.await`. SQLite runs
//! them on its writer thread, where every await is ready at once; a networked database awaits for real.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;

use crate::StoreError;
use crate::url::{DatabaseUrl, Location};
use crate::value::{Row, Value};

pub(crate) mod postgres;
pub(crate) mod sqlite;

pub(crate) use sqlite::Commits;

/// What a unit gives back: `Ok` asks for the commit, `Err` rolls this unit back.
pub(crate) type UnitFuture<'t, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 't>>;

/// Whether a unit may share its commit with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// The usual case: the unit can fail only in its own statements.
    Grouped,
    /// As `Grouped`, and the unit is one statement: PostgreSQL needs no `BEGIN` and `COMMIT` around it.
    OneStatement,
    /// The unit may fail at the commit (it deletes rows that a table unknown to us may refer to), or is long.
    Alone,
}

/// A database, by kind.
#[derive(Debug)]
pub(crate) enum Driver {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

/// An open transaction, handed to a unit.
pub(crate) enum Transaction<'t> {
    Sqlite(&'t mut rusqlite::Connection),
    Postgres(&'t mut postgres::Session),
}

/// One column as the catalogue describes it.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The declared type, in lower case: `integer`, `varchar(150)`, `bool`, `datetime` in SQLite; `bigint`,
    /// `character varying(150)`, `boolean`, `timestamp with time zone` in PostgreSQL.
    pub(crate) declared: String,
}

impl Driver {
    pub(crate) async fn open(url: &DatabaseUrl, options: &crate::StoreOptions) -> Result<Self, StoreError> {
        match url.location() {
            Location::SqliteFile(path) => sqlite::Sqlite::open_file(path, options).map(Self::Sqlite),
            Location::SqliteMemory => sqlite::Sqlite::open_memory(options).map(Self::Sqlite),
            Location::Postgres(url) => postgres::Postgres::open(url, &options.postgres).await.map(Self::Postgres),
        }
    }

    /// The first row of the answer, if there is one.
    pub(crate) async fn query_opt<T>(
        &self,
        statement: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Option<T>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(|connection| sqlite::query_opt(connection, statement, values, read)),
            Self::Postgres(postgres) => postgres::first(&postgres.read(statement, values).await?, read),
        }
    }

    /// All rows of the answer.
    pub(crate) async fn query<T>(
        &self,
        statement: &str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(|connection| sqlite::query(connection, statement, values, read)),
            Self::Postgres(postgres) => postgres::all(&postgres.read(statement, values).await?, read),
        }
    }

    /// The state of the database now, where that can be told for less than a read; see [`Commits`].
    pub(crate) fn commits(&self) -> Option<Commits> {
        match self {
            Self::Sqlite(sqlite) => sqlite.commits(),
            Self::Postgres(_) => None,
        }
    }

    /// Whether one statement may write to several tables (`WITH … AS (INSERT …)`), alone, at the level that `ON CONFLICT` decides
    /// under.
    pub(crate) fn writes_in_with(&self) -> bool {
        matches!(self, Self::Postgres(postgres) if postgres.sets_level())
    }

    /// Runs one unit and commits it. When this returns `Ok`, the unit's rows are on disk.
    pub(crate) async fn transaction<T, U>(&self, sharing: Sharing, unit: U) -> Result<T, StoreError>
    where
        T: Send + 'static,
        U: for<'t> FnOnce(Transaction<'t>) -> UnitFuture<'t, T> + Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(sharing, unit).await,
            Self::Postgres(postgres) => postgres.write(sharing, unit).await,
        }
    }

    /// Reads something from the database's file or server, past any cache of ours.
    pub(crate) async fn health(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.health(),
            Self::Postgres(postgres) => postgres.health().await,
        }
    }

    /// Finishes the writes already handed in and refuses later ones.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.close().await,
            Self::Postgres(postgres) => postgres.close().await,
        }
    }

    /// Names of all tables.
    pub(crate) async fn tables(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(_) => self.query(sqlite::TABLES, &[], |row| row.text(0)).await,
            Self::Postgres(_) => self.query(postgres::TABLES, &[], |row| row.text(0)).await,
        }
    }

    /// The columns of a table in their order; none when there is no such table.
    pub(crate) async fn columns(&self, table: &TableName) -> Result<Vec<Column>, StoreError> {
        let read = |row: &Row<'_>| {
            Ok(Column { name: row.text(0)?, declared: row.text_opt(1)?.unwrap_or_default().to_ascii_lowercase() })
        };
        match self {
            Self::Sqlite(_) => self.query(sqlite::COLUMNS, &[table.in_catalogue(self).as_str().into()], read).await,
            Self::Postgres(_) => self.query(postgres::COLUMNS, &[table.in_catalogue(self).as_str().into()], read).await,
        }
    }

    /// Whether the values of one column are unique by an index or as the primary key.
    pub(crate) async fn is_unique(&self, table: &TableName, column: &str) -> Result<bool, StoreError> {
        let name = table.in_catalogue(self);
        let statement = match self {
            Self::Sqlite(_) => sqlite::UNIQUE_COLUMN,
            Self::Postgres(_) => postgres::UNIQUE_COLUMN,
        };
        Ok(self.query_opt(statement, &[name.as_str().into(), column.into()], |_| Ok(())).await?.is_some())
    }

    /// Checks that the database understands a statement: every table and column in it exists.
    pub(crate) async fn prepare(&self, statement: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(|connection| sqlite::prepare(connection, statement)),
            Self::Postgres(postgres) => postgres.prepare(statement).await,
        }
    }
}

impl Transaction<'_> {
    /// The first row of the answer, if there is one.
    pub(crate) async fn query_opt<T>(
        &mut self,
        statement: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Option<T>, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::query_opt(connection, statement, values, read),
            Self::Postgres(session) => postgres::first(&session.rows(statement, values).await?, read),
        }
    }

    /// All rows of the answer.
    pub(crate) async fn query<T>(
        &mut self,
        statement: &str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::query(connection, statement, values, read),
            Self::Postgres(session) => postgres::all(&session.rows(statement, values).await?, read),
        }
    }

    /// Runs a statement without an answer; gives the number of rows it changed.
    pub(crate) async fn execute(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::execute(connection, statement, values),
            Self::Postgres(session) => session.execute(statement, values).await,
        }
    }

    /// Runs a script of schema statements, with its table names and types as `adapt` wants them.
    pub(crate) async fn script(
        &mut self,
        script: Script,
        adapt: impl FnOnce(&'static str) -> Cow<'static, str> + Send,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(&adapt(script.sqlite)).map_err(sqlite::error),
            Self::Postgres(session) => session.script(&adapt(script.postgres)).await,
        }
    }

    /// Keeps everybody else from changing the schema until the transaction ends; a unit on SQLite is alone anyway.
    pub(crate) async fn lock_schema(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(session) => session.lock_schema().await,
        }
    }

    /// Names of all tables.
    pub(crate) async fn tables(&mut self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(_) => self.query(sqlite::TABLES, &[], |row| row.text(0)).await,
            Self::Postgres(_) => self.query(postgres::TABLES, &[], |row| row.text(0)).await,
        }
    }
}

/// Schema statements, which are the one thing each database needs in words of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// A table by its name as the catalogue has it, case and all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableName {
    /// PostgreSQL's schema; `None` leaves it to the search path, as Django does.
    pub schema: Option<String>,
    /// The table.
    pub name: String,
}

impl TableName {
    /// A table that the search path finds.
    pub fn new(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }

    /// As an SQL identifier.
    pub(crate) fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(&self.name)),
            None => quoted(&self.name),
        }
    }

    /// As the statements on a catalogue take it.
    fn in_catalogue(&self, driver: &Driver) -> String {
        match driver {
            Driver::Sqlite(_) => self.name.clone(),
            Driver::Postgres(_) => self.quoted(),
        }
    }
}

/// For messages: `schema.table`.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A name as an SQL identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
