//! The peers of one torrent, as they announced themselves.
//!
//! Owns them until they stop or are not heard any more. Invariants: an address stands once; `places` and
//! `names` lead to every peer that is in a group and to nothing else. Must not know limits of all
//! torrents together, nor how an answer is written.

use crate::{Family, ScrapeCounts};
use piecework_types::{PeerId, Rng, Sender, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Time between two searches for peers that are gone, so that no stream of announces makes each of them
/// pay for one.
const SEARCH_AFTER: Duration = Duration::from_secs(10);

/// How much of the torrent a peer has and wants.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Stage {
    /// It lacks something it wants.
    Leecher,
    /// It has what it wants, but not all (BEP 21).
    PartialSeed,
    /// It has everything.
    Seed,
}

/// A peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) peer_id: PeerId,
    /// What it is known by when its address changes; 0 if it gave none.
    pub(super) key: u32,
    pub(super) stage: Stage,
    /// When it is forgotten.
    pub(super) expires: Time,
}

/// Who asks for peers, and for which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) peer_id: PeerId,
    pub(super) address: SocketAddr,
    /// A seed has no use for seeds.
    pub(super) wants_seeds: bool,
    /// Only those of this family, or both.
    pub(super) family: Option<Family>,
    pub(super) count: usize,
}

/// Groups of peers, by whether they want something and by family: choosing then costs what is given, not
/// what is there.
const GROUPS: usize = 4;
/// The groups from here on hold those who want nothing.
const FIRST_SEEDS: usize = 2;

#[derive(Clone, Copy, Debug)]
struct Place {
    group: usize,
    index: usize,
}

type Name = (PeerId, u32, Family);

/// All of them.
#[derive(Debug, Default)]
pub(super) struct TorrentPeers {
    groups: [Vec<Peer>; GROUPS],
    places: BTreeMap<SocketAddr, Place>,
    /// Where peers that gave a key are, so that one whose address changes does not stand twice.
    names: BTreeMap<Name, SocketAddr>,
    seeds: u32,
    partial_seeds: u32,
    downloaded: u32,
    /// The earliest moment at which somebody may have to be forgotten.
    search: Time,
}

impl TorrentPeers {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn contains(&self, address: &SocketAddr) -> bool {
        self.places.contains_key(address)
    }

    pub(super) fn counts(&self) -> ScrapeCounts {
        let all = u32::try_from(self.len()).unwrap_or(u32::MAX);
        ScrapeCounts {
            complete: self.seeds,
            downloaded: self.downloaded,
            incomplete: all.saturating_sub(self.seeds),
        }
    }

    /// Those of the incomplete that want nothing more (BEP 21).
    pub(super) const fn partial_seeds(&self) -> u32 {
        self.partial_seeds
    }

    /// Puts a peer where its address stood before, or in a new place. `has_completed` counts a download
    /// unless that address was a seed's already.
    pub(super) fn put(&mut self, peer: Peer, has_completed: bool) {
        let before = self.remove(&peer.address);
        if has_completed && before.is_none_or(|before| before.stage != Stage::Seed) {
            self.downloaded = self.downloaded.saturating_add(1);
        }
        let family = Family::of(peer.address.ip());
        let group = group_of(family, peer.stage);
        self.places.insert(peer.address, Place { group, index: self.groups[group].len() });
        self.groups[group].push(peer);
        if peer.key != 0 {
            self.names.insert((peer.peer_id, peer.key, family), peer.address);
        }
        if let Some(count) = self.count_of(peer.stage) {
            *count += 1;
        }
        self.search = if self.len() == 1 { peer.expires } else { self.search.min(peer.expires) };
    }

    pub(super) fn remove(&mut self, address: &SocketAddr) -> Option<Peer> {
        let Place { group, index } = self.places.remove(address)?;
        let peer = self.groups[group].swap_remove(index);
        if let Some(moved) = self.groups[group].get(index) {
            self.places.insert(moved.address, Place { group, index });
        }
        let name = (peer.peer_id, peer.key, Family::of(peer.address.ip()));
        if self.names.get(&name) == Some(address) {
            self.names.remove(&name);
        }
        if let Some(count) = self.count_of(peer.stage) {
            *count -= 1;
        }
        Some(peer)
    }

    /// Where this peer stood before its address changed, if it is known by its key.
    pub(super) fn former(&self, peer: &Peer) -> Option<SocketAddr> {
        let name = (peer.peer_id, peer.key, Family::of(peer.address.ip()));
        let former = self.names.get(&name).copied();
        former.filter(|former| peer.key != 0 && *former != peer.address)
    }

