//! What the engine says, and what became of jobs, as outcomes for the catalog and news for people.

use super::members::{Member, Next};
use super::{BATCH_MAX, Driver};
use crate::news::{Level, code};
use crate::source::arrival;
use crate::store::Kept;
use piecework_catalog::{Command, Figures, Moment, Outcome, Record, Torrent};
use piecework_metainfo::create::{Details, torrent_file};
use piecework_metainfo::{Info, Magnet, PieceLayers};
use piecework_node::{Event, Notice, Phase, Problem, TorrentKey, What};
use piecework_types::InfoHash;
use std::time::Duration;

impl Driver {
    /// The engine's events, and what it says of itself.
    pub(super) fn hear(&mut self, first: Option<Event>, moment: Moment) {
        let mut next = first;
        for _ in 0..BATCH_MAX {
            let Some(event) = next else { break };
            self.event(event, moment);
            next = self.engine.next_event(Duration::ZERO);
        }
        while let Some(notice) = self.engine.notice() {
            let (level, code, text) = match notice {
                Notice::Problem(text) => (Level::Warning, code::NODE_PROBLEM, text),
                Notice::Recovered(text) => (Level::Info, code::NODE_RECOVERED, text),
                Notice::Mapping(status) => {
                    tracing::info!(%status, "the port at the gateway");
                    continue;
                }
            };
            self.shared.news.tell(level, None, code, text);
        }
    }

    fn event(&mut self, event: Event, moment: Moment) {
        let known = self.ids.get(&event.key).copied();
        // It may speak before the thread that loaded it does.
        let named = || self.names.find(&self.shared.read(), event.info_hashes);
        let Some(id) = known.or_else(named) else { return };
        match event.what {
            What::Metadata { info, layers } => self.metadata(id, &info, layers.as_ref(), moment),
            What::Layers { info, layers } => self.layers(id, &info, &layers),
            What::Ready { .. } => self.ready(id, event.key, moment),
            What::Checked => self.catalog().report(id, Outcome::Checked, moment),
            What::Done => self.done(id, moment),
            What::Peer(verdict) => {
                if verdict.is_ban {
                    let text = format!("banned {}: {}", verdict.address, verdict.reason);
                    self.shared.news.tell(Level::Info, Some(id), code::PEER_BANNED, text);
                }
            }
            What::WebSeed(verdict) => {
                let text = format!("gave up web seed {}: {}", verdict.url, verdict.reason);
                self.shared.news.tell(Level::Warning, Some(id), code::WEB_SEED_DROPPED, text);
            }
            What::Problem(problem) => self.problem(id, problem, moment),
            What::Recovered => {
                let text = "a problem is over".to_owned();
                self.shared.news.tell(Level::Info, Some(id), code::TORRENT_RECOVERED, text);
                self.catalog().report(id, Outcome::Recovered, moment);
            }
            What::Stopped => self.ended(id, event.key, moment),
        }
    }

    fn metadata(
        &mut self,
        id: InfoHash,
        info: &Info,
        layers: Option<&PieceLayers>,
        moment: Moment,
    ) {
        let catalog = self.shared.read();
        let Some(torrent) = catalog.get(id) else { return };
        if torrent.record().has_metainfo {
            return;
        }
        let magnet = torrent.record().magnet.as_deref().and_then(|it| it.parse::<Magnet>().ok());
        let has_priorities = !torrent.record().priorities.is_empty();
        let details = details(torrent.record());
        drop(catalog);
        if let Some(first) = self.first_twin(id, info.hashes()) {
            self.names.insert_all(first, info.hashes());
            return self.stop_twin(id, moment);
        }
        let kept = torrent_file(info, layers, &details)
            .map_or_else(|| Kept::Info(info.raw().to_vec()), Kept::Torrent);
        self.changes.metainfo.insert(id, kept);
        self.names.insert_all(id, info.hashes());
        let text = format!("the metadata of {} has come", info.name());
        self.shared.news.tell(Level::Info, Some(id), code::METADATA_ARRIVED, text);
        self.catalog().report(id, arrival(info, None), moment);
        self.stop_twins(id, info.hashes(), moment);
        // What the link selects (BEP 53) is in no torrent file.
        let skipped = magnet.into_iter().filter(|_| !has_priorities).flat_map(|magnet| {
            let files = 0..u32::try_from(info.files().len()).unwrap_or(u32::MAX);
            files.filter(|&file| !magnet.selects(file)).map(|file| (file, 0)).collect::<Vec<_>>()
        });
        let skipped: Vec<_> = skipped.collect();
        if !skipped.is_empty() {
            let set = self.catalog().command(Command::SetPriorities(id, skipped), moment);
            drop(set.inspect_err(|refusal| tracing::warn!(%refusal, "the link's files")));
        }
    }

