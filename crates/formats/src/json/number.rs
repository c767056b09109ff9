//! Numbers as Python reads and prints them.

use std::fmt;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// The longest integer Python 3.11 converts (`sys.get_int_max_str_digits()`).
pub(super) const MAX_INTEGER_DIGITS: usize = 4300;

/// An integer of any size, as Python's `int`. Displays in canonical decimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Integer(Repr);

/// Canonical: `Big` only when the number does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Repr {
    Small(i64),
    /// Canonical decimal digits, perhaps after `-`.
    Big(Box<str>),
}

impl Integer {
    /// The number, when it fits 64 bits.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small(number) => Some(*number),
            Repr::Big(_) => None,
        }
    }

    /// Whether the number is below zero.
    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Small(number) => *number < 0,
            Repr::Big(digits) => digits.starts_with('-'),
        }
    }

    /// Reads what the JSON grammar calls an integer: no leading zeros, no `+`. `-0` is zero.
    pub(super) fn from_json_digits(digits: &str) -> Self {
        Self(digits.parse().map_or_else(|_| Repr::Big(digits.into()), Repr::Small))
    }
}

impl From<i64> for Integer {
    fn from(number: i64) -> Self {
        Self(Repr::Small(number))
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(number) => number.fmt(f),
            Repr::Big(digits) => f.write_str(digits),
        }
    }
}

/// Python's `int(text)`, saturating: decimal digits of any script, perhaps with a sign before, blanks around and single underscores
/// between them; at most 4300. `None` where Python raises.
#[must_use]
pub fn parse_python_int(text: &str) -> Option<i128> {
    let is_blank = |letter: char| match letter {
        ' ' | '\t' | '\n' | '\r' | '\u{B}' | '\u{C}' => true,
        _ => !letter.is_ascii() && letter.is_whitespace(),
    };
    let text = text.trim_matches(is_blank);
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mut count, mut number) = (0, 0_i128);
    for group in digits.split('_') {
        if group.is_empty() {
            return None;
        }
        for digit in group.chars() {
            count += 1;
            number = number.saturating_mul(10).saturating_add(i128::from(decimal(digit)?));
        }
    }
    (count <= MAX_INTEGER_DIGITS).then_some(if is_negative { -number } else { number })
}

/// The value of a decimal digit. Unicode assigns the ten of a script in a row, from zero (Unicode 16 §4.6).
fn decimal(digit: char) -> Option<u32> {
    let is_decimal = |code: &u32| {
        char::from_u32(*code).is_some_and(|letter| letter.general_category() == GeneralCategory::DecimalNumber)
    };
    if digit.is_ascii() {
        return digit.to_digit(10);
    }
    let before = (0..u32::from(digit)).rev().take_while(is_decimal).count();
    is_decimal(&u32::from(digit)).then_some(u32::try_from(before % 10).unwrap_or(0))
}

/// A float as Python's `repr` prints it: the shortest digits that read back the same, always with `.0` or an exponent;
/// exponents from 16 up and from -5 down, in at least two digits; `inf`, `-inf`, `nan`.
#[must_use]
pub fn python_float_repr(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let scientific = shortest_scientific(number);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    positional(mantissa, exponent)
}

/// The shortest digits that read back the same. Where two of that length do and are equally near, Rust takes the larger and
/// Python the even one, so the digits are rounded once more, to even.
fn shortest_scientific(number: f64) -> String {
    let shortest = format!("{number:e}");
    let digits = shortest.split('e').next().unwrap_or_default().bytes().filter(u8::is_ascii_digit).count();
    let rounded = format!("{number:.0$e}", digits.saturating_sub(1));
    if rounded.parse() == Ok(number) { rounded } else { shortest }
}

/// `-1.25` and 3 make `-1250.0`.
fn positional(mantissa: &str, exponent: i32) -> String {
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let mut digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let Ok(before_point) = usize::try_from(exponent + 1) else {
        return format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1));
    };
    if before_point == 0 {
        return format!("{sign}0.{digits}");
    }
    while digits.len() < before_point + 1 {
        digits.push('0');
    }
    digits.insert(before_point, '.');
    format!("{sign}{digits}")
}
