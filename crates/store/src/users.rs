//! The table of users: who somebody is, and the few columns that authentication writes.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::driver::Sharing;
use crate::revocations::{MARK, UNMARK_REHASH};
use crate::user_table::Field;
use crate::value::{Row, Value};
use crate::{Store, StoreError, UserId};

/// A user, as far as authentication goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Primary key.
    pub id: UserId,
    /// The name used to log in.
    pub username: String,
    /// The stored hash.
    pub password: EncodedPassword,
    /// Whether the user may log in at all.
    pub is_active: bool,
    /// Django's "may enter the admin".
    pub is_staff: bool,
    /// Django's "has every permission".
    pub is_superuser: bool,
}

/// The `password` column: a hash in Django's encoding. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedPassword(String);

/// What the commands and claims show of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserProfile {
    /// Mail address, possibly empty.
    pub email: String,
    /// First name, possibly empty.
    pub first_name: String,
    /// Last name, possibly empty.
    pub last_name: String,
    /// When the user last logged in (UTC), if ever.
    pub last_login: Option<Timestamp>,
    /// When the account was made (UTC), if the model knows.
    pub date_joined: Option<Timestamp>,
}

/// A user to be. `Debug` does not show the hash.
///
/// The default is active, of no rank, and without name, hash or date (1970): set those three.
#[derive(Clone)]
pub struct NewUser {
    /// The name, already normalised (Django's `normalize_username` is NFKC).
    pub username: String,
    /// Mail address, may be empty.
    pub email: String,
    /// First name, may be empty.
    pub first_name: String,
    /// Last name, may be empty.
    pub last_name: String,
    /// The hash in Django's encoding.
    pub encoded_password: String,
    /// May log in.
    pub is_active: bool,
    /// May enter the admin.
    pub is_staff: bool,
    /// Has every permission.
    pub is_superuser: bool,
    /// Now.
    pub date_joined: Timestamp,
}

