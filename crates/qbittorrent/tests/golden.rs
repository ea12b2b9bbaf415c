//! The same calls as were made to Debian's `qbittorrent-nox` when `golden/` was recorded, and the same shapes
//! of answers: status, content type, keys and kinds of values. What differs is listed here with its reason.
//! `interop/scripts/qbittorrent_shapes.py` records them anew, of any server.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "support/server.rs"]
mod common;

use common::{Reply, Server};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const CALLS: &str = include_str!("golden/calls.json");
const GOLDEN: &str = include_str!("golden/qbittorrent-nox-4.5.2.json");

/// Names that are newer than the recorded program: in which version of its source each came, and whose calls
/// (`consumers/`) need it. Versions are those of the first tag with the change.
const NEWER: &[(&str, &str, &str)] = &[
    ("add_stopped_enabled", "5.0", VUETORRENT),
    ("add_to_top_of_queue", "4.6", VUETORRENT),
    ("comment", "5.0, commit 30d9978", VUETORRENT),
    ("has_metadata", "5.0, commit 87a202c", VUETORRENT),
    ("inactive_seeding_time_limit", "4.6", SONARR),
    ("max_inactive_seeding_time", "4.6", SONARR),
    ("max_inactive_seeding_time_enabled", "4.6", SONARR),
    ("platform", "5.0", VUETORRENT),
    ("popularity", "5.0, commit f37d0c4", VUETORRENT),
    ("private", "5.0, commit 914728d", VUETORRENT),
    ("progress", "5.1", VUETORRENT),
    ("reannounce", "5.0, commit c394868", VUETORRENT),
    ("root_path", "5.0, commit 3999b9a", VUETORRENT),
    ("save_path_changed_tmm_enabled", "4.1, off in the recorded build", VUETORRENT),
    ("torrent_stop_condition", "4.5, off in the recorded build", VUETORRENT),
    ("use_category_paths_in_manual_mode", "4.6", VUETORRENT),
    // Endpoints and parameters.
    ("app/cookies", "5.1, commit 6bbb7b7", VUETORRENT),
    ("app/getDirectoryContent", "5.0", VUETORRENT),
    ("torrents/count", "5.0", VUETORRENT),
    ("torrents/setTags", "5.1", QUI),
    ("torrents/start", "5.0", QUI),
    ("torrents/stop", "5.0", QUI),
    ("addToTopOfQueue", "4.6", VUETORRENT),
    ("forced", "5.1", VUETORRENT),
    ("includeTrackers", "5.1", QUI),
    ("inactiveSeedingTimeLimit", "4.6", VUETORRENT),
    ("shareLimitAction", "5.0", QUI),
    ("stopped", "5.0", SONARR),
];

const QUI: &str = include_str!("consumers/qui.json");
const SONARR: &str = include_str!("consumers/sonarr.json");
const VUETORRENT: &str = include_str!("consumers/vuetorrent.json");

/// Answers that are others on purpose: the call, what is said of its status or type, and why.
const OTHERS: &[(&str, &str, &str)] = &[
    ("edit_tracker_no_url", "400", "what is no address is refused, not kept"),
    ("export", "application/x-bittorrent", "5.0 says what it is; here it was plain text"),
];

fn shape(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let is_hash =
                |key: &str| key.len() == 40 && key.bytes().all(|it| it.is_ascii_hexdigit());
            let named = |key: &String| if is_hash(key) { "<hash>".to_owned() } else { key.clone() };
            Value::Object(object.iter().map(|(key, inside)| (named(key), shape(inside))).collect())
        }
        Value::Array(list) => Value::Array(list.first().map(shape).into_iter().collect()),
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("text"),
        Value::Null => json!("null"),
    }
}

