//! Commands, one by one: what is wrong with them is found before anything changes.

use crate::catalog::Catalog;
use crate::command::{Command, Mode, Refusal, RefusalKind};
use crate::edits::{check_files, check_trackers};
use crate::effect::Effect;
use crate::life::Entry;
use crate::moment::Moment;
use crate::paths::{automatic, clean_comment, clean_folder, clean_name, clean_tags, go_home};
use crate::record::{Record, ShareLimits, Spared, StopAt, TORRENTS_MAX};
use crate::rules::Rules;
use piecework_types::{InfoHash, InfoHashes};
use std::collections::BTreeSet;

const DAY_MINUTES: u16 = 24 * 60;

impl Catalog {
    pub(crate) fn obey(&mut self, command: Command, moment: Moment) -> Result<(), Refusal> {
        match command {
            Command::Add { record, at_top } => self.add(*record, at_top, moment),
            Command::AddAgain { id, trackers, web_seeds } => {
                self.add_again(id, trackers, web_seeds)
            }
            Command::Remove { ids, deletes_files } => self.remove(&ids, deletes_files),
            Command::SetMode(ids, mode) => self.set_mode(&ids, mode),
            Command::Jump(ids, jump) => self.jump(&ids, jump),
            Command::SetCategory(ids, category) => self.set_category(&ids, category.as_deref()),
            Command::AddTags(ids, tags) => self.add_tags(&ids, &tags),
            Command::RemoveTags(ids, tags) => self.remove_tags(&ids, &tags),
            Command::SetTags(ids, tags) => self.set_tags(&ids, &tags),
            Command::SetShareLimits {
                ids,
                ratio_milli,
                seeding_minutes,
                inactive_minutes,
                action,
            } => self.edit_known(&ids, None, |record| {
                let old = record.share;
                set_share(
                    record,
                    ShareLimits {
                        ratio_milli: ratio_milli.unwrap_or(old.ratio_milli),
                        seeding_minutes: seeding_minutes.unwrap_or(old.seeding_minutes),
                        inactive_minutes: inactive_minutes.unwrap_or(old.inactive_minutes),
                        action: action.unwrap_or(old.action),
                    },
                )
            }),
            Command::SetDownLimit(ids, limit) => {
                self.edit_known(&ids, Some(Effect::Limits), |it| put(&mut it.down_limit, limit))
            }
            Command::SetUpLimit(ids, limit) => {
                self.edit_known(&ids, Some(Effect::Limits), |it| put(&mut it.up_limit, limit))
            }
            Command::SetSequential(ids, yes) => {
                self.edit_known(&ids, Some(Effect::Manner), |it| put(&mut it.is_sequential, yes))
            }
            Command::SetEdgesFirst(ids, yes) => {
                self.edit_known(&ids, Some(Effect::Manner), |it| put(&mut it.edges_first, yes))
            }
            Command::SetSuperSeed(ids, yes) => {
                self.edit_known(&ids, Some(Effect::Manner), |it| put(&mut it.is_super_seed, yes))
            }
            Command::SetSavePath(ids, folder) => self.set_save_path(&ids, &folder),
            Command::SetIncompletePath(ids, folder) => self.set_incomplete_path(&ids, folder),
            Command::SetAutomatic(ids, yes) => self.set_automatic(&ids, yes),
            Command::Rename(id, name) => self.rename(id, &name),
            Command::RenameFiles(id, files) => self.rename_files(id, files),
            Command::SetPriorities(id, files) => self.set_priorities(id, &files),
            Command::EditTrackers(id, edit) => self.edit_trackers(id, edit),
            Command::Check(ids) => self.check(&ids),
            Command::Reannounce(ids) => self.reannounce(&ids),
            Command::CreateCategory(name, category) => self.create_category(name, category),
            Command::EditCategory(name, category) => self.edit_category(&name, category),
            Command::RemoveCategories(names) => self.remove_categories(&names),
            Command::CreateTags(tags) => self.make_tags(&tags).map(drop),
            Command::DeleteTags(tags) => self.delete_tags(&tags),
            Command::SetAlternative(yes) => self.set_alternative(yes, moment),
            Command::SetRules(rules) => self.set_rules(*rules, moment),
            Command::All(changes) => self.change_all(changes, moment),
        }
    }

