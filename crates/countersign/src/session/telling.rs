//! What is told of families of refresh tokens: their ends along with what ended them, and refusals.

use countersign_formats::jwt::Refusal;
use countersign_store::{FamilyOutcome, FamilyStep};
use jiff::Timestamp;

use super::Guest;
use crate::audit::{About, Entry, Event};
use crate::authority::Authority;
use crate::failure::Failure;
use crate::family::{Verdict, Why};

impl Authority {
    /// Refuses a token, and ends its family if that is due. What the client reads is SimpleJWT's sentence, whatever the reason.
    pub(super) async fn turn_away<T>(&self, guest: Guest<'_>, why: Why, ends: bool) -> Result<T, Failure> {
        if !ends {
            self.tell_refusal(&guest, why);
            return Err(Failure::Token(Refusal::Blacklisted));
        }
        let at = guest.now;
        let (authority, rule, is_named) = (self.clone(), guest.rule.clone(), guest.is_named);
        let (about, jti) = (guest.about().into_static(), guest.presented.jti.clone());
        let (told, outcome) = self
            .store()
            .in_family(guest.presented.clone(), move |facts| {
                let Verdict::End(why) = rule.judge(facts, is_named, at) else { return (FamilyStep::Nothing, None) };
                let told = authority.ending(why, &jti, &about, at);
                let events = authority.audit().rows(&told);
                (FamilyStep::End { reason: why.name(), at, token: None, events }, Some((why, told)))
            })
            .await?;
        match told {
            Some((why, told)) => self.tell_end(&guest, why, outcome, &told),
            None => self.tell_end(&guest, why, FamilyOutcome::Forestalled, &[]),
        }
        Err(Failure::Token(Refusal::Blacklisted))
    }

    /// What is told where this ends a family.
    pub(super) fn ending(&self, why: Why, jti: &str, about: &About<'_>, at: Timestamp) -> Vec<Entry> {
        let end = Event::SessionEnded { reason: why.name() };
        let events = cause(why, jti, true).into_iter().chain([end]);
        events.filter_map(|event| self.audit().entry(&event, about, at)).collect()
    }

    /// Tells of a token that ends its family. `told` was written with the end, if it did; else somebody else was first.
    pub(super) fn tell_end(&self, guest: &Guest<'_>, why: Why, outcome: FamilyOutcome, told: &[Entry]) {
        match outcome {
            FamilyOutcome::Done => {
                self.count(why);
                self.note_end(&guest.presented.sid, guest.now);
                self.audit().committed(told);
            }
            FamilyOutcome::Forestalled => self.tell_refusal(guest, why),
        }
    }

    /// Tells of a token that is refused and ends nothing.
    pub(super) fn tell_refusal(&self, guest: &Guest<'_>, why: Why) {
        self.count(why);
        let refused = Event::CredentialsRefused { at: guest.at, reason: why.name() };
        self.tell(&cause(why, &guest.presented.jti, false).unwrap_or(refused), &guest.about());
    }

    pub(super) fn tell_refresh(&self, guest: &Guest<'_>) {
        self.tell(&Event::Refresh { jti: Some(guest.presented.jti.clone()) }, &guest.about());
    }

    fn count(&self, why: Why) {
        match why {
            Why::Reused => self.session_counts().reused(),
            Why::Unrecorded => self.session_counts().unrecorded(),
            _ => {}
        }
    }
}

/// The event of what should not be.
fn cause(why: Why, jti: &str, session_ended: bool) -> Option<Event> {
    let jti = jti.to_owned();
    match why {
        Why::Reused => Some(Event::RefreshReuse { jti, session_ended }),
        Why::Unrecorded => Some(Event::RefreshUnrecorded { jti, session_ended }),
        Why::Ended | Why::Expired | Why::Idle | Why::Blacklisted => None,
    }
}

impl Guest<'_> {
    /// Whom events are about.
    pub(super) fn about(&self) -> About<'_> {
        About::client(self.client).claimed_user(self.user.as_deref()).session(&self.presented.sid)
    }
}
