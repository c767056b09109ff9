//! `knox_authtoken`: Knox's tokens, several per user, each as the digest of what its client keeps.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::driver::{Sharing, quoted};
use crate::given_tokens::GivenTokens;
use crate::user_table::UserTable;
use crate::value::Row;
use crate::{Device, Store, StoreError, TokenRow, User, UserId};

/// Its end is later now: primary key. Never an earlier one, whatever happened meanwhile.
pub(crate) const RENEW: &str = "UPDATE knox_authtoken SET expiry = $1 WHERE digest = $2 AND expiry < $1";

/// One token is void: primary key.
pub(crate) const DELETE: &str = "DELETE FROM knox_authtoken WHERE digest = $1";

/// All tokens of a user are void: index of `user_id`.
pub(crate) const DELETE_ALL: &str = "DELETE FROM knox_authtoken WHERE user_id = $1";

/// The same but for one.
pub(crate) const DELETE_OTHERS: &str =
    "DELETE FROM knox_authtoken WHERE user_id = $1 AND digest <> $2 RETURNING digest";

/// A user's tokens that have expired: index of `user_id`.
pub(crate) const DELETE_EXPIRED: &str = "DELETE FROM knox_authtoken WHERE user_id = $1 AND expiry < $2";

/// A user's tokens, the newest first: index of `user_id`.
pub(crate) const OF_USER: &str = "
    SELECT t.digest, t.created, t.expiry FROM knox_authtoken t WHERE t.user_id = $1 ORDER BY t.created DESC LIMIT $2";

/// A token's row with its owner, active or not.
#[derive(Clone, Debug)]
pub struct KnoxOwner {
    /// Whose it is.
    pub user: User,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends, if ever.
    pub expiry: Option<Timestamp>,
}

/// A token to be. `Debug` shows no digest.
#[derive(Clone)]
pub struct NewKnoxToken {
    /// Primary key: the hash of the token in hex.
    pub digest: String,
    /// The token's first 15 characters.
    pub token_key: String,
    /// Whose it will be.
    pub user: UserId,
    /// Now.
    pub created: Timestamp,
    /// When it ends, if ever.
    pub expiry: Option<Timestamp>,
    /// Where it will be used.
    pub device: Option<Device>,
}

impl Store {
    /// Finds the row of a token (django-rest-knox 5.1 `TokenAuthentication.authenticate_credentials`). The digest is that of a
    /// secret nobody can choose, so that how long the lookup takes tells nothing.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn knox_owner(&self, digest: &str, token_key: &str) -> Result<Option<KnoxOwner>, StoreError> {
        let users = self.users();
        let read = |row: &Row<'_>| {
            let owner = KnoxOwner { user: users.read(row)?, created: row.instant(6)?, expiry: row.instant_opt(7)? };
            // Knox looks rows up by this column, and would not find another's.
            Ok((row.text(8)? == token_key).then_some(owner))
        };
        let found = self.driver().query_opt(&self.knox_statements().owner, &[digest.into()], read).await?;
        Ok(found.flatten())
    }

    /// Gives a token, unless its user has `limit` live ones already; tells whether it did. `last_login` is noted with it, and
    /// the user's expired tokens go. One transaction, in which logins of one user with a limit take turns.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUser`], or if the database cannot be written.
    pub async fn knox_login(
        &self,
        token: NewKnoxToken,
        limit: Option<u32>,
        last_login: Timestamp,
    ) -> Result<bool, StoreError> {
        let (users, statements) = (Arc::clone(self.users()), Arc::clone(self.knox_statements()));
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    let user = &token.user;
                    if limit.is_some() && transaction.execute(&users.lock, &[user.into()]).await? == 0 {
                        return Err(StoreError::NoSuchUser);
                    }
                    transaction.execute(DELETE_EXPIRED, &[user.into(), token.created.into()]).await?;
                    let values = vec![
                        token.digest.as_str().into(),
                        token.token_key.as_str().into(),
                        token.created.into(),
                        token.expiry.into(),
                        user.into(),
                    ];
                    if !statements.give(&mut transaction, values, limit).await? {
                        return Ok(false);
                    }
                    if let Some(statement) = &users.set_last_login {
                        transaction.execute(statement, &[last_login.into(), user.into()]).await?;
                    }
                    if let Some(device) = &token.device {
                        device.upsert(&mut transaction).await?;
                    }
                    Ok(true)
                })
            })
            .await
    }

    /// A user's tokens, `limit` at most, the newest first; expired ones too.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn knox_tokens_of(&self, user: &UserId, limit: u32) -> Result<Vec<TokenRow>, StoreError> {
        let read = |row: &Row<'_>| {
            Ok(TokenRow { key: Zeroizing::new(row.text(0)?), created: row.instant(1)?, expiry: row.instant_opt(2)? })
        };
        self.driver().query(OF_USER, &[user.into(), i64::from(limit).into()], read).await
    }

    /// Moves a token's end to a later instant (django-rest-knox 5.1 `renew_token`).
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn knox_renew(&self, digest: &str, expiry: Timestamp) -> Result<(), StoreError> {
        let digest = digest.to_owned();
        self.driver()
            .transaction(Sharing::OneStatement, move |mut transaction| {
                Box::pin(async move {
                    transaction.execute(RENEW, &[expiry.into(), digest.as_str().into()]).await.map(|_| ())
                })
            })
            .await
    }

    /// Voids a token (django-rest-knox 5.1 `LogoutView`). One that is gone is no error.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn knox_delete(&self, digest: &str) -> Result<(), StoreError> {
        let digest = digest.to_owned();
        self.driver()
            .transaction(Sharing::OneStatement, move |mut transaction| {
                Box::pin(async move { transaction.execute(DELETE, &[digest.as_str().into()]).await.map(|_| ()) })
            })
            .await
    }

    /// Voids all tokens of a user (django-rest-knox 5.1 `LogoutAllView`), or those that ended before an instant.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn knox_delete_of(&self, user: &UserId, expired_at: Option<Timestamp>) -> Result<(), StoreError> {
        let user = user.clone();
        self.driver()
            .transaction(Sharing::OneStatement, move |mut transaction| {
                Box::pin(async move {
                    match expired_at {
                        None => transaction.execute(DELETE_ALL, &[(&user).into()]).await?,
                        Some(now) => transaction.execute(DELETE_EXPIRED, &[(&user).into(), now.into()]).await?,
                    };
                    Ok(())
                })
            })
            .await
    }
}

/// The owner of a token, with its times and the beginning that Knox looks it up by, and a new one.
pub(crate) fn statements(users: &UserTable) -> GivenTokens {
    let (table, id) = (users.quoted(), quoted(&users.id));
    let of_token = |column: &str| format!("(SELECT t.{column} FROM knox_authtoken t WHERE t.digest = $1)");
    let also = [&*of_token("created"), &of_token("expiry"), &of_token("token_key")];
    GivenTokens::of(
        users.select_also(&also, &format!("u.{id} = {}", of_token("user_id"))),
        format!(
            "INSERT INTO knox_authtoken (digest, token_key, created, expiry, user_id)
             SELECT $1, $2, $3, $4, u.{id} FROM {table} u WHERE u.{id} = $5"
        ),
        "knox_authtoken t WHERE t.user_id = $5 AND (t.expiry > $3 OR t.expiry IS NULL)",
        "$6",
    )
}

impl fmt::Debug for NewKnoxToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKnoxToken").field("user", &self.user).field("expiry", &self.expiry).finish_non_exhaustive()
    }
}
