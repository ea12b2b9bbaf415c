//! Forty peers want the same thing from one seed at once.

use super::{leecher, link, plan, seconds, seed};
use crate::plan::{NodeSpec, Plan};
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::{Rng, Time};

pub(super) const FLASH_CROWD: Scenario = Scenario {
    name: "flash_crowd",
    about: "40 peers that join within two seconds serve each other instead of queueing at the seed",
    plan: Build::Swarm(build),
    // One after the other at the seed would take 40 * 4 MiB / (1 MB/s) = 168 s.
    judge: |_| Ok(()),
    planted: NodeId(1),
};

fn build(rng: &mut Rng) -> Plan {
    let mut nodes = vec![seed(link(1_000, 1_000, 20))];
    nodes.extend((0..40).map(|_| NodeSpec {
        joins_at: Time::from_micros(rng.below(2_000_000)),
        ..leecher(link(1_000, 4_000, 10 + rng.below(30)))
    }));
    plan(nodes, seconds(60))
}