    /// How many peers this sender has here, and which of them was heard least lately.
    pub(super) fn of_sender(&self, ip: IpAddr) -> (usize, Option<SocketAddr>) {
        let peers = self
            .places
            .range(sender_range(ip))
            .filter(|(address, _)| Sender::of(address.ip()) == Sender::of(ip));
        let oldest = peers.clone().min_by_key(|(_, place)| self.at(**place).expires);
        (peers.count(), oldest.map(|(address, _)| *address))
    }

    /// Forgets who has not been heard, and hands them back. Looks at most every ten seconds, so a peer
    /// may be given away for that long after its time.
    pub(super) fn forget(&mut self, now: Time) -> Vec<SocketAddr> {
        if now < self.search {
            return Vec::new();
        }
        let peers = self.groups.iter().flatten();
        let gone: Vec<_> =
            peers.filter(|peer| peer.expires <= now).map(|peer| peer.address).collect();
        for address in &gone {
            self.remove(address);
        }
        let next = self.groups.iter().flatten().map(|peer| peer.expires).min();
        self.search = next.unwrap_or(Time::NEVER).max(now + SEARCH_AFTER);
        gone
    }

    /// Other peers than the one that asks, at random.
    pub(super) fn choose(&self, wish: &Wish, rng: &mut Rng) -> Vec<Peer> {
        let groups: Vec<&[Peer]> = self.groups_for(wish).collect();
        let total: usize = groups.iter().map(|group| group.len()).sum();
        // Who asks may be drawn, under its address of either family.
        let drawn = wish.count.saturating_add(2).min(total);
        let mut chosen: Vec<Peer> = draw(drawn, total, rng)
            .into_iter()
            .filter_map(|at| nth(&groups, at))
            .filter(|peer| peer.address != wish.address && peer.peer_id != wish.peer_id)
            .collect();
        rng.shuffle(&mut chosen);
        chosen.truncate(wish.count);
        chosen
    }

    fn groups_for(&self, wish: &Wish) -> impl Iterator<Item = &[Peer]> {
        let end = if wish.wants_seeds { GROUPS } else { FIRST_SEEDS };
        let families = [Family::V4, Family::V6].into_iter().cycle();
        let groups = self.groups[..end].iter().zip(families);
        let wanted = wish.family;
        groups
            .filter(move |(_, family)| wanted.is_none_or(|wanted| wanted == *family))
            .map(|(group, _)| group.as_slice())
    }

    fn at(&self, place: Place) -> &Peer {
        &self.groups[place.group][place.index]
    }

    const fn count_of(&mut self, stage: Stage) -> Option<&mut u32> {
        match stage {
            Stage::Leecher => None,
            Stage::PartialSeed => Some(&mut self.partial_seeds),
            Stage::Seed => Some(&mut self.seeds),
        }
    }
}

const fn group_of(family: Family, stage: Stage) -> usize {
    let first = match stage {
        Stage::Leecher => 0,
        Stage::PartialSeed | Stage::Seed => FIRST_SEEDS,
    };
    match family {
        Family::V4 => first,
        Family::V6 => first + 1,
    }
}

/// The addresses among which those of one sender are.
fn sender_range(ip: IpAddr) -> std::ops::RangeInclusive<SocketAddr> {
    let (first, last) = match ip {
        IpAddr::V4(_) => (ip, ip),
        IpAddr::V6(ip) => {
            let host = u128::from(u64::MAX);
            let network = u128::from(ip) & !host;
            (Ipv6Addr::from(network).into(), Ipv6Addr::from(network | host).into())
        }
    };
    SocketAddr::new(first, 0)..=SocketAddr::new(last, u16::MAX)
}

/// `count` different numbers below `total`, each set of them equally likely (Floyd 1987).
fn draw(count: usize, total: usize, rng: &mut Rng) -> BTreeSet<usize> {
    let mut drawn = BTreeSet::new();
    for last in total - count.min(total)..total {
        let number = rng.index(last + 1).unwrap_or(last);
        if !drawn.insert(number) {
            drawn.insert(last);
        }
    }
    drawn
}

fn nth(groups: &[&[Peer]], mut at: usize) -> Option<Peer> {
    for group in groups {
        if let Some(peer) = group.get(at) {
            return Some(*peer);
        }
        at -= group.len();
    }
    None
}

#[cfg(test)]
mod tests;
