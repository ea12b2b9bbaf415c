//! `torrent_get`: the fields that were asked for, of the torrents that were named.

use crate::dialect::{Answer, Call};
use crate::fault::Fault;
use crate::fields::{self, Known};
use crate::names::{Dress, snake};
use crate::select::{Selected, select};
use crate::serve::Server;
use piecework_metainfo::Metainfo;
use piecework_types::InfoHash;
use serde_json::{Map, Value, json};

/// Fields of a call.
const FIELDS_MAX: usize = 200;

pub(crate) async fn get(server: &Server, call: &Call) -> Result<Answer, Fault> {
    let Some(Value::Array(wanted)) = call.parameters.get("fields") else {
        return Err(Fault::parameter("no fields specified"));
    };
    // Keys come back as they were asked for.
    let wanted: Vec<(String, String)> = wanted
        .iter()
        .filter_map(Value::as_str)
        .take(FIELDS_MAX)
        .map(|name| (name.to_owned(), snake(name)))
        .collect();
    let Selected { ids, removed } = select(server, &server.daemon.catalog(), call)?;
    let is_table = call.parameters.get("format").is_some_and(|format| format == "table");
    let mut torrents = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(fields) = one(server, id, &wanted).await else { continue };
        torrents.push(fields);
    }
    let torrents: Vec<Value> = if is_table {
        let head = wanted.iter().map(|(name, _)| json!(name)).collect();
        let rows = torrents.into_iter().map(|mut fields| {
            Value::Array(
                wanted.iter().map(|(name, _)| fields.remove(name).unwrap_or(Value::Null)).collect(),
            )
        });
        std::iter::once(Value::Array(head)).chain(rows).collect()
    } else {
        torrents.into_iter().map(Value::Object).collect()
    };
    let mut answer = json!({"torrents": torrents});
    if let (Some(removed), Some(object)) = (removed, answer.as_object_mut()) {
        object.insert("removed".to_owned(), json!(removed));
    }
    Ok(Answer::new(answer, Dress::Camel))
}

/// The fields of one torrent; `None` if it has gone meanwhile. What the catalog does not know is asked for
/// only where a field needs it.
async fn one(
    server: &Server,
    id: InfoHash,
    wanted: &[(String, String)],
) -> Option<Map<String, Value>> {
    let needs = |names: &[&str]| wanted.iter().any(|(_, name)| names.contains(&name.as_str()));
    let mut known = Known::default();
    if needs(&fields::OF_METAINFO) {
        let bytes = server.daemon.metainfo(id).await;
        known.metainfo = bytes.and_then(|bytes| Metainfo::parse(&bytes).ok());
    }
    if needs(&fields::OF_FILES) {
        known.info = server.daemon.info(id).await;
        known.have = server.daemon.bitfield(id).await;
    }
    if needs(&fields::OF_TRACKERS) {
        known.trackers = server.daemon.trackers(id).await.unwrap_or_default();
    }
    if needs(&fields::OF_PEERS) {
        known.peers = server.daemon.peers(id).await.unwrap_or_default();
    }
    if needs(&fields::OF_WEB_SEEDS) {
        known.web_seeds = server.daemon.web_seeds(id).await.unwrap_or_default();
    }
    let catalog = server.daemon.catalog();
    let torrent = catalog.get(id)?;
    let number = server.numbers().of(id);
    let value = |(asked, name): &(String, String)| {
        let value = fields::value(torrent, number, catalog.rules(), &known, name)?;
        Some((asked.clone(), value))
    };
    Some(wanted.iter().filter_map(value).collect())
}
