//! What an onlooker sees of a node: the vocabulary between the world and the checkers.
//!
//! Invariant: everything here is observed at the border of the machine under test, never asked of it.

use crate::network::Frame;
use piecework_types::{Bitfield, Block, PieceIndex, Time};
use piecework_wire::{Message, Request};
use std::net::SocketAddr;

/// A simulated machine.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(pub u32);

/// One end of a connection. The flow of bytes that begins there has the same number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EndId(pub u32);

impl EndId {
    /// The other end of the connection.
    #[must_use]
    pub const fn other(self) -> Self {
        Self(self.0 ^ 1)
    }

    /// Whether this side opened the connection.
    pub const fn dialled(self) -> bool {
        self.0.is_multiple_of(2)
    }
}

/// Where and when something is seen.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Virtual time.
    pub now: Time,
    /// At which node.
    pub node: NodeId,
}

/// One observation.
#[derive(Debug)]
pub enum Seen<'a> {
    /// The node starts, with these pieces on disk.
    Joined {
        /// What its machine is told it has.
        have: &'a Bitfield,
    },
    /// The node is gone.
    Left,
    /// The machine is told of a peer.
    Opened {
        /// Our end.
        end: EndId,
        /// Who is at the other.
        peer: NodeId,
    },
    /// The connection is gone, by either side.
    Closed {
        /// Our end.
        end: EndId,
    },
    /// The machine closes the connection.
    Dropped {
        /// Our end.
        end: EndId,
        /// Whether the peer is banned.
        ban: bool,
        /// Whether the peer is blamed.
        blamed: bool,
        /// The reason in words.
        reason: &'a str,
    },
    /// The machine bans a peer that has gone.
    Banned {
        /// Whom.
        peer: NodeId,
    },
    /// The node begins to connect.
    Dialled {
        /// Where to.
        address: SocketAddr,
    },
    /// The machine sends a message.
    Sent {
        /// Our end.
        end: EndId,
        /// What.
        message: &'a Message,
    },
    /// A message reaches the machine.
    Received {
        /// Our end.
        end: EndId,
        /// What.
        message: &'a Message,
    },
    /// The machine sends a block.
    BlockSent {
        /// Our end.
        end: EndId,
        /// Which span.
        block: Block,
    },
    /// A block has left the node's uplink.
    BlockLeft {
        /// Payload bytes.
        bytes: u64,
    },
    /// A block lies complete in a chunk.
    BlockReceived {
        /// Our end.
        end: EndId,
        /// The span the peer wrote.
        request: Request,
        /// The chunk's number.
        chunk: u32,
    },
    /// A block came for which the machine does not wait; its bytes were drained.
    BlockDrained {
        /// Our end.
        end: EndId,
        /// The span the peer wrote.
        request: Request,
    },
    /// A part of a block has come.
    Dripped {
        /// Our end.
        end: EndId,
    },
    /// The machine asks a web seed for blocks.
    Fetched {
        /// Which of the node's web seeds.
        seed: u32,
        /// The name of the fetch.
        fetch: u32,
        /// What, in order.
        blocks: &'a [Block],
    },
    /// A block of a fetch lies complete in a chunk.
    WebBlock {
        /// Of which fetch.
        fetch: u32,
        /// Which block.
        block: Block,
        /// The chunk's number.
        chunk: u32,
    },
    /// The rest of a fetch will not come.
    FetchEnded {
        /// Which.
        fetch: u32,
    },
    /// The machine gives a web seed up.
    WebSeedDropped {
        /// Which.
        seed: u32,
        /// Whether it does what it should.
        innocent: bool,
        /// The reason in words.
        reason: &'a str,
    },
    /// The machine stores a chunk.
    Stored {
        /// The end it came by.
        end: EndId,
        /// Where it belongs.
        block: Block,
        /// The chunk's number.
        chunk: u32,
    },
    /// The machine returns a chunk.
    Discarded {
        /// The chunk's number.
        chunk: u32,
    },
    /// The send buffer of a connection can take so many bytes.
    Room {
        /// Our end.
        end: EndId,
        /// Bytes.
        bytes: u64,
    },
    /// The machine is told that a piece is verified.
    Verified {
        /// Which.
        piece: PieceIndex,
        /// Whether what lies on disk equals the origin.
        intact: bool,
    },
    /// The machine is told that a piece is not there: failed its hash or lost.
    Unverified {
        /// Which.
        piece: PieceIndex,
    },
    /// The machine says that everything wanted is there.
    Finished {
        /// Whether all that lies on disk equals the origin.
        intact: bool,
    },
    /// `poll` returned `None`.
    Settled,
}

impl Frame {
    /// A number for the trace.
    pub(crate) const fn kind(&self) -> u64 {
        match self {
            Self::Message(message) => message_kind(message),
            Self::Block { .. } => 40,
            Self::Drip { .. } => 41,
            Self::Closed => 42,
        }
    }
}

/// A number for each kind of message, with its piece where it has one.
pub(crate) const fn message_kind(message: &Message) -> u64 {
    match message {
        Message::KeepAlive => 0,
        Message::Choke => 1,
        Message::Unchoke => 2,
        Message::Interested => 3,
        Message::NotInterested => 4,
        Message::Have(piece) => 5 | (*piece as u64) << 8,
        Message::Bitfield(_) => 6,
        Message::Request(request) => 7 | span(request),
        Message::Cancel(request) => 8 | span(request),
        Message::Port(_) => 9,
        Message::Suggest(piece) => 10 | (*piece as u64) << 8,
        Message::HaveAll => 11,
        Message::HaveNone => 12,
        Message::Reject(request) => 13 | span(request),
        Message::AllowedFast(piece) => 14 | (*piece as u64) << 8,
        Message::Extended { .. } => 15,
        Message::HashRequest(_) => 16,
        Message::Hashes(..) => 17,
        Message::HashReject(_) => 18,
    }
}

const fn span(request: &Request) -> u64 {
    (request.piece as u64) << 32 ^ (request.begin as u64) << 8
}
