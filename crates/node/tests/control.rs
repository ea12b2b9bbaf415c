//! What is changed while torrents run: limits, what is wanted and in which order, peers and bans; and what
//! is asked of them meanwhile.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_node::{
    AddTorrent, Engine, EngineConfig, Figures, FilePriorities, PeerSource, PeerStatus, Phase,
    PieceState, PortChoice, Source, TorrentKey, TrackerStatus, What,
};
use piecework_testkit::{
    Behaviour, FakePeer, FakeTracker, Fixture, FixtureBuilder, PATIENCE, TrackerAnswer,
    claimed_pieces, corrupt,
};
use piecework_tracker::Event;
use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

const PIECE_BYTES: u32 = 32_768;
const PIECES: u32 = 64;
const BYTES: u64 = PIECES as u64 * PIECE_BYTES as u64;
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn engine(folder: &Path) -> Engine {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    Engine::start(&config).unwrap()
}

/// Half of the pieces in each of two files.
fn fixture() -> Fixture {
    let bytes = BYTES as usize / 2;
    let folder = FixtureBuilder::folder("content").piece_length(PIECE_BYTES);
    folder.with("first", bytes).with("second", bytes).build()
}

fn spec(fixture: &Fixture, folder: &Path) -> AddTorrent {
    let source = Source::Metainfo(Arc::new(fixture.metainfo().clone()));
    AddTorrent::new(source, folder.to_owned())
}

fn chosen(priorities: [u8; 2]) -> FilePriorities {
    Arc::new(move |_| priorities.to_vec())
}

fn address(engine: &Engine) -> SocketAddr {
    (HERE, engine.port()).into()
}

/// Waits until the figures are like that.
fn wait(engine: &Engine, key: TorrentKey, is_it: impl Fn(&Figures) -> bool) -> Figures {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let figures = engine.figures(key).unwrap();
        if is_it(&figures) {
            return figures;
        }
        assert!(Instant::now() < deadline, "{figures:?}");
        engine.next_event(Duration::from_millis(10));
    }
}

fn wait_done(engine: &Engine) {
    while !matches!(engine.next_event(PATIENCE).unwrap().what, What::Done) {}
}

fn peers(engine: &Engine, key: TorrentKey) -> Vec<PeerStatus> {
    let (reply, answer) = sync_channel(1);
    engine.peers(key, move |peers| reply.send(peers).unwrap());
    answer.recv_timeout(PATIENCE).unwrap()
}

fn pieces(engine: &Engine, key: TorrentKey) -> Vec<PieceState> {
    let (reply, answer) = sync_channel(1);
    engine.piece_states(key, move |states| reply.send(states).unwrap());
    answer.recv_timeout(PATIENCE).unwrap()
}

/// An engine that seeds the fixture, and one that fetches it from there as `change` says.
fn pair(
    fixture: &Fixture,
    folders: [&Path; 2],
    change: impl FnOnce(&mut AddTorrent),
) -> [(Engine, TorrentKey); 2] {
    fixture.write_payload(folders[0]).unwrap();
    let (seed, leech) = (engine(folders[0]), engine(folders[1]));
    let whole = AddTorrent { is_seed_only: true, ..spec(fixture, folders[0]) };
    let seeding = seed.add(whole).unwrap();
    wait(&seed, seeding, |figures| figures.is_complete);
    let mut wanted = AddTorrent { peers: vec![address(&seed)], ..spec(fixture, folders[1]) };
    change(&mut wanted);
    let key = leech.add(wanted).unwrap();
    [(seed, seeding), (leech, key)]
}

#[test]
fn limits_of_a_torrent_and_of_the_node_change_while_it_runs() {
    let fixture = fixture();
    for is_node in [false, true] {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let paths = [folders[0].path(), folders[1].path()];
        let [(seed, seeding), (leech, key)] =
            pair(&fixture, paths, |wanted| wanted.down_limit = Some(0));
        let held = wait(&leech, key, |figures| figures.down_bytes > 0);
        assert!(held.down_bytes <= 32_768, "a burst and no more: {held:?}");
        // Now the other side holds back what it may still send.
        if is_node {
            seed.set_limits(None, Some(0));
        } else {
            seed.set_torrent_limits(seeding, None, Some(0));
        }
        leech.set_torrent_limits(key, None, None);
        let held = wait(&leech, key, |figures| figures.peers == 1);
        assert!(!held.is_complete, "{held:?}");
        if is_node {
            seed.set_limits(None, None);
        } else {
            seed.set_torrent_limits(seeding, None, Some(1 << 30));
        }
        wait_done(&leech);
    }
}

