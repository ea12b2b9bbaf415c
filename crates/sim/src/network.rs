//! Links between nodes: connections, and how fast bytes move along them.
//!
//! Owns the send queue of each direction of each connection (a flow), the rate of each flow and the
//! moment each frame arrives. Invariants: what leaves a node never exceeds its uplink, what reaches it
//! never its downlink; frames of one flow arrive in order; rates are max-min fair and computed anew
//! only when a flow began or stopped, for the component it touches, at most once a tick.
//! It must not know what frames mean.
//!
//! Bytes move in ticks of 10 ms. Small messages ride free, but never overtake a block. Loss delays a
//! frame by a retransmission and caps a flow as it would cap TCP (Mathis et al. 1997).

use crate::origin::Tag;
use crate::seen::{EndId, NodeId};
use piecework_types::{Rng, Time};
use piecework_wire::{Message, Request};
use std::collections::VecDeque;
use std::time::Duration;

mod fair;

/// How often bytes move and rates change.
pub const TICK: Duration = Duration::from_millis(10);

/// Payload of one packet, for loss.
const PACKET_BYTES: u64 = 1_400;

/// Length prefix, message id, piece and offset before a block's payload (BEP 3).
const BLOCK_HEADER_BYTES: u64 = 13;

/// How often a receiver hears of a block that takes long.
const DRIP: Duration = Duration::from_secs(1);

/// Units of a flow's progress per byte: a rate in bytes/s moves as many units every microsecond.
const UNITS_PER_BYTE: u64 = 1_000_000;

/// What a connection carries.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A message without payload.
    Message(Message),
    /// A block.
    Block {
        /// The span it claims to be.
        request: Request,
        /// What its bytes are worth.
        tag: Tag,
    },
    /// A few bytes of a block that takes long, or never ends.
    Drip {
        /// How many.
        bytes: u32,
    },
    /// The other side closed the connection.
    Closed,
}

/// A node's access link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Link {
    /// Bytes a second from the node.
    pub up_bytes: u64,
    /// Bytes a second to the node.
    pub down_bytes: u64,
    /// From the node to the middle of the network.
    pub latency: Duration,
    /// Lost packets in a million.
    pub loss_ppm: u64,
}

#[derive(Debug)]
struct Queued {
    frame: Frame,
    /// Bytes on the wire; 0 for what rides free.
    bytes: u64,
    /// The disk has read it by then.
    ready_at: Time,
}

#[derive(Debug)]
struct Flow {
    from: NodeId,
    to: NodeId,
    latency: Duration,
    loss_ppm: u64,
    /// What loss and round-trip time let through, in bytes a second.
    cap: u64,
    queue: VecDeque<Queued>,
    payload_bytes: u64,
    /// Units of the first frame that have left.
    head_done: u64,
    rate: u64,
    /// Takes part in the sharing of links.
    active: bool,
    settled: Time,
    /// When the receiver last heard of the first frame's progress.
    dripped: Time,
    last_arrival: Time,
}

/// A frame on its way.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// Where it left.
    pub(crate) flow: EndId,
    pub(crate) frame: Frame,
    pub(crate) at: Time,
}

/// All links and connections.
#[derive(Debug)]
pub(crate) struct Network {
    links: Vec<Link>,
    flows: Vec<Flow>,
    active: Vec<EndId>,
    /// Nodes whose flows began or stopped since rates were computed.
    changed: Vec<NodeId>,
    /// Idle flows that queued a block since the last tick.
    woken: Vec<EndId>,
    fair: fair::Solver,
    rng: Rng,
    /// Times rates were computed.
    pub(crate) solved: u64,
}

impl Network {
    pub(crate) fn new(rng: Rng) -> Self {
        Self {
            links: Vec::new(),
            flows: Vec::new(),
            active: Vec::new(),
            changed: Vec::new(),
            woken: Vec::new(),
            fair: fair::Solver::default(),
            rng,
            solved: 0,
        }
    }

    pub(crate) fn add_link(&mut self, link: Link) -> NodeId {
        self.links.push(link);
        NodeId(self.links.len() as u32 - 1)
    }

    /// Whether there is such a node.
    pub(crate) fn has(&self, node: NodeId) -> bool {
        (node.0 as usize) < self.links.len()
    }

    /// One way, without queues.
    pub(crate) fn latency(&self, a: NodeId, b: NodeId) -> Duration {
        self.links[a.0 as usize].latency + self.links[b.0 as usize].latency
    }

    /// Connects two nodes; returns the end of the one that dialled.
    pub(crate) fn open(&mut self, dialer: NodeId, acceptor: NodeId, now: Time) -> EndId {
        let end = EndId(self.flows.len() as u32);
        let latency = self.latency(dialer, acceptor);
        let loss = |node: NodeId| self.links[node.0 as usize].loss_ppm;
        let loss_ppm = loss(dialer) + loss(acceptor);
        for (from, to) in [(dialer, acceptor), (acceptor, dialer)] {
            self.flows.push(Flow {
                from,
                to,
                latency,
                loss_ppm,
                cap: loss_cap(latency * 2, loss_ppm),
                queue: VecDeque::new(),
                payload_bytes: 0,
                head_done: 0,
                rate: 0,
                active: false,
                settled: now,
                dripped: now,
                last_arrival: now,
            });
        }
        end
    }

    /// Forgets what is queued in both directions.
    pub(crate) fn close(&mut self, end: EndId) {
        for flow in [end, end.other()] {
            let flow = &mut self.flows[flow.0 as usize];
            flow.queue.clear();
            flow.payload_bytes = 0;
            flow.head_done = 0;
        }
    }

