//! One process a torrent and folder.
//!
//! Owns the lock. Invariant: only who holds it writes the record.

use piecework_hash::sha256;
use piecework_types::{Bitfield, InfoHashes};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::later::{Later, Slot};
use super::range::RangeLock;
use super::{Record, ResumeError, ResumeStore};
use crate::fault::{Action, LocalFault};
use crate::storage::{Storage, WholeFiles};
use crate::store::Totals;

/// The right to work on one torrent in one folder; held until it is dropped everywhere.
#[derive(Clone, Debug)]
pub struct ResumeLock {
    shared: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    _range: RangeLock,
    dir: PathBuf,
    record: Arc<Slot>,
    later: Arc<Later>,
    hashes: InfoHashes,
    loaded: Mutex<Option<Loaded>>,
}

/// What the record said.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) to_check: Bitfield,
    pub(super) durable: Bitfield,
    pub(super) totals: Totals,
}

/// What the names of a torrent's files in the state folder begin with.
pub(crate) fn file_stem(hashes: &InfoHashes, dir: &Path) -> String {
    let folder = sha256(dir.as_os_str().as_bytes()).to_string();
    format!("{}-{}", hashes.primary(), &folder[..16])
}

impl Drop for Held {
    /// Before the lock goes.
    fn drop(&mut self) {
        self.record.settle_or_tell();
    }
}

impl ResumeLock {
    pub(super) fn take(
        store: &ResumeStore,
        hashes: &InfoHashes,
        dir: &Path,
    ) -> Result<Self, ResumeError> {
        let ResumeStore { dir: state_dir, locks, later } = store;
        let stem = file_stem(hashes, dir);
        let fault = |error| ResumeError::Io { path: state_dir.clone(), error };
        let Some(range) = locks.lock(&stem).map_err(fault)? else {
            return Err(ResumeError::Held { pid: locks.holder(&stem), dir: dir.to_owned() });
        };
        let shared = Held {
            _range: range,
            dir: dir.to_owned(),
            record: Arc::new(Slot::new(state_dir.join(format!("{stem}.resume")))),
            later: Arc::clone(later),
            hashes: *hashes,
            loaded: Mutex::new(None),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The torrent's folder.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// Whether an earlier run had the whole torrent and flushed it. Only after
    /// [`ResumeStore::load`](super::ResumeStore::load).
    pub fn was_durable(&self) -> bool {
        let loaded = self.lock();
        loaded.as_ref().is_some_and(|it| !it.durable.is_empty() && it.durable.is_full())
    }

    pub(super) fn record_path(&self) -> &Path {
        self.shared.record.path()
    }

    /// Writes the record that waits, if one does.
    pub(super) fn settle(&self) -> Result<(), ResumeError> {
        let fault = |error| ResumeError::Io { path: self.record_path().to_owned(), error };
        self.shared.record.settle().map_err(fault)
    }

    pub(super) fn remember(&self, loaded: Loaded) {
        *self.lock() = Some(loaded);
    }

    /// Traffic of earlier runs.
    pub(crate) fn totals(&self) -> Totals {
        self.lock().as_ref().map_or_else(Totals::default, |loaded| loaded.totals)
    }

    /// Pieces about which nothing is known before a check, so that a record says so if the check is
    /// interrupted. Without a record those are all that may be on disk.
    pub(crate) fn unknown(&self, storage: &Storage, have: &Bitfield) -> Option<Bitfield> {
        if let Some(loaded) = &*self.lock() {
            return Some(loaded.to_check.clone());
        }
        storage.has_data().then(|| {
            let mut unknown = Bitfield::full(have.len());
            for piece in have.iter() {
                unknown.remove(piece);
            }
            unknown
        })
    }

    /// Pieces that an earlier run flushed.
    pub(crate) fn durable(&self) -> Bitfield {
        self.lock().as_ref().map_or_else(|| Bitfield::new(0), |loaded| loaded.durable.clone())
    }

    /// Replaces the record, soon, by one that says that all of the torrent is there and durable, and every
    /// file as it should be, on somebody's word. Only after [`ResumeStore::load`](super::ResumeStore::load).
    ///
    /// # Errors
    /// When it is written at once, for want of a thread, and the state folder cannot be written.
    pub fn save_whole(&self, storage: &Storage, files: &WholeFiles) -> Result<(), LocalFault> {
        let storage = &storage.shared;
        let pieces = storage.info.grid().piece_count();
        let record = Record {
            is_running: false,
            have: Bitfield::full(pieces),
            unknown: Bitfield::new(pieces),
            durable: Bitfield::full(pieces),
            totals: self.totals(),
            files: &files.stamps,
            parts: storage.parts().stamp(),
        };
        let bytes = record.encode(&self.shared.hashes, &self.shared.dir);
        let result = self.shared.later.write(&self.shared.record, bytes);
        result.map_err(|error| LocalFault::new(Action::Write, self.record_path(), error))
    }

    /// Replaces the record.
    pub(crate) fn save(&self, record: &Record<'_>) -> Result<(), LocalFault> {
        let bytes = record.encode(&self.shared.hashes, &self.shared.dir);
        let result = self.shared.record.write(&bytes);
        result.map_err(|error| LocalFault::new(Action::Write, self.record_path(), error))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Loaded>> {
        self.shared.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
