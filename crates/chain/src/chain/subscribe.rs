//! Who is told of new blocks.
//!
//! Invariant: telling never waits: a subscriber that does not keep up is let go, and learns so.

use crate::block::Block;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// Subscriptions at once. Faces share one each among their clients.
const SUBSCRIBERS_MAX: usize = 1024;

/// New blocks, in order and without gaps.
#[derive(Debug)]
pub struct Subscription {
    blocks: Receiver<Arc<Block>>,
}

/// What a subscription has next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// The next block, with receipts and logs.
    Block(Arc<Block>),
    /// None yet.
    Nothing,
    /// No more: the chain is closing, or the reader was too slow. Subscribe again, and read what was missed.
    Ended,
}

impl Subscription {
    /// The next block, waited for so long.
    pub fn next(&self, timeout: Duration) -> Next {
        match self.blocks.recv_timeout(timeout) {
            Ok(block) => Next::Block(block),
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => Next::Ended,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Subscribers {
    senders: Vec<SyncSender<Arc<Block>>>,
}

impl Subscribers {
    pub(super) fn add(&mut self, capacity: usize) -> Subscription {
        let (sender, blocks) = sync_channel(capacity.max(1));
        // One too many ends at once, as if it had been too slow.
        if self.senders.len() < SUBSCRIBERS_MAX {
            self.senders.push(sender);
        }
        Subscription { blocks }
    }

    pub(super) fn tell(&mut self, block: &Arc<Block>) {
        self.senders.retain(|sender| match sender.try_send(Arc::clone(block)) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        });
    }

    pub(super) fn end(&mut self) {
        self.senders.clear();
    }
}
