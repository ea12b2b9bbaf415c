//! An engine ends: one whose start failed half-way, and one whose drive hangs.
//!
//! In a process of its own, for the first takes descriptors away from all of it.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_node::{AddTorrent, Engine, EngineConfig, PortChoice, Source, StartError, What};
use piecework_testkit::{FixtureBuilder, PATIENCE};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

fn config(folder: &Path) -> EngineConfig {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    config
}

/// The threads of this process with such a name.
fn threads(prefix: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.starts_with(prefix)).count()
}

#[test]
fn an_engine_ends_also_when_its_start_failed_or_its_drive_hangs() {
    a_start_that_fails_half_way_leaves_no_thread();
    a_drive_that_hangs_does_not_hold_up_a_shutdown();
}

fn a_start_that_fails_half_way_leaves_no_thread() {
    let folder = tempfile::tempdir().unwrap();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit }).unwrap();
    let started = Engine::start(&EngineConfig { shards: 64, ..config(folder.path()) });
    setrlimit(Resource::Nofile, limit).unwrap();
    assert!(matches!(started, Err(StartError::System(_))));
    for name in ["shard-", "worker-", "keeper", "sync"] {
        assert_eq!(threads(name), 0, "{name}");
    }
}

fn a_drive_that_hangs_does_not_hold_up_a_shutdown() {
    let (fixture, folder) = (FixtureBuilder::file("seeded", 100_000).build(), tempfile::tempdir());
    let folder = folder.unwrap();
    fixture.write_payload(folder.path()).unwrap();
    let start = || {
        let engine = Engine::start(&config(folder.path())).unwrap();
        let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
        let spec = AddTorrent::new(source, folder.path().to_owned());
        let key = engine.add(AddTorrent { is_seed_only: true, ..spec }).unwrap();
        while !matches!(engine.next_event(PATIENCE).unwrap().what, What::Ready { .. }) {}
        (engine, key)
    };
    start().0.shutdown(PATIENCE);
    let files = fs::read_dir(folder.path().join("state")).unwrap();
    let mut paths = files.map(|entry| entry.unwrap().path());
    let record = paths.find(|path| path.extension() == Some("resume".as_ref())).unwrap();
    // Who writes it waits for a reader that never comes.
    let new = PathBuf::from(format!("{}.new", record.display()));
    mknodat(CWD, &new, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let (engine, key) = start();
    // Its last resume data are asked for, and it does not wait for them for ever.
    engine.remove(key);
    while !matches!(engine.next_event(PATIENCE).unwrap().what, What::Stopped) {}
    let (ended, end) = channel();
    std::thread::spawn(move || {
        engine.shutdown(Duration::from_millis(50));
        ended.send(()).unwrap();
    });
    end.recv_timeout(PATIENCE).expect("it ends although the drive hangs");
    assert!(threads("keeper") > 0, "nothing hung");
}
