//! From bytes to text, as Python's codecs do it on the way into `json`.

use super::Text;
use super::text::push_code_point;

/// Bytes that are not text in their encoding. Displays as Python's `UnicodeDecodeError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{encoding}' codec can't decode {}: {reason}", place(bytes, *start))]
pub struct DecodeError {
    encoding: &'static str,
    start: usize,
    bytes: Vec<u8>,
    reason: &'static str,
}

/// Decodes a UTF-8 request body as DRF 3.18 `JSONParser` does (`codecs.getreader("utf-8")`): a sequence that is
/// incomplete at the very end is dropped without a word.
///
/// # Errors
/// [`DecodeError`] with Python's text: `'utf-8' codec can't decode byte 0xff in position 3: invalid start byte`.
pub fn decode_utf8_incremental(bytes: &[u8]) -> Result<String, DecodeError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let valid = error.valid_up_to();
            let rest = &bytes[valid..];
            let half_surrogate = matches!(rest, [0xED, 0xA0..=0xBF]);
            if error.error_len().is_none() || half_surrogate {
                Ok(String::from_utf8_lossy(&bytes[..valid]).into_owned())
            } else {
                Err(utf8_error(bytes, valid, error.error_len()))
            }
        }
    }
}

/// Finds the encoding of a JSON text (UTF-8, UTF-16 or UTF-32, with or without byte order mark) and decodes it, encoded
/// surrogates included: Python's `json.loads(bytes)`, which `PyJWT` calls on headers and payloads.
///
/// # Errors
/// [`DecodeError`] when the bytes do not fit the encoding found.
pub fn detect_and_decode(bytes: &[u8]) -> Result<Text, DecodeError> {
    match bytes {
        [0, 0, 0xFE, 0xFF, rest @ ..] => utf32(rest, u32::from_be_bytes),
        [0xFF, 0xFE, 0, 0, rest @ ..] => utf32(rest, u32::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest),
        [0, 0, _, _, ..] => utf32(bytes, u32::from_be_bytes),
        [0, _, _, _, ..] | [0, _] => utf16(bytes, u16::from_be_bytes),
        [_, 0, 0, 0, ..] => utf32(bytes, u32::from_le_bytes),
        [_, 0, _, _, ..] | [_, 0] => utf16(bytes, u16::from_le_bytes),
        _ => utf8(bytes),
    }
}

/// Strict UTF-8 in which encoded surrogates pass.
fn utf8(bytes: &[u8]) -> Result<Text, DecodeError> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Err(error) = std::str::from_utf8(&bytes[at..]) {
        let valid = at + error.valid_up_to();
        text.extend_from_slice(&bytes[at..valid]);
        match bytes[valid..] {
            [0xED, 0xA0..=0xBF, 0x80..=0xBF, ..] => {
                text.extend_from_slice(&bytes[valid..valid + 3]);
            }
            _ => return Err(utf8_error(bytes, valid, error.error_len())),
        }
        at = valid + 3;
    }
    text.extend_from_slice(&bytes[at..]);
    Ok(Text::from_generalised(text))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Text, DecodeError> {
    let (pairs, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(truncated("utf-16", bytes, rest));
    }
    let mut text = Vec::with_capacity(bytes.len());
    for decoded in char::decode_utf16(pairs.iter().map(|&pair| unit(pair))) {
        let code = decoded.map_or_else(|lone| u32::from(lone.unpaired_surrogate()), u32::from);
        push_code_point(&mut text, code);
    }
    Ok(Text::from_generalised(text))
}

fn utf32(bytes: &[u8], unit: fn([u8; 4]) -> u32) -> Result<Text, DecodeError> {
    let (quads, rest) = bytes.as_chunks();
    let mut text = Vec::with_capacity(bytes.len());
    for (place, &quad) in quads.iter().enumerate() {
        let code = unit(quad);
        if code > 0x10_FFFF {
            let reason = "code point not in range(0x110000)";
            return Err(DecodeError { encoding: "utf-32", start: place * 4, bytes: quad.to_vec(), reason });
        }
        push_code_point(&mut text, code);
    }
    if !rest.is_empty() {
        return Err(truncated("utf-32", bytes, rest));
    }
    Ok(Text::from_generalised(text))
}

fn truncated(encoding: &'static str, bytes: &[u8], rest: &[u8]) -> DecodeError {
    DecodeError { encoding, start: bytes.len() - rest.len(), bytes: rest.to_vec(), reason: "truncated data" }
}

fn utf8_error(bytes: &[u8], start: usize, length: Option<usize>) -> DecodeError {
    let reason = match (bytes[start], length) {
        (_, None) => "unexpected end of data",
        (0x80..=0xC1 | 0xF5..=0xFF, _) => "invalid start byte",
        _ => "invalid continuation byte",
    };
    let end = length.map_or(bytes.len(), |length| start + length);
    DecodeError { encoding: "utf-8", start, bytes: bytes[start..end].to_vec(), reason }
}

fn place(bytes: &[u8], start: usize) -> String {
    match bytes {
        [byte] => format!("byte 0x{byte:02x} in position {start}"),
        _ => format!("bytes in position {start}-{}", start + bytes.len().saturating_sub(1)),
    }
}
