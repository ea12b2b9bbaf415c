//! Server-sent events: what changed, news, and the node's figures, to everybody who watches.
//!
//! A watcher that is slow gets fewer and larger changes, for each is made when the socket takes it: nothing
//! queues up. One that takes nothing is dropped by the socket's patience. What several watchers are told of
//! the same step is made once.

use crate::caller::header;
use crate::extract::Query;
use crate::guard::is_still_welcome;
use crate::json::{self, LIST_FIELDS};
use crate::problem::{Code, Problem};
use crate::routes::views::{news, node};
use crate::state::{Api, Who};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use piecework_catalog::{Field, FieldSet, Revision};
use piecework_daemon::Handle;
use serde::Deserialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

/// Watchers at once.
const WATCHERS_MAX: usize = 64;
/// Steps whose text is kept for other watchers.
const STEPS_MAX: usize = 4;
/// A sign of life, so that proxies keep the connection and both sides notice when it is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Figures of the node at most once in this time.
const NODE_EVERY: Duration = Duration::from_secs(1);

/// What all watchers share.
#[derive(Debug)]
pub(crate) struct Feed {
    places: Arc<Semaphore>,
    steps: Mutex<VecDeque<Step>>,
}

#[derive(Clone, Debug)]
struct Step {
    after: Option<Revision>,
    fields: FieldSet,
    now: Revision,
    /// `None` where nothing of the fields changed.
    text: Option<Bytes>,
}

impl Default for Feed {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(WATCHERS_MAX)), steps: Mutex::default() }
    }
}

impl Feed {
    /// What changed after a revision: up to which one, and the event; nothing if there is no newer one.
    fn step(&self, daemon: &Handle, after: Option<Revision>, fields: FieldSet) -> Option<Step> {
        let catalog = daemon.catalog();
        let now = catalog.revision();
        if after == Some(now) {
            return None;
        }
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let known = steps.iter().find(|it| (it.after, it.now, it.fields) == (after, now, fields));
        if let Some(step) = known {
            return Some(step.clone());
        }
        let delta = catalog.delta(after);
        let name = if delta.is_full { "full" } else { "delta" };
        let data = json::delta(&delta, fields);
        let text = data.map(|data| event(name, Some(now), &data));
        let step = Step { after, fields, now, text };
        if steps.len() >= STEPS_MAX {
            steps.pop_front();
        }
        steps.push_back(step.clone());
        Some(step)
    }
}

/// One event. JSON of ours has no line break, so its data is one line.
fn event(name: &str, id: Option<Revision>, data: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(data.len() + 64);
    if let Some(id) = id {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    out.extend_from_slice(format!("event: {name}\ndata: ").as_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
    out.into()
}

/// What to watch.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Watched {
    /// The revision that is known; without it everything is told first. A client that was cut off sends it as
    /// `Last-Event-ID`.
    since: Option<u64>,
    /// Fields that are told, divided by commas, or `all`. Those of the list unless said.
    #[param(example = "name,stage,progress_milli")]
    fields: Option<String>,
}

/// Watch what changes
///
/// Events: `full` (forget what was known) and `delta` with `{revision, torrents: {id: {changed fields}},
/// gone, categories, gone_categories, tags, gone_tags}`; what went and came back stands in both, so forget
/// first, then take. `news` with one of the news. `node` with the node's figures, once a second while
/// something changes. `wallet` with nothing when its lock or one of its orders changes.
/// The id of an event is its revision.
#[utoipa::path(get, path = "/events", tag = "events", params(Watched),
    responses((status = 200, description = "Events until the connection ends.", body = String,
        content_type = "text/event-stream")))]
