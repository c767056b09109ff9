//! `token_blacklist`: which refresh and sliding tokens were given out, and which are void.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::driver::{Sharing, Transaction, quoted};
use crate::families::NewSession;
use crate::user_table::UserTable;
use crate::value::Value;
use crate::{Store, StoreError, UserId};

/// Whether an id is blacklisted: unique indexes of `outstandingtoken.jti` and `blacklistedtoken.token_id`.
pub(crate) const IS_BLACKLISTED: &str = "
    SELECT 1
    FROM token_blacklist_blacklistedtoken b
    WHERE b.token_id = (SELECT o.id FROM token_blacklist_outstandingtoken o WHERE o.jti = $1)";

/// Void from now on, unless it is already: unique indexes of `jti` and `token_id`. Whether this inserts decides who was first.
pub(crate) const BLACKLIST: &str = "
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
    SELECT $1, o.id FROM token_blacklist_outstandingtoken o WHERE o.jti = $2
    ON CONFLICT (token_id) DO NOTHING";

/// The recorded expiry: unique index of `jti`.
pub(crate) const EXPIRY: &str = "
    SELECT o.expires_at FROM token_blacklist_outstandingtoken o WHERE o.jti = $1";

/// A later expiry: unique index of `jti`.
pub(crate) const MOVE_EXPIRY: &str = "
    UPDATE token_blacklist_outstandingtoken SET expires_at = $1
    WHERE jti = $2 AND expires_at < $1";

/// The last id of the next stretch of rows: primary key of `outstandingtoken`.
pub(crate) const FLUSH_STRETCH: &str = "
    SELECT max(s.id) FROM (
        SELECT o.id FROM token_blacklist_outstandingtoken o
        WHERE o.id > CAST($1 AS bigint) ORDER BY o.id LIMIT $2
    ) s";

/// Blacklist rows of expired tokens in a stretch: primary key of `outstandingtoken`, unique index of `token_id`.
pub(crate) const FLUSH_BLACKLISTED: &str = "
    DELETE FROM token_blacklist_blacklistedtoken
    WHERE token_id IN (
        SELECT o.id FROM token_blacklist_outstandingtoken o
        WHERE o.id > CAST($1 AS bigint) AND o.id <= $2 AND o.expires_at <= $3
    )";

/// Expired tokens in a stretch: primary key of `outstandingtoken`.
pub(crate) const FLUSH_OUTSTANDING: &str = "
    DELETE FROM token_blacklist_outstandingtoken
    WHERE id > CAST($1 AS bigint) AND id <= $2 AND expires_at <= $3";

/// The statements that also look at the user table, rendered once.
#[derive(Debug)]
pub(crate) struct RecordStatements {
    /// A new token; the unique index of `jti` refuses a second with the same id. A user who is gone becomes NULL: primary key of
    /// the user table.
    pub(crate) record: String,
    /// The same, unless the id is known: unique index of `jti`. Looked up first, since an insert that meets a conflict still uses
    /// up an id.
    pub(crate) record_if_unknown: String,
    /// PostgreSQL alone: a recorded token void and its successor recorded, in one statement; neither where it is unknown, or void
    /// already: unique indexes of `jti` and `token_id`, primary key of the user table.
    pub(crate) rotate: String,
    /// PostgreSQL alone: an exchange in a family, in one statement ([`Store::exchange_at_once`]): primary keys, the unique indexes of
    /// `jti`, `token_id` and `child_jti`.
    pub(crate) exchange: String,
}

