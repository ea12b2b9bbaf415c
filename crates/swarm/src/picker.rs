//! Which block to ask next.
//!
//! Owns what we have, what we want, how common each piece is, and the state of every block under way.
//! Invariants: a block is missing, asked, or held: exactly one; nothing is asked that we have, do not
//! want, or could not check; [`Picker::pick`] returns a block that nobody is asked for.
//! Cost: O(1) a block; choosing a piece looks at open pieces in order until the peer has one.
//! It must not know connections, messages, how much to ask (that is `RequestQueue`), or payload.

use crate::view::PieceState;
use piecework_types::{Bitfield, Block, PeerSlot, PieceGrid, PieceIndex, Rng, Time};
use std::time::Duration;

mod choose;
mod partial;
mod rarity;
mod run;
mod stream;
#[cfg(test)]
mod tests;

pub use choose::Work;
pub use partial::{Arrival, Origin};
use partial::{Partials, Rights};
use rarity::{PRIORITY_MAX, Rarity};
use stream::Stream;
pub use stream::StreamWindow;

/// A peer that finishes a piece faster than this takes whole pieces (libtorrent's
/// `whole_pieces_threshold`).
const WHOLE_PIECE: Duration = Duration::from_secs(20);
/// Slower than this for a piece is slow.
const MEDIUM_PIECE: Duration = Duration::from_secs(80);

/// How fast a peer is, measured in pieces: peers of one speed share pieces.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Speed {
    /// A piece takes longer than 80 s, or nothing is known.
    #[default]
    Slow,
    /// A piece takes 20 to 80 s.
    Medium,
    /// A piece takes less than 20 s.
    Fast,
}

impl Speed {
    /// The speed of a peer that sends so many bytes a second.
    pub fn of(rate_bytes: u64, piece_bytes: u32) -> Self {
        let in_time =
            |limit: Duration| rate_bytes.saturating_mul(limit.as_secs()) >= u64::from(piece_bytes);
        match rate_bytes {
            0 => Self::Slow,
            _ if in_time(WHOLE_PIECE) => Self::Fast,
            _ if in_time(MEDIUM_PIECE) => Self::Medium,
            _ => Self::Slow,
        }
    }
}

/// The peer that is to be asked.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Its slot.
    pub slot: PeerSlot,
    /// What it has.
    pub have: &'a Bitfield,
    /// How fast it is.
    pub speed: Speed,
    /// It unchoked us and sent nothing for long: it gets what others have in plenty.
    pub is_snubbed: bool,
    /// It gets whole pieces alone: it contributed to one that failed, or is paid for them.
    pub is_alone: bool,
    /// The number of a peer that is paid for what is verified: of pieces that have blocks of it, those that
    /// lack some go before new ones.
    pub finishes: Option<Origin>,
    /// Pieces it is asked for side by side while it is fast, at least 1.
    pub side_by_side: usize,
    /// Pieces it suggested (BEP 6), in its order.
    pub suggested: &'a [PieceIndex],
    /// How long what it is asked already will take.
    pub queue_time: Duration,
}

/// Peers asked for one block at most.
const COPIES_MAX: u8 = 4;

/// How many pieces at the start are picked at random, to have something to trade soon.
const RANDOM_PIECES: u32 = 4;

/// Chooses blocks. See the module documentation.
#[derive(Debug)]
pub struct Picker {
    grid: PieceGrid,
    have: Bitfield,
    /// Pieces whose hash is not known yet: they cannot be checked, so they are not asked.
    locked: Bitfield,
    /// Pieces that failed their hash: one peer alone gets them.
    failed: Bitfield,
    priorities: Vec<u8>,
    wanted_missing: u32,
    left_bytes: u64,
    missing_bytes: u64,
    rarity: Rarity,
    partials: Partials,
    peer_count: usize,
    sequential: bool,
    /// No wanted piece before this one is missing.
    sequential_from: u32,
    /// Pieces to be asked before all others, in this order; those before `first_from` are there.
    first: Vec<PieceIndex>,
    first_from: usize,
    stream: Option<Stream>,
    /// Grows whenever blocks may have become pickable: a peer that found nothing looks again then.
    generation: u64,
    now: Time,
    rng: Rng,
}

