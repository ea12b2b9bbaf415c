//! A node that the engine drives: the run loop of `piecework_swarm` over fake sockets and a fake disk.
//!
//! Owns what the real driver owns: slots, chunks, the dialer, the shared limit. Invariant: it makes no
//! decision of its own; the numbers in comments are those of the run loop in the crate's
//! documentation. It must not know other nodes.

use crate::checkers::RESERVED_PERMILLE;
use crate::disk::{Disk, Verdict};
use crate::network::Frame;
use crate::origin::Tag;
use crate::outside::Outside;
use crate::plan::{NodeSpec, Start};
use crate::plant::{Machine, Plant};
use crate::queue::Event;
use crate::seen::{EndId, NodeId, Seen};
use piecework_swarm::{
    AddressPolicy, BucketConfig, CloseReason, Config, Content, Dialer, DialerConfig, DialerInput,
    Hello, Input, Part, Reserve, Source, Split, StreamWindow, Swarm,
};
use piecework_types::{Bitfield, ChunkId, InfoHashes, PeerId, PeerSlot, PieceIndex, Rng, Time};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

mod perform;
mod web;

/// Bytes asked of the bucket at once: one block, so that a limited node sends evenly.
const GRANT_BYTES: u64 = piecework_types::BLOCK_BYTES as u64;

/// How long a connect to nobody takes.
const UNREACHABLE_AFTER: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug)]
struct Peer {
    end: EndId,
    /// As dialled or accepted, for the dialer.
    address: SocketAddr,
}

/// An engine with what surrounds it.
pub(crate) struct Client {
    id: NodeId,
    spec: NodeSpec,
    machine: Machine,
    pub(crate) dialer: Dialer,
    pub(crate) disk: Disk,
    pub(crate) have: Bitfield,
    pub(crate) finished_at: Option<Time>,
    pub(crate) verified_at: Vec<Time>,
    peers: Vec<Option<Peer>>,
    chunks: Vec<Option<Tag>>,
    free_chunks: Vec<ChunkId>,
    bucket: Option<Split>,
    /// Bytes that the machine waits for of each part of the limit.
    quota_wanted: [u64; 3],
    /// Inputs that an output gave rise to; handled once `poll` returned `None`.
    followups: Vec<Input>,
    timer_at: Time,
    blocks_sent: u64,
    servers: web::Servers,
    /// Web seeds that were given up, and why.
    pub(crate) web_dropped: Vec<(u32, String)>,
}

/// Where a node listens. Public addresses, so that bans cover the node; each in a network of its own,
/// because allowed-fast sets are made from the first three bytes (BEP 6).
pub(crate) fn address_of(node: NodeId) -> SocketAddr {
    let ip = Ipv4Addr::from(0x0b00_0001 | ((node.0 & 0xffff) << 8));
    SocketAddr::from((ip, 6881))
}

/// The node that listens there.
pub(crate) fn node_of(address: SocketAddr) -> Option<NodeId> {
    match address {
        SocketAddr::V4(v4) => Some(NodeId((u32::from(*v4.ip()) >> 8) & 0xffff)),
        SocketAddr::V6(_) => None,
    }
}

impl Client {
    /// A node that joins now, with what `kept` says is on its disk.
    pub(crate) fn new(
        id: NodeId,
        spec: &NodeSpec,
        kept: Option<(Disk, Bitfield)>,
        out: &mut Outside,
    ) -> Self {
        let grid = out.origin.grid().clone();
        let fresh = kept.is_none();
        let (mut disk, have) = kept.unwrap_or_else(|| {
            let have = initial(spec.start, grid.piece_count(), &mut out.rng);
            (Disk::new(out.origin.clone(), spec.disk, &have), have)
        });
        disk.forget_partial(&have);
        let seed = out.rng.next_u64();
        let swarm = Swarm::new(config(spec, id, seed, &out.metadata), out.now);
        let trusts = spec.plant == Some(Plant::TrustsGossip);
        let limits = DialerConfig {
            connections_max: spec.connections_max,
            candidates_max: 500,
            policy: match trusts {
                true => AddressPolicy { allows_local: true, port_min: 1, ports_max: 10_000 },
                false => AddressPolicy::default(),
            },
        };
        let mut client = Self {
            id,
            spec: spec.clone(),
            machine: Machine::new(swarm, spec.plant, grid),
            dialer: Dialer::new(limits, Rng::new(seed), out.now),
            disk,
            finished_at: have.is_full().then_some(out.now),
            verified_at: vec![Time::NEVER; have.len() as usize],
            have,
            peers: Vec::new(),
            chunks: Vec::new(),
            free_chunks: Vec::new(),
            bucket: spec.limit.map(|limit| {
                let burst_bytes = limit.burst_bytes;
                let config = BucketConfig { rate_bytes: limit.rate_bytes, burst_bytes };
                let kept = if spec.reserves.is_empty() { 0 } else { RESERVED_PERMILLE };
                Split::new(config, kept, out.now)
            }),
            quota_wanted: [0; 3],
            followups: Vec::new(),
            timer_at: Time::NEVER,
            blocks_sent: 0,
            servers: web::Servers::new(&spec.web_seeds),
            web_dropped: Vec::new(),
        };
        client.dialer.handle(DialerInput::Own(address_of(id)), out.now);
        out.see(id, &Seen::Joined { have: &client.have });
        client.start(spec.start == Start::Magnet && fresh, out);
        client
    }

