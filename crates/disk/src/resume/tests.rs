#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{Bench, Fixture, piece, set};
use crate::{PieceStore, Storage};
use piecework_metainfo::Version;
use std::fs::{File, FileTimes};

/// A torrent of three files and seven pieces: 0-1, 2-4, 5-6.
fn fixture() -> Fixture {
    Fixture::new(Version::V1, 16_384, &[("a", 32_768), ("b", 49_152), ("c", 20_000)])
}

fn open(bench: &Bench, fixture: &Fixture) -> (Storage, ResumeStore, ResumeLock, Option<Resume>) {
    let storage = bench.storage(fixture);
    let resume = ResumeStore::open(&bench.state_dir()).unwrap();
    let lock = take_lock(&resume, fixture, storage.dir());
    let loaded = resume.load(&lock, &storage).unwrap();
    (storage, resume, lock, loaded)
}

/// A process that a test beside this one starts has our locks too, until it runs its own program: so
/// the lock that was just let go may be held for another moment.
fn take_lock(resume: &ResumeStore, fixture: &Fixture, dir: &Path) -> ResumeLock {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        match resume.lock(&fixture.info().hashes(), dir) {
            Err(ResumeError::Held { .. }) if std::time::Instant::now() < deadline => {
                std::thread::yield_now();
            }
            lock => return lock.unwrap(),
        }
    }
}

/// Downloads these pieces and saves; then the store is dropped as by a clean end, or by a kill.
fn download(bench: &Bench, fixture: &Fixture, pieces: &[u32], is_final: bool) {
    let (storage, _, lock, loaded) = open(bench, fixture);
    let have = loaded.map_or_else(|| set(7, []), |resume| resume.have);
    let mut store = bench.store_with(storage, have);
    store.keep_resume(lock);
    store.set_totals(Totals { uploaded: 11, downloaded: 22 });
    receive(bench, fixture, &mut store, pieces);
    bench.save(&mut store, is_final);
}

fn receive(bench: &Bench, fixture: &Fixture, store: &mut PieceStore, pieces: &[u32]) {
    for block in fixture.blocks().into_iter().filter(|it| pieces.contains(&it.piece.get())) {
        bench.accept(store, fixture, block);
    }
    assert_eq!(bench.wait_verified(pieces.len() as u32), pieces);
}

fn load(bench: &Bench, fixture: &Fixture) -> Option<Resume> {
    open(bench, fixture).3
}

fn expected(have: &[u32], to_check: &[u32]) -> Option<Resume> {
    Some(Resume {
        have: set(7, have.iter().copied()),
        to_check: set(7, to_check.iter().copied()),
        totals: Totals { uploaded: 11, downloaded: 22 },
    })
}

/// Makes the record say something else.
fn edit(bench: &Bench, fixture: &Fixture, change: impl FnOnce(&mut Saved)) {
    let (storage, _, lock, _) = open(bench, fixture);
    let bytes = fs::read(lock.record_path()).unwrap();
    let mut saved = Saved::decode(&bytes, &storage, lock.dir()).unwrap();
    let boot = saved.boot.clone();
    change(&mut saved);
    let record = Record {
        is_running: saved.is_running,
        have: saved.have,
        unknown: saved.unknown,
        durable: saved.durable,
        totals: saved.totals,
        files: &saved.files,
        parts: saved.parts,
    };
    let mut bytes = record.encode(&fixture.info().hashes(), lock.dir());
    let at = bytes.windows(boot.len()).position(|window| window == boot.as_bytes()).unwrap();
    bytes[at..at + boot.len()].copy_from_slice(saved.boot.as_bytes());
    fs::write(lock.record_path(), bytes).unwrap();
}

fn touch(bench: &Bench, name: &str, later: Duration) {
    let file = File::options().write(true).open(bench.dir().join("t").join(name)).unwrap();
    let then = file.metadata().unwrap().modified().unwrap();
    file.set_times(FileTimes::new().set_modified(then + later)).unwrap();
}

