//! Transmission's `torrents/NAME.torrent` or, from version 4 on for magnet links, `torrents/NAME.magnet`
//! beside `resume/NAME.resume`. Version 4.1 spells keys with `_` where older ones have `-`.

use crate::fields::{count, flag, folder, get, numbers, positive, read, text, texts};
use crate::{ImportError, Imported};
use piecework_bencode::Value;
use piecework_catalog::{Limit, Place, Record, ShareLimits, Totals};
use std::collections::BTreeMap;

/// What it puts behind the names of files that it does not have whole, unless that is switched off.
const ENDING: &str = ".part";

/// Reads one torrent: its resume data and its torrent file, or the file that stands for that of a magnet
/// link whose info dictionary has not come.
///
/// # Errors
/// When the resume data cannot be read, or does not say a folder.
pub fn transmission(resume: &[u8], torrent: &[u8]) -> Result<Imported, ImportError> {
    let document = read(resume)?;
    let root = document.root();
    let magnet = magnet(torrent);
    let save_path = folder(text(root, "destination")).ok_or(ImportError::Homeless)?;
    let incomplete_path = folder(text(root, "incomplete-dir")).filter(|path| *path != save_path);
    let is_whole = is_whole(root);
    let name = text(root, "name");
    let record = Record {
        is_renamed: name.is_some() && magnet.is_none(),
        name: name.unwrap_or_default(),
        added_at: positive(root, "added-date").unwrap_or_default(),
        completed_at: positive(root, "done-date"),
        is_complete: is_whole,
        is_stopped: flag(root, "paused"),
        tags: texts(root, "labels").into_iter().collect(),
        place: match &incomplete_path {
            Some(_) if !is_whole => Place::Incomplete,
            _ => Place::Final,
        },
        save_path,
        incomplete_path,
        down_limit: rate(root, "speed-limit-down"),
        up_limit: rate(root, "speed-limit-up"),
        share: share(root),
        priorities: priorities(&numbers(root, "dnd"), &numbers(root, "priority")),
        totals: Totals {
            down_bytes: count(root, "downloaded").unwrap_or_default(),
            up_bytes: count(root, "uploaded").unwrap_or_default(),
            wasted_bytes: count(root, "corrupt").unwrap_or_default(),
            active_seconds: count(root, "downloading-time-seconds")
                .unwrap_or_default()
                .saturating_add(count(root, "seeding-time-seconds").unwrap_or_default()),
            seeding_seconds: count(root, "seeding-time-seconds").unwrap_or_default(),
            last_activity_at: positive(root, "activity-date"),
            ..Totals::default()
        },
        is_sequential: flag(root, "sequential-download"),
        paths: renamed(texts(root, "files")),
        wants_check: !is_whole && magnet.is_none(),
        is_trusted: is_whole,
        magnet,
        ..Record::default()
    };
    let metainfo = record.magnet.is_none().then(|| torrent.to_vec());
    let ending = (!is_whole).then_some(ENDING);
    Ok(Imported { record, metainfo, marked: BTreeMap::new(), ending })
}

/// The link of a torrent whose info dictionary has not come: as it is, or as version 3 keeps it, in a
/// torrent file without one.
fn magnet(torrent: &[u8]) -> Option<String> {
    if torrent.starts_with(b"magnet:") {
        return Some(String::from_utf8_lossy(torrent).trim().to_owned());
    }
    let document = read(torrent).ok()?;
    let root = document.root();
    let known = root.get("magnet-info").filter(|_| root.get("info").is_none())?;
    let hash = known.get("info_hash")?.as_bytes().filter(|hash| hash.len() == 20)?;
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut link = format!("magnet:?xt=urn:btih:{hex}");
    let name = text(known, "display-name").map(|name| format!("&dn={}", escaped(&name)));
    let tiers = root.get("announce-list").and_then(Value::as_list).into_iter().flatten();
    let urls = tiers.filter_map(Value::as_list).flatten().filter_map(|url| url.as_str());
    let trackers = urls.map(|url| format!("&tr={}", escaped(url)));
    link.extend(name.into_iter().chain(trackers));
    Some(link)
}

