//! What is to happen in a network of DHT nodes.

use super::hostile::Hostility;
use crate::plant::Plant;
use piecework_types::{InfoHash, Rng, Time};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// How a node behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NodeKind {
    /// Our machine at an open address.
    Open,
    /// Our machine behind a router that lets in only whom the machine has sent to lately.
    Natted,
    /// Something else.
    Hostile(Hostility),
}

/// A node.
#[derive(Clone, Debug)]
pub struct DhtNode {
    /// How it behaves.
    pub kind: NodeKind,
    /// Where it is; nodes have addresses of their own.
    pub ip: IpAddr,
    /// From the node to the middle of the network.
    pub latency: Duration,
    /// When it comes.
    pub joins: Time,
    /// When it goes without a word, if ever.
    pub leaves: Option<Time>,
}

/// Something a node is told to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DhtAction {
    /// Announce a torrent.
    Announce {
        /// Who.
        node: u32,
        /// Which of the plan's torrents.
        torrent: u32,
    },
    /// Look for the peers of a torrent. One lookup at a time for each node.
    LookUp {
        /// Who.
        node: u32,
        /// Which of the plan's torrents.
        torrent: u32,
    },
}

/// A whole run.
#[derive(Clone, Debug)]
pub struct DhtPlan {
    /// All nodes; the first one is the router that others begin with.
    pub nodes: Vec<DhtNode>,
    /// Info-hashes.
    pub torrents: Vec<InfoHash>,
    /// What happens when, in order of time.
    pub actions: Vec<(Time, DhtAction)>,
    /// Lost packets in a million.
    pub loss_ppm: u64,
    /// When it ends.
    pub ends: Time,
    /// A bug in one node.
    pub plant: Option<(u32, Plant)>,
}

impl DhtPlan {
    /// Open nodes that come one after another within `span`, each in a network of its own.
    pub(crate) fn open(count: usize, span: Duration, rng: &mut Rng) -> Self {
        let mut addresses = Addresses::default();
        let node = |number: usize| DhtNode {
            kind: NodeKind::Open,
            ip: addresses.next(rng),
            latency: Duration::from_millis(5 + rng.below(75)),
            joins: Time::ZERO + span * number as u32 / count as u32,
            leaves: None,
        };
        Self {
            nodes: (0..count).map(node).collect(),
            torrents: Vec::new(),
            actions: Vec::new(),
            loss_ppm: 0,
            ends: Time::ZERO,
            plant: None,
        }
    }

    pub(crate) fn add_torrents(&mut self, count: usize, rng: &mut Rng) {
        let torrent = || {
            let mut hash = [0; 20];
            hash.iter_mut().for_each(|byte| *byte = rng.next_u64() as u8);
            InfoHash(hash)
        };
        self.torrents = std::iter::repeat_with(torrent).take(count).collect();
    }

    pub(crate) fn act(&mut self, at: Time, action: DhtAction) {
        self.actions.push((at, action));
    }
}

/// Public addresses, no two in one /24.
#[derive(Default)]
struct Addresses(std::collections::BTreeSet<u32>);

impl Addresses {
    fn next(&mut self, rng: &mut Rng) -> IpAddr {
        loop {
            // 20.0.0.0 to 99.255.255.255 has no network that is not public.
            let network = (20 << 16) + rng.below(80 << 16) as u32;
            if self.0.insert(network) {
                return Ipv4Addr::from((network << 8) | (1 + rng.below(250) as u32)).into();
            }
        }
    }
}
