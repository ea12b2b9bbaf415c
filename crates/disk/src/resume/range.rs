//! One lock for each of very many names in one file: each name locks a byte of its own.
//!
//! Owns the file and what this process holds in it. Invariant: one descriptor, however many locks, so that
//! thousands of torrents need no more than the system's usual limit. The kernel lets go of all of them when
//! the process ends, however it ends.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use piecework_hash::sha256;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The file.
#[derive(Debug)]
pub(super) struct LockFile {
    file: File,
    /// Bytes that are locked: to the kernel this process may lock its own bytes twice.
    held: Mutex<BTreeSet<u64>>,
}

/// A locked byte; dropping it unlocks it.
#[derive(Debug)]
pub(super) struct RangeLock {
    file: Arc<LockFile>,
    at: u64,
}

impl LockFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(Self { file, held: Mutex::default() })
    }

    /// Locks the byte of this name; `None` if it is locked already, by whomever.
    pub(super) fn lock(self: &Arc<Self>, name: &str) -> io::Result<Option<RangeLock>> {
        let digest = sha256(name.as_bytes());
        let bytes: [u8; 8] = std::array::from_fn(|at| digest.0[at]);
        // Offsets are signed, and the byte after it must have one too. The file stays empty.
        let at = u64::from_be_bytes(bytes) >> 2;
        let mut held = self.held();
        if held.contains(&at) {
            return Ok(None);
        }
        match self.set(at, libc::F_WRLCK) {
            Ok(()) => {
                held.insert(at);
                Ok(Some(RangeLock { file: Arc::clone(self), at }))
            }
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn set(&self, at: u64, kind: libc::c_int) -> Result<(), Errno> {
        let range = libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: at as libc::off_t,
            l_len: 1,
            l_pid: 0,
        };
        // The first kind belongs to this open file; the other to the process, and goes as soon as any
        // descriptor of the file is closed, so nobody else may open it there.
        #[cfg(target_os = "linux")]
        let how = FcntlArg::F_OFD_SETLK(&range);
        #[cfg(not(target_os = "linux"))]
        let how = FcntlArg::F_SETLK(&range);
        fcntl(&self.file, how).map(drop)
    }

    fn held(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RangeLock {
    fn drop(&mut self) {
        let mut held = self.file.held();
        // What the kernel does not let go of now it does at the end of the process.
        let _ = self.file.set(self.at, libc::F_UNLCK);
        held.remove(&self.at);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_name_is_locked_once_whichever_descriptor_asks_and_others_are_free() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("locks");
        let open = || Arc::new(LockFile::open(&path).unwrap());
        let (first, second) = (open(), open());
        let held = first.lock("a").unwrap().unwrap();
        assert!(first.lock("a").unwrap().is_none() && second.lock("a").unwrap().is_none());
        let other = second.lock("b").unwrap().unwrap();
        assert!(first.lock("b").unwrap().is_none());
        drop(held);
        assert!(first.lock("b").unwrap().is_none(), "only the one is let go");
        drop((second.lock("a").unwrap().unwrap(), other));
        assert!(first.lock("b").unwrap().is_some());
    }
}
