//! What Knox's tokens and our own have in common: a user is given several, each found by its digest.

use crate::StoreError;
use crate::driver::Transaction;
use crate::value::Value;

/// The statements on such a table that also look at the user table, rendered once.
#[derive(Debug)]
pub(crate) struct GivenTokens {
    /// A token's owner and what is read with it: primary keys of both tables. Sub-selects rather than a join, which SQLite would plan
    /// anew at each run.
    pub(crate) owner: String,
    /// A new token for a user who is there: primary key of the user table.
    pub(crate) insert: String,
    /// The same for a user who has fewer tokens than allowed: also the index of `user_id`.
    pub(crate) insert_below: String,
}

impl GivenTokens {
    /// `insert` ends in a condition; `counted` is what stands after `FROM` to count a user's tokens, `limit` the parameter that says how
    /// many there may be.
    pub(crate) fn of(owner: String, insert: String, counted: &str, limit: &str) -> Self {
        let insert_below = format!("{insert} AND (SELECT count(*) FROM {counted}) < CAST({limit} AS bigint)");
        Self { owner, insert, insert_below }
    }

    /// Adds a token unless its user has `limit` already; tells whether it did. `values` are those of `insert`.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUser`] where there is no limit, and no user. If the database cannot be written.
    pub(crate) async fn give(
        &self,
        transaction: &mut Transaction<'_>,
        mut values: Vec<Value<'_>>,
        limit: Option<u32>,
    ) -> Result<bool, StoreError> {
        let Some(limit) = limit else {
            return match transaction.execute(&self.insert, &values).await? {
                0 => Err(StoreError::NoSuchUser),
                _ => Ok(true),
            };
        };
        values.push(i64::from(limit).into());
        Ok(transaction.execute(&self.insert_below, &values).await? > 0)
    }
}
