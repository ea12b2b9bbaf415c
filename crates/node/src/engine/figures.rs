//! What the faces may read of an engine's torrents at any time.

use super::Engine;
use crate::event::{Status, TorrentKey};
use crate::figures::{Figures, StatusCell, Totals};
use piecework_swarm::Refusal;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Engine {
    /// The latest status of a torrent.
    pub fn status(&self, key: TorrentKey) -> Option<Status> {
        let mut status = self.cell(key)?.get(self.clock.now());
        let filtered = self.shared.turned_away.load(Ordering::Relaxed);
        if filtered > 0 {
            status.turned_away.push((Refusal::Filtered, filtered));
        }
        Some(status)
    }

    /// Time until the next announce to any tracker of a torrent; `None` while there is none to come.
    pub fn next_announce(&self, key: TorrentKey) -> Option<Duration> {
        self.cell(key)?.next_announce(self.clock.now())
    }

    /// The latest figures of a torrent: cheaper than [`Self::status`], for lists of many.
    pub fn figures(&self, key: TorrentKey) -> Option<Figures> {
        self.cell(key).map(|cell| cell.figures())
    }

    /// The torrents whose figures changed since the last call, each once. Figures are refreshed four times
    /// a second at most, and not at all while nothing happens.
    pub fn changed(&self) -> Vec<TorrentKey> {
        let changed = self.board.take_changed();
        let torrents = self.torrents.lock().unwrap_or_else(PoisonError::into_inner);
        let still_there =
            |key: &TorrentKey| torrents.get(key).map(|it| it.status.looked()).is_some();
        changed.into_iter().filter(still_there).collect()
    }

    /// What all torrents move together, since the engine's start.
    pub fn totals(&self) -> Totals {
        self.board.totals()
    }

    fn cell(&self, key: TorrentKey) -> Option<StatusCell> {
        let torrents = self.torrents.lock().unwrap_or_else(PoisonError::into_inner);
        torrents.get(&key).map(|loaded| loaded.status.clone())
    }
}
