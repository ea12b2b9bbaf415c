//! A disk that holds tags instead of bytes, with faults.
//!
//! Owns what one node has stored. Invariant: a piece is verified only if every block of it equals the
//! origin's. It must not know peers, except that it keeps what the smart ban needs.

use crate::origin::{Origin, Tag};
use piecework_types::{Bitfield, Block, PieceIndex, Sha256Digest, Time};
use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// How a disk misbehaves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DiskFaults {
    /// Before a block that is sent is in memory.
    pub read_delay: Duration,
    /// From the last block of a piece to its verdict, beyond the usual.
    pub write_delay: Duration,
    /// Every block stored after so many is damaged, until `corrupt_count` were.
    pub corrupt_after: Option<u64>,
    /// Blocks damaged at most.
    pub corrupt_count: u64,
    /// Bytes after which the disk is full.
    pub full_after: Option<u64>,
    /// How long it stays full; then it has room without end.
    pub full_for: Duration,
}

/// What became of a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stored {
    /// The piece is not complete yet.
    Partial,
    /// The piece is complete; its verdict comes at this moment.
    Complete(Time),
    /// The disk is full: the piece's blocks are lost. There is room again at this moment.
    Full(Time),
}

/// The verdict on a complete piece.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It equals the origin's.
    Verified,
    /// It does not; the blocks' digests as they were received.
    Failed(Vec<Sha256Digest>),
}

/// Hash and write of one piece.
const CHECK: Duration = Duration::from_millis(5);

#[derive(Debug)]
struct PieceState {
    /// As received and as written, by block number.
    received: Vec<Option<Tag>>,
    written: Vec<Option<Tag>>,
    missing: u32,
}

/// One node's storage.
#[derive(Debug)]
pub(crate) struct Disk {
    origin: Arc<Origin>,
    faults: DiskFaults,
    pieces: Vec<PieceState>,
    blocks_stored: u64,
    bytes_stored: u64,
    full_until: Option<Time>,
}

impl Disk {
    /// A disk on which the pieces of `have` lie verified.
    pub(crate) fn new(origin: Arc<Origin>, faults: DiskFaults, have: &Bitfield) -> Self {
        let grid = origin.grid();
        let pieces = grid.pieces().map(|piece| {
            let held = have.contains(piece);
            let tags: Vec<_> =
                grid.blocks(piece).map(|block| held.then(|| origin.tag(block))).collect();
            let missing = if held { 0 } else { tags.len() as u32 };
            PieceState { received: tags.clone(), written: tags, missing }
        });
        let pieces = pieces.collect();
        Self { origin, faults, pieces, blocks_stored: 0, bytes_stored: 0, full_until: None }
    }

    /// Forgets every piece that is not in `have`: whoever starts anew knows nothing of them.
    pub(crate) fn forget_partial(&mut self, have: &Bitfield) {
        let pieces = self.origin.grid().pieces();
        pieces.filter(|piece| !have.contains(*piece)).for_each(|piece| self.lose(piece));
    }

    /// When a block that is to be sent is in memory.
    pub(crate) fn read_at(&self, now: Time) -> Time {
        now + self.faults.read_delay
    }

    /// What a span of a stored piece is worth now.
    pub(crate) fn read(&self, block: Block) -> Option<Tag> {
        let piece = &self.pieces[block.piece.as_usize()];
        let whole = self.origin.grid().block(block.piece, block.number()) == Some(block);
        if whole {
            return piece.written[block.number() as usize];
        }
        // A span of other borders is intact if every block of its piece is.
        let intact = self.is_intact(block.piece);
        let tag = self.origin.tag(block);
        Some(if intact { tag } else { tag.corrupted() })
    }

    pub(crate) fn store(&mut self, block: Block, tag: Tag, now: Time) -> Stored {
        let full = self.faults.full_after.is_some_and(|bytes| self.bytes_stored >= bytes);
        if full {
            let until = *self.full_until.get_or_insert(now + self.faults.full_for);
            if now < until {
                self.lose(block.piece);
                return Stored::Full(until);
            }
            self.faults.full_after = None;
        }
        self.blocks_stored += 1;
        self.bytes_stored += u64::from(block.length);
        let damaged = self.faults.corrupt_after.is_some_and(|after| {
            (after..after + self.faults.corrupt_count).contains(&self.blocks_stored)
        });
        let piece = &mut self.pieces[block.piece.as_usize()];
        let at = block.number() as usize;
        if piece.written[at].is_none() {
            piece.missing -= 1;
        }
        piece.received[at] = Some(tag);
        piece.written[at] = Some(if damaged { tag.corrupted() } else { tag });
        if piece.missing > 0 {
            return Stored::Partial;
        }
        Stored::Complete(now + CHECK + self.faults.write_delay)
    }

    /// Hashes a complete piece. A failed one is forgotten.
    pub(crate) fn check(&mut self, piece: PieceIndex) -> Option<Verdict> {
        let state = &self.pieces[piece.as_usize()];
        if state.missing > 0 {
            return None;
        }
        if self.is_intact(piece) {
            return Some(Verdict::Verified);
        }
        let received = state.received.iter().flatten();
        let digests = received.map(|tag| tag.digest()).collect();
        self.lose(piece);
        Some(Verdict::Failed(digests))
    }

    /// Digests of a piece's blocks as they are written.
    pub(crate) fn digests(&self, piece: PieceIndex) -> Vec<Sha256Digest> {
        let written = self.pieces[piece.as_usize()].written.iter();
        written.flatten().map(|tag| tag.digest()).collect()
    }

    /// Whether every block of the piece is written as the origin has it.
    pub(crate) fn is_intact(&self, piece: PieceIndex) -> bool {
        let blocks = self.origin.grid().blocks(piece);
        let written = &self.pieces[piece.as_usize()].written;
        blocks.zip(written).all(|(block, tag)| *tag == Some(self.origin.tag(block)))
    }

    /// Whether the whole content is written as the origin has it.
    pub(crate) fn is_complete(&self) -> bool {
        self.origin.grid().pieces().all(|piece| self.is_intact(piece))
    }

    fn lose(&mut self, piece: PieceIndex) {
        let state = &mut self.pieces[piece.as_usize()];
        state.received.fill(None);
        state.written.fill(None);
        state.missing = state.written.len() as u32;
    }
}
