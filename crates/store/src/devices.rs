//! All sessions of a user, whatever kind: where they are used (`countersign_device` for tokens of Django's tables, our own tables for
//! our own), when they were last seen, and their end.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use countersign_formats::session_id::session_id;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::driver::{Sharing, TableName, Transaction};
use crate::families::{self, SessionFacts};
use crate::pruning::BATCH;
use crate::tokens::TokenTable;
use crate::value::Row;
use crate::{EventRow, Mark, Store, StoreError, UserId, events, knox, native_tokens, revocations};

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

/// The end of families that began before an instant, some of them: index of `countersign_session.created_at`, primary key.
pub(crate) const END_SOME: &str = "
    UPDATE countersign_session SET ended_at = $1, end_reason = $2 WHERE sid IN (
        SELECT s.sid FROM countersign_session s
        WHERE s.created_at >= $3 AND s.created_at < $4 AND s.ended_at IS NULL ORDER BY s.created_at LIMIT $5
    ) RETURNING created_at";

/// Some of a table's rows are gone, whatever they are: primary key. `table` and `key` as SQL has them.
pub(crate) fn delete_some(table: &str, key: &str) -> String {
    format!(
        "DELETE FROM {table} WHERE {key} IN (SELECT s.{key} FROM {table} s WHERE s.{key} > $1 ORDER BY s.{key} LIMIT $2)"
    )
}

/// Rows written in one transaction of [`Store::note_seen`].
const SEEN: usize = 500;

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

/// One session, to be ended or spared.
#[derive(Clone, Debug)]
pub enum SessionFate {
    /// A family of refresh tokens, by its id.
    Family(String),
    /// A DRF token: the one that a user has in a table.
    Token {
        /// The table.
        table: TokenTable,
        /// Whose it is.
        user: UserId,
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
pub struct Ending {
    /// Whose.
    pub user: UserId,
    /// The user as tokens name it: Python's `str()` of `USER_ID_FIELD`.
    pub subject: String,
    /// The one that goes on.
    pub except: Option<SessionFate>,
    /// Where DRF tokens are.
    pub token_tables: Vec<TokenTable>,
    /// Whether there are Knox tokens.
    pub has_knox: bool,
    /// Whether the blacklist app is there.
    pub has_blacklist: bool,
    /// `ended_at`, and what the marks say.
    pub at: Timestamp,
    /// `end_reason`.
    pub reason: &'static str,
    /// What is written of each session that ends, with its id put in.
    pub told: Option<EventRow>,
}

/// What [`Store::end_sessions_of`] did.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// The ids of the sessions that lived.
    pub sessions: Vec<String>,
    /// The marks that were written.
    pub marks: Vec<Mark>,
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
            let batch = seen.split_off(seen.len().saturating_sub(SEEN));
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

    /// Ends one session, with what is told of it; tells whether it lived. A family gets a mark for its access tokens, and its refresh
    /// tokens are void in SimpleJWT's table as well, if that is there.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn end_session(
        &self,
        session: SessionFate,
        has_blacklist: bool,
        reason: &'static str,
        at: Timestamp,
        told: Vec<EventRow>,
    ) -> Result<bool, StoreError> {
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    let transaction = &mut transaction;
                    let is_ended = match session {
                        SessionFate::Family(sid) => families::end(transaction, &sid, has_blacklist, reason, at).await?,
                        SessionFate::Token { table, user, id } => {
                            transaction.execute(FORGET, &[id.as_str().into()]).await?;
                            table.delete_of(transaction, &user).await?.is_some()
                        }
                        SessionFate::Knox { digest, id } => {
                            transaction.execute(FORGET, &[id.as_str().into()]).await?;
                            transaction.execute(knox::DELETE, &[digest.as_str().into()]).await? > 0
                        }
                        SessionFate::Native(digest) => {
                            transaction.execute(native_tokens::DELETE, &[digest.as_str().into()]).await? > 0
                        }
                    };
                    if is_ended {
                        events::record(transaction, &told).await?;
                    }
                    Ok(is_ended)
                })
            })
            .await
    }

    /// Ends all sessions of a user, whatever kind, or all but one, with all JSON web tokens of the user that name no session: one
    /// transaction.
    ///
    /// # Errors
    /// If the database cannot be written; none has ended then.
    pub async fn end_sessions_of(&self, ending: Ending) -> Result<Ended, StoreError> {
        let users = Arc::clone(self.users());
        self.driver()
            .transaction(Sharing::Alone, move |mut transaction| {
                Box::pin(async move {
                    // Two of these for one user take turns, so that neither waits for rows of the other's.
                    transaction.execute(&users.lock, &[(&ending.user).into()]).await?;
                    ending.carry_out(&mut transaction).await
                })
            })
            .await
    }

    /// Ends every session of everybody, whatever kind, in transactions of some thousand rows; families of refresh tokens, if they began by
    /// the moment of a [mark](Self::mark_all), by which their access tokens are refused.
    ///
    /// # Errors
    /// If the database cannot be written; what ended before that stays ended.
    pub async fn end_all_sessions(
        &self,
        token_tables: &[TokenTable],
        has_knox: bool,
        reason: &'static str,
        at: Timestamp,
        mark: &Mark,
    ) -> Result<(), StoreError> {
        let mut from = Timestamp::UNIX_EPOCH;
        let until = revocations::after_mark(mark.not_before).unwrap_or(at);
        loop {
            let ended = self.driver().transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    let values = [at.into(), reason.into(), from.into(), until.into(), i64::from(BATCH).into()];
                    transaction.query(END_SOME, &values, |row| row.instant(0)).await
                })
            });
            match ended.await?.into_iter().max() {
                Some(last) => from = last,
                None => break,
            }
        }
        self.delete_all("countersign_token", "digest").await?;
        if has_knox {
            self.delete_all("knox_authtoken", "digest").await?;
        }
        for table in token_tables {
            self.delete_all(&TableName::new(table.name()).quoted(), "key").await?;
        }
        self.delete_all("countersign_device", "id").await
    }

    /// Deletes all rows of a table, some at a time.
    async fn delete_all(&self, table: &str, key: &str) -> Result<(), StoreError> {
        loop {
            let statement = delete_some(table, key);
            let deleted = self.driver().transaction(Sharing::OneStatement, move |mut transaction| {
                Box::pin(async move { transaction.execute(&statement, &["".into(), i64::from(BATCH).into()]).await })
            });
            if deleted.await? == 0 {
                return Ok(());
            }
        }
    }
}

