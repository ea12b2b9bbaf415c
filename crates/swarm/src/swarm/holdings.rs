//! Who has what: bitfields and haves of peers, and the interest that follows from them.

use super::Swarm;
use crate::choker::ChokerInput;
use crate::drop_reason::DropReason;
use crate::hashes::HashExchange;
use crate::peer::Early;
use piecework_types::{Bitfield, PeerSlot, PieceIndex};
use piecework_wire::Message;

/// Memory for what all peers claim before the metadata is known, bytes.
const EARLY_BYTES_MAX: usize = 16 << 20;

impl Swarm {
    pub(super) fn bitfield(&mut self, slot: PeerSlot, bytes: Vec<u8>) -> Result<(), DropReason> {
        let is_first = self.introduced(slot).is_ok();
        let Some(picker) = &self.picker else {
            return self.claim_early(slot, Early::Bitfield(bytes));
        };
        let have = Bitfield::from_wire(&bytes, picker.grid().piece_count())?;
        // aria2 sends another one instead of haves, whenever that is shorter: 9 bytes a have.
        let Some(peer) = self.peers.get_mut(slot) else { return Ok(()) };
        let gained = have.count().saturating_sub(peer.have.count());
        if !is_first && (gained as usize) * 9 < bytes.len() && peer.strike() {
            return Err(DropReason::Flood);
        }
        self.replace_have(slot, have);
        Ok(())
    }

    pub(super) fn have_all(&mut self, slot: PeerSlot) -> Result<(), DropReason> {
        self.introduced(slot)?;
        let Some(picker) = &self.picker else { return self.claim_early(slot, Early::All) };
        let have = Bitfield::full(picker.grid().piece_count());
        self.replace_have(slot, have);
        Ok(())
    }

    pub(super) fn have_none(&mut self, slot: PeerSlot) -> Result<(), DropReason> {
        self.introduced(slot)
    }

