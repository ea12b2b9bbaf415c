//! The everyday swarm: uneven links, loss, churn, three byzantine peers.

use super::{leecher, plan, seconds, seed};
use crate::network::Link;
use crate::plan::{Action, Behaviour, NodeSpec, Plan, Start};
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_types::{Rng, Time};
use std::time::Duration;

pub(crate) const SWARM: Scenario = Scenario {
    name: "swarm",
    about: "21 honest and 3 byzantine peers with churn and loss all finish",
    plan: Build::Swarm(build),
    judge: |_| Ok(()),
    planted: NodeId(2),
};

const SEEDS: u32 = 2;
const HONEST: u32 = 21;

/// The second seed and these leechers leave; the leechers come back.
const LEAVERS: [u32; 3] = [5, 9, 13];

fn build(rng: &mut Rng) -> Plan {
    let mut nodes: Vec<NodeSpec> = (0..HONEST).map(|node| honest(node, rng)).collect();
    for behaviour in byzantine(rng) {
        let start = if behaviour == Behaviour::NeverUnchokes { Start::Empty } else { Start::Seed };
        let mut node = NodeSpec::new(random_link(rng), start);
        node.behaviour = behaviour;
        node.joins_at = moment(rng, 0, 1_000);
        nodes.push(node);
    }
    for node in &mut nodes {
        node.connections_max = 12;
    }
    let mut plan = plan(nodes, seconds(400));
    plan.actions.push((moment(rng, 6_000, 10_000), Action::Leave(NodeId(1))));
    for leaver in LEAVERS {
        let leaves = moment(rng, 1_000, 6_000);
        plan.actions.push((leaves, Action::Leave(NodeId(leaver))));
        let comes = leaves + Duration::from_millis(500 + rng.below(4_000));
        plan.actions.push((comes, Action::Join(NodeId(leaver))));
    }
    plan
}

fn honest(node: u32, rng: &mut Rng) -> NodeSpec {
    let link = random_link(rng);
    if node < SEEDS {
        return seed(link);
    }
    let mut spec = leecher(link);
    if node.is_multiple_of(5) {
        spec.start = Start::Partial(10 + rng.below(70));
    }
    spec.joins_at = moment(rng, 0, 3_000);
    spec
}

fn byzantine(rng: &mut Rng) -> [Behaviour; 3] {
    let mut rest = [
        Behaviour::FalseBitfield,
        Behaviour::RequestFlood,
        Behaviour::NeverUnchokes,
        Behaviour::SlowLoris,
    ];
    rng.shuffle(&mut rest);
    [Behaviour::BadBlocks { one_in: 5 + rng.below(20) }, rest[0], rest[1]]
}

fn random_link(rng: &mut Rng) -> Link {
    Link {
        up_bytes: 300_000 + rng.below(1_700_000),
        down_bytes: 1_000_000 + rng.below(4_000_000),
        latency: Duration::from_millis(5 + rng.below(40)),
        loss_ppm: rng.below(3_000),
    }
}

fn moment(rng: &mut Rng, from_ms: u64, to_ms: u64) -> Time {
    Time::from_micros((from_ms + rng.below(to_ms - from_ms)) * 1_000)
}
