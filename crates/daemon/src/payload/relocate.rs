//! Moving files to another folder or path, all of them or none.
//!
//! Invariant: no file is overwritten, and none is deleted before its copy is flushed. After a crash the same
//! move goes on where it was: what has its new path already has been moved.

use super::{Job, check_way, confined, info, path_of, remove, remove_empty};
use crate::shared::Shared;
use piecework_catalog::{FileRename, Outcome, Record};
use piecework_disk::move_resume;
use piecework_metainfo::Info;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes copied at a time; between two of them a move can be cancelled.
const COPY_BYTES: usize = 1024 * 1024;

/// Moves all files of a torrent from one folder to another. Where they have to be copied, `tell` is told how
/// much of it was, in thousandths, a hundred times at most.
///
/// # Errors
/// Why that cannot be, in words; they lie where they were then.
pub(crate) fn move_all(
    job: &Job,
    from: &str,
    to: &str,
    tell: &dyn Fn(u32),
) -> Result<Outcome, String> {
    let (shared, record) = (&job.shared, &job.record);
    let Some(info) = info(&shared.store, job.id)? else { return Ok(Outcome::Moved) };
    let (from, to) = (confined(&shared.roots(), from)?, confined(&shared.roots(), to)?);
    let files = (0..).zip(info.files()).filter(|(_, file)| !file.is_pad());
    let paths = files.map(|(number, file)| PathBuf::from(path_of(record, number, file.path())));
    let steps: Vec<_> = paths.map(|path| Step { old: path.clone(), new: path }).collect();
    let copying = Copying::new(&shared.jobs.cancel, info.content_bytes(), Some(tell));
    carry_out(&from, &to, &steps, &copying)?;
    if let Err(error) = move_resume(&shared.state_dir, &info.hashes(), &from, &to) {
        tracing::warn!(%error, "what was moved is checked at its next start");
    }
    Ok(Outcome::Moved)
}

/// Gives some files of a torrent other paths; where they are in each other's way, the paths aside first.
///
/// # Errors
/// Why that cannot be, in words; all have their old paths then.
pub(crate) fn rename(job: &Job, files: &[FileRename]) -> Result<Outcome, String> {
    let shared = &job.shared;
    let Some(info) = info(&shared.store, job.id)? else { return Ok(Outcome::Moved) };
    let base = confined(&shared.roots(), &job.folder)?;
    let given = |number: u32| info.files().get(number as usize).map(|file| file.path().to_owned());
    let step = |file: &FileRename| {
        let old = file.from.clone().or_else(|| given(file.file))?;
        Some(Step { old: old.into(), new: PathBuf::from(&file.to) })
    };
    let steps: Option<Vec<_>> = files.iter().map(step).collect();
    let mut steps = steps.ok_or("it has no such file")?;
    let copying = Copying::new(&shared.jobs.cancel, 0, None);
    if !are_in_the_way(&steps) {
        return carry_out(&base, &base, &steps, &copying).map(|()| Outcome::Moved);
    }
    must_be_free(&base, &steps)?;
    for (step, file) in steps.iter_mut().zip(files) {
        step.new = file.aside(job.id).into();
    }
    carry_out(&base, &base, &steps, &copying).map(|()| Outcome::Aside)
}

/// Whether a file gets a path that another one has now, or that is a folder on the way to one, or has one on
/// its way.
fn are_in_the_way(steps: &[Step]) -> bool {
    let olds: BTreeSet<&Path> = steps.iter().map(|step| step.old.as_path()).collect();
    let ways: BTreeSet<&Path> = olds.iter().flat_map(|old| old.ancestors().skip(1)).collect();
    let mut changed = steps.iter().filter(|step| step.old != step.new);
    changed.any(|step| {
        ways.contains(step.new.as_path()) || step.new.ancestors().any(|way| olds.contains(way))
    })
}

/// Refuses paths that files of others have, before any of ours gives its own up.
fn must_be_free(base: &Path, steps: &[Step]) -> Result<(), String> {
    let olds: BTreeSet<&Path> = steps.iter().map(|step| step.old.as_path()).collect();
    let foreign = steps.iter().map(|step| &step.new).find(|new| {
        let is_file = || base.join(new).symlink_metadata().is_ok_and(|found| !found.is_dir());
        !olds.contains(new.as_path()) && is_file()
    });
    foreign.map_or(Ok(()), |new| Err(occupied(&base.join(new))))
}

fn occupied(path: &Path) -> String {
    let path = path.display();
    format!("cannot move a file to {path}: another file is there; move it away first")
}

