//! Which of two peers to prefer, decided alike by both ends of a connection (BEP 40).
//!
//! A checksum over both addresses: nobody can choose its priority with everybody, and full swarms settle
//! into a graph whose connections both ends want to keep. Pure; it must not know what peers are like.

use std::net::{IpAddr, SocketAddr};

/// Bytes in front that count whole: two hosts of one provider have much the same priority.
const WHOLE_V4: usize = 2;
const WHOLE_V6: usize = 6;

/// What counts of the bytes behind them.
const PARTIAL: u8 = 0x55;

/// The priority of a connection between these two, higher first. `None` for addresses of two families.
pub fn peer_priority(ours: SocketAddr, theirs: SocketAddr) -> Option<u32> {
    match (ours.ip().to_canonical(), theirs.ip().to_canonical()) {
        (a, b) if a == b => {
            let (low, high) = (ours.port().min(theirs.port()), ours.port().max(theirs.port()));
            Some(crc32c([low.to_be_bytes(), high.to_be_bytes()].as_flattened()))
        }
        (IpAddr::V4(a), IpAddr::V4(b)) => Some(of_octets(a.octets(), b.octets(), WHOLE_V4)),
        (IpAddr::V6(a), IpAddr::V6(b)) => Some(of_octets(a.octets(), b.octets(), WHOLE_V6)),
        _ => None,
    }
}

/// The more the two have in common, the more of them counts: up to the first byte that differs.
fn of_octets<const N: usize>(mut a: [u8; N], mut b: [u8; N], whole: usize) -> u32 {
    let common = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let whole = whole.max((common + 1).min(N));
    for octet in a[whole..].iter_mut().chain(&mut b[whole..]) {
        *octet &= PARTIAL;
    }
    let both = if a < b { [a, b] } else { [b, a] };
    crc32c(both.as_flattened())
}

/// The Castagnoli checksum (RFC 3720), bit by bit: there are never more than 32 bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn priority(ours: &str, theirs: &str) -> Option<u32> {
        peer_priority(ours.parse().unwrap(), theirs.parse().unwrap())
    }

    #[test]
    fn the_vectors_of_bep_40_come_out() {
        assert_eq!(priority("123.213.32.10:0", "98.76.54.32:0"), Some(0xec2d_7224));
        assert_eq!(priority("123.213.32.10:0", "123.213.32.234:0"), Some(0x9956_8189));
    }

    #[test]
    fn the_checksum_is_that_of_rfc_3720() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn hosts_of_one_network_share_a_priority_with_a_stranger_and_differ_among_themselves() {
        // Bits that 0x55 leaves out make no difference.
        assert_eq!(priority("1.2.3.4:1", "9.9.0.2:1"), priority("1.2.3.4:1", "9.9.2.8:1"));
        assert_ne!(priority("9.9.9.4:1", "9.9.9.0:1"), priority("9.9.9.4:1", "9.9.9.2:1"));
        assert_ne!(priority("1.2.3.4:1", "1.2.3.4:2"), priority("1.2.3.4:1", "1.2.3.4:3"));
        let v6 = |theirs| priority("[2001:db8::1]:1", theirs);
        assert_eq!(v6("[2001:db9:1::2]:1"), v6("[2001:db9:1::8]:1"));
        assert_ne!(v6("[2001:db9:1::2]:1"), v6("[2001:db9:2::2]:1"));
        assert_eq!(v6("1.2.3.4:1"), None);
    }

    proptest! {
        #[test]
        fn both_ends_agree(ours: [u8; 4], theirs: [u8; 4], ports: [u16; 2]) {
            let (a, b) = (SocketAddr::from((ours, ports[0])), SocketAddr::from((theirs, ports[1])));
            prop_assert_eq!(peer_priority(a, b), peer_priority(b, a));
        }
    }
}
