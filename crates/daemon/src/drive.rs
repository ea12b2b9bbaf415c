//! The daemon's thread: drives the catalog's run loop, whose numbers are repeated here.
//!
//! Owns what each torrent is doing in the engine, what is to be written down, and who waits for that.
//! Invariant: no effect is carried out and no command answered before the records that it comes from are
//! written down. It blocks on nothing but the store.

mod add;
mod effects;
mod events;
mod members;
mod settings;
mod twin;
mod writing;

use crate::clock::Clock;
use crate::load::Load;
use crate::news::{Level, code};
use crate::request::{Reply, Request, Requests};
use crate::shared::{Shared, ending};
use crate::store::{Changes, Gone, Lists};
use crate::watch;
use members::{Member, Names};
use piecework_catalog::{Catalog, Command, Moment, Refusal};
use piecework_metainfo::Metainfo;
use piecework_node::{Engine, TorrentKey};
use piecework_types::InfoHash;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// Between two looks at the engine's figures while somebody looks at ours.
const LOOK_AFTER: Duration = Duration::from_millis(500);
/// The same while nobody does: share limits and the queue need no more.
const LOOK_SELDOM_AFTER: Duration = Duration::from_secs(5);
/// How long somebody who looked is taken to look on, seconds.
const LOOKING_SECONDS: u64 = 10;
/// Between two looks at the drives' free space.
const SPACE_AFTER: Duration = Duration::from_secs(15);
/// Between two words to those who wait for revisions.
const TELL_AFTER: Duration = Duration::from_millis(250);
/// Peers that wait for their torrent to be loaded.
const FIRST_PEERS_MAX: usize = 1_000;
/// Requests, and events, of one turn, so that others get theirs.
const BATCH_MAX: usize = 1_000;

/// The thread's own state.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    engine: Arc<Engine>,
    requests: Requests,
    clock: Clock,
    /// Torrents that are in the engine, or that something is done with.
    members: BTreeMap<InfoHash, Member>,
    /// By what the engine calls them, until it has let go of them.
    ids: BTreeMap<TorrentKey, InfoHash>,
    /// Those that ended before it was known that they had begun.
    ended_early: BTreeSet<TorrentKey>,
    names: Names,
    /// Those that are loaded once the engine has let go of their twin.
    after_twins: BTreeSet<InfoHash>,
    /// To be written down.
    changes: Changes,
    /// As they were last written down.
    lists: Lists,
    /// To be handed to threads at the end of the turn.
    to_load: Vec<Load>,
    /// What was added in this turn, so that what is loaded in it too is not read and parsed again.
    fresh: BTreeMap<InfoHash, Arc<Metainfo>>,
    /// Removed torrents whose files go too.
    deletes: BTreeSet<InfoHash>,
    /// Torrents whose missing files may be fetched again.
    refetches: BTreeSet<InfoHash>,
    /// Peers to try once their torrent is loaded.
    first_peers: BTreeMap<InfoHash, Vec<SocketAddr>>,
    /// Who waits for what is to be written down.
    answers: Vec<Answer>,
    /// When to write down what nobody waits for, if there is any of it.
    write_at: Option<Instant>,
    /// When to try to write again, if that failed.
    retry_at: Option<Instant>,
    looked_at: Instant,
    space_at: Instant,
    watched_at: Instant,
    told_at: Instant,
    is_dead: bool,
    is_stopping: bool,
}

/// Tells somebody how it ended; the argument says why nothing could be written down.
type Answer = Box<dyn FnOnce(Option<&Refusal>) + Send>;

impl Driver {
    /// `lists` is what the catalog was restored from.
    pub(crate) fn new(
        shared: Arc<Shared>,
        engine: Arc<Engine>,
        requests: Requests,
        lists: Lists,
    ) -> Self {
        let now = Instant::now();
        let names = Names::of(&shared.read());
        Self {
            shared,
            engine,
            requests,
            clock: Clock::start(),
            members: BTreeMap::new(),
            ids: BTreeMap::new(),
            ended_early: BTreeSet::new(),
            names,
            after_twins: BTreeSet::new(),
            changes: Changes::default(),
            lists,
            to_load: Vec::new(),
            fresh: BTreeMap::new(),
            deletes: BTreeSet::new(),
            refetches: BTreeSet::new(),
            first_peers: BTreeMap::new(),
            answers: Vec::new(),
            write_at: None,
            retry_at: None,
            looked_at: now,
            // At once.
            space_at: now.checked_sub(SPACE_AFTER).unwrap_or(now),
            watched_at: now,
            told_at: now,
            is_dead: false,
            is_stopping: false,
        }
    }

