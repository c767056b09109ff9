//! `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`: believed from declared proxies alone, and read from their end.
//!
//! The first line of the input is a `Host`; each further one is a field of `X-Forwarded-For`, and is tried as the other two.

use std::net::IpAddr;

use countersign::ClientAddress;
use countersign_server::{Site, TrustedProxies};
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Target;

pub(super) const TARGET: Target = Target {
    name: "forwarded",
    check,
    words: &[
        "10.0.0.3",
        "192.0.2.1",
        "::1",
        "[2001:db8::1]:80",
        "::ffff:10.0.0.1",
        ",",
        ", ",
        "unknown",
        "_hidden",
        "https",
        "http",
        ":8000",
        "\n",
        "example.com",
    ],
};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

fn check(data: &[u8]) {
    let mut lines = data.split(|&byte| byte == b'\n').take(4).map(HeaderValue::from_bytes);
    let Some(Ok(host)) = lines.next() else { return };
    let Ok(fields) = lines.collect::<Result<Vec<_>, _>>() else { return };
    let mut headers = HeaderMap::new();
    headers.insert(HOST, host.clone());
    for field in &fields {
        headers.append("x-forwarded-for", field.clone());
        headers.append("x-forwarded-proto", field.clone());
        headers.append("x-forwarded-host", field.clone());
    }
    let nobody = TrustedProxies::default();
    assert_eq!(nobody.client_of(PEER, &headers), ClientAddress::new(PEER), "an undeclared proxy is believed");
    assert!(!nobody.sent(PEER));

    let proxies = TrustedProxies::parse(&["10.0.0.0/8".to_owned()]).expect("a network");
    let client = proxies.client_of(PEER, &headers);
    let shown: String =
        fields.iter().map(|field| String::from_utf8_lossy(field.as_bytes()).into_owned() + ",").collect();
    if !shown.contains(['.', ':']) {
        assert_eq!(client, ClientAddress::new(PEER), "an address out of nothing");
    }
    // What a client writes itself stands before what the proxy adds, and changes nothing.
    let mut longer = HeaderMap::new();
    longer.append("x-forwarded-for", HeaderValue::from_static("203.0.113.7, 10.9.9.9"));
    for field in &fields {
        longer.append("x-forwarded-for", field.clone());
    }
    let after = proxies.client_of(PEER, &longer);
    let is_declared = format!("{client:?}").contains("(Some(10.");
    assert!(is_declared || after == client, "{shown:?}: {client:?} became {after:?}");

    let secure_header = Some((HeaderName::from_static("x-forwarded-proto"), "https".to_owned()));
    let site = Site { secure_header, use_forwarded_host: true };
    assert!(!site.is_secure(&headers, false), "an undeclared proxy is believed");
    assert_eq!(site.host(&headers, false), host.to_str().ok());
    if site.is_secure(&headers, true) {
        assert!(fields.len() == 1 && fields[0].as_bytes().trim_ascii_start().starts_with(b"https"));
    }
    if fields.len() > 1 {
        assert_eq!(site.host(&headers, true), None, "a repeated host is believed");
    }
}
