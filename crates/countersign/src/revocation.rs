//! Which valid tokens are refused: marks on users, sessions and single tokens, kept in memory and fed from the database
//! (`docs/sessions.md`). A check reads no more than two atomics while there are no marks, and never waits for a write.
//!
//! What is known is never older than `max_staleness`: each read of the database vouches for the time since it began, on a stopwatch that
//! no clock change moves. Where the last one is longer ago, a check waits for the next, and is refused if that fails.

use std::hash::{BuildHasher as _, Hash};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use countersign_store::{Against, IdType, Mark, MarkKind, StoreError, UserId};
use foldhash::quality::RandomState;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::settings::{SessionSettings, WhenFeedLost};

mod check;
mod feed;
mod marks;
mod request;
mod voided;

pub(crate) use check::{has_begun_by, is_refused, made_at};
use marks::{Key, Marks};

/// How long after a mark can have met its last token it is kept, for clocks that are wrong.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);
/// The least time for which a check waits for news.
const PATIENCE: Duration = Duration::from_secs(1);

/// See the [module](self).
pub(crate) struct Revocations {
    marks: ArcSwap<Marks>,
    has_marks: AtomicBool,
    /// Until when what is known is fresh: nanoseconds on the stopwatch.
    fresh_until: AtomicU64,
    stopwatch: Instant,
    /// Held by whoever replaces the marks.
    replacing: Mutex<()>,
    hasher: RandomState,
    /// What `USER_ID_FIELD` is.
    id_type: IdType,
    /// How old a token can be whose marks are all in memory.
    horizon: SignedDuration,
    max_staleness: Duration,
    when_lost: WhenFeedLost,
    /// How often was read, and whether the last read failed.
    reads: watch::Sender<Reads>,
    /// Somebody waits for news.
    wanted: Arc<Notify>,
    feeding: Mutex<Option<AbortHandle>>,
    /// What Django voided, until it is judged.
    voided: voided::Waiting,
}

#[derive(Clone, Copy, Debug, Default)]
struct Reads {
    failed: bool,
}

/// A user as tokens name it, whichever way it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject<'s> {
    Number(i64),
    Uuid(u128),
    Text(&'s str),
}

/// Marks that are put in together, for that copies all that came since they were last settled.
#[derive(Default)]
struct Batch {
    all: Option<i64>,
    keyed: Vec<(Key, i64)>,
}

/// How many marks are held, and in how many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevocationStats {
    /// Marks on users, sessions and tokens.
    pub marks: usize,
    /// Bytes that they take.
    pub bytes: usize,
}

/// What is known may be old, and the database does not say more.
#[derive(Debug, thiserror::Error)]
#[error("which sessions have ended is not known since the database was last read; tokens are refused until it can be")]
struct Behind;

impl Revocations {
    fn new(settings: &SessionSettings, id_type: IdType, lifetime: SignedDuration) -> Self {
        Self {
            marks: ArcSwap::default(),
            has_marks: AtomicBool::new(false),
            fresh_until: AtomicU64::new(0),
            stopwatch: Instant::now(),
            replacing: Mutex::new(()),
            hasher: RandomState::default(),
            id_type,
            horizon: lifetime,
            max_staleness: settings.max_staleness,
            when_lost: settings.when_feed_lost,
            reads: watch::Sender::new(Reads::default()),
            wanted: Arc::default(),
            feeding: Mutex::new(None),
            voided: voided::Waiting::default(),
        }
    }

    /// Whether what is known at this moment is known closely enough.
    fn is_fresh(&self) -> bool {
        self.is_fresh_at(self.stopwatch.elapsed())
    }

    fn is_fresh_at(&self, elapsed: Duration) -> bool {
        nanoseconds(elapsed) <= self.fresh_until.load(Ordering::Acquire)
    }

    /// Everything committed before `elapsed` is known.
    fn vouch(&self, elapsed: Duration) {
        self.fresh_until.store(nanoseconds(elapsed + self.max_staleness), Ordering::Release);
        self.reads.send_modify(|reads| reads.failed = false);
    }

