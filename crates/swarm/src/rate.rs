//! How many bytes went by and how fast: a total and a window of five seconds in buckets of one.
//!
//! Invariant: the window holds the last five whole or running seconds; asking costs O(1).

use piecework_types::Time;

const SECONDS: u64 = 5;

/// A counter with a rate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    total: u64,
    buckets: [u64; SECONDS as usize],
    /// The second of the newest bucket.
    second: u64,
    /// The second of the first byte.
    first: Option<u64>,
}

impl Meter {
    pub(crate) fn add(&mut self, bytes: u64, now: Time) {
        self.advance(second(now));
        self.total += bytes;
        self.buckets[(self.second % SECONDS) as usize] += bytes;
    }

    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// Bytes a second over the window, or since the first byte if that is less.
    pub(crate) fn rate(&self, now: Time) -> u64 {
        let now = second(now);
        let Some(first) = self.first.filter(|_| now < self.second + SECONDS) else { return 0 };
        // Buckets older than the window still hold what was current when the last byte came.
        let stale = (self.second + 1..=now).map(|late| self.buckets[(late % SECONDS) as usize]);
        let recent = self.buckets.iter().sum::<u64>() - stale.sum::<u64>();
        recent / (now - first + 1).min(SECONDS)
    }

    fn advance(&mut self, now: u64) {
        self.first.get_or_insert(now);
        if now >= self.second + SECONDS {
            self.buckets = [0; SECONDS as usize];
        } else {
            for late in self.second + 1..=now {
                self.buckets[(late % SECONDS) as usize] = 0;
            }
        }
        self.second = self.second.max(now);
    }
}

fn second(now: Time) -> u64 {
    now.as_micros() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn the_rate_is_that_of_the_last_five_seconds() {
        let mut meter = Meter::default();
        (100..110).for_each(|second| meter.add(1000, at(second)));
        assert_eq!((meter.total(), meter.rate(at(109))), (10_000, 1000));
        assert_eq!(meter.rate(at(111)), 600);
        assert_eq!(meter.rate(at(200)), 0);
    }

    #[test]
    fn a_young_counter_divides_by_its_age() {
        let mut meter = Meter::default();
        meter.add(1000, at(7));
        assert_eq!(meter.rate(at(7)), 1000);
        assert_eq!(meter.rate(at(8)), 500);
    }
}
