//! What is on disk already: checked, kept, fetched again where it is wrong, and never destroyed.

use piecework_testkit::{
    Behaviour, DownloadError, FakePeer, Fixture, FixtureBuilder, Run, Sandbox, Signal,
    claimed_pieces, corrupt, download,
};
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
const PIECE: u64 = 32_768;

/// Ten pieces.
fn fixture() -> Fixture {
    FixtureBuilder::file("payload", 10 * PIECE as usize).build()
}

/// Complete data and a torrent file.
fn complete() -> (Fixture, Sandbox, PathBuf) {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
    let file = sandbox.dir().join("payload");
    (fixture, sandbox, file)
}

/// Runs `get` to its end against an honest seed that counts.
fn get(fixture: &Fixture, sandbox: &Sandbox) -> FakePeer {
    let seed = FakePeer::seed(fixture);
    let mut run = Run::start(sandbox.get(sandbox.torrent(fixture), &[seed.address()]));
    assert_eq!(run.wait(), 0, "{}", run.stderr());
    seed
}

#[test]
fn a_longer_file_is_refused_by_name_and_cut_when_that_is_allowed() {
    let (fixture, sandbox, file) = complete();
    let mut longer = fs::read(&file).expect("the payload");
    longer.extend(b"more");
    fs::write(&file, &longer).expect("a file that can be written");
    let mut run = Run::start(sandbox.get(sandbox.torrent(&fixture), &[]));
    assert_eq!(run.wait(), 1, "{}", run.stderr());
    let stderr = run.stderr();
    assert!(stderr.contains("payload") && stderr.contains("--overwrite"), "{stderr}");
    assert_eq!((stderr.lines().count(), run.stdout().len()), (1, 0), "{stderr}");
    assert_eq!(fs::read(&file).expect("the payload"), longer, "it was touched");
    let mut command = sandbox.get(sandbox.torrent(&fixture), &[]);
    command.arg("--overwrite");
    let mut run = Run::start(command);
    assert_eq!(run.wait(), 0, "{}", run.stderr());
    assert_eq!(fixture.faults(&sandbox.dir()), [""; 0]);
}

#[test]
fn complete_data_needs_no_peer() {
    let (fixture, sandbox, _) = complete();
    let mut run = Run::start(sandbox.get(sandbox.torrent(&fixture), &[]));
    assert_eq!(run.wait(), 0, "{}", run.stderr());
    assert_eq!(run.stdout().len(), 2, "{:?}", run.stdout());
}

#[test]
fn only_what_is_wrong_or_missing_is_fetched() {
    let (fixture, sandbox, file) = complete();
    corrupt(&file, 2 * PIECE as usize).expect("a byte of piece 2");
    let shorter = File::options().write(true).open(&file).expect("the payload");
    shorter.set_len(9 * PIECE - 1).expect("a file that can be cut");
    let seed = get(&fixture, &sandbox);
    let stats = seed.stats();
    assert_eq!((stats.pieces_asked(), stats.served_bytes), (vec![2, 8, 9], 3 * PIECE));
    assert_eq!(fixture.faults(&sandbox.dir()), [""; 0]);
}

#[test]
fn a_change_that_keeps_the_size_is_found_after_a_restart() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    assert_eq!(get(&fixture, &sandbox).stats().served_bytes, 10 * PIECE);
    let file = sandbox.dir().join("payload");
    corrupt(&file, 5 * PIECE as usize).expect("a byte of piece 5");
    assert_eq!(get(&fixture, &sandbox).stats().pieces_asked(), [5]);
    assert_eq!(fixture.faults(&sandbox.dir()), [""; 0]);
}

#[test]
fn a_file_with_the_same_size_and_time_is_not_hashed_again() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    get(&fixture, &sandbox);
    let path = sandbox.dir().join("payload");
    let modified = fs::metadata(&path).and_then(|it| it.modified()).expect("a time");
    corrupt(&path, 5 * PIECE as usize).expect("a byte of piece 5");
    let file = File::options().write(true).open(&path).expect("the payload");
    file.set_modified(modified).expect("a time that can be set");
    // Nobody but a reader of every byte could know.
    assert_eq!(get(&fixture, &sandbox).stats().served_bytes, 0);
}

