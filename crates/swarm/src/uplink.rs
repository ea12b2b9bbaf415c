//! Which byte goes next: hierarchical deficit round robin over classes, then over peers.
//!
//! Owns the queues of blocks that peers asked of us. Invariants: the blocks of one peer leave in the
//! order in which they were asked; every queued block leaves exactly once, by [`Uplink::poll`],
//! [`Uplink::cancel`] or [`Uplink::clear`]; `poll` returns `None` only when no peer with room has a
//! block, or the quota is too small for the next one (work-conserving).
//! It must not know who deserves to be served (that is `Choker`), sockets, or prices.
//!
//! Without a limit there is no quota: the room of each connection is the only bound, no peer waits
//! for another, and a turn is [`TURN_QUANTA`] long so that the driver can read 256 KiB at once.
//! Under a limit peers compete for the quota and a turn is one quantum.

use crate::split::Part;
use piecework_types::{BLOCK_BYTES, Block, PeerSlot, Time};
use std::collections::VecDeque;

mod quota;
mod reserve;
#[cfg(test)]
mod tests;

pub use quota::QUOTA_MAX;
use quota::Quota;
use reserve::Kept;
pub use reserve::Reserve;

/// Bytes of credit a peer earns per turn while it competes with others: one block.
pub const QUANTUM_BYTES: u64 = BLOCK_BYTES as u64;

/// Quanta in one turn while nobody competes: 256 KiB, one coalesced read.
pub const TURN_QUANTA: u64 = 16;

/// Blocks one peer may have queued with us unless configured otherwise; announced as `reqq` (BEP 10).
pub const REQUEST_QUEUE_MAX: usize = 2_000;

/// The row of [`UplinkConfig::classes`] that a peer is served under.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Class(pub u8);

impl Class {
    /// Peers unchoked for what they give us, or in turn while we seed.
    pub const RECIPROCAL: Self = Self(0);
    /// Peers unchoked optimistically.
    pub const ALTRUISTIC: Self = Self(1);
    /// Everything that may wait: allowed-fast blocks to choked peers.
    pub const BACKGROUND: Self = Self(2);
}

/// How one class shares a limited link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClassConfig {
    /// Its part of what the floors leave, relative to the other classes that have blocks; at least 1.
    pub weight: u32,
    /// Percent of every grant that is its own while it has blocks. All floors together: at most 100.
    pub floor_percent: u32,
}

/// Limits and the table of classes.
#[derive(Clone, Debug)]
pub struct UplinkConfig {
    /// Blocks one peer may have queued.
    pub queue_max: usize,
    /// One row a [`Class`], by its number.
    pub classes: Vec<ClassConfig>,
}

impl Default for UplinkConfig {
    fn default() -> Self {
        let classes = vec![
            ClassConfig { weight: 7, floor_percent: 20 },
            ClassConfig { weight: 2, floor_percent: 10 },
            ClassConfig { weight: 1, floor_percent: 0 },
        ];
        Self { queue_max: REQUEST_QUEUE_MAX, classes }
    }
}

/// The peer has as many blocks queued as we announced: reject the request (BEP 6) or drop it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected at most {queue_max} queued requests, got one more")]
pub struct QueueFull {
    /// The limit that was reached.
    pub queue_max: usize,
}

/// One peer's queue.
#[derive(Debug)]
struct Lane {
    class: usize,
    queue: VecDeque<Block>,
    queued_bytes: u64,
    room: u64,
    deficit: u64,
    /// Its slot stands in the ring of its class. Every lane with a sendable block is in the ring; one
    /// that is no longer sendable is taken out when its turn comes.
    in_ring: bool,
    /// A part of the uplink is kept for it: it is in no ring.
    kept: Option<Kept>,
    /// Bytes that count against that part, since it joined.
    counted: u64,
}

impl Lane {
    /// Length of the next block, if the connection can take it.
    fn sendable(&self) -> Option<u64> {
        let length = u64::from(self.queue.front()?.length);
        (length <= self.room).then_some(length)
    }

    /// Before something comes that it may have waited for.
    fn note_pause(&mut self) {
        let waits = self.kept.is_some() && self.sendable_reserved().is_none();
        if let Some(kept) = self.kept.as_mut().filter(|_| waits) {
            kept.has_paused = true;
        }
    }

    /// Takes the next block, which is sendable.
    fn pop(&mut self) -> Option<Block> {
        let block = self.queue.pop_front()?;
        let length = u64::from(block.length);
        self.room -= length;
        self.queued_bytes -= length;
        Some(block)
    }
}

#[derive(Debug)]
struct ClassState {
    config: ClassConfig,
    ring: VecDeque<PeerSlot>,
    deficit: u64,
    /// Bytes of its floor not yet used.
    floor_credit: u64,
}

/// Which peer's next block is sent. See the module documentation.
#[derive(Debug)]
pub struct Uplink {
    queue_max: usize,
    lanes: Vec<Option<Lane>>,
    classes: Vec<ClassState>,
    /// The class whose turn it is.
    cursor: usize,
    /// Of each [`Part`] of the limit.
    quotas: [Quota; 3],
    /// Peers with a reserve, the next one first.
    reserved: VecDeque<PeerSlot>,
    /// Until then none of them can go on at its rate, unless something changes.
    reserved_at: Time,
    /// The same of what is to spare.
    spare_at: Time,
    /// The turn of who had of it last.
    spare_turn: u64,
}

