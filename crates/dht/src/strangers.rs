//! Nodes that may become part of a table once they answer a ping.
//!
//! Owns the line of those to be pinged. Invariants: it holds [`STRANGERS_MAX`]; nobody is pinged twice
//! within [`PING_AGAIN`], so that nobody can make this node knock at a third party's door for long.

use piecework_types::Time;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// Strangers that wait; who comes when it is full is forgotten.
const STRANGERS_MAX: usize = 64;
/// Addresses remembered as pinged.
const PINGED_MAX: usize = 512;
/// Before one address is pinged again.
const PING_AGAIN: Duration = Duration::from_secs(5 * 60);

/// Somebody who was heard or named, and has not answered us yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stranger {
    pub(crate) address: SocketAddr,
    /// It sent us something, so that its router may let our ping in.
    pub(crate) was_prompted: bool,
}

/// The line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strangers {
    waiting: VecDeque<Stranger>,
    pinged: BTreeMap<SocketAddr, Time>,
}

impl Strangers {
    pub(crate) fn add(&mut self, stranger: Stranger, now: Time) {
        let address = stranger.address;
        let is_recent = self.pinged.get(&address).is_some_and(|at| now.since(*at) < PING_AGAIN);
        let waits = self.waiting.iter().any(|other| other.address == address);
        if !is_recent && !waits && self.waiting.len() < STRANGERS_MAX {
            self.waiting.push_back(stranger);
        }
    }

    /// Who is to be pinged next. It counts as pinged.
    pub(crate) fn next(&mut self, now: Time) -> Option<Stranger> {
        if self.pinged.len() >= PINGED_MAX {
            self.pinged.retain(|_, at| now.since(*at) < PING_AGAIN);
        }
        if self.pinged.len() >= PINGED_MAX {
            return None;
        }
        let stranger = self.waiting.pop_front()?;
        self.pinged.insert(stranger.address, now);
        Some(stranger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger(number: u32) -> Stranger {
        let ip = std::net::Ipv4Addr::from(0x0100_0000 + number);
        Stranger { address: (ip, 1).into(), was_prompted: true }
    }

    #[test]
    fn nobody_is_pinged_twice_in_five_minutes() {
        let mut strangers = Strangers::default();
        let later = Time::ZERO + PING_AGAIN;
        strangers.add(stranger(1), Time::ZERO);
        strangers.add(stranger(1), Time::ZERO);
        assert_eq!(strangers.next(Time::ZERO), Some(stranger(1)));
        strangers.add(stranger(1), Time::ZERO);
        assert_eq!(strangers.next(Time::ZERO), None);
        strangers.add(stranger(1), later);
        assert_eq!(strangers.next(later), Some(stranger(1)));
    }

    #[test]
    fn a_flood_of_strangers_is_bounded_in_line_and_in_pings() {
        let mut strangers = Strangers::default();
        let mut pinged = 0;
        for round in 0..100 {
            (0..1000).for_each(|n| strangers.add(stranger(round * 1000 + n), Time::ZERO));
            assert!(strangers.waiting.len() <= STRANGERS_MAX);
            pinged += std::iter::from_fn(|| strangers.next(Time::ZERO)).count();
        }
        assert_eq!(pinged, PINGED_MAX);
    }
}
