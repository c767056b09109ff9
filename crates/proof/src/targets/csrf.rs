//! CSRF tokens. The first line of the input is one, the second another.

use countersign_formats::csrf::{CsrfFormatError, CsrfSecret};

use super::{Target, split_line};

pub(super) const TARGET: Target = Target {
    name: "csrf",
    check,
    words: &["cccccccccccccccccccccccccccccccc", "dddddddddddddddddddddddddddddddd", "\n", "-", "é", "\0", " "],
};

fn check(data: &[u8]) {
    let (one, other) = split_line(data);
    let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
    let (read, read_other) = (CsrfSecret::read(&one), CsrfSecret::read(&other));
    for (text, result) in [(&one, &read), (&other, &read_other)] {
        let length = text.chars().count();
        match result {
            Ok(secret) => {
                assert!(matches!(length, 32 | 64) && text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
                assert!(secret.matches(secret), "a secret is not itself");
            }
            Err(CsrfFormatError::Length) => assert!(!matches!(length, 32 | 64)),
            Err(CsrfFormatError::Characters) => assert!(matches!(length, 32 | 64)),
        }
    }
    if let (Ok(a), Ok(b)) = (&read, &read_other) {
        assert_eq!(a.matches(b), b.matches(a), "a match depends on the order");
        if one.len() == 32 && other.len() == 32 {
            assert_eq!(a.matches(b), one == other, "two bare secrets match unequally");
        }
    }
}
