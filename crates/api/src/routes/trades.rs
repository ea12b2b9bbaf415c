//! What was earned and spent.

use crate::extract::{Json, Query, torrent_id};
use crate::problem::{Code, Problem};
use crate::state::Api;
use crate::trades::{ReportView, day_of};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use piecework_ledger::{Filter, LedgerError};
use piecework_pay::{Side, TorrentKey};
use piecework_types::InfoHash;
use serde::Deserialize;
use utoipa::ToSchema;

/// What a report is about, and its form.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// The first day (UTC).
    #[param(example = "2026-11-01")]
    since: Option<String>,
    /// The last day (UTC), which is in it.
    #[param(example = "2026-11-30")]
    until: Option<String>,
    /// Only of this torrent.
    torrent: Option<String>,
    /// `csv` for rows by day, torrent and channel, at most a hundred thousand.
    #[serde(default)]
    #[param(inline)]
    format: Form,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    #[default]
    Json,
    Csv,
}

/// Look at what was earned
///
/// By the bytes that buyers have paid for. `pending` is what they have signed for and the vault has not paid
/// yet.
#[utoipa::path(get, path = "/earnings", tag = "money", params(Which),
    responses((status = 200, description = "In all, and by torrent, account and day.", content(
        (ReportView = "application/json"), (String = "text/csv")))))]
pub(crate) async fn earnings(
    State(api): State<Api>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    answer(api, which, Side::Selling).await
}

/// Look at what was spent
#[utoipa::path(get, path = "/spending", tag = "money", params(Which),
    responses((status = 200, description = "In all, and by torrent, account and day.", content(
        (ReportView = "application/json"), (String = "text/csv")))))]
pub(crate) async fn spending(
    State(api): State<Api>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    answer(api, which, Side::Buying).await
}

async fn answer(api: Api, which: Which, side: Side) -> Result<Response, Problem> {
    let filter = filter(&which)?;
    let work = move || match which.format {
        Form::Json => report(&api, side, &filter).map(|report| Json(report).into_response()),
        Form::Csv => rows(&api, side, &filter).map(|text| file(text, side)),
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Problem::new(Code::Failed, "the ledger could not be read")))
}

fn filter(which: &Which) -> Result<Filter, Problem> {
    let day = |text: &Option<String>| text.as_deref().map(day_of).transpose();
    let invalid = |text| Problem::new(Code::Invalid, text);
    let torrent = which.torrent.as_deref().map(torrent_id).transpose()?;
    Ok(Filter {
        since: day(&which.since).map_err(invalid)?,
        until: day(&which.until).map_err(invalid)?,
        torrent: torrent.map(|id| id.0),
    })
}

fn report(api: &Api, side: Side, filter: &Filter) -> Result<ReportView, Problem> {
    match open(api)? {
        Some(trades) => {
            trades.report(side, filter, |id| name(api, id)).map_err(|error| told(&error))
        }
        None => Ok(ReportView::default()),
    }
}

fn rows(api: &Api, side: Side, filter: &Filter) -> Result<String, Problem> {
    match open(api)? {
        Some(trades) => trades.csv(side, filter, |id| name(api, id)).map_err(|error| told(&error)),
        None => Ok(crate::trades::COLUMNS.to_owned()),
    }
}

fn open(api: &Api) -> Result<Option<crate::trades::Trades>, Problem> {
    (api.trades)().map_err(|text| Problem::new(Code::Failed, text))
}

fn name(api: &Api, torrent: &TorrentKey) -> Option<String> {
    api.daemon.catalog().get(InfoHash(*torrent)).map(|torrent| torrent.record().name.clone())
}

fn told(error: &LedgerError) -> Problem {
    let code = match error {
        LedgerError::TooMany { .. } => Code::Full,
        _ => Code::Failed,
    };
    Problem::new(code, error.to_string())
}

fn file(text: String, side: Side) -> Response {
    let disposition = match side {
        Side::Buying => "attachment; filename=\"spending.csv\"",
        Side::Selling => "attachment; filename=\"earnings.csv\"",
    };
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
