//! An engine and HTTP servers that follow a script: what is fetched, and who is given up for what.
#![allow(missing_docs, clippy::unwrap_used)]

use piecework_metainfo::Version;
use piecework_node::{
    AddTorrent, Encryption, Engine, EngineConfig, PortChoice, Source, WebSeed, WebSeedKind, What,
};
use piecework_testkit::{
    Behaviour, FakePeer, FakeWebServer, Fixture, FixtureBuilder, PATIENCE, WebBehaviour, WebRequest,
};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn engine(folder: &Path) -> Engine {
    let mut config = EngineConfig::new(folder.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    config.encryption = Encryption::Off;
    Engine::start(&config).unwrap()
}

fn spec(fixture: &Fixture, folder: &Path) -> AddTorrent {
    AddTorrent::new(Source::Metainfo(Arc::new(fixture.metainfo().clone())), folder.to_owned())
}

/// The same with these servers, named by a person.
fn with(fixture: &Fixture, folder: &Path, urls: &[(String, WebSeedKind)]) -> AddTorrent {
    let seeds = urls.iter().map(|(url, kind)| WebSeed::new(url, *kind).unwrap());
    AddTorrent { web_seeds: seeds.collect(), ..spec(fixture, folder) }
}

fn files(server: &FakeWebServer) -> (String, WebSeedKind) {
    (server.url(), WebSeedKind::Files)
}

/// Waits until the download is there; the reasons for which web seeds were given up before.
fn done(engine: &Engine) -> Vec<String> {
    let mut reasons = Vec::new();
    loop {
        match engine.next_event(PATIENCE).expect("it is done in time").what {
            What::Done => return reasons,
            What::WebSeed(verdict) => reasons.push(verdict.reason),
            _ => {}
        }
    }
}

/// Waits until a web seed is given up; its address and why.
fn given_up(engine: &Engine) -> (String, String) {
    loop {
        let event = engine.next_event(PATIENCE).expect("it is given up in time");
        if let What::WebSeed(verdict) = event.what {
            return (verdict.url, verdict.reason);
        }
    }
}

fn folder_of(version: Version) -> Fixture {
    let folder = FixtureBuilder::folder("a folder #1").version(version).padded();
    let folder = folder.with("one.bin", 100_000).with("sub/zwei & drei%.bin", 70_001);
    folder.with("empty", 0).with("tiny", 1).with("long.bin", 3_000_000).build()
}

#[test]
fn a_server_is_the_sole_source_of_every_kind_of_torrent() {
    for version in [Version::V1, Version::V2, Version::Hybrid] {
        let single = FixtureBuilder::file("one file.bin", 2_500_000).version(version).build();
        for fixture in [single, folder_of(version)] {
            let server = FakeWebServer::start(&fixture, WebBehaviour::Honest).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let engine = engine(folder.path());
            engine.add(with(&fixture, folder.path(), &[files(&server)])).unwrap();
            assert_eq!(done(&engine), Vec::<String>::new());
            assert_eq!(fixture.faults(folder.path()), Vec::<String>::new());
            let requests = server.requests();
            assert!(requests.iter().all(|request| request.range.is_some()));
            assert!(requests.iter().all(|request| request.encodings == "identity"));
            assert!(!requests.iter().any(|request| request.target.contains("pad")), "{requests:?}");
            assert!(requests.len() <= 12, "{version}: {} requests", requests.len());
            assert_eq!(once(&requests), requests.len(), "asked twice: {requests:?}");
        }
    }
}

/// How many different requests these are.
fn once(requests: &[WebRequest]) -> usize {
    let different = |(at, request): &(usize, &WebRequest)| !requests[..*at].contains(request);
    requests.iter().enumerate().filter(different).count()
}

#[test]
fn a_script_is_the_sole_source() {
    for version in [Version::V1, Version::V2, Version::Hybrid] {
        let fixture = folder_of(version);
        let server = FakeWebServer::start(&fixture, WebBehaviour::Honest).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path());
        let script = (server.script(), WebSeedKind::Script);
        engine.add(with(&fixture, folder.path(), &[script])).unwrap();
        assert_eq!(done(&engine), Vec::<String>::new());
        assert_eq!(fixture.faults(folder.path()), Vec::<String>::new());
    }
}

