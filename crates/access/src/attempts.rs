//! How often a password may be tried: a budget for each sender and one for all, and a ban after failures.

use piecework_types::{Allowance, Allowances, Rate, Sender, Time};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use thiserror::Error;

/// Senders whose failures are counted; beyond it the one that failed longest ago is forgotten.
const SENDERS_MAX: usize = 1024;
/// For one sender: programs that log in for each call still pass, for they do not fail.
const EACH: Rate = Rate { per_second: 2, burst: 10 };
/// For all together: each try takes a tenth of a second of one core.
const ALL: Rate = Rate { per_second: 5, burst: 20 };

/// Why a password is not even looked at, or is wrong.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Refused {
    /// User or password are wrong.
    #[error("user or password are wrong")]
    Wrong,
    /// Too many failures came from that address.
    #[error("too many failed logins from this address: try again in {} s", .0.as_secs())]
    Banned(Duration),
    /// Too many tries at once.
    #[error("too many logins at once: try again in {} s", .0.as_secs())]
    Busy(Duration),
    /// There is no password.
    #[error("there is no password to log in with: set one, or use an API key")]
    NoPassword,
}

impl Refused {
    /// When to come again, if ever.
    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Banned(wait) | Self::Busy(wait) => Some(wait),
            Self::Wrong | Self::NoPassword => None,
        }
    }
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Time,
}

/// Who tried, and how it ended.
#[derive(Debug)]
pub(crate) struct Attempts {
    each: Allowances,
    all: Allowance,
    failures: BTreeMap<Sender, Failures>,
    failures_max: u32,
    ban: Duration,
}

impl Attempts {
    pub(crate) const fn new(failures_max: u32, ban: Duration) -> Self {
        Self {
            each: Allowances::new(EACH),
            all: Allowance::full(ALL, Time::ZERO),
            failures: BTreeMap::new(),
            failures_max,
            ban,
        }
    }

    /// How long an address is banned from now on, if it is.
    pub(crate) fn banned(&self, ip: IpAddr, now: Time) -> Option<Duration> {
        let failures = self.failures.get(&Sender::of(ip.to_canonical()))?;
        if failures.count < self.failures_max {
            return None;
        }
        let left = self.ban.saturating_sub(now.since(failures.last));
        (!left.is_zero()).then(|| at_least_a_second(left))
    }

    /// Whether an address may try now.
    pub(crate) fn admit(&mut self, ip: IpAddr, now: Time) -> Result<(), Refused> {
        if let Some(wait) = self.banned(ip, now) {
            return Err(Refused::Banned(wait));
        }
        let is_free = self.each.take(ip.to_canonical(), now) && self.all.take(ALL, now);
        if is_free { Ok(()) } else { Err(Refused::Busy(Duration::from_secs(1))) }
    }

    pub(crate) fn succeeded(&mut self, ip: IpAddr) {
        self.failures.remove(&Sender::of(ip.to_canonical()));
    }

    pub(crate) fn failed(&mut self, ip: IpAddr, now: Time) {
        let (sender, ban) = (Sender::of(ip.to_canonical()), self.ban);
        if !self.failures.contains_key(&sender) && self.failures.len() >= SENDERS_MAX {
            let oldest = self.failures.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(oldest) = oldest.map(|(sender, _)| *sender) {
                self.failures.remove(&oldest);
            }
        }
        let failures = self.failures.entry(sender).or_insert(Failures { count: 0, last: now });
        // A sender that was quiet for as long as a ban lasts begins anew.
        if now.since(failures.last) >= ban {
            failures.count = 0;
        }
        *failures = Failures { count: failures.count.saturating_add(1), last: now };
    }
}

fn at_least_a_second(wait: Duration) -> Duration {
    Duration::from_secs(wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BAN: Duration = Duration::from_secs(600);
    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn failures_end_in_a_ban_that_ends_and_a_success_clears_them() {
        let mut attempts = Attempts::new(3, BAN);
        for second in 0..3 {
            assert_eq!(attempts.admit(ONE, at(second)), Ok(()));
            attempts.failed(ONE, at(second));
        }
        assert_eq!(attempts.admit(ONE, at(12)), Err(Refused::Banned(Duration::from_secs(590))));
        assert_eq!(attempts.admit([192, 0, 2, 2].into(), at(12)), Ok(()));
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert!(matches!(attempts.admit(mapped, at(12)), Err(Refused::Banned(_))));
        assert_eq!(attempts.admit(ONE, at(602)), Ok(()));
        attempts.failed(ONE, at(602));
        assert_eq!(attempts.banned(ONE, at(603)), None, "one failure after a ban is one");
        attempts.succeeded(ONE);
        assert!(attempts.failures.is_empty());
    }

    #[test]
    fn addresses_of_one_64_are_banned_together() {
        let mut attempts = Attempts::new(1, BAN);
        attempts.failed("2001:db8::1".parse().unwrap(), at(0));
        assert!(attempts.banned("2001:db8::2".parse().unwrap(), at(1)).is_some());
        assert!(attempts.banned("2001:db8:0:1::2".parse().unwrap(), at(1)).is_none());
    }

    proptest! {
        /// However many addresses somebody has, a day brings them fewer tries than a password of 20 bits has.
        #[test]
        fn nobody_tries_more_than_the_budget_of_all(gaps in prop::collection::vec(0_u64..300, 100..400)) {
            let mut attempts = Attempts::new(5, BAN);
            let (mut now, mut total, mut tries) = (Time::ZERO, 0_u64, 0_u64);
            for (sender, gap) in (0_u32..).zip(gaps) {
                now += Duration::from_millis(gap);
                total += gap;
                let ip = IpAddr::V4(sender.into());
                if attempts.admit(ip, now).is_ok() {
                    attempts.failed(ip, now);
                    tries += 1;
                }
                prop_assert!(tries * 1000 <= total * 5 + 20_000);
                prop_assert!(attempts.failures.len() <= SENDERS_MAX);
            }
        }
    }
}
