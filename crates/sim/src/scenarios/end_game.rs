//! The last blocks are asked of a peer that is too slow for them.

use super::{leecher, link, plan, seconds, seed};
use crate::plan::Plan;
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;

pub(crate) const END_GAME: Scenario = Scenario {
    name: "end_game",
    about: "the last blocks are not left to the slowest peer, and duplicates are cancelled",
    plan: Build::Swarm(build),
    judge: |_| Ok(()),
    planted: NodeId(0),
};

fn build(rng: &mut Rng) -> Plan {
    let mut nodes = vec![leecher(link(500, 5_000, 20))];
    for up_kb in [900, 600, 60, 20, 10] {
        nodes.push(seed(link(up_kb + rng.below(10), 1_000, 10 + rng.below(30))));
    }
    // 4 MiB at 1.5 MB/s; one block of the slowest seed alone takes 1.6 s, its pipeline four times that.
    plan(nodes, seconds(12))
}
