//! What the till says, and what of it waits for the drive.

use crate::{Message, PeerKey, Record, Service, TillOutput, Write, WriteId};
use std::collections::{BTreeMap, VecDeque};
use std::mem::discriminant;

/// Outputs of one peer that wait for the drive, at most. Of more, the first of the same kind gives way.
const WAITING_MAX: usize = 64;

/// The queue of outputs. Those of one peer keep their order, and none overtakes a write that it depends on;
/// only the end of a grant does, which depends on none.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    ready: VecDeque<TillOutput>,
    waiting: BTreeMap<PeerKey, VecDeque<(WriteId, TillOutput)>>,
    last: WriteId,
    written: WriteId,
}

impl Outbox {
    pub(super) fn pop(&mut self) -> Option<TillOutput> {
        self.ready.pop_front()
    }

    /// Something that depends on nothing.
    pub(super) fn push(&mut self, output: TillOutput) {
        self.ready.push_back(output);
    }

    /// Something about a peer that may leave when `after` is on the drive.
    pub(super) fn push_after(&mut self, peer: PeerKey, after: WriteId, output: TillOutput) {
        if after <= self.written && !self.waiting.contains_key(&peer) {
            self.ready.push_back(output);
            return;
        }
        let queue = self.waiting.entry(peer).or_default();
        if queue.len() >= WAITING_MAX {
            let same = |(_, old): &(WriteId, TillOutput)| kind(old) == kind(&output);
            let place = queue.iter().position(same).unwrap_or(0);
            queue.remove(place);
        }
        queue.push_back((after, output));
    }

    /// A peer is in the free lane, at once: that depends on no record. Grants that wait are not told any
    /// more; behind a slow drive they would be used up for nothing.
    pub(super) fn push_free(&mut self, peer: PeerKey) {
        if let Some(queue) = self.waiting.get_mut(&peer) {
            queue.retain(|(_, output)| !is_grant(output));
            if queue.is_empty() {
                self.waiting.remove(&peer);
            }
        }
        self.push(TillOutput::Serve { peer, service: Service::Free });
    }

    /// Writes a record down, and answers its number.
    pub(super) fn write(&mut self, record: Record, at_once: bool) -> WriteId {
        self.last.0 += 1;
        self.ready.push_back(TillOutput::Write(Write { id: self.last, at_once, record }));
        self.last
    }

    /// Whether a record is on the drive.
    pub(super) fn is_written(&self, id: WriteId) -> bool {
        id <= self.written
    }

    /// Everything up to this number is on the drive.
    pub(super) fn written(&mut self, id: WriteId) {
        self.written = self.written.max(id);
        let (written, ready) = (self.written, &mut self.ready);
        self.waiting.retain(|_, queue| {
            while let Some((_, output)) = queue.pop_front_if(|(after, _)| *after <= written) {
                ready.push_back(output);
            }
            !queue.is_empty()
        });
    }

    /// The connection is gone, and with it whom to tell.
    pub(super) fn forget(&mut self, peer: PeerKey) {
        self.waiting.remove(&peer);
    }
}

/// Whether it gives a peer the paid lane.
fn is_grant(output: &TillOutput) -> bool {
    match output {
        TillOutput::Serve { .. } => true,
        TillOutput::Send { message: Message::Ask(ask), .. } => ask.paid,
        _ => false,
    }
}

/// Kinds of output, of messages too: what replaces one another.
fn kind(output: &TillOutput) -> impl PartialEq {
    let message = if let TillOutput::Send { message, .. } = output { Some(message) } else { None };
    (discriminant(output), message.map(discriminant))
}
