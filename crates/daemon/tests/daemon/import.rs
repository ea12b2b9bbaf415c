//! Profiles of other clients, taken over by a real daemon.

use crate::common::{Node, wait};
use piecework_bencode::{DictWriter, encode_dict};
use piecework_catalog::{Limit, RefusalKind, Stage};
use piecework_daemon::{Import, ImportFrom, ImportReport};
use piecework_testkit::{Fixture, FixtureBuilder};
use piecework_types::InfoHash;
use std::fs;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> Fixture {
    FixtureBuilder::folder(name).with("a", 300_000).with("b", 100_000).build()
}

/// The same torrent with a wrong byte on the drive: whoever hashes it finds out.
fn write_damaged(fixture: &Fixture, folder: &Path) {
    fixture.write_payload(folder).unwrap();
    let file = folder.join(fixture.info().name()).join("a");
    let mut bytes = fs::read(&file).unwrap();
    bytes[5] ^= 1;
    fs::write(file, bytes).unwrap();
}

fn entry(
    backup: &Path,
    fixture: &Fixture,
    save_path: &Path,
    fill: impl FnOnce(&mut DictWriter<'_>),
) {
    let name = backup.join(fixture.info_hash().to_string());
    fs::write(name.with_extension("torrent"), fixture.torrent()).unwrap();
    let resume = encode_dict(|dict| {
        fill(dict);
        dict.bytes("save_path", save_path.to_str().unwrap());
    });
    fs::write(name.with_extension("fastresume"), resume).unwrap();
}

fn import(node: &Node, from: ImportFrom, path: PathBuf, is_dry: bool) -> ImportReport {
    wait(node.handle().import(Import { from, path, is_dry })).unwrap()
}

/// New, there before, refused.
fn counts(report: &ImportReport) -> (usize, usize, usize) {
    let results = || report.torrents.iter().map(|torrent| &torrent.result);
    let there = results().flatten().filter(|added| added.was_there).count();
    let refused = results().filter(|result| result.is_err()).count();
    (report.torrents.len() - there - refused, there, refused)
}

#[test]
fn a_profile_of_qbittorrent_is_taken_over_and_what_was_whole_is_not_hashed() {
    let node = Node::start();
    let profile = tempfile::tempdir().unwrap();
    let backup = profile.path().join("qBittorrent/data/BT_backup");
    fs::create_dir_all(&backup).unwrap();
    let config = profile.path().join("qBittorrent/config");
    fs::create_dir_all(&config).unwrap();
    fs::write(
        config.join("categories.json"),
        r#"{"films":{"save_path":"film"},"far":{"save_path":"/far"}}"#,
    )
    .unwrap();
    let (whole, part, outside) = (fixture("whole"), fixture("part"), fixture("outside"));
    write_damaged(&whole, &node.data());
    write_damaged(&part, &node.data());
    entry(&backup, &whole, &node.data(), |dict| {
        dict.int("added_time", 1_600_000_000);
        dict.int("auto_managed", 1);
        dict.bytes("pieces", vec![1; whole.grid().piece_count() as usize]);
        dict.bytes("qBt-category", "films");
        dict.bytes("qBt-name", "Whole film");
        dict.int("qBt-ratioLimit", 1500);
        dict.list("qBt-tags", |list| list.bytes("new"));
        dict.int("total_uploaded", 77);
    });
    entry(&backup, &part, &node.data(), |dict| {
        dict.int("auto_managed", 0);
        dict.int("paused", 1);
        dict.bytes("qBt-category", "unlisted");
    });
    entry(&backup, &outside, Path::new("/far"), |_| ());
    fs::write(backup.join("junk.fastresume"), b"junk").unwrap();

    let dry = import(&node, ImportFrom::Qbittorrent, profile.path().into(), true);
    assert_eq!((counts(&dry), dry.notes.len()), ((2, 0, 2), 1));
    assert_eq!(node.handle().catalog().torrents().len(), 0, "a dry run changes nothing");

    let report = import(&node, ImportFrom::Qbittorrent, profile.path().into(), false);
    assert_eq!(counts(&report), (2, 0, 2), "{report:?}");
    assert!(report.notes[0].contains("/far"), "{:?}", report.notes);
    let refused = report.torrents.iter().find(|it| it.name == outside.info_hash().to_string());
    let refusal = refused.unwrap().result.clone().unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Forbidden);
    assert!(refusal.text.contains("torrents.roots"), "{}", refusal.text);

    node.wait_stage(whole.info_hash(), Stage::Seeding);
    let record = node.record(whole.info_hash());
    assert_eq!((record.name.as_str(), record.category.as_deref()), ("Whole film", Some("films")));
    assert_eq!((record.share.ratio_milli, record.totals.up_bytes), (Limit::Of(1500), 77));
    assert_eq!(record.added_at, 1_600_000_000);
    assert!(record.tags.contains("new") && record.is_complete);
    let record = node.record(part.info_hash());
    assert_eq!((record.name.as_str(), record.is_renamed), ("part", false));
    assert_eq!(record.category.as_deref(), Some("unlisted"));
    assert!(record.is_stopped && record.wants_check && !record.is_complete);

    let again = import(&node, ImportFrom::Qbittorrent, profile.path().into(), false);
    assert_eq!(counts(&again), (0, 2, 2));
}

