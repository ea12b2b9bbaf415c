//! The nodes an endpoint knows, many near its own id and few far from it (BEP 5, "Routing Table").
//!
//! Owns buckets and their replacements. Invariants: a node stands here only once it has answered; one
//! public address stands here once, one network [`NETWORK_NODES_MAX`] times at most and in a bucket
//! [`BUCKET_NETWORK_NODES_MAX`] times; a bucket holds [`BUCKET_NODES_MAX`] nodes and as many
//! replacements. Must not know messages; the machine says who answered and who did not.

use crate::contact::{Network, is_local};
use crate::{Contact, NodeId};
use piecework_types::{Rng, Time};
use std::net::SocketAddr;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Nodes in a bucket, and in an answer (BEP 5 calls it K).
pub const BUCKET_NODES_MAX: usize = 8;
/// Nodes of one /24 or /64 in a bucket.
pub const BUCKET_NETWORK_NODES_MAX: usize = 2;
/// Nodes of one /24 or /64 in a table.
pub const NETWORK_NODES_MAX: usize = 8;
/// Nodes of a bucket that may break BEP 42 while compliance is preferred.
const BUCKET_STRANGERS_MAX: usize = BUCKET_NODES_MAX / 2;
/// Buckets of a table: one for each bit of an id.
const BUCKETS_MAX: usize = 160;
/// How long a silent node stays good, and a bucket fresh (BEP 5).
const FRESH: Duration = Duration::from_secs(15 * 60);
/// Failures in a row that make a node bad: it is no longer named to others, and replaced.
const BAD: u8 = 2;
/// Failures in a row after which a node goes though nobody replaces it.
const HOPELESS: u8 = 5;
/// How long a router may let a stranger in whom its node has spoken to.
const ROUTER_MEMORY: Duration = Duration::from_secs(3 * 60);
/// Between two pings of one silent node.
const PING_GAP: Duration = Duration::from_secs(60);

/// What is done with nodes whose id does not fit their address (BEP 42).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Compliance {
    /// They are nodes as all others.
    Ignored,
    /// Compliant nodes have half of each bucket for themselves and take the others' places too, get half
    /// of all questions, and at least half of what is stored.
    Preferred,
    /// They stand in no table, end no lookup and are given nothing to store.
    Enforced,
}

/// A node of the table.
#[derive(Clone, Copy, Debug)]
struct Node {
    contact: Contact,
    is_compliant: bool,
    /// It answered a query that it had not opened its router for: strangers reach it too.
    is_reachable: bool,
    seen: Time,
    /// When it was last pinged for its silence.
    pinged: Time,
    failures: u8,
}

#[derive(Clone, Debug, Default)]
struct Bucket {
    nodes: Vec<Node>,
    /// Nodes that answered while the bucket was full, oldest first.
    replacements: Vec<Node>,
    changed: Time,
    /// It was looked for nodes of it once, whether or not it had room.
    was_explored: bool,
}

/// Who answered, and what that says about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) contact: Contact,
    /// When the query went out.
    pub(crate) sent: Time,
    /// It had sent us something first, so that its router may have let our query in.
    pub(crate) was_prompted: bool,
}

/// A routing table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    own: NodeId,
    compliance: Compliance,
    buckets: Vec<Bucket>,
}

impl Table {
    pub(crate) fn new(own: NodeId, compliance: Compliance, now: Time) -> Self {
        let bucket = Bucket { changed: now, ..Bucket::default() };
        Self { own, compliance, buckets: vec![bucket] }
    }

    /// Moves to another id of ours and keeps the nodes that still find a place.
    pub(crate) fn rename(&mut self, own: NodeId, now: Time) {
        let old = std::mem::replace(self, Self::new(own, self.compliance, now));
        for bucket in old.buckets {
            for node in bucket.nodes.into_iter().chain(bucket.replacements) {
                self.insert(node);
            }
        }
    }

    /// A node answered: it is good. True if the table has it now and had it not before.
    pub(crate) fn answered(&mut self, answered: Answered, now: Time) -> bool {
        let Answered { contact, sent, was_prompted } = answered;
        if let Some(node) = self.find_mut(contact.address) {
            if node.contact.id == contact.id {
                node.is_reachable |= sent.since(node.seen) > ROUTER_MEMORY;
                (node.seen, node.failures) = (now, 0);
                let index = self.index(contact.id);
                self.buckets[index].changed = now;
                return false;
            }
            // It restarted, or shows everybody another face (BEP 45): it begins anew.
            self.remove(contact.address);
        }
        let is_compliant = contact.id.fits(contact.address.ip());
        let is_reachable = !was_prompted;
        let pinged = Time::ZERO;
        self.insert(Node { contact, is_compliant, is_reachable, seen: now, pinged, failures: 0 })
    }

    /// A node asked us something. Does nothing for strangers.
    pub(crate) fn heard(&mut self, contact: Contact, now: Time) {
        if let Some(node) = self.find_mut(contact.address)
            && node.contact.id == contact.id
        {
            node.seen = now;
        }
    }

