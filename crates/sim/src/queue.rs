//! Virtual time: what happens when.
//!
//! Owns the order of events. Invariant: events come out by time, and in the order of their insertion
//! within one moment, so that one seed has one order.

use crate::seen::NodeId;
use piecework_types::{PieceIndex, Time};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

/// Something that is due.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Event {
    /// Frames reach a node.
    Arrival(NodeId),
    /// A node's machine or dialer wants to be called.
    Timer(NodeId),
    /// A node's disk has written and hashed a piece.
    Checked(NodeId, PieceIndex),
    /// A node's disk has room again.
    Writable(NodeId),
    /// A node's connect to another one is through.
    Connect(NodeId, NodeId),
    /// A node's connect to an address where nobody is has failed.
    Unreachable(NodeId, SocketAddr),
    /// The next block of a node's fetch from a web seed is there.
    WebBlock(NodeId, u32),
    /// A node comes.
    Join(NodeId),
    /// A node asks the tracker for peers.
    Announce(NodeId),
    /// A scripted node's turn.
    Script(NodeId),
    /// The links move their bytes.
    Tick,
    /// The plan's action with this number.
    Action(usize),
}

/// Events in the order of their time.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(Time, u64, Event)>>,
    serial: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Time, event: Event) {
        self.serial += 1;
        self.heap.push(Reverse((at, self.serial, event)));
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, Event)> {
        self.heap.pop().map(|Reverse((at, _, event))| (at, event))
    }
}