#[test]
fn a_profile_of_transmission_is_taken_over() {
    let node = Node::start();
    let profile = tempfile::tempdir().unwrap();
    let fixture = fixture("content");
    write_damaged(&fixture, &node.data());
    let (resume, torrents) = (profile.path().join("resume"), profile.path().join("torrents"));
    fs::create_dir(&resume).unwrap();
    fs::create_dir(&torrents).unwrap();
    fs::write(torrents.join("content.0123456789abcdef.torrent"), fixture.torrent()).unwrap();
    let bytes = encode_dict(|dict| {
        dict.bytes("destination", node.data().to_str().unwrap());
        dict.list("labels", |list| list.bytes("radio"));
        dict.bytes("name", "content");
        dict.int("paused", 0);
        dict.dict("progress", |progress| progress.bytes("blocks", "all"));
        dict.int("uploaded", 9);
    });
    fs::write(resume.join("content.0123456789abcdef.resume"), bytes).unwrap();
    let report = import(&node, ImportFrom::Transmission, profile.path().into(), false);
    assert_eq!(counts(&report), (1, 0, 0), "{report:?}");
    node.wait_stage(fixture.info_hash(), Stage::Seeding);
    let record = node.record(fixture.info_hash());
    assert!(record.tags.contains("radio") && !record.is_renamed);
    assert_eq!(record.totals.up_bytes, 9);
}

#[test]
fn what_transmission_has_not_finished_gets_its_names_back_and_magnets_wait_for_metadata() {
    let node = Node::start();
    let profile = tempfile::tempdir().unwrap();
    let fixture = fixture("content");
    fixture.write_payload(&node.data()).unwrap();
    let content = node.data().join("content");
    fs::rename(content.join("a"), content.join("a.part")).unwrap();
    fs::rename(content.join("b"), content.join("new b")).unwrap();
    let (resume, torrents) = (profile.path().join("resume"), profile.path().join("torrents"));
    fs::create_dir(&resume).unwrap();
    fs::create_dir(&torrents).unwrap();
    fs::write(torrents.join("part.torrent"), fixture.torrent()).unwrap();
    let hash = "c".repeat(40);
    fs::write(torrents.join("link.magnet"), format!("magnet:?xt=urn:btih:{hash}")).unwrap();
    for name in ["part", "link"] {
        let bytes = encode_dict(|dict| {
            dict.bytes("destination", node.data().to_str().unwrap());
            if name == "part" {
                dict.list("files", |list| {
                    list.bytes("");
                    list.bytes("content/new b");
                });
            }
            dict.bytes("name", name);
            dict.int("paused", 0);
        });
        fs::write(resume.join(name).with_extension("resume"), bytes).unwrap();
    }
    let dry = import(&node, ImportFrom::Transmission, profile.path().into(), true);
    assert_eq!((counts(&dry), content.join("a.part").exists()), ((2, 0, 0), true));
    let report = import(&node, ImportFrom::Transmission, profile.path().into(), false);
    assert_eq!(counts(&report), (2, 0, 0), "{report:?}");
    node.wait_stage(fixture.info_hash(), Stage::Seeding);
    assert!(content.join("a").is_file() && content.join("new b").is_file());
    assert!(!content.join("a.part").exists());
    node.wait_stage(InfoHash([0xcc; 20]), Stage::Metadata);
    assert_eq!(node.record(InfoHash([0xcc; 20])).name, "link");
}

#[test]
fn a_folder_without_a_profile_is_told_apart_from_an_empty_one() {
    let node = Node::start();
    for from in [ImportFrom::Qbittorrent, ImportFrom::Transmission] {
        let path = node.folder.path().to_owned();
        let refusal = wait(node.handle().import(Import { from, path, is_dry: true })).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Invalid);
        assert!(refusal.text.contains("give the folder that has"), "{}", refusal.text);
    }
    let empty = node.folder.path().join("BT_backup");
    fs::create_dir(&empty).unwrap();
    let report = import(&node, ImportFrom::Qbittorrent, empty, false);
    assert!(report.torrents.is_empty());
}
