//! What must be taken back.

use super::Checker;
use crate::facts::Facts;
use crate::seen::{EndId, Scene, Seen};
use piecework_wire::{Message, Request};

/// When a block arrives that is asked of others too, they are told before anything else happens.
#[derive(Default)]
pub(super) struct Cancel {
    /// Owed by the node whose machine is being polled.
    owed: Vec<(EndId, Request)>,
}

impl Checker for Cancel {
    const NAME: &'static str = "duplicates are cancelled at once";

    fn see(&mut self, facts: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Stored { end, block, .. } => {
                let request = Facts::request_of(*block);
                if facts.times_asked(scene.node, &request) > 0 {
                    let askers = facts.askers(scene.node, &request, *end);
                    self.owed.extend(askers.map(|(end, _)| (end, request)));
                }
            }
            Seen::Sent { end, message: Message::Cancel(request) } => {
                self.owed.retain(|owed| *owed != (*end, *request));
            }
            Seen::Dropped { end, .. } | Seen::Closed { end } => {
                self.owed.retain(|(owed, _)| owed != end);
            }
            Seen::Settled => {
                // Answers that came in the same batch need no cancel.
                let on_its_way = |(end, request): &(EndId, Request)| {
                    let asked = facts.end(*end).map(|end| &end.asked);
                    asked.is_some_and(|asked| asked.iter().any(|asked| asked.is_live(request)))
                };
                let missing = self.owed.iter().find(|owed| on_its_way(owed)).copied();
                self.owed.clear();
                if let Some((_, request)) = missing {
                    return Err(format!("holds {request:?} but does not cancel the duplicate"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
