//! DRF's authentication classes: each scheme with its own header rules. The first scheme listed decides between 401 with a
//! challenge and 403, whichever scheme failed, as in DRF.

use std::borrow::Cow;
use std::fmt;

use countersign_formats::json::Value;
use countersign_formats::jwt::{Cause, Claims, Refusal, TokenType, check_token};
use countersign_formats::password::Password;
use countersign_formats::scan;
use countersign_store::{TokenTable, User, UserId};
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};
use jiff::Timestamp;

use crate::authority::{Authority, UserIdSource};
use crate::basic_header::decode_basic;
use crate::claim_value::{is_truthy, to_integer, to_text};
use crate::client::{Caller, Client, Credentials};
use crate::failure::Failure;
use crate::family::SID_LEN;

/// One authentication class.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Scheme {
    /// DRF 3.18 `TokenAuthentication`.
    Token {
        /// The first word of the header, compared without case.
        keyword: String,
        /// Where the keys are.
        table: TokenTable,
    },
    /// SimpleJWT 5.5 `JWTAuthentication`.
    Jwt,
    /// SimpleJWT 5.5 `JWTStatelessUserAuthentication`: no database, hence neither activity nor revocation.
    JwtStateless,
    /// DRF 3.18 `BasicAuthentication`.
    Basic,
    /// DRF 3.18 `SessionAuthentication`.
    Session,
    /// django-rest-knox 5.1 `TokenAuthentication`.
    Knox,
    /// Tokens of our own kind ([`NativeTokenSettings`](crate::settings::NativeTokenSettings)).
    Native,
}

impl Scheme {
    /// The name that answers show: `token`, `jwt`, `jwt_stateless`, `basic`, `session`, `knox`, `native`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Token { .. } => "token",
            Self::Jwt => "jwt",
            Self::JwtStateless => "jwt_stateless",
            Self::Basic => "basic",
            Self::Session => "session",
            Self::Knox => "knox",
            Self::Native => "native",
        }
    }
}

/// Who a request comes from.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The user.
    pub principal: Principal,
    /// The scheme that let the client in: [`Scheme::name`].
    pub scheme: Option<&'static str>,
    /// What was shown, where it can be ended by itself.
    pub credential: Option<Credential>,
    has_schemes: bool,
}

/// A credential's place in the database.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// A Knox token, by its digest.
    Knox(String),
    /// A token of our own kind, by its digest.
    Native(String),
    /// A JSON web token that names a session.
    Session(SessionId),
}

/// The id of a session as a token has it: not yet known to be one of ours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionId([u8; SID_LEN]);

impl SessionId {
    /// A claim of the length that such ids have.
    fn of(claim: &str) -> Option<Self> {
        claim.as_bytes().try_into().ok().map(Self)
    }

    /// The claim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Shows the kind only.
impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Knox(_) => "Knox(..)",
            Self::Native(_) => "Native(..)",
            Self::Session(_) => "Session(..)",
        })
    }
}

/// The user of a request.
#[derive(Debug, Clone)]
pub enum Principal {
    /// Nobody. Django's `AnonymousUser`.
    Anonymous,
    /// A row of the user table.
    User(User),
    /// SimpleJWT's `TokenUser`: what a token's claims say, and nothing else.
    Claims {
        /// The claim of `USER_ID_CLAIM`, as it stands.
        user_id: Value,
        /// The token's claims.
        claims: Box<Claims>,
    },
}

/// What [`Authority::authenticate`] found.
#[derive(Debug)]
pub struct Authentication {
    /// Who the request comes from, or why its credentials are refused.
    pub result: Result<Identity, Failure>,
    /// Whether the session cookie was looked at: the answer then varies by `Cookie`.
    pub read_session: bool,
}

