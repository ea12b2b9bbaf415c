//! What becomes of the file: made for its owner alone, refused when it is newer or not whole, never begun
//! anew in the place of another, and what a copy says of itself.

use super::{NOON, entry, fresh, purchase, standing};
use crate::{By, Filter, Ledger, LedgerError};
use piecework_pay::{DELEGATION_SECONDS_MAX, Record, Side};
use rusqlite::Connection;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

fn total(ledger: &Ledger) -> u128 {
    ledger.spent(By::Nothing, &Filter::default()).unwrap().iter().map(|it| it.sums.amount).sum()
}

fn spend(ledger: &Ledger, amount: u128) -> Result<(), LedgerError> {
    ledger.write_at(&[Record::Entry(entry(Side::Buying, 1, 1, amount))], NOON)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let found = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        found.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_file_and_what_lies_beside_it_are_their_owners_alone() {
    let (folder, ledger) = fresh();
    spend(&ledger, 1).unwrap();
    let files = ["ledger.db", "ledger.db-shm", "ledger.db-wal"];
    assert_eq!(names(folder.path()), files);
    for file in files {
        assert_eq!(mode(&folder.path().join(file)), 0o600, "{file}");
    }
    drop(ledger);
    let path = folder.path().join("ledger.db");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(Ledger::open(&path).unwrap());
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_newer_file_is_refused_and_stays_as_it_is() {
    let (folder, ledger) = fresh();
    drop(ledger);
    let path = folder.path().join("ledger.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let before = fs::read(&path).unwrap();
    for refused in [Ledger::open(&path).err(), Ledger::open_to_read(&path).err()] {
        let text = refused.unwrap().to_string();
        assert!(text.contains("has format 2 and this program knows 1"), "{text}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_was_cut_is_refused_wherever_it_was_cut() {
    let (folder, ledger) = fresh();
    let records: Vec<_> = (0..40).map(|channel| purchase(channel, 7)).collect();
    ledger.write(&records).unwrap();
    drop(ledger);
    let path = folder.path().join("ledger.db");
    let whole = fs::read(&path).unwrap();
    for len in (0..whole.len()).step_by(512).chain([1, 99, 100, 4095, whole.len() - 1]) {
        fs::write(&path, &whole[..len]).unwrap();
        let refused = Ledger::open(&path).err();
        assert!(matches!(refused, Some(LedgerError::Damaged { .. })), "{len}: {refused:?}");
        assert_eq!(fs::read(&path).unwrap(), &whole[..len]);
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(Ledger::open(&path).unwrap().load().unwrap().len(), 40);
}

#[test]
fn bytes_of_zero_in_its_middle_are_found() {
    let (folder, ledger) = fresh();
    ledger.write(&(0..200).map(|channel| purchase(channel, 7)).collect::<Vec<_>>()).unwrap();
    drop(ledger);
    let path = folder.path().join("ledger.db");
    let mut bytes = fs::read(&path).unwrap();
    let pages = bytes.len() / 4096;
    bytes[(pages - 1) * 4096..].fill(0);
    fs::write(&path, bytes).unwrap();
    assert!(matches!(Ledger::open(&path), Err(LedgerError::Damaged { .. })));
}

#[test]
fn nothing_is_begun_where_a_ledger_was_or_something_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let wal = folder.path().join("ledger.db-wal");
    fs::write(&wal, [1; 100]).unwrap();
    assert!(matches!(Ledger::open(&path), Err(LedgerError::Damaged { .. })));
    assert_eq!(names(folder.path()), ["ledger.db-wal"]);
    fs::remove_file(&wal).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE other (it INTEGER)").unwrap();
    let text = Ledger::open(&path).unwrap_err().to_string();
    assert!(text.contains("it is no ledger"), "{text}");
    fs::write(&path, "these are words, and many of them").unwrap();
    assert!(matches!(Ledger::open(&path), Err(LedgerError::Damaged { .. })));
    assert!(Ledger::open_to_read(&folder.path().join("none")).unwrap().is_none());
}

#[test]
fn who_opened_it_to_read_does_not_write() {
    let (folder, ledger) = fresh();
    spend(&ledger, 1).unwrap();
    let reader = Ledger::open_to_read(&folder.path().join("ledger.db")).unwrap().unwrap();
    assert_eq!(total(&reader), 1);
    assert!(spend(&reader, 1).is_err());
    spend(&ledger, 2).unwrap();
    assert_eq!(total(&reader), 3);
}

#[test]
fn a_seed_whose_chain_was_replaced_is_in_the_file_no_more() {
    let (folder, ledger) = fresh();
    let path = folder.path().join("ledger.db");
    let seeds = |number: u8| {
        let bytes = fs::read(&path).unwrap();
        bytes.windows(32).filter(|window| **window == [number; 32]).count()
    };
    ledger.write(&[purchase(1, 0xab), purchase(2, 1)]).unwrap();
    drop(ledger);
    assert!(seeds(0xab) > 0);
    let ledger = Ledger::open(&path).unwrap();
    ledger.write(&[purchase(1, 0xcd)]).unwrap();
    drop(ledger);
    assert_eq!((seeds(0xab), seeds(0xcd) > 0), (0, true));
    assert_eq!(names(folder.path()), ["ledger.db"]);
}

#[test]
fn a_copy_that_becomes_the_ledger_keeps_quiet() {
    let (folder, ledger) = fresh();
    ledger.write(&[standing(1, 1)]).unwrap();
    let copy = folder.path().join("copy");
    ledger.copy_to(&copy).unwrap();
    assert!(ledger.copy_to(&copy).is_err(), "nothing is replaced");
    assert_eq!((ledger.restored_at(), ledger.quiet_until(), mode(&copy)), (None, 0, 0o600));
    drop(ledger);
    let again = Ledger::open(&folder.path().join("ledger.db")).unwrap();
    assert_eq!(again.restored_at(), None, "the copy is marked, not what it was made from");
    let put_back = Ledger::open(&copy).unwrap();
    assert_eq!(put_back.load().unwrap(), [standing(1, 1)]);
    let at = put_back.restored_at().unwrap();
    assert_eq!(put_back.quiet_until(), at + DELEGATION_SECONDS_MAX);
    drop(put_back);
    assert_eq!(Ledger::open(&copy).unwrap().restored_at(), Some(at), "it is noted once");
}

/// Set in the process that [`a_full_drive_refuses_a_write_whole_and_it_goes_on_when_there_is_space`] starts.
const LIMITED: &str = "PIECEWORK_TEST_FILE_SIZE_IS_LIMITED";

/// A limit on file sizes is a full drive that a test can have; but it holds for the whole process, so the
/// test runs in one of its own, with the signal ignored that would end it.
#[test]
fn a_full_drive_refuses_a_write_whole_and_it_goes_on_when_there_is_space() {
    if std::env::var_os(LIMITED).is_some() {
        return write_to_a_full_drive();
    }
    let this =
        "tests::files::a_full_drive_refuses_a_write_whole_and_it_goes_on_when_there_is_space";
    let output = std::process::Command::new("sh")
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -S -f 256; exec \"$0\" --exact \"$1\" --nocapture")
        .arg(std::env::current_exe().unwrap())
        .arg(this)
        .env(LIMITED, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let fault = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{fault}");
}

fn write_to_a_full_drive() {
    let (folder, ledger) = fresh();
    let batch = |from: u64| -> Vec<Record> {
        let purchases = (from..from + 10).map(|channel| purchase(channel, 7));
        purchases.chain([Record::Entry(entry(Side::Buying, 1, 1, 10))]).collect()
    };
    let mut written = 0;
    while ledger.write_at(&batch(written * 10), NOON).is_ok() {
        written += 1;
        assert!(written < 10_000, "the drive is never full");
    }
    assert!(ledger.write_at(&batch(written * 10), NOON).is_err());
    let whole = |ledger: &Ledger, written: u64| {
        assert_eq!(ledger.load().unwrap().len() as u64, written * 10);
        assert_eq!(total(ledger), u128::from(written * 10));
    };
    whole(&ledger, written);
    let limit = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: limit.maximum, ..limit }).unwrap();
    ledger.write_at(&batch(written * 10), NOON).unwrap();
    whole(&ledger, written + 1);
    drop(ledger);
    whole(&Ledger::open(&folder.path().join("ledger.db")).unwrap(), written + 1);
}