impl RecordStatements {
    pub(crate) fn of(users: &UserTable) -> Self {
        let (table, id) = (users.quoted(), quoted(&users.id));
        let insert = "INSERT INTO token_blacklist_outstandingtoken (jti, token, created_at, expires_at, user_id)";
        let owner = format!("(SELECT u.{id} FROM {table} u WHERE u.{id} = $5)");
        Self {
            record: format!("{insert} VALUES ($1, $2, $3, $4, {owner})"),
            record_if_unknown: format!(
                "{insert} SELECT CAST($1 AS text), $2, $3, $4, {owner}
                 WHERE NOT EXISTS (SELECT 1 FROM token_blacklist_outstandingtoken o WHERE o.jti = $1)
                 ON CONFLICT (jti) DO NOTHING"
            ),
            rotate: format!(
                "WITH void AS (
                     INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
                     SELECT $1, o.id FROM token_blacklist_outstandingtoken o WHERE o.jti = $2
                     ON CONFLICT (token_id) DO NOTHING RETURNING token_id
                 )
                 {insert} SELECT $3, $4, $5, $6, (SELECT u.{id} FROM {table} u WHERE u.{id} = $7) FROM void"
            ),
            exchange: format!(
                "WITH held AS (
                     SELECT f.sid FROM countersign_session f WHERE f.sid = $1 AND f.ended_at IS NULL FOR NO KEY UPDATE
                 ), void AS (
                     INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
                     SELECT $2, o.id FROM held, token_blacklist_outstandingtoken o WHERE o.jti = CAST($3 AS text)
                     ON CONFLICT (token_id) DO NOTHING RETURNING token_id
                 ), rotated AS (
                     INSERT INTO countersign_rotation
                         (parent_jti, sid, child_jti, rotated_at, child_iat, child_exp, access_exp, expires_at)
                     SELECT CAST($3 AS text), held.sid, CAST($4 AS text), $5, $6, $7, $8, $9 FROM held, void
                     RETURNING parent_jti
                 ), recorded AS (
                     {insert} SELECT CAST($4 AS text), $10, $11, $12, (SELECT u.{id} FROM {table} u WHERE u.{id} = $13)
                     FROM rotated
                 )
                 UPDATE countersign_session f
                 SET refreshed_at = $14, idle_expires_at = $15,
                     keep_until = CASE WHEN f.keep_until < $16 THEN $16 ELSE f.keep_until END
                 FROM rotated WHERE f.sid = $1"
            ),
        }
    }
}

/// Rows looked at in one transaction.
const STRETCH: i64 = 1000;

/// A refresh or sliding token as the `token_blacklist` app records it. `Debug` shows neither the token nor its id.
#[derive(Clone, PartialEq, Eq)]
pub struct OutstandingToken {
    /// The claim named by `JTI_CLAIM`.
    pub jti: String,
    /// The full text of the token, as SimpleJWT stores it.
    pub token: String,
    /// When it was recorded (UTC, with fraction).
    pub created_at: Option<Timestamp>,
    /// Its `exp` (UTC).
    pub expires_at: Timestamp,
    /// Its user; NULL is stored when there is none, or when the user is gone.
    pub user: Option<UserId>,
}

/// What [`Store::blacklist`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blacklisting {
    /// The token is void from now on.
    Done,
    /// It was void before.
    Already,
}

/// What [`Store::rotate`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The successor stands, and the presented token is void if that was asked.
    Done,
    /// The presented token was void already; nothing changed.
    AlreadyBlacklisted,
}