impl Identity {
    /// Whether somebody has logged in.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        !matches!(self.principal, Principal::Anonymous)
    }

    /// Django's `is_staff`, or the claim of that name.
    #[must_use]
    pub fn is_staff(&self) -> bool {
        match &self.principal {
            Principal::Anonymous => false,
            Principal::User(user) => user.is_staff,
            Principal::Claims { claims, .. } => claims.get("is_staff").is_some_and(is_truthy),
        }
    }

    /// The user name; empty for nobody and for tokens without that claim.
    #[must_use]
    pub fn username(&self) -> Value {
        match &self.principal {
            Principal::Anonymous => Value::from(""),
            Principal::User(user) => Value::from(user.username.as_str()),
            Principal::Claims { claims, .. } => claims.get("username").cloned().unwrap_or_else(|| Value::from("")),
        }
    }

    /// The user's primary key, or the token's claim as it stands; null for nobody.
    #[must_use]
    pub fn user_id(&self) -> Value {
        match &self.principal {
            Principal::Anonymous => Value::Null,
            Principal::User(user) => match &user.id {
                UserId::Integer(id) => Value::from(*id),
                id => Value::from(id.to_string()),
            },
            Principal::Claims { user_id, .. } => user_id.clone(),
        }
    }

    /// Whether this is an anonymous client who could have shown credentials.
    pub(crate) fn could_authenticate(&self) -> bool {
        self.has_schemes && !self.is_authenticated()
    }

    fn nobody(has_schemes: bool) -> Self {
        Self { principal: Principal::Anonymous, scheme: None, credential: None, has_schemes }
    }
}

