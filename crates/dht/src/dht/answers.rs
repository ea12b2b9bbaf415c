//! What others answer, or do not.

use super::{Budgets, Dht};
use crate::asks::{Ask, For};
use crate::config::{EndpointIndex, Output};
use crate::krpc::{Body, ErrorAnswer, KrpcFault, Message, Response};
use crate::strangers::Stranger;
use crate::table::Answered;
use crate::{Contact, Family, NodeId};
use piecework_types::Time;
use std::net::SocketAddr;

impl Dht {
    /// A response or an error came.
    pub(super) fn handle_answer(
        &mut self,
        endpoint: EndpointIndex,
        from: SocketAddr,
        message: Message,
        now: Time,
    ) {
        let Some(ask) = self.asks.end(&message.transaction, endpoint, from) else {
            self.counters.strays += 1;
            return;
        };
        self.here_mut(endpoint).pace.measured(now.since(ask.sent));
        if let Some(seen_as) = message.seen_as {
            self.count_vote(endpoint, from, seen_as, now);
        }
        match message.body {
            Body::Response(response) => self.answer_came(ask, *response, now),
            Body::Error(error) => self.answer_refused(ask, &error, now),
            Body::Query(_) => {}
        }
    }

    /// Something came that is no message.
    pub(super) fn handle_fault(
        &mut self,
        endpoint: EndpointIndex,
        from: SocketAddr,
        packet_bytes: usize,
        fault: KrpcFault,
        now: Time,
    ) {
        self.counters.malformed += 1;
        match fault {
            KrpcFault::BadQuery { transaction, wanted, code } => {
                let error = ErrorAnswer { code, text: format!("needs {wanted}") };
                self.refuse_malformed(endpoint, from, (&transaction, packet_bytes), error, now);
            }
            KrpcFault::BadAnswer { transaction, .. } => {
                if let Some(ask) = self.asks.end(&transaction, endpoint, from) {
                    self.answer_failed(ask, now);
                }
            }
            KrpcFault::TooLong(_) | KrpcFault::NotDictionary | KrpcFault::NoKind => {}
        }
    }

    fn answer_came(&mut self, ask: Ask, response: Response, now: Time) {
        let contact = Contact { id: response.id, address: ask.to };
        let was_prompted = ask.purpose == For::Ping { was_prompted: true };
        self.help_other_family(ask.endpoint, &response, now);
        let here = self.here_mut(ask.endpoint);
        if contact.id == here.id {
            // Ourselves, or somebody who says so.
            self.answer_failed(ask, now);
            return;
        }
        here.has_changed |=
            here.table.answered(Answered { contact, sent: ask.sent, was_prompted }, now);
        match ask.purpose {
            For::Ping { .. } => {}
            For::Lookup(lookup) => self.lookup_answered(lookup, contact, response, now),
            For::Store(lookup) => self.store_answered(lookup, Ok(()), now),
        }
    }

    fn answer_refused(&mut self, ask: Ask, error: &ErrorAnswer, now: Time) {
        match ask.purpose {
            For::Ping { .. } => {}
            For::Lookup(lookup) => self.lookup_failed(lookup, ask.to, now),
            For::Store(lookup) => self.store_answered(lookup, Err(Some(error.code)), now),
        }
    }

    /// An answer takes longer than most.
    pub(super) fn answer_is_late(&mut self, ask: Ask, now: Time) {
        if let For::Lookup(lookup) = ask.purpose {
            self.lookup_late(lookup, ask.to, now);
        }
    }

    /// No answer will come, or none that can be used.
    pub(super) fn answer_failed(&mut self, ask: Ask, now: Time) {
        let here = self.here_mut(ask.endpoint);
        // While nothing comes at all, the fault is likely here (BEP 45).
        if here.heard_at > ask.sent {
            here.has_changed |= here.table.failed(ask.to);
        }
        match ask.purpose {
            For::Ping { .. } => {}
            For::Lookup(lookup) => self.lookup_failed(lookup, ask.to, now),
            For::Store(lookup) => self.store_answered(lookup, Err(None), now),
        }
    }

    /// Nodes of the other family may help an endpoint there (BEP 32).
    fn help_other_family(&mut self, endpoint: EndpointIndex, response: &Response, now: Time) {
        let (family, named) = match self.here(endpoint).family {
            Family::V4 => (Family::V6, &response.nodes6),
            Family::V6 => (Family::V4, &response.nodes),
        };
        let other = self.endpoints.iter_mut().find(|other| other.family == family);
        let (Some(other), Some(named)) = (other, named) else { return };
        for node in named {
            if self.config.addresses.allows(node.address) && other.table.wants(*node) {
                let stranger = Stranger { address: node.address, was_prompted: false };
                other.strangers.add(stranger, now);
            }
        }
    }

    /// A node says how it sees us.
    fn count_vote(
        &mut self,
        endpoint: EndpointIndex,
        voter: SocketAddr,
        seen_as: SocketAddr,
        now: Time,
    ) {
        let addresses = self.config.addresses;
        let here = &mut self.endpoints[usize::from(endpoint.0)];
        let ip = seen_as.ip();
        if Family::of(ip) != here.family || !addresses.allows(seen_as) {
            return;
        }
        let Some(ip) = here.ballot.vote(voter.ip(), ip) else { return };
        here.external = Some(ip);
        if !here.id.fits(ip) {
            here.id = NodeId::for_address(ip, &mut self.rng);
            here.table.rename(here.id, now);
            here.has_changed = true;
            // Those who are close to us now do not know us yet.
            here.next_bootstrap = now;
            here.bootstraps = 0;
            here.is_settled = false;
        }
        let id = here.id;
        self.outputs.push_back(Output::AddressElected { endpoint, ip, id });
    }
}

impl Budgets {
    /// Whether a query of this sender may cost us anything.
    pub(super) fn take_query(
        &mut self,
        config: &crate::Config,
        from: SocketAddr,
        now: Time,
    ) -> bool {
        self.senders.take(from.ip(), now) && self.total.take(config.total_rate, now)
    }

    /// Whether this sender may put something.
    pub(super) fn take_put(&mut self, config: &crate::Config, from: SocketAddr, now: Time) -> bool {
        self.putters.take(from.ip(), now) && self.puts.take(config.total_put_rate, now)
    }
}
