//! Feeds and the rules that choose from them. Addresses of feeds often hold a passkey: they come in and are
//! not shown whole.

use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use piecework_catalog::{Refusal, RefusalKind};
use piecework_feeds::Rule;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// Minutes between two looks unless a feed says otherwise.
const INTERVAL_MINUTES: u32 = 30;

/// A feed to look at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFeed {
    /// An http(s) address.
    #[schema(example = "https://tracker.example/rss")]
    url: String,
    /// Minutes between two looks; 30 if left out. Less than one counts as one.
    interval_minutes: Option<u32>,
}

/// A feed as it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Feed)]
pub(crate) struct FeedView {
    /// Its address up to the question mark: what follows is often a secret.
    url: String,
    /// Minutes between two looks.
    interval_minutes: u32,
    /// Unix seconds of the last look that ended well.
    seen_at: Option<u64>,
    /// Unix seconds of the next look.
    due_at: u64,
    /// Why the last look failed.
    error: Option<String>,
    /// What it offered last, newest first.
    titles: Vec<String>,
}

/// [`Rule`] for the description, which the machine's crate knows nothing of.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = FeedRule, description = "A rule.")]
pub(crate) struct RuleView {
    /// It is not followed.
    is_off: bool,
    /// Names of the feeds it looks at; all if empty.
    feeds: BTreeSet<String>,
    /// What titles must have: all words, `*` and `?` as in file names, `|` between alternatives.
    wants: String,
    /// What titles must not have, in the same form.
    refuses: String,
    /// The two above are regular expressions.
    is_regex: bool,
    /// Which episodes, as in `2x3;5-7;10-`; all if empty.
    episodes: String,
    /// Days after a match in which nothing more is taken; 0 for none.
    pause_days: u32,
    /// Category of what is taken.
    category: Option<String>,
    /// Tags of what is taken.
    tags: BTreeSet<String>,
    /// Folder of what is taken, instead of the usual one.
    save_path: Option<String>,
    /// What is taken waits for a person to start it.
    adds_stopped: bool,
}

/// Something that a rule would take.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Match {
    /// Which feed offers it.
    feed: String,
    /// Its title.
    title: String,
}

/// A feed or rule of the path.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct Name {
    /// Its name.
    #[param(example = "films")]
    name: String,
}

/// List feeds
#[utoipa::path(get, path = "/feeds", tag = "feeds",
    responses((status = 200, description = "Feeds by name.", body = BTreeMap<String, FeedView>)))]
pub(crate) async fn feeds(State(api): State<Api>) -> Json<BTreeMap<String, FeedView>> {
    let view = |feed: &piecework_feeds::Feed| FeedView {
        url: feed.url.split(['?', '#']).next().unwrap_or_default().to_owned(),
        interval_minutes: feed.interval_minutes,
        seen_at: feed.seen_at,
        due_at: feed.due_at,
        error: feed.error.clone(),
        titles: feed.items.iter().map(|item| item.title.clone()).collect(),
    };
    Json(api.daemon.feeds(|feeds| {
        feeds.feeds().iter().map(|(name, feed)| (name.clone(), view(feed))).collect()
    }))
}

/// Add or change a feed
///
/// It is looked at next.
#[utoipa::path(put, path = "/feeds/{name}", tag = "feeds", params(Name),
    request_body = NewFeed, responses((status = 204, description = "It is so.")))]
pub(crate) async fn put(
    State(api): State<Api>,
    Path(Name { name }): Path<Name>,
    Json(NewFeed { url, interval_minutes }): Json<NewFeed>,
) -> Result<StatusCode, Problem> {
    let interval = interval_minutes.unwrap_or(INTERVAL_MINUTES);
    api.daemon.change_feeds(move |feeds| feeds.set_feed(&name, &url, interval)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a feed
#[utoipa::path(delete, path = "/feeds/{name}", tag = "feeds", params(Name),
    responses((status = 204, description = "It is gone.")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Path(Name { name }): Path<Name>,
) -> Result<StatusCode, Problem> {
    api.daemon.change_feeds(move |feeds| feeds.remove_feed(&name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Look at a feed now
#[utoipa::path(post, path = "/feeds/{name}/refresh", tag = "feeds", params(Name),
    responses((status = 204, description = "It is looked at next.")))]
pub(crate) async fn refresh(
    State(api): State<Api>,
    Path(Name { name }): Path<Name>,
) -> Result<StatusCode, Problem> {
    api.daemon.change_feeds(move |feeds| feeds.refresh(&name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List rules
#[utoipa::path(get, path = "/feed-rules", tag = "feeds",
    responses((status = 200, description = "Rules by name.", body = BTreeMap<String, RuleView>)))]
pub(crate) async fn rules(State(api): State<Api>) -> Json<BTreeMap<String, Rule>> {
    let view = |(name, rule): (&str, &Rule)| (name.to_owned(), rule.clone());
    Json(api.daemon.feeds(|feeds| feeds.rules().map(view).collect()))
}

/// Add or change a rule
///
/// Of what a new item's title matches, the first rule by name takes it.
#[utoipa::path(put, path = "/feed-rules/{name}", tag = "feeds", params(Name),
    request_body = RuleView, responses((status = 204, description = "It is so.")))]
pub(crate) async fn put_rule(
    State(api): State<Api>,
    Path(Name { name }): Path<Name>,
    Json(rule): Json<Rule>,
) -> Result<StatusCode, Problem> {
    api.daemon.change_feeds(move |feeds| feeds.set_rule(&name, rule)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a rule
#[utoipa::path(delete, path = "/feed-rules/{name}", tag = "feeds", params(Name),
    responses((status = 204, description = "It is gone.")))]
pub(crate) async fn remove_rule(
    State(api): State<Api>,
    Path(Name { name }): Path<Name>,
) -> Result<StatusCode, Problem> {
    api.daemon.change_feeds(move |feeds| feeds.remove_rule(&name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try a rule
///
/// Tells what it would match of what the feeds offered last; takes nothing.
#[utoipa::path(post, path = "/feed-rules:try", tag = "feeds", request_body = RuleView,
    responses((status = 200, description = "What matches.", body = Vec<Match>)))]
pub(crate) async fn preview(
    State(api): State<Api>,
    Json(rule): Json<Rule>,
) -> Result<Json<Vec<Match>>, Problem> {
    let found = api.daemon.feeds(|feeds| {
        let found = feeds.preview(&rule);
        let own = |(feed, item): (&str, &piecework_feeds::Item)| Match {
            feed: feed.to_owned(),
            title: item.title.clone(),
        };
        found.map(|found| found.into_iter().map(own).collect())
    });
    found.map(Json).map_err(|error| Refusal::new(RefusalKind::Invalid, error.to_string()).into())
}
