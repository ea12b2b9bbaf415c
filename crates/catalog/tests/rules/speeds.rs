//! The schedule of alternative speeds, free space, and what is told when.

use crate::bench_engine::{Bench, GIB, id, record, rules};
use piecework_catalog::{
    AlternativeSchedule, Command, Days, Effect, Field, Jump, LocalTime, Rules, SpeedLimits, Stage,
    Value,
};

const HOUR: u64 = 3600;

fn with_schedule() -> Rules {
    Rules {
        alternative: SpeedLimits { down: Some(1), up: Some(2) },
        schedule: Some(AlternativeSchedule { from: 13 * 60, to: 14 * 60, days: Days::ALL }),
        ..rules()
    }
}

const ALTERNATIVE: Effect = Effect::NodeLimits { down: Some(1), up: Some(2) };
const NORMAL: Effect = Effect::NodeLimits { down: None, up: None };

#[test]
fn a_schedule_over_midnight_belongs_to_the_day_it_begins_on() {
    let monday_night = AlternativeSchedule { from: 23 * 60, to: 2 * 60, days: Days(1) };
    let holds = |weekday, hour: u16| monday_night.holds(LocalTime { weekday, minute: hour * 60 });
    assert!(holds(0, 23) && holds(1, 0) && holds(1, 1));
    assert!(!holds(0, 22) && !holds(0, 1) && !holds(1, 2) && !holds(1, 23));
    let sunday_night = AlternativeSchedule { days: Days(1 << 6), ..monday_night };
    assert!(sunday_night.holds(LocalTime { weekday: 0, minute: 60 }));
    let all_sunday = AlternativeSchedule { from: 60, to: 60, days: Days(1 << 6) };
    assert!(all_sunday.holds(LocalTime { weekday: 6, minute: 0 }));
    assert!(!all_sunday.holds(LocalTime { weekday: 0, minute: 60 }));
}

#[test]
fn speeds_change_at_the_minute_of_the_schedule() {
    let mut bench = Bench::new(with_schedule());
    bench.pass(HOUR - 1);
    assert_eq!((bench.told(), bench.catalog.is_alternative()), (vec![NORMAL], false));
    bench.pass(1);
    assert_eq!((bench.told(), bench.catalog.is_alternative()), (vec![ALTERNATIVE], true));
    bench.pass(HOUR);
    assert_eq!((bench.told(), bench.catalog.is_alternative()), (vec![NORMAL], false));
}

#[test]
fn what_a_person_switches_holds_until_the_next_edge() {
    let mut bench = Bench::new(with_schedule());
    bench.command(Command::SetAlternative(true));
    bench.pass(HOUR + HOUR / 2);
    assert!(bench.catalog.is_alternative(), "on by hand, and on by schedule");
    bench.command(Command::SetAlternative(false));
    bench.pass(20 * 60);
    assert!(!bench.catalog.is_alternative(), "off by hand in the middle");
    bench.pass(24 * HOUR);
    assert!(bench.catalog.is_alternative(), "the next day's edge counts again");
}

#[test]
fn without_a_schedule_only_people_switch() {
    let mut bench = Bench::new(Rules { schedule: None, ..with_schedule() });
    bench.command(Command::SetAlternative(true));
    bench.pass(50 * HOUR);
    assert!(bench.catalog.is_alternative());
    bench.restart();
    assert!(bench.catalog.is_alternative());
    assert_eq!(bench.told(), [ALTERNATIVE]);
}

#[test]
fn a_switch_of_speeds_and_a_jump_in_the_queue_are_new_revisions() {
    let mut bench = Bench::new(Rules { schedule: None, ..with_schedule() });
    bench.add_all(1..=2);
    for command in [
        Command::SetAlternative(true),
        Command::SetAlternative(false),
        Command::Jump(vec![id(2)], Jump::Top),
    ] {
        let before = bench.catalog.revision();
        bench.command(command.clone());
        assert!(bench.catalog.revision() > before, "{command:?}");
        let before = bench.catalog.revision();
        bench.command(command.clone());
        assert_eq!(bench.catalog.revision(), before, "nothing has changed: {command:?}");
    }
}

