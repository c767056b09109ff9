//! Request bodies: from bytes and `Content-Type` to the text fields of a login or token form.
//!
//! JSON, URL-encoded and multipart bodies are read as DRF 3.18 over Django 5.2 reads them, with the same refusals in the same
//! words. Where the original crashes, the answer is a plain 400 ([`BodyError::Malformed`]).
//!
//! ```
//! use countersign_formats::json;
//! use countersign_formats::request_body::{self, CharField, Limits, Parser, read_fields};
//!
//! let parsers = [Parser::Json, Parser::Form, Parser::Multipart];
//! let data = request_body::parse(Some(b"application/json"), br#"{"username": " alice "}"#, &parsers, &Limits::default())
//!     .unwrap();
//! let form = [CharField { name: "username", trim: true }, CharField { name: "password", trim: false }];
//! let errors = read_fields(&data.into_fields().unwrap(), &form).unwrap_err();
//! assert_eq!(json::to_compact_ascii(&errors.to_value()), r#"{"password":["This field is required."]}"#);
//! ```

pub(crate) mod charset;
mod charset_names;
mod fields;
mod file_name;
pub(crate) mod forms;
mod multipart;
mod parameters;
mod single_byte;

use std::fmt;

use zeroize::Zeroizing;

use crate::json::{self, NonFinite, Value};
use crate::negotiation::MAX_MEDIA_TYPE_CHARACTERS;
use crate::negotiation::header_parameters::{HeaderParameters, latin1};
use crate::negotiation::media_type::MediaType;
use charset::{Charset, Lookup};

pub use fields::{CharField, FieldError, FieldErrors, Fields, read_fields};
pub use multipart::MultipartError;
pub use parameters::{Parameters, ParametersError, form_decoded};

/// A form in which a view takes bodies. Each view lists its own, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Parser {
    /// `application/x-www-form-urlencoded`. DRF 3.18 `FormParser`.
    Form,
    /// `multipart/form-data`. DRF 3.18 `MultiPartParser`.
    Multipart,
    /// `application/json`. DRF 3.18 `JSONParser`, strict.
    Json,
}

impl Parser {
    /// The media type it reads.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Form => "application/x-www-form-urlencoded",
            Self::Multipart => "multipart/form-data",
            Self::Json => "application/json",
        }
    }
}

/// Bounds on one body. The defaults are Django 5.2's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a JSON or URL-encoded body, or of all text fields of a multipart one (`DATA_UPLOAD_MAX_MEMORY_SIZE`).
    /// Files in a multipart body do not count: bound the whole body before.
    pub memory: usize,
    /// Fields of a form (`DATA_UPLOAD_MAX_NUMBER_FIELDS`).
    pub fields: usize,
    /// Files in a multipart body (`DATA_UPLOAD_MAX_NUMBER_FILES`).
    pub files: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 2_621_440, fields: 1000, files: 100 }
    }
}

/// A form with more fields than allowed: 400 and Django's page. Django 5.2 `TooManyFieldsSent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more form fields than allowed")]
pub struct TooManyFields;

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// 415: no parser of the view reads this `Content-Type` (given as sent; empty when absent).
    #[error("Unsupported media type \"{0}\" in request.")]
    UnsupportedMediaType(String),
    /// 400: `charset` names a codec that is not a text encoding, or one that we do not offer.
    /// **Differs:** Python's rarer text encodings (EBCDIC, DOS pages, UTF-7, …) are refused like this as well.
    #[error("Unsupported charset \"{0}\" in request Content-Type header.")]
    UnsupportedCharset(String),
    /// 400: not JSON, or not text; Python's message.
    #[error("JSON parse error - {0}")]
    Json(String),
    /// 400: not a multipart body.
    #[error("Multipart form parse error - {0}")]
    Multipart(#[from] MultipartError),
    /// 400: the original crashes (500) here. DRF's default text for `ParseError`.
    #[error("Malformed request.")]
    Malformed,
    /// 400, Django's page: more bytes than [`Limits::memory`]. Django 5.2 `RequestDataTooBig`.
    #[error("more bytes than allowed")]
    TooLarge,
    /// 400, Django's page: more fields than [`Limits::fields`].
    #[error(transparent)]
    TooManyFields(#[from] TooManyFields),
    /// 400, Django's page: more files than [`Limits::files`]. Django 5.2 `TooManyFilesSent`.
    #[error("more files than allowed")]
    TooManyFiles,
}

impl BodyError {
    /// The HTTP status: 415 or 400.
    pub fn status(&self) -> u16 {
        match self {
            Self::UnsupportedMediaType(_) => 415,
            _ => 400,
        }
    }

    /// The text of the JSON member `detail`; `None` when the answer is Django's page `Bad Request (400)`.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::TooLarge | Self::TooManyFields(_) | Self::TooManyFiles => None,
            _ => Some(self.to_string()),
        }
    }
}

