//! What goes into a statement and what comes out of it, the same for every database.

use std::fmt;

use countersign_formats::django_time;
use jiff::Timestamp;
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::Type;

use crate::driver::postgres;
use crate::{IdType, StoreError, UserId};

/// One parameter of a statement. The differences between the databases (booleans, instants, UUIDs) end here.
#[derive(Clone, Copy)]
pub(crate) enum Value<'v> {
    Null,
    Boolean(bool),
    Integer(i64),
    Text(&'v str),
    /// Text in Django's form in SQLite, `timestamptz` in PostgreSQL.
    Instant(Timestamp),
    /// 32 hex digits in SQLite, `uuid` in PostgreSQL.
    Uuid(u128),
}

impl Value<'_> {
    /// Whether this is a text with U+0000, which PostgreSQL cannot hold and no row of Django's therefore has.
    pub(crate) fn has_nul(&self) -> bool {
        matches!(self, Self::Text(text) if text.contains('\0'))
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(text)
    }
}

impl<'v> From<Option<&'v str>> for Value<'v> {
    fn from(text: Option<&'v str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

impl<'v> From<&'v UserId> for Value<'v> {
    fn from(id: &'v UserId) -> Self {
        match id {
            UserId::Integer(id) => Self::Integer(*id),
            UserId::Uuid(id) => Self::Uuid(*id),
            UserId::Text(id) => Self::Text(id),
        }
    }
}

impl<'v> From<Option<&'v UserId>> for Value<'v> {
    fn from(id: Option<&'v UserId>) -> Self {
        id.map_or(Self::Null, Self::from)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(instant: Timestamp) -> Self {
        Self::Instant(instant)
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(instant: Option<Timestamp>) -> Self {
        instant.map_or(Self::Null, Self::Instant)
    }
}

/// Storage in SQLite: Django 5.2 `django.db.backends.sqlite3`, `adapt_datetimefield_value` and `UUIDField`.
impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        use rusqlite::types::Value as Owned;
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Owned::Null),
            Self::Boolean(value) => ToSqlOutput::Owned(Owned::Integer(i64::from(*value))),
            Self::Integer(value) => ToSqlOutput::Owned(Owned::Integer(*value)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Instant(instant) => ToSqlOutput::Owned(Owned::Text(django_time::to_sqlite_text(*instant))),
            Self::Uuid(id) => ToSqlOutput::Owned(Owned::Text(format!("{id:032x}"))),
        })
    }
}

/// Never shows what it holds: it may be a key or a hash.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

/// One row of an answer, read in place; columns by their position in the statement.
pub(crate) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

impl Row<'_> {
    pub(crate) fn text(&self, column: usize) -> Result<String, StoreError> {
        self.text_opt(column)?.ok_or_else(|| self.unreadable(column, "text"))
    }

    pub(crate) fn text_opt(&self, column: usize) -> Result<Option<String>, StoreError> {
        match self {
            Self::Sqlite(row) => match cell(row, column)? {
                ValueRef::Null => Ok(None),
                ValueRef::Text(bytes) => match str::from_utf8(bytes) {
                    Ok(text) => Ok(Some(text.to_owned())),
                    Err(_) => Err(self.unreadable(column, "text")),
                },
                _ => Err(self.unreadable(column, "text")),
            },
            Self::Postgres(row) => row.try_get(column).map_err(|_| self.unreadable(column, "text")),
        }
    }

    pub(crate) fn integer_opt(&self, column: usize) -> Result<Option<i64>, StoreError> {
        let unreadable = || self.unreadable(column, "an integer");
        match self {
            Self::Sqlite(row) => match cell(row, column)? {
                ValueRef::Null => Ok(None),
                ValueRef::Integer(value) => Ok(Some(value)),
                _ => Err(unreadable()),
            },
            Self::Postgres(row) => match *column_type(row, column) {
                Type::INT2 => row.try_get::<_, Option<i16>>(column).map(|value| value.map(i64::from)),
                Type::INT4 => row.try_get::<_, Option<i32>>(column).map(|value| value.map(i64::from)),
                _ => row.try_get(column),
            }
            .map_err(|_| unreadable()),
        }
    }

    pub(crate) fn boolean(&self, column: usize) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(row) => match cell(row, column)? {
                ValueRef::Integer(value) => Ok(value != 0),
                _ => Err(self.unreadable(column, "a boolean")),
            },
            Self::Postgres(row) => row.try_get(column).map_err(|_| self.unreadable(column, "a boolean")),
        }
    }

    pub(crate) fn instant(&self, column: usize) -> Result<Timestamp, StoreError> {
        self.instant_opt(column)?.ok_or_else(|| self.unreadable(column, "a date and time"))
    }

    pub(crate) fn instant_opt(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        let unreadable = || self.unreadable(column, "a date and time");
        match self {
            Self::Sqlite(row) => match cell(row, column)? {
                ValueRef::Null => Ok(None),
                ValueRef::Text(bytes) => str::from_utf8(bytes)
                    .ok()
                    .and_then(|text| django_time::from_sqlite_text(text).ok())
                    .map(Some)
                    .ok_or_else(unreadable),
                _ => Err(unreadable()),
            },
            Self::Postgres(row) => match row.try_get::<_, Option<postgres::Instant>>(column) {
                Ok(None) => Ok(None),
                Ok(Some(postgres::Instant(Some(instant)))) => Ok(Some(instant)),
                Ok(Some(postgres::Instant(None))) | Err(_) => Err(unreadable()),
            },
        }
    }

    pub(crate) fn is_null(&self, column: usize) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(row) => Ok(matches!(cell(row, column)?, ValueRef::Null)),
            Self::Postgres(row) => row
                .try_get::<_, Option<postgres::Anything>>(column)
                .map(|value| value.is_none())
                .map_err(|_| self.unreadable(column, "a value")),
        }
    }

    /// A primary key of this type.
    pub(crate) fn user_id(&self, column: usize, id_type: IdType) -> Result<UserId, StoreError> {
        let unreadable = || self.unreadable(column, "a user id");
        Ok(match (id_type, self) {
            (IdType::Integer | IdType::BigInteger, _) => {
                UserId::Integer(self.integer_opt(column)?.ok_or_else(unreadable)?)
            }
            (IdType::Text, _) => UserId::Text(self.text(column)?),
            (IdType::Uuid, Self::Sqlite(_)) => {
                UserId::Uuid(u128::from_str_radix(&self.text(column)?, 16).map_err(|_| unreadable())?)
            }
            (IdType::Uuid, Self::Postgres(row)) => {
                UserId::Uuid(row.try_get::<_, postgres::UuidBits>(column).map_err(|_| unreadable())?.0)
            }
        })
    }

    fn unreadable(&self, column: usize, expected: &'static str) -> StoreError {
        let name = match self {
            Self::Sqlite(row) => {
                let statement: &rusqlite::Statement<'_> = row.as_ref();
                statement.column_name(column).ok()
            }
            Self::Postgres(row) => row.columns().get(column).map(tokio_postgres::Column::name),
        };
        StoreError::Unreadable { column: name.map_or_else(|| column.to_string(), str::to_owned), expected }
    }
}

fn cell<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> Result<ValueRef<'r>, StoreError> {
    row.get_ref(column).map_err(crate::driver::sqlite::error)
}

fn column_type(row: &tokio_postgres::Row, column: usize) -> &Type {
    row.columns().get(column).map_or(&Type::UNKNOWN, tokio_postgres::Column::type_)
}
