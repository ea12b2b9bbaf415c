//! Figures for the faces: a snapshot of each torrent, and which of them changed since somebody looked.
//!
//! Invariant: a torrent stands in the list of changed ones at most once, and never after it was removed,
//! so the list is bounded by the torrents. What all torrents move together is summed here as their own
//! figures change, so that asking for it costs nothing.

use crate::event::{Phase, Status, TorrentKey};
use piecework_types::{Bitfield, Time};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The numbers of a torrent at one moment, without lists. Meanings and units are those of [`Status`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// What it is doing.
    pub phase: Phase,
    /// Pieces checked and pieces to check, while checking.
    pub checked: (u32, u32),
    /// Pieces in the torrent; 0 while unknown.
    pub pieces: u32,
    /// Pieces that passed their hash and are stored.
    pub have: u32,
    /// Bytes of the wanted pieces that are missing.
    pub left_bytes: u64,
    /// Bytes of the wanted pieces.
    pub wanted_bytes: u64,
    /// Payload received in this run, bytes.
    pub down_bytes: u64,
    /// Payload sent in this run, bytes.
    pub up_bytes: u64,
    /// Payload received for nothing in this run, bytes.
    pub wasted_bytes: u64,
    /// Payload received, bytes a second.
    pub down_rate: u64,
    /// Payload sent, bytes a second.
    pub up_rate: u64,
    /// What may be received at most, bytes a second, if the torrent has a limit of its own.
    pub down_limit: Option<u64>,
    /// Connected peers.
    pub peers: u32,
    /// Those of them that have everything.
    pub seeds: u32,
    /// Peers whose address is known.
    pub known: u32,
    /// Seeds of the whole swarm, as the trackers last said; the largest number if they disagree.
    pub swarm_seeds: Option<u32>,
    /// Peers of the whole swarm that are no seeds, in the same way.
    pub swarm_peers: Option<u32>,
    /// Copies of the torrent that the connected peers have together, in thousandths.
    pub availability_milli: Option<u32>,
    /// True when every wanted piece is stored.
    pub is_complete: bool,
    /// True while nobody is connected and little but the torrent's names is in memory.
    pub is_resting: bool,
}

/// What all torrents of an engine do together, those that were removed included.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// Connected peers.
    pub peers: u64,
    /// Payload received since the engine's start, bytes.
    pub down_bytes: u64,
    /// Payload sent since the engine's start, bytes.
    pub up_bytes: u64,
    /// Payload received, bytes a second.
    pub down_rate: u64,
    /// Payload sent, bytes a second.
    pub up_rate: u64,
}

impl Totals {
    fn replace(&mut self, before: &Figures, after: &Figures) {
        let shift = |sum: &mut u64, before: u64, after: u64| {
            *sum = sum.saturating_sub(before).saturating_add(after);
        };
        shift(&mut self.peers, before.peers.into(), after.peers.into());
        shift(&mut self.down_bytes, before.down_bytes, after.down_bytes);
        shift(&mut self.up_bytes, before.up_bytes, after.up_bytes);
        shift(&mut self.down_rate, before.down_rate, after.down_rate);
        shift(&mut self.up_rate, before.up_rate, after.up_rate);
    }
}

/// What the torrents of an engine share of their figures.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Sums>);

#[derive(Debug, Default)]
struct Sums {
    changed: BTreeSet<TorrentKey>,
    totals: Totals,
}

impl Board {
    pub(crate) fn totals(&self) -> Totals {
        self.lock().totals
    }

    /// Takes the list of torrents that changed. Each has to be told by [`StatusCell::looked`].
    pub(crate) fn take_changed(&self) -> BTreeSet<TorrentKey> {
        std::mem::take(&mut self.lock().changed)
    }

