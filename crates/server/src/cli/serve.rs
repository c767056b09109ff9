//! `countersign serve`.

use std::io::Write as _;

use crate::app::App;
use crate::config::Config;

/// Serves until the process is told to stop. Prints one line with the bound address when ready.
pub(super) async fn serve(config: Config) -> anyhow::Result<()> {
    super::warn(&config);
    let stop = stop_signal()?;
    let app = Box::pin(App::build(config)).await?;
    let listener = app.bind().await?;
    println!("countersign listening on http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    // On a thread of the runtime, which goes on with each connection that it accepts; this one would hand each over.
    tokio::spawn(app.serve(listener, stop)).await?;
    Ok(())
}

/// Resolves on Ctrl-C or SIGTERM. The signals are caught from the call on, not from the first wait.
///
/// # Errors
/// The signals cannot be caught.
pub(super) fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}
