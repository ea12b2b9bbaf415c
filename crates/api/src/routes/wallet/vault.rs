//! The vault: money that is set aside for cheques, the bond behind them, and session keys. Always of the
//! token that is paid in.

use super::errands::{Asked, Named, Preview, Priced};
use super::orders::{OrderView, PlanView};
use super::views::{DrawnKeyView, drawn_key};
use crate::caller::header;
use crate::extract::{from_json, raw_json};
use crate::idempotency::Turn;
use crate::problem::{Code, Problem};
use crate::state::{Api, Who, unix_now};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use piecework_access::Scope;
use piecework_daemon::Errand;
use serde::Deserialize;
use utoipa::ToSchema;

/// What is to be put aside.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fund {
    /// Whole tokens.
    #[schema(example = "10")]
    amount: String,
    /// Of what was earned and cashed, not of the wallet's balance.
    #[serde(default)]
    from_credit: bool,
    /// What the fees may come to at most, whole coins: those of the plan.
    #[serde(default)]
    fee_most: Option<String>,
}

/// What is asked back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskBack {
    /// Whole tokens, in place of what was asked back before; 0 takes that back.
    #[schema(example = "10")]
    amount: String,
    /// What the fees may come to at most, whole coins: those of the plan.
    #[serde(default)]
    fee_most: Option<String>,
}

/// What needs nothing but to be agreed to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agreed {
    /// What the fees may come to at most, whole coins: those of the plan.
    #[serde(default)]
    fee_most: Option<String>,
}

macro_rules! priced {
    ($($body:ty),*) => {$(
        impl Priced for $body {
            fn fee_most(&self) -> Option<&str> {
                self.fee_most.as_deref()
            }
        }
    )*};
}

priced!(Fund, AskBack, Agreed);

/// Deposit in the vault
///
/// Cheques and session keys are paid from it. Preview, key and order as of `POST /wallet/transfers`.
#[utoipa::path(post, path = "/vault/deposits", tag = "wallet", params(Preview, Named), request_body = Fund,
    responses((status = 200, description = "What it would do.", body = PlanView),
        (status = 202, description = "The order.", body = OrderView)))]
pub(crate) async fn deposit(
    State(api): State<Api>,
    asked: Asked<Fund>,
) -> Result<Response, Problem> {
    let (amount, from_credit) = (asked.body.amount.clone(), asked.body.from_credit);
    asked.answer(&api, Errand::Deposit { amount, from_credit }).await
}

/// Bond in the vault
///
/// It burns if a cheque bounces; sellers want to see one. Preview, key and order as of
/// `POST /wallet/transfers`.
#[utoipa::path(post, path = "/vault/bonds", tag = "wallet", params(Preview, Named), request_body = Fund,
    responses((status = 200, description = "What it would do.", body = PlanView),
        (status = 202, description = "The order.", body = OrderView)))]
pub(crate) async fn bond(State(api): State<Api>, asked: Asked<Fund>) -> Result<Response, Problem> {
    let (amount, from_credit) = (asked.body.amount.clone(), asked.body.from_credit);
    asked.answer(&api, Errand::Bond { amount, from_credit }).await
}

/// Ask free money back
///
/// It can be taken in 24 hours. Preview, key and order as of `POST /wallet/transfers`.
#[utoipa::path(post, path = "/vault/exits", tag = "wallet", params(Preview, Named), request_body = AskBack,
    responses((status = 200, description = "What it would do.", body = PlanView),
        (status = 202, description = "The order.", body = OrderView)))]
pub(crate) async fn ask_exit(
    State(api): State<Api>,
    asked: Asked<AskBack>,
) -> Result<Response, Problem> {
    let amount = asked.body.amount.clone();
    asked.answer(&api, Errand::AskExit { amount }).await
}

/// Take what was asked back
///
/// Preview, key and order as of `POST /wallet/transfers`.
#[utoipa::path(post, path = "/vault/exits:take", tag = "wallet", params(Preview, Named),
    request_body = Agreed,
    responses((status = 200, description = "What it would do.", body = PlanView),
        (status = 202, description = "The order.", body = OrderView)))]
pub(crate) async fn take_exit(
    State(api): State<Api>,
    asked: Asked<Agreed>,
) -> Result<Response, Problem> {
    asked.answer(&api, Errand::TakeExit).await
}

