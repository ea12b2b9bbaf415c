//! The order in which peers deserve a regular slot, as plain comparable values.
//!
//! Owns the policy's formulas. Invariant: the order is total and depends on nothing but the peer, the
//! mode and the time, so that one seed gives one trace.

use super::{Choker, Peer, Turn};
use piecework_types::{PeerSlot, Time};
use std::cmp::Reverse;
use std::time::Duration;

/// A seeding turn lasts at least this long ...
const TURN: Duration = Duration::from_secs(60);
/// ... and at least so many pieces.
const TURN_PIECES: u64 = 20;
/// ... but not for ever: a peer that asks for little must not hold a slot against those who wait.
const TURN_MAX: Duration = Duration::from_secs(300);

/// Bytes a peer may have taken beyond twice what it claims to have before it counts as a leech that
/// hides its progress.
const LEECH_SLACK_BYTES: u64 = 64 * 1024 * 1024;

/// 2^(-1/6) as a fraction of 2^16: six rounds of 10 s halve a deficit.
const DECAY: i128 = 58_386;

/// Smaller is served first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Rank {
    Leeching { deficit: i64, choked: bool, slot: PeerSlot },
    Seeding { leech: bool, turn_over: bool, waiting: u64, gain: Reverse<u32>, slot: PeerSlot },
}

impl Rank {
    pub(super) const fn slot(&self) -> PeerSlot {
        match self {
            Self::Leeching { slot, .. } | Self::Seeding { slot, .. } => *slot,
        }
    }
}

/// A deficit one round later. Rounds towards zero, so that it vanishes in the end.
pub(super) const fn decayed(deficit: i64) -> i64 {
    // The factor is below one: the product of two i64 shifted back is an i64.
    (deficit as i128 * DECAY / (1 << 16)) as i64
}

impl Choker {
    pub(super) fn rank(&self, slot: PeerSlot, peer: &Peer, now: Time) -> Rank {
        if !self.seeding {
            let choked = peer.unchoked.is_none();
            return Rank::Leeching { deficit: peer.deficit, choked, slot };
        }
        let regular = peer.unchoked.filter(|held| held.turn == Turn::Regular);
        let turn_over = regular.is_none_or(|held| {
            let lasted = now.since(held.since);
            let served = held.sent >= TURN_PIECES * self.piece_bytes;
            (lasted >= TURN && served) || lasted >= TURN_MAX
        });
        // Waits within one turn of each other are equal, so that rarity has a say.
        let since = if regular.is_some() { now } else { peer.waiting_since };
        let waiting = if turn_over { since.as_micros() / TURN.as_micros() as u64 } else { 0 };
        Rank::Seeding {
            leech: self.is_leech(peer),
            turn_over,
            waiting,
            gain: Reverse(peer.rarity_gain),
            slot,
        }
    }

    /// Whether the peer is served last while we seed, because it took far more than it admits to have: it
    /// hides its progress, or gives what it gets away under other names (Chow et al. 2008: a free rider).
    pub fn is_free_rider(&self, slot: PeerSlot) -> bool {
        self.peers.get(&slot).is_some_and(|peer| self.is_leech(peer))
    }

    fn is_leech(&self, peer: &Peer) -> bool {
        let claimed = u64::from(peer.have).saturating_mul(self.piece_bytes);
        let plausible = claimed.saturating_mul(2).saturating_add(LEECH_SLACK_BYTES);
        self.piece_bytes > 0 && peer.sent_total >= plausible
    }
}
