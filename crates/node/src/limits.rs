//! Limits of the whole node, shared by its shards: connections, connects and bytes a second.

use piecework_swarm::{BANS_MAX, Bucket, BucketConfig, Part, Split};
use piecework_types::Time;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

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

/// Addresses that the user refuses, whatever the torrent.
#[derive(Debug, Default)]
pub(crate) struct Bans(RwLock<BTreeSet<IpAddr>>);

impl Bans {
    /// Adds one; beyond [`BANS_MAX`] the lowest is forgotten.
    pub(crate) fn insert(&self, ip: IpAddr) {
        let mut bans = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if bans.len() >= BANS_MAX && !bans.contains(&ip.to_canonical()) {
            bans.pop_first();
        }
        bans.insert(ip.to_canonical());
    }

    pub(crate) fn remove(&self, ip: IpAddr) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&ip.to_canonical());
    }

    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        let bans = self.0.read().unwrap_or_else(PoisonError::into_inner);
        bans.contains(&ip.to_canonical())
    }
}

/// A rate limit that may be absent, which costs nothing, and may change at any time.
#[derive(Debug)]
pub(crate) struct Rate {
    is_limited: AtomicBool,
    /// Means nothing without a limit.
    bucket: Mutex<Split>,
}

impl Rate {
    pub(crate) fn new(bytes_per_second: Option<u64>, now: Time) -> Self {
        let config = BucketConfig::per_second(bytes_per_second.unwrap_or(0));
        Self {
            is_limited: AtomicBool::new(bytes_per_second.is_some()),
            bucket: Mutex::new(Split::new(config, 0, now)),
        }
    }

    /// Changes the limit; a new one starts with its burst.
    pub(crate) fn set(&self, bytes_per_second: Option<u64>, now: Time) {
        let mut bucket = self.lock();
        if let Some(rate) = bytes_per_second {
            match self.is_limited() {
                true => bucket.set_config(BucketConfig::per_second(rate), now),
                false => {
                    *bucket = Split::new(BucketConfig::per_second(rate), bucket.reserved(), now);
                }
            }
        }
        self.is_limited.store(bytes_per_second.is_some(), Ordering::Release);
    }

    /// Bytes a second, if there is a limit.
    pub(crate) fn limit(&self) -> Option<u64> {
        self.is_limited().then(|| self.lock().config().rate_bytes)
    }

    /// What of it is kept for peers with a reserve, in thousandths.
    pub(crate) fn set_reserved(&self, permille: u16, now: Time) {
        self.lock().set_reserved(permille, now);
    }

    pub(crate) fn is_limited(&self) -> bool {
        self.is_limited.load(Ordering::Acquire)
    }

    /// Bytes that may pass now, at most `want`; or when at least `least` may.
    pub(crate) fn take(&self, want: u64, least: u64, now: Time) -> Result<u64, Time> {
        self.take_of(Part::Open, want, least, now)
    }

    /// As [`Self::take`], of one part of the limit.
    pub(crate) fn take_of(
        &self,
        part: Part,
        want: u64,
        least: u64,
        now: Time,
    ) -> Result<u64, Time> {
        if !self.is_limited() {
            return Ok(want);
        }
        let mut bucket = self.lock();
        let least = least.min(want);
        if bucket.available(part, now) < least {
            return Err(bucket.next_at(part, least, now));
        }
        Ok(bucket.take(part, want, now))
    }

    pub(crate) fn give_back(&self, bytes: u64, now: Time) {
        if self.is_limited() {
            self.lock().give_back(Part::Open, bytes, now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Split> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that a torrent waits for of each part of the upload limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Quota([Option<u64>; 3]);

impl Quota {
    pub(crate) fn of(self, part: Part) -> Option<u64> {
        self.0[part as usize]
    }

    pub(crate) fn set(&mut self, part: Part, bytes: Option<u64>) {
        self.0[part as usize] = bytes;
    }

    pub(crate) fn is_wanted(self) -> bool {
        self.0.iter().any(Option::is_some)
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
    fn a_ban_holds_for_an_address_in_each_of_its_forms_and_there_are_so_many_and_no_more() {
        let bans = Bans::default();
        let ip = |number: usize| IpAddr::from((number as u32).to_be_bytes());
        bans.insert("::ffff:9.9.9.9".parse().expect("an address"));
        assert!(bans.contains([9, 9, 9, 9].into()) && !bans.contains([9, 9, 9, 8].into()));
        bans.remove([9, 9, 9, 9].into());
        assert!(!bans.contains([9, 9, 9, 9].into()));
        bans.insert([9, 9, 9, 9].into());
        (1..=BANS_MAX).for_each(|number| bans.insert(ip(number)));
        assert!(!bans.contains(ip(1)) && bans.contains(ip(BANS_MAX)));
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
    #[test]
    fn a_limit_that_changes_keeps_what_is_spent_and_one_of_zero_lets_nothing_pass() {
        let now = Time::ZERO;
        let rate = Rate::new(None, now);
        rate.set(Some(200_000), now);
        assert_eq!(rate.take(1_000_000, 16_384, now), Ok(50_000));
        rate.set(Some(400_000), now);
        let Err(at) = rate.take(1_000_000, 16_384, now) else { panic!("the burst is spent") };
        assert_eq!(at.since(now).as_micros(), 16_384 * 10 / 4);
        rate.set(Some(0), now);
        assert_eq!(rate.take(1_000_000, 16_384, now), Err(Time::NEVER));
        rate.set(None, now);
        assert_eq!(rate.take(1_000_000, 16_384, now), Ok(1_000_000));
    }
}