impl Store {
    /// Whether a token with this id is void (SimpleJWT 5.5 `BlacklistMixin.check_blacklist`).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError> {
        if jti.contains('\0') {
            return Ok(false);
        }
        Ok(self.driver().query_opt(IS_BLACKLISTED, &[jti.into()], |_| Ok(())).await?.is_some())
    }

    /// Records a new token (SimpleJWT 5.5 `BlacklistMixin.for_user`).
    ///
    /// # Errors
    /// [`StoreError::UniqueViolation`] if the id is known, or if the database cannot be written.
    pub async fn record_outstanding(&self, token: &OutstandingToken) -> Result<(), StoreError> {
        let (token, statements) = (token.clone(), Arc::clone(self.record_statements()));
        self.driver()
            .transaction(Sharing::OneStatement, move |mut transaction| {
                Box::pin(async move { token.insert(&mut transaction, &statements.record).await.map(|_| ()) })
            })
            .await
    }

    /// What a login writes, in one transaction: `last_login`, the new token and its session, each if given; nothing if none is.
    ///
    /// # Errors
    /// [`StoreError::UniqueViolation`] if the token's id is known, or if the database cannot be written.
    pub async fn login_pair(
        &self,
        user: &UserId,
        last_login: Option<Timestamp>,
        outstanding: Option<&OutstandingToken>,
        session: Option<&NewSession>,
    ) -> Result<(), StoreError> {
        let sharing = match [last_login.is_some(), outstanding.is_some(), session.is_some()].map(u8::from).iter().sum()
        {
            0u8 => return Ok(()),
            1 => Sharing::OneStatement,
            _ => Sharing::Grouped,
        };
        let (user, token, session) = (user.clone(), outstanding.cloned(), session.cloned());
        let (users, statements) = (Arc::clone(self.users()), Arc::clone(self.record_statements()));
        self.driver()
            .transaction(sharing, move |mut transaction| {
                Box::pin(async move {
                    if let (Some(now), Some(statement)) = (last_login, &users.set_last_login) {
                        transaction.execute(statement, &[now.into(), (&user).into()]).await?;
                    }
                    if let Some(token) = token {
                        token.insert(&mut transaction, &statements.record).await?;
                    }
                    if let Some(session) = session {
                        session.insert(&mut transaction).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Makes a token void, recording it first if it is unknown (SimpleJWT 5.5 `BlacklistMixin.blacklist`).
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn blacklist(&self, token: &OutstandingToken, now: Timestamp) -> Result<Blacklisting, StoreError> {
        let (token, statements) = (token.clone(), Arc::clone(self.record_statements()));
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move { token.blacklist(&mut transaction, &statements, now).await })
            })
            .await
    }

    /// Gives `successor` in place of `presented`, in one transaction, unless `presented` is void.
    ///
    /// With `blacklist_presented` the insert of the blacklist row decides: of many that present one token at once, exactly one is
    /// `Done`, and the others change nothing. Without it, `presented` stays valid.
    ///
    /// On PostgreSQL the usual case, a recorded token that is not void, is one statement and one round trip. What that does not
    /// find is looked at in steps.
    ///
    /// **Differs:** SimpleJWT 5.5 checks, blacklists and records in separate transactions, so that one refresh token used several
    /// times at once gives several successors.
    ///
    /// # Errors
    /// [`StoreError::UniqueViolation`] if the successor's id is known, or if the database cannot be written.
    pub async fn rotate(
        &self,
        presented: &OutstandingToken,
        blacklist_presented: bool,
        successor: &OutstandingToken,
        now: Timestamp,
    ) -> Result<Rotation, StoreError> {
        if self.driver().writes_in_with()
            && blacklist_presented
            && self.rotate_at_once(presented, successor, now).await?
        {
            return Ok(Rotation::Done);
        }
        if self.is_blacklisted(&presented.jti).await? {
            return Ok(Rotation::AlreadyBlacklisted); // costs a read and no write, however often it is tried
        }
        let (presented, successor) = (presented.clone(), successor.clone());
        let statements = Arc::clone(self.record_statements());
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    let void = if blacklist_presented {
                        presented.blacklist(&mut transaction, &statements, now).await? == Blacklisting::Already
                    } else {
                        transaction
                            .query_opt(IS_BLACKLISTED, &[presented.jti.as_str().into()], |_| Ok(()))
                            .await?
                            .is_some()
                    };
                    if void {
                        return Ok(Rotation::AlreadyBlacklisted);
                    }
                    successor.insert(&mut transaction, &statements.record).await?;
                    Ok(Rotation::Done)
                })
            })
            .await
    }

    /// [`rotate`](Self::rotate) of a token that is recorded and not void; tells whether it was.
    async fn rotate_at_once(
        &self,
        presented: &OutstandingToken,
        successor: &OutstandingToken,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (presented, successor) = (presented.jti.clone(), successor.clone());
        let statements = Arc::clone(self.record_statements());
        self.driver()
            .transaction(Sharing::OneStatement, move |mut transaction| {
                Box::pin(async move {
                    let [jti, token, created_at, expires_at, user] = successor.values();
                    let values = [now.into(), presented.as_str().into(), jti, token, created_at, expires_at, user];
                    Ok(transaction.execute(&statements.rotate, &values).await? > 0)
                })
            })
            .await
    }

    /// Moves the recorded expiry of a token to a later time; tells whether it changed.
    ///
    /// For sliding tokens, whose refresh keeps the id: recorded with their first `exp`, they would be flushed, and with them the
    /// blacklist row, while they can still be refreshed. **Differs:** SimpleJWT 5.5 leaves the first `exp`.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn move_expiry(&self, jti: &str, expires_at: Timestamp) -> Result<bool, StoreError> {
        if jti.contains('\0') {
            return Ok(false);
        }
        // Every refresh but the first finds it moved already; that costs a read and no write.
        let recorded = self.driver().query_opt(EXPIRY, &[jti.into()], |row| row.instant(0)).await?;
        if recorded.is_none_or(|recorded| recorded >= expires_at) {
            return Ok(false);
        }
        let jti = jti.to_owned();
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    Ok(transaction.execute(MOVE_EXPIRY, &[expires_at.into(), jti.as_str().into()]).await? > 0)
                })
            })
            .await
    }

    /// The last id of the next rows after one, so many as one transaction takes; `None` after the last row.
    pub(crate) async fn next_stretch(&self, after: i64) -> Result<Option<i64>, StoreError> {
        let values = [after.into(), STRETCH.into()];
        Ok(self.driver().query_opt(FLUSH_STRETCH, &values, |row| row.integer_opt(0)).await?.flatten())
    }

    /// Deletes the tokens that expired at or before `now`, with their blacklist rows (SimpleJWT 5.5 `flushexpiredtokens`); gives
    /// their number.
    ///
    /// Goes through the table in stretches of one transaction each, so that other writes get their turn, and takes turns with other
    /// processes that delete expired rows.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if its turn does not come. If the database cannot be written; the stretches before that stay deleted.
    pub async fn flush_expired(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut deleted = 0;
        let mut after = i64::MIN;
        loop {
            let Some(last) = self.next_stretch(after).await? else { return Ok(deleted) };
            deleted += self
                .driver()
                .transaction(Sharing::Alone, move |mut transaction| {
                    Box::pin(async move {
                        transaction.await_pruning().await?;
                        let values = [after.into(), last.into(), now.into()];
                        transaction.execute(FLUSH_BLACKLISTED, &values).await?;
                        transaction.execute(FLUSH_OUTSTANDING, &values).await
                    })
                })
                .await?;
            after = last;
        }
    }
}

impl OutstandingToken {
    pub(crate) async fn insert(&self, transaction: &mut Transaction<'_>, statement: &str) -> Result<u64, StoreError> {
        transaction.execute(statement, &self.values()).await
    }

    /// `jti`, `token`, `created_at`, `expires_at`, `user_id`.
    pub(crate) fn values(&self) -> [Value<'_>; 5] {
        [
            self.jti.as_str().into(),
            self.token.as_str().into(),
            self.created_at.into(),
            self.expires_at.into(),
            self.user.as_ref().into(),
        ]
    }

    async fn blacklist(
        &self,
        transaction: &mut Transaction<'_>,
        statements: &RecordStatements,
        now: Timestamp,
    ) -> Result<Blacklisting, StoreError> {
        self.insert(transaction, &statements.record_if_unknown).await?;
        match transaction.execute(BLACKLIST, &[now.into(), self.jti.as_str().into()]).await? {
            0 => Ok(Blacklisting::Already),
            _ => Ok(Blacklisting::Done),
        }
    }
}

impl fmt::Debug for OutstandingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutstandingToken")
            .field("created_at", &self.created_at)
            .field("expires_at", &self.expires_at)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
