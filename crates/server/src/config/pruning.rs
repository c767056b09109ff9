//! `[pruning]`: expired rows that the server deletes itself.

use std::time::Duration;

use countersign::pruning::PruningSettings;
use jiff::SignedDuration;

use super::ConfigError;
use super::duration::Length;
use super::raw::NullableLength;
use super::source::Source;

/// Rows of one transaction; more would hold others up.
const LARGEST_BATCH: u32 = 10_000;

/// When rows are deleted, and which.
#[derive(Debug, Clone)]
pub(crate) struct Pruning {
    /// From the end of one round to the beginning of the next.
    pub interval: Duration,
    pub settings: PruningSettings,
}

/// `None` where nothing is to be deleted.
pub(super) fn pruning(source: &Source) -> Result<Option<Pruning>, ConfigError> {
    let raw = &source.raw.pruning;
    let mut settings = PruningSettings::default();
    let interval = super::resolve::timeout(source, "pruning.interval", raw.interval, 3600)?;
    match raw.batch {
        Some(batch) if !(1..=LARGEST_BATCH).contains(&batch) => {
            return Err(source.error("pruning.batch", "must lie between 1 and 10000"));
        }
        Some(batch) => settings.batch = batch,
        None => {}
    }
    settings.django_tables = raw.django_tables.unwrap_or_default();
    match source.raw.audit.keep {
        None => {}
        Some(NullableLength::Off(false)) => settings.keep_events = None,
        Some(NullableLength::Length(Length(length))) if length >= SignedDuration::ZERO => {
            settings.keep_events = Some(length);
        }
        Some(_) => {
            return Err(
                source.error("audit.keep", "must be a length of time as \"90d\", or false to keep events for ever")
            );
        }
    }
    Ok((raw.enabled != Some(false)).then_some(Pruning { interval, settings }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const BASE: &str = "secret_key = \"0123456789012345678901234567890123456789\"\ndatabase_url = \"sqlite:x.db\"\n";

    fn read(rest: &str) -> Result<Option<Pruning>, String> {
        let config = Config::from_text(&format!("{BASE}{rest}"));
        config.map(|config| config.pruning).map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_has_its_place() {
        let pruning = read("[audit]\nkeep = \"7d\"\n[pruning]\ninterval = \"10m\"\nbatch = 50\ndjango_tables = true")
            .expect("accepted");
        let Pruning { interval, settings } = pruning.expect("on");
        assert_eq!(interval, Duration::from_mins(10));
        assert_eq!((settings.batch, settings.django_tables), (50, true));
        assert_eq!(settings.keep_events, Some(SignedDuration::from_hours(7 * 24)));
        let Pruning { interval, settings } = read("").expect("accepted").expect("on");
        assert_eq!((interval, settings.batch), (Duration::from_hours(1), 1000));
        assert!(!settings.django_tables, "Django's tables are not touched unasked");
        assert_eq!(settings.keep_events, Some(SignedDuration::from_hours(90 * 24)));
        assert!(read("[pruning]\nenabled = false").expect("accepted").is_none());
        let kept = read("[audit]\nkeep = false").expect("accepted").expect("on");
        assert_eq!(kept.settings.keep_events, None);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, expected) in [
            ("[pruning]\nbatch = 0", "countersign.toml:4: pruning.batch: must lie between"),
            ("[pruning]\ninterval = 0", "countersign.toml:4: pruning.interval: must be longer than nothing"),
            ("[audit]\nkeep = true", "countersign.toml:4: audit.keep: must be a length of time"),
        ] {
            let refusal = read(text).expect_err(text);
            assert!(refusal.starts_with(expected), "{refusal}");
        }
    }
}
