//! The info dictionary from peers and for peers (BEP 9).
//!
//! Owns the blocks of the metadata while they come. Invariants: at most [`IN_FLIGHT_MAX`] blocks are
//! asked of one peer; memory is held for blocks that came, never for a claimed size. Blocks come from
//! several peers at once; when the whole has the wrong hash it is fetched from one peer alone, so that
//! the next failure has one culprit. Knows slots, no messages.
//!
//! Peers stand in a queue. The first one's claim of a size has its turn, together with all who claim the
//! same. Who let us down goes to the end, as does everybody whose turn ran out while another claim
//! waited, and whoever is new: so each claim is tried after at most one turn of each peer before it,
//! however many lie and however slowly. A turn is longer each time, for an honest peer may be slow.

use piecework_hash::{sha1, sha256};
use piecework_types::{InfoHashes, PeerSlot, Time};
use piecework_wire::extension::{METADATA_BLOCK_BYTES, MetadataMessage};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Blocks asked of one peer at once (libtorrent answers about ten a tick, then waits).
const IN_FLIGHT_MAX: usize = 8;
/// A block that did not come by then is asked of another peer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a peer that rejected, or let us wait, is not asked.
const PAUSE: Duration = Duration::from_secs(30);
/// A claim's first turn, from when another claim waits.
const TURN: Duration = Duration::from_secs(30);
/// A turn that ran out is followed by one of twice the length, so many times: 16 minutes.
const TURN_DOUBLINGS_MAX: u32 = 5;
/// Blocks sent to one peer in a second: 16 MiB, so that a whole dictionary is no matter of seconds. What a
/// peer does not read is bounded elsewhere.
const SERVED_MAX: u32 = 1024;

#[derive(Debug)]
enum Block {
    Missing,
    Asked { slot: PeerSlot, at: Time },
    Held { slot: PeerSlot, bytes: Box<[u8]> },
}

#[derive(Debug)]
struct Peer {
    /// Size it claims.
    bytes: Option<u32>,
    asked: usize,
    /// Place in the queue: the lowest is first.
    ticket: u64,
    /// Turns that ran out.
    turns: u32,
    /// Not asked before.
    paused_until: Time,
    served_in: u64,
    served: u32,
}

impl Peer {
    const fn new(ticket: u64) -> Self {
        let paused_until = Time::ZERO;
        Self { bytes: None, asked: 0, ticket, turns: 0, paused_until, served_in: 0, served: 0 }
    }
}

/// What came of a block.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Received {
    /// It was not asked, or more are to come.
    Nothing,
    /// The metadata is whole and its hash is right.
    Whole(Vec<u8>),
    /// The metadata is whole, its hash is wrong, and this peer sent all of it.
    Liar(PeerSlot),
}

#[derive(Debug)]
pub(crate) struct MetadataExchange {
    info_hashes: InfoHashes,
    known: Option<Arc<[u8]>>,
    /// The claim that has its turn: the size that `blocks` has; 0 when there is none.
    bytes: u32,
    /// The one peer that is asked, while being careful.
    alone: Option<PeerSlot>,
    /// Since when another claim has been waiting, or the turn began.
    turn_since: Time,
    blocks: Vec<Block>,
    held: usize,
    /// Blocks are asked of one peer alone, for a mix had the wrong hash.
    is_careful: bool,
    peers: BTreeMap<PeerSlot, Peer>,
    next_ticket: u64,
}

impl MetadataExchange {
    pub(crate) fn new(info_hashes: InfoHashes) -> Self {
        Self {
            info_hashes,
            known: None,
            bytes: 0,
            alone: None,
            turn_since: Time::ZERO,
            blocks: Vec::new(),
            held: 0,
            is_careful: false,
            peers: BTreeMap::new(),
            next_ticket: 0,
        }
    }

    /// The metadata is known: nothing more is fetched, and it is served.
    pub(crate) fn set_known(&mut self, metadata: Arc<[u8]>) {
        self.known = Some(metadata);
        self.end_turn();
    }

    /// Bytes of the metadata, if it is known.
    pub(crate) fn known_bytes(&self) -> Option<u32> {
        self.known.as_ref().and_then(|known| u32::try_from(known.len()).ok())
    }

    /// The peer speaks BEP 9 and claims this size, if any.
    pub(crate) fn join(&mut self, slot: PeerSlot, bytes: Option<u32>) {
        let peer = self.peer(slot);
        peer.bytes = bytes.or(peer.bytes);
    }

