//! Sessions: SimpleJWT's refresh, verify and blacklist where families of refresh tokens are kept (`docs/sessions.md`).

use countersign_formats::json::Value;
use countersign_formats::jwt::{Cause, Claims, Refusal, TokenType, check_token};
use countersign_store::{
    Exchange, FamilyFacts, FamilyOutcome, FamilyStep, NewSession, Place, Presented, Refreshing, Seen, SessionFacts,
    Successor, User, UserId,
};
use jiff::{SignedDuration, Timestamp};

use crate::audit::{About, Event};
use crate::authority::Authority;
use crate::claim_value::{is_truthy, to_instant};
use crate::client::Client;
use crate::failure::Failure;
use crate::family::{FamilyKeys, Rule, Verdict, Why, later};
use crate::pair::{Refreshed, check_issuer_is_text};
use crate::revocation::{is_refused, made_at};
use crate::settings::SessionSettings;

/// Without rotation a refresh is recorded no more often than this.
const COALESCED: SignedDuration = SignedDuration::from_secs(60);

/// `end_reason` of a logout.
pub(crate) const LOGOUT: &str = "logout";

/// What a presented token is, and what its session is to be known by.
struct Guest<'a> {
    sessions: &'a SessionSettings,
    keys: &'a FamilyKeys,
    rule: Rule,
    presented: Presented,
    /// Whether the token names its session.
    is_named: bool,
    /// Whose it says it is.
    user: Option<String>,
    client: Client<'a>,
    /// The view whose body had it.
    at: &'static str,
    now: Timestamp,
}

impl Authority {
    /// [`refresh`](Self::refresh) where there are sessions.
    pub(crate) async fn refresh_in_family(&self, token: &str, client: Client<'_>) -> Result<Refreshed, Failure> {
        let now = self.now_stored();
        let mut claims = self.accept_unless_void(token, TokenType::Refresh, now).await?;
        check_issuer_is_text(&claims)?;
        self.check_client(&claims, client)?;
        let guest = self.guest(&mut claims, client, "refresh", now)?;
        let (facts, is_revoked) = self.known_of(&guest, &claims).await?;
        let verdict = guest.rule.judge(&facts, guest.is_named, now);
        if let Verdict::Refuse(why) | Verdict::End(why) = verdict {
            return self.turn_away(guest, why, matches!(verdict, Verdict::End(_))).await;
        }
        let user = self.refreshing_user(&claims).await?;
        if is_revoked {
            return self.turn_away(guest, Why::Ended, false).await;
        }
        self.set_declared_claims(&mut claims, user.as_ref()).await?;
        if let Verdict::Again(successor) = verdict {
            return Ok(self.converged(&guest, &claims, &successor));
        }
        self.refresh_good(guest, claims, user, &facts).await
    }

    /// What is known of a token's family, and whether something has ended the token. That is among the facts, and not looked up in
    /// memory: there, a mark may be missing for as long as a read vouches, and a token that named no session, or was marked by itself,
    /// would leave with a successor that is marked nowhere.
    async fn known_of(&self, guest: &Guest<'_>, claims: &Claims) -> Result<(FamilyFacts, bool), Failure> {
        let facts = self.store().family_facts(&guest.presented).await?;
        let is_revoked = is_refused(claims, guest.named(), &facts.against);
        Ok((facts, is_revoked))
    }

    /// The claims of a token that a refresh would take now, for the first time, and whose it is. Nothing is written.
    ///
    /// # Errors
    /// Those of [`refresh`](Self::refresh) by the client that the token was issued to.
    pub(crate) async fn look_in_family(&self, token: &str) -> Result<(Claims, Option<User>), Failure> {
        let now = self.now_stored();
        let mut claims = self.accept_unless_void(token, TokenType::Refresh, now).await?;
        check_issuer_is_text(&claims)?;
        self.known_client(&claims)?;
        let guest = self.guest(&mut claims, Client::default(), "introspect", now)?;
        let (facts, is_revoked) = self.known_of(&guest, &claims).await?;
        let is_good = guest.rule.judge(&facts, guest.is_named, now) == Verdict::Good;
        drop(guest);
        let user = self.refreshing_user(&claims).await?;
        if is_good && !is_revoked { Ok((claims, user)) } else { Err(Failure::Token(Refusal::Blacklisted)) }
    }

