//! URL-encoded forms and query strings: Django 5.2 `QueryDict` over Python 3.11 `urllib.parse.parse_qsl`.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::TooManyFields;
use super::charset::Charset;
use crate::negotiation::header_parameters::latin1;

/// The fields in order. `&` separates, `+` is a space, `%XX` is a byte; a field without `=` is empty, nothing between two
/// `&` is no field (but counts against `max_fields`).
///
/// # Errors
/// [`TooManyFields`] when there are more separators than `max_fields` allows.
pub(crate) fn parse(body: &[u8], charset: Charset, max_fields: usize) -> Result<Vec<(String, String)>, TooManyFields> {
    let text = Zeroizing::new(charset.decode_strict(body).unwrap_or_else(|| latin1(body)));
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.bytes().filter(|&byte| byte == b'&').count() >= max_fields {
        return Err(TooManyFields);
    }
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let split = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (unquote(name, charset), unquote(value, charset))
    };
    Ok(pairs.map(split).collect())
}

/// `urllib.parse.unquote_plus`: ASCII stretches of a text with `%` are bytes of the charset, the rest is text already.
pub(crate) fn unquote(text: &str, charset: Charset) -> String {
    let text: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    if !text.contains('%') {
        return text.into_owned();
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while !rest.is_empty() {
        let ascii = rest.find(|character: char| !character.is_ascii()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(ascii);
        if !run.is_empty() {
            decoded.push_str(&charset.decode_replacing(&Zeroizing::new(percent_decode(run.as_bytes()))));
        }
        let foreign = after.find(|character: char| character.is_ascii()).unwrap_or(after.len());
        let (foreign, next) = after.split_at(foreign);
        decoded.push_str(foreign);
        rest = next;
    }
    decoded
}

/// `urllib.parse.unquote_to_bytes`: a `%` without two hex digits behind it stays.
fn percent_decode(run: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(run.len());
    let mut at = 0;
    while at < run.len() {
        let pair = if run[at] == b'%' { run.get(at + 1..at + 3) } else { None };
        if let Some(byte) = pair.and_then(|pair| Some(hex_digit(pair[0])? << 4 | hex_digit(pair[1])?)) {
            bytes.push(byte);
            at += 3;
        } else {
            bytes.push(run[at]);
            at += 1;
        }
    }
    bytes
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::super::charset::{ByteOrder, Charset};
    use super::*;

    fn parsed(body: &[u8], charset: Charset) -> Vec<(String, String)> {
        parse(body, charset, 1000).expect("few fields")
    }

    fn utf8(body: &str) -> Vec<(String, String)> {
        parsed(body.as_bytes(), Charset::Utf8)
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn ampersands_separate_and_plus_is_space() {
        assert_eq!(
            utf8("a=1&b=x+y%2B&&c&=d&a=2;3"),
            pairs(&[("a", "1"), ("b", "x y+"), ("c", ""), ("", "d"), ("a", "2;3")])
        );
        assert_eq!(utf8(""), vec![]);
        assert_eq!(utf8("a=b=c"), pairs(&[("a", "b=c")]));
    }

    #[test]
    fn bad_percent_sequences_stay_and_bad_bytes_are_marked() {
        assert_eq!(utf8("a=%&b=%4&c=%zz&d=%FFx"), pairs(&[("a", "%"), ("b", "%4"), ("c", "%zz"), ("d", "\u{fffd}x")]));
        assert_eq!(utf8("a=é%C3%A9é"), pairs(&[("a", "ééé")]));
    }

    #[test]
    fn the_charset_decodes_first_the_body_then_the_percent_bytes() {
        assert_eq!(parsed(b"a=%E9\xe9", Charset::Latin1), pairs(&[("a", "éé")]));
        assert_eq!(parsed(b"a=\xe9", Charset::Utf8), pairs(&[("a", "é")]), "undecodable bodies fall back to Latin-1");
        let wide: Vec<u8> = "a=b%41%00".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(parsed(&wide, Charset::Utf16(ByteOrder::Little)), pairs(&[("a", "\u{4162}\u{fffd}")]));
    }

    #[test]
    fn fields_are_counted_by_separators() {
        let body = |count: usize| "a=1&".repeat(count - 1) + "a=1";
        assert_eq!(parse(body(1000).as_bytes(), Charset::Utf8, 1000).map(|fields| fields.len()), Ok(1000));
        assert_eq!(parse(body(1001).as_bytes(), Charset::Utf8, 1000), Err(TooManyFields));
        assert_eq!(parse("&".repeat(1000).as_bytes(), Charset::Utf8, 1000), Err(TooManyFields));
        assert_eq!(parse("&".repeat(999).as_bytes(), Charset::Utf8, 1000), Ok(vec![]));
    }
}
