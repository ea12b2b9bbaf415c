//! The verbs of the torrent machine: what goes in, what comes out, when to call again.
//!
//! The run loop is numbered in the crate documentation; drivers repeat the numbers.

use crate::split::Part;
use crate::swarm::PayMessage;
use piecework_types::{
    Bitfield, Block, ChunkId, PeerId, PeerSlot, PieceGrid, PieceIndex, Sha256Digest,
};
use piecework_wire::Message;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What is known of a peer when its handshake has been read.
#[derive(Clone, Debug)]
pub struct Hello {
    /// Remote address, for bans, the allowed-fast set and peer exchange.
    pub address: SocketAddr,
    /// Remote peer id.
    pub peer_id: PeerId,
    /// Whether we opened the connection.
    pub outgoing: bool,
    /// The peer speaks the fast extension (BEP 6).
    pub fast: bool,
    /// The peer speaks the extension protocol (BEP 10).
    pub extended: bool,
    /// The peer has a DHT node (BEP 5).
    pub dht: bool,
    /// The handshake used the v2 info-hash or had the v2 bit (BEP 52).
    pub v2: bool,
}

/// Everything about the torrent that comes with its metadata and the check of existing data.
#[derive(Clone, Debug)]
pub struct Content {
    /// Pieces and blocks.
    pub grid: PieceGrid,
    /// Pieces that passed their hash and are stored.
    pub have: Bitfield,
    /// Priority of each piece: 0 unwanted, 1 lowest, 4 normal, 7 highest.
    pub priorities: Vec<u8>,
    /// The raw info dictionary, served to others by BEP 9.
    pub metadata: Arc<[u8]>,
    /// Piece layers of a v2 or hybrid torrent, known or to be fetched; `None` for v1.
    pub layers: Option<piecework_metainfo::PieceLayers>,
}

