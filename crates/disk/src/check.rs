//! Hashing what is on disk to learn which pieces are there.
//!
//! Owns which pieces are still to be looked at. All workers take part, a few MiB at a time, so that
//! reads for peers come in between; on a rotating drive only one reads. Invariant: a piece whose files
//! are too short is missing without being read.

use piecework_hash::Hasher;
use piecework_metainfo::PieceLayers;
use piecework_types::{Bitfield, Block, PieceIndex};
use std::io::IoSliceMut;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::drive::{Drive, DriveKind};
use crate::fault::{FaultKind, LocalFault};
use crate::lanes::{Group, GroupShape, LanePiece, PieceDigests};
use crate::mailbox::StoreEvent;
use crate::store::{CheckScope, StoreShared};
use crate::worker::{Outbox, Task};

/// Bytes that a worker hashes before it looks whether something is more urgent.
const STEP_BYTES: usize = 8 << 20;

/// Bytes that the kernel is asked to read ahead of a lane.
const AHEAD_BYTES: u32 = 256 * 1024;

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Ends a check early.
#[derive(Clone, Debug)]
pub(crate) struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a check is for, which decides what its results mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// What is there is not known: it is told as a whole.
    Survey,
    /// Verified pieces may be lost.
    Doubt,
    /// Lost pieces may be there again.
    Return,
}

/// One check of one store.
#[derive(Debug)]
struct Check {
    store: Arc<StoreShared>,
    purpose: Purpose,
    layers: Option<Arc<PieceLayers>>,
    pieces: Vec<u32>,
    next: AtomicUsize,
    checked: AtomicU32,
    told: Mutex<Instant>,
    cancel: CancelFlag,
    /// Bytes of each file; looked up by the first worker.
    sizes: OnceLock<Vec<Option<u64>>>,
    workers: usize,
    working: AtomicUsize,
}

/// One worker's part of a check, until it looks at the queue again.
#[derive(Debug)]
pub(crate) struct CheckStep {
    check: Arc<Check>,
    group: Option<Group<LocalFault>>,
    buffer: Vec<u8>,
}

impl CheckStep {
    /// Forgets the pieces in `scope` and puts the check into the queue.
    pub(crate) fn start(store: &Arc<StoreShared>, scope: CheckScope) -> CancelFlag {
        let set = match scope {
            CheckScope::All => Bitfield::full(store.storage.info.grid().piece_count()),
            CheckScope::Pieces(set) => set,
        };
        let pieces: Vec<u32> = set.iter().map(PieceIndex::get).collect();
        for piece in set.iter() {
            store.unknown.insert(piece);
            store.piece_gone(piece);
        }
        store.losses.clear();
        Self::queue(store, Purpose::Survey, pieces)
    }

    /// Puts a check of these pieces into the queue.
    pub(crate) fn queue(
        store: &Arc<StoreShared>,
        purpose: Purpose,
        pieces: Vec<u32>,
    ) -> CancelFlag {
        let disk = &store.storage.disk;
        let workers = match store.storage.drive.kind {
            DriveKind::Hdd => 1,
            DriveKind::Ssd | DriveKind::Nvme => disk.worker_count().min(pieces.len().max(1)),
        };
        let cancel = CancelFlag(Arc::new(AtomicBool::new(false)));
        let check = Arc::new(Check {
            store: Arc::clone(store),
            purpose,
            layers: store.layers(),
            pieces,
            next: AtomicUsize::new(0),
            checked: AtomicU32::new(0),
            told: Mutex::new(Instant::now()),
            cancel: cancel.clone(),
            sizes: OnceLock::new(),
            workers,
            working: AtomicUsize::new(workers),
        });
        for _ in 0..workers {
            let check = Arc::clone(&check);
            disk.queue().push_background(Task::Check(Self {
                check,
                group: None,
                buffer: Vec::new(),
            }));
        }
        cancel
    }

    pub(crate) fn drive(&self) -> &Arc<Drive> {
        &self.check.store.storage.drive
    }

    /// Checks for a while; gives itself back unless it is done.
    pub(crate) fn run(mut self, hasher: &Hasher, outbox: &mut Outbox) -> Option<Self> {
        let check = Arc::clone(&self.check);
        let mut bytes = 0;
        while bytes < STEP_BYTES {
            if check.is_cancelled() {
                check.worker_ended(outbox);
                return None;
            }
            let group = match &mut self.group {
                Some(group) => group,
                None => match check.claim(hasher) {
                    // Nothing was left to hash of these.
                    Some(pieces) if pieces.is_empty() => {
                        check.tell_progress(outbox);
                        continue;
                    }
                    Some(pieces) => {
                        let shape = check.shape(hasher);
                        let buffer = std::mem::take(&mut self.buffer);
                        self.group.insert(Group::new(shape, &pieces, buffer))
                    }
                    None => {
                        check.worker_ended(outbox);
                        return None;
                    }
                },
            };
            bytes += group.step(hasher, |span, place| check.read(span, place));
            if group.is_done()
                && let Some(group) = self.group.take()
            {
                let (results, buffer) = group.finish();
                self.buffer = buffer;
                results
                    .into_iter()
                    .for_each(|(piece, result)| check.judge(piece.piece, result, outbox));
                check.tell_progress(outbox);
            }
        }
        Some(self)
    }
}

impl Check {
    fn is_cancelled(&self) -> bool {
        self.cancel.is_set() || self.store.is_closed()
    }

