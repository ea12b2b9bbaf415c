//! The only seed is ten times slower than everybody else.

use super::{CONTENT_BYTES, leecher, link, plan, seconds, seed};
use crate::plan::Plan;
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;

pub(super) const SLOW_SEED: Scenario = Scenario {
    name: "slow_seed",
    about: "rarest first spreads each piece of a slow seed at once: nobody asks it twice for long",
    plan: Build::Swarm(build),
    judge: |report| {
        let sent = report.uploaded[0];
        // Of 2,000 seeds the median is 1.53 copies and the most 1.84. Whoever chooses at random makes the
        // seed send 1.91 at least and 2.7 in the mean.
        let most = CONTENT_BYTES * 15 / 8;
        (sent <= most)
            .then_some(())
            .ok_or_else(|| format!("the seed sent {sent} bytes, not {most}"))
    },
    planted: NodeId(1),
};

const SEED_KB: u64 = 50;

fn build(rng: &mut Rng) -> Plan {
    let mut nodes = vec![seed(link(SEED_KB, 1_000, 30))];
    nodes.extend((0..12).map(|_| leecher(link(500, 2_000, 10 + rng.below(30)))));
    // One copy takes 84 s; the time for three lets the judge see waste.
    plan(nodes, seconds(3 * CONTENT_BYTES / (SEED_KB * 1_000)))
}
