//! A torrent's life on its shard: added, metadata, check, active, complete, stopping, gone; and the
//! regular work in between: announces, figures, resume data.

use super::Shard;
use super::complete::problem;
use super::inbound::Ending;
use crate::announce::Announced;
use crate::config::Playback;
use crate::event::{Phase, TorrentKey, What};
use crate::prepare::{Jobs, Metadata, Outcome};
use crate::setup::{Prepared, piece_priorities, wanted_bytes};
use crate::torrent::{NewTorrent, Rest, Torrent};
use piecework_disk::{CheckScope, LocalFault, PieceStore, TorrentKey as StoreKey};
use piecework_metainfo::{Info, PieceLayers};
use piecework_swarm::{Content, Input, Source as Gossip, Voter};
use piecework_tracker::Input as ScheduleInput;
use piecework_tracker::local::LocalInput;
use piecework_types::{Bitfield, Sha256Digest, Time};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Time between two looks at an active torrent: figures and resume data.
const CHORES_AFTER: Duration = Duration::from_millis(250);

/// Time a stopping torrent has for its last writes and announces.
const STOP_AFTER: Duration = Duration::from_millis(2200);

/// Time until resume data that could not be saved is tried again.
const SAVE_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A torrent with fewer peers wants more from its trackers.
pub(crate) const PEERS_ENOUGH: usize = 40;

impl Shard {
    pub(super) fn add(&mut self, mut new: NewTorrent, now: Time) {
        let key = new.key;
        let metadata = new.metadata.take();
        let told = new.resting.as_mut().and_then(|resting| resting.metadata.take());
        let mut torrent = Box::new(Torrent::new(new, &self.shared, now));
        let content = torrent.content.take();
        let is_asleep = !torrent.is_awake();
        torrent.carry_pay(self.pay.carries(), now);
        self.torrents.insert(key, torrent);
        match (content, metadata) {
            (Some(content), _) => self.prepared(key, *content, now),
            (None, _) if is_asleep => self.added_asleep(key, told, now),
            // The info dictionary of an earlier run serves as well as one from peers.
            (None, Some(bytes)) => self.metadata_received(key, Metadata::FromEarlierRun(bytes)),
            (None, None) => self.start_announcing(key, now),
        }
        self.touch(key);
    }

    /// It rests from the start. Who may have had to wait for it hears that it is done, and what it is.
    fn added_asleep(
        &mut self,
        key: TorrentKey,
        metadata: Option<(Arc<Info>, Option<PieceLayers>)>,
        now: Time,
    ) {
        let is_news = metadata.is_some();
        if let Some((info, layers)) = metadata {
            self.tell(key, What::Metadata { info, layers });
        }
        self.tell(key, What::Ready { port: self.shared.port });
        if is_news {
            self.tell(key, What::Done);
        }
        self.start_announcing(key, now);
    }

