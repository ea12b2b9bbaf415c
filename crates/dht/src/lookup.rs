//! Finding the nodes closest to a target by asking ever closer ones (BEP 5; Kademlia, section 2.3).
//!
//! Owns one lookup's candidates. Invariants: a node is asked once; at most [`QUERIES_MAX`] are asked; one
//! network has [`NETWORK_CANDIDATES_MAX`] candidates; who names nodes is believed on credit, so that one
//! who names dead nodes costs few queries. Must not know what is asked, nor packets.

use crate::contact::{Network, is_local};
use crate::table::BUCKET_NODES_MAX;
use crate::{Compliance, Contact, Distance, NodeId};
use std::collections::BTreeMap;
use std::net::SocketAddr;

#[cfg(test)]
mod tests;

/// Nodes that one lookup asks, before it stores anything.
pub const QUERIES_MAX: usize = 52;
/// Nodes asked at a time, those that are late not counted.
pub const PARALLEL: usize = 4;
/// Nodes that are late and still waited for.
const LATE_MAX: usize = 8;
/// Candidates that are remembered.
const CANDIDATES_MAX: usize = 128;
/// Candidates of one /24 or /64.
pub const NETWORK_CANDIDATES_MAX: usize = 3;
/// Nodes taken from one answer.
const NODES_OF_ANSWER_MAX: usize = BUCKET_NODES_MAX;
/// Nodes named by one source that may be without an answer, for as long as none has answered. Each that
/// answers earns it one more.
const CREDIT: usize = 3;
/// Sources that are remembered of one candidate.
const SOURCES_MAX: usize = 3;
/// Of the closest nodes, those that may break BEP 42 while compliance is preferred.
const STRANGERS_MAX: usize = BUCKET_NODES_MAX / 2;

/// What a node gave with its answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// For storing there.
    pub(crate) token: Option<Vec<u8>>,
    /// The sequence of the item it has.
    pub(crate) sequence: Option<i64>,
}

#[derive(Clone, Debug)]
enum State {
    Waiting,
    Asked,
    /// Asked, and slower than most.
    Late,
    Answered(Given),
    Failed,
}

#[derive(Clone, Debug)]
struct Candidate {
    contact: Contact,
    distance: Distance,
    is_compliant: bool,
    /// Who named it, [`SOURCES_MAX`] of them; nobody for those we knew.
    sources: Vec<SocketAddr>,
    /// On whose credit it was asked.
    charged: Option<SocketAddr>,
    state: State,
}

/// What became of the nodes that were asked on a source's credit.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    pending: usize,
    answered: usize,
    failed: usize,
}

impl Record {
    const fn has_credit(self) -> bool {
        self.pending + self.failed < CREDIT + self.answered
    }
}

/// Whether a candidate that waits may be asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Leave {
    Given,
    /// Perhaps later: nodes of its source have not answered yet.
    Withheld,
    /// Its sources are no longer believed.
    Denied,
}

/// The candidates of one lookup, closest first.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    target: NodeId,
    compliance: Compliance,
    candidates: Vec<Candidate>,
    sources: BTreeMap<SocketAddr, Record>,
    asked: usize,
}

impl Lookup {
    pub(crate) fn new(target: NodeId, known: &[Contact], compliance: Compliance) -> Self {
        let (candidates, sources) = (Vec::new(), BTreeMap::new());
        let mut lookup = Self { target, compliance, candidates, sources, asked: 0 };
        known.iter().for_each(|contact| lookup.add(*contact, None));
        lookup
    }

    /// Adds nodes of which only the address is known. They count as farthest until they answer.
    pub(crate) fn add_addresses(&mut self, addresses: &[SocketAddr]) {
        let farthest = NodeId(self.target.0.map(|byte| !byte));
        for address in addresses {
            if self.position(*address).is_none() {
                self.insert(Contact { id: farthest, address: *address }, None);
            }
        }
    }

    pub(crate) const fn target(&self) -> NodeId {
        self.target
    }

    /// Nodes asked so far.
    pub(crate) const fn asked(&self) -> usize {
        self.asked
    }