#[test]
fn each_way_to_misbehave_is_named_when_the_server_is_given_up() {
    let fixture = FixtureBuilder::file("long.bin", 3_000_000).build();
    for (behaviour, why) in [
        (WebBehaviour::IgnoresRange, "it ignores byte ranges"),
        (WebBehaviour::WrongRange, "expected bytes 0 to 1048575, got 1 to 1048576"),
        (WebBehaviour::WrongLength, "expected a file of 3000000 bytes, got one of 3000005"),
        (WebBehaviour::Long, "expected 1048576 bytes, got 1048581"),
        (WebBehaviour::Endless, "it sends more bytes than were asked for"),
        (WebBehaviour::Lies, "sent bad data"),
        (WebBehaviour::Compressed, "it sends gzip, which was not asked for"),
        (WebBehaviour::Status(404), "it answers with HTTP status 404"),
        (WebBehaviour::Status(410), "it answers with HTTP status 410"),
        (WebBehaviour::RedirectsToItself, "it redirects more than 5 times"),
        (WebBehaviour::Redirects("ftp://h/x".into()), "it redirects to something other than HTTP"),
    ] {
        let server = FakeWebServer::start(&fixture, behaviour.clone()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path());
        let key = engine.add(with(&fixture, folder.path(), &[files(&server)])).unwrap();
        let (url, reason) = given_up(&engine);
        assert_eq!((url, reason.as_str()), (server.url(), why), "{behaviour:?}");
        assert!(server.requests().len() <= 6, "{behaviour:?}: {:?}", server.requests());
        drop(engine.status(key).unwrap());
    }
}

#[test]
fn a_server_that_knows_no_ranges_still_gives_a_small_file() {
    let fixture = FixtureBuilder::folder("f").with("a", 40_000).with("b", 50_000).build();
    let server = FakeWebServer::start(&fixture, WebBehaviour::IgnoresRange).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    engine.add(with(&fixture, folder.path(), &[files(&server)])).unwrap();
    assert_eq!(done(&engine), Vec::<String>::new());
    assert_eq!(fixture.faults(folder.path()), Vec::<String>::new());
}

#[test]
fn a_liar_beside_an_honest_server_and_a_peer_is_given_up_alone() {
    let fixture = FixtureBuilder::file("long.bin", 6_000_000).build();
    let liar = FakeWebServer::start(&fixture, WebBehaviour::Lies).unwrap();
    let honest = FakeWebServer::start(&fixture, WebBehaviour::Honest).unwrap();
    let peer = FakePeer::builder(&fixture, Behaviour::Honest).pieces(20..30).start();
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let spec = with(&fixture, folder.path(), &[files(&liar), files(&honest)]);
    engine.add(AddTorrent { peers: vec![peer.address()], ..spec }).unwrap();
    assert_eq!(done(&engine), ["sent bad data"]);
    assert_eq!(fixture.faults(folder.path()), Vec::<String>::new());
}

#[test]
fn a_torrent_may_not_send_us_into_private_networks_unless_a_person_names_the_server() {
    let fixture = FixtureBuilder::file("x", 100_000).build();
    let server = FakeWebServer::start(&fixture, WebBehaviour::Honest).unwrap();
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
        let url = format!("http://{host}:{port}");
        let named = FixtureBuilder::file("x", 100_000).web_seed(&url).build();
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path());
        engine.add(spec(&named, folder.path())).unwrap();
        let (_, reason) = given_up(&engine);
        assert!(reason.contains("is in a private network"), "{host}: {reason}");
    }
    assert_eq!(server.requests(), []);
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let named = FixtureBuilder::file("x", 100_000).web_seed(&server.url()).build();
    engine.add(with(&named, folder.path(), &[files(&server)])).unwrap();
    assert_eq!(done(&engine), Vec::<String>::new());
}

