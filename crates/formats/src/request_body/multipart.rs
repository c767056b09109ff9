//! Multipart forms: Django 5.2 `MultiPartParser` (RFC 7578, laxly), in one linear pass over a whole body.

use std::ops::Range;

use super::charset::Charset;
use super::{BodyError, FormFields, FormValue, Limits, TooManyFields, file_name};
use crate::negotiation::header_parameters::{HeaderError, HeaderParameters, python_strip};
use crate::python_base64;

/// Why a multipart body could not be read; Django's messages (`MultiPartParserError`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// The type does not begin with `multipart/` in lower case, as sent.
    #[error("Invalid Content-Type: {0}")]
    ContentType(String),
    /// The type has characters outside ASCII, as sent.
    #[error("Invalid non-ASCII Content-Type in multipart: {0}")]
    NonAsciiContentType(String),
    /// No boundary (`None`), or one that is not 1 to 201 printable characters.
    #[error("Invalid boundary in multipart: {0}")]
    Boundary(String),
    /// The headers of a part do not end within 1024 bytes.
    #[error("Request max total header size exceeded.")]
    HeaderSize,
    /// A file said to be base64 is not.
    #[error("Could not decode base64 data.")]
    Base64,
}

/// Reads the fields, then the files, of a body that is not empty.
pub(crate) fn parse(
    content_type: &str,
    header: &HeaderParameters,
    body: &[u8],
    charset: Charset,
    limits: &Limits,
) -> Result<FormFields, BodyError> {
    let separator = separator(content_type, header)?;
    let mut reader =
        Reader { charset, limits, fields: Vec::new(), files: Vec::new(), open_file: None, counts: Counts::default() };
    for part in Parts::new(body, &separator) {
        reader.read_part(&body[part])?;
    }
    reader.fields.append(&mut reader.files);
    Ok(FormFields(reader.fields))
}

const MAX_HEADER_SIZE: usize = 1024;
/// Django allows for what stands before the first and after the last boundary.
const FIELDS_OUTSIDE: usize = 2;
const MAX_BOUNDARY: usize = 201;

/// `--` and the boundary.
fn separator(content_type: &str, header: &HeaderParameters) -> Result<Vec<u8>, MultipartError> {
    if !content_type.starts_with("multipart/") {
        return Err(MultipartError::ContentType(content_type.to_owned()));
    }
    if !content_type.is_ascii() {
        return Err(MultipartError::NonAsciiContentType(content_type.to_owned()));
    }
    let boundary = header.get("boundary").unwrap_or("None");
    let printable = boundary.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let sized = (1..=MAX_BOUNDARY).contains(&boundary.len());
    if header.get("boundary").is_none() || !printable || !sized || boundary.ends_with(' ') {
        return Err(MultipartError::Boundary(boundary.to_owned()));
    }
    Ok([b"--", boundary.as_bytes()].concat())
}

/// Collects what the parts hold.
struct Reader<'a> {
    charset: Charset,
    limits: &'a Limits,
    fields: Vec<(String, FormValue)>,
    files: Vec<(String, FormValue)>,
    /// A file is complete only when another part follows.
    open_file: Option<(String, FormValue)>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    /// Parts that are not files, nameless ones included.
    fields: usize,
    files: usize,
    /// Bytes of text fields, characters of their names, and two for each.
    bytes: usize,
}

impl Reader<'_> {
    fn read_part(&mut self, part: &[u8]) -> Result<(), BodyError> {
        let part = Part::parse(part)?;
        self.files.extend(self.open_file.take());
        let disposition = part.disposition.as_ref();
        let is_file =
            disposition.and_then(|parameters| parameters.get("filename")).is_some_and(|name| !name.is_empty());
        if !is_file {
            self.counts.fields += 1;
            if self.counts.fields > self.limits.fields + FIELDS_OUTSIDE {
                return Err(TooManyFields.into());
            }
        }
        let Some(name) = disposition.and_then(|parameters| parameters.get("name")) else { return Ok(()) };
        let name = self.charset.decode_replacing(strip_bytes(name.as_bytes()));
        if is_file { self.read_file(name, &part) } else { self.read_text(name, &part) }
    }

    fn read_text(&mut self, name: String, part: &Part<'_>) -> Result<(), BodyError> {
        self.counts.bytes += part.content.len() + name.chars().count() + 2;
        if self.counts.bytes > self.limits.memory {
            return Err(BodyError::TooLarge);
        }
        let decoded = if part.is_base64 { python_base64::decode(part.content) } else { None };
        let text = self.charset.decode_replacing(decoded.as_deref().unwrap_or(part.content));
        self.fields.push((name, FormValue::Text(text.into())));
        Ok(())
    }

    fn read_file(&mut self, name: String, part: &Part<'_>) -> Result<(), BodyError> {
        self.counts.files += 1;
        if self.counts.files > self.limits.files {
            return Err(BodyError::TooManyFiles);
        }
        let given = part.disposition.as_ref().and_then(|parameters| parameters.get("filename")).unwrap_or_default();
        let Some(file) = file_name::sanitize(&self.charset.decode_replacing(given.as_bytes())) else { return Ok(()) };
        if part.is_base64 {
            let packed: Vec<u8> = part.content.iter().copied().filter(|byte| !is_python_byte_space(*byte)).collect();
            if !packed.len().is_multiple_of(4) || python_base64::decode(&packed).is_none() {
                return Err(MultipartError::Base64.into());
            }
        }
        if !name.is_empty() {
            self.open_file = Some((name, FormValue::File { blank_name: python_strip(&file).is_empty() }));
        }
        Ok(())
    }
}

