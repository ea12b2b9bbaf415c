//! A set of pieces that several threads look at and change.
//!
//! Invariant: only pieces of the torrent are ever in it. Each piece changes alone: nobody may
//! conclude from one piece to another.

use piecework_types::{Bitfield, PieceIndex};
use std::sync::atomic::{AtomicU64, Ordering};

/// One bit a piece.
#[derive(Debug)]
pub(crate) struct AtomicBits {
    words: Box<[AtomicU64]>,
    len: u32,
}

impl AtomicBits {
    pub(crate) fn new(set: &Bitfield) -> Self {
        let mut words = vec![0_u64; set.len().div_ceil(64) as usize];
        for piece in set.iter() {
            words[piece.as_usize() / 64] |= 1 << (piece.get() % 64);
        }
        Self { words: words.into_iter().map(AtomicU64::new).collect(), len: set.len() }
    }

    /// Whether the piece is in; then everything done before it was added is visible.
    pub(crate) fn contains(&self, piece: PieceIndex) -> bool {
        let word = self.words.get(piece.as_usize() / 64);
        word.is_some_and(|word| word.load(Ordering::Acquire) >> (piece.get() % 64) & 1 == 1)
    }

    /// Adds the piece; true if it was not in.
    pub(crate) fn insert(&self, piece: PieceIndex) -> bool {
        if piece.get() >= self.len {
            return false;
        }
        let bit = 1 << (piece.get() % 64);
        self.words[piece.as_usize() / 64].fetch_or(bit, Ordering::AcqRel) & bit == 0
    }

    /// Removes the piece; true if it was in.
    pub(crate) fn remove(&self, piece: PieceIndex) -> bool {
        let bit = 1 << (piece.get() % 64);
        let word = self.words.get(piece.as_usize() / 64);
        word.is_some_and(|word| word.fetch_and(!bit, Ordering::AcqRel) & bit != 0)
    }

    /// Whether no piece is in.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| word.load(Ordering::Acquire) == 0)
    }

    /// Whether every piece in it is in `other` too, which has as many.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        let mut pairs = self.words.iter().zip(&other.words);
        pairs.all(|(a, b)| a.load(Ordering::Acquire) & !b.load(Ordering::Acquire) == 0)
    }

    /// A copy. Pieces that change meanwhile may or may not be in it.
    pub(crate) fn snapshot(&self) -> Bitfield {
        let mut set = Bitfield::new(self.len);
        for (at, word) in self.words.iter().enumerate() {
            let mut bits = word.load(Ordering::Acquire);
            while bits != 0 {
                // At most `len`, which is a u32.
                set.insert(PieceIndex::trusted(at as u32 * 64 + bits.trailing_zeros()));
                bits &= bits - 1;
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_has_what_went_in_and_did_not_come_out() {
        let mut set = Bitfield::new(130);
        for piece in [0, 63, 64, 129] {
            set.insert(PieceIndex::trusted(piece));
        }
        let bits = AtomicBits::new(&set);
        assert_eq!(bits.snapshot(), set);
        assert!(bits.insert(PieceIndex::trusted(5)) && !bits.insert(PieceIndex::trusted(5)));
        assert!(bits.remove(PieceIndex::trusted(64)) && !bits.remove(PieceIndex::trusted(64)));
        assert!(!bits.insert(PieceIndex::trusted(130)));
        let other = AtomicBits::new(&set);
        assert!(!bits.is_within(&other) && !other.is_within(&bits));
        set.insert(PieceIndex::trusted(5));
        set.remove(PieceIndex::trusted(64));
        assert_eq!(bits.snapshot(), set);
        other.insert(PieceIndex::trusted(5));
        assert!(bits.is_within(&other) && !bits.is_empty());
        assert!(AtomicBits::new(&Bitfield::new(130)).is_empty());
    }
}
