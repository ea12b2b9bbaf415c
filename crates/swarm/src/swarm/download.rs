//! Asking for blocks and taking them.

use super::Swarm;
use crate::choker::ChokerInput;
use crate::machine::Output;
use crate::picker::{Arrival, Asker, Picker, Speed};
use crate::requests::{RequestQueue, Standing};
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
        let is_alone = self.is_alone(slot);
        let Some(peer) = self.peers.get_mut(slot) else { return };
        peer.is_queued = false;
        let Some(picker) = &mut self.picker else { return };
        let is_open = peer.am_interested && self.is_storage_writable && !peer.is_paused;
        let is_streaming = picker.is_streaming();
        // What a choking peer allows is hardly ever what comes next in order.
        let is_in_order = is_streaming || self.is_sequential;
        if !is_open || (peer.is_choking && (is_in_order || peer.allowed_to_us.is_empty())) {
            return;
        }
        picker.set_now(self.now);
        let asker = Asker {
            slot,
            have: &peer.have,
            speed: Speed::of(peer.requests.rate(), picker.grid().piece_length()),
            is_snubbed: peer.requests.is_snubbed(),
            is_alone,
            finishes: (is_alone && !peer.is_suspect).then_some(peer.origin),
            side_by_side,
            suggested: &peer.suggested,
            queue_time: peer.requests.queue_time(),
        };
        let requests = &mut peer.requests;
        let mut room =
            if is_streaming { requests.room_for_stream(self.now) } else { requests.room() };
        let mut beside = if is_streaming { requests.room_beside_stream(self.now) } else { room };
        while room > 0 && (self.asked_count < asked_max || requests.len() < ALWAYS) {
            let block = if peer.is_choking {
                picker.pick_among(&peer.allowed_to_us, &asker)
            } else if beside == 0 {
                picker.pick_for_reader(&asker, &mut peer.work)
            } else {
                picker.pick(&asker, &mut peer.work)
            };
            let block = block.or_else(|| {
                let may_double = requests.is_empty() && !peer.is_choking;
                may_double.then(|| picker.pick_duplicate(&asker, |_| false)).flatten()
            });
            let Some(block) = block else { break };
            (room, beside) = (room - 1, beside.saturating_sub(1));
            if requests.has_released() && requests.reclaim(block) {
                continue;
            }
            requests.push(block, self.now);
            self.asked_count += 1;
            self.outputs
                .push_back(Output::Send { slot, message: Message::Request(ask_for(block)) });
            peer.sent_at = self.now;
        }
        self.notice_end_game();
    }

    /// When the last block is asked, peers that had nothing left to do may be asked for second copies.
    pub(super) fn notice_end_game(&mut self) {
        let is_end_game = self.picker.as_deref().is_some_and(Picker::is_end_game);
        if is_end_game && !self.is_end_game {
            self.ask_everybody();
        }
        self.is_end_game = is_end_game;
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
            peer.note_came(block);
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
                    self.cancel(block, |_| true);
                } else if self.snubbed_peers > 0 {
                    self.cancel(block, RequestQueue::has_released);
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

    /// Tells those peers that were asked for the block, and that `may_owe` holds for, that it is not
    /// needed any more.
    pub(super) fn cancel(&mut self, block: Block, may_owe: impl Fn(&RequestQueue) -> bool) {
        let Some(picker) = &mut self.picker else { return };
        for (slot, peer) in self.peers.iter_mut().filter(|(_, peer)| may_owe(&peer.requests)) {
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

    /// Takes back the requests for which `is_unwanted` holds.
    pub(super) fn cancel_where(&mut self, is_unwanted: impl Fn(&Picker, Block) -> bool) {
        let Some(picker) = &self.picker else { return };
        let mut unwanted = Vec::new();
        for (_, peer) in self.peers.iter() {
            unwanted.extend(peer.requests.blocks().filter(|block| is_unwanted(picker, *block)));
        }
        unwanted.sort_unstable();
        unwanted.dedup();
        unwanted.into_iter().for_each(|block| self.cancel(block, |_| true));
    }
}

/// The block as a message names it.
pub(super) const fn ask_for(block: Block) -> Request {
    Request { piece: block.piece.get(), begin: block.begin, length: block.length }
}
