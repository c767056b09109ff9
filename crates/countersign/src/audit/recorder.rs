//! Writes queued events in batches, beside the requests that caused them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign_store::{EventRow, Store, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::{About, Entry, Event, EventKind, Order, Shared};
use crate::clock::Clock;

/// How long the first event of a batch waits for others: each batch is a commit.
const GATHERING: Duration = Duration::from_millis(250);
/// Rows of one transaction: short, for others wait while it runs.
const BATCH: usize = 128;
/// How long a database that cannot be written is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// How often what was withheld is said.
const SAYING: Duration = Duration::from_mins(1);

/// The task that writes the table.
pub(super) struct Recorder {
    /// `None` where only the log is kept.
    store: Option<Store>,
    has_log: bool,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    /// Of those lost, how many have been said.
    lost_said: u64,
}

impl Recorder {
    pub(super) fn new(store: Option<Store>, has_log: bool, shared: Arc<Shared>, clock: Arc<dyn Clock>) -> Self {
        Self { store, has_log, shared, clock, lost_said: 0 }
    }

    /// Works until nobody is left who could send anything.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut say_next = Instant::now() + SAYING;
        loop {
            let flush = match timeout_at(say_next, orders.recv()).await {
                Err(_) => None,
                Ok(None) => break,
                Ok(Some(order)) => gather(order, &mut orders, &mut batch).await,
            };
            if flush.is_some() || Instant::now() >= say_next {
                say_next = Instant::now() + SAYING;
                self.say_withheld(&mut batch);
            }
            self.write(&mut batch, flush.is_some() || orders.is_closed()).await;
            if let Some(done) = flush {
                // Who waited for it may have given up.
                let _ = done.send(());
            }
        }
        self.say_withheld(&mut batch);
        self.write(&mut batch, true).await;
    }

    /// Writes a batch, however long the database cannot be written, or once if this is the last chance.
    async fn write(&mut self, batch: &mut Vec<EventRow>, is_last_chance: bool) {
        let Some(store) = self.store.clone() else { return batch.clear() };
        self.say_lost(batch);
        if batch.is_empty() {
            return;
        }
        let rows: Arc<[EventRow]> = std::mem::take(batch).into();
        loop {
            match store.record_events(Arc::clone(&rows)).await {
                Ok(()) => return,
                Err(StoreError::Busy | StoreError::Unavailable { .. }) if !is_last_chance => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    let lost = rows.iter().filter(|row| row.kind != EventKind::EventsLost.name()).count();
                    self.shared.lost.fetch_add(lost as u64, Ordering::Relaxed);
                    tracing::error!(error = &error as &dyn std::error::Error, lost, "events could not be written");
                    return;
                }
            }
        }
    }

    fn say_withheld(&self, batch: &mut Vec<EventRow>) {
        for (kind, meter) in EventKind::ALL.into_iter().zip(&self.shared.meters) {
            let count = meter.unsaid();
            if count > 0 {
                self.say(&Event::EventsWithheld { kind, count }, batch);
            }
        }
    }

    fn say_lost(&mut self, batch: &mut Vec<EventRow>) {
        let lost = self.shared.lost.load(Ordering::Relaxed);
        if lost > self.lost_said {
            self.say(&Event::EventsLost { count: lost - self.lost_said }, batch);
            self.lost_said = lost;
        }
    }

    fn say(&self, event: &Event, batch: &mut Vec<EventRow>) {
        let entry = Entry::new(event, &About::default(), self.clock.now());
        if self.has_log {
            entry.log();
        }
        batch.push(entry.into_row());
    }
}

/// Fills a batch with what comes within a short time; gives who waits for it to be written.
async fn gather(
    first: Order,
    orders: &mut mpsc::Receiver<Order>,
    batch: &mut Vec<EventRow>,
) -> Option<oneshot::Sender<()>> {
    let until = Instant::now() + GATHERING;
    let mut next = Some(first);
    while let Some(order) = next {
        match order {
            Order::Write(row) => batch.push(*row),
            Order::Flush(done) => return Some(done),
        }
        if batch.len() >= BATCH {
            break;
        }
        next = timeout_at(until, orders.recv()).await.unwrap_or_default();
    }
    None
}
