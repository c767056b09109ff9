//! How Python reads a claim: `int()` and `str()` as Django's model fields apply them, and truth.

use countersign_formats::json::{Value, parse_python_int, python_float_repr};
use jiff::Timestamp;

/// What `IntegerField.get_prep_value` makes of a claim: `int(value)`, or `None` where it raises or leaves 64 bits.
///
/// `" 1 "`, `"+1"`, `"1_0"`, `true` and `1.9` convert as in Python.
pub(crate) fn to_integer(claim: &Value) -> Option<i64> {
    match claim {
        Value::Integer(number) => number.as_i64(),
        Value::Bool(value) => Some(i64::from(*value)),
        #[expect(clippy::cast_possible_truncation, reason = "truncation is what int() does; the range is checked")]
        Value::Float(number) if number.is_finite() && number.abs() < 9.0e18 => Some(number.trunc() as i64),
        Value::String(text) => i64::try_from(parse_python_int(text.as_str()?)?).ok(),
        _ => None,
    }
}

/// What `CharField.to_python` makes of a claim: `str(value)`; `None` for null (which matches no row), arrays and objects, and
/// text that is not Unicode.
pub(crate) fn to_text(claim: &Value) -> Option<String> {
    match claim {
        Value::String(text) => text.as_str().map(str::to_owned),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(python_float_repr(*number)),
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The instant of a claim in seconds since 1970, as `datetime.fromtimestamp` reads numbers (microseconds at the finest).
pub(crate) fn to_instant(claim: &Value) -> Option<Timestamp> {
    match claim {
        #[expect(clippy::cast_possible_truncation, reason = "rounded, and checked against the calendar's range")]
        Value::Float(seconds) if seconds.is_finite() && seconds.abs() < 1.0e12 => {
            Timestamp::from_microsecond((seconds * 1e6).round_ties_even() as i64).ok()
        }
        Value::Float(_) | Value::String(_) => None,
        other => Timestamp::from_second(to_integer(other)?).ok(),
    }
}

/// Python's `bool(value)`.
pub(crate) fn is_truthy(claim: &Value) -> bool {
    match claim {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Integer(number) => number.as_i64() != Some(0),
        Value::Float(number) => *number != 0.0,
        Value::String(text) => text.as_str().is_none_or(|text| !text.is_empty()),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => members.iter().next().is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_convert_as_in_python() {
        for (text, expected) in [
            ("1", Some(1)),
            (" 1 ", Some(1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("1.0", None),
            ("\u{a0}١", Some(1)),
            ("\u{a0}1\u{1f}", None),
        ] {
            assert_eq!(to_integer(&Value::from(text)), expected, "{text:?}");
        }
        assert_eq!(to_integer(&Value::Float(1.9)), Some(1));
        assert_eq!(to_integer(&Value::Float(-1.9)), Some(-1));
        assert_eq!(to_integer(&Value::Float(f64::NAN)), None);
        assert_eq!(to_integer(&Value::Bool(true)), Some(1));
        assert_eq!(to_integer(&Value::Null), None);
        assert_eq!(to_integer(&Value::Array(Vec::new())), None);
    }
}
