//! What a store and the workers share: which pieces are verified, and whether writing works.
//!
//! Invariant: a piece is in `verified` only after its hash was right and its last write returned (or
//! the user vouched for it), and is taken out before its bytes are given up.

use piecework_metainfo::{LayerError, PieceLayers};
use piecework_types::{Bitfield, PieceIndex, Sha256Digest};
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Totals;
use super::losses::Losses;
use crate::bits::AtomicBits;
use crate::chunk::Chunk;
use crate::fault::LocalFault;
use crate::keeper::Saving;
use crate::mailbox::{MailSender, StoreEvent, TorrentKey};
use crate::storage::{Storage, StorageShared};
use crate::worker::{Outbox, Pending, Task, lose};

/// The part of a store that outlives calls of its shard.
#[derive(Debug)]
pub(crate) struct StoreShared {
    pub(crate) storage: Arc<StorageShared>,
    pub(crate) sender: MailSender,
    pub(crate) key: TorrentKey,
    pub(crate) verified: AtomicBits,
    /// Pieces that resume data call neither there nor missing: they wait for a check.
    pub(crate) unknown: AtomicBits,
    /// Resume data: how and when they are saved.
    pub(crate) saving: Saving,
    uploaded: AtomicU64,
    downloaded: AtomicU64,
    /// Pieces and tasks with workers that change files.
    working: AtomicUsize,
    is_closed: AtomicBool,
    is_blocked: AtomicBool,
    blocked: Mutex<Blocked>,
    /// Stored pieces that cannot be read.
    pub(crate) losses: Losses,
    layers: Mutex<Option<Arc<PieceLayers>>>,
}

#[derive(Debug, Default)]
enum Blocked {
    #[default]
    No,
    /// Nothing can be written.
    Yes {
        fault: LocalFault,
        /// The data that could not be written: the first thing to be tried again. `None` while a
        /// worker tries, or when there was none to keep.
        held: Option<Pending>,
    },
}

impl StoreShared {
    pub(crate) fn new(
        storage: &Storage,
        sender: MailSender,
        key: TorrentKey,
        have: &Bitfield,
    ) -> Self {
        Self {
            storage: Arc::clone(&storage.shared),
            sender,
            key,
            verified: AtomicBits::new(have),
            unknown: AtomicBits::new(&Bitfield::new(have.len())),
            saving: Saving::new(have.len()),
            uploaded: AtomicU64::new(0),
            downloaded: AtomicU64::new(0),
            working: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            blocked: Mutex::default(),
            losses: Losses::default(),
            layers: Mutex::new(storage.shared.layers.clone().map(Arc::new)),
        }
    }

    pub(crate) fn piece_verified(&self, piece: PieceIndex) {
        self.unknown.remove(piece);
        self.verified.insert(piece);
        self.is_changed();
    }

    /// Takes a piece out: nothing is known about its bytes any more.
    pub(crate) fn piece_gone(&self, piece: PieceIndex) -> bool {
        self.saving.durable.remove(piece);
        self.verified.remove(piece)
    }

    /// Resume data are to be saved again soon.
    pub(crate) fn is_changed(&self) {
        if self.saving.mark_changed() {
            self.storage.disk.keeper().nudge();
        }
    }

    /// The v2 hashes that are known now.
    pub(crate) fn layers(&self) -> Option<Arc<PieceLayers>> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds the hashes of the file with this root.
    pub(crate) fn add_layer(
        &self,
        root: &Sha256Digest,
        hashes: &[Sha256Digest],
    ) -> Result<(), LayerError> {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *layers {
            Some(layers) => Arc::make_mut(layers).insert(root, hashes.to_vec()),
            None => Ok(()),
        }
    }

