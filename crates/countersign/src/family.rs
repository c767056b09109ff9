//! Families of refresh tokens: all that come from one login by rotation, named by one session id. Which ids follow from a token's,
//! and what is due to a token that is presented. Pure: facts and the instant in, a verdict out.
//!
//! The rule (RFC 9700 §4.14.2, made to bear with real clients): a token has one successor, ever. Whoever presents it again within
//! the window, while nobody has used the successor, gets the same successor; whoever presents it later, or presents an older one,
//! holds a copy that should not be, and the family ends.

use countersign_formats::jwt::{DerivedKey, SigningKey};
use countersign_store::{FamilyFacts, SessionFacts, Successor};
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq as _;

use crate::clock::jti_of;
use crate::settings::SessionSettings;

/// Hexadecimal digits of a session id: 48 bits that say when it began, 80 that tell it from others, and 32 that show it to be ours.
pub(crate) const SID_LEN: usize = 40;
/// Those that say when, in milliseconds since 1970.
const START_LEN: usize = 12;
/// All but the seal.
const NAME_LEN: usize = 32;

/// Keys that turn the id of a refresh token into the ids of what follows from it, so that every node comes to the same ones.
///
/// They are derived from the signing key: who does not have it can neither foretell nor recognise such an id.
#[derive(Debug, Clone)]
pub(crate) struct FamilyKeys {
    session: DerivedKey,
    seal: DerivedKey,
    successor: DerivedKey,
    access: DerivedKey,
}

impl FamilyKeys {
    pub(crate) fn of(signing_key: &SigningKey) -> Self {
        Self {
            session: signing_key.derived("session id, version 2"),
            seal: signing_key.derived("session id seal, version 2"),
            successor: signing_key.derived("refresh token successor, version 1"),
            access: signing_key.derived("access token of a rotation, version 1"),
        }
    }

    /// The session that began with this refresh token, at that millisecond.
    pub(crate) fn session_of(&self, root_jti: &str, began: Timestamp) -> String {
        let start = u64::try_from(began.as_millisecond()).unwrap_or(0);
        let mut name = format!("{start:012x}{}", hex::encode(self.session.id(root_jti.as_bytes())));
        name.truncate(NAME_LEN);
        let seal = self.seal_of(&name);
        name + &seal
    }

    /// Whether a claim is an id of ours, and not something that the project calls by the same name.
    pub(crate) fn is_session(&self, claim: &str) -> bool {
        claim.len() == SID_LEN
            && claim.is_char_boundary(NAME_LEN)
            && bool::from(self.seal_of(&claim[..NAME_LEN]).as_bytes().ct_eq(&claim.as_bytes()[NAME_LEN..]))
    }

    /// When a session of ours began.
    pub(crate) fn start_of(sid: &str) -> Option<Timestamp> {
        let milliseconds = i64::from_str_radix(sid.get(..START_LEN)?, 16).ok()?;
        Timestamp::from_millisecond(milliseconds).ok()
    }

    /// The one successor of a refresh token.
    pub(crate) fn successor_of(&self, jti: &str) -> String {
        jti_of(self.successor.id(jti.as_bytes()))
    }

    /// The access token given with that successor.
    pub(crate) fn access_of(&self, jti: &str) -> String {
        jti_of(self.access.id(jti.as_bytes()))
    }

    fn seal_of(&self, name: &str) -> String {
        hex::encode(&self.seal.id(name.as_bytes())[..4])
    }
}

/// What is due to a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is good: a successor, or without rotation an access token.
    Good,
    /// It was exchanged a moment ago, and gets what it got.
    Again(Successor),
    /// It is refused.
    Refuse(Why),
    /// It is refused, and its family ends.
    End(Why),
}

