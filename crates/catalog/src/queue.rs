//! Whose turn it is, and places in the queue.
//!
//! Owns the order of torrents and the count of places that are taken. Invariant: no two torrents have one
//! key, and no more take part than the rules allow, forced ones and checks aside.

use crate::catalog::Catalog;
use crate::command::{Jump, Refusal};
use crate::field::Field;
use crate::field_set::FieldSet;
use crate::rules::QueueRules;
use piecework_types::InfoHash;
use std::collections::BTreeSet;

/// Torrents that check their data without taking a place: more at once only make a drive seek.
const CHECKS_MAX: u32 = 3;
/// Keys begin in the middle, so that there is room before and behind.
const KEY_MIDDLE: u32 = 1 << 31;

/// What a torrent asks of the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Bid {
    pub(crate) class: Class,
    pub(crate) is_forced: bool,
    pub(crate) is_checking: bool,
    pub(crate) is_slow: bool,
}

/// Which of the places a torrent takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    Download,
    Seed,
}

/// Places that are left.
struct Places {
    is_on: bool,
    downloads: u32,
    seeds: u32,
    active: u32,
    checks: u32,
}

impl Places {
    fn new(rules: &QueueRules) -> Self {
        Self {
            is_on: rules.is_on,
            downloads: rules.downloads_max.unwrap_or(u32::MAX),
            seeds: rules.seeds_max.unwrap_or(u32::MAX),
            active: rules.active_max.unwrap_or(u32::MAX),
            checks: CHECKS_MAX,
        }
    }

    /// Gives the torrent a place if there is one.
    fn take(&mut self, bid: Bid) -> bool {
        if bid.is_forced || !self.is_on {
            return true;
        }
        if bid.is_checking && self.checks > 0 {
            self.checks -= 1;
            return true;
        }
        let places = match bid.class {
            Class::Download => &mut self.downloads,
            Class::Seed => &mut self.seeds,
        };
        let taken = u32::from(!bid.is_slow);
        if *places < taken || self.active == 0 {
            return false;
        }
        *places -= taken;
        self.active -= 1;
        true
    }
}

/// The torrents whose turn begins or ends. Downloads come first.
fn turns(rules: &QueueRules, bids: &[(InfoHash, Bid, bool)]) -> Vec<(InfoHash, bool)> {
    let mut places = Places::new(rules);
    let mut changed = Vec::new();
    for class in [Class::Download, Class::Seed] {
        for (id, bid, has_turn) in bids.iter().filter(|(_, bid, _)| bid.class == class) {
            let turn = places.take(*bid);
            if turn != *has_turn {
                changed.push((*id, turn));
            }
        }
    }
    changed
}

impl Catalog {
    /// Gives turns anew if anything changed that they depend on. Who has to go goes before anybody comes.
    pub(crate) fn take_turns(&mut self) {
        if !self.is_stale || self.moment.is_none() {
            return;
        }
        let bids = self.bids();
        let changed = turns(&self.rules.queue, &bids);
        for turn in [false, true] {
            for (id, _) in changed.iter().filter(|(_, it)| *it == turn) {
                if let Some(entry) = self.torrents.get_mut(id) {
                    entry.has_turn = turn;
                }
                self.settle(*id);
            }
        }
        self.is_stale = false;
    }

    /// What torrents ask, and whether it is their turn now, in order. Numbers their places by the way.
    pub(crate) fn bids(&mut self) -> Vec<(InfoHash, Bid, bool)> {
        let (mut bids, mut places) = (Vec::new(), 0..);
        for id in self.queue.values() {
            let Some(entry) = self.torrents.get_mut(id) else { continue };
            bids.extend(entry.bid.map(|bid| (*id, bid, entry.has_turn)));
            if entry.torrent.record.is_complete {
                continue;
            }
            let place = places.next().unwrap_or(u32::MAX);
            if entry.torrent.place != place {
                entry.torrent.place = place;
                let queue = FieldSet::from_iter([Field::Queue]);
                self.journal.observe(&entry.torrent, &mut entry.marks, queue);
            }
        }
        bids
    }

