//! The routes of the own API, below `/api/v1`, each with its description.

mod add;
mod categories;
mod edit;
mod feeds;
mod files;
mod folders;
mod import;
mod keys;
mod list;
mod market;
mod metrics;
mod node;
mod peers;
mod playlist;
mod session;
mod settings;
mod stream;
mod trackers;
mod trades;
mod verbs;
pub(crate) mod views;
mod wallet;

use crate::events;
use crate::guard::authorize;
use crate::openapi;
use crate::problem::{Code, Problem};
use crate::state::{Api, Parts};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::ALLOW;
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Bytes of a request that adds torrents.
pub(crate) const ADD_BYTES_MAX: usize = 32 << 20;
/// Bytes of a request that changes files: paths of all of a large torrent.
const FILES_BYTES_MAX: usize = 16 << 20;
/// Bytes of all others.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The own API: `/api/v1` and `/metrics`.
pub fn router(parts: Parts) -> Router {
    let api = Api::new(parts);
    let (open, _) = open_routes().split_for_parts();
    let (guarded, _) = guarded_routes().split_for_parts();
    let guarded = guarded
        .route("/torrents/{id}", post(verbs::one))
        .layer(axum::middleware::from_fn(verbs::post_alone))
        .layer(axum::middleware::from_fn_with_state(api.clone(), authorize));
    let metrics = Router::new()
        .route("/metrics", get(metrics::metrics))
        .layer(axum::middleware::from_fn_with_state(api.clone(), authorize));
    let own = open
        .merge(guarded)
        .route("/openapi.json", get(openapi::serve))
        .fallback(absent)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    Router::new().nest("/api/v1", own).merge(metrics).with_state(api)
}

/// What anybody may ask.
pub(crate) fn open_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(session::login)).routes(routes!(session::login_with_key))
}

/// What is asked with a key or a login.
pub(crate) fn guarded_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(add::add))
                .layer(DefaultBodyLimit::max(ADD_BYTES_MAX)),
        )
        .routes(routes!(list::one, edit::edit, edit::remove))
        .routes(routes!(verbs::start_many))
        .routes(routes!(verbs::stop_many))
        .routes(routes!(verbs::check_many))
        .routes(routes!(verbs::reannounce_many))
        .routes(routes!(verbs::remove_many))
        .routes(routes!(verbs::queue))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(files::files, files::edit))
                .layer(DefaultBodyLimit::max(FILES_BYTES_MAX)),
        )
        .routes(routes!(files::pieces))
        .routes(routes!(files::torrent_file))
        .routes(routes!(stream::stream))
        .routes(routes!(playlist::playlist))
        .routes(routes!(peers::peers, peers::add))
        .routes(routes!(trackers::trackers, trackers::set, trackers::add, trackers::remove))
        .routes(routes!(trackers::web_seeds))
        .routes(routes!(categories::categories))
        .routes(routes!(categories::put, categories::remove))
        .routes(routes!(categories::tags))
        .routes(routes!(categories::put_tag, categories::remove_tag))
        .routes(routes!(feeds::feeds))
        .routes(routes!(feeds::put, feeds::remove))
        .routes(routes!(feeds::refresh))
        .routes(routes!(feeds::rules))
        .routes(routes!(feeds::put_rule, feeds::remove_rule))
        .routes(routes!(feeds::preview))
        .routes(routes!(market::market, market::change))
        .routes(routes!(market::lane, market::set_lane))
        .merge(wallet_routes())
        .routes(routes!(settings::speed, settings::set_speed))
        .routes(routes!(settings::settings, settings::set))
        .routes(routes!(node::node))
        .routes(routes!(node::news))
        .routes(routes!(node::log_level, node::set_log_level))
        .routes(routes!(folders::folders))
        .routes(routes!(trades::earnings))
        .routes(routes!(trades::spending))
        .routes(routes!(import::import))
        .routes(routes!(keys::keys, keys::create))
        .routes(routes!(keys::remove))
        .routes(routes!(session::password))
        .routes(routes!(session::whoami, session::logout))
        .routes(routes!(session::confirm, session::stop_spending))
        .routes(routes!(metrics::metrics))
        .routes(routes!(events::watch))
}

/// The wallet and the vault.
fn wallet_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(wallet::wallet, wallet::make))
        .routes(routes!(wallet::draw))
        .routes(routes!(wallet::unlock))
        .routes(routes!(wallet::lock))
        .routes(routes!(wallet::network::look))
        .routes(routes!(wallet::network::join))
        .routes(routes!(wallet::history))
        .routes(routes!(wallet::orders))
        .routes(routes!(wallet::one_order))
        .routes(routes!(wallet::transfer))
        .routes(routes!(wallet::vault::deposit))
        .routes(routes!(wallet::vault::bond))
        .routes(routes!(wallet::vault::ask_exit))
        .routes(routes!(wallet::vault::take_exit))
        .routes(routes!(wallet::vault::ask_bond_exit))
        .routes(routes!(wallet::vault::take_bond_exit))
        .routes(routes!(wallet::vault::withdraw))
        .routes(routes!(wallet::vault::draw_key))
        .routes(routes!(wallet::vault::revoke))
}

async fn absent(uri: Uri) -> Response {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new(Code::NotFound, format!("there is nothing at {path}")).into_response()
}

/// `/torrents/{id}` and `/torrents/{id}:verb` are one route, so which methods there are is said here.
pub(crate) async fn no_method(uri: Uri) -> Response {
    let text = "not this method here: openapi.json lists those there are";
    let mut response = Problem::new(Code::Method, text).into_response();
    let parts: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
    if let [.., "torrents", last] = parts[..] {
        let methods = if last.contains(':') { "POST" } else { "GET,HEAD,PATCH,DELETE" };
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    }
    response
}

/// What the verbs of one torrent are, for the description.
#[derive(utoipa::OpenApi)]
#[openapi(paths(verbs::start, verbs::stop, verbs::check, verbs::reannounce))]
struct Verbs;

/// Their description: their routes are one.
pub(crate) fn verbs_doc() -> utoipa::openapi::OpenApi {
    <Verbs as utoipa::OpenApi>::openapi()
}
