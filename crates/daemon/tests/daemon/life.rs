//! A torrent's life in a daemon, over real engines: added, fetched, kept from run to run, removed.

use crate::common::{Node, new, seed, until, wait};
use piecework_catalog::{Command, Limit, Mode, Record, Refusal, RefusalKind, Stage};
use piecework_daemon::{Added, New, NewSource};
use piecework_metainfo::{Metainfo, PieceLayers};
use piecework_node::PieceState;
use piecework_testkit::{Behaviour, FakePeer, Fixture, FixtureBuilder, PATIENCE, download};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpStream};

fn fixture() -> Fixture {
    FixtureBuilder::folder("content").with("a", 300_000).with("b/c", 100_000).build()
}

#[test]
fn one_daemon_fetches_what_the_other_has() {
    let fixture = fixture();
    let seed = seed(&fixture);
    let node = Node::start();
    let id = node.add(&fixture, &[seed.address()]);
    node.wait_stage(id, Stage::Seeding);
    assert_eq!(fixture.faults(&node.data()), [""; 0]);
    node.wait_news("torrent_done");
    assert!(node.record(id).completed_at.is_some());
    assert_eq!(wait(node.handle().metainfo(id)).as_deref(), Some(fixture.torrent()));
    assert_eq!(wait(node.handle().info(id)).unwrap().hashes(), fixture.info().hashes());
    let pieces = wait(node.handle().bitfield(id)).unwrap();
    assert_eq!(pieces.len(), fixture.grid().piece_count());
}

#[test]
fn the_pieces_of_a_torrent_that_is_stopped_are_those_that_it_had() {
    let fixture = fixture();
    let held = 4 * u64::from(fixture.info().piece_length());
    let peer = FakePeer::builder(&fixture, Behaviour::Honest).hold_after(held).start();
    let mut node = Node::start();
    let id = node.add(&fixture, &[peer.address()]);
    let pieces = |node: &Node| wait(node.handle().bitfield(id)).unwrap();
    until("some pieces have come", || pieces(&node).count() >= 3);
    node.command(Command::SetMode(vec![id], Mode::Stopped));
    node.wait_stage(id, Stage::Stopped);
    until("they are written down", || pieces(&node).count() >= 3);
    let before = pieces(&node);
    assert!(before.count() >= 3 && before.count() < before.len());
    node.stop();
    node.go_on();
    assert_eq!(pieces(&node), before);
    let states = wait(node.handle().piece_states(id)).unwrap();
    let has = |state: &&PieceState| **state == PieceState::Have;
    assert_eq!(states.iter().filter(has).count(), before.count() as usize);
    assert_eq!(states.len(), before.len() as usize);
}

#[test]
fn torrents_that_are_added_together_queue_in_their_order() {
    let node = Node::start();
    // The first takes longest to be read.
    let fixtures: Vec<_> = (0..12)
        .map(|nth: usize| {
            let name = format!("content-{nth}");
            let files = if nth == 0 { 500 } else { 1 };
            let builder = FixtureBuilder::folder(&name);
            (0..files).fold(builder, |it, file| it.with(&format!("{file}"), 10)).build()
        })
        .collect();
    let add = |some: &[Fixture], at_top| {
        let all = some.iter().map(|fixture| New { at_top, ..new(fixture, &[]) }).collect();
        let added = wait(node.handle().add_all(all));
        let ids: Vec<_> = added.into_iter().map(|added| added.unwrap().id).collect();
        assert_eq!(ids, some.iter().map(Fixture::info_hash).collect::<Vec<_>>());
    };
    add(&fixtures[..6], false);
    add(&fixtures[6..], true);
    let mut queue: Vec<_> = fixtures.iter().map(Fixture::info_hash).collect();
    queue.sort_by_key(|id| node.record(*id).queue);
    let expected = fixtures[6..].iter().chain(&fixtures[..6]).map(Fixture::info_hash);
    assert_eq!(queue, expected.collect::<Vec<_>>());
}

