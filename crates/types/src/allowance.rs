//! How much one sender, and all of them together, may have of us: token buckets, counted in queries.
//!
//! Owns the budgets. Invariant: in any span of `t` seconds a key gets at most `per_second * t + burst`.
//! Must not know what is asked.

use crate::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Senders that are told apart. Beyond it the one with most left is forgotten, which harms nobody.
const SENDERS_MAX: usize = 1024;

/// A budget: so many in the long run, and so many at once after a pause.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// In the long run.
    pub per_second: u32,
    /// At once.
    pub burst: u32,
}

/// Credit in millionths, so that a microsecond earns whole numbers.
const UNITS: u64 = 1_000_000;

/// One budget and what is left of it.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    credit: u64,
    updated: Time,
}

impl Allowance {
    /// A budget of which nothing has been taken.
    pub const fn full(rate: Rate, now: Time) -> Self {
        Self { credit: rate.burst as u64 * UNITS, updated: now }
    }

    /// Takes one, if one is left.
    pub fn take(&mut self, rate: Rate, now: Time) -> bool {
        self.refill(rate, now);
        let left = self.credit.checked_sub(UNITS);
        self.credit = left.unwrap_or(self.credit);
        left.is_some()
    }

    fn refill(&mut self, rate: Rate, now: Time) {
        let micros = now.since(self.updated).as_micros();
        let earned =
            u64::try_from(micros).unwrap_or(u64::MAX).saturating_mul(rate.per_second.into());
        let full = u64::from(rate.burst) * UNITS;
        self.credit = self.credit.saturating_add(earned).min(full);
        self.updated = self.updated.max(now);
    }
}

/// A budget for each [`Sender`].
#[derive(Clone, Debug)]
pub struct Allowances {
    rate: Rate,
    senders: BTreeMap<Sender, Allowance>,
}

/// Who counts as one: an IPv4 address or an IPv6 /64, which is what one customer has.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Sender(u64, bool);

impl Sender {
    /// The sender behind an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self(u32::from(ip).into(), false),
            IpAddr::V6(ip) => Self((u128::from(ip) >> 64) as u64, true),
        }
    }
}

impl Allowances {
    /// Budgets of this size, all of them full.
    pub const fn new(rate: Rate) -> Self {
        Self { rate, senders: BTreeMap::new() }
    }

    /// Takes one of this sender's, if one is left.
    pub fn take(&mut self, ip: IpAddr, now: Time) -> bool {
        let (sender, rate) = (Sender::of(ip), self.rate);
        if !self.senders.contains_key(&sender) && self.senders.len() >= SENDERS_MAX {
            self.forget_one(now);
        }
        self.senders.entry(sender).or_insert_with(|| Allowance::full(rate, now)).take(rate, now)
    }

    /// Forgets those whose budget is full again; if there are none, the one with most left.
    fn forget_one(&mut self, now: Time) {
        let (rate, full) = (self.rate, u64::from(self.rate.burst) * UNITS);
        self.senders.retain(|_, allowance| {
            allowance.refill(rate, now);
            allowance.credit < full
        });
        if self.senders.len() >= SENDERS_MAX {
            let richest = self.senders.iter().max_by_key(|(_, allowance)| allowance.credit);
            if let Some(sender) = richest.map(|(sender, _)| *sender) {
                self.senders.remove(&sender);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const RATE: Rate = Rate { per_second: 5, burst: 10 };

    proptest! {
        #[test]
        fn nobody_gets_more_than_rate_and_burst(gaps_ms in prop::collection::vec(0_u64..400, 1..200)) {
            let mut allowances = Allowances::new(RATE);
            let (mut now, mut got, mut total) = (Time::ZERO, 0_u64, 0_u64);
            for gap in gaps_ms {
                now += Duration::from_millis(gap);
                total += gap;
                got += u64::from(allowances.take([1, 2, 3, 4].into(), now));
                prop_assert!(got * 1000 <= 5 * total + 10_000);
            }
        }
    }

    #[test]
    fn senders_do_not_share_but_addresses_of_one_64_do() {
        let mut allowances = Allowances::new(Rate { per_second: 0, burst: 1 });
        assert!(allowances.take([1, 1, 1, 1].into(), Time::ZERO));
        assert!(!allowances.take([1, 1, 1, 1].into(), Time::ZERO));
        assert!(allowances.take([1, 1, 1, 2].into(), Time::ZERO));
        assert!(allowances.take("2001:db8::1".parse().expect("an address"), Time::ZERO));
        assert!(!allowances.take("2001:db8::2".parse().expect("an address"), Time::ZERO));
    }

    #[test]
    fn many_senders_are_forgotten_in_part_and_the_poor_stay_poor() {
        let mut allowances = Allowances::new(Rate { per_second: 0, burst: 3 });
        let poor = [9, 9, 9, 9].into();
        (0..3).for_each(|_| assert!(allowances.take(poor, Time::ZERO)));
        for sender in 0..5000_u32 {
            assert!(allowances.take(IpAddr::V4(sender.into()), Time::ZERO));
        }
        assert_eq!(allowances.senders.len(), SENDERS_MAX);
        assert!(!allowances.take(poor, Time::ZERO));
    }
}
