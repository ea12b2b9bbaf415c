#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{Bench, Fixture};
use piecework_metainfo::create::{Details, Shape, Source};
use std::path::Path;

const FILES: [(&str, u64); 4] = [("a", 100_000), ("d/b", 0), ("d/c", 333_333), ("z", 16_384)];

fn plan(version: Version) -> Plan {
    let shape = Shape { version, piece_length: Some(32_768), pad_v1: false };
    let source = |(path, length): (&str, u64)| Source {
        components: path.split('/').map(str::to_owned).collect(),
        length,
        is_executable: false,
    };
    Plan::folder("t", FILES.map(source).to_vec(), shape).unwrap()
}

fn paths(dir: &Path) -> Vec<PathBuf> {
    FILES.iter().map(|(path, _)| dir.join("t").join(path)).collect()
}

#[test]
fn files_hash_to_the_same_torrent_as_their_bytes_one_after_the_other() {
    for version in [Version::V1, Version::V2, Version::Hybrid] {
        let (bench, fixture) = (Bench::new(), Fixture::new(version, 32_768, &FILES));
        fixture.write_files(&bench.dir());
        let total = AtomicU64::new(0);
        let builder = hash_files(plan(version), &paths(&bench.dir()), 2, &|done| {
            total.fetch_max(done, Ordering::Relaxed);
            true
        });
        let created = builder.unwrap().finish(&Details::default()).unwrap();
        assert_eq!(created.metainfo.info(), fixture.info());
        assert_eq!(created.metainfo.layers(), fixture.metainfo.layers());
        let grid = fixture.info().grid();
        let all: u64 = grid.pieces().map(|piece| u64::from(grid.piece_bytes(piece))).sum();
        assert_eq!(total.into_inner(), all);
    }
}

#[test]
fn a_file_of_another_size_and_a_missing_one_are_named() {
    let (bench, fixture) = (Bench::new(), Fixture::new(Version::V1, 32_768, &FILES));
    fixture.write_files(&bench.dir());
    let paths = paths(&bench.dir());
    std::fs::write(&paths[3], "short").unwrap();
    let changed = hash_files(plan(Version::V1), &paths, 2, &|_| true).unwrap_err().to_string();
    assert!(changed.contains("/z: its size changed"), "{changed}");
    std::fs::remove_file(&paths[3]).unwrap();
    let missing = hash_files(plan(Version::V1), &paths, 2, &|_| true).unwrap_err().to_string();
    assert!(missing.contains("/z: the file is gone"), "{missing}");
}

#[test]
fn it_ends_when_it_is_told_to() {
    let (bench, fixture) = (Bench::new(), Fixture::new(Version::V1, 32_768, &FILES));
    fixture.write_files(&bench.dir());
    let result = hash_files(plan(Version::V1), &paths(&bench.dir()), 2, &|_| false);
    assert!(matches!(result, Err(HashFilesError::Cancelled)));
}
