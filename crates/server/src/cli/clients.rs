//! `countersign clients`: secrets of registered clients.

use countersign::clock::{Entropy as _, SystemEntropy};
use countersign_formats::client_secret::{ClientSecret, ENTROPY};
use zeroize::Zeroizing;

#[derive(clap::Subcommand)]
pub(super) enum ClientsCommand {
    /// Make a secret for a client, and print the table that registers it.
    Secret {
        /// The client's id.
        id: String,
    },
}

/// Runs the command: nothing is stored.
pub(super) fn clients(command: &ClientsCommand) -> anyhow::Result<()> {
    let ClientsCommand::Secret { id } = command;
    let mut random = Zeroizing::new([0; ENTROPY]);
    SystemEntropy.fill(&mut *random)?;
    let secret = ClientSecret::from_entropy(&random);
    println!("# The secret, which stands nowhere else. Give it to the client:");
    println!("# {}\n", secret.expose());
    println!("[[clients]]\nid = {}", toml::Value::String(id.clone()));
    println!("secret_sha256 = \"{}\"\nmay = [\"introspect\"]", secret.digest());
    Ok(())
}
