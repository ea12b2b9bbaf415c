//! Our own address as others see it (BEP 10 `yourip`, BEP 24): a vote, for anybody may lie.
//!
//! Invariants: one vote a network (/24 of IPv4, /48 of IPv6) or tracker, its latest; at most [`VOTERS_MAX`]
//! votes of each family; only addresses of the internet are elected. It must not know sockets.

use piecework_types::Scope;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Voters of each family; beyond them the one that spoke first is forgotten.
pub const VOTERS_MAX: usize = 64;

/// Weight of a tracker's vote: it was chosen by whoever made the torrent, a peer by itself.
const TRACKER_WEIGHT: u32 = 3;

/// Weight an address needs, and more than any other has.
const WEIGHT_MIN: u32 = 3;

/// Who says so.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Voter {
    /// A peer at this address.
    Peer(IpAddr),
    /// The tracker with this host name.
    Tracker(String),
    /// Nodes of the DHT in many networks, which agree already (BEP 42).
    Dht,
}

impl Voter {
    const fn weight(&self) -> u32 {
        match self {
            Self::Peer(_) => 1,
            Self::Tracker(_) | Self::Dht => TRACKER_WEIGHT,
        }
    }

    /// Peers of one network have one vote.
    fn of_network(self) -> Self {
        match self {
            Self::Peer(IpAddr::V4(ip)) => {
                Self::Peer(Ipv4Addr::from(u32::from(ip) & 0xffff_ff00).into())
            }
            Self::Peer(IpAddr::V6(ip)) => {
                Self::Peer(Ipv6Addr::from(u128::from(ip) & (!0 << 80)).into())
            }
            other @ (Self::Tracker(_) | Self::Dht) => other,
        }
    }
}

/// The votes of one family, oldest first, and who is elected.
#[derive(Debug, Default)]
struct Election {
    votes: VecDeque<(Voter, IpAddr)>,
    elected: Option<IpAddr>,
}

impl Election {
    fn vote(&mut self, voter: Voter, ours: IpAddr) {
        self.votes.retain(|(other, _)| *other != voter);
        if self.votes.len() >= VOTERS_MAX {
            self.votes.pop_front();
        }
        self.votes.push_back((voter, ours));
        let mut weights = BTreeMap::new();
        for (voter, ours) in &self.votes {
            *weights.entry(*ours).or_insert(0) += voter.weight();
        }
        let most = weights.values().copied().max().unwrap_or(0);
        let mut leaders = weights.iter().filter(|(_, weight)| **weight == most);
        if let (Some((leader, _)), None) = (leaders.next(), leaders.next())
            && most >= WEIGHT_MIN
        {
            self.elected = Some(*leader);
        }
    }
}

/// What the world calls us.
#[derive(Debug, Default)]
pub struct ExternalIp {
    v4: Election,
    v6: Election,
}

impl ExternalIp {
    /// Takes a vote. True when it changed who is elected.
    pub fn vote(&mut self, voter: Voter, ours: IpAddr) -> bool {
        let ours = ours.to_canonical();
        if Scope::of(ours) != Scope::World {
            return false;
        }
        let before = self.elected();
        let voter = voter.of_network();
        match ours {
            IpAddr::V4(_) => self.v4.vote(voter, ours),
            IpAddr::V6(_) => self.v6.vote(voter, ours),
        }
        self.elected() != before
    }

    /// The elected addresses, IPv4 first.
    pub const fn elected(&self) -> [Option<IpAddr>; 2] {
        [self.v4.elected, self.v6.elected]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn peer(network: u8, host: u8) -> Voter {
        Voter::Peer([80, 1, network, host].into())
    }

    fn ip(last: u8) -> IpAddr {
        [90, 0, 0, last].into()
    }

    #[test]
    fn three_networks_or_one_tracker_elect() {
        let mut external = ExternalIp::default();
        assert!(!external.vote(peer(1, 1), ip(1)));
        assert!(!external.vote(peer(2, 1), ip(1)));
        assert_eq!(external.elected(), [None, None]);
        assert!(external.vote(peer(3, 1), ip(1)));
        assert_eq!(external.elected(), [Some(ip(1)), None]);
        let mut external = ExternalIp::default();
        assert!(external.vote(Voter::Tracker("a.example".into()), "2001:db8::1".parse().unwrap()));
        assert_eq!(external.elected(), [None, Some("2001:db8::1".parse().unwrap())]);
    }

    #[test]
    fn a_network_has_one_vote_however_many_hosts_it_has() {
        let mut external = ExternalIp::default();
        for host in 0..100 {
            assert!(!external.vote(peer(1, host), ip(1)));
        }
    }

    #[test]
    fn a_tie_changes_nothing_and_a_new_address_wins_in_time() {
        let mut external = ExternalIp::default();
        for network in 0..3 {
            external.vote(peer(network, 1), ip(1));
        }
        for network in 3..6 {
            assert!(!external.vote(peer(network, 1), ip(2)));
        }
        assert!(external.vote(peer(6, 1), ip(2)));
        assert_eq!(external.elected(), [Some(ip(2)), None]);
    }

    #[test]
    fn addresses_that_mean_nothing_to_the_world_do_not_stand() {
        let mut external = ExternalIp::default();
        for ours in ["127.0.0.1", "192.168.0.1", "0.0.0.0", "fe80::1"] {
            let voter = Voter::Tracker("a.example".into());
            assert!(!external.vote(voter, ours.parse().unwrap()), "{ours}");
        }
    }

    #[test]
    fn votes_are_bounded() {
        let mut external = ExternalIp::default();
        for network in 0..=255 {
            external.vote(peer(network, 1), ip(network));
        }
        assert_eq!(external.v4.votes.len(), VOTERS_MAX);
    }
}
