//! Announces over HTTP and UDP, and trackers that are down or lie.

use piecework_metainfo::Version;
use piecework_testkit::{
    FakePeer, FakeTracker, Fixture, FixtureBuilder, Run, Sandbox, Signal, TrackerAnswer,
};
use piecework_tracker::Event;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
const POLITE: Duration = Duration::from_secs(3);
const TOTAL: u64 = 300_000;

fn fixture(trackers: &[&str]) -> Fixture {
    let builder = FixtureBuilder::file("payload", TOTAL as usize);
    trackers.iter().fold(builder, |builder, url| builder.tracker(url)).build()
}

#[test]
fn a_download_is_announced_from_its_start_to_its_end_and_uses_the_peers_it_learns() {
    for start in [FakeTracker::http, FakeTracker::udp] {
        let tracker = start(TrackerAnswer::Silence);
        let (fixture, sandbox) = (fixture(&[tracker.url()]), Sandbox::new(BINARY));
        let seed = FakePeer::seed(&fixture);
        tracker.set_answer(TrackerAnswer::Peers(vec![seed.address()], 1800));
        let mut command = sandbox.get(sandbox.torrent(&fixture), &[]);
        command.arg("--stay");
        let mut run = Run::start(command);
        let port = run.wait_ready().port();
        run.wait_stdout("DONE ");
        let started = tracker.wait(Event::Started);
        assert_eq!((started.port, started.left, started.downloaded), (port, TOTAL, 0));
        assert_eq!(started.info_hash, fixture.info_hash());
        assert_eq!(started.peer_id.0[..8], piecework_types::PeerId::PREFIX);
        let completed = tracker.wait(Event::Completed);
        assert_eq!((completed.left, completed.downloaded), (0, TOTAL));
        assert_eq!(run.end(Signal::TERM, POLITE), 0, "{}", run.stderr());
        let stopped = tracker.wait(Event::Stopped);
        assert_eq!((stopped.left, stopped.downloaded), (0, TOTAL));
        let announces = tracker.announces();
        for announce in &announces {
            let identity = |it: &piecework_tracker::Announce| (it.peer_id, it.port, it.key);
            assert_eq!(identity(announce), identity(&started));
        }
        let events: Vec<_> = announces.iter().map(|announce| announce.event).collect();
        assert_eq!(events, [Event::Started, Event::Completed, Event::Stopped]);
    }
}

#[test]
fn complete_data_is_announced_without_completed() {
    let tracker = FakeTracker::http(TrackerAnswer::Peers(Vec::new(), 1800));
    let (fixture, sandbox) = (fixture(&[tracker.url()]), Sandbox::new(BINARY));
    fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
    let mut run = Run::start(sandbox.seed(sandbox.torrent(&fixture), &[]));
    run.wait_ready();
    assert_eq!(tracker.wait(Event::Started).left, 0);
    assert_eq!(run.end(Signal::TERM, POLITE), 0, "{}", run.stderr());
    let events: Vec<_> = tracker.announces().iter().map(|announce| announce.event).collect();
    assert_eq!(events, [Event::Started, Event::Stopped]);
}

#[test]
fn a_complete_selection_is_announced_as_a_partial_seed_with_what_it_lacks() {
    let tracker = FakeTracker::http(TrackerAnswer::Silence);
    let builder = FixtureBuilder::folder("films").with("a.mkv", 65_536).with("b.iso", 131_072);
    let fixture = builder.piece_length(32_768).tracker(tracker.url()).build();
    let sandbox = Sandbox::new(BINARY);
    let seed = FakePeer::seed(&fixture);
    tracker.set_answer(TrackerAnswer::Peers(vec![seed.address()], 1800));
    let get = || {
        let mut command = sandbox.get(sandbox.torrent(&fixture), &[]);
        command.args(["--select", "*.mkv", "--stay"]);
        let run = Run::start(command);
        run.wait_stdout("DONE ");
        run
    };
    for event in [Event::Started, Event::Paused] {
        let mut run = get();
        tracker.wait(event);
        assert_eq!(run.end(Signal::TERM, POLITE), 0, "{}", run.stderr());
    }
    let told: Vec<_> = tracker.announces().iter().map(|it| (it.event, it.left)).collect();
    let of_the_first = [(Event::Started, 196_608), (Event::Stopped, 131_072)];
    assert_eq!(told[..2], of_the_first, "nothing was completed");
    assert_eq!(told[2..], [(Event::Paused, 131_072), (Event::Stopped, 131_072)]);
}

