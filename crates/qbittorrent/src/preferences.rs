//! qBittorrent's preferences: those that are settings of ours, and a few constants that programs look at.

use crate::json::whole;
use piecework_catalog::{Days, Rules, ShareAction};
use piecework_daemon::NodeFigures;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// A name, its value, and who looks at it.
type Constant = (&'static str, fn() -> Value, &'static str);

/// Preferences without a setting of ours behind them, with the value that is true of us. They are there
/// because programs fail or misbehave without them; setting them has no effect.
const CONSTANT: &[Constant] = &[
    ("add_to_top_of_queue", || json!(false), "web pages fill in their form for new torrents"),
    ("add_trackers_enabled", || json!(false), "web pages"),
    ("anonymous_mode", || json!(false), "web pages"),
    ("autorun_enabled", || json!(false), "web pages"),
    ("category_changed_tmm_enabled", || json!(true), "qbit_manage: torrents follow their category"),
    ("incomplete_files_ext", || json!(false), "programs that import look for names with .!qB"),
    ("locale", || json!("en"), "web pages"),
    ("preallocate_all", || json!(false), "web pages"),
    ("rss_processing_enabled", || json!(false), "web pages show feeds only where it is set"),
    (
        "save_path_changed_tmm_enabled",
        || json!(true),
        "qbit_manage: torrents follow the path of all",
    ),
    ("scan_dirs", || json!({}), "web pages"),
    (
        "torrent_changed_tmm_enabled",
        || json!(true),
        "qbit_manage: torrents move with their category",
    ),
    ("torrent_content_layout", || json!("Original"), "cross-seed and web pages"),
    ("torrent_stop_condition", || json!("None"), "web pages fill in their form for new torrents"),
    ("use_category_paths_in_manual_mode", || json!(false), "web pages"),
];

/// The preference that new torrents are stopped, by which autobrr and web pages choose how to add: its name,
/// and the one that it had before 5.0.
const ADD_STOPPED: [&str; 2] = ["add_stopped_enabled", "start_paused_enabled"];

/// All preferences.
pub(crate) fn all(rules: &Rules, node: &NodeFigures, bans: &BTreeSet<IpAddr>) -> Value {
    let mut all = Map::new();
    for (name, value, _) in CONSTANT {
        all.insert((*name).to_owned(), value());
    }
    let mut put = |name: &str, value: Value| all.insert(name.to_owned(), value);
    put("auto_tmm_enabled", json!(rules.is_automatic));
    for name in ADD_STOPPED {
        put(name, json!(rules.adds_stopped));
    }
    let bans: Vec<String> = bans.iter().map(ToString::to_string).collect();
    put("banned_IPs", json!(bans.join("\n")));
    put("dht", json!(node.dht_nodes.is_some()));
    put("listen_port", json!(node.port));
    put("save_path", json!(rules.save_path));
    put("temp_path", json!(rules.incomplete_path.as_deref().unwrap_or_default()));
    put("temp_path_enabled", json!(rules.incomplete_path.is_some()));
    for (name, value) in queue(rules).into_iter().chain(share(rules)).chain(speed(rules)) {
        put(name, value);
    }
    Value::Object(all)
}

