//! Cells about moving in: another client's real profile is taken over, and our daemon says of the
//! torrents what that client has said of them itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};

use super::Cell;
use crate::failure::{Context as _, Failure, Outcome};
use crate::lab::{Maker, Room, Subject};
use crate::matrix::Measure;
use crate::peers::daemon::{Daemon, objects};
use crate::peers::qbittorrent::Qbittorrent;
use crate::peers::transmission::{Transmission, TransmissionPeer};
use crate::peers::{Foreign, Job, Peer as _};
use crate::torrent::{Format, Recipe, Torrent};

/// The cells of this kind; a stand-in has no daemon.
pub(super) fn cells(subject: &Subject) -> Vec<Cell> {
    let Subject::Ours(_) = subject else { return Vec::new() };
    let from = |foreign: Foreign| (format!("{foreign} -> ours"), [foreign]);
    let (direction, needs) = from(Foreign::Transmission);
    let mut cells = vec![Cell::new("import, v1", direction, &needs, transmission)];
    let (direction, needs) = from(Foreign::Transmission);
    cells.push(Cell::new("import, unfinished", direction, &needs, unfinished::transmission));
    let (direction, needs) = from(Foreign::Qbittorrent);
    cells.push(Cell::new("import, unfinished", direction, &needs, unfinished::qbittorrent));
    for format in Format::ALL {
        let (direction, needs) = from(Foreign::Qbittorrent);
        let run = move |room: &Room<'_>| qbittorrent(room, format);
        cells.push(Cell::new(format!("import, {format}"), direction, &needs, run));
    }
    cells
}

mod unfinished;

/// The priority of a file that nobody has given one.
const NORMAL: u64 = 4;

/// What every client here has: one torrent whole, one without any data.
struct Household {
    whole: Torrent,
    /// Where its payload lies.
    whole_dir: PathBuf,
    bytes: u64,
    empty: Torrent,
    empty_dir: PathBuf,
}

impl Household {
    fn new(room: &Room<'_>, format: Format) -> Outcome<Self> {
        let (whole, empty) = (room.lab.many()?, room.lab.halves()?);
        let torrent = |payload| room.torrent(&Recipe::new(payload, format), Maker::Libtorrent);
        Ok(Self {
            whole: torrent(whole)?,
            whole_dir: whole.parent().to_owned(),
            bytes: whole.bytes(),
            empty: torrent(empty)?,
            empty_dir: room.dir("empty")?,
        })
    }

    fn moves(
        &self,
        room: &Room<'_>,
        from: Foreign,
        profile: &Path,
        theirs: &[Value],
    ) -> Outcome<Measure> {
        let roots = [self.whole_dir.as_path(), &self.empty_dir];
        moves(room, &roots, self.bytes, from, profile, theirs)
    }
}

/// Takes the profile over and compares every torrent with `theirs`, which are as our `info` has them.
fn moves(
    room: &Room<'_>,
    roots: &[&Path],
    bytes: u64,
    from: Foreign,
    profile: &Path,
    theirs: &[Value],
) -> Outcome<Measure> {
    let mut daemon = Daemon::start(room.ours()?, roots, &room.home("daemon")?, room.deadline)?;
    let began = Instant::now();
    let import = daemon.client("import").arg(from.name()).arg(profile);
    let told = objects(&import.output(room.deadline)?)?;
    let seconds = began.elapsed().as_secs_f64();
    let report = told.last().cloned().unwrap_or_default();
    let expected = json!({
        "event": "imported", "added": theirs.len(), "present": 0, "refused": 0, "is_dry": false,
    });
    if report != expected {
        return Err(Failure::new(format!("expected {expected}, import told {told:?}")));
    }
    for theirs in theirs {
        compare(&daemon, room, theirs)?;
    }
    let listed = daemon.list(room.deadline)?;
    if listed.len() != theirs.len() {
        return Err(Failure::new(format!("{} torrents are listed", listed.len())));
    }
    daemon.stop()?;
    Ok(Measure::new(bytes, seconds))
}

