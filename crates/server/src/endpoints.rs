//! What each path does once the request has passed its policy: field values in, a JSON value or a refusal out.

use std::net::IpAddr;

use countersign::{Authority, Client, ClientRight, Credentials, Failure, Identity, Scheme, SessionInfo, Settings};
use countersign_formats::drf_datetime::DateTimeFormat;
use countersign_formats::json::{Object, Value};
use countersign_formats::password::Password;
use countersign_formats::request_body::CharField;
use countersign_store::Place;
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::routes::Member;

/// A field's text, erased from memory when dropped: it may be a password or a token.
pub(crate) type FieldText = Zeroizing<String>;

/// The work behind a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Endpoint {
    /// DRF 3.18 `ObtainAuthToken`.
    ObtainAuthToken,
    /// SimpleJWT 5.5 `TokenObtainPairView`.
    TokenObtainPair,
    /// SimpleJWT 5.5 `TokenRefreshView`.
    TokenRefresh,
    /// SimpleJWT 5.5 `TokenVerifyView`.
    TokenVerify,
    /// SimpleJWT 5.5 `TokenBlacklistView`.
    TokenBlacklist,
    /// SimpleJWT 5.5 `TokenObtainSlidingView`.
    TokenObtainSliding,
    /// SimpleJWT 5.5 `TokenRefreshSlidingView`.
    TokenRefreshSliding,
    /// django-rest-knox 5.1 `LoginView`.
    KnoxLogin,
    /// django-rest-knox 5.1 `LogoutView`.
    KnoxLogout,
    /// django-rest-knox 5.1 `LogoutAllView`.
    KnoxLogoutAll,
    /// Gives out a token of our own kind.
    NativeLogin,
    /// Ends the one shown.
    NativeLogout,
    /// Lists the user's sessions, or ends all of them.
    Sessions,
    /// Ends one session.
    EndSession,
    /// Ends all sessions of the user.
    LogoutEverywhere {
        /// All but the one that the client shows.
        but_here: bool,
    },
    /// Says what a token is worth, to registered clients.
    Introspect,
    /// Ends a token for a registered client.
    Revoke,
    /// Says who the client is.
    Whoami,
    /// A declared resource with an answer of its own.
    Fixed {
        /// The answer's type.
        content_type: HeaderValue,
        /// The answer's body.
        body: String,
    },
}

/// A successful answer: status 200, or 204 without content.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Nothing to say.
    Empty,
    /// Nothing to say, with status 200 (RFC 7009 §2.2).
    Done,
    /// Rendered in the format the client accepts.
    Json(Value),
    /// Sent as it is.
    Fixed {
        /// Its type.
        content_type: HeaderValue,
        /// Its body.
        body: String,
    },
}

