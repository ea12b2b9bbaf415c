//! Everybody but the seed starts with a magnet link.

use super::{leecher, link, plan, seconds, seed};
use crate::plan::{Behaviour, NodeSpec, Plan, Start};
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;

pub(super) const MAGNET: Scenario = Scenario {
    name: "magnet",
    about: "metadata comes from peers (BEP 9), then the content, though some peers have neither",
    plan: Build::Swarm(build),
    judge: |_| Ok(()),
    planted: NodeId(1),
};

fn build(rng: &mut Rng) -> Plan {
    let mut nodes = vec![seed(link(1_000, 1_000, 20))];
    nodes.extend((0..8).map(|_| NodeSpec {
        start: Start::Magnet,
        ..leecher(link(500, 2_000, 10 + rng.below(30)))
    }));
    nodes.push(NodeSpec { behaviour: Behaviour::SlowLoris, ..seed(link(500, 1_000, 20)) });
    let mut plan = plan(nodes, seconds(90));
    plan.metadata_bytes = 100_000 + rng.below(50_000) as usize;
    plan
}