    pub(super) fn have(&mut self, slot: PeerSlot, index: u32) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(slot) else { return Ok(()) };
        let Some(picker) = &mut self.picker else {
            peer.early_haves.push(index);
            return self.grow_early(size_of::<u32>());
        };
        let piece_count = picker.grid().piece_count();
        let Some(piece) = picker.grid().piece(index) else {
            return Err(DropReason::PieceOutOfBounds { index, piece_count });
        };
        if !peer.have.insert(piece) {
            return Ok(());
        }
        picker.peer_gained(piece, &peer.have);
        let is_useful = picker.wants(piece);
        peer.useful += u32::from(is_useful);
        let have = peer.have.count();
        self.choker(ChokerInput::PeerProgress { slot, have, pieces: piece_count });
        if is_useful {
            self.look_again(slot);
        }
        self.piece_seen(slot, piece);
        self.drop_if_useless(slot);
        Ok(())
    }

    /// The peer lost a piece (BEP 54).
    pub(super) fn lost_by_peer(&mut self, slot: PeerSlot, index: u32) -> Result<(), DropReason> {
        let Some(piece) = self.piece(index)? else { return Ok(()) };
        let (Some(peer), Some(picker)) = (self.peers.get_mut(slot), &mut self.picker) else {
            return Ok(());
        };
        // Recounting a former seed costs as much as a bitfield.
        if peer.have.is_full() && peer.strike() {
            return Err(DropReason::Flood);
        }
        if peer.have.remove(piece) {
            picker.peer_lost(piece, &peer.have);
            peer.useful -= u32::from(picker.wants(piece));
            self.update_interest(slot);
        }
        Ok(())
    }

    /// Only one message may tell all that a peer has, but for a bitfield in the place of haves.
    fn introduced(&mut self, slot: PeerSlot) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(slot) else { return Ok(()) };
        if std::mem::replace(&mut peer.has_introduced, true) {
            return Err(DropReason::SecondBitfield);
        }
        Ok(())
    }

    fn claim_early(&mut self, slot: PeerSlot, claim: Early) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(slot) else { return Ok(()) };
        // A second bitfield may be shorter than the first.
        self.early_bytes -= peer.early_bytes();
        peer.early = claim;
        let bytes = peer.early_bytes();
        self.grow_early(bytes)
    }

    const fn grow_early(&mut self, bytes: usize) -> Result<(), DropReason> {
        self.early_bytes += bytes;
        if self.early_bytes > EARLY_BYTES_MAX { Err(DropReason::EarlyClaims) } else { Ok(()) }
    }

    /// Applies what the peer said before the metadata was known.
    pub(super) fn apply_early(&mut self, slot: PeerSlot) -> Result<(), DropReason> {
        let (Some(picker), Some(peer)) = (&self.picker, self.peers.get_mut(slot)) else {
            return Ok(());
        };
        let count = picker.grid().piece_count();
        self.early_bytes -= peer.early_bytes();
        let early_haves = std::mem::take(&mut peer.early_haves);
        let mut have = match std::mem::take(&mut peer.early) {
            Early::Nothing => Bitfield::new(count),
            Early::All => Bitfield::full(count),
            Early::Bitfield(bytes) => Bitfield::from_wire(&bytes, count)?,
        };
        for index in early_haves {
            let out_of_bounds = DropReason::PieceOutOfBounds { index, piece_count: count };
            have.insert(picker.grid().piece(index).ok_or(out_of_bounds)?);
        }
        self.replace_have(slot, have);
        Ok(())
    }

    fn replace_have(&mut self, slot: PeerSlot, have: Bitfield) {
        let (Some(picker), Some(peer)) = (&mut self.picker, self.peers.get_mut(slot)) else {
            return;
        };
        picker.peer_left(&peer.have);
        picker.peer_joined(&have);
        peer.useful = have.iter().filter(|&piece| picker.wants(piece)).count() as u32;
        peer.have = have;
        let (have, pieces) = (peer.have.count(), peer.have.len());
        self.choker(ChokerInput::PeerProgress { slot, have, pieces });
        self.look_again(slot);
        self.drop_if_useless(slot);
    }

    /// Counts anew what each peer has of use to us.
    pub(super) fn recount_useful(&mut self) {
        let Some(picker) = &self.picker else { return };
        for (_, peer) in self.peers.iter_mut() {
            peer.useful = peer.have.iter().filter(|&piece| picker.wants(piece)).count() as u32;
        }
        self.peers.slots().into_iter().for_each(|slot| self.look_again(slot));
    }

    /// The peer has more of use: tell it, and ask.
    pub(super) fn look_again(&mut self, slot: PeerSlot) {
        if let Some(peer) = self.peers.get_mut(slot) {
            peer.work.wake();
            self.update_interest(slot);
            self.ask_later(slot);
        }
    }

    /// Tells the peer whether it has something we want, if that changed.
    pub(super) fn update_interest(&mut self, slot: PeerSlot) {
        let Some(peer) = self.peers.get_mut(slot) else { return };
        let interested = peer.useful > 0 && self.is_storage_writable;
        if interested == std::mem::replace(&mut peer.am_interested, interested) {
            return;
        }
        let message = if interested { Message::Interested } else { Message::NotInterested };
        self.send(slot, message);
    }

    /// Whether we want nothing of anybody: neither pieces nor the hashes of pieces.
    pub(super) fn is_upload_only(&self) -> bool {
        self.is_complete && !self.hashes.as_deref().is_some_and(HashExchange::is_waiting)
    }

    /// Closes a connection over which nothing will go either way.
    pub(super) fn drop_if_useless(&mut self, slot: PeerSlot) {
        let is_useless = self.is_upload_only()
            && self.peers.get(slot).is_some_and(|peer| peer.is_done() && peer.useful == 0);
        if !is_useless {
            self.peers.get_mut(slot).into_iter().for_each(|peer| peer.lingers_until = None);
        } else if !self.lingers(slot) {
            self.drop_peer(slot, DropReason::SeedToSeed);
        }
    }

    /// Super seeding: the piece is at this peer now.
    fn piece_seen(&mut self, slot: PeerSlot, piece: PieceIndex) {
        let Some(super_seed) = &mut self.super_seed else { return };
        for owner in super_seed.spread(slot, piece) {
            self.show_next(owner);
        }
    }

    /// Super seeding: shows the peer its next piece, if it is time.
    pub(super) fn show_next(&mut self, slot: PeerSlot) {
        let (Some(super_seed), Some(picker)) = (&mut self.super_seed, &self.picker) else { return };
        let Some(peer) = self.peers.get(slot) else { return };
        let next = super_seed.show(slot, &peer.have, |piece| picker.availability(piece));
        if let Some(piece) = next {
            self.send(slot, Message::Have(piece.get()));
        }
    }
}
