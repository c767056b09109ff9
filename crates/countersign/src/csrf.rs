//! The CSRF check of a session: is this request one that the site's own pages sent? Django 5.2 `CsrfViewMiddleware`.

use std::fmt;

use countersign_formats::csrf::{CsrfFormatError, CsrfSecret, cookie};
use countersign_formats::django_session::SessionLogin;
use http::HeaderMap;
use http::header::{HeaderName, ORIGIN, REFERER};

use crate::authenticate::joined;
use crate::client::Caller;
use crate::settings::DjangoSessions;

/// Why a request is not believed to come from the site itself. [`Display`](fmt::Display) is Django's sentence.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CsrfRefusal {
    #[error("Origin checking failed - {0} does not match any trusted origins.")]
    Origin(String),
    #[error("Referer checking failed - no Referer.")]
    NoReferer,
    #[error("Referer checking failed - Referer is malformed.")]
    MalformedReferer,
    #[error("Referer checking failed - Referer is insecure while host is secure.")]
    InsecureReferer,
    #[error("Referer checking failed - {0} does not match any trusted origins.")]
    Referer(String),
    #[error("CSRF cookie not set.")]
    NoCookie,
    #[error("CSRF cookie {0}.")]
    Cookie(CsrfFormatError),
    #[error("CSRF token missing.")]
    NoToken,
    #[error("CSRF token from {0} {1}.")]
    Token(TokenSource, CsrfFormatError),
    #[error("CSRF token from {0} incorrect.")]
    WrongToken(TokenSource),
}

/// Where the token was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenSource {
    /// `csrfmiddlewaretoken` of a form.
    Form,
    /// The header of `CSRF_HEADER_NAME`.
    Header(HeaderName),
}

impl fmt::Display for TokenSource {
    /// Django 5.2 `HttpHeaders.parse_header_name`: `x-csrftoken` is called `X-Csrftoken`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Header(name) = self else { return formatter.write_str("POST") };
        let mut titled = String::with_capacity(name.as_str().len());
        for letter in name.as_str().chars() {
            let starts_word = titled.chars().next_back().is_none_or(|before| !before.is_ascii_alphabetic());
            titled.push(if starts_word { letter.to_ascii_uppercase() } else { letter });
        }
        write!(formatter, "the '{titled}' HTTP header")
    }
}

impl DjangoSessions {
    /// Refuses a request that other sites could have sent. Django 5.2 `CsrfViewMiddleware.process_view`.
    ///
    /// # Errors
    /// [`CsrfRefusal`].
    pub(crate) fn check_csrf(
        &self,
        headers: &HeaderMap,
        cookies: &str,
        login: &SessionLogin,
        caller: &Caller<'_>,
    ) -> Result<(), CsrfRefusal> {
        if matches!(caller.method, "GET" | "HEAD" | "OPTIONS" | "TRACE") {
            return Ok(());
        }
        if let Some(origin) = joined(headers, &ORIGIN) {
            let origin = latin1(&origin);
            if !self.is_good_origin(&origin, caller) {
                return Err(CsrfRefusal::Origin(origin));
            }
        } else if caller.is_secure {
            let referer = joined(headers, &REFERER).ok_or(CsrfRefusal::NoReferer)?;
            self.check_referer(&latin1(&referer), caller)?;
        }
        self.check_token(headers, cookies, login, caller)
    }

    fn is_good_origin(&self, origin: &str, caller: &Caller<'_>) -> bool {
        let scheme = if caller.is_secure { "https" } else { "http" };
        if self.good_host(caller).is_some_and(|host| origin == format!("{scheme}://{host}")) {
            return true;
        }
        let Some((scheme, site)) = split_url(origin) else { return false };
        self.csrf_trusted_origins.iter().any(|trusted| match split_url(trusted) {
            Some((trusted_scheme, trusted_site)) if trusted.contains('*') => {
                scheme == trusted_scheme && is_same_domain(site, trusted_site.trim_start_matches('*'))
            }
            _ => trusted == origin,
        })
    }

