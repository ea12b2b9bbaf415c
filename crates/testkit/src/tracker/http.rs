//! As much HTTP as an announce and a scrape need.

use super::{State, TrackerAnswer};
use crate::patience::Watched;
use percent_encoding::percent_decode_str;
use piecework_bencode::encode_dict;
use piecework_tracker::{Announce, Event, ScrapeCounts};
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
    let (answer, body) = if let Some(announce) = read(target) {
        let answer = state.change(|state| state.take(announce));
        let body = announce_body(&answer);
        (answer, body)
    } else if let Some(info_hashes) = read_scrape(target) {
        let (answer, counts) = state.change(|state| state.take_scrape(info_hashes));
        (answer, scrape_body(counts))
    } else {
        return respond(&mut socket, "404 Not Found", b"");
    };
    match answer {
        TrackerAnswer::Peers(..) => respond(&mut socket, "200 OK", &body),
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

fn announce_body(answer: &TrackerAnswer) -> Vec<u8> {
    let TrackerAnswer::Peers(peers, interval) = answer else { return Vec::new() };
    encode_dict(|dict| {
        dict.int("interval", *interval);
        dict.bytes("peers", compact(peers));
    })
}

/// As BEP 48 says; unknown torrents are left out.
fn scrape_body(mut counts: Vec<(InfoHash, Option<ScrapeCounts>)>) -> Vec<u8> {
    // Keys of a dictionary stand in order.
    counts.sort_unstable_by_key(|(info_hash, _)| *info_hash);
    encode_dict(|dict| {
        dict.dict("files", |files| {
            for (info_hash, counts) in counts {
                let Some(counts) = counts else { continue };
                files.dict(info_hash.0, |entry| {
                    entry.int("complete", counts.complete);
                    entry.int("downloaded", counts.downloaded);
                    entry.int("incomplete", counts.incomplete);
                });
            }
        });
    })
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

/// The torrents that a scrape names; `None` if it is no scrape.
fn read_scrape(target: &str) -> Option<Vec<InfoHash>> {
    let query = target.strip_prefix("/scrape?")?;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let hashes = pairs.filter(|(name, _)| *name == "info_hash").map(|(_, value)| {
        let bytes: Vec<u8> = percent_decode_str(value).collect();
        bytes.try_into().ok().map(InfoHash)
    });
    hashes.collect()
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
