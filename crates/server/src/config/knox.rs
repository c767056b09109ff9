//! `[knox]`: `REST_KNOX` in lower case.

use countersign::settings::KnoxSettings;
use countersign_formats::drf_datetime::{DateTimeFormat, Strftime};
use countersign_formats::knox_token::KnoxHash;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::ConfigError;
use super::raw::{Nullable, NullableCount, NullableLength};
use super::source::Source;

/// `knox.settings.CONSTANTS.MAXIMUM_TOKEN_PREFIX_LENGTH`.
const LONGEST_PREFIX: usize = 10;

/// Checks the table.
pub(super) fn knox(source: &Source) -> Result<KnoxSettings, ConfigError> {
    let raw = &source.raw.knox;
    let mut knox = KnoxSettings::default();
    if let Some(name) = &raw.secure_hash_algorithm {
        knox.hash = match name.strip_prefix("hashlib.").unwrap_or(name) {
            "sha512" => KnoxHash::Sha512,
            "sha384" => KnoxHash::Sha384,
            "sha256" => KnoxHash::Sha256,
            _ => {
                let problem =
                    format!("\"{name}\" is not computed here; use hashlib.sha512, hashlib.sha384 or hashlib.sha256");
                return Err(source.error("knox.secure_hash_algorithm", problem));
            }
        };
    }
    if let Some(length) = raw.auth_token_character_length {
        if !(32..=256).contains(&length) {
            return Err(source.error("knox.auth_token_character_length", "must lie between 32 and 256"));
        }
        knox.token_length = length;
    }
    for (key, given, field) in [
        ("knox.token_ttl", raw.token_ttl, &mut knox.token_ttl),
        ("knox.auto_refresh_max_ttl", raw.auto_refresh_max_ttl, &mut knox.auto_refresh_max_ttl),
    ] {
        *field = match given {
            None => continue,
            Some(NullableLength::Off(false)) => None,
            Some(NullableLength::Length(length)) if length.0 > SignedDuration::ZERO => Some(length.0),
            Some(_) => return Err(source.error(key, "must be longer than nothing, or false for none")),
        };
    }
    if knox.auto_refresh_max_ttl.zip(knox.token_ttl).is_some_and(|(longest, ttl)| longest < ttl) {
        let problem = "is shorter than token_ttl: no token would ever end later by use";
        return Err(source.error("knox.auto_refresh_max_ttl", problem));
    }
    if let Some(interval) = raw.min_refresh_interval {
        knox.min_refresh_interval = interval.0;
    }
    knox.token_limit_per_user = match raw.token_limit_per_user {
        None | Some(NullableCount::Off(false)) => None,
        Some(NullableCount::Count(count)) => Some(count),
        Some(NullableCount::Off(true)) => {
            return Err(source.error("knox.token_limit_per_user", "must be a number, or false for none"));
        }
    };
    knox.auto_refresh = raw.auto_refresh.unwrap_or(false);
    if let Some(prefix) = &raw.auth_header_prefix {
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(source.error("knox.auth_header_prefix", "must be a word without spaces"));
        }
        knox.auth_header_prefix.clone_from(prefix);
    }
    if let Some(prefix) = &raw.token_prefix {
        if prefix.chars().count() > LONGEST_PREFIX || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(source.error("knox.token_prefix", "must be at most 10 ASCII characters without spaces"));
        }
        knox.token_prefix.clone_from(prefix);
    }
    knox.shows_user = match &raw.user_serializer {
        None | Some(Nullable::Off(false)) => false,
        Some(Nullable::Name(name)) if name == "knox.serializers.UserSerializer" => true,
        Some(_) => {
            let problem = "is Python code and cannot run here; use \"knox.serializers.UserSerializer\", or false";
            return Err(source.error("knox.user_serializer", problem));
        }
    };
    if raw.token_model.as_deref().is_some_and(|model| model != "knox.AuthToken") {
        return Err(source.error("knox.token_model", "must be \"knox.AuthToken\", whose table is knox_authtoken"));
    }
    knox.expiry_format = match &raw.expiry_datetime_format {
        // Without a format the renderer writes ISO 8601.
        None | Some(Nullable::Off(false)) => DateTimeFormat::Iso8601,
        Some(Nullable::Name(name)) if name.eq_ignore_ascii_case("iso-8601") => DateTimeFormat::Iso8601,
        Some(Nullable::Name(format)) => DateTimeFormat::Strftime(
            Strftime::new(format).map_err(|error| source.error("knox.expiry_datetime_format", error))?,
        ),
        Some(Nullable::Off(true)) => {
            return Err(source.error("knox.expiry_datetime_format", "must be a format, or \"iso-8601\""));
        }
    };
    if let Some(name) = &source.raw.time_zone {
        knox.time_zone = match name.as_str() {
            "UTC" => TimeZone::UTC,
            name => TimeZone::get(name).map_err(|error| source.error("time_zone", error))?,
        };
    }
    Ok(knox)
}
