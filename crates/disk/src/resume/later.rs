//! Records that are written down a moment later.
//!
//! Owns those that wait. Invariant: a record that waits is written before anybody reads it and before its
//! torrent is let go of, and never over a younger one. Whoever has it wait can bear that a process that is
//! killed meanwhile loses it: then the torrent is checked. How many wait is bounded by how many torrents are
//! added within [`WRITE_AFTER`].

use super::replace;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long one waits: a thousand torrents that are added together are there sooner without a thousand files
/// in between.
const WRITE_AFTER: Duration = Duration::from_secs(1);

/// Where a torrent's record goes, and what is still to be written there.
#[derive(Debug)]
pub(super) struct Slot {
    path: PathBuf,
    owed: Mutex<Option<Vec<u8>>>,
}

impl Slot {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, owed: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the record now.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut owed = self.owed();
        *owed = None;
        replace(&self.path, bytes)
    }

    /// Writes what waits, if anything does.
    pub(super) fn settle(&self) -> io::Result<()> {
        let mut owed = self.owed();
        if let Some(bytes) = &*owed {
            replace(&self.path, bytes)?;
        }
        *owed = None;
        Ok(())
    }

    /// For whom nobody waits. Without its record a torrent is checked at the next start.
    pub(super) fn settle_or_tell(&self) {
        if let Err(error) = self.settle() {
            tracing::warn!(path = %self.path.display(), %error, "resume data were not saved");
        }
    }

    fn owed(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those that wait, and the thread that writes them and ends.
#[derive(Debug, Default)]
pub(super) struct Later {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Arc<Slot>>,
    has_thread: bool,
}

impl Later {
    /// Has a record replaced soon; at once where there is no thread for it.
    pub(super) fn write(self: &Arc<Self>, slot: &Arc<Slot>, bytes: Vec<u8>) -> io::Result<()> {
        let mut state = self.lock();
        if !state.has_thread {
            let later = Arc::clone(self);
            let run = move || {
                thread::sleep(WRITE_AFTER);
                later.write_all();
            };
            if let Err(error) = thread::Builder::new().name("records".to_owned()).spawn(run) {
                tracing::warn!(%error, "no thread for resume data; check the limit on threads (ulimit -u)");
                return slot.write(&bytes);
            }
            state.has_thread = true;
        }
        *slot.owed() = Some(bytes);
        state.waiting.push(Arc::clone(slot));
        Ok(())
    }

    fn write_all(&self) {
        loop {
            let mut state = self.lock();
            let waiting = std::mem::take(&mut state.waiting);
            state.has_thread = !waiting.is_empty();
            drop(state);
            if waiting.is_empty() {
                return;
            }
            for slot in waiting {
                slot.settle_or_tell();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::fs;

    fn slot(folder: &Path) -> Arc<Slot> {
        Arc::new(Slot::new(folder.join("a.resume")))
    }

    #[test]
    fn what_waits_is_written_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (later, slot) = (Arc::<Later>::default(), slot(folder.path()));
        later.write(&slot, b"record".to_vec()).unwrap();
        while later.lock().has_thread {
            thread::yield_now();
        }
        assert_eq!(fs::read(slot.path()).unwrap(), b"record");
        assert_eq!(*slot.owed(), None);
    }

    #[test]
    fn what_waits_is_never_written_over_a_younger_record() {
        let folder = tempfile::tempdir().unwrap();
        let slot = slot(folder.path());
        *slot.owed() = Some(b"older".to_vec());
        slot.write(b"younger").unwrap();
        slot.settle().unwrap();
        assert_eq!(fs::read(slot.path()).unwrap(), b"younger");
    }

    #[test]
    fn what_could_not_be_written_still_waits() {
        let folder = tempfile::tempdir().unwrap();
        let slot = Slot::new(folder.path().join("missing/a.resume"));
        *slot.owed() = Some(b"record".to_vec());
        assert!(slot.settle().is_err());
        fs::create_dir(folder.path().join("missing")).unwrap();
        slot.settle().unwrap();
        assert_eq!(fs::read(slot.path()).unwrap(), b"record");
    }
}
