//! What every node shares: time, links, who is connected to whom, the onlookers and the trace.
//!
//! Owns the order in which frames reach nodes. Invariants: frames of one connection arrive in order;
//! nothing reaches an end that its node has closed; the trace hash covers every event and output.

use crate::checkers::Checkers;
use crate::network::{Arrival, Frame, Network, TICK};
use crate::origin::{Origin, mix};
use crate::queue::{Event, Queue};
use crate::seen::{EndId, NodeId, Scene, Seen};
use piecework_types::{PeerSlot, Rng, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Arrivals are rounded up to this, so that a node handles what comes together in one go, as a driver
/// handles all that a wake-up brings.
const GRID_MICROS: u64 = 5_000;

#[derive(Debug, Default)]
struct Inbox {
    due: BTreeMap<Time, Vec<(EndId, Frame)>>,
    /// Emptied vectors, to be used again.
    spare: Vec<Vec<(EndId, Frame)>>,
}

#[derive(Clone, Copy, Debug)]
struct EndState {
    slot: PeerSlot,
    open: bool,
}

/// Everything outside a node.
pub(crate) struct Outside {
    pub(crate) now: Time,
    pub(crate) origin: Arc<Origin>,
    pub(crate) metadata: Arc<[u8]>,
    pub(crate) queue: Queue,
    pub(crate) network: Network,
    pub(crate) checkers: Checkers,
    pub(crate) rng: Rng,
    pub(crate) trace: u64,
    pub(crate) frames: u64,
    /// Payload bytes that left each node.
    pub(crate) uploaded: Vec<u64>,
    inboxes: Vec<Inbox>,
    ends: Vec<EndState>,
    tick_at: Option<Time>,
    arrivals: Vec<Arrival>,
    roomy: Vec<EndId>,
}

impl Outside {
    pub(crate) fn new(
        origin: Arc<Origin>,
        metadata: Arc<[u8]>,
        network: Network,
        checkers: Checkers,
        rng: Rng,
        nodes: usize,
    ) -> Self {
        Self {
            now: Time::ZERO,
            origin,
            metadata,
            queue: Queue::default(),
            network,
            checkers,
            rng,
            trace: 0,
            frames: 0,
            uploaded: vec![0; nodes],
            inboxes: (0..nodes).map(|_| Inbox::default()).collect(),
            ends: Vec::new(),
            tick_at: None,
            arrivals: Vec::new(),
            roomy: Vec::new(),
        }
    }

    /// Mixes something that happened into the trace.
    pub(crate) const fn trace(&mut self, what: u64) {
        self.trace = mix(self.trace ^ what).wrapping_add(self.now.as_micros());
    }

    /// Shows something to the checkers.
    pub(crate) fn see(&mut self, node: NodeId, seen: &Seen<'_>) {
        self.checkers.see(&Scene { now: self.now, node }, seen);
    }

    /// Connects two nodes; the two ends, the dialler's first. Slots are set by [`Outside::attach`].
    pub(crate) fn connect(&mut self, dialer: NodeId, acceptor: NodeId) -> (EndId, EndId) {
        let end = self.network.open(dialer, acceptor, self.now);
        let state = EndState { slot: PeerSlot(u32::MAX), open: true };
        self.ends.extend([state; 2]);
        (end, end.other())
    }

    pub(crate) fn attach(&mut self, end: EndId, slot: PeerSlot) {
        self.ends[end.0 as usize].slot = slot;
    }

    /// The slot of an end that its node has not closed.
    pub(crate) fn slot(&self, end: EndId) -> Option<PeerSlot> {
        let state = self.ends[end.0 as usize];
        state.open.then_some(state.slot)
    }

    /// Sends a frame from this end; `ready_at` is when the disk has read it.
    pub(crate) fn send(&mut self, end: EndId, frame: Frame, ready_at: Time) {
        if let Some(arrival) = self.network.send(end, frame, ready_at, self.now) {
            self.post(arrival);
        }
        self.need_tick();
    }

    /// Closes this end; the other one hears of it.
    pub(crate) fn close(&mut self, end: EndId) {
        let state = &mut self.ends[end.0 as usize];
        if !std::mem::replace(&mut state.open, false) {
            return;
        }
        self.network.close(end);
        self.send(end, Frame::Closed, self.now);
    }

    /// Takes what has arrived at the node by now.
    pub(crate) fn take_arrivals(&mut self, node: NodeId) -> Vec<(EndId, Frame)> {
        let now = self.now;
        let inbox = &mut self.inboxes[node.0 as usize];
        match inbox.due.first_entry() {
            Some(entry) if *entry.key() <= now => entry.remove(),
            _ => Vec::new(),
        }
    }

    /// Gives an emptied vector back for reuse.
    pub(crate) fn recycle(&mut self, node: NodeId, mut arrivals: Vec<(EndId, Frame)>) {
        arrivals.clear();
        self.inboxes[node.0 as usize].spare.push(arrivals);
    }

    /// Moves bytes along the links; the ends that have room again are left in `roomy`.
    pub(crate) fn tick(&mut self, roomy: &mut Vec<EndId>) {
        self.tick_at = None;
        let mut arrivals = std::mem::take(&mut self.arrivals);
        std::mem::swap(&mut self.roomy, roomy);
        self.network.tick(self.now, &mut arrivals, &mut self.roomy);
        std::mem::swap(&mut self.roomy, roomy);
        for arrival in arrivals.drain(..) {
            if let Frame::Block { request, .. } = &arrival.frame {
                let bytes = u64::from(request.length);
                let node = self.network.node(arrival.flow);
                self.uploaded[node.0 as usize] += bytes;
                self.see(node, &Seen::BlockLeft { bytes });
            }
            self.post(arrival);
        }
        self.arrivals = arrivals;
        self.need_tick();
    }

    fn need_tick(&mut self) {
        if self.tick_at.is_none() && self.network.is_busy() {
            let tick = TICK.as_micros() as u64;
            let at = Time::from_micros((self.now.as_micros() / tick + 1) * tick);
            self.tick_at = Some(at);
            self.queue.push(at, Event::Tick);
        }
    }

    fn post(&mut self, arrival: Arrival) {
        let Arrival { flow, frame, at } = arrival;
        let end = flow.other();
        let node = self.network.node(end);
        let at = Time::from_micros(at.as_micros().div_ceil(GRID_MICROS) * GRID_MICROS);
        let inbox = &mut self.inboxes[node.0 as usize];
        let queue = &mut self.queue;
        let due = inbox.due.entry(at).or_insert_with(|| {
            queue.push(at, Event::Arrival(node));
            inbox.spare.pop().unwrap_or_default()
        });
        due.push((end, frame));
        self.frames += 1;
    }
}
