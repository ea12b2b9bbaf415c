//! What a restart needs in order not to check again.
//!
//! Owns the state folder: one record, one lock and perhaps one info dictionary a torrent. Invariant: a
//! record is replaced as a whole or not at all.
//!
//! # When a record is believed
//!
//! A record lists pieces that were verified and written before it was saved, and how long and how old
//! each file was. Which of those pieces still count after a restart?
//!
//! - After a clean end nobody has business in the files: a file that is not exactly as it was is checked,
//!   all pieces of it.
//! - After a kill our own last writes, after the record, have changed the times of files. The kernel has
//!   those writes, and we never write to a verified piece, so listed pieces are as good as before. But
//!   others may have changed a file after the kill. Our writes are followed by a record within a second,
//!   so a file may be younger than its record by [`OWN_WRITES`] at most, and not shorter; otherwise it is
//!   checked. That a record may be outlived by writes is said in it, *before* the first of them.
//! - After a changed boot id the kernel's memory is gone: of the pieces above only those count that were
//!   flushed before the record (durable); the others are checked.
//! - Pieces that an interrupted check had not reached are checked.
//!
//! A change of a file within [`OWN_WRITES`] of a kill by somebody else is not noticed. To notice it we
//! would have to check everything after each kill.

mod later;
mod lock;
mod range;
mod record;
mod relocate;

use piecework_types::{Bitfield, InfoHashes};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::storage::{FileStamp, Storage};
use crate::store::Totals;

use later::Later;
use lock::Loaded;
pub use lock::ResumeLock;
pub(crate) use lock::file_stem;
use range::LockFile;
pub(crate) use record::Record;
use record::Saved;
pub use relocate::{forget_resume, listed_pieces, move_resume};

/// How much younger than its record a file may be by our own writes: the interval between records, and
/// time for a slow machine to save one.
const OWN_WRITES: Duration = Duration::from_secs(5);

/// Bytes of a record at most: 400,000 files and 4 million pieces fit.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// Why resume data cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// Another process works on the same torrent in the same folder.
    #[error("process {pid} has this torrent open in {}: stop it or take another --dir", dir.display())]
    Held {
        /// The holder's process id; 0 if it could not be read.
        pid: u32,
        /// The torrent's folder.
        dir: PathBuf,
    },
    /// The state folder cannot be used.
    #[error("cannot use the state folder: {}: {error}; pass another --state", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// The state folder.
#[derive(Clone, Debug)]
pub struct ResumeStore {
    dir: PathBuf,
    locks: Arc<LockFile>,
    later: Arc<Later>,
}

/// What an earlier run left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resume {
    /// Pieces that are verified and whose files did not change.
    pub have: Bitfield,
    /// Pieces about which nothing is known: their files changed, or the machine went down before they
    /// were durable, or a check was interrupted. To be checked before they count as missing.
    pub to_check: Bitfield,
    /// Traffic of all runs.
    pub totals: Totals,
}

impl ResumeStore {
    /// Opens the state folder, making it if need be.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(dir: &Path) -> Result<Self, ResumeError> {
        let fault = |error| ResumeError::Io { path: dir.to_owned(), error };
        fs::create_dir_all(dir).map_err(fault)?;
        let dir = dir.canonicalize().map_err(fault)?;
        let locks = dir.join("locks");
        let opened = LockFile::open(&locks);
        let opened = opened.map_err(|error| ResumeError::Io { path: locks, error })?;
        Ok(Self { dir, locks: Arc::new(opened), later: Arc::default() })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes the right to work on a torrent in a folder, which is [`Storage::dir`].
    ///
    /// # Errors
    /// [`ResumeError::Held`] when another process, or this one, has it.
    pub fn lock(&self, hashes: &InfoHashes, dir: &Path) -> Result<ResumeLock, ResumeError> {
        ResumeLock::take(self, hashes, dir)
    }

    /// What an earlier run left; `None` if there is nothing of use: then everything is to be checked.
    ///
    /// # Errors
    /// When there is something that cannot be read.
    pub fn load(
        &self,
        lock: &ResumeLock,
        storage: &Storage,
    ) -> Result<Option<Resume>, ResumeError> {
        lock.settle()?;
        let Some(bytes) = read_limited(lock.record_path(), RECORD_BYTES_MAX)? else {
            return Ok(None);
        };
        let Some(saved) = Saved::decode(&bytes, storage, lock.dir()) else {
            tracing::warn!(path = %lock.record_path().display(), "resume data of no use");
            return Ok(None);
        };
        let resume = judge(&saved, storage, boot_id().as_deref());
        let mut durable = resume.have.clone();
        for piece in resume.have.iter().filter(|&piece| !saved.durable.contains(piece)) {
            durable.remove(piece);
        }
        let (to_check, totals) = (resume.to_check.clone(), resume.totals);
        lock.remember(Loaded { to_check, durable, totals });
        Ok(Some(resume))
    }

