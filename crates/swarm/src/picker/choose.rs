//! The order of preference: what is urgent, what the peer is doing already, what its like are doing,
//! the rarest open piece, anything, and at the very end a second copy.
//!
//! Invariant: a piece is looked for only when the one at hand has no missing block left.

use super::partial::{BlockState, Partial, Rights};
use super::{Asker, COPIES_MAX, Picker, RANDOM_PIECES, Speed};
use piecework_types::{BLOCK_BYTES, Block, PieceIndex};
use std::time::Duration;

/// Bytes asked of one piece before the next of those side by side: one run for a hash lane and for
/// one vectored write.
const RUN_BLOCKS: u32 = 256 * 1024 / BLOCK_BYTES;

/// Pieces side by side at most: as many as the narrower vector unit has lanes.
pub(crate) const SIDE_BY_SIDE_MAX: usize = 8;

/// A peer that is busy longer than this gets nothing urgent (libtorrent's streaming rule).
const BUSY: Duration = Duration::from_secs(2);

/// Of ten blocks of a streaming torrent so many are urgent ones (BiToS, Vlavianos 2006); the rest is
/// rarest first, so that a player is of use to others.
const URGENT_OF_TEN: u64 = 8;

/// A reader that has less than this in store gets urgent blocks only.
const NEAR: Duration = Duration::from_secs(5);

/// What one peer is doing: the pieces it is asked for now.
#[derive(Clone, Debug, Default)]
pub struct Work {
    pieces: Vec<PieceIndex>,
    /// Whose turn it is among `pieces`, and how many blocks of its run are left.
    turn: usize,
    run_left: u32,
    /// The urgent piece it adds to.
    urgent: Option<PieceIndex>,
    /// Generations of the picker at which nothing was found.
    nothing_at: u64,
    nothing_urgent_at: u64,
}

impl Work {
    /// Look again: the peer has more pieces, or is allowed more.
    pub const fn wake(&mut self) {
        (self.nothing_at, self.nothing_urgent_at) = (0, 0);
    }

    /// Drops all pieces: the peer was snubbed, or choked us.
    pub fn clear(&mut self) {
        self.pieces.clear();
        self.urgent = None;
        self.wake();
    }

    /// The reader is elsewhere now: what was urgent need not be.
    pub(crate) const fn forget_urgent(&mut self) {
        (self.urgent, self.nothing_urgent_at) = (None, 0);
    }

    pub(super) const fn is_idle_until(&self, generation: u64) -> bool {
        self.nothing_at == generation
    }

    pub(super) const fn found_nothing(&mut self, generation: u64) {
        self.nothing_at = generation;
    }
}

impl Picker {
    /// One more copy of a block that others are asked for, if every wanted block is asked. `is_mine`
    /// tells which ones this peer is asked for already.
    pub fn pick_duplicate(
        &mut self,
        asker: &Asker<'_>,
        is_mine: impl Fn(Block) -> bool,
    ) -> Option<Block> {
        if !self.is_end_game() {
            return None;
        }
        let mut best: Option<(u8, Block)> = None;
        for partial in self.partials.iter() {
            let piece = partial.piece;
            let may = partial.is_awaited() && partial.rights.admits(asker.slot);
            if !may || !self.wants(piece) || !asker.have.contains(piece) {
                continue;
            }
            for (number, state) in (0..).zip(partial.blocks()) {
                let BlockState::Asked(times) = *state else { continue };
                let limit = best.map_or(COPIES_MAX, |(fewest, _)| fewest);
                let block = self.grid.block(piece, number);
                let Some(block) = block.filter(|block| times < limit && !is_mine(*block)) else {
                    continue;
                };
                best = Some((times, block));
            }
        }
        let (_, block) = best?;
        self.ask_copy(block).then_some(block)
    }

    /// Whether every wanted block is asked or held. Strict: also blocks that nobody has count, so that
    /// a swarm that lacks pieces spends nothing on second copies.
    pub fn is_end_game(&self) -> bool {
        let is_wanted = |partial: &Partial| self.wants(partial.piece);
        self.rarity.open_count() == 0 && !self.partials.pickable().any(is_wanted)
    }

