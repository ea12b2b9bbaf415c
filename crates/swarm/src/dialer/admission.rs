//! Whom to prefer when places are few (BEP 40).
//!
//! Invariant: without a known address of our own, nobody is preferred and nobody displaced.

use super::{Candidate, Dialer, Refusal, State, Turn, address, peer_priority};
use std::net::SocketAddr;
use std::time::Duration;

/// Between two peers that give up their places to others: a crowd at the door must not empty the house.
pub(super) const DISPLACE_INTERVAL: Duration = Duration::from_secs(10);

/// What becomes of an incoming connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// It may stay.
    Welcome,
    /// It may stay once this connection, as dialled or accepted, is closed as
    /// [`super::CloseReason::Displaced`].
    InsteadOf(SocketAddr),
    /// It may not, and why.
    Refused(Refusal),
}

impl Dialer {
    /// Whether an incoming connection may stay, and who would have to go for it: the connected peer with
    /// the lowest priority, if the newcomer's is higher (BEP 40), now and then only.
    pub fn admission(&self, address: SocketAddr) -> Admission {
        let address = address::canonical(address);
        if self.is_banned(address) {
            return Admission::Refused(Refusal::Banned);
        }
        if self.filter.blocks(address.ip()) {
            return Admission::Refused(Refusal::Filtered);
        }
        if self.connections() < self.config.connections_max {
            return Admission::Welcome;
        }
        let is_too_soon =
            self.displaced_at.is_some_and(|at| self.now.since(at) < DISPLACE_INTERVAL);
        let Some(priority) = self.priority(address).filter(|_| !is_too_soon) else {
            return Admission::Refused(Refusal::Full);
        };
        let is_displaceable = |it: &Candidate| it.state == State::Connected && it.turn.not_given;
        let dialled = self.candidates.iter().filter(|(_, it)| is_displaceable(it));
        let connected = dialled.map(|(address, _)| *address).chain(self.accepted.iter().copied());
        let ranked = connected.filter_map(|other| Some((self.priority(other)?, other)));
        match ranked.min() {
            Some((lowest, other)) if lowest < priority => Admission::InsteadOf(other),
            _ => Admission::Refused(Refusal::Full),
        }
    }

    pub(super) fn set_external(&mut self, address: SocketAddr) {
        self.external[usize::from(address.is_ipv6())] = Some(address);
        self.forget(address);
        let known: Vec<_> =
            self.candidates.iter().map(|(at, it)| (*at, it.turn, it.state)).collect();
        for (address, turn, state) in known {
            self.place(address, Turn { rank: self.rank(address), ..turn }, state);
        }
    }

    /// The priority of a peer there, once our own address is known.
    fn priority(&self, address: SocketAddr) -> Option<u32> {
        let ours = self.external[usize::from(address.is_ipv6())]?;
        peer_priority(ours, address)
    }

    /// Its place among candidates that have failed equally often.
    pub(super) fn rank(&self, address: SocketAddr) -> u32 {
        self.priority(address).map_or(0, |priority| u32::MAX - priority)
    }
}
