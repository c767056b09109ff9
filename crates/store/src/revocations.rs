//! `countersign_revocation`: marks, each of which says from when on which tokens are refused, and what writes them: the end of one
//! session, of a user's, of all. Whoever checks tokens keeps the marks in memory ([`RevocationFeed`](crate::RevocationFeed)).

use std::fmt;

use jiff::Timestamp;

use crate::driver::{Sharing, Transaction};
use crate::native_tokens::DELETE_OLDER;
use crate::pruning::BATCH;
use crate::value::Row;
use crate::voided::SETTLE_ALL;
use crate::{Ended, Ending, Store, StoreError, UserId};

/// A mark.
pub(crate) const MARK: &str = "
    INSERT INTO countersign_revocation (kind, subject, not_before) VALUES ($1, $2, $3)";

/// What tells the triggers of a re-hash, gone before anybody else can see it: the index of (`kind`, `subject`, `not_before`).
pub(crate) const UNMARK_REHASH: &str = "
    DELETE FROM countersign_revocation WHERE kind = 'rehash' AND subject = $1";

/// What was made for a user by then has ended with a change of the user: the index of (`kind`, `subject`, `not_before`).
pub(crate) const OWNER_MARK: &str = "
    SELECT max(r.not_before) FROM countersign_revocation r WHERE r.kind = 'owner' AND r.subject = $1";

/// Marks of users that were changed, some of them: the index of (`kind`, `subject`, `not_before`).
pub(crate) const OWNER_MARKS: &str = "
    SELECT r.id, r.subject, r.not_before FROM countersign_revocation r
    WHERE r.kind = 'owner' ORDER BY r.subject LIMIT $1";

/// Such a mark is settled: primary key.
pub(crate) const UNMARK_OWNER: &str = "DELETE FROM countersign_revocation WHERE id = $1";

/// The end of a user's sessions that began before an instant: index of `countersign_session.user_id`.
pub(crate) const END_OLDER: &str = "
    UPDATE countersign_session SET ended_at = $1, end_reason = $2
    WHERE user_id = $3 AND created_at < $4 AND ended_at IS NULL";

/// Marks of a user's live sessions but one: index of `countersign_session.user_id`.
pub(crate) const MARK_OTHERS: &str = "
    INSERT INTO countersign_revocation (kind, subject, not_before)
    SELECT 'session', f.sid, $1 FROM countersign_session f
    WHERE f.user_id = $2 AND f.sid <> $3 AND f.ended_at IS NULL";

/// When the newest session of a user began: index of `countersign_session.user_id`.
pub(crate) const NEWEST_SESSION: &str = "
    SELECT max(f.created_at) FROM countersign_session f WHERE f.user_id = $1";

/// When the newest session of all began: index of `countersign_session.created_at`.
pub(crate) const NEWEST_OF_ALL: &str = "SELECT max(f.created_at) FROM countersign_session f";

/// The end of a user's sessions but one: index of `countersign_session.user_id`.
pub(crate) const END_OTHERS: &str = "
    UPDATE countersign_session SET ended_at = $1, end_reason = $2
    WHERE user_id = $3 AND sid <> $4 AND ended_at IS NULL
    RETURNING sid";

/// Blacklist rows for all live tokens of a user but those of one session: Django's index of `outstandingtoken.user_id`, the index of
/// `countersign_rotation.sid`, the primary key of `countersign_session`.
pub(crate) const VOID_OTHERS: &str = "
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
    SELECT $1, o.id FROM token_blacklist_outstandingtoken o
    WHERE o.user_id = $2 AND o.expires_at > $1 AND NOT EXISTS (
        SELECT 1 FROM countersign_rotation r WHERE r.child_jti = o.jti AND r.sid = $3
    ) AND NOT EXISTS (
        SELECT 1 FROM countersign_session f WHERE f.sid = $3 AND f.root_jti = o.jti
    )
    ON CONFLICT (token_id) DO NOTHING";

