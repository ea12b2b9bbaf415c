//! What holds whatever people want and in whatever order engine and drives answer: each effect is answered at
//! some later time, or never because the daemon was killed first.

use crate::bench_engine::{GIB, id, record, rules};
use piecework_catalog::{
    Catalog, Category, Command, Delta, Effect, Field, Figures, Jump, Limit, LocalTime, Mode,
    Moment, Outcome, QueueRules, Record, Revision, Rules, ShareAction, Stage,
};
use piecework_types::InfoHashes;
use piecework_types::{InfoHash, Time};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const TORRENTS: u8 = 6;
const DOWNLOADS_MAX: usize = 2;
const SEEDS_MAX: usize = 1;

#[derive(Clone, Debug)]
enum Step {
    Command(Command),
    /// The effect of that number, of those that wait, is done; or it fails.
    Answer(usize, bool),
    /// A torrent in the engine has this much left, or is checked.
    Observe(usize, u64, bool),
    /// Something happens to a torrent in the engine.
    Event(usize, Outcome),
    Space(&'static str, u64),
    Pass(u64),
    /// Killed and started again with what was written.
    Kill,
}

fn rules_of_two() -> Rules {
    Rules {
        incomplete_path: Some("/part".into()),
        queue: QueueRules {
            downloads_max: Some(DOWNLOADS_MAX as u32),
            seeds_max: Some(SEEDS_MAX as u32),
            ..QueueRules::default()
        },
        free_space_min: GIB,
        inactive_minutes: Some(60),
        is_automatic: true,
        ..rules()
    }
}

fn command() -> impl Strategy<Value = Command> {
    let one = || (0..TORRENTS).prop_map(id);
    let some = || proptest::collection::vec(one(), 1..4);
    let category = || prop_oneof![Just("a".to_owned()), Just("a/b".to_owned())];
    let tags =
        || proptest::collection::btree_set(prop_oneof![Just("x".into()), Just("y".into())], 0..2);
    let folder =
        || prop_oneof![Just("/p".to_owned()), Just("/q".to_owned()), Just("/part".to_owned())];
    let shape = || {
        (folder(), proptest::option::of(folder()))
            .prop_map(|(save_path, incomplete_path)| Category { save_path, incomplete_path })
    };
    let modes = prop_oneof![Just(Mode::Stopped), Just(Mode::Queued), Just(Mode::Forced)];
    let jumps = prop_oneof![Just(Jump::Top), Just(Jump::Up), Just(Jump::Down), Just(Jump::Bottom)];
    prop_oneof![
        6 => (0..TORRENTS, any::<bool>(), any::<bool>(), proptest::option::of(category())).prop_map(
            |(number, at_top, has_metainfo, category)| {
                let record = Record { has_metainfo, category, ..record(number) };
                Command::Add { record: Box::new(record), at_top }
            }
        ),
        2 => (some(), any::<bool>()).prop_map(|(ids, deletes_files)| Command::Remove { ids, deletes_files }),
        4 => (some(), modes).prop_map(|(ids, mode)| Command::SetMode(ids, mode)),
        3 => (some(), jumps).prop_map(|(ids, jump)| Command::Jump(ids, jump)),
        2 => (some(), proptest::option::of(category())).prop_map(|(ids, it)| Command::SetCategory(ids, it)),
        2 => (some(), tags()).prop_map(|(ids, it)| Command::SetTags(ids, it)),
        1 => tags().prop_map(Command::DeleteTags),
        2 => (category(), shape()).prop_map(|(name, it)| Command::CreateCategory(name, it)),
        1 => (category(), shape()).prop_map(|(name, it)| Command::EditCategory(name, it)),
        1 => category().prop_map(|name| Command::RemoveCategories(vec![name])),
        3 => (some(), folder()).prop_map(|(ids, it)| Command::SetSavePath(ids, it)),
        1 => (some(), proptest::option::of(folder()))
            .prop_map(|(ids, it)| Command::SetIncompletePath(ids, it)),
        1 => (some(), any::<bool>()).prop_map(|(ids, it)| Command::SetAutomatic(ids, it)),
        2 => (one(), folder(), tags()).prop_map(|(id, folder, tags)| {
            let save_path = Command::SetSavePath(vec![id], folder);
            Command::All(vec![save_path, Command::SetTags(vec![id], tags)])
        }),
        3 => (one(), 0_u32..3, 0_u8..3).prop_map(|(id, file, to)| {
            Command::RenameFiles(id, vec![(file, format!("root/{file}-{to}"))])
        }),
        1 => some().prop_map(Command::Check),
        1 => some().prop_map(|ids| Command::SetShareLimits {
            ids,
            ratio_milli: None,
            seeding_minutes: Some(Limit::Of(5)),
            inactive_minutes: None,
            action: Some(Limit::Of(ShareAction::Remove)),
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let event = prop_oneof![
        Just(Outcome::Done),
        Just(Outcome::Failed("it broke".into())),
        Just(Outcome::Missing("no file".into())),
        Just(Outcome::Problem("slow drive".into())),
        Just(Outcome::Recovered),
        Just(Outcome::Checked),
        Just(Outcome::Metainfo {
            names: InfoHashes { v1: None, v2: None },
            name: "name".into(),
            size_bytes: GIB,
            is_private: false,
            root: "root".into(),
            file_count: 3,
            pad_count: 0,
            is_folder: true,
            comment: None,
        }),
    ];
    prop_oneof![
        8 => command().prop_map(Step::Command),
        8 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(at, is_well)| Step::Answer(at, is_well)),
        4 => (any::<usize>(), 0..3_u64, prop::bool::weighted(0.2))
            .prop_map(|(at, left, is_checking)| Step::Observe(at, left, is_checking)),
        2 => (any::<usize>(), event).prop_map(|(at, event)| Step::Event(at, event)),
        1 => (prop_oneof![Just("/part"), Just("/save")], 0..3_u64)
            .prop_map(|(folder, gib)| Step::Space(folder, gib * GIB)),
        2 => (1_u64..400).prop_map(Step::Pass),
        1 => Just(Step::Kill),
    ]
}

type Shown = BTreeMap<InfoHash, BTreeMap<Field, String>>;

/// What a face knows that asks for changes only.
#[derive(Default)]
struct Face {
    after: Option<Revision>,
    torrents: Shown,
    categories: BTreeMap<String, Category>,
    tags: BTreeSet<String>,
}

impl Face {
    fn take(&mut self, delta: &Delta<'_>) {
        if delta.is_full {
            *self = Self::default();
        }
        self.after = Some(delta.revision);
        delta.gone.iter().for_each(|id| drop(self.torrents.remove(id)));
        for (torrent, fields) in &delta.torrents {
            let shown = self.torrents.entry(torrent.id()).or_default();
            shown.extend(fields.iter().map(|field| (field, format!("{:?}", torrent.value(field)))));
        }
        delta.gone_categories.iter().for_each(|name| drop(self.categories.remove(name)));
        let categories = delta.categories.iter();
        self.categories.extend(categories.map(|(name, it)| ((*name).to_owned(), (*it).clone())));
        delta.gone_tags.iter().for_each(|name| {
            self.tags.remove(name);
        });
        self.tags.extend(delta.tags.iter().map(|name| (*name).to_owned()));
    }

    /// All it knows but counts of time.
    fn shown(&self) -> Shown {
        let mut shown = self.torrents.clone();
        for fields in shown.values_mut() {
            fields.remove(&Field::ActiveSeconds);
            fields.remove(&Field::SeedingSeconds);
        }
        shown
    }
}

/// Engine, drives and a store; nothing is answered before a step says so.
struct World {
    catalog: Catalog,
    face: Face,
    engine: BTreeSet<InfoHash>,
    waiting: Vec<Effect>,
    /// Where payload really lies.
    folders: BTreeMap<InfoHash, String>,
    /// Paths that files really have, where they were renamed.
    paths: BTreeMap<InfoHash, BTreeMap<u32, String>>,
    written: BTreeMap<InfoHash, Record>,
    labels: (BTreeMap<String, Category>, BTreeSet<String>),
    seconds: u64,
}

impl World {
    fn new() -> Self {
        Self {
            catalog: Catalog::new(rules_of_two(), 1 << 20),
            face: Face::default(),
            engine: BTreeSet::new(),
            waiting: Vec::new(),
            folders: BTreeMap::new(),
            paths: BTreeMap::new(),
            written: BTreeMap::new(),
            labels: Default::default(),
            seconds: 1,
        }
    }

    fn moment(&self) -> Moment {
        Moment {
            now: Time::ZERO + Duration::from_secs(self.seconds),
            unix: 1_000_000_000 + self.seconds,
            local: LocalTime { weekday: 0, minute: 0 },
        }
    }

    fn step(&mut self, step: Step) {
        let moment = self.moment();
        match step {
            Step::Command(command) => drop(self.catalog.command(command, moment)),
            Step::Answer(at, is_well) if !self.waiting.is_empty() => {
                let effect = self.waiting.remove(at % self.waiting.len());
                self.answer(&effect, is_well);
            }
            Step::Observe(at, left, is_checking) => {
                if let Some(id) = self.pick(at) {
                    let figures = Figures {
                        wanted_bytes: GIB,
                        left_bytes: left,
                        down_bytes: self.seconds,
                        is_complete: left == 0 && !is_checking,
                        checking_milli: is_checking.then_some(500),
                        ..Figures::default()
                    };
                    self.catalog.observe(id, figures, moment);
                }
            }
            Step::Event(at, event) => {
                if let Some(id) = self.pick(at) {
                    self.catalog.report(id, event, moment);
                }
            }
            Step::Space(folder, bytes) => self.catalog.free_space(folder, bytes, moment),
            Step::Pass(seconds) => {
                self.seconds += seconds;
                self.catalog.tick(self.moment());
            }
            Step::Kill => self.kill(),
            Step::Answer(..) => {}
        }
        self.write_down();
        self.gather();
        self.write_down();
    }

    fn pick(&self, at: usize) -> Option<InfoHash> {
        self.engine.iter().copied().nth(at % self.engine.len().max(1))
    }

    fn answer(&mut self, effect: &Effect, is_well: bool) {
        let moment = self.moment();
        let fault = || Outcome::MoveFailed("no room".into());
        match effect {
            Effect::Load(id) if !is_well => {
                self.engine.remove(id);
                self.catalog.report(*id, Outcome::LoadFailed("no".into()), moment);
            }
            Effect::Load(id) => {
                let figures = Figures { wanted_bytes: GIB, left_bytes: 1, ..Figures::default() };
                self.catalog.observe(*id, figures, moment);
            }
            Effect::Unload(id) => {
                self.engine.remove(id);
                self.waiting.retain(|other| *other != Effect::Load(*id));
                self.catalog.report(*id, Outcome::Unloaded, moment);
            }
            Effect::Move { id, .. } | Effect::RenameFiles { id, .. } if !is_well => {
                self.catalog.report(*id, fault(), moment);
            }
            Effect::Move { id, to, .. } => {
                self.folders.insert(*id, to.clone());
                self.catalog.report(*id, Outcome::Moved, moment);
            }
            // Some are in each other's way, and go aside first.
            Effect::RenameFiles { id, files }
                if files
                    .iter()
                    .any(|it| it.to.ends_with('2') && it.from != Some(it.aside(*id))) =>
            {
                let paths = files.iter().map(|rename| (rename.file, rename.aside(*id)));
                self.paths.entry(*id).or_default().extend(paths);
                self.catalog.report(*id, Outcome::Aside, moment);
            }
            Effect::RenameFiles { id, files } => {
                let paths = files.iter().map(|rename| (rename.file, rename.to.clone()));
                self.paths.entry(*id).or_default().extend(paths);
                self.catalog.report(*id, Outcome::Moved, moment);
            }
            _ => {}
        }
    }

    /// Takes new effects over; looks that none comes at the wrong time.
    fn gather(&mut self) {
        while let Some(effect) = self.catalog.poll() {
            match &effect {
                Effect::Load(id) => {
                    assert!(
                        self.waiting_for(*id).is_empty(),
                        "loaded while something is under way"
                    );
                    assert!(self.engine.insert(*id), "loaded twice");
                    self.look_where_it_lies(*id);
                }
                Effect::Unload(id) => {
                    let others = self.waiting_for(*id);
                    assert!(others.iter().all(|it| **it == Effect::Load(*id)), "{others:?}");
                }
                Effect::Move { id, from, to } => {
                    assert!(self.is_idle(*id), "moved while loaded");
                    assert_ne!(from, to);
                    assert_eq!(self.folders.get(id).unwrap_or(from), from, "it does not lie there");
                }
                Effect::RenameFiles { id, .. } => {
                    assert!(self.is_idle(*id), "renamed while loaded");
                }
                Effect::Forget { id, folder, paths, .. } => {
                    assert!(self.is_idle(*id), "forgotten while loaded");
                    assert!(self.catalog.get(*id).is_none());
                    assert_eq!(self.folders.get(id).unwrap_or(folder), folder);
                    assert_eq!(&self.paths.remove(id).unwrap_or_default(), paths);
                    self.folders.remove(id);
                    continue;
                }
                _ => continue,
            }
            self.waiting.push(effect);
        }
    }

    /// What is loaded lies where its record says.
    fn look_where_it_lies(&self, id: InfoHash) {
        let record = self.catalog.get(id).expect("what is loaded is there").record();
        if let Some(folder) = self.folders.get(&id) {
            assert_eq!(record.folder(), folder);
        }
        if record.has_metainfo {
            assert_eq!(self.paths.get(&id).unwrap_or(&BTreeMap::new()), &record.paths);
        }
    }

    fn is_idle(&self, id: InfoHash) -> bool {
        !self.engine.contains(&id) && self.waiting_for(id).is_empty()
    }

    fn waiting_for(&self, id: InfoHash) -> Vec<&Effect> {
        let is_its = |effect: &&Effect| match effect {
            Effect::Load(it) | Effect::Unload(it) => *it == id,
            Effect::Move { id: it, .. } | Effect::RenameFiles { id: it, .. } => *it == id,
            _ => false,
        };
        self.waiting.iter().filter(is_its).collect()
    }

    fn write_down(&mut self) {
        for id in self.catalog.dirty() {
            match self.catalog.get(id) {
                Some(torrent) => drop(self.written.insert(id, torrent.record().clone())),
                None => drop(self.written.remove(&id)),
            }
        }
        self.labels = (self.catalog.categories().clone(), self.catalog.tags().clone());
    }

    fn kill(&mut self) {
        let mut catalog = Catalog::new(rules_of_two(), self.catalog.revision() + 1);
        let records: Vec<Record> = self.written.values().cloned().collect();
        let (categories, tags) = self.labels.clone();
        catalog.restore(records, categories, tags, false).expect("it was written by us");
        let ids = |catalog: &Catalog| catalog.torrents().map(|it| it.id()).collect::<Vec<_>>();
        assert_eq!(ids(&catalog), ids(&self.catalog), "what was answered survives");
        self.catalog = catalog;
        // What was removed is forgotten by whoever wrote it down, and comes back as new.
        self.folders.retain(|id, _| self.written.contains_key(id));
        self.paths.retain(|id, _| self.written.contains_key(id));
        self.engine.clear();
        self.waiting.clear();
        // What was removed is forgotten by whoever wrote that down.
        self.folders.retain(|id, _| self.catalog.get(*id).is_some());
        self.paths.retain(|id, _| self.catalog.get(*id).is_some());
        self.catalog.tick(self.moment());
    }

    fn look(&mut self) {
        let delta = self.catalog.delta(self.face.after);
        let ids: BTreeSet<_> = delta.torrents.iter().map(|(torrent, _)| torrent.id()).collect();
        assert_eq!(ids.len(), delta.torrents.len(), "a torrent is told twice");
        self.face.take(&delta);
        let mut whole = Face::default();
        whole.take(&self.catalog.delta(None));
        assert_eq!(self.face.shown(), whole.shown(), "deltas add up to the whole");
        assert_eq!((&self.face.categories, &self.face.tags), (&whole.categories, &whole.tags));
        let (mut keys, mut places) = (BTreeSet::new(), BTreeSet::new());
        let (mut downloads, mut seeds, mut incomplete) = (0, 0, 0);
        for torrent in self.catalog.torrents() {
            let record = torrent.record();
            assert!(keys.insert(record.queue), "two torrents have one key");
            if let piecework_catalog::Value::Number(place) = torrent.value(Field::Queue) {
                places.insert(place);
                incomplete += 1;
            }
            let category = record.category.as_ref();
            assert!(category.is_none_or(|name| self.catalog.categories().contains_key(name)));
            assert!(record.tags.is_subset(self.catalog.tags()));
            if !record.is_forced {
                downloads +=
                    usize::from(matches!(torrent.stage(), Stage::Downloading | Stage::Metadata));
                seeds += usize::from(torrent.stage() == Stage::Seeding);
            }
            let is_out = matches!(torrent.stage(), Stage::Stopped | Stage::Failed | Stage::Missing);
            assert!(
                !is_out || !self.engine.contains(&torrent.id()) || self.is_unloading(torrent.id())
            );
        }
        assert_eq!(places, (0..incomplete).collect(), "places are all numbers from 0");
        assert!(downloads <= DOWNLOADS_MAX && seeds <= SEEDS_MAX, "{downloads}, {seeds}");
    }

    fn is_unloading(&self, id: InfoHash) -> bool {
        self.waiting.contains(&Effect::Unload(id))
    }

    /// Everything is answered well, until nothing is asked any more: then all is where it ought to be.
    fn come_to_rest(&mut self) {
        for _ in 0..1_000 {
            if self.waiting.is_empty() {
                break;
            }
            self.step(Step::Answer(0, true));
            self.look();
        }
        assert!(self.waiting.is_empty(), "it never comes to rest: {:?}", self.waiting);
        for torrent in self.catalog.torrents() {
            let is_in = self.engine.contains(&torrent.id());
            assert_eq!(is_in, torrent.stage().is_loaded(), "{torrent:?}");
            assert_ne!(torrent.stage(), Stage::Moving);
            assert!(torrent.record().renaming.is_empty(), "{torrent:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_in_any_order_of_commands_and_outcomes(
        steps in proptest::collection::vec(step(), 1..150),
    ) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            world.look();
        }
        world.come_to_rest();
    }
}
