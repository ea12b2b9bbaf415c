//! The session: settings, figures, drives.

use crate::act::{flag, number, text};
use crate::dialect::{Answer, Call};
use crate::fault::{Code, Fault};
use crate::names::{Dress, snake};
use crate::serve::Server;
use crate::set::KILO;
use piecework_catalog::{Days, Rules, Stage};
use piecework_daemon::NodeFigures;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Their days: bit 0 is Sunday.
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

pub(crate) async fn get(server: &Server, call: &Call) -> Result<Answer, Fault> {
    let node = server.daemon.node();
    let mut all = {
        let catalog = server.daemon.catalog();
        settings(catalog.rules(), &node, catalog.is_alternative())
    };
    all.insert("session_id".to_owned(), json!(server.session));
    if let Some(Value::Array(fields)) = call.parameters.get("fields") {
        let wanted: Vec<String> = fields.iter().filter_map(Value::as_str).map(snake).collect();
        all.retain(|name, _| wanted.contains(name));
    }
    Ok(Answer::new(Value::Object(all), Dress::Kebab))
}

fn settings(rules: &Rules, node: &NodeFigures, is_alternative: bool) -> Map<String, Value> {
    let queue = &rules.queue;
    let mut all = Map::new();
    all.extend(speeds(rules, is_alternative));
    all.extend(object(json!({
        "blocklist_enabled": false,
        "blocklist_size": 0,
        "blocklist_url": "",
        "cache_size_mb": 0,
        "config_dir": "",
        "dht_enabled": node.dht_nodes.is_some(),
        "download_dir": rules.save_path,
        "download_dir_free_space": node.free_space,
        "download_queue_enabled": queue.is_on && queue.downloads_max.is_some(),
        "download_queue_size": queue.downloads_max.unwrap_or(0),
        "encryption": "preferred",
        "idle_seeding_limit": rules.inactive_minutes.unwrap_or(0),
        "idle_seeding_limit_enabled": rules.inactive_minutes.is_some(),
        "incomplete_dir": rules.incomplete_path.as_deref().unwrap_or(&rules.save_path),
        "incomplete_dir_enabled": rules.incomplete_path.is_some(),
        "peer_port": node.port,
        "queue_stalled_enabled": queue.slow_below.is_some(),
        "queue_stalled_minutes": 1,
        "rename_partial_files": false,
        "rpc_version": crate::RPC_VERSION.0,
        "rpc_version_minimum": crate::RPC_VERSION.2,
        "rpc_version_semver": crate::RPC_VERSION.1,
        "seed_queue_enabled": queue.is_on && queue.seeds_max.is_some(),
        "seed_queue_size": queue.seeds_max.unwrap_or(0),
        "seed_ratio_limit": f64::from(rules.ratio_milli.unwrap_or(0)) / 1000.0,
        "seed_ratio_limited": rules.ratio_milli.is_some(),
        "start_added_torrents": !rules.adds_stopped,
        "trash_original_torrent_files": false,
        "units": {
            "memory_bytes": 1024,
            "memory_units": ["B", "KiB", "MiB", "GiB", "TiB"],
            "size_bytes": 1000,
            "size_units": ["B", "kB", "MB", "GB", "TB"],
            "speed_bytes": 1000,
            "speed_units": ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"],
        },
        "version": crate::VERSION,
    })));
    all
}

