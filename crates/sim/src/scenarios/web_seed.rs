//! HTTP servers beside slow peers: an honest one, one that lies, one that stalls.

use super::{CONTENT_BYTES, leecher, link, plan, seconds, seed};
use crate::plan::{NodeSpec, Plan, WebSeedKind, WebSeedSpec};
use crate::report::Report;
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;

pub(super) const WEB_SEED: Scenario = Scenario {
    name: "web_seed",
    about: "a web seed gives most of what slow peers cannot, and little twice",
    plan: Build::Swarm(|rng| build(rng, &[WebSeedKind::Honest])),
    judge: |report| {
        kept(report)?;
        let sent = report.web_bytes[0][0];
        // Peers give 100 kB/s together and the server 500; what is asked of both is asked in the end game.
        let (least, most) = (CONTENT_BYTES / 2, CONTENT_BYTES);
        let took = report.finished[0].map_or(f64::MAX, |at| at.as_micros() as f64 / 1e6);
        // The server alone takes 8.4 s.
        (sent >= least && sent <= most && took <= 12.0)
            .then_some(())
            .ok_or_else(|| format!("the server sent {sent} bytes in {took} s"))
    },
    planted: NodeId(0),
};

pub(super) const WEB_SEED_LIES: Scenario = Scenario {
    name: "web_seed_lies",
    about: "a web seed that lies is given up, an honest one beside it and the peers are not",
    plan: Build::Swarm(|rng| build(rng, &[WebSeedKind::Lies { one_in: 7 }, WebSeedKind::Honest])),
    judge: |report| {
        let dropped = [(0, "sent bad data".to_owned())];
        (report.web_dropped[0] == dropped)
            .then_some(())
            .ok_or_else(|| format!("given up: {:?}", report.web_dropped))
    },
    planted: NodeId(0),
};

pub(super) const WEB_SEED_STALLS: Scenario = Scenario {
    name: "web_seed_stalls",
    about: "a web seed that stalls holds nobody up for longer than the patience with it",
    plan: Build::Swarm(|rng| build(rng, &[WebSeedKind::Stalls { after: 40 }])),
    judge: |report| {
        kept(report)?;
        // Peers alone take 42 s; at the end they make up for what the server owes.
        let took = report.finished[0].map_or(f64::MAX, |at| at.as_micros() as f64 / 1e6);
        (took <= 60.0).then_some(()).ok_or_else(|| format!("it took {took} s"))
    },
    planted: NodeId(0),
};

/// No web seed was given up.
fn kept(report: &Report) -> Result<(), String> {
    let is_kept = report.web_dropped.iter().all(Vec::is_empty);
    is_kept.then_some(()).ok_or_else(|| format!("given up: {:?}", report.web_dropped))
}

fn build(rng: &mut Rng, kinds: &[WebSeedKind]) -> Plan {
    let servers = kinds.iter().map(|&kind| WebSeedSpec { rate_bytes: 500_000, kind });
    let web_seeds = servers.collect();
    let mut nodes = vec![NodeSpec { web_seeds, ..leecher(link(500, 2_000, 10 + rng.below(30))) }];
    nodes.extend((0..4).map(|_| seed(link(25, 1_000, 10 + rng.below(30)))));
    plan(nodes, seconds(200))
}
