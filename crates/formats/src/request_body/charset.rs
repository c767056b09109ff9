//! The charsets of request bodies: Python's codec names, and decoding with Python's rules and error texts.

use std::borrow::Cow;
use std::fmt;

use encoding_rs::{DecoderResult, Encoding};

use super::charset_names::CODECS;
use super::single_byte::{SINGLE_BYTE, SingleByte};

/// What Python knows under a charset name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lookup {
    /// No codec of that name (`LookupError`): Django ignores the parameter.
    Unknown,
    /// A codec that is not a text encoding (`bz2_codec`), or a text encoding that we do not offer.
    Refused,
    /// A text encoding.
    Text(Charset),
}

/// A text encoding.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Charset {
    /// UTF-8; a leading U+FEFF stays.
    Utf8,
    /// UTF-8 whose leading U+FEFF is dropped.
    Utf8Sig,
    /// UTF-16.
    Utf16(ByteOrder),
    /// UTF-32.
    Utf32(ByteOrder),
    /// US-ASCII.
    Ascii,
    /// ISO 8859-1: byte and code point are one.
    Latin1,
    /// A code page of 256 characters over ASCII.
    SingleByte(&'static SingleByte),
    /// An East Asian multi-byte encoding under its Python name.
    /// **Differs:** maps as the WHATWG tables do, a few punctuation marks and private characters apart.
    MultiByte(&'static str, &'static Encoding),
}

/// Where a UTF-16 or UTF-32 text takes its byte order from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    /// A leading byte order mark, which is dropped.
    Mark,
    /// Least significant byte first; a mark stays in the text.
    Little,
    /// Most significant byte first; a mark stays in the text.
    Big,
}

/// A place where bytes do not decode; prints as Python's `UnicodeDecodeError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flaw {
    codec: &'static str,
    start: usize,
    end: usize,
    first: u8,
    reason: &'static str,
    /// The bytes may be the beginning of a character whose rest is missing; they stand at the very end.
    truncated: bool,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { codec, start, end, first, reason, .. } = self;
        if end - start == 1 {
            write!(f, "'{codec}' codec can't decode byte 0x{first:02x} in position {start}: {reason}")
        } else {
            write!(f, "'{codec}' codec can't decode bytes in position {start}-{}: {reason}", end - 1)
        }
    }
}

/// Finds a charset by Python's rules: case and punctuation do not matter. Python 3.11 `encodings.search_function`.
pub(crate) fn lookup(name: &str) -> Lookup {
    let normal = normalize(name);
    let dotless = normal.replace('.', "_");
    let by_alias = |wanted: &str| CODECS.iter().find(|(_, aliases)| aliases.split(' ').any(|alias| alias == wanted));
    let by_name = |wanted: &str| CODECS.iter().find(|(codec, _)| *codec == wanted);
    let found = by_alias(&normal).or_else(|| by_alias(&dotless)).or_else(|| by_name(&normal));
    match found {
        Some((codec, _)) if !normal.is_empty() => text_codec(codec).map_or(Lookup::Refused, Lookup::Text),
        _ => Lookup::Unknown,
    }
}

impl Charset {
    /// Python's `bytes.decode(charset)`; `None` where it raises.
    pub(crate) fn decode_strict(self, bytes: &[u8]) -> Option<String> {
        let mut text = String::with_capacity(bytes.len());
        self.decode(bytes, &mut text, &mut |flaw, _| Err(flaw)).ok().map(|()| text)
    }

