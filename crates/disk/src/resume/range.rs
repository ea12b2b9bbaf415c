//! One lock for each of very many names in a few files: each name locks a byte of its own.
//!
//! Owns the files and what this process holds in them. A file's first bytes are a table of who holds what
//! in it, for messages: two locks may share a place in it, and then the older holder is unknown.
//! Invariant: [`FILES`] descriptors at most, however many locks, so that thousands of torrents need no more
//! than the system's usual limit. The kernel lets go of all of them when the process ends, however it ends.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use piecework_hash::sha256;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files that share the locks: the kernel walks through all locks of a file for each new one, so that ten
/// thousand in one file cost two seconds.
const FILES: usize = 32;

/// Places in the table of each file: ten thousand torrents leave most of theirs to themselves.
const PLACES: u64 = 4096;

/// A byte's number and its holder's process id, both big-endian.
const PLACE_BYTES: usize = 8 + 4;

/// The files.
#[derive(Debug)]
pub(super) struct LockFile {
    files: Vec<File>,
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
    /// Files whose names begin so. All of them now: whoever may not make files here hears of it, and
    /// nobody waits for them who adds a torrent.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let files = (0..FILES).map(|number| open(path, number)).collect::<io::Result<_>>()?;
        Ok(Self { files, held: Mutex::default() })
    }

    /// Locks the byte of this name; `None` if it is locked already, by whomever.
    pub(super) fn lock(self: &Arc<Self>, name: &str) -> io::Result<Option<RangeLock>> {
        let at = byte_of(name);
        let mut held = self.held();
        if held.contains(&at) {
            return Ok(None);
        }
        match set(self.file_of(at), at, libc::F_WRLCK) {
            Ok(()) => {
                held.insert(at);
                let mut place = [0; PLACE_BYTES];
                place[..8].copy_from_slice(&at.to_be_bytes());
                place[8..].copy_from_slice(&std::process::id().to_be_bytes());
                // Nobody depends on it: a drive that is full says so where it matters.
                let _ = self.file_of(at).write_at(&place, offset_of(at));
                Ok(Some(RangeLock { file: Arc::clone(self), at }))
            }
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The process that has locked the byte of this name, as far as is known; else 0.
    pub(super) fn holder(&self, name: &str) -> u32 {
        let at = byte_of(name);
        let mut place = [0; PLACE_BYTES];
        let read = self.file_of(at).read_exact_at(&mut place, offset_of(at));
        let (byte, pid) = place.split_at(8);
        match pid.try_into() {
            Ok(pid) if read.is_ok() && *byte == at.to_be_bytes() => u32::from_be_bytes(pid),
            _ => 0,
        }
    }

    /// The file in which this byte is locked.
    fn file_of(&self, at: u64) -> &File {
        &self.files[(at % FILES as u64) as usize]
    }

    fn held(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RangeLock {
    fn drop(&mut self) {
        let mut held = self.file.held();
        // What the kernel does not let go of now it does at the end of the process.
        let _ = set(self.file.file_of(self.at), self.at, libc::F_UNLCK);
        held.remove(&self.at);
    }
}

fn open(path: &Path, number: usize) -> io::Result<File> {
    let mut path = path.as_os_str().to_owned();
    path.push(format!("-{number}"));
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// The byte that a name locks; offsets are signed, and the byte after it must have one too.
fn byte_of(name: &str) -> u64 {
    let digest = sha256(name.as_bytes());
    let bytes: [u8; 8] = std::array::from_fn(|at| digest.0[at]);
    u64::from_be_bytes(bytes) >> 2
}

/// Where in its file the holder of this byte stands. Locks keep nobody from reading.
const fn offset_of(at: u64) -> u64 {
    at / FILES as u64 % PLACES * PLACE_BYTES as u64
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

    #[test]
    fn who_holds_a_lock_is_told_to_others_unless_its_place_was_taken() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("locks");
        let open = || Arc::new(LockFile::open(&path).unwrap());
        let (first, second) = (open(), open());
        assert_eq!(second.holder("a"), 0, "nobody ever held it");
        let _held = first.lock("a").unwrap().unwrap();
        assert_eq!(second.holder("a"), std::process::id());
        let shares = |name: &str| {
            let (mine, other) = (byte_of("a"), byte_of(name));
            mine % FILES as u64 == other % FILES as u64 && offset_of(mine) == offset_of(other)
        };
        let other = (0..).map(|number: u32| number.to_string()).find(|name| shares(name)).unwrap();
        let _other = second.lock(&other).unwrap().unwrap();
        assert_eq!((second.holder("a"), first.holder(&other)), (0, std::process::id()));
    }
}
