//! What is published for whoever checks tokens: the public keys (RFC 7517 §5) and where to find them (RFC 8414). Outside DRF's
//! request cycle: no credentials, no negotiation; caches may keep the answers.

use std::fmt::Write as _;

use countersign::Authority;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::routes::Body;

/// As long as PyJWT's client keeps a set (2.15 `PyJWKClient`, `lifespan`). A key is published longer than that before it signs.
const CACHEABLE: &str = "public, max-age=300";

/// A document that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// The public keys of this moment.
    KeySet,
    /// The server's metadata, which do not change.
    Metadata(String),
}

/// The paths of endpoints for registered clients, where they are.
#[derive(Debug)]
pub(crate) struct ForClients<'p> {
    /// RFC 7662.
    pub(crate) introspection: Option<&'p str>,
    /// RFC 7009.
    pub(crate) revocation: Option<&'p str>,
}

impl Published {
    /// The metadata (RFC 8414 §2) of the server that `issuer` names. It has no OAuth grants.
    pub(crate) fn metadata(issuer: &str, key_set_path: Option<&str>, for_clients: &ForClients<'_>) -> Self {
        let base = issuer.trim_end_matches('/');
        let mut document = serde_json::json!({
            "issuer": issuer,
            "response_types_supported": [],
            "grant_types_supported": [],
            "token_endpoint_auth_methods_supported": ["none"],
        });
        if let Some(path) = key_set_path {
            document["jwks_uri"] = format!("{base}{path}").into();
        }
        let endpoints = [("introspection", for_clients.introspection), ("revocation", for_clients.revocation)];
        for (name, path) in endpoints.into_iter().filter_map(|(name, path)| Some((name, path?))) {
            document[format!("{name}_endpoint")] = format!("{base}{path}").into();
            document[format!("{name}_endpoint_auth_methods_supported")] =
                serde_json::json!(["client_secret_basic", "client_secret_post"]);
        }
        Self::Metadata(document.to_string())
    }

    /// 200 with the document, or 304 for a client that has it.
    pub(crate) fn answer(&self, authority: &Authority, method: &Method, headers: &HeaderMap) -> Response<Body> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut response = Response::new(Body::from("method not allowed\n"));
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let (text, content_type) = match self {
            Self::KeySet => (authority.key_ring().current().key_set().to_owned(), "application/jwk-set+json"),
            Self::Metadata(text) => (text.clone(), "application/json"),
        };
        let tag = tag_of(&text);
        let mut response = Response::new(Body::default());
        let is_known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
            value
                .split(',')
                .map(|known| known.trim().trim_start_matches("W/"))
                .any(|known| known == "*" || known == tag)
        });
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *response.body_mut() = Body::from(text);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(CACHEABLE));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

/// The document's digest, the same on every node: 128 bits of SHA-256, in quotes.
fn tag_of(text: &str) -> String {
    let mut tag = String::from("\"");
    for byte in &Sha256::digest(text)[..16] {
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}
