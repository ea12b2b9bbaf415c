//! One rate limit that is split in two: what is kept for peers with a reserve, and what everybody else has.
//!
//! Each part earns its share of the rate; what a part does not use, once its own burst is full, goes to the
//! other. So neither ever waits for the other, and nothing is lost while somebody wants it. What both leave
//! is to spare: reserves may be served faster with it than they were promised. Invariant: over any interval
//! of `t` seconds each of the two that never stops asking gets at least its share of `rate * t`, whatever is
//! taken of what is to spare, and all together get at most `rate * t` and their bursts.

use crate::bucket::BucketConfig;
use piecework_types::{BLOCK_BYTES, Time};
use std::time::Duration;

/// Credit is counted so that no division loses any: a byte is this many units, and a rate of `r` bytes/s
/// earns `r * 1,000` of them a microsecond, each part its thousandths.
const UNITS_PER_BYTE: u128 = 1_000_000 * 1_000;

/// Which part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// Everybody.
    Open,
    /// Peers with a reserve.
    Reserved,
    /// The same, beyond what was promised to them.
    Spare,
}

impl Part {
    /// All, in the order in which they are served.
    pub const ALL: [Self; 3] = [Self::Reserved, Self::Open, Self::Spare];
}

/// What is to spare, in parts of the burst: it is there only while nobody else wants it.
const SPARE_BURST_PART: u128 = 4;

#[derive(Clone, Copy, Debug)]
struct Share {
    permille: u16,
    credit: u128,
}

/// A token bucket in two parts. Starts full.
#[derive(Clone, Debug)]
pub struct Split {
    config: BucketConfig,
    shares: [Share; 3],
    updated: Time,
}

impl Split {
    /// A full bucket of which `reserved_permille` thousandths, at most 1,000, are kept for reserves.
    pub fn new(config: BucketConfig, reserved_permille: u16, now: Time) -> Self {
        let mut split = Self {
            config,
            shares: [1000, 0, 0].map(|permille| Share { permille, credit: 0 }),
            updated: now,
        };
        split.set_reserved(reserved_permille, now);
        for at in 0..3 {
            split.shares[at].credit = split.full(at);
        }
        split
    }

    /// The limit it keeps.
    pub const fn config(&self) -> BucketConfig {
        self.config
    }

    /// Changes the limit. Credit earned so far stays, up to the new bursts.
    pub fn set_config(&mut self, config: BucketConfig, now: Time) {
        self.refill(now);
        self.config = config;
        self.trim();
    }

    /// What is kept for reserves, in thousandths.
    pub const fn reserved(&self) -> u16 {
        self.shares[Part::Reserved as usize].permille
    }

    /// Changes what is kept for reserves, in thousandths. Credit stays where it is.
    pub fn set_reserved(&mut self, permille: u16, now: Time) {
        self.refill(now);
        let permille = permille.min(1000);
        (self.shares[0].permille, self.shares[1].permille) = (1000 - permille, permille);
        self.trim();
    }

    /// Grants a part up to `want` bytes.
    pub fn take(&mut self, part: Part, want: u64, now: Time) -> u64 {
        let granted = want.min(self.available(part, now));
        self.shares[part as usize].credit -= u128::from(granted) * UNITS_PER_BYTE;
        granted
    }

    /// Returns bytes of an earlier [`Split::take`] that were not used.
    pub fn give_back(&mut self, part: Part, bytes: u64, now: Time) {
        self.refill(now);
        let credit = u128::from(bytes) * UNITS_PER_BYTE;
        self.earn(part as usize, credit);
    }

    /// Bytes that a part could take now.
    pub fn available(&mut self, part: Part, now: Time) -> u64 {
        self.refill(now);
        // The credit never exceeds a burst, which is a u64 of bytes.
        (self.shares[part as usize].credit / UNITS_PER_BYTE) as u64
    }

    /// A moment at which `want` bytes (or the part's full burst, if that is less) may be there, early if
    /// others leave something over: then ask again. [`Time::NEVER`] if nothing is ever earned.
    pub fn next_at(&mut self, part: Part, want: u64, now: Time) -> Time {
        self.refill(now);
        let at = part as usize;
        let wanted = (u128::from(want) * UNITS_PER_BYTE).min(self.full(at));
        let missing = wanted.saturating_sub(self.shares[at].credit);
        if missing == 0 {
            return now;
        }
        let rate = u128::from(self.config.rate_bytes);
        let own = rate * u128::from(self.shares[at].permille);
        // Alone by its own share, or by all of the rate once those that come before it are full.
        let alone = (own > 0).then(|| missing.div_ceil(own));
        let before = if part == Part::Spare { 0..2 } else { 1 - at..2 - at };
        let gap: u128 = before.map(|at| self.full(at) - self.shares[at].credit).sum();
        let together = (rate > 0).then(|| (missing + gap).div_ceil(rate * 1000));
        let micros = [alone, together].into_iter().flatten().min();
        micros.map_or(Time::NEVER, |micros| {
            now + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
        })
    }

