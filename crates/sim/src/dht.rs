//! Networks of DHT nodes in virtual time: the very machine of `piecework_dht`, many times over, with
//! packets that take their time, get lost, and are dropped by routers.
//!
//! What is real: every decision, and the bytes of every packet. What is not: sockets. Checkers read the
//! packets with a bencode decoder and books of their own.

mod checkers;
mod hostile;
mod plan;
mod plant;
mod seat;
mod world;

pub use hostile::Hostility;
pub use plan::{DhtAction, DhtNode, DhtPlan, NodeKind};
pub(crate) use world::DhtWorld;

use std::time::Duration;

/// What one lookup came to, counted from outside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LookupRecord {
    /// Who looked.
    pub asker: u32,
    /// For which of the plan's torrents.
    pub torrent: u32,
    /// Round trips in a row until the first true peer; a wait that ends in a further query counts as one.
    pub rounds: Option<u32>,
    /// Time until the first true peer.
    pub first_peer: Option<Duration>,
    /// Queries that were sent for it.
    pub queries: u32,
    /// Time until its end.
    pub took: Option<Duration>,
}

/// What came out of a run beside violations.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DhtReport {
    /// Lookups of peers, in the order of their start.
    pub lookups: Vec<LookupRecord>,
    /// Contacts in the tables of honest nodes at the end, and those of them that are hostile.
    pub contacts: u32,
    /// See `contacts`.
    pub hostile_contacts: u32,
    /// Queries of hostile nodes that honest nodes answered, and all of them.
    pub hostile_answered: u64,
    /// See `hostile_answered`.
    pub hostile_queries: u64,
}

impl DhtReport {
    /// The value below which so many of a hundred lookups lie; lookups without one count as the greatest.
    pub fn percentile(&self, percent: usize, value: impl Fn(&LookupRecord) -> Option<u32>) -> u32 {
        let mut values: Vec<_> =
            self.lookups.iter().map(|record| value(record).unwrap_or(u32::MAX)).collect();
        values.sort_unstable();
        let rank = (values.len() * percent).div_ceil(100).max(1);
        values.get(rank - 1).copied().unwrap_or(u32::MAX)
    }

    /// Lookups that found a true peer, in percent.
    pub fn found_percent(&self) -> f64 {
        let found = self.lookups.iter().filter(|record| record.rounds.is_some()).count();
        100.0 * found as f64 / self.lookups.len().max(1) as f64
    }
}