    /// Python's `bytes.decode(charset, "replace")`: U+FFFD for each flaw.
    pub(crate) fn decode_replacing(self, bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len());
        let replace = &mut |_: Flaw, text: &mut String| {
            text.push('\u{fffd}');
            Ok(())
        };
        match self.decode(bytes, &mut text, replace) {
            Ok(()) | Err(_) => text,
        }
    }

    /// Python's `codecs.getreader(charset)(stream).read()`: an incomplete character at the end is dropped.
    ///
    /// # Errors
    /// The text of the exception.
    pub(crate) fn decode_stream(self, bytes: &[u8]) -> Result<String, String> {
        let mut text = String::with_capacity(bytes.len());
        self.decode(bytes, &mut text, &mut |flaw, _| if flaw.truncated { Ok(()) } else { Err(flaw) })
            .map_err(|flaw| flaw.to_string())?;
        let unmarked = !text.is_empty() && self.mark_of(bytes).is_none();
        match self {
            Self::Utf16(ByteOrder::Mark) if unmarked => Err("UTF-16 stream does not start with BOM".to_owned()),
            Self::Utf32(ByteOrder::Mark) if unmarked => Err("UTF-32 stream does not start with BOM".to_owned()),
            _ => Ok(text),
        }
    }

    /// Appends the text of `bytes` to `text`, asking `on_flaw` about each flaw: `Ok` goes on after it.
    fn decode(self, bytes: &[u8], text: &mut String, on_flaw: OnFlaw<'_>) -> Result<(), Flaw> {
        match self {
            Self::Utf8 => decode_utf8(bytes, text, on_flaw),
            Self::Utf8Sig => decode_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), text, on_flaw),
            Self::Utf16(order) => {
                let (big, skip) = self.byte_order(order, bytes);
                decode_utf16(bytes, skip, big, text, on_flaw)
            }
            Self::Utf32(order) => {
                let (big, skip) = self.byte_order(order, bytes);
                decode_utf32(bytes, skip, big, text, on_flaw)
            }
            Self::Latin1 => {
                text.extend(bytes.iter().map(|&byte| char::from(byte)));
                Ok(())
            }
            Self::Ascii => {
                let character = |byte: u8| byte.is_ascii().then(|| char::from(byte));
                decode_bytes(bytes, ("ascii", "ordinal not in range(128)"), character, text, on_flaw)
            }
            Self::SingleByte(page) => {
                let table = page.upper_half();
                let character = |byte: u8| {
                    if byte.is_ascii() { Some(char::from(byte)) } else { table[usize::from(byte - 0x80)] }
                };
                decode_bytes(bytes, ("charmap", "character maps to <undefined>"), character, text, on_flaw)
            }
            Self::MultiByte(name, encoding) => decode_multi_byte(bytes, name, encoding, text, on_flaw),
        }
    }

    /// Whether the most significant byte comes first, and how many bytes the mark takes.
    fn byte_order(self, order: ByteOrder, bytes: &[u8]) -> (bool, usize) {
        match order {
            ByteOrder::Little => (false, 0),
            ByteOrder::Big => (true, 0),
            ByteOrder::Mark => self.mark_of(bytes).unwrap_or((false, 0)),
        }
    }

    fn mark_of(self, bytes: &[u8]) -> Option<(bool, usize)> {
        let (little, big): (&[u8], &[u8]) = match self {
            Self::Utf16(_) => (b"\xff\xfe", b"\xfe\xff"),
            Self::Utf32(_) => (b"\xff\xfe\0\0", b"\0\0\xfe\xff"),
            _ => return None,
        };
        if bytes.starts_with(little) {
            Some((false, little.len()))
        } else {
            bytes.starts_with(big).then_some((true, big.len()))
        }
    }
}

/// Told of each flaw with the text so far; `Err` ends the decoding.
type OnFlaw<'a> = &'a mut dyn FnMut(Flaw, &mut String) -> Result<(), Flaw>;

/// CPython's `_Py_normalize_encoding`: ASCII letters, digits and dots; everything else becomes one `_` between them.
fn normalize(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    let mut gap = false;
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'.' {
            if gap && !normal.is_empty() {
                normal.push('_');
            }
            gap = false;
            normal.push(char::from(byte.to_ascii_lowercase()));
        } else {
            gap = true;
        }
    }
    normal
}

fn text_codec(codec: &str) -> Option<Charset> {
    use ByteOrder::{Big, Little, Mark};
    Some(match codec {
        "utf_8" => Charset::Utf8,
        "utf_8_sig" => Charset::Utf8Sig,
        "utf_16" => Charset::Utf16(Mark),
        "utf_16_le" => Charset::Utf16(Little),
        "utf_16_be" => Charset::Utf16(Big),
        "utf_32" => Charset::Utf32(Mark),
        "utf_32_le" => Charset::Utf32(Little),
        "utf_32_be" => Charset::Utf32(Big),
        "ascii" => Charset::Ascii,
        "latin_1" => Charset::Latin1,
        "gbk" => Charset::MultiByte("gbk", encoding_rs::GBK),
        "gb18030" => Charset::MultiByte("gb18030", encoding_rs::GB18030),
        "cp949" => Charset::MultiByte("cp949", encoding_rs::EUC_KR),
        "euc_kr" => Charset::MultiByte("euc_kr", encoding_rs::EUC_KR),
        "cp932" => Charset::MultiByte("cp932", encoding_rs::SHIFT_JIS),
        "shift_jis" => Charset::MultiByte("shift_jis", encoding_rs::SHIFT_JIS),
        "euc_jp" => Charset::MultiByte("euc_jp", encoding_rs::EUC_JP),
        _ => Charset::SingleByte(SINGLE_BYTE.iter().find(|page| page.codec == codec)?),
    })
}

