#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{Bench, Fixture, piece, set};
use crate::{DiskConfig, StorageSpec, StoreEvent};
use piecework_metainfo::Version;
use piecework_types::Rng;
use proptest::prelude::*;
use std::sync::Arc;

const VERSIONS: [Version; 3] = [Version::V1, Version::V2, Version::Hybrid];

/// What the driver may do between two blocks.
#[derive(Clone, Copy, Debug)]
enum Between {
    Nothing,
    Flush,
    Relieve,
}

fn files() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![Just(0), 1_u64..200_000, Just(32_768)], 1..6)
        .prop_filter("some content", |files| files.iter().any(|&bytes| bytes > 0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn blocks_in_any_order_become_verified_pieces_and_right_files(
        version in prop::sample::select(&VERSIONS),
        piece_length in prop::sample::select(&[16_384_u32, 32_768, 131_072, 1_048_576]),
        files in files(),
        seed in any::<u64>(),
        between in prop::collection::vec(
            prop::sample::select(&[Between::Nothing, Between::Flush, Between::Relieve]), 1..5),
    ) {
        let names: Vec<_> = (0..files.len()).map(|at| format!("d{}/f{at}", at % 2)).collect();
        let files: Vec<_> = names.iter().map(String::as_str).zip(files).collect();
        let fixture = Fixture::new(version, piece_length, &files);
        let bench = Bench::new();
        let mut store = bench.store(bench.storage(&fixture));
        let mut blocks = fixture.blocks();
        let mut rng = Rng::new(seed);
        rng.shuffle(&mut blocks);
        for block in blocks {
            bench.accept(&mut store, &fixture, block);
            if rng.chance(1, 10) {
                bench.accept(&mut store, &fixture, block);
            }
            match rng.index(between.len()).map(|at| between[at]) {
                Some(Between::Flush) => store.flush(rng.chance(1, 2)),
                Some(Between::Relieve) => store.relieve(),
                Some(Between::Nothing) | None => {}
            }
        }
        let all: Vec<_> = (0..fixture.pieces()).collect();
        prop_assert_eq!(bench.wait_verified(fixture.pieces()), all);
        bench.save(&mut store, true);
        fixture.assert_files(&bench.dir());
        prop_assert!(store.have().is_full());
        store.open.clear();
        prop_assert_eq!(bench.disk.pool().in_use_bytes(), 0);
    }
}

#[test]
fn a_wrong_block_fails_its_piece_and_shows_in_the_digests() {
    for version in VERSIONS {
        let fixture = Fixture::new(version, 65_536 * 8, &[("a", 65_536 * 12)]);
        let bench = Bench::new();
        let mut store = bench.store(bench.storage(&fixture));
        let blocks = fixture.blocks();
        let (bad, other) = (blocks[3], piece(1));
        for block in blocks.iter().copied().filter(|block| *block != bad) {
            bench.accept(&mut store, &fixture, block);
        }
        let mut wrong = fixture.bytes(bad).to_vec();
        wrong[77] ^= 1;
        store.accept(bad, bench.chunk(&wrong), true);
        let digests = bench.wait(|event| match event {
            StoreEvent::PieceFailed { piece, block_digests } if piece.get() == 0 => {
                Some(block_digests.clone())
            }
            _ => None,
        });
        let expected: Vec<_> = blocks
            .iter()
            .filter(|block| block.piece == bad.piece)
            .map(|block| {
                piecework_hash::sha256(if *block == bad { &wrong } else { fixture.bytes(*block) })
            })
            .collect();
        assert_eq!(digests, expected);
        assert_eq!(bench.wait_verified(1), [other.get()]);

        // The same piece again, this time right.
        for block in blocks.into_iter().filter(|block| block.piece == bad.piece) {
            bench.accept(&mut store, &fixture, block);
        }
        assert_eq!(bench.wait_verified(1), [0]);
        fixture.assert_files(&bench.dir());
    }
}

#[test]
fn under_memory_pressure_out_of_order_data_are_written_and_hashed_later() {
    // The pool holds half of the piece, and the first block comes last.
    let fixture = Fixture::new(Version::V1, 4 << 20, &[("a", 4 << 20)]);
    let bench = Bench::with(DiskConfig { chunk_bytes_max: 2 << 20, ..DiskConfig::default() });
    let mut store = bench.store(bench.storage(&fixture));
    for block in fixture.blocks().into_iter().rev() {
        while bench.disk.pool().pressure() {
            store.relieve();
            std::thread::yield_now();
        }
        bench.accept(&mut store, &fixture, block);
    }
    assert_eq!(bench.wait_verified(1), [0]);
    fixture.assert_files(&bench.dir());
}

#[test]
fn reads_give_verified_bytes_at_once_or_later_and_nothing_else() {
    for version in VERSIONS {
        let fixture = Fixture::new(version, 32_768, &[("a", 40_000), ("b", 70_000)]);
        let bench = Bench::new();
        let mut store = bench.store(bench.storage(&fixture));
        fixture.blocks().into_iter().for_each(|block| bench.accept(&mut store, &fixture, block));
        bench.wait_verified(fixture.pieces());
        for index in 0..fixture.pieces() {
            let blocks: Vec<_> =
                fixture.blocks().into_iter().filter(|block| block.piece == piece(index)).collect();
            let mut memory: Vec<_> =
                blocks.iter().map(|block| vec![0; block.length as usize]).collect();
            let mut places: Vec<_> =
                memory.iter_mut().map(|place| IoSliceMut::new(place)).collect();
            assert_eq!(store.read_now(&blocks, &mut places).unwrap(), ReadNow::Done);
            let expected: Vec<_> =
                blocks.iter().map(|block| fixture.bytes(*block).to_vec()).collect();
            assert_eq!(memory, expected);

            store.read_later(7, &blocks);
            let chunks = bench.wait(|event| match event {
                StoreEvent::Read { token: 7, result: Ok(chunks) } => {
                    Some(chunks.iter().map(|chunk| chunk.to_vec()).collect::<Vec<_>>())
                }
                _ => None,
            });
            for (chunk, expected) in chunks.iter().zip(&expected) {
                assert_eq!(&chunk[..expected.len()], &expected[..]);
            }
            assert_eq!(chunks.len(), expected.len());
        }
        store.drop_piece(piece(0));
        let block = fixture.blocks()[0];
        assert!(store.read_now(&[block], &mut [IoSliceMut::new(&mut [0; 16_384])]).is_err());
    }
}

#[test]
fn a_file_that_vanishes_while_it_is_read_takes_its_pieces_along() {
    let fixture = Fixture::new(Version::V1, 16_384, &[("a", 32_768), ("b", 65_536)]);
    let bench = Bench::new();
    fixture.write_files(&bench.dir());
    let mut store = bench.store_with(bench.storage(&fixture), Bitfield::full(6));
    std::fs::remove_file(bench.dir().join("t/b")).unwrap();
    store.read_later(1, &[fixture.blocks()[3]]);
    let lost = bench.wait(|event| match event {
        StoreEvent::FileMissing { file, path, pieces } => {
            Some((*file, path.clone(), pieces.clone()))
        }
        _ => None,
    });
    assert_eq!(lost, (1, store.storage().dir().join("t/b"), 2..6));
    assert_eq!(store.have(), set(6, [0, 1]));

    // Put back, it is found again.
    fixture.write_files(&bench.dir());
    store.check(CheckScope::All);
    assert!(bench.wait_checked().is_full());
}

#[test]
fn a_file_that_is_taken_away_during_a_download_is_noticed_and_made_anew() {
    let fixture = Fixture::new(Version::V1, 16_384, &[("a", 49_152), ("b", 16_384)]);
    let bench = Bench::new();
    let mut store = bench.store(bench.storage(&fixture));
    let blocks = fixture.blocks();
    blocks[..2].iter().for_each(|block| bench.accept(&mut store, &fixture, *block));
    bench.wait_verified(2);
    std::fs::remove_file(bench.dir().join("t/a")).unwrap();
    // As the keeper does now and then.
    bench.disk.files().close_deleted();
    blocks[2..].iter().for_each(|block| bench.accept(&mut store, &fixture, *block));
    let missing = |event: &StoreEvent| match event {
        StoreEvent::FileMissing { file, pieces, .. } => Some((*file, pieces.clone())),
        _ => None,
    };
    assert_eq!(bench.wait(missing), (0, 0..3));
    bench.wait_verified(2);
    blocks[..2].iter().for_each(|block| bench.accept(&mut store, &fixture, *block));
    bench.wait_verified(2);
    fixture.assert_files(&bench.dir());

    // Also when it goes at the very end, while its handle is still open.
    std::fs::remove_file(bench.dir().join("t/b")).unwrap();
    store.drop_piece(piece(3));
    bench.accept(&mut store, &fixture, blocks[3]);
    bench.wait_verified(1);
    store.keep_resume(
        crate::ResumeStore::open(&bench.state_dir())
            .and_then(|it| it.lock(&fixture.info().hashes(), &bench.dir()))
            .unwrap(),
    );
    bench.save(&mut store, false);
    assert_eq!(bench.wait(missing), (1, 3..4));
    assert_eq!(store.have(), set(4, [0, 1, 2]));
}

#[test]
fn what_stands_in_the_way_blocks_the_store_until_it_is_gone() {
    let fixture = Fixture::new(Version::V1, 32_768, &[("d/a", 131_072)]);
    let bench = Bench::new();
    let mut store = bench.store(bench.storage(&fixture));
    std::fs::create_dir_all(bench.dir().join("t")).unwrap();
    std::fs::write(bench.dir().join("t/d"), "in the way").unwrap();
    for block in fixture.blocks() {
        store.accept(block, bench.chunk(fixture.bytes(block)), true);
    }
    let text = bench.wait(|event| match event {
        StoreEvent::StorageBlocked { fault } => Some(fault.to_string()),
        _ => None,
    });
    assert!(text.contains("cannot open"), "{text}");
    let mut lost = Vec::new();
    for _ in 0..3 {
        lost.push(bench.wait(|event| match event {
            StoreEvent::PieceLost { piece, .. } => Some(piece.get()),
            _ => None,
        }));
    }
    std::fs::remove_file(bench.dir().join("t/d")).unwrap();
    bench.wait(|event| matches!(event, StoreEvent::StorageRecovered).then_some(()));
    // The piece that was kept is verified without being received again.
    let kept = bench.wait_verified(1);
    for block in fixture.blocks().into_iter().filter(|block| lost.contains(&block.piece.get())) {
        bench.accept(&mut store, &fixture, block);
    }
    bench.wait_verified(3);
    assert!(!lost.contains(&kept[0]));
    fixture.assert_files(&bench.dir());
}

/// Set in the process that [`a_full_disk_stops_writing_and_it_goes_on_when_there_is_space`] starts.
const LIMITED: &str = "PIECEWORK_TEST_FILE_SIZE_IS_LIMITED";

/// A limit on file sizes is a full disk that a test can have; but it holds for the whole process, so the
/// test runs in one of its own, with the signal ignored that would end it.
#[test]
fn a_full_disk_stops_writing_and_it_goes_on_when_there_is_space() {
    if std::env::var_os(LIMITED).is_some() {
        return download_to_a_full_disk();
    }
    let this = "store::tests::a_full_disk_stops_writing_and_it_goes_on_when_there_is_space";
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

fn download_to_a_full_disk() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    // The shell's limit is 128 or 256 KiB, depending on which shell it is.
    let fixture = Fixture::new(Version::V1, 65_536, &[("a", 1 << 20)]);
    let bench = Bench::new();
    let mut store = bench.store(bench.storage(&fixture));
    for block in fixture.blocks() {
        store.accept(block, bench.chunk(fixture.bytes(block)), true);
    }
    let text = bench.wait(|event| match event {
        StoreEvent::StorageBlocked { fault } => Some(fault.to_string()),
        _ => None,
    });
    assert!(text.ends_with("no space left; free some, it goes on by itself"), "{text}");
    let limit = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, rustix::process::Rlimit { current: limit.maximum, ..limit })
        .unwrap();
    bench.wait(|event| matches!(event, StoreEvent::StorageRecovered).then_some(()));
    // Lost pieces come again; verified ones stayed.
    let mut verified = 0;
    while verified < 16 {
        let (piece, is_lost) = bench.wait(|event| match event {
            StoreEvent::PieceVerified { piece } => Some((*piece, false)),
            StoreEvent::PieceLost { piece, .. } => Some((*piece, true)),
            _ => None,
        });
        verified += usize::from(!is_lost);
        for block in fixture.blocks().into_iter().filter(|it| is_lost && it.piece == piece) {
            bench.accept(&mut store, &fixture, block);
        }
    }
    assert!(store.have().is_full());
    fixture.assert_files(&bench.dir());
}

