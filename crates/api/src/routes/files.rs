//! The files of a torrent, its pieces, and its torrent file.

use crate::extract::{Json, JsonList, Path, Query, torrent_id};
use crate::problem::{Code, Problem};
use crate::state::Api;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use piecework_catalog::Command;
use piecework_metainfo::Info;
use piecework_node::{NORMAL_PRIORITY, PieceState};
use piecework_types::{Bitfield, InfoHash, PieceIndex};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

use super::list::TorrentPath;

/// Files changed by one request.
const EDITS_MAX: usize = 100_000;

/// The most that a page can leave out or have, as no torrent has more files.
const PAGE_MAX: u32 = 400_000;

/// What stands for itself in the extended notation of RFC 8187.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A file of a torrent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = File)]
pub(crate) struct FileView {
    /// Its number in the torrent.
    index: u32,
    /// Where it is stored, below the torrent's folder, with `/` between parts.
    path: String,
    size_bytes: u64,
    /// 0 skips, 4 is normal, 7 is the highest.
    priority: u8,
    /// How much of it is there, in thousandths.
    progress_milli: u32,
}

/// A file to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileEdit {
    /// Its number.
    index: u32,
    /// 0 skips, 4 is normal, 7 is the highest.
    #[schema(maximum = 7)]
    priority: Option<u8>,
    /// Another path below the torrent's folder.
    #[schema(min_length = 1)]
    path: Option<String>,
}

/// Which files.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FilePage {
    /// Leave out so many of the first.
    #[serde(default)]
    #[param(maximum = 400_000)]
    offset: u32,
    /// At most so many.
    #[param(minimum = 1, maximum = 400_000)]
    limit: Option<u32>,
}

/// List the files of a torrent
///
/// Padding is left out, so numbers may have gaps. In pages: the one that is shorter than `limit` is the last.
#[utoipa::path(get, path = "/torrents/{id}/files", tag = "files", params(TorrentPath, FilePage),
    responses((status = 200, description = "Its files.", body = Vec<FileView>)))]
pub(crate) async fn files(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
    Query(page): Query<FilePage>,
) -> Result<Json<Vec<FileView>>, Problem> {
    let id = torrent_id(&path.id)?;
    let info = info(&api, id).await?;
    let have = api.daemon.bitfield(id).await;
    let places = places(&api, id, &info, page)?;
    let files = places.into_iter().map(|(index, path, priority)| {
        let size_bytes = info.files().get(index).map_or(0, |file| file.length());
        let progress_milli = progress(&info, index, have.as_ref());
        FileView { index: index as u32, path, size_bytes, priority, progress_milli }
    });
    Ok(Json(files.collect()))
}

/// The info dictionary, or why there is none.
pub(crate) async fn info(api: &Api, id: InfoHash) -> Result<Arc<Info>, Problem> {
    let info = api.daemon.info(id).await;
    api.check_ids(&[id])?;
    info.ok_or_else(|| Problem::new(Code::Conflict, "its metainfo has not come yet"))
}

/// Number, path and priority of each file of the page that is stored.
pub(crate) fn places(
    api: &Api,
    id: InfoHash,
    info: &Info,
    page: FilePage,
) -> Result<Vec<(usize, String, u8)>, Problem> {
    if page.offset > PAGE_MAX || page.limit.is_some_and(|limit| !(1..=PAGE_MAX).contains(&limit)) {
        let text = format!("offset: at most {PAGE_MAX}; limit: 1 to {PAGE_MAX}");
        return Err(Problem::new(Code::Invalid, text));
    }
    let limit = page.limit.map_or(usize::MAX, |limit| limit as usize);
    api.torrent(id, |torrent| {
        let record = torrent.record();
        let stored = info.files().iter().enumerate().filter(|(_, file)| !file.is_pad());
        let stored = stored.skip(page.offset as usize).take(limit);
        let place = |(index, file): (usize, &piecework_metainfo::File)| {
            let number = index as u32;
            let path = record.paths.get(&number).map_or_else(|| file.path(), String::as_str);
            let priority = record.priorities.get(&number).copied().unwrap_or(NORMAL_PRIORITY);
            (index, path.to_owned(), priority)
        };
        stored.map(place).collect()
    })
}