    pub(crate) fn leave(&mut self, slot: PeerSlot) {
        if self.peers.remove(&slot).is_none() {
            return;
        }
        if self.alone == Some(slot) { self.end_turn() } else { self.release(slot) }
    }

    /// Writes the blocks to ask and of whom.
    pub(crate) fn request(&mut self, now: Time, out: &mut Vec<(PeerSlot, u32)>) {
        if self.known.is_some() {
            return;
        }
        self.expire(now);
        self.choose_claim(now);
        let mut at = 0;
        let mut slots: Vec<(u64, PeerSlot)> = self.willing(now).collect();
        slots.sort_unstable();
        for (_, slot) in slots {
            let Some(peer) = self.peers.get_mut(&slot) else { continue };
            while peer.asked < IN_FLIGHT_MAX {
                let rest = &self.blocks[at..];
                let Some(step) = rest.iter().position(|block| matches!(block, Block::Missing))
                else {
                    return;
                };
                at += step;
                self.blocks[at] = Block::Asked { slot, at: now };
                peer.asked += 1;
                out.push((slot, at as u32));
            }
        }
    }

    /// A block came.
    pub(crate) fn receive(
        &mut self,
        slot: PeerSlot,
        number: u32,
        total_bytes: u32,
        data: &[u8],
        now: Time,
    ) -> Received {
        let is_asked =
            |block: &Block| matches!(block, Block::Asked { slot: of, .. } if *of == slot);
        let block = self.blocks.get_mut(number as usize).filter(|block| is_asked(block));
        let (Some(block), Some(peer)) = (block, self.peers.get_mut(&slot)) else {
            return Received::Nothing;
        };
        peer.asked -= 1;
        if total_bytes != self.bytes {
            *block = Block::Missing;
            peer.bytes = None;
            self.let_down(slot, now);
            return Received::Nothing;
        }
        *block = Block::Held { slot, bytes: data.into() };
        self.held += 1;
        if self.held < self.blocks.len() { Received::Nothing } else { self.finish() }
    }

    /// The peer will not send the block.
    pub(crate) fn reject(&mut self, slot: PeerSlot, now: Time) {
        self.let_down(slot, now);
    }

    /// The metadata passed its hash but is no info dictionary: its senders get a pause.
    pub(crate) fn refused(&mut self, now: Time) {
        self.known = None;
        self.end_turn();
        for peer in self.peers.values_mut() {
            peer.paused_until = now + PAUSE;
        }
    }

    /// Whether the peer may have another block in this second.
    pub(crate) fn has_share(&mut self, slot: PeerSlot, now: Time) -> bool {
        let peer = self.peer(slot);
        let second = now.as_micros() / 1_000_000;
        if peer.served_in != second {
            (peer.served_in, peer.served) = (second, 0);
        }
        peer.served < SERVED_MAX
    }

