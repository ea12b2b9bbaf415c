//! What happens by itself: once a second the peers are looked at, and the choker has its own rounds.

use super::Swarm;
use super::join::TICK;
use crate::choker::ChokerInput;
use crate::drop_reason::DropReason;
use crate::machine::{Output, Reason};
use crate::picker::Speed;
use crate::swarm::download::ask_for;
use piecework_types::{Block, PeerSlot, PieceIndex};
use piecework_wire::Message;
use std::time::Duration;

/// A keep-alive is sent after so much silence of ours: peers drop us after 120 s (BEP 3).
const KEEP_ALIVE: Duration = Duration::from_secs(100);
/// A peer that was silent for so long is dropped.
const IDLE: Duration = Duration::from_secs(120);
/// A streaming peer busier than this gets no second copy.
const BUSY: Duration = Duration::from_secs(2);
/// Second copies asked in one look at a stream.
const COPIES_MAX: usize = 64;
/// How much of its best upload rate a link is thought to have lost in each second without it.
const LINK_DECAY: u64 = 600;
/// Seconds on end in which peers waited for us before the upload rate counts as the link's.
const WAITED_TICKS_MIN: u32 = 10;
/// Pieces that are looked at to judge what serving a peer would gain.
const RARITY_SAMPLES: usize = 64;

impl Swarm {
    pub(super) fn timeout(&mut self) {
        self.choker(ChokerInput::Timeout);
        if self.now < self.next_tick {
            return;
        }
        debug_assert_eq!(self.inconsistency(), None);
        self.next_tick = self.now + TICK;
        self.peers.slots().into_iter().for_each(|slot| self.look_at(slot));
        self.count_peers();
        self.measure_link();
        self.tell_rarity();
        self.tell_of_peers();
        self.catch_up_with_reader();
        self.duplicate_late_blocks();
        if self.is_end_game {
            self.ask_everybody();
        }
        self.request_metadata();
        self.request_hashes();
        self.stop_idle_fetches();
        self.web_seeds.iter_mut().for_each(|seed| seed.nothing_at = 0);
        if self.peers.is_empty() && !self.waits_for_web_seeds() {
            self.next_tick = piecework_types::Time::NEVER;
        }
    }

    pub(super) fn tick_reason(&self) -> Reason {
        let fetches_hashes = || self.hashes.as_ref().is_some_and(|hashes| hashes.is_waiting());
        if self.picker.as_ref().is_some_and(|picker| picker.is_streaming()) {
            Reason::Deadline
        } else if self.asked_count > 0 {
            Reason::Snub
        } else if self.metadata.is_waiting() || fetches_hashes() {
            Reason::Metadata
        } else {
            Reason::Idle
        }
    }

    fn look_at(&mut self, slot: PeerSlot) {
        let Some(peer) = self.peers.get_mut(slot) else { return };
        if self.now.since(peer.received_at) >= IDLE {
            return self.drop_peer(slot, DropReason::Idle);
        }
        if peer.lingers_until.is_some_and(|until| until <= self.now) {
            return self.drop_if_useless(slot);
        }
        let is_quiet = self.now.since(peer.sent_at) >= KEEP_ALIVE;
        let is_overdue = peer.requests.snubbed_at().is_some_and(|at| at <= self.now);
        let was_paused = std::mem::take(&mut peer.is_paused);
        if is_quiet {
            self.send(slot, Message::KeepAlive);
        }
        if is_overdue {
            self.snub(slot);
        }
        let has_overlooked = self.forget_overlooked(slot);
        self.classify(slot);
        if was_paused || is_overdue || has_overlooked {
            self.ask_later(slot);
        }
        // Its share of the next second.
        self.answer_or_drop(slot);
    }

    /// What the peer seems to have dropped without a word may be asked anew, of itself too. With BEP 6
    /// each request is still answered, however slow the peer: asked twice, it would send twice.
    fn forget_overlooked(&mut self, slot: PeerSlot) -> bool {
        let (Some(peer), Some(picker)) = (self.peers.get_mut(slot), &mut self.picker) else {
            return false;
        };
        let before = peer.requests.len();
        peer.requests.forget_cancelled(peer.hello.fast, self.now);
        if !peer.hello.fast {
            peer.requests.forget_overlooked(self.now, |block| picker.release(block));
        }
        let forgotten = before - peer.requests.len();
        self.asked_count -= u64::from(forgotten);
        forgotten > 0
    }

