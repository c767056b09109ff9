//! One view of all sessions of a user, whatever kind: DRF's token, Knox's tokens, our own, and families of JSON web tokens.

use countersign_formats::session_id::session_id;
use countersign_store::{Device, Ending, Place, Seen, SessionFate, TokenTable, UserId};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use crate::audit::{About, Event};
use crate::authenticate::{Credential, Identity, Principal, Scheme, joined, shown_token};
use crate::client::Client;
use crate::family::{Rule, later};
use crate::revocation::has_begun_by;
use crate::{Authority, Failure};

/// Sessions of one kind that are shown, the newest.
const MOST: u32 = 500;

/// For how long it is remembered where a token was used that has no end.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(365 * 24);

/// `end_reason` of one session that its user ended.
const BY_USER: &str = "ended_by_user";
/// The same of all of them, or all but one.
const ALL_BY_USER: &str = "logout_all";
/// The same of what an operator ended.
pub(crate) const BY_OPERATOR: &str = "operator";

/// One session of a user.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// Names it to its owner, and is no secret.
    pub id: String,
    /// The scheme it lets in by: `jwt`, `token`, `knox`, `native` ([`Scheme::name`]).
    pub kind: &'static str,
    /// Where it began.
    pub place: Place,
    /// When it began.
    pub created: Timestamp,
    /// When it was last seen here, to about a minute.
    pub last_seen: Option<Timestamp>,
    /// When it ends if it is not used any more; `None` is never.
    pub expires: Option<Timestamp>,
    fate: SessionFate,
}

/// The session that let a request in.
#[derive(Clone, Debug)]
pub struct CurrentSession {
    /// As [`SessionInfo::id`].
    pub id: String,
    fate: SessionFate,
}

/// The id of the session that a token of our own kind is.
pub(crate) fn id_of_native(digest: &str) -> String {
    session_id("native", digest)
}

impl Authority {
    /// The sessions of a user that live, the newest first; of each kind the 500 newest.
    ///
    /// # Errors
    /// [`Failure::Store`]; [`Failure::NotFound`] where there are no sessions.
    pub async fn sessions_of(&self, user: &UserId) -> Result<Vec<SessionInfo>, Failure> {
        let now = self.now();
        let mut sessions = self.families_of(user, now).await?;
        if let Some(settings) = &self.settings().native_tokens {
            for row in self.store().native_tokens_of(user, MOST).await? {
                sessions.push(SessionInfo {
                    id: id_of_native(&row.digest),
                    kind: "native",
                    expires: settings.end(row.created, row.expires, row.last_seen),
                    place: row.place,
                    created: row.created,
                    last_seen: row.last_seen,
                    fate: SessionFate::Native(row.digest),
                });
            }
        }
        // A change of the user ends all of these and none of the following, as at Django.
        if !sessions.is_empty() {
            let mark = self.store().owner_mark(user).await?;
            sessions.retain(|session| !has_begun_by(Some(session.created), mark));
        }
        sessions.extend(self.tokens_of(user).await?);
        sessions.retain(|session| session.expires.is_none_or(|end| end >= now));
        sessions.sort_by(|one, other| other.created.cmp(&one.created).then_with(|| one.id.cmp(&other.id)));
        Ok(sessions)
    }

    async fn families_of(&self, user: &UserId, now: Timestamp) -> Result<Vec<SessionInfo>, Failure> {
        let settings = self.settings().sessions.as_ref().ok_or(Failure::NotFound)?;
        let rule = Rule::of(settings, self.settings().apps.token_blacklist);
        let rows = self.store().families_of(user, now, MOST).await?;
        Ok(rows
            .into_iter()
            .map(|row| SessionInfo {
                expires: [rule.absolute_end(&row.facts), rule.idle_end(&row.facts), Some(row.keep_until)]
                    .into_iter()
                    .flatten()
                    .min(),
                kind: "jwt",
                place: row.place,
                created: row.facts.created_at,
                last_seen: row.last_seen.max(Some(row.facts.refreshed_at)),
                fate: SessionFate::Family(row.sid.clone()),
                id: row.sid,
            })
            .collect())
    }