/// Ask the bond back
///
/// It can be taken in 7 days. Preview, key and order as of `POST /wallet/transfers`.
#[utoipa::path(post, path = "/vault/bond-exits", tag = "wallet", params(Preview, Named),
    request_body = Agreed,
    responses((status = 200, description = "What it would do.", body = PlanView),
        (status = 202, description = "The order.", body = OrderView)))]
pub(crate) async fn ask_bond_exit(
    State(api): State<Api>,
    asked: Asked<Agreed>,
) -> Result<Response, Problem> {
    asked.answer(&api, Errand::AskBondExit).await
}

/// Take the bond
///
/// Preview, key and order as of `POST /wallet/transfers`.
#[utoipa::path(post, path = "/vault/bond-exits:take", tag = "wallet", params(Preview, Named),
    request_body = Agreed,
    responses((status = 200, description = "What it would do.", body = PlanView),
        (status = 202, description = "The order.", body = OrderView)))]
pub(crate) async fn take_bond_exit(
    State(api): State<Api>,
    asked: Asked<Agreed>,
) -> Result<Response, Problem> {
    asked.answer(&api, Errand::TakeBondExit).await
}

/// Take out what was earned
///
/// All that was cashed and credited. Preview, key and order as of `POST /wallet/transfers`.
#[utoipa::path(post, path = "/vault/withdrawals", tag = "wallet", params(Preview, Named),
    request_body = Agreed,
    responses((status = 200, description = "What it would do.", body = PlanView),
        (status = 202, description = "The order.", body = OrderView)))]
pub(crate) async fn withdraw(
    State(api): State<Api>,
    asked: Asked<Agreed>,
) -> Result<Response, Problem> {
    asked.answer(&api, Errand::Withdraw).await
}

/// End all session keys
///
/// Buying is turned off at once, even where the rest is refused because the wallet is locked or the chain
/// does not answer; the order then has the vault refuse the keys in 24 hours. `PATCH /market` turns buying
/// off without a key. Preview, key and order as of `POST /wallet/transfers`.
#[utoipa::path(post, path = "/vault/keys:revoke", tag = "wallet", params(Preview, Named),
    request_body = Agreed,
    responses((status = 200, description = "What it would do.", body = PlanView),
        (status = 202, description = "The order.", body = OrderView)))]
pub(crate) async fn revoke(
    State(api): State<Api>,
    asked: Asked<Agreed>,
) -> Result<Response, Problem> {
    if !asked.is_preview() && api.daemon.settings().pay().buys {
        api.daemon.set(vec![("pay.buys".to_owned(), "false".to_owned())]).await?;
    }
    asked.answer(&api, Errand::Revoke).await
}

/// What a session key may do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSessionKey {
    /// What it may spend in all, whole tokens.
    #[schema(example = "5")]
    max: String,
    /// What of the bond its cheques may burn, whole tokens; left out, all of it.
    #[serde(default)]
    bond_at_risk: Option<String>,
}

/// Draw a session key
///
/// A key on this disk, without a password, that the node buys with for about 8 days while the wallet is
/// locked. It costs no fee. Needs an `Idempotency-Key`, an unlocked wallet and the scope `spend`; the same
/// key gives the same answer as long as the daemon runs.
#[utoipa::path(post, path = "/vault/keys", tag = "wallet", request_body = NewSessionKey,
    params(("Idempotency-Key" = String, Header, description = "A name for this request.",
        min_length = 1, max_length = 128)),
    responses((status = 201, description = "The key.", body = DrawnKeyView)))]
pub(crate) async fn draw_key(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    who.needs(Scope::Spend)?;
    let new: NewSessionKey = from_json(&body, b'{')?;
    let key = header(&headers, "idempotency-key").unwrap_or("");
    let first = match api.replies.turn(&who.role.name, key, &body, unix_now())? {
        Turn::Again(answer) => return Ok(created(answer)),
        Turn::First(first) => first,
    };
    let (delegate, token) = api.daemon.entrust(new.max, new.bond_at_risk).await?;
    let answer = serde_json::to_vec(&drawn_key(&delegate, token.decimals)).map(Bytes::from);
    let answer = answer.map_err(|cause| Problem::new(Code::Failed, cause.to_string()))?;
    first.keep(&answer);
    Ok(created(answer))
}

fn created(answer: Bytes) -> Response {
    let mut response = raw_json(answer);
    *response.status_mut() = StatusCode::CREATED;
    response
}
