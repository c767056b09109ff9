//! `django_session`: what Django's database-backed sessions keep (engines `db` and `cached_db`).

use jiff::Timestamp;

use crate::driver::Sharing;
use crate::{Store, StoreError};

/// The data of a session that has not expired: primary key. A row of more than `$3` characters is not handed over.
pub(crate) const SESSION: &str = "
    SELECT s.session_data FROM django_session s
    WHERE s.session_key = $1 AND s.expire_date > $2 AND length(s.session_data) <= CAST($3 AS bigint)";

/// No such session any more: primary key.
pub(crate) const DELETE_SESSION: &str = "DELETE FROM django_session WHERE session_key = $1";

/// `session_key` is a `varchar(40)`.
const LONGEST_KEY: usize = 40;
/// Django 5.2 `SessionBase._validate_session_key` takes shorter ones for none.
const SHORTEST_KEY: usize = 8;

impl Store {
    /// The signed data of a session that expires after `now`, unless it has more than `longest` characters (Django 5.2
    /// `SessionStore._get_session_from_db`).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn django_session(
        &self,
        key: &str,
        now: Timestamp,
        longest: usize,
    ) -> Result<Option<String>, StoreError> {
        if !(SHORTEST_KEY..=LONGEST_KEY).contains(&key.chars().count()) || key.contains('\0') {
            return Ok(None);
        }
        let longest = i64::try_from(longest).unwrap_or(i64::MAX);
        self.driver().query_opt(SESSION, &[key.into(), now.into(), longest.into()], |row| row.text(0)).await
    }

    /// Deletes a session (Django 5.2 `SessionStore.delete`). One that is gone is no error.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn delete_django_session(&self, key: &str) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.driver()
            .transaction(Sharing::OneStatement, move |mut transaction| {
                Box::pin(async move { transaction.execute(DELETE_SESSION, &[key.as_str().into()]).await.map(|_| ()) })
            })
            .await
    }
}
