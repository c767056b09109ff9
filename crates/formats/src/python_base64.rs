//! Base64 as CPython's `binascii.a2b_base64` reads it when it is not strict: multipart parts and Basic credentials.

/// The bytes of a base64 text: characters outside the alphabet are skipped and the first complete padding ends it; `None` where
/// Python raises. Source: CPython 3.11 `base64.b64decode`.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut quad, mut pads, mut left) = (0_u8, 0_u8, 0_u8);
    for &byte in text {
        if byte == b'=' {
            if quad >= 2 {
                pads += 1;
                if quad + pads >= 4 {
                    return Some(bytes);
                }
            }
            continue;
        }
        let Some(value) = sextet(byte) else { continue };
        pads = 0;
        match quad {
            0 => left = value,
            1 => {
                bytes.push(left << 2 | value >> 4);
                left = value & 0x0f;
            }
            2 => {
                bytes.push(left << 4 | value >> 2);
                left = value & 0x03;
            }
            _ => bytes.push(left << 6 | value),
        }
        quad = (quad + 1) % 4;
    }
    (quad == 0).then_some(bytes)
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_as_cpython_does() {
        for (text, bytes) in [
            ("YWxpY2U6eA==", Some("alice:x")),
            ("YWxp!Y2U6eA==trailing", Some("alice:x")),
            ("YWxpY2U6eDp5", Some("alice:x:y")),
            ("YWxpY2U6eA=", None),
            ("YWxpY2U6e", None),
            ("=YWxpY2U6eA==", Some("alice:x")),
            ("", Some("")),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), bytes.map(str::as_bytes), "{text:?}");
        }
    }
}
