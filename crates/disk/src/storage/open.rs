//! Looking at what is there before anything is written, and making what has no content.

use rustix::io::Errno;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::{FileState, StorageShared, StorageSpec};
use crate::disk::Disk;
use crate::drive::Drive;
use crate::fault::{Action, LocalFault};
use crate::files::{open_below, walk};
use crate::parts::Parts;

/// Why a torrent's files cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A file is longer than in the torrent: it may be another file.
    #[error(
        "{} has {got_bytes} bytes, expected {expected_bytes}: move it away or pass --overwrite",
        path.display()
    )]
    LongerFile {
        /// Which.
        path: PathBuf,
        /// Bytes in the torrent.
        expected_bytes: u64,
        /// Bytes on disk.
        got_bytes: u64,
    },
    /// A symlink, a folder or a device stands where a file or a folder belongs.
    #[error("{} is no plain {expected}: move it away", path.display())]
    NotPlain {
        /// Which.
        path: PathBuf,
        /// "file" or "folder".
        expected: &'static str,
    },
    /// The system refuses.
    #[error(transparent)]
    Fault(#[from] LocalFault),
}

/// A folder as it was found once, so that of many torrents in it not each has to look.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Without symlinks.
    real: PathBuf,
    drive: Arc<Drive>,
}

impl Folder {
    /// Looks at a folder, which need not be there yet.
    ///
    /// # Errors
    /// When the system does not let us look, or the path leads nowhere.
    pub fn find(disk: &Disk, dir: &Path) -> Result<Self, LocalFault> {
        let real = canonical(dir).map_err(|error| LocalFault::new(Action::Open, dir, error))?;
        let drive = disk.drives().of(&real);
        Ok(Self { real, drive })
    }
}

/// What was found where the files should be.
struct Surroundings {
    /// Files to be cut to their length.
    longer: Vec<usize>,
    /// Files that are not there.
    absent: Vec<usize>,
}

