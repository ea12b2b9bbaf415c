//! A seed keeps parts of its limited uplink for two peers; eight others are served as ever, or come later.

use super::{CONTENT_BYTES, leecher, link, plan, seconds, seed};
use crate::checkers::{ReserveSpec, UploadLimit};
use crate::plan::{NodeSpec, Plan};
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::{Rng, Time};

pub(crate) const RESERVES: Scenario = Scenario {
    name: "reserves",
    about: "a reserve gets its rate, the others their share, and nothing idles",
    plan: Build::Swarm(build),
    judge: |report| {
        let finished = |node: usize| report.finished.get(node).copied().flatten();
        let (Some(fast), Some(medium)) = (finished(1), finished(2)) else {
            return Err("a peer with a reserve did not finish".to_owned());
        };
        let slowest = (3..report.finished.len()).filter_map(finished).max();
        if slowest.is_some_and(|slowest| slowest < fast) {
            return Err("a reserve was of no use".to_owned());
        }
        // Others give them pieces too, so they may be sooner than their rate alone.
        let most = CONTENT_BYTES * 1_000_000 / FAST * 11 / 10 + 5_000_000;
        if fast.as_micros() > most || medium.as_micros() < fast.as_micros() / 2 {
            return Err(format!("finished after {fast:?} and {medium:?}"));
        }
        let (counted, all) = report.open_windows;
        if counted * 10 < all * 8 {
            return Err(format!("only {counted} of {all} seconds had somebody waiting"));
        }
        Ok(())
    },
    planted: NodeId(0),
};

/// While nobody else is there, one of the two may have all that the other leaves.
pub(crate) const SPARE: Scenario = Scenario {
    name: "spare",
    about: "what nobody else wants goes to a reserve, and is given back at once",
    plan: Build::Swarm(|rng| {
        let mut plan = build(rng);
        plan.nodes[0].reserves[0].most = LIMIT.rate_bytes * 4;
        plan.nodes[3..].iter_mut().for_each(|node| node.joins_at = seconds(OTHERS_JOIN));
        plan.deadline = plan.deadline.max(seconds(OTHERS_JOIN)) + plan.deadline.since(Time::ZERO);
        plan
    }),
    judge: |report| {
        let Some(fast) = report.finished.get(1).copied().flatten() else {
            return Err("a peer with a reserve did not finish".to_owned());
        };
        // Three quarters, as the other has its rate alone, until others come; a second to begin with.
        let before = (LIMIT.rate_bytes - MEDIUM) * (OTHERS_JOIN - 1);
        let most = OTHERS_JOIN * 1_000_000 + (CONTENT_BYTES - before) * 1_000_000 / FAST;
        if fast.as_micros() > most {
            return Err(format!("finished after {fast:?}, {most} us were enough"));
        }
        Ok(())
    },
    planted: NodeId(0),
};

/// Seconds after which those without a reserve come: the fast one is at work then.
const OTHERS_JOIN: u64 = 4;

const LIMIT: UploadLimit = UploadLimit { rate_bytes: 1_000_000, burst_bytes: 250_000 };
const FAST: u64 = 450_000;
const MEDIUM: u64 = 250_000;

fn build(rng: &mut Rng) -> Plan {
    let reserves = [(1, FAST), (2, MEDIUM)].map(|(peer, rate)| ReserveSpec {
        peer: NodeId(peer),
        rate,
        most: rate,
        until: CONTENT_BYTES * 2,
    });
    let limit = Some(LIMIT);
    let keeper = NodeSpec { limit, reserves: reserves.to_vec(), ..seed(link(5_000, 5_000, 20)) };
    let mut nodes = vec![keeper];
    // They give next to nothing, so that all wait for the seed to the end.
    nodes.extend((0..10).map(|_| leecher(link(4, 4_000, 10 + rng.below(30)))));
    plan(nodes, seconds(12 * CONTENT_BYTES / LIMIT.rate_bytes))
}
