//! Rest: a complete torrent with nobody connected keeps its names, its lock and its announces, and nothing
//! else. Who connects, or is to be connected to, wakes it.
//!
//! Its metadata, its machine and its store are made anew from the state folder then.

use super::Shard;
use crate::event::{Problem, TorrentKey, What};
use crate::prepare::{Jobs, Metadata};
use crate::torrent::Rest;
use piecework_disk::PieceStore;
use piecework_net::Arrival;
use piecework_types::{Blame, Time};
use std::sync::Arc;
use std::time::Duration;

/// When a torrent is looked at again that was not settled, or could not be kept.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Strangers that wait until a torrent is ready, which takes milliseconds; more are dropped.
const WAITING_MAX: usize = 8;

impl Shard {
    /// A torrent that cannot be made anew sleeps on; those who waited for it are let go. The reason is told
    /// once, not to each that comes.
    pub(super) fn sleep_on(&mut self, key: TorrentKey, text: String) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.rest = Rest::Asleep;
            torrent.waiting.clear();
            if torrent.trouble.as_deref() == Some(&text) {
                return;
            }
            torrent.trouble = Some(text.clone());
            let problem = Problem { blame: Blame::Local, is_fatal: false, text };
            self.tell(key, What::Problem(problem));
        }
    }

    /// Lets a torrent that has had nobody for a while lie down.
    pub(super) fn rest_if_idle(&mut self, key: TorrentKey, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let Some(rest_after) = self.shared.rest_after.filter(|_| torrent.may_rest()) else {
            torrent.rest_at = Time::NEVER;
            return;
        };
        if torrent.rest_at == Time::NEVER {
            let after = if torrent.had_company { rest_after } else { Duration::ZERO };
            torrent.rest_at = now + after;
        }
        if torrent.rest_at > now {
            return;
        }
        // Once more later: it is not settled yet, or cannot be kept.
        torrent.rest_at = now + AGAIN_AFTER;
        let is_settled = torrent.store.as_ref().is_some_and(PieceStore::is_settled);
        let Some(content) = torrent.content.as_ref().filter(|_| is_settled) else { return };
        let (info, layers) = (Arc::clone(&content.info), torrent.layers());
        torrent.rest = Rest::Keeping;
        let job = torrent.job(key, Metadata::ToKeep { info, layers }, &self.handle);
        Jobs::push(&self.shared, job);
    }

    pub(super) fn kept(&mut self, key: TorrentKey, is_kept: bool, now: Time) {
        let shared = Arc::clone(&self.shared);
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.rest == Rest::Keeping {
            torrent.rest = Rest::Awake;
            if is_kept && torrent.may_rest() {
                torrent.lie_down(&shared, now);
            }
        }
    }

    /// The last record of a torrent that lies down is written, or cannot be: it sleeps.
    pub(super) fn fall_asleep(&mut self, key: TorrentKey, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.rest == Rest::LyingDown && torrent.saves_due == 0 {
            torrent.store = None;
            torrent.rest = Rest::Asleep;
            torrent.publish(now);
            if std::mem::take(&mut torrent.wakes_at_once) || !torrent.waiting.is_empty() {
                self.wake(key);
            }
        }
    }

    /// Loads a sleeping torrent.
    pub(super) fn wake(&mut self, key: TorrentKey) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.rest == Rest::Asleep {
            torrent.rest = Rest::Waking;
            let job = torrent.job(key, Metadata::Kept, &self.handle);
            Jobs::push(&self.shared, job);
        }
    }

    /// Keeps a stranger waiting whose torrent sleeps, or whose files are being looked at; gives it back
    /// if it can come in.
    pub(super) fn keep_waiting(&mut self, arrival: Arrival, key: TorrentKey) -> Option<Arrival> {
        let torrent = self.torrents.get_mut(&key)?;
        if torrent.is_awake() && torrent.is_prepared() {
            return Some(arrival);
        }
        if torrent.waiting.len() < WAITING_MAX {
            torrent.waiting.push(arrival);
        }
        self.wake(key);
        None
    }

    /// The torrent is ready: those who waited come in.
    pub(super) fn admit_waiting(&mut self, key: TorrentKey, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        for arrival in std::mem::take(&mut torrent.waiting) {
            self.arrive(arrival, key, now);
        }
    }
}
