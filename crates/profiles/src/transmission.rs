//! Transmission's `torrents/NAME.torrent` beside `resume/NAME.resume`.

use crate::fields::{count, flag, folder, numbers, positive, read, text, texts};
use crate::{ImportError, Imported};
use piecework_bencode::Value;
use piecework_catalog::{Limit, Place, Record, ShareLimits, Totals};
use std::collections::BTreeMap;

/// Reads one torrent: its resume data and its torrent file.
///
/// # Errors
/// When the resume data cannot be read, or does not say a folder.
pub fn transmission(resume: &[u8], metainfo: &[u8]) -> Result<Imported, ImportError> {
    let document = read(resume)?;
    let root = document.root();
    let save_path = folder(text(root, "destination")).ok_or(ImportError::Homeless)?;
    let incomplete_path = folder(text(root, "incomplete-dir")).filter(|path| *path != save_path);
    let is_whole = is_whole(root);
    let name = text(root, "name");
    let record = Record {
        is_renamed: name.is_some(),
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
        wants_check: !is_whole,
        is_trusted: is_whole,
        ..Record::default()
    };
    Ok(Imported { record, metainfo: Some(metainfo.to_vec()) })
}

/// Whether it had everything: `progress` has `blocks` or `have` as the word `all`.
fn is_whole(root: Value<'_>) -> bool {
    let Some(progress) = root.get("progress") else { return false };
    ["blocks", "have", "bitfield"].iter().any(|key| text(progress, key).as_deref() == Some("all"))
}

/// Bytes a second where a limit of its own is in force. Older versions wrote KiB.
fn rate(root: Value<'_>, key: &str) -> Option<u64> {
    let limit = root.get(key)?;
    if !flag(limit, "use-speed-limit") {
        return None;
    }
    let older = || Some(positive(limit, "speed")?.saturating_mul(1024));
    positive(limit, "speed-Bps").or_else(older)
}

/// Modes: 0 that of all torrents, 1 its own, 2 none.
fn share(root: Value<'_>) -> ShareLimits {
    let own = |list: &str, mode: &str, value: &dyn Fn(Value<'_>) -> Option<u32>| {
        let Some(limit) = root.get(list) else { return Limit::Global };
        match limit.get(mode).and_then(Value::as_i64) {
            Some(1) => value(limit).map_or(Limit::Global, Limit::Of),
            Some(2) => Limit::Unlimited,
            _ => Limit::Global,
        }
    };
    let ratio = |limit: Value<'_>| thousandths(&text(limit, "ratio-limit")?);
    let minutes = |limit: Value<'_>| u32::try_from(count(limit, "idle-limit")?).ok();
    ShareLimits {
        ratio_milli: own("ratio-limit", "ratio-mode", &ratio),
        inactive_minutes: own("idle-limit", "idle-mode", &minutes),
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
