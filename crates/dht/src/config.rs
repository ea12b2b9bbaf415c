//! What a node is told when it is made, and what it may be told later.

use crate::krpc::{PACKET_BYTES_MAX, Samples};
use crate::{AddressScope, Compliance, Contact, Family, Item, MutableName, NodeId, Rate};
use piecework_types::InfoHash;
use std::net::{IpAddr, SocketAddr};
use thiserror::Error;

/// Addresses of ours that one machine serves (BEP 45).
pub const ENDPOINTS_MAX: usize = 8;
/// Lookups under way at a time; more wait in line.
pub const LOOKUPS_MAX: usize = 32;
/// Lookups that wait.
pub const LOOKUPS_WAITING_MAX: usize = 4096;
/// Routers that are kept of one endpoint.
pub const ROUTERS_MAX: usize = 32;
/// Bytes of an answer, and of a query without an item (BEP 32).
pub(crate) const SENT_BYTES_MAX: usize = 1024;
/// Bytes of a packet with an item: 1000 of value, and what stands around it (BEP 44).
pub(crate) const ITEM_SENT_BYTES_MAX: usize = 1400;
/// No answer is longer than its query by more than this factor: what is sent to a false sender's victim
/// must not be worth the trouble.
pub const AMPLIFICATION_MAX: usize = 3;

const _: () = assert!(ITEM_SENT_BYTES_MAX <= PACKET_BYTES_MAX, "what is sent must be readable");

/// Which of our own addresses, by its place in [`Config::endpoints`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EndpointIndex(pub u8);

/// Names a lookup from its start to [`Output::Finished`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LookupId(pub u64);

/// How a node behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our addresses: one of each family as a rule; [`ENDPOINTS_MAX`] at most, the rest is ignored.
    pub endpoints: Vec<EndpointConfig>,
    /// Which addresses are talked to.
    pub addresses: AddressScope,
    /// What nodes are worth whose id does not fit their address (BEP 42).
    pub compliance: Compliance,
    /// Answer nothing and say so (BEP 43): for those whom strangers cannot reach.
    pub is_read_only: bool,
    /// Four letters that name the program in packets.
    pub version: [u8; 4],
    /// Torrents of which peers are remembered for others.
    pub torrents_max: usize,
    /// Items that are kept for others, 1.2 KB each.
    pub items_max: usize,
    /// Queries that one sender gets answered.
    pub sender_rate: Rate,
    /// Queries that all senders together get answered.
    pub total_rate: Rate,
    /// Items that one sender may put.
    pub sender_put_rate: Rate,
    /// Items that all senders together may put: each costs the check of a signature.
    pub total_put_rate: Rate,
}

impl Config {
    /// The usual behaviour on the public internet.
    pub const fn new(endpoints: Vec<EndpointConfig>) -> Self {
        Self {
            endpoints,
            addresses: AddressScope::Public,
            compliance: Compliance::Preferred,
            is_read_only: false,
            version: *b"PW01",
            torrents_max: 2000,
            items_max: 1000,
            sender_rate: Rate { per_second: 10, burst: 40 },
            total_rate: Rate { per_second: 300, burst: 600 },
            sender_put_rate: Rate { per_second: 1, burst: 10 },
            total_put_rate: Rate { per_second: 20, burst: 100 },
        }
    }
}

/// One of our addresses.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// Its family.
    pub family: Family,
    /// The id it had before, if it is known. Endpoints have ids of their own (BEP 45).
    pub id: Option<NodeId>,
    /// How the world sees it, if that is known: then a new id fits it (BEP 42).
    pub external: Option<IpAddr>,
    /// Nodes it knew before.
    pub nodes: Vec<Contact>,
    /// Where to begin if those are gone: routers, and the nodes that torrents name.
    pub routers: Vec<SocketAddr>,
}

impl EndpointConfig {
    /// An address that knows nobody.
    pub const fn new(family: Family) -> Self {
        Self { family, id: None, external: None, nodes: Vec::new(), routers: Vec::new() }
    }
}

