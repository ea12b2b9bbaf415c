//! How long torrents had a paid lane, and what came meanwhile: what tells whether it was worth the money.
//!
//! Looks at counts once a second and gives sums once a minute: no block costs anything. It must not know
//! what is paid for which byte.

use super::host::PaidTime;
use super::thread::Driver;
use crate::event::TorrentKey;
use piecework_pay::{PeerKey, TorrentKey as Name};
use piecework_types::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

/// How often sums are told.
const TELL_AFTER: Duration = Duration::from_secs(60);

/// Since sums were last told.
#[derive(Debug, Default)]
pub(super) struct PaidTimes {
    torrents: BTreeMap<TorrentKey, Course>,
    /// Of connections that speak of payments: the bytes that came, and those of them at the last look.
    came: BTreeMap<PeerKey, (u64, u64)>,
    looked_at: Time,
    tell_at: Time,
}

/// One torrent.
#[derive(Debug)]
struct Course {
    name: Name,
    /// Bytes of all its peers at the last look.
    down_bytes: u64,
    paid_for: Duration,
    paid_bytes: u64,
    all_bytes: u64,
}

/// A torrent at one look.
pub(super) struct Look {
    pub(super) torrent: TorrentKey,
    pub(super) name: Name,
    /// Payload of all its peers, in all.
    pub(super) down_bytes: u64,
    /// Those of its sellers that give the paid lane.
    pub(super) paid: BTreeSet<PeerKey>,
}

impl PaidTimes {
    /// So many bytes have come from a peer in all.
    pub(super) fn came(&mut self, peer: PeerKey, bytes: u64) {
        let (now, before) = self.came.entry(peer).or_default();
        (*now, *before) = (bytes, (*before).min(bytes));
    }

    /// The connection is gone. What came since the last look is nobody's.
    pub(super) fn left(&mut self, peer: PeerKey) {
        self.came.remove(&peer);
    }

    /// Adds what has passed since the last look to the torrents that have a paid lane.
    pub(super) fn look(&mut self, looks: impl IntoIterator<Item = Look>, now: Time) {
        let passed = now.since(self.looked_at);
        self.looked_at = now;
        let mut seen = BTreeSet::new();
        for Look { torrent, name, down_bytes, paid } in looks {
            seen.insert(torrent);
            let is_first = !self.torrents.contains_key(&torrent);
            let course = self.torrents.entry(torrent).or_insert(Course {
                name,
                down_bytes,
                paid_for: Duration::ZERO,
                paid_bytes: 0,
                all_bytes: 0,
            });
            let before = std::mem::replace(&mut course.down_bytes, down_bytes);
            if paid.is_empty() || is_first {
                continue;
            }
            let came = paid.iter().filter_map(|peer| self.came.get(peer));
            course.paid_bytes += came.map(|(now, before)| now - before).sum::<u64>();
            course.all_bytes += down_bytes.saturating_sub(before);
            course.paid_for += passed;
        }
        self.torrents.retain(|torrent, course| seen.contains(torrent) || course.is_news());
        self.came.values_mut().for_each(|(now, before)| *before = *now);
    }

    /// Whether sums are due, when they are told at most once a minute.
    pub(super) fn is_due(&mut self, now: Time) -> bool {
        let is_due = self.tell_at <= now && self.torrents.values().any(Course::is_news);
        if is_due {
            self.tell_at = now + TELL_AFTER;
        }
        is_due
    }

    /// The sums since they were last asked for.
    pub(super) fn take(&mut self) -> Vec<(Name, PaidTime)> {
        let news = self.torrents.values_mut().filter(|course| course.is_news());
        news.map(|course| (course.name, course.take())).collect()
    }
}

impl Course {
    fn is_news(&self) -> bool {
        !self.paid_for.is_zero()
    }

