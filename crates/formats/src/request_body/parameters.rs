//! Parameters of an OAuth request: a URL-encoded form in UTF-8, in which nothing is repeated (RFC 6749 §3.2, appendix B). Read by the
//! same parser as the forms of Django's views, and stricter than they.

use std::fmt;

use zeroize::Zeroizing;

use super::charset::Charset;
use super::{Limits, Parser, forms, select_parser};
use crate::negotiation::header_parameters::{HeaderParameters, latin1};

/// The parameters by name; erased from memory when dropped.
pub struct Parameters(Vec<(String, Zeroizing<String>)>);

/// Why a body is no list of parameters. `Display` is the text the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
#[non_exhaustive]
pub enum ParametersError {
    /// Another `Content-Type`, or another charset.
    NotAForm,
    /// More bytes or more fields than allowed.
    TooLarge,
    /// A name stands twice.
    Repeated,
}

impl ParametersError {
    /// The text the client reads.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::NotAForm => "The body must be application/x-www-form-urlencoded, in UTF-8.",
            Self::TooLarge => "The body is too large, or came too slowly.",
            Self::Repeated => "A parameter is repeated.",
        }
    }
}

impl Parameters {
    /// Reads a whole body with its raw `Content-Type`.
    ///
    /// # Errors
    /// [`ParametersError`].
    pub fn parse(content_type: Option<&[u8]>, body: &[u8], limits: &Limits) -> Result<Self, ParametersError> {
        let content_type = latin1(content_type.unwrap_or_default());
        let header = HeaderParameters::parse(&content_type).map_err(|_| ParametersError::NotAForm)?;
        let is_utf8 = header.get("charset").is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"));
        // The second, for what Django's views would not read either: parameters that are too long, say.
        let is_form =
            header.value == Parser::Form.media_type() && select_parser(&content_type, &[Parser::Form]).is_some();
        if !is_form || !is_utf8 || std::str::from_utf8(body).is_err() {
            return Err(ParametersError::NotAForm);
        }
        if body.len() > limits.memory {
            return Err(ParametersError::TooLarge);
        }
        let fields = forms::parse(body, Charset::Utf8, limits.fields).map_err(|_| ParametersError::TooLarge)?;
        let mut parameters = Self(Vec::with_capacity(fields.len()));
        for (name, value) in fields {
            let value = Zeroizing::new(value);
            if parameters.0.iter().any(|(known, _)| *known == name) {
                return Err(ParametersError::Repeated);
            }
            parameters.0.push((name, value));
        }
        Ok(parameters)
    }

    /// The value of that name; one that is empty counts as absent (RFC 6749 §3.2).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parameters(..)")
    }
}

/// A text as a form has it, decoded: `+` is a space, `%XX` is a byte of UTF-8. So are the halves of a client's HTTP Basic credentials
/// encoded (RFC 6749 §2.3.1).
#[must_use]
pub fn form_decoded(text: &str) -> Zeroizing<String> {
    Zeroizing::new(forms::unquote(text, Charset::Utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Option<&[u8]> = Some(b"application/x-www-form-urlencoded");
    const LIMITS: Limits = Limits { memory: 100, fields: 4, files: 0 };

    fn refused(content_type: Option<&[u8]>, body: &[u8]) -> Option<ParametersError> {
        Parameters::parse(content_type, body, &LIMITS).err()
    }

    #[test]
    fn values_are_found_by_name_and_empty_ones_are_absent() {
        let parameters = Parameters::parse(FORM, b"token=a+%2B%C3%A9&token_type_hint=&x", &LIMITS).expect("a form");
        assert_eq!(parameters.get("token"), Some("a +é"));
        assert_eq!((parameters.get("token_type_hint"), parameters.get("x"), parameters.get("y")), (None, None, None));
        assert_eq!(format!("{parameters:?}"), "Parameters(..)");
        for content_type in ["Application/X-WWW-Form-URLEncoded", "application/x-www-form-urlencoded; charset=UTF-8"] {
            assert_eq!(refused(Some(content_type.as_bytes()), b"a=1"), None, "{content_type}");
        }
    }

    #[test]
    fn nothing_is_repeated() {
        for body in ["a=1&a=1", "a=1&b=2&a=", "a&a", "a=1&%61=2", "token=&token=x"] {
            assert_eq!(refused(FORM, body.as_bytes()), Some(ParametersError::Repeated), "{body}");
        }
        assert_eq!(refused(FORM, b"a=1&b=1&A=1"), None);
    }

    #[test]
    fn other_bodies_are_refused() {
        let types: [&[u8]; 7] = [
            b"",
            b"application/json",
            b"*/*",
            b"application/*",
            b"multipart/form-data; boundary=B",
            b"application/x-www-form-urlencoded; charset=latin-1",
            b"application/x-www-form-urlencoded,application/x-www-form-urlencoded",
        ];
        for content_type in types {
            assert_eq!(refused(Some(content_type), b"a=1"), Some(ParametersError::NotAForm), "{content_type:?}");
        }
        let long = format!("application/x-www-form-urlencoded; {}=x", "a".repeat(300));
        for content_type in [None, Some(long.as_bytes())] {
            assert_eq!(refused(content_type, b"a=1"), Some(ParametersError::NotAForm), "{content_type:?}");
        }
        assert_eq!(refused(FORM, b"a=\xff"), Some(ParametersError::NotAForm));
        assert_eq!(refused(FORM, &[b'a'; 101]), Some(ParametersError::TooLarge));
        assert_eq!(refused(FORM, b"a&b&c&d&e"), Some(ParametersError::TooLarge));
    }

    #[test]
    fn halves_of_credentials_are_decoded() {
        assert_eq!(form_decoded("a%3Ab+c%2b").as_str(), "a:b c+");
        assert_eq!(form_decoded("100%").as_str(), "100%");
    }
}
