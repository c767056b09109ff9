//! Unicode text as Python has it: it may hold lone surrogates.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Text that may hold lone surrogates (`"\ud800"` is legal JSON to Python). Text without them is an ordinary `String`, or stands in
/// place where it is short: the names of claims and most of their values, ids included, cost no allocation.
#[derive(Clone)]
pub struct Text(Repr);

/// Bytes that stand in place, at most. With their number and the variant they fill 40 bytes.
const SHORT: usize = 38;

/// Canonical: `Generalised` only when the text is not UTF-8, `Utf8` only when it is not short.
#[derive(Clone)]
enum Repr {
    /// UTF-8 of this many bytes.
    Short(u8, [u8; SHORT]),
    Utf8(String),
    /// UTF-8 in which surrogates are encoded like other code points, in three bytes each.
    Generalised(Vec<u8>),
}

impl Repr {
    /// The text in place, if it is short.
    fn short(text: &str) -> Option<Self> {
        let length = u8::try_from(text.len()).ok().filter(|_| text.len() <= SHORT)?;
        let mut bytes = [0; SHORT];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self::Short(length, bytes))
    }
}

impl Text {
    /// The text, unless it holds a lone surrogate.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Repr::Short(..) => std::str::from_utf8(self.as_bytes()).ok(),
            Repr::Utf8(text) => Some(text),
            Repr::Generalised(_) => None,
        }
    }

    /// The text, each lone surrogate replaced by U+FFFD.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        match self.as_str() {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.code_points().map(|code| char::from_u32(code).unwrap_or('\u{FFFD}')).collect()),
        }
    }

    /// The text as a `String`, or itself when it holds a lone surrogate.
    ///
    /// # Errors
    /// The text unchanged, when it holds a lone surrogate.
    pub fn into_string(self) -> Result<String, Self> {
        match self.0 {
            Repr::Utf8(text) => Ok(text),
            other => {
                let text = Self(other);
                match text.as_str() {
                    Some(short) => Ok(short.to_owned()),
                    None => Err(text),
                }
            }
        }
    }

    /// The first lone surrogate, U+D800 to U+DFFF: DRF 3.18 `ProhibitSurrogateCharactersValidator` names it.
    pub fn first_surrogate(&self) -> Option<u16> {
        match &self.0 {
            Repr::Short(..) | Repr::Utf8(_) => None,
            Repr::Generalised(_) => self
                .code_points()
                .find(|code| (0xD800..=0xDFFF).contains(code))
                .and_then(|code| u16::try_from(code).ok()),
        }
    }

    /// Whether U+0000 occurs.
    pub fn contains_nul(&self) -> bool {
        self.as_bytes().contains(&0)
    }

    /// Whether there is no character at all.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// The bytes: UTF-8, surrogates encoded like other code points.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short(length, bytes) => &bytes[..usize::from(*length)],
            Repr::Utf8(text) => text.as_bytes(),
            Repr::Generalised(bytes) => bytes,
        }
    }

    /// The code points, surrogates included.
    pub fn code_points(&self) -> impl Iterator<Item = u32> + '_ {
        CodePoints(self.as_bytes())
    }

    /// Collects code points, surrogates included; a number beyond U+10FFFF becomes U+FFFD. A high and a low surrogate side
    /// by side stay two code points, as in Python.
    pub fn from_code_points(codes: impl IntoIterator<Item = u32>) -> Self {
        let mut bytes = Vec::new();
        for code in codes {
            push_code_point(&mut bytes, code);
        }
        Self::from_generalised(bytes)
    }

    /// Takes bytes that are known to be generalised UTF-8.
    pub(super) fn from_generalised(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self(Repr::Generalised(error.into_bytes())), Self::from)
    }

    /// Copies bytes that are known to be generalised UTF-8.
    pub(super) fn from_generalised_slice(bytes: &[u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(|_| Self(Repr::Generalised(bytes.to_vec())), Self::from)
    }
}

/// Appends a code point in generalised UTF-8.
pub(super) fn push_code_point(bytes: &mut Vec<u8>, code: u32) {
    if let 0xD800..=0xDFFF = code {
        let low = |shift: u32| u8::try_from(code >> shift & 0x3F).unwrap_or_default();
        bytes.extend([0xED, 0x80 | low(6), 0x80 | low(0)]);
    } else {
        let character = char::from_u32(code).unwrap_or('\u{FFFD}');
        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Repr::short(text).unwrap_or_else(|| Repr::Utf8(text.to_owned())))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Repr::short(&text).unwrap_or(Repr::Utf8(text)))
    }
}

/// By code points: that is how generalised UTF-8 sorts.
impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string_lossy(), f)
    }
}

/// Decodes generalised UTF-8 that is known to be well formed.
struct CodePoints<'a>(&'a [u8]);

impl Iterator for CodePoints<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (&lead, rest) = self.0.split_first()?;
        let (bits, length) = match lead {
            0..=0x7F => (u32::from(lead), 0),
            0x80..=0xDF => (u32::from(lead & 0x1F), 1),
            0xE0..=0xEF => (u32::from(lead & 0x0F), 2),
            0xF0..=0xFF => (u32::from(lead & 0x07), 3),
        };
        let (tail, rest) = rest.split_at(length.min(rest.len()));
        self.0 = rest;
        Some(tail.iter().fold(bits, |code, byte| code << 6 | u32::from(byte & 0x3F)))
    }
}
