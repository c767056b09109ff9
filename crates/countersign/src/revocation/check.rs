//! A token against the marks, and the ends that make them.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use countersign_formats::json::Value;
use countersign_formats::jwt::Claims;
use countersign_store::{Against, IdType, Mark, MarkKind, SessionFate, UserId};
use jiff::Timestamp;

use super::{Marks, RevocationStats, Subject};
use crate::audit::{About, Event};
use crate::authority::Authority;
use crate::claim_value::{to_instant, to_integer, to_text};
use crate::devices::BY_OPERATOR;
use crate::failure::Failure;
use crate::family::FamilyKeys;

/// What was known before a user was looked up: a session that begins then is younger than every mark in it, and no younger than what
/// the user's row said.
pub(crate) struct LoginStart {
    now: Timestamp,
    marks: Option<Arc<Marks>>,
}

/// Whether a token is refused that names this session, or none, and against which this stands.
pub(crate) fn is_refused(claims: &Claims, sid: Option<&str>, against: &Against) -> bool {
    let of_any = against.all.max(against.user);
    against.token
        || against.session
        || match sid {
            Some(sid) => has_begun_by(FamilyKeys::start_of(sid), of_any),
            None => has_begun_by(made_at(claims), of_any.max(against.bare)),
        }
}

/// Whether something that began then is refused on account of a mark.
pub(crate) fn has_begun_by(began: Option<Timestamp>, not_before: Option<i64>) -> bool {
    // What does not say when it began did so long ago.
    let began = began.map_or(i64::MIN, Timestamp::as_millisecond);
    not_before.is_some_and(|not_before| began <= not_before)
}

impl Authority {
    /// Whether a valid token is refused: its user, its session or itself was marked since it began. Two atomic reads where nothing is.
    ///
    /// # Errors
    /// [`Failure::Store`] when that is not known closely enough, or the token is older than what is kept in memory and the
    /// database does not answer.
    pub(crate) async fn is_revoked(&self, claims: &Claims, now: Timestamp) -> Result<bool, Failure> {
        let Some(revocations) = self.revocations() else { return Ok(false) };
        if !revocations.is_fresh() {
            Box::pin(revocations.catch_up()).await?;
        }
        // A token may be older than our settings would have it: Django's may differ, or have been others.
        let issued = claims.get("iat").and_then(to_instant);
        if issued.is_none_or(|issued| now.duration_since(issued) > revocations.horizon) {
            return Box::pin(self.is_revoked_in_database(claims, self.named_session(claims))).await;
        }
        if !revocations.has_marks.load(Ordering::Acquire) {
            return Ok(false);
        }
        let user =
            claims.get(&self.settings().simple_jwt.user_id_claim).and_then(|claim| written(claim, revocations.id_type));
        let jti = self.jti_claim(claims).and_then(text);
        let sid = self.settings().sessions.as_ref().and_then(|sessions| claims.get(&sessions.claim)?.as_str());
        let against =
            revocations.against(&revocations.marks.load(), user.as_ref().map(Written::subject), jti.as_deref(), sid);
        Ok(against != Against::default() && is_refused(claims, self.named_session(claims), &against))
    }

