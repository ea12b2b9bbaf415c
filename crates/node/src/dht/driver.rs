//! The thread's loop: packets in, packets out.

use super::rounds::{Heard, Round, Rounds};
use super::routers::Names;
use super::{Beginning, Command, DhtConfig, DhtHandle, DhtStatus, Found, WAKE};
use crate::clock::Clock;
use crate::event::TorrentKey;
use crate::shard::ShardHandle;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use piecework_dht::{
    Config, Dht, EndpointConfig, EndpointIndex, Family, Goal, Item, LookupId, MutableName, Output,
    Saved,
};
use piecework_net::UdpSockets;
use piecework_swarm::{Source as Gossip, Voter};
use piecework_types::{InfoHash, Rng, Time};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::time::Duration;

/// Bytes of a packet that are read: more is no packet of ours.
const PACKET_BYTES: usize = 2048;

/// Packets of one socket that are read before what they led to is done.
const PACKETS_OF_TURN: usize = 64;

/// Between two savings of the table.
const SAVE_AFTER: Duration = Duration::from_secs(5 * 60);

/// Longest sleep.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Searches for items under way; more are refused.
const SEARCHES_MAX: usize = 64;

/// One of our addresses.
struct Endpoint {
    socket: UdpSocket,
    /// There may be more to read.
    is_ready: bool,
}

/// Whom to tell what a torrent's lookups find.
struct Member {
    shard: ShardHandle,
    announces: bool,
}

/// What a lookup is for.
enum Purpose {
    Torrent {
        key: TorrentKey,
        /// Peers that were told, without those that may be ourselves.
        others: usize,
    },
    Item(SyncSender<Found>),
}

pub(super) struct Driver {
    poll: Poll,
    clock: Clock,
    dht: Dht,
    endpoints: Vec<Endpoint>,
    commands: Receiver<Command>,
    handle: DhtHandle,
    shared: Arc<crate::engine::Shared>,
    rounds: Rounds,
    members: BTreeMap<TorrentKey, Member>,
    lookups: BTreeMap<LookupId, Purpose>,
    names: Names,
    /// Routers whose names are looked up once the nodes of the last run turn out to be gone.
    routers: Vec<String>,
    routers_at: Time,
    file: PathBuf,
    save_at: Time,
    status: DhtStatus,
}

impl Driver {
    /// Step 1: the machine, with what the last run knew.
    pub(super) fn new(
        poll: Poll,
        sockets: UdpSockets,
        commands: Receiver<Command>,
        handle: DhtHandle,
        beginning: Beginning,
    ) -> io::Result<Self> {
        let Beginning { config, clock, file, secret, mut rng, shared } = beginning;
        let saved = fs::read(&file).map(|bytes| Saved::decode(&bytes)).unwrap_or_default();
        let now = clock.now();
        let (mut endpoints, mut configs) = (Vec::new(), Vec::new());
        for (family, socket) in [(Family::V4, sockets.v4), (Family::V6, sockets.v6)] {
            let Some(mut socket) = socket else { continue };
            poll.registry().register(&mut socket, Token(endpoints.len()), Interest::READABLE)?;
            endpoints.push(Endpoint { socket, is_ready: false });
            configs.push(endpoint_config(family, &saved));
        }
        let knows_nodes = configs.iter().any(|endpoint| !endpoint.nodes.is_empty());
        let rounds = Rounds::new(Rng::new(rng.next_u64()));
        let DhtConfig { routers, scope } = config;
        let dht = Dht::new(Config { addresses: scope, ..Config::new(configs) }, secret, rng, now);
        Ok(Self {
            status: DhtStatus { port: handle.port, ..DhtStatus::default() },
            poll,
            clock,
            dht,
            endpoints,
            commands,
            handle,
            shared,
            rounds,
            members: BTreeMap::new(),
            lookups: BTreeMap::new(),
            names: Names::default(),
            routers,
            // Routers are spared when the nodes of the last run still answer.
            routers_at: if knows_nodes { now + Duration::from_secs(10) } else { now },
            file,
            save_at: Time::NEVER,
        })
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(16);
        loop {
            // Step 4.
            if let Err(error) = self.poll.poll(&mut events, Some(self.sleep()))
                && error.kind() != ErrorKind::Interrupted
            {
                tracing::error!(%error, "the UDP thread cannot wait for packets and ends");
                break;
            }
            for event in &events {
                if event.token() != WAKE
                    && let Some(here) = self.endpoints.get_mut(event.token().0)
                {
                    here.is_ready = true;
                }
            }
            let now = self.clock.now();
            if !self.take_commands(now) {
                break;
            }
            self.receive(now);
            if self.dht.poll_timeout().0 <= now {
                self.dht.handle_timeout(now);
            }
            self.start_rounds(now);
            self.find_routers(now);
            self.perform(now);
            if self.save_at <= now {
                self.save();
            }
        }
        self.save();
    }

