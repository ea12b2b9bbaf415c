//! All know one peer only, and find each other through it.

use super::{leecher, link, plan, seconds, seed};
use crate::plan::{Finds, Goal, NodeSpec, Plan};
use crate::report::Report;
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::{Rng, Time};
use std::collections::BTreeSet;

pub(super) const EXCHANGE: Scenario = Scenario {
    name: "exchange",
    about: "twelve peers that know one seed alone find each other by peer exchange (BEP 11)",
    plan: Build::Swarm(build),
    judge,
    planted: NodeId(1),
};

const NODES: u32 = 12;

fn build(rng: &mut Rng) -> Plan {
    // The seed is so slow that nobody has finished when the second messages go round.
    let mut nodes = vec![NodeSpec { finds: Finds::Nobody, ..seed(link(40, 1_000, 20)) }];
    nodes.extend((1..NODES).map(|_| NodeSpec {
        finds: Finds::Given(NodeId(0)),
        joins_at: Time::from_micros(rng.below(20_000_000)),
        ..leecher(link(500, 2_000, 10 + rng.below(30)))
    }));
    let mut plan = plan(nodes, seconds(400));
    plan.goal = Goal::FinishAndStay;
    plan
}

fn judge(report: &Report) -> Result<(), String> {
    let met: BTreeSet<(NodeId, NodeId)> =
        report.served.iter().map(|(node, peer, _)| (*node, *peer)).collect();
    let pairs = (0..NODES).flat_map(|a| (0..a).map(move |b| (NodeId(a), NodeId(b))));
    let strangers: Vec<_> = pairs.filter(|pair| !met.contains(pair)).collect();
    if strangers.is_empty() {
        return Ok(());
    }
    Err(format!("{} pairs never met, such as {:?}", strangers.len(), strangers[0]))
}