    fn start(&mut self, magnet: bool, out: &mut Outside) {
        if !magnet {
            self.tell(self.content(out), out);
        }
        if self.bucket.is_some() {
            self.tell(Input::UploadLimited(true), out);
        }
        if self.spec.sequential {
            self.tell(Input::Sequential(true), out);
        }
        if self.spec.stream.is_some() {
            self.tell(Input::Stream(self.spec.stream), out);
        }
        if self.spec.super_seed {
            self.tell(Input::SuperSeed(true), out);
        }
        self.introduce_web_seeds(out);
        self.drive(out);
    }

    fn content(&self, out: &Outside) -> Input {
        let grid = out.origin.grid().clone();
        let priorities = vec![4; grid.piece_count() as usize];
        let (have, metadata) = (self.have.clone(), out.metadata.clone());
        Input::ContentReady(Content { grid, have, priorities, metadata, layers: None })
    }

    pub(crate) const fn id(&self) -> NodeId {
        self.id
    }

    /// What stays when the node leaves.
    pub(crate) fn leave(mut self, out: &mut Outside) -> (Disk, Bitfield) {
        for at in 0..self.peers.len() {
            if let Some(peer) = self.peers[at].take() {
                out.see(self.id, &Seen::Closed { end: peer.end });
                out.close(peer.end);
            }
        }
        out.see(self.id, &Seen::Left);
        (self.disk, self.have)
    }

    /// Whether a connection to or from the node exists.
    pub(crate) fn knows(&self, node: NodeId) -> bool {
        let ip = address_of(node).ip();
        self.peers.iter().flatten().any(|peer| peer.address.ip() == ip)
    }

    /// Addresses from a tracker or the user.
    pub(crate) fn learned(&mut self, peers: &[SocketAddr], source: Source, out: &mut Outside) {
        for address in peers.iter().copied() {
            self.dialer.handle(DialerInput::Learned { address, source }, out.now);
        }
        self.drive(out);
    }

    /// A handshake is done.
    pub(crate) fn connected(&mut self, end: EndId, peer: NodeId, out: &mut Outside) {
        let listens = address_of(peer);
        let address = if end.dialled() {
            self.dialer.handle(DialerInput::Connected { address: listens }, out.now);
            listens
        } else {
            let address = SocketAddr::new(listens.ip(), 49_152 + (end.0 % 16_384) as u16);
            self.dialer.handle(DialerInput::Accepted { address }, out.now);
            address
        };
        let free = self.peers.iter().position(Option::is_none);
        let at = free.unwrap_or_else(|| {
            self.peers.push(None);
            self.peers.len() - 1
        });
        self.peers[at] = Some(Peer { end, address });
        let slot = PeerSlot(at as u32);
        out.attach(end, slot);
        out.see(self.id, &Seen::Opened { end, peer });
        let hello = Hello {
            address,
            peer_id: peer_id(peer),
            outgoing: end.dialled(),
            fast: true,
            extended: true,
            dht: false,
            v2: false,
        };
        self.tell(Input::Connected { slot, hello }, out);
        if let Some(spec) = self.spec.reserves.iter().find(|spec| spec.peer == peer) {
            let reserve = Some(Reserve { rate: spec.rate, most: spec.most, until: spec.until });
            self.tell(Input::Reserve { slot, reserve }, out);
        }
        self.room(end, out);
        self.drive(out);
    }

