//! Looking after tables: beginning, pinging who is silent, refreshing what is stale, telling changes.

use super::{Dht, Endpoint};
use crate::asks::For;
use crate::config::{EndpointIndex, Goal, Output};
use crate::krpc::Method;
use piecework_types::Time;
use std::net::SocketAddr;
use std::time::Duration;

/// Between two rounds.
const UPKEEP_GAP: Duration = Duration::from_secs(5);
/// Silent nodes that one round pings.
const PINGS_OF_ROUND_MAX: usize = 4;
/// Strangers that one round pings.
const STRANGERS_OF_ROUND_MAX: usize = 8;
/// Nodes below which an endpoint looks for its neighbours again.
const NODES_ENOUGH: usize = 4;
/// The second beginning comes after this, each further one after twice as long.
const BOOTSTRAP_GAP: Duration = Duration::from_secs(5);
/// Doublings of the gap: ten minutes at last.
const BOOTSTRAP_DOUBLINGS_MAX: u32 = 7;

impl Dht {
    /// One round.
    pub(super) fn upkeep(&mut self, now: Time) {
        self.next_upkeep = now + UPKEEP_GAP;
        for index in 0..self.endpoints.len() {
            let endpoint = EndpointIndex(index as u8);
            self.ping_some(endpoint, now);
            self.look_around(endpoint, now);
            let here = self.here_mut(endpoint);
            if std::mem::take(&mut here.has_changed) {
                let good = here.table.good();
                self.outputs.push_back(Output::TableChanged { endpoint, good });
            }
        }
    }

    fn ping_some(&mut self, endpoint: EndpointIndex, now: Time) {
        let mut silent = 0;
        for _ in 0..PINGS_OF_ROUND_MAX {
            let Some(contact) = self.here_mut(endpoint).table.next_ping(now) else { break };
            self.ping(endpoint, contact.address, false, now);
            silent += 1;
        }
        // Silence means something only while somebody else can be heard.
        if silent > 0
            && let Some(contact) = self.here(endpoint).table.freshest()
        {
            self.ping(endpoint, contact.address, false, now);
        }
        for _ in 0..STRANGERS_OF_ROUND_MAX {
            let Some(stranger) = self.here_mut(endpoint).strangers.next(now) else { break };
            self.ping(endpoint, stranger.address, stranger.was_prompted, now);
        }
    }

    fn ping(&mut self, endpoint: EndpointIndex, to: SocketAddr, was_prompted: bool, now: Time) {
        let query = self.query(endpoint, Method::Ping);
        self.ask(endpoint, to, For::Ping { was_prompted }, query, now);
    }

    /// Begins, or refreshes a stale bucket; one lookup at a time.
    fn look_around(&mut self, endpoint: EndpointIndex, now: Time) {
        let is_busy = self.lookups.values().any(|running| running.is_internal_of(endpoint));
        if is_busy {
            return;
        }
        let rng = &mut self.rng;
        let here = &mut self.endpoints[usize::from(endpoint.0)];
        let target = if here.is_due_to_begin(now) {
            Some(here.id)
        } else {
            here.table.next_refresh(now, rng)
        };
        if let Some(target) = target {
            let id = self.next_lookup_id();
            self.begin(id, endpoint, Goal::Nodes(target), true, now);
        }
    }
}

impl Endpoint {
    /// Whether to look for the nodes near our own id now.
    fn is_due_to_begin(&mut self, now: Time) -> bool {
        let good = self.table.good();
        let knows_somebody = good > 0 || !self.known.is_empty() || !self.routers.is_empty();
        if good >= NODES_ENOUGH && self.is_settled {
            self.bootstraps = 0;
            return false;
        }
        if !knows_somebody || now < self.next_bootstrap {
            return false;
        }
        // Those who are close must hear of us once even if the table is full by other ways.
        self.is_settled = good >= NODES_ENOUGH;
        let doublings = self.bootstraps.min(BOOTSTRAP_DOUBLINGS_MAX);
        self.next_bootstrap = now + BOOTSTRAP_GAP * (1 << doublings);
        self.bootstraps += 1;
        true
    }
}
