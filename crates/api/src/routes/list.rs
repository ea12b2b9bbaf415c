//! Torrents: all of them, those of a filter, one.

use crate::caller::header;
use crate::events::{field, fields};
use crate::extract::{Path, Query, raw_json, torrent_id};
use crate::json;
use crate::openapi::{TorrentList, TorrentView};
use crate::problem::{Code, Problem};
use crate::state::Api;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use piecework_catalog::{Catalog, Field, FieldSet, Stage, TORRENTS_MAX, Torrent, Value};
use serde::Deserialize;

/// Bytes that a torrent of the list takes, so that the buffer is not grown often.
const TORRENT_BYTES: usize = 320;

/// Which torrents, and what of them.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listed {
    /// Fields, divided by commas, or `all`. Without it the few that a list shows.
    #[param(example = "id,name,stage,progress_milli")]
    fields: Option<String>,
    /// Only those that are at this.
    #[param(inline)]
    stage: Option<StageWord>,
    /// Only those of this category; empty for those without one.
    category: Option<String>,
    /// Only those with this tag; empty for those without one.
    tag: Option<String>,
    /// The field to sort by, with `-` in front for the other way round; what it leaves open is by id.
    #[param(example = "-added_at")]
    sort: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 100_000)]
    limit: Option<u32>,
    /// Go on behind this torrent: `next` of the answer before.
    #[param(pattern = "^[0-9a-fA-F]{40}$")]
    after: Option<String>,
}

/// What a torrent is doing, as a word.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Stage)]
pub(crate) enum StageWord {
    Stopped,
    Queued,
    Metadata,
    Checking,
    Downloading,
    Seeding,
    Moving,
    NoSpace,
    Missing,
    Failed,
}

impl StageWord {
    const fn stage(self) -> Stage {
        match self {
            Self::Stopped => Stage::Stopped,
            Self::Queued => Stage::Queued,
            Self::Metadata => Stage::Metadata,
            Self::Checking => Stage::Checking,
            Self::Downloading => Stage::Downloading,
            Self::Seeding => Stage::Seeding,
            Self::Moving => Stage::Moving,
            Self::NoSpace => Stage::NoSpace,
            Self::Missing => Stage::Missing,
            Self::Failed => Stage::Failed,
        }
    }
}

impl Listed {
    fn wants(&self, torrent: &Torrent) -> bool {
        let record = torrent.record();
        let is_of = |wanted: &String| record.category.as_deref().unwrap_or("") == wanted;
        let has = |tag: &String| {
            if tag.is_empty() { record.tags.is_empty() } else { record.tags.contains(tag) }
        };
        self.stage.is_none_or(|stage| torrent.stage() == stage.stage())
            && self.category.as_ref().is_none_or(is_of)
            && self.tag.as_ref().is_none_or(has)
    }

    fn order(&self) -> Result<Option<(Field, bool)>, Problem> {
        let order = self.sort.as_deref().map(|sort| match sort.strip_prefix('-') {
            Some(word) => field(word).map(|field| (field, true)),
            None => field(sort).map(|field| (field, false)),
        });
        // By id they are already.
        order.transpose().map(|order| order.filter(|order| *order != (Field::Id, false)))
    }
}

