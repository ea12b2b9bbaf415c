//! One bit a piece, in the wire's order (BEP 3): bit 7 of byte 0 is piece 0.

use crate::PieceIndex;
use std::fmt;

/// A set of pieces of one torrent. Its length never changes; the count of set bits is kept.
#[derive(Clone, Eq, PartialEq)]
pub struct Bitfield {
    words: Vec<u64>,
    len: u32,
    ones: u32,
}

/// A peer's bitfield that does not fit the torrent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BitfieldFault {
    /// Not the number of bytes that the piece count asks for.
    Length {
        /// Bytes the torrent needs.
        expected_bytes: usize,
        /// Bytes that came.
        got_bytes: usize,
    },
    /// A bit behind the last piece is set.
    SpareBitSet,
}

impl fmt::Display for BitfieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected_bytes, got_bytes } => {
                write!(f, "bitfield must have {expected_bytes} bytes, got {got_bytes}")
            }
            Self::SpareBitSet => f.write_str("bitfield has a bit set behind the last piece"),
        }
    }
}

impl std::error::Error for BitfieldFault {}

impl Bitfield {
    /// A set with room for `len` pieces and none in it.
    pub fn new(len: u32) -> Self {
        Self { words: vec![0; len.div_ceil(64) as usize], len, ones: 0 }
    }

    /// A set of all `len` pieces.
    pub fn full(len: u32) -> Self {
        let mut all = Self { words: vec![u64::MAX; len.div_ceil(64) as usize], len, ones: len };
        if let Some(last) = all.words.last_mut().filter(|_| !len.is_multiple_of(64)) {
            *last <<= 64 - len % 64;
        }
        all
    }

    /// Parses what a peer sent for a torrent of `len` pieces.
    ///
    /// # Errors
    /// When the byte count is wrong or a spare bit is set.
    pub fn from_wire(bytes: &[u8], len: u32) -> Result<Self, BitfieldFault> {
        let expected_bytes = len.div_ceil(8) as usize;
        if bytes.len() != expected_bytes {
            return Err(BitfieldFault::Length { expected_bytes, got_bytes: bytes.len() });
        }
        let mut set = Self::new(len);
        for (word, chunk) in set.words.iter_mut().zip(bytes.chunks(8)) {
            let mut padded = [0; 8];
            padded[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_be_bytes(padded);
        }
        if !len.is_multiple_of(64) && set.words.last().is_some_and(|last| last << (len % 64) != 0) {
            return Err(BitfieldFault::SpareBitSet);
        }
        set.ones = set.words.iter().map(|word| word.count_ones()).sum();
        Ok(set)
    }

    /// The wire form: `len / 8` bytes, rounded up, spare bits zero.
    pub fn to_wire(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_be_bytes()).collect();
        bytes.truncate(self.len.div_ceil(8) as usize);
        bytes
    }

    /// Pieces the set has room for.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// True when the set contains no piece.
    pub const fn is_empty(&self) -> bool {
        self.ones == 0
    }

    /// True when the set contains every piece.
    pub const fn is_full(&self) -> bool {
        self.ones == self.len
    }

    /// Pieces in the set.
    pub const fn count(&self) -> u32 {
        self.ones
    }

    /// Whether the piece is in the set; false for a piece beyond its length.
    pub fn contains(&self, piece: PieceIndex) -> bool {
        let (word, mask) = Self::place(piece);
        self.words.get(word).is_some_and(|bits| bits & mask != 0)
    }

    /// Adds the piece; true if it was not there before. A piece beyond the length is ignored.
    pub fn insert(&mut self, piece: PieceIndex) -> bool {
        let (word, mask) = Self::place(piece);
        if piece.get() >= self.len || self.words[word] & mask != 0 {
            return false;
        }
        self.words[word] |= mask;
        self.ones += 1;
        true
    }

    /// Removes the piece; true if it was there.
    pub fn remove(&mut self, piece: PieceIndex) -> bool {
        if !self.contains(piece) {
            return false;
        }
        let (word, mask) = Self::place(piece);
        self.words[word] &= !mask;
        self.ones -= 1;
        true
    }

    /// The pieces in the set, ascending.
    pub fn iter(&self) -> IterOnes<'_> {
        IterOnes { words: &self.words, at: 0, current: self.words.first().copied().unwrap_or(0) }
    }

    /// True when `self` has a piece that `other` lacks.
    pub fn has_beyond(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(mine, theirs)| mine & !theirs != 0)
    }

    const fn place(piece: PieceIndex) -> (usize, u64) {
        (piece.as_usize() / 64, 1 << (63 - piece.get() % 64))
    }
}

impl fmt::Debug for Bitfield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitfield({} of {})", self.ones, self.len)
    }
}

/// The pieces of a [`Bitfield`], ascending.
#[derive(Clone, Debug)]
pub struct IterOnes<'a> {
    words: &'a [u64],
    at: usize,
    current: u64,
}

impl Iterator for IterOnes<'_> {
    type Item = PieceIndex;

    fn next(&mut self) -> Option<PieceIndex> {
        while self.current == 0 {
            self.at += 1;
            self.current = *self.words.get(self.at)?;
        }
        let bit = self.current.leading_zeros();
        self.current &= !(1 << (63 - bit));
        Some(PieceIndex::trusted(self.at as u32 * 64 + bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn piece_zero_is_the_highest_bit_of_the_first_byte() {
        let mut set = Bitfield::new(10);
        set.insert(PieceIndex::trusted(0));
        set.insert(PieceIndex::trusted(9));
        assert_eq!(set.to_wire(), [0x80, 0x40]);
    }

    #[test]
    fn refuses_wrong_lengths_and_spare_bits() {
        let length = BitfieldFault::Length { expected_bytes: 2, got_bytes: 1 };
        assert_eq!(Bitfield::from_wire(&[0], 10), Err(length));
        assert_eq!(Bitfield::from_wire(&[0, 0x20], 10), Err(BitfieldFault::SpareBitSet));
        assert!(Bitfield::from_wire(&[], 0).is_ok_and(|set| set.is_full() && set.is_empty()));
    }

    #[test]
    fn a_full_set_has_no_spare_bits() {
        for len in [0, 1, 7, 8, 63, 64, 65, 130] {
            let all = Bitfield::full(len);
            assert_eq!(Bitfield::from_wire(&all.to_wire(), len), Ok(all.clone()));
            assert_eq!(all.iter().count() as u32, len);
        }
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(
            len in 1_u32..300,
            steps in prop::collection::vec((any::<bool>(), 0_u32..300), 0..200),
        ) {
            let (mut set, mut model) = (Bitfield::new(len), BTreeSet::new());
            for (insert, index) in steps {
                let piece = PieceIndex::trusted(index);
                if insert {
                    prop_assert_eq!(set.insert(piece), index < len && model.insert(index));
                } else {
                    prop_assert_eq!(set.remove(piece), model.remove(&index));
                }
            }
            prop_assert_eq!(set.count() as usize, model.len());
            prop_assert!(set.iter().map(PieceIndex::get).eq(model.iter().copied()));
            prop_assert_eq!(Bitfield::from_wire(&set.to_wire(), len), Ok(set));
        }
    }
}
