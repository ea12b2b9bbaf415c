//! What faces hold of a daemon.

use crate::news::News;
use piecework_catalog::{Catalog, Command, Record, Refusal, Revision};
use piecework_metainfo::Info;
use piecework_node::{PeerStatus, PieceState, TrackerStatus, WebSeedStatus};
use piecework_settings::Settings;
use piecework_types::{Bitfield, InfoHash};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, RwLockReadGuard};
use tokio::sync::watch;

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

/// What a torrent is made from.
#[derive(Clone, Debug)]
pub enum NewSource {
    /// The bytes of a torrent file.
    Metainfo(Vec<u8>),
    /// A magnet link, a bare info-hash, or an http(s) address of a torrent file, which is fetched.
    Link(String),
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
    /// Connected peers.
    pub peers: u32,
    /// Nodes in the tables of the DHT; `None` without one.
    pub dht_nodes: Option<u32>,
    /// The port peers reach us on.
    pub port: u16,
    /// Whether a peer has come to us by itself.
    pub is_reachable: bool,
    /// Free bytes where new torrents are saved.
    pub free_space: u64,
}

/// The way to a running daemon. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

struct Shared {}

impl Handle {
    /// The catalog, to read. Never held across an await, and not for long: changes wait for it.
    pub fn catalog(&self) -> RwLockReadGuard<'_, Catalog> {
        todo!()
    }

    /// Tells of each newer revision, several changes at once, at most a few times a second.
    pub fn revisions(&self) -> watch::Receiver<Revision> {
        todo!()
    }

    /// Carries out a command; it is written down when this returns.
    ///
    /// # Errors
    /// When it cannot be; nothing has changed then.
    pub async fn command(&self, command: Command) -> Result<(), Refusal> {
        let _ = command;
        todo!()
    }

    /// Adds a torrent; it is written down when this returns.
    ///
    /// # Errors
    /// When the source cannot be read or fetched, or a path lies outside of the roots.
    pub async fn add(&self, new: New) -> Result<Added, Refusal> {
        let _ = new;
        todo!()
    }

    /// The torrent file of a torrent whose metainfo is known.
    pub async fn metainfo(&self, id: InfoHash) -> Option<Vec<u8>> {
        let _ = id;
        todo!()
    }

    /// The info dictionary, if it is known.
    pub async fn info(&self, id: InfoHash) -> Option<Arc<Info>> {
        let _ = id;
        todo!()
    }

    /// The pieces that are there; empty of a torrent that is not loaded and never was.
    pub async fn bitfield(&self, id: InfoHash) -> Option<Bitfield> {
        let _ = id;
        todo!()
    }

    /// What becomes of each piece.
    pub async fn piece_states(&self, id: InfoHash) -> Option<Vec<PieceState>> {
        let _ = id;
        todo!()
    }

    /// The connected peers of a torrent; none of one that is not loaded.
    pub async fn peers(&self, id: InfoHash) -> Option<Vec<PeerStatus>> {
        let _ = id;
        todo!()
    }

    /// The trackers of a torrent, whether it is loaded or not.
    pub async fn trackers(&self, id: InfoHash) -> Option<Vec<TrackerStatus>> {
        let _ = id;
        todo!()
    }

    /// The web seeds of a torrent.
    pub async fn web_seeds(&self, id: InfoHash) -> Option<Vec<WebSeedStatus>> {
        let _ = id;
        todo!()
    }

    /// Peers to try.
    pub fn add_peers(&self, id: InfoHash, peers: Vec<SocketAddr>) {
        let _ = (id, peers);
        todo!()
    }

    /// Addresses to refuse from now on, until the daemon ends.
    pub fn ban(&self, addresses: &[IpAddr]) {
        let _ = addresses;
        todo!()
    }

    /// A reader of one file of a torrent, complete or not. What it is about to read is fetched before anything else
    /// for as long as it lives.
    ///
    /// # Errors
    /// When there is no such file, or the torrent is stopped and the file not whole.
    pub async fn open(&self, id: InfoHash, file: usize) -> Result<Reader, Refusal> {
        let _ = (id, file);
        todo!()
    }

    /// Figures of the whole node.
    pub fn node(&self) -> NodeFigures {
        todo!()
    }

    /// What happened after the news of this number, oldest first.
    pub fn news(&self, after: u64) -> Vec<News> {
        let _ = after;
        todo!()
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        todo!()
    }

    /// Changes settings by their keys and writes them down. Those that need a restart are in the answer.
    ///
    /// # Errors
    /// When a key is unknown or a value makes no sense; nothing has changed then.
    pub async fn set(&self, changes: Vec<(String, String)>) -> Result<Vec<String>, Refusal> {
        let _ = changes;
        todo!()
    }

    /// The folders that payload may be saved in.
    pub fn roots(&self) -> Vec<PathBuf> {
        todo!()
    }
}

/// Reads one file while it is being fetched.
pub struct Reader {
    _private: (),
}

impl Reader {
    /// Bytes of the file.
    pub const fn len_bytes(&self) -> u64 {
        0
    }

    /// Reads what is at an offset, waiting until at least one byte is there: at most `max` bytes; fewer than
    /// asked is no end. Empty at the end of the file.
    ///
    /// # Errors
    /// When the torrent goes or is stopped, or the drive fails.
    pub async fn read(&mut self, offset: u64, max: usize) -> Result<Vec<u8>, Refusal> {
        let _ = (offset, max);
        todo!()
    }
}
