//! All sessions of a user, whatever kind: where they are used (`countersign_device` for tokens of Django's tables, our own tables for
//! our own), when they were last seen, and their end.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::driver::{Sharing, Transaction};
use crate::families::{self, SessionFacts};
use crate::revocations::{self, Ended, Ending};
use crate::tokens::TokenTable;
use crate::value::Row;
use crate::{Store, StoreError, UserId, knox, native_tokens};

/// What is known of where a token is used; what was known before stays, but for when it was last seen: primary key.
pub(crate) const UPSERT: &str = "
    INSERT INTO countersign_device (id, user_id, kind, name, user_agent, address, last_seen_at, keep_until)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (id) DO UPDATE SET last_seen_at = excluded.last_seen_at, keep_until = excluded.keep_until
    WHERE countersign_device.last_seen_at IS NULL OR countersign_device.last_seen_at < excluded.last_seen_at";

/// Where a user's tokens are used: index of `user_id`.
pub(crate) const OF_USER: &str = "
    SELECT d.id, d.last_seen_at, d.name, d.user_agent, d.address FROM countersign_device d WHERE d.user_id = $1";

/// Nothing is known of where a token is used: primary key.
pub(crate) const FORGET: &str = "DELETE FROM countersign_device WHERE id = $1";

/// The same for all tokens of a user but one: index of `user_id`.
pub(crate) const FORGET_OTHERS: &str = "DELETE FROM countersign_device WHERE user_id = $1 AND id <> $2";

/// A user's families of refresh tokens that have not been ended and of which a token may live, the newest first: index of `user_id`.
pub(crate) const FAMILIES_OF_USER: &str = "
    SELECT f.sid, f.last_seen_at, f.device_name, f.user_agent, f.address,
           f.created_at, f.refreshed_at, f.expires_at, f.idle_expires_at, f.keep_until
    FROM countersign_session f
    WHERE f.user_id = $1 AND f.ended_at IS NULL AND f.keep_until > $2
    ORDER BY f.created_at DESC LIMIT $3";

/// A family was seen: primary key. Never earlier than before.
pub(crate) const SEEN_FAMILY: &str = "
    UPDATE countersign_session SET last_seen_at = $1
    WHERE sid = $2 AND (last_seen_at IS NULL OR last_seen_at < $1)";

/// A token of our own kind was seen: primary key. Never earlier than before.
pub(crate) const SEEN_TOKEN: &str = "
    UPDATE countersign_token SET last_seen_at = $1
    WHERE digest = $2 AND (last_seen_at IS NULL OR last_seen_at < $1)";

/// Rows written in one transaction of [`Store::note_seen`].
const BATCH: usize = 500;

/// Where a session is used, as its client says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// What the client calls the device.
    pub name: Option<String>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// The client's address.
    pub address: Option<String>,
}

/// What is known of where a token of one of Django's tables is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The session's id, which follows from the token and does not give it away.
    pub id: String,
    /// Whose it is.
    pub user: UserId,
    /// The token's kind.
    pub kind: &'static str,
    /// Where.
    pub place: Place,
    /// When it was last seen.
    pub last_seen: Option<Timestamp>,
    /// Until when this is worth knowing.
    pub keep_until: Timestamp,
}

/// A token of one of Django's tables. `Debug` shows no key.
#[derive(Clone)]
pub struct TokenRow {
    /// Its primary key: the token itself in `authtoken_token`, its digest in `knox_authtoken`.
    pub key: Zeroizing<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends, if ever.
    pub expiry: Option<Timestamp>,
}

/// A family of refresh tokens.
#[derive(Clone, Debug)]
pub struct FamilyRow {
    /// Its id.
    pub sid: String,
    /// When an access token of it was last seen.
    pub last_seen: Option<Timestamp>,
    /// Where it began.
    pub place: Place,
    /// Its times.
    pub facts: SessionFacts,
    /// Until when a token of it may live.
    pub keep_until: Timestamp,
}

