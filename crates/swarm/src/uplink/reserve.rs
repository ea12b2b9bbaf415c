//! Reserves: parts of a limited uplink that are kept for single peers, each at a rate of its own and up to
//! a count of bytes.
//!
//! A peer with a reserve stands in no class and waits for nobody but its own pace. What the link has to
//! spare, when all rates are kept and no class wants more, goes to reserves too, each in proportion to its
//! rate, up to the most that it may have. Invariants: over any interval of `t` seconds a peer is sent at most
//! `most * t` bytes and its bursts, and at most `rate * t` and a burst of what is kept; it is never sent a
//! byte beyond `until`. Who deserves a reserve, and why, is decided elsewhere. What reserves may take of the
//! link together are quotas of their own, so that classes without a reserve keep theirs.

use super::{Lane, Uplink};
use crate::bucket::{Bucket, BucketConfig};
use crate::split::Part;
use piecework_types::{BLOCK_BYTES, Block, PeerSlot, Time};

/// How a peer with a reserve is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reserve {
    /// Bytes a second that are kept for it.
    pub rate: u64,
    /// Bytes a second that it may have while there are some to spare; at most `rate`: only what is kept.
    pub most: u64,
    /// Nothing more is sent once so many bytes have been counted ([`Uplink::count`]) since it joined.
    pub until: u64,
}

/// What the uplink knows of a peer with a reserve.
#[derive(Debug)]
pub(super) struct Kept {
    pace: Bucket,
    /// Beyond that.
    spare: Option<Bucket>,
    /// Sums what it had to spare, a byte the more the smaller its rate.
    spare_turn: u64,
    /// There was nothing to send, or no room for it, since it was looked at last.
    pub(super) has_paused: bool,
    rate: u64,
    until: u64,
}

/// Two blocks: what TCP needs to go on while one is on its way.
const PACE_BURST_BYTES_MIN: u64 = 2 * BLOCK_BYTES as u64;

/// Part of a second of the rate that a peer may catch up with which could be sent a block all the time: the
/// machine was late by so much, and what a reserve lacks then would never come. As long as that the limit
/// itself saves ([`BucketConfig::per_second`]).
const PACE_BURST_PART: u64 = 4;

/// The same of one that paused: more, and it would catch up at the cost of others.
const PAUSED_BURST_PART: u64 = 20;

/// Turns are so many bits finer than a byte by its rate.
const TURN_BITS: u32 = 32;

/// What a reserve of this rate lets pass, and saves that part of a second of.
fn pace(rate: u64, part: u64) -> BucketConfig {
    BucketConfig { rate_bytes: rate, burst_bytes: PACE_BURST_BYTES_MIN.max(rate / part) }
}

impl Kept {
    fn new(reserve: Reserve, now: Time) -> Self {
        let Reserve { rate, until, .. } = reserve;
        let pace = Bucket::new(pace(rate, PACE_BURST_PART), now);
        let mut kept = Self { pace, spare: None, spare_turn: 0, has_paused: true, rate, until };
        kept.change(reserve, now);
        kept
    }

    fn change(&mut self, Reserve { rate, most, until }: Reserve, now: Time) {
        (self.rate, self.until) = (rate, until);
        self.pace.set_config(pace(rate, PACE_BURST_PART), now);
        let beyond = pace(most.saturating_sub(rate), PAUSED_BURST_PART);
        match &mut self.spare {
            _ if most <= rate => self.spare = None,
            Some(spare) => spare.set_config(beyond, now),
            None => self.spare = Some(Bucket::new(beyond, now)),
        }
    }

    /// Who paused keeps little of what it could have had.
    fn look(&mut self, now: Time) {
        if std::mem::take(&mut self.has_paused) {
            let saved = self.pace.available(now);
            let kept = pace(self.rate, PAUSED_BURST_PART).burst_bytes;
            self.pace.take(saved.saturating_sub(kept), now);
        }
    }
}

impl Lane {
    /// Length of the next block, if the connection and the reserve can take it.
    pub(super) fn sendable_reserved(&self) -> Option<u64> {
        let length = self.sendable()?;
        (self.counted.saturating_add(length) <= self.kept.as_ref()?.until).then_some(length)
    }
}

impl Uplink {
    /// Keeps a part of the uplink for the peer, changes it, or ends it. What it has queued stays queued.
    pub fn set_reserve(&mut self, slot: PeerSlot, reserve: Option<Reserve>, now: Time) {
        let Some(lane) = self.lane(slot) else { return };
        let (row, was_kept) = (lane.class, lane.kept.is_some());
        lane.note_pause();
        match (reserve, &mut lane.kept) {
            (None, None) => return,
            (None, kept) => {
                *kept = None;
                self.reserved.retain(|other| *other != slot);
                self.enlist(slot);
            }
            (Some(reserve), kept) => {
                match kept {
                    Some(kept) => kept.change(reserve, now),
                    None => *kept = Some(Kept::new(reserve, now)),
                }
                if !was_kept {
                    lane.in_ring = false;
                    self.unring(slot, row);
                    self.reserved.push_back(slot);
                }
            }
        }
        self.wake_reserved();
    }

    /// Something changed: who has a reserve may be able to go on.
    pub(super) const fn wake_reserved(&mut self) {
        (self.reserved_at, self.spare_at) = (Time::ZERO, Time::ZERO);
    }

    /// Bytes that were counted for the peer since it joined.
    pub fn counted(&self, slot: PeerSlot) -> u64 {
        self.lanes.get(slot.0 as usize).and_then(Option::as_ref).map_or(0, |lane| lane.counted)
    }

