//! What the machine wants done, done.
//!
//! Owns no state of its own. Invariant: every chunk that the machine was given comes back here once.

use super::{Client, Peer, node_of};
use crate::disk::Stored;
use crate::network::Frame;
use crate::origin::Tag;
use crate::outside::Outside;
use crate::plan::Behaviour;
use crate::queue::Event;
use crate::seen::{EndId, Seen, message_kind};
use piecework_swarm::{DialerInput, DropReason, Input, Output, Source};
use piecework_types::{Blame, Block, ChunkId, PeerSlot};
use piecework_wire::{Message, Request};

impl Client {
    pub(super) fn perform(&mut self, output: Output, out: &mut Outside) {
        match output {
            Output::Send { slot, message } => self.send(slot, message, out),
            Output::SendBlock { slot, block } => self.send_block(slot, block, out),
            Output::Store { slot, block, chunk } => self.store(slot, block, chunk, out),
            Output::Discard { chunk } => {
                out.see(self.id, &Seen::Discarded { chunk: chunk.0 });
                self.free_chunk(chunk);
            }
            Output::Disconnect { slot, reason, ban } => {
                self.disconnect(slot, &reason, ban, out);
            }
            Output::MetadataReceived(bytes) => {
                let valid = bytes == *out.metadata;
                let input = if valid { self.content(out) } else { Input::MetadataRejected };
                self.followups.push(input);
            }
            Output::WantedComplete => {
                let intact = self.disk.is_complete();
                out.trace(51 ^ u64::from(self.id.0) << 20);
                out.see(self.id, &Seen::Finished { intact });
                self.finished_at.get_or_insert(out.now);
            }
            Output::PeersLearned { from, addresses } => {
                for address in addresses {
                    let source = Source::Exchange { from };
                    self.dialer.handle(DialerInput::Learned { address, source }, out.now);
                }
            }
            Output::Ban { address, .. } => {
                if let Some(peer) = node_of(address) {
                    out.see(self.id, &Seen::Banned { peer });
                }
                self.dialer.handle(DialerInput::Banned { address }, out.now);
            }
            Output::DigestsWanted { piece } => {
                let block_digests = self.disk.digests(piece);
                self.followups.push(Input::PieceDigests { piece, block_digests });
            }
            Output::Fetch { seed, fetch, blocks } => self.fetch((seed, fetch), blocks, out),
            Output::StopFetch { fetch } => self.stop_fetch(fetch, out),
            Output::WebSeedDropped { seed, reason } => {
                self.web_seed_dropped(seed, &reason.to_string(), out);
            }
            Output::UploadQuotaWanted { part, bytes } => self.quota_wanted[part as usize] = bytes,
            Output::SpeaksPay { .. }
            | Output::PayEnded { .. }
            | Output::PayReceived { .. }
            | Output::Counted { .. } => {}
            Output::LayerReceived { .. } | Output::SeenAs { .. } | Output::NodeTold { .. } => {}
        }
    }

    fn disconnect(&mut self, slot: PeerSlot, reason: &DropReason, ban: bool, out: &mut Outside) {
        let Some(Some(peer)) = self.peers.get(slot.0 as usize).copied() else { return };
        let blamed = reason.blame() == Blame::Peer;
        let (end, text) = (peer.end, reason.to_string());
        out.see(self.id, &Seen::Dropped { end, ban, blamed, reason: &text });
        out.trace(50 ^ (u64::from(end.0) << 20));
        out.close(end);
        if ban {
            self.dialer.handle(DialerInput::Banned { address: peer.address }, out.now);
        }
        self.forget(slot, reason.close_reason(), out.now);
    }

    fn send(&mut self, slot: PeerSlot, message: Message, out: &mut Outside) {
        let Some(Some(Peer { end, .. })) = self.peers.get(slot.0 as usize).copied() else {
            return;
        };
        if self.spec.behaviour == Behaviour::NeverUnchokes && message == Message::Unchoke {
            return;
        }
        out.see(self.id, &Seen::Sent { end, message: &message });
        out.trace(message_kind(&message) ^ (u64::from(end.0) << 44));
        let now = out.now;
        out.send(end, Frame::Message(message), now);
    }

    fn send_block(&mut self, slot: PeerSlot, block: Block, out: &mut Outside) {
        let Some(Some(Peer { end, .. })) = self.peers.get(slot.0 as usize).copied() else {
            return;
        };
        let Some(mut tag) = self.disk.read(block) else {
            return;
        };
        self.blocks_sent += 1;
        if let Behaviour::BadBlocks { one_in } = self.spec.behaviour
            && self.blocks_sent.is_multiple_of(one_in)
        {
            tag = tag.corrupted();
        }
        out.see(self.id, &Seen::BlockSent { end, block });
        let request =
            Request { piece: block.piece.get(), begin: block.begin, length: block.length };
        let ready_at = self.disk.read_at(out.now);
        out.send(end, Frame::Block { request, tag }, ready_at);
    }

    fn store(&mut self, slot: PeerSlot, block: Block, chunk: ChunkId, out: &mut Outside) {
        let Some(tag) = self.chunks.get(chunk.0 as usize).copied().flatten() else {
            return;
        };
        let end = self.peers.get(slot.0 as usize).copied().flatten().map(|peer| peer.end);
        let end = end.unwrap_or(EndId(u32::MAX));
        out.see(self.id, &Seen::Stored { end, block, chunk: chunk.0 });
        self.free_chunk(chunk);
        match self.disk.store(block, tag, out.now) {
            Stored::Partial => {}
            Stored::Complete(at) => out.queue.push(at, Event::Checked(self.id, block.piece)),
            Stored::Full(until) => {
                self.followups.push(Input::StorageWritable(false));
                self.followups.push(Input::PieceLost { piece: block.piece });
                out.queue.push(until, Event::Writable(self.id));
            }
        }
    }

    pub(super) fn take_chunk(&mut self, tag: Tag) -> ChunkId {
        let chunk = self.free_chunks.pop().unwrap_or_else(|| {
            self.chunks.push(None);
            ChunkId(self.chunks.len() as u32 - 1)
        });
        self.chunks[chunk.0 as usize] = Some(tag);
        chunk
    }

    fn free_chunk(&mut self, chunk: ChunkId) {
        if let Some(tag) = self.chunks.get_mut(chunk.0 as usize)
            && tag.take().is_some()
        {
            self.free_chunks.push(chunk);
        }
    }
}
