//! Cells without a transfer: what our `create` and `show` say, libtorrent and its tracker say too.

use std::time::Instant;

use serde_json::Value;

use super::Cell;
use crate::failure::{Failure, Outcome};
use crate::lab::{Lab, Maker, Room, Subject};
use crate::matrix::Measure;
use crate::payload::Payload;
use crate::peers::libtorrent::Libtorrent;
use crate::peers::opentracker::{Scheme, Site};
use crate::peers::{Client as _, Foreign, Job, libtorrent};
use crate::torrent::{Format, Recipe, Torrent};

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
    for scheme in [Scheme::Http, Scheme::Udp] {
        let name = format!("scrape, {} tracker", scheme.name().to_uppercase());
        let needs = [Foreign::Libtorrent, Foreign::Opentracker];
        cells.push(Cell::new(name, "ours asks", &needs, move |room| scrape(room, scheme)));
    }
    cells
}

/// opentracker tells our `show --scrape` of the one libtorrent that seeds there.
fn scrape(room: &Room<'_>, scheme: Scheme) -> Outcome<Measure> {
    let payload = room.lab.single()?;
    let site = Site::choose()?;
    let url = site.url(scheme);
    let recipe = Recipe { tracker: Some(&url), ..Recipe::new(payload, Format::V1) };
    let torrent = room.torrent(&recipe, Maker::Libtorrent)?;
    let mut tracker = site.start(&torrent, &room.home("tracker")?, room.deadline)?;
    let home = room.home("libtorrent")?;
    let job = Job::new(&torrent, payload.parent(), &home);
    let mut seeding = Libtorrent::PEER.seed(&job, room.deadline)?;
    tracker.wait_seeds(&torrent, 1, room.deadline)?;
    let began = Instant::now();
    let told = room.ours()?.scrape(&torrent.path, &room.home("scrape")?)?;
    let seconds = began.elapsed().as_secs_f64();
    seeding.stop()?;
    tracker.stop()?;
    let told = &told["scrape"][0];
    if told["seeds"] != 1 || told["leechers"] != 0 || told["tracker"] != url.as_str() {
        return Err(Failure::new(format!("one seed and no leecher at {url}, but we show {told}")));
    }
    Ok(Measure::new(0, seconds))
}

/// libtorrent reads the info-hash we print out of our torrent, finds every piece of the payload right,
/// and gives the same info-hash to the same files, piece length and format.
fn create(room: &Room<'_>, payload: &Payload, format: Format) -> Outcome<Measure> {
    let home = room.home("create")?;
    let recipe = Recipe { private: true, ..Recipe::new(payload, format) };
    let (out, other) = (home.join("ours.torrent"), home.join("theirs.torrent"));
    let began = Instant::now();
    let printed = room.ours()?.create(&recipe, &out, &home)?;
    let seconds = began.elapsed().as_secs_f64();
    let ours = libtorrent::describe(&out, &home)?;
    let torrent = Torrent::described(out.clone(), &ours)?;
    if printed.split(' ').next() != Some(torrent.printed_hash()) {
        let hash = torrent.printed_hash();
        return Err(Failure::new(format!("libtorrent reads {hash}, create printed {printed:?}")));
    }
    libtorrent::recheck(&torrent, payload.parent(), &home)?;
    let piece_length = ours["piece_length"].as_u64();
    let same = Recipe { piece_length, like: Some(&out), ..recipe };
    libtorrent::make(&same, other.clone(), &home)?;
    // libtorrent pads the last file of a hybrid too, or puts pads in front of empty files: layouts
    // that BEP 52 leaves open, and that change both hashes.
    let open = format == Format::Hybrid && ours["files"].as_array().is_some_and(|f| f.len() > 1);
    let except: &[&str] = if open { &["trackers", "v1", "v2"] } else { &["trackers"] };
    agree(&libtorrent::describe(&other, &home)?, &ours, except)?;
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
    agree(&libtorrent::describe(&torrent.path, &home)?, &shown, &[])?;
    Ok(Measure::new(payload.bytes(), seconds))
}

/// Compares every key of a description but those in `except`; of files, paths and lengths.
fn agree(theirs: &Value, ours: &Value, except: &[&str]) -> Outcome<()> {
    for (key, theirs) in theirs.as_object().into_iter().flatten() {
        if except.contains(&key.as_str()) {
            continue;
        }
        let same = match key.as_str() {
            "files" => files(theirs) == files(&ours[key]),
            key => *theirs == ours[key],
        };
        if !same {
            let ours = &ours[key];
            return Err(Failure::new(format!("{key}: libtorrent says {theirs}, ours {ours}")));
        }
    }
    Ok(())
}

fn files(listed: &Value) -> Vec<(&Value, &Value)> {
    let listed = listed.as_array().into_iter().flatten();
    listed.map(|file| (&file["path"], &file["length"])).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn descriptions_agree_in_every_key_that_libtorrent_knows() {
        let file = json!({ "path": "a/b", "length": 1 });
        let theirs = json!({ "v1": "ab", "files": [file], "trackers": [] });
        let mut ours = json!({ "v1": "ab", "v2": "cd", "files": [file], "trackers": [["x"]] });
        ours["files"][0]["hidden"] = json!(false);
        assert_eq!(agree(&theirs, &ours, &["trackers"]), Ok(()));
        assert!(agree(&theirs, &ours, &[]).is_err());
        ours["files"][0]["length"] = json!(2);
        assert!(agree(&theirs, &ours, &["trackers"]).is_err());
    }
}