/// What a lookup is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Goal {
    /// Know the nodes near an id.
    Nodes(NodeId),
    /// Find peers of a torrent.
    Peers {
        /// The torrent.
        info_hash: InfoHash,
        /// Rather those that are no seeds (BEP 33).
        no_seeds: bool,
        /// Count seeds and peers too (BEP 33).
        scrape: bool,
    },
    /// Find peers of a torrent, and tell the closest nodes that we are one.
    Announce {
        /// The torrent.
        info_hash: InfoHash,
        /// Where we listen; `None` means the port that our packets come from.
        port: Option<u16>,
        /// We have every piece (BEP 33).
        seed: bool,
    },
    /// Find an immutable item (BEP 44).
    Immutable(NodeId),
    /// Find the newest version of a mutable item (BEP 44), for instance one that points to a torrent
    /// (BEP 46).
    Mutable {
        /// Whose, and which of theirs.
        name: MutableName,
        /// The version we have: only newer ones are told.
        newer_than: Option<i64>,
    },
    /// Store an item at the closest nodes. To keep it alive, do so every hour.
    Put {
        /// What.
        item: Item,
        /// Only over this version (BEP 44, "CAS").
        compare: Option<i64>,
    },
    /// Learn which torrents the nodes near an id know (BEP 51).
    Sample(NodeId),
}

impl Goal {
    /// What the lookup approaches.
    pub fn target(&self) -> NodeId {
        match self {
            Self::Nodes(target) | Self::Immutable(target) | Self::Sample(target) => *target,
            Self::Peers { info_hash, .. } | Self::Announce { info_hash, .. } => (*info_hash).into(),
            Self::Mutable { name, .. } => name.target(),
            Self::Put { item, .. } => item.target(),
        }
    }
}

/// Why a lookup cannot start.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum StartError {
    /// There is no such endpoint.
    #[error("there is no endpoint {}", .0.0)]
    NoEndpoint(EndpointIndex),
    /// [`LOOKUPS_WAITING_MAX`] wait already.
    #[error("{LOOKUPS_WAITING_MAX} lookups wait already")]
    TooMany,
}

/// What the machine wants done, or has learned.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this packet from that address of ours.
    Send {
        /// Our address.
        endpoint: EndpointIndex,
        /// Whom to.
        to: SocketAddr,
        /// The packet, [`PACKET_BYTES_MAX`] bytes at most.
        bytes: Vec<u8>,
    },
    /// Peers of the torrent that the lookup had not told before.
    PeersFound {
        /// Which lookup.
        lookup: LookupId,
        /// At least one.
        peers: Vec<SocketAddr>,
    },
    /// The item, or a newer version of it than was told before. Its hash or signature was checked.
    ItemFound {
        /// Which lookup.
        lookup: LookupId,
        /// The item.
        item: Item,
    },
    /// A node told which torrents it knows (BEP 51).
    TorrentsSampled {
        /// Which lookup.
        lookup: LookupId,
        /// Who told.
        from: Contact,
        /// What.
        samples: Samples,
    },
    /// The lookup is over; its name means nothing any more.
    Finished {
        /// Which lookup.
        lookup: LookupId,
        /// How it went.
        outcome: Outcome,
    },
    /// The table has other nodes than before: save it some time. Told every few seconds at most.
    TableChanged {
        /// Whose.
        endpoint: EndpointIndex,
        /// Nodes in it that are not bad.
        good: usize,
    },
    /// The nodes of many networks agree on our address (BEP 42).
    AddressElected {
        /// Which of ours.
        endpoint: EndpointIndex,
        /// How the world sees it.
        ip: IpAddr,
        /// Our id from now on; another one if the old did not fit.
        id: NodeId,
    },
}

/// How a lookup went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Queries that were sent for it, those that store included.
    pub asked: usize,
    /// Nodes that answered.
    pub answered: usize,
    /// The closest of them.
    pub closest: Vec<Contact>,
    /// Different peers that were told.
    pub peers: usize,
    /// Nodes that stored the announce or the item.
    pub stored: usize,
    /// Why others refused it, at most eight reasons (BEP 44).
    pub refusals: Vec<crate::krpc::ErrorCode>,
    /// Seeds and other peers in the filters of all nodes together, if a scrape was wanted and answered.
    pub scrape: Option<Scrape>,
}

/// An estimate of a swarm's size (BEP 33).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scrape {
    /// Who has every piece.
    pub seeds: f64,
    /// Who has not.
    pub peers: f64,
}

/// Why the machine wants to be called at a moment.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// An answer takes long, or did not come.
    Answer,
    /// Tables are looked after.
    Upkeep,
}
