//! The `Location` of a redirect, escaped as Django escapes it.

use std::fmt::Write as _;

/// The decoded `path` and the raw `query`, with what may not stand in a header percent-encoded and a leading `//` defused, which
/// a browser would read as another host. Django 5.2 `HttpRequest.get_full_path`, `escape_leading_slashes`.
pub(crate) fn of(path: &str, query: &str) -> String {
    // `escape_uri_path` and `iri_to_uri`, each with its own safe characters.
    let mut location = escaped(path, b"/:@&+$,-_.!~*'()");
    if !query.is_empty() {
        location.push('?');
        location.push_str(&escaped(query, b"/#%[]=:;$&()+,!?*@'~-_."));
    }
    match location.strip_prefix("//") {
        Some(rest) => format!("/%2F{rest}"),
        None => location,
    }
}

fn escaped(text: &str, safe: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || safe.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_location_leads_to_another_host() {
        assert_eq!(of("/api/token/", "next=é&a=%20"), "/api/token/?next=%C3%A9&a=%20");
        assert_eq!(of("/a b;/", ""), "/a%20b%3B/");
        assert_eq!(of("//evil.example/", ""), "/%2Fevil.example/");
    }
}