/// A body that has been read, not yet looked at.
#[derive(Clone)]
#[non_exhaustive]
pub enum Data {
    /// A form, possibly empty.
    Form(FormFields),
    /// Any JSON value.
    Json(Value),
}

/// The fields of a form in order, repeated ones included.
#[derive(Clone, Default)]
pub struct FormFields(Vec<(String, FormValue)>);

/// What a form holds under a name.
#[derive(Clone)]
enum FormValue {
    /// Text, erased from memory when dropped.
    Text(Zeroizing<String>),
    /// An uploaded file.
    File {
        /// Whether its name is white space only.
        blank_name: bool,
    },
}

impl FormFields {
    fn from_texts(fields: Vec<(String, String)>) -> Self {
        Self(fields.into_iter().map(|(name, text)| (name, FormValue::Text(text.into()))).collect())
    }

    /// The last value of that name: of repeated keys the last one wins.
    fn last(&self, name: &str) -> Option<&FormValue> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// A JSON body that is not an object; the message belongs under the project's `NON_FIELD_ERRORS_KEY` (400).
/// DRF 3.18 `Serializer.run_validation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopLevelError {
    /// JSON `null`.
    #[error("No data provided")]
    NoData,
    /// Any other value; Python's name of its type.
    #[error("Invalid data. Expected a dictionary, but got {0}.")]
    NotADictionary(&'static str),
}

impl Data {
    /// The members to read fields from.
    ///
    /// # Errors
    /// [`TopLevelError`] for JSON other than an object.
    pub fn into_fields(self) -> Result<Fields, TopLevelError> {
        match self {
            Self::Form(form) => Ok(Fields::from_form(form)),
            Self::Json(Value::Object(object)) => Ok(Fields::from_object(object)),
            Self::Json(Value::Null) => Err(TopLevelError::NoData),
            Self::Json(other) => Err(TopLevelError::NotADictionary(other.python_type_name())),
        }
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form(_) => "Form(..)",
            Self::Json(_) => "Json(..)",
        })
    }
}

impl fmt::Debug for FormFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormFields(..)")
    }
}

/// Reads a whole body with the first of the view's `parsers` that fits the raw `Content-Type` (Latin-1; `None` when absent).
///
/// An empty body is an empty form whatever the type says. DRF 3.18 `Request._parse`, Django 5.2 `HttpRequest`.
/// **Differs:** a chunked body is read like any other (the original takes it for empty); a text part of a multipart body
/// over 64 KiB without a name is skipped whole (Django goes on inside it).
///
/// # Errors
/// [`BodyError`], in DRF's order: type, size, charset, content.
pub fn parse(content_type: Option<&[u8]>, body: &[u8], parsers: &[Parser], limits: &Limits) -> Result<Data, BodyError> {
    if body.is_empty() {
        return Ok(Data::Form(FormFields::default()));
    }
    let content_type = latin1(content_type.unwrap_or_default());
    let header = HeaderParameters::parse(&content_type).map_err(|_| BodyError::Malformed)?;
    let Some(parser) = select_parser(&content_type, parsers) else {
        return Err(BodyError::UnsupportedMediaType(content_type));
    };
    if parser != Parser::Multipart && body.len() > limits.memory {
        return Err(BodyError::TooLarge);
    }
    let charset = charset_of(&header)?;
    match parser {
        Parser::Form => Ok(Data::Form(FormFields::from_texts(forms::parse(body, charset, limits.fields)?))),
        Parser::Multipart => multipart::parse(&content_type, &header, body, charset, limits).map(Data::Form),
        Parser::Json => parse_json(body, charset).map(Data::Json),
    }
}

/// DRF 3.18 `DefaultContentNegotiation.select_parser`: wildcards in a request's type match, too.
fn select_parser(content_type: &str, parsers: &[Parser]) -> Option<Parser> {
    if content_type.chars().count() > MAX_MEDIA_TYPE_CHARACTERS {
        return None;
    }
    let range = MediaType::parse(content_type);
    parsers.iter().copied().find(|parser| range.admits(parser.media_type()))
}

/// DRF 3.18 `get_encoding`: an unknown name is ignored, a known one must be a text encoding.
fn charset_of(header: &HeaderParameters) -> Result<Charset, BodyError> {
    let Some(name) = header.get("charset") else { return Ok(Charset::Utf8) };
    match charset::lookup(name) {
        Lookup::Unknown => Ok(Charset::Utf8),
        Lookup::Text(charset) => Ok(charset),
        Lookup::Refused => Err(BodyError::UnsupportedCharset(name.to_owned())),
    }
}

fn parse_json(body: &[u8], charset: Charset) -> Result<Value, BodyError> {
    let text = Zeroizing::new(charset.decode_stream(body).map_err(BodyError::Json)?);
    json::parse(&text, NonFinite::Refuse).map_err(|error| BodyError::Json(error.to_string()))
}

#[cfg(test)]
mod tests;
