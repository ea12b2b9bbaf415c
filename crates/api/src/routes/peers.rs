//! The peers of a torrent.

use crate::extract::{Json, Path, torrent_id};
use crate::problem::{Code, Problem};
use crate::routes::views::{self, PeerView};
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use std::net::SocketAddr;
use utoipa::ToSchema;

use super::list::TorrentPath;

/// Peers named by one request.
const PEERS_MAX: usize = 1000;

/// Peers to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPeers {
    /// Addresses with ports.
    #[schema(value_type = Vec<String>, max_items = 1000, example = json!(["192.0.2.7:6881"]))]
    addresses: Vec<SocketAddr>,
}

/// List the connected peers of a torrent
#[utoipa::path(get, path = "/torrents/{id}/peers", tag = "peers", params(TorrentPath),
    responses((status = 200, description = "Its peers.", body = Vec<PeerView>)))]
pub(crate) async fn peers(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
) -> Result<Json<Vec<PeerView>>, Problem> {
    let id = torrent_id(&path.id)?;
    api.check_ids(&[id])?;
    let peers = api.daemon.peers(id).await.unwrap_or_default();
    Ok(Json(peers.iter().map(views::peer).collect()))
}

/// Try peers
#[utoipa::path(post, path = "/torrents/{id}/peers", tag = "peers", params(TorrentPath),
    request_body = NewPeers, responses((status = 204, description = "They are tried.")))]
pub(crate) async fn add(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
    Json(new): Json<NewPeers>,
) -> Result<StatusCode, Problem> {
    let id = torrent_id(&path.id)?;
    api.check_ids(&[id])?;
    if new.addresses.len() > PEERS_MAX {
        return Err(Problem::new(Code::Invalid, format!("at most {PEERS_MAX} peers at once")));
    }
    api.daemon.add_peers(id, new.addresses);
    Ok(StatusCode::NO_CONTENT)
}
