//! How a torrent's peers are greeted: with an encrypted handshake or in plaintext.
//!
//! Who does not answer an encrypted one is called again at once in plaintext, and greeted so the next time,
//! until that fails.

use piecework_mse::Encryption;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Peers remembered; beyond it the lowest address is forgotten.
const PLAINTEXT_PEERS_MAX: usize = 1000;

/// What is known of one torrent's peers.
#[derive(Debug, Default)]
pub(crate) struct Greetings {
    plaintext: BTreeSet<SocketAddr>,
    /// The user has been told that peers are refused.
    pub(crate) is_refusal_told: bool,
}

impl Greetings {
    /// Whether the peer is to be greeted with an encrypted handshake.
    pub(crate) fn encrypts(&self, peer: SocketAddr, encryption: Encryption) -> bool {
        match encryption {
            Encryption::Prefer => !self.plaintext.contains(&peer),
            Encryption::Require => true,
            Encryption::Off => false,
        }
    }

    /// The connection was lost before the peer's handshake: the other way is tried next.
    pub(crate) fn failed(&mut self, peer: SocketAddr, was_encrypted: bool) {
        if !was_encrypted {
            self.plaintext.remove(&peer);
            return;
        }
        if self.plaintext.len() >= PLAINTEXT_PEERS_MAX {
            self.plaintext.pop_first();
        }
        self.plaintext.insert(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> SocketAddr {
        SocketAddr::from((std::net::Ipv4Addr::from(number), 6881))
    }

    #[test]
    fn the_way_that_failed_is_not_tried_next_unless_there_is_only_one() {
        let mut greetings = Greetings::default();
        let ways = |greetings: &Greetings| {
            [Encryption::Prefer, Encryption::Require, Encryption::Off]
                .map(|encryption| greetings.encrypts(peer(1), encryption))
        };
        assert_eq!(ways(&greetings), [true, true, false]);
        greetings.failed(peer(1), true);
        assert_eq!(ways(&greetings), [false, true, false]);
        assert!(greetings.encrypts(peer(2), Encryption::Prefer));
        greetings.failed(peer(1), false);
        assert_eq!(ways(&greetings), [true, true, false]);
    }

    #[test]
    fn so_many_peers_are_remembered_and_no_more() {
        let mut greetings = Greetings::default();
        (0..5000).for_each(|number| greetings.failed(peer(number), true));
        assert_eq!(greetings.plaintext.len(), PLAINTEXT_PEERS_MAX);
        assert!(!greetings.encrypts(peer(4999), Encryption::Prefer));
    }
}