    /// 1. Everything that has arrived, as one batch.
    pub(crate) fn arrivals(&mut self, out: &mut Outside) {
        let mut arrivals = out.take_arrivals(self.id);
        for (end, frame) in arrivals.drain(..) {
            let Some(slot) = out.slot(end) else { continue };
            out.trace(frame.kind() ^ (u64::from(end.0) << 20));
            self.arrival(end, slot, frame, out);
        }
        out.recycle(self.id, arrivals);
        self.drive(out);
    }

    fn arrival(&mut self, end: EndId, slot: PeerSlot, frame: Frame, out: &mut Outside) {
        match frame {
            Frame::Message(message) => {
                out.see(self.id, &Seen::Received { end, message: &message });
                self.tell(Input::Received { slot, message }, out);
            }
            Frame::Block { request, tag } => {
                // The driver drains the payload of a block that nobody waits for.
                if !self.machine.swarm().is_wanted(slot, request) {
                    out.see(self.id, &Seen::BlockDrained { end, request });
                    return;
                }
                let chunk = self.take_chunk(tag);
                out.see(self.id, &Seen::BlockReceived { end, request, chunk: chunk.0 });
                self.tell(Input::BlockArrived { slot, request, chunk }, out);
            }
            Frame::Drip { bytes } => {
                out.see(self.id, &Seen::Dripped { end });
                self.tell(Input::PayloadProgress { slot, bytes }, out);
            }
            Frame::Closed => {
                out.see(self.id, &Seen::Closed { end });
                out.close(end);
                self.forget(slot, CloseReason::Lost, out.now);
                self.tell(Input::Disconnected { slot }, out);
            }
        }
    }

    /// The send buffer of this end has drained.
    pub(crate) fn room(&mut self, end: EndId, out: &mut Outside) {
        let Some(slot) = out.slot(end) else { return };
        let bytes = out.network.send_buffer(end).saturating_sub(out.network.queued(end));
        out.see(self.id, &Seen::Room { end, bytes });
        self.tell(Input::Room { slot, bytes }, out);
    }

    /// The disk's verdict on a piece.
    pub(crate) fn checked(&mut self, piece: PieceIndex, out: &mut Outside) {
        match self.disk.check(piece) {
            None => return,
            Some(Verdict::Verified) => {
                self.have.insert(piece);
                self.verified_at[piece.as_usize()] = out.now;
                self.tell(Input::PieceVerified { piece }, out);
            }
            Some(Verdict::Failed(block_digests)) => {
                self.tell(Input::PieceFailed { piece, block_digests }, out);
            }
        }
        self.drive(out);
    }

    /// The disk has room again.
    pub(crate) fn writable(&mut self, out: &mut Outside) {
        self.tell(Input::StorageWritable(true), out);
        self.drive(out);
    }

    /// The reader has come further.
    pub(crate) fn play(&mut self, window: StreamWindow, out: &mut Outside) {
        self.tell(Input::Stream(Some(window)), out);
        self.drive(out);
    }

    /// 3. The moment asked for, if it is that.
    pub(crate) fn timer(&mut self, out: &mut Outside) {
        if self.timer_at > out.now {
            return;
        }
        self.timer_at = Time::NEVER;
        if self.machine.poll_timeout().is_some_and(|(at, _)| at <= out.now) {
            self.tell(Input::Timeout, out);
        }
        self.dialer.handle(DialerInput::Timeout, out.now);
        self.drive(out);
    }

    /// A connect came to nothing.
    pub(crate) fn failed(&mut self, peer: NodeId, useless: bool, out: &mut Outside) {
        let address = address_of(peer);
        let input = if useless {
            DialerInput::Closed { address, reason: CloseReason::Useless }
        } else {
            DialerInput::Failed { address }
        };
        self.dialer.handle(input, out.now);
        self.drive(out);
    }

    /// Nobody answered there.
    pub(crate) fn unreachable(&mut self, address: SocketAddr, out: &mut Outside) {
        self.dialer.handle(DialerInput::Failed { address }, out.now);
        self.drive(out);
    }

    /// 2. Everything the machine wants done, then 3. when it wants to be called.
    pub(crate) fn drive(&mut self, out: &mut Outside) {
        loop {
            while let Some(output) = self.machine.poll(out.now) {
                self.perform(output, out);
            }
            out.see(self.id, &Seen::Settled);
            self.grant(out.now);
            if self.followups.is_empty() {
                break;
            }
            for input in std::mem::take(&mut self.followups) {
                self.tell(input, out);
            }
        }
        self.dial(out);
        self.wake(out);
    }