    /// From now on there is a torrent file of what came by a link.
    fn layers(&mut self, id: InfoHash, info: &Info, layers: &PieceLayers) {
        let catalog = self.shared.read();
        let record = catalog.get(id).map(Torrent::record).filter(|record| record.has_metainfo);
        let details = record.map(details);
        drop(catalog);
        if let Some(bytes) = details.and_then(|it| torrent_file(info, Some(layers), &it)) {
            self.changes.metainfo.insert(id, Kept::Torrent(bytes));
        }
    }

    fn ready(&mut self, id: InfoHash, key: TorrentKey, moment: Moment) {
        self.observe_one(id, key, moment);
        let is_seed_only = match self.members.get(&id) {
            Some(Member::Loading { is_seed_only, .. } | Member::Running { is_seed_only, .. }) => {
                *is_seed_only
            }
            Some(Member::Ending(_) | Member::Forgetting { .. }) | None => false,
        };
        let left_bytes = self.engine.figures(key).map_or(0, |figures| figures.left_bytes);
        if is_seed_only && left_bytes > 0 {
            self.refetches.insert(id);
            let text = format!(
                "{left_bytes} bytes of it are gone from the drive or were changed: put the files back \
                 and check it, or start it to fetch them again"
            );
            self.shared.news.tell(Level::Error, Some(id), code::FILES_MISSING, text.clone());
            self.catalog().report(id, Outcome::Missing(text), moment);
        }
    }

    fn done(&mut self, id: InfoHash, moment: Moment) {
        self.refetches.remove(&id);
        let catalog = self.shared.read();
        let torrent = catalog.get(id).filter(|torrent| !torrent.record().is_complete);
        let name = torrent.map(|torrent| torrent.record().name.clone());
        drop(catalog);
        if let Some(name) = name {
            let text = format!("{name} is complete");
            self.shared.news.tell(Level::Info, Some(id), code::TORRENT_DONE, text);
        }
        self.catalog().report(id, Outcome::Done, moment);
    }

    fn problem(&mut self, id: InfoHash, problem: Problem, moment: Moment) {
        let Problem { is_fatal, text, .. } = problem;
        // Both may have opened the same files.
        let text = if is_fatal { self.twin_trouble(id).unwrap_or(text) } else { text };
        if !is_fatal {
            self.shared.news.tell(Level::Warning, Some(id), code::TORRENT_PROBLEM, text.clone());
            self.catalog().report(id, Outcome::Problem(text), moment);
            return;
        }
        self.shared.news.tell(Level::Error, Some(id), code::TORRENT_FAILED, text.clone());
        // The engine ends it by itself.
        if let Some(member @ Member::Running { .. }) = self.members.get_mut(&id) {
            *member = Member::Ending(Next::Nothing);
            self.shared.set_key(id, None);
        }
        self.catalog().report(id, Outcome::Failed(text), moment);
    }

    /// The engine has let go of it.
    fn ended(&mut self, id: InfoHash, key: TorrentKey, moment: Moment) {
        if self.ids.remove(&key).is_none() {
            // The thread that loaded it has not said so yet.
            self.ended_early.insert(key);
            return;
        }
        self.shared.set_key(id, None);
        self.gone(id, moment);
    }

    /// Nothing of it is left in the engine.
    pub(super) fn gone(&mut self, id: InfoHash, moment: Moment) {
        match self.members.get(&id).copied() {
            Some(Member::Ending(Next::Load)) => self.start_loading(id),
            Some(Member::Ending(next)) => {
                self.members.remove(&id);
                if next == Next::Unloaded {
                    self.catalog().report(id, Outcome::Unloaded, moment);
                }
            }
            Some(Member::Running { .. }) => drop(self.members.remove(&id)),
            Some(Member::Loading { .. } | Member::Forgetting { .. }) | None => {}
        }
    }