fn decode_utf8(bytes: &[u8], text: &mut String, on_flaw: OnFlaw<'_>) -> Result<(), Flaw> {
    // CPython's incremental decoder also waits for the end of an encoded surrogate, which UTF-8 cannot hold.
    let half_surrogate = matches!(bytes, [.., 0xed, 0xa0..=0xbf]);
    let mut position = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        let start = position + chunk.valid().len();
        let end = start + chunk.invalid().len();
        position = end;
        let Some(&first) = chunk.invalid().first() else { continue };
        let incomplete = std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none());
        let cut_off = incomplete && end == bytes.len();
        let reason = match first {
            _ if cut_off => "unexpected end of data",
            0xc2..=0xf4 => "invalid continuation byte",
            _ => "invalid start byte",
        };
        let truncated = cut_off || half_surrogate && start + 2 >= bytes.len();
        on_flaw(Flaw { codec: "utf-8", start, end, first, reason, truncated }, text)?;
    }
    Ok(())
}

fn decode_utf16(bytes: &[u8], skip: usize, big: bool, text: &mut String, on_flaw: OnFlaw<'_>) -> Result<(), Flaw> {
    let codec = if big { "utf-16-be" } else { "utf-16-le" };
    let unit_at = |at: usize| {
        let pair: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
    };
    let mut start = skip;
    while start < bytes.len() {
        let (end, reason, truncated) = match (unit_at(start), unit_at(start + 2)) {
            (None, _) => (bytes.len(), "truncated data", true),
            (Some(0xdc00..=0xdfff), _) => (start + 2, "illegal encoding", false),
            (Some(0xd800..=0xdbff), None) => (bytes.len(), "unexpected end of data", true),
            (Some(high @ 0xd800..=0xdbff), Some(low)) => match char::decode_utf16([high, low]).next() {
                Some(Ok(character)) => {
                    text.push(character);
                    start += 4;
                    continue;
                }
                _ => (start + 2, "illegal UTF-16 surrogate", false),
            },
            (Some(unit), _) => {
                text.extend(char::from_u32(u32::from(unit)));
                start += 2;
                continue;
            }
        };
        on_flaw(Flaw { codec, start, end, first: bytes[start], reason, truncated }, text)?;
        start = end;
    }
    Ok(())
}

fn decode_utf32(bytes: &[u8], skip: usize, big: bool, text: &mut String, on_flaw: OnFlaw<'_>) -> Result<(), Flaw> {
    let codec = if big { "utf-32-be" } else { "utf-32-le" };
    for (index, unit) in bytes[skip..].chunks(4).enumerate() {
        let (reason, truncated) = match <[u8; 4]>::try_from(unit) {
            Err(_) => ("truncated data", true),
            Ok(unit) => match if big { u32::from_be_bytes(unit) } else { u32::from_le_bytes(unit) } {
                0xd800..=0xdfff => ("code point in surrogate code point range(0xd800, 0xe000)", false),
                code => {
                    if let Some(character) = char::from_u32(code) {
                        text.push(character);
                        continue;
                    }
                    ("code point not in range(0x110000)", false)
                }
            },
        };
        let start = skip + 4 * index;
        on_flaw(Flaw { codec, start, end: start + unit.len(), first: unit[0], reason, truncated }, text)?;
    }
    Ok(())
}

fn decode_bytes(
    bytes: &[u8],
    (codec, reason): (&'static str, &'static str),
    character: impl Fn(u8) -> Option<char>,
    text: &mut String,
    on_flaw: OnFlaw<'_>,
) -> Result<(), Flaw> {
    for (start, &first) in bytes.iter().enumerate() {
        match character(first) {
            Some(character) => text.push(character),
            None => on_flaw(Flaw { codec, start, end: start + 1, first, reason, truncated: false }, text)?,
        }
    }
    Ok(())
}

