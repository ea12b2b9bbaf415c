//! The catalog: torrents, categories and tags, with what is to be done about them.

use crate::clocks::SWEEP;
use crate::command::{Command, Refusal, RefusalKind};
use crate::commands::record_id;
use crate::drives::Drives;
use crate::effect::{Effect, Outcome};
use crate::field_set::FieldSet;
use crate::journal::{Delta, Journal, Revision};
use crate::life::{Entry, Leaving};
use crate::moment::Moment;
use crate::record::{Category, Record, TORRENTS_MAX};
use crate::rules::{Rules, SpeedLimits};
use crate::torrent::{Figures, Torrent};
use piecework_types::{InfoHash, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// See the [crate] for how it is driven.
#[derive(Debug)]
pub struct Catalog {
    pub(crate) torrents: BTreeMap<InfoHash, Entry>,
    /// All torrents by their keys in the queue.
    pub(crate) queue: BTreeMap<u32, InfoHash>,
    /// Those that were removed and are not gone yet.
    pub(crate) leaving: BTreeMap<InfoHash, Leaving>,
    pub(crate) categories: BTreeMap<String, Category>,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) rules: Rules,
    pub(crate) journal: Journal,
    pub(crate) drives: Drives,
    pub(crate) effects: VecDeque<Effect>,
    pub(crate) dirty: BTreeSet<InfoHash>,
    pub(crate) is_alternative: bool,
    /// What the schedule said last; `None` before it was asked, and without one.
    pub(crate) scheduled: Option<bool>,
    /// The speeds that were told last.
    pub(crate) speed: Option<SpeedLimits>,
    /// The time of the last call; nothing is begun before the first.
    pub(crate) moment: Option<Moment>,
    /// Turns may have to be given anew.
    pub(crate) is_stale: bool,
    swept_at: Time,
}

impl Catalog {
    /// An empty catalog. Its revisions come after `start`, which must be greater than any revision of an
    /// earlier run: the seconds since 1970 times 2^20 are.
    pub fn new(rules: Rules, start: Revision) -> Self {
        Self {
            torrents: BTreeMap::new(),
            queue: BTreeMap::new(),
            leaving: BTreeMap::new(),
            categories: BTreeMap::new(),
            tags: BTreeSet::new(),
            rules,
            journal: Journal::new(start),
            drives: Drives::default(),
            effects: VecDeque::new(),
            dirty: BTreeSet::new(),
            is_alternative: false,
            scheduled: None,
            speed: None,
            moment: None,
            is_stale: true,
            swept_at: Time::ZERO,
        }
    }

    /// Takes over what an earlier run wrote down. Before the first call with a time; torrents begin to be
    /// loaded with that.
    ///
    /// # Errors
    /// When a record cannot be read, for its info-hash or because it is one too many; the others are taken.
    pub fn restore(
        &mut self,
        records: Vec<Record>,
        categories: BTreeMap<String, Category>,
        tags: BTreeSet<String>,
        is_alternative: bool,
    ) -> Result<(), Refusal> {
        self.is_alternative = is_alternative;
        self.categories.extend(categories);
        self.tags.extend(tags);
        let mut answer = Ok(());
        for record in records {
            match record_id(&record) {
                Ok(id) if self.torrents.len() < TORRENTS_MAX => self.restore_one(id, record),
                Ok(_) => {
                    let text = format!("there are more than {TORRENTS_MAX} torrents");
                    answer = Err(Refusal::new(RefusalKind::Full, text));
                }
                Err(refusal) => answer = Err(refusal),
            }
        }
        self.repair_queue();
        self.bids();
        self.categories.keys().for_each(|name| self.journal.category(name));
        self.tags.iter().for_each(|name| self.journal.tag(name));
        for id in self.those(|_| true) {
            self.settle(id);
        }
        answer
    }

    fn restore_one(&mut self, id: InfoHash, mut record: Record) {
        // A rename leads somewhere, or it would never end.
        record.renaming.retain(|file, _| record.paths.contains_key(file));
        record.renaming_to.retain(|file, _| record.renaming.contains_key(file));
        if let Some(category) = &record.category {
            self.categories.entry(category.clone()).or_default();
        }
        self.tags.extend(record.tags.iter().cloned());
        self.torrents.entry(id).or_insert_with(|| Entry::new(id, record));
    }