#[test]
fn of_many_that_are_loaded_together_each_is_what_its_own_files_are() {
    let mut node = Node::start();
    let fixtures: Vec<_> = (0..100)
        .map(|nth| {
            FixtureBuilder::folder(&format!("content-{nth}")).with("file", 100 + nth).build()
        })
        .collect();
    // Every third lies elsewhere; every seventh is not there.
    let folder = |nth: usize| if nth.is_multiple_of(3) { node.roots() } else { node.data() };
    let is_there = |nth: usize| !nth.is_multiple_of(7);
    let all = fixtures.iter().enumerate().map(|(nth, fixture)| {
        if is_there(nth) {
            fixture.write_payload(&folder(nth)).unwrap();
        }
        let mut new = new(fixture, &[]);
        new.record.is_trusted = true;
        new.record.save_path = folder(nth).to_str().unwrap().to_owned();
        new
    });
    std::fs::create_dir_all(node.roots()).unwrap();
    let all_at_once = |node: &Node| {
        wait(node.handle().set(vec![("queue.on".into(), "false".into())])).unwrap();
    };
    all_at_once(&node);
    let added = wait(node.handle().add_all(all.collect()));
    assert!(added.iter().all(|added| added.as_ref().is_ok_and(|it| !it.was_there)), "{added:?}");
    for _ in 0..2 {
        for (nth, fixture) in fixtures.iter().enumerate() {
            let stage = if is_there(nth) { Stage::Seeding } else { Stage::Downloading };
            node.wait_stage(fixture.info_hash(), stage);
        }
        // And as they were after a restart.
        node.stop();
        node.go_on();
        all_at_once(&node);
    }
}

#[test]
fn a_magnet_becomes_a_torrent_with_files() {
    let fixture = fixture();
    let seed = seed(&fixture);
    let node = Node::start();
    let source = NewSource::Link(fixture.magnet(&[seed.address()]).to_string());
    let magnet = New { source, ..new(&fixture, &[]) };
    let id = wait(node.handle().add(magnet)).unwrap().id;
    node.wait_stage(id, Stage::Seeding);
    assert_eq!(fixture.faults(&node.data()), [""; 0]);
    let record = node.record(id);
    assert_eq!((record.name.as_str(), record.has_metainfo), ("content", true));
    assert!(wait(node.handle().metainfo(id)).is_some());
}

#[test]
fn a_restart_keeps_everything() {
    let fixture = fixture();
    let mut node = seed(&fixture);
    let id = fixture.info_hash();
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<BTreeSet<_>>();
    node.command(Command::AddTags(vec![id], words(&["one", "two"])));
    node.command(Command::CreateCategory("films".into(), Default::default()));
    node.command(Command::SetShareLimits {
        ids: vec![id],
        ratio_milli: Some(Limit::Of(1500)),
        seeding_minutes: None,
        inactive_minutes: None,
        action: None,
    });
    node.command(Command::Rename(id, "another".into()));
    node.command(Command::SetUpLimit(vec![id], Some(100_000)));
    let known = |record: Record| {
        let Record { name, tags, share, up_limit, added_at, completed_at, save_path, .. } = record;
        (name, tags, share, up_limit, added_at, completed_at, save_path)
    };
    let before = known(node.record(id));
    node.stop();
    node.go_on();
    node.wait_stage(id, Stage::Seeding);
    assert_eq!(known(node.record(id)), before);
    assert_eq!(before.1, words(&["one", "two"]));
    let handle = node.handle();
    let catalog = handle.catalog();
    assert_eq!(catalog.tags(), &words(&["one", "two"]));
    assert_eq!(catalog.categories().keys().collect::<Vec<_>>(), ["films"]);
}

