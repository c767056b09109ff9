//! Durations as `"5m"` or seconds.

use std::fmt;

use jiff::SignedDuration;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A length of time: a number of seconds (fractions allowed) or text such as `"90s"`, `"5m"`, `"1h 30m"`, `"1d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length(pub SignedDuration);

impl Length {
    fn from_seconds(seconds: f64) -> Option<Self> {
        // A hundred thousand years is beyond what any calendar here holds.
        (seconds.is_finite() && seconds.abs() < 3.2e12)
            .then(|| SignedDuration::try_from_secs_f64(seconds).ok().map(Self))?
    }

    /// Reads numbers with units: `ms`, `s`, `m`, `h`, `d`, `w`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return None;
        }
        let mut seconds = 0.0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
            let number: f64 = rest[..digits].parse().ok()?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            seconds += number
                * match &rest[..letters] {
                    "ms" => 0.001,
                    "s" | "" => 1.0,
                    "m" | "min" => 60.0,
                    "h" => 3600.0,
                    "d" => 86_400.0,
                    "w" => 604_800.0,
                    _ => return None,
                };
            rest = rest[letters..].trim_start();
        }
        Self::from_seconds(seconds)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LengthVisitor;
        impl Visitor<'_> for LengthVisitor {
            type Value = Length;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"5m\", \"1h 30m\", \"1d\" or a number of seconds")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Length, E> {
                Length::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_i64<E: Error>(self, seconds: i64) -> Result<Length, E> {
                if seconds.abs() > 3_200_000_000_000 {
                    return Err(E::invalid_value(serde::de::Unexpected::Signed(seconds), &self));
                }
                Ok(Length(SignedDuration::from_secs(seconds)))
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<Length, E> {
                Length::from_seconds(seconds)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Float(seconds), &self))
            }
        }
        deserializer.deserialize_any(LengthVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_units() {
        let seconds = |text: &str| Length::parse(text).map(|length| length.0.as_secs_f64());
        assert_eq!(seconds("5m"), Some(300.0));
        assert_eq!(seconds("1h 30m"), Some(5400.0));
        assert_eq!(seconds("1d"), Some(86_400.0));
        assert_eq!(seconds("90.5s"), Some(90.5));
        assert_eq!(seconds("250ms"), Some(0.25));
        assert_eq!(seconds("60"), Some(60.0));
        assert_eq!(seconds(""), None);
        assert_eq!(seconds("5 parsecs"), None);
        assert_eq!(seconds("m"), None);
    }
}
