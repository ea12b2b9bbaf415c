//! Peers that tell of thousands of others who do not exist.

use super::{leecher, link, plan, seconds, seed};
use crate::plan::{Behaviour, Goal, NodeSpec, Plan};
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;

pub(crate) const EXCHANGE_STORM: Scenario = Scenario {
    name: "exchange-storm",
    about: "liars send invented peers by the thousand, some in haste, some with patience",
    plan: Build::Swarm(build),
    judge: |_| Ok(()),
    planted: NodeId(1),
};

/// Turns between messages: two that flood, one at the edge of what is heard, one that keeps the rules.
const LIARS: [u32; 4] = [1, 1, 41, 130];

fn build(rng: &mut Rng) -> Plan {
    let mut nodes = vec![seed(link(100, 1_000, 20))];
    nodes.extend((0..7).map(|_| leecher(link(300, 2_000, 10 + rng.below(30)))));
    nodes.extend(LIARS.into_iter().map(|turns| NodeSpec {
        behaviour: Behaviour::FalseGossip { turns },
        ..leecher(link(1_000, 1_000, 20))
    }));
    let mut plan = plan(nodes, seconds(300));
    plan.goal = Goal::FinishAndStay;
    plan
}
