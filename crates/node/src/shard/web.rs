//! Web seeds between a torrent's machine and the thread that fetches.

use super::Shard;
use crate::event::{Phase, TorrentKey, WebSeedVerdict, What};
use crate::web_seeds::{WebIntake, WebNews};
use piecework_swarm::{FetchFault, FetchId, Input, WebSeedEnd, WebSeedId};
use piecework_types::{Block, ChunkId, Time};
use std::sync::Arc;
use std::time::Duration;

/// News taken in one turn; a turn that takes all is followed by another at once.
const NEWS_A_TURN_MAX: usize = 256;

/// What the machine is told while the way out is gone: no server is to blame.
const UNREACHABLE: FetchFault = FetchFault::Busy { after: Some(Duration::from_secs(10)) };

impl Shard {
    /// The way out is another one, or gone.
    pub(super) fn cut_off_web_seeds(&mut self, now: Time) {
        let keys: Vec<TorrentKey> = self.torrents.keys().copied().collect();
        for key in keys {
            let Some(torrent) = self.torrents.get_mut(&key) else { continue };
            for fetch in torrent.web_seeds.cut_off() {
                torrent.swarm.handle(Input::FetchFailed { fetch, fault: UNREACHABLE }, now);
            }
            self.touch(key);
        }
    }

    /// Tells the machine which web seeds there are.
    pub(super) fn introduce_web_seeds(&mut self, key: TorrentKey, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        for seed in torrent.web_seeds.ids() {
            torrent.swarm.handle(Input::WebSeedAdded { seed }, now);
        }
    }

    /// Step 2, for a fetch.
    pub(super) fn fetch(
        &mut self,
        key: TorrentKey,
        (seed, fetch): (WebSeedId, FetchId),
        blocks: Vec<Block>,
        now: Time,
    ) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let (Some(content), Phase::Active) = (&torrent.content, torrent.phase) else { return };
        if !self.shared.network.is_up() {
            return torrent.swarm.handle(Input::FetchFailed { fetch, fault: UNREACHABLE }, now);
        }
        let intake = WebIntake {
            key,
            fetch,
            blocks: blocks.into_iter(),
            pool: self.shared.disk.pool().clone(),
            down: [torrent.down_limit(), Arc::clone(&self.shared.limits.down)],
            clock: self.clock,
            handle: self.handle.clone(),
        };
        let started = torrent.web_seeds.fetch(&self.shared.web, &content.info, seed, intake);
        if let Err(fault) = started {
            torrent.swarm.handle(Input::FetchFailed { fetch, fault }, now);
        }
    }

    /// Step 2, for the end of a fetch.
    pub(super) fn stop_fetch(&mut self, key: TorrentKey, fetch: FetchId) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.web_seeds.stop(fetch);
        }
    }

    /// Step 1, for what came from web seeds.
    pub(super) fn take_web_news(&mut self, now: Time) {
        for _ in 0..NEWS_A_TURN_MAX {
            let Ok((key, news)) = self.web_news.try_recv() else { return };
            let Some(torrent) = self.torrents.get_mut(&key) else { continue };
            match news {
                WebNews::Block { fetch, block, chunk } => {
                    let chunk = ChunkId(self.arrived.insert(chunk));
                    torrent.swarm.handle(Input::WebBlockArrived { fetch, block, chunk }, now);
                    if torrent.swarm.web_seed_of(fetch).is_none() {
                        torrent.web_seeds.finished(fetch);
                    }
                }
                WebNews::Failed { fetch, fault } => {
                    torrent.web_seeds.stop(fetch);
                    if let Some(seed) = torrent.swarm.web_seed_of(fetch) {
                        let url = torrent.web_seeds.note(seed, &fault.to_string(), false);
                        tracing::debug!(%url, %fault, "a fetch from a web seed failed");
                    }
                    torrent.swarm.handle(Input::FetchFailed { fetch, fault }, now);
                }
            }
            self.touch(key);
        }
        // There may be more: first the sockets get their turn.
        self.handle.wake();
    }

    /// Step 2, for a web seed that is given up.
    pub(super) fn web_seed_dropped(
        &mut self,
        key: TorrentKey,
        seed: WebSeedId,
        reason: &WebSeedEnd,
    ) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let reason = reason.to_string();
        let url = torrent.web_seeds.note(seed, &reason, true);
        tracing::info!(%url, %reason, "gave up a web seed");
        self.tell(key, What::WebSeed(WebSeedVerdict { url, reason }));
    }
}
