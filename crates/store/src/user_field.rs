//! `USER_ID_FIELD`: a column of `auth_user`, named by configuration, that tokens carry in place of the key.

use std::fmt;
use std::sync::Arc;

use crate::driver::quoted;
use crate::value::Row;
use crate::{Store, StoreError, User, UserId};

/// A column of `auth_user` that was found in the catalogue; its statements are rendered once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct UserField(Arc<Rendered>);

/// The value of a [`UserField`]. `Display` is Python's `str()` of it, as SimpleJWT 5.5 `Token.for_user` writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldValue {
    /// An integer column.
    Integer(i64),
    /// A text column.
    Text(String),
    /// NULL.
    Null,
}

#[derive(Debug)]
struct Rendered {
    name: String,
    kind: Kind,
    by_value: String,
    of_user: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Text,
}

impl Store {
    /// Looks up a column of `auth_user` for use as `USER_ID_FIELD`; `pk` is the primary key, as in Django.
    ///
    /// A column without an index (every one but `id` and `username` in Django's own table) means a scan for each lookup.
    ///
    /// # Errors
    /// [`StoreError::Schema`] naming the column when it does not exist, or cannot stand for a user.
    pub async fn user_field(&self, name: &str) -> Result<UserField, StoreError> {
        let name = if name == "pk" { "id" } else { name };
        let columns = self.driver().columns("auth_user").await?;
        let Some(column) = columns.iter().find(|column| column.name == name) else {
            let problem = if columns.is_empty() {
                "there is no table auth_user".to_owned()
            } else {
                format!("auth_user has no column `{name}`")
            };
            return Err(StoreError::Schema { problem });
        };
        let kind = if column.declared.contains("int") || column.declared.contains("serial") {
            Kind::Integer
        } else if ["char", "text", "uuid"].iter().any(|kind| column.declared.contains(kind)) && name != "password" {
            Kind::Text
        } else {
            let problem = format!("column `{name}` of auth_user cannot tell one user from another");
            return Err(StoreError::Schema { problem });
        };
        Ok(UserField(Arc::new(Rendered {
            name: name.to_owned(),
            kind,
            by_value: user_by_value(name),
            of_user: value_of_user(name),
        })))
    }

    /// Finds the one user whose field has this value. A value that is not of the column's kind, or that several users share, finds
    /// nobody.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_by_field(&self, field: &UserField, value: &str) -> Result<Option<User>, StoreError> {
        if value.contains('\0') {
            return Ok(None);
        }
        let value = match field.0.kind {
            Kind::Text => value.into(),
            Kind::Integer => match value.parse::<i64>() {
                Ok(number) => number.into(),
                Err(_) => return Ok(None),
            },
        };
        let mut users = self.driver().query(&field.0.by_value, &[value], User::from_row).await?;
        Ok(if users.len() == 1 { users.pop() } else { None })
    }

    /// The field's value for a user; `None` when there is no such user.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_field_value(&self, field: &UserField, id: &UserId) -> Result<Option<FieldValue>, StoreError> {
        let kind = field.0.kind;
        let read = |row: &Row<'_>| {
            Ok(match kind {
                Kind::Integer => row.integer_opt(0)?.map_or(FieldValue::Null, FieldValue::Integer),
                Kind::Text => row.text_opt(0)?.map_or(FieldValue::Null, FieldValue::Text),
            })
        };
        self.driver().query_opt(&field.0.of_user, &[id.into()], read).await
    }
}

impl UserField {
    /// The column's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether this is the primary key, for which [`Store::user_by_id`] is the shorter way.
    pub fn is_primary_key(&self) -> bool {
        self.0.name == "id"
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::Null => f.write_str("None"),
        }
    }
}

/// By a configured column: its index, if it has one. Two rows are enough to see that it is not unique.
pub(crate) fn user_by_value(column: &str) -> String {
    let column = quoted(column);
    format!(
        "SELECT u.id, u.username, u.password, u.is_active, u.is_staff, u.is_superuser
         FROM auth_user u
         WHERE u.{column} = $1
         LIMIT 2"
    )
}

/// A configured column by id: primary key of `auth_user`.
pub(crate) fn value_of_user(column: &str) -> String {
    let column = quoted(column);
    format!("SELECT u.{column} FROM auth_user u WHERE u.id = $1")
}