/// One part: what its headers say, and its content.
struct Part<'a> {
    disposition: Option<HeaderParameters>,
    is_base64: bool,
    content: &'a [u8],
}

impl<'a> Part<'a> {
    /// Django 5.2 `parse_boundary_stream`. A part without an end of headers is nameless; unreadable headers are skipped.
    fn parse(part: &'a [u8]) -> Result<Self, BodyError> {
        let window = &part[..part.len().min(MAX_HEADER_SIZE)];
        let Some(end) = window.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            if part.len() >= MAX_HEADER_SIZE {
                return Err(MultipartError::HeaderSize.into());
            }
            return Ok(Self { disposition: None, is_base64: false, content: part });
        };
        let mut parsed = Self { disposition: None, is_base64: false, content: &part[end + 4..] };
        for line in header_lines(&part[..end]) {
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let header = match HeaderParameters::parse(line) {
                Ok(header) => header,
                Err(HeaderError::Invalid) => continue,
                Err(HeaderError::Unorderable) => return Err(BodyError::Malformed),
            };
            match header.value.split_once(':') {
                Some(("content-disposition", _)) => parsed.disposition = Some(header),
                Some(("content-transfer-encoding", value)) => parsed.is_base64 = python_strip(value) == "base64",
                _ => {}
            }
        }
        Ok(parsed)
    }
}

/// Lines end with CR LF; other line ends are inside them.
fn header_lines(mut header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let end = header.windows(2).position(|bytes| bytes == b"\r\n");
        done = end.is_none();
        let (line, rest) = header.split_at(end.unwrap_or(header.len()));
        header = rest.get(2..).unwrap_or_default();
        Some(line)
    })
}

/// The stretches between boundaries: before the first, between them, and after the last when anything is left there.
struct Parts<'a> {
    body: &'a [u8],
    separator: &'a [u8],
    /// For each length of a matched beginning of the separator, the next shorter beginning that is also its end
    /// (Knuth, Morris and Pratt): no byte of the body is compared more than twice.
    fallback: Vec<usize>,
    position: usize,
}

impl<'a> Parts<'a> {
    fn new(body: &'a [u8], separator: &'a [u8]) -> Self {
        let mut fallback = vec![0; separator.len()];
        let mut matched = 0;
        for at in 1..separator.len() {
            while matched > 0 && separator[at] != separator[matched] {
                matched = fallback[matched - 1];
            }
            matched += usize::from(separator[at] == separator[matched]);
            fallback[at] = matched;
        }
        Self { body, separator, fallback, position: 0 }
    }

    /// Where the next separator ends.
    fn find_separator(&self) -> Option<usize> {
        let mut matched = 0;
        for at in self.position..self.body.len() {
            while matched > 0 && self.body[at] != self.separator[matched] {
                matched = self.fallback[matched - 1];
            }
            matched += usize::from(self.body[at] == self.separator[matched]);
            if matched == self.separator.len() {
                return Some(at + 1);
            }
        }
        None
    }
}

impl Iterator for Parts<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.position;
        if start == self.body.len() {
            return None;
        }
        let Some(next) = self.find_separator() else {
            self.position = self.body.len();
            return Some(start..self.body.len());
        };
        self.position = next;
        let part = &self.body[start..next - self.separator.len()];
        let part = part.strip_suffix(b"\n").unwrap_or(part);
        let part = part.strip_suffix(b"\r").unwrap_or(part);
        Some(start..start + part.len())
    }
}