impl Endpoint {
    /// The fields the body must have, in the order of DRF's serializers. A password is trimmed by SimpleJWT and not by DRF, and only
    /// SimpleJWT calls the name what the user model calls it.
    pub(crate) fn fields<'s>(&self, settings: &'s Settings) -> Vec<CharField<'s>> {
        let field = |name, trim| CharField { name, trim };
        match self {
            Self::ObtainAuthToken => vec![field("username", true), field("password", false)],
            Self::TokenObtainPair | Self::TokenObtainSliding | Self::NativeLogin => {
                vec![field(&settings.username_field, true), field("password", true)]
            }
            Self::TokenRefresh | Self::TokenBlacklist => vec![field("refresh", true)],
            Self::TokenVerify | Self::TokenRefreshSliding => vec![field("token", true)],
            Self::KnoxLogin
            | Self::KnoxLogout
            | Self::KnoxLogoutAll
            | Self::NativeLogout
            | Self::Sessions
            | Self::EndSession
            | Self::LogoutEverywhere { .. }
            | Self::Introspect
            | Self::Revoke
            | Self::Whoami
            | Self::Fixed { .. } => Vec::new(),
        }
    }

    /// What a registered client has to be allowed to do who asks for this; `None` where users ask.
    pub(crate) fn right(&self) -> Option<ClientRight> {
        match self {
            Self::Introspect => Some(ClientRight::Introspect),
            Self::Revoke => Some(ClientRight::Revoke),
            _ => None,
        }
    }

    /// Whether a request may say for which registered client tokens are to be: a login, or a refresh.
    pub(crate) fn may_name_client(&self) -> bool {
        matches!(
            self,
            Self::TokenObtainPair | Self::TokenRefresh | Self::TokenObtainSliding | Self::TokenRefreshSliding
        )
    }

    /// The answer of a view that only says what is known already; `None` where there is [work](Self::answer) to do.
    pub(crate) fn answer_at_once(&self, identity: &Identity) -> Option<Answer> {
        match self {
            Self::Whoami => {
                let mut body = Object::new();
                body.set("user_id", identity.user_id());
                body.set("username", identity.username());
                body.set("auth", identity.scheme.map_or(Value::Null, Value::from));
                Some(Answer::Json(Value::Object(body)))
            }
            Self::Fixed { content_type, body } => {
                Some(Answer::Fixed { content_type: content_type.clone(), body: body.clone() })
            }
            _ => None,
        }
    }

    /// Does the work. `values` are those of [`fields`](Self::fields), in that order.
    pub(crate) async fn answer(
        &self,
        authority: &Authority,
        identity: &Identity,
        visit: Visit<'_>,
        values: Vec<FieldText>,
    ) -> Result<Answer, Failure> {
        let client = visit.client;
        let mut values = values.into_iter();
        let mut next = || values.next().unwrap_or_default();
        let mut body = Object::new();
        match self {
            Self::ObtainAuthToken => {
                let key = authority.obtain_auth_token(visit.credentials(&next(), &next())).await?;
                body.set("token", key.expose());
            }
            Self::TokenObtainPair => {
                let pair = authority.obtain_pair(visit.credentials(&next(), &next())).await?;
                body.set("refresh", pair.refresh);
                body.set("access", pair.access);
            }
            Self::TokenRefresh => {
                let refreshed = authority.refresh(&next(), client).await?;
                body.set("access", refreshed.access);
                if let Some(refresh) = refreshed.refresh {
                    body.set("refresh", refresh);
                }
            }
            Self::TokenVerify => authority.verify(&next(), client).await?,
            Self::TokenBlacklist => authority.blacklist(&next(), client).await?,
            Self::TokenObtainSliding => {
                body.set("token", authority.obtain_sliding(visit.credentials(&next(), &next())).await?);
            }
            Self::TokenRefreshSliding => body.set("token", authority.refresh_sliding(&next(), client).await?),
            Self::KnoxLogin => {
                let login = authority.knox_login(identity, client, visit.place()).await?;
                body.set("expiry", login.expiry.map_or(Value::Null, Value::from));
                body.set("token", login.token.expose());
                if authority.settings().knox.shows_user {
                    let mut user = Object::new();
                    user.set(&authority.settings().username_field, identity.username());
                    body.set("user", Value::Object(user));
                }
            }
            Self::KnoxLogout => {
                authority.knox_logout(identity, client).await?;
                return Ok(Answer::Empty);
            }
            Self::KnoxLogoutAll => {
                authority.knox_logout_all(identity, client).await?;
                return Ok(Answer::Empty);
            }
            Self::NativeLogin => {
                let login = authority.native_login(visit.credentials(&next(), &next())).await?;
                body.set("id", login.id);
                body.set("expires", shown(authority, login.expires));
                body.set("token", login.token.expose());
            }
            Self::NativeLogout => {
                authority.native_logout(identity).await?;
                return Ok(Answer::Empty);
            }
            Self::Sessions | Self::EndSession | Self::LogoutEverywhere { .. } => {
                return Box::pin(self.sessions(authority, identity, &visit)).await;
            }
            // By whom they are asked; answered at once.
            Self::Introspect | Self::Revoke | Self::Whoami | Self::Fixed { .. } => {}
        }
        Ok(Answer::Json(Value::Object(body)))
    }

    /// The user's sessions: shown, or ended all, all but the current one (`others`), the current one (`current`), or one by its id.
    async fn sessions(&self, authority: &Authority, identity: &Identity, visit: &Visit<'_>) -> Result<Answer, Failure> {
        let client = visit.client;
        let user = authority.session_owner(identity).await?;
        let current = authority.current_session(&user, visit.schemes, visit.headers, identity)?;
        let is_shown = *self == Self::Sessions && *visit.method != Method::DELETE;
        match (self, visit.member.map(|Member(id)| id.as_str())) {
            (Self::LogoutEverywhere { but_here: true }, _) | (_, Some("others")) => {
                authority.end_own_sessions(&user, current, client).await?;
            }
            (_, Some("current")) => {
                authority.end_current_session(&user, current.ok_or(Failure::NotFound)?, client).await?;
            }
            (_, Some(id)) => authority.end_own_session(&user, id, client).await?,
            (_, None) if is_shown => {
                let sessions = authority.sessions_of(&user).await?;
                let current = current.as_ref().map(|current| &*current.id);
                return Ok(Answer::Json(Value::Array(
                    sessions.iter().map(|session| entry(authority, session, current)).collect(),
                )));
            }
            (_, None) => authority.end_own_sessions(&user, None, client).await?,
        }
        Ok(Answer::Empty)
    }

    /// Whether answers may carry tokens.
    pub(crate) fn answers_with_secrets(&self) -> bool {
        !matches!(self, Self::Whoami | Self::Fixed { .. })
    }

    /// The view's description in OPTIONS answers, in our words.
    pub(crate) fn description(&self) -> &'static str {
        match self {
            Self::ObtainAuthToken => "Exchanges a username and password for the user's token.",
            Self::TokenObtainPair => "Exchanges a username and password for an access and a refresh token.",
            Self::TokenRefresh => "Exchanges a refresh token for a new access token.",
            Self::TokenVerify => "Says whether a token is valid.",
            Self::TokenBlacklist => "Ends a refresh token.",
            Self::TokenObtainSliding => "Exchanges a username and password for a sliding token.",
            Self::TokenRefreshSliding => "Exchanges a sliding token for one with a later expiry.",
            Self::KnoxLogin => "Gives the client a token of its own.",
            Self::KnoxLogout | Self::NativeLogout => "Ends the token that the client shows.",
            Self::KnoxLogoutAll => "Ends all tokens of the user.",
            Self::NativeLogin => "Exchanges a username and password for a token of the client's own.",
            Self::Sessions => "Lists the user's sessions, or ends all of them.",
            Self::EndSession => "Ends a session.",
            Self::LogoutEverywhere { but_here: false } => "Ends all sessions of the user.",
            Self::LogoutEverywhere { but_here: true } => "Ends all sessions of the user but the client's own.",
            Self::Introspect => "Says what a token is worth now.",
            Self::Revoke => "Ends a token.",
            Self::Whoami => "Says who the client is.",
            Self::Fixed { .. } => "",
        }
    }

    /// `actions.POST` of the OPTIONS answer: one entry a field of DRF's serializer.
    pub(crate) fn form(&self, settings: &Settings) -> Object {
        let mut form = Object::new();
        let mut field = |name: &str, label: &str, writable: bool| {
            let mut entry = Object::new();
            entry.set("type", "string");
            entry.set("required", writable);
            entry.set("read_only", !writable);
            entry.set("label", label);
            form.set(name, Value::Object(entry));
        };
        for CharField { name, .. } in self.fields(settings) {
            field(name, &label(name), true);
        }
        match self {
            Self::ObtainAuthToken => field("token", "Token", false),
            Self::TokenRefresh => field("access", "Access", false),
            _ => {}
        }
        form
    }
}