    fn shape(&self, hasher: &Hasher) -> GroupShape {
        let storage = &self.store.storage;
        GroupShape::new(hasher, storage.drive.kind, storage.info.piece_length())
    }

    /// Takes the next pieces; those that cannot be there are judged at once. `None` at the end.
    fn claim(&self, hasher: &Hasher) -> Option<Vec<LanePiece>> {
        let storage = &self.store.storage;
        let lanes = self.shape(hasher).lanes;
        // Towards the end smaller groups, so that all workers end together.
        let left = self.pieces.len().saturating_sub(self.next.load(Ordering::Relaxed));
        let count = lanes.min((left / self.workers).max(1));
        let start = self.next.fetch_add(count, Ordering::Relaxed);
        let claimed = self.pieces.get(start..).filter(|rest| !rest.is_empty())?;
        let mut pieces = Vec::with_capacity(count);
        for piece in claimed.iter().take(count).map(|&piece| PieceIndex::trusted(piece)) {
            // A piece in doubt is read in any case: that says in which way it is gone.
            if self.purpose == Purpose::Doubt || self.may_be_there(piece) {
                pieces.push(LanePiece {
                    piece,
                    bytes: storage.info.grid().piece_bytes(piece),
                    v2_bytes: storage.info.v2_piece_bytes(piece).unwrap_or(0),
                    has_v1: storage.info.version().has_v1(),
                });
            } else {
                self.is_checked(piece);
            }
        }
        Some(pieces)
    }

    fn may_be_there(&self, piece: PieceIndex) -> bool {
        let storage = &self.store.storage;
        let sizes = self.sizes.get_or_init(|| {
            if self.purpose == Purpose::Survey {
                storage.look_again();
            }
            storage.sizes(&storage.stamps())
        });
        let mut segments = storage.info.layout().piece_segments(piece);
        segments.all(|at| {
            at.is_pad || sizes[at.file].is_some_and(|size| size >= at.offset + u64::from(at.length))
        })
    }

    fn read(&self, span: Block, place: &mut [u8]) -> Result<(), LocalFault> {
        let storage = &self.store.storage;
        if storage.drive.has_nowait()
            && storage.read_cached(span, &mut [IoSliceMut::new(place)]).unwrap_or(false)
        {
            return Ok(());
        }
        // This drive is really read: let it fetch what this lane needs next while others are hashed.
        let rest = storage.info.grid().piece_bytes(span.piece).saturating_sub(span.end());
        if rest > 0 && storage.drive.kind != DriveKind::Hdd {
            let length = rest.min(AHEAD_BYTES);
            storage.read_ahead(Block { begin: span.end(), length, ..span });
        }
        storage.read(span, vec![place]).map_err(|failed| failed.fault)
    }

    fn judge(
        &self,
        piece: PieceIndex,
        result: Result<PieceDigests, LocalFault>,
        outbox: &mut Outbox,
    ) {
        let verdict = result.and_then(|digests| match self.is_good(&digests) {
            true => Ok(()),
            false => Err(self.store.damage(piece)),
        });
        if let Err(fault) = &verdict
            && fault.kind() != FaultKind::Damaged
        {
            tracing::warn!(piece = piece.get(), %fault, "a piece cannot be checked");
        }
        // What is thrown away was not checked: counted, it would pass for missing.
        if self.is_cancelled() {
            return;
        }
        match (self.purpose, verdict) {
            (Purpose::Survey, Ok(())) => {
                self.store.verified.insert(piece);
            }
            (Purpose::Return, Ok(())) => self.store.piece_found(piece, outbox),
            (Purpose::Doubt, verdict) => self.store.doubt_ended(piece, verdict, outbox),
            (Purpose::Survey | Purpose::Return, Err(_)) => {}
        }
        self.is_checked(piece);
    }

    fn is_good(&self, digests: &PieceDigests) -> bool {
        let v1 = self.store.storage.info.v1_hash(digests.piece);
        let v1_is_good = v1.is_none_or(|expected| digests.v1 == Some(expected));
        let Some(layers) = &self.layers else { return v1_is_good && v1.is_some() };
        match layers.v2_hash(digests.piece) {
            Some(expected) => {
                let got = layers.hash_of_blocks(digests.piece, &digests.leaves);
                v1_is_good && got == Some(expected)
            }
            None => v1_is_good && v1.is_some(),
        }
    }

    fn is_checked(&self, piece: PieceIndex) {
        self.store.unknown.remove(piece);
        self.checked.fetch_add(1, Ordering::Relaxed);
        self.store.is_changed();
    }

    fn tell_progress(&self, outbox: &mut Outbox) {
        if self.purpose != Purpose::Survey {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() < PROGRESS_INTERVAL {
            return;
        }
        *told = Instant::now();
        drop(told);
        let checked = self.checked.load(Ordering::Relaxed);
        // At most as many as pieces.
        let total = self.pieces.len() as u32;
        outbox.push(&self.store, StoreEvent::CheckProgress { checked, total });
    }

    /// The last worker that has nothing left to do says so.
    fn worker_ended(&self, outbox: &mut Outbox) {
        if self.working.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        match self.purpose {
            Purpose::Survey => {
                let is_complete =
                    self.checked.load(Ordering::Relaxed) as usize == self.pieces.len();
                let have = self.store.verified.snapshot();
                outbox.push(&self.store, StoreEvent::CheckFinished { have, is_complete });
            }
            Purpose::Doubt => {}
            Purpose::Return => self.store.look_ended(outbox),
        }
    }
}
