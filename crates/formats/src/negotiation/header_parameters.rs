//! Headers of the form `value; name=text`, read as Django reads them (`django.utils.http.parse_header_parameters`), which is
//! to say as Python's `email.message.Message.get_params` does, RFC 2231 parameters included. One pass, linear time.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::request_body::charset::{self, Lookup};

/// A header value split into its main part and its parameters.
#[derive(Debug)]
pub(crate) struct HeaderParameters {
    /// What stands before the first `;`, trimmed, in lower case.
    pub(crate) value: String,
    /// Parameters in Python's order: plain ones, then RFC 2231 ones. Of repeated names the last counts.
    parameters: Vec<(String, String)>,
}

/// A header on which the original raises an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// `ValueError`: a parameter names an unknown charset, or a section number is beyond Python's digits limit.
    Invalid,
    /// `TypeError`: numbered and unnumbered sections of one parameter cannot be put in order.
    Unorderable,
}

impl HeaderParameters {
    /// Reads a header value. Django 5.2 `parse_header_parameters`.
    pub(crate) fn parse(line: &str) -> Result<Self, HeaderError> {
        if !line.contains(';') {
            return Ok(Self { value: python_strip(line).to_lowercase(), parameters: Vec::new() });
        }
        let mut sections = split_sections(line).into_iter();
        let value = sections.next().map(|(name, _)| name.to_lowercase()).unwrap_or_default();
        let parameters = decode_parameters(sections)?.into_iter().filter(|(name, _)| !name.is_empty()).collect();
        Ok(Self { value, parameters })
    }

    /// The last parameter of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether there is any parameter other than `q`.
    pub(crate) fn beyond_quality(&self) -> bool {
        self.parameters.iter().any(|(name, _)| name != "q")
    }

    /// The parameters as Python's dictionary holds them: place of the first occurrence, text of the last.
    pub(crate) fn dictionary(&self) -> Vec<(&str, &str)> {
        let mut entries: Vec<(&str, &str)> = Vec::new();
        for (name, value) in &self.parameters {
            match entries.iter_mut().find(|(key, _)| key == name) {
                Some(entry) => entry.1 = value,
                None => entries.push((name, value)),
            }
        }
        entries
    }
}

/// Python's `str.strip()`.
pub(crate) fn python_strip(text: &str) -> &str {
    text.trim_matches(is_python_space)
}

/// Text of header bytes: one character a byte, as WSGI hands headers over.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// Python's `str.isspace()`: Unicode white space and the four ASCII separators U+001C to U+001F.
fn is_python_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// Splits at `;` outside quotes, then each piece at its first `=`. Names of pieces with `=` are in lower case.
fn split_sections(line: &str) -> Vec<(String, String)> {
    let mut sections = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (index, byte) in line.bytes().enumerate() {
        match byte {
            b';' if !quoted => {
                sections.push(split_section(&line[start..index]));
                start = index + 1;
                escaped = false;
                continue;
            }
            b'"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = byte == b'\\';
    }
    sections.push(split_section(&line[start..]));
    sections
}

fn split_section(section: &str) -> (String, String) {
    match section.split_once('=') {
        Some((name, value)) => (python_strip(name).to_lowercase(), python_strip(value).to_owned()),
        None => (python_strip(section).to_owned(), String::new()),
    }
}

/// One section of an RFC 2231 parameter, in the order in which Python sorts them: number, text, percent-encoded or not.
type Section = (Option<(usize, String)>, String, bool);

/// `email.utils.decode_params` followed by Django's reading of charsets.
fn decode_parameters(sections: impl Iterator<Item = (String, String)>) -> Result<Vec<(String, String)>, HeaderError> {
    let mut parameters = Vec::new();
    let mut extended: Vec<(String, Vec<Section>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (name, value) in sections {
        let value = unquote(&value);
        let Some((base, number)) = continuation(&name) else {
            let value = unquote(&requote(&value)).into_owned();
            parameters.push((name, value));
            continue;
        };
        let number = number.map(section_number).transpose()?;
        let place = *places.entry(base.to_owned()).or_insert_with(|| {
            extended.push((base.to_owned(), Vec::new()));
            extended.len() - 1
        });
        extended[place].1.push((number, value.into_owned(), name.ends_with('*')));
    }
    for (name, mut sections) in extended {
        let numbered = sections.iter().filter(|section| section.0.is_some()).count();
        if numbered != 0 && numbered != sections.len() {
            return Err(HeaderError::Unorderable);
        }
        sections.sort();
        parameters.push((name, join_sections(&sections)?));
    }
    Ok(parameters)
}

/// The text of a parameter given in sections, the charset taken from its beginning when any section is percent-encoded.
fn join_sections(sections: &[Section]) -> Result<String, HeaderError> {
    let mut joined = String::new();
    for (_, text, encoded) in sections {
        if *encoded { joined.push_str(&percent_decode_latin1(text)) } else { joined.push_str(text) }
    }
    let quoted = quote(&joined);
    if !sections.iter().any(|section| section.2) {
        return Ok(unquote(&format!("\"{quoted}\"")).into_owned());
    }
    let mut parts = quoted.splitn(3, '\'');
    let (charset, text) = match (parts.next(), parts.next(), parts.next()) {
        (Some(charset), Some(_language), Some(text)) => (charset.to_owned(), text.to_owned()),
        _ => ("us-ascii".to_owned(), quoted),
    };
    let text = unquote(&format!("\"{text}\"")).into_owned();
    if charset.is_empty() {
        return Ok(unquote(&text).into_owned());
    }
    match charset::lookup(&charset) {
        Lookup::Unknown => Err(HeaderError::Invalid),
        Lookup::Refused => Ok(unquote(&text).into_owned()),
        Lookup::Text(charset) => Ok(charset.decode_replacing(&raw_unicode_escape(&text))),
    }
}

/// The name and number in `name*`, `name*0` or `name*0*`; the name is ASCII letters, digits and `_`.
fn continuation(name: &str) -> Option<(&str, Option<&str>)> {
    let (base, rest) = name.split_once('*')?;
    let word = !base.is_empty() && base.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let number = rest.strip_suffix('*').unwrap_or(rest);
    match (word, rest, number) {
        (false, ..) | (_, "*", _) => None,
        (true, "", _) => Some((base, None)),
        (true, _, digits) => digits.bytes().all(|byte| byte.is_ascii_digit()).then_some((base, Some(digits))),
    }
}

/// A number of any size, as a key that sorts by value. Python refuses more than 4300 digits.
fn section_number(digits: &str) -> Result<(usize, String), HeaderError> {
    if digits.len() > 4300 {
        return Err(HeaderError::Invalid);
    }
    let significant = digits.trim_start_matches('0');
    Ok((significant.len(), significant.to_owned()))
}

/// `email.utils.unquote`.
fn unquote(text: &str) -> Cow<'_, str> {
    if text.chars().nth(1).is_none() {
        return Cow::Borrowed(text);
    }
    if let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        if !inner.contains('\\') {
            return Cow::Borrowed(inner);
        }
        return Cow::Owned(inner.replace("\\\\", "\\").replace("\\\"", "\""));
    }
    match text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
        Some(inner) => Cow::Borrowed(inner),
        None => Cow::Borrowed(text),
    }
}

