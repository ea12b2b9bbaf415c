//! Stored data that goes away while an engine serves it, and comes back.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_node::{AddTorrent, Engine, EngineConfig, Event, PortChoice, Source, What};
use piecework_testkit::{
    Fixture, FixtureBuilder, Incoming, PATIENCE, PeerStream, claimed_pieces, download,
};
use piecework_types::{PeerId, PieceIndex};
use piecework_wire::{Message, Request};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const FILE_BYTES: usize = 128 * 1024;

fn fixture() -> Fixture {
    let folder = FixtureBuilder::folder("content");
    folder.with("first", FILE_BYTES).with("second", FILE_BYTES).piece_length(32_768).build()
}

fn engine(folder: &Path) -> Engine {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    config.retry_interval = Duration::from_millis(50);
    config.rest_after = None;
    Engine::start(&config).unwrap()
}

fn spec(fixture: &Fixture, folder: &Path) -> AddTorrent {
    let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
    AddTorrent::new(source, folder.join("data"))
}

/// An engine that serves the fixture from below `folder`.
fn seed(fixture: &Fixture, folder: &Path, is_trusted: bool) -> (Engine, SocketAddr) {
    fixture.write_payload(&folder.join("data")).unwrap();
    let engine = engine(folder);
    engine.add(AddTorrent { is_seed_only: true, is_trusted, ..spec(fixture, folder) }).unwrap();
    wait(&engine, |event| matches!(event, What::Ready { .. }).then_some(()));
    let address = (Ipv4Addr::LOCALHOST, engine.port()).into();
    (engine, address)
}

/// The first event for which `pick` gives something.
fn wait<T>(engine: &Engine, pick: impl Fn(&What) -> Option<T>) -> T {
    loop {
        let Event { what, .. } = engine.next_event(PATIENCE).expect("an event comes in time");
        if let Some(picked) = pick(&what) {
            return picked;
        }
    }
}

fn wait_problem(engine: &Engine) -> String {
    wait(engine, |event| match event {
        What::Problem(problem) => Some(problem.text.clone()),
        _ => None,
    })
}

fn wait_recovered(engine: &Engine) {
    wait(engine, |event| match event {
        What::Recovered => Some(()),
        What::Problem(problem) => panic!("told again: {}", problem.text),
        _ => None,
    });
}

/// Asks for the first block of a piece twice, and waits until the connection is closed for it.
fn ask_in_vain(fixture: &Fixture, address: SocketAddr, piece: u32) {
    let mut stream = PeerStream::connect(address).unwrap();
    stream.send_handshake(fixture.info_hash(), PeerId([piece as u8; 20])).unwrap();
    stream.receive_handshake().unwrap();
    stream.send(&Message::Interested).unwrap();
    while let Ok(incoming) = stream.receive(PATIENCE) {
        if matches!(incoming, Some(Incoming::Message(Message::Unchoke))) {
            for begin in [0, 16_384] {
                let request = Request { piece, begin, length: 16_384 };
                stream.send(&Message::Request(request)).unwrap();
            }
        }
        assert!(!matches!(incoming, None | Some(Incoming::Block(..))), "{incoming:?}");
    }
}

fn claimed(fixture: &Fixture, address: SocketAddr) -> Vec<u32> {
    claimed_pieces(fixture, address).unwrap().iter().map(PieceIndex::get).collect()
}

#[test]
fn a_file_that_is_put_back_is_served_again_without_a_restart() {
    for is_trusted in [false, true] {
        let (fixture, folder) = (fixture(), tempfile::tempdir().unwrap());
        let (seed, address) = seed(&fixture, folder.path(), is_trusted);
        let file = folder.path().join("data/content/first");
        let aside = folder.path().join("aside");
        std::fs::copy(&file, &aside).unwrap();
        std::fs::remove_file(&file).unwrap();
        // As long as it is open it is served.
        while claimed(&fixture, address).len() == 8 {
            drop(download(&fixture, address));
        }
        let text = wait_problem(&seed);
        assert!(text.contains("content/first") && text.contains("looked for"), "{text}");
        assert_eq!(claimed(&fixture, address), [4, 5, 6, 7]);

        let other = tempfile::tempdir().unwrap();
        let leech = engine(other.path());
        leech.add(AddTorrent { peers: vec![address], ..spec(&fixture, other.path()) }).unwrap();
        wait(&leech, |event| matches!(event, What::Ready { .. }).then_some(()));
        std::fs::rename(&aside, &file).unwrap();
        wait_recovered(&seed);
        wait(&leech, |event| matches!(event, What::Done).then_some(()));
        assert_eq!(fixture.faults(&other.path().join("data")), [""; 0]);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_once_a_piece_and_served_once_it_can() {
    let (fixture, folder) = (fixture(), tempfile::tempdir().unwrap());
    let (seed, address) = seed(&fixture, folder.path(), true);
    // The first resume data look at every file, and would tell of the whole one.
    let has_ending = |entry: std::fs::DirEntry| entry.path().extension() == Some("resume".as_ref());
    let state = || std::fs::read_dir(folder.path().join("state")).unwrap();
    while !state().any(|entry| has_ending(entry.unwrap())) {
        std::thread::yield_now();
    }
    let file = folder.path().join("data/content/second");
    let aside = folder.path().join("aside");
    std::fs::rename(&file, &aside).unwrap();
    // Never followed, so the file is there and cannot be read.
    symlink(&aside, &file).unwrap();
    for piece in 4..8 {
        ask_in_vain(&fixture, address, piece);
        let text = wait_problem(&seed);
        let expected = format!("piece {piece} is not offered");
        assert!(text.contains("content/second") && text.contains(&expected), "{text}");
    }
    assert_eq!(claimed(&fixture, address), [0, 1, 2, 3]);
    std::fs::rename(&aside, &file).unwrap();
    wait_recovered(&seed);
    assert_eq!(download(&fixture, address).unwrap().bytes, 2 * FILE_BYTES as u64);
}
