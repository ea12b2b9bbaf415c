//! What the engine tells the faces: events in order, and a snapshot of each torrent.

use piecework_metainfo::{Info, PieceLayers};
use piecework_swarm::Refusal;
use piecework_tracker::TrackerUrl;
use piecework_types::{Blame, InfoHashes};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A torrent of this engine, never reused while the engine runs.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TorrentKey(pub u64);

/// Something happened to a torrent.
#[derive(Clone, Debug)]
pub struct Event {
    /// Which torrent.
    pub key: TorrentKey,
    /// Its names.
    pub info_hashes: InfoHashes,
    /// What happened.
    pub what: What,
}

/// What can happen to a torrent.
#[derive(Clone, Debug)]
pub enum What {
    /// The info dictionary is known (at once for a torrent file, after an exchange for a magnet). Not
    /// told of a seed that rests from the start: who added it has it.
    Metadata {
        /// The info dictionary.
        info: Arc<Info>,
        /// Piece layers of a v2 or hybrid torrent, as far as they are known.
        layers: Option<PieceLayers>,
    },
    /// The last piece layer of a v2 or hybrid torrent has come that was lacking when its info dictionary
    /// did.
    Layers {
        /// The info dictionary.
        info: Arc<Info>,
        /// All of them.
        layers: Arc<PieceLayers>,
    },
    /// Existing data is checked and the torrent takes part in its swarm.
    Ready {
        /// Port we listen on.
        port: u16,
    },
    /// All of it was hashed because that was asked for; comes behind [`Self::Ready`].
    Checked,
    /// The selected files are complete, hashed, written, and the resume data is saved.
    Done,
    /// A peer was dropped for what it did, or is refused from now on.
    Peer(PeerVerdict),
    /// A web seed was given up.
    WebSeed(WebSeedVerdict),
    /// Something needs attention or was refused; the torrent goes on if it can.
    Problem(Problem),
    /// An earlier problem with the storage is gone: it can be written again, or what was lost is back.
    Recovered,
    /// The torrent has ended and left no work behind.
    Stopped,
}

/// A problem in words for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Who has to change something.
    pub blame: Blame,
    /// Whether the torrent gave up.
    pub is_fatal: bool,
    /// Cause and remedy on one line.
    pub text: String,
}

/// What was decided about a peer, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerVerdict {
    /// Its side of the connection.
    pub address: SocketAddr,
    /// Its address is refused from now on, not only this connection.
    pub is_ban: bool,
    /// What it did.
    pub reason: String,
}

/// Why a web seed is asked for nothing any more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebSeedVerdict {
    /// Its address, without secrets.
    pub url: String,
    /// What it did.
    pub reason: String,
}

/// What a torrent is doing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Phase {
    /// Fetching the info dictionary from peers.
    #[default]
    Metadata,
    /// Hashing existing data.
    Checking,
    /// Exchanging pieces.
    Active,
    /// Shutting down.
    Stopping,
}

/// Figures of a torrent at one moment.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// What it is doing.
    pub phase: Phase,
    /// Pieces checked and pieces to check, while checking.
    pub checked: (u32, u32),
    /// Pieces in the torrent; 0 while unknown.
    pub pieces: u32,
    /// Pieces that passed their hash and are stored.
    pub have: u32,
    /// Which ones, in wire order.
    pub bitfield: Vec<u8>,
    /// Bytes of the wanted pieces that are missing.
    pub left_bytes: u64,
    /// Bytes of the wanted pieces.
    pub wanted_bytes: u64,
    /// Payload received and sent in this run, bytes.
    pub down_bytes: u64,
    /// See `down_bytes`.
    pub up_bytes: u64,
    /// Payload rates, bytes a second.
    pub down_rate: u64,
    /// See `down_rate`.
    pub up_rate: u64,
    /// What may be received at most, bytes a second, if the torrent has a limit of its own.
    pub down_limit: Option<u64>,
    /// Payload received for nothing in this run: duplicates, and pieces that failed. Bytes.
    pub wasted_bytes: u64,
    /// Copies of the torrent that the connected peers have together, in thousandths: how many have the
    /// rarest piece, and behind the point the share of pieces that more have. `None` while that is unknown.
    pub availability_milli: Option<u32>,
    /// Connected peers, and those of them that have everything.
    pub peers: u32,
    /// See `peers`.
    pub seeds: u32,
    /// Those of the connected peers whose handshake was encrypted.
    pub encrypted: u32,
    /// Peers whose address is known.
    pub known: u32,
    /// Addresses that were not dialled, and why: by reason, as far as there were any.
    pub refused: Vec<(Refusal, u64)>,
    /// Strangers that were not let in, and why: by reason. Those that the IP filter lists are counted for
    /// all torrents of the node together, as nobody waits to hear which one they want.
    pub turned_away: Vec<(Refusal, u64)>,
    /// What the trackers last said, one line each.
    pub trackers: Vec<TrackerStatus>,
    /// The web seeds, those that were given up included.
    pub web_seeds: Vec<WebSeedStatus>,
    /// True when every wanted piece is stored.
    pub is_complete: bool,
    /// True while nobody is connected and little but the torrent's names is in memory; whoever
    /// connects changes that.
    pub is_resting: bool,
}

/// How far an announce to a tracker is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TrackerState {
    /// It was told nothing yet.
    #[default]
    NotContacted,
    /// An announce is under way.
    Updating,
    /// It answered the last one.
    Working,
    /// The last one failed.
    Failing,
}

/// The whole address of a tracker. It may hold a passkey: `Debug` shows only its beginning, `Display` all.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct SecretUrl(Arc<str>);

impl SecretUrl {
    pub(crate) fn new(url: &str) -> Self {
        Self(url.into())
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL's own form leaves credentials, path and query out.
        match self.0.parse::<TrackerUrl>() {
            Ok(url) => url.fmt(f),
            Err(_) => f.write_str("unusable address"),
        }
    }
}

/// A tracker at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TrackerStatus {
    /// Its URL without secrets in the path (host only).
    pub host: String,
    /// Its URL as it was given, with its secrets.
    pub url: SecretUrl,
    /// The tier that it belongs to, from 0 on.
    pub tier: u32,
    /// Its last answer or the reason it failed.
    pub message: String,
    /// Whether the last announce worked; `None` before the first.
    pub is_working: Option<bool>,
    /// How far the announce to it is.
    pub state: TrackerState,
    /// Seeds of the swarm, as it last said.
    pub seeds: Option<u32>,
    /// Peers of the swarm that are no seeds, as it last said.
    pub leechers: Option<u32>,
    /// Downloads ever completed, as it last said; few trackers do.
    pub downloaded: Option<u32>,
    /// Time until the next announce to it, if the schedule has one.
    pub next_in: Option<Duration>,
}

impl TrackerStatus {
    /// One of a torrent that is not loaded.
    pub fn idle(url: &str, tier: u32) -> Self {
        let host = url.parse::<TrackerUrl>().map(|parsed| parsed.host().to_string());
        let host = host.unwrap_or_else(|_| "unusable address".into());
        Self { host, url: SecretUrl::new(url), tier, ..Self::default() }
    }
}

/// A web seed at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct WebSeedStatus {
    /// Its address, without secrets.
    pub url: String,
    /// Why its last fetch failed, if one did.
    pub message: String,
    /// It is asked for nothing any more.
    pub is_dropped: bool,
}
