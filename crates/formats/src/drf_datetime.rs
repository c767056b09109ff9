//! Dates as a serializer's `DateTimeField` shows them. DRF 3.18 `DateTimeField.to_representation`.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `DATETIME_FORMAT` and its like.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum DateTimeFormat {
    /// `iso-8601`: `2025-06-16T01:06:40.500000Z`.
    #[default]
    Iso8601,
    /// Directives of Python's `strftime`.
    Strftime(Strftime),
}

/// A format of `strftime` whose directives are known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strftime(String);

/// A directive that Python would leave to the machine's C library or locale.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the directive {0} is unknown here; use %Y %y %m %d %H %I %p %M %S %f %z %Z %j %a %A %b %B or %%")]
pub struct UnknownDirective(String);

impl Strftime {
    /// Checks a format.
    ///
    /// # Errors
    /// [`UnknownDirective`].
    pub fn new(format: &str) -> Result<Self, UnknownDirective> {
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                continue;
            }
            match letters.next() {
                Some(directive) if "YymdHIpMSfzZjaAbB%".contains(directive) => {}
                other => return Err(UnknownDirective(other.map_or("%".to_owned(), |letter| format!("%{letter}")))),
            }
        }
        Ok(Self(format.to_owned()))
    }
}

impl DateTimeFormat {
    /// The moment in a time zone (Django's `TIME_ZONE`).
    #[must_use]
    pub fn show(&self, moment: Timestamp, zone: &TimeZone) -> String {
        let local = moment.to_zoned_datetime(zone.clone());
        let seconds = local.offset().seconds();
        let mut text = String::new();
        let offset = |text: &mut String, separator: &str| {
            let (sign, away) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
            let _ = write!(text, "{sign}{:02}{separator}{:02}", away / 3600, away / 60 % 60);
            if away % 60 != 0 {
                let _ = write!(text, "{separator}{:02}", away % 60);
            }
        };
        let Self::Strftime(Strftime(format)) = self else {
            let _ = write!(
                text,
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
                local.year(),
                local.month(),
                local.day(),
                local.hour(),
                local.minute(),
                local.second()
            );
            match local.subsec_nanosecond() / 1000 {
                0 => {}
                micros => {
                    let _ = write!(text, ".{micros:06}");
                }
            }
            if seconds == 0 {
                text.push('Z');
            } else {
                offset(&mut text, ":");
            }
            return text;
        };
        let (weekday, month) = (
            DAYS[usize::from(local.weekday().to_monday_zero_offset().unsigned_abs())],
            MONTHS[usize::from(local.month().unsigned_abs()) - 1],
        );
        let hour = local.hour();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                text.push(letter);
                continue;
            }
            let _ = match letters.next() {
                // glibc's `%Y` has no leading zeros, and years here are those of tokens.
                Some('Y') => write!(text, "{}", local.year()),
                Some('y') => write!(text, "{:02}", local.year() % 100),
                Some('m') => write!(text, "{:02}", local.month()),
                Some('d') => write!(text, "{:02}", local.day()),
                Some('H') => write!(text, "{hour:02}"),
                Some('I') => write!(text, "{:02}", (hour + 11) % 12 + 1),
                Some('p') => write!(text, "{}", if hour < 12 { "AM" } else { "PM" }),
                Some('M') => write!(text, "{:02}", local.minute()),
                Some('S') => write!(text, "{:02}", local.second()),
                Some('f') => write!(text, "{:06}", local.subsec_nanosecond() / 1000),
                Some('j') => write!(text, "{:03}", local.day_of_year()),
                Some('a') => write!(text, "{}", &weekday[..3]),
                Some('A') => write!(text, "{weekday}"),
                Some('b') => write!(text, "{}", &month[..3]),
                Some('B') => write!(text, "{month}"),
                Some('Z') => write!(text, "{}", local.strftime("%Z")),
                Some('z') => {
                    offset(&mut text, "");
                    Ok(())
                }
                _ => write!(text, "%"),
            };
        }
        text
    }
}

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    #[test]
    fn iso_8601_is_pythons_isoformat_with_z() {
        let show = |text: &str, hours: i8| {
            DateTimeFormat::Iso8601.show(moment(text), &TimeZone::fixed(jiff::tz::Offset::constant(hours)))
        };
        assert_eq!(show("2025-06-16T01:06:40.5Z", 0), "2025-06-16T01:06:40.500000Z");
        assert_eq!(show("2025-06-16T01:06:40Z", 0), "2025-06-16T01:06:40Z");
        assert_eq!(show("2025-06-16T01:06:40.5Z", -5), "2025-06-15T20:06:40.500000-05:00");
        assert_eq!(show("2025-06-16T01:06:40Z", 2), "2025-06-16T03:06:40+02:00");
    }

    #[test]
    fn strftime_is_pythons() {
        let show = |format: &str, text: &str| {
            DateTimeFormat::Strftime(Strftime::new(format).expect(format)).show(moment(text), &TimeZone::UTC)
        };
        assert_eq!(
            show("%d/%m/%y %H:%M:%S.%f %z %Z %%", "2025-06-05T01:06:40.5Z"),
            "05/06/25 01:06:40.500000 +0000 UTC %"
        );
        assert_eq!(show("%a %A %b %B %j %I %p", "2025-06-05T00:06:40Z"), "Thu Thursday Jun June 156 12 AM");
        assert_eq!(show("%I%p %Y", "2025-12-07T23:00:00Z"), "11PM 2025");
        assert_eq!(Strftime::new("%c").map_err(|error| error.to_string().starts_with("the directive %c")), Err(true));
        assert!(Strftime::new("%").is_err() && Strftime::new("%-d").is_err());
    }
}
