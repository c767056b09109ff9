//! Logouts at a Django beside us: it voids the refresh token, and so does a rotation there. A rotation records the next token a moment later
//! (SimpleJWT 5.5 `TokenRefreshSerializer`: `blacklist()`, then `outstand()`), so what has no successor by then was logged out.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_formats::jwt::{Claims, TokenType, check_token};
use countersign_store::{LoggedOut, StoreError, Voided};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::made_at;
use crate::audit::{About, Event};
use crate::authority::Authority;

/// `end_reason`.
const REASON: &str = "django_logout";
/// Tokens that wait in memory. Of more, the rows wait for the next start.
const MOST: usize = 100_000;

/// Rows of tokens that were voided, each with when it was heard of, until it is time to judge them.
#[derive(Default)]
pub(super) struct Waiting {
    tokens: Mutex<VecDeque<(i64, Instant)>>,
    news: Notify,
}

impl Waiting {
    pub(super) fn add(&self, tokens: impl Iterator<Item = i64>) {
        let mut waiting = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let free = MOST - waiting.len();
        waiting.extend(tokens.take(free).map(|token| (token, Instant::now())));
        self.news.notify_one();
    }

    /// The next that was heard of so long ago.
    async fn next(&self, delay: Duration) -> i64 {
        loop {
            let first = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).front().copied();
            match first {
                None => self.news.notified().await,
                Some((_, since)) if since.elapsed() < delay => tokio::time::sleep_until(since + delay).await,
                Some((token, _)) => {
                    self.tokens.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    return token;
                }
            }
        }
    }
}

impl Authority {
    /// Ends sessions here whose refresh token a Django beside us voided and did not exchange. Goes on until it is dropped; without
    /// sessions, or where the settings say so, it does nothing.
    pub async fn follow_django(&self) {
        let delay = self.settings().sessions.as_ref().and_then(|sessions| sessions.django_logout_after);
        let (Some(revocations), Some(delay), true) = (self.revocations(), delay, self.settings().apps.token_blacklist)
        else {
            return std::future::pending().await;
        };
        loop {
            let token = revocations.voided.next(delay).await;
            if let Err(error) = self.judge_voided(token).await {
                tracing::warn!(%error, "whether a token that Django voided was logged out is not known; later again");
                revocations.voided.add(std::iter::once(token));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    async fn judge_voided(&self, id: i64) -> Result<(), StoreError> {
        let logged_out = match self.store().voided(id).await? {
            Some(voided) => self.logged_out(&voided),
            None => None,
        };
        let Some((sid, claims)) = logged_out else { return self.store().settle_voided(id, None).await.map(|_| ()) };
        let (at, user) = (self.now(), self.claimed_user_id(&claims));
        let about = About::default().claimed_user(user.as_deref()).session(&sid);
        let told = Vec::from_iter(self.audit().entry(&Event::SessionEnded { reason: REASON }, &about, at));
        let logout = LoggedOut { sid: sid.clone(), reason: REASON, at, told: self.audit().rows(&told) };
        if self.store().settle_voided(id, Some(logout)).await? {
            self.note_end(&sid, at);
            self.audit().committed(&told);
        }
        Ok(())
    }

    /// The session of a token that was voided, and its claims, unless it may go on: with a later token that names it, or that cannot be
    /// read, or, where the token itself names none, with any later one that names none.
    fn logged_out(&self, voided: &Voided) -> Option<(String, Claims)> {
        let claims = self.recorded_claims(&voided.token)?;
        check_token(&claims, TokenType::Refresh, &self.settings().simple_jwt.rules, self.now()).ok()?;
        let named = self.named_session(&claims).map(str::to_owned);
        let goes_on = |later: &String| {
            self.recorded_claims(later).is_none_or(|later| self.named_session(&later) == named.as_deref())
        };
        if voided.later.as_ref()?.iter().any(goes_on) {
            return None;
        }
        let sid = if let Some(sid) = named {
            sid
        } else {
            let began = made_at(&claims).unwrap_or(Timestamp::UNIX_EPOCH);
            self.family_keys()?.session_of(&self.jti_of(&claims)?, began)
        };
        Some((sid, claims))
    }

    /// The claims of a token of the table. Nobody presents it, so that no use of its key is noted.
    fn recorded_claims(&self, token: &str) -> Option<Claims> {
        self.key_ring().current().read(token.as_bytes(), &self.settings().simple_jwt.rules, self.now())
    }
}
