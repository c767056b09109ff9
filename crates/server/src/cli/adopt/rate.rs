//! A rate of DRF's throttles in nginx's terms.

/// So many requests in a period, as `limit_req` counts them: some at once, and then evenly.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// As Django has it.
    pub given: String,
    /// `rate=` of `limit_req_zone`.
    pub nginx: String,
    /// `burst=` of `limit_req`: requests beyond the first that may come at once.
    pub burst: u64,
    /// Nginx's slowest rate of one a minute lets more through than Django does.
    pub is_looser: bool,
}

impl Rate {
    /// `30/min`: DRF looks at the first letter of the period only (DRF 3.18 `SimpleRateThrottle.parse_rate`). Nginx has whole
    /// requests a second or a minute; what is left of an uneven rate is cut off. `None` for a rate that lets nothing through,
    /// or that is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (count, period) = text.split_once('/')?;
        let count: u64 = count.trim().parse().ok().filter(|count| *count > 0)?;
        let (minutes, unit) = match period.chars().next()? {
            's' => (1, 's'),
            'm' => (1, 'm'),
            'h' => (60, 'm'),
            'd' => (24 * 60, 'm'),
            _ => return None,
        };
        let even = count / minutes;
        Some(Self {
            given: text.to_owned(),
            nginx: format!("{}r/{unit}", even.max(1)),
            burst: count - 1,
            is_looser: even == 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_djangos_periods() {
        let nginx = |text| Rate::read(text).map(|rate| (rate.nginx, rate.burst, rate.is_looser));
        let rate = |text: &str, burst, is_looser| Some((text.to_owned(), burst, is_looser));
        assert_eq!(nginx("5/second"), rate("5r/s", 4, false));
        assert_eq!(nginx("1/min"), rate("1r/m", 0, false));
        assert_eq!(nginx("1200/hour"), rate("20r/m", 1199, false));
        assert_eq!(nginx("100/hour"), rate("1r/m", 99, false));
        assert_eq!(nginx("2000/day"), rate("1r/m", 1999, false));
        for text in ["0/min", "many", "5/", "5/week", "-1/min", ""] {
            assert_eq!(nginx(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_rarer_than_once_a_minute_is_known_as_looser() {
        for text in ["3/day", "59/hour", "1439/day"] {
            assert!(Rate::read(text).is_some_and(|rate| rate.is_looser && rate.nginx == "1r/m"), "{text}");
        }
    }
}
