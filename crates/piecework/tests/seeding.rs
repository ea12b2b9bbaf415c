//! `seed`, and `get` while it downloads, serve what they have.

use piecework_metainfo::Version;
use piecework_testkit::{
    Behaviour, FakePeer, Fixture, FixtureBuilder, Run, Sandbox, claimed_pieces, download,
};
use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

fn fixture(version: Version) -> Fixture {
    let folder = FixtureBuilder::folder("content").version(version);
    folder.with("first", 1_000_000).with("sub/empty", 0).with("sub/second", 70_001).build()
}

#[test]
fn every_byte_of_each_version_is_served() {
    for version in [Version::V1, Version::V2, Version::Hybrid] {
        let (fixture, sandbox) = (fixture(version), Sandbox::new(BINARY));
        fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
        let run = Run::start(sandbox.seed(sandbox.torrent(&fixture), &[]));
        let address = run.wait_ready();
        let downloaded = download(&fixture, address).expect("a download");
        assert_eq!(downloaded.bytes, fixture.grid().payload_bytes(), "{version}");
    }
}

#[test]
fn several_downloaders_are_served_side_by_side() {
    let (fixture, sandbox) = (fixture(Version::Hybrid), Sandbox::new(BINARY));
    fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
    let run = Run::start(sandbox.seed(sandbox.torrent(&fixture), &[]));
    let address = run.wait_ready();
    std::thread::scope(|scope| {
        let downloads: Vec<_> =
            (0..6).map(|_| scope.spawn(|| download(&fixture, address))).collect();
        for downloading in downloads {
            let downloaded = downloading.join().expect("no panic").expect("a download");
            assert_eq!(downloaded.bytes, fixture.grid().payload_bytes());
        }
    });
}

#[test]
fn a_download_serves_the_pieces_it_has() {
    let (fixture, sandbox) = (fixture(Version::V1), Sandbox::new(BINARY));
    let seed = FakePeer::builder(&fixture, Behaviour::Honest).hold_after(500_000).start();
    let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    command.arg("--json");
    let run = Run::start(command);
    let address = run.wait_ready();
    run.wait_pieces(5);
    let claimed = claimed_pieces(&fixture, address).expect("a greeting");
    assert!(claimed.count() >= 5 && !claimed.is_full(), "{claimed:?}");
}

#[test]
fn two_of_ours_exchange_a_torrent_that_create_made() {
    for format in ["v1", "v2", "hybrid"] {
        let (seeding, sandbox) = (Sandbox::new(BINARY), Sandbox::new(BINARY));
        let fixture = fixture(Version::V1);
        fixture.write_payload(&seeding.dir()).expect("a folder that can be written");
        let torrent = seeding.root().join("made.torrent");
        let mut create = seeding.command(["create", "data/content", "--format", format]);
        create.arg("-o").arg(&torrent);
        let mut run = Run::start(create);
        assert_eq!(run.wait(), 0, "{}", run.stderr());
        let seed = Run::start(seeding.seed(&torrent, &[]));
        let address = seed.wait_ready();
        let mut get = Run::start(sandbox.get(&torrent, &[address]));
        assert_eq!(get.wait(), 0, "{}", get.stderr());
        assert_eq!(fixture.faults(&sandbox.dir()), [""; 0], "{format}");
        let mut check: Command = sandbox.command(["check"]);
        check.arg(&torrent).arg("--dir").arg(sandbox.dir());
        assert_eq!(Run::start(check).wait(), 0, "{format}");
    }
}
