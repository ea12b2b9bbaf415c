//! A complete torrent that nobody asks for leaves memory, and nobody who comes notices.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_metainfo::Version;
use piecework_node::{
    AddTorrent, Engine, EngineConfig, PortChoice, Source, Status, TorrentKey, What,
};
use piecework_testkit::{Fixture, FixtureBuilder, PATIENCE, claimed_pieces, download};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const BYTES: usize = 700_000;

/// An engine that seeds the fixture, of which nobody wants anything yet.
fn seed(folder: &Path, fixture: &Fixture) -> (Engine, TorrentKey) {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    let engine = Engine::start(&config).unwrap();
    fixture.write_payload(folder).unwrap();
    let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
    let mut spec = AddTorrent::new(source, folder.to_owned());
    (spec.is_trusted, spec.is_seed_only) = (true, true);
    let key = engine.add(spec).unwrap();
    (engine, key)
}

/// Waits until the figures are like that; they are published, and no event tells of them.
fn wait(engine: &Engine, key: TorrentKey, is_it: impl Fn(&Status) -> bool) -> Status {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = engine.status(key).unwrap();
        if is_it(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{status:?}");
        engine.next_event(Duration::from_millis(10));
    }
}

fn address(engine: &Engine) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, engine.port()).into()
}

fn kept(folder: &Path, fixture: &Fixture) -> PathBuf {
    folder.join(format!("state/{}.torrent", fixture.info().hashes().primary()))
}

#[test]
fn who_connects_to_a_resting_torrent_is_served_as_ever() {
    for version in [Version::V1, Version::Hybrid, Version::V2] {
        let folder = tempfile::tempdir().unwrap();
        let fixture = FixtureBuilder::file("rested", BYTES).version(version).build();
        let (engine, key) = seed(folder.path(), &fixture);
        let resting = wait(&engine, key, |status| status.is_resting);
        assert!(resting.is_complete && resting.have == resting.pieces && resting.have > 0);
        assert_eq!(download(&fixture, address(&engine)).unwrap().bytes, BYTES as u64);
        let awake = wait(&engine, key, |status| status.up_bytes == BYTES as u64);
        assert!(!awake.is_resting);
        assert_eq!(awake.have, resting.have);
    }
}

#[test]
fn a_wake_is_no_news_to_the_faces() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = FixtureBuilder::file("quiet", BYTES).build();
    let (engine, key) = seed(folder.path(), &fixture);
    wait(&engine, key, |status| status.is_resting);
    while engine.next_event(Duration::ZERO).is_some() {}
    download(&fixture, address(&engine)).unwrap();
    engine.remove(key);
    let first = engine.next_event(PATIENCE).unwrap();
    assert!(matches!(first.what, What::Stopped), "{first:?}");
}

#[test]
fn a_file_that_was_taken_away_meanwhile_is_found_missing_and_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = FixtureBuilder::file("taken", BYTES).build();
    let (engine, key) = seed(folder.path(), &fixture);
    wait(&engine, key, |status| status.is_resting);
    while engine.next_event(Duration::ZERO).is_some() {}
    let (file, aside) = (folder.path().join("taken"), folder.path().join("aside"));
    fs::rename(&file, &aside).unwrap();
    // Nobody can be served, but the torrent wakes for whoever comes, and finds out.
    drop(claimed_pieces(&fixture, address(&engine)));
    let event = engine.next_event(PATIENCE).unwrap();
    assert!(
        matches!(&event.what, What::Problem(problem) if problem.text.contains("taken")),
        "{event:?}"
    );
    wait(&engine, key, |status| status.have == 0);
    fs::rename(&aside, &file).unwrap();
    wait(&engine, key, |status| status.have == status.pieces);
    assert_eq!(download(&fixture, address(&engine)).unwrap().bytes, BYTES as u64);
}

#[test]
fn a_torrent_whose_state_is_damaged_is_served_after_a_new_start() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = FixtureBuilder::file("damaged", BYTES).build();
    let (engine, key) = seed(folder.path(), &fixture);
    wait(&engine, key, |status| status.is_resting);
    fs::write(kept(folder.path(), &fixture), "damaged").unwrap();
    assert!(download(&fixture, address(&engine)).is_err());
    drop(engine);
    let (engine, key) = seed(folder.path(), &fixture);
    wait(&engine, key, |status| status.is_resting);
    assert_eq!(download(&fixture, address(&engine)).unwrap().bytes, BYTES as u64);
}

