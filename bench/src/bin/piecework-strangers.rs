//! Strangers for the bench: each comes from an address of its own, does an encrypted handshake with a
//! seeder, and goes once it has been greeted.
//!
//! Its own arithmetic costs as much as the seeder's, which is why it is a program of its own.

use piecework_mse::{Call, Encryption, Initiator, KeyPair, Rc4};
use piecework_types::{InfoHash, PeerId};
use piecework_wire::{HANDSHAKE_BYTES, Handshake, HandshakeStep, Reserved};
use socket2::{Domain, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Strangers that come without a pause, and how often: below what ours allows, 500 at once and 500 a second.
/// Who comes alone costs mostly the waking of threads, whoever is greeted.
const CROWD: u32 = 400;
const CROWD_EVERY: Duration = Duration::from_secs(1);

/// Strangers that are on their way at once.
const SIDE_BY_SIDE: u32 = 32;

/// How long a seeder may take to greet one.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match &arguments[..] {
        [address, info_hash, count] => parse(address, info_hash, count),
        _ => None,
    };
    let Some((address, info_hash, count)) = parsed else {
        eprintln!("usage: piecework-strangers IP:PORT INFO-HASH COUNT");
        return ExitCode::from(2);
    };
    match greet_all(address, info_hash, count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("piecework-strangers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(address: &str, info_hash: &str, count: &str) -> Option<(SocketAddr, InfoHash, u32)> {
    let digest: piecework_types::Sha1Digest = info_hash.parse().ok()?;
    Some((address.parse().ok()?, InfoHash(digest.0), count.parse().ok()?))
}

fn greet_all(address: SocketAddr, info_hash: InfoHash, count: u32) -> io::Result<()> {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let row = |first: u32| {
            (first..count).step_by(SIDE_BY_SIDE as usize).try_for_each(|number| {
                let due = begin + CROWD_EVERY * (number / CROWD);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                greet(address, info_hash, number)
            })
        };
        let rows: Vec<_> = (0..SIDE_BY_SIDE).map(|first| scope.spawn(move || row(first))).collect();
        rows.into_iter().try_for_each(|row| row.join().expect("no row panics"))
    })
}

fn greet(address: SocketAddr, info_hash: InfoHash, number: u32) -> io::Result<()> {
    let source = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + number);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect_timeout(&address.into(), PATIENCE)?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut secret = [0x5a; 20];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    let mut peer_id = PeerId([b'-'; 20]);
    peer_id.0[..4].copy_from_slice(&number.to_be_bytes());
    let ours = Handshake { reserved: Reserved::ours(), info_hash, peer_id };
    let call = Call { info_hash, payload: ours.encode().to_vec() };
    let (pair, mut out) = (KeyPair::new(&secret), Vec::new());
    let mut initiator =
        Initiator::start(call, pair, Encryption::Require, u64::from(number), &mut out);
    let mut buffer = [0; 4096];
    let mut received = Vec::new();
    let mut cipher: Option<Box<Rc4>> = None;
    while received.len() < HANDSHAKE_BYTES {
        stream.write_all(&out)?;
        out.clear();
        let got = stream.read(&mut buffer)?;
        if got == 0 {
            return Err(io::Error::other(format!("stranger {number} was turned away")));
        }
        let bytes = &mut buffer[..got];
        if let Some(cipher) = &mut cipher {
            cipher.apply(bytes);
            received.extend_from_slice(bytes);
        } else if let Some(met) = initiator.receive(bytes, &mut out).map_err(io::Error::other)? {
            received = met.payload;
            cipher = met.ciphers.map(|ciphers| ciphers.receive);
        }
    }
    match Handshake::decode(&received) {
        Ok(HandshakeStep::Complete(theirs)) if theirs.info_hash == info_hash => Ok(()),
        other => Err(io::Error::other(format!("stranger {number} was greeted with {other:?}"))),
    }
}
