//! JSON exactly as Python 3.11's `json` module reads and writes it, in the ways DRF and `PyJWT` call it.
//!
//! Reading keeps what Python keeps: the order of members, integers of any size, floats beside integers, lone surrogates.
//! Errors carry Python's words and positions, because DRF puts them in front of clients (`JSON parse error - …`).
//!
//! ```
//! use countersign_formats::json::{self, NonFinite};
//!
//! let value = json::parse(r#"{"exp": 1750000300, "nbf": 1.50}"#, NonFinite::Refuse).unwrap();
//! assert_eq!(json::to_compact_ascii(&value), r#"{"exp":1750000300,"nbf":1.5}"#);
//!
//! let error = json::parse("[1,]", NonFinite::Refuse).unwrap_err();
//! assert_eq!(error.to_string(), "Expecting value: line 1 column 4 (char 3)");
//! ```

mod decode;
mod error;
mod number;
mod object;
mod parse;
mod text;
mod write;

pub use decode::{DecodeError, decode_utf8_incremental, detect_and_decode};
pub use error::{SyntaxError, SyntaxErrorKind};
pub use number::{Integer, parse_python_int, python_float_repr};
pub use object::Object;
pub use parse::{LoadError, MAX_DEPTH, NonFinite, parse, parse_bytes, parse_text};
pub use text::Text;
pub use write::{Style, object_to_compact_ascii, render, to_compact_ascii};

/// A JSON value, with the distinctions Python makes: `1` and `1.0` are different values.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, Python's `None`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction or exponent, of any size up to 4300 digits.
    Integer(Integer),
    /// A number with fraction or exponent, or one of the three non-finite literals.
    Float(f64),
    /// A string; it may hold lone surrogates.
    String(Text),
    /// A list.
    Array(Vec<Value>),
    /// Members in the order in which their names first appeared.
    Object(Object),
}

impl Value {
    /// The text of a string value without lone surrogates.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => text.as_str(),
            _ => None,
        }
    }

    /// The integer, when this is one that fits 64 bits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => integer.as_i64(),
            _ => None,
        }
    }

    /// The members, when this is an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Python's name of the type: what DRF prints in `Expected a dictionary, but got <name>.`
    pub fn python_type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Integer(_) => "int",
            Self::Float(_) => "float",
            Self::String(_) => "str",
            Self::Array(_) => "list",
            Self::Object(_) => "dict",
        }
    }

    /// Whether Python's `bool(value)` holds: not null, false, zero or empty.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Integer(integer) => integer.as_i64() != Some(0),
            Self::Float(number) => *number != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::Array(items) => !items.is_empty(),
            Self::Object(members) => !members.is_empty(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(Text::from(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(Text::from(text))
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::String(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(Integer::from(number))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::Array(items)
    }
}

impl From<Object> for Value {
    fn from(members: Object) -> Self {
        Self::Object(members)
    }
}

#[cfg(test)]
mod tests;
