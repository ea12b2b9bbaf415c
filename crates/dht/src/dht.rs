//! The machine: one node of the DHT.
//!
//! Owns endpoints, lookups, queries under way and what is stored for others. The parts: [`serve`] answers
//! others, [`answers`] takes what others answer, [`run`] moves lookups on, [`upkeep`] looks after tables.
//! It must not know sockets, clocks or torrents' state.

use crate::asks::{Asks, For, Overdue, Pace};
use crate::config::{
    Config, ENDPOINTS_MAX, EndpointConfig, EndpointIndex, Goal, ITEM_SENT_BYTES_MAX, LOOKUPS_MAX,
    LOOKUPS_WAITING_MAX, LookupId, Output, ROUTERS_MAX, Reason, SENT_BYTES_MAX, StartError,
};
use crate::item_store::ItemStore;
use crate::krpc::{Body, Message, Method, Query, Want};
use crate::peer_store::PeerStore;
use crate::saved::{Saved, SavedEndpoint};
use crate::strangers::{Stranger, Strangers};
use crate::table::{BUCKET_NODES_MAX, Table};
use crate::token::Keys;
use crate::vote::Ballot;
use crate::{Contact, Family, NodeId};
use piecework_types::{Allowance, Allowances, Rng, Time};
use run::Running;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

mod answers;
mod run;
mod serve;
#[cfg(test)]
mod tests;
mod upkeep;

/// A node of the DHT. The crate's documentation has its run loop.
pub struct Dht {
    config: Config,
    keys: Keys,
    rng: Rng,
    endpoints: Vec<Endpoint>,
    asks: Asks,
    lookups: BTreeMap<LookupId, Running>,
    waiting: VecDeque<(LookupId, EndpointIndex, Goal)>,
    lookups_started: u64,
    peers: PeerStore,
    items: ItemStore,
    budgets: Budgets,
    counters: Counters,
    outputs: VecDeque<Output>,
    next_upkeep: Time,
}

/// One of our addresses at work.
struct Endpoint {
    family: Family,
    id: NodeId,
    table: Table,
    ballot: Ballot,
    external: Option<IpAddr>,
    pace: Pace,
    /// Where to begin when the table is empty.
    known: Vec<Contact>,
    routers: Vec<SocketAddr>,
    strangers: Strangers,
    /// Any packet at all: while none comes, silence says nothing about others.
    heard_at: Time,
    next_bootstrap: Time,
    bootstraps: u32,
    /// Our neighbours were looked for since there are enough nodes.
    is_settled: bool,
    has_changed: bool,
}

/// What others may have of us.
struct Budgets {
    total: Allowance,
    senders: Allowances,
    puts: Allowance,
    putters: Allowances,
}

/// What became of packets, for people who want to know.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Queries that were answered, with an error too.
    pub answered: u64,
    /// Queries above a budget, unanswered.
    pub over_budget: u64,
    /// Queries whose answer would have been too long for them.
    pub unanswerable: u64,
    /// Packets that are no messages.
    pub malformed: u64,
    /// Answers that nobody had asked for, or that came from somebody else.
    pub strays: u64,
    /// Packets from addresses that are not talked to.
    pub refused: u64,
}

/// What an endpoint knows, for people who want to know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EndpointView {
    /// Its family.
    pub family: Family,
    /// Its id.
    pub id: NodeId,
    /// How the world sees it, once enough nodes agree.
    pub external: Option<IpAddr>,
    /// Nodes in its table that are not bad.
    pub good: usize,
}

/// What is kept for others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoredView {
    /// Torrents with peers.
    pub torrents: usize,
    /// Their peers.
    pub peers: usize,
    /// Items.
    pub items: usize,
}

impl Dht {
    /// A node that begins now. `secret` comes from the operating system and is told to nobody: tokens and
    /// transaction ids hang on it. `rng` chooses ids and samples.
    pub fn new(config: Config, secret: [u8; 32], mut rng: Rng, now: Time) -> Self {
        let keys = Keys::new(secret);
        let compliance = config.compliance;
        let endpoint = |endpoint: &EndpointConfig| {
            let id = endpoint.id.unwrap_or_else(|| match endpoint.external {
                Some(ip) => NodeId::for_address(ip, &mut rng),
                None => NodeId::random(&mut rng),
            });
            Endpoint {
                family: endpoint.family,
                id,
                table: Table::new(id, compliance, now),
                ballot: Ballot::default(),
                external: endpoint.external,
                pace: Pace::default(),
                known: endpoint.nodes.clone(),
                routers: endpoint.routers.clone(),
                strangers: Strangers::default(),
                heard_at: now,
                next_bootstrap: now,
                bootstraps: 0,
                is_settled: false,
                has_changed: false,
            }
        };
        let endpoints = config.endpoints.iter().take(ENDPOINTS_MAX).map(endpoint).collect();
        Self {
            asks: Asks::new(keys.clone()),
            endpoints,
            lookups: BTreeMap::new(),
            waiting: VecDeque::new(),
            lookups_started: 0,
            peers: PeerStore::new(config.torrents_max),
            items: ItemStore::new(config.items_max),
            budgets: Budgets {
                total: Allowance::full(config.total_rate, now),
                senders: Allowances::new(config.sender_rate),
                puts: Allowance::full(config.total_put_rate, now),
                putters: Allowances::new(config.sender_put_rate),
            },
            counters: Counters::default(),
            outputs: VecDeque::new(),
            next_upkeep: now,
            config,
            keys,
            rng,
        }
    }

