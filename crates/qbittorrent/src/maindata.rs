//! `sync/maindata`: everything at first, afterwards what changed since the answer that a number names.
//!
//! The cost of an answer is the cost of what changed: the catalog finds it by revision, and each key of a
//! torrent says which fields it is made from. Only trackers are counted anew when a torrent came, went, or
//! has other ones.

use crate::call::Call;
use crate::json::{Datum, Object, whole, write_list, write_text};
use crate::keys;
use crate::labels::write_category;
use crate::reply::{Answer, Reply};
use crate::serve::Server;
use crate::session::Sent;
use crate::transfer;
use piecework_catalog::{Catalog, Delta, Field, FieldSet, Rules};
use piecework_daemon::NodeFigures;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Trackers that are told of; a node has tens.
const TRACKERS_MAX: usize = 10_000;

/// Milliseconds after which web pages ask again.
const REFRESH_MS: i64 = 1_500;

/// Bytes that one torrent takes in an answer with everything, about.
const TORRENT_BYTES: usize = 1_600;

/// `sync/maindata`.
pub(crate) async fn maindata(server: &Server, call: &Call) -> Answer {
    let node = server.daemon.node();
    let catalog = server.daemon.catalog();
    let state = state(&node, &catalog);
    let mut sessions = server.sessions();
    let session = sessions.of(&call.session);
    let limits = limits(catalog.rules());
    let before = session.sent(call.number("rid").unwrap_or(0)).cloned();
    // Other limits of all change what is said of each torrent, which the catalog does not count as a change.
    let before = before.filter(|before| before.limits == limits);
    let delta = catalog.delta(before.as_ref().map(|before| before.revision));
    let before = before.filter(|_| !delta.is_full);
    let trackers = trackers(&catalog, &delta, before.as_ref());
    let number = session.send(Sent {
        revision: delta.revision,
        state: state.clone(),
        trackers: Arc::clone(&trackers.prints),
        limits,
    });
    drop(sessions);

    let room = if delta.is_full { delta.torrents.len() * TORRENT_BYTES } else { 4_096 };
    let mut out = Vec::with_capacity(room);
    let mut answer = Object::new(&mut out);
    write_labels(&mut answer, &delta);
    answer.number("rid", number);
    write_state(&mut answer, &state, before.as_ref());
    write_torrents(&mut answer, &delta, catalog.rules());
    write_trackers(&mut answer, &trackers, before.as_ref());
    answer.end();
    Ok(Reply::Json(out))
}

fn limits(rules: &Rules) -> [Option<u32>; 3] {
    [rules.ratio_milli, rules.seeding_minutes, rules.inactive_minutes]
}

fn write_labels(answer: &mut Object<'_>, delta: &Delta<'_>) {
    if delta.is_full || !delta.categories.is_empty() {
        let mut categories = Object::new(answer.key("categories"));
        for (name, category) in &delta.categories {
            write_category(categories.key(name), name, category);
        }
        categories.end();
    }
    let gone = |name: &&String| !delta.categories.iter().any(|(there, _)| there == name);
    let gone: Vec<&String> = delta.gone_categories.iter().filter(gone).collect();
    if !gone.is_empty() {
        answer.texts("categories_removed", gone.into_iter());
    }
    if delta.is_full {
        answer.set("full_update", &Datum::Bool(true));
    }
    if delta.is_full || !delta.tags.is_empty() {
        answer.texts("tags", delta.tags.iter());
    }
    let gone: Vec<&String> =
        delta.gone_tags.iter().filter(|name| !delta.tags.contains(&name.as_str())).collect();
    if !gone.is_empty() {
        answer.texts("tags_removed", gone.into_iter());
    }
}

fn write_torrents(answer: &mut Object<'_>, delta: &Delta<'_>, rules: &Rules) {
    if delta.is_full || !delta.torrents.is_empty() {
        let mut torrents = Object::new(answer.key("torrents"));
        // The hash is the name of the object.
        let but_id: FieldSet =
            Field::ALL.iter().copied().filter(|field| *field != Field::Id).collect();
        for (torrent, changed) in &delta.torrents {
            let mut object = Object::new(torrents.key(&torrent.id().to_string()));
            keys::write(&mut object, torrent, rules, changed.and(but_id));
            object.end();
        }
        torrents.end();
    }
    // What went and came back is there with all its keys, which replaces what was known of it.
    let gone: Vec<String> = delta
        .gone
        .iter()
        .filter(|id| !delta.torrents.iter().any(|(torrent, _)| torrent.id() == **id))
        .map(ToString::to_string)
        .collect();
    if !gone.is_empty() {
        answer.texts("torrents_removed", gone.iter());
    }
}

/// Trackers as of one revision.
struct Trackers {
    prints: Arc<BTreeMap<String, u64>>,
    /// Torrents of each; empty where nothing about trackers changed.
    torrents: BTreeMap<String, Vec<String>>,
}

