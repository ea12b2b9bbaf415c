//! The catalog: torrents, categories and tags, with what is to be done about them.

use crate::command::{Command, Refusal};
use crate::effect::{Effect, Outcome};
use crate::field::FieldSet;
use crate::journal::{Delta, Journal, Marks, Revision};
use crate::moment::Moment;
use crate::record::{Category, Record};
use crate::rules::Rules;
use crate::torrent::{Figures, Torrent};
use piecework_types::{InfoHash, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// See the [crate] for how it is driven.
#[derive(Debug)]
pub struct Catalog {
    torrents: BTreeMap<InfoHash, (Torrent, Marks)>,
    categories: BTreeMap<String, Category>,
    tags: BTreeSet<String>,
    rules: Rules,
    journal: Journal,
    effects: VecDeque<Effect>,
    dirty: BTreeSet<InfoHash>,
    is_alternative: bool,
}

impl Catalog {
    /// An empty catalog. Its revisions come after `start`, which must be greater than any revision of an
    /// earlier run: the seconds since 1970 times 2^20 are.
    pub fn new(rules: Rules, start: Revision) -> Self {
        Self {
            torrents: BTreeMap::new(),
            categories: BTreeMap::new(),
            tags: BTreeSet::new(),
            rules,
            journal: Journal::new(start),
            effects: VecDeque::new(),
            dirty: BTreeSet::new(),
            is_alternative: false,
        }
    }

    /// Takes over what an earlier run wrote down. Before the first tick.
    ///
    /// # Errors
    /// When a record has no info-hash that can be read; the others are taken.
    pub fn restore(
        &mut self,
        records: Vec<Record>,
        categories: BTreeMap<String, Category>,
        tags: BTreeSet<String>,
        is_alternative: bool,
    ) -> Result<(), Refusal> {
        let _ = (records, categories, tags, is_alternative);
        todo!()
    }

    /// Carries out what somebody wants, or says why not; nothing has changed then. Effects follow.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn command(&mut self, command: Command, moment: Moment) -> Result<(), Refusal> {
        let _ = (command, moment);
        todo!()
    }

    /// The engine's figures of a loaded torrent.
    pub fn observe(&mut self, id: InfoHash, figures: Figures, moment: Moment) {
        let _ = (id, figures, moment);
        todo!()
    }

    /// What became of an effect, or of a torrent in the engine.
    pub fn report(&mut self, id: InfoHash, outcome: Outcome, moment: Moment) {
        let _ = (id, outcome, moment);
        todo!()
    }

    /// Free space of the drive a folder lies on, bytes. Asked for the folders of [`Self::folders`].
    pub fn free_space(&mut self, folder: &str, bytes: u64, moment: Moment) {
        let _ = (folder, bytes, moment);
        todo!()
    }

    /// Lets time pass: queue, share limits, schedule.
    pub fn tick(&mut self, moment: Moment) {
        let _ = moment;
        todo!()
    }

    /// When [`Self::tick`] has something to do again, if nothing else happens.
    pub fn next_tick(&self, moment: Moment) -> Time {
        let _ = moment;
        todo!()
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
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
        self.torrents.get(&id).map(|(torrent, _)| torrent)
    }

    /// All torrents, by id.
    pub fn torrents(&self) -> impl ExactSizeIterator<Item = &Torrent> {
        self.torrents.values().map(|(torrent, _)| torrent)
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
            let (torrent, marks) = self.torrents.get(&id)?;
            Some((torrent, Journal::fields(marks, after)))
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
