//! How a torrent's bytes divide into pieces (the hash unit) and blocks (the transfer unit).

use std::fmt;

/// Bytes in a block: the unit of a request (BEP 3) and the leaf of a v2 hash tree (BEP 52).
pub const BLOCK_BYTES: u32 = 16 * 1024;

/// Longest piece accepted, in bytes. Longer ones only serve to exhaust memory.
pub const PIECE_BYTES_MAX: u32 = 512 * 1024 * 1024;

/// A piece that exists in its torrent: only [`PieceGrid`] makes one from a peer's number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PieceIndex(u32);

impl PieceIndex {
    /// The number as peers write it.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number for indexing a slice with one entry a piece.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }

    /// A piece named by one of our own loops or tables, where no grid is at hand.
    /// Never call it with a number from outside: that is what [`PieceGrid::piece`] is for.
    pub const fn trusted(index: u32) -> Self {
        Self(index)
    }
}

impl fmt::Display for PieceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A span inside one piece, checked against the grid when it was made.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Block {
    /// The piece it lies in.
    pub piece: PieceIndex,
    /// First byte, counted from the start of the piece.
    pub begin: u32,
    /// Bytes, at least 1.
    pub length: u32,
}

impl Block {
    /// Its number within the piece, for spans made by [`PieceGrid::block`].
    pub const fn number(&self) -> u32 {
        self.begin / BLOCK_BYTES
    }

    /// One past the last byte, counted from the start of the piece.
    pub const fn end(&self) -> u32 {
        self.begin + self.length
    }
}

/// Numbers that make no grid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GridError {
    /// The piece length is zero or above [`PIECE_BYTES_MAX`].
    PieceLength(u64),
    /// More pieces than a `u32` can number.
    TooManyPieces(u64),
}

impl fmt::Display for GridError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PieceLength(got) => {
                write!(f, "piece length must be 1 to {PIECE_BYTES_MAX} bytes, got {got}")
            }
            Self::TooManyPieces(got) => write!(f, "at most {} pieces, got {got}", u32::MAX),
        }
    }
}

impl std::error::Error for GridError {}

/// The shape of a torrent: piece length, piece count, and which pieces are shorter.
///
/// In a v1 or hybrid torrent only the last piece can be short. In a v2-only torrent each file starts
/// a new piece (BEP 52), so every file's last piece can be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PieceGrid {
    piece_bytes: u32,
    piece_count: u32,
    /// (piece, bytes) for each piece shorter than `piece_bytes`, ascending.
    short: Vec<(u32, u32)>,
    payload_bytes: u64,
}

impl PieceGrid {
    /// The grid of one contiguous span, as in v1 and hybrid torrents.
    ///
    /// # Errors
    /// When the piece length is out of bounds or there are too many pieces.
    pub fn contiguous(total_bytes: u64, piece_bytes: u32) -> Result<Self, GridError> {
        Self::aligned([total_bytes], piece_bytes)
    }

    /// The grid of files that each start on a piece border, as in v2-only torrents.
    ///
    /// # Errors
    /// When the piece length is out of bounds or there are too many pieces.
    pub fn aligned(
        file_bytes: impl IntoIterator<Item = u64>,
        piece_bytes: u32,
    ) -> Result<Self, GridError> {
        if piece_bytes == 0 || piece_bytes > PIECE_BYTES_MAX {
            return Err(GridError::PieceLength(piece_bytes.into()));
        }
        let mut grid = Self { piece_bytes, piece_count: 0, short: Vec::new(), payload_bytes: 0 };
        for bytes in file_bytes {
            let pieces = u64::from(grid.piece_count) + bytes.div_ceil(piece_bytes.into());
            grid.piece_count =
                u32::try_from(pieces).map_err(|_| GridError::TooManyPieces(pieces))?;
            // A remainder of a u32 is a u32.
            let rest = (bytes % u64::from(piece_bytes)) as u32;
            if rest != 0 {
                grid.short.push((grid.piece_count - 1, rest));
            }
            grid.payload_bytes += bytes;
        }
        Ok(grid)
    }

    /// Pieces in the torrent.
    pub const fn piece_count(&self) -> u32 {
        self.piece_count
    }

    /// Bytes of a full piece.
    pub const fn piece_length(&self) -> u32 {
        self.piece_bytes
    }

    /// Bytes of all pieces together.
    pub const fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// The piece numbered `index`, if there is one.
    pub fn piece(&self, index: u32) -> Option<PieceIndex> {
        (index < self.piece_count).then_some(PieceIndex(index))
    }

    /// All pieces in order.
    pub fn pieces(
        &self,
    ) -> impl ExactSizeIterator<Item = PieceIndex> + DoubleEndedIterator + use<> {
        (0..self.piece_count as usize).map(|index| PieceIndex(index as u32))
    }

    /// Bytes of this piece.
    pub fn piece_bytes(&self, piece: PieceIndex) -> u32 {
        match self.short.binary_search_by_key(&piece.0, |&(index, _)| index) {
            Ok(at) => self.short[at].1,
            Err(_) => self.piece_bytes,
        }
    }

