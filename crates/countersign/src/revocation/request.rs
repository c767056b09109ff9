//! The end of a token that a registered client asks for (RFC 7009), of whatever kind.
//!
//! A refresh token ends its whole session, access tokens included, on every node (§2.1). An access token ends alone: it is the weaker
//! of the two and is shown to every service that takes it, none of which is to log its user out by it. A token that is a row is
//! deleted.

use countersign_formats::jwt::{TokenType, check_token};
use countersign_formats::session_id::session_id;
use countersign_store::{SessionFate, UserId};
use zeroize::Zeroizing;

use crate::audit::{About, Event};
use crate::authority::Authority;
use crate::client::Client;
use crate::clients::RegisteredClient;
use crate::devices::id_of_native;
use crate::failure::Failure;
use crate::introspection::{Reading, is_refusal, is_word};

/// `end_reason` of a session that a client ended.
const BY_CLIENT: &str = "revoked";

/// Who asks for the end of a token.
#[derive(Clone, Copy)]
struct Asking<'a> {
    registered: &'a RegisteredClient,
    client: Client<'a>,
}

impl Authority {
    /// Ends a token on behalf of a client. One that nobody knows, or that had ended, is no error (RFC 7009 §2.2). `hint` says where
    /// to look first.
    ///
    /// # Errors
    /// [`Failure::AnotherClientsToken`] (RFC 7009 §2.1), [`Failure::UnsupportedTokenType`] for a token that nothing here could end before
    /// its time, [`Failure::Store`].
    pub async fn revoke(
        &self,
        token: &str,
        hint: Option<&str>,
        registered: &RegisteredClient,
        client: Client<'_>,
    ) -> Result<(), Failure> {
        if !is_word(token) {
            return Ok(());
        }
        let asking = Asking { registered, client };
        for reading in Reading::in_order(hint) {
            let ended = match reading {
                Reading::Native => self.end_native(token, asking).await,
                // Which of the two it is, it says itself.
                Reading::Access => Box::pin(self.end_jwt(token, asking)).await,
                Reading::Refresh => Ok(false),
                Reading::Token => self.end_drf_token(token, asking).await,
                Reading::Knox => self.end_knox(token, asking).await,
            };
            match ended {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(failure) if is_refusal(&failure) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// `false` for what is no token of ours, or has expired.
    async fn end_jwt(&self, token: &str, asking: Asking<'_>) -> Result<bool, Failure> {
        let (settings, now) = (self.settings(), self.now());
        let Ok(claims) = self.decode(token.as_bytes(), now).await else { return Ok(false) };
        let is = |class| check_token(&claims, class, &settings.simple_jwt.rules, now).is_ok();
        if !is(TokenType::Untyped) {
            return Ok(false);
        }
        if self.client_claim(&claims).is_some_and(|issued_to| issued_to.as_str() != Some(&asking.registered.id)) {
            return Err(Failure::AnotherClientsToken);
        }
        let (has_sessions, has_blacklist) = (settings.sessions.is_some(), settings.apps.token_blacklist);
        if is(TokenType::Refresh) {
            // Where tokens do not say their type, all of them end so.
            match (has_sessions, has_blacklist) {
                (true, _) => self.log_out_of_family(token, asking.client, ("revoke", BY_CLIENT)).await?,
                (false, true) => self.blacklist(token, asking.client).await?,
                (false, false) => return Err(Failure::UnsupportedTokenType),
            }
        } else if is(TokenType::Sliding) && has_blacklist {
            self.blacklist_sliding(token, &claims, asking.client).await?;
        } else {
            let jti = self.jti_of(&claims).filter(|_| has_sessions).ok_or(Failure::UnsupportedTokenType)?;
            self.revoke_token(&jti).await?;
        }
        self.tell_revoked("jwt", self.jti_of(&claims), self.claimed_user_id(&claims).as_deref(), asking);
        Ok(true)
    }

    async fn end_native(&self, token: &str, asking: Asking<'_>) -> Result<bool, Failure> {
        let Some(settings) = &self.settings().native_tokens else { return Ok(false) };
        let (found, digest) = self.native_token(settings, token.as_bytes()).await?;
        let id = id_of_native(&digest);
        self.end_row(("native", &id), &found.user.id, SessionFate::Native(Zeroizing::new(digest)), asking).await
    }

    async fn end_knox(&self, token: &str, asking: Asking<'_>) -> Result<bool, Failure> {
        if !self.settings().apps.knox {
            return Ok(false);
        }
        let (found, digest) = self.knox_token(token).await?;
        if self.settings().sessions.is_none() {
            self.store().knox_delete(&digest).await?;
            self.tell_revoked("knox", None, Some(&found.user.id.to_string()), asking);
            return Ok(true);
        }
        let id = session_id("knox", &digest);
        let fate = SessionFate::Knox { digest: Zeroizing::new(digest), id: id.clone() };
        self.end_row(("knox", &id), &found.user.id, fate, asking).await
    }

    async fn end_drf_token(&self, token: &str, asking: Asking<'_>) -> Result<bool, Failure> {
        for table in self.token_tables() {
            let Some(user) = self.store().token_owner(table, token).await? else { continue };
            let has_sessions = self.settings().sessions.is_some();
            let id = session_id("token", token);
            let about = About::client(asking.client).user(&user.id).session(&id);
            let told = self.audit().entry(&Event::SessionEnded { reason: BY_CLIENT }, &about, self.now());
            let told = told.filter(|_| has_sessions);
            let rows = self.audit().rows(told.as_slice());
            // By its key: a table of the project's own may have several of one user.
            if self.store().token_end(table, token, has_sessions.then_some(id), rows).await? {
                self.audit().committed(told.as_slice());
                self.tell_revoked("token", None, Some(&user.id.to_string()), asking);
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Deletes a token that is a row, and what is known of where it was used; `id` is the session that it was.
    async fn end_row(
        &self,
        (kind, id): (&'static str, &str),
        user: &UserId,
        fate: SessionFate,
        asking: Asking<'_>,
    ) -> Result<bool, Failure> {
        let about = About::client(asking.client).user(user).session(id);
        if self.end_one(BY_CLIENT, fate, &about).await? {
            self.tell_revoked(kind, None, Some(&user.to_string()), asking);
        }
        Ok(true)
    }

    fn tell_revoked(&self, kind: &'static str, jti: Option<String>, user: Option<&str>, asking: Asking<'_>) {
        let event = Event::RevokedByClient { client: asking.registered.id.clone(), kind, jti };
        self.tell(&event, &About::client(asking.client).claimed_user(user));
    }
}
