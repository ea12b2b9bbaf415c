//! What faces hold of a daemon.

use crate::news::News;
use crate::request::{NewTorrent, Request};
use crate::shared::{Shared, ending};
use crate::store::Kept;
use crate::stream::Reader;
use crate::{payload, places, source};
use piecework_catalog::{Catalog, Command, Record, Refusal, RefusalKind, Revision};
use piecework_feeds::{FeedError, Feeds};
use piecework_metainfo::{Info, Metainfo};
use piecework_net::Cookie;
use piecework_node::{
    Engine, MappingStatus, PeerStatus, PieceState, Status, TrackerStatus, WebSeedStatus,
};
use piecework_settings::Settings;
use piecework_types::{Bitfield, InfoHash, PieceIndex};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLockReadGuard};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// A torrent to add.
#[derive(Clone, Debug)]
pub struct New {
    /// Where its names come from.
    pub source: NewSource,
    /// What is wanted of it: category, tags, paths, limits and so on. Names, dates and sizes are filled in.
    pub record: Record,
    /// It goes to the top of the queue.
    pub at_top: bool,
    /// Peers to try.
    pub peers: Vec<SocketAddr>,
}

impl New {
    /// Reads its source, and sees to it that its paths lie below the roots.
    fn read(self, shared: &Shared) -> Result<Box<NewTorrent>, Refusal> {
        let Self { source, mut record, at_top, peers } = self;
        shared.roots().confine_record(&mut record)?;
        let found = source::find(source, &shared.binding)?;
        found.describe(&mut record);
        Ok(Box::new(NewTorrent { found, record, at_top, peers }))
    }
}

/// What a torrent is made from.
#[derive(Clone, Debug)]
pub enum NewSource {
    /// The bytes of a torrent file.
    Metainfo(Vec<u8>),
    /// The same, and what they mean, of somebody who has read them already.
    Parsed(Vec<u8>, Arc<Metainfo>),
    /// A magnet link, a bare info-hash, or an http(s) address of a torrent file, which is fetched.
    Link(String),
    /// The same; a server is shown the cookie.
    LinkWithCookie(String, Cookie),
}

/// How adding ended well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Added {
    /// The torrent.
    pub id: InfoHash,
    /// It was there before; new trackers and web seeds were taken over, if it is not private.
    pub was_there: bool,
}

/// Figures of the whole node.
#[derive(Clone, Debug, Default)]
pub struct NodeFigures {
    /// Unix seconds at its start.
    pub started_at: u64,
    /// Payload of this run, bytes.
    pub down_bytes: u64,
    /// See `down_bytes`.
    pub up_bytes: u64,
    /// Payload of all runs, bytes.
    pub all_down_bytes: u64,
    /// See `all_down_bytes`.
    pub all_up_bytes: u64,
    /// Payload a second.
    pub down_rate: u64,
    /// See `down_rate`.
    pub up_rate: u64,
    /// Limits in force, bytes a second.
    pub down_limit: Option<u64>,
    /// See `down_limit`.
    pub up_limit: Option<u64>,
    /// The alternative limits are those in force.
    pub is_alternative: bool,
    /// Connected peers.
    pub peers: u32,
    /// Nodes in the tables of the DHT; `None` without one.
    pub dht_nodes: Option<u32>,
    /// The port peers reach us on.
    pub port: u16,
    /// Whether a peer has come to us by itself.
    pub is_reachable: bool,
    /// Our addresses as others see them.
    pub seen_at: Vec<IpAddr>,
    /// The port at which others reach us there: the gateway's, if it maps ours.
    pub outside_port: u16,
    /// How the port is mapped at the gateway; `None` while none was asked.
    pub mapping: Option<MappingStatus>,
    /// Free bytes where new torrents are saved.
    pub free_space: u64,
}

