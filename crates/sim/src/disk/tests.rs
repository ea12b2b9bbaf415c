#![allow(clippy::unwrap_used)]

use super::*;
use piecework_types::PieceGrid;

const PIECE: PieceIndex = PieceIndex::trusted(0);

fn disk(faults: DiskFaults) -> (Disk, Arc<Origin>) {
    let grid = PieceGrid::contiguous(100_000, 32_768).unwrap();
    let origin = Arc::new(Origin::new(5, grid));
    (Disk::new(origin.clone(), faults, &Bitfield::new(4)), origin)
}

fn store_piece(disk: &mut Disk, origin: &Origin, bad: bool) -> Stored {
    let mut last = Stored::Partial;
    for block in origin.grid().blocks(PIECE) {
        let tag = origin.tag(block);
        last = disk.store(block, if bad { tag.corrupted() } else { tag }, Time::ZERO);
    }
    last
}

#[test]
fn a_piece_is_verified_only_if_it_equals_the_origin() {
    let (mut disk, origin) = disk(DiskFaults::default());
    assert_eq!(disk.check(PIECE), None);
    assert!(matches!(store_piece(&mut disk, &origin, true), Stored::Complete(_)));
    let digests = origin.grid().blocks(PIECE).map(|b| origin.tag(b).corrupted().digest()).collect();
    assert_eq!(disk.check(PIECE), Some(Verdict::Failed(digests)));
    assert_eq!(disk.check(PIECE), None, "a failed piece is forgotten");
    store_piece(&mut disk, &origin, false);
    assert_eq!(disk.check(PIECE), Some(Verdict::Verified));
    assert!(!disk.is_complete());
}

#[test]
fn a_damaged_block_fails_its_piece_though_it_was_received_well() {
    let faults = DiskFaults { corrupt_after: Some(1), corrupt_count: 1, ..DiskFaults::default() };
    let (mut disk, origin) = disk(faults);
    store_piece(&mut disk, &origin, false);
    let digests = origin.grid().blocks(PIECE).map(|block| origin.tag(block).digest()).collect();
    assert_eq!(disk.check(PIECE), Some(Verdict::Failed(digests)));
    store_piece(&mut disk, &origin, false);
    assert_eq!(disk.check(PIECE), Some(Verdict::Verified));
}

#[test]
fn a_full_disk_loses_the_piece_until_there_is_room() {
    let full_for = Duration::from_secs(3);
    let faults = DiskFaults { full_after: Some(10_000), full_for, ..DiskFaults::default() };
    let (mut disk, origin) = disk(faults);
    let until = Time::ZERO + full_for;
    assert_eq!(store_piece(&mut disk, &origin, false), Stored::Full(until));
    let first = origin.grid().block(PIECE, 0).unwrap();
    assert_eq!(disk.read(first), None);
    for block in origin.grid().blocks(PIECE) {
        disk.store(block, origin.tag(block), until);
    }
    assert_eq!(disk.check(PIECE), Some(Verdict::Verified));
}
