//! Rates as DRF writes them.

use std::fmt;
use std::str::FromStr;

use countersign_formats::json::parse_python_int;

/// So many requests in so much time: `"100/day"`. Of the period only the first letter counts: `s`, `m`, `h`, `d`. DRF 3.18
/// `SimpleRateThrottle.parse_rate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub(crate) requests: i64,
    /// Microseconds.
    pub(crate) period: i64,
}

/// Why a text is no rate. DRF crashes on it when the first request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no rate; write a number, a slash and s, m, h or d, as in \"100/day\"")]
pub struct RateError;

impl FromStr for Rate {
    type Err = RateError;

    /// The number is Python's `int()`: `" +1_000 "` will do, and below one nothing is let through.
    fn from_str(text: &str) -> Result<Self, RateError> {
        let (number, period) = text.split_once('/').filter(|(_, period)| !period.contains('/')).ok_or(RateError)?;
        let seconds = match period.chars().next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            _ => return Err(RateError),
        };
        let requests = parse_python_int(number).and_then(|number| i64::try_from(number).ok()).ok_or(RateError)?;
        Ok(Self { requests, period: seconds * 1_000_000 })
    }
}

impl Rate {
    /// Whether it lets anything through.
    #[must_use]
    pub fn lets_through(self) -> bool {
        self.requests > 0
    }

    /// What each of `nodes` that cannot ask each other may let through, so that all of them together keep to the rate; at least
    /// one where the rate has one.
    pub(crate) fn share(self, nodes: u32) -> Self {
        Self { requests: (self.requests / i64::from(nodes.max(1))).max(self.requests.min(1)), ..self }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = match self.period / 1_000_000 {
            1 => "s",
            60 => "min",
            3_600 => "hour",
            _ => "day",
        };
        write!(formatter, "{}/{period}", self.requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_drf_reads_them() {
        for (text, requests, seconds) in [
            ("2/min", 2, 60),
            ("2/minute-ish", 2, 60),
            ("1000/d", 1000, 86_400),
            (" +1_000 /hours", 1000, 3_600),
            ("0/s", 0, 1),
            ("-1/s", -1, 1),
        ] {
            assert_eq!(text.parse(), Ok(Rate { requests, period: seconds * 1_000_000 }), "{text}");
        }
        for text in
            ["", "2", "2/", "/m", "2/ min", "2/Min", "2/m/s", "two/m", "2.5/m", "_2/m", "99999999999999999999/m"]
        {
            assert_eq!(text.parse::<Rate>(), Err(RateError), "{text}");
        }
    }

    #[test]
    fn nodes_share_a_rate_and_none_gets_more() {
        let share = |text: &str, nodes| text.parse::<Rate>().expect("a rate").share(nodes).to_string();
        assert_eq!(share("10/min", 3), "3/min");
        assert_eq!(share("10/day", 1), "10/day");
        assert_eq!(share("2/hour", 3), "1/hour");
        assert_eq!((share("0/s", 3), share("-1/s", 2)), ("0/s".to_owned(), "0/s".to_owned()));
    }
}