impl Picker {
    /// A picker for a torrent of which `have` is stored. `priorities` has one entry a piece (missing
    /// ones count as unwanted), 0 to 7.
    pub fn new(grid: PieceGrid, have: Bitfield, priorities: &[u8], rng: Rng) -> Self {
        let count = grid.piece_count();
        let missing = grid.pieces().filter(|piece| !have.contains(*piece));
        let missing_bytes = missing.map(|piece| u64::from(grid.piece_bytes(piece))).sum();
        let mut picker = Self {
            have,
            locked: Bitfield::new(count),
            failed: Bitfield::new(count),
            priorities: vec![0; count as usize],
            wanted_missing: 0,
            left_bytes: 0,
            missing_bytes,
            rarity: Rarity::new(count),
            partials: Partials::new(count),
            peer_count: 0,
            sequential: false,
            sequential_from: 0,
            first: Vec::new(),
            first_from: 0,
            stream: None,
            generation: 1,
            now: Time::ZERO,
            rng,
            grid,
        };
        picker.prioritise(priorities);
        picker
    }

    /// Pieces and blocks.
    pub const fn grid(&self) -> &PieceGrid {
        &self.grid
    }

    /// Verified pieces.
    pub const fn have(&self) -> &Bitfield {
        &self.have
    }

    /// Whether the piece is wanted and not verified.
    pub fn wants(&self, piece: PieceIndex) -> bool {
        self.priorities[piece.as_usize()] > 0 && !self.have.contains(piece)
    }

    /// Whether every wanted piece is verified.
    pub const fn is_complete(&self) -> bool {
        self.wanted_missing == 0
    }

    /// Bytes of wanted pieces that are not verified.
    pub const fn left_bytes(&self) -> u64 {
        self.left_bytes
    }

    /// Bytes of all pieces that are not verified, wanted or not.
    pub const fn missing_bytes(&self) -> u64 {
        self.missing_bytes
    }

    /// Whether blocks of the piece are asked and have not come.
    pub fn is_awaited(&self, piece: PieceIndex) -> bool {
        self.partials.get(piece).is_some_and(partial::Partial::is_awaited)
    }

    /// Whether the block has not come, of a piece that is under way.
    pub(crate) fn is_lacking(&self, block: Block) -> bool {
        let blocks = self.partials.get(block.piece).map(partial::Partial::blocks);
        let state = blocks.and_then(|blocks| blocks.get(block.number() as usize));
        state.is_some_and(|state| !matches!(state, partial::BlockState::Held(_)))
    }

    /// Connected peers that have the piece.
    pub fn availability(&self, piece: PieceIndex) -> u32 {
        self.rarity.availability(piece)
    }

    /// How far the piece is.
    pub fn state(&self, piece: PieceIndex) -> PieceState {
        if self.have.contains(piece) {
            PieceState::Have
        } else if self.partials.get(piece).is_some_and(|partial| !partial.is_untouched()) {
            PieceState::Fetching
        } else {
            PieceState::Missing
        }
    }

    /// Copies of the torrent that the connected peers have together, in thousandths.
    pub fn copies_milli(&self) -> u32 {
        self.rarity.copies_milli()
    }

    /// Pieces under way.
    pub fn partial_count(&self) -> usize {
        self.partials.len()
    }

    /// Gives back memory that only a download needs, once nothing is wanted.
    pub(crate) fn shrink(&mut self) {
        self.rarity.shrink();
    }

    /// The moment that deadlines are compared with.
    pub const fn set_now(&mut self, now: Time) {
        self.now = now;
    }

    /// Connected peers: many of them may have more pieces under way.
    pub const fn set_peer_count(&mut self, peers: usize) {
        self.peer_count = peers;
    }

    /// Ask for pieces in order instead of rarest first.
    pub const fn set_sequential(&mut self, sequential: bool) {
        self.sequential = sequential;
    }

    /// Pieces to be asked before all others, in this order; unwanted ones are not asked for that. Those that
    /// do not exist are left out.
    pub fn set_first(&mut self, pieces: &[PieceIndex]) {
        let exists = |piece: &&PieceIndex| self.grid.piece(piece.get()).is_some();
        self.first = pieces.iter().filter(exists).copied().collect();
        self.first_from = 0;
        self.generation += 1;
    }

    /// A reader plays from here, or streaming has ended.
    pub fn set_stream(&mut self, window: Option<StreamWindow>) {
        self.stream = window.map(|window| Stream::new(window, self.now));
        self.generation += 1;
    }

    /// Whether a reader plays.
    pub const fn is_streaming(&self) -> bool {
        self.stream.is_some()
    }

    /// The first piece that a reader needs soon and that is not there.
    pub(crate) fn needed_first(&self) -> Option<PieceIndex> {
        let pieces = self.stream?.pieces(&self.grid, self.now);
        pieces.map(PieceIndex::trusted).find(|&piece| self.wants(piece))
    }