/// What an endpoint may want to know of a request besides its fields.
pub(crate) struct Visit<'r> {
    /// Its method.
    pub method: &'r Method,
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// What the last segment of its path names, where that is what the view is about.
    pub member: Option<&'r Member>,
    /// Who sends it.
    pub client: Client<'r>,
    /// Where it comes from.
    pub address: IpAddr,
    /// What the client calls its device: `device_name` in the body.
    pub device_name: Option<FieldText>,
    /// The view's schemes.
    pub schemes: &'r [Scheme],
}

impl<'r> Visit<'r> {
    /// What a login view's two fields hold, and who sends them.
    fn credentials<'a>(&self, username: &'a str, password: &str) -> Credentials<'a>
    where
        'r: 'a,
    {
        Credentials::new(username, Password::new(password)).from_client(self.client).from_place(self.place())
    }

    /// Where the session will be that begins with this request.
    fn place(&self) -> Place {
        let name = self.device_name.as_ref().map(|name| name.as_str());
        countersign::place(name, self.client.agent, Some(self.address))
    }
}

/// A session as it is shown.
fn entry(authority: &Authority, session: &SessionInfo, current: Option<&str>) -> Value {
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
    let mut entry = Object::new();
    entry.set("id", session.id.as_str());
    entry.set("kind", session.kind);
    entry.set("device_name", text(&session.place.name));
    entry.set("user_agent", text(&session.place.user_agent));
    entry.set("address", text(&session.place.address));
    entry.set("created", shown(authority, Some(session.created)));
    entry.set("last_seen", shown(authority, session.last_seen));
    entry.set("expires", shown(authority, session.expires));
    entry.set("current", current == Some(&*session.id));
    Value::Object(entry)
}

/// A moment as DRF's `DateTimeField` shows it, in Django's time zone.
fn shown(authority: &Authority, moment: Option<Timestamp>) -> Value {
    let zone = &authority.settings().knox.time_zone;
    moment.map_or(Value::Null, |moment| Value::from(DateTimeFormat::Iso8601.show(moment, zone)))
}

/// DRF 3.18 `serializers.Field.bind`: `mobile_number` is called "Mobile number".
fn label(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect())
}
