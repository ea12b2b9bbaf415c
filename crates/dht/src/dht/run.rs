//! Lookups under way: whom they ask, what they found, and what they store at the end.

use super::Dht;
use crate::asks::For;
use crate::config::{EndpointIndex, Goal, LookupId, Outcome, Output, Scrape};
use crate::krpc::{ErrorCode, Filters, Method, Query, Response, Want};
use crate::lookup::{Given, Lookup};
use crate::table::BUCKET_NODES_MAX;
use crate::{Contact, Family, ImmutableItem, Item, MutableItem, MutableName};
use piecework_types::Time;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Peers that one lookup tells at most: more than anybody connects to.
const PEERS_TOLD_MAX: usize = 2000;
/// Reasons of refusals that are kept.
const REFUSALS_MAX: usize = 8;

/// A lookup and what it found.
pub(super) struct Running {
    endpoint: EndpointIndex,
    goal: Goal,
    lookup: Lookup,
    /// Asked by nobody but the table.
    pub(super) is_internal: bool,
    /// Peers that were told.
    told: BTreeSet<SocketAddr>,
    item: Option<Item>,
    filters: Option<Filters>,
    storing: Option<Storing>,
    stored: usize,
    refusals: Vec<ErrorCode>,
}

/// What is left to store.
#[derive(Clone, Copy, Debug)]
struct Storing {
    asked: usize,
    pending: usize,
}

impl Dht {
    /// Begins a lookup with the closest nodes that are known.
    pub(super) fn begin(
        &mut self,
        id: LookupId,
        endpoint: EndpointIndex,
        goal: Goal,
        is_internal: bool,
        now: Time,
    ) {
        let here = self.here(endpoint);
        let mut known = here.table.closest(goal.target(), 2 * BUCKET_NODES_MAX);
        let is_lost = known.len() < BUCKET_NODES_MAX;
        if is_lost {
            known.extend(&here.known);
        }
        let mut lookup = Lookup::new(goal.target(), &known, self.config.compliance);
        if is_lost {
            lookup.add_addresses(&here.routers);
        }
        let running = Running {
            endpoint,
            goal,
            lookup,
            is_internal,
            told: BTreeSet::new(),
            item: None,
            filters: None,
            storing: None,
            stored: 0,
            refusals: Vec::new(),
        };
        self.lookups.insert(id, running);
        self.drive(id, now);
    }

    /// Asks whom the lookup wants to ask; then lets it store, or ends it.
    pub(super) fn drive(&mut self, id: LookupId, now: Time) {
        let Some(mut running) = self.lookups.remove(&id) else { return };
        if running.storing.is_none() {
            while let Some(contact) = running.lookup.next() {
                let query = self.lookup_query(&running);
                let purpose = For::Lookup(id);
                if !self.ask(running.endpoint, contact.address, purpose, query, now) {
                    running.lookup.failed(contact.address);
                }
            }
            if running.lookup.is_done() {
                running.storing = Some(self.store(id, &running, now));
            }
        }
        if running.storing.is_some_and(|storing| storing.pending == 0) {
            self.finish(id, running, now);
        } else {
            self.lookups.insert(id, running);
        }
    }

    fn lookup_query(&self, running: &Running) -> Query {
        let target = running.lookup.target();
        let method = match &running.goal {
            Goal::Nodes(_) => Method::FindNode { target },
            Goal::Peers { info_hash, no_seeds, scrape } => {
                Method::GetPeers { info_hash: *info_hash, no_seeds: *no_seeds, scrape: *scrape }
            }
            Goal::Announce { info_hash, .. } => {
                Method::GetPeers { info_hash: *info_hash, no_seeds: false, scrape: false }
            }
            Goal::Mutable { newer_than, .. } => Method::Get { target, newer_than: *newer_than },
            Goal::Immutable(_) | Goal::Put { .. } => Method::Get { target, newer_than: None },
            Goal::Sample(_) => Method::SampleInfoHashes { target },
        };
        let mut query = self.query(running.endpoint, method);
        // A dual-stack node that begins helps its other half (BEP 32).
        let family = self.here(running.endpoint).family;
        let is_poor = |other: &super::Endpoint| {
            other.family != family && other.table.good() < BUCKET_NODES_MAX
        };
        if running.is_internal && self.endpoints.iter().any(is_poor) {
            query.want = Some(Want { v4: true, v6: true });
        }
        query
    }