/// Every key of `theirs` is in our `info` once the torrent has come to rest, their files in our `files`.
fn compare(daemon: &Daemon<'_>, room: &Room<'_>, theirs: &Value) -> Outcome<()> {
    let hashes = [&theirs["info_hash_v1"], &theirs["info_hash_v2"]];
    // Our commands know v2 torrents by as many digits as v1 has.
    let id = hashes.iter().find_map(|hash| hash.as_str()?.get(..40)).unwrap_or_default();
    let what = format!("{id} comes to the stage {}", theirs["stage"]);
    let mut ours = room.deadline.poll(&what, || {
        let ours = daemon.info(id, room.deadline)?;
        Ok((ours["stage"] == theirs["stage"]).then_some(ours))
    })?;
    let has_files = theirs["files"].as_array().is_some_and(|files| !files.is_empty());
    let files = if has_files { daemon.files(id, room.deadline)? } else { Vec::new() };
    ours["files"] = files.iter().map(|it| file(&it["path"], &it["priority"])).collect();
    for (key, theirs) in theirs.as_object().into_iter().flatten() {
        if ours[key] != *theirs {
            let ours = &ours[key];
            return Err(Failure::new(format!("{id}: {key} was {theirs} and is {ours} with us")));
        }
    }
    Ok(())
}

/// What is compared of a file.
fn file(path: &Value, priority: &Value) -> Value {
    json!({ "path": path, "priority": priority })
}

fn qbittorrent(room: &Room<'_>, format: Format) -> Outcome<Measure> {
    let (household, profile) = (Household::new(room, format)?, room.home("qbittorrent")?);
    let mut client = Qbittorrent::start(&profile, room.deadline)?;
    let [whole_dir, empty_dir] =
        [&household.whole_dir, &household.empty_dir].map(|dir| dir.display().to_string());
    let category = [("category", "films"), ("savePath", &whole_dir)];
    client.call("torrents/createCategory", &category, None)?;
    let whole = [
        ("savepath", whole_dir.as_str()),
        ("skip_checking", "true"),
        ("category", "films"),
        ("tags", "one,two"),
        ("ratioLimit", "1.5"),
        ("upLimit", "100000"),
    ];
    client.call("torrents/add", &whole, Some(&household.whole.path))?;
    let empty = [
        ("savepath", empty_dir.as_str()),
        ("paused", "true"),
        ("rename", "another name"),
        ("ratioLimit", "-1"),
        ("seedingTimeLimit", "90"),
        ("dlLimit", "50000"),
    ];
    client.call("torrents/add", &empty, Some(&household.empty.path))?;
    let settled = |torrents: &[Value]| {
        let has = |state| torrents.iter().any(|torrent| torrent["state"] == state);
        has("stalledUP") && has("pausedDL")
    };
    let torrents = room.deadline.poll("qBittorrent has both torrents", || {
        Ok(Some(client.torrents()?).filter(|torrents| settled(torrents)))
    })?;
    // It names torrents by a part of the v2 info-hash where there is one.
    let empty = torrents.iter().find(|torrent| torrent["state"] == "pausedDL");
    let empty = empty.and_then(|torrent| torrent["hash"].as_str()).unwrap_or_default();
    let empty = ("hash", empty);
    for (files, priority) in [("1|3", "0"), ("2", "7"), ("4", "6")] {
        client.call("torrents/filePrio", &[empty, ("id", files), ("priority", priority)], None)?;
    }
    let names = [("oldPath", "halves/keep-0.bin"), ("newPath", "halves/sub/kept.bin")];
    client.call("torrents/renameFile", &[empty, names[0], names[1]], None)?;
    room.deadline.poll("qBittorrent has renamed a file", || {
        let files = client.files(empty.1)?;
        Ok(files.iter().any(|file| file["name"] == names[1].1).then_some(()))
    })?;
    let mut theirs = Vec::new();
    for torrent in &torrents {
        let files = client.files(torrent["hash"].as_str().unwrap_or_default())?;
        theirs.push(of_qbittorrent(torrent, &files));
    }
    written(&profile, "halves/sub/kept.bin", room)?;
    client.stop()?;
    household.moves(room, Foreign::Qbittorrent, &profile, &theirs)
}

