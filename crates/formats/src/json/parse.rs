//! Reading JSON as Python's `json.loads` does, in one pass and without recursion.

use std::collections::HashMap;

use super::error::Position;
use super::number::MAX_INTEGER_DIGITS;
use super::text::push_code_point;
use super::{DecodeError, Integer, Object, SyntaxError, SyntaxErrorKind as Kind, Text, Value, detect_and_decode};
use crate::scan;

/// Objects and arrays inside one another, at most. Python's own limit is its call stack: about 940 levels under DRF, where
/// the original crashes.
pub const MAX_DEPTH: usize = 900;

/// Objects up to this size look for repeated names by comparing; larger ones keep an index.
const INDEX_FROM: usize = 24;

/// What to do with the literals `NaN`, `Infinity` and `-Infinity`, which are not JSON but which Python reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonFinite {
    /// Read them, as Python's `json.loads` does.
    Accept,
    /// Refuse them, as DRF does (`STRICT_JSON`, on by default).
    Refuse,
}

/// Bytes that [`parse_bytes`] refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The bytes are not text.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The text is not JSON.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
}

/// Python's `json.loads(str)`.
///
/// # Errors
/// [`SyntaxError`], also for nesting beyond [`MAX_DEPTH`] and for integers of more than 4300 digits.
pub fn parse(text: &str, non_finite: NonFinite) -> Result<Value, SyntaxError> {
    refuse_mark(text.as_bytes())?;
    Parser::new(text.as_bytes(), non_finite).document()
}

/// Like [`parse`], for text that may hold lone surrogates.
///
/// # Errors
/// As [`parse`].
pub fn parse_text(text: &Text, non_finite: NonFinite) -> Result<Value, SyntaxError> {
    refuse_mark(text.as_bytes())?;
    Parser::new(text.as_bytes(), non_finite).document()
}

/// Python's `json.loads(bytes)`: [`detect_and_decode`], then parse.
///
/// # Errors
/// [`LoadError`].
pub fn parse_bytes(bytes: &[u8], non_finite: NonFinite) -> Result<Value, LoadError> {
    let plain = matches!(bytes, [b'{', second, _, ..] if *second != 0);
    if plain && std::str::from_utf8(bytes).is_ok() {
        return Ok(Parser::new(bytes, non_finite).document()?);
    }
    let text = detect_and_decode(bytes)?;
    Ok(Parser::new(text.as_bytes(), non_finite).document()?)
}

fn refuse_mark(text: &[u8]) -> Result<(), SyntaxError> {
    if text.starts_with("\u{FEFF}".as_bytes()) {
        return Err(SyntaxError::new(Kind::ByteOrderMark, Position::of(text, 0)));
    }
    Ok(())
}

/// A container whose end has not been seen.
enum Open {
    Array(Vec<Value>),
    /// With the name whose value comes next.
    Object(Members, Text),
}

struct Parser<'a> {
    /// Generalised UTF-8.
    text: &'a [u8],
    at: usize,
    non_finite: NonFinite,
}

impl<'a> Parser<'a> {
    fn new(text: &'a [u8], non_finite: NonFinite) -> Self {
        Self { text, at: 0, non_finite }
    }

    fn document(mut self) -> Result<Value, SyntaxError> {
        let mut open = Vec::new();
        self.skip_blanks();
        loop {
            if let Some(value) = self.start_value(&mut open)?
                && let Some(document) = self.finish_value(&mut open, value)?
            {
                self.skip_blanks();
                return if self.at == self.text.len() { Ok(document) } else { Err(self.error(Kind::ExtraData)) };
            }
        }
    }

    /// Reads the value that starts here, or opens the container that does.
    fn start_value(&mut self, open: &mut Vec<Open>) -> Result<Option<Value>, SyntaxError> {
        let Some(bracket @ (b'[' | b'{')) = self.peek() else {
            return self.scalar().map(Some);
        };
        if open.len() >= MAX_DEPTH {
            return Err(self.error(Kind::TooDeep));
        }
        self.at += 1;
        self.skip_blanks();
        match (bracket, self.peek()) {
            (b'[', Some(b']')) => {
                self.at += 1;
                Ok(Some(Value::Array(Vec::new())))
            }
            (b'{', Some(b'}')) => {
                self.at += 1;
                Ok(Some(Value::Object(Object::new())))
            }
            (b'[', _) => {
                open.push(Open::Array(Vec::new()));
                Ok(None)
            }
            _ => {
                let name = self.name()?;
                open.push(Open::Object(Members::default(), name));
                Ok(None)
            }
        }
    }