    fn lock(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The latest [`Status`] of a torrent, shared between the shard that writes it and the faces that read it.
#[derive(Clone, Debug)]
pub(crate) struct StatusCell {
    key: TorrentKey,
    board: Arc<Board>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    status: Status,
    figures: Figures,
    updated_at: Time,
    /// It stands in the list of those that changed, or is to stand there no more.
    is_listed: bool,
}

impl StatusCell {
    pub(crate) fn new(key: TorrentKey, board: Arc<Board>) -> Self {
        Self { key, board, state: Arc::default() }
    }

    /// A copy of the latest status, as it is now.
    pub(crate) fn get(&self, now: Time) -> Status {
        let state = self.lock();
        let mut status = state.status.clone();
        for tracker in &mut status.trackers {
            let age = now.since(state.updated_at);
            tracker.next_in = tracker.next_in.map(|next_in| next_in.saturating_sub(age));
        }
        status
    }

    pub(crate) fn figures(&self) -> Figures {
        self.lock().figures
    }

    /// Time until the next announce to any of its trackers.
    pub(crate) fn next_announce(&self, now: Time) -> Option<Duration> {
        let state = self.lock();
        let next_in = state.status.trackers.iter().filter_map(|tracker| tracker.next_in).min()?;
        Some(next_in.saturating_sub(now.since(state.updated_at)))
    }

    /// The pieces that are stored, as it was told last.
    pub(crate) fn have(&self) -> Option<Bitfield> {
        let state = self.lock();
        Bitfield::from_wire(&state.status.bitfield, state.status.pieces).ok()
    }

    /// Somebody looks at the figures that changed: the next change is news again.
    pub(crate) fn looked(&self) {
        self.lock().is_listed = false;
    }

    /// The faces have let go of the torrent: its changes are no news any more.
    pub(crate) fn retire(&self) {
        let mut state = self.lock();
        state.is_listed = true;
        self.board.lock().changed.remove(&self.key);
    }

    pub(crate) fn update(&self, now: Time, change: impl FnOnce(&mut Status)) {
        let mut state = self.lock();
        change(&mut state.status);
        state.updated_at = now;
        let after = state.status.figures();
        let before = std::mem::replace(&mut state.figures, after);
        if before == after {
            return;
        }
        let mut sums = self.board.lock();
        sums.totals.replace(&before, &after);
        if !std::mem::replace(&mut state.is_listed, true) {
            sums.changed.insert(self.key);
        }
    }

    /// The torrent is gone: what it moved stays, what it was moving does not.
    pub(crate) fn end(&self, now: Time) {
        self.update(now, |status| {
            (status.peers, status.seeds, status.down_rate, status.up_rate) = (0, 0, 0, 0);
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Status {
    /// The numbers alone.
    pub fn figures(&self) -> Figures {
        let most = |count: fn(&crate::TrackerStatus) -> Option<u32>| {
            self.trackers.iter().filter_map(count).max()
        };
        Figures {
            phase: self.phase,
            checked: self.checked,
            pieces: self.pieces,
            have: self.have,
            left_bytes: self.left_bytes,
            wanted_bytes: self.wanted_bytes,
            down_bytes: self.down_bytes,
            up_bytes: self.up_bytes,
            wasted_bytes: self.wasted_bytes,
            down_rate: self.down_rate,
            up_rate: self.up_rate,
            down_limit: self.down_limit,
            peers: self.peers,
            seeds: self.seeds,
            known: self.known,
            swarm_seeds: most(|tracker| tracker.seeds),
            swarm_peers: most(|tracker| tracker.leechers),
            availability_milli: self.availability_milli,
            is_complete: self.is_complete,
            is_resting: self.is_resting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(count: u64) -> (Arc<Board>, Vec<StatusCell>) {
        let board = Arc::new(Board::default());
        let cell = |key| StatusCell::new(TorrentKey(key), Arc::clone(&board));
        let cells = (0..count).map(cell).collect();
        (board, cells)
    }

    fn peers(cell: &StatusCell, peers: u32) {
        cell.update(Time::ZERO, |status| status.peers = peers);
    }

    fn changed(board: &Board, cells: &[StatusCell]) -> Vec<u64> {
        let changed = board.take_changed();
        changed.iter().for_each(|key| cells[key.0 as usize].looked());
        changed.iter().map(|key| key.0).collect()
    }

    #[test]
    fn a_torrent_that_changed_is_named_once_and_again_when_it_changes_again() {
        let (board, cells) = cells(3);
        for count in 1..5 {
            peers(&cells[0], count);
        }
        peers(&cells[2], 0);
        assert_eq!(changed(&board, &cells), [0]);
        assert_eq!(changed(&board, &cells), [] as [u64; 0]);
        peers(&cells[0], 4);
        assert_eq!(changed(&board, &cells), [] as [u64; 0]);
        peers(&cells[0], 5);
        peers(&cells[1], 1);
        assert_eq!(changed(&board, &cells), [0, 1]);
    }

    #[test]
    fn a_torrent_that_was_removed_is_named_no_more() {
        let (board, cells) = cells(2);
        peers(&cells[0], 1);
        cells[0].retire();
        peers(&cells[0], 2);
        cells[1].retire();
        peers(&cells[1], 2);
        assert_eq!(changed(&board, &cells), [] as [u64; 0]);
    }

    #[test]
    fn totals_keep_what_a_torrent_moved_and_not_what_it_was_moving() {
        let (board, cells) = cells(2);
        for (cell, bytes) in cells.iter().zip([10, 20]) {
            cell.update(Time::ZERO, |status| {
                (status.peers, status.down_rate, status.up_rate) = (1, bytes, bytes);
                (status.down_bytes, status.up_bytes) = (bytes, 2 * bytes);
            });
        }
        cells[0].retire();
        cells[0].end(Time::ZERO);
        let rest = Totals { peers: 1, down_bytes: 30, up_bytes: 60, down_rate: 20, up_rate: 20 };
        assert_eq!(board.totals(), rest);
    }

    #[test]
    fn the_time_until_an_announce_goes_on_passing_while_nothing_is_published() {
        let (_, cells) = cells(1);
        let at_secs = |seconds| Time::ZERO + Duration::from_secs(seconds);
        let next_in = |seconds| Some(Duration::from_secs(seconds));
        cells[0].update(at_secs(100), |status| {
            let tracker = crate::TrackerStatus { next_in: next_in(50), ..Default::default() };
            status.trackers = vec![tracker];
        });
        let at = |seconds| cells[0].get(at_secs(seconds)).trackers[0].next_in;
        assert_eq!([at(100), at(130), at(200)], [50, 20, 0].map(next_in));
        assert_eq!(cells[0].next_announce(at_secs(130)), next_in(20));
    }
}
