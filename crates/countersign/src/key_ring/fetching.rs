//! When keys are fetched from `JWK_URL`: in time before they are too old, and because of an unknown key, but not often.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::KeyRing;

/// How long a request waits for keys that are being fetched because of it.
const PATIENCE: Duration = Duration::from_secs(2);
/// Keys are not fetched because of unknown names more often than this (J3). `PyJWT` 2.15 `PyJWKClient`, `cooldown_duration`.
pub const FETCH_INTERVAL: Duration = Duration::from_secs(30);

/// Between requests that meet an unknown key and the task that fetches keys.
#[derive(Debug)]
pub(super) struct Fetching {
    wanted: Notify,
    /// When the last fetch began; `None` before the first.
    begun: Mutex<Option<Instant>>,
    /// Counts the fetches that have ended.
    ended: watch::Sender<u64>,
}

impl Default for Fetching {
    fn default() -> Self {
        Self { wanted: Notify::new(), begun: Mutex::new(None), ended: watch::Sender::new(0) }
    }
}

impl Fetching {
    /// Asks for keys to be fetched, if that may be, and waits for them a while. Whether there may be new ones now.
    pub(super) async fn fetched_anew(&self) -> bool {
        let mut ended = self.ended.subscribe();
        {
            let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            if begun.is_some_and(|begun| begun.elapsed() < FETCH_INTERVAL) {
                return false;
            }
            *begun = Some(Instant::now());
        }
        self.wanted.notify_one();
        tokio::time::timeout(PATIENCE, ended.changed()).await.is_ok_and(|changed| changed.is_ok())
    }
}

impl KeyRing {
    /// Waits until keys should be fetched: `due` has passed, or a request met an unknown key [`FETCH_INTERVAL`] or more after the
    /// last fetch began. Without `JWK_URL`, for ever. From the return on a fetch is under way.
    pub async fn fetch_wanted(&self, due: Duration) {
        let Some(fetching) = &self.fetching else { return std::future::pending().await };
        tokio::select! {
            () = tokio::time::sleep(due) => {}
            () = fetching.wanted.notified() => {}
        }
        fetching.note_begin();
    }

    /// Ends the fetch that [`fetch_wanted`](Self::fetch_wanted) began, whether it brought keys or not.
    pub fn fetch_ended(&self) {
        if let Some(fetching) = &self.fetching {
            fetching.ended.send_modify(|ended| *ended += 1);
        }
    }

    /// A fetch that nobody waited for begins: the first.
    pub fn fetch_begins(&self) {
        if let Some(fetching) = &self.fetching {
            fetching.note_begin();
        }
    }
}

impl Fetching {
    fn note_begin(&self) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}