/// List torrents
///
/// The answer has a weak ETag, which is the revision: `If-None-Match` costs nothing while nothing changes.
#[utoipa::path(get, path = "/torrents", tag = "torrents", params(Listed),
    responses((status = 200, description = "The torrents.", body = TorrentList),
        (status = 304, description = "Nothing has changed.")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Query(listed): Query<Listed>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (fields, order) = (fields(listed.fields.as_deref())?, listed.order()?);
    let after = listed.after.as_deref().map(torrent_id).transpose()?;
    if listed.limit.is_some_and(|limit| !(1..=TORRENTS_MAX).contains(&(limit as usize))) {
        return Err(Problem::new(Code::Invalid, format!("limit: 1 to {TORRENTS_MAX}")));
    }
    let catalog = api.daemon.catalog();
    let tag = format!("W/\"{}\"", catalog.revision());
    let known = header(&headers, "if-none-match").unwrap_or("");
    if known.split(',').any(|known| known.trim() == tag) {
        return Ok(with_tag(StatusCode::NOT_MODIFIED.into_response(), &tag));
    }
    let chosen = choose(&catalog, &listed, order);
    let total = chosen.len();
    let start = match after {
        None => 0,
        Some(id) if order.is_none() => chosen.partition_point(|torrent| torrent.id() <= id),
        Some(id) => {
            1 + chosen.iter().position(|torrent| torrent.id() == id).ok_or_else(|| {
                Problem::new(Code::CursorGone, "the torrent of `after` has gone: begin anew")
            })?
        }
    };
    let limit = listed.limit.map_or(usize::MAX, |limit| limit as usize);
    let page: Vec<_> = chosen[start..].iter().take(limit).copied().collect();
    let next = page.last().filter(|_| start + page.len() < total).map(|torrent| torrent.id());
    let mut out = Vec::with_capacity(256 + TORRENT_BYTES * page.len());
    json::revision(&mut out, catalog.revision());
    out.extend_from_slice(b",\"total\":");
    json::number(&mut out, total as u64);
    out.extend_from_slice(b",\"next\":");
    match next {
        Some(id) => json::id(&mut out, id),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"torrents\":");
    json::list(&mut out, page, |out, torrent| json::torrent(out, torrent, fields));
    out.push(b'}');
    Ok(with_tag(raw_json(out), &tag))
}

fn choose<'a>(
    catalog: &'a Catalog,
    listed: &Listed,
    order: Option<(Field, bool)>,
) -> Vec<&'a Torrent> {
    let mut chosen: Vec<_> = catalog.torrents().filter(|torrent| listed.wants(torrent)).collect();
    if let Some((field, is_down)) = order {
        chosen.sort_by_cached_key(|torrent| sort_key(&torrent.value(field)));
        if is_down {
            chosen.reverse();
        }
    }
    chosen
}

/// What is not known comes first; texts are in the order of their letters, large and small alike.
fn sort_key(value: &Value<'_>) -> (u8, u64, String) {
    match value {
        Value::Absent => (0, 0, String::new()),
        Value::Bool(is) => (1, u64::from(*is), String::new()),
        Value::Number(number) => (2, *number, String::new()),
        Value::Text(text) => (3, 0, text.to_lowercase()),
        Value::Words(words) => {
            (4, 0, words.iter().map(String::as_str).collect::<Vec<_>>().join(",").to_lowercase())
        }
    }
}

fn with_tag(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    // Kept by whoever asked, and asked about each time.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

/// A torrent of the path.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct TorrentPath {
    /// Its primary info-hash in hex.
    #[param(pattern = "^[0-9a-fA-F]{40}$", example = "dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c")]
    pub(crate) id: String,
}

/// Look at a torrent
///
/// All fields, with `piece_bytes` and `piece_count` once its metainfo is known.
#[utoipa::path(get, path = "/torrents/{id}", tag = "torrents", params(TorrentPath),
    responses((status = 200, description = "The torrent.", body = TorrentView)))]
pub(crate) async fn one(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
) -> Result<Response, Problem> {
    let id = torrent_id(&path.id)?;
    let info = api.daemon.info(id).await;
    let mut out = vec![b'{'];
    let file_count = api.torrent(id, |torrent| {
        json::members(&mut out, torrent, FieldSet::ALL);
        torrent.record().stored_count()
    })?;
    out.extend_from_slice(b",\"file_count\":");
    json::number(&mut out, file_count.into());
    if let Some(info) = info {
        out.extend_from_slice(b",\"piece_bytes\":");
        json::number(&mut out, info.piece_length().into());
        out.extend_from_slice(b",\"piece_count\":");
        json::number(&mut out, info.grid().piece_count().into());
    }
    out.push(b'}');
    Ok(raw_json(out))
}