pub(crate) async fn watch(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Query(watched): Query<Watched>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let fields = fields(watched.fields.as_deref())?;
    let place = Arc::clone(&api.feed.places).try_acquire_owned().map_err(|_| {
        Problem::new(Code::TooMany, format!("{WATCHERS_MAX} programs watch already: end one"))
    })?;
    let last = header(&headers, "last-event-id").and_then(|id| id.parse().ok());
    let watcher = Watcher {
        revisions: api.daemon.revisions(),
        wallet: api.daemon.wallet_changes(),
        news_after: api.daemon.news(0).last().map_or(0, |news| news.number),
        api,
        who,
        fields,
        after: last.or(watched.since),
        heartbeat_at: Instant::now() + HEARTBEAT,
        node_at: Some(Instant::now()),
        node_told: String::new(),
        _place: place,
    };
    let stream = futures_util::stream::unfold(watcher, |mut watcher| async move {
        let bytes = watcher.next().await?;
        Some((Ok::<_, Infallible>(bytes), watcher))
    });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx keeps answers back otherwise.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// The fields that a list of words names.
pub(crate) fn fields(words: Option<&str>) -> Result<FieldSet, Problem> {
    match words {
        None => Ok(LIST_FIELDS.iter().copied().collect()),
        Some("all") => Ok(FieldSet::ALL),
        Some(words) => words.split(',').map(str::trim).map(field).collect(),
    }
}

/// The field of a name.
pub(crate) fn field(word: &str) -> Result<Field, Problem> {
    Field::parse(word).ok_or_else(|| {
        let word: String = word.chars().take(64).collect();
        Problem::new(Code::Invalid, format!("there is no field {word:?}; openapi.json lists them"))
    })
}

/// Somebody who watches, between two events.
struct Watcher {
    api: Api,
    who: Who,
    revisions: watch::Receiver<Revision>,
    fields: FieldSet,
    after: Option<Revision>,
    news_after: u64,
    heartbeat_at: Instant,
    /// When the node's figures are looked at; not while nothing changes.
    node_at: Option<Instant>,
    node_told: String,
    wallet: watch::Receiver<u64>,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    /// What is to be sent next; nothing when it is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.revisions.borrow_and_update();
            let text = self.changed().or_else(|| self.newest()).or_else(|| self.node());
            if let Some(text) = text.or_else(|| self.wallet()) {
                self.heartbeat_at = Instant::now() + HEARTBEAT;
                return Some(text);
            }
            let wake = self.node_at.map_or(self.heartbeat_at, |at| at.min(self.heartbeat_at));
            tokio::select! {
                changed = self.revisions.changed() => {
                    changed.ok()?;
                    self.node_at = self.node_at.or_else(|| Some(Instant::now() + NODE_EVERY));
                }
                changed = self.wallet.changed() => {
                changed.ok()?;
                self.wallet.mark_changed();
            }
                () = tokio::time::sleep_until(wake) => {}
            }
            if Instant::now() >= self.heartbeat_at {
                if !is_still_welcome(&self.api, &self.who) {
                    return None;
                }
                self.heartbeat_at = Instant::now() + HEARTBEAT;
                return Some(Bytes::from_static(b":\n\n"));
            }
        }
    }

    fn changed(&mut self) -> Option<Bytes> {
        let step = self.api.feed.step(&self.api.daemon, self.after, self.fields)?;
        self.after = Some(step.now);
        step.text
    }

    fn newest(&mut self) -> Option<Bytes> {
        let next = self.api.daemon.news(self.news_after).into_iter().next()?;
        self.news_after = next.number;
        serde_json::to_vec(&news(&next)).ok().map(|data| event("news", None, &data))
    }

    fn wallet(&mut self) -> Option<Bytes> {
        let has_changed = self.wallet.has_changed().unwrap_or(false);
        self.wallet.mark_unchanged();
        has_changed.then(|| event("wallet", None, b"{}"))
    }

    fn node(&mut self) -> Option<Bytes> {
        self.node_at.filter(|at| Instant::now() >= *at)?;
        self.node_at = None;
        let told = serde_json::to_string(&node(&self.api.daemon.node())).ok()?;
        if told == self.node_told {
            return None;
        }
        let text = event("node", None, told.as_bytes());
        self.node_told = told;
        Some(text)
    }
}
