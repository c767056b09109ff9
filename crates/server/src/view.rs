//! The request cycle of a DRF view: negotiation, authentication, permission, throttles, method, body, fields, answer; each step
//! may end the request. DRF 3.18 `APIView.dispatch`.

use std::net::IpAddr;
use std::time::Duration;

use countersign::{
    Accepted, Authority, Caller, Client, ClientAddress, Failure, Identity, Permission, Scheme, ThrottlePolicy,
};
use countersign_formats::json::{self, Object, Style, Value};
use countersign_formats::negotiation::{NegotiationError, Renderer, Selected, format_from_query, select_renderer};
use countersign_formats::request_body::{
    BodyError, CharField, Fields, Limits, Parameters, ParametersError, Parser, parse, read_fields,
};
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE, COOKIE, RETRY_AFTER, USER_AGENT, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;

use crate::client::{NumProxies, TrustedProxies};
use crate::endpoints::{Answer, Endpoint, FieldText, Visit};
use crate::oauth;
use crate::pages;
use crate::routes::{Body, RequestBody, html_page, joined_header};
use crate::security_headers::{no_store, with_security_headers};
use crate::site::Site;

/// What all views of a server share.
#[derive(Debug, Clone)]
pub(crate) struct ViewSettings {
    /// `NON_FIELD_ERRORS_KEY`.
    pub non_field_errors_key: String,
    /// `UNICODE_JSON`, `COMPACT_JSON`.
    pub style: Style,
    /// `URL_FORMAT_OVERRIDE`; `None` switches `?format=` off.
    pub format_override: Option<String>,
    /// `DATA_UPLOAD_MAX_*`.
    pub limits: Limits,
    /// How long a client may take to send a body.
    pub body_timeout: Duration,
    /// Whose word about where clients are is taken.
    pub trusted_proxies: TrustedProxies,
    /// `NUM_PROXIES`.
    pub num_proxies: NumProxies,
    /// What that word is about.
    pub site: Site,
}

/// One path's policy and work.
#[derive(Debug)]
pub(crate) struct View {
    /// What the view does.
    pub endpoint: Endpoint,
    /// Its name in OPTIONS answers and pages.
    pub name: String,
    /// Implemented methods, in DRF's order, without HEAD and OPTIONS.
    pub methods: Vec<Method>,
    /// Who may come in, tried in order.
    pub schemes: Vec<Scheme>,
    /// The challenge of a 401; `None` makes it a 403.
    pub challenge: Option<HeaderValue>,
    /// The challenge of a 401 for credentials that are refused, where it says so (RFC 6750 §3); else the same.
    pub refusal: Option<HeaderValue>,
    /// What all views accept, where this one is asked about it.
    pub accepted: Accepted,
    /// All must agree.
    pub permissions: Vec<Permission>,
    /// How often it may be asked.
    pub throttles: ThrottlePolicy,
    /// Answer formats, the preferred first.
    pub renderers: Vec<Renderer>,
    /// Body formats, in order.
    pub parsers: Vec<Parser>,
    allow: HeaderValue,
    /// The headers of most answers, JSON for a client that is not asked for its session: made once, for a copy costs less than
    /// putting them together.
    usual_headers: HeaderMap,
}

/// What became of a request before it is rendered.
struct Outcome {
    result: Result<Answer, Failure>,
    read_session: bool,
}

