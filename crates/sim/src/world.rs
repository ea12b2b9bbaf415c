//! One run: nodes, what is outside of them, and the loop that makes time pass.
//!
//! Owns the nodes. Invariant: a plan and a seed give one trace: nothing here depends on the clock, an
//! address in memory, or the order of a hash map.

use crate::checkers::{Checkers, Expected, Onlooker, Violation};
use crate::client::{Client, address_of};
use crate::disk::Disk;
use crate::facts::Facts;
use crate::network::Network;
use crate::origin::{Origin, mix};
use crate::outside::Outside;
use crate::plan::{Action, Behaviour, Finds, Goal, Plan};
use crate::queue::Event;
use crate::report::Report;
use crate::script::Script;
use crate::seen::{EndId, NodeId};
use piecework_swarm::Source;
use piecework_types::{Bitfield, PieceGrid, Rng, Time};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How often a node asks the tracker, and how many addresses it gets.
const ANNOUNCE: Duration = Duration::from_secs(30);
const ANNOUNCE_PEERS: usize = 50;

/// How often a condition is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Events of one run; more mean that time stands still.
const EVENTS_MAX: u64 = 20_000_000;

enum Node {
    /// Not there; what is on its disk, if it ever was.
    Away(Option<(Disk, Bitfield)>),
    Engine(Box<Client>),
    Script(Script),
}

impl Node {
    fn engine(&self) -> Option<&Client> {
        match self {
            Self::Engine(client) => Some(client),
            Self::Script(_) | Self::Away(_) => None,
        }
    }
}

/// A run in progress.
pub struct World {
    plan: Plan,
    nodes: Vec<Node>,
    out: Outside,
    /// Plan's actions that are still to come.
    actions_left: usize,
    roomy: Vec<EndId>,
    /// When each node asks the tracker next.
    announce_at: Vec<Time>,
    seed: u64,
}

impl World {
    /// The beginning of the run that `plan` and `seed` determine.
    ///
    /// # Panics
    /// If the plan's piece length is zero or too long.
    pub fn new(plan: Plan, seed: u64) -> Self {
        let bytes = u64::from(plan.pieces) * u64::from(plan.piece_bytes);
        let grid = PieceGrid::contiguous(bytes, plan.piece_bytes).expect("plans have valid pieces");
        let mut rng = Rng::new(mix(seed));
        let metadata: Arc<[u8]> =
            (0..plan.metadata_bytes).map(|_| rng.next_u64() as u8).collect::<Vec<_>>().into();
        let mut network = Network::new(Rng::new(rng.next_u64()));
        for node in &plan.nodes {
            network.add_link(node.link);
        }
        let facts = Facts::new(grid.clone(), plan.nodes.len());
        let checkers = Checkers::new(facts, expected(&plan));
        let origin = Arc::new(Origin::new(rng.next_u64(), grid));
        let count = plan.nodes.len();
        let mut out = Outside::new(origin, metadata, network, checkers, rng, count);
        for (at, node) in plan.nodes.iter().enumerate() {
            out.queue.push(node.joins_at, Event::Join(NodeId(at as u32)));
        }
        for (index, (at, _)) in plan.actions.iter().enumerate() {
            out.queue.push(*at, Event::Action(index));
        }
        let nodes = (0..count).map(|_| Node::Away(None)).collect();
        let actions_left = plan.actions.len();
        let announce_at = vec![Time::NEVER; count];
        Self { plan, nodes, out, actions_left, roomy: Vec::new(), announce_at, seed }
    }

    /// Shows everything that the checkers see to somebody else too.
    #[must_use]
    pub fn watched_by(mut self, onlooker: Onlooker) -> Self {
        self.out.checkers.onlooker = Some(onlooker);
        self
    }

    /// Lets time pass until the plan's goal is reached, its deadline, or the first violation.
    pub fn run(mut self) -> Report {
        let mut events = 0;
        while let Some((at, event)) = self.out.queue.pop() {
            if at > self.plan.deadline || !self.out.checkers.violations.is_empty() {
                break;
            }
            self.out.now = at;
            events += 1;
            if events > EVENTS_MAX {
                self.fail(NodeId(0), "time stands still");
                break;
            }
            self.handle(event);
            if self.plan.goal == Goal::AllFinish && self.actions_left == 0 && self.all_finished() {
                break;
            }
        }
        self.judge();
        Report {
            seed: self.seed,
            trace: self.out.trace,
            ended_at: self.out.now,
            events,
            frames: self.out.frames,
            rate_computations: self.out.network.solved,
            finished: self.finish_times(),
            served: self.served(),
            verified: self.verified_times(),
            uploaded: self.out.uploaded.clone(),
            dht: None,
            market: None,
            web_bytes: self.of_engines(Client::web_bytes),
            web_dropped: self.of_engines(|client| client.web_dropped.clone()),
            open_windows: self.out.checkers.open_windows(),
            violations: self.out.checkers.violations,
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Tick => self.tick(),
            Event::Arrival(id) => match &mut self.nodes[id.0 as usize] {
                Node::Engine(client) => client.arrivals(&mut self.out),
                Node::Script(script) => script.arrivals(&mut self.out),
                Node::Away(_) => {
                    let arrivals = self.out.take_arrivals(id);
                    self.out.recycle(id, arrivals);
                }
            },
            Event::Timer(id) => self.with(id, Client::timer),
            Event::Checked(id, piece) => self.with(id, |client, out| client.checked(piece, out)),
            Event::Writable(id) => self.with(id, Client::writable),
            Event::Connect(from, to) => self.connect(from, to),
            Event::Unreachable(id, address) => {
                self.with(id, |client, out| client.unreachable(address, out));
            }
            Event::WebBlock(id, fetch) => {
                self.with(id, |client, out| client.web_block(fetch, out));
            }
            Event::Join(id) => self.join(id),
            Event::Announce(id) => self.announce(id),
            Event::Script(id) => {
                if let Node::Script(script) = &mut self.nodes[id.0 as usize] {
                    script.turn(&mut self.out);
                }
            }
            Event::Action(index) => self.act(index),
        }
    }

