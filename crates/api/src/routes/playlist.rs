//! A torrent's films and songs as a list that players open.

use crate::caller::Caller;
use crate::extract::{Path, torrent_id};
use crate::problem::Problem;
use crate::routes::files::{FilePage, disposition, info, places};
use crate::routes::stream::is_playable;
use crate::state::{Api, unix_now};
use axum::Extension;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use std::fmt::Write;

use super::list::TorrentPath;

/// How long the addresses of a playlist open files: an evening, with seeking back and forth.
const TOKEN_SECONDS: u64 = 12 * 3600;

/// Fetch a playlist of a torrent
///
/// Its films and songs by name. The addresses open the files for twelve hours without a login, for players
/// have none: whoever has the list can play it.
#[utoipa::path(get, path = "/torrents/{id}/playlist.m3u8", tag = "files", params(TorrentPath),
    responses((status = 200, description = "A playlist.", body = String,
        content_type = "application/vnd.apple.mpegurl")))]
pub(crate) async fn playlist(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<TorrentPath>,
) -> Result<Response, Problem> {
    let id = torrent_id(&path.id)?;
    let info = info(&api, id).await?;
    let mut files = places(&api, id, &info, FilePage::default())?;
    files.retain(|(_, path, priority)| *priority > 0 && is_playable(path));
    files.sort_by(|one, other| one.1.cmp(&other.1));
    let (root, until) = (caller.root(), unix_now() + TOKEN_SECONDS);
    let mut list = String::from("#EXTM3U\n");
    for (index, path, _) in files {
        let token = api.signer.sign(&format!("{id}/{index}"), until);
        let name: String = path.chars().filter(|letter| !letter.is_control()).collect();
        let address = format!("{root}/api/v1/torrents/{id}/files/{index}/stream?token={token}");
        // Writing to a text never fails.
        let _ = write!(list, "#EXTINF:-1,{name}\n{address}\n");
    }
    let mut response = list.into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/vnd.apple.mpegurl");
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(value) = disposition("inline", &format!("{}.m3u8", info.name())) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}