fn speeds(rules: &Rules, is_alternative: bool) -> Map<String, Value> {
    let kilo = |limit: Option<u64>| limit.unwrap_or(0).div_ceil(KILO);
    let schedule = rules.schedule;
    object(json!({
        "alt_speed_down": kilo(rules.alternative.down),
        "alt_speed_enabled": is_alternative,
        "alt_speed_time_begin": schedule.map_or(540, |schedule| schedule.from),
        "alt_speed_time_day": schedule.map_or(127, |schedule| their_days(schedule.days)),
        "alt_speed_time_enabled": schedule.is_some(),
        "alt_speed_time_end": schedule.map_or(1020, |schedule| schedule.to),
        "alt_speed_up": kilo(rules.alternative.up),
        "speed_limit_down": kilo(rules.speed.down),
        "speed_limit_down_enabled": rules.speed.down.is_some(),
        "speed_limit_up": kilo(rules.speed.up),
        "speed_limit_up_enabled": rules.speed.up.is_some(),
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn their_days(days: Days) -> u8 {
    (0..7).filter(|day| days.contains((day + 6) % 7)).fold(0, |bits, day| bits | 1 << day)
}

/// Those that are settings of ours; others stay as they are.
pub(crate) async fn set(server: &Server, call: &Call) -> Result<Answer, Fault> {
    let rules = server.daemon.catalog().rules().clone();
    let mut changes: Vec<(String, String)> = Vec::new();
    let mut put = |key: &str, value: Option<String>| {
        changes.extend(value.map(|value| (key.to_owned(), value)));
    };
    let none = || "none".to_owned();
    let kilo = |number: u64| number.saturating_mul(KILO).to_string();
    // A limit has a switch and a number; a number alone changes a limit that is on.
    let limit = |switch: &str, name: &str, is_on: bool, write: &dyn Fn(u64) -> String| {
        let value = number(call, name);
        match flag(call, switch).unwrap_or(is_on) {
            false => flag(call, switch).map(|_| none()),
            true => value.map(|value| if value == 0 { none() } else { write(value) }),
        }
    };
    let plain = |number: u64| number.to_string();
    put("torrents.save_path", text(call, "download_dir").map(str::to_owned));
    put(
        "torrents.incomplete_path",
        match flag(call, "incomplete_dir_enabled") {
            Some(false) => Some(none()),
            Some(true) => text(call, "incomplete_dir").map(str::to_owned),
            None => text(call, "incomplete_dir")
                .filter(|_| rules.incomplete_path.is_some())
                .map(str::to_owned),
        },
    );
    let starts = flag(call, "start_added_torrents");
    put("torrents.add_stopped", starts.map(|starts| (!starts).to_string()));
    let (down, up) = (rules.speed.down.is_some(), rules.speed.up.is_some());
    put("speed.down", limit("speed_limit_down_enabled", "speed_limit_down", down, &kilo));
    put("speed.up", limit("speed_limit_up_enabled", "speed_limit_up", up, &kilo));
    put("speed.alternative_down", limit("", "alt_speed_down", true, &kilo));
    put("speed.alternative_up", limit("", "alt_speed_up", true, &kilo));
    let (downloads, seeds) = (rules.queue.downloads_max, rules.queue.seeds_max);
    let queue = limit("download_queue_enabled", "download_queue_size", downloads.is_some(), &plain);
    put("queue.downloads_max", queue);
    put("queue.seeds_max", limit("seed_queue_enabled", "seed_queue_size", seeds.is_some(), &plain));
    let idle = rules.inactive_minutes.is_some();
    let idle = limit("idle_seeding_limit_enabled", "idle_seeding_limit", idle, &plain);
    put("share.inactive_minutes", idle);
    let has_ratio = rules.ratio_milli.is_some();
    let ratio = call.parameters.get("seed_ratio_limit").and_then(Value::as_f64);
    put(
        "share.ratio",
        match flag(call, "seed_ratio_limited").unwrap_or(has_ratio) {
            false => flag(call, "seed_ratio_limited").map(|_| none()),
            true => ratio.filter(|ratio| *ratio >= 0.0).map(|ratio| ratio.to_string()),
        },
    );
    put("schedule.on", flag(call, "alt_speed_time_enabled").map(|on| on.to_string()));
    put("schedule.from", number(call, "alt_speed_time_begin").map(clock));
    put("schedule.to", number(call, "alt_speed_time_end").map(clock));
    put("schedule.days", number(call, "alt_speed_time_day").map(our_days));
    if !changes.is_empty() {
        server.daemon.set(changes).await?;
    }
    if let Some(is_on) = flag(call, "alt_speed_enabled") {
        server.daemon.command(piecework_catalog::Command::SetAlternative(is_on)).await?;
    }
    Ok(Answer::empty())
}

fn clock(minute: u64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn our_days(bits: u64) -> String {
    let days = DAYS.iter().enumerate().filter(|(day, _)| bits >> day & 1 == 1);
    days.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
}

pub(crate) async fn stats(server: &Server, _: &Call) -> Result<Answer, Fault> {
    let node = server.daemon.node();
    let (count, stopped) = {
        let catalog = server.daemon.catalog();
        let is_stopped = |stage: Stage| stage == Stage::Stopped;
        let stopped = catalog.torrents().filter(|torrent| is_stopped(torrent.stage())).count();
        (catalog.torrents().len(), stopped)
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seconds = now.saturating_sub(node.started_at);
    let stats = |down: u64, up: u64| {
        json!({
            "downloaded_bytes": down,
            "files_added": 0,
            "seconds_active": seconds,
            "session_count": 1,
            "uploaded_bytes": up,
        })
    };
    let value = json!({
        "active_torrent_count": count - stopped,
        "cumulative_stats": stats(node.all_down_bytes, node.all_up_bytes),
        "current_stats": stats(node.down_bytes, node.up_bytes),
        "download_speed": node.down_rate,
        "paused_torrent_count": stopped,
        "torrent_count": count,
        "upload_speed": node.up_rate,
    });
    Ok(Answer::new(value, Dress::Camel))
}

/// Of a folder inside of the roots.
pub(crate) async fn free_space(server: &Server, call: &Call) -> Result<Answer, Fault> {
    let path = text(call, "path").filter(|path| path.starts_with('/'));
    let path = path.ok_or_else(|| Fault::new(Code::Path, "path is an absolute path"))?;
    let path = PathBuf::from(path);
    let is_plain = !path.components().any(|part| part.as_os_str() == "..");
    if !is_plain || !server.daemon.roots().iter().any(|root| path.starts_with(root)) {
        return Err(Fault::new(Code::Path, "the path lies outside of the folders for payload"));
    }
    let asked = path.clone();
    // A folder that nothing was saved in yet will lie on the drive of the one above it.
    let there = move || asked.ancestors().find(|folder| folder.is_dir()).map(rustix::fs::statvfs);
    let drive = tokio::task::spawn_blocking(there).await;
    let drive = drive.map_err(|error| Fault::new(Code::Internal, error.to_string()))?;
    let drive = drive.ok_or_else(|| Fault::new(Code::System, "there is no such folder"))?;
    let drive = drive.map_err(|error| Fault::new(Code::System, error.to_string()))?;
    let value = json!({
        "path": path.to_string_lossy(),
        "size_bytes": drive.f_bavail.saturating_mul(drive.f_frsize),
        "total_size_of_drive": drive.f_blocks.saturating_mul(drive.f_frsize),
    });
    Ok(Answer::new(value, Dress::Camel))
}

/// Whether a peer has come to us by itself: no server of somebody else is asked.
pub(crate) async fn port_test(server: &Server, _: &Call) -> Result<Answer, Fault> {
    let value = json!({"port_is_open": server.daemon.node().is_reachable});
    Ok(Answer::new(value, Dress::Camel))
}
