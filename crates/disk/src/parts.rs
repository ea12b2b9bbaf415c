//! The parts file: bytes of unwanted files that share a piece with a wanted one.
//!
//! One sparse file a torrent in the state folder. A byte lies where it lies in piece space, so the
//! torrent's layout is the index. Invariant: a file's bytes are here or in its own place, never in
//! both; changing that takes the lock. It must not know which files are wanted.

use piecework_metainfo::Extent;
use piecework_types::InfoHashes;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::io::{IoSlice, IoSliceMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fault::{Action, FaultKind, LocalFault};
use crate::files::{Access, FileCache, OpenFile, open_below};
use crate::resume::file_stem;
use crate::storage::{FileStamp, stamp_of};
use crate::vectored::{read_exact_at, write_all_at};

/// Bytes moved at a time when a file becomes wanted.
const MOVE_BYTES: usize = 256 * 1024;

/// The parts file of one torrent. It is made when something is written to it.
#[derive(Debug)]
pub(crate) struct Parts {
    state_dir: PathBuf,
    name: String,
    /// Names the file in the cache of open files.
    id: u64,
    lock: Mutex<()>,
}

/// The right to use the parts file.
pub(crate) struct PartsGuard<'a> {
    parts: &'a Parts,
    _lock: MutexGuard<'a, ()>,
}

impl Parts {
    /// Ids of parts files count down, those of storages up: they do not meet.
    pub(crate) fn new(state_dir: &Path, hashes: &InfoHashes, dir: &Path) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(u64::MAX);

        Self {
            state_dir: state_dir.to_owned(),
            name: format!("{}.parts", file_stem(hashes, dir)),
            id: NEXT_ID.fetch_sub(1, Ordering::Relaxed),
            lock: Mutex::new(()),
        }
    }

    pub(crate) fn lock(&self) -> PartsGuard<'_> {
        // The lock protects no memory, so a panic elsewhere left nothing half done in it.
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        PartsGuard { parts: self, _lock: lock }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.state_dir.join(&self.name)
    }

    /// What resume data say about it; `None` if there is none.
    pub(crate) fn stamp(&self) -> Option<FileStamp> {
        stamp_of(&self.path())
    }

    /// Flushes it to its drive.
    pub(crate) fn sync(&self, cache: &FileCache) -> Result<(), LocalFault> {
        let handle = match self.handle(cache, Access::Read) {
            Err(fault) if fault.kind() == FaultKind::Missing => return Ok(()),
            handle => handle?,
        };
        rustix::fs::fdatasync(&*handle)
            .map_err(|error| LocalFault::new(Action::Sync, self.path(), error.into()))
    }

    fn handle(&self, cache: &FileCache, access: Access) -> Result<Arc<OpenFile>, LocalFault> {
        cache
            .get_or_open((self.id, 0), access, || {
                open_below(&self.state_dir, &[&self.name], access)
            })
            .map_err(|error| LocalFault::new(Action::Open, self.path(), error))
    }
}

impl PartsGuard<'_> {
    pub(crate) fn write(
        &self,
        cache: &FileCache,
        slices: &mut [IoSlice<'_>],
        offset: u64,
    ) -> Result<(), LocalFault> {
        let handle = self.parts.handle(cache, Access::Create { is_executable: false })?;
        write_all_at(&*handle, slices, offset)
            .map_err(|error| LocalFault::new(Action::Write, self.parts.path(), error))
    }

    pub(crate) fn read(
        &self,
        cache: &FileCache,
        places: &mut [IoSliceMut<'_>],
        offset: u64,
    ) -> Result<(), LocalFault> {
        let handle = self.parts.handle(cache, Access::Read)?;
        read_exact_at(&*handle, places, offset)
            .map_err(|error| LocalFault::new(Action::Read, self.parts.path(), error))
    }

    /// Gives every stretch of a file that is stored here to `take`, with its offset in that file.
    pub(crate) fn each_part(
        &self,
        cache: &FileCache,
        extent: Extent,
        mut take: impl FnMut(u64, &[u8]) -> Result<(), LocalFault>,
    ) -> Result<(), LocalFault> {
        let handle = match self.parts.handle(cache, Access::Read) {
            Err(fault) if fault.kind() == FaultKind::Missing => return Ok(()),
            handle => handle?,
        };
        let fault = |error| LocalFault::new(Action::Read, self.parts.path(), error);
        let end = extent.offset + extent.length;
        let mut buffer = vec![0; MOVE_BYTES];
        let mut at = extent.offset;
        while at < end {
            let start = match rustix::fs::seek(&*handle, SeekFrom::Data(at)) {
                Ok(start) if start < end => start,
                // Nothing but a hole from here on.
                Ok(_) | Err(Errno::NXIO) => return Ok(()),
                Err(error) => return Err(fault(error.into())),
            };
            let hole = rustix::fs::seek(&*handle, SeekFrom::Hole(start));
            let stop = hole.map_err(|error| fault(error.into()))?.min(end);
            at = start;
            while at < stop {
                // At most MOVE_BYTES, which is a usize.
                let bytes = (stop - at).min(MOVE_BYTES as u64) as usize;
                read_exact_at(&*handle, &mut [IoSliceMut::new(&mut buffer[..bytes])], at)
                    .map_err(fault)?;
                take(at - extent.offset, &buffer[..bytes])?;
                at += bytes as u64;
            }
        }
        Ok(())
    }
}
