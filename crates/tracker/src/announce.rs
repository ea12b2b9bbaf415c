//! The words of an announce, the same over HTTP and UDP: what we tell a tracker and what it tells us.

use piecework_types::{InfoHash, PeerId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Peers taken from one answer. Trackers give 50 to 200; more only fills memory.
pub const PEERS_MAX: usize = 1000;

/// Peers we ask for: as many as a torrent may have connections.
pub const PEERS_WANTED: u32 = 200;

/// Torrents in one scrape: what fits one UDP packet (BEP 15).
pub const SCRAPE_MAX: usize = 74;

/// Why we announce (BEP 3).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Event {
    /// The interval has passed, or more peers are wanted.
    #[default]
    Periodic,
    /// The first announce of a run.
    Started,
    /// The download has just become complete.
    Completed,
    /// Every announce of a partial seed but the last one: it has all it wants, but not all (BEP 21).
    Paused,
    /// The last announce of a run.
    Stopped,
}

/// What we tell a tracker about one torrent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Announce {
    /// The torrent. Hybrid torrents are announced once for each of their names.
    pub info_hash: InfoHash,
    /// Our name.
    pub peer_id: PeerId,
    /// Port we listen on.
    pub port: u16,
    /// Payload bytes sent since [`Event::Started`].
    pub uploaded: u64,
    /// Payload bytes received since [`Event::Started`].
    pub downloaded: u64,
    /// Bytes still missing. While the metadata is unknown: anything but 0, which would mean a seed.
    pub left: u64,
    /// Why.
    pub event: Event,
    /// Peers wanted in the answer.
    pub peers_wanted: u32,
    /// Random number that stays the same while the program runs, so that a tracker knows us again after
    /// our address has changed.
    pub key: u32,
    /// What this tracker told us to repeat. HTTP only.
    pub tracker_id: Option<Vec<u8>>,
    /// An address of ours that the tracker cannot see, such as the one of the other family (BEP 7).
    pub ipv4: Option<Ipv4Addr>,
    /// The same for IPv6. HTTP only.
    pub ipv6: Option<Ipv6Addr>,
}

/// What a tracker tells us. Peers with port 0 are left out, nobody can connect to them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AnnounceAnswer {
    /// At most [`PEERS_MAX`] peers, in the order of the answer.
    pub peers: Vec<SocketAddr>,
    /// Time the tracker wants between regular announces, as it says it: not yet clamped.
    pub interval: Option<Duration>,
    /// Time below which the tracker will not be announced to, as it says it.
    pub min_interval: Option<Duration>,
    /// Peers that have the whole torrent.
    pub complete: Option<u32>,
    /// Peers that do not.
    pub incomplete: Option<u32>,
    /// Downloads ever completed. HTTP only, and few trackers say it.
    pub downloaded: Option<u32>,
    /// A word to the user, cleaned.
    pub warning: Option<String>,
    /// To be repeated in the next announce.
    pub tracker_id: Option<Vec<u8>>,
    /// Our address as the tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
}

/// When a tracker that refused may be asked again (BEP 31).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Retry {
    /// After this time.
    After(Duration),
    /// Not in this run.
    Never,
}

/// What a scrape says about one torrent (BEP 48, BEP 15).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ScrapeCounts {
    /// Peers that have the whole torrent.
    pub complete: u32,
    /// Downloads ever completed.
    pub downloaded: u32,
    /// Peers that do not have the whole torrent.
    pub incomplete: u32,
}
