//! The seed goes as soon as the swarm holds more than one copy.

use super::{CONTENT_BYTES, leecher, link, plan, seconds, seed};
use crate::plan::{Action, Plan};
use crate::scenario::Scenario;
use crate::seen::NodeId;
use piecework_types::{Rng, Time};

pub(super) const SEED_LEAVES: Scenario = Scenario {
    name: "seed_leaves",
    about: "after the only seed has gone its peers complete each other",
    plan: build,
    judge: |_| Ok(()),
    planted: NodeId(1),
};

const SEED_BYTES: u64 = 500_000;

fn build(rng: &mut Rng) -> Plan {
    let mut nodes = vec![seed(link(SEED_BYTES / 1_000, 1_000, 20))];
    nodes.extend((0..15).map(|_| leecher(link(500, 2_000, 10 + rng.below(30)))));
    let mut plan = plan(nodes, seconds(120));
    // Two copies' worth of its uplink, and a second to get going.
    let leaves = Time::from_micros(1_000_000 + 2 * CONTENT_BYTES * 1_000_000 / SEED_BYTES);
    plan.actions.push((leaves, Action::Leave(NodeId(0))));
    plan
}
