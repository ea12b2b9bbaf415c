//! Stored pieces that cannot be read: doubted first, lost if a check says so, and found again.
//!
//! Owns which pieces are in doubt and which a storage that writes nothing has lost. Invariant: a doubted
//! piece is with one check at most, and so are all lost ones; a lost piece is not in `verified`. What a
//! download loses is fetched again, so it is not looked for here.

use piecework_types::{Bitfield, PieceIndex};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::StoreShared;
use crate::check::{CheckStep, Purpose};
use crate::fault::{Action, FaultKind, LocalFault};
use crate::mailbox::StoreEvent;
use crate::worker::Outbox;

/// What became of stored pieces. Each set holds at most all pieces or files of the torrent.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// Files of the right size count without hashing.
    is_trusting: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Verified pieces of which a read failed.
    doubted: BTreeSet<u32>,
    /// Pieces to be looked for.
    lost: BTreeSet<u32>,
    /// The files of lost pieces, and how each was when it was tried last.
    files: BTreeMap<usize, Option<Looks>>,
    /// A worker looks, or checks what it saw.
    is_looking: bool,
}

/// What tells a file from the one that was there before, also when only its rights changed.
type Looks = (u64, u64, (i64, i64), (i64, i64));

impl Losses {
    pub(crate) fn trust(&self) {
        self.is_trusting.store(true, Ordering::Release);
    }

