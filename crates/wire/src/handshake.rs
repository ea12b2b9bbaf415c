//! The 68 bytes that open a connection (BEP 3), readable while they arrive.
//!
//! Owns the protocol string and the reserved bits. Must not know which torrents exist: it reports the
//! info-hash as early as possible so that the caller can turn a stranger away.

use crate::WireFault;
use piecework_types::{InfoHash, PeerId};

/// Length of the protocol string, then the string itself.
const PROTOCOL: [u8; 20] = *b"\x13BitTorrent protocol";

/// Bytes up to and with the info-hash: enough to know which torrent is meant.
const TO_INFO_HASH_BYTES: usize = PROTOCOL.len() + 8 + 20;

/// Bytes of a whole handshake.
pub const HANDSHAKE_BYTES: usize = TO_INFO_HASH_BYTES + 20;

/// The eight reserved bytes of a handshake: what its sender can do.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Reserved(pub [u8; 8]);

impl Reserved {
    const EXTENDED: (usize, u8) = (5, 0x10);
    const DHT: (usize, u8) = (7, 0x01);
    const FAST: (usize, u8) = (7, 0x04);
    const V2: (usize, u8) = (7, 0x10);

    /// What we can do for every torrent: fast extension and extension protocol.
    pub const fn ours() -> Self {
        Self([0; 8]).with(Self::EXTENDED).with(Self::FAST)
    }

    /// The same, and the sender runs a DHT node (BEP 5).
    pub const fn with_dht(self) -> Self {
        self.with(Self::DHT)
    }

    /// The same, and a hybrid torrent may be upgraded to its v2 info-hash (BEP 52).
    pub const fn with_v2(self) -> Self {
        self.with(Self::V2)
    }

    /// The sender knows the fast extension (BEP 6).
    pub const fn has_fast(self) -> bool {
        self.has(Self::FAST)
    }

    /// The sender knows the extension protocol (BEP 10).
    pub const fn has_extended(self) -> bool {
        self.has(Self::EXTENDED)
    }

    /// The sender runs a DHT node (BEP 5).
    pub const fn has_dht(self) -> bool {
        self.has(Self::DHT)
    }

    /// The sender knows v2 torrents (BEP 52).
    pub const fn has_v2(self) -> bool {
        self.has(Self::V2)
    }

    const fn has(self, (byte, mask): (usize, u8)) -> bool {
        self.0[byte] & mask != 0
    }

    const fn with(mut self, (byte, mask): (usize, u8)) -> Self {
        self.0[byte] |= mask;
        self
    }
}

/// What both sides say first.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Handshake {
    /// What the sender can do.
    pub reserved: Reserved,
    /// The torrent the connection is for.
    pub info_hash: InfoHash,
    /// The sender's name.
    pub peer_id: PeerId,
}

/// How much of a handshake has arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HandshakeStep {
    /// Nothing useful yet.
    Incomplete {
        /// Bytes the buffer must hold before the next step can be reached.
        need_bytes: usize,
    },
    /// All but the peer id: 20 bytes are still to come. Some clients send the peer id only after they
    /// have seen ours, so a listener must answer now.
    InfoHash {
        /// What the sender can do.
        reserved: Reserved,
        /// The torrent the connection is for.
        info_hash: InfoHash,
    },
    /// The first [`HANDSHAKE_BYTES`] of the buffer. Messages follow.
    Complete(Handshake),
}

impl Handshake {
    /// The wire form.
    pub fn encode(&self) -> [u8; HANDSHAKE_BYTES] {
        let mut bytes = [0; HANDSHAKE_BYTES];
        bytes[..20].copy_from_slice(&PROTOCOL);
        bytes[20..28].copy_from_slice(&self.reserved.0);
        bytes[28..TO_INFO_HASH_BYTES].copy_from_slice(&self.info_hash.0);
        bytes[TO_INFO_HASH_BYTES..].copy_from_slice(&self.peer_id.0);
        bytes
    }

