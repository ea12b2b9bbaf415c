//! What a tracker may hold, and whom it serves.

use crate::PEERS_WANTED;
use piecework_types::{InfoHash, Rate};
use std::collections::BTreeSet;
use std::time::Duration;

/// Torrents that a list may name.
pub const LISTED_MAX: usize = 100_000;

/// The time between announces that an operator may ask for: a shorter one is a flood of its own, a longer
/// one leaves peers that are gone in the answers for days.
pub const INTERVAL_MIN: Duration = Duration::from_secs(10);
/// The longest of them.
pub const INTERVAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Which torrents are served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Admission {
    /// These and no others; at most [`LISTED_MAX`] of them count.
    Listed(BTreeSet<InfoHash>),
    /// Whatever somebody announces.
    Open,
}

impl Admission {
    pub(super) fn admits(&self, info_hash: &InfoHash) -> bool {
        match self {
            Self::Listed(listed) => listed.contains(info_hash),
            Self::Open => true,
        }
    }
}

/// How a tracker behaves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerConfig {
    /// Whom it serves.
    pub admission: Admission,
    /// Time it wants between announces, from [`INTERVAL_MIN`] to [`INTERVAL_MAX`].
    pub interval: Duration,
    /// What it may hold and give.
    pub limits: ServerLimits,
}

impl ServerConfig {
    /// The usual interval and limits.
    pub fn new(admission: Admission) -> Self {
        let interval = Duration::from_secs(30 * 60);
        Self { admission, interval, limits: ServerLimits::default() }
    }

    /// How long a peer is remembered: one announce may be lost.
    pub(super) fn peer_life(&self) -> Duration {
        self.interval() * 2
    }

    /// Time below which a client that wants more peers should not come back.
    pub(super) fn min_interval(&self) -> Duration {
        self.interval().min(Duration::from_secs(60))
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval.clamp(INTERVAL_MIN, INTERVAL_MAX)
    }
}

/// The bounds of memory, and of what one stranger may have. A peer takes about 300 bytes, so the usual
/// ones allow 30 MB.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerLimits {
    /// Torrents that have peers. The rest of a list takes its info-hashes only.
    pub torrents_max: usize,
    /// Peers of all torrents together.
    pub peers_max: usize,
    /// Peers of all torrents at one address, or in one IPv6 /64.
    pub sender_peers_max: u32,
    /// The same in one torrent; a further one takes the place of the one that was heard least lately.
    pub sender_torrent_peers_max: usize,
    /// Peers in one answer.
    pub answer_peers_max: u32,
    /// Announces and scrapes from one address. The burst is that of a client with a thousand torrents.
    pub query_rate: Rate,
    /// Connect packets, and packets with a wrong connection id, that are answered at one address. The
    /// address may be forged, so this is what a stranger can make the tracker send to a third party.
    pub connect_rate: Rate,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            torrents_max: 10_000,
            peers_max: 100_000,
            sender_peers_max: 2_000,
            sender_torrent_peers_max: 100,
            answer_peers_max: PEERS_WANTED,
            query_rate: Rate { per_second: 20, burst: 1_000 },
            connect_rate: Rate { per_second: 20, burst: 1_000 },
        }
    }
}