/// As it stands in a link: every byte that is no letter or digit by its number (RFC 3986, 2.1).
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Files that a person gave another name: paths with the torrent's folder, empty for those without.
fn renamed(paths: Vec<String>) -> BTreeMap<u32, String> {
    (0..).zip(paths).filter(|(_, path)| !path.is_empty()).collect()
}

/// Whether it had everything: `progress` has `blocks` or `have` as the word `all`.
fn is_whole(root: Value<'_>) -> bool {
    let Some(progress) = get(root, "progress") else { return false };
    ["blocks", "have", "bitfield"].iter().any(|key| text(progress, key).as_deref() == Some("all"))
}

/// Bytes a second where a limit of its own is in force. Older versions wrote KiB.
fn rate(root: Value<'_>, key: &str) -> Option<u64> {
    let limit = get(root, key)?;
    if !flag(limit, "use-speed-limit") {
        return None;
    }
    let older = || Some(positive(limit, "speed")?.saturating_mul(1024));
    positive(limit, "speed-Bps").or_else(older)
}

/// Modes: 0 that of all torrents, 1 its own, 2 none.
fn share(root: Value<'_>) -> ShareLimits {
    let own = |lists: [&str; 2], mode: &str, value: &dyn Fn(Value<'_>) -> Option<u32>| {
        let limit = lists.iter().find_map(|list| get(root, list));
        let Some(limit) = limit else { return Limit::Global };
        match get(limit, mode).and_then(Value::as_i64) {
            Some(1) => value(limit).map_or(Limit::Global, Limit::Of),
            Some(2) => Limit::Unlimited,
            _ => Limit::Global,
        }
    };
    let ratio = |limit: Value<'_>| {
        let value = text(limit, "ratio-limit").or_else(|| text(limit, "seed-ratio-limit"));
        thousandths(&value?)
    };
    let minutes = |limit: Value<'_>| u32::try_from(count(limit, "idle-limit")?).ok();
    ShareLimits {
        ratio_milli: own(["ratio-limit", "seed-ratio-limit"], "ratio-mode", &ratio),
        inactive_minutes: own(["idle-limit"; 2], "idle-mode", &minutes),
        ..ShareLimits::default()
    }
}

/// A decimal such as `1.500000` in thousandths.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, rest) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let digits: String = rest.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u32>().ok()?.checked_mul(1000)?.checked_add(digits.parse().ok()?)
}

