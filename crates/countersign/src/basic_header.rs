//! The credentials of a `Basic` header as CPython reads them.

use countersign_formats::python_base64;

/// User name and password of the base64 word; `None` when it does not decode or has no colon.
///
/// Characters outside the alphabet are skipped and whatever follows the padding is ignored, as CPython's
/// `binascii.a2b_base64` does; the bytes are UTF-8, else Latin-1. DRF 3.18 `BasicAuthentication.authenticate`.
pub(crate) fn decode_basic(word: &[u8]) -> Option<(String, String)> {
    let bytes = python_base64::decode(word)?;
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect());
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_decode_as_in_cpython() {
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(decode_basic(b"YWxpY2U6eDp5"), pair("alice", "x:y"));
        assert_eq!(decode_basic(b"YWxpY2U6eA=="), pair("alice", "x"));
        assert_eq!(decode_basic(b"YWxp!Y2U6eA==trailing"), pair("alice", "x"));
        assert_eq!(decode_basic(b"YWxpY2U6eA="), None, "half the padding");
        assert_eq!(decode_basic(b"YWxpY2U6e"), None, "one character too many");
        assert_eq!(decode_basic(b"YWxpY2U="), None, "no colon");
        assert_eq!(decode_basic(b"Og=="), pair("", ""));
        assert_eq!(decode_basic(b"/zr/"), pair("\u{ff}", "\u{ff}"), "Latin-1 where it is not UTF-8");
        assert_eq!(decode_basic(b""), None);
    }
}
