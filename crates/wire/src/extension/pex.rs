//! Peer exchange (BEP 11): peers that the sender has met and lost since its last message.
//!
//! Invariant: a decoded message has at most [`PEX_PEERS_MAX`] peers of each list, and none with port 0.

use super::dictionary;
use crate::WireFault;
use piecework_bencode::{Value, encode_dict};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Peers added, and peers dropped, in one message (BEP 11). Those beyond are ignored.
pub const PEX_PEERS_MAX: usize = 50;

/// What the sender knows about a peer.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct PexFlags(pub u8);

impl PexFlags {
    /// Prefers encrypted connections.
    pub const ENCRYPTION: Self = Self(0x01);
    /// Has everything it wants and only uploads.
    pub const SEED: Self = Self(0x02);
    /// Speaks uTP (BEP 29).
    pub const UTP: Self = Self(0x04);
    /// Speaks the holepunch extension (BEP 55).
    pub const HOLEPUNCH: Self = Self(0x08);
    /// The sender connected to it, so it can be reached.
    pub const REACHABLE: Self = Self(0x10);

    /// Whether all of `flags` are set.
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These flags and those.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}

/// A peer of the sender.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PexPeer {
    /// Where it listens.
    pub address: SocketAddr,
    /// What is known about it; none if the sender did not say.
    pub flags: PexFlags,
}

/// A peer exchange message. IPv4 peers come first in both lists.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pex {
    /// Peers that the sender is connected to since its last message.
    pub added: Vec<PexPeer>,
    /// Peers that it no longer is connected to.
    pub dropped: Vec<SocketAddr>,
}

impl Pex {
    /// Reads a payload. Torn entries, missing flags and wrong types count as not sent.
    ///
    /// # Errors
    /// When it is no bencoded dictionary.
    pub fn decode(payload: &[u8]) -> Result<Self, WireFault> {
        let (document, _) = dictionary("ut_pex", payload)?;
        let root = document.root();
        let bytes = |key: &str| root.get(key).and_then(Value::as_bytes).unwrap_or_default();
        let with_flags = |peers: Vec<SocketAddr>, flags: &[u8]| {
            let flags = flags.iter().copied().chain(std::iter::repeat(0)).map(PexFlags);
            let pairs = peers.into_iter().zip(flags);
            pairs.map(|(address, flags)| PexPeer { address, flags }).collect::<Vec<_>>()
        };
        let mut added = with_flags(read_v4(bytes("added")), bytes("added.f"));
        added.extend(with_flags(read_v6(bytes("added6")), bytes("added6.f")));
        added.retain(|peer| peer.address.port() != 0);
        added.truncate(PEX_PEERS_MAX);
        let mut dropped = read_v4(bytes("dropped"));
        dropped.extend(read_v6(bytes("dropped6")));
        dropped.retain(|address| address.port() != 0);
        dropped.truncate(PEX_PEERS_MAX);
        Ok(Self { added, dropped })
    }

    /// The payload. Peers beyond [`PEX_PEERS_MAX`] of each list are left out.
    pub fn encode(&self) -> Vec<u8> {
        let added = &self.added[..self.added.len().min(PEX_PEERS_MAX)];
        let dropped = &self.dropped[..self.dropped.len().min(PEX_PEERS_MAX)];
        encode_dict(|dict| {
            for (peers_key, flags_key, dropped_key, is_v4) in
                [("added", "added.f", "dropped", true), ("added6", "added6.f", "dropped6", false)]
            {
                let family = added.iter().filter(|peer| peer.address.is_ipv4() == is_v4);
                let flags: Vec<u8> = family.clone().map(|peer| peer.flags.0).collect();
                dict.bytes(peers_key, write(family.map(|peer| peer.address)));
                dict.bytes(flags_key, flags);
                let lost = dropped.iter().filter(|address| address.is_ipv4() == is_v4);
                dict.bytes(dropped_key, write(lost.copied()));
            }
        })
    }
}

/// Entries of 6 bytes, no more than one message may have.
fn read_v4(bytes: &[u8]) -> Vec<SocketAddr> {
    let entries = bytes.as_chunks::<6>().0.iter().take(PEX_PEERS_MAX);
    let address = |&[a, b, c, d, high, low]: &[u8; 6]| {
        SocketAddr::from((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])))
    };
    entries.map(address).collect()
}

/// Entries of 18 bytes, no more than one message may have.
fn read_v6(bytes: &[u8]) -> Vec<SocketAddr> {
    let entries = bytes.as_chunks::<18>().0.iter().take(PEX_PEERS_MAX);
    let address = |entry: &[u8; 18]| {
        let mut ip = [0; 16];
        ip.copy_from_slice(&entry[..16]);
        SocketAddr::from((Ipv6Addr::from(ip), u16::from_be_bytes([entry[16], entry[17]])))
    };
    entries.map(address).collect()
}

fn write(peers: impl Iterator<Item = SocketAddr>) -> Vec<u8> {
    let mut out = Vec::new();
    for peer in peers {
        match peer.ip() {
            IpAddr::V4(ip) => out.extend(ip.octets()),
            IpAddr::V6(ip) => out.extend(ip.octets()),
        }
        out.extend(peer.port().to_be_bytes());
    }
    out
}