    /// Goes on with what an earlier run has not finished.
    pub(crate) fn resume_forgetting(&mut self, gone: Vec<(InfoHash, Gone)>) {
        for (id, gone) in gone {
            if self.shared.read().get(id).is_none() {
                self.forget(id, gone.deletes_files, gone.folder());
            }
        }
    }

    /// Runs until somebody stops the daemon.
    pub(crate) fn run(mut self) {
        while !self.is_stopping {
            self.turn();
        }
        self.finish();
    }

    fn turn(&mut self) {
        let wait = self.wait();
        let first = self.engine.next_event(wait);
        let moment = self.clock.moment();
        // 1. What the engine says, what people want, and what became of earlier effects.
        self.hear(first, moment);
        self.take_requests(moment);
        self.load_after_twins(moment);
        self.observe(moment);
        // 2. Time: one look at the whole queue for all that is gathered.
        if !self.gathers() {
            self.shared.write().tick(moment);
        }
        // 4. Before 3: nothing is done about a change that may be lost.
        if self.write_down() {
            // 3. Effects.
            self.carry_out(moment);
        }
        self.load_all();
        // 5. Faces read for themselves, once they know.
        self.tell_revision();
        self.look_after_engine();
    }

    /// Until there is something to do, if nothing happens.
    fn wait(&mut self) -> Duration {
        let moment = self.clock.moment();
        let mut wait = self.look_after().saturating_sub(self.looked_at.elapsed());
        if !self.gathers() {
            wait = wait.min(self.clock.until(self.shared.read().next_tick(moment)));
        }
        if self.shared.settings.borrow().watch().folder.is_some() {
            wait = wait.min(watch::LOOK_AFTER.saturating_sub(self.watched_at.elapsed()));
        }
        if self.is_told_late() {
            wait = wait.min(TELL_AFTER.saturating_sub(self.told_at.elapsed()));
        }
        for at in [self.write_at, self.retry_at].into_iter().flatten() {
            wait = wait.min(at.saturating_duration_since(Instant::now()));
        }
        // No busy loop, whatever a machine says.
        wait.max(Duration::from_millis(1))
    }

    fn look_after(&self) -> Duration {
        let looked = self.shared.looked_at() + LOOKING_SECONDS;
        let is_looked_at =
            looked > crate::clock::unix_seconds() || self.shared.revisions.receiver_count() > 0;
        if is_looked_at { LOOK_AFTER } else { LOOK_SELDOM_AFTER }
    }

    fn take_requests(&mut self, moment: Moment) {
        self.requests.look();
        for _ in 0..BATCH_MAX {
            let Some(request) = self.requests.next() else { return };
            match request {
                Request::Command { command, reply } => self.command(command, reply, moment),
                Request::Add { new, reply } => self.add(*new, reply, moment),
                Request::AddAll { news, reply } => self.add_all(news, reply, moment),
                Request::Set { changes, reply } => self.set(&changes, reply, moment),
                Request::AddPeers { id, peers } => self.add_peers(id, peers),
                Request::Loaded(loaded) => {
                    loaded.into_iter().for_each(|(id, result)| self.loaded(id, result, moment));
                }
                Request::Report { id, outcome } => self.report(id, outcome, moment),
                Request::Forgotten { id, result } => self.forgotten(id, result),
                Request::FreeSpace(folders) => {
                    let mut catalog = self.shared.write();
                    for (folder, bytes) in folders {
                        catalog.free_space(&folder, bytes, moment);
                    }
                }
                Request::Stop => self.is_stopping = true,
            }
        }
        // The rest waits for the next turn, which is to come at once.
        self.shared.wake();
    }

    fn add_peers(&mut self, id: InfoHash, peers: Vec<SocketAddr>) {
        if let Some(Member::Running { key, .. }) = self.members.get(&id) {
            self.engine.add_peers(*key, peers);
        } else if self.shared.read().get(id).is_some() {
            let waiting = self.first_peers.entry(id).or_default();
            waiting.extend(peers);
            waiting.truncate(FIRST_PEERS_MAX);
        }
    }

