#![allow(clippy::unwrap_used)]

use super::*;
use crate::layout::Layout;
use piecework_hash::{sha1, sha256};
use piecework_types::{Sha1Digest, Sha256Digest};
use proptest::prelude::*;

fn source(path: &str, length: u64) -> Source {
    let components = path.split('/').map(str::to_owned).collect();
    Source { components, length, is_executable: false }
}

const fn shape(version: Version) -> Shape {
    Shape { version, piece_length: Some(2 * BLOCK_BYTES), pad_v1: false }
}

/// Content without a pattern that could hide a wrong offset: byte `at` of file `file`.
fn byte(file: usize, at: u64) -> u8 {
    let mixed = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (file as u64) << 32);
    (mixed >> 56) as u8
}

/// The bytes of a piece, as whoever makes or checks a torrent reads them.
fn piece_bytes(layout: &Layout, piece: PieceIndex, file_of: impl Fn(usize) -> usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in layout.piece_segments(piece) {
        let range = part.offset..part.offset + u64::from(part.length);
        bytes.extend(range.map(|at| if part.is_pad { 0 } else { byte(file_of(part.file), at) }));
    }
    bytes
}

fn block_hashes(bytes: &[u8]) -> Vec<Sha256Digest> {
    bytes.chunks(BLOCK_BYTES as usize).map(sha256).collect()
}

fn build(plan: Plan, details: &Details) -> Created {
    let sources: Vec<_> = plan.files().iter().map(|file| file.source).collect();
    let mut builder = plan.builder();
    for piece in builder.plan().grid().clone().pieces() {
        let plan = builder.plan();
        let bytes = piece_bytes(plan.layout(), piece, |file| sources[file].unwrap());
        let v2 = block_hashes(&bytes[..plan.v2_piece_bytes(piece) as usize]);
        let v1 = plan.version().has_v1().then(|| sha1(&bytes));
        builder.add(piece, v1, &v2).unwrap();
    }
    builder.finish(details).unwrap()
}

/// Reads the torrent as a downloader does: content by path, hashes piece by piece.
fn check(created: &Created, sources: &[Source]) {
    let info = created.metainfo.info();
    let source_of = |file: usize| {
        let below: Vec<_> = info.files()[file].components().skip(1).collect();
        sources.iter().position(|source| source.components == below).unwrap()
    };
    for piece in info.grid().pieces() {
        let bytes = piece_bytes(info.layout(), piece, source_of);
        assert_eq!(bytes.len() as u32, info.grid().piece_bytes(piece));
        assert_eq!(info.v1_hash(piece), info.version().has_v1().then(|| sha1(&bytes)));
        let v2_bytes = info.v2_piece_bytes(piece).unwrap_or(0) as usize;
        let layers = created.metainfo.layers();
        assert_eq!(layers.is_some(), info.version().has_v2());
        if let Some(layers) = layers {
            let computed = layers.hash_of_blocks(piece, &block_hashes(&bytes[..v2_bytes]));
            assert_eq!(layers.v2_hash(piece).unwrap(), computed.unwrap());
        }
    }
}

#[test]
fn piece_lengths_make_one_to_two_thousand_pieces() {
    assert_eq!(auto_piece_length(1), 16 << 10);
    assert_eq!(auto_piece_length(2000 * (16 << 10)), 16 << 10);
    assert_eq!(auto_piece_length(2000 * (16 << 10) + 1), 32 << 10);
    assert_eq!(auto_piece_length(u64::MAX), AUTO_PIECE_BYTES_MAX);
    for shift in 25..34 {
        let total = (1_u64 << shift) + 12_345;
        let pieces = total / u64::from(auto_piece_length(total));
        assert!((999..=2000).contains(&pieces), "{pieces} pieces of {total} bytes");
    }
}

