//! What a client logs in with, and where it comes from.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use countersign_formats::password::Password;
use countersign_store::Place;
use http::header::{HeaderMap, HeaderValue, USER_AGENT};

/// A username, a password, and who offers them.
#[derive(Clone)]
pub struct Credentials<'a> {
    /// The name as the client wrote it.
    pub username: &'a str,
    /// The password as the client wrote it.
    pub password: Password,
    /// Who offers them; nobody knows unless [`from_client`](Self::from_client) says.
    pub client: Client<'a>,
    /// Where the session will be used; unknown unless [`from_place`](Self::from_place) says.
    pub place: Place,
}

impl<'a> Credentials<'a> {
    /// A username and a password from nobody knows where.
    #[must_use]
    pub fn new(username: &'a str, password: Password) -> Self {
        Self { username, password, client: Client::default(), place: Place::default() }
    }

    /// The same from a known client; a [`ClientAddress`] is one.
    #[must_use]
    pub fn from_client(mut self, client: impl Into<Client<'a>>) -> Self {
        self.client = client.into();
        self
    }

    /// The same for a session whose place is to be remembered; see [`place`].
    #[must_use]
    pub fn from_place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("client", &self.client.address).finish_non_exhaustive()
    }
}

/// Characters that are kept of a device's name.
const LONGEST_NAME: usize = 100;
/// Characters that are kept of `User-Agent`.
const LONGEST_AGENT: usize = 300;

/// Where a session is used: what its client calls the device, its `User-Agent`, its address. All of it is the client's word but the
/// address. Control characters go, long texts are cut off.
#[must_use]
pub fn place(name: Option<&str>, user_agent: Option<&[u8]>, address: Option<IpAddr>) -> Place {
    let kept = |text: &str, longest: usize| {
        let text: String = text.chars().filter(|letter| !letter.is_control()).take(longest).collect();
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    Place {
        name: name.and_then(|name| kept(name, LONGEST_NAME)),
        user_agent: user_agent.and_then(|agent| kept(&String::from_utf8_lossy(agent), LONGEST_AGENT)),
        address: address.map(|address| address.to_canonical().to_string()),
    }
}

/// Who sends a request, as far as the connection and its headers tell. What is here is the client's own word but for the address.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client<'r> {
    /// Where from.
    pub address: ClientAddress,
    /// `User-Agent`, as it came.
    pub agent: Option<&'r [u8]>,
    /// The id of the registered client that the request comes from, where it named one, and proved it if that has a secret
    /// ([`named_client`](crate::Authority::named_client)).
    pub registered: Option<&'r str>,
}

impl<'r> Client<'r> {
    /// The client of a request from this address.
    #[must_use]
    pub fn of(address: ClientAddress, headers: &'r HeaderMap) -> Self {
        Self { address, agent: headers.get(USER_AGENT).map(HeaderValue::as_bytes), registered: None }
    }
}

impl From<ClientAddress> for Client<'_> {
    fn from(address: ClientAddress) -> Self {
        Self { address, agent: None, registered: None }
    }
}

/// Where a client is, and whom it counts against: addresses are equal where they are one client, which is an IPv4 address, or
/// the /64 of an IPv6 address, what one subscriber has (SECURITY A2). All clients without an address are one client, which may
/// fill the whole queue.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientAddress(Option<IpAddr>);

impl ClientAddress {
    /// Nobody knows.
    pub const UNKNOWN: Self = Self(None);

    /// The client at this address. An IPv4 address within IPv6 (RFC 4291 §2.5.5.2) counts as itself.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self(Some(address.to_canonical()))
    }

    /// The address in full.
    #[must_use]
    pub fn ip(self) -> Option<IpAddr> {
        self.0
    }

    /// What it counts as.
    #[must_use]
    pub fn network(self) -> Option<IpAddr> {
        /// The upper 64 bits.
        const NETWORK: u128 = u128::MAX << 64;
        self.0.map(|address| match address {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
            IpAddr::V4(_) => address,
        })
    }

    /// The clients that one hand may well be behind: those of an IPv6 /48, the most that one site is given (RFC 6177 §2), which
    /// are 65,536 clients; those of an IPv4 /24, the least that is routed by itself.
    pub(crate) fn site(self) -> Self {
        /// The upper 48 bits.
        const IPV6_SITE: u128 = u128::MAX << 80;
        /// The upper 24 bits.
        const IPV4_SITE: u32 = u32::MAX << 8;
        Self(self.0.map(|address| match address {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & IPV6_SITE).into(),
            IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & IPV4_SITE).into(),
        }))
    }

    /// Whether there is an address.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.0.is_some()
    }
}

