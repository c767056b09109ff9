//! Users that were looked up, for as long as nothing is committed to the database. Exact: an answer from here is what the database
//! would answer at the same moment. Only SQLite can tell whether something was committed; elsewhere nothing is remembered.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::driver::Commits;
use crate::value::Value;
use crate::{Store, StoreError, User};

const SHARDS: usize = 16;
/// Users in a shard at most; then it begins anew. About 5 MiB in all.
const USERS_IN_A_SHARD: usize = 1024;

/// Users by something unique.
pub(crate) struct Remembered<K> {
    hasher: RandomState,
    shards: [Mutex<Shard<K>>; SHARDS],
}

struct Shard<K> {
    /// The state of the database of which all of these users are.
    state: Option<Commits>,
    users: HashMap<K, User>,
}

impl Store {
    /// The user that `statement` finds by its one parameter, `key`: from memory, while nothing was committed since the last time.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub(crate) async fn remembered_user<K, Q>(
        &self,
        remembered: &Remembered<K>,
        statement: &str,
        key: &Q,
    ) -> Result<Option<User>, StoreError>
    where
        K: Borrow<Q> + Eq + Hash,
        Q: ToOwned<Owned = K> + Eq + Hash + ?Sized,
        for<'v> Value<'v>: From<&'v Q>,
    {
        let commits = self.driver().commits();
        if let Some(known) = commits.and_then(|commits| remembered.get(key, commits)) {
            return Ok(Some(known));
        }
        let found = self.driver().query_opt(statement, &[key.into()], |row| self.users().read(row)).await?;
        if let (Some(commits), Some(user)) = (commits, &found) {
            remembered.put(key.to_owned(), user.clone(), commits);
        }
        Ok(found)
    }
}

impl<K: Eq + Hash> Remembered<K> {
    /// The user, if known and the database is still in the state `now`.
    fn get<Q>(&self, key: &Q, now: Commits) -> Option<User>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let shard = self.shard(key);
        if shard.state == Some(now) { shard.users.get(key).cloned() } else { None }
    }

    /// Remembers a user who was read *after* the database was seen in the state `before`: while it is in that state, nothing has
    /// been committed since, so that what was read still stands.
    fn put(&self, key: K, user: User, before: Commits) {
        let mut shard = self.shard(&key);
        if shard.state != Some(before) || shard.users.len() >= USERS_IN_A_SHARD {
            shard.users.clear();
            shard.state = Some(before);
        }
        shard.users.insert(key, user);
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> MutexGuard<'_, Shard<K>> {
        let place = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Default for Remembered<K> {
    fn default() -> Self {
        let shard = || Mutex::new(Shard { state: None, users: HashMap::new() });
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| shard()) }
    }
}

/// Keys may be tokens.
impl<K> fmt::Debug for Remembered<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EncodedPassword, UserId};

    fn user(id: i64) -> User {
        User {
            id: UserId::Integer(id),
            username: format!("user{id}"),
            password: EncodedPassword::new(""),
            is_active: true,
            is_staff: false,
            is_superuser: false,
        }
    }

    #[test]
    fn a_user_is_known_in_the_state_it_was_read_in_only() {
        let [one, two] = [Commits::of(1), Commits::of(2)];
        let remembered: Remembered<String> = Remembered::default();
        assert_eq!(remembered.get("a", one), None);
        remembered.put("a".to_owned(), user(1), one);
        assert_eq!(remembered.get("a", one), Some(user(1)));
        assert_eq!(remembered.get("a", two), None);
        remembered.put("a".to_owned(), user(2), two);
        assert_eq!(remembered.get("a", one), None);
        // A reader who was slow: what it read may be newer than the state it saw before, and is not taken for the newer one's.
        remembered.put("a".to_owned(), user(1), one);
        assert_eq!(remembered.get("a", two), None);
    }

    #[test]
    fn g4_memory_is_bounded() {
        let state = Commits::of(1);
        let remembered: Remembered<i64> = Remembered::default();
        for id in 0..100_000 {
            remembered.put(id, user(id), state);
        }
        let held: usize = remembered.shards.iter().map(|shard| shard.lock().expect("no panic").users.len()).sum();
        assert!(held <= SHARDS * USERS_IN_A_SHARD, "{held}");
        assert_eq!(remembered.get(&99_999, state), Some(user(99_999)));
    }
}