/// A session that was seen. `Debug` shows no id.
#[derive(Clone)]
pub enum Seen {
    /// A family of refresh tokens, by its id.
    Family(String),
    /// A token of our own kind, by its digest.
    Token(String),
    /// A token of one of Django's tables; when it was seen stands in the value.
    Device(Device),
}

/// One session, to be ended.
#[derive(Clone, Debug)]
pub enum SessionFate {
    /// A family of refresh tokens, by its id.
    Family(String),
    /// A DRF token: the one that a user has in a table.
    Token {
        /// The table.
        table: TokenTable,
        /// The session's id.
        id: String,
    },
    /// A Knox token.
    Knox {
        /// Its digest.
        digest: Zeroizing<String>,
        /// The session's id.
        id: String,
    },
    /// A token of our own kind, by its digest.
    Native(Zeroizing<String>),
}

/// The end of a user's sessions, whatever kind.
#[derive(Clone, Debug)]
pub struct EndAll {
    /// Whose, and how families end.
    pub ending: Ending,
    /// The one that goes on; of a family, `ending` says it too.
    pub except: Option<SessionFate>,
    /// Where DRF tokens are.
    pub token_tables: Vec<TokenTable>,
    /// Whether there are Knox tokens.
    pub has_knox: bool,
}

impl Store {
    /// Where a user's tokens of Django's tables are used and when they were last seen, by the session's id.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn devices_of(&self, user: &UserId) -> Result<HashMap<String, (Place, Option<Timestamp>)>, StoreError> {
        let read = |row: &Row<'_>| Ok((row.text(0)?, (Place::read(row, 2)?, row.instant_opt(1)?)));
        let rows = self.driver().query(OF_USER, &[user.to_string().as_str().into()], read).await?;
        Ok(rows.into_iter().collect())
    }

    /// A user's families that go on, `limit` at most, the newest first. Some may have become too old or too idle since.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn families_of(&self, user: &UserId, now: Timestamp, limit: u32) -> Result<Vec<FamilyRow>, StoreError> {
        let read = |row: &Row<'_>| {
            Ok(FamilyRow {
                sid: row.text(0)?,
                last_seen: row.instant_opt(1)?,
                place: Place::read(row, 2)?,
                facts: SessionFacts {
                    created_at: row.instant(5)?,
                    refreshed_at: row.instant(6)?,
                    expires_at: row.instant_opt(7)?,
                    idle_expires_at: row.instant_opt(8)?,
                    ended_at: None,
                },
                keep_until: row.instant(9)?,
            })
        };
        let user = user.to_string();
        let values = [user.as_str().into(), now.into(), i64::from(limit).into()];
        self.driver().query(FAMILIES_OF_USER, &values, read).await
    }

    /// Notes when sessions were seen, in transactions of some hundred rows. Those that are gone by now are passed over.
    ///
    /// # Errors
    /// If the database cannot be written; the batches before that are.
    pub async fn note_seen(&self, mut seen: Vec<(Seen, Timestamp)>) -> Result<(), StoreError> {
        while !seen.is_empty() {
            let batch = seen.split_off(seen.len().saturating_sub(BATCH));
            self.driver()
                .transaction(Sharing::Grouped, move |mut transaction| {
                    Box::pin(async move {
                        for (session, at) in batch {
                            session.note(&mut transaction, at).await?;
                        }
                        Ok(())
                    })
                })
                .await?;
        }
        Ok(())
    }

    /// Ends one session of a user; tells whether it was there. A family's refresh tokens are void in SimpleJWT's table as well, if
    /// that is there.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn end_one(
        &self,
        user: &UserId,
        session: SessionFate,
        has_blacklist: bool,
        reason: &'static str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let user = user.clone();
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    let transaction = &mut transaction;
                    Ok(match session {
                        SessionFate::Family(sid) => families::end(transaction, &sid, has_blacklist, reason, at).await?,
                        SessionFate::Token { table, id } => {
                            transaction.execute(FORGET, &[id.as_str().into()]).await?;
                            table.delete_of(transaction, &user).await? > 0
                        }
                        SessionFate::Knox { digest, id } => {
                            transaction.execute(FORGET, &[id.as_str().into()]).await?;
                            transaction.execute(knox::DELETE, &[digest.as_str().into()]).await? > 0
                        }
                        SessionFate::Native(digest) => {
                            transaction.execute(native_tokens::DELETE, &[digest.as_str().into()]).await? > 0
                        }
                    })
                })
            })
            .await
    }

    /// Ends all sessions of a user, or all but one, in one transaction; gives the families that lived, and their marks.
    ///
    /// # Errors
    /// If the database cannot be written; none has ended then.
    pub async fn end_all(&self, all: EndAll) -> Result<Ended, StoreError> {
        let lock = Arc::clone(self.native_statements());
        self.driver()
            .transaction(Sharing::Alone, move |mut transaction| {
                Box::pin(async move {
                    // Two of these for one user take turns, so that neither waits for rows of the other's.
                    transaction.execute(&lock.lock, &[(&all.ending.user).into()]).await?;
                    all.carry_out(&mut transaction).await
                })
            })
            .await
    }
}