#[test]
fn a_ban_outlives_a_restart_until_it_is_lifted() {
    let fixture = fixture();
    let mut node = seed(&fixture);
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    wait(node.handle().change_bans(move |bans| bans.extend([here]))).unwrap();
    node.stop();
    node.go_on();
    assert_eq!(node.handle().bans(), [here].into());
    node.wait_stage(fixture.info_hash(), Stage::Seeding);
    let other = Node::start();
    let id = other.add(&fixture, &[node.address()]);
    other.wait_stage(id, Stage::Downloading);
    // The listener hangs up before it says anything.
    let mut stream = TcpStream::connect(node.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let handshake = [&b"\x13BitTorrent protocol"[..], &[0; 8], &fixture.info_hash().0, &[7; 20]];
    drop(stream.write_all(&handshake.concat()));
    let answer = stream.read(&mut [0; 1]).or_else(|error| match error.kind() {
        ErrorKind::ConnectionReset => Ok(0),
        _ => Err(error),
    });
    assert_eq!(answer.unwrap(), 0);
    wait(node.handle().change_bans(BTreeSet::clear)).unwrap();
    other.handle().add_peers(id, vec![node.address()]);
    other.wait_stage(id, Stage::Seeding);
    node.stop();
    node.go_on();
    assert_eq!(node.handle().bans(), [].into());
}

#[test]
fn a_torrent_that_is_stopped_is_stopped_after_a_restart_and_can_be_started() {
    let fixture = fixture();
    let mut node = seed(&fixture);
    let id = fixture.info_hash();
    node.command(Command::SetMode(vec![id], Mode::Stopped));
    node.wait_stage(id, Stage::Stopped);
    node.stop();
    node.go_on();
    node.wait_stage(id, Stage::Stopped);
    assert_eq!(wait(node.handle().peers(id)), Some(Vec::new()));
    node.command(Command::SetMode(vec![id], Mode::Queued));
    node.wait_stage(id, Stage::Seeding);
}

#[test]
fn a_torrent_added_twice_is_one_with_the_trackers_of_both() {
    let node = Node::start();
    let tracker = |name: &str| format!("http://{name}.invalid:1/announce");
    let with = |name: &str| FixtureBuilder::file("content", 50_000).tracker(&tracker(name)).build();
    let (first, second) = (with("one"), with("two"));
    let id = node.add(&first, &[]);
    let added = wait(node.handle().add(new(&second, &[]))).unwrap();
    assert_eq!((added.id, added.was_there), (id, true));
    assert_eq!(node.handle().catalog().torrents().len(), 1);
    let trackers: Vec<_> = node.record(id).trackers.into_iter().flatten().flatten().collect();
    assert_eq!(trackers, [tracker("one"), tracker("two")]);
    let shown = wait(node.handle().trackers(id)).unwrap();
    assert_eq!(shown[0].url.as_str(), tracker("one"));
}

#[test]
fn a_hybrid_torrent_is_known_by_both_of_its_names() {
    let node = Node::start();
    let fixture = FixtureBuilder::file("content", 50_000)
        .version(piecework_metainfo::Version::Hybrid)
        .build();
    let id = node.add(&fixture, &[]);
    let v2 = fixture.info().hashes().v2.unwrap().to_string();
    for link in [id.to_string(), v2, format!("magnet:?xt=urn:btih:{id}")] {
        let again = New { source: NewSource::Link(link), ..new(&fixture, &[]) };
        let added = wait(node.handle().add(again)).unwrap();
        assert_eq!((added.id, added.was_there), (id, true));
    }
}

#[test]
fn what_is_no_torrent_is_refused_and_leaves_nothing() {
    let node = Node::start();
    let sources = [
        NewSource::Metainfo(b"d4:infode".to_vec()),
        NewSource::Metainfo(Vec::new()),
        NewSource::Link("magnet:?xt=urn:btih:12".into()),
        NewSource::Link("ftp://example.org/x.torrent".into()),
        NewSource::Link(String::new()),
    ];
    for source in sources {
        let new = New { source, record: Record::default(), at_top: false, peers: Vec::new() };
        let refusal = wait(node.handle().add(new)).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Invalid, "{refusal}");
    }
    let fixture = fixture();
    let mut outside = new(&fixture, &[]);
    outside.record.save_path = "/somewhere".into();
    assert_eq!(wait(node.handle().add(outside)).unwrap_err().kind, RefusalKind::Forbidden);
    assert_eq!(node.handle().catalog().torrents().len(), 0);
}