    /// Nodes that answered.
    pub(crate) fn answers(&self) -> usize {
        self.candidates.iter().filter(|node| matches!(node.state, State::Answered(_))).count()
    }

    /// Whom to ask now, if anybody. It counts as asked.
    pub(crate) fn next(&mut self) -> Option<Contact> {
        if self.asked >= QUERIES_MAX {
            return None;
        }
        let (mut asked, mut late, mut strangers) = (0, 0, 0);
        for node in &self.candidates {
            match node.state {
                State::Asked => {
                    asked += 1;
                    strangers += usize::from(self.is_stranger(node));
                }
                State::Late => late += 1,
                State::Waiting | State::Answered(_) | State::Failed => {}
            }
        }
        if asked >= PARALLEL || asked + late >= PARALLEL + LATE_MAX {
            return None;
        }
        let front = self.candidates[..self.front().end].iter().enumerate();
        let may_be_asked = |node: &Candidate| {
            matches!(node.state, State::Waiting) && self.leave(node) == Leave::Given
        };
        let mut waiting = front.filter(|(_, node)| may_be_asked(node));
        // Half of the questions are for nodes that cannot have chosen their place.
        let (at, _) = if strangers * 2 >= PARALLEL {
            waiting.clone().find(|(_, node)| !self.is_stranger(node)).or_else(|| waiting.next())?
        } else {
            waiting.next()?
        };
        self.charge(at);
        self.candidates[at].state = State::Asked;
        self.asked += 1;
        Some(self.candidates[at].contact)
    }

    /// A node answered, says who it is, and names others.
    pub(crate) fn answered(&mut self, from: Contact, given: Given, nodes: &[Contact]) {
        let Some(at) = self.position(from.address) else { return };
        let mut node = self.candidates.remove(at);
        self.settle(&node, true);
        // It may have another id than it was named with; that is for its namer to answer.
        node.contact.id = from.id;
        node.distance = self.target.distance(from.id);
        node.is_compliant = from.id.fits(from.address.ip());
        node.state = State::Answered(given);
        self.place(node);
        let mut new: Vec<_> = nodes.to_vec();
        new.sort_unstable_by_key(|contact| self.target.distance(contact.id));
        for contact in new.into_iter().take(NODES_OF_ANSWER_MAX) {
            self.add(contact, Some(from.address));
        }
    }

    /// A node takes longer than most: another may be asked meanwhile.
    pub(crate) fn late(&mut self, address: SocketAddr) {
        if let Some(at) = self.position(address)
            && matches!(self.candidates[at].state, State::Asked)
        {
            self.candidates[at].state = State::Late;
        }
    }

    /// A node did not answer, or refused to.
    pub(crate) fn failed(&mut self, address: SocketAddr) {
        let Some(at) = self.position(address) else { return };
        let node = self.candidates[at].clone();
        self.settle(&node, false);
        self.candidates[at].state = State::Failed;
    }

    /// Whether the closest nodes have answered, or nobody is left to ask.
    pub(crate) fn is_done(&self) -> bool {
        let front = self.front();
        self.candidates[..front.end].iter().all(|node| match node.state {
            State::Asked => false,
            State::Waiting => self.asked >= QUERIES_MAX || self.leave(node) == Leave::Denied,
            State::Late => front.is_full,
            State::Answered(_) | State::Failed => true,
        })
    }

    /// The closest nodes that answered and may be trusted with something, and what they gave.
    pub(crate) fn closest(&self) -> Vec<(Contact, Given)> {
        let mut strangers = 0;
        let answered = self.candidates.iter().filter_map(|node| match &node.state {
            State::Answered(given) if self.counts(node, &mut strangers) => {
                Some((node.contact, given.clone()))
            }
            _ => None,
        });
        answered.take(BUCKET_NODES_MAX).collect()
    }

    fn position(&self, address: SocketAddr) -> Option<usize> {
        self.candidates.iter().position(|node| node.contact.address == address)
    }

    fn record(&self, source: SocketAddr) -> Record {
        self.sources.get(&source).copied().unwrap_or_default()
    }

