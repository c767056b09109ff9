//! One view of all sessions of a user, whatever kind: DRF's token, Knox's tokens, our own, and families of JSON web tokens.

use countersign_formats::session_id::session_id;
use countersign_store::{Device, EndAll, Ending, Place, Seen, SessionFate, TokenTable, UserId};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::{SignedDuration, Timestamp};

use crate::audit::{About, Event};
use crate::authenticate::{Credential, Identity, Principal, Scheme, joined, shown_token};
use crate::family::{Rule, later};
use crate::{Authority, Failure};

/// Sessions of one kind that are shown, the newest.
const MOST: u32 = 500;

/// For how long it is remembered where a token was used that has no end.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(365 * 24);

/// `end_reason` of a session that its user ended.
const BY_USER: &str = "ended_by_user";

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

/// The id of the session that a token of our own kind is.
pub(crate) fn id_of_native(digest: &str) -> String {
    session_id("native", digest)
}

impl Authority {
    /// The sessions of a user that live, the newest first; of each kind the 500 newest. `schemes` say which token tables there
    /// are besides DRF's own.
    ///
    /// # Errors
    /// [`Failure::Store`]; [`Failure::NotFound`] where there are no sessions.
    pub async fn sessions_of(&self, user: &UserId, schemes: &[Scheme]) -> Result<Vec<SessionInfo>, Failure> {
        let now = self.now();
        let mut sessions = self.families_of(user, now).await?;
        sessions.extend(self.tokens_of(user, schemes, now).await?);
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
    async fn tokens_of(&self, user: &UserId, schemes: &[Scheme], now: Timestamp) -> Result<Vec<SessionInfo>, Failure> {
        let mut devices = self.store().devices_of(user).await?;
        let mut session = |kind: &'static str, key: &str, created, expires, fate: &dyn Fn(String) -> SessionFate| {
            let id = session_id(kind, key);
            let (place, last_seen) = devices.remove(&id).unwrap_or_default();
            SessionInfo { fate: fate(id.clone()), id, kind, place, created, last_seen, expires }
        };
        let mut sessions = Vec::new();
        for table in self.token_tables(schemes) {
            if let Some(row) = self.store().token_of(&table, user).await? {
                let fate = |id| SessionFate::Token { table: table.clone(), id };
                sessions.push(session("token", &row.key, row.created, None, &fate));
            }
        }
        if self.settings().apps.knox {
            for row in self.store().knox_tokens_of(user, MOST).await? {
                let fate = |id| SessionFate::Knox { digest: row.key.clone(), id };
                sessions.push(session("knox", &row.key, row.created, row.expiry, &fate));
            }
        }
        sessions.retain(|session| session.expires.is_none_or(|end| end >= now));
        Ok(sessions)
    }

    /// DRF's own token table, where that app is, and those of the schemes.
    pub(crate) fn token_tables(&self, schemes: &[Scheme]) -> Vec<TokenTable> {
        let of_schemes = schemes.iter().filter_map(|scheme| match scheme {
            Scheme::Token { table, .. } => Some(table),
            _ => None,
        });
        let mut tables: Vec<TokenTable> = Vec::new();
        for table in self.tokens().into_iter().chain(of_schemes) {
            if tables.iter().all(|known| known.name() != table.name()) {
                tables.push(table.clone());
            }
        }
        tables
    }

    /// The id of the session that let a request in, if it was one that [`sessions_of`](Self::sessions_of) knows.
    ///
    /// # Errors
    /// [`Failure`], if what was shown is refused by now.
    pub fn current_session(
        &self,
        schemes: &[Scheme],
        headers: &HeaderMap,
        identity: &Identity,
    ) -> Result<Option<String>, Failure> {
        match (&identity.credential, identity.scheme) {
            (Some(Credential::Knox(digest)), _) => Ok(Some(session_id("knox", digest))),
            (Some(Credential::Native(digest)), _) => Ok(Some(id_of_native(digest))),
            (Some(Credential::Session(sid)), _) => {
                let is_ours = self.family_keys().is_some_and(|keys| keys.is_session(sid.as_str()));
                Ok(is_ours.then(|| sid.as_str().to_owned()))
            }
            (None, Some("token")) => {
                let Some(header) = joined(headers, &AUTHORIZATION) else { return Ok(None) };
                for scheme in schemes {
                    if let Scheme::Token { keyword, .. } = scheme
                        && let Some(key) = shown_token(&header, keyword)?
                    {
                        return Ok(Some(session_id("token", key)));
                    }
                }
                Ok(None)
            }
            _ => Ok(None),
        }
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
    pub async fn end_own_session(&self, user: &UserId, schemes: &[Scheme], id: &str) -> Result<(), Failure> {
        let sessions = self.sessions_of(user, schemes).await?;
        let session = sessions.into_iter().find(|session| session.id == id).ok_or(Failure::NotFound)?;
        let (kind, has_blacklist, at) = (session.kind, self.settings().apps.token_blacklist, self.now());
        if !self.store().end_one(user, session.fate, has_blacklist, BY_USER, at).await? {
            return Err(Failure::NotFound);
        }
        if kind == "jwt" {
            self.note_end(id, at);
        }
        self.tell(&Event::SessionEnded { reason: BY_USER }, &About::default().user(user).session(id));
        Ok(())
    }

    /// Ends all sessions of a user, or all but the one with the id `except`.
    ///
    /// # Errors
    /// [`Failure::Store`]; [`Failure::NotFound`] where there are no sessions.
    pub async fn end_own_sessions(
        &self,
        user: &UserId,
        schemes: &[Scheme],
        except: Option<&str>,
    ) -> Result<(), Failure> {
        self.settings().sessions.as_ref().ok_or(Failure::NotFound)?;
        let except = match except {
            None => None,
            Some(id) => self.sessions_of(user, schemes).await?.into_iter().find(|session| session.id == id),
        };
        let except = except.map(|session| session.fate);
        let told =
            self.audit().entry(&Event::SessionEnded { reason: BY_USER }, &About::default().user(user), self.now());
        let all = EndAll {
            ending: Ending {
                user: user.clone(),
                subject: self.user_id_text(user).await?,
                except: match &except {
                    Some(SessionFate::Family(sid)) => Some(sid.clone()),
                    _ => None,
                },
                at: self.now(),
                reason: BY_USER,
                has_blacklist: self.settings().apps.token_blacklist,
                told: self.audit().rows(told.as_slice()).pop(),
            },
            except,
            token_tables: self.token_tables(schemes),
            has_knox: self.settings().apps.knox,
        };
        let ended = self.store().end_all(all).await?;
        if let Some(revocations) = self.revocations() {
            revocations.add(&ended.marks);
        }
        for sid in &ended.sessions {
            self.audit().committed_for(told.as_ref(), sid);
        }
        Ok(())
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