impl StorageShared {
    pub(super) fn open(disk: &Disk, spec: StorageSpec) -> Result<Self, StorageError> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);

        let Folder { real: dir, drive } = match spec.folder {
            Some(folder) => folder,
            None => Folder::find(disk, &spec.dir)?,
        };
        let parts = Parts::new(&spec.state_dir, &spec.info.hashes(), &dir);
        let mut storage = Self {
            disk: disk.clone(),
            drive,
            info: spec.info,
            layers: spec.layers,
            is_read_only: spec.is_read_only,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            files: Vec::new(),
            paths: spec.paths,
            dir,
            parts,
        };
        let found = storage.look_around(&spec.wanted, spec.may_overwrite)?;
        for file in found.longer {
            storage.cut(file)?;
        }
        storage.adopt_parts(&found.absent)?;
        Ok(storage)
    }

    /// Finds out which files are there; refuses what cannot be this torrent's.
    fn look_around(
        &mut self,
        wanted: &[bool],
        may_overwrite: bool,
    ) -> Result<Surroundings, StorageError> {
        let (mut longer, mut absent) = (Vec::new(), Vec::new());
        let mut known_folder = PathBuf::new();
        for (at, file) in self.info.files().iter().enumerate() {
            let path = self.path_of(at);
            if !file.is_pad() && path.parent().is_some_and(|folder| folder != known_folder) {
                known_folder = path.parent().map(Path::to_owned).unwrap_or_default();
                self.check_folders(self.relative(at))?;
            }
            let found = if file.is_pad() { None } else { found_at(&path)? };
            match &found {
                Some(found) if file.symlink().is_some() != found.is_symlink() => {
                    return Err(StorageError::NotPlain { path, expected: "file" });
                }
                Some(found) if file.symlink().is_none() && !found.is_file() => {
                    return Err(StorageError::NotPlain { path, expected: "file" });
                }
                Some(found) if file.symlink().is_none() && found.len() > file.length() => {
                    let got_bytes = found.len();
                    if !may_overwrite {
                        let expected_bytes = file.length();
                        return Err(StorageError::LongerFile { path, expected_bytes, got_bytes });
                    }
                    longer.push(at);
                }
                Some(_) => {}
                None => absent.push(at),
            }
            let is_wanted = wanted.get(at).copied().unwrap_or(true);
            self.files.push(FileState {
                is_in_parts: AtomicBool::new(!is_wanted && found.is_none() && !file.is_pad()),
                is_dirty: AtomicBool::new(true),
                writing: Mutex::new(()),
                is_there: AtomicBool::new(found.is_some()),
            });
        }
        Ok(Surroundings { longer, absent })
    }

    /// Refuses a symlink or a file where a folder of the torrent belongs.
    fn check_folders(&self, path: &str) -> Result<(), StorageError> {
        for (at, _) in path.match_indices('/') {
            let folder = self.dir.join(&path[..at]);
            match found_at(&folder)? {
                Some(found) if !found.is_dir() => {
                    return Err(StorageError::NotPlain { path: folder, expected: "folder" });
                }
                Some(_) => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn cut(&self, file: usize) -> Result<(), LocalFault> {
        let handle = self.handle_to_write(file)?;
        rustix::fs::ftruncate(&*handle, self.info.files()[file].length())
            .map_err(|error| LocalFault::new(Action::Write, self.path_of(file), error.into()))
    }

    /// Moves the bytes of files that are wanted now out of an earlier run's parts file. Files that are
    /// there already had their turn: what the parts file still has of them is old.
    fn adopt_parts(&self, absent: &[usize]) -> Result<(), LocalFault> {
        let mut wanted = absent.iter().filter(|&&file| !self.is_in_parts(file)).peekable();
        if self.is_read_only || wanted.peek().is_none() || self.parts.stamp().is_none() {
            return Ok(());
        }
        wanted.try_for_each(|&file| self.move_out_of_parts(file))
    }

    /// The file is wanted from now on: its bytes move to their own place.
    pub(crate) fn want(&self, file: usize) -> Result<(), LocalFault> {
        if self.is_in_parts(file) {
            self.move_out_of_parts(file)?;
        }
        Ok(())
    }

    /// The file is unwanted from now on. If it is there its bytes stay in it.
    pub(crate) fn unwant(&self, file: usize) {
        let is_pad = self.info.files()[file].is_pad();
        if !is_pad && !self.path_of(file).exists() {
            self.files[file].is_in_parts.store(true, Ordering::Release);
        }
    }

    fn move_out_of_parts(&self, file: usize) -> Result<(), LocalFault> {
        let parts = self.parts.lock();
        let extent = self.info.layout().extents()[file];
        if !extent.is_pad && extent.length > 0 {
            parts.each_part(self.cache(), extent, |offset, bytes| {
                let handle = self.handle_to_write(file)?;
                crate::vectored::write_all_at(&*handle, &mut [io::IoSlice::new(bytes)], offset)
                    .map_err(|error| LocalFault::new(Action::Write, self.path_of(file), error))
            })?;
        }
        self.files[file].is_in_parts.store(false, Ordering::Release);
        Ok(())
    }

    /// Makes the wanted files that have no content, and symlinks (BEP 47).
    pub(crate) fn create_empty(&self) -> Result<(), LocalFault> {
        for (at, file) in self.info.files().iter().enumerate() {
            if file.length() > 0 || file.is_pad() || self.is_in_parts(at) {
                continue;
            }
            let components: Vec<&str> = self.relative(at).split('/').collect();
            let made = match file.symlink() {
                // Not through the cache: it would push out files that are needed again.
                None => open_below(&self.dir, &components, self.create_access(at)).map(drop),
                Some(target) => self.link(&components, self.relative_of(target)),
            };
            made.map_err(|error| LocalFault::new(Action::Create, self.path_of(at), error))?;
        }
        Ok(())
    }

    /// Where the file of this path in the torrent lies.
    fn relative_of<'a>(&'a self, path: &'a str) -> &'a str {
        let file = self.info.files().iter().position(|file| file.path() == path);
        file.map_or(path, |file| self.relative(file))
    }

    /// `target` counts from the same folder as the link's own path.
    fn link(&self, components: &[&str], target: &str) -> io::Result<()> {
        let Some((name, folders)) = components.split_last() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let folder = walk(&self.dir, folders, true)?;
        let target = "../".repeat(folders.len()) + target;
        match rustix::fs::symlinkat(target, &folder, *name) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What is at this path, symlinks not followed.
fn found_at(path: &Path) -> Result<Option<fs::Metadata>, LocalFault> {
    match path.symlink_metadata() {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(error) => Err(LocalFault::new(Action::Open, path, error)),
    }
}

/// The path without symlinks, `.` and `..`, also of a folder that is not there yet.
fn canonical(dir: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(dir)?;
    let mut missing = Vec::new();
    let mut existing = absolute.as_path();
    loop {
        match existing.canonicalize() {
            Ok(mut real) => {
                real.extend(missing.into_iter().rev());
                return Ok(real);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let (Some(parent), Some(last)) = (existing.parent(), existing.components().next_back())
        else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if last == Component::ParentDir {
            return Err(io::ErrorKind::NotFound.into());
        }
        missing.push(last.as_os_str().to_owned());
        existing = parent;
    }
}
