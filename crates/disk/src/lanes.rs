//! Hashing pieces that lie on disk: several side by side, a slice of each at a time.
//!
//! Owns one buffer for all lanes, small enough to stay near the second-level cache. Invariant: each
//! byte is read once. It must not know where bytes come from or what the hashes should be.

use piecework_hash::{Hasher, Job, Sha1, Sha1State, Sha256};
use piecework_types::{BLOCK_BYTES, Block, PieceIndex, Sha1Digest, Sha256Digest};

use crate::drive::DriveKind;

/// Bytes of all lanes' slices together.
const BUFFER_BYTES: usize = 2 << 20;

/// Bytes of a slice when a rotating drive is read piece after piece.
const HDD_BUFFER_BYTES: usize = 8 << 20;

/// Lanes at most, so that slices stay long enough for the system calls.
const LANES_MAX: usize = 32;

/// A piece to be hashed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LanePiece {
    pub(crate) piece: PieceIndex,
    /// Bytes, padding included.
    pub(crate) bytes: u32,
    /// Bytes that leaves are made of; zero for v1.
    pub(crate) v2_bytes: u32,
    pub(crate) has_v1: bool,
}

/// The hashes of a piece.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PieceDigests {
    pub(crate) piece: PieceIndex,
    pub(crate) v1: Option<Sha1Digest>,
    /// SHA-256 of each block; empty for v1.
    pub(crate) leaves: Vec<Sha256Digest>,
}

/// What became of a piece.
pub(crate) type PieceResult<E> = (LanePiece, Result<PieceDigests, E>);

/// What to take for a group of lanes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct GroupShape {
    /// Pieces side by side.
    pub(crate) lanes: usize,
    slice_bytes: usize,
}

impl GroupShape {
    /// As many lanes as the hasher likes. On a rotating drive only as many pieces as fit into memory
    /// whole, because it is read from one end to the other.
    pub(crate) fn new(hasher: &Hasher, drive: DriveKind, piece_bytes: u32) -> Self {
        let block = BLOCK_BYTES as usize;
        // More than enough for a batch: the widest kernels like still more.
        let wanted = match hasher.lanes::<Sha1>() {
            lanes @ ..16 => lanes.max(4),
            16.. => LANES_MAX,
        };
        let whole = (piece_bytes as usize).next_multiple_of(block);
        match drive {
            DriveKind::Hdd => {
                let lanes = (HDD_BUFFER_BYTES / whole).clamp(1, wanted);
                Self { lanes, slice_bytes: whole.min(HDD_BUFFER_BYTES) }
            }
            DriveKind::Ssd | DriveKind::Nvme => {
                let slice = (BUFFER_BYTES / wanted).next_multiple_of(block);
                Self { lanes: wanted, slice_bytes: slice.min(whole) }
            }
        }
    }
}

/// Pieces that are hashed side by side.
#[derive(Debug)]
pub(crate) struct Group<E> {
    lanes: Vec<Lane<E>>,
    /// Bytes of each piece that are hashed.
    done: u32,
    slice_bytes: usize,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Lane<E> {
    piece: LanePiece,
    sha1: Sha1State,
    v1: Option<Sha1Digest>,
    leaves: Vec<Sha256Digest>,
    fault: Option<E>,
}

impl<E> Group<E> {
    /// `buffer` is one that another group used, or empty.
    pub(crate) fn new(shape: GroupShape, pieces: &[LanePiece], mut buffer: Vec<u8>) -> Self {
        buffer.resize(shape.slice_bytes * pieces.len().max(shape.lanes), 0);
        let lane = |&piece: &LanePiece| Lane {
            piece,
            sha1: Sha1State::new(),
            v1: None,
            leaves: Vec::new(),
            fault: None,
        };
        let lanes = pieces.iter().map(lane).collect();
        Self { lanes, done: 0, slice_bytes: shape.slice_bytes, buffer }
    }

    /// Reads and hashes the next slice of every piece; how many bytes it were, 0 at the end. `read`
    /// fills a span. A piece that it fails for is left alone from then on.
    pub(crate) fn step(
        &mut self,
        hasher: &Hasher,
        mut read: impl FnMut(Block, &mut [u8]) -> Result<(), E>,
    ) -> usize {
        let (done, slice_bytes) = (self.done, self.slice_bytes);
        let mut filled: Vec<(&mut Lane<E>, &[u8])> = Vec::with_capacity(self.lanes.len());
        for (lane, place) in self.lanes.iter_mut().zip(self.buffer.chunks_mut(slice_bytes)) {
            let left = lane.piece.bytes.saturating_sub(done);
            if left == 0 || lane.fault.is_some() {
                continue;
            }
            // At most `left`, which is a u32.
            let length = slice_bytes.min(left as usize) as u32;
            let place = &mut place[..length as usize];
            match read(Block { piece: lane.piece.piece, begin: done, length }, place) {
                Ok(()) => filled.push((lane, place)),
                Err(fault) => lane.fault = Some(fault),
            }
        }
        let bytes = filled.iter().map(|(_, slice)| slice.len()).sum();
        hash_v1(hasher, &mut filled, done);
        hash_v2(hasher, &mut filled, done);
        // A slice is at most as long as the longest piece, which is half a GiB.
        self.done = done.saturating_add(slice_bytes as u32);
        bytes
    }

