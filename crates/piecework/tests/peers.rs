//! How peers are found through peers, and refused: each decision with its reason.

use piecework_testkit::{Behaviour, FakePeer, Fixture, FixtureBuilder, Run, Sandbox};
use serde_json::Value;
use std::io::Read;
use std::net::TcpStream;
use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

fn fixture() -> Fixture {
    FixtureBuilder::file("payload", 2 << 20).build()
}

fn with(mut command: Command, arguments: &[&str]) -> Run {
    command.arg("--json").args(arguments);
    Run::start(command)
}

/// A list with every loopback address of IPv4.
fn filter(sandbox: &Sandbox) -> String {
    let path = sandbox.root().join("filter");
    std::fs::write(&path, "# ours\n127.0.0.0/8\nwhat is this\n").expect("a file");
    path.display().to_string()
}

fn is_event(object: &Value, event: &str) -> bool {
    object["event"] == event
}

#[test]
fn two_that_know_the_same_peer_find_each_other_through_it() {
    let fixture = fixture();
    let seed_box = Sandbox::new(BINARY);
    fixture.write_payload(&seed_box.dir()).expect("a folder that can be written");
    // So slow that the other two have something to do with each other for long.
    let seed = with(seed_box.seed(seed_box.torrent(&fixture), &[]), &["--limit-up", "20k"]);
    let address = seed.wait_ready();
    let boxes = [Sandbox::new(BINARY), Sandbox::new(BINARY)];
    let start = |sandbox: &Sandbox| with(sandbox.get(sandbox.torrent(&fixture), &[address]), &[]);
    let runs = boxes.each_ref().map(start);
    for run in &runs {
        run.wait_object("two peers", |object| object["peers"] == 2);
    }
}

#[test]
fn who_does_not_exchange_peers_meets_only_those_it_was_given() {
    let fixture = fixture();
    let seed_box = Sandbox::new(BINARY);
    fixture.write_payload(&seed_box.dir()).expect("a folder that can be written");
    let limited = ["--limit-up", "600k", "--no-exchange"];
    let seed = with(seed_box.seed(seed_box.torrent(&fixture), &[]), &limited);
    let address = seed.wait_ready();
    let boxes = [Sandbox::new(BINARY), Sandbox::new(BINARY)];
    let start = |sandbox: &Sandbox| with(sandbox.get(sandbox.torrent(&fixture), &[address]), &[]);
    let runs = boxes.each_ref().map(start);
    for run in &runs {
        run.wait_object("the end", |object| is_event(object, "done"));
        let has_met = |line: &String| line.contains("\"peers\":2");
        assert!(!run.stdout().iter().any(has_met), "{:?}", run.stdout());
    }
}

#[test]
fn nobody_on_the_ip_filter_is_dialled_though_the_user_named_it() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let peer = FakePeer::seed(&fixture);
    let command = sandbox.get(sandbox.torrent(&fixture), &[peer.address()]);
    let list = filter(&sandbox);
    let mut run = with(command, &["--ip-filter", &list, "--give-up", "2"]);
    let told = run.wait_object("the list", |object| is_event(object, "ip_filter"));
    assert_eq!((&told["blocked"], &told["bad"]), (&1.into(), &1.into()));
    assert_eq!(told["bad_lines"][0], "line 3: \"what is this\" is not understood");
    // The first figures may be older than the first look at whom to dial.
    run.wait_object("the refusal", |object| {
        is_event(object, "progress") && object["refused"]["filtered"] == 1
    });
    assert_eq!(run.wait(), 1);
    assert!(run.stderr().contains("listed in the IP filter"), "{}", run.stderr());
    assert_eq!(peer.stats().connections, 0);
}

#[test]
fn nobody_on_the_ip_filter_is_let_in() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
    let list = filter(&sandbox);
    let run = with(sandbox.seed(sandbox.torrent(&fixture), &[]), &["--ip-filter", &list]);
    let address = run.wait_ready();
    let mut stranger = TcpStream::connect(address).expect("the seed listens");
    // Closed without a word and without a handshake of the stranger.
    let read = stranger.read(&mut [0; 1]);
    assert!(!matches!(read, Ok(1..)), "{read:?}");
    run.wait_object("the count", |object| object["turned_away"]["filtered"] == 1);
}

#[test]
fn a_file_that_is_no_list_ends_the_command_with_its_first_line() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let torrent = sandbox.torrent(&fixture);
    let mut command = sandbox.get(&torrent, &[]);
    command.arg("--ip-filter").arg(&torrent);
    let mut run = Run::start(command);
    assert_eq!(run.wait(), 1);
    assert!(run.stderr().contains("cannot use the IP filter"), "{}", run.stderr());
    assert!(run.stderr().contains("line 1"), "{}", run.stderr());
}

#[test]
fn a_ban_is_told_with_its_reason() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let liar = FakePeer::builder(&fixture, Behaviour::CorruptBlocks).start();
    let run = with(sandbox.get(sandbox.torrent(&fixture), &[liar.address()]), &[]);
    let told = run.wait_object("a ban", |object| is_event(object, "peer"));
    assert_eq!(told["address"], liar.address().to_string());
    assert_eq!((&told["verdict"], &told["reason"]), (&"banned".into(), &"sent bad data".into()));
}

#[test]
fn what_is_dropped_for_breaking_the_protocol_is_told_with_its_reason() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let peer = FakePeer::builder(&fixture, Behaviour::OversizeFrame).start();
    let run = with(sandbox.get(sandbox.torrent(&fixture), &[peer.address()]), &[]);
    let told = run.wait_object("a verdict", |object| is_event(object, "peer"));
    assert_eq!(told["verdict"], "dropped");
    assert!(
        told["reason"].as_str().is_some_and(|reason| reason.contains("bytes behind its id")),
        "{told}"
    );
}
