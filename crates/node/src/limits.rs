//! Limits of the whole node, shared by its shards: connections, connects and bytes a second.

use piecework_swarm::{Bucket, BucketConfig};
use piecework_types::Time;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Connects started a second, by all torrents together.
const CONNECTS_PER_SECOND: u64 = 30;

/// Connects that may start at once after a pause.
const CONNECTS_BURST: u64 = 30;

/// A number of things of which only so many may exist.
#[derive(Debug)]
struct Gauge {
    count: AtomicUsize,
    max: usize,
}

/// One of the things a [`Gauge`] counts; gives its place back when dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Gauge>);

impl Gauge {
    fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { count: AtomicUsize::new(0), max })
    }

    fn permit(self: &Arc<Self>) -> Option<Permit> {
        let taken = self.count.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
            (count < self.max).then_some(count + 1)
        });
        taken.is_ok().then(|| Permit(Arc::clone(self)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What all shards share.
#[derive(Debug)]
pub(crate) struct NodeLimits {
    peers: Arc<Gauge>,
    half_open: Arc<Gauge>,
    connects: Mutex<Bucket>,
    pub(crate) up: Rate,
    pub(crate) down: Arc<Rate>,
}

impl NodeLimits {
    pub(crate) fn new(config: &crate::EngineConfig, now: Time) -> Self {
        let connects =
            BucketConfig { rate_bytes: CONNECTS_PER_SECOND, burst_bytes: CONNECTS_BURST };
        Self {
            peers: Gauge::new(config.peers_max),
            half_open: Gauge::new(config.half_open_max),
            connects: Mutex::new(Bucket::new(connects, now)),
            up: Rate::new(config.up_limit, now),
            down: Arc::new(Rate::new(config.down_limit, now)),
        }
    }

    /// A place for a connected peer.
    pub(crate) fn peer(&self) -> Option<Permit> {
        self.peers.permit()
    }

    /// A place for a connection that is being opened.
    pub(crate) fn half_open(&self) -> Option<Permit> {
        self.half_open.permit()
    }

    /// Whether a connect may start now, or when to ask again.
    pub(crate) fn connect(&self, now: Time) -> Result<(), Time> {
        let mut bucket = self.connects.lock().unwrap_or_else(PoisonError::into_inner);
        if bucket.take(1, now) == 1 { Ok(()) } else { Err(bucket.next_at(1, now)) }
    }
}

/// A rate limit that may be absent, which costs nothing.
#[derive(Debug)]
pub(crate) struct Rate(Option<Mutex<Bucket>>);

impl Rate {
    pub(crate) fn new(bytes_per_second: Option<u64>, now: Time) -> Self {
        let bucket = |rate| Mutex::new(Bucket::new(BucketConfig::per_second(rate), now));
        Self(bytes_per_second.map(bucket))
    }

    pub(crate) fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// Bytes that may pass now, at most `want`; or when at least `least` may.
    pub(crate) fn take(&self, want: u64, least: u64, now: Time) -> Result<u64, Time> {
        let Some(bucket) = &self.0 else { return Ok(want) };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let least = least.min(want);
        if bucket.available(now) < least {
            return Err(bucket.next_at(least, now));
        }
        Ok(bucket.take(want, now))
    }

    pub(crate) fn give_back(&self, bytes: u64, now: Time) {
        if let Some(bucket) = &self.0 {
            bucket.lock().unwrap_or_else(PoisonError::into_inner).give_back(bytes, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_gives_its_place_back() {
        let gauge = Gauge::new(1);
        let first = gauge.permit();
        assert!(first.is_some() && gauge.permit().is_none());
        drop(first);
        assert!(gauge.permit().is_some());
    }

    #[test]
    fn a_limit_grants_the_least_or_says_when_and_takes_back_what_was_not_used() {
        let now = Time::ZERO;
        let rate = Rate::new(Some(100_000), now);
        assert_eq!(rate.take(1_000_000, 16_384, now), Ok(32_768));
        let Err(at) = rate.take(1_000_000, 16_384, now) else { panic!("the burst is spent") };
        assert_eq!(rate.take(1_000_000, 16_384, at), Ok(16_384));
        rate.give_back(10_000, at);
        assert_eq!(rate.take(10_000, 16_384, at), Ok(10_000));
        assert_eq!(Rate::new(None, now).take(5, 5, now), Ok(5));
    }
}
