//! What is wrong with a JSON text, in Python's words.

use std::fmt;

/// A JSON text that Python's `json.loads` refuses. Displays as `str(exception)` does in Python 3.11, which is what DRF
/// prints after `JSON parse error - `. Positions count characters (code points), not bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    kind: SyntaxErrorKind,
    position: Position,
}

/// The ways in which a JSON text can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyntaxErrorKind {
    /// No value where one has to start.
    ExpectingValue,
    /// No name after `{`, or after a comma in an object.
    ExpectingName,
    /// No colon after a name.
    ExpectingColon,
    /// No comma, and no end, after a member or an item.
    ExpectingComma,
    /// Something follows the document.
    ExtraData,
    /// The string has no closing quote.
    UnterminatedString,
    /// A raw character below U+0020 inside a string.
    ControlCharacter,
    /// A backslash before a character that has no escape.
    InvalidEscape,
    /// `\u` without four hexadecimal digits and something after them.
    InvalidUnicodeEscape,
    /// The text begins with U+FEFF.
    ByteOrderMark,
    /// `NaN`, `Infinity` or `-Infinity` where they are refused (DRF 3.18 `STRICT_JSON`).
    NonFinite(&'static str),
    /// An integer of more than 4300 digits; the number is how many.
    IntegerTooLong(usize),
    /// Nesting deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep,
}

/// A place in the text: line and column count from 1, characters from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    line: usize,
    column: usize,
    character: usize,
}

impl Position {
    /// The place of the byte at `offset` in generalised UTF-8. Only `\n` ends a line.
    pub(super) fn of(text: &[u8], offset: usize) -> Self {
        let before = &text[..offset.min(text.len())];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.split(|&byte| byte == b'\n').count(),
            column: count_characters(&before[line_start..]) + 1,
            character: count_characters(before),
        }
    }
}

impl SyntaxError {
    pub(super) fn new(kind: SyntaxErrorKind, position: Position) -> Self {
        Self { kind, position }
    }

    /// What is wrong, without the place.
    pub fn kind(&self) -> &SyntaxErrorKind {
        &self.kind
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = match &self.kind {
            SyntaxErrorKind::ExpectingValue => "Expecting value",
            SyntaxErrorKind::ExpectingName => "Expecting property name enclosed in double quotes",
            SyntaxErrorKind::ExpectingColon => "Expecting ':' delimiter",
            SyntaxErrorKind::ExpectingComma => "Expecting ',' delimiter",
            SyntaxErrorKind::ExtraData => "Extra data",
            SyntaxErrorKind::UnterminatedString => "Unterminated string starting at",
            SyntaxErrorKind::ControlCharacter => "Invalid control character at",
            SyntaxErrorKind::InvalidEscape => r"Invalid \escape",
            SyntaxErrorKind::InvalidUnicodeEscape => r"Invalid \uXXXX escape",
            SyntaxErrorKind::ByteOrderMark => "Unexpected UTF-8 BOM (decode using utf-8-sig)",
            SyntaxErrorKind::NonFinite(literal) => {
                return write!(f, "Out of range float values are not JSON compliant: '{literal}'");
            }
            SyntaxErrorKind::IntegerTooLong(digits) => {
                return write!(
                    f,
                    "Exceeds the limit (4300 digits) for integer string conversion: value has {digits} digits; \
                     use sys.set_int_max_str_digits() to increase the limit"
                );
            }
            SyntaxErrorKind::TooDeep => return f.write_str("maximum recursion depth exceeded"),
        };
        let Position { line, column, character } = self.position;
        write!(f, "{message}: line {line} column {column} (char {character})")
    }
}

impl std::error::Error for SyntaxError {}

fn count_characters(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}
