//! `[native_tokens]`: tokens of our own kind.

use countersign::Settings;
use countersign::settings::NativeTokenSettings;
use countersign_formats::native_token::NativePrefix;
use jiff::SignedDuration;

use super::ConfigError;
use super::raw::{NullableCount, NullableLength};
use super::source::Source;

/// A token that is in use is noted once a period of `sessions.last_seen`, and is not to end between two of them.
const PERIODS: i32 = 5;

/// Checks the table; sessions must be settled before.
pub(super) fn native_tokens(source: &Source, settings: &Settings) -> Result<Option<NativeTokenSettings>, ConfigError> {
    let raw = &source.raw.native_tokens;
    if raw.enabled != Some(true) {
        return Ok(None);
    }
    let Some(sessions) = &settings.sessions else {
        let problem =
            "cannot be on without sessions: remove sessions.enabled = false, and give simple_jwt.jti_claim a name";
        return Err(source.error("native_tokens.enabled", problem));
    };
    let mut native = NativeTokenSettings::default();
    if let Some(word) = &raw.prefix {
        native.prefix = NativePrefix::new(word).map_err(|error| source.error("native_tokens.prefix", error))?;
    }
    if let Some(keyword) = &raw.keyword {
        if keyword.is_empty() || !keyword.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(source.error("native_tokens.keyword", "must be a word without spaces"));
        }
        native.keyword.clone_from(keyword);
    }
    match raw.lifetime {
        None => {}
        Some(NullableLength::Off(false)) => native.lifetime = None,
        Some(NullableLength::Length(length)) if length.0 > SignedDuration::ZERO => native.lifetime = Some(length.0),
        Some(_) => {
            return Err(source.error("native_tokens.lifetime", "must be longer than nothing, or false for no end"));
        }
    }
    if let Some(idle) = raw.idle_lifetime {
        let Some(period) = sessions.last_seen.and_then(|period| SignedDuration::try_from(period).ok()) else {
            let problem = "cannot be told while sessions.last_seen is off";
            return Err(source.error("native_tokens.idle_lifetime", problem));
        };
        let shortest = period * PERIODS;
        if idle.0 < shortest {
            let problem = format!(
                "must be at least {}s, {PERIODS} times sessions.last_seen: that is how often use is noted",
                shortest.as_secs()
            );
            return Err(source.error("native_tokens.idle_lifetime", problem));
        }
        native.idle_lifetime = Some(idle.0);
    }
    match raw.limit_per_user {
        None | Some(NullableCount::Off(false)) => {}
        Some(NullableCount::Count(limit)) if limit > 0 => native.limit_per_user = Some(limit),
        Some(_) => {
            return Err(source.error("native_tokens.limit_per_user", "must be at least 1, or false for no limit"));
        }
    }
    Ok(Some(native))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::read;

    #[test]
    fn every_key_has_its_place() {
        assert!(read("[native_tokens]\nprefix = \"acme\"").expect("accepted").settings.native_tokens.is_none());
        let config = read("[native_tokens]\nenabled = true").expect("accepted");
        let native = config.settings.native_tokens.expect("on");
        assert_eq!((native.prefix.as_str(), &*native.keyword), ("cs_", "Bearer"));
        assert_eq!(native.lifetime, Some(SignedDuration::from_hours(2160)));
        assert_eq!((native.idle_lifetime, native.limit_per_user), (None, None));
        let config = read(
            "[native_tokens]\nenabled = true\nprefix = \"acme\"\nkeyword = \"Key\"\nlifetime = false\nidle_lifetime = \"1h\"\nlimit_per_user = 5",
        );
        let native = config.expect("accepted").settings.native_tokens.expect("on");
        assert_eq!((native.prefix.as_str(), &*native.keyword), ("acme_", "Key"));
        assert_eq!((native.lifetime, native.limit_per_user), (None, Some(5)));
        assert_eq!(native.idle_lifetime, Some(SignedDuration::from_hours(1)));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, expected) in [
            ("prefix = \"CS\"", "countersign.toml:5: native_tokens.prefix: must be 2 to 10 small letters and digits"),
            ("keyword = \"a b\"", "countersign.toml:5: native_tokens.keyword: must be a word without spaces"),
            ("lifetime = 0", "countersign.toml:5: native_tokens.lifetime: must be longer than nothing"),
            ("idle_lifetime = 299", "countersign.toml:5: native_tokens.idle_lifetime: must be at least 300s"),
            (
                "idle_lifetime = 300\n[sessions]\nlast_seen = false",
                "countersign.toml:5: native_tokens.idle_lifetime: cannot be told while sessions.last_seen is off",
            ),
            ("limit_per_user = 0", "countersign.toml:5: native_tokens.limit_per_user: must be at least 1"),
            ("[sessions]\nenabled = false", "countersign.toml:4: native_tokens.enabled: cannot be on without sessions"),
            (
                "[rest_framework]\ndefault_authentication_classes = [\"jwt\", \"native\"]",
                "countersign.toml:6: rest_framework.default_authentication_classes: native must stand before jwt",
            ),
        ] {
            let refusal = read(&format!("[native_tokens]\nenabled = true\n{text}")).expect_err(text);
            assert!(refusal.starts_with(expected), "{refusal}");
        }
        for (text, expected) in [
            (
                "[rest_framework]\ndefault_authentication_classes = [\"native\"]",
                "countersign.toml:4: rest_framework.default_authentication_classes: native needs native_tokens.enabled = true",
            ),
            (
                "[paths]\nnative_login = \"/x/\"",
                "countersign.toml:4: paths.native_login: native_tokens.enabled is not true",
            ),
            ("[paths]\nsessions = \"/x\"", "countersign.toml:4: paths.sessions: \"/x\" must end in a slash"),
            (
                "[paths]\nsessions = \"/x/\"\n[sessions]\nenabled = false",
                "countersign.toml:4: paths.sessions: sessions are off",
            ),
        ] {
            let refusal = read(text).expect_err(text);
            assert!(refusal.starts_with(expected), "{refusal}");
        }
    }
}