#[test]
fn resume_data_belong_to_one_folder() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    get(&fixture, &sandbox);
    let seed = FakePeer::seed(&fixture);
    let elsewhere = sandbox.root().join("elsewhere");
    let mut command = sandbox.command(["get"]);
    command.arg(sandbox.torrent(&fixture)).arg("--dir").arg(&elsewhere);
    command.args(["--port", "0", "--peer", &seed.address().to_string()]);
    let mut run = Run::start(command);
    assert_eq!(run.wait(), 0, "{}", run.stderr());
    assert_eq!(seed.stats().served_bytes, 10 * PIECE);
    assert_eq!(fixture.faults(&elsewhere), [""; 0]);
}

#[test]
fn seed_claims_the_pieces_that_pass_their_hash_and_writes_nothing() {
    let (fixture, sandbox, file) = complete();
    corrupt(&file, 0).expect("a byte of piece 0");
    let before = fs::read(&file).expect("the payload");
    // A seed fetches nothing, even if somebody has it.
    let other = FakePeer::seed(&fixture);
    let mut run = Run::start(sandbox.seed(sandbox.torrent(&fixture), &[other.address()]));
    let claimed = claimed_pieces(&fixture, run.wait_ready()).expect("a greeting");
    assert_eq!(claimed.count(), 9);
    assert_eq!(run.end(Signal::TERM, Duration::from_secs(3)), 0, "{}", run.stderr());
    assert_eq!(fs::read(&file).expect("the payload"), before);
    assert_eq!(other.stats().served_bytes, 0);
}

#[test]
fn trusted_files_of_the_right_size_are_never_hashed() {
    let (fixture, sandbox, file) = complete();
    corrupt(&file, 0).expect("a byte of piece 0");
    let mut command = sandbox.seed(sandbox.torrent(&fixture), &[]);
    command.arg("--trust");
    let run = Run::start(command);
    let failed = download(&fixture, run.wait_ready());
    let Err(DownloadError::WrongBytes(block)) = failed else { panic!("{failed:?}") };
    assert_eq!(block.piece, 0);
}

#[test]
fn a_trusted_file_that_is_short_or_missing_makes_its_pieces_missing() {
    let folder = FixtureBuilder::folder("content");
    let folder = folder.with("a", 65_536).with("b", 65_536).with("c", 65_536).build();
    let sandbox = Sandbox::new(BINARY);
    folder.write_payload(&sandbox.dir()).expect("a folder that can be written");
    let path = |name: &str| sandbox.dir().join("content").join(name);
    let shorter = File::options().write(true).open(path("a")).expect("a file");
    shorter.set_len(65_535).expect("a file that can be cut");
    fs::remove_file(path("c")).expect("a file");
    let mut command = sandbox.seed(sandbox.torrent(&folder), &[]);
    command.arg("--trust");
    let run = Run::start(command);
    let claimed = claimed_pieces(&folder, run.wait_ready()).expect("a greeting");
    let claimed: Vec<u32> = claimed.iter().map(piecework_types::PieceIndex::get).collect();
    assert_eq!(claimed, [2, 3]);
}

#[test]
fn corrupt_data_that_check_finds_is_fetched_again() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    get(&fixture, &sandbox);
    corrupt(&sandbox.dir().join("payload"), 7 * PIECE as usize).expect("a byte of piece 7");
    let check = || {
        let mut command = sandbox.command(["check"]);
        command.arg(sandbox.torrent(&fixture)).arg("--dir").arg(sandbox.dir());
        Run::start(command).wait()
    };
    assert_eq!(check(), 1);
    assert_eq!(get(&fixture, &sandbox).stats().pieces_asked(), [7]);
    assert_eq!(check(), 0);
}

#[test]
fn a_killed_get_goes_on_where_it_was() {
    let (fixture, sandbox) = (fixture(), Sandbox::new(BINARY));
    let seed = FakePeer::builder(&fixture, Behaviour::Honest).hold_after(5 * PIECE).start();
    let mut run = Run::start(sandbox.get(sandbox.torrent(&fixture), &[seed.address()]));
    seed.wait("a held request", |stats| stats.held > 0);
    run.kill();
    get(&fixture, &sandbox);
    assert_eq!(fixture.faults(&sandbox.dir()), [""; 0]);
}
