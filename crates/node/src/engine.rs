//! The engine as the faces see it: start it, add torrents, take events, stop it.

mod add;
mod control;
mod dht;
mod figures;
mod pay;

use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::dht::{DhtHandle, DhtThread};
use crate::event::{Event, TorrentKey, What};
use crate::external::External;
use crate::figures::{Board, StatusCell};
use crate::limits::{Bans, NodeLimits};
use crate::network::{self, Concerned, Network, Notice};
use crate::prepare::Jobs;
use crate::shard::{Command, Shard, ShardHandle};
use crate::web_seeds::WebFetcher;
use pay::PayThread;
use piecework_disk::{Disk, DiskConfig, ResumeStore};
use piecework_filter::IpFilter;
use piecework_gateway::Status as MappingStatus;
use piecework_mse::{Encryption, SECRET_BYTES, Torrents};
use piecework_net::{
    AcceptRules, Acceptor, ListenError, Listeners, LocalDiscovery, LocalHandle, Reach,
    TrackerClient, Watch, WatchRules,
};
use piecework_swarm::AddressPolicy;
use piecework_tracker::local::LocalInput;
use piecework_types::{InfoHash, InfoHashes, PeerId, Rng};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

pub use add::AddError;

/// Events a face has not taken yet.
const EVENTS_MAX: usize = 64 * 1024;

/// Why an engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] piecework_disk::ResumeError),
    /// The system gives no threads or descriptors.
    #[error("cannot start: {0}; check the limits on threads and open files (ulimit -a)")]
    System(#[from] io::Error),
}

/// Where an info-hash lives.
#[derive(Clone, Copy, Debug)]
struct Route {
    key: TorrentKey,
    shard: usize,
}

/// What all threads of an engine share.
pub(crate) struct Shared {
    pub(crate) disk: Disk,
    pub(crate) resume: ResumeStore,
    pub(crate) jobs: Jobs,
    pub(crate) limits: NodeLimits,
    pub(crate) trackers: TrackerClient,
    pub(crate) web: WebFetcher,
    pub(crate) rest_after: Option<Duration>,
    pub(crate) port: u16,
    pub(crate) external: External,
    pub(crate) network: Network,
    pub(crate) gossip: AddressPolicy,
    pub(crate) ip_filter: Arc<IpFilter>,
    /// Who is told of our torrents in the local network, if anybody; set before the first torrent.
    local: OnceLock<LocalHandle>,
    /// Strangers of the filter that came.
    turned_away: AtomicU64,
    pub(crate) bans: Bans,
    /// A peer of one of our torrents came by itself.
    was_reached: AtomicBool,
    pub(crate) exchanges_peers: bool,
    /// Random number of this run, for trackers.
    pub(crate) tracker_key: u32,
    pub(crate) encryption: Encryption,
    /// Set once the engine has started, if it has a DHT node.
    dht: OnceLock<DhtHandle>,
    routes: RwLock<BTreeMap<InfoHash, Route>>,
    /// The same info-hashes by the names that they have in encrypted handshakes.
    torrents: Arc<RwLock<Torrents>>,
    events: Sender<Option<Event>>,
    /// Events that no face has taken yet.
    events_waiting: AtomicUsize,
    seeds: Mutex<Rng>,
}

impl Shared {
    /// The way to the DHT node, if there is one.
    pub(crate) fn dht(&self) -> Option<&DhtHandle> {
        self.dht.get()
    }

    /// Tells the faces. Nothing is told once they are gone, or when they read no events at all.
    pub(crate) fn tell(&self, key: TorrentKey, info_hashes: InfoHashes, what: What) {
        if self.events_waiting.fetch_add(1, Ordering::Relaxed) >= EVENTS_MAX
            || self.events.send(Some(Event { key, info_hashes, what })).is_err()
        {
            self.events_waiting.fetch_sub(1, Ordering::Relaxed);
            tracing::debug!(?key, "an event found no reader");
        }
    }