/// `email.utils.quote`.
fn quote(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn requote(text: &str) -> String {
    format!("\"{}\"", quote(text))
}

/// `urllib.parse.unquote(text, encoding="latin-1")`: each `%XX` becomes the character of that number.
fn percent_decode_latin1(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.push_str(before);
        let byte = after.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        if let Some(byte) = byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            decoded.push(char::from(byte));
            rest = &after[2..];
        } else {
            decoded.push('%');
            rest = after;
        }
    }
    decoded.push_str(rest);
    decoded
}

/// `bytes(text, "raw-unicode-escape")`.
fn raw_unicode_escape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match u32::from(character) {
            code @ 0..=0xff => bytes.extend(u8::try_from(code)),
            code @ 0x100..=0xffff => bytes.extend(format!("\\u{code:04x}").bytes()),
            code => bytes.extend(format!("\\U{code:08x}").bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> (String, Vec<(String, String)>) {
        let header = HeaderParameters::parse(line).expect("a header Django reads");
        let dictionary = header.dictionary().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        (header.value.clone(), dictionary.collect())
    }

    fn parameters(line: &str) -> Vec<(String, String)> {
        parsed(line).1
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_main_value_is_trimmed_and_lowered() {
        assert_eq!(parsed(" Text/HTML\u{1f} "), ("text/html".into(), vec![]));
        assert_eq!(parsed("Text/HTML;"), ("text/html".into(), vec![]));
        assert_eq!(parsed("A=b; c=d"), ("a".into(), pairs(&[("c", "d")])));
    }

    #[test]
    fn quotes_protect_semicolons_and_lose_their_backslashes() {
        assert_eq!(parameters("x; a=\"1;2\"; B = 3"), pairs(&[("a", "1;2"), ("b", "3")]));
        assert_eq!(parameters(r#"x; a="q\"u;o"; b=1"#), pairs(&[("a", "q\"u;o"), ("b", "1")]));
        assert_eq!(parameters("x; a=\"open; b=1"), pairs(&[("a", "\"open; b=1")]));
        assert_eq!(parameters("x; a=<b>"), pairs(&[("a", "b")]));
    }

    #[test]
    fn a_bare_word_keeps_its_case_and_has_empty_text() {
        assert_eq!(parameters("x; Flag; a=1; a=2"), pairs(&[("Flag", ""), ("a", "2")]));
    }

    #[test]
    fn rfc_2231_parameters_come_last_and_are_decoded() {
        assert_eq!(parameters("x; a*=utf-8''caf%C3%A9; b=1"), pairs(&[("b", "1"), ("a", "café")]));
        assert_eq!(parameters("x; a*1=lo; a*0=hel"), pairs(&[("a", "hello")]));
        assert_eq!(parameters("x; a*0*=iso-8859-1'en'%E9; a*1=%E9"), pairs(&[("a", "é%E9")]));
        assert_eq!(parameters("x; a*=caf%E9"), pairs(&[("a", "caf\u{fffd}")]));
        assert_eq!(parameters("x; a*=''plain"), pairs(&[("a", "plain")]));
    }

    #[test]
    fn what_makes_the_original_raise_is_an_error() {
        assert_eq!(HeaderParameters::parse("x; a*=nope''b").unwrap_err(), HeaderError::Invalid);
        assert_eq!(HeaderParameters::parse("x; a*=b; a*0=c").unwrap_err(), HeaderError::Unorderable);
        let long = format!("x; a*{}=c", "1".repeat(4301));
        assert_eq!(HeaderParameters::parse(&long).unwrap_err(), HeaderError::Invalid);
    }
}
