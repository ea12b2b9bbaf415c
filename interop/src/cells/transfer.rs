//! Cells of one seeder and one leecher: formats, folders, magnets, IPv6, selection.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Cell;
use crate::failure::{Context as _, Failure, Outcome};
use crate::lab::{Lab, Maker, Room, Subject};
use crate::matrix::Measure;
use crate::netns::Host;
use crate::payload::Payload;
use crate::peers::aria2::Aria2;
use crate::peers::libtorrent::Libtorrent;
use crate::peers::transmission::Transmission;
use crate::peers::{Client, Encryption, Family, Foreign, Job, Peer};
use crate::torrent::{Format, Recipe, Torrent};

/// Files whose name begins like this are the selected ones of [`Lab::halves`].
const KEPT: &str = "keep-";
/// The same as a pattern of our command line.
const KEPT_GLOB: &str = "keep-*";
/// The same as a part of a magnet link (BEP 53): `create` lists files by name.
const KEPT_PLACES: &str = "so=0-3";
/// How long a peer that is kept out goes on trying.
const KEPT_OUT: Duration = Duration::from_secs(5);

/// The side our client takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    /// Ours has the data.
    Seeds,
    /// Ours gets the data.
    Leeches,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Seeds, Self::Leeches];

    /// `a -> b`, from who has the data to who gets it.
    pub(super) fn direction(self, subject: &str, peer: &str) -> String {
        match self {
            Self::Seeds => format!("{subject} -> {peer}"),
            Self::Leeches => format!("{peer} -> {subject}"),
        }
    }

    /// Seeders bring torrents of their own making.
    pub(super) const fn maker(self) -> Maker {
        match self {
            Self::Seeds => Maker::Subject,
            Self::Leeches => Maker::Libtorrent,
        }
    }
}

/// The client of a foreign program that shares files.
pub(super) fn client(foreign: Foreign) -> &'static dyn Client {
    match foreign {
        Foreign::Libtorrent => &Libtorrent::PEER,
        Foreign::Transmission => &Transmission,
        Foreign::Aria2 => &Aria2,
        Foreign::Opentracker
        | Foreign::Miniupnpd
        | Foreign::Nginx
        | Foreign::Mainline
        | Foreign::BittorrentDht
        | Foreign::Qbittorrent
        | Foreign::QbittorrentApi
        | Foreign::TransmissionRpc
        | Foreign::Schemathesis => {
            unreachable!("it shares no files")
        }
    }
}

/// How the leecher learns of torrent and seeder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Start {
    /// It has the torrent file, and one of the two dials the other.
    TorrentFile,
    /// It has a magnet link that names the seeder (`x.pe`).
    MagnetWithPeer,
    /// The same, and the link names the wanted files (`so`).
    MagnetWithPlaces,
    /// It has a magnet link, and is told the seeder on the side.
    MagnetAndPeer,
}

/// One seeder, one leecher.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    peer: Foreign,
    side: Side,
    payload: fn(&Lab) -> Outcome<&Payload>,
    format: Format,
    start: Start,
    family: Family,
    select: bool,
    /// Ours, theirs.
    encryption: [Encryption; 2],
}

impl Plan {
    pub(super) const fn new(peer: Foreign, side: Side) -> Self {
        Self {
            peer,
            side,
            payload: Lab::single,
            format: Format::V1,
            start: Start::TorrentFile,
            family: Family::V4,
            select: false,
            encryption: [Encryption::Default; 2],
        }
    }

    /// The same, with ours and theirs told whether they encrypt.
    pub(super) const fn encrypted(self, encryption: [Encryption; 2]) -> Self {
        Self { encryption, ..self }
    }

    pub(super) fn cell(self, name: impl Into<String>, subject: &str) -> Cell {
        let direction = self.side.direction(subject, self.peer.name());
        Cell::new(name, direction, &[self.peer], move |room| self.run(room))
    }

