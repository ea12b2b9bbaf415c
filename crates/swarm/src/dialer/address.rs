//! What kind an address is: its one form, whom it may be told to, and what a ban of it covers.
//!
//! Invariant: one endpoint has one form here (IPv4 inside IPv6 is unwrapped).

use piecework_types::Scope;
use std::net::{IpAddr, SocketAddr};

/// What a ban covers.
///
/// A public IP is one household or one machine; behind a private or loopback address there may be a
/// whole network of honest peers (a proxy, a container host, a test), so there the port counts too.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum BanKey {
    /// Every port of this public address.
    Ip(IpAddr),
    /// One port of a private or loopback address.
    Endpoint(SocketAddr),
}

impl BanKey {
    /// What banning `address` covers.
    pub fn of(address: SocketAddr) -> Self {
        let address = canonical(address);
        match Scope::of(address.ip()) {
            Scope::World | Scope::Nowhere => Self::Ip(address.ip()),
            Scope::Machine | Scope::Link | Scope::Site | Scope::Provider => Self::Endpoint(address),
        }
    }

    /// The address, of whatever port.
    pub const fn ip(&self) -> IpAddr {
        match self {
            Self::Ip(ip) => *ip,
            Self::Endpoint(address) => address.ip(),
        }
    }
}

/// The one form of an endpoint: IPv4 unwrapped from IPv6, no flow label.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether an address means the same to this peer as to us, so that one may tell it to the other: a
/// stranger's 192.168.0.1 is another machine than ours, and none of its business.
pub(crate) fn is_shared_with(address: IpAddr, peer: IpAddr) -> bool {
    let scope = Scope::of(address);
    scope != Scope::Nowhere && scope >= Scope::of(peer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn key(address: &str) -> BanKey {
        BanKey::of(address.parse().unwrap())
    }

    #[test]
    fn a_public_address_is_banned_whole_and_a_private_one_by_port() {
        assert_eq!(key("8.8.8.8:1"), key("8.8.8.8:2"));
        assert_eq!(key("[2001:db8::1]:1"), key("[2001:db8::1]:2"));
        for ip in ["127.0.0.1", "10.1.2.3", "192.168.0.9", "172.16.0.1", "[::1]", "[fd00::1]"] {
            assert_ne!(key(&format!("{ip}:1")), key(&format!("{ip}:2")), "{ip}");
        }
    }

    #[test]
    fn ipv4_inside_ipv6_is_the_same_address() {
        assert_eq!(key("[::ffff:8.8.8.8]:1"), key("8.8.8.8:1"));
        assert_eq!(key("[::ffff:127.0.0.1]:1"), key("127.0.0.1:1"));
    }

    #[test]
    fn an_address_is_shared_with_peers_no_farther_away_than_it_reaches() {
        let shared = |address: &str, peer: &str| {
            is_shared_with(address.parse().unwrap(), peer.parse().unwrap())
        };
        for (address, peer, expected) in [
            ("8.8.8.8", "9.9.9.9", true),
            ("8.8.8.8", "192.168.0.2", true),
            ("192.168.0.1", "9.9.9.9", false),
            ("192.168.0.1", "192.168.0.2", true),
            ("192.168.0.1", "127.0.0.1", true),
            ("127.0.0.1", "192.168.0.2", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("224.0.0.1", "127.0.0.1", false),
        ] {
            assert_eq!(shared(address, peer), expected, "{address} and {peer}");
        }
    }
}
