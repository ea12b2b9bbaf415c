//! Peers that were announced to this node, by torrent (BEP 5, BEP 33).
//!
//! Owns them until they expire. Invariants: one address stands once in a torrent; torrents, peers of a
//! torrent and torrents of one sender have limits; a full store takes a new torrent in place of the one
//! with fewest peers. Must not know tokens or messages.

use crate::krpc::{Filters, Samples};
use crate::{BloomFilter, Family};
use piecework_types::{InfoHash, Rng, Sender, Time};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// How long a peer is remembered; clients announce every 15 to 30 minutes.
pub const PEER_LIFE: Duration = Duration::from_secs(45 * 60);
/// Peers of one torrent. Filters count well up to 6000 (BEP 33); an answer names a few.
pub const TORRENT_PEERS_MAX: usize = 1000;
/// Peers of all torrents together, about 48 bytes each.
pub const PEERS_MAX: usize = 50_000;
/// Places that announces of one address, or one /64, may take.
pub const SENDER_PEERS_MAX: u32 = 256;
/// How long one sample is shown to everybody (BEP 51).
const SAMPLE_LIFE: Duration = Duration::from_secs(5 * 60);
/// Between two searches for what has run out.
const SWEEP_GAP: Duration = Duration::from_secs(60);
/// Info-hashes of a sample.
const SAMPLE_HASHES_MAX: usize = 20;

/// An announce that was accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announce {
    pub(crate) info_hash: InfoHash,
    pub(crate) peer: SocketAddr,
    pub(crate) is_seed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Peer {
    address: SocketAddr,
    is_seed: bool,
    expires: Time,
}

/// What a `get_peers` wants of the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) info_hash: InfoHash,
    pub(crate) family: Family,
    pub(crate) no_seeds: bool,
    pub(crate) most: usize,
}

/// All peers.
#[derive(Clone, Debug)]
pub(crate) struct PeerStore {
    torrents_max: usize,
    torrents: BTreeMap<InfoHash, Vec<Peer>>,
    senders: BTreeMap<Sender, u32>,
    peers: usize,
    next_sweep: Time,
    sample: Sample,
}

/// What everybody is shown until `ends`.
#[derive(Clone, Debug)]
struct Sample {
    ends: Time,
    info_hashes: Vec<InfoHash>,
}

impl PeerStore {
    pub(crate) const fn new(torrents_max: usize) -> Self {
        Self {
            torrents_max,
            torrents: BTreeMap::new(),
            senders: BTreeMap::new(),
            peers: 0,
            next_sweep: Time::ZERO,
            sample: Sample { ends: Time::ZERO, info_hashes: Vec::new() },
        }
    }

    /// Remembers a peer; false if there is no room for it.
    pub(crate) fn announce(&mut self, announce: Announce, now: Time) -> bool {
        self.expire(now);
        let Announce { info_hash, peer, is_seed } = announce;
        let expires = now + PEER_LIFE;
        let entry = Peer { address: peer, is_seed, expires };
        let known = self.torrents.get_mut(&info_hash);
        if let Some(known) =
            known.and_then(|peers| peers.iter_mut().find(|known| known.address.ip() == peer.ip()))
        {
            *known = entry;
            return true;
        }
        let count = self.torrents.get(&info_hash).map_or(0, Vec::len);
        let share = self.senders.get(&Sender::of(peer.ip())).copied().unwrap_or(0);
        if count >= TORRENT_PEERS_MAX || self.peers >= PEERS_MAX || share >= SENDER_PEERS_MAX {
            return false;
        }
        if count == 0 && self.torrents.len() >= self.torrents_max {
            self.drop_smallest();
        }
        self.torrents.entry(info_hash).or_default().push(entry);
        *self.senders.entry(Sender::of(peer.ip())).or_default() += 1;
        self.peers += 1;
        true
    }

    /// Some peers of the torrent, at random; seeds only in want of others if none are wished.
    pub(crate) fn peers(&mut self, wish: Wish, now: Time, rng: &mut Rng) -> Vec<SocketAddr> {
        self.expire(now);
        let peers = self.torrents.get(&wish.info_hash).map_or(&[][..], Vec::as_slice);
        let of_family =
            |peer: &&Peer| Family::of(peer.address.ip()) == wish.family && peer.expires > now;
        let mut found: Vec<_> = peers.iter().filter(of_family).collect();
        rng.shuffle(&mut found);
        if wish.no_seeds {
            found.sort_by_key(|peer| peer.is_seed);
        }
        found.into_iter().take(wish.most).map(|peer| peer.address).collect()
    }

    /// Who seeds and who downloads; none if the torrent is unknown.
    pub(crate) fn filters(&mut self, info_hash: InfoHash, now: Time) -> Option<Filters> {
        self.expire(now);
        let (mut seeds, mut peers) = (BloomFilter::new(), BloomFilter::new());
        for peer in self.torrents.get(&info_hash)?.iter().filter(|peer| peer.expires > now) {
            let filter = if peer.is_seed { &mut seeds } else { &mut peers };
            filter.insert(peer.address.ip());
        }
        Some(Filters { seeds, peers })
    }

    /// Whether one more peer of this torrent would be taken.
    pub(crate) fn has_room(&self, info_hash: InfoHash) -> bool {
        let count = self.torrents.get(&info_hash).map_or(0, Vec::len);
        count < TORRENT_PEERS_MAX && self.peers < PEERS_MAX
    }

    /// Up to `most` torrents. Everybody gets the same ones for five minutes, so that asking often shows
    /// nothing more.
    pub(crate) fn sample(&mut self, most: usize, now: Time, rng: &mut Rng) -> Samples {
        self.expire(now);
        if now >= self.sample.ends {
            let mut hashes: Vec<_> = self.torrents.keys().copied().collect();
            rng.shuffle(&mut hashes);
            hashes.truncate(SAMPLE_HASHES_MAX);
            self.sample = Sample { ends: now + SAMPLE_LIFE, info_hashes: hashes };
        }
        let info_hashes = self.sample.info_hashes.iter().take(most).copied().collect();
        Samples {
            info_hashes,
            total: Some(self.torrents.len() as u64),
            interval_seconds: Some(self.sample.ends.since(now).as_secs()),
        }
    }

    /// Torrents and peers that are remembered.
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.torrents.len(), self.peers)
    }

    /// Forgets what has run out, once a minute: readers skip what is left over.
    fn expire(&mut self, now: Time) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP_GAP;
        let mut gone = Vec::new();
        self.torrents.retain(|_, peers| {
            gone.extend(peers.extract_if(.., |peer| peer.expires <= now));
            !peers.is_empty()
        });
        self.forget(&gone);
    }

    fn drop_smallest(&mut self) {
        let smallest = self.torrents.iter().min_by_key(|(_, peers)| peers.len());
        if let Some(info_hash) = smallest.map(|(info_hash, _)| *info_hash)
            && let Some(peers) = self.torrents.remove(&info_hash)
        {
            self.forget(&peers);
        }
    }

    fn forget(&mut self, peers: &[Peer]) {
        self.peers -= peers.len();
        for peer in peers {
            let sender = Sender::of(peer.address.ip());
            if let Some(share) = self.senders.get_mut(&sender) {
                *share -= 1;
                if *share == 0 {
                    self.senders.remove(&sender);
                }
            }
        }
    }
}
