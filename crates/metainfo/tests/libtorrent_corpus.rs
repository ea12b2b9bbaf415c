//! Every torrent of libtorrent's own test suite, with libtorrent's verdict beside ours.
//!
//! The expectations are those of its `test_torrent_info.cpp`; a row that says [`Differs`] names
//! where and why ours is another.

#![allow(clippy::unwrap_used)]

use piecework_metainfo::{Metainfo, MetainfoError, Version};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const V1: Version = Version::V1;
const V2: Version = Version::V2;
const HYBRID: Version = Version::Hybrid;

/// What must come of a file.
enum Verdict {
    /// Both read it: version, info-hash as people see it, names of its first files, pads included.
    Read(Version, &'static str, &'static [&'static str]),
    /// Both refuse it; ours says so in these words, among others.
    Refused(&'static str),
    /// Only libtorrent reads it.
    OnlyTheirs { says: &'static str, why: &'static str },
    /// Only we read it, and then as [`Verdict::Read`].
    OnlyOurs { files: &'static [&'static str], why: &'static str },
    /// Both read it, ours with other names.
    Differs { files: &'static [&'static str], why: &'static str },
}

use Verdict::{Differs, OnlyOurs, OnlyTheirs, Read, Refused};

/// The info-hash of the many files that have the same info dictionary.
const BASE: &str = "c0fda1edafdbdbb96443424e0b3899af7159d10e";
const FOO_VAR: &[&str] = &["temp/foo/bar.txt", "temp/foo/var.txt"];

const INCOMPLETE: &str = "BEP 52 wants a layer for every file longer than a piece; a torrent file \
    without is one that was cut, and a magnet link does what it could do";

const TABLE: &[(&str, Verdict)] = &[
    (
        "absolute_filename",
        Read(V1, "da9d54da27b71b83cf767547bd8f343d76118d5e", &["temp/abcde", "temp/foobar"]),
    ),
    ("backslash_path", Read(V1, "fa7b2ba01975b67d261f1759b5128be2c1892309", &["temp/_/_/bar"])),
    (
        "bad_name",
        OnlyOurs { files: &["____"], why: "a name of NULs becomes underscores in any place" },
    ),
    ("base", Read(V1, BASE, &["temp"])),
    ("collection", Read(V1, BASE, &["temp"])),
    ("collection2", Read(V1, "08d3f0dde8e80dc6801522006f77d8bb3ba112da", &["temp"])),
    ("creation_date", Read(V1, "8811d6939fac5147658001e5c3322b778124f805", FOO_VAR)),
    ("dht_nodes", Read(V1, BASE, &["temp"])),
    (
        "duplicate_files",
        Read(
            V1,
            "4c519a21b9542eb143915417e8ec0863f6fdc8a1",
            &["temp/foo/bar.txt", "temp/foo/bar.1.txt"],
        ),
    ),
    (
        "duplicate_files2",
        OnlyOurs {
            files: &["temp/foo/bar.txt", "temp/foo/bar.1.txt", "temp/foo/bar.2.txt"],
            why: "numbering duplicates costs us nothing, so their number needs no limit",
        },
    ),
    ("duplicate_web_seeds", Read(V1, BASE, &["temp"])),
    (
        "empty-files-1",
        Read(
            HYBRID,
            "59ee9eb4b6ab57918cc3837e1b217409f4a10845",
            &["test/1-empty", "test/2-small", "test/.pad/15872", "test/3-large"],
        ),
    ),
    (
        "empty-files-2",
        Read(
            HYBRID,
            "e8dc2db7f8be56365c2cf589469792747fec4081",
            &["test/1-small", "test/2-empty", "test/.pad/15872", "test/3-large"],
        ),
    ),
    (
        "empty-files-3",
        Read(
            HYBRID,
            "07da3b11386ef96271c6f5fcf123c914b766e230",
            &["test/1-small", "test/.pad/15872", "test/2-large", "test/3-empty"],
        ),
    ),
    (
        "empty-files-4",
        Read(
            HYBRID,
            "6e6d492271ef531fd1975b7b7542ef8d80632ab0",
            &["test/1-empty", "test/2-empty", "test/3-empty"],
        ),
    ),
    (
        "empty-files-5",
        Read(
            HYBRID,
            "01e9a06012bcc202e535c77c93e925df5bd663f8",
            &["test/1-empty", "test/2-empty", "test/3-empty"],
        ),
    ),
    ("empty_httpseed", Read(V1, BASE, &["temp"])),
    ("empty_path", Read(V1, "b839b77a2fa8c90d3064deaf828f1d67a7d1d06d", &["temp/_/_"])),
    (
        "empty_path_multi",
        Read(V1, "8463b24ad6bd52b688dc844e9415c8054a5ba731", &["temp/abcde", "temp/_", "temp/_.1"]),
    ),
    (
        "hidden_parent_path",
        Read(V1, "ff4842e288f9d45c286fbd6a1646ba79165b84de", &["temp/foo......bar/bar"]),
    ),
    ("httpseed", Read(V1, BASE, &["temp"])),
    (
        "invalid_directory_name",
        Read(V1, "45c23f55fad06edef0d4b524054c8805005100db", &["test2/_/foo", "test2/_/foo.1"]),
    ),
    ("invalid_file_size", Refused("length must be")),
    (
        "invalid_filename",
        Read(V1, "1fdb54fcd7bcbd84e5001a8bb48d196cca70a399", &["est2/f", "est2/_"]),
    ),
    (
        "invalid_filename2",
        Read(V1, "62c230b07b5315ee5bccb2949d96f147a2902542", &["est2/f", "est2/_/_", "est2/_/_.1"]),
    ),
    ("invalid_info", Refused("info must be a dictionary")),
    ("invalid_name", Refused("name must be a string")),
    (
        "invalid_name2",
        Read(
            V1,
            "b61560c2918f463768cd122b6d2fdd47b77bdb35",
            &["b61560c2918f463768cd122b6d2fdd47b77bdb35/foo/bar.txt"],
        ),
    ),
    (
        "invalid_name3",
        Differs {
            files: &["foobar/foo/bar.txt"],
            why: "trailing spaces go on every system, in libtorrent on Windows only",
        },
    ),
    ("invalid_path_list", Refused("path must be a string")),
    ("invalid_piece_len", Refused("piece length must be")),
    ("invalid_pieces", Refused("pieces must be a string")),
    ("invalid_symlink", Refused("path must be a string")),
    ("large", Read(V1, "c415e173dcc3069a96e6f852a684fffae97e5372", &["large/stress_test0"])),
    ("large_piece_size", Read(V1, "c6ded8d0c98469b7b0694e6b4e4c8a066b3a4995", &["temp"])),
    (
        "long_name",
        Differs {
            files: &[concat!(
                "abcdefghij0123456789abcdefghij0123456789abcdefghij0123456789abcdefghij0123456789",
                "abcdefghij0123456789abcdefghij0123456789abcdefghij0123456789abcdefghij0123456789",
                "abcdefghij0123456789abcdefghij0123456789abcdefghij0123456789abcdefghij0123456789",
                "abcdef.23456789",
            )],
            why: "names may have 255 bytes, libtorrent cuts after 240",
        },
    ),
    ("many_pieces", Refused("at most 4194304 pieces")),
    ("missing_path_list", Refused("path is missing")),
    ("missing_piece_len", Refused("piece length is missing")),
    ("negative_file_size", Refused("length must be")),
    ("negative_piece_len", Refused("got -16384")),
    ("negative_size", Refused("length must be")),
    ("no_creation_date", Read(V1, "8811d6939fac5147658001e5c3322b778124f805", FOO_VAR)),
    ("no_files", Refused("no content")),
    ("no_name", Refused("name is missing")),
    (
        "overlapping_symlinks",
        Read(
            V1,
            "bf91c29a1b2bb843479583b87c08404c870e3703",
            &["SDL2.framework/Headers", "SDL2.framework/Resources", "SDL2.framework/SDL2"],
        ),
    ),
    ("pad_file", Read(V1, "fa2d263afecd65b98640ae50d5b11d9d250d9e2a", &["temp/foo/bar.txt"])),
    (
        "pad_file_no_path",
        Read(
            V1,
            "7202e1cd55de0a216a50f5e2d88a69752ef256a9",
            &["temp/foo/bar.txt", "temp/.pad/2124"],
        ),
    ),
    ("parent_path", Read(V1, "9e1111f1ee4966f7d06d398f1d58e00ad150657a", &["temp/_/_/bar"])),
    ("sample", Read(V1, "58d8d15a4eb3bd9afabc9cee2564f78192777edb", &["sample/text_file2.txt"])),
    ("similar", Read(V1, BASE, &["temp"])),
    ("similar2", Read(V1, "be33d6d619df20829fbdba4b68aeb176b09e364b", &["temp"])),
    ("single_multi_file", Read(V1, "a385e13b37c5c81d0dc06e7425d352913564771c", &["temp/foo/bar"])),
    ("slash_path", Read(V1, "f520f7af7a81205f4ab8073727bab53e8599a6c2", &["temp/_/_/bar"])),
    (
        "slash_path2",
        Read(V1, "f49daed5a7effd01c8bcdc1ee8e575a7ba110015", &["temp/abc....def/_/bar"]),
    ),
    ("slash_path3", Read(V1, "f635ad77f97524fa6f13b0d78340b821cac5019c", &["temp....abc"])),
    ("string", Refused("a torrent must be a dictionary")),
    (
        "symlink1",
        Read(V1, "efba96cd9ba647d0c887434a9162f20f794a141c", &["temp/a/b/bar", "temp/a/b/foo"]),
    ),
    ("symlink2", Read(V1, "b4fa4993e18e998ff6f6a4c0d9e918b153d23946", &["Some.framework/SDL2"])),
    (
        "symlink_filtered_path",
        Read(V1, "f282a712ddf6601dcd3639d27a950f8cfd7bfa79", &["temp/a/_/bar", "temp/a/_/foo"]),
    ),
    (
        "symlink_zero_size",
        Read(V1, "6b5306a50e97214e7f61923f8e8e26c2539691e8", &["temp/a/b/bar", "temp/a/b/foo"]),
    ),
    ("unaligned_pieces", Refused("need 20 bytes of hashes, got 24")),
    ("unordered", Read(V1, "1e44709a0ec082a6a5ea4837e450ae08d3f4394e", &["temp"])),
    ("url_list", Read(V1, BASE, &["temp"])),
    ("url_list2", Read(V1, BASE, &["temp"])),
    ("url_list3", Read(V1, BASE, &["temp"])),
    ("url_seed", Read(V1, BASE, &["temp"])),
    ("url_seed_multi", Read(V1, "d673bbe5fcc1b885e045120b60a679bd87f78697", FOO_VAR)),
    (
        "url_seed_multi_single_file",
        Read(V1, "285e3b0adb14f5b8315fa1906e40e883ba1cf0ae", &["temp/foo/bar.txt"]),
    ),
    ("url_seed_multi_space", Read(V1, "d673bbe5fcc1b885e045120b60a679bd87f78697", FOO_VAR)),
    ("url_seed_multi_space_nolist", Read(V1, "d673bbe5fcc1b885e045120b60a679bd87f78697", FOO_VAR)),
    ("v2", Read(HYBRID, "c14199bbec64d0e9e439aa3b6b7639e666b86eca", &["test64K"])),
    ("v2_bad_file_alignment", Refused("disagree about stress_test2: where it starts")),
    ("v2_deep_recursion", Refused("deeper than 100")),
    (
        "v2_empty_file",
        Read(
            HYBRID,
            "fdc8263736f65efc8da8948f2e9f64ad92ad614a",
            &["test/file1", "test/file2", "test/file3"],
        ),
    ),
    ("v2_empty_filename", Refused("empty names")),
    (
        "v2_hybrid",
        Read(
            HYBRID,
            "514c76c1f27ec61ca8b37851bcd1cbf0b26cf120",
            &[
                "bittorrent-v1-v2-hybrid-test/Darkroom (Stellar, 1994, Amiga ECS) HQ.mp4",
                "bittorrent-v1-v2-hybrid-test/280339",
            ],
        ),
    ),
    (
        "v2_hybrid-missing-tailpad",
        Read(
            HYBRID,
            "631a31dd0a46257d5078c0dee4e66e26f73e42ac",
            &[
                "bittorrent-v1-v2-hybrid-test/Darkroom (Stellar, 1994, Amiga ECS) HQ.mp4",
                "bittorrent-v1-v2-hybrid-test/.pad/280339",
            ],
        ),
    ),
    (
        "v2_incomplete_piece_layer",
        OnlyTheirs { says: "1 files have no piece layer", why: INCOMPLETE },
    ),
    ("v2_invalid_file", Refused("file tree must be dictionaries")),
    (
        "v2_invalid_filename",
        Read(V2, "6d4ea61c26943995185aa8b2e9d6fc8126afa6dbef1305968e66fa9de32898c9", &["_estMB"]),
    ),
    (
        "v2_invalid_filename2",
        Read(
            V2,
            "15a740f43e5c103875148842c9e2b0d5e5859afa164edbadefd7c344667cf273",
            &["test/_", "test/_.1", "test/stress_test2"],
        ),
    ),
    ("v2_invalid_pad_file", Refused("without pad files")),
    ("v2_invalid_piece_layer", Refused("piece layers must be strings")),
    ("v2_invalid_piece_layer_root", Refused("instead of the root")),
    ("v2_invalid_piece_layer_size", Refused("expected 16 hashes, got 32")),
    ("v2_invalid_root_hash", Refused("instead of the root")),
    ("v2_large_file", Refused("expected 4194304 hashes, got 16")),
    ("v2_large_offset", Refused("at most 4194304 pieces")),
    ("v2_mismatching_metadata", Refused("disagree about test1MB: its name")),
    ("v2_missing_file_root_invalid_symlink", Refused("pieces root must be")),
    ("v2_multipiece_file", Read(HYBRID, "6c68c1bcc24c65b6fef4724d8234b67e0e9ac6a4", &["test1MB"])),
    (
        "v2_multiple_files",
        Read(
            V2,
            "33549c6b0b7f0ce30f0cdc253ee05ccea3c67caa1560fa3c9bcc40c1837b5576",
            &["test/stress_test0", "test/stress_test1", "test/stress_test2"],
        ),
    ),
    ("v2_no_piece_layers", OnlyTheirs { says: "1 files have no piece layer", why: INCOMPLETE }),
    ("v2_no_power2_piece", Refused("a power of two")),
    ("v2_non_multiple_piece_layer", Refused("513 bytes are no whole number of hashes")),
    (
        "v2_only",
        Read(V2, "95e04d0c4bad94ab206efa884666fd89777dbe4f7bd9945af1829037a85c6192", &["test1MB"]),
    ),
    ("v2_overlong_integer", Refused("leading zero at byte 36")),
    ("v2_piece_layer_invalid_file_hash", Refused("roots of 32 bytes")),
    ("v2_piece_size", Refused("piece length must be 1 to 512 MiB")),
    (
        "v2_symlinks",
        Read(
            V2,
            "8e4db680dbf49d2a08a15b47ecefc1556f8a68a1e6f8a1fe5db56caf52554bee",
            &["SDL2.framework/Headers", "SDL2.framework/Resources", "SDL2.framework/SDL2"],
        ),
    ),
    ("v2_unknown_piece_layer_entry", Refused("no file has such a layer")),
    ("v2_unordered_files", Refused("key out of order at byte 90")),
    ("v2_zero_root", Refused("pieces root must be")),
    ("v2_zero_root_small", Refused("pieces root must be")),
    ("whitespace_url", Read(V1, BASE, &["temp"])),
    ("zero", Refused("no content")),
    ("zero2", Refused("no content")),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/libtorrent")
}

fn bytes_of(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.torrent"))).unwrap()
}

fn parsed(name: &str) -> Metainfo {
    Metainfo::parse(&bytes_of(name)).unwrap()
}

fn starts_with(metainfo: &Metainfo, names: &[&str]) -> bool {
    metainfo
        .info()
        .files()
        .iter()
        .map(|file| file.path())
        .take(names.len())
        .eq(names.iter().copied())
}

fn meets(verdict: &Verdict, result: &Result<Metainfo, MetainfoError>) -> bool {
    match (verdict, result) {
        (Read(version, hash, names), Ok(metainfo)) => {
            let info = metainfo.info();
            info.version() == *version
                && info.hashes().to_string() == *hash
                && starts_with(metainfo, names)
        }
        (OnlyOurs { files, why } | Differs { files, why }, Ok(metainfo)) => {
            !why.is_empty() && starts_with(metainfo, files)
        }
        (Refused(says), Err(error)) => error.to_string().contains(says),
        (OnlyTheirs { says, why }, Err(error)) => {
            !why.is_empty() && error.to_string().contains(says)
        }
        (Read(..) | OnlyOurs { .. } | Differs { .. }, Err(_))
        | (Refused(_) | OnlyTheirs { .. }, Ok(_)) => false,
    }
}

#[test]
fn every_torrent_gets_the_verdict_of_the_table() {
    for (name, verdict) in TABLE {
        let result = Metainfo::parse(&bytes_of(name));
        assert!(meets(verdict, &result), "{name}: {result:?}");
    }
}

#[test]
fn the_table_has_every_torrent_of_the_folder_once() {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let torrents = files.filter(|path| path.extension().is_some_and(|it| it == "torrent"));
    let found: BTreeSet<_> =
        torrents.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let listed: BTreeSet<_> = TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, listed);
    assert_eq!(TABLE.len(), listed.len());
}

#[test]
fn symlinks_point_where_libtorrent_says() {
    let targets = |name: &str| -> Vec<(usize, String)> {
        let metainfo = parsed(name);
        let files = metainfo.info().files().iter().enumerate();
        files.filter_map(|(at, file)| Some((at, file.symlink()?.to_owned()))).collect()
    };
    assert_eq!(targets("symlink1"), [(1, "temp/a/b/bar".to_owned())]);
    assert_eq!(targets("symlink_zero_size"), [(1, "temp/a/b/bar".to_owned())]);
    assert_eq!(targets("symlink_filtered_path"), [(1, "temp/a/_/bar".to_owned())]);
    let versions = "Some.framework/Versions/A";
    let expected = [(0, format!("{versions}/SDL2")), (4, versions.to_owned())];
    assert_eq!(targets("symlink2"), expected);
    let current = |name: &str| format!("SDL2.framework/Versions/Current/{name}");
    for name in ["overlapping_symlinks", "v2_symlinks"] {
        let expected = [(0, current("Headers")), (1, current("Resources")), (2, current("SDL2"))];
        assert_eq!(targets(name)[..3], expected);
    }
}

#[test]
fn fields_around_the_info_dictionary_read_as_in_libtorrent() {
    assert_eq!(parsed("whitespace_url").trackers(), [["udp://test.com/announce"]]);
    assert_eq!(parsed("creation_date").creation_date(), Some(1_234_567));
    assert_eq!(parsed("no_creation_date").creation_date(), None);
    assert_eq!(parsed("url_seed").web_seeds(), ["http://test.com/file"]);
    assert_eq!(parsed("url_seed_multi").web_seeds(), ["http://test.com/file/"]);
    for name in ["url_seed_multi_space", "url_seed_multi_space_nolist"] {
        assert_eq!(parsed(name).web_seeds(), ["http://test.com/test%20file/foo%20bar/"]);
    }
    assert_eq!(parsed("duplicate_web_seeds").web_seeds().len(), 3);
    let nodes: Vec<_> = parsed("dht_nodes").nodes().iter().map(ToString::to_string).collect();
    assert_eq!(nodes, ["127.0.0.1:6881", "192.168.1.1:6881"]);
    assert_eq!(parsed("large_piece_size").info().piece_length(), 32_767 * 16_384);
}

#[test]
fn v2_roots_and_lengths_are_those_of_libtorrent() {
    let root = |name: &str| {
        let metainfo = parsed(name);
        let file = metainfo.info().files()[0].clone();
        (file.length(), file.pieces_root().unwrap().to_string())
    };
    let of_64k = "60aae9c7b428f87e0713e88229e18f0adf12cd7b22a0dd8a92bb2485eb7af242";
    let of_1mb = "515ea9181744b817744ded9d2e8e9dc6a8450c0b0c52e24b5077f302ffbd9008";
    assert_eq!(root("v2"), (65_536, of_64k.to_owned()));
    assert_eq!(root("v2_multipiece_file"), (1_048_576, of_1mb.to_owned()));
    assert_eq!(root("v2_only"), (1_048_576, of_1mb.to_owned()));
    let v2 = |name: &str| parsed(name).info().hashes().v2.unwrap().to_string();
    assert_eq!(v2("v2"), "597b180c1a170a585dfc5e85d834d69013ceda174b8f357d5bb1a0ca509faf0a");
    let multipiece = "108ac2c3718ce722e6896edc56c4afa98f1d711ecaace7aad74fca418ebd03de";
    assert_eq!(v2("v2_multipiece_file"), multipiece);
}

#[test]
fn padding_is_no_content() {
    let pads = |name: &str| -> Vec<bool> {
        parsed(name).info().files().iter().map(|file| file.is_pad()).collect()
    };
    assert_eq!(pads("pad_file"), [false, true]);
    assert_eq!(pads("pad_file_no_path"), [false, true]);
    assert_eq!(parsed("pad_file").info().content_bytes(), 45);
    assert_eq!(parsed("pad_file").info().grid().payload_bytes(), 45 + 2124);
}

/// What a caller does with a torrent that was read; the point is that it returns.
fn use_everything(metainfo: &Metainfo) {
    let info = metainfo.info();
    for piece in info.grid().pieces() {
        let _ = (info.v1_hash(piece), info.v2_piece_bytes(piece));
        let _ = metainfo.layers().map(|layers| (layers.v2_hash(piece), layers.root_of(piece)));
        let parts: u64 = info.layout().piece_segments(piece).map(|it| u64::from(it.length)).sum();
        assert_eq!(parts, info.grid().piece_bytes(piece).into());
    }
    for file in info.files() {
        assert!(file.components().all(|name| !matches!(name, "" | "." | "..")));
    }
    info.layout().piece_priorities(&vec![1; info.files().len()]);
    let link = metainfo.magnet().to_string();
    assert_eq!(link.parse().as_ref(), Ok(&metainfo.magnet()), "{link}");
}

#[test]
fn everything_that_is_read_can_be_used() {
    let read = TABLE.iter().filter_map(|(name, _)| Metainfo::parse(&bytes_of(name)).ok());
    assert_eq!(read.map(|metainfo| use_everything(&metainfo)).count(), 65);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_torrents_never_panic(
        file in prop::sample::select(TABLE.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..4, any::<u8>()), 1..6),
    ) {
        let mut bytes = bytes_of(file);
        // Piece hashes are most of a large file and all the same to the parser.
        bytes.truncate(4096);
        for (at, kind, byte) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes[at] = b"0123456789deil:-"[usize::from(byte) % 16],
                2 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Ok(metainfo) = Metainfo::parse(&bytes) {
            use_everything(&metainfo);
        }
    }
}
