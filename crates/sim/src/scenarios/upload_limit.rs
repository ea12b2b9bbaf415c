//! A seed whose user allows it 200 kB/s on a link of 5 MB/s.

use super::{CONTENT_BYTES, leecher, link, plan, seconds, seed};
use crate::checkers::UploadLimit;
use crate::plan::{NodeSpec, Plan};
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;

pub(crate) const UPLOAD_LIMIT: Scenario = Scenario {
    name: "upload_limit",
    about: "a limit is kept, and used up",
    plan: Build::Swarm(build),
    judge: |report| {
        let elapsed = report.ended_at.as_micros();
        let could = LIMIT.rate_bytes * elapsed / 1_000_000;
        let sent = report.uploaded[0];
        (sent >= could * 9 / 10)
            .then_some(())
            .ok_or_else(|| format!("the seed sent {sent} bytes where {could} are allowed"))
    },
    planted: NodeId(0),
};

const LIMIT: UploadLimit = UploadLimit { rate_bytes: 200_000, burst_bytes: 50_000 };

fn build(rng: &mut Rng) -> Plan {
    let mut nodes = vec![NodeSpec { limit: Some(LIMIT), ..seed(link(5_000, 5_000, 20)) }];
    // So slow themselves that the seed is wanted to the end.
    nodes.extend((0..4).map(|_| leecher(link(10, 2_000, 10 + rng.below(30)))));
    plan(nodes, seconds(5 * CONTENT_BYTES / LIMIT.rate_bytes))
}
