//! What this dialect says of a torrent, field by field.

use piecework_catalog::{Field, Limit, Rules, Stage, Torrent, Value as Datum};
use piecework_metainfo::{Info, Metainfo};
use piecework_node::{PeerSource, PeerStatus, TrackerState, TrackerStatus, WebSeedStatus};
use piecework_types::Bitfield;
use serde_json::{Value, json};
use std::sync::Arc;

/// What the catalog does not know, as far as it was asked for.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) metainfo: Option<Metainfo>,
    pub(crate) info: Option<Arc<Info>>,
    pub(crate) have: Option<Bitfield>,
    pub(crate) trackers: Vec<TrackerStatus>,
    pub(crate) peers: Vec<PeerStatus>,
    pub(crate) web_seeds: Vec<WebSeedStatus>,
}

/// Fields that need the torrent file.
pub(crate) const OF_METAINFO: [&str; 3] = ["comment", "creator", "date_created"];

/// Fields that need the files and pieces.
pub(crate) const OF_FILES: [&str; 7] =
    ["files", "file_stats", "piece_count", "piece_size", "pieces", "priorities", "wanted"];

/// Fields that need the trackers' state.
pub(crate) const OF_TRACKERS: [&str; 1] = ["tracker_stats"];

/// Fields that need the peers.
pub(crate) const OF_PEERS: [&str; 4] =
    ["peers", "peers_from", "peers_getting_from_us", "peers_sending_to_us"];

/// Fields that need the web seeds.
pub(crate) const OF_WEB_SEEDS: [&str; 2] = ["webseeds", "webseeds_sending_to_us"];

/// Our priority of a file for which nothing was said.
const NORMAL: u8 = 4;

/// "Not known", and "never".
const NONE: i64 = -1;

/// A field's value; `None` for a field that we have nothing behind.
pub(crate) fn value(
    torrent: &Torrent,
    number: u32,
    rules: &Rules,
    known: &Known,
    name: &str,
) -> Option<Value> {
    let own = of_catalog(torrent, number, name).or_else(|| of_limits(torrent, rules, name));
    own.or_else(|| of_parts(torrent, known, name))
}

fn of_catalog(torrent: &Torrent, number: u32, name: &str) -> Option<Value> {
    let (record, figures) = (torrent.record(), torrent.figures());
    let done = count(torrent, Field::WantedBytes).saturating_sub(count(torrent, Field::LeftBytes));
    Some(match name {
        "activity_date" => json!(record.totals.last_activity_at.unwrap_or(0)),
        "added_date" => json!(record.added_at),
        "corrupt_ever" => json!(count(torrent, Field::WastedBytes)),
        "done_date" => json!(record.completed_at.unwrap_or(0)),
        "download_dir" => json!(record.save_path),
        "downloaded_ever" => json!(torrent.down_bytes()),
        "error" => json!(if record.error.is_some() { 3 } else { 0 }),
        "error_string" => json!(record.error.as_deref().unwrap_or_default()),
        "eta" => match torrent.value(Field::EtaSeconds) {
            Datum::Number(seconds) => json!(seconds),
            _ => json!(NONE),
        },
        "file_count" => json!(record.file_count),
        "hash_string" => json!(torrent.id().to_string()),
        "have_unchecked" => json!(0),
        "have_valid" => json!(done),
        "id" => json!(number),
        "is_finished" => json!(torrent.stage() == Stage::Stopped && torrent.is_complete()),
        "is_private" => json!(record.is_private),
        "is_stalled" => json!(torrent.stage() == Stage::Downloading && figures.down_rate == 0),
        "labels" => json!(record.tags),
        "left_until_done" => json!(count(torrent, Field::LeftBytes)),
        "magnet_link" => json!(magnet(torrent)),
        "metadata_percent_complete" => json!(if record.has_metainfo { 1.0 } else { 0.0 }),
        "name" => json!(record.name),
        "peers_connected" => json!(figures.peers),
        "percent_complete" | "percent_done" => {
            json!(part(done, count(torrent, Field::WantedBytes)))
        }
        "queue_position" => match torrent.value(Field::Queue) {
            Datum::Number(place) => json!(place),
            _ => json!(0),
        },
        "rate_download" => json!(figures.down_rate),
        "rate_upload" => json!(figures.up_rate),
        "recheck_progress" => json!(f64::from(figures.checking_milli.unwrap_or(0)) / 1000.0),
        "seconds_downloading" => {
            json!(record.totals.active_seconds.saturating_sub(record.totals.seeding_seconds))
        }
        "seconds_seeding" => json!(record.totals.seeding_seconds),
        "sequential_download" => json!(record.is_sequential),
        "size_when_done" => json!(count(torrent, Field::WantedBytes)),
        "status" => json!(status(torrent)),
        "total_size" => json!(record.size_bytes),
        "upload_ratio" => match torrent.value(Field::RatioMilli) {
            Datum::Number(milli) => json!(milli as f64 / 1000.0),
            _ => json!(NONE),
        },
        "uploaded_ever" => json!(torrent.up_bytes()),
        _ => return None,
    })
}

