//! From an info dictionary and a folder to a torrent's storage: files looked at, state locked, what is
//! already there known.

use crate::config::{AddTorrent, Source};
use crate::engine::Shared;
use crate::prepare;
use piecework_disk::{
    Folder, Resume, ResumeError, ResumeLock, Storage, StorageError, StorageSpec, Totals, WholeFiles,
};
use piecework_metainfo::names::{RawPath, clean_paths};
use piecework_metainfo::{File, Info, PATH_BYTES_MAX, PATH_COMPONENTS_MAX, PieceLayers};
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
    /// Bytes of the wanted pieces.
    pub(crate) wanted_bytes: u64,
    /// What is told of a torrent that could have been incomplete.
    pub(crate) metadata: Option<(Arc<Info>, Option<PieceLayers>)>,
}

impl Prepared {
    /// What remains of a torrent that can rest at once, because it is whole and durable and need not connect
    /// to anybody; the rest of it goes to the state folder.
    pub(crate) fn rest(&self, shared: &Shared, spec: &AddTorrent) -> Option<Resting> {
        let was_whole = self.resume.as_ref().is_some_and(|it| it.to_check.is_empty())
            && self.lock.was_durable();
        let is_whole = || match spec.is_trusted {
            true => {
                let files = self.storage.whole_files();
                files.is_some_and(|files| was_whole || self.is_kept_as_whole(&files))
            }
            false => was_whole,
        };
        let may_rest = shared.rest_after.is_some() && spec.peers.is_empty();
        let is_kept =
            || spec.kept.is_some() || prepare::keep(shared, &self.info, self.layers.as_ref());
        if !may_rest || !is_whole() || !is_kept() {
            return None;
        }
        let priorities = piece_priorities(spec, &self.info, &self.priorities);
        let metadata = (!spec.is_seed_only).then(|| (Arc::clone(&self.info), self.layers.clone()));
        Some(Resting {
            lock: self.lock.clone(),
            pieces: self.info.grid().piece_count(),
            is_private: self.info.is_private(),
            totals: self.resume.as_ref().map_or_else(Totals::default, |resume| resume.totals),
            wanted_bytes: wanted_bytes(&self.info, &priorities),
            metadata,
        })
    }

    /// Writes down that all of it is there, as its user says; whether that worked. The next start then needs
    /// neither the user's word nor a check.
    fn is_kept_as_whole(&self, files: &WholeFiles) -> bool {
        let saved = self.lock.save_whole(&self.storage, files);
        if let Err(fault) = &saved {
            tracing::warn!(%fault, "resume data were not saved");
        }
        saved.is_ok()
    }
}

/// Priority of each piece; a torrent that only seeds wants none.
pub(crate) fn piece_priorities(spec: &AddTorrent, info: &Info, files: &[u8]) -> Vec<u8> {
    match spec.is_seed_only {
        true => vec![0; info.grid().piece_count() as usize],
        false => info.layout().piece_priorities(files),
    }
}

/// Bytes of the pieces that have a priority.
pub(crate) fn wanted_bytes(info: &Info, priorities: &[u8]) -> u64 {
    let wanted = info.grid().pieces().filter(|piece| priorities[piece.as_usize()] > 0);
    wanted.map(|piece| u64::from(info.grid().piece_bytes(piece))).sum()
}

/// Looks at the files and takes the lock, unless it is held already. The folder is looked at too, unless it
/// was a moment ago.
pub(crate) fn prepare(
    shared: &Shared,
    spec: &AddTorrent,
    folder: Option<Folder>,
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
            folder,
            paths: file_paths(spec, &info),
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

/// Where the user wants each file, cleaned as names in torrents are; `None` if nothing is to lie elsewhere
/// than the torrent says.
fn file_paths(spec: &AddTorrent, info: &Info) -> Option<Vec<String>> {
    let chosen = spec.paths.as_ref()?(info);
    let files = info.files();
    let own = files.iter().map(File::path);
    let wished = files.iter().enumerate().map(|(at, file)| {
        let path = chosen.get(at).filter(|path| !file.is_pad() && is_usable(path));
        path.map_or_else(|| file.path(), String::as_str)
    });
    let components: Vec<Vec<&[u8]>> = wished.map(|path| components(path).collect()).collect();
    let raw = components.iter().zip(files);
    let raw: Vec<_> =
        raw.map(|(components, file)| RawPath { components, is_pad: file.is_pad() }).collect();
    let (paths, _) = clean_paths(&raw);
    (!paths.iter().map(String::as_str).eq(own)).then_some(paths)
}

/// Whether the path is no longer than those of torrents may be.
fn is_usable(path: &str) -> bool {
    let count = components(path).count();
    path.len() <= PATH_BYTES_MAX && (1..=PATH_COMPONENTS_MAX).contains(&count)
}

fn components(path: &str) -> impl Iterator<Item = &[u8]> {
    path.split('/').filter(|component| !component.is_empty()).map(str::as_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use piecework_testkit::FixtureBuilder;
    use std::path::PathBuf;

    #[test]
    fn chosen_paths_are_as_clean_as_those_of_torrents_and_stay_below_the_folder() {
        let folder = FixtureBuilder::folder("t").with("a", 10).with("b", 10).with("c", 10);
        let fixture = folder.build();
        let paths = |chosen: &[&str]| {
            let chosen: Vec<String> = chosen.iter().map(|&path| path.to_owned()).collect();
            let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
            let mut spec = AddTorrent::new(source, PathBuf::new());
            spec.paths = Some(Arc::new(move |_: &Info| chosen.clone()));
            file_paths(&spec, fixture.info())
        };
        let named = |paths: [&str; 3]| Some(paths.map(str::to_owned).to_vec());
        assert_eq!(paths(&["x/1", "x/y/2", "3"]), named(["x/1", "x/y/2", "3"]));
        assert_eq!(paths(&["new/a"]), named(["new/a", "t/b", "t/c"]));
        assert_eq!(paths(&["t/a", "t/b", "t/c"]), None);
        assert_eq!(paths(&["", "///", &"x".repeat(PATH_BYTES_MAX + 1)]), None);
        let wild = paths(&["/etc/x", "../../b", "t\\c\0"]).unwrap_or_default();
        assert_eq!(wild[0], "etc/x");
        for path in &wild {
            let is_clean = |part: &str| !part.is_empty() && part != "." && part != "..";
            assert!(path.split('/').all(is_clean) && !path.contains(['\\', '\0']), "{path}");
        }
        let same = paths(&["d", "D", "d/e"]).unwrap_or_default();
        let folded: std::collections::BTreeSet<_> =
            same.iter().map(|path| path.to_lowercase()).collect();
        assert!(folded.len() == 3 && !same.contains(&"d".to_owned()), "{same:?}");
    }
}
