//! Pieces under way: which of their blocks are missing, asked or held, and who may add to them.
//!
//! Invariant: a block is missing, asked of at least one peer, or held: exactly one; a partial piece
//! stands in the list of pickable ones exactly while it has a missing block. Blocks are kept for
//! partial pieces only, and their tables are reused. Knows no priorities and no availability.

use super::Speed;
use piecework_types::{PeerSlot, PieceIndex};

/// The number of a connection, never reused: names a peer for blame after its slot is another's.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Origin(pub u32);

/// Where a block of a partial piece is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BlockState {
    /// Nobody was asked.
    Missing,
    /// So many peers were asked, at least one.
    Asked(u8),
    /// It came from there.
    Held(Origin),
}

/// Who may add blocks to a partial piece.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rights {
    /// Peers of this speed first, others when they find nothing else.
    Shared(Speed),
    /// A fast peer takes all of it; others when they find nothing else.
    Whole(PeerSlot),
    /// One peer and no other, so that a bad piece has one culprit.
    Alone(PeerSlot),
}

impl Rights {
    /// The peer it was given to.
    pub(super) const fn owner(self) -> Option<PeerSlot> {
        match self {
            Self::Shared(_) => None,
            Self::Whole(slot) | Self::Alone(slot) => Some(slot),
        }
    }

    /// Whether this peer may ever add to it.
    pub(super) fn admits(self, slot: PeerSlot) -> bool {
        match self {
            Self::Shared(_) | Self::Whole(_) => true,
            Self::Alone(owner) => owner == slot,
        }
    }
}

#[derive(Debug)]
pub(super) struct Partial {
    pub(super) piece: PieceIndex,
    pub(super) rights: Rights,
    blocks: Vec<BlockState>,
    missing: u32,
    held: u32,
    /// No block before this one is missing.
    next: u32,
    /// Place in the list of pickable ones, if it is there.
    pickable: Option<u32>,
}

impl Partial {
    pub(super) fn blocks(&self) -> &[BlockState] {
        &self.blocks
    }

    pub(super) const fn held(&self) -> u32 {
        self.held
    }

    pub(super) const fn missing(&self) -> u32 {
        self.missing
    }

    /// Some block came from there.
    pub(super) fn holds_of(&self, origin: Origin) -> bool {
        self.blocks.contains(&BlockState::Held(origin))
    }

    /// No block was asked or came.
    pub(super) fn is_untouched(&self) -> bool {
        self.missing as usize == self.blocks.len()
    }

    /// Some block is asked and has not come.
    pub(super) fn is_awaited(&self) -> bool {
        (self.held + self.missing) as usize != self.blocks.len()
    }
}

/// What became of a block that arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// It is the first copy.
    First {
        /// How many other peers are still asked for it.
        duplicates: u8,
    },
    /// We have it already, or do not want it any more.
    Unwanted,
}

#[derive(Debug)]
pub(super) struct Partials {
    /// Index of a piece's table in `tables`, or `NONE`.
    table_of: Vec<u32>,
    tables: Vec<Partial>,
    /// Unused ones of `tables`.
    spare: Vec<u32>,
    pickable: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Partials {
    pub(super) fn new(piece_count: u32) -> Self {
        Self {
            table_of: vec![NONE; piece_count as usize],
            tables: Vec::new(),
            spare: Vec::new(),
            pickable: Vec::new(),
        }
    }

    /// Partial pieces, full ones included.
    pub(super) fn len(&self) -> usize {
        self.tables.len() - self.spare.len()
    }

    pub(super) fn get(&self, piece: PieceIndex) -> Option<&Partial> {
        self.tables.get(self.table_of[piece.as_usize()] as usize)
    }

    /// All of them, full ones included.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Partial> + '_ {
        self.tables.iter().filter(|partial| !partial.blocks.is_empty())
    }

