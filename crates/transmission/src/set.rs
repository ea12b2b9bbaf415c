//! `torrent_set`: what is said changes, the rest stays.

use crate::act::{flag, number, numbers, text, texts};
use crate::dialect::{Answer, Call};
use crate::fault::{Code, Fault};
use crate::select::select;
use crate::serve::Server;
use piecework_catalog::{Command, Limit, Record, TrackerEdit};
use piecework_types::InfoHash;
use serde_json::Value;
use std::collections::BTreeMap;

/// A kilobyte of this dialect.
pub(crate) const KILO: u64 = 1000;

/// Our priority of a file for which nothing was said.
const NORMAL: u8 = 4;

/// Parameters that choose files, with the priority they give. An empty list means all files.
const PRIORITIES: [(&str, u8); 5] = [
    ("files_wanted", NORMAL),
    ("files_unwanted", 0),
    ("priority_high", 7),
    ("priority_normal", NORMAL),
    ("priority_low", 1),
];

pub(crate) async fn set(server: &Server, call: &Call) -> Result<Answer, Fault> {
    let torrents: Vec<(InfoHash, Record)> = {
        let catalog = server.daemon.catalog();
        let ids = select(server, &catalog, call)?.ids;
        let record = |id| Some((id, catalog.get(id)?.record().clone()));
        ids.into_iter().filter_map(record).collect()
    };
    let ids: Vec<InfoHash> = torrents.iter().map(|(id, _)| *id).collect();
    let mut commands = Vec::new();
    if let Some(labels) = texts(call, "labels") {
        commands.push(Command::SetTags(ids.clone(), labels.into_iter().collect()));
    }
    if let Some(is_on) = flag(call, "sequential_download") {
        commands.push(Command::SetSequential(ids.clone(), is_on));
    }
    commands.extend(share(call, &ids));
    for (id, record) in &torrents {
        commands.extend(speeds(call, *id, record));
        commands.extend(trackers(call, *id, record)?);
        let count = record.file_count;
        let priorities = priorities(call, count)?;
        if !priorities.is_empty() {
            commands.push(Command::SetPriorities(*id, priorities.into_iter().collect()));
        }
    }
    for command in commands {
        server.daemon.command(command).await?;
    }
    Ok(Answer::empty())
}

/// The priorities of files that a call gives, by number.
///
/// # Errors
/// When there is no such file.
pub(crate) fn priorities(call: &Call, count: u32) -> Result<BTreeMap<u32, u8>, Fault> {
    let mut priorities = BTreeMap::new();
    for (name, priority) in PRIORITIES {
        let Some(files) = numbers(call, name) else { continue };
        let files = if files.is_empty() { (0..count).collect() } else { files };
        for file in files {
            if file >= count {
                return Err(Fault::new(Code::File, "there is no file of that number"));
            }
            // A file can be wanted and have a priority: what is not normal counts.
            let known = priorities.entry(file).or_insert(priority);
            if priority != NORMAL && *known != 0 {
                *known = priority;
            }
        }
    }
    Ok(priorities)
}

/// A limit has a switch and a number; either may be said alone.
fn speeds(call: &Call, id: InfoHash, record: &Record) -> Vec<Command> {
    let limit = |switch: &str, name: &str, now: Option<u64>| {
        let value = number(call, name).map(|kilo| kilo.saturating_mul(KILO));
        match (flag(call, switch), value) {
            (Some(false), _) => Some(None),
            (Some(true), value) => Some(value.or(now)),
            (None, Some(value)) => now.map(|_| Some(value)),
            (None, None) => None,
        }
    };
    let down = limit("download_limited", "download_limit", record.down_limit);
    let up = limit("upload_limited", "upload_limit", record.up_limit);
    let down = down.map(|limit| Command::SetDownLimit(vec![id], limit));
    down.into_iter().chain(up.map(|limit| Command::SetUpLimit(vec![id], limit))).collect()
}

/// Modes: 0 the limit of all, 1 its own, 2 none. A number without a mode is its own.
fn share(call: &Call, ids: &[InfoHash]) -> Option<Command> {
    let mode = |mode: &str, value: Option<u32>| match (number(call, mode), value) {
        (Some(0), _) => Some(Limit::Global),
        (Some(2), _) => Some(Limit::Unlimited),
        (_, Some(value)) => Some(Limit::Of(value)),
        (_, None) => None,
    };
    let ratio = call.parameters.get("seed_ratio_limit").and_then(Value::as_f64);
    // The cast saturates; a negative ratio is 0.
    let ratio = mode("seed_ratio_mode", ratio.map(|ratio| (ratio * 1000.0).round() as u32));
    let idle = number(call, "seed_idle_limit").map(|idle| u32::try_from(idle).unwrap_or(u32::MAX));
    let idle = mode("seed_idle_mode", idle);
    (ratio.is_some() || idle.is_some()).then(|| Command::SetShareLimits {
        ids: ids.to_vec(),
        ratio_milli: ratio,
        seeding_minutes: None,
        inactive_minutes: idle,
        action: None,
    })
}

/// Trackers have numbers in the order of their tiers.
fn trackers(call: &Call, id: InfoHash, record: &Record) -> Result<Vec<Command>, Fault> {
    let there: Vec<&String> = record.trackers.iter().flatten().flatten().collect();
    let named = |number: u64| {
        let url = usize::try_from(number).ok().and_then(|number| there.get(number));
        url.map(|url| (*url).clone()).ok_or_else(|| Fault::parameter("there is no such tracker"))
    };
    let mut edits = Vec::new();
    if let Some(list) = text(call, "tracker_list") {
        edits.push(TrackerEdit::Set(tiers(list)));
    }
    if let Some(urls) = texts(call, "tracker_add") {
        edits.push(TrackerEdit::Add(urls.into_iter().map(|url| vec![url]).collect()));
    }
    if let Some(list) = numbers(call, "tracker_remove") {
        let urls = list.into_iter().map(|number| named(number.into())).collect::<Result<_, _>>()?;
        edits.push(TrackerEdit::Remove(urls));
    }
    if let Some(Value::Array(list)) = call.parameters.get("tracker_replace") {
        for pair in list.chunks_exact(2) {
            if let (Some(number), Some(to)) = (pair[0].as_u64(), pair[1].as_str()) {
                edits.push(TrackerEdit::Replace { from: named(number)?, to: to.to_owned() });
            }
        }
    }
    Ok(edits.into_iter().map(|edit| Command::EditTrackers(id, edit)).collect())
}

/// Addresses on lines; an empty line begins another tier.
fn tiers(list: &str) -> Vec<Vec<String>> {
    let tiers = list.split("\n\n").map(|tier| {
        let urls = tier.lines().map(str::trim).filter(|url| !url.is_empty());
        urls.map(str::to_owned).collect::<Vec<_>>()
    });
    tiers.filter(|tier| !tier.is_empty()).collect()
}
