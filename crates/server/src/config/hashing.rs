//! `auth.hashing_…`: how much of the machine password hashing gets.

use countersign::settings::{Backend, Backends, HashingSettings};

use super::ConfigError;
use super::resolve::timeout;
use super::source::Source;

/// More would only wait for each other, and each has memory of its own.
const MAX_THREADS: usize = 1_024;

/// The settings of the hashing threads.
pub(super) fn hashing(source: &Source) -> Result<HashingSettings, ConfigError> {
    let raw = &source.raw.auth;
    let mut hashing = HashingSettings::default();
    if let Some(threads) = raw.hashing_threads {
        let range = || source.error("auth.hashing_threads", format!("must lie between 1 and {MAX_THREADS}"));
        hashing.threads = Some(threads).filter(|threads| (1..=MAX_THREADS).contains(threads)).ok_or_else(range)?;
    }
    if let Some(queue) = raw.hashing_queue {
        hashing.queue = queue;
    }
    if let Some(memory) = raw.hashing_memory {
        hashing.memory = memory.0;
    }
    hashing.deadline = timeout(source, "auth.hashing_deadline", raw.hashing_deadline, 10)?;
    if let Some(nice) = raw.hashing_nice {
        let range = || source.error("auth.hashing_nice", "must lie between 0 and 19");
        hashing.nice = u8::try_from(nice).ok().filter(|nice| *nice <= 19).ok_or_else(range)?;
    }
    if let Some(names) = &raw.hashing_backends {
        hashing.backends = backends(source, names)?;
    }
    Ok(hashing)
}

/// Those named of the back ends that this CPU has.
fn backends(source: &Source, names: &[String]) -> Result<Backends, ConfigError> {
    let key = "auth.hashing_backends";
    let available = Backends::detect();
    let listed = || available.iter().map(Backend::name).collect::<Vec<_>>().join(", ");
    for name in names {
        if !available.iter().any(|backend| backend.name() == name) {
            return Err(source.error(key, format!("this CPU has no \"{name}\"; use some of {}", listed())));
        }
    }
    if names.is_empty() {
        return Err(source.error(key, format!("must name at least one of {}", listed())));
    }
    let others = available.iter().filter(|backend| !names.iter().any(|name| backend.name() == name));
    Ok(others.fold(available, Backends::without))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;

    const BASE: &str =
        "secret_key = \"0123456789012345678901234567890123456789\"\ndatabase_url = \"sqlite:x.db\"\n[auth]\n";

    fn read(keys: &str) -> Result<HashingSettings, String> {
        let config = Config::from_text(&format!("{BASE}{keys}")).map_err(|error| error.to_string())?;
        Ok(config.settings.hashing)
    }

    #[test]
    fn every_key_has_its_place() {
        let hashing = read(
            "hashing_threads = 3\nhashing_queue = 7\nhashing_memory = \"1 GiB\"\nhashing_deadline = \"2s\"\nhashing_nice = 0\n\
             hashing_backends = [\"portable\"]",
        )
        .expect("accepted");
        assert_eq!((hashing.threads, hashing.queue, hashing.memory, hashing.nice), (3, 7, 1 << 30, 0));
        assert_eq!(hashing.deadline, Duration::from_secs(2));
        assert_eq!(Some(hashing.backends), Backends::only(Backend::Portable));
        let default = read("").expect("accepted");
        assert_eq!((default.queue, default.memory, default.nice), (256, 1 << 28, 10));
        assert_eq!((default.deadline, default.backends), (Duration::from_secs(10), Backends::detect()));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_key_and_fix() {
        for (keys, expected) in [
            ("hashing_threads = 0", "countersign.toml:4: auth.hashing_threads: must lie between 1 and 1024"),
            ("hashing_threads = 1025", "countersign.toml:4: auth.hashing_threads: must lie between 1 and 1024"),
            ("hashing_nice = 20", "countersign.toml:4: auth.hashing_nice: must lie between 0 and 19"),
            ("hashing_nice = -1", "countersign.toml:4: auth.hashing_nice: must lie between 0 and 19"),
            ("hashing_deadline = 0", "countersign.toml:4: auth.hashing_deadline: must be longer than nothing"),
            (
                "hashing_backends = [\"mmx\"]",
                "countersign.toml:4: auth.hashing_backends: this CPU has no \"mmx\"; use some of portable",
            ),
            ("hashing_backends = []", "countersign.toml:4: auth.hashing_backends: must name at least one of portable"),
            ("hashing_memory = \"256 MB\"", "countersign.toml:4: auth.hashing_memory: "),
        ] {
            let refusal = read(keys).expect_err(keys);
            assert!(refusal.starts_with(expected), "{refusal}");
        }
    }
}
