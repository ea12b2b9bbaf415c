//! The files of one torrent: from bytes of a piece to bytes of files and back.
//!
//! Owns where each file's bytes lie: in its own file, or in the parts file while it is unwanted.
//! Invariant: padding is never written and reads as zeros; nothing outside the torrent's folder is
//! touched. It must not know which pieces are verified.

mod open;

use piecework_metainfo::{File, Info, PieceLayers, Segment};
use piecework_types::{Block, PieceIndex};
use rustix::io::Errno;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::Disk;
use crate::drive::Drive;
use crate::fault::{Action, FaultKind, LocalFault};
use crate::files::{Access, FileCache, OpenFile, open_below};
use crate::parts::Parts;
use crate::vectored::{Cached, Cutter, read_cached_at, read_exact_at, split_places, write_all_at};

pub use open::{Folder, StorageError};

/// What to open.
#[derive(Clone, Debug)]
pub struct StorageSpec {
    /// Which files, and their v1 hashes.
    pub info: Arc<Info>,
    /// The v2 hashes that are known; `None` for v1.
    pub layers: Option<PieceLayers>,
    /// The parent folder: content goes to `dir/<name>`. Made when the first file is.
    pub dir: PathBuf,
    /// What was found there a moment ago, if somebody looked.
    pub folder: Option<Folder>,
    /// The path of each file below `dir`, in the form of [`piecework_metainfo::File::path`] and as clean as
    /// those; `None` for the torrent's own.
    pub paths: Option<Vec<String>>,
    /// Whether each file is wanted; files beyond the end are.
    pub wanted: Vec<bool>,
    /// Where the parts file goes.
    pub state_dir: PathBuf,
    /// Cut files that are longer than they should be, instead of refusing them.
    pub may_overwrite: bool,
    /// Create and write nothing: for seeds and checks.
    pub is_read_only: bool,
}

/// The opened files of one torrent; nothing is held open until it is used. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Storage {
    pub(crate) shared: Arc<StorageShared>,
}

#[derive(Debug)]
pub(crate) struct StorageShared {
    pub(crate) disk: Disk,
    pub(crate) info: Arc<Info>,
    pub(crate) layers: Option<PieceLayers>,
    pub(crate) drive: Arc<Drive>,
    pub(crate) is_read_only: bool,
    dir: PathBuf,
    /// Of each file, if it is not the torrent's own.
    paths: Option<Vec<String>>,
    /// Names this storage in the cache of open files.
    id: u64,
    files: Vec<FileState>,
    parts: Parts,
}

#[derive(Debug)]
struct FileState {
    /// Unwanted and not there: its bytes go to the parts file.
    is_in_parts: AtomicBool,
    /// Written since resume data looked at it.
    is_dirty: AtomicBool,
    /// The kernel lets one writer into a file and the others spin: ours had better sleep.
    writing: Mutex<()>,
    /// It was there when we looked, or we made it: if it is not there, somebody took it away.
    is_there: AtomicBool,
}

/// What was seen of files that all had their right sizes.
#[derive(Clone, Debug)]
pub struct WholeFiles {
    pub(crate) stamps: Vec<Option<FileStamp>>,
}

/// What resume data compare to see whether a file changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileStamp {
    pub(crate) bytes: u64,
    /// When it was written last, in nanoseconds since 1970.
    pub(crate) modified_ns: i64,
}

impl Storage {
    /// Looks at what is there. Writes nothing, except that it cuts longer files when that is allowed.
    ///
    /// # Errors
    /// When what is there cannot be this torrent's, or cannot be looked at.
    pub fn open(disk: &Disk, spec: StorageSpec) -> Result<Self, StorageError> {
        let shared = StorageShared::open(disk, spec)?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The parent folder, absolute and without symlinks: with the info-hash it names the resume data.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// The torrent.
    pub fn info(&self) -> &Arc<Info> {
        &self.shared.info
    }

    /// Whether any file with content is there, or the parts file: else there is nothing to check.
    pub fn has_data(&self) -> bool {
        let files = self.shared.info.files().iter().enumerate();
        let mut content = files.filter(|(_, file)| file.length() > 0 && !file.is_pad());
        content.any(|(at, _)| self.shared.stamp(at).is_some())
            || self.shared.parts.stamp().is_some()
    }

    /// The files as they are, if every one is there with its right size. Says nothing about what is in them.
    pub fn whole_files(&self) -> Option<WholeFiles> {
        let stamps = self.shared.stamps();
        let sizes = self.shared.sizes(&stamps);
        let mut pieces = self.shared.info.grid().pieces();
        let is_whole = pieces.all(|piece| self.shared.has_right_sizes(piece, &sizes));
        is_whole.then_some(WholeFiles { stamps })
    }
}

impl StorageShared {
    /// Where a file is or would be.
    pub(crate) fn path_of(&self, file: usize) -> PathBuf {
        self.dir.join(self.relative(file))
    }

