//! Magnet links: metadata from peers, then the content, for each version.

use piecework_metainfo::{Metainfo, Version};
use piecework_testkit::{Behaviour, FakePeer, Fixture, FixtureBuilder, Run, Sandbox};

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

/// Metadata of several blocks for v1, and piece layers of several hashes for v2.
fn fixture(version: Version) -> Fixture {
    let folder = FixtureBuilder::folder("content").version(version).piece_length(16_384);
    let folder = folder.with("first", 900 * 16_384 + 5).with("second", 40_000).with("third", 7);
    folder.build()
}

#[test]
fn a_magnet_link_is_enough_for_each_version() {
    for version in [Version::V1, Version::V2, Version::Hybrid] {
        let (fixture, sandbox) = (fixture(version), Sandbox::new(BINARY));
        let seed = FakePeer::seed(&fixture);
        let magnet = fixture.magnet(&[]).to_string();
        let mut run = Run::start(sandbox.get(magnet, &[seed.address()]));
        assert_eq!(run.wait(), 0, "{version}: {}", run.stderr());
        let [ready, done] = &run.stdout()[..] else { panic!("{:?}", run.stdout()) };
        assert!(ready.starts_with(&format!("READY {} ", fixture.label())), "{ready}");
        assert_eq!(*done, format!("DONE {}", fixture.label()));
        assert_eq!(fixture.faults(&sandbox.dir()), [""; 0], "{version}");
    }
}

#[test]
fn peers_named_in_the_link_are_used() {
    let (fixture, sandbox) = (fixture(Version::V1), Sandbox::new(BINARY));
    let seed = FakePeer::seed(&fixture);
    let magnet = fixture.magnet(&[seed.address()]).to_string();
    let mut run = Run::start(sandbox.get(magnet, &[]));
    assert_eq!(run.wait(), 0, "{}", run.stderr());
}

#[test]
fn metadata_writes_a_torrent_file_with_the_same_info_hash() {
    for version in [Version::V1, Version::V2, Version::Hybrid] {
        let (fixture, sandbox) = (fixture(version), Sandbox::new(BINARY));
        let seed = FakePeer::seed(&fixture);
        let magnet = fixture.magnet(&[]).to_string();
        let mut command = sandbox.command(["metadata", &magnet, "-o", "got.torrent"]);
        command.args([
            "--no-local-discovery",
            "--port",
            "0",
            "--peer",
            &seed.address().to_string(),
        ]);
        let mut run = Run::start(command);
        assert_eq!(run.wait(), 0, "{version}: {}", run.stderr());
        let bytes = std::fs::read(sandbox.root().join("got.torrent")).expect("a torrent file");
        let metainfo = Metainfo::parse(&bytes).expect("a valid torrent");
        assert_eq!(metainfo.info().hashes(), fixture.info().hashes());
        assert_eq!(metainfo.layers(), fixture.metainfo().layers());
        assert_eq!(seed.stats().served_bytes, 0, "content was fetched");
    }
}

#[test]
fn a_restart_does_not_fetch_the_metadata_again() {
    let (fixture, sandbox) = (fixture(Version::V1), Sandbox::new(BINARY));
    let seed = FakePeer::builder(&fixture, Behaviour::Honest).hold_after(100_000).start();
    let magnet = fixture.magnet(&[seed.address()]).to_string();
    let mut run = Run::start(sandbox.get(&magnet, &[]));
    run.wait_ready();
    run.kill();
    let run = Run::start(sandbox.get(&magnet, &[]));
    run.wait_ready();
    let later = FakePeer::builder(&fixture, Behaviour::Honest).hold_metadata().start();
    drop(run);
    let mut run = Run::start(sandbox.get(&magnet, &[later.address()]));
    run.wait_ready();
    drop(seed);
    assert_eq!(run.wait(), 0, "{}", run.stderr());
}
