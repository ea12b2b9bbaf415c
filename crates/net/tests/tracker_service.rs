//! Our tracker over sockets: our client against it, and connections that do not behave.

#![allow(clippy::unwrap_used)]

use piecework_net::{
    AnnounceError, AnnounceJob, Binding, ListenError, ScrapeJob, TrackerClient, TrackerDns,
    TrackerPlace, TrackerService,
};
use piecework_testkit::PATIENCE;
use piecework_tracker::server::{Admission, ServerConfig};
use piecework_tracker::{
    Announce, AnnounceAnswer, Event, ScrapeCounts, TrackerFault, TrackerIndex,
};
use piecework_types::{InfoHash, PeerId};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc;

const INFO_HASH: InfoHash = InfoHash([b'h'; 20]);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn serve() -> TrackerService {
    let config = ServerConfig::new(Admission::Listed(BTreeSet::from([INFO_HASH])));
    TrackerService::start(config, TrackerPlace::default(), [7; 32]).unwrap()
}

fn announce(scheme: &str, port: u16, announce: Announce) -> Result<AnnounceAnswer, AnnounceError> {
    let client = TrackerClient::start(7, Binding::default(), TrackerDns::Off).unwrap();
    let (sender, receiver) = mpsc::channel();
    client.announce(AnnounceJob {
        tracker: TrackerIndex(0),
        url: format!("{scheme}://127.0.0.1:{port}/announce").parse().unwrap(),
        announce,
        torrent: INFO_HASH,
        reply: Box::new(move |answer| sender.send(answer).unwrap()),
    });
    receiver.recv_timeout(PATIENCE).expect("an answer")
}

fn peer(number: u8, left: u64) -> Announce {
    Announce {
        info_hash: INFO_HASH,
        peer_id: PeerId([number; 20]),
        port: 1000 + u16::from(number),
        uploaded: 0,
        downloaded: 0,
        left,
        event: Event::Started,
        peers_wanted: 50,
        key: number.into(),
        tracker_id: None,
        ipv4: None,
        ipv6: None,
    }
}

/// What comes back for these bytes, until the tracker closes.
fn converse(port: u16, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect((LOOPBACK, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is an end as well.
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn peers_that_announce_over_http_and_over_udp_at_one_port_find_each_other() {
    let service = serve();
    let port = service.port();
    let seed = announce("http", port, peer(1, 0)).unwrap();
    assert_eq!((seed.complete, seed.external_ip), (Some(1), Some(LOOPBACK)));
    let leecher = announce("udp", port, peer(2, 9)).unwrap();
    assert_eq!(leecher.peers, [SocketAddr::new(LOOPBACK, 1001)]);
    let other = announce("http", port, peer(3, 9)).unwrap();
    let found: BTreeSet<_> = other.peers.iter().map(SocketAddr::port).collect();
    assert_eq!(found, BTreeSet::from([1001, 1002]));

    let client = TrackerClient::start(7, Binding::default(), TrackerDns::Off).unwrap();
    for scheme in ["http", "udp"] {
        let (sender, receiver) = mpsc::channel();
        client.scrape(ScrapeJob {
            url: format!("{scheme}://127.0.0.1:{port}/announce").parse().unwrap(),
            info_hashes: vec![INFO_HASH],
            reply: Box::new(move |counts| sender.send(counts).unwrap()),
        });
        let counts = receiver.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!(counts, [Some(ScrapeCounts { complete: 1, downloaded: 0, incomplete: 2 })]);
    }
    let figures = service.figures();
    assert_eq!((figures.http_announces, figures.udp_announces, figures.scrapes), (2, 1, 2));
    assert!(service.is_alive());
}

#[test]
fn a_torrent_that_is_not_listed_is_refused_in_words() {
    let service = serve();
    for scheme in ["http", "udp"] {
        let stranger = Announce { info_hash: InfoHash([1; 20]), ..peer(1, 9) };
        let refused = announce(scheme, service.port(), stranger).unwrap_err();
        let AnnounceError::Tracker(TrackerFault::Refused { reason, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(reason, "this tracker does not serve this torrent");
    }
}

#[test]
fn what_is_no_get_of_a_tracker_is_answered_shortly_and_closed() {
    let service = serve();
    let long = format!("GET /announce?{} HTTP/1.1\r\nhost: t\r\n\r\n", "x".repeat(9000));
    for (request, expected) in [
        ("POST /announce HTTP/1.1\r\nhost: t\r\ncontent-length: 4\r\n\r\nabcd", "HTTP/1.1 405"),
        ("GET / HTTP/1.1\r\nhost: t\r\n\r\n", "HTTP/1.1 404"),
        ("GET /announce HTTP/1.0\r\n\r\n", "HTTP/1.0 200"),
        ("\x13BitTorrent protocol\0\0\0\0\0\0\0\0\r\n\r\n", "HTTP/1.1 400"),
        (long.as_str(), "HTTP/1.1 4"),
    ] {
        let answer =
            String::from_utf8_lossy(&converse(service.port(), request.as_bytes())).into_owned();
        assert!(answer.starts_with(expected), "{request:.40} got {answer:.80}");
        assert!(answer.len() < 400, "{}", answer.len());
    }
    assert!(announce("http", service.port(), peer(1, 0)).is_ok(), "it goes on");
}

#[test]
fn silent_connections_of_one_sender_keep_others_out_of_nothing() {
    let service = serve();
    // More than one sender may have; those beyond are closed, and none of them is answered.
    let silent: Vec<_> =
        (0..100).map(|_| TcpStream::connect((LOOPBACK, service.port())).unwrap()).collect();
    let other = IpAddr::from([127, 0, 0, 9]);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(other, 0).into()).unwrap();
    socket.connect(&SocketAddr::new(LOOPBACK, service.port()).into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /scrape HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", answer.escape_ascii());
    drop(silent);
}

#[test]
fn a_port_that_is_taken_and_an_address_of_somebody_else_are_refused() {
    let service = serve();
    let config = || ServerConfig::new(Admission::Open);
    let taken = TrackerPlace { ip: None, port: service.port() };
    let refused = TrackerService::start(config(), taken, [7; 32]);
    assert!(matches!(refused, Err(ListenError::Port { port, .. }) if port == service.port()));
    for port in [0, 6969] {
        let elsewhere = TrackerPlace { ip: Some([192, 0, 2, 1].into()), port };
        let refused = TrackerService::start(config(), elsewhere, [7; 32]);
        assert!(matches!(refused, Err(ListenError::Address { .. })));
    }
}