    /// The torrents of a command that are there.
    pub(crate) fn known(&self, ids: &[InfoHash]) -> Result<Vec<InfoHash>, Refusal> {
        if ids.is_empty() {
            return Err(Refusal::new(RefusalKind::Invalid, "no torrent is named"));
        }
        let ids: BTreeSet<_> = ids.iter().copied().collect();
        let known: Vec<_> =
            ids.iter().copied().filter(|id| self.torrents.contains_key(id)).collect();
        match (known.is_empty(), ids.first()) {
            (true, Some(id)) => Err(unknown(*id)),
            _ => Ok(known),
        }
    }

    /// Changes records of those that are there; see [`Self::edit`].
    pub(crate) fn edit_known(
        &mut self,
        ids: &[InfoHash],
        effect: Option<fn(InfoHash) -> Effect>,
        change: impl FnMut(&mut Record) -> bool,
    ) -> Result<(), Refusal> {
        let ids = self.known(ids)?;
        self.edit(&ids, effect, change);
        Ok(())
    }

    fn add(&mut self, mut record: Record, at_top: bool, moment: Moment) -> Result<(), Refusal> {
        let id = record_id(&record)?;
        if self.torrents.contains_key(&id) {
            let text = format!("the torrent {id} is there already");
            return Err(Refusal::new(RefusalKind::Conflict, text));
        }
        if self.leaving.contains_key(&id) {
            let text = format!("the torrent {id} is still being removed: try again in a moment");
            return Err(Refusal::new(RefusalKind::Conflict, text));
        }
        if self.torrents.len() + self.leaving.len() >= TORRENTS_MAX {
            let text = format!("there are {TORRENTS_MAX} torrents already: remove one first");
            return Err(Refusal::new(RefusalKind::Full, text));
        }
        self.fill_in(&mut record, moment)?;
        self.make_tags(&record.tags)?;
        record.queue = self.new_key(at_top);
        self.queue.insert(record.queue, id);
        self.torrents.insert(id, Entry::new(id, record));
        self.mark(id);
        self.settle(id);
        self.is_stale = true;
        Ok(())
    }

    /// Gives a new record what it leaves open; refuses what makes no sense.
    fn fill_in(&self, record: &mut Record, moment: Moment) -> Result<(), Refusal> {
        if let Some(name) = &record.category {
            self.known_category(name)?;
        }
        record.tags = clean_tags(&record.tags)?;
        check_files(record)?;
        check_trackers(record.trackers.iter().flatten().flatten(), &record.web_seeds)?;
        record.name = clean_name(&record.name).unwrap_or_default();
        record.is_automatic |= record.save_path.is_empty() && self.rules.is_automatic;
        if record.is_automatic {
            let category = record.category.as_ref();
            let category = category.and_then(|name| self.categories.get_key_value(name));
            (record.save_path, record.incomplete_path) = automatic(&self.rules, category);
        } else if record.save_path.is_empty() {
            let (save_path, incomplete_path) = automatic(&self.rules, None);
            record.save_path = save_path;
            record.incomplete_path = record.incomplete_path.take().or(incomplete_path);
        }
        record.save_path = clean_folder(&record.save_path)?;
        if let Some(path) = record.incomplete_path.take() {
            let path = clean_folder(&path)?;
            record.incomplete_path = (path != record.save_path).then_some(path);
        }
        if record.added_at == 0 {
            record.added_at = moment.unix;
        }
        record.comment = clean_comment(record.comment.take());
        // One that stands still stops nowhere; what is known already does not have to come.
        if record.stop_at == Some(StopAt::Metadata) && record.has_metainfo {
            record.stop_here();
        } else if record.is_stopped {
            record.stop_at = None;
        }
        record.is_complete |= record.completed_at.is_some() && record.last.left_bytes == 0;
        record.renaming.clear();
        record.renaming_to.clear();
        record.moving_to = None;
        go_home(record);
        Ok(())
    }

    fn remove(&mut self, ids: &[InfoHash], deletes_files: bool) -> Result<(), Refusal> {
        self.known(ids)?.into_iter().for_each(|id| self.expel(id, deletes_files));
        Ok(())
    }

    fn set_mode(&mut self, ids: &[InfoHash], mode: Mode) -> Result<(), Refusal> {
        self.known(ids)?.into_iter().for_each(|id| self.set_one_mode(id, mode));
        Ok(())
    }