#[test]
fn bytes_of_an_unwanted_file_go_to_the_parts_file_until_it_is_wanted() {
    let fixture =
        Fixture::new(Version::V1, 65_536, &[("a", 100_000), ("b", 100_000), ("c", 100_000)]);
    let bench = Bench::new();
    let spec = StorageSpec { wanted: vec![false, true, false], ..bench.spec(&fixture) };
    let mut store = bench.store(Storage::open(&bench.disk, spec).unwrap());
    let blocks = fixture.blocks();
    let of = |pieces: &[u32]| {
        blocks.iter().copied().filter(|it| pieces.contains(&it.piece.get())).collect::<Vec<_>>()
    };
    of(&[1, 2, 3]).into_iter().for_each(|block| bench.accept(&mut store, &fixture, block));
    bench.wait_verified(3);
    assert!(!bench.dir().join("t/a").exists() && !bench.dir().join("t/c").exists());
    assert!(bench.dir().join("t/b").exists());

    // They are read from there.
    for block in of(&[1, 3]) {
        store.read_later(1, &[block]);
        let bytes = bench.wait(|event| match event {
            StoreEvent::Read { result, .. } => Some(result.as_ref().unwrap()[0].to_vec()),
            _ => None,
        });
        assert_eq!(&bytes[..block.length as usize], fixture.bytes(block));
    }

    // One becomes wanted while we run, the other for the next run.
    store.set_wanted(&[true, true, false]);
    of(&[0]).into_iter().for_each(|block| bench.accept(&mut store, &fixture, block));
    bench.wait_verified(1);
    bench.save(&mut store, true);
    drop(store);
    let mut store = bench.store_with(bench.storage(&fixture), set(5, [0, 1, 2, 3]));
    of(&[4]).into_iter().for_each(|block| bench.accept(&mut store, &fixture, block));
    bench.wait_verified(1);
    fixture.assert_files(&bench.dir());
    store.check(CheckScope::All);
    assert!(bench.wait_checked().is_full());
}

