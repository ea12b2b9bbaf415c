//! What the harness asks of every client, whoever wrote it.
//!
//! Invariant: a peer says by itself, or when asked, that it listens and that it has finished; the
//! harness never sleeps and hopes.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::failure::Outcome;
use crate::netns::Host;
use crate::process::Deadline;
use crate::torrent::Torrent;

pub(crate) mod aria2;
pub(crate) mod bittorrent_dht;
pub(crate) mod daemon;
pub(crate) mod libtorrent;
pub(crate) mod mainline;
pub(crate) mod miniupnpd;
pub(crate) mod nginx;
pub(crate) mod nodes;
pub(crate) mod opentracker;
pub(crate) mod ours;
pub(crate) mod pypi;
pub(crate) mod qbittorrent;
pub(crate) mod transmission;

/// A foreign program a run needs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub(crate) enum Foreign {
    /// libtorrent 2.0 under Debian's Python.
    Libtorrent,
    /// transmission-daemon.
    Transmission,
    /// aria2c.
    Aria2,
    /// opentracker.
    Opentracker,
    /// miniupnpd, a gateway.
    Miniupnpd,
    /// nginx, as a web seed.
    Nginx,
    /// The Rust crate mainline, which is a part of this program.
    Mainline,
    /// npm's bittorrent-dht.
    BittorrentDht,
    /// qbittorrent-nox.
    Qbittorrent,
    /// A Python library for qBittorrent's web API.
    QbittorrentApi,
    /// A Python library for Transmission's RPC.
    TransmissionRpc,
    /// schemathesis, which tries an API against its description.
    Schemathesis,
}

impl Foreign {
    /// All of them.
    pub(crate) const ALL: [Self; 12] = [
        Self::Libtorrent,
        Self::Transmission,
        Self::Aria2,
        Self::Opentracker,
        Self::Miniupnpd,
        Self::Nginx,
        Self::Mainline,
        Self::BittorrentDht,
        Self::Qbittorrent,
        Self::QbittorrentApi,
        Self::TransmissionRpc,
        Self::Schemathesis,
    ];

    /// The name on the command line and in the matrix.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Libtorrent => "libtorrent",
            Self::Transmission => "transmission",
            Self::Aria2 => "aria2",
            Self::Opentracker => "opentracker",
            Self::Miniupnpd => "miniupnpd",
            Self::Nginx => "nginx",
            Self::Mainline => "mainline",
            Self::BittorrentDht => "bittorrent-dht",
            Self::Qbittorrent => "qbittorrent",
            Self::QbittorrentApi => "qbittorrent-api",
            Self::TransmissionRpc => "transmission-rpc",
            Self::Schemathesis => "schemathesis",
        }
    }

    /// The version that is installed.
    pub(crate) fn version(self) -> Outcome<String> {
        match self {
            Self::Libtorrent => libtorrent::version(),
            Self::Transmission => transmission::version(),
            Self::Aria2 => aria2::version(),
            Self::Opentracker => opentracker::version(),
            Self::Miniupnpd => miniupnpd::version(),
            Self::Nginx => nginx::version(),
            Self::Mainline => Ok(mainline::VERSION.to_owned()),
            Self::BittorrentDht => bittorrent_dht::version(),
            Self::Qbittorrent => qbittorrent::version(),
            Self::QbittorrentApi | Self::TransmissionRpc | Self::Schemathesis => {
                pypi::version(self)
            }
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which of its addresses a peer uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Family {
    /// 10.77.0.N
    V4,
    /// fd77::N
    V6,
    /// 10.78.0.N, where multicast works.
    Cable,
}

impl Family {
    /// The address of `host` in this family.
    pub(crate) const fn address(self, host: Host) -> IpAddr {
        match self {
            Self::V4 => host.v4(),
            Self::V6 => host.v6(),
            Self::Cable => host.on_cable(),
        }
    }
}

/// Whether a peer encrypts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Encryption {
    /// As it comes.
    Default,
    /// It tries, and takes what it gets. Ours only.
    Prefer,
    /// Never, so that a capture can be read. Ours; others take what they get.
    Off,
    /// Encrypted handshakes and no others, payload in the clear and nothing else.
    Handshake,
    /// Encrypted handshakes and no others, RC4 payload and nothing else.
    Rc4,
}

/// What one peer is to do.
#[derive(Clone, Debug)]
pub(crate) struct Job<'a> {
    /// What is shared.
    pub(crate) torrent: &'a Torrent,
    /// Start from this link instead of the torrent file.
    pub(crate) magnet: Option<String>,
    /// The folder that holds, or will hold, the payload.
    pub(crate) dir: &'a Path,
    /// The peer's own folder: logs, settings, resume data.
    pub(crate) home: &'a Path,
    /// IPv4 or IPv6.
    pub(crate) family: Family,
    /// Peers to connect to.
    pub(crate) dial: Vec<SocketAddr>,
    /// Only the files that match this pattern.
    pub(crate) select: Option<&'a str>,
    /// Bytes a second downwards; 0 for as fast as it goes.
    pub(crate) limit_down: u64,
    /// Bytes a second upwards; 0 for as fast as it goes.
    pub(crate) limit_up: u64,
    /// Take what is on the disk for complete without hashing it.
    pub(crate) trust: bool,
    /// Keep sharing once complete.
    pub(crate) stay: bool,
    /// Whether it encrypts.
    pub(crate) encryption: Encryption,
    /// Find peers of the same network by multicast.
    pub(crate) local_discovery: bool,
    /// The node to enter a DHT by; without one there is no DHT.
    pub(crate) dht_router: Option<SocketAddr>,
    /// Keep a log of every message. libtorrent only.
    pub(crate) log: bool,
}

impl<'a> Job<'a> {
    /// Everything of `torrent`, over IPv4, without limits.
    pub(crate) const fn new(torrent: &'a Torrent, dir: &'a Path, home: &'a Path) -> Self {
        Self {
            torrent,
            magnet: None,
            dir,
            home,
            family: Family::V4,
            dial: Vec::new(),
            select: None,
            limit_down: 0,
            limit_up: 0,
            trust: false,
            stay: false,
            encryption: Encryption::Default,
            local_discovery: false,
            dht_router: None,
            log: false,
        }
    }
}

/// A client that can be started.
pub(crate) trait Client {
    /// The name in the matrix.
    fn name(&self) -> &'static str;

    /// Whether it can be told the address of a peer. One that cannot has to be dialled, or needs a
    /// tracker.
    fn dials(&self) -> bool;

    /// Starts a seeder; comes back when it listens and holds the whole payload.
    fn seed(&self, job: &Job<'_>, deadline: Deadline) -> Outcome<Box<dyn Peer>>;

    /// Starts a leecher; comes back when it can be dialled, or at once if it dials by itself.
    fn leech(&self, job: &Job<'_>, deadline: Deadline) -> Outcome<Box<dyn Peer>>;
}

/// A client that runs; dropping it kills it.
pub(crate) trait Peer {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// Waits until the job is done.
    fn wait_done(&mut self, deadline: Deadline) -> Outcome<()>;

    /// Asks the client to end, and waits until it has written what it holds.
    fn stop(&mut self) -> Outcome<()>;
}
