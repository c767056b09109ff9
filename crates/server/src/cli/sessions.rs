//! `countersign sessions`: what an operator sees and ends.

use anyhow::bail;
use countersign::Authority;

use super::CommandError;
use super::session_list::{self, ListArgs};
use crate::app::token_tables;
use crate::config::Config;

#[derive(clap::Subcommand)]
pub(super) enum SessionsCommand {
    /// End the sessions of a user, one session, one token, or everything.
    End(EndArgs),
    /// List the sessions of a user: DRF token, Knox tokens, JWTs, our own tokens.
    List(ListArgs),
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct EndArgs {
    /// All sessions of this user, whatever kind, and the user's JSON web tokens that name no session.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// One session, by its id (the claim `sid`).
    #[arg(long, value_name = "SID")]
    session: Option<String>,
    /// One access token, by its id (the claim `jti`).
    #[arg(long, value_name = "JTI")]
    token: Option<String>,
    /// All sessions of everybody.
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub(super) async fn sessions(config: Config, command: &SessionsCommand) -> anyhow::Result<()> {
    let args = match command {
        SessionsCommand::List(args) => return session_list::list(config, args).await,
        SessionsCommand::End(args) => args,
    };
    let mut settings = config.settings;
    let store = config.database.open().await?;
    if !config.database.settle_sessions(&store, &config.sessions, &mut settings).await? || settings.sessions.is_none() {
        bail!("there are no sessions; run `countersign migrate`, and do not set sessions.enabled = false");
    }
    config.database.settle_events(&store, &config.audit, &mut settings).await?;
    let store = config.database.with_users(&store).await?;
    let tables = token_tables(&store, &config.resources).await?;
    let authority = Authority::builder(store.clone(), settings).token_tables(tables).build().await?;
    let told = match args {
        EndArgs { user: Some(name), .. } => {
            let Some(user) = store.user_by_username(name).await? else {
                return Err(CommandError(format!("user '{name}' does not exist")).into());
            };
            format!("Ended {} sessions of user '{name}'", authority.end_sessions(&user.id).await?)
        }
        EndArgs { session: Some(sid), .. } => {
            if !authority.end_session(sid).await? {
                return Err(CommandError("there is no such session, or it has ended".to_owned()).into());
            }
            "Ended the session".to_owned()
        }
        EndArgs { token: Some(jti), .. } => {
            authority.revoke_token(jti).await?;
            "The token is refused from now on".to_owned()
        }
        _ => format!("Ended all sessions; {} refresh tokens are void", authority.end_all_sessions().await?),
    };
    authority.flush_events().await;
    store.close().await;
    println!("{told}");
    Ok(())
}
