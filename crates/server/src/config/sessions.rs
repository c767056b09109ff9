//! `[sessions]`: families of refresh tokens and what ends them.

use countersign::settings::{SessionSettings, WhenFeedLost};
use jiff::SignedDuration;

use super::duration::Length;
use super::raw::NullableLength;
use super::source::Source;
use super::{ConfigError, OwnTables, claims};
use countersign::Settings;

/// A retry that takes longer than this is no retry.
const LONGEST_WINDOW: SignedDuration = SignedDuration::from_mins(2);
/// Shorter than this, an idle session would end between two requests.
const SHORTEST_LIFETIME: SignedDuration = SignedDuration::from_secs(1);
/// Reading the database still oftener would be its main work.
const SHORTEST_STALENESS: SignedDuration = SignedDuration::from_millis(100);
/// Nobody would call an end within this instant.
const LONGEST_STALENESS: SignedDuration = SignedDuration::from_mins(1);

/// A rotation at Django takes longer than an instant, and not as long as this.
const SHORTEST_LOGOUT: SignedDuration = SignedDuration::from_millis(100);
const LONGEST_LOGOUT: SignedDuration = SignedDuration::from_mins(10);

/// More often than this, nobody looks.
const SHORTEST_PERIOD: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_PERIOD: SignedDuration = SignedDuration::from_hours(1);

/// Puts the settings of sessions in their place. They are taken out again where the database has no tables for them.
pub(super) fn sessions(source: &Source, settings: &mut Settings) -> Result<OwnTables, ConfigError> {
    let raw = &source.raw.sessions;
    let mut sessions = SessionSettings::default();
    if let Some(window) = raw.refresh_window {
        if window.0 < SignedDuration::ZERO || window.0 > LONGEST_WINDOW {
            return Err(source.error("sessions.refresh_window", "must lie between 0 and 120 seconds"));
        }
        sessions.refresh_window = window.0;
    }
    sessions.idle_lifetime = lifetime(source, "sessions.idle_lifetime", raw.idle_lifetime)?;
    sessions.absolute_lifetime = lifetime(source, "sessions.absolute_lifetime", raw.absolute_lifetime)?;
    match raw.last_seen {
        None => {}
        Some(NullableLength::Off(false)) => sessions.last_seen = None,
        Some(NullableLength::Length(length)) if (SHORTEST_PERIOD..=LONGEST_PERIOD).contains(&length.0) => {
            sessions.last_seen = length.0.try_into().ok();
        }
        Some(_) => {
            return Err(source.error("sessions.last_seen", "must lie between 10 seconds and an hour, or be false"));
        }
    }
    match raw.django_logout_after {
        None => {}
        Some(NullableLength::Off(false)) => sessions.django_logout_after = None,
        Some(NullableLength::Length(length)) if (SHORTEST_LOGOUT..=LONGEST_LOGOUT).contains(&length.0) => {
            sessions.django_logout_after = length.0.try_into().ok();
        }
        Some(_) => {
            let problem = "must lie between 0.1 seconds and 10 minutes, or be false";
            return Err(source.error("sessions.django_logout_after", problem));
        }
    }
    if let Some(claim) = &raw.claim {
        if claim.is_empty() || claims::is_taken(settings, claim) {
            return Err(source.error("sessions.claim", format!("\"{claim}\" is taken; use a claim that no token has")));
        }
        claim.clone_into(&mut sessions.claim);
    }
    if let Some(staleness) = raw.max_staleness {
        if staleness.0 < SHORTEST_STALENESS || staleness.0 > LONGEST_STALENESS {
            return Err(source.error("sessions.max_staleness", "must lie between 0.1 and 60 seconds"));
        }
        sessions.max_staleness = staleness.0.unsigned_abs();
    }
    sessions.when_feed_lost = match raw.when_feed_lost.as_deref() {
        None | Some("refuse") => WhenFeedLost::Refuse,
        Some("accept") => WhenFeedLost::Accept,
        Some(other) => {
            let problem = format!("\"{other}\" is neither \"refuse\" nor \"accept\"");
            return Err(source.error("sessions.when_feed_lost", problem));
        }
    };
    if settings.simple_jwt.rules.jti_claim.is_none() {
        if raw.enabled == Some(true) {
            return Err(source.error(
                "sessions.enabled",
                "cannot be on while simple_jwt.jti_claim is off: sessions tell tokens apart by it",
            ));
        }
        settings.apps.countersign = false;
        return Ok(OwnTables::Off);
    }
    if raw.enabled == Some(false) {
        settings.apps.countersign = false;
        return Ok(OwnTables::Off);
    }
    settings.sessions = Some(sessions);
    Ok(match raw.enabled {
        Some(_) => OwnTables::Demanded {
            refusal: source
                .error(
                    "sessions.enabled",
                    "the database has no tables for sessions, or not all of them; run `countersign migrate`, or set it to false",
                )
                .to_string(),
        },
        None => OwnTables::IfThere,
    })
}

