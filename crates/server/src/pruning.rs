//! The task that deletes expired rows while the server runs.

use std::time::Duration;

use countersign::Authority;
use countersign::clock::{Entropy as _, SystemEntropy};
use countersign::pruning::{PruneCounts, Pruner};

use crate::config::Pruning;

/// The first round begins within this: nodes that start together are not to begin together.
const LONGEST_DELAY: Duration = Duration::from_mins(5);

/// Prunes, round by round, until it is dropped.
pub(crate) async fn prune(authority: Authority, pruning: Pruning) {
    let Pruning { interval, settings } = pruning;
    let mut pruner = Pruner::new(authority, settings);
    tokio::time::sleep(some_of(interval.min(LONGEST_DELAY))).await;
    loop {
        match pruner.round().await {
            Ok(PruneCounts { outstanding, knox, django_sessions, own, gave_way, longest, .. }) => {
                let longest_ms = longest.as_millis();
                tracing::info!(
                    outstanding,
                    knox,
                    django_sessions,
                    own,
                    gave_way,
                    longest_ms,
                    "expired rows were deleted"
                );
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "expired rows could not be deleted; later again"
                );
            }
        }
        tokio::time::sleep(interval).await;
    }
}

/// A random part of a length.
fn some_of(length: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness, the whole.
    let part = SystemEntropy.fill(&mut byte).map_or(255, |()| u32::from(byte[0]));
    length * part / 255
}
