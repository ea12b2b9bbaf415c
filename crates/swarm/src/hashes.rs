//! Piece layers from peers and for peers (BEP 52): hash requests, hashes, rejects.
//!
//! Owns the layers and what is asked of them. Invariant: a hash leaves here for the piece store only
//! as part of a layer that leads to its file's root; every span is proven on its own when it comes, so
//! a lie is found at once and has one culprit. Knows slots, no messages.
//!
//! Requests below the piece layer are rejected, as BEP 52 allows: block hashes are in no torrent file and
//! are not kept, so an answer would cost reading and hashing a piece for whoever asks. We ask for none
//! either: a bad block is found by its sender's digest (smart ban), not by its own hash.

use piecework_metainfo::PieceLayers;
use piecework_metainfo::merkle::{self, TreeShape};
use piecework_types::{PeerSlot, PieceGrid, PieceIndex, Sha256Digest, Time};
use piecework_wire::HashSpan;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Hashes in one request, as BEP 52 recommends.
const SPAN_HASHES: u32 = 512;
/// Requests that wait for one peer.
const IN_FLIGHT_MAX: usize = 8;
/// A request that was not answered by then goes to another peer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a peer that rejected, or let us wait, is not asked.
const PAUSE: Duration = Duration::from_secs(30);
/// Requests of one peer that are answered in a second.
const SERVED_MAX: u32 = 32;

#[derive(Debug)]
struct Peer {
    asked: usize,
    paused_until: Time,
    served_in: u64,
    served: u32,
}

/// A layer on its way.
#[derive(Debug)]
struct Fetch {
    shape: TreeShape,
    /// By span: the hashes that came.
    spans: Vec<Option<Vec<Sha256Digest>>>,
    /// Pieces whose hash depends on it.
    pieces: Vec<PieceIndex>,
}

/// What came of a message with hashes.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Received {
    /// They were not asked, or more are to come.
    Nothing,
    /// A layer is whole.
    Layer { pieces_root: Sha256Digest, hashes: Vec<Sha256Digest>, pieces: Vec<PieceIndex> },
    /// They lead elsewhere.
    Lie,
}

#[derive(Debug)]
pub(crate) struct HashExchange {
    layers: PieceLayers,
    fetches: BTreeMap<Sha256Digest, Fetch>,
    /// Spans nobody was asked for: root and first hash.
    open: VecDeque<(Sha256Digest, u32)>,
    asked: BTreeMap<(Sha256Digest, u32), (PeerSlot, Time)>,
    peers: BTreeMap<PeerSlot, Peer>,
}

impl HashExchange {
    pub(crate) fn new(layers: PieceLayers, grid: &PieceGrid) -> Self {
        let mut fetches: BTreeMap<_, _> = layers
            .missing()
            .map(|(root, shape)| {
                let spans = shape.piece_count().div_ceil(SPAN_HASHES.into()) as usize;
                (root, Fetch { shape, spans: vec![None; spans], pieces: Vec::new() })
            })
            .collect();
        if !fetches.is_empty() {
            for piece in grid.pieces() {
                let root = layers.root_of(piece).map(|(root, _)| root);
                if let Some(fetch) = root.and_then(|root| fetches.get_mut(&root)) {
                    fetch.pieces.push(piece);
                }
            }
        }
        let open = fetches.iter().flat_map(|(root, fetch)| {
            (0..fetch.spans.len() as u32).map(|span| (*root, span * SPAN_HASHES))
        });
        let open = open.collect();
        Self { layers, fetches, open, asked: BTreeMap::new(), peers: BTreeMap::new() }
    }

    /// Pieces whose hash is not known yet.
    pub(crate) fn unknown_pieces(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.fetches.values().flat_map(|fetch| &fetch.pieces).copied()
    }