#[test]
fn without_a_record_there_is_nothing_to_resume() {
    assert_eq!(load(&Bench::new(), &fixture()), None);
}

#[test]
fn after_a_clean_end_everything_counts_and_a_changed_file_is_checked() {
    let (bench, fixture) = (Bench::new(), fixture());
    download(&bench, &fixture, &[0, 1, 2, 6], true);
    assert_eq!(load(&bench, &fixture), expected(&[0, 1, 2, 6], &[]));
    touch(&bench, "b", Duration::from_nanos(1));
    assert_eq!(load(&bench, &fixture), expected(&[0, 1, 6], &[2, 3, 4]));
    fs::remove_file(bench.dir().join("t/c")).unwrap();
    assert_eq!(load(&bench, &fixture), expected(&[0, 1], &[2, 3, 4, 5, 6]));
}

#[test]
fn resume_data_follow_files_to_another_folder_and_go_when_they_are_forgotten() {
    let (bench, fixture) = (Bench::new(), fixture());
    download(&bench, &fixture, &[0, 1, 2], true);
    let (state_dir, hashes) = (bench.state_dir(), fixture.info().hashes());
    let from = bench.dir().canonicalize().unwrap();
    let to = from.join("elsewhere");
    let kept = load(&bench, &fixture);
    move_resume(&state_dir, &hashes, &from, &to).unwrap();
    assert_eq!(load(&bench, &fixture), None);
    // As it is said to go on after an interruption.
    move_resume(&state_dir, &hashes, &from, &to).unwrap();
    move_resume(&state_dir, &hashes, &to, &from).unwrap();
    assert_eq!(load(&bench, &fixture), kept);
    forget_resume(&state_dir, &hashes, &from).unwrap();
    assert_eq!(load(&bench, &fixture), None);
}

#[test]
fn pieces_of_a_file_that_was_gone_before_the_last_save_do_not_count() {
    let (bench, fixture) = (Bench::new(), fixture());
    download(&bench, &fixture, &[0, 5], true);
    fs::remove_file(bench.dir().join("t/c")).unwrap();
    edit(&bench, &fixture, |saved| saved.files[2] = None);
    assert_eq!(load(&bench, &fixture), expected(&[0], &[5]));
}

#[test]
fn after_a_kill_our_own_last_writes_do_no_harm() {
    let (bench, fixture) = (Bench::new(), fixture());
    download(&bench, &fixture, &[0, 2], false);
    // Written after the record, as by a process that is killed before the next one.
    touch(&bench, "a", Duration::from_secs(1));
    fs::write(bench.dir().join("t/c"), "begun").unwrap();
    assert_eq!(load(&bench, &fixture), expected(&[0, 2], &[]));
    // Too late to be ours.
    touch(&bench, "a", OWN_WRITES + Duration::from_secs(1));
    assert_eq!(load(&bench, &fixture), expected(&[2], &[0, 1]));
    // Never ours: shorter than it was.
    File::options().write(true).open(bench.dir().join("t/b")).unwrap().set_len(1).unwrap();
    assert_eq!(load(&bench, &fixture), expected(&[], &[0, 1, 2, 3, 4]));
}

#[test]
fn the_record_says_that_it_may_be_outlived_before_the_first_write() {
    let (bench, fixture) = (Bench::new(), fixture());
    download(&bench, &fixture, &[0], true);
    {
        let (storage, _, lock, loaded) = open(&bench, &fixture);
        let mut store = bench.store_with(storage, loaded.unwrap().have);
        store.keep_resume(lock);
        receive(&bench, &fixture, &mut store, &[1]);
        // Killed here, before the next record.
    }
    let resume = load(&bench, &fixture).unwrap();
    assert!(resume.have.contains(piece(0)) && resume.to_check.is_empty());
}

