//! Two engines of one machine find each other by multicast, but for private torrents.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_node::{
    AddTorrent, Engine, EngineConfig, PortChoice, Reach, Source, TorrentKey, What,
};
use piecework_testkit::{Fixture, FixtureBuilder, PATIENCE};
use std::path::Path;
use std::sync::Arc;

fn engine(folder: &Path) -> Engine {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    // Loopback alone: the network of whoever runs this is not to hear of it.
    config.local = Some(Reach::Machine);
    Engine::start(&config).unwrap()
}

fn add(engine: &Engine, fixture: &Fixture, folder: &Path) -> TorrentKey {
    let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
    engine.add(AddTorrent::new(source, folder.join("data"))).unwrap()
}

/// Whether this machine lets a program hear its own multicast on the port that all share.
fn can_multicast() -> bool {
    use std::net::{Ipv4Addr, UdpSocket};
    let heard = || {
        let group = Ipv4Addr::new(239, 192, 152, 143);
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)?;
        socket.set_read_timeout(Some(std::time::Duration::from_secs(2)))?;
        rustix::net::sockopt::set_ip_multicast_if(&socket, &Ipv4Addr::LOCALHOST)?;
        socket.send_to(b"?", (group, socket.local_addr()?.port()))?;
        socket.recv(&mut [0; 1])
    };
    let heard: std::io::Result<usize> = heard();
    heard.inspect_err(|error| eprintln!("skipped: no multicast over loopback: {error}")).is_ok()
}

#[test]
fn a_torrent_is_found_by_multicast_and_a_private_one_is_not() {
    if !can_multicast() {
        return;
    }
    let private = FixtureBuilder::file("private", 100_000).private().build();
    let public = FixtureBuilder::file("public", 300_000).build();
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for fixture in [&private, &public] {
        fixture.write_payload(&folders[0].path().join("data")).unwrap();
    }
    let engines = folders.each_ref().map(|folder| engine(folder.path()));
    // The private one first on both sides, so that it would be found first.
    let mut keys = Vec::new();
    for fixture in [&private, &public] {
        for (engine, folder) in engines.iter().zip(&folders) {
            keys.push(add(engine, fixture, folder.path()));
        }
    }
    let downloader = &engines[1];
    loop {
        let event = downloader.next_event(PATIENCE).expect("the download is found and ends");
        if event.key == keys[3] && matches!(event.what, What::Done) {
            break;
        }
    }
    assert_eq!(public.faults(&folders[1].path().join("data")), [""; 0]);
    for (engine, key) in engines.iter().zip(&keys[..2]) {
        let status = engine.status(*key).unwrap();
        assert_eq!((status.known, status.peers), (0, 0));
    }
}
