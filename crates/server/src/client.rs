//! Which client a request comes from: its connection's other end, or what a declared proxy says in `X-Forwarded-For`. And what
//! throttles tell clients apart by, for projects that have said so in DRF's way.

use std::net::{IpAddr, SocketAddr};

use countersign::{ClientAddress, Ident};
use http::HeaderMap;
use http::header::HeaderName;
use ipnet::IpNet;

use crate::routes::joined_header;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// `NUM_PROXIES`: what throttles make of `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NumProxies {
    /// Ours: clients are told apart as logins are.
    #[default]
    Unset,
    /// `None`: by the whole header.
    WholeHeader,
    /// By what the farthest of so many proxies says; by the connection's other end with none.
    Count(usize),
}

/// `trusted_proxies`: the networks whose word about clients is taken (SECURITY G1).
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads networks (`10.0.0.0/8`) and single addresses.
    ///
    /// # Errors
    /// The first text that is neither.
    pub fn parse(texts: &[String]) -> Result<Self, &str> {
        let network = |text: &String| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok();
        texts.iter().map(|text| network(text).ok_or(text.as_str())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether nobody's word is taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whom a request counts against that came over a connection from `peer`.
    #[must_use]
    pub fn client_of(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        self.address_of(peer, headers).into()
    }

    /// The address of the client whose request came over a connection from `peer`.
    pub(crate) fn address_of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.client(peer.to_canonical(), headers)
    }

    /// What throttles tell the client apart by, which is at `client`. DRF 3.18 `BaseThrottle.get_ident`. Differs: the header is
    /// read where a declared proxy has sent it, and from nobody else.
    pub(crate) fn ident<'h>(
        &self,
        rule: NumProxies,
        peer: IpAddr,
        client: ClientAddress,
        headers: &'h HeaderMap,
    ) -> Ident<'h> {
        let header =
            if rule != NumProxies::Unset && self.sent(peer) { joined_header(headers, &X_FORWARDED_FOR) } else { None };
        match (rule, header) {
            (NumProxies::Unset, _) => Ident::Address(client),
            (NumProxies::WholeHeader, Some(header)) if !header.is_empty() => {
                Ident::Said(header.iter().copied().filter(|byte| !is_python_space(*byte)).collect::<Vec<u8>>().into())
            }
            (NumProxies::Count(count @ 1..), Some(header)) => {
                let hops: Vec<&[u8]> = header.split(|byte| *byte == b',').collect();
                Ident::Said(trim(hops[hops.len() - count.min(hops.len())]).to_vec().into())
            }
            _ => Ident::Address(peer.into()),
        }
    }

    /// Whether a connection from `peer` comes from a declared proxy.
    #[must_use]
    pub fn sent(&self, peer: IpAddr) -> bool {
        self.contains(peer.to_canonical())
    }

    /// The nearest hop that is no declared proxy. Each proxy adds the address it was called from at the end of the header, so it
    /// is read from there; what stands before the first undeclared hop is that client's own invention. Where a declared proxy
    /// says nothing that can be read, it counts itself.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if self.0.is_empty() {
            return peer;
        }
        let mut nearest = peer;
        let mut hops =
            headers.get_all(X_FORWARDED_FOR).iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        while self.contains(nearest)
            && let Some(hop) = hops.next().and_then(address)
        {
            nearest = hop;
        }
        nearest
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Python's `str.isspace` for a header's bytes, which are Latin-1 under WSGI.
fn is_python_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | 0x1c..=b' ' | 0x85 | 0xa0)
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_python_space(*byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_python_space(*byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// An address as proxies write it, some with a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim_matches([' ', '\t']);
    let address = text.parse().or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    let address = address.or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse());
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let trusted: Vec<String> = trusted.iter().map(|&text| text.to_owned()).collect();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(X_FORWARDED_FOR, line.parse().expect("a value"));
        }
        let proxies = TrustedProxies::parse(&trusted).expect("networks");
        proxies.client(peer.parse().expect("an address"), &headers).to_string()
    }

    #[test]
    fn g1_nobody_but_a_declared_proxy_is_believed() {
        assert_eq!(client(&[], "127.0.0.1", &["192.0.2.1"]), "127.0.0.1");
        assert_eq!(client(&["10.0.0.0/8"], "192.0.2.9", &["192.0.2.1"]), "192.0.2.9");
        assert_eq!(client(&["127.0.0.1"], "127.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(client(&["127.0.0.0/8"], "127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn g1_what_a_client_wrote_itself_is_not_read() {
        let chain = ["203.0.113.7, 192.0.2.1, 10.0.0.3"];
        assert_eq!(client(&["127.0.0.1/32", "10.0.0.0/8"], "127.0.0.1", &chain), "192.0.2.1");
        assert_eq!(client(&["127.0.0.1/32"], "127.0.0.1", &chain), "10.0.0.3");
        assert_eq!(client(&["127.0.0.1/32"], "127.0.0.1", &["203.0.113.7", "192.0.2.1"]), "192.0.2.1", "two lines");
        assert_eq!(client(&["0.0.0.0/0"], "127.0.0.1", &chain), "203.0.113.7", "the farthest of all proxies");
    }

    #[test]
    fn g1_what_cannot_be_read_ends_the_chain() {
        for odd in ["192.0.2.1, unknown", "192.0.2.1,", "192.0.2.1, 1.2.3.4.5", "", "192.0.2.1, _hidden"] {
            assert_eq!(client(&["127.0.0.1"], "127.0.0.1", &[odd]), "127.0.0.1", "{odd:?}");
        }
    }

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for (written, meant) in [
            ("192.0.2.1:4711", "192.0.2.1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(client(&["::1"], "::1", &[written]), meant);
        }
    }

    /// What DRF's `get_ident` says for the same headers; checked against DRF in `compat/test_throttles.py`.
    #[test]
    fn throttles_tell_clients_apart_as_drf_does() {
        let proxies = TrustedProxies::parse(&["127.0.0.1".to_owned()]).expect("a network");
        let ident = |rule, peer: &str, forwarded: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append(X_FORWARDED_FOR, http::HeaderValue::from_bytes(line).expect("a value"));
            }
            let peer: IpAddr = peer.parse().expect("an address");
            match proxies.ident(rule, peer, proxies.address_of(peer, &headers).into(), &headers) {
                Ident::Address(address) => address.to_string().into_bytes(),
                Ident::Said(said) => said.into_owned(),
            }
        };
        let chain: &[&[u8]] = &[b"1.1.1.1, 2.2.2.2 ,\xa03.3.3.3\x85"];
        for (rule, expected) in [
            (NumProxies::Unset, "127.0.0.1"), // U+00A0 makes the last hop unreadable
            (NumProxies::WholeHeader, "1.1.1.1,2.2.2.2,3.3.3.3"),
            (NumProxies::Count(0), "127.0.0.1"),
            (NumProxies::Count(1), "3.3.3.3"),
            (NumProxies::Count(2), "2.2.2.2"),
            (NumProxies::Count(9), "1.1.1.1"),
        ] {
            assert_eq!(ident(rule, "127.0.0.1", chain), expected.as_bytes(), "{rule:?}");
            assert_eq!(ident(rule, "192.0.2.1", chain), b"192.0.2.1", "{rule:?} from a stranger");
            assert_eq!(ident(rule, "127.0.0.1", &[]), b"127.0.0.1", "{rule:?} without a header");
        }
        assert_eq!(ident(NumProxies::WholeHeader, "127.0.0.1", &[b"a b", b"c"]), b"ab,c", "two lines are joined");
        assert_eq!(ident(NumProxies::WholeHeader, "127.0.0.1", &[b""]), b"127.0.0.1");
        assert_eq!(ident(NumProxies::Count(1), "127.0.0.1", &[b""]), b"", "as DRF has it");
    }

    #[test]
    fn a_text_that_is_no_network_is_named() {
        let texts = ["10.0.0.0/8".to_owned(), "::1".to_owned(), "10.0.0.0/33".to_owned()];
        assert_eq!(TrustedProxies::parse(&texts).expect_err("refused"), "10.0.0.0/33");
    }

    #[test]
    fn an_ipv4_address_in_the_dress_of_ipv6_is_itself() {
        let peer = "::ffff:192.0.2.1".parse().expect("an address");
        let client = TrustedProxies::default().address_of(peer, &HeaderMap::new());
        assert_eq!(client, IpAddr::from([192, 0, 2, 1]));
        assert!(!TrustedProxies::default().sent(peer));
        assert!(TrustedProxies::parse(&["192.0.2.0/24".to_owned()]).expect("networks").sent(peer));
    }
}