    /// Where the piece starts, counting every piece before it as full. For v1 and hybrid torrents
    /// this is the offset in the payload; for v2-only ones the offset with each file padded.
    pub const fn piece_offset(&self, piece: PieceIndex) -> u64 {
        piece.0 as u64 * self.piece_bytes as u64
    }

    /// Blocks in this piece.
    pub fn block_count(&self, piece: PieceIndex) -> u32 {
        self.piece_bytes(piece).div_ceil(BLOCK_BYTES)
    }

    /// The block with this number, if the piece has so many.
    pub fn block(&self, piece: PieceIndex, number: u32) -> Option<Block> {
        let begin = number.checked_mul(BLOCK_BYTES)?;
        let rest = self.piece_bytes(piece).checked_sub(begin).filter(|&rest| rest > 0)?;
        Some(Block { piece, begin, length: rest.min(BLOCK_BYTES) })
    }

    /// All blocks of the piece in order.
    pub fn blocks(&self, piece: PieceIndex) -> impl Iterator<Item = Block> + '_ {
        (0..self.block_count(piece)).filter_map(move |number| self.block(piece, number))
    }

    /// A peer's numbers as a span, if it lies inside one piece and is not empty.
    pub fn span(&self, index: u32, begin: u32, length: u32) -> Option<Block> {
        let piece = self.piece(index)?;
        let end = begin.checked_add(length)?;
        (length > 0 && end <= self.piece_bytes(piece)).then_some(Block { piece, begin, length })
    }

    /// Like [`Self::span`], but a block that a short piece cuts off may be asked for whole; what
    /// lies behind the piece counts as zeros. libtorrent 2.0 asks so for the tails of v2 files.
    pub fn span_padded(&self, index: u32, begin: u32, length: u32) -> Option<Block> {
        self.span(index, begin, length).or_else(|| {
            let piece = self.piece(index)?;
            let is_whole = length == BLOCK_BYTES && begin.is_multiple_of(BLOCK_BYTES);
            let is_cut = begin < self.piece_bytes(piece)
                && begin.checked_add(length).is_some_and(|end| end <= self.piece_bytes);
            (is_whole && is_cut).then_some(Block { piece, begin, length })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_piece_lengths_of_zero_and_above_the_limit() {
        assert_eq!(PieceGrid::contiguous(1, 0), Err(GridError::PieceLength(0)));
        let long = PIECE_BYTES_MAX + 1;
        assert_eq!(PieceGrid::contiguous(1, long), Err(GridError::PieceLength(long.into())));
        assert!(matches!(PieceGrid::contiguous(u64::MAX, 1), Err(GridError::TooManyPieces(_))));
    }

    #[test]
    fn every_file_of_an_aligned_grid_ends_its_own_piece() {
        let grid = PieceGrid::aligned([0, 5, 32_768, 40_000], 32_768).expect("a valid grid");
        let sizes: Vec<_> = grid.pieces().map(|piece| grid.piece_bytes(piece)).collect();
        assert_eq!(sizes, [5, 32_768, 32_768, 7_232]);
        assert_eq!(grid.payload_bytes(), 5 + 32_768 + 40_000);
    }

    #[test]
    fn a_span_outside_its_piece_is_no_span() {
        let grid = PieceGrid::contiguous(50_000, 32_768).expect("a valid grid");
        assert!(grid.span(1, 0, 17_232).is_some());
        assert!(grid.span(1, 0, 17_233).is_none());
        assert!(grid.span(2, 0, 1).is_none());
        assert!(grid.span(0, 0, 0).is_none());
        assert!(grid.span(0, u32::MAX, 2).is_none());
    }

    #[test]
    fn a_padded_span_is_the_whole_block_that_a_short_piece_cuts_off() {
        let grid = PieceGrid::aligned([50_000, 40_000], 32_768).expect("a valid grid");
        let last = grid.piece(1).expect("four pieces");
        let whole = Block { piece: last, begin: 16_384, length: BLOCK_BYTES };
        assert_eq!(grid.span_padded(1, 16_384, BLOCK_BYTES), Some(whole));
        assert_eq!(grid.span_padded(1, 16_384, 848), grid.span(1, 16_384, 848));
        for (begin, length) in [(16_384, 849), (16_385, BLOCK_BYTES), (32_768, BLOCK_BYTES)] {
            assert_eq!(grid.span_padded(1, begin, length), None);
        }
        let odd = PieceGrid::contiguous(50_000, 10_000).expect("a valid grid");
        assert_eq!(odd.span_padded(0, 0, BLOCK_BYTES), None);
    }

    proptest! {
        #[test]
        fn blocks_tile_every_piece_and_pieces_tile_the_payload(
            files in prop::collection::vec(0_u64..200_000, 0..8),
            piece_bytes in 1_u32..100_000,
        ) {
            let grid = PieceGrid::aligned(files.iter().copied(), piece_bytes).expect("small");
            let mut total = 0;
            for piece in grid.pieces() {
                let mut end = 0;
                for block in grid.blocks(piece) {
                    prop_assert_eq!(block.begin, end);
                    prop_assert!(grid.span(piece.get(), block.begin, block.length).is_some());
                    end = block.end();
                }
                prop_assert_eq!(end, grid.piece_bytes(piece));
                total += u64::from(end);
            }
            prop_assert_eq!(total, grid.payload_bytes());
        }
    }
}
