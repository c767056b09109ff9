//! SimpleJWT's views as decisions: obtain, refresh, rotate, verify, blacklist, and the sliding kind.

use countersign_formats::json::Value;
use countersign_formats::jwt::{Cause, Claims, Lifetime, Refusal, TokenType, check_claim_not_expired, check_token};
use countersign_store::{Blacklisting, NewSession, OutstandingToken, Rotation, User, UserId};
use jiff::Timestamp;
use md5::{Digest as _, Md5};

use crate::audit::{About, Event, LoginRefusal, LoginWay};
use crate::authority::{Authority, UserIdSource};
use crate::claim_value::to_instant;
use crate::client::{Client, Credentials};
use crate::clients::CLIENT_CLAIM;
use crate::failure::Failure;
use crate::session::{LOGOUT, cap};

/// A refresh token and an access token made together.
#[derive(Clone)]
pub struct Pair {
    /// The refresh token, as text.
    pub refresh: String,
    /// The access token, as text.
    pub access: String,
}

/// What a refresh gives.
#[derive(Clone)]
pub struct Refreshed {
    /// The new access token.
    pub access: String,
    /// The new refresh token, under `ROTATE_REFRESH_TOKENS`.
    pub refresh: Option<String>,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair(..)")
    }
}

impl std::fmt::Debug for Refreshed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Refreshed(..)")
    }
}

impl Authority {
    /// Logs in and makes a pair. SimpleJWT 5.5 `TokenObtainPairSerializer`.
    ///
    /// # Errors
    /// [`Failure::NoActiveAccount`] when the credentials or the user are refused, and those of [`login`](Self::login).
    pub async fn obtain_pair(&self, mut credentials: Credentials<'_>) -> Result<Pair, Failure> {
        let place = std::mem::take(&mut credentials.place);
        let registered = credentials.client.registered;
        let about = About::client(credentials.client).account(credentials.username);
        let start = self.login_start();
        let user = self.jwt_login(credentials).await?;
        let now = self.now();
        let settings = &self.settings().simple_jwt;
        let mut refresh = self.issue(TokenType::Refresh, &user, registered, now).await?;
        let began = self.began(&start, &refresh);
        let session = self.begin_session(&mut refresh, Some(&user.id), place, began);
        let mut access =
            refresh.access_from_refresh(&settings.rules, now, self.lifetimes(&refresh).access, &self.fresh_jti()?);
        if let Some(end) = session.as_ref().and_then(|session| session.expires_at) {
            cap(&mut access, end);
        }
        let pair = Pair { refresh: self.sign(&refresh), access: self.sign(&access) };
        self.record_login(&user, &refresh, &pair.refresh, session.as_ref(), now).await?;
        if let Some(session) = &session
            && !self.is_as_verified(&user).await?
        {
            self.end_session(&session.sid).await?;
            return Err(Failure::NoActiveAccount);
        }
        let mut about = about.user(&user.id);
        if let Some(session) = &session {
            about = about.session(&session.sid);
        }
        self.tell(&Event::Login { way: LoginWay::Pair }, &about);
        Ok(pair)
    }

    /// Logs in and makes a sliding token. SimpleJWT 5.5 `TokenObtainSlidingSerializer`.
    ///
    /// # Errors
    /// As [`obtain_pair`](Self::obtain_pair).
    pub async fn obtain_sliding(&self, credentials: Credentials<'_>) -> Result<String, Failure> {
        let registered = credentials.client.registered;
        let about = About::client(credentials.client).account(credentials.username);
        let user = self.jwt_login(credentials).await?;
        let now = self.now();
        let claims = self.issue(TokenType::Sliding, &user, registered, now).await?;
        let token = self.sign(&claims);
        self.record_login(&user, &claims, &token, None, now).await?;
        self.tell(&Event::Login { way: LoginWay::Sliding }, &about.user(&user.id));
        Ok(token)
    }