    /// Whether strangers from there are let in.
    fn welcomes(&self, ip: IpAddr) -> bool {
        if self.bans.contains(ip) {
            return false;
        }
        let is_blocked = self.ip_filter.blocks(ip);
        if is_blocked {
            tracing::debug!(%ip, "turned a stranger away, whom the IP filter lists");
            self.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        !is_blocked
    }

    /// Lets the local network know of a torrent that is not private, or no longer.
    pub(crate) fn tell_nearby(&self, info_hashes: InfoHashes, input: fn(InfoHash) -> LocalInput) {
        let Some(local) = self.local.get() else { return };
        info_hashes.iter().for_each(|info_hash| local.tell(input(info_hash)));
    }

    /// A number nobody can guess, for seeds and ids. It comes from the operating system each time: peer ids
    /// show it to everybody, and no later one must follow from it.
    pub(crate) fn random(&self) -> u64 {
        system_random().unwrap_or_else(|error| {
            tracing::warn!(%error, "no randomness from the system; going on from the seed");
            self.seeds.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
        })
    }

    /// A peer id with our prefix and a random rest (BEP 20). One for each torrent, so that two torrents
    /// of a node cannot be told to be the same node's by it.
    pub(crate) fn peer_id(&self) -> PeerId {
        let mut id = PeerId([0; 20]);
        id.0[..8].copy_from_slice(&PeerId::PREFIX);
        id.0[8..16].copy_from_slice(&self.random().to_be_bytes());
        id.0[16..].copy_from_slice(&self.random().to_be_bytes()[..4]);
        id
    }

    /// A secret exponent for one call, from the operating system.
    pub(crate) fn secret(&self) -> [u8; SECRET_BYTES] {
        let mut secret = [0; SECRET_BYTES];
        for part in secret.chunks_mut(8) {
            part.copy_from_slice(&self.random().to_ne_bytes()[..part.len()]);
        }
        secret
    }

    /// Gives back the names of a torrent.
    pub(crate) fn forget(&self, key: TorrentKey, info_hashes: InfoHashes) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let mut torrents = self.torrents.write().unwrap_or_else(PoisonError::into_inner);
        for info_hash in info_hashes.iter() {
            if routes.get(&info_hash).is_some_and(|route| route.key == key) {
                routes.remove(&info_hash);
                torrents.remove(info_hash);
            }
        }
    }
}

/// Ends a wait in [`Engine::next_event`], the one under way or else the next.
#[derive(Clone, Debug)]
pub struct Waker {
    events: Sender<Option<Event>>,
}

impl Waker {
    /// Ends the wait. Does nothing once the engine is gone.
    pub fn wake(&self) {
        let _ = self.events.send(None);
    }
}

/// A running BitTorrent node. Dropping it ends it without a word to peers and trackers, once what workers
/// have is written; [`Engine::shutdown`] is the polite way.
pub struct Engine {
    shared: Arc<Shared>,
    shards: Vec<(ShardHandle, JoinHandle<()>)>,
    acceptor: Option<Arc<Acceptor>>,
    dht: Option<DhtThread>,
    local: Option<LocalDiscovery>,
    /// Watches the way out; there is none where nothing has to be watched.
    watch: Option<Watch>,
    /// Behind a lock so that threads can share the engine; one of them waits for events.
    events: Mutex<Receiver<Option<Event>>>,
    next_key: AtomicU64,
    clock: Clock,
    board: Arc<Board>,
    torrents: LoadedTorrents,
    /// Behind a lock so that it can start and end at any time.
    pay: Mutex<Option<PayThread>>,
}

/// The torrents of an engine.
pub(crate) type LoadedTorrents = Arc<Mutex<BTreeMap<TorrentKey, Loaded>>>;

/// A torrent as the engine knows it.
pub(crate) struct Loaded {
    pub(crate) status: StatusCell,
    pub(crate) info_hashes: InfoHashes,
    shard: usize,
}

