//! The messages of the peer wire (BEP 3, 6, 10, 52) as values.
//!
//! Numbers are a peer's claims: nothing here is checked against a torrent. `Piece` is absent on
//! purpose: its payload goes straight to a chunk, see [`crate::Decoded::Block`] and
//! [`crate::block_header`].

use piecework_types::Sha256Digest;

/// A span of a piece as a peer writes it, unchecked.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Request {
    /// Piece number.
    pub piece: u32,
    /// First byte within the piece.
    pub begin: u32,
    /// Bytes.
    pub length: u32,
}

/// Which hashes of a v2 file's tree are asked for or sent (BEP 52).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HashSpan {
    /// Root of the file's tree.
    pub pieces_root: Sha256Digest,
    /// Layer of the hashes, 0 being the leaves.
    pub base_layer: u32,
    /// First hash within the layer.
    pub index: u32,
    /// Hashes asked for: a power of two, at least 2.
    pub length: u32,
    /// Ancestor layers wanted as proof.
    pub proof_layers: u32,
}

impl HashSpan {
    /// Whether BEP 52 allows these numbers: a length that is a power of two and at least 2, an index
    /// that is a multiple of it. Whether the tree has such a layer is for the owner of the tree.
    pub const fn is_aligned(&self) -> bool {
        self.length >= 2 && self.length.is_power_of_two() && self.index.is_multiple_of(self.length)
    }
}

/// Every message but the payload of a block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// Nothing, so that the connection stays open.
    KeepAlive,
    /// No more blocks will be sent.
    Choke,
    /// Requests will be answered.
    Unchoke,
    /// The sender wants pieces of the receiver.
    Interested,
    /// It no longer does.
    NotInterested,
    /// The sender has this piece.
    Have(u32),
    /// The pieces the sender has, in wire order.
    Bitfield(Vec<u8>),
    /// Please send this block.
    Request(Request),
    /// Please do not send it any more.
    Cancel(Request),
    /// UDP port of the sender's DHT node (BEP 5).
    Port(u16),
    /// The receiver might want this piece (BEP 6).
    Suggest(u32),
    /// The sender has every piece (BEP 6).
    HaveAll,
    /// The sender has no piece (BEP 6).
    HaveNone,
    /// This request will not be answered (BEP 6).
    Reject(Request),
    /// This piece may be requested while choked (BEP 6).
    AllowedFast(u32),
    /// An extension message (BEP 10), see [`crate::extension`]: id 0 is the extension handshake.
    Extended {
        /// The receiver's number for the extension.
        id: u8,
        /// Its payload, in the extension's own form.
        payload: Vec<u8>,
    },
    /// Please send these hashes (BEP 52).
    HashRequest(HashSpan),
    /// The hashes of the span, then the uncle hashes that prove them (BEP 52).
    Hashes(HashSpan, Vec<Sha256Digest>),
    /// These hashes will not be sent (BEP 52).
    HashReject(HashSpan),
}
