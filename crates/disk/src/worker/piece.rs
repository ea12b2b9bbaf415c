//! One piece on its way through the workers.
//!
//! Owns the steps that wait and how far the hash has come. Invariant: at most one worker has the piece
//! at a time, so its steps are done in the order in which they were handed over.

use piecework_hash::Sha1State;
use piecework_metainfo::PieceLayers;
use piecework_types::{BLOCK_BYTES, Block, PieceIndex, Sha1Digest, Sha256Digest};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::assembly::Run;
use crate::chunk::Chunk;
use crate::store::StoreShared;

/// Something to do for a piece.
#[derive(Debug)]
pub(crate) enum Step {
    /// Hash these blocks and write them.
    Run(Run<Chunk>),
    /// Write these blocks, to be read again by a later run.
    Spill(Vec<(u32, Chunk)>),
}

/// How far the hashes of a piece have come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) sha1: Sha1State,
    pub(crate) sha1_digest: Option<Sha1Digest>,
    /// SHA-256 of each block so far; v2 and hybrid only.
    pub(crate) leaves: Vec<Sha256Digest>,
}

/// One piece that is being downloaded.
#[derive(Debug)]
pub(crate) struct PieceWork {
    pub(crate) store: Arc<StoreShared>,
    pub(crate) piece: PieceIndex,
    /// Bytes of the piece, padding included.
    pub(crate) bytes: u32,
    /// Bytes that the v2 hash covers; zero for v1.
    pub(crate) v2_bytes: u32,
    pub(crate) v1: Option<Sha1Digest>,
    pub(crate) layers: Option<Arc<PieceLayers>>,
    is_over: AtomicBool,
    steps: Mutex<Steps>,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Steps {
    waiting: Vec<Step>,
    /// In the queue or with a worker.
    is_scheduled: bool,
}

impl PieceWork {
    pub(crate) fn new(store: &Arc<StoreShared>, piece: PieceIndex) -> Self {
        let info = &store.storage.info;
        Self {
            piece,
            bytes: info.grid().piece_bytes(piece),
            v2_bytes: info.v2_piece_bytes(piece).unwrap_or(0),
            v1: info.v1_hash(piece),
            layers: store.layers(),
            store: Arc::clone(store),
            is_over: AtomicBool::new(false),
            steps: Mutex::default(),
            progress: Mutex::default(),
        }
    }

    /// Adds a step. True if the piece has to be put into the queue now.
    #[must_use]
    pub(crate) fn add(&self, step: Step) -> bool {
        let mut steps = self.lock();
        steps.waiting.push(step);
        !mem::replace(&mut steps.is_scheduled, true)
    }

    /// The steps that wait; for the worker that has the piece.
    pub(crate) fn take_steps(&self) -> Vec<Step> {
        mem::take(&mut self.lock().waiting)
    }

    /// The worker is done with what it took. True if more has come meanwhile: back into the queue.
    #[must_use]
    pub(crate) fn end_turn(&self) -> bool {
        let mut steps = self.lock();
        steps.is_scheduled = !steps.waiting.is_empty();
        steps.is_scheduled
    }

    /// The hash state; for the worker that has the piece.
    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more is to be done. True for the first who says so.
    pub(crate) fn end(&self) -> bool {
        !self.is_over.swap(true, Ordering::AcqRel)
    }

    /// Whether the piece is verified, failed, lost or dropped.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Whether it has a SHA-1, which is what lanes have to be filled for: the leaves of one v2 piece
    /// fill them alone.
    pub(crate) const fn wants_lanes(&self) -> bool {
        self.v1.is_some()
    }

    /// Bytes of a block.
    pub(crate) fn block_bytes(&self, number: u32) -> usize {
        (self.bytes - number * BLOCK_BYTES).min(BLOCK_BYTES) as usize
    }

    /// Bytes of a block that the v2 hash covers; zero if none.
    pub(crate) fn leaf_bytes(&self, number: u32) -> usize {
        self.v2_bytes.saturating_sub(number * BLOCK_BYTES).min(BLOCK_BYTES) as usize
    }

    /// `count` blocks from `first` on.
    pub(crate) fn span(&self, first: u32, count: u32) -> Block {
        let begin = first * BLOCK_BYTES;
        let end =
            (u64::from(begin) + u64::from(count) * u64::from(BLOCK_BYTES)).min(self.bytes.into());
        // Both lie within the piece.
        Block { piece: self.piece, begin, length: end as u32 - begin }
    }

    /// Whether the finished hashes are those of the torrent. A v2 piece whose layer is not known
    /// cannot be judged, and counts as wrong unless SHA-1 has spoken.
    pub(crate) fn is_good(&self, progress: &Progress) -> bool {
        let v1_is_good = self.v1.is_none_or(|expected| progress.sha1_digest == Some(expected));
        let Some(layers) = &self.layers else { return v1_is_good && self.v1.is_some() };
        let v2_is_good = match layers.v2_hash(self.piece) {
            Some(expected) => layers.hash_of_blocks(self.piece, &progress.leaves) == Some(expected),
            None => self.v1.is_some(),
        };
        v1_is_good && v2_is_good
    }

    fn lock(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
