//! What people want of the catalog, and why they may not get it.

use crate::record::{Category, Limit, Record, ShareAction};
use crate::rules::Rules;
use piecework_types::InfoHash;
use std::collections::BTreeSet;

/// Something that a person, or a program in their name, wants. Torrents are named by the primary info-hash.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A new torrent. Its paths, queue place and date are filled in from the rules where the record leaves
    /// them empty; `is_stopped` and all else is taken as it stands.
    Add {
        /// What is known of it.
        record: Box<Record>,
        /// It goes to the top of the queue.
        at_top: bool,
    },
    /// The same torrent came once more, with trackers that are not there yet: they are added.
    AddAgain {
        /// Which.
        id: InfoHash,
        /// Its trackers by tier.
        trackers: Vec<Vec<String>>,
        /// Its web seeds.
        web_seeds: Vec<String>,
    },
    /// Out of the catalog.
    Remove {
        /// Which.
        ids: Vec<InfoHash>,
        /// Their payload goes too.
        deletes_files: bool,
    },
    /// Take part, or not.
    SetMode(Vec<InfoHash>, Mode),
    /// Another place in the queue.
    Jump(Vec<InfoHash>, Jump),
    /// Another category; `None` for none. Torrents with automatic paths move.
    SetCategory(Vec<InfoHash>, Option<String>),
    /// These tags too. New ones are made.
    AddTags(Vec<InfoHash>, BTreeSet<String>),
    /// Not these tags; all where the set is empty.
    RemoveTags(Vec<InfoHash>, BTreeSet<String>),
    /// Exactly these tags.
    SetTags(Vec<InfoHash>, BTreeSet<String>),
    /// Share limits; what is `None` stays.
    SetShareLimits {
        /// Which.
        ids: Vec<InfoHash>,
        /// See [`crate::ShareLimits`].
        ratio_milli: Option<Limit<u32>>,
        /// See [`crate::ShareLimits`].
        seeding_minutes: Option<Limit<u32>>,
        /// See [`crate::ShareLimits`].
        inactive_minutes: Option<Limit<u32>>,
        /// See [`crate::ShareLimits`].
        action: Option<Limit<ShareAction>>,
    },
    /// Another limit of what is received, bytes a second.
    SetDownLimit(Vec<InfoHash>, Option<u64>),
    /// Another limit of what is sent, bytes a second.
    SetUpLimit(Vec<InfoHash>, Option<u64>),
    /// Another folder; files move there, and paths are no longer automatic.
    SetSavePath(Vec<InfoHash>, String),
    /// Another folder until complete; `None` for none. Paths are no longer automatic.
    SetIncompletePath(Vec<InfoHash>, Option<String>),
    /// Paths follow the category, or not.
    SetAutomatic(Vec<InfoHash>, bool),
    /// Another name for people.
    Rename(InfoHash, String),
    /// Other paths of files whose metainfo is known, by number: below the folder it lies in, its root
    /// included, with `/` between.
    RenameFiles(InfoHash, Vec<(u32, String)>),
    /// Other priorities of files, by number: 0 skips, 4 is normal, 7 is the highest.
    SetPriorities(InfoHash, Vec<(u32, u8)>),
    /// In order, or not.
    SetSequential(Vec<InfoHash>, bool),
    /// First and last pieces first, or not.
    SetEdgesFirst(Vec<InfoHash>, bool),
    /// Super seeding, or not.
    SetSuperSeed(Vec<InfoHash>, bool),
    /// Other trackers.
    EditTrackers(InfoHash, TrackerEdit),
    /// Hash all data: now of a loaded torrent, else at the next start. Clears its error.
    Check(Vec<InfoHash>),
    /// Ask the trackers for peers now.
    Reannounce(Vec<InfoHash>),
    /// A category that is not there yet.
    CreateCategory(String, Category),
    /// Another shape of one that is there; torrents with automatic paths move.
    EditCategory(String, Category),
    /// Categories go; their torrents have none then.
    RemoveCategories(Vec<String>),
    /// Tags to choose from.
    CreateTags(BTreeSet<String>),
    /// Tags go, from torrents too.
    DeleteTags(BTreeSet<String>),
    /// The alternative speeds hold, or not, until the schedule says otherwise.
    SetAlternative(bool),
    /// Other settings.
    SetRules(Box<Rules>),
    /// Changes of what stands in the records of torrents, each kind once: all of them or none. Not among
    /// them: what begins or ends something (adding, removing, checking), trackers, lists and settings.
    All(Vec<Self>),
}

/// Whether a torrent takes part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Not at all.
    Stopped,
    /// When it is its turn.
    Queued,
    /// Whatever the queue says.
    Forced,
}

/// A way in the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Jump {
    /// Before all others.
    Top,
    /// One place on.
    Up,
    /// One place back.
    Down,
    /// Behind all others.
    Bottom,
}

/// A change of trackers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TrackerEdit {
    /// More of them, each group a tier behind those that are there. Known ones are left out.
    Add(Vec<Vec<String>>),
    /// Another address for one of them, in its tier.
    Replace {
        /// The old one.
        from: String,
        /// The new one.
        to: String,
    },
    /// Without these.
    Remove(Vec<String>),
    /// These and no others.
    Set(Vec<Vec<String>>),
}

/// Why a command is not carried out; nothing has changed then.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// For programs.
    pub kind: RefusalKind,
    /// For people: what was wrong, and what to do.
    pub text: String,
}

/// Kinds of refusals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusalKind {
    /// No such torrent, category or file.
    Unknown,
    /// It is there already, or its state forbids it.
    Conflict,
    /// The values make no sense.
    Invalid,
    /// A maximum is reached.
    Full,
    /// The place that was named is out of bounds.
    Forbidden,
    /// A file or a thread failed here; the text has the cause.
    Failed,
}

impl Refusal {
    /// A refusal of a kind.
    pub fn new(kind: RefusalKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}