/// The way to a running daemon. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The catalog, to read. Never held across an await, and not for long: changes wait for it.
    pub fn catalog(&self) -> RwLockReadGuard<'_, Catalog> {
        self.shared.look()
    }

    /// Tells of each newer revision, several changes at once, at most a few times a second.
    pub fn revisions(&self) -> watch::Receiver<Revision> {
        let receiver = self.shared.revisions.subscribe();
        // From now on figures are looked at often.
        self.shared.wake();
        receiver
    }

    /// Carries out a command; it is written down when this returns.
    ///
    /// # Errors
    /// When it cannot be; nothing has changed then. Where it could not be written down, the text says so.
    pub async fn command(&self, command: Command) -> Result<(), Refusal> {
        let command = self.confine(command).await?;
        self.shared.ask(|reply| Request::Command { command, reply }).await
    }

    /// Adds a torrent; it is written down when this returns.
    ///
    /// # Errors
    /// When the source cannot be read or fetched, or a path lies outside of the roots.
    pub async fn add(&self, new: New) -> Result<Added, Refusal> {
        let new = self.read(new).await.map_err(|_| ending())??;
        self.shared.ask(|reply| Request::Add { new, reply }).await
    }

    /// Adds several, which come into the queue in this order whichever was read first; all to the top, or all
    /// to the end. What came is written down when this returns; answers are in the same order.
    pub async fn add_all(&self, mut all: Vec<New>) -> Vec<Result<Added, Refusal>> {
        // At the top, the last one that comes is the first.
        let is_reversed = all.first().is_some_and(|new| new.at_top);
        if is_reversed {
            all.reverse();
        }
        let is_at_hand = !all.iter().any(|new| source::is_fetched(&new.source));
        let mut results =
            if is_at_hand { self.add_at_hand(all).await } else { self.add_each(all).await };
        if is_reversed {
            results.reverse();
        }
        results
    }

    /// Read and written down together.
    async fn add_at_hand(&self, all: Vec<New>) -> Vec<Result<Added, Refusal>> {
        let (shared, count) = (Arc::clone(&self.shared), all.len());
        let read = move || all.into_iter().map(|new| new.read(&shared)).collect();
        let added = match self.shared.aside(read).await {
            Ok(news) => self.shared.ask(|reply| Request::AddAll { news, reply }).await,
            Err(refusal) => Err(refusal),
        };
        added.unwrap_or_else(|refusal| vec![Err(refusal); count])
    }

    /// Each is handed over when it and all before it have been read.
    async fn add_each(&self, all: Vec<New>) -> Vec<Result<Added, Refusal>> {
        let reads: Vec<_> = all.into_iter().map(|new| self.read(new)).collect();
        let mut answers = Vec::with_capacity(reads.len());
        for read in reads {
            let read = read.await.unwrap_or_else(|_| Err(ending()));
            let handed = |new| self.shared.hand_over(|reply| Request::Add { new, reply });
            answers.push(read.and_then(handed));
        }
        let mut results = Vec::with_capacity(answers.len());
        for answer in answers {
            results.push(match answer {
                Ok(answer) => answer.await.unwrap_or_else(|_| Err(ending())),
                Err(refusal) => Err(refusal),
            });
        }
        results
    }

    /// Has a source read, away from everybody; that begins at once.
    fn read(&self, new: New) -> oneshot::Receiver<Result<Box<NewTorrent>, Refusal>> {
        let shared = Arc::clone(&self.shared);
        let is_fetched = source::is_fetched(&new.source);
        let pool = if is_fetched { &self.shared.jobs.fetches } else { &self.shared.jobs.asked };
        pool.ask(move || new.read(&shared))
    }

    /// The torrent file of a torrent whose metainfo is known.
    pub async fn metainfo(&self, id: InfoHash) -> Option<Vec<u8>> {
        let shared = Arc::clone(&self.shared);
        match self.shared.aside(move || shared.store.metainfo(id)).await.ok()?.ok()?? {
            Kept::Torrent(bytes) => Some(bytes),
            Kept::Info(_) => None,
        }
    }

    /// The info dictionary, if it is known.
    pub async fn info(&self, id: InfoHash) -> Option<Arc<Info>> {
        let shared = Arc::clone(&self.shared);
        self.shared.aside(move || payload::info(&shared.store, id)).await.ok()?.ok()?
    }

    /// The pieces that are there: of a torrent that is not loaded, those that were when it last was.
    pub async fn bitfield(&self, id: InfoHash) -> Option<Bitfield> {
        self.shared.read().get(id)?;
        let status = self.status(id).unwrap_or_default();
        if status.pieces == 0 {
            return self.known_pieces(id).await;
        }
        let whole = Bitfield::from_wire(&status.bitfield, status.pieces);
        Some(whole.unwrap_or_else(|_| Bitfield::new(status.pieces)))
    }

    async fn known_pieces(&self, id: InfoHash) -> Option<Bitfield> {
        let job = self.job(id)?;
        self.shared.aside(move || payload::known_pieces(&job)).await.ok()
    }

    fn job(&self, id: InfoHash) -> Option<payload::Job> {
        let catalog = self.shared.read();
        let torrent = catalog.get(id)?;
        let (record, folder) = (torrent.record().clone(), torrent.folder().to_owned());
        Some(payload::Job { id, record, folder, shared: Arc::clone(&self.shared) })
    }

    /// What becomes of each piece.
    pub async fn piece_states(&self, id: InfoHash) -> Option<Vec<PieceState>> {
        self.shared.read().get(id)?;
        let Some((engine, key)) = self.shared.loaded(id) else {
            let known = self.known_pieces(id).await?;
            let state = |piece| {
                let is_there = known.contains(PieceIndex::trusted(piece));
                if is_there { PieceState::Have } else { PieceState::Missing }
            };
            return Some((0..known.len()).map(state).collect());
        };
        let (reply, answer) = oneshot::channel();
        engine.piece_states(key, |states| drop(reply.send(states)));
        drop(engine);
        Some(answer.await.unwrap_or_default())
    }

    /// The connected peers of a torrent; none of one that is not loaded.
    pub async fn peers(&self, id: InfoHash) -> Option<Vec<PeerStatus>> {
        self.shared.read().get(id)?;
        let Some((engine, key)) = self.shared.loaded(id) else { return Some(Vec::new()) };
        let (reply, answer) = oneshot::channel();
        engine.peers(key, |peers| drop(reply.send(peers)));
        drop(engine);
        Some(answer.await.unwrap_or_default())
    }

    /// The trackers of a torrent, whether it is loaded or not.
    pub async fn trackers(&self, id: InfoHash) -> Option<Vec<TrackerStatus>> {
        let catalog = self.shared.read();
        let record = catalog.get(id)?.record();
        // It has none yet in its first moment.
        if let Some(status) = self.status(id).filter(|status| !status.trackers.is_empty()) {
            return Some(status.trackers);
        }
        let tiers = (0..).zip(record.trackers.iter().flatten());
        let status = |tier, url: &String| TrackerStatus::idle(url, tier);
        Some(tiers.flat_map(|(tier, urls)| urls.iter().map(move |url| status(tier, url))).collect())
    }

    /// Time until the next announce to a tracker of a torrent; `None` while there is none.
    pub fn next_announce(&self, id: InfoHash) -> Option<Duration> {
        let (engine, key) = self.shared.loaded(id)?;
        engine.next_announce(key)
    }

    /// The web seeds of a torrent.
    pub async fn web_seeds(&self, id: InfoHash) -> Option<Vec<WebSeedStatus>> {
        let catalog = self.shared.read();
        let record = catalog.get(id)?.record();
        if let Some(status) = self.status(id) {
            return Some(status.web_seeds);
        }
        let status = |url: &String| WebSeedStatus { url: url.clone(), ..WebSeedStatus::default() };
        Some(record.web_seeds.iter().map(status).collect())
    }

    /// Peers to try; at once, or when the torrent is loaded next.
    pub fn add_peers(&self, id: InfoHash, peers: Vec<SocketAddr>) {
        // Nobody waits for it, and an ending daemon needs no peers.
        drop(self.shared.send(Request::AddPeers { id, peers }));
    }

    /// Addresses that people banned.
    pub fn bans(&self) -> BTreeSet<IpAddr> {
        self.shared.bans.all()
    }

    /// Changes the addresses that are refused, at once and in later runs too; written down when this returns.
    ///
    /// # Errors
    /// When there are more than [`crate::BANS_MAX`] or they cannot be written down; nothing has changed then.
    pub async fn change_bans(
        &self,
        change: impl FnOnce(&mut BTreeSet<IpAddr>) + Send + 'static,
    ) -> Result<(), Refusal> {
        let shared = Arc::clone(&self.shared);
        self.shared.aside(move || shared.bans.change(&shared, change)).await?
    }

    /// A reader of one file of a torrent, complete or not. What it is about to read is fetched before
    /// anything else for as long as it lives.
    ///
    /// # Errors
    /// When there is no such file, or the torrent is stopped and the file not whole.
    pub async fn open(&self, id: InfoHash, file: usize) -> Result<Reader, Refusal> {
        Reader::open(Arc::clone(&self.shared), id, file).await
    }

    /// Figures of the whole node.
    pub fn node(&self) -> NodeFigures {
        let engine = self.shared.engine();
        let engine = engine.as_deref();
        let totals = engine.map(Engine::totals).unwrap_or_default();
        let dht = engine.and_then(Engine::dht_status);
        let (seen_at, outside_port) = engine.map(Engine::seen_at).unwrap_or_default();
        let (all_down_bytes, all_up_bytes) = self.shared.all_bytes(totals);
        let catalog = self.shared.read();
        let (rules, is_alternative) = (catalog.rules(), catalog.is_alternative());
        let speed = if is_alternative { rules.alternative } else { rules.speed };
        drop(catalog);
        NodeFigures {
            started_at: self.shared.started_at,
            down_bytes: totals.down_bytes,
            up_bytes: totals.up_bytes,
            down_rate: totals.down_rate,
            up_rate: totals.up_rate,
            down_limit: speed.down,
            up_limit: speed.up,
            is_alternative,
            peers: u32::try_from(totals.peers).unwrap_or(u32::MAX),
            all_down_bytes,
            all_up_bytes,
            dht_nodes: dht
                .map(|dht| u32::try_from(dht.nodes_v4 + dht.nodes_v6).unwrap_or(u32::MAX)),
            port: engine.map_or(0, Engine::port),
            is_reachable: engine.is_some_and(Engine::was_reached),
            seen_at,
            outside_port,
            mapping: engine.and_then(Engine::mapping),
            free_space: self.shared.free_space.load(Ordering::Relaxed),
        }
    }

    /// What happened after the news of this number, oldest first.
    pub fn news(&self, after: u64) -> Vec<News> {
        self.shared.news.after(after)
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.shared.settings.borrow())
    }

    /// Tells of each change of the settings.
    pub fn settings_changes(&self) -> watch::Receiver<Arc<Settings>> {
        self.shared.settings.subscribe()
    }

    /// Changes settings by their keys and writes them down. Those that need a restart are in the answer.
    ///
    /// # Errors
    /// When a key is unknown or a value makes no sense; nothing has changed then.
    pub async fn set(&self, changes: Vec<(String, String)>) -> Result<Vec<String>, Refusal> {
        self.shared.ask(|reply| Request::Set { changes, reply }).await
    }

    /// Reads the feeds and their rules.
    pub fn feeds<T>(&self, read: impl FnOnce(&Feeds) -> T) -> T {
        self.shared.feeds.read(read)
    }

    /// Changes feeds or rules; written down when this returns.
    ///
    /// # Errors
    /// When the change makes no sense or cannot be written down; nothing has changed then.
    pub async fn change_feeds(
        &self,
        change: impl FnOnce(&mut Feeds) -> Result<(), FeedError> + Send + 'static,
    ) -> Result<(), Refusal> {
        let shared = Arc::clone(&self.shared);
        self.shared.aside(move || shared.feeds.change(&shared, change)).await?
    }

    /// The folders that payload may be saved in.
    pub fn roots(&self) -> Vec<PathBuf> {
        self.shared.roots().list().to_owned()
    }

    /// The engine's latest status of a torrent; `None` of one that is not loaded.
    fn status(&self, id: InfoHash) -> Option<Status> {
        let (engine, key) = self.shared.loaded(id)?;
        engine.status(key)
    }

    /// A command whose paths are known to lie below the roots.
    async fn confine(&self, mut command: Command) -> Result<Command, Refusal> {
        if matches!(command, Command::SetRules(_) | Command::Add { .. }) {
            let text = "torrents are added, and settings changed, in their own ways";
            return Err(Refusal::new(RefusalKind::Invalid, text));
        }
        if !places::has_path(&command) {
            return Ok(command);
        }
        let shared = Arc::clone(&self.shared);
        let confine = move || {
            let base = shared.read().rules().save_path.clone();
            shared.roots().confine_command(&mut command, &base).map(|()| command)
        };
        // It looks at a drive.
        self.shared.aside(confine).await?
    }
}