    /// A part holds its share of the burst, but two blocks at least unless it has no share at all. Nothing is
    /// to spare where nothing is reserved.
    fn full(&self, at: usize) -> u128 {
        let is_spare = at == Part::Spare as usize;
        let permille =
            u128::from(if is_spare { self.reserved() } else { self.shares[at].permille });
        if permille == 0 {
            return 0;
        }
        let burst = u128::from(self.config.burst_bytes);
        if is_spare {
            return (burst / SPARE_BURST_PART).max(2 * u128::from(BLOCK_BYTES)) * UNITS_PER_BYTE;
        }
        let share = burst * permille * (UNITS_PER_BYTE / 1000);
        if permille == 1000 {
            return share;
        }
        share.max(2 * u128::from(BLOCK_BYTES) * UNITS_PER_BYTE)
    }

    /// A clock that steps back earns nothing and loses nothing.
    fn refill(&mut self, now: Time) {
        let micros = u128::from(now.as_micros().saturating_sub(self.updated.as_micros()));
        self.updated = self.updated.max(now);
        let earned = micros * u128::from(self.config.rate_bytes);
        for at in 0..2 {
            self.earn(at, earned * u128::from(self.shares[at].permille));
        }
    }

    /// What one part cannot hold goes to the other, what neither can hold is to spare, and the rest is lost.
    fn earn(&mut self, at: usize, credit: u128) {
        let mut left = credit;
        let order = match at {
            0 => [0, 1, 2],
            1 => [1, 0, 2],
            _ => [2, 0, 1],
        };
        for at in order {
            let room = self.full(at).saturating_sub(self.shares[at].credit);
            let part = left.min(room);
            self.shares[at].credit += part;
            left -= part;
        }
    }

    fn trim(&mut self) {
        for at in 0..3 {
            self.shares[at].credit = self.shares[at].credit.min(self.full(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn split(rate: u64, permille: u16) -> Split {
        Split::new(BucketConfig::per_second(rate), permille, Time::ZERO)
    }

    /// Takes all that `parts` can get, every 10 ms for 10 s.
    fn drain(split: &mut Split, parts: &[Part]) -> [u64; 3] {
        let mut got = [0; 3];
        for step in 0..1000 {
            let now = Time::from_micros(step * 10_000);
            for part in parts {
                got[*part as usize] += split.take(*part, u64::MAX, now);
            }
        }
        got
    }

    #[test]
    fn each_part_that_never_stops_asking_gets_its_share() {
        let parts = [Part::Spare, Part::Open, Part::Reserved];
        let [open, reserved, spare] = drain(&mut split(8 * MIB, 750), &parts);
        assert!((20 * MIB..21 * MIB).contains(&open), "{open}");
        assert!((60 * MIB..62 * MIB).contains(&reserved), "{reserved}");
        assert!(spare < MIB, "nothing but its burst is to spare: {spare}");
    }

    #[test]
    fn what_one_part_does_not_want_the_other_gets() {
        for part in Part::ALL {
            let got = drain(&mut split(8 * MIB, 750), &[part])[part as usize];
            assert!((78 * MIB..83 * MIB).contains(&got), "{part:?} {got}");
        }
    }

    #[test]
    fn without_a_reserved_part_everything_is_open_and_a_rate_of_zero_earns_nothing() {
        let mut whole = split(MIB, 0);
        assert_eq!(whole.available(Part::Reserved, Time::from_micros(5_000_000)), 0);
        assert_eq!(
            whole.next_at(Part::Open, 1, Time::from_micros(5_000_000)),
            Time::from_micros(5_000_000)
        );
        let mut none = split(0, 500);
        none.take(Part::Open, u64::MAX, Time::ZERO);
        none.take(Part::Reserved, u64::MAX, Time::ZERO);
        assert_eq!(none.next_at(Part::Reserved, 1, Time::ZERO), Time::NEVER);
    }

    proptest! {
        #[test]
        fn whoever_waits_as_told_gets_the_bytes_and_both_together_never_more_than_the_rate(
            rate in 1_000_u64..100_000_000,
            permille in 0_u16..=1000,
            turns in prop::collection::vec((0_usize..3, 1_u64..200_000), 1..60),
        ) {
            let mut split = split(rate, permille);
            let (mut now, mut got) = (Time::ZERO, 0_u64);
            let bursts: u64 = Part::ALL.iter().map(|part| split.available(*part, now)).sum();
            for (part, want) in turns {
                let part = Part::ALL[part];
                let full = (split.full(part as usize) / UNITS_PER_BYTE) as u64;
                let want = want.min(full);
                let mut looks = 0;
                while split.available(part, now) < want {
                    now = split.next_at(part, want, now);
                    looks += 1;
                    prop_assert!(looks < 3 && now < Time::NEVER, "waits for ever");
                }
                got += split.take(part, want, now);
                let earned = u128::from(rate) * u128::from(now.as_micros()) / 1_000_000;
                prop_assert!(u128::from(got) <= earned + u128::from(bursts) + 2);
            }
        }
    }
}