    fn with(&mut self, id: NodeId, f: impl FnOnce(&mut Client, &mut Outside)) {
        if let Node::Engine(client) = &mut self.nodes[id.0 as usize] {
            f(client, &mut self.out);
        }
    }

    fn tick(&mut self) {
        let mut roomy = std::mem::take(&mut self.roomy);
        self.out.tick(&mut roomy);
        // One node's connections are handled together, as one wake-up would.
        roomy.sort_unstable_by_key(|end| (self.out.network.node(*end), *end));
        let mut rest = roomy.as_slice();
        while let Some(first) = rest.first() {
            let id = self.out.network.node(*first);
            let count = rest.iter().take_while(|end| self.out.network.node(**end) == id).count();
            let (ends, others) = rest.split_at(count);
            rest = others;
            self.with(id, |client, out| {
                for end in ends {
                    client.room(*end, out);
                }
                client.drive(out);
            });
        }
        roomy.clear();
        self.roomy = roomy;
    }

    fn act(&mut self, index: usize) {
        let action = self.plan.actions[index].1;
        if let Action::LeaveOnceSpread(id) = action
            && !self.is_spread_without(id)
        {
            self.out.queue.push(self.out.now + LOOK_AGAIN, Event::Action(index));
            return;
        }
        self.actions_left -= 1;
        match action {
            Action::Leave(id) | Action::LeaveOnceSpread(id) => self.leave(id),
            Action::Join(id) => self.join(id),
            Action::Play(id, window) => self.with(id, |client, out| client.play(window, out)),
        }
    }

