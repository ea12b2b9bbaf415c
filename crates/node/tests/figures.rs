//! What the faces read of a running engine: which torrents changed, their figures, and those of all.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_node::{
    AddTorrent, Engine, EngineConfig, Figures, PortChoice, Source, TorrentKey, TrackerState, What,
};
use piecework_testkit::{FakeTracker, Fixture, FixtureBuilder, PATIENCE, TrackerAnswer};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BYTES: usize = 600_000;

fn engine(folder: &Path) -> Engine {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    Engine::start(&config).unwrap()
}

fn spec(fixture: &Fixture, folder: &Path) -> AddTorrent {
    let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
    AddTorrent::new(source, folder.to_owned())
}

/// Waits until the figures are like that, looking at them only when they changed.
fn wait(engine: &Engine, key: TorrentKey, is_it: impl Fn(&Figures) -> bool) -> Figures {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if engine.changed().contains(&key) {
            let figures = engine.figures(key).unwrap();
            if is_it(&figures) {
                return figures;
            }
        }
        assert!(Instant::now() < deadline, "{:?}", engine.figures(key));
        engine.next_event(Duration::from_millis(10));
    }
}

#[test]
fn who_looks_only_at_what_changed_misses_nothing_of_a_download() {
    let fixture = FixtureBuilder::file("figures", BYTES).build();
    let (seeded, leeched) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fixture.write_payload(seeded.path()).unwrap();
    let (seed, leech) = (engine(seeded.path()), engine(leeched.path()));
    let seeding =
        seed.add(AddTorrent { is_seed_only: true, ..spec(&fixture, seeded.path()) }).unwrap();
    let whole = wait(&seed, seeding, |figures| figures.is_complete);
    assert_eq!((whole.have, whole.left_bytes), (whole.pieces, 0));

    let peers: Vec<SocketAddr> = vec![(Ipv4Addr::LOCALHOST, seed.port()).into()];
    let key = leech.add(AddTorrent { peers, ..spec(&fixture, leeched.path()) }).unwrap();
    let done = wait(&leech, key, |figures| figures.is_complete);
    assert_eq!((done.left_bytes, done.wanted_bytes), (0, BYTES as u64));
    assert_eq!((done.down_bytes, done.wasted_bytes), (BYTES as u64, 0));
    let sent = wait(&seed, seeding, |figures| figures.up_bytes == BYTES as u64);
    assert_eq!(sent.availability_milli.map(|milli| milli <= 1000), Some(true));
    assert_eq!(leech.totals().down_bytes, BYTES as u64);

    leech.remove(key);
    while !matches!(leech.next_event(PATIENCE).unwrap().what, What::Stopped) {}
    assert_eq!((leech.changed(), leech.figures(key)), (Vec::new(), None));
    let totals = leech.totals();
    assert_eq!((totals.down_bytes, totals.peers, totals.down_rate), (BYTES as u64, 0, 0));
}

#[test]
fn a_tracker_is_shown_with_its_address_tier_state_and_next_announce_and_its_secret_is_not_logged() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = FakeTracker::http(TrackerAnswer::Peers(Vec::new(), 1800));
    let secret = format!("{}?passkey=abc123", tracker.url());
    let dead = "http://127.0.0.1:1/announce".to_owned();
    let fixture = FixtureBuilder::file("tracked", BYTES).tracker(&secret).tracker(&dead).build();
    let engine = engine(folder.path());
    let key = engine.add(spec(&fixture, folder.path())).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        let status = engine.status(key).unwrap();
        if status.trackers.first().is_some_and(|it| it.state == TrackerState::Working) {
            break status;
        }
        assert!(Instant::now() < deadline, "{status:?}");
        engine.next_event(Duration::from_millis(10));
    };
    let [first, second] = &status.trackers[..] else { panic!("{status:?}") };
    assert_eq!((first.url.as_str(), first.tier), (&*secret, 0));
    assert_eq!((second.url.as_str(), second.tier), (&*dead, 1));
    assert_eq!(second.state, TrackerState::NotContacted);
    assert!(first.next_in.unwrap() <= Duration::from_secs(1800));
    assert_eq!(second.next_in, None);
    let logged = format!("{status:?}");
    assert!(!logged.contains("abc123") && !logged.contains("/announce"), "{logged}");
}
