//! Cells without a tracker, or in which nobody may find anybody but by it: peer exchange, local
//! discovery, and a private torrent that stays private.

use std::time::{Duration, Instant};

use super::Cell;
use super::transfer::{Side, client};
use crate::capture::{Capture, Packets};
use crate::failure::{Failure, Outcome};
use crate::lab::{Maker, Room, Subject};
use crate::matrix::Measure;
use crate::netns::Host;
use crate::peers::libtorrent::Libtorrent;
use crate::peers::nodes::LibtorrentNodes;
use crate::peers::opentracker::{Scheme, Site};
use crate::peers::{Encryption, Family, Foreign, Job, Peer};
use crate::torrent::{Format, Recipe};

/// Bytes a second of the seeder that all know, so that nobody has finished when others are to meet.
const SLOW: u64 = 200_000;

/// After so long without a sign our client is started again, which announces it again.
const HEARD_WITHIN: Duration = Duration::from_secs(25);

/// The cells of this kind. Who has met whom only our own log tells, and the stand-in has none.
pub(super) fn cells(subject: &Subject) -> Vec<Cell> {
    let name = subject.client().name();
    let mut cells = Vec::new();
    for third in [Foreign::Transmission, Foreign::Aria2] {
        let direction = format!("{name} tells libtorrent of {third}");
        let needs = [Foreign::Libtorrent, third];
        cells.push(Cell::new("peer exchange", direction, &needs, move |room| tells(room, third)));
        if matches!(subject, Subject::Ours(_)) {
            let direction = format!("libtorrent tells {name} of {third}");
            cells.push(Cell::new("peer exchange", direction, &needs, move |room| {
                is_told(room, third)
            }));
        }
    }
    for peer in [Foreign::Libtorrent, Foreign::Transmission, Foreign::Aria2] {
        for side in Side::BOTH {
            // Transmission announces itself from whatever address the kernel picks, so on a host with
            // several it is not where it says. It hears others.
            if (peer, side) == (Foreign::Transmission, Side::Seeds) {
                continue;
            }
            let direction = side.direction(name, peer.name());
            let run = move |room: &Room<'_>| nearby(room, peer, side);
            cells.push(Cell::new("local discovery", direction, &[peer], run));
        }
    }
    let needs = [Foreign::Libtorrent, Foreign::Aria2, Foreign::Opentracker];
    for private in [true, false] {
        let kind = if private { "private" } else { "public" };
        let direction = format!("{name} -> libtorrent, aria2, {kind}");
        cells.push(Cell::new("packet capture", direction, &needs, move |room| {
            captured(room, private)
        }));
    }
    cells
}

fn host(foreign: Foreign) -> Host {
    match foreign {
        Foreign::Libtorrent => Host::LIBTORRENT,
        Foreign::Transmission => Host::TRANSMISSION,
        Foreign::Aria2 => Host::ARIA2,
        // Servers, which no peer has to tell of.
        Foreign::Opentracker | Foreign::Nginx => Host::OPENTRACKER,
        Foreign::Miniupnpd => unreachable!("a gateway has a host of its own"),
        Foreign::Mainline => Host::MAINLINE,
        Foreign::BittorrentDht => Host::BITTORRENT_DHT,
        Foreign::Qbittorrent
        | Foreign::QbittorrentApi
        | Foreign::TransmissionRpc
        | Foreign::Schemathesis => unreachable!("it stays on loopback"),
    }
}

/// Ours seeds and knows both others, of which neither knows the other.
fn tells(room: &Room<'_>, third: Foreign) -> Outcome<Measure> {
    let payload = room.lab.single()?;
    let torrent = room.torrent(&Recipe::new(payload, Format::V1), Maker::Subject)?;
    let began = Instant::now();
    let (home, dir) = (room.home(third.name())?, room.dir(third.name())?);
    let mut met = client(third).leech(&Job::new(&torrent, &dir, &home), room.deadline)?;
    let home = room.home("seeder")?;
    let mut job = Job::new(&torrent, payload.parent(), &home);
    (job.dial, job.limit_up) = (vec![met.address()], SLOW);
    let mut seeding = room.subject().seed(&job, room.deadline)?;
    let (home, dir) = (room.home("libtorrent")?, room.dir("libtorrent")?);
    let mut job = Job::new(&torrent, &dir, &home);
    job.dial = vec![seeding.address()];
    let mut told = Libtorrent::PEER.start("leech", &job, room.deadline)?;
    told.wait_met(host(third).v4(), room.deadline)?;
    let seconds = began.elapsed().as_secs_f64();
    told.stop()?;
    met.stop()?;
    seeding.stop()?;
    Ok(Measure::new(0, seconds))
}

/// libtorrent seeds and knows both others; ours has to find the third.
fn is_told(room: &Room<'_>, third: Foreign) -> Outcome<Measure> {
    let payload = room.lab.single()?;
    let torrent = room.torrent(&Recipe::new(payload, Format::V1), Maker::Libtorrent)?;
    let began = Instant::now();
    let (home, dir) = (room.home(third.name())?, room.dir(third.name())?);
    let mut met = client(third).leech(&Job::new(&torrent, &dir, &home), room.deadline)?;
    let home = room.home("seeder")?;
    let mut job = Job::new(&torrent, payload.parent(), &home);
    (job.dial, job.limit_up) = (vec![met.address()], SLOW);
    let mut seeding = Libtorrent::PEER.start("seed", &job, room.deadline)?;
    let (home, dir) = (room.home("ours")?, room.dir("ours")?);
    let mut job = Job::new(&torrent, &dir, &home);
    job.dial = vec![seeding.address()];
    let mut told = room.ours()?.get_logged(&job, &[])?;
    told.wait_met(host(third).v4(), room.deadline)?;
    let seconds = began.elapsed().as_secs_f64();
    told.stop()?;
    met.stop()?;
    seeding.stop()?;
    Ok(Measure::new(0, seconds))
}

