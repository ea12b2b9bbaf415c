//! How the world sees this node: what peers and trackers say, counted for all torrents together.

use piecework_swarm::{ExternalIp, Voter};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Shared by all shards; looking for news costs one atomic load.
#[derive(Debug)]
pub(crate) struct External {
    /// The port that we listen on.
    inner: u16,
    /// The port that others reach us at.
    port: AtomicU16,
    votes: Mutex<ExternalIp>,
    /// Counts the changes.
    version: AtomicU64,
}

impl External {
    pub(crate) fn new(port: u16) -> Self {
        let (inner, version) = (port, AtomicU64::new(0));
        Self { inner, port: AtomicU16::new(port), votes: Mutex::default(), version }
    }

    /// The port that others reach us at, as far as we know.
    pub(crate) fn port(&self) -> u16 {
        self.port.load(Ordering::Acquire)
    }

    /// The gateway lets others in at this port, or at none of its own.
    pub(crate) fn map(&self, port: Option<u16>) {
        let port = port.unwrap_or(self.inner);
        if self.port.swap(port, Ordering::AcqRel) != port {
            self.version.fetch_add(1, Ordering::Release);
        }
    }

    /// Somebody says that this is our address.
    pub(crate) fn vote(&self, voter: Voter, ours: IpAddr) {
        let mut votes = self.votes.lock().unwrap_or_else(PoisonError::into_inner);
        if votes.vote(voter, ours) {
            tracing::info!(addresses = ?votes.elected(), "others see us here");
            self.version.fetch_add(1, Ordering::Release);
        }
    }

    /// Our addresses as most of those say who told one; at most one of IPv4 and one of IPv6.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        let votes = self.votes.lock().unwrap_or_else(PoisonError::into_inner);
        votes.elected().into_iter().flatten().collect()
    }

    /// Where we can be reached, if that has changed since `seen`, which is brought up to date.
    pub(crate) fn news(&self, seen: &mut u64) -> Vec<SocketAddr> {
        let version = self.version.load(Ordering::Acquire);
        if std::mem::replace(seen, version) == version {
            return Vec::new();
        }
        let votes = self.votes.lock().unwrap_or_else(PoisonError::into_inner);
        let addresses = votes.elected().into_iter().flatten();
        addresses.map(|ip| SocketAddr::new(ip, self.port())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_news_once_to_each_reader() {
        let external = External::new(6881);
        let (mut one, mut other) = (0, 0);
        assert!(external.news(&mut one).is_empty());
        assert!(external.addresses().is_empty());
        external.vote(Voter::Tracker("a.example".into()), [90, 0, 0, 1].into());
        assert_eq!(external.addresses(), [IpAddr::from([90, 0, 0, 1])]);
        let ours = SocketAddr::from(([90, 0, 0, 1], 6881));
        assert_eq!(external.news(&mut one), [ours]);
        assert!(external.news(&mut one).is_empty());
        assert_eq!(external.news(&mut other), [ours]);
        external.map(Some(50_000));
        assert_eq!(external.news(&mut one), [SocketAddr::from(([90, 0, 0, 1], 50_000))]);
        external.map(None);
        assert_eq!(external.news(&mut one), [ours]);
    }
}
