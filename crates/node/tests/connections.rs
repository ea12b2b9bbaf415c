//! What a shard owes to its connections, seen from the other end of a socket.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_metainfo::Magnet;
use piecework_node::{AddTorrent, Engine, EngineConfig, PortChoice, Source};
use piecework_testkit::{FakeTracker, Fixture, FixtureBuilder, PATIENCE, TrackerAnswer, download};
use piecework_tracker::Event;
use piecework_types::PeerId;
use piecework_wire::{Handshake, Message, Request, Reserved, block_header, encode};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longer than a block of 16 KiB, as some clients ask.
const LONG_BLOCK_BYTES: u32 = 128 * 1024;

fn engine(folder: &Path, up_limit: Option<u64>) -> Engine {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    config.up_limit = up_limit;
    Engine::start(&config).unwrap()
}

fn add_seed(engine: &Engine, fixture: &Fixture, folder: &Path) {
    fixture.write_payload(folder).unwrap();
    let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
    let mut spec = AddTorrent::new(source, folder.to_owned());
    (spec.is_trusted, spec.is_seed_only) = (true, true);
    engine.add(spec).unwrap();
}

/// An engine that has a torrent of two long blocks.
fn seed(folder: &Path) -> (Engine, Fixture) {
    let torrent = FixtureBuilder::file("seeded", 2 * LONG_BLOCK_BYTES as usize);
    let fixture = torrent.piece_length(2 * LONG_BLOCK_BYTES).build();
    let engine = engine(folder, None);
    add_seed(&engine, &fixture, folder);
    (engine, fixture)
}

/// A connection whose handshakes are through.
fn connect(engine: &Engine, fixture: &Fixture, number: u8) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, engine.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let peer_id = PeerId([number; 20]);
    let info_hash = fixture.info_hash();
    let ours = Handshake { reserved: Reserved::default(), info_hash, peer_id };
    stream.write_all(&ours.encode()).unwrap();
    stream.read_exact(&mut [0; 68]).unwrap();
    stream
}

/// Reads up to the first message with this number and gives what follows the number.
fn wait_for(stream: &mut TcpStream, number: u8) -> Vec<u8> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut message = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut message).unwrap();
        if message.first() == Some(&number) {
            return message.split_off(1);
        }
    }
}

fn send(stream: &mut TcpStream, messages: &[Message]) {
    let mut bytes = Vec::new();
    messages.iter().for_each(|message| encode(message, &mut bytes));
    stream.write_all(&bytes).unwrap();
}

#[test]
fn blocks_longer_than_usual_are_served_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, fixture) = seed(folder.path());
    let mut stream = connect(&engine, &fixture, 1);
    send(&mut stream, &[Message::Interested]);
    wait_for(&mut stream, 1);
    let asked =
        [0, LONG_BLOCK_BYTES].map(|begin| Request { piece: 0, begin, length: LONG_BLOCK_BYTES });
    send(&mut stream, &asked.map(Message::Request));
    for request in asked {
        let expected = [&block_header(request)[5..], &fixture.block(request).unwrap()].concat();
        assert!(wait_for(&mut stream, 7) == expected, "{request:?} came with other bytes");
    }
}

#[test]
fn a_peer_whose_end_comes_with_its_last_bytes_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, fixture) = seed(folder.path());
    for number in 1..=20 {
        let mut stream = connect(&engine, &fixture, number);
        send(&mut stream, &[Message::KeepAlive, Message::Interested]);
        stream.shutdown(Shutdown::Write).unwrap();
        // A reset is as good an end; only waiting in vain is none.
        if let Err(error) = stream.read_to_end(&mut Vec::new()) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
}

#[test]
fn torrents_share_an_upload_limit_in_turns() {
    const BYTES: usize = 512 * 1024;
    let rate = BYTES as u64;
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), Some(rate));
    let fixtures = ["first", "second"].map(|name| FixtureBuilder::file(name, BYTES).build());
    fixtures.iter().for_each(|fixture| add_seed(&engine, fixture, folder.path()));
    let address = (Ipv4Addr::LOCALHOST, engine.port()).into();
    let begin = Instant::now();
    let mut times = std::thread::scope(|scope| {
        let timed = |fixture| {
            assert_eq!(download(fixture, address).unwrap().bytes, rate);
            begin.elapsed()
        };
        let threads = fixtures.each_ref().map(|fixture| scope.spawn(move || timed(fixture)));
        threads.map(|thread| thread.join().unwrap())
    });
    times.sort_unstable();
    let [first, last] = times;
    // Two seconds' worth of bytes, of which a quarter of a second's passes at once.
    assert!(last >= Duration::from_millis(1700), "the limit was passed: {last:?}");
    assert!(first * 3 > last * 2, "one torrent waited for the other: {times:?}");
}

#[test]
fn a_dropped_engine_closes_its_connections() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, fixture) = seed(folder.path());
    let mut stream = connect(&engine, &fixture, 1);
    let port = engine.port();
    drop(engine);
    stream.read_to_end(&mut Vec::new()).unwrap();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}

#[test]
fn a_tracker_that_says_nothing_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = FixtureBuilder::file("wanted", 1).build();
    let trackers = [FakeTracker::http, FakeTracker::udp].map(|start| start(TrackerAnswer::Silence));
    let urls = trackers.iter().map(|tracker| tracker.url().to_owned()).collect();
    let magnet = Magnet { trackers: urls, ..fixture.magnet(&[]) };
    let engine = engine(folder.path(), None);
    let source = Source::Magnet(Box::new(magnet));
    engine.add(AddTorrent::new(source, folder.path().to_owned())).unwrap();
    trackers[0].wait(Event::Started);
    let begin = Instant::now();
    engine.shutdown(PATIENCE);
    assert!(begin.elapsed() < Duration::from_secs(3), "it took {:?}", begin.elapsed());
}
