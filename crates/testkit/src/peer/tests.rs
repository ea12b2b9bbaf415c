//! Fake peers against the fake downloader: the kit has to work before it may judge others.

use super::*;
use crate::{DownloadError, FixtureBuilder, download};
use piecework_metainfo::Version;

fn fixture() -> Fixture {
    FixtureBuilder::file("payload", 300_000).version(Version::Hybrid).build()
}

#[test]
fn an_honest_seed_serves_every_byte_once() {
    let fixture = fixture();
    let seed = FakePeer::seed(&fixture);
    let downloaded = download(&fixture, seed.address()).expect("a download");
    assert_eq!((downloaded.bytes, downloaded.pieces), (300_000, 10));
    let stats = seed.stats();
    assert_eq!((stats.served_bytes, stats.handshakes), (300_000, 1));
    assert_eq!(stats.pieces_asked(), (0..10).collect::<Vec<_>>());
}

#[test]
fn wrong_blocks_and_rejections_are_noticed() {
    let fixture = fixture();
    let start = |behaviour| FakePeer::builder(&fixture, behaviour).start();
    let corrupt = start(Behaviour::CorruptBlocks);
    let failed = download(&fixture, corrupt.address());
    assert!(matches!(failed, Err(DownloadError::WrongBytes(_))), "{failed:?}");
    let rejecting = start(Behaviour::RejectsAll);
    let failed = download(&fixture, rejecting.address());
    assert!(matches!(failed, Err(DownloadError::Rejected(_))), "{failed:?}");
    let unasked = start(Behaviour::UnaskedBlocks);
    let failed = download(&fixture, unasked.address());
    assert!(matches!(failed, Err(DownloadError::Unasked(_))), "{failed:?}");
}

#[test]
fn a_held_request_is_answered_when_it_is_released() {
    let fixture = fixture();
    let seed = FakePeer::builder(&fixture, Behaviour::Honest).hold_after(100_000).start();
    let address = seed.address();
    std::thread::scope(|scope| {
        let downloading = scope.spawn(|| download(&fixture, address));
        let held = seed.wait("a held request", |stats| stats.held > 0);
        assert!(held.served_bytes < 120_000, "{} bytes", held.served_bytes);
        seed.release();
        let downloaded = downloading.join().expect("no panic").expect("a download");
        assert_eq!(downloaded.bytes, 300_000);
    });
}

#[test]
fn every_behaviour_ends_when_its_peer_is_dropped() {
    let fixture = fixture();
    for behaviour in Behaviour::BYZANTINE {
        let peer = FakePeer::builder(&fixture, behaviour).start();
        let mut stream = PeerStream::connect(peer.address()).expect("a listening peer");
        stream.send_handshake(fixture.info_hash(), PeerId([7; 20])).expect("a connection");
        peer.wait("the connection", |stats| stats.connections == 1);
        drop(peer);
        assert!(stream.is_closed_within(PATIENCE), "{behaviour:?}");
    }
}
