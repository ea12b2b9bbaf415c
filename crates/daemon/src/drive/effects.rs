//! Carrying out what the catalog wants done.

use super::Driver;
use super::members::{Member, Next};
use crate::load::{Load, load_all, priorities};
use crate::news::{Level, code};
use crate::payload;
use crate::request::Request;
use piecework_catalog::{Effect, Moment, Outcome, Record, ShareAction, ShareLimit};
use piecework_node::{Engine, TorrentKey};
use piecework_types::InfoHash;
use std::sync::Arc;

/// Torrents that a thread loads before it says so.
const LOADS_AT_ONCE_MAX: usize = 32;

impl Driver {
    /// All effects that wait.
    pub(super) fn carry_out(&mut self, moment: Moment) {
        loop {
            let effect = self.catalog().poll();
            let Some(effect) = effect else { return };
            self.effect(effect, moment);
        }
    }

    fn effect(&mut self, effect: Effect, moment: Moment) {
        match effect {
            Effect::Load(id) => self.want(id),
            Effect::Unload(id) => self.unload(id, moment),
            Effect::Move { id, from, to } => {
                let shared = Arc::clone(&self.shared);
                let tell = move |milli| {
                    let outcome = Outcome::Moving(milli);
                    drop(shared.send(Request::Report { id, outcome }));
                };
                self.payload_job(id, move |job| payload::move_all(job, &from, &to, &tell));
            }
            Effect::RenameFiles { id, files } => {
                self.payload_job(id, move |job| payload::rename(job, &files));
            }
            Effect::Forget { id, deletes_files, folder, .. } => {
                self.forget(id, deletes_files, folder);
            }
            Effect::Limits(id) => self.adjust(id, |engine, key, record| {
                engine.set_torrent_limits(key, record.down_limit, record.up_limit);
            }),
            Effect::Priorities(id) => self.prioritise(id),
            Effect::Manner(id) => self.adjust(id, |engine, key, record| {
                engine.set_sequential(key, record.is_sequential);
                engine.set_edges_first(key, record.edges_first);
                engine.set_super_seed(key, record.is_super_seed);
            }),
            Effect::Trackers(id) => self.adjust(id, |engine, key, record| {
                engine.set_trackers(key, record.trackers.clone().unwrap_or_default());
            }),
            Effect::Check(id) => self.check(id),
            Effect::Reannounce(id) => self.adjust(id, |engine, key, _| engine.reannounce(key)),
            Effect::LimitReached { id, name, limit, action } => {
                let text = limit_reached(&name, limit, action);
                self.shared.news.tell(Level::Info, Some(id), code::SHARE_LIMIT_REACHED, text);
            }
            Effect::NodeLimits { down, up } => {
                self.engine.set_limits(down, up);
                self.shared.market.follow(&self.shared.settings.borrow());
            }
        }
    }

    /// Changes something of a torrent that is loaded.
    fn adjust(&self, id: InfoHash, change: impl FnOnce(&Engine, TorrentKey, &Record)) {
        let catalog = self.shared.read();
        if let (Some(Member::Running { key, .. }), Some(torrent)) =
            (self.members.get(&id), catalog.get(id))
        {
            change(&self.engine, *key, torrent.record());
        }
    }

    /// A seed that could not fetch what it finds missing is loaded anew, to check and to fetch.
    pub(super) fn check(&mut self, id: InfoHash) {
        if let Some(Member::Running { is_seed_only: true, .. }) = self.members.get(&id) {
            self.refetches.insert(id);
            return self.reload(id);
        }
        self.adjust(id, |engine, key, _| engine.recheck(key));
    }

    fn prioritise(&mut self, id: InfoHash) {
        if let Some(Member::Running { is_seed_only: true, .. }) = self.members.get(&id) {
            return self.reload(id);
        }
        self.adjust(id, |engine, key, record| engine.set_priorities(key, priorities(record)));
    }

    /// The catalog wants it loaded.
    fn want(&mut self, id: InfoHash) {
        match self.members.get_mut(&id) {
            None => self.start_loading(id),
            Some(Member::Loading { is_unwanted, .. }) => *is_unwanted = false,
            Some(Member::Running { .. }) => {}
            Some(Member::Ending(next)) => *next = Next::Load,
            Some(Member::Forgetting { is_wanted }) => *is_wanted = true,
        }
    }

    /// Hands it to a thread that reads and opens what has to be.
    pub(super) fn start_loading(&mut self, id: InfoHash) {
        if let Some(text) = self.twin_trouble(id) {
            self.members.remove(&id);
            self.tell_twin(id, &text);
            let moment = self.clock.moment();
            return self.catalog().report(id, Outcome::LoadFailed(text), moment);
        }
        if self.has_loaded_twin(id) {
            self.members.insert(id, Member::Ending(Next::Load));
            self.after_twins.insert(id);
            return;
        }
        let catalog = self.shared.read();
        let Some(torrent) = catalog.get(id) else {
            self.members.remove(&id);
            return;
        };
        let record = torrent.record().clone();
        // A seed that looks at its files without a way to write them can rest at once.
        let is_seed_only = record.is_complete
            && !record.wants_check
            && !record.priorities.values().any(|&priority| priority == 0)
            && !self.refetches.contains(&id);
        let folder = torrent.folder().to_owned();
        drop(catalog);
        let peers = self.first_peers.remove(&id).unwrap_or_default();
        self.members.insert(id, Member::Loading { is_unwanted: false, is_seed_only });
        let metainfo = self.fresh.remove(&id);
        self.to_load.push(Load { id, record, metainfo, folder, peers, is_seed_only });
    }