    fn check_referer(&self, referer: &str, caller: &Caller<'_>) -> Result<(), CsrfRefusal> {
        let (scheme, site) =
            split_url(referer).filter(|(_, site)| !site.is_empty()).ok_or(CsrfRefusal::MalformedReferer)?;
        if scheme != "https" {
            return Err(CsrfRefusal::InsecureReferer);
        }
        let is_trusted = |trusted: &String| {
            split_url(trusted).is_some_and(|(_, pattern)| is_same_domain(site, pattern.trim_start_matches('*')))
        };
        if self.csrf_trusted_origins.iter().any(is_trusted) {
            return Ok(());
        }
        let good = match &self.referer_domain {
            None => self.good_host(caller).map(str::to_owned),
            Some(domain) => Some(match caller.host.and_then(port) {
                None | Some("443" | "80") => domain.clone(),
                Some(port) => format!("{domain}:{port}"),
            }),
        };
        match good {
            Some(good) if is_same_domain(site, &good) => Ok(()),
            _ => Err(CsrfRefusal::Referer(referer.to_owned())),
        }
    }

    fn check_token(
        &self,
        headers: &HeaderMap,
        cookies: &str,
        login: &SessionLogin,
        caller: &Caller<'_>,
    ) -> Result<(), CsrfRefusal> {
        let secret = if self.csrf_use_sessions {
            login.csrf_secret().map(CsrfSecret::read)
        } else {
            cookie(cookies, &self.csrf_cookie_name).map(|value| CsrfSecret::read(&value))
        };
        let secret = secret.ok_or(CsrfRefusal::NoCookie)?.map_err(CsrfRefusal::Cookie)?;
        let (token, source) = if let Some(token) = caller.form_token.filter(|_| caller.method == "POST") {
            (token.to_owned(), TokenSource::Form)
        } else {
            let value = joined(headers, &self.csrf_header_name).ok_or(CsrfRefusal::NoToken)?;
            (latin1(&value), TokenSource::Header(self.csrf_header_name.clone()))
        };
        match CsrfSecret::read(&token) {
            Ok(token) if token.matches(&secret) => Ok(()),
            Ok(_) => Err(CsrfRefusal::WrongToken(source)),
            Err(error) => Err(CsrfRefusal::Token(source, error)),
        }
    }

    /// The host that was asked for, if it is one of this site's. Django 5.2 `HttpRequest.get_host`.
    fn good_host<'c>(&self, caller: &Caller<'c>) -> Option<&'c str> {
        let host = caller.host?;
        let domain = domain(host)?;
        let domain = domain.strip_suffix('.').unwrap_or(&domain);
        let is_allowed = |pattern: &String| pattern == "*" || is_same_domain(domain, pattern);
        (!domain.is_empty() && self.allowed_hosts.iter().any(is_allowed)).then_some(host)
    }
}

/// Scheme (in lower case) and host with port of an address. Python 3.11 `urlsplit`; stricter, in that a host beyond ASCII or with
/// a stray bracket is none.
fn split_url(url: &str) -> Option<(String, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let starts_well = scheme.starts_with(|letter: char| letter.is_ascii_alphabetic());
    if !starts_well || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) {
        return None;
    }
    let rest = rest.strip_prefix("//")?;
    let site = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let is_plain = site.is_ascii() && site.contains('[') == site.contains(']');
    is_plain.then(|| (scheme.to_ascii_lowercase(), site))
}

/// Whether `host` is `pattern`, or below it where that begins with a dot. Django 5.2 `is_same_domain`.
fn is_same_domain(host: &str, pattern: &str) -> bool {
    let pattern = pattern.to_lowercase();
    match pattern.strip_prefix('.') {
        _ if pattern.is_empty() => false,
        Some(bare) => host.ends_with(&pattern) || host == bare,
        None => host == pattern,
    }
}

/// The host without its port, in lower case, if both are well-formed. Django 5.2 `split_domain_port`.
fn domain(host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let end = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (domain, rest) = host.split_at(end);
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if !(rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)) {
        return None;
    }
    let fits = match domain.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => {
            inner.contains(':') && inner.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b':' | b'.'))
        }
        None => {
            !domain.is_empty() && domain.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'.' | b'-'))
        }
    };
    fits.then(|| domain.to_owned())
}

