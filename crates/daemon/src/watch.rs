//! The watch folder: torrent files and magnets that are dropped there are added.
//!
//! Owns what was seen of the folder. Invariant: a file is read once it has not changed between two
//! looks, and is renamed once it was added, or could not be. It blocks: never called on the daemon's
//! thread.

use crate::handle::{Added, NewSource};
use crate::news::{Level, code};
use crate::request::{NewTorrent, Request};
use crate::shared::{Shared, ending};
use crate::source;
use piecework_catalog::{Record, Refusal, RefusalKind};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;

/// Between two looks. A file that is copied there changes more often.
pub(crate) const LOOK_AFTER: Duration = Duration::from_secs(2);
/// Entries of the folder that are looked at.
const ENTRIES_MAX: usize = 10_000;
/// Bytes of a file that are read.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What was seen of the folder at the last look.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    files: Mutex<BTreeMap<PathBuf, Seen>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Seen {
    bytes: u64,
    modified: Option<SystemTime>,
    /// It was tried, and could not be renamed.
    is_tried: bool,
}

impl Watched {
    /// Looks at a folder and adds what is whole. Does nothing while another look is under way.
    pub(crate) fn look(&self, shared: &Arc<Shared>, folder: &Path) {
        let mut files = match self.files.try_lock() {
            Ok(files) => files,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let Ok(entries) = fs::read_dir(folder) else {
            // It may be made, or mounted, later.
            files.clear();
            return;
        };
        let before = std::mem::take(&mut *files);
        for entry in entries.take(ENTRIES_MAX).filter_map(Result::ok) {
            let path = entry.path();
            let Some(seen) = look_at(&path) else { continue };
            let old = before.get(&path);
            let is_same =
                old.is_some_and(|old| (old.bytes, old.modified) == (seen.bytes, seen.modified));
            let is_tried = is_same && old.is_some_and(|old| old.is_tried);
            if !is_same || is_tried {
                files.insert(path, Seen { is_tried, ..seen });
            } else if !take(shared, &path) {
                files.insert(path, Seen { is_tried: true, ..seen });
            }
        }
    }
}

/// What there is to see of a file; `None` if it is not for us.
fn look_at(path: &Path) -> Option<Seen> {
    let kind = path.extension()?;
    if kind != "torrent" && kind != "magnet" {
        return None;
    }
    let found = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some(Seen { bytes: found.len(), modified: found.modified().ok(), is_tried: false })
}

/// Adds a file and renames it; whether that is not to be tried again.
fn take(shared: &Arc<Shared>, path: &Path) -> bool {
    let tell = |text: String| shared.news.tell(Level::Warning, None, code::WATCH_FAILED, text);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let suffix = match add(shared, path) {
        Ok(_) => ".added",
        // The daemon has trouble, not the file: it is tried again after the next start.
        Err(refusal) if matches!(refusal.kind, RefusalKind::Failed | RefusalKind::Full) => {
            tell(format!("{name} in the watch folder waits: {refusal}"));
            return false;
        }
        Err(refusal) => {
            tell(format!("{name} in the watch folder cannot be added: {refusal}"));
            ".bad"
        }
    };
    let mut renamed = OsString::from(path);
    renamed.push(suffix);
    let result = fs::rename(path, renamed);
    if let Err(error) = &result {
        tell(format!("{name} in the watch folder cannot be renamed: {error}; is the folder ours?"));
    }
    result.is_ok()
}

fn add(shared: &Arc<Shared>, path: &Path) -> Result<Added, Refusal> {
    let bytes = read(path).map_err(|error| {
        Refusal::new(RefusalKind::Failed, format!("it cannot be read: {error}"))
    })?;
    let source = if path.extension().is_some_and(|kind| kind == "magnet") {
        NewSource::Link(String::from_utf8_lossy(&bytes).into_owned())
    } else {
        NewSource::Metainfo(bytes)
    };
    let found = source::find(source, &shared.binding)?;
    let is_stopped = shared.read().rules().adds_stopped;
    let mut record = Record { is_stopped, ..Record::default() };
    found.describe(&mut record);
    let new = NewTorrent { found, record, at_top: false, peers: Vec::new() };
    let (reply, answer) = oneshot::channel();
    shared.send(Request::Add { new: Box::new(new), reply })?;
    answer.blocking_recv().unwrap_or_else(|_| Err(ending()))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more, so that a longer file is refused and not cut.
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