    fn take(&mut self) -> PaidTime {
        let time = PaidTime {
            // To the nearest.
            seconds: (self.paid_for + Duration::from_millis(500)).as_secs(),
            paid_bytes: self.paid_bytes,
            free_bytes: self.all_bytes.saturating_sub(self.paid_bytes),
        };
        (self.paid_for, self.paid_bytes, self.all_bytes) = (Duration::ZERO, 0, 0);
        time
    }
}

impl Driver {
    /// Looks at what is bought, and tells the host what has come of it when that is due.
    pub(super) fn look_at_times(&mut self) {
        let Some(purse) = self.payments.purse() else { return };
        let torrents = self.torrents.lock().unwrap_or_else(PoisonError::into_inner);
        let looks: Vec<Look> = self
            .wishes
            .iter()
            .filter_map(|(torrent, wanted)| {
                let name = wanted.name?;
                let down_bytes = torrents.get(&torrent)?.status.figures().down_bytes;
                let paid = purse.sellers(&name).filter(|seller| seller.is_paid);
                Some(Look { torrent, name, down_bytes, paid: paid.map(|it| it.peer).collect() })
            })
            .collect();
        drop(torrents);
        self.times.look(looks, self.now);
        if self.times.is_due(self.now) {
            self.tell_times();
        }
    }

    pub(super) fn tell_times(&mut self) {
        for (torrent, time) in self.times.take() {
            self.host.paid_time(torrent, time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Name = [7; 20];
    const PAID: PeerKey = PeerKey(1);
    const FREE: PeerKey = PeerKey(2);

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    fn look(times: &mut PaidTimes, millis: u64, down_bytes: u64, paid: &[PeerKey]) {
        let paid = paid.iter().copied().collect();
        times.look([Look { torrent: TorrentKey(1), name: NAME, down_bytes, paid }], at(millis));
    }

    #[test]
    fn only_time_with_a_paid_lane_counts_and_what_came_of_others_in_it() {
        let mut times = PaidTimes::default();
        look(&mut times, 1_000, 500, &[]);
        times.came(PAID, 100);
        times.came(FREE, 900);
        // Nothing is paid yet: what came until here counts for nothing.
        look(&mut times, 2_000, 1_000, &[]);
        assert!(!times.is_due(at(2_000)));
        times.came(PAID, 400);
        times.came(FREE, 950);
        look(&mut times, 3_000, 1_350, &[PAID]);
        times.came(PAID, 1_000);
        look(&mut times, 4_400, 2_000, &[PAID]);
        look(&mut times, 9_000, 9_000, &[]);
        assert!(times.is_due(at(9_000)));
        let time = PaidTime { seconds: 2, paid_bytes: 900, free_bytes: 100 };
        assert_eq!(times.take(), [(NAME, time)]);
        assert_eq!(times.take(), []);
    }

    #[test]
    fn sums_are_told_once_a_minute_and_outlive_their_torrent_until_then() {
        let mut times = PaidTimes::default();
        look(&mut times, 0, 0, &[]);
        let mut told = 0;
        for second in 1..=180 {
            times.came(PAID, second * 10);
            look(&mut times, second * 1_000, second * 10, &[PAID]);
            if times.is_due(at(second * 1_000)) {
                told += times.take().len();
            }
        }
        assert_eq!(told, 3);
        times.look([], at(181_000));
        let last = times.take();
        assert_eq!((last.len(), last[0].1.free_bytes), (1, 0));
        times.look([], at(182_000));
        assert!(times.torrents.is_empty());
    }

    #[test]
    fn a_peer_that_goes_or_counts_anew_takes_nothing_back() {
        let mut times = PaidTimes::default();
        look(&mut times, 0, 0, &[PAID]);
        times.came(PAID, 100);
        look(&mut times, 1_000, 100, &[PAID]);
        times.came(PAID, 20);
        look(&mut times, 2_000, 120, &[PAID]);
        times.left(PAID);
        look(&mut times, 3_000, 150, &[PAID]);
        let (_, time) = times.take()[0];
        assert_eq!((time.paid_bytes, time.free_bytes), (100, 50));
    }
}
