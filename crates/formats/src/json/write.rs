//! Writing JSON as Python's `json.dumps` does.

use std::fmt::Write as _;

use super::{Object, Text, Value, python_float_repr};

/// Room for text at first, bytes: as much as most answers and payloads need.
const USUAL_LENGTH: usize = 192;

/// How DRF 3.18 `JSONRenderer` lays out a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// `UNICODE_JSON`: characters outside ASCII stand as they are, except U+2028 and U+2029.
    pub unicode: bool,
    /// `COMPACT_JSON`: no blanks after `,` and `:`. Without effect when indenting.
    pub compact: bool,
    /// The `indent` parameter of `Accept`, in spaces; 0 means none.
    pub indent: Option<u8>,
}

impl Default for Style {
    /// DRF's defaults: Unicode, compact, one line.
    fn default() -> Self {
        Self { unicode: true, compact: true, indent: None }
    }
}

/// Python's `json.dumps(value, separators=(",", ":"))`: ASCII only, the text inside tokens (`PyJWT` 2 `PyJWT.encode`).
/// Non-finite floats become `NaN`, `Infinity`, `-Infinity`.
#[must_use]
pub fn to_compact_ascii(value: &Value) -> String {
    render(value, Style { unicode: false, compact: true, indent: None })
}

/// Like [`to_compact_ascii`], for an object that is not wrapped in a [`Value`].
#[must_use]
pub fn object_to_compact_ascii(object: &Object) -> String {
    let out = String::with_capacity(USUAL_LENGTH);
    let mut writer = Writer { out, unicode: false, indent: None, comma: ",", colon: ":" };
    writer.object(object, 0);
    writer.out
}

/// DRF 3.18 `JSONRenderer.render`. Lone surrogates are always escaped (the original crashes on them).
#[must_use]
pub fn render(value: &Value, style: Style) -> String {
    let indent = style.indent.filter(|&spaces| spaces > 0).map(usize::from);
    let (comma, colon) = match indent {
        Some(_) => (",", ": "),
        None if style.compact => (",", ":"),
        None => (", ", ": "),
    };
    let out = String::with_capacity(USUAL_LENGTH);
    let mut writer = Writer { out, unicode: style.unicode, indent, comma, colon };
    writer.value(value, 0);
    writer.out
}

struct Writer {
    out: String,
    unicode: bool,
    indent: Option<usize>,
    comma: &'static str,
    colon: &'static str,
}

impl Writer {
    fn value(&mut self, value: &Value, level: usize) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(true) => self.out.push_str("true"),
            Value::Bool(false) => self.out.push_str("false"),
            Value::Integer(integer) => {
                let _ = write!(self.out, "{integer}"); // a String takes all
            }
            Value::Float(number) => self.float(*number),
            Value::String(text) => self.string(text),
            Value::Array(items) if items.is_empty() => self.out.push_str("[]"),
            Value::Array(items) => {
                self.out.push('[');
                for (place, item) in items.iter().enumerate() {
                    self.before_item(place, level + 1);
                    self.value(item, level + 1);
                }
                self.new_line(level);
                self.out.push(']');
            }
            Value::Object(members) => self.object(members, level),
        }
    }

    fn object(&mut self, members: &Object, level: usize) {
        if members.is_empty() {
            return self.out.push_str("{}");
        }
        self.out.push('{');
        for (place, (name, member)) in members.iter().enumerate() {
            self.before_item(place, level + 1);
            self.string(name);
            self.out.push_str(self.colon);
            self.value(member, level + 1);
        }
        self.new_line(level);
        self.out.push('}');
    }

    fn before_item(&mut self, place: usize, level: usize) {
        if place > 0 {
            self.out.push_str(self.comma);
        }
        self.new_line(level);
    }

    fn new_line(&mut self, level: usize) {
        if let Some(spaces) = self.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', spaces * level));
        }
    }

    fn float(&mut self, number: f64) {
        if number.is_finite() {
            self.out.push_str(&python_float_repr(number));
        } else if number.is_nan() {
            self.out.push_str("NaN");
        } else {
            self.out.push_str(if number < 0.0 { "-Infinity" } else { "Infinity" });
        }
    }

    fn string(&mut self, text: &Text) {
        self.out.push('"');
        match text.as_str() {
            Some(plain) if plain.bytes().all(|byte| matches!(byte, b' '..=b'~' if byte != b'"' && byte != b'\\')) => {
                self.out.push_str(plain);
            }
            _ => text.code_points().for_each(|code| self.character(code)),
        }
        self.out.push('"');
    }

    fn character(&mut self, code: u32) {
        let character = char::from_u32(code);
        match character {
            Some('"') => self.out.push_str("\\\""),
            Some('\\') => self.out.push_str("\\\\"),
            Some('\n') => self.out.push_str("\\n"),
            Some('\r') => self.out.push_str("\\r"),
            Some('\t') => self.out.push_str("\\t"),
            Some('\u{8}') => self.out.push_str("\\b"),
            Some('\u{C}') => self.out.push_str("\\f"),
            Some(plain @ ' '..='~') => self.out.push(plain),
            Some(control @ '\0'..='\u{1F}') => self.escape(control.into()),
            Some(separator @ ('\u{2028}' | '\u{2029}')) => self.escape(separator.into()),
            Some(other) if self.unicode => self.out.push(other),
            Some(other) => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    self.escape(u32::from(*unit));
                }
            }
            None => self.escape(code),
        }
    }

    fn escape(&mut self, unit: u32) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.out.push_str("\\u");
        for shift in [12, 8, 4, 0] {
            self.out.push(char::from(DIGITS[(unit >> shift & 0xF) as usize]));
        }
    }
}
