//! `piecework tracker`: processes of ours that meet through one, over HTTP and UDP.

use piecework_testkit::{Fixture, FixtureBuilder, Run, Sandbox, Signal};
use std::fs;
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
const POLITE: Duration = Duration::from_secs(3);
const TOTAL: usize = 300_000;

/// The torrent without a tracker; the tracker does not look at announce addresses.
fn payload() -> Fixture {
    FixtureBuilder::file("payload", TOTAL).build()
}

fn tracker(sandbox: &Sandbox, more: &[&str]) -> Run {
    let mut command = sandbox.command(["tracker", "--port", "0", "--bind", "127.0.0.1"]);
    command.args(more);
    Run::start(command)
}

#[test]
fn a_seed_and_a_download_meet_through_it_over_either_protocol_and_leave_politely() {
    for scheme in ["http", "udp"] {
        let tracking = Sandbox::new(BINARY);
        tracking.torrent(&payload());
        let folder = tracking.root().join("torrents");
        let folder = folder.to_str().expect("a folder in UTF-8");
        let mut tracker = tracker(&tracking, &["--torrents-dir", folder, "--json"]);
        let url = format!("{scheme}://127.0.0.1:{}/announce", tracker.wait_ready().port());
        let fixture = FixtureBuilder::file("payload", TOTAL).tracker(&url).build();
        assert_eq!(fixture.info_hash(), payload().info_hash());

        let (seeding, getting) = (Sandbox::new(BINARY), Sandbox::new(BINARY));
        fixture.write_payload(&seeding.dir()).expect("a folder that can be written");
        let mut seed = Run::start(seeding.seed(seeding.torrent(&fixture), &[]));
        seed.wait_ready();
        tracker.wait_object("a seed", |object| object["seeds"] == 1);
        let mut get = Run::start(getting.get(getting.torrent(&fixture), &[]));
        get.wait_stdout("DONE ");
        assert_eq!(get.wait(), 0, "{}", get.stderr());
        assert_eq!(seed.end(Signal::TERM, POLITE), 0, "{}", seed.stderr());
        let last = tracker
            .wait_object("nobody left", |object| object["peers"] == 0 && object["refused"] == 0);
        let announces = format!("{scheme}_announces");
        assert!(last[announces].as_u64() >= Some(4), "started, completed and stopped: {last}");
        assert_eq!(tracker.end(Signal::INT, POLITE), 0, "{}", tracker.stderr());
    }
}

#[test]
fn a_torrent_that_is_not_listed_is_refused_and_the_client_says_so() {
    let tracking = Sandbox::new(BINARY);
    let list = tracking.root().join("list");
    fs::write(&list, format!("# others\n{}\n", "ab".repeat(20)))
        .expect("a folder that can be written");
    let list = list.to_str().expect("a path in UTF-8");
    let mut tracker = tracker(&tracking, &["--allow", list, "--json"]);
    let url = format!("http://127.0.0.1:{}/announce", tracker.wait_ready().port());
    let fixture = FixtureBuilder::file("payload", TOTAL).tracker(&url).build();
    let getting = Sandbox::new(BINARY);
    let mut command = getting.get(getting.torrent(&fixture), &[]);
    command.args(["--give-up", "2"]);
    let mut get = Run::start(command);
    assert_eq!(get.wait(), 1);
    let told = "this tracker does not serve this torrent";
    assert!(get.stderr().contains(told), "{}", get.stderr());
    tracker.wait_object("a refusal", |object| object["refused"].as_u64() > Some(0));
    assert_eq!(tracker.end(Signal::TERM, POLITE), 0, "{}", tracker.stderr());
}

#[test]
fn whom_to_serve_has_to_be_said() {
    let sandbox = Sandbox::new(BINARY);
    let mut run = tracker(&sandbox, &[]);
    assert_eq!(run.wait(), 2);
    let mut run = tracker(&sandbox, &["--open", "--allow", "x"]);
    assert_eq!(run.wait(), 2);
    let mut run = tracker(&sandbox, &["--allow", "no such file"]);
    assert_eq!(run.wait(), 1);
    assert!(run.stderr().contains("cannot read the list no such file"), "{}", run.stderr());
    let folder = sandbox.root().to_str().expect("a folder in UTF-8");
    let mut run = tracker(&sandbox, &["--torrents-dir", folder]);
    assert_eq!(run.wait(), 1);
    assert!(run.stderr().contains("no torrent to serve"), "{}", run.stderr());
}