impl View {
    /// A view; `allow` is derived from `methods`. None is built without saying how often it may be asked (SECURITY A6).
    pub(crate) fn new(
        endpoint: Endpoint,
        name: &str,
        methods: Vec<Method>,
        throttles: ThrottlePolicy,
        renderers: Vec<Renderer>,
        parsers: Vec<Parser>,
    ) -> Self {
        let mut allow: Vec<&str> = methods.iter().map(Method::as_str).collect();
        if methods.contains(&Method::GET) {
            allow.push("HEAD");
        }
        allow.push("OPTIONS");
        let allow = HeaderValue::from_str(&allow.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"));
        let mut usual = with_security_headers(Response::new(Body::default()));
        usual.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        usual.headers_mut().insert(ALLOW, allow.clone());
        if renderers.len() > 1 {
            usual.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
        }
        Self {
            endpoint,
            name: name.to_owned(),
            methods,
            schemes: Vec::new(),
            challenge: None,
            refusal: None,
            accepted: Accepted::default(),
            permissions: Vec::new(),
            throttles,
            renderers,
            parsers,
            allow,
            usual_headers: std::mem::take(usual.headers_mut()),
        }
    }

    /// Serves one request. It stays where it is, here and below: what is handed on by value, a future holds twice.
    pub(crate) async fn serve(
        &self,
        authority: &Authority,
        settings: &ViewSettings,
        peer: IpAddr,
        request: &mut Request<RequestBody>,
    ) -> Response<Body> {
        let query_format = match (&settings.format_override, request.uri().query()) {
            (Some(name), Some(query)) => format_from_query(query, name),
            _ => Ok(None),
        };
        let Ok(query_format) = query_format else { return html_page(StatusCode::BAD_REQUEST, pages::BAD_REQUEST) };
        let accept = joined_header(request.headers(), &ACCEPT);
        match select_renderer(accept.as_deref(), query_format.as_deref(), &self.renderers) {
            Ok(selected) => {
                let outcome = self.handle(authority, settings, peer, request).await;
                self.render(settings, selected, &outcome)
            }
            Err(error) => {
                let failure = match error {
                    NegotiationError::UnknownFormat => Failure::NotFound,
                    _ => Failure::NotAcceptable,
                };
                let selected = Selected { renderer: self.renderers[0], indent: None };
                self.render(settings, selected, &Outcome { result: Err(failure), read_session: false })
            }
        }
    }

    async fn handle(
        &self,
        authority: &Authority,
        settings: &ViewSettings,
        peer: IpAddr,
        request: &mut Request<RequestBody>,
    ) -> Outcome {
        let address = settings.trusted_proxies.address_of(peer, request.headers());
        let client = ClientAddress::from(address);
        let form_token = if self.may_carry_form_token(request) {
            match Box::pin(self.form_token(settings, request)).await {
                Ok(token) => token,
                Err(failure) => return Outcome { result: Err(failure), read_session: true },
            }
        } else {
            None
        };
        let mut caller = Caller::from(client);
        if self.has_sessions() {
            let from_proxy = settings.trusted_proxies.sent(peer);
            caller = Caller {
                address: client,
                method: request.method().as_str(),
                is_secure: settings.site.is_secure(request.headers(), from_proxy),
                host: settings.site.host(request.headers(), from_proxy),
                form_token: form_token.as_ref().map(|token| token.as_str()),
            };
        }
        let authentication = authority.authenticate(&self.schemes, request.headers(), caller).await;
        let read_session = authentication.read_session;
        let result = match authentication.result {
            Ok(identity) => self.answer(authority, settings, &identity, (peer, address), request).await,
            Err(failure) => Err(failure),
        };
        Outcome { result, read_session }
    }

    /// Whether this is a form that a browser posts which may have logged in to Django.
    fn may_carry_form_token(&self, request: &Request<RequestBody>) -> bool {
        let headers = request.headers();
        if *request.method() != Method::POST || !headers.contains_key(COOKIE) {
            return false;
        }
        let content_type = joined_header(headers, &CONTENT_TYPE).map(|value| value.to_ascii_lowercase());
        let is_form = [Parser::Form, Parser::Multipart].map(Parser::media_type).into_iter().any(|media_type| {
            content_type.as_deref().is_some_and(|content_type| content_type.starts_with(media_type.as_bytes()))
        });
        is_form && self.has_sessions()
    }

    /// Whether a session's cookie lets clients in, and a CSRF check looks at how they came.
    fn has_sessions(&self) -> bool {
        self.schemes.iter().any(|scheme| matches!(scheme, Scheme::Session))
    }

    /// The CSRF token in such a form; its body is read before anybody is authenticated, and left to be read again. Django 5.2
    /// `CsrfViewMiddleware._check_token` looks at `request.POST` first.
    async fn form_token(
        &self,
        settings: &ViewSettings,
        request: &mut Request<RequestBody>,
    ) -> Result<Option<FieldText>, Failure> {
        let body = collect(request, settings, settings.limits.memory).await?;
        *request.body_mut() = RequestBody::Right(Full::new(body.clone()));
        let content_type = joined_header(request.headers(), &CONTENT_TYPE);
        let parsed = parse(content_type.as_deref(), &body, &[Parser::Form, Parser::Multipart], &settings.limits);
        let token = parsed.ok().and_then(|data| data.into_fields().ok()).and_then(|fields| {
            let field = CharField { name: "csrfmiddlewaretoken", trim: false };
            read_fields(&fields, &[field]).ok()?.pop()
        });
        Ok(token)
    }

    async fn answer(
        &self,
        authority: &Authority,
        settings: &ViewSettings,
        identity: &Identity,
        (peer, address): (IpAddr, IpAddr),
        request: &mut Request<RequestBody>,
    ) -> Result<Answer, Failure> {
        let method = request.method();
        authority.permit(&self.permissions, identity, method.as_str()).await?;
        if !self.throttles.is_unlimited() {
            let ident = settings.trusted_proxies.ident(settings.num_proxies, peer, address.into(), request.headers());
            Box::pin(authority.throttle(&self.throttles, identity, &ident)).await?;
        }
        if *method == Method::OPTIONS {
            return Ok(Answer::Json(Box::pin(self.metadata(authority, identity)).await?));
        }
        let implemented =
            self.methods.contains(method) || (*method == Method::HEAD && self.methods.contains(&Method::GET));
        if !implemented {
            return Err(Failure::MethodNotAllowed(method.to_string()));
        }
        if let Some(answer) = self.endpoint.answer_at_once(identity) {
            return Ok(answer);
        }
        // On the heap, so that the future of a check stays small: it is moved for every request.
        Box::pin(async {
            let agent = request.headers().get(USER_AGENT).cloned();
            let agent = agent.as_ref().map(HeaderValue::as_bytes);
            let mut client = Client { agent, ..Client::from(ClientAddress::from(address)) };
            if let Some(right) = self.endpoint.right() {
                let parameters = read_parameters(settings, request).await?;
                return oauth::answer(authority, right, request.headers(), &parameters, &self.accepted, client).await;
            }
            let fields = self.endpoint.fields(authority.settings());
            let (values, device_name) = match fields[..] {
                // Its view never looks at the body, so that nothing in it is refused.
                [] if self.endpoint == Endpoint::KnoxLogin => {
                    let read = self.read_body(settings, request).await.ok();
                    (Vec::new(), read.and_then(|given| text_of(&given, "device_name")))
                }
                [] => (Vec::new(), None),
                _ => {
                    let given = self.read_body(settings, request).await?;
                    let values = read_fields(&given, &fields).map_err(Failure::Fields)?;
                    if self.endpoint.may_name_client() {
                        client.registered = named_client(authority, &given, client)?;
                    }
                    (values, text_of(&given, "device_name"))
                }
            };
            let visit = Visit {
                method: request.method(),
                headers: request.headers(),
                member: request.extensions().get(),
                client,
                address,
                device_name,
                schemes: &self.schemes,
            };
            self.endpoint.answer(authority, identity, visit, values).await
        })
        .await
    }

    /// Body to fields.
    async fn read_body(&self, settings: &ViewSettings, request: &mut Request<RequestBody>) -> Result<Fields, Failure> {
        let body = collect(request, settings, settings.limits.memory).await?;
        let content_type = joined_header(request.headers(), &CONTENT_TYPE);
        let data = parse(content_type.as_deref(), &body, &self.parsers, &settings.limits).map_err(body_failure)?;
        data.into_fields().map_err(|error| Failure::NonField(error.to_string()))
    }

    /// The OPTIONS answer. DRF 3.18 `SimpleMetadata`.
    async fn metadata(&self, authority: &Authority, identity: &Identity) -> Result<Value, Failure> {
        let mut metadata = Object::new();
        metadata.set("name", self.name.as_str());
        metadata.set("description", self.endpoint.description());
        metadata.set(
            "renders",
            Value::Array(self.renderers.iter().map(|renderer| Value::from(renderer.media_type())).collect()),
        );
        metadata
            .set("parses", Value::Array(self.parsers.iter().map(|parser| Value::from(parser.media_type())).collect()));
        let form = self.endpoint.form(authority.settings());
        if !form.is_empty() && authority.permit(&self.permissions, identity, "POST").await.is_ok() {
            let mut actions = Object::new();
            actions.set("POST", Value::Object(form));
            metadata.set("actions", Value::Object(actions));
        }
        Ok(Value::Object(metadata))
    }

    fn render(&self, settings: &ViewSettings, selected: Selected, outcome: &Outcome) -> Response<Body> {
        let style = Style { indent: selected.indent, ..settings.style };
        let (status, body) = match &outcome.result {
            Ok(Answer::Empty) => return self.empty(StatusCode::NO_CONTENT, selected, outcome),
            Ok(Answer::Done) => return self.empty(StatusCode::OK, selected, outcome),
            Ok(Answer::Json(value)) => (StatusCode::OK, json::render(value, style)),
            Ok(Answer::Fixed { content_type, body }) => {
                let mut response = self.response(body.clone(), selected.renderer, outcome.read_session);
                response.headers_mut().insert(CONTENT_TYPE, content_type.clone());
                return response;
            }
            Err(Failure::BadRequestPage) => {
                return self.page(StatusCode::BAD_REQUEST, pages::BAD_REQUEST, outcome.read_session);
            }
            Err(failure) if failure.status() == 500 => {
                tracing::error!(error = failure as &dyn std::error::Error, cause = ?std::error::Error::source(failure), "request failed");
                return self.page(StatusCode::INTERNAL_SERVER_ERROR, pages::SERVER_ERROR, outcome.read_session);
            }
            Err(failure @ Failure::Store(cause)) => {
                tracing::warn!(error = cause as &dyn std::error::Error, "the database cannot be used for now");
                let overloaded = Failure::Overloaded { retry_after: Duration::ZERO };
                (self.status(failure), json::render(&overloaded.body(&settings.non_field_errors_key), style))
            }
            Err(failure) => (self.status(failure), json::render(&failure.body(&settings.non_field_errors_key), style)),
        };
        let as_page = selected.renderer == Renderer::BrowsableApi;
        let body = if as_page {
            let allow = self.allow.to_str().unwrap_or_default();
            pages::browsable(&self.name, status.as_u16(), status.canonical_reason().unwrap_or_default(), allow, &body)
        } else {
            body
        };
        let mut response = self.response(body, selected.renderer, outcome.read_session);
        *response.status_mut() = status;
        if as_page {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        }
        if status == StatusCode::UNAUTHORIZED
            && let Some(challenge) = self.challenge(outcome)
        {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
        }
        if let Some(seconds) = outcome.result.as_ref().err().and_then(Failure::retry_after) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.endpoint.answers_with_secrets() {
            no_store(&mut response);
        }
        response
    }

    /// The view's headers and nothing else.
    fn empty(&self, status: StatusCode, selected: Selected, outcome: &Outcome) -> Response<Body> {
        let mut response = self.response(String::new(), selected.renderer, outcome.read_session);
        *response.status_mut() = status;
        response.headers_mut().remove(CONTENT_TYPE);
        if status == StatusCode::OK {
            no_store(&mut response);
        }
        response
    }

    /// What a 401 names: what was wrong, if credentials were shown and the view says so.
    fn challenge(&self, outcome: &Outcome) -> Option<&HeaderValue> {
        let is_shown = !matches!(outcome.result, Err(Failure::NotAuthenticated));
        self.refusal.as_ref().filter(|_| is_shown).or(self.challenge.as_ref())
    }

    /// 401 where the first scheme has a challenge, else 403.
    fn status(&self, failure: &Failure) -> StatusCode {
        if failure.is_authentication() && self.challenge.is_none() {
            return StatusCode::FORBIDDEN;
        }
        StatusCode::from_u16(failure.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// An answer of the view, as JSON; it varies by what was looked at.
    fn response(&self, body: String, renderer: Renderer, read_session: bool) -> Response<Body> {
        let mut response = Response::new(Body::from(body));
        *response.headers_mut() = self.usual_headers.clone();
        if read_session || renderer == Renderer::BrowsableApi {
            let vary = if self.renderers.len() > 1 { "Accept, Cookie" } else { "Cookie" };
            response.headers_mut().insert(VARY, HeaderValue::from_static(vary));
        }
        response
    }

    /// A page of Django's own, which carries no headers of the view.
    #[expect(clippy::unused_self, reason = "reads as part of render")]
    fn page(&self, status: StatusCode, page: &'static str, read_session: bool) -> Response<Body> {
        let mut response = html_page(status, page);
        if read_session {
            response.headers_mut().insert(VARY, HeaderValue::from_static("Cookie"));
        }
        response
    }
}

/// A text that a request may say beside its view's fields.
fn text_of(given: &Fields, name: &str) -> Option<FieldText> {
    read_fields(given, &[CharField { name, trim: true }]).ok().and_then(|mut values| values.pop())
}

/// The id of the registered client that a login or a refresh is for. What is there and no text names none that is known.
fn named_client<'a>(authority: &'a Authority, given: &Fields, client: Client<'_>) -> Result<Option<&'a str>, Failure> {
    let said = |name: &str| given.contains(name).then(|| text_of(given, name).unwrap_or_default());
    let (id, secret) = (said("client_id"), said("client_secret"));
    let id = id.as_ref().map(|id| id.as_str());
    let named = authority.named_client(id, secret.as_ref().map(|secret| secret.as_str()), client)?;
    Ok(named.map(|client| client.id.as_str()))
}

/// The parameters of a request by a registered client.
async fn read_parameters(settings: &ViewSettings, request: &mut Request<RequestBody>) -> Result<Parameters, Failure> {
    let malformed = |error: ParametersError| Failure::InvalidRequest(error.message());
    let body = collect(request, settings, oauth::LIMITS.memory).await;
    let body = body.map_err(|_| malformed(ParametersError::TooLarge))?;
    let content_type = joined_header(request.headers(), &CONTENT_TYPE);
    Parameters::parse(content_type.as_deref(), &body, &oauth::LIMITS).map_err(malformed)
}

/// The whole body, of `most` bytes, bounded in time; none is left.
async fn collect(request: &mut Request<RequestBody>, settings: &ViewSettings, most: usize) -> Result<Bytes, Failure> {
    let body = std::mem::replace(request.body_mut(), RequestBody::Right(Full::default()));
    let limited = Limited::new(body, most);
    match tokio::time::timeout(settings.body_timeout, limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(_)) | Err(_) => Err(Failure::BadRequestPage),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function value")]
fn body_failure(error: BodyError) -> Failure {
    match (error.status(), error.detail()) {
        (415, Some(text)) => Failure::UnsupportedMediaType(text),
        (_, Some(text)) => Failure::Parse(text),
        (_, None) => Failure::BadRequestPage,
    }
}
