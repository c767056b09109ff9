//! `auth_user`: who somebody is, and the few columns that authentication writes.

use std::fmt;

use jiff::Timestamp;

use crate::driver::Sharing;
use crate::value::Row;
use crate::{Store, StoreError, UserId};

/// By name: unique index of `auth_user.username`, compared byte by byte.
pub(crate) const USER_BY_USERNAME: &str = "
    SELECT u.id, u.username, u.password, u.is_active, u.is_staff, u.is_superuser
    FROM auth_user u
    WHERE u.username = $1";

/// By id: primary key of `auth_user`.
pub(crate) const USER_BY_ID: &str = "
    SELECT u.id, u.username, u.password, u.is_active, u.is_staff, u.is_superuser
    FROM auth_user u
    WHERE u.id = $1";

/// Profile by id: primary key of `auth_user`.
pub(crate) const PROFILE_BY_ID: &str = "
    SELECT u.email, u.first_name, u.last_name, u.last_login, u.date_joined
    FROM auth_user u
    WHERE u.id = $1";

/// New hash, only in place of the known old one: primary key of `auth_user`.
pub(crate) const REPLACE_PASSWORD: &str = "
    UPDATE auth_user SET password = $1
    WHERE id = $2 AND password = $3";

/// New hash: primary key of `auth_user`.
pub(crate) const SET_PASSWORD: &str = "
    UPDATE auth_user SET password = $1
    WHERE id = $2";

/// Last login: primary key of `auth_user`.
pub(crate) const SET_LAST_LOGIN: &str = "
    UPDATE auth_user SET last_login = $1
    WHERE id = $2";

/// A new user; the unique index of `auth_user.username` refuses a second of the same name.
pub(crate) const CREATE_USER: &str = "
    INSERT INTO auth_user (username, password, email, first_name, last_name,
                           is_active, is_staff, is_superuser, last_login, date_joined)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, $9)
    RETURNING id";

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
    /// When the account was made (UTC).
    pub date_joined: Timestamp,
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
    /// Finds a user by the exact name: case counts and nothing is normalised (Django 5.2 `ModelBackend.authenticate`).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_by_username(&self, username: &str) -> Result<Option<User>, StoreError> {
        if username.contains('\0') {
            return Ok(None);
        }
        self.driver().query_opt(USER_BY_USERNAME, &[username.into()], User::from_row).await
    }

    /// Finds a user by primary key.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_by_id(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        self.driver().query_opt(USER_BY_ID, &[id.into()], User::from_row).await
    }

    /// Reads a primary key from its decimal text; `None` when no key can have that value.
    ///
    /// Which spellings count as a number is for the caller to decide (SPEC §4.4); here only the range is looked at, beside
    /// what Rust takes for an integer.
    pub fn user_id_from_text(&self, text: &str) -> Option<UserId> {
        text.parse().ok().map(UserId::Integer)
    }

    /// The rest of what is known about a user.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_profile(&self, id: &UserId) -> Result<Option<UserProfile>, StoreError> {
        self.driver().query_opt(PROFILE_BY_ID, &[id.into()], UserProfile::from_row).await
    }

    /// Puts `new_encoded` in place of `old_encoded`, if that is still the stored hash; tells whether it was.
    ///
    /// For the re-hash after a login: a password changed meanwhile stays as it is.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn replace_password(
        &self,
        id: &UserId,
        old_encoded: &str,
        new_encoded: &str,
    ) -> Result<bool, StoreError> {
        let (id, old, new) = (id.clone(), old_encoded.to_owned(), new_encoded.to_owned());
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    let values = [new.as_str().into(), (&id).into(), old.as_str().into()];
                    Ok(transaction.execute(REPLACE_PASSWORD, &values).await? > 0)
                })
            })
            .await
    }

    /// Stores a new hash, whatever was there.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUser`], or if the database cannot be written.
    pub async fn set_password(&self, id: &UserId, new_encoded: &str) -> Result<(), StoreError> {
        let (id, new) = (id.clone(), new_encoded.to_owned());
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    match transaction.execute(SET_PASSWORD, &[new.as_str().into(), (&id).into()]).await? {
                        0 => Err(StoreError::NoSuchUser),
                        _ => Ok(()),
                    }
                })
            })
            .await
    }

    /// Notes a login (Django 5.2 `update_last_login`). A user who is gone meanwhile is no error.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn set_last_login(&self, id: &UserId, now: Timestamp) -> Result<(), StoreError> {
        let id = id.clone();
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(
                    async move { transaction.execute(SET_LAST_LOGIN, &[now.into(), (&id).into()]).await.map(|_| ()) },
                )
            })
            .await
    }

    /// Makes a user and gives its key.
    ///
    /// # Errors
    /// [`StoreError::UniqueViolation`] if the name is taken, or if the database cannot be written.
    pub async fn create_user(&self, user: NewUser) -> Result<UserId, StoreError> {
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    let values = [
                        user.username.as_str().into(),
                        user.encoded_password.as_str().into(),
                        user.email.as_str().into(),
                        user.first_name.as_str().into(),
                        user.last_name.as_str().into(),
                        user.is_active.into(),
                        user.is_staff.into(),
                        user.is_superuser.into(),
                        user.date_joined.into(),
                    ];
                    let id = transaction.query_opt(CREATE_USER, &values, |row| row.user_id(0)).await?;
                    id.ok_or(StoreError::NoSuchUser)
                })
            })
            .await
    }
}

impl User {
    /// Columns: id, username, password, `is_active`, `is_staff`, `is_superuser`.
    pub(crate) fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.user_id(0)?,
            username: row.text(1)?,
            password: EncodedPassword(row.text(2)?),
            is_active: row.boolean(3)?,
            is_staff: row.boolean(4)?,
            is_superuser: row.boolean(5)?,
        })
    }
}

impl UserProfile {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            email: row.text(0)?,
            first_name: row.text(1)?,
            last_name: row.text(2)?,
            last_login: row.instant_opt(3)?,
            date_joined: row.instant(4)?,
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
