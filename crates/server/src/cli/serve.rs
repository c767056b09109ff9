//! `countersign serve`.

use std::io::Write as _;

use crate::app::App;
use crate::config::Config;

/// Serves until the process is told to stop. Prints one line with the bound address when ready.
pub(super) async fn serve(config: Config) -> anyhow::Result<()> {
    super::warn(&config);
    let app = App::build(config).await?;
    let listener = app.bind().await?;
    println!("countersign listening on http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    app.serve(listener, stopped()).await;
    Ok(())
}

/// Resolves on Ctrl-C or SIGTERM.
pub(super) async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(_) => drop(interrupt.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupt.await);
}