/// What the driver tells the machine.
#[derive(Debug)]
pub enum Input {
    /// A peer's handshake was accepted; `slot` is free in this torrent.
    Connected {
        /// Its slot from now on.
        slot: PeerSlot,
        /// What its handshake said.
        hello: Hello,
    },
    /// The connection is gone; the driver has forgotten the slot.
    Disconnected {
        /// Which peer.
        slot: PeerSlot,
    },
    /// A whole message came.
    Received {
        /// From whom.
        slot: PeerSlot,
        /// What.
        message: Message,
    },
    /// A block's payload lies complete in a chunk. The machine answers with exactly one of
    /// [`Output::Store`] and [`Output::Discard`] for it.
    BlockArrived {
        /// From whom.
        slot: PeerSlot,
        /// The span as the peer wrote it, unchecked.
        request: piecework_wire::Request,
        /// Where its bytes are.
        chunk: ChunkId,
    },
    /// Some payload bytes of a block came, but not all of it yet: the peer is alive.
    PayloadProgress {
        /// From whom.
        slot: PeerSlot,
        /// How many since the last report.
        bytes: u32,
    },
    /// The peer's send buffer can take so many more bytes of payload now (absolute, not a delta), and
    /// the messages given before have left.
    Room {
        /// Whose.
        slot: PeerSlot,
        /// Free bytes.
        bytes: u64,
    },
    /// An HTTP server has every piece (BEP 17, 19). Kept until the torrent ends or
    /// [`Output::WebSeedDropped`].
    WebSeedAdded {
        /// Its number from now on, below [`crate::WEB_SEEDS_MAX`].
        seed: crate::WebSeedId,
    },
    /// The next block of a fetch lies complete in a chunk. Answered as [`Self::BlockArrived`] is.
    WebBlockArrived {
        /// Of which fetch; one that has ended is allowed.
        fetch: crate::FetchId,
        /// Which block.
        block: Block,
        /// Where its bytes are.
        chunk: ChunkId,
    },
    /// A fetch ended before its last block.
    FetchFailed {
        /// Which.
        fetch: crate::FetchId,
        /// Why.
        fault: crate::FetchFault,
    },
    /// Hash passed and the last write returned.
    PieceVerified {
        /// Which.
        piece: PieceIndex,
    },
    /// The hash of the complete piece was wrong. `block_digests` holds the SHA-256 of each block as
    /// it was received, by block number, for the smart ban.
    PieceFailed {
        /// Which.
        piece: PieceIndex,
        /// One digest a block.
        block_digests: Vec<Sha256Digest>,
    },
    /// The answer to [`Output::DigestsWanted`]: the SHA-256 of each block of a verified piece as it is
    /// stored, by block number. Never answering is allowed: then nobody is blamed.
    PieceDigests {
        /// Which.
        piece: PieceIndex,
        /// One digest a block.
        block_digests: Vec<Sha256Digest>,
    },
    /// Blocks handed out by [`Output::Store`] were lost (write error, storage closed): ask again.
    PieceLost {
        /// Which.
        piece: PieceIndex,
    },
    /// The metadata is parsed and existing data is checked: the torrent can exchange pieces.
    ContentReady(Content),
    /// The bytes of [`Output::MetadataReceived`] were no valid info dictionary: fetch again elsewhere.
    MetadataRejected,
    /// Whether payments are spoken of from now on. Those who are connected are told.
    CarryPay(bool),
    /// Whether new blocks can be stored. While false the machine asks for nothing (upload-only).
    StorageWritable(bool),
    /// A part of the shared upload limit grants so many more bytes. Only used after
    /// [`Output::UploadQuotaWanted`]; without a limit the driver never needs it.
    UploadQuota {
        /// Which part.
        part: Part,
        /// Bytes granted.
        bytes: u64,
    },
    /// A limit for this torrent's or the node's upload exists or not.
    UploadLimited(bool),
    /// A part of the uplink is kept for this peer from now on, or no longer is: with it the peer is
    /// unchoked whatever the choker thinks, and served at its own rate up to a count of bytes.
    Reserve {
        /// Which peer.
        slot: PeerSlot,
        /// How; `None`: it is a peer like all others.
        reserve: Option<crate::Reserve>,
    },
    /// A message about payments, which the machine only carries, for a peer that speaks of them.
    SendPay {
        /// To whom.
        slot: PeerSlot,
        /// Its payload.
        payload: Vec<u8>,
    },
    /// This peer is one of those that whole pieces are got of: a piece is asked of it alone, and what it
    /// is asked for is asked of no other such peer. Its counts are reported.
    Sole {
        /// Which peer.
        slot: PeerSlot,
        /// Whether it is.
        is_sole: bool,
    },
    /// New priorities, one a piece.
    Prioritise(Vec<u8>),
    /// Ask for pieces in order instead of rarest first.
    Sequential(bool),
    /// These pieces go before all others, in this order, as far as they are wanted. Takes the place of an
    /// earlier list; an empty one ends it.
    AskFirst(Vec<PieceIndex>),
    /// A reader plays from this byte (piece space) at this rate; `None` ends streaming.
    Stream(Option<crate::StreamWindow>),
    /// Super seeding (BEP 16) on or off.
    SuperSeed(bool),
    /// The moment of the last [`crate::Swarm::poll_timeout`] has come.
    Timeout,
}

