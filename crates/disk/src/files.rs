//! Open files, shared by all torrents: at most so many, the least recently used closed first.
//!
//! Owns the handles and the walk from a folder to a file below it. Invariant: no symlink below that
//! folder is ever followed, so nothing outside of it can be reached. It must not know pieces.

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a file is opened for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    /// Reading what is there.
    Read,
    /// Reading and writing what is there.
    Write,
    /// As [`Self::Write`]; the file and its folders are made if need be.
    Create {
        /// Marked executable when it is made (BEP 47).
        is_executable: bool,
    },
}

/// A file as the cache keeps it. In use for as long as somebody holds the `Arc`, cached or not.
#[derive(Debug)]
pub(crate) struct OpenFile {
    fd: OwnedFd,
    is_writable: bool,
    /// When it was used last, on the cache's own clock.
    used: AtomicU64,
}

impl AsFd for OpenFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A storage and the number of one of its files.
pub(crate) type FileKey = (u64, u32);

/// The handles of all torrents.
#[derive(Debug)]
pub(crate) struct FileCache {
    open: Mutex<HashMap<FileKey, Arc<OpenFile>>>,
    clock: AtomicU64,
    files_max: usize,
}

impl FileCache {
    pub(crate) fn new(files_max: usize) -> Self {
        Self {
            open: Mutex::new(HashMap::new()),
            clock: AtomicU64::new(0),
            files_max: files_max.max(8),
        }
    }

    /// The handle, if it is open and allows this.
    pub(crate) fn get(&self, key: FileKey, access: Access) -> Option<Arc<OpenFile>> {
        let open = self.lock();
        let file = open.get(&key).filter(|file| access == Access::Read || file.is_writable)?;
        file.used.store(self.tick(), Ordering::Relaxed);
        Some(Arc::clone(file))
    }

    /// The handle, opened by `open` if it is not.
    pub(crate) fn get_or_open(
        &self,
        key: FileKey,
        access: Access,
        open: impl FnOnce() -> io::Result<OwnedFd>,
    ) -> io::Result<Arc<OpenFile>> {
        if let Some(file) = self.get(key, access) {
            return Ok(file);
        }
        // Not under the lock: opening can wait for a drive.
        let fd = open()?;
        let used = AtomicU64::new(self.tick());
        let file = Arc::new(OpenFile { fd, is_writable: access != Access::Read, used });
        let evicted = {
            let mut open = self.lock();
            let evicted = if open.len() >= self.files_max { evict(&mut open) } else { Vec::new() };
            open.insert(key, Arc::clone(&file));
            evicted
        };
        drop(evicted);
        Ok(file)
    }

    /// Closes one file, unless it is in use.
    pub(crate) fn close(&self, key: FileKey) {
        let closed = self.lock().remove(&key);
        drop(closed);
    }

    /// Closes all files of a storage.
    pub(crate) fn close_all(&self, storage: u64) {
        let closed: Vec<_> = self.lock().extract_if(|key, _| key.0 == storage).collect();
        drop(closed);
    }

