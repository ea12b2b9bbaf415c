//! What is remembered of the addresses that others tell.
//!
//! Invariants: nothing is remembered that may not be dialled; a stranger's share of the memory is an eighth,
//! until somebody answers at what it told.

use super::{Dialer, Refusal, Source, State, Turn, address};
use std::net::{IpAddr, SocketAddr};

impl Dialer {
    pub(super) fn learn(&mut self, address: SocketAddr, source: Source) {
        let address = address::canonical(address);
        let given = source == Source::Given;
        if let Some(known) = self.candidates.get(&address).copied() {
            if given && known.turn.not_given {
                self.place(address, Turn { not_given: false, ..known.turn }, known.state);
            }
            return;
        }
        if let Err(refusal) = self.check(address, source) {
            self.refused[refusal as usize] += 1;
            return;
        }
        if self.candidates.len() >= self.config.candidates_max && !self.evict(given) {
            self.refused[Refusal::Full as usize] += 1;
            return;
        }
        let shuffle = self.rng.next_u64();
        let rank = self.rank(address);
        let turn = Turn { not_given: !given, failures: 0, tried: false, rank, shuffle };
        self.place(address, turn, State::Ready);
        let Some(candidate) = self.candidates.get_mut(&address) else { return };
        candidate.source = source.kind();
        if let Some(teller) = source.teller() {
            candidate.teller = Some(teller);
            *self.told.entry(teller).or_insert(0) += 1;
        }
    }

    /// Whether an address would be remembered that is not known yet, if there is room.
    ///
    /// # Errors
    /// When not, and why.
    pub fn check(&self, address: SocketAddr, source: Source) -> Result<(), Refusal> {
        let address = address::canonical(address);
        self.config.policy.check(address, source)?;
        if self.own.contains(&address) || self.external.contains(&Some(address)) {
            return Err(Refusal::Ourselves);
        }
        if self.is_banned(address) {
            return Err(Refusal::Banned);
        }
        if self.filter.blocks(address.ip()) {
            return Err(Refusal::Filtered);
        }
        let Some(teller) = source.teller() else { return Ok(()) };
        let ip = address.ip();
        let ports = SocketAddr::new(ip, 0)..=SocketAddr::new(ip, u16::MAX);
        if self.candidates.range(ports).count() >= self.config.policy.ports_max_of(ip) {
            return Err(Refusal::ManyPorts);
        }
        if self.told.get(&teller).is_some_and(|&told| told >= self.config.told_max()) {
            return Err(Refusal::ManyTold);
        }
        Ok(())
    }

    /// Addresses that were not remembered, and why.
    pub fn refusals(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        let counted = Refusal::ALL.into_iter().zip(self.refused);
        counted.filter(|(_, count)| *count > 0)
    }

    /// Makes room for a new address: the idle one with most failures goes. A candidate that never
    /// failed is given up only for one that the user gave, so that a flood of gossip changes nothing.
    fn evict(&mut self, for_given: bool) -> bool {
        let idle = self.candidates.iter().filter(|(_, candidate)| {
            candidate.turn.not_given
                && !candidate.state.is_open()
                && (for_given || candidate.turn.failures > 0)
        });
        let worst = idle.max_by_key(|(_, candidate)| candidate.turn).map(|(address, _)| *address);
        worst.is_some_and(|address| {
            self.forget(address);
            true
        })
    }

    /// An address no longer counts in the share of whoever told it.
    pub(super) fn answer_for(&mut self, teller: Option<IpAddr>) {
        let Some(teller) = teller else { return };
        if let Some(told) = self.told.get_mut(&teller) {
            *told -= 1;
            if *told == 0 {
                self.told.remove(&teller);
            }
        }
    }
}
