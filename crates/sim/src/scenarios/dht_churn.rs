//! 500 DHT nodes that come and go, every fifth behind a router that keeps strangers out.

use super::dht::{COMING, NODES, at, lookups, within};
use crate::dht::{DhtAction, DhtPlan, NodeKind};
use crate::report::Report;
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;
use std::time::Duration;

pub(crate) const DHT_CHURN: Scenario = Scenario {
    name: "dht_churn",
    about: "a DHT whose nodes come and go, some behind routers, keeps its torrents findable",
    plan: Build::Dht(build),
    judge,
    planted: NodeId(7),
};

const TORRENTS: usize = 12;
const LOOKUPS: usize = 60;
/// Every ten seconds of the twenty minutes, so many go and so many come.
const CHANGED: usize = 3;
const CHANGES: usize = 120;

fn build(rng: &mut Rng) -> DhtPlan {
    let mut plan = DhtPlan::open(NODES + CHANGES * CHANGED, COMING, rng);
    plan.add_torrents(TORRENTS, rng);
    plan.loss_ppm = 10_000;
    for (number, node) in plan.nodes.iter_mut().enumerate().skip(1) {
        if number % 5 == 0 {
            node.kind = NodeKind::Natted;
        }
        if let Some(late) = number.checked_sub(NODES) {
            node.joins = at(300) + Duration::from_secs(10) * (late / CHANGED) as u32;
        }
    }
    let mut numbers: Vec<u32> = (1..NODES as u32).collect();
    rng.shuffle(&mut numbers);
    let (going, staying) = numbers.split_at(CHANGES * CHANGED);
    for (index, number) in going.iter().enumerate() {
        let leaves = at(300) + Duration::from_secs(10) * (index / CHANGED) as u32;
        plan.nodes[*number as usize].leaves = Some(leaves);
    }
    let (announcers, askers) = staying.split_at(TORRENTS * 2);
    for round in 0..2 {
        for (index, node) in announcers.iter().enumerate() {
            let (node, torrent) = (*node, (index % TORRENTS) as u32);
            let when = at(250 + round * 600 + index as u64);
            plan.act(when, DhtAction::Announce { node, torrent });
        }
    }
    for (index, node) in askers.iter().take(LOOKUPS).enumerate() {
        let (node, torrent) = (*node, rng.below(TORRENTS as u64) as u32);
        plan.act(at(900 + index as u64 * 10), DhtAction::LookUp { node, torrent });
    }
    plan.actions.sort_by_key(|(at, _)| *at);
    plan.ends = at(1520);
    plan
}

fn judge(report: &Report) -> Result<(), String> {
    let dht = lookups(report, LOOKUPS)?;
    within(dht, 50, 5)?;
    within(dht, 95, 10)
}