    /// A new access token for a refresh token, and a new refresh token under rotation. SimpleJWT 5.5 `TokenRefreshSerializer`.
    /// [Declared claims](crate::settings::DeclaredClaim) are read again.
    ///
    /// Where there are sessions, a token has one successor ever, and gets it again within the window (`docs/sessions.md`).
    ///
    /// Differs: rotation with blacklisting is one transaction in which the insert of the blacklist row decides, so of parallel
    /// uses of one token one wins (SimpleJWT lets all win); a deleted user is refused rather than crashed on; under
    /// `CHECK_REVOKE_TOKEN` the password claim is checked here too, as SimpleJWT's next release does.
    ///
    /// # Errors
    /// [`Failure::Token`], [`Failure::NoActiveAccountForToken`], [`Failure::NoUserForToken`], [`Failure::PasswordChanged`],
    /// [`Failure::Store`].
    pub async fn refresh(&self, token: &str, client: Client<'_>) -> Result<Refreshed, Failure> {
        let refreshed = if self.settings().sessions.is_some() {
            self.refresh_in_family(token, client).await
        } else {
            self.refresh_alone(token, client).await
        };
        refreshed.inspect_err(|failure| self.tell_refused_token("refresh", failure, client))
    }

    /// [`refresh`](Self::refresh) where there are no sessions.
    async fn refresh_alone(&self, token: &str, client: Client<'_>) -> Result<Refreshed, Failure> {
        let now = self.now();
        let settings = &self.settings().simple_jwt;
        let mut claims = self.decoded(token, now).await?;
        self.check_client(&claims, client)?;
        let lifetimes = self.lifetimes(&claims);
        let rotates = settings.rotate_refresh_tokens;
        let is_recorded = rotates && self.settings().apps.token_blacklist && self.jti_of(&claims).is_some();
        let user = match self.refreshed_by(&claims, now).await {
            Ok(user) if is_recorded => user, // whether the token is void, the rotation tells
            judged => {
                // Of all that may be wrong with a token, SimpleJWT looks at the blacklist first.
                match self.blacklist_refusal(TokenType::Refresh, &claims).await? {
                    Some(refusal) => return Err(Failure::Token(refusal)),
                    None => judged?,
                }
            }
        };
        let presented = claims.clone();
        self.set_declared_claims(&mut claims, user.as_ref()).await?;
        let access = claims.access_from_refresh(&settings.rules, now, lifetimes.access, &self.fresh_jti()?);
        let access = self.sign(&access);
        let event = Event::Refresh { jti: self.jti_of(&claims) };
        let about = About::client(client).claimed_user(self.claimed_user_id(&claims).as_deref());
        if !rotates {
            self.tell(&event, &about);
            return Ok(Refreshed { access, refresh: None });
        }
        let owner = user.map(|user| user.id);
        let presented = self.outstanding(&presented, &self.sign(&presented), owner.clone(), now);
        claims.rotate_in_place(&settings.rules, now, lifetimes.refresh, &self.fresh_jti()?);
        let successor = self.sign(&claims);
        if is_recorded {
            let (Some(presented), Some(recorded)) = (presented, self.outstanding(&claims, &successor, owner, now))
            else {
                return Err(Failure::Token(Cause::OutOfRange("exp").into())); // later than any date
            };
            let blacklist = settings.blacklist_after_rotation;
            match self.store().rotate(&presented, blacklist, &recorded, now).await? {
                Rotation::Done => {}
                Rotation::AlreadyBlacklisted => return Err(Failure::Token(Refusal::Blacklisted)),
            }
        }
        self.tell(&event, &about);
        Ok(Refreshed { access, refresh: Some(successor) })
    }

    /// The claims of a refresh token that would be taken now, and whose it is; where there are no sessions.
    pub(crate) async fn look_alone(&self, token: &str) -> Result<(Claims, Option<User>), Failure> {
        let now = self.now();
        let claims = self.decoded(token, now).await?;
        self.known_client(&claims)?;
        if let Some(refusal) = self.blacklist_refusal(TokenType::Refresh, &claims).await? {
            return Err(Failure::Token(refusal));
        }
        let user = self.refreshed_by(&claims, now).await?;
        Ok((claims, user))
    }

    /// What is demanded of a refresh token but that it is not void; whose it is.
    async fn refreshed_by(&self, claims: &Claims, now: Timestamp) -> Result<Option<User>, Failure> {
        check_token(claims, TokenType::Refresh, &self.settings().simple_jwt.rules, now).map_err(Failure::Token)?;
        check_issuer_is_text(claims)?;
        self.refreshing_user(claims).await
    }

