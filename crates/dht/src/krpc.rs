//! Messages of the DHT as values: queries, responses and errors (BEP 5, 32, 33, 42, 43, 44, 51).
//!
//! [`Message::decode`] is lenient about what older nodes do (keys out of order, unknown keys, torn
//! lists) and strict about sizes; [`Message::encode`] writes canonical bencode. Nothing here knows a
//! table or a transaction that is under way.

use crate::item::{PublicKey, Signature};
use crate::{Contact, NodeId};
use piecework_types::InfoHash;
use std::net::SocketAddr;
use thiserror::Error;

mod decode;
mod encode;
#[cfg(test)]
mod tests;

/// Longest packet that is read, in bytes: more than a path carries unfragmented.
pub const PACKET_BYTES_MAX: usize = 1500;
/// Longest transaction id that is echoed. Four bytes are usual, some nodes use eight.
pub const TRANSACTION_BYTES_MAX: usize = 32;
/// Longest token that is kept and given back. Twenty bytes are usual.
pub const TOKEN_BYTES_MAX: usize = 64;
/// Longest value of an item, encoded (BEP 44).
pub const VALUE_BYTES_MAX: usize = 1000;
/// Longest salt of a mutable item (BEP 44).
pub const SALT_BYTES_MAX: usize = 64;
/// Nodes of one family that are read from one response; eight are usual.
pub const NODES_MAX: usize = 16;
/// Peers that are read from one response.
pub const VALUES_MAX: usize = 128;
/// Info-hashes that are read from one response.
pub const SAMPLES_MAX: usize = 64;
/// Bytes of an error's text that are kept.
pub const TEXT_BYTES_MAX: usize = 128;

/// What the asker calls its query; the answer repeats it.
pub type TransactionId = Vec<u8>;

/// One packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// Repeated by the answer. At most [`TRANSACTION_BYTES_MAX`] bytes.
    pub transaction: TransactionId,
    /// Who wrote the program: two letters and a version, by habit.
    pub version: Option<[u8; 4]>,
    /// In answers: the asker as the answering node sees it (BEP 42).
    pub seen_as: Option<SocketAddr>,
    /// What it says.
    pub body: Body,
}

/// The three kinds of message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// `q`
    Query(Query),
    /// `r`
    Response(Box<Response>),
    /// `e`
    Error(ErrorAnswer),
}

/// A question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Query {
    /// Who asks.
    pub id: NodeId,
    /// The asker answers nothing and belongs in no table (BEP 43).
    pub read_only: bool,
    /// Which families of nodes it wants; none said means the family it asks over (BEP 32).
    pub want: Option<Want>,
    /// Bytes of an ignored argument that make the query longer, so that a longer answer is allowed.
    /// Decoding leaves it 0.
    pub padding: usize,
    /// What it asks.
    pub method: Method,
}

/// Families of nodes an answer should name (BEP 32).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Want {
    /// `n4`
    pub v4: bool,
    /// `n6`
    pub v6: bool,
}

/// What is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Method {
    /// Are you there?
    Ping,
    /// Who is near this id?
    FindNode {
        /// The id.
        target: NodeId,
    },
    /// Who has this torrent, or who is near it?
    GetPeers {
        /// The torrent.
        info_hash: InfoHash,
        /// Rather name peers that are no seeds (BEP 33).
        no_seeds: bool,
        /// Send filters that count peers and seeds (BEP 33).
        scrape: bool,
    },
    /// The asker has this torrent.
    AnnouncePeer {
        /// The torrent.
        info_hash: InfoHash,
        /// Where it listens, unless the port is implied.
        port: u16,
        /// It listens where the packet comes from.
        implied_port: bool,
        /// It has every piece (BEP 33).
        seed: bool,
        /// What this node gave it with an earlier answer.
        token: Vec<u8>,
    },
    /// What is stored here (BEP 44)?
    Get {
        /// The item's place.
        target: NodeId,
        /// Only if it is newer than this.
        newer_than: Option<i64>,
    },
    /// Store this (BEP 44).
    Put {
        /// What this node gave it with an earlier answer.
        token: Vec<u8>,
        /// The value as it is encoded.
        value: Vec<u8>,
        /// Present for a mutable item.
        signed: Option<Signed>,
    },
    /// Which torrents do you know (BEP 51)?
    SampleInfoHashes {
        /// Near which id nodes should be named.
        target: NodeId,
    },
    /// Something newer. With a target it is answered as `find_node` is.
    Unknown {
        /// `target` or `info_hash`, if it has one.
        target: Option<NodeId>,
    },
}