#[test]
fn files_are_sorted_and_only_hybrids_padded() {
    let sources =
        || vec![source("b", 5), source("a/z", 40_000), source("a.txt", 0), source("c", 1)];
    let order = |version| -> Vec<String> {
        let plan = Plan::folder("t", sources(), shape(version)).unwrap();
        plan.files().iter().map(|file| file.components.join("/")).collect()
    };
    assert_eq!(order(Version::V1), ["a/z", "a.txt", "b", "c"]);
    assert_eq!(order(Version::V2), ["a/z", "a.txt", "b", "c"]);
    let padded = ["a/z", ".pad/25536", "a.txt", "b", ".pad/32763", "c"];
    assert_eq!(order(Version::Hybrid), padded);
    let plan = Plan::folder("t", sources(), Shape { pad_v1: true, ..shape(Version::V1) }).unwrap();
    assert_eq!(plan.files().len(), padded.len());
}

#[test]
fn the_bytes_of_a_small_torrent_are_as_bep_3_and_bep_12_have_them() {
    let plan = Plan::file("a.bin", 3, shape(Version::V1)).unwrap();
    let details = Details {
        trackers: vec![vec!["udp://t:1".to_owned()], vec!["http://u/announce".to_owned()]],
        web_seeds: vec!["http://w/a.bin".to_owned()],
        is_private: true,
        comment: Some("c".to_owned()),
        created_by: Some("by".to_owned()),
        creation_date: Some(5),
    };
    let mut builder = plan.builder();
    builder.add(PieceIndex::trusted(0), Some(Sha1Digest([b'x'; 20])), &[]).unwrap();
    let created = builder.finish(&details).unwrap();
    let expected = "d8:announce9:udp://t:113:announce-listll9:udp://t:1el17:http://u/announceee\
        7:comment1:c10:created by2:by13:creation datei5e4:infod6:lengthi3e4:name5:a.bin\
        12:piece lengthi32768e6:pieces20:xxxxxxxxxxxxxxxxxxxx7:privatei1ee\
        8:url-listl14:http://w/a.binee";
    assert_eq!(created.torrent.escape_ascii().to_string(), expected);
    assert_eq!(created.metainfo.trackers().concat(), ["udp://t:1", "http://u/announce"]);
    assert!(created.metainfo.info().is_private());
}

#[test]
fn names_that_nobody_else_would_keep_are_refused() {
    let refused = |name: &str, paths: &[&str]| {
        let sources = paths.iter().map(|path| source(path, 1)).collect();
        Plan::folder(name, sources, shape(Version::Hybrid)).unwrap_err().to_string()
    };
    assert_eq!(refused("t", &["x "]), "x  would be stored as x (trailing dot or space): rename it");
    assert!(refused("t", &["a", "A"]).contains("differs in case only"));
    assert!(refused("t", &["a", "a/b"]).contains("is a folder too"));
    assert!(refused("..", &["a"]).contains("dots"));
    assert!(refused("t", &[""]).contains("empty"));
    assert!(refused("t", &[&"d/".repeat(101)]).contains("at most 100 components"));
}

#[test]
fn sizes_that_make_no_torrent_are_refused() {
    let one = |length, piece_length| {
        let shape = Shape { piece_length, ..shape(Version::V1) };
        Plan::file("f", length, shape).unwrap_err()
    };
    assert_eq!(one(0, None), CreateError::NoContent);
    assert_eq!(one(1, Some(0)), CreateError::PieceLength { got: 0 });
    assert_eq!(one(1, Some(48 << 10)), CreateError::PieceLength { got: 48 << 10 });
    assert_eq!(one(1, Some(1 << 30)), CreateError::PieceLength { got: 1 << 30 });
    let got = 1 << 23;
    assert_eq!(one(got << 14, Some(16 << 10)), CreateError::TooManyPieces { got });
    let sources = vec![source("a", u64::MAX), source("b", 1)];
    let overflow = Plan::folder("t", sources, shape(Version::V2)).unwrap_err();
    assert_eq!(overflow, CreateError::TooLarge);
    let same = Plan::folder("t", vec![source("t", 1)], shape(Version::V2)).unwrap_err();
    assert_eq!(same, CreateError::FolderLikeFile { name: "t".to_owned() });
}