#[test]
fn other_speeds_are_told_at_once_and_the_same_are_not() {
    let mut bench = Bench::new(rules());
    bench.pass(1);
    bench.told();
    let speed = SpeedLimits { down: Some(10), up: None };
    for _ in 0..2 {
        bench.command(Command::SetRules(Box::new(Rules { speed, ..rules() })));
    }
    assert_eq!(bench.told(), [Effect::NodeLimits { down: Some(10), up: None }]);
}

#[test]
fn a_full_drive_stops_downloads_on_it_and_nothing_else() {
    let mut bench = Bench::new(Rules { free_space_min: 10 * GIB, ..rules() });
    bench.add_all(1..=3);
    bench.finish(2);
    let other = Command::SetSavePath(vec![id(3)], "/other".into());
    bench.command(other);
    let space = |bench: &mut Bench, gib: u64| {
        let moment = bench.moment();
        bench.catalog.free_space("/save", gib * GIB, moment);
        bench.drive();
        [1, 2, 3].map(|number| bench.stage(number))
    };
    let (down, seed) = (Stage::Downloading, Stage::Seeding);
    assert_eq!(space(&mut bench, 10), [down, seed, down]);
    assert_eq!(space(&mut bench, 9), [Stage::NoSpace, seed, down]);
    assert!(!bench.loaded().contains(&1));
    assert_eq!(space(&mut bench, 10), [Stage::NoSpace, seed, down], "not at the first byte");
    assert_eq!(space(&mut bench, 11), [down, seed, down]);
    assert_eq!(space(&mut bench, 1), [Stage::NoSpace, seed, down]);
    bench.command(Command::SetRules(Box::new(rules())));
    assert_eq!(bench.stage(1), down, "without a guard it goes on");
}

#[test]
fn a_rate_that_jumps_does_not_make_the_time_left_jump() {
    let mut bench = Bench::new(rules());
    bench.add(record(1));
    bench.observe(1, |it| it.down_rate = 1 << 20);
    bench.pass(1);
    let eta = |bench: &Bench| match bench.catalog.get(id(1)).map(|it| it.value(Field::EtaSeconds)) {
        Some(Value::Number(seconds)) => seconds,
        other => panic!("no time left is known: {other:?}"),
    };
    assert_eq!(eta(&bench), 1024);
    bench.observe(1, |it| it.down_rate = 0);
    assert!((1024..1200).contains(&eta(&bench)), "{}", eta(&bench));
    bench.observe(1, |it| it.down_rate = 2 << 20);
    bench.pass(30);
    assert_eq!(eta(&bench), 512);
}

#[test]
fn quiet_torrents_change_nothing_and_are_written_down_rarely() {
    let mut bench = Bench::new(rules());
    bench.add_all(1..=9);
    for number in 1..=5 {
        bench.finish(number);
    }
    bench.pass(20);
    let (revision, _) = (bench.catalog.revision(), bench.catalog.dirty());
    for _ in 0..9 {
        for number in 1..=5 {
            bench.observe(number, |_| ());
        }
        bench.pass(60);
    }
    assert_eq!(bench.catalog.revision(), revision);
    assert!(bench.catalog.dirty().is_empty());
    bench.pass(31 * 60);
    assert_eq!(bench.catalog.revision(), revision, "time is no change");
    assert_eq!(bench.catalog.dirty().len(), 9, "but it is kept");
}

#[test]
fn counts_of_bytes_are_written_down_every_few_minutes() {
    let mut bench = Bench::new(rules());
    bench.add(record(1));
    bench.pass(1);
    bench.catalog.dirty();
    let mut writes = 0;
    for second in 1..=1200 {
        bench.observe(1, |it| it.down_bytes = second);
        bench.pass(1);
        writes += bench.catalog.dirty().len();
    }
    assert!((3..=4).contains(&writes), "{writes}");
}
