//! What the faces change of a torrent while it runs, and what they ask of its shard.

use crate::config::FilePriorities;
use piecework_swarm::{PieceState, SourceKind};
use piecework_types::PeerId;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// What a shard is told about one of its torrents.
pub(crate) enum Control {
    Limits { down: Option<u64>, up: Option<u64> },
    Priorities(FilePriorities),
    Sequential(bool),
    SuperSeed(bool),
    EdgesFirst(bool),
    Reannounce,
    Recheck,
    Trackers(Vec<Vec<String>>),
    AddPeers(Vec<SocketAddr>),
    Peers(Reply<PeerStatus>),
    PieceStates(Reply<PieceState>),
}

/// Takes an answer, on the shard's thread.
pub(crate) type Reply<T> = Box<dyn FnOnce(Vec<T>) + Send>;

/// How a peer was heard of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PeerSource {
    /// The user named it.
    Given,
    /// A tracker named it.
    Tracker,
    /// Another peer named it (BEP 11).
    Exchange,
    /// The DHT named it.
    Dht,
    /// It announced itself in the local network.
    Nearby,
    /// It connected to us.
    Incoming,
}

impl From<SourceKind> for PeerSource {
    fn from(kind: SourceKind) -> Self {
        match kind {
            SourceKind::Given => Self::Given,
            SourceKind::Tracker => Self::Tracker,
            SourceKind::Exchange => Self::Exchange,
            SourceKind::Dht => Self::Dht,
            SourceKind::Nearby => Self::Nearby,
            SourceKind::Incoming => Self::Incoming,
        }
    }
}

/// A connected peer at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerStatus {
    /// Its side of the connection.
    pub address: SocketAddr,
    /// Its program: as it calls itself (BEP 10), else the beginning of its peer id. Safe to show.
    pub client: String,
    /// We connected to it.
    pub is_outgoing: bool,
    /// The connection began with an encrypted handshake.
    pub is_encrypted: bool,
    /// We do not answer its requests.
    pub am_choking: bool,
    /// It has something that we want.
    pub am_interested: bool,
    /// It does not answer our requests.
    pub is_choking: bool,
    /// We have something that it wants.
    pub is_interested: bool,
    /// It unchoked us and sends nothing.
    pub is_snubbed: bool,
    /// It took over twice what it says it has and 64 MiB more: while we seed it is served last.
    pub is_free_rider: bool,
    /// What it has, in thousandths of all pieces; 0 while those are unknown.
    pub progress_milli: u32,
    /// Payload received from it, bytes a second.
    pub down_rate: u64,
    /// Payload sent to it, bytes a second.
    pub up_rate: u64,
    /// Payload received from it, bytes.
    pub down_bytes: u64,
    /// Payload sent to it, bytes.
    pub up_bytes: u64,
    /// How it was heard of.
    pub source: PeerSource,
    /// How long it has been connected.
    pub connected_for: Duration,
}

/// A program by the beginning of a peer id (BEP 20), where most put their name and version.
pub(crate) struct ClientPrefix(pub(crate) PeerId);

impl fmt::Display for ClientPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.0.0[..8].iter().map(|&byte| char::from(byte));
        let mut shown = prefix.filter(char::is_ascii_graphic);
        shown.try_for_each(|letter| write!(f, "{letter}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_id_shows_its_beginning_without_control_characters() {
        let shown = |id: &[u8; 20]| ClientPrefix(PeerId(*id)).to_string();
        assert_eq!(shown(b"-TR4060-abcdefghijkl"), "-TR4060-");
        assert_eq!(shown(b"\x1b[2J\0\xffAB\x07cdefghijklm"), "[2JAB");
    }
}
