//! `JWK_URL`: the key set of another server, fetched beside the requests and never by them.

use std::time::Duration;

use anyhow::{Context as _, bail};
use countersign::Authority;
use countersign_formats::jwt::{Algorithm, KeySet, VerifyingKey};
use tokio::time::Instant;

/// How long a set is good for. `PyJWT` 2.15 `PyJWKClient`, `lifespan`.
const LIFESPAN: Duration = Duration::from_mins(5);
/// A set is fetched again when half of its life is over, so that a short outage of the other server is not felt.
const FRESH: Duration = Duration::from_secs(150);
/// After a failure.
const RETRY: Duration = Duration::from_secs(30);
/// For connecting, asking and reading.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a set.
const MAX_BYTES: u64 = 256 * 1024;

/// Where keys are fetched, and for which algorithm.
#[derive(Clone, Debug)]
pub(crate) struct JwkUrl {
    pub url: String,
    pub algorithm: Algorithm,
}

impl JwkUrl {
    /// Fetches the set once. Failing is no reason not to start: tokens are refused until there are keys, and said so in the log.
    pub(crate) async fn begin(&self, authority: &Authority) -> Option<Instant> {
        authority.key_ring().fetch_begins();
        self.fetch(authority).await.then(Instant::now)
    }

    /// Keeps the set fresh, for ever. `fetched` is when it was fetched last.
    pub(crate) async fn keep(self, authority: Authority, mut fetched: Option<Instant>) {
        loop {
            let due = match fetched {
                Some(fetched) => FRESH.checked_sub(fetched.elapsed()).unwrap_or(RETRY),
                None => RETRY,
            };
            authority.key_ring().fetch_wanted(due).await;
            if self.fetch(&authority).await {
                fetched = Some(Instant::now());
            } else if fetched.is_some_and(|fetched| fetched.elapsed() + RETRY > LIFESPAN) {
                fetched = None;
                authority.key_ring().put_fetched(Vec::new());
                tracing::error!(url = %self.url, "the keys of JWK_URL are too old: tokens are refused until it answers");
            }
            authority.key_ring().fetch_ended();
        }
    }

    /// Whether keys were fetched, and put in their place.
    async fn fetch(&self, authority: &Authority) -> bool {
        let url = self.url.clone();
        let body = tokio::task::spawn_blocking(move || get(&url)).await.map_err(anyhow::Error::from).flatten();
        match body.and_then(|body| self.usable(&body)) {
            Ok(keys) => {
                authority.key_ring().put_fetched(keys);
                true
            }
            Err(error) => {
                tracing::warn!(url = %self.url, error = %format!("{error:#}"), "JWK_URL gave no keys");
                false
            }
        }
    }

    /// The keys of a set that have a name and are for the algorithm. Tokens must name the one they are signed with.
    fn usable(&self, body: &str) -> anyhow::Result<Vec<VerifyingKey>> {
        let set = KeySet::read(body, Some(self.algorithm)).map_err(|error| anyhow::anyhow!("the answer {error}"))?;
        let fits = |key: &VerifyingKey| key.algorithm() == self.algorithm && key.kid().is_some();
        let keys: Vec<_> = set.keys.into_iter().filter(fits).map(VerifyingKey::demanding_kid).collect();
        if keys.is_empty() {
            bail!("the answer has no key for {} that has a kid", self.algorithm);
        }
        Ok(keys)
    }
}

/// One answer: 200, no redirects, bounded in time and size.
fn get(url: &str) -> anyhow::Result<String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut response = agent.get(url).header("accept", "application/jwk-set+json, application/json").call()?;
    if response.status() != ureq::http::StatusCode::OK {
        bail!("it answered {}", response.status());
    }
    response.body_mut().with_config().limit(MAX_BYTES).read_to_string().context("its answer")
}
