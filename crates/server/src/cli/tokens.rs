//! `countersign drf_create_token` and `countersign flushexpiredtokens`.

use anyhow::Context as _;
use countersign::AUTHTOKEN_TABLE;
use countersign::audit::{About, Event};
use countersign::clock::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use countersign::pruning::SESSION_GRACE;
use countersign_formats::token_key::TokenKey;
use countersign_store::Store;
use jiff::Timestamp;

use super::CommandError;
use super::events::tell;
use crate::config::Config;

#[derive(clap::Args)]
pub(super) struct CreateTokenArgs {
    /// The user.
    username: String,
    /// Delete the user's token and make a new one.
    #[arg(long, short)]
    reset: bool,
}

/// DRF 3.18 `drf_create_token`.
pub(super) async fn create_token(config: &Config, args: &CreateTokenArgs) -> anyhow::Result<()> {
    let store = config.database.open_with_users().await?;
    let table = store.token_table(AUTHTOKEN_TABLE).await?;
    let username = &args.username;
    let Some(user) = store.user_by_username(username).await? else {
        return Err(CommandError(format!("Cannot create the Token: user {username} does not exist")).into());
    };
    if args.reset {
        store.token_delete(&table, &user.id).await?;
    }
    let mut random = [0; 20];
    SystemEntropy.fill(&mut random)?;
    let fresh = TokenKey::from_entropy(random);
    let key = store.token_get_or_create(&table, &user.id, &fresh, SystemClock.now(), None).await?;
    if key == fresh {
        let about = About::default().user(&user.id).account(&user.username);
        tell(config, &store, &Event::TokenIssued { by: "command" }, &about).await?;
    }
    store.close().await;
    println!("Generated token {} for user {username}", key.expose());
    Ok(())
}

/// SimpleJWT 5.5 `flushexpiredtokens`, and the same for our own tables: prints nothing.
pub(super) async fn flush_expired(config: &Config) -> anyhow::Result<()> {
    let store = config.database.open_with_users().await?;
    let now = SystemClock.now();
    flush(config, &store, now)
        .await
        .context("not all expired rows were deleted; another process may hold them: run this again")?;
    store.close().await;
    Ok(())
}

async fn flush(config: &Config, store: &Store, now: Timestamp) -> anyhow::Result<()> {
    store.flush_expired(now).await?;
    if config.settings.apps.countersign && store.migration_state().await?.has_own_tables() {
        let sessions_until = now.checked_sub(SESSION_GRACE).unwrap_or(Timestamp::MIN);
        store.flush_own(now, sessions_until).await?;
        while store.settle_owners(100).await? > 0 {}
        let (short, long) = config.settings.marks_until(now);
        store.flush_revocations(short, long).await?;
    }
    Ok(())
}