    /// Hands what is to be loaded to threads, several torrents of a folder at a time: a thread that wakes
    /// this one and a shard for each of a thousand has them do little else.
    pub(super) fn load_all(&mut self) {
        self.fresh.clear();
        let waiting = std::mem::take(&mut self.to_load);
        let share = self.shared.jobs.loads.share_of(waiting.len()).min(LOADS_AT_ONCE_MAX);
        let mut some: Vec<Load> = Vec::new();
        for next in waiting {
            if !next.record.has_metainfo {
                // A magnet's hosts are looked up, which may take as long as the network likes.
                self.load_some(vec![next]);
                continue;
            }
            // Another folder may lie on a drive that hangs.
            if some.len() == share || some.first().is_some_and(|it| it.folder != next.folder) {
                self.load_some(std::mem::take(&mut some));
            }
            some.push(next);
        }
        if !some.is_empty() {
            self.load_some(some);
        }
    }

    fn load_some(&self, some: Vec<Load>) {
        let (shared, engine) = (Arc::clone(&self.shared), Arc::clone(&self.engine));
        self.shared.jobs.loads.push(move || {
            let loaded = load_all(&engine, &shared, some);
            // Not held any longer than this: the daemon waits for it when it ends.
            drop(engine);
            drop(shared.send(Request::Loaded(loaded)));
        });
    }

    fn unload(&mut self, id: InfoHash, moment: Moment) {
        match self.members.get_mut(&id) {
            Some(Member::Loading { is_unwanted, .. }) => *is_unwanted = true,
            Some(member @ Member::Running { .. }) => {
                let Member::Running { key, .. } = *member else { return };
                *member = Member::Ending(Next::Unloaded);
                self.let_go(id, key, moment);
            }
            Some(Member::Ending(next)) => *next = Next::Unloaded,
            Some(Member::Forgetting { is_wanted }) => {
                *is_wanted = false;
                self.catalog().report(id, Outcome::Unloaded, moment);
            }
            None => self.catalog().report(id, Outcome::Unloaded, moment),
        }
    }

    /// Takes it out of the engine and in again, as its record says now.
    pub(super) fn reload(&mut self, id: InfoHash) {
        if let Some(member @ Member::Running { .. }) = self.members.get_mut(&id) {
            let Member::Running { key, .. } = *member else { return };
            *member = Member::Ending(Next::Load);
            let moment = self.clock.moment();
            self.let_go(id, key, moment);
        }
    }

    /// A job about a torrent's payload, which ends with an outcome.
    fn payload_job(
        &self,
        id: InfoHash,
        work: impl FnOnce(&payload::Job) -> Result<Outcome, String> + Send + 'static,
    ) {
        let catalog = self.shared.read();
        let Some(torrent) = catalog.get(id) else { return };
        let (record, folder) = (torrent.record().clone(), torrent.folder().to_owned());
        drop(catalog);
        let shared = Arc::clone(&self.shared);
        self.shared.jobs.payload.push(move || {
            let job = payload::Job { id, record, folder, shared: Arc::clone(&shared) };
            let outcome = work(&job).unwrap_or_else(Outcome::MoveFailed);
            drop(shared.send(Request::Report { id, outcome }));
        });
    }

    /// Forgets what is left of a torrent, and deletes its files if that is wanted.
    pub(super) fn forget(&mut self, id: InfoHash, deletes_files: bool, folder: String) {
        self.members.insert(id, Member::Forgetting { is_wanted: false });
        let shared = Arc::clone(&self.shared);
        self.shared.jobs.payload.push(move || {
            let result = payload::forget(&shared, id, &folder, deletes_files);
            let result = result.map(|()| deletes_files);
            drop(shared.send(Request::Forgotten { id, result }));
        });
    }
}

fn limit_reached(name: &str, limit: ShareLimit, action: ShareAction) -> String {
    let why = match limit {
        ShareLimit::Ratio => "has sent as much as its share limit says",
        ShareLimit::Seeding => "has seeded as long as its share limit says",
        ShareLimit::Inactive => "has sent nothing for as long as its share limit says",
    };
    let what = match action {
        ShareAction::Stop => "it is stopped",
        ShareAction::Remove => "it is removed, its files stay",
        ShareAction::RemoveWithFiles => "it is removed with its files",
        ShareAction::SuperSeed => "it is a super seed from now on",
    };
    format!("{name} {why}: {what}")
}