    /// Waits until what is known is fresh.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be made so, unless the settings say to go on.
    async fn catch_up(&self) -> Result<(), StoreError> {
        let mut reads = self.reads.subscribe();
        let news = async {
            loop {
                if self.is_fresh() {
                    return true;
                }
                if reads.borrow_and_update().failed {
                    return false;
                }
                self.wanted.notify_one();
                if reads.changed().await.is_err() {
                    return false;
                }
            }
        };
        let is_fresh = tokio::time::timeout(self.max_staleness.max(PATIENCE), news).await.unwrap_or(false);
        match self.when_lost {
            WhenFeedLost::Refuse if !is_fresh => Err(StoreError::Unavailable { cause: Arc::new(Behind) }),
            _ => Ok(()),
        }
    }

    /// Takes marks in: at once, also before they come back from the database.
    pub(crate) fn add(&self, marks: &[Mark]) {
        let mut batch = Batch::default();
        self.collect(marks, &mut batch);
        self.put(&batch);
    }

    /// Adds marks to a batch, and what somebody else voided to what waits.
    fn collect(&self, marks: &[Mark], batch: &mut Batch) {
        let voided = marks.iter().filter(|mark| mark.kind == MarkKind::Void);
        let mut voided = voided.filter_map(|mark| mark.subject.parse().ok()).peekable();
        if voided.peek().is_some() {
            self.voided.add(voided);
        }
        for mark in marks {
            match mark.kind {
                MarkKind::Void => {}
                MarkKind::All => batch.all = batch.all.max(Some(mark.not_before)),
                _ => batch.keyed.push((self.key_of(mark), mark.not_before)),
            }
        }
    }

    fn put(&self, batch: &Batch) {
        if batch.all.is_none() && batch.keyed.is_empty() {
            return;
        }
        let _alone = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        self.marks.store(Arc::new(self.marks.load().with(batch.all, &batch.keyed)));
        self.has_marks.store(true, Ordering::Release);
    }

    /// What stands in memory against a token.
    fn against(&self, marks: &Marks, user: Option<Subject<'_>>, jti: Option<&str>, sid: Option<&str>) -> Against {
        let hash = user.map(|user| self.hasher.hash_one(user));
        let [user, bare] = [MarkKind::User, MarkKind::Bare].map(|kind| Some(Key::of(kind, hash?)));
        let token = jti.map(|jti| self.key(MarkKind::Token, jti));
        let session = sid.map(|sid| self.key(MarkKind::Session, sid));
        let none = Against { all: marks.all(), ..Against::default() };
        // What goes for the one kind of user's marks goes for the other.
        if !marks.may_have_any(&[user, token, session]) {
            return none;
        }
        let found = |key: Option<Key>| key.and_then(|key| marks.get(key));
        Against {
            user: found(user),
            bare: found(bare),
            token: found(token).is_some(),
            session: found(session).is_some(),
            ..none
        }
    }

    fn key_of(&self, mark: &Mark) -> Key {
        match mark.kind {
            MarkKind::User | MarkKind::Bare => match self.id_type.parse(&mark.subject) {
                Some(UserId::Integer(id)) => self.key(mark.kind, Subject::Number(id)),
                Some(UserId::Uuid(id)) => self.key(mark.kind, Subject::Uuid(id)),
                _ => self.key(mark.kind, Subject::Text(&mark.subject)),
            },
            _ => self.key(mark.kind, &*mark.subject),
        }
    }

    fn key(&self, kind: MarkKind, subject: impl Hash) -> Key {
        Key::of(kind, self.hasher.hash_one(subject))
    }

    pub(crate) fn stats(&self) -> RevocationStats {
        let marks = self.marks.load();
        RevocationStats { marks: marks.len(), bytes: marks.bytes() }
    }
}

impl Drop for Revocations {
    fn drop(&mut self) {
        if let Some(feeding) = self.feeding.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            feeding.abort();
        }
    }
}

/// The instant before which no token begins that could still be accepted, in milliseconds.
fn oldest_of_use(now: Timestamp, horizon: SignedDuration) -> i64 {
    let margin = horizon.saturating_add(MARGIN);
    now.checked_sub(margin).map_or(i64::MIN, Timestamp::as_millisecond)
}

fn nanoseconds(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