    /// Reads what has arrived since the connection opened; bytes behind the handshake are ignored.
    ///
    /// # Errors
    /// As soon as one byte of the protocol string differs.
    pub fn decode(buf: &[u8]) -> Result<HandshakeStep, WireFault> {
        if let Some(at) = buf.iter().zip(&PROTOCOL).position(|(got, expected)| got != expected) {
            return Err(WireFault::NotBitTorrent { at, got: buf[at] });
        }
        let Some(head) = buf.first_chunk::<TO_INFO_HASH_BYTES>() else {
            return Ok(HandshakeStep::Incomplete { need_bytes: TO_INFO_HASH_BYTES });
        };
        let (mut reserved, mut info_hash) = (Reserved::default(), InfoHash([0; 20]));
        reserved.0.copy_from_slice(&head[20..28]);
        info_hash.0.copy_from_slice(&head[28..]);
        let Some(peer_id) = buf[TO_INFO_HASH_BYTES..].first_chunk::<20>() else {
            return Ok(HandshakeStep::InfoHash { reserved, info_hash });
        };
        Ok(HandshakeStep::Complete(Self { reserved, info_hash, peer_id: PeerId(*peer_id) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn handshake() -> Handshake {
        Handshake {
            reserved: Reserved::ours().with_dht().with_v2(),
            info_hash: InfoHash([0xaa; 20]),
            peer_id: PeerId(*b"-PW0100-abcdefghijkl"),
        }
    }

    #[test]
    fn is_byte_for_byte_what_the_beps_say() {
        let mut expected = b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x15".to_vec();
        expected.extend([0xaa; 20]);
        expected.extend(b"-PW0100-abcdefghijkl");
        assert_eq!(handshake().encode().as_slice(), expected);
    }

    #[test]
    fn every_reserved_bit_is_read_alone() {
        type Has = fn(Reserved) -> bool;
        let bits: [(usize, u8, Has); 4] = [
            (5, 0x10, Reserved::has_extended),
            (7, 0x01, Reserved::has_dht),
            (7, 0x04, Reserved::has_fast),
            (7, 0x10, Reserved::has_v2),
        ];
        for (byte, mask, _) in bits {
            let mut reserved = Reserved::default();
            reserved.0[byte] = mask;
            for (other_byte, other_mask, has) in bits {
                assert_eq!(has(reserved), (byte, mask) == (other_byte, other_mask));
            }
        }
        assert!(!Reserved::ours().has_dht() && !Reserved::ours().has_v2());
    }

    #[test]
    fn each_step_is_reached_with_its_last_byte_and_no_later() {
        let Handshake { reserved, info_hash, .. } = handshake();
        let bytes = handshake().encode();
        for length in 0..bytes.len() {
            let expected = if length < 48 {
                HandshakeStep::Incomplete { need_bytes: 48 }
            } else {
                HandshakeStep::InfoHash { reserved, info_hash }
            };
            assert_eq!(Handshake::decode(&bytes[..length]), Ok(expected));
        }
        let more = [bytes.as_slice(), &[0; 4]].concat();
        assert_eq!(Handshake::decode(&more), Ok(HandshakeStep::Complete(handshake())));
    }

    #[test]
    fn another_protocol_is_refused_at_its_first_byte() {
        let fault = WireFault::NotBitTorrent { at: 0, got: b'G' };
        assert_eq!(Handshake::decode(b"G"), Err(fault));
        let fault = WireFault::NotBitTorrent { at: 19, got: b'm' };
        assert_eq!(Handshake::decode(b"\x13BitTorrent protocom"), Err(fault));
    }

    proptest! {
        #[test]
        fn survives_the_wire(reserved: [u8; 8], info_hash: [u8; 20], peer_id: [u8; 20]) {
            let sent = Handshake {
                reserved: Reserved(reserved),
                info_hash: InfoHash(info_hash),
                peer_id: PeerId(peer_id),
            };
            let step = Handshake::decode(&sent.encode());
            prop_assert_eq!(step, Ok(HandshakeStep::Complete(sent)));
        }
    }
}
