//! Media types and ranges. DRF 3.18 `rest_framework.utils.mediatypes`.

use super::header_parameters::{HeaderError, HeaderParameters};

/// A media type or range from a header: `application/json; indent=4`, `text/*`, `*/*`.
#[derive(Debug)]
pub(crate) struct MediaType {
    parameters: HeaderParameters,
}

impl MediaType {
    /// Reads one; what Django cannot read becomes a type that matches nothing.
    pub(crate) fn parse(text: &str) -> Self {
        let nothing = |_: HeaderError| HeaderParameters::parse("");
        let parameters = HeaderParameters::parse(text).or_else(nothing).expect("an empty header is readable");
        Self { parameters }
    }

    /// 3 with parameters beyond `q`, 2 for `type/subtype`, 1 for `type/*`, 0 for `*/*`.
    pub(crate) fn specificity(&self) -> u8 {
        match self.halves() {
            ("*", _) => 0,
            (_, "*") => 1,
            _ if self.parameters.beyond_quality() => 3,
            _ => 2,
        }
    }

    /// Whether the range covers `media_type` (a plain `type/subtype`).
    pub(crate) fn admits(&self, media_type: &str) -> bool {
        let (main, sub) = self.halves();
        let (wanted_main, wanted_sub) = media_type.split_once('/').unwrap_or((media_type, ""));
        (main == "*" || main == wanted_main) && (sub == "*" || sub == wanted_sub)
    }

    /// The parameters.
    pub(crate) fn parameters(&self) -> &HeaderParameters {
        &self.parameters
    }

    /// `media_type` with the parameters of this range, the way DRF writes down what a wildcard settled on.
    pub(crate) fn spelled_as(&self, media_type: &str) -> String {
        let mut text = media_type.to_owned();
        for (name, value) in self.parameters.dictionary() {
            text.extend([";", name, "=", value]);
        }
        text
    }

    fn halves(&self) -> (&str, &str) {
        self.parameters.value.split_once('/').unwrap_or((&self.parameters.value, ""))
    }
}
