//! The files of a torrent, for whoever moves, renames or deletes them while the engine does not have it.
//!
//! Invariant: only files that the metainfo names are touched, below the torrent's folder, never through
//! a symlink; and folders only once they are empty. It blocks on drives: never called on the daemon's
//! thread.

mod relocate;

use crate::places::Roots;
use crate::shared::Shared;
use crate::source;
use crate::store::{Gone, Kept, Store};
use piecework_catalog::Record;
use piecework_disk::{forget_resume, listed_pieces};
use piecework_metainfo::{Info, Metainfo};
use piecework_types::{Bitfield, InfoHash};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

pub(crate) use relocate::{move_all, rename, unmark};

/// A torrent whose files are to be worked on.
pub(crate) struct Job {
    pub(crate) id: InfoHash,
    pub(crate) record: Record,
    /// The folder that it lies in.
    pub(crate) folder: String,
    pub(crate) shared: Arc<Shared>,
}

/// Free bytes of the drive that a folder lies on, or will.
pub(crate) fn free_space(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|ancestor| ancestor.exists())?;
    let figures = rustix::fs::statvfs(there).ok()?;
    Some(figures.f_bavail.saturating_mul(figures.f_frsize))
}

/// Forgets the resume data of a torrent that was removed, and deletes its files if that is wanted.
///
/// # Errors
/// What could not be deleted; the rest is.
pub(crate) fn forget(
    shared: &Shared,
    id: InfoHash,
    folder: &str,
    deletes_files: bool,
) -> Result<(), String> {
    let gone = shared.store.gone(id).map_err(|error| error.to_string())?;
    // Never written down, so it never had files.
    let Some(Gone { record, .. }) = gone else { return Ok(()) };
    let base = confined(&shared.roots(), folder)?;
    let result = if deletes_files { delete_all(&shared.store, id, &record, &base) } else { Ok(()) };
    if let Some(hashes) = source::info_hashes(&record)
        && let Err(error) = forget_resume(&shared.state_dir, &hashes, &base)
    {
        tracing::warn!(%error, "resume data of a removed torrent stay");
    }
    result
}

/// Deletes all files of a torrent, with the folders that are empty then. Others' files stay.
fn delete_all(store: &Store, id: InfoHash, record: &Record, base: &Path) -> Result<(), String> {
    let Some(info) = info(store, id)? else { return Ok(()) };
    let mut faults = Vec::new();
    let mut folders = BTreeSet::new();
    for path in present(record, &info) {
        folders.extend(path.ancestors().skip(1).map(Path::to_owned));
        if let Err(error) = check_way(base, &path).and_then(|()| remove(&base.join(&path))) {
            faults.push(format!("{}: {error}", path.display()));
        }
    }
    remove_empty(base, &folders);
    match faults.len() {
        0 => Ok(()),
        1 => Err(faults.remove(0)),
        count => Err(format!("{} and {} more", faults.remove(0), count - 1)),
    }
}

/// Opens a file of a torrent to read it; `path` is below the folder that the torrent lies in.
///
/// # Errors
/// When it is not there, or no file.
pub(crate) fn open(roots: &Roots, folder: &str, path: &Path) -> io::Result<File> {
    let base = confined(roots, folder).map_err(io::Error::other)?;
    check_way(&base, path)?;
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    File::options().read(true).custom_flags(nofollow).open(base.join(path))
}

/// The info dictionary of a torrent, if it is known.
///
/// # Errors
/// When what is kept cannot be read.
pub(crate) fn info(store: &Store, id: InfoHash) -> Result<Option<Arc<Info>>, String> {
    let kept = store.metainfo(id).map_err(|error| error.to_string())?;
    let damaged = |error| format!("its metainfo in the catalog is damaged: {error}");
    match kept {
        Some(Kept::Torrent(bytes)) => {
            Ok(Some(Arc::clone(Metainfo::parse(&bytes).map_err(damaged)?.info())))
        }
        Some(Kept::Info(bytes)) => Ok(Some(Arc::new(Info::parse(bytes).map_err(damaged)?))),
        None => Ok(None),
    }
}

/// The pieces that a torrent had when it was last in the engine; none if it never was.
pub(crate) fn known_pieces(job: &Job) -> Bitfield {
    let Job { id, record, folder, shared } = job;
    let Ok(Some(info)) = info(&shared.store, *id) else { return Bitfield::new(0) };
    let count = info.grid().piece_count();
    let has_all = record.is_complete
        && !record.is_missing
        && !record.wants_check
        && record.priorities.values().all(|&priority| priority > 0);
    if has_all {
        return Bitfield::full(count);
    }
    let listed = |base: PathBuf| listed_pieces(&shared.state_dir, &info.hashes(), &base, count);
    let listed = confined(&shared.roots(), folder).ok().and_then(listed);
    listed.unwrap_or_else(|| Bitfield::new(count))
}

/// Where the files with content are, below the folder that the torrent lies in.
fn present(record: &Record, info: &Info) -> Vec<PathBuf> {
    let files = (0..).zip(info.files()).filter(|(_, file)| !file.is_pad());
    files.map(|(number, file)| PathBuf::from(path_of(record, number, file.path()))).collect()
}

/// Where a file is, below the folder that its torrent lies in. `given` is what the metainfo says.
pub(crate) fn path_of<'a>(record: &'a Record, number: u32, given: &'a str) -> &'a str {
    let named = match record.renaming.get(&number) {
        Some(old) => old.as_deref(),
        None => record.paths.get(&number).map(String::as_str),
    };
    named.unwrap_or(given)
}

fn confined(roots: &Roots, folder: &str) -> Result<PathBuf, String> {
    roots.confine(folder).map(PathBuf::from).map_err(|refusal| refusal.text)
}

/// Whether the way from a folder to a file has no symlink, and does not lead out.
fn check_way(base: &Path, path: &Path) -> io::Result<()> {
    if path.components().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(io::Error::other("the path leads out of the torrent's folder"));
    }
    for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
        match base.join(folder).symlink_metadata() {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(io::Error::other("there is no folder but something else on the way"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Removes a file or symlink; one that is not there is fine.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Removes folders that are empty, the deepest first, but not `base` itself.
fn remove_empty(base: &Path, folders: &BTreeSet<PathBuf>) {
    // A folder comes before what is in it.
    for folder in folders.iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
        // One that others use is not empty.
        drop(fs::remove_dir(base.join(folder)));
    }
}