    /// A sliding token with a new expiry. SimpleJWT 5.5 `TokenRefreshSlidingSerializer`; the user is not looked at, but to
    /// read [declared claims](crate::settings::DeclaredClaim) again.
    ///
    /// Differs: the outstanding row's `expires_at` moves to the end of the refresh period, so that flushing expired rows does
    /// not bring a blacklisted token back.
    ///
    /// # Errors
    /// [`Failure::Token`], [`Failure::Store`]; with declared claims those of [`refresh`](Self::refresh).
    pub async fn refresh_sliding(&self, token: &str, client: Client<'_>) -> Result<String, Failure> {
        let refreshed = self.later_sliding(token, client).await;
        refreshed.inspect_err(|failure| self.tell_refused_token("refresh", failure, client))
    }

    async fn later_sliding(&self, token: &str, client: Client<'_>) -> Result<String, Failure> {
        let now = self.now();
        let settings = &self.settings().simple_jwt;
        let mut claims = self.accept(token, TokenType::Sliding, now).await?;
        check_issuer_is_text(&claims)?;
        self.check_client(&claims, client)?;
        if self.is_revoked_in_database(&claims, None).await? {
            return Err(Failure::Token(Refusal::Blacklisted));
        }
        let refresh_exp = &settings.sliding_token_refresh_exp_claim;
        check_claim_not_expired(&claims, refresh_exp, &settings.rules, now).map_err(Failure::Token)?;
        if self.claim_reader().is_some() {
            let user = self.refreshing_user(&claims).await?;
            self.set_declared_claims(&mut claims, user.as_ref()).await?;
        }
        claims.set_times(now, self.lifetimes(&claims).sliding);
        if self.settings().apps.token_blacklist
            && let Some(jti) = self.jti_of(&claims)
            && let Some(refresh_exp) = claims.get(refresh_exp).and_then(to_instant)
        {
            self.store().move_expiry(&jti, refresh_exp).await?;
        }
        let about = About::client(client).claimed_user(self.claimed_user_id(&claims).as_deref());
        self.tell(&Event::Refresh { jti: self.jti_of(&claims) }, &about);
        Ok(self.sign(&claims))
    }

    /// Whether a token of any type is valid. SimpleJWT 5.5 `TokenVerifySerializer`: any user, even a deleted one; the blacklist
    /// is consulted only under `BLACKLIST_AFTER_ROTATION`. Where there are sessions: whether it would be accepted now.
    ///
    /// # Errors
    /// [`Failure::Token`], [`Failure::VerifiedBlacklisted`], [`Failure::Store`].
    pub async fn verify(&self, token: &str, client: Client<'_>) -> Result<(), Failure> {
        let verified = if self.settings().sessions.is_some() {
            self.verify_in_family(token, client).await
        } else {
            self.verify_alone(token).await
        };
        verified.inspect_err(|failure| self.tell_refused_token("verify", failure, client))
    }

    /// [`verify`](Self::verify) where there are no sessions.
    async fn verify_alone(&self, token: &str) -> Result<(), Failure> {
        let claims = self.accept(token, TokenType::Untyped, self.now()).await?;
        if !self.settings().simple_jwt.blacklist_after_rotation {
            return Ok(());
        }
        self.verify_is_not_blacklisted(&claims).await
    }

    /// Refuses what the blacklist has, in the words of SimpleJWT's verify: any token with that id, whatever its type.
    pub(crate) async fn verify_is_not_blacklisted(&self, claims: &Claims) -> Result<(), Failure> {
        match self.blacklist_refusal(TokenType::Refresh, claims).await? {
            None => Ok(()),
            Some(Refusal::Blacklisted) => Err(Failure::VerifiedBlacklisted),
            Some(refusal) => Err(Failure::Token(refusal)),
        }
    }