impl EndAll {
    async fn carry_out(&self, transaction: &mut Transaction<'_>) -> Result<Ended, StoreError> {
        let owner = &self.ending.user;
        let user = owner.to_string();
        let (mut id, mut knox_digest, mut native_digest, mut spared) = ("", "", "", None);
        match &self.except {
            None | Some(SessionFate::Family(_)) => {}
            Some(SessionFate::Token { table, id: kept }) => (id, spared) = (kept, Some(table.name())),
            Some(SessionFate::Knox { digest, id: kept }) => (id, knox_digest) = (kept, digest),
            Some(SessionFate::Native(digest)) => native_digest = digest,
        }
        let ended = revocations::end_sessions_of(transaction, &self.ending).await?;
        for table in self.token_tables.iter().filter(|table| Some(table.name()) != spared) {
            table.delete_of(transaction, owner).await?;
        }
        if self.has_knox {
            transaction.execute(knox::DELETE_OTHERS, &[owner.into(), knox_digest.into()]).await?;
        }
        transaction.execute(native_tokens::DELETE_OTHERS, &[user.as_str().into(), native_digest.into()]).await?;
        transaction.execute(FORGET_OTHERS, &[user.as_str().into(), id.into()]).await?;
        Ok(ended)
    }
}

impl Seen {
    async fn note(&self, transaction: &mut Transaction<'_>, at: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Family(sid) => transaction.execute(SEEN_FAMILY, &[at.into(), sid.as_str().into()]).await.map(|_| ()),
            Self::Token(digest) => {
                transaction.execute(SEEN_TOKEN, &[at.into(), digest.as_str().into()]).await.map(|_| ())
            }
            Self::Device(device) => device.upsert(transaction).await,
        }
    }
}

impl Device {
    /// Writes the row; of one that is there, when it was last seen.
    pub(crate) async fn upsert(&self, transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
        let user = self.user.to_string();
        let values = [
            self.id.as_str().into(),
            user.as_str().into(),
            self.kind.into(),
            self.place.name.as_deref().into(),
            self.place.user_agent.as_deref().into(),
            self.place.address.as_deref().into(),
            self.last_seen.into(),
            self.keep_until.into(),
        ];
        transaction.execute(UPSERT, &values).await.map(|_| ())
    }
}

impl Place {
    /// From three columns that begin at `first`.
    pub(crate) fn read(row: &Row<'_>, first: usize) -> Result<Self, StoreError> {
        Ok(Self { name: row.text_opt(first)?, user_agent: row.text_opt(first + 1)?, address: row.text_opt(first + 2)? })
    }
}

impl fmt::Debug for TokenRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRow").field("created", &self.created).field("expiry", &self.expiry).finish_non_exhaustive()
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Family(_) => "Family(..)",
            Self::Token(_) => "Token(..)",
            Self::Device(_) => "Device(..)",
        })
    }
}
