//! Cells without a transfer: what our `create` and `show` say of a torrent, libtorrent says too.

use std::time::Instant;

use serde_json::Value;

use super::Cell;
use crate::failure::{Failure, Outcome};
use crate::lab::{Lab, Room, Subject};
use crate::matrix::Measure;
use crate::payload::Payload;
use crate::peers::{Foreign, libtorrent};
use crate::torrent::{Format, Recipe};

type Choose = fn(&Lab) -> Outcome<&Payload>;

/// The cells about commands; a stand-in has no such commands.
pub(super) fn cells(subject: &Subject) -> Vec<Cell> {
    let Subject::Ours(_) = subject else { return Vec::new() };
    let needs = [Foreign::Libtorrent];
    let payloads: [(&str, Choose); 2] = [("one file", Lab::single), ("300 files", Lab::many)];
    let mut cells = Vec::new();
    for (what, payload) in payloads {
        for format in Format::ALL {
            let name = format!("create {format}, {what}");
            let run = move |room: &Room<'_>| create(room, payload(room.lab)?, format);
            cells.push(Cell::new(name, "libtorrent reads ours", &needs, run));
            let name = format!("show {format}, {what}");
            let run = move |room: &Room<'_>| show(room, payload(room.lab)?, format);
            cells.push(Cell::new(name, "ours reads libtorrent's", &needs, run));
        }
    }
    cells
}

/// Our torrent has the info-hash that libtorrent gives to the same payload, piece length and format.
fn create(room: &Room<'_>, payload: &Payload, format: Format) -> Outcome<Measure> {
    let began = Instant::now();
    let home = room.home("create")?;
    let recipe = Recipe { private: true, ..Recipe::new(payload, format) };
    let out = home.join("ours.torrent");
    room.ours()?.create(&recipe, &out, &home)?;
    let ours = libtorrent::describe(&out, &home)?;
    let seconds = began.elapsed().as_secs_f64();
    let theirs = Recipe { piece_length: ours["piece_length"].as_u64(), ..recipe };
    libtorrent::make(&theirs, home.join("theirs.torrent"), &home)?;
    let theirs = libtorrent::describe(&home.join("theirs.torrent"), &home)?;
    agree(&theirs, &ours, &["v1", "v2", "name", "private", "pieces"])?;
    Ok(Measure::new(payload.bytes(), seconds))
}

/// Our `show` tells of a torrent by libtorrent what libtorrent tells of it.
fn show(room: &Room<'_>, payload: &Payload, format: Format) -> Outcome<Measure> {
    let home = room.home("show")?;
    let tracker = "http://10.77.0.5:6969/announce";
    let recipe = Recipe { tracker: Some(tracker), ..Recipe::new(payload, format) };
    let torrent = libtorrent::make(&recipe, home.join("theirs.torrent"), &home)?;
    let began = Instant::now();
    let shown = room.ours()?.show(&torrent.path, &home)?;
    let seconds = began.elapsed().as_secs_f64();
    let theirs = libtorrent::describe(&torrent.path, &home)?;
    agree(&theirs, &shown, &["v1", "v2", "name", "private", "pieces", "piece_length", "files"])?;
    Ok(Measure::new(payload.bytes(), seconds))
}

fn agree(theirs: &Value, ours: &Value, keys: &[&str]) -> Outcome<()> {
    for key in keys {
        if theirs[key] != ours[key] {
            let (theirs, ours) = (&theirs[key], &ours[key]);
            return Err(Failure::new(format!("{key}: libtorrent says {theirs}, ours {ours}")));
        }
    }
    Ok(())
}
