//! `authtoken_token`: DRF's tokens, one per user, in the clear as DRF keeps them.

use std::sync::Arc;

use countersign_formats::token_key::TokenKey;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::driver::{Sharing, TableName, Transaction, quoted};
use crate::remembered::Remembered;
use crate::user_table::UserTable;
use crate::value::Row;
use crate::{Device, EventRow, Store, StoreError, TokenRow, User, UserId, devices, events};

/// Django's name for the table of `rest_framework.authtoken`.
pub(crate) const DEFAULT_TABLE: &str = "authtoken_token";

/// A table of tokens that was found in the catalogue; its statements are rendered once. Cheap to clone.
///
/// Of the shape of `authtoken_token`, one token for each user; or, as a project's own model may be (DRF
/// `TokenAuthentication.model`), one that has keys and their users and nothing more that is known: its keys are checked, and neither
/// made nor shown.
#[derive(Clone, Debug)]
pub struct TokenTable(Arc<TokenStatements>);

#[derive(Debug)]
pub(crate) struct TokenStatements {
    name: String,
    /// Whether there is one key for each user, and it is known since when.
    is_whole: bool,
    /// Owner of a key: primary key of the token table, then of the user table.
    pub(crate) owner: String,
    /// Key of a user: unique index of `user_id`.
    pub(crate) key_of_user: String,
    /// A key for a user who has none: primary key of the user table, unique index of `user_id`.
    pub(crate) insert: String,
    /// No key any more: unique index of `user_id`.
    pub(crate) delete: String,
    /// One key is void: primary key, or the unique index of `key`.
    pub(crate) delete_key: String,
    /// The row of a user: unique index of `user_id`.
    pub(crate) of_user: String,
    /// Owners by key.
    owners: Remembered<String>,
}

impl Store {
    /// Looks up a token table: `authtoken_token`, or one that a project made for itself.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when it does not exist, or lacks a column `key` or `user_id`, or when `key` is not unique; and
    /// for `authtoken_token` itself when it lacks `created`, or `user_id` is not unique.
    pub async fn token_table(&self, name: &str) -> Result<TokenTable, StoreError> {
        let table = TableName::new(name);
        let columns = self.driver().columns(&table).await?;
        if columns.is_empty() {
            return Err(StoreError::Schema { problem: format!("there is no table `{name}`") });
        }
        let lacks = |needed: &str| !columns.iter().any(|column| column.name == needed);
        let is_default = name == DEFAULT_TABLE;
        let needed: &[_] = if is_default { &["key", "user_id", "created"] } else { &["key", "user_id"] };
        if let Some(lacked) = needed.iter().find(|needed| lacks(needed)) {
            return Err(StoreError::Schema { problem: format!("token table `{name}` has no column `{lacked}`") });
        }
        let one_each = self.driver().is_unique(&table, "user_id").await?;
        for (column, is_unique) in
            [("key", self.driver().is_unique(&table, "key").await?), ("user_id", one_each || !is_default)]
        {
            if !is_unique {
                let problem = format!("column `{column}` of token table `{name}` is not unique");
                return Err(StoreError::Schema { problem });
            }
        }
        let is_whole = one_each && !lacks("created");
        Ok(TokenTable(Arc::new(TokenStatements::of(name, self.users(), is_whole))))
    }