#[test]
fn a_complete_torrent_fetches_what_is_wanted_of_it_later() {
    let (fixture, folder) = (fixture(), tempfile::tempdir().unwrap());
    let (engine, seed) = (engine(folder.path()), FakePeer::seed(&fixture));
    let data = folder.path().join("data");
    let priorities = Some(chosen([0, 4]));
    let wanted = AddTorrent { peers: vec![seed.address()], priorities, ..spec(&fixture, &data) };
    let key = engine.add(wanted).unwrap();
    wait_done(&engine);
    let half = wait(&engine, key, |figures| figures.is_complete);
    assert_eq!((half.wanted_bytes, half.have), (BYTES / 2, PIECES / 2));
    assert_eq!(seed.stats().pieces_asked(), (PIECES / 2..PIECES).collect::<Vec<_>>());
    let states = pieces(&engine, key);
    let (first, second) = states.split_at(PIECES as usize / 2);
    assert!(first.iter().all(|state| *state == PieceState::Missing));
    assert!(second.iter().all(|state| *state == PieceState::Have));

    engine.set_priorities(key, chosen([4, 4]));
    wait_done(&engine);
    let whole = wait(&engine, key, |figures| figures.is_complete);
    assert_eq!((whole.wanted_bytes, whole.have, whole.left_bytes), (BYTES, PIECES, 0));
    assert_eq!(fixture.faults(&data), [""; 0]);
}

#[test]
fn a_resting_torrent_wakes_for_what_is_wanted_of_it_later() {
    let (fixture, folder) = (fixture(), tempfile::tempdir().unwrap());
    let (engine, seed) = (engine(folder.path()), FakePeer::seed(&fixture));
    fixture.write_payload(folder.path()).unwrap();
    fs::remove_file(folder.path().join("content/second")).unwrap();
    let mut half = spec(&fixture, folder.path());
    (half.priorities, half.is_trusted) = (Some(chosen([4, 0])), true);
    let key = engine.add(half).unwrap();
    let resting = wait(&engine, key, |figures| figures.is_resting);
    assert_eq!((resting.have, resting.is_complete), (PIECES / 2, true));
    let have = pieces(&engine, key).into_iter().filter(|state| *state == PieceState::Have);
    assert_eq!(have.count(), PIECES as usize / 2);
    while engine.next_event(Duration::ZERO).is_some() {}
    engine.set_priorities(key, chosen([4, 4]));
    engine.add_peers(key, vec![seed.address()]);
    wait_done(&engine);
    assert_eq!(fixture.faults(folder.path()), [""; 0]);
}

#[test]
fn a_torrent_is_complete_as_soon_as_what_nobody_has_is_not_wanted() {
    let (fixture, folder) = (fixture(), tempfile::tempdir().unwrap());
    let engine = engine(folder.path());
    let some = FakePeer::builder(&fixture, Behaviour::Honest).pieces(0..PIECES / 2).start();
    let wanted = AddTorrent { peers: vec![some.address()], ..spec(&fixture, folder.path()) };
    let key = engine.add(wanted).unwrap();
    let half = wait(&engine, key, |figures| figures.have == PIECES / 2);
    assert!(!half.is_complete);
    engine.set_priorities(key, chosen([4, 0]));
    wait_done(&engine);
    let done = wait(&engine, key, |figures| figures.is_complete);
    assert_eq!((done.left_bytes, done.wanted_bytes), (0, BYTES / 2));
}

#[test]
fn the_ends_of_each_wanted_file_come_first_when_that_is_asked_at_any_time() {
    let fixture = fixture();
    for is_late in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (engine, seed) = (engine(folder.path()), FakePeer::seed(&fixture));
        let mut wanted = spec(&fixture, folder.path());
        (wanted.edges_first, wanted.is_sequential) = (!is_late, true);
        let key = engine.add(wanted).unwrap();
        engine.set_edges_first(key, true);
        engine.add_peers(key, vec![seed.address()]);
        wait_done(&engine);
        let mut seen = BTreeSet::new();
        let requests = seed.stats().requests;
        let asked = requests.iter().map(|request| request.piece);
        let asked: Vec<u32> = asked.filter(|piece| seen.insert(*piece)).take(6).collect();
        assert_eq!(asked, [0, 31, 32, 63, 1, 2]);
    }
}

