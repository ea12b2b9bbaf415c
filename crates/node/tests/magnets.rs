//! A magnet's files are looked at by a thread of their own: what a drive does to it is nobody else's.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_node::{
    AddTorrent, Engine, EngineConfig, Event, Phase, PortChoice, Source, TorrentKey, What,
};
use piecework_testkit::{FakePeer, Fixture, FixtureBuilder, PATIENCE};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

fn engine(folder: &Path) -> Engine {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    Engine::start(&config).unwrap()
}

/// A torrent whose info dictionary does not fit into a pipe: who writes it there waits for a reader.
fn fixture() -> Fixture {
    let name = "x".repeat(200);
    (0..400)
        .fold(FixtureBuilder::folder("hung"), |it, at| it.with(&format!("{at}{name}"), 1))
        .build()
}

fn metainfo(fixture: &Fixture) -> Source {
    Source::Metainfo(Arc::new(fixture.metainfo().clone()))
}

/// A drive that hangs: a pipe stands where the metadata is to be written.
struct Hung {
    pipe: PathBuf,
}

impl Hung {
    fn new(folder: &Path, fixture: &Fixture) -> Self {
        let state = folder.join("state");
        fs::create_dir_all(&state).unwrap();
        let pipe = state.join(format!("{}.info.new", fixture.info().hashes().primary()));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        Self { pipe }
    }

    /// Waits until somebody hangs; reading from it lets him go.
    fn wait(&self) -> File {
        File::open(&self.pipe).unwrap()
    }
}

fn add_magnet(engine: &Engine, fixture: &Fixture, seed: &FakePeer, folder: &Path) -> TorrentKey {
    let source = Source::Magnet(Box::new(fixture.magnet(&[])));
    let spec = AddTorrent::new(source, folder.join("data"));
    engine.add(AddTorrent { peers: vec![seed.address()], ..spec }).unwrap()
}

fn wait(engine: &Engine, key: TorrentKey, is_it: impl Fn(&What) -> bool) {
    loop {
        let event: Event = engine.next_event(PATIENCE).expect("an event comes in time");
        if event.key == key && is_it(&event.what) {
            return;
        }
    }
}

#[test]
fn a_magnet_on_a_drive_that_hangs_holds_up_no_other_torrent_of_its_shard() {
    let (hanging, other) = (fixture(), FixtureBuilder::file("other", 300_000).build());
    let folder = tempfile::tempdir().unwrap();
    let hung = Hung::new(folder.path(), &hanging);
    let seeds = [&hanging, &other].map(FakePeer::seed);
    let engine = engine(folder.path());
    let magnet = add_magnet(&engine, &hanging, &seeds[0], folder.path());
    let mut pipe = hung.wait();
    let spec = AddTorrent::new(metainfo(&other), folder.path().join("data"));
    let key = engine.add(AddTorrent { peers: vec![seeds[1].address()], ..spec }).unwrap();
    wait(&engine, key, |what| matches!(what, What::Done));
    assert_eq!(engine.status(magnet).unwrap().phase, Phase::Metadata);
    pipe.read_to_end(&mut Vec::new()).unwrap();
    wait(&engine, magnet, |what| matches!(what, What::Done));
    assert_eq!(hanging.faults(&folder.path().join("data")), [""; 0]);
}

#[test]
fn a_magnet_that_is_stopped_while_its_drive_hangs_leaves_no_lock() {
    for is_released_before in [true, false] {
        let (fixture, folder) = (fixture(), tempfile::tempdir().unwrap());
        let hung = Hung::new(folder.path(), &fixture);
        let seed = FakePeer::seed(&fixture);
        let engine = engine(folder.path());
        let key = add_magnet(&engine, &fixture, &seed, folder.path());
        let mut pipe = hung.wait();
        engine.remove(key);
        if is_released_before {
            assert!(engine.next_event(Duration::ZERO).is_none(), "it ended in the middle");
            pipe.read_to_end(&mut Vec::new()).unwrap();
        }
        wait(&engine, key, |what| matches!(what, What::Stopped));
        let spec = AddTorrent::new(metainfo(&fixture), folder.path().join("data"));
        let again = engine.add(AddTorrent { peers: vec![seed.address()], ..spec }).unwrap();
        if !is_released_before {
            pipe.read_to_end(&mut Vec::new()).unwrap();
        }
        wait(&engine, again, |what| matches!(what, What::Done));
    }
}

#[test]
fn damaged_metadata_of_an_earlier_run_is_fetched_again() {
    let fixture = FixtureBuilder::file("kept", 100_000).build();
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let kept = folder.path().join(format!("state/{}.info", fixture.info().hashes().primary()));
    fs::write(&kept, "damaged").unwrap();
    let seed = FakePeer::seed(&fixture);
    let key = add_magnet(&engine, &fixture, &seed, folder.path());
    wait(&engine, key, |what| matches!(what, What::Done));
    assert_eq!(fs::read(&kept).unwrap(), **fixture.info().raw());
}
