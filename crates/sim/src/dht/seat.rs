//! A place in the network: an address, a latency, and who sits there.

use super::hostile::Hostile;
use super::plant::Machine;
use piecework_dht::LookupId;
use piecework_types::Time;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a router lets somebody in after the node behind it has sent to them.
const ROUTER_OPEN: Duration = Duration::from_secs(120);

/// Who sits there.
pub(super) enum Sitter {
    /// Nobody yet, or any more.
    Nobody,
    Honest(Box<Honest>),
    Hostile(Box<Hostile>),
}

/// An honest node at work.
pub(super) struct Honest {
    pub(super) machine: Machine,
    /// When its timer is set for.
    pub(super) wakes: Time,
    pub(super) lookup: Option<Watched>,
    /// What stands between it and strangers.
    pub(super) router: Option<Router>,
}

/// A lookup that the plan ordered, as it goes.
pub(super) struct Watched {
    pub(super) id: LookupId,
    pub(super) torrent: u32,
    pub(super) record: usize,
    pub(super) began: Time,
    /// Queries without an answer yet: how many round trips led to each.
    pub(super) open: BTreeMap<(SocketAddr, Vec<u8>), u32>,
    /// Round trips that led to the packet at hand.
    pub(super) rounds: u32,
}

/// A router that keeps strangers out.
#[derive(Default)]
pub(super) struct Router(BTreeMap<SocketAddr, Time>);

impl Router {
    pub(super) fn sends(&mut self, to: SocketAddr, now: Time) {
        self.0.insert(to, now);
        if self.0.len() > 4096 {
            self.0.retain(|_, at| now.since(*at) <= ROUTER_OPEN);
        }
    }

    pub(super) fn lets_in(&mut self, from: SocketAddr, now: Time) -> bool {
        let is_open = self.0.get(&from).is_some_and(|at| now.since(*at) <= ROUTER_OPEN);
        if is_open {
            self.0.insert(from, now);
        }
        is_open
    }
}
