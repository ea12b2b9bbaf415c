//! A seed keeps parts of its limited uplink for two peers; eight others are served as ever.

use super::{CONTENT_BYTES, leecher, link, plan, seconds, seed};
use crate::checkers::{ReserveSpec, UploadLimit};
use crate::plan::{NodeSpec, Plan};
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;

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

const LIMIT: UploadLimit = UploadLimit { rate_bytes: 1_000_000, burst_bytes: 250_000 };
const FAST: u64 = 450_000;
const MEDIUM: u64 = 250_000;

fn build(rng: &mut Rng) -> Plan {
    let reserves = [(1, FAST), (2, MEDIUM)].map(|(peer, rate)| ReserveSpec {
        peer: NodeId(peer),
        rate,
        until: CONTENT_BYTES * 2,
    });
    let limit = Some(LIMIT);
    let keeper = NodeSpec { limit, reserves: reserves.to_vec(), ..seed(link(5_000, 5_000, 20)) };
    let mut nodes = vec![keeper];
    // They give next to nothing, so that all wait for the seed to the end.
    nodes.extend((0..10).map(|_| leecher(link(4, 4_000, 10 + rng.below(30)))));
    plan(nodes, seconds(12 * CONTENT_BYTES / LIMIT.rate_bytes))
}
