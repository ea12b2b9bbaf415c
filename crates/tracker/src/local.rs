//! Finding peers of the same network by multicast (BEP 14): what is said, and how often.
//!
//! [`LocalAnnouncer`] is the machine of a whole node: which torrents to announce when, and which peers a
//! datagram names. Its driver owns the sockets, joins [`GROUPS`] and sends what
//! [`LocalAnnouncer::poll`] gives to each of them. It must not know torrents beyond their info-hash:
//! that private ones are never told is for whoever adds them.

mod message;
mod turns;

pub use message::{DATAGRAM_BYTES_MAX, LocalFault, LocalMessage, NAMES_MAX};
pub use turns::{LocalAnnouncer, LocalInput, LocalOutput, TORRENTS_MAX};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where everybody listens.
pub const GROUPS: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 192, 152, 143)), 6771),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0xefc0, 0x988f)), 6771),
];
