//! `torrents/info`: torrents by group, category and tag, in any order, a page at a time.

use crate::call::{Call, parse_hash};
use crate::json::{Object, whole, write_list};
use crate::keys::{self, Key};
use crate::reply::{Answer, Reply};
use crate::serve::Server;
use crate::state;
use crate::trackers::write_tracker;
use piecework_catalog::{Catalog, FieldSet, Torrent};
use piecework_node::TrackerStatus;
use piecework_types::InfoHash;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes that one torrent takes, about.
const TORRENT_BYTES: usize = 1_600;

/// `torrents/info`.
pub(crate) async fn info(server: &Server, call: &Call) -> Answer {
    let trackers = match call.flag("includeTrackers") {
        Some(true) => Some(trackers(server, call).await),
        _ => None,
    };
    let catalog = server.daemon.catalog();
    let torrents = selected(&catalog, call);
    let mut out = Vec::with_capacity(2 + torrents.len() * TORRENT_BYTES);
    write_list(&mut out, torrents.into_iter(), |out, torrent| {
        let mut object = Object::new(out);
        keys::write(&mut object, torrent, catalog.rules(), FieldSet::ALL);
        // It passes by itself, so that it is no key of what changes.
        let next = server.daemon.next_announce(torrent.id());
        object.number("reannounce", next.map_or(0, |next| whole(next.as_secs())));
        if let Some(trackers) = &trackers {
            let trackers = trackers.get(&torrent.id()).into_iter().flatten();
            write_list(object.key("trackers"), trackers, write_tracker);
        }
        object.end();
    });
    Ok(Reply::Json(out))
}

/// The trackers of the torrents of an answer.
async fn trackers(server: &Server, call: &Call) -> BTreeMap<InfoHash, Vec<TrackerStatus>> {
    let ids: Vec<InfoHash> = {
        let catalog = server.daemon.catalog();
        selected(&catalog, call).into_iter().map(Torrent::id).collect()
    };
    let mut all = BTreeMap::new();
    for id in ids {
        all.insert(id, server.daemon.trackers(id).await.unwrap_or_default());
    }
    all
}

/// `torrents/count`.
pub(crate) async fn count(server: &Server, _: &Call) -> Answer {
    Ok(Reply::text(server.daemon.catalog().torrents().len().to_string()))
}

fn selected<'a>(catalog: &'a Catalog, call: &Call) -> Vec<&'a Torrent> {
    let named: Option<BTreeSet<_>> = call
        .filled("hashes")
        .filter(|hashes| *hashes != "all")
        .map(|hashes| hashes.split('|').filter_map(parse_hash).collect());
    let all: Vec<&Torrent> = match &named {
        Some(ids) => ids.iter().filter_map(|id| catalog.get(*id)).collect(),
        None => catalog.torrents().collect(),
    };
    let (group, category) = (call.filled("filter").unwrap_or("all"), call.get("category"));
    let (tag, is_private) = (call.get("tag"), call.flag("private"));
    let mut torrents: Vec<&Torrent> = all
        .into_iter()
        // A group that is not known leaves nothing out, as in the original.
        .filter(|torrent| state::belongs(torrent, group).unwrap_or(true))
        .filter(|torrent| {
            category.is_none_or(|wanted| {
                torrent.record().category.as_deref().unwrap_or_default() == wanted
            })
        })
        .filter(|torrent| tag.is_none_or(|wanted| has_tag(torrent, wanted)))
        .filter(|torrent| is_private.is_none_or(|wanted| torrent.record().is_private == wanted))
        .collect();
    if let Some(key) = call.filled("sort").and_then(Key::find) {
        let rules = catalog.rules();
        torrents.sort_by(|one, two| key.value(one, rules).compare(&key.value(two, rules)));
    }
    if call.flag("reverse") == Some(true) {
        torrents.reverse();
    }
    page(torrents, call.number("offset").unwrap_or(0), call.number("limit").unwrap_or(0))
}

/// An empty tag means: without any.
fn has_tag(torrent: &Torrent, wanted: &str) -> bool {
    let tags = &torrent.record().tags;
    if wanted.is_empty() { tags.is_empty() } else { tags.contains(wanted) }
}

/// From an offset on, counted from the end if it is negative; all where the limit is 0 or negative.
fn page<T>(mut all: Vec<T>, offset: i64, limit: i64) -> Vec<T> {
    let len = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let from = match offset {
        _ if offset >= len => 0,
        0.. => offset,
        _ => len.saturating_add(offset).max(0),
    };
    all.drain(..usize::try_from(from).unwrap_or(0));
    if let Ok(limit) = usize::try_from(limit)
        && limit > 0
    {
        all.truncate(limit);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_from_either_end() {
        let page = |offset, limit| page(vec![0, 1, 2, 3, 4], offset, limit);
        assert_eq!(page(0, 0), [0, 1, 2, 3, 4]);
        assert_eq!(page(1, 2), [1, 2]);
        assert_eq!(page(-2, 0), [3, 4]);
        assert_eq!(page(-2, 1), [3]);
        assert_eq!(page(3, 9), [3, 4]);
        assert_eq!(page(-9, 1), [0]);
        assert_eq!(page(i64::MIN, i64::MIN), [0, 1, 2, 3, 4]);
    }
}