#[test]
fn a_builder_takes_exactly_the_digests_it_needs() {
    let plan = |version| Plan::file("f", 40_000, shape(version)).unwrap();
    let (v1, v2) = (Some(sha1(b"")), sha256(b""));
    let piece = PieceIndex::trusted(0);
    assert!(plan(Version::V1).builder().add(piece, v1, &[v2, v2]).is_err());
    assert!(plan(Version::V2).builder().add(piece, v1, &[v2, v2]).is_err());
    assert!(plan(Version::V2).builder().add(piece, None, &[v2]).is_err());
    assert!(plan(Version::Hybrid).builder().add(piece, None, &[v2, v2]).is_err());
    assert!(plan(Version::V1).builder().add(PieceIndex::trusted(2), v1, &[]).is_err());
    let mut builder = plan(Version::Hybrid).builder();
    builder.add(piece, v1, &[v2, v2]).unwrap();
    let finished = builder.finish(&Details::default()).unwrap_err();
    assert_eq!(finished, CreateError::Incomplete { missing: 1, pieces: 2 });
}

#[test]
fn addresses_that_reading_would_drop_are_refused() {
    let mut builder = Plan::file("f", 1, shape(Version::V1)).unwrap().builder();
    builder.add(PieceIndex::trusted(0), Some(sha1(b"")), &[]).unwrap();
    for got in ["tracker:80", "http://a b/"] {
        let details = Details { trackers: vec![vec![got.to_owned()]], ..Details::default() };
        let got = got.to_owned();
        assert_eq!(builder.finish(&details).unwrap_err(), CreateError::Address { got });
    }
}

#[test]
fn metadata_from_peers_becomes_a_torrent_file_once_its_layers_are_known() {
    let plan = Plan::file("f", 200_000, shape(Version::V2)).unwrap();
    let created = build(plan, &Details::default());
    let info = created.metainfo.info();
    let mut layers = info.unknown_layers().unwrap();
    assert_eq!(torrent_file(info, Some(&layers), &Details::default()), None);
    fill(&mut layers, created.metainfo.layers().unwrap());
    let written = torrent_file(info, Some(&layers), &Details::default()).unwrap();
    assert_eq!(written, created.torrent);
}

/// Copies every layer that is missing, as it would come from a peer.
fn fill(layers: &mut PieceLayers, from: &PieceLayers) {
    let missing: Vec<_> = layers.missing().map(|(root, _)| root).collect();
    for root in missing {
        layers.insert(&root, from.tree(&root).unwrap().pieces().to_vec()).unwrap();
    }
}

#[test]
fn layers_are_checked_before_they_are_kept() {
    let sources = || vec![source("a", 200_000), source("b", 32_768), source("c", 70_000)];
    let plan = Plan::folder("t", sources(), shape(Version::Hybrid)).unwrap();
    let created = build(plan, &Details::default());
    let full = created.metainfo.layers().unwrap();
    let mut layers = created.metainfo.info().unknown_layers().unwrap();
    let root_of = |piece: u32| full.root_of(PieceIndex::trusted(piece)).unwrap();
    // Seven pieces of a, one of b, three of c.
    assert_eq!([root_of(0).1, root_of(6).1, root_of(7).1, root_of(10).1], [0, 6, 0, 2]);
    assert_eq!(layers.v2_hash(PieceIndex::trusted(7)), Some(root_of(7).0));
    assert_eq!(layers.v2_hash(PieceIndex::trusted(8)), None);
    assert_eq!(layers.v2_hash(PieceIndex::trusted(11)), None);
    assert_eq!(layers.missing().count(), 2);

    let hashes = full.tree(&root_of(8).0).unwrap().pieces().to_vec();
    let wrong_root = layers.insert(&root_of(0).0, hashes.clone());
    assert!(matches!(wrong_root, Err(crate::LayerError::Merkle(_))));
    let single_piece = layers.insert(&root_of(7).0, vec![root_of(7).0]);
    assert_eq!(single_piece, Err(crate::LayerError::UnknownRoot));
    let mut changed = hashes.clone();
    changed[1].0[0] ^= 1;
    assert!(layers.insert(&root_of(8).0, changed).is_err());
    layers.insert(&root_of(8).0, hashes).unwrap();
    assert!(!layers.is_complete());
    fill(&mut layers, full);
    assert!(layers.is_complete());
    assert_eq!(layers, *full);
}

