//! `countersign_session` and `countersign_rotation`: families of refresh tokens, which Django never sees.

use std::fmt;

use jiff::Timestamp;

use crate::driver::Transaction;
use crate::{StoreError, UserId};

/// A new session; one with that id may be there already: primary key.
pub(crate) const BEGIN: &str = "
    INSERT INTO countersign_session
        (sid, user_id, kind, root_jti, created_at, refreshed_at, expires_at, idle_expires_at, user_agent, address, keep_until)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (sid) DO NOTHING";

/// A session that begins. `Debug` shows no id.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Its id.
    pub sid: String,
    /// Whose it is; `None` for a token without a user.
    pub user: Option<UserId>,
    /// The id of its first refresh token.
    pub root_jti: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was first used here.
    pub refreshed_at: Timestamp,
    /// When it ends, whatever is done with it.
    pub expires_at: Option<Timestamp>,
    /// When it ends unless it is refreshed.
    pub idle_expires_at: Option<Timestamp>,
    /// `User-Agent` of the client that began it.
    pub user_agent: Option<String>,
    /// The address it was begun from.
    pub address: Option<String>,
    /// Until when a token of it may be shown.
    pub keep_until: Timestamp,
}

impl NewSession {
    /// The row, unless one with this id is there.
    pub(crate) async fn insert(&self, transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
        // As text, whatever the type of the key: Django may change its user model under us.
        let user = self.user.as_ref().map(UserId::to_string);
        let values = [
            self.sid.as_str().into(),
            user.as_deref().into(),
            KIND.into(),
            self.root_jti.as_str().into(),
            self.created_at.into(),
            self.refreshed_at.into(),
            self.expires_at.into(),
            self.idle_expires_at.into(),
            self.user_agent.as_deref().into(),
            self.address.as_deref().into(),
            self.keep_until.into(),
        ];
        transaction.execute(BEGIN, &values).await.map(|_| ())
    }
}

/// `kind` of a family of JSON web tokens.
const KIND: &str = "jwt";

impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSession")
            .field("user", &self.user)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}
