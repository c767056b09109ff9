//! Credentials to user: the same work for unknown, inactive and wrong, and Django's upgrade on login.

use countersign_formats::password::{Password, SaltEntropy, is_usable};
use countersign_formats::token_key::TokenKey;
use countersign_store::{EncodedPassword, User};

use crate::audit::{About, Event, LoginRefusal, LoginWay};
use crate::authority::Authority;
use crate::client::{ClientAddress, Credentials};
use crate::failure::Failure;
use crate::settings::AuthenticationBackend;

impl Authority {
    /// The user these credentials belong to; `None` for unknown, wrong, unusable and (under `ModelBackend`) inactive alike,
    /// after the same work. Django 5.2 `ModelBackend.authenticate`, `check_password`.
    ///
    /// A matching password whose hash is not what the preferred hasher would make is re-hashed and saved, also for an inactive
    /// user, as Django does. A concurrent change of the password wins over the re-hash.
    ///
    /// Differs: who guesses too often is refused (SECURITY A2), and so is a login that could not be hashed in time (A3), both before
    /// the database is asked; a re-hash that could not be is left to the next login.
    ///
    /// # Errors
    /// [`Failure::Throttled`] where too many logins have failed, [`Failure::Overloaded`] when too many wait, [`Failure::Store`],
    /// [`Failure::Entropy`] and [`Failure::Hashing`].
    pub async fn login(&self, credentials: Credentials<'_>) -> Result<Option<User>, Failure> {
        let now = self.now().as_microsecond();
        let Credentials { username, client, .. } = credentials;
        let patience = self.settings().hashing.deadline;
        let attempt = self
            .throttling()
            .begin_login(username, client.address, now, patience)
            .await
            .inspect_err(|refused| self.tell_throttled(refused, &About::client(client).account(username)))?;
        let result = self.checked(credentials).await;
        match (&result, attempt) {
            (Ok(Some(_)), Some(attempt)) => attempt.succeed().await,
            (Err(_), Some(attempt)) => attempt.take_back().await,
            (Ok(None), attempt) => drop(attempt),
            (_, None) => {}
        }
        result
    }

    /// As [`login`](Self::login), as often as you like.
    async fn checked(&self, credentials: Credentials<'_>) -> Result<Option<User>, Failure> {
        let Credentials { username, password, client, .. } = credentials;
        let about = || About::client(client).account(username);
        // Before anything is known of the user, so that a refusal tells nothing.
        let place = self.hashing().admit(client.address).inspect_err(|refused| self.tell_shed(refused, &about()))?;
        let found = self.store().user_by_username(username).await?;
        let stored = found.as_ref().map(|user| user.password.expose());
        let job = self.settings().hashers.job(password.clone(), stored, SaltEntropy::new(self.random()?));
        let verdict = place.check(job).await.inspect_err(|refused| self.tell_shed(refused, &about()))?;
        let Some(mut user) = found else {
            self.tell(&Event::LoginFailed { reason: LoginRefusal::UnknownUser }, &about());
            return Ok(None);
        };
        if let Some(refusal) = &verdict.refused {
            tracing::error!(user.id = %user.id, reason = %refusal, "stored password hash refused");
        }
        if !verdict.matches {
            let reason = match &verdict.refused {
                Some(_) => LoginRefusal::UnusableHash,
                None if is_usable(user.password.expose()) => LoginRefusal::WrongPassword,
                None => LoginRefusal::UnusablePassword,
            };
            self.tell(&Event::LoginFailed { reason }, &about().user(&user.id));
            return Ok(None);
        }
        if verdict.must_update
            && let Some(encoded) = self.fresh_hash(&password, client.address).await?
            && self
                .store()
                .replace_password(&user.id, user.password.expose(), &encoded, self.revocations().is_some())
                .await?
        {
            user.password = EncodedPassword::new(encoded);
            self.tell(&Event::PasswordUpgraded, &about().user(&user.id));
        }
        if user.is_active || self.settings().backend == AuthenticationBackend::AllowAllUsers {
            return Ok(Some(user));
        }
        self.tell(&Event::LoginFailed { reason: LoginRefusal::Inactive }, &about().user(&user.id));
        Ok(None)
    }

    /// Tells of a login that came too soon after others.
    fn tell_throttled(&self, refused: &Failure, about: &About<'_>) {
        if matches!(refused, Failure::Throttled { .. }) {
            self.tell(&Event::LoginThrottled { scope: "logins".to_owned() }, about);
        }
    }

    /// Tells of a login that could not be hashed in time.
    fn tell_shed(&self, refused: &Failure, about: &About<'_>) {
        if matches!(refused, Failure::Overloaded { .. }) {
            self.tell(&Event::LoginShed, about);
        }
    }

    /// What the preferred hasher makes of a password; `None` when it does not take it, or not now.
    async fn fresh_hash(&self, password: &Password, client: ClientAddress) -> Result<Option<String>, Failure> {
        let salt = SaltEntropy::new(self.random()?);
        let Ok(hash) = self.settings().hashers.new_hash(password, salt) else { return Ok(None) };
        let made = match self.hashing().admit(client) {
            Ok(place) => place.make(hash).await,
            Err(refused) => Err(refused),
        };
        match made {
            Ok(made) => Ok(made.ok()),
            Err(Failure::Overloaded { .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// DRF's token of the user these credentials belong to, made on first use. DRF 3.18 `ObtainAuthToken.post`.
    ///
    /// # Errors
    /// [`Failure::UnableToLogIn`], and those of [`login`](Self::login).
    pub async fn obtain_auth_token(&self, mut credentials: Credentials<'_>) -> Result<TokenKey, Failure> {
        let place = std::mem::take(&mut credentials.place);
        let table = self.tokens().ok_or(Failure::NotFound)?;
        let about = About::client(credentials.client).account(credentials.username);
        let user = self.login(credentials).await?.ok_or(Failure::UnableToLogIn)?;
        let about = about.user(&user.id);
        let fresh = TokenKey::from_entropy(self.random()?);
        let device = self.device("token", fresh.expose(), &user.id, place, None);
        let key = self.store().token_get_or_create(table, &user.id, &fresh, self.now(), device).await?;
        if key == fresh {
            self.tell(&Event::TokenIssued { by: "login" }, &about);
        }
        self.tell(&Event::Login { way: LoginWay::Token }, &about);
        Ok(key)
    }
}
