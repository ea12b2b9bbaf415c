//! The numbers that torrents have in this dialect. They count from 1 and, as in the original, do not outlive
//! the process.

use piecework_catalog::{Catalog, Revision};
use piecework_types::InfoHash;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How far back "recently" goes.
const RECENTLY: Duration = Duration::from_secs(60);

/// Revisions that are remembered: one a second.
const REVISIONS_MAX: usize = 128;

/// Numbers of torrents that have gone and are kept, beside those that are there.
const GONE_MAX: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    by_torrent: BTreeMap<InfoHash, u32>,
    by_number: BTreeMap<u32, InfoHash>,
    last: u32,
    revisions: VecDeque<(Instant, Revision)>,
}

impl Numbers {
    /// The number of a torrent; a new one if it has none.
    pub(crate) fn of(&mut self, id: InfoHash) -> u32 {
        if let Some(number) = self.by_torrent.get(&id) {
            return *number;
        }
        self.last = self.last.saturating_add(1);
        self.by_torrent.insert(id, self.last);
        self.by_number.insert(self.last, id);
        self.last
    }

    /// The torrent of a number.
    pub(crate) fn torrent(&self, number: u32) -> Option<InfoHash> {
        self.by_number.get(&number).copied()
    }

    /// Gives every torrent a number, forgets torrents that went long ago, and notes the time.
    pub(crate) fn update(&mut self, catalog: &Catalog, now: Instant) {
        for torrent in catalog.torrents() {
            self.of(torrent.id());
        }
        if self.by_torrent.len() > catalog.torrents().len() + GONE_MAX {
            self.by_torrent.retain(|id, _| catalog.get(*id).is_some());
            self.by_number.retain(|_, id| catalog.get(*id).is_some());
        }
        let newest = self.revisions.back();
        if newest.is_none_or(|(at, _)| now.duration_since(*at) >= Duration::from_secs(1)) {
            if self.revisions.len() >= REVISIONS_MAX {
                self.revisions.pop_front();
            }
            self.revisions.push_back((now, catalog.revision()));
        }
    }

    /// The newest revision that is known to be a minute old; `None` where none is, so that everything is
    /// recent.
    pub(crate) fn a_minute_ago(&self, now: Instant) -> Option<Revision> {
        let is_old = |(at, _): &&(Instant, Revision)| now.duration_since(*at) >= RECENTLY;
        self.revisions.iter().rev().find(is_old).map(|(_, revision)| *revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use piecework_catalog::Rules;

    #[test]
    fn numbers_stay_and_recently_is_a_minute() {
        let mut numbers = Numbers::default();
        let (one, two) = (InfoHash([1; 20]), InfoHash([2; 20]));
        assert_eq!((numbers.of(one), numbers.of(two), numbers.of(one)), (1, 2, 1));
        assert_eq!((numbers.torrent(2), numbers.torrent(3)), (Some(two), None));
        let catalog = Catalog::new(Rules::default(), 7);
        let start = Instant::now();
        numbers.update(&catalog, start);
        assert_eq!(numbers.a_minute_ago(start + Duration::from_secs(59)), None);
        assert_eq!(numbers.a_minute_ago(start + Duration::from_secs(61)), Some(7));
    }
}