    /// There is an info dictionary: a thread parses it and looks at the files.
    pub(super) fn metadata_received(&mut self, key: TorrentKey, metadata: Metadata) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let is_late = torrent.preparing.is_some() || torrent.store.is_some();
        if is_late || torrent.phase == Phase::Stopping {
            return;
        }
        let job = torrent.job(key, metadata, &self.handle);
        Jobs::push(&self.shared, job);
    }

    /// What the thread made of the metadata.
    pub(super) fn outcome(&mut self, key: TorrentKey, outcome: Outcome, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.preparing = None;
        if torrent.phase == Phase::Stopping {
            // Its lock goes before anybody hears of the end.
            drop(outcome);
            return self.finish_stopping(key, now);
        }
        let is_waking = torrent.rest == Rest::Waking;
        match outcome {
            Outcome::Kept(is_kept) => self.kept(key, is_kept, now),
            Outcome::Useless if is_waking => {
                let text = "the state folder has lost a resting torrent: start again to serve it";
                self.sleep_on(key, text.to_owned());
            }
            Outcome::Problem(problem) if is_waking => self.sleep_on(key, problem.text),
            Outcome::Content(content) => self.prepared(key, content, now),
            Outcome::Metadata { info, layers } => self.metadata_only(key, info, layers, now),
            Outcome::Useless => {
                self.start_announcing(key, now);
                self.admit_waiting(key, now);
            }
            Outcome::Problem(problem) => {
                self.tell(key, What::Problem(problem));
                self.stop(key, now);
            }
        }
        self.touch(key);
    }

    /// Only the torrent file is wanted: for v2 the piece layers belong to it, so fetch them as well.
    fn metadata_only(
        &mut self,
        key: TorrentKey,
        info: Arc<Info>,
        layers: Option<PieceLayers>,
        now: Time,
    ) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if layers.as_ref().is_none_or(PieceLayers::is_complete) {
            return self.tell(key, What::Metadata { info, layers });
        }
        let pieces = info.grid().piece_count();
        torrent.wire_limits.pieces_max = pieces;
        let content = Content {
            grid: info.grid().clone(),
            have: Bitfield::new(pieces),
            priorities: vec![0; pieces as usize],
            metadata: Arc::clone(info.raw()),
            layers: layers.clone(),
        };
        torrent.wanted_layers = layers.map(|layers| (info, layers));
        torrent.swarm.handle(Input::ContentReady(content), now);
        self.start_announcing(key, now);
        self.touch(key);
    }

    /// A piece layer came and is verified.
    pub(super) fn layer_received(
        &mut self,
        key: TorrentKey,
        root: Sha256Digest,
        hashes: Vec<Sha256Digest>,
    ) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if let (Some(store), Some(content)) = (&mut torrent.store, &torrent.content) {
            store.set_layer(root, &hashes);
            if let Some(layers) = store.layers().filter(|layers| layers.is_complete()) {
                let info = Arc::clone(&content.info);
                return self.tell(key, What::Layers { info, layers });
            }
        }
        let Some((info, layers)) = &mut torrent.wanted_layers else { return };
        if layers.insert(&root, hashes).is_ok() && layers.is_complete() {
            let what = What::Metadata { info: Arc::clone(info), layers: Some(layers.clone()) };
            self.tell(key, what);
        }
    }

    /// Files are looked at: find out what is there, by resume data, trust or a check.
    fn prepared(&mut self, key: TorrentKey, content: Prepared, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let (info, layers) = (Arc::clone(&content.info), content.layers.clone());
        torrent.wire_limits.pieces_max = info.grid().piece_count();
        if info.is_private() {
            // A magnet did not say so.
            self.shared.tell_nearby(torrent.info_hashes, LocalInput::Left);
        }
        let (mut have, mut to_check) = content.known();
        let is_waking = torrent.rest == Rest::Waking;
        if is_waking {
            // What the record lists was there when it lay down; without one, everything was.
            if content.resume.is_none() {
                to_check = Bitfield::full(have.len());
            }
            for piece in to_check.iter() {
                have.insert(piece);
            }
        }
        torrent.checks_due = 0;
        let sender = self.mailbox.sender();
        let mut store = PieceStore::new(content.storage.clone(), sender, StoreKey(key.0), have);
        store.keep_resume(content.lock.clone());
        torrent.lock = Some(content.lock.clone());
        if let Some(resume) = &content.resume {
            torrent.totals = resume.totals;
        }
        torrent.content = Some(Box::new(content));
        let is_trusted = torrent.spec.is_trusted;
        if is_waking {
            if to_check.count() > 0 || is_trusted {
                store.revisit(to_check, is_trusted);
            }
        } else {
            self.shared.tell(key, torrent.info_hashes, What::Metadata { info, layers });
            if !is_trusted && !to_check.is_empty() {
                torrent.phase = Phase::Checking;
                torrent.checked = (0, to_check.count());
                store.check(CheckScope::Pieces(to_check));
                torrent.checks_due = 1;
                torrent.store = Some(store);
                // It may take long.
                torrent.waiting.clear();
                return torrent.publish(now);
            }
            if is_trusted {
                store.trust();
            }
        }
        let have = store.have();
        torrent.store = Some(store);
        self.activate(key, have, now);
    }

    pub(super) fn stream(&mut self, key: TorrentKey, playback: Option<Playback>, now: Time) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.play(playback, now);
            self.touch(key);
        }
    }

    /// Existing data is known: join the swarm.
    pub(super) fn activate(&mut self, key: TorrentKey, have: Bitfield, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.phase == Phase::Stopping {
            return;
        }
        // They may have been chosen anew while the files were looked at.
        torrent.take_priorities();
        let Some(content) = &torrent.content else { return };
        // For tests that kill us: what this run begins with.
        tracing::debug!(have = %Hex(&have.to_wire()), "ready");
        let info = Arc::clone(&content.info);
        let priorities = piece_priorities(&torrent.spec, &info, &content.priorities);
        torrent.wanted_bytes = wanted_bytes(&info, &priorities);
        let machine_content = Content {
            grid: info.grid().clone(),
            have,
            priorities,
            metadata: Arc::clone(info.raw()),
            layers: content.layers.clone(),
        };
        torrent.phase = Phase::Active;
        torrent.stream(now);
        torrent.order_edges(now);
        torrent.swarm.handle(Input::ContentReady(machine_content), now);
        self.introduce_web_seeds(key, now);
        self.introduce_payers(key);
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let has_slept = std::mem::take(&mut torrent.rest) == Rest::Waking;
        let was_complete = has_slept || torrent.is_known_complete;
        torrent.is_known_complete = was_complete && torrent.swarm.view().is_complete;
        let is_recheck_due = std::mem::take(&mut torrent.is_recheck_due);
        torrent.publish(now);
        if !has_slept {
            self.tell(key, What::Ready { port: self.shared.port });
            self.start_announcing(key, now);
        }
        self.admit_waiting(key, now);
        self.touch(key);
        if is_recheck_due {
            self.recheck(key, now);
        }
    }

    fn start_announcing(&mut self, key: TorrentKey, now: Time) {
        if let Some(torrent) = self.torrents.get_mut(&key)
            && torrent.announcer.is_finished()
        {
            let facts = torrent.facts(&self.shared);
            torrent.announcer.start(&facts, now);
            if !torrent.is_private() {
                self.shared.tell_nearby(torrent.info_hashes, LocalInput::Joined);
            }
            self.join_dht(key);
        }
        self.poll_announcer(key);
    }

    /// Every wanted piece is verified: save, then say so.
    pub(super) fn wanted_complete(&mut self, key: TorrentKey, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let was_known = std::mem::take(&mut torrent.is_known_complete);
        // A file may have been lost since the machine said so: then it says so again.
        if was_known || !torrent.swarm.view().is_complete {
            return;
        }
        torrent.done_is_due = true;
        torrent.save(false);
        let view = torrent.swarm.view();
        if view.down_bytes > 0 && view.missing_bytes == 0 {
            torrent.announcer.tell(ScheduleInput::Completed, now);
        }
        self.poll_announcer(key);
    }

    /// An idle torrent costs nothing; one that moves again has its figures looked at again.
    pub(super) fn keep_up(&mut self, key: TorrentKey, now: Time) {
        if let Some(torrent) = self.torrents.get_mut(&key)
            && torrent.chores_at == Time::NEVER
            && !torrent.is_idle()
        {
            torrent.chores_at = now + CHORES_AFTER;
        }
    }

    /// Regular work of one torrent.
    pub(super) fn chores(&mut self, key: TorrentKey, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.is_busy = false;
        if torrent.dial_at <= now {
            torrent.dial_at = Time::NEVER;
        }
        if torrent.save_at <= now {
            torrent.save_at = Time::NEVER;
            torrent.save(false);
        }
        let facts = torrent.facts(&self.shared);
        torrent.announcer.tell(ScheduleInput::PartialSeed(facts.is_partial_seed), now);
        torrent.announcer.tell(ScheduleInput::Timeout, now);
        if torrent.chores_at <= now {
            torrent.publish(now);
            let view = torrent.swarm.view();
            let wants = torrent.is_awake() && !view.is_complete && view.peer_count < PEERS_ENOUGH;
            torrent.announcer.tell(ScheduleInput::WantPeers(wants), now);
            torrent.chores_at = match torrent.is_idle() {
                true => Time::NEVER,
                false => now + CHORES_AFTER,
            };
            self.tell_dht(key);
        }
        self.poll_announcer(key);
        self.finish_stopping(key, now);
    }

    /// The resume data is written, with everything that was handed over before.
    pub(super) fn saved(&mut self, key: TorrentKey, result: Result<(), LocalFault>, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.saves_due = torrent.saves_due.saturating_sub(1);
        if let Err(fault) = result {
            if torrent.done_is_due && torrent.phase != Phase::Stopping {
                torrent.save_at = now + SAVE_AGAIN_AFTER;
            }
            self.tell(key, What::Problem(problem(&fault)));
        } else if torrent.saves_due == 0 && std::mem::take(&mut torrent.done_is_due) {
            torrent.publish(now);
            self.tell(key, What::Done);
        }
        self.fall_asleep(key, now);
        self.finish_stopping(key, now);
    }

    pub(super) fn announced(&mut self, key: TorrentKey, answer: Announced, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if let Some((host, ours)) = torrent.announcer.external_ip(&answer) {
            self.shared.external.vote(Voter::Tracker(host), ours);
        }
        let peers = torrent.announcer.answered(answer, now);
        torrent.learn(peers, Gossip::Tracker, now);
        if torrent.chores_at == Time::NEVER {
            torrent.publish(now);
        }
        self.poll_announcer(key);
        self.finish_stopping(key, now);
        self.touch(key);
    }

    /// Peers were found by other ways than trackers.
    pub(super) fn found(
        &mut self,
        key: TorrentKey,
        peers: Vec<SocketAddr>,
        source: Gossip,
        now: Time,
    ) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.learn(peers, source, now);
        if torrent.chores_at == Time::NEVER {
            torrent.publish(now);
        }
        self.touch(key);
    }

    /// The torrent takes part in the DHT from now on, unless it is private (BEP 27).
    fn join_dht(&mut self, key: TorrentKey) {
        let (Some(dht), Some(torrent)) = (self.shared.dht(), self.torrents.get_mut(&key)) else {
            return;
        };
        if !torrent.is_private() && torrent.phase != Phase::Stopping {
            let announces = !torrent.spec.is_metadata_only;
            let standing = torrent.standing();
            torrent.stood = Some(standing);
            dht.join(key, torrent.info_hashes, standing, announces, &self.handle);
        }
    }

    /// The DHT hears what has changed for the torrent.
    fn tell_dht(&mut self, key: TorrentKey) {
        let (Some(dht), Some(torrent)) = (self.shared.dht(), self.torrents.get_mut(&key)) else {
            return;
        };
        let Some(stood) = torrent.stood else { return };
        let standing = torrent.standing();
        if torrent.is_private() || torrent.phase == Phase::Stopping {
            torrent.stood = None;
            dht.leave(key);
        } else if standing != stood {
            torrent.stood = Some(standing);
            dht.stands(key, standing);
        }
    }

    /// A peer says by multicast that it is there.
    pub(super) fn met_nearby(&mut self, key: TorrentKey, address: SocketAddr, now: Time) {
        if self.torrents.get(&key).is_some_and(|torrent| !torrent.is_private()) {
            self.found(key, vec![address], Gossip::Nearby { from: address.ip() }, now);
        }
    }

    pub(super) fn poll_announcer(&mut self, key: TorrentKey) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let facts = torrent.facts(&self.shared);
        let handle = self.handle.clone();
        torrent.announcer.poll(&self.shared.trackers, &facts, move |answer| {
            handle.answer(key, answer);
        });
    }

    /// Begins the polite end of a torrent.
    pub(super) fn stop(&mut self, key: TorrentKey, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.phase == Phase::Stopping {
            return;
        }
        torrent.phase = Phase::Stopping;
        self.shared.tell_nearby(torrent.info_hashes, LocalInput::Left);
        torrent.stop_by = now + STOP_AFTER;
        self.close_all_of(key, now);
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.web_seeds.stop_all();
            torrent.save(true);
            torrent.announcer.stop(now);
            torrent.publish(now);
        }
        self.tell_dht(key);
        self.poll_announcer(key);
        self.finish_stopping(key, now);
        self.touch(key);
    }

    /// Closes the connections of a torrent.
    pub(super) fn close_all_of(&mut self, key: TorrentKey, now: Time) {
        let of_torrent = self.connections.iter().filter(|(_, it)| it.torrent == key);
        let ids: Vec<u32> = of_torrent.map(|(id, _)| id).collect();
        ids.into_iter().for_each(|id| self.close(id, Ending::Lost { is_fault: false }, now));
    }

    /// Lets a stopping torrent go once its writes are done and its trackers told, or time is up.
    pub(super) fn finish_stopping(&mut self, key: TorrentKey, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.phase != Phase::Stopping {
            return;
        }
        let is_saved = torrent.saves_due == 0 && torrent.preparing.is_none();
        let is_over = is_saved && torrent.announcer.is_finished();
        if !is_over && now < torrent.stop_by {
            return;
        }
        let Some(torrent) = self.torrents.remove(&key) else { return };
        self.timers.remove(&(torrent.timer, key));
        let info_hashes = torrent.info_hashes;
        self.shared.forget(key, info_hashes);
        torrent.status.end(now);
        // Its lock goes with it: who hears of the end may load the torrent again.
        drop(torrent);
        self.shared.tell(key, info_hashes, What::Stopped);
    }
}

/// Bytes in hexadecimal, for the log.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