/// 0 stopped, 2 checking, 3 waits to download, 4 downloading, 5 waits to seed, 6 seeding. What cannot go on
/// is stopped and has an error.
fn status(torrent: &Torrent) -> u8 {
    match torrent.stage() {
        Stage::Stopped | Stage::NoSpace | Stage::Missing | Stage::Failed => 0,
        Stage::Checking => 2,
        Stage::Queued | Stage::Moving if torrent.is_complete() => 5,
        Stage::Queued | Stage::Moving => 3,
        Stage::Metadata | Stage::Downloading => 4,
        Stage::Seeding => 6,
    }
}

/// Modes: 0 the limit of all, 1 its own, 2 none.
fn of_limits(torrent: &Torrent, rules: &Rules, name: &str) -> Option<Value> {
    let record = torrent.record();
    let mode = |limit: Limit<u32>| match limit {
        Limit::Global => 0,
        Limit::Of(_) => 1,
        Limit::Unlimited => 2,
    };
    let number = |limit: Limit<u32>, global: Option<u32>| match limit {
        Limit::Of(value) => value,
        Limit::Global | Limit::Unlimited => global.unwrap_or(0),
    };
    let kilo = |limit: Option<u64>| limit.unwrap_or(0).div_ceil(crate::set::KILO);
    let share = &record.share;
    Some(match name {
        "bandwidth_priority" => json!(0),
        "download_limit" => json!(kilo(record.down_limit)),
        "download_limited" => json!(record.down_limit.is_some()),
        "honors_session_limits" => json!(true),
        "seed_idle_limit" => json!(number(share.inactive_minutes, rules.inactive_minutes)),
        "seed_idle_mode" => json!(mode(share.inactive_minutes)),
        "seed_ratio_limit" => {
            json!(f64::from(number(share.ratio_milli, rules.ratio_milli)) / 1000.0)
        }
        "seed_ratio_mode" => json!(mode(share.ratio_milli)),
        "upload_limit" => json!(kilo(record.up_limit)),
        "upload_limited" => json!(record.up_limit.is_some()),
        _ => return None,
    })
}

