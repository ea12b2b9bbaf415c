//! What our address is, by the word of those who answered (BEP 42).
//!
//! Owns the ballots. Invariants: a network has one vote, its last; an address wins with
//! [`VOTES_MIN`] votes and more than half of those held.

use crate::contact::Network;
use std::collections::VecDeque;
use std::net::IpAddr;

/// Votes that an address needs: fewer networks could be one person's.
const VOTES_MIN: usize = 5;
/// Voters that are remembered, the last ones.
const VOTERS_MAX: usize = 25;

/// The votes on one endpoint's address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ballot {
    votes: VecDeque<(Network, IpAddr)>,
    elected: Option<IpAddr>,
}

impl Ballot {
    /// Counts what `voter` says; gives the address if another one has won.
    pub(crate) fn vote(&mut self, voter: IpAddr, claim: IpAddr) -> Option<IpAddr> {
        let network = Network::of(voter);
        self.votes.retain(|(other, _)| *other != network);
        if self.votes.len() >= VOTERS_MAX {
            self.votes.pop_front();
        }
        self.votes.push_back((network, claim));
        let votes = self.votes.iter().filter(|(_, other)| *other == claim).count();
        let has_won = votes >= VOTES_MIN && votes * 2 > self.votes.len();
        if !has_won || self.elected == Some(claim) {
            return None;
        }
        self.elected = Some(claim);
        Some(claim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voter(number: u8) -> IpAddr {
        [5, 6, number, 1].into()
    }

    const OURS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(8, 8, 8, 8));
    const FALSE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(6, 6, 6, 6));

    #[test]
    fn an_address_is_elected_once_by_five_networks() {
        let mut ballot = Ballot::default();
        let results: Vec<_> = (0..7).map(|number| ballot.vote(voter(number), OURS)).collect();
        assert_eq!(results, [None, None, None, None, Some(OURS), None, None]);
    }

    #[test]
    fn one_network_cannot_vote_twice() {
        let mut ballot = Ballot::default();
        for last in 0..100 {
            assert_eq!(ballot.vote([5, 6, 7, last].into(), FALSE), None);
        }
    }

    #[test]
    fn liars_lose_while_they_are_fewer_and_a_move_is_noticed() {
        let mut ballot = Ballot::default();
        let mut said: Vec<_> = (0..9).map(|number| ballot.vote(voter(number), OURS)).collect();
        said.extend((9..17).map(|number| ballot.vote(voter(number), FALSE)));
        assert_eq!(said.into_iter().flatten().collect::<Vec<_>>(), [OURS]);
        let moved = IpAddr::from([9, 9, 9, 9]);
        let said: Vec<_> = (0..17).filter_map(|number| ballot.vote(voter(number), moved)).collect();
        assert_eq!(said, [moved]);
    }
}
