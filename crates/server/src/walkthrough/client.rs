//! The HTTP client: one request, one answer, whatever the status. No redirects, bounded bodies.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Method, Request, StatusCode, Uri, header};

use super::text::{clip, foreign, printable, veil};

/// Bytes of an answer that are read.
const BODY_LIMIT: u64 = 1 << 20;

/// Characters of an answer that are shown.
const SHOWN: usize = 120;

/// Talks to one server.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    base: String,
    secure: bool,
    local: bool,
}

/// An HTTP answer. Its `Debug` is not derived: bodies hold tokens.
pub(super) struct Answer {
    /// The status.
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    /// The body, if it is JSON.
    pub(super) json: Option<Value>,
}

impl Client {
    /// A client for the server at `url`, which waits `timeout` for each answer.
    ///
    /// # Errors
    /// `url` is not `http(s)://host[:port][/prefix]`.
    pub(super) fn new(url: &str, timeout: Duration) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().ok().context("--url is not a URL; give one such as http://127.0.0.1:8000")?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => bail!("--url must begin with http:// or https://"),
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            bail!("--url must not hold a user name or password; use --username and --password");
        }
        if url.contains(['?', '#']) {
            bail!("--url must end with the host or a path, without ? or #");
        }
        let local = uri.host().is_some_and(is_local);
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(timeout))
            .user_agent(concat!("countersign-walkthrough/", env!("CARGO_PKG_VERSION")));
        if local {
            config = config.proxy(None);
        }
        Ok(Self { agent: config.build().into(), base: url.trim_end_matches('/').to_owned(), secure, local })
    }

    /// The URL without a slash at its end.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Who can read what is sent.
    pub(super) fn privacy(&self) -> &'static str {
        match (self.secure, self.local) {
            (true, _) => "encrypted on the way (TLS)",
            (false, true) => "plain HTTP, within this machine",
            (false, false) => "plain HTTP: anyone on the way can read the password; use https",
        }
    }

    /// Posts a JSON body.
    ///
    /// # Errors
    /// Why there was no answer, as a sentence; never contains what was sent.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.send(Method::POST, path, None, Some(body))
    }

    /// Gets a path, with this `Authorization` header if there is one.
    ///
    /// # Errors
    /// Why there was no answer, as a sentence; never contains what was sent.
    pub(super) fn get(&self, path: &str, authorization: Option<&str>) -> Result<Answer, String> {
        self.send(Method::GET, path, authorization, None)
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        authorization: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let slash = if path.starts_with('/') { "" } else { "/" };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{slash}{path}", self.base))
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_LANGUAGE, "en");
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        let sent = match body {
            None => request.body(()).map_err(ureq::Error::from).and_then(|request| self.agent.run(request)),
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_string())
                .map_err(ureq::Error::from)
                .and_then(|request| self.agent.run(request)),
        };
        let response = sent.map_err(|error| self.why(&error))?;
        let (parts, body) = response.into_parts();
        let body = body.into_with_config().limit(BODY_LIMIT).read_to_vec().map_err(|error| self.why(&error))?;
        let json = serde_json::from_slice(&body).ok();
        Ok(Answer { status: parts.status, headers: parts.headers, body, json })
    }

    fn why(&self, error: &ureq::Error) -> String {
        match error {
            ureq::Error::Io(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => {
                format!("nothing answers at {}: is the server running?", self.base)
            }
            ureq::Error::Timeout(_) => "no answer within the time limit (--timeout)".to_owned(),
            ureq::Error::HostNotFound => format!("no such host: {}", self.base),
            ureq::Error::BodyExceedsLimit(_) => "the answer is larger than 1 MiB".to_owned(),
            ureq::Error::Http(_) => "the path or the header cannot be sent over HTTP".to_owned(),
            other => format!("no answer: {}", clip(&printable(&other.to_string()), SHOWN)),
        }
    }
}

