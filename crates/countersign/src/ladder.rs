//! The key ladder: from one signing key to the next without a logout. A key is generated, published (accepted everywhere, signing
//! nothing), signs a share of the new tokens, is promoted to sign all, is accepted while its tokens live, and is retired.
//!
//! Pure: the rows of the database, the moment and what was seen go in; the rows of the next step come out.

use countersign_formats::jwt::Algorithm;
use countersign_store::{KeyRow, KeyStep, KeyUse};
use jiff::{SignedDuration, Timestamp};

/// How long a key is published before it may sign: as long as key sets are cached (`max-age` of ours, `PyJWKClient`'s lifespan),
/// and much longer than nodes take to read the ladder.
pub const PUBLISHED_FIRST: SignedDuration = SignedDuration::from_mins(5);

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyState {
    /// Made, and known to nobody.
    Generated,
    /// Accepted, and in the published set.
    Published,
    /// Signs its share of new tokens.
    Signing,
    /// Signs no longer; its tokens are accepted.
    Accepted,
    /// No longer accepted, as no token of it was in use.
    Retired,
    /// No longer accepted, in an emergency.
    Revoked,
}

const STATES: [(KeyState, &str); 6] = [
    (KeyState::Generated, "generated"),
    (KeyState::Published, "published"),
    (KeyState::Signing, "signing"),
    (KeyState::Accepted, "accepted"),
    (KeyState::Retired, "retired"),
    (KeyState::Revoked, "revoked"),
];

impl KeyState {
    /// Its word in the database and in lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    /// The state of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        STATES.iter().find(|(_, known)| *known == name).map(|(state, _)| *state)
    }

    /// Whether tokens of the key are accepted.
    #[must_use]
    pub fn is_accepted(self) -> bool {
        matches!(self, Self::Published | Self::Signing | Self::Accepted)
    }
}

/// A step that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LadderError {
    /// No such key.
    #[error("there is no key {0}; `countersign keys list` shows those there are")]
    NoSuchKey(String),
    /// The key stands elsewhere on the ladder.
    #[error("key {kid} is {is}; {wanted}")]
    WrongState {
        /// The key.
        kid: String,
        /// Where it stands.
        is: &'static str,
        /// What would do.
        wanted: &'static str,
    },
    /// Caches and nodes may not know the key yet.
    #[error(
        "key {kid} was published at {published_at}, and may sign from {from} on, when no cache is without it; --at-once does not wait"
    )]
    TooSoon {
        /// The key.
        kid: String,
        /// When it was published.
        published_at: Timestamp,
        /// When it may sign.
        from: Timestamp,
    },
    /// Another key is on its way up.
    #[error("key {0} signs a share already; promote it, or give it --share 0% first")]
    AnotherRises(String),
    /// A share is a percentage below 100.
    #[error("a share lies between 0% and 99%; `promote` gives a key all of them")]
    Share,
    /// Tokens of the key are in use.
    #[error("tokens of key {kid} are in use: {}", list(.clients))]
    InUse {
        /// The key.
        kid: String,
        /// Who was seen with them since the moment that counts, latest first.
        clients: Vec<KeyUse>,
    },
    /// The key has not been watched for long enough.
    #[error(
        "key {kid} signed until {signed_until}; that nobody has used its tokens for so long can be known from {from} on, or sooner for a shorter --unused-for"
    )]
    TooFewSeen {
        /// The key.
        kid: String,
        /// When it signed last.
        signed_until: Timestamp,
        /// When it may be retired, if nobody is seen until then.
        from: Timestamp,
    },
    /// Nothing would sign.
    #[error("no other key can sign in place of {0}; `countersign keys generate` and `publish` one first")]
    NoOther(String),
}

fn list(clients: &[KeyUse]) -> String {
    let shown: Vec<String> = clients
        .iter()
        .take(20)
        .map(|client| format!("{} ({} tokens, last at {})", client.client, client.tokens, client.seen_at))
        .collect();
    let more = clients.len().saturating_sub(shown.len());
    shown.join(", ") + &if more > 0 { format!(", and {more} more") } else { String::new() }
}

/// What must have been so before a key is retired.
#[derive(Clone, Copy, Debug)]
pub struct Disuse {
    /// Nobody has been seen with its tokens for so long.
    pub unused_for: SignedDuration,
    /// How long it takes until every node has read a step, and until it has noted whom it saw.
    pub noted_within: SignedDuration,
    /// How long a token may live; after that nobody need be asked.
    pub longest_life: SignedDuration,
}

/// The keys as they stand: those of the database, and the configuration's, which need have no row.
#[derive(Clone, Debug)]
pub struct Ladder {
    rows: Vec<KeyRow>,
    /// The configuration's key has no row until a step changes it.
    has_row: bool,
    configured: String,
}

