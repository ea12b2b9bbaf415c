//! From an info dictionary and a folder to a torrent's storage: files looked at, state locked, what is
//! already there known.

use crate::config::{AddTorrent, Source};
use crate::engine::Shared;
use crate::prepare;
use piecework_disk::{Resume, ResumeError, ResumeLock, Storage, StorageError, StorageSpec, Totals};
use piecework_metainfo::{Info, PieceLayers};
use piecework_types::Bitfield;
use std::sync::Arc;

/// Priority of a file nobody said anything about.
pub const NORMAL_PRIORITY: u8 = 4;

/// Why a torrent's data or state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Its files.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Its resume data or its lock.
    #[error(transparent)]
    Resume(#[from] ResumeError),
}

/// A torrent whose files may be read and written.
pub(crate) struct Prepared {
    pub(crate) info: Arc<Info>,
    pub(crate) layers: Option<PieceLayers>,
    pub(crate) storage: Storage,
    /// Priority of each file.
    pub(crate) priorities: Vec<u8>,
    pub(crate) lock: ResumeLock,
    /// What an earlier run left.
    pub(crate) resume: Option<Resume>,
}

impl Prepared {
    /// The pieces that count as verified from the start, and those to be checked first.
    pub(crate) fn known(&self) -> (Bitfield, Bitfield) {
        let pieces = self.info.grid().piece_count();
        match &self.resume {
            Some(resume) => (resume.have.clone(), resume.to_check.clone()),
            None if self.storage.has_data() => (Bitfield::new(pieces), Bitfield::full(pieces)),
            None => (Bitfield::new(pieces), Bitfield::new(pieces)),
        }
    }
}

/// What remains of a torrent that rests from the start.
pub(crate) struct Resting {
    pub(crate) lock: ResumeLock,
    pub(crate) pieces: u32,
    pub(crate) is_private: bool,
    pub(crate) totals: Totals,
}

impl Prepared {
    /// What remains of a seed that can rest at once, because it is whole and durable and need not connect
    /// to anybody; the rest of it goes to the state folder.
    pub(crate) fn rest(&self, shared: &Shared, spec: &AddTorrent) -> Option<Resting> {
        let is_whole = || match &self.resume {
            _ if spec.is_trusted => self.storage.has_right_sizes(),
            Some(resume) => resume.to_check.is_empty() && self.lock.was_durable(),
            None => false,
        };
        let may_rest = shared.rest_after.is_some() && spec.is_seed_only && spec.peers.is_empty();
        if !may_rest || !is_whole() || !prepare::keep(shared, &self.info, self.layers.as_ref()) {
            return None;
        }
        Some(Resting {
            lock: self.lock.clone(),
            pieces: self.info.grid().piece_count(),
            is_private: self.info.is_private(),
            totals: self.resume.as_ref().map_or_else(Totals::default, |resume| resume.totals),
        })
    }
}

/// Looks at the files and takes the lock, unless it is held already.
pub(crate) fn prepare(
    shared: &Shared,
    spec: &AddTorrent,
    info: Arc<Info>,
    layers: Option<PieceLayers>,
    lock: Option<ResumeLock>,
) -> Result<Prepared, SetupError> {
    let priorities = file_priorities(spec, &info);
    let storage = Storage::open(
        &shared.disk,
        StorageSpec {
            info: Arc::clone(&info),
            layers: layers.clone(),
            dir: spec.dir.clone(),
            wanted: priorities.iter().map(|&priority| priority > 0).collect(),
            state_dir: shared.resume.dir().to_owned(),
            may_overwrite: spec.may_overwrite,
            is_read_only: spec.is_seed_only,
        },
    )?;
    let lock = match lock {
        Some(lock) => lock,
        None => shared.resume.lock(&info.hashes(), storage.dir())?,
    };
    let resume = shared.resume.load(&lock, &storage)?;
    Ok(Prepared { info, layers, storage, priorities, lock, resume })
}

/// What the user chose, else what the magnet link selects (BEP 53), else everything.
pub(crate) fn file_priorities(spec: &AddTorrent, info: &Info) -> Vec<u8> {
    if let Some(choose) = &spec.priorities {
        return choose(info);
    }
    let selects = |file: u32| match &spec.source {
        Source::Metainfo(_) => true,
        Source::Magnet(magnet) => magnet.selects(file),
    };
    (0..).zip(info.files()).map(|(at, _)| if selects(at) { NORMAL_PRIORITY } else { 0 }).collect()
}
