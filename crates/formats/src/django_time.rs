//! Dates as Django writes them: into an `SQLite` column, and into JSON.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// A text that is not a date and time Django would have stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a date and time of the form YYYY-MM-DD HH:MM:SS[.ffffff]: {0:?}")]
pub struct InvalidDateTime(String);

/// Cuts `moment` down to whole microseconds, the precision of a Python `datetime` and of both databases.
///
/// A moment that is stored and read back equals its truncation.
#[must_use]
pub fn truncate_to_microseconds(moment: Timestamp) -> Timestamp {
    let microseconds = moment.as_nanosecond().div_euclid(1_000);
    Timestamp::from_nanosecond(microseconds * 1_000).unwrap_or(Timestamp::MIN)
}

/// Writes a UTC moment as Django stores it in `SQLite`: `2025-06-15 15:06:40.500000`, in microseconds, without a fraction
/// when the microseconds are 0. Source: Django 5.2 `sqlite3.DatabaseOperations.adapt_datetimefield_value`.
#[must_use]
pub fn to_sqlite_text(moment: Timestamp) -> String {
    render(moment, ' ', "")
}

/// Writes a UTC moment as DRF serialises it: `2025-06-16T01:06:40.500000Z`, in microseconds, without a fraction when the
/// microseconds are 0. Source: DRF 3.18 `DateTimeField.to_representation`.
#[must_use]
pub fn to_drf_text(moment: Timestamp) -> String {
    render(moment, 'T', "Z")
}

/// Reads a date and time from an `SQLite` column as UTC.
///
/// Beside Django's own form it takes `T` for the space, one to six digits of fraction, and a closing `Z` or `+00:00`.
/// Source: Django 5.2 `django.utils.dateparse.parse_datetime`.
///
/// # Errors
/// [`InvalidDateTime`] for any other text, days that do not exist included.
pub fn from_sqlite_text(text: &str) -> Result<Timestamp, InvalidDateTime> {
    parse(text).ok_or_else(|| InvalidDateTime(text.to_owned()))
}

fn render(moment: Timestamp, separator: char, suffix: &str) -> String {
    let civil = Offset::UTC.to_datetime(truncate_to_microseconds(moment));
    let microseconds = civil.subsec_nanosecond() / 1_000;
    let fraction = if microseconds == 0 { String::new() } else { format!(".{microseconds:06}") };
    format!(
        "{:04}-{:02}-{:02}{separator}{:02}:{:02}:{:02}{fraction}{suffix}",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second(),
    )
}

fn parse(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")).unwrap_or(text);
    let (seconds, fraction) = text.split_once('.').map_or((text, None), |(before, after)| (before, Some(after)));
    let bytes = seconds.as_bytes();
    let [_, _, _, _, b'-', _, _, b'-', _, _, b' ' | b'T', _, _, b':', _, _, b':', _, _] = bytes else {
        return None;
    };
    let nanoseconds = match fraction {
        None => 0,
        Some(digits) if (1..=6).contains(&digits.len()) => {
            number(digits)? * 10_i32.pow(9 - u32::try_from(digits.len()).ok()?)
        }
        Some(_) => return None,
    };
    let two = |at: usize| number(seconds.get(at..at + 2)?).and_then(|value| i8::try_from(value).ok());
    let year = i16::try_from(number(seconds.get(..4)?)?).ok()?;
    let civil = DateTime::new(year, two(5)?, two(8)?, two(11)?, two(14)?, two(17)?, nanoseconds).ok()?;
    Offset::UTC.to_timestamp(civil).ok()
}

fn number(digits: &str) -> Option<i32> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(microseconds: i64) -> Timestamp {
        Timestamp::from_microsecond(microseconds).expect("in range")
    }

    #[test]
    fn fraction_is_six_digits_or_absent() {
        assert_eq!(to_sqlite_text(at(1_750_000_000_500_000)), "2025-06-15 15:06:40.500000");
        assert_eq!(to_sqlite_text(at(1_735_689_600_000_000)), "2025-01-01 00:00:00");
        assert_eq!(to_sqlite_text(at(1_735_689_600_000_001)), "2025-01-01 00:00:00.000001");
        assert_eq!(to_drf_text(at(1_750_036_000_500_000)), "2025-06-16T01:06:40.500000Z");
        assert_eq!(to_drf_text(at(1_750_036_000_000_000)), "2025-06-16T01:06:40Z");
    }

    #[test]
    fn nanoseconds_are_cut_never_rounded() {
        let moment = Timestamp::from_nanosecond(1_735_689_600_999_999_999).expect("in range");
        assert_eq!(to_sqlite_text(moment), "2025-01-01 00:00:00.999999");
        assert_eq!(from_sqlite_text(&to_sqlite_text(moment)), Ok(truncate_to_microseconds(moment)));
        let before_epoch = Timestamp::from_nanosecond(-1).expect("in range");
        assert_eq!(to_sqlite_text(before_epoch), "1969-12-31 23:59:59.999999");
    }

    #[test]
    fn tolerated_spellings_read_alike() {
        let expected = Ok(at(1_750_000_000_500_000));
        for text in [
            "2025-06-15 15:06:40.500000",
            "2025-06-15 15:06:40.5",
            "2025-06-15T15:06:40.50Z",
            "2025-06-15T15:06:40.500+00:00",
            "2025-06-15 15:06:40.500000+00:00",
        ] {
            assert_eq!(from_sqlite_text(text), expected, "{text}");
        }
        assert_eq!(from_sqlite_text("2024-02-29 00:00:00").map(to_sqlite_text).as_deref(), Ok("2024-02-29 00:00:00"));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "2025-06-15",
            "2025-02-29 00:00:00",
            "2025-13-01 00:00:00",
            "2025-06-15 24:00:00",
            "2025-06-15 15:06:61",
            "2025-06-15 15:06:40.",
            "2025-06-15 15:06:40.1234567",
            "2025-06-15 15:06:40.+12345",
            "2025-06-15 15:06:40+02:00",
            "2025-06-15_15:06:40",
            "+025-06-15 15:06:40",
            " 2025-06-15 15:06:40",
            "2025-06-15 15:06:40\n",
            "２025-06-15 15:06:40",
        ] {
            assert_eq!(from_sqlite_text(text), Err(InvalidDateTime(text.to_owned())), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn stored_moments_come_back(microseconds in -62_135_596_800_000_000_i64..253_402_300_799_000_000) {
            let moment = at(microseconds);
            proptest::prop_assert_eq!(from_sqlite_text(&to_sqlite_text(moment)), Ok(moment));
            proptest::prop_assert_eq!(from_sqlite_text(&to_drf_text(moment)), Ok(moment));
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,40}") {
            let _ = from_sqlite_text(&text);
        }
    }
}