    fn sleep(&self) -> Duration {
        if self.endpoints.iter().any(|here| here.is_ready) {
            return Duration::ZERO;
        }
        let next = self.dht.poll_timeout().0.min(self.rounds.poll_timeout());
        let next = next.min(self.save_at).min(self.routers_at);
        next.since(self.clock.now()).min(SLEEP_MAX)
    }

    /// False when it is time to end.
    fn take_commands(&mut self, now: Time) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Quit) | Err(TryRecvError::Disconnected) => return false,
                Ok(command) => self.obey(command, now),
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn obey(&mut self, command: Command, now: Time) {
        match command {
            Command::Join { key, hashes, standing, announces, shard } => {
                self.members.insert(key, Member { shard, announces });
                self.rounds.join(key, hashes.iter().collect(), standing, now);
            }
            Command::Stands { key, standing } => self.rounds.stands(key, standing, now),
            Command::Leave { key } => {
                self.members.remove(&key);
                self.rounds.leave(key);
                let dht = &mut self.dht;
                self.lookups.retain(|&lookup, purpose| {
                    let stays = !matches!(purpose, Purpose::Torrent { key: it, .. } if *it == key);
                    if !stays {
                        dht.cancel(lookup, now);
                    }
                    stays
                });
            }
            Command::Node(address) => {
                self.handle.nodes_waiting.fetch_sub(1, Ordering::Relaxed);
                for endpoint in self.indices() {
                    self.dht.add_node(endpoint, address, now);
                }
            }
            Command::Router(address) => {
                for endpoint in self.indices() {
                    self.dht.add_router(endpoint, address, now);
                }
            }
            Command::Names(names) => self.names.look_up(names, &self.handle),
            Command::Find { name, found } => self.find(&name, &found, now),
            Command::Rebound(sockets) => self.rebind(sockets),
            Command::Quit => {}
        }
    }

    /// Starts a search in each family.
    fn find(&mut self, name: &MutableName, found: &SyncSender<Found>, now: Time) {
        for endpoint in self.indices() {
            if self.lookups.len() >= SEARCHES_MAX + self.members.len() * 4 {
                continue;
            }
            let goal = Goal::Mutable { name: name.clone(), newer_than: None };
            if let Ok(lookup) = self.dht.start(endpoint, goal, now) {
                self.lookups.insert(lookup, Purpose::Item(found.clone()));
            }
        }
    }

    fn indices(&self) -> impl Iterator<Item = EndpointIndex> + use<> {
        // One of each family.
        (0..self.endpoints.len() as u8).map(EndpointIndex)
    }

    /// Puts new sockets in the place of those that lead nowhere. A family that there was none of at the
    /// start has no endpoint, and gets none.
    fn rebind(&mut self, mut sockets: UdpSockets) {
        for (index, here) in self.endpoints.iter_mut().enumerate() {
            let is_v4 = here.socket.local_addr().is_ok_and(|address| address.is_ipv4());
            let socket = if is_v4 { sockets.v4.take() } else { sockets.v6.take() };
            let Some(socket) = socket else { continue };
            drop(self.poll.registry().deregister(&mut here.socket));
            here.socket = socket;
            let registry = self.poll.registry();
            if let Err(error) =
                registry.register(&mut here.socket, Token(index), Interest::READABLE)
            {
                tracing::error!(%error, "the DHT hears nothing from now on");
            }
            here.is_ready = true;
        }
    }

    /// Step 2: a turn's packets of every socket.
    fn receive(&mut self, now: Time) {
        let mut packet = [0; PACKET_BYTES];
        for (here, index) in self.endpoints.iter_mut().zip(0..) {
            for _ in 0..PACKETS_OF_TURN {
                if !here.is_ready {
                    break;
                }
                match here.socket.recv_from(&mut packet) {
                    Ok((length, from)) => {
                        self.status.packets += 1;
                        self.dht.handle_packet(EndpointIndex(index), from, &packet[..length], now);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => here.is_ready = false,
                    // An earlier packet of ours found nobody; the next one may be fine.
                    Err(_) => {}
                }
            }
        }
    }

    /// Step 5: looks for peers of the torrents whose turn it is.
    fn start_rounds(&mut self, now: Time) {
        while self.rounds.poll_timeout() <= now
            && let Some(round) = self.rounds.poll(now)
        {
            let Round { key, hashes, is_seed } = round;
            let announces = self.members.get(&key).is_some_and(|member| member.announces);
            let mut started = 0;
            for info_hash in hashes {
                for endpoint in self.indices() {
                    let goal = self.goal(info_hash, is_seed, announces);
                    match self.dht.start(endpoint, goal, now) {
                        Ok(lookup) => {
                            self.lookups.insert(lookup, Purpose::Torrent { key, others: 0 });
                            started += 1;
                        }
                        Err(error) => tracing::debug!(%error, "no lookup for a torrent now"),
                    }
                }
            }
            self.rounds.started(key, started, now);
        }
    }

    fn goal(&self, info_hash: InfoHash, is_seed: bool, announces: bool) -> Goal {
        if announces {
            return Goal::Announce {
                info_hash,
                port: Some(self.shared.external.port()),
                seed: is_seed,
            };
        }
        Goal::Peers { info_hash, no_seeds: false, scrape: false }
    }

    /// Names of routers are looked up only when the nodes of the last run do not answer.
    fn find_routers(&mut self, now: Time) {
        if self.routers_at > now {
            return;
        }
        self.routers_at = Time::NEVER;
        if self.status.nodes_v4 + self.status.nodes_v6 == 0 {
            self.names.look_up(std::mem::take(&mut self.routers), &self.handle);
        }
    }

    /// Step 3.
    fn perform(&mut self, now: Time) {
        while let Some(output) = self.dht.poll() {
            match output {
                Output::Send { endpoint, to, bytes } => {
                    if let Some(here) = self.endpoints.get(usize::from(endpoint.0)) {
                        // A packet that cannot go is as good as one that is lost on its way.
                        drop(here.socket.send_to(&bytes, to));
                    }
                }
                Output::PeersFound { lookup, peers } => {
                    if let Some(Purpose::Torrent { key, others }) = self.lookups.get_mut(&lookup)
                        && let Some(member) = self.members.get(key)
                    {
                        let port = self.shared.external.port();
                        *others += peers.iter().filter(|peer| peer.port() != port).count();
                        let source = Gossip::Dht { is_local: self.handle.is_local };
                        member.shard.found(*key, peers, source);
                    }
                }
                Output::ItemFound { lookup, item } => {
                    if let (Some(Purpose::Item(found)), Item::Mutable(item)) =
                        (self.lookups.get(&lookup), item)
                    {
                        // Who does not read any more needs no answer.
                        drop(found.try_send(Found::Item(item)));
                    }
                }
                Output::Finished { lookup, outcome } => {
                    self.finished(lookup, outcome.answered, now);
                }
                Output::TableChanged { .. } => self.table_changed(now),
                Output::AddressElected { ip, .. } => {
                    self.shared.external.vote(Voter::Dht, ip);
                    self.publish();
                }
                Output::TorrentsSampled { .. } => {}
            }
        }
    }

    fn finished(&mut self, lookup: LookupId, answered: usize, now: Time) {
        self.publish();
        match self.lookups.remove(&lookup) {
            Some(Purpose::Torrent { key, others }) => {
                self.rounds.finished(key, Heard { nodes: answered, peers: others }, now);
            }
            Some(Purpose::Item(found)) => drop(found.try_send(Found::Over { answered })),
            None => {}
        }
    }

    fn table_changed(&mut self, now: Time) {
        let had_none = self.status.nodes_v4 + self.status.nodes_v6 == 0;
        self.publish();
        if had_none && self.status.nodes_v4 + self.status.nodes_v6 > 0 {
            self.rounds.node_found(now);
        }
        if self.save_at == Time::NEVER {
            self.save_at = now + SAVE_AFTER;
        }
    }

    fn publish(&mut self) {
        for endpoint in self.indices() {
            let Some(view) = self.dht.endpoint(endpoint) else { continue };
            let (nodes, external) = match view.family {
                Family::V4 => (&mut self.status.nodes_v4, &mut self.status.external_v4),
                Family::V6 => (&mut self.status.nodes_v6, &mut self.status.external_v6),
            };
            (*nodes, *external) = (view.good, view.external);
        }
        *self.handle.status.lock().unwrap_or_else(PoisonError::into_inner) = self.status;
    }

    /// Step 6.
    fn save(&mut self) {
        self.save_at = Time::NEVER;
        if let Err(error) = replace(&self.file, &self.dht.saved().encode()) {
            tracing::warn!(path = %self.file.display(), %error, "the DHT's table was not saved");
        }
    }
}

/// Writes a file as a whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&new, bytes)?;
    fs::rename(&new, path)
}

fn endpoint_config(family: Family, saved: &Saved) -> EndpointConfig {
    let mut config = EndpointConfig::new(family);
    if let Some(saved) = saved.endpoints.iter().find(|endpoint| endpoint.family == family) {
        config.id = Some(saved.id);
        config.nodes.clone_from(&saved.nodes);
    }
    config
}
