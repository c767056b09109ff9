//! What a client logs in with, and where it comes from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use countersign_formats::password::Password;

/// A username, a password, and who offers them.
#[derive(Clone)]
pub struct Credentials<'a> {
    /// The name as the client wrote it.
    pub username: &'a str,
    /// The password as the client wrote it.
    pub password: Password,
    /// Where they come from; [`ClientAddress::UNKNOWN`] unless [`from_address`](Self::from_address) says.
    pub client: ClientAddress,
}

impl<'a> Credentials<'a> {
    /// A username and a password from nobody knows where.
    #[must_use]
    pub fn new(username: &'a str, password: Password) -> Self {
        Self { username, password, client: ClientAddress::UNKNOWN }
    }

    /// The same from a known place.
    #[must_use]
    pub fn from_address(mut self, client: ClientAddress) -> Self {
        self.client = client;
        self
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("client", &self.client).finish_non_exhaustive()
    }
}

/// Whom a login counts against where logins wait: an IPv4 address, or the /64 of an IPv6 address, which is what one
/// subscriber has (SECURITY A2). All clients without an address are one client, which may fill the whole queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientAddress(Option<IpAddr>);

impl ClientAddress {
    /// Nobody knows.
    pub const UNKNOWN: Self = Self(None);

    /// The client at this address. An IPv4 address within IPv6 (RFC 4291 §2.5.5.2) counts as itself.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        /// The upper 64 bits.
        const NETWORK: u128 = u128::MAX << 64;
        Self(Some(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
            address @ IpAddr::V4(_) => address,
        }))
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

/// The address, or the first one of the network that it stands for; nothing where nobody knows.
impl fmt::Display for ClientAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |address| address.fmt(formatter))
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
    fn s2_debug_shows_no_password() {
        let credentials = Credentials::new("alice", Password::new("sesame")).from_address(client("192.0.2.1"));
        assert_eq!(format!("{credentials:?}"), "Credentials { client: ClientAddress(Some(192.0.2.1)), .. }");
    }
}
