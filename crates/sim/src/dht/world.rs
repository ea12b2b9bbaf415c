//! One run of a DHT: who sits where, packets on their way, and the loop that makes time pass.
//!
//! Invariant: a plan and a seed give one trace.

use super::checkers::{Checkers, Packet};
use super::hostile::{Hostile, Sent, Surroundings};
use super::plan::{DhtAction, DhtPlan, NodeKind};
use super::plant::{HERE, Machine};
use super::seat::{Honest, Router, Sitter, Watched};
use super::{DhtReport, LookupRecord};
use crate::origin::mix;
use crate::report::Report;
use piecework_dht::{Config, Dht, EndpointConfig, Family, Goal, LookupId, Outcome, Output};
use piecework_types::{Rng, Time};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::time::Duration;

const PORT: u16 = 6881;
/// What the way of a packet varies by, at most.
const JITTER_MICROS: u64 = 3_000;

#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    Joins(u32),
    Leaves(u32),
    Timer(u32),
    Deed(u32),
    Acts(usize),
    Arrives(Envelope),
}

#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Envelope {
    from: SocketAddr,
    to: u32,
    bytes: Vec<u8>,
    is_replay: bool,
}

/// A run in progress.
pub(crate) struct DhtWorld {
    plan: DhtPlan,
    seed: u64,
    rng: Rng,
    seats: Vec<Sitter>,
    at: BTreeMap<SocketAddr, u32>,
    honest: Vec<SocketAddr>,
    sybils: Vec<(u32, SocketAddr, [u8; 20])>,
    announced: BTreeMap<u32, BTreeSet<SocketAddr>>,
    queue: BinaryHeap<Reverse<(Time, u64, Event)>>,
    serial: u64,
    now: Time,
    trace: u64,
    packets: u64,
    checkers: Checkers,
    report: DhtReport,
}

impl DhtWorld {
    pub(crate) fn new(plan: DhtPlan, seed: u64) -> Self {
        let address = |ip| SocketAddr::new(ip, PORT);
        let at = (0..).zip(&plan.nodes).map(|(number, node)| (address(node.ip), number)).collect();
        let is_honest = |kind| matches!(kind, NodeKind::Open | NodeKind::Natted);
        let honest = plan.nodes.iter().filter(|node| is_honest(node.kind));
        let mut world = Self {
            honest: honest.map(|node| address(node.ip)).collect(),
            seats: plan.nodes.iter().map(|_| Sitter::Nobody).collect(),
            at,
            rng: Rng::new(mix(seed ^ 0xd47)),
            sybils: Vec::new(),
            announced: BTreeMap::new(),
            queue: BinaryHeap::new(),
            serial: 0,
            now: Time::ZERO,
            trace: 0,
            packets: 0,
            checkers: Checkers::default(),
            report: DhtReport::default(),
            plan,
            seed,
        };
        for number in 0..world.plan.nodes.len() {
            let node = &world.plan.nodes[number];
            let (joins, leaves) = (node.joins, node.leaves);
            world.push(joins, Event::Joins(number as u32));
            if let Some(leaves) = leaves {
                world.push(leaves, Event::Leaves(number as u32));
            }
        }
        for index in 0..world.plan.actions.len() {
            world.push(world.plan.actions[index].0, Event::Acts(index));
        }
        world
    }

    pub(crate) fn run(mut self) -> Report {
        let mut events = 0;
        while let Some(Reverse((at, _, event))) = self.queue.pop() {
            if at > self.plan.ends || !self.checkers.violations.is_empty() {
                break;
            }
            self.now = at;
            events += 1;
            self.handle(event);
        }
        self.count_contacts();
        self.report.hostile_answered = self.checkers.hostile_answered;
        Report {
            seed: self.seed,
            trace: self.trace,
            ended_at: self.now,
            events,
            frames: self.packets,
            rate_computations: 0,
            finished: Vec::new(),
            served: Vec::new(),
            verified: Vec::new(),
            uploaded: Vec::new(),
            web_bytes: Vec::new(),
            web_dropped: Vec::new(),
            open_windows: (0, 0),
            dht: Some(self.report),
            market: None,
            violations: self.checkers.violations,
        }
    }

