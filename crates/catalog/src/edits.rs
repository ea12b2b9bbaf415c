//! Commands that change one record after the other: folders, names, files, trackers.

use crate::catalog::Catalog;
use crate::command::{Refusal, RefusalKind, TrackerEdit};
use crate::commands::put;
use crate::effect::Effect;
use crate::paths::{check_apart, check_file, clean_folder, clean_name, quoted, set_folders};
use crate::record::{Record, TRACKERS_MAX};
use piecework_types::InfoHash;
use std::collections::{BTreeMap, BTreeSet};

/// The priority of a file that nobody gave one.
const PRIORITY_NORMAL: u8 = 4;
const PRIORITY_MAX: u8 = 7;
/// Files that a torrent can have; counts while its metainfo is not known.
const FILES_MAX: u32 = 400_000;
/// Bytes of the address of a tracker or web seed.
const URL_BYTES_MAX: usize = 2_048;

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Invalid, text)
}

impl Catalog {
    pub(crate) fn set_save_path(&mut self, ids: &[InfoHash], folder: &str) -> Result<(), Refusal> {
        let folder = clean_folder(folder)?;
        self.set_paths(ids, |record| (folder.clone(), record.incomplete_path.clone()))
    }

    pub(crate) fn set_incomplete_path(
        &mut self,
        ids: &[InfoHash],
        folder: Option<String>,
    ) -> Result<(), Refusal> {
        let folder = folder.map(|folder| clean_folder(&folder)).transpose()?;
        self.set_paths(ids, |record| (record.save_path.clone(), folder.clone()))
    }

    fn set_paths(
        &mut self,
        ids: &[InfoHash],
        folders: impl Fn(&Record) -> (String, Option<String>),
    ) -> Result<(), Refusal> {
        for id in self.known(ids)? {
            let Some(entry) = self.torrents.get_mut(&id) else { continue };
            let record = &mut entry.torrent.record;
            let (save_path, incomplete_path) = folders(record);
            record.is_automatic = false;
            set_folders(record, save_path, incomplete_path);
            entry.unstick();
            self.mark(id);
            self.settle(id);
        }
        Ok(())
    }

    pub(crate) fn set_automatic(&mut self, ids: &[InfoHash], yes: bool) -> Result<(), Refusal> {
        let ids = self.known(ids)?;
        self.edit(&ids, None, |record| put(&mut record.is_automatic, yes));
        self.follow_categories(&ids);
        Ok(())
    }

    pub(crate) fn rename(&mut self, id: InfoHash, name: &str) -> Result<(), Refusal> {
        let name = checked_name(name)?;
        self.edit_known(&[id], None, |record| {
            put(&mut record.name, name.clone()) | put(&mut record.is_renamed, true)
        })
    }

    /// Paths count at once, for people and for further renames; where the files lie until then is kept
    /// beside.
    pub(crate) fn rename_files(
        &mut self,
        id: InfoHash,
        files: Vec<(u32, String)>,
    ) -> Result<(), Refusal> {
        self.check_renames(id, &files)?;
        let files: BTreeMap<u32, String> = files.into_iter().collect();
        self.edit(&[id], None, |record| {
            let mut has_changed = false;
            for (file, path) in &files {
                let old = record.paths.insert(*file, path.clone());
                if old.as_ref() == Some(path) {
                    continue;
                }
                has_changed = true;
                record.renaming.entry(*file).or_insert(old);
            }
            has_changed
        });
        Ok(())
    }

    pub(crate) fn check_renames(
        &self,
        id: InfoHash,
        files: &[(u32, String)],
    ) -> Result<(), Refusal> {
        let record = self.record(id)?;
        if !record.has_metainfo {
            let text = "its files are not known yet: wait until its metadata has come";
            return Err(Refusal::new(RefusalKind::Conflict, text));
        }
        check_numbers(record, files.iter().map(|(file, _)| file))?;
        let mut paths = record.paths.clone();
        paths.extend(files.iter().map(|(file, path)| (*file, path.clone())));
        check_paths(&paths)
    }

