//! One connected peer: what was negotiated, what each side said last, and its sub-machines.
//!
//! Invariants: `useful` counts the pieces the peer has that we want and lack; `have` has the torrent's
//! length once the metadata is known. Decides nothing: that is `Swarm`'s.

use crate::exchange::Exchange;
use crate::machine::Hello;
use crate::picker::{Origin, Work};
use crate::rate::Meter;
use crate::requests::RequestQueue;
use crate::swarm::{PeerCounts, Question};
use piecework_types::{Bitfield, Block, PeerSlot, PieceIndex, Time};
use piecework_wire::extension::ExtensionIds;
use std::collections::VecDeque;

/// Pieces of an allowed-fast set or of suggestions that are remembered.
pub(crate) const REMEMBERED_MAX: usize = 64;

/// What a peer said it has before the metadata was known.
#[derive(Debug, Default)]
pub(crate) enum Early {
    /// Nothing.
    #[default]
    Nothing,
    /// Every piece.
    All,
    /// A bitfield in wire form.
    Bitfield(Vec<u8>),
}

/// Requests that make no sense, and the like, until the peer is dropped.
pub(crate) const STRIKES_MAX: u32 = 32;

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) hello: Hello,
    pub(crate) origin: Origin,

    pub(crate) have: Bitfield,
    /// Claims that wait for the metadata.
    pub(crate) early: Early,
    pub(crate) early_haves: Vec<u32>,
    /// It sent its bitfield, have-all or have-none.
    pub(crate) has_introduced: bool,
    /// Pieces it has that we want and lack.
    pub(crate) useful: u32,

    pub(crate) am_interested: bool,
    pub(crate) am_choking: bool,
    pub(crate) is_interested: bool,
    pub(crate) is_choking: bool,
    /// It downloads nothing any more (BEP 21).
    pub(crate) is_upload_only: bool,

    pub(crate) requests: RequestQueue,
    pub(crate) work: Work,
    /// Pieces it lets us ask for while it chokes us, and that we let it ask for (BEP 6).
    pub(crate) allowed_to_us: Vec<PieceIndex>,
    pub(crate) allowed_to_it: Vec<PieceIndex>,
    pub(crate) suggested: Vec<PieceIndex>,
    /// It contributed to a piece that failed.
    pub(crate) is_suspect: bool,
    /// It was told that we speak of payments.
    pub(crate) told_pay: bool,
    /// Both sides speak of payments.
    pub(crate) speaks_pay: bool,
    /// It was served, or asked, for money.
    pub(crate) has_traded: bool,
    /// How long it stays for that although neither side wants anything.
    pub(crate) lingers_until: Option<Time>,
    /// A part of the uplink is kept for it.
    pub(crate) is_reserved: bool,
    /// When so much of that is used, its counts are reported.
    pub(crate) report_at: u64,
    /// Pieces are bought whole of it.
    pub(crate) is_sole: bool,
    /// What came of it; what was sent is counted by the uplink.
    pub(crate) counts: PeerCounts,
    /// Requests taken back for a reader since the last tick.
    pub(crate) taken_back: u32,
    /// It stands in the list of peers to be asked.
    pub(crate) is_queued: bool,
    /// It refused a block though it does not choke us: it is asked again at the next tick.
    pub(crate) is_paused: bool,

    pub(crate) extensions: ExtensionIds,
    pub(crate) client: Option<String>,

    pub(crate) down: Meter,
    pub(crate) up: Meter,
    pub(crate) received_at: Time,
    pub(crate) sent_at: Time,
    pub(crate) strikes: u32,
    /// What it asked and we have not answered, and the bytes of answers that its connection has yet to
    /// take.
    pub(crate) questions: VecDeque<Question>,
    pub(crate) answered_bytes: usize,
    /// The second in which it was refused something, and how often.
    pub(crate) refused_in: u64,
    pub(crate) refused: u32,
    /// The TCP port it says it listens on.
    pub(crate) listen_port: Option<u16>,
    /// It says that it would rather have its connections encrypted.
    pub(crate) prefers_encryption: bool,
    /// What it and we tell each other of others.
    pub(crate) exchange: Exchange,
}