    /// Whether layers are still to be fetched.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.fetches.is_empty()
    }

    /// The peer speaks v2.
    pub(crate) fn join(&mut self, slot: PeerSlot) {
        let peer = Peer { asked: 0, paused_until: Time::ZERO, served_in: 0, served: 0 };
        self.peers.entry(slot).or_insert(peer);
    }

    pub(crate) fn leave(&mut self, slot: PeerSlot) {
        if self.peers.remove(&slot).is_some() {
            self.release(slot);
        }
    }

    /// Writes the spans to ask and of whom.
    pub(crate) fn request(&mut self, now: Time, out: &mut Vec<(PeerSlot, HashSpan)>) {
        if self.fetches.is_empty() {
            return;
        }
        self.expire(now);
        for (&slot, peer) in &mut self.peers {
            while peer.paused_until <= now && peer.asked < IN_FLIGHT_MAX {
                let Some((root, index)) = self.open.pop_front() else { return };
                let shape = self.fetches.get(&root).map(|fetch| fetch.shape);
                let span = shape.and_then(|shape| shape.piece_span(index, SPAN_HASHES));
                let Some(span) = span else { continue };
                self.asked.insert((root, index), (slot, now));
                peer.asked += 1;
                out.push((slot, to_wire(root, span)));
            }
        }
    }

    /// Hashes came.
    pub(crate) fn receive(
        &mut self,
        slot: PeerSlot,
        span: &HashSpan,
        hashes: &[Sha256Digest],
    ) -> Received {
        let key = (span.pieces_root, span.index);
        let is_asked = self.asked.get(&key).is_some_and(|(of, _)| *of == slot);
        let Some(fetch) = self.fetches.get_mut(&span.pieces_root).filter(|_| is_asked) else {
            return Received::Nothing;
        };
        // An answer to another question than ours.
        if fetch.shape.piece_span(span.index, SPAN_HASHES) != Some(from_wire(span)) {
            return Received::Nothing;
        }
        self.asked.remove(&key);
        if let Some(peer) = self.peers.get_mut(&slot) {
            peer.asked = peer.asked.saturating_sub(1);
        }
        let Ok(base) = fetch.shape.verify(&span.pieces_root, from_wire(span), hashes) else {
            self.open.push_back(key);
            return Received::Lie;
        };
        fetch.spans[(span.index / SPAN_HASHES) as usize] = Some(base.to_vec());
        if fetch.spans.iter().any(Option::is_none) {
            return Received::Nothing;
        }
        self.finish(span.pieces_root)
    }

    /// The peer will not send hashes.
    pub(crate) fn reject(&mut self, slot: PeerSlot, now: Time) {
        if let Some(peer) = self.peers.get_mut(&slot) {
            peer.paused_until = now + PAUSE;
            self.release(slot);
        }
    }

    /// Whether the peer may have another answer in this second.
    pub(crate) fn has_share(&mut self, slot: PeerSlot, now: Time) -> bool {
        self.join(slot);
        let Some(peer) = self.peers.get_mut(&slot) else { return false };
        let second = now.as_micros() / 1_000_000;
        if peer.served_in != second {
            (peer.served_in, peer.served) = (second, 0);
        }
        peer.served < SERVED_MAX
    }

    /// The hashes that answer a peer's request; `None` rejects it.
    pub(crate) fn serve(&mut self, slot: PeerSlot, span: &HashSpan) -> Option<Vec<Sha256Digest>> {
        self.join(slot);
        self.peers.get_mut(&slot)?.served += 1;
        if span.length > SPAN_HASHES {
            return None;
        }
        self.layers.tree(&span.pieces_root)?.answer(from_wire(span))
    }

    fn finish(&mut self, pieces_root: Sha256Digest) -> Received {
        let Some(fetch) = self.fetches.remove(&pieces_root) else { return Received::Nothing };
        let hashes: Vec<_> = fetch.spans.into_iter().flatten().flatten().collect();
        // Each span was proven up to the root, so together they are the layer.
        match self.layers.insert(&pieces_root, hashes.clone()) {
            Ok(()) => Received::Layer { pieces_root, hashes, pieces: fetch.pieces },
            Err(_) => Received::Lie,
        }
    }

    fn expire(&mut self, now: Time) {
        let is_late = |at: Time| now.since(at) >= PATIENCE;
        let late: Vec<PeerSlot> =
            self.asked.values().filter(|(_, at)| is_late(*at)).map(|(slot, _)| *slot).collect();
        late.into_iter().for_each(|slot| self.reject(slot, now));
    }

    fn release(&mut self, slot: PeerSlot) {
        let open = &mut self.open;
        self.asked.retain(|key, (of, _)| {
            if *of == slot {
                open.push_back(*key);
            }
            *of != slot
        });
        if let Some(peer) = self.peers.get_mut(&slot) {
            peer.asked = 0;
        }
    }
}

const fn to_wire(pieces_root: Sha256Digest, span: merkle::HashSpan) -> HashSpan {
    HashSpan {
        pieces_root,
        base_layer: span.base_layer,
        index: span.index,
        length: span.length,
        proof_layers: span.proof_layers,
    }
}

const fn from_wire(span: &HashSpan) -> merkle::HashSpan {
    merkle::HashSpan {
        base_layer: span.base_layer,
        index: span.index,
        length: span.length,
        proof_layers: span.proof_layers,
    }
}
