//! Columns of the user table that configuration names, to be told to others: what tokens say of a user beyond who it is.

use std::sync::Arc;

use crate::driver::quoted;
use crate::user_table::UserTable;
use crate::value::Row;
use crate::{IdType, Store, StoreError, UserId};

/// Columns of the user table that were found in the catalogue; their statement is rendered once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct UserColumns(Arc<Rendered>);

/// What a user's row has in one of [`UserColumns`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnValue {
    /// NULL.
    Null,
    /// A boolean.
    Boolean(bool),
    /// An integer of up to 64 bits.
    Integer(i64),
    /// A text, or the hyphenated form of a UUID.
    Text(String),
}

#[derive(Debug)]
struct Rendered {
    kinds: Vec<Kind>,
    of_user: String,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Boolean,
    Other(IdType),
}

impl Store {
    /// Looks up columns of the user table.
    ///
    /// # Errors
    /// [`StoreError::Schema`] naming the column when it does not exist, holds the password, or is neither text, integer, boolean nor
    /// UUID: dates and decimals have no one form in JSON.
    pub async fn user_columns(&self, names: &[String]) -> Result<UserColumns, StoreError> {
        let users = self.users();
        let misfit = |problem: String| StoreError::Schema { problem };
        let found = self.driver().columns(&users.table).await?;
        let mut kinds = Vec::with_capacity(names.len());
        for name in names {
            let Some(column) = found.iter().find(|column| column.name == *name) else {
                return Err(misfit(format!("{} has no column `{name}`", users.table)));
            };
            if *name == users.password {
                return Err(misfit(format!("column `{name}` of {} holds the password, which stays here", users.table)));
            }
            kinds.push(kind(&column.declared).ok_or_else(|| {
                let declared = &column.declared;
                misfit(format!(
                    "column `{name}` of {} is {declared}; text, integers, booleans and UUIDs can be told",
                    users.table
                ))
            })?);
        }
        Ok(UserColumns(Arc::new(Rendered { kinds, of_user: columns_of_user(users, names) })))
    }

    /// The values a user has there, in the order of the names; `None` when there is no such user.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn column_values(
        &self,
        columns: &UserColumns,
        id: &UserId,
    ) -> Result<Option<Vec<ColumnValue>>, StoreError> {
        let Rendered { kinds, of_user } = &*columns.0;
        if !self.users().id_type.holds(id) {
            return Ok(None);
        }
        let read = |row: &Row<'_>| kinds.iter().enumerate().map(|(at, kind)| kind.read(row, at)).collect();
        self.driver().query_opt(of_user, &[id.into()], read).await
    }
}

impl Kind {
    /// A value that was cast to text.
    fn read(self, row: &Row<'_>, at: usize) -> Result<ColumnValue, StoreError> {
        let Some(text) = row.text_opt(at)? else { return Ok(ColumnValue::Null) };
        Ok(match self {
            Self::Boolean => ColumnValue::Boolean(matches!(text.as_str(), "true" | "1")),
            // SQLite holds in a column whatever was put there.
            Self::Other(id_type) => match id_type.parse(&text) {
                Some(UserId::Integer(number)) => ColumnValue::Integer(number),
                Some(id) => ColumnValue::Text(id.to_string()),
                None => ColumnValue::Text(text),
            },
        })
    }
}

fn kind(declared: &str) -> Option<Kind> {
    if declared.starts_with("bool") {
        return Some(Kind::Boolean);
    }
    // `interval` and `point` have the letters of an integer, and arrays end in brackets.
    if ["interval", "point", "["].iter().any(|other| declared.contains(other)) {
        return None;
    }
    Some(Kind::Other(match IdType::of_column(declared)? {
        // Whatever it is called, an integer in SQLite has 64 bits.
        IdType::Integer => IdType::BigInteger,
        other => other,
    }))
}

/// Configured columns by id: primary key of the user table.
pub(crate) fn columns_of_user(users: &UserTable, names: &[String]) -> String {
    let columns: Vec<String> = names.iter().map(|name| format!("CAST(u.{} AS text)", quoted(name))).collect();
    // Without columns the row alone is asked for.
    let columns = if columns.is_empty() { "1".to_owned() } else { columns.join(", ") };
    format!("SELECT {columns} FROM {} u WHERE u.{} = $1", users.quoted(), quoted(&users.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_the_declared_type() {
        for (declared, kind_is) in [
            ("bool", "Boolean"),
            ("boolean", "Boolean"),
            ("integer", "Other(BigInteger)"),
            ("bigint", "Other(BigInteger)"),
            ("smallint unsigned", "Other(BigInteger)"),
            ("varchar(150)", "Other(Text)"),
            ("character varying(150)", "Other(Text)"),
            ("char(32)", "Other(Uuid)"),
            ("uuid", "Other(Uuid)"),
        ] {
            assert_eq!(kind(declared).map(|kind| format!("{kind:?}")).as_deref(), Some(kind_is), "{declared}");
        }
        for declared in [
            "datetime",
            "timestamp with time zone",
            "numeric(5,2)",
            "decimal",
            "interval",
            "jsonb",
            "bytea",
            "integer[]",
        ] {
            assert!(kind(declared).is_none(), "{declared}");
        }
    }
}