impl Ladder {
    /// The ladder of these rows. `configured` names the configuration's key.
    #[must_use]
    pub fn new(mut rows: Vec<KeyRow>, configured: &str, algorithm: Algorithm, now: Timestamp) -> Self {
        let has_row = rows.iter().any(|row| row.kid == configured);
        if !has_row {
            let taken: i64 = rows.iter().map(|row| row.share).sum();
            rows.push(KeyRow {
                kid: configured.to_owned(),
                algorithm: algorithm.name().to_owned(),
                state: if taken < 100 { KeyState::Signing } else { KeyState::Accepted }.name().to_owned(),
                share: 100 - taken.clamp(0, 100),
                sealed: String::new(),
                created_at: now,
                changed_at: now,
            });
        }
        rows.sort_by(|a, b| (a.created_at, &a.kid).cmp(&(b.created_at, &b.kid)));
        Self { rows, has_row, configured: configured.to_owned() }
    }

    /// All keys, oldest first.
    #[must_use]
    pub fn rows(&self) -> &[KeyRow] {
        &self.rows
    }

    /// Whether this is the configuration's key.
    #[must_use]
    pub fn is_configured(&self, kid: &str) -> bool {
        self.configured == kid
    }

    /// A new key; `sealed` is its seed.
    #[must_use]
    pub fn generate(&self, kid: String, algorithm: Algorithm, sealed: String, now: Timestamp) -> KeyStep {
        let (state, algorithm) = (KeyState::Generated.name().to_owned(), algorithm.name().to_owned());
        vec![(None, KeyRow { kid, algorithm, state, share: 0, sealed, created_at: now, changed_at: now })]
    }

    /// Makes a key known.
    ///
    /// # Errors
    /// [`LadderError::NoSuchKey`], [`LadderError::WrongState`].
    pub fn publish(&self, kid: &str, now: Timestamp) -> Result<KeyStep, LadderError> {
        let row = self.find(kid)?;
        if state(row) != KeyState::Generated {
            return Err(wrong(row, "only a generated key can be published"));
        }
        Ok(vec![self.change(row, KeyState::Published, 0, now)])
    }

    /// Lets a published key sign `share` of a hundred new tokens; the key that signs most signs the others. With no share it signs
    /// no longer, and what it signed is accepted.
    ///
    /// # Errors
    /// [`LadderError`], all but the last two.
    pub fn sign_with(&self, kid: &str, share: i64, at_once: bool, now: Timestamp) -> Result<KeyStep, LadderError> {
        let row = self.find(kid)?;
        if !(0..=99).contains(&share) {
            return Err(LadderError::Share);
        }
        check_can_sign(row, at_once, now)?;
        let main = self.main(kid).ok_or_else(|| wrong(row, "it signs all new tokens; promote another"))?;
        if let Some(rising) =
            self.rows.iter().find(|other| other.share > 0 && other.kid != kid && other.kid != main.kid)
        {
            return Err(LadderError::AnotherRises(rising.kid.clone()));
        }
        let rising = match state(row) {
            _ if share > 0 => KeyState::Signing,
            KeyState::Published => KeyState::Published,
            _ => KeyState::Accepted,
        };
        Ok(vec![self.change(row, rising, share, now), self.change(main, KeyState::Signing, 100 - share, now)])
    }

    /// Lets a key sign all new tokens; those that signed before it are accepted from now on.
    ///
    /// # Errors
    /// [`LadderError::NoSuchKey`], [`LadderError::WrongState`], [`LadderError::TooSoon`].
    pub fn promote(&self, kid: &str, at_once: bool, now: Timestamp) -> Result<KeyStep, LadderError> {
        let row = self.find(kid)?;
        check_can_sign(row, at_once, now)?;
        let before = self.rows.iter().filter(|other| other.kid != kid && state(other) == KeyState::Signing);
        let before = before.map(|other| self.change(other, KeyState::Accepted, 0, now));
        Ok(before.chain([self.change(row, KeyState::Signing, 100, now)]).collect())
    }