/// Blacklist rows for all live tokens of a stretch: primary key of `outstandingtoken`.
pub(crate) const VOID_STRETCH: &str = "
    INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
    SELECT $1, o.id FROM token_blacklist_outstandingtoken o
    WHERE o.id > CAST($2 AS bigint) AND o.id <= $3 AND o.expires_at > $1
    ON CONFLICT (token_id) DO NOTHING";

/// All that stands against a token: the index of (`kind`, `subject`, `not_before`), the primary key of `countersign_session`.
pub(crate) const AGAINST: &str = "
    SELECT (SELECT max(a.not_before) FROM countersign_revocation a WHERE a.kind = 'all' AND a.subject = ''),
           (SELECT max(u.not_before) FROM countersign_revocation u WHERE u.kind = 'user' AND u.subject = CAST($1 AS text)),
           (SELECT max(b.not_before) FROM countersign_revocation b WHERE b.kind = 'bare' AND b.subject = CAST($1 AS text)),
           EXISTS (SELECT 1 FROM countersign_revocation t WHERE t.kind = 'token' AND t.subject = CAST($2 AS text)),
           EXISTS (SELECT 1 FROM countersign_session f WHERE f.sid = CAST($3 AS text) AND f.ended_at IS NOT NULL)";

/// Marks of which no access token lives, some of them: the index of (`not_before`, `id`), the primary key.
pub(crate) const FLUSH_SHORT: &str = "
    DELETE FROM countersign_revocation WHERE id IN (
        SELECT s.id FROM countersign_revocation s
        WHERE s.not_before <= $1 AND s.kind IN ('session', 'token', 'void') ORDER BY s.not_before LIMIT $2
    )";

/// Marks of which no refresh token lives either, some of them: the index of (`not_before`, `id`), the primary key. Those of changed
/// users go when they are settled.
pub(crate) const FLUSH_LONG: &str = "
    DELETE FROM countersign_revocation WHERE id IN (
        SELECT s.id FROM countersign_revocation s
        WHERE s.not_before <= $1 AND s.kind <> 'owner' ORDER BY s.not_before LIMIT $2
    )";

/// `end_reason` of sessions that ended with a change of their user.
const USER_CHANGED: &str = "user_changed";

/// What a mark is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MarkKind {
    /// All tokens of a user; the subject is Python's `str()` of the user's `USER_ID_FIELD`.
    User,
    /// Those of a user's tokens that name no session; subject as before.
    Bare,
    /// All tokens of a session; the subject is its id.
    Session,
    /// One token; the subject is its id.
    Token,
    /// All tokens there are; the subject is empty.
    All,
    /// Nothing yet: a refresh token that somebody else voided ([`Store::voided`]); the subject is the id of its row.
    Void,
}

impl MarkKind {
    const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Bare => "bare",
            Self::Session => "session",
            Self::Token => "token",
            Self::All => "all",
            Self::Void => "void",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::User, Self::Bare, Self::Session, Self::Token, Self::All, Self::Void]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// From when on which tokens are refused: those that began at that moment or before. `Debug` shows no id.
#[derive(Clone, PartialEq, Eq)]
pub struct Mark {
    /// What it is about.
    pub kind: MarkKind,
    /// Whom it is about.
    pub subject: String,
    /// Milliseconds since 1970 (UTC).
    pub not_before: i64,
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mark").field("kind", &self.kind).field("not_before", &self.not_before).finish_non_exhaustive()
    }
}

/// All that stands against a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Against {
    /// The latest mark on all tokens.
    pub all: Option<i64>,
    /// The latest mark on the user's.
    pub user: Option<i64>,
    /// The latest mark on those of the user's that name no session.
    pub bare: Option<i64>,
    /// Whether the token itself is marked.
    pub token: bool,
    /// Whether its session has ended.
    pub session: bool,
}