    /// Sessions by tokens of Django's tables.
    async fn tokens_of(&self, user: &UserId) -> Result<Vec<SessionInfo>, Failure> {
        let mut devices = self.store().devices_of(user).await?;
        let mut session = |kind: &'static str, key: &str, created, expires, fate: &dyn Fn(String) -> SessionFate| {
            let id = session_id(kind, key);
            let (place, last_seen) = devices.remove(&id).unwrap_or_default();
            SessionInfo { fate: fate(id.clone()), id, kind, place, created, last_seen, expires }
        };
        let mut sessions = Vec::new();
        for table in &self.session_tables() {
            if let Some(row) = self.store().token_of(table, user).await? {
                let fate = |id| SessionFate::Token { table: table.clone(), user: user.clone(), id };
                sessions.push(session("token", &row.key, row.created, None, &fate));
            }
        }
        if self.settings().apps.knox {
            for row in self.store().knox_tokens_of(user, MOST).await? {
                let fate = |id| SessionFate::Knox { digest: row.key.clone(), id };
                sessions.push(session("knox", &row.key, row.created, row.expiry, &fate));
            }
        }
        Ok(sessions)
    }

    /// Where DRF tokens are that are sessions: not keys of a project's own, which are neither shown nor ended here.
    pub(crate) fn session_tables(&self) -> Vec<TokenTable> {
        self.token_tables().iter().filter(|table| table.is_whole()).cloned().collect()
    }

    /// The session that let a request in, if it was one that [`sessions_of`](Self::sessions_of) knows; `user` is whose it is.
    ///
    /// # Errors
    /// [`Failure`], if what was shown is refused by now.
    pub fn current_session(
        &self,
        user: &UserId,
        schemes: &[Scheme],
        headers: &HeaderMap,
        identity: &Identity,
    ) -> Result<Option<CurrentSession>, Failure> {
        let (id, fate) = match (&identity.credential, identity.scheme) {
            (Some(Credential::Knox(digest)), _) => {
                let id = session_id("knox", digest);
                (id.clone(), SessionFate::Knox { digest: Zeroizing::new(digest.clone()), id })
            }
            (Some(Credential::Native(digest)), _) => {
                (id_of_native(digest), SessionFate::Native(Zeroizing::new(digest.clone())))
            }
            (Some(Credential::Session(sid)), _) => {
                let sid = sid.as_str().to_owned();
                if !self.family_keys().is_some_and(|keys| keys.is_session(&sid)) {
                    return Ok(None);
                }
                (sid.clone(), SessionFate::Family(sid))
            }
            (None, Some("token")) => {
                let Some(header) = joined(headers, &AUTHORIZATION) else { return Ok(None) };
                let shown = schemes.iter().find_map(|scheme| match scheme {
                    Scheme::Token { keyword, table } => {
                        shown_token(&header, keyword).transpose().map(|key| (key, table))
                    }
                    _ => None,
                });
                let Some((key, table)) = shown.filter(|(_, table)| table.is_whole()) else { return Ok(None) };
                let id = session_id("token", key?);
                (id.clone(), SessionFate::Token { table: table.clone(), user: user.clone(), id })
            }
            _ => return Ok(None),
        };
        Ok(Some(CurrentSession { id, fate }))
    }

    /// The user whose sessions a request may see and end.
    ///
    /// # Errors
    /// [`Failure::NotAuthenticated`] for nobody, [`Failure::UserNotFound`] for one who is gone, [`Failure::Store`].
    pub async fn session_owner(&self, identity: &Identity) -> Result<UserId, Failure> {
        match &identity.principal {
            Principal::Anonymous => Err(Failure::NotAuthenticated),
            Principal::User(user) => Ok(user.id.clone()),
            Principal::Claims { user_id, .. } => {
                let user = self.user_of_claim(user_id).await?.ok_or(Failure::UserNotFound)?;
                Ok(user.id)
            }
        }
    }

    /// Ends one session of a user: its tokens are refused from now on, also by a Django beside us.
    ///
    /// # Errors
    /// [`Failure::NotFound`] for an id that none of this user's sessions has, whosever it is; [`Failure::Store`].
    pub async fn end_own_session(&self, user: &UserId, id: &str, client: Client<'_>) -> Result<(), Failure> {
        let sessions = self.sessions_of(user).await?;
        let SessionInfo { id, fate, .. } =
            sessions.into_iter().find(|session| session.id == id).ok_or(Failure::NotFound)?;
        self.end_current_session(user, CurrentSession { id, fate }, client).await
    }

    /// Ends the session that a request came with.
    ///
    /// # Errors
    /// As [`end_own_session`](Self::end_own_session).
    pub async fn end_current_session(
        &self,
        user: &UserId,
        session: CurrentSession,
        client: Client<'_>,
    ) -> Result<(), Failure> {
        let about = About::client(client).user(user).session(&session.id);
        if self.end_one(BY_USER, session.fate, &about).await? { Ok(()) } else { Err(Failure::NotFound) }
    }

    /// The one way in which a session that was found ends, of whatever kind; `false` if it had ended. This node knows at once.
    pub(crate) async fn end_one(
        &self,
        reason: &'static str,
        fate: SessionFate,
        about: &About<'_>,
    ) -> Result<bool, Failure> {
        let (has_blacklist, at) = (self.settings().apps.token_blacklist, self.now());
        let family = if let SessionFate::Family(sid) = &fate { Some(sid.clone()) } else { None };
        let told = Vec::from_iter(self.audit().entry(&Event::SessionEnded { reason }, about, at));
        let is_ended = self.store().end_session(fate, has_blacklist, reason, at, self.audit().rows(&told)).await?;
        if is_ended {
            if let Some(sid) = family {
                self.note_end(&sid, at);
            }
            self.audit().committed(&told);
        }
        Ok(is_ended)
    }

    /// Ends all sessions of a user, whatever kind, or all but `except`.
    ///
    /// # Errors
    /// [`Failure::Store`]; [`Failure::NotFound`] where there are no sessions.
    pub async fn end_own_sessions(
        &self,
        user: &UserId,
        except: Option<CurrentSession>,
        client: Client<'_>,
    ) -> Result<(), Failure> {
        let except = except.map(|session| session.fate);
        self.end_all_of(ALL_BY_USER, user, except, client).await.map(|_| ())
    }

    /// Ends all sessions of a user, whatever kind, on an operator's word; gives their number.
    ///
    /// # Errors
    /// As [`end_own_sessions`](Self::end_own_sessions).
    pub async fn end_sessions(&self, user: &UserId) -> Result<usize, Failure> {
        self.end_all_of(BY_OPERATOR, user, None, Client::default()).await
    }

    /// The one way in which all sessions of a user end, at once and everywhere: access tokens are refused, refresh tokens stand in
    /// SimpleJWT's blacklist, those that name no session too, and tokens of tables are gone.
    pub(crate) async fn end_all_of(
        &self,
        reason: &'static str,
        user: &UserId,
        except: Option<SessionFate>,
        client: Client<'_>,
    ) -> Result<usize, Failure> {
        let Some(revocations) = self.revocations() else { return Err(Failure::NotFound) };
        let (about, at) = (About::client(client).user(user), self.now());
        let told = self.audit().entry(&Event::SessionEnded { reason }, &about, at);
        let ending = Ending {
            user: user.clone(),
            subject: self.user_id_text(user).await?,
            except,
            token_tables: self.session_tables(),
            has_knox: self.settings().apps.knox,
            has_blacklist: self.settings().apps.token_blacklist,
            at,
            reason,
            told: self.audit().rows(told.as_slice()).pop(),
        };
        let ended = self.store().end_sessions_of(ending).await?;
        revocations.add(&ended.marks);
        for id in &ended.sessions {
            self.audit().committed_for(told.as_ref(), id);
        }
        Ok(ended.sessions.len())
    }

    /// What is to be kept of where a token is given out that stands in a table of Django's; `None` where there are no sessions.
    pub(crate) fn device(
        &self,
        kind: &'static str,
        key: &str,
        user: &UserId,
        place: Place,
        expiry: Option<Timestamp>,
    ) -> Option<Device> {
        self.settings().sessions.as_ref()?;
        Some(Device {
            id: session_id(kind, key),
            user: user.clone(),
            kind,
            place,
            last_seen: None,
            keep_until: expiry.unwrap_or_else(|| later(self.now(), REMEMBERED)),
        })
    }

    /// Notes that a token of Django's was seen.
    pub(crate) fn token_seen(&self, kind: &'static str, key: &str, user: &UserId, expiry: Option<Timestamp>) {
        let Some(last_seen) = self.last_seen() else { return };
        last_seen.note((kind, key), || {
            let now = self.now();
            let device = self.device(kind, key, user, Place::default(), expiry)?;
            Some((Seen::Device(Device { last_seen: Some(now), ..device }), now))
        });
    }

    /// Writes down when sessions were seen since the last time.
    ///
    /// # Errors
    /// [`Failure::Store`]; what could not be written is noted again when it is seen again.
    pub async fn flush_last_seen(&self) -> Result<(), Failure> {
        match self.last_seen() {
            Some(last_seen) => Ok(self.store().note_seen(last_seen.take()).await?),
            None => Ok(()),
        }
    }

    /// Until it is time to [flush](Self::flush_last_seen): a period has passed, or there is no place for further notes. For ever where
    /// nothing is noted.
    pub async fn last_seen_due(&self) {
        let period = self.settings().sessions.as_ref().and_then(|sessions| sessions.last_seen);
        match (self.last_seen(), period) {
            (Some(last_seen), Some(period)) => {
                let _ = tokio::time::timeout(period, last_seen.full()).await;
            }
            _ => std::future::pending().await,
        }
    }
}