impl Uplink {
    /// An uplink without peers and without a limit.
    pub fn new(config: &UplinkConfig) -> Self {
        let class = |&config: &ClassConfig| ClassState {
            config: ClassConfig { weight: config.weight.max(1), ..config },
            ring: VecDeque::new(),
            deficit: 0,
            floor_credit: 0,
        };
        Self {
            queue_max: config.queue_max,
            lanes: Vec::new(),
            classes: config.classes.iter().map(class).collect(),
            cursor: 0,
            quotas: Default::default(),
            reserved: VecDeque::new(),
            reserved_at: Time::ZERO,
            spare_at: Time::ZERO,
            spare_turn: 0,
        }
    }

    /// A peer with an empty queue and no room yet. A slot that is in use is emptied first.
    pub fn join(&mut self, slot: PeerSlot, class: Class) {
        self.leave(slot);
        let at = slot.0 as usize;
        if at >= self.lanes.len() {
            self.lanes.resize_with(at + 1, || None);
            for class in &mut self.classes {
                class.ring.reserve((at + 1).saturating_sub(class.ring.len()));
            }
        }
        self.lanes[at] = Some(Lane {
            class: self.row(class),
            queue: VecDeque::new(),
            queued_bytes: 0,
            room: 0,
            deficit: 0,
            in_ring: false,
            kept: None,
            counted: 0,
        });
    }

    /// Forgets the peer and what it asked.
    pub fn leave(&mut self, slot: PeerSlot) {
        if let Some(lane) = self.lanes.get_mut(slot.0 as usize).and_then(Option::take) {
            self.unring(slot, lane.class);
            self.reserved.retain(|other| *other != slot);
        }
    }

    /// Serves the peer under another class from now on.
    pub fn set_class(&mut self, slot: PeerSlot, class: Class) {
        let row = self.row(class);
        let Some(lane) = self.lane(slot).filter(|lane| lane.class != row) else { return };
        let old = std::mem::replace(&mut lane.class, row);
        if lane.kept.is_some() {
            return;
        }
        lane.in_ring = false;
        self.unring(slot, old);
        self.enlist(slot);
    }

    /// Queues a block behind the peer's earlier ones. A peer that never joined has no queue.
    ///
    /// # Errors
    /// When the queue is full.
    pub fn push(&mut self, slot: PeerSlot, block: Block) -> Result<(), QueueFull> {
        let queue_max = self.queue_max;
        let Some(lane) = self.lane(slot) else { return Ok(()) };
        if lane.queue.len() >= queue_max {
            return Err(QueueFull { queue_max });
        }
        lane.note_pause();
        lane.queue.push_back(block);
        lane.queued_bytes += u64::from(block.length);
        self.enlist(slot);
        Ok(())
    }

    /// Takes back the first queued block equal to `block`; false if it is not queued (any more).
    pub fn cancel(&mut self, slot: PeerSlot, block: Block) -> bool {
        let Some(lane) = self.lane(slot) else { return false };
        let Some(at) = lane.queue.iter().position(|queued| *queued == block) else { return false };
        lane.queue.remove(at);
        lane.queued_bytes -= u64::from(block.length);
        // A shorter block may have come to the front.
        self.enlist(slot);
        true
    }

    /// Empties the peer's queue, as when it is choked; what was in it, in order, for the rejects.
    pub fn clear(&mut self, slot: PeerSlot) -> VecDeque<Block> {
        self.lane(slot).map_or_else(VecDeque::new, |lane| {
            lane.queued_bytes = 0;
            std::mem::take(&mut lane.queue)
        })
    }

    /// The connection can take so many more bytes (absolute). [`Uplink::poll`] counts it down.
    pub fn set_room(&mut self, slot: PeerSlot, bytes: u64) {
        if let Some(lane) = self.lane(slot) {
            lane.note_pause();
            lane.room = bytes;
            self.enlist(slot);
        }
    }

    /// Whether an upload limit exists. The first quota has to be granted.
    pub fn set_limited(&mut self, limited: bool) {
        if limited == self.is_limited() {
            return;
        }
        self.quotas.iter_mut().for_each(|quota| quota.set_limited(limited));
        self.wake_reserved();
        let turn = self.turn();
        for class in &mut self.classes {
            class.deficit = 0;
            class.floor_credit = 0;
        }
        for lane in self.lanes.iter_mut().flatten().filter(|lane| lane.in_ring) {
            lane.deficit = turn;
        }
    }

    /// More bytes may leave by a part of the limit. Ignored while there is no limit.
    pub fn grant(&mut self, part: Part, bytes: u64) {
        self.quotas[part as usize].grant(bytes);
        if part != Part::Open {
            return self.wake_reserved();
        }
        for class in &mut self.classes {
            let part = u128::from(bytes) * u128::from(class.config.floor_percent) / 100;
            let part = u64::try_from(part).unwrap_or(QUOTA_MAX);
            class.floor_credit = class.floor_credit.saturating_add(part).min(QUOTA_MAX);
        }
    }

