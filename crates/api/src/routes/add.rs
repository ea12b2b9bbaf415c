//! New torrents: files, links, many at once.

use crate::caller::header;
use crate::extract::{from_json, raw_json};
use crate::idempotency::Turn;
use crate::problem::{Code, Problem};
use crate::routes::ADD_BYTES_MAX;
use crate::routes::edit::{ActionWord, LimitText};
use crate::routes::market::NewLane;
use crate::state::{Api, Who};
use axum::Extension;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use piecework_access::Scope;
use piecework_catalog::{Limit, Record, ShareLimits};
use piecework_daemon::{Market, New, NewSource};
use piecework_types::InfoHash;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use utoipa::ToSchema;

/// Torrents in one request.
const SOURCES_MAX: usize = 1000;
/// Characters of a source in an answer.
const SOURCE_CHARS_MAX: usize = 200;

/// Links to add, with what is wanted of all of them.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewLinks)]
pub(crate) struct Links {
    /// Magnets, bare info-hashes, or http(s) addresses of torrent files.
    #[schema(min_items = 1, max_items = 1000,
        example = json!(["magnet:?xt=urn:btih:dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c"]))]
    links: Vec<String>,
    /// What is wanted of them.
    #[serde(default)]
    options: Options,
}

/// What is wanted of new torrents; what is left out is as the settings say.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = NewOptions)]
pub(crate) struct Options {
    /// A name for people in place of the one that it gives itself.
    name: Option<String>,
    /// A category that is there.
    category: Option<String>,
    #[schema(max_items = 1000)]
    tags: BTreeSet<String>,
    /// The folder of its files; absolute and within the roots. Paths follow no category then.
    save_path: Option<String>,
    /// The folder until it is complete.
    incomplete_path: Option<String>,
    /// It takes no part until it is started; one that is forced does unless this is said.
    is_stopped: Option<bool>,
    /// It takes part whatever the queue says.
    is_forced: bool,
    /// It goes to the top of the queue.
    at_top: bool,
    /// Bytes a second.
    #[schema(minimum = 1)]
    down_limit: Option<u64>,
    /// Bytes a second.
    #[schema(minimum = 1)]
    up_limit: Option<u64>,
    share_ratio_milli: Option<LimitText>,
    share_seeding_minutes: Option<LimitText>,
    share_inactive_minutes: Option<LimitText>,
    share_action: Option<ActionWord>,
    /// Pieces are asked for in order.
    is_sequential: bool,
    /// First and last pieces of files come first.
    edges_first: bool,
    /// Files of the right size count as complete and are not hashed.
    is_trusted: bool,
    /// Priorities of files by number: 0 skips, 4 is normal, 7 is the highest.
    #[schema(value_type = BTreeMap<String, u8>)]
    priorities: BTreeMap<u32, u8>,
    /// Peers to try: addresses with ports.
    #[schema(max_items = 1000, value_type = Vec<String>)]
    peers: Vec<SocketAddr>,
    /// How fast it is wanted, each of them; needs the scope `spend`.
    lane: Option<NewLane>,
}

/// The parts of a form; any number of `torrents` and `links`.
#[derive(Debug, ToSchema)]
#[allow(dead_code)]
#[schema(as = NewFiles)]
pub(crate) struct Form {
    /// Torrent files.
    #[schema(value_type = Vec<String>, format = Binary)]
    torrents: Vec<Vec<u8>>,
    /// Links.
    links: Vec<String>,
    /// What is wanted of all of them, as JSON.
    options: Options,
}

/// How adding went, one answer for each that was sent, in that order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Added)]
pub(crate) struct Results {
    results: Vec<OneResult>,
}

/// How adding one of them went: an id, or a problem.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AddedOne)]
pub(crate) struct OneResult {
    /// The link, or the file's name; the beginning of it.
    source: String,
    /// The torrent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<String>,
    /// It was there before: trackers that were new were taken over.
    was_there: bool,
    /// Why it was not added; with an `id`, why it was added without its lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::openapi::ProblemView>, nullable = false)]
    problem: Option<serde_json::Value>,
}

