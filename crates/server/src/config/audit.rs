//! `[audit]`: where events go.

use countersign::Settings;
use countersign::audit::EventKind;

use super::source::Source;
use super::{ConfigError, OwnTables};

/// An event takes two kilobytes at most.
const LARGEST_QUEUE: usize = 1_000_000;

/// Puts the settings of events in their place; whether there is a table for them, the database has yet to say.
pub(super) fn audit(source: &Source, settings: &mut Settings) -> Result<OwnTables, ConfigError> {
    let raw = &source.raw.audit;
    let audit = &mut settings.audit;
    if let Some(log) = raw.log {
        audit.log = log;
    }
    if let Some(skip) = &raw.skip {
        audit.skip = skip
            .iter()
            .map(|name| {
                EventKind::of_name(name).ok_or_else(|| {
                    source.error("audit.skip", format!("\"{name}\" is no kind of event; docs/audit.md lists them"))
                })
            })
            .collect::<Result<_, _>>()?;
    }
    match raw.queue {
        Some(queue) if !(1..=LARGEST_QUEUE).contains(&queue) => {
            return Err(source.error("audit.queue", "must lie between 1 and 1000000"));
        }
        Some(queue) => audit.queue = queue,
        None => {}
    }
    Ok(match raw.table {
        Some(false) => OwnTables::Off,
        None => OwnTables::IfThere,
        Some(true) => {
            settings.apps.countersign = true;
            OwnTables::Demanded {
                refusal: source
                    .error(
                        "audit.table",
                        "the database has no table for events; run `countersign migrate`, or set it to false",
                    )
                    .to_string(),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::read;

    #[test]
    fn every_key_has_its_place() {
        let config = read("[audit]\nlog = false\ntable = true\nskip = [\"login\"]\nqueue = 7").expect("accepted");
        let audit = config.settings.audit;
        assert_eq!((audit.log, audit.table, audit.queue), (false, false, 7), "the database decides on the table");
        assert_eq!(audit.skip, [EventKind::Login]);
        assert!(matches!(config.audit, OwnTables::Demanded { .. }));
        let config = read("").expect("accepted");
        let audit = config.settings.audit;
        assert_eq!((audit.log, audit.queue, config.audit), (true, 4096, OwnTables::IfThere));
        assert_eq!(audit.skip, [EventKind::Refresh]);
        assert_eq!(read("[audit]\ntable = false").expect("accepted").audit, OwnTables::Off);
    }

    #[test]
    fn a_table_may_be_wanted_without_sessions() {
        let config = read("[sessions]\nenabled = false\n[audit]\ntable = true").expect("accepted");
        assert!(config.settings.apps.countersign, "migrate makes it");
        assert!(config.settings.sessions.is_none());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, expected) in [
            ("[audit]\nskip = [\"x\"]", "countersign.toml:4: audit.skip: \"x\" is no kind of event"),
            ("[audit]\nqueue = 0", "countersign.toml:4: audit.queue: must lie between"),
        ] {
            let refusal = read(text).expect_err(text);
            assert!(refusal.starts_with(expected), "{refusal}");
        }
    }
}
