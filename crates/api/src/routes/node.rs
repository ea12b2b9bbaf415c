//! The node as a whole: figures, news, the log's level.

use crate::extract::{Json, Query};
use crate::problem::{Code, Problem};
use crate::routes::views::{self, NewsView, NodeView};
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Look at the node's figures
#[utoipa::path(get, path = "/node", tag = "node",
    responses((status = 200, description = "Its figures.", body = NodeView)))]
pub(crate) async fn node(State(api): State<Api>) -> Json<NodeView> {
    Json(views::node(&api.daemon.node()))
}

/// Which news.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Known {
    /// Only those behind this number.
    #[serde(default)]
    after: u64,
}

/// List news
///
/// Oldest first, the last thousand.
#[utoipa::path(get, path = "/news", tag = "node", params(Known),
    responses((status = 200, description = "What happened.", body = Vec<NewsView>)))]
pub(crate) async fn news(
    State(api): State<Api>,
    Query(known): Query<Known>,
) -> Json<Vec<NewsView>> {
    Json(api.daemon.news(known.after).iter().map(views::news).collect())
}

/// The log's level.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Level {
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,piecework_dht=debug`.
    #[schema(example = "debug")]
    level: String,
}

/// Look at the log's level
#[utoipa::path(get, path = "/log-level", tag = "node",
    responses((status = 200, description = "The level.", body = Level)))]
pub(crate) async fn log_level(State(api): State<Api>) -> Json<Level> {
    Json(Level { level: (api.log_level.get)() })
}

/// Change the log's level
///
/// Until the program ends.
#[utoipa::path(put, path = "/log-level", tag = "node", request_body = Level,
    responses((status = 204, description = "It is so.")))]
pub(crate) async fn set_log_level(
    State(api): State<Api>,
    Json(level): Json<Level>,
) -> Result<StatusCode, Problem> {
    (api.log_level.set)(&level.level).map_err(|text| Problem::new(Code::Invalid, text))?;
    Ok(StatusCode::NO_CONTENT)
}