    /// Blacklists a refresh token, recording it first if it is unknown. SimpleJWT 5.5 `TokenBlacklistSerializer`. Where there are
    /// sessions, the token's ends.
    ///
    /// Differs: a user id that is no number counts as no user rather than crashing.
    ///
    /// # Errors
    /// [`Failure::Token`], [`Failure::Store`]; [`Failure::NotFound`] without the blacklist app.
    pub async fn blacklist(&self, token: &str, client: Client<'_>) -> Result<(), Failure> {
        if !self.settings().apps.token_blacklist {
            return Err(Failure::NotFound);
        }
        let ended = if self.settings().sessions.is_some() {
            self.log_out_of_family(token, client, ("blacklist", LOGOUT)).await
        } else {
            self.blacklist_alone(token, client).await
        };
        ended.inspect_err(|failure| self.tell_refused_token("blacklist", failure, client))
    }

    /// [`blacklist`](Self::blacklist) where there are no sessions.
    async fn blacklist_alone(&self, token: &str, client: Client<'_>) -> Result<(), Failure> {
        let now = self.now();
        let claims = self.accept(token, TokenType::Refresh, now).await?;
        let owner = self.owner_of(&claims).await?;
        self.void(self.outstanding(&claims, &self.sign(&claims), owner, now), &claims, now, client).await
    }

    /// Blacklists a sliding token, for as long as it could have been renewed. There has to be the blacklist app.
    pub(crate) async fn blacklist_sliding(
        &self,
        token: &str,
        claims: &Claims,
        client: Client<'_>,
    ) -> Result<(), Failure> {
        let now = self.now();
        let settings = &self.settings().simple_jwt;
        let owner = self.owner_of(claims).await?;
        let mut recorded = self.outstanding(claims, token, owner, now).ok_or(Failure::UnsupportedTokenType)?;
        if let Some(end) = claims.get(&settings.sliding_token_refresh_exp_claim).and_then(to_instant) {
            recorded.expires_at = recorded.expires_at.max(end);
        }
        self.void(Some(recorded), claims, now, client).await
    }

    /// Puts a token into SimpleJWT's blacklist, if it can be recorded, and tells of it.
    async fn void(
        &self,
        recorded: Option<OutstandingToken>,
        claims: &Claims,
        now: Timestamp,
        client: Client<'_>,
    ) -> Result<(), Failure> {
        if let Some(recorded) = recorded {
            // Done and Already read alike: SimpleJWT's get_or_create does not tell either.
            let (Blacklisting::Done | Blacklisting::Already) = self.store().blacklist(&recorded, now).await?;
        }
        let about = About::client(client).claimed_user(self.claimed_user_id(claims).as_deref());
        self.tell(&Event::TokenBlacklisted { jti: self.jti_of(claims) }, &about);
        Ok(())
    }

    /// The key of the user that a token names; `None` for one that names nobody there is.
    pub(crate) async fn owner_of(&self, claims: &Claims) -> Result<Option<UserId>, Failure> {
        match claims.get(&self.settings().simple_jwt.user_id_claim) {
            Some(claim) => Ok(self.user_of_claim(claim).await?.map(|user| user.id)),
            None => Ok(None),
        }
    }

    /// Credentials to a user that SimpleJWT serves. SimpleJWT 5.5 `default_user_authentication_rule`.
    async fn jwt_login(&self, credentials: Credentials<'_>) -> Result<User, Failure> {
        let about = About::client(credentials.client).account(credentials.username);
        let user = self.login(credentials).await?.ok_or(Failure::NoActiveAccount)?;
        if self.settings().simple_jwt.check_user_is_active && !user.is_active {
            self.tell(&Event::LoginFailed { reason: LoginRefusal::Inactive }, &about.user(&user.id));
            return Err(Failure::NoActiveAccount);
        }
        Ok(user)
    }

    /// Whether the user is as at the login's beginning. What changes after this is marked after the session began, and ends it.
    pub(crate) async fn is_as_verified(&self, user: &User) -> Result<bool, Failure> {
        let now = self.store().user_by_id(&user.id).await?;
        Ok(now.is_some_and(|now| now.password == user.password && now.is_active == user.is_active))
    }

