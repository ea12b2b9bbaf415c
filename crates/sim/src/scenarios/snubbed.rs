//! Most peers promise everything and deliver nothing.

use super::{leecher, link, plan, seconds, seed};
use crate::plan::{Behaviour, NodeSpec, Plan};
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;

pub(super) const SNUBBED: Scenario = Scenario {
    name: "snubbed",
    about: "blocks asked of peers that never send them are asked of others",
    plan: Build::Swarm(build),
    judge: |_| Ok(()),
    planted: NodeId(0),
};

fn build(rng: &mut Rng) -> Plan {
    let mut nodes = vec![leecher(link(500, 2_000, 20)), leecher(link(500, 2_000, 20))];
    nodes.push(seed(link(500, 1_000, 10 + rng.below(30))));
    for behaviour in [
        Behaviour::FalseBitfield,
        Behaviour::FalseBitfield,
        Behaviour::SlowLoris,
        Behaviour::SlowLoris,
        Behaviour::NeverUnchokes,
    ] {
        nodes.push(NodeSpec { behaviour, ..seed(link(500, 1_000, 10 + rng.below(30))) });
    }
    plan(nodes, seconds(90))
}
