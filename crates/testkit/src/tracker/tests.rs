//! The fake tracker asked by hand.

use super::*;
use piecework_tracker::Family;
use piecework_tracker::udp::{UdpRequest, UdpResponse};
use std::io::{Read, Write};

fn ask_http(tracker: &FakeTracker, target: &str) -> String {
    let mut socket = TcpStream::connect(tracker.address).expect("a listening tracker");
    write!(socket, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").expect("a connection");
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).expect("an answer");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn an_announce_over_http_is_read_and_answered() {
    let peer = SocketAddr::from(([65, 66, 67, 68], 0x4546));
    let tracker = FakeTracker::http(TrackerAnswer::Peers(vec![peer], 60));
    let target = "/announce?info_hash=%00abcdefghijklmnopqr%ff&peer_id=-PW0100-abcdefghijkl\
        &port=7&uploaded=1&downloaded=2&left=3&event=started&key=0000002a&numwant=9";
    let answer = ask_http(&tracker, target);
    assert!(answer.ends_with("d8:intervali60e5:peers6:ABCDEFe"), "{answer}");
    let announce = tracker.wait(Event::Started);
    assert_eq!((announce.port, announce.left, announce.key), (7, 3, 42));
    assert!(ask_http(&tracker, "/other").starts_with("HTTP/1.1 404"));
}

#[test]
fn an_announce_over_udp_is_read_and_refused() {
    let tracker = FakeTracker::udp(TrackerAnswer::Failure("closed".into()));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
    socket.connect(tracker.address).expect("an address");
    let ask = |request: UdpRequest| {
        socket.send(&request.encode()).expect("a listening tracker");
        let mut buf = [0; 2048];
        let length = socket.recv(&mut buf).expect("an answer");
        UdpResponse::decode(&buf[..length], Family::V4).expect("a response")
    };
    let response = ask(UdpRequest::Connect { transaction: 1 });
    let UdpResponse::Connect { connection, .. } = response else { panic!("{response:?}") };
    let announce = Announce {
        info_hash: InfoHash([1; 20]),
        peer_id: piecework_types::PeerId([2; 20]),
        port: 3,
        uploaded: 0,
        downloaded: 0,
        left: 4,
        event: Event::Stopped,
        peers_wanted: 5,
        key: 6,
        tracker_id: None,
        ipv4: None,
        ipv6: None,
    };
    let url_data = Vec::new();
    let request =
        UdpRequest::Announce { connection, transaction: 2, announce: announce.clone(), url_data };
    assert_eq!(ask(request), UdpResponse::Error { transaction: 2, reason: "closed".into() });
    assert_eq!(tracker.wait(Event::Stopped), announce);
}
