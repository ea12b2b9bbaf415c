//! What may be asked of whom.

use super::{Checker, Expected};
use crate::facts::Facts;
use crate::seen::{Scene, Seen};
use piecework_wire::Message;

/// Outstanding requests a peer accepts from us: every simulated peer announces as many.
const REQUESTS_MAX: usize = 2_000;

/// Nothing is asked that is held.
pub(super) struct Held;

impl Checker for Held {
    const NAME: &'static str = "nothing is asked that is held";

    fn see(&mut self, facts: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::Sent { message: Message::Request(request), .. } = seen else {
            return Ok(());
        };
        if facts.is_verified(scene.node, request.piece) {
            return Err(format!("asks {request:?} of a verified piece"));
        }
        if facts.is_stored(scene.node, request) {
            return Err(format!("asks {request:?}, which is stored"));
        }
        Ok(())
    }
}

/// No request while choked, but for pieces that the peer allows (BEP 6).
pub(super) struct Choked;

impl Checker for Choked {
    const NAME: &'static str = "no request while choked";

    fn see(&mut self, facts: &Facts, _: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::Sent { end, message: Message::Request(request) } = seen else {
            return Ok(());
        };
        let Some(facts) = facts.end(*end) else {
            return Ok(());
        };
        if facts.choked && !facts.allowed.contains(&request.piece) {
            return Err(format!("asks {request:?} of node {} while choked", facts.peer.0));
        }
        Ok(())
    }
}

/// No block is asked twice at a time, but in the end game, for a stream, or when the first request is
/// overdue; and never twice of one peer.
pub(super) struct Duplicate {
    streaming: Vec<bool>,
}

impl Duplicate {
    pub(super) fn new(expected: &[Expected]) -> Self {
        Self { streaming: expected.iter().map(|expected| expected.streaming).collect() }
    }
}

impl Checker for Duplicate {
    const NAME: &'static str = "no duplicate request";

    fn see(&mut self, facts: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::Sent { end, message: Message::Request(request) } = seen else {
            return Ok(());
        };
        let node = scene.node;
        if facts.times_asked(node, request) == 0 {
            return Ok(());
        }
        let own = facts.end(*end).map(|end| &end.asked);
        if own.is_some_and(|asked| asked.iter().any(|asked| asked.is_live(request))) {
            return Err(format!("asks {request:?} twice of one peer"));
        }
        let idle = facts.node(node).idle;
        if idle == 0 || self.streaming[node.0 as usize] {
            return Ok(());
        }
        let overdue = |end, asked| facts.is_overdue(end, &asked, scene.now);
        let askers = facts.askers(node, request, *end);
        match askers.into_iter().find(|(end, asked)| !overdue(*end, *asked)) {
            Some((other, _)) => {
                let peer = facts.end(other).map_or(0, |end| end.peer.0);
                Err(format!(
                    "asks {request:?} while node {peer} is asked and {idle} blocks are not asked"
                ))
            }
            None => Ok(()),
        }
    }
}

/// A peer is asked for no more than it announced to queue.
pub(super) struct Pipeline;

impl Checker for Pipeline {
    const NAME: &'static str = "outstanding requests are bounded";

    fn see(&mut self, facts: &Facts, _: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::Sent { end, message: Message::Request(_) } = seen else {
            return Ok(());
        };
        match facts.end(*end).map_or(0, |end| end.asked.len()) {
            REQUESTS_MAX.. => Err(format!("more than {REQUESTS_MAX} requests of one peer")),
            _ => Ok(()),
        }
    }
}
