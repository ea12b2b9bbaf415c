//! The first signal asks for a polite end within three seconds, the second one ends at once.

use piecework_testkit::{
    Behaviour, FakePeer, FakeTracker, Fixture, FixtureBuilder, Run, Sandbox, Signal, TrackerAnswer,
};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
const POLITE: Duration = Duration::from_secs(3);

/// 40 pieces.
fn fixture(tracker: Option<&FakeTracker>) -> Fixture {
    let builder = FixtureBuilder::file("payload", 40 * 32_768);
    match tracker {
        Some(tracker) => builder.tracker(tracker.url()).build(),
        None => builder.build(),
    }
}

/// A `get` that has stored some pieces and waits for the rest.
fn halfway(fixture: &Fixture, sandbox: &Sandbox, seed: &FakePeer) -> Run {
    let mut command = sandbox.get(sandbox.torrent(fixture), &[seed.address()]);
    command.arg("--json");
    let run = Run::start(command);
    run.wait_pieces(5);
    run
}

fn holding_seed(fixture: &Fixture) -> FakePeer {
    FakePeer::builder(fixture, Behaviour::Honest).hold_after(20 * 32_768).start()
}

#[test]
fn a_signal_during_get_gives_its_status_and_keeps_what_is_verified() {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (fixture, sandbox) = (fixture(None), Sandbox::new(BINARY));
        let seed = holding_seed(&fixture);
        let mut run = halfway(&fixture, &sandbox, &seed);
        assert_eq!(run.end(signal, POLITE), status, "{}", run.stderr());
        assert!(!run.stdout().iter().any(|line| line.contains("\"done\"")));
        let other = FakePeer::seed(&fixture);
        let mut run = Run::start(sandbox.get(sandbox.torrent(&fixture), &[other.address()]));
        assert_eq!(run.wait(), 0, "{}", run.stderr());
        assert_eq!(fixture.faults(&sandbox.dir()), [""; 0]);
        let served = other.stats().served_bytes;
        assert!(served <= 35 * 32_768, "{served} bytes although five pieces were stored");
    }
}

#[test]
fn seed_ends_with_0_on_either_signal() {
    for signal in [Signal::INT, Signal::TERM] {
        let (fixture, sandbox) = (fixture(None), Sandbox::new(BINARY));
        fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
        let mut run = Run::start(sandbox.seed(sandbox.torrent(&fixture), &[]));
        run.wait_ready();
        assert_eq!(run.end(signal, POLITE), 0, "{}", run.stderr());
    }
}

#[test]
fn get_that_stays_ends_with_0_once_it_is_complete() {
    let (fixture, sandbox) = (fixture(None), Sandbox::new(BINARY));
    let seed = FakePeer::seed(&fixture);
    let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    command.arg("--stay");
    let mut run = Run::start(command);
    run.wait_stdout("DONE ");
    assert_eq!(run.end(Signal::TERM, POLITE), 0, "{}", run.stderr());
}

#[test]
fn a_silent_tracker_does_not_hold_up_the_end() {
    for start in [FakeTracker::http, FakeTracker::udp] {
        let tracker = start(TrackerAnswer::Silence);
        let (fixture, sandbox) = (fixture(Some(&tracker)), Sandbox::new(BINARY));
        let seed = holding_seed(&fixture);
        let mut run = halfway(&fixture, &sandbox, &seed);
        assert_eq!(run.end(Signal::INT, POLITE), 130, "{}", run.stderr());
    }
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    // The tracker's silence keeps a polite end waiting for its answer.
    let tracker = FakeTracker::http(TrackerAnswer::Peers(Vec::new(), 1800));
    let (fixture, sandbox) = (fixture(Some(&tracker)), Sandbox::new(BINARY));
    let seed = holding_seed(&fixture);
    let mut run = halfway(&fixture, &sandbox, &seed);
    tracker.wait(piecework_tracker::Event::Started);
    tracker.set_answer(TrackerAnswer::Silence);
    run.signal(Signal::INT);
    tracker.wait(piecework_tracker::Event::Stopped);
    let second = Instant::now();
    assert_eq!(run.end(Signal::TERM, POLITE), 143, "{}", run.stderr());
    assert!(second.elapsed() < Duration::from_secs(1), "{:?}", second.elapsed());
}

#[test]
fn a_drive_that_hangs_does_not_hold_up_the_end() {
    let (fixture, sandbox) = (fixture(None), Sandbox::new(BINARY));
    fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
    let seed = || {
        let run = Run::start(sandbox.seed(sandbox.torrent(&fixture), &[]));
        run.wait_ready();
        run
    };
    assert_eq!(seed().end(Signal::TERM, POLITE), 0);
    let mut entries = fs::read_dir(sandbox.state()).expect("a state folder").flatten();
    let record = entries.find(|entry| entry.path().extension() == Some("resume".as_ref()));
    // Who writes new resume data now waits for a reader that never comes.
    let pipe = record.expect("resume data").path().with_extension("resume.new");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is part of coreutils");
    assert!(made.success());
    let mut run = seed();
    assert_eq!(run.end(Signal::TERM, POLITE), 0, "{}", run.stderr());
}
