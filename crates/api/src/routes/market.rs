//! The market for uplink: what is sold and bought at which price, and the lane of a torrent.
//!
//! Amounts are whole tokens as decimal text, prices are for a GiB. Whoever changes something here needs the
//! scope `spend`, but not in order to stop.

use super::list::TorrentPath;
use crate::extract::{Json, Path, some, torrent_id};
use crate::problem::{Code, Problem};
use crate::state::{Api, Who};
use axum::Extension;
use axum::extract::State;
use piecework_access::Scope;
use piecework_daemon::{LaneWish, LaneWord, Market};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod views;

pub(crate) use views::{LaneView, MarketView};

/// Look at the market
///
/// What the node sells and buys, with whom, and what waits to be cashed. Where it cannot trade, `problem`
/// says why and the rest is `null`.
#[utoipa::path(get, path = "/market", tag = "market",
    responses((status = 200, description = "The market.", body = MarketView)))]
pub(crate) async fn market(State(api): State<Api>) -> Result<Json<MarketView>, Problem> {
    Ok(Json(match api.daemon.market().await {
        Ok(market) => views::market(&api, &market),
        Err(refusal) => MarketView::closed(refusal.text),
    }))
}

/// What is to be changed; what is left out stays.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MarketPatch {
    /// Sell a part of the uplink, or stop.
    sells: Option<bool>,
    /// Pay for the lanes of torrents, or stop everywhere at once.
    buys: Option<bool>,
    /// The lowest ask.
    #[schema(example = "0.01")]
    price_floor: Option<String>,
    /// Hundredths of the uplink for those who do not pay.
    #[schema(minimum = 10, maximum = 100)]
    free_percent: Option<u32>,
    /// Bytes a second that the uplink carries: the node's upload limit.
    #[schema(minimum = 1)]
    capacity: Option<u64>,
    /// What may be spent in a day (UTC); `null` for no limit.
    #[serde(deserialize_with = "some")]
    #[schema(value_type = Option<String>, example = "2.5")]
    day_max: Option<Option<String>>,
}

impl MarketPatch {
    /// It only turns off: whoever may stop a torrent may stop what it costs, at once.
    const fn only_stops(&self) -> bool {
        !matches!(self.sells, Some(true))
            && !matches!(self.buys, Some(true))
            && self.price_floor.is_none()
            && self.free_percent.is_none()
            && self.capacity.is_none()
            && self.day_max.is_none()
    }

    fn settings(self) -> Vec<(String, String)> {
        let none = || "none".to_owned();
        let changes = [
            // The limit first: selling needs it.
            ("speed.up", self.capacity.map(|bytes| bytes.to_string())),
            ("pay.price_floor", self.price_floor),
            ("pay.free_percent", self.free_percent.map(|percent| percent.to_string())),
            ("pay.day_max", self.day_max.map(|most| most.unwrap_or_else(none))),
            ("pay.sells", self.sells.map(|sells| sells.to_string())),
            ("pay.buys", self.buys.map(|buys| buys.to_string())),
        ];
        changes.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

/// Sell or buy, or stop, and on which terms
///
/// All of it or nothing. Needs the scope `spend`, unless all it does is to turn off.
#[utoipa::path(patch, path = "/market", tag = "market", request_body = MarketPatch,
    responses((status = 200, description = "The market from now on.", body = MarketView)))]
pub(crate) async fn change(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Json(patch): Json<MarketPatch>,
) -> Result<Json<MarketView>, Problem> {
    if !patch.only_stops() {
        who.needs(Scope::Spend)?;
    }
    if patch.capacity == Some(0) {
        return Err(Problem::new(Code::Invalid, "a capacity is at least 1 byte a second"));
    }
    // Told before anything is written: what cannot trade has no terms.
    api.daemon.market().await?;
    let changes = patch.settings();
    if !changes.is_empty() {
        api.daemon.set(changes).await?;
    }
    market(State(api)).await
}

/// A lane, and what it may cost.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLane {
    /// Slow is free; the others are bid for.
    lane: LaneName,
    /// What it may cost in all; needed but for `slow`.
    #[schema(example = "0.5")]
    #[serde(default)]
    budget: Option<String>,
    /// The highest price of a GiB; left out, the budget over the torrent's size, once that is known.
    #[schema(example = "0.02")]
    #[serde(default)]
    max_price: Option<String>,
}

/// How fast.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LaneName {
    /// Free.
    Slow,
    /// Up to 1.25 times the median ask.
    Medium,
    /// Up to 3 times the median ask.
    Fast,
}

impl NewLane {
    /// # Errors
    /// When a budget is missing, or an amount cannot be read.
    pub(crate) fn wish(
        &self,
        market: &Market,
        size_bytes: Option<u64>,
    ) -> Result<Option<LaneWish>, Problem> {
        let lane = match self.lane {
            LaneName::Slow => return Ok(None),
            LaneName::Medium => LaneWord::Medium,
            LaneName::Fast => LaneWord::Fast,
        };
        let text = "a lane that costs has a budget, whole tokens as text";
        let budget = self.budget.as_ref().ok_or_else(|| Problem::new(Code::Invalid, text))?;
        let wish = market.wish(lane, budget, self.max_price.as_deref(), size_bytes);
        wish.map(Some).map_err(Into::into)
    }
}

/// Look at the lane of a torrent
#[utoipa::path(get, path = "/torrents/{id}/lane", tag = "market", params(TorrentPath),
    responses((status = 200, description = "Its lane.", body = LaneView)))]
pub(crate) async fn lane(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
) -> Result<Json<LaneView>, Problem> {
    let id = torrent_id(&path.id)?;
    api.check_ids(&[id])?;
    let market = api.daemon.market().await?;
    Ok(Json(views::lane(&market, id)))
}

/// Choose the lane of a torrent
///
/// Nothing is spent before buying is on (`PATCH /market`). Needs the scope `spend`, but for `slow`.
#[utoipa::path(put, path = "/torrents/{id}/lane", tag = "market", params(TorrentPath),
    request_body = NewLane,
    responses((status = 200, description = "Its lane from now on.", body = LaneView)))]
pub(crate) async fn set_lane(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Path(path): Path<TorrentPath>,
    Json(new): Json<NewLane>,
) -> Result<Json<LaneView>, Problem> {
    if !matches!(new.lane, LaneName::Slow) {
        who.needs(Scope::Spend)?;
    }
    let id = torrent_id(&path.id)?;
    api.check_ids(&[id])?;
    let market = api.daemon.market().await?;
    let size = api.daemon.catalog().get(id).map(|torrent| torrent.record().size_bytes);
    api.daemon.set_lane(id, new.wish(&market, size)?).await?;
    let market = api.daemon.market().await?;
    Ok(Json(views::lane(&market, id)))
}