#[test]
fn after_a_reboot_only_durable_pieces_count() {
    let (bench, fixture) = (Bench::new(), fixture());
    download(&bench, &fixture, &[0, 2], true);
    edit(&bench, &fixture, |saved| {
        saved.boot = "x".repeat(saved.boot.len());
        saved.durable = set(7, [2]);
    });
    // The boot id is written anew by the edit's encoder, so put the old one there by hand.
    assert_eq!(load(&bench, &fixture), expected(&[2], &[0]));
}

#[test]
fn pieces_become_durable_by_a_flush() {
    let (bench, fixture) = (Bench::new(), fixture());
    let (storage, _, lock, _) = open(&bench, &fixture);
    let path = lock.record_path().to_owned();
    let mut store = bench.store(storage.clone());
    store.keep_resume(lock.clone());
    receive(&bench, &fixture, &mut store, &[0, 3]);
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        bench.save(&mut store, false);
        let saved = Saved::decode(&fs::read(&path).unwrap(), &storage, lock.dir()).unwrap();
        assert_eq!(saved.have, set(7, [0, 3]));
        if saved.durable == saved.have {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "no flush in time");
    }
}

#[test]
fn an_interrupted_check_leaves_the_rest_to_be_checked() {
    let (bench, fixture) = (Bench::new(), fixture());
    fixture.write_files(&bench.dir());
    {
        let (storage, _, lock, loaded) = open(&bench, &fixture);
        assert_eq!(loaded, None);
        let mut store = bench.store(storage);
        store.keep_resume(lock);
        store.set_totals(Totals { uploaded: 11, downloaded: 22 });
        bench.save(&mut store, false);
    }
    assert_eq!(load(&bench, &fixture), expected(&[], &[0, 1, 2, 3, 4, 5, 6]));
    {
        let (storage, _, lock, _) = open(&bench, &fixture);
        let mut store = bench.store(storage);
        store.keep_resume(lock);
        store.check(crate::CheckScope::All);
        assert!(bench.wait_checked().is_full());
        bench.save(&mut store, true);
    }
    assert_eq!(load(&bench, &fixture), expected(&[0, 1, 2, 3, 4, 5, 6], &[]));
}

#[test]
fn a_record_that_is_damaged_or_anothers_is_no_record() {
    let (bench, fixture) = (Bench::new(), fixture());
    download(&bench, &fixture, &[0], true);
    let path = open(&bench, &fixture).2.record_path().to_owned();
    let good = fs::read(&path).unwrap();
    for cut in 0..good.len() {
        fs::write(&path, &good[..cut]).unwrap();
        assert_eq!(load(&bench, &fixture), None, "cut at {cut}");
    }
    fs::write(&path, &good).unwrap();
    assert!(load(&bench, &fixture).is_some());
    let other = Fixture::new(Version::V1, 16_384, &[("a", 16_384 * 7)]);
    let storage = bench.storage(&fixture);
    assert_eq!(Saved::decode(&good, &bench.storage(&fixture), Path::new("/elsewhere")), None);
    let other = Storage::open(
        &bench.disk,
        crate::StorageSpec { dir: bench.folder().join("other"), ..bench.spec(&other) },
    );
    assert_eq!(Saved::decode(&good, &other.unwrap(), storage.dir()), None);
}

#[test]
fn one_holder_at_a_time_and_the_second_learns_who_it_is() {
    let (bench, fixture) = (Bench::new(), fixture());
    let store = ResumeStore::open(&bench.state_dir()).unwrap();
    let hashes = fixture.info().hashes();
    let first = store.lock(&hashes, &bench.dir()).unwrap();
    let second = store.lock(&hashes, &bench.dir()).unwrap_err();
    assert!(matches!(&second, ResumeError::Held { pid, .. } if *pid == std::process::id()));
    assert!(second.to_string().contains(&std::process::id().to_string()), "{second}");
    // Another folder is another matter.
    store.lock(&hashes, &bench.folder().join("other")).unwrap();
    drop(first);
    take_lock(&store, &fixture, &bench.dir());
}

