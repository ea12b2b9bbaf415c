//! Whose turn it is.

use crate::bench_engine::{Bench, GIB, id, record, rules};
use piecework_catalog::{Command, Field, Jump, Mode, QueueRules, Record, Rules, Stage, Value};
use std::collections::BTreeSet;

fn queue(downloads: u32, seeds: u32) -> QueueRules {
    QueueRules { downloads_max: Some(downloads), seeds_max: Some(seeds), ..QueueRules::default() }
}

fn bench(queue: QueueRules) -> Bench {
    Bench::new(Rules { queue, ..rules() })
}

fn set<const N: usize>(numbers: [u8; N]) -> BTreeSet<u8> {
    numbers.into()
}

/// Numbers of torrents in the order that people see.
fn order(bench: &Bench) -> Vec<u8> {
    let place = |torrent: &piecework_catalog::Torrent| match torrent.value(Field::Queue) {
        Value::Number(place) => Some((place, torrent.id().0[0])),
        _ => None,
    };
    let mut places: Vec<_> = bench.catalog.torrents().filter_map(place).collect();
    places.sort_unstable();
    assert!(places.iter().zip(0..).all(|((place, _), at)| *place == at), "{places:?}");
    places.into_iter().map(|(_, number)| number).collect()
}

fn jump(bench: &mut Bench, numbers: &[u8], jump: Jump) -> Vec<u8> {
    bench.command(Command::Jump(numbers.iter().copied().map(id).collect(), jump));
    order(bench)
}

#[test]
fn the_first_of_the_queue_download_and_the_next_follows() {
    let mut bench = bench(queue(2, 1));
    bench.add_all(1..=4);
    assert_eq!(bench.loaded(), set([1, 2]));
    assert_eq!(bench.stage(3), Stage::Queued);
    bench.finish(1);
    assert_eq!((bench.loaded(), bench.stage(1)), (set([1, 2, 3]), Stage::Seeding));
    bench.finish(2);
    assert_eq!((bench.loaded(), bench.stage(2)), (set([1, 3, 4]), Stage::Queued));
    bench.mode(1, Mode::Stopped);
    assert_eq!((bench.loaded(), bench.stage(2)), (set([2, 3, 4]), Stage::Seeding));
}

#[test]
fn forced_torrents_neither_wait_nor_count() {
    let mut bench = bench(queue(1, 1));
    bench.add_all(1..=3);
    bench.mode(3, Mode::Forced);
    assert_eq!(bench.loaded(), set([1, 3]));
    bench.mode(1, Mode::Forced);
    assert_eq!(bench.loaded(), set([1, 2, 3]));
    bench.mode(1, Mode::Queued);
    assert_eq!(bench.loaded(), set([1, 3]));
}

#[test]
fn downloads_take_places_of_all_before_seeds_do() {
    let mut bench = bench(QueueRules { active_max: Some(2), ..queue(2, 2) });
    bench.add_all(1..=2);
    bench.finish(1);
    bench.finish(2);
    assert_eq!(bench.loaded(), set([1, 2]));
    bench.add(record(3));
    assert_eq!(bench.loaded(), set([1, 3]));
}

#[test]
fn torrents_that_fetch_metadata_count_as_downloads_and_a_few_checks_do_not() {
    let mut bench = bench(queue(1, 1));
    bench.add(Record { has_metainfo: false, ..record(1) });
    bench.add_all(2..=7);
    assert_eq!((bench.loaded(), bench.stage(1)), (set([1]), Stage::Metadata));
    for number in 1..=3 {
        bench.observe(number, |it| it.checking_milli = Some(100));
        assert_eq!(bench.loaded().len(), usize::from(number) + 1);
    }
    bench.observe(4, |it| it.checking_milli = Some(100));
    assert_eq!(bench.loaded(), set([1, 2, 3, 4]), "the fourth takes the place of a download");
    bench.observe(1, |it| it.checking_milli = None);
    assert_eq!(bench.loaded(), set([1, 2, 3, 4]), "1 has the place, 4 is one of three checks");
    bench.observe(2, |it| it.checking_milli = None);
    assert_eq!(bench.loaded(), set([1, 3, 4]), "2 waits for its turn");
}

#[test]
fn a_slow_torrent_gives_its_place_away_after_a_minute_and_takes_it_back_after_another() {
    let mut bench = bench(QueueRules { slow_below: Some(1000), ..queue(1, 1) });
    bench.add_all(1..=3);
    bench.observe(1, |it| it.down_rate = 999);
    bench.pass(50);
    assert_eq!(bench.loaded(), set([1]));
    bench.pass(30);
    assert_eq!(bench.loaded(), set([1, 2]), "1 counts no more");
    bench.observe(2, |it| it.down_rate = 5000);
    bench.observe(1, |it| it.down_rate = 5000);
    bench.pass(30);
    assert_eq!(bench.loaded(), set([1, 2]), "one burst does not stop anybody");
    bench.pass(50);
    assert_eq!(bench.loaded(), set([1]));
    bench.observe(1, |it| it.down_rate = 0);
    bench.pass(50);
    assert_eq!(bench.loaded(), set([1]));
}

