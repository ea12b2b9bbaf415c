//! Messages of peers: checked against what was negotiated, then given to the part they concern.

use super::{Question, Swarm};
use crate::choker::ChokerInput;
use crate::drop_reason::DropReason;
use crate::hashes;
use crate::machine::Output;
use crate::peer::REMEMBERED_MAX;
use crate::picker::Speed;
use crate::requests::Standing;
use piecework_types::{PeerSlot, PieceIndex};
use piecework_wire::{Message, Request};
use std::net::SocketAddr;

impl Swarm {
    pub(super) fn received(&mut self, slot: PeerSlot, message: Message) {
        let Some(peer) = self.peers.get_mut(slot) else { return };
        peer.received_at = self.now;
        let is_negotiated = match &message {
            Message::Suggest(_)
            | Message::HaveAll
            | Message::HaveNone
            | Message::Reject(_)
            | Message::AllowedFast(_) => peer.hello.fast,
            Message::Extended { .. } => peer.hello.extended,
            Message::HashRequest(_) | Message::Hashes(..) | Message::HashReject(_) => peer.hello.v2,
            Message::KeepAlive
            | Message::Choke
            | Message::Unchoke
            | Message::Interested
            | Message::NotInterested
            | Message::Have(_)
            | Message::Bitfield(_)
            | Message::Request(_)
            | Message::Cancel(_)
            | Message::Port(_) => true,
        };
        if !is_negotiated {
            return self.drop_peer(slot, DropReason::NotNegotiated);
        }
        if let Err(reason) = self.obey(slot, message) {
            self.drop_peer(slot, reason);
        }
    }

    fn obey(&mut self, slot: PeerSlot, message: Message) -> Result<(), DropReason> {
        match message {
            Message::KeepAlive => {}
            Message::Port(port) => self.told_dht_port(slot, port),
            Message::Choke => self.choked(slot),
            Message::Unchoke => self.unchoked(slot),
            Message::Interested => self.interested(slot, true),
            Message::NotInterested => self.interested(slot, false),
            Message::Have(index) => self.have(slot, index)?,
            Message::Bitfield(bytes) => self.bitfield(slot, bytes)?,
            Message::HaveAll => self.have_all(slot)?,
            Message::HaveNone => self.have_none(slot)?,
            Message::Request(request) => self.requested(slot, request)?,
            Message::Cancel(request) => self.cancelled(slot, request)?,
            Message::Suggest(index) => self.suggested(slot, index)?,
            Message::AllowedFast(index) => self.allowed(slot, index)?,
            Message::Reject(request) => self.rejected(slot, request),
            Message::Extended { id, payload } => self.extended(slot, id, &payload)?,
            Message::HashRequest(span) => self.questioned(slot, Question::Hashes(span))?,
            Message::Hashes(span, digests) => {
                let received =
                    self.hashes.as_mut().map(|hashes| hashes.receive(slot, &span, &digests));
                self.hashes_received(received)?;
            }
            Message::HashReject(_) => {
                if let Some(hashes) = &mut self.hashes {
                    hashes.reject(slot, self.now);
                }
                self.request_hashes();
            }
        }
        Ok(())
    }

    fn told_dht_port(&mut self, slot: PeerSlot, port: u16) {
        let Some(peer) = self.peers.get(slot) else { return };
        if port != 0 && self.config.dht_port.is_some() && !self.is_private {
            let address = SocketAddr::new(peer.hello.address.ip(), port);
            self.outputs.push_back(Output::NodeTold { address });
        }
    }

    fn interested(&mut self, slot: PeerSlot, interested: bool) {
        if let Some(peer) = self.peers.get_mut(slot) {
            peer.is_interested = interested;
            if peer.is_reserved {
                return self.set_choking(slot);
            }
            self.choker(ChokerInput::Interested { slot, interested });
        }
    }

