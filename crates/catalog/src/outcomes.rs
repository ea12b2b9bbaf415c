//! What became of effects, and of torrents in the engine: outcomes go in, the record and the life of a
//! torrent follow.
//!
//! An outcome that does not fit is of the past and changes nothing.

use crate::catalog::Catalog;
use crate::effect::{Effect, FileRename, Outcome};
use crate::life::{Entry, Leaving, Life, lie};
use crate::moment::Moment;
use crate::paths::{clean_comment, clean_name, common_root};
use crate::record::{Record, StopAt};
use crate::torrent::Figures;
use piecework_types::InfoHash;

impl Catalog {
    pub(crate) fn take_outcome(&mut self, id: InfoHash, outcome: Outcome, moment: Moment) {
        if let Some(leaving) = self.leaving.get_mut(&id) {
            if let Some(effect) = leaving.report(id, &outcome) {
                self.effects.push_back(effect);
            }
            return;
        }
        let Some(entry) = self.torrents.get_mut(&id) else { return };
        if entry.report(outcome, moment) {
            self.mark(id);
        }
        self.settle(id);
    }
}

impl Entry {
    /// Takes an outcome in; gives whether the record changed. One that does not fit is of the past and
    /// changes nothing.
    fn report(&mut self, outcome: Outcome, moment: Moment) -> bool {
        match outcome {
            Outcome::LoadFailed(why) => match self.life {
                Life::Loading | Life::Loaded => {
                    self.leave(moment);
                    self.fail(why, false)
                }
                Life::Unloading => self.fail(why, false),
                Life::Out | Life::Moving(_) | Life::Renaming(_) => false,
            },
            Outcome::Unloaded if self.life == Life::Unloading => {
                self.leave(moment);
                true
            }
            Outcome::Moved | Outcome::Aside | Outcome::MoveFailed(_) => self.report_move(outcome),
            Outcome::Moving(milli) => {
                if matches!(self.life, Life::Moving(_)) {
                    self.torrent.moved_milli = Some(milli.min(1000));
                }
                false
            }
            Outcome::Checked if self.is_known_to_engine() => {
                std::mem::take(&mut self.torrent.record.wants_check)
            }
            Outcome::Done if self.is_in() => self.complete(moment.unix),
            Outcome::Missing(why) if self.is_known_to_engine() => self.fail(why, true),
            Outcome::Failed(why) if self.is_known_to_engine() => self.fail(why, false),
            Outcome::Problem(why) if self.is_in() => {
                self.torrent.problem = Some(why);
                false
            }
            Outcome::Recovered => {
                self.torrent.problem = None;
                false
            }
            Outcome::Metainfo { .. } => self.learn(outcome),
            Outcome::Unloaded
            | Outcome::Checked
            | Outcome::Done
            | Outcome::Missing(_)
            | Outcome::Failed(_)
            | Outcome::Problem(_) => false,
        }
    }

    const fn is_known_to_engine(&self) -> bool {
        matches!(self.life, Life::Loading | Life::Loaded | Life::Unloading)
    }

    fn leave(&mut self, moment: Moment) {
        if self.life == Life::Loaded {
            self.count_time(moment.now);
        }
        self.life = Life::Out;
        self.torrent.figures = Figures::default();
        self.torrent.problem = None;
    }

    fn fail(&mut self, why: String, is_missing: bool) -> bool {
        self.torrent.record.error = Some(why);
        self.torrent.record.is_missing = is_missing;
        true
    }

    /// All that is wanted is there; gives whether that is new.
    pub(crate) fn complete(&mut self, unix: u64) -> bool {
        let torrent = &mut self.torrent;
        (torrent.figures.is_complete, torrent.figures.left_bytes) = (true, 0);
        let is_new = !torrent.record.is_complete;
        torrent.record.is_complete = true;
        torrent.record.last.left_bytes = 0;
        if is_new || torrent.record.completed_at.is_none() {
            torrent.record.completed_at = Some(unix);
            self.clocks.turn_seed();
        }
        is_new
    }