    pub(crate) fn check_new_priorities(
        &self,
        id: InfoHash,
        files: &[(u32, u8)],
    ) -> Result<(), Refusal> {
        check_numbers(self.record(id)?, files.iter().map(|(file, _)| file))?;
        check_priorities(files.iter().map(|(_, priority)| priority))
    }

    pub(crate) fn set_priorities(
        &mut self,
        id: InfoHash,
        files: &[(u32, u8)],
    ) -> Result<(), Refusal> {
        self.check_new_priorities(id, files)?;
        self.edit(&[id], Some(Effect::Priorities), |record| {
            let old = record.priorities.clone();
            record.priorities.extend(files.iter().copied());
            record.priorities.retain(|_, priority| *priority != PRIORITY_NORMAL);
            record.priorities != old
        });
        Ok(())
    }

    pub(crate) fn check(&mut self, ids: &[InfoHash]) -> Result<(), Refusal> {
        for id in self.known(ids)? {
            let Some(entry) = self.torrents.get_mut(&id) else { continue };
            if entry.is_in() && entry.torrent.record.error.is_none() {
                self.effects.push_back(Effect::Check(id));
            }
            let record = &mut entry.torrent.record;
            (record.wants_check, record.error, record.is_missing) = (true, None, false);
            self.mark(id);
            self.settle(id);
        }
        Ok(())
    }

    pub(crate) fn reannounce(&mut self, ids: &[InfoHash]) -> Result<(), Refusal> {
        for id in self.known(ids)? {
            if self.torrents.get(&id).is_some_and(|entry| entry.is_in()) {
                self.effects.push_back(Effect::Reannounce(id));
            }
        }
        Ok(())
    }

    /// Trackers and web seeds that came once more with a torrent. A private one keeps to its own (BEP 27).
    pub(crate) fn add_again(
        &mut self,
        id: InfoHash,
        trackers: Vec<Vec<String>>,
        web_seeds: Vec<String>,
    ) -> Result<(), Refusal> {
        let record = self.record(id)?;
        if record.is_private {
            return Ok(());
        }
        let tiers = with_more(record.trackers.clone().unwrap_or_default(), trackers);
        let mut seeds = record.web_seeds.clone();
        for url in web_seeds {
            if !seeds.contains(&url) {
                seeds.push(url);
            }
        }
        check_trackers(tiers.iter().flatten(), &seeds)?;
        self.edit(&[id], Some(Effect::Trackers), |record| {
            let has_tiers = !tiers.is_empty() && put(&mut record.trackers, Some(tiers.clone()));
            put(&mut record.web_seeds, seeds.clone()) | has_tiers
        });
        Ok(())
    }

    pub(crate) fn edit_trackers(&mut self, id: InfoHash, edit: TrackerEdit) -> Result<(), Refusal> {
        let tiers = self.record(id)?.trackers.clone().unwrap_or_default();
        let tiers = edited(tiers, edit)?;
        check_trackers(tiers.iter().flatten(), &[])?;
        self.edit(&[id], Some(Effect::Trackers), |record| {
            put(&mut record.trackers, Some(tiers.clone()))
        });
        Ok(())
    }

    fn record(&self, id: InfoHash) -> Result<&Record, Refusal> {
        self.known(&[id])?;
        let entry = self.torrents.get(&id);
        entry.map(|entry| &entry.torrent.record).ok_or_else(|| invalid("no torrent is named"))
    }
}

/// A name for people, unless nothing is left of it.
pub(crate) fn checked_name(name: &str) -> Result<String, Refusal> {
    clean_name(name).ok_or_else(|| invalid("a name has at least one character"))
}