    fn choked(&mut self, slot: PeerSlot) {
        let Some(peer) = self.peers.get_mut(slot) else { return };
        peer.is_choking = true;
        peer.work.clear();
        let Some(picker) = &mut self.picker else { return };
        // With BEP 6 each request is still answered, by its block or a reject.
        if !peer.hello.fast {
            self.asked_count -= u64::from(peer.requests.len());
            peer.requests.clear(|block| picker.release(block));
        }
        picker.disown(slot, Speed::Slow);
        self.ask_everybody();
    }

    fn unchoked(&mut self, slot: PeerSlot) {
        if let Some(peer) = self.peers.get_mut(slot) {
            peer.is_choking = false;
            peer.work.wake();
            self.ask_later(slot);
        }
    }

    /// The piece with this number, or why there is none. `Ok(None)` before the metadata is known.
    pub(super) fn piece(&self, index: u32) -> Result<Option<PieceIndex>, DropReason> {
        let Some(picker) = &self.picker else { return Ok(None) };
        let piece_count = picker.grid().piece_count();
        let piece = picker.grid().piece(index);
        piece.map(Some).ok_or(DropReason::PieceOutOfBounds { index, piece_count })
    }

    fn suggested(&mut self, slot: PeerSlot, index: u32) -> Result<(), DropReason> {
        let piece = self.piece(index)?;
        if let (Some(piece), Some(peer)) = (piece, self.peers.get_mut(slot)) {
            if peer.suggested.len() >= REMEMBERED_MAX {
                peer.suggested.remove(0);
            }
            peer.suggested.push(piece);
        }
        Ok(())
    }

    fn allowed(&mut self, slot: PeerSlot, index: u32) -> Result<(), DropReason> {
        let piece = self.piece(index)?;
        if let (Some(piece), Some(peer)) = (piece, self.peers.get_mut(slot))
            && peer.allowed_to_us.len() < REMEMBERED_MAX
            && !peer.allowed_to_us.contains(&piece)
        {
            peer.allowed_to_us.push(piece);
            self.ask_later(slot);
        }
        Ok(())
    }

    fn rejected(&mut self, slot: PeerSlot, request: Request) {
        let Some(peer) = self.peers.get_mut(slot) else { return };
        // One that is not known was given up when the peer was snubbed, or never asked: no harm.
        let Some((block, standing)) = peer.requests.reject(request) else { return };
        self.asked_count -= 1;
        // A piece that it allowed and now refuses would be asked again at once, for ever.
        peer.allowed_to_us.retain(|piece| *piece != block.piece);
        if standing == Standing::Cancelled {
            // It has room for another one.
            return self.ask_later(slot);
        }
        // It would refuse again at once: others first.
        peer.is_paused = !peer.is_choking;
        if standing == Standing::Counted
            && let Some(picker) = &mut self.picker
        {
            picker.release(block);
            peer.work.clear();
            picker.disown(slot, Speed::Slow);
            self.ask_everybody();
        }
    }

    fn hashes_received(&mut self, received: Option<hashes::Received>) -> Result<(), DropReason> {
        match received {
            None | Some(hashes::Received::Nothing) => {}
            Some(hashes::Received::Lie) => return Err(DropReason::BadHashes),
            Some(hashes::Received::Layer { pieces_root, hashes, pieces }) => {
                self.outputs.push_back(Output::LayerReceived { pieces_root, hashes });
                if let Some(picker) = &mut self.picker {
                    picker.unlock(pieces);
                }
                self.ask_everybody();
            }
        }
        self.request_hashes();
        Ok(())
    }

    /// Asks peers for piece layers that are missing.
    pub(super) fn request_hashes(&mut self) {
        let Some(hashes) = &mut self.hashes else { return };
        let mut asked = Vec::new();
        hashes.request(self.now, &mut asked);
        for (slot, span) in asked {
            self.send(slot, Message::HashRequest(span));
        }
    }
}
