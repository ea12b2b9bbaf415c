//! Torrents that are refused: exit status 1, the reason on stderr, and nothing written.

use piecework_bencode::{DictWriter, encode_dict};
use piecework_metainfo::Version;
use piecework_testkit::{FixtureBuilder, Run, Sandbox};
use std::path::Path;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

/// A v1 torrent of one file; `change` writes the keys that differ, which win over the valid ones.
fn v1(change: impl FnOnce(&mut DictWriter<'_>)) -> Vec<u8> {
    encode_dict(|torrent| {
        torrent.dict("info", |info| {
            change(info);
            info.bytes("name", "payload");
            info.int("length", 32_768);
            info.int("piece length", 16_384);
            info.bytes("pieces", [7; 40]);
        });
    })
}

/// The same for v2.
fn v2(change: impl FnOnce(&mut DictWriter<'_>)) -> Vec<u8> {
    encode_dict(|torrent| {
        torrent.dict("info", |fields| {
            change(fields);
            fields.bytes("name", "payload");
            fields.int("meta version", 2);
            fields.int("piece length", 16_384);
            fields.dict("file tree", |tree| {
                tree.dict("payload", |file| {
                    file.dict("", |file| {
                        file.int("length", 16_384);
                        file.bytes("pieces root", [7; 32]);
                    });
                });
            });
        });
        torrent.dict("piece layers", |_| ());
    })
}

/// A valid v2 torrent whose piece layer `change` gets to see.
fn with_layer(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let builder = FixtureBuilder::file("payload", 200_000).version(Version::V2);
    let fixture = builder.build();
    let root = fixture.info().files()[0].pieces_root().expect("a file with content");
    let tree = fixture.metainfo().layers().and_then(|layers| layers.tree(&root));
    let hashes = tree.expect("a piece layer").pieces();
    let mut layer: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
    change(&mut layer);
    encode_dict(|torrent| {
        torrent.raw("info", fixture.info().raw());
        torrent.dict("piece layers", |layers| {
            if !layer.is_empty() {
                layers.bytes(root.0, layer);
            }
        });
    })
}

fn escaping_symlink() -> Vec<u8> {
    v1(|info| {
        info.list("files", |files| {
            files.dict(|file| {
                file.int("length", 32_768);
                file.list("path", |path| path.bytes("content"));
            });
            files.dict(|file| {
                file.bytes("attr", "l");
                file.int("length", 0);
                file.list("path", |path| path.bytes("link"));
                file.list("symlink path", |path| {
                    ["..", "..", "etc", "passwd"].iter().for_each(|part| path.bytes(part));
                });
            });
        });
    })
}

/// Each with a word of its reason.
fn refused() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let repeated = |text: &str, times: usize| text.repeat(times).into_bytes();
    vec![
        ("an empty file", Vec::new(), "not a torrent"),
        ("text", b"<html>404</html>".to_vec(), "not a torrent"),
        ("a list", b"le".to_vec(), "dictionary"),
        ("no info", b"de".to_vec(), "info"),
        ("info of a wrong type", b"d4:infoi1ee".to_vec(), "info"),
        ("a name of a wrong type", v1(|info| info.int("name", 1)), "name"),
        ("pieces of a wrong type", v1(|info| info.int("pieces", 1)), "pieces"),
        ("a length of a wrong type", v1(|info| info.bytes("length", "x")), "length"),
        ("a negative length", v1(|info| info.int("length", -1)), "length"),
        ("a length beyond any disk", v1(|info| info.int("length", i64::MAX)), ""),
        ("too few hashes", v1(|info| info.bytes("pieces", [7; 20])), "pieces"),
        ("a torn hash", v1(|info| info.bytes("pieces", [7; 39])), "pieces"),
        ("a piece length of zero", v1(|info| info.int("piece length", 0)), "piece length"),
        ("a negative piece length", v1(|info| info.int("piece length", -1)), "piece length"),
        (
            "a piece length over 512 MiB",
            v1(|info| info.int("piece length", 1 << 30)),
            "piece length",
        ),
        ("v2, no power of two", v2(|info| info.int("piece length", 20_000)), "piece length"),
        ("v2, below 16 KiB", v2(|info| info.int("piece length", 8192)), "piece length"),
        ("an unknown version", v2(|info| info.int("meta version", 3)), "version"),
        ("a wrong piece layer", with_layer(|layer| layer[40] ^= 1), "piece layer"),
        ("a short piece layer", with_layer(|layer| layer.truncate(64)), "piece layer"),
        ("a torn piece layer", with_layer(|layer| layer.truncate(65)), "piece layer"),
        ("no piece layer", with_layer(Vec::clear), "piece layer"),
        ("a symlink that leaves", escaping_symlink(), "symlink"),
        (
            "an overlong integer",
            [b"d4:infod6:lengthi".to_vec(), repeated("9", 1 << 20)].concat(),
            "",
        ),
        ("deep nesting", repeated("l", 1 << 20), ""),
        ("10 MB of dictionaries", repeated("d1:a", 2_500_000), ""),
        ("10 MB of dictionaries side by side", wide(), ""),
    ]
}

fn wide() -> Vec<u8> {
    [b"d4:infol".to_vec(), "de".repeat(5_000_000).into_bytes(), b"ee".to_vec()].concat()
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn the_patterns_of_this_test_are_valid_when_nothing_is_changed() {
    let sandbox = Sandbox::new(BINARY);
    for torrent in [v1(|_| ()), v2(|_| ()), with_layer(|_| ())] {
        let path = sandbox.root().join("good.torrent");
        std::fs::write(&path, torrent).expect("a folder that can be written");
        let mut run = Run::start(sandbox.command(["show", "good.torrent"]));
        assert_eq!(run.wait(), 0, "{}", run.stderr());
    }
}

#[test]
fn every_bad_torrent_is_refused_with_its_reason_and_nothing_is_written() {
    let sandbox = Sandbox::new(BINARY);
    for (what, torrent, reason) in refused() {
        let path = sandbox.root().join("bad.torrent");
        std::fs::write(&path, torrent).expect("a folder that can be written");
        let mut check = sandbox.command(["check"]);
        check.arg(&path).arg("--dir").arg(sandbox.dir());
        let mut show = sandbox.command(["show"]);
        show.arg(&path);
        for command in [sandbox.get(&path, &[]), sandbox.seed(&path, &[]), check, show] {
            let mut run = Run::start(command);
            assert_eq!(run.wait(), 1, "{what}: {:?}", run.stdout());
            let stderr = run.stderr();
            assert_eq!((stderr.lines().count(), run.stdout().len()), (1, 0), "{what}: {stderr}");
            assert!(stderr.contains("bad.torrent"), "{what}: {stderr}");
            assert!(stderr.contains(reason), "{what}: expected {reason:?} in {stderr}");
            assert!(stderr.len() < 1000, "{what}: a line of {} bytes", stderr.len());
        }
        assert_eq!(names(sandbox.root()), ["bad.torrent"], "{what}");
    }
}

#[test]
fn one_bad_torrent_of_a_folder_does_not_keep_the_others_from_being_seeded() {
    let (fixture, sandbox) = (FixtureBuilder::file("payload", 1000).build(), Sandbox::new(BINARY));
    fixture.write_payload(&sandbox.dir()).expect("a folder that can be written");
    let good = sandbox.torrent(&fixture);
    let folder = good.parent().expect("a file lies in a folder");
    std::fs::write(folder.join("bad.torrent"), b"le").expect("a folder that can be written");
    let run = Run::start(sandbox.seed_folder(folder));
    assert!(run.wait_stdout("READY ").contains(&fixture.label()));
    run.wait_stderr("bad.torrent");
}