#[test]
fn a_torrent_whose_state_is_gone_says_so_and_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = FixtureBuilder::file("lost", BYTES).build();
    let (engine, key) = seed(folder.path(), &fixture);
    wait(&engine, key, |status| status.is_resting);
    while engine.next_event(Duration::ZERO).is_some() {}
    fs::remove_file(kept(folder.path(), &fixture)).unwrap();
    assert!(download(&fixture, address(&engine)).is_err());
    let event = engine.next_event(PATIENCE).unwrap();
    assert!(
        matches!(&event.what, What::Problem(problem) if problem.text.contains("start again")),
        "{event:?}"
    );
    engine.remove(key);
    assert!(matches!(engine.next_event(PATIENCE).unwrap().what, What::Stopped));
}

#[test]
fn a_torrent_that_somebody_else_keeps_wakes_from_there_and_is_not_kept_twice() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = FixtureBuilder::file("kept", BYTES).version(Version::Hybrid).build();
    fixture.write_payload(folder.path()).unwrap();
    let mut config = EngineConfig::new(folder.path().join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    config.rest_after = Some(Duration::ZERO);
    let engine = Engine::start(&config).unwrap();
    let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
    let mut spec = AddTorrent::new(source, folder.path().to_owned());
    let bytes = fixture.torrent().to_vec();
    spec.is_trusted = true;
    spec.kept = Some(Arc::new(move || Some(bytes.clone())));
    let key = engine.add(spec).unwrap();
    wait(&engine, key, |status| status.is_resting);
    assert_eq!(download(&fixture, address(&engine)).unwrap().bytes, BYTES as u64);
    wait(&engine, key, |status| status.is_resting && status.up_bytes == BYTES as u64);
    assert!(!kept(folder.path(), &fixture).exists());
}

#[test]
fn files_of_a_wrong_size_are_not_taken_for_whole_whoever_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = FixtureBuilder::file("cut", BYTES).build();
    fixture.write_payload(folder.path()).unwrap();
    fs::File::options().write(true).open(folder.path().join("cut")).unwrap().set_len(9).unwrap();
    let mut config = EngineConfig::new(folder.path().join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    let engine = Engine::start(&config).unwrap();
    let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
    let mut spec = AddTorrent::new(source, folder.path().to_owned());
    spec.is_trusted = true;
    let key = engine.add(spec).unwrap();
    let status = wait(&engine, key, |status| status.wanted_bytes > 0);
    assert!(!status.is_resting && !status.is_complete && status.left_bytes > 0, "{status:?}");
}

#[test]
fn many_complete_torrents_rest_from_the_start_and_say_that_they_are_done() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures: Vec<Fixture> =
        (0..40).map(|number| FixtureBuilder::file(&format!("t{number}"), 20_000).build()).collect();
    fixtures.iter().for_each(|fixture| fixture.write_payload(folder.path()).unwrap());
    for is_restart in [false, true] {
        let spec = |fixture: &Fixture| {
            let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
            let spec = AddTorrent::new(source, folder.path().to_owned());
            // The user's word counts for as much as a flush.
            AddTorrent { is_trusted: !is_restart, ..spec }
        };
        let mut config = EngineConfig::new(folder.path().join("state"));
        (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
        let engine = Engine::start(&config).unwrap();
        let added = engine.add_many(fixtures.iter().chain([&fixtures[3]]).map(spec).collect());
        let (added, again) = added.split_at(fixtures.len());
        // Which of two threads came first with the same torrent is open.
        let twice = [&added[3], &again[0]];
        assert_eq!(twice.iter().filter(|added| added.is_err()).count(), 1);
        assert_eq!(added.iter().chain(again).filter(|added| added.is_ok()).count(), 40);
        let (mut metadata, mut ready, mut done) = (0, 0, 0);
        while done < fixtures.len() {
            match engine.next_event(PATIENCE).unwrap().what {
                What::Metadata { .. } => metadata += 1,
                What::Ready { .. } => ready += 1,
                What::Done => done += 1,
                what => panic!("{what:?}"),
            }
        }
        assert_eq!((metadata, ready), (40, 40));
        let keys = added.iter().chain(again).filter_map(|added| added.as_ref().ok());
        for &key in keys {
            let status = engine.status(key).unwrap();
            assert!(status.is_resting && status.is_complete);
            assert_eq!((status.wanted_bytes, status.left_bytes), (20_000, 0));
        }
        assert_eq!(download(&fixtures[7], address(&engine)).unwrap().bytes, 20_000);
        engine.shutdown(PATIENCE);
    }
}
