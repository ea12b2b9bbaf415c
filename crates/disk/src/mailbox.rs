//! How workers answer a shard: in batches, with one wake-up a batch.
//!
//! Owns the completions that a shard has not fetched yet. Their number is bounded by the work that
//! was handed over: each run, read and check step answers at most a few times. It must not know what
//! the shard does with them.

use piecework_types::{Bitfield, PieceIndex, Sha256Digest};
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::chunk::Chunk;
use crate::fault::LocalFault;

/// The driver's number for a torrent, given back with each completion.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TorrentKey(pub u64);

/// Something that workers finished for a torrent.
#[derive(Debug)]
pub struct Completion {
    /// Whose it is.
    pub key: TorrentKey,
    /// What happened.
    pub event: StoreEvent,
}

/// What happened to a store.
#[derive(Debug)]
pub enum StoreEvent {
    /// The piece's hash is right and all of its bytes are written: it may be announced and uploaded.
    PieceVerified {
        /// Which.
        piece: PieceIndex,
    },
    /// The piece's hash is wrong; all of its blocks are missing again.
    PieceFailed {
        /// Which.
        piece: PieceIndex,
        /// SHA-256 of each block as it came, for the smart ban; empty when the piece could not be
        /// read again.
        block_digests: Vec<Sha256Digest>,
    },
    /// The piece's blocks are gone through no fault of a peer; all of them are missing again.
    PieceLost {
        /// Which.
        piece: PieceIndex,
        /// Why.
        fault: LocalFault,
    },
    /// The answer to [`PieceStore::read_later`](crate::PieceStore::read_later).
    Read {
        /// As given.
        token: u64,
        /// One chunk a block, in order (more for a block longer than a chunk).
        result: Result<Vec<Chunk>, LocalFault>,
    },
    /// Nothing can be written: stop requesting. It is tried again every few seconds.
    StorageBlocked {
        /// Why, in words for the user.
        fault: LocalFault,
    },
    /// Writing works again after [`Self::StorageBlocked`].
    StorageRecovered,
    /// A check goes on. Pieces that were found good were told by none of the other events.
    CheckProgress {
        /// Pieces checked so far.
        checked: u32,
        /// Pieces to check.
        total: u32,
    },
    /// A check ended, or was cancelled.
    CheckFinished {
        /// All pieces that the store now has, those that were not to be checked included.
        have: Bitfield,
        /// False when it was cancelled: the rest is unknown and counts as missing.
        is_complete: bool,
    },
    /// A file that had verified pieces is gone or too short; these pieces are missing now. A read-only
    /// storage looks for the file every few seconds.
    FileMissing {
        /// Its number in the torrent.
        file: usize,
        /// Where it should be.
        path: PathBuf,
        /// The pieces that lie in it.
        pieces: Range<u32>,
    },
    /// A verified piece cannot be read, or is not what it was, which a check of it has shown: it is
    /// missing now.
    PieceUnreadable {
        /// Which.
        piece: PieceIndex,
        /// Why.
        fault: LocalFault,
    },
    /// All pieces that a read-only storage lost by [`Self::FileMissing`] and [`Self::PieceUnreadable`]
    /// are there again; each was told by [`Self::PieceVerified`].
    FilesFound,
    /// The answer to [`PieceStore::save_resume`](crate::PieceStore::save_resume): everything that was
    /// handed over before is written, and so are the resume data.
    ResumeSaved {
        /// Whether they are.
        result: Result<(), LocalFault>,
    },
}

/// Where completions arrive for one shard.
pub struct Mailbox {
    shared: Arc<Shared>,
}

/// Posts completions to a [`Mailbox`].
#[derive(Clone)]
pub struct MailSender {
    shared: Arc<Shared>,
}

struct Shared {
    posted: Mutex<Vec<Completion>>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Completion>> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox {
    pub(crate) fn new(wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { shared: Arc::new(Shared { posted: Mutex::new(Vec::new()), wake }) }
    }

    /// A handle for those who post.
    pub fn sender(&self) -> MailSender {
        MailSender { shared: Arc::clone(&self.shared) }
    }

    /// Appends everything that arrived, oldest first.
    pub fn drain(&self, completions: &mut Vec<Completion>) {
        let mut posted = self.shared.lock();
        if completions.is_empty() {
            // The two vectors take turns, so neither grows anew.
            std::mem::swap(completions, &mut *posted);
        } else {
            completions.append(&mut posted);
        }
    }
}

impl MailSender {
    /// Posts all of `batch`; wakes the shard if it had fetched everything before.
    pub(crate) fn post(&self, batch: &mut Vec<Completion>) {
        if batch.is_empty() {
            return;
        }
        let was_empty = {
            let mut posted = self.shared.lock();
            let was_empty = posted.is_empty();
            posted.append(batch);
            was_empty
        };
        if was_empty {
            (self.shared.wake)();
        }
    }

    pub(crate) fn post_one(&self, completion: Completion) {
        self.post(&mut vec![completion]);
    }

    /// Whether both post to the same mailbox.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailbox")
    }
}

impl fmt::Debug for MailSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailSender")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn one_wake_up_for_all_that_is_posted_before_a_drain() {
        let wakes = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&wakes);
        let mailbox = Mailbox::new(Arc::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        let post = || {
            let event = StoreEvent::StorageRecovered;
            mailbox.sender().post_one(Completion { key: TorrentKey(1), event });
        };
        post();
        post();
        let mut completions = Vec::new();
        mailbox.drain(&mut completions);
        assert_eq!((completions.len(), wakes.load(Ordering::Relaxed)), (2, 1));
        post();
        mailbox.drain(&mut completions);
        assert_eq!((completions.len(), wakes.load(Ordering::Relaxed)), (3, 2));
    }
}
