//! Cells in which peers are found through a DHT alone, and private torrents not at all.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Cell;
use super::transfer::{Side, client};
use crate::failure::{Context as _, Failure, Outcome};
use crate::lab::{Maker, Room};
use crate::matrix::Measure;
use crate::peers::libtorrent::{self, Libtorrent};
use crate::peers::nodes::LibtorrentNodes;
use crate::peers::{Client, Family, Foreign, Job, Peer};
use crate::torrent::{Format, Recipe, Torrent};

/// How long the DHT is asked for peers that must not be there. The node that asks knows the others after
/// two seconds or so.
const SILENCE: Duration = Duration::from_secs(6);

/// Transmission enters a DHT slowly: it asks one node, and waits, and a quarter of a minute later the
/// next.
const PATIENCE_TRANSMISSION: Duration = Duration::from_secs(180);

/// The cells with a DHT.
pub(super) fn cells(subject: &str) -> Vec<Cell> {
    let mut cells = Vec::new();
    for side in Side::BOTH {
        for peer in [Foreign::Libtorrent, Foreign::Aria2, Foreign::Transmission] {
            cells.push(Plan { peer, ..Plan::of(side) }.cell(subject));
        }
        cells.push(Plan { format: Format::Hybrid, ..Plan::of(side) }.cell(subject));
        cells.push(Plan { format: Format::V2, ..Plan::of(side) }.cell(subject));
        cells.push(Plan { family: Family::V6, ..Plan::of(side) }.cell(subject));
    }
    let direction = Side::Seeds.direction(subject, Foreign::Libtorrent.name());
    let run = |room: &Room<'_>| private(room);
    cells.push(Cell::new(
        "private torrent, none in the DHT",
        direction,
        &[Foreign::Libtorrent],
        run,
    ));
    cells
}

/// One seeder, and a leecher with a magnet link that names nobody. Neither has a tracker.
#[derive(Clone, Copy, Debug)]
struct Plan {
    peer: Foreign,
    side: Side,
    format: Format,
    family: Family,
}

impl Plan {
    const fn of(side: Side) -> Self {
        Self { peer: Foreign::Libtorrent, side, format: Format::V1, family: Family::V4 }
    }

    fn cell(self, subject: &str) -> Cell {
        let direction = self.side.direction(subject, self.peer.name());
        let mut needs = vec![Foreign::Libtorrent, self.peer];
        needs.dedup();
        let family = if self.family == Family::V6 { ", IPv6" } else { "" };
        let name = format!("magnet {}, DHT alone{family}", self.format);
        let cell = Cell::new(name, direction, &needs, move |room| self.run(room));
        if self.peer == Foreign::Transmission { cell.patient(PATIENCE_TRANSMISSION) } else { cell }
    }

    fn run(self, room: &Room<'_>) -> Outcome<Measure> {
        let payload = room.lab.single()?;
        let torrent = room.torrent(&Recipe::new(payload, self.format), self.side.maker())?;
        let nodes = LibtorrentNodes::start(room, self.family)?;
        let (seeder, leecher) = match self.side {
            Side::Seeds => (room.subject(), client(self.peer)),
            Side::Leeches => (client(self.peer), room.subject()),
        };
        let dir = room.dir(leecher.name())?;
        let homes = (room.home(seeder.name())?, room.home(leecher.name())?);
        let mut seed = room.job(&torrent, payload.parent(), &homes.0, self.family);
        seed.dht_router = Some(nodes.router());
        let mut leech = room.job(&torrent, &dir, &homes.1, self.family);
        leech.dht_router = Some(nodes.router());
        leech.magnet = Some(torrent.magnet(&[]));
        let mut seeding = seeder.seed(&seed, room.deadline)?;
        must_know(room, nodes.router(), &torrent, seeding.as_ref())?;
        let began = Instant::now();
        let mut leeching = leecher.leech(&leech, room.deadline)?;
        leeching.wait_done(room.deadline)?;
        let seconds = began.elapsed().as_secs_f64();
        leeching.stop()?;
        seeding.stop()?;
        room.verify(payload, &torrent, &dir, self.side == Side::Leeches)?;
        Ok(Measure::new(payload.bytes(), seconds))
    }
}