    /// The message that answers a peer's request; `None` rejects it.
    pub(crate) fn serve(&mut self, slot: PeerSlot, block: u32) -> Option<MetadataMessage<'_>> {
        self.peer(slot).served += 1;
        let known = self.known.as_ref()?;
        let start = block as usize * METADATA_BLOCK_BYTES;
        let total_bytes = u32::try_from(known.len()).ok()?;
        let end = start + MetadataMessage::block_bytes(block, total_bytes);
        let data = known.get(start..end).filter(|data| !data.is_empty())?;
        Some(MetadataMessage::Data { block, total_bytes, data })
    }

    /// Whether blocks are asked and may expire.
    pub(crate) fn is_waiting(&self) -> bool {
        self.known.is_none() && !self.peers.is_empty()
    }

    fn peer(&mut self, slot: PeerSlot) -> &mut Peer {
        let next_ticket = &mut self.next_ticket;
        self.peers.entry(slot).or_insert_with(|| Peer::new(take_ticket(next_ticket)))
    }

    /// Those whose claim has its turn.
    fn claimants(&self) -> impl Iterator<Item = (PeerSlot, &Peer)> + '_ {
        let claims = |(slot, peer): &(PeerSlot, &Peer)| {
            peer.bytes == Some(self.bytes) && self.alone.is_none_or(|alone| alone == *slot)
        };
        self.peers.iter().map(|(slot, peer)| (*slot, peer)).filter(claims)
    }

    /// Those of them that may be asked, with their place in the queue.
    fn willing(&self, now: Time) -> impl Iterator<Item = (u64, PeerSlot)> + '_ {
        let willing = self.claimants().filter(move |(_, peer)| peer.paused_until <= now);
        willing.map(|(slot, peer)| (peer.ticket, slot))
    }

    /// Whether a claim that could have a turn has to wait for this one.
    fn has_rival(&self, now: Time) -> bool {
        self.peers.iter().any(|(slot, peer)| {
            let is_other =
                peer.bytes != Some(self.bytes) || self.alone.is_some_and(|alone| alone != *slot);
            is_other && peer.bytes.is_some() && peer.paused_until <= now
        })
    }

    /// Keeps the claim until its turn has run out or nobody is left who could go on, else takes the
    /// first one in the queue.
    fn choose_claim(&mut self, now: Time) {
        if !self.blocks.is_empty() {
            if !self.has_rival(now) {
                self.turn_since = now;
            }
            let is_waiting = self.blocks.iter().any(|block| matches!(block, Block::Asked { .. }));
            let is_promising = self.held > 0 && self.claimants().next().is_some();
            if now.since(self.turn_since) >= self.turn_length() {
                self.run_out();
            } else if is_waiting || is_promising || self.willing(now).next().is_some() {
                return;
            }
        }
        let ready = self.peers.iter().filter(|(_, peer)| peer.paused_until <= now);
        let claims = ready.filter_map(|(slot, peer)| Some((peer.ticket, *slot, peer.bytes?)));
        if let Some((_, slot, bytes)) = claims.min() {
            self.start(bytes, now);
            self.alone = self.is_careful.then_some(slot);
        }
    }

    fn turn_length(&self) -> Duration {
        let turns = self.claimants().map(|(_, peer)| peer.turns).max().unwrap_or(0);
        TURN * (1 << turns.min(TURN_DOUBLINGS_MAX))
    }

    /// The turn ran out: all who had it go to the end of the queue.
    fn run_out(&mut self) {
        let mut late: Vec<_> = self.claimants().map(|(slot, peer)| (peer.ticket, slot)).collect();
        late.sort_unstable();
        for (_, slot) in late {
            if let Some(peer) = self.peers.get_mut(&slot) {
                peer.ticket = take_ticket(&mut self.next_ticket);
                peer.turns = peer.turns.saturating_add(1);
            }
        }
        self.end_turn();
    }

    fn start(&mut self, bytes: u32, now: Time) {
        self.end_turn();
        (self.bytes, self.turn_since) = (bytes, now);
        let count = MetadataMessage::block_count(bytes) as usize;
        self.blocks.resize_with(count, || Block::Missing);
    }

    fn end_turn(&mut self) {
        (self.bytes, self.alone, self.held) = (0, None, 0);
        self.blocks.clear();
        self.peers.values_mut().for_each(|peer| peer.asked = 0);
    }

    fn expire(&mut self, now: Time) {
        let mut late = BTreeSet::new();
        for block in &self.blocks {
            if let Block::Asked { slot, at } = block
                && now.since(*at) >= PATIENCE
            {
                late.insert(*slot);
            }
        }
        late.into_iter().for_each(|slot| self.let_down(slot, now));
    }

    /// The peer does not send what it was asked: it pauses, at the end of the queue.
    fn let_down(&mut self, slot: PeerSlot, now: Time) {
        if let Some(peer) = self.peers.get_mut(&slot) {
            peer.paused_until = now + PAUSE;
            peer.ticket = take_ticket(&mut self.next_ticket);
            self.release(slot);
        }
    }

    /// Blocks asked of this peer become missing.
    fn release(&mut self, slot: PeerSlot) {
        for block in &mut self.blocks {
            if matches!(block, Block::Asked { slot: of, .. } if *of == slot) {
                *block = Block::Missing;
            }
        }
        if let Some(peer) = self.peers.get_mut(&slot) {
            peer.asked = 0;
        }
    }

    fn finish(&mut self) -> Received {
        let mut metadata = Vec::with_capacity(self.bytes as usize);
        let mut senders = BTreeSet::new();
        for block in &self.blocks {
            if let Block::Held { slot, bytes } = block {
                metadata.extend_from_slice(bytes);
                senders.insert(*slot);
            }
        }
        self.end_turn();
        let is_right = self.info_hashes.v1.is_some_and(|v1| sha1(&metadata) == v1)
            || self.info_hashes.v2.is_some_and(|v2| sha256(&metadata) == v2);
        if is_right {
            return Received::Whole(metadata);
        }
        self.is_careful = true;
        match senders.first() {
            Some(liar) if senders.len() == 1 => Received::Liar(*liar),
            _ => Received::Nothing,
        }
    }
}

const fn take_ticket(next: &mut u64) -> u64 {
    *next += 1;
    *next
}
