//! Credentials to user: bounded hashing, the same work for unknown, inactive and wrong, and Django's upgrade on login.

use countersign_formats::password::{Password, SaltEntropy};
use countersign_store::{EncodedPassword, User};

use crate::authority::Authority;
use crate::failure::Failure;
use crate::settings::AuthenticationBackend;

impl Authority {
    /// The user these credentials belong to; `None` for unknown, wrong, unusable and (under `ModelBackend`) inactive alike,
    /// after the same work. Django 5.2 `ModelBackend.authenticate`, `check_password`.
    ///
    /// A matching password whose hash is not what the preferred hasher would make is re-hashed and saved, also for an inactive
    /// user, as Django does. A concurrent change of the password wins over the re-hash.
    ///
    /// # Errors
    /// [`Failure::Overloaded`] when too many logins wait, [`Failure::Store`] and [`Failure::Entropy`].
    pub async fn login(&self, username: &str, password: Password) -> Result<Option<User>, Failure> {
        let found = self.store().user_by_username(username).await?;
        let hashers = self.settings().hashers.clone();
        let stored = found.as_ref().map(|user| user.password.expose().to_owned());
        let salt = SaltEntropy::new(self.random()?);
        let fresh_salt = SaltEntropy::new(self.random()?);
        let (verdict, upgraded) = self
            .hashing()
            .run(move || {
                let verdict = hashers.job(password.clone(), stored.as_deref(), salt).run();
                let upgraded = (verdict.matches && verdict.must_update).then(|| hashers.encode(&password, fresh_salt));
                let upgraded = upgraded.and_then(Result::ok);
                (verdict, upgraded)
            })
            .await?;
        let Some(mut user) = found else { return Ok(None) };
        if let Some(refusal) = &verdict.refused {
            tracing::error!(user.id = %user.id, reason = %refusal, "stored password hash refused");
        }
        if !verdict.matches {
            return Ok(None);
        }
        if let Some(encoded) = upgraded
            && self.store().replace_password(&user.id, user.password.expose(), &encoded).await?
        {
            user.password = EncodedPassword::new(encoded);
        }
        let may_log_in = user.is_active || self.settings().backend == AuthenticationBackend::AllowAllUsers;
        Ok(may_log_in.then_some(user))
    }

    /// DRF's token of the user these credentials belong to, made on first use. DRF 3.18 `ObtainAuthToken.post`.
    ///
    /// # Errors
    /// [`Failure::UnableToLogIn`], and those of [`login`](Self::login).
    pub async fn obtain_auth_token(
        &self,
        username: &str,
        password: Password,
    ) -> Result<countersign_formats::token_key::TokenKey, Failure> {
        let table = self.tokens().ok_or(Failure::NotFound)?;
        let user = self.login(username, password).await?.ok_or(Failure::UnableToLogIn)?;
        let fresh = countersign_formats::token_key::TokenKey::from_entropy(self.random()?);
        Ok(self.store().token_get_or_create(table, &user.id, &fresh, self.now()).await?)
    }
}