/// Two that were told nothing of each other, on one cable. The one that comes second is heard.
fn nearby(room: &Room<'_>, peer: Foreign, side: Side) -> Outcome<Measure> {
    let payload = room.lab.single()?;
    let torrent = room.torrent(&Recipe::new(payload, Format::V1), side.maker())?;
    let (seeder, leecher) = match side {
        Side::Seeds => (room.subject(), client(peer)),
        Side::Leeches => (client(peer), room.subject()),
    };
    let home = room.home(seeder.name())?;
    let job = Job::new(&torrent, payload.parent(), &home);
    let mut seeding = seeder.seed(&on_cable(job), room.deadline)?;
    let began = Instant::now();
    let dir = room.dir(leecher.name())?;
    loop {
        let home = room.home(leecher.name())?;
        let job = Job::new(&torrent, &dir, &home);
        let mut leeching = leecher.leech(&on_cable(job), room.deadline)?;
        // Transmission drops what it hears in the first seconds of its life.
        let done = match peer {
            Foreign::Transmission => leeching.wait_done(room.deadline.within(HEARD_WITHIN)),
            _ => leeching.wait_done(room.deadline),
        };
        leeching.stop()?;
        match done {
            Ok(()) => break,
            Err(_) if peer == Foreign::Transmission && !room.deadline.left().is_zero() => {}
            Err(failure) => return Err(failure),
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    seeding.stop()?;
    room.verify(payload, &torrent, &dir, room.is_subject(leecher))?;
    Ok(Measure::new(payload.bytes(), seconds))
}

/// A swarm of a tracker in which everybody also has peer exchange, local discovery and the DHT.
fn captured(room: &Room<'_>, private: bool) -> Outcome<Measure> {
    let payload = room.lab.single()?;
    let site = Site::choose()?;
    let url = site.url(Scheme::Http);
    let recipe = Recipe { tracker: Some(&url), private, ..Recipe::new(payload, Format::V1) };
    let torrent = room.torrent(&recipe, Maker::Subject)?;
    let nodes = LibtorrentNodes::start(room, Family::V4)?;
    let mut capture = Capture::start(&room.home("tcpdump")?, room.deadline)?;
    let mut tracker = site.start(&torrent, &room.home("opentracker")?, room.deadline)?;
    let began = Instant::now();
    let home = room.home("seeder")?;
    let mut job = Job::new(&torrent, payload.parent(), &home);
    (job.local_discovery, job.encryption) = (true, Encryption::Off);
    job.dht_router = Some(nodes.router());
    let mut seeding = room.subject().seed(&job, room.deadline)?;
    tracker.wait_seeds(&torrent, 1, room.deadline)?;
    let mut leeching = Vec::new();
    for peer in [Foreign::Libtorrent, Foreign::Aria2] {
        let (home, dir) = (room.home(peer.name())?, room.dir(peer.name())?);
        let mut job = Job::new(&torrent, &dir, &home);
        (job.stay, job.limit_down, job.local_discovery) = (true, 4 << 20, true);
        job.dht_router = Some(nodes.router());
        leeching.push(client(peer).leech(&job, room.deadline)?);
    }
    for peer in &mut leeching {
        peer.wait_done(room.deadline)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    for peer in &mut leeching {
        peer.stop()?;
    }
    seeding.stop()?;
    tracker.stop()?;
    let packets = capture.stop()?;
    judge(&packets, torrent.printed_hash(), private)?;
    Ok(Measure::new(payload.bytes() * leeching.len() as u64, seconds))
}

fn on_cable(mut job: Job<'_>) -> Job<'_> {
    (job.family, job.local_discovery) = (Family::Cable, true);
    job
}

/// A private torrent is told to nobody but its tracker; a public one shows that the capture would see it.
fn judge(packets: &Packets, hash: &str, private: bool) -> Outcome<()> {
    let digits: Vec<u8> = hash.bytes().collect();
    let name: Vec<u8> = digits
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    if !packets.contain(b"BitTorrent protocol") {
        return Err(Failure::new("the capture holds no handshake, so it shows nothing"));
    }
    let offers = packets.after(b"6:ut_pexi").any(|rest| !rest.starts_with(b"0e"));
    let nearby = packets.contain(hash.as_bytes()) && packets.contain(b"BT-SEARCH");
    let dht = packets.contain(&[b"9:info_hash20:".as_slice(), &name].concat());
    match (private, offers, nearby, dht) {
        (true, false, false, false) | (false, true, true, true) => Ok(()),
        (true, offers, nearby, dht) => Err(Failure::new(format!(
            "a private torrent was told: offers of peer exchange {offers}, multicast {nearby}, DHT {dht}"
        ))),
        (false, offers, nearby, dht) => Err(Failure::new(format!(
            "the capture would not see it: offers of peer exchange {offers}, multicast {nearby}, DHT {dht}"
        ))),
    }
}