    fn leave(&self, node: &Candidate) -> Leave {
        let records = || node.sources.iter().map(|source| self.record(*source));
        if node.sources.is_empty() || records().any(Record::has_credit) {
            Leave::Given
        } else if records().any(|record| record.pending > 0) {
            Leave::Withheld
        } else {
            Leave::Denied
        }
    }

    /// Asks the candidate on the credit of one of its sources.
    fn charge(&mut self, at: usize) {
        let sources = &self.candidates[at].sources;
        let source = sources.iter().copied().find(|source| self.record(*source).has_credit());
        if let Some(source) = source {
            self.sources.entry(source).or_default().pending += 1;
        }
        self.candidates[at].charged = source;
    }

    /// Books what became of a candidate that was asked.
    fn settle(&mut self, node: &Candidate, has_answered: bool) {
        if !matches!(node.state, State::Asked | State::Late) {
            return;
        }
        let Some(record) = node.charged.and_then(|source| self.sources.get_mut(&source)) else {
            return;
        };
        record.pending = record.pending.saturating_sub(1);
        record.answered += usize::from(has_answered);
        record.failed += usize::from(!has_answered);
    }

    /// Whether it breaks BEP 42 and that matters.
    fn is_stranger(&self, node: &Candidate) -> bool {
        self.compliance != Compliance::Ignored && !node.is_compliant
    }

    /// Whether a node that answered is one of the closest; `strangers` counts those seen before it.
    fn counts(&self, node: &Candidate, strangers: &mut usize) -> bool {
        if !self.is_stranger(node) {
            return true;
        }
        *strangers += 1;
        self.compliance == Compliance::Preferred && *strangers <= STRANGERS_MAX
    }

    /// The candidates up to the last of the closest nodes that answered.
    fn front(&self) -> Front {
        let (mut counted, mut strangers) = (0, 0);
        for (at, node) in self.candidates.iter().enumerate() {
            let has_answered = matches!(node.state, State::Answered(_));
            counted += usize::from(has_answered && self.counts(node, &mut strangers));
            if counted == BUCKET_NODES_MAX {
                return Front { end: at + 1, is_full: true };
            }
        }
        Front { end: self.candidates.len(), is_full: false }
    }

    fn add(&mut self, contact: Contact, source: Option<SocketAddr>) {
        let ip = contact.address.ip();
        if let Some(at) = self.position(contact.address) {
            let sources = &mut self.candidates[at].sources;
            // Whom we knew before needs no source.
            if let Some(source) = source.filter(|source| !sources.contains(source))
                && (1..SOURCES_MAX).contains(&sources.len())
            {
                sources.push(source);
            }
            return;
        }
        if !is_local(ip) {
            let network = Network::of(ip);
            let is_of_network =
                |node: &&Candidate| Network::of(node.contact.address.ip()) == network;
            let of_network = self.candidates.iter().filter(is_of_network).count();
            // Whoever named a dead port of this address must not keep it out.
            let has_address = self.candidates.iter().any(|node| {
                node.contact.address.ip() == ip && !matches!(node.state, State::Failed)
            });
            if of_network >= NETWORK_CANDIDATES_MAX || has_address {
                return;
            }
        }
        self.insert(contact, source);
    }

    fn insert(&mut self, contact: Contact, source: Option<SocketAddr>) {
        if self.candidates.len() >= CANDIDATES_MAX {
            let is_waiting = |node: &Candidate| matches!(node.state, State::Waiting);
            let Some(farthest) = self.candidates.iter().rposition(is_waiting) else { return };
            self.candidates.remove(farthest);
        }
        let is_compliant = contact.id.fits(contact.address.ip());
        let distance = self.target.distance(contact.id);
        let sources = source.into_iter().collect();
        let (charged, state) = (None, State::Waiting);
        self.place(Candidate { contact, distance, is_compliant, sources, charged, state });
    }

    fn place(&mut self, node: Candidate) {
        let at = self.candidates.partition_point(|other| other.distance <= node.distance);
        self.candidates.insert(at, node);
    }
}

/// Which candidates matter.
#[derive(Clone, Copy, Debug)]
struct Front {
    end: usize,
    /// As many have answered as are wanted.
    is_full: bool,
}
