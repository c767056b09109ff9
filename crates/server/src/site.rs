//! What a request looked like to its client, where declared proxies stand between: scheme and host.

use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue};

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// `SECURE_PROXY_SSL_HEADER` and `USE_X_FORWARDED_HOST`, which are believed from declared proxies alone (SECURITY G1).
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The header and the value that mean HTTPS.
    pub secure_header: Option<(HeaderName, String)>,
    /// Whether `X-Forwarded-Host` stands over `Host`.
    pub use_forwarded_host: bool,
}

impl Site {
    /// Whether the client came by HTTPS. This program itself speaks HTTP only. Django 5.2 `HttpRequest.scheme`.
    #[must_use]
    pub fn is_secure(&self, headers: &HeaderMap, from_proxy: bool) -> bool {
        let Some((name, secure)) = self.secure_header.as_ref().filter(|_| from_proxy) else { return false };
        let value = one(headers, name).and_then(|value| value.split(',').next()).map(str::trim);
        value == Some(secure.as_str())
    }

    /// The host that the client asked for; none where a header is repeated or not ASCII. Django 5.2 `HttpRequest._get_raw_host`.
    #[must_use]
    pub fn host<'h>(&self, headers: &'h HeaderMap, from_proxy: bool) -> Option<&'h str> {
        if self.use_forwarded_host && from_proxy && headers.contains_key(X_FORWARDED_HOST) {
            return one(headers, &X_FORWARDED_HOST);
        }
        one(headers, &HOST)
    }
}

/// The value of a header that stands once.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter().map(HeaderValue::to_str);
    match (values.next(), values.next()) {
        (Some(Ok(value)), None) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn behind_a_proxy() -> Site {
        let proto = HeaderName::from_static("x-forwarded-proto");
        Site { secure_header: Some((proto, "https".to_owned())), use_forwarded_host: true }
    }

    #[test]
    fn g1_only_a_declared_proxy_says_what_scheme_and_host_were() {
        let lines = [("x-forwarded-proto", "https"), ("x-forwarded-host", "example.com"), ("host", "inner")];
        let (headers, site) = (headers(&lines), behind_a_proxy());
        assert!(site.is_secure(&headers, true) && !site.is_secure(&headers, false));
        assert_eq!(site.host(&headers, true), Some("example.com"));
        assert_eq!(site.host(&headers, false), Some("inner"));
        assert!(!Site::default().is_secure(&headers, true));
        assert_eq!(Site::default().host(&headers, true), Some("inner"));
    }

    #[test]
    fn g1_what_is_repeated_is_not_read() {
        let lines = [("x-forwarded-proto", "https"), ("x-forwarded-proto", "https"), ("host", "a"), ("host", "b")];
        assert!(!behind_a_proxy().is_secure(&headers(&lines), true));
        assert_eq!(behind_a_proxy().host(&headers(&lines), true), None);
        assert!(behind_a_proxy().is_secure(&headers(&[("x-forwarded-proto", " https , http")]), true));
        assert!(!behind_a_proxy().is_secure(&headers(&[("x-forwarded-proto", "http, https")]), true));
    }
}