fn lifetime(source: &Source, key: &str, given: Option<Length>) -> Result<Option<SignedDuration>, ConfigError> {
    match given {
        None => Ok(None),
        Some(length) if length.0 < SHORTEST_LIFETIME => Err(source.error(key, "must be a second at least")),
        Some(length) if length.0 > super::resolve::LONGEST_LIFETIME => {
            Err(source.error(key, "must be at most 1000 years"))
        }
        Some(length) => Ok(Some(length.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::read;

    #[test]
    fn every_key_has_its_place() {
        let config = read(
            "[sessions]\nrefresh_window = \"0s\"\nidle_lifetime = \"1h\"\nabsolute_lifetime = \"30d\"\nclaim = \"family\"\nlast_seen = \"5m\"
max_staleness = \"500ms\"\nwhen_feed_lost = \"accept\"\ndjango_logout_after = \"3s\"",
        )
        .expect("accepted");
        let sessions = config.settings.sessions.expect("on");
        assert_eq!(sessions.refresh_window, SignedDuration::ZERO);
        assert_eq!(sessions.idle_lifetime, Some(SignedDuration::from_hours(1)));
        assert_eq!(sessions.absolute_lifetime, Some(SignedDuration::from_hours(720)));
        assert_eq!(sessions.claim, "family");
        assert_eq!(sessions.last_seen, Some(std::time::Duration::from_mins(5)));
        assert_eq!(sessions.max_staleness.as_millis(), 500);
        assert_eq!(sessions.when_feed_lost, WhenFeedLost::Accept);
        assert_eq!(sessions.django_logout_after, Some(std::time::Duration::from_secs(3)));
        assert_eq!(config.sessions, OwnTables::IfThere);
        let sessions = read("").expect("accepted").settings.sessions.expect("on where there are tables");
        assert_eq!((sessions.refresh_window, &*sessions.claim), (SignedDuration::from_secs(10), "sid"));
        assert_eq!((sessions.idle_lifetime, sessions.absolute_lifetime), (None, None));
        assert_eq!(sessions.last_seen, Some(std::time::Duration::from_mins(1)));
        assert_eq!(sessions.django_logout_after, Some(std::time::Duration::from_secs(10)));
        let off = "[sessions]\nlast_seen = false\ndjango_logout_after = false";
        let sessions = read(off).expect("accepted").settings.sessions.expect("on");
        assert_eq!((sessions.last_seen, sessions.django_logout_after), (None, None));
    }

    #[test]
    fn off_is_off() {
        let config = read("[sessions]\nenabled = false").expect("accepted");
        assert_eq!((config.sessions, config.settings.apps.countersign), (OwnTables::Off, false));
        assert!(config.settings.sessions.is_none());
        let without_ids = "installed_apps = []\n[simple_jwt]\njti_claim = false\n";
        assert_eq!(read(without_ids).expect("accepted").sessions, OwnTables::Off);
        let refusal = read(&format!("{without_ids}[sessions]\nenabled = true")).expect_err("no ids");
        assert!(refusal.starts_with("countersign.toml:7: sessions.enabled: cannot be on while"), "{refusal}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, expected) in [
            ("[sessions]\nrefresh_window = 121", "countersign.toml:4: sessions.refresh_window: must lie between"),
            ("[sessions]\nidle_lifetime = 0", "countersign.toml:4: sessions.idle_lifetime: must be a second"),
            ("[sessions]\nabsolute_lifetime = -1", "countersign.toml:4: sessions.absolute_lifetime: must be a second"),
            ("[sessions]\nlast_seen = 9", "countersign.toml:4: sessions.last_seen: must lie between 10 seconds"),
            (
                "[sessions]\ndjango_logout_after = 0",
                "countersign.toml:4: sessions.django_logout_after: must lie between 0.1 seconds",
            ),
            ("[sessions]\nmax_staleness = 0", "countersign.toml:4: sessions.max_staleness: must lie between"),
            (
                "[sessions]\nwhen_feed_lost = \"open\"",
                "countersign.toml:4: sessions.when_feed_lost: \"open\" is neither",
            ),
            ("[sessions]\nclaim = \"user_id\"", "countersign.toml:4: sessions.claim: \"user_id\" is taken"),
        ] {
            let refusal = read(text).expect_err(text);
            assert!(refusal.starts_with(expected), "{refusal}");
        }
    }
}