    /// A node did not answer. True if the table lost it.
    pub(crate) fn failed(&mut self, address: SocketAddr) -> bool {
        let Some((index, at)) = self.position(address) else { return false };
        let bucket = &mut self.buckets[index];
        let failures = bucket.nodes[at].failures.saturating_add(1);
        bucket.nodes[at].failures = failures;
        if failures < BAD {
            return false;
        }
        let replacement = self.best_replacement(index, at);
        if replacement.is_none() && failures < HOPELESS {
            return false;
        }
        let bucket = &mut self.buckets[index];
        bucket.nodes.remove(at);
        if let Some(replacement) = replacement {
            let node = bucket.replacements.remove(replacement);
            bucket.nodes.push(node);
        }
        true
    }

    /// Whether a node that nobody has asked yet would be worth a ping.
    pub(crate) fn wants(&self, contact: Contact) -> bool {
        if contact.id == self.own || self.position(contact.address).is_some() {
            return false;
        }
        if self.compliance == Compliance::Enforced && !contact.id.fits(contact.address.ip()) {
            return false;
        }
        let index = self.index(contact.id);
        let bucket = &self.buckets[index];
        let has_room = bucket.nodes.len() < BUCKET_NODES_MAX
            || index + 1 == self.buckets.len()
            || bucket.nodes.iter().any(|node| node.failures >= BAD)
            || bucket.replacements.len() < BUCKET_NODES_MAX / 2;
        has_room && self.has_share(contact, index)
    }

    /// The good nodes closest to `target`. Those that strangers may not reach are a half of them at most,
    /// unless there are no others.
    pub(crate) fn closest(&self, target: NodeId, count: usize) -> Vec<Contact> {
        let good = self.nodes().filter(|node| node.failures < BAD);
        let mut near: Vec<_> = good.map(|node| (target.distance(node.contact.id), node)).collect();
        near.sort_unstable_by_key(|(distance, _)| *distance);
        let mut hidden = 0;
        let (mut chosen, spare): (Vec<_>, Vec<_>) = near.into_iter().partition(|(_, node)| {
            hidden += usize::from(!node.is_reachable);
            node.is_reachable || hidden <= count / 2
        });
        chosen.truncate(count);
        let missing = count - chosen.len();
        chosen.extend(spare.into_iter().take(missing));
        chosen.sort_unstable_by_key(|(distance, _)| *distance);
        chosen.into_iter().map(|(_, node)| node.contact).collect()
    }

    /// The node that answered or asked last: if anybody answers now, it does.
    pub(crate) fn freshest(&self) -> Option<Contact> {
        let good = self.nodes().filter(|node| node.failures == 0);
        good.max_by_key(|node| node.seen).map(|node| node.contact)
    }

    /// A node that has been silent for long, longest first; one that strangers may not reach, as soon as
    /// its answer would show that they do. It counts as pinged from now on.
    pub(crate) fn next_ping(&mut self, now: Time) -> Option<Contact> {
        let nodes = self.buckets.iter_mut().flat_map(|bucket| &mut bucket.nodes);
        let due = |node: &&mut Node| {
            let patience = if node.is_reachable { FRESH } else { ROUTER_MEMORY };
            let is_silent = now.since(node.seen) > patience || node.failures > 0;
            is_silent && (node.pinged == Time::ZERO || now.since(node.pinged) >= PING_GAP)
        };
        let node = nodes.filter(due).min_by_key(|node| node.seen)?;
        node.pinged = now;
        Some(node.contact)
    }

    /// An id to look for in a bucket that has not changed for long, or that has room and was never
    /// explored: what honest nodes do not fill, chatty ones do. The bucket counts as fresh again.
    pub(crate) fn next_refresh(&mut self, now: Time, rng: &mut Rng) -> Option<NodeId> {
        let is_due = |bucket: &Bucket| {
            let has_room = bucket.nodes.len() < BUCKET_NODES_MAX;
            now.since(bucket.changed) >= FRESH || (has_room && !bucket.was_explored)
        };
        let index = self.buckets.iter().position(is_due)?;
        let bucket = &mut self.buckets[index];
        (bucket.changed, bucket.was_explored) = (now, true);
        Some(self.own.random_at(index as u32, rng))
    }

    /// Every node, nearest bucket first: what a restart begins with.
    pub(crate) fn contacts(&self) -> Vec<Contact> {
        let good = self.buckets.iter().rev().flat_map(|bucket| &bucket.nodes);
        good.filter(|node| node.failures < BAD).map(|node| node.contact).collect()
    }

    /// Nodes that are not bad.
    pub(crate) fn good(&self) -> usize {
        self.nodes().filter(|node| node.failures < BAD).count()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.buckets.iter().flat_map(|bucket| &bucket.nodes)
    }

    fn index(&self, id: NodeId) -> usize {
        (self.own.shared_bits(id) as usize).min(self.buckets.len() - 1)
    }

