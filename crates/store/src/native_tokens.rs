//! `countersign_token`: tokens of our own kind, several per user, each as the digest of what its client keeps. Django never sees them.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::driver::{Sharing, quoted};
use crate::given_tokens::GivenTokens;
use crate::revocations::{OWNER_MARK, after_mark, owner_mark};
use crate::user_table::UserTable;
use crate::value::Row;
use crate::{Place, Store, StoreError, User, UserId};

/// One token is void: primary key.
pub(crate) const DELETE: &str = "DELETE FROM countersign_token WHERE digest = $1";

/// All tokens of a user but one are void: index of `user_id`.
pub(crate) const DELETE_OTHERS: &str =
    "DELETE FROM countersign_token WHERE user_id = $1 AND digest <> $2 RETURNING digest";

/// A user's tokens that have expired, were not used since an instant, or were made before another, if these are given: index of
/// `user_id`.
pub(crate) const DELETE_DEAD: &str = "
    DELETE FROM countersign_token
    WHERE user_id = $1 AND (expires_at < $2 OR coalesce(last_seen_at, created_at) < $3 OR created_at < $4)";

/// All tokens of a user that were made before an instant are void: index of `user_id`.
pub(crate) const DELETE_OLDER: &str = "DELETE FROM countersign_token WHERE user_id = $1 AND created_at < $2";

/// A user's tokens, the newest first: index of `user_id`.
pub(crate) const OF_USER: &str = "
    SELECT t.digest, t.created_at, t.expires_at, t.last_seen_at, t.name, t.user_agent, t.address
    FROM countersign_token t WHERE t.user_id = $1 ORDER BY t.created_at DESC LIMIT $2";

/// A token's owner, active or not, and its times.
#[derive(Clone, Debug)]
pub struct NativeOwner {
    /// Whose it is.
    pub user: User,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends, if ever.
    pub expires: Option<Timestamp>,
    /// When it was last known to be used.
    pub last_seen: Option<Timestamp>,
    /// What was made by then has ended with a change of the user: milliseconds since 1970 (UTC).
    pub not_before: Option<i64>,
}

/// A token's row. `Debug` shows no digest.
#[derive(Clone)]
pub struct NativeRow {
    /// Primary key: the token's digest.
    pub digest: Zeroizing<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends, if ever.
    pub expires: Option<Timestamp>,
    /// When it was last known to be used.
    pub last_seen: Option<Timestamp>,
    /// Where it was given out.
    pub place: Place,
}

/// A token to be. `Debug` shows no digest.
#[derive(Clone)]
pub struct NewNativeToken {
    /// Primary key: the token's digest.
    pub digest: String,
    /// Whose it will be.
    pub user: UserId,
    /// Where it is given out.
    pub place: Place,
    /// Now.
    pub created: Timestamp,
    /// When it ends, if ever.
    pub expires: Option<Timestamp>,
}

impl Store {
    /// Finds the row of a token. The digest is that of a secret nobody can choose, so that how long the lookup takes tells nothing.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn native_owner(&self, digest: &str) -> Result<Option<NativeOwner>, StoreError> {
        let users = self.users();
        let read = |row: &Row<'_>| {
            Ok(NativeOwner {
                user: users.read(row)?,
                created: row.instant(6)?,
                expires: row.instant_opt(7)?,
                last_seen: row.instant_opt(8)?,
                not_before: row.integer_opt(9)?,
            })
        };
        self.driver().query_opt(&self.native_statements().owner, &[digest.into()], read).await
    }

    /// Gives a token, unless its user has `limit` live ones already; tells whether it did. `last_login` is noted with it, and the
    /// user's dead tokens go: those that expired, those that were not used since `idle_since`, and those that ended with a change of
    /// the user.
    ///
    /// One transaction, in which logins of one user and changes of that user take turns: a change that comes after it finds the token,
    /// and the token is younger than those that came before it, whatever the clocks.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUser`], or if the database cannot be written.
    pub async fn native_login(
        &self,
        token: NewNativeToken,
        limit: Option<u32>,
        idle_since: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let (users, statements) = (Arc::clone(self.users()), Arc::clone(self.native_statements()));
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    let (user, shown) = (&token.user, token.user.to_string());
                    if transaction.execute(&users.lock, &[user.into()]).await? == 0 {
                        return Err(StoreError::NoSuchUser);
                    }
                    let owner = [shown.as_str().into()];
                    let mark = transaction.query_opt(OWNER_MARK, &owner, |row| row.integer_opt(0)).await?.flatten();
                    let oldest = mark.and_then(after_mark);
                    let created = oldest.map_or(token.created, |oldest| oldest.max(token.created));
                    let dead = [shown.as_str().into(), token.created.into(), idle_since.into(), oldest.into()];
                    transaction.execute(DELETE_DEAD, &dead).await?;
                    let values = vec![
                        token.digest.as_str().into(),
                        shown.as_str().into(),
                        token.place.name.as_deref().into(),
                        token.place.user_agent.as_deref().into(),
                        token.place.address.as_deref().into(),
                        created.into(),
                        token.expires.into(),
                        user.into(),
                    ];
                    if !statements.give(&mut transaction, values, limit).await? {
                        return Ok(false);
                    }
                    if let Some(statement) = &users.set_last_login {
                        transaction.execute(statement, &[token.created.into(), user.into()]).await?;
                    }
                    Ok(true)
                })
            })
            .await
    }

    /// A user's tokens, `limit` at most, the newest first; dead ones too.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn native_tokens_of(&self, user: &UserId, limit: u32) -> Result<Vec<NativeRow>, StoreError> {
        let read = |row: &Row<'_>| {
            Ok(NativeRow {
                digest: Zeroizing::new(row.text(0)?),
                created: row.instant(1)?,
                expires: row.instant_opt(2)?,
                last_seen: row.instant_opt(3)?,
                place: Place::read(row, 4)?,
            })
        };
        let user = user.to_string();
        self.driver().query(OF_USER, &[user.as_str().into(), i64::from(limit).into()], read).await
    }

    /// Voids a token; tells whether there was one.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn native_delete(&self, digest: &str) -> Result<bool, StoreError> {
        let digest = digest.to_owned();
        self.driver()
            .transaction(Sharing::OneStatement, move |mut transaction| {
                Box::pin(async move { Ok(transaction.execute(DELETE, &[digest.as_str().into()]).await? > 0) })
            })
            .await
    }
}

/// The owner of a token, with its times and the mark on the owner (the index of (`kind`, `subject`, `not_before`)), and a new one.
pub(crate) fn statements(users: &UserTable) -> GivenTokens {
    let (table, id) = (users.quoted(), quoted(&users.id));
    let of_token = |column: &str| format!("(SELECT t.{column} FROM countersign_token t WHERE t.digest = $1)");
    let also = [
        &*of_token("created_at"),
        &of_token("expires_at"),
        &of_token("last_seen_at"),
        &owner_mark(&of_token("user_id")),
    ];
    GivenTokens::of(
        users.select_also(&also, &format!("u.{id} = {}", users.key_of_text(&of_token("user_id")))),
        format!(
            "INSERT INTO countersign_token (digest, user_id, name, user_agent, address, created_at, expires_at)
             SELECT $1, CAST($2 AS text), $3, $4, $5, $6, $7 FROM {table} u WHERE u.{id} = $8"
        ),
        "countersign_token t WHERE t.user_id = $2",
        "$9",
    )
}

impl fmt::Debug for NativeRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeRow")
            .field("created", &self.created)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NewNativeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewNativeToken")
            .field("user", &self.user)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