/// What is not wanted, and -1 to 1 for low, normal and high.
fn priorities(unwanted: &[i64], priority: &[i64]) -> BTreeMap<u32, u8> {
    let files = unwanted.len().max(priority.len());
    let changed = |file: usize| {
        let ours = match (unwanted.get(file), priority.get(file)) {
            (Some(1), _) => 0,
            (_, Some(-1)) => 2,
            (_, Some(1)) => 6,
            _ => return None,
        };
        Some((u32::try_from(file).ok()?, ours))
    };
    (0..files).filter_map(changed).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use piecework_bencode::encode_dict;

    #[test]
    fn folders_limits_labels_and_totals_are_taken_over() {
        let bytes = encode_dict(|dict| {
            dict.int("added-date", 5);
            dict.bytes("destination", "/srv/done");
            dict.list("dnd", |list| [1, 0, 0].into_iter().for_each(|it| list.int(it)));
            dict.dict("idle-limit", |limit| {
                limit.int("idle-limit", 30);
                limit.int("idle-mode", 2);
            });
            dict.bytes("incomplete-dir", "/srv/part");
            dict.list("labels", |list| list.bytes("radio"));
            dict.int("paused", 1);
            dict.list("priority", |list| [0, -1, 1].into_iter().for_each(|it| list.int(it)));
            dict.dict("progress", |progress| progress.bytes("blocks", "all"));
            dict.dict("ratio-limit", |limit| {
                limit.bytes("ratio-limit", "1.250000");
                limit.int("ratio-mode", 1);
            });
            dict.dict("speed-limit-up", |limit| {
                limit.int("speed-Bps", 50_000);
                limit.int("use-speed-limit", 1);
            });
            dict.int("uploaded", 9);
        });
        let record = transmission(&bytes, b"x").unwrap().record;
        assert_eq!((record.save_path.as_str(), record.place), ("/srv/done", Place::Final));
        assert_eq!(record.share.ratio_milli, Limit::Of(1250));
        assert_eq!(record.share.inactive_minutes, Limit::Unlimited);
        assert_eq!(record.priorities, [(0, 0), (1, 2), (2, 6)].into());
        assert_eq!((record.up_limit, record.down_limit), (Some(50_000), None));
        assert!(record.is_complete && record.is_trusted && record.is_stopped);
        assert!(record.tags.contains("radio"));
    }

    #[test]
    fn keys_with_underscores_are_read_too() {
        let bytes = encode_dict(|dict| {
            dict.int("added_date", 5);
            dict.bytes("destination", "/srv/done");
            dict.bytes("incomplete_dir", "/srv/part");
            dict.dict("seed_ratio_limit", |limit| {
                limit.int("ratio_mode", 1);
                limit.bytes("seed_ratio_limit", "2.500000");
            });
            dict.int("sequential_download", 1);
            dict.dict("speed_limit_up", |limit| {
                limit.int("speed_Bps", 50_000);
                limit.int("use_speed_limit", 1);
            });
        });
        let record = transmission(&bytes, b"x").unwrap().record;
        assert_eq!((record.added_at, record.is_sequential), (5, true));
        assert_eq!(record.incomplete_path.as_deref(), Some("/srv/part"));
        assert_eq!((record.share.ratio_milli, record.up_limit), (Limit::Of(2500), Some(50_000)));
    }

    #[test]
    fn magnets_are_read_in_the_forms_of_both_versions() {
        let resume = encode_dict(|dict| {
            dict.bytes("destination", "/srv/done");
            dict.bytes("name", "a film");
        });
        let old = encode_dict(|dict| {
            dict.list("announce-list", |tiers| {
                tiers.list(|tier| tier.bytes("http://t.example/a"));
            });
            dict.dict("magnet-info", |known| {
                known.bytes("display-name", "a film");
                known.bytes("info_hash", [0xab; 20]);
            });
        });
        let hash = "ab".repeat(20);
        let link =
            format!("magnet:?xt=urn:btih:{hash}&dn=a%20film&tr=http%3A%2F%2Ft%2Eexample%2Fa");
        for (torrent, expected) in
            [(old, link), (b"magnet:?xt=urn:btih:x\n".to_vec(), "magnet:?xt=urn:btih:x".to_owned())]
        {
            let imported = transmission(&resume, &torrent).unwrap();
            assert_eq!(imported.record.magnet, Some(expected));
            assert_eq!((imported.metainfo, imported.record.wants_check), (None, false));
            assert_eq!(
                (imported.record.name.as_str(), imported.record.is_renamed),
                ("a film", false)
            );
        }
    }

    #[test]
    fn renamed_files_keep_their_paths_and_unfinished_ones_may_have_an_ending() {
        let bytes = encode_dict(|dict| {
            dict.bytes("destination", "/srv/done");
            dict.list("files", |list| ["", "x/new"].iter().for_each(|path| list.bytes(path)));
        });
        let imported = transmission(&bytes, b"x").unwrap();
        assert_eq!(imported.record.paths, [(1, "x/new".to_owned())].into());
        assert_eq!(imported.ending, Some(".part"));
    }

    #[test]
    fn an_unfinished_torrent_lies_in_the_folder_for_those_and_is_checked() {
        let bytes = encode_dict(|dict| {
            dict.bytes("destination", "/srv/done");
            dict.bytes("incomplete-dir", "/srv/part");
            dict.dict("progress", |progress| progress.bytes("blocks", [0xff, 0x00]));
        });
        let record = transmission(&bytes, b"x").unwrap().record;
        assert_eq!(record.place, Place::Incomplete);
        assert!(record.wants_check && !record.is_trusted && !record.is_stopped);
    }

    #[test]
    fn decimals_become_thousandths_without_floating_point() {
        assert_eq!(thousandths("2"), Some(2000));
        assert_eq!(thousandths("0.05"), Some(50));
        assert_eq!(thousandths("1,9999"), Some(1999));
        assert_eq!(thousandths("x"), None);
        assert_eq!(thousandths("4294967296"), None);
    }
}