    fn run(self, room: &Room<'_>) -> Outcome<Measure> {
        let payload = (self.payload)(room.lab)?;
        let torrent = room.torrent(&Recipe::new(payload, self.format), self.maker())?;
        let (seeder, leecher) = match self.side {
            Side::Seeds => (room.subject(), client(self.peer)),
            Side::Leeches => (client(self.peer), room.subject()),
        };
        let dir = room.dir(leecher.name())?;
        let homes = (room.home(seeder.name())?, room.home(leecher.name())?);
        let mut seed = room.job(&torrent, payload.parent(), &homes.0, self.family);
        let mut leech = room.job(&torrent, &dir, &homes.1, self.family);
        let by_option = self.select && self.start != Start::MagnetWithPlaces;
        leech.select = by_option.then_some(KEPT_GLOB);
        (seed.encryption, leech.encryption) = match (self.side, self.encryption) {
            (Side::Seeds, [ours, theirs]) => (ours, theirs),
            (Side::Leeches, [ours, theirs]) => (theirs, ours),
        };
        let began = Instant::now();
        let (mut seeding, mut leeching) = if leecher.dials() {
            let seeding = seeder.seed(&seed, room.deadline)?;
            self.introduce(&mut leech, &torrent, seeding.as_ref());
            (seeding, leecher.leech(&leech, room.deadline)?)
        } else {
            let leeching = leecher.leech(&leech, room.deadline)?;
            seed.dial.push(leeching.address());
            (seeder.seed(&seed, room.deadline)?, leeching)
        };
        leeching.wait_done(room.deadline)?;
        let seconds = began.elapsed().as_secs_f64();
        leeching.stop()?;
        seeding.stop()?;
        self.verify(room, payload, &torrent, &dir)?;
        let bytes = if self.select { payload.bytes() / 2 } else { payload.bytes() };
        Ok(Measure::new(bytes, seconds))
    }

    /// Where the link names files by their places, the maker must be the one that lists them by name.
    fn maker(self) -> Maker {
        match self.start {
            Start::MagnetWithPlaces => Maker::Subject,
            _ => self.side.maker(),
        }
    }

    fn introduce(self, leech: &mut Job<'_>, torrent: &Torrent, seeding: &dyn Peer) {
        let address = seeding.address();
        match self.start {
            Start::TorrentFile => leech.dial.push(address),
            Start::MagnetWithPeer => {
                leech.magnet = Some(torrent.magnet(&[format!("x.pe={address}")]));
            }
            Start::MagnetWithPlaces => {
                let more = [format!("x.pe={address}"), KEPT_PLACES.to_owned()];
                leech.magnet = Some(torrent.magnet(&more));
            }
            Start::MagnetAndPeer => {
                leech.magnet = Some(torrent.magnet(&[]));
                leech.dial.push(address);
            }
        }
    }

    fn verify(
        self,
        room: &Room<'_>,
        payload: &Payload,
        torrent: &Torrent,
        dir: &Path,
    ) -> Outcome<()> {
        // What is seeded must come out of it unchanged as well.
        payload.compare(payload.parent())?;
        if self.select {
            return payload.compare_selected(dir, KEPT);
        }
        if self.peer == Foreign::Transmission && self.side == Side::Seeds {
            // It never makes files without content.
            return payload.compare_but_empty(dir);
        }
        room.verify(payload, torrent, dir, self.side == Side::Leeches)
    }
}

/// The cells of one seeder and one leecher.
pub(super) fn cells(subject: &str) -> Vec<Cell> {
    let downloaders = [Foreign::Libtorrent, Foreign::Transmission, Foreign::Aria2];
    let mut cells = Vec::new();
    for peer in downloaders {
        for side in Side::BOTH {
            cells.push(Plan::new(peer, side).cell("v1, one file", subject));
        }
    }
    for format in [Format::V2, Format::Hybrid] {
        for side in Side::BOTH {
            let plan = Plan { format, ..Plan::new(Foreign::Libtorrent, side) };
            cells.push(plan.cell(format!("{format}, one file"), subject));
        }
    }
    for peer in downloaders {
        for side in Side::BOTH {
            let plan = Plan { payload: Lab::many, ..Plan::new(peer, side) };
            cells.push(plan.cell("v1, 300 files", subject));
        }
    }
    for format in [Format::V2, Format::Hybrid] {
        for side in Side::BOTH {
            let plan = Plan::new(Foreign::Libtorrent, side);
            let plan = Plan { payload: Lab::many, format, ..plan };
            cells.push(plan.cell(format!("{format}, 300 files"), subject));
        }
    }
    cells.extend(magnet_cells(subject));
    for side in Side::BOTH {
        let plan = Plan { family: Family::V6, ..Plan::new(Foreign::Libtorrent, side) };
        cells.push(plan.cell("IPv6", subject));
    }
    for side in Side::BOTH {
        let plan = Plan::new(Foreign::Libtorrent, side);
        cells.push(
            Plan { payload: Lab::halves, select: true, ..plan }.cell("file selection", subject),
        );
        let start = Start::MagnetWithPlaces;
        let plan = Plan { payload: Lab::halves, select: true, start, ..plan };
        cells.push(plan.cell("files named by the magnet", subject));
    }
    cells
}