    fn set_one_mode(&mut self, id: InfoHash, mode: Mode) {
        let Some(entry) = self.torrents.get_mut(&id) else { return };
        if mode != Mode::Stopped {
            entry.spare(&self.rules);
            entry.unstick();
        }
        let record = &mut entry.torrent.record;
        if mode != Mode::Stopped {
            (record.error, record.is_missing) = (None, false);
        }
        record.is_stopped = mode == Mode::Stopped;
        record.is_forced = mode == Mode::Forced;
        record.stop_at = None;
        self.mark(id);
        self.settle(id);
    }

    fn set_rules(&mut self, mut rules: Rules, moment: Moment) -> Result<(), Refusal> {
        rules.save_path = clean_folder(&rules.save_path)?;
        rules.incomplete_path = match rules.incomplete_path {
            Some(path) => Some(clean_folder(&path)?),
            None => None,
        };
        if let Some(schedule) = &rules.schedule
            && (schedule.from >= DAY_MINUTES || schedule.to >= DAY_MINUTES)
        {
            let text = "a minute of the schedule is not one of a day, 0 to 1439";
            return Err(Refusal::new(RefusalKind::Invalid, text));
        }
        let share = |rules: &Rules| {
            (rules.ratio_milli, rules.seeding_minutes, rules.inactive_minutes, rules.share_action)
        };
        let has_other_share = share(&rules) != share(&self.rules);
        let old = std::mem::replace(&mut self.rules, rules);
        if old.schedule != self.rules.schedule {
            self.scheduled = None;
        }
        if old.save_path != self.rules.save_path
            || old.incomplete_path != self.rules.incomplete_path
        {
            let ids = self.those(|record| record.is_automatic);
            self.follow_categories(&ids);
        }
        if has_other_share {
            let ids = self.those(|record| record.spared != Spared::default());
            self.edit(&ids, None, |record| put(&mut record.spared, Spared::default()));
        }
        if old.free_space_min != self.rules.free_space_min {
            self.drives.judge_all(self.rules.free_space_min);
            let ids = self.those(|record| !record.is_complete);
            ids.into_iter().for_each(|id| self.settle(id));
        }
        self.follow_schedule(moment);
        self.is_stale = true;
        Ok(())
    }

    /// Torrents whose records fit.
    pub(crate) fn those(&self, fits: impl Fn(&Record) -> bool) -> Vec<InfoHash> {
        let fitting = self.torrents.iter().filter(|(_, entry)| fits(&entry.torrent.record));
        fitting.map(|(id, _)| *id).collect()
    }

    /// Changes records; those that `change` says have changed are written down, told, and let the engine know
    /// by `effect` if they are loaded.
    pub(crate) fn edit(
        &mut self,
        ids: &[InfoHash],
        effect: Option<fn(InfoHash) -> Effect>,
        mut change: impl FnMut(&mut Record) -> bool,
    ) {
        for id in ids {
            let Some(entry) = self.torrents.get_mut(id) else { continue };
            if !change(&mut entry.torrent.record) {
                continue;
            }
            if let Some(effect) = effect.filter(|_| entry.is_in()) {
                self.effects.push_back(effect(*id));
            }
            self.mark(*id);
            self.settle(*id);
        }
    }
}

/// Puts a value in place; gives whether it is another one.
pub(crate) fn put<T: PartialEq>(place: &mut T, value: T) -> bool {
    let has_changed = *place != value;
    *place = value;
    has_changed
}

fn set_share(record: &mut Record, share: ShareLimits) -> bool {
    let has_changed = put(&mut record.share, share);
    if has_changed {
        record.spared = Spared::default();
    }
    has_changed
}

fn unknown(id: InfoHash) -> Refusal {
    Refusal::new(RefusalKind::Unknown, format!("there is no torrent {id}"))
}

/// The primary info-hash of a record.
pub(crate) fn record_id(record: &Record) -> Result<InfoHash, Refusal> {
    let bad = || {
        let text = "the record of a torrent has no info-hash that can be read";
        Refusal::new(RefusalKind::Invalid, text)
    };
    let v1 = record.v1.as_deref().map(str::parse).transpose().map_err(|_| bad())?;
    let v2 = record.v2.as_deref().map(str::parse).transpose().map_err(|_| bad())?;
    if v1.is_none() && v2.is_none() {
        return Err(bad());
    }
    Ok(InfoHashes { v1, v2 }.primary())
}
