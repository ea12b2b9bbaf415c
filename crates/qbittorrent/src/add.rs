//! `torrents/add`.

use crate::call::Call;
use crate::labels::tags_of;
use crate::limits::{action, minutes, ratio};
use crate::reply::{Answer, Fault, Reply};
use crate::serve::Server;
use axum::http::StatusCode;
use piecework_catalog::{Category, Command, Record, ShareLimits, StopAt};
use piecework_daemon::{Cookie, New, NewSource};
use piecework_metainfo::{Info, Metainfo};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Torrents of one request.
const TORRENTS_MAX: usize = 1_000;

/// How a torrent's files lie in its folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Arrangement {
    /// As its metainfo says.
    Original,
    /// A single file gets a folder too.
    Folder,
    /// The torrent's own folder is left out.
    NoFolder,
}

/// `torrents/add`: `Ok.` when at least one torrent is new, `Fails.` when none is.
pub(crate) async fn add(server: &Server, call: &Call) -> Answer {
    let links = call.list("urls", '\n');
    if call.files.len() + links.len() > TORRENTS_MAX {
        return Err(Fault::bad("too many torrents at once"));
    }
    let record = record(server, call)?;
    let arrangement = arrangement(call);
    let at_top = call.flag("addToTopOfQueue").unwrap_or(false);
    let mut news = Vec::new();
    // All files are looked at before the first is added: a broken one among them changes nothing.
    for bytes in &call.files {
        let metainfo = Metainfo::parse(bytes).map_err(|error| Fault {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            text: format!("Error: this is not a valid torrent file: {error}"),
        })?;
        let mut record = record.clone();
        record.paths = paths(metainfo.info(), arrangement);
        news.push((NewSource::Parsed(bytes.clone(), Arc::new(metainfo)), record));
    }
    let cookie = cookie(call)?;
    let source = |link: &str| match &cookie {
        Some(cookie) => NewSource::LinkWithCookie(link.to_owned(), cookie.clone()),
        None => NewSource::Link(link.to_owned()),
    };
    news.extend(links.into_iter().map(|link| (source(link), record.clone())));
    if let Some(category) = record.category.filter(|_| !news.is_empty()) {
        create(server, category).await?;
    }
    let new = |(source, record)| New { source, record, at_top, peers: Vec::new() };
    let added = server.daemon.add_all(news.into_iter().map(new).collect()).await;
    let is_any_new = added.into_iter().flatten().any(|added| !added.was_there);
    Ok(Reply::text(if is_any_new { "Ok." } else { "Fails." }))
}

/// A category that nobody made before is made by the first torrent in it.
async fn create(server: &Server, name: String) -> Result<(), Fault> {
    if server.daemon.catalog().categories().contains_key(&name) {
        return Ok(());
    }
    Ok(server.daemon.command(Command::CreateCategory(name, Category::default())).await?)
}

/// `cookie`: before 5.1 what servers of torrent files are shown.
fn cookie(call: &Call) -> Result<Option<Cookie>, Fault> {
    let Some(text) = call.filled("cookie") else { return Ok(None) };
    let cookie = Cookie::new(text).ok_or_else(|| Fault::bad("cookie is no cookie"))?;
    Ok(Some(cookie))
}

/// `stopCondition`.
fn stop_at(call: &Call) -> Option<StopAt> {
    match call.get("stopCondition")? {
        "MetadataReceived" => Some(StopAt::Metadata),
        "FilesChecked" => Some(StopAt::Checked),
        _ => None,
    }
}

fn record(server: &Server, call: &Call) -> Result<Record, Fault> {
    let save_path = call.filled("savepath").unwrap_or_default().trim().to_owned();
    let has_incomplete_path = call.flag("useDownloadPath");
    let is_said = !save_path.is_empty();
    let catalog = server.daemon.catalog();
    let rules = catalog.rules();
    // The folder of all, said: an empty one would bring the incomplete path of all with it.
    let save_path = match has_incomplete_path {
        Some(false) if save_path.is_empty() => rules.save_path.clone(),
        _ => save_path,
    };
    // A path that is said is meant, unless it is said that paths are automatic.
    let is_automatic = call.flag("autoTMM").unwrap_or(rules.is_automatic && !is_said);
    let incomplete_path = match has_incomplete_path {
        Some(false) => None,
        _ => {
            call.filled("downloadPath").map(str::to_owned).or_else(|| rules.incomplete_path.clone())
        }
    };
    let (stopped, is_forced) =
        (call.flag("stopped").or_else(|| call.flag("paused")), call.flag("forced"));
    let is_forced = is_forced.unwrap_or(false);
    let speed = |name| call.number(name).and_then(|limit| u64::try_from(limit).ok());
    Ok(Record {
        name: call.filled("rename").unwrap_or_default().trim().to_owned(),
        is_stopped: stopped.unwrap_or(rules.adds_stopped && !is_forced),
        stop_at: stop_at(call),
        is_forced,
        category: call.filled("category").map(str::to_owned),
        tags: tags_of(call),
        is_automatic,
        save_path: if is_automatic { String::new() } else { save_path },
        incomplete_path: incomplete_path.filter(|_| !is_automatic),
        down_limit: speed("dlLimit").filter(|limit| *limit > 0),
        up_limit: speed("upLimit").filter(|limit| *limit > 0),
        share: ShareLimits {
            ratio_milli: ratio(call)?.unwrap_or_default(),
            seeding_minutes: minutes(call, "seedingTimeLimit")?.unwrap_or_default(),
            inactive_minutes: minutes(call, "inactiveSeedingTimeLimit")?.unwrap_or_default(),
            action: action(call),
        },
        is_sequential: call.flag("sequentialDownload").unwrap_or(false),
        edges_first: call.flag("firstLastPiecePrio").unwrap_or(false),
        is_trusted: call.flag("skip_checking").unwrap_or(false),
        ..Record::default()
    })
}

/// `contentLayout`; before it was there, `root_folder`.
fn arrangement(call: &Call) -> Arrangement {
    match (call.get("contentLayout"), call.flag("root_folder")) {
        (Some("Subfolder"), _) | (None, Some(true)) => Arrangement::Folder,
        (Some("NoSubfolder"), _) | (None, Some(false)) => Arrangement::NoFolder,
        _ => Arrangement::Original,
    }
}

/// Where files lie that lie elsewhere than the metainfo says, by number.
fn paths(info: &Info, arrangement: Arrangement) -> BTreeMap<u32, String> {
    let path = |path: &str| match arrangement {
        Arrangement::Folder if info.is_single_file() => {
            let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
            Some(format!("{}/{path}", if stem.is_empty() { path } else { stem }))
        }
        Arrangement::NoFolder if !info.is_single_file() => {
            path.split_once('/').map(|(_, below)| below.to_owned())
        }
        _ => None,
    };
    let files = (0_u32..).zip(info.files()).filter(|(_, file)| !file.is_pad());
    files.filter_map(|(number, file)| Some((number, path(file.path())?))).collect()
}