/// Python takes one byte for bad and goes on behind it; a character cut off by the end is bad as a whole, in streams too.
fn decode_multi_byte(
    bytes: &[u8],
    codec: &'static str,
    encoding: &'static Encoding,
    text: &mut String,
    on_flaw: OnFlaw<'_>,
) -> Result<(), Flaw> {
    let mut start = 0;
    while start < bytes.len() {
        let rest = &bytes[start..];
        let mut decoder = encoding.new_decoder_without_bom_handling();
        let room =
            decoder.max_utf8_buffer_length_without_replacement(rest.len().min(DECODING_WINDOW)).unwrap_or_default();
        let mut piece = String::with_capacity(room);
        let window = &rest[..rest.len().min(DECODING_WINDOW)];
        let (result, read) = decoder.decode_to_string_without_replacement(window, &mut piece, false);
        text.push_str(&piece);
        match result {
            DecoderResult::Malformed(bad, after) => {
                let flawed = start + read - usize::from(bad) - usize::from(after);
                let flaw = Flaw {
                    codec,
                    start: flawed,
                    end: flawed + 1,
                    first: bytes[flawed],
                    reason: "illegal multibyte sequence",
                    truncated: false,
                };
                on_flaw(flaw, text)?;
                start = flawed + 1;
            }
            DecoderResult::InputEmpty | DecoderResult::OutputFull => {
                let pending = pending_bytes(encoding, &rest[..read]);
                if read == rest.len() && pending > 0 {
                    let flawed = bytes.len() - pending;
                    let flaw = Flaw {
                        codec,
                        start: flawed,
                        end: bytes.len(),
                        first: bytes[flawed],
                        reason: "incomplete multibyte sequence",
                        truncated: false,
                    };
                    on_flaw(flaw, text)?;
                    return Ok(());
                }
                start += read - pending;
            }
        }
    }
    Ok(())
}

/// Bytes handed to a decoder at a time: restarting it behind a flaw then costs no more than this.
const DECODING_WINDOW: usize = 4096;

