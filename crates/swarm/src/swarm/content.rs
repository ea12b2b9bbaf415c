//! The moment the metadata is known, and what is wanted of the content.

use super::Swarm;
use crate::choker::ChokerInput;
use crate::hashes::HashExchange;
use crate::machine::Content;
use crate::picker::Picker;
use crate::super_seed::SuperSeed;
use piecework_bencode::{Mode, Value, decode};
use piecework_types::{Bitfield, Rng};
use piecework_wire::Message;

impl Swarm {
    pub(super) fn content_ready(&mut self, content: Content) {
        let Content { grid, have, priorities, metadata, layers } = content;
        if self.picker.is_some() || have.len() != grid.piece_count() {
            return;
        }
        let info = Facts::read(&metadata);
        self.is_private |= info.is_private;
        self.metadata.set_known(metadata);
        self.choker(ChokerInput::PieceBytes(grid.piece_length()));
        let mut picker = Picker::new(grid, have, &priorities, Rng::new(self.rng.next_u64()));
        picker.set_now(self.now);
        picker.set_sequential(self.is_sequential);
        picker.set_first(&self.first);
        picker.set_stream(self.stream);
        picker.set_peer_count(self.peers.len());
        self.hashes = layers.map(|layers| Box::new(HashExchange::new(layers, picker.grid())));
        if let Some(hashes) = self.hashes.as_ref().filter(|_| !info.has_v1_pieces) {
            picker.lock(hashes.unknown_pieces());
        }
        for (_, peer) in self.peers.iter_mut() {
            peer.have = Bitfield::new(picker.grid().piece_count());
        }
        self.picker = Some(Box::new(picker));
        self.set_super_seed(self.is_super_seed_wanted);
        self.check_complete();
        self.keep_ticking();
        self.greet_early_peers();
        self.request_hashes();
    }

    /// Peers that came before the metadata learn what we have and get their claims applied.
    fn greet_early_peers(&mut self) {
        for slot in self.peers.slots() {
            if let Err(reason) = self.apply_early(slot) {
                self.drop_peer(slot, reason);
                continue;
            }
            let Some(peer) = self.peers.get(slot) else { continue };
            let (extended, v2) = (peer.hello.extended, peer.hello.v2);
            if extended {
                self.send_extension_handshake(slot);
            }
            if v2 && let Some(hashes) = &mut self.hashes {
                hashes.join(slot);
            }
            if let Some(super_seed) = &mut self.super_seed {
                super_seed.join(slot);
                self.show_next(slot);
                continue;
            }
            // The time for a bitfield is over (BEP 3).
            let ours: Vec<_> = self.view().have.iter().collect();
            for piece in ours {
                self.send(slot, Message::Have(piece.get()));
            }
            self.send_allowed_fast(slot);
        }
    }

    pub(super) fn prioritise(&mut self, priorities: &[u8]) {
        let Some(picker) = &mut self.picker else { return };
        picker.prioritise(priorities);
        self.cancel_where(|picker, block| !picker.wants(block.piece));
        self.stop_idle_fetches();
        self.recount_useful();
        self.check_complete();
    }

    /// Super seeding makes sense for a seed only; it starts with the peers that come from now on.
    pub(super) fn set_super_seed(&mut self, wanted: bool) {
        self.is_super_seed_wanted = wanted;
        let Some(picker) = &self.picker else { return };
        let is_seed = picker.have().is_full() && !picker.have().is_empty();
        if wanted && is_seed && self.super_seed.is_none() {
            self.super_seed = Some(SuperSeed::new(picker.grid().piece_count()));
        }
        if !wanted && let Some(super_seed) = self.super_seed.take() {
            for (slot, piece) in super_seed.unshown() {
                self.send(slot, Message::Have(piece.get()));
            }
        }
    }
}

/// What the machine itself reads in the info dictionary.
struct Facts {
    /// BEP 27.
    is_private: bool,
    /// Pieces can be checked without any piece layer.
    has_v1_pieces: bool,
}

impl Facts {
    fn read(metadata: &[u8]) -> Self {
        let Ok(document) = decode(metadata, Mode::Lenient) else {
            return Self { is_private: false, has_v1_pieces: true };
        };
        let root = document.root();
        Self {
            is_private: root.get("private").and_then(Value::as_u64) == Some(1),
            has_v1_pieces: root.get("pieces").is_some(),
        }
    }
}
