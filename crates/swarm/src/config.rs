//! What a torrent's machine is told at its start.

use crate::{ChokerConfig, UplinkConfig};
use piecework_types::{InfoHashes, PeerId};

/// Settings of a [`crate::Swarm`]. The defaults lack a torrent: give at least `info_hashes`, `seed`
/// and `our_id`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The torrent's names; metadata from peers is checked against them.
    pub info_hashes: InfoHashes,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Our peer id, to find connections to ourselves.
    pub our_id: PeerId,
    /// The torrent is private (BEP 27): no peer exchange. Metadata that says so has the same effect.
    pub is_private: bool,
    /// Peers tell each other of others (BEP 11), unless the torrent is private.
    pub exchanges_peers: bool,
    /// Messages about payments are carried: peers are told that we speak of them.
    pub carries_pay: bool,
    /// The TCP port peers can reach us at, told in the extension handshake.
    pub listen_port: Option<u16>,
    /// We would rather have connections encrypted, told in the extension handshake.
    pub prefers_encryption: bool,
    /// The UDP port of our DHT node, told to peers that have one too (BEP 5) unless the torrent is private.
    pub dht_port: Option<u16>,
    /// Requests one peer may have queued with us; announced as `reqq` (BEP 10).
    pub reqq: u32,
    /// Payload bytes asked of all peers together and not received. They hold no memory, so this only
    /// bounds what can be lost by asking the wrong ones.
    pub outstanding_bytes_max: u64,
    /// Pieces longer than 1 MiB are asked of a lone fast peer so many side by side, so that hash lanes
    /// fill; at most 8.
    pub lanes_side_by_side: usize,
    /// Peers at most; one more is turned away.
    pub peers_max: usize,
    /// Whom to serve.
    pub choker: ChokerConfig,
    /// Which byte goes next. Its `queue_max` is replaced by `reqq`.
    pub uplink: UplinkConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            info_hashes: InfoHashes { v1: None, v2: None },
            seed: 0,
            our_id: PeerId([0; 20]),
            is_private: false,
            exchanges_peers: true,
            carries_pay: false,
            listen_port: None,
            prefers_encryption: false,
            dht_port: None,
            reqq: 2000,
            outstanding_bytes_max: 256 << 20,
            lanes_side_by_side: 8,
            peers_max: 2000,
            choker: ChokerConfig::default(),
            uplink: UplinkConfig::default(),
        }
    }
}