impl Answer {
    /// Header `Content-Type`, without parameters, in lower case; empty if absent.
    pub(super) fn content_type(&self) -> String {
        self.header(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Header `WWW-Authenticate`, if present and not empty. RFC 9110 §11.6.1.
    pub(super) fn challenge(&self) -> Option<String> {
        Some(self.header(header::WWW_AUTHENTICATE)).filter(|value| !value.is_empty())
    }

    /// A member of a JSON object that is a text.
    pub(super) fn text(&self, member: &str) -> Option<&str> {
        self.json.as_ref()?.get(member)?.as_str()
    }

    /// Status number and words, such as `200 OK`.
    pub(super) fn status_line(&self) -> String {
        self.status
            .canonical_reason()
            .map_or_else(|| self.status.as_str().to_owned(), |reason| format!("{} {reason}", self.status.as_str()))
    }

    /// What the server said, fit to show: the error text of DRF, else the JSON, else the title of the page or the text.
    pub(super) fn said(&self, password: &str) -> String {
        let text = if let Some(json) = &self.json {
            let first = json.get("non_field_errors").and_then(|errors| errors.get(0));
            let error = json.get("detail").or(first).and_then(Value::as_str);
            error.map_or_else(|| self.json_text(json, password), str::to_owned)
        } else {
            let text = String::from_utf8_lossy(&self.body);
            let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
            match title {
                Some((title, _)) => format!("an HTML page: {}", title.trim()),
                None if self.content_type() == "text/html" => "an HTML page".to_owned(),
                None => text.into_owned(),
            }
        };
        clip(&printable(&veil(&text, password)).replace('\n', " "), SHOWN)
    }

    /// The JSON as the server wrote it, or written anew where a secret had to be veiled.
    fn json_text(&self, json: &Value, password: &str) -> String {
        let veiled = veiled(json, password);
        if veiled == *json { String::from_utf8_lossy(&self.body).into_owned() } else { veiled.to_string() }
    }

    /// Why an answer with this status is not the one hoped for, where the status tells; `flag` is the path's flag.
    pub(super) fn hint(&self, flag: &str) -> Option<String> {
        Some(match self.status.as_u16() {
            301 | 302 | 303 | 307 | 308 => {
                let target = foreign(&self.header(header::LOCATION), SHOWN);
                format!("redirects to {target}: check {flag}, its slash at the end, and http or https")
            }
            404 => format!("no such path on this server: set {flag}"),
            405 => format!("the path does not take this method: check {flag}"),
            429 => match self.header(header::RETRY_AFTER) {
                wait if wait.is_empty() => "throttled by the server".to_owned(),
                wait => format!("throttled by the server: try again after {} s", foreign(&wait, 20)),
            },
            500..=599 => "the server failed: see its log".to_owned(),
            _ => return None,
        })
    }

    fn header(&self, name: header::HeaderName) -> String {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
    }
}

/// The same JSON with every text veiled, before escapes can hide a secret from [`veil`].
fn veiled(json: &Value, password: &str) -> Value {
    match json {
        Value::String(text) => Value::String(veil(text, password)),
        Value::Array(items) => items.iter().map(|item| veiled(item, password)).collect(),
        Value::Object(map) => map.iter().map(|(name, value)| (veil(name, password), veiled(value, password))).collect(),
        other => other.clone(),
    }
}

fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_urls_are_refused_without_repeating_them() {
        for (url, word) in [
            ("127.0.0.1:8000", "http://"),
            ("ftp://example.org", "http://"),
            ("http://alice:hunter2@example.org", "user name"),
            ("http://example.org/?a=1", "without ?"),
            ("http://exa mple.org", "not a URL"),
        ] {
            let error = Client::new(url, Duration::from_secs(1)).unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("hunter2"), "{url}: {error}");
        }
    }

    #[test]
    fn who_can_read_along_is_told() {
        let privacy = |url| Client::new(url, Duration::from_secs(1)).unwrap().privacy();
        assert!(privacy("https://example.org").contains("TLS"));
        assert!(privacy("http://localhost:8000/").contains("within"));
        assert!(privacy("http://[::1]:8000").contains("within"));
        assert!(privacy("http://example.org/prefix").contains("anyone"));
    }
}
