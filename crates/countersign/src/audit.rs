//! What happened to logins, tokens and sessions, for who runs the server: one event of a fixed kind each, as a line of the log
//! and as a row of `countersign_event`. Never a secret, and nothing that a client wrote but bounded and escaped (SECURITY S2).
//!
//! A row is queued and written in the background, so that no answer waits for it; the end of a session is written with what ended
//! it. What anybody can cause as often as they like is bounded in its rate, and what is held back is counted.

mod allowance;
mod event;
mod kind;
mod recorder;
mod refusals;
mod shown;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_store::{EventRow, Store, UserId};
use jiff::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::client::{Client, ClientAddress};
use crate::clock::Clock;
use crate::settings::AuditSettings;

use allowance::Meter;
pub use event::{Event, LoginRefusal, LoginWay};
pub use kind::EventKind;
use recorder::Recorder;
pub use shown::{shown, steers};

/// Characters of a name that are kept; Django's own column has room for as many.
const ACCOUNT_LENGTH: usize = 150;
/// Characters of a `User-Agent` that are kept.
const AGENT_LENGTH: usize = 256;

/// Whom an event is about, as far as is known.
#[derive(Clone, Debug, Default)]
pub struct About<'a> {
    user: Option<String>,
    account: Option<Cow<'a, str>>,
    address: ClientAddress,
    agent: Option<Cow<'a, [u8]>>,
    session: Option<Cow<'a, str>>,
}

impl<'a> About<'a> {
    /// Nobody is known but the client.
    #[must_use]
    pub fn client(client: Client<'a>) -> Self {
        // An escaped character has four bytes at most, and what is beyond the last one shown is never looked at.
        let agent = client.agent.map(|agent| agent.get(..4 * (AGENT_LENGTH + 1)).unwrap_or(agent).into());
        Self { address: client.address, agent, ..Self::default() }
    }

    /// The user's key.
    #[must_use]
    pub fn user(mut self, id: &UserId) -> Self {
        self.user = Some(id.to_string());
        self
    }

    /// The user's key as a token has it.
    #[must_use]
    pub(crate) fn claimed_user(mut self, id: Option<&str>) -> Self {
        self.user = id.map(|id| shown(id, ACCOUNT_LENGTH).into_owned());
        self
    }

    /// The name that was given, whether or not there is such a user.
    #[must_use]
    pub fn account(mut self, name: &'a str) -> Self {
        self.account = Some(name.into());
        self
    }

    /// The session's id.
    #[must_use]
    pub fn session(mut self, sid: &'a str) -> Self {
        self.session = Some(sid.into());
        self
    }

    /// The same, to be told later.
    pub(crate) fn into_static(self) -> About<'static> {
        About {
            user: self.user,
            account: self.account.map(|name| Cow::Owned(name.into_owned())),
            address: self.address,
            agent: self.agent.map(|agent| Cow::Owned(agent.into_owned())),
            session: self.session.map(|sid| Cow::Owned(sid.into_owned())),
        }
    }
}

/// An event that is ready to be told.
#[derive(Debug)]
pub struct Entry {
    kind: EventKind,
    row: EventRow,
}

impl Entry {
    /// An event about somebody, with all texts bounded and escaped.
    #[must_use]
    pub fn new(event: &Event, about: &About<'_>, at: Timestamp) -> Self {
        let kind = event.kind();
        let bounded = |text: &str, length| shown(text, length).into_owned();
        let row = EventRow {
            at,
            kind: kind.name().into(),
            user: about.user.clone(),
            account: about.account.as_deref().map(|name| bounded(name, ACCOUNT_LENGTH)),
            address: about.address.ip().map(|address| address.to_string()),
            agent: about.agent.as_deref().map(|agent| bounded(&String::from_utf8_lossy(agent), AGENT_LENGTH)),
            session: about.session.as_deref().map(|sid| bounded(sid, ACCOUNT_LENGTH)),
            detail: event.detail(),
        };
        Self { kind, row }
    }

    /// A name as rows have it.
    #[must_use]
    pub fn account(name: &str) -> Cow<'_, str> {
        shown(name, ACCOUNT_LENGTH)
    }

    /// Its line in the log.
    pub(crate) fn log(&self) {
        self.kind.log(&self.row);
    }

    /// Its row.
    #[must_use]
    pub fn into_row(self) -> EventRow {
        self.row
    }
}

