//! The credentials of a `Basic` header as CPython reads them.

/// User name and password of the base64 word; `None` when it does not decode or has no colon.
///
/// Characters outside the alphabet are skipped and whatever follows the padding is ignored, as CPython's
/// `binascii.a2b_base64` does; the bytes are UTF-8, else Latin-1. DRF 3.18 `BasicAuthentication.authenticate`.
pub(crate) fn decode_basic(word: &[u8]) -> Option<(String, String)> {
    let bytes = decode_lenient(word)?;
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect());
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

fn decode_lenient(word: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(word.len() / 4 * 3 + 3);
    let (mut quad, mut pads, mut left) = (0_u8, 0_u8, 0_u8);
    for &byte in word {
        if byte == b'=' {
            if quad >= 2 {
                pads += 1;
                if quad + pads >= 4 {
                    return Some(out);
                }
            }
            continue;
        }
        let Some(value) = sextet(byte) else { continue };
        pads = 0;
        match quad {
            0 => left = value,
            1 => {
                out.push((left << 2) | (value >> 4));
                left = value & 0x0f;
            }
            2 => {
                out.push((left << 4) | (value >> 2));
                left = value & 0x03;
            }
            _ => out.push((left << 6) | value),
        }
        quad = (quad + 1) % 4;
    }
    (quad == 0).then_some(out)
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
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
