//! A disk damages what is written to it, and another one is slow.

use super::{leecher, link, plan, seconds, seed};
use crate::disk::DiskFaults;
use crate::plan::{NodeSpec, Plan};
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;
use std::time::Duration;

pub(super) const DAMAGED_DISK: Scenario = Scenario {
    name: "damaged_disk",
    about: "damaged pieces are fetched again; a slow disk only takes longer",
    plan: Build::Swarm(build),
    judge: |_| Ok(()),
    planted: NodeId(2),
};

fn build(rng: &mut Rng) -> Plan {
    let damaged = DiskFaults {
        corrupt_after: Some(20 + rng.below(100)),
        corrupt_count: 2,
        ..DiskFaults::default()
    };
    let slow = DiskFaults {
        read_delay: Duration::from_millis(100),
        write_delay: Duration::from_millis(500),
        ..DiskFaults::default()
    };
    let mut nodes = vec![NodeSpec { disk: slow, ..seed(link(1_000, 1_000, 20)) }];
    nodes.push(NodeSpec { disk: damaged, ..leecher(link(500, 2_000, 20)) });
    nodes.extend((0..5).map(|_| leecher(link(500, 2_000, 10 + rng.below(30)))));
    plan(nodes, seconds(120))
}
