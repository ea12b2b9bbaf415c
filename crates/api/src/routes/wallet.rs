//! The wallet: made from words, unlocked and locked, what it has, what it sends, and what it did.
//!
//! Amounts are whole tokens as decimal text, beside the integer of smallest units. What makes or uses a key,
//! or moves money, needs the scope `spend`; to lock does not.

mod errands;
pub(crate) mod network;
mod orders;
pub(crate) mod vault;
mod views;

use crate::extract::{Json, Path, Query};
use crate::problem::{Code, Problem};
use crate::state::{Api, Who};
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use errands::{Asked, Named, Preview, Priced};
use orders::{HistoryView, OrderView, OrdersView, PlanView};
use piecework_access::Scope;
use piecework_daemon::{Errand, PAST_MAX};
use piecework_wallet::{Password, Phrase, parse_address};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use views::WalletView;
use zeroize::Zeroizing;

/// Look at the wallet
///
/// Without a wallet, or where its chain does not answer, `problem` says so and what is missing is `null`.
#[utoipa::path(get, path = "/wallet", tag = "wallet",
    responses((status = 200, description = "The wallet.", body = WalletView)))]
pub(crate) async fn wallet(State(api): State<Api>) -> Result<Json<WalletView>, Problem> {
    Ok(Json(views::wallet(&api.daemon.wallet().await?)))
}

/// How many words.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DrawWords {
    /// 12 or 24.
    #[schema(example = 12)]
    words: usize,
}

impl Default for DrawWords {
    fn default() -> Self {
        Self { words: 12 }
    }
}

/// New words.
#[derive(Serialize, ToSchema)]
pub(crate) struct DrawnWords {
    /// Whoever has them has all that the wallet of them owns. They are kept nowhere.
    phrase: String,
}

/// Draw the words of a new wallet
///
/// Nothing is kept and no wallet is made: show the words, have some of them typed back, and send them with
/// `POST /wallet`. Needs the scope `spend`.
#[utoipa::path(post, path = "/wallet:draw", tag = "wallet", request_body = DrawWords,
    responses((status = 200, description = "The words.", body = DrawnWords)))]
pub(crate) async fn draw(
    Extension(who): Extension<Who>,
    Json(drawn): Json<DrawWords>,
) -> Result<Response, Problem> {
    who.needs(Scope::Spend)?;
    let phrase = Phrase::draw(drawn.words);
    let phrase = phrase.map_err(|fault| Problem::new(Code::Invalid, fault.to_string()))?;
    let phrase = phrase.words().collect::<Vec<_>>().join(" ");
    Ok(([(CACHE_CONTROL, "no-store")], Json(DrawnWords { phrase })).into_response())
}

/// The words of a wallet, and what is to guard it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWallet {
    /// 12 or 24 words; case and blanks do not matter.
    #[schema(format = Password)]
    phrase: String,
    /// Under which its key is kept.
    #[schema(format = Password, min_length = 8)]
    password: String,
}

/// Make a wallet
///
/// Of new words, or of those of another wallet, which is restored thereby. The node trades with it from now
/// on, without a restart. It is locked. Needs the scope `spend`.
#[utoipa::path(post, path = "/wallet", tag = "wallet", request_body = NewWallet,
    responses((status = 201, description = "The wallet.", body = WalletView)))]
pub(crate) async fn make(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Json(new): Json<NewWallet>,
) -> Result<(StatusCode, Json<WalletView>), Problem> {
    let (phrase, password) = (Zeroizing::new(new.phrase), Password::new(new.password));
    who.needs(Scope::Spend)?;
    let words = Phrase::parse(&phrase);
    let words = words.map_err(|fault| Problem::new(Code::Invalid, fault.to_string()))?;
    api.daemon.make_wallet(words, password).await?;
    Ok((StatusCode::CREATED, wallet(State(api)).await?))
}

/// The wallet's password, and how long it is to count.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unlocking {
    #[schema(format = Password)]
    password: String,
    /// Until it locks itself again.
    #[serde(default = "quarter_hour")]
    #[schema(minimum = 60, maximum = 2_592_000, example = 900)]
    seconds: u64,
}

const fn quarter_hour() -> u64 {
    900
}

/// Unlock the wallet
///
/// A process of its own holds the key for so long and signs, for the command line too. Five wrong passwords
/// in a row bring a pause, and each further one a longer pause. Needs the scope `spend`.
#[utoipa::path(post, path = "/wallet:unlock", tag = "wallet", request_body = Unlocking,
    responses((status = 200, description = "The wallet.", body = WalletView)))]
pub(crate) async fn unlock(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Json(unlocking): Json<Unlocking>,
) -> Result<Json<WalletView>, Problem> {
    let password = Password::new(unlocking.password);
    who.needs(Scope::Spend)?;
    if !(60..=2_592_000).contains(&unlocking.seconds) {
        return Err(Problem::new(Code::Invalid, "seconds: 60 to 2592000, which is 30 days"));
    }
    api.daemon.unlock_wallet(password, Duration::from_secs(unlocking.seconds)).await?;
    wallet(State(api)).await
}

