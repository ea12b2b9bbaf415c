//! Files that lie elsewhere than the torrent says: fetched there, and known there after a restart.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_node::{AddTorrent, Engine, EngineConfig, FilePaths, PortChoice, Source, What};
use piecework_testkit::{FakePeer, Fixture, FixtureBuilder, PATIENCE};
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn engine(folder: &Path) -> Engine {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    Engine::start(&config).unwrap()
}

fn spec(fixture: &Fixture, folder: &Path) -> AddTorrent {
    let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
    let paths: FilePaths = Arc::new(|_| vec!["mine/one".into(), "two/../deep/2".into()]);
    AddTorrent { paths: Some(paths), ..AddTorrent::new(source, folder.to_owned()) }
}

#[test]
fn files_are_fetched_to_chosen_places_and_are_complete_there_at_the_next_start() {
    let fixture = FixtureBuilder::folder("t").with("a", 100_000).with("b", 70_000).build();
    let folder = tempfile::tempdir().unwrap();
    let seed = FakePeer::seed(&fixture);
    let first = engine(folder.path());
    let data = folder.path().join("data");
    let wanted = AddTorrent { peers: vec![seed.address()], ..spec(&fixture, &data) };
    first.add(wanted).unwrap();
    while !matches!(first.next_event(PATIENCE).unwrap().what, What::Done) {}
    first.shutdown(PATIENCE);
    let contents: Vec<Vec<u8>> =
        fixture.stored(&data).map(|(_, content)| content.to_vec()).collect();
    assert_eq!(fs::read(data.join("mine/one")).unwrap(), contents[0]);
    assert_eq!(fs::read(data.join("two/_/deep/2")).unwrap(), contents[1]);
    assert!(!data.join("t").exists());

    let second = engine(folder.path());
    let key = second.add(AddTorrent { is_seed_only: true, ..spec(&fixture, &data) }).unwrap();
    while !matches!(second.next_event(PATIENCE).unwrap().what, What::Ready { .. }) {}
    let resume = second.figures(key).unwrap();
    assert_eq!((resume.have, resume.checked), (fixture.grid().piece_count(), (0, 0)));
}
