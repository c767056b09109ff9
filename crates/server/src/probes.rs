//! What a load balancer or a supervisor asks: does the process live (`/healthz`), and can it serve (`/readyz`)? Outside DRF's request
//! cycle: no credentials, no negotiation, no cache.

use std::time::Duration;

use countersign::Authority;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Response, StatusCode};

use crate::routes::Body;

/// How long the database may take to answer a probe.
const PATIENCE: Duration = Duration::from_secs(2);

/// A question about the server itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Whether the process lives: always yes.
    Health,
    /// Whether the database answers and takes writes.
    Readiness,
}

impl Probe {
    /// 200, or 503 for a server that is not ready; the reason is logged, not told.
    pub(crate) async fn answer(self, authority: &Authority, method: &Method) -> Response<Body> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        if self == Self::Readiness && !is_ready(authority).await {
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n");
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return response;
        }
        plain(StatusCode::OK, "ok\n")
    }
}

/// Whether the database answers, soon enough for whoever asks every few seconds.
async fn is_ready(authority: &Authority) -> bool {
    match tokio::time::timeout(PATIENCE, authority.store().health()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            false
        }
        Err(_) => {
            tracing::warn!("not ready: the database does not answer");
            false
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
