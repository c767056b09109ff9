//! The `Location` of a redirect, escaped as Django escapes it.

/// Percent-encodes what may not stand in a header and defuses a leading `//`, which a browser would read as another host.
/// Django 5.2 `HttpRequest.get_full_path`, `escape_leading_slashes`.
pub(crate) fn escaped(location: &str) -> String {
    use std::fmt::Write as _;

    let mut out = String::with_capacity(location.len());
    for byte in location.bytes() {
        if byte.is_ascii_graphic() {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    match out.strip_prefix("//") {
        Some(rest) => format!("/%2F{rest}"),
        None => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_location_leads_to_another_host() {
        assert_eq!(escaped("/api/token/?next=é"), "/api/token/?next=%C3%A9");
        assert_eq!(escaped("//evil.example/"), "/%2Fevil.example/");
    }
}
