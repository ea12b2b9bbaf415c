//! What the catalog wants done, and how it ended.

use crate::record::ShareAction;
use piecework_types::{InfoHash, InfoHashes};
use std::collections::BTreeMap;

/// Something for whoever drives the catalog. What it needs to know stands in the torrent's record.
///
/// Of one torrent at most one of `Load`, `Unload`, `Move` and `RenameFiles` is under way, but for an
/// `Unload` that may overtake a `Load`. The small ones (`Limits` to `Reannounce`) have no outcome; for a
/// torrent that is not in the engine they mean nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Let the engine take part in it, as its record says. The first observation shows that it does;
    /// [`Outcome::LoadFailed`] that it cannot.
    Load(InfoHash),
    /// Take it out of the engine, with everything written. [`Outcome::Unloaded`] follows, always: also where
    /// the engine has no such torrent, because it failed there or was not loaded yet.
    Unload(InfoHash),
    /// Move its payload; it is not loaded. [`Outcome::Moved`] or [`Outcome::MoveFailed`] follows. After a
    /// crash it comes once more: what lies in `to` already has been moved.
    Move {
        /// Which.
        id: InfoHash,
        /// The folder it lies in.
        from: String,
        /// The folder it is to lie in.
        to: String,
    },
    /// Rename files below the folder it lies in; it is not loaded. [`Outcome::Moved`] or
    /// [`Outcome::MoveFailed`] follows, all or nothing. After a crash it comes once more: what has its new
    /// path already has been renamed. Where files take each other's paths, all get those of
    /// [`FileRename::aside`] first, and [`Outcome::Aside`] follows: from there nobody is in anybody's way.
    RenameFiles {
        /// Which.
        id: InfoHash,
        /// Which files.
        files: Vec<FileRename>,
    },
    /// It has left the catalog and the engine: forget its metainfo and resume data, and delete its files if
    /// so.
    Forget {
        /// Which.
        id: InfoHash,
        /// Delete the payload that lies in `folder`.
        deletes_files: bool,
        /// Where it lay.
        folder: String,
        /// The paths of files that have others than the metainfo says. By number.
        paths: BTreeMap<u32, String>,
    },
    /// Its limits changed while it is loaded.
    Limits(InfoHash),
    /// Its priorities of files changed while it is loaded.
    Priorities(InfoHash),
    /// How it asks or serves changed while it is loaded: in order, edges first, super seeding.
    Manner(InfoHash),
    /// Its trackers changed while it is loaded.
    Trackers(InfoHash),
    /// Hash all its data while it is loaded. Its record says `wants_check` until [`Outcome::Checked`].
    Check(InfoHash),
    /// Ask its trackers while it is loaded.
    Reannounce(InfoHash),
    /// A limit of sharing was reached, and acted upon: for people to know.
    LimitReached {
        /// Which torrent. It may have left the catalog.
        id: InfoHash,
        /// Its name.
        name: String,
        /// Which limit.
        limit: ShareLimit,
        /// What was done.
        action: ShareAction,
    },
    /// The node's limits changed: bytes a second.
    NodeLimits {
        /// Of what is received.
        down: Option<u64>,
        /// Of what is sent.
        up: Option<u64>,
    },
}

/// A file that gets another path below the folder that its torrent lies in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileRename {
    /// Its number in the torrent.
    pub file: u32,
    /// The path it has; `None` for that of the metainfo.
    pub from: Option<String>,
    /// The path it gets.
    pub to: String,
}

impl FileRename {
    /// The path that the file has for a moment, while others take each other's: no folder is in its way.
    pub fn aside(&self, torrent: InfoHash) -> String {
        format!(".{torrent}-{}.renaming", self.file)
    }
}

/// A limit of sharing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ShareLimit {
    /// Sent over received.
    Ratio,
    /// Time of seeding.
    Seeding,
    /// Time without anything sent.
    Inactive,
}

/// What became of an effect, or of a torrent in the engine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The engine could not take it: why.
    LoadFailed(String),
    /// The engine has let go of it.
    Unloaded,
    /// Its payload lies where it should.
    Moved,
    /// Its files have the paths of [`FileRename::aside`], for now.
    Aside,
    /// So much of its payload has been moved, in thousandths; it goes on.
    Moving(u32),
    /// Its payload lies where it was: why.
    MoveFailed(String),
    /// Its metainfo has come from peers.
    Metainfo {
        /// Its names: one may be new.
        names: InfoHashes,
        /// The name it gives.
        name: String,
        /// Bytes of all files.
        size_bytes: u64,
        /// It keeps to its trackers.
        is_private: bool,
        /// The name of its file or folder.
        root: String,
        /// Files, pad files included.
        file_count: u32,
        /// How many of them are pad files.
        pad_count: u32,
        /// It names a folder, not one file.
        is_folder: bool,
        /// What its torrent file says of it; peers do not tell.
        comment: Option<String>,
    },
    /// The check that was wanted has ended.
    Checked,
    /// All that was wanted has come, is hashed and written.
    Done,
    /// Its files are gone. An [`Effect::Unload`] follows.
    Missing(String),
    /// Something went wrong that a person should know of; it goes on. Shown as its error while that lasts.
    Problem(String),
    /// The problem is over.
    Recovered,
    /// It gave up: why. An [`Effect::Unload`] follows.
    Failed(String),
}
