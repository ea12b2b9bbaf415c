#![allow(clippy::unwrap_used)]

use super::*;
use crate::store::PieceStore;
use crate::testing::{Bench, Fixture, piece, set};
use crate::{ReadNow, Storage, StorageSpec};
use piecework_metainfo::Version;
use piecework_types::Bitfield;
use std::io::IoSliceMut;
use std::path::PathBuf;

/// Six pieces: the third is shared by the first two files.
const FILES: [(&str, u64); 3] = [("a", 40_000), ("b", 41_920), ("c", 16_384)];

fn fixture(version: Version) -> Fixture {
    Fixture::new(version, 16_384, &FILES)
}

fn seed(bench: &Bench, fixture: &Fixture) -> PieceStore {
    fixture.write_files(&bench.dir());
    let spec = StorageSpec { is_read_only: true, ..bench.spec(fixture) };
    let storage = Storage::open(&bench.disk, spec).unwrap();
    bench.store_with(storage, Bitfield::full(fixture.pieces()))
}

fn wait_missing(bench: &Bench) -> PathBuf {
    bench.wait(|event| match event {
        StoreEvent::FileMissing { path, .. } => Some(path.clone()),
        _ => None,
    })
}

fn wait_unreadable(bench: &Bench) -> (u32, FaultKind) {
    bench.wait(|event| match event {
        StoreEvent::PieceUnreadable { piece, fault } => Some((piece.get(), fault.kind())),
        _ => None,
    })
}

fn wait_found(bench: &Bench) {
    bench.wait(|event| matches!(event, StoreEvent::FilesFound).then_some(()));
}

/// Whether a worker could read the piece.
fn is_readable(bench: &Bench, fixture: &Fixture, store: &PieceStore, index: u32) -> bool {
    store.read_later(1, &fixture.info().grid().blocks(piece(index)).collect::<Vec<_>>());
    bench.wait(|event| match event {
        StoreEvent::Read { result, .. } => Some(result.is_ok()),
        _ => None,
    })
}

#[test]
fn a_file_that_is_put_back_is_checked_and_its_pieces_return() {
    for version in [Version::V1, Version::Hybrid] {
        let (fixture, bench) = (fixture(version), Bench::new());
        let store = seed(&bench, &fixture);
        let path = bench.dir().join("t/b");
        std::fs::remove_file(&path).unwrap();
        let last = fixture.info().layout().pieces_of(fixture.info().files().len() - 1).start - 1;
        assert!(!is_readable(&bench, &fixture, &store, last));
        assert_eq!(wait_missing(&bench), path);
        let lost: Vec<_> = (0..fixture.pieces()).filter(|&it| !store.has(piece(it))).collect();

        // Another file of the same size is not it.
        std::fs::write(&path, vec![1; 41_920]).unwrap();
        while store.shared.losses.lock().files.values().any(Option::is_none) {
            std::thread::yield_now();
        }
        assert!(lost.iter().all(|&it| !store.has(piece(it))));

        fixture.write_files(&bench.dir());
        assert_eq!(bench.wait_verified(lost.len() as u32), lost);
        wait_found(&bench);
        assert!(store.have().is_full() && is_readable(&bench, &fixture, &store, last));
    }
}

#[test]
fn pieces_that_are_looked_at_again_stay_unless_they_are_gone_or_differ() {
    let (fixture, bench) = (fixture(Version::V1), Bench::new());
    let mut store = seed(&bench, &fixture);
    std::fs::remove_file(bench.dir().join("t/c")).unwrap();
    let path = bench.dir().join("t/a");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20_000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    store.revisit(set(6, [0, 1, 5]), false);
    // Not before all of that is known.
    assert!(!store.is_settled());
    assert_eq!(wait_missing(&bench), bench.dir().join("t/c"));
    assert_eq!(wait_unreadable(&bench), (1, FaultKind::Damaged));
    assert_eq!(store.have(), set(6, [0, 2, 3, 4]));
}

