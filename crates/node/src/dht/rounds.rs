//! When which torrent is looked up and announced in the DHT.
//!
//! A pure machine: what is started and what came of it go in, what to start comes out. Invariant: a
//! torrent has at most one round under way. It must not know addresses, sockets or lookups' ways.

use crate::event::TorrentKey;
use piecework_types::{InfoHash, Rng, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Between two rounds of a torrent. Nodes forget peers after half an hour or so (BEP 5).
const ROUND_AFTER: Duration = Duration::from_secs(15 * 60);

/// The same while peers are wanted.
const WANTED_AFTER: Duration = Duration::from_secs(5 * 60);

/// After a round in vain, which found no node or, where they are wanted, no peers: doubled each time up to
/// [`WANTED_AFTER`]. Others may just be starting.
const VAIN_AFTER: Duration = Duration::from_secs(2);

/// Between two rounds of torrents that want nobody: a thousand seeds take ten minutes, not a storm.
const CALM_GAP: Duration = Duration::from_millis(500);

/// What is known of a torrent.
struct Entry {
    hashes: Vec<InfoHash>,
    is_seed: bool,
    wants_peers: bool,
    /// Lookups of the round under way.
    under_way: usize,
    /// What it heard so far.
    heard: Heard,
    /// Rounds in vain in a row.
    vain: u32,
    next: Time,
}

/// What lookups heard of others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heard {
    /// Nodes that answered.
    pub(super) nodes: usize,
    /// Peers that they told.
    pub(super) peers: usize,
}

/// A round to start: look for peers of each, and announce.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Round {
    pub(super) key: TorrentKey,
    pub(super) hashes: Vec<InfoHash>,
    pub(super) is_seed: bool,
}

/// Moments by what the torrents want, so that those that want peers never stand in line behind others.
#[derive(Default)]
struct Due {
    wanting: BTreeSet<(Time, TorrentKey)>,
    calm: BTreeSet<(Time, TorrentKey)>,
}

impl Due {
    const fn of(&mut self, wants_peers: bool) -> &mut BTreeSet<(Time, TorrentKey)> {
        if wants_peers { &mut self.wanting } else { &mut self.calm }
    }

    fn remove(&mut self, key: TorrentKey, entry: &Entry) {
        self.of(entry.wants_peers).remove(&(entry.next, key));
    }

    fn set(&mut self, key: TorrentKey, entry: &mut Entry, next: Time) {
        self.remove(key, entry);
        entry.next = next;
        self.of(entry.wants_peers).insert((next, key));
    }
}

/// All torrents that take part.
pub(super) struct Rounds {
    torrents: BTreeMap<TorrentKey, Entry>,
    /// When the next round of each torrent is due that has none under way.
    due: Due,
    /// When the next torrent that wants nobody may have its round.
    calm_at: Time,
    rng: Rng,
}

impl Rounds {
    pub(super) const fn new(rng: Rng) -> Self {
        let due = Due { wanting: BTreeSet::new(), calm: BTreeSet::new() };
        Self { torrents: BTreeMap::new(), due, calm_at: Time::ZERO, rng }
    }

    /// A torrent takes part from now on; its first round is due at once.
    pub(super) fn join(
        &mut self,
        key: TorrentKey,
        hashes: Vec<InfoHash>,
        standing: Standing,
        now: Time,
    ) {
        self.leave(key);
        let Standing { is_seed, wants_peers } = standing;
        let mut entry = Entry {
            hashes,
            is_seed,
            wants_peers,
            under_way: 0,
            heard: Heard::default(),
            vain: 0,
            next: now,
        };
        self.due.set(key, &mut entry, now);
        self.torrents.insert(key, entry);
    }

    pub(super) fn leave(&mut self, key: TorrentKey) {
        if let Some(entry) = self.torrents.remove(&key) {
            self.due.remove(key, &entry);
        }
    }

