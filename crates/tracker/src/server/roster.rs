//! The peers of all torrents, and whose they are.
//!
//! Owns them. Invariants: torrents, peers and the peers of one sender stay within [`ServerLimits`]; a torrent
//! here has a peer; `senders` and `peers` are the sums of what the torrents have. Must not know requests.

use super::config::ServerLimits;
use super::peers::{Peer, TorrentPeers, Wish};
use crate::ScrapeCounts;
use piecework_types::{InfoHash, Rng, Sender, Time};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Why a peer finds no place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NoRoom {
    /// For nobody who is new.
    Full,
    /// For this sender.
    Crowded,
}

/// All peers.
#[derive(Debug)]
pub(super) struct Roster {
    limits: ServerLimits,
    torrents: BTreeMap<InfoHash, TorrentPeers>,
    /// How many peers each sender has, over all torrents.
    senders: BTreeMap<Sender, u32>,
    peers: usize,
}

impl Roster {
    pub(super) const fn new(limits: ServerLimits) -> Self {
        Self { limits, torrents: BTreeMap::new(), senders: BTreeMap::new(), peers: 0 }
    }

    /// Puts a peer where it was, or in a new place if there is one.
    pub(super) fn put(
        &mut self,
        info_hash: InfoHash,
        peer: Peer,
        has_completed: bool,
    ) -> Result<(), NoRoom> {
        if let Some(former) = self.torrents.get(&info_hash).and_then(|peers| peers.former(&peer)) {
            self.remove(&info_hash, &former);
        }
        self.make_room(&info_hash, &peer)?;
        let peers = self.torrents.entry(info_hash).or_default();
        if !peers.contains(&peer.address) {
            self.peers += 1;
            *self.senders.entry(Sender::of(peer.address.ip())).or_default() += 1;
        }
        peers.put(peer, has_completed);
        Ok(())
    }

    pub(super) fn remove(&mut self, info_hash: &InfoHash, address: &SocketAddr) {
        let removed = self.torrents.get_mut(info_hash).and_then(|peers| peers.remove(address));
        if removed.is_some() {
            self.account_removed(address);
        }
        self.drop_if_empty(info_hash);
    }

    /// Forgets who has not been heard in this torrent.
    pub(super) fn forget(&mut self, info_hash: &InfoHash, now: Time) {
        let Some(peers) = self.torrents.get_mut(info_hash) else { return };
        let gone = peers.forget(now);
        gone.iter().for_each(|address| self.account_removed(address));
        self.drop_if_empty(info_hash);
    }

    /// Forgets who has not been heard in any torrent.
    pub(super) fn sweep(&mut self, now: Time) {
        let hashes: Vec<InfoHash> = self.torrents.keys().copied().collect();
        hashes.iter().for_each(|info_hash| self.forget(info_hash, now));
    }

    /// Others than the one that asks, at random.
    pub(super) fn choose(&self, info_hash: &InfoHash, wish: &Wish, rng: &mut Rng) -> Vec<Peer> {
        let peers = self.torrents.get(info_hash);
        peers.map(|peers| peers.choose(wish, rng)).unwrap_or_default()
    }

    pub(super) fn counts(&self, info_hash: &InfoHash) -> ScrapeCounts {
        self.torrents.get(info_hash).map(TorrentPeers::counts).unwrap_or_default()
    }

    /// How many of the incomplete want nothing more.
    pub(super) fn partial_seeds(&self, info_hash: &InfoHash) -> u32 {
        self.torrents.get(info_hash).map_or(0, TorrentPeers::partial_seeds)
    }

    pub(super) fn torrents(&self) -> usize {
        self.torrents.len()
    }

    pub(super) const fn peers(&self) -> usize {
        self.peers
    }

    pub(super) fn seeds(&self) -> usize {
        self.torrents.values().map(|peers| peers.counts().complete as usize).sum()
    }

    /// Whether the sums are those of the torrents.
    #[cfg(test)]
    pub(super) fn is_balanced(&self) -> bool {
        let peers: usize = self.torrents.values().map(TorrentPeers::len).sum();
        let by_sender: u32 = self.senders.values().sum();
        self.peers == peers
            && by_sender as usize == peers
            && peers <= self.limits.peers_max
            && self.torrents.len() <= self.limits.torrents_max
            && self.senders.values().all(|count| *count <= self.limits.sender_peers_max)
            && !self.torrents.values().any(TorrentPeers::is_empty)
    }

    /// Sees to it that a peer that is new here breaks no limit.
    fn make_room(&mut self, info_hash: &InfoHash, peer: &Peer) -> Result<(), NoRoom> {
        let (ip, limits) = (peer.address.ip(), self.limits);
        let (mut here, mut oldest) = (0, None);
        if let Some(peers) = self.torrents.get(info_hash) {
            if peers.contains(&peer.address) {
                return Ok(());
            }
            (here, oldest) = peers.of_sender(ip);
        } else if self.torrents.len() >= limits.torrents_max {
            return Err(NoRoom::Full);
        }
        if here >= limits.sender_torrent_peers_max
            && let Some(oldest) = oldest
        {
            self.remove(info_hash, &oldest);
        }
        let of_sender = self.senders.get(&Sender::of(ip)).copied().unwrap_or(0);
        if of_sender >= limits.sender_peers_max {
            return Err(NoRoom::Crowded);
        }
        if self.peers >= limits.peers_max { Err(NoRoom::Full) } else { Ok(()) }
    }

    fn account_removed(&mut self, address: &SocketAddr) {
        self.peers = self.peers.saturating_sub(1);
        let sender = Sender::of(address.ip());
        if let Some(count) = self.senders.get_mut(&sender) {
            *count -= 1;
            if *count == 0 {
                self.senders.remove(&sender);
            }
        }
    }

    /// Its count of downloads goes with it: what nobody shares takes no memory.
    fn drop_if_empty(&mut self, info_hash: &InfoHash) {
        if self.torrents.get(info_hash).is_some_and(TorrentPeers::is_empty) {
            self.torrents.remove(info_hash);
        }
    }
}