    fn count_peers(&mut self) {
        let piece_bytes = self.picker.as_ref().map_or(0, |picker| picker.grid().piece_length());
        (self.fast_peers, self.snubbed_peers) = (0, 0);
        for (_, peer) in self.peers.iter() {
            let is_fast = Speed::of(peer.requests.rate(), piece_bytes) == Speed::Fast;
            self.fast_peers += usize::from(is_fast);
            self.snubbed_peers += usize::from(peer.requests.has_released());
        }
    }

    /// The peer let us wait too long: others may be asked for what it owes.
    fn snub(&mut self, slot: PeerSlot) {
        let (Some(peer), Some(picker)) = (self.peers.get_mut(slot), &mut self.picker) else {
            return;
        };
        let before = peer.requests.len();
        peer.requests.snub(|block| picker.release(block));
        self.asked_count -= u64::from(before - peer.requests.len());
        peer.work.clear();
        picker.disown(slot, Speed::Slow);
        self.ask_everybody();
    }

    /// The link is measured once peers have waited for it all the time for ten seconds; from then on
    /// its best rate of late stands for its capacity.
    fn measure_link(&mut self) {
        let is_waited_for = self.peers.iter().any(|(slot, _)| self.uplink.queue_len(slot) > 0);
        self.waited_ticks = if is_waited_for { self.waited_ticks + 1 } else { 0 };
        let rate = self.up.rate(self.now);
        if self.link_rate == 0 && (self.waited_ticks < WAITED_TICKS_MIN || rate == 0) {
            return;
        }
        self.link_rate = rate.max(self.link_rate - self.link_rate / LINK_DECAY);
        let rate_bytes = self.link_rate;
        self.choker(ChokerInput::LinkMeasured { rate_bytes });
        let percent = (rate.saturating_mul(100) / rate_bytes.max(1)).min(100);
        self.choker(ChokerInput::LinkBusy { percent: percent as u8 });
    }

    /// As a seed: what the swarm gains by serving each peer, from a sample of pieces.
    fn tell_rarity(&mut self) {
        let Some(picker) = self.picker.as_ref().filter(|_| self.is_complete) else { return };
        let count = u64::from(picker.grid().piece_count());
        let rng = &mut self.rng;
        let sample: Vec<(PieceIndex, u32)> = (0..RARITY_SAMPLES.min(count as usize))
            .map(|_| PieceIndex::trusted(rng.below(count) as u32))
            .map(|piece| (piece, 1000 / (picker.availability(piece) + 1)))
            .collect();
        for (slot, peer) in self.peers.iter().filter(|(_, peer)| peer.is_interested) {
            let lacking = sample.iter().filter(|(piece, _)| !peer.have.contains(*piece));
            let gain = lacking.map(|(_, gain)| gain).sum();
            self.choker.handle(ChokerInput::Rarity { slot, gain }, self.now);
        }
    }

    /// While a reader plays: blocks it needs that are late are asked of one peer more.
    fn duplicate_late_blocks(&mut self) {
        let Some(picker) = &mut self.picker else { return };
        picker.set_now(self.now);
        if !picker.is_streaming() {
            return;
        }
        let mut late: Vec<Block> = Vec::new();
        for (_, peer) in self.peers.iter() {
            let owed = peer.requests.older_than(peer.requests.lateness(), self.now);
            late.extend(owed.filter(|block| picker.is_urgent(block.piece)));
        }
        late.sort_unstable();
        let mut helpers: Vec<(Duration, PeerSlot)> = Vec::new();
        for (slot, peer) in self.peers.iter() {
            let queue_time = peer.requests.queue_time();
            let is_free = !peer.is_choking && !peer.requests.is_snubbed() && queue_time <= BUSY;
            if is_free && peer.requests.room() > 0 {
                helpers.push((queue_time, slot));
            }
        }
        helpers.sort_unstable();
        // The slowest tenth helps nobody.
        helpers.truncate((helpers.len() * 9).div_ceil(10));
        late.dedup();
        for block in late.into_iter().take(COPIES_MAX) {
            self.ask_one_more(block, &helpers);
        }
    }

    fn ask_one_more(&mut self, block: Block, helpers: &[(Duration, PeerSlot)]) {
        let Some(picker) = &mut self.picker else { return };
        for &(_, slot) in helpers {
            let Some(peer) = self.peers.get_mut(slot) else { continue };
            let is_able = peer.have.contains(block.piece)
                && peer.requests.room() > 0
                && !peer.requests.contains_block(block);
            if !is_able || !picker.ask_copy(block) {
                continue;
            }
            peer.requests.push(block, self.now);
            peer.sent_at = self.now;
            self.asked_count += 1;
            let message = Message::Request(ask_for(block));
            return self.outputs.push_back(Output::Send { slot, message });
        }
    }
}