#[test]
fn a_check_finds_exactly_the_pieces_that_are_right() {
    for version in VERSIONS {
        let files = [("a", 300_000), ("e", 0), ("z/b", 500_000), ("z/c", 10)];
        let fixture = Fixture::new(version, 32_768, &files);
        let bench = Bench::new();
        fixture.write_files(&bench.dir());
        let path = bench.dir().join("t/z/b");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[100_000] ^= 1;
        bytes.truncate(499_000);
        std::fs::write(&path, bytes).unwrap();
        let mut store = bench.store(bench.storage(&fixture));
        store.check(CheckScope::All);
        let have = bench.wait_checked();
        let layout = fixture.info().layout();
        let at = fixture.info().files().iter().position(|it| it.path() == "t/z/b").unwrap();
        let offset = layout.extents()[at].offset;
        let bad = [100_000, 499_999].map(|byte| ((offset + byte) / 32_768) as u32);
        let good: Vec<_> = (0..fixture.pieces()).filter(|piece| !bad.contains(piece)).collect();
        assert_eq!(have.iter().map(|piece| piece.get()).collect::<Vec<_>>(), good);
        // Only the bad ones again, with the file repaired.
        fixture.write_files(&bench.dir());
        store.check(CheckScope::Pieces(set(fixture.pieces(), bad)));
        assert!(bench.wait_checked().is_full());
    }
}

