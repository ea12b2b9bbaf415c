//! Super seeding (BEP 16): each peer is shown one piece at a time, and the next one only when the
//! first is seen at another peer, so that a lone seed sends each piece about once.
//!
//! Owns what was shown to whom. Invariant: a peer has at most one piece shown that has not spread.
//! Knows no messages; who has what is passed in.

use piecework_types::{Bitfield, PeerSlot, PieceIndex};
use std::collections::BTreeMap;

#[derive(Debug)]
struct Shown {
    pieces: Bitfield,
    /// The one that has to spread before the next is shown.
    current: Option<PieceIndex>,
}

#[derive(Debug)]
pub(crate) struct SuperSeed {
    /// How many peers were shown each piece.
    times: Vec<u32>,
    peers: BTreeMap<PeerSlot, Shown>,
}

impl SuperSeed {
    pub(crate) fn new(piece_count: u32) -> Self {
        Self { times: vec![0; piece_count as usize], peers: BTreeMap::new() }
    }

    /// A peer came that believes that we have nothing.
    pub(crate) fn join(&mut self, slot: PeerSlot) {
        let pieces = Bitfield::new(self.times.len() as u32);
        self.peers.insert(slot, Shown { pieces, current: None });
    }

    /// A peer went.
    pub(crate) fn leave(&mut self, slot: PeerSlot) {
        self.peers.remove(&slot);
    }

    /// Whether the peer knows that we have this piece. True for peers that came before.
    pub(crate) fn is_shown(&self, slot: PeerSlot, piece: PieceIndex) -> bool {
        self.peers.get(&slot).is_none_or(|shown| shown.pieces.contains(piece))
    }

    /// Peers whose piece has spread now that `slot` has it: each may be shown the next one. A lone
    /// peer spreads nothing, so for it having the piece is enough.
    pub(crate) fn spread(&mut self, slot: PeerSlot, piece: PieceIndex) -> Vec<PeerSlot> {
        let is_lone = self.peers.len() == 1;
        let waiting = self
            .peers
            .iter_mut()
            .filter(|(owner, shown)| shown.current == Some(piece) && (**owner != slot || is_lone));
        waiting
            .map(|(owner, shown)| {
                shown.current = None;
                *owner
            })
            .collect()
    }

    /// The piece to show this peer next: of those that it lacks and was not shown, the one shown least,
    /// then the rarest. None while its last one has not spread.
    pub(crate) fn show(
        &mut self,
        slot: PeerSlot,
        theirs: &Bitfield,
        availability: impl Fn(PieceIndex) -> u32,
    ) -> Option<PieceIndex> {
        let shown = self.peers.get_mut(&slot).filter(|shown| shown.current.is_none())?;
        let pieces = (0..self.times.len() as u32).map(PieceIndex::trusted);
        let piece = pieces
            .filter(|&piece| !theirs.contains(piece) && !shown.pieces.contains(piece))
            .min_by_key(|&piece| (self.times[piece.as_usize()], availability(piece)))?;
        shown.pieces.insert(piece);
        shown.current = Some(piece);
        self.times[piece.as_usize()] += 1;
        Some(piece)
    }

    /// What was not shown to each peer that believes we have only what it was shown.
    pub(crate) fn unshown(&self) -> impl Iterator<Item = (PeerSlot, PieceIndex)> + '_ {
        let all = 0..self.times.len() as u32;
        self.peers.iter().flat_map(move |(&slot, shown)| {
            all.clone()
                .map(PieceIndex::trusted)
                .filter(|&piece| !shown.pieces.contains(piece))
                .map(move |piece| (slot, piece))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: PeerSlot = PeerSlot(1);
    const B: PeerSlot = PeerSlot(2);

    fn show(seed: &mut SuperSeed, slot: PeerSlot) -> Option<PieceIndex> {
        seed.show(slot, &Bitfield::new(3), |_| 0)
    }

    #[test]
    fn the_next_piece_is_shown_when_another_peer_has_the_last() {
        let mut seed = SuperSeed::new(3);
        [A, B].into_iter().for_each(|slot| seed.join(slot));
        let first = show(&mut seed, A).expect("a piece");
        let other = show(&mut seed, B).expect("a piece");
        assert_ne!(first, other);
        assert_eq!(show(&mut seed, A), None);
        assert_eq!(seed.spread(A, first), []);
        assert_eq!(seed.spread(B, first), [A]);
        assert!(show(&mut seed, A).is_some_and(|next| next != first && next != other));
        assert!(seed.is_shown(A, first) && !seed.is_shown(B, first));
    }

    #[test]
    fn a_lone_peer_is_shown_the_next_when_it_has_the_last() {
        let mut seed = SuperSeed::new(3);
        seed.join(A);
        let first = show(&mut seed, A).expect("a piece");
        assert_eq!(seed.spread(A, first), [A]);
        assert!(show(&mut seed, A).is_some());
        assert_eq!(seed.unshown().count(), 1);
    }
}