    /// Whether [`Self::step`] has nothing left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.lanes.iter().all(|lane| lane.fault.is_some() || lane.piece.bytes <= self.done)
    }

    /// The hashes of all pieces, and the buffer for another group.
    pub(crate) fn finish(self) -> (Vec<PieceResult<E>>, Vec<u8>) {
        let results = self.lanes.into_iter().map(|lane| {
            let piece = lane.piece.piece;
            let digests = PieceDigests { piece, v1: lane.v1, leaves: lane.leaves };
            (lane.piece, lane.fault.map_or(Ok(digests), Err))
        });
        (results.collect(), self.buffer)
    }
}

fn hash_v1<E>(hasher: &Hasher, filled: &mut [(&mut Lane<E>, &[u8])], done: u32) {
    let mut lanes: Vec<_> = filled.iter_mut().filter(|(lane, _)| lane.piece.has_v1).collect();
    let slices: Vec<[&[u8]; 1]> = lanes.iter().map(|(_, slice)| [*slice]).collect();
    let jobs = lanes.iter().zip(&slices).map(|((lane, slice), slices)| {
        let is_last = done as usize + slice.len() == lane.piece.bytes as usize;
        let job =
            if is_last { Job::finish(lane.sha1, slices) } else { Job::extend(lane.sha1, slices) };
        job.expect("only the last slice of a piece is no multiple of a block")
    });
    let jobs: Vec<Job<'_, Sha1>> = jobs.collect();
    let outcomes = hasher.hash(&jobs);
    for ((lane, _), outcome) in lanes.iter_mut().zip(outcomes) {
        lane.v1 = outcome.digest();
        lane.sha1 = outcome.midstate().unwrap_or_default();
    }
}

fn hash_v2<E>(hasher: &Hasher, filled: &mut [(&mut Lane<E>, &[u8])], done: u32) {
    let mut blocks: Vec<&[u8]> = Vec::new();
    let mut counts = Vec::with_capacity(filled.len());
    for (lane, slice) in &*filled {
        let covered = (lane.piece.v2_bytes.saturating_sub(done) as usize).min(slice.len());
        let before = blocks.len();
        blocks.extend(slice[..covered].chunks(BLOCK_BYTES as usize));
        counts.push(blocks.len() - before);
    }
    let mut digests = hasher.hash_messages::<Sha256>(&blocks).into_iter();
    for ((lane, _), count) in filled.iter_mut().zip(counts) {
        lane.leaves.extend(digests.by_ref().take(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use piecework_hash::{sha1, sha256};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn lanes_give_the_same_hashes_as_one_message_after_the_other(
            sizes in prop::collection::vec(1_u32..300_000, 1..20),
            is_hdd in any::<bool>(),
        ) {
            let byte = |piece: u32, at: usize| (piece as usize * 31 + at * 7 + at / 256) as u8;
            let pieces: Vec<_> = (0..).zip(&sizes).map(|(piece, &bytes)| LanePiece {
                piece: PieceIndex::trusted(piece),
                bytes,
                v2_bytes: bytes - bytes / 3,
                has_v1: true,
            }).collect();
            let hasher = Hasher::detect();
            let drive = if is_hdd { DriveKind::Hdd } else { DriveKind::Ssd };
            let shape = GroupShape::new(hasher, drive, 300_000);
            let mut group: Group<()> = Group::new(shape, &pieces, Vec::new());
            while !group.is_done() {
                group.step(hasher, |span, place| {
                    for (at, place) in place.iter_mut().enumerate() {
                        *place = byte(span.piece.get(), span.begin as usize + at);
                    }
                    Ok(())
                });
            }
            for (spec, digests) in group.finish().0 {
                let bytes: Vec<u8> =
                    (0..spec.bytes as usize).map(|at| byte(spec.piece.get(), at)).collect();
                let leaves: Vec<_> =
                    bytes[..spec.v2_bytes as usize].chunks(16_384).map(sha256).collect();
                let expected = PieceDigests { piece: spec.piece, v1: Some(sha1(&bytes)), leaves };
                prop_assert_eq!(digests, Ok(expected));
            }
        }
    }
}
