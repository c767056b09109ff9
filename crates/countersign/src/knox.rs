//! Knox's tokens: several per user, each with an end of its own that use may move, at rest as digests. django-rest-knox 5.1.

use countersign_formats::django_time::truncate_to_microseconds;
use countersign_formats::knox_token::KnoxToken;
use countersign_store::{KnoxOwner, NewKnoxToken, Place, User};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::audit::{About, Event};
use crate::authenticate::{Credential, Identity, Principal, joined, shown_token};
use crate::client::Client;
use crate::{Authority, Failure};

/// What a client gets for a login at Knox's view.
#[derive(Debug)]
pub struct KnoxLogin {
    /// The token, which stands nowhere else.
    pub token: KnoxToken,
    /// When it ends, as `EXPIRY_DATETIME_FORMAT` shows it; `None` is never.
    pub expiry: Option<String>,
}

impl Authority {
    /// The owner of the Knox token in the header, and its digest. django-rest-knox 5.1 `TokenAuthentication`.
    ///
    /// An expired token is refused and its user's expired tokens are deleted. Under `AUTO_REFRESH` a token that is used ends later.
    pub(crate) async fn by_knox(&self, headers: &HeaderMap) -> Result<Option<(User, String)>, Failure> {
        let settings = &self.settings().knox;
        let Some(header) = joined(headers, &AUTHORIZATION) else { return Ok(None) };
        let Some(token) = shown_token(&header, &settings.auth_header_prefix)? else { return Ok(None) };
        let (found, digest) = self.knox_token(token).await?;
        let now = self.now();
        if let Err(refusal) = check_knox(&found, now) {
            if matches!(refusal, Failure::ExpiredToken) {
                self.store().knox_delete_of(&found.user.id, Some(now)).await?;
            }
            return Err(refusal);
        }
        self.renew_knox(&found, &digest).await?;
        self.token_seen("knox", &digest, &found.user.id, found.expiry);
        Ok(Some((found.user, digest)))
    }

    /// The row of a Knox token, be it good or not, and its digest.
    pub(crate) async fn knox_token(&self, text: &str) -> Result<(KnoxOwner, String), Failure> {
        let token = KnoxToken::from_text(text);
        let digest = token.digest(self.settings().knox.hash);
        let found = self.store().knox_owner(&digest, token.key()).await?.ok_or(Failure::UnknownToken)?;
        Ok((found, digest))
    }

    /// django-rest-knox 5.1 `renew_token`: not beyond the cap, and only by enough to be worth a write.
    async fn renew_knox(&self, found: &KnoxOwner, digest: &str) -> Result<(), Failure> {
        let settings = &self.settings().knox;
        let (true, Some(current), Some(ttl)) = (settings.auto_refresh, found.expiry, settings.token_ttl) else {
            return Ok(());
        };
        let cap = settings.auto_refresh_max_ttl.and_then(|longest| found.created.checked_add(longest).ok());
        let Ok(renewed) = self.now().checked_add(ttl) else { return Ok(()) };
        let renewed = truncate_to_microseconds(cap.map_or(renewed, |cap| cap.min(renewed)));
        if renewed.duration_since(current) > settings.min_refresh_interval {
            self.store().knox_renew(digest, renewed).await?;
        }
        Ok(())
    }

    /// Gives the user of a request a new Knox token and notes the login, and the place where it will be used. django-rest-knox 5.1 `LoginView.post`.
    ///
    /// # Errors
    /// [`Failure::TooManyTokens`], [`Failure::NotAuthenticated`] for who is no user of the table, [`Failure::Store`],
    /// [`Failure::Entropy`].
    pub async fn knox_login(
        &self,
        identity: &Identity,
        client: Client<'_>,
        place: Place,
    ) -> Result<KnoxLogin, Failure> {
        let Principal::User(user) = &identity.principal else { return Err(Failure::NotAuthenticated) };
        let settings = &self.settings().knox;
        let random = Zeroizing::new(self.random::<128>()?);
        let bytes = random.get(..settings.token_length / 2).unwrap_or(&*random);
        let token = KnoxToken::from_entropy(&settings.token_prefix, bytes);
        let now = truncate_to_microseconds(self.now());
        // Beyond the calendar is for ever.
        let expiry = settings.token_ttl.and_then(|ttl| now.checked_add(ttl).ok());
        let row_digest = token.digest(settings.hash);
        let digest = beginning(&row_digest);
        let row = NewKnoxToken {
            device: self.device("knox", &row_digest, &user.id, place, expiry),
            digest: row_digest,
            token_key: token.key().to_owned(),
            user: user.id.clone(),
            created: now,
            expiry,
        };
        if !self.store().knox_login(row, settings.token_limit_per_user, now).await? {
            return Err(Failure::TooManyTokens);
        }
        self.tell(&Event::KnoxLogin { digest }, &about(user, client));
        Ok(KnoxLogin { token, expiry: expiry.map(|expiry| settings.expiry_format.show(expiry, &settings.time_zone)) })
    }

    /// Voids the Knox token that a request came with. django-rest-knox 5.1 `LogoutView.post`.
    ///
    /// # Errors
    /// [`Failure::NotAuthenticated`] for a request that came with none, [`Failure::Store`].
    pub async fn knox_logout(&self, identity: &Identity, client: Client<'_>) -> Result<(), Failure> {
        let Some(Credential::Knox(digest)) = &identity.credential else { return Err(Failure::NotAuthenticated) };
        self.store().knox_delete(digest).await?;
        if let Principal::User(user) = &identity.principal {
            self.tell(&Event::KnoxLogout { digest: beginning(digest) }, &about(user, client));
        }
        Ok(())
    }

    /// Voids all Knox tokens of the user of a request. django-rest-knox 5.1 `LogoutAllView.post`.
    ///
    /// # Errors
    /// [`Failure::NotAuthenticated`] for who is no user of the table, [`Failure::Store`].
    pub async fn knox_logout_all(&self, identity: &Identity, client: Client<'_>) -> Result<(), Failure> {
        let Principal::User(user) = &identity.principal else { return Err(Failure::NotAuthenticated) };
        self.store().knox_delete_of(&user.id, None).await?;
        self.tell(&Event::KnoxLogoutAll, &about(user, client));
        Ok(())
    }
}

/// Whether a Knox token lets its owner in: it is good in its last instant.
pub(crate) fn check_knox(token: &KnoxOwner, now: Timestamp) -> Result<(), Failure> {
    match token.expiry {
        Some(expiry) if expiry < now => Err(Failure::ExpiredToken),
        _ if !token.user.is_active => Err(Failure::InactiveUser),
        _ => Ok(()),
    }
}

fn about<'a>(user: &'a User, client: Client<'a>) -> About<'a> {
    About::client(client).user(&user.id).account(&user.username)
}

/// Enough of a digest to tell tokens apart.
fn beginning(digest: &str) -> String {
    digest.chars().take(16).collect()
}