impl Store {
    /// Finds a user by name. Nothing is normalised, and the mapping says whether case counts (Django 5.2
    /// `ModelBackend.authenticate`). A name that several users have is nobody's.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_by_username(&self, username: &str) -> Result<Option<User>, StoreError> {
        if username.contains('\0') {
            return Ok(None);
        }
        let users = self.users();
        let mut found = self.driver().query(&users.by_username, &[username.into()], |row| users.read(row)).await?;
        Ok(if found.len() == 1 { found.pop() } else { None })
    }

    /// Finds a user by primary key.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_by_id(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let users = self.users();
        if !users.id_type.holds(id) {
            return Ok(None);
        }
        self.remembered_user(&users.remembered, &users.by_id, id).await
    }

    /// The rest of what is known about a user.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_profile(&self, id: &UserId) -> Result<Option<UserProfile>, StoreError> {
        let users = self.users();
        if !users.id_type.holds(id) {
            return Ok(None);
        }
        self.driver().query_opt(&users.profile, &[id.into()], UserProfile::from_row).await
    }

    /// Puts `new_encoded` in place of `old_encoded`, if that is still the stored hash; tells whether it was.
    ///
    /// For the re-hash after a login: a password changed meanwhile stays as it is. `has_marks`: our own tables are there, whose
    /// [triggers](Self::install_triggers) must not take it for a change of the password.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn replace_password(
        &self,
        id: &UserId,
        old_encoded: &str,
        new_encoded: &str,
        has_marks: bool,
    ) -> Result<bool, StoreError> {
        let users = Arc::clone(self.users());
        let (id, old, new) = (id.clone(), old_encoded.to_owned(), new_encoded.to_owned());
        let sharing = if has_marks { Sharing::Grouped } else { Sharing::OneStatement };
        self.driver()
            .transaction(sharing, move |mut transaction| {
                Box::pin(async move {
                    let text = id.to_string();
                    if has_marks {
                        transaction.execute(MARK, &["rehash".into(), text.as_str().into(), 0.into()]).await?;
                    }
                    let values = [new.as_str().into(), (&id).into(), old.as_str().into()];
                    let is_replaced = transaction.execute(&users.replace_password, &values).await? > 0;
                    if has_marks {
                        transaction.execute(UNMARK_REHASH, &[text.as_str().into()]).await?;
                    }
                    Ok(is_replaced)
                })
            })
            .await
    }

    /// Stores a new hash, whatever was there.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUser`], or if the database cannot be written.
    pub async fn set_password(&self, id: &UserId, new_encoded: &str) -> Result<(), StoreError> {
        let users = Arc::clone(self.users());
        if !users.id_type.holds(id) {
            return Err(StoreError::NoSuchUser);
        }
        let (id, new) = (id.clone(), new_encoded.to_owned());
        self.driver()
            .transaction(Sharing::OneStatement, move |mut transaction| {
                Box::pin(async move {
                    match transaction.execute(&users.set_password, &[new.as_str().into(), (&id).into()]).await? {
                        0 => Err(StoreError::NoSuchUser),
                        _ => Ok(()),
                    }
                })
            })
            .await
    }

    /// Notes a login (Django 5.2 `update_last_login`). A user who is gone meanwhile is no error, nor a model that does not note it.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn set_last_login(&self, id: &UserId, now: Timestamp) -> Result<(), StoreError> {
        let users = Arc::clone(self.users());
        if users.set_last_login.is_none() || !users.id_type.holds(id) {
            return Ok(());
        }
        let id = id.clone();
        self.driver()
            .transaction(Sharing::OneStatement, move |mut transaction| {
                Box::pin(async move {
                    let Some(statement) = &users.set_last_login else { return Ok(()) };
                    transaction.execute(statement, &[now.into(), (&id).into()]).await.map(|_| ())
                })
            })
            .await
    }

    /// Makes a user and gives its key. What the model has no column for is left out.
    ///
    /// # Errors
    /// [`StoreError::UniqueViolation`] if the name is taken, [`StoreError::MissingValue`] if the model demands more of a user, or if
    /// the database cannot be written.
    pub async fn create_user(&self, user: NewUser) -> Result<UserId, StoreError> {
        let users = Arc::clone(self.users());
        self.driver()
            .transaction(Sharing::OneStatement, move |mut transaction| {
                Box::pin(async move {
                    let values: Vec<Value<'_>> = users.created.iter().map(|field| user.value(*field)).collect();
                    let read = |row: &Row<'_>| row.user_id(0, users.id_type);
                    let id = transaction.query_opt(&users.create, &values, read).await?;
                    id.ok_or(StoreError::NoSuchUser)
                })
            })
            .await
    }
}

impl NewUser {
    fn value(&self, field: Field) -> Value<'_> {
        match field {
            Field::Username => self.username.as_str().into(),
            Field::Password => self.encoded_password.as_str().into(),
            Field::Email => self.email.as_str().into(),
            Field::FirstName => self.first_name.as_str().into(),
            Field::LastName => self.last_name.as_str().into(),
            Field::IsActive => self.is_active.into(),
            Field::IsStaff => self.is_staff.into(),
            Field::IsSuperuser => self.is_superuser.into(),
            Field::DateJoined => self.date_joined.into(),
        }
    }
}

impl UserProfile {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            email: row.text_opt(0)?.unwrap_or_default(),
            first_name: row.text_opt(1)?.unwrap_or_default(),
            last_name: row.text_opt(2)?.unwrap_or_default(),
            last_login: row.instant_opt(3)?,
            date_joined: row.instant_opt(4)?,
        })
    }
}

impl EncodedPassword {
    /// Takes a hash in Django's encoding.
    pub fn new(encoded: impl Into<String>) -> Self {
        Self(encoded.into())
    }

    /// The hash, for verifying a password against it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EncodedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncodedPassword(..)")
    }
}

impl Default for NewUser {
    fn default() -> Self {
        Self {
            username: String::new(),
            email: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            encoded_password: String::new(),
            is_active: true,
            is_staff: false,
            is_superuser: false,
            date_joined: Timestamp::UNIX_EPOCH,
        }
    }
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser").field("username", &self.username).finish_non_exhaustive()
    }
}
