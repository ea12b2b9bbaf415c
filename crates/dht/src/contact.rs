//! Who is where: addresses, their families and networks, and their compact form (BEP 5, BEP 32).
//!
//! Owns which addresses may be talked to, and what counts as one network when shares are limited.

use crate::NodeId;
use piecework_types::Scope;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which of the two tables of BEP 32 an address belongs to.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Family {
    /// 6 bytes an address, 26 a node.
    V4,
    /// 18 bytes an address, 38 a node.
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Bytes of an address with its port.
    pub(crate) const fn address_bytes(self) -> usize {
        match self {
            Self::V4 => 6,
            Self::V6 => 18,
        }
    }

    /// Bytes of a node: id, address, port.
    pub(crate) const fn node_bytes(self) -> usize {
        NodeId::BYTES + self.address_bytes()
    }
}

/// A node as others name it: its id and where it is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Contact {
    /// What it calls itself.
    pub id: NodeId,
    /// Where it answers.
    pub address: SocketAddr,
}

/// What shares one owner, as far as one can tell: a /24 of IPv4 or a /64 of IPv6.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Network(Family, u64);

impl Network {
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self(Family::V4, u64::from(u32::from(ip) >> 8)),
            IpAddr::V6(ip) => Self(Family::V6, (u128::from(ip) >> 64) as u64),
        }
    }
}

/// Whether this is an address of one machine or one network. Its id is not checked (BEP 42), and shares
/// are not limited by address: strangers cannot have it, and one's own nodes may all have the same.
pub(crate) fn is_local(ip: IpAddr) -> bool {
    Scope::of(ip).is_local()
}

/// Which addresses are taken from others and talked to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AddressScope {
    /// What anybody on the internet can reach. Nobody makes this node knock at its own network.
    Public,
    /// Loopback, private and link-local ones too, for networks of one's own.
    Any,
}

impl AddressScope {
    /// Whether this address may be used. Port 0, unspecified, broadcast and multicast never may.
    pub fn allows(self, address: SocketAddr) -> bool {
        // An IPv4 address in IPv6 dress belongs into the other table.
        let is_dressed = matches!(address.ip(), IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
        let scope = Scope::of(address.ip());
        let is_usable = address.port() != 0 && !is_dressed && scope != Scope::Nowhere;
        is_usable && (self == Self::Any || scope == Scope::World)
    }
}

/// Appends an address: octets, then port, in network order.
pub(crate) fn write_address(address: SocketAddr, out: &mut Vec<u8>) {
    match address.ip() {
        IpAddr::V4(ip) => out.extend(ip.octets()),
        IpAddr::V6(ip) => out.extend(ip.octets()),
    }
    out.extend(address.port().to_be_bytes());
}

/// Reads 6 or 18 bytes.
pub(crate) fn read_address(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let ip = match ip.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(ip).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

/// The nodes of one family in a row.
pub(crate) fn write_nodes(nodes: &[Contact]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nodes.len() * Family::V6.node_bytes());
    for node in nodes {
        out.extend(node.id.0);
        write_address(node.address, &mut out);
    }
    out
}

/// Reads at most `most` nodes of one family; a torn last one is ignored.
pub(crate) fn read_nodes(bytes: &[u8], family: Family, most: usize) -> Vec<Contact> {
    let entries = bytes.chunks_exact(family.node_bytes()).take(most);
    let nodes = entries.filter_map(|entry| {
        let (id, address) = entry.split_at(NodeId::BYTES);
        Some(Contact { id: NodeId::from_slice(id)?, address: read_address(address)? })
    });
    nodes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(address: &str) -> (bool, bool) {
        let address: SocketAddr = address.parse().expect("an address");
        (AddressScope::Public.allows(address), AddressScope::Any.allows(address))
    }

    #[test]
    fn hostile_addresses_are_refused_and_local_ones_by_setting() {
        for never in [
            "1.2.3.4:0",
            "0.0.0.0:1",
            "0.1.2.3:1",
            "224.0.0.1:1",
            "240.0.0.1:1",
            "255.255.255.255:1",
            "[::]:1",
            "[ff02::1]:1",
            "[::ffff:1.2.3.4]:1",
        ] {
            assert_eq!(allowed(never), (false, false), "{never}");
        }
        for local in ["127.0.0.1:1", "10.0.0.1:1", "192.168.0.1:1", "169.254.0.1:1", "[::1]:1"] {
            assert_eq!(allowed(local), (false, true), "{local}");
        }
        assert_eq!(allowed("[fd00::1]:1"), (false, true));
        assert_eq!(allowed("1.2.3.4:1"), (true, true));
        assert_eq!(allowed("[2001:db8::1]:1"), (true, true));
    }

    #[test]
    fn one_network_is_a_24_or_a_64() {
        let network = |ip: &str| Network::of(ip.parse().expect("an address"));
        assert_eq!(network("1.2.3.4"), network("1.2.3.200"));
        assert_ne!(network("1.2.3.4"), network("1.2.4.4"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("0.0.0.0"), network("::"));
    }

    #[test]
    fn nodes_survive_and_a_torn_one_is_ignored() {
        for address in ["1.2.3.4:5", "[2001:db8::1]:6"] {
            let address: SocketAddr = address.parse().expect("an address");
            let node = Contact { id: NodeId([7; 20]), address };
            let family = Family::of(address.ip());
            let mut bytes = write_nodes(&[node, node, node]);
            assert_eq!(read_nodes(&bytes, family, 2), [node, node]);
            bytes.pop();
            assert_eq!(read_nodes(&bytes, family, 9), [node, node]);
        }
        assert_eq!(read_address(&[1; 7]), None);
    }
}
