#![allow(clippy::unwrap_used)]

use super::*;
use piecework_bencode::{DictWriter, ListWriter, encode_dict};
use piecework_types::BLOCK_BYTES;

const KIB_16: u64 = BLOCK_BYTES as u64;

/// A v1 dictionary of one 100-byte file that `change` may add to. Of entries with one key the first
/// counts, so it runs before the rest is written.
fn v1(change: impl FnOnce(&mut DictWriter<'_>)) -> Vec<u8> {
    encode_dict(|dict| {
        change(dict);
        dict.int("length", 100);
        dict.bytes("name", "n");
        dict.int("piece length", 16_384);
        dict.bytes("pieces", [7; 20]);
    })
}

/// A v1 dictionary of these files: path and length, `.pad` first for padding.
fn v1_list(files: &[(&str, u64)], change: impl FnOnce(&mut DictWriter<'_>)) -> Vec<u8> {
    let total: u64 = files.iter().map(|(_, length)| length).sum();
    encode_dict(|dict| {
        change(dict);
        dict.list("files", |list| files.iter().for_each(|file| v1_file(list, *file)));
        dict.bytes("name", "n");
        dict.int("piece length", 16_384);
        dict.bytes("pieces", vec![7; total.div_ceil(KIB_16) as usize * 20]);
    })
}

fn v1_file(list: &mut ListWriter<'_>, (path, length): (&str, u64)) {
    list.dict(|file| {
        if path.starts_with(".pad") {
            file.bytes("attr", "p");
        }
        file.int("length", length);
        file.list("path", |names| path.split('/').for_each(|name| names.bytes(name)));
    });
}

/// Writes the v2 half: files directly below the torrent's folder, each with a root of its own.
fn v2_half(dict: &mut DictWriter<'_>, files: &[(&str, u64)]) {
    dict.int("meta version", 2);
    dict.dict("file tree", |tree| {
        for (at, (name, length)) in files.iter().enumerate() {
            tree.dict(name, |node| {
                node.dict("", |file| {
                    file.int("length", *length);
                    file.bytes("pieces root", [at as u8 + 1; 32]);
                });
            });
        }
    });
}

fn v2(files: &[(&str, u64)]) -> Vec<u8> {
    encode_dict(|dict| {
        v2_half(dict, files);
        dict.bytes("name", "n");
        dict.int("piece length", 16_384);
    })
}

fn parse(raw: Vec<u8>) -> Result<Info, MetainfoError> {
    Info::parse(raw)
}

fn refusal(raw: Vec<u8>) -> String {
    parse(raw).unwrap_err().to_string()
}

#[test]
fn a_v1_torrent_gives_its_hashes_from_the_raw_bytes() {
    let raw = v1_list(&[("a", KIB_16), ("b", 1)], |dict| dict.int("private", 1));
    let info = parse(raw.clone()).unwrap();
    assert_eq!(info.raw()[..], raw);
    assert_eq!(info.hashes(), InfoHashes { v1: Some(sha1(&raw)), v2: None });
    assert_eq!(info.v1_hash(PieceIndex::trusted(1)), Some(Sha1Digest([7; 20])));
    assert_eq!(info.v1_hash(PieceIndex::trusted(2)), None);
    assert_eq!(info.unknown_layers(), None);
    assert_eq!(info.v2_piece_bytes(PieceIndex::trusted(0)), None);
    assert!(info.is_private());
    let paths: Vec<_> = info.files().iter().map(File::path).collect();
    assert_eq!(paths, ["n/a", "n/b"]);
}

#[test]
fn files_of_a_v2_torrent_start_on_piece_borders() {
    let info = parse(v2(&[("a", 1), ("b", 2 * KIB_16 + 5), ("c", 0), ("d", 3)])).unwrap();
    let offsets: Vec<_> = info.files().iter().map(File::offset).collect();
    assert_eq!(offsets, [0, KIB_16, 4 * KIB_16, 4 * KIB_16]);
    let sizes: Vec<_> = info.grid().pieces().map(|piece| info.grid().piece_bytes(piece)).collect();
    assert_eq!(sizes, [1, 16_384, 16_384, 5, 3]);
    assert_eq!(info.files()[2].pieces_root(), None);
    let layers = info.unknown_layers().unwrap();
    assert_eq!(layers.root_of(PieceIndex::trusted(3)), Some((Sha256Digest([2; 32]), 2)));
    let missing: Vec<_> = layers.missing().map(|(root, _)| root).collect();
    assert_eq!(missing, [Sha256Digest([2; 32])]);
}

#[test]
fn a_folder_with_one_file_differs_from_the_file_by_its_name() {
    assert_eq!(parse(v2(&[("n", 1)])).unwrap().files()[0].path(), "n");
    let folder = parse(v2(&[("m", 1)])).unwrap();
    assert_eq!(folder.files()[0].path(), "n/m");
    assert!(!folder.is_single_file());
}

#[test]
fn piece_lengths_out_of_bounds_are_refused() {
    let with = |length: i64| v1(|dict| dict.int("piece length", length));
    for length in [0, -1, i64::MIN, i64::MAX, (512 << 20) + 1] {
        assert!(refusal(with(length)).contains("1 to 512 MiB"), "{length}");
    }
    assert!(parse(with(512 << 20)).is_ok());
    assert!(parse(with(100)).is_ok(), "v1 takes any length");
    let v2 = |length: i64| {
        encode_dict(|dict| {
            v2_half(dict, &[("a", 1)]);
            dict.bytes("name", "n");
            dict.int("piece length", length);
        })
    };
    for length in [8192, 16_383, 49_152] {
        assert!(refusal(v2(length)).contains("a power of two"), "{length}");
    }
    assert!(parse(v2(512 << 20)).is_ok());
}

#[test]
fn versions_that_are_not_known_are_refused() {
    assert!(refusal(v1(|dict| dict.int("meta version", 3))).contains("got 3"));
    assert!(refusal(v1(|dict| dict.int("meta version", -1))).contains("got -1"));
    let no_version = v1(|dict| dict.dict("file tree", |_| ()));
    assert_eq!(refusal(no_version), "meta version is missing");
    assert_eq!(refusal(v1(|dict| dict.int("meta version", 2))), "file tree is missing");
}

#[test]
fn v1_may_be_irregular_and_v2_may_not() {
    let swapped = |raw: Vec<u8>| {
        let text = raw.escape_ascii().to_string();
        let moved = text.replacen("4:name1:n", "", 1).replacen('d', "d4:name1:n", 1);
        moved.into_bytes()
    };
    let info = b"d4:name1:n6:lengthi0100e12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
    assert_eq!(parse(info.to_vec()).unwrap().content_bytes(), 100);
    let tree = encode_dict(|dict| {
        dict.dict("file tree", |tree| {
            tree.dict("a", |node| node.dict("", |it| it.int("length", 0)));
        });
        dict.int("meta version", 2);
        dict.bytes("name", "n");
        dict.int("piece length", 16_384);
    });
    assert!(refusal(swapped(tree)).contains("canonical"));
}

#[test]
fn bytes_behind_the_dictionary_are_refused() {
    // They would be part of the hash without meaning anything.
    assert!(refusal([v1(|_| ()), b"x".to_vec()].concat()).contains("one dictionary"));
    assert!(refusal(b"le".to_vec()).contains("a dictionary"));
}

#[test]
fn metadata_from_a_peer_must_be_what_was_asked_for() {
    let (v1, v2) = (v1(|_| ()), v2(&[("a", 1)]));
    let named = |v1, v2| InfoHashes { v1, v2 };
    assert!(Info::parse_wanted(&v1[..], &named(Some(sha1(&v1)), None)).is_ok());
    assert!(Info::parse_wanted(&v2[..], &named(None, Some(sha256(&v2)))).is_ok());
    let wrong = [
        (&v1, named(Some(sha1(&v2)), None)),
        (&v1, named(Some(sha1(&v1)), Some(sha256(&v2)))),
        // Right digests of a dictionary that is not named by them.
        (&v1, named(None, Some(sha256(&v1)))),
        (&v2, named(Some(sha1(&v2)), None)),
    ];
    for (raw, wanted) in wrong {
        let refused = Info::parse_wanted(&raw[..], &wanted);
        assert!(matches!(refused, Err(MetainfoError::InfoHash { .. })), "{wanted:?}");
    }
}

#[test]
fn hybrids_whose_halves_differ_are_refused() {
    let hybrid = |v1: &[(&str, u64)], v2: &[(&str, u64)]| v1_list(v1, |dict| v2_half(dict, v2));
    let v2 = [("a", 5), ("b", 7), ("c", 0)];
    let pad = (".pad/16379", KIB_16 - 5);
    let good = hybrid(&[("a", 5), pad, ("b", 7)], &v2);
    let info = parse(good).unwrap();
    assert_eq!(info.version(), Version::Hybrid);
    assert_eq!(info.v2_piece_bytes(PieceIndex::trusted(0)), Some(5));
    assert_eq!(info.grid().piece_bytes(PieceIndex::trusted(0)), 16_384);
    assert_eq!(info.files()[2].pieces_root(), Some(Sha256Digest([2; 32])));
    // Padding behind the last file is common.
    assert!(parse(hybrid(&[("a", 5), pad, ("b", 7), (".pad/1", KIB_16 - 7)], &v2)).is_ok());

    let bad: [(&[(&str, u64)], &str); 7] = [
        (&[("a", 5), ("b", 7)], "b: where it starts"),
        (&[("a", 5), pad, ("b", 8)], "b: its length"),
        (&[("a", 5), pad, ("B", 7)], "B: its name"),
        (&[("a", 5)], "b: only v2 has it"),
        (&[("a", 5), pad, ("b", 7), ("d", 1)], "d: only v1 has it"),
        (&[("b", 7), (".pad/1", KIB_16 - 7), ("a", 5)], "b: its name"),
        (&[("a", 5), pad, ("b", 7), (".pad/1", KIB_16)], "the number of pieces"),
    ];
    for (v1, says) in bad {
        let refused = refusal(hybrid(v1, &v2));
        assert!(refused.contains(says), "{refused}");
    }
}

#[test]
fn one_root_cannot_have_two_lengths() {
    let tree = |second: u64| {
        encode_dict(|dict| {
            dict.int("meta version", 2);
            dict.dict("file tree", |tree| {
                for (name, length) in [("a", 40_000), ("b", second)] {
                    tree.dict(name, |node| {
                        node.dict("", |file| {
                            file.int("length", length);
                            file.bytes("pieces root", [1; 32]);
                        });
                    });
                }
            });
            dict.bytes("name", "n");
            dict.int("piece length", 16_384);
        })
    };
    assert!(refusal(tree(40_001)).contains("different length"));
    let layers = parse(tree(40_000)).unwrap().unknown_layers().unwrap();
    assert_eq!(layers.missing().count(), 1, "equal files share a tree");
}

#[test]
fn symlinks_that_leave_the_folder_are_refused() {
    let link = |target: &[&str]| {
        encode_dict(|dict| {
            dict.list("files", |list| {
                v1_file(list, ("a/b", 1));
                list.dict(|file| {
                    file.bytes("attr", "l");
                    file.list("path", |path| path.bytes("link"));
                    file.list("symlink path", |path| target.iter().for_each(|it| path.bytes(it)));
                });
            });
            dict.bytes("name", "n");
            dict.int("piece length", 16_384);
            dict.bytes("pieces", [7; 20]);
        })
    };
    for target in [&[".."][..], &["a", "..", "..", "x"], &["a/../../x"], &["a\\..\\.."], &["../x"]]
    {
        assert!(refusal(link(target)).contains("leaves the torrent's folder"), "{target:?}");
    }
    let target = |of: &[&str]| parse(link(of)).unwrap().files()[1].symlink().unwrap().to_owned();
    assert_eq!(target(&["a", "b"]), "n/a/b");
    assert_eq!(target(&[".", "a"]), "n/a");
    assert_eq!(target(&["/etc/passwd"]), "n/etcpasswd");
    assert_eq!(target(&[]), "n/_");
    let no_target = v1_list(&[("a", 1)], |dict| {
        dict.list("files", |list| {
            list.dict(|file| {
                file.bytes("attr", "l");
                file.list("path", |path| path.bytes("link"));
            });
        });
    });
    assert_eq!(refusal(no_target), "symlink path is missing");
}

#[test]
fn names_in_utf8_win_over_others() {
    let raw = v1(|dict| {
        dict.bytes("name", b"\xe9t\xe9");
        dict.bytes("name.utf-8", "\u{e9}t\u{e9}");
    });
    let info = parse(raw).unwrap();
    assert_eq!((info.name(), info.cleaned()), ("\u{e9}t\u{e9}", &[][..]));
    let latin = parse(v1(|dict| dict.bytes("name", b"\xe9t\xe9"))).unwrap();
    assert_eq!(latin.name(), "_t_");
    let cleaned = &latin.cleaned()[0];
    assert_eq!((cleaned.file, cleaned.from.as_str()), (None, "\u{fffd}t\u{fffd}"));
}

#[test]
fn sizes_that_overflow_are_refused() {
    let huge = i64::MAX as u64;
    let raw = encode_dict(|dict| {
        dict.list("files", |list| ["a", "b", "c"].iter().for_each(|it| v1_file(list, (it, huge))));
        dict.bytes("name", "n");
        dict.int("piece length", 1 << 29);
        dict.bytes("pieces", "");
    });
    assert_eq!(parse(raw), Err(MetainfoError::TooLarge));
    let one = v1(|dict| dict.int("length", huge));
    assert!(matches!(parse(one), Err(MetainfoError::TooManyPieces { .. })));
    assert!(refusal(v1(|dict| dict.int("length", 1_u64 << 63))).contains("length must be"));
    let halves = [("a", huge), ("b", huge), ("c", huge)];
    assert_eq!(parse(v2(&halves)), Err(MetainfoError::TooLarge));
}

#[test]
fn paths_without_end_are_refused() {
    let deep = "d/".repeat(100);
    assert!(refusal(v1_list(&[(&deep, 1)], |_| ())).contains("at most 100 components"));
    let long = ["x".repeat(255).as_str(); 13].join("/");
    assert!(refusal(v1_list(&[(&long, 1)], |_| ())).contains("at most 3072 bytes"));
}

#[test]
fn a_tree_that_repeats_a_long_path_in_every_file_is_refused_early() {
    // Some 6 MB of input that would name 400 MB of paths.
    let folder = "f".repeat(2000);
    let files: Vec<String> = (0..200_000).map(|file| format!("{file:06}")).collect();
    let raw = encode_dict(|dict| {
        dict.dict("file tree", |tree| {
            tree.dict(&folder, |node| {
                for file in &files {
                    node.dict(file, |leaf| leaf.dict("", |it| it.int("length", 0)));
                }
            });
        });
        dict.int("meta version", 2);
        dict.bytes("name", "n");
        dict.int("piece length", 16_384);
    });
    assert!(raw.len() < 6_500_000);
    assert_eq!(parse(raw), Err(MetainfoError::PathsTooLong));
}

#[test]
fn twenty_thousand_files_are_no_trouble() {
    let names: Vec<String> =
        (0..20_000).map(|file| format!("dir{}/file{file}", file % 100)).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), 1000)).collect();
    let info = parse(v1_list(&files, |_| ())).unwrap();
    assert_eq!(info.files().len(), 20_000);
    assert_eq!(info.layout().file_at(1000 * 12_345 + 999), Some(12_345));
    assert_eq!(info.layout().pieces_of(19_999).end, info.grid().piece_count());
}