    /// Whether a reader needs this piece soon.
    pub fn is_urgent(&self, piece: PieceIndex) -> bool {
        let stream = self.stream.iter();
        stream
            .map(|stream| stream.pieces(&self.grid, self.now))
            .any(|pieces| pieces.contains(&piece.get()))
    }

    /// Whether a complete piece is worth more now than a little later: at the start, at the end, and
    /// while a reader plays.
    pub fn is_hurried(&self) -> bool {
        self.have.count() < RANDOM_PIECES || self.is_streaming() || self.is_end_game()
    }

    /// A peer with these pieces came. A seed costs O(1).
    pub fn peer_joined(&mut self, have: &Bitfield) {
        if have.is_full() {
            return self.rarity.seed_joined();
        }
        for piece in have.iter() {
            self.rarity.gained(piece, &mut self.rng);
        }
    }

    /// A peer with these pieces went.
    pub fn peer_left(&mut self, have: &Bitfield) {
        if have.is_full() {
            return self.rarity.seed_left();
        }
        for piece in have.iter() {
            self.rarity.lost(piece, &mut self.rng);
        }
    }

    /// A peer got the piece; `have` is what it has now. One that became a seed is counted as one.
    pub fn peer_gained(&mut self, piece: PieceIndex, have: &Bitfield) {
        if !have.is_full() {
            return self.rarity.gained(piece, &mut self.rng);
        }
        for other in have.iter().filter(|other| *other != piece) {
            self.rarity.lost(other, &mut self.rng);
        }
        self.rarity.seed_joined();
    }

    /// A peer lost the piece (BEP 54); `have` is what it has now.
    pub fn peer_lost(&mut self, piece: PieceIndex, have: &Bitfield) {
        if have.count() + 1 < have.len() {
            return self.rarity.lost(piece, &mut self.rng);
        }
        self.rarity.seed_left();
        for other in have.iter() {
            self.rarity.gained(other, &mut self.rng);
        }
    }

    /// New priorities, one a piece; missing ones count as unwanted.
    pub fn prioritise(&mut self, priorities: &[u8]) {
        (self.wanted_missing, self.left_bytes, self.sequential_from) = (0, 0, 0);
        self.first_from = 0;
        for piece in self.grid.pieces() {
            let priority = priorities.get(piece.as_usize()).copied().unwrap_or(0);
            self.priorities[piece.as_usize()] = priority.min(PRIORITY_MAX);
            if self.wants(piece) {
                self.wanted_missing += 1;
                self.left_bytes += u64::from(self.grid.piece_bytes(piece));
            }
            self.reopen(piece);
        }
    }

    /// The hash of these pieces is not known yet: do not ask for them until it is.
    pub fn lock(&mut self, pieces: impl IntoIterator<Item = PieceIndex>) {
        for piece in pieces {
            self.locked.insert(piece);
            self.reopen(piece);
        }
    }

    /// The hash of these pieces is known now.
    pub fn unlock(&mut self, pieces: impl IntoIterator<Item = PieceIndex>) {
        for piece in pieces {
            self.locked.remove(piece);
            self.reopen(piece);
        }
    }

