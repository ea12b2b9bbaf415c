//! Cells with a tracker: nobody is told of a peer by anybody else.

use std::time::Instant;

use super::Cell;
use super::transfer::{Side, client};
use crate::failure::Outcome;
use crate::lab::{Room, Subject};
use crate::matrix::Measure;
use crate::peers::opentracker::{Scheme, Site, Tracker};
use crate::peers::{Client, Encryption, Foreign, Job, Peer};
use crate::torrent::{Format, Recipe, Torrent};

/// The cells with a tracker.
pub(super) fn cells(subject: &str) -> Vec<Cell> {
    let mut cells = Vec::new();
    for scheme in [Scheme::Http, Scheme::Udp] {
        for side in Side::BOTH {
            let plan = Plan { scheme, side, ..Plan::MIXED };
            let name = format!("4 clients, {} tracker", scheme.name().to_uppercase());
            cells.push(plan.cell(name, subject));
        }
    }
    for side in Side::BOTH {
        let plan = Plan { side, private: true, peers: &[Foreign::Libtorrent], ..Plan::MIXED };
        cells.push(plan.cell("private torrent", subject));
    }
    let plan = Plan { magnet: true, peers: &[Foreign::Aria2], ..Plan::MIXED };
    cells.push(plan.cell("magnet v1, HTTP tracker", subject));
    let plan = Plan { side: Side::Leeches, peers: &[Foreign::Libtorrent], ..plan };
    cells.push(
        Plan { is_second: true, ..plan }
            .cell("magnet v1, the first of two trackers is down", subject),
    );
    cells
}

/// Cells whose tracker is ours.
pub(super) fn kept_by_ours(subject: &Subject) -> Vec<Cell> {
    let Subject::Ours(_) = subject else { return Vec::new() };
    let name = subject.client().name();
    let cells = [Scheme::Http, Scheme::Udp].into_iter().flat_map(|scheme| {
        Side::BOTH.map(|side| {
            let plan = Plan { scheme, side, is_kept_by_ours: true, ..Plan::MIXED };
            plan.cell(format!("4 clients, our {} tracker", scheme.name().to_uppercase()), name)
        })
    });
    cells.collect()
}

/// One seeder, everybody else leeches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    scheme: Scheme,
    side: Side,
    /// The first of them seeds if our side leeches.
    peers: &'static [Foreign],
    private: bool,
    magnet: bool,
    /// The magnet names a tracker before it where nobody listens.
    is_second: bool,
    /// The tracker is ours, else opentracker.
    is_kept_by_ours: bool,
    /// Ours, theirs.
    encryption: [Encryption; 2],
}

impl Plan {
    const MIXED: Self = Self {
        scheme: Scheme::Http,
        side: Side::Seeds,
        peers: &[Foreign::Libtorrent, Foreign::Transmission, Foreign::Aria2],
        private: false,
        magnet: false,
        is_second: false,
        is_kept_by_ours: false,
        encryption: [Encryption::Default; 2],
    };

    /// Ours seeds and is called by a peer that had its address from a tracker.
    pub(super) const fn called(peers: &'static [Foreign], encryption: [Encryption; 2]) -> Self {
        Self { peers, encryption, ..Self::MIXED }
    }

    pub(super) fn cell(self, name: impl Into<String>, subject: &str) -> Cell {
        let names: Vec<&str> = self.peers.iter().map(|peer| peer.name()).collect();
        let direction = match self.side {
            Side::Seeds => format!("{subject} -> {}", names.join(", ")),
            Side::Leeches => {
                let others = [&[subject], &names[1..]].concat();
                format!("{} -> {}", names[0], others.join(", "))
            }
        };
        let tracker: &[Foreign] = if self.is_kept_by_ours { &[] } else { &[Foreign::Opentracker] };
        let needs = [self.peers, tracker].concat();
        Cell::new(name, direction, &needs, move |room| self.run(room))
    }

    fn run(self, room: &Room<'_>) -> Outcome<Measure> {
        let payload = room.lab.single()?;
        let site = Site::choose()?;
        let url = site.url(self.scheme);
        let recipe = Recipe {
            tracker: Some(&url),
            private: self.private,
            ..Recipe::new(payload, Format::V1)
        };
        let torrent = room.torrent(&recipe, self.side.maker())?;
        let home = room.home("tracker")?;
        let tracker = if self.is_kept_by_ours {
            site.start_ours(room.ours()?, &torrent, &home, room.deadline)?
        } else {
            site.start(&torrent, &home, room.deadline)?
        };
        let foreign = self.peers.iter().map(|peer| client(*peer));
        let mut clients: Vec<&dyn Client> = foreign.collect();
        match self.side {
            Side::Seeds => clients.insert(0, room.subject()),
            Side::Leeches => clients.insert(1, room.subject()),
        }
        let mut trackers = vec![format!("tr={url}")];
        if self.is_second {
            trackers.insert(0, format!("tr={}", Site::choose()?.url(self.scheme)));
        }
        let magnet = self.magnet.then(|| torrent.magnet(&trackers));
        let seconds = self.run_swarm(room, &torrent, tracker, &clients, magnet.as_deref())?;
        for leecher in &clients[1..] {
            let dir = room.dir(leecher.name())?;
            room.verify(payload, &torrent, &dir, room.is_subject(*leecher))?;
        }
        Ok(Measure::new(payload.bytes() * (clients.len() as u64 - 1), seconds))
    }

    /// Lets the first of `clients` seed and the others leech; hands back the seconds it took them all.
    fn run_swarm(
        self,
        room: &Room<'_>,
        torrent: &Torrent,
        mut tracker: Tracker,
        clients: &[&dyn Client],
        magnet: Option<&str>,
    ) -> Outcome<f64> {
        let payload = room.lab.single()?;
        let home = room.home(clients[0].name())?;
        let mut job = Job::new(torrent, payload.parent(), &home);
        job.encryption = self.encryption(room, clients[0]);
        let mut seeding = clients[0].seed(&job, room.deadline)?;
        tracker.wait_seeds(torrent, 1, room.deadline)?;
        let began = Instant::now();
        let mut leeching: Vec<Box<dyn Peer>> = Vec::new();
        for client in &clients[1..] {
            let (home, dir) = (room.home(client.name())?, room.dir(client.name())?);
            let mut job = Job::new(torrent, &dir, &home);
            job.magnet = magnet.map(str::to_owned);
            job.stay = true;
            job.encryption = self.encryption(room, *client);
            leeching.push(client.leech(&job, room.deadline)?);
        }
        for peer in &mut leeching {
            peer.wait_done(room.deadline)?;
        }
        let seconds = began.elapsed().as_secs_f64();
        if self.is_kept_by_ours {
            // Each has told it that its download is complete, but aria2, which says goodbye in its place.
            let told = clients[1..].iter().filter(|client| client.name() != "aria2").count();
            tracker.wait_downloads(torrent, told as u64, room.deadline)?;
        }
        for peer in &mut leeching {
            peer.stop()?;
        }
        seeding.stop()?;
        tracker.stop()?;
        Ok(seconds)
    }

    fn encryption(self, room: &Room<'_>, client: &dyn Client) -> Encryption {
        let [ours, theirs] = self.encryption;
        if room.is_subject(client) { ours } else { theirs }
    }
}
