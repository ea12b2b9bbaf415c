//! What the engine and a torrent are told at their start.

use crate::dht::DhtConfig;
use piecework_disk::{DiskConfig, Folder};
use piecework_filter::IpFilter;
use piecework_metainfo::{Info, Magnet, Metainfo, WebSeed};
use piecework_mse::Encryption;
use piecework_net::{Binding, PortChoice, Reach, TrackerDns};
use piecework_swarm::AddressPolicy;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Network shards at most: more would only share one network card's queues.
const SHARDS_MAX: usize = 8;

/// Settings of an engine.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Where peers reach us.
    pub port: PortChoice,
    /// What sockets are tied to.
    pub binding: Binding,
    /// The gateway of a home network is asked to let peers in.
    pub maps_port: bool,
    /// Whether connections to peers are encrypted.
    pub encryption: Encryption,
    /// Folder for resume data and parts files.
    pub state_dir: PathBuf,
    /// Download limit of the node, bytes a second.
    pub down_limit: Option<u64>,
    /// Upload limit of the node, bytes a second.
    pub up_limit: Option<u64>,
    /// Threads for sockets.
    pub shards: usize,
    /// Threads for hashing and disk.
    pub workers: usize,
    /// Where trackers' hosts are asked which trackers they run (BEP 34).
    pub tracker_dns: TrackerDns,
    /// Connected peers of the node.
    pub peers_max: usize,
    /// Connections being opened at once.
    pub half_open_max: usize,
    /// Addresses that are neither connected to nor let in, whoever names them.
    pub ip_filter: Arc<IpFilter>,
    /// What other peers may make us dial.
    pub gossip: AddressPolicy,
    /// Peers of torrents that are not private are told of each other (BEP 11).
    pub exchanges_peers: bool,
    /// The node of the DHT; `None` for none.
    pub dht: Option<DhtConfig>,
    /// How far torrents that are not private are announced by multicast (BEP 14). `None`: not at all.
    pub local: Option<Reach>,
    /// How long after its last peer a complete torrent goes to rest; peers often come in company. One
    /// that had none yet need not wait. `None`: never.
    pub rest_after: Option<Duration>,
    /// How long a disk that cannot be written, or files that are gone, are left alone.
    pub retry_interval: Duration,
}

impl EngineConfig {
    /// Defaults for this machine.
    pub fn new(state_dir: PathBuf) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            port: PortChoice::Default,
            binding: Binding::default(),
            // Whoever embeds an engine, as tests do, decides about talking to others.
            maps_port: false,
            encryption: Encryption::Prefer,
            state_dir,
            down_limit: None,
            up_limit: None,
            shards: (cores / 2).clamp(1, SHARDS_MAX),
            workers: cores,
            tracker_dns: TrackerDns::default(),
            peers_max: 2000,
            half_open_max: 100,
            ip_filter: Arc::default(),
            gossip: AddressPolicy::default(),
            exchanges_peers: true,
            dht: None,
            local: None,
            rest_after: Some(Duration::from_secs(10)),
            retry_interval: DiskConfig::default().retry_interval,
        }
    }
}

/// Where a torrent comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A parsed torrent file.
    Metainfo(Arc<Metainfo>),
    /// A magnet link: the info dictionary comes from peers.
    Magnet(Box<Magnet>),
}

/// Chooses a priority (0 skip, 1 to 7) for each file once the files are known.
pub type FilePriorities = Arc<dyn Fn(&Info) -> Vec<u8> + Send + Sync>;

/// Chooses a path for each file once the files are known: below [`AddTorrent::dir`], `/` between its
/// components, in the form of [`piecework_metainfo::File::path`], so that the first one stands for the
/// torrent's name. They are cleaned as names in torrents are. A file without one keeps its own.
pub type FilePaths = Arc<dyn Fn(&Info) -> Vec<String> + Send + Sync>;

/// Gives a torrent file whenever it is asked for; `None` if it has been lost.
pub type KeptTorrent = Arc<dyn Fn() -> Option<Vec<u8>> + Send + Sync>;

/// Where a reader plays in a torrent, and how fast.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Playback {
    /// Which file, by its number in the torrent.
    pub file: usize,
    /// The byte of the file that is read next; behind its end counts as its end.
    pub offset: u64,
    /// Bytes read a second; 0 when that is not known.
    pub rate_bytes: u64,
}

/// A torrent to take part in.
#[derive(Clone)]
pub struct AddTorrent {
    /// What to load.
    pub source: Source,
    /// The parent folder: data lies in `dir/<name>`.
    pub dir: PathBuf,
    /// What [`Engine::find_folder`](crate::Engine::find_folder) found there a moment ago, if it was asked.
    pub folder: Option<Folder>,
    /// Where each file lies; `None` for where the torrent says. To be the same at each start.
    pub paths: Option<FilePaths>,
    /// The torrent file, from somebody who keeps it for as long as the torrent is loaded, with all piece
    /// layers if it has any. Without one, it is put into the state folder before the torrent rests.
    pub kept: Option<KeptTorrent>,
    /// Peers to try besides those that trackers name.
    pub peers: Vec<SocketAddr>,
    /// Web seeds besides those that the torrent names. These may lie in a private network.
    pub web_seeds: Vec<WebSeed>,
    /// Priority of each file; `None` is normal for all.
    pub priorities: Option<FilePriorities>,
    /// Ask for pieces in order.
    pub is_sequential: bool,
    /// Ask for the first and the last pieces of each wanted file before all others.
    pub edges_first: bool,
    /// Existing files longer than the torrent says may be cut.
    pub may_overwrite: bool,
    /// Files with the right size count as complete without a check.
    pub is_trusted: bool,
    /// Serve only: nothing that is missing is fetched.
    pub is_seed_only: bool,
    /// Fetch the info dictionary, report it, and take no part beyond that.
    pub is_metadata_only: bool,
    /// Super seeding (BEP 16).
    pub is_super_seed: bool,
    /// Upload limit of this torrent, bytes a second.
    pub up_limit: Option<u64>,
    /// Download limit of this torrent, bytes a second.
    pub down_limit: Option<u64>,
}

impl AddTorrent {
    /// A torrent with normal settings.
    pub fn new(source: Source, dir: PathBuf) -> Self {
        Self {
            source,
            dir,
            folder: None,
            paths: None,
            kept: None,
            peers: Vec::new(),
            web_seeds: Vec::new(),
            priorities: None,
            is_sequential: false,
            edges_first: false,
            may_overwrite: false,
            is_trusted: false,
            is_seed_only: false,
            is_metadata_only: false,
            is_super_seed: false,
            up_limit: None,
            down_limit: None,
        }
    }
}
