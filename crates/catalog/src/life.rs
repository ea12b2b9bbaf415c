//! The life of a torrent between catalog and engine: out, in, being moved.
//!
//! Owns [`Entry`]: a torrent with what the catalog remembers of it besides. Invariant: of a torrent at most
//! one of load, unload, move and rename is under way, and it is out of the engine while its files are
//! moved. What is to happen next follows from the record and the queue alone ([`Entry::step`]): no order of
//! outcomes loses it.

use crate::catalog::Catalog;
use crate::clocks::Clocks;
use crate::effect::{Effect, FileRename};
use crate::field_set::FieldSet;
use crate::journal::Marks;
use crate::moment::Moment;
use crate::queue::{Bid, Class};
use crate::record::{Place, Record};
use crate::torrent::{Figures, Stage, Torrent};
use piecework_types::InfoHash;
use std::collections::BTreeMap;

/// Where a torrent stands with the engine and the drives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Life {
    /// Not in the engine; nothing is under way.
    Out,
    /// The engine was told to take it and has not said anything yet.
    Loading,
    /// In the engine.
    Loaded,
    /// The engine was told to let go of it.
    Unloading,
    /// Its payload is on its way to this folder.
    Moving(String),
    /// Its files are getting these paths.
    Renaming(Vec<FileRename>),
}

/// A torrent with what the catalog remembers of it for one run.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) torrent: Torrent,
    pub(crate) marks: Marks,
    pub(crate) life: Life,
    /// What it asks of the queue; `None` if it does not want to take part, or cannot.
    pub(crate) bid: Option<Bid>,
    /// The queue lets it take part.
    pub(crate) has_turn: bool,
    pub(crate) clocks: Clocks,
    /// The folder that it could not be moved to. It is not tried again until something changes.
    pub(crate) stuck: Option<String>,
}

/// A torrent that was removed, until engine and drives have let go of it.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) life: Life,
    deletes_files: bool,
    pub(crate) folder: String,
    pub(crate) paths: BTreeMap<u32, String>,
}

impl Entry {
    pub(crate) fn new(id: InfoHash, record: Record) -> Self {
        let torrent = Torrent {
            id,
            record,
            figures: Figures::default(),
            stage: Stage::Stopped,
            place: 0,
            smooth_rate: 0,
            moved_milli: None,
            problem: None,
            unmoved: None,
        };
        Self {
            torrent,
            marks: Marks::new(),
            life: Life::Out,
            bid: None,
            has_turn: false,
            clocks: Clocks::default(),
            stuck: None,
        }
    }

    pub(crate) const fn is_in(&self) -> bool {
        matches!(self.life, Life::Loading | Life::Loaded)
    }

    /// What it asks of the queue as it stands.
    fn wish(&self, is_low: bool) -> Option<Bid> {
        let record = &self.torrent.record;
        let can_take_part =
            !record.is_stopped && record.error.is_none() && (record.is_complete || !is_low);
        can_take_part.then(|| Bid {
            class: if record.is_complete { Class::Seed } else { Class::Download },
            is_forced: record.is_forced,
            is_checking: self.torrent.figures.checking_milli.is_some(),
            is_slow: self.clocks.is_slow,
        })
    }

    /// Where its payload is to be taken, if it lies elsewhere, or is on its way there.
    fn destination(&self) -> Option<&str> {
        if let Some(begun) = &self.torrent.record.moving_to {
            return Some(begun);
        }
        let (_, home) = home(&self.torrent.record);
        let is_due = self.torrent.record.has_metainfo
            && self.torrent.folder() != home
            && self.stuck.as_deref() != Some(home);
        is_due.then_some(home)
    }

    /// It may be tried once more to move it.
    pub(crate) fn unstick(&mut self) {
        (self.stuck, self.torrent.unmoved) = (None, None);
    }

    pub(crate) fn has_errand(&self) -> bool {
        !self.torrent.record.renaming.is_empty() || self.destination().is_some()
    }

    /// The next thing to be done with it, if nothing is under way. It counts as begun.
    fn step(&mut self, moment: Moment) -> Option<Effect> {
        let id = self.torrent.id;
        match self.life {
            Life::Loading | Life::Loaded if !self.has_turn || self.has_errand() => {
                self.let_go(moment);
                Some(Effect::Unload(id))
            }
            Life::Out if self.must_rename() => {
                let files = self.renames();
                let begun = files.iter().map(|it| (it.file, it.to.clone()));
                self.torrent.record.renaming_to = begun.collect();
                self.life = Life::Renaming(files.clone());
                Some(Effect::RenameFiles { id, files })
            }
            Life::Out => match self.destination().map(str::to_owned) {
                Some(to) => {
                    self.life = Life::Moving(to.clone());
                    self.torrent.record.moving_to = Some(to.clone());
                    Some(Effect::Move { id, from: self.torrent.folder().to_owned(), to })
                }
                None if self.has_turn => {
                    self.begin(moment);
                    Some(Effect::Load(id))
                }
                None => None,
            },
            Life::Loading
            | Life::Loaded
            | Life::Unloading
            | Life::Moving(_)
            | Life::Renaming(_) => None,
        }
    }

    /// Files on their way elsewhere arrive first.
    fn must_rename(&self) -> bool {
        let record = &self.torrent.record;
        record.moving_to.is_none() && !record.renaming.is_empty()
    }

    fn renames(&self) -> Vec<FileRename> {
        let record = &self.torrent.record;
        let begun = Some(&record.renaming_to).filter(|begun| !begun.is_empty());
        let paths = begun.unwrap_or(&record.paths);
        let known = record.renaming.iter().filter_map(|(file, from)| {
            let to = paths.get(file)?.clone();
            Some(FileRename { file: *file, from: from.clone(), to })
        });
        known.collect()
    }

