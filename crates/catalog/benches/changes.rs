//! What it costs to keep ten thousand torrents up to date, and to say what changed.

use divan::counter::ItemsCount;
use piecework_catalog::{Catalog, Command, Figures, LocalTime, Moment, Record, Rules};
use piecework_types::{InfoHash, Time};
use std::time::Duration;

const TORRENTS: u32 = 10_000;
const GIB: u64 = 1 << 30;

fn main() {
    divan::main();
}

fn moment(second: u64) -> Moment {
    Moment {
        now: Time::ZERO + Duration::from_secs(second),
        unix: 1_000_000_000 + second,
        local: LocalTime { weekday: 0, minute: 0 },
    }
}

fn id(number: u32) -> InfoHash {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    InfoHash(bytes)
}

fn figures(second: u64) -> Figures {
    Figures {
        wanted_bytes: GIB,
        left_bytes: GIB - second * 1000,
        down_bytes: second * 1000,
        down_rate: 1000 + second,
        peers: 5,
        ..Figures::default()
    }
}

/// A catalog whose torrents are all loaded.
fn catalog() -> Catalog {
    let mut rules = Rules { save_path: "/srv/torrents".into(), ..Rules::default() };
    rules.queue.is_on = false;
    let mut catalog = Catalog::new(rules, 1);
    for number in 0..TORRENTS {
        let record = Record {
            v1: Some(id(number).to_string()),
            name: format!("A name of the usual length, with a number: {number}"),
            has_metainfo: true,
            root: Some(format!("folder {number}")),
            ..Record::default()
        };
        let add = Command::Add { record: Box::new(record), at_top: false };
        catalog.command(add, moment(0)).expect("it is new");
    }
    while catalog.poll().is_some() {}
    (0..TORRENTS).for_each(|number| catalog.observe(id(number), figures(1), moment(1)));
    catalog
}

/// A second of a node on which every torrent moves.
#[divan::bench]
fn observe_all_changed(bencher: divan::Bencher<'_, '_>) {
    let mut catalog = catalog();
    let mut second = 1;
    bencher.counter(ItemsCount::new(TORRENTS)).bench_local(|| {
        second += 1;
        for number in 0..TORRENTS {
            catalog.observe(id(number), figures(second), moment(second));
        }
    });
}

/// A second of a node on which none does.
#[divan::bench]
fn observe_all_the_same(bencher: divan::Bencher<'_, '_>) {
    let mut catalog = catalog();
    bencher.counter(ItemsCount::new(TORRENTS)).bench_local(|| {
        for number in 0..TORRENTS {
            catalog.observe(id(number), figures(1), moment(2));
        }
    });
}

/// What a face is told after this many torrents changed.
#[divan::bench(args = [0, 100, 10_000])]
fn delta_after_changes(bencher: divan::Bencher<'_, '_>, changes: u32) {
    let mut catalog = catalog();
    let before = catalog.revision();
    for number in 0..changes {
        catalog.observe(id(number * (TORRENTS / changes)), figures(2), moment(2));
    }
    bencher.bench_local(|| {
        let delta = catalog.delta(Some(before));
        assert_eq!(delta.torrents.len(), changes as usize);
        delta.torrents.iter().map(|(_, fields)| fields.iter().count()).sum::<usize>()
    });
}

/// A look at all torrents, as every ten seconds.
#[divan::bench]
fn sweep(bencher: divan::Bencher<'_, '_>) {
    let mut catalog = catalog();
    let mut second = 1;
    bencher.bench_local(|| {
        second += 10;
        catalog.tick(moment(second));
        catalog.dirty().len()
    });
}

/// The queue after something changed that it depends on.
#[divan::bench]
fn turns(bencher: divan::Bencher<'_, '_>) {
    let mut catalog = catalog();
    let mut mode = piecework_catalog::Mode::Queued;
    bencher.bench_local(|| {
        mode = match mode {
            piecework_catalog::Mode::Queued => piecework_catalog::Mode::Forced,
            _ => piecework_catalog::Mode::Queued,
        };
        let command = Command::SetMode(vec![id(7)], mode);
        catalog.command(command, moment(2)).expect("it is there");
        catalog.poll()
    });
}

/// A restart with ten thousand records.
#[divan::bench(sample_count = 10)]
fn restore(bencher: divan::Bencher<'_, '_>) {
    let records: Vec<Record> =
        catalog().torrents().map(|torrent| torrent.record().clone()).collect();
    bencher
        .with_inputs(|| (Catalog::new(Rules::default(), 1), records.clone()))
        .bench_local_values(|(mut catalog, records)| {
            let restored = catalog.restore(records, [].into(), [].into(), false);
            restored.expect("they were written by us");
            catalog.tick(moment(3));
            catalog
        });
}
