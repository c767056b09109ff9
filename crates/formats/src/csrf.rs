//! Django's CSRF tokens and the cookies they come in. Django 5.2 `django.middleware.csrf`, `django.http.cookie`.

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

const SECRET_LENGTH: usize = 32;
const TOKEN_LENGTH: usize = 2 * SECRET_LENGTH;
const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A CSRF secret: 32 letters and digits, from a cookie or a session. Wiped on drop.
pub struct CsrfSecret(Zeroizing<Vec<u8>>);

/// Why a text is no CSRF token. Django 5.2 `InvalidTokenFormat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsrfFormatError {
    /// Neither 32 nor 64 characters.
    #[error("has incorrect length")]
    Length,
    /// Something else than ASCII letters and digits.
    #[error("has invalid characters")]
    Characters,
}

impl CsrfSecret {
    /// Reads a secret, or a token that masks one (64 characters, as Django before 4.0 kept in the cookie).
    ///
    /// # Errors
    /// [`CsrfFormatError`].
    pub fn read(text: &str) -> Result<Self, CsrfFormatError> {
        if !matches!(text.chars().count(), SECRET_LENGTH | TOKEN_LENGTH) {
            return Err(CsrfFormatError::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(CsrfFormatError::Characters);
        }
        let bytes = text.as_bytes();
        Ok(Self(Zeroizing::new(if bytes.len() == TOKEN_LENGTH { unmask(bytes) } else { bytes.to_vec() })))
    }

    /// Whether both are the same secret, in constant time. Django 5.2 `_does_token_match`.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Takes the mask, the first half, off the second. Django 5.2 `_unmask_cipher_token`.
fn unmask(token: &[u8]) -> Vec<u8> {
    let (mask, masked) = token.split_at(SECRET_LENGTH);
    let index = |byte: u8| ALPHABET.iter().position(|&letter| letter == byte).unwrap_or_default();
    let letter =
        |(masked, mask): (&u8, &u8)| ALPHABET[(index(*masked) + ALPHABET.len() - index(*mask)) % ALPHABET.len()];
    masked.iter().zip(mask).map(letter).collect()
}

/// The value of a cookie in a `Cookie` header; of several of that name the last. Django 5.2 `parse_cookie`.
#[must_use]
pub fn cookie(header: &str, name: &str) -> Option<Zeroizing<String>> {
    let trim = |text: &str| text.trim_matches(is_python_space).to_owned();
    let mut values = header.split(';').filter_map(|chunk| {
        let (key, value) = chunk.split_once('=').unwrap_or(("", chunk));
        let (key, value) = (trim(key), Zeroizing::new(trim(value)));
        (key == name && !(key.is_empty() && value.is_empty())).then_some(value)
    });
    values.next_back().map(|value| unquote(&value))
}

/// What Python's `str.strip` takes off, as far as a header can hold it.
fn is_python_space(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{1c}'..='\u{1f}')
}

/// Takes quotes and backslashes off. CPython 3.11 `http.cookies._unquote`.
fn unquote(value: &str) -> Zeroizing<String> {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Zeroizing::new(value.to_owned());
    };
    let mut plain = Zeroizing::new(String::with_capacity(inner.len()));
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let octal = after.get(..3).filter(|digits| digits.bytes().all(|digit| matches!(digit, b'0'..=b'7')));
        let octal = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        let Some(next) = after.chars().next() else {
            plain.push('\\');
            rest = "";
            break;
        };
        plain.push(octal.map_or(next, char::from));
        rest = &after[if octal.is_some() { 3 } else { next.len_utf8() }..];
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(header: &str) -> Option<String> {
        cookie(header, "csrftoken").map(|value| value.to_string())
    }

    #[test]
    fn cookies_are_read_as_django_reads_them() {
        for (header, expected) in [
            ("csrftoken=a", Some("a")),
            ("sessionid=b; csrftoken=a", Some("a")),
            (" csrftoken = a ;x=y", Some("a")),
            ("csrftoken=a; csrftoken=b", Some("b")),
            ("csrftoken=a=b", Some("a=b")),
            ("csrftoken=", Some("")),
            ("csrftoken=\"a\\\"b\\073\"", Some("a\"b;")),
            ("csrftoken=\"a", Some("\"a")),
            ("csrftoken=\"", Some("\"")),
            ("Csrftoken=a", None),
            ("csrftoken", None),
            ("", None),
        ] {
            assert_eq!(value(header).as_deref(), expected, "{header:?}");
        }
        assert_eq!(cookie("a", "").map(|value| value.to_string()).as_deref(), Some("a"));
    }

    #[test]
    fn b2_a_secret_matches_itself_masked_and_bare_and_nothing_else() {
        let secret = CsrfSecret::read(&"c".repeat(32)).expect("a secret");
        assert!(secret.matches(&CsrfSecret::read(&"c".repeat(32)).expect("a secret")));
        assert!(!secret.matches(&CsrfSecret::read(&"d".repeat(32)).expect("a secret")));
        // Under the mask "b…", each letter is the one after it.
        let masked = format!("{}{}", "b".repeat(32), "d".repeat(32));
        assert!(secret.matches(&CsrfSecret::read(&masked).expect("a token")));
        // The mask is larger than what it masks: 'a' - 'b' is '9'.
        let wrapped = CsrfSecret::read(&format!("{}{}", "b".repeat(32), "a".repeat(32))).expect("a token");
        assert!(wrapped.matches(&CsrfSecret::read(&"9".repeat(32)).expect("a secret")));
    }

    #[test]
    fn b2_odd_tokens_are_refused_in_djangos_words() {
        let refusal = |text: &str| CsrfSecret::read(text).err().map(|error| error.to_string());
        assert_eq!(refusal(&"d".repeat(31)).as_deref(), Some("has incorrect length"));
        assert_eq!(refusal("").as_deref(), Some("has incorrect length"));
        assert_eq!(refusal(&"-".repeat(32)).as_deref(), Some("has invalid characters"));
        assert_eq!(refusal(&"é".repeat(32)).as_deref(), Some("has invalid characters"));
    }

    proptest! {
        #[test]
        fn any_mask_comes_off(secret in "[a-zA-Z0-9]{32}", mask in "[a-zA-Z0-9]{32}") {
            let index = |byte: u8| ALPHABET.iter().position(|&letter| letter == byte).expect("a letter");
            let masked: String = secret.bytes().zip(mask.bytes())
                .map(|(letter, mask)| char::from(ALPHABET[(index(letter) + index(mask)) % 62])).collect();
            let token = CsrfSecret::read(&format!("{mask}{masked}")).expect("a token");
            prop_assert!(token.matches(&CsrfSecret::read(&secret).expect("a secret")));
        }

        #[test]
        fn s4_no_cookie_header_crashes(header in "\\PC{0,64}", quoted in "[\\\\\"0-7a-z]{0,24}") {
            let _ = cookie(&header, "csrftoken");
            let _ = cookie(&format!("csrftoken=\"{quoted}\""), "csrftoken");
        }
    }
}
