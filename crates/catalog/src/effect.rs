//! What the catalog wants done, and how it ended.

use piecework_types::InfoHash;

/// Something for whoever drives the catalog. What it needs to know stands in the torrent's record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Let the engine take part in it, as its record says.
    Load(InfoHash),
    /// Take it out of the engine. [`Outcome::Unloaded`] follows.
    Unload(InfoHash),
    /// Move its payload; it is not loaded. [`Outcome::Moved`] or [`Outcome::MoveFailed`] follows.
    Move {
        /// Which.
        id: InfoHash,
        /// The folder it lies in.
        from: String,
        /// The folder it is to lie in.
        to: String,
    },
    /// Rename files below its folder, from the first path to the second; it is not loaded.
    /// [`Outcome::Moved`] or [`Outcome::MoveFailed`] follows.
    RenameFiles {
        /// Which.
        id: InfoHash,
        /// Paths below the folder it lies in, old and new.
        paths: Vec<(String, String)>,
    },
    /// It has left the catalog and the engine: forget its record and metainfo, and delete its files if so.
    Forget {
        /// Which.
        id: InfoHash,
        /// Delete the payload that lies in `folder`.
        deletes_files: bool,
        /// Where it lay.
        folder: String,
    },
    /// Its limits changed while it is loaded.
    Limits(InfoHash),
    /// Its priorities of files changed while it is loaded.
    Priorities(InfoHash),
    /// How it asks or serves changed while it is loaded: in order, edges first, super seeding.
    Manner(InfoHash),
    /// Its trackers changed while it is loaded.
    Trackers(InfoHash),
    /// Hash all its data while it is loaded.
    Check(InfoHash),
    /// Ask its trackers while it is loaded.
    Reannounce(InfoHash),
    /// The node's limits changed: bytes a second.
    NodeLimits {
        /// Of what is received.
        down: Option<u64>,
        /// Of what is sent.
        up: Option<u64>,
    },
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
    /// Its payload lies where it was: why.
    MoveFailed(String),
    /// Its metainfo has come from peers.
    Metainfo {
        /// The name it gives.
        name: String,
        /// Bytes of all files.
        size_bytes: u64,
        /// It keeps to its trackers.
        is_private: bool,
        /// The name of its file or folder.
        root: String,
    },
    /// All that was wanted has come, is hashed and written.
    Done,
    /// Its files are gone.
    Missing(String),
    /// Something went wrong that a person should know of; it goes on.
    Problem(String),
    /// The problem is over.
    Recovered,
    /// It gave up: why.
    Failed(String),
}