    fn leave(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.0 as usize];
        let kept = match std::mem::replace(node, Node::Away(None)) {
            Node::Engine(client) => Some(client.leave(&mut self.out)),
            Node::Script(script) => {
                script.leave(&mut self.out);
                None
            }
            Node::Away(kept) => kept,
        };
        self.nodes[id.0 as usize] = Node::Away(kept);
    }

    /// Whether the honest nodes but for this one together have every piece.
    fn is_spread_without(&self, id: NodeId) -> bool {
        let mut spread = Bitfield::new(self.plan.pieces);
        for client in self.honest().filter(|client| client.id() != id) {
            client.have.iter().for_each(|piece| {
                spread.insert(piece);
            });
        }
        spread.is_full()
    }

    /// A node comes, with what is on its disk.
    fn join(&mut self, id: NodeId) {
        let at = id.0 as usize;
        let Node::Away(kept) = &mut self.nodes[at] else {
            return;
        };
        let (kept, spec) = (kept.take(), &self.plan.nodes[at]);
        self.nodes[at] = if spec.behaviour.is_engine() {
            Node::Engine(Box::new(Client::new(id, spec, kept, &mut self.out)))
        } else {
            Node::Script(Script::new(id, spec.behaviour, &mut self.out))
        };
        self.announce_at[at] = self.out.now;
        self.announce(id);
    }

    /// A node asks the tracker, and will again.
    fn announce(&mut self, id: NodeId) {
        let at = id.0 as usize;
        if self.announce_at[at] != self.out.now {
            return;
        }
        let (peers, source) = match self.plan.nodes[at].finds {
            Finds::ByTracker => (self.sample(id), Source::Tracker),
            Finds::Given(peer) => (vec![address_of(peer)], Source::Given),
            Finds::Nobody => (Vec::new(), Source::Tracker),
        };
        match &mut self.nodes[at] {
            Node::Away(_) => return,
            Node::Engine(client) => client.learned(&peers, source, &mut self.out),
            Node::Script(script) => script.learned(&peers, &mut self.out),
        }
        self.announce_at[at] = self.out.now + ANNOUNCE;
        self.out.queue.push(self.announce_at[at], Event::Announce(id));
    }

    /// Some nodes that are there, as a tracker would choose them.
    fn sample(&mut self, except: NodeId) -> Vec<SocketAddr> {
        let there = self.nodes.iter().enumerate();
        let there = there.filter(|(_, node)| !matches!(node, Node::Away(_)));
        let ids = there.map(|(at, _)| NodeId(at as u32)).filter(|id| *id != except);
        let mut peers: Vec<_> = ids.map(address_of).collect();
        self.out.rng.shuffle(&mut peers);
        peers.truncate(ANNOUNCE_PEERS);
        peers
    }

    /// A connect has had the time it takes: both sides agree, or it failed.
    fn connect(&mut self, from: NodeId, to: NodeId) {
        if matches!(self.nodes[from.0 as usize], Node::Away(_)) {
            return;
        }
        // Two engines find out by themselves that they are connected already.
        let is_script = |id: NodeId| matches!(self.nodes[id.0 as usize], Node::Script(_));
        let twice =
            (is_script(from) || is_script(to)) && (self.knows(from, to) || self.knows(to, from));
        let accepted = match &self.nodes[to.0 as usize] {
            Node::Engine(client) => client.dialer.accepts(address_of(from)),
            Node::Script(_) => true,
            Node::Away(_) => false,
        };
        if twice || !accepted || from == to {
            self.with(from, |client, out| client.failed(to, twice, out));
            return;
        }
        let (here, there) = self.out.connect(from, to);
        self.connected(from, here, to);
        self.connected(to, there, from);
    }

    fn connected(&mut self, id: NodeId, end: EndId, peer: NodeId) {
        match &mut self.nodes[id.0 as usize] {
            Node::Engine(client) => client.connected(end, peer, &mut self.out),
            Node::Script(script) => script.connected(end, &mut self.out),
            Node::Away(_) => {}
        }
    }

    fn knows(&self, id: NodeId, peer: NodeId) -> bool {
        match &self.nodes[id.0 as usize] {
            Node::Engine(client) => client.knows(peer),
            Node::Script(script) => script.knows(peer, &self.out),
            Node::Away(_) => false,
        }
    }

    fn all_finished(&self) -> bool {
        self.honest().all(|client| client.finished_at.is_some())
            && self
                .nodes
                .iter()
                .zip(&self.plan.nodes)
                .all(|(node, spec)| !matches!(node, Node::Away(_)) || self.out.now > spec.joins_at)
    }

    /// The honest engines that are there.
    fn honest(&self) -> impl Iterator<Item = &Client> {
        let nodes = self.nodes.iter().zip(&self.plan.nodes);
        let honest = nodes.filter(|(_, spec)| spec.behaviour == Behaviour::Honest);
        honest.filter_map(|(node, _)| node.engine())
    }

    /// What must be true at the end.
    fn judge(&mut self) {
        if self.plan.goal == Goal::RunOn || !self.out.checkers.violations.is_empty() {
            return;
        }
        let unfinished: Vec<_> = self
            .honest()
            .filter(|client| client.finished_at.is_none() || !client.disk.is_complete())
            .map(|client| (client.id(), client.have.count()))
            .collect();
        for (id, have) in unfinished {
            let pieces = self.plan.pieces;
            self.fail(id, &format!("has {have} of {pieces} pieces at the end"));
        }
    }

    fn fail(&mut self, node: NodeId, what: &str) {
        let (checker, at, what) = ("every download ends", self.out.now, what.to_owned());
        self.out.checkers.report(Violation { checker, node, at, what });
    }

    fn finish_times(&self) -> Vec<Option<Time>> {
        self.nodes.iter().map(|node| node.engine().and_then(|client| client.finished_at)).collect()
    }

    /// A figure of each node that the engine drives; nothing of others.
    fn of_engines<T: Default>(&self, figure: impl Fn(&Client) -> T) -> Vec<T> {
        self.nodes.iter().map(|node| node.engine().map(&figure).unwrap_or_default()).collect()
    }

    fn verified_times(&self) -> Vec<Vec<Time>> {
        let times = |client: &Client| client.verified_at.clone();
        self.nodes.iter().map(|node| node.engine().map(times).unwrap_or_default()).collect()
    }

    /// How long each node served each other one.
    fn served(&self) -> Vec<(NodeId, NodeId, Duration)> {
        let ends = self.out.checkers.facts.ends();
        ends.map(|(_, end)| (end.node, end.peer, end.served(self.out.now))).collect()
    }
}

fn expected(plan: &Plan) -> Vec<Expected> {
    let expected = plan.nodes.iter().map(|node| Expected {
        honest: node.behaviour == Behaviour::Honest,
        damaged_disk: node.disk.corrupt_after.is_some(),
        streaming: node.stream.is_some(),
        link_bytes: node.link.up_bytes,
        limit: node.limit,
        reserves: node.reserves.clone(),
        optimistic_slots: (node.slots.unwrap_or(8) / 5).max(1) as u32,
    });
    expected.collect()
}