    /// The info dictionary of a torrent that once came from a magnet link. Compare its hash.
    pub fn load_info(&self, hashes: &InfoHashes) -> Option<Vec<u8>> {
        read_limited(&self.info_path(hashes), RECORD_BYTES_MAX).ok().flatten()
    }

    /// Keeps the info dictionary of a torrent that came from a magnet link.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_info(&self, hashes: &InfoHashes, raw: &[u8]) -> Result<(), ResumeError> {
        let path = self.info_path(hashes);
        replace(&path, raw).map_err(|error| ResumeError::Io { path, error })
    }

    /// The torrent file that was kept while its torrent rested. Compare its hashes.
    pub fn load_torrent(&self, hashes: &InfoHashes) -> Option<Vec<u8>> {
        read_limited(&self.torrent_path(hashes), RECORD_BYTES_MAX).ok().flatten()
    }

    /// Keeps a torrent file, so that all that is in it need not stay in memory; `bytes` is asked for it
    /// only if none is kept already.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_torrent(
        &self,
        hashes: &InfoHashes,
        bytes: impl FnOnce() -> Vec<u8>,
    ) -> Result<(), ResumeError> {
        let path = self.torrent_path(hashes);
        if path.exists() {
            return Ok(());
        }
        replace(&path, &bytes()).map_err(|error| ResumeError::Io { path, error })
    }

    /// Removes a kept torrent file that is of no use, so that it is kept anew.
    pub fn forget_torrent(&self, hashes: &InfoHashes) {
        let path = self.torrent_path(hashes);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "a damaged file cannot be removed");
        }
    }

    fn torrent_path(&self, hashes: &InfoHashes) -> PathBuf {
        self.dir.join(format!("{}.torrent", hashes.primary()))
    }

    fn info_path(&self, hashes: &InfoHashes) -> PathBuf {
        self.dir.join(format!("{}.info", hashes.primary()))
    }
}

/// Which pieces of a record count, as the module says.
fn judge(saved: &Saved, storage: &Storage, boot: Option<&str>) -> Resume {
    let storage = &storage.shared;
    let piece_count = saved.have.len();
    let mut changed = Bitfield::new(piece_count);
    let mut gone = changed.clone();
    let parts = storage.parts().stamp();
    let parts_are_same = saved.is_unchanged(saved.parts, parts);
    for (at, file) in storage.info.files().iter().enumerate() {
        if file.is_pad() || file.length() == 0 {
            continue;
        }
        let (then, now) = (saved.files.get(at).copied().flatten(), storage.stamp(at));
        // What is not in its own place may be in the parts file.
        let is_same = saved.is_unchanged(then, now) && (now.is_some() || parts_are_same);
        // Gone by the time of the last save already, and no parts file to have its bytes.
        let is_gone = now.is_none() && parts.is_none();
        let suspect = match (is_same, is_gone) {
            (false, _) => &mut changed,
            (true, true) => &mut gone,
            (true, false) => continue,
        };
        for piece in storage.pieces_of(at) {
            suspect.insert(piece);
        }
    }
    let survived = boot.is_some_and(|boot| boot == saved.boot);
    let mut resume = Resume {
        have: Bitfield::new(piece_count),
        to_check: Bitfield::new(piece_count),
        totals: saved.totals,
    };
    for piece in storage.info.grid().pieces() {
        let is_listed = saved.have.contains(piece);
        let is_unknown = saved.unknown.contains(piece)
            || changed.contains(piece)
            || (is_listed && gone.contains(piece))
            || (is_listed && !survived && !saved.durable.contains(piece));
        if is_unknown {
            resume.to_check.insert(piece);
        } else if is_listed {
            resume.have.insert(piece);
        }
    }
    resume
}

impl Saved {
    fn is_unchanged(&self, then: Option<FileStamp>, now: Option<FileStamp>) -> bool {
        if !self.is_running {
            return then == now;
        }
        let Some(now) = now else { return then.is_none() };
        let latest = self.saved_ns.saturating_add(OWN_WRITES.as_nanos() as i64);
        now.modified_ns <= latest
            && then
                .is_none_or(|then| now.bytes >= then.bytes && now.modified_ns >= then.modified_ns)
    }
}

/// Changes with each boot of the machine; `None` where there is no such thing, and then nothing
/// survives a restart but what was flushed.
fn boot_id() -> Option<String> {
    static ID: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(text.trim().to_owned())
    };
    ID.get_or_init(read).clone()
}

/// Nanoseconds since 1970, by the clock that stamps files.
fn wall_clock_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Replaces a file as a whole. Readers see the old or the new one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, bytes)?;
    fs::rename(&new, path)
}

fn read_limited(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, ResumeError> {
    match fs::metadata(path) {
        Ok(found) if found.len() > bytes_max => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ResumeError::Io { path: path.to_owned(), error }),
    }
    fs::read(path).map(Some).map_err(|error| ResumeError::Io { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests;
