//! qBittorrent's `BT_backup`: `HASH.torrent` beside a file of libtorrent's resume data, with
//! keys of its own.

use crate::fields::{count, flag, folder, limit, numbers, positive, read, text, texts};
use crate::{ImportError, Imported, trees};
use piecework_bencode::Value;
use piecework_catalog::{Place, Record, ShareLimits, Totals};
use std::collections::BTreeMap;

/// The share ratio in thousandths that stands for that of all torrents; for times it is -2.
const GLOBAL_RATIO: i64 = -2000;
const GLOBAL_MINUTES: i64 = -2;

/// Behind the names of unfinished files, if that is set.
const ENDING: &str = ".!qB";

/// The folder that versions before 4.6 put unwanted files into.
const UNWANTED: &str = ".unwanted";

/// Reads one torrent: its resume data and, unless it is a magnet link still, its torrent file.
///
/// # Errors
/// When the resume data cannot be read, or says neither a folder nor a name.
pub fn qbittorrent(resume: &[u8], metainfo: Option<&[u8]>) -> Result<Imported, ImportError> {
    let document = read(resume)?;
    let root = document.root();
    let own = |key: &str| folder(text(root, key));
    let save_path = own("qBt-savePath").or_else(|| own("save_path"));
    let lies_in = own("save_path");
    let save_path = save_path.ok_or(ImportError::Homeless)?;
    let incomplete_path = own("qBt-downloadPath").filter(|path| *path != save_path);
    let is_incomplete = incomplete_path.is_some() && lies_in == incomplete_path;
    let hash = |key: &str, bytes: usize| {
        let found = root.get(key)?.as_bytes().filter(|found| found.len() == bytes)?;
        found.iter().any(|byte| *byte != 0).then(|| hex(found))
    };
    let (v1, v2) = (hash("info-hash", 20), hash("info-hash2", 32));
    if metainfo.is_none() && v1.is_none() && v2.is_none() {
        return Err(ImportError::Nameless);
    }
    let is_whole = is_whole(root);
    let name = text(root, "qBt-name");
    let files = metainfo.and_then(trees::file_numbers);
    let mapped = renamed(in_our_order(texts(root, "mapped_files"), files.as_deref()));
    let record = Record {
        magnet: metainfo.is_none().then(|| magnet(v1.as_deref(), v2.as_deref())),
        v1,
        v2,
        is_renamed: name.is_some(),
        name: name.or_else(|| text(root, "name")).unwrap_or_default(),
        added_at: positive(root, "added_time").unwrap_or_default(),
        completed_at: positive(root, "completed_time"),
        is_complete: is_whole,
        // Who is not looked after by a queue runs by force, or not at all.
        is_stopped: flag(root, "paused") && !flag(root, "auto_managed"),
        is_forced: !flag(root, "paused") && !flag(root, "auto_managed"),
        queue: u32::try_from(count(root, "qBt-queuePosition").unwrap_or_default())
            .unwrap_or_default(),
        category: text(root, "qBt-category"),
        tags: texts(root, "qBt-tags").into_iter().collect(),
        save_path,
        incomplete_path,
        place: if is_incomplete { Place::Incomplete } else { Place::Final },
        down_limit: rate(root, "download_rate_limit"),
        up_limit: rate(root, "upload_rate_limit"),
        share: ShareLimits {
            ratio_milli: limit(root.get("qBt-ratioLimit").and_then(Value::as_i64), GLOBAL_RATIO),
            seeding_minutes: minutes(root, "qBt-seedingTimeLimit"),
            inactive_minutes: minutes(root, "qBt-inactiveSeedingTimeLimit"),
            ..ShareLimits::default()
        },
        is_sequential: flag(root, "sequential_download"),
        edges_first: flag(root, "qBt-firstLastPiecePriority"),
        is_super_seed: flag(root, "super_seeding"),
        priorities: priorities(&in_our_order(numbers(root, "file_priority"), files.as_deref())),
        paths: mapped.iter().map(|(file, path)| (*file, unmarked(path))).collect(),
        trackers: tiers(root),
        totals: totals(root),
        wants_check: !is_whole,
        is_trusted: is_whole,
        ..Record::default()
    };
    let whole =
        |torrent: &[u8]| trees::with_layers(torrent, root).unwrap_or_else(|| torrent.to_vec());
    let metainfo = metainfo.map(whole);
    let marked = mapped.into_iter().filter(|(_, path)| unmarked(path) != *path).collect();
    Ok(Imported { record, metainfo, marked, ending: None })
}

