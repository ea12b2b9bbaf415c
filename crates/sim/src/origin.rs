//! The content every swarm shares: made from (piece, block), so that it needs no storage.
//!
//! Owns the meaning of a payload's [`Tag`]. Invariant: two spans have the same tag only if they are
//! the same span of the same seed's content (up to a 64-bit collision).

use piecework_types::{Block, PieceGrid, Sha256Digest};

/// What a span of payload is worth: stands for its bytes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Tag(pub u64);

impl Tag {
    /// The tag of the same span with some bytes changed.
    #[must_use]
    pub const fn corrupted(self) -> Self {
        Self(!self.0)
    }

    /// A digest as the hash crate would make it of the real bytes: equal for equal spans.
    pub fn digest(self) -> Sha256Digest {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&self.0.to_be_bytes());
        Sha256Digest(digest)
    }
}

/// One torrent's content.
#[derive(Clone, Debug)]
pub struct Origin {
    seed: u64,
    grid: PieceGrid,
}

impl Origin {
    /// The content that `seed` generates in this shape.
    pub const fn new(seed: u64, grid: PieceGrid) -> Self {
        Self { seed, grid }
    }

    /// Its shape.
    pub const fn grid(&self) -> &PieceGrid {
        &self.grid
    }

    /// The tag of a span.
    pub const fn tag(&self, block: Block) -> Tag {
        let place = ((block.piece.get() as u64) << 32) | block.begin as u64;
        Tag(mix(mix(self.seed ^ place) ^ block.length as u64))
    }
}

/// Spreads every bit of a number over 64 bits (the finisher of SplitMix64).
pub(crate) const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
