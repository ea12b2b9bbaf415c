//! Names of things: torrents, peers, and the driver's handles for them.

use crate::{Sha1Digest, Sha256Digest};
use std::fmt;

/// The 20 bytes that name a torrent in a handshake, an announce and the DHT.
///
/// The SHA-1 of the info dictionary (BEP 3), or the first 20 bytes of its SHA-256 (BEP 52).
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct InfoHash(pub [u8; 20]);

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Sha1Digest(self.0), f)
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Both names a torrent can have. At least one is present; a hybrid torrent has both.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct InfoHashes {
    /// SHA-1 of the info dictionary, for v1 and hybrid torrents.
    pub v1: Option<Sha1Digest>,
    /// SHA-256 of the info dictionary, for v2 and hybrid torrents.
    pub v2: Option<Sha256Digest>,
}

impl InfoHashes {
    /// The name used on the wire and as key: v1 if there is one, else the truncated v2 hash.
    ///
    /// # Panics
    /// If both hashes are absent, which no constructor of ours produces.
    pub fn primary(&self) -> InfoHash {
        self.iter().next().expect("a torrent has at least one info-hash")
    }

    /// Every name peers may use for this torrent, v1 first.
    pub fn iter(&self) -> impl Iterator<Item = InfoHash> + use<> {
        let v2 = self.v2.map(|digest| {
            let mut short = [0; 20];
            short.copy_from_slice(&digest.0[..20]);
            InfoHash(short)
        });
        self.v1.map(|digest| InfoHash(digest.0)).into_iter().chain(v2)
    }
}

/// What people see: 40 hex digits for v1 and hybrid, 64 for v2 only.
impl fmt::Display for InfoHashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.v1, self.v2) {
            (Some(v1), _) => fmt::Display::fmt(&v1, f),
            (None, Some(v2)) => fmt::Display::fmt(&v2, f),
            (None, None) => f.write_str("no info-hash"),
        }
    }
}

/// A peer's self-chosen name (BEP 3, BEP 20).
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerId(pub [u8; 20]);

impl PeerId {
    /// Our prefix (BEP 20, Azureus style). The rest of the id is random.
    pub const PREFIX: [u8; 8] = *b"-PW0100-";
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// Our index for a connected peer of one torrent. Given by the driver, reused after a disconnect.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerSlot(pub u32);

/// The driver's handle for payload that a machine decides about but never sees.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChunkId(pub u32);