    /// Queues a frame. One that rides free with nothing before it leaves at once and is returned.
    pub(crate) fn send(
        &mut self,
        id: EndId,
        frame: Frame,
        ready_at: Time,
        now: Time,
    ) -> Option<Arrival> {
        let flow = &mut self.flows[id.0 as usize];
        let bytes = match &frame {
            Frame::Block { request, .. } => {
                flow.payload_bytes += u64::from(request.length);
                u64::from(request.length) + BLOCK_HEADER_BYTES
            }
            Frame::Message(_) | Frame::Drip { .. } | Frame::Closed => 0,
        };
        if flow.queue.is_empty() {
            if bytes == 0 {
                let at = arrival(flow, bytes, now, &mut self.rng);
                return Some(Arrival { flow: id, frame, at });
            }
            flow.settled = now.max(ready_at);
            flow.dripped = flow.settled;
            if !flow.active {
                self.woken.push(id);
            }
        }
        flow.queue.push_back(Queued { frame, bytes, ready_at });
        None
    }

    /// Payload bytes queued and not yet left.
    pub(crate) fn queued(&self, flow: EndId) -> u64 {
        self.flows[flow.0 as usize].payload_bytes
    }

    /// Payload a send buffer should hold: what leaves in 100 ms, 64 KiB at least, 1 MiB at most.
    pub(crate) fn send_buffer(&self, flow: EndId) -> u64 {
        (self.flows[flow.0 as usize].rate / 10).clamp(64 * 1024, 1024 * 1024)
    }

    /// The node that has this end.
    pub(crate) fn node(&self, end: EndId) -> NodeId {
        self.flows[end.0 as usize].from
    }

    /// Whether ticks are needed.
    pub(crate) fn is_busy(&self) -> bool {
        !self.active.is_empty() || !self.woken.is_empty()
    }

    /// Moves the bytes of the past tick: appends what left to `arrivals` and the flows that have room
    /// again to `roomy`. Then shares the links anew if a flow began or stopped.
    pub(crate) fn tick(&mut self, now: Time, arrivals: &mut Vec<Arrival>, roomy: &mut Vec<EndId>) {
        for index in 0..self.active.len() {
            self.progress(self.active[index], now, arrivals, roomy);
        }
        let (flows, changed) = (&mut self.flows, &mut self.changed);
        self.active.retain(|id| {
            let flow = &mut flows[id.0 as usize];
            flow.active = !flow.queue.is_empty();
            if !flow.active {
                flow.rate = 0;
                changed.extend([flow.from, flow.to]);
            }
            flow.active
        });
        for id in std::mem::take(&mut self.woken) {
            let flow = &mut self.flows[id.0 as usize];
            if !flow.active && !flow.queue.is_empty() {
                flow.active = true;
                flow.settled = flow.settled.max(now);
                self.active.push(id);
                self.changed.extend([flow.from, flow.to]);
            }
        }
        if !self.changed.is_empty() {
            self.solved += 1;
            self.fair.solve(&self.links, &mut self.flows, &self.active, &self.changed);
            self.changed.clear();
        }
    }

    fn progress(
        &mut self,
        id: EndId,
        now: Time,
        arrivals: &mut Vec<Arrival>,
        roomy: &mut Vec<EndId>,
    ) {
        let flow = &mut self.flows[id.0 as usize];
        let had = flow.payload_bytes;
        while let Some(head) = flow.queue.front() {
            let start = flow.settled.max(head.ready_at);
            if start >= now && head.bytes > 0 {
                break;
            }
            let missing = head.bytes * UNITS_PER_BYTE - flow.head_done;
            let can = flow.rate * now.since(start).as_micros() as u64;
            if missing > can {
                flow.head_done += can;
                flow.settled = now;
                if can > 0 && now.since(flow.dripped) >= DRIP {
                    flow.dripped = now;
                    let at = arrival(flow, 0, now, &mut self.rng);
                    arrivals.push(Arrival { flow: id, frame: Frame::Drip { bytes: 1 }, at });
                }
                break;
            }
            if missing > 0 {
                flow.settled = start + Duration::from_micros(missing.div_ceil(flow.rate));
            }
            flow.head_done = 0;
            flow.dripped = flow.settled;
            let Some(Queued { frame, bytes, .. }) = flow.queue.pop_front() else {
                break;
            };
            if let Frame::Block { request, .. } = &frame {
                flow.payload_bytes -= u64::from(request.length);
            }
            let at = arrival(flow, bytes, flow.settled, &mut self.rng);
            arrivals.push(Arrival { flow: id, frame, at: at.max(now) });
        }
        if flow.payload_bytes < had {
            roomy.push(id);
        }
    }
}

/// When a frame that left at `left` arrives: in order, later if a packet of it is lost.
fn arrival(flow: &mut Flow, bytes: u64, left: Time, rng: &mut Rng) -> Time {
    let mut at = left + flow.latency;
    let packets = bytes / PACKET_BYTES + 1;
    if flow.loss_ppm > 0 && rng.chance((packets * flow.loss_ppm).min(1_000_000), 1_000_000) {
        at += flow.latency * 2 + TICK;
    }
    flow.last_arrival = flow.last_arrival.max(at);
    flow.last_arrival
}

/// Bytes a second of one TCP flow under random loss: 1.22 * MSS / (RTT * sqrt(p)).
fn loss_cap(rtt: Duration, loss_ppm: u64) -> u64 {
    if loss_ppm == 0 {
        return u64::MAX;
    }
    let window = PACKET_BYTES * (1_500_000 / loss_ppm).max(1).isqrt();
    let rtt_micros = (rtt.as_micros() as u64).max(1);
    (window * 1_000_000 / rtt_micros).max(1_000)
}

#[cfg(test)]
mod tests;