fn edited(mut tiers: Vec<Vec<String>>, edit: TrackerEdit) -> Result<Vec<Vec<String>>, Refusal> {
    let is_known = |tiers: &[Vec<String>], url: &String| tiers.iter().flatten().any(|it| it == url);
    let unknown = |url: &String| {
        Refusal::new(RefusalKind::Unknown, format!("it has no tracker {}", quoted(url)))
    };
    match edit {
        TrackerEdit::Add(more) => return Ok(with_more(tiers, more)),
        TrackerEdit::Set(all) => return Ok(with_more(Vec::new(), all)),
        TrackerEdit::Replace { from, to } => {
            if !is_known(&tiers, &from) {
                return Err(unknown(&from));
            }
            if from != to && is_known(&tiers, &to) {
                let text = format!("it has the tracker {} already", quoted(&to));
                return Err(Refusal::new(RefusalKind::Conflict, text));
            }
            tiers.iter_mut().flatten().filter(|url| **url == from).for_each(|url| {
                url.clone_from(&to);
            });
        }
        TrackerEdit::Remove(urls) => {
            if let Some(first) = urls.first()
                && !urls.iter().any(|url| is_known(&tiers, url))
            {
                return Err(unknown(first));
            }
            tiers.iter_mut().for_each(|tier| tier.retain(|url| !urls.contains(url)));
            tiers.retain(|tier| !tier.is_empty());
        }
    }
    Ok(tiers)
}

/// Tiers with others behind them, each address once.
fn with_more(mut tiers: Vec<Vec<String>>, more: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let mut known: BTreeSet<String> = tiers.iter().flatten().cloned().collect();
    for mut tier in more {
        tier.retain(|url| known.insert(url.clone()));
        if !tier.is_empty() {
            tiers.push(tier);
        }
    }
    tiers
}

/// Refuses addresses that are too many or too long. Which kinds of address there are, the engine knows.
pub(crate) fn check_trackers<'a>(
    trackers: impl Iterator<Item = &'a String>,
    web_seeds: &'a [String],
) -> Result<(), Refusal> {
    let mut count = 0;
    for url in trackers.inspect(|_| count += 1).chain(web_seeds) {
        let is_bad = |char: char| char.is_control() || char.is_whitespace();
        if url.len() > URL_BYTES_MAX || !url.contains("://") || url.contains(is_bad) {
            return Err(invalid(format!(
                "{} is not the address of a server, such as `udp://tracker.example:6969`",
                quoted(&without_secrets(url))
            )));
        }
    }
    if count > TRACKERS_MAX || web_seeds.len() > TRACKERS_MAX {
        let text = format!("a torrent has at most {TRACKERS_MAX} trackers and as many web seeds");
        return Err(Refusal::new(RefusalKind::Full, text));
    }
    Ok(())
}

/// Paths of trackers hold passkeys.
fn without_secrets(url: &str) -> String {
    let from = url.find("://").map_or(0, |at| at + 3);
    let authority = url[from..].split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{}{host}", &url[..from])
}

/// Refuses a new record whose files are not in order, and leaves out what is normal.
pub(crate) fn check_files(record: &mut Record) -> Result<(), Refusal> {
    check_numbers(record, record.priorities.keys().chain(record.paths.keys()))?;
    check_priorities(record.priorities.values())?;
    check_paths(&record.paths)?;
    record.priorities.retain(|_, priority| *priority != PRIORITY_NORMAL);
    Ok(())
}

fn check_numbers<'a>(
    record: &Record,
    mut files: impl Iterator<Item = &'a u32>,
) -> Result<(), Refusal> {
    let count = if record.file_count == 0 { FILES_MAX } else { record.file_count };
    match files.find(|file| **file >= count) {
        Some(file) => {
            let text = format!("there is no file {file}: numbers end at {}", count - 1);
            Err(Refusal::new(RefusalKind::Unknown, text))
        }
        None => Ok(()),
    }
}

fn check_priorities<'a>(mut priorities: impl Iterator<Item = &'a u8>) -> Result<(), Refusal> {
    match priorities.find(|priority| **priority > PRIORITY_MAX) {
        Some(priority) => Err(invalid(format!(
            "{priority} is no priority: 0 skips a file, 1 to {PRIORITY_MAX} are priorities"
        ))),
        None => Ok(()),
    }
}

fn check_paths(paths: &BTreeMap<u32, String>) -> Result<(), Refusal> {
    paths.values().try_for_each(|path| check_file(path))?;
    check_apart(paths.values())
}
