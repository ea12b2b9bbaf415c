//! Where the bytes of a piece lie: the map between piece space and files.
//!
//! Piece space is what pieces count in: one contiguous span for v1 and hybrid torrents, pad files
//! included; for v2-only torrents each file starts on a piece border, and what lies between files
//! belongs to no piece. Knows no names and no disk; allocates nothing when asked.

use piecework_types::{Block, PieceGrid, PieceIndex};
use std::ops::Range;

/// One file's place in piece space.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// First byte.
    pub offset: u64,
    /// Bytes; zero for empty files and symlinks.
    pub length: u64,
    /// True for padding (BEP 47): zero bytes that are never written.
    pub is_pad: bool,
}

impl Extent {
    const fn end(&self) -> u64 {
        self.offset + self.length
    }
}

/// A part of a span that lies in one file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment {
    /// The file, by its place in the torrent.
    pub file: usize,
    /// First byte, counted from the start of the file.
    pub offset: u64,
    /// Bytes, at least 1.
    pub length: u32,
    /// The bytes are padding: zero, and not stored.
    pub is_pad: bool,
}

/// All files of a torrent in piece space, in ascending order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Layout {
    extents: Vec<Extent>,
    piece_bytes: u32,
    piece_count: u32,
}

impl Layout {
    /// The caller has checked that the extents ascend without overlap, and made the grid from them.
    pub(crate) const fn new(extents: Vec<Extent>, grid: &PieceGrid) -> Self {
        Self { extents, piece_bytes: grid.piece_length(), piece_count: grid.piece_count() }
    }

    /// The files' extents, in the order of the torrent.
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// The parts of a span of one piece, in order. They cover it without a gap.
    pub fn segments(&self, span: Block) -> Segments<'_> {
        let offset = u64::from(span.piece.get()) * u64::from(self.piece_bytes);
        self.segments_at(offset + u64::from(span.begin), span.length)
    }

    /// The parts of a whole piece, in order.
    pub fn piece_segments(&self, piece: PieceIndex) -> Segments<'_> {
        // A short piece ends where its file does, and so does the walk.
        self.segments(Block { piece, begin: 0, length: self.piece_bytes })
    }

    /// The parts of `length` bytes of piece space from `offset` on. A byte that lies in no file
    /// ends the walk.
    pub fn segments_at(&self, offset: u64, length: u32) -> Segments<'_> {
        // Of several files that start here the last one has the content: others are empty.
        let next = self.extents.partition_point(|extent| extent.offset <= offset);
        Segments { extents: &self.extents, file: next.saturating_sub(1), offset, rest: length }
    }

    /// The file that holds this byte of piece space.
    pub fn file_at(&self, offset: u64) -> Option<usize> {
        self.segments_at(offset, 1).next().map(|segment| segment.file)
    }

    /// The pieces that hold a byte of this file; empty for an empty file or one that does not
    /// exist.
    pub fn pieces_of(&self, file: usize) -> Range<u32> {
        let Some(extent) = self.extents.get(file) else { return 0..0 };
        let piece_bytes = u64::from(self.piece_bytes);
        // Piece numbers are u32: the grid was made from the same lengths.
        let first = (extent.offset / piece_bytes) as u32;
        if extent.length == 0 {
            first..first
        } else {
            first..extent.end().div_ceil(piece_bytes) as u32
        }
    }

    /// Priority of each piece: the highest among the files that it touches. Padding does not count;
    /// files behind the end of `file_priorities` have priority 0.
    pub fn piece_priorities(&self, file_priorities: &[u8]) -> Vec<u8> {
        let mut pieces = vec![0; self.piece_count as usize];
        for (file, &priority) in file_priorities.iter().enumerate().take(self.extents.len()) {
            if self.extents[file].is_pad || priority == 0 {
                continue;
            }
            let touched = self.pieces_of(file);
            for piece in &mut pieces[touched.start as usize..touched.end as usize] {
                *piece = priority.max(*piece);
            }
        }
        pieces
    }

    /// The pieces at both ends of these files, each end a hundredth of the file and one piece at least:
    /// what a player wants to see before it plays. File by file, first the beginning; no piece twice.
    pub fn edges(&self, files: impl IntoIterator<Item = usize>) -> Vec<PieceIndex> {
        let mut is_listed = vec![false; self.piece_count as usize];
        let mut edges = Vec::new();
        for file in files {
            let pieces = self.pieces_of(file);
            if pieces.is_empty() || self.extents[file].is_pad {
                continue;
            }
            let extent = self.extents[file];
            let (part, piece_bytes) = (extent.length / 100, u64::from(self.piece_bytes));
            // Piece numbers are u32: the grid was made from the same lengths.
            let head_end = ((extent.offset + part.max(1)).div_ceil(piece_bytes)) as u32;
            let tail_start = ((extent.end() - part.max(1)) / piece_bytes) as u32;
            for piece in (pieces.start..head_end).chain(tail_start..pieces.end) {
                if !std::mem::replace(&mut is_listed[piece as usize], true) {
                    edges.push(PieceIndex::trusted(piece));
                }
            }
        }
        edges
    }
}

