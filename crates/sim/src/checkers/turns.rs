//! Nobody who is interested is choked for ever.

use super::{Checker, Expected};
use crate::facts::Facts;
use crate::seen::{Scene, Seen};
use piecework_wire::Message;
use std::time::Duration;

/// An optimistic turn (BEP 3), and how much longer than a fair wait is still no violation.
const TURN: Duration = Duration::from_secs(30);
const SLACK_TURNS: u32 = 3;

/// Each interested peer gets its optimistic turn: none waits longer than all others together take,
/// half as much again, and three turns.
pub(super) struct Turns {
    slots: Vec<u32>,
}

impl Turns {
    pub(super) fn new(expected: &[Expected]) -> Self {
        Self { slots: expected.iter().map(|expected| expected.optimistic_slots.max(1)).collect() }
    }
}

impl Checker for Turns {
    const NAME: &'static str = "each peer gets its optimistic turn";

    fn see(&mut self, facts: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::Sent { message: Message::Choke | Message::Unchoke, .. } = seen else {
            return Ok(());
        };
        let node = facts.node(scene.node);
        let rivals = node.interested_most as u32 / self.slots[scene.node.0 as usize];
        let most = TURN * (rivals + rivals / 2 + SLACK_TURNS);
        for end in node.ends.iter().filter_map(|end| facts.end(*end)) {
            let waited = end.waits_since.map_or(Duration::ZERO, |since| scene.now.since(since));
            if waited > most {
                let (peer, waited, most) = (end.peer.0, waited.as_secs(), most.as_secs());
                return Err(format!("node {peer} waits for {waited} s, {most} s would be fair"));
            }
        }
        Ok(())
    }
}
