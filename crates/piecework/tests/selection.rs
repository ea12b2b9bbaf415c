//! Which files are fetched, in which order, and which are never written.

use piecework_metainfo::Version;
use piecework_testkit::{FakePeer, Fixture, FixtureBuilder, Run, Sandbox};
use std::path::PathBuf;
use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

/// Sizes that put two files into one piece.
fn fixture(version: Version) -> Fixture {
    let folder = FixtureBuilder::folder("content").version(version);
    folder.with("a.mkv", 100_000).with("sub/b.txt", 50_000).with("sub/c.mkv", 70_001).build()
}

fn path(sandbox: &Sandbox, name: &str) -> PathBuf {
    sandbox.dir().join("content").join(name)
}

/// Runs to DONE and the end.
fn done(command: Command) {
    let mut run = Run::start(command);
    assert_eq!(run.wait(), 0, "{}", run.stderr());
    assert_eq!(run.stdout().len(), 2, "{:?}", run.stdout());
}

fn wrong(fixture: &Fixture, sandbox: &Sandbox) -> Vec<String> {
    let dir = sandbox.dir().join("content/");
    let dir = dir.to_str().expect("a path of text").to_owned();
    let names = fixture.faults(&sandbox.dir()).into_iter();
    names
        .filter_map(|fault| Some(fault.strip_prefix(&dir)?.split(':').next()?.to_owned()))
        .collect()
}

#[test]
fn only_selected_files_are_written_and_the_rest_later_without_fetching_twice() {
    for version in [Version::V1, Version::Hybrid, Version::V2] {
        let (fixture, sandbox) = (fixture(version), Sandbox::new(BINARY));
        let seed = FakePeer::seed(&fixture);
        let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
        command.args(["--select", "*.mkv"]);
        done(command);
        assert_eq!(wrong(&fixture, &sandbox), ["sub/b.txt"], "{version}");
        assert!(!path(&sandbox, "sub/b.txt").exists(), "{version}");
        let seed_again = FakePeer::seed(&fixture);
        done(sandbox.get(sandbox.torrent(&fixture), &[seed_again.address()]));
        assert_eq!(fixture.faults(&sandbox.dir()), [""; 0], "{version}");
        let served = seed.stats().served_bytes + seed_again.stats().served_bytes;
        let total: u64 = fixture.grid().payload_bytes();
        assert_eq!(served, total, "{version}: each byte once");
    }
}

#[test]
fn priority_0_skips_and_the_last_match_counts() {
    let (fixture, sandbox) = (fixture(Version::V1), Sandbox::new(BINARY));
    let seed = FakePeer::seed(&fixture);
    let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    command.args(["--priority", "*=0", "--priority", "sub/*=7", "--priority", "*.txt=0"]);
    done(command);
    assert_eq!(wrong(&fixture, &sandbox), ["a.mkv", "sub/b.txt"]);
    assert!(!path(&sandbox, "a.mkv").exists() && !path(&sandbox, "sub/b.txt").exists());
}

#[test]
fn higher_priorities_come_first() {
    let folder = FixtureBuilder::folder("content");
    let fixture = folder.with("a", 20 * 32_768).with("b", 20 * 32_768).build();
    let (sandbox, seed) = (Sandbox::new(BINARY), FakePeer::seed(&fixture));
    let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    command.args(["--priority", "b=7"]);
    done(command);
    let mut order = Vec::new();
    for request in seed.stats().requests {
        if !order.contains(&request.piece) {
            order.push(request.piece);
        }
    }
    // The first four are random, so that there is soon something to share.
    let rest = &order[4..];
    assert!(rest.is_sorted_by_key(|&piece| piece < 20), "{order:?}");
}

#[test]
fn sequential_asks_for_pieces_in_order() {
    let fixture = FixtureBuilder::file("payload", 60 * 32_768).build();
    let (sandbox, seed) = (Sandbox::new(BINARY), FakePeer::seed(&fixture));
    let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    command.arg("--sequential");
    done(command);
    let mut first_seen = Vec::new();
    for request in seed.stats().requests {
        if !first_seen.contains(&request.piece) {
            first_seen.push(request.piece);
        }
    }
    assert_eq!(first_seen, (0..60).collect::<Vec<_>>());
}

#[test]
fn pad_files_are_never_written_and_empty_ones_are() {
    for version in [Version::V1, Version::Hybrid, Version::V2] {
        let folder = FixtureBuilder::folder("content").version(version).padded();
        let folder = folder.with("a", 1).with("b/empty", 0).with("b/c", 40_000).with("d", 3);
        let (fixture, sandbox) = (folder.with("z/empty", 0).build(), Sandbox::new(BINARY));
        let has_pads = fixture.info().files().iter().any(piecework_metainfo::File::is_pad);
        assert_eq!(has_pads, version.has_v1(), "{version}");
        let seed = FakePeer::seed(&fixture);
        done(sandbox.get(sandbox.torrent(&fixture), &[seed.address()]));
        assert_eq!(fixture.faults(&sandbox.dir()), [""; 0], "{version}");
        assert!(!path(&sandbox, ".pad").exists(), "{version}");
    }
}

#[test]
fn a_pattern_that_matches_nothing_is_refused() {
    let (fixture, sandbox) = (fixture(Version::V1), Sandbox::new(BINARY));
    let seed = FakePeer::seed(&fixture);
    let torrent = sandbox.torrent(&fixture).display().to_string();
    for source in [torrent, fixture.magnet(&[]).to_string()] {
        let mut command = sandbox.get(source, &[seed.address()]);
        command.args(["--select", "*.iso"]);
        let mut run = Run::start(command);
        assert_eq!(run.wait(), 1, "{:?}", run.stdout());
        assert!(run.stderr().contains("--select"), "{}", run.stderr());
        assert!(!run.stdout().iter().any(|line| line.starts_with("DONE")), "{:?}", run.stdout());
    }
}
