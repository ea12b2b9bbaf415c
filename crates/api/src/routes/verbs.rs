//! What is done to torrents: one, many, and their places in the queue.

use crate::extract::{Json, Path, torrent_id, torrent_ids};
use crate::problem::{Code, Problem};
use crate::state::Api;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use piecework_catalog::{Command, Jump, Mode, TORRENTS_MAX};
use piecework_types::InfoHash;
use serde::Deserialize;
use utoipa::ToSchema;

use super::list::TorrentPath;
use super::no_method;

/// Torrents by their primary info-hashes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ids {
    #[schema(inline, min_items = 1, max_items = 100_000,
        example = json!(["dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c"]))]
    ids: Vec<String>,
}

/// Torrents to start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Start {
    #[schema(min_items = 1, max_items = 100_000)]
    ids: Vec<String>,
    /// Whatever the queue says.
    #[serde(default)]
    is_forced: bool,
}

/// Torrents to remove.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Removal {
    #[schema(min_items = 1, max_items = 100_000)]
    ids: Vec<String>,
    /// Their payload goes too.
    #[serde(default)]
    deletes_files: bool,
}

/// Torrents to another place in the queue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Move {
    #[schema(min_items = 1, max_items = 100_000)]
    ids: Vec<String>,
    to: Place,
}

/// A way in the queue.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    Top,
    Up,
    Down,
    Bottom,
}

/// The ids of a body, if all of them are there.
fn known(api: &Api, ids: &[String]) -> Result<Vec<InfoHash>, Problem> {
    if ids.is_empty() || ids.len() > TORRENTS_MAX {
        return Err(Problem::new(Code::Invalid, format!("ids: 1 to {TORRENTS_MAX} of them")));
    }
    let ids = torrent_ids(ids)?;
    api.check_ids(&ids)?;
    Ok(ids)
}

async fn done(api: &Api, command: Command) -> Result<StatusCode, Problem> {
    api.daemon.command(command).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Start torrents
#[utoipa::path(post, path = "/torrents:start", tag = "torrents", request_body = Start,
    responses((status = 204, description = "They take part when it is their turn.")))]
pub(crate) async fn start_many(
    State(api): State<Api>,
    Json(start): Json<Start>,
) -> Result<StatusCode, Problem> {
    let mode = if start.is_forced { Mode::Forced } else { Mode::Queued };
    let ids = known(&api, &start.ids)?;
    done(&api, Command::SetMode(ids, mode)).await
}

/// Stop torrents
#[utoipa::path(post, path = "/torrents:stop", tag = "torrents", request_body = Ids,
    responses((status = 204, description = "They take no part.")))]
pub(crate) async fn stop_many(
    State(api): State<Api>,
    Json(body): Json<Ids>,
) -> Result<StatusCode, Problem> {
    let ids = known(&api, &body.ids)?;
    done(&api, Command::SetMode(ids, Mode::Stopped)).await
}

/// Check the data of torrents
#[utoipa::path(post, path = "/torrents:check", tag = "torrents", request_body = Ids,
    responses((status = 204, description = "All data is hashed.")))]
pub(crate) async fn check_many(
    State(api): State<Api>,
    Json(body): Json<Ids>,
) -> Result<StatusCode, Problem> {
    let ids = known(&api, &body.ids)?;
    done(&api, Command::Check(ids)).await
}

/// Ask the trackers of torrents for peers
#[utoipa::path(post, path = "/torrents:reannounce", tag = "torrents", request_body = Ids,
    responses((status = 204, description = "They are asked.")))]
pub(crate) async fn reannounce_many(
    State(api): State<Api>,
    Json(body): Json<Ids>,
) -> Result<StatusCode, Problem> {
    let ids = known(&api, &body.ids)?;
    done(&api, Command::Reannounce(ids)).await
}

/// Remove torrents
#[utoipa::path(post, path = "/torrents:remove", tag = "torrents", request_body = Removal,
    responses((status = 204, description = "They are gone.")))]
pub(crate) async fn remove_many(
    State(api): State<Api>,
    Json(body): Json<Removal>,
) -> Result<StatusCode, Problem> {
    let ids = known(&api, &body.ids)?;
    done(&api, Command::Remove { ids, deletes_files: body.deletes_files }).await
}

/// Move torrents in the queue
#[utoipa::path(post, path = "/queue", tag = "torrents", request_body = Move,
    responses((status = 204, description = "They have their new places.")))]
pub(crate) async fn queue(
    State(api): State<Api>,
    Json(body): Json<Move>,
) -> Result<StatusCode, Problem> {
    let jump = match body.to {
        Place::Top => Jump::Top,
        Place::Up => Jump::Up,
        Place::Down => Jump::Down,
        Place::Bottom => Jump::Bottom,
    };
    let ids = known(&api, &body.ids)?;
    done(&api, Command::Jump(ids, jump)).await
}

/// `POST /torrents/{id}:verb`: routes cannot have a parameter and a word in one part of a path.
pub(crate) async fn one(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
    uri: Uri,
) -> Result<Response, Problem> {
    let Some((id, verb)) = path.id.split_once(':') else { return Ok(no_method(uri).await) };
    let ids = known(&api, &[id.to_owned()])?;
    let command = match verb {
        "start" => Command::SetMode(ids, Mode::Queued),
        "stop" => Command::SetMode(ids, Mode::Stopped),
        "check" => Command::Check(ids),
        "reannounce" => Command::Reannounce(ids),
        _ => {
            torrent_id(id)?;
            let text = "verbs are :start, :stop, :check and :reannounce";
            return Err(Problem::new(Code::NotFound, text));
        }
    };
    done(&api, command).await.map(IntoResponse::into_response)
}

/// Other methods of `/torrents/{id}` are none of a verb.
pub(crate) async fn post_alone(request: Request, next: Next) -> Response {
    let uri = request.uri();
    let is_verb = uri.path().starts_with("/torrents/") && uri.path().contains(':');
    let is_last = uri.path().matches('/').count() == 2;
    if is_verb && is_last && request.method() != Method::POST {
        return no_method(uri.clone()).await;
    }
    next.run(request).await
}

macro_rules! documented {
    ($($(#[doc = $doc:literal])+ $name:ident $path:literal;)*) => {$(
        $(#[doc = $doc])+
        #[utoipa::path(post, path = $path, tag = "torrents", params(TorrentPath),
            responses((status = 204, description = "It is so.")))]
        #[allow(dead_code)]
        pub(crate) const fn $name() {}
    )*};
}

documented! {
    /// Start a torrent
    start "/torrents/{id}:start";
    /// Stop a torrent
    stop "/torrents/{id}:stop";
    /// Check the data of a torrent
    check "/torrents/{id}:check";
    /// Ask the trackers of a torrent for peers
    reannounce "/torrents/{id}:reannounce";
}