impl Authority {
    /// Tries the schemes in order: the first that does not abstain decides, and where one finds bad credentials ([`Failure`])
    /// the later ones are not tried. `caller` says whom a hash counts against ([`Scheme::Basic`]) and what a session's CSRF
    /// check looks at ([`Scheme::Session`]); a [`ClientAddress`](crate::ClientAddress) alone does for the others. DRF 3.18
    /// `Request._authenticate`.
    pub async fn authenticate<'r>(
        &self,
        schemes: &[Scheme],
        headers: &HeaderMap,
        caller: impl Into<Caller<'r>>,
    ) -> Authentication {
        let caller = caller.into();
        let mut read_session = false;
        for scheme in schemes {
            read_session |= matches!(scheme, Scheme::Session);
            let mut credential = None;
            let tried = match scheme {
                Scheme::Token { keyword, table } => self.by_token(keyword, table, headers).await,
                Scheme::Jwt => self.by_jwt(headers, &mut credential).await,
                Scheme::JwtStateless => self.by_stateless_jwt(headers, &mut credential).await,
                Scheme::Basic => Box::pin(self.by_basic(headers, Client::of(caller.address, headers))).await, // large: a login
                Scheme::Session => Box::pin(self.by_session(headers, &caller)).await,
                Scheme::Knox => Box::pin(self.by_knox(headers)).await.map(|found| {
                    found.map(|(user, digest)| {
                        credential = Some(Credential::Knox(digest));
                        Principal::User(user)
                    })
                }),
                Scheme::Native => Box::pin(self.by_native(headers, schemes)).await.map(|found| {
                    found.map(|(user, digest)| {
                        credential = Some(Credential::Native(digest));
                        Principal::User(user)
                    })
                }),
            };
            let result = match tried {
                Ok(None) => continue,
                Ok(Some(principal)) => {
                    Ok(Identity { principal, scheme: Some(scheme.name()), credential, has_schemes: true })
                }
                Err(failure) => {
                    self.tell_refused(scheme.name(), &failure, Client::of(caller.address, headers));
                    Err(failure)
                }
            };
            return Authentication { result, read_session };
        }
        Authentication { result: Ok(Identity::nobody(!schemes.is_empty())), read_session }
    }

    /// The `WWW-Authenticate` value of a refusal under these schemes; `None` makes it a 403. DRF 3.18
    /// `APIView.get_authenticate_header`.
    #[must_use]
    pub fn challenge(&self, schemes: &[Scheme]) -> Option<String> {
        match schemes.first()? {
            Scheme::Token { keyword, .. } => Some(keyword.clone()),
            Scheme::Jwt | Scheme::JwtStateless => Some(self.settings().simple_jwt.challenge()),
            Scheme::Basic => Some("Basic realm=\"api\"".to_owned()),
            Scheme::Session => None,
            Scheme::Knox => Some(self.settings().knox.auth_header_prefix.clone()),
            Scheme::Native => {
                self.settings().native_tokens.as_ref().map(|native| format!("{} realm=\"api\"", native.keyword))
            }
        }
    }

    /// The same for paths of our own (RFC 6750 §3): of the first scheme that takes bearer tokens, whichever stands before it; `None`
    /// where none does.
    #[must_use]
    pub fn bearer_challenge(&self, schemes: &[Scheme]) -> Option<String> {
        let is_bearer = |scheme: &&Scheme| matches!(scheme, Scheme::Native | Scheme::Jwt | Scheme::JwtStateless);
        self.challenge(std::slice::from_ref(schemes.iter().find(is_bearer)?))
    }

    async fn by_token(
        &self,
        keyword: &str,
        table: &TokenTable,
        headers: &HeaderMap,
    ) -> Result<Option<Principal>, Failure> {
        let Some(header) = joined(headers, &AUTHORIZATION) else { return Ok(None) };
        let Some(key) = shown_token(&header, keyword)? else { return Ok(None) };
        let user = self.token_user(table, key).await?;
        self.token_seen("token", key, &user.id, None);
        Ok(Some(Principal::User(user)))
    }

    /// The owner of a DRF token who is let in.
    pub(crate) async fn token_user(&self, table: &TokenTable, key: &str) -> Result<User, Failure> {
        let user = self.store().token_owner(table, key).await?.ok_or(Failure::UnknownToken)?;
        if user.is_active { Ok(user) } else { Err(Failure::InactiveUser) }
    }

    async fn by_basic(&self, headers: &HeaderMap, client: Client<'_>) -> Result<Option<Principal>, Failure> {
        let Some(header) = joined(headers, &AUTHORIZATION) else { return Ok(None) };
        let Some(credentials) = after_keyword(&header, "Basic") else { return Ok(None) };
        // Base64 as Python reads it skips the comma of a repeated header, and whatever comes after the padding.
        let is_repeated = matches!(header, Cow::Owned(_));
        let word = match credentials {
            Words::None => return Err(Failure::BadHeader("Invalid basic header. No credentials provided.")),
            Words::Many => {
                return Err(Failure::BadHeader("Invalid basic header. Credentials string should not contain spaces."));
            }
            Words::One(word) => word,
        };
        let (username, password) = decode_basic(word)
            .filter(|_| !is_repeated)
            .ok_or(Failure::BadHeader("Invalid basic header. Credentials not correctly base64 encoded."))?;
        let credentials = Credentials::new(&username, Password::new(password)).from_client(client);
        let user = self.login(credentials).await?.ok_or(Failure::InvalidBasicCredentials)?;
        if !user.is_active {
            return Err(Failure::InactiveUser);
        }
        Ok(Some(Principal::User(user)))
    }

    async fn by_jwt(
        &self,
        headers: &HeaderMap,
        credential: &mut Option<Credential>,
    ) -> Result<Option<Principal>, Failure> {
        let Some((claims, now)) = self.claims_of(headers).await? else { return Ok(None) };
        *credential = self.session_shown(&claims);
        let user = self.jwt_user(&claims, now).await?;
        self.family_seen(&claims);
        Ok(Some(Principal::User(user)))
    }

    /// The user of a token of one of `AUTH_TOKEN_CLASSES`, who is let in by it.
    pub(crate) async fn jwt_user(&self, claims: &Claims, now: Timestamp) -> Result<User, Failure> {
        let settings = &self.settings().simple_jwt;
        let claim = claims.get(&settings.user_id_claim).ok_or(Failure::NoUserClaim)?;
        let user = self.user_of_claim(claim).await?.ok_or(Failure::UserNotFound)?;
        if settings.check_user_is_active && !user.is_active {
            return Err(Failure::JwtUserInactive);
        }
        self.check_revocation(claims, &user)?;
        self.check_goes_on(claims, now).await?;
        Ok(user)
    }

    async fn by_stateless_jwt(
        &self,
        headers: &HeaderMap,
        credential: &mut Option<Credential>,
    ) -> Result<Option<Principal>, Failure> {
        let Some((claims, now)) = self.claims_of(headers).await? else { return Ok(None) };
        *credential = self.session_shown(&claims);
        let user_id = claims.get(&self.settings().simple_jwt.user_id_claim).ok_or(Failure::NoUserClaim)?.clone();
        self.check_goes_on(&claims, now).await?;
        self.family_seen(&claims);
        Ok(Some(Principal::Claims { user_id, claims: Box::new(claims) }))
    }

    /// Refuses a token whose session has ended, as SimpleJWT refuses one that is blacklisted.
    async fn check_goes_on(&self, claims: &Claims, now: Timestamp) -> Result<(), Failure> {
        if !self.is_revoked(claims, now).await? {
            return Ok(());
        }
        let settings = &self.settings().simple_jwt;
        let refusal = |class: &TokenType| match check_token(claims, *class, &settings.rules, now) {
            Ok(()) => (*class, Refusal::Blacklisted),
            Err(refusal) => (*class, refusal),
        };
        Err(Failure::NoTokenClass(settings.auth_token_classes.iter().map(refusal).collect()))
    }

    fn session_shown(&self, claims: &Claims) -> Option<Credential> {
        let sessions = self.settings().sessions.as_ref()?;
        SessionId::of(claims.get(&sessions.claim)?.as_str()?).map(Credential::Session)
    }

    /// The claims of the JWT in the header, if there is one, and the instant at which they hold. SimpleJWT 5.5 `get_raw_token`.
    async fn claims_of(&self, headers: &HeaderMap) -> Result<Option<(Claims, Timestamp)>, Failure> {
        let settings = &self.settings().simple_jwt;
        let Some(header) = joined(headers, &settings.auth_header_name) else { return Ok(None) };
        let mut words = words(&header);
        let Some(keyword) = words.next() else { return Ok(None) };
        if !settings.auth_header_types.iter().any(|word| word.as_bytes() == keyword) {
            return Ok(None);
        }
        let (Some(token), None) = (words.next(), words.next()) else { return Err(Failure::BadJwtHeader) };
        self.accepted_claims(token).await.map(Some)
    }

    /// The claims of a token of one of `AUTH_TOKEN_CLASSES`, and the instant at which they hold. SimpleJWT 5.5 `get_validated_token`.
    pub(crate) async fn accepted_claims(&self, token: &[u8]) -> Result<(Claims, Timestamp), Failure> {
        let settings = &self.settings().simple_jwt;
        let now = self.now();
        let classes = &settings.auth_token_classes;
        // Signature and times are the same for every class; only the type, and the blacklist of sliding tokens, differ.
        let claims = self.decode(token, now).await.map_err(|refusal| {
            Failure::NoTokenClass(classes.iter().map(|class| (*class, refusal.clone())).collect())
        })?;
        let mut refusals = Vec::new();
        for class in classes {
            let refusal = match self.blacklist_refusal(*class, &claims).await? {
                Some(refusal) => refusal,
                None => match check_token(&claims, *class, &settings.rules, now) {
                    Ok(()) => return Ok((claims, now)),
                    Err(refusal) => refusal,
                },
            };
            refusals.push((*class, refusal));
        }
        Err(Failure::NoTokenClass(refusals))
    }

    /// The user a claim of `USER_ID_CLAIM` names. Values that Django would crash on name nobody.
    pub(crate) async fn user_of_claim(&self, claim: &Value) -> Result<Option<User>, Failure> {
        let source = self.user_id_source();
        let id_type = match source {
            UserIdSource::PrimaryKey => self.store().user_id_type(),
            UserIdSource::Field(field) => field.id_type(),
        };
        let id = if id_type.is_integer() {
            to_integer(claim).map(UserId::Integer)
        } else {
            to_text(claim).and_then(|text| id_type.parse(&text))
        };
        let Some(id) = id else { return Ok(None) };
        Ok(match source {
            UserIdSource::PrimaryKey => self.store().user_by_id(&id).await?,
            UserIdSource::Field(field) => self.store().user_by_field(field, &id).await?,
        })
    }

    /// The key of the user whom a token names, as it says; `None` where tokens name users by something else.
    pub(crate) fn claimed_user_id(&self, claims: &Claims) -> Option<String> {
        match self.user_id_source() {
            UserIdSource::PrimaryKey => claims.get(&self.settings().simple_jwt.user_id_claim).and_then(to_text),
            UserIdSource::Field(_) => None,
        }
    }

    /// `CHECK_REVOKE_TOKEN`: the claim must be the upper-case MD5 of the stored password.
    pub(crate) fn check_revocation(&self, claims: &Claims, user: &User) -> Result<(), Failure> {
        use subtle::ConstantTimeEq as _;

        let settings = &self.settings().simple_jwt;
        if !settings.check_revoke_token {
            return Ok(());
        }
        let expected = crate::pair::password_claim(user);
        let given = claims.get(&settings.revoke_token_claim).and_then(|claim| match claim {
            Value::String(text) => text.as_str(),
            _ => None,
        });
        match given {
            Some(given) if bool::from(given.as_bytes().ct_eq(expected.as_bytes())) => Ok(()),
            _ => Err(Failure::PasswordChanged),
        }
    }

    /// Step 11 of SPEC §6.3: refresh and sliding tokens are looked up in the blacklist when that app is installed.
    pub(crate) async fn blacklist_refusal(
        &self,
        class: TokenType,
        claims: &Claims,
    ) -> Result<Option<Refusal>, Failure> {
        if !self.settings().apps.token_blacklist || !matches!(class, TokenType::Refresh | TokenType::Sliding) {
            return Ok(None);
        }
        let Some(claim) = self.jti_claim(claims) else { return Ok(None) }; // refused later, for want of an id
        Ok(match storable(claim) {
            Some(jti) => self.store().is_blacklisted(&jti).await?.then_some(Refusal::Blacklisted),
            None => Some(Cause::NotAString("jti").into()),
        })
    }

    /// The claim of `JTI_CLAIM`, if the token has it.
    pub(crate) fn jti_claim<'a>(&self, claims: &'a Claims) -> Option<&'a Value> {
        self.settings().simple_jwt.rules.jti_claim.as_deref().and_then(|claim| claims.get(claim))
    }

    /// The token's id as the database has it.
    pub(crate) fn jti_of(&self, claims: &Claims) -> Option<String> {
        self.jti_claim(claims).and_then(storable)
    }
}

