//! Byzantine peers that no engine drives: a few lines of malice each.
//!
//! Owns what such a peer remembers of its connections. Invariant: memory is bounded whatever the
//! others send. It must not know the machine under test.

use crate::client::address_of;
use crate::network::Frame;
use crate::outside::Outside;
use crate::plan::Behaviour;
use crate::queue::Event;
use crate::seen::{EndId, NodeId};
use piecework_types::{BLOCK_BYTES, PeerSlot, Rng};
use piecework_wire::extension::{Extension, PEX_PEERS_MAX, Pex, PexFlags, PexPeer};
use piecework_wire::{Message, Request};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// How often it acts.
const TURN: Duration = Duration::from_millis(500);

/// Requests a flooding peer sends when it is unchoked: more than anybody queues; and those it sends per
/// turn to everybody.
const FLOOD: u32 = 2_500;
const TRICKLE: u32 = 40;

/// Peers that get the whole flood: enough to show what it does to them.
const FLOODS_MAX: usize = 3;

/// Peers it connects to by itself.
const DIALS_MAX: usize = 6;

/// A scripted peer.
pub(crate) struct Script {
    id: NodeId,
    behaviour: Behaviour,
    ends: Vec<EndId>,
    /// Ends whose peer has asked for something, for the drip; or those that were flooded.
    asked: Vec<EndId>,
    serial: u32,
    turns: u32,
}

impl Script {
    pub(crate) fn new(id: NodeId, behaviour: Behaviour, out: &mut Outside) -> Self {
        out.queue.push(out.now + TURN, Event::Script(id));
        Self { id, behaviour, ends: Vec::new(), asked: Vec::new(), serial: 0, turns: 0 }
    }

    pub(crate) fn knows(&self, peer: NodeId, out: &Outside) -> bool {
        self.ends.iter().any(|end| out.network.node(end.other()) == peer)
    }

    /// Connects to some of the peers a tracker told.
    pub(crate) fn learned(&self, peers: &[SocketAddr], out: &mut Outside) {
        let room = DIALS_MAX.saturating_sub(self.ends.len());
        let others = peers.iter().filter(|peer| **peer != address_of(self.id));
        for peer in others.filter_map(|peer| crate::client::node_of(*peer)).take(room) {
            let at = out.now + out.network.latency(self.id, peer) * 4;
            out.queue.push(at, Event::Connect(self.id, peer));
        }
    }

    pub(crate) fn connected(&mut self, end: EndId, out: &mut Outside) {
        out.attach(end, PeerSlot(self.ends.len() as u32));
        self.ends.push(end);
        let first: &[Message] = match self.behaviour {
            Behaviour::RequestFlood => &[Message::HaveNone, Message::Interested],
            Behaviour::FalseGossip { .. } => &[Message::HaveNone],
            Behaviour::FalseBitfield | Behaviour::SlowLoris => &[Message::HaveAll],
            Behaviour::Honest | Behaviour::BadBlocks { .. } | Behaviour::NeverUnchokes => &[],
        };
        for message in first {
            out.send(end, Frame::Message(message.clone()), out.now);
        }
    }

    pub(crate) fn arrivals(&mut self, out: &mut Outside) {
        let arrivals = out.take_arrivals(self.id);
        for (end, frame) in &arrivals {
            if out.slot(*end).is_none() {
                continue;
            }
            match frame {
                Frame::Closed => self.forget(*end, out),
                Frame::Message(Message::Interested)
                    if self.behaviour != Behaviour::RequestFlood =>
                {
                    out.send(*end, Frame::Message(Message::Unchoke), out.now);
                }
                Frame::Message(Message::Unchoke) if self.behaviour == Behaviour::RequestFlood => {
                    if self.asked.len() < FLOODS_MAX && !self.asked.contains(end) {
                        self.asked.push(*end);
                        self.flood(*end, FLOOD, out);
                    }
                }
                Frame::Message(Message::Request(_)) if !self.asked.contains(end) => {
                    self.asked.push(*end);
                }
                Frame::Message(_) | Frame::Block { .. } | Frame::Drip { .. } => {}
            }
        }
        out.recycle(self.id, arrivals);
    }

    /// A turn: drips, or the next flood.
    pub(crate) fn turn(&mut self, out: &mut Outside) {
        self.turns = self.turns.wrapping_add(1);
        out.queue.push(out.now + TURN, Event::Script(self.id));
        match self.behaviour {
            Behaviour::SlowLoris => {
                for end in &self.asked {
                    out.send(*end, Frame::Drip { bytes: 1 }, out.now);
                }
            }
            Behaviour::RequestFlood => {
                for at in 0..self.ends.len() {
                    self.flood(self.ends[at], TRICKLE, out);
                }
            }
            Behaviour::FalseGossip { turns } if self.turns.is_multiple_of(turns) => {
                for at in 0..self.ends.len() {
                    let list = invented(&mut out.rng);
                    out.send(self.ends[at], Frame::Message(list), out.now);
                }
            }
            Behaviour::FalseGossip { .. }
            | Behaviour::FalseBitfield
            | Behaviour::Honest
            | Behaviour::BadBlocks { .. }
            | Behaviour::NeverUnchokes => {}
        }
    }

    fn flood(&mut self, end: EndId, count: u32, out: &mut Outside) {
        let pieces = out.origin.grid().piece_count();
        for _ in 0..count {
            self.serial = self.serial.wrapping_add(1);
            let piece = self.serial % pieces;
            let request = Request { piece, begin: 0, length: BLOCK_BYTES };
            out.send(end, Frame::Message(Message::Request(request)), out.now);
        }
    }

    pub(crate) fn leave(mut self, out: &mut Outside) {
        for end in std::mem::take(&mut self.ends) {
            out.close(end);
        }
    }

    fn forget(&mut self, end: EndId, out: &mut Outside) {
        out.close(end);
        self.ends.retain(|other| *other != end);
        self.asked.retain(|other| *other != end);
    }
}

/// As many peers as a message holds, none of which exists: hosts of the receiver's own network, one
/// host's ports one after another, ports of system services, and the rest of the world.
fn invented(rng: &mut Rng) -> Message {
    let added = (0..PEX_PEERS_MAX).map(|_| {
        let number = rng.next_u64();
        let host = number as u32;
        let port = (number >> 32) as u16;
        let ip = match number >> 48 & 7 {
            0 => Ipv4Addr::from(0x7f00_0000 | host >> 8).into(),
            1 => Ipv4Addr::from(0x0a00_0000 | host >> 8).into(),
            2 => Ipv4Addr::from(0xc0a8_0000 | host >> 16).into(),
            3 => Ipv4Addr::from(0xe000_0000 | host >> 4).into(),
            4 | 5 => Ipv4Addr::new(93, 184, 216, 34).into(),
            6 => Ipv6Addr::from(0xfe80 << 112 | u128::from(number)).into(),
            _ => Ipv4Addr::from(0x5000_0000 | host >> 4).into(),
        };
        let port = if number >> 52 & 3 == 0 { port & 1023 } else { port };
        PexPeer { address: SocketAddr::new(ip, port), flags: PexFlags::REACHABLE }
    });
    let pex = Pex { added: added.collect(), dropped: Vec::new() };
    Message::Extended { id: Extension::Pex.our_id(), payload: pex.encode() }
}