fn port(host: &str) -> Option<&str> {
    host.rsplit_once(':').map(|(_, port)| port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A header's value as Django shows it.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClientAddress;
    use countersign_formats::django_signing::SecretKeys;
    use http::HeaderValue;

    const SECRET: &str = "cccccccccccccccccccccccccccccccc";

    fn sessions() -> DjangoSessions {
        DjangoSessions::new(SecretKeys::new("secret", &[]))
    }

    fn secure(host: &str) -> Caller<'_> {
        Caller { method: "POST", host: Some(host), ..ClientAddress::UNKNOWN.into() }
    }

    fn refusal(settings: &DjangoSessions, headers: &[(&'static str, &str)], caller: &Caller<'_>) -> Option<String> {
        let keys = SecretKeys::new("secret", &[]);
        let login = countersign_formats::django_session::SessionLogin::read(&keys, &session()).expect("a session");
        let mut map = HeaderMap::new();
        map.insert(HeaderName::from_static("x-csrftoken"), HeaderValue::from_static(SECRET));
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), value.parse().expect("a value"));
        }
        let cookies = format!("csrftoken={SECRET}");
        settings.check_csrf(&map, &cookies, &login, caller).err().map(|refusal| refusal.to_string())
    }

    /// A session with a CSRF secret of its own, signed as Django signs.
    fn session() -> String {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        use countersign_formats::django_signing::salted_hmac;

        let data = r#"{"_auth_user_id":"1","_auth_user_backend":"b","_csrftoken":"dddddddddddddddddddddddddddddddd"}"#;
        let value = format!("{}:1uQowS", URL_SAFE_NO_PAD.encode(data));
        let mac = salted_hmac("django.contrib.sessions.SessionStoresigner", value.as_bytes(), b"secret");
        format!("{value}:{}", URL_SAFE_NO_PAD.encode(mac))
    }

    #[test]
    fn b2_over_https_a_page_of_this_site_is_let_in_and_others_are_not() {
        let settings = sessions();
        let caller = secure("example.com:8443");
        for (headers, expected) in [
            (&[("origin", "https://example.com:8443")][..], None),
            (&[("referer", "https://example.com:8443/a?b")], None),
            (
                &[("origin", "https://example.com")],
                Some("Origin checking failed - https://example.com does not match any trusted origins."),
            ),
            (
                &[("origin", "http://example.com:8443")],
                Some("Origin checking failed - http://example.com:8443 does not match any trusted origins."),
            ),
            (&[("origin", "null")], Some("Origin checking failed - null does not match any trusted origins.")),
            (&[("origin", "")], Some("Origin checking failed -  does not match any trusted origins.")),
            (&[], Some("Referer checking failed - no Referer.")),
            (&[("referer", "example.com")], Some("Referer checking failed - Referer is malformed.")),
            (&[("referer", "https:///path")], Some("Referer checking failed - Referer is malformed.")),
            (
                &[("referer", "http://example.com:8443/")],
                Some("Referer checking failed - Referer is insecure while host is secure."),
            ),
            (
                &[("referer", "https://evil.example/")],
                Some("Referer checking failed - https://evil.example/ does not match any trusted origins."),
            ),
            (
                &[("referer", "https://example.com:8443.evil.example/")],
                Some(
                    "Referer checking failed - https://example.com:8443.evil.example/ does not match any trusted origins.",
                ),
            ),
        ] {
            assert_eq!(refusal(&settings, headers, &caller).as_deref(), expected, "{headers:?}");
        }
    }

    #[test]
    fn b2_trusted_origins_are_matched_by_scheme_and_label() {
        let mut settings = sessions();
        settings.csrf_trusted_origins = vec!["https://app.example".to_owned(), "https://*.example.org".to_owned()];
        let caller = Caller { is_secure: false, ..secure("testserver") };
        for (origin, is_good) in [
            ("https://app.example", true),
            ("http://app.example", false),
            ("https://app.example:444", false),
            ("https://a.example.org", true),
            ("https://example.org", true),
            ("http://a.example.org", false),
            ("https://badexample.org", false),
            ("https://a.example.org.evil.example", false),
        ] {
            assert_eq!(refusal(&settings, &[("origin", origin)], &caller).is_none(), is_good, "{origin}");
        }
        assert_eq!(refusal(&settings, &[("referer", "https://a.example.org/x")], &secure("testserver")), None);
        assert!(refusal(&settings, &[("referer", "https://badexample.org/x")], &secure("testserver")).is_some());
    }

    /// `badexample.com` ends with `example.com`.
    #[test]
    fn register_kanidm_1_10_a_suffix_is_not_the_origin() {
        let mut settings = sessions();
        settings.csrf_trusted_origins = vec!["https://example.com".to_owned(), "https://*.example.org".to_owned()];
        settings.allowed_hosts = vec!["example.net".to_owned(), ".example.edu".to_owned()];
        for site in ["badexample.com", "badexample.org", "badexample.net", "badexample.edu", "example.com.bad.example"]
        {
            let origin = format!("https://{site}");
            assert!(refusal(&settings, &[("origin", &origin)], &secure(site)).is_some(), "{site}");
            assert!(
                refusal(&settings, &[("referer", &format!("{origin}/"))], &secure("example.net")).is_some(),
                "{site}"
            );
        }
    }

    #[test]
    fn b2_a_host_that_is_not_ours_vouches_for_nothing() {
        let mut settings = sessions();
        settings.allowed_hosts = vec![".example.com".to_owned(), "[::1]".to_owned()];
        for (host, is_good) in [
            ("example.com", true),
            ("EXAMPLE.com.", true),
            ("a.example.com:80", true),
            ("[::1]:80", true),
            ("badexample.com", false),
            ("example.com:80a", false),
            ("example.com:", false),
            ("exa mple.com", false),
            ("", false),
        ] {
            let caller = Caller { is_secure: false, ..secure(host) };
            let origin = format!("http://{host}");
            assert_eq!(refusal(&settings, &[("origin", &origin)], &caller).is_none(), is_good, "{host}");
        }
        let caller = Caller { host: None, is_secure: false, ..secure("") };
        assert!(refusal(&settings, &[("origin", "http://")], &caller).is_some());
    }

    #[test]
    fn b2_a_cookie_domain_says_whose_referers_are_good() {
        let mut settings = sessions();
        settings.referer_domain = Some(".example.com".to_owned());
        for (host, referer, is_good) in [
            ("www.example.com", "https://api.example.com/", true),
            ("www.example.com", "https://example.com/", true),
            ("www.example.com", "https://badexample.com/", false),
            ("www.example.com:8443", "https://api.example.com/", false),
            ("www.example.com:8443", "https://api.example.com:8443/", true),
        ] {
            assert_eq!(
                refusal(&settings, &[("referer", referer)], &secure(host)).is_none(),
                is_good,
                "{host} {referer}"
            );
        }
    }

    #[test]
    fn b2_the_token_comes_from_the_form_before_the_header() {
        let settings = sessions();
        let good = Caller { is_secure: false, ..secure("testserver") };
        let wrong = "dddddddddddddddddddddddddddddddd";
        assert_eq!(refusal(&settings, &[("x-csrftoken", wrong)], &Caller { form_token: Some(SECRET), ..good }), None);
        assert_eq!(
            refusal(&settings, &[], &Caller { form_token: Some(wrong), ..good }).as_deref(),
            Some("CSRF token from POST incorrect.")
        );
        assert_eq!(refusal(&settings, &[], &Caller { form_token: Some(wrong), method: "PUT", ..good }), None);
        assert_eq!(
            refusal(&settings, &[("x-csrftoken", wrong)], &good).as_deref(),
            Some("CSRF token from the 'X-Csrftoken' HTTP header incorrect.")
        );
    }

    #[test]
    fn b2_with_csrf_use_sessions_the_cookie_counts_for_nothing() {
        let mut settings = sessions();
        settings.csrf_use_sessions = true;
        let caller = Caller { is_secure: false, ..secure("testserver") };
        assert!(refusal(&settings, &[], &caller).is_some());
        assert_eq!(refusal(&settings, &[("x-csrftoken", "dddddddddddddddddddddddddddddddd")], &caller), None);
    }

    #[test]
    fn what_changes_nothing_needs_no_token() {
        let settings = sessions();
        for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
            let caller = Caller { method, ..secure("testserver") };
            assert_eq!(refusal(&settings, &[("origin", "https://evil.example")], &caller), None);
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "get", ""] {
            let caller = Caller { method, ..secure("testserver") };
            assert!(refusal(&settings, &[("origin", "https://evil.example")], &caller).is_some(), "{method}");
        }
    }
}