/// Waits until qBittorrent has written what was changed last: stopped too soon after a change it forgets it.
fn written(profile: &Path, name: &str, room: &Room<'_>) -> Outcome<()> {
    let dir = profile.join("qBittorrent/data/BT_backup");
    room.deadline.poll("qBittorrent has written its resume data", || {
        let entries = fs::read_dir(&dir).context(|| format!("cannot list {}", dir.display()))?;
        let mut files = entries.flatten().map(|entry| entry.path());
        let is_written = files.any(|path| {
            let is_resume = path.extension().is_some_and(|it| it == "fastresume");
            let bytes = if is_resume { fs::read(path).unwrap_or_default() } else { Vec::new() };
            bytes.windows(name.len()).any(|window| window == name.as_bytes())
        });
        Ok(is_written.then_some(()))
    })
}

/// An element of `torrents/info`, and of it `torrents/files`, as our `info` and `files` would tell them.
fn of_qbittorrent(torrent: &Value, files: &[Value]) -> Value {
    let files = files.iter().map(|it| match it["priority"].as_u64() {
        Some(1) => file(&it["name"], &json!(NORMAL)),
        _ => file(&it["name"], &it["priority"]),
    });
    let limit = |key: &str| match torrent[key].as_i64() {
        Some(limit) if limit > 0 => json!(limit),
        _ => Value::Null,
    };
    let tags = torrent["tags"].as_str().unwrap_or_default();
    let mut tags: Vec<&str> = tags.split(", ").filter(|tag| !tag.is_empty()).collect();
    tags.sort_unstable();
    let text = |key: &str| torrent[key].as_str().filter(|text| !text.is_empty());
    let save_path = torrent["save_path"].as_str().unwrap_or_default();
    json!({
        "info_hash_v1": text("infohash_v1"),
        "info_hash_v2": text("infohash_v2"),
        "files": files.collect::<Vec<_>>(),
        "name": torrent["name"],
        "save_path": save_path.trim_end_matches('/'),
        "category": text("category"),
        "tags": tags,
        "share_ratio_milli": share(&torrent["ratio_limit"], 1000.0),
        "share_seeding_minutes": share(&torrent["seeding_time_limit"], 1.0),
        "up_limit": limit("up_limit"),
        "down_limit": limit("dl_limit"),
        "added_at": torrent["added_on"],
        "stage": stage(torrent["state"] == "pausedDL"),
        "progress_milli": milli(&torrent["progress"]),
    })
}

/// A limit in which -2 is that of all torrents, and -1 none.
fn share(limit: &Value, scale: f64) -> Value {
    match limit.as_f64() {
        Some(-2.0) | None => json!("global"),
        Some(limit) if limit < 0.0 => json!("unlimited"),
        Some(limit) => json!((limit * scale).round() as u64),
    }
}

fn milli(share: &Value) -> u64 {
    (share.as_f64().unwrap_or_default() * 1000.0) as u64
}

/// A torrent that is not stopped is whole here.
const fn stage(is_stopped: bool) -> &'static str {
    if is_stopped { "stopped" } else { "seeding" }
}