    /// The engine has taken it, or why not.
    pub(super) fn loaded(
        &mut self,
        id: InfoHash,
        result: Result<TorrentKey, String>,
        moment: Moment,
    ) {
        let Some(Member::Loading { is_unwanted, is_seed_only }) = self.members.get(&id).copied()
        else {
            return;
        };
        match result {
            Ok(key) if self.ended_early.remove(&key) => {
                self.members.remove(&id);
                if is_unwanted {
                    self.catalog().report(id, Outcome::Unloaded, moment);
                }
            }
            Ok(key) if is_unwanted => {
                self.members.insert(id, Member::Ending(Next::Unloaded));
                self.ids.insert(key, id);
                self.engine.remove(key);
            }
            Ok(key) => {
                self.members.insert(id, Member::Running { key, is_seed_only });
                self.ids.insert(key, id);
                self.shared.set_key(id, Some(key));
                self.shared.lane_counts(id);
                if let Some(playback) = self.shared.positions.latest(id) {
                    self.engine.stream(key, Some(playback));
                }
                if let Some(peers) = self.first_peers.remove(&id) {
                    self.engine.add_peers(key, peers);
                }
                self.observe_one(id, key, moment);
                // Asked for while it was out of the engine, or on its way in.
                let catalog = self.shared.read();
                let wants_check = catalog.get(id).is_some_and(|it| it.record().wants_check);
                drop(catalog);
                if wants_check {
                    self.check(id);
                }
            }
            Err(text) => {
                self.members.remove(&id);
                if is_unwanted {
                    self.catalog().report(id, Outcome::Unloaded, moment);
                } else {
                    let news = &self.shared.news;
                    news.tell(Level::Error, Some(id), code::TORRENT_FAILED, text.clone());
                    self.catalog().report(id, Outcome::LoadFailed(text), moment);
                }
            }
        }
    }

    /// Has the engine let go of it, after a last look at its figures.
    pub(super) fn let_go(&mut self, id: InfoHash, key: TorrentKey, moment: Moment) {
        self.observe_one(id, key, moment);
        self.shared.set_key(id, None);
        self.engine.remove(key);
    }

    /// What became of a job about payload.
    pub(super) fn report(&mut self, id: InfoHash, outcome: Outcome, moment: Moment) {
        match &outcome {
            Outcome::MoveFailed(text) => {
                let text = format!("its files stay where they are: {text}");
                self.shared.news.tell(Level::Error, Some(id), code::MOVE_FAILED, text);
            }
            Outcome::Moved => {
                let text = "its files lie where they should".to_owned();
                self.shared.news.tell(Level::Info, Some(id), code::FILES_MOVED, text);
            }
            _ => {}
        }
        self.catalog().report(id, outcome, moment);
    }

    /// Nothing is left to do for a torrent that was removed.
    pub(super) fn forgotten(&mut self, id: InfoHash, result: Result<bool, String>) {
        let news = &self.shared.news;
        match result {
            Ok(true) => {
                let text = "the files of a removed torrent are deleted".to_owned();
                news.tell(Level::Info, Some(id), code::FILES_DELETED, text);
            }
            Ok(false) => {}
            Err(text) => {
                let text = format!("files of a removed torrent stay: {text}");
                news.tell(Level::Error, Some(id), code::DELETE_FAILED, text);
            }
        }
        self.changes.forgotten.insert(id);
        self.refetches.remove(&id);
        if let Some(Member::Forgetting { is_wanted }) = self.members.get(&id).copied() {
            self.members.remove(&id);
            if is_wanted {
                self.start_loading(id);
            }
        }
    }

    /// The figures that changed.
    pub(super) fn observe_changed(&mut self, moment: Moment) {
        for key in self.engine.changed() {
            if let Some(&id) = self.ids.get(&key) {
                self.observe_one(id, key, moment);
            }
        }
    }

    /// All figures, for the last time.
    pub(super) fn observe_all(&mut self, moment: Moment) {
        for (key, id) in self.ids.clone() {
            self.observe_one(id, key, moment);
        }
    }

    fn observe_one(&self, id: InfoHash, key: TorrentKey, moment: Moment) {
        if let Some(figures) = self.engine.figures(key) {
            self.catalog().observe(id, translate(&figures), moment);
        }
    }
}

/// What a torrent file says besides the info dictionary.
fn details(record: &Record) -> Details {
    Details { trackers: record.trackers.clone().unwrap_or_default(), ..Details::default() }
}

/// The engine's figures in the catalog's words.
fn translate(figures: &piecework_node::Figures) -> Figures {
    let (checked, to_check) = figures.checked;
    let checking = u64::from(checked) * 1000 / u64::from(to_check.max(1));
    Figures {
        is_fetching_metadata: figures.phase == Phase::Metadata && figures.pieces == 0,
        checking_milli: (figures.phase == Phase::Checking)
            .then(|| u32::try_from(checking).unwrap_or(1000)),
        wanted_bytes: figures.wanted_bytes,
        left_bytes: figures.left_bytes,
        down_bytes: figures.down_bytes,
        up_bytes: figures.up_bytes,
        wasted_bytes: figures.wasted_bytes,
        down_rate: figures.down_rate,
        up_rate: figures.up_rate,
        peers: figures.peers,
        seeds: figures.seeds,
        swarm_peers: figures.swarm_peers,
        swarm_seeds: figures.swarm_seeds,
        availability_milli: figures.availability_milli,
        is_complete: figures.is_complete,
    }
}