#[test]
fn a_folder_that_is_gone_for_a_while_and_a_file_that_was_cut_come_back_as_well() {
    let (fixture, bench) = (fixture(Version::V1), Bench::new());
    let store = seed(&bench, &fixture);
    let (folder, aside) = (bench.dir().join("t"), bench.dir().join("aside"));
    std::fs::rename(&folder, &aside).unwrap();
    for index in [0, 4] {
        assert!(!is_readable(&bench, &fixture, &store, index));
        wait_missing(&bench);
    }
    assert_eq!(store.have(), set(6, [5]));
    std::fs::rename(&aside, &folder).unwrap();
    assert_eq!(bench.wait_verified(5), [0, 1, 2, 3, 4]);
    wait_found(&bench);

    let cut = std::fs::File::options().write(true).open(folder.join("a")).unwrap();
    cut.set_len(20_000).unwrap();
    assert!(!is_readable(&bench, &fixture, &store, 1));
    wait_missing(&bench);
    fixture.write_files(&bench.dir());
    assert_eq!(bench.wait_verified(3), [0, 1, 2]);
    wait_found(&bench);
    assert!(store.have().is_full());
}

#[test]
fn who_trusts_files_trusts_them_also_when_they_come_back() {
    let (fixture, bench) = (fixture(Version::V1), Bench::new());
    let mut store = seed(&bench, &fixture);
    assert!(store.trust().is_full());
    let path = bench.dir().join("t/c");
    std::fs::remove_file(&path).unwrap();
    assert!(!is_readable(&bench, &fixture, &store, 5));
    wait_missing(&bench);
    std::fs::write(&path, vec![1; 16_384]).unwrap();
    assert_eq!(bench.wait_verified(1), [5]);
    wait_found(&bench);
}

#[test]
fn a_piece_that_a_drive_does_not_give_is_lost_and_told_once() {
    let (fixture, bench) = (fixture(Version::V1), Bench::new());
    let store = seed(&bench, &fixture);
    bench.set_read_faults(&[(2, 100..101)]);
    for _ in 0..3 {
        assert!(!is_readable(&bench, &fixture, &store, 5));
    }
    assert_eq!(wait_unreadable(&bench), (5, FaultKind::Io));
    assert_eq!(store.have(), set(6, 0..5));
    // A seed finds it when the drive gives it again; a second report would have come before that.
    bench.set_read_faults(&[]);
    std::fs::rename(bench.dir().join("t/c"), bench.dir().join("t/d")).unwrap();
    std::fs::rename(bench.dir().join("t/d"), bench.dir().join("t/c")).unwrap();
    let returned = bench.wait(|event| match event {
        StoreEvent::PieceUnreadable { piece, .. } => Some(Err(piece.get())),
        StoreEvent::PieceVerified { piece } => Some(Ok(piece.get())),
        _ => None,
    });
    assert_eq!(returned, Ok(5));
    wait_found(&bench);
}

#[test]
fn a_doubt_that_a_check_does_not_confirm_costs_nothing() {
    let (fixture, bench) = (fixture(Version::V1), Bench::new());
    let store = seed(&bench, &fixture);
    store.shared.doubt([piece(3)]);
    while !store.shared.losses.lock().doubted.is_empty() {
        std::thread::yield_now();
    }
    assert!(store.have().is_full() && !store.shared.losses.are_there());
}

#[test]
fn a_piece_whose_bytes_changed_is_lost_when_a_read_beside_them_fails() {
    let (fixture, bench) = (fixture(Version::V1), Bench::new());
    let store = seed(&bench, &fixture);
    std::fs::write(bench.dir().join("t/c"), vec![1; 16_384]).unwrap();
    store.shared.doubt([piece(5)]);
    assert_eq!(wait_unreadable(&bench), (5, FaultKind::Damaged));
}

#[test]
fn a_download_fetches_what_its_drive_does_not_give_and_looks_for_nothing() {
    let (fixture, bench) = (fixture(Version::V1), Bench::new());
    fixture.write_files(&bench.dir());
    let mut store = bench.store_with(bench.storage(&fixture), Bitfield::full(6));
    bench.set_read_faults(&[(0, 0..1)]);
    // Opened, so that the shard's own read meets the fault.
    assert!(is_readable(&bench, &fixture, &store, 1));
    let block = fixture.blocks()[0];
    let mut place = vec![0; block.length as usize];
    let read = store.read_now(&[block], &mut [IoSliceMut::new(&mut place)]);
    assert_eq!(read.unwrap_err().kind(), FaultKind::Io);
    assert_eq!(wait_unreadable(&bench), (0, FaultKind::Io));
    assert!(!store.shared.losses.are_there() && !store.has(piece(0)));
    bench.set_read_faults(&[]);
    bench.accept(&mut store, &fixture, block);
    assert_eq!(bench.wait_verified(1), [0]);
    let read = store.read_now(&[block], &mut [IoSliceMut::new(&mut place)]);
    assert_eq!(read.unwrap(), ReadNow::Done);
}
