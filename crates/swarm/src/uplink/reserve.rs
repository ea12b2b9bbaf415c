//! Reserves: parts of a limited uplink that are kept for single peers, each at a rate of its own and up to
//! a count of bytes.
//!
//! A peer with a reserve stands in no class and waits for nobody but its own pace. Invariants: over any
//! interval of `t` seconds it is sent at most `rate * t` bytes and a burst; it is never sent a byte beyond
//! `until`. Who deserves a reserve, and why, is decided elsewhere. What reserves may take of the link
//! together is a quota of their own, so that classes without a reserve keep theirs.

use super::{QUOTA_MAX, Uplink};
use crate::bucket::{Bucket, BucketConfig};
use piecework_types::{BLOCK_BYTES, Block, PeerSlot, Time};

/// How a peer with a reserve is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reserve {
    /// Bytes a second.
    pub rate: u64,
    /// Nothing more is sent once so many bytes have been counted ([`Uplink::count`]) since it joined.
    pub until: u64,
}

/// What the uplink knows of a peer with a reserve.
#[derive(Debug)]
pub(super) struct Kept {
    pace: Bucket,
    until: u64,
}

/// Two blocks: what TCP needs to go on while one is on its way.
const PACE_BURST_BYTES_MIN: u64 = 2 * BLOCK_BYTES as u64;

/// Part of a second of the rate: on a busy machine whoever serves the peer may be late by so much, and what
/// a reserve lacks then would never come. Much more, and a peer that paused would catch up at the cost of
/// others.
const PACE_BURST_PART: u64 = 20;

/// What a reserve of this rate lets pass.
fn pace(rate: u64) -> BucketConfig {
    let burst_bytes = PACE_BURST_BYTES_MIN.max(rate / PACE_BURST_PART);
    BucketConfig { rate_bytes: rate, burst_bytes }
}

impl Uplink {
    /// Keeps a part of the uplink for the peer, changes it, or ends it. What it has queued stays queued.
    pub fn set_reserve(&mut self, slot: PeerSlot, reserve: Option<Reserve>, now: Time) {
        let Some(lane) = self.lane(slot) else { return };
        let (row, was_kept) = (lane.class, lane.kept.is_some());
        match (reserve, &mut lane.kept) {
            (None, None) => return,
            (None, kept) => {
                *kept = None;
                self.reserved.retain(|other| *other != slot);
                self.enlist(slot);
            }
            (Some(Reserve { rate, until }), kept) => {
                let config = pace(rate);
                match kept {
                    Some(kept) => {
                        kept.pace.set_config(config, now);
                        kept.until = until;
                    }
                    None => *kept = Some(Kept { pace: Bucket::new(config, now), until }),
                }
                if !was_kept {
                    lane.in_ring = false;
                    self.unring(slot, row);
                    self.reserved.push_back(slot);
                }
            }
        }
        self.reserved_at = Time::ZERO;
    }

    /// Bytes that were counted for the peer since it joined.
    pub fn counted(&self, slot: PeerSlot) -> u64 {
        self.lanes.get(slot.0 as usize).and_then(Option::as_ref).map_or(0, |lane| lane.counted)
    }

    /// Bytes that the peer's reserve still has; none without one.
    pub fn reserve_left(&self, slot: PeerSlot) -> u64 {
        let lane = self.lanes.get(slot.0 as usize).and_then(Option::as_ref);
        let left =
            |lane: &super::Lane| Some(lane.kept.as_ref()?.until.saturating_sub(lane.counted));
        lane.and_then(left).unwrap_or(0)
    }

    /// Counts bytes that were sent to the peer against its reserve.
    pub fn count(&mut self, slot: PeerSlot, bytes: u64) {
        if let Some(lane) = self.lane(slot) {
            lane.counted = lane.counted.saturating_add(bytes);
        }
    }

    /// More bytes may leave to peers with a reserve. Ignored while there is no limit.
    pub fn grant_reserved(&mut self, bytes: u64) {
        let Some(quota) = &mut self.reserved_quota else { return };
        *quota = quota.saturating_add(bytes).min(QUOTA_MAX);
        self.reserved_asked = self.reserved_asked.saturating_sub(bytes);
        self.reserved_at = Time::ZERO;
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

    /// When a peer with a reserve can go on by itself.
    pub fn reserved_at(&self) -> Time {
        if self.reserved.is_empty() { Time::NEVER } else { self.reserved_at }
    }

    /// Bytes that peers with a reserve could be sent at once if the limit allowed it, when that is more
    /// than was asked for them before. The new figure replaces the old one, less what was granted since.
    pub fn reserved_quota_wanted(&mut self, now: Time) -> Option<u64> {
        let quota = self.reserved_quota.filter(|_| !self.reserved.is_empty())?;
        let mut ready = 0_u64;
        for slot in &self.reserved {
            let Some(lane) = self.lanes[slot.0 as usize].as_mut() else { continue };
            let (Some(length), Some(kept)) = (lane.sendable(), lane.kept.as_mut()) else {
                continue;
            };
            let left = kept.until.saturating_sub(lane.counted);
            let bytes = kept.pace.available(now).min(lane.queued_bytes).min(lane.room).min(left);
            ready = ready.saturating_add(if bytes >= length { bytes } else { 0 });
        }
        let wanted = ready.min(QUOTA_MAX).saturating_sub(quota);
        if wanted <= self.reserved_asked {
            return None;
        }
        self.reserved_asked = wanted;
        Some(wanted)
    }

    /// Takes the peer's next block, or says when its pace allows it: never, if it waits for something else.
    fn reserved_block(&mut self, slot: PeerSlot, now: Time) -> Result<Block, Time> {
        let lane = self.lanes[slot.0 as usize].as_mut().ok_or(Time::NEVER)?;
        let length = lane.sendable().ok_or(Time::NEVER)?;
        let kept = lane.kept.as_mut().ok_or(Time::NEVER)?;
        if lane.counted.saturating_add(length) > kept.until {
            return Err(Time::NEVER);
        }
        if kept.pace.available(now) < length {
            return Err(kept.pace.next_at(length, now));
        }
        if let Some(quota) = &mut self.reserved_quota {
            *quota = quota.checked_sub(length).ok_or(Time::NEVER)?;
        }
        kept.pace.take(length, now);
        lane.room -= length;
        lane.queued_bytes -= length;
        lane.queue.pop_front().ok_or(Time::NEVER)
    }
}
