//! One optimistic slot goes round.

use super::{leecher, link, plan, seconds, seed};
use crate::plan::{Finds, Goal, NodeSpec, Plan, Start};
use crate::report::Report;
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;
use std::time::Duration;

pub(crate) const OPTIMISTIC_TURNS: Scenario = Scenario {
    name: "optimistic_turns",
    about: "in 1,800 s one optimistic slot serves each of 20 peers for 90 s (libtorrent's test)",
    plan: Build::Swarm(build),
    judge: evenly,
    planted: NodeId(0),
};

const PEERS: u32 = 20;
const RUN: u64 = 1_800;

/// Far from the mean a turn is unfair; the first turns begin when peers connect, not with a round.
const SLACK: Duration = Duration::from_millis(1_500);

fn build(rng: &mut Rng) -> Plan {
    // The seed is so slow that nobody completes; the others know only the seed.
    let mut nodes =
        vec![NodeSpec { slots: Some(1), finds: Finds::Nobody, ..seed(link(2, 1_000, 20)) }];
    nodes[0].exchanges_peers = false;
    nodes.extend((0..PEERS).map(|_| NodeSpec {
        start: Start::Empty,
        finds: Finds::Given(NodeId(0)),
        ..leecher(link(10, 1_000, 10 + rng.below(10)))
    }));
    let mut plan = plan(nodes, seconds(RUN));
    plan.goal = Goal::RunOn;
    plan
}

fn evenly(report: &Report) -> Result<(), String> {
    let by_seed = report.served.iter().filter(|(node, ..)| *node == NodeId(0));
    let served: Vec<_> = by_seed.map(|(_, peer, time)| (*peer, *time)).collect();
    if served.len() != PEERS as usize {
        return Err(format!("{} peers are connected to the seed, not {PEERS}", served.len()));
    }
    let sum: Duration = served.iter().map(|(_, time)| *time).sum();
    let mean = sum / PEERS;
    match served.iter().find(|(_, time)| time.abs_diff(mean) > SLACK) {
        Some((peer, time)) => {
            Err(format!("node {} was served for {time:?}, {mean:?} is the mean", peer.0))
        }
        None => Ok(()),
    }
}