fn queue(rules: &Rules) -> [(&'static str, Value); 7] {
    let queue = &rules.queue;
    let slow = queue.slow_below.map_or(2, |bytes| bytes.div_ceil(1024));
    [
        ("queueing_enabled", json!(queue.is_on)),
        ("max_active_downloads", json!(or_none(queue.downloads_max))),
        ("max_active_uploads", json!(or_none(queue.seeds_max))),
        ("max_active_torrents", json!(or_none(queue.active_max))),
        ("dont_count_slow_torrents", json!(queue.slow_below.is_some())),
        ("slow_torrent_dl_rate_threshold", json!(slow)),
        ("slow_torrent_ul_rate_threshold", json!(slow)),
    ]
}

fn share(rules: &Rules) -> [(&'static str, Value); 7] {
    let ratio = rules.ratio_milli.map_or(-1.0, |milli| f64::from(milli) / 1000.0);
    [
        ("max_ratio_enabled", json!(rules.ratio_milli.is_some())),
        ("max_ratio", json!(ratio)),
        ("max_seeding_time_enabled", json!(rules.seeding_minutes.is_some())),
        ("max_seeding_time", json!(or_none(rules.seeding_minutes))),
        ("max_inactive_seeding_time_enabled", json!(rules.inactive_minutes.is_some())),
        ("max_inactive_seeding_time", json!(or_none(rules.inactive_minutes))),
        ("max_ratio_act", json!(action(rules.share_action))),
    ]
}

fn speed(rules: &Rules) -> Vec<(&'static str, Value)> {
    let limit = |limit: Option<u64>| json!(whole(limit.unwrap_or(0)));
    let schedule = rules.schedule;
    let clock = |minute: Option<u16>, other: u16| minute.unwrap_or(other);
    let from = clock(schedule.map(|schedule| schedule.from), 8 * 60);
    let to = clock(schedule.map(|schedule| schedule.to), 20 * 60);
    vec![
        ("dl_limit", limit(rules.speed.down)),
        ("up_limit", limit(rules.speed.up)),
        ("alt_dl_limit", limit(rules.alternative.down)),
        ("alt_up_limit", limit(rules.alternative.up)),
        ("scheduler_enabled", json!(schedule.is_some())),
        ("schedule_from_hour", json!(from / 60)),
        ("schedule_from_min", json!(from % 60)),
        ("schedule_to_hour", json!(to / 60)),
        ("schedule_to_min", json!(to % 60)),
        ("scheduler_days", json!(days(schedule.map_or(Days::ALL, |schedule| schedule.days)))),
    ]
}

fn or_none(limit: Option<u32>) -> i64 {
    limit.map_or(-1, i64::from)
}

const fn action(action: ShareAction) -> u8 {
    match action {
        ShareAction::Stop => 0,
        ShareAction::Remove => 1,
        ShareAction::SuperSeed => 2,
        ShareAction::RemoveWithFiles => 3,
    }
}

/// Every day, weekdays, weekends, or one day from Monday on. Other sets have no number and are every day.
const fn days(days: Days) -> u32 {
    match days.0 & Days::ALL.0 {
        0b001_1111 => 1,
        0b110_0000 => 2,
        one if one.count_ones() == 1 => 3 + one.trailing_zeros(),
        _ => 0,
    }
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The addresses to ban instead of those that are, if that is wanted: one a line. What is no address is left
/// out.
pub(crate) fn bans(wanted: &Map<String, Value>) -> Option<BTreeSet<IpAddr>> {
    let lines = wanted.get("banned_IPs")?.as_str()?.lines();
    Some(lines.filter_map(|line| line.trim().parse().ok()).collect())
}

/// The settings that preferences stand for, as keys and values. Preferences that mean nothing here are
/// passed over: programs send back all that they were given.
pub(crate) fn changes(wanted: &Map<String, Value>, rules: &Rules) -> Vec<(String, String)> {
    let mut changes: Vec<(String, String)> = Vec::new();
    let mut put = |key: &str, value: Option<String>| {
        changes.extend(value.map(|value| (key.to_owned(), value)));
    };
    let flag = |name: &str| wanted.get(name).and_then(Value::as_bool);
    let text = |name: &str| wanted.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| wanted.get(name).and_then(Value::as_i64);
    let none = || "none".to_owned();
    let limit =
        |value: Option<i64>| value.map(|value| if value > 0 { value.to_string() } else { none() });

    put("torrents.save_path", text("save_path").filter(|path| !path.is_empty()));
    put("torrents.automatic", flag("auto_tmm_enabled").map(|on| on.to_string()));
    // Programs send back all that they were given: what counts is the name that they changed.
    let stops = ADD_STOPPED.iter().filter_map(|name| flag(name));
    let stops = stops.reduce(|one, other| if one == rules.adds_stopped { other } else { one });
    put("torrents.add_stopped", stops.map(|on| on.to_string()));
    let incomplete = match flag("temp_path_enabled") {
        Some(false) => Some(none()),
        Some(true) => text("temp_path").or_else(|| rules.incomplete_path.clone()),
        None => text("temp_path").filter(|_| rules.incomplete_path.is_some()),
    };
    put("torrents.incomplete_path", incomplete.filter(|path| !path.is_empty()));
    put("queue.on", flag("queueing_enabled").map(|on| on.to_string()));
    put("queue.downloads_max", limit(number("max_active_downloads")));
    put("queue.seeds_max", limit(number("max_active_uploads")));
    put("queue.active_max", limit(number("max_active_torrents")));
    let slow = number("slow_torrent_dl_rate_threshold").filter(|kib| *kib > 0);
    put(
        "queue.slow_below",
        match flag("dont_count_slow_torrents") {
            Some(false) => Some(none()),
            Some(true) => Some(slow.unwrap_or(2).saturating_mul(1024).to_string()),
            None => slow
                .filter(|_| rules.queue.slow_below.is_some())
                .map(|kib| kib.saturating_mul(1024).to_string()),
        },
    );
    for (name, key) in [
        ("dl_limit", "speed.down"),
        ("up_limit", "speed.up"),
        ("alt_dl_limit", "speed.alternative_down"),
        ("alt_up_limit", "speed.alternative_up"),
    ] {
        put(key, limit(number(name)));
    }
    changes.extend(share_changes(wanted));
    changes.extend(schedule_changes(wanted, rules));
    changes
}

fn share_changes(wanted: &Map<String, Value>) -> Vec<(String, String)> {
    let limited = |switch: &str, name: &str| {
        let value = wanted.get(name).and_then(Value::as_f64).filter(|value| *value >= 0.0);
        match (wanted.get(switch).and_then(Value::as_bool), value) {
            (Some(false), _) => Some("none".to_owned()),
            (_, Some(value)) => Some(value.to_string()),
            (_, None) => None,
        }
    };
    let action =
        wanted.get("max_ratio_act").and_then(Value::as_u64).and_then(|action| match action {
            0 => Some("stop"),
            1 => Some("remove"),
            2 => Some("super_seed"),
            3 => Some("remove_with_files"),
            _ => None,
        });
    let changes = [
        ("share.ratio", limited("max_ratio_enabled", "max_ratio")),
        ("share.seeding_minutes", limited("max_seeding_time_enabled", "max_seeding_time")),
        (
            "share.inactive_minutes",
            limited("max_inactive_seeding_time_enabled", "max_inactive_seeding_time"),
        ),
        ("share.action", action.map(str::to_owned)),
    ];
    changes.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

fn schedule_changes(wanted: &Map<String, Value>, rules: &Rules) -> Vec<(String, String)> {
    let number = |name: &str| wanted.get(name).and_then(Value::as_u64);
    let clock = |hour: &str, minute: &str, now: Option<u16>, other: u64| {
        let now = now.map_or(other, u64::from);
        let (hours, minutes) = (number(hour), number(minute));
        (hours.is_some() || minutes.is_some())
            .then(|| format!("{:02}:{:02}", hours.unwrap_or(now / 60), minutes.unwrap_or(now % 60)))
    };
    let days = number("scheduler_days").and_then(|days| match days {
        0 => Some(WEEKDAYS.join(",")),
        1 => Some(WEEKDAYS[..5].join(",")),
        2 => Some(WEEKDAYS[5..].join(",")),
        day => WEEKDAYS.get(usize::try_from(day).ok()?.checked_sub(3)?).map(|day| (*day).into()),
    });
    let from = rules.schedule.map(|schedule| schedule.from);
    let to = rules.schedule.map(|schedule| schedule.to);
    let on = wanted.get("scheduler_enabled").and_then(Value::as_bool);
    let changes = [
        ("schedule.on", on.map(|on| on.to_string())),
        ("schedule.from", clock("schedule_from_hour", "schedule_from_min", from, 8 * 60)),
        ("schedule.to", clock("schedule_to_hour", "schedule_to_min", to, 20 * 60)),
        ("schedule.days", days),
    ];
    changes.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}
