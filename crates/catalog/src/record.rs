//! What is written down of a torrent, and so outlives the process.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Torrents of a catalog.
pub const TORRENTS_MAX: usize = 100_000;

/// Tags, and categories, of a catalog; tags of a torrent.
pub const TAGS_MAX: usize = 1_000;

/// Trackers, and web seeds, of a torrent.
pub const TRACKERS_MAX: usize = 256;

/// Characters of a torrent's comment.
pub const COMMENT_CHARS_MAX: usize = 1_024;

/// A torrent as it is kept from run to run. Its metainfo is kept beside it by whoever writes records down.
/// What is as in a new one is left out: most of each record is, and a thousand are written together.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Record {
    /// SHA-1 of the info dictionary in hex, for v1 and hybrid torrents.
    pub v1: Option<String>,
    /// SHA-256 of the info dictionary in hex, for v2 and hybrid torrents.
    #[serde(skip_serializing_if = "is_default")]
    pub v2: Option<String>,
    /// The name in hex that its metainfo brought besides its id: that of a hybrid torrent which came by a
    /// link with one of its two.
    #[serde(skip_serializing_if = "is_default")]
    pub other_name: Option<String>,
    /// What people call it. The name of its files does not change with it.
    pub name: String,
    /// A person gave it this name: the one of its metainfo does not replace it.
    #[serde(skip_serializing_if = "is_default")]
    pub is_renamed: bool,
    /// The link it came from, until its metainfo is known and after.
    #[serde(skip_serializing_if = "is_default")]
    pub magnet: Option<String>,
    /// Bytes of all files; 0 while unknown.
    #[serde(skip_serializing_if = "is_default")]
    pub size_bytes: u64,
    /// Whether its metainfo is known.
    #[serde(skip_serializing_if = "is_default")]
    pub has_metainfo: bool,
    /// It keeps to its trackers (BEP 27).
    #[serde(skip_serializing_if = "is_default")]
    pub is_private: bool,
    /// The name of its file or folder, below the folder it lies in; `None` until its metainfo is known.
    #[serde(skip_serializing_if = "is_default")]
    pub root: Option<String>,
    /// Files of its metainfo, pad files included; 0 while unknown.
    #[serde(skip_serializing_if = "is_default")]
    pub file_count: u32,
    /// How many of them are pad files, which are not stored (BEP 47).
    #[serde(skip_serializing_if = "is_default")]
    pub pad_count: u32,
    /// Its metainfo names a folder, not one file.
    #[serde(skip_serializing_if = "is_default")]
    pub is_folder: bool,
    /// What its torrent file says of it, at most [`COMMENT_CHARS_MAX`] characters.
    #[serde(skip_serializing_if = "is_default")]
    pub comment: Option<String>,

    /// Unix seconds; see [`crate::Moment::unix`].
    #[serde(skip_serializing_if = "is_default")]
    pub added_at: u64,
    /// All that is wanted is there, as far as is known.
    #[serde(skip_serializing_if = "is_default")]
    pub is_complete: bool,
    /// When all that was wanted had come, the last time that it did.
    #[serde(skip_serializing_if = "is_default")]
    pub completed_at: Option<u64>,
    /// It takes no part until somebody starts it.
    #[serde(skip_serializing_if = "is_default")]
    pub is_stopped: bool,
    /// Where it stops by itself once, if somebody wanted that.
    #[serde(skip_serializing_if = "is_default")]
    pub stop_at: Option<StopAt>,
    /// It takes part whatever the queue says.
    #[serde(skip_serializing_if = "is_default")]
    pub is_forced: bool,
    /// Its key in the queue: lower ones go first, no two are alike, there may be gaps. A complete torrent
    /// keeps its own. What people see is [`crate::Field::Queue`].
    #[serde(skip_serializing_if = "is_default")]
    pub queue: u32,

    /// Its category, one of the catalog's.
    #[serde(skip_serializing_if = "is_default")]
    pub category: Option<String>,
    /// Its tags.
    #[serde(skip_serializing_if = "is_default")]
    pub tags: BTreeSet<String>,
    /// Paths follow the category.
    #[serde(skip_serializing_if = "is_default")]
    pub is_automatic: bool,
    /// The folder that the complete torrent lies in.
    #[serde(skip_serializing_if = "is_default")]
    pub save_path: String,
    /// The folder that it lies in until it is complete, if that is another one.
    #[serde(skip_serializing_if = "is_default")]
    pub incomplete_path: Option<String>,
    /// In which of the two it lies now, unless `lies_in` says otherwise.
    #[serde(skip_serializing_if = "is_default")]
    pub place: Place,
    /// The folder it lies in, where that is none of the two: it is to be moved, or could not be.
    #[serde(skip_serializing_if = "is_default")]
    pub lies_in: Option<String>,
    /// The folder that its files are on their way to. Whatever is wanted meanwhile, that ends first: who is
    /// killed leaves files in both.
    #[serde(skip_serializing_if = "is_default")]
    pub moving_to: Option<String>,

    /// Bytes a second; `None` for no limit of its own.
    #[serde(skip_serializing_if = "is_default")]
    pub down_limit: Option<u64>,
    /// See `down_limit`.
    #[serde(skip_serializing_if = "is_default")]
    pub up_limit: Option<u64>,
    /// How much it gives back.
    #[serde(skip_serializing_if = "is_default")]
    pub share: ShareLimits,
    /// Share limits that do not stop it (again).
    #[serde(skip_serializing_if = "is_default")]
    pub spared: Spared,
    /// Pieces are asked for in order.
    #[serde(skip_serializing_if = "is_default")]
    pub is_sequential: bool,
    /// The first and last pieces of each file come first.
    #[serde(skip_serializing_if = "is_default")]
    pub edges_first: bool,
    /// Each peer is shown few pieces (BEP 16).
    #[serde(skip_serializing_if = "is_default")]
    pub is_super_seed: bool,
    /// Priorities of files that are not normal: 0 skips, 1 to 7. By number in the torrent.
    #[serde(skip_serializing_if = "is_default")]
    pub priorities: BTreeMap<u32, u8>,
    /// Files that have another path than the metainfo says: below the folder it lies in, its own root
    /// included, with `/` between. By number.
    #[serde(skip_serializing_if = "is_default")]
    pub paths: BTreeMap<u32, String>,
    /// Files that do not have the path of `paths` yet, with the one they have; `None` for the metainfo's.
    #[serde(skip_serializing_if = "is_default")]
    pub renaming: BTreeMap<u32, Option<String>>,
    /// The paths that some of them are getting now. As with `moving_to`, that ends first.
    #[serde(skip_serializing_if = "is_default")]
    pub renaming_to: BTreeMap<u32, String>,
    /// All its trackers by tier: those of its metainfo or link, and what people made of them. `None` until
    /// they are known.
    #[serde(skip_serializing_if = "is_default")]
    pub trackers: Option<Vec<Vec<String>>>,
    /// Web seeds besides those of the metainfo.
    #[serde(skip_serializing_if = "is_default")]
    pub web_seeds: Vec<String>,
    /// Counts of all runs, this load included as far as it was observed.
    #[serde(skip_serializing_if = "is_default")]
    pub totals: Totals,
    /// What was wanted and missing when that was last known.
    #[serde(skip_serializing_if = "is_default")]
    pub last: LastFigures,
    /// Why it cannot go on, in words, with a remedy. It stands still until it is started or checked.
    #[serde(skip_serializing_if = "is_default")]
    pub error: Option<String>,
    /// The error is that its files are gone.
    #[serde(skip_serializing_if = "is_default")]
    pub is_missing: bool,
    /// Hash all data at the next start, whatever resume data says. Holds until that check has ended.
    #[serde(skip_serializing_if = "is_default")]
    pub wants_check: bool,
    /// Files of the right size count as complete at the first start.
    #[serde(skip_serializing_if = "is_default")]
    pub is_trusted: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Record {
    /// Files that are stored; 0 while unknown.
    pub const fn stored_count(&self) -> u32 {
        self.file_count.saturating_sub(self.pad_count)
    }

    /// Each file that is stored lies elsewhere than its metainfo says.
    pub(crate) fn has_other_paths(&self) -> bool {
        !self.paths.is_empty() && self.paths.len() == self.stored_count() as usize
    }

    /// The folder that it lies in now.
    pub fn folder(&self) -> &str {
        match (&self.lies_in, &self.incomplete_path, self.place) {
            (Some(path), _, _) | (None, Some(path), Place::Incomplete) => path,
            _ => &self.save_path,
        }
    }

    /// It has come to where it was to stop.
    pub(crate) const fn stop_here(&mut self) {
        (self.is_stopped, self.is_forced, self.stop_at) = (true, false, None);
    }
}

