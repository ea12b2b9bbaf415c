//! A disk is full for a while.

use super::{leecher, link, plan, seconds, seed};
use crate::disk::DiskFaults;
use crate::plan::{NodeSpec, Plan};
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;
use std::time::Duration;

pub(super) const FULL_DISK: Scenario = Scenario {
    name: "full_disk",
    about: "a peer whose disk is full stops asking, keeps serving, and goes on when there is room",
    plan: Build::Swarm(build),
    judge: |report| {
        let (full, other) = (report.finished[1], report.finished[2]);
        (full > other).then_some(()).ok_or_else(|| "the full disk did not hold up anything".into())
    },
    planted: NodeId(1),
};

fn build(rng: &mut Rng) -> Plan {
    let full = DiskFaults {
        full_after: Some(1_000_000 + rng.below(1_000_000)),
        full_for: Duration::from_secs(20),
        ..DiskFaults::default()
    };
    let mut nodes = vec![seed(link(1_000, 1_000, 20))];
    nodes.push(NodeSpec { disk: full, ..leecher(link(500, 2_000, 20)) });
    nodes.extend((0..3).map(|_| leecher(link(500, 2_000, 10 + rng.below(30)))));
    plan(nodes, seconds(90))
}
