//! Asking for blocks and taking them.

use super::Swarm;
use crate::choker::ChokerInput;
use crate::machine::Output;
use crate::picker::{Arrival, Asker, Speed};
use crate::requests::Standing;
use piecework_types::{Block, ChunkId, PeerSlot};
use piecework_wire::{Message, Request};

/// Pieces up to this long fill hash lanes one after the other; longer ones side by side.
const SHORT_PIECE_BYTES: u32 = 1 << 20;

/// Blocks each peer may be asked for even when the sum of all is at its limit.
const ALWAYS: u32 = 4;

impl Swarm {
    /// Asks the peer for as much as it has room for.
    pub(super) fn ask(&mut self, slot: PeerSlot) {
        let side_by_side = self.side_by_side();
        let asked_max = self.asked_max();
        let Some(peer) = self.peers.get_mut(slot) else { return };
        peer.is_queued = false;
        let Some(picker) = &mut self.picker else { return };
        let is_open = peer.am_interested && self.is_storage_writable && !peer.is_paused;
        if !is_open || (peer.is_choking && peer.allowed_to_us.is_empty()) {
            return;
        }
        picker.set_now(self.now);
        let asker = Asker {
            slot,
            have: &peer.have,
            speed: Speed::of(peer.requests.rate(), picker.grid().piece_length()),
            is_snubbed: peer.requests.is_snubbed(),
            is_suspect: peer.is_suspect,
            side_by_side,
            suggested: &peer.suggested,
            queue_time: peer.requests.queue_time(),
        };
        let mut room = peer.requests.room();
        while room > 0 && (self.asked_count < asked_max || peer.requests.len() < ALWAYS) {
            let block = if peer.is_choking {
                picker.pick_among(&peer.allowed_to_us, &asker)
            } else {
                picker.pick(&asker, &mut peer.work)
            };
            let block = block.or_else(|| {
                let may_double = peer.requests.is_empty() && !peer.is_choking;
                may_double.then(|| picker.pick_duplicate(&asker, |_| false)).flatten()
            });
            let Some(block) = block else { break };
            peer.requests.push(block, self.now);
            self.asked_count += 1;
            room -= 1;
            self.outputs
                .push_back(Output::Send { slot, message: Message::Request(ask_for(block)) });
            peer.sent_at = self.now;
        }
    }

    /// Pieces a fast peer is asked for at once: many fast peers fill the lanes without that.
    fn side_by_side(&self) -> usize {
        let piece_bytes = self.picker.as_ref().map_or(0, |picker| picker.grid().piece_length());
        if piece_bytes <= SHORT_PIECE_BYTES {
            return 1;
        }
        self.config.lanes_side_by_side.div_ceil(self.fast_peers.max(1))
    }

    pub(super) fn block_arrived(&mut self, slot: PeerSlot, request: Request, chunk: ChunkId) {
        let taken = self.peers.get_mut(slot).and_then(|peer| {
            peer.received_at = self.now;
            let (block, standing) = peer.requests.take(request, self.now)?;
            peer.down.add(block.length.into(), self.now);
            Some((block, standing, peer.origin))
        });
        let (Some((block, standing, origin)), Some(picker)) = (taken, &mut self.picker) else {
            return self.outputs.push_back(Output::Discard { chunk });
        };
        self.asked_count -= 1;
        let bytes = u64::from(block.length);
        self.down.add(bytes, self.now);
        self.choker.handle(ChokerInput::Received { slot, bytes }, self.now);
        let is_counted = standing == Standing::Counted;
        let is_welcome = self.is_storage_writable && picker.wants(block.piece);
        let arrival =
            if is_welcome { picker.receive(block, origin, is_counted) } else { Arrival::Unwanted };
        match arrival {
            Arrival::First { duplicates } => {
                self.outputs.push_back(Output::Store { slot, block, chunk });
                if duplicates > 0 || !is_counted {
                    self.cancel_everywhere(block);
                }
            }
            Arrival::Unwanted => {
                if is_counted {
                    picker.release(block);
                }
                self.wasted_bytes += bytes;
                self.outputs.push_back(Output::Discard { chunk });
            }
        }
        self.ask_later(slot);
    }

    /// Tells all peers that were asked for the block that it is not needed any more.
    pub(super) fn cancel_everywhere(&mut self, block: Block) {
        let Some(picker) = &mut self.picker else { return };
        for (slot, peer) in self.peers.iter_mut() {
            let before = peer.requests.len();
            let Some(standing) = peer.requests.cancel(block, peer.hello.fast) else { continue };
            if standing == Standing::Counted {
                picker.release(block);
            }
            self.asked_count -= u64::from(before - peer.requests.len());
            peer.sent_at = self.now;
            let message = Message::Cancel(ask_for(block));
            self.outputs.push_back(Output::Send { slot, message });
            if !std::mem::replace(&mut peer.is_queued, true) {
                self.to_ask.push(slot);
            }
        }
    }

    /// Takes back every request for a piece that is no longer wanted.
    pub(super) fn cancel_unwanted(&mut self) {
        let Some(picker) = &mut self.picker else { return };
        let mut unwanted = Vec::new();
        for (_, peer) in self.peers.iter() {
            let asked = peer.requests.older_than(std::time::Duration::ZERO, self.now);
            unwanted.extend(asked.filter(|block| !picker.wants(block.piece)));
        }
        unwanted.sort_unstable();
        unwanted.dedup();
        unwanted.into_iter().for_each(|block| self.cancel_everywhere(block));
    }
}

/// The block as a message names it.
pub(super) const fn ask_for(block: Block) -> Request {
    Request { piece: block.piece.get(), begin: block.begin, length: block.length }
}
