//! A file over 4 GiB of which only the pieces around 2^32 and the end are missing: whoever keeps an
//! offset in 32 bits writes or reads in the wrong place.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Instant;

use super::Cell;
use super::transfer::Side;
use crate::failure::{Context as _, Outcome};
use crate::lab::{Maker, Room, large_missing};
use crate::matrix::Measure;
use crate::payload::{MIB, Payload};
use crate::peers::libtorrent::Libtorrent;
use crate::peers::{Client, Foreign, Job};
use crate::torrent::{Format, Recipe};

const PIECE_BYTES: u64 = 2 * MIB;

/// The cells of the large file.
pub(super) fn cells(subject: &str) -> Vec<Cell> {
    let cell = |side: Side| {
        let direction = side.direction(subject, Foreign::Libtorrent.name());
        Cell::new("pieces around 2^32", direction, &[Foreign::Libtorrent], move |room| {
            run(room, side)
        })
    };
    Side::BOTH.into_iter().map(cell).collect()
}

fn run(room: &Room<'_>, side: Side) -> Outcome<Measure> {
    let payload = room.lab.large()?;
    let recipe = Recipe {
        piece_length: Some(PIECE_BYTES),
        sparse: true,
        ..Recipe::new(payload, Format::V1)
    };
    let torrent = room.torrent(&recipe, Maker::Libtorrent)?;
    let libtorrent: &dyn Client = &Libtorrent::PEER;
    let (seeder, leecher) = match side {
        Side::Seeds => (room.subject(), libtorrent),
        Side::Leeches => (libtorrent, room.subject()),
    };
    let dir = room.dir(leecher.name())?;
    copy_without_missing(payload, &dir).context(|| "preparing the leecher's file")?;
    let homes = (room.home(seeder.name())?, room.home(leecher.name())?);
    let seed = Job { trust: true, ..Job::new(&torrent, payload.parent(), &homes.0) };
    let mut seeding = seeder.seed(&seed, room.deadline)?;
    let began = Instant::now();
    let mut leech = Job::new(&torrent, &dir, &homes.1);
    leech.dial.push(seeding.address());
    let mut leeching = leecher.leech(&leech, room.deadline)?;
    leeching.wait_done(room.deadline)?;
    let seconds = began.elapsed().as_secs_f64();
    leeching.stop()?;
    seeding.stop()?;
    room.verify(payload, &torrent, &dir, side == Side::Leeches)?;
    let missing = large_missing().iter().map(|range| range.end - range.start).sum();
    Ok(Measure::new(missing, seconds))
}

/// A file of the full size that has the payload's beginning and holes where pieces are missing.
fn copy_without_missing(payload: &Payload, dir: &Path) -> std::io::Result<()> {
    let mut start = Vec::new();
    File::open(payload.path())?.take(4 * MIB).read_to_end(&mut start)?;
    let mut copy = File::create(dir.join(payload.name()))?;
    copy.write_all(&start)?;
    copy.set_len(payload.bytes())
}