    /// A token that was good a moment ago: exchanged, if that is still so; else decided again, alone in its family, and carried
    /// out.
    async fn refresh_good(
        &self,
        mut guest: Guest<'_>,
        claims: Claims,
        user: Option<User>,
        facts: &FamilyFacts,
    ) -> Result<Refreshed, Failure> {
        let now = guest.now;
        let rotates = self.settings().simple_jwt.rotate_refresh_tokens;
        if !rotates && facts.session.is_some_and(|session| !guest.is_due(&session)) {
            self.tell_refresh(&guest);
            return Ok(Refreshed {
                access: self.access_alone(&guest, &claims, facts.session.as_ref())?,
                refresh: None,
            });
        }
        if rotates
            && self.store().may_exchange_at_once(&guest.presented, facts)
            && let Some(session) = &facts.session
            && let FamilyStep::Exchange(exchange) = self.exchange(
                &guest.rule,
                &guest.presented,
                &claims,
                user.as_ref().map(|user| user.id.clone()),
                session,
                now,
            )
            && self.store().exchange_at_once(&guest.presented, facts, &exchange).await?
        {
            self.session_counts().rotated();
            self.tell_refresh(&guest);
            return Ok(self.given(&guest, &claims, &exchange.successor));
        }
        if !guest.is_named {
            guest.presented.begins =
                self.session_of(&claims, &guest.presented, user.as_ref().map(|user| &user.id), now);
        }
        let (authority, rule, is_named) = (self.clone(), guest.rule.clone(), guest.is_named);
        let about = guest.about().into_static();
        let (presented, owner, offered) = (guest.presented.clone(), user.map(|user| user.id), claims.clone());
        let ((verdict, facts, told), outcome) = self
            .store()
            .in_family(guest.presented.clone(), move |facts| {
                let sid = is_named.then_some(&*presented.sid);
                let verdict = match rule.judge(facts, is_named, now) {
                    Verdict::Good | Verdict::Again(_) if is_refused(&offered, sid, &facts.against) => {
                        Verdict::Refuse(Why::Ended)
                    }
                    verdict => verdict,
                };
                let mut told = Vec::new();
                let step = match (&verdict, &facts.session) {
                    (Verdict::Good, Some(session)) if rotates => {
                        authority.exchange(&rule, &presented, &offered, owner, session, now)
                    }
                    (Verdict::Good, Some(_)) => FamilyStep::Refreshed(authority.refreshing(&rule, &offered, now)),
                    (Verdict::End(why), _) => {
                        told = authority.ending(*why, &presented.jti, &about, now);
                        FamilyStep::End {
                            reason: why.name(),
                            at: now,
                            token: None,
                            events: authority.audit().rows(&told),
                        }
                    }
                    _ => FamilyStep::Nothing,
                };
                (step, (verdict, facts.clone(), told))
            })
            .await?;
        match (verdict, outcome) {
            (Verdict::Refuse(why), _) => self.turn_away(guest, why, false).await,
            (Verdict::End(why), _) => {
                self.tell_end(&guest, why, outcome, &told);
                Err(Failure::Token(Refusal::Blacklisted))
            }
            (Verdict::Again(successor), _) => Ok(self.converged(&guest, &claims, &successor)),
            (Verdict::Good, FamilyOutcome::Forestalled) => self.turn_away(guest, Why::Blacklisted, false).await,
            (Verdict::Good, FamilyOutcome::Done) if rotates => {
                if !facts.is_recorded && is_named {
                    let jti = guest.presented.jti.clone();
                    self.tell(&Event::RefreshUnrecordedAccepted { jti }, &guest.about());
                }
                let session = facts.session.ok_or(Failure::Token(Refusal::Blacklisted))?;
                let successor = self.successor(&guest.rule, &guest.presented, &claims, &session, now);
                self.session_counts().rotated();
                self.tell_refresh(&guest);
                Ok(self.given(&guest, &claims, &successor))
            }
            (Verdict::Good, FamilyOutcome::Done) => {
                self.tell_refresh(&guest);
                Ok(Refreshed { access: self.access_alone(&guest, &claims, facts.session.as_ref())?, refresh: None })
            }
        }
    }

