//! 500 DHT nodes of which a tenth has died unnoticed: how far it is to a torrent's first peer.

use crate::dht::{DhtAction, DhtPlan, DhtReport};
use crate::report::Report;
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::{Rng, Time};
use std::time::Duration;

pub(crate) const DHT: Scenario = Scenario {
    name: "dht",
    about: "in a DHT of 500 nodes with a tenth dead, a first peer is a few round trips away",
    plan: Build::Dht(build),
    judge,
    planted: NodeId(7),
};

pub(super) const NODES: usize = 500;
const DEAD: usize = NODES / 10;
const TORRENTS: usize = 20;
const PEERS: usize = 3;
const LOOKUPS: usize = 100;
/// Nodes come within this time.
pub(super) const COMING: Duration = Duration::from_secs(120);

pub(super) fn at(seconds: u64) -> Time {
    Time::ZERO + Duration::from_secs(seconds)
}

fn build(rng: &mut Rng) -> DhtPlan {
    let mut plan = DhtPlan::open(NODES, COMING, rng);
    plan.add_torrents(TORRENTS, rng);
    let mut numbers: Vec<u32> = (1..NODES as u32).collect();
    rng.shuffle(&mut numbers);
    let (dead, alive) = numbers.split_at(DEAD);
    // They die between the last announce and the first lookup: nobody has noticed.
    for number in dead {
        plan.nodes[*number as usize].leaves = Some(at(660));
    }
    for (index, node) in alive.iter().take(TORRENTS * PEERS).enumerate() {
        let (node, torrent) = (*node, (index % TORRENTS) as u32);
        plan.act(
            at(600) + Duration::from_millis(500) * index as u32,
            DhtAction::Announce { node, torrent },
        );
    }
    for index in 0..LOOKUPS {
        // Those who look have announced nothing.
        let node = alive[TORRENTS * PEERS + index];
        let torrent = rng.below(TORRENTS as u64) as u32;
        plan.act(
            at(661) + Duration::from_millis(300) * index as u32,
            DhtAction::LookUp { node, torrent },
        );
    }
    plan.ends = at(661 + 30 + 20);
    plan
}

/// The lookups of a run.
pub(super) fn lookups(report: &Report, count: usize) -> Result<&DhtReport, String> {
    let dht = report.dht.as_ref().ok_or("a DHT has a report of its own")?;
    let ended = dht.lookups.iter().filter(|record| record.took.is_some()).count();
    if ended < count {
        return Err(format!("{ended} of {count} lookups have ended"));
    }
    Ok(dht)
}

/// Fails unless so many of a hundred lookups need so many round trips at most.
pub(super) fn within(dht: &DhtReport, percent: usize, rounds_max: u32) -> Result<(), String> {
    let rounds = dht.percentile(percent, |record| record.rounds);
    if rounds > rounds_max {
        return Err(format!("{rounds} round trips at {percent} %, {rounds_max} are allowed"));
    }
    Ok(())
}

fn judge(report: &Report) -> Result<(), String> {
    let dht = lookups(report, LOOKUPS)?;
    within(dht, 50, 5)?;
    within(dht, 99, 10)?;
    let queries = dht.percentile(100, |record| Some(record.queries));
    if queries > 60 { Err(format!("a lookup of {queries} queries")) } else { Ok(()) }
}
