use std::sync::Arc;

use countersign_store::{DatabaseUrl, EventFilter, InstalledApps, StoreOptions};

use super::*;
use crate::testing::FixedClock;

const NOW: i64 = 1_750_000_000;

async fn fixture(settings: AuditSettings) -> (Audit, Store) {
    let url: DatabaseUrl = "sqlite::memory:".parse().expect("an address");
    let store = Store::open(&url, StoreOptions::default()).await.expect("opened");
    let now = Timestamp::from_second(NOW).expect("in range");
    store.migrate(&InstalledApps::default(), now).await.expect("migrated");
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(now));
    (Audit::start(&settings, &store, &clock), store)
}

fn settings(queue: usize) -> AuditSettings {
    AuditSettings { log: false, table: true, skip: Vec::new(), queue }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).expect("in range")
}

async fn told(store: &Store) -> Vec<String> {
    let filter = EventFilter { since: Timestamp::MIN, kind: None, of: None, limit: 10_000 };
    let events = store.events(&filter).await.expect("read");
    events.into_iter().map(|(_, row)| format!("{} {}", row.kind, row.detail.unwrap_or_default())).collect()
}

#[tokio::test]
async fn a_queue_that_is_full_loses_and_counts() {
    let (audit, store) = fixture(settings(10)).await;
    // Nothing is awaited, so the recorder has no turn.
    for seconds in 0..25 {
        audit.tell(&Event::PasswordUpgraded, &About::default(), at(seconds));
    }
    assert_eq!(audit.stats(), EventStats { told: 25, withheld: 0, lost: 15 });
    audit.flush().await;
    let told = told(&store).await;
    assert_eq!(told.len(), 11);
    assert_eq!(told.iter().filter(|event| *event == "password_upgraded ").count(), 10);
    assert!(told.contains(&"events_lost {\"count\":15}".to_owned()), "{told:?}");
    audit.flush().await;
    assert_eq!(audit.stats().lost, 15, "and is said once");
}

#[tokio::test]
async fn a_flush_waits_for_all_that_came_before() {
    let (audit, store) = fixture(settings(4096)).await;
    for seconds in 0..1000 {
        audit.tell(&Event::LoginFailed { reason: LoginRefusal::WrongPassword }, &About::default(), at(seconds));
    }
    audit.flush().await;
    assert_eq!(told(&store).await.len(), 1000);
}

#[tokio::test]
async fn what_is_written_elsewhere_is_not_queued() {
    let (audit, store) = fixture(settings(10)).await;
    let entry = audit.entry(&Event::SessionEnded { reason: "logout" }, &About::default(), at(0)).expect("told");
    let rows = audit.rows(std::slice::from_ref(&entry));
    assert_eq!(rows.len(), 1);
    audit.committed(&[entry]);
    audit.flush().await;
    assert_eq!(told(&store).await, [""; 0]);
}

#[tokio::test]
async fn a_database_that_takes_no_writes_loses_events_and_not_the_program() {
    let (audit, store) = fixture(settings(10)).await;
    store.close().await;
    audit.tell(&Event::PasswordUpgraded, &About::default(), at(0));
    audit.flush().await;
    assert_eq!(audit.stats().lost, 1);
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    for kind in EventKind::ALL {
        assert_eq!(EventKind::of_name(kind.name()), Some(kind));
    }
}

/// SECURITY S2: what is logged is one line, and a value cannot end its quotes.
#[test]
fn s2_a_line_stays_a_line() {
    use std::fmt::Write as _;
    use std::sync::Mutex;

    use tracing::field::{Field, Visit};

    #[derive(Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);
    struct Line(String);
    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            let _ = write!(self.0, " {field}={value:?}");
        }
    }
    impl tracing::Subscriber for Lines {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            self.0.lock().expect("no panic").push(line.0);
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    let lines = Lines::default();
    let seen = Arc::clone(&lines.0);
    let client =
        Client { agent: Some(b"x\" event=\"login\r\n\x1b[2J"), ..ClientAddress::new([192, 0, 2, 1].into()).into() };
    let event = Event::LoginFailed { reason: LoginRefusal::UnknownUser };
    tracing::subscriber::with_default(lines, || {
        Entry::new(&event, &About::client(client).account("a\u{202e}\"b"), at(0)).log();
    });
    let seen = seen.lock().expect("no panic");
    assert_eq!(
        seen[..],
        [concat!(
            "INFO message=a login was refused event=\"login_failed\" account=\"a\\u{202e}\\\"b\" address=192.0.2.1 ",
            "agent=\"x\\\" event=\\\"login\\r\\n\\u{1b}[2J\" detail={\"reason\":\"unknown_user\"}"
        )]
    );
}