/// Python's `bytes.strip()`.
fn strip_bytes(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&byte| !is_python_byte_space(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|&byte| !is_python_byte_space(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

fn is_python_byte_space(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=X";

    fn read_as(content_type: &str, body: &[u8], limits: &Limits) -> Result<Vec<(String, String)>, BodyError> {
        let header = HeaderParameters::parse(content_type).expect("readable");
        let form = parse(content_type, &header, body, Charset::Utf8, limits)?;
        let shown = |value: &FormValue| match value {
            FormValue::Text(text) => text.to_string(),
            FormValue::File { blank_name } => format!("file {blank_name}"),
        };
        Ok(form.0.iter().map(|(name, value)| (name.clone(), shown(value))).collect())
    }

    fn read(body: &str) -> Vec<(String, String)> {
        read_as(TYPE, body.as_bytes(), &Limits::default()).expect("a readable body")
    }

    fn error(content_type: &str, body: &str) -> String {
        read_as(content_type, body.as_bytes(), &Limits::default()).unwrap_err().to_string()
    }

    fn part(headers: &str, content: &str) -> String {
        format!("--X\r\n{headers}\r\n\r\n{content}\r\n")
    }

    fn text(name: &str, content: &str) -> String {
        part(&format!("Content-Disposition: form-data; name=\"{name}\""), content)
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn parts_become_fields_in_order() {
        let body = text("a", "1") + &text("b", "two\r\nlines") + &text("a", "2") + "--X--\r\n";
        assert_eq!(read(&body), pairs(&[("a", "1"), ("b", "two\r\nlines"), ("a", "2")]));
        assert_eq!(read("--X--\r\n"), vec![]);
        assert_eq!(read("no boundary at all"), vec![]);
    }

    #[test]
    fn a_cut_off_text_counts_and_a_cut_off_file_does_not() {
        let file = part("Content-Disposition: form-data; name=f; filename=x.txt", "data");
        assert_eq!(read("--X\r\nContent-Disposition: form-data; name=a\r\n\r\nali"), pairs(&[("a", "ali")]));
        assert_eq!(read(&file), vec![]);
        assert_eq!(read(&(file.clone() + "--X--")), pairs(&[("f", "file false")]));
        assert_eq!(read(&(file + "--X")), vec![]);
    }

    #[test]
    fn nameless_parts_and_odd_headers_are_skipped() {
        let body = part("Content-Type: text/plain", "x")
            + &part("Content-Disposition: form-data", "x")
            + &part("Content-Disposition : form-data; name=a", "x")
            + &part("CONTENT-DISPOSITION:form-data; NAME=\" b \"\r\njunk\r\nX: y; z*=nope''1", "ok")
            + "--X--";
        assert_eq!(read(&body), pairs(&[("b", "ok")]));
    }

    #[test]
    fn base64_text_is_decoded_when_it_decodes() {
        let encoded = |content: &str| {
            let headers = "Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: BASE64";
            read(&(part(headers, content) + "--X--"))
        };
        assert_eq!(encoded("aGVsbG8="), pairs(&[("a", "hello")]));
        assert_eq!(encoded("aGVs\r\nbG8=junk"), pairs(&[("a", "hello")]));
        assert_eq!(encoded("aGVsbG8"), pairs(&[("a", "aGVsbG8")]));
    }

    #[test]
    fn a_file_in_bad_base64_is_refused() {
        let body =
            part("Content-Disposition: form-data; name=a; filename=f\r\nContent-Transfer-Encoding: base64", "abc");
        assert_eq!(error(TYPE, &(body + "--X--")), "Multipart form parse error - Could not decode base64 data.");
    }

    #[test]
    fn boundaries_and_types_are_checked_first() {
        let invalid =
            |boundary: &str| format!("Multipart form parse error - Invalid boundary in multipart: {boundary}");
        assert_eq!(error("multipart/form-data", "x"), invalid("None"));
        assert_eq!(error("multipart/form-data; boundary=", "x"), invalid(""));
        assert_eq!(error("multipart/form-data; boundary=\"a \"", "x"), invalid("a "));
        let long = "b".repeat(202);
        assert_eq!(error(&format!("multipart/form-data; boundary={long}"), "x"), invalid(&long));
        assert_eq!(
            error("Multipart/form-data; boundary=X", "x"),
            "Multipart form parse error - Invalid Content-Type: Multipart/form-data; boundary=X"
        );
        assert_eq!(
            error("multipart/form-data; boundary=\u{e9}", "x"),
            "Multipart form parse error - Invalid non-ASCII Content-Type in multipart: multipart/form-data; boundary=\u{e9}"
        );
    }

    #[test]
    fn limits_are_exact() {
        let limits = Limits { memory: 20, fields: 3, files: 1 };
        let bounded = |body: String| read_as(TYPE, body.as_bytes(), &limits);
        assert!(bounded(text("a", &"x".repeat(17)) + "--X--").is_ok());
        assert_eq!(bounded(text("a", &"x".repeat(18)) + "--X--"), Err(BodyError::TooLarge));
        assert!(bounded(text("a", "").repeat(3) + "--X--").is_ok());
        assert!(bounded(text("a", "").repeat(4) + "--X").is_ok(), "nothing follows the last boundary");
        assert_eq!(bounded(text("a", "").repeat(4) + "--X--"), Err(BodyError::TooManyFields(TooManyFields)));
        let file = part("Content-Disposition: form-data; name=f; filename=x", "");
        assert!(bounded(file.clone() + "--X--").is_ok());
        assert_eq!(bounded(file.repeat(2) + "--X--"), Err(BodyError::TooManyFiles));
        let headers = format!("Content-Disposition: form-data; name=a\r\nX: {}", "y".repeat(1000));
        assert_eq!(
            error(TYPE, &part(&headers, "")),
            "Multipart form parse error - Request max total header size exceeded."
        );
    }

    #[test]
    fn separators_that_overlap_themselves_are_found() {
        let body = b"--\r\n------a------b";
        let parts: Vec<&[u8]> = Parts::new(body, b"-----").map(|part| &body[part]).collect();
        assert_eq!(parts, [&b"--"[..], b"-a", b"-b"]);
    }
}