/// The cells about our own options; a stand-in has no such options.
pub(super) fn filter_cells(subject: &Subject) -> Vec<Cell> {
    let Subject::Ours(_) = subject else { return Vec::new() };
    let run = |room: &Room<'_>| kept_out(room);
    let direction = Side::Seeds.direction(subject.client().name(), Foreign::Libtorrent.name());
    vec![Cell::new("peer on the IP filter", direction, &[Foreign::Libtorrent], run)]
}

/// A libtorrent whose address is on our filter gets nothing; without the filter the same one gets all.
fn kept_out(room: &Room<'_>) -> Outcome<Measure> {
    let payload = room.lab.single()?;
    let torrent = room.torrent(&Recipe::new(payload, Format::V1), Maker::Subject)?;
    let filter = room.home("filter")?.join("filter.p2p");
    let ip = Host::LIBTORRENT.v4();
    fs::write(&filter, format!("unwanted:{ip}-{ip}\n")).context(|| "writing the filter")?;
    let option = ["--ip-filter", &filter.to_string_lossy()].map(str::to_owned);
    let mut began = Instant::now();
    for options in [option.each_ref().map(String::as_str).as_slice(), &[]] {
        began = Instant::now();
        let (home, peers, dir) = (room.home("seed")?, room.home("leech")?, room.dir("libtorrent")?);
        let mut job = Job::new(&torrent, payload.parent(), &home);
        job.stay = true;
        let mut seeding = room.ours()?.get(&job, options)?;
        seeding.wait_done(room.deadline)?;
        let mut leech = Job::new(&torrent, &dir, &peers);
        leech.dial.push(seeding.address());
        let mut leeching = Libtorrent::PEER.leech(&leech, room.deadline)?;
        if options.is_empty() {
            leeching.wait_done(room.deadline)?;
        } else if leeching.wait_done(room.deadline.within(KEPT_OUT)).is_ok() {
            return Err(Failure::new(format!("{ip} is on our filter and got all from us")));
        }
        leeching.stop()?;
        seeding.stop()?;
        if !options.is_empty() && payload.compare(&dir).is_ok() {
            return Err(Failure::new(format!("{ip} is on our filter and has all")));
        }
    }
    room.verify(payload, &torrent, &room.dir("libtorrent")?, false)?;
    Ok(Measure::new(payload.bytes(), began.elapsed().as_secs_f64()))
}

fn magnet_cells(subject: &str) -> Vec<Cell> {
    let mut cells = Vec::new();
    for format in Format::ALL {
        for side in Side::BOTH {
            let plan = Plan::new(Foreign::Libtorrent, side);
            let plan = Plan { format, start: Start::MagnetWithPeer, ..plan };
            cells.push(plan.cell(format!("magnet {format}, peer in the link"), subject));
        }
    }
    // Neither leeches here: they cannot be told of a peer, and lose the one that dials them between
    // metadata and data. aria2's own magnet is among the cells with a tracker.
    for peer in [Foreign::Transmission, Foreign::Aria2] {
        let plan = Plan { start: Start::MagnetAndPeer, ..Plan::new(peer, Side::Leeches) };
        cells.push(plan.cell("magnet v1, peer by option", subject));
    }
    cells
}