    /// It is complete now, or wants peers, or not any more.
    pub(super) fn stands(&mut self, key: TorrentKey, standing: Standing, now: Time) {
        let Some(entry) = self.torrents.get_mut(&key) else { return };
        let began_to_want = standing.wants_peers && !entry.wants_peers;
        self.due.remove(key, entry);
        entry.is_seed = standing.is_seed;
        entry.wants_peers = standing.wants_peers;
        if entry.next == Time::NEVER {
            return; // Its round is under way.
        }
        let soon = now + WANTED_AFTER;
        let next = if began_to_want { entry.next.min(soon) } else { entry.next };
        self.due.set(key, entry, next);
    }

    /// So many lookups of a round were started; none means that it is tried again.
    pub(super) fn started(&mut self, key: TorrentKey, lookups: usize, now: Time) {
        let Some(entry) = self.torrents.get_mut(&key) else { return };
        (entry.under_way, entry.heard) = (lookups, Heard::default());
        if lookups == 0 {
            self.finish(key, now);
        }
    }

    /// A lookup of it ended.
    pub(super) fn finished(&mut self, key: TorrentKey, heard: Heard, now: Time) {
        let Some(entry) = self.torrents.get_mut(&key) else { return };
        entry.heard.nodes += heard.nodes;
        entry.heard.peers += heard.peers;
        entry.under_way = entry.under_way.saturating_sub(1);
        if entry.under_way == 0 {
            self.finish(key, now);
        }
    }

    fn finish(&mut self, key: TorrentKey, now: Time) {
        let Some(entry) = self.torrents.get_mut(&key) else { return };
        let is_vain = entry.heard.nodes == 0 || (entry.wants_peers && entry.heard.peers == 0);
        let after = match (is_vain, entry.wants_peers) {
            (true, _) => (VAIN_AFTER * (1 << entry.vain.min(16))).min(WANTED_AFTER),
            (false, true) => WANTED_AFTER,
            (false, false) => ROUND_AFTER,
        };
        entry.vain = if is_vain { entry.vain + 1 } else { 0 };
        // A tenth more or less, so that torrents that began together drift apart.
        let tenth = u64::try_from(after.as_micros() / 10).unwrap_or(0).max(1);
        let after =
            after - Duration::from_micros(tenth) + Duration::from_micros(self.rng.below(2 * tenth));
        self.due.set(key, entry, now + after);
    }

    /// The DHT was just joined: whoever was not heard need not wait any longer.
    pub(super) fn node_found(&mut self, now: Time) {
        for (&key, entry) in &mut self.torrents {
            if entry.under_way == 0 && entry.vain > 0 && entry.next > now {
                entry.vain = 0;
                self.due.set(key, entry, now);
            }
        }
    }

    /// A round that is due, to be answered with [`Self::started`].
    pub(super) fn poll(&mut self, now: Time) -> Option<Round> {
        let first = |set: &BTreeSet<(Time, TorrentKey)>| {
            set.first().copied().filter(|(at, _)| *at <= now).map(|(_, key)| key)
        };
        let key = match first(&self.due.wanting) {
            Some(key) => key,
            None if self.calm_at <= now => {
                let key = first(&self.due.calm)?;
                self.calm_at = now + CALM_GAP;
                key
            }
            None => return None,
        };
        let entry = self.torrents.get_mut(&key)?;
        self.due.remove(key, entry);
        // Out of turn until it is started and has ended.
        entry.next = Time::NEVER;
        Some(Round { key, hashes: entry.hashes.clone(), is_seed: entry.is_seed })
    }

    /// When [`Self::poll`] has something again.
    pub(super) fn poll_timeout(&self) -> Time {
        let next =
            |set: &BTreeSet<(Time, TorrentKey)>| set.first().map_or(Time::NEVER, |due| due.0);
        next(&self.due.wanting).min(next(&self.due.calm).max(self.calm_at))
    }
}

