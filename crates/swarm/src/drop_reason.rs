//! Why a peer is dropped, and whose fault it is.

use crate::dialer::CloseReason;
use piecework_types::{BitfieldFault, Blame};
use piecework_wire::WireFault;
use std::net::SocketAddr;

/// The reason of an [`crate::Output::Disconnect`]: for the counters and the log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    /// Neither side wants anything of the other.
    #[error("both sides only upload")]
    SeedToSeed,
    /// Nothing came for two minutes.
    #[error("silent for too long")]
    Idle,
    /// We are connected to ourselves.
    #[error("connected to ourselves")]
    SelfConnection,
    /// Of two connections to the same peer the other one stays.
    #[error("connected to this peer already")]
    DuplicatePeer {
        /// Remote address of the connection that stays.
        kept: SocketAddr,
    },
    /// The torrent has as many peers as it may.
    #[error("expected at most {peers_max} peers, got one more")]
    TooManyPeers {
        /// The limit.
        peers_max: usize,
    },
    /// What peers said before the metadata was known took too much memory.
    #[error("too many pieces announced before the metadata was known")]
    EarlyClaims,
    /// A bitfield that does not fit the torrent.
    #[error(transparent)]
    Bitfield(#[from] BitfieldFault),
    /// A second bitfield, or one after all kinds of it were replaced by a have-all or have-none.
    #[error("expected one bitfield, got another")]
    SecondBitfield,
    /// A piece that the torrent does not have.
    #[error("expected a piece below {piece_count}, got {index}")]
    PieceOutOfBounds {
        /// What the peer wrote.
        index: u32,
        /// Pieces of the torrent.
        piece_count: u32,
    },
    /// A message of the fast extension, which was not negotiated (BEP 6).
    #[error("message of an extension that was not negotiated")]
    NotNegotiated,
    /// An extension message that breaks the rules.
    #[error(transparent)]
    Extension(#[from] WireFault),
    /// Too many requests for spans that do not exist.
    #[error("too many requests for spans that do not exist")]
    BadRequests,
    /// Requests and questions that are refused, by the thousand.
    #[error("too many requests that cannot be served")]
    RequestFlood,
    /// Messages that only serve to keep us busy.
    #[error("too many messages without effect")]
    Flood,
    /// Lists of peers (BEP 11) far more often than once a minute.
    #[error("sent lists of peers without pause")]
    ExchangeFlood,
    /// It sent payload that makes a piece fail its hash.
    #[error("sent bad data")]
    BadData,
    /// It sent metadata whose hash is wrong.
    #[error("sent bad metadata")]
    BadMetadata,
    /// It sent hashes that do not lead to their root.
    #[error("sent bad hashes")]
    BadHashes,
}

impl DropReason {
    /// Whose fault it is.
    pub const fn blame(&self) -> Blame {
        match self {
            Self::SeedToSeed
            | Self::Idle
            | Self::DuplicatePeer { .. }
            | Self::TooManyPeers { .. }
            | Self::EarlyClaims => Blame::Policy,
            Self::SelfConnection => Blame::Local,
            Self::Bitfield(_)
            | Self::SecondBitfield
            | Self::PieceOutOfBounds { .. }
            | Self::NotNegotiated
            | Self::Extension(_)
            | Self::BadRequests
            | Self::RequestFlood
            | Self::Flood
            | Self::ExchangeFlood
            | Self::BadData
            | Self::BadMetadata
            | Self::BadHashes => Blame::Peer,
        }
    }

    /// What the dialer has to know of it: whether to come back, and how soon.
    pub const fn close_reason(&self) -> CloseReason {
        match (self, self.blame()) {
            (Self::SelfConnection, _) => CloseReason::Ourselves,
            (Self::DuplicatePeer { kept }, _) => CloseReason::Duplicate { kept: *kept },
            (_, Blame::Peer) => CloseReason::Fault,
            (_, Blame::Policy | Blame::Local) => CloseReason::Useless,
        }
    }

    /// Whether the address should be refused from now on.
    pub const fn is_ban(&self) -> bool {
        matches!(
            self,
            Self::BadData | Self::BadMetadata | Self::BadHashes | Self::Flood | Self::ExchangeFlood
        )
    }
}
