//! Names that would leave the folder or that no disk takes are cleaned, and `show` lists each change.

use piecework_bencode::encode_dict;
use piecework_hash::sha1;
use piecework_testkit::{FakePeer, Fixture, Run, Sandbox, payload};
use std::path::Path;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

/// A v1 torrent with these names as they are.
fn hostile(name: &str, paths: &[&[&str]]) -> Fixture {
    let contents: Vec<_> = (1..).zip(paths).map(|(seed, _)| payload(seed, 100)).collect();
    let pieces = sha1(&contents.concat()).0;
    let torrent = encode_dict(|torrent| {
        torrent.dict("info", |info| {
            info.list("files", |files| {
                for path in paths {
                    files.dict(|file| {
                        file.int("length", 100);
                        file.list("path", |list| path.iter().for_each(|part| list.bytes(part)));
                    });
                }
            });
            info.bytes("name", name);
            info.int("piece length", 16_384);
            info.bytes("pieces", pieces);
        });
    });
    Fixture::parse(&torrent, contents)
}

/// Every file and folder below, relative to it, sorted.
fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder that can be read").flatten() {
            let path = entry.path();
            let name = path.strip_prefix(folder).expect("it lies below").display().to_string();
            found.push(name);
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn everything_stays_in_the_folder_and_each_change_is_listed() {
    let long = format!("{}.mkv", "x".repeat(300));
    let fixture = hostile(
        "../../evil",
        &[
            &["..", "..", "etc", "passwd"],
            &["a/b", "c\\d"],
            &["tab\there"],
            &[&long],
            &["twice"],
            &["twice"],
            &["Case"],
            &["case"],
            &["fine"],
        ],
    );
    let sandbox = Sandbox::new(BINARY);
    let torrent = sandbox.torrent(&fixture);
    let mut show = Run::start(sandbox.command(["show".as_ref(), torrent.as_os_str()]));
    assert_eq!(show.wait(), 0, "{}", show.stderr());
    let shown = show.stdout();
    let renamed: Vec<_> = shown.iter().filter(|line| line.starts_with("renamed")).collect();
    assert_eq!(renamed.len(), fixture.info().cleaned().len(), "{shown:#?}");
    for part in ["evil", "passwd", "tab", "xxx", "twice", "case"] {
        let is_listed = renamed.iter().any(|line| line.contains(part));
        assert!(is_listed, "{part} in {renamed:#?}");
    }
    assert!(!renamed.iter().any(|line| line.contains("fine")), "{renamed:#?}");
    assert!(!shown.join("").contains(char::is_control), "{shown:#?}");
    let seed = FakePeer::seed(&fixture);
    let mut get = Run::start(sandbox.get(&torrent, &[seed.address()]));
    assert_eq!(get.wait(), 0, "{}", get.stderr());
    assert_eq!(fixture.faults(&sandbox.dir()), [""; 0]);
    let outside: Vec<_> = tree(sandbox.root());
    let outside: Vec<_> = outside
        .iter()
        .filter(|path| !["data", "state", "torrents"].iter().any(|own| path.starts_with(own)))
        .collect();
    assert_eq!(outside, [""; 0]);
    let inside = tree(&sandbox.dir());
    assert_eq!(inside.iter().filter(|path| sandbox.dir().join(path).is_file()).count(), 9);
    for path in inside {
        assert!(path.split('/').all(|part| part != ".." && part.len() <= 255), "{path}");
        if path.contains("xxx") {
            assert!(path.ends_with(".mkv"), "{path}");
        }
    }
}
