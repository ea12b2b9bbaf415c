//! What a run consists of: nodes, their links and faults, and what happens when.
//!
//! Owns no behaviour. Invariant: a plan and a seed determine a run.

use crate::checkers::{ReserveSpec, UploadLimit};
use crate::disk::DiskFaults;
use crate::network::Link;
use crate::plant::Plant;
use crate::seen::NodeId;
use piecework_swarm::StreamWindow;
use piecework_types::Time;
use std::time::Duration;

/// What a node has when it first joins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// Every piece.
    Seed,
    /// None.
    Empty,
    /// Not even the metadata.
    Magnet,
    /// Each piece with this chance in a hundred.
    Partial(u64),
}

/// How a node behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Behaviour {
    /// As the engine does.
    Honest,
    /// As the engine, but every so many blocks sent is damaged.
    BadBlocks {
        /// One in how many.
        one_in: u64,
    },
    /// As the engine, but it never unchokes anybody.
    NeverUnchokes,
    /// Claims every piece, unchokes everybody, answers nothing.
    FalseBitfield,
    /// Asks for thousands of blocks without end.
    RequestFlood,
    /// Claims every piece and answers each request with a byte a second.
    SlowLoris,
    /// Tells everybody of invented peers, every so many turns of half a second.
    FalseGossip {
        /// Turns from one message to the next.
        turns: u32,
    },
}

impl Behaviour {
    /// Whether the engine drives it.
    pub const fn is_engine(self) -> bool {
        matches!(self, Self::Honest | Self::BadBlocks { .. } | Self::NeverUnchokes)
    }
}

/// How an HTTP server behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WebSeedKind {
    /// It sends what it is asked for.
    Honest,
    /// Every so many blocks is damaged.
    Lies {
        /// One in how many.
        one_in: u64,
    },
    /// It sends so many blocks, and then nothing more.
    Stalls {
        /// How many.
        after: u64,
    },
}

/// An HTTP server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WebSeedSpec {
    /// Bytes a second.
    pub rate_bytes: u64,
    /// What it does.
    pub kind: WebSeedKind,
}

/// How a node comes by the addresses of others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finds {
    /// It asks the tracker, which tells it of nodes that are there.
    ByTracker,
    /// Its user gave it this one.
    Given(NodeId),
    /// It waits for others to connect.
    Nobody,
}

/// One node.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Its access link.
    pub link: Link,
    /// What it has at first.
    pub start: Start,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// When it joins.
    pub joins_at: Time,
    /// How its disk misbehaves.
    pub disk: DiskFaults,
    /// A limit its user set.
    pub limit: Option<UploadLimit>,
    /// Parts of that limit that it keeps for peers.
    pub reserves: Vec<ReserveSpec>,
    /// Slots of its choker; the engine's default if absent.
    pub slots: Option<usize>,
    /// How it comes by addresses.
    pub finds: Finds,
    /// Whether it tells of peers and hears of them.
    pub exchanges_peers: bool,
    /// Most connections.
    pub connections_max: usize,
    /// Pieces in order.
    pub sequential: bool,
    /// Plays while it downloads.
    pub stream: Option<StreamWindow>,
    /// HTTP servers that it knows.
    pub web_seeds: Vec<WebSeedSpec>,
    /// Seeds by BEP 16.
    pub super_seed: bool,
    /// A bug put between its machine and the world.
    pub plant: Option<Plant>,
}

impl NodeSpec {
    /// An honest node that joins at the start.
    pub const fn new(link: Link, start: Start) -> Self {
        Self {
            link,
            start,
            behaviour: Behaviour::Honest,
            joins_at: Time::ZERO,
            disk: DiskFaults {
                read_delay: Duration::ZERO,
                write_delay: Duration::ZERO,
                corrupt_after: None,
                corrupt_count: 0,
                full_after: None,
                full_for: Duration::ZERO,
            },
            limit: None,
            reserves: Vec::new(),
            slots: None,
            finds: Finds::ByTracker,
            exchanges_peers: true,
            connections_max: 200,
            sequential: false,
            stream: None,
            web_seeds: Vec::new(),
            super_seed: false,
            plant: None,
        }
    }
}

/// Something that happens to a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// It leaves without a word.
    Leave(NodeId),
    /// It leaves as soon as the others together have every piece.
    LeaveOnceSpread(NodeId),
    /// It comes (back), with what is on its disk.
    Join(NodeId),
    /// Its reader has come so far.
    Play(NodeId, StreamWindow),
}

/// When a run is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Goal {
    /// Every honest node that is there at the deadline has finished; the run stops as soon as all have.
    AllFinish,
    /// The run goes on to the deadline, and whoever is there and honest must have finished.
    FinishAndStay,
    /// The run goes on to the deadline; nobody has to finish.
    RunOn,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Bytes of a piece.
    pub piece_bytes: u32,
    /// Pieces, all of them full.
    pub pieces: u32,
    /// Bytes of the info dictionary, for those who start without.
    pub metadata_bytes: usize,
    /// Who takes part, by [`NodeId`].
    pub nodes: Vec<NodeSpec>,
    /// What happens, in any order.
    pub actions: Vec<(Time, Action)>,
    /// Virtual end.
    pub deadline: Time,
    /// What must have come true by then.
    pub goal: Goal,
}
