//! `torrent_add`.

use crate::act::{flag, number, text, texts};
use crate::dialect::{Answer, Call};
use crate::fault::{Code, Fault};
use crate::names::Dress;
use crate::serve::Server;
use crate::set::priorities;
use piecework_api::base64;
use piecework_catalog::Record;
use piecework_daemon::{Cookie, New, NewSource};
use piecework_metainfo::Metainfo;
use serde_json::json;

pub(crate) async fn add(server: &Server, call: &Call) -> Result<Answer, Fault> {
    let adds_stopped = server.daemon.catalog().rules().adds_stopped;
    let mut record = record(call, adds_stopped)?;
    let source = match (text(call, "metainfo"), text(call, "filename")) {
        (Some(metainfo), _) if !metainfo.is_empty() => {
            let bytes =
                base64(metainfo).ok_or_else(|| Fault::parameter("metainfo is no base64"))?;
            let metainfo = Metainfo::parse(&bytes).map_err(|error| {
                Fault::new(Code::Unknown, format!("invalid torrent file: {error}"))
            })?;
            let count = u32::try_from(metainfo.info().files().len()).unwrap_or(u32::MAX);
            record.priorities = priorities(call, count)?;
            NewSource::Metainfo(bytes)
        }
        // Files of this machine are not opened for whoever asks.
        (_, Some(link)) if !link.starts_with('/') => match text(call, "cookies") {
            Some(cookies) if !cookies.trim().is_empty() => {
                let cookie = Cookie::new(cookies);
                let cookie = cookie.ok_or_else(|| Fault::parameter("cookies are no cookies"))?;
                NewSource::LinkWithCookie(link.to_owned(), cookie)
            }
            _ => NewSource::Link(link.to_owned()),
        },
        (_, Some(_)) => return Err(Fault::new(Code::Path, "send the torrent file as metainfo")),
        (_, None) => return Err(Fault::parameter("no filename or metainfo specified")),
    };
    let at_top = number(call, "queue_position") == Some(0);
    let added = server.daemon.add(New { source, record, at_top, peers: Vec::new() }).await?;
    let name = {
        let catalog = server.daemon.catalog();
        catalog.get(added.id).map(|torrent| torrent.record().name.clone()).unwrap_or_default()
    };
    let torrent = json!({
        "hash_string": added.id.to_string(),
        "id": server.numbers().of(added.id),
        "name": name,
    });
    let key = if added.was_there { "torrent_duplicate" } else { "torrent_added" };
    Ok(Answer::new(json!({ key: torrent }), Dress::Camel))
}

fn record(call: &Call, adds_stopped: bool) -> Result<Record, Fault> {
    let save_path = text(call, "download_dir").unwrap_or_default();
    if !save_path.is_empty() && !save_path.starts_with('/') {
        return Err(Fault::new(Code::Path, "download directory path is not absolute"));
    }
    Ok(Record {
        save_path: save_path.to_owned(),
        is_stopped: flag(call, "paused").unwrap_or(adds_stopped),
        tags: texts(call, "labels").unwrap_or_default().into_iter().collect(),
        is_sequential: flag(call, "sequential_download").unwrap_or(false),
        ..Record::default()
    })
}