/// Waits until the DHT behind `router` tells the address of `peer` to a libtorrent that asks for the
/// torrent, by each of its hashes.
pub(super) fn must_know(
    room: &Room<'_>,
    router: SocketAddr,
    torrent: &Torrent,
    peer: &dyn Peer,
) -> Outcome<()> {
    let hashes = torrent.tracker_hashes();
    let wanted = peer.address();
    let (home, patience) = (room.home("find")?, room.deadline.left());
    let found = libtorrent::find_peers(router, &hashes, Some(wanted), patience, &home)?;
    match hashes.iter().all(|hash| has(&found[*hash], &wanted.to_string())) {
        true => Ok(()),
        false => Err(Failure::new(format!("the DHT does not know the seeder {wanted}: {found}"))),
    }
}

fn has(peers: &Value, address: &str) -> bool {
    peers.as_array().is_some_and(|peers| peers.iter().any(|peer| peer == address))
}

/// We seed a private and a public torrent in one DHT, each to a libtorrent that takes part in it. The
/// DHT knows the public one alone, and only its peer hears of our node.
fn private(room: &Room<'_>) -> Outcome<Measure> {
    let payload = room.lab.single()?;
    let recipe = |private| Recipe { private, ..Recipe::new(payload, Format::V1) };
    let secret = room.torrent(&recipe(true), Maker::Libtorrent)?;
    let known = room.torrent(&recipe(false), Maker::Libtorrent)?;
    let nodes = LibtorrentNodes::start(room, Family::V4)?;
    let mut seconds = 0.0;
    for (torrent, is_private) in [(&secret, true), (&known, false)] {
        let began = Instant::now();
        let log = fetch_logged(room, &nodes, torrent, is_private)?;
        seconds += began.elapsed().as_secs_f64();
        let (flag, port) = (log.contains("ext: DHT"), log.contains("<== DHT_PORT"));
        if flag == is_private || port == is_private {
            let kind = if is_private { "private" } else { "public" };
            return Err(Failure::new(format!(
                "{kind} torrent: our handshake says DHT: {flag}, we send PORT: {port}"
            )));
        }
    }
    Ok(Measure::new(2 * payload.bytes(), seconds))
}

/// Lets libtorrent download from us, with the DHT at hand; hands back its log.
fn fetch_logged(
    room: &Room<'_>,
    nodes: &LibtorrentNodes,
    torrent: &Torrent,
    is_private: bool,
) -> Outcome<String> {
    let payload = room.lab.single()?;
    let homes = (room.home("seed")?, room.home("leech")?);
    let mut seed = Job::new(torrent, payload.parent(), &homes.0);
    seed.dht_router = Some(nodes.router());
    let mut seeding = room.subject().seed(&seed, room.deadline)?;
    if is_private {
        let (hashes, home) = (torrent.tracker_hashes(), room.home("find")?);
        let found = libtorrent::find_peers(nodes.router(), &hashes, None, SILENCE, &home)?;
        if hashes.iter().any(|hash| found[*hash].as_array().is_none_or(|it| !it.is_empty())) {
            return Err(Failure::new(format!("the DHT knows of a private torrent: {found}")));
        }
    } else {
        must_know(room, nodes.router(), torrent, seeding.as_ref())?;
    }
    let dir = room.dir(if is_private { "private" } else { "public" })?;
    let mut leech = Job::new(torrent, &dir, &homes.1);
    leech.dht_router = Some(nodes.router());
    leech.log = true;
    leech.dial.push(seeding.address());
    let mut leeching = Libtorrent::PEER.leech(&leech, room.deadline)?;
    leeching.wait_done(room.deadline)?;
    leeching.stop()?;
    seeding.stop()?;
    payload.compare(&dir)?;
    read_log(&homes.1)
}

/// What libtorrent's driver has printed.
fn read_log(home: &Path) -> Outcome<String> {
    let log = home.join("python3.stdout.log");
    fs::read_to_string(&log).context(|| format!("reading {}", log.display()))
}