fn totals(root: Value<'_>) -> Totals {
    Totals {
        down_bytes: count(root, "total_downloaded").unwrap_or_default(),
        up_bytes: count(root, "total_uploaded").unwrap_or_default(),
        active_seconds: count(root, "active_time").unwrap_or_default(),
        seeding_seconds: count(root, "seeding_time").unwrap_or_default(),
        seen_complete_at: positive(root, "last_seen_complete"),
        ..Totals::default()
    }
}

/// The path without what says that a file is unfinished, or not wanted.
fn unmarked(path: &str) -> String {
    let path = path.strip_suffix(ENDING).unwrap_or(path);
    let parts = path.split('/').filter(|part| *part != UNWANTED);
    parts.collect::<Vec<_>>().join("/")
}

/// Whether it had every piece.
fn is_whole(root: Value<'_>) -> bool {
    let pieces = root.get("pieces").and_then(Value::as_bytes).unwrap_or_default();
    !pieces.is_empty() && pieces.iter().all(|piece| piece & 1 == 1)
}

fn minutes(root: Value<'_>, key: &str) -> piecework_catalog::Limit<u32> {
    limit(root.get(key).and_then(Value::as_i64), GLOBAL_MINUTES)
}

/// Bytes a second; none is -1 or 0.
fn rate(root: Value<'_>, key: &str) -> Option<u64> {
    // Some versions write -1 as an unsigned number of 32 bits.
    positive(root, key).filter(|rate| *rate < u64::from(u32::MAX >> 1))
}

/// A list with an element for each file, by our numbers of files, which stand for these of libtorrent's.
fn in_our_order<T: Clone>(list: Vec<T>, files: Option<&[usize]>) -> Vec<T> {
    let Some(files) = files else { return list };
    files.iter().map_while(|file| list.get(*file).cloned()).collect()
}

/// libtorrent's 0 to 7, in which qBittorrent calls 1 and 4 normal.
fn priorities(list: &[i64]) -> BTreeMap<u32, u8> {
    let changed = |(file, priority): (usize, &i64)| {
        let ours = match priority {
            0 => 0,
            6 | 7 => u8::try_from(*priority).ok()?,
            _ => return None,
        };
        Some((u32::try_from(file).ok()?, ours))
    };
    list.iter().enumerate().filter_map(changed).collect()
}

/// Files that were given another path, below the torrent's folder.
fn renamed(paths: Vec<String>) -> BTreeMap<u32, String> {
    let files = paths.into_iter().enumerate();
    files
        .filter(|(_, path)| !path.is_empty())
        .filter_map(|(file, path)| Some((u32::try_from(file).ok()?, path)))
        .collect()
}

fn tiers(root: Value<'_>) -> Option<Vec<Vec<String>>> {
    let tiers = root.get("trackers")?.as_list()?;
    let tier = |tier: Value<'_>| {
        let urls = tier.as_list().into_iter().flatten();
        urls.filter_map(|url| Some(url.as_str()?.to_owned())).collect::<Vec<_>>()
    };
    let tiers: Vec<Vec<String>> = tiers.map(tier).filter(|tier| !tier.is_empty()).collect();
    (!tiers.is_empty()).then_some(tiers)
}

