//! Times in claims, as Python converts and compares them.

use jiff::Timestamp;

use crate::json::{Value, parse_python_int};

/// Nanoseconds in a second.
pub(super) const NANOS: i128 = 1_000_000_000;

/// Seconds from the start of year 1 to that of year 10000: what Python's `datetime` can hold.
const DATETIME_SECONDS: std::ops::Range<i128> = -62_135_596_800..253_402_300_800;

/// Nanoseconds since 1970.
pub(super) fn nanos(moment: Timestamp) -> i128 {
    moment.as_nanosecond()
}

/// Whole seconds since 1970, rounded down; within what Python's `datetime` can hold.
pub(super) fn floor_seconds(nanos: i128) -> i64 {
    let seconds = nanos.div_euclid(NANOS).clamp(DATETIME_SECONDS.start, DATETIME_SECONDS.end - 1);
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// Python's `int(value)`, saturating: numbers lose their fraction, booleans are 0 and 1, text is read. `None` where Python
/// raises.
pub(super) fn python_int(value: &Value) -> Option<i128> {
    match value {
        Value::Integer(integer) => {
            Some(integer.as_i64().map_or(if integer.is_negative() { i128::MIN } else { i128::MAX }, i128::from))
        }
        Value::Float(number) => float_to_int(*number),
        Value::Bool(value) => Some(i128::from(*value)),
        Value::String(text) => text.as_str().and_then(parse_python_int),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Python's `datetime.fromtimestamp(value)` in nanoseconds: floats are rounded to microseconds, ties to even. `None` where
/// Python raises: not a number, not finite, outside years 1 to 9999.
pub(super) fn instant_nanos(value: &Value) -> Option<i128> {
    let nanos = match value {
        Value::String(_) => return None,
        Value::Float(number) => {
            let micros = float_to_int((number.fract() * 1e6).round_ties_even())?;
            float_to_int(*number)?.checked_mul(NANOS)?.checked_add(micros * 1000)?
        }
        _ => python_int(value)?.checked_mul(NANOS)?,
    };
    DATETIME_SECONDS.contains(&nanos.div_euclid(NANOS)).then_some(nanos)
}

#[expect(clippy::cast_possible_truncation, reason = "cutting off the fraction and saturating is what is wanted")]
fn float_to_int(number: f64) -> Option<i128> {
    number.is_finite().then_some(number as i128)
}