    /// It is on its way into the engine: until that speaks, it shows what was known.
    fn begin(&mut self, moment: Moment) {
        let torrent = &mut self.torrent;
        torrent.figures = Figures {
            wanted_bytes: torrent.record.last.wanted_bytes,
            left_bytes: torrent.record.last.left_bytes,
            is_complete: torrent.record.is_complete,
            ..Figures::default()
        };
        torrent.smooth_rate = 0;
        self.clocks.begin(torrent.id, moment.now);
        self.life = Life::Loading;
    }

    /// It is on its way out of the engine: its counts stay until it is out, nothing else of it is true now.
    fn let_go(&mut self, moment: Moment) {
        self.count_time(moment.now);
        let torrent = &mut self.torrent;
        torrent.figures = Figures {
            down_bytes: torrent.figures.down_bytes,
            up_bytes: torrent.figures.up_bytes,
            wasted_bytes: torrent.figures.wasted_bytes,
            ..Figures::default()
        };
        torrent.smooth_rate = 0;
        self.clocks.is_slow = false;
        self.life = Life::Unloading;
    }

    /// What it is doing, for people.
    pub(crate) fn stage(&self, is_low: bool) -> Stage {
        let (record, figures) = (&self.torrent.record, &self.torrent.figures);
        let is_moving = matches!(self.life, Life::Moving(_) | Life::Renaming(_));
        if is_moving || (self.life == Life::Unloading && self.has_errand()) {
            return Stage::Moving;
        }
        if record.error.is_some() {
            return if record.is_missing { Stage::Missing } else { Stage::Failed };
        }
        if record.is_stopped {
            return Stage::Stopped;
        }
        if self.is_in() {
            return match () {
                () if figures.checking_milli.is_some() => Stage::Checking,
                () if figures.is_fetching_metadata => Stage::Metadata,
                () if record.is_complete => Stage::Seeding,
                () if !record.has_metainfo => Stage::Metadata,
                () => Stage::Downloading,
            };
        }
        if !record.is_complete && is_low { Stage::NoSpace } else { Stage::Queued }
    }
}

/// The folder that a torrent ought to lie in. One that was complete once is not moved back when more of it is
/// wanted; one that is said to be there already is looked for where it ought to be.
pub(crate) fn home(record: &Record) -> (Place, &str) {
    match &record.incomplete_path {
        Some(path)
            if !record.is_complete && !record.is_trusted && record.completed_at.is_none() =>
        {
            (Place::Incomplete, path)
        }
        _ => (Place::Final, &record.save_path),
    }
}

/// Writes down where a torrent lies.
pub(crate) fn lie(record: &mut Record, folder: String) {
    record.lies_in = None;
    if folder == record.save_path {
        record.place = Place::Final;
    } else if record.incomplete_path.as_ref() == Some(&folder) {
        record.place = Place::Incomplete;
    } else {
        record.lies_in = Some(folder);
    }
}

impl Catalog {
    /// Does the next thing that a torrent needs, and tells what changed of it.
    pub(crate) fn settle(&mut self, id: InfoHash) {
        let Some(entry) = self.torrents.get_mut(&id) else { return };
        let is_low = self.drives.is_low(entry.torrent.folder());
        let bid = entry.wish(is_low);
        if bid != entry.bid {
            (entry.bid, self.is_stale) = (bid, true);
        }
        entry.has_turn &= bid.is_some();
        if let Some(moment) = self.moment {
            let effect = entry.step(moment);
            // Where its files go is written down before they do.
            if matches!(effect, Some(Effect::Move { .. } | Effect::RenameFiles { .. })) {
                self.dirty.insert(id);
            }
            self.effects.extend(effect);
        }
        entry.torrent.stage = entry.stage(is_low);
        self.journal.observe(&entry.torrent, &mut entry.marks, FieldSet::VARIABLE);
    }

    /// Writes a torrent's record down soon.
    pub(crate) fn mark(&mut self, id: InfoHash) {
        if let (Some(entry), Some(moment)) = (self.torrents.get_mut(&id), self.moment) {
            entry.clocks.saved(moment.now);
        }
        self.dirty.insert(id);
    }

    /// Takes a torrent out of the catalog; what is in the engine or under way ends first.
    pub(crate) fn expel(&mut self, id: InfoHash, deletes_files: bool) {
        let Some(entry) = self.torrents.remove(&id) else { return };
        let mut leaving = Leaving {
            folder: entry.torrent.folder().to_owned(),
            paths: actual_paths(&entry.torrent.record),
            life: entry.life,
            deletes_files,
        };
        self.queue.remove(&entry.torrent.record.queue);
        self.journal.forget(id, &entry.marks);
        self.dirty.insert(id);
        self.is_stale = true;
        match leaving.life {
            Life::Out => self.effects.push_back(leaving.forget(id)),
            Life::Loading | Life::Loaded => {
                leaving.life = Life::Unloading;
                self.effects.push_back(Effect::Unload(id));
            }
            Life::Unloading | Life::Moving(_) | Life::Renaming(_) => {}
        }
        self.leaving.insert(id, leaving);
    }
}

/// The paths that files have now, where they are not those of the metainfo.
fn actual_paths(record: &Record) -> BTreeMap<u32, String> {
    let mut paths = record.paths.clone();
    for (file, from) in &record.renaming {
        match from {
            Some(from) => paths.insert(*file, from.clone()),
            None => paths.remove(file),
        };
    }
    paths
}

impl Leaving {
    pub(crate) fn forget(&self, id: InfoHash) -> Effect {
        Effect::Forget {
            id,
            deletes_files: self.deletes_files,
            folder: self.folder.clone(),
            paths: self.paths.clone(),
        }
    }
}