#[test]
fn info_hashes_are_those_that_libtorrent_gives_the_same_files() {
    // Made by libtorrent 2.0.8 (create_torrent, set_piece_hashes) from files with these bytes.
    let made = |name: &str, files: &[(&str, u64)], version| {
        let sources = files.iter().map(|(path, length)| source(path, *length)).collect();
        let plan = Plan::folder(name, sources, shape(version)).unwrap();
        let hashes = build(plan, &Details::default()).metainfo.info().hashes();
        (hashes.v1.map(|it| it.to_string()), hashes.v2.map(|it| it.to_string()))
    };
    let one = [("only", 300_000)];
    let v1 = "b780c360160043bc438a0d2319ecc3ff007e1a55".to_owned();
    assert_eq!(made("onefile-v1", &one, Version::V1), (Some(v1), None));
    let v2 = "dc2e7eaeac5f5559a9c27109366f1fb7990529c4fd630a235dab49c73716e987".to_owned();
    assert_eq!(made("onefile-v2", &one, Version::V2), (None, Some(v2)));
    let v1 = "c54f52588563adf4d6e2ef7d664d25c19282d93f".to_owned();
    let v2 = "577c6109987aebda1b6e93f31e3e9596b80044869e7cadba1402d5971fbbe7f8".to_owned();
    assert_eq!(made("onefile-hybrid", &one, Version::Hybrid), (Some(v1), Some(v2)));
    let two = [("a", 40_000), ("zz", 0)];
    let v2 = "58c56c1148283c358860224c6af680f19bb402cea425d64520b9043746e0e12d".to_owned();
    assert_eq!(made("tailempty-v2", &two, Version::V2), (None, Some(v2)));
}

fn file_lists() -> impl Strategy<Value = Vec<Source>> {
    let length = prop_oneof![
        Just(0_u64),
        1_u64..100,
        Just(u64::from(BLOCK_BYTES)),
        Just(2 * u64::from(BLOCK_BYTES)),
        1_u64..150_000
    ];
    let names = prop::collection::btree_map("[a-c]/[a-e]{1,2}|[d-f]{2,4}", length, 1..7);
    names
        .prop_map(|files| files.iter().map(|(path, length)| source(path, *length)).rev().collect())
        .prop_filter("some content", |files: &Vec<Source>| files.iter().any(|it| it.length > 0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_created_is_read_back_whole(
        sources in file_lists(),
        version in prop::sample::select(vec![Version::V1, Version::V2, Version::Hybrid]),
        pad_v1 in any::<bool>(),
    ) {
        let shape = Shape { pad_v1, ..shape(version) };
        let plan = Plan::folder("t", sources.clone(), shape).unwrap();
        let grid = plan.grid().clone();
        let created = build(plan, &Details::default());
        let info = created.metainfo.info();
        prop_assert_eq!(info.version(), version);
        prop_assert_eq!(info.grid(), &grid);
        prop_assert_eq!(info.cleaned(), &[]);
        let total: u64 = sources.iter().map(|source| source.length).sum();
        prop_assert_eq!(info.content_bytes(), total);
        check(&created, &sources);
    }
}