impl Store {
    /// Writes a mark that stands for itself, such as one on a token.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn mark(&self, mark: Mark) -> Result<(), StoreError> {
        self.driver()
            .transaction(Sharing::OneStatement, move |mut transaction| {
                Box::pin(async move { mark.insert(&mut transaction).await })
            })
            .await
    }

    /// Marks all tokens there are.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn mark_all(&self, at: Timestamp) -> Result<Mark, StoreError> {
        self.driver()
            .transaction(Sharing::Grouped, move |mut transaction| {
                Box::pin(async move {
                    let newest = transaction.query_opt(NEWEST_OF_ALL, &[], |row| row.instant_opt(0)).await?.flatten();
                    let not_before = no_earlier_than(newest, at);
                    let mark = Mark { kind: MarkKind::All, subject: String::new(), not_before };
                    mark.insert(&mut transaction).await?;
                    Ok(mark)
                })
            })
            .await
    }

    /// Blacklists every recorded token that lives, for Django to see; gives their number. In stretches of one transaction each.
    ///
    /// # Errors
    /// If the database cannot be written; the stretches before that stay done.
    pub async fn blacklist_all(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut voided = 0;
        let mut after = i64::MIN;
        while let Some(last) = self.next_stretch(after).await? {
            voided += self
                .driver()
                .transaction(Sharing::Grouped, move |mut transaction| {
                    Box::pin(async move {
                        let values = [now.into(), after.into(), last.into()];
                        let voided = transaction.execute(VOID_STRETCH, &values).await?;
                        transaction.execute(SETTLE_ALL, &[]).await?; // no session is left that these could end
                        Ok(voided)
                    })
                })
                .await?;
            after = last;
        }
        Ok(voided)
    }

    /// All that stands against a token in the database: of this user, with this id, of this session.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn against(
        &self,
        subject: Option<&str>,
        jti: Option<&str>,
        sid: Option<&str>,
    ) -> Result<Against, StoreError> {
        let without_nul = |text: Option<&str>| text.is_none_or(|text| !text.contains('\0'));
        if !without_nul(subject) || !without_nul(jti) || !without_nul(sid) {
            return Ok(Against::default());
        }
        let read = |row: &Row<'_>| {
            Ok(Against {
                all: row.integer_opt(0)?,
                user: row.integer_opt(1)?,
                bare: row.integer_opt(2)?,
                token: row.boolean(3)?,
                session: row.boolean(4)?,
            })
        };
        let found = self.driver().query_opt(AGAINST, &[subject.into(), jti.into(), sid.into()], read).await?;
        found.ok_or(StoreError::Closed)
    }

    /// What was made for a user by then has ended with a change of the user (milliseconds since 1970); `None` where nothing has, or all of
    /// it is [settled](Self::settle_owners).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn owner_mark(&self, user: &UserId) -> Result<Option<i64>, StoreError> {
        let user = user.to_string();
        let mark = self.driver().query_opt(OWNER_MARK, &[user.as_str().into()], |row| row.integer_opt(0)).await?;
        Ok(mark.flatten())
    }

    /// Writes into the rows themselves what the marks on changed users say, at most `users` of them: tokens of our own kind go,
    /// families of refresh tokens are ended. One transaction each, since the triggers that made the marks run in transactions of Django's
    /// and may not wait for these rows. Gives the number of marks.
    ///
    /// # Errors
    /// If the database cannot be written; what was settled before stays so.
    pub async fn settle_owners(&self, users: u32) -> Result<usize, StoreError> {
        let read = |row: &Row<'_>| {
            let number = |column| row.integer_opt(column).map(Option::unwrap_or_default);
            Ok((number(0)?, row.text(1)?, number(2)?))
        };
        let marks = self.driver().query(OWNER_MARKS, &[i64::from(users).into()], read).await?;
        let count = marks.len();
        for (id, user, not_before) in marks {
            self.driver()
                .transaction(Sharing::Grouped, move |mut transaction| {
                    Box::pin(async move {
                        let user = user.as_str();
                        if let (Some(after), Ok(at)) = (after_mark(not_before), Timestamp::from_millisecond(not_before))
                        {
                            let values = [at.into(), USER_CHANGED.into(), user.into(), after.into()];
                            transaction.execute(END_OLDER, &values).await?;
                            transaction.execute(DELETE_OLDER, &[user.into(), after.into()]).await?;
                        }
                        transaction.execute(UNMARK_OWNER, &[id.into()]).await.map(|_| ())
                    })
                })
                .await?;
        }
        Ok(count)
    }

    /// Deletes marks that are of no use: those on sessions and single tokens up to `short`, all others up to `long`. Gives their
    /// number.
    ///
    /// # Errors
    /// If the database cannot be written; the batches before that stay deleted.
    pub async fn flush_revocations(&self, short: Timestamp, long: Timestamp) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for (statement, until) in [(FLUSH_SHORT, short), (FLUSH_LONG, long)] {
            loop {
                let batch = self
                    .driver()
                    .transaction(Sharing::OneStatement, move |mut transaction| {
                        let values = [until.as_millisecond().into(), i64::from(BATCH).into()];
                        Box::pin(async move { transaction.execute(statement, &values).await })
                    })
                    .await?;
                deleted += batch;
                if batch < u64::from(BATCH) {
                    break;
                }
            }
        }
        Ok(deleted)
    }
}