    /// Every block that is asked, with the number of peers it is asked of.
    pub fn asked(&self) -> impl Iterator<Item = (Block, u8)> + '_ {
        self.partials.iter().flat_map(|partial| {
            (0..).zip(partial.blocks()).filter_map(|(number, state)| match state {
                partial::BlockState::Asked(times) => {
                    Some((self.grid.block(partial.piece, number)?, *times))
                }
                partial::BlockState::Missing | partial::BlockState::Held(_) => None,
            })
        })
    }

    /// The next block to ask of this peer, asked from now on. `work` remembers what the peer is doing.
    pub fn pick(&mut self, asker: &Asker<'_>, work: &mut Work) -> Option<Block> {
        if work.is_idle_until(self.generation) {
            return None;
        }
        let found = if self.prefers_urgent() {
            self.pick_urgent(asker, work).or_else(|| self.pick_ordinary(asker, work))
        } else {
            self.pick_ordinary(asker, work).or_else(|| self.pick_urgent(asker, work))
        };
        let Some((piece, number)) = found else {
            work.found_nothing(self.generation);
            return None;
        };
        self.grid.block(piece, number)
    }

    /// The next block that a reader needs soon, and nothing else.
    pub fn pick_for_reader(&mut self, asker: &Asker<'_>, work: &mut Work) -> Option<Block> {
        let (piece, number) = self.pick_urgent(asker, work)?;
        self.grid.block(piece, number)
    }

    /// The next block of the given pieces, as for a peer that chokes us but allows these (BEP 6).
    pub fn pick_among(&mut self, pieces: &[PieceIndex], asker: &Asker<'_>) -> Option<Block> {
        for &piece in pieces {
            if !asker.have.contains(piece) || !self.wants(piece) {
                continue;
            }
            if self.rarity.is_open(piece) {
                let rights = self.rights(piece, asker);
                self.open(piece, rights);
            }
            let admits = |rights: Rights| rights.admits(asker.slot);
            if self.partials.get(piece).is_some_and(|partial| admits(partial.rights))
                && let Some(number) = self.partials.ask_next(piece)
            {
                return self.grid.block(piece, number);
            }
        }
        None
    }

    /// One more peer is asked for a block that is asked elsewhere; false if there are enough.
    pub fn ask_copy(&mut self, block: Block) -> bool {
        self.partials.ask_again(block.piece, block.number(), COPIES_MAX)
    }

    /// A block asked of a peer will not come from it (or not soon).
    pub fn release(&mut self, block: Block) {
        if self.partials.release(block.piece, block.number()) {
            self.generation += 1;
        }
    }

    /// A block came. `asked` tells whether it was still counted as asked of the sender.
    pub fn receive(&mut self, block: Block, origin: Origin, asked: bool) -> Arrival {
        if self.have.contains(block.piece) {
            return Arrival::Unwanted;
        }
        self.partials.receive(block.piece, block.number(), origin, asked)
    }

    /// What was given to this peer alone goes to everybody: it is gone, slow or choking.
    pub fn disown(&mut self, slot: PeerSlot, speed: Speed) {
        if self.partials.disown(slot, speed) > 0 {
            self.generation += 1;
        }
    }

    /// The piece passed its hash and is stored; true if it is news. Where its blocks came from is
    /// written to `origins`.
    pub fn verified(&mut self, piece: PieceIndex, origins: &mut Vec<Option<Origin>>) -> bool {
        let wanted = self.wants(piece);
        self.partials.close(piece, origins);
        if !self.have.insert(piece) {
            return false;
        }
        self.missing_bytes -= u64::from(self.grid.piece_bytes(piece));
        self.failed.remove(piece);
        self.rarity.set_open(piece, 0, &mut self.rng);
        if wanted {
            self.wanted_missing -= 1;
            self.left_bytes -= u64::from(self.grid.piece_bytes(piece));
        }
        true
    }

    /// The piece failed its hash; where its blocks came from is written to `origins`. It is asked
    /// again, of one peer alone.
    pub fn failed(&mut self, piece: PieceIndex, origins: &mut Vec<Option<Origin>>) {
        self.partials.close(piece, origins);
        self.failed.insert(piece);
        self.reopen(piece);
    }

    /// What came of the piece is lost, or the stored piece itself: ask again. True if we had it.
    pub fn lost(&mut self, piece: PieceIndex) -> bool {
        self.partials.close(piece, &mut Vec::new());
        let had = self.have.remove(piece);
        if had {
            self.missing_bytes += u64::from(self.grid.piece_bytes(piece));
        }
        if had && self.wants(piece) {
            self.wanted_missing += 1;
            self.left_bytes += u64::from(self.grid.piece_bytes(piece));
        }
        self.sequential_from = self.sequential_from.min(piece.get());
        self.first_from = 0;
        self.reopen(piece);
        had
    }

    /// Puts the piece where its state belongs among the open ones.
    fn reopen(&mut self, piece: PieceIndex) {
        let is_open =
            self.wants(piece) && !self.locked.contains(piece) && self.partials.get(piece).is_none();
        let priority = if is_open { self.priorities[piece.as_usize()] } else { 0 };
        self.rarity.set_open(piece, priority, &mut self.rng);
        self.generation += 1;
    }

    /// Makes an open piece partial.
    fn open(&mut self, piece: PieceIndex, rights: Rights) {
        self.rarity.set_open(piece, 0, &mut self.rng);
        self.partials.open(piece, self.grid.block_count(piece), rights);
    }

    /// Who may add to a piece that this peer starts.
    fn rights(&self, piece: PieceIndex, asker: &Asker<'_>) -> Rights {
        if asker.is_alone || self.failed.contains(piece) {
            Rights::Alone(asker.slot)
        } else if asker.speed == Speed::Fast && !asker.is_snubbed {
            Rights::Whole(asker.slot)
        } else {
            Rights::Shared(asker.speed)
        }
    }
}