/// Why a token is refused. The name stands in events and in `end_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The family was ended.
    Ended,
    /// The family is older than may be.
    Expired,
    /// The family was not refreshed for too long.
    Idle,
    /// SimpleJWT's table has it as void.
    Blacklisted,
    /// It was exchanged before, and not just now: there are two holders.
    Reused,
    /// We gave it out and the database knows nothing of it: the database is older than the token (SECURITY R7).
    Unrecorded,
}

impl Why {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Expired => "expired",
            Self::Idle => "idle",
            Self::Blacklisted => "blacklisted",
            Self::Reused => "reuse",
            Self::Unrecorded => "unrecorded",
        }
    }
}

/// What a verdict goes by, besides the facts.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) window: SignedDuration,
    pub(crate) idle: Option<SignedDuration>,
    pub(crate) absolute: Option<SignedDuration>,
    /// Whether whatever is given out is recorded, here and by Django.
    pub(crate) has_blacklist: bool,
}

impl Rule {
    pub(crate) fn of(sessions: &SessionSettings, has_blacklist: bool) -> Self {
        Self {
            window: sessions.refresh_window,
            idle: sessions.idle_lifetime,
            absolute: sessions.absolute_lifetime,
            has_blacklist,
        }
    }

    /// When a session ends whatever is done: as it was begun, or sooner by what is set now.
    pub(crate) fn absolute_end(&self, session: &SessionFacts) -> Option<Timestamp> {
        let now_set = self.absolute.map(|lifetime| later(session.created_at, lifetime));
        [session.expires_at, now_set].into_iter().flatten().min()
    }

    /// When a session ends unless it is refreshed.
    pub(crate) fn idle_end(&self, session: &SessionFacts) -> Option<Timestamp> {
        let now_set = self.idle.map(|lifetime| later(session.refreshed_at, lifetime));
        [session.idle_expires_at, now_set].into_iter().flatten().min()
    }

    /// What is due to a token at `now`. `is_named`: the token itself names the session, which was therefore recorded with it.
    pub(crate) fn judge(&self, facts: &FamilyFacts, is_named: bool, now: Timestamp) -> Verdict {
        let Some(session) = &facts.session else {
            return match facts.blacklisted_at {
                _ if is_named => Verdict::Refuse(Why::Unrecorded),
                Some(_) => Verdict::Refuse(Why::Blacklisted),
                None => Verdict::Good,
            };
        };
        if session.ended_at.is_some() {
            return Verdict::Refuse(Why::Ended);
        }
        if let Some(exchanged) = &facts.exchanged {
            let is_just_now = self.is_within_window(exchanged.successor.rotated_at, now);
            if exchanged.is_used || !is_just_now {
                return Verdict::End(Why::Reused);
            }
        } else if let Some(blacklisted_at) = facts.blacklisted_at {
            // Django voided it, by rotation or logout. A client that lost Django's answer may try here; later it is a copy.
            return if self.is_within_window(blacklisted_at, now) {
                Verdict::Refuse(Why::Blacklisted)
            } else {
                Verdict::End(Why::Reused)
            };
        } else if !facts.is_recorded && self.has_blacklist {
            return Verdict::End(Why::Unrecorded);
        }
        if self.absolute_end(session).is_some_and(|end| end <= now) {
            return Verdict::Refuse(Why::Expired);
        }
        if self.idle_end(session).is_some_and(|end| end <= now) {
            return Verdict::Refuse(Why::Idle);
        }
        match &facts.exchanged {
            Some(exchanged) => Verdict::Again(exchanged.successor.clone()),
            None => Verdict::Good,
        }
    }

    /// Nodes' clocks differ: what another node did a moment ahead of ours was just now.
    fn is_within_window(&self, then: Timestamp, now: Timestamp) -> bool {
        self.window > SignedDuration::ZERO && now.duration_since(then) <= self.window
    }
}

/// An instant and a length, within the calendar.
pub(crate) fn later(instant: Timestamp, length: SignedDuration) -> Timestamp {
    instant.checked_add(length).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;
