//! What faces may read of a torrent's machine.

use piecework_types::{Bitfield, PeerId, PeerSlot};
use std::net::SocketAddr;

/// Figures of a torrent, cheap to ask for. Rates are means over five seconds.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Verified pieces; of length 0 until the metadata is known.
    pub have: &'a Bitfield,
    /// The metadata is known and the torrent exchanges pieces.
    pub has_content: bool,
    /// Every wanted piece is verified.
    pub is_complete: bool,
    /// Connected peers.
    pub peer_count: usize,
    /// Web seeds that are not given up.
    pub web_seed_count: usize,
    /// Of the peers, those that have every piece.
    pub seed_count: usize,
    /// Of the peers, those that we serve.
    pub unchoked_count: usize,
    /// Payload received, bytes a second.
    pub down_rate_bytes: u64,
    /// Payload sent, bytes a second.
    pub up_rate_bytes: u64,
    /// Payload received, duplicates and bad data included.
    pub down_bytes: u64,
    /// Payload sent.
    pub up_bytes: u64,
    /// Payload received for nothing: duplicates, and pieces that failed.
    pub wasted_bytes: u64,
    /// Bytes of wanted pieces that are not verified.
    pub left_bytes: u64,
    /// Bytes of all pieces that are not verified, wanted or not.
    pub missing_bytes: u64,
}

/// Figures of one peer.
#[derive(Clone, Copy, Debug)]
pub struct PeerView<'a> {
    /// Its slot.
    pub slot: PeerSlot,
    /// Its address.
    pub address: SocketAddr,
    /// Its peer id.
    pub peer_id: PeerId,
    /// Name and version, if it told; safe to show.
    pub client: Option<&'a str>,
    /// We opened the connection.
    pub is_outgoing: bool,
    /// Pieces it has.
    pub have_count: u32,
    /// It has every piece.
    pub is_seed: bool,
    /// It wants pieces of us.
    pub is_interested: bool,
    /// It does not answer our requests.
    pub is_choking: bool,
    /// We want pieces of it.
    pub am_interested: bool,
    /// We do not answer its requests.
    pub am_choking: bool,
    /// It let us wait too long.
    pub is_snubbed: bool,
    /// It took over twice what it says it has and 64 MiB more: while we seed it is served last.
    pub is_free_rider: bool,
    /// Blocks asked of it.
    pub asked_count: u32,
    /// Payload received from it, bytes a second.
    pub down_rate_bytes: u64,
    /// Payload sent to it, bytes a second.
    pub up_rate_bytes: u64,
    /// Payload received from it.
    pub down_bytes: u64,
    /// Payload sent to it.
    pub up_bytes: u64,
}

/// How far a piece is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PieceState {
    /// Not there, and not asked for.
    Missing,
    /// Some of it is asked for, or came and is not verified.
    Fetching,
    /// Verified and stored.
    Have,
}
