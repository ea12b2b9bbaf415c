//! A catalog with an engine of numbers: what is loaded is a map, and time is pushed by hand.

use piecework_catalog::{
    Catalog, Command, Effect, Figures, LocalTime, Mode, Moment, Outcome, Record, Rules, Stage,
};
use piecework_types::{InfoHash, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

pub(crate) const GIB: u64 = 1 << 30;

/// Answers effects at once; tells what was asked of it.
pub(crate) struct Bench {
    pub(crate) catalog: Catalog,
    pub(crate) loaded: BTreeMap<InfoHash, Figures>,
    pub(crate) told: Vec<Effect>,
    /// Moves and renames fail, for this reason.
    pub(crate) move_fault: Option<&'static str>,
    seconds: u64,
}

pub(crate) fn rules() -> Rules {
    Rules { save_path: "/save".into(), ..Rules::default() }
}

pub(crate) fn id(number: u8) -> InfoHash {
    InfoHash([number; 20])
}

/// A torrent of a gibibyte whose metainfo is known.
pub(crate) fn record(number: u8) -> Record {
    Record {
        v1: Some(id(number).to_string()),
        name: format!("torrent {number}"),
        has_metainfo: true,
        root: Some(format!("root {number}")),
        size_bytes: GIB,
        file_count: 3,
        ..Record::default()
    }
}

impl Bench {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            catalog: Catalog::new(rules, 1 << 20),
            loaded: BTreeMap::new(),
            told: Vec::new(),
            move_fault: None,
            seconds: 0,
        }
    }

    /// Monday at noon, and so many seconds.
    pub(crate) fn moment(&self) -> Moment {
        let minutes = 12 * 60 + self.seconds / 60;
        Moment {
            now: Time::ZERO + Duration::from_secs(self.seconds),
            unix: 1_000_000_020 + self.seconds,
            local: LocalTime {
                weekday: u8::try_from(minutes / 1440 % 7).expect("a day of a week"),
                minute: u16::try_from(minutes % 1440).expect("a minute of a day"),
            },
        }
    }

    pub(crate) fn try_command(
        &mut self,
        command: Command,
    ) -> Result<(), piecework_catalog::Refusal> {
        let answer = self.catalog.command(command, self.moment());
        self.drive();
        answer
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.try_command(command).expect("the command is in order");
    }

    pub(crate) fn add(&mut self, record: Record) {
        self.command(Command::Add { record: Box::new(record), at_top: false });
    }

    /// Adds torrents with these numbers.
    pub(crate) fn add_all(&mut self, numbers: std::ops::RangeInclusive<u8>) {
        numbers.for_each(|number| self.add(record(number)));
    }

    pub(crate) fn mode(&mut self, number: u8, mode: Mode) {
        self.command(Command::SetMode(vec![id(number)], mode));
    }

    pub(crate) fn report(&mut self, number: u8, outcome: Outcome) {
        self.catalog.report(id(number), outcome, self.moment());
        self.drive();
    }

    /// Figures of a loaded torrent, changed by hand.
    pub(crate) fn observe(&mut self, number: u8, change: impl FnOnce(&mut Figures)) {
        let figures = self.loaded.get_mut(&id(number)).expect("it is loaded");
        change(figures);
        let figures = *figures;
        self.catalog.observe(id(number), figures, self.moment());
        self.drive();
    }

    /// It downloads all that is left.
    pub(crate) fn finish(&mut self, number: u8) {
        self.observe(number, |figures| {
            figures.down_bytes += figures.left_bytes;
            (figures.left_bytes, figures.is_complete) = (0, true);
        });
        if self.loaded.contains_key(&id(number)) {
            self.report(number, Outcome::Done);
        }
    }

    /// Lets seconds pass, with ticks as the catalog asks for them.
    pub(crate) fn pass(&mut self, seconds: u64) {
        let end = self.seconds + seconds;
        while self.seconds < end {
            let next = self.catalog.next_tick(self.moment()).as_micros().div_ceil(1_000_000);
            self.seconds = next.clamp(self.seconds + 1, end);
            self.catalog.tick(self.moment());
            self.drive();
        }
    }

    /// Carries effects out until there are none.
    pub(crate) fn drive(&mut self) {
        let mut answers = VecDeque::new();
        loop {
            while let Some(effect) = self.catalog.poll() {
                self.carry_out(&effect, &mut answers);
                self.told.push(effect);
            }
            let Some((id, answer)) = answers.pop_front() else { return };
            match answer {
                Answer::Figures(figures) => self.catalog.observe(id, figures, self.moment()),
                Answer::Outcome(outcome) => self.catalog.report(id, outcome, self.moment()),
            }
        }
    }

    fn carry_out(&mut self, effect: &Effect, answers: &mut VecDeque<(InfoHash, Answer)>) {
        match *effect {
            Effect::Load(id) => {
                let record = self.catalog.get(id).expect("what is loaded is there").record();
                let left = if record.is_complete { 0 } else { GIB };
                let figures = Figures {
                    wanted_bytes: if record.has_metainfo { GIB } else { 0 },
                    left_bytes: if record.has_metainfo { left } else { 0 },
                    is_fetching_metadata: !record.has_metainfo,
                    is_complete: record.is_complete,
                    checking_milli: record.wants_check.then_some(0),
                    ..Figures::default()
                };
                self.loaded.insert(id, figures);
                answers.push_back((id, Answer::Figures(figures)));
            }
            Effect::Unload(id) => {
                self.loaded.remove(&id);
                answers.push_back((id, Answer::Outcome(Outcome::Unloaded)));
            }
            Effect::Move { id, .. } | Effect::RenameFiles { id, .. } => {
                assert!(!self.loaded.contains_key(&id), "files of a loaded torrent are moved");
                let failed = self.move_fault.map(|why| Outcome::MoveFailed(why.to_owned()));
                answers.push_back((id, Answer::Outcome(failed.unwrap_or(Outcome::Moved))));
            }
            Effect::Check(id) => {
                if let Some(figures) = self.loaded.get_mut(&id) {
                    figures.checking_milli = Some(0);
                    answers.push_back((id, Answer::Figures(*figures)));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn stage(&self, number: u8) -> Stage {
        self.catalog.get(id(number)).expect("it is there").stage()
    }

    pub(crate) fn record(&self, number: u8) -> &Record {
        self.catalog.get(id(number)).expect("it is there").record()
    }

    /// Numbers of the torrents that are loaded.
    pub(crate) fn loaded(&self) -> BTreeSet<u8> {
        self.loaded.keys().map(|id| id.0[0]).collect()
    }

    /// What was asked since the last time.
    pub(crate) fn told(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.told)
    }

    /// Ends without a word and begins anew with what was written down.
    pub(crate) fn restart(&mut self) {
        let records = self.catalog.torrents().map(|torrent| torrent.record().clone()).collect();
        let mut catalog = Catalog::new(self.catalog.rules().clone(), 1 << 40);
        let (categories, tags) = (self.catalog.categories().clone(), self.catalog.tags().clone());
        catalog
            .restore(records, categories, tags, self.catalog.is_alternative())
            .expect("what was written can be read");
        (self.catalog, self.loaded) = (catalog, BTreeMap::new());
        self.told.clear();
        self.catalog.tick(self.moment());
        self.drive();
    }
}

enum Answer {
    Figures(Figures),
    Outcome(Outcome),
}