#[test]
fn the_web_seeds_of_a_magnet_are_asked_once_a_peer_has_given_the_metadata() {
    let fixture = FixtureBuilder::file("x", 100_000).build();
    let peer = FakePeer::builder(&fixture, Behaviour::NeverUnchokes).start();
    let mut magnet = fixture.magnet(&[peer.address()]);
    magnet.web_seeds.push("http://127.0.0.1:9/x".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let source = Source::Magnet(Box::new(magnet));
    let spec = AddTorrent::new(source, folder.path().to_owned());
    engine.add(AddTorrent { peers: vec![peer.address()], ..spec }).unwrap();
    let (url, reason) = given_up(&engine);
    assert_eq!(url, "http://127.0.0.1:9/x");
    assert!(reason.contains("is in a private network"), "{reason}");
}

#[test]
fn a_private_torrent_uses_web_seeds() {
    let fixture = FixtureBuilder::file("x", 100_000).private().build();
    let server = FakeWebServer::start(&fixture, WebBehaviour::Honest).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    engine.add(with(&fixture, folder.path(), &[files(&server)])).unwrap();
    assert_eq!(done(&engine), Vec::<String>::new());
}

#[test]
fn a_redirect_within_the_network_of_a_server_that_a_person_named_is_followed() {
    let fixture = FixtureBuilder::file("x", 100_000).build();
    let there = FakeWebServer::start(&fixture, WebBehaviour::Honest).unwrap();
    let here = WebBehaviour::Redirects(format!("{}x", there.url()));
    let here = FakeWebServer::start(&fixture, here).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    engine.add(with(&fixture, folder.path(), &[files(&here)])).unwrap();
    assert_eq!(done(&engine), Vec::<String>::new());
    assert_eq!(here.requests().len(), there.requests().len());
}

#[test]
fn a_busy_server_and_a_broken_answer_are_no_reason_to_give_a_server_up() {
    let fixture = FixtureBuilder::file("x", 100_000).build();
    for behaviour in [
        WebBehaviour::Busy { seconds: 1 },
        WebBehaviour::Short,
        WebBehaviour::Status(500),
        WebBehaviour::Noise,
    ] {
        let server = FakeWebServer::start(&fixture, behaviour).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path());
        engine.add(with(&fixture, folder.path(), &[files(&server)])).unwrap();
        assert!(server.saw(1));
        server.behave(WebBehaviour::Honest);
        assert_eq!(done(&engine), Vec::<String>::new());
    }
}

#[test]
fn the_download_limit_holds_for_servers_too() {
    let fixture = FixtureBuilder::file("x", 1_000_000).build();
    let server = FakeWebServer::start(&fixture, WebBehaviour::Honest).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let began = Instant::now();
    let spec = with(&fixture, folder.path(), &[files(&server)]);
    engine.add(AddTorrent { down_limit: Some(500_000), ..spec }).unwrap();
    assert_eq!(done(&engine), Vec::<String>::new());
    // A burst at the start comes on top of the rate.
    assert!(began.elapsed() >= Duration::from_millis(1_500), "{:?}", began.elapsed());
}

#[test]
fn an_engine_ends_at_once_in_the_middle_of_a_fetch() {
    let fixture = FixtureBuilder::file("x", 4_000_000).build();
    let server = FakeWebServer::start(&fixture, WebBehaviour::Honest).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let spec = with(&fixture, folder.path(), &[files(&server)]);
    engine.add(AddTorrent { down_limit: Some(20_000), ..spec }).unwrap();
    assert!(server.saw(1));
    let began = Instant::now();
    drop(engine);
    assert!(began.elapsed() < PATIENCE, "it waited for the server");
}