/// Ends a user's families of refresh tokens within a transaction, or all but one, with all JSON web tokens that name no session.
pub(crate) async fn end_families_of(
    transaction: &mut Transaction<'_>,
    ending: &Ending,
    except: Option<&str>,
) -> Result<Ended, StoreError> {
    // As text, as the session has it.
    let user = ending.user.to_string();
    let newest = transaction.query_opt(NEWEST_SESSION, &[user.as_str().into()], |row| row.instant_opt(0)).await?;
    let not_before = no_earlier_than(newest.flatten(), ending.at);
    let subject = ending.subject.clone();
    let mark = match except {
        None => Mark { kind: MarkKind::User, subject, not_before },
        Some(sid) => {
            let values = [not_before.into(), user.as_str().into(), sid.into()];
            transaction.execute(MARK_OTHERS, &values).await?;
            Mark { kind: MarkKind::Bare, subject, not_before }
        }
    };
    mark.insert(transaction).await?;
    let sid = except.unwrap_or_default();
    let values = [ending.at.into(), ending.reason.into(), user.as_str().into(), sid.into()];
    let sessions = transaction.query(END_OTHERS, &values, |row| row.text(0)).await?;
    if ending.has_blacklist {
        transaction.execute(VOID_OTHERS, &[ending.at.into(), (&ending.user).into(), sid.into()]).await?;
    }
    let of_sessions = |sid: &String| Mark { kind: MarkKind::Session, subject: sid.clone(), not_before };
    let mut marks: Vec<Mark> = except.map(|_| sessions.iter().map(of_sessions).collect()).unwrap_or_default();
    marks.push(mark);
    Ok(Ended { sessions, marks })
}

/// The first instant that a mark is not about.
pub(crate) fn after_mark(not_before: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(not_before.saturating_add(1)).ok()
}

/// An expression that has the mark on an owner whose key, as text, is `user`.
pub(crate) fn owner_mark(user: &str) -> String {
    format!("(SELECT max(r.not_before) FROM countersign_revocation r WHERE r.kind = 'owner' AND r.subject = {user})")
}

/// The instant of a mark. Nodes' clocks differ: what began by a clock ahead of ours ends too.
fn no_earlier_than(newest: Option<Timestamp>, at: Timestamp) -> i64 {
    newest.map_or(at, |newest| newest.max(at)).as_millisecond()
}

impl Mark {
    /// The mark of a session that ends.
    pub fn of_session(sid: &str, at: Timestamp) -> Self {
        Self { kind: MarkKind::Session, subject: sid.to_owned(), not_before: at.as_millisecond() }
    }

    pub(crate) async fn insert(&self, transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
        let values = [self.kind.name().into(), self.subject.as_str().into(), self.not_before.into()];
        transaction.execute(MARK, &values).await.map(|_| ())
    }

    /// A mark from three columns; `None` for one of a kind that a later release writes.
    pub(crate) fn read(row: &Row<'_>, first: usize) -> Result<Option<Self>, StoreError> {
        let Some(kind) = MarkKind::of(&row.text(first)?) else { return Ok(None) };
        let not_before = row.integer_opt(first + 2)?.unwrap_or(i64::MAX);
        Ok(Some(Self { kind, subject: row.text(first + 1)?, not_before }))
    }
}