/// An id as the blacklist can hold it: text without NUL, of at most 255 characters. One that no row can have could never be found
/// there.
fn storable(claim: &Value) -> Option<String> {
    to_text(claim).filter(|jti| !jti.contains('\0') && jti.chars().nth(255).is_none())
}

/// What follows a header's keyword.
pub(crate) enum Words<'a> {
    None,
    One(&'a [u8]),
    Many,
}

/// The one word after `keyword` in an `Authorization` header; `None` where another scheme is meant. DRF 3.18
/// `TokenAuthentication.authenticate`.
pub(crate) fn shown_token<'h>(header: &'h [u8], keyword: &str) -> Result<Option<&'h str>, Failure> {
    match after_keyword(header, keyword) {
        None => Ok(None),
        Some(Words::None) => Err(Failure::BadHeader("Invalid token header. No credentials provided.")),
        Some(Words::Many) => Err(Failure::BadHeader("Invalid token header. Token string should not contain spaces.")),
        Some(Words::One(word)) => std::str::from_utf8(word).map(Some).map_err(|_| {
            Failure::BadHeader("Invalid token header. Token string should not contain invalid characters.")
        }),
    }
}

/// What follows `keyword`, if that (without case) is the first word.
pub(crate) fn after_keyword<'a>(header: &'a [u8], keyword: &str) -> Option<Words<'a>> {
    let mut words = words(header);
    if !words.next()?.eq_ignore_ascii_case(keyword.as_bytes()) {
        return None;
    }
    Some(match (words.next(), words.next()) {
        (None, _) => Words::None,
        (Some(word), None) => Words::One(word),
        _ => Words::Many,
    })
}

/// Python's `bytes.split()`: runs of ASCII white space separate, VT included; U+00A0 does not.
pub(crate) fn words(mut header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_space = |byte| matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r');
    std::iter::from_fn(move || {
        let start = header.iter().position(|&byte| !is_space(byte))?;
        let rest = &header[start..];
        let (word, others) = rest.split_at(scan::position(rest, is_space).unwrap_or(rest.len()));
        header = others;
        Some(word)
    })
}

/// The field's value; repeated fields joined by a comma, as a WSGI server hands them over. A joined value lets nobody in: no token
/// holds a comma, and Basic refuses it.
pub(crate) fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.as_bytes();
    let mut value = Cow::Borrowed(first);
    for more in values {
        let joined = value.to_mut();
        joined.push(b',');
        joined.extend_from_slice(more.as_bytes());
    }
    Some(value)
}