    /// Ends a key that signs no longer, once nobody has been seen with its tokens for long enough while all nodes looked, or once
    /// they must all have expired.
    ///
    /// # Errors
    /// [`LadderError::NoSuchKey`], [`LadderError::WrongState`], [`LadderError::InUse`], [`LadderError::TooFewSeen`].
    pub fn retire(&self, kid: &str, uses: &[KeyUse], disuse: Disuse, now: Timestamp) -> Result<KeyStep, LadderError> {
        let row = self.find(kid)?;
        let has_signed = match state(row) {
            KeyState::Generated | KeyState::Published => false,
            // Without a row it signed nothing since there are others.
            KeyState::Accepted => self.has_row || kid != self.configured,
            KeyState::Signing => return Err(wrong(row, "promote another key first, or give it --share 0%")),
            _ => return Err(wrong(row, "nothing is left to retire")),
        };
        // Who was seen within the last `noted_within` may not be on record: the time that counts ends before it.
        let looked_for = disuse.unused_for.saturating_add(disuse.noted_within);
        let mut clients: Vec<KeyUse> =
            uses.iter().filter(|seen| now.duration_since(seen.seen_at) <= looked_for).cloned().collect();
        let until = |length: SignedDuration| row.changed_at.checked_add(length).unwrap_or(Timestamp::MAX);
        if until(disuse.longest_life.saturating_add(disuse.noted_within)) > now {
            if !clients.is_empty() {
                clients.sort_by_key(|client| std::cmp::Reverse(client.seen_at));
                return Err(LadderError::InUse { kid: kid.to_owned(), clients });
            }
            let from = until(looked_for);
            if has_signed && from > now {
                return Err(LadderError::TooFewSeen { kid: kid.to_owned(), signed_until: row.changed_at, from });
            }
        }
        Ok(vec![self.change(row, KeyState::Retired, 0, now)])
    }

    /// Ends a key at once, whoever has tokens of it. What it signed is signed by the key that signs most beside it, else by the
    /// newest that is published, else by the newest that signed before.
    ///
    /// # Errors
    /// [`LadderError::NoSuchKey`], [`LadderError::WrongState`], [`LadderError::NoOther`].
    pub fn revoke(&self, kid: &str, now: Timestamp) -> Result<KeyStep, LadderError> {
        let row = self.find(kid)?;
        if matches!(state(row), KeyState::Retired | KeyState::Revoked) {
            return Err(wrong(row, "it is accepted nowhere"));
        }
        let mut step = vec![self.change(row, KeyState::Revoked, 0, now)];
        if row.share > 0 {
            let newest = |wanted| self.rows.iter().rev().find(|other| state(other) == wanted && other.kid != kid);
            let heir = self.main(kid).or_else(|| newest(KeyState::Published)).or_else(|| newest(KeyState::Accepted));
            let heir = heir.ok_or_else(|| LadderError::NoOther(kid.to_owned()))?;
            step.push(self.change(heir, KeyState::Signing, heir.share + row.share, now));
        }
        Ok(step)
    }

    /// The key that signs most, of the others.
    fn main(&self, but: &str) -> Option<&KeyRow> {
        self.rows.iter().filter(|row| row.kid != but && row.share > 0).max_by_key(|row| row.share)
    }

    fn find(&self, kid: &str) -> Result<&KeyRow, LadderError> {
        self.rows.iter().find(|row| row.kid == kid).ok_or_else(|| LadderError::NoSuchKey(kid.to_owned()))
    }

    /// The row as read, if there is one, and as it is to be. What is no longer needed of a key is erased.
    fn change(&self, row: &KeyRow, to: KeyState, share: i64, now: Timestamp) -> (Option<KeyRow>, KeyRow) {
        let read = (self.has_row || row.kid != self.configured).then(|| row.clone());
        let sealed =
            if matches!(to, KeyState::Retired | KeyState::Revoked) { String::new() } else { row.sealed.clone() };
        (read, KeyRow { state: to.name().to_owned(), share, sealed, changed_at: now, ..row.clone() })
    }
}

/// Where a row stands. One of a later version's states is taken for the safest.
fn state(row: &KeyRow) -> KeyState {
    KeyState::of_name(&row.state).unwrap_or(KeyState::Revoked)
}

fn check_can_sign(row: &KeyRow, at_once: bool, now: Timestamp) -> Result<(), LadderError> {
    match state(row) {
        // Known everywhere already; from accepted it is the way back.
        KeyState::Signing | KeyState::Accepted => Ok(()),
        KeyState::Published => match row.changed_at.checked_add(PUBLISHED_FIRST) {
            Ok(from) if from > now && !at_once => {
                Err(LadderError::TooSoon { kid: row.kid.clone(), published_at: row.changed_at, from })
            }
            _ => Ok(()),
        },
        KeyState::Generated => Err(wrong(row, "publish it first")),
        KeyState::Retired | KeyState::Revoked => Err(wrong(row, "generate another")),
    }
}

fn wrong(row: &KeyRow, wanted: &'static str) -> LadderError {
    LadderError::WrongState { kid: row.kid.clone(), is: state(row).name(), wanted }
}

#[cfg(test)]
mod tests;
