//! How long an engine takes to load many complete torrents from the state folder, as after a restart.
//!
//! `start COUNT FOLDER`: the first run makes the torrents in the folder and the state; the next ones measure.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use piecework_metainfo::Metainfo;
use piecework_node::{AddTorrent, Engine, EngineConfig, PortChoice, Source, TorrentKey, What};
use piecework_testkit::FixtureBuilder;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(300);

fn main() {
    let mut args = std::env::args().skip(1);
    let count: usize = args.next().unwrap().parse().unwrap();
    let folder = args.next().unwrap();
    let folder = Path::new(&folder);
    if !folder.join("torrents").exists() {
        make(count, folder);
        run(folder, false, true);
    }
    for is_seed_only in [true, false] {
        run(folder, is_seed_only, false);
    }
}

fn make(count: usize, folder: &Path) {
    for number in 0..count {
        let builder = FixtureBuilder::folder(&format!("torrent{number}")).with("a", 20_000);
        let fixture = builder.with("b", 5_000).tracker("http://127.0.0.1:1/announce").build();
        fixture.write_payload(&folder.join("data")).unwrap();
        fs::create_dir_all(folder.join("torrents")).unwrap();
        fs::write(folder.join(format!("torrents/{number}")), fixture.torrent()).unwrap();
    }
}

/// With `flushes` it waits until all that was checked is durable, and at rest.
fn run(folder: &Path, is_seed_only: bool, flushes: bool) {
    let began = Instant::now();
    let mut config = EngineConfig::new(folder.join("state"));
    config.port = PortChoice::Any;
    let engine = Engine::start(&config).unwrap();
    let paths: Vec<_> = fs::read_dir(folder.join("torrents")).unwrap().collect();
    let parsed: Vec<Metainfo> = paths
        .into_iter()
        .map(|path| Metainfo::parse(&fs::read(path.unwrap().path()).unwrap()).unwrap())
        .collect();
    println!("{:?} to parse {}", began.elapsed(), parsed.len());
    let count = parsed.len();
    let began = Instant::now();
    let specs = parsed.into_iter().map(|metainfo| {
        let source = Source::Metainfo(Arc::new(metainfo));
        AddTorrent { is_seed_only, ..AddTorrent::new(source, folder.join("data")) }
    });
    let added = engine.add_many(specs.collect()).into_iter().map(Result::unwrap);
    let keys: Vec<TorrentKey> = added.collect();
    println!("{:?} to add, seed only: {is_seed_only}", began.elapsed());
    let (mut ready, mut done) = (0, 0);
    while ready < count || (!is_seed_only && done < count) {
        let event = engine.next_event(PATIENCE).unwrap();
        ready += usize::from(matches!(event.what, What::Ready { .. }));
        done += usize::from(matches!(event.what, What::Done));
    }
    let resting = || keys.iter().filter(|key| engine.figures(**key).unwrap().is_resting).count();
    println!("{:?} until all are ready, {} of {count} at rest", began.elapsed(), resting());
    while flushes && resting() < count && began.elapsed() < PATIENCE {
        engine.next_event(Duration::from_millis(500));
    }
    let began = Instant::now();
    engine.shutdown(PATIENCE);
    println!("{:?} to shut down", began.elapsed());
}
