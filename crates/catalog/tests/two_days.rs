//! Two days of a daemon in virtual time, from one seed: a Friday evening to a Sunday evening with two
//! hundred torrents, a queue, categories, slow nights on weekdays, share limits, a drive that fills up and
//! is freed, and a crash in the middle from which only what was written down comes back.
//!
//! What happened is compared with `two_days.txt`; with `UPDATE_TWO_DAYS` set it is written anew.

use piecework_catalog::{
    AlternativeSchedule, Catalog, Category, Command, Days, Effect, Figures, Jump, LocalTime, Mode,
    Moment, Outcome, QueueRules, Record, Rules, ShareAction, SpeedLimits, Stage,
};
use piecework_types::{InfoHash, Rng, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

const SEED: u64 = 20_261_121;
const TORRENTS: u64 = 200;
const MINUTES: u64 = 48 * 60;
/// Friday, 18:00.
const START_MINUTE: u64 = 4 * DAY + 18 * 60;
const DAY: u64 = 24 * 60;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const DRIVE: u64 = 320 * GIB;
const LEAST_FREE: u64 = 10 * GIB;
const DOWNLOADS_MAX: usize = 5;
const ACTIVE_MAX: usize = 24;

#[test]
fn two_days_go_by_as_they_are_written_down() {
    let mut world = World::new(SEED);
    for minute in 0..=MINUTES {
        world.minute(minute);
    }
    let timeline = world.timeline;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/two_days.txt");
    if std::env::var_os("UPDATE_TWO_DAYS").is_some() {
        std::fs::write(&file, &timeline).expect("the timeline can be written");
    }
    let written = std::fs::read_to_string(&file).expect("the timeline is there");
    for (line, (was, is)) in written.lines().zip(timeline.lines()).enumerate() {
        assert_eq!(was, is, "line {} of two_days.txt", line + 1);
    }
    assert_eq!(written.lines().count(), timeline.lines().count());
}

fn rules() -> Rules {
    Rules {
        save_path: "/srv/torrents".into(),
        incomplete_path: Some("/srv/incoming".into()),
        is_automatic: true,
        queue: QueueRules {
            downloads_max: Some(DOWNLOADS_MAX as u32),
            seeds_max: Some(8),
            slow_below: Some(2048),
            active_max: Some(ACTIVE_MAX as u32),
            ..QueueRules::default()
        },
        ratio_milli: Some(1500),
        seeding_minutes: Some(12 * 60),
        share_action: ShareAction::Stop,
        speed: SpeedLimits { down: Some(8 * MIB), up: Some(3 * MIB) },
        alternative: SpeedLimits { down: Some(2 * MIB), up: Some(MIB / 2) },
        schedule: Some(AlternativeSchedule { from: 23 * 60, to: 7 * 60, days: Days(0b001_1111) }),
        free_space_min: LEAST_FREE,
        ..Rules::default()
    }
}

/// A torrent as the world knows it.
struct Item {
    arrives: u64,
    size: u64,
    left: u64,
    category: Option<&'static str>,
    /// Nobody has it.
    is_dead: bool,
}

struct World {
    catalog: Catalog,
    rng: Rng,
    items: BTreeMap<InfoHash, Item>,
    /// What the engine has: bytes of this load.
    loaded: BTreeMap<InfoHash, Figures>,
    /// Moves, and the minute that they end in.
    moving: BTreeMap<InfoHash, u64>,
    speed: SpeedLimits,
    written: BTreeMap<InfoHash, Record>,
    stages: BTreeMap<InfoHash, Stage>,
    arrived: u64,
    minute: u64,
    timeline: String,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut items = BTreeMap::new();
        for number in 1..=TORRENTS {
            let size = (1 + rng.below(40)) * 128 * MIB;
            let item = Item {
                arrives: rng.below(MINUTES - 60),
                size,
                left: size,
                category: [None, Some("film"), Some("tv")][rng.below(3) as usize],
                is_dead: rng.chance(1, 25),
            };
            items.insert(id(number), item);
        }
        let mut world = Self {
            catalog: Catalog::new(rules(), 1 << 20),
            rng,
            items,
            loaded: BTreeMap::new(),
            moving: BTreeMap::new(),
            speed: SpeedLimits::default(),
            written: BTreeMap::new(),
            stages: BTreeMap::new(),
            arrived: 0,
            minute: 0,
            timeline: String::new(),
        };
        world.say(
            "a new daemon; speeds are slow from 23:00 to 07:00 on nights that begin on a weekday",
        );
        let film = Category { save_path: "/srv/films".into(), ..Category::default() };
        world.command(Command::CreateCategory("film".into(), film));
        world.command(Command::CreateCategory("tv".into(), Category::default()));
        world
    }

    fn moment(&self) -> Moment {
        let local = START_MINUTE + self.minute;
        Moment {
            now: Time::ZERO + Duration::from_secs(self.minute * 60),
            unix: 1_795_197_600 + self.minute * 60,
            local: LocalTime { weekday: (local / DAY % 7) as u8, minute: (local % DAY) as u16 },
        }
    }

    fn say(&mut self, text: &str) {
        let local = self.moment().local;
        let day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][usize::from(local.weekday)];
        let (hour, minute) = (local.minute / 60, local.minute % 60);
        writeln!(self.timeline, "{day} {hour:02}:{minute:02}  {text}")
            .expect("text can be written");
    }

    fn minute(&mut self, minute: u64) {
        self.minute = minute;
        self.arrive();
        self.people(minute);
        self.transfer();
        let done = self.moving.extract_if(.., |_, end| *end <= minute).collect::<Vec<_>>();
        for (id, _) in done {
            self.catalog.report(id, Outcome::Moved, self.moment());
        }
        self.look_at_drive();
        self.catalog.tick(self.moment());
        self.drive();
        self.tell_changes();
        self.check();
        if minute.is_multiple_of(120) {
            self.summary();
        }
    }

    fn arrive(&mut self) {
        let due = self.items.iter().filter(|(_, item)| item.arrives == self.minute);
        let due: Vec<_> = due.map(|(id, item)| (*id, item.size, item.category)).collect();
        for (id, size, category) in due {
            self.arrived += 1;
            let record = Record {
                v1: Some(id.to_string()),
                name: name(id),
                size_bytes: size,
                has_metainfo: true,
                root: Some(name(id)),
                file_count: 1,
                category: category.map(str::to_owned),
                ..Record::default()
            };
            self.command(Command::Add { record: Box::new(record), at_top: false });
        }
    }

    /// What people do by hand.
    fn people(&mut self, minute: u64) {
        match minute {
            660 => {
                self.say("a person switches the slow speeds off for this night");
                self.command(Command::SetAlternative(false));
            }
            1_000 => self.hurry(),
            1_441 => self.crash(),
            1_600 => self.start_again(),
            2_200 => {
                self.say("a person gives films another folder");
                let film = Category { save_path: "/mnt/films".into(), ..Category::default() };
                self.command(Command::EditCategory("film".into(), film));
            }
            2_040 => self.make_room(),
            _ => {}
        }
    }

    fn hurry(&mut self) {
        let waiting =
            self.catalog.torrents().filter(|it| it.stage() == Stage::Queued && !it.is_complete());
        let ids: Vec<_> = waiting.map(|it| it.id()).collect();
        let Some(at) = self.rng.index(ids.len()) else { return };
        self.say(&format!("a person puts {} at the top", name(ids[at])));
        self.command(Command::Jump(vec![ids[at]], Jump::Top));
    }

    fn start_again(&mut self) {
        let stopped = self.catalog.torrents().find(|it| it.stage() == Stage::Stopped);
        let Some(id) = stopped.map(|it| it.id()) else { return };
        self.say(&format!("a person starts {} again, which had given back enough", name(id)));
        self.command(Command::SetMode(vec![id], Mode::Queued));
    }

    fn make_room(&mut self) {
        let stopped = self.catalog.torrents().filter(|it| it.stage() == Stage::Stopped);
        let ids: Vec<_> = stopped.map(|it| it.id()).collect();
        self.say(&format!(
            "a person deletes {} torrents that had stopped, with their files",
            ids.len()
        ));
        if !ids.is_empty() {
            self.command(Command::Remove { ids, deletes_files: true });
        }
    }

    /// Only what `dirty` named is there afterwards.
    fn crash(&mut self) {
        let stages = |catalog: &Catalog| -> BTreeMap<InfoHash, Stage> {
            catalog.torrents().map(|it| (it.id(), it.stage())).collect()
        };
        let before = stages(&self.catalog);
        let records: Vec<_> = self.written.values().cloned().collect();
        let mut catalog = Catalog::new(rules(), self.catalog.revision() + 1);
        let (categories, tags) = (self.catalog.categories().clone(), self.catalog.tags().clone());
        catalog.restore(records, categories, tags, false).expect("what was written can be read");
        self.catalog = catalog;
        self.loaded.clear();
        self.moving.clear();
        self.speed = SpeedLimits::default();
        self.catalog.tick(self.moment());
        self.look_at_drive();
        self.drive();
        let after = stages(&self.catalog);
        let same = after.iter().filter(|(id, stage)| before.get(id) == Some(stage)).count();
        self.say(&format!(
            "the daemon is killed and starts again: {same} of {} torrents do what they did",
            before.len()
        ));
        assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    }

    fn free(&self) -> u64 {
        DRIVE - self.catalog.torrents().map(|it| self.items[&it.id()].received()).sum::<u64>()
    }

    fn look_at_drive(&mut self) {
        let free = self.free();
        let folders: Vec<_> = self.catalog.folders().into_iter().map(str::to_owned).collect();
        for folder in folders {
            self.catalog.free_space(&folder, free, self.moment());
        }
    }

    /// A minute of the swarm: lines are shared evenly.
    fn transfer(&mut self) {
        let is_alive = |items: &BTreeMap<InfoHash, Item>, id: &InfoHash| !items[id].is_dead;
        let down: Vec<_> = self
            .loaded
            .iter()
            .filter(|(id, it)| !it.is_complete && is_alive(&self.items, id))
            .map(|(id, _)| *id)
            .collect();
        let up: Vec<_> =
            self.loaded.iter().filter(|(_, it)| it.is_complete).map(|(id, _)| *id).collect();
        let share = |line: Option<u64>, count: usize| line.unwrap_or(0) / count.max(1) as u64;
        let (down_rate, up_rate) =
            (share(self.speed.down, down.len()), share(self.speed.up, up.len()));
        for id in self.loaded.keys().copied().collect::<Vec<_>>() {
            let (Some(figures), Some(item)) = (self.loaded.get_mut(&id), self.items.get_mut(&id))
            else {
                continue;
            };
            let received = if down.contains(&id) { (down_rate * 60).min(item.left) } else { 0 };
            item.left -= received;
            // Some are asked for often, some hardly ever.
            let demand = u64::from(id.0[19] % 4);
            let sent = if figures.is_complete { up_rate * 60 * demand / 3 } else { received / 10 };
            figures.down_bytes += received;
            figures.up_bytes += sent;
            (figures.down_rate, figures.up_rate) = (received / 60, sent / 60);
            figures.left_bytes = item.left;
            figures.is_complete = item.left == 0;
            let figures = *figures;
            let was_complete = self.catalog.get(id).is_some_and(|it| it.is_complete());
            self.catalog.observe(id, figures, self.moment());
            if figures.is_complete && !was_complete {
                self.catalog.report(id, Outcome::Done, self.moment());
            }
            self.drive();
        }
    }

    fn command(&mut self, command: Command) {
        self.catalog.command(command, self.moment()).expect("the command is in order");
        self.drive();
    }

    fn drive(&mut self) {
        while let Some(effect) = self.catalog.poll() {
            match effect {
                Effect::Load(id) => self.load(id),
                Effect::Unload(id) => {
                    self.loaded.remove(&id);
                    self.catalog.report(id, Outcome::Unloaded, self.moment());
                }
                Effect::Move { id, from, .. } => {
                    assert!(!self.loaded.contains_key(&id), "moved while loaded");
                    // Within one drive a move is a matter of names; to another one it takes its time.
                    let takes =
                        if from.starts_with("/srv/films") { self.items[&id].size / GIB } else { 0 };
                    self.moving.insert(id, self.minute + takes);
                }
                Effect::Forget { id, .. } => {
                    self.stages.remove(&id);
                }
                Effect::NodeLimits { down, up } => {
                    self.speed = SpeedLimits { down, up };
                    let mib = |line: Option<u64>| line.unwrap_or(0) as f64 / MIB as f64;
                    let (down, up) = (mib(down), mib(up));
                    self.say(&format!("speeds are {down} MiB/s down and {up} MiB/s up"));
                }
                _ => {}
            }
        }
        for id in self.catalog.dirty() {
            match self.catalog.get(id) {
                Some(torrent) => drop(self.written.insert(id, torrent.record().clone())),
                None => drop(self.written.remove(&id)),
            }
        }
    }

    fn load(&mut self, id: InfoHash) {
        let item = &self.items[&id];
        let figures = Figures {
            wanted_bytes: item.size,
            left_bytes: item.left,
            is_complete: item.left == 0,
            ..Figures::default()
        };
        self.loaded.insert(id, figures);
        self.catalog.observe(id, figures, self.moment());
    }

    /// Tells what became of the first torrents, and of all that stopped or had to wait for space.
    fn tell_changes(&mut self) {
        let now: BTreeMap<_, _> = self.catalog.torrents().map(|it| (it.id(), it.stage())).collect();
        let mut full = 0;
        for (id, stage) in &now {
            let before = self.stages.insert(*id, *stage);
            if before == Some(*stage) {
                continue;
            }
            full += usize::from(*stage == Stage::NoSpace && before.is_some());
            if number(*id) <= 6 {
                let folder = self.catalog.get(*id).map_or("", |it| it.folder());
                self.say(&format!("  {}: {} in {folder}", name(*id), stage.word()));
            } else if (before, *stage) == (Some(Stage::Seeding), Stage::Stopped) {
                self.tell_stop(*id);
            }
        }
        if full > 0 {
            let gib = self.free() as f64 / GIB as f64;
            self.say(&format!("{full} downloads stop for want of space: {gib:.1} GiB are free"));
        }
    }

    fn tell_stop(&mut self, id: InfoHash) {
        let Some(torrent) = self.catalog.get(id) else { return };
        let ratio = torrent.ratio_milli().unwrap_or(0) as f64 / 1000.0;
        let hours = torrent.record().totals.seeding_seconds as f64 / 3600.0;
        self.say(&format!(
            "{} has given back enough: ratio {ratio:.2}, {hours:.1} hours",
            name(id)
        ));
    }

    fn summary(&mut self) {
        let mut counts = BTreeMap::new();
        for torrent in self.catalog.torrents() {
            *counts.entry(torrent.stage()).or_insert(0) += 1;
        }
        let counts: Vec<_> =
            counts.iter().map(|(stage, count)| format!("{count} {}", stage.word())).collect();
        let free = self.free() as f64 / GIB as f64;
        let arrived = self.arrived;
        self.say(&format!("{arrived} came so far: {}; {free:.1} GiB free", counts.join(", ")));
    }

    /// What holds in every minute.
    fn check(&self) {
        let mut keys = BTreeSet::new();
        let (mut downloads, mut active) = (0, 0);
        for torrent in self.catalog.torrents() {
            let is_loaded = self.loaded.contains_key(&torrent.id());
            assert_eq!(torrent.stage().is_loaded(), is_loaded, "{}", name(torrent.id()));
            assert!(keys.insert(torrent.record().queue));
            let is_dead = self.items[&torrent.id()].is_dead;
            downloads += usize::from(torrent.stage() == Stage::Downloading && !is_dead);
            active += usize::from(is_loaded);
            let received = self.items[&torrent.id()].received();
            let counted = torrent.down_bytes();
            assert!(counted <= received, "{}: {counted} of {received}", name(torrent.id()));
        }
        assert!(downloads <= DOWNLOADS_MAX, "{downloads} downloads");
        assert!(active <= ACTIVE_MAX, "{active} take part");
    }
}

impl Item {
    const fn received(&self) -> u64 {
        self.size - self.left
    }
}

fn id(number: u64) -> InfoHash {
    let mut bytes = [0; 20];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    InfoHash(bytes)
}

fn number(id: InfoHash) -> u64 {
    id.0[12..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn name(id: InfoHash) -> String {
    format!("torrent-{}", number(id))
}