    /// Hands a value to the container around it, and that to the next when it ends there. `None`: another value follows.
    fn finish_value(&mut self, open: &mut Vec<Open>, mut value: Value) -> Result<Option<Value>, SyntaxError> {
        while let Some(container) = open.last_mut() {
            self.skip_blanks();
            let next = self.peek();
            match container {
                Open::Array(items) => {
                    items.push(value);
                    match next {
                        Some(b']') => value = Value::Array(std::mem::take(items)),
                        Some(b',') => {
                            self.at += 1;
                            self.skip_blanks();
                            return Ok(None);
                        }
                        _ => return Err(self.error(Kind::ExpectingComma)),
                    }
                }
                Open::Object(members, name) => match next {
                    Some(b'}') => {
                        members.insert(std::mem::replace(name, Text::from(String::new())), value);
                        value = Value::Object(std::mem::take(members).finish());
                    }
                    Some(b',') => {
                        self.at += 1;
                        self.skip_blanks();
                        let following = self.name()?;
                        members.insert(std::mem::replace(name, following), value);
                        return Ok(None);
                    }
                    _ => return Err(self.error(Kind::ExpectingComma)),
                },
            }
            open.pop();
            self.at += 1;
        }
        Ok(Some(value))
    }

    /// A member's name and the colon, with the blanks around it.
    fn name(&mut self) -> Result<Text, SyntaxError> {
        if self.peek() != Some(b'"') {
            return Err(self.error(Kind::ExpectingName));
        }
        let name = self.string()?;
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return Err(self.error(Kind::ExpectingColon));
        }
        self.at += 1;
        self.skip_blanks();
        Ok(name)
    }

    fn scalar(&mut self) -> Result<Value, SyntaxError> {
        let rest = &self.text[self.at..];
        match rest.first() {
            Some(b'"') => return self.string().map(Value::String),
            Some(b'n') if rest.starts_with(b"null") => return Ok(self.literal(4, Value::Null)),
            Some(b't') if rest.starts_with(b"true") => {
                return Ok(self.literal(4, Value::Bool(true)));
            }
            Some(b'f') if rest.starts_with(b"false") => {
                return Ok(self.literal(5, Value::Bool(false)));
            }
            Some(b'N') if rest.starts_with(b"NaN") => return self.non_finite("NaN", f64::NAN),
            Some(b'I') if rest.starts_with(b"Infinity") => {
                return self.non_finite("Infinity", f64::INFINITY);
            }
            Some(b'-') if rest.starts_with(b"-Infinity") => {
                return self.non_finite("-Infinity", f64::NEG_INFINITY);
            }
            _ => {}
        }
        self.number()
    }

    fn literal(&mut self, length: usize, value: Value) -> Value {
        self.at += length;
        value
    }

    fn non_finite(&mut self, literal: &'static str, number: f64) -> Result<Value, SyntaxError> {
        match self.non_finite {
            NonFinite::Accept => Ok(self.literal(literal.len(), Value::Float(number))),
            NonFinite::Refuse => Err(self.error(Kind::NonFinite(literal))),
        }
    }

    fn number(&mut self) -> Result<Value, SyntaxError> {
        let rest = &self.text[self.at..];
        let sign = usize::from(rest.first() == Some(&b'-'));
        let digits = match rest.get(sign) {
            Some(b'0') => 1,
            _ => count_digits(&rest[sign..]),
        };
        if digits == 0 {
            return Err(self.error(Kind::ExpectingValue));
        }
        let whole = sign + digits;
        let mut end = whole;
        if rest.get(end) == Some(&b'.') {
            let fraction = count_digits(&rest[end + 1..]);
            if fraction > 0 {
                end += 1 + fraction;
            }
        }
        if let Some(b'e' | b'E') = rest.get(end) {
            let sign = usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
            let exponent = count_digits(&rest[end + 1 + sign..]);
            if exponent > 0 {
                end += 1 + sign + exponent;
            }
        }
        let literal = std::str::from_utf8(&rest[..end]).unwrap_or_default();
        let value = if end > whole {
            Value::Float(literal.parse().unwrap_or(f64::NAN))
        } else if digits > MAX_INTEGER_DIGITS {
            return Err(self.error(Kind::IntegerTooLong(digits)));
        } else {
            Value::Integer(Integer::from_json_digits(literal))
        };
        Ok(self.literal(end, value))
    }

    /// The string whose opening quote is here.
    fn string(&mut self) -> Result<Text, SyntaxError> {
        let quote = self.at;
        self.at += 1;
        let start = self.at;
        self.skip_plain();
        if self.peek() == Some(b'"') {
            let text = Text::from_generalised_slice(&self.text[start..self.at]);
            self.at += 1;
            return Ok(text);
        }
        let mut text = self.text[start..self.at].to_vec();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text::from_generalised(text));
                }
                Some(b'\\') => self.escape(quote, &mut text)?,
                Some(_) => return Err(self.error(Kind::ControlCharacter)),
                None => return Err(self.error_at(quote, Kind::UnterminatedString)),
            }
            let start = self.at;
            self.skip_plain();
            text.extend_from_slice(&self.text[start..self.at]);
        }
    }

    /// The escape whose backslash is here, in the string that `quote` opened.
    fn escape(&mut self, quote: usize, text: &mut Vec<u8>) -> Result<(), SyntaxError> {
        let plain = match self.text.get(self.at + 1) {
            None => return Err(self.error_at(quote, Kind::UnterminatedString)),
            Some(b'u') => return self.unicode_escape(text),
            Some(&same @ (b'"' | b'\\' | b'/')) => same,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(_) => return Err(self.error(Kind::InvalidEscape)),
        };
        text.push(plain);
        self.at += 2;
        Ok(())
    }

    fn unicode_escape(&mut self, text: &mut Vec<u8>) -> Result<(), SyntaxError> {
        let mut code = self.hex_unit()?;
        if let 0xD800..=0xDBFF = code
            && self.text[self.at..].starts_with(b"\\u")
        {
            let after_high = self.at;
            let low = self.hex_unit()?;
            if let 0xDC00..=0xDFFF = low {
                code = 0x1_0000 + ((code - 0xD800) << 10 | (low - 0xDC00));
            } else {
                self.at = after_high;
            }
        }
        push_code_point(text, code);
        Ok(())
    }

    /// The four digits of the `\u` here. Python also wants something to follow them.
    fn hex_unit(&mut self) -> Result<u32, SyntaxError> {
        let invalid = self.at + 1;
        let unit = match self.text.get(self.at + 2..self.at + 7) {
            Some(&[a, b, c, d, _]) => [a, b, c, d].iter().try_fold(0, |unit, &digit| {
                let value = char::from(digit).to_digit(16)?;
                Some(unit << 4 | value)
            }),
            _ => None,
        };
        self.at += 6;
        unit.ok_or_else(|| self.error_at(invalid, Kind::InvalidUnicodeEscape))
    }

    /// Moves to the next quote, backslash, control character or the end.
    fn skip_plain(&mut self) {
        let rest = &self.text[self.at..];
        let ends_plain = |byte| byte < 0x20 || byte == b'"' || byte == b'\\';
        self.at += scan::position(rest, ends_plain).unwrap_or(rest.len());
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn error(&self, kind: Kind) -> SyntaxError {
        self.error_at(self.at, kind)
    }

    fn error_at(&self, offset: usize, kind: Kind) -> SyntaxError {
        SyntaxError::new(kind, Position::of(self.text, offset))
    }
}