    /// Closes files that were deleted, so that the next use notices.
    pub(crate) fn close_deleted(&self) {
        let files: Vec<_> =
            self.lock().iter().map(|(key, file)| (*key, Arc::clone(file))).collect();
        for (key, file) in files {
            if rustix::fs::fstat(&*file).is_ok_and(|stat| stat.st_nlink == 0) {
                self.close(key);
            }
        }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FileKey, Arc<OpenFile>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the eighth that was not used for longest out of the map. A whole eighth, so that finding it
/// costs next to nothing a file when very many are opened one after the other.
fn evict(open: &mut HashMap<FileKey, Arc<OpenFile>>) -> Vec<Arc<OpenFile>> {
    let mut ages: Vec<_> = open.values().map(|file| file.used.load(Ordering::Relaxed)).collect();
    let nth = ages.len() / 8;
    let (_, &mut limit, _) = ages.select_nth_unstable(nth);
    open.extract_if(|_, file| file.used.load(Ordering::Relaxed) <= limit)
        .map(|(_, file)| file)
        .collect()
}

#[cfg(target_os = "linux")]
const FOLDER: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens the file at `components` below `dir`, which itself may be reached through symlinks.
pub(crate) fn open_below(dir: &Path, components: &[&str], access: Access) -> io::Result<OwnedFd> {
    let Some((name, folders)) = components.split_last() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = walk(dir, folders, matches!(access, Access::Create { .. }))?;
    // A pipe would wait for its other end without NONBLOCK; for plain files it means nothing.
    let always = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let (flags, mode) = match access {
        Access::Read => (OFlags::RDONLY, 0),
        Access::Write => (OFlags::RDWR, 0),
        Access::Create { is_executable: false } => (OFlags::RDWR | OFlags::CREATE, 0o666),
        Access::Create { is_executable: true } => (OFlags::RDWR | OFlags::CREATE, 0o777),
    };
    let file = rustix::fs::openat(&folder, *name, flags | always, Mode::from_raw_mode(mode))?;
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(Errno::ISDIR.into());
    }
    Ok(file)
}

/// Opens a folder below `dir` without following symlinks.
pub(crate) fn walk(dir: &Path, folders: &[&str], may_create: bool) -> io::Result<OwnedFd> {
    let base = FOLDER - OFlags::NOFOLLOW;
    let mut folder = match rustix::fs::openat(CWD, dir, base, Mode::empty()) {
        Err(Errno::NOENT) if may_create => {
            fs::create_dir_all(dir)?;
            rustix::fs::openat(CWD, dir, base, Mode::empty())?
        }
        opened => opened?,
    };
    for &name in folders {
        folder = match rustix::fs::openat(&folder, name, FOLDER, Mode::empty()) {
            Err(Errno::NOENT) if may_create => {
                match rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(0o777)) {
                    // Another worker may have been first.
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                rustix::fs::openat(&folder, name, FOLDER, Mode::empty())?
            }
            opened => opened?,
        };
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const WRITE: Access = Access::Create { is_executable: false };

    #[test]
    fn folders_are_made_on_the_way_and_symlinks_are_never_followed() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("new");
        open_below(&dir, &["a", "b", "file"], WRITE).unwrap();
        assert!(dir.join("a/b/file").is_file());

        symlink(temp.path(), dir.join("a/out")).unwrap();
        let folder = open_below(&dir, &["a", "out", "file"], WRITE).unwrap_err();
        assert_eq!(Errno::from_io_error(&folder), Some(Errno::NOTDIR));
        symlink("/etc/hostname", dir.join("a/link")).unwrap();
        let file = open_below(&dir, &["a", "link"], Access::Read).unwrap_err();
        assert_eq!(Errno::from_io_error(&file), Some(Errno::LOOP));
        assert!(!temp.path().join("file").exists());
    }

    #[test]
    fn what_is_no_plain_file_is_not_opened() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("folder")).unwrap();
        assert!(open_below(temp.path(), &["folder"], Access::Read).is_err());
    }

    #[test]
    fn an_executable_file_is_made_executable() {
        let temp = tempfile::tempdir().unwrap();
        open_below(temp.path(), &["run"], Access::Create { is_executable: true }).unwrap();
        let mode = fs::metadata(temp.path().join("run")).unwrap().permissions().mode();
        assert_eq!(mode & 0o100, 0o100);
    }

    #[test]
    fn the_cache_closes_what_was_not_used_for_longest() {
        let temp = tempfile::tempdir().unwrap();
        let cache = FileCache::new(8);
        let open = |file: u32| {
            let name = file.to_string();
            cache.get_or_open((1, file), WRITE, || open_below(temp.path(), &[&name], WRITE))
        };
        for file in 0..8 {
            open(file).unwrap();
        }
        assert!(cache.get((1, 0), Access::Read).is_some());
        open(8).unwrap();
        assert!(cache.get((1, 0), Access::Read).is_some());
        assert!(cache.get((1, 1), Access::Read).is_none());
        cache.close_all(1);
        assert!(cache.get((1, 0), Access::Read).is_none());
    }

    #[test]
    fn a_deleted_file_is_closed_and_a_handle_for_reading_does_not_write() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        fs::write(&path, "x").unwrap();
        let cache = FileCache::new(8);
        let read = || open_below(temp.path(), &["file"], Access::Read);
        cache.get_or_open((1, 0), Access::Read, read).unwrap();
        assert!(cache.get((1, 0), WRITE).is_none());
        cache.close_deleted();
        assert!(cache.get((1, 0), Access::Read).is_some());
        fs::remove_file(&path).unwrap();
        cache.close_deleted();
        assert!(cache.get((1, 0), Access::Read).is_none());
    }
}