    fn command(&mut self, command: Command, reply: Reply<()>, moment: Moment) {
        if let Some(refusal) = self.refuses_changes() {
            drop(reply.send(Err(refusal)));
            return;
        }
        let deleted = match &command {
            Command::Remove { ids, deletes_files: true } => ids.clone(),
            _ => Vec::new(),
        };
        let result = self.shared.write().command(command, moment);
        match result {
            Ok(()) => {
                self.deletes.extend(deleted);
                self.answer(reply, ());
            }
            Err(refusal) => drop(reply.send(Err(refusal))),
        }
    }

    /// Answers once what has changed is written down.
    fn answer<T: Send + 'static>(&mut self, reply: Reply<T>, value: T) {
        self.answers.push(Box::new(move |refusal| {
            drop(reply.send(refusal.map_or(Ok(value), |refusal| Err(refusal.clone()))));
        }));
    }

    /// Figures and free space, when it is time.
    fn observe(&mut self, moment: Moment) {
        if self.looked_at.elapsed() >= self.look_after() {
            self.looked_at = Instant::now();
            self.observe_changed(moment);
        }
        self.watch();
        if self.space_at.elapsed() >= SPACE_AFTER {
            self.space_at = Instant::now();
            self.look_at_drives();
        }
    }

    /// Has somebody look at the watch folder, when it is time.
    fn watch(&mut self) {
        if self.watched_at.elapsed() < watch::LOOK_AFTER {
            return;
        }
        self.watched_at = Instant::now();
        let folder = self.shared.settings.borrow().watch().folder.clone();
        let Some(folder) = folder else { return };
        let shared = Arc::clone(&self.shared);
        self.shared.jobs.asked.push(move || shared.watched.look(&shared, Path::new(&folder.0)));
    }

    /// Has somebody ask for free space: a drive may hang.
    fn look_at_drives(&self) {
        let catalog = self.shared.read();
        let folders: Vec<_> = catalog.folders().into_iter().map(str::to_owned).collect();
        let save_path = catalog.rules().save_path.clone();
        drop(catalog);
        let shared = Arc::clone(&self.shared);
        self.shared.jobs.asked.push(move || {
            let new = crate::payload::free_space(Path::new(&save_path)).unwrap_or(0);
            shared.free_space.store(new, Ordering::Relaxed);
            if folders.is_empty() {
                return;
            }
            let free = |folder: String| {
                let bytes = crate::payload::free_space(Path::new(&folder))?;
                Some((folder, bytes))
            };
            let found = folders.into_iter().filter_map(free).collect();
            // Nobody asks once the daemon is ending.
            drop(shared.send(Request::FreeSpace(found)));
        });
    }

    fn is_told_late(&self) -> bool {
        *self.shared.revisions.borrow() != self.shared.read().revision()
    }

    fn tell_revision(&mut self) {
        if self.is_told_late() && self.told_at.elapsed() >= TELL_AFTER {
            self.told_at = Instant::now();
            let revision = self.shared.read().revision();
            self.shared.revisions.send_replace(revision);
        }
    }

    fn look_after_engine(&mut self) {
        if !self.is_dead && !self.engine.is_alive() {
            self.is_dead = true;
            let text = "a network thread has stopped, which is a fault of this program: start it again, \
                        what is verified is kept";
            self.shared.news.tell(Level::Error, None, code::NODE_PROBLEM, text.to_owned());
        }
    }

    /// Writes down what there is to write, and answers those who wait.
    fn finish(mut self) {
        let moment = self.clock.moment();
        self.observe_all(moment);
        self.write_down();
        while let Some(request) = self.requests.next() {
            match request {
                Request::Command { reply, .. } => drop(reply.send(Err(ending()))),
                Request::Add { reply, .. } => drop(reply.send(Err(ending()))),
                Request::AddAll { reply, .. } => drop(reply.send(Err(ending()))),
                Request::Set { reply, .. } => drop(reply.send(Err(ending()))),
                _ => {}
            }
        }
    }

    /// The catalog, to change.
    fn catalog(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.shared.write()
    }
}