    /// The claims of a new token for `user`, and for a registered client where one has asked for it. SimpleJWT 5.5 `Token.for_user`.
    pub(crate) async fn issue(
        &self,
        class: TokenType,
        user: &User,
        registered: Option<&str>,
        now: Timestamp,
    ) -> Result<Claims, Failure> {
        let settings = &self.settings().simple_jwt;
        let lifetimes = self.settings().lifetimes_for(registered);
        let lifetime = match class {
            TokenType::Sliding => Lifetime::sliding(
                lifetimes.sliding,
                &settings.sliding_token_refresh_exp_claim,
                lifetimes.sliding_refresh,
            ),
            _ => Lifetime::of(lifetimes.refresh),
        };
        let mut claims = Claims::for_type(class, &settings.rules, now, &lifetime, &self.fresh_jti()?);
        claims.set(&settings.user_id_claim, Value::from(self.user_id_text(&user.id).await?));
        if settings.check_revoke_token {
            claims.set(&settings.revoke_token_claim, Value::from(password_claim(user)));
        }
        if let Some(client) = registered {
            claims.set(CLIENT_CLAIM, client);
        }
        self.set_declared_claims(&mut claims, Some(user)).await?;
        Ok(claims)
    }

    /// The user as tokens name it: Python's `str()` of `USER_ID_FIELD`.
    pub(crate) async fn user_id_text(&self, user: &UserId) -> Result<String, Failure> {
        Ok(match self.user_id_source() {
            UserIdSource::PrimaryKey => user.to_string(),
            UserIdSource::Field(field) => {
                let value = self.store().user_field_value(field, user).await?;
                value.map_or_else(String::new, |value| value.to_string())
            }
        })
    }

    /// Steps 1 to 15 of SPEC §6.3.
    async fn accept(&self, token: &str, class: TokenType, now: Timestamp) -> Result<Claims, Failure> {
        let settings = &self.settings().simple_jwt;
        let claims = self.decoded(token, now).await?;
        if let Some(refusal) = self.blacklist_refusal(class, &claims).await? {
            return Err(Failure::Token(refusal));
        }
        check_token(&claims, class, &settings.rules, now).map_err(Failure::Token)?;
        Ok(claims)
    }

    /// Steps 1 to 10.
    pub(crate) async fn decoded(&self, token: &str, now: Timestamp) -> Result<Claims, Failure> {
        self.decode(token.as_bytes(), now).await.map_err(Failure::Token)
    }

    pub(crate) fn sign(&self, claims: &Claims) -> String {
        let settings = &self.settings().simple_jwt;
        let keys = self.key_ring().current();
        let key = keys.signing_for(claims.id(&settings.rules).unwrap_or_default());
        claims.sign_with(key.unwrap_or(&settings.signing_key), &settings.rules)
    }

    /// The rows a login leaves: `last_login` under `UPDATE_LAST_LOGIN`, the outstanding token with the blacklist app, the session.
    pub(crate) async fn record_login(
        &self,
        user: &User,
        claims: &Claims,
        token: &str,
        session: Option<&NewSession>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let last_login = self.settings().simple_jwt.update_last_login.then_some(now);
        let outstanding = if self.settings().apps.token_blacklist {
            self.outstanding(claims, token, Some(user.id.clone()), now)
        } else {
            None
        };
        self.store().login_pair(&user.id, last_login, outstanding.as_ref(), session).await?;
        Ok(())
    }

    /// The row of the outstanding table for a token; `None` for a token without an id (`JTI_CLAIM` switched off).
    pub(crate) fn outstanding(
        &self,
        claims: &Claims,
        token: &str,
        user: Option<UserId>,
        now: Timestamp,
    ) -> Option<OutstandingToken> {
        Some(OutstandingToken {
            jti: self.jti_of(claims)?,
            token: token.to_owned(),
            created_at: Some(now),
            expires_at: claims.get("exp").and_then(to_instant)?,
            user,
        })
    }
}

/// A token is signed again with the issuer it came with, and PyJWT 2.15 `encode` takes text only: there the original crashes.
pub(crate) fn check_issuer_is_text(claims: &Claims) -> Result<(), Failure> {
    match claims.get("iss") {
        Some(issuer) if issuer.as_str().is_none() => Err(Failure::Token(Cause::NotAString("iss").into())),
        _ => Ok(()),
    }
}

/// SimpleJWT 5.5 `get_md5_hash_password`: upper-case hex MD5 of the password column.
pub(crate) fn password_claim(user: &User) -> String {
    hex::encode_upper(Md5::digest(user.password.expose().as_bytes()))
}
