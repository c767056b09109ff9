//! `countersign sessions list`: where a user is logged in.

use anyhow::bail;
use countersign::{Authority, SessionInfo};
use jiff::Timestamp;

use super::CommandError;
use crate::app::token_tables;
use crate::config::Config;

#[derive(clap::Args)]
pub(super) struct ListArgs {
    /// Whose sessions.
    #[arg(long, value_name = "NAME")]
    user: String,
    /// As JSON, one array.
    #[arg(long)]
    json: bool,
}

/// Prints the sessions that live, the newest first.
pub(super) async fn list(config: Config, args: &ListArgs) -> anyhow::Result<()> {
    let mut settings = config.settings;
    let store = config.database.open_with_users().await?;
    config.database.settle_sessions(&store, &config.sessions, &mut settings).await?;
    if settings.sessions.is_none() {
        bail!("there are no sessions; run `countersign migrate`, and do not set sessions.enabled = false");
    }
    let Some(user) = store.user_by_username(&args.user).await? else {
        return Err(CommandError(format!("user '{}' does not exist", args.user)).into());
    };
    let tables = token_tables(&store, &config.resources).await?;
    let authority = Authority::builder(store.clone(), settings).token_tables(tables).build().await?;
    let sessions = authority.sessions_of(&user.id).await?;
    store.close().await;
    if args.json {
        let entries: Vec<_> = sessions.iter().map(entry).collect();
        println!("{}", serde_json::Value::from(entries));
        return Ok(());
    }
    if sessions.is_empty() {
        println!("User '{}' has no sessions.", args.user);
    }
    for session in &sessions {
        println!("{}", line(session));
    }
    Ok(())
}

fn entry(session: &SessionInfo) -> serde_json::Value {
    let moment = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string());
    serde_json::json!({
        "id": session.id,
        "kind": session.kind,
        "device_name": session.place.name,
        "user_agent": session.place.user_agent,
        "address": session.place.address,
        "created": session.created.to_string(),
        "last_seen": moment(session.last_seen),
        "expires": moment(session.expires),
    })
}

/// One session on one line; what clients said of themselves stands last.
fn line(session: &SessionInfo) -> String {
    let second = |moment: Timestamp| moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let or = |moment: Option<Timestamp>, otherwise: &str| moment.map_or_else(|| otherwise.to_owned(), second);
    let said: Vec<&str> =
        [&session.place.name, &session.place.user_agent].into_iter().flatten().map(|text| &**text).collect();
    format!(
        "{}  {:<6}  created {}  last seen {}  ends {}  {}  {}",
        session.id,
        session.kind,
        second(session.created),
        or(session.last_seen, "never"),
        or(session.expires, "never"),
        session.place.address.as_deref().unwrap_or("-"),
        said.join(", "),
    )
}