impl Options {
    /// # Errors
    /// When a number makes no sense.
    fn record(&self, adds_stopped: bool) -> Result<Record, Problem> {
        if [self.down_limit, self.up_limit].contains(&Some(0)) {
            return Err(Problem::new(Code::Invalid, "a limit is at least 1 byte a second"));
        }
        if self.priorities.values().any(|priority| *priority > 7) {
            return Err(Problem::new(Code::Invalid, "priorities are 0 to 7"));
        }
        let limit = |limit: Option<LimitText>| limit.map_or(Limit::Global, LimitText::limit);
        let share = ShareLimits {
            ratio_milli: limit(self.share_ratio_milli),
            seeding_minutes: limit(self.share_seeding_minutes),
            inactive_minutes: limit(self.share_inactive_minutes),
            action: self.share_action.map_or(Limit::Global, ActionWord::limit),
        };
        Ok(Record {
            name: self.name.clone().unwrap_or_default(),
            is_renamed: self.name.is_some(),
            category: self.category.clone(),
            tags: self.tags.clone(),
            save_path: self.save_path.clone().unwrap_or_default(),
            incomplete_path: self.incomplete_path.clone(),
            is_stopped: self.is_stopped.unwrap_or(adds_stopped && !self.is_forced),
            is_forced: self.is_forced,
            down_limit: self.down_limit,
            up_limit: self.up_limit,
            share,
            is_sequential: self.is_sequential,
            edges_first: self.edges_first,
            is_trusted: self.is_trusted,
            priorities: self.priorities.clone(),
            ..Record::default()
        })
    }
}

/// What came, whichever way.
#[derive(Debug, Default)]
struct Wanted {
    sources: Vec<(String, NewSource)>,
    options: Options,
}

/// Add torrents
///
/// Links as JSON, or torrent files and links as a form. They come into the queue in this order. Each is
/// answered by itself; what cannot be added has a problem in its place. With an `Idempotency-Key` the request
/// may be sent again within a day: it gets the same answer as long as the daemon runs, and nothing is added
/// twice, whatever happens.
#[utoipa::path(post, path = "/torrents", tag = "torrents",
    params(("Idempotency-Key" = Option<String>, Header, description = "A name for this request.",
        min_length = 1, max_length = 128)),
    request_body(content((Links = "application/json"), (Form = "multipart/form-data"))),
    responses((status = 200, description = "An answer for each.", body = Results)))]
pub(crate) async fn add(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let too_large =
        |_| Problem::new(Code::TooLarge, format!("at most {} MiB at once", ADD_BYTES_MAX >> 20));
    let body = to_bytes(body, ADD_BYTES_MAX).await.map_err(too_large)?;
    let first = match header(&parts.headers, "idempotency-key") {
        None => None,
        Some(key) => {
            let now = crate::state::unix_now();
            match api.replies.turn(&who.role.name, key, &body, now)? {
                Turn::Again(answer) => return Ok(raw_json(answer)),
                Turn::First(first) => Some(first),
            }
        }
    };
    let kind = header(&parts.headers, CONTENT_TYPE.as_str()).unwrap_or("").to_ascii_lowercase();
    let wanted = if kind.starts_with("multipart/form-data") {
        let request = Request::from_parts(parts, Body::from(body));
        form(request).await?
    } else if kind.starts_with("application/json") {
        json(&body)?
    } else {
        let text = "send application/json or multipart/form-data";
        return Err(Problem::new(Code::MediaType, text));
    };
    if wanted.options.lane.is_some() {
        who.needs(Scope::Spend)?;
    }
    let results = carry_out(&api, wanted).await?;
    let answer = serde_json::to_vec(&Results { results }).map(Bytes::from);
    let answer = answer.map_err(|cause| Problem::new(Code::Failed, cause.to_string()))?;
    if let Some(first) = first {
        first.keep(&answer);
    }
    Ok(raw_json(answer))
}