    /// Finds the owner of a key, active or not. Keys are compared byte by byte (O3).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn token_owner(&self, table: &TokenTable, key: &str) -> Result<Option<User>, StoreError> {
        if key.contains('\0') {
            return Ok(None);
        }
        self.remembered_user(&table.0.owners, &table.0.owner, key).await
    }

    /// The user's key, or `fresh` from now on if there is none, with `device` as its place. Of several first logins at once, all
    /// get the same key (DRF 3.18 `ObtainAuthToken.post`).
    ///
    /// # Errors
    /// [`StoreError::NoSuchUser`], [`StoreError::Schema`] for a table whose keys are only checked, or if the database cannot be
    /// written.
    pub async fn token_get_or_create(
        &self,
        table: &TokenTable,
        user: &UserId,
        fresh: &TokenKey,
        now: Timestamp,
        device: Option<Device>,
    ) -> Result<TokenKey, StoreError> {
        if !table.0.is_whole {
            let problem = format!("table `{}` is not one of a token for each user", table.name());
            return Err(StoreError::Schema { problem });
        }
        let known = self.driver().query_opt(&table.0.key_of_user, &[user.into()], |row| row.text(0)).await?;
        if let Some(key) = known {
            return Ok(TokenKey::from_text(key));
        }
        let (table, user, fresh) = (table.clone(), user.clone(), fresh.clone());
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    let values = [fresh.expose().into(), now.into(), (&user).into()];
                    if transaction.execute(&table.0.insert, &values).await? > 0 {
                        if let Some(device) = &device {
                            device.upsert(&mut transaction).await?;
                        }
                        return Ok(fresh);
                    }
                    let key = transaction.query_opt(&table.0.key_of_user, &[(&user).into()], |row| row.text(0)).await?;
                    key.map(TokenKey::from_text).ok_or(StoreError::NoSuchUser)
                })
            })
            .await
    }

    /// The user's key, and when it was made. None where keys are only checked.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn token_of(&self, table: &TokenTable, user: &UserId) -> Result<Option<TokenRow>, StoreError> {
        if !table.0.is_whole {
            return Ok(None);
        }
        let read =
            |row: &Row<'_>| Ok(TokenRow { key: Zeroizing::new(row.text(0)?), created: row.instant(1)?, expiry: None });
        self.driver().query_opt(&table.0.of_user, &[user.into()], read).await
    }

    /// Deletes one key, with what is known of where it was used, by the session's id, and with what is told of it; tells whether it was
    /// there.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn token_end(
        &self,
        table: &TokenTable,
        key: &str,
        device: Option<String>,
        told: Vec<EventRow>,
    ) -> Result<bool, StoreError> {
        if key.contains('\0') {
            return Ok(false);
        }
        let (table, key) = (table.clone(), Zeroizing::new(key.to_owned()));
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    if let Some(id) = &device {
                        transaction.execute(devices::FORGET, &[id.as_str().into()]).await?;
                    }
                    let is_ended = transaction.execute(&table.0.delete_key, &[key.as_str().into()]).await? > 0;
                    if is_ended {
                        events::record(&mut transaction, &told).await?;
                    }
                    Ok(is_ended)
                })
            })
            .await
    }

    /// Deletes the user's keys; tells whether there was one.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn token_delete(&self, table: &TokenTable, user: &UserId) -> Result<bool, StoreError> {
        let (table, user) = (table.clone(), user.clone());
        self.driver()
            .transaction(Sharing::Alone, move |mut transaction| {
                Box::pin(async move { Ok(table.delete_of(&mut transaction, &user).await?.is_some()) })
            })
            .await
    }
}

impl TokenTable {
    /// Deletes a user's key within a transaction; gives it if there was one.
    pub(crate) async fn delete_of(
        &self,
        transaction: &mut Transaction<'_>,
        user: &UserId,
    ) -> Result<Option<Zeroizing<String>>, StoreError> {
        transaction.query_opt(&self.0.delete, &[user.into()], |row| row.text(0).map(Zeroizing::new)).await
    }

    /// Whether there is one token for each user, made at a known time; else keys are only checked, and are no sessions.
    pub fn is_whole(&self) -> bool {
        self.0.is_whole
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl TokenStatements {
    pub(crate) fn of(name: &str, users: &UserTable, is_whole: bool) -> Self {
        let table = TableName::new(name).quoted();
        let (user_table, id) = (users.quoted(), quoted(&users.id));
        Self {
            name: name.to_owned(),
            is_whole,
            owner: users.select_where(&format!("u.{id} = (SELECT t.user_id FROM {table} t WHERE t.key = $1)")),
            key_of_user: format!("SELECT t.key FROM {table} t WHERE t.user_id = $1"),
            insert: format!(
                "INSERT INTO {table} (key, created, user_id)
                 SELECT $1, $2, u.{id} FROM {user_table} u WHERE u.{id} = $3
                 ON CONFLICT (user_id) DO NOTHING"
            ),
            delete: format!("DELETE FROM {table} WHERE user_id = $1 RETURNING key"),
            delete_key: format!("DELETE FROM {table} WHERE key = $1"),
            of_user: format!("SELECT t.key, t.created FROM {table} t WHERE t.user_id = $1"),
            owners: Remembered::default(),
        }
    }
}
