//! Which torrents a call is about.

use crate::dialect::Call;
use crate::fault::Fault;
use crate::serve::Server;
use piecework_catalog::Catalog;
use piecework_types::{InfoHash, Sha1Digest};
use serde_json::Value;
use std::time::Instant;

/// Torrents of a call.
pub(crate) struct Selected {
    pub(crate) ids: Vec<InfoHash>,
    /// Numbers of those that went in the last minute, if it was asked what changed.
    pub(crate) removed: Option<Vec<u32>>,
}

/// Torrents by number or info-hash, one or a list; those that changed in the last minute; all if none are
/// named. What is not there is left out.
///
/// # Errors
/// When `ids` is nothing of this.
pub(crate) fn select(server: &Server, catalog: &Catalog, call: &Call) -> Result<Selected, Fault> {
    let mut numbers = server.numbers();
    let now = Instant::now();
    numbers.update(catalog, now);
    let named = |value: &Value| match value {
        Value::Number(number) => {
            let number = number.as_u64().and_then(|number| u32::try_from(number).ok())?;
            numbers.torrent(number)
        }
        Value::String(hash) => hash.parse::<Sha1Digest>().ok().map(|digest| InfoHash(digest.0)),
        _ => None,
    };
    let there = |id: &InfoHash| catalog.get(*id).is_some();
    let ids = match call.parameters.get("ids") {
        None | Some(Value::Null) => catalog.torrents().map(|torrent| torrent.id()).collect(),
        Some(Value::Array(list)) => list.iter().filter_map(named).filter(there).collect(),
        Some(Value::String(word)) if word == "recently-active" || word == "recently_active" => {
            let delta = catalog.delta(numbers.a_minute_ago(now));
            let removed = delta.gone.iter().map(|id| numbers.of(*id)).collect();
            let ids = delta.torrents.iter().map(|(torrent, _)| torrent.id()).collect();
            return Ok(Selected { ids, removed: Some(removed) });
        }
        Some(one @ (Value::Number(_) | Value::String(_))) => {
            named(one).into_iter().filter(there).collect()
        }
        Some(_) => {
            return Err(Fault::parameter("ids is a number, an info-hash, or a list of them"));
        }
    };
    Ok(Selected { ids, removed: None })
}