#[test]
fn slow_torrents_still_count_for_the_places_of_all() {
    let mut bench =
        bench(QueueRules { slow_below: Some(1000), active_max: Some(3), ..queue(1, 1) });
    bench.add_all(1..=9);
    bench.pass(1000);
    assert_eq!(bench.loaded(), set([1, 2, 3]));
}

#[test]
fn without_a_queue_all_take_part() {
    let mut bench = bench(QueueRules { is_on: false, ..queue(1, 0) });
    bench.add_all(1..=9);
    assert_eq!(bench.loaded().len(), 9);
}

#[test]
fn other_rules_hold_at_once() {
    let mut bench = bench(queue(1, 1));
    bench.add_all(1..=5);
    let set_rules = |bench: &mut Bench, downloads| {
        let rules = Rules { queue: queue(downloads, 1), ..rules() };
        bench.command(Command::SetRules(Box::new(rules)));
    };
    set_rules(&mut bench, 4);
    assert_eq!(bench.loaded(), set([1, 2, 3, 4]));
    set_rules(&mut bench, 2);
    assert_eq!(bench.loaded(), set([1, 2]));
}

#[test]
fn torrents_jump_and_keep_their_order_among_themselves() {
    let mut bench = bench(queue(1, 1));
    bench.add_all(1..=5);
    assert_eq!(jump(&mut bench, &[4, 2], Jump::Top), [2, 4, 1, 3, 5]);
    assert_eq!(bench.loaded(), set([2]));
    assert_eq!(jump(&mut bench, &[2, 4], Jump::Up), [2, 4, 1, 3, 5]);
    assert_eq!(jump(&mut bench, &[1, 3], Jump::Up), [2, 1, 3, 4, 5]);
    assert_eq!(jump(&mut bench, &[2, 4, 5], Jump::Down), [1, 2, 3, 4, 5]);
    assert_eq!(jump(&mut bench, &[1, 3], Jump::Bottom), [2, 4, 5, 1, 3]);
    bench.command(Command::Add { record: Box::new(record(6)), at_top: true });
    assert_eq!(order(&bench), [6, 2, 4, 5, 1, 3]);
    bench.restart();
    assert_eq!(order(&bench), [6, 2, 4, 5, 1, 3]);
}

#[test]
fn a_complete_torrent_has_no_number_and_keeps_its_place() {
    let mut bench = bench(queue(1, 1));
    bench.add_all(1..=4);
    bench.finish(1);
    assert_eq!(order(&bench), [2, 3, 4]);
    assert_eq!(jump(&mut bench, &[3], Jump::Up), [3, 2, 4]);
    bench.command(Command::SetPriorities(id(1), vec![(0, 7)]));
    bench.observe(1, |it| (it.left_bytes, it.is_complete) = (GIB, false));
    assert_eq!(order(&bench), [1, 3, 2, 4]);
}

#[test]
fn only_torrents_that_jumped_are_written_down() {
    let mut bench = bench(queue(1, 1));
    bench.add_all(1..=50);
    bench.pass(1);
    bench.catalog.dirty();
    bench.command(Command::Jump(vec![id(40)], Jump::Top));
    let dirty: BTreeSet<u8> = bench.catalog.dirty().into_iter().map(|id| id.0[0]).collect();
    assert_eq!(dirty, set([1, 40]), "40 jumped, and 1 was unloaded for it");
}

#[test]
fn restored_torrents_with_one_place_are_put_in_order() {
    let mut bench = bench(queue(2, 1));
    let records = (1..=4).map(|number| Record {
        queue: u32::from(number) / 3,
        added_at: u64::from(9 - number),
        save_path: "/save".into(),
        ..record(number)
    });
    let restored = bench.catalog.restore(records.collect(), [].into(), [].into(), false);
    assert_eq!(restored, Ok(()));
    bench.pass(1);
    assert_eq!(order(&bench), [2, 1, 4, 3]);
    assert_eq!(bench.loaded(), set([1, 2]));
}

#[test]
fn places_at_the_end_of_all_numbers_make_room() {
    let mut bench = bench(queue(2, 1));
    let records = [(1, 0), (2, u32::MAX)].map(|(number, queue)| Record { queue, ..record(number) });
    bench.catalog.restore(records.into(), [].into(), [].into(), false).expect("both are sound");
    bench.add(record(3));
    bench.command(Command::Add { record: Box::new(record(4)), at_top: true });
    assert_eq!(order(&bench), [4, 1, 2, 3]);
}
