//! One process for each info-hash and folder.

use piecework_testkit::{Behaviour, FakePeer, Fixture, FixtureBuilder, Run, Sandbox};

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

fn fixture() -> Fixture {
    FixtureBuilder::file("payload", 300_000).build()
}

#[test]
fn a_second_process_is_refused_and_told_who_is_at_work() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let seed = FakePeer::builder(&fixture, Behaviour::Honest).hold_after(0).start();
    let torrent = sandbox.torrent(&fixture);
    let first = Run::start(sandbox.get(&torrent, &[seed.address()]));
    first.wait_ready();
    for command in [sandbox.get(&torrent, &[]), sandbox.seed(&torrent, &[])] {
        let mut second = Run::start(command);
        assert_eq!(second.wait(), 1, "{}", second.stderr());
        let stderr = second.stderr();
        assert!(stderr.contains(&format!("process {}", first.id())), "{stderr}");
        assert_eq!((stderr.lines().count(), second.stdout().len()), (1, 0), "{stderr}");
    }
    let mut elsewhere = sandbox.command(["get"]);
    elsewhere.arg(&torrent).args(["--dir", "elsewhere", "--port", "0", "--peer"]);
    elsewhere.arg(seed.address().to_string());
    let elsewhere = Run::start(elsewhere);
    elsewhere.wait_ready();
    seed.release();
    elsewhere.wait_stdout("DONE ");
    first.wait_stdout("DONE ");
}

#[test]
fn the_lock_of_a_killed_process_is_free() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let torrent = sandbox.torrent(&fixture);
    let mut first = Run::start(sandbox.get(&torrent, &[]));
    first.wait_ready();
    first.kill();
    let second = Run::start(sandbox.get(&torrent, &[]));
    second.wait_ready();
}

#[test]
fn a_folder_is_the_same_under_each_of_its_names() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let torrent = sandbox.torrent(&fixture);
    std::fs::create_dir(sandbox.dir()).expect("a folder that can be written");
    let link = sandbox.root().join("link");
    std::os::unix::fs::symlink(sandbox.dir(), &link).expect("a folder that can be written");
    let first = Run::start(sandbox.get(&torrent, &[]));
    first.wait_ready();
    let mut command = sandbox.command(["get"]);
    command.arg(&torrent).arg("--dir").arg(&link).args(["--port", "0"]);
    let mut second = Run::start(command);
    assert_eq!(second.wait(), 1, "{}", second.stderr());
}
