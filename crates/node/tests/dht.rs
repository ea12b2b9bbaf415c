//! Nodes of ours on loopback find each other through the DHT alone.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_node::{
    AddTorrent, AddressScope, DhtConfig, Engine, EngineConfig, PortChoice, Source, TorrentKey, What,
};
use piecework_testkit::{Fixture, FixtureBuilder, PATIENCE};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A node that enters the DHT at these ports.
fn engine(folder: &Path, routers: &[u16]) -> Engine {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    let routers = routers.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    config.dht = Some(DhtConfig { routers, scope: AddressScope::Any });
    Engine::start(&config).unwrap()
}

fn udp_port(engine: &Engine) -> u16 {
    let status = engine.dht_status().unwrap();
    assert_ne!(status.port, 0);
    status.port
}

fn seed(engine: &Engine, fixture: &Fixture, folder: &Path) -> TorrentKey {
    fixture.write_payload(&folder.join("data")).unwrap();
    let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
    engine.add(AddTorrent::new(source, folder.join("data"))).unwrap()
}

fn magnet(engine: &Engine, fixture: &Fixture, folder: &Path) -> TorrentKey {
    let source = Source::Magnet(Box::new(fixture.magnet(&[])));
    engine.add(AddTorrent::new(source, folder.join("data"))).unwrap()
}

fn wait(engine: &Engine, key: TorrentKey, is_it: impl Fn(&What) -> bool) {
    loop {
        let event = engine.next_event(PATIENCE).expect("an event comes in time");
        if event.key == key && is_it(&event.what) {
            return;
        }
    }
}

/// Waits until it knows another node. Rounds before that are in vain, and come after ever longer pauses.
fn wait_for_company(engine: &Engine) {
    let deadline = Instant::now() + PATIENCE;
    while engine.dht_status().unwrap().nodes_v4 == 0 {
        assert!(Instant::now() < deadline, "it stays alone");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_magnet_without_tracker_or_peer_is_fetched_from_whom_the_dht_names() {
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let fixture = FixtureBuilder::file("found", 300_000).build();
    let router = engine(folders[0].path(), &[]);
    let entrance = [udp_port(&router)];
    let seeding = engine(folders[1].path(), &entrance);
    let key = seed(&seeding, &fixture, folders[1].path());
    wait(&seeding, key, |what| matches!(what, What::Ready { .. }));
    wait_for_company(&seeding);
    let fetching = engine(folders[2].path(), &entrance);
    wait_for_company(&fetching);
    let key = magnet(&fetching, &fixture, folders[2].path());
    wait(&fetching, key, |what| matches!(what, What::Done));
    assert!(fetching.dht_status().unwrap().nodes_v4 >= 1);
}

#[test]
fn a_private_torrent_is_told_to_nobody_in_the_dht() {
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let [secret, open] = ["secret", "open"].map(|name| {
        let fixture = FixtureBuilder::file(name, 100_000);
        if name == "secret" { fixture.private().build() } else { fixture.build() }
    });
    let router = engine(folders[0].path(), &[]);
    let entrance = [udp_port(&router)];
    let seeding = engine(folders[1].path(), &entrance);
    let kept = seed(&seeding, &secret, folders[1].path());
    let key = seed(&seeding, &open, folders[1].path());
    wait(&seeding, key, |what| matches!(what, What::Ready { .. }));
    wait_for_company(&seeding);
    let fetching = engine(folders[2].path(), &entrance);
    wait_for_company(&fetching);
    let hidden = magnet(&fetching, &secret, folders[2].path());
    let shown = magnet(&fetching, &open, folders[2].path());
    // When the open one is here, the private one's peers had the same time to be found.
    wait(&fetching, shown, |what| matches!(what, What::Done));
    // It may hear of itself, as it does not know yet that it is private; of nobody who has it.
    assert_eq!(fetching.status(hidden).unwrap().pieces, 0);
    assert_eq!(seeding.status(kept).unwrap().known, 0);
}