fn json(body: &[u8]) -> Result<Wanted, Problem> {
    let links: Links = from_json(body, b'{')?;
    let sources = links.links.into_iter().map(|link| (link.clone(), NewSource::Link(link)));
    Ok(Wanted { sources: sources.collect(), options: links.options })
}

async fn form(request: Request) -> Result<Wanted, Problem> {
    let bad = |text: String| Problem::new(Code::BadRequest, text);
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|no| bad(no.body_text()))?;
    let mut wanted = Wanted::default();
    while let Some(field) = form.next_field().await.map_err(|no| bad(no.body_text()))? {
        let name = field.name().unwrap_or("").to_owned();
        let file = field.file_name().unwrap_or("torrent").to_owned();
        let bytes = field.bytes().await.map_err(|no| bad(no.body_text()))?;
        match name.as_str() {
            "torrents" => wanted.sources.push((file, NewSource::Metainfo(bytes.to_vec()))),
            "links" => {
                let text = std::str::from_utf8(&bytes);
                let text = text.map_err(|_| bad("links: no UTF-8".into()))?;
                let links = text.lines().map(str::trim).filter(|link| !link.is_empty());
                let links = links.map(|link| (link.to_owned(), NewSource::Link(link.to_owned())));
                wanted.sources.extend(links);
            }
            "options" => {
                wanted.options = serde_json::from_slice(&bytes)
                    .map_err(|cause| Problem::new(Code::Invalid, format!("options: {cause}")))?;
            }
            _ => return Err(bad("parts are torrents, links and options".into())),
        }
    }
    Ok(wanted)
}

async fn carry_out(api: &Api, wanted: Wanted) -> Result<Vec<OneResult>, Problem> {
    let Wanted { sources, options } = wanted;
    if sources.is_empty() || sources.len() > SOURCES_MAX {
        let text = format!("1 to {SOURCES_MAX} torrents and links at once");
        return Err(Problem::new(Code::Invalid, text));
    }
    let adds_stopped = api.daemon.catalog().rules().adds_stopped;
    let record = options.record(adds_stopped)?;
    let market = match &options.lane {
        // Amounts that make no sense are told before anything is added.
        Some(lane) => {
            let market = api.daemon.market().await?;
            lane.wish(&market, Some(1))?;
            Some(market)
        }
        None => None,
    };
    let (names, sources): (Vec<_>, Vec<_>) = sources.into_iter().unzip();
    let new = |source| {
        let (record, peers) = (record.clone(), options.peers.clone());
        New { source, record, at_top: options.at_top, peers }
    };
    let added = api.daemon.add_all(sources.into_iter().map(new).collect()).await;
    let mut results = Vec::new();
    for (source, result) in names.into_iter().zip(added) {
        let source = source.chars().take(SOURCE_CHARS_MAX).collect();
        results.push(match result {
            Ok(added) => {
                let problem = match (&options.lane, &market) {
                    (Some(lane), Some(market)) => choose(api, market, added.id, lane).await.err(),
                    _ => None,
                };
                let (id, was_there) = (Some(added.id.to_string()), added.was_there);
                OneResult { source, id, was_there, problem: problem.map(|it| it.to_json()) }
            }
            Err(refusal) => {
                let problem = Some(Problem::from(refusal).to_json());
                OneResult { source, id: None, was_there: false, problem }
            }
        });
    }
    Ok(results)
}

/// The lane of a torrent that was just added.
async fn choose(api: &Api, market: &Market, id: InfoHash, lane: &NewLane) -> Result<(), Problem> {
    let size = api.daemon.catalog().get(id).map(|torrent| torrent.record().size_bytes);
    api.daemon.set_lane(id, lane.wish(market, size)?).await.map_err(Into::into)
}
