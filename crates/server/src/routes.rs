//! Every path of the program in one table, and what happens to paths that are not in it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use countersign::Authority;
use http::header::{CONTENT_TYPE, HeaderName, LOCATION, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};

use crate::pages;
use crate::probes::Probe;
use crate::published::Published;
use crate::security_headers::with_security_headers;
use crate::view::{View, ViewSettings};

/// The server's paths and what they share.
#[derive(Debug)]
pub(crate) struct Routes {
    pub(crate) authority: Authority,
    pub(crate) settings: ViewSettings,
    /// `APPEND_SLASH`.
    pub(crate) append_slash: bool,
    pub(crate) views: HashMap<String, View>,
    /// Views of what one more segment names, by the path before it.
    pub(crate) members: HashMap<String, View>,
    pub(crate) probes: Vec<(String, Probe)>,
    pub(crate) published: Vec<(String, Published)>,
}

/// What the last segment of a request's path names.
#[derive(Clone, Debug)]
pub(crate) struct Member(pub(crate) String);

/// What an answer carries: all of it at once.
pub(crate) type Body = Full<Bytes>;
/// What a request carries: still on its way, or read already.
pub(crate) type RequestBody = Either<Incoming, Full<Bytes>>;

impl Routes {
    /// Answers a request that came over a connection from `peer`. Paths are matched as Django matches them: percent-decoded
    /// and whole.
    pub(crate) async fn answer(
        self: Arc<Self>,
        peer: IpAddr,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let mut request = request.map(RequestBody::Left);
        Ok(match self.views.get(&*percent_decoded(request.uri().path())) {
            Some(view) => view.serve(&self.authority, &self.settings, peer, &mut request).await,
            None => Box::pin(self.answer_elsewhere(peer, &mut request)).await,
        })
    }

    /// Paths of no view, and of what one more segment names.
    async fn answer_elsewhere(&self, peer: IpAddr, request: &mut Request<RequestBody>) -> Response<Body> {
        let path = percent_decoded(request.uri().path()).into_owned();
        if let Some((_, probe)) = self.probes.iter().find(|(probed, _)| *probed == path) {
            return probe.answer(&self.authority, request.method()).await;
        }
        if let Some((_, document)) = self.published.iter().find(|(known, _)| *known == path) {
            return document.answer(&self.authority, request.method(), request.headers());
        }
        if let Some((view, name)) = self.member(&path) {
            request.extensions_mut().insert(Member(name.to_owned()));
            return view.serve(&self.authority, &self.settings, peer, request).await;
        }
        if self.append_slash && !path.ends_with('/') {
            let path = format!("{path}/");
            if self.views.contains_key(&path) || self.member(&path).is_some() {
                return redirect_to_slash(request.uri());
            }
        }
        html_page(StatusCode::NOT_FOUND, pages::NOT_FOUND)
    }

    /// The view of a path whose last segment names what it is about, and that name.
    fn member<'p>(&self, path: &'p str) -> Option<(&View, &'p str)> {
        let (before, name) = path.strip_suffix('/')?.rsplit_once('/')?;
        let view = self.members.get(&path[..=before.len()])?;
        (!name.is_empty()).then_some((view, name))
    }
}

/// `301` to the path with a slash, query kept, for every method. Django 5.2 `CommonMiddleware`, `APPEND_SLASH`.
fn redirect_to_slash(uri: &Uri) -> Response<Body> {
    let path = format!("{}/", percent_decoded(uri.path()));
    let location = crate::location::of(&path, uri.query().unwrap_or_default());
    let mut response = html_page(StatusCode::MOVED_PERMANENTLY, "");
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    // CommonMiddleware answers outside XFrameOptionsMiddleware.
    response.headers_mut().remove(X_FRAME_OPTIONS);
    response
}

/// One of Django's plain pages.
pub(crate) fn html_page(status: StatusCode, page: &'static str) -> Response<Body> {
    let mut response = with_security_headers(Response::new(Body::from(page)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// A field's value; repeated fields joined by a comma, as a WSGI server hands them over.
pub(crate) fn joined_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let first = values.next()?;
    Some(values.fold(Cow::Borrowed(first), |mut joined, value| {
        joined.to_mut().push(b',');
        joined.to_mut().extend_from_slice(value);
        joined
    }))
}

/// The path with percent-encoding undone; bytes that are not UTF-8 stay encoded and hence match nothing.
fn percent_decoded(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |offset: usize| bytes.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16));
        if bytes[at] == b'%'
            && let (Some(high), Some(low)) = (hex(1), hex(2))
        {
            out.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(path), Cow::Owned)
}
