//! The seed goes as soon as the others together hold one copy.

use super::{CONTENT_BYTES, leecher, link, plan, seconds, seed};
use crate::plan::{Action, Plan};
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;

pub(super) const SEED_LEAVES: Scenario = Scenario {
    name: "seed_leaves",
    about: "after the only seed has gone its peers complete each other",
    plan: Build::Swarm(build),
    judge: |report| {
        let (sent, most) = (report.uploaded[0], CONTENT_BYTES * 5 / 2);
        (sent <= most)
            .then_some(())
            .ok_or_else(|| format!("the seed sent {sent} bytes, not {most}"))
    },
    planted: NodeId(1),
};

fn build(rng: &mut Rng) -> Plan {
    let mut nodes = vec![seed(link(500, 1_000, 20))];
    nodes.extend((0..15).map(|_| leecher(link(500, 2_000, 10 + rng.below(30)))));
    let mut plan = plan(nodes, seconds(120));
    plan.actions.push((seconds(1), Action::LeaveOnceSpread(NodeId(0))));
    plan
}