#[test]
fn of_several_that_are_added_at_once_each_gets_its_own_answer_and_the_good_ones_stay() {
    let mut node = Node::start();
    let fixtures = ["a", "b", "c"].map(|name| FixtureBuilder::file(name, 40_000).build());
    fixtures.iter().for_each(|fixture| fixture.write_payload(&node.data()).unwrap());
    let trusted = |fixture: &Fixture| {
        let mut new = new(fixture, &[]);
        new.record.is_trusted = true;
        new
    };
    let broken = NewSource::Metainfo(b"d4:infode".to_vec());
    let mut news: Vec<New> = fixtures.iter().chain([&fixtures[0]]).map(trusted).collect();
    news.insert(1, New { source: broken, ..trusted(&fixtures[0]) });
    let added = wait(node.handle().add_all(news));
    let told = |added: &Result<Added, Refusal>| {
        added.as_ref().map(|added| (added.id, added.was_there)).map_err(|refusal| refusal.kind)
    };
    let [a, b, c] = fixtures.each_ref().map(Fixture::info_hash);
    let expected =
        [Ok((a, false)), Err(RefusalKind::Invalid), Ok((b, false)), Ok((c, false)), Ok((a, true))];
    assert_eq!(added.iter().map(told).collect::<Vec<_>>(), expected);
    // The word of who added them counts at the next start too, and the catalog alone keeps their metainfo.
    for _ in 0..2 {
        [a, b, c].iter().for_each(|&id| node.wait_stage(id, Stage::Seeding));
        assert!(!node.folder.path().join(format!("state/{a}.torrent")).exists());
        // After a restart it counts as a seed a moment before the engine has it.
        until("it is served", || {
            download(&fixtures[1], node.address()).is_ok_and(|it| it.bytes == 40_000)
        });
        node.stop();
        node.go_on();
    }
}

#[test]
fn removing_with_files_leaves_what_others_put_there() {
    let fixture = fixture();
    let node = seed(&fixture);
    let id = fixture.info_hash();
    let foreign = node.data().join("content/b/mine");
    std::fs::write(&foreign, "mine").unwrap();
    node.command(Command::Remove { ids: vec![id], deletes_files: true });
    node.wait_news("files_deleted");
    assert_eq!(std::fs::read_to_string(&foreign).unwrap(), "mine");
    assert!(!node.data().join("content/a").exists() && !node.data().join("content/b/c").exists());
    assert_eq!(wait(node.handle().metainfo(id)), None);
    // And it can come back.
    node.add(&fixture, &[]);
    node.wait_stage(id, Stage::Downloading);
}

#[test]
fn removing_alone_leaves_the_files() {
    let fixture = fixture();
    let mut node = seed(&fixture);
    let id = fixture.info_hash();
    node.command(Command::Remove { ids: vec![id], deletes_files: false });
    assert!(node.handle().catalog().get(id).is_none());
    node.stop();
    assert_eq!(fixture.faults(&node.data()), [""; 0]);
    node.go_on();
    assert_eq!(node.handle().catalog().torrents().len(), 0);
}

#[test]
fn a_magnet_whose_piece_layers_come_from_peers_has_a_torrent_file_and_survives_a_restart() {
    let fixture = FixtureBuilder::folder("content")
        .version(piecework_metainfo::Version::V2)
        .with("a", 300_000)
        .with("b", 100)
        .build();
    let seed = seed(&fixture);
    let mut node = Node::start();
    let source = NewSource::Link(fixture.magnet(&[seed.address()]).to_string());
    let id = wait(node.handle().add(New { source, ..new(&fixture, &[]) })).unwrap().id;
    node.wait_stage(id, Stage::Seeding);
    until("the last layer is heard of", || wait(node.handle().metainfo(id)).is_some());
    let file = Metainfo::parse(&wait(node.handle().metainfo(id)).unwrap()).unwrap();
    assert_eq!(file.layers(), fixture.metainfo().layers());
    assert!(file.layers().is_some_and(PieceLayers::is_complete));
    node.stop();
    node.go_on();
    node.wait_stage(id, Stage::Seeding);
    assert_eq!(fixture.faults(&node.data()), [""; 0]);
    assert_eq!(wait(node.handle().info(id)).unwrap().hashes(), fixture.info().hashes());
}
