//! As much of DER (X.690) as keys need: definite lengths, single-byte tags.

use zeroize::Zeroizing;

use super::KeyError;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]` and `[1]`, constructed.
pub(super) const CONTEXT_0: u8 = 0xA0;
pub(super) const CONTEXT_1: u8 = 0xA1;

/// What is left to read of a DER value's content.
#[derive(Clone, Copy)]
pub(super) struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    /// The members of the sequence that `der` is, whole.
    pub(super) fn sequence(der: &'d [u8]) -> Result<Self, KeyError> {
        let mut reader = Self(der);
        let members = reader.take(SEQUENCE)?;
        reader.end()?;
        Ok(Self(members))
    }

    /// Members that stand in a content already taken.
    pub(super) fn over(content: &'d [u8]) -> Self {
        Self(content)
    }

    /// The content of the next value, which must have this tag.
    pub(super) fn take(&mut self, tag: u8) -> Result<&'d [u8], KeyError> {
        match element(self.0) {
            Some((found, content, rest)) if found == tag => {
                self.0 = rest;
                Ok(content)
            }
            _ => Err(KeyError::Malformed("its DER is not that of a key")),
        }
    }

    /// The content of the next value, if that has this tag.
    pub(super) fn take_optional(&mut self, tag: u8) -> Result<Option<&'d [u8]>, KeyError> {
        if self.0.first() == Some(&tag) { self.take(tag).map(Some) } else { Ok(None) }
    }

    /// The digits of a positive integer, without leading zeros.
    pub(super) fn positive(&mut self) -> Result<&'d [u8], KeyError> {
        let digits = self.take(INTEGER)?;
        match digits {
            [0, rest @ ..] if !rest.is_empty() => Ok(rest),
            [1..=0x7F, ..] => Ok(digits),
            _ => Err(KeyError::Malformed("a number in it is not positive")),
        }
    }

    /// A small number: a version.
    pub(super) fn version(&mut self) -> Result<u8, KeyError> {
        match self.take(INTEGER)? {
            [version] => Ok(*version),
            _ => Err(KeyError::Malformed("its version is unknown")),
        }
    }

    /// The bytes of a bit string without unused bits.
    pub(super) fn bits(&mut self) -> Result<&'d [u8], KeyError> {
        match self.take(BIT_STRING)? {
            [0, bytes @ ..] => Ok(bytes),
            _ => Err(KeyError::Malformed("its DER is not that of a key")),
        }
    }

    /// Nothing may follow.
    pub(super) fn end(self) -> Result<(), KeyError> {
        if self.0.is_empty() { Ok(()) } else { Err(KeyError::Malformed("something follows its DER")) }
    }
}

/// Tag, content and what follows the first value; lengths in their shortest form.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81 | 0x82 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            let length = digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit));
            (if digits[0] == 0 || length < 0x80 { return None } else { length }, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Appends a value; at most 65,535 bytes.
pub(super) fn put(der: &mut Zeroizing<Vec<u8>>, tag: u8, content: &[u8]) {
    der.push(tag);
    let [high, low] = u16::try_from(content.len()).expect("keys are shorter").to_be_bytes();
    match (high, low) {
        (0, 0..=0x7F) => der.push(low),
        (0, _) => der.extend([0x81, low]),
        _ => der.extend([0x82, high, low]),
    }
    der.extend_from_slice(content);
}

/// Appends a positive integer, given by its digits.
pub(super) fn put_positive(der: &mut Zeroizing<Vec<u8>>, digits: &[u8]) {
    let significant = digits.iter().position(|&digit| digit != 0).map_or(&digits[..0], |first| &digits[first..]);
    let mut content = Zeroizing::new(Vec::with_capacity(significant.len() + 1));
    if significant.first().is_none_or(|&first| first >= 0x80) {
        content.push(0);
    }
    content.extend_from_slice(significant);
    put(der, INTEGER, &content);
}
