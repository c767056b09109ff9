//! Credentials to user: the same work for unknown, inactive and wrong, and Django's upgrade on login.

use countersign_formats::password::{Password, SaltEntropy};
use countersign_formats::token_key::TokenKey;
use countersign_store::{EncodedPassword, User};

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
        let attempt = self.throttling().begin_login(username, client, now, patience).await?;
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
        let Credentials { username, password, client } = credentials;
        // Before anything is known of the user, so that a refusal tells nothing.
        let place = self.hashing().admit(client)?;
        let found = self.store().user_by_username(username).await?;
        let stored = found.as_ref().map(|user| user.password.expose());
        let job = self.settings().hashers.job(password.clone(), stored, SaltEntropy::new(self.random()?));
        let verdict = place.check(job).await?;
        let Some(mut user) = found else { return Ok(None) };
        if let Some(refusal) = &verdict.refused {
            tracing::error!(user.id = %user.id, reason = %refusal, "stored password hash refused");
        }
        if !verdict.matches {
            return Ok(None);
        }
        if verdict.must_update
            && let Some(encoded) = self.fresh_hash(&password, client).await?
            && self.store().replace_password(&user.id, user.password.expose(), &encoded).await?
        {
            user.password = EncodedPassword::new(encoded);
        }
        let may_log_in = user.is_active || self.settings().backend == AuthenticationBackend::AllowAllUsers;
        Ok(may_log_in.then_some(user))
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
    pub async fn obtain_auth_token(&self, credentials: Credentials<'_>) -> Result<TokenKey, Failure> {
        let table = self.tokens().ok_or(Failure::NotFound)?;
        let user = self.login(credentials).await?.ok_or(Failure::UnableToLogIn)?;
        let fresh = TokenKey::from_entropy(self.random()?);
        Ok(self.store().token_get_or_create(table, &user.id, &fresh, self.now()).await?)
    }
}