fn transmission(room: &Room<'_>) -> Outcome<Measure> {
    let (household, profile) = (Household::new(room, Format::V1)?, room.home("transmission")?);
    let job = Job::new(&household.whole, &household.whole_dir, &profile);
    let mut client = Transmission.start_empty(&job, room.deadline)?;
    let add = |client: &mut TransmissionPeer, torrent: &Torrent, dir: &Path, paused: bool| {
        client.call(
            "torrent-add",
            &json!({ "filename": torrent.path, "download-dir": dir, "paused": paused }),
        )
    };
    add(&mut client, &household.whole, &household.whole_dir, false)?;
    add(&mut client, &household.empty, &household.empty_dir, true)?;
    client.call(
        "torrent-set",
        &json!({
            "ids": [household.whole.printed_hash()], "labels": ["one", "two"],
            "seedRatioLimit": 1.5, "seedRatioMode": 1, "uploadLimit": 100, "uploadLimited": true,
        }),
    )?;
    client.call(
        "torrent-set",
        &json!({
            "ids": [household.empty.printed_hash()], "seedRatioMode": 2,
            "seedIdleLimit": 45, "seedIdleMode": 1, "downloadLimit": 50, "downloadLimited": true,
            "files-unwanted": [1, 3], "priority-high": [2], "priority-low": [4],
        }),
    )?;
    let torrents = room.deadline.poll("transmission has both torrents", || {
        let told = client.call("torrent-get", &json!({ "fields": OF_TRANSMISSION }))?;
        let torrents = told["torrents"].as_array().cloned().unwrap_or_default();
        let settled = torrents.iter().all(|it| it["status"] == 0 || it["status"] == 6);
        Ok(Some(torrents).filter(|_| settled))
    })?;
    client.stop()?;
    let theirs: Vec<Value> = torrents.iter().map(of_transmission).collect();
    household.moves(room, Foreign::Transmission, &profile, &theirs)
}

const OF_TRANSMISSION: [&str; 17] = [
    "hashString",
    "name",
    "downloadDir",
    "labels",
    "seedRatioLimit",
    "seedRatioMode",
    "seedIdleLimit",
    "seedIdleMode",
    "uploadLimit",
    "uploadLimited",
    "downloadLimit",
    "downloadLimited",
    "addedDate",
    "status",
    "percentDone",
    "files",
    "fileStats",
];

/// Transmission 3.00 writes characters of five digits as `\u1f3bc`, which is one of four and a letter.
fn mended(name: &Value) -> Value {
    json!(name.as_str().unwrap_or_default().replace("\u{1f3b}c", "\u{1f3bc}"))
}

/// A torrent of `torrent-get` as our `info` and `files` would tell it. Its rates are thousands of bytes a
/// second.
fn of_transmission(torrent: &Value) -> Value {
    let rate = |on: &str, key: &str| match torrent[on].as_bool() {
        Some(true) => json!(torrent[key].as_u64().unwrap_or_default() * 1000),
        _ => Value::Null,
    };
    let own = |mode: &str, key: &str, scale| match torrent[mode].as_u64() {
        Some(1) => share(&torrent[key], scale),
        Some(2) => json!("unlimited"),
        _ => json!("global"),
    };
    let priority = |of: &Value| match (of["wanted"].as_bool(), of["priority"].as_i64()) {
        (Some(false), _) => json!(0),
        (_, Some(-1)) => json!(2),
        (_, Some(1)) => json!(6),
        _ => json!(NORMAL),
    };
    let [files, stats] =
        ["files", "fileStats"].map(|key| torrent[key].as_array().into_iter().flatten());
    let files = files.zip(stats).map(|(it, of)| file(&mended(&it["name"]), &priority(of)));
    json!({
        "info_hash_v1": torrent["hashString"],
        "files": files.collect::<Vec<_>>(),
        "name": torrent["name"],
        "save_path": torrent["downloadDir"],
        "category": null,
        "tags": torrent["labels"],
        "share_ratio_milli": own("seedRatioMode", "seedRatioLimit", 1000.0),
        "share_inactive_minutes": own("seedIdleMode", "seedIdleLimit", 1.0),
        "up_limit": rate("uploadLimited", "uploadLimit"),
        "down_limit": rate("downloadLimited", "downloadLimit"),
        "added_at": torrent["addedDate"],
        "stage": stage(torrent["status"] == 0),
        "progress_milli": milli(&torrent["percentDone"]),
    })
}
