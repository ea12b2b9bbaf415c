//! A torrent of the catalog: what is written down of it, what the engine last said, and what it is doing.

use crate::record::Record;
use piecework_types::InfoHash;

/// What the engine says of a loaded torrent; all zero while it is not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// It fetches its info dictionary.
    pub is_fetching_metadata: bool,
    /// It hashes its data: thousandths done.
    pub checking_milli: Option<u32>,
    /// Bytes of the wanted pieces.
    pub wanted_bytes: u64,
    /// Those of them that are missing.
    pub left_bytes: u64,
    /// Payload of this load, bytes.
    pub down_bytes: u64,
    /// See `down_bytes`.
    pub up_bytes: u64,
    /// Received for nothing in this load, bytes.
    pub wasted_bytes: u64,
    /// Payload a second.
    pub down_rate: u64,
    /// See `down_rate`.
    pub up_rate: u64,
    /// Connected peers, seeds included.
    pub peers: u32,
    /// Those that have everything.
    pub seeds: u32,
    /// Peers that are no seeds in the whole swarm, as a tracker counts them.
    pub swarm_peers: Option<u32>,
    /// Seeds in the whole swarm, as a tracker counts them.
    pub swarm_seeds: Option<u32>,
    /// Copies among the connected peers, in thousandths.
    pub availability_milli: Option<u32>,
    /// It has all that is wanted.
    pub is_complete: bool,
}

/// What a torrent is doing, in one word for people.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Stage {
    /// Takes no part; a person stopped it, or a limit did.
    #[default]
    Stopped,
    /// Waits for its turn.
    Queued,
    /// Fetches its info dictionary.
    Metadata,
    /// Hashes its data.
    Checking,
    /// Wants pieces.
    Downloading,
    /// Has all that is wanted and serves it.
    Seeding,
    /// Its payload is being moved.
    Moving,
    /// Waits for free space on its drive.
    NoSpace,
    /// Its files are gone.
    Missing,
    /// Cannot go on; its error says why.
    Failed,
}

impl Stage {
    /// Whether the engine takes part in it.
    pub const fn is_loaded(self) -> bool {
        matches!(self, Self::Metadata | Self::Checking | Self::Downloading | Self::Seeding)
    }

    /// The word for scripts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Queued => "queued",
            Self::Metadata => "metadata",
            Self::Checking => "checking",
            Self::Downloading => "downloading",
            Self::Seeding => "seeding",
            Self::Moving => "moving",
            Self::NoSpace => "no_space",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }
}

/// A torrent as faces see it. What changes by itself as time goes by (how long it has been active) is given
/// as of the last observation.
#[derive(Clone, Debug)]
pub struct Torrent {
    pub(crate) id: InfoHash,
    pub(crate) record: Record,
    pub(crate) figures: Figures,
    pub(crate) stage: Stage,
    /// Among those that are not complete, from 0.
    pub(crate) place: u32,
    /// Received a second, as a moving average: what is left is divided by it.
    pub(crate) smooth_rate: u64,
    /// How much of its payload has been moved, while it is.
    pub(crate) moved_milli: Option<u32>,
    /// What is wrong in the engine although it goes on, until that says otherwise.
    pub(crate) problem: Option<String>,
    /// Why its files are not where they should be, until that is tried again.
    pub(crate) unmoved: Option<String>,
}

impl Torrent {
    /// Its primary info-hash.
    pub const fn id(&self) -> InfoHash {
        self.id
    }

    /// What is written down of it.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// What the engine last said.
    pub const fn figures(&self) -> &Figures {
        &self.figures
    }

    /// What it is doing.
    pub const fn stage(&self) -> Stage {
        self.stage
    }
}
