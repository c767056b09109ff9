//! Refresh tokens that somebody else than us put on SimpleJWT's blacklist: a Django beside us, by a logout or by a rotation.
//!
//! A [trigger](crate::Store::install_triggers) leaves a mark of kind `void` for each, which names the token's row. Whether it was a logout is
//! for the caller to say; that it is said once, whichever of several nodes is first, is this module's part.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::driver::Sharing;
use crate::value::Row;
use crate::{EventRow, Store, StoreError, events, families};

/// A token that is void, and whether that was an exchange of ours: primary key, the unique index of `token_id`, the primary key of
/// `countersign_rotation`.
pub(crate) const VOIDED: &str = "
    SELECT o.token, b.blacklisted_at, o.user_id IS NOT NULL,
           EXISTS (SELECT 1 FROM countersign_rotation r WHERE r.parent_jti = o.jti AND r.rotated_at = b.blacklisted_at)
    FROM token_blacklist_outstandingtoken o JOIN token_blacklist_blacklistedtoken b ON b.token_id = o.id
    WHERE o.id = $1";

/// Tokens of the same user that were recorded after a token and made after an instant, some of them: Django's index of `user_id`.
pub(crate) const LATER: &str = "
    SELECT o.token FROM token_blacklist_outstandingtoken o
    WHERE o.user_id = (SELECT p.user_id FROM token_blacklist_outstandingtoken p WHERE p.id = $1)
      AND o.id > $1 AND coalesce(o.created_at, $2) >= $2
    LIMIT $3";

/// What became of a token is known: the index of (`kind`, `subject`, `not_before`).
pub(crate) const SETTLE: &str = "DELETE FROM countersign_revocation WHERE kind = 'void' AND subject = $1";

/// What becomes of any token is known: the index of (`kind`, `subject`, `not_before`).
pub(crate) const SETTLE_ALL: &str = "DELETE FROM countersign_revocation WHERE kind = 'void'";

/// `created_at` of a successor is when its request began, and thus before its parent was void, by the time that such a request takes.
const REQUEST: SignedDuration = SignedDuration::from_mins(1);

/// Later tokens that are looked at.
const MOST: u32 = 1000;

/// A token that is void. `Debug` shows no token.
#[derive(Clone)]
pub struct Voided {
    /// Its text.
    pub token: String,
    /// Texts of tokens of the same user that were made since, or just before it was void; `None` where they cannot be told: the token
    /// is nobody's, or there are too many.
    pub later: Option<Vec<String>>,
}

/// A session that a logout at Django ended.
#[derive(Clone, Debug)]
pub struct LoggedOut {
    /// Its id.
    pub sid: String,
    /// `end_reason`.
    pub reason: &'static str,
    /// `ended_at`.
    pub at: Timestamp,
    /// What is written of it.
    pub told: Vec<EventRow>,
}

impl Store {
    /// What is known of a token that was void when its row was marked; `None` if it is not any more, or if we exchanged it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn voided(&self, id: i64) -> Result<Option<Voided>, StoreError> {
        let read = |row: &Row<'_>| Ok((row.text(0)?, row.instant(1)?, row.boolean(2)?, row.boolean(3)?));
        let found = self.driver().query_opt(VOIDED, &[id.into()], read).await?;
        let Some((token, voided_at, has_user, is_exchange)) = found else { return Ok(None) };
        if is_exchange {
            return Ok(None);
        }
        if !has_user {
            return Ok(Some(Voided { token, later: None }));
        }
        let since = voided_at.checked_sub(REQUEST).unwrap_or(Timestamp::UNIX_EPOCH);
        let values = [id.into(), since.into(), i64::from(MOST).into()];
        let later = self.driver().query(LATER, &values, |row| row.text(0)).await?;
        Ok(Some(Voided { token, later: (later.len() < MOST as usize).then_some(later) }))
    }

    /// Takes the mark of a token away and ends a session, if it was a logout, in one transaction; tells whether this ended it. Whoever
    /// comes second does nothing.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn settle_voided(&self, id: i64, logout: Option<LoggedOut>) -> Result<bool, StoreError> {
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    let transaction = &mut transaction;
                    let is_first = transaction.execute(SETTLE, &[id.to_string().as_str().into()]).await? > 0;
                    let (true, Some(LoggedOut { sid, reason, at, told })) = (is_first, logout) else {
                        return Ok(false);
                    };
                    let is_ended = families::end(transaction, &sid, true, reason, at).await?;
                    if is_ended {
                        events::record(transaction, &told).await?;
                    }
                    Ok(is_ended)
                })
            })
            .await
    }
}

impl fmt::Debug for Voided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voided").field("later", &self.later.as_ref().map(Vec::len)).finish_non_exhaustive()
    }
}