    /// Bytes that the peer's reserve still has; none without one.
    pub fn reserve_left(&self, slot: PeerSlot) -> u64 {
        let lane = self.lanes.get(slot.0 as usize).and_then(Option::as_ref);
        let left = |lane: &Lane| Some(lane.kept.as_ref()?.until.saturating_sub(lane.counted));
        lane.and_then(left).unwrap_or(0)
    }

    /// Counts bytes that were sent to the peer against its reserve.
    pub fn count(&mut self, slot: PeerSlot, bytes: u64) {
        if let Some(lane) = self.lane(slot) {
            lane.counted = lane.counted.saturating_add(bytes);
        }
    }

    /// The next block for anybody: what is kept goes first, and what is to spare last.
    pub fn poll_any(&mut self, now: Time) -> Option<(PeerSlot, Block)> {
        if self.reserved.is_empty() {
            return self.poll();
        }
        let kept = self.poll_reserved(now).or_else(|| self.poll());
        kept.or_else(|| self.poll_spare(now))
    }

    /// The next block for a peer with a reserve. O(peers with a reserve), and O(1) while all of them wait
    /// for their pace.
    pub fn poll_reserved(&mut self, now: Time) -> Option<(PeerSlot, Block)> {
        if self.reserved.is_empty() || now < self.reserved_at {
            return None;
        }
        let mut next_at = Time::NEVER;
        for _ in 0..self.reserved.len() {
            let slot = *self.reserved.front()?;
            match self.reserved_block(slot, now) {
                Ok(block) => {
                    // It stays in front while it can go on: blocks in a row are one read.
                    return Some((slot, block));
                }
                Err(at) => next_at = next_at.min(at),
            }
            self.reserved.rotate_left(1);
        }
        self.reserved_at = next_at;
        None
    }

    /// The next block for a peer with a reserve by what is to spare: who has had least of it for its rate
    /// comes first, and who wanted none for a while saves nothing. O(peers with a reserve).
    pub fn poll_spare(&mut self, now: Time) -> Option<(PeerSlot, Block)> {
        if self.reserved.is_empty() || now < self.spare_at {
            return None;
        }
        let (mut next_at, mut first) = (Time::NEVER, None);
        for slot in &self.reserved {
            let Some(lane) = self.lanes[slot.0 as usize].as_mut() else { continue };
            let Some(length) = lane.sendable_reserved() else { continue };
            let Some(kept) = lane.kept.as_mut() else { continue };
            let Some(spare) = kept.spare.as_mut() else { continue };
            if spare.available(now) < length {
                next_at = next_at.min(spare.next_at(length, now));
            } else if first.is_none_or(|(turn, _)| kept.spare_turn < turn) {
                first = Some((kept.spare_turn, *slot));
            }
        }
        let block = first.and_then(|(_, slot)| Some((slot, self.take_spare(slot, now)?)));
        if block.is_none() {
            self.spare_at = if first.is_some() { Time::NEVER } else { next_at };
        }
        block
    }

    /// Takes the next block of the peer whose turn it is: none, if the quota is too small.
    fn take_spare(&mut self, slot: PeerSlot, now: Time) -> Option<Block> {
        let (quota, before) = (&mut self.quotas[Part::Spare as usize], self.spare_turn);
        let lane = self.lanes[slot.0 as usize].as_mut()?;
        let (length, kept) = (lane.sendable()?, lane.kept.as_mut()?);
        quota.take(length)?;
        kept.spare.as_mut()?.take(length, now);
        self.spare_turn = kept.spare_turn.max(before);
        kept.spare_turn = self.spare_turn.saturating_add((length << TURN_BITS) / kept.rate.max(1));
        lane.pop()
    }

    /// When a peer with a reserve can go on by itself.
    pub fn reserved_at(&self) -> Time {
        let at = self.reserved_at.min(self.spare_at);
        if self.reserved.is_empty() { Time::NEVER } else { at }
    }

    /// Bytes that peers with a reserve could be sent at once by a part of the limit.
    pub(super) fn reserved_ready(&mut self, part: Part, now: Time) -> u64 {
        let mut ready = 0_u64;
        for slot in &self.reserved {
            let Some(lane) = self.lanes[slot.0 as usize].as_mut() else { continue };
            let Some(length) = lane.sendable_reserved() else { continue };
            let Some(kept) = lane.kept.as_mut() else { continue };
            kept.look(now);
            let left = kept.until.saturating_sub(lane.counted);
            let (bytes, own) =
                (lane.queued_bytes.min(lane.room).min(left), kept.pace.available(now));
            let bytes = match (part, &mut kept.spare) {
                (Part::Spare, None) => 0,
                (Part::Spare, Some(spare)) => bytes.saturating_sub(own).min(spare.available(now)),
                _ => bytes.min(own),
            };
            ready = ready.saturating_add(if bytes >= length { bytes } else { 0 });
        }
        ready
    }

    /// Takes the peer's next block, or says when its pace allows it: never, if it waits for something else.
    fn reserved_block(&mut self, slot: PeerSlot, now: Time) -> Result<Block, Time> {
        let quota = &mut self.quotas[Part::Reserved as usize];
        let lane = self.lanes[slot.0 as usize].as_mut().ok_or(Time::NEVER)?;
        let length = lane.sendable_reserved().ok_or(Time::NEVER)?;
        let kept = lane.kept.as_mut().ok_or(Time::NEVER)?;
        kept.look(now);
        if kept.pace.available(now) < length {
            return Err(kept.pace.next_at(length, now));
        }
        quota.take(length).ok_or(Time::NEVER)?;
        kept.pace.take(length, now);
        lane.pop().ok_or(Time::NEVER)
    }
}
