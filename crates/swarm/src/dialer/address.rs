//! Which addresses can be dialled, and what a ban covers.
//!
//! Invariant: one endpoint has one form here (IPv4 inside IPv6 is unwrapped).

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
        if is_shared(address.ip()) { Self::Endpoint(address) } else { Self::Ip(address.ip()) }
    }
}

/// The one form of an endpoint: IPv4 unwrapped from IPv6, no flow label.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether a TCP connection to it can make sense at all.
pub(super) fn is_dialable(address: SocketAddr) -> bool {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

fn is_shared(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
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
    fn nobody_listens_on_port_zero_or_everywhere() {
        for address in ["1.2.3.4:0", "0.0.0.0:1", "[::]:1", "224.0.0.1:1", "255.255.255.255:1"] {
            assert!(!is_dialable(address.parse().unwrap()), "{address}");
        }
        assert!(is_dialable("1.2.3.4:1".parse().unwrap()));
    }
}