/// Where a torrent stops by itself, before it fetches any payload.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopAt {
    /// Its metainfo is known.
    Metadata,
    /// It is known which of its data is there.
    Checked,
}

/// Which of its two folders a torrent lies in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// `save_path`.
    #[default]
    Final,
    /// `incomplete_path`.
    Incomplete,
}

/// What is counted over all runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Totals {
    /// Payload received, bytes.
    pub down_bytes: u64,
    /// Payload sent, bytes.
    pub up_bytes: u64,
    /// Received for nothing: it failed its hash or was there already, bytes.
    pub wasted_bytes: u64,
    /// Time it took part, seconds.
    pub active_seconds: u64,
    /// Time it was complete and took part, seconds.
    pub seeding_seconds: u64,
    /// When payload last moved, unix seconds.
    pub last_activity_at: Option<u64>,
    /// When all pieces were last seen among its peers, unix seconds.
    pub seen_complete_at: Option<u64>,
}

/// Figures of a torrent that is not loaded.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct LastFigures {
    /// Bytes of the wanted pieces.
    pub wanted_bytes: u64,
    /// Those of them that were missing.
    pub left_bytes: u64,
}

/// A limit of one torrent, or that of all.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit<T> {
    /// That of all torrents.
    #[default]
    Global,
    /// None, whatever the limit of all.
    Unlimited,
    /// This one.
    Of(T),
}

/// What a complete torrent gives back before something happens to it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct ShareLimits {
    /// Sent over received, in thousandths.
    pub ratio_milli: Limit<u32>,
    /// Minutes of seeding.
    pub seeding_minutes: Limit<u32>,
    /// Minutes without anything sent.
    pub inactive_minutes: Limit<u32>,
    /// What happens then.
    pub action: Limit<ShareAction>,
}

/// Share limits that a torrent had reached when a person started it again: they do not stop it a second
/// time. A change of the limits, its own or those of all, ends this.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Spared {
    /// That of the ratio.
    pub ratio: bool,
    /// That of the seeding time.
    pub seeding: bool,
}

/// What happens to a torrent that has reached a share limit.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShareAction {
    /// It is stopped.
    #[default]
    Stop,
    /// It leaves the catalog; its files stay.
    Remove,
    /// It leaves the catalog and its files are deleted.
    RemoveWithFiles,
    /// It goes on as a super seed.
    SuperSeed,
}

/// Torrents of one kind, with their folders.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Category {
    /// Where its torrents lie: absolute, or below the save path of all. Empty: the category's name below it.
    pub save_path: String,
    /// The same until they are complete; `None`: as for all torrents.
    pub incomplete_path: Option<String>,
}
