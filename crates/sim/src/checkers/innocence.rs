//! Who does no wrong is not punished.

use super::{Checker, Expected};
use crate::facts::Facts;
use crate::seen::{Scene, Seen};

/// No honest node bans or blames another honest one.
pub(super) struct Innocence {
    honest: Vec<bool>,
    damaged_disk: Vec<bool>,
}

impl Innocence {
    pub(super) fn new(expected: &[Expected]) -> Self {
        Self {
            honest: expected.iter().map(|expected| expected.honest).collect(),
            damaged_disk: expected.iter().map(|expected| expected.damaged_disk).collect(),
        }
    }
}

impl Checker for Innocence {
    const NAME: &'static str = "no honest peer is blamed";

    fn see(&mut self, facts: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        let (peer, reason) = match seen {
            Seen::Dropped { end, ban, blamed, reason } if *ban || *blamed => {
                let Some(end) = facts.end(*end) else {
                    return Ok(());
                };
                (end.peer.0 as usize, *reason)
            }
            Seen::WebSeedDropped { seed, innocent: true, reason } => {
                return match self.damaged_disk[scene.node.0 as usize] {
                    true => Ok(()),
                    false => Err(format!("gives up web seed {seed}, which is honest: {reason}")),
                };
            }
            Seen::Banned { peer } => (peer.0 as usize, "bad blocks"),
            _ => return Ok(()),
        };
        // A node with a damaged disk may blame others and serve damaged blocks.
        let innocent = self.honest[peer] && !self.damaged_disk[peer];
        if innocent && !self.damaged_disk[scene.node.0 as usize] {
            return Err(format!("drops node {peer}, which is honest: {reason}"));
        }
        Ok(())
    }
}
