//! 500 DHT nodes of which a tenth means harm: Sybils at the torrents, poisoned and forged answers, tokens
//! used again, floods in a victim's name.

use super::dht::{COMING, NODES, at, lookups, within};
use crate::dht::{DhtAction, DhtPlan, Hostility, NodeKind};
use crate::report::Report;
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::Rng;
use std::net::Ipv4Addr;
use std::time::Duration;

pub(crate) const DHT_HOSTILE: Scenario = Scenario {
    name: "dht_hostile",
    about: "a tenth of a DHT that means harm neither hides torrents nor makes the others do harm",
    plan: Build::Dht(build),
    judge,
    planted: NodeId(7),
};

const TORRENTS: usize = 4;
const LOOKUPS: usize = 60;
/// Of each 50 hostile nodes.
const SYBILS: usize = 16;
const POISONERS: usize = 16;
const REPLAYERS: usize = 4;
const FLOODERS: usize = 8;
const HOSTILE: usize = NODES / 10;
/// Networks of the Sybils of one torrent: addresses are what they have least of.
const SYBIL_NETWORKS: usize = 2;

fn build(rng: &mut Rng) -> DhtPlan {
    let mut plan = DhtPlan::open(NODES, COMING, rng);
    plan.add_torrents(TORRENTS, rng);
    let first = NODES - HOSTILE;
    for index in 0..HOSTILE {
        let hostility = match index {
            _ if index < SYBILS => Hostility::Sybil { torrent: (index % TORRENTS) as u32 },
            _ if index < SYBILS + POISONERS => Hostility::Poisoner,
            _ if index < SYBILS + POISONERS + REPLAYERS => Hostility::Replayer,
            _ if index < SYBILS + POISONERS + REPLAYERS + FLOODERS => Hostility::Flooder,
            _ => Hostility::Forger,
        };
        let node = &mut plan.nodes[first + index];
        node.kind = NodeKind::Hostile(hostility);
        // They come among the others, some before most.
        let coming = Duration::from_millis(rng.below(COMING.as_millis() as u64));
        node.joins = if hostility == Hostility::Flooder { at(790) } else { at(1) + coming };
        if matches!(hostility, Hostility::Sybil { .. }) {
            let network = (index % (TORRENTS * SYBIL_NETWORKS)) as u8;
            node.ip = Ipv4Addr::new(103, 1, network, 1 + index as u8).into();
        }
    }
    let mut honest: Vec<u32> = (1..first as u32).filter(|number| *number != 7).collect();
    rng.shuffle(&mut honest);
    // The node that gets bugs planted looks too.
    let (announcers, askers) = honest.split_at(TORRENTS * 3);
    let askers = std::iter::once(7).chain(askers.iter().copied());
    for (index, node) in announcers.iter().enumerate() {
        let (node, torrent) = (*node, (index % TORRENTS) as u32);
        plan.act(at(600 + index as u64 * 2), DhtAction::Announce { node, torrent });
    }
    for (index, node) in askers.take(LOOKUPS).enumerate() {
        let torrent = (index % TORRENTS) as u32;
        let when = at(760) + Duration::from_secs(1) * index as u32;
        plan.act(when, DhtAction::LookUp { node, torrent });
    }
    plan.ends = at(845);
    plan
}

fn judge(report: &Report) -> Result<(), String> {
    let dht = lookups(report, LOOKUPS)?;
    within(dht, 50, 5)?;
    within(dht, 95, 10)?;
    // Hostile nodes are a tenth of all, and ask a hundred times more than others.
    let share = 100.0 * f64::from(dht.hostile_contacts) / f64::from(dht.contacts.max(1));
    if share > 15.0 {
        return Err(format!("{share:.1} % of the tables are hostile"));
    }
    Ok(())
}
