//! Two nodes with each setting of encryption between them, and what passes on the wire.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_node::{
    AddTorrent, Encryption, Engine, EngineConfig, PortChoice, Source, TorrentKey, What,
};
use piecework_testkit::{FakePeer, Fixture, FixtureBuilder, PATIENCE, download};
use piecework_types::Blame;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use Encryption::{Off, Prefer, Require};

const PROTOCOL: &[u8] = b"BitTorrent protocol";

/// Passes connections on and keeps what passes, both directions in one.
struct Wire {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::default());
        let wire = Self { address, seen: Arc::clone(&seen) };
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let seen = Arc::clone(&seen);
                    std::thread::spawn(move || pass(from, to, &seen));
                }
            }
        });
        wire
    }

    /// How often this has passed.
    fn shows(&self, what: &[u8]) -> usize {
        self.seen.lock().unwrap().windows(what.len()).filter(|window| *window == what).count()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, seen: &Mutex<Vec<u8>>) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let got = match from.read(&mut buffer) {
            Ok(0) | Err(_) => return to.shutdown(Shutdown::Write),
            Ok(got) => got,
        };
        seen.lock().unwrap().extend_from_slice(&buffer[..got]);
        to.write_all(&buffer[..got])?;
    }
}

fn engine(folder: &Path, encryption: Encryption) -> Engine {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    config.encryption = encryption;
    Engine::start(&config).unwrap()
}

fn spec(fixture: &Fixture, folder: &Path) -> AddTorrent {
    AddTorrent::new(Source::Metainfo(Arc::new(fixture.metainfo().clone())), folder.to_owned())
}

fn seed(fixture: &Fixture, folder: &Path, encryption: Encryption) -> (Engine, TorrentKey) {
    fixture.write_payload(folder).unwrap();
    let engine = engine(folder, encryption);
    let seed = AddTorrent { is_trusted: true, is_seed_only: true, ..spec(fixture, folder) };
    let key = engine.add(seed).unwrap();
    (engine, key)
}

/// The text of the first problem that a setting is to blame for.
fn refusal(engine: &Engine) -> String {
    loop {
        let event = engine.next_event(PATIENCE).expect("a refusal is told in time");
        if let What::Problem(problem) = event.what {
            assert_eq!((problem.blame, problem.is_fatal), (Blame::Policy, false));
            return problem.text;
        }
    }
}

/// Waits until the download is there or has failed.
fn done(engine: &Engine) {
    while !matches!(engine.next_event(PATIENCE).expect("it is done in time").what, What::Done) {}
}

#[test]
fn two_nodes_meet_as_their_settings_allow() {
    let fixture = FixtureBuilder::file("met", 300_000).build();
    let payload =
        &fixture.block(piecework_wire::Request { piece: 0, begin: 0, length: 64 }).unwrap();
    // What the wire shows: plaintext handshakes, of which the caller's is hidden if it encrypts first, and
    // payload.
    let cases = [
        (Prefer, Prefer, (1, 1)),
        (Prefer, Require, (0, 0)),
        (Require, Prefer, (0, 0)),
        (Require, Require, (0, 0)),
        (Prefer, Off, (2, 1)),
        (Off, Prefer, (2, 1)),
        (Off, Off, (2, 1)),
    ];
    for (ours, theirs, shown) in cases {
        let case = format!("{ours:?} calls {theirs:?}");
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (seed, _key) = seed(&fixture, folders[0].path(), theirs);
        let wire = Wire::to(seed.port());
        let engine = engine(folders[1].path(), ours);
        let spec = spec(&fixture, folders[1].path());
        engine.add(AddTorrent { peers: vec![wire.address], ..spec }).unwrap();
        done(&engine);
        assert_eq!(fixture.faults(folders[1].path()), [""; 0], "{case}");
        assert_eq!((wire.shows(PROTOCOL), wire.shows(payload)), shown, "{case}");
    }
}

#[test]
fn a_node_that_requires_encryption_refuses_one_that_has_none_and_says_why() {
    let fixture = FixtureBuilder::file("refused", 100_000).build();
    for (ours, theirs) in [(Require, Off), (Off, Require)] {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (seed, _key) = seed(&fixture, folders[0].path(), theirs);
        let engine = engine(folders[1].path(), ours);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, seed.port()));
        let spec = spec(&fixture, folders[1].path());
        let key = engine.add(AddTorrent { peers: vec![address], ..spec }).unwrap();
        let text = refusal(if ours == Require { &engine } else { &seed });
        assert!(text.contains("--encryption prefer"), "{text}");
        assert_eq!(engine.status(key).unwrap().down_bytes, 0);
    }
}

#[test]
fn a_peer_that_knows_no_encryption_is_called_again_in_plaintext_at_once() {
    let fixture = FixtureBuilder::file("plain", 100_000).build();
    let (peer, folder) = (FakePeer::seed(&fixture), tempfile::tempdir().unwrap());
    let engine = engine(folder.path(), Prefer);
    let spec = spec(&fixture, folder.path());
    let key = engine.add(AddTorrent { peers: vec![peer.address()], ..spec }).unwrap();
    done(&engine);
    assert_eq!(engine.status(key).unwrap().encrypted, 0);
}

#[test]
fn an_encrypted_peer_wakes_a_torrent_that_rests_and_is_counted() {
    let fixture = FixtureBuilder::file("resting", 300_000).build();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (seed, resting) = seed(&fixture, folders[0].path(), Prefer);
    while !seed.status(resting).unwrap().is_resting {
        seed.next_event(Duration::from_millis(10));
    }
    let (begin, engine) = (Instant::now(), engine(folders[1].path(), Require));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, seed.port()));
    // Slow enough to be looked at.
    let limits = AddTorrent { down_limit: Some(64 * 1024), ..spec(&fixture, folders[1].path()) };
    let key = engine.add(AddTorrent { peers: vec![address], ..limits }).unwrap();
    let counted = [(&engine, key), (&seed, resting)];
    while counted.iter().any(|(engine, key)| engine.status(*key).unwrap().encrypted != 1) {
        assert!(begin.elapsed() < PATIENCE, "it never came");
        assert!(!engine.status(key).unwrap().is_complete, "it went by unseen");
        engine.next_event(Duration::from_millis(10));
    }
}

#[test]
fn a_flood_of_half_handshakes_keeps_nobody_else_out() {
    let fixture = FixtureBuilder::file("flooded", 100_000).build();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (seed, _key) = seed(&fixture, folders[0].path(), Prefer);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, seed.port()));
    let flood: Vec<_> = (0..600)
        .map(|number| {
            let mut stream = TcpStream::connect(address).unwrap();
            let more = if number % 2 == 0 { 0 } else { 100 };
            // The later ones are refused, perhaps while they still write.
            drop(stream.write_all(&vec![0x5a; 96 + more]));
            stream
        })
        .collect();
    assert_eq!(download(&fixture, address).unwrap().bytes, 100_000);
    let engine = engine(folders[1].path(), Prefer);
    let spec = spec(&fixture, folders[1].path());
    engine.add(AddTorrent { peers: vec![address], ..spec }).unwrap();
    done(&engine);
    // Few of one address are heard to the end; the others are let go, not kept.
    let is_open = |mut stream: TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let mut buffer = [0; 1024];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    };
    assert!(flood.into_iter().filter(|stream| is_open(stream.try_clone().unwrap())).count() <= 16);
}