/// What became of events so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EventStats {
    /// Told: logged, written or queued, as the settings have it.
    pub told: u64,
    /// Held back, because there were too many of their kind.
    pub withheld: u64,
    /// Lost on the way to the table: the queue was full, or the database took too long.
    pub lost: u64,
}

/// Takes events and sees to it that they are told.
pub(crate) struct Audit {
    settings: AuditSettings,
    queue: Option<mpsc::Sender<Order>>,
    shared: Arc<Shared>,
}

/// What the recorder of the table knows as well.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    told: AtomicU64,
    lost: AtomicU64,
    meters: [Meter; EventKind::ALL.len()],
}

/// What stands in the queue.
#[derive(Debug)]
enum Order {
    Write(Box<EventRow>),
    /// Say so when all before this is written or given up.
    Flush(oneshot::Sender<()>),
}

impl Audit {
    /// Takes events from now on; rows are written by a task of its own while there is a Tokio runtime.
    pub(crate) fn start(settings: &AuditSettings, store: &Store, clock: &Arc<dyn Clock>) -> Self {
        let shared = Arc::new(Shared::default());
        let is_told = settings.table || settings.log;
        let runtime = tokio::runtime::Handle::try_current().ok().filter(|_| is_told);
        let queue = runtime.map(|runtime| {
            let (queue, orders) = mpsc::channel(settings.queue.max(1));
            let store = settings.table.then(|| store.clone());
            let recorder = Recorder::new(store, settings.log, Arc::clone(&shared), Arc::clone(clock));
            runtime.spawn(recorder.run(orders));
            queue
        });
        Self { settings: settings.clone(), queue, shared }
    }

    /// Tells an event, unless its kind is left out or there were too many of them.
    pub(crate) fn tell(&self, event: &Event, about: &About<'_>, at: Timestamp) {
        let Some(entry) = self.entry(event, about, at) else { return };
        if self.settings.log {
            entry.log();
        }
        self.enqueue(entry.into_row());
    }

    /// The event as it is to be told, where what it tells of is written in a transaction: its row goes along
    /// ([`rows`](Self::rows)), and its line follows ([`committed`](Self::committed)).
    pub(crate) fn entry(&self, event: &Event, about: &About<'_>, at: Timestamp) -> Option<Entry> {
        let kind = event.kind();
        if !(self.settings.log || self.settings.table) || self.settings.skip.contains(&kind) {
            return None;
        }
        if !self.shared.meters[kind as usize].admits(kind.allowance(), at) {
            return None;
        }
        self.shared.told.fetch_add(1, Ordering::Relaxed);
        Some(Entry::new(event, about, at))
    }

    /// The rows to be written along with what they tell of.
    pub(crate) fn rows(&self, entries: &[Entry]) -> Vec<EventRow> {
        if !self.settings.table {
            return Vec::new();
        }
        entries.iter().map(|entry| entry.row.clone()).collect()
    }

    /// What the entries tell of is committed, with their rows.
    pub(crate) fn committed(&self, entries: &[Entry]) {
        if self.settings.log {
            entries.iter().for_each(Entry::log);
        }
    }

    /// The same of one of several sessions that an entry is about.
    pub(crate) fn committed_for(&self, told: Option<&Entry>, sid: &str) {
        if let Some(Entry { kind, row }) = told.filter(|_| self.settings.log) {
            kind.log(&EventRow { session: Some(sid.to_owned()), ..row.clone() });
        }
    }

    /// Waits until all that was told before is written, or given up.
    pub(crate) async fn flush(&self) {
        let Some(queue) = &self.queue else { return };
        let (done, is_done) = oneshot::channel();
        if queue.send(Order::Flush(done)).await.is_ok() {
            // An error means that the recorder has ended, as it does with its runtime.
            let _ = is_done.await;
        }
    }

    pub(crate) fn stats(&self) -> EventStats {
        EventStats {
            told: self.shared.told.load(Ordering::Relaxed),
            withheld: self.shared.meters.iter().map(Meter::withheld).sum(),
            lost: self.shared.lost.load(Ordering::Relaxed),
        }
    }

    fn enqueue(&self, row: EventRow) {
        if !self.settings.table {
            return;
        }
        let queued = self.queue.as_ref().map(|queue| queue.try_send(Order::Write(Box::new(row))));
        match queued {
            Some(Ok(())) => {}
            None | Some(Err(TrySendError::Full(_) | TrySendError::Closed(_))) => {
                self.shared.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests;
