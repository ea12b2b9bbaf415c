//! One torrent in detail, and as a file.

use crate::call::Call;
use crate::json::{Datum, whole};
use crate::keys::{self, Key};
use crate::reply::{Answer, Fault, Reply};
use crate::serve::Server;
use piecework_catalog::{Field, Rules, Torrent, Value};
use piecework_metainfo::Metainfo;
use serde_json::{Map, json};

/// "Not known", and "none".
const NONE: i64 = -1;

/// `torrents/properties`.
pub(crate) async fn properties(server: &Server, call: &Call) -> Answer {
    let (id, mut all) = {
        let catalog = server.daemon.catalog();
        let id = call.torrent(&catalog)?;
        let torrent = catalog.get(id).ok_or_else(Fault::not_found)?;
        (id, known(torrent, catalog.rules()))
    };
    let metainfo = server.daemon.metainfo(id).await;
    let metainfo = metainfo.and_then(|bytes| Metainfo::parse(&bytes).ok());
    let have = server.daemon.bitfield(id).await;
    let trackers = server.daemon.trackers(id).await.unwrap_or_default();
    let next = trackers.iter().filter_map(|tracker| tracker.next_in).min();
    let info = metainfo.as_ref().map(Metainfo::info);
    let text = |text: Option<&str>| json!(text.unwrap_or_default());
    let pieces = info.map(|info| i64::from(info.grid().piece_count()));
    for (key, value) in [
        ("comment", text(metainfo.as_ref().and_then(Metainfo::comment))),
        ("created_by", text(metainfo.as_ref().and_then(Metainfo::created_by))),
        (
            "creation_date",
            json!(metainfo.as_ref().and_then(Metainfo::creation_date).map_or(NONE, whole)),
        ),
        ("piece_size", json!(info.map_or(NONE, |info| i64::from(info.piece_length())))),
        ("pieces_have", json!(have.map_or(0, |have| have.count()))),
        ("pieces_num", json!(pieces.unwrap_or(NONE))),
        ("reannounce", json!(next.map_or(0, |next| next.as_secs()))),
    ] {
        all.insert(key.to_owned(), value);
    }
    Ok(Reply::json(&serde_json::Value::Object(all)))
}

/// What the catalog knows of it.
fn known(torrent: &Torrent, rules: &Rules) -> Map<String, serde_json::Value> {
    let (record, figures) = (torrent.record(), torrent.figures());
    let active = record.totals.active_seconds.max(1);
    let milli = |milli: i64| json!(milli as f64 / 1000.0);
    let limit = |limit: Option<u64>| json!(limit.map_or(NONE, whole));
    let moment = |unix: Option<u64>| json!(unix.map_or(NONE, whole));
    let wasted = match torrent.value(Field::WastedBytes) {
        Value::Number(bytes) => bytes,
        _ => 0,
    };
    let leechers = figures.peers.saturating_sub(figures.seeds);
    let mut all = Map::new();
    // What both calls tell is made in one place.
    for (name, key) in [
        ("eta", "eta"),
        ("hash", "hash"),
        ("infohash_v1", "infohash_v1"),
        ("infohash_v2", "infohash_v2"),
        ("name", "name"),
        ("save_path", "save_path"),
        ("download_path", "download_path"),
        ("total_size", "total_size"),
        ("has_metadata", "has_metadata"),
        ("private", "private"),
        ("popularity", "popularity"),
        ("progress", "progress"),
    ] {
        if let Some(key) = Key::find(key) {
            all.insert(name.to_owned(), tree(&key.value(torrent, rules)));
        }
    }
    for (name, value) in [
        ("addition_date", json!(whole(record.added_at))),
        ("completion_date", moment(record.completed_at)),
        ("dl_limit", limit(record.down_limit)),
        ("dl_speed", json!(whole(figures.down_rate))),
        ("dl_speed_avg", json!(whole(torrent.down_bytes() / active))),
        ("is_private", json!(record.is_private)),
        ("last_seen", moment(record.totals.seen_complete_at)),
        ("nb_connections", json!(figures.peers)),
        ("nb_connections_limit", json!(NONE)),
        ("peers", json!(leechers)),
        ("peers_total", json!(figures.swarm_peers.unwrap_or(leechers))),
        ("seeding_time", json!(whole(record.totals.seeding_seconds))),
        ("seeds", json!(figures.seeds)),
        ("seeds_total", json!(figures.swarm_seeds.unwrap_or(figures.seeds))),
        ("share_ratio", milli(keys::ratio_milli(torrent))),
        ("time_elapsed", json!(whole(record.totals.active_seconds))),
        ("total_downloaded", json!(whole(torrent.down_bytes()))),
        ("total_downloaded_session", json!(whole(figures.down_bytes))),
        ("total_uploaded", json!(whole(torrent.up_bytes()))),
        ("total_uploaded_session", json!(whole(figures.up_bytes))),
        ("total_wasted", json!(whole(wasted))),
        ("up_limit", limit(record.up_limit)),
        ("up_speed", json!(whole(figures.up_rate))),
        ("up_speed_avg", json!(whole(torrent.up_bytes() / active))),
    ] {
        all.insert(name.to_owned(), value);
    }
    all
}

fn tree(datum: &Datum<'_>) -> serde_json::Value {
    match datum {
        Datum::Text(text) => json!(text),
        Datum::Number(number) => json!(number),
        Datum::Milli(milli) => json!(*milli as f64 / 1000.0),
        Datum::Bool(yes) => json!(yes),
        Datum::Null => serde_json::Value::Null,
    }
}

/// `torrents/export`: the torrent file.
pub(crate) async fn export(server: &Server, call: &Call) -> Answer {
    let (id, name) = {
        let catalog = server.daemon.catalog();
        let id = call.torrent(&catalog)?;
        (id, catalog.get(id).map_or_else(String::new, |torrent| torrent.record().name.clone()))
    };
    let bytes = server.daemon.metainfo(id).await;
    let bytes =
        bytes.ok_or_else(|| Fault::conflict("Torrent's metadata has not yet downloaded"))?;
    let kept = name.chars().filter(|char| !char.is_control() && !matches!(char, '"' | '\\' | '/'));
    Ok(Reply::File { bytes, name: format!("{}.torrent", kept.collect::<String>()) })
}