    /// Carries out what somebody wants, or says why not; nothing has changed then. Effects follow. Of several
    /// torrents those that are not there are passed over, unless none is.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn command(&mut self, command: Command, moment: Moment) -> Result<(), Refusal> {
        self.pass_to(moment);
        self.obey(command, moment)
    }

    /// The engine's figures of a loaded torrent. The same as before cost nothing.
    pub fn observe(&mut self, id: InfoHash, figures: Figures, moment: Moment) {
        self.pass_to(moment);
        self.take_figures(id, figures, moment);
    }

    /// What became of an effect, or of a torrent in the engine.
    pub fn report(&mut self, id: InfoHash, outcome: Outcome, moment: Moment) {
        self.pass_to(moment);
        self.take_outcome(id, outcome, moment);
    }

    /// Free space of the drive a folder lies on, bytes. Asked for the folders of [`Self::folders`].
    pub fn free_space(&mut self, folder: &str, bytes: u64, moment: Moment) {
        self.pass_to(moment);
        if self.drives.report(folder, bytes, self.rules.free_space_min) {
            let here = |entry: &&Entry| entry.torrent.folder() == folder;
            let ids: Vec<_> =
                self.torrents.values().filter(here).map(|entry| entry.torrent.id).collect();
            ids.into_iter().for_each(|id| self.settle(id));
        }
    }

    /// Lets time pass: queue, share limits, schedule.
    pub fn tick(&mut self, moment: Moment) {
        self.pass_to(moment);
        self.follow_schedule(moment);
        if moment.now.since(self.swept_at) >= SWEEP {
            self.swept_at = moment.now;
            self.sweep(moment);
        }
        self.take_turns();
    }

    /// When [`Self::tick`] has something to do again, if nothing else happens.
    pub fn next_tick(&self, moment: Moment) -> Time {
        let next_minute = Duration::from_secs(60 - moment.unix % 60);
        let next_sweep = self.swept_at + SWEEP;
        match self.rules.schedule {
            _ if self.is_stale => moment.now,
            Some(_) => next_sweep.min(moment.now + next_minute),
            None => next_sweep,
        }
    }

    /// Time has come this far. With the first call of a run begins what an earlier one left undone.
    fn pass_to(&mut self, moment: Moment) {
        if self.moment.replace(moment).is_some() {
            return;
        }
        let undone = self.torrents.iter().filter(|(_, entry)| entry.has_errand());
        let ids: Vec<_> = undone.map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.settle(id));
    }

    /// The next thing to do. Several commands in a row share one look at the queue, which happens here.
    pub fn poll(&mut self) -> Option<Effect> {
        loop {
            if self.effects.is_empty() {
                self.take_turns();
            }
            let effect = self.effects.pop_front()?;
            match &effect {
                Effect::Forget { id, .. } => {
                    self.leaving.remove(id);
                }
                // It was stopped or removed before anybody asked: an unload follows.
                Effect::Load(id) if !self.torrents.get(id).is_some_and(Entry::is_in) => continue,
                _ => {}
            }
            return Some(effect);
        }
    }

    /// The records that changed since the last call and are to be written down; categories and tags with
    /// them. Ids without a torrent have gone.
    pub fn dirty(&mut self) -> BTreeSet<InfoHash> {
        std::mem::take(&mut self.dirty)
    }

    /// Folders that unfinished torrents lie in.
    pub fn folders(&self) -> BTreeSet<&str> {
        self.torrents().filter(|torrent| !torrent.is_complete()).map(Torrent::folder).collect()
    }

    /// A torrent by its primary info-hash.
    pub fn get(&self, id: InfoHash) -> Option<&Torrent> {
        self.torrents.get(&id).map(|entry| &entry.torrent)
    }

    /// All torrents, by id.
    pub fn torrents(&self) -> impl ExactSizeIterator<Item = &Torrent> {
        self.torrents.values().map(|entry| &entry.torrent)
    }

    /// Categories by name.
    pub const fn categories(&self) -> &BTreeMap<String, Category> {
        &self.categories
    }

    /// Tags to choose from.
    pub const fn tags(&self) -> &BTreeSet<String> {
        &self.tags
    }

    /// The settings in force.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether the alternative speeds hold.
    pub const fn is_alternative(&self) -> bool {
        self.is_alternative
    }

    /// The newest revision.
    pub const fn revision(&self) -> Revision {
        self.journal.revision()
    }

    /// What changed after a revision; everything for `None`, and for one that is too old or of another run.
    pub fn delta(&self, after: Option<Revision>) -> Delta<'_> {
        match after.filter(|after| self.journal.covers(*after)) {
            Some(after) => self.changes(after),
            None => Delta {
                revision: self.revision(),
                is_full: true,
                torrents: self.torrents().map(|torrent| (torrent, FieldSet::ALL)).collect(),
                gone: Vec::new(),
                categories: self.categories.iter().map(|(name, it)| (name.as_str(), it)).collect(),
                gone_categories: Vec::new(),
                tags: self.tags.iter().map(String::as_str).collect(),
                gone_tags: Vec::new(),
            },
        }
    }

    fn changes(&self, after: Revision) -> Delta<'_> {
        let torrents = self.journal.torrents(after).filter_map(|id| {
            let entry = self.torrents.get(&id)?;
            Some((&entry.torrent, Journal::fields(&entry.marks, after)))
        });
        let categories = self.journal.categories(after);
        Delta {
            revision: self.revision(),
            is_full: false,
            torrents: torrents.collect(),
            gone: self.journal.gone(after),
            categories: categories
                .filter_map(|name| Some((name, self.categories.get(name)?)))
                .collect(),
            gone_categories: self.journal.gone_categories(after),
            tags: self.journal.tags(after).collect(),
            gone_tags: self.journal.gone_tags(after),
        }
    }
}
