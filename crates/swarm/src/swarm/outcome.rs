//! What became of a piece: verified, failed, lost; and what that says about those who sent it.

use super::Swarm;
use crate::choker::ChokerInput;
use crate::drop_reason::DropReason;
use crate::machine::Output;
use crate::smart_ban::Verdict;
use piecework_types::{PieceIndex, Sha256Digest};
use piecework_wire::Message;
use piecework_wire::extension::{Extension, ExtensionMessage};

impl Swarm {
    pub(super) fn piece_verified(&mut self, piece: PieceIndex) {
        let Some(picker) = &self.picker else { return };
        if picker.grid().piece(piece.get()).is_none() {
            return;
        }
        let was_wanted = picker.wants(piece);
        self.take_back(piece);
        let Some(picker) = &mut self.picker else { return };
        let mut origins = Vec::new();
        if !picker.verified(piece, &mut origins) {
            return;
        }
        if self.config.carries_pay {
            self.count_verified(piece, &origins);
        }
        if self.smart_ban.waits_for(piece) {
            self.outputs.push_back(Output::DigestsWanted { piece });
        }
        for slot in self.peers.slots() {
            let Some(peer) = self.peers.get_mut(slot) else { continue };
            if was_wanted && peer.have.contains(piece) {
                peer.useful -= 1;
            }
            self.announce(slot, piece);
            self.update_interest(slot);
        }
        self.check_complete();
    }

    /// Tells the peer that we have the piece. Also when it has it itself: seeds that reckon with our
    /// progress, and super seeds, want to know.
    fn announce(&mut self, slot: piecework_types::PeerSlot, piece: PieceIndex) {
        if self.super_seed.is_none() {
            self.send(slot, Message::Have(piece.get()));
        }
    }

    pub(super) fn piece_failed(&mut self, piece: PieceIndex, digests: &[Sha256Digest]) {
        let Some(picker) = &self.picker else { return };
        if picker.grid().piece(piece.get()).is_none() {
            return;
        }
        self.take_back(piece);
        let Some(picker) = &mut self.picker else { return };
        let mut origins = Vec::new();
        picker.failed(piece, &mut origins);
        self.wasted_bytes += u64::from(picker.grid().piece_bytes(piece));
        let verdict = self.smart_ban.failed(piece, &origins, digests);
        self.judge(verdict);
        self.ask_everybody();
    }

    pub(super) fn piece_digests(&mut self, piece: PieceIndex, digests: &[Sha256Digest]) {
        let verdict = self.smart_ban.passed(piece, digests);
        self.judge(verdict);
    }

    fn judge(&mut self, verdict: Verdict) {
        for origin in verdict.liars {
            self.ban(origin, DropReason::BadData);
        }
        for (origins, is_suspect) in [(verdict.suspects, true), (verdict.cleared, false)] {
            for origin in origins {
                if let Some(seed) = self.web_seeds.find(origin) {
                    seed.is_suspect = is_suspect;
                    continue;
                }
                let slot = self.find(origin);
                let peer = slot.and_then(|slot| self.peers.get_mut(slot));
                if let (Some(slot), Some(peer)) = (slot, peer) {
                    peer.is_suspect = is_suspect;
                    peer.work.clear();
                    self.ask_later(slot);
                }
            }
        }
    }

    pub(super) fn piece_lost(&mut self, piece: PieceIndex) {
        let Some(picker) = &self.picker else { return };
        if picker.grid().piece(piece.get()).is_none() {
            return;
        }
        self.take_back(piece);
        let Some(picker) = &mut self.picker else { return };
        let was_wanted = picker.wants(piece);
        let had = picker.lost(piece);
        if !was_wanted && picker.wants(piece) {
            let owners = self.peers.iter_mut().filter(|(_, peer)| peer.have.contains(piece));
            owners.for_each(|(_, peer)| peer.useful += 1);
        }
        if had {
            self.retract(piece);
        }
        self.peers.slots().into_iter().for_each(|slot| self.look_again(slot));
        self.check_complete();
    }

    /// Cancels what is still asked of a piece that starts over or came from elsewhere.
    fn take_back(&mut self, piece: PieceIndex) {
        self.disregard_fetches_of(piece);
        if self.picker.as_ref().is_some_and(|picker| picker.is_awaited(piece)) {
            self.cancel_where(|_, block| block.piece == piece);
        }
    }

    /// Tells peers that we no longer have a piece (BEP 54).
    fn retract(&mut self, piece: PieceIndex) {
        let payload = ExtensionMessage::DontHave(piece.get()).encode();
        for slot in self.peers.slots() {
            let id = self.peers.get(slot).and_then(|peer| peer.extensions.get(Extension::DontHave));
            if let Some(id) = id {
                self.send(slot, Message::Extended { id, payload: payload.clone() });
            }
        }
    }

    /// Notices when the last wanted piece is there, or one is wanting again.
    pub(super) fn check_complete(&mut self) {
        let Some(picker) = &self.picker else { return };
        let is_complete = picker.is_complete();
        if is_complete == std::mem::replace(&mut self.is_complete, is_complete) {
            return;
        }
        self.keep_ticking();
        self.choker(ChokerInput::Seeding(is_complete));
        if is_complete {
            self.stop_idle_fetches();
            self.outputs.push_back(Output::WantedComplete);
        }
        if let Some(picker) = &mut self.picker {
            picker.shrink();
        }
        let payload = ExtensionMessage::UploadOnly(self.is_upload_only()).encode();
        for slot in self.peers.slots() {
            let id =
                self.peers.get(slot).and_then(|peer| peer.extensions.get(Extension::UploadOnly));
            if let Some(id) = id.filter(|_| self.super_seed.is_none()) {
                self.send(slot, Message::Extended { id, payload: payload.clone() });
            }
            self.drop_if_useless(slot);
        }
    }

    /// New blocks can be stored, or no longer.
    pub(super) fn storage_writable(&mut self, writable: bool) {
        self.is_storage_writable = writable;
        if !writable {
            self.cancel_where(|_, _| true);
            self.stop_idle_fetches();
        }
        self.peers.slots().into_iter().for_each(|slot| self.look_again(slot));
    }
}