    /// Tells the closest nodes what the lookup is for, if it is for storing.
    fn store(&mut self, id: LookupId, running: &Running, now: Time) -> Storing {
        let mut storing = Storing { asked: 0, pending: 0 };
        for (contact, given) in running.lookup.closest() {
            let Some(method) = store_method(&running.goal, given) else { continue };
            let query = self.query(running.endpoint, method);
            if self.ask(running.endpoint, contact.address, For::Store(id), query, now) {
                storing.asked += 1;
                storing.pending += 1;
            }
        }
        storing
    }

    fn finish(&mut self, id: LookupId, running: Running, now: Time) {
        if running.is_internal {
            return;
        }
        let stored_at = running.storing.map_or(0, |storing| storing.asked);
        let outcome = Outcome {
            asked: running.lookup.asked() + stored_at,
            answered: running.lookup.answers(),
            closest: running.lookup.closest().into_iter().map(|(contact, _)| contact).collect(),
            peers: running.told.len(),
            stored: running.stored,
            refusals: running.refusals,
            scrape: running.filters.map(|filters| Scrape {
                seeds: filters.seeds.estimate(),
                peers: filters.peers.estimate(),
            }),
        };
        self.outputs.push_back(Output::Finished { lookup: id, outcome });
        self.begin_waiting(now);
    }

    /// A node answered the lookup's query.
    pub(super) fn lookup_answered(
        &mut self,
        id: LookupId,
        from: Contact,
        response: Response,
        now: Time,
    ) {
        let Some(running) = self.lookups.get_mut(&id) else { return };
        let here = &self.endpoints[usize::from(running.endpoint.0)];
        let named = match here.family {
            Family::V4 => &response.nodes,
            Family::V6 => &response.nodes6,
        };
        let is_usable =
            |node: &&Contact| self.config.addresses.allows(node.address) && node.id != here.id;
        let nodes: Vec<_> = named.iter().flatten().filter(is_usable).copied().collect();
        let given = Given { token: response.token.clone(), sequence: response.sequence };
        running.lookup.answered(from, given, &nodes);
        let peers: Vec<_> = response
            .values
            .iter()
            .copied()
            .filter(|peer| {
                self.config.addresses.allows(*peer) && Family::of(peer.ip()) == here.family
            })
            .collect();
        let peers = running.tell(peers);
        if !peers.is_empty() {
            self.outputs.push_back(Output::PeersFound { lookup: id, peers });
        }
        if let Some(filters) = &response.filters {
            running.count(filters);
        }
        if let Some(item) = running.newer_item(&response) {
            running.item = Some(item.clone());
            self.outputs.push_back(Output::ItemFound { lookup: id, item });
        }
        if let (Goal::Sample(_), Some(samples)) = (&running.goal, response.samples) {
            self.outputs.push_back(Output::TorrentsSampled { lookup: id, from, samples });
        }
        self.drive(id, now);
    }

    /// A node takes longer than most.
    pub(super) fn lookup_late(&mut self, id: LookupId, address: SocketAddr, now: Time) {
        if let Some(running) = self.lookups.get_mut(&id) {
            running.lookup.late(address);
            self.drive(id, now);
        }
    }

    /// A node did not answer, or refused to.
    pub(super) fn lookup_failed(&mut self, id: LookupId, address: SocketAddr, now: Time) {
        if let Some(running) = self.lookups.get_mut(&id) {
            running.lookup.failed(address);
            self.drive(id, now);
        }
    }

