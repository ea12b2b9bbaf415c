//! Trackers and web seeds of a torrent.

use crate::call::Call;
use crate::json::{Object, write_list};
use crate::reply::{Answer, Fault, Reply};
use crate::serve::Server;
use piecework_catalog::{Command, Torrent, TrackerEdit};
use piecework_metainfo::Metainfo;
use piecework_node::{TrackerState, TrackerStatus};
use piecework_types::InfoHash;
use std::collections::BTreeSet;

/// "Not known" as a count of peers.
const UNKNOWN: i64 = -1;

/// Where peers come from besides trackers. Programs skip the first three entries by their names.
const OTHERS: [&str; 3] = ["** [DHT] **", "** [PeX] **", "** [LSD] **"];

/// `torrents/trackers`.
pub(crate) async fn trackers(server: &Server, call: &Call) -> Answer {
    let (id, is_private) = {
        let catalog = server.daemon.catalog();
        let id = call.torrent(&catalog)?;
        (id, catalog.get(id).is_some_and(|torrent| torrent.record().is_private))
    };
    let trackers = server.daemon.trackers(id).await.unwrap_or_default();
    let has_dht = server.daemon.node().dht_nodes.is_some();
    let mut out = Vec::new();
    let others = OTHERS.iter().enumerate().map(|(at, name)| {
        let works = !is_private && (at > 0 || has_dht);
        (*name, works)
    });
    let all = others.map(Entry::Other).chain(trackers.iter().map(Entry::Tracker));
    write_list(&mut out, all, |out, entry| entry.write(out));
    Ok(Reply::Json(out))
}

enum Entry<'a> {
    /// Its name, and whether it is used for this torrent.
    Other((&'a str, bool)),
    Tracker(&'a TrackerStatus),
}

impl Entry<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Tracker(tracker) => write_tracker(out, tracker),
            Self::Other((name, works)) => {
                let mut object = Object::new(out);
                object.text("msg", if *works { "" } else { "This torrent is private" });
                for key in ["num_downloaded", "num_leeches", "num_peers", "num_seeds"] {
                    object.number(key, 0);
                }
                object.number("status", if *works { 2 } else { 0 });
                object.number("tier", -1);
                object.text("url", name);
                object.end();
            }
        }
    }
}

/// One tracker.
pub(crate) fn write_tracker(out: &mut Vec<u8>, tracker: &TrackerStatus) {
    let count = |count: Option<u32>| count.map_or(UNKNOWN, i64::from);
    let peers = tracker.seeds.zip(tracker.leechers);
    let mut object = Object::new(out);
    object.text("msg", message(tracker));
    object.number("num_downloaded", count(tracker.downloaded));
    object.number("num_leeches", count(tracker.leechers));
    object.number("num_peers", count(peers.map(|(one, two)| one.saturating_add(two))));
    object.number("num_seeds", count(tracker.seeds));
    object.number("status", status(tracker.state));
    object.number("tier", tracker.tier.into());
    object.text("url", tracker.url.as_str());
    object.end();
}

/// Programs search the message for reasons such as "unregistered", which a success has none of.
fn message(tracker: &TrackerStatus) -> &str {
    match tracker.state {
        TrackerState::Failing | TrackerState::Updating => &tracker.message,
        TrackerState::NotContacted | TrackerState::Working => "",
    }
}

/// 1 not contacted, 2 working, 3 updating, 4 not working. Programs announce again until it is 2.
const fn status(state: TrackerState) -> i64 {
    match state {
        TrackerState::NotContacted => 1,
        TrackerState::Working => 2,
        TrackerState::Updating => 3,
        TrackerState::Failing => 4,
    }
}

/// The web seeds of a torrent.
pub(crate) async fn web_seeds(server: &Server, call: &Call) -> Answer {
    let (id, added) = {
        let catalog = server.daemon.catalog();
        let id = call.torrent(&catalog)?;
        (id, catalog.get(id).map(|torrent| torrent.record().web_seeds.clone()))
    };
    let mut urls: Vec<String> = added.unwrap_or_default();
    let loaded = server.daemon.web_seeds(id).await.unwrap_or_default();
    urls.extend(loaded.into_iter().map(|seed| seed.url));
    // A torrent that takes no part uses none, but has those of its torrent file.
    if let Some(bytes) = server.daemon.metainfo(id).await
        && let Ok(metainfo) = Metainfo::parse(&bytes)
    {
        urls.extend(metainfo.web_seeds().iter().chain(metainfo.http_seeds()).cloned());
    }
    let mut told = BTreeSet::new();
    urls.retain(|url| told.insert(url.clone()));
    let mut out = Vec::new();
    write_list(&mut out, urls.iter(), |out, url| {
        let mut object = Object::new(out);
        object.text("url", url);
        object.end();
    });
    Ok(Reply::Json(out))
}

/// `torrents/addTrackers`: addresses on lines; an empty line begins another tier.
pub(crate) async fn add(server: &Server, call: &Call) -> Answer {
    let id = call.torrent(&server.daemon.catalog())?;
    let urls = call.required("urls")?;
    let mut tiers = vec![Vec::new()];
    for line in urls.lines().map(str::trim) {
        match (line.is_empty(), tiers.last_mut()) {
            (false, Some(tier)) => tier.push(line.to_owned()),
            _ => tiers.push(Vec::new()),
        }
    }
    tiers.retain(|tier| !tier.is_empty());
    edited(server, id, TrackerEdit::Add(tiers)).await
}

/// `torrents/editTracker`.
pub(crate) async fn edit(server: &Server, call: &Call) -> Answer {
    let from = call.required("origUrl")?.to_owned();
    let to = call.required("newUrl")?.trim().to_owned();
    let id = {
        let catalog = server.daemon.catalog();
        let id = call.torrent(&catalog)?;
        let has = |url: &str| {
            catalog.get(id).is_some_and(|torrent| torrent.trackers().any(|there| there == url))
        };
        if !has(&from) {
            return Err(Fault::conflict("origUrl is no tracker of this torrent"));
        }
        if from == to {
            return Ok(Reply::Empty);
        }
        if has(&to) {
            return Err(Fault::conflict("newUrl is a tracker of this torrent already"));
        }
        id
    };
    edited(server, id, TrackerEdit::Replace { from, to }).await
}

/// `torrents/removeTrackers`: addresses between bars, of one torrent or of all (`*`). Those that are not
/// there are left out.
pub(crate) async fn remove(server: &Server, call: &Call) -> Answer {
    call.required("urls")?;
    let named = call.list("urls", '|');
    let edits: Vec<(InfoHash, Vec<String>)> = {
        let catalog = server.daemon.catalog();
        let is_all = call.required("hash")? == "*";
        let one = if is_all { None } else { Some(call.torrent(&catalog)?) };
        let torrents = catalog.torrents().filter(|torrent| one.is_none_or(|id| id == torrent.id()));
        let edit = |torrent: &Torrent| {
            let there = torrent.trackers().filter(|url| named.contains(url)).map(str::to_owned);
            (torrent.id(), there.collect::<Vec<_>>())
        };
        torrents.map(edit).filter(|(_, urls)| !urls.is_empty()).collect()
    };
    for (id, urls) in edits {
        server.daemon.command(Command::EditTrackers(id, TrackerEdit::Remove(urls))).await?;
    }
    Ok(Reply::Empty)
}

async fn edited(server: &Server, id: InfoHash, edit: TrackerEdit) -> Answer {
    server.daemon.command(Command::EditTrackers(id, edit)).await?;
    Ok(Reply::Empty)
}