    /// Whether the next block should be an urgent one: always while the reader has little in store.
    pub(super) fn prefers_urgent(&mut self) -> bool {
        let (Some(stream), Some(next)) = (self.stream, self.needed_first()) else { return false };
        let is_near = stream.deadline(&self.grid, next) <= self.now + NEAR;
        is_near || self.rng.chance(URGENT_OF_TEN, 10)
    }

    pub(super) fn pick_urgent(
        &mut self,
        asker: &Asker<'_>,
        work: &mut Work,
    ) -> Option<(PieceIndex, u32)> {
        let stream = self.stream?;
        if asker.is_snubbed {
            return None;
        }
        if let Some(piece) = work.urgent.filter(|&piece| self.may_start_or_join(piece, asker))
            && let Some(number) = self.partials.ask_next(piece)
        {
            return Some((piece, number));
        }
        if work.nothing_urgent_at == self.generation {
            return None;
        }
        let is_busy = asker.queue_time > BUSY;
        let arrival = self.now + asker.queue_time;
        let chosen = stream.pieces(&self.grid, self.now).map(PieceIndex::trusted).find(|&piece| {
            let in_time = stream.deadline(&self.grid, piece) >= arrival;
            (in_time || !is_busy) && self.may_start_or_join(piece, asker)
        });
        work.urgent = chosen;
        let Some(piece) = chosen else {
            // A busy peer may find something as soon as it is less so.
            work.nothing_urgent_at = if is_busy { 0 } else { self.generation };
            return None;
        };
        self.start_or_join(piece, asker)
    }

    pub(super) fn pick_ordinary(
        &mut self,
        asker: &Asker<'_>,
        work: &mut Work,
    ) -> Option<(PieceIndex, u32)> {
        let side_by_side = if asker.speed == Speed::Fast && !asker.is_snubbed {
            asker.side_by_side.clamp(1, SIDE_BY_SIDE_MAX)
        } else {
            1
        };
        loop {
            if work.run_left > 0
                && let Some(&piece) = work.pieces.get(work.turn)
            {
                match self.continue_piece(piece, asker) {
                    Some(number) => {
                        work.run_left -= 1;
                        return Some((piece, number));
                    }
                    None => {
                        work.pieces.swap_remove(work.turn);
                    }
                }
            }
            work.run_left = RUN_BLOCKS;
            if work.pieces.len() >= side_by_side {
                work.turn = (work.turn + 1) % work.pieces.len();
                continue;
            }
            let Some(piece) = self.choose(asker) else {
                work.turn = (work.turn + 1).checked_rem(work.pieces.len())?;
                continue;
            };
            work.turn = work.pieces.len();
            work.pieces.push(piece);
            if self.rarity.is_open(piece) {
                let rights = self.rights(piece, asker);
                self.open(piece, rights);
            }
        }
    }

    /// The next missing block of a piece the peer is at, unless it was taken from it meanwhile.
    fn continue_piece(&mut self, piece: PieceIndex, asker: &Asker<'_>) -> Option<u32> {
        let partial = self.partials.get(piece)?;
        let is_ours = partial.rights.admits(asker.slot) && asker.have.contains(piece);
        (is_ours && self.wants(piece)).then(|| self.partials.ask_next(piece))?
    }

    /// The piece this peer should start or join.
    fn choose(&mut self, asker: &Asker<'_>) -> Option<PieceIndex> {
        if asker.is_snubbed {
            let open = self.rarity.commonest().find(|&piece| asker.have.contains(piece));
            return open.or_else(|| self.choose_any_partial(asker));
        }
        if asker.is_alone {
            return self
                .choose_begun(asker)
                .or_else(|| self.choose_open(asker))
                .or_else(|| self.choose_any_partial(asker));
        }
        self.choose_shared(asker)
            .or_else(|| self.choose_open(asker))
            .or_else(|| self.choose_any_partial(asker))
    }

    /// A piece that has blocks of a peer that is paid, whoever began it. Were such pieces left for later, as
    /// much of what it sent would stay unverified, and a seller that gives credit for about one piece would
    /// wait for money, and its buyer for the rest of a piece.
    fn choose_begun(&self, asker: &Asker<'_>) -> Option<PieceIndex> {
        let origin = asker.finishes?;
        self.furthest(self.partials.pickable().filter(|partial| partial.holds_of(origin)), asker)
    }