/// Lock the wallet
///
/// At once, whoever unlocked it. What session keys may spend they still may: `PATCH /market` stops that.
#[utoipa::path(post, path = "/wallet:lock", tag = "wallet",
    responses((status = 200, description = "The wallet.", body = WalletView)))]
pub(crate) async fn lock(State(api): State<Api>) -> Result<Json<WalletView>, Problem> {
    api.daemon.lock_wallet().await?;
    wallet(State(api)).await
}

/// Which movements.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichHistory {
    /// The contract of one token; left out, all of the network file.
    token: Option<String>,
    /// Only of blocks before this one: `next` of the page before.
    before: Option<u64>,
    /// Movements at most; those of one block stay together.
    #[serde(default = "half_a_page")]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: usize,
}

const fn half_a_page() -> usize {
    50
}

/// Look at what came in and went out
///
/// From the tokens' own logs, newest first. The chain's coin writes none. A page looks through a bounded part
/// of the chain: there may be few on it, or none, while `next` says where to go on.
#[utoipa::path(get, path = "/wallet/history", tag = "wallet", params(WhichHistory),
    responses((status = 200, description = "A page.", body = HistoryView)))]
pub(crate) async fn history(
    State(api): State<Api>,
    Query(which): Query<WhichHistory>,
) -> Result<Json<HistoryView>, Problem> {
    if !(1..=PAST_MAX).contains(&which.limit) {
        return Err(Problem::new(Code::Invalid, format!("limit: 1 to {PAST_MAX}")));
    }
    let token = which.token.as_deref().map(address).transpose()?;
    let past = api.daemon.wallet_past(token, which.before, which.limit).await?;
    Ok(Json(orders::history(&past)))
}

/// List the orders
///
/// What was sent with the wallet by this API, and how far it is: newest first, the latest 256.
#[utoipa::path(get, path = "/wallet/orders", tag = "wallet",
    responses((status = 200, description = "The orders.", body = OrdersView)))]
pub(crate) async fn orders(State(api): State<Api>) -> Result<Json<OrdersView>, Problem> {
    Ok(Json(orders::orders(&api.daemon.orders().await?)))
}

/// An order of the path.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OrderPath {
    /// Its number.
    #[param(example = "1")]
    id: String,
}

/// Look at an order
#[utoipa::path(get, path = "/wallet/orders/{id}", tag = "wallet", params(OrderPath),
    responses((status = 200, description = "The order.", body = OrderView)))]
pub(crate) async fn one_order(
    State(api): State<Api>,
    Path(path): Path<OrderPath>,
) -> Result<Json<OrderView>, Problem> {
    let orders = api.daemon.orders().await?;
    let order = orders.iter().find(|order| order.id.to_string() == path.id);
    let absent = || {
        let id: String = path.id.chars().take(20).collect();
        Problem::new(Code::NotFound, format!("there is no order {id:?}"))
    };
    order.map(|order| Json(orders::order(order))).ok_or_else(absent)
}

/// What is to be sent, and to whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transfer {
    /// An account: 0x and 40 hexadecimal digits, or as TRON writes it.
    to: String,
    /// Whole coins or tokens.
    #[schema(example = "1.5")]
    amount: String,
    /// `coin`, or the contract of a token.
    #[schema(example = "coin")]
    asset: String,
    /// What the fees may come to at most, whole coins: those of the plan.
    #[serde(default)]
    #[schema(example = "0.001")]
    fee_most: Option<String>,
}

impl Priced for Transfer {
    fn fee_most(&self) -> Option<&str> {
        self.fee_most.as_deref()
    }
}

/// Send coin or tokens
///
/// With `preview` it answers what would be done and cost, and does nothing. Else it needs an
/// `Idempotency-Key`, an unlocked wallet, and the scope `spend`; the answer is an order, which the node
/// carries out: see `/wallet/orders`. The same key gives the same order, after a restart too.
#[utoipa::path(post, path = "/wallet/transfers", tag = "wallet", params(Preview, Named),
    request_body = Transfer, responses(
        (status = 200, description = "What it would do.", body = PlanView),
        (status = 202, description = "The order.", body = OrderView)))]
pub(crate) async fn transfer(
    State(api): State<Api>,
    asked: Asked<Transfer>,
) -> Result<Response, Problem> {
    let Transfer { to, amount, asset, .. } = &asked.body;
    let token = match asset.as_str() {
        "coin" => None,
        contract => Some(address(contract)?),
    };
    let errand = Errand::Transfer { to: address(to)?, amount: amount.clone(), token };
    asked.answer(&api, errand).await
}

/// An address that a person wrote.
fn address(text: &str) -> Result<alloy_primitives::Address, Problem> {
    parse_address(text).map_err(|fault| Problem::new(Code::Invalid, fault.to_string()))
}