#[test]
fn the_info_dictionary_of_a_magnet_is_kept() {
    let (bench, fixture) = (Bench::new(), fixture());
    let store = ResumeStore::open(&bench.state_dir()).unwrap();
    let hashes = fixture.info().hashes();
    assert_eq!(store.load_info(&hashes), None);
    store.save_info(&hashes, fixture.info().raw()).unwrap();
    assert_eq!(store.load_info(&hashes).as_deref(), Some(&fixture.info().raw()[..]));
}

#[test]
fn a_state_folder_that_cannot_be_made_is_an_error_with_a_remedy() {
    let bench = Bench::new();
    let path = bench.folder().join("file");
    fs::write(&path, "").unwrap();
    let error = ResumeStore::open(&path.join("state")).unwrap_err();
    assert!(error.to_string().contains("pass another --state"), "{error}");
}

/// Set in the process that [`a_killed_process_never_claims_a_piece_that_is_wrong`] starts and kills.
const VICTIM: &str = "PIECEWORK_TEST_DOWNLOADS_INTO";

fn large_fixture() -> Fixture {
    let files = [("a", 3_000_000), ("b", 10_000), ("c", 5_000_000)];
    Fixture::new(Version::V1, 32_768, &files)
}

#[test]
fn a_killed_process_never_claims_a_piece_that_is_wrong() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    if let Some(temp) = std::env::var_os(VICTIM) {
        return download_until_killed(Path::new(&temp));
    }
    let this = "resume::tests::a_killed_process_never_claims_a_piece_that_is_wrong";
    let fixture = large_fixture();
    let temp = tempfile::tempdir().unwrap();
    let mut rng = piecework_types::Rng::new(4);
    let mut claimed = 0;
    for _ in 0..6 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", this, "--nocapture"])
            .env(VICTIM, temp.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It says a line for each verified piece; somewhere among them it dies.
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let is_verified =
            |line: &io::Result<String>| line.as_ref().is_ok_and(|line| line == "verified");
        let deadly = 1 + rng.below(150) as usize;
        let count = lines.by_ref().filter(is_verified).take(deadly).count();
        assert!(count > 0, "it did nothing");
        victim.kill().unwrap();
        victim.wait().unwrap();

        let bench = Bench::in_folder(temp.path());
        let (storage, _, _, resume) = open(&bench, &fixture);
        let resume = resume.expect("it is saved before the first write");
        let mut store = bench.store(storage);
        store.check(crate::CheckScope::Pieces(resume.have.clone()));
        assert_eq!(bench.wait_checked(), resume.have);
        claimed = resume.have.count();
    }
    assert!(claimed > 0, "no run left anything");
}

fn download_until_killed(temp: &Path) {
    let (bench, fixture) = (Bench::in_folder(temp), large_fixture());
    let (storage, _, lock, resume) = open(&bench, &fixture);
    let resume = resume.unwrap_or_else(|| Resume {
        have: Bitfield::new(fixture.pieces()),
        to_check: Bitfield::new(fixture.pieces()),
        totals: Totals::default(),
    });
    let mut store = bench.store_with(storage, resume.have.clone());
    store.keep_resume(lock);
    let mut pieces: Vec<_> = fixture.info().grid().pieces().collect();
    pieces.retain(|piece| !resume.have.contains(*piece));
    piecework_types::Rng::new(u64::from(std::process::id())).shuffle(&mut pieces);
    for group in pieces.chunks(3) {
        for block in fixture.blocks().into_iter().filter(|it| group.contains(&it.piece)) {
            store.accept(block, bench.chunk(fixture.bytes(block)), true);
        }
        bench.wait_verified(group.len() as u32);
        group.iter().for_each(|_| println!("verified"));
    }
    bench.save(&mut store, false);
    // The parent reads on until it kills us, and ends by itself if it is gone.
    (0..1_000_000).for_each(|_| println!("verified"));
}