    /// The path of a file below the folder.
    fn relative(&self, file: usize) -> &str {
        let own = self.info.files()[file].path();
        self.paths.as_ref().and_then(|paths| paths.get(file)).map_or(own, String::as_str)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) const fn parts(&self) -> &Parts {
        &self.parts
    }

    fn cache(&self) -> &FileCache {
        self.disk.files()
    }

    fn handle(&self, file: usize, access: Access) -> Result<Arc<OpenFile>, LocalFault> {
        // Files are at most 400,000.
        let key = (self.id, file as u32);
        self.cache()
            .get_or_open(key, access, || self.open_file(file, access))
            .map_err(|error| LocalFault::new(Action::Open, self.path_of(file), error))
    }

    fn open_file(&self, file: usize, access: Access) -> io::Result<OwnedFd> {
        let components: Vec<&str> = self.relative(file).split('/').collect();
        open_below(&self.dir, &components, access)
    }

    fn create_access(&self, file: usize) -> Access {
        Access::Create { is_executable: self.info.files()[file].attributes().executable }
    }

    /// The handle for writing. A file that was there and is gone is an error the first time, because
    /// what was in it is gone too; then it is made anew.
    fn handle_to_write(&self, file: usize) -> Result<Arc<OpenFile>, LocalFault> {
        let is_there = &self.files[file].is_there;
        if is_there.load(Ordering::Acquire) {
            let handle = self.handle(file, Access::Write);
            if handle.as_ref().is_err_and(|fault| fault.kind() == FaultKind::Missing) {
                is_there.store(false, Ordering::Release);
            }
            return handle;
        }
        let turn = self.drive.lock_creation();
        let handle = self.handle(file, self.create_access(file))?;
        drop(turn);
        is_there.store(true, Ordering::Release);
        Ok(handle)
    }

    /// Whether somebody took the file away.
    pub(crate) fn is_taken_away(&self, file: usize) -> bool {
        self.files[file].is_there.load(Ordering::Acquire) && self.stamp(file).is_none()
    }

    /// Lets go of open files, which others may have replaced, and of those that were taken away.
    pub(crate) fn look_again(&self) {
        self.close();
        for file in (0..self.files.len()).filter(|&file| self.is_taken_away(file)) {
            self.forget_file(file);
        }
    }

    /// Lets go of a file that was taken away, so that the next write makes it anew instead of going on
    /// in one that nobody can find.
    pub(crate) fn forget_file(&self, file: usize) {
        self.cache().close((self.id, file as u32));
        self.files[file].is_there.store(false, Ordering::Release);
    }

    /// Writes `slices`, which are the bytes of a span.
    pub(crate) fn write(&self, span: Block, slices: &[&[u8]]) -> Result<(), FileFault> {
        let mut cutter = Cutter::new(slices);
        for segment in self.info.layout().segments(span) {
            let mut part = cutter.take(segment.length as usize);
            if !segment.is_pad {
                self.write_segment(segment, &mut part)
                    .map_err(|fault| FileFault { file: segment.file, fault })?;
            }
        }
        Ok(())
    }