/// How many bytes at the end of `window` begin a character that is not complete.
fn pending_bytes(encoding: &'static Encoding, window: &[u8]) -> usize {
    let complete = |length: usize| {
        let decoded: Option<Cow<'_, str>> =
            encoding.decode_without_bom_handling_and_without_replacement(&window[..window.len() - length]);
        decoded.is_some()
    };
    (0..=3.min(window.len())).find(|&length| complete(length)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charset(name: &str) -> Charset {
        match lookup(name) {
            Lookup::Text(charset) => charset,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn reads(name: &str, bytes: &[u8]) -> Result<String, String> {
        charset(name).decode_stream(bytes)
    }

    #[test]
    fn names_are_found_as_python_finds_them() {
        for name in ["utf-8", "UTF8", "u8", " utf--8 ", "utf\u{e9}8", "cp65001"] {
            assert!(matches!(lookup(name), Lookup::Text(Charset::Utf8)), "{name}");
        }
        for name in ["latin-1", "L1", "ISO-8859-1", "iso_8859-1:1987", "iso8859.1"] {
            assert!(matches!(lookup(name), Lookup::Text(Charset::Latin1)), "{name}");
        }
        for name in ["", "nope", "utf.8", "mbcs", "ansi", "aliases", "utf-9"] {
            assert!(matches!(lookup(name), Lookup::Unknown), "{name}");
        }
        let not_text = ["bz2_codec", "bz2", "base64", "hex", "rot13", "zip", "zlib", "quopri", "uu"];
        for name in not_text.into_iter().chain(["idna", "utf_7", "unicode_escape", "undefined", "cp037"]) {
            assert!(matches!(lookup(name), Lookup::Refused), "{name}");
        }
    }

    #[test]
    fn streams_name_the_first_flaw_in_pythons_words() {
        let flaw = |name, bytes: &[u8]| reads(name, bytes).unwrap_err();
        assert_eq!(flaw("utf-8", b"ab\xff"), "'utf-8' codec can't decode byte 0xff in position 2: invalid start byte");
        assert_eq!(
            flaw("utf-8", b"\xe2\x82a"),
            "'utf-8' codec can't decode bytes in position 0-1: invalid continuation byte"
        );
        assert_eq!(
            flaw("ascii", b"a\xe9"),
            "'ascii' codec can't decode byte 0xe9 in position 1: ordinal not in range(128)"
        );
        assert_eq!(
            flaw("cp1252", b"a\x81"),
            "'charmap' codec can't decode byte 0x81 in position 1: character maps to <undefined>"
        );
        assert_eq!(
            flaw("utf-16", b"\xff\xfe\x00\xd8a\0"),
            "'utf-16-le' codec can't decode bytes in position 2-3: illegal UTF-16 surrogate"
        );
        assert_eq!(
            flaw("utf-16-be", b"\xdc\x00"),
            "'utf-16-be' codec can't decode bytes in position 0-1: illegal encoding"
        );
        assert_eq!(
            flaw("utf-32-le", b"\0\0\x11\0"),
            "'utf-32-le' codec can't decode bytes in position 0-3: code point not in range(0x110000)"
        );
        assert_eq!(
            flaw("gbk", b"a\x81 b"),
            "'gbk' codec can't decode byte 0x81 in position 1: illegal multibyte sequence"
        );
        assert_eq!(
            flaw("gbk", b"a\x81"),
            "'gbk' codec can't decode byte 0x81 in position 1: incomplete multibyte sequence"
        );
        assert_eq!(flaw("utf-16", b"{\0"), "UTF-16 stream does not start with BOM");
        assert_eq!(flaw("utf-32", b"{\0\0\0"), "UTF-32 stream does not start with BOM");
    }

    #[test]
    fn streams_drop_a_character_cut_off_by_the_end() {
        assert_eq!(reads("utf-8", b"a\xe2\x82").as_deref(), Ok("a"));
        assert_eq!(reads("utf-8", b"a\xed\xa0").as_deref(), Ok("a"));
        assert_eq!(reads("utf-8-sig", b"\xef\xbb\xbfa\xc3").as_deref(), Ok("a"));
        assert_eq!(reads("utf-16", b"\xff\xfea\0\x00\xd8\x00").as_deref(), Ok("a"));
        assert_eq!(reads("utf-16", b"{").as_deref(), Ok(""));
        assert_eq!(reads("utf-32-be", b"\0\0\0aa\0").as_deref(), Ok("a"));
    }

    #[test]
    fn replacing_puts_one_mark_for_a_flaw() {
        let replaced = |name, bytes: &[u8]| charset(name).decode_replacing(bytes);
        assert_eq!(replaced("utf-8", b"a\xe2\x82b\xc0\xff"), "a\u{fffd}b\u{fffd}\u{fffd}");
        assert_eq!(replaced("utf-16", b"\xff\xfe\x00\xd8\x00\xd8\x00\xdc"), "\u{fffd}\u{10000}");
        assert_eq!(replaced("utf-16", b"a"), "\u{fffd}");
        assert_eq!(replaced("shift_jis", b"a\xffb\x81"), "a\u{fffd}b\u{fffd}");
        assert_eq!(replaced("euc_jp", b"a\x8f\xa1 b"), "a\u{fffd}\u{fffd} b");
    }

    #[test]
    fn a_long_multi_byte_text_is_read_across_windows() {
        let bytes: Vec<u8> = std::iter::once(b'a').chain(b"\xc4\xe3".repeat(5000)).collect();
        let text = charset("gbk").decode_strict(&bytes).expect("valid");
        assert_eq!(text.chars().count(), 5001);
        assert!(text.ends_with("你你"));
    }

    #[test]
    fn code_pages_follow_python_where_the_web_tables_differ() {
        let strict = |name, byte: u8| charset(name).decode_strict(&[byte]);
        assert_eq!(strict("iso-8859-9", 0x80).as_deref(), Some("\u{80}"));
        assert_eq!(strict("latin5", 0xf0).as_deref(), Some("ğ"));
        assert_eq!(strict("koi8-u", 0xae).as_deref(), Some("╝"));
        assert_eq!(strict("tis-620", 0xa0), None);
        assert_eq!(strict("windows-1255", 0xca), None);
        assert_eq!(strict("cp1256", 0x81).as_deref(), Some("پ"));
    }
}
