//! Peers as 6 or 18 bytes each: address, then port (BEP 23, BEP 7, BEP 15).

use crate::PEERS_MAX;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which kind of address the peers of an answer have.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Family {
    /// 6 bytes a peer.
    V4,
    /// 18 bytes a peer.
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
}

/// Appends the usable peers in `bytes` until `peers` holds [`PEERS_MAX`]. A torn last entry is ignored.
pub(crate) fn read(bytes: &[u8], family: Family, peers: &mut Vec<SocketAddr>) {
    match family {
        Family::V4 => {
            let entries = bytes.as_chunks::<6>().0.iter();
            let addresses = entries.map(|&[a, b, c, d, high, low]| {
                (Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low]))
            });
            take(addresses, peers);
        }
        Family::V6 => {
            let entries = bytes.as_chunks::<18>().0.iter();
            let addresses = entries.map(|entry| {
                let mut ip = [0; 16];
                ip.copy_from_slice(&entry[..16]);
                (Ipv6Addr::from(ip).into(), u16::from_be_bytes([entry[16], entry[17]]))
            });
            take(addresses, peers);
        }
    }
}

/// Appends the usable ones of `addresses` until `peers` holds [`PEERS_MAX`].
pub(crate) fn take(addresses: impl Iterator<Item = (IpAddr, u16)>, peers: &mut Vec<SocketAddr>) {
    let room = PEERS_MAX.saturating_sub(peers.len());
    let usable = addresses.filter(|(ip, port)| *port != 0 && !ip.is_unspecified());
    peers.extend(usable.take(room).map(SocketAddr::from));
}

/// Appends the peers of one family to `out`; those of the other have no place there.
pub(crate) fn write(peers: &[SocketAddr], family: Family, out: &mut Vec<u8>) {
    for peer in peers {
        match (peer.ip(), family) {
            (IpAddr::V4(ip), Family::V4) => out.extend(ip.octets()),
            (IpAddr::V6(ip), Family::V6) => out.extend(ip.octets()),
            (IpAddr::V4(_), Family::V6) | (IpAddr::V6(_), Family::V4) => continue,
        }
        out.extend(peer.port().to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_is_address_then_port_in_network_order() {
        let mut peers = Vec::new();
        read(&[127, 0, 0, 1, 0x1a, 0xe1, 10, 0], Family::V4, &mut peers);
        let mut v6 = [0; 18];
        (v6[15], v6[17]) = (1, 80);
        read(&v6, Family::V6, &mut peers);
        let expected: [SocketAddr; 2] =
            [([127, 0, 0, 1], 6881).into(), (Ipv6Addr::LOCALHOST, 80).into()];
        assert_eq!(peers, expected);
    }

    #[test]
    fn peers_nobody_can_reach_and_peers_beyond_the_limit_are_left_out() {
        let mut peers = Vec::new();
        read(&[1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 1], Family::V4, &mut peers);
        assert_eq!(peers, []);
        read(&[1; 6 * (PEERS_MAX + 9)], Family::V4, &mut peers);
        read(&[1; 18], Family::V6, &mut peers);
        assert_eq!(peers.len(), PEERS_MAX);
    }

    proptest! {
        #[test]
        fn peers_of_either_family_survive(
            v4 in prop::collection::vec((1_u32.., 1_u16..), 0..50),
            v6 in prop::collection::vec((1_u128.., 1_u16..), 0..50),
        ) {
            let v4 = v4.into_iter().map(|(ip, port)| (Ipv4Addr::from(ip), port).into());
            let v6 = v6.into_iter().map(|(ip, port)| (Ipv6Addr::from(ip), port).into());
            let sent: Vec<SocketAddr> = v4.chain(v6).collect();
            let mut got = Vec::new();
            for family in [Family::V4, Family::V6] {
                let mut bytes = Vec::new();
                write(&sent, family, &mut bytes);
                read(&bytes, family, &mut got);
            }
            prop_assert_eq!(got, sent);
        }
    }
}
