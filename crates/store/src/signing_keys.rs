//! `countersign_key` and `countersign_key_use`: the key ladder, which Django never sees. What a state means and which may follow
//! which is for the caller; that a step stands on what was read is this module's part.

use std::fmt;

use jiff::Timestamp;

use crate::driver::Sharing;
use crate::{Store, StoreError};

/// All keys there ever were: the primary key, whole.
pub(crate) const KEYS: &str = "
    SELECT s.kid, s.algorithm, s.state, s.share, s.sealed, s.created_at, s.changed_at
    FROM countersign_key s WHERE s.kid > ''";

/// A key that is not there yet: primary key.
pub(crate) const INSERT: &str = "
    INSERT INTO countersign_key (kid, algorithm, state, share, sealed, created_at, changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (kid) DO NOTHING";

/// A key that is as it was read: primary key.
pub(crate) const CHANGE: &str = "
    UPDATE countersign_key SET state = $1, share = $2, sealed = $3, changed_at = $4
    WHERE kid = $5 AND state = $6 AND share = $7";

/// Somebody was seen with tokens of a key: primary key.
pub(crate) const SEEN: &str = "
    INSERT INTO countersign_key_use (kid, client, tokens, seen_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (kid, client) DO UPDATE SET
        tokens = countersign_key_use.tokens + EXCLUDED.tokens,
        seen_at = CASE WHEN countersign_key_use.seen_at < EXCLUDED.seen_at
                       THEN EXCLUDED.seen_at ELSE countersign_key_use.seen_at END";

/// Who was seen with tokens of a key: primary key.
pub(crate) const USES: &str = "SELECT u.client, u.tokens, u.seen_at FROM countersign_key_use u WHERE u.kid = $1";

/// A key of the ladder. `Debug` shows no key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Its name: the `kid` of its tokens.
    pub kid: String,
    /// The name of its algorithm.
    pub algorithm: String,
    /// Where on the ladder it stands.
    pub state: String,
    /// How many of a hundred new tokens are signed with it.
    pub share: i64,
    /// The private part under the key-encryption key; empty once it is not needed.
    pub sealed: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it came to this state.
    pub changed_at: Timestamp,
}

/// Somebody who was seen with tokens of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Who.
    pub client: String,
    /// How many tokens.
    pub tokens: i64,
    /// When last.
    pub seen_at: Timestamp,
}

/// One step of the ladder: rows as they are to be, each with the row that was read, or none for a new key.
pub type KeyStep = Vec<(Option<KeyRow>, KeyRow)>;

impl Store {
    /// All keys of the ladder, also those that are gone, in no order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn signing_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.driver()
            .query(KEYS, &[], |row| {
                Ok(KeyRow {
                    kid: row.text(0)?,
                    algorithm: row.text(1)?,
                    state: row.text(2)?,
                    share: row.integer_opt(3)?.unwrap_or_default(),
                    sealed: row.text(4)?,
                    created_at: row.instant(5)?,
                    changed_at: row.instant(6)?,
                })
            })
            .await
    }

    /// Makes a step, whole or not at all.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if the rows are no longer as they were read; or the database cannot be written.
    pub async fn change_signing_keys(&self, step: KeyStep) -> Result<(), StoreError> {
        self.driver()
            .transaction(Sharing::Alone, move |mut transaction| {
                Box::pin(async move {
                    for (read, row) in &step {
                        let changed = match read {
                            None => {
                                let values = [
                                    row.kid.as_str().into(),
                                    row.algorithm.as_str().into(),
                                    row.state.as_str().into(),
                                    row.share.into(),
                                    row.sealed.as_str().into(),
                                    row.created_at.into(),
                                    row.changed_at.into(),
                                ];
                                transaction.execute(INSERT, &values).await?
                            }
                            Some(read) => {
                                let values = [
                                    row.state.as_str().into(),
                                    row.share.into(),
                                    row.sealed.as_str().into(),
                                    row.changed_at.into(),
                                    row.kid.as_str().into(),
                                    read.state.as_str().into(),
                                    read.share.into(),
                                ];
                                transaction.execute(CHANGE, &values).await?
                            }
                        };
                        if changed == 0 {
                            return Err(StoreError::Outdated);
                        }
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Notes who was seen with tokens of a key.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn note_key_uses(&self, kid: String, uses: Vec<KeyUse>) -> Result<(), StoreError> {
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    for seen in &uses {
                        let values =
                            [kid.as_str().into(), seen.client.as_str().into(), seen.tokens.into(), seen.seen_at.into()];
                        transaction.execute(SEEN, &values).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Who was seen with tokens of a key, in no order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn key_uses(&self, kid: &str) -> Result<Vec<KeyUse>, StoreError> {
        self.driver()
            .query(USES, &[kid.into()], |row| {
                Ok(KeyUse {
                    client: row.text(0)?,
                    tokens: row.integer_opt(1)?.unwrap_or_default(),
                    seen_at: row.instant(2)?,
                })
            })
            .await
    }
}

impl fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRow")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("state", &self.state)
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}