impl Engine {
    /// Listens and starts the threads.
    ///
    /// # Errors
    /// When no port can be had, the state folder is unusable, or the system gives no threads.
    pub fn start(config: &EngineConfig) -> Result<Self, StartError> {
        let listeners = Listeners::bind(config.port, &config.binding)?;
        let (port, clock) = (listeners.port, Clock::start());
        let mut seeds = Rng::new(system_random()?);
        let resume = ResumeStore::open(&config.state_dir)?;
        let (binding, tracker_dns) = (config.binding.clone(), config.tracker_dns.clone());
        let trackers = TrackerClient::start(seeds.next_u64(), binding, tracker_dns)?;
        let &EngineConfig { workers, retry_interval, .. } = config;
        let disk = Disk::start(DiskConfig { workers, retry_interval, ..DiskConfig::default() })?;
        // Bounded by `tell`: a bounded channel would take the memory of all its places at once.
        let (sender, events) = channel();
        let shared = Arc::new(Shared {
            resume,
            jobs: Jobs::default(),
            disk,
            limits: NodeLimits::new(config, clock.now()),
            trackers,
            web: WebFetcher::new(config.binding.clone()),
            rest_after: config.rest_after,
            port,
            external: External::new(port),
            network: Network::new(config.binding.clone()),
            gossip: config.gossip,
            ip_filter: Arc::clone(&config.ip_filter),
            local: OnceLock::new(),
            turned_away: AtomicU64::new(0),
            was_reached: AtomicBool::new(false),
            bans: Bans::default(),
            exchanges_peers: config.exchanges_peers,
            tracker_key: seeds.next_u64() as u32,
            encryption: config.encryption,
            dht: OnceLock::new(),
            routes: RwLock::default(),
            torrents: Arc::default(),
            events: sender,
            events_waiting: AtomicUsize::new(0),
            seeds: Mutex::new(seeds),
        });
        // From here on a drop ends what has been started.
        let mut engine = Self {
            shared,
            shards: Vec::new(),
            acceptor: None,
            dht: None,
            local: None,
            watch: None,
            events: Mutex::new(events),
            next_key: AtomicU64::new(1),
            clock,
            board: Arc::default(),
            torrents: Arc::default(),
            pay: Mutex::default(),
        };
        if let Some(dht) = &config.dht {
            engine.start_dht(dht.clone(), clock)?;
        }
        for index in 0..config.shards.max(1) {
            engine.shards.push(Shard::start(index, clock, Arc::clone(&engine.shared))?);
        }
        engine.acceptor = Some(Arc::new(engine.accept(listeners)?));
        if let Some(reach) = config.local {
            engine.discover(reach);
        }
        if config.maps_port || !config.binding.is_free() {
            engine.watch = Some(engine.watch(config.maps_port)?);
        }
        Ok(engine)
    }

    /// Starts the thread that watches the way out.
    fn watch(&self, maps_port: bool) -> io::Result<Watch> {
        let shared = Arc::clone(&self.shared);
        let rules = WatchRules {
            binding: shared.network.binding.clone(),
            maps: maps_port.then_some(shared.port),
            seed: shared.random(),
        };
        let concerned = Concerned {
            shards: self.shards.iter().map(|(handle, _)| handle.clone()).collect(),
            acceptor: network::weak(self.acceptor.as_ref()),
            dht: shared.dht().cloned(),
            port: shared.port,
        };
        Watch::start(rules, move |change| {
            concerned.take(change, &shared.network, &shared.external);
            // Whoever waits for an event looks for notices as well.
            drop(shared.events.send(None));
        })
    }

    /// The next notice about the node itself, if there is one. [`Self::next_event`] returns without an
    /// event when there is.
    pub fn notice(&self) -> Option<Notice> {
        self.shared.network.notice()
    }

    /// Starts the thread that hands connections to their shards.
    fn accept(&self, listeners: Listeners) -> io::Result<Acceptor> {
        let handles: Vec<_> = self.shards.iter().map(|(handle, _)| handle.clone()).collect();
        let router = Arc::clone(&self.shared);
        let rules = AcceptRules {
            encryption: router.encryption,
            torrents: Arc::clone(&router.torrents),
            seed: router.random(),
        };
        let doorkeeper = Arc::clone(&self.shared);
        let welcomes = move |ip| doorkeeper.welcomes(ip);
        let mut is_offered = vec![false; handles.len()];
        Acceptor::start(listeners, rules, welcomes, move |arrivals| {
            let routes = router.routes.read().unwrap_or_else(PoisonError::into_inner);
            for arrival in arrivals {
                if let Some(&Route { key, shard }) = routes.get(&arrival.info_hash) {
                    router.was_reached.store(true, Ordering::Relaxed);
                    is_offered[shard] |= handles[shard].offer(Command::Arrival { arrival, key });
                }
            }
            for (handle, is_offered) in handles.iter().zip(&mut is_offered) {
                if std::mem::take(is_offered) {
                    handle.wake();
                }
            }
        })
    }

