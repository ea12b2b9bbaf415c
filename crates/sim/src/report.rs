//! What came out of a run.

use crate::checkers::Violation;
use crate::dht::DhtReport;
use crate::market::MarketReport;
use crate::seen::NodeId;
use piecework_types::Time;
use std::time::Duration;

/// The result of one run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// The seed it was made from.
    pub seed: u64,
    /// A hash over every event and output: equal for equal runs.
    pub trace: u64,
    /// Virtual time at its end.
    pub ended_at: Time,
    /// Events handled.
    pub events: u64,
    /// Messages and blocks delivered.
    pub frames: u64,
    /// Times bandwidth was shared anew.
    pub rate_computations: u64,
    /// When each node had everything it wanted.
    pub finished: Vec<Option<Time>>,
    /// For how long each node (first) unchoked each other (second), by connection.
    pub served: Vec<(NodeId, NodeId, Duration)>,
    /// When each node verified each piece; [`Time::NEVER`] if it did not. Empty for nodes that are away.
    pub verified: Vec<Vec<Time>>,
    /// Payload bytes that left each node.
    pub uploaded: Vec<u64>,
    /// What a network of DHT nodes came to.
    pub dht: Option<DhtReport>,
    /// What a market came to.
    pub market: Option<MarketReport>,
    /// Payload bytes that each web seed of each node sent it.
    pub web_bytes: Vec<Vec<u64>>,
    /// Web seeds that each node gave up, and why.
    pub web_dropped: Vec<Vec<(u32, String)>>,
    /// Seconds at nodes with reserves in which somebody without one waited all the time, of all.
    pub open_windows: (u32, u32),
    /// What did not hold; empty is good.
    pub violations: Vec<Violation>,
}
