//! Reading and hashing files for a new torrent.
//!
//! Owns its threads for as long as it takes. It must not know what a torrent file looks like: the plan
//! says which bytes are which piece, the builder takes the digests.

use piecework_hash::Hasher;
use piecework_metainfo::Version;
use piecework_metainfo::create::{Builder, CreateError, Plan};
use piecework_types::{Block, PieceIndex};
use std::fs::File;
use std::io::IoSliceMut;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use crate::disk::core_count;
use crate::drive::{DriveKind, Drives};
use crate::fault::{Action, FaultKind, LocalFault};
use crate::files::{Access, FileCache, OpenFile};
use crate::lanes::{Group, GroupShape, LanePiece};
use crate::vectored::read_exact_at;

/// Files kept open at a time.
const OPEN_FILES_MAX: usize = 256;

/// Why files could not be hashed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HashFilesError {
    /// A file cannot be read, or changed its size meanwhile.
    #[error(transparent)]
    Fault(#[from] LocalFault),
    /// The plan does not take the digests.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// `progress` said so.
    #[error("cancelled")]
    Cancelled,
}

/// Reads and hashes everything that `plan` names, with `workers` threads (0: one a core).
/// `paths` are those of the plan's sources, in the order in which they were given to it. `progress` is
/// called now and then, from any of the threads, with the bytes done; false cancels.
///
/// # Errors
/// When a file cannot be read or has another size than planned.
pub fn hash_files(
    plan: Plan,
    paths: &[PathBuf],
    workers: usize,
    progress: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Builder, HashFilesError> {
    let kind = paths.first().map_or(DriveKind::Ssd, |path| Drives::default().of(path).kind);
    let workers = match kind {
        DriveKind::Hdd => 1,
        DriveKind::Ssd | DriveKind::Nvme => core_count(workers),
    };
    let piece_count = plan.grid().piece_count() as usize;
    let reading = Reading {
        shape: GroupShape::new(Hasher::detect(), kind, plan.grid().piece_length()),
        files: FileCache::new(OPEN_FILES_MAX),
        builder: Mutex::new(plan.clone().builder()),
        next: AtomicUsize::new(0),
        done: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
        plan,
        paths,
        piece_count,
        workers,
        progress,
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(|| reading.work())).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;
    Ok(reading.builder.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// What the threads share.
struct Reading<'a> {
    plan: Plan,
    paths: &'a [PathBuf],
    shape: GroupShape,
    files: FileCache,
    builder: Mutex<Builder>,
    piece_count: usize,
    workers: usize,
    next: AtomicUsize,
    done: AtomicU64,
    /// One thread failed: the others may stop.
    is_over: AtomicBool,
    progress: &'a (dyn Fn(u64) -> bool + Sync),
}

impl Reading<'_> {
    fn work(&self) -> Result<(), HashFilesError> {
        let result = self.work_until_done();
        if result.is_err() {
            self.is_over.store(true, Ordering::Relaxed);
        }
        result
    }

    fn work_until_done(&self) -> Result<(), HashFilesError> {
        let hasher = Hasher::detect();
        let mut buffer = Vec::new();
        while let Some(pieces) = self.claim() {
            let mut group = Group::new(self.shape, &pieces, buffer);
            while !group.is_done() {
                let bytes = group.step(hasher, |span, place| self.read(span, place)) as u64;
                let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
                if !(self.progress)(done) {
                    return Err(HashFilesError::Cancelled);
                }
            }
            let (results, used) = group.finish();
            buffer = used;
            let mut builder = self.builder.lock().unwrap_or_else(PoisonError::into_inner);
            for (piece, digests) in results {
                let digests = digests?;
                builder.add(piece.piece, digests.v1, &digests.leaves)?;
            }
        }
        Ok(())
    }

    fn claim(&self) -> Option<Vec<LanePiece>> {
        if self.is_over.load(Ordering::Relaxed) {
            return None;
        }
        // Towards the end smaller groups, so that all threads end together.
        let left = self.piece_count.saturating_sub(self.next.load(Ordering::Relaxed));
        let count = self.shape.lanes.min((left / self.workers).max(1));
        let start = self.next.fetch_add(count, Ordering::Relaxed);
        let pieces = start..(start + count).min(self.piece_count);
        // Pieces are numbered by u32.
        let pieces = pieces.map(|piece| PieceIndex::trusted(piece as u32));
        let pieces: Vec<_> = pieces
            .map(|piece| LanePiece {
                piece,
                bytes: self.plan.grid().piece_bytes(piece),
                v2_bytes: self.plan.v2_piece_bytes(piece),
                has_v1: self.plan.version() != Version::V2,
            })
            .collect();
        (!pieces.is_empty()).then_some(pieces)
    }

    fn read(&self, span: Block, mut place: &mut [u8]) -> Result<(), LocalFault> {
        for segment in self.plan.layout().segments(span) {
            let (part, rest) = place.split_at_mut(segment.length as usize);
            place = rest;
            let source = self.plan.files().get(segment.file).and_then(|file| file.source);
            let Some(path) = source.and_then(|source| self.paths.get(source)) else {
                part.fill(0);
                continue;
            };
            let handle = self.open(segment.file, path)?;
            read_exact_at(&*handle, &mut [IoSliceMut::new(part)], segment.offset)
                .map_err(|error| LocalFault::new(Action::Read, path, error))?;
        }
        Ok(())
    }

    fn open(&self, file: usize, path: &PathBuf) -> Result<std::sync::Arc<OpenFile>, LocalFault> {
        let planned = self.plan.layout().extents()[file].length;
        // Files are at most 400,000.
        let handle = self.files.get_or_open((0, file as u32), Access::Read, || {
            let file = File::open(path)?;
            if file.metadata()?.len() != planned {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            Ok(OwnedFd::from(file))
        });
        handle.map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                LocalFault::of_kind(Action::Read, path, FaultKind::Changed)
            }
            _ => LocalFault::new(Action::Open, path, error),
        })
    }
}

#[cfg(test)]
mod tests;