    /// Starts the thread that announces torrents to the local network. Going without it is no reason not
    /// to start.
    fn discover(&mut self, reach: Reach) {
        let handles: Vec<_> = self.shards.iter().map(|(handle, _)| handle.clone()).collect();
        let router = Arc::clone(&self.shared);
        let (port, random) = (self.shared.port, self.shared.random());
        let binding = self.shared.network.binding.clone();
        let started =
            LocalDiscovery::start(port, random, reach, binding, move |info_hash, address| {
                let routes = router.routes.read().unwrap_or_else(PoisonError::into_inner);
                if let Some(&Route { key, shard }) = routes.get(&info_hash) {
                    handles[shard].offer_and_wake(Command::Nearby { key, address });
                }
            });
        match started {
            Ok(local) => {
                self.shared.local.get_or_init(|| local.handle().clone());
                self.local = Some(local);
            }
            Err(error) => tracing::warn!(%error, "no discovery of peers in the local network"),
        }
    }

    /// The port peers reach us on.
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// Our addresses as most peers, trackers and nodes see them, and the port at which we can be reached
    /// there: that of the gateway, if it maps ours.
    pub fn seen_at(&self) -> (Vec<IpAddr>, u16) {
        (self.shared.external.addresses(), self.shared.external.port())
    }

    /// How the port is mapped at the gateway; `None` while none was asked.
    pub fn mapping(&self) -> Option<MappingStatus> {
        self.shared.network.mapping()
    }

    /// Whether a peer of one of our torrents has come to us by itself since the start.
    pub fn was_reached(&self) -> bool {
        self.shared.was_reached.load(Ordering::Relaxed)
    }

    /// The next event; `None` after `wait` without one, or when a [`Waker`] ends the wait.
    pub fn next_event(&self, wait: Duration) -> Option<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let event = events.recv_timeout(wait).ok()??;
        self.shared.events_waiting.fetch_sub(1, Ordering::Relaxed);
        Some(event)
    }

    /// What ends a wait for events from another thread, for a signal for example.
    pub fn waker(&self) -> Waker {
        Waker { events: self.shared.events.clone() }
    }

    /// Whether every network thread still runs. One that ended by itself met a fault of ours, and its
    /// torrents stand still: end the program and say so.
    pub fn is_alive(&self) -> bool {
        self.shards.iter().all(|(_, thread)| !thread.is_finished())
    }

    /// Ends a torrent politely; [`What::Stopped`] follows. Its files stay.
    pub fn remove(&self, key: TorrentKey) {
        let mut torrents = self.torrents.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = torrents.remove(&key);
        drop(torrents);
        if let Some(Loaded { status, shard, .. }) = loaded {
            status.retire();
            self.shards[shard].0.send(Command::Stop { key });
        }
    }

    /// Stops politely: no new requests, verified pieces and resume data written, trackers told. Returns
    /// when that is done or `patience` has passed, whichever comes first: a thread that a drive holds is
    /// left behind.
    pub fn shutdown(mut self, patience: Duration) {
        (self.acceptor, self.local) = (None, None);
        self.stop_pay(std::time::Instant::now() + patience);
        if let Some(watch) = &self.watch {
            watch.stop(patience);
        }
        for (shard, _) in &self.shards {
            shard.send(Command::Shutdown);
        }
        let deadline = std::time::Instant::now() + patience;
        for (_, thread) in std::mem::take(&mut self.shards) {
            while !thread.is_finished() && std::time::Instant::now() < deadline {
                // Stopping shards tell an event for each torrent: use it as the wake-up. The thread ends
                // some microseconds after its last.
                self.next_event(Duration::from_millis(1));
            }
            if thread.is_finished() {
                drop(thread.join());
            }
        }
        // Ends by itself within the patience.
        self.watch = None;
        let rest = deadline.saturating_duration_since(std::time::Instant::now());
        self.shared.disk.shutdown_within(rest);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        (self.acceptor, self.local, self.watch) = (None, None, None);
        self.quit_pay();
        for (shard, _) in &self.shards {
            shard.send(Command::Quit);
        }
        for (_, thread) in std::mem::take(&mut self.shards) {
            // A thread that panicked has said so.
            drop(thread.join());
        }
        self.shared.disk.shutdown();
    }
}

/// Eight bytes from the operating system.
///
/// # Errors
/// When it has none to give.
pub fn system_random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    if got < bytes.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(u64::from_ne_bytes(bytes))
}