    fn tell(&mut self, input: Input, out: &mut Outside) {
        match &input {
            Input::PieceFailed { piece, .. } | Input::PieceLost { piece } => {
                // What the machine makes of it is seen by `Verified` and by what it asks next.
                out.see(self.id, &Seen::Unverified { piece: *piece });
            }
            _ => {}
        }
        let verified = self.machine.verifies(&input);
        if let Some(piece) = verified {
            let intact = self.disk.is_intact(piece);
            out.see(self.id, &Seen::Verified { piece, intact });
        }
        self.machine.handle(input, out.now);
    }

    fn forget(&mut self, slot: PeerSlot, reason: CloseReason, now: Time) {
        if let Some(peer) = self.peers.get_mut(slot.0 as usize).and_then(Option::take) {
            self.dialer.handle(DialerInput::Closed { address: peer.address, reason }, now);
        }
    }

    /// Hands out what the shared limit allows.
    fn grant(&mut self, now: Time) {
        let Some(bucket) = &mut self.bucket else {
            return;
        };
        for part in Part::ALL {
            let wanted = &mut self.quota_wanted[part as usize];
            let bytes = bucket.take(part, *wanted, now);
            if bytes > 0 {
                *wanted -= bytes;
                self.followups.push(Input::UploadQuota { part, bytes });
            }
        }
    }

    fn dial(&mut self, out: &mut Outside) {
        let wanted = self.dialer.wanted() as u32;
        if wanted > 0 {
            self.dialer.handle(DialerInput::Granted { dials: wanted }, out.now);
        }
        while let Some(dial) = self.dialer.poll() {
            out.see(self.id, &Seen::Dialled { address: dial.address });
            let node = node_of(dial.address).filter(|node| address_of(*node) == dial.address);
            let Some(peer) = node.filter(|node| out.network.has(*node)) else {
                let at = out.now + UNREACHABLE_AFTER;
                out.queue.push(at, Event::Unreachable(self.id, dial.address));
                continue;
            };
            // The connect and both handshakes.
            let at = out.now + out.network.latency(self.id, peer) * 4;
            out.queue.push(at, Event::Connect(self.id, peer));
        }
    }

    fn wake(&mut self, out: &mut Outside) {
        let quota = match &mut self.bucket {
            Some(bucket) => {
                let wanted = Part::ALL.map(|part| (part, self.quota_wanted[part as usize]));
                let wanted = wanted.into_iter().filter(|(_, bytes)| *bytes > 0);
                let at = wanted
                    .map(|(part, bytes)| bucket.next_at(part, bytes.min(GRANT_BYTES), out.now));
                at.min()
            }
            None => None,
        };
        let machine = self.machine.poll_timeout().map(|(at, _)| at);
        let next = [machine, self.dialer.poll_timeout(), quota].into_iter().flatten().min();
        // Never twice at one moment: a machine that asks for the past must not stop time.
        let soonest = out.now + Duration::from_micros(100);
        if let Some(at) = next.map(|at| at.max(soonest))
            && at < self.timer_at
        {
            self.timer_at = at;
            out.queue.push(at, Event::Timer(self.id));
        }
    }
}

fn initial(start: Start, pieces: u32, rng: &mut Rng) -> Bitfield {
    match start {
        Start::Seed => Bitfield::full(pieces),
        Start::Empty | Start::Magnet => Bitfield::new(pieces),
        Start::Partial(percent) => {
            let mut have = Bitfield::new(pieces);
            for piece in (0..pieces).map(PieceIndex::trusted) {
                if rng.chance(percent, 100) {
                    have.insert(piece);
                }
            }
            have
        }
    }
}

fn config(spec: &NodeSpec, id: NodeId, seed: u64, metadata: &[u8]) -> Config {
    let v1 = Some(piecework_hash::sha1(metadata));
    let mut config = Config {
        info_hashes: InfoHashes { v1, v2: None },
        seed,
        our_id: peer_id(id),
        exchanges_peers: spec.exchanges_peers,
        listen_port: Some(address_of(id).port()),
        ..Config::default()
    };
    if let Some(slots) = spec.slots {
        config.choker.slots_start = slots;
        config.choker.slots_min = slots;
        config.choker.slots_max = slots;
    }
    config
}

fn peer_id(node: NodeId) -> PeerId {
    let mut id = [b'0'; 20];
    id[..8].copy_from_slice(&PeerId::PREFIX);
    id[16..].copy_from_slice(&node.0.to_be_bytes());
    PeerId(id)
}
