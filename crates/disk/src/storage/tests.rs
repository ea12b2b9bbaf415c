#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{Bench, Fixture};
use piecework_metainfo::Version;
use std::fs;
use std::os::unix::fs::symlink;

fn fixture() -> Fixture {
    Fixture::new(Version::V1, 16_384, &[("d/a", 20_000), ("d/empty", 0), ("run.sh", 10)])
}

#[test]
fn opening_writes_nothing_and_a_folder_is_made_for_the_first_file() {
    let (bench, fixture) = (Bench::new(), fixture());
    let storage = bench.storage(&fixture);
    assert!(!bench.dir().exists() && !storage.has_data());
    let store = bench.store(storage);
    bench.disk.shutdown();
    assert_eq!(fs::read(bench.dir().join("t/d/empty")).unwrap(), b"");
    assert!(!bench.dir().join("t/d/a").exists());
    drop(store);
}

#[test]
fn what_lies_behind_the_end_of_a_v2_file_reads_as_zeros() {
    let (bench, fixture) = (Bench::new(), Fixture::new(Version::V2, 16_384, &[("a", 100)]));
    fixture.write_files(&bench.dir());
    let storage = bench.storage(&fixture);
    let piece = fixture.info().grid().piece(0).unwrap();
    let whole = Block { piece, begin: 0, length: 16_384 };
    let mut block = vec![7; whole.length as usize];
    storage.shared.read(whole, vec![&mut block]).unwrap();
    let content = fs::read(bench.dir().join("t/a")).unwrap();
    assert_eq!((&block[..100], &block[100..]), (&content[..], &[0; 16_284][..]));
    // The file is open now, so this one needs no worker.
    let mut again = vec![7; whole.length as usize];
    let is_done = storage.shared.read_cached(whole, &mut [IoSliceMut::new(&mut again)]);
    assert!(!is_done.unwrap() || again == block);
}

#[test]
fn a_longer_file_is_refused_by_name_and_cut_when_that_is_allowed() {
    let (bench, fixture) = (Bench::new(), fixture());
    fixture.write_files(&bench.dir());
    let path = bench.dir().join("t/d/a");
    let mut longer = fs::read(&path).unwrap();
    longer.push(1);
    fs::write(&path, &longer).unwrap();
    let error = Storage::open(&bench.disk, bench.spec(&fixture)).unwrap_err().to_string();
    assert!(error.contains("d/a has 20001 bytes, expected 20000") && error.contains("--overwrite"));
    assert_eq!(fs::metadata(&path).unwrap().len(), 20_001);
    let spec = StorageSpec { may_overwrite: true, ..bench.spec(&fixture) };
    Storage::open(&bench.disk, spec).unwrap();
    fixture.assert_files(&bench.dir());
}

#[test]
fn symlinks_and_other_things_in_the_way_are_refused() {
    let (bench, fixture) = (Bench::new(), fixture());
    let refused = |what: &str| {
        let error = Storage::open(&bench.disk, bench.spec(&fixture)).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
        fs::remove_dir_all(bench.dir()).unwrap();
    };
    fs::create_dir_all(bench.dir().join("t/d")).unwrap();
    symlink("/etc/hostname", bench.dir().join("t/d/a")).unwrap();
    refused("d/a is no plain file");
    fs::create_dir_all(bench.dir().join("t/run.sh")).unwrap();
    refused("run.sh is no plain file");
    fs::create_dir_all(bench.dir().join("t")).unwrap();
    symlink(bench.folder(), bench.dir().join("t/d")).unwrap();
    refused("t/d is no plain folder");
    fs::create_dir_all(bench.dir()).unwrap();
    fs::write(bench.dir().join("t"), "").unwrap();
    refused("t is no plain folder");
}

#[test]
fn a_symlink_that_appears_later_is_not_followed() {
    let (bench, fixture) = (Bench::new(), fixture());
    let storage = bench.storage(&fixture);
    let outside = bench.folder().join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::create_dir_all(bench.dir().join("t")).unwrap();
    symlink(&outside, bench.dir().join("t/d")).unwrap();
    let block = fixture.blocks()[0];
    let fault = storage.shared.write(block, &[fixture.bytes(block)]).unwrap_err().fault;
    assert_eq!(fault.kind(), FaultKind::NotPlain);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_read_only_storage_reads_and_writes_nothing() {
    let (bench, fixture) = (Bench::new(), fixture());
    fixture.write_files(&bench.dir());
    fs::remove_file(bench.dir().join("t/d/empty")).unwrap();
    let spec = StorageSpec { is_read_only: true, ..bench.spec(&fixture) };
    let storage = Storage::open(&bench.disk, spec).unwrap();
    let store = bench.store(storage.clone());
    let block = fixture.blocks()[0];
    let mut bytes = vec![0; block.length as usize];
    storage.shared.read(block, vec![&mut bytes]).unwrap();
    assert_eq!(bytes, fixture.bytes(block));
    let fault = storage.shared.write(block, &[&bytes]).unwrap_err().fault;
    assert_eq!(fault.kind(), FaultKind::Denied);
    bench.disk.shutdown();
    assert!(!bench.dir().join("t/d/empty").exists());
    drop(store);
}

#[test]
fn a_folder_that_cannot_be_written_is_a_fault_with_a_remedy() {
    // Nobody, not even root, makes folders there.
    let (bench, fixture) = (Bench::new(), fixture());
    let spec = StorageSpec { dir: PathBuf::from("/proc/self/fdinfo"), ..bench.spec(&fixture) };
    let storage = Storage::open(&bench.disk, spec).unwrap();
    let block = fixture.blocks()[0];
    let fault = storage.shared.write(block, &[fixture.bytes(block)]).unwrap_err().fault;
    assert_eq!(fault.action(), Action::Open);
    assert!(fault.to_string().starts_with("cannot open /proc/"), "{fault}");
}

#[test]
fn the_folder_is_the_same_by_whatever_name() {
    let (bench, fixture) = (Bench::new(), fixture());
    fs::create_dir_all(bench.folder().join("real")).unwrap();
    symlink(bench.folder().join("real"), bench.folder().join("link")).unwrap();
    let dir_of = |path: &str| {
        let dir = bench.folder().join(path);
        let spec = StorageSpec { dir, ..bench.spec(&fixture) };
        Storage::open(&bench.disk, spec).unwrap().dir().to_owned()
    };
    assert_eq!(dir_of("link/new"), dir_of("real/new"));
    assert_eq!(dir_of("real/./new"), dir_of("real/new"));
}