/// What a torrent is and wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Standing {
    pub(crate) is_seed: bool,
    pub(crate) wants_peers: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTS: Standing = Standing { is_seed: false, wants_peers: true };
    const NOTHING: Heard = Heard { nodes: 0, peers: 0 };
    const SEEDS: Standing = Standing { is_seed: true, wants_peers: false };

    fn rounds(standings: &[Standing]) -> Rounds {
        let mut rounds = Rounds::new(Rng::new(7));
        for (at, &standing) in (1..).zip(standings) {
            rounds.join(TorrentKey(at), vec![InfoHash([at as u8; 20])], standing, Time::ZERO);
        }
        rounds
    }

    fn after(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn torrents_that_want_peers_come_at_once_and_seeds_one_by_one() {
        let mut rounds = rounds(&[SEEDS, SEEDS, WANTS, WANTS]);
        let mut keys = |now| std::iter::from_fn(|| rounds.poll(now)).map(|it| it.key.0).collect();
        let first: Vec<u64> = keys(Time::ZERO);
        assert_eq!(first, [3, 4, 1]);
        let second: Vec<u64> = keys(Time::ZERO + CALM_GAP);
        assert_eq!(second, [2]);
    }

    #[test]
    fn who_wants_peers_does_not_stand_in_line_behind_a_thousand_seeds() {
        let mut rounds = rounds(&[SEEDS; 1000]);
        assert!(rounds.poll(Time::ZERO).is_some_and(|round| round.key.0 == 1));
        rounds.join(TorrentKey(2000), vec![InfoHash([0; 20])], WANTS, Time::ZERO);
        assert_eq!(rounds.poll_timeout(), Time::ZERO);
        assert!(rounds.poll(Time::ZERO).is_some_and(|round| round.key.0 == 2000));
        rounds.stands(TorrentKey(1000), WANTS, Time::ZERO);
        assert!(rounds.poll(Time::ZERO).is_some_and(|round| round.key.0 == 1000));
    }

    #[test]
    fn a_round_is_repeated_after_all_its_lookups_ended() {
        let mut rounds = rounds(&[SEEDS]);
        let round = rounds.poll(Time::ZERO).expect("due at once");
        assert_eq!(rounds.poll(after(3600)), None, "under way");
        rounds.started(round.key, 2, Time::ZERO);
        rounds.finished(round.key, Heard { nodes: 8, peers: 0 }, after(1));
        assert_eq!(rounds.poll_timeout(), Time::NEVER);
        rounds.finished(round.key, NOTHING, after(2));
        let next = rounds.poll_timeout();
        assert!(next >= after(800) && next <= after(1000), "{next:?}");
        assert_eq!(rounds.poll(after(700)), None);
        assert!(rounds.poll(after(1000)).is_some());
    }

    #[test]
    fn who_is_not_heard_tries_again_less_and_less_often_until_there_is_a_node() {
        let mut rounds = rounds(&[WANTS]);
        let mut now = Time::ZERO;
        let mut gaps = Vec::new();
        for _ in 0..9 {
            let round = rounds.poll(now).expect("due");
            rounds.started(round.key, 1, now);
            rounds.finished(round.key, NOTHING, now);
            gaps.push(rounds.poll_timeout().since(now).as_secs());
            now = rounds.poll_timeout();
        }
        assert!(gaps[0] <= 2 && gaps[3] >= 14 && gaps[8] >= 270, "{gaps:?}");
        let round = rounds.poll(now).expect("due");
        rounds.started(round.key, 1, now);
        rounds.finished(round.key, NOTHING, now);
        rounds.node_found(now);
        assert_eq!(rounds.poll_timeout(), now);
    }

    #[test]
    fn who_finds_nodes_and_no_peers_looks_again_soon_only_if_it_wants_some() {
        for (standing, soon) in [(WANTS, true), (SEEDS, false)] {
            let mut rounds = rounds(&[standing]);
            let round = rounds.poll(Time::ZERO).expect("due");
            rounds.started(round.key, 1, Time::ZERO);
            rounds.finished(round.key, Heard { nodes: 8, peers: 0 }, Time::ZERO);
            assert_eq!(rounds.poll_timeout() < after(5), soon);
        }
    }

    #[test]
    fn a_torrent_that_left_has_no_more_rounds() {
        let mut rounds = rounds(&[WANTS]);
        rounds.leave(TorrentKey(1));
        rounds.finished(TorrentKey(1), Heard { nodes: 3, peers: 0 }, after(1));
        assert_eq!((rounds.poll(after(9999)), rounds.poll_timeout()), (None, Time::NEVER));
    }
}
