//! `countersign sessions`: what an operator sees of sessions.

use super::session_list::{self, ListArgs};
use crate::config::Config;

#[derive(clap::Subcommand)]
pub(super) enum SessionsCommand {
    /// List the sessions of a user: DRF token, Knox tokens, JWTs, our own tokens.
    List(ListArgs),
}

/// Runs the command.
pub(super) async fn sessions(config: Config, command: &SessionsCommand) -> anyhow::Result<()> {
    let SessionsCommand::List(args) = command;
    session_list::list(config, args).await
}