    /// [`verify`](Self::verify) where there are sessions: whether the token would be accepted now.
    pub(crate) async fn verify_in_family(&self, token: &str, client: Client<'_>) -> Result<(), Failure> {
        let now = self.now_stored();
        let mut claims = self.accept_unless_void(token, TokenType::Untyped, now).await?;
        let settings = &self.settings().simple_jwt;
        let is = |kind: TokenType| check_token(&claims, kind, &settings.rules, now).is_ok();
        let is_refresh = is(TokenType::Refresh);
        self.verify_is_not_blacklisted(&claims).await?;
        let is_revoked;
        if is_refresh || self.named_session(&claims).is_some() {
            let guest = self.guest(&mut claims, client, "verify", now)?;
            let facts = self.store().family_facts(&guest.presented).await?;
            is_revoked = is_refused(&claims, guest.named(), &facts.against);
            let is_good = if is_refresh {
                guest.rule.judge(&facts, guest.is_named, now) == Verdict::Good
            } else {
                facts.session.is_some_and(|session| session.ended_at.is_none())
            };
            if !is_good {
                return Err(Failure::VerifiedBlacklisted);
            }
        } else {
            is_revoked = self.is_revoked_in_database(&claims, None).await?;
        }
        if is_refresh {
            self.refreshing_user(&claims).await?;
        } else if let Some(claim) = claims.get(&settings.user_id_claim) {
            let user = self.user_of_claim(claim).await?.ok_or(Failure::UserNotFound)?;
            if settings.check_user_is_active && !user.is_active {
                return Err(Failure::JwtUserInactive);
            }
            self.check_revocation(&claims, &user)?;
        }
        if is_revoked { Err(Failure::VerifiedBlacklisted) } else { Ok(()) }
    }

    /// [`blacklist`](Self::blacklist) where there are sessions: the end of the whole session. The holder of a token that was
    /// exchanged a moment ago, whose answer was lost, may end it too. `at` is what was asked for, `reason` stands in the session's
    /// `end_reason`.
    pub(crate) async fn log_out_of_family(
        &self,
        token: &str,
        client: Client<'_>,
        (at, reason): (&'static str, &'static str),
    ) -> Result<(), Failure> {
        let now = self.now_stored();
        let text = self.accept_unless_void(token, TokenType::Refresh, now).await?;
        let mut claims = text.clone();
        let mut guest = self.guest(&mut claims, client, at, now)?;
        let user = self.owner_of(&claims).await?;
        if !guest.is_named {
            guest.presented.begins = self.session_of(&claims, &guest.presented, user.as_ref(), now);
        }
        let has_blacklist = self.settings().apps.token_blacklist;
        let recorded = if has_blacklist { self.outstanding(&text, &self.sign(&text), user, now) } else { None };
        let (authority, rule, is_named) = (self.clone(), guest.rule.clone(), guest.is_named);
        let (about, jti) = (guest.about().into_static(), guest.presented.jti.clone());
        let ((verdict, told), outcome) = self
            .store()
            .in_family(guest.presented.clone(), move |facts| {
                let verdict = rule.judge(facts, is_named, now);
                let mut told = Vec::new();
                let step = match &verdict {
                    Verdict::Good | Verdict::Again(_) => {
                        told.extend(authority.audit().entry(&Event::SessionEnded { reason }, &about, now));
                        let events = authority.audit().rows(&told);
                        FamilyStep::End { reason, at: now, token: recorded.map(Box::new), events }
                    }
                    Verdict::End(why) => {
                        told = authority.ending(*why, &jti, &about, now);
                        FamilyStep::End {
                            reason: why.name(),
                            at: now,
                            token: None,
                            events: authority.audit().rows(&told),
                        }
                    }
                    Verdict::Refuse(_) => FamilyStep::Nothing,
                };
                (step, (verdict, told))
            })
            .await?;
        match verdict {
            Verdict::Good | Verdict::Again(_) => {
                self.note_end(&guest.presented.sid, now);
                if outcome == FamilyOutcome::Done {
                    self.audit().committed(&told);
                }
                Ok(())
            }
            Verdict::Refuse(why) => self.turn_away(guest, why, false).await,
            Verdict::End(why) => {
                self.tell_end(&guest, why, outcome, &told);
                Err(Failure::Token(Refusal::Blacklisted))
            }
        }
    }

