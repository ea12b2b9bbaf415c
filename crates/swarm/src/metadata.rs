//! The info dictionary from peers and for peers (BEP 9).
//!
//! Owns the blocks of the metadata while they come. Invariants: at most [`IN_FLIGHT_MAX`] blocks are
//! asked of one peer; memory is held for blocks that came, never for a claimed size. Blocks come from
//! several peers at once; when the whole has the wrong hash it is fetched from one peer alone, so that
//! the next failure has one culprit. Knows slots, no messages.

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
/// Blocks sent to one peer in a second: 1 MiB.
const SERVED_MAX: u32 = 64;

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
    /// Not asked before.
    paused_until: Time,
    served_in: u64,
    served: u32,
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
    /// The size that `blocks` has.
    bytes: u32,
    blocks: Vec<Block>,
    held: usize,
    /// Blocks are asked of one peer alone, for a mix had the wrong hash.
    is_careful: bool,
    peers: BTreeMap<PeerSlot, Peer>,
}

impl MetadataExchange {
    pub(crate) fn new(info_hashes: InfoHashes) -> Self {
        Self {
            info_hashes,
            known: None,
            bytes: 0,
            blocks: Vec::new(),
            held: 0,
            is_careful: false,
            peers: BTreeMap::new(),
        }
    }

    /// The metadata is known: nothing more is fetched, and it is served.
    pub(crate) fn set_known(&mut self, metadata: Arc<[u8]>) {
        self.known = Some(metadata);
        self.start_over(0);
    }

    /// Bytes of the metadata, if it is known.
    pub(crate) fn known_bytes(&self) -> Option<u32> {
        self.known.as_ref().and_then(|known| u32::try_from(known.len()).ok())
    }

    /// The peer speaks BEP 9 and claims this size, if any.
    pub(crate) fn join(&mut self, slot: PeerSlot, bytes: Option<u32>) {
        let fresh =
            Peer { bytes: None, asked: 0, paused_until: Time::ZERO, served_in: 0, served: 0 };
        let peer = self.peers.entry(slot).or_insert(fresh);
        peer.bytes = bytes.or(peer.bytes);
    }

    pub(crate) fn leave(&mut self, slot: PeerSlot) {
        if self.peers.remove(&slot).is_some() {
            self.release(slot, |_| true);
        }
    }

    /// Writes the blocks to ask and of whom.
    pub(crate) fn request(&mut self, now: Time, out: &mut Vec<(PeerSlot, u32)>) {
        if self.known.is_some() {
            return;
        }
        self.expire(now);
        self.choose_size(now);
        let mut at = 0;
        let slots: Vec<PeerSlot> = self.willing(now).collect();
        for slot in slots {
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
            (peer.bytes, peer.paused_until) = (None, now + PAUSE);
            return Received::Nothing;
        }
        *block = Block::Held { slot, bytes: data.into() };
        self.held += 1;
        if self.held < self.blocks.len() { Received::Nothing } else { self.finish() }
    }

    /// The peer will not send the block.
    pub(crate) fn reject(&mut self, slot: PeerSlot, now: Time) {
        if let Some(peer) = self.peers.get_mut(&slot) {
            peer.paused_until = now + PAUSE;
            self.release(slot, |block| matches!(block, Block::Asked { .. }));
        }
    }

    /// The metadata passed its hash but is no info dictionary: its senders get a pause.
    pub(crate) fn refused(&mut self, now: Time) {
        self.known = None;
        self.start_over(0);
        for peer in self.peers.values_mut() {
            peer.paused_until = now + PAUSE;
        }
    }

    /// The message that answers a peer's request.
    pub(crate) fn serve(&mut self, slot: PeerSlot, block: u32, now: Time) -> MetadataMessage<'_> {
        let reject = MetadataMessage::Reject { block };
        let Some(known) = &self.known else { return reject };
        self.peers.entry(slot).or_insert(Peer {
            bytes: None,
            asked: 0,
            paused_until: Time::ZERO,
            served_in: 0,
            served: 0,
        });
        let Some(peer) = self.peers.get_mut(&slot) else { return reject };
        let second = now.as_micros() / 1_000_000;
        if peer.served_in != second {
            (peer.served_in, peer.served) = (second, 0);
        }
        let start = block as usize * METADATA_BLOCK_BYTES;
        let Ok(total_bytes) = u32::try_from(known.len()) else { return reject };
        let end = start + MetadataMessage::block_bytes(block, total_bytes);
        if peer.served >= SERVED_MAX || start >= end {
            return reject;
        }
        peer.served += 1;
        MetadataMessage::Data { block, total_bytes, data: &known[start..end] }
    }

    /// Whether blocks are asked and may expire.
    pub(crate) fn is_waiting(&self) -> bool {
        self.known.is_none() && !self.peers.is_empty()
    }

    /// Peers that may be asked for the chosen size: all, or one while being careful.
    fn willing(&self, now: Time) -> impl Iterator<Item = PeerSlot> + '_ {
        let owner = self.blocks.iter().find_map(|block| match block {
            Block::Missing => None,
            Block::Asked { slot, .. } | Block::Held { slot, .. } => Some(*slot),
        });
        let only = owner.filter(|_| self.is_careful);
        let fits = move |(slot, peer): &(&PeerSlot, &Peer)| {
            peer.bytes == Some(self.bytes)
                && peer.paused_until <= now
                && only.is_none_or(|only| only == **slot)
        };
        let limit = if self.is_careful { 1 } else { usize::MAX };
        self.peers.iter().filter(fits).map(|(slot, _)| *slot).take(limit)
    }

    /// Keeps the size while somebody willing claims it, else takes the one that most claim, of several
    /// the smallest: a claim that is a lie costs less then.
    fn choose_size(&mut self, now: Time) {
        let is_waiting = self.blocks.iter().any(|block| matches!(block, Block::Asked { .. }));
        if is_waiting || (!self.blocks.is_empty() && self.willing(now).next().is_some()) {
            return;
        }
        let mut claims = BTreeMap::new();
        for peer in self.peers.values().filter(|peer| peer.paused_until <= now) {
            if let Some(bytes) = peer.bytes {
                *claims.entry(bytes).or_insert(0_usize) += 1;
            }
        }
        if let Some((&bytes, _)) = claims.iter().rev().max_by_key(|(_, peers)| **peers) {
            self.start_over(bytes);
        }
    }

    fn start_over(&mut self, bytes: u32) {
        self.bytes = bytes;
        self.held = 0;
        self.blocks.clear();
        let count = MetadataMessage::block_count(bytes) as usize;
        self.blocks.resize_with(count, || Block::Missing);
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
        late.into_iter().for_each(|slot| self.reject(slot, now));
    }

    /// Blocks of this peer for which `which` holds become missing; all of its blocks while careful.
    fn release(&mut self, slot: PeerSlot, which: impl Fn(&Block) -> bool) {
        for block in &mut self.blocks {
            let owner = match block {
                Block::Missing => continue,
                Block::Asked { slot, .. } | Block::Held { slot, .. } => *slot,
            };
            let is_held = matches!(block, Block::Held { .. });
            if owner != slot || (!self.is_careful && (is_held || !which(block))) {
                continue;
            }
            self.held -= usize::from(is_held);
            *block = Block::Missing;
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
        self.start_over(self.bytes);
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