    /// A file is about to be written to. Before the first time resume data say so: after a kill the
    /// times of files will not be what they were.
    pub(crate) fn before_write(&self) {
        self.saving.before_write(self);
        self.is_changed();
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            uploaded: self.uploaded.load(Ordering::Relaxed),
            downloaded: self.downloaded.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn set_totals(&self, totals: Totals) {
        self.uploaded.store(totals.uploaded, Ordering::Relaxed);
        self.downloaded.store(totals.downloaded, Ordering::Relaxed);
    }

    pub(crate) fn work_began(&self) {
        self.working.fetch_add(1, Ordering::AcqRel);
    }

    /// Whoever waits for the last work to end hears of it.
    pub(crate) fn work_ended(&self) {
        if self.working.fetch_sub(1, Ordering::AcqRel) == 1 && self.saving.is_awaited() {
            self.storage.disk.keeper().nudge();
        }
    }

    /// Whether workers have nothing left that they could write.
    pub(crate) fn is_idle(&self) -> bool {
        self.working.load(Ordering::Acquire) == 0 || self.is_blocked()
    }

    /// The store is gone: nobody hears of anything any more.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        let held = mem::take(&mut *self.lock());
        drop(held);
        self.saving.end();
        self.storage.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.is_blocked.load(Ordering::Acquire)
    }

    pub(crate) fn blocked_by(&self) -> Option<LocalFault> {
        match &*self.lock() {
            Blocked::No => None,
            Blocked::Yes { fault, .. } => Some(fault.clone()),
        }
    }

    /// Data could not be written. The first are kept to be tried again, and their piece with them;
    /// later ones are lost. True if they were kept.
    pub(crate) fn hold(
        &self,
        mut pending: Pending,
        fault: LocalFault,
        used: &mut Vec<Chunk>,
        outbox: &mut Outbox,
    ) -> bool {
        let mut blocked = self.lock();
        match &mut *blocked {
            _ if self.is_closed() => {}
            Blocked::No => {
                let held = Some(pending);
                *blocked = Blocked::Yes { fault: fault.clone(), held };
                drop(blocked);
                self.is_blocked.store(true, Ordering::Release);
                outbox.push(self, StoreEvent::StorageBlocked { fault });
                self.storage.disk.keeper().nudge();
                return true;
            }
            // This is what was being tried again, or stands in for it.
            Blocked::Yes { held: held @ None, .. } => {
                *held = Some(pending);
                return true;
            }
            Blocked::Yes { .. } => {}
        }
        drop(blocked);
        lose(&pending.work, fault, outbox);
        used.append(&mut pending.chunks);
        false
    }

    /// Writing failed with nothing to try again: after a while it is assumed to work.
    pub(crate) fn block(&self, fault: &LocalFault, outbox: &mut Outbox) {
        let mut blocked = self.lock();
        if matches!(*blocked, Blocked::No) && !self.is_closed() {
            *blocked = Blocked::Yes { fault: fault.clone(), held: None };
            drop(blocked);
            self.is_blocked.store(true, Ordering::Release);
            outbox.push(self, StoreEvent::StorageBlocked { fault: fault.clone() });
            self.storage.disk.keeper().nudge();
        }
    }

    /// What to try now; for the keeper, every few seconds.
    pub(crate) fn try_again(self: &Arc<Self>) -> Option<Task> {
        match &mut *self.lock() {
            Blocked::No => None,
            Blocked::Yes { held, .. } => Some(match held.take() {
                Some(pending) => Task::Retry(pending),
                None => Task::Unblock(Arc::clone(self)),
            }),
        }
    }

    /// Writing works again.
    pub(crate) fn unblock(&self, outbox: &mut Outbox) {
        let was = mem::take(&mut *self.lock());
        if let Blocked::Yes { held, .. } = was {
            self.is_blocked.store(false, Ordering::Release);
            outbox.push(self, StoreEvent::StorageRecovered);
            // Nothing is held while it is tried; a second one cannot have been kept meanwhile.
            debug_assert!(held.is_none(), "data are held by one retry at a time");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Blocked> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