fn of_parts(torrent: &Torrent, known: &Known, name: &str) -> Option<Value> {
    let metainfo = known.metainfo.as_ref();
    let info = known.info.as_ref();
    let count =
        |holds: &dyn Fn(&PeerStatus) -> bool| known.peers.iter().filter(|peer| holds(peer)).count();
    Some(match name {
        "comment" => json!(metainfo.and_then(Metainfo::comment).unwrap_or_default()),
        "creator" => json!(metainfo.and_then(Metainfo::created_by).unwrap_or_default()),
        "date_created" => json!(metainfo.and_then(Metainfo::creation_date).unwrap_or(0)),
        "files" => files(
            torrent,
            known,
            &|file| json!({"bytes_completed": file.done, "length": file.length, "name": file.path}),
        ),
        "file_stats" => files(torrent, known, &|file| {
            let priority = theirs(file.priority);
            json!({"bytes_completed": file.done, "priority": priority, "wanted": file.priority > 0})
        }),
        "priorities" => files(torrent, known, &|file| json!(theirs(file.priority))),
        "wanted" => files(torrent, known, &|file| json!(u8::from(file.priority > 0))),
        "piece_count" => json!(info.map_or(0, |info| info.grid().piece_count())),
        "piece_size" => json!(info.map_or(0, |info| info.piece_length())),
        "pieces" => {
            let bits = known.have.as_ref().map(Bitfield::to_wire).unwrap_or_default();
            json!(base64(&bits))
        }
        "peers" => json!(known.peers.iter().map(peer).collect::<Vec<_>>()),
        "peers_from" => peers_from(&known.peers),
        "peers_getting_from_us" => json!(count(&|peer| peer.up_rate > 0)),
        "peers_sending_to_us" => json!(count(&|peer| peer.down_rate > 0)),
        "trackers" => json!(trackers(torrent)),
        "tracker_list" => {
            let tiers = torrent.record().trackers.iter().flatten();
            json!(tiers.map(|tier| tier.join("\n")).collect::<Vec<_>>().join("\n\n"))
        }
        "tracker_stats" => {
            json!(known.trackers.iter().enumerate().map(tracker).collect::<Vec<_>>())
        }
        "webseeds" => {
            let urls = known.web_seeds.iter().map(|seed| seed.url.as_str());
            json!(urls.collect::<Vec<_>>())
        }
        "webseeds_sending_to_us" => json!(0),
        _ => return None,
    })
}

/// One file.
struct FilePart<'a> {
    path: &'a str,
    length: u64,
    done: u64,
    priority: u8,
}