/// Gives files that another client marked as unfinished the paths that they have with us. `marked` says where
/// a file may be. One whose name is taken, or that cannot be renamed, stays, and is fetched again.
pub(crate) fn unmark(
    shared: &Shared,
    record: &Record,
    info: &Info,
    marked: impl Fn(u32, &str) -> Option<String>,
) {
    let Ok(base) = confined(&shared.roots(), record.folder()) else { return };
    let copying = Copying::new(&shared.jobs.cancel, 0, None);
    for (number, file) in (0..).zip(info.files()).filter(|(_, file)| !file.is_pad()) {
        let new = path_of(record, number, file.path());
        let Some(old) = marked(number, new) else { continue };
        let step = Step { old: old.into(), new: new.into() };
        if let Err(error) = carry_out(&base, &base, &[step], &copying) {
            tracing::warn!(%error, "an unfinished file of another client stays as it is");
        }
    }
}

/// A file on its way, below the folders.
struct Step {
    old: PathBuf,
    new: PathBuf,
}

/// What was done to a file.
enum Done<'a> {
    Renamed(&'a Step),
    Copied(&'a Step),
}

/// Who looks on while bytes are copied: it may end that, and hears how far it is.
struct Copying<'a> {
    cancel: &'a AtomicBool,
    all_bytes: u64,
    copied_bytes: Cell<u64>,
    /// In hundredths.
    told: Cell<u64>,
    tell: Option<&'a dyn Fn(u32)>,
}

impl<'a> Copying<'a> {
    const fn new(cancel: &'a AtomicBool, all_bytes: u64, tell: Option<&'a dyn Fn(u32)>) -> Self {
        Self { cancel, all_bytes, copied_bytes: Cell::new(0), told: Cell::new(0), tell }
    }

    fn copied(&self, bytes: usize) {
        let copied = self.copied_bytes.get().saturating_add(bytes as u64);
        self.copied_bytes.set(copied);
        let hundredths = copied.saturating_mul(100) / self.all_bytes.max(1);
        if let Some(tell) = self.tell.filter(|_| hundredths > self.told.get()) {
            self.told.set(hundredths);
            tell(u32::try_from(hundredths).unwrap_or(100).min(100) * 10);
        }
    }

    fn must_go_on(&self) -> io::Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(io::Error::other(
                "the daemon is ending; this goes on when it is started again",
            ));
        }
        Ok(())
    }
}

fn carry_out(from: &Path, to: &Path, steps: &[Step], copying: &Copying<'_>) -> Result<(), String> {
    let mut done = Vec::new();
    for step in steps {
        match relocate(from, to, step, copying) {
            Ok(Some(is_done)) => done.push(is_done),
            Ok(None) => {}
            Err(error) => {
                undo(from, to, &done);
                let new = to.join(&step.new);
                return Err(format!("cannot move a file to {}: {error}", new.display()));
            }
        }
    }
    let parents = |path: &Path| path.ancestors().skip(1).map(Path::to_owned).collect::<Vec<_>>();
    let new_folders: BTreeSet<_> = steps.iter().flat_map(|step| parents(&step.new)).collect();
    for folder in new_folders {
        // A name is durable once its folder is; a file system that cannot do this has said so before.
        drop(File::open(to.join(folder)).and_then(|folder| folder.sync_all()));
    }
    for copied in &done {
        if let Done::Copied(step) = copied
            && let Err(error) = remove(&from.join(&step.old))
        {
            tracing::warn!(path = %step.old.display(), %error, "a file that was copied stays");
        }
    }
    remove_empty(from, &steps.iter().flat_map(|step| parents(&step.old)).collect());
    Ok(())
}

/// Moves one file; `None` if there is nothing to move.
fn relocate<'a>(
    from: &Path,
    to: &Path,
    step: &'a Step,
    copying: &Copying<'_>,
) -> io::Result<Option<Done<'a>>> {
    let (old, new) = (from.join(&step.old), to.join(&step.new));
    if old == new {
        return Ok(None);
    }
    check_way(from, &step.old)?;
    check_way(to, &step.new)?;
    let Some(found) = optional(old.symlink_metadata())? else { return Ok(None) };
    if !found.is_file() {
        return Err(io::Error::other(format!("{} is no file", old.display())));
    }
    if optional(new.symlink_metadata())?.is_some() {
        // An earlier run may have got as far as copying it.
        return match is_same(&old, &new, copying)? {
            true => Ok(Some(Done::Copied(step))),
            false => Err(io::Error::other("another file is there; move it away first")),
        };
    }
    if let Some(parent) = new.parent() {
        fs::create_dir_all(parent)?;
    }
    match rename_alone(&old, &new) {
        Ok(()) => Ok(Some(Done::Renamed(step))),
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            copy(&old, &new, copying)?;
            Ok(Some(Done::Copied(step)))
        }
        Err(error) => Err(error),
    }
}

