//! Cells without any peer: everything comes from a web server that the torrent names.

use std::time::Instant;

use super::Cell;
use super::transfer::client;
use crate::failure::Outcome;
use crate::lab::{Maker, Room};
use crate::matrix::Measure;
use crate::peers::nginx::Site;
use crate::peers::{Client, Foreign, Job};
use crate::torrent::{Format, Recipe};

/// The cells with a web seed.
pub(super) fn cells(subject: &str) -> Vec<Cell> {
    let mut cells = Vec::new();
    for format in Format::ALL {
        for is_folder in [false, true] {
            let plan = Plan { format, is_folder, ..Plan::OURS };
            let what = if is_folder { "300 files" } else { "single file" };
            cells.push(plan.cell(format!("web seed, {format}, {what}"), subject));
        }
    }
    let plan = Plan { names_file: true, ..Plan::OURS };
    cells.push(plan.cell("web seed, address of the file itself", subject));
    let plan = Plan { leecher: Some(Foreign::Libtorrent), maker: Maker::Subject, ..Plan::OURS };
    for format in Format::ALL {
        let plan = Plan { format, is_folder: true, ..plan };
        cells.push(plan.cell(format!("our torrent with a web seed, {format}"), subject));
    }
    cells
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    format: Format,
    is_folder: bool,
    /// The address ends with the file's name, not with a slash.
    names_file: bool,
    maker: Maker,
    /// Ours, if nobody else.
    leecher: Option<Foreign>,
}

impl Plan {
    const OURS: Self = Self {
        format: Format::V1,
        is_folder: false,
        names_file: false,
        maker: Maker::Libtorrent,
        leecher: None,
    };

    fn cell(self, name: impl Into<String>, subject: &str) -> Cell {
        let leecher = self.leecher.map_or(subject, |foreign| foreign.name());
        // libtorrent makes the torrents that ours reads, and reads the ones that ours makes.
        let needs = [Foreign::Nginx, Foreign::Libtorrent];
        Cell::new(name, format!("nginx -> {leecher}"), &needs, move |room| self.run(room))
    }

    fn run(self, room: &Room<'_>) -> Outcome<Measure> {
        let payload = if self.is_folder { room.lab.many()? } else { room.lab.single()? };
        let site = Site::choose()?;
        let url = site.url(if self.names_file { "single%20file.bin" } else { "" });
        let recipe = Recipe { web_seed: Some(&url), ..Recipe::new(payload, self.format) };
        let torrent = room.torrent(&recipe, self.maker)?;
        let mut server = site.start(payload.parent(), &room.home("nginx")?, room.deadline)?;
        let leecher: &dyn Client = match self.leecher {
            Some(foreign) => client(foreign),
            None => room.subject(),
        };
        let (home, dir) = (room.home(leecher.name())?, room.dir(leecher.name())?);
        let began = Instant::now();
        let mut leeching = leecher.leech(&Job::new(&torrent, &dir, &home), room.deadline)?;
        leeching.wait_done(room.deadline)?;
        let seconds = began.elapsed().as_secs_f64();
        leeching.stop()?;
        server.stop()?;
        room.verify(payload, &torrent, &dir, room.is_subject(leecher))?;
        Ok(Measure::new(payload.bytes(), seconds))
    }
}
