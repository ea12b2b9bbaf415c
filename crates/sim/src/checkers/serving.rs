//! What may be sent to whom, and what becomes of every chunk.

use super::Checker;
use crate::facts::Facts;
use crate::seen::{Scene, Seen};
use piecework_wire::Message;
use std::collections::BTreeSet;

/// Requests we announce to queue for one peer.
const QUEUE_MAX: usize = 2_000;

/// A peer is unchoked only once it is interested.
pub(super) struct Interest;

impl Checker for Interest {
    const NAME: &'static str = "unchoke only after interest";

    fn see(&mut self, facts: &Facts, _: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::Sent { end, message: Message::Unchoke } = seen else {
            return Ok(());
        };
        match facts.end(*end) {
            Some(end) if !end.peer_interested => {
                Err(format!("unchokes node {}, which is not interested", end.peer.0))
            }
            _ => Ok(()),
        }
    }
}

/// A block is sent only if it is verified, was asked for, and its peer is not choked; the queue of
/// what a peer asks is bounded.
pub(super) struct Service;

impl Checker for Service {
    const NAME: &'static str = "only what was asked and is held is sent";

    fn see(&mut self, facts: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::BlockSent { end, block } => {
                let request = Facts::request_of(*block);
                let Some(end) = facts.end(*end) else {
                    return Ok(());
                };
                if !facts.is_verified(scene.node, request.piece) {
                    return Err(format!("sends {request:?}, which it does not have"));
                }
                if !end.wants.contains(&request) {
                    return Err(format!("sends {request:?}, which node {} wants not", end.peer.0));
                }
                if end.choking && !end.allowing.contains(&request.piece) {
                    return Err(format!("sends {request:?} to node {}, choked", end.peer.0));
                }
                Ok(())
            }
            Seen::Settled => {
                let ends = facts.node(scene.node).ends.iter().filter_map(|end| facts.end(*end));
                match ends.map(|end| end.wants.len()).max() {
                    Some(queued) if queued > QUEUE_MAX => Err(format!(
                        "{queued} requests of one peer are neither served nor rejected"
                    )),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

/// No block is sent without room for it.
pub(super) struct Room;

impl Checker for Room {
    const NAME: &'static str = "blocks wait for room";

    fn see(&mut self, facts: &Facts, _: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::BlockSent { end, block } = seen else {
            return Ok(());
        };
        match facts.end(*end) {
            Some(end) if end.room < u64::from(block.length) => {
                Err(format!("sends {} bytes with room for {}", block.length, end.room))
            }
            _ => Ok(()),
        }
    }
}

/// Every chunk is stored or returned, exactly once, before the machine has settled.
#[derive(Default)]
pub(super) struct Chunks {
    out: BTreeSet<u32>,
}

impl Checker for Chunks {
    const NAME: &'static str = "every chunk is stored or returned";

    fn see(&mut self, facts: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::BlockReceived { chunk, .. } | Seen::WebBlock { chunk, .. } => {
                self.out.insert(*chunk);
                Ok(())
            }
            Seen::Stored { chunk, block, .. } => {
                let request = Facts::request_of(*block);
                if !self.out.remove(chunk) {
                    return Err(format!("stores chunk {chunk}, which it does not own"));
                }
                if facts.is_stored(scene.node, &request) {
                    return Err(format!("stores {request:?} twice"));
                }
                Ok(())
            }
            Seen::Discarded { chunk } if !self.out.remove(chunk) => {
                Err(format!("returns chunk {chunk}, which it does not own"))
            }
            Seen::Settled if !self.out.is_empty() => {
                let lost = self.out.len();
                self.out.clear();
                Err(format!("{lost} chunks are neither stored nor returned"))
            }
            _ => Ok(()),
        }
    }
}
