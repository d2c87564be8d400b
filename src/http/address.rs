//! Where a request comes from.
use std::net::{IpAddr, Ipv6Addr};

use poem::http::HeaderMap;

use crate::config::IpNets;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address: the peer's, unless the peer is a trusted proxy. Then it is the last one of
/// `X-Forwarded-For` that is not a trusted proxy itself; what stands before it anyone could have written.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &IpNets) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusted.contains(peer) {
        return peer;
    }
    let values: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    let mut address = peer;
    for hop in values.iter().rev().flat_map(|value| value.to_str().unwrap_or_default().rsplit(',')) {
        let Ok(hop) = hop.trim().parse::<IpAddr>() else { break };
        address = hop.to_canonical();
        if !trusted.contains(address) {
            break;
        }
    }
    address
}

/// Where a trusted peer says that a request comes from, if it says so: without that the address is the peer's, which tells
/// nothing about whoever is behind it.
#[must_use]
pub fn told_address(headers: &HeaderMap, trusted: &IpNets) -> Option<IpAddr> {
    let values: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    let mut address = None;
    for hop in values.iter().rev().flat_map(|value| value.to_str().unwrap_or_default().rsplit(',')) {
        let hop = hop.trim().parse::<IpAddr>().ok()?.to_canonical();
        address = Some(hop);
        if !trusted.contains(hop) {
            break;
        }
    }
    address
}

/// What one client is by its address: an IPv4 address, or the /64 network of an IPv6 one, which is one customer.
#[must_use]
pub fn client_network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str]) -> String {
        let trusted = IpNets(vec!["10.0.0.0/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_header_counts_only_from_a_trusted_peer() {
        assert_eq!(address("1.2.3.4", &["9.9.9.9"]), "1.2.3.4");
        assert_eq!(address("10.0.0.1", &["9.9.9.9"]), "9.9.9.9");
        assert_eq!(address("::ffff:10.0.0.1", &["9.9.9.9"]), "9.9.9.9");
    }

    #[test]
    fn the_last_untrusted_hop_is_the_client() {
        assert_eq!(address("10.0.0.1", &["6.6.6.6, 9.9.9.9, 10.0.0.2"]), "9.9.9.9");
        assert_eq!(address("10.0.0.1", &["6.6.6.6", "9.9.9.9"]), "9.9.9.9");
        assert_eq!(address("10.0.0.1", &["9.9.9.9, junk"]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_proxy_that_says_nothing_is_not_where_a_request_comes_from() {
        let told = |forwarded: &str| {
            let trusted = IpNets(vec!["10.0.0.0/8".parse().unwrap()]);
            let headers =
                HeaderMap::from_iter([(FORWARDED_FOR.parse().unwrap(), forwarded.parse().unwrap())]);
            told_address(&headers, &trusted).map(|address| address.to_string())
        };
        assert_eq!(told("6.6.6.6, 9.9.9.9, 10.0.0.2").as_deref(), Some("9.9.9.9"));
        assert_eq!(told("10.0.0.7").as_deref(), Some("10.0.0.7"));
        for unknown in ["", "junk", "junk, 10.0.0.2", "unknown"] {
            assert_eq!(told(unknown), None, "{unknown}");
        }
        assert_eq!(told_address(&HeaderMap::new(), &IpNets::default()), None);
    }

    #[test]
    fn ipv6_clients_are_networks() {
        assert_eq!(client_network("2001:db8:1:2:3::4".parse().unwrap()).to_string(), "2001:db8:1:2::");
    }
}
