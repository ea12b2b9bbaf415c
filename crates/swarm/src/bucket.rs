//! How many bytes may pass now: a token bucket.
//!
//! Owns one rate limit (download or upload, of the node, a torrent or a class). Invariant: over any
//! interval of `t` seconds at most `rate * t + burst` bytes are granted, and a taker that never stops
//! asking gets exactly `rate` in the long run: fractions of a byte are kept, not rounded away.
//! It must not know who takes, nor what the bytes are.

use piecework_types::Time;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Credit is counted in byte-microseconds per second: a byte is this many units, and a rate of
/// `r` bytes/s earns `r` units every microsecond. No division, hence no rounding.
const UNITS_PER_BYTE: u128 = 1_000_000;

/// What a [`Bucket`] promises.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BucketConfig {
    /// Bytes a second in the long run. Zero grants the burst once and then nothing.
    pub rate_bytes: u64,
    /// Bytes that may pass at once after a pause.
    pub burst_bytes: u64,
}

impl BucketConfig {
    /// A limit whose burst is a quarter of a second, but never less than one block with its header:
    /// a smaller bucket could not let a block pass at all.
    pub const fn per_second(rate_bytes: u64) -> Self {
        let quarter = rate_bytes / 4;
        let least = 2 * piecework_types::BLOCK_BYTES as u64;
        Self { rate_bytes, burst_bytes: if quarter > least { quarter } else { least } }
    }
}

/// A token bucket in integers. Starts full.
#[derive(Clone, Debug)]
pub struct Bucket {
    config: BucketConfig,
    credit: u128,
    updated: Time,
}

impl Bucket {
    /// A full bucket.
    pub const fn new(config: BucketConfig, now: Time) -> Self {
        Self { config, credit: Self::full(config), updated: now }
    }

    /// The limit it keeps.
    pub const fn config(&self) -> BucketConfig {
        self.config
    }

    /// Changes the limit. Credit earned so far stays, up to the new burst.
    pub fn set_config(&mut self, config: BucketConfig, now: Time) {
        self.refill(now);
        self.config = config;
        self.credit = self.credit.min(Self::full(config));
    }

    /// Grants up to `want` bytes.
    pub fn take(&mut self, want: u64, now: Time) -> u64 {
        let granted = want.min(self.available(now));
        self.credit -= u128::from(granted) * UNITS_PER_BYTE;
        granted
    }

    /// Returns bytes of an earlier [`Bucket::take`] that were not used.
    pub fn give_back(&mut self, bytes: u64, now: Time) {
        self.refill(now);
        let credit = self.credit + u128::from(bytes) * UNITS_PER_BYTE;
        self.credit = credit.min(Self::full(self.config));
    }

    /// Bytes that could be taken now.
    pub fn available(&mut self, now: Time) -> u64 {
        self.refill(now);
        // The credit never exceeds a burst, which is a u64 of bytes.
        (self.credit / UNITS_PER_BYTE) as u64
    }

    /// The first moment at which `want` bytes (or a full burst, if that is less) can be taken:
    /// `now` if they are there, [`Time::NEVER`] if a rate of zero never earns them.
    pub fn next_at(&mut self, want: u64, now: Time) -> Time {
        self.refill(now);
        let wanted = u128::from(want.min(self.config.burst_bytes)) * UNITS_PER_BYTE;
        let missing = wanted.saturating_sub(self.credit);
        if missing == 0 {
            return now;
        }
        if self.config.rate_bytes == 0 {
            return Time::NEVER;
        }
        let micros = missing.div_ceil(u128::from(self.config.rate_bytes));
        now + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    const fn full(config: BucketConfig) -> u128 {
        config.burst_bytes as u128 * UNITS_PER_BYTE
    }

    /// A clock that steps back earns nothing and loses nothing.
    fn refill(&mut self, now: Time) {
        let micros = now.as_micros().saturating_sub(self.updated.as_micros());
        let earned = u128::from(micros) * u128::from(self.config.rate_bytes);
        self.credit = self.credit.saturating_add(earned).min(Self::full(self.config));
        self.updated = self.updated.max(now);
    }
}