/// By its pieces: one that it shares with another file counts by the bytes that are its own.
fn progress(info: &Info, file: usize, have: Option<&Bitfield>) -> u32 {
    let Some(extent) = info.layout().extents().get(file) else { return 0 };
    if extent.length == 0 {
        return 1000;
    }
    let Some(have) = have else { return 0 };
    let piece_bytes = u64::from(info.piece_length());
    let own = |piece: &u32| {
        let start = u64::from(*piece) * piece_bytes;
        let end = (start + piece_bytes).min(extent.offset + extent.length);
        end.saturating_sub(start.max(extent.offset))
    };
    let pieces = info.layout().pieces_of(file);
    let there = pieces.filter(|piece| have.contains(PieceIndex::trusted(*piece)));
    let bytes: u64 = there.map(|piece| own(&piece)).sum();
    // At most 1000.
    (u128::from(bytes) * 1000 / u128::from(extent.length)) as u32
}

/// Change files of a torrent
///
/// All of it or nothing. Files may take each other's paths.
#[utoipa::path(patch, path = "/torrents/{id}/files", tag = "files", params(TorrentPath),
    request_body = Vec<FileEdit>, responses((status = 204, description = "All is changed.")))]
pub(crate) async fn edit(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
    JsonList(edits): JsonList<FileEdit>,
) -> Result<StatusCode, Problem> {
    let id = torrent_id(&path.id)?;
    let count = info(&api, id).await?.files().len();
    if edits.len() > EDITS_MAX {
        return Err(Problem::new(Code::Invalid, format!("at most {EDITS_MAX} files at once")));
    }
    if let Some(edit) = edits.iter().find(|edit| edit.index as usize >= count) {
        return Err(Problem::new(Code::NotFound, format!("there is no file {}", edit.index)));
    }
    if edits.iter().any(|edit| edit.priority.is_some_and(|priority| priority > 7)) {
        return Err(Problem::new(Code::Invalid, "priorities are 0 to 7"));
    }
    let priorities: Vec<_> =
        edits.iter().filter_map(|edit| Some((edit.index, edit.priority?))).collect();
    let paths: Vec<_> =
        edits.into_iter().filter_map(|edit| Some((edit.index, edit.path?))).collect();
    let mut changes = Vec::new();
    if !paths.is_empty() {
        changes.push(Command::RenameFiles(id, paths));
    }
    if !priorities.is_empty() {
        changes.push(Command::SetPriorities(id, priorities));
    }
    if !changes.is_empty() {
        api.daemon.command(Command::All(changes)).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The pieces of a torrent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pieces {
    /// Bytes of a full one.
    piece_bytes: u32,
    /// A digit for each: 0 missing, 1 being fetched, 2 there.
    #[schema(pattern = "^[012]*$", example = "22210")]
    states: String,
}

/// Look at the pieces of a torrent
#[utoipa::path(get, path = "/torrents/{id}/pieces", tag = "files", params(TorrentPath),
    responses((status = 200, description = "Its pieces.", body = Pieces)))]
pub(crate) async fn pieces(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
) -> Result<Json<Pieces>, Problem> {
    let id = torrent_id(&path.id)?;
    let info = info(&api, id).await?;
    let digit = |state: &PieceState| match state {
        PieceState::Missing => '0',
        PieceState::Fetching => '1',
        PieceState::Have => '2',
    };
    let states = api.daemon.piece_states(id).await.unwrap_or_default();
    let states = states.iter().map(digit).collect();
    Ok(Json(Pieces { piece_bytes: info.piece_length(), states }))
}

/// Fetch the torrent file of a torrent
#[utoipa::path(get, path = "/torrents/{id}/torrent-file", tag = "files", params(TorrentPath),
    responses((status = 200, description = "A torrent file.", body = Vec<u8>,
        content_type = "application/x-bittorrent")))]
pub(crate) async fn torrent_file(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
) -> Result<Response, Problem> {
    let id = torrent_id(&path.id)?;
    let name = api.torrent(id, |torrent| torrent.record().name.clone())?;
    let Some(bytes) = api.daemon.metainfo(id).await else {
        info(&api, id).await?;
        let text = "it came by a magnet link without the hashes of all its pieces, which a torrent file of \
                    version 2 holds: share the link instead";
        return Err(Problem::new(Code::Conflict, text));
    };
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-bittorrent"));
    if let Some(value) = disposition("attachment", &format!("{name}.torrent")) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// What a browser is to do with a file, and its name in any letters (RFC 6266, 8187).
pub(crate) fn disposition(kind: &str, name: &str) -> Option<HeaderValue> {
    let name: String = name.chars().take(200).collect();
    let encoded = utf8_percent_encode(&name, PLAIN);
    HeaderValue::from_str(&format!("{kind}; filename*=UTF-8''{encoded}")).ok()
}