#[test]
fn pieces_come_in_order_once_that_is_asked() {
    let (fixture, folder) = (fixture(), tempfile::tempdir().unwrap());
    let (engine, seed) = (engine(folder.path()), FakePeer::seed(&fixture));
    let key = engine.add(spec(&fixture, folder.path())).unwrap();
    engine.set_sequential(key, true);
    engine.add_peers(key, vec![seed.address()]);
    wait_done(&engine);
    let asked: Vec<u32> = seed.stats().requests.iter().map(|request| request.piece).collect();
    assert!(asked.is_sorted() && asked.len() >= PIECES as usize, "{asked:?}");
}

#[test]
fn a_seed_shows_few_pieces_while_that_is_asked() {
    let (fixture, folder) = (fixture(), tempfile::tempdir().unwrap());
    fixture.write_payload(folder.path()).unwrap();
    let engine = engine(folder.path());
    let whole = AddTorrent { is_seed_only: true, ..spec(&fixture, folder.path()) };
    let key = engine.add(whole).unwrap();
    wait(&engine, key, |figures| figures.is_complete);
    for (is_super_seed, shown) in [(true, 0..=1), (false, PIECES..=PIECES)] {
        engine.set_super_seed(key, is_super_seed);
        let claimed = claimed_pieces(&fixture, address(&engine)).unwrap().count();
        assert!(shown.contains(&claimed), "{is_super_seed}: {claimed}");
    }
}

#[test]
fn trackers_are_replaced_while_a_torrent_runs() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = || FakeTracker::http(TrackerAnswer::Peers(Vec::new(), 1800));
    let (old, new) = (tracker(), tracker());
    let fixture = FixtureBuilder::file("tracked", 100_000).tracker(old.url()).build();
    let engine = engine(folder.path());
    let key = engine.add(spec(&fixture, folder.path())).unwrap();
    old.wait(Event::Started);
    let known = |url: &str| {
        let status = engine.status(key).unwrap();
        let is_it = |it: &TrackerStatus| it.url.as_str() == url && it.is_working == Some(true);
        status.trackers.len() == 1 && is_it(&status.trackers[0])
    };
    wait(&engine, key, |_| known(old.url()));
    engine.set_trackers(key, vec![vec![new.url().to_owned()]]);
    new.wait(Event::Started);
    old.wait(Event::Stopped);
    wait(&engine, key, |_| known(new.url()));
    // The last announce is not a minute old.
    engine.reannounce(key);
    wait(&engine, key, |_| {
        let next_in = engine.status(key).unwrap().trackers[0].next_in;
        next_in.is_some_and(|next_in| next_in <= Duration::from_secs(60))
    });
    assert_eq!(new.announces().len(), 1);
}

#[test]
fn peers_are_shown_as_they_are_on_both_sides() {
    let fixture = fixture();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let paths = [folders[0].path(), folders[1].path()];
    let [(seed, seeding), (leech, key)] =
        pair(&fixture, paths, |wanted| wanted.down_limit = Some(100_000));
    wait(&leech, key, |figures| figures.down_bytes > 50_000);
    let (ours, theirs) = (peers(&leech, key), peers(&seed, seeding));
    let ([seeder], [leecher]) = (&ours[..], &theirs[..]) else { panic!("{ours:?} {theirs:?}") };
    assert_eq!((seeder.address, seeder.source), (address(&seed), PeerSource::Given));
    assert!(seeder.is_outgoing && seeder.am_interested && !seeder.is_choking);
    assert_eq!((seeder.progress_milli, seeder.up_bytes), (1000, 0));
    assert!(seeder.down_bytes > 0 && seeder.connected_for > Duration::ZERO);
    assert_eq!((leecher.address.ip(), leecher.source), (HERE, PeerSource::Incoming));
    assert!(!leecher.is_outgoing && leecher.is_interested && !leecher.am_choking);
    assert!(leecher.up_bytes > 0 && leecher.progress_milli < 1000);
    assert_eq!(seeder.is_encrypted, leecher.is_encrypted);
    assert!(seeder.client.starts_with("Piecework"), "{seeder:?}");

    let (reply, answer) = sync_channel::<Vec<PeerStatus>>(1);
    seed.peers(TorrentKey(99), move |peers| reply.send(peers).unwrap());
    assert!(answer.recv_timeout(PATIENCE).is_err(), "there is no such torrent");
}

