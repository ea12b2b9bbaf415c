//! Which torrents an encrypted stranger may mean.

use crate::secret::{self, Secret};
use piecework_types::InfoHash;
use std::collections::BTreeMap;

/// Info-hashes remembered at most, 40 bytes and their place in a tree each.
pub const TORRENTS_MAX: usize = 1 << 20;

/// The info-hashes of a node by the name they have in encrypted handshakes, resting torrents included.
#[derive(Clone, Debug, Default)]
pub struct Torrents(BTreeMap<[u8; 20], InfoHash>);

impl Torrents {
    /// Adds an info-hash; false if there is no room for it.
    pub fn insert(&mut self, info_hash: InfoHash) -> bool {
        let has_room = self.0.len() < TORRENTS_MAX;
        if has_room {
            self.0.insert(secret::name(info_hash), info_hash);
        }
        has_room
    }

    /// Forgets an info-hash.
    pub fn remove(&mut self, info_hash: InfoHash) {
        self.0.remove(&secret::name(info_hash));
    }

    /// The info-hash whose masked name came.
    pub(crate) fn find(&self, masked: [u8; 20], secret: &Secret) -> Option<InfoHash> {
        self.0.get(&secret.mask(masked)).copied()
    }
}