/// What makes an item mutable (BEP 44).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signed {
    /// Whose it is.
    pub key: PublicKey,
    /// What tells its owner's items apart; at most [`SALT_BYTES_MAX`] bytes.
    pub salt: Vec<u8>,
    /// Higher replaces lower.
    pub sequence: i64,
    /// Over salt, sequence and value.
    pub signature: Signature,
    /// Store only over this sequence.
    pub compare: Option<i64>,
}

/// An answer. What is absent was not asked, or did not fit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// Who answers.
    pub id: NodeId,
    /// IPv4 nodes near the target; empty if none are known, `None` if that was not asked.
    pub nodes: Option<Vec<Contact>>,
    /// IPv6 nodes near the target (BEP 32), in the same way.
    pub nodes6: Option<Vec<Contact>>,
    /// To be given back with an announce or a put.
    pub token: Option<Vec<u8>>,
    /// Peers of the torrent.
    pub values: Vec<SocketAddr>,
    /// Filters of seeds and of peers (BEP 33).
    pub filters: Option<Filters>,
    /// The item's value, encoded (BEP 44).
    pub value: Option<Vec<u8>>,
    /// The owner's key of a mutable item.
    pub key: Option<PublicKey>,
    /// The owner's signature.
    pub signature: Option<Signature>,
    /// The item's sequence; alone it means that nothing newer is here.
    pub sequence: Option<i64>,
    /// Some of the torrents that are known (BEP 51).
    pub samples: Option<Samples>,
}

/// Who seeds and who downloads, as two Bloom filters of 256 bytes (BEP 33).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Filters {
    /// `BFsd`
    pub seeds: crate::BloomFilter,
    /// `BFpe`
    pub peers: crate::BloomFilter,
}

/// A sample of torrents (BEP 51).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Samples {
    /// The sample.
    pub info_hashes: Vec<InfoHash>,
    /// How many there are in all, if said.
    pub total: Option<u64>,
    /// Seconds until another sample may be had, if said.
    pub interval_seconds: Option<u64>,
}

/// A refusal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ErrorAnswer {
    /// Why, as a number.
    pub code: ErrorCode,
    /// Why, in words; at most [`TEXT_BYTES_MAX`] bytes.
    pub text: String,
}

/// Why a query was refused (BEP 5, BEP 44).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ErrorCode(pub i64);

impl ErrorCode {
    /// Something else.
    pub const GENERIC: Self = Self(201);
    /// The node cannot.
    pub const SERVER: Self = Self(202);
    /// Malformed packet, invalid argument or bad token.
    pub const PROTOCOL: Self = Self(203);
    /// Unknown method.
    pub const METHOD: Self = Self(204);
    /// The value is too long.
    pub const VALUE_TOO_LONG: Self = Self(205);
    /// The signature is wrong.
    pub const SIGNATURE: Self = Self(206);
    /// The salt is too long.
    pub const SALT_TOO_LONG: Self = Self(207);
    /// What is stored has another sequence than the put expects.
    pub const COMPARE_MISMATCH: Self = Self(301);
    /// What is stored is newer, or as new and different.
    pub const SEQUENCE_TOO_LOW: Self = Self(302);
}

impl Response {
    /// An answer that says nothing but who answers.
    pub const fn new(id: NodeId) -> Self {
        Self {
            id,
            nodes: None,
            nodes6: None,
            token: None,
            values: Vec::new(),
            filters: None,
            value: None,
            key: None,
            signature: None,
            sequence: None,
            samples: None,
        }
    }
}

impl Query {
    /// A query that wants what the family it goes over implies.
    pub const fn new(id: NodeId, method: Method) -> Self {
        Self { id, read_only: false, want: None, padding: 0, method }
    }
}

/// Why a packet is no message. All of it is the sender's fault.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum KrpcFault {
    /// Longer than [`PACKET_BYTES_MAX`].
    #[error("a packet may have {PACKET_BYTES_MAX} bytes, got {0}")]
    TooLong(usize),
    /// No bencoded dictionary.
    #[error("a packet must be a bencoded dictionary")]
    NotDictionary,
    /// A transaction id or a kind of message is absent or of the wrong type.
    #[error("a packet needs a short transaction id and one of q, r and e")]
    NoKind,
    /// A query lacks an argument or has it in the wrong form.
    #[error("the query needs {wanted}")]
    BadQuery {
        /// Repeated by the error that answers it.
        transaction: TransactionId,
        /// What it lacks.
        wanted: &'static str,
        /// What to answer.
        code: ErrorCode,
    },
    /// An answer lacks what every answer has.
    #[error("the answer needs {wanted}")]
    BadAnswer {
        /// Which query it would have answered.
        transaction: TransactionId,
        /// What it lacks.
        wanted: &'static str,
    },
}