#[test]
fn a_cancelled_check_says_that_it_is_not_complete() {
    let fixture = Fixture::new(Version::V1, 16_384, &[("a", 8 << 20)]);
    let bench = Bench::new();
    fixture.write_files(&bench.dir());
    let mut store = bench.store(bench.storage(&fixture));
    store.check(CheckScope::All);
    store.cancel_check();
    let is_honest = bench.wait(|event| match event {
        StoreEvent::CheckFinished { have, is_complete } => Some(have.is_full() == *is_complete),
        _ => None,
    });
    assert!(is_honest);
}

#[test]
fn trust_takes_files_of_the_right_size_and_never_reads_them() {
    let fixture = Fixture::new(Version::V1, 16_384, &[("a", 32_768), ("b", 40_000)]);
    let bench = Bench::new();
    std::fs::create_dir_all(bench.dir().join("t")).unwrap();
    std::fs::write(bench.dir().join("t/a"), vec![0; 32_768]).unwrap();
    std::fs::write(bench.dir().join("t/b"), vec![0; 39_999]).unwrap();
    let mut store = bench.store(bench.storage(&fixture));
    assert_eq!(store.trust(), set(5, [0, 1]));
}

#[test]
fn twenty_thousand_tiny_files_are_written_with_few_handles() {
    let names: Vec<_> = (0..20_000).map(|at| format!("{}/{at}", at % 50)).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), 10)).collect();
    let fixture = Fixture::new(Version::V1, 16_384, &files);
    let bench = Bench::new();
    let mut store = bench.store(bench.storage(&fixture));
    fixture.blocks().into_iter().for_each(|block| bench.accept(&mut store, &fixture, block));
    bench.wait_verified(fixture.pieces());
    store.check(CheckScope::All);
    assert!(bench.wait_checked().is_full());
    fixture.assert_files(&bench.dir());
}

