//! Numbers as Python reads and prints them.

use std::fmt;

/// The longest integer Python 3.11 converts (`sys.get_int_max_str_digits()`).
pub(super) const MAX_INTEGER_DIGITS: usize = 4300;

/// The zeros of all scripts, each with nine more digits after it. Generated from `unicodedata` of Python 3.11: later ones know more.
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0,
    0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620,
    0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0,
    0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60,
    0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

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

/// Python's `int(text)`, saturating: decimal digits of any script that Python 3.11 knows, perhaps with a sign before, blanks around and single underscores
/// between them; at most 4300. `None` where Python raises.
#[must_use]
pub fn parse_python_int(text: &str) -> Option<i128> {
    // The usual case, of which Python makes the same.
    if text.len() < 20
        && let Ok(number) = text.parse::<i64>()
    {
        return Some(number.into());
    }
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

/// The value of a decimal digit.
fn decimal(digit: char) -> Option<u32> {
    let code = u32::from(digit);
    let zero = ZEROS[..ZEROS.partition_point(|zero| *zero <= code)].last()?;
    Some(code - zero).filter(|value| *value < 10)
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
