//! Trouble with the disk: a clear line, no verified data lost, and recovery without a restart.
//!
//! A full or read-only disk is a small tmpfs in a mount namespace of the process alone, which needs
//! `unshare` to be allowed. Where it is not, the test says so on stderr and ends.

use piecework_testkit::{
    Behaviour, FakePeer, Fixture, FixtureBuilder, Mounts, Run, Sandbox, Signal, claimed_pieces,
    download,
};
use piecework_types::PieceIndex;
use std::fs;
use std::process::Command;
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

fn fixture() -> Fixture {
    FixtureBuilder::file("payload", 2 << 20).build()
}

#[test]
fn a_full_disk_is_told_and_the_download_goes_on_when_there_is_space() {
    let Some(mounts) = Mounts::allowed() else { return };
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let dir = sandbox.dir();
    fs::create_dir(&dir).expect("a folder that can be written");
    let seed = FakePeer::seed(&fixture);
    let command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    let script = format!(
        "mount -t tmpfs -o size=3m none '{0}' && head -c 2000000 /dev/zero > '{0}/filler'",
        dir.display()
    );
    let mut run = Run::start(mounts.within(&script, &command));
    let line = run.wait_stderr("space");
    assert!(line.contains("payload"), "{line}");
    fs::remove_file(Mounts::seen_by(run.id(), &dir.join("filler")))
        .expect("the filler can be removed");
    run.wait_stdout("DONE ");
    assert_eq!(run.wait(), 0, "{}", run.stderr());
}

#[test]
fn a_full_disk_keeps_what_is_verified() {
    let Some(mounts) = Mounts::allowed() else { return };
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let dir = sandbox.dir();
    fs::create_dir(&dir).expect("a folder that can be written");
    let seed = FakePeer::seed(&fixture);
    let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    command.arg("--json");
    let script = format!("mount -t tmpfs -o size=1m none '{}'", dir.display());
    let mut run = Run::start(mounts.within(&script, &command));
    run.wait_stderr("space");
    // It still serves what it has.
    let claimed = claimed_pieces(&fixture, run.wait_ready());
    assert!(claimed.expect("a greeting").count() > 0);
    assert_eq!(run.end(Signal::TERM, Duration::from_secs(3)), 143, "{}", run.stderr());
}

#[test]
fn a_read_only_folder_is_told_and_the_download_goes_on_when_it_can_be_written() {
    let Some(mounts) = Mounts::allowed() else { return };
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let dir = sandbox.dir();
    fs::create_dir(&dir).expect("a folder that can be written");
    let seed = FakePeer::seed(&fixture);
    let command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    let script = format!("mount -t tmpfs -o ro none '{}'", dir.display());
    let mut run = Run::start(mounts.within(&script, &command));
    let line = run.wait_stderr("ead-only");
    assert!(line.contains(dir.to_str().expect("a path of text")), "{line}");
    let dir = dir.to_str().expect("a path of text");
    let mut remount = Command::new("mount");
    remount.args(["-o", "remount,rw", dir]);
    let status = mounts.beside(run.id(), &remount).status().expect("nsenter is part of util-linux");
    assert!(status.success(), "{status}");
    run.wait_stdout("DONE ");
    assert_eq!(run.wait(), 0, "{}", run.stderr());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    fs::write(sandbox.dir(), "a file").expect("a folder that can be written");
    let seed = FakePeer::seed(&fixture);
    let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    command.args(["--give-up", "2"]);
    let mut run = Run::start(command);
    assert_eq!(run.wait(), 1, "{:?}", run.stdout());
    let dir = sandbox.dir();
    assert!(run.stderr().contains(dir.to_str().expect("a path of text")), "{}", run.stderr());
    assert_eq!(fs::read(sandbox.dir()).expect("the file"), b"a file");
}

#[test]
fn a_file_removed_while_seeding_is_named_and_served_again_once_it_is_back() {
    let folder = FixtureBuilder::folder("content").with("gone", 65_536).with("stays", 65_536);
    let (fixture, sandbox) = (folder.build(), Sandbox::new(BINARY));
    fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
    let mut command = sandbox.seed(sandbox.torrent(&fixture), &[]);
    command.arg("--trust");
    let mut run = Run::start(command);
    let address = run.wait_ready();
    let (file, aside) = (sandbox.dir().join("content/gone"), sandbox.root().join("aside"));
    fs::rename(&file, &aside).expect("a file that can be moved");
    let failed = download(&fixture, address);
    assert!(failed.is_err(), "{failed:?}");
    run.wait_stderr("content/gone");
    let claimed = claimed_pieces(&fixture, address).expect("a greeting");
    assert_eq!(claimed.iter().map(PieceIndex::get).collect::<Vec<_>>(), [2, 3]);
    fs::rename(&aside, &file).expect("a file that can be moved");
    run.wait_stderr("can be read again");
    let downloaded = download(&fixture, address).expect("a download");
    assert_eq!(downloaded.bytes, 131_072);
    assert_eq!(run.end(Signal::TERM, Duration::from_secs(3)), 0, "{}", run.stderr());
}

#[test]
fn a_file_removed_while_downloading_does_not_become_a_false_done() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let seed = FakePeer::builder(&fixture, Behaviour::Honest).hold_after(1 << 20).start();
    let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    command.arg("--json");
    let mut run = Run::start(command);
    run.wait_pieces(5);
    fs::remove_file(sandbox.dir().join("payload")).expect("a file that is being written");
    seed.release();
    assert_eq!(run.wait(), 0, "{}", run.stderr());
    assert_eq!(fixture.faults(&sandbox.dir()), [""; 0], "{}", run.stderr());
}

#[test]
fn done_is_said_once_and_again_only_after_a_file_was_lost_and_fetched_again() {
    let folder = FixtureBuilder::folder("content").with("kept", 65_536).with("lost", 65_536);
    let (fixture, sandbox) = (folder.build(), Sandbox::new(BINARY));
    let seed = FakePeer::seed(&fixture);
    let mut command = sandbox.get(sandbox.torrent(&fixture), &[seed.address()]);
    command.arg("--stay");
    let mut run = Run::start(command);
    let address = run.wait_ready();
    run.wait_stdout("DONE ");
    let file = sandbox.dir().join("content/lost");
    fs::remove_file(&file).expect("a file that can be removed");
    // As long as it is open it is served, and what is served completes nothing.
    while download(&fixture, address).is_ok() {}
    let line = run.wait_stderr("fetched again");
    assert!(line.contains("content/lost"), "{line}");
    run.wait_stdout_times("DONE ", 2);
    for _ in 0..3 {
        download(&fixture, address).expect("a download");
    }
    assert_eq!(run.end(Signal::TERM, Duration::from_secs(3)), 0, "{}", run.stderr());
    let done = run.stdout().into_iter().filter(|line| line.starts_with("DONE "));
    assert_eq!(done.count(), 2, "{}", run.stderr());
    assert_eq!(fixture.faults(&sandbox.dir()), [""; 0]);
}
