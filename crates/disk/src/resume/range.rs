//! One lock for each of very many names in a few files: each name locks a byte of its own.
//!
//! Owns the files and what this process holds in them. Invariant: [`FILES`] descriptors at most, however many
//! locks, so that thousands of torrents need no more than the system's usual limit. The kernel lets go of all
//! of them when the process ends, however it ends.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use piecework_hash::sha256;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Files that share the locks: the kernel walks through all locks of a file for each new one, so that ten
/// thousand in one file cost two seconds.
const FILES: usize = 32;

/// The files.
#[derive(Debug)]
pub(super) struct LockFile {
    /// What their names begin with.
    path: PathBuf,
    /// Opened when the first lock lies in them.
    files: [OnceLock<File>; FILES],
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
    /// Files whose names begin so.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let files = std::array::from_fn(|_| OnceLock::new());
        let opened = Self { path: path.to_owned(), files, held: Mutex::default() };
        // Whoever may not make files here hears of it now.
        opened.file_of(0)?;
        Ok(opened)
    }

    /// Locks the byte of this name; `None` if it is locked already, by whomever.
    pub(super) fn lock(self: &Arc<Self>, name: &str) -> io::Result<Option<RangeLock>> {
        let digest = sha256(name.as_bytes());
        let bytes: [u8; 8] = std::array::from_fn(|at| digest.0[at]);
        // Offsets are signed, and the byte after it must have one too. The files stay empty.
        let at = u64::from_be_bytes(bytes) >> 2;
        let mut held = self.held();
        if held.contains(&at) {
            return Ok(None);
        }
        match set(self.file_of(at)?, at, libc::F_WRLCK) {
            Ok(()) => {
                held.insert(at);
                Ok(Some(RangeLock { file: Arc::clone(self), at }))
            }
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The file in which this byte is locked.
    fn file_of(&self, at: u64) -> io::Result<&File> {
        let number = (at % FILES as u64) as usize;
        if let Some(file) = self.files[number].get() {
            return Ok(file);
        }
        let mut path = self.path.clone().into_os_string();
        path.push(format!("-{number}"));
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(self.files[number].get_or_init(|| file))
    }

    fn held(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RangeLock {
    fn drop(&mut self) {
        let mut held = self.file.held();
        // What the kernel does not let go of now it does at the end of the process.
        if let Ok(file) = self.file.file_of(self.at) {
            let _ = set(file, self.at, libc::F_UNLCK);
        }
        held.remove(&self.at);
    }
}

fn set(file: &File, at: u64, kind: libc::c_int) -> Result<(), Errno> {
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
    fcntl(file, how).map(drop)
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