/// Iterator of [`Layout::segments`].
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    extents: &'a [Extent],
    file: usize,
    offset: u64,
    rest: u32,
}

impl Iterator for Segments<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        if self.rest == 0 {
            return None;
        }
        while self.extents.get(self.file)?.end() <= self.offset {
            self.file += 1;
        }
        let extent = self.extents[self.file];
        let offset = self.offset.checked_sub(extent.offset)?;
        let left = extent.length - offset;
        let length = self.rest.min(u32::try_from(left).unwrap_or(u32::MAX));
        let segment = Segment { file: self.file, offset, length, is_pad: extent.is_pad };
        self.offset += u64::from(length);
        self.rest -= length;
        Some(segment)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn contiguous(files: &[(u64, bool)], piece_bytes: u32) -> (Layout, PieceGrid) {
        let mut offset = 0;
        let mut extents = Vec::new();
        for &(length, is_pad) in files {
            extents.push(Extent { offset, length, is_pad });
            offset += length;
        }
        let grid = PieceGrid::contiguous(offset, piece_bytes).unwrap();
        (Layout::new(extents, &grid), grid)
    }

    #[test]
    fn a_piece_splits_at_file_borders_and_empty_files_do_not_show() {
        let (layout, grid) =
            contiguous(&[(0, false), (10, false), (0, false), (6, true), (20, false)], 16);
        let parts: Vec<_> = layout.piece_segments(grid.piece(0).unwrap()).collect();
        let expected = [
            Segment { file: 1, offset: 0, length: 10, is_pad: false },
            Segment { file: 3, offset: 0, length: 6, is_pad: true },
        ];
        assert_eq!(parts, expected);
        let span = grid.span(2, 1, 3).unwrap();
        let expected = [Segment { file: 4, offset: 17, length: 3, is_pad: false }];
        assert_eq!(layout.segments(span).collect::<Vec<_>>(), expected);
        assert_eq!(layout.file_at(36), None);
    }

    #[test]
    fn bytes_between_the_files_of_an_aligned_layout_belong_to_none() {
        let extents = [(0, 5), (16, 16), (32, 1)];
        let extents =
            extents.map(|(offset, length)| Extent { offset, length, is_pad: false }).to_vec();
        let layout = Layout::new(extents, &PieceGrid::aligned([5, 16, 1], 16).unwrap());
        assert_eq!(layout.file_at(4), Some(0));
        assert_eq!(layout.file_at(5), None);
        assert_eq!(layout.file_at(31), Some(1));
        assert_eq!(layout.pieces_of(2), 2..3);
    }

    #[test]
    fn a_piece_has_the_priority_of_its_most_wanted_file() {
        let (layout, _) = contiguous(&[(20, false), (12, true), (40, false), (0, false)], 16);
        assert_eq!(layout.piece_priorities(&[4, 7, 1, 7]), [4, 4, 1, 1, 1]);
        assert_eq!(layout.piece_priorities(&[4]), [4, 4, 0, 0, 0]);
        assert_eq!(layout.piece_priorities(&[0, 7, 0, 7, 7, 7]), [0; 5]);
    }

    #[test]
    fn the_edges_of_a_file_are_a_hundredth_at_each_end_and_one_piece_at_least() {
        let files = [(5_000, false), (8, true), (20, false), (0, false), (12, false)];
        let (layout, grid) = contiguous(&files, 16);
        let edges = |files: &[usize]| -> Vec<u32> {
            layout.edges(files.iter().copied()).into_iter().map(PieceIndex::get).collect()
        };
        assert_eq!(grid.piece_count(), 315);
        assert_eq!(edges(&[0]), [0, 1, 2, 3, 309, 310, 311, 312]);
        assert_eq!(edges(&[2, 4]), [313, 314]);
        assert_eq!(edges(&[4, 2]), [314, 313], "file by file");
        assert_eq!(edges(&[1, 3, 9]), [] as [u32; 0], "padding, nothing, and no file");
    }

    proptest! {
        #[test]
        fn segments_of_all_pieces_rebuild_every_file(
            files in prop::collection::vec((0_u64..100, any::<bool>()), 1..30),
            piece_bytes in 1_u32..50,
        ) {
            let (layout, grid) = contiguous(&files, piece_bytes);
            let mut done = vec![0; files.len()];
            for piece in grid.pieces() {
                for part in layout.piece_segments(piece) {
                    prop_assert_eq!(part.offset, done[part.file]);
                    prop_assert!(layout.pieces_of(part.file).contains(&piece.get()));
                    done[part.file] += u64::from(part.length);
                }
            }
            prop_assert!(done.iter().eq(files.iter().map(|(length, _)| length)));
        }
    }
}
