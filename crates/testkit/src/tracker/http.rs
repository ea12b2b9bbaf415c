//! As much HTTP as an announce needs.

use super::{State, TrackerAnswer};
use crate::patience::Watched;
use percent_encoding::percent_decode_str;
use piecework_bencode::encode_dict;
use piecework_tracker::{Announce, Event};
use piecework_types::{InfoHash, PeerId};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// How long a request may take to arrive.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);

/// Bytes of a request that are read.
const REQUEST_BYTES_MAX: u64 = 64 << 10;

pub(super) fn serve(listener: &TcpListener, state: &Watched<State>) {
    while let Ok((socket, _)) = listener.accept() {
        if state.look(|state| state.is_over) {
            return;
        }
        // A client that goes away is no concern of a tracker.
        drop(answer(socket, state));
    }
}

fn answer(mut socket: TcpStream, state: &Watched<State>) -> std::io::Result<()> {
    socket.set_read_timeout(Some(REQUEST_WITHIN))?;
    let mut lines = BufReader::new(Read::take(&mut socket, REQUEST_BYTES_MAX)).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let target = first.split(' ').nth(1).unwrap_or_default();
    let Some(announce) = read(target) else {
        return respond(&mut socket, "404 Not Found", b"");
    };
    match state.change(|state| state.take(announce)) {
        TrackerAnswer::Peers(peers, interval) => {
            let body = encode_dict(|dict| {
                dict.int("interval", interval);
                dict.bytes("peers", compact(&peers));
            });
            respond(&mut socket, "200 OK", &body)
        }
        TrackerAnswer::Failure(reason) => {
            let body = encode_dict(|dict| dict.bytes("failure reason", reason));
            respond(&mut socket, "200 OK", &body)
        }
        TrackerAnswer::Noise => socket.write_all(&[0xa5; 4096]),
        TrackerAnswer::Silence => {
            state.change(|state| state.silent.push(socket));
            Ok(())
        }
    }
}

fn respond(socket: &mut TcpStream, status: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    write!(socket, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    socket.write_all(body)
}

/// IPv4 peers as BEP 23 writes them.
fn compact(peers: &[SocketAddr]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for peer in peers {
        if let IpAddr::V4(ip) = peer.ip() {
            bytes.extend(ip.octets());
            bytes.extend(peer.port().to_be_bytes());
        }
    }
    bytes
}

/// Reads the target of a request; `None` if it is no announce.
fn read(target: &str) -> Option<Announce> {
    let (_, query) = target.split_once('?')?;
    let value = |key: &str| -> Option<Vec<u8>> {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == key)?;
        Some(percent_decode_str(value).collect())
    };
    let text = |key: &str| String::from_utf8(value(key)?).ok();
    let number = |key: &str| text(key)?.parse::<u64>().ok();
    let event = match text("event").as_deref() {
        Some("started") => Event::Started,
        Some("completed") => Event::Completed,
        Some("paused") => Event::Paused,
        Some("stopped") => Event::Stopped,
        Some(_) | None => Event::Periodic,
    };
    Some(Announce {
        info_hash: InfoHash(value("info_hash")?.try_into().ok()?),
        peer_id: PeerId(value("peer_id")?.try_into().ok()?),
        port: u16::try_from(number("port")?).ok()?,
        uploaded: number("uploaded")?,
        downloaded: number("downloaded")?,
        left: number("left")?,
        event,
        peers_wanted: number("numwant").and_then(|n| u32::try_from(n).ok()).unwrap_or_default(),
        key: text("key").and_then(|key| u32::from_str_radix(&key, 16).ok()).unwrap_or_default(),
        tracker_id: value("trackerid"),
        ipv4: text("ipv4").and_then(|ip| ip.parse().ok()),
        ipv6: text("ipv6").and_then(|ip| ip.parse().ok()),
    })
}