impl Ending {
    async fn carry_out(&self, transaction: &mut Transaction<'_>) -> Result<Ended, StoreError> {
        let user = self.user.to_string();
        let (mut id, mut sid, mut knox_digest, mut native_digest, mut spared) = ("", None, "", "", None);
        match &self.except {
            None => {}
            Some(SessionFate::Family(kept)) => sid = Some(kept.as_str()),
            Some(SessionFate::Token { table, id: kept, .. }) => (id, spared) = (kept, Some(table.name())),
            Some(SessionFate::Knox { digest, id: kept }) => (id, knox_digest) = (kept, digest),
            Some(SessionFate::Native(digest)) => native_digest = digest,
        }
        let mut ended = revocations::end_families_of(transaction, self, sid).await?;
        let sessions = &mut ended.sessions;
        for table in self.token_tables.iter().filter(|table| Some(table.name()) != spared) {
            let key = table.delete_of(transaction, &self.user).await?;
            sessions.extend(key.map(|key| session_id("token", &key)));
        }
        let digest = |kind: &'static str| {
            move |row: &Row<'_>| row.text(0).map(|digest| session_id(kind, &Zeroizing::new(digest)))
        };
        if self.has_knox {
            let values = [(&self.user).into(), knox_digest.into()];
            sessions.extend(transaction.query(knox::DELETE_OTHERS, &values, digest("knox")).await?);
        }
        let values = [user.as_str().into(), native_digest.into()];
        sessions.extend(transaction.query(native_tokens::DELETE_OTHERS, &values, digest("native")).await?);
        transaction.execute(FORGET_OTHERS, &[user.as_str().into(), id.into()]).await?;
        if let Some(told) = &self.told {
            let of_session = |id: &String| EventRow { session: Some(id.clone()), ..told.clone() };
            let told: Vec<EventRow> = ended.sessions.iter().map(of_session).collect();
            events::record(transaction, &told).await?;
        }
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