    /// The session that a new refresh token begins, named in its claims; `None` while there are no sessions.
    pub(crate) fn begin_session(
        &self,
        refresh: &mut Claims,
        user: Option<&UserId>,
        place: Place,
        began: Timestamp,
    ) -> Option<NewSession> {
        let (sessions, keys) = (self.settings().sessions.as_ref()?, self.family_keys()?);
        let sid = keys.session_of(&self.jti_of(refresh)?, began);
        refresh.set(&sessions.claim, Value::from(sid.as_str()));
        let guest = self.guest(refresh, Client::default(), "login", began).ok()?;
        let session = NewSession { place, ..self.session_of(refresh, &guest.presented, user, began)? };
        if let Some(end) = session.expires_at {
            cap(refresh, end);
        }
        Some(session)
    }

    /// The row of a session that begins with this refresh token.
    fn session_of(
        &self,
        claims: &Claims,
        presented: &Presented,
        user: Option<&UserId>,
        now: Timestamp,
    ) -> Option<NewSession> {
        let sessions = self.settings().sessions.as_ref()?;
        let created_at = FamilyKeys::start_of(&presented.sid).unwrap_or(now);
        Some(NewSession {
            sid: presented.sid.clone(),
            user: user.cloned(),
            root_jti: presented.jti.clone(),
            created_at,
            refreshed_at: now,
            expires_at: sessions.absolute_lifetime.map(|lifetime| later(created_at, lifetime)),
            idle_expires_at: sessions.idle_lifetime.map(|lifetime| later(now, lifetime)),
            place: Place::default(),
            keep_until: self.kept_until(claims),
        })
    }

