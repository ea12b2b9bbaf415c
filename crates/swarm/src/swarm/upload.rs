//! Serving blocks: requests, cancels, chokes, and what leaves when there is room.

use super::Swarm;
use super::download::ask_for;
use crate::choker::{ChokerInput, ChokerOutput};
use crate::drop_reason::DropReason;
use crate::machine::Output;
use crate::split::Part;
use crate::uplink::Class;
use piecework_types::{Block, PeerSlot};
use piecework_wire::{ALLOWED_FAST_COUNT, Message, Request};

/// Longest block we serve: what other clients bear, though nobody should ask for more than 16 KiB.
const SERVED_BLOCK_BYTES_MAX: u32 = 128 * 1024;

/// Allowed-fast blocks that a choked peer may have queued: BEP 6 wants it to get started, no more.
const CHOKED_QUEUE_MAX: usize = 64;

impl Swarm {
    pub(super) fn requested(&mut self, slot: PeerSlot, request: Request) -> Result<(), DropReason> {
        let (Some(picker), Some(peer)) = (&self.picker, self.peers.get_mut(slot)) else {
            return self.refuse(slot, request);
        };
        let Request { piece, begin, length } = request;
        let span = picker.grid().span_padded(piece, begin, length);
        let Some(block) = span.filter(|block| block.length <= SERVED_BLOCK_BYTES_MAX) else {
            if peer.strike() {
                return Err(DropReason::BadRequests);
            }
            return self.refuse(slot, request);
        };
        let is_allowed = peer.allowed_to_it.contains(&block.piece)
            && peer.have.count() <= ALLOWED_FAST_COUNT as u32
            && self.uplink.queue_len(slot) < CHOKED_QUEUE_MAX;
        let is_shown = self.super_seed.as_ref().is_none_or(|seed| seed.is_shown(slot, block.piece));
        let is_served =
            picker.have().contains(block.piece) && is_shown && (!peer.am_choking || is_allowed);
        if !is_served || self.uplink.push(slot, block).is_err() {
            return self.refuse(slot, request);
        }
        Ok(())
    }

    pub(super) fn cancelled(&mut self, slot: PeerSlot, request: Request) -> Result<(), DropReason> {
        let Some(picker) = &self.picker else { return Ok(()) };
        let Request { piece, begin, length } = request;
        if let Some(block) = picker.grid().span_padded(piece, begin, length)
            && self.uplink.cancel(slot, block)
        {
            return self.refuse(slot, request);
        }
        Ok(())
    }

    /// Does what the choker decided, unless it has changed its mind since: a peer whose interest ended
    /// before the poll must not be unchoked any more.
    pub(super) fn carry_out(&mut self, decision: ChokerOutput) {
        let (ChokerOutput::Choke(slot) | ChokerOutput::Unchoke(slot)) = decision;
        self.set_choking(slot);
    }

    /// Tells the peer whether it is served, if that has changed.
    pub(super) fn set_choking(&mut self, slot: PeerSlot) {
        let is_unchoked = self.choker.is_unchoked(slot);
        let Some(peer) = self.peers.get_mut(slot) else { return };
        let choking = !(is_unchoked || (peer.is_reserved && peer.is_interested));
        if choking == std::mem::replace(&mut peer.am_choking, choking) {
            return;
        }
        if !choking {
            self.send(slot, Message::Unchoke);
            return self.classify(slot);
        }
        self.send(slot, Message::Choke);
        self.uplink.set_class(slot, Class::BACKGROUND);
        for block in self.uplink.clear(slot) {
            self.send_reject(slot, ask_for(block));
        }
    }

    /// Serves the peer under the class of its turn.
    pub(super) fn classify(&mut self, slot: PeerSlot) {
        if !self.choker.is_unchoked(slot) {
            return;
        }
        let is_optimistic = self.choker.is_optimistic(slot);
        let class = if is_optimistic { Class::ALTRUISTIC } else { Class::RECIPROCAL };
        self.uplink.set_class(slot, class);
    }

    /// The next block that a peer has room for.
    pub(super) fn next_block(&mut self) -> Option<Output> {
        let (slot, block) = self.uplink.poll_any(self.now)?;
        self.note_sent(slot, block);
        Some(Output::SendBlock { slot, block })
    }

    fn note_sent(&mut self, slot: PeerSlot, block: Block) {
        let bytes = u64::from(block.length);
        self.up.add(bytes, self.now);
        let Some(peer) = self.peers.get_mut(slot) else { return };
        peer.up.add(bytes, self.now);
        peer.sent_at = self.now;
        let is_reserved = peer.is_reserved;
        if is_reserved || peer.speaks_pay {
            self.count_sent(slot, block);
        }
        if is_reserved {
            return;
        }
        self.choker(ChokerInput::Sent { slot, bytes });
    }

    /// What to ask of the shared upload limit, if that has changed.
    pub(super) fn next_quota(&mut self) -> Option<Output> {
        if !self.uplink.is_limited() {
            return None;
        }
        Part::ALL.into_iter().find_map(|part| {
            let bytes = self.uplink.quota_wanted(part, self.now)?;
            Some(Output::UploadQuotaWanted { part, bytes })
        })
    }
}