/// What the machine wants done.
#[derive(Debug)]
pub enum Output {
    /// Queue this message for the peer.
    Send {
        /// To whom.
        slot: PeerSlot,
        /// What.
        message: Message,
    },
    /// Queue the block for the peer: header, then payload read from storage. Emitted only while the
    /// machine knows of room; consecutive ones for one slot may be coalesced into one read.
    SendBlock {
        /// To whom.
        slot: PeerSlot,
        /// Which span of a piece we have.
        block: Block,
    },
    /// Give the chunk to the piece store.
    Store {
        /// From whom it came, for blame. No peer's slot if it came from a web seed.
        slot: PeerSlot,
        /// Where it belongs.
        block: Block,
        /// The chunk of [`Input::BlockArrived`].
        chunk: ChunkId,
    },
    /// Return the chunk to the pool: a duplicate, cancelled or unwanted block.
    Discard {
        /// The chunk of [`Input::BlockArrived`].
        chunk: ChunkId,
    },
    /// Close the connection. The driver forgets the slot and does not send `Disconnected` for it.
    Disconnect {
        /// Which peer.
        slot: PeerSlot,
        /// Why, for the counters and the log.
        reason: crate::DropReason,
        /// Refuse this address from now on.
        ban: bool,
    },
    /// Refuse this address from now on: its peer is gone, but is to blame for a failed piece.
    Ban {
        /// Remote address of the connection it had.
        address: SocketAddr,
        /// What it did.
        reason: crate::DropReason,
    },
    /// The piece was verified after it had failed: its block digests show who sent the bad blocks.
    /// Answered by [`Input::PieceDigests`].
    DigestsWanted {
        /// Which.
        piece: PieceIndex,
    },
    /// Bytes of the info dictionary whose hash matches one of the torrent's info-hashes.
    MetadataReceived(Vec<u8>),
    /// A v2 file's piece layer, verified against its root: the piece store needs it to check pieces.
    LayerReceived {
        /// Root of the file's tree.
        pieces_root: Sha256Digest,
        /// One hash a piece of the file.
        hashes: Vec<Sha256Digest>,
    },
    /// Get these blocks, which follow each other, from a web seed, and report them in this order. A block
    /// that lies in padding is not asked of the server: it is zeros.
    Fetch {
        /// Which web seed.
        seed: crate::WebSeedId,
        /// The name of this fetch.
        fetch: crate::FetchId,
        /// At least one, at most 16 MiB.
        blocks: Vec<Block>,
    },
    /// The rest of a fetch is not wanted any more.
    StopFetch {
        /// Which.
        fetch: crate::FetchId,
    },
    /// The web seed is asked for nothing any more. Its fetches were stopped before.
    WebSeedDropped {
        /// Which.
        seed: crate::WebSeedId,
        /// Why.
        reason: crate::WebSeedEnd,
    },
    /// Every wanted piece is verified. Emitted once each time that becomes true.
    WantedComplete,
    /// Addresses learned from a peer (BEP 11).
    PeersLearned {
        /// That peer.
        from: IpAddr,
        /// Where it says others listen.
        addresses: Vec<SocketAddr>,
    },
    /// A peer says that its DHT node listens there (BEP 5).
    NodeTold {
        /// Its address, with that port.
        address: SocketAddr,
    },
    /// A peer says under which address it sees us (BEP 10).
    SeenAs {
        /// That peer.
        from: IpAddr,
        /// Ours, as it says.
        ours: IpAddr,
    },
    /// An upload limit holds data back: ask the shared bucket for so many bytes.
    UploadQuotaWanted {
        /// Of which part of the limit.
        part: Part,
        /// Bytes that could be sent at once.
        bytes: u64,
    },
    /// The peer speaks of payments from now on, and so do we.
    SpeaksPay {
        /// Which peer.
        slot: PeerSlot,
    },
    /// It, or we, speak of them no longer.
    PayEnded {
        /// Which peer.
        slot: PeerSlot,
    },
    /// A message about payments, unread.
    PayReceived {
        /// From whom.
        slot: PeerSlot,
        /// What it says.
        message: PayMessage,
    },
    /// The counts of a peer with a reserve, or of one that is the sole source of pieces, have grown: see
    /// [`crate::Swarm::counts`]. Emitted when half of what a reserve had left is used, and with each piece.
    Counted {
        /// Which peer.
        slot: PeerSlot,
    },
}

/// Why the machine wants to be called at a moment; a value, so that a log can show it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// A choke round or optimistic turn.
    Choke,
    /// A request has waited too long.
    Snub,
    /// A keep-alive is due or a silent peer must go.
    Idle,
    /// A metadata or hash request has waited too long.
    Metadata,
    /// Streaming deadlines are re-examined.
    Deadline,
    /// Rates are measured.
    Rate,
    /// A peer with a reserve may be sent its next block.
    Reserve,
}
