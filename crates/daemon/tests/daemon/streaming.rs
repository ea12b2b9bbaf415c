//! Reading a file while it is being fetched.

use crate::common::{Node, seed, wait};
use piecework_catalog::{Command, Mode, RefusalKind, Stage};
use piecework_testkit::{Behaviour, FakePeer, Fixture, FixtureBuilder};

const PIECE_BYTES: u32 = 32_768;

fn fixture() -> Fixture {
    let folder = FixtureBuilder::folder("content").piece_length(PIECE_BYTES);
    folder.with("first", 700_001).with("second", 900_000).build()
}

/// The bytes of a file.
fn contents(fixture: &Fixture, node: &Node, name: &str) -> Vec<u8> {
    let folder = node.data();
    fixture.stored(&folder).find(|(path, _)| path.ends_with(name)).unwrap().1.to_vec()
}

#[test]
fn a_file_is_read_from_its_beginning_and_after_a_seek_while_it_comes() {
    let fixture = fixture();
    // Most of it does not come for now: what is read has been asked for first.
    let held = 16 * u64::from(PIECE_BYTES);
    let peer = FakePeer::builder(&fixture, Behaviour::Honest).hold_after(held).start();
    let node = Node::start();
    let id = node.add(&fixture, &[]);
    let expected = contents(&fixture, &node, "second");
    let handle = node.handle();
    wait(async {
        let mut reader = handle.open(id, 1).await.unwrap();
        assert_eq!(reader.len_bytes(), 900_000);
        node.wait_stage(id, Stage::Downloading);
        handle.add_peers(id, vec![peer.address()]);
        let mut got = Vec::new();
        while got.len() < 100_000 {
            got.extend(reader.read(got.len() as u64, 30_000).await.unwrap());
        }
        assert_eq!(got, expected[..got.len()]);
        assert_eq!(handle.catalog().get(id).unwrap().stage(), Stage::Downloading);
        peer.release();
        let end = reader.read(899_000, 100_000).await.unwrap();
        assert!(!end.is_empty() && end == expected[899_000..][..end.len()]);
        assert_eq!(reader.read(900_000, 10).await, Ok(Vec::new()));
        assert_eq!(reader.read(u64::MAX, 10).await, Ok(Vec::new()));
    });
    node.wait_stage(id, Stage::Seeding);
}

#[test]
fn a_reader_ends_when_its_torrent_is_stopped_or_removed() {
    let fixture = fixture();
    let node = Node::start();
    let id = node.add(&fixture, &[]);
    node.wait_stage(id, Stage::Downloading);
    for (command, kind) in [
        (Command::SetMode(vec![id], Mode::Stopped), RefusalKind::Conflict),
        (Command::Remove { ids: vec![id], deletes_files: false }, RefusalKind::Unknown),
    ] {
        let handle = node.handle();
        wait(async {
            handle.command(Command::SetMode(vec![id], Mode::Queued)).await.unwrap();
            let mut reader = handle.open(id, 0).await.unwrap();
            let (read, done) = tokio::join!(reader.read(0, 10), handle.command(command));
            assert_eq!((read.unwrap_err().kind, done), (kind, Ok(())));
        });
    }
    assert_eq!(wait(node.handle().open(id, 0)).err().unwrap().kind, RefusalKind::Unknown);
}

#[test]
fn a_complete_file_is_read_even_when_its_torrent_is_stopped() {
    let fixture = fixture();
    let node = seed(&fixture);
    let id = fixture.info_hash();
    node.command(Command::SetMode(vec![id], Mode::Stopped));
    node.wait_stage(id, Stage::Stopped);
    let expected = contents(&fixture, &node, "first");
    wait(async {
        let mut reader = node.handle().open(id, 0).await.unwrap();
        assert_eq!(reader.read(700_000, 5).await.unwrap(), expected[700_000..]);
        assert_eq!(reader.read(0, 300_000).await.unwrap(), expected[..300_000]);
        assert_eq!(node.handle().open(id, 2).await.err().unwrap().kind, RefusalKind::Unknown);
    });
}
