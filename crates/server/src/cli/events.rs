//! `countersign events`, and what other commands add to them.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::bail;
use countersign::audit::{About, Entry, Event, EventKind, shown, steers};
use countersign::clock::{Clock as _, SystemClock};
use countersign_store::{EventFilter, EventRow, EventsOf, Store};
use jiff::Timestamp;
use serde::Serialize;

use crate::config::{Config, OwnTables, length_of};

#[derive(clap::Args)]
pub(super) struct EventsArgs {
    /// About this user alone, and about logins by this name, be there such a user or not.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Of this kind alone, as `login_failed`.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<EventKind>,
    /// Not older than this: `30m`, `12h`, `7d`.
    #[arg(long, value_name = "TIME", default_value = "1d")]
    since: String,
    /// At most so many, the latest.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: u32,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

fn kind(name: &str) -> Result<EventKind, String> {
    EventKind::of_name(name).ok_or_else(|| {
        let names: Vec<&str> = EventKind::ALL.into_iter().map(EventKind::name).collect();
        format!("kinds are {}", names.join(", "))
    })
}

/// Prints events from the table.
pub(super) async fn events(config: &Config, args: &EventsArgs) -> anyhow::Result<()> {
    let Some(length) = length_of(&args.since) else {
        bail!("--since: \"{}\" is no length of time; write for example 12h", args.since);
    };
    let store = config.database.open_with_users().await?;
    if !store.migration_state().await?.has_own_tables() {
        bail!("the database has no table for events; run `countersign migrate`");
    }
    let of = match &args.user {
        None => None,
        Some(name) => Some(EventsOf {
            user: store.user_by_username(name).await?.map(|user| user.id.to_string()),
            account: Entry::account(name).into_owned(),
        }),
    };
    let since = SystemClock.now().checked_sub(length).unwrap_or(Timestamp::MIN);
    let kind = args.kind.map(|kind| kind.name().to_owned());
    for (id, row) in store.events(&EventFilter { since, kind, of, limit: args.limit }).await? {
        println!("{}", if args.json { json(id, &row)? } else { line(&row) });
    }
    store.close().await;
    Ok(())
}

/// Adds what a command did to the table, if there is one.
pub(super) async fn tell(config: &Config, store: &Store, event: &Event, about: &About<'_>) -> anyhow::Result<()> {
    let is_wanted = config.audit != OwnTables::Off && !config.settings.audit.skip.contains(&event.kind());
    if is_wanted && store.migration_state().await?.has_own_tables() {
        let row = Entry::new(event, about, SystemClock.now()).into_row();
        store.record_events(Arc::new([row])).await?;
    }
    Ok(())
}

/// Time, kind and what there is besides. Other programs can write to the table, so nothing is printed as it stands there.
fn line(row: &EventRow) -> String {
    let mut line = format!("{:.3} {}", row.at, plain(&row.kind));
    let fields = [
        ("user", &row.user),
        ("account", &row.account),
        ("address", &row.address),
        ("session", &row.session),
        ("agent", &row.agent),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            let _ = write!(line, " {name}=\"{}\"", plain(value).replace('"', "\\\""));
        }
    }
    if let Some(detail) = &row.detail {
        let _ = write!(line, " {}", plain(detail));
    }
    line
}

/// The text, if it is as we write it; else escaped.
fn plain(text: &str) -> Cow<'_, str> {
    if steers(text) { shown(text, usize::MAX) } else { Cow::Borrowed(text) }
}

#[derive(Serialize)]
struct Shown<'r> {
    id: i64,
    at: String,
    kind: &'r str,
    user_id: Option<&'r str>,
    account: Option<&'r str>,
    address: Option<&'r str>,
    agent: Option<&'r str>,
    session: Option<&'r str>,
    detail: Option<serde_json::Value>,
}

fn json(id: i64, row: &EventRow) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&Shown {
        id,
        at: row.at.to_string(),
        kind: &row.kind,
        user_id: row.user.as_deref(),
        account: row.account.as_deref(),
        address: row.address.as_deref(),
        agent: row.agent.as_deref(),
        session: row.session.as_deref(),
        detail: row.detail.as_deref().map(serde_json::from_str).transpose()?,
    })?)
}