    /// What is presented, with its session in the claims, where SimpleJWT's copies take it along.
    fn guest<'a>(
        &'a self,
        claims: &mut Claims,
        client: Client<'a>,
        at: &'static str,
        now: Timestamp,
    ) -> Result<Guest<'a>, Failure> {
        let (Some(sessions), Some(keys)) = (self.settings().sessions.as_ref(), self.family_keys()) else {
            return Err(Failure::NotFound);
        };
        let jti = self.jti_of(claims).ok_or(Failure::Token(Cause::NotAString("jti").into()))?;
        let has_blacklist = self.settings().apps.token_blacklist;
        let named = self.named_session(claims).map(str::to_owned);
        let is_named = named.is_some();
        let sid = named.unwrap_or_else(|| {
            if claims.contains(&sessions.claim) {
                self.tell(&Event::SessionClaimTaken { claim: sessions.claim.clone() }, &About::client(client));
            }
            // A token of Django's was made before it is seen here. All nodes come to the same start.
            let sid = keys.session_of(&jti, made_at(claims).unwrap_or(Timestamp::UNIX_EPOCH));
            claims.set(&sessions.claim, Value::from(sid.as_str()));
            sid
        });
        Ok(Guest {
            sessions,
            keys,
            rule: Rule::of(sessions, has_blacklist),
            presented: Presented { jti, sid, subject: self.subject_of(claims), begins: None, has_blacklist },
            is_named,
            user: self.claimed_user_id(claims),
            client,
            at,
            now,
        })
    }

    /// The session that a token names, if it is one of ours.
    pub(crate) fn named_session<'c>(&self, claims: &'c Claims) -> Option<&'c str> {
        let (sessions, keys) = (self.settings().sessions.as_ref()?, self.family_keys()?);
        claims.get(&sessions.claim).and_then(Value::as_str).filter(|claim| keys.is_session(claim))
    }

    /// Notes that a token of the session it names was seen.
    pub(crate) fn family_seen(&self, claims: &Claims) {
        let (Some(last_seen), Some(sessions)) = (self.last_seen(), &self.settings().sessions) else { return };
        // Whether the claim is one of ours costs more than this, and is asked once a period.
        if let Some(claim) = claims.get(&sessions.claim).and_then(Value::as_str) {
            last_seen.note(("jwt", claim), || {
                self.named_session(claims).map(|sid| (Seen::Family(sid.to_owned()), self.now()))
            });
        }
    }

    /// Steps 1 to 15 of SPEC §6.3 but the blacklist, which has its say in the family's facts.
    async fn accept_unless_void(&self, token: &str, class: TokenType, now: Timestamp) -> Result<Claims, Failure> {
        let settings = &self.settings().simple_jwt;
        let claims = self.decoded(token, now).await?;
        check_token(&claims, class, &settings.rules, now).map_err(Failure::Token)?;
        Ok(claims)
    }

    /// The token's user, who must be one that may log in. SimpleJWT 5.5 `TokenRefreshSerializer`.
    pub(crate) async fn refreshing_user(&self, claims: &Claims) -> Result<Option<User>, Failure> {
        let settings = &self.settings().simple_jwt;
        let Some(claim) = claims.get(&settings.user_id_claim).filter(|claim| is_truthy(claim)) else { return Ok(None) };
        let user = self.user_of_claim(claim).await?.ok_or(Failure::NoUserForToken)?;
        if settings.check_user_is_active && !user.is_active {
            return Err(Failure::NoActiveAccountForToken);
        }
        self.check_revocation(claims, &user)?;
        Ok(Some(user))
    }

    /// The exchange of a token that is good.
    fn exchange(
        &self,
        rule: &Rule,
        presented: &Presented,
        claims: &Claims,
        owner: Option<UserId>,
        session: &SessionFacts,
        now: Timestamp,
    ) -> FamilyStep {
        let successor = self.successor(rule, presented, claims, session, now);
        let next = self.next_claims(claims, &successor);
        let (Some(old), Some(new)) = (
            self.outstanding(claims, &self.sign(claims), owner.clone(), now),
            self.outstanding(&next, &self.sign(&next), owner, now),
        ) else {
            return FamilyStep::Nothing;
        };
        FamilyStep::Exchange(Box::new(Exchange {
            keep_until: self.kept_until(claims).max(self.kept_until(&next)),
            refreshing: self.refreshing(rule, &next, now),
            successor,
            presented: old,
            blacklists: self.settings().simple_jwt.blacklist_after_rotation,
            recorded: new,
        }))
    }

    /// The successor of a token exchanged at `now`: never to outlive the session.
    fn successor(
        &self,
        rule: &Rule,
        presented: &Presented,
        claims: &Claims,
        session: &SessionFacts,
        now: Timestamp,
    ) -> Successor {
        let lifetimes = self.lifetimes(claims);
        let end = rule.absolute_end(session).map_or(i64::MAX, Timestamp::as_second);
        let until = |lifetime| later(now, lifetime).as_second().min(end);
        Successor {
            jti: self.family_keys().map(|keys| keys.successor_of(&presented.jti)).unwrap_or_default(),
            rotated_at: now,
            iat: now.as_second(),
            exp: until(lifetimes.refresh),
            access_exp: until(lifetimes.access),
        }
    }

    /// The claims of the successor, as SimpleJWT's rotation leaves them.
    fn next_claims(&self, claims: &Claims, successor: &Successor) -> Claims {
        let jwt = &self.settings().simple_jwt;
        let mut next = claims.clone();
        next.rotate_in_place(&jwt.rules, successor.rotated_at, jwt.refresh_token_lifetime, &successor.jti);
        set_times(&mut next, successor.iat, successor.exp);
        next
    }

    /// What an exchange gives: the same to the byte, whenever and wherever it is asked for.
    fn given(&self, guest: &Guest<'_>, claims: &Claims, successor: &Successor) -> Refreshed {
        let jwt = &self.settings().simple_jwt;
        let access_jti = guest.keys.access_of(&guest.presented.jti);
        let mut access =
            claims.access_from_refresh(&jwt.rules, successor.rotated_at, jwt.access_token_lifetime, &access_jti);
        set_times(&mut access, successor.iat, successor.access_exp);
        Refreshed { access: self.sign(&access), refresh: Some(self.sign(&self.next_claims(claims, successor))) }
    }

    fn converged(&self, guest: &Guest<'_>, claims: &Claims, successor: &Successor) -> Refreshed {
        self.session_counts().converged();
        let after = guest.now.duration_since(successor.rotated_at);
        self.tell(&Event::RefreshConverged { after }, &guest.about());
        self.given(guest, claims, successor)
    }

    /// The access token of a refresh without rotation.
    fn access_alone(
        &self,
        guest: &Guest<'_>,
        claims: &Claims,
        session: Option<&SessionFacts>,
    ) -> Result<String, Failure> {
        let jwt = &self.settings().simple_jwt;
        let mut access =
            claims.access_from_refresh(&jwt.rules, guest.now, self.lifetimes(claims).access, &self.fresh_jti()?);
        if let Some(end) = session.and_then(|session| guest.rule.absolute_end(session)) {
            cap(&mut access, end);
        }
        Ok(self.sign(&access))
    }

    fn refreshing(&self, rule: &Rule, claims: &Claims, now: Timestamp) -> Refreshing {
        Refreshing {
            at: now,
            idle_expires_at: rule.idle.map(|lifetime| later(now, lifetime)),
            keep_until: self.kept_until(claims),
        }
    }

    /// Until when a row about a refresh token is of use: until no access token that it bought is accepted either.
    fn kept_until(&self, claims: &Claims) -> Timestamp {
        let leeway = self.settings().simple_jwt.rules.leeway;
        let expiry = claims.get("exp").and_then(to_instant).unwrap_or(Timestamp::MAX);
        later(expiry, self.lifetimes(claims).access.saturating_add(leeway))
    }

    /// The instant, no finer than the database keeps it: what is computed from it can then be computed again.
    fn now_stored(&self) -> Timestamp {
        let now = self.now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

impl Guest<'_> {
    /// The session that the token itself names.
    fn named(&self) -> Option<&str> {
        self.is_named.then_some(&*self.presented.sid)
    }

    /// Whether a refresh without rotation is worth a write: not if the last was just before.
    fn is_due(&self, session: &SessionFacts) -> bool {
        let often = self.sessions.idle_lifetime.map_or(COALESCED, |idle| COALESCED.min(idle / 20));
        self.now.duration_since(session.refreshed_at) >= often
    }
}

/// `exp` no later than this.
pub(crate) fn cap(claims: &mut Claims, end: Timestamp) {
    if claims.exp().is_some_and(|exp| exp > end.as_second()) {
        claims.set("exp", Value::from(end.as_second()));
    }
}

fn set_times(claims: &mut Claims, iat: i64, exp: i64) {
    claims.set("exp", Value::from(exp));
    claims.set("iat", Value::from(iat));
}

mod telling;

#[cfg(test)]
mod tests;