fn trackers(catalog: &Catalog, delta: &Delta<'_>, before: Option<&Sent>) -> Trackers {
    let concerned: FieldSet = [Field::Tracker, Field::TrackerCount].into_iter().collect();
    let has_changed = !delta.gone.is_empty()
        || delta.torrents.iter().any(|(_, fields)| !fields.and(concerned).is_empty());
    if let Some(before) = before.filter(|_| !has_changed) {
        return Trackers { prints: Arc::clone(&before.trackers), torrents: BTreeMap::new() };
    }
    let mut torrents: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for torrent in catalog.torrents() {
        for url in torrent.trackers() {
            let has_room = torrents.len() < TRACKERS_MAX;
            if let Some(list) = torrents.get_mut(url) {
                list.push(torrent.id().to_string());
            } else if has_room {
                torrents.insert(url.to_owned(), vec![torrent.id().to_string()]);
            }
        }
    }
    let prints = torrents.iter().map(|(url, list)| (url.clone(), print(list))).collect();
    Trackers { prints: Arc::new(prints), torrents }
}

/// 64 bits that stand for a list (FNV-1a).
fn print(list: &[String]) -> u64 {
    list.iter().flat_map(|id| id.bytes()).fold(0xcbf2_9ce4_8422_2325, |print, byte| {
        (print ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn write_trackers(answer: &mut Object<'_>, trackers: &Trackers, before: Option<&Sent>) {
    let known = |url: &str| before.and_then(|before| before.trackers.get(url)).copied();
    let mut changed = trackers
        .torrents
        .iter()
        .filter(|(url, _)| known(url) != trackers.prints.get(*url).copied())
        .peekable();
    if before.is_none() || changed.peek().is_some() {
        let mut object = Object::new(answer.key("trackers"));
        for (url, list) in changed {
            write_list(object.key(url), list.iter(), |out, id| write_text(out, id));
        }
        object.end();
    }
    let before = before.map(|before| before.trackers.keys()).into_iter().flatten();
    let gone: Vec<&String> =
        before.filter(|url| !trackers.prints.contains_key(url.as_str())).collect();
    if !gone.is_empty() {
        answer.texts("trackers_removed", gone.into_iter());
    }
}

const STATE_KEYS: [&str; 24] = [
    "alltime_dl",
    "alltime_ul",
    "average_time_queue",
    "connection_status",
    "dht_nodes",
    "dl_info_data",
    "dl_info_speed",
    "dl_rate_limit",
    "free_space_on_disk",
    "global_ratio",
    "queued_io_jobs",
    "queueing",
    "read_cache_hits",
    "read_cache_overload",
    "refresh_interval",
    "total_buffers_size",
    "total_peer_connections",
    "total_queued_size",
    "total_wasted_session",
    "up_info_data",
    "up_info_speed",
    "up_rate_limit",
    "use_alt_speed_limits",
    "write_cache_overload",
];

/// The values of [`STATE_KEYS`]. Caches and queues of libtorrent have no counterpart here and are empty.
fn state(node: &NodeFigures, catalog: &Catalog) -> Vec<Datum<'static>> {
    let count = |number: u64| Datum::Number(whole(number));
    let ratio = match node.all_down_bytes {
        0 => 0,
        down => u128::from(node.all_up_bytes) * 100 / u128::from(down),
    };
    let none = || Datum::Text("0".into());
    vec![
        count(node.all_down_bytes),
        count(node.all_up_bytes),
        Datum::Number(0),
        Datum::Text(transfer::connection(node).into()),
        count(node.dht_nodes.unwrap_or(0).into()),
        count(node.down_bytes),
        count(node.down_rate),
        count(node.down_limit.unwrap_or(0)),
        count(node.free_space),
        Datum::Text(format!("{}.{:02}", ratio / 100, ratio % 100).into()),
        Datum::Number(0),
        Datum::Bool(catalog.rules().queue.is_on),
        none(),
        none(),
        Datum::Number(REFRESH_MS),
        Datum::Number(0),
        count(node.peers.into()),
        Datum::Number(0),
        Datum::Number(0),
        count(node.up_bytes),
        count(node.up_rate),
        count(node.up_limit.unwrap_or(0)),
        Datum::Bool(catalog.is_alternative()),
        none(),
    ]
}

fn write_state(answer: &mut Object<'_>, state: &[Datum<'static>], before: Option<&Sent>) {
    let changed = |(at, value): &(usize, &Datum<'_>)| {
        before.is_none_or(|before| before.state.get(*at) != Some(*value))
    };
    let mut changed = state.iter().enumerate().filter(changed).peekable();
    if changed.peek().is_none() {
        return;
    }
    let mut object = Object::new(answer.key("server_state"));
    for (at, value) in changed {
        object.set(STATE_KEYS[at], value);
    }
    object.end();
}