fn magnet(v1: Option<&str>, v2: Option<&str>) -> String {
    let v1 = v1.map(|v1| format!("xt=urn:btih:{v1}"));
    let v2 = v2.map(|v2| format!("xt=urn:btmh:1220{v2}"));
    let names: Vec<String> = v1.into_iter().chain(v2).collect();
    format!("magnet:?{}", names.join("&"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use piecework_bencode::{DictWriter, encode_dict};
    use piecework_catalog::Limit;

    fn resume(fill: impl FnOnce(&mut DictWriter<'_>)) -> Vec<u8> {
        encode_dict(|dict| {
            dict.bytes("save_path", "/data/films/");
            fill(dict);
        })
    }

    #[test]
    fn folders_limits_totals_and_names_are_taken_over() {
        let bytes = resume(|dict| {
            dict.bytes("qBt-category", "films");
            dict.bytes("qBt-downloadPath", "/data/part");
            dict.int("qBt-ratioLimit", 1500);
            dict.bytes("qBt-savePath", "/data/films");
            dict.int("qBt-seedingTimeLimit", -1);
            dict.list("qBt-tags", |list| list.bytes("new"));
            dict.int("added_time", 1_600_000_000);
            dict.int("auto_managed", 1);
            dict.list("file_priority", |list| [0, 1, 4, 7].into_iter().for_each(|it| list.int(it)));
            dict.int("paused", 0);
            dict.bytes("pieces", [1, 1, 3]);
            dict.int("total_uploaded", 77);
            dict.int("upload_rate_limit", -1);
        });
        let Imported { record, .. } = qbittorrent(&bytes, Some(b"d4:infodee")).unwrap();
        assert_eq!((record.save_path.as_str(), record.place), ("/data/films", Place::Final));
        assert_eq!(record.incomplete_path.as_deref(), Some("/data/part"));
        assert_eq!(record.category.as_deref(), Some("films"));
        assert_eq!(record.share.ratio_milli, Limit::Of(1500));
        assert_eq!(record.share.seeding_minutes, Limit::Unlimited);
        assert_eq!(record.share.inactive_minutes, Limit::Global);
        assert_eq!(record.priorities, [(0, 0), (3, 7)].into());
        assert!(record.is_complete && record.is_trusted && !record.wants_check);
        assert!(!record.is_stopped && !record.is_forced);
        assert_eq!((record.totals.up_bytes, record.up_limit), (77, None));
        assert!(record.tags.contains("new"));
    }

    #[test]
    fn what_is_not_whole_is_checked_and_not_trusted() {
        let bytes = resume(|dict| {
            dict.int("paused", 1);
            dict.bytes("pieces", [1, 0]);
        });
        let record = qbittorrent(&bytes, Some(b"")).unwrap().record;
        assert!(record.wants_check && !record.is_trusted && record.is_stopped);
    }

    #[test]
    fn marks_of_unfinished_and_unwanted_files_are_no_part_of_their_names() {
        let bytes = resume(|dict| {
            dict.list("mapped_files", |list| {
                let paths = ["x/a.!qB", "x/.unwanted/b.!qB", "", "x/renamed"];
                paths.iter().for_each(|path| list.bytes(path));
            });
        });
        let Imported { record, marked, .. } = qbittorrent(&bytes, Some(b"")).unwrap();
        let paths = |paths: &[(u32, &str)]| -> BTreeMap<u32, String> {
            paths.iter().map(|(file, path)| (*file, (*path).to_owned())).collect()
        };
        assert_eq!(record.paths, paths(&[(0, "x/a"), (1, "x/b"), (3, "x/renamed")]));
        assert_eq!(marked, paths(&[(0, "x/a.!qB"), (1, "x/.unwanted/b.!qB")]));
    }

    #[test]
    fn a_magnet_link_keeps_its_name_and_what_has_none_is_refused() {
        let bytes = resume(|dict| dict.bytes("info-hash", [0xab; 20]));
        let imported = qbittorrent(&bytes, None).unwrap();
        assert_eq!(
            imported.record.magnet.unwrap(),
            format!("magnet:?xt=urn:btih:{}", "ab".repeat(20))
        );
        assert_eq!(qbittorrent(&resume(|_| ()), None).unwrap_err(), ImportError::Nameless);
        let homeless = encode_dict(|dict| dict.bytes("save_path", "C:\\films"));
        assert_eq!(qbittorrent(&homeless, Some(b"")).unwrap_err(), ImportError::Homeless);
        assert!(matches!(qbittorrent(b"junk", None), Err(ImportError::Resume(_))));
    }
}