    /// A key before or behind all others.
    pub(crate) fn new_key(&mut self, at_top: bool) -> u32 {
        if let Some(key) = self.end_key(at_top) {
            return key;
        }
        let ids: Vec<_> = self.queue.values().copied().collect();
        let first = KEY_MIDDLE - ids.len() as u32 / 2;
        self.assign(&ids, first..);
        self.end_key(at_top).unwrap_or(KEY_MIDDLE)
    }

    /// `None` at an end of all numbers.
    fn end_key(&self, at_top: bool) -> Option<u32> {
        if at_top {
            self.queue.keys().next().map_or(Some(KEY_MIDDLE), |first| first.checked_sub(1))
        } else {
            self.queue.keys().next_back().map_or(Some(KEY_MIDDLE), |last| last.checked_add(1))
        }
    }

    /// Gives torrents other keys, in order.
    fn assign(&mut self, ids: &[InfoHash], keys: impl IntoIterator<Item = u32>) {
        let mut moved = Vec::new();
        for (id, key) in ids.iter().zip(keys) {
            let Some(entry) = self.torrents.get_mut(id) else { continue };
            let old = std::mem::replace(&mut entry.torrent.record.queue, key);
            if old != key {
                moved.push((*id, old, key));
            }
        }
        for (_, old, _) in &moved {
            self.queue.remove(old);
        }
        for (id, _, key) in moved {
            self.queue.insert(key, id);
            self.mark(id);
        }
        self.is_stale = true;
    }

    /// Other places for some torrents, which keep their order among themselves. Complete ones change places
    /// with complete ones.
    pub(crate) fn jump(&mut self, ids: &[InfoHash], jump: Jump) -> Result<(), Refusal> {
        let chosen: BTreeSet<_> = self.known(ids)?.into_iter().collect();
        match jump {
            Jump::Top | Jump::Bottom => self.jump_to_end(&chosen, jump == Jump::Top),
            Jump::Up | Jump::Down => {
                for is_complete in [false, true] {
                    self.jump_by_one(&chosen, is_complete, jump == Jump::Up);
                }
            }
        }
        Ok(())
    }

    fn jump_to_end(&mut self, chosen: &BTreeSet<InfoHash>, at_top: bool) {
        let in_order = self.queue.values().copied().filter(|id| chosen.contains(id));
        let mut ids: Vec<_> = in_order.collect();
        if at_top {
            ids.reverse();
        }
        for id in ids {
            let key = self.new_key(at_top);
            self.assign(&[id], [key]);
        }
    }

    fn jump_by_one(&mut self, chosen: &BTreeSet<InfoHash>, is_complete: bool, is_up: bool) {
        let same = |id: &InfoHash| {
            self.torrents.get(id).is_some_and(|it| it.torrent.record.is_complete == is_complete)
        };
        let (keys, before): (Vec<u32>, Vec<InfoHash>) =
            self.queue.iter().filter(|(_, id)| same(id)).map(|(key, id)| (*key, *id)).unzip();
        let mut ids = before;
        let mut swap_if_free = |next: usize, moving: usize| {
            if chosen.contains(&ids[moving]) && !chosen.contains(&ids[next]) {
                ids.swap(next, moving);
            }
        };
        if is_up {
            (1..keys.len()).for_each(|at| swap_if_free(at - 1, at));
        } else {
            (1..keys.len()).rev().for_each(|at| swap_if_free(at, at - 1));
        }
        self.assign(&ids, keys);
    }

    /// Makes the keys of restored torrents differ, in their order; those that change are written down.
    pub(crate) fn repair_queue(&mut self) {
        let mut order: Vec<_> = self
            .torrents
            .iter()
            .map(|(id, entry)| (entry.torrent.record.queue, entry.torrent.record.added_at, *id))
            .collect();
        order.sort_unstable();
        let is_sound = order.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let ids: Vec<_> = order.iter().map(|(_, _, id)| *id).collect();
        if is_sound {
            self.queue = order.into_iter().map(|(key, _, id)| (key, id)).collect();
        } else {
            let first = KEY_MIDDLE - ids.len() as u32 / 2;
            self.queue = (first..).zip(ids.iter().copied()).collect();
            for (key, id) in (first..).zip(ids) {
                if let Some(entry) = self.torrents.get_mut(&id) {
                    entry.torrent.record.queue = key;
                }
                self.dirty.insert(id);
            }
        }
        self.is_stale = true;
    }
}