fn recorded(reply: &Reply) -> Map<String, Value> {
    let mut record = Map::from_iter([("status".to_owned(), json!(reply.status))]);
    let kind = reply.header("content-type").split(';').next().unwrap().to_ascii_lowercase();
    if !reply.body.is_empty() {
        record.insert("type".into(), json!(kind));
    }
    if let Some((name, rest)) = reply.header("set-cookie").split_once('=') {
        let flag = |flag: &str| match flag.trim().to_ascii_lowercase() {
            flag if flag.starts_with("expires=") => "expires".to_owned(),
            flag => flag,
        };
        let flags: BTreeSet<String> = rest.split(';').skip(1).map(flag).collect();
        let flags: Vec<String> = flags.into_iter().collect();
        record.insert("cookie".into(), json!(format!("{name}; {}", flags.join("; "))));
    }
    if kind == "application/json" {
        record.insert("json".into(), shape(&reply.json()));
    } else if [&b"Ok."[..], b"Fails."].contains(&reply.body.as_slice()) {
        record.insert("text".into(), json!(reply.text()));
    }
    record
}

/// What is different between the shape that was recorded and ours.
fn differences(at: &str, golden: &Value, ours: &Value, is_part: bool, found: &mut Vec<String>) {
    match (golden, ours) {
        (Value::Object(golden), Value::Object(ours)) => {
            for (key, inside) in golden {
                match ours.get(key) {
                    Some(other) => {
                        differences(&format!("{at}.{key}"), inside, other, is_part, found);
                    }
                    None if is_part => {}
                    None => found.push(format!("{at}.{key} is missing")),
                }
            }
            let is_newer = |key: &&String| NEWER.iter().any(|(name, ..)| name == key);
            for key in
                ours.keys().filter(|key| !golden.contains_key(*key)).filter(|key| !is_newer(key))
            {
                found.push(format!("{at}.{key} is not in the original"));
            }
        }
        (Value::Array(golden), Value::Array(ours)) => {
            if let (Some(golden), Some(ours)) = (golden.first(), ours.first()) {
                differences(&format!("{at}[]"), golden, ours, is_part, found);
            }
        }
        (golden, ours) if golden == ours => {}
        (golden, ours) => found.push(format!("{at}: recorded {golden}, ours {ours}")),
    }
}

#[test]
fn answers_have_the_shapes_that_were_recorded_of_the_original() {
    let listed: Value = serde_json::from_str(CALLS).unwrap();
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let mut server = Server::start();
    for (name, value) in listed["names"].as_object().unwrap() {
        server.names.insert(name.clone(), value.as_str().unwrap().to_owned());
    }
    let mut found = Vec::new();
    for call in listed["calls"].as_array().unwrap() {
        let name = call["name"].as_str().unwrap();
        let reply = server.call(call);
        if call["login"] == true {
            let cookie = reply.header("set-cookie").split(';').next().unwrap();
            server.cookie = Some(cookie.to_owned());
        }
        // Of their preferences we have those that mean something here.
        let is_part = name.starts_with("preferences");
        let mut news = Vec::new();
        differences(name, &golden[name], &Value::Object(recorded(&reply)), is_part, &mut news);
        let other = OTHERS.iter().find(|(other, ..)| *other == name);
        match other {
            Some((_, ours, _)) => {
                assert!(news.iter().any(|it| it.contains(ours)), "{name}: {news:?}");
            }
            None => found.extend(
                news.into_iter()
                    .map(|news| format!("{news} ({:.200})", String::from_utf8_lossy(&reply.body))),
            ),
        }
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[test]
fn each_newer_name_is_needed_by_the_calls_of_a_program() {
    for (name, _, consumer) in NEWER {
        assert!(consumer.contains(&format!("\"{name}\"")), "{name}");
    }
}

#[test]
fn a_difference_is_found() {
    let golden = json!([{"a": "number", "b": {"c": "text"}}]);
    let ours = json!([{"a": "text", "b": {"private": "bool", "d": "text"}}]);
    let mut found = Vec::new();
    differences("x", &golden, &ours, false, &mut found);
    assert_eq!(
        found,
        [
            "x[].a: recorded \"number\", ours \"text\"",
            "x[].b.c is missing",
            "x[].b.d is not in the original",
        ]
    );
}