    /// Everything is looked at anew: what was lost before means nothing.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        (state.lost, state.files) = Default::default();
    }

    pub(crate) fn are_there(&self) -> bool {
        !self.lock().lost.is_empty()
    }

    /// True if a look is due, and then it is the caller's.
    pub(crate) fn begin_look(&self) -> bool {
        let mut state = self.lock();
        !state.lost.is_empty() && !std::mem::replace(&mut state.is_looking, true)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoreShared {
    /// Stored bytes of these pieces may not be what they were: a worker finds out. Until then a piece
    /// counts as before, except in resume data: what is killed now is checked after the next start.
    pub(crate) fn doubt(self: &Arc<Self>, pieces: impl IntoIterator<Item = PieceIndex>) {
        let mut state = self.losses.lock();
        let verified = pieces.into_iter().filter(|&piece| self.verified.contains(piece));
        let fresh: Vec<u32> =
            verified.map(PieceIndex::get).filter(|&piece| state.doubted.insert(piece)).collect();
        drop(state);
        if !fresh.is_empty() {
            for &piece in &fresh {
                self.unknown.insert(PieceIndex::trusted(piece));
            }
            CheckStep::queue(self, Purpose::Doubt, fresh);
        }
    }

    /// A doubted piece was checked: it stays, or is lost by this fault.
    pub(crate) fn doubt_ended(
        &self,
        piece: PieceIndex,
        verdict: Result<(), LocalFault>,
        outbox: &mut Outbox,
    ) {
        self.losses.lock().doubted.remove(&piece.get());
        if let Err(fault) = verdict
            && self.piece_gone(piece)
        {
            self.pieces_lost(&[piece]);
            self.is_changed();
            outbox.push(self, StoreEvent::PieceUnreadable { piece, fault });
        }
    }

    /// A file could not be read. If it is gone or short its pieces are gone too.
    pub(crate) fn file_failed(&self, file: usize, fault: &LocalFault, outbox: &mut Outbox) {
        if !matches!(fault.kind(), FaultKind::Missing | FaultKind::Short) {
            return;
        }
        let mut gone: Vec<_> = self.storage.pieces_of(file).collect();
        gone.retain(|&piece| self.piece_gone(piece));
        if !gone.is_empty() {
            self.pieces_lost(&gone);
            self.is_changed();
            let path = self.storage.path_of(file);
            let pieces = self.storage.info.layout().pieces_of(file);
            outbox.push(self, StoreEvent::FileMissing { file, path, pieces });
        }
    }

    /// These pieces are verified, but their files are not as they were: see
    /// [`PieceStore::revisit`](crate::PieceStore::revisit).
    pub(crate) fn revisit(self: &Arc<Self>, pieces: &Bitfield, outbox: &mut Outbox) {
        let layout = self.storage.info.layout();
        let segments = pieces.iter().flat_map(|piece| layout.piece_segments(piece));
        let files: BTreeSet<usize> = segments.filter(|at| !at.is_pad).map(|at| at.file).collect();
        let sizes = self.storage.sizes(&self.storage.stamps());
        for file in files {
            let kind = match sizes[file] {
                None => FaultKind::Missing,
                Some(bytes) if bytes < self.storage.info.files()[file].length() => FaultKind::Short,
                Some(_) => continue,
            };
            let fault = LocalFault::of_kind(Action::Read, self.storage.path_of(file), kind);
            self.file_failed(file, &fault, outbox);
        }
        for piece in pieces.iter() {
            self.unknown.remove(piece);
        }
        if !self.losses.is_trusting.load(Ordering::Acquire) {
            self.doubt(pieces.iter());
        }
    }

    /// These pieces are to be looked for, if nobody fetches them.
    fn pieces_lost(&self, pieces: &[PieceIndex]) {
        if !self.storage.is_read_only {
            return;
        }
        let mut state = self.losses.lock();
        for &piece in pieces {
            state.lost.insert(piece.get());
            let segments = self.storage.info.layout().piece_segments(piece);
            state.files.extend(segments.filter(|at| !at.is_pad).map(|at| (at.file, None)));
        }
        drop(state);
        self.storage.disk.keeper().nudge();
    }

    /// Looks at the files of lost pieces; those that have their right size and are not as they were when
    /// they were tried last are tried. For a worker, after [`Losses::begin_look`].
    pub(crate) fn look(self: &Arc<Self>, outbox: &mut Outbox) {
        let files: Vec<_> =
            self.losses.lock().files.iter().map(|(file, tried)| (*file, *tried)).collect();
        let mut changed = BTreeMap::new();
        for (file, tried) in files {
            let looks = self.looks(file);
            if looks.is_some() && looks != tried {
                changed.insert(file, looks);
            }
        }
        let mut state = self.losses.lock();
        let layout = self.storage.info.layout();
        let touched = |piece: &&u32| {
            let mut segments = layout.piece_segments(PieceIndex::trusted(**piece));
            segments.any(|at| changed.contains_key(&at.file))
        };
        let pieces: Vec<u32> = state.lost.iter().filter(touched).copied().collect();
        for (&file, &looks) in &changed {
            // What is open may be the file that was taken away.
            self.storage.forget_file(file);
            state.files.insert(file, looks);
        }
        drop(state);
        if pieces.is_empty() {
            self.losses.lock().is_looking = false;
        } else if self.losses.is_trusting.load(Ordering::Acquire) {
            let sizes = self.storage.sizes(&self.storage.stamps());
            let pieces = pieces.into_iter().map(PieceIndex::trusted);
            let there = pieces.filter(|&piece| self.storage.has_right_sizes(piece, &sizes));
            there.for_each(|piece| self.piece_found(piece, outbox));
            self.look_ended(outbox);
        } else {
            CheckStep::queue(self, Purpose::Return, pieces);
        }
    }

    /// How the file is now; `None` unless it has its right size.
    fn looks(&self, file: usize) -> Option<Looks> {
        let found = self.storage.path_of(file).symlink_metadata().ok()?;
        let is_right = found.is_file() && found.len() == self.storage.info.files()[file].length();
        let times = ((found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec()));
        is_right.then(|| (found.dev(), found.ino(), times.0, times.1))
    }

    /// A lost piece is there again.
    pub(crate) fn piece_found(&self, piece: PieceIndex, outbox: &mut Outbox) {
        if self.losses.lock().lost.remove(&piece.get()) {
            self.piece_verified(piece);
            outbox.push(self, StoreEvent::PieceVerified { piece });
        }
    }

    /// What a look led to is checked.
    pub(crate) fn look_ended(&self, outbox: &mut Outbox) {
        let mut state = self.losses.lock();
        state.is_looking = false;
        if state.lost.is_empty() {
            state.files.clear();
            drop(state);
            outbox.push(self, StoreEvent::FilesFound);
        }
    }

    /// The fault of a piece that can be read and is not what it was.
    pub(crate) fn damage(&self, piece: PieceIndex) -> LocalFault {
        let mut segments = self.storage.info.layout().piece_segments(piece);
        let path = segments.find(|at| !at.is_pad).map(|at| self.storage.path_of(at.file));
        let path = path.unwrap_or_else(|| self.storage.dir().to_owned());
        LocalFault::of_kind(Action::Read, path, FaultKind::Damaged)
    }
}

#[cfg(test)]
mod tests;