    /// The same of any token, by the database itself; `sid` is the session that it names.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub(crate) async fn is_revoked_in_database(&self, claims: &Claims, sid: Option<&str>) -> Result<bool, Failure> {
        if self.revocations().is_none() {
            return Ok(false);
        }
        let (user, jti) = (self.subject_of(claims), self.jti_of(claims));
        let against = self.store().against(user.as_deref(), jti.as_deref(), sid).await?;
        Ok(is_refused(claims, sid, &against))
    }

    /// The user that a token names, as marks have it; `None` where there are no sessions.
    pub(crate) fn subject_of(&self, claims: &Claims) -> Option<String> {
        let claim = claims.get(&self.settings().simple_jwt.user_id_claim)?;
        Some(written(claim, self.revocations()?.id_type)?.to_string())
    }

    /// To be called before a user who logs in is looked up.
    pub(crate) fn login_start(&self) -> LoginStart {
        LoginStart { now: self.now(), marks: self.revocations().map(|revocations| revocations.marks.load_full()) }
    }

    /// When the session of a login begins: when its user was looked up, and after the last mark that was known then. Whole
    /// milliseconds.
    pub(crate) fn began(&self, start: &LoginStart, claims: &Claims) -> Timestamp {
        let now = Timestamp::from_millisecond(start.now.as_millisecond()).unwrap_or(start.now);
        let (Some(revocations), Some(marks)) = (self.revocations(), &start.marks) else { return now };
        let claim = claims.get(&self.settings().simple_jwt.user_id_claim);
        let user = claim.and_then(|claim| written(claim, revocations.id_type));
        let against = revocations.against(marks, user.as_ref().map(Written::subject), None, None);
        let after =
            against.all.max(against.user).and_then(|mark| Timestamp::from_millisecond(mark.saturating_add(1)).ok());
        after.map_or(now, |after| after.max(now))
    }

    /// Ends one session, whoever's; `false` if there is none of that id, or it had ended.
    ///
    /// # Errors
    /// [`Failure::Store`]; [`Failure::NotFound`] where there are no sessions.
    pub async fn end_session(&self, sid: &str) -> Result<bool, Failure> {
        self.revocations().ok_or(Failure::NotFound)?;
        self.end_one(BY_OPERATOR, SessionFate::Family(sid.to_owned()), &About::default().session(sid)).await
    }

    /// Refuses one token from now on, by its id.
    ///
    /// # Errors
    /// [`Failure::Store`]; [`Failure::NotFound`] where there are no sessions.
    pub async fn revoke_token(&self, jti: &str) -> Result<(), Failure> {
        let Some(revocations) = self.revocations() else { return Err(Failure::NotFound) };
        let mark = Mark { kind: MarkKind::Token, subject: jti.to_owned(), not_before: self.now().as_millisecond() };
        self.store().mark(mark.clone()).await?;
        revocations.add(&[mark]);
        self.tell(&Event::TokenRevoked { jti: jti.to_owned() }, &About::default());
        Ok(())
    }

    /// Ends every session of everybody, whatever kind, and voids every recorded token. Gives the number of tokens that are void now for Django too.
    ///
    /// # Errors
    /// [`Failure::Store`]; [`Failure::NotFound`] where there are no sessions.
    pub async fn end_all_sessions(&self) -> Result<u64, Failure> {
        let Some(revocations) = self.revocations() else { return Err(Failure::NotFound) };
        let (at, apps) = (self.now(), self.settings().apps);
        let mark = self.store().mark_all(at).await?;
        revocations.add(std::slice::from_ref(&mark));
        self.tell(&Event::AllSessionsEnded, &About::default());
        self.store().end_all_sessions(&self.session_tables(), apps.knox, BY_OPERATOR, at, &mark).await?;
        if apps.token_blacklist { Ok(self.store().blacklist_all(at).await?) } else { Ok(0) }
    }

    /// A session ended here: this node knows at once.
    pub(crate) fn note_end(&self, sid: &str, at: Timestamp) {
        if let Some(revocations) = self.revocations() {
            revocations.add(&[Mark::of_session(sid, at)]);
        }
    }

    /// How many marks are held; `None` where there are no sessions.
    #[must_use]
    pub fn revocation_stats(&self) -> Option<RevocationStats> {
        self.revocations().map(|revocations| revocations.stats())
    }
}

/// When a token that names no session was made: at the beginning of that second.
pub(crate) fn made_at(claims: &Claims) -> Option<Timestamp> {
    let made = claims.get("iat").and_then(to_instant)?;
    Timestamp::from_second(made.as_second()).ok()
}

/// A user as a claim has it.
enum Written<'c> {
    Number(i64),
    Uuid(u128),
    Text(Cow<'c, str>),
}

impl Written<'_> {
    fn subject(&self) -> Subject<'_> {
        match self {
            Self::Number(id) => Subject::Number(*id),
            Self::Uuid(id) => Subject::Uuid(*id),
            Self::Text(text) => Subject::Text(text),
        }
    }
}

/// As marks have it.
impl std::fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(id) => id.fmt(f),
            Self::Uuid(id) => UserId::Uuid(*id).fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// The user that a claim names, read as [`user_of_claim`](Authority::user_of_claim) does.
fn written(claim: &Value, id_type: IdType) -> Option<Written<'_>> {
    if id_type.is_integer() {
        return to_integer(claim).map(Written::Number);
    }
    let text = text(claim)?;
    Some(match id_type.parse(&text) {
        Some(UserId::Uuid(id)) => Written::Uuid(id),
        _ => Written::Text(text),
    })
}

fn text(claim: &Value) -> Option<Cow<'_, str>> {
    claim.as_str().map(Cow::Borrowed).or_else(|| to_text(claim).map(Cow::Owned))
}
