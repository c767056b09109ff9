//! DRF's `SessionAuthentication` over Django's own sessions: a browser that has logged in to Django is let in here.

use countersign_formats::csrf::cookie;
use countersign_formats::django_session::{MAX_SESSION_BYTES, SessionLogin};
use countersign_store::User;
use http::HeaderMap;
use http::header::COOKIE;

use crate::audit::{About, Event};
use crate::authenticate::{Principal, joined};
use crate::client::{Caller, Client};
use crate::settings::{AuthenticationBackend, DjangoSessions};
use crate::{Authority, Failure};

impl Authority {
    /// The user of the session in the cookie, after the CSRF check. Whatever is wrong with the session, nobody is logged in and
    /// the next scheme is tried. DRF 3.18 `SessionAuthentication.authenticate`.
    pub(crate) async fn by_session(
        &self,
        headers: &HeaderMap,
        caller: &Caller<'_>,
    ) -> Result<Option<Principal>, Failure> {
        let Some(settings) = self.settings().django_sessions.as_ref().filter(|_| self.settings().apps.sessions) else {
            return Ok(None);
        };
        let Some(cookies) = cookies(headers) else { return Ok(None) };
        let Some(key) = cookie(&cookies, &settings.cookie_name) else { return Ok(None) };
        let Some(data) = self.store().django_session(&key, self.now(), MAX_SESSION_BYTES).await? else {
            return Ok(None);
        };
        let Some(login) = SessionLogin::read(&settings.secret_keys, &data) else { return Ok(None) };
        let user = match self.user_of_session(settings, &login, &key).await? {
            Ok(user) if user.is_active => user,
            Ok(_) => return Ok(self.pass_over("inactive", headers, caller)),
            Err(reason) => return Ok(self.pass_over(reason, headers, caller)),
        };
        settings.check_csrf(headers, &cookies, &login, caller).map_err(|refusal| Failure::Csrf(refusal.to_string()))?;
        Ok(Some(Principal::User(user)))
    }

    /// Lets the next scheme try, and tells why this session's user is not let in.
    fn pass_over(&self, reason: &'static str, headers: &HeaderMap, caller: &Caller<'_>) -> Option<Principal> {
        let about = About::client(Client::of(caller.address, headers));
        self.tell(&Event::DjangoSessionRefused { reason }, &about);
        None
    }

    /// Django 5.2 `django.contrib.auth.get_user`: a session whose password has changed since is deleted. Else, why it is nobody's.
    async fn user_of_session(
        &self,
        settings: &DjangoSessions,
        login: &SessionLogin,
        key: &str,
    ) -> Result<Result<User, &'static str>, Failure> {
        if !settings.backends.contains(&login.backend) {
            return Ok(Err("unknown_backend"));
        }
        let Some(id) = self.store().user_id_type().parse(&login.user_id) else { return Ok(Err("unknown_user")) };
        let Some(user) = self.store().user_by_id(&id).await? else { return Ok(Err("unknown_user")) };
        if !user.is_active && self.settings().backend == AuthenticationBackend::Model {
            return Ok(Err("inactive"));
        }
        if login.is_of_password(&settings.secret_keys, user.password.expose()) {
            return Ok(Ok(user));
        }
        self.store().delete_django_session(key).await?;
        Ok(Err("password_changed"))
    }
}

/// All cookies of a request, as Django sees them: bytes that are not UTF-8 are replaced. Django 5.2 `WSGIRequest.COOKIES`.
fn cookies(headers: &HeaderMap) -> Option<String> {
    joined(headers, &COOKIE).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