    /// Takes a packet that came to `endpoint`.
    pub fn handle_packet(
        &mut self,
        endpoint: EndpointIndex,
        from: SocketAddr,
        packet: &[u8],
        now: Time,
    ) {
        let Some(here) = self.endpoints.get_mut(usize::from(endpoint.0)) else { return };
        if Family::of(from.ip()) != here.family || !self.config.addresses.allows(from) {
            self.counters.refused += 1;
            return;
        }
        here.heard_at = now;
        match Message::decode(packet) {
            Ok(Message { transaction, body: Body::Query(query), .. }) => {
                self.handle_query(endpoint, from, (&transaction, packet.len()), query, now);
            }
            Ok(message) => self.handle_answer(endpoint, from, message, now),
            Err(fault) => self.handle_fault(endpoint, from, packet.len(), fault, now),
        }
    }

    /// Does what is due. To be called at the moment of [`Self::poll_timeout`]; earlier does no harm.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(overdue) = self.asks.next_overdue(now) {
            match overdue {
                Overdue::Late(ask) => self.answer_is_late(ask, now),
                Overdue::Silent(ask) => self.answer_failed(ask, now),
            }
        }
        if now >= self.next_upkeep {
            self.upkeep(now);
        }
    }

    /// The next thing to do, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called, and why.
    pub fn poll_timeout(&self) -> (Time, Reason) {
        let upkeep = (self.next_upkeep, Reason::Upkeep);
        self.asks.next_deadline().map_or(upkeep, |at| upkeep.min((at, Reason::Answer)))
    }

    /// Starts a lookup from this endpoint, or puts it in line. Its [`Output::Finished`] always comes,
    /// unless it is cancelled.
    ///
    /// # Errors
    /// When the endpoint does not exist or too many lookups wait.
    pub fn start(
        &mut self,
        endpoint: EndpointIndex,
        goal: Goal,
        now: Time,
    ) -> Result<LookupId, StartError> {
        if usize::from(endpoint.0) >= self.endpoints.len() {
            return Err(StartError::NoEndpoint(endpoint));
        }
        if self.waiting.len() >= LOOKUPS_WAITING_MAX {
            return Err(StartError::TooMany);
        }
        let id = self.next_lookup_id();
        self.waiting.push_back((id, endpoint, goal));
        self.begin_waiting(now);
        Ok(id)
    }

    /// Ends a lookup without a word. What is under way for it is ignored when it comes.
    pub fn cancel(&mut self, lookup: LookupId, now: Time) {
        self.waiting.retain(|(id, ..)| *id != lookup);
        self.lookups.remove(&lookup);
        self.begin_waiting(now);
    }

    /// Tells of a node that somebody named: the PORT message of a peer (BEP 5), or a torrent's nodes. It
    /// is pinged if there is room for it.
    pub fn add_node(&mut self, endpoint: EndpointIndex, address: SocketAddr, now: Time) {
        let Some(here) = self.endpoints.get_mut(usize::from(endpoint.0)) else { return };
        if here.family == Family::of(address.ip()) && self.config.addresses.allows(address) {
            here.strangers.add(Stranger { address, was_prompted: false }, now);
        }
    }

    /// Tells of a router: a node that is asked only while the table is nearly empty. At most
    /// [`ROUTERS_MAX`] of an endpoint are kept.
    pub fn add_router(&mut self, endpoint: EndpointIndex, address: SocketAddr, now: Time) {
        let Some(here) = self.endpoints.get_mut(usize::from(endpoint.0)) else { return };
        let is_usable =
            here.family == Family::of(address.ip()) && self.config.addresses.allows(address);
        if !is_usable || here.routers.contains(&address) || here.routers.len() >= ROUTERS_MAX {
            return;
        }
        here.routers.push(address);
        if here.table.good() == 0 {
            here.next_bootstrap = now;
            self.next_upkeep = now;
        }
    }

    /// Whether queries are answered from now on (BEP 43).
    pub fn set_read_only(&mut self, is_read_only: bool) {
        self.config.is_read_only = is_read_only;
    }

    /// What to give to a restart.
    pub fn saved(&self) -> Saved {
        let saved = |endpoint: &Endpoint| {
            let mut nodes = endpoint.table.contacts();
            if nodes.len() < BUCKET_NODES_MAX {
                // A bad day must not cost what was known before.
                let is_new = |known: &&Contact| !nodes.contains(known);
                let before: Vec<_> = endpoint.known.iter().filter(is_new).copied().collect();
                nodes.extend(before);
            }
            nodes.truncate(crate::saved::SAVED_NODES_MAX);
            SavedEndpoint { family: endpoint.family, id: endpoint.id, nodes }
        };
        Saved { endpoints: self.endpoints.iter().map(saved).collect() }
    }

    /// An endpoint as people see it.
    pub fn endpoint(&self, endpoint: EndpointIndex) -> Option<EndpointView> {
        let Endpoint { family, id, external, table, .. } =
            self.endpoints.get(usize::from(endpoint.0))?;
        Some(EndpointView { family: *family, id: *id, external: *external, good: table.good() })
    }

    /// What is kept for others.
    pub fn stored(&self) -> StoredView {
        let (torrents, peers) = self.peers.len();
        StoredView { torrents, peers, items: self.items.len() }
    }

    /// What became of packets.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Lookups under way or in line, those of the node itself not counted, and queries under way.
    pub fn load(&self) -> (usize, usize) {
        let own = self.lookups.values().filter(|running| running.is_internal).count();
        (self.lookups.len() - own + self.waiting.len(), self.asks.len())
    }

    fn here(&self, endpoint: EndpointIndex) -> &Endpoint {
        &self.endpoints[usize::from(endpoint.0)]
    }

    fn here_mut(&mut self, endpoint: EndpointIndex) -> &mut Endpoint {
        &mut self.endpoints[usize::from(endpoint.0)]
    }

    const fn next_lookup_id(&mut self) -> LookupId {
        self.lookups_started += 1;
        LookupId(self.lookups_started)
    }

    /// Begins lookups that wait while there is room.
    fn begin_waiting(&mut self, now: Time) {
        while self.lookups.values().filter(|running| !running.is_internal).count() < LOOKUPS_MAX {
            let Some((id, endpoint, goal)) = self.waiting.pop_front() else { return };
            self.begin(id, endpoint, goal, false, now);
        }
    }

    /// Sends a query. False if too many are under way.
    fn ask(
        &mut self,
        endpoint: EndpointIndex,
        to: SocketAddr,
        purpose: For,
        query: Query,
        now: Time,
    ) -> bool {
        let patience = self.here(endpoint).pace.patience();
        let Some(transaction) = self.asks.begin(endpoint, to, purpose, patience, now) else {
            return false;
        };
        let room = answer_room(&query.method, self.here(endpoint).family);
        let mut message = Message {
            transaction: transaction.to_vec(),
            version: Some(self.config.version),
            seen_as: None,
            body: Body::Query(query),
        };
        let mut bytes = message.encode();
        // Others may keep the factor too: a longer query lets them say more.
        let wanted = room.div_ceil(crate::AMPLIFICATION_MAX);
        if let Body::Query(query) = &mut message.body
            && let Some(missing) = wanted.checked_sub(bytes.len())
            && missing > 0
        {
            query.padding = missing;
            bytes = message.encode();
        }
        self.outputs.push_back(Output::Send { endpoint, to, bytes });
        true
    }

    fn query(&self, endpoint: EndpointIndex, method: Method) -> Query {
        Query { read_only: self.config.is_read_only, ..Query::new(self.here(endpoint).id, method) }
    }
}

/// Bytes that a good answer to this query needs.
const fn answer_room(method: &Method, family: Family) -> usize {
    match method {
        Method::Ping
        | Method::AnnouncePeer { .. }
        | Method::Put { .. }
        | Method::Unknown { .. } => 0,
        Method::GetPeers { scrape: true, .. } | Method::SampleInfoHashes { .. } => SENT_BYTES_MAX,
        Method::Get { .. } => ITEM_SENT_BYTES_MAX,
        Method::FindNode { .. } | Method::GetPeers { .. } => match family {
            Family::V4 => 310,
            Family::V6 => 430,
        },
    }
}

/// Which families an answer should name nodes of.
fn wanted(want: Option<Want>, family: Family) -> Want {
    want.unwrap_or(Want { v4: family == Family::V4, v6: family == Family::V6 })
}
