//! Files moved, renamed and watched for, over real engines.

use crate::common::{Node, is_empty, new, seed, wait};
use piecework_catalog::{Command, RefusalKind, Stage};
use piecework_testkit::{Behaviour, FakePeer, Fixture, FixtureBuilder};
use std::fs;
use std::path::Path;

const PIECE_BYTES: u32 = 32_768;

fn fixture() -> Fixture {
    let folder = FixtureBuilder::folder("content").piece_length(PIECE_BYTES);
    folder.with("a", 600_000).with("b/c", 300_000).build()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_torrent_that_is_moved_while_it_comes_is_finished_in_its_new_place() {
    let fixture = fixture();
    let held = 8 * u64::from(PIECE_BYTES);
    let peer = FakePeer::builder(&fixture, Behaviour::Honest).hold_after(held).start();
    let node = Node::start();
    let id = node.add(&fixture, &[peer.address()]);
    node.wait(id, "something has come", |torrent| torrent.figures().down_bytes >= held);
    let target = node.roots().join("new/place");
    node.command(Command::SetSavePath(vec![id], text(&target)));
    node.wait_news("files_moved");
    node.wait(id, "it goes on", |torrent| torrent.stage() == Stage::Downloading);
    // What came before is not fetched once more, and not even checked.
    node.wait(id, "what is there is known", |torrent| torrent.figures().left_bytes > 0);
    assert!(node.record(id).last.left_bytes <= 900_000 - held + 4 * u64::from(PIECE_BYTES));
    peer.release();
    node.handle().add_peers(id, vec![FakePeer::seed(&fixture).address()]);
    let other = seed(&fixture);
    node.handle().add_peers(id, vec![other.address()]);
    node.wait_stage(id, Stage::Seeding);
    assert_eq!(fixture.faults(&target), [""; 0]);
    assert!(is_empty(&node.data()));
}

#[test]
fn a_seed_that_is_moved_need_not_be_checked() {
    let fixture = fixture();
    let node = seed(&fixture);
    let id = fixture.info_hash();
    let target = node.roots().join("elsewhere");
    // Nothing of it would pass a check now, and nothing shows that from outside.
    let found = fs::metadata(node.data().join("content/a")).unwrap();
    fs::write(node.data().join("content/a"), vec![0; 600_000]).unwrap();
    let file = fs::File::options().write(true).open(node.data().join("content/a")).unwrap();
    file.set_modified(found.modified().unwrap()).unwrap();
    node.command(Command::SetSavePath(vec![id], text(&target)));
    node.wait_news("files_moved");
    node.wait_stage(id, Stage::Seeding);
    assert!(node.record(id).is_complete);
    // Whereas a check that is asked for finds it.
    node.command(Command::Check(vec![id]));
    node.wait(id, "the check found it", |torrent| {
        torrent.stage() == Stage::Downloading && torrent.figures().left_bytes >= 600_000
    });
}

#[test]
fn a_file_of_somebody_else_is_not_overwritten_by_a_move() {
    let fixture = fixture();
    let node = seed(&fixture);
    let id = fixture.info_hash();
    let target = node.roots().join("elsewhere");
    fs::create_dir_all(target.join("content/b")).unwrap();
    fs::write(target.join("content/b/c"), "mine").unwrap();
    node.command(Command::SetSavePath(vec![id], text(&target)));
    let why = node.wait_news("move_failed");
    assert!(why.contains("another file is there"), "{why}");
    assert_eq!(fs::read_to_string(target.join("content/b/c")).unwrap(), "mine");
    assert_eq!(fixture.faults(&node.data()), [""; 0]);
    assert!(!target.join("content/a").exists());
    node.wait_stage(id, Stage::Seeding);
}

#[test]
fn files_get_other_paths_and_keep_them() {
    let fixture = fixture();
    let mut node = seed(&fixture);
    let id = fixture.info_hash();
    let renames = vec![(0, "content/x/first".to_owned()), (1, "content/second".to_owned())];
    node.command(Command::RenameFiles(id, renames));
    node.wait_news("files_moved");
    node.wait_stage(id, Stage::Seeding);
    node.stop();
    node.go_on();
    node.wait_stage(id, Stage::Seeding);
    let there = |path: &str| fs::metadata(node.data().join(path)).map(|found| found.len()).ok();
    assert_eq!(there("content/x/first"), Some(600_000));
    assert_eq!(there("content/second"), Some(300_000));
    assert_eq!((there("content/a"), there("content/b")), (None, None));
    let first = fixture.stored(Path::new("")).next().unwrap().1.to_vec();
    let read = wait(async {
        let mut reader = node.handle().open(id, 0).await.unwrap();
        reader.read(0, 1000).await.unwrap()
    });
    assert_eq!(read, first[..1000]);
    node.command(Command::Remove { ids: vec![id], deletes_files: true });
    node.wait_news("files_deleted");
    assert!(is_empty(&node.data()));
}

#[test]
fn two_files_swap_their_paths_and_a_file_becomes_a_folder() {
    let fixture = fixture();
    let mut node = seed(&fixture);
    let id = fixture.info_hash();
    let rename = |node: &Node, files: [(u32, &str); 2]| {
        let files = files.map(|(file, path)| (file, path.to_owned()));
        let before = node.handle().news(0).len();
        node.command(Command::RenameFiles(id, files.into()));
        let moved = || node.handle().news(0)[before..].iter().any(|it| it.code == "files_moved");
        crate::common::until("they are renamed", moved);
        node.wait_stage(id, Stage::Seeding);
    };
    let lengths = |node: &Node, paths: [&str; 2]| {
        paths.map(|path| fs::metadata(node.data().join(path)).map_or(0, |it| it.len()))
    };
    rename(&node, [(0, "content/b/c"), (1, "content/a")]);
    assert_eq!(lengths(&node, ["content/b/c", "content/a"]), [600_000, 300_000]);
    node.stop();
    node.go_on();
    node.wait_stage(id, Stage::Seeding);
    assert_eq!(lengths(&node, ["content/b/c", "content/a"]), [600_000, 300_000]);
    // What was a folder is a file now, and the other way round.
    rename(&node, [(0, "content/a/x"), (1, "content/b")]);
    assert_eq!(lengths(&node, ["content/a/x", "content/b"]), [600_000, 300_000]);
    let contents: Vec<_> = fixture.stored(Path::new("")).map(|(_, content)| content).collect();
    for (path, content) in ["content/a/x", "content/b"].into_iter().zip(contents) {
        assert!(fs::read(node.data().join(path)).unwrap() == content, "{path}");
    }
    // A file of somebody else is not touched, and ours stay where they are.
    fs::write(node.data().join("content/mine"), "mine").unwrap();
    let files = vec![(0, "content/b".to_owned()), (1, "content/mine".to_owned())];
    node.command(Command::RenameFiles(id, files));
    let why = node.wait_news("move_failed");
    assert!(why.contains("another file is there"), "{why}");
    assert_eq!(lengths(&node, ["content/a/x", "content/b"]), [600_000, 300_000]);
}

#[test]
fn a_path_outside_of_the_roots_is_refused_and_nothing_moves() {
    let fixture = fixture();
    let node = seed(&fixture);
    let id = fixture.info_hash();
    for path in ["/tmp", "/", "relative", "/etc/../tmp"] {
        let command = Command::SetSavePath(vec![id], path.to_owned());
        let refusal = wait(node.handle().command(command)).unwrap_err();
        let is_right = matches!(refusal.kind, RefusalKind::Forbidden | RefusalKind::Invalid);
        assert!(is_right, "{path}: {refusal}");
    }
    assert_eq!(node.record(id).save_path, text(&node.data().canonicalize().unwrap()));
}

#[test]
fn what_is_dropped_into_the_watch_folder_is_added_once_it_is_whole() {
    let node = Node::start();
    let folder = node.roots().join("watch");
    fs::create_dir_all(&folder).unwrap();
    let set = vec![("watch.folder".to_owned(), text(&folder))];
    assert_eq!(wait(node.handle().set(set)), Ok(Vec::new()));
    let (one, two) = (fixture(), FixtureBuilder::file("other", 10_000).build());
    fs::write(folder.join("one.torrent"), one.torrent()).unwrap();
    let there = |_: &piecework_catalog::Torrent| true;
    node.wait(one.info_hash(), "it is added", there);
    assert!(!node.record(one.info_hash()).is_stopped);
    let set = vec![("torrents.add_stopped".to_owned(), "true".to_owned())];
    assert_eq!(wait(node.handle().set(set)), Ok(Vec::new()));
    fs::write(folder.join("two.magnet"), two.magnet(&[]).to_string()).unwrap();
    fs::write(folder.join("three.torrent"), "nothing").unwrap();
    fs::write(folder.join("notes.txt"), "left alone").unwrap();
    node.wait(two.info_hash(), "it is added", there);
    assert!(node.record(two.info_hash()).is_stopped);
    node.wait_news("watch_failed");
    let names = || {
        let entries = fs::read_dir(&folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let expected = ["notes.txt", "one.torrent.added", "three.torrent.bad", "two.magnet.added"];
    node.wait(one.info_hash(), "all are renamed", |_| names() == expected);
    assert_eq!(node.handle().catalog().torrents().len(), 2);
}

#[test]
fn settings_that_were_changed_hold_and_wrong_ones_change_nothing() {
    let node = Node::start();
    let set =
        |key: &str, value: &str| wait(node.handle().set(vec![(key.to_owned(), value.to_owned())]));
    assert_eq!(set("queue.downloads_max", "3"), Ok(Vec::new()));
    assert_eq!(node.handle().catalog().rules().queue.downloads_max, Some(3));
    assert_eq!(set("net.port", "7000"), Ok(vec!["net.port".to_owned()]));
    assert_eq!(set("queue.downloads_max", "many").unwrap_err().kind, RefusalKind::Invalid);
    assert_eq!(set("queue.nothing", "3").unwrap_err().kind, RefusalKind::Invalid);
    assert_eq!(node.handle().catalog().rules().queue.downloads_max, Some(3));
    let overlay = fs::read_to_string(node.folder.path().join("overlay.toml")).unwrap();
    assert!(overlay.contains("downloads_max = 3"), "{overlay}");
    // Another folder for all counts from now on, and is a root.
    let folder = node.folder.path().join("others").canonicalize();
    let folder = folder.unwrap_or_else(|_| node.folder.path().join("others"));
    assert_eq!(set("torrents.save_path", folder.to_str().unwrap()), Ok(Vec::new()));
    let fixture = fixture();
    let id = wait(node.handle().add(new(&fixture, &[]))).unwrap().id;
    assert_eq!(node.record(id).save_path, text(&folder));
}