    /// The next block to send. O(1) but for lanes that lost their block or room since they queued up,
    /// each of which is passed over once.
    pub fn poll(&mut self) -> Option<(PeerSlot, Block)> {
        let (row, length, by_floor) = self.next_class()?;
        self.quotas[Part::Open as usize].take(length)?;
        let class = &mut self.classes[row];
        if by_floor {
            class.floor_credit -= length;
        } else {
            class.deficit -= length;
        }
        let slot = *class.ring.front()?;
        let lane = self.lanes[slot.0 as usize].as_mut()?;
        lane.deficit -= length;
        lane.pop().map(|block| (slot, block))
    }

    /// Bytes that could leave at once if a part of the limit allowed it, when that is more than was asked of
    /// the bucket before. The new figure replaces the old one, less what was granted since.
    pub fn quota_wanted(&mut self, part: Part, now: Time) -> Option<u64> {
        if !self.quotas[part as usize].is_limited() {
            return None;
        }
        let ready = match part {
            Part::Open => self.open_ready(),
            Part::Reserved | Part::Spare => self.reserved_ready(part, now),
        };
        self.quotas[part as usize].wanted(ready)
    }

    /// Bytes that the classes could send at once.
    fn open_ready(&self) -> u64 {
        let waiting = self.classes.iter().flat_map(|class| &class.ring);
        let lanes = waiting.filter_map(|slot| self.lanes[slot.0 as usize].as_ref());
        let ready = lanes.filter(|lane| lane.sendable().is_some());
        ready.map(|lane| lane.queued_bytes.min(lane.room)).sum()
    }

    /// Blocks the peer has queued.
    pub fn queue_len(&self, slot: PeerSlot) -> usize {
        let lane = self.lanes.get(slot.0 as usize).and_then(Option::as_ref);
        lane.map_or(0, |lane| lane.queue.len())
    }

    /// Credit a turn adds.
    fn turn(&self) -> u64 {
        if self.is_limited() { QUANTUM_BYTES } else { TURN_QUANTA * QUANTUM_BYTES }
    }

    /// Whether an upload limit exists.
    pub(crate) const fn is_limited(&self) -> bool {
        self.quotas[Part::Open as usize].is_limited()
    }

    fn row(&self, class: Class) -> usize {
        usize::from(class.0).min(self.classes.len().saturating_sub(1))
    }

    fn lane(&mut self, slot: PeerSlot) -> Option<&mut Lane> {
        self.lanes.get_mut(slot.0 as usize)?.as_mut()
    }

    fn unring(&mut self, slot: PeerSlot, row: usize) {
        self.classes[row].ring.retain(|other| *other != slot);
    }

    /// Puts the lane into its ring if it can send and is not there yet, with credit for one turn.
    fn enlist(&mut self, slot: PeerSlot) {
        let turn = self.turn();
        let Some(lane) = self.lane(slot) else { return };
        if lane.in_ring || lane.sendable().is_none() {
            return;
        }
        if lane.kept.is_some() {
            return self.wake_reserved();
        }
        lane.in_ring = true;
        lane.deficit = turn;
        let row = lane.class;
        self.classes[row].ring.push_back(slot);
    }

    /// The class to serve, the length of its next block, and whether its floor pays for it.
    fn next_class(&mut self) -> Option<(usize, u64, bool)> {
        if self.is_limited() {
            for row in 0..self.classes.len() {
                match self.head(row) {
                    Some(length) if length <= self.classes[row].floor_credit => {
                        return Some((row, length, true));
                    }
                    Some(_) => {}
                    // The floor of an idle class flows to the others.
                    None => self.classes[row].floor_credit = 0,
                }
            }
        }
        let mut idle = 0;
        while idle < self.classes.len() {
            let turn = self.turn();
            let row = self.cursor;
            match self.head(row) {
                Some(length) if length <= self.classes[row].deficit => {
                    return Some((row, length, false));
                }
                Some(_) => {
                    idle = 0;
                    let class = &mut self.classes[row];
                    class.deficit += turn * u64::from(class.config.weight);
                }
                None => {
                    idle += 1;
                    self.classes[row].deficit = 0;
                }
            }
            self.cursor = (row + 1) % self.classes.len();
        }
        None
    }

    /// Turns the ring until a lane that can send and has credit for it stands in front; the length of
    /// its next block. Every rotation adds credit, so this ends.
    fn head(&mut self, row: usize) -> Option<u64> {
        let turn = self.turn();
        let ring = &mut self.classes[row].ring;
        loop {
            let slot = *ring.front()?;
            let Some(lane) = self.lanes[slot.0 as usize].as_mut() else {
                ring.pop_front();
                continue;
            };
            let Some(length) = lane.sendable() else {
                lane.in_ring = false;
                ring.pop_front();
                continue;
            };
            if length <= lane.deficit {
                return Some(length);
            }
            lane.deficit += turn;
            ring.rotate_left(1);
        }
    }
}