/// One value for each file; pad files are not files to people.
fn files(torrent: &Torrent, known: &Known, make: &dyn Fn(&FilePart<'_>) -> Value) -> Value {
    let Some(info) = &known.info else { return json!([]) };
    let (record, grid) = (torrent.record(), info.grid());
    let files = (0_u32..).zip(info.files()).map(|(number, file)| {
        let (start, end) = (file.offset(), file.offset().saturating_add(file.length()));
        let pieces = info.layout().pieces_of(number as usize).filter_map(|piece| grid.piece(piece));
        let there =
            pieces.filter(|piece| known.have.as_ref().is_some_and(|have| have.contains(*piece)));
        let done = there.map(|piece| {
            let from = grid.piece_offset(piece);
            let to = from.saturating_add(grid.piece_bytes(piece).into());
            to.min(end).saturating_sub(from.max(start))
        });
        make(&FilePart {
            path: record.paths.get(&number).map_or_else(|| file.path(), String::as_str),
            length: file.length(),
            done: done.sum::<u64>().min(file.length()),
            priority: record.priorities.get(&number).copied().unwrap_or(NORMAL),
        })
    });
    Value::Array(files.collect())
}

/// Connected peers by where their addresses are from. Those of a cache, and those that say nothing of it, are
/// none of ours.
fn peers_from(peers: &[PeerStatus]) -> Value {
    let of = |source: PeerSource| {
        peers.iter().filter(|peer| peer.is_outgoing && peer.source == source).count()
    };
    json!({
        "from_cache": 0,
        "from_dht": of(PeerSource::Dht),
        "from_incoming": peers.iter().filter(|peer| !peer.is_outgoing).count(),
        "from_lpd": of(PeerSource::Nearby),
        "from_ltep": 0,
        "from_pex": of(PeerSource::Exchange),
        "from_tracker": of(PeerSource::Tracker),
    })
}

/// Low, normal, high.
const fn theirs(priority: u8) -> i8 {
    match priority {
        1..NORMAL => -1,
        0 | NORMAL => 0,
        _ => 1,
    }
}

fn trackers(torrent: &Torrent) -> Vec<Value> {
    let tiers = torrent.record().trackers.iter().flatten().enumerate();
    let urls = tiers.flat_map(|(tier, urls)| urls.iter().map(move |url| (tier, url)));
    let urls = urls.enumerate();
    urls.map(|(id, (tier, url))| {
        json!({"announce": url, "id": id, "scrape": "", "sitename": "", "tier": tier})
    })
    .collect()
}

fn tracker((id, tracker): (usize, &TrackerStatus)) -> Value {
    let count = |count: Option<u32>| count.map_or(NONE, i64::from);
    let has_announced = tracker.is_working.is_some();
    let state = match tracker.state {
        TrackerState::NotContacted => 0,
        TrackerState::Working | TrackerState::Failing => 1,
        TrackerState::Updating => 3,
    };
    json!({
        "announce": tracker.url.as_str(),
        "announce_state": state,
        "download_count": count(tracker.downloaded),
        "has_announced": has_announced,
        "has_scraped": false,
        "host": tracker.host,
        "id": id,
        "is_backup": false,
        "last_announce_peer_count": 0,
        "last_announce_result": tracker.message,
        "last_announce_start_time": 0,
        "last_announce_succeeded": tracker.is_working == Some(true),
        "last_announce_time": 0,
        "last_announce_timed_out": false,
        "last_scrape_result": "",
        "last_scrape_start_time": 0,
        "last_scrape_succeeded": false,
        "last_scrape_time": 0,
        "last_scrape_timed_out": false,
        "leecher_count": count(tracker.leechers),
        "next_announce_time": 0,
        "next_scrape_time": 0,
        "scrape": "",
        "scrape_state": 0,
        "seeder_count": count(tracker.seeds),
        "sitename": "",
        "tier": tracker.tier,
    })
}

fn peer(peer: &PeerStatus) -> Value {
    let flags = [
        (peer.down_rate > 0, 'D'),
        (peer.up_rate > 0, 'U'),
        (peer.is_encrypted, 'E'),
        (!peer.is_outgoing, 'I'),
    ];
    let flags: String =
        flags.iter().filter(|(holds, _)| *holds).map(|(_, letter)| letter).collect();
    json!({
        "address": peer.address.ip().to_string(),
        "bytes_to_client": peer.down_bytes,
        "bytes_to_peer": peer.up_bytes,
        "client_is_choked": peer.is_choking,
        "client_is_interested": peer.am_interested,
        "client_name": peer.client,
        "flag_str": flags,
        "is_downloading_from": peer.down_rate > 0,
        "is_encrypted": peer.is_encrypted,
        "is_incoming": !peer.is_outgoing,
        "is_uploading_to": peer.up_rate > 0,
        "is_utp": false,
        "peer_is_choked": peer.am_choking,
        "peer_is_interested": peer.is_interested,
        "port": peer.address.port(),
        "progress": f64::from(peer.progress_milli) / 1000.0,
        "rate_to_client": peer.down_rate,
        "rate_to_peer": peer.up_rate,
    })
}

/// The link it came from, or one with its names alone (BEP 9, 53).
fn magnet(torrent: &Torrent) -> String {
    let record = torrent.record();
    if let Some(magnet) = &record.magnet {
        return magnet.clone();
    }
    let v1 = record.v1.iter().map(|hash| format!("xt=urn:btih:{hash}"));
    // 0x12 and 0x20 say: a SHA-256, 32 bytes (the multihash format).
    let v2 = record.v2.iter().map(|hash| format!("xt=urn:btmh:1220{hash}"));
    format!("magnet:?{}", v1.chain(v2).collect::<Vec<_>>().join("&"))
}

fn count(torrent: &Torrent, field: Field) -> u64 {
    match torrent.value(field) {
        Datum::Number(number) => number,
        _ => 0,
    }
}

fn part(done: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { done as f64 / whole as f64 }
}

/// Base64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for letter in 0..4 {
            let is_there = letter <= chunk.len();
            let index = bits >> (18 - 6 * letter) & 0x3f;
            text.push(if is_there { char::from(LETTERS[index as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_rfc_is_written() {
        let vectors = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, vector) in vectors.into_iter().enumerate() {
            assert_eq!(base64(&b"foobar"[..length]), vector);
        }
    }
}
