//! Torrents that the other client was in the middle of: a part of the data in a folder for those, files that
//! it marks by their names, a file that a person renamed, a magnet whose metadata has not come.
//!
//! The data are laid down by this program, with the names that the other client gives to unfinished files; it
//! takes them over by its own check before its profile is read.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{OF_TRANSMISSION, milli, moves, of_qbittorrent, of_transmission, written};
use crate::failure::{Context as _, Failure, Outcome};
use crate::lab::{Maker, Room};
use crate::matrix::Measure;
use crate::peers::qbittorrent::Qbittorrent;
use crate::peers::transmission::Transmission;
use crate::peers::{Foreign, Job, Peer as _};
use crate::torrent::{Format, Recipe, Torrent};

/// The file that is there by half.
const HALF: &str = "halves/leave-1.bin";

/// What the other client has.
struct Unfinished {
    part: Torrent,
    magnet: String,
    /// Of the magnet.
    hash: String,
    /// Where what is whole would go.
    done_dir: PathBuf,
    /// Where the rest lies until then.
    part_dir: PathBuf,
    ending: &'static str,
}

impl Unfinished {
    fn new(room: &Room<'_>, ending: &'static str) -> Outcome<Self> {
        let torrent = |payload| room.torrent(&Recipe::new(payload, Format::V1), Maker::Libtorrent);
        let other = torrent(room.lab.single()?)?;
        let unfinished = Self {
            part: torrent(room.lab.halves()?)?,
            magnet: other.magnet(&[]),
            hash: other.printed_hash().to_owned(),
            done_dir: room.dir("done")?,
            part_dir: room.dir("part")?,
            ending,
        };
        unfinished.lay(room.lab.halves()?.parent())?;
        Ok(unfinished)
    }

    /// One file whole, and another by half under the name of an unfinished one.
    fn lay(&self, from: &Path) -> Outcome<()> {
        let told = || "laying down a part of the data";
        fs::create_dir_all(self.part_dir.join("halves")).context(told)?;
        let whole = "halves/keep-0.bin";
        fs::copy(from.join(whole), self.part_dir.join(whole)).context(told)?;
        let mut bytes = fs::read(from.join(HALF)).context(told)?;
        let length = bytes.len() as u64;
        bytes.truncate(bytes.len() / 2);
        let mut file = fs::File::create(self.marked()).context(told)?;
        file.write_all(&bytes).context(told)?;
        file.write_all_at(&[0], length - 1).context(told)
    }

    /// Where the unfinished file is.
    fn marked(&self) -> PathBuf {
        self.part_dir.join(format!("{HALF}{}", self.ending))
    }

    fn takes(
        &self,
        room: &Room<'_>,
        from: Foreign,
        profile: &Path,
        theirs: &[Value],
    ) -> Outcome<Measure> {
        if !self.marked().is_file() {
            return Err(Failure::new(format!("{from} does not mark {HALF} as unfinished")));
        }
        let roots = [self.part_dir.as_path(), &self.done_dir];
        let measure = moves(room, &roots, 0, from, profile, theirs)?;
        if self.marked().exists() || !self.part_dir.join(HALF).is_file() {
            return Err(Failure::new(format!("{HALF} has not got its name back")));
        }
        Ok(measure)
    }

    /// What is compared, with the stages of what is not whole.
    fn as_ours(&self, mut theirs: Value) -> Value {
        let is_magnet = theirs["info_hash_v1"] == self.hash;
        theirs["stage"] = json!(if is_magnet { "metadata" } else { "downloading" });
        theirs["incomplete_path"] = json!(self.part_dir);
        theirs
    }
}

pub(super) fn qbittorrent(room: &Room<'_>) -> Outcome<Measure> {
    let (torrents, profile) = (Unfinished::new(room, ".!qB")?, room.home("qbittorrent")?);
    let mut client = Qbittorrent::start(&profile, room.deadline)?;
    let preferences = json!({
        "save_path": torrents.done_dir, "temp_path": torrents.part_dir,
        "temp_path_enabled": true, "incomplete_files_ext": true,
    });
    client.call("app/setPreferences", &[("json", &preferences.to_string())], None)?;
    client.call("torrents/add", &[("autoTMM", "false")], Some(&torrents.part.path))?;
    client.call("torrents/add", &[("autoTMM", "false"), ("urls", &torrents.magnet)], None)?;
    let known = room.deadline.poll("qBittorrent knows what is there", || {
        let all = client.torrents()?;
        let has = |state: &str| all.iter().any(|torrent| torrent["state"] == state);
        let is_part = all.iter().any(|torrent| milli(&torrent["progress"]) > 0);
        Ok((is_part && has("stalledDL") && has("metaDL")).then_some(all))
    })?;
    let mut theirs = Vec::new();
    for torrent in &known {
        let files = match torrent["state"] == "metaDL" {
            true => Vec::new(),
            false => client.files(torrent["hash"].as_str().unwrap_or_default())?,
        };
        theirs.push(torrents.as_ours(of_qbittorrent(torrent, &files)));
    }
    written(&profile, ".!qB", room)?;
    client.stop()?;
    torrents.takes(room, Foreign::Qbittorrent, &profile, &theirs)
}

pub(super) fn transmission(room: &Room<'_>) -> Outcome<Measure> {
    let (torrents, profile) = (Unfinished::new(room, ".part")?, room.home("transmission")?);
    let job = Job::new(&torrents.part, &torrents.done_dir, &profile);
    let mut client = Transmission.start_empty(&job, room.deadline)?;
    client.call(
        "session-set",
        &json!({
            "incomplete-dir": torrents.part_dir, "incomplete-dir-enabled": true,
            "rename-partial-files": true,
        }),
    )?;
    client.call("torrent-add", &json!({ "filename": torrents.part.path }))?;
    client.call("torrent-add", &json!({ "filename": torrents.magnet }))?;
    let told = |client: &mut crate::peers::transmission::TransmissionPeer| {
        let told = client.call("torrent-get", &json!({ "fields": OF_TRANSMISSION }))?;
        Ok::<_, Failure>(told["torrents"].as_array().cloned().unwrap_or_default())
    };
    room.deadline.poll("transmission knows what is there", || {
        let all = told(&mut client)?;
        let is_known = all.iter().any(|it| it["status"] == 4 && milli(&it["percentDone"]) > 0);
        Ok((is_known && all.len() == 2).then_some(()))
    })?;
    client.call(
        "torrent-rename-path",
        &json!({
            "ids": [torrents.part.printed_hash()], "path": "halves/keep-0.bin", "name": "kept.bin",
        }),
    )?;
    let all = room.deadline.poll("transmission has renamed a file", || {
        let all = told(&mut client)?;
        let is_renamed = json!(all).to_string().contains("halves/kept.bin");
        Ok(is_renamed.then_some(all))
    })?;
    client.stop()?;
    let theirs = all.iter().map(|it| torrents.as_ours(of_transmission(it))).collect::<Vec<_>>();
    torrents.takes(room, Foreign::Transmission, &profile, &theirs)
}