    fn push(&mut self, at: Time, event: Event) {
        self.serial += 1;
        self.queue.push(Reverse((at, self.serial, event)));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Joins(number) => self.join(number),
            Event::Leaves(number) => self.seats[number as usize] = Sitter::Nobody,
            Event::Timer(number) => self.timer(number),
            Event::Deed(number) => self.deed(number),
            Event::Acts(index) => self.act(self.plan.actions[index].1),
            Event::Arrives(envelope) => self.arrive(envelope),
        }
    }

    fn address(&self, number: u32) -> SocketAddr {
        SocketAddr::new(self.plan.nodes[number as usize].ip, PORT)
    }

    fn join(&mut self, number: u32) {
        let address = self.address(number);
        let rng = Rng::new(self.rng.next_u64());
        let kind = self.plan.nodes[number as usize].kind;
        if let NodeKind::Hostile(hostility) = kind {
            let hostile = Hostile::new(hostility, address, &self.plan.torrents, rng);
            if let super::Hostility::Sybil { torrent } = hostility {
                self.sybils.push((torrent, address, hostile.id()));
            }
            self.seats[number as usize] = Sitter::Hostile(Box::new(hostile));
            self.push(self.now, Event::Deed(number));
            return;
        }
        let mut endpoint = EndpointConfig::new(Family::V4);
        endpoint.external = Some(address.ip());
        endpoint.routers = if number > 0 { vec![self.address(0)] } else { Vec::new() };
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&self.rng.next_u64().to_be_bytes());
        let dht = Dht::new(Config::new(vec![endpoint]), secret, rng, self.now);
        let plant = self.plan.plant.filter(|(node, _)| *node == number).map(|(_, plant)| plant);
        let machine = Machine::new(dht, plant);
        let router = (kind == NodeKind::Natted).then(Router::default);
        let honest = Honest { machine, wakes: Time::NEVER, lookup: None, router };
        self.seats[number as usize] = Sitter::Honest(Box::new(honest));
        self.carry_out(number, false);
    }

    fn timer(&mut self, number: u32) {
        let now = self.now;
        let Sitter::Honest(honest) = &mut self.seats[number as usize] else { return };
        if honest.wakes > now {
            return;
        }
        honest.wakes = Time::NEVER;
        if let Some(watched) = &mut honest.lookup {
            watched.rounds = watched.open.values().copied().max().unwrap_or(0);
        }
        honest.machine.dht.handle_timeout(now);
        self.carry_out(number, false);
    }

    fn deed(&mut self, number: u32) {
        let around = Surroundings {
            honest: &self.honest,
            torrents: &self.plan.torrents,
            sybils: &self.sybils,
        };
        let Sitter::Hostile(hostile) = &mut self.seats[number as usize] else { return };
        let (sent, next) = hostile.act(&around, self.now);
        self.push(next, Event::Deed(number));
        sent.into_iter().for_each(|sent| self.post(number, sent));
    }

    fn act(&mut self, action: DhtAction) {
        let now = self.now;
        let (node, torrent) = match action {
            DhtAction::Announce { node, torrent } | DhtAction::LookUp { node, torrent } => {
                (node, torrent)
            }
        };
        let info_hash = self.plan.torrents[torrent as usize];
        let address = self.address(node);
        let Sitter::Honest(honest) = &mut self.seats[node as usize] else { return };
        if matches!(action, DhtAction::Announce { .. }) {
            let goal = Goal::Announce { info_hash, port: None, seed: false };
            let _ = honest.machine.dht.start(HERE, goal, now);
            self.announced.entry(torrent).or_default().insert(address);
        } else {
            let goal = Goal::Peers { info_hash, no_seeds: false, scrape: false };
            self.checkers.looks_up(node, info_hash.0);
            let Ok(id) = honest.machine.dht.start(HERE, goal, now) else { return };
            let record = self.report.lookups.len();
            self.report.lookups.push(LookupRecord {
                asker: node,
                torrent,
                rounds: None,
                first_peer: None,
                queries: 0,
                took: None,
            });
            let (began, open) = (now, BTreeMap::new());
            honest.lookup = Some(Watched { id, torrent, record, began, open, rounds: 0 });
        }
        self.carry_out(node, false);
    }

    fn arrive(&mut self, envelope: Envelope) {
        let Envelope { from, to, bytes, is_replay } = envelope;
        let now = self.now;
        match &mut self.seats[to as usize] {
            Sitter::Nobody => {}
            Sitter::Hostile(hostile) => {
                let around = Surroundings {
                    honest: &self.honest,
                    torrents: &self.plan.torrents,
                    sybils: &self.sybils,
                };
                if let Some(sent) = hostile.hear(from, &bytes, &around, now) {
                    self.post(to, sent);
                }
            }
            Sitter::Honest(honest) => {
                if honest.router.as_mut().is_some_and(|router| !router.lets_in(from, now)) {
                    return;
                }
                self.packets += 1;
                self.checkers.arrives(to, from, &bytes, is_replay, now);
                if let Some(watched) = &mut honest.lookup
                    && let Some(Packet::Answer { transaction, .. } | Packet::Error { transaction }) =
                        Packet::read(&bytes)
                {
                    watched.rounds = watched.open.remove(&(from, transaction)).unwrap_or(0);
                }
                honest.machine.handle_packet(from, &bytes, now);
                self.carry_out(to, true);
            }
        }
    }

    /// Does what an honest node wants done.
    fn carry_out(&mut self, number: u32, by_packet: bool) {
        while let Sitter::Honest(honest) = &mut self.seats[number as usize]
            && let Some(output) = honest.machine.poll()
        {
            match output {
                Output::Send { to, bytes, .. } => self.send(number, to, bytes),
                Output::PeersFound { lookup, peers } => {
                    self.found(number, lookup, &peers, by_packet);
                }
                Output::Finished { lookup, outcome } => self.finished(number, lookup, &outcome),
                Output::ItemFound { .. }
                | Output::TorrentsSampled { .. }
                | Output::TableChanged { .. }
                | Output::AddressElected { .. } => {}
            }
        }
        let now = self.now;
        if let Sitter::Honest(honest) = &mut self.seats[number as usize] {
            let wakes = honest.machine.dht.poll_timeout().0.max(now);
            if wakes < honest.wakes {
                honest.wakes = wakes;
                self.push(wakes, Event::Timer(number));
            }
        }
    }

    fn send(&mut self, number: u32, to: SocketAddr, bytes: Vec<u8>) {
        let now = self.now;
        let is_hostile = self
            .at
            .get(&to)
            .is_some_and(|to| matches!(self.plan.nodes[*to as usize].kind, NodeKind::Hostile(_)));
        self.checkers.leaves(number, to, &bytes, is_hostile, now);
        if let Sitter::Honest(honest) = &mut self.seats[number as usize] {
            if let Some(router) = &mut honest.router {
                router.sends(to, now);
            }
            if let Some(watched) = &mut honest.lookup
                && let Some(Packet::Query { target, transaction, .. }) = Packet::read(&bytes)
                && target == Some(self.plan.torrents[watched.torrent as usize].0)
            {
                watched.open.insert((to, transaction), watched.rounds + 1);
            }
        }
        let from = self.address(number);
        self.post(number, Sent { from, to, bytes, is_replay: false });
    }

    /// Puts a packet on its way.
    fn post(&mut self, number: u32, sent: Sent) {
        let Sent { from, to, bytes, is_replay } = sent;
        let folded =
            bytes.iter().fold(0_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(PRIME));
        self.trace = mix(self.trace ^ self.now.as_micros() ^ folded);
        let is_hostile = matches!(self.seats[number as usize], Sitter::Hostile(_));
        let Some(&to) = self.at.get(&to) else { return };
        self.report.hostile_queries += u64::from(is_hostile);
        if self.rng.chance(self.plan.loss_ppm, 1_000_000) {
            return;
        }
        let latency = |number: u32| self.plan.nodes[number as usize].latency;
        let way = latency(number) + latency(to);
        let at = self.now + way + Duration::from_micros(self.rng.below(JITTER_MICROS));
        self.push(at, Event::Arrives(Envelope { from, to, bytes, is_replay }));
    }

    fn found(&mut self, number: u32, lookup: LookupId, peers: &[SocketAddr], by_packet: bool) {
        let Sitter::Honest(honest) = &self.seats[number as usize] else { return };
        let Some(watched) = honest.lookup.as_ref().filter(|watched| watched.id == lookup) else {
            return;
        };
        let announced = self.announced.get(&watched.torrent);
        let is_true = peers.iter().any(|peer| announced.is_some_and(|all| all.contains(peer)));
        let record = &mut self.report.lookups[watched.record];
        if is_true && by_packet && record.rounds.is_none() {
            record.rounds = Some(watched.rounds);
            record.first_peer = Some(self.now.since(watched.began));
        }
    }

    fn finished(&mut self, number: u32, lookup: LookupId, outcome: &Outcome) {
        let Sitter::Honest(honest) = &mut self.seats[number as usize] else { return };
        let Some(watched) = honest.lookup.take_if(|watched| watched.id == lookup) else { return };
        let record = &mut self.report.lookups[watched.record];
        record.took = Some(self.now.since(watched.began));
        record.queries = self.checkers.looked_up(number);
        self.checkers.agrees(number, record.queries, outcome.asked as u32, self.now);
    }

    fn count_contacts(&mut self) {
        for seat in &self.seats {
            let Sitter::Honest(honest) = seat else { continue };
            for node in honest.machine.dht.saved().endpoints.iter().flat_map(|all| &all.nodes) {
                let number = self.at.get(&node.address);
                let kind = number.map(|number| self.plan.nodes[*number as usize].kind);
                self.report.contacts += 1;
                let is_hostile = !matches!(kind, Some(NodeKind::Open | NodeKind::Natted));
                self.report.hostile_contacts += u32::from(is_hostile);
            }
        }
    }
}

/// FNV's, for the trace.
const PRIME: u64 = 0x0100_0000_01b3;
