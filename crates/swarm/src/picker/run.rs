//! Blocks in a row, for a source that has everything and answers long questions best: a web seed.
//!
//! Such a source takes what peers lack first, else the longest stretch that nobody is at, from its start.
//! Rarest first would cut it into single pieces for the sake of pieces that are there for everybody anyway.

use super::Picker;
use super::partial::{Partial, Rights};
use piecework_types::{Block, PeerSlot, PieceIndex};

impl Picker {
    /// Grows whenever something may have become pickable.
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether a wanted piece that nobody is at is lacking among the connected peers.
    pub(crate) const fn is_piece_lacking(&self) -> bool {
        self.rarity.open_count() > self.rarity.available_count()
    }

    /// At most `blocks_max` blocks that follow each other, asked from now on; empty if there is nothing. A
    /// suspect gets pieces for itself alone, from their first block on.
    pub(crate) fn pick_run(
        &mut self,
        slot: PeerSlot,
        is_suspect: bool,
        blocks_max: usize,
    ) -> Vec<Block> {
        let mut run = Vec::new();
        if let Some(piece) = self.begun_by(slot) {
            self.ask_in_a_row(piece, blocks_max, &mut run);
            return run;
        }
        let Some(first) = self.first_of_run() else {
            if let Some(piece) = self.gap(slot).filter(|_| !is_suspect) {
                self.ask_in_a_row(piece, blocks_max, &mut run);
            }
            return run;
        };
        for piece in (first.get()..self.grid.piece_count()).map(PieceIndex::trusted) {
            // One that failed comes alone: it has one culprit then, and little is lost with it.
            let is_alone = self.failed.contains(piece);
            if run.len() >= blocks_max
                || !self.rarity.is_open(piece)
                || (is_alone && !run.is_empty())
            {
                break;
            }
            let rights = match is_alone || is_suspect {
                true => Rights::Alone(slot),
                false => Rights::Whole(slot),
            };
            self.open(piece, rights);
            self.ask_in_a_row(piece, blocks_max, &mut run);
            if is_alone {
                break;
            }
        }
        run
    }

    /// Appends the piece's first missing blocks, as far as they follow each other.
    fn ask_in_a_row(&mut self, piece: PieceIndex, blocks_max: usize, run: &mut Vec<Block>) {
        let mut expected = None;
        while run.len() < blocks_max
            && let Some(number) = self.partials.ask_next(piece)
        {
            let Some(block) = self.grid.block(piece, number) else { return };
            if expected.is_some_and(|expected| expected != number) {
                self.partials.release(piece, number);
                return;
            }
            expected = Some(number + 1);
            run.push(block);
        }
    }

    /// A piece longer than a run, of which this source has had the start.
    fn begun_by(&self, slot: PeerSlot) -> Option<PieceIndex> {
        let is_mine = |partial: &&Partial| partial.rights.owner() == Some(slot);
        let mut mine = self.partials.pickable().filter(is_mine).map(|partial| partial.piece);
        mine.find(|&piece| self.wants(piece))
    }

    /// Where the next run of open pieces starts.
    fn first_of_run(&mut self) -> Option<PieceIndex> {
        if self.rarity.open_count() == 0 {
            return None;
        }
        let urgent = self.stream.map(|stream| stream.pieces(&self.grid, self.now));
        let mut urgent = urgent.into_iter().flatten().map(PieceIndex::trusted);
        urgent.find(|&piece| self.rarity.is_open(piece)).or_else(|| {
            let longest = self.longest_run(!self.sequential);
            longest.map(PieceIndex::trusted)
        })
    }

    /// The start of the longest stretch of open pieces, of those that peers lack if there are any; of the
    /// first stretch unless the longest is asked for.
    fn longest_run(&self, wants_longest: bool) -> Option<u32> {
        let is_lacking = wants_longest && self.is_piece_lacking();
        let mut best: Option<(u32, u32)> = None;
        let mut start = None;
        for index in 0..=self.grid.piece_count() {
            let piece = PieceIndex::trusted(index);
            let is_open = index < self.grid.piece_count()
                && self.rarity.is_open(piece)
                && (!is_lacking || self.availability(piece) == 0);
            match (is_open, start) {
                (true, None) if !wants_longest => return Some(index),
                (true, None) => start = Some(index),
                (false, Some(from)) => {
                    if best.is_none_or(|(length, _)| index - from > length) {
                        best = Some((index - from, from));
                    }
                    start = None;
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
        best.map(|(_, from)| from)
    }

    /// The piece under way that lacks most; rather one that nobody is at.
    fn gap(&self, slot: PeerSlot) -> Option<PieceIndex> {
        let joinable = self
            .partials
            .pickable()
            .filter(|partial| partial.rights.admits(slot) && self.wants(partial.piece));
        joinable
            .max_by_key(|partial| (!partial.is_awaited(), partial.missing()))
            .map(|partial| partial.piece)
    }
}
