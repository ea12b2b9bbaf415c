//! The order of pieces as a user asks for it: a reader's window first, or a selection from its beginning.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_node::{
    AddTorrent, Engine, EngineConfig, FilePriorities, Playback, PortChoice, Source, What,
};
use piecework_testkit::{Behaviour, FakePeer, Fixture, FixtureBuilder, PATIENCE};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

const PIECE_BYTES: u32 = 32_768;
/// What the machine calls urgent at least.
const WINDOW_PIECES: usize = 8;

fn engine(folder: &Path) -> Engine {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    Engine::start(&config).unwrap()
}

/// 64 pieces, half of them in each file.
fn fixture() -> Fixture {
    let bytes = 32 * PIECE_BYTES as usize;
    let folder = FixtureBuilder::folder("content").piece_length(PIECE_BYTES);
    folder.with("first", bytes).with("second", bytes).build()
}

fn metainfo(fixture: &Fixture) -> Source {
    Source::Metainfo(Arc::new(fixture.metainfo().clone()))
}

/// The pieces asked first, in order and once each.
fn asked(seed: &FakePeer, count: usize) -> Vec<u32> {
    let stats = seed.wait("so many pieces asked", |stats| stats.pieces_asked().len() >= count);
    let mut seen = BTreeSet::new();
    let pieces = stats.requests.iter().map(|request| request.piece);
    pieces.filter(|piece| seen.insert(*piece)).take(count).collect()
}

/// A seed that stops at the end of the window, so that the rest is asked as slowly as it gets.
fn slow_seed(fixture: &Fixture) -> FakePeer {
    let bytes = WINDOW_PIECES as u64 * u64::from(PIECE_BYTES);
    FakePeer::builder(fixture, Behaviour::Honest).hold_after(bytes).start()
}

fn wait_done(engine: &Engine) {
    while !matches!(engine.next_event(PATIENCE).unwrap().what, What::Done) {}
}

#[test]
fn the_pieces_of_a_readers_window_come_first_though_others_are_rarer() {
    let fixture = fixture();
    let playback = Playback { file: 1, offset: 5 * u64::from(PIECE_BYTES) + 7, rate_bytes: 0 };
    let window: Vec<u32> = (37..45).collect();
    let magnet = || Source::Magnet(Box::new(fixture.magnet(&[])));
    let cases = [
        (metainfo(&fixture), Some(playback)),
        (magnet(), Some(playback)),
        (metainfo(&fixture), None),
        (metainfo(&fixture), Some(Playback { file: 2, ..playback })),
    ];
    for (source, streams) in cases {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path());
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, engine.port()).into();
        let key = engine.add(AddTorrent::new(source, folder.path().join("data"))).unwrap();
        engine.stream(key, streams);
        // It makes the window's pieces common and gives none.
        let common = FakePeer::builder(&fixture, Behaviour::NeverUnchokes);
        let common = common.pieces(window.iter().copied()).start();
        common.dial(address).unwrap();
        let seed = slow_seed(&fixture);
        seed.dial(address).unwrap();
        // Not all of them: a peer that seems slow at times is asked for something else, as what is urgent is
        // not for such. Nor none of them: the first four are drawn by lot.
        let first = asked(&seed, WINDOW_PIECES + 1);
        let is_streamed = streams.is_some_and(|playback| playback.file < 2);
        let of_window = window.iter().filter(|piece| first.contains(piece)).count();
        let is_as_asked = if is_streamed { of_window >= 6 } else { of_window <= 4 };
        assert!(is_as_asked, "{streams:?}: {first:?}");
        engine.stream(key, None);
        seed.release();
        wait_done(&engine);
        assert_eq!(fixture.faults(&folder.path().join("data")), [""; 0]);
    }
}

#[test]
fn a_selection_is_fetched_in_order_when_that_is_asked_and_nothing_beside_it() {
    let fixture = fixture();
    let selections: [([u8; 2], Vec<u32>); 3] =
        [([0, 4], (32..64).collect()), ([7, 0], (0..32).collect()), ([4, 4], (0..64).collect())];
    for (priorities, wanted) in selections {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path());
        let seed = FakePeer::seed(&fixture);
        let choose: FilePriorities = Arc::new(move |_| priorities.to_vec());
        let mut spec = AddTorrent::new(metainfo(&fixture), folder.path().join("data"));
        (spec.priorities, spec.is_sequential) = (Some(choose), true);
        spec.peers = vec![seed.address()];
        engine.add(spec).unwrap();
        wait_done(&engine);
        assert_eq!(asked(&seed, wanted.len()), wanted, "{priorities:?}");
        assert_eq!(seed.stats().pieces_asked(), wanted, "{priorities:?}");
    }
}