    fn write_segment(&self, segment: Segment, part: &mut [IoSlice<'_>]) -> Result<(), LocalFault> {
        let file = segment.file;
        if self.is_read_only {
            let error = io::Error::from(Errno::ROFS);
            return Err(LocalFault::new(Action::Write, self.path_of(file), error));
        }
        if self.is_in_parts(file) {
            // Looked at again under the lock: the file may have become wanted.
            let parts = self.parts.lock();
            if self.is_in_parts(file) {
                let offset = self.info.layout().extents()[file].offset + segment.offset;
                return parts.write(self.cache(), part, offset);
            }
        }
        let handle = self.handle_to_write(file)?;
        self.files[file].is_dirty.store(true, Ordering::Release);
        let _turn = self.files[file].writing.lock().unwrap_or_else(PoisonError::into_inner);
        write_all_at(&*handle, part, segment.offset)
            .map_err(|error| LocalFault::new(Action::Write, self.path_of(file), error))
    }

    /// Fills `places`, which are as long as the span together, from disk.
    pub(crate) fn read(&self, span: Block, mut places: Vec<&mut [u8]>) -> Result<(), FileFault> {
        for segment in self.info.layout().segments(span) {
            let mut part = split_places(&mut places, segment.length as usize);
            if segment.is_pad {
                part.iter_mut().for_each(|place| place.fill(0));
                continue;
            }
            self.read_segment(segment, &mut part)
                .map_err(|fault| FileFault { file: segment.file, fault })?;
        }
        // What lies behind the end of a v2 file is in no segment.
        places.into_iter().for_each(|place| place.fill(0));
        Ok(())
    }

    fn read_segment(&self, at: Segment, part: &mut [IoSliceMut<'_>]) -> Result<(), LocalFault> {
        if self.is_in_parts(at.file) {
            let parts = self.parts.lock();
            if self.is_in_parts(at.file) {
                let offset = self.info.layout().extents()[at.file].offset + at.offset;
                return parts.read(self.cache(), part, offset);
            }
        }
        let handle = self.handle(at.file, Access::Read)?;
        let fault = |error| LocalFault::new(Action::Read, self.path_of(at.file), error);
        #[cfg(test)]
        crate::testing::strike(&self.dir, at).map_err(fault)?;
        read_exact_at(&*handle, part, at.offset).map_err(fault)
    }

    /// As [`Self::read`], only from memory and from files that are open: false when that does not
    /// suffice.
    pub(crate) fn read_cached(
        &self,
        span: Block,
        places: &mut [IoSliceMut<'_>],
    ) -> Result<bool, LocalFault> {
        let mut segments = self.info.layout().segments(span);
        if let Some(only) = segments.next()
            && only.length == span.length
        {
            return self.read_segment_cached(only, places);
        }
        let mut places: Vec<&mut [u8]> = places.iter_mut().map(|place| &mut **place).collect();
        for segment in self.info.layout().segments(span) {
            let mut part = split_places(&mut places, segment.length as usize);
            if !self.read_segment_cached(segment, &mut part)? {
                return Ok(false);
            }
        }
        places.into_iter().for_each(|place| place.fill(0));
        Ok(true)
    }

    fn read_segment_cached(
        &self,
        at: Segment,
        places: &mut [IoSliceMut<'_>],
    ) -> Result<bool, LocalFault> {
        if at.is_pad {
            places.iter_mut().for_each(|place| place.fill(0));
            return Ok(true);
        }
        if self.is_in_parts(at.file) {
            return Ok(false);
        }
        let Some(handle) = self.cache().get((self.id, at.file as u32), Access::Read) else {
            return Ok(false);
        };
        let fault = |error| LocalFault::new(Action::Read, self.path_of(at.file), error);
        #[cfg(test)]
        crate::testing::strike(&self.dir, at).map_err(fault)?;
        if self.drive.has_nowait() {
            match read_cached_at(&*handle, places, at.offset).map_err(fault)? {
                Cached::Whole => return Ok(true),
                Cached::Partly => return Ok(false),
                Cached::Unsupported => self.drive.set_lacks_nowait(),
            }
        }
        // Waits, but a hand-over for each read would cost more on such file systems.
        let mut places: Vec<&mut [u8]> = places.iter_mut().map(|place| &mut **place).collect();
        let mut whole = split_places(&mut places, at.length as usize);
        match read_exact_at(&*handle, &mut whole, at.offset) {
            Ok(()) => Ok(true),
            // A worker finds out what is wrong with the file.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(fault(error)),
        }
    }

    /// Asks the kernel to have these bytes in memory soon.
    pub(crate) fn read_ahead(&self, span: Block) {
        for segment in self.info.layout().segments(span) {
            if segment.is_pad || self.is_in_parts(segment.file) {
                continue;
            }
            if let Ok(handle) = self.handle(segment.file, Access::Read) {
                advise_soon(&handle, segment.offset, segment.length);
            }
        }
    }

    fn is_in_parts(&self, file: usize) -> bool {
        self.files[file].is_in_parts.load(Ordering::Acquire)
    }

    /// What resume data say about a file with content that is in its own place.
    pub(crate) fn stamp(&self, file: usize) -> Option<FileStamp> {
        stamp_of(&self.path_of(file))
    }

    /// What resume data say about each file with content.
    pub(crate) fn stamps(&self) -> Vec<Option<FileStamp>> {
        let files = self.info.files().iter().enumerate();
        let has_content = |file: &File| !file.is_pad() && file.length() > 0;
        files.map(|(at, file)| has_content(file).then(|| self.stamp(at)).flatten()).collect()
    }

    /// Bytes of each file that is there, going by its stamp; of those in the parts file, if there is one,
    /// what they may have.
    pub(crate) fn sizes(&self, stamps: &[Option<FileStamp>]) -> Vec<Option<u64>> {
        let mut parts = None;
        let files = self.info.files().iter().zip(stamps).enumerate();
        let sizes = files.map(|(at, (file, stamp))| {
            if file.is_pad() || file.length() == 0 {
                return Some(0);
            }
            let is_in_parts =
                self.is_in_parts(at) && *parts.get_or_insert_with(|| self.parts.stamp().is_some());
            stamp.map(|stamp| stamp.bytes).or_else(|| is_in_parts.then(|| file.length()))
        });
        sizes.collect()
    }

    /// Whether each file of the piece has exactly its size, when these are the sizes of all files.
    pub(crate) fn has_right_sizes(&self, piece: PieceIndex, sizes: &[Option<u64>]) -> bool {
        let mut segments = self.info.layout().piece_segments(piece);
        segments.all(|at| at.is_pad || sizes[at.file] == Some(self.info.files()[at.file].length()))
    }

    /// Whether the file was written since the last call.
    pub(crate) fn take_dirty(&self, file: usize) -> bool {
        self.files[file].is_dirty.swap(false, Ordering::AcqRel)
    }

    /// Flushes a file to its drive; one that is not there has nothing to flush. It does not stay open for
    /// that, nor push out another that is in use.
    pub(crate) fn sync(&self, file: usize) -> Result<(), LocalFault> {
        if self.is_in_parts(file) {
            return self.parts.sync(self.cache());
        }
        let fault = |action, error| LocalFault::new(action, self.path_of(file), error);
        let flushed = match self.cache().get((self.id, file as u32), Access::Read) {
            Some(handle) => rustix::fs::fdatasync(&*handle),
            None => match self.open_file(file, Access::Read) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(fault(Action::Open, error)),
                Ok(handle) => rustix::fs::fdatasync(&handle),
            },
        };
        flushed.map_err(|error| fault(Action::Sync, error.into()))
    }

    /// Pieces that touch this file.
    pub(crate) fn pieces_of(&self, file: usize) -> impl Iterator<Item = PieceIndex> + use<> {
        self.info.layout().pieces_of(file).map(PieceIndex::trusted)
    }

    /// Closes this storage's handles.
    pub(crate) fn close(&self) {
        self.cache().close_all(self.id);
    }
}

/// A fault, and the file it is about.
#[derive(Debug)]
pub(crate) struct FileFault {
    pub(crate) file: usize,
    pub(crate) fault: LocalFault,
}

/// What is at this path, if it is a plain file.
pub(crate) fn stamp_of(path: &Path) -> Option<FileStamp> {
    use std::os::unix::fs::MetadataExt;

    let found = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
    let modified_ns = found.mtime().checked_mul(1_000_000_000)?.checked_add(found.mtime_nsec())?;
    Some(FileStamp { bytes: found.len(), modified_ns })
}

#[cfg(target_os = "linux")]
fn advise_soon(handle: &OpenFile, offset: u64, length: u32) {
    use rustix::fs::{Advice, fadvise};
    // Only advice: what fails is read all the same.
    let _ = fadvise(handle, offset, std::num::NonZeroU64::new(length.into()), Advice::WillNeed);
}

#[cfg(not(target_os = "linux"))]
fn advise_soon(_: &OpenFile, _: u64, _: u32) {}

#[cfg(test)]
mod tests;
