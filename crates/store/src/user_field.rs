//! `USER_ID_FIELD`: a column of the user table, named by configuration, that tokens carry in place of the key.

use std::fmt;
use std::sync::Arc;

use crate::driver::quoted;
use crate::user_table::UserTable;
use crate::value::Row;
use crate::{IdType, Store, StoreError, User, UserId};

/// A column of the user table that was found in the catalogue; its statements are rendered once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct UserField(Arc<Rendered>);

/// The value of a [`UserField`]. `Display` is Python's `str()` of it, as SimpleJWT 5.5 `Token.for_user` writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// A number, a UUID or a text.
    Value(UserId),
    /// NULL.
    Null,
}

#[derive(Debug)]
struct Rendered {
    name: String,
    id_type: IdType,
    is_primary_key: bool,
    by_value: String,
    of_user: String,
}

impl Store {
    /// Looks up a column of the user table for use as `USER_ID_FIELD`; `pk` is the primary key, as in Django.
    ///
    /// A column without an index (every one but `id` and `username` in Django's own table) means a scan for each lookup.
    ///
    /// # Errors
    /// [`StoreError::Schema`] naming the column when it does not exist, or cannot stand for a user.
    pub async fn user_field(&self, name: &str) -> Result<UserField, StoreError> {
        let users = self.users();
        let name = if name == "pk" { users.id.as_str() } else { name };
        let columns = self.driver().columns(&users.table).await?;
        let Some(column) = columns.iter().find(|column| column.name == name) else {
            let problem = if columns.is_empty() {
                format!("there is no table {}", users.table)
            } else {
                format!("{} has no column `{name}`", users.table)
            };
            return Err(StoreError::Schema { problem });
        };
        let Some(id_type) = IdType::of_column(&column.declared).filter(|_| name != users.password) else {
            let problem = format!("column `{name}` of {} cannot tell one user from another", users.table);
            return Err(StoreError::Schema { problem });
        };
        Ok(UserField(Arc::new(Rendered {
            name: name.to_owned(),
            id_type,
            is_primary_key: name == users.id,
            by_value: user_by_value(users, name),
            of_user: value_of_user(users, name),
        })))
    }

    /// Finds the one user whose field has this value. A value that the column cannot hold, or that several users share, finds
    /// nobody.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_by_field(&self, field: &UserField, value: &UserId) -> Result<Option<User>, StoreError> {
        if !field.0.id_type.holds(value) {
            return Ok(None);
        }
        let users = self.users();
        let mut found = self.driver().query(&field.0.by_value, &[value.into()], |row| users.read(row)).await?;
        Ok(if found.len() == 1 { found.pop() } else { None })
    }

    /// The field's value for a user; `None` when there is no such user.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_field_value(&self, field: &UserField, id: &UserId) -> Result<Option<FieldValue>, StoreError> {
        if !self.users().id_type.holds(id) {
            return Ok(None);
        }
        let id_type = field.0.id_type;
        let read = |row: &Row<'_>| {
            if row.is_null(0)? { Ok(FieldValue::Null) } else { row.user_id(0, id_type).map(FieldValue::Value) }
        };
        self.driver().query_opt(&field.0.of_user, &[id.into()], read).await
    }
}

impl UserField {
    /// The column's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What its values are.
    pub fn id_type(&self) -> IdType {
        self.0.id_type
    }

    /// Whether this is the primary key, for which [`Store::user_by_id`] is the shorter way.
    pub fn is_primary_key(&self) -> bool {
        self.0.is_primary_key
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => value.fmt(f),
            Self::Null => f.write_str("None"),
        }
    }
}

/// By a configured column: its index, if it has one. Two rows are enough to see that it is not unique.
pub(crate) fn user_by_value(users: &UserTable, column: &str) -> String {
    users.select_where(&format!("u.{} = $1 LIMIT 2", quoted(column)))
}

/// A configured column by id: primary key of the user table.
pub(crate) fn value_of_user(users: &UserTable, column: &str) -> String {
    format!("SELECT u.{} FROM {} u WHERE u.{} = $1", quoted(column), users.quoted(), quoted(&users.id))
}
