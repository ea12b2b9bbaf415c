//! Items that were put to this node (BEP 44).
//!
//! Owns them until they expire. Invariants: every mutable item here was verified; a sequence never goes
//! down; a full store keeps the items closest to our own id, which are those that others look for here.
//! Must not know tokens or messages.

use crate::krpc::ErrorCode;
use crate::{Item, MutableItem, NodeId};
use piecework_types::{Sender, Time};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// How long an item is kept; its friends put it again every hour (BEP 44).
pub const ITEM_LIFE: Duration = Duration::from_secs(2 * 60 * 60);
/// Items that one address, or one /64, may have here.
pub const SENDER_ITEMS_MAX: usize = 64;
/// Between two searches for what has run out.
const SWEEP_GAP: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
struct Stored {
    item: Item,
    sender: Sender,
    expires: Time,
}

/// All items.
#[derive(Clone, Debug)]
pub(crate) struct ItemStore {
    items_max: usize,
    items: BTreeMap<NodeId, Stored>,
    next_sweep: Time,
}

impl ItemStore {
    pub(crate) const fn new(items_max: usize) -> Self {
        Self { items_max, items: BTreeMap::new(), next_sweep: Time::ZERO }
    }

    /// Keeps an item that `from` has put. `own` are our ids; `compare` is what the putter believes to
    /// be stored.
    ///
    /// # Errors
    /// The code of BEP 44 that says why not.
    pub(crate) fn put(
        &mut self,
        item: Item,
        compare: Option<i64>,
        from: IpAddr,
        own: &[NodeId],
        now: Time,
    ) -> Result<(), ErrorCode> {
        self.expire(now);
        let target = item.target();
        let sender = Sender::of(from);
        if let Some(stored) = self.items.get_mut(&target) {
            if let (Item::Mutable(old), Item::Mutable(new)) = (&stored.item, &item) {
                check_order(old, new, compare)?;
            }
            // Whoever puts an item again keeps it alive, and its place counts as the first putter's.
            (stored.item, stored.expires) = (item, now + ITEM_LIFE);
            return Ok(());
        }
        let share = self.items.values().filter(|stored| stored.sender == sender).count();
        if share >= SENDER_ITEMS_MAX {
            return Err(ErrorCode::SERVER);
        }
        if self.items.len() >= self.items_max {
            self.make_room(target, own)?;
        }
        self.items.insert(target, Stored { item, sender, expires: now + ITEM_LIFE });
        Ok(())
    }

    /// What is stored at this place.
    pub(crate) fn get(&self, target: NodeId, now: Time) -> Option<&Item> {
        let stored = self.items.get(&target)?;
        (stored.expires > now).then_some(&stored.item)
    }

    /// Items that are kept.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    fn expire(&mut self, now: Time) {
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP_GAP;
            self.items.retain(|_, stored| stored.expires > now);
        }
    }

    /// Drops the item farthest from our ids, unless the new one is farther.
    fn make_room(&mut self, target: NodeId, own: &[NodeId]) -> Result<(), ErrorCode> {
        let far = |target: NodeId| own.iter().map(|own| own.distance(target)).min();
        let farthest = self.items.keys().copied().max_by_key(|target| far(*target));
        match farthest {
            Some(farthest) if far(farthest) > far(target) => {
                self.items.remove(&farthest);
                Ok(())
            }
            _ => Err(ErrorCode::SERVER),
        }
    }
}

/// Whether the new item may replace the old one (BEP 44, "put message", "CAS").
fn check_order(
    old: &MutableItem,
    new: &MutableItem,
    compare: Option<i64>,
) -> Result<(), ErrorCode> {
    if compare.is_some_and(|expected| expected != old.sequence()) {
        return Err(ErrorCode::COMPARE_MISMATCH);
    }
    let is_newer = new.sequence() > old.sequence();
    let is_same = new.sequence() == old.sequence() && new.value() == old.value();
    if is_newer || is_same { Ok(()) } else { Err(ErrorCode::SEQUENCE_TOO_LOW) }
}
