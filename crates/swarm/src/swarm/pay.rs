//! What payments need of the swarm: their messages carried, parts of the uplink kept, bytes counted.
//!
//! Nothing here knows a price, an account or what a message says: a reserve is a rate and a count of bytes,
//! and counts are bytes. Blocks of the allowed-fast set (BEP 6) are in none of them.

use super::Swarm;
use crate::choker::ChokerInput;
use crate::machine::Output;
use crate::picker::{Origin, Speed};
use crate::uplink::Reserve;
use piecework_types::{Block, PeerSlot, PieceIndex};
use piecework_wire::extension::Extension;
use std::time::Duration;

/// How long a peer that was traded with stays although neither side wants a piece any more: for the last
/// payment.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Payload of a connection that may be paid for, with a reserve and without; what went by before both sides
/// spoke of payments is in it, so that both come to the same.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PeerCounts {
    /// Bytes that we sent.
    pub sent: u64,
    /// Bytes of blocks that we asked for and that came.
    pub came: u64,
    /// Of these, bytes of pieces that were verified.
    pub verified: u64,
}

/// A message about payments, unread.
#[derive(Debug)]
pub struct PayMessage {
    /// At most [`piecework_wire::extension::PAY_BYTES_MAX`] bytes.
    pub payload: Vec<u8>,
    /// What was counted until it came. Blocks that came behind it, before anybody looked, are not in there: a
    /// price that the message gives may hold for them.
    pub counts: PeerCounts,
}

impl Swarm {
    /// What was counted of a peer. `None`: there is no such peer.
    pub fn counts(&self, slot: PeerSlot) -> Option<PeerCounts> {
        let counts = self.peers.get(slot)?.counts;
        Some(PeerCounts { sent: self.uplink.counted(slot), ..counts })
    }

    pub(super) fn carry_pay(&mut self, carries: bool) {
        if carries == std::mem::replace(&mut self.config.carries_pay, carries) {
            return;
        }
        for slot in self.peers.slots() {
            if self.peers.get(slot).is_some_and(|peer| peer.hello.extended) {
                self.send_extension_handshake(slot);
                self.notice_pay(slot);
            }
        }
    }

    /// Says once of each peer that both sides speak of payments, and once that it does no longer.
    pub(super) fn notice_pay(&mut self, slot: PeerSlot) {
        let Some(peer) = self.peers.get_mut(slot) else { return };
        let speaks = self.config.carries_pay && peer.extensions.get(Extension::Pay).is_some();
        match (std::mem::replace(&mut peer.speaks_pay, speaks), speaks) {
            (false, true) => {
                // Each side counts from the connection's start, or what is under way when they begin to speak
                // would be counted by one of them. Nothing of it has a price, so nobody minds whether it is
                // verified.
                let (sent, came) = (peer.up.total(), peer.down.total());
                (peer.counts.came, peer.counts.verified) = (came, came);
                self.uplink.count(slot, sent.saturating_sub(self.uplink.counted(slot)));
                self.outputs.push_back(Output::SpeaksPay { slot });
            }
            (true, false) => self.outputs.push_back(Output::PayEnded { slot }),
            (true, true) | (false, false) => {}
        }
    }

    /// Whether a peer that neither side wants anything of may still have a payment under way.
    pub(super) fn lingers(&mut self, slot: PeerSlot) -> bool {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(slot).filter(|peer| peer.has_traded) else {
            return false;
        };
        *peer.lingers_until.get_or_insert(now + LAST_WORDS) > now
    }

    pub(super) fn pay_received(&mut self, slot: PeerSlot, payload: &[u8]) {
        if self.peers.get(slot).is_some_and(|peer| peer.speaks_pay)
            && let Some(counts) = self.counts(slot)
        {
            let message = PayMessage { payload: payload.to_vec(), counts };
            self.outputs.push_back(Output::PayReceived { slot, message });
        }
    }

    pub(super) fn reserve(&mut self, slot: PeerSlot, reserve: Option<Reserve>) {
        let Some(peer) = self.peers.get_mut(slot) else { return };
        let was_reserved = std::mem::replace(&mut peer.is_reserved, reserve.is_some());
        peer.has_traded |= reserve.is_some();
        let interested = peer.is_interested && reserve.is_none();
        self.uplink.set_reserve(slot, reserve, self.now);
        self.report_at(slot);
        if was_reserved != reserve.is_some() {
            // It takes no slot of those that are served for nothing, and waits for none.
            self.choker(ChokerInput::Interested { slot, interested });
            self.set_choking(slot);
            self.classify(slot);
        }
    }

    pub(super) fn set_sole(&mut self, slot: PeerSlot, is_sole: bool) {
        let Some(peer) = self.peers.get_mut(slot) else { return };
        if is_sole == std::mem::replace(&mut peer.is_sole, is_sole) {
            return;
        }
        // What it is at it finishes.
        peer.work.wake();
        peer.has_traded |= is_sole;
        match is_sole {
            true => {
                peer.requests.deepen();
                self.sole_peers += 1;
            }
            false => {
                self.sole_peers -= 1;
                self.picker.iter_mut().for_each(|picker| {
                    picker.disown(slot, Speed::Slow);
                });
            }
        }
        self.ask_everybody();
    }

    /// Whether pieces of this peer are its alone: only a whole piece tells right from wrong.
    pub(super) fn is_alone(&self, slot: PeerSlot) -> bool {
        self.peers.get(slot).is_some_and(|peer| peer.is_suspect || peer.is_sole)
    }

    /// Counts a block that left, and reports before the reserve is used up.
    pub(super) fn count_sent(&mut self, slot: PeerSlot, block: Block) {
        let Some(peer) = self.peers.get(slot) else { return };
        if peer.allowed_to_it.contains(&block.piece) {
            return;
        }
        let (report_at, is_reserved) = (peer.report_at, peer.is_reserved);
        self.uplink.count(slot, block.length.into());
        if is_reserved && self.uplink.counted(slot) >= report_at {
            self.report_at(slot);
            self.outputs.push_back(Output::Counted { slot });
        }
    }

    /// The next report is due when half of what is left of the reserve is used.
    fn report_at(&mut self, slot: PeerSlot) {
        let counted = self.uplink.counted(slot);
        let left = self.uplink.reserve_left(slot);
        if let Some(peer) = self.peers.get_mut(slot) {
            peer.report_at = counted.saturating_add(left.div_ceil(2).max(1));
        }
    }

    /// Counts the blocks of a verified piece for those who sent them.
    pub(super) fn count_verified(&mut self, piece: PieceIndex, origins: &[Option<Origin>]) {
        let Some(picker) = &self.picker else { return };
        let grid = picker.grid();
        let mut counted: Vec<(Origin, u64)> = Vec::new();
        for (number, origin) in (0..).zip(origins) {
            let (Some(origin), Some(block)) = (origin, grid.block(piece, number)) else { continue };
            let bytes = u64::from(block.length);
            match counted.iter_mut().find(|(known, _)| known == origin) {
                Some((_, sum)) => *sum += bytes,
                None => counted.push((*origin, bytes)),
            }
        }
        for (origin, bytes) in counted {
            let Some(slot) = self.find(origin) else { continue };
            let Some(peer) = self.peers.get_mut(slot).filter(|peer| peer.speaks_pay) else {
                continue;
            };
            if !peer.allowed_to_us.contains(&piece) {
                peer.counts.verified += bytes;
                if peer.is_sole {
                    self.outputs.push_back(Output::Counted { slot });
                }
            }
        }
    }
}