    fn position(&self, address: SocketAddr) -> Option<(usize, usize)> {
        self.buckets.iter().enumerate().find_map(|(index, bucket)| {
            let at = bucket.nodes.iter().position(|node| node.contact.address == address)?;
            Some((index, at))
        })
    }

    fn find_mut(&mut self, address: SocketAddr) -> Option<&mut Node> {
        let (bucket, at) = self.position(address)?;
        Some(&mut self.buckets[bucket].nodes[at])
    }

    fn remove(&mut self, address: SocketAddr) {
        if let Some((bucket, at)) = self.position(address) {
            self.buckets[bucket].nodes.remove(at);
        }
    }

    /// The replacement seen last, a compliant one if there is one, that may stand where the node at `at`
    /// stands now.
    fn best_replacement(&self, index: usize, at: usize) -> Option<usize> {
        let bucket = &self.buckets[index];
        let may_stand = |node: &Node| {
            let has_id = self.nodes().any(|other| other.contact.id == node.contact.id);
            let fits = node.is_compliant
                || !bucket.nodes[at].is_compliant
                || bucket.admits_strangers(self.compliance);
            !has_id && fits && self.has_share(node.contact, index)
        };
        let best = bucket.replacements.iter().enumerate().filter(|(_, node)| may_stand(node));
        best.max_by_key(|(_, node)| (node.is_compliant, node.seen)).map(|(at, _)| at)
    }

    /// Whether the address and its network may have one more node in the table and in this bucket.
    fn has_share(&self, contact: Contact, index: usize) -> bool {
        let ip = contact.address.ip();
        if is_local(ip) {
            return true;
        }
        let network = Network::of(ip);
        let is_of_network = |node: &Node| Network::of(node.contact.address.ip()) == network;
        let has_address = self.nodes().any(|node| node.contact.address.ip() == ip);
        let in_bucket = self.buckets[index].nodes.iter().filter(|node| is_of_network(node)).count();
        let in_table = self.nodes().filter(|node| is_of_network(node)).count();
        !has_address && in_bucket < BUCKET_NETWORK_NODES_MAX && in_table < NETWORK_NODES_MAX
    }

    fn insert(&mut self, node: Node) -> bool {
        let refused = self.compliance == Compliance::Enforced && !node.is_compliant;
        let id = node.contact.id;
        if id == self.own || refused || self.nodes().any(|other| other.contact.id == id) {
            return false;
        }
        loop {
            let index = self.index(id);
            if !self.has_share(node.contact, index) {
                return false;
            }
            let can_split = index + 1 == self.buckets.len() && self.buckets.len() < BUCKETS_MAX;
            let bucket = &mut self.buckets[index];
            if bucket.has_room(&node, self.compliance) {
                bucket.changed = bucket.changed.max(node.seen);
                bucket.nodes.push(node);
                return true;
            }
            if !can_split || bucket.nodes.len() < BUCKET_NODES_MAX {
                return bucket.take_in(node, self.compliance);
            }
            self.split();
        }
    }

    /// Divides the last bucket: what shares one more bit with our id moves on.
    fn split(&mut self) {
        let bits = self.buckets.len() as u32;
        let own = self.own;
        let Some(last) = self.buckets.last_mut() else { return };
        let is_nearer = |node: &Node| own.shared_bits(node.contact.id) >= bits;
        last.was_explored = false;
        let mut next = Bucket { changed: last.changed, ..Bucket::default() };
        for (from, to) in
            [(&mut last.nodes, &mut next.nodes), (&mut last.replacements, &mut next.replacements)]
        {
            let (nearer, rest) = std::mem::take(from).into_iter().partition(is_nearer);
            (*to, *from) = (nearer, rest);
        }
        self.buckets.push(next);
    }
}

impl Bucket {
    fn has_room(&self, node: &Node, compliance: Compliance) -> bool {
        let has_place = self.nodes.len() < BUCKET_NODES_MAX;
        has_place && (node.is_compliant || self.admits_strangers(compliance))
    }

    /// Whether one more node may break BEP 42.
    fn admits_strangers(&self, compliance: Compliance) -> bool {
        let strangers = self.nodes.iter().filter(|node| !node.is_compliant).count();
        compliance != Compliance::Preferred || strangers < BUCKET_STRANGERS_MAX
    }

    /// Takes a node although there is no room, if it deserves a place; else it may replace one later.
    fn take_in(&mut self, node: Node, compliance: Compliance) -> bool {
        let is_worse = |other: &Node| {
            let differs = compliance == Compliance::Preferred && node.is_compliant;
            other.failures >= BAD || (differs && !other.is_compliant)
        };
        if let Some(worse) =
            self.nodes.iter_mut().filter(|n| is_worse(n)).max_by_key(|n| n.failures)
        {
            *worse = node;
            self.changed = self.changed.max(node.seen);
            return true;
        }
        let address = node.contact.address;
        self.replacements.retain(|other| other.contact.address != address);
        if self.replacements.len() >= BUCKET_NODES_MAX {
            self.replacements.remove(0);
        }
        self.replacements.push(node);
        false
    }
}