/// Renames, unless something has the new name.
fn rename_alone(old: &Path, new: &Path) -> io::Result<()> {
    match renameat_with(CWD, old, CWD, new, RenameFlags::NOREPLACE) {
        // Not every file system knows the flag. We have looked a moment ago.
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(old, new),
        result => Ok(result?),
    }
}

/// Copies a file beside its new name first, so that what has the name is whole.
fn copy(old: &Path, new: &Path, copying: &Copying<'_>) -> io::Result<()> {
    let mut name = new.file_name().unwrap_or_default().to_owned();
    name.push(".moving");
    let beside = new.with_file_name(name);
    let copied = copy_to(old, &beside, copying).and_then(|()| rename_alone(&beside, new));
    if copied.is_err() {
        drop(remove(&beside));
    }
    copied
}

fn copy_to(old: &Path, new: &Path, copying: &Copying<'_>) -> io::Result<()> {
    let mut source = File::open(old)?;
    let mut target = File::create(new)?;
    let mut bytes = vec![0; COPY_BYTES];
    loop {
        copying.must_go_on()?;
        let count = source.read(&mut bytes)?;
        if count == 0 {
            break;
        }
        target.write_all(&bytes[..count])?;
        copying.copied(count);
    }
    let found = source.metadata()?;
    target.set_permissions(found.permissions())?;
    // Resume data know a file by its size and time.
    target.set_times(FileTimes::new().set_modified(found.modified()?))?;
    target.sync_all()
}

/// Whether two files hold the same bytes.
fn is_same(one: &Path, other: &Path, copying: &Copying<'_>) -> io::Result<bool> {
    let found = other.symlink_metadata()?;
    if !found.is_file() || found.len() != one.symlink_metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut bytes, mut others) = (vec![0; COPY_BYTES], vec![0; COPY_BYTES]);
    loop {
        copying.must_go_on()?;
        let count = one.read(&mut bytes)?;
        if count == 0 {
            return Ok(true);
        }
        match other.read_exact(&mut others[..count]) {
            Ok(()) if bytes[..count] == others[..count] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Has everything as it was.
fn undo(from: &Path, to: &Path, done: &[Done<'_>]) {
    for step in done.iter().rev() {
        let undone = match step {
            Done::Renamed(step) => rename_alone(&to.join(&step.new), &from.join(&step.old)),
            Done::Copied(step) => remove(&to.join(&step.new)),
        };
        if let Err(error) = undone {
            tracing::error!(%error, to = %to.display(), "a file that was moved cannot be moved back");
        }
    }
    let new = |done: &Done<'_>| match done {
        Done::Renamed(step) | Done::Copied(step) => step.new.clone(),
    };
    let paths = done.iter().map(new);
    let parents =
        paths.flat_map(|path| path.ancestors().skip(1).map(Path::to_owned).collect::<Vec<_>>());
    remove_empty(to, &parents.collect());
}

fn optional<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::RefCell;

    fn steps(pairs: &[(&str, &str)]) -> Vec<Step> {
        let step = |(old, new): &(&str, &str)| Step { old: old.into(), new: new.into() };
        pairs.iter().map(step).collect()
    }

    #[test]
    fn files_are_in_the_way_where_one_gets_what_another_has_or_leads_through() {
        for apart in [&[("a", "b")][..], &[("a", "b"), ("c", "d/e")], &[("a", "a"), ("b", "c")]] {
            assert!(!are_in_the_way(&steps(apart)), "{apart:?}");
        }
        for crossed in [
            &[("a", "b"), ("b", "a")][..],
            &[("a", "b"), ("b", "c")],
            &[("a", "b/x"), ("b", "c")],
            &[("a/b", "c"), ("d", "a")],
        ] {
            assert!(are_in_the_way(&steps(crossed)), "{crossed:?}");
        }
    }

    #[test]
    fn a_copy_tells_how_far_it_is_and_stops_when_it_is_cancelled() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::write(&old, vec![7; 3 * COPY_BYTES]).unwrap();
        let (cancel, told) = (AtomicBool::new(false), RefCell::new(Vec::new()));
        let tell = |milli| told.borrow_mut().push(milli);
        let copying = Copying::new(&cancel, 4 * COPY_BYTES as u64, Some(&tell));
        copy_to(&old, &new, &copying).unwrap();
        assert_eq!(*told.borrow(), [250, 500, 750]);
        assert_eq!(fs::read(&new).unwrap(), fs::read(&old).unwrap());
        cancel.store(true, Ordering::Relaxed);
        assert!(copy_to(&old, &new, &copying).is_err());
    }
}
