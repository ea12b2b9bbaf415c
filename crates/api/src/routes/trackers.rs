//! The trackers and web seeds of a torrent.

use crate::extract::{Json, Path, Query, torrent_id};
use crate::problem::{Code, Problem};
use crate::routes::views::{self, TrackerView, WebSeedView};
use crate::state::{Api, Who};
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use piecework_access::Scope;
use piecework_catalog::{Command, TRACKERS_MAX, TrackerEdit};
use serde::Deserialize;
use utoipa::ToSchema;

use super::list::TorrentPath;

/// Trackers by tier.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tiers {
    /// Addresses, one list for each tier.
    #[schema(max_items = 256, example = json!([["https://tracker.example/announce"]]))]
    tiers: Vec<Vec<String>>,
}

/// One of the trackers.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Address {
    /// Its whole address.
    #[param(example = "https://tracker.example/announce")]
    url: String,
}

/// List the trackers of a torrent
#[utoipa::path(get, path = "/torrents/{id}/trackers", tag = "peers", params(TorrentPath),
    responses((status = 200, description = "Its trackers.", body = Vec<TrackerView>)))]
pub(crate) async fn trackers(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Path(path): Path<TorrentPath>,
) -> Result<Json<Vec<TrackerView>>, Problem> {
    let id = torrent_id(&path.id)?;
    api.check_ids(&[id])?;
    let is_whole = who.role.scopes.allow(Scope::Control);
    let trackers = api.daemon.trackers(id).await.unwrap_or_default();
    Ok(Json(trackers.iter().map(|tracker| views::tracker(tracker, is_whole)).collect()))
}

async fn change(api: &Api, path: &TorrentPath, edit: TrackerEdit) -> Result<StatusCode, Problem> {
    let id = torrent_id(&path.id)?;
    api.check_ids(&[id])?;
    api.daemon.command(Command::EditTrackers(id, edit)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn check(tiers: &Tiers) -> Result<(), Problem> {
    if tiers.tiers.iter().map(|tier| tier.len().max(1)).sum::<usize>() > TRACKERS_MAX {
        return Err(Problem::new(Code::Invalid, format!("at most {TRACKERS_MAX} trackers")));
    }
    Ok(())
}

/// Set the trackers of a torrent
#[utoipa::path(put, path = "/torrents/{id}/trackers", tag = "peers", params(TorrentPath),
    request_body = Tiers, responses((status = 204, description = "These and no others.")))]
pub(crate) async fn set(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
    Json(tiers): Json<Tiers>,
) -> Result<StatusCode, Problem> {
    check(&tiers)?;
    change(&api, &path, TrackerEdit::Set(tiers.tiers)).await
}

/// Add trackers to a torrent
///
/// Behind those that are there. Known ones are left out.
#[utoipa::path(post, path = "/torrents/{id}/trackers", tag = "peers", params(TorrentPath),
    request_body = Tiers, responses((status = 204, description = "They are asked too.")))]
pub(crate) async fn add(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
    Json(tiers): Json<Tiers>,
) -> Result<StatusCode, Problem> {
    check(&tiers)?;
    change(&api, &path, TrackerEdit::Add(tiers.tiers)).await
}

/// Remove a tracker of a torrent
#[utoipa::path(delete, path = "/torrents/{id}/trackers", tag = "peers",
    params(TorrentPath, Address),
    responses((status = 204, description = "It is asked no more.")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
    Query(address): Query<Address>,
) -> Result<StatusCode, Problem> {
    change(&api, &path, TrackerEdit::Remove(vec![address.url])).await
}

/// List the web seeds of a torrent
#[utoipa::path(get, path = "/torrents/{id}/web-seeds", tag = "peers", params(TorrentPath),
    responses((status = 200, description = "Its web seeds.", body = Vec<WebSeedView>)))]
pub(crate) async fn web_seeds(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
) -> Result<Json<Vec<WebSeedView>>, Problem> {
    let id = torrent_id(&path.id)?;
    api.check_ids(&[id])?;
    let seeds = api.daemon.web_seeds(id).await.unwrap_or_default();
    Ok(Json(seeds.iter().map(views::web_seed).collect()))
}
