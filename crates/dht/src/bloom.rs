//! Counting the peers of a torrent across nodes without naming them (BEP 33).

use piecework_hash::sha1;
use std::fmt;
use std::net::IpAddr;

/// Bytes of a filter.
const BYTES: usize = 256;
/// Bits of a filter.
const BITS: usize = BYTES * 8;

/// A set of addresses in 2048 bits, two bits each. Sets of different nodes can be united.
#[derive(Clone, Eq, PartialEq)]
pub struct BloomFilter([u8; BYTES]);

impl BloomFilter {
    /// The empty set.
    pub const fn new() -> Self {
        Self([0; BYTES])
    }

    /// A set as another node sent it.
    pub const fn from_bytes(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// As it is sent.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds an address; ports do not count.
    pub fn insert(&mut self, ip: IpAddr) {
        let digest = match ip {
            IpAddr::V4(ip) => sha1(&ip.octets()),
            IpAddr::V6(ip) => sha1(&ip.octets()),
        };
        let [a, b, c, d, ..] = digest.0;
        for index in [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])] {
            let index = usize::from(index) % BITS;
            self.0[index / 8] |= 1 << (index % 8);
        }
    }

    /// Adds what is in `other`.
    pub fn unite(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(byte, other)| *byte |= other);
    }

    /// How many addresses it holds, estimated. Beyond about 6000 it says little.
    pub fn estimate(&self) -> f64 {
        let zeros = self.0.iter().map(|byte| byte.count_zeros()).sum::<u32>();
        let bits = BITS as f64;
        let zeros = f64::from(zeros).clamp(1.0, bits);
        (zeros / bits).ln() / (2.0 * (1.0 - 1.0 / bits).ln())
    }
}

impl Default for BloomFilter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for BloomFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BloomFilter(about {:.0})", self.estimate())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    /// The filter that BEP 33 prints for 192.0.2.0/24 and 2001:db8:: to 2001:db8::3e7.
    const PUBLISHED: &str = "\
        F6C3F5EA A07FFD91 BDE89F77 7F26FB2B FF37BDB8 FB2BBAA2 FD3DDDE7 BACFFF75 EE7CCBAE \
        FE5EEDB1 FBFAFF67 F6ABFF5E 43DDBCA3 FD9B9FFD F4FFD3E9 DFF12D1B DF59DB53 DBE9FA5B \
        7FF3B8FD FCDE1AFB 8BEDD7BE 2F3EE71E BBBFE93B CDEEFE14 8246C2BC 5DBFF7E7 EFDCF24F \
        D8DC7ADF FD8FFFDF DDFFF7A4 BBEEDF5C B95CE81F C7FCFF1F F4FFFFDF E5F7FDCB B7FD79B3 \
        FA1FC77B FE07FFF9 05B7B7FF C7FEFEFF E0B8370B B0CD3F5B 7F2BD93F EB4386CF DD6F7FD5 \
        BFAF2E9E BFFFFEEC D67ADBF7 C67F17EF D5D75EBA 6FFEBA7F FF47A91E B1BFBB53 E8ABFB57 \
        62ABE8FF 237279BF EFBFEEF5 FFC5FEBF DFE5ADFF ADFEE1FB 737FFFFB FD9F6AEF FEEE76B6 \
        FD8F72EF";

    fn published_set() -> BloomFilter {
        let mut filter = BloomFilter::new();
        (0..=255).for_each(|last| filter.insert(Ipv4Addr::new(192, 0, 2, last).into()));
        let v6 = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
        (0..=0x3e7).for_each(|last| filter.insert(v6(last).into()));
        filter
    }

    #[test]
    fn the_published_addresses_give_the_published_filter_and_estimate() {
        let filter = published_set();
        let hex: String = filter.as_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(hex, PUBLISHED.replace(' ', ""));
        assert!((filter.estimate() - 1224.9308).abs() < 0.0001, "{}", filter.estimate());
    }

    #[test]
    fn an_empty_filter_counts_none_and_a_full_one_is_finite() {
        assert!(BloomFilter::new().estimate().abs() < f64::EPSILON);
        assert!(BloomFilter::from_bytes([0xff; BYTES]).estimate().is_finite());
    }

    #[test]
    fn a_union_counts_shared_addresses_once() {
        let mut both = published_set();
        both.unite(&published_set());
        assert_eq!(both, published_set());
        let mut with_one = BloomFilter::new();
        with_one.insert(Ipv4Addr::new(198, 51, 100, 1).into());
        both.unite(&with_one);
        assert_ne!(both, published_set());
    }
}