    /// A piece that was left by those who began it, or that peers of the same speed are at; of any
    /// speed when too many are under way.
    fn choose_shared(&self, asker: &Asker<'_>) -> Option<PieceIndex> {
        let too_many = 2 * self.partials.pickable().len() > 3 * self.peer_count.max(1);
        let joinable = self.partials.pickable().filter(|partial| match partial.rights {
            Rights::Shared(_) if too_many || !partial.is_awaited() => true,
            Rights::Shared(speed) => speed == asker.speed && speed != Speed::Fast,
            Rights::Whole(_) | Rights::Alone(_) => false,
        });
        self.furthest(joinable, asker)
    }

    fn choose_open(&mut self, asker: &Asker<'_>) -> Option<PieceIndex> {
        if self.rarity.available_count() == 0 {
            return None;
        }
        if let Some(piece) = self.choose_preferred(asker) {
            return Some(piece);
        }
        if self.sequential {
            return self.choose_first(asker);
        }
        if (self.have.count() as usize + self.partials.len()) < RANDOM_PIECES as usize {
            return self.rarity.shuffled(asker.have, &mut self.rng).next();
        }
        let is_open =
            |piece: &PieceIndex| self.rarity.is_open(*piece) && asker.have.contains(*piece);
        let suggested = asker.suggested.iter().copied().find(is_open);
        suggested.or_else(|| self.rarity.rarest().find(|&piece| asker.have.contains(piece)))
    }

    /// The next of the pieces that go before all others.
    fn choose_preferred(&mut self, asker: &Asker<'_>) -> Option<PieceIndex> {
        let rest = self.first.get(self.first_from..)?;
        self.first_from += rest.iter().take_while(|&&piece| !self.wants(piece)).count();
        let is_open =
            |piece: &&PieceIndex| self.rarity.is_open(**piece) && asker.have.contains(**piece);
        self.first.get(self.first_from..)?.iter().find(is_open).copied()
    }

    /// The first open piece in order.
    fn choose_first(&mut self, asker: &Asker<'_>) -> Option<PieceIndex> {
        let count = self.grid.piece_count();
        let is_done = |index: &u32| !self.wants(PieceIndex::trusted(*index));
        self.sequential_from += (self.sequential_from..count).take_while(is_done).count() as u32;
        (self.sequential_from..count)
            .map(PieceIndex::trusted)
            .find(|&piece| self.rarity.is_open(piece) && asker.have.contains(piece))
    }

    /// Any piece that lacks blocks and may be joined, others' whole pieces included.
    fn choose_any_partial(&self, asker: &Asker<'_>) -> Option<PieceIndex> {
        self.furthest(self.partials.pickable(), asker)
    }

    /// Of the given pieces the one nearest to its end: a finished piece can be traded.
    fn furthest<'a>(
        &self,
        partials: impl Iterator<Item = &'a Partial>,
        asker: &Asker<'_>,
    ) -> Option<PieceIndex> {
        partials
            .filter(|partial| partial.rights.admits(asker.slot))
            .filter(|partial| asker.have.contains(partial.piece) && self.wants(partial.piece))
            .max_by_key(|partial| (partial.held(), std::cmp::Reverse(partial.missing())))
            .map(|partial| partial.piece)
    }

    fn may_start_or_join(&self, piece: PieceIndex, asker: &Asker<'_>) -> bool {
        if !asker.have.contains(piece) || !self.wants(piece) {
            return false;
        }
        match self.partials.get(piece) {
            None => self.rarity.is_open(piece),
            Some(partial) if partial.is_untouched() => partial.rights.admits(asker.slot),
            Some(partial) => {
                let is_its_own = partial.rights == Rights::Alone(asker.slot);
                let may = partial.rights.admits(asker.slot) && (!asker.is_alone || is_its_own);
                may && partial.missing() > 0
            }
        }
    }

    fn start_or_join(&mut self, piece: PieceIndex, asker: &Asker<'_>) -> Option<(PieceIndex, u32)> {
        if self.rarity.is_open(piece) {
            // Urgent pieces are for everybody, unless one has to answer for it.
            let rights = match self.rights(piece, asker) {
                Rights::Whole(_) => Rights::Shared(asker.speed),
                rights @ (Rights::Shared(_) | Rights::Alone(_)) => rights,
            };
            self.open(piece, rights);
        }
        self.partials.ask_next(piece).map(|number| (piece, number))
    }
}
