//! Why a web seed did not give what it was asked for, and why one is given up.

use piecework_types::Blame;
use std::time::Duration;

/// How a fetch ended before its last block.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FetchFault {
    /// The server asks for patience (HTTP 503, 429; BEP 17's number of seconds): no fault of it.
    #[error("it is busy")]
    Busy {
        /// How long, as it says.
        after: Option<Duration>,
    },
    /// The way to the server or its answer broke: worth another try.
    #[error("{0}")]
    Failed(String),
    /// Nothing came for too long.
    #[error("it stalls: less than a block in a minute")]
    Stalled,
    /// It will never serve this torrent: the file is not there, it knows no ranges, and the like.
    #[error("{0}")]
    Unusable(String),
}

/// Why a web seed is given up for good.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WebSeedEnd {
    /// What it sent made a piece fail its hash.
    #[error("sent bad data")]
    BadData,
    /// It cannot serve this torrent.
    #[error("{0}")]
    Unusable(FetchFault),
    /// It failed too often in a row; this is the last failure.
    #[error("failed too often, the last time because {0}")]
    Failing(FetchFault),
}

impl WebSeedEnd {
    /// Whose fault it is: always the server's, as far as can be told from here.
    pub const fn blame(&self) -> Blame {
        match self {
            Self::BadData | Self::Unusable(_) | Self::Failing(_) => Blame::Peer,
        }
    }
}