#[test]
fn a_banned_address_is_dropped_and_neither_let_in_nor_called_again() {
    let fixture = fixture();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let paths = [folders[0].path(), folders[1].path()];
    let [(seed, seeding), (leech, key)] =
        pair(&fixture, paths, |wanted| wanted.down_limit = Some(20_000));
    wait(&seed, seeding, |figures| figures.peers == 1);
    seed.ban(HERE);
    wait(&seed, seeding, |figures| figures.peers == 0);
    let held = wait(&leech, key, |figures| figures.peers == 0);
    assert_eq!(held.known, 1, "it is tried again");
    assert_eq!(peers(&seed, seeding), []);
    leech.ban(HERE);
    wait(&leech, key, |figures| figures.known == 0);
    leech.add_peers(key, vec![address(&seed)]);
    wait(&leech, key, |figures| figures.known == 0);
    assert_eq!(peers(&leech, key), []);
    leech.lift_ban(HERE);
    seed.lift_ban(HERE);
    leech.add_peers(key, vec![address(&seed)]);
    wait(&leech, key, |figures| figures.peers == 1);
}

#[test]
fn everything_is_hashed_again_when_that_is_asked_and_what_is_damaged_is_fetched_again() {
    let (fixture, folder) = (fixture(), tempfile::tempdir().unwrap());
    let (engine, seed) = (engine(folder.path()), FakePeer::seed(&fixture));
    fixture.write_payload(folder.path()).unwrap();
    // Damaged in one file, and the other is gone: nobody looks, for they are trusted.
    corrupt(&folder.path().join("content/first"), 5 * PIECE_BYTES as usize).unwrap();
    let trusted = AddTorrent { is_trusted: true, ..spec(&fixture, folder.path()) };
    let key = engine.add(trusted).unwrap();
    wait(&engine, key, |figures| figures.is_resting && figures.have == PIECES);
    fs::remove_file(folder.path().join("content/second")).unwrap();
    while engine.next_event(Duration::ZERO).is_some() {}
    engine.recheck(key);
    while !matches!(engine.next_event(PATIENCE).unwrap().what, What::Checked) {}
    let checked = wait(&engine, key, |figures| !figures.is_complete);
    assert_eq!((checked.phase, checked.have), (Phase::Active, PIECES / 2 - 1));
    engine.add_peers(key, vec![seed.address()]);
    wait_done(&engine);
    assert_eq!(fixture.faults(folder.path()), [""; 0]);

    // Once more while it is awake, with a peer: all is there, so that it is done is no news.
    engine.recheck(key);
    engine.recheck(key);
    let mut told = Vec::new();
    while !matches!(told.last(), Some(What::Checked)) {
        told.push(engine.next_event(PATIENCE).unwrap().what);
    }
    let ends = told.iter().filter(|what| matches!(what, What::Ready { .. })).count();
    assert_eq!(ends, 1, "the first made room for the second: {told:?}");
    wait(&engine, key, |figures| figures.is_complete && figures.phase == Phase::Active);
    engine.remove(key);
    while !matches!(told.last(), Some(What::Stopped)) {
        told.push(engine.next_event(PATIENCE).unwrap().what);
    }
    assert!(!told.iter().any(|what| matches!(what, What::Done)), "{told:?}");
}

#[test]
fn a_check_that_is_asked_for_while_pieces_come_ends_and_the_rest_follows() {
    let (fixture, folder) = (fixture(), tempfile::tempdir().unwrap());
    let engine = engine(folder.path());
    let held = 20 * u64::from(PIECE_BYTES) + 5_000;
    let seed = FakePeer::builder(&fixture, Behaviour::Honest).hold_after(held).start();
    let wanted = AddTorrent { peers: vec![seed.address()], ..spec(&fixture, folder.path()) };
    let key = engine.add(wanted).unwrap();
    let before = wait(&engine, key, |figures| figures.have > 0);
    while engine.next_event(Duration::ZERO).is_some() {}
    engine.recheck(key);
    while !matches!(engine.next_event(PATIENCE).unwrap().what, What::Ready { .. }) {}
    let after = wait(&engine, key, |figures| figures.phase == Phase::Active);
    assert!(after.have >= before.have && after.down_bytes >= before.down_bytes, "{after:?}");
    seed.release();
    wait_done(&engine);
    assert_eq!(fixture.faults(folder.path()), [""; 0]);
}