impl Peer {
    pub(crate) fn new(hello: Hello, origin: Origin, piece_count: u32, now: Time) -> Self {
        Self {
            hello,
            origin,
            have: Bitfield::new(piece_count),
            early: Early::Nothing,
            early_haves: Vec::new(),
            has_introduced: false,
            useful: 0,
            am_interested: false,
            am_choking: true,
            is_interested: false,
            is_choking: true,
            is_upload_only: false,
            requests: RequestQueue::new(now),
            work: Work::default(),
            allowed_to_us: Vec::new(),
            allowed_to_it: Vec::new(),
            suggested: Vec::new(),
            is_suspect: false,
            told_pay: false,
            speaks_pay: false,
            has_traded: false,
            lingers_until: None,
            is_reserved: false,
            report_at: 0,
            is_sole: false,
            counts: PeerCounts::default(),
            taken_back: 0,
            is_queued: false,
            is_paused: false,
            extensions: ExtensionIds::default(),
            client: None,
            down: Meter::default(),
            up: Meter::default(),
            received_at: now,
            sent_at: now,
            strikes: 0,
            questions: VecDeque::new(),
            answered_bytes: 0,
            refused_in: 0,
            refused: 0,
            listen_port: None,
            prefers_encryption: false,
            exchange: Exchange::default(),
        }
    }

    /// Whether it will never want a piece of us.
    pub(crate) fn is_done(&self) -> bool {
        self.is_upload_only || self.is_seed()
    }

    /// Whether it has every piece of a torrent that has any.
    pub(crate) fn is_seed(&self) -> bool {
        self.have.is_full() && !self.have.is_empty()
    }

    /// Counts something that no well-behaved peer does often; true when it was once too often.
    pub(crate) const fn strike(&mut self) -> bool {
        self.strikes += 1;
        self.strikes > STRIKES_MAX
    }

    /// Counts a block that it was asked for and has sent, if it may have to be paid for.
    pub(crate) fn note_came(&mut self, block: Block) {
        if self.speaks_pay && !self.allowed_to_us.contains(&block.piece) {
            self.counts.came += u64::from(block.length);
        }
    }

    /// Bytes of memory its early claims take.
    pub(crate) fn early_bytes(&self) -> usize {
        let bitfield = match &self.early {
            Early::Bitfield(bytes) => bytes.len(),
            Early::Nothing | Early::All => 0,
        };
        bitfield + 4 * self.early_haves.len()
    }
}

/// The connected peers by slot.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    slots: Vec<Option<Box<Peer>>>,
    count: usize,
}

/// Slots above this are the driver's mistake.
const SLOTS_MAX: usize = 1 << 16;

impl Peers {
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn get(&self, slot: PeerSlot) -> Option<&Peer> {
        self.slots.get(slot.0 as usize)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, slot: PeerSlot) -> Option<&mut Peer> {
        self.slots.get_mut(slot.0 as usize)?.as_deref_mut()
    }

    /// False when the slot cannot be used.
    pub(crate) fn insert(&mut self, slot: PeerSlot, peer: Peer) -> bool {
        let at = slot.0 as usize;
        if at >= SLOTS_MAX || self.get(slot).is_some() {
            return false;
        }
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || None);
        }
        self.slots[at] = Some(Box::new(peer));
        self.count += 1;
        true
    }

    pub(crate) fn remove(&mut self, slot: PeerSlot) -> Option<Box<Peer>> {
        let peer = self.slots.get_mut(slot.0 as usize)?.take()?;
        self.count -= 1;
        Some(peer)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PeerSlot, &Peer)> + '_ {
        let slots = (0..).map(PeerSlot).zip(&self.slots);
        slots.filter_map(|(slot, peer)| Some((slot, peer.as_deref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (PeerSlot, &mut Peer)> + '_ {
        let slots = (0..).map(PeerSlot).zip(&mut self.slots);
        slots.filter_map(|(slot, peer)| Some((slot, peer.as_deref_mut()?)))
    }

    /// Slots in use, so that each can be visited while others change.
    pub(crate) fn slots(&self) -> Vec<PeerSlot> {
        self.iter().map(|(slot, _)| slot).collect()
    }
}