    /// A node stored something, refused to, or did not answer.
    pub(super) fn store_answered(
        &mut self,
        id: LookupId,
        result: Result<(), Option<ErrorCode>>,
        now: Time,
    ) {
        let Some(running) = self.lookups.get_mut(&id) else { return };
        if let Some(storing) = &mut running.storing {
            storing.pending = storing.pending.saturating_sub(1);
        }
        match result {
            Ok(()) => running.stored += 1,
            Err(Some(code)) if running.refusals.len() < REFUSALS_MAX => running.refusals.push(code),
            Err(_) => {}
        }
        self.drive(id, now);
    }
}

impl Running {
    /// Whether this endpoint runs it for its own table.
    pub(super) fn is_internal_of(&self, endpoint: EndpointIndex) -> bool {
        self.is_internal && self.endpoint == endpoint
    }

    /// The peers that were not told before.
    fn tell(&mut self, mut peers: Vec<SocketAddr>) -> Vec<SocketAddr> {
        if !matches!(self.goal, Goal::Peers { .. } | Goal::Announce { .. }) {
            return Vec::new();
        }
        peers.retain(|peer| self.told.len() < PEERS_TOLD_MAX && self.told.insert(*peer));
        peers
    }

    fn count(&mut self, filters: &Filters) {
        if !matches!(self.goal, Goal::Peers { scrape: true, .. }) {
            return;
        }
        match &mut self.filters {
            None => self.filters = Some(filters.clone()),
            Some(all) => {
                all.seeds.unite(&filters.seeds);
                all.peers.unite(&filters.peers);
            }
        }
    }

    /// The item of this answer, if it is the one that is wanted, true, and newer than what was told.
    fn newer_item(&self, response: &Response) -> Option<Item> {
        let value = response.value.as_ref()?;
        match &self.goal {
            Goal::Immutable(target) if self.item.is_none() => {
                let item = Item::Immutable(ImmutableItem::new(value.clone()).ok()?);
                (item.target() == *target).then_some(item)
            }
            Goal::Mutable { name, newer_than } => self.newer_version(name, *newer_than, response),
            Goal::Put { item: Item::Mutable(ours), .. } => {
                self.newer_version(ours.name(), Some(ours.sequence()), response)
            }
            Goal::Immutable(_)
            | Goal::Put { .. }
            | Goal::Nodes(_)
            | Goal::Peers { .. }
            | Goal::Announce { .. }
            | Goal::Sample(_) => None,
        }
    }

    fn newer_version(
        &self,
        name: &MutableName,
        newer_than: Option<i64>,
        response: &Response,
    ) -> Option<Item> {
        let (sequence, value) = (response.sequence?, response.value.clone()?);
        let told = match &self.item {
            Some(Item::Mutable(item)) => Some(item.sequence()),
            _ => newer_than,
        };
        // The signature is looked at last: it costs most.
        if response.key? != name.key() || told.is_some_and(|told| sequence <= told) {
            return None;
        }
        let item = MutableItem::verify(name.clone(), sequence, response.signature?, value);
        item.ok().map(Item::Mutable)
    }
}

/// The query that stores at a node what the goal is about, if it is about storing and the node gave a
/// token.
fn store_method(goal: &Goal, given: Given) -> Option<Method> {
    let Given { token, sequence } = given;
    match goal {
        Goal::Announce { info_hash, port, seed } => Some(Method::AnnouncePeer {
            info_hash: *info_hash,
            port: port.unwrap_or(0),
            implied_port: port.is_none(),
            seed: *seed,
            token: token?,
        }),
        Goal::Put { item, compare } => Some(Method::Put {
            token: token?,
            value: item.value().to_vec(),
            signed: match item {
                Item::Immutable(_) => None,
                // A node that has nothing to compare with is not told to compare (BEP 44).
                Item::Mutable(item) => Some(item.signed(compare.filter(|_| sequence.is_some()))),
            },
        }),
        Goal::Nodes(_)
        | Goal::Peers { .. }
        | Goal::Immutable(_)
        | Goal::Mutable { .. }
        | Goal::Sample(_) => None,
    }
}