fn count_digits(text: &[u8]) -> usize {
    text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())
}

/// Members as they are read; an index keeps repeated names cheap in large objects.
#[derive(Default)]
struct Members {
    list: Vec<(Text, Value)>,
    index: Option<HashMap<Text, usize>>,
    had_duplicates: bool,
}

/// Room for members at first: as many as tokens and bodies usually have.
const USUAL_MEMBERS: usize = 8;

impl Members {
    fn insert(&mut self, name: Text, value: Value) {
        if let Some(place) = self.place_of(&name) {
            self.had_duplicates = true;
            self.list[place].1 = value;
            return;
        }
        if let Some(index) = &mut self.index {
            index.insert(name.clone(), self.list.len());
        }
        if self.list.is_empty() {
            self.list.reserve(USUAL_MEMBERS);
        }
        self.list.push((name, value));
    }

    fn place_of(&mut self, name: &Text) -> Option<usize> {
        if self.list.len() < INDEX_FROM {
            return self.list.iter().position(|(known, _)| known == name);
        }
        let index = self.index.get_or_insert_with(|| {
            let names = self.list.iter().enumerate();
            names.map(|(place, (known, _))| (known.clone(), place)).collect()
        });
        index.get(name).copied()
    }

    fn finish(self) -> Object {
        Object::from_distinct(self.list, self.had_duplicates)
    }
}
