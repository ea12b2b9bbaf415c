//! Torrents of other clients, taken over from the files that those keep on this machine.

use crate::extract::Json;
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::State;
use piecework_daemon::{ImportFrom, ImportReport, ImportedTorrent};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use utoipa::ToSchema;

/// Another client.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Client {
    /// qBittorrent 4 and 5.
    Qbittorrent,
    /// Transmission 3 and 4.
    Transmission,
}

/// What to take over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Import {
    /// Whose profile it is.
    from: Client,
    /// The profile's folder on the daemon's machine: an absolute path.
    #[schema(example = "/srv/old/qBittorrent")]
    path: String,
    /// Say what would happen, and change nothing.
    #[serde(default)]
    is_dry: bool,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportReport)]
pub(crate) struct ReportView {
    /// One for each torrent of the profile.
    torrents: Vec<ImportedView>,
    /// What could not be taken over as it was.
    notes: Vec<String>,
}

/// What became of one torrent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportedTorrent)]
pub(crate) struct ImportedView {
    /// Its name, or what the other client calls its files.
    name: String,
    /// Its id; `null` if it was refused.
    id: Option<String>,
    /// How it ended.
    end: End,
    /// Why it was refused, with the remedy.
    detail: Option<String>,
}

/// How the import of one torrent ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportEnd)]
pub(crate) enum End {
    /// It is new here.
    Added,
    /// It was there before and stays as it is.
    Present,
    /// It is not taken over.
    Refused,
}

impl From<ImportedTorrent> for ImportedView {
    fn from(torrent: ImportedTorrent) -> Self {
        let ImportedTorrent { name, result } = torrent;
        match result {
            Ok(added) => Self {
                name,
                id: Some(added.id.to_string()),
                end: if added.was_there { End::Present } else { End::Added },
                detail: None,
            },
            Err(refusal) => Self { name, id: None, end: End::Refused, detail: Some(refusal.text) },
        }
    }
}

/// Take over another client's torrents
///
/// That client should have ended. Data that was complete there is not hashed again; all other is. An import
/// can be repeated.
#[utoipa::path(post, path = "/import", tag = "torrents", request_body = Import,
    responses((status = 200, description = "What became of each.", body = ReportView)))]
pub(crate) async fn import(
    State(api): State<Api>,
    Json(import): Json<Import>,
) -> Result<Json<ReportView>, Problem> {
    let Import { from, path, is_dry } = import;
    let from = match from {
        Client::Qbittorrent => ImportFrom::Qbittorrent,
        Client::Transmission => ImportFrom::Transmission,
    };
    let import = piecework_daemon::Import { from, path: PathBuf::from(path), is_dry };
    let ImportReport { torrents, notes } = api.daemon.import(import).await?;
    let torrents = torrents.into_iter().map(ImportedView::from).collect();
    Ok(Json(ReportView { torrents, notes }))
}