    fn learn(&mut self, outcome: Outcome) -> bool {
        let Outcome::Metainfo {
            names,
            name,
            size_bytes,
            is_private,
            root,
            file_count,
            pad_count,
            is_folder,
            comment,
        } = outcome
        else {
            return false;
        };
        let record = &mut self.torrent.record;
        if !record.is_renamed || record.name.is_empty() {
            record.name = clean_name(&name).unwrap_or_else(|| record.name.clone());
        }
        (record.size_bytes, record.is_private) = (size_bytes, is_private);
        (record.root, record.file_count) = (Some(root), file_count);
        record.pad_count = pad_count;
        let other = names.iter().find(|name| *name != self.torrent.id);
        record.other_name = other.map(|name| name.to_string());
        (record.is_folder, record.has_metainfo) = (is_folder, true);
        record.comment = clean_comment(comment);
        if record.stop_at == Some(StopAt::Metadata) {
            record.stop_here();
        }
        true
    }

    fn report_move(&mut self, outcome: Outcome) -> bool {
        let life = std::mem::replace(&mut self.life, Life::Out);
        self.torrent.moved_milli = None;
        let id = self.torrent.id;
        let record = &mut self.torrent.record;
        match (life, outcome) {
            (Life::Moving(to), Outcome::Moved) => {
                lie(record, to);
                record.moving_to = None;
                (self.stuck, self.torrent.unmoved) = (None, None);
            }
            (Life::Moving(to), Outcome::MoveFailed(why)) => {
                record.moving_to = None;
                (self.stuck, self.torrent.unmoved) = (Some(to), Some(why));
            }
            (Life::Renaming(files), Outcome::Moved) => {
                record.renaming_to.clear();
                files.into_iter().for_each(|file| rename_done(record, file));
                follow_root(record);
                self.torrent.unmoved = None;
            }
            (Life::Renaming(files), Outcome::Aside) => {
                record.renaming_to.clear();
                for file in files {
                    let to = file.aside(id);
                    rename_done(record, FileRename { to, ..file });
                }
                follow_root(record);
            }
            (Life::Renaming(files), Outcome::MoveFailed(why)) => {
                record.renaming_to.clear();
                files.iter().for_each(|file| rename_undone(record, file));
                self.torrent.unmoved = Some(why);
            }
            (life, _) => {
                self.life = life;
                return false;
            }
        }
        true
    }
}

/// A file has got its path; another one may have been asked for meanwhile.
fn rename_done(record: &mut Record, rename: FileRename) {
    if record.paths.get(&rename.file) == Some(&rename.to) {
        record.renaming.remove(&rename.file);
    } else {
        record.renaming.insert(rename.file, Some(rename.to));
    }
}

/// Its root has the name that its files lead to, if all of them have other paths. Looks at each of them.
fn follow_root(record: &mut Record) {
    if record.file_count == 1 {
        record.root = record.paths.get(&0).cloned();
    } else if record.has_other_paths()
        && let Some(root) = common_root(record.paths.values())
    {
        record.root = Some(root);
    }
}

/// A file has kept its path. If another one was asked for meanwhile, that is still to be tried.
fn rename_undone(record: &mut Record, rename: &FileRename) {
    if record.paths.get(&rename.file) != Some(&rename.to) {
        return;
    }
    record.renaming.remove(&rename.file);
    match &rename.from {
        Some(from) => record.paths.insert(rename.file, from.clone()),
        None => record.paths.remove(&rename.file),
    };
}

impl Leaving {
    fn report(&mut self, id: InfoHash, outcome: &Outcome) -> Option<Effect> {
        match (&self.life, outcome) {
            (Life::Unloading, Outcome::Unloaded)
            | (Life::Moving(_) | Life::Renaming(_), Outcome::MoveFailed(_)) => {}
            (Life::Moving(to), Outcome::Moved) => self.folder.clone_from(to),
            (Life::Renaming(files), Outcome::Aside) => {
                self.paths.extend(files.iter().map(|rename| (rename.file, rename.aside(id))));
            }
            (Life::Renaming(files), Outcome::Moved) => {
                self.paths.extend(files.iter().map(|rename| (rename.file, rename.to.clone())));
            }
            _ => return None,
        }
        self.life = Life::Out;
        Some(self.forget(id))
    }
}