/// The address that it counts as; nothing where nobody knows.
impl fmt::Display for ClientAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.network().map_or(Ok(()), |address| address.fmt(formatter))
    }
}

impl PartialEq for ClientAddress {
    fn eq(&self, other: &Self) -> bool {
        self.network() == other.network()
    }
}

impl Eq for ClientAddress {}

impl Hash for ClientAddress {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.network().hash(state);
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self::new(address)
    }
}

/// How a request came, as far as its headers alone do not say. Made from a [`ClientAddress`] it is as strict as can be: a
/// method that changes things, over HTTPS, to a host that nobody knows.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'r> {
    /// Where from.
    pub address: ClientAddress,
    /// The request's method.
    pub method: &'r str,
    /// Whether the client came by HTTPS. Django 5.2 `HttpRequest.is_secure`.
    pub is_secure: bool,
    /// The host and port it asked for. Django 5.2 `HttpRequest._get_raw_host`.
    pub host: Option<&'r str>,
    /// `csrfmiddlewaretoken` of a form in the body of a POST, if there is one and it is not empty.
    pub form_token: Option<&'r str>,
}

impl From<ClientAddress> for Caller<'_> {
    fn from(address: ClientAddress) -> Self {
        Self { address, method: "", is_secure: true, host: None, form_token: None }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn client(text: &str) -> ClientAddress {
        ClientAddress::new(text.parse().expect("an address"))
    }

    #[test]
    fn a2_an_ipv6_client_is_its_64() {
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), client("2001:db8:1:2::1"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert!(client("::1").is_known() && !ClientAddress::UNKNOWN.is_known());
        let counted: HashSet<_> = ["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:3::1"].map(client).into();
        assert_eq!(counted.len(), 2);
        assert_eq!(
            client("2001:db8:1:2::1").ip().map(|address| address.to_string()).as_deref(),
            Some("2001:db8:1:2::1")
        );
    }

    #[test]
    fn a2_a_site_is_an_ipv6_48_or_an_ipv4_24() {
        assert_eq!(client("2001:db8:1:2::1").site(), client("2001:db8:1:ffff::1").site());
        assert_ne!(client("2001:db8:1:2::1").site(), client("2001:db8:2:2::1").site());
        assert_eq!(client("192.0.2.1").site(), client("192.0.2.255").site());
        assert_ne!(client("192.0.2.1").site(), client("192.0.3.1").site());
        assert_eq!(ClientAddress::UNKNOWN.site(), ClientAddress::UNKNOWN);
    }

    #[test]
    fn a_place_is_bounded_and_of_one_line() {
        let name = format!("  Ann's \r\n\0\u{1b}[31mphone{}", "x".repeat(200));
        let agent = [b"curl/8 \xff\t", &[b'y'; 400][..]].concat();
        let place = place(Some(&name), Some(&agent), "::ffff:192.0.2.1".parse().ok());
        assert!(place.name.as_deref().is_some_and(|name| name.starts_with("Ann's [31mphonexxx") && name.len() <= 100));
        assert!(place.user_agent.as_deref().is_some_and(|agent| agent.starts_with("curl/8 \u{fffd}yyy")));
        assert_eq!(place.user_agent.map(|agent| agent.chars().count()), Some(300));
        assert_eq!(place.address.as_deref(), Some("192.0.2.1"));
        assert_eq!(super::place(Some(" \n"), Some(b""), None), Place::default());
    }

    #[test]
    fn s2_debug_shows_no_password() {
        let credentials = Credentials::new("alice", Password::new("sesame")).from_client(client("192.0.2.1"));
        assert_eq!(format!("{credentials:?}"), "Credentials { client: ClientAddress(Some(192.0.2.1)), .. }");
    }
}
