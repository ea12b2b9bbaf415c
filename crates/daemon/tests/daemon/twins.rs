//! Magnets of the two names of one hybrid torrent, which are two torrents until their metadata comes.

use crate::common::{Node, seed, wait};
use piecework_catalog::{Command, Mode, Record, Stage};
use piecework_daemon::{New, NewSource};
use piecework_metainfo::{Magnet, Version};
use piecework_testkit::{Fixture, FixtureBuilder};
use piecework_types::{InfoHash, InfoHashes};
use std::net::SocketAddr;

fn hybrid() -> Fixture {
    FixtureBuilder::folder("content").with("a", 300_000).version(Version::Hybrid).build()
}

/// The links of its first and its second name.
fn links(fixture: &Fixture) -> [Magnet; 2] {
    let InfoHashes { v1, v2 } = fixture.info().hashes();
    [InfoHashes { v1, v2: None }, InfoHashes { v1: None, v2 }].map(Magnet::new)
}

fn add(node: &Node, link: &Magnet, tag: &str, peers: &[SocketAddr]) -> InfoHash {
    let record = Record { tags: [tag.to_owned()].into(), ..Record::default() };
    let source = NewSource::Link(link.to_string());
    let added = wait(node.handle().add(New { source, record, at_top: false, peers: peers.into() }));
    let added = added.unwrap();
    assert_eq!((added.id, added.was_there), (link.info_hashes.primary(), false));
    added.id
}

fn assert_stands_still(node: &Node, twin: InfoHash, first: InfoHash) {
    node.wait_stage(twin, Stage::Failed);
    let record = node.record(twin);
    let error = record.error.unwrap();
    assert!(error.contains("the same torrent as") && error.contains(&first.to_string()), "{error}");
    assert!(!record.has_metainfo && !record.tags.is_empty(), "what people said of it stays");
}

#[test]
fn of_two_links_of_a_hybrid_torrent_the_one_with_metadata_goes_on_and_the_other_says_why_not() {
    let fixture = hybrid();
    let seed = seed(&fixture);
    for one in 0..2 {
        let mut node = Node::start();
        let mut links = links(&fixture);
        links[1 - one].trackers = vec!["http://127.0.0.1:9/announce".into()];
        let twin = add(&node, &links[1 - one], "twin", &[]);
        let first = add(&node, &links[one], "first", &[seed.address()]);
        node.wait_stage(first, Stage::Seeding);
        assert_eq!(fixture.faults(&node.data()), [""; 0]);
        assert_stands_still(&node, twin, first);
        let trackers = node.record(first).trackers.unwrap();
        assert_eq!(trackers.concat(), ["http://127.0.0.1:9/announce"], "they serve the first too");
        // So it stays, from run to run, and when somebody starts it.
        node.stop();
        node.go_on();
        node.wait_stage(first, Stage::Seeding);
        assert_stands_still(&node, twin, first);
        node.command(Command::SetMode(vec![twin], Mode::Queued));
        node.handle().add_peers(twin, vec![seed.address()]);
        assert_stands_still(&node, twin, first);
        // Either link and the torrent file mean the first from now on.
        node.command(Command::Remove { ids: vec![twin], deletes_files: true });
        crate::common::until("it has gone", || node.handle().catalog().get(twin).is_none());
        let again = [
            NewSource::Link(links[0].to_string()),
            NewSource::Link(links[1].to_string()),
            NewSource::Metainfo(fixture.torrent().to_vec()),
        ];
        for source in again {
            let record = Record::default();
            let added =
                wait(node.handle().add(New { source, record, at_top: false, peers: Vec::new() }));
            let added = added.unwrap();
            assert_eq!((added.id, added.was_there), (first, true));
        }
        assert_eq!(fixture.faults(&node.data()), [""; 0], "nothing of it was deleted");
        node.stop();
    }
}

#[test]
fn links_whose_metadata_comes_at_once_and_a_torrent_file_behind_them_leave_one_that_goes_on() {
    let fixture = hybrid();
    let seed = seed(&fixture);
    let node = Node::start();
    let ids = links(&fixture).map(|link| add(&node, &link, "one", &[seed.address()]));
    let stages = || ids.map(|id| node.handle().catalog().get(id).unwrap().stage());
    crate::common::until("one goes on and one does not", || {
        [[Stage::Seeding, Stage::Failed], [Stage::Failed, Stage::Seeding]].contains(&stages())
    });
    let is_first = stages()[0] == Stage::Seeding;
    let (first, twin) = if is_first { (ids[0], ids[1]) } else { (ids[1], ids[0]) };
    assert_stands_still(&node, twin, first);
    assert_eq!(fixture.faults(&node.data()), [""; 0]);

    let node = Node::start();
    let ids = links(&fixture).map(|link| add(&node, &link, "one", &[]));
    let source = NewSource::Metainfo(fixture.torrent().to_vec());
    let peers = vec![seed.address()];
    let new = New { source, record: Record::default(), at_top: false, peers };
    let added = wait(node.handle().add(new)).unwrap();
    assert_eq!((added.id, added.was_there), (ids[0], true));
    node.handle().add_peers(ids[0], vec![seed.address()]);
    node.wait_stage(ids[0], Stage::Seeding);
    assert_stands_still(&node, ids[1], ids[0]);
}