#[test]
fn a_hybrid_torrent_is_announced_under_both_of_its_names() {
    let tracker = FakeTracker::http(TrackerAnswer::Peers(Vec::new(), 1800));
    let builder = FixtureBuilder::file("payload", 1000).version(Version::Hybrid);
    let (fixture, sandbox) = (builder.tracker(tracker.url()).build(), Sandbox::new(BINARY));
    fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
    let mut run = Run::start(sandbox.seed(sandbox.torrent(&fixture), &[]));
    run.wait_ready();
    tracker.wait(Event::Started);
    assert_eq!(run.end(Signal::TERM, POLITE), 0, "{}", run.stderr());
    let mut announced: Vec<_> = tracker.announces().iter().map(|it| it.info_hash).collect();
    announced.sort_unstable();
    announced.dedup();
    let mut names: Vec<_> = fixture.info().hashes().iter().collect();
    names.sort_unstable();
    assert_eq!(announced, names);
}

/// Downloads with the help of `--peer` while the tracker behaves so.
fn downloads_beside(url: &str) {
    let (fixture, sandbox) = (fixture(&[url]), Sandbox::new(BINARY));
    let seed = FakePeer::seed(&fixture);
    let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    command.arg("--stay");
    let mut run = Run::start(command);
    run.wait_stdout("DONE ");
    assert_eq!(run.end(Signal::TERM, POLITE), 0, "{url}: {}", run.stderr());
    assert_eq!(fixture.faults(&sandbox.dir()), [""; 0]);
}

#[test]
fn trackers_that_lie_do_not_disturb_a_download_and_are_not_asked_in_a_loop() {
    let nobody = (Ipv4Addr::LOCALHOST, 1).into();
    let lies = [
        TrackerAnswer::Failure("not today".to_owned()),
        TrackerAnswer::Noise,
        TrackerAnswer::Silence,
        TrackerAnswer::Peers(Vec::new(), 0),
        TrackerAnswer::Peers(vec![nobody; 200], u32::MAX),
    ];
    std::thread::scope(|scope| {
        for start in [FakeTracker::http, FakeTracker::udp] {
            for lie in &lies {
                scope.spawn(move || {
                    let tracker = start(lie.clone());
                    downloads_beside(tracker.url());
                    let count = tracker.announces().len();
                    assert!(count <= 3, "{count} announces and {lie:?}");
                });
            }
        }
    });
}

#[test]
fn trackers_that_are_down_do_not_disturb_a_download() {
    let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
    let down = [
        format!("http://{}/announce", http.local_addr().expect("a bound socket has an address")),
        format!("udp://{}/announce", udp.local_addr().expect("a bound socket has an address")),
        "http://name.invalid/announce".to_owned(),
        "udp://name.invalid:1/announce".to_owned(),
    ];
    drop((http, udp));
    std::thread::scope(|scope| {
        for url in &down {
            scope.spawn(move || downloads_beside(url));
        }
    });
}

#[test]
fn peers_come_from_the_second_tracker_of_a_tier_when_the_first_is_down() {
    let tracker = FakeTracker::udp(TrackerAnswer::Silence);
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
    let down = format!("http://{}/a", closed.local_addr().expect("a bound socket has an address"));
    drop(closed);
    let (fixture, sandbox) = (fixture(&[&down, tracker.url()]), Sandbox::new(BINARY));
    let seed = FakePeer::seed(&fixture);
    tracker.set_answer(TrackerAnswer::Peers(vec![seed.address()], 1800));
    let mut run = Run::start(sandbox.get(sandbox.torrent(&fixture), &[]));
    assert_eq!(run.wait(), 0, "{}", run.stderr());
}
