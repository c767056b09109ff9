//! Which renderer answers a request: DRF 3.18 `DefaultContentNegotiation` and `JSONRenderer.get_indent`.
//!
//! ```
//! use countersign_formats::negotiation::{NegotiationError, Renderer, select_renderer};
//!
//! let renderers = [Renderer::Json, Renderer::BrowsableApi];
//! let selected = select_renderer(Some(b"text/html, application/json; indent=4"), None, &renderers).unwrap();
//! assert_eq!((selected.renderer, selected.indent), (Renderer::Json, Some(4)));
//! assert_eq!(select_renderer(Some(b"image/png"), None, &renderers), Err(NegotiationError::NotAcceptable));
//! ```

pub(crate) mod header_parameters;
pub(crate) mod media_type;

use crate::request_body::{Limits, TooManyFields, charset::Charset, forms};
use header_parameters::{HeaderParameters, latin1, python_strip};
use media_type::MediaType;

/// A form in which a view can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Renderer {
    /// `application/json`. DRF 3.18 `JSONRenderer`.
    Json,
    /// `text/html`, the browsable page. DRF 3.18 `BrowsableAPIRenderer`.
    BrowsableApi,
}

impl Renderer {
    /// The media type it answers to and the one it sends, without charset.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::BrowsableApi => "text/html",
        }
    }

    /// Its name in `?format=`.
    pub fn format(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::BrowsableApi => "api",
        }
    }
}

/// The outcome of a negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected {
    /// The form of the answer. The answer's `Content-Type` is the renderer's own, without the client's parameters.
    pub renderer: Renderer,
    /// Spaces of indentation (1 to 8) that the client asked of JSON; `None` for the compact form.
    pub indent: Option<u8>,
}

/// Why no renderer could be chosen. The answer is then rendered by the view's first renderer, compact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// 406: nothing in `Accept` fits. DRF 3.18 `NotAcceptable`.
    #[error("Could not satisfy the request Accept header.")]
    NotAcceptable,
    /// 404: `?format=` names no renderer of the view. DRF 3.18 `filter_renderers`.
    #[error("Not found.")]
    UnknownFormat,
}

impl NegotiationError {
    /// The HTTP status that goes with it: 406 or 404.
    pub fn status(self) -> u16 {
        match self {
            Self::NotAcceptable => 406,
            Self::UnknownFormat => 404,
        }
    }
}

/// Chooses among the view's `renderers`, in their order, by the raw `Accept` header (several joined with `,`; `None` when
/// absent) and the value of `?format=`.
///
/// The most specific media range wins, `q` is ignored, and inside one level the order of the renderers decides. At most 8192
/// characters and 64 ranges are read; a range of more than 256 characters is skipped.
/// Source: DRF 3.18 `DefaultContentNegotiation.select_renderer`.
/// **Differs:** of several equally specific ranges for one renderer the first counts; DRF takes any of them. A range that
/// crashes DRF matches nothing.
///
/// # Errors
/// [`NegotiationError::UnknownFormat`] before [`NegotiationError::NotAcceptable`].
pub fn select_renderer(
    accept: Option<&[u8]>,
    format_query: Option<&str>,
    renderers: &[Renderer],
) -> Result<Selected, NegotiationError> {
    let filtered: Vec<Renderer>;
    let candidates = match format_query.filter(|format| !format.is_empty()) {
        None => renderers,
        Some(format) => {
            filtered = renderers.iter().copied().filter(|renderer| renderer.format() == format).collect();
            if filtered.is_empty() {
                return Err(NegotiationError::UnknownFormat);
            }
            &filtered
        }
    };
    let Some(accept) = accept.filter(|accept| *accept != b"*/*") else {
        let first = candidates.first().ok_or(NegotiationError::NotAcceptable)?;
        return Ok(Selected { renderer: *first, indent: None });
    };
    let ranges = accepted_ranges(accept);
    for specificity in (0..=3).rev() {
        for &renderer in candidates {
            let fits = |range: &&MediaType| range.specificity() == specificity && range.admits(renderer.media_type());
            if let Some(range) = ranges.iter().find(fits) {
                return Ok(Selected { renderer, indent: indent(renderer, range) });
            }
        }
    }
    Err(NegotiationError::NotAcceptable)
}

/// The last value of the parameter `url_format_override` (DRF's setting of that name, normally `format`) in a raw query
/// string, decoded as Django 5.2 `QueryDict` does: `+` is a space, undecodable bytes are U+FFFD.
///
/// **Differs:** always UTF-8; Django decodes the query with the charset of the request's `Content-Type`.
///
/// # Errors
/// [`TooManyFields`] for more than 1000 parameters (`DATA_UPLOAD_MAX_NUMBER_FIELDS`).
pub fn format_from_query(raw_query: &str, url_format_override: &str) -> Result<Option<String>, TooManyFields> {
    if raw_query.is_empty() {
        return Ok(None);
    }
    let fields = forms::parse(raw_query.as_bytes(), Charset::Utf8, Limits::default().fields)?;
    Ok(fields.into_iter().rev().find(|(name, _)| name == url_format_override).map(|(_, value)| value))
}

const MAX_HEADER_CHARACTERS: usize = 8192;
const MAX_RANGES: usize = 64;
/// The longest media type that DRF reads, here and in `Content-Type`; characters.
pub(crate) const MAX_MEDIA_TYPE_CHARACTERS: usize = 256;

/// DRF 3.18 `get_accept_list`: the header is cut at a comma, never inside a range.
fn accepted_ranges(header: &[u8]) -> Vec<MediaType> {
    let header = match header.get(..MAX_HEADER_CHARACTERS) {
        Some(prefix) if header.len() > MAX_HEADER_CHARACTERS => {
            &prefix[..prefix.iter().rposition(|&byte| byte == b',').unwrap_or(0)]
        }
        _ => header,
    };
    let header = latin1(header);
    let usable = |token: &&str| !token.is_empty() && token.chars().count() <= MAX_MEDIA_TYPE_CHARACTERS;
    header.split(',').map(python_strip).filter(usable).take(MAX_RANGES).map(MediaType::parse).collect()
}

/// DRF 3.18 `JSONRenderer.get_indent`, on the media type that the negotiation settled on.
fn indent(renderer: Renderer, range: &MediaType) -> Option<u8> {
    if renderer != Renderer::Json {
        return None;
    }
    let settled;
    let parameters = if range.specificity() < 2 {
        settled = HeaderParameters::parse(&range.spelled_as(renderer.media_type())).ok()?;
        &settled
    } else {
        range.parameters()
    };
    let width = clamped_integer(parameters.get("indent")?)?;
    (width != 0).then_some(width)
}

/// Python's `max(min(int(text), 8), 0)`.
fn clamped_integer(text: &str) -> Option<u8> {
    let text = python_strip(text);
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let mut value = 0_u8;
    for group in digits.split('_') {
        if group.is_empty() {
            return None;
        }
        for byte in group.bytes() {
            let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
            value = value.saturating_mul(10).saturating_add(digit);
        }
    }
    Some(if negative { 0 } else { value.min(8) })
}

#[cfg(test)]
mod tests;