    /// Those with a missing block.
    pub(super) fn pickable(&self) -> impl ExactSizeIterator<Item = &Partial> + '_ {
        self.pickable.iter().map(|&at| &self.tables[at as usize])
    }

    /// Starts a piece of so many blocks; a piece that is under way already keeps its blocks.
    pub(super) fn open(&mut self, piece: PieceIndex, block_count: u32, rights: Rights) {
        if let Some(partial) = self.get_mut(piece) {
            partial.rights = rights;
            return;
        }
        let at = self.spare.pop().unwrap_or_else(|| {
            self.tables.push(Partial {
                piece,
                rights,
                blocks: Vec::new(),
                missing: 0,
                held: 0,
                next: 0,
                pickable: None,
            });
            self.tables.len() as u32 - 1
        });
        let partial = &mut self.tables[at as usize];
        partial.piece = piece;
        partial.rights = rights;
        partial.blocks.resize(block_count as usize, BlockState::Missing);
        (partial.missing, partial.held, partial.next) = (block_count, 0, 0);
        self.table_of[piece.as_usize()] = at;
        self.list(at);
    }

    /// Forgets the piece; where its held blocks came from, by block number, is written to `origins`.
    pub(super) fn close(&mut self, piece: PieceIndex, origins: &mut Vec<Option<Origin>>) {
        let at = std::mem::replace(&mut self.table_of[piece.as_usize()], NONE);
        if at == NONE {
            return;
        }
        self.unlist(at);
        let partial = &mut self.tables[at as usize];
        origins.extend(partial.blocks.drain(..).map(|block| match block {
            BlockState::Held(origin) => Some(origin),
            BlockState::Missing | BlockState::Asked(_) => None,
        }));
        self.spare.push(at);
    }

    /// The piece's first missing block becomes asked; its number.
    pub(super) fn ask_next(&mut self, piece: PieceIndex) -> Option<u32> {
        let partial = self.get_mut(piece).filter(|partial| partial.missing > 0)?;
        let ahead = &partial.blocks[partial.next as usize..];
        let step = ahead.iter().position(|block| *block == BlockState::Missing)?;
        let number = partial.next + step as u32;
        partial.next = number + 1;
        partial.blocks[number as usize] = BlockState::Asked(1);
        partial.missing -= 1;
        if partial.missing == 0 {
            self.unlist(self.table_of[piece.as_usize()]);
        }
        Some(number)
    }

    /// One more peer is asked for a block, if it is asked already, of fewer than `limit` peers.
    pub(super) fn ask_again(&mut self, piece: PieceIndex, number: u32, limit: u8) -> bool {
        let block = self.get_mut(piece).and_then(|partial| partial.blocks.get_mut(number as usize));
        match block {
            Some(BlockState::Asked(times)) if *times < limit => {
                *times += 1;
                true
            }
            _ => false,
        }
    }

    /// One peer fewer is asked for the block; true if it is missing now.
    pub(super) fn release(&mut self, piece: PieceIndex, number: u32) -> bool {
        let at = self.table_of[piece.as_usize()];
        let Some(partial) = self.tables.get_mut(at as usize) else { return false };
        let Some(block) = partial.blocks.get_mut(number as usize) else { return false };
        match *block {
            BlockState::Asked(times) if times > 1 => {
                *block = BlockState::Asked(times - 1);
                false
            }
            BlockState::Asked(_) => {
                *block = BlockState::Missing;
                partial.missing += 1;
                partial.next = partial.next.min(number);
                self.list(at);
                true
            }
            BlockState::Missing | BlockState::Held(_) => false,
        }
    }

    /// The block came. `asked` tells whether it was still asked of the sender.
    pub(super) fn receive(
        &mut self,
        piece: PieceIndex,
        number: u32,
        origin: Origin,
        asked: bool,
    ) -> Arrival {
        let at = self.table_of[piece.as_usize()];
        let Some(partial) = self.tables.get_mut(at as usize) else { return Arrival::Unwanted };
        let Some(block) = partial.blocks.get_mut(number as usize) else { return Arrival::Unwanted };
        let duplicates = match *block {
            BlockState::Held(_) => return Arrival::Unwanted,
            BlockState::Asked(times) => times - u8::from(asked),
            BlockState::Missing => {
                partial.missing -= 1;
                0
            }
        };
        *block = BlockState::Held(origin);
        partial.held += 1;
        if partial.missing == 0 {
            self.unlist(at);
        }
        Arrival::First { duplicates }
    }

    /// Pieces given to this peer go to everybody again; how many did.
    pub(super) fn disown(&mut self, slot: PeerSlot, speed: Speed) -> usize {
        let owned = self.tables.iter_mut().filter(|partial| partial.rights.owner() == Some(slot));
        owned.map(|partial| partial.rights = Rights::Shared(speed)).count()
    }

    fn get_mut(&mut self, piece: PieceIndex) -> Option<&mut Partial> {
        self.tables.get_mut(self.table_of[piece.as_usize()] as usize)
    }

    fn list(&mut self, at: u32) {
        let partial = &mut self.tables[at as usize];
        if partial.pickable.is_none() {
            partial.pickable = Some(self.pickable.len() as u32);
            self.pickable.push(at);
        }
    }

    fn unlist(&mut self, at: u32) {
        let Some(place) = self.tables[at as usize].pickable.take() else { return };
        self.pickable.swap_remove(place as usize);
        if let Some(&moved) = self.pickable.get(place as usize) {
            self.tables[moved as usize].pickable = Some(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORIGIN: Origin = Origin(7);

    fn piece(index: u32) -> PieceIndex {
        PieceIndex::trusted(index)
    }

    fn one_piece(blocks: u32) -> Partials {
        let mut partials = Partials::new(1);
        partials.open(piece(0), blocks, Rights::Shared(Speed::Slow));
        partials
    }

    #[test]
    fn a_released_block_is_the_next_to_be_asked() {
        let mut partials = one_piece(3);
        let asked: Vec<_> = std::iter::from_fn(|| partials.ask_next(piece(0))).collect();
        assert_eq!((asked, partials.pickable().len()), (vec![0, 1, 2], 0));
        assert!(partials.release(piece(0), 1));
        assert_eq!(partials.ask_next(piece(0)), Some(1));
    }

    #[test]
    fn the_first_copy_counts_and_names_the_peers_still_asked() {
        let mut partials = one_piece(1);
        partials.ask_next(piece(0));
        partials.ask_again(piece(0), 0, 4);
        let first = partials.receive(piece(0), 0, ORIGIN, true);
        assert_eq!(first, Arrival::First { duplicates: 1 });
        assert_eq!(partials.receive(piece(0), 0, ORIGIN, true), Arrival::Unwanted);
        let mut origins = Vec::new();
        partials.close(piece(0), &mut origins);
        assert_eq!(origins, [Some(ORIGIN)]);
    }

    proptest! {
        #[test]
        fn counts_agree_with_the_states(
            steps in prop::collection::vec((0_u32..3, 0_u32..6, 0_u8..6), 0..200),
        ) {
            let mut partials = Partials::new(3);
            for (index, number, step) in steps {
                let piece = piece(index);
                match step {
                    0 => partials.open(piece, 6, Rights::Whole(PeerSlot(0))),
                    1 => drop(partials.ask_next(piece)),
                    2 => drop(partials.ask_again(piece, number, 4)),
                    3 => drop(partials.release(piece, number)),
                    4 => drop(partials.receive(piece, number, ORIGIN, false)),
                    _ => partials.close(piece, &mut Vec::new()),
                }
                let missing = |partial: &Partial| {
                    partial.blocks.iter().filter(|block| **block == BlockState::Missing).count()
                };
                for partial in partials.iter() {
                    prop_assert_eq!(missing(partial), partial.missing as usize);
                    prop_assert_eq!(partial.pickable.is_some(), partial.missing > 0);
                    let held =
                        partial.blocks.iter().filter(|block| matches!(block, BlockState::Held(_)));
                    prop_assert_eq!(held.count(), partial.held as usize);
                }
                prop_assert_eq!(partials.iter().count(), partials.len());
                prop_assert!(partials.pickable().all(|partial| partial.missing > 0));
            }
        }
    }
}
