//! How many key agreements strangers may cost us: so many a second in all, and so many for each source.
//!
//! Fixed memory: sources share cells by a keyed hash, so a flood from many addresses evicts nobody's
//! record and grows nothing. Who shares a cell with a flooder shares its limit.

use piecework_types::{Rng, Time};
use std::net::IpAddr;
use std::time::Duration;

/// Cells that sources share.
const CELLS: usize = 4096;

/// How often something may happen: `burst` times at once, then once in `interval`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// Time between two.
    pub interval: Duration,
    /// Times at once after a pause.
    pub burst: u32,
}

impl Pace {
    /// Whether one more fits now; `due` is when the ones so far are used up (the generic cell rate
    /// algorithm, ITU-T I.371).
    fn fits(self, due: Time, now: Time) -> bool {
        due.since(now) + self.interval <= self.interval * self.burst
    }

    fn take(self, due: &mut Time, now: Time) {
        *due = now.max(*due) + self.interval;
    }
}

/// The budget. See the module documentation.
#[derive(Debug)]
pub struct Budget {
    all: Pace,
    each: Pace,
    due: Time,
    cells: Box<[Time]>,
    key: u64,
}

impl Budget {
    /// A budget nobody has used. `key` is a number that strangers cannot guess.
    pub fn new(all: Pace, each: Pace, key: u64) -> Self {
        let cells = vec![Time::ZERO; CELLS].into_boxed_slice();
        Self { all, each, due: Time::ZERO, cells, key }
    }

    /// Takes one for this source, if its own share and that of all allow. What is refused costs nothing.
    pub fn take(&mut self, source: IpAddr, now: Time) -> bool {
        let cell = Rng::new(self.key ^ network(source)).below(CELLS as u64) as usize;
        let fits = self.each.fits(self.cells[cell], now) && self.all.fits(self.due, now);
        if fits {
            self.each.take(&mut self.cells[cell], now);
            self.all.take(&mut self.due, now);
        }
        fits
    }
}

/// What one person has: an address, or the 64 bits that a network gives out with IPv6.
fn network(source: IpAddr) -> u64 {
    match source.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Pace = Pace { interval: Duration::from_millis(10), burst: 50 };
    const EACH: Pace = Pace { interval: Duration::from_secs(1), burst: 5 };

    fn taken(budget: &mut Budget, sources: impl Iterator<Item = IpAddr>, now: Time) -> usize {
        sources.filter(|&source| budget.take(source, now)).count()
    }

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn one_source_gets_its_burst_and_then_its_rate() {
        let mut budget = Budget::new(ALL, EACH, 7);
        let one = || std::iter::repeat_n(address(1), 1000);
        assert_eq!(taken(&mut budget, one(), Time::ZERO), 5);
        assert_eq!(taken(&mut budget, one(), Time::from_micros(999_999)), 0);
        assert_eq!(taken(&mut budget, one(), Time::from_micros(2_000_000)), 2);
        assert_eq!(taken(&mut budget, one(), Time::from_micros(100_000_000)), 5);
    }

    #[test]
    fn many_sources_together_get_no_more_than_all_may() {
        let mut budget = Budget::new(ALL, EACH, 7);
        assert_eq!(taken(&mut budget, (0..100_000).map(address), Time::ZERO), 50);
        assert_eq!(taken(&mut budget, (0..100_000).map(address), Time::from_micros(100_000)), 10);
    }

    #[test]
    fn a_refused_source_leaves_the_others_their_share() {
        let mut budget = Budget::new(ALL, EACH, 7);
        taken(&mut budget, std::iter::repeat_n(address(1), 1_000_000), Time::ZERO);
        assert_eq!(taken(&mut budget, (2..100).map(address), Time::ZERO), 45);
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_source() {
        let mut budget = Budget::new(ALL, EACH, 7);
        let prefix: u128 = 0x2001_0db8 << 96;
        let addresses = (0..100).map(|host| IpAddr::V6((prefix | host).into()));
        assert_eq!(taken(&mut budget, addresses, Time::ZERO), 5);
        let mapped = ["::ffff:1.2.3.4", "1.2.3.4"].map(|text| text.parse().expect("an address"));
        assert_eq!(network(mapped[0]), network(mapped[1]));
    }
}
