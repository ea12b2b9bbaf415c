//! Node ids and how far they lie from one another.
//!
//! Owns the 160-bit space and its exclusive-or metric (BEP 5), and which ids an address may have
//! (BEP 42). Must not know tables or messages.

use crate::contact::is_local;
use piecework_types::{InfoHash, Rng, Sha1Digest};
use std::fmt;
use std::net::IpAddr;

/// A place in the 160-bit space: a node's name, an info-hash, or the target of an item.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(pub [u8; 20]);

/// How far two places lie apart, as a big-endian number: smaller is closer (BEP 5).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Distance([u8; 20]);

/// Bits of an id that its address decides (BEP 42).
const BOUND_BITS: u32 = 21;

impl NodeId {
    /// Length in bytes.
    pub const BYTES: usize = 20;

    /// The id in `bytes`, if there are exactly [`Self::BYTES`] of them.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// An id without meaning.
    pub fn random(rng: &mut Rng) -> Self {
        let mut id = [0; 20];
        for part in id.chunks_mut(8) {
            let bytes = rng.next_u64().to_be_bytes();
            part.copy_from_slice(&bytes[..part.len()]);
        }
        Self(id)
    }

    /// An id that nodes which look at BEP 42 accept from this address; a random one for an address
    /// that is exempt.
    pub fn for_address(ip: IpAddr, rng: &mut Rng) -> Self {
        let mut id = Self::random(rng);
        if !is_local(ip) {
            let [a, b, c, _] = bound_prefix(ip, id.0[19] & 7).to_be_bytes();
            (id.0[0], id.0[1]) = (a, b);
            id.0[2] = (c & 0xf8) | (id.0[2] & 0x07);
        }
        id
    }

    /// Whether a node at this address may call itself so (BEP 42). Local addresses may use any id.
    pub fn fits(self, ip: IpAddr) -> bool {
        if is_local(ip) {
            return true;
        }
        let own = u32::from_be_bytes([self.0[0], self.0[1], self.0[2], 0]);
        let differing = own ^ bound_prefix(ip, self.0[19] & 7);
        differing.leading_zeros() >= BOUND_BITS
    }

    /// How far it is from here to `other`.
    pub fn distance(self, other: Self) -> Distance {
        let mut bytes = self.0;
        bytes.iter_mut().zip(other.0).for_each(|(byte, other)| *byte ^= other);
        Distance(bytes)
    }

    /// Leading bits that both ids share: 160 if they are equal.
    pub fn shared_bits(self, other: Self) -> u32 {
        let Distance(bytes) = self.distance(other);
        let whole = bytes.iter().take_while(|byte| **byte == 0).count();
        let rest = bytes.get(whole).map_or(0, |byte| byte.leading_zeros());
        whole as u32 * 8 + rest
    }

    /// An id that shares exactly `bits` leading bits with this one; all of them from 160 on.
    pub(crate) fn random_at(self, bits: u32, rng: &mut Rng) -> Self {
        let mut id = Self::random(rng);
        for bit in 0..=bits.min(159) {
            let (byte, mask) = ((bit / 8) as usize, 0x80 >> (bit % 8));
            let own = self.0[byte] & mask;
            let wanted = if bit == bits { own ^ mask } else { own };
            id.0[byte] = (id.0[byte] & !mask) | wanted;
        }
        if bits >= 160 { self } else { id }
    }
}

impl From<InfoHash> for NodeId {
    fn from(info_hash: InfoHash) -> Self {
        Self(info_hash.0)
    }
}

impl From<NodeId> for InfoHash {
    fn from(id: NodeId) -> Self {
        Self(id.0)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Sha1Digest(self.0), f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// CRC32-C of the masked address with three random bits in front; its first 21 bits are the id's.
fn bound_prefix(ip: IpAddr, random: u8) -> u32 {
    let mask = |octets: &mut [u8], mask: &[u8]| {
        octets.iter_mut().zip(mask).for_each(|(octet, mask)| *octet &= mask);
        octets[0] |= random << 5;
    };
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let mut octets = ip.octets();
            mask(&mut octets, &[0x03, 0x0f, 0x3f, 0xff]);
            crc32c(&octets)
        }
        IpAddr::V6(ip) => {
            let mut octets = ip.octets();
            mask(&mut octets[..8], &[0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff]);
            crc32c(&octets[..8])
        }
    }
}

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of a few bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn id(hex: &str) -> NodeId {
        let digest: Sha1Digest = hex.parse().expect("40 hex digits");
        NodeId(digest.0)
    }

    #[test]
    fn crc32c_matches_rfc_3720() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    /// The table of BEP 42, the random bytes in between included.
    #[test]
    fn ids_of_the_published_table_fit_their_addresses_and_no_others() {
        let table = [
            ([124, 31, 75, 21], "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"),
            ([21, 75, 31, 124], "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"),
            ([65, 23, 51, 170], "a5d43220bc8f112a3d426c84764f8c2a1150e616"),
            ([84, 124, 73, 14], "1b0321dd1bb1fe518101ceef99462b947a01ff41"),
            ([43, 213, 53, 83], "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"),
        ];
        for (index, (ip, hex)) in table.iter().enumerate() {
            assert!(id(hex).fits(IpAddr::from(*ip)), "{hex}");
            let (other, _) = table[(index + 1) % table.len()];
            assert!(!id(hex).fits(IpAddr::from(other)), "{hex}");
        }
    }

    #[test]
    fn local_addresses_may_use_any_id() {
        for ip in ["10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "127.0.0.1", "::1"] {
            assert!(NodeId([0x55; 20]).fits(ip.parse().expect("an address")), "{ip}");
        }
        assert!(!NodeId([0x55; 20]).fits("172.32.0.1".parse().expect("an address")));
    }

    #[test]
    fn closer_means_more_shared_bits_first() {
        let own = id("8000000000000000000000000000000000000000");
        let near = id("8000000000000000000000000000000000000001");
        let far = id("0000000000000000000000000000000000000000");
        assert!(own.distance(near) < own.distance(far));
        assert_eq!((own.shared_bits(near), own.shared_bits(far)), (159, 0));
        assert_eq!(own.shared_bits(own), 160);
    }

    proptest! {
        #[test]
        fn an_id_made_for_an_address_fits_it(seed: u64, v4: [u8; 4], v6: [u8; 16]) {
            let mut rng = Rng::new(seed);
            for ip in [IpAddr::from(v4), IpAddr::from(v6)] {
                prop_assert!(NodeId::for_address(ip, &mut rng).fits(ip));
            }
        }

        #[test]
        fn a_random_id_lies_where_it_was_wanted(seed: u64, own: [u8; 20], bits in 0_u32..=161) {
            let own = NodeId(own);
            let id = own.random_at(bits, &mut Rng::new(seed));
            prop_assert_eq!(own.shared_bits(id), bits.min(160));
        }
    }
}
