//! Somebody watches while it downloads.

use super::{CONTENT_BYTES, PIECE_BYTES, PIECES, leecher, link, plan, seconds, seed};
use crate::plan::{Action, Goal, NodeSpec, Plan};
use crate::report::Report;
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_swarm::StreamWindow;
use piecework_types::{Rng, Time};

pub(super) const STREAMING: Scenario = Scenario {
    name: "streaming",
    about: "each piece is there before the player needs it, though the peers are slow and uneven",
    plan: Build::Swarm(build),
    judge: in_time,
    planted: NodeId(0),
};

const BITRATE: u64 = 100_000;

/// The player starts after this, as one that has filled its buffer would.
const BUFFERED_MICROS: u64 = 10_000_000;

/// Their upload together is several times the bitrate. With three of them, eight leechers share less than
/// the player needs before anybody has a piece to trade, and no order of asking could help.
const SEEDS: usize = 8;

fn build(rng: &mut Rng) -> Plan {
    let window = |position| StreamWindow { position, bitrate_bytes: BITRATE };
    let mut nodes = vec![NodeSpec { stream: Some(window(0)), ..leecher(link(200, 2_000, 20)) }];
    nodes.extend((0..SEEDS).map(|_| seed(link(60 + rng.below(60), 1_000, 10 + rng.below(60)))));
    nodes.extend((0..6).map(|_| leecher(link(60 + rng.below(60), 2_000, 10 + rng.below(60)))));
    let mut plan = plan(nodes, seconds(CONTENT_BYTES / BITRATE + 10));
    plan.goal = Goal::RunOn;
    for second in 0..CONTENT_BYTES / BITRATE {
        let at = Time::from_micros(BUFFERED_MICROS + second * 1_000_000);
        plan.actions.push((at, Action::Play(NodeId(0), window(second * BITRATE))));
    }
    plan
}

fn in_time(report: &Report) -> Result<(), String> {
    for piece in 0..PIECES {
        let played = u64::from(piece) * u64::from(PIECE_BYTES) * 1_000_000 / BITRATE;
        let due = Time::from_micros(BUFFERED_MICROS + played);
        let verified = report.verified[0][piece as usize];
        if verified > due {
            let late = verified.since(due).as_millis();
            return Err(format!("piece {piece} came {late} ms late"));
        }
    }
    Ok(())
}
