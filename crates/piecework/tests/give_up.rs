//! `--give-up` ends what makes no progress, and says what was missing.

use piecework_testkit::{Behaviour, FakePeer, Fixture, FixtureBuilder, Run, Sandbox};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

fn fixture() -> Fixture {
    FixtureBuilder::file("payload", 300_000).build()
}

/// Gives up after a second; the line that says why.
fn gives_up(mut command: Command) -> String {
    command.args(["--give-up", "1"]);
    let mut run = Run::start(command);
    assert_eq!(run.wait(), 1, "{}", run.stderr());
    let last = run.stderr().lines().last().map(str::to_owned).unwrap_or_default();
    assert!(last.contains("gave up"), "{}", run.stderr());
    last
}

#[test]
fn without_any_peer() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let why = gives_up(sandbox.get(sandbox.torrent(&fixture), &[]));
    assert!(why.contains("--peer"), "{why}");
}

#[test]
fn with_a_peer_that_is_not_there() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
    let closed: SocketAddr = listener.local_addr().expect("a bound socket has an address");
    drop(listener);
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let why = gives_up(sandbox.get(sandbox.torrent(&fixture), &[closed]));
    assert!(why.contains("1 known peer"), "{why}");
}

#[test]
fn with_a_peer_that_stops_sending() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let seed = FakePeer::builder(&fixture, Behaviour::Honest).hold_after(100_000).start();
    let why = gives_up(sandbox.get(sandbox.torrent(&fixture), &[seed.address()]));
    assert!(why.contains("1 connected peer"), "{why}");
    assert!(seed.stats().served_bytes >= 100_000);
}

#[test]
fn a_magnet_link_that_nobody_answers() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let magnet = fixture.magnet(&[]).to_string();
    gives_up(sandbox.get(&magnet, &[]));
    gives_up(sandbox.command(["metadata", &magnet, "--port", "0", "--no-local-discovery"]));
}

#[test]
fn what_moves_is_not_given_up() {
    // Twice the patience, a piece at a time.
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let seed = FakePeer::seed(&fixture);
    let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    command.args(["--limit-down", "100k", "--give-up", "1"]);
    let mut run = Run::start(command);
    assert_eq!(run.wait(), 0, "{}", run.stderr());
    assert_eq!(fixture.faults(&sandbox.dir()), [""; 0]);
}
