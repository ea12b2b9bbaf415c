//! The folder in which another client keeps its torrents: which files belong together, and in which order.
//!
//! It reads that folder and changes nothing in it. It blocks on drives: never called on the daemon's thread.

use crate::import::ImportFrom;
use piecework_catalog::Category;
use piecework_profiles::{ImportError, Imported, PROFILE_BYTES_MAX, qbittorrent, transmission};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Torrents of a profile; what is beyond is refused.
const TORRENTS_MAX: usize = piecework_catalog::TORRENTS_MAX;

/// One torrent of a profile, not read yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    /// What the other client calls its files: the info-hash, or a name with a part of it.
    pub(crate) name: String,
    resume: PathBuf,
    /// Not there for a magnet link whose info dictionary has not come yet; Transmission 4 has `.magnet` then.
    torrent: PathBuf,
}

/// What a profile holds.
#[derive(Debug)]
pub(crate) struct Profile {
    /// In the order of the other client's queue.
    pub(crate) entries: Vec<Entry>,
    pub(crate) categories: BTreeMap<String, Category>,
}

/// Looks through a profile.
///
/// # Errors
/// When there is none at this path, in words.
pub(crate) fn open(from: ImportFrom, path: &Path) -> Result<Profile, String> {
    let (resumes, torrents, ending) = match from {
        ImportFrom::Qbittorrent => {
            // The profile itself, its data folder (where ~/.local/share is one), or the very folder.
            let below = ["qBittorrent/data/BT_backup", "data/BT_backup", "BT_backup", ""];
            let is_profile = |folder: &PathBuf| folder.ends_with("BT_backup") && folder.is_dir();
            let found = below.iter().map(|below| path.join(below)).find(is_profile);
            let folder = found.ok_or_else(|| {
                format!(
                    "no folder BT_backup in {}: give the folder that has it, often \
                     ~/.local/share/qBittorrent",
                    path.display()
                )
            })?;
            (folder.clone(), folder, "fastresume")
        }
        ImportFrom::Transmission => {
            let (resumes, torrents) = (path.join("resume"), path.join("torrents"));
            if !resumes.is_dir() || !torrents.is_dir() {
                return Err(format!(
                    "no folders torrents and resume in {}: give the folder that has both, often \
                     ~/.config/transmission-daemon",
                    path.display()
                ));
            }
            (resumes, torrents, "resume")
        }
    };
    let entries = entries(&resumes, &torrents, ending)
        .map_err(|error| format!("{}: {error}", resumes.display()))?;
    if entries.len() > TORRENTS_MAX {
        return Err(format!("{} has more than {TORRENTS_MAX} torrents", resumes.display()));
    }
    let mut profile = Profile { entries, categories: BTreeMap::new() };
    if from == ImportFrom::Qbittorrent {
        profile.categories = categories(path)?;
        let queued = |entry: &Entry| Some(read(from, entry).ok()?.record.queue);
        // Complete torrents are in no queue and count as first; what cannot be read is told last.
        profile.entries.sort_by_cached_key(|entry| queued(entry).unwrap_or(u32::MAX));
    }
    Ok(profile)
}

/// Reads one torrent.
///
/// # Errors
/// Why it cannot be taken over, in words.
pub(crate) fn read(from: ImportFrom, entry: &Entry) -> Result<Imported, String> {
    let cannot = |error: io::Error| format!("its files cannot be read: {error}");
    let resume = bounded(&entry.resume).map_err(cannot)?;
    let there = |path: &Path| match bounded(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        torrent => torrent.map(Some).map_err(cannot),
    };
    let mut torrent = there(&entry.torrent)?;
    if torrent.is_none() && from == ImportFrom::Transmission {
        torrent = there(&entry.torrent.with_extension("magnet"))?;
    }
    let imported = match (from, torrent) {
        (ImportFrom::Qbittorrent, torrent) => qbittorrent(&resume, torrent.as_deref()),
        (ImportFrom::Transmission, Some(torrent)) => transmission(&resume, &torrent),
        (ImportFrom::Transmission, None) => Err(ImportError::Nameless),
    };
    imported.map_err(|error| error.to_string())
}

/// Pairs by the name that both files have, in the order of names.
fn entries(resumes: &Path, torrents: &Path, ending: &str) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for found in fs::read_dir(resumes)?.take(2 * TORRENTS_MAX + 2) {
        let resume = found?.path();
        let is_resume = resume.extension().is_some_and(|found| found == ending);
        let Some(name) = resume.file_stem().filter(|_| is_resume) else { continue };
        let mut torrent = torrents.join(name);
        torrent.as_mut_os_string().push(".torrent");
        let name = name.to_string_lossy().into_owned();
        entries.push(Entry { name, resume, torrent });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Those of `categories.json`, which lies in qBittorrent's folder of settings: in the profile, or beside the
/// data in ~/.config.
fn categories(path: &Path) -> Result<BTreeMap<String, Category>, String> {
    let mut places: Vec<PathBuf> = path
        .ancestors()
        .take(4)
        .flat_map(|above| [above.join("qBittorrent/config"), above.join("config"), above.into()])
        .collect();
    // ~/.local/share/qBittorrent belongs to ~/.config/qBittorrent.
    let home = path.ancestors().find(|above| above.join(".local/share").is_dir());
    places.extend(home.map(|home| home.join(".config/qBittorrent")));
    let Some(file) =
        places.iter().map(|place| place.join("categories.json")).find(|it| it.is_file())
    else {
        return Ok(BTreeMap::new());
    };
    let doing = |error: &dyn std::fmt::Display| {
        format!("{}: {error}; move it away to do without", file.display())
    };
    let bytes = bounded(&file).map_err(|error| doing(&error))?;
    let all: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&bytes).map_err(|error| doing(&error))?;
    let text = |category: &serde_json::Value, key: &str| {
        let text = category.get(key)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    let category = |found: &serde_json::Value| Category {
        save_path: text(found, "save_path").or_else(|| text(found, "savePath")).unwrap_or_default(),
        incomplete_path: text(found, "download_path"),
    };
    Ok(all.iter().map(|(name, found)| (name.clone(), category(found))).collect())
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(PROFILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > PROFILE_BYTES_MAX {
        return Err(io::Error::other(format!("over {PROFILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}