#[test]
fn blocks_of_verified_pieces_and_spans_that_are_no_block_are_dropped() {
    let fixture = Fixture::new(Version::V1, 32_768, &[("a", 65_536)]);
    let bench = Bench::new();
    let mut store = bench.store_with(bench.storage(&fixture), set(2, [0]));
    let block = fixture.blocks()[0];
    bench.accept(&mut store, &fixture, block);
    let odd = Block { piece: piece(1), begin: 1, length: 16_384 };
    store.accept(odd, bench.chunk(&[0; 16_384]), true);
    assert_eq!((store.open.len(), bench.disk.pool().in_use_bytes()), (0, 0));
}

#[test]
fn a_store_that_is_dropped_in_the_middle_frees_its_chunks() {
    let fixture = Fixture::new(Version::V1, 1 << 20, &[("a", 4 << 20)]);
    let bench = Bench::new();
    let mut store = bench.store(bench.storage(&fixture));
    for block in fixture.blocks().into_iter().step_by(3) {
        bench.accept(&mut store, &fixture, block);
    }
    store.flush(false);
    let weak = Arc::downgrade(&store.shared);
    drop(store);
    bench.disk.shutdown();
    assert_eq!((bench.disk.pool().in_use_bytes(), weak.strong_count()), (0, 0));
}
