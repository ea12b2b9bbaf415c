//! A crowd at the acceptor's door: who says everything at once, who keeps it waiting, who encrypts, and who
//! says nothing.

#![allow(missing_docs, clippy::unwrap_used)]

use piecework_mse::{Call, Encryption, Initiator, KeyPair, Torrents};
use piecework_net::{AcceptRules, Acceptor, Arrival, Binding, Listeners, PortChoice};
use piecework_testkit::PATIENCE;
use piecework_types::{InfoHash, PeerId};
use piecework_wire::{HANDSHAKE_BYTES, Handshake, Reserved};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, RwLock};

const TORRENT: InfoHash = InfoHash([0xaa; 20]);

/// Of each sort; more than one address may have encrypted handshakes under way.
const STRANGERS: u8 = 16;

struct Door {
    address: SocketAddr,
    arrivals: Receiver<Arrival>,
    _acceptor: Acceptor,
}

impl Door {
    fn open() -> Self {
        let listeners = Listeners::bind(PortChoice::Any, &Binding::default()).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listeners.port));
        let mut torrents = Torrents::default();
        torrents.insert(TORRENT);
        let torrents = Arc::new(RwLock::new(torrents));
        let rules = AcceptRules { encryption: Encryption::Prefer, torrents, seed: 1 };
        let (sender, arrivals) = channel();
        let route = move |all: std::vec::Drain<'_, Arrival>| {
            all.for_each(|arrival| drop(sender.send(arrival)));
        };
        let acceptor = Acceptor::start(listeners, rules, |_| true, route).unwrap();
        Self { address, arrivals, _acceptor: acceptor }
    }

    fn knock(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// The next so many, by the last byte of their peer id.
    fn next(&self, count: u8) -> BTreeSet<u8> {
        let take = |_| {
            let arrival = self.arrivals.recv_timeout(PATIENCE).expect("a stranger is let in");
            assert_eq!(arrival.info_hash, TORRENT);
            arrival.received[HANDSHAKE_BYTES - 1]
        };
        (0..count).map(take).collect()
    }
}

fn hello(number: u8) -> [u8; HANDSHAKE_BYTES] {
    let peer_id = PeerId([number; 20]);
    Handshake { reserved: Reserved::ours(), info_hash: TORRENT, peer_id }.encode()
}

/// Reads until the handshake of the called side has begun, and answers.
fn go_on(stream: &mut TcpStream, caller: &mut Initiator) {
    let (mut buffer, mut out) = ([0; 1024], Vec::new());
    while out.is_empty() {
        let got = stream.read(&mut buffer).unwrap();
        assert!(got > 0, "a stranger was turned away");
        caller.receive(&buffer[..got], &mut out).unwrap();
    }
    stream.write_all(&out).unwrap();
}

#[test]
fn all_of_a_crowd_are_let_in_though_some_keep_it_waiting_and_some_encrypt() {
    let door = Door::open();
    let split = HANDSHAKE_BYTES / 2 - 20;
    let mut slow: Vec<_> = (0..STRANGERS).map(|_| door.knock()).collect();
    for (number, stream) in (0..).zip(&mut slow) {
        stream.write_all(&hello(number)[..split]).unwrap();
    }
    let mut encrypted: Vec<_> = (0..STRANGERS)
        .map(|number| {
            let payload = hello(STRANGERS + number).to_vec();
            let (call, pair) =
                (Call { info_hash: TORRENT, payload }, KeyPair::new(&[number + 1; 20]));
            let (mut stream, mut out) = (door.knock(), Vec::new());
            let caller = Initiator::start(call, pair, Encryption::Require, 1, &mut out);
            stream.write_all(&out).unwrap();
            (stream, caller)
        })
        .collect();
    let quick = 2 * STRANGERS..3 * STRANGERS;
    let _open: Vec<_> = quick
        .clone()
        .map(|number| {
            let mut stream = door.knock();
            stream.write_all(&hello(number)).unwrap();
            stream
        })
        .collect();
    // Looks have found nothing new from the others by now.
    assert_eq!(door.next(STRANGERS), quick.collect());
    encrypted.iter_mut().for_each(|(stream, caller)| go_on(stream, caller));
    assert_eq!(door.next(STRANGERS), (STRANGERS..2 * STRANGERS).collect());
    for (number, stream) in (0..).zip(&mut slow) {
        stream.write_all(&hello(number)[split..]).unwrap();
    }
    assert_eq!(door.next(STRANGERS), (0..STRANGERS).collect());
}

#[test]
fn who_leaves_a_crowd_takes_nobody_along() {
    let door = Door::open();
    for round in 0..8 {
        let gone: Vec<_> = (0..STRANGERS).map(|_| door.knock()).collect();
        let mut stays = door.knock();
        drop(gone);
        stays.write_all(&hello(round)).unwrap();
        assert_eq!(door.next(1), BTreeSet::from([round]));
    }
}

#[test]
fn a_flood_of_silent_connections_keeps_nobody_out_and_is_not_kept() {
    let door = Door::open();
    let flood: Vec<_> = (0..600).map(|_| door.knock()).collect();
    let mut guest = door.knock();
    guest.write_all(&hello(1)).unwrap();
    assert_eq!(door.next(1), BTreeSet::from([1]));
    let is_kept = |stream: &&TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let mut stream: &TcpStream = stream;
        stream.read(&mut [0; 1]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    let kept = flood.iter().filter(is_kept).count();
    assert!((1..=256).contains(&kept), "{kept} are kept");
}
