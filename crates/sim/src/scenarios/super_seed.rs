//! The first seed gives each piece away about once (BEP 16).

use super::{CONTENT_BYTES, leecher, link, plan, seconds, seed};
use crate::plan::{NodeSpec, Plan};
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;

pub(super) const SUPER_SEED: Scenario = Scenario {
    name: "super_seed",
    about: "a super seed sends little more than one copy until others can go on",
    plan: Build::Swarm(build),
    judge: |report| {
        let (sent, most) = (report.uploaded[0], CONTENT_BYTES * 3 / 2);
        (sent <= most)
            .then_some(())
            .ok_or_else(|| format!("the seed sent {sent} bytes, not {most}"))
    },
    planted: NodeId(1),
};

fn build(rng: &mut Rng) -> Plan {
    let mut nodes = vec![NodeSpec { super_seed: true, ..seed(link(300, 1_000, 20)) }];
    nodes.extend((0..10).map(|_| leecher(link(600, 2_000, 10 + rng.below(30)))));
    plan(nodes, seconds(120))
}
